"""A target for the ratio of two populations, such as excitatory to inhibitory cells, that births and deaths are held to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from neurosim.errors import near
from neurosim.events import Events
from neurosim.lifecycle.books import books_of, check
from neurosim.lifecycle.nested import check_rules, streams
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.units import DIMENSIONLESS, to_si

CHANGES = {"division": 1, "birth": 1, "death": -1}  # cells that an event adds to its population
ROUNDING = 1e-12  # relative error of a product that is not to cost a cell


@dataclass(frozen=True)
class CellRatio:
    """Let births and deaths move the number of cells of `of` for each cell of `to` towards a target, and not beyond it.

    `actions` are rules that add cells to one of both populations (Division, Neurogenesis, Differentiation, or another with a
    `population` and a size `until` which it adds) or remove them (Apoptosis, or another with a `floor` that it leaves). At a boundary
    at which the ratio differs from `target` by more than `tolerance` (a fraction of the target), those that move it towards the target
    act in their order, each up to the size with which it would be met; at others none does, and cells that fade stay as they are. While
    one of both has no cells, none of the other is removed.
    Raises ValueError or TypeError for what is no such thing.
    """

    of: str
    to: str
    target: float
    actions: Sequence[Any]
    tolerance: float = 0.05
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        what = f"the cell ratio of {self.of!r} to {self.to!r}"
        if self.of == self.to:
            raise ValueError(f"{what} is of a population to itself; name two populations")
        if not 0 < to_si(self.target, DIMENSIONLESS, f"target of {what}") < math.inf:
            raise ValueError(f"target of {what} is {self.target!r}; give a number above 0, such as 4 for four cells to one")
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(f"tolerance of {what} is {self.tolerance!r}; give a fraction of the target, 0 or more")
        check_rules(self.actions, what)
        for action in self.actions:
            if _changed(action) not in (self.of, self.to) or hasattr(action, "until") == hasattr(action, "floor"):
                raise TypeError(
                    f"{what} has the action {action!r}; give rules that add cells to {self.of!r} or {self.to!r} up to a size "
                    "(until=...) or remove them down to one (floor=...), such as ns.Division and ns.Apoptosis"
                )

    @property
    def books(self) -> tuple:
        """The books of the actions."""
        return tuple(books_of(self.actions))

    @property
    def nested(self) -> Sequence[Any]:
        """The rules that this one holds."""
        return self.actions

    def check(self, circuit) -> None:
        """Raise ValueError for an unknown population, for one without cells in `to`, and for a target that no action can reach."""
        self._check_names(circuit)
        check(circuit, self.actions)
        sizes = self._sizes(circuit)
        what = f"the cell ratio of {self.of!r} to {self.to!r}"
        if not sizes[self.to]:
            raise ValueError(f"{what} has no meaning, because {self.to!r} has no cells; create some, or name another population")
        rising, now = self._rising(sizes), f"{sizes[self.of] / sizes[self.to]:.4g} ({sizes[self.of]}:{sizes[self.to]})"
        if rising is None:
            return
        helpful = [action for action in self.actions if self._raises(action) == rising]
        add, remove = (self.of, self.to) if rising else (self.to, self.of)
        if not helpful:
            raise ValueError(
                f"{what} is {now} and its target {self.target:g}, but no action {'raises' if rising else 'lowers'} it; "
                f"add ns.Division({add!r}, ...) or ns.Apoptosis({remove!r}, ...)"
            )
        limits = dict(sizes)
        for action in helpful:
            limits[_changed(action)] = _furthest(action, limits[_changed(action)])
        if self._rising(limits) is rising:
            ends = f"{limits[self.of]:g}:{limits[self.to]:g}"
            raise ValueError(f"{what} is {now} and its target {self.target:g}, but its actions stop at {ends}; change their until or floor")

    def check_later(self, circuit) -> None:
        """Raise as `check` does, but for what depends on how many cells there are: in a later phase that is not known yet."""
        self._check_names(circuit)
        check(circuit, self.actions, later=True)

    def _check_names(self, circuit) -> None:
        for name in (self.of, self.to):
            if name not in circuit.populations:
                raise ValueError(f"a cell ratio is about {name!r}, which is not in the circuit.{near(name, circuit.populations)}")

    def __call__(self, circuit, recording, rng) -> Events:
        sizes, events = self._sizes(circuit), Events()
        rising = self._rising(sizes)
        if rising is None:
            return events
        for action, label, own in streams(self.actions, rng):
            bounded = self._bounded(action, sizes) if self._raises(action) == rising else None
            if bounded is not None:
                proposed = bounded(circuit, recording, own)
                sizes[_changed(action)] += _added(proposed, _changed(action))
                events += proposed.labelled(label)
        return events

    def _sizes(self, circuit) -> dict[str, int]:
        return {name: len(circuit[name]) for name in (self.of, self.to)}

    def _rising(self, sizes) -> bool | None:
        """Whether the ratio has to rise (True) or fall (False) to its target; None where it is near enough."""
        wanted = self.target * sizes[self.to]
        if abs(sizes[self.of] - wanted) <= self.tolerance * wanted:
            return None
        return sizes[self.of] < wanted

    def _raises(self, action) -> bool:
        """Whether an action raises the ratio: by adding to `of` or by removing from `to`."""
        return (_changed(action) == self.of) == hasattr(action, "until")

    def _bounded(self, action, sizes):
        """Return an action that ends at the size with which the target is met; None where that leaves nothing to do."""
        met = self.target * sizes[self.to] if _changed(action) == self.of else sizes[self.of] / self.target
        size = sizes[_changed(action)]
        if hasattr(action, "until"):
            until = math.floor(met * (1 + ROUNDING))
            until = until if action.until is None else min(until, action.until)
            return replace(action, until=until) if until > size else None
        floor = max(math.ceil(met * (1 - ROUNDING)), action.floor)
        return replace(action, floor=floor) if 0 < met and floor < size else None


def _changed(action) -> str | None:
    """Return the population that gains or loses cells."""
    return getattr(action, "into", None) or getattr(action, "population", None)


def _furthest(action, size: int) -> float:
    """Return the size at which an action stops."""
    if hasattr(action, "until"):
        return math.inf if action.until is None else max(size, action.until)
    return min(size, action.floor)


def _added(events: Events, population: str) -> int:
    """Return by how much events change the size of a population."""
    return sum(CHANGES.get(kind, 0) * len(rows) for (kind, name), rows in events.tables.items() if name == population)
