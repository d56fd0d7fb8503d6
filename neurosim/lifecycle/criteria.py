"""Selections by a trait: those above, below or between thresholds, and exact shares from the top or the bottom."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.selection import Selected, Selection, books_needed, check_fraction, check_selection, largest_incoming
from neurosim.lifecycle.traits import Rate, Use, Value
from neurosim.randomness import stream_key, uniform
from neurosim.units import DIMENSIONLESS, Hz, get_dimensions, to_si

ROUNDING = 1e-9  # 0.29 * 100 is to be 29, although the product of the doubles falls short of it


class ByTrait(Selection):
    """Share what selections by one trait have in common: its check, its books, thresholds in its unit, and an order.

    Of equal values one goes first that a draw from the circuit's seed, the epoch and the ids decides, so that no row is favoured;
    `older_first` takes the lower id, the older one, instead. `direction` is 1 where the lowest go first and -1 where the highest do.
    """

    trait: Any
    numbers: ClassVar[tuple[str, ...]] = ()
    direction: ClassVar[int]
    older_first: ClassVar[bool] = False

    def __post_init__(self):
        if not checked_by_epoch(self):
            self.check_own()

    def check_own(self) -> None:
        """Raise TypeError or ValueError for what no circuit can make right."""
        kind = type(self).__name__
        if isinstance(self.trait, type) or not callable(self.trait) or not hasattr(self.trait, "dimensions"):
            raise TypeError(f"trait of {kind} is {self.trait!r}; give a trait that is made, such as ns.Rate()")
        for key in self.numbers:
            value = getattr(self, key)
            if np.ndim(to_si(value, getattr(value, "dim", DIMENSIONLESS), f"{key} of {kind}")):
                raise ValueError(f"{key} of {kind} is {value}; give one number")

    def check(self, circuit, name: str) -> None:
        """Raise ValueError where a part lacks the trait, and TypeError for a threshold of another dimension."""
        check_selection(self.trait, circuit, name)
        for key in self.numbers:
            self.level(key, circuit, name, np.empty(0))

    def books(self, name: str) -> tuple:
        """Return the books of the trait."""
        return books_needed(self.trait, name)

    def level(self, key: str, circuit, name: str, values: np.ndarray) -> float:
        """Return a threshold in SI units; a plain number is a multiple of the mean where the trait has a dimension."""
        given, wanted = getattr(self, key), self.trait.dimensions(circuit, name)
        if wanted is not DIMENSIONLESS and get_dimensions(given) is DIMENSIONLESS:
            known = values[~np.isnan(values)]
            return float(given) * (known.mean() if len(known) else 0.0)
        return to_si(given, wanted, f"{key} of {type(self).__name__} for {name!r}")

    def in_order(self, circuit, name: str, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return rows in the order of their values."""
        keys, ids = self.direction * values[rows], circuit[name].ids
        if self.older_first:
            return rows[np.lexsort((ids[rows], keys))]
        key = stream_key(circuit.seed, f"ties/{name}")
        # The other way round from the other end, so that of equals none is both among the first of the top and of the bottom.
        return rows[even_order(keys, lambda some: (self.direction * uniform(key, ids[rows[some]], circuit.epoch)) % 1)]


def even_order(keys: np.ndarray, draws: Callable) -> np.ndarray:
    """Return the rows of keys from low to high, of equal keys by draws(rows) in [0, 1), which is asked for these alone."""
    order = np.argsort(keys)
    new = keys[order[1:]] != keys[order[:-1]]
    if new.all():
        return order
    place, drawn, equal = np.zeros(len(keys)), np.zeros(len(keys)), np.zeros(len(keys), dtype=bool)
    np.cumsum(new, out=place[1:])
    equal[1:], equal[:-1] = ~new, equal[:-1] | ~new
    drawn[equal] = draws(order[equal])
    return order[np.argsort(2 * place + drawn)]


