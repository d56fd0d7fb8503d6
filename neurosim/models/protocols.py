"""Experiments that a model file may name in its `[[expected]]` rows, and how such a row is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from neurosim.errors import near
from neurosim.expressions import TEXT_ERRORS, evaluate
from neurosim.models.files import compare_keys
from neurosim.units import DIMENSIONLESS, Dimension, Hz, Quantity, amp, get_dimensions, second, unit_name, volt


@dataclass(frozen=True)
class Protocol:
    """An experiment on one cell: its settings (name -> dimensions, None for a name) and what it may measure.

    `measures` is None where any subexpression of the cell can be measured; one whose dimensions are None is a name.
    """

    required: Mapping[str, Dimension | None]
    optional: Mapping[str, Dimension | None]
    measures: Mapping[str, Dimension | None] | None


# What `neurosim.measures.firing_pattern` may call a response; "pattern" measures it from the onset to the end of the step.
PATTERNS = (
    "silent",
    "transient",
    "undetermined",
    "tonic",
    "adapting",
    "accelerating",
    "delayed accelerating",
    "initial burst",
    "regular bursting",
    "delayed regular bursting",
    "irregular",
)
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
        {"amplitude": _CURRENT, "duration": _TIME},
        {**_SETTLE, "after": _TIME},
        {"rate": Hz.dim, "spike_count": DIMENSIONLESS, "pattern": None},
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
_COMMON = ({"protocol", "measure", "value", "source"}, {"dt", "parameters", "set"})


@dataclass(frozen=True)
class Expected:
    """A published or computed answer of a cell: measure `measure` under `protocol` is `value` within `tolerance`.

    `settings` holds the protocol's quantities (a name for `receptor`, and "unitary" for `weight` where none is given);
    `parameters` those of the cell that differ from its file, those of the parameter set `set` among them. All as quantities; `dt` is
    the time step. `value` is a text and `tolerance` is None where the measure is "pattern".
    """

    protocol: str
    settings: Mapping[str, Any]
    measure: str
    value: Any
    tolerance: Any
    dt: Quantity
    parameters: Mapping[str, Any]
    set: str | None
    source: str


def read_expected(row: Mapping[str, Any], cell: Any, where: str) -> Expected:
    """Read one `[[expected]]` row of a cell model.

    Texts are evaluated with the cell's parameters, those of the row's own `parameters` first, those of its `set` next. A tolerance
    ending in % is relative to the value. Raises ValueError naming `where` and the key.
    """
    name = str(row.get("protocol"))
    if name not in PROTOCOLS:
        raise ValueError(f"{where}: protocol is {name!r}, which is not known.{near(name, PROTOCOLS)}")
    protocol = PROTOCOLS[name]
    settings = {**protocol.required, **protocol.optional}
    measured = _measured(protocol, str(row.get("measure")), cell, where) if "measure" in row else DIMENSIONLESS
    needed = {"tolerance"} if measured is not None else set()
    compare_keys(row, (_COMMON[0] | needed | set(protocol.required), _COMMON[1] | set(protocol.optional)), where)
    chosen = _chosen(row, cell, where)
    names = {**cell.namespace(), **chosen}
    try:
        changes = {key: evaluate(str(text), names) for key, text in row.get("parameters", {}).items()}
        if changes:
            cell.replace(**changes)  # which checks their names and units
    except TEXT_ERRORS as error:
        raise ValueError(f"{where}: parameters: {error}") from None
    names |= changes

    def number(key: str, dimensions: Dimension, text: Any) -> Any:
        """Evaluate one key of the row and check its dimensions."""
        try:
            value = evaluate(str(text), names)
        except TEXT_ERRORS as error:
            raise ValueError(f"{where}: {key}: {error}") from None
        if get_dimensions(value) is not dimensions:
            raise ValueError(f"{where}: {key} is {text!r}, but it needs the unit {unit_name(dimensions)}.")
        return value if dimensions is not DIMENSIONLESS else float(value)

    value, tolerance = _answer(row, measured, number, where)
    return Expected(
        protocol=name,
        settings=_settings(row, settings, cell, where, number),
        measure=row["measure"],
        value=value,
        tolerance=tolerance,
        dt=number("dt", second.dim, row.get("dt", "0.1*ms")),
        parameters={**chosen, **changes},
        set=row.get("set"),
        source=str(row["source"]),
    )


def _chosen(row: Mapping[str, Any], cell: Any, where: str) -> Mapping[str, Any]:
    """The values of the parameter set that a row names."""
    if "set" not in row:
        return {}
    if row["set"] not in cell.sets:
        raise ValueError(f"{where}: set is {row['set']!r}, which the cell lacks.{near(str(row['set']), cell.sets)}")
    return cell.sets[row["set"]].values


def _answer(row: Mapping[str, Any], measured: Dimension | None, number: Callable, where: str) -> tuple[Any, Any]:
    """The value of a row and its tolerance."""
    if measured is None:
        if row["value"] not in PATTERNS:
            raise ValueError(f"{where}: value is {row['value']!r}, which is no firing pattern.{near(str(row['value']), PATTERNS)}")
        return row["value"], None
    value, tolerance = number("value", measured, row["value"]), str(row["tolerance"])
    if tolerance.endswith("%"):
        return value, abs(value) * number("tolerance", DIMENSIONLESS, tolerance[:-1]) / 100
    return value, number("tolerance", measured, tolerance)


def _measured(protocol: Protocol, measure: str, cell: Any, where: str) -> Dimension | None:
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
