"""Named sets of parameters: the kinds of one cell or synapse that its literature tells apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from neurosim.errors import near
from neurosim.expressions import TEXT_ERRORS, parse_unit_text
from neurosim.models.parts import Parameter
from neurosim.units import DIMENSIONLESS, get_dimensions, unit_name


@dataclass(frozen=True)
class ParameterSet:
    """Values that some parameters of a model have together.

    `values` are quantities (floats where there is no unit), `texts` the same as the file writes them; the parameters that are not among
    them keep their values. `source` says where the values come from.
    """

    meaning: str
    source: str
    values: Mapping[str, Any]
    texts: Mapping[str, str]


def read_sets(tables: Mapping[str, Any], parameters: Mapping[str, Parameter], where: str) -> Mapping[str, ParameterSet]:
    """Read the tables `sets` of a model.

    Raises ValueError for a parameter that the model lacks, a value without meaning or of another dimension, and a missing source.
    """
    return MappingProxyType({name: _set(entry, parameters, f"{where}: [sets.{name}]") for name, entry in tables.get("sets", {}).items()})


def chosen_set(model: Any, name: str) -> Mapping[str, Any]:
    """Return the values of one of a model's sets; raise ValueError for a name that is not among them."""
    if name not in model.sets:
        raise ValueError(f"{model.kind.capitalize()} model '{model.name}' has no parameter set '{name}'.{near(name, model.sets)}")
    return model.sets[name].values


def _set(entry: Mapping[str, Any], parameters: Mapping[str, Parameter], where: str) -> ParameterSet:
    texts, source = entry["values"], str(entry["source"])
    if not source.strip():
        raise ValueError(f"{where} has an empty source; say where the numbers come from.")
    if not isinstance(texts, Mapping) or not texts:
        raise ValueError(f'{where}: values is {texts!r}; give at least one parameter, values = {{ name = "1*mV" }}.')
    values = {}
    for name, text in texts.items():
        if name not in parameters:
            raise ValueError(f"{where}: the model has no parameter '{name}'.{near(name, parameters)}")
        try:
            values[name] = parse_unit_text(text)
        except TEXT_ERRORS as error:
            raise ValueError(f"{where}: {name}: {error}") from None
        dimensions = parameters[name].dimensions or DIMENSIONLESS
        if get_dimensions(values[name]) is not dimensions:
            raise ValueError(f"{where}: {name} is {text!r}, but it needs the unit {unit_name(dimensions)}.")
    return ParameterSet(
        str(entry["meaning"]), source, MappingProxyType(values), MappingProxyType({name: str(text) for name, text in texts.items()})
    )