class _Compared(ByTrait):
    numbers: ClassVar[tuple[str, ...]] = ("threshold",)

    def __call__(self, circuit, recording, name: str) -> Selected:
        values = self.trait(circuit, recording, name)
        threshold = np.broadcast_to(self._thresholds(circuit, name, values), len(values))
        rows = np.flatnonzero(values < threshold if self.direction > 0 else values > threshold)
        rows = self.in_order(circuit, name, values, rows)
        return Selected(circuit[name].ids[rows], values[rows], threshold[rows], ordered=True)

    def _thresholds(self, circuit, name: str, values: np.ndarray):
        return self.level("threshold", circuit, name, values)


@dataclass(frozen=True)
class Above(_Compared):
    """Select where a trait is above a threshold, the highest first.

    `threshold` is a quantity of the trait's dimension or, for a trait that has one, a plain number: that multiple of the mean.
    Raises TypeError for another dimension.
    """

    trait: Any
    threshold: Any
    direction: ClassVar[int] = -1


@dataclass(frozen=True)
class Below(_Compared):
    """Select where a trait is below a threshold, the lowest first; `threshold` as for Above."""

    trait: Any
    threshold: Any
    direction: ClassVar[int] = 1


@dataclass(frozen=True)
class Between(ByTrait):
    """Select where a trait lies from `low` to `high`, both included; each is given as the threshold of Above.

    The threshold that is noted for each is the nearer of both. Raises ValueError for a low above high, TypeError where they differ in kind.
    """

    trait: Any
    low: Any
    high: Any
    numbers: ClassVar[tuple[str, ...]] = ("low", "high")

    def check_own(self) -> None:
        """Raise ValueError for a low above high, and what else no circuit can make right."""
        super().check_own()
        if not to_si(self.low, get_dimensions(self.high), "low of Between") <= np.asarray(self.high):
            raise ValueError(f"low of Between is {self.low} and high is {self.high}; give a low that is at most high")

    def __call__(self, circuit, recording, name: str) -> Selected:
        values = self.trait(circuit, recording, name)
        low, high = (self.level(key, circuit, name, values) for key in self.numbers)
        rows = np.flatnonzero((values >= low) & (values <= high))
        found = values[rows]
        return Selected(circuit[name].ids[rows], found, np.where(found - low < high - found, low, high))


class _Ranked(ByTrait):
    fraction: float

    def check_own(self) -> None:
        """Raise ValueError for a fraction outside [0, 1], and what else no circuit can make right."""
        super().check_own()
        if not 0 <= to_si(self.fraction, DIMENSIONLESS, f"fraction of {type(self).__name__}") <= 1:
            raise ValueError(f"fraction of {type(self).__name__} is {self.fraction}; give a number from 0 to 1")

    def _count(self, size: int) -> int:
        return math.floor(self.fraction * size + ROUNDING)

    def __call__(self, circuit, recording, name: str) -> Selected:
        values = self.trait(circuit, recording, name)
        rows = np.flatnonzero(~np.isnan(values))
        count = self._count(len(rows))
        if count < len(rows):
            keys = self.direction * values[rows]
            rows = rows[keys <= np.partition(keys, count)[count]] if count else rows[:0]
        rows = self.in_order(circuit, name, values, rows)[:count]
        return Selected(circuit[name].ids[rows], values[rows], np.full(count, values[rows[-1]] if count else np.nan), ordered=True)


@dataclass(frozen=True)
class Top(_Ranked):
    """Select the given fraction with the highest values of a trait, the highest first.

    Of N that have a value exactly floor(fraction * N) are selected; of equal ones chance decides, by the circuit's seed and epoch.
    Raises ValueError for a fraction outside [0, 1].
    """

    fraction: float
    trait: Any = Rate()
    direction: ClassVar[int] = -1


@dataclass(frozen=True)
class Bottom(_Ranked):
    """Select the given fraction with the lowest values of a trait, the lowest first; counts and equal values as for Top."""

    fraction: float
    trait: Any = Rate()
    direction: ClassVar[int] = 1


