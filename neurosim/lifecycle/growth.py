"""How many synapses grow at a boundary, and where."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.lifecycle.amounts import check_hazard, probability
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.vacancies import Places, absent_pairs, ranks, taken_places, waiting
from neurosim.lifecycle.where import Permitted, check_where, likelihood_of, listed
from neurosim.wiring import DistanceKernel


@dataclass(frozen=True)
class InDegree:
    """Let each target cell grow synapses until it has `n` of the projection; None: as many as the same rule prunes of it."""

    n: int | None = None

    def __post_init__(self):
        if not checked_by_epoch(self):
            _check_number(self.n, "n of InDegree", 0)

    def check(self, places: int, targets: int, what: str) -> None:
        """Raise ValueError for more synapses than a target has places."""
        _check_room(self.n, places, f"each target of {what}")

    def need(self, post: np.ndarray, pruned: np.ndarray, targets: int) -> np.ndarray:
        """Return how many synapses each target is to grow; `post` are the targets' rows of synapses, `pruned` rows of synapses."""
        lost = np.bincount(post[pruned], minlength=targets)
        return lost if self.n is None else np.maximum(0, self.n - np.bincount(post, minlength=targets) + lost)


@dataclass(frozen=True)
class Total:
    """Let the projection grow synapses until it has `n`; None: as many as the same rule prunes."""

    n: int | None = None

    def __post_init__(self):
        if not checked_by_epoch(self):
            _check_number(self.n, "n of Total", 0)

    def check(self, places: int, targets: int, what: str) -> None:
        """Raise ValueError for more synapses than there are places."""
        _check_room(self.n, places * targets, what)

    def need(self, post: np.ndarray, pruned: np.ndarray, targets: int) -> np.ndarray:
        """Return how many synapses are to grow in all, as an array of one number."""
        return np.array([len(pruned) if self.n is None else max(0, self.n - len(post) + len(pruned))])


