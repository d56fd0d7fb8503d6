"""Dissimilarities of two spike trains that need no time scale: ISI-distance, SPIKE-distance, SPIKE-synchronization."""

import numpy as np

from neurosim.measures.trains import spike_times
from neurosim.units import Quantity, second, to_si


def isi_distance(a: Quantity, b: Quantity, start: Quantity, stop: Quantity) -> float:
    """Return how much the current interspike intervals of two trains differ, from 0 (equal) to below 1, averaged over time.

    An interval cut by an end is taken as no shorter than its neighbour; an empty train is one interval from start to stop. A metric.
    Raises TypeError for a wrong dimension and ValueError for trains that are not sorted or not between `start` and `stop`. Kreuz et al.
    2007, doi:10.1016/j.jneumeth.2007.05.031; the ends as in Kreuz et al. 2015, doi:10.1152/jn.00848.2014.
    """
    one, other, edges = _trains(a, b, start, stop)
    isi_a, isi_b = (np.diff(train)[_current(train, edges)] for train in (one, other))
    return _mean(np.abs(isi_a - isi_b) / np.maximum(isi_a, isi_b), edges)


def spike_distance(a: Quantity, b: Quantity, start: Quantity, stop: Quantity) -> float:
    """Return the SPIKE-distance: how far each spike is from the other train's nearest, relative to the current intervals, over time.

    It is 0 for equal trains. Before the first and after the last spike the distance of that spike counts. Arguments, ends and errors as
    `isi_distance`. Kreuz et al. 2013, doi:10.1152/jn.00873.2012, eqs. 14-19.
    """
    one, other, edges = _trains(a, b, start, stop)
    isi, left, right = [], [], []
    for train, partner in ((one, other), (other, one)):
        nearest = _nearest(train, partner)
        inside = (train >= edges[0]) & (train <= edges[-1])
        if not inside[0]:
            nearest[0] = nearest[1]
        if not inside[-1]:
            nearest[-1] = nearest[-2]
        now = _current(train, edges)
        isi.append(train[now + 1] - train[now])
        for side, times in ((left, edges[:-1]), (right, edges[1:])):
            side.append((nearest[now] * (train[now + 1] - times) + nearest[now + 1] * (times - train[now])) / isi[-1])
    mean = (isi[0] + isi[1]) / 2
    ends = [(side[0] * isi[1] + side[1] * isi[0]) / (2 * mean**2) for side in (left, right)]
    return _mean((ends[0] + ends[1]) / 2, edges)
