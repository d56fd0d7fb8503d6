"""A small circuit, recordings made by hand and short lives, for the tests of rules and histories."""

from dataclasses import dataclass

import numpy as np

import neurosim as ns
from neurosim.recording import PartRecording, Recording
from neurosim.units import Hz, ms, nS

NUMPY = ns.Brian2(target="numpy")


def circuit(size=8, seed=1):
    source, exc = ns.create("source", "spike_source", 2), ns.create("exc", "leaky_conductance", size)
    loop = ns.connect(
        exc, exc, "static", ns.FixedProbability(0.3), receptor="g_exc", weight=ns.Uniform(1 * nS, 2 * nS), delay=1 * ms, seed=3
    ).replace(name="loop")
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS).replace(name="into")
    return ns.Circuit([source, exc], [loop, into], seed=seed)


def recorded(now, counts, duration=0.1):
    """A recording in which the cells of exc spiked so often."""
    part = PartRecording("exc", duration, now["exc"].ids, np.asarray(counts))
    return Recording({"exc": part}, 0, round(duration / 1e-4), 1e-4)


def rng(seed=0):
    return np.random.default_rng(seed)


NOISE = [ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=5 * nS)]


def develop(now, *phases, epoch=4 * ms, **others):
    life = ns.Lifecycle(epoch=epoch, phases=list(phases))
    return ns.develop(now, life, **{"inputs": NOISE, "backend": NUMPY, "progress": False, **others})


@dataclass(frozen=True)
class Oldest:
    """Select the cells of the lowest id."""

    def __call__(self, circuit, recording, name):
        ids = circuit[name].ids[:1]
        return ns.Selected(ids, ids.astype(float), np.full(len(ids), np.nan), ordered=True)
