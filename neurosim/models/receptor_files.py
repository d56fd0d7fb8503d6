"""Receptors as files: conductances with published kinetics that any cell with an injected current can take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurosim.errors import near
from neurosim.expressions import names_in, statements
from neurosim.models.extension import Extension, extended
from neurosim.models.files import check_keys, read
from neurosim.models.scope import HELD, parse_equations
from neurosim.units import amp, unit_name

KEYS = {
    "": ({"name", "summary", "references", "current", "equations", "initial", "parameters", "receptors"}, set()),
    "parameters.": ({"value", "meaning", "source"}, set()),
    "receptors.": ({"meaning"}, {"variable", "effect", "sign"}),
}


def with_receptor(tables: Mapping[str, Any], name_or_path: str | Path) -> dict[str, Any]:
    """Return the tables of a cell with a receptor, a catalogue name or the path of a file, whose current joins the injected current I_e.

    Raises what reading a model file raises, and ValueError where the cell is a source, has the receptor already, or lacks I_e.
    """
    receptor, where = read("receptors", name_or_path)
    check_keys(receptor, KEYS, where)
    extension = _extension(receptor, where)
    cell = f"cell model '{tables['name']}'"
    if tables.get("source"):
        raise ValueError(f"{cell} is a source of spikes and has no membrane; give {extension.origin} to the cells that it drives.")
    for name in sorted(set(receptor["receptors"]) & set(tables["receptors"])):
        raise ValueError(f"{cell} has a receptor '{name}' already; leave {extension.origin} out.")
    grown = extended(tables, extension)
    grown["references"] = list(dict.fromkeys([*tables["references"], *receptor["references"]]))
    return grown


def _extension(receptor: Mapping[str, Any], where: str) -> Extension:
    """Read what a receptor file adds to a cell; raises ValueError for a current that is none and for a parameter that nothing uses."""
    lines = parse_equations(receptor["equations"], (HELD,), where)
    current, derived = receptor["current"], {name: line for name, line in lines.items() if line.kind == "subexpression"}
    if current not in derived:
        raise ValueError(f"{where}: current is {current!r}, which the equations do not derive.{near(str(current), derived)}")
    if derived[current].dimensions is not amp.dim:
        raise ValueError(
            f"{where}: current {current} has the unit {unit_name(derived[current].dimensions)}; it joins I_e, which is in amp."
        )
    texts = [line.expression for line in lines.values() if line.expression] + list(receptor["initial"].values())
    texts += [line.expression for entry in receptor["receptors"].values() for line in statements(entry.get("effect", ""))]
    for name in sorted(set(receptor["parameters"]) - {name for text in texts for name in names_in(text)}):
        raise ValueError(f"{where}: parameter '{name}' is never used; use it or remove it.")
    return Extension(
        f"receptor '{receptor['name']}'",
        lines,
        receptor["initial"],
        receptor["parameters"],
        receptors=receptor["receptors"],
        current=current,
    )
