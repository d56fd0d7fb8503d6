"""Who: selections of cells by activity and of synapses by weight, to be combined freely with what a rule does to them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurosim.units import DIMENSIONLESS, Hz, get_dimensions, quantity, to_si


@dataclass(frozen=True, eq=False)
class Selected:
    """Hold the selected ids, the value that spoke for each and the threshold it was held against (NaN: none).

    `ordered` says that the first are to be preferred where not all can be taken.
    """

    ids: np.ndarray
    value: np.ndarray
    threshold: np.ndarray
    ordered: bool = False


@dataclass(frozen=True)
class Everyone:
    """Select all cells of a population or all synapses of a projection."""

    def __call__(self, circuit, recording, name: str) -> Selected:
        ids = circuit[name].ids
        none = np.broadcast_to(np.nan, len(ids))
        return Selected(ids, none, none)


@dataclass(frozen=True)
class _ByRate:
    rate: object
    below: ClassVar[bool]

    def __post_init__(self):
        what = f"rate of {type(self).__name__}"
        if get_dimensions(self.rate) is not DIMENSIONLESS:
            to_si(self.rate, Hz, what)
        if not float(np.asarray(self.rate)) >= 0:
            raise ValueError(f"{what} is {self.rate}; give 0 or more")

    def __call__(self, circuit, recording, name: str) -> Selected:
        part = recording[name]
        rates = np.asarray(part.rate())
        mean = rates.mean() if len(rates) else 0.0
        threshold = float(self.rate) * mean if get_dimensions(self.rate) is DIMENSIONLESS else to_si(self.rate, Hz, "rate")
        chosen = rates < threshold if self.below else rates > threshold
        return _ordered(part.ids, rates, np.full(len(rates), threshold), chosen, 1 if self.below else -1)


@dataclass(frozen=True)
class RateBelow(_ByRate):
    """Select the cells that fired at less than a rate in the last epoch, the idlest first.

    `rate` is a quantity in Hz or a plain number: that fraction of the population's mean rate.
    """

    below: ClassVar[bool] = True


@dataclass(frozen=True)
class RateAbove(_ByRate):
    """Select the cells that fired at more than a rate in the last epoch, the busiest first.

    `rate` is a quantity in Hz or a plain number: that multiple of the population's mean rate.
    """

    below: ClassVar[bool] = False


@dataclass(frozen=True)
class _ByRank:
    fraction: float = 1.0
    direction: ClassVar[int]

    def __post_init__(self):
        if not 0 <= self.fraction <= 1:
            raise ValueError(f"fraction of {type(self).__name__} is {self.fraction}; give a number from 0 to 1")

    def __call__(self, circuit, recording, name: str) -> Selected:
        part = recording[name]
        rates = np.asarray(part.rate())
        best = np.argsort(self.direction * rates, kind="stable")[: round(self.fraction * len(rates))]
        return Selected(part.ids[best], rates[best], np.full(len(best), rates[best[-1]] if len(best) else np.nan), ordered=True)


@dataclass(frozen=True)
class Busiest(_ByRank):
    """Select the given fraction of cells with the highest rates in the last epoch, the busiest first."""

    direction: ClassVar[int] = -1


@dataclass(frozen=True)
class Idlest(_ByRank):
    """Select the given fraction of cells with the lowest rates in the last epoch, the idlest first."""

    direction: ClassVar[int] = 1


@dataclass(frozen=True)
class WeightBelow:
    """Select the synapses whose weight is below a threshold, the weakest first.

    `weight` is a quantity or a plain number: that fraction of the largest incoming weight of the same target cell in the
    same projection.
    """

    weight: object

    def check(self, circuit, name: str) -> None:
        """Raise TypeError for a weight that has not the dimension of the projection's weights."""
        if get_dimensions(self.weight) is not DIMENSIONLESS:
            self._absolute(circuit[name])

    def _absolute(self, projection) -> float:
        return to_si(self.weight, quantity(1.0, projection.receptor.dimensions), f"weight of WeightBelow for {projection.name!r}")

    def __call__(self, circuit, recording, name: str) -> Selected:
        projection = circuit[name]
        weight = projection.synapses["weight"]
        if get_dimensions(self.weight) is DIMENSIONLESS:
            rows = circuit.populations[projection.target].rows(projection.synapses["post"])
            threshold = float(self.weight) * largest_incoming(projection, len(circuit.populations[projection.target]), rows)[rows]
        else:
            threshold = np.full(len(weight), self._absolute(projection))
        return _ordered(projection.ids, weight, threshold, weight < threshold, 1)


@dataclass(frozen=True)
class _ByUse:
    rate: object
    below: ClassVar[bool]

    def __post_init__(self):
        if not to_si(self.rate, Hz, f"rate of {type(self).__name__}") >= 0:
            raise ValueError(f"rate of {type(self).__name__} is {self.rate}; give 0 or more")

    def __call__(self, circuit, recording, name: str) -> Selected:
        use, threshold = np.asarray(circuit.use(name)), to_si(self.rate, Hz, "rate")
        chosen = use < threshold if self.below else use > threshold  # not a synapse without an age, whose use is NaN
        return _ordered(circuit[name].ids, use, np.full(len(use), threshold), chosen, 1 if self.below else -1)


@dataclass(frozen=True)
class UseBelow(_ByUse):
    """Select the synapses that are used less often than a rate, in Hz: presynaptic spikes over the synapse's age. The idlest first."""

    below: ClassVar[bool] = True


@dataclass(frozen=True)
class UseAbove(_ByUse):
    """Select the synapses that are used more often than a rate, in Hz: presynaptic spikes over the synapse's age. The busiest first."""

    below: ClassVar[bool] = False


def largest_incoming(projection, size: int, rows: np.ndarray) -> np.ndarray:
    """Return the largest incoming weight of each target cell (0 for a cell without synapses); `rows` are those of the targets."""
    largest = np.zeros(size)
    np.maximum.at(largest, rows, projection.synapses["weight"])
    return largest


def _ordered(ids, values, threshold, chosen, direction) -> Selected:
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(direction * values[rows], kind="stable")]
    return Selected(ids[rows], values[rows], threshold[rows], ordered=True)
