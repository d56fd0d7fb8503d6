"""What holds the incoming weights of each cell: normalisation of their sum, or scaling of all of them to a target rate.

Either can be asked of any synapse, with ``normalise``; the parameters and what the cells have to keep join the synapse's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurosim.errors import near
from neurosim.units import Hz, second, unit_name

_INTERVAL = {
    "value": "inf*second",
    "meaning": "time between two normalisations, besides those at stimulus onsets",
    "source": "chosen: at stimulus onsets alone",
}
_SUM = {
    "w_total": {"dimension": "weight", "meaning": "sum to which the incoming weights of a cell are scaled (share * weight, without their signs)"},
    "interval": _INTERVAL,
}  # fmt: skip
_RATE = {
    "target_rate": {"value": "5*Hz", "meaning": "rate of a cell at which its weights stay; each cell has this target, however many there are", "source": "van Rossum et al. 2000, doi:10.1523/JNEUROSCI.20-23-08812.2000: a goal activity; its value is chosen"},
    "tau_scaling": {"value": "100*second", "meaning": "time constant of the scaling: that of a silent cell's growing weights", "source": "chosen: hours in Turrigiano et al. 1998 (doi:10.1038/36103), compressed"},
    "tau_rate": {"value": "1*second", "meaning": "time over which the rate of a cell is averaged", "source": "chosen: many intervals between spikes"},
    "interval": {"value": "1*second", "meaning": "time between two scalings", "source": "chosen: a hundredth of tau_scaling"},
}  # fmt: skip
_RATE_KEPT = {"equations": "drate/dt = -rate/tau_rate : Hz", "initial": {"rate": "0.0*Hz"}, "on_spike": "rate += 1/tau_rate"}
_BLOCKS = ("equations", "on_spike")
KINDS = {"incoming": (_SUM, None), "rate": (_RATE, _RATE_KEPT)}
_ABOVE_0 = {"incoming": ("w_total",), "rate": ("target_rate", "tau_scaling")}
_UNITS = {"rate": Hz.dim, "target_rate": Hz.dim, "tau_scaling": second.dim, "interval": second.dim}


def completed(tables: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the tables of a synapse with what its ``normalise`` needs; raises ValueError for an unknown kind."""
    kind = tables.get("normalise")
    if kind is None:
        return dict(tables)
    if kind not in tuple(KINDS):
        raise ValueError(f'{where}: normalise is {kind!r}; give "incoming" or "rate", or leave it out.{near(str(kind), KINDS)}')
    parameters, kept = KINDS[kind]
    full = {**tables, "parameters": {**parameters, **tables.get("parameters", {})}}
    post = tables.get("post", {"equations": "", "initial": {}})
    if kept is None or not _readable(post) or "rate" in post["initial"]:
        return full
    joined = {key: "\n".join(filter(None, [post.get(key, "").strip(), kept[key]])) for key in _BLOCKS}
    return {**full, "post": {**post, **joined, "initial": {**post["initial"], **kept["initial"]}}}


def bare(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a synapse without its ``normalise`` and what that brought; what the file itself says stays."""
    parameters, kept = KINDS.get(tables.get("normalise"), ({}, None))
    own = {
        name: entry for name, entry in tables.get("parameters", {}).items() if entry["meaning"] != parameters.get(name, {}).get("meaning")
    }
    left = {key: table for key, table in tables.items() if key not in ("normalise", "parameters")} | ({"parameters": own} if own else {})
    if kept is None or tables["post"]["initial"]["rate"] != kept["initial"]["rate"]:
        return left
    post = tables["post"]
    blocks = {key: "\n".join(line for line in post[key].splitlines() if line != kept[key]) for key in _BLOCKS}
    initial = {name: text for name, text in post["initial"].items() if name != "rate"}
    left["post"] = {**post, **{key: text for key, text in blocks.items() if text or key == "equations"}, "initial": initial}
    return left if initial else {key: table for key, table in left.items() if key != "post"}


def check_homeostasis(model: Any, where: str) -> None:
    """Check what ``normalise`` reads of a synapse model; raises ValueError naming the parameter and what it may be."""
    kind = model.normalise
    if kind is None:
        return
    asked = f'normalise = "{kind}"'
    if kind == "incoming" and not model.parameters["w_total"].weight_like:
        raise ValueError(f'{where}: normalise needs a parameter w_total with dimension = "weight"; add it.')
    found = {name: model.parameters[name].dimensions for name in KINDS[kind][0] if name in _UNITS}
    found |= {"rate": model.post.lines["rate"].dimensions} if kind == "rate" else {}
    for name, dimensions in found.items():
        if dimensions is not _UNITS[name]:
            raise ValueError(f"{where}: '{name}' has the unit {unit_name(dimensions)}, but {asked} needs {unit_name(_UNITS[name])}.")
    for name in _ABOVE_0[kind]:
        parameter = model.parameters[name]
        if parameter.value is not None and not parameter.value > 0:
            raise ValueError(f"{where}: parameter '{name}' is {parameter.text}; {asked} needs one above 0.")
    if kind == "rate" and np.isinf(model.parameters["interval"].value):
        raise ValueError(f"{where}: parameter 'interval' is infinite; {asked} scales at intervals alone, give a time.")


def _readable(post: Any) -> bool:
    """Tell whether a table `post` has the form that it should have; what is wrong with another one is said where it is read."""
    return (
        isinstance(post, Mapping)
        and isinstance(post.get("initial"), Mapping)
        and all(isinstance(post.get(key, ""), str) for key in _BLOCKS)
    )
