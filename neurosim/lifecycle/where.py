"""Where: between which cells synapses grow, by distance, by correlation of activity, or between permitted pairs only.

Each gives pairs of cells a likelihood from 0 to 1; one's own is any object with ``likelihood(circuit, recording, projection)``,
which returns a function of the rows of pre- and postsynaptic cells.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from neurosim.conduction import check_placed, distances
from neurosim.lifecycle.vacancies import ENUMERATED
from neurosim.table import distinct, over_ids
from neurosim.units import Quantity, metre, quantity, second, to_si
from neurosim.wiring import DistanceKernel, Pairs


@dataclass(frozen=True)
class Correlated:
    """Let synapses grow between cells that are active together, however far apart they are.

    The likelihood is max(0, r)**power, where r is Pearson's correlation of the spike counts of both cells in windows of the last
    epoch (a last window that is not whole is left out; 0 for a cell whose counts are all the same). Raises ValueError for a window
    or power that is not above 0, and at a boundary where the epoch has not two windows.
    """

    window: Quantity
    power: float = 1.0

    def __post_init__(self):
        if not 0 < to_si(self.window, second, "window of Correlated") < np.inf:
            raise ValueError(f"window of Correlated is {self.window}; give a time above 0")
        if not 0 < self.power < np.inf:
            raise ValueError(f"power of Correlated is {self.power!r}; give a number above 0")

    def check_epoch(self, epoch: Quantity) -> None:
        """Raise ValueError for an epoch that has not two windows."""
        if 2 * to_si(self.window, second, "window of Correlated") > to_si(epoch, second, "epoch") * (1 + 1e-9):
            raise ValueError(f"window of Correlated is {self.window}, but the epoch lasts {epoch}; give a window of half of it at most")

    def likelihood(self, circuit, recording, projection) -> Callable:
        """Return the likelihood of pairs of rows."""
        source = self.scores(circuit.populations[projection.source], recording)
        target = source if projection.target == projection.source else self.scores(circuit.populations[projection.target], recording)
        height = max(1, ENUMERATED // source.shape[1])

        def of(pre: np.ndarray, post: np.ndarray) -> np.ndarray:
            """Correlate pairs of rows, a block at a time."""
            r = np.empty(len(pre))
            for start in range(0, len(pre), height):
                block = slice(start, start + height)
                r[block] = np.einsum("ij,ij->i", source[pre[block]], target[post[block]])
            return np.clip(r, 0, 1) ** self.power

        return of

    def scores(self, population, recording) -> np.ndarray:
        """Return the counts of each cell in each window, less their mean and of length 1."""
        width = max(1, round(to_si(self.window, second, "window of Correlated") / recording.dt_si))
        self.check_epoch(recording.duration)
        windows = (recording.stop_step - recording.start_step) // width
        spikes = recording[population.name].spikes
        window = (spikes.step - recording.start_step) // width
        rows, window = population.rows(spikes.id[window < windows]), window[window < windows]
        counts = np.bincount(rows * windows + window, minlength=len(population) * windows).reshape(-1, windows).astype(np.float32)
        counts -= counts.mean(axis=1, keepdims=True)
        length = np.sqrt((counts**2).sum(axis=1, keepdims=True))
        return np.divide(counts, length, out=np.zeros_like(counts), where=length > 0)


@dataclass(frozen=True, eq=False)
class Permitted:
    """Let synapses grow between some pairs of cells only: `pre` and `post` hold one cell id each per pair.

    Daughters inherit their mother's permissions, whether she still lives or not. `check` raises ValueError for a cell that never
    existed.
    """

    pre: Any
    post: Any

    def __post_init__(self):
        pairs = Pairs(self.pre, self.post)
        object.__setattr__(self, "pre", pairs.pre)
        object.__setattr__(self, "post", pairs.post)

    def check(self, circuit, projection) -> None:
        """Raise ValueError for a cell that the populations of a projection never had."""
        for end, name in (("pre", projection.source), ("post", projection.target)):
            ids, known = getattr(self, end), len(circuit.populations[name].parents)
            wrong = ids[(ids < 0) | (ids >= known)]
            if len(wrong):
                raise ValueError(
                    f"{end} of Permitted holds the cell {wrong[0]}, but population {name!r} never had it; give ids from 0 to {known - 1}"
                )

    def rows(self, source, target) -> np.ndarray:
        """Return the permitted pairs of living cells: row of pre * number of targets + row of post, ascending."""
        (pre, of_pre), (post, of_post) = (_lines(side, ids) for side, ids in ((source, self.pre), (target, self.post)))
        first_pre, first_post = np.searchsorted(pre, self.pre), np.searchsorted(post, self.post)
        many_pre = np.searchsorted(pre, self.pre, side="right") - first_pre
        many_post = np.searchsorted(post, self.post, side="right") - first_post
        many = many_pre * many_post
        pair = np.repeat(np.arange(len(many)), many)
        number = np.arange(len(pair)) - np.repeat(np.cumsum(many) - many, many)
        i, j = np.divmod(number, many_post[pair])
        return distinct(of_pre[first_pre[pair] + i] * len(target) + of_post[first_post[pair] + j])


def listed(where) -> Sequence:
    """Return what says where synapses grow as a list: of none, one or several."""
    if where is None:
        return ()
    return where if isinstance(where, (list, tuple)) else (where,)


def likelihood_of(where: Sequence, circuit, recording, projection) -> tuple[Callable | None, float]:
    """Return the product of likelihoods as a function of pairs of rows (None: all alike), and the highest value it can have."""
    parts, top = [], 1.0
    for one in where:
        if isinstance(one, DistanceKernel):
            parts.append(_by_distance(one, circuit, projection))
            top *= one.peak
        elif not isinstance(one, Permitted):
            parts.append(one.likelihood(circuit, recording, projection))
    if not parts:
        return None, top
    return lambda pre, post: reduce(np.multiply, [part(pre, post) for part in parts]), top


def check_where(where: Sequence, circuit, projection) -> None:
    """Raise ValueError where a likelihood does not fit the populations of a projection."""
    for one in where:
        if isinstance(one, DistanceKernel):
            for name in (projection.source, projection.target):
                check_placed(circuit.populations[name], f"growth of {projection.name!r} by {type(one).__name__}")
        elif hasattr(one, "check"):
            one.check(circuit, projection)


def _by_distance(kernel: DistanceKernel, circuit, projection) -> Callable:
    source, target = (circuit.populations[name].cells["position"] for name in (projection.source, projection.target))

    def of(pre: np.ndarray, post: np.ndarray) -> np.ndarray:
        return kernel.probability(quantity(distances(source[pre], target[post], f"growth of {projection.name!r}"), metre.dim))

    return of


def _lines(population, named: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each named cell with each living descendant, itself included: ids, ascending, and rows."""
    marked = over_ids(len(population.parents), named, True, False)
    ancestor, rows = population.ids, np.arange(len(population))
    ids, descendants = [np.empty(0, np.int64)], [rows[:0]]
    while len(rows):
        found = marked[ancestor]
        ids.append(ancestor[found])
        descendants.append(rows[found])
        ancestor = population.parents[ancestor]
        ancestor, rows = ancestor[ancestor >= 0], rows[ancestor >= 0]
    ids, descendants = np.concatenate(ids), np.concatenate(descendants)
    order = np.argsort(ids, kind="stable")
    return ids[order], descendants[order]
