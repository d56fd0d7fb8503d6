"""Who: selections of cells and of synapses by what is measured of them, to be combined freely with what a rule does to them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.lifecycle.schedules import Schedule
from neurosim.table import among, distinct


@dataclass(frozen=True, eq=False)
class Selected:
    """Hold the selected ids, the value that spoke for each and the threshold it was held against (NaN: none).

    `ordered` says that the first are to be preferred where not all can be taken.
    """

    ids: np.ndarray
    value: np.ndarray
    threshold: np.ndarray
    ordered: bool = False

    def taken(self, rows) -> "Selected":
        """Return the selection of some rows of this one."""
        return Selected(self.ids[rows], self.value[rows], self.threshold[rows], self.ordered)


class Selection:
    """Let selections combine: `a & b` are those of `a` that `b` selects too, `a | b` those of either, `~a` all others.

    Of `a & b` order, values and thresholds are those of `a`; of `a | b` those of `a` come first, and then those of `b` that `a` lacks,
    with an order only where both have one; `~a` has neither order nor values. A user's own selection combines if it inherits from
    this class; the other one of two may be any that can be called.
    """

    def check(self, circuit, name: str) -> None:
        """Raise ValueError or TypeError where a selection does not fit a population or projection."""

    def books(self, name: str) -> tuple:
        """Return the books that have to be kept for the selection."""
        return ()

    def __and__(self, other) -> "Selection":
        return NotImplemented if not callable(other) else Both(self, other)

    def __or__(self, other) -> "Selection":
        return NotImplemented if not callable(other) else Either(self, other)

    def __invert__(self) -> "Selection":
        return Others(self)

    def __rand__(self, other) -> "Selection":
        return NotImplemented if not callable(other) else Both(other, self)

    def __ror__(self, other) -> "Selection":
        return NotImplemented if not callable(other) else Either(other, self)


def check_selection(who, circuit, name: str) -> None:
    """Let a selection check itself against a population or projection, if it can."""
    for one in _all(who):
        if hasattr(one, "check"):
            one.check(circuit, name)


def books_needed(who, name: str) -> tuple:
    """Return the books that a selection or a trait needs for a part; none where it says nothing of them."""
    return tuple(book for one in _all(who) if hasattr(one, "books") for book in one.books(name))


def _all(who) -> tuple:
    """Return a selection, or all those of a schedule of selections."""
    return who.values if isinstance(who, Schedule) else (who,)


@dataclass(frozen=True)
class _Pair(Selection):
    first: Any
    second: Any

    def __post_init__(self):
        check_made(self.first, self.second)

    def check(self, circuit, name: str) -> None:
        """Let both selections check themselves."""
        check_selection(self.first, circuit, name)
        check_selection(self.second, circuit, name)

    def books(self, name: str) -> tuple:
        """Return the books of both selections."""
        return (*books_needed(self.first, name), *books_needed(self.second, name))

    def _found(self, *asked) -> tuple[Selected, Selected]:
        return self.first(*asked), self.second(*asked)


@dataclass(frozen=True)
class Both(_Pair):
    """Select what two selections have in common: `first & second`."""

    def __call__(self, circuit, recording, name: str) -> Selected:
        one, other = self._found(circuit, recording, name)
        return one.taken(among(one.ids, distinct(other.ids)))


@dataclass(frozen=True)
class Either(_Pair):
    """Select what either of two selections does: `first | second`."""

    def __call__(self, circuit, recording, name: str) -> Selected:
        one, other = self._found(circuit, recording, name)
        other = other.taken(~among(other.ids, distinct(one.ids)))
        joined = (np.concatenate([getattr(one, key), getattr(other, key)]) for key in ("ids", "value", "threshold"))
        return Selected(*joined, ordered=one.ordered and other.ordered)


@dataclass(frozen=True)
class Others(Selection):
    """Select all that a selection leaves: `~selection`."""

    selection: Any

    def __post_init__(self):
        check_made(self.selection)

    def check(self, circuit, name: str) -> None:
        """Let the selection check itself."""
        check_selection(self.selection, circuit, name)

    def books(self, name: str) -> tuple:
        """Return the books of the selection."""
        return books_needed(self.selection, name)

    def __call__(self, circuit, recording, name: str) -> Selected:
        ids, found = circuit[name].ids, self.selection(circuit, recording, name)
        return unmeasured(ids[~among(ids, distinct(found.ids))])


def check_made(*selections) -> None:
    """Raise TypeError for what selects nothing: a class, a trait that is not compared with anything, or what cannot be called."""
    for one in selections:
        if isinstance(one, type):
            raise TypeError(f"{one.__name__} is a kind of selection; give one that is made, such as ns.{one.__name__}(...)")
        if hasattr(one, "dimensions") and not isinstance(one, Selection):
            raise TypeError(f"{one!r} is a trait, which selects nothing by itself; compare it, as in ns.Above(trait, threshold)")
        if not callable(one) and not isinstance(one, Schedule):
            raise TypeError(f"{one!r} is no selection; give one such as ns.Top(0.1) or ns.Everyone()")


@dataclass(frozen=True)
class Everyone(Selection):
    """Select all cells of a population or all synapses of a projection."""

    def __call__(self, circuit, recording, name: str) -> Selected:
        return unmeasured(circuit[name].ids)


def unmeasured(ids: np.ndarray) -> Selected:
    """Return a selection without order, values or thresholds."""
    none = np.broadcast_to(np.nan, len(ids))
    return Selected(ids, none, none)


def largest_incoming(projection, size: int, rows: np.ndarray) -> np.ndarray:
    """Return the largest incoming weight of each target cell (0 for a cell without synapses); `rows` are those of the targets."""
    largest = np.zeros(size)
    np.maximum.at(largest, rows, projection.synapses["weight"])
    return largest


def check_fraction(projection, what: str) -> None:
    """Raise ValueError where a fraction of the largest incoming weight means nothing, because all weights are negative."""
    weight = projection.synapses["weight"]
    if weight.max(initial=0.0) <= 0 and weight.min(initial=0.0) < 0:
        raise ValueError(
            f"{what} is a fraction of the largest incoming weight, but the weights of {projection.name!r} are negative; "
            'give a quantity, or select by ns.Above(ns.Value("weight"), ...)'
        )
