"""Draw random numbers that depend only on a key, a permanent id and a time step.

A counter-based generator has no state: the number of one cell at one step is a function of its arguments, so that removing, adding
or renumbering cells changes nobody else's noise. The generator is Philox4x32-10 of Salmon, Moraes, Dror and Shaw (2011), Parallel
random numbers: as easy as 1, 2, 3, SC'11, doi:10.1145/2063384.2063405. `neurosim/backends/philox.h` holds the same functions in C++.
"""

import hashlib
import operator

import numpy as np

LARGEST_POISSON_MEAN = 700.0  # exp(-mean) leaves the range of normal doubles at 708

_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)  # Salmon et al. (2011), Random123 constants of Philox4x32
_KEY_STEPS = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_ROUNDS = 10
_NEGLIGIBLE = 1e-17  # a term below this no longer changes a cumulative probability near 1


def stream_key(seed, name):
    """Return the 64-bit key of the random stream `name` under `seed`.

    `seed` is a non-negative integer, `name` a string; other types raise TypeError, a negative seed ValueError.
    """
    if isinstance(seed, bool | np.bool_):
        raise TypeError(f"seed is {seed!r}, but it needs to be a non-negative integer; give for example seed=1")
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"seed is {seed!r}, but it needs to be a non-negative integer; give for example seed=1") from None
    if number < 0:
        raise ValueError(f"seed is {number}, but it needs to be a non-negative integer; give for example seed=1")
    if not isinstance(name, str):
        raise TypeError(f"the name of a random stream is {name!r}, but it needs to be a string; give for example 'input'")
    digest = hashlib.blake2b(f"{number}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def generator(seed, name):
    """Return a NumPy generator for the stream `name` under `seed`, for rules and set-up."""
    return np.random.Generator(np.random.Philox(key=stream_key(seed, name)))


def philox(key, a, b):
    """Return the two 64-bit outputs of Philox4x32-10 for the counters (a, b).

    `key`, `a` and `b` are integers or integer arrays that broadcast; the counter words are (a low, a high, b low, b high), the key
    words (key low, key high). Negative integers count as their two's complement.
    """
    first_key, second_key = _halves(key)
    a_low, a_high = _halves(a)
    b_low, b_high = _halves(b)
    for _ in range(_ROUNDS):
        first = _MULTIPLIERS[0] * a_low
        second = _MULTIPLIERS[1] * b_low
        a_low, a_high, b_low, b_high = (
            (second >> _HALF) ^ a_high ^ first_key,
            second & _LOW_HALF,
            (first >> _HALF) ^ b_high ^ second_key,
            first & _LOW_HALF,
        )
        first_key = (first_key + _KEY_STEPS[0]) & _LOW_HALF
        second_key = (second_key + _KEY_STEPS[1]) & _LOW_HALF
    return a_low | (a_high << _HALF), b_low | (b_high << _HALF)


def uniform(key, ids, step):
    """Return uniform numbers in [0, 1) with 53 random bits, one for each id and time step.

    `key`, `ids` and `step` are integers or integer arrays that broadcast to the shape of the result.
    """
    return _unit_interval(philox(key, ids, step)[0])


def normal(key, ids, step):
    """Return standard normal numbers, one for each id and time step.

    Arguments and shapes as in `uniform`. Box and Muller (1958), A note on the generation of random normal deviates, Annals of
    Mathematical Statistics 29:610-611, doi:10.1214/aoms/1177706645.
    """
    first, second = philox(key, ids, step)
    radius = np.sqrt(-2.0 * np.log(1.0 - _unit_interval(first)))
    return radius * np.cos(2.0 * np.pi * _unit_interval(second))


def poisson(key, ids, step, mean, exp_minus_mean):
    """Return Poisson counts as int64, one for each id and time step, by inversion of the distribution.

    `mean` and `exp_minus_mean` (exp(-mean), given by the caller so that every backend uses the same double) are numbers or arrays
    that broadcast with the ids. A mean below 0 or above LARGEST_POISSON_MEAN raises ValueError.
    """
    means = np.asarray(mean, dtype=np.float64)
    good = (means >= 0) & (means <= LARGEST_POISSON_MEAN)
    if not good.all():
        raise ValueError(
            f"the mean of a Poisson draw is {means[~good].flat[0]}, but it needs to lie between 0 and {LARGEST_POISSON_MEAN:g}; "
            "lower the rate, the number of sources or dt"
        )
    draws, means, terms = np.broadcast_arrays(uniform(key, ids, step), means, np.asarray(exp_minus_mean, dtype=np.float64))
    shape = draws.shape
    draws, means, terms = draws.ravel(), means.ravel(), terms.flatten()
    counts = np.zeros(draws.size, dtype=np.int64)
    cumulative = terms.copy()
    count = 0
    # The order of the operations is that of philox.h, so that both give the same counts.
    active = np.flatnonzero(draws >= cumulative)
    while active.size:
        active = active[(count < means[active]) | (terms[active] > _NEGLIGIBLE)]
        count += 1
        terms[active] *= means[active] / count
        cumulative[active] += terms[active]
        counts[active] = count
        active = active[draws[active] >= cumulative[active]]
    return counts.reshape(shape)


def _halves(value):
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"a key, id or time step has the type {array.dtype}, but it needs to be an integer; convert it with astype(int)")
    words = array.astype(np.uint64, copy=False)
    return words & _LOW_HALF, words >> _HALF


def _unit_interval(words):
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
