"""Measures on recordings and results: responses to stimuli, label votes, paired comparisons."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # quantiles of Student's t; scipy.stats takes a second to import

from neurosim.recording import Recording
from neurosim.stimuli import Presentations, whole_steps

POWERED = 10  # pairs below which a comparison is called not powered


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


@dataclass(frozen=True)
class Comparison:
    """Hold a paired comparison: mean difference, 95 % interval, margin, effect size, and whether it is powered."""

    difference: float
    low: float
    high: float
    margin: float
    effect: float
    pairs: int

    @property
    def equivalent(self) -> bool:
        """Whether the 90 % interval, the two one-sided tests at 5 %, lies inside the margin."""
        half = (self.high - self.low) / 2
        if self.pairs < 2:
            return False
        narrow = half * stdtrit(self.pairs - 1, 0.95) / stdtrit(self.pairs - 1, 0.975)
        return abs(self.difference) + narrow < self.margin

    def __str__(self) -> str:
        power = "" if self.pairs >= POWERED else f"; not powered ({self.pairs} of {POWERED} pairs)"
        verdict = "equivalent" if self.equivalent else "equivalence not shown"
        interval = f"95 % interval {self.low:+.3f} to {self.high:+.3f}" if self.pairs > 1 else "one pair has no interval"
        return f"{self.difference:+.3f} ({interval}), margin {self.margin:g}: {verdict}{power}"


def paired_comparison(first, second, margin: float) -> Comparison:
    """Compare paired results: first minus second, against a margin fixed beforehand.

    The interval is Student's t on the differences, the effect size Cohen's d of them; equivalence is shown by two
    one-sided tests at 5 % (Schuirmann 1987, doi:10.1007/BF01068419). Raises ValueError for unpaired results.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"results of shape {first.shape} and {second.shape} are not paired; give one of each for every seed")
    differences = first - second
    pairs = len(differences)
    if pairs == 1:
        return Comparison(float(differences[0]), float("nan"), float("nan"), margin, float("nan"), 1)
    sd = differences.std(ddof=1)
    half = stdtrit(pairs - 1, 0.975) * sd / np.sqrt(pairs)
    mean = differences.mean()
    effect = mean / sd if sd > 0 else float("nan")
    return Comparison(float(mean), float(mean - half), float(mean + half), margin, float(effect), pairs)
