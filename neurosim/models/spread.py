"""Parameters of which every cell has its own value: state variables that nothing changes, so that they are kept, copied and stored as state is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from neurosim.models.parts import Parameter, read_parameters
from neurosim.units import DIMENSIONLESS, unit_name


def read_per_cell(tables: Mapping[str, Any], where: str) -> dict[str, Parameter]:
    """Read the parameters of a cell whose entries say ``spread = true``; raises ValueError for another word."""
    entries = tables.get("parameters", {})
    for name, entry in entries.items():
        if not isinstance(entry.get("spread", False), bool):
            raise ValueError(f"{where}: [parameters] {name}: spread is {entry['spread']!r}; give true where every cell has its own value.")
    chosen = {name: entry for name, entry in entries.items() if entry.get("spread")}
    return dict(read_parameters({"parameters": chosen}, where)[0])


def spread_out(tables: Mapping[str, Any], per_cell: Mapping[str, Parameter]) -> dict[str, Any]:
    """Return the tables of a cell with these parameters among its state variables, before all others."""
    if not per_cell:
        return dict(tables)
    lines = [
        f"{name} : {unit_name(one.dimensions) if one.dimensions is not DIMENSIONLESS else 1} (constant)" for name, one in per_cell.items()
    ]
    return {
        **tables,
        "equations": "\n".join([tables["equations"].rstrip("\n"), *lines, ""]),
        "parameters": {name: entry for name, entry in tables["parameters"].items() if name not in per_cell},
        "initial": {**{name: one.text for name, one in per_cell.items()}, **tables["initial"]},
        "receptors": {name: _of_target(entry, per_cell) for name, entry in tables["receptors"].items()},
    }


def _of_target(receptor: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """What a receptor does, with the cell's own values where those of all cells stood."""
    if "effect" not in receptor:
        return dict(receptor)
    return {**receptor, "effect": re.sub(rf"\b({'|'.join(names)})\b", r"\1_post", receptor["effect"])}
