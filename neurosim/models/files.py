"""Where model files lie and what keys they may hold."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neurosim.errors import near

# table -> (required keys, optional keys); "" is the top level
CELL_KEYS = {
    "": (
        {"name", "summary", "references", "method", "equations", "spike", "initial", "parameters", "receptors"},
        {"shared", "on", "sets", "contains", "energy", "time_step", "expected", "source"},
    ),
    "spike": ({"rule", "threshold"}, {"reset", "refractory", "on_spike"}),
    "parameters.": ({"value", "meaning", "source"}, {"spread"}),
    "shared.": ({"value", "meaning"}, set()),
    "receptors.": ({"meaning"}, {"kind", "variable", "effect", "unitary", "sign"}),
    "on": (set(), {"presentation"}),
    "sets.": ({"meaning", "source", "values"}, set()),
}
SOURCE_KEYS = {"": ({"name", "summary", "source"}, {"references"})}
SYNAPSE_KEYS = {
    "": (
        {"name", "summary", "references", "on_pre"},
        {"equations", "on_post", "on_step", "bounds", "normalise", "parameters", "shared", "initial", "on", "sets", "post"},
    ),
    "parameters.": ({"meaning"}, {"value", "dimension", "source"}),
    "shared.": ({"value", "meaning"}, set()),
    "on": (set(), {"presentation"}),
    "sets.": ({"meaning", "source", "values"}, set()),
}
_TEXTS = ("name", "summary", "method", "equations", "on_pre", "on_post", "on_step", "normalise")
_TABLES = ("spike", "initial", "parameters", "shared", "receptors", "on", "sets")


def folder(kind: str) -> Path:
    """Find the folder of the catalogue's files of one kind ("cells", "receptors" or "synapses"), in a wheel or in a checkout."""
    package = Path(__file__).resolve().parent.parent
    catalogue = package / "catalogue"
    return (catalogue if catalogue.is_dir() else package.parent / "models") / kind


def catalogue(kind: str) -> tuple[str, ...]:
    """List the names of the catalogue's models of one kind, sorted."""
    return tuple(sorted(path.stem for path in folder(kind).glob("*.toml")))


def read(kind: str, name_or_path: str | Path) -> tuple[dict[str, Any], str]:
    """Read the tables of a model file; returns them and the words that name the file in errors.

    Raises ValueError for an unknown catalogue name, FileNotFoundError for a missing file, ValueError for broken TOML.
    """
    text = str(name_or_path)
    own = isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text
    if not own and text not in catalogue(kind):
        raise ValueError(
            f"There is no model '{text}' among the catalogue's {kind}.{near(text, catalogue(kind))}"
            " (A file of your own is given by its path, ending in .toml.)"
        )
    path = Path(name_or_path) if own else folder(kind) / f"{text}.toml"
    if not path.is_file():
        raise FileNotFoundError(f"There is no model file {path}; give the path of a TOML file or one of: {', '.join(catalogue(kind))}.")
    try:
        tables = tomllib.loads(written := path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not readable as TOML: {error}; save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"{path} is not readable as TOML: {error}{_line_of(error, written)}; put texts in quotes and each key once."
        ) from None
    where = path.name if not own else str(path)
    if not own and tables.get("name") != path.stem:
        raise ValueError(f'{where}: name is {tables.get("name")!r}, but a catalogue file is named as its model; make it "{path.stem}".')
    return tables, where


def _line_of(error: tomllib.TOMLDecodeError, text: str) -> str:
    """Quote the line that an error speaks of."""
    number = re.search(r"at line (\d+)", str(error))
    if number is None:
        return ""
    line = text.split("\n")[int(number[1]) - 1].strip()
    return f", '{line}'"


def check_keys(tables: Mapping[str, Any], keys: Mapping[str, tuple[set[str], set[str]]], where: str) -> None:
    """Raise ValueError for a key that is unknown, missing, or holds another kind of thing than it should."""
    compare_keys(tables, keys[""], f"{where}: the top level")
    for key in _TEXTS:
        if not isinstance(tables.get(key, ""), str):
            raise ValueError(f"{where}: {key} is {tables[key]!r}; give it as text.")
    for key in ("references", "bounds"):
        value = tables.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{where}: {key} is {value!r}; give a list of texts.")
    if "references" in tables and not any(map(str.strip, tables["references"])):
        raise ValueError(f"{where}: references is {tables['references']!r}; name the work that the model is from, with its DOI.")
    rows = tables.get("expected", [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) and isinstance(row.get("parameters", {}), Mapping) for row in rows):
        raise ValueError(f"{where}: expected is {rows!r}; give tables, [[expected]], whose parameters are tables too.")
    if not isinstance(tables.get("source", False), bool):
        raise ValueError(f"{where}: source is {tables['source']!r}; give true or false.")
    for table in _TABLES:
        content = tables.get(table, {})
        if not isinstance(content, Mapping):
            raise ValueError(f"{where}: {table} is {content!r}; make it a table, [{table}].")
        if table in keys:
            compare_keys(content, keys[table], f"{where}: [{table}]")
        for key, entry in content.items():
            if f"{table}." in keys:
                if not isinstance(entry, Mapping):
                    raise ValueError(f"{where}: [{table}] {key} is {entry!r}; write it as {{ value = ..., meaning = ... }}.")
                compare_keys(entry, keys[f"{table}."], f"{where}: [{table}] {key}")
            elif not isinstance(entry, str):
                raise ValueError(f"{where}: [{table}] {key} is {entry!r}; give it as text.")


def compare_keys(table: Mapping[str, Any], keys: tuple[Iterable[str], Iterable[str]], where: str) -> None:
    """Raise ValueError for a key of one table that is neither required nor optional, or is required and missing."""
    required, optional = set(keys[0]), set(keys[1])
    for key in table:
        if key not in required | optional:
            raise ValueError(f"{where} has an unknown key '{key}'.{near(key, required | optional)}")
    for key in sorted(required - set(table)):
        raise ValueError(f"{where} lacks the key '{key}'; add it.")