class _ByRate(_Compared):
    trait: ClassVar[Any] = Rate()
    numbers: ClassVar[tuple[str, ...]] = ("rate",)
    older_first: ClassVar[bool] = True

    def check_own(self) -> None:
        """Raise ValueError for a negative rate, and what else no circuit can make right."""
        super().check_own()
        what = f"rate of {type(self).__name__}"
        if get_dimensions(self.rate) is not DIMENSIONLESS:
            to_si(self.rate, Hz, what)
        if not float(np.asarray(self.rate)) >= 0:
            raise ValueError(f"{what} is {self.rate}; give 0 or more")

    def _thresholds(self, circuit, name: str, values: np.ndarray):
        return self.level("rate", circuit, name, values)


@dataclass(frozen=True)
class RateBelow(_ByRate):
    """Select the cells that fired at less than a rate in the last epoch, the idlest first, of equals the older.

    `rate` is a quantity in Hz or a plain number: that fraction of the population's mean rate.
    """

    rate: Any
    direction: ClassVar[int] = 1


@dataclass(frozen=True)
class RateAbove(_ByRate):
    """Select the cells that fired at more than a rate in the last epoch, the busiest first, of equals the older.

    `rate` is a quantity in Hz or a plain number: that multiple of the population's mean rate.
    """

    rate: Any
    direction: ClassVar[int] = -1


class _ByUse(_ByRate):
    trait: ClassVar[Any] = Use()

    def check_own(self) -> None:
        """Raise ValueError for a negative rate and TypeError for a plain number: a mean over synapses is no measure of use."""
        to_si(self.rate, Hz, f"rate of {type(self).__name__}")
        super().check_own()


@dataclass(frozen=True)
class UseBelow(_ByUse):
    """Select the synapses that are used less often than a rate, in Hz: presynaptic spikes over the synapse's age. The idlest first."""

    rate: Any
    direction: ClassVar[int] = 1


@dataclass(frozen=True)
class UseAbove(_ByUse):
    """Select the synapses that are used more often than a rate, in Hz: presynaptic spikes over the synapse's age. The busiest first."""

    rate: Any
    direction: ClassVar[int] = -1


class _OlderRanked(_Ranked):
    trait: ClassVar[Any] = Rate()
    older_first: ClassVar[bool] = True

    def _count(self, size: int) -> int:
        return round(self.fraction * size)


@dataclass(frozen=True)
class Busiest(_OlderRanked):
    """Select the given fraction of cells with the highest rates in the last epoch, rounded, the busiest first, of equals the older."""

    fraction: float = 1.0
    direction: ClassVar[int] = -1


@dataclass(frozen=True)
class Idlest(_OlderRanked):
    """Select the given fraction of cells with the lowest rates in the last epoch, rounded, the idlest first, of equals the older."""

    fraction: float = 1.0
    direction: ClassVar[int] = 1


@dataclass(frozen=True)
class WeightBelow(_Compared):
    """Select the synapses whose weight is below a threshold, the weakest first, of equals the older.

    `weight` is a quantity or a plain number: that fraction of the largest incoming weight of the same target cell in the
    same projection. Raises TypeError for a weight that has not the dimension of the projection's weights, ValueError for a fraction of
    negative ones.
    """

    weight: Any
    trait: ClassVar[Any] = Value("weight")
    numbers: ClassVar[tuple[str, ...]] = ("weight",)
    older_first: ClassVar[bool] = True
    direction: ClassVar[int] = 1

    def check(self, circuit, name: str) -> None:
        """Raise TypeError or ValueError where the weight does not fit a projection."""
        super().check(circuit, name)
        if get_dimensions(self.weight) is DIMENSIONLESS:
            check_fraction(circuit[name], "weight of WeightBelow")

    def _thresholds(self, circuit, name: str, values: np.ndarray):
        if get_dimensions(self.weight) is not DIMENSIONLESS:
            return self.level("weight", circuit, name, values)
        projection = circuit[name]
        target = circuit.populations[projection.target]
        rows = target.rows(projection.synapses["post"])
        return float(self.weight) * largest_incoming(projection, len(target), rows)[rows]
