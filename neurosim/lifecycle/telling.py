"""Rules in words: as they would be written, without what they leave at its default."""

from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from neurosim.units import Quantity

SHOWN = 4  # entries up to which a list is written out


def written(value: Any) -> str:
    """Return a rule, or a value in one, as it would be written; tuples as lists, long ones with their first and last entry."""
    if is_dataclass(value) and not isinstance(value, type):
        return f"{type(value).__name__}({', '.join(_arguments(value))})"
    if isinstance(value, (list, tuple)):
        entries = [written(one) for one in value]
        if len(entries) > SHOWN:
            entries = [entries[0], "...", entries[-1]]
        return f"[{', '.join(entries)}]"
    return str(value) if isinstance(value, Quantity) else repr(value)


def _arguments(value: Any) -> list[str]:
    """Return the arguments that differ from their defaults; those without a default stand without their name."""
    found = []
    for field in fields(value):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        text = written(getattr(value, field.name))
        if field.init and (default is MISSING or text != written(default)):
            found.append(text if default is MISSING else f"{field.name}={text}")
    return found
