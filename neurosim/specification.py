"""What fixes a run, as plain data: to be kept beside it, and to tell in which detail another run differs."""

import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from types import CellType, ModuleType

import numpy as np

from neurosim.circuit import Circuit
from neurosim.files import array_digest, digest
from neurosim.table import Table
from neurosim.units import DIMENSIONLESS, Quantity, get_dimensions, unit_name

LISTED = 16  # values up to which an array is written out; longer ones are known by their hash
LONG = 256  # entries from which this holds for a list too
KNOWN = {__name__.partition(".")[0], *sys.stdlib_module_names}  # modules whose code goes with a version


def specification(value):
    """Return what a value is made of as JSON-able data; long arrays and a user's source code as their hash.

    Two values with the same specification give the same run. Names of classes of neurosim stand for their code, as its version is
    noted elsewhere; a user's own class or function is known by its source, its defaults and the values that it closes over.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.generic)) and get_dimensions(value) is DIMENSIONLESS:
        plain = value.item() if isinstance(value, np.generic) else value
        return plain if isinstance(plain, (bool, int, float, str)) else str(plain)
    if isinstance(value, (os.PathLike, ModuleType)):
        return {"module": value.__name__} if isinstance(value, ModuleType) else os.fspath(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, Circuit):
        return _circuit(value)
    if isinstance(value, Mapping):
        return {"/".join(map(str, key)) if isinstance(key, tuple) else str(key): specification(one) for key, one in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted(map(specification, value), key=str)
    if isinstance(value, Sequence):
        values = [specification(one) for one in value]
        return values if len(values) <= LONG else {"length": len(values), "sha256": digest(json.dumps(values).encode())}
    if isinstance(value, type):
        return {"class": value.__qualname__} | _source(value)
    if hasattr(value, "specification"):
        return specification(value.specification())
    if isinstance(value, partial):
        return specification({"partial": value.func, "arguments": [*value.args, value.keywords]})
    if inspect.isroutine(value):
        return {"function": value.__qualname__} | _source(value) | _held(value)
    state = {field.name: getattr(value, field.name) for field in fields(value)} if is_dataclass(value) else getattr(value, "__dict__", None)
    if state is None:  # the default text of such a value is its address, which says nothing about it
        state = {} if type(value).__repr__ is object.__repr__ or " at 0x" in repr(value) else {"value": repr(value)}
    return {"class": type(value).__qualname__} | _source(type(value)) | {name: specification(one) for name, one in state.items()}


def _array(values: np.ndarray):
    if values.dtype.hasobject:
        return specification(values.tolist())
    unit = {"unit": unit_name(values.dim)} if isinstance(values, Quantity) and values.dim is not DIMENSIONLESS else {}
    plain = np.asarray(values)
    content = {"values": plain.tolist()} if plain.size <= LISTED else {"shape": list(plain.shape), "sha256": array_digest(plain)}
    return {**unit, **content} if unit or "sha256" in content else content["values"]


def _circuit(circuit: Circuit) -> dict:
    parts = {}
    for name, population in circuit.populations.items():
        model = population.model.specification()
        parts[name] = {"cells": len(population), "sign": population.sign, "model": model, "state": _table(population.cells)}
        parts[name] |= {"ledgers": specification(list(population.ledgers.values())), "scatter": population.scatter}
        parts[name]["spread"] = specification(dict(population.spread))
    for name, projection in circuit.projections.items():
        synapse = projection.synapse.specification()
        recipe = specification(projection.recipe)
        parts[name] = {
            "synapses": len(projection), "newborn": projection.newborn, "receptor": projection.receptor.name, "synapse": synapse,
            "recipe": recipe, "state": _table(projection.synapses), "flight": _table(projection.flight),
            "ledgers": specification(list(projection.ledgers.values())),
        }  # fmt: skip
    return {
        "seed": int(circuit.seed),
        "step": circuit.step,
        "epoch": circuit.epoch,
        "dt": circuit.dt_si,
        "notes": dict(circuit.notes),
        **parts,
    }


def _table(table: Table) -> dict:
    return {name: array_digest(values)[:16] for name, values in table.items()}


def _source(thing: Callable) -> dict:
    """Return the hash of a user's source code: that of a function, or of a class with those that it inherits from."""
    texts = []
    for one in thing.__mro__ if isinstance(thing, type) else (thing,):
        if (one.__module__ or "").partition(".")[0] not in KNOWN:
            try:
                texts.append(inspect.getsource(one))
            except (OSError, TypeError):  # typed in by hand, or built in
                continue
    return {"source": digest("".join(texts).encode())[:16]} if texts else {}


def _held(function: Callable) -> dict:
    """Return what a function brings with it: the values that it closes over, its defaults, and the object that a method is of."""
    cells = getattr(function, "__closure__", None) or ()
    names = function.__code__.co_freevars if cells else ()
    held = {
        name: cell.cell_contents for name, cell in zip(names, cells, strict=True) if _filled(cell) and cell.cell_contents is not function
    }
    defaults = {"defaults": [*(getattr(function, "__defaults__", None) or ()), getattr(function, "__kwdefaults__", None) or {}]}
    held |= defaults if defaults["defaults"] != [{}] else {}
    held |= {"of": owner} if (owner := getattr(function, "__self__", None)) is not None else {}
    return {"holds": specification(held)} if held else {}


def _filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # the value is assigned only later
        return False


def difference(asked, kept, where: str = "") -> str | None:
    """Say where two specifications differ first, as a sentence's beginning; None where they do not."""
    if isinstance(asked, dict) and isinstance(kept, dict) and "unit" not in {**asked, **kept}:
        for key in dict.fromkeys((*kept, *asked)):
            path = f"{where}.{key}" if where else key
            if key not in asked or key not in kept:
                return f"{path} is {_shown(asked.get(key))} now and was {_shown(kept.get(key))}"
            if found := difference(asked[key], kept[key], path):
                return found
        return None
    if isinstance(asked, list) and isinstance(kept, list) and len(asked) == len(kept):
        found = (difference(one, other, f"{where}[{place}]") for place, (one, other) in enumerate(zip(asked, kept, strict=True)))
        return next(filter(None, found), None)
    return None if asked == kept or asked != asked and kept != kept else f"{where} is {_shown(asked)} now and was {_shown(kept)}"


def _shown(value) -> str:
    """Return a value for a sentence; what a rule or an input is called, not all of it."""
    if value is None:
        return "absent"
    if isinstance(value, dict) and ("class" in value or "function" in value):
        return str(value.get("class", value.get("function")))
    text = f"{value['values']} {value['unit']}" if isinstance(value, dict) and {"unit", "values"} == set(value) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
