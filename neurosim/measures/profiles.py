"""Dissimilarities of two spike trains that need no time scale: ISI-distance, SPIKE-distance, SPIKE-synchronization."""

import numpy as np

from neurosim.measures.trains import ROUNDING, spike_times
from neurosim.units import Quantity, second, to_si


def isi_distance(a: Quantity, b: Quantity, start: Quantity, stop: Quantity) -> float:
    """Return how much the current interspike intervals of two trains differ, relative to the longer, averaged over time.

    It is 0 for equal trains, below 1, and keeps the triangle inequality. An interval cut by an end is taken as no shorter than its
    neighbour; an empty train has one interval, from start to stop. Raises TypeError for a wrong dimension and ValueError for trains that
    are not sorted or not between `start` and `stop`. Kreuz et al. 2007, doi:10.1016/j.jneumeth.2007.05.031; the ends as in Kreuz,
    Mulansky & Bozanic 2015, doi:10.1152/jn.00848.2014.
    """
    one, other, edges = _extended(a, b, start, stop)
    isi_a, isi_b = (np.diff(train)[_current(train, edges)] for train in (one, other))
    return _mean(np.abs(isi_a - isi_b) / np.maximum(isi_a, isi_b), edges)


def spike_distance(a: Quantity, b: Quantity, start: Quantity, stop: Quantity) -> float:
    """Return the SPIKE-distance: how far the spikes around each moment are from the other train's nearest, relative to the intervals.

    It is 0 for equal trains. Before its first spike a train has the distance of that spike, after its last that of the last. Arguments,
    ends and errors as `isi_distance`. Kreuz et al. 2013, doi:10.1152/jn.00873.2012, the bivariate SPIKE-distance.
    """
    one, other, edges = _extended(a, b, start, stop)
    intervals, sides = [], []
    for train, partner in ((one, other), (other, one)):
        far = _nearest(train, partner)
        far[0], far[-1] = far[1], far[-2]
        now = _current(train, edges)
        before, after = train[now], train[now + 1]
        intervals.append(after - before)
        # at the left and at the right end of each stretch between two spikes of either train; in between it is a straight line
        sides.append([(far[now] * (after - t) + far[now + 1] * (t - before)) / intervals[-1] for t in (edges[:-1], edges[1:])])
    mean = (intervals[0] + intervals[1]) / 2
    left, right = ((a_side * intervals[1] + b_side * intervals[0]) / (2 * mean**2) for a_side, b_side in zip(*sides, strict=True))
    return _mean((left + right) / 2, edges)


def spike_synchronization(a: Quantity, b: Quantity, start: Quantity, stop: Quantity) -> float:
    """Return the share of the spikes of two trains that coincide, from 0 to 1; 1 for two empty trains.

    Two spikes coincide if they are closer than half of the shortest of the intervals around them (from start to stop where there is
    none). Arguments and errors as `isi_distance`. Kreuz, Mulansky & Bozanic 2015, doi:10.1152/jn.00848.2014, SPIKE-synchronization.
    """
    one, other, (begin, end) = _trains(a, b, start, stop)
    spikes = len(one) + len(other)
    if not len(one) or not len(other):
        return float(not spikes)
    windows = []
    for train in (one, other):
        gaps = np.concatenate([[end - begin], np.diff(train), [end - begin]])
        windows.append(np.minimum(gaps[:-1], gaps[1:]) / 2)
    right = np.searchsorted(other, one).clip(max=len(other) - 1)
    left = np.maximum(right - 1, 0)
    hits = [np.abs(one - other[near]) < np.minimum(windows[0], windows[1][near]) * (1 - ROUNDING) for near in (left, right)]
    return float(2 * np.sum(hits[0] | hits[1]) / spikes)


def _trains(a: Quantity, b: Quantity, start: Quantity, stop: Quantity) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    begin, end = to_si(start, second, "start"), to_si(stop, second, "stop")
    if not begin < end < np.inf:
        raise ValueError(f"the trains run from {start!s} to {stop!s}; give a stop after the start.")
    return spike_times(a, "a", begin, end), spike_times(b, "b", begin, end), (begin, end)


def _extended(a: Quantity, b: Quantity, start: Quantity, stop: Quantity) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both trains with an auxiliary spike before the start and one after the stop, and all times at which an interval may end."""
    one, other, (begin, end) = _trains(a, b, start, stop)
    edges = np.unique(np.concatenate([[begin], one, other, [end]]))
    longer = []
    for train in (one, other):
        train = train if len(train) else np.array([begin, end])
        first, last = (train[1] - train[0], train[-1] - train[-2]) if len(train) > 1 else (0.0, 0.0)
        longer.append(np.concatenate([[min(begin, train[0] - first)], train, [max(end, train[-1] + last)]]))
    return longer[0], longer[1], edges


def _current(train: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return which interval of a train each stretch between two edges lies in."""
    return np.searchsorted(train, edges[:-1], side="right") - 1


def _nearest(times: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return how far each time is from the nearest of the others."""
    right = np.searchsorted(others, times).clip(1, len(others) - 1)
    return np.minimum(np.abs(times - others[right - 1]), np.abs(others[right] - times))


def _mean(values: np.ndarray, edges: np.ndarray) -> float:
    return float(np.sum(values * np.diff(edges)) / (edges[-1] - edges[0]))
