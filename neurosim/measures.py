"""Measures on recordings and results: responses to stimuli, label votes, paired comparisons."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit  # quantiles, normal and Student's t; scipy.stats takes a second to import

from neurosim.recording import Recording
from neurosim.stimuli import Presentations, whole_steps

SURVIVAL = [("age", "i8"), ("at_risk", "i8"), ("deaths", "i8"), ("fraction", "f8"), ("low", "f8"), ("high", "f8")]
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


def kaplan_meier(birth: np.ndarray, death: np.ndarray, end: int) -> np.ndarray:
    """Estimate which fraction survives to each age, from births and deaths in whole epochs (death -1: alive at `end`).

    Returns a structured array with one row for each age from 0: those at risk, deaths at that age, the surviving fraction
    (product-limit estimate, Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452, eq. 2b) and its 95 % interval (Greenwood's
    variance on the log-log scale, Kalbfleisch & Prentice 2002, doi:10.1002/9781118032985, section 1.4). Who was born at age 0 of the
    last epoch, or lives at the end, is censored.
    """
    birth, death = np.asarray(birth, dtype=np.int64), np.asarray(death, dtype=np.int64)
    lasted = np.where(death < 0, end, death) - birth
    rows = np.zeros(int(lasted.max(initial=0)) + 1, SURVIVAL)
    rows["age"] = np.arange(len(rows))
    rows["deaths"] = np.bincount(lasted[death >= 0], minlength=len(rows))
    rows["at_risk"] = np.bincount(lasted, minlength=len(rows))[::-1].cumsum()[::-1]
    risk, died = rows["at_risk"].astype(float), rows["deaths"].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows["fraction"] = np.cumprod(np.where(risk > 0, 1 - died / risk, 1.0))
        variance = np.cumsum(np.where(risk > died, died / (risk * (risk - died)), 0.0))
        spread = ndtri(0.975) * np.sqrt(variance) / np.abs(np.log(rows["fraction"]))
        for bound, sign in (("low", 1), ("high", -1)):
            inside = (rows["fraction"] > 0) & (rows["fraction"] < 1)
            rows[bound] = np.where(inside, rows["fraction"] ** np.exp(sign * spread), rows["fraction"])
    return rows


@dataclass(frozen=True)
class Comparison:
    """Hold a paired comparison: mean difference, 95 % interval, margin (None: none), effect size, number of pairs."""

    difference: float
    low: float
    high: float
    margin: float | None
    effect: float
    pairs: int

    @property
    def equivalent(self) -> bool:
        """Whether the 90 % interval, the two one-sided tests at 5 %, lies inside the margin."""
        half = (self.high - self.low) / 2
        if self.pairs < 2 or self.margin is None:
            return False
        narrow = half * stdtrit(self.pairs - 1, 0.95) / stdtrit(self.pairs - 1, 0.975)
        return abs(self.difference) + narrow < self.margin

    def __str__(self) -> str:
        power = "" if self.pairs >= POWERED else f"not powered ({self.pairs} of {POWERED} pairs)"
        interval = (
            f"95 % interval {self.low:+.3g} to {self.high:+.3g}, d = {self.effect:+.2f}" if self.pairs > 1 else "one pair has no interval"
        )
        verdict = "" if self.margin is None else f"margin {self.margin:g}: {'equivalent' if self.equivalent else 'equivalence not shown'}"
        return f"{self.difference:+.3g} ({interval})" + "".join(f"; {note}" for note in (verdict, power) if note)


def paired_comparison(first, second, margin: float | None = None) -> Comparison:
    """Compare paired results: first minus second, against a margin fixed beforehand if there is one.

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
    effect = mean / sd if sd > 1e-12 * abs(mean) else float("nan")  # not of differences that only rounding tells apart
    return Comparison(float(mean), float(mean - half), float(mean + half), margin, float(effect), pairs)
