"""Which smaller models a cell contains: the parameters with which it does what they do, in terms of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neurosim.errors import near
from neurosim.expressions import TEXT_ERRORS, evaluate


def check_contains(tables: Mapping[str, Any], parameters: Mapping[str, Any], where: str) -> None:
    """Check the tables `contains` of a cell; raises ValueError for what is no table of texts and for a parameter that the cell lacks."""
    contained = tables.get("contains", {})
    if not isinstance(contained, Mapping) or not all(isinstance(entry, Mapping) for entry in contained.values()):
        raise ValueError(f'{where}: contains is {contained!r}; give a table for each smaller model, [contains.NAME] with a = "0*nS".')
    for model, entry in contained.items():
        for name, text in entry.items():
            if name not in parameters:
                raise ValueError(f"{where}: [contains.{model}]: the cell has no parameter '{name}'.{near(name, parameters)}")
            if not isinstance(text, str):
                raise ValueError(f"{where}: [contains.{model}] {name} is {text!r}; give it as text.")


def embedding(cell: Any, smaller: Any) -> dict[str, Any]:
    """Return the parameters with which a cell does what a smaller one that it contains does, as quantities.

    Those of the same name are the smaller one's; the others are what the cell's file says. Raises ValueError where it says nothing.
    """
    contained = cell.tables.get("contains", {})
    if smaller.name not in contained:
        raise ValueError(
            f"The file of cell model '{cell.name}' does not say that it contains '{smaller.name}'.{near(smaller.name, contained)} "
            "Give the start as a mapping of parameters."
        )
    names = smaller.namespace()
    known = {name: names[name] for name in cell.parameters if name in names}
    for name, text in contained[smaller.name].items():
        try:
            known[name] = evaluate(text, names)
        except TEXT_ERRORS as error:
            raise ValueError(f"cell model '{cell.name}': [contains.{smaller.name}] {name}: {error}") from None
    return known
