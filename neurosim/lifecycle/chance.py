"""Selections by chance: with a hazard, towards a set-point, and at the end of a lifetime.

What they draw is a function of the circuit's seed, the part, the id and the epoch: they need no generator, combine with others, and no
other cell or rule moves what one cell draws.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurosim.distributions import Distribution
from neurosim.lifecycle.amounts import check_hazard, probability
from neurosim.lifecycle.criteria import ByTrait
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.selection import Selected, Selection
from neurosim.lifecycle.traits import Age, check_cells
from neurosim.randomness import stream_key, uniform
from neurosim.units import DIMENSIONLESS, Quantity, to_si


@dataclass(frozen=True)
class Random(Selection):
    """Select each cell or synapse with one hazard (1/time), as it applies to an epoch: with the chance 1 - exp(-hazard * epoch).

    Two with the same `label` draw the same numbers at a boundary, so that what one of them leaves is what the other does; give another
    label for a draw of its own. Two rules of a phase that select from one part cannot both leave it at its default. Raises TypeError for a
    hazard that is no rate and ValueError for a negative one.
    """

    hazard: Quantity
    label: str = "random"

    def __post_init__(self):
        if not checked_by_epoch(self):
            _check_rate(self.hazard, "hazard of Random")

    def __call__(self, circuit, recording, name: str) -> Selected:
        ids, chance = circuit[name].ids, probability(self.hazard, recording)
        draws = _draws(circuit, name, self.label, ids)
        rows = np.flatnonzero(draws < chance)
        return Selected(ids[rows], draws[rows], np.full(len(rows), chance))


@dataclass(frozen=True)
class SetPoint(ByTrait):
    """Select below a set-point (with `above` above it), the more often the farther away, the farthest first.

    The hazard is gain * abs(trait / target - 1), with a `gain` in 1/time: so births and deaths that are selected in this way act
    against the deviation. `target` is given as the threshold of ns.Above. Two with the same `label` draw the same numbers at a boundary.
    Raises ValueError for a target of 0 or a negative gain and TypeError for a wrong dimension.
    """

    trait: Any
    target: Any
    gain: Quantity
    above: bool = False
    label: str = "set-point"
    numbers: ClassVar[tuple[str, ...]] = ("target",)
    direction: ClassVar[int] = -1

    def check_own(self) -> None:
        """Raise ValueError for a target of 0 and what else no circuit can make right."""
        super().check_own()
        if not float(np.asarray(self.target)):
            raise ValueError(f"target of SetPoint is {self.target}, from which no deviation can be told; give another target")
        _check_rate(self.gain, "gain of SetPoint")

    def __call__(self, circuit, recording, name: str) -> Selected:
        values = self.trait(circuit, recording, name)
        target = self.level("target", circuit, name, values)
        rows = np.flatnonzero(values > target if self.above else values < target)
        away = np.abs(values[rows] - target) / abs(target) if target else np.zeros(len(rows))
        rows = rows[_draws(circuit, name, self.label, circuit[name].ids[rows]) < probability(self.gain * away, recording)]
        rows = self.in_order(circuit, name, np.abs(values - target), rows)
        return Selected(circuit[name].ids[rows], values[rows], np.full(len(rows), target), ordered=True)


@dataclass(frozen=True)
class Outlived(Selection):
    """Select the cells that have lived through more epochs than a lifetime, those that are farthest beyond it first.

    `lifetime` is a plain number of epochs, or a distribution of them from which every cell has one value for all its life, such as
    ns.Uniform(50, 100). The value that is noted is the age, the threshold the lifetime. A mother goes on with hers when she divides.
    Raises TypeError for a lifetime with a unit and ValueError for one below 0, for one with which every cell would die at its first boundary, or that is no number.
    """

    lifetime: Any

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        what = "lifetime of Outlived"
        shortest = self.lifetime.quantile(0.0) if isinstance(self.lifetime, Distribution) else self.lifetime
        if np.ndim(to_si(shortest, DIMENSIONLESS, what)):
            raise ValueError(f"{what} is {self.lifetime!r}; give one number of epochs or a distribution")
        if not isinstance(self.lifetime, Distribution) and not shortest >= 0:
            raise ValueError(f"{what} is {self.lifetime!r}; give 0 or more epochs")
        longest = self.lifetime.quantile(1.0) if isinstance(self.lifetime, Distribution) else self.lifetime
        if longest < 1:
            raise ValueError(
                f"{what} is {self.lifetime!r}, so that every cell would die at its first boundary; give lifetimes of 1 epoch or more"
            )

    def check(self, circuit, name: str) -> None:
        """Raise ValueError for a projection, as its synapses live no lifetimes."""
        check_cells(self, circuit, name)

    def __call__(self, circuit, recording, name: str) -> Selected:
        ids, age = circuit[name].ids, Age()(circuit, recording, name)
        lifetime = self._lifetimes(circuit, name, ids)
        rows = np.flatnonzero(age > lifetime)
        rows = rows[np.argsort(lifetime[rows] - age[rows], kind="stable")]
        return Selected(ids[rows], age[rows], lifetime[rows], ordered=True)

    def _lifetimes(self, circuit, name: str, ids: np.ndarray) -> np.ndarray:
        if not isinstance(self.lifetime, Distribution):
            return np.full(len(ids), float(self.lifetime))
        return np.asarray(self.lifetime.quantile(uniform(stream_key(circuit.seed, f"lifetime/{name}"), ids, 0)))


def _draws(circuit, name: str, label: str, ids: np.ndarray) -> np.ndarray:
    return uniform(stream_key(circuit.seed, f"{label}/{name}"), ids, circuit.epoch)


def _check_rate(rate, what: str) -> None:
    if rate is None:
        raise ValueError(f"{what} is None; give a rate, such as 1/second")
    check_hazard(rate, what)
