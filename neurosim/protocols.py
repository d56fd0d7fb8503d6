"""Experiments that a model file may name in its `[[expected]]` rows, and how such a row is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from neurosim.errors import near
from neurosim.expressions import TEXT_ERRORS, evaluate
from neurosim.model_files import compare_keys
from neurosim.units import DIMENSIONLESS, Dimension, Hz, Quantity, amp, get_dimensions, second, unit_name, volt


@dataclass(frozen=True)
class Protocol:
    """An experiment on one cell: its settings (name -> dimensions, None for a name) and what it may measure.

    `measures` is None where any subexpression of the cell can be measured.
    """

    required: Mapping[str, Dimension | None]
    optional: Mapping[str, Dimension | None]
    measures: Mapping[str, Dimension] | None


_TIME, _VOLTAGE, _CURRENT = second.dim, volt.dim, amp.dim
_SETTLE = {"settle": _TIME}
# Time zero is the onset; the cell starts from its initial values `settle` (default 0) before. A spike is what the cell's own rule
# says. `height`, `trough` and `peak_time` are read from v after the onset; `height` is above v at the onset and `half_width` is the
# time spent above half of it. `rate` is 1 / mean interspike interval of the spikes after `after` (default 0), 0 with fewer than two.
# `psp_peak` is the largest deviation of v, with its sign, after one spike at `receptor` (`weight` default: the receptor's unitary).
PROTOCOLS: Mapping[str, Protocol] = {
    "rest": Protocol({"duration": _TIME}, {}, {"resting_potential": _VOLTAGE}),
    "rate_functions": Protocol({"v": _VOLTAGE}, {}, None),
    "step_current": Protocol(
        {"amplitude": _CURRENT, "duration": _TIME}, {**_SETTLE, "after": _TIME}, {"rate": Hz.dim, "spike_count": DIMENSIONLESS}
    ),
    "current_pulse": Protocol(
        {"amplitude": _CURRENT, "duration": _TIME, "observe": _TIME},
        _SETTLE,
        {"peak": _VOLTAGE, "height": _VOLTAGE, "trough": _VOLTAGE, "half_width": _TIME, "spike_count": DIMENSIONLESS},
    ),
    "voltage_displacement": Protocol(
        {"displacement": _VOLTAGE, "observe": _TIME},
        _SETTLE,
        {"peak": _VOLTAGE, "height": _VOLTAGE, "peak_time": _TIME, "spike_count": DIMENSIONLESS},
    ),
    "psp": Protocol({"receptor": None, "observe": _TIME}, {**_SETTLE, "weight": None}, {"psp_peak": _VOLTAGE}),
}
_COMMON = ({"protocol", "measure", "value", "tolerance", "source"}, {"dt", "parameters"})


@dataclass(frozen=True)
class Expected:
    """A published or computed answer of a cell: measure `measure` under `protocol` is `value` within `tolerance`.

    `settings` holds the protocol's quantities (a name for `receptor`, and "unitary" for `weight` where none is given);
    `parameters` those of the cell that differ from its file. All as quantities; `dt` is the time step.
    """

    protocol: str
    settings: Mapping[str, Any]
    measure: str
    value: Any
    tolerance: Any
    dt: Quantity
    parameters: Mapping[str, Any]
    source: str


def read_expected(row: Mapping[str, Any], cell: Any, where: str) -> Expected:
    """Read one `[[expected]]` row of a cell model.

    Texts are evaluated with the cell's parameters, those of the row's own `parameters` first. A tolerance ending in %
    is relative to the value. Raises ValueError naming `where` and the key.
    """
    name = str(row.get("protocol"))
    if name not in PROTOCOLS:
        raise ValueError(f"{where}: protocol is {name!r}, which is not known.{near(name, PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    settings = {**protocol.required, **protocol.optional}
    compare_keys(row, (_COMMON[0] | set(protocol.required), _COMMON[1] | set(protocol.optional)), where)
    try:
        changes = {key: evaluate(str(text), cell.namespace()) for key, text in row.get("parameters", {}).items()}
        names = (cell.replace(**changes) if changes else cell).namespace()
    except TEXT_ERRORS as error:
        raise ValueError(f"{where}: parameters: {error}") from None

    def number(key: str, dimensions: Dimension, text: Any) -> Any:
        """Evaluate one key of the row and check its dimensions."""
        try:
            value = evaluate(str(text), names)
        except TEXT_ERRORS as error:
            raise ValueError(f"{where}: {key}: {error}") from None
        if get_dimensions(value) is not dimensions:
            raise ValueError(f"{where}: {key} is {text!r}, but it needs the unit {unit_name(dimensions)}.")
        return value if dimensions is not DIMENSIONLESS else float(value)

    measured = _measured(protocol, str(row["measure"]), cell, where)
    value = number("value", measured, row["value"])
    tolerance = str(row["tolerance"])
    return Expected(
        protocol=name,
        settings=_settings(row, settings, cell, where, number),
        measure=row["measure"],
        value=value,
        tolerance=abs(value) * number("tolerance", DIMENSIONLESS, tolerance[:-1]) / 100
        if tolerance.endswith("%")
        else number("tolerance", measured, tolerance),
        dt=number("dt", second.dim, row.get("dt", "0.1*ms")),
        parameters=changes,
        source=str(row["source"]),
    )


def _measured(protocol: Protocol, measure: str, cell: Any, where: str) -> Dimension:
    measures = cell.subexpressions if protocol.measures is None else protocol.measures
    if measure not in measures:
        raise ValueError(f"{where}: measure is {measure!r}, which this protocol does not give.{near(measure, measures)}")
    return measures[measure]


def _settings(row: Mapping[str, Any], kinds: Mapping[str, Dimension | None], cell: Any, where: str, number: Callable) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key, dimensions in kinds.items():
        if key == "receptor":
            receptor = cell.receptors.get(str(row[key]))
            if receptor is None or receptor.kind != "jump":
                options = [name for name, other in cell.receptors.items() if other.kind == "jump"]
                raise ValueError(f"{where}: receptor is {row[key]!r}, which takes no spikes.{near(str(row[key]), options)}")
            settings[key] = row[key]
            weight = row.get("weight", "unitary")
            if weight == "unitary" and receptor.unitary is None:
                raise ValueError(f"{where}: receptor '{row[key]}' has no unitary strength; give a weight.")
            settings["weight"] = weight if weight == "unitary" else number("weight", receptor.dimensions, weight)
        elif key in row and key != "weight":
            settings[key] = number(key, dimensions, row[key])
    return settings
