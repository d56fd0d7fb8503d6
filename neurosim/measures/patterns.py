"""Firing patterns: the class of the response to a step current, from its interspike intervals."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurosim.measures.trains import spike_times
from neurosim.units import Quantity, quantity, second, to_si

LONGEST_IN_BURST = 0.5  # of the shortest interval between bursts
ADAPTED = 1.25  # last interval / first one; accelerating below its inverse
DELAYED = 0.75  # latency / first interval that is not within a burst
UNSTEADY = 0.25  # CV of the later half of the intervals
STOPPED = 0.5  # of the step, silent at its end
UNLIKE = 3.0  # silence at the end / longest interval
FEWEST = 4  # spikes, below which there is no pattern


@dataclass(frozen=True)
class FiringPattern:
    """Hold the class of a response, one of `neurosim.models.protocols.PATTERNS`, and what it was told from.

    `adaptation` is the last interspike interval over the first, `bursts` the number of bursts, `cv` the coefficient of variation of the
    later half of the intervals that are not within bursts, `silence` the time from the last spike to the end of the step. `latency`,
    `silence` and `adaptation` are NaN, and `cv` is 0, where there are too few spikes.
    """

    name: str
    spike_count: int
    latency: Quantity
    adaptation: float
    bursts: int
    cv: float
    silence: Quantity


def firing_pattern(times: Quantity, onset: Quantity, offset: Quantity) -> FiringPattern:
    """Classify the response to a step current that lasts from onset to offset; other spikes are left out.

    In this order: "silent", no spike; "transient", silent for the last half of the step and for more than 3 times the longest interval;
    "undetermined", fewer than 4 spikes. Intervals are within bursts where sorting all of them leaves a gap of a factor of 2 or more: those
    below the widest gap. "irregular": the other intervals are not steady (CV of their later half 0.25 or more). "initial burst": only
    the first spikes are a burst. "regular bursting": there are several bursts, with at least half of the spikes; "delayed regular
    bursting": and the latency is at least 0.75 times the first interval between bursts. "irregular": any other bursts. Without bursts,
    by the last interval over the first: "adapting" above 1.25; below 1/1.25 "accelerating", or "delayed accelerating" where the latency
    is at least 0.75 times the first interval; "tonic" between them. The classes are those of Naud et al. 2008
    (doi:10.1007/s00422-008-0264-7, fig. 4 to 8), the numbers our own. Raises TypeError for a wrong dimension and ValueError for times out
    of order or an offset that is not after the onset.
    """
    start, stop = to_si(onset, second, "onset"), to_si(offset, second, "offset")
    if not start < stop:
        raise ValueError(f"the offset is {offset!s}, not after the onset at {onset!s}; give the ends of the step.")
    spikes = spike_times(times, "the cell")
    spikes = spikes[(spikes >= start) & (spikes < stop)]
    intervals = np.diff(spikes)
    within = _within_bursts(intervals)
    latency, silence = (spikes[0] - start, stop - spikes[-1]) if len(spikes) else (np.nan, np.nan)
    numbers = {
        "spike_count": len(spikes),
        "latency": latency,
        "adaptation": float(intervals[-1] / intervals[0]) if len(intervals) else np.nan,
        "bursts": int(np.count_nonzero(np.diff(within.astype(int), prepend=0) == 1)),
        "cv": _late_variation(intervals[~within]),
        "silence": silence,
    }
    name = _name(intervals, within, stop - start, numbers)
    return FiringPattern(name, **{**numbers, "latency": quantity(latency, second.dim), "silence": quantity(silence, second.dim)})


def _within_bursts(intervals: np.ndarray) -> np.ndarray:
    """Tell which intervals are within bursts: those below the widest gap between sorted intervals, if it is wide enough."""
    ascending = np.sort(intervals)
    gaps = ascending[1:] / ascending[:-1]
    if not len(gaps) or gaps.max() * LONGEST_IN_BURST < 1:
        return np.zeros(len(intervals), dtype=bool)
    return intervals <= ascending[gaps.argmax()]


def _late_variation(intervals: np.ndarray) -> float:
    late = intervals[len(intervals) // 2 :]
    return float(late.std() / late.mean()) if len(late) > 1 else 0.0


def _name(intervals: np.ndarray, within: np.ndarray, length: float, numbers: Mapping[str, float]) -> str:
    if not numbers["spike_count"]:
        return "silent"
    if numbers["silence"] >= STOPPED * length and numbers["silence"] > UNLIKE * intervals.max(initial=0):
        return "transient"
    if numbers["spike_count"] < FEWEST:
        return "undetermined"
    if numbers["cv"] >= UNSTEADY:
        return "irregular"
    delayed = numbers["latency"] >= DELAYED * intervals[~within][0]
    if numbers["bursts"] == 1 and within[0]:
        return "initial burst"
    if numbers["bursts"]:
        most = np.count_nonzero(within) + numbers["bursts"] >= numbers["spike_count"] / 2
        return ("delayed regular bursting" if delayed else "regular bursting") if most and numbers["bursts"] > 1 else "irregular"
    if numbers["adaptation"] > ADAPTED:
        return "adapting"
    if numbers["adaptation"] < 1 / ADAPTED:
        return "delayed accelerating" if delayed else "accelerating"
    return "tonic"
