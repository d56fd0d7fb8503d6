"""Offer the divided difference of exp at three points to Brian2 as a function, `exp_difference(a, b, c)`.

It is the sum of exp(x_i) / prod(x_i - x_j), and its limit where points meet: what one variable of a linear system does to another through
a third. Points that lie far apart are worked out by the recurrence, close ones by a series, as in McCurdy, Ng & Parlett (1984, Math Comp
43:501-528).
"""

from importlib import resources

import numpy as np
from scipy.special import exprel

from neurosim.backends.noise import brian_function

DIFFERENCE_SOURCE = resources.files("neurosim.backends").joinpath("exp_difference.h").read_text(encoding="utf-8")
NEAR = 1.0  # points as close as this are worked out by a series, which then ends after so many terms
TERMS = 20


def _exp_difference(a, b, c):
    low, middle, high = np.sort(np.broadcast_arrays(a, b, c), axis=0)
    close = high - low <= NEAR
    apart = np.where(close, 1.0, high - low)
    far = (np.exp(high) * exprel(middle - high) - np.exp(middle) * exprel(low - middle)) / apart
    return np.where(close, _series(low, middle, high), far)


def _series(a, b, c):
    """Sum complete homogeneous symmetric polynomials of the distances from the mean, over (k + 2)!."""
    mean = (a + b + c) / 3
    one = two = three = np.ones(np.shape(mean))
    factorial, total = 2.0, 0.5
    for k in range(1, TERMS):
        one = one * (a - mean)
        two = one + (b - mean) * two
        three = two + (c - mean) * three
        factorial *= k + 2
        total = total + three / factorial
    return np.exp(mean) * total


exp_difference = brian_function(_exp_difference, "exp_difference", 3, DIFFERENCE_SOURCE)
