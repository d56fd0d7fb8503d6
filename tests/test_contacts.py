"""Contacts between a pair of cells: two peaks, at none and at several, where synapses that drive their target together last longer.

The mechanism is that of Fauth, Wörgötter & Tetzlaff 2015 (PLoS Comput Biol 11:e1004031), of which Deger et al. 2012 (PLoS Comput
Biol 8:e1002689) is the case of spikes: a contact grows at each vacant place with one hazard and goes the sooner, the weaker it is;
weights grow with the activity of the target, which the contacts of the pair drive together and sub-linearly. Experiments show peaks
at 0 and at 3 to 8 contacts (Fauth; Deger: 3 to 6). Here all cells but one source of each target are silent, the target's activity is
S w / (S w + DRIVE) for S contacts of weight w, and w follows the activity, which ends at w = 1 - DRIVE / S, or 0; a contact of weight w
goes with hazard REMOVAL exp(-FALL w). How many contacts there are after each epoch is then a Markov chain that is known exactly.
"""

import numpy as np
import pytest
from life_data import recorded, rng
from scipy import stats

import neurosim as ns
from neurosim.units import Hz, nS

PAIRS, MOST, EPOCHS = 2000, 8, 250
CREATION, REMOVAL, FALL, DRIVE = 0.03, 2.0, 6.0, 1.0  # per epoch of 1 s; contacts: MOST places a pair
NUMBERS = np.arange(MOST + 1)
ALONE = 0.03  # hazard of removal in the null, of every contact


def settled_weight(contacts):
    """What the weights of so many contacts come to."""
    return np.maximum(0, 1 - DRIVE / np.maximum(contacts, 1))


def removal(contacts):
    return REMOVAL * np.exp(-FALL * settled_weight(contacts))


def chain(hazards):
    """The chance of each number of contacts after an epoch, given each before: binomial losses of those that are, gains of those that are not."""
    matrix = np.zeros((MOST + 1, MOST + 1))
    for before in NUMBERS:
        lost = stats.binom.pmf(np.arange(before + 1), before, 1 - np.exp(-hazards[before]))
        gained = stats.binom.pmf(np.arange(MOST - before + 1), MOST - before, 1 - np.exp(-CREATION))
        matrix[before] = np.convolve(lost[::-1], gained)
    return matrix


def after(hazards):
    start = np.eye(MOST + 1)[0]
    return start @ np.linalg.matrix_power(chain(hazards), EPOCHS)


def peaks(chances):
    padded = np.concatenate([[-1], chances, [-1]])
    return np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] > padded[2:])).tolist()


def bare():
    """Pairs of one source and one target each, without synapses."""
    source, exc = ns.create("source", "spike_source", PAIRS), ns.create("exc", "leaky_conductance", PAIRS)
    loop = ns.connect(source, exc, "static", ns.Pairs([], []), receptor="g_exc", weight=0 * nS).replace(name="loop")
    return ns.Circuit([source, exc], [loop])


def contacts_of(now):
    return np.bincount(now["loop"].synapses["post"], minlength=PAIRS)


def lived(rules, seed):
    """How many contacts each pair has after all epochs; between them, weights come to what the contacts' joint effect makes of them."""
    now = bare()
    recording, generator = recorded(now, np.zeros(PAIRS, dtype=int), duration=1.0), rng(seed)
    weights = settled_weight(NUMBERS)
    for _ in range(EPOCHS):
        now = ns.apply(now, sum((rule(now, recording, generator) for rule in rules), ns.Events()))
        now = now.set("loop", weight=weights[contacts_of(now)[now["loop"].synapses["post"]]] * nS)
    return contacts_of(now)


def growing():
    each = np.arange(PAIRS)
    return ns.Rewiring("loop", regrow=ns.Growth(CREATION * Hz, ns.Permitted(each, each), contacts=MOST), weight=0 * nS)


def fading_by_weight():
    """Hazards of removal that fall in steps with the weight: a contact is below all thresholds that lie above its own weight."""
    weights, hazards = settled_weight(NUMBERS[1:]), removal(NUMBERS[1:])
    levels, first = np.unique(weights.round(9), return_index=True)
    hazards = hazards[first]
    steps = np.append(hazards[:-1] - hazards[1:], hazards[-1])
    between = np.append((levels[1:] + levels[:-1]) / 2, 2.0)
    return [
        ns.Rewiring("loop", prune=ns.WeightBelow(threshold * nS), hazard=step * Hz, label=f"below {threshold:.3f}")
        for threshold, step in zip(between, steps, strict=True)
    ]


def fit(counts, chances):
    """The chance of a deviation at least as large; numbers that are expected less than five times are taken together."""
    rare = chances * PAIRS < 5
    counts, expected = (np.append(values[~rare], values[rare].sum()) for values in (counts, chances * PAIRS))
    kept = expected > 0
    return stats.chisquare(counts[kept], expected[kept]).pvalue


def test_weights_that_follow_the_activity_that_they_cause_come_to_stay():
    weight = np.ones(MOST)
    for _ in range(2000):
        weight = NUMBERS[1:] * weight / (NUMBERS[1:] * weight + DRIVE)
    assert weight == pytest.approx(settled_weight(NUMBERS[1:]), abs=1e-3)


def test_synapses_that_drive_their_target_together_make_two_peaks():
    together, alone = after(removal(NUMBERS)), after(np.full(MOST + 1, ALONE))
    assert peaks(together)[0] == 0 and len(peaks(together)) == 2 and 3 <= peaks(together)[1] <= 6
    assert len(peaks(alone)) == 1 and peaks(alone)[0] > 0
    counts = np.bincount(lived([growing(), *fading_by_weight()], 1), minlength=MOST + 1)
    assert fit(counts, together) > 1e-3 and fit(counts, alone) < 1e-9
    valley = counts[1 : peaks(together)[1]].min()
    assert counts[0] > 1.5 * valley and counts[3:].max() > 1.5 * valley


def test_synapses_that_come_and_go_alone_make_one_peak():
    """The null: each contact goes with one hazard, whatever the others do; their number is binomial."""
    rules = [growing(), ns.Rewiring("loop", prune=ns.Everyone(), hazard=ALONE * Hz)]
    counts = np.bincount(lived(rules, 2), minlength=MOST + 1)
    gain, loss = 1 - np.exp(-CREATION), 1 - np.exp(-ALONE)
    assert fit(counts, stats.binom.pmf(NUMBERS, MOST, gain / (gain + loss))) > 1e-3
    assert fit(counts, after(removal(NUMBERS))) < 1e-9
    assert (np.diff(counts[:4]) > 0).all() and (np.diff(counts[5:]) < 0).all()
