"""Maturation: state of cells that follows their age, such as excitability, the reversal potential of inhibition, or how much they learn."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.errors import near
from neurosim.ledger import Ledger
from neurosim.lifecycle.amounts import check_name
from neurosim.lifecycle.books import Book
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.models.checks import check_divisor
from neurosim.units import get_dimensions, quantity, unit_name


@dataclass(frozen=True)
class Maturation(Book):
    """Let a state variable of newborn cells follow their age, along straight lines between the points (ages, values).

    `ages` are in epochs and ascend; a cell is born at age 0 and has the first value until the first of `ages`, the last one from the
    last on, after which nothing here touches it any more. `variable` is a parameter of which every cell has its own value,
    ``create(..., spread={...})``, or another state variable that only statements change. The cells of epoch 0 had the age `founders`
    then: math.inf, by default, for mature ones, which keep what they have. Raises ValueError for ages that do not ascend and for
    other than one value for each.
    """

    population: str
    variable: str
    ages: Sequence[float]
    values: Any
    founders: float = math.inf
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        what = f"the maturation of {self.variable!r} in {self.population!r}"
        ages, values = np.asarray(self.ages, dtype=float), np.asarray(self.values, dtype=float)
        if ages.ndim != 1 or not ages.size or not ages[0] >= 0 or not (np.diff(ages) > 0).all() or not np.isfinite(ages).all():
            raise ValueError(f"ages of {what} are {self.ages}; give ascending numbers of epochs, 0 or more")
        if values.shape != ages.shape or not np.isfinite(values).all():
            raise ValueError(f"values of {what} are {self.values}; give one finite value for each of the {ages.size} ages")
        if not self.founders >= 0:
            raise ValueError(f"founders of {what} are {self.founders!r} epochs old; give 0 or more, math.inf for mature ones")
        object.__setattr__(self, "ages", tuple(ages.tolist()))
        object.__setattr__(self, "values", tuple(self.values))  # which can be compared

    def check(self, circuit) -> None:
        """Raise where the circuit lacks the population or its cells the variable, where equations change that, or values do not fit it."""
        check_name(self, self.population, circuit.populations)
        model = circuit[self.population].model
        what = f"the maturation of {self.variable!r} in {self.population!r}"
        if self.variable in model.parameters:
            value = model.parameters[self.variable].text
            raise ValueError(
                f"{what} needs a value of its own for every cell, but all have one; create the population with spread={{{self.variable!r}: {value}}}"
            )
        if self.variable not in model.variables:
            raise ValueError(f"{what} is about no state variable of {model.name!r}.{near(self.variable, model.variables)}")
        if model.lines[self.variable].kind == "differential":
            raise ValueError(
                f"{what} and the equation d{self.variable}/dt would both change it; name a parameter, or what only statements change"
            )
        if self._dimensions is not model.variables[self.variable]:
            units = unit_name(self._dimensions), unit_name(model.variables[self.variable])
            raise TypeError(f"values of {what} have the unit {units[0]}, but it has {units[1]}; give them in that")
        check_divisor(model, self.variable, model.variables[self.variable], np.asarray(self.values, dtype=float), what)

    def ledgers(self, circuit) -> dict[str, list[Ledger]]:
        """Return with which value of the variable cells are born, by population."""
        first = float(self._at(np.zeros(1))[0])
        return {self.population: [Ledger(self.variable, quantity(first, self._dimensions), "first", state=True)]}

    def keep(self, circuit, recording) -> dict[tuple[str, str], np.ndarray]:
        """Return the value of the variable in each cell, for the epoch to come."""
        cells = circuit[self.population].cells
        age = circuit.epoch + 1 - cells["birth"] + np.where(cells["birth"] == 0, self.founders, 0.0)
        growing = age - 1 < self.ages[-1]  # at its last boundary a cell still gets the last value
        return {(self.population, self.variable): np.where(growing, self._at(age), cells[self.variable])}

    @property
    def _dimensions(self):
        return get_dimensions(self.values[0])

    def _at(self, age: np.ndarray) -> np.ndarray:
        return np.interp(age, np.asarray(self.ages, dtype=float), np.asarray(self.values, dtype=float))
