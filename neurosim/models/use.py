"""How often a synapse is used: presynaptic spikes in the time since it was made, for statements that read ``use``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

COUNT = "uses += 1"
BLOCKS = ("on_pre", "on_post", "on_step")


def reads_use(tables: Mapping[str, Any]) -> bool:
    """Tell whether statements of a synapse read how often it is used."""
    return any(re.search(r"\buse\b", tables.get(block, "")) for block in BLOCKS)


def with_count(tables: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the tables of a synapse with a count of the spikes that reached it, where its statements read ``use``."""
    if not reads_use(tables) or tables["on_pre"].startswith(COUNT):
        return dict(tables)
    if "uses" in tables.get("initial", {}):
        raise ValueError(f"{where}: equation of 'uses': the name counts what `use` is worked out from; choose another.")
    return {
        **tables,
        "equations": "\n".join([tables.get("equations", "").rstrip("\n"), "uses : 1", ""]),
        "initial": {**tables.get("initial", {}), "uses": "0"},
        "on_pre": f"{COUNT}\n{tables['on_pre']}",
    }
