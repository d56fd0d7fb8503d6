"""The table `time_step` of a cell: the longest time step that it was found to allow, and how that was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neurosim.expressions import TEXT_ERRORS, evaluate
from neurosim.models.files import compare_keys
from neurosim.units import DIMENSIONLESS, Dimension, Quantity, amp, get_dimensions, second, unit_name

ALLOWED = 0.01  # of the mean interspike interval: its error at the time step that is advised
_KEYS = {"advised": second.dim, "current": amp.dim, "duration": second.dim, "error": DIMENSIONLESS}


@dataclass(frozen=True)
class TimeStepAdvice:
    """Hold the longest time step `advised`, the relative `error` of the mean interspike interval at it, and how it was found.

    Measured by `neurosim.time_step_errors`, under a step of `current` and noise around it, for `duration` each.
    """

    advised: Quantity
    error: float
    current: Quantity
    duration: Quantity


def read_advice(tables: Mapping[str, Any], names: Mapping[str, Any], where: str) -> TimeStepAdvice | None:
    """Read the table `time_step` of a cell, None where it has none.

    Texts are evaluated with the cell's parameters. Raises ValueError for a key that is missing or unknown, a text that cannot be read
    or has another dimension, a time that is not above 0, and an error of more than 1 %.
    """
    table, at = tables.get("time_step"), f"{where}: [time_step]"
    if table is None:
        return None
    if not isinstance(table, Mapping):
        raise ValueError(f"{at} is {table!r}; make it a table, [time_step].")
    compare_keys(table, (_KEYS, ()), at)
    read = {key: _number(key, table[key], dimensions, names, at) for key, dimensions in _KEYS.items()}
    for key in ("advised", "duration"):
        if not read[key] > 0 * second:
            raise ValueError(f"{at} {key} is {table[key]!r}; give a time above 0.")
    if not 0 <= read["error"] <= ALLOWED:
        raise ValueError(f"{at} error is {table['error']!r}; a time step is advised only where that is from 0 to {ALLOWED:g}.")
    return TimeStepAdvice(**read)


def _number(key: str, text: Any, dimensions: Dimension, names: Mapping[str, Any], at: str) -> Any:
    try:
        value = evaluate(str(text), names)
    except TEXT_ERRORS as error:
        raise ValueError(f"{at} {key}: {error}") from None
    if get_dimensions(value) is not dimensions:
        raise ValueError(f"{at} {key} is {text!r}, but it needs the unit {unit_name(dimensions)}.")
    return float(value) if dimensions is DIMENSIONLESS else value
