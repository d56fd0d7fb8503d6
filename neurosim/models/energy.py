"""What a cell spends, in molecules of ATP: as time passes, for each spike or as its sodium current tells, and for each synaptic event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.expressions import TEXT_ERRORS, parse_unit_text
from neurosim.models.extension import Extension, extended
from neurosim.models.files import compare_keys
from neurosim.models.scope import Equation, Scope
from neurosim.units import DIMENSIONLESS, Hz, amp, get_dimensions, second, unit_name

ELEMENTARY_CHARGE = 1.602176634e-19  # coulomb, exact: SI Brochure 2019
IONS_PER_ATP = 3  # sodium ions that the pump carries out for each molecule: Attwell & Laughlin 2001, doi:10.1097/00004647-200110000-00001
INFLUX = "sodium"  # the state variable of a cell that counts its sodium influx
CHARGE = (amp * second).dim
UNITS = {"per_time": Hz.dim, "per_spike": DIMENSIONLESS, "per_event": DIMENSIONLESS}


@dataclass(frozen=True)
class Costs:
    """Hold the table `energy` of a cell: ATP a second, ATP for each spike that it emits and for each that one of its synapses receives.

    `sodium` is the expression of the inward sodium current of a biophysical cell, in amp, which then tells what spikes cost.
    """

    per_time: float = 0.0
    per_spike: float = 0.0
    per_event: float = 0.0
    sodium: str = ""


def read_costs(tables: Mapping[str, Any], where: str) -> Costs:
    """Read the table `energy` of a cell; raises ValueError for a value without source or unit, below 0, or that `sodium` stands for."""
    table, at = tables.get("energy", {}), f"{where}: [energy]"
    if not isinstance(table, Mapping):
        raise ValueError(f"{at} is {table!r}; make it a table, [energy].")
    compare_keys(table, ((), (*UNITS, "sodium")), at)
    if "sodium" in table and "per_spike" in table:
        raise ValueError(
            f"{at} has both sodium and per_spike, but what the sodium current carries in is what spikes cost; give one of them."
        )
    if not isinstance(table.get("sodium", ""), str):
        raise ValueError(f"{at} sodium is {table['sodium']!r}; give the expression of a current as text.")
    return Costs(**{name: _cost(table[name], name, f"{at} {name}") for name in UNITS if name in table}, sodium=table.get("sodium", ""))


def check_costs(costs: Costs, scope: Scope) -> None:
    """Raise ValueError unless the sodium current is a current of what the equations of the cell know."""
    if costs.sodium:
        scope.check(costs.sodium, amp.dim, "[energy] sodium")


def with_influx(tables: Mapping[str, Any], costs: Costs) -> dict[str, Any]:
    """Return the tables of a cell with a state variable that counts the charge of its sodium influx; raises ValueError where none is told."""
    if not costs.sodium:
        raise ValueError(
            f"cell model '{tables['name']}' does not say which of its currents is sodium; add sodium to its table [energy], or count spikes."
        )
    influx = Equation("differential", costs.sodium, CHARGE, ())
    return extended(tables, Extension("its table [energy]", {INFLUX: influx}, {INFLUX: f"0*{unit_name(CHARGE)}"}, {}))


def atp_of(charge: np.ndarray) -> np.ndarray:
    """Return the molecules of ATP that carry a charge (coulomb) of sodium out again (Attwell & Laughlin 2001)."""
    return charge / (IONS_PER_ATP * ELEMENTARY_CHARGE)


def _cost(entry: Any, name: str, where: str) -> float:
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where} is {entry!r}; write it as {{ value = ..., source = ... }}.")
    compare_keys(entry, (("value", "source"), ()), where)
    if not str(entry["source"]).strip():
        raise ValueError(f"{where} has an empty source; say where the number comes from, or that it is chosen and why.")
    try:
        value = parse_unit_text(entry["value"])
    except TEXT_ERRORS as error:
        raise ValueError(f"{where}: value: {error}") from None
    if get_dimensions(value) is not UNITS[name]:
        raise ValueError(
            f"{where}: value is {entry['value']!r}, but molecules of ATP{' in a time' if name == 'per_time' else ''} need the unit {unit_name(UNITS[name])}."
        )
    if not 0 <= float(value) < np.inf:
        raise ValueError(f"{where}: value is {entry['value']!r}; a cost is 0 or more.")
    return float(value)