@dataclass(frozen=True)
class Growth:
    """Say how many synapses grow, and where: what Rewiring takes as `regrow`.

    A pair of cells (a cell with itself excepted) has as many places as `contacts`, the synapses that it may have. `amount` is a
    hazard (1/time) of each vacant place, InDegree or Total. `where` gives pairs a likelihood: None (all alike), a DistanceKernel,
    Correlated, Permitted, or a list of these, which multiply; the hazard is multiplied by it, and given numbers are drawn one
    after the other in proportion to it (fewer where no more are possible). A place that is pruned at a boundary is
    vacant from the next on. Several contacts: Deger et al. 2012, doi:10.1371/journal.pcbi.1002689; Fauth et al. 2015,
    doi:10.1371/journal.pcbi.1004031.

    Raises ValueError for a negative hazard, contacts below 1 or a kernel with contacts or autapses of its own, TypeError for what
    is neither amount nor likelihood.
    """

    amount: Any
    where: Any = None
    contacts: int = 1

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        if self.amount is None:
            raise TypeError("amount of Growth is None; give a hazard such as 0.1/second, ns.InDegree() or ns.Total()")
        if not self._counts:
            check_hazard(self.amount, "amount of Growth")
        _check_number(self.contacts, "contacts of Growth", 1)
        for one in listed(self.where):
            if isinstance(one, DistanceKernel) and (one.contacts != 1 or one.autapses):
                raise ValueError(f"{one!r} has contacts or autapses of its own, which do not grow; give Growth(..., contacts=...)")
            if not isinstance(one, (DistanceKernel, Permitted)) and not hasattr(one, "likelihood"):
                raise TypeError(f"where of Growth holds {one!r}; give ns.DistanceKernel, ns.Correlated or ns.Permitted")

    @property
    def _counts(self) -> bool:
        return isinstance(self.amount, (InDegree, Total))

    @property
    def replaces(self) -> bool:
        """Whether as many synapses grow as are pruned."""
        return self._counts and self.amount.n is None

    def check(self, circuit, name: str) -> None:
        """Raise ValueError where a projection cannot grow so: no positions, permitted cells that never existed."""
        check_where(listed(self.where), circuit, circuit.projections[name])

    def check_room(self, circuit, name: str) -> None:
        """Raise ValueError where a projection has too few places between the cells that there are."""
        projection = circuit.projections[name]
        if self._counts:
            sources, targets = (len(circuit.populations[side]) for side in (projection.source, projection.target))
            places = self.contacts * (sources - (projection.source == projection.target))
            self.amount.check(places, targets, f"projection {name!r}")

    def pairs(self, circuit, recording, name: str, pruned: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
        """Choose pairs of cells, one for each new synapse; return their rows (pre, post), sorted. `pruned` are rows of synapses that go."""
        projection = circuit.projections[name]
        source, target = circuit.populations[projection.source], circuit.populations[projection.target]
        pre, post = source.rows(projection.synapses["pre"]), target.rows(projection.synapses["post"])
        likelihood, top = likelihood_of(listed(self.where), circuit, recording, projection)
        need = self.amount.need(post, pruned, len(target)) if self._counts else None
        permitted = [one.rows(source, target) for one in listed(self.where) if isinstance(one, Permitted)]
        grid = ((len(source), len(target)), pre, post, source is target)
        if permitted:
            allowed = permitted[0]
            for other in permitted[1:]:
                allowed = np.intersect1d(allowed, other, assume_unique=True)
            return self._listed(grid, allowed, likelihood, need, recording, rng)
        if need is None:
            return self._by_hazard(grid, likelihood, top, recording, rng)
        if likelihood is None and len(need) == 1 and isinstance(self.amount, Total):
            return absent_pairs(*grid, None, rng, int(need[0]), self.contacts)
        return self._by_number(grid, likelihood, top, need, rng)

    def _by_hazard(self, grid: tuple, likelihood, top: float, recording, rng) -> tuple[np.ndarray, np.ndarray]:
        """Let each place gain a synapse by its hazard: by the highest there is, and of those so chosen in proportion."""
        highest = probability(self.amount, recording, top)
        pre, post = absent_pairs(*grid, highest, rng, contacts=self.contacts)
        if likelihood is None:
            return pre, post
        chosen = rng.random(len(pre)) * highest < probability(self.amount, recording, likelihood(pre, post))
        return pre[chosen], post[chosen]

    def _by_number(self, grid: tuple, likelihood, top: float, need: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
        (sources, targets), pre, post, same = grid
        own = np.arange(sources) * (sources + 1) if same else np.empty(0, np.int64)
        taken = np.sort(taken_places(post * sources + pre, own, self.contacts))
        size = sources * self.contacts * (1 if isinstance(self.amount, InDegree) else targets)
        places = Places(sources, self.contacts, size, taken, likelihood, top)
        pre, post = places.pairs(places.draw(need, rng))
        return np.divmod(np.sort(pre * targets + post), targets)

    def _listed(self, grid: tuple, listed: np.ndarray, likelihood, need, recording, rng) -> tuple[np.ndarray, np.ndarray]:
        """Choose among pairs that are all looked at."""
        (sources, targets), pre, post, same = grid
        joined = np.sort(pre * targets + post)
        there = np.searchsorted(joined, listed, side="right") - np.searchsorted(joined, listed)
        places = np.repeat(listed, np.maximum(0, self.contacts - there))
        pre, post = np.divmod(places, targets)
        if same:
            pre, post = pre[other := pre != post], post[other]
        likely = None if likelihood is None else likelihood(pre, post)
        if need is None:
            chosen = rng.random(len(pre)) < probability(self.amount, recording, 1.0 if likely is None else likely)
            return pre[chosen], post[chosen]
        wait = waiting(likely, len(pre), rng)
        group = post if isinstance(self.amount, InDegree) else np.zeros_like(post)
        order = np.lexsort((wait, group))
        order = order[np.isfinite(wait[order])]
        chosen = np.sort(order[ranks(group[order]) < need[group[order]]])
        return pre[chosen], post[chosen]


def _check_number(value, what: str, least: int) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least):
        raise ValueError(f"{what} is {value!r}; give a whole number, {least} or more")


def _check_room(number: int | None, places: int, what: str) -> None:
    if number is not None and number > places:
        raise ValueError(f"{number} synapses are to grow for {what}, but there are places for {places}; lower the number or raise contacts")
