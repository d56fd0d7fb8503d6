"""The units of the library (Brian2's) and the step between a quantity and its plain SI number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
from brian2 import DimensionMismatchError, Quantity, get_dimensions
from brian2.units import (
    Hz,
    Mohm,
    amp,
    cm,
    farad,
    kelvin,
    kHz,
    kilogram,
    kohm,
    metre,
    mm,
    mole,
    ms,
    msiemens,
    mV,
    nA,
    nF,
    nS,
    ohm,
    pA,
    pF,
    second,
    siemens,
    uA,
    uF,
    um,
    uS,
    us,
    volt,
)
from brian2.units.allunits import uvolt as uV
from brian2.units.fundamentalunits import DIMENSIONLESS, Dimension, get_or_create_dimension

# the last of each row is the one that errors propose
UNITS: Mapping[str, Quantity] = MappingProxyType(
    {
        "amp": amp,
        "uA": uA,
        "nA": nA,
        "pA": pA,
        "volt": volt,
        "uV": uV,
        "mV": mV,
        "siemens": siemens,
        "msiemens": msiemens,
        "uS": uS,
        "nS": nS,
        "farad": farad,
        "uF": uF,
        "nF": nF,
        "pF": pF,
        "second": second,
        "us": us,
        "ms": ms,
        "metre": metre,
        "cm": cm,
        "mm": mm,
        "um": um,
        "kHz": kHz,
        "Hz": Hz,
        "ohm": ohm,
        "kohm": kohm,
        "Mohm": Mohm,
        "kelvin": kelvin,
        "kilogram": kilogram,
        "mole": mole,
    }
)
SI_UNITS: Mapping[str, float] = MappingProxyType({name: float(unit) for name, unit in UNITS.items()})
_BASE = ("metre", "kilogram", "second", "amp", "kelvin", "mole", "candela")
_NAMED = ("volt", "siemens", "farad", "ohm", "Hz", *_BASE[:-1])

__all__ = [
    *UNITS,
    "DIMENSIONLESS",
    "Dimension",
    "DimensionMismatchError",
    "Quantity",
    "SI_UNITS",
    "UNITS",
    "get_dimensions",
    "quantity",
    "exponents",
    "from_exponents",
    "to_si",
    "unit_name",
    "whole_steps",
]


@cache
def unit_name(dimensions: Dimension) -> str:
    """Name the SI unit of some dimensions as a model file would write it, such as "siemens", "farad/metre**2" or "1"."""
    if dimensions is DIMENSIONLESS:
        return "1"
    for name in _NAMED:
        for divisor, suffix in ((1, ""), (metre**2, "/metre**2"), (second, "/second")):
            if (UNITS[name] / divisor).dim is dimensions:
                return name + suffix
    exponents = zip(_BASE, dimensions._dims)
    return "*".join(base if power == 1 else f"{base}**{power:g}" for base, power in exponents if power)


def exponents(dimensions: Dimension) -> list[float]:
    """Return dimensions as the exponents of the seven base units, for a file."""
    return [float(power) for power in dimensions._dims]


def from_exponents(powers: list[float]) -> Dimension:
    """Return the dimensions with these exponents of the seven base units."""
    return get_or_create_dimension(powers)


def quantity(si_value: Any, dimensions: Dimension) -> Quantity:
    """Give SI numbers (a float or an array) their dimensions."""
    return Quantity(si_value, dim=dimensions)


def to_si(value: Any, unit: Any, what: str) -> Any:
    """Return the SI number of a quantity that must have the dimension of `unit`.

    `value` is a quantity or, where `unit` is 1, a plain number; a float comes back for a scalar and a float64 array
    otherwise. `what` names the value in errors. Raises TypeError for a wrong dimension and ValueError for something
    that is not a number or is NaN.
    """
    wanted = unit if isinstance(unit, Dimension) else get_dimensions(unit)
    try:
        value = Quantity(value) if isinstance(value, (list, tuple)) else value
        numbers = np.asarray(value)
    except (TypeError, ValueError, DimensionMismatchError):
        numbers = np.asarray(None)
    if numbers.dtype.kind not in "iuf":
        raise ValueError(f"{what} is {value!r}, which is not a number; give {_example(wanted)}.")
    numbers = numbers.astype(np.float64)
    found = get_dimensions(value)
    if found is not wanted:
        raise TypeError(
            f"{what} is {_on_one_line(value)}{' without a unit' if found is DIMENSIONLESS else ''}, but it needs "
            f"{'no unit' if wanted is DIMENSIONLESS else 'the dimension of ' + unit_name(wanted)}; give {_example(wanted)}."
        )
    if np.isnan(numbers).any():
        raise ValueError(f"{what} is {_on_one_line(value)}; NaN is not a value, give {_example(wanted)}.")
    return float(numbers) if numbers.ndim == 0 else numbers


def whole_steps(time: Quantity, dt: float, what: str) -> int:
    """Return a time as a whole number of time steps; raise ValueError for a time below 0 or off the grid."""
    si = to_si(time, second, what)
    steps = round(si / dt) if np.isfinite(si) else -1
    if steps < 0 or abs(si - steps * dt) > 1e-6 * dt:
        raise ValueError(f"{what} is {time}; give a whole multiple of dt = {dt * 1e3:g} ms, 0 or more")
    return steps


def _on_one_line(value: Any) -> str:
    return " ".join(str(value).split())


def _example(dimensions: Dimension) -> str:
    if dimensions is DIMENSIONLESS:
        return "a plain number"
    names = [name for name, unit in UNITS.items() if unit.dim is dimensions]
    return f"a number times {names[-1] if names else unit_name(dimensions)}"
