"""Where synapses can grow: places for synapses that are not taken, chosen evenly or in proportion to a likelihood.

Each pair of cells has as many places as it may have synapses; those that it has take the first. So a place is a pair and a number
below `contacts`. A likelihood is a function of the rows (pre, post) of cells with values from 0 to a known top.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from neurosim.table import among, distinct, over_ids

ENUMERATED = 4_000_000  # places up to which all are marked as taken or not, or looked at in one go; of more, some are tried out


def absent_pairs(
    shape: tuple[int, int], pre, post, same: bool, chance: float | None, rng, count: int | None = None, contacts: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Choose each place that no synapse takes with one chance, or `count` of them; return their (pre, post) rows, sorted.

    `shape` is the number of pre- and postsynaptic cells, `pre` and `post` the rows that synapses join.
    """
    n_pre, n_post = shape
    total = n_pre * n_post * contacts
    own = np.arange(n_pre) * (n_post + 1) if same else np.empty(0, np.int64)
    joined = taken_places(pre * n_post + post, own, contacts)
    marked = total <= ENUMERATED
    taken = over_ids(total, joined, True, False) if marked else distinct(joined)
    free = total - (np.count_nonzero(taken) if marked else len(taken))
    count = rng.binomial(free, chance) if count is None else min(count, free)
    if marked or count > free // 2:
        numbers = rng.choice(free, size=count, replace=False)
        chosen = _unmarked(taken, numbers) if marked else numbers + np.searchsorted(taken - np.arange(len(taken)), numbers, side="right")
    else:
        chosen = _tried(total, taken, count, rng)
    return np.divmod(np.sort(chosen) // contacts, n_post)


def taken_places(joined: np.ndarray, own: np.ndarray, contacts: int) -> np.ndarray:
    """Return the places taken by synapses between pairs of the numbers `joined`; those of the pairs `own` are all taken."""
    if contacts == 1:
        return np.concatenate([joined, own])
    joined = np.sort(joined, kind="stable")
    rank = ranks(joined)
    return np.concatenate([(joined * contacts + rank)[rank < contacts], (own[:, None] * contacts + np.arange(contacts)).ravel()])


def ranks(ascending: np.ndarray) -> np.ndarray:
    """Return which of its equals each of some sorted numbers is: 0 for the first."""
    places = np.arange(len(ascending))
    first = np.ones(len(ascending), dtype=bool)
    first[1:] = ascending[1:] != ascending[:-1]
    return places - np.maximum.accumulate(np.where(first, places, 0))


def _unmarked(mask: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the places of the false of a mask that have these numbers; they are counted byte by byte, then within one."""
    packed = np.packbits(mask)
    there = 8 - np.bitwise_count(packed)
    passed = np.cumsum(there, dtype=np.int64)
    byte = np.searchsorted(passed, numbers, side="right")
    left = numbers - (passed[byte] - there[byte])
    within = np.cumsum(np.unpackbits(packed[byte, None], axis=1) == 0, axis=1, dtype=np.int8)
    return 8 * byte + np.argmax(within > left[:, None], axis=1)


def _tried(total: int, taken: np.ndarray, count: int, rng) -> np.ndarray:
    """Draw numbers below a total until there are so many different ones that are not taken."""
    chosen = np.empty(0, dtype=np.int64)
    while len(chosen) < count:
        tried = rng.integers(total, size=2 * (count - len(chosen)) + 16)
        # Keep the order of drawing, so that cutting the surplus favours no pair.
        joined = np.concatenate([chosen, tried[~among(tried, taken)]])
        _, where = np.unique(joined, return_index=True)
        chosen = joined[np.sort(where)][:count]
    return chosen


@dataclass(frozen=True, eq=False)
class Places:
    """Number the places of a projection by target, source and contact, in groups of one size: one a target, or all in one.

    `taken` are the places that synapses take, ascending; `likelihood` gives values up to `top` (None: all alike).
    """

    sources: int
    contacts: int
    size: int
    taken: np.ndarray
    likelihood: Callable | None
    top: float

    def pairs(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of the cells of places."""
        post, pre = np.divmod(places // self.contacts, self.sources)
        return pre, post

    def draw(self, need: np.ndarray, rng) -> np.ndarray:
        """Draw so many different free places of each group, one after the other in proportion to their likelihood.

        Places are tried out and, of groups for which this would take longer than to look at all places, the rest is taken from all.
        Where fewer are possible, all of them come. The order is any.
        """
        chosen, effort, tried = np.empty(0, np.int64), 2, 0
        while len(pending := np.flatnonzero(left := self._left(need, chosen))):
            size = min(effort * left.sum(), max(ENUMERATED, left.sum()))
            tried += size
            if tried > len(pending) * self.size:
                return np.concatenate([chosen, self._of_all(left, chosen, rng)])
            chosen = _first_of_groups(np.concatenate([chosen, self._tried(left, size, rng)]), self.size, need)
            effort *= 2
        return chosen

    def _left(self, need: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        return need - np.bincount(chosen // self.size, minlength=len(need)) if self.top > 0 and self.size else np.zeros_like(need)

    def _tried(self, left: np.ndarray, size: int, rng) -> np.ndarray:
        """Try places of the groups that lack some, and return those that are free and, by chance, likely enough."""
        groups = np.repeat(np.arange(len(left)), left)
        places = np.tile(groups, size // len(groups)) * self.size + rng.integers(self.size, size=size // len(groups) * len(groups))
        fits = ~among(places, self.taken)
        if self.likelihood is not None:
            places = places[fits]
            fits = rng.random(len(places)) * self.top < self.likelihood(*self.pairs(places))
        return places[fits]

    def _of_all(self, left: np.ndarray, chosen: np.ndarray, rng) -> np.ndarray:
        """Look at all places of the groups that lack some, a block at a time."""
        pending, taken = np.flatnonzero(left), np.sort(np.concatenate([self.taken, chosen]))
        rows, width = max(1, ENUMERATED // self.size), min(self.size, ENUMERATED)
        found, waits = [np.empty(0, np.int64)], [np.empty(0)]
        for start in range(0, len(pending), rows):
            for column in range(0, self.size, width):
                groups = pending[start : start + rows]
                places = groups[:, None] * self.size + np.arange(column, min(column + width, self.size))
                wait = self._waits(places.ravel(), taken, rng).reshape(places.shape)
                most = min(left[groups].max(), places.shape[1])
                if most < places.shape[1]:
                    best = np.argpartition(wait, most - 1, axis=1)[:, :most]
                    places, wait = (np.take_along_axis(values, best, axis=1) for values in (places, wait))
                found.append(places[np.isfinite(wait)])
                waits.append(wait[np.isfinite(wait)])
        places = np.concatenate(found)
        return _first_of_groups(places[np.argsort(np.concatenate(waits), kind="stable")], self.size, left)

    def _waits(self, places: np.ndarray, taken: np.ndarray, rng) -> np.ndarray:
        """Return how long each place has to wait for its turn: exponential times, of rates in proportion to the likelihood."""
        wait = np.full(len(places), np.inf)
        free = ~among(places, taken)
        wait[free] = waiting(None if self.likelihood is None else self.likelihood(*self.pairs(places[free])), np.count_nonzero(free), rng)
        return wait


def waiting(likelihood: np.ndarray | None, size: int, rng) -> np.ndarray:
    """Return exponential waiting times, by whose order things are drawn one after the other in proportion to a likelihood.

    Infinite for what cannot be. Efraimidis & Spirakis 2006, doi:10.1016/j.ipl.2005.11.003.
    """
    times = rng.standard_exponential(size)
    if likelihood is None:
        return times
    return np.divide(times, likelihood, out=np.full(size, np.inf), where=likelihood > 0)


def _first_of_groups(places: np.ndarray, size: int, need: np.ndarray) -> np.ndarray:
    """Return the first different places of each group, as many as it needs, group by group."""
    _, where = np.unique(places, return_index=True)
    places = places[np.sort(where)]
    places = places[np.argsort(places // size, kind="stable")]
    groups = places // size
    return places[ranks(groups) < need[groups]]
