"""What: the rules by which cells are born that have no mother in their population: new cells, new inputs, and cells that differentiate."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from neurosim.distributions import draw
from neurosim.events import Events
from neurosim.lifecycle.amounts import check_amount, check_hazard, check_name, check_size, choose, first, slowed
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.selection import Everyone, books_needed, check_selection
from neurosim.units import Hz, Quantity, metre, quantity, second, to_si, unit_name

AXES = "xyz"


class Births:
    """Share what rules of births have in common: how many cells are born in an epoch, and where."""

    population: str
    rate: Any
    count: Any
    positions: Any
    until: Any
    strength: Any

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        what = f"{type(self).__name__} in {self.population!r}"
        if (self.rate is None) == (self.count is None):
            raise ValueError(
                f"{what} has {'both' if self.count is not None else 'neither'} of a rate and a count of births; give one of them"
            )
        check_hazard(self.rate, f"rate of {what}")
        if self.rate is not None and not self.rate < np.inf * Hz:
            raise ValueError(f"rate of {what} is infinite; give a finite rate, or a count")
        for name in ("count", "until"):
            check_size(getattr(self, name), f"{name} of {what} is", name, 0)
        if self.positions is not None and (not isinstance(self.positions, Sequence) or len(self.positions) != len(AXES)):
            raise ValueError(
                f"positions of {what} are {self.positions!r}; give three, (x, y, z), each a length or a distribution of lengths"
            )
        rng = np.random.default_rng(0)
        Events.bear(self.population, self._places(1, rng), rng=rng, strength=self.strength)

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the population, or its cells have positions and newborn ones would not."""
        check_name(self, self.population, circuit.populations)
        if self.positions is None and placed(circuit[self.population]):
            raise ValueError(
                f"cells of {self.population!r} have positions and those that {type(self).__name__} adds would have none; "
                "give positions=(ns.Uniform(0*um, 100*um), ...), one for each axis"
            )

    def rescaled(self, factor: float):
        """Return the rule with its rate divided by a factor."""
        return replace(self, rate=None if self.rate is None else slowed(self.rate, factor))

    def __call__(self, circuit, recording, rng) -> Events:
        if self.count is not None:
            number = self.count
        else:
            number = int(rng.poisson(to_si(self.rate, Hz, "rate") * to_si(recording.duration, second, "epoch")))
        if self.until is not None:
            number = min(number, max(0, self.until - len(circuit[self.population])))
        return Events.bear(self.population, self._places(number, rng), rng=rng, strength=self.strength)

    def _places(self, number: int, rng) -> Quantity | int:
        if self.positions is None:
            return number
        what = f"of births in {self.population!r}"
        axes = [draw(value, number, rng, metre, f"{axis} {what}") for axis, value in zip(AXES, self.positions, strict=True)]
        return quantity(np.stack(axes, axis=1), metre.dim)


@dataclass(frozen=True)
class Neurogenesis(Births):
    """Let new cells be born: in the first state of their model, without a mother and without synapses; parameters of their own they draw.

    `count` of them in each epoch, or as many as a Poisson process of this `rate` (1/time, of the whole population) makes; `until`
    is the size of the population at which that stops. `positions` are three lengths or distributions of lengths, one for each axis. They
    gain synapses by a rule of synaptogenesis, such as Rewiring or ElementWiring, and by projections of newborn="wire" alone; what
    is immature in them follows their age by Maturation. Raises ValueError unless there is either a rate or a count, and for negative ones.
    """

    population: str
    rate: Quantity | None = None
    count: int | None = None
    positions: Any = None
    until: int | None = None
    label: str | None = None
    strength: ClassVar[float] = 1.0


@dataclass(frozen=True)
class InputGrowth(Births):
    """Let a population of inputs gain cells, whose synapses begin with `strength` times the weights that their projections draw.

    With a strength of 0 nothing that receives the inputs changes until learning makes use of them. `rate`, `count`, `positions` and
    `until` are those of Neurogenesis. Its projections need newborn="wire". Raises as Neurogenesis does, and for a negative strength.
    """

    population: str
    rate: Quantity | None = None
    count: int | None = None
    positions: Any = None
    until: int | None = None
    strength: float = 0.0
    label: str | None = None

    def check(self, circuit) -> None:
        """Raise ValueError as Neurogenesis does, and where no projection would wire the new inputs."""
        super().check(circuit)
        outgoing = [one for one in circuit.projections.values() if one.source == self.population]
        if not any(one.newborn == "wire" for one in outgoing):
            names = ", ".join(repr(one.name) for one in outgoing) or "none"
            raise ValueError(
                f"InputGrowth in {self.population!r} would add inputs that reach no cell: of its projections ({names}) none wires newborn "
                "cells; use .replace(newborn='wire')"
            )


@dataclass(frozen=True)
class Differentiation:
    """Let cells of one population bear daughters in another, which begin in the first state of that one's model, where their mother stands.

    Of the progenitors that `who` selects, each has a daughter with a `hazard` (1/time), or `count` of them, or all; `until` is the size
    of the population `into` at which that stops. Nothing of a progenitor changes. Raises as Division does.
    """

    population: str
    into: str
    who: Any = Everyone()
    hazard: Quantity | None = None
    count: int | None = None
    until: int | None = None
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        check_amount(self)
        if self.into == self.population:
            raise ValueError(
                f"Differentiation of {self.population!r} leads into {self.into!r} itself; use Division, or name another population"
            )
        check_size(self.until, f"Differentiation into {self.into!r} stops at", "until", 1)

    @property
    def books(self) -> tuple:
        """The books of the selection."""
        return books_needed(self.who, self.population)

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks a population or what it holds cannot become a cell of the other."""
        check_name(self, self.population, circuit.populations)
        check_name(self, self.into, circuit.populations)
        check_selection(self.who, circuit, self.population)
        progenitors, target = circuit[self.population], circuit[self.into]
        what = f"Differentiation of {self.population!r} into {self.into!r}"
        if target.model.source:
            raise ValueError(f"{what}: {target.model.name!r} is a source of spikes, not a cell; name a population of cells")
        own, other = progenitors.model.variables, target.model.variables
        for name in own.keys() & other.keys():
            if own[name] is not other[name]:
                units = f"{unit_name(own[name])} in {progenitors.model.name!r} and {unit_name(other[name])} in {target.model.name!r}"
                raise ValueError(f"{what}: the state variable {name!r} is in {units}; rename it in one of the model files")
        if placed(target) and not placed(progenitors):
            raise ValueError(
                f"{what}: cells of {self.into!r} have positions and their mothers have none; create {self.population!r} with positions=..."
            )

    def __call__(self, circuit, recording, rng) -> Events:
        chosen = choose(self, self.who(circuit, recording, self.population), recording, rng)
        if self.until is not None:
            chosen = first(chosen, max(0, self.until - len(circuit[self.into])), rng)
        mothers = circuit[self.population]
        places = quantity(mothers.cells["position"][mothers.rows(chosen.ids)], metre.dim) if placed(mothers) else len(chosen.ids)
        cause = {"value": chosen.value, "threshold": chosen.threshold}
        return Events.bear(self.into, places, rng=rng, origin=self.population, progenitors=chosen.ids, **cause)


def placed(population) -> bool:
    """Tell whether cells of a population have positions."""
    return bool(np.isfinite(population.cells["position"]).any())
