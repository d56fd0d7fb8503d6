"""What: the rules that propose division, death and rewiring at a boundary.

A rule is a frozen dataclass with one call, ``rule(circuit, recording, rng) -> Events``; a user's own needs nothing else.
Whom it concerns is a selection; how many, a hazard (1/time), a count, or all of the selected.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.distributions import draw
from neurosim.errors import near
from neurosim.events import Events
from neurosim.lifecycle.selection import Everyone, Selected, largest_incoming
from neurosim.projection import check_delays, check_values
from neurosim.table import among, distinct, over_ids
from neurosim.units import DIMENSIONLESS, Hz, Quantity, get_dimensions, ms, quantity, second, to_si

TRIED = 16  # values of a distribution that are looked at before anything runs
ENUMERATED = 4_000_000  # pairs of cells up to which all are marked as joined or absent; of more, some are tried out


@dataclass(frozen=True)
class Division:
    """Divide cells: the daughter copies state and incoming synapses, outgoing synapses follow the projection's policy.

    Of the cells that `who` selects, each divides with a `hazard` (1/time), or `count` of them, or all. `until` is the
    size of the population at which division stops. `share` and `jitter` are explained at Events.divide: equal inputs and
    equal shares never separate twins, jitter does.
    """

    population: str
    who: Any = Everyone()
    hazard: Quantity | None = None
    count: int | None = None
    until: int | None = None
    share: Any = (0.25, 0.75)
    jitter: float = 0.0
    label: str | None = None

    def __post_init__(self):
        check_amount(self)
        if self.until is not None and self.until < 1:
            raise ValueError(f"division in {self.population!r} stops at {self.until} cells; give until=1 or more")
        Events.divide(self.population, [], rng=np.random.default_rng(0), share=self.share, jitter=self.jitter)

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the population or a projection cannot be split."""
        check_name(self, self.population, circuit.populations)
        for projection in circuit.projections.values():
            if projection.source == self.population and projection.newborn == "split" and projection.unsplittable:
                raise ValueError(
                    f"a division in {self.population!r} cannot split projection {projection.name!r}, because "
                    f"{projection.unsplittable}; use .replace(newborn='copy') or .replace(newborn='wire')"
                )

    def __call__(self, circuit, recording, rng) -> Events:
        chosen = choose(self, self.who(circuit, recording, self.population), recording, rng)
        if self.until is not None:
            chosen = first(chosen, max(0, self.until - len(circuit[self.population])), rng)
        return Events.divide(
            self.population, chosen.ids, rng=rng, share=self.share, jitter=self.jitter, value=chosen.value, threshold=chosen.threshold
        )


