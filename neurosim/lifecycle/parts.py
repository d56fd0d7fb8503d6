"""What a rule is made of: the fields of dataclasses and the entries of lists, as deep as they go."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any


def parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """Go through the fields of a dataclass by name, or the entries of a list or tuple by place; nothing else has parts."""
    if is_dataclass(value) and not isinstance(value, type):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value) if field.init)
    elif isinstance(value, (list, tuple)):
        yield from enumerate(value)


def whole(value: Any) -> Iterator[Any]:
    """Go through a value and all that it is made of."""
    yield value
    for _, part in parts(value):
        yield from whole(part)


def changed(value: Any, change: Callable[[Any, Any], Any]) -> Any:
    """Return a value with what ``change(name, part)`` makes of each of its parts; the value itself where that is what they were."""
    old = dict(parts(value))
    new = {name: change(name, part) for name, part in old.items()}
    if all(new[name] is part for name, part in old.items()):
        return value
    if not is_dataclass(value):
        return type(value)(new.values())
    return replace(value, **{name: part for name, part in new.items() if part is not old[name]})
