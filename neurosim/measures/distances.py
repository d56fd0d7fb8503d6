"""Distances between two spike trains that count spikes: Victor & Purpura's and van Rossum's."""

import numpy as np

from neurosim.measures.trains import positive, spike_times
from neurosim.units import Hz, Quantity, second, to_si


def victor_purpura(a: Quantity, b: Quantity, cost: Quantity) -> float:
    """Return the least cost of turning one spike train into the other.

    Adding or removing a spike costs 1 and moving it costs `cost` (1/time, 0 or above) times how far. A metric. Raises TypeError for a
    wrong dimension and ValueError for trains that are not sorted and for a negative cost. Victor & Purpura 1996,
    doi:10.1152/jn.1996.76.2.1310, metric D^spike.
    """
    per_second = to_si(cost, Hz, "cost")
    if np.ndim(per_second) or not 0 <= per_second < np.inf:
        raise ValueError(f"cost is {cost!s}; give one value of 0 Hz or above.")
    long, short = sorted((spike_times(a, "a"), spike_times(b, "b")), key=len, reverse=True)
    number = np.arange(len(long) + 1)
    least = number.astype(float)  # for the first spikes of `long` and none of `short`
    for time in short:
        best = least + 1
        best[1:] = np.minimum(best[1:], least[:-1] + per_second * np.abs(long - time))
        least = np.minimum.accumulate(best - number) + number  # a spike of `long` that is added costs 1 more than the one before
    return float(least[-1])


def van_rossum(a: Quantity, b: Quantity, tau: Quantity) -> float:
    """Return the Euclidean distance of two spike trains whose spikes are each an exponential of time constant `tau`.

    Its square is 2/tau times the integral of the squared difference, so that one spike against none is 1, which is sqrt(2) times the
    distance of van Rossum 2001 (doi:10.1162/089976601300014321). A metric. Raises TypeError for a wrong dimension and ValueError for
    trains that are not sorted and for a time constant that is not above zero.
    """
    constant = positive(tau, second, "tau")
    first, other = spike_times(a, "a"), spike_times(b, "b")
    times, place = np.unique(np.concatenate([first, other]), return_inverse=True)
    charge = np.bincount(place, weights=np.repeat([1.0, -1.0], [len(first), len(other)]), minlength=len(times))
    gaps = np.append(np.diff(times), np.inf) / constant
    decay = np.exp(-gaps)
    difference = np.empty(len(times))
    last = 0.0
    for k in range(len(times)):  # each value needs the one before
        difference[k] = last + charge[k]
        last = difference[k] * decay[k]
    return float(np.sqrt(np.sum(difference**2 * -np.expm1(-2 * gaps))))