@dataclass(frozen=True)
class Apoptosis:
    """Let cells die, with all their synapses.

    Of the cells that `who` selects, each dies with a `hazard` (1/time), or `count` of them, or all; `floor` cells are
    left at least.
    """

    population: str
    who: Any = Everyone()
    hazard: Quantity | None = None
    count: int | None = None
    floor: int = 0
    label: str | None = None

    def __post_init__(self):
        check_amount(self)
        if self.floor < 0:
            raise ValueError(f"apoptosis in {self.population!r} leaves {self.floor} cells; give floor=0 or more")

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the population."""
        check_name(self, self.population, circuit.populations)

    def __call__(self, circuit, recording, rng) -> Events:
        chosen = choose(self, self.who(circuit, recording, self.population), recording, rng)
        chosen = first(chosen, max(0, len(circuit[self.population]) - self.floor), rng)
        return Events.kill(self.population, chosen.ids, value=chosen.value, threshold=chosen.threshold)


@dataclass(frozen=True)
class Rewiring:
    """Prune synapses of a projection and let absent ones grow.

    Of the synapses that `prune` selects, each goes with a `hazard` (1/time), or all if there is none. Each pair of cells
    without a synapse (a cell with itself excepted) gains one with hazard `regrow`, with `weight` (a quantity, a
    distribution, or a plain number: that fraction of the target's largest incoming weight) and `delay`.
    """

    projection: str
    prune: Any = None
    hazard: Quantity | None = None
    regrow: Quantity | None = None
    weight: Any = None
    delay: Any = field(default_factory=lambda: 0 * ms)
    label: str | None = None

    def __post_init__(self):
        for key in ("hazard", "regrow"):
            check_hazard(getattr(self, key), f"{key} of the rewiring of {self.projection!r}")
        if self.regrow is not None and self.weight is None:
            raise ValueError(f"the rewiring of {self.projection!r} regrows synapses but has no weight for them; give weight=...")

    def check(self, circuit) -> None:
        """Raise ValueError or TypeError where the circuit lacks the projection or weights or delays do not fit it."""
        check_name(self, self.projection, circuit.projections)
        projection = circuit[self.projection]
        if hasattr(self.prune, "check"):
            self.prune.check(circuit, self.projection)
        if self.regrow is not None:
            largest = projection.synapses["weight"].max(initial=0.0)
            weight, delay = self._values(projection, TRIED, lambda: np.full(TRIED, largest), np.random.default_rng(0))
            what = f"regrown synapses of {self.projection!r}"
            check_values(circuit[projection.source], projection.receptor, projection.synapse, weight, delay, what)
            if circuit.dt_si is not None:
                check_delays(delay, circuit.dt_si, what)

    def __call__(self, circuit, recording, rng) -> Events:
        events = Events()
        if self.prune is not None:
            chosen = choose(self, self.prune(circuit, recording, self.projection), recording, rng)
            events += Events.unlink(self.projection, chosen.ids, value=chosen.value, threshold=chosen.threshold)
        if self.regrow is not None:
            events += self._growth(circuit, recording, rng)
        return events

    def _growth(self, circuit, recording, rng) -> Events:
        projection = circuit[self.projection]
        source, target = circuit[projection.source], circuit[projection.target]
        pre, post = source.rows(projection.synapses["pre"]), target.rows(projection.synapses["post"])
        new_pre, new_post = absent_pairs(len(source), len(target), pre, post, source is target, probability(self.regrow, recording), rng)
        weight, delay = self._values(projection, len(new_post), lambda: largest_incoming(projection, len(target), post)[new_post], rng)
        return Events.link(self.projection, source.ids[new_pre], target.ids[new_post], weight, delay)

    def _values(self, projection, size: int, largest: Callable[[], np.ndarray], rng) -> tuple[np.ndarray, np.ndarray]:
        """Weights and delays of new synapses; `largest` gives the largest incoming weight of the target of each, where they need it."""
        what = f"regrown synapses of {self.projection!r}"
        if not hasattr(self.weight, "sample") and get_dimensions(self.weight) is DIMENSIONLESS:
            weight = float(self.weight) * largest()
        else:
            weight = draw(self.weight, size, rng, quantity(1.0, projection.receptor.dimensions), f"weight of {what}")
        return weight, draw(self.delay, size, rng, second, f"delay of {what}")


def absent_pairs(
    n_pre: int, n_post: int, pre, post, same: bool, chance: float | None, rng, count: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Choose each pair of cells that no synapse joins with one chance, or `count` of them; return (pre, post) rows, sorted."""
    total, joined = n_pre * n_post, pre * n_post + post
    if same:
        joined = np.concatenate([joined, np.arange(n_pre) * (n_post + 1)])
    marked = total <= ENUMERATED
    taken = over_ids(total, joined, True, False) if marked else distinct(joined)
    free = total - (np.count_nonzero(taken) if marked else len(taken))
    count = rng.binomial(free, chance) if count is None else min(count, free)
    if marked or count > free // 2:
        numbers = rng.choice(free, size=count, replace=False)
        chosen = _unmarked(taken, numbers) if marked else numbers + np.searchsorted(taken - np.arange(len(taken)), numbers, side="right")
    else:
        chosen = _tried(total, taken, count, rng)
    return np.divmod(np.sort(chosen), n_post)


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


def choose(rule, selected: Selected, recording, rng) -> Selected:
    """Thin a selection by the rule's hazard, or take its count, or all."""
    if rule.hazard is not None:
        return _taken(selected, rng.random(len(selected.ids)) < probability(rule.hazard, recording))
    if getattr(rule, "count", None) is not None:
        return first(selected, rule.count, rng)
    return selected


def first(selected: Selected, count: int, rng) -> Selected:
    """Take at most so many: the first of an ordered selection, any of another."""
    if len(selected.ids) <= count:
        return selected
    order = np.arange(len(selected.ids)) if selected.ordered else rng.permutation(len(selected.ids))
    return _taken(selected, np.sort(order[:count]))


def probability(hazard: Quantity, recording) -> float:
    """The chance that an event of constant hazard happens within an epoch."""
    return -np.expm1(-to_si(hazard, Hz, "hazard") * to_si(recording.duration, second, "epoch"))


def _taken(selected: Selected, rows) -> Selected:
    return Selected(selected.ids[rows], selected.value[rows], selected.threshold[rows], selected.ordered)


def check_amount(rule) -> None:
    """Raise ValueError unless a rule has at most one of hazard and count, and a sensible one."""
    what = f"{type(rule).__name__} in {rule.population!r}"
    if rule.hazard is not None and rule.count is not None:
        raise ValueError(f"{what} has both a hazard and a count; give one of them, or neither for all that are selected")
    check_hazard(rule.hazard, f"hazard of {what}")
    if rule.count is not None and (isinstance(rule.count, bool) or not isinstance(rule.count, (int, np.integer)) or rule.count < 0):
        raise ValueError(f"count of {what} is {rule.count!r}; give a whole number, 0 or more")


def check_hazard(hazard, what: str) -> None:
    """Raise unless a hazard is None or a rate (1/time), 0 or more."""
    if hazard is not None and not to_si(hazard, Hz, what) >= 0:
        raise ValueError(f"{what} is {hazard}; give a rate of 0 or more, such as 1/second")


def check_name(rule, name: str, known) -> None:
    """Raise ValueError for a rule about a population or projection that the circuit lacks."""
    if name not in known:
        raise ValueError(f"rule {type(rule).__name__} is about {name!r}, which is not in the circuit.{near(name, known)}")
