"""How synaptic elements are lost and paired at one boundary: which synapses break, and which cells become joined."""

import numpy as np

from neurosim.events import Events
from neurosim.lifecycle.elements import Elements
from neurosim.lifecycle.vacancies import ranks
from neurosim.table import among, distinct, over_ids


class Wires:
    """Hold what is left of the synapses while a boundary is worked out; lives for one call of a rule."""

    def __init__(self, circuit):
        self.circuit = circuit
        self.left: dict[str, np.ndarray] = {}  # of the projections that have lost synapses

    def vacant(self, pool: Elements) -> np.ndarray:
        """Return how many whole elements of each cell are bound by nothing."""
        return np.maximum(self._whole(pool) - pool.bound(self.circuit, self.left), 0)

    def prune(self, pool: Elements, rng) -> Events:
        """Take away synapses of the cells that have more of them than elements of a pool, chosen at random, and return their unlinking."""
        events, population = Events(), self.circuit[pool.population]
        whole, bound = self._whole(pool), pool.bound(self.circuit, self.left)
        short = np.flatnonzero(bound > whole)
        if not len(short):
            return events
        surplus = over_ids(len(population.parents), population.ids[short], (bound - whole)[short], 0)
        found = {name: self._some(name, surplus[self.circuit[name].synapses[pool.end]] > 0) for name in pool.projections}
        cells = [self.circuit[name].synapses[pool.end][rows] for name, rows in found.items()]
        drawn = np.split(_drawn(np.concatenate(cells), surplus, rng), np.cumsum([len(rows) for rows in found.values()])[:-1])
        for (name, rows), lost in zip(found.items(), drawn, strict=True):
            projection, gone = self.circuit[name], rows[lost]
            self.left.setdefault(name, np.ones(len(projection), dtype=bool))[gone] = False
            cell = population.rows(projection.synapses[pool.end][gone])
            events += Events.unlink(name, projection.ids[gone], value=whole[cell], threshold=bound[cell])
        return events

    def within(self, name: str, pre: np.ndarray, post: np.ndarray, contacts: int) -> np.ndarray:
        """Tell which of some new synapses (ids of their cells) leave no pair of cells with more than so many contacts."""
        projection = self.circuit[name]
        cells = len(self.circuit[projection.target].parents)
        rows = self._some(name, np.ones(len(projection), dtype=bool))
        old, new = projection.synapses["pre"][rows] * cells + projection.synapses["post"][rows], pre * cells + post
        order = np.argsort(new, kind="stable")
        keys = new[order]
        old = np.sort(old[among(old, distinct(keys))])
        count = np.searchsorted(old, keys, "right") - np.searchsorted(old, keys, "left")
        allowed = np.empty(len(new), dtype=bool)
        allowed[order] = count + ranks(keys) < contacts
        return allowed

    def _whole(self, pool: Elements) -> np.ndarray:
        return np.floor(self.circuit[pool.population].cells[pool.name]).astype(np.int64)

    def _some(self, name: str, mask: np.ndarray) -> np.ndarray:
        return np.flatnonzero(mask & self.left[name] if name in self.left else mask)


def paired(
    axonal: list[np.ndarray], dendritic: list[np.ndarray], rng
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Pair vacant elements of several pools at random, as many as there are on the scarcer side.

    `axonal` and `dendritic` hold for each pool how many each cell has. Returns the (pool, row) of each pair on either side.
    """
    sides = []
    for pools in (axonal, dendritic):
        row = np.concatenate([np.repeat(np.arange(len(count)), count) for count in pools])
        sides.append((np.repeat(np.arange(len(pools)), [count.sum() for count in pools]), row))
    pairs = min(len(row) for _, row in sides)
    # The other side is in random order, so that the scarcer one may stay in its own.
    orders = [np.arange(pairs) if len(row) == pairs else rng.permutation(len(row))[:pairs] for _, row in sides]
    if len(sides[0][1]) == len(sides[1][1]):
        orders[1] = rng.permutation(pairs)
    return tuple((pool[order], row[order]) for (pool, row), order in zip(sides, orders, strict=True))


def _drawn(cells: np.ndarray, surplus: np.ndarray, rng) -> np.ndarray:
    """Draw for each cell as many of the synapses in which it stands as its surplus says."""
    order = np.lexsort((rng.random(len(cells)), cells))
    drawn = np.empty(len(cells), dtype=bool)
    drawn[order] = ranks(cells[order]) < surplus[cells[order]]
    return drawn
