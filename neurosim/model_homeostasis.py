"""What holds the incoming weights of each cell: normalisation of their sum, or scaling of all of them to a target rate.

Either can be asked of any plastic synapse, with ``normalise``; the parameters and what the cells have to keep join the synapse's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosim.errors import near

_INTERVAL = {
    "value": "inf*second",
    "meaning": "time between two normalisations, besides those at stimulus onsets",
    "source": "chosen: at stimulus onsets alone",
}
_SUM = {
    "w_total": {"dimension": "weight", "meaning": "sum to which the incoming weights of a cell are scaled (share * weight)"},
    "interval": _INTERVAL,
}
_RATE = {
    "target_rate": {"value": "5*Hz", "meaning": "rate of a cell at which its weights stay", "source": "van Rossum et al. 2000, doi:10.1523/JNEUROSCI.20-23-08812.2000: a goal activity; its value is chosen"},
    "tau_scaling": {"value": "100*second", "meaning": "time constant of the scaling: that of a silent cell's growing weights", "source": "chosen: hours in Turrigiano et al. 1998 (doi:10.1038/36103), compressed"},
    "tau_rate": {"value": "1*second", "meaning": "time over which the rate of a cell is averaged", "source": "chosen: many intervals between spikes"},
    "interval": {**_INTERVAL, "value": "1*second", "source": "chosen: a hundredth of tau_scaling"},
}  # fmt: skip
_RATE_KEPT = {"equations": "drate/dt = -rate/tau_rate : Hz", "initial": {"rate": "target_rate"}, "on_spike": "rate += 1/tau_rate"}
KINDS = {"incoming": (_SUM, None), "rate": (_RATE, _RATE_KEPT)}


def completed(tables: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the tables of a synapse with what its ``normalise`` needs; raises ValueError for an unknown kind."""
    kind = tables.get("normalise")
    if kind is None:
        return dict(tables)
    if kind not in KINDS:
        raise ValueError(f'{where}: normalise is \'{kind}\'; give "incoming" or "rate", or leave it out.{near(kind, KINDS)}')
    parameters, kept = KINDS[kind]
    full = {**tables, "parameters": {**parameters, **tables.get("parameters", {})}}
    if kept is None:
        return full
    post = tables.get("post", {"equations": "", "initial": {}})
    if "rate" in post["initial"]:
        return full
    joined = {key: "\n".join(filter(None, [post.get(key, "").strip(), kept[key]])) for key in ("equations", "on_spike")}
    return {**full, "post": {**post, **joined, "initial": {**post["initial"], **kept["initial"]}}}
