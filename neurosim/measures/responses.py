"""Responses of cells to stimuli, and the votes of labelled cells."""

import numpy as np

from neurosim.recording import Recording
from neurosim.stimuli import Presentations
from neurosim.units import whole_steps


def responses(recording: Recording, population: str, presentations: Presentations) -> np.ndarray:
    """Count the spikes of each cell during each stimulus.

    Returns whole numbers of shape (stimuli, cells), cells in the order of ``recording[population].ids``. Raises
    ValueError where the recording does not cover all stimuli.
    """
    part, dt = recording[population], recording.dt_si
    length = whole_steps(presentations.duration, dt, "duration of the presentations")
    begin = whole_steps(presentations.start, dt, "start of the presentations")
    stimuli = len(presentations.rates)
    if begin < recording.start_step or begin + length * stimuli > recording.stop_step:
        raise ValueError(
            f"the recording runs from {recording.start} to {recording.stop}, but the stimuli from {begin * dt:g} to "
            f"{(begin + length * stimuli) * dt:g} s; record them all"
        )
    spikes = part.spikes
    stimulus = (spikes.step - begin) // length
    inside = (stimulus >= 0) & (stimulus < stimuli)
    cell = np.searchsorted(part.ids, spikes.id[inside])
    counts = np.zeros((stimuli, len(part.ids)), dtype=np.int64)
    np.add.at(counts, (stimulus[inside], cell), 1)
    return counts


def assign_labels(counts: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Give each cell the label to which it responds most on average; -1 for a cell that never responds."""
    classes = np.unique(labels)
    means = np.stack([counts[labels == label].mean(axis=0) for label in classes])
    return np.where(means.max(axis=0) > 0, classes[means.argmax(axis=0)], -1)


def vote(counts: np.ndarray, cell_labels: np.ndarray) -> np.ndarray:
    """Predict for each stimulus the label whose cells respond most on average; -1 for a stimulus without any response."""
    classes = np.unique(cell_labels[cell_labels >= 0])
    if not len(classes):
        return np.full(len(counts), -1)
    means = np.stack([counts[:, cell_labels == label].mean(axis=1) for label in classes], axis=1)
    return np.where(means.max(axis=1) > 0, classes[means.argmax(axis=1)], -1)
