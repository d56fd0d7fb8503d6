"""Adaptive synaptogenesis: fast growth is ready early, makes too many synapses and leaves a worse adult, after Ju, Colbert & Levy 2017.

PLoS Computational Biology 13:e1005750, doi:10.1371/journal.pcbi.1005750 (E13); the rule of learning and shedding is that of Thomas, Blalock
& Levy 2015, doi:10.1371/journal.pcbi.1004299. Threshold units z = [sum w x >= theta] look at noisy patterns of several classes. A unit whose
running activity is below a target is receptive: each input that does not reach it makes a synapse with a hazard, at random. Where the unit
is active, dw = eps (x - E[x] - w), so that weights tend to E[x | active] - E[x], and what falls below a threshold is shed: inputs of other
classes than the unit's own. Growth that is fast against learning and the running mean lets inputs of several classes in together, each of
which then keeps the unit active. The numbers here are a small setting of our own, not those of the paper.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import nS, second

CLASSES, LINES, UNITS = 5, 20, 30  # lines of input a class
PRESENT, ABSENT = 0.7, 0.1  # how often a line is active with its own class, and with another
SHOWN, DT, EPOCHS = 20, 0.05, 150  # patterns in an epoch of a second, one a step
THETA, NEW, SHED, LEARNING = 1.0, 0.1, 0.01, 0.02  # the first three in nS
TARGET = 2.0  # Hz: half of the rate at which each class comes
HAZARDS = (0.005, 0.01, 0.04, 0.32)  # of each absent synapse of a receptive unit, a second
SEEDS = tuple(range(1, 9))


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
