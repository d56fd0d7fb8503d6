"""Adaptive synaptogenesis: fast growth is ready early, makes too many synapses and leaves a worse adult, after Ju, Colbert & Levy 2017.

PLoS Computational Biology 13:e1005750, doi:10.1371/journal.pcbi.1005750 (E13); the rule of learning and shedding is that of Thomas, Blalock
& Levy 2015, doi:10.1371/journal.pcbi.1004299. Threshold units z = [sum w x >= theta] look at noisy patterns of several classes. A unit whose
running activity is below a target is receptive: each input that does not reach it makes a synapse with a hazard, at random. Where the unit
is active, dw = eps (x - E[x] - w), so that weights tend to E[x | active] - E[x], and what falls below a threshold is shed: inputs of other
classes than the unit's own. Growth that is fast against learning and the running mean lets inputs of several classes in together, each of
which then keeps the unit active. The numbers here are a small setting of our own, not those of the paper. Development lasts until units
fire at the target, so that no synapses form; that units of several classes shed the last of what is too much takes longer still.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import nS, second

CLASSES, LINES, UNITS = 5, 20, 30  # lines of input a class
PRESENT, ABSENT = 0.7, 0.1  # how often a line is active with its own class, and with another
SHOWN, DT, EPOCHS = 20, 0.05, 140  # patterns in an epoch of a second, one a step
THETA, NEW, SHED, LEARNING = 1.0, 0.1, 0.01, 0.02  # the first three in nS
TARGET = 2.0  # Hz: half of the rate at which each class comes
SLOW, MIDDLE, FAST = 0.005, 0.04, 0.32  # hazards of each absent synapse of a receptive unit, a second
SEEDS = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True)
class Receptive:
    """Let synapses grow on cells of which a trait is below a target."""

    trait: Any
    target: float

    def likelihood(self, circuit, recording, projection):
        open_to = self.trait(circuit, recording, projection.target) < self.target
        return lambda pre, post: open_to[post].astype(float)


def patterns(size, rng):
    """Classes, and which lines are active."""
    of = rng.integers(CLASSES, size=size)
    own = np.arange(CLASSES * LINES) // LINES == of[:, None]
    return of, rng.random(own.shape) < np.where(own, PRESENT, ABSENT)


def matrix(now):
    synapses, weights = now["pathway"].synapses, np.zeros((CLASSES * LINES, UNITS))
    weights[synapses["pre"], synapses["post"]] = synapses["weight"] / 1e-9
    return weights


def learned(now, seen, active):
    """Return the circuit after the learning of an epoch, and what was recorded in it."""
    times = active.sum(axis=0)
    mean = seen.T.astype(float) @ active / np.maximum(times, 1) - (PRESENT + (CLASSES - 1) * ABSENT) / CLASSES
    synapses, first = now["pathway"].synapses, now.epoch * SHOWN
    pre, post, weight = synapses["pre"], synapses["post"], synapses["weight"] / 1e-9
    weight = weight + (1 - (1 - LEARNING) ** times[post]) * (mean[pre, post] - weight)
    step, cells = np.nonzero(active)
    spikes = SpikeTrains(cells, first + 1 + step, DT)
    recording = Recording({"units": PartRecording("units", SHOWN * DT, now["units"].ids, times, spikes)}, first, first + SHOWN, DT)
    return now.updated({"pathway": now["pathway"].set(weight=weight * nS)}, step=recording.stop_step, dt_si=DT), recording


@cache
def lived(hazard, seed, first=0.0):
    """Return the adult network, and the number of synapses a unit and the share of units that reached the target, epoch by epoch."""
    lines, units = ns.create("lines", "spike_source", CLASSES * LINES), ns.create("units", "leaky_conductance", UNITS)
    pathway = ns.connect(lines, units, "static", ns.FixedProbability(first), receptor="g_exc", weight=NEW * nS, seed=seed)
    calcium, rng, numbers, ready = ns.Calcium(10 * second), np.random.default_rng(seed), [], []
    growth = ns.Growth(hazard / second, where=Receptive(calcium, TARGET))
    rewiring = ns.Rewiring("pathway", prune=ns.WeightBelow(SHED * nS), regrow=growth, weight=NEW * nS)
    rules = [*calcium.books("units"), rewiring]
    now = begun(ns.Circuit([lines, units], [pathway.replace(name="pathway")]), rules)
    rewiring.check(now)
    for epoch in range(EPOCHS):
        _, seen = patterns(SHOWN, rng)
        now, recording = learned(now, seen, seen @ matrix(now) >= THETA)
        now, _ = kept(now, recording, rules)
        ready.append(np.mean(now["units"].cells["calcium"] >= TARGET))
        now = ns.apply(now, rewiring(now, recording, rng)).updated({}, epoch=epoch + 1)
        numbers.append(len(now["pathway"]) / UNITS)
    return now, np.array(numbers), np.array(ready)


@cache
def adult(hazard, seed, first=0.0):
    """Return how often the adult units tell the class of a pattern wrongly, and synapses that a pattern makes active, a unit.

    The class is the likeliest one, had units been independent, by how often each answers each class.
    """
    now, rng = lived(hazard, seed, first)[0], np.random.default_rng([seed, 1])
    weights = matrix(now)
    of, seen = patterns(4000, rng)
    active = seen @ weights >= THETA
    often = np.clip([active[of == one].mean(axis=0) for one in range(CLASSES)], 1e-3, 1 - 1e-3)
    of, seen = patterns(4000, rng)
    active = seen @ weights >= THETA
    likeliest = (active @ np.log(often).T + ~active @ np.log(1 - often).T).argmax(axis=1)
    return np.mean(likeliest != of), (seen.astype(float) @ (weights > 0)).mean()


def course(hazard, first=0.0):
    """Return, for each life, the peak of synapses a unit, the adult number, and the first epoch with nine tenths of units at the target."""
    lives = [lived(hazard, seed, first)[1:] for seed in SEEDS]
    assert all(ready[-1] == 1 for _, ready in lives)
    return np.transpose([(numbers.max(), numbers[-1], np.argmax(ready >= 0.9) + 1) for numbers, ready in lives])


def measured(hazard, first=0.0):
    """Return the errors and the active synapses of the adults of all lives."""
    return np.transpose([adult(hazard, seed, first) for seed in SEEDS])


def assert_more(many, few):
    """Check that of paired lives one kind has more: in six lives, in every one of them."""
    assert stats.wilcoxon(many, few, alternative="greater").pvalue < 0.02


def test_faster_growth_is_ready_earlier_and_overproduces_more():
    """What is too much is counted in synapses, the peak less the adult number, as adults of fast growth have more of them as well."""
    peaks, adults, ready = np.transpose([course(hazard) for hazard in (SLOW, MIDDLE, FAST)], (1, 0, 2))
    for slower, faster in ((0, 1), (1, 2)):
        assert_more(peaks[faster], 1.3 * peaks[slower])
        assert_more((peaks - adults)[faster], 1.3 * (peaks - adults)[slower])
        assert_more(ready[slower], 2 * ready[faster])


def test_the_fastest_growth_leaves_the_worst_adults():
    """They take one class for another more often, and have and use more synapses for it."""
    slow, fast = measured(SLOW), measured(FAST)
    assert_more(fast[0], slow[0])
    assert np.mean(fast[0] - slow[0]) > 0.01
    assert_more(fast[1], 1.5 * slow[1])
    assert_more(course(FAST)[1], 1.5 * course(SLOW)[1])


def test_twice_the_slow_rate_costs_next_to_nothing():
    """The control: growth that is slow in any case is ready much earlier at twice the rate, but its adults are hardly worse."""
    slow, twice = measured(SLOW), measured(2 * SLOW)
    assert_more(course(SLOW)[2], 1.3 * course(2 * SLOW)[2])
    assert np.mean(twice[0] - slow[0]) < 0.005
    assert_more(1.2 * slow[1], twice[1])


def test_many_synapses_at_first_are_the_other_way_to_be_fast():
    """So many that units are driven by all classes at once are too many, and adults use more for good; half as many only save time."""
    (_, bare, late), slow = course(SLOW), measured(SLOW)
    peaks, adults, ready = course(SLOW, first=0.4)
    assert_more(late, 5 * ready)
    assert_more(peaks - adults, 1.3 * (course(SLOW)[0] - bare))
    assert_more(measured(SLOW, first=0.4)[1], 1.1 * slow[1])

    _, adults, ready = course(SLOW, first=0.2)
    errors, used = measured(SLOW, first=0.2)
    assert_more(late, 1.5 * ready)
    assert np.mean(errors - slow[0]) < 0.005
    assert np.mean(used) == pytest.approx(np.mean(slow[1]), rel=0.05) and np.mean(adults) == pytest.approx(np.mean(bare), rel=0.05)
