"""Spikes made by hand: Poisson trains, and recordings of chosen spikes."""

import numpy as np

from neurosim.recording import PartRecording, Recording, SpikeTrains


def poisson(rng, rate, duration):
    """The spike times of a Poisson process, in order."""
    return np.sort(rng.uniform(0, duration, rng.poisson(rate * duration)))


def recording_of(spikes, start, stop, ids=(0, 1, 2, 5)):
    """A recording of exc from one time step to another, with (step, id) spikes; a step is 0.1 ms."""
    step, cell = np.array(spikes, dtype=np.int64).reshape(-1, 2).T
    ids = np.array(ids)
    counts = np.array([(cell == one).sum() for one in ids])
    part = PartRecording("exc", (stop - start) * 1e-4, ids, counts, SpikeTrains(cell, step, 1e-4))
    return Recording({"exc": part}, start, stop, 1e-4)
