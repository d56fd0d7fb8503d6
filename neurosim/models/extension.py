"""Additions to a cell: state variables, currents and receptors that files other than its own bring along."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurosim.expressions import TEXT_ERRORS, parse_unit_text, statements
from neurosim.models.scope import HELD, Equation, parse_equations
from neurosim.units import DIMENSIONLESS, unit_name

CELL_FLAGS = ("unless refractory", HELD)


@dataclass(frozen=True)
class Extension:
    """Hold what is added to the tables of a cell.

    `equations` are lines by name, `initial` their first values, `parameters` entries as files write them, `on_spike` statements at
    each spike, `receptors` entries of receptors, `current` an expression in amp that joins the injected current I_e. `origin` names
    what asks for all that.
    """

    origin: str
    equations: Mapping[str, Equation]
    initial: Mapping[str, str]
    parameters: Mapping[str, Mapping[str, Any]]
    on_spike: str = ""
    receptors: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    current: str = ""


def extended(tables: Mapping[str, Any], extension: Extension) -> dict[str, Any]:
    """Return the tables of a cell with an extension; what the cell has already, word for word, is not added again.

    Raises ValueError where the cell has something else under the same name, or no injected current for a current to join.
    """
    what = f"cell model '{tables['name']}'"
    if tables.get("source"):
        raise ValueError(f"{what} is a source of spikes and keeps nothing; give what {extension.origin} needs to the cells that it drives.")
    lines = parse_equations(tables["equations"], (*CELL_FLAGS, "constant"), what)
    new = {name: line for name, line in extension.equations.items() if not _there(name, line, lines.get(name), what, extension.origin)}
    parameters = dict(tables["parameters"])
    for name, entry in extension.parameters.items():
        _there(name, _value(entry), _value(parameters.get(name)), what, extension.origin)
        parameters.setdefault(name, dict(entry))
    receptors = dict(tables["receptors"])
    for name, entry in extension.receptors.items():
        _there(name, dict(entry), receptors.get(name), what, extension.origin)
        receptors[name] = dict(entry)
    for name, text in extension.initial.items():
        if name in tables["initial"] and _first(text) != _first(tables["initial"][name]):
            raise ValueError(
                f"{what} begins with {name} = {tables['initial'][name]} and {extension.origin} with {text}; give them the same first value."
            )
    equations = tables["equations"].rstrip("\n")
    if extension.current and new:
        equations = _joined(equations, extension, what)
    return {
        **tables,
        "equations": "\n".join([equations, *(line_text(name, line) for name, line in new.items()), ""]),
        "initial": {**tables["initial"], **{name: text for name, text in extension.initial.items() if name not in tables["initial"]}},
        "parameters": parameters,
        "receptors": receptors,
        "spike": {**tables["spike"], **_on_spike(tables["spike"], extension, what)},
    }


def line_text(name: str, line: Equation) -> str:
    """Write an equation as a file would."""
    unit = "1" if line.dimensions is DIMENSIONLESS else unit_name(line.dimensions)
    head = {"differential": f"d{name}/dt = {line.expression}", "subexpression": f"{name} = {line.expression}", "variable": name}[line.kind]
    flags = f" ({', '.join(line.flags)})" if line.flags else ""
    return f"{head} : {unit}{flags}"


def _there(name: str, wanted, found, what: str, origin: str) -> bool:
    """Tell whether something is there already; raise ValueError where it is something else."""
    if found is None or wanted == found:
        return found is not None
    found, wanted = (line_text(name, one) if isinstance(one, Equation) else one for one in (found, wanted))
    raise ValueError(f"{what} has another '{name}' than {origin} needs ({found} and {wanted}); give them the same one, or rename it.")


def _value(entry: Mapping[str, Any] | None):
    return None if entry is None else parse_unit_text(entry["value"])


def _first(text: str):
    """A first value that can be compared: a quantity where it needs no names, else the text."""
    try:
        return parse_unit_text(text)
    except TEXT_ERRORS:
        return text.replace(" ", "")


def _joined(equations: str, extension: Extension, what: str) -> str:
    changed, count = re.subn(r"\bI_e\b", f"(I_e + {extension.current})", equations)
    if not count:
        raise ValueError(f"{what} has no injected current I_e that {extension.origin} could join; add I_e to dv/dt and to its receptors.")
    return changed


def _on_spike(spike: Mapping[str, str], extension: Extension, what: str) -> dict[str, str]:
    """Return the statements at each spike with those added; raise ValueError where two would change one variable in different ways."""
    present = statements(spike.get("on_spike", ""))
    lines = [line for line in extension.on_spike.splitlines() if line.strip() and not set(statements(line)) <= set(present)]
    for line in lines:
        for one in statements(line):
            if one.target in {other.target for other in present}:
                raise ValueError(
                    f"{what} changes '{one.target}' at each spike in another way than {extension.origin} ({line.strip()}); give them the same statement, or rename it."
                )
    both = "\n".join([*spike.get("on_spike", "").strip().splitlines(), *(line.strip() for line in lines)])
    return {"on_spike": both} if both else {}
