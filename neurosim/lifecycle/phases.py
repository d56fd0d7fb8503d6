"""When: phases of a life, each a whole number of epochs with its rules and its learning factors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from neurosim.circuit import LONGEST
from neurosim.lifecycle.schedules import at, lengths
from neurosim.lifecycle.telling import written
from neurosim.units import Quantity, second, to_si


@dataclass(frozen=True)
class Phase:
    """Describe one phase: so many epochs, the rules at each boundary, and shared factors while it lasts.

    `modulate` maps "part.factor" to a number, or to a sequence of one number for each epoch.
    """

    name: str
    epochs: int
    rules: Sequence[Any] = ()
    modulate: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a phase needs a name, not {self.name!r}")
        if len(self.name) > LONGEST:
            raise ValueError(f"phase {self.name!r} has a name of {len(self.name)} characters; give one of {LONGEST} at most")
        if isinstance(self.epochs, bool) or not isinstance(self.epochs, (int, np.integer)) or self.epochs < 1:
            raise ValueError(f"phase {self.name!r} lasts {self.epochs!r} epochs; give a whole number, 1 or more")
        _check_list(self.rules, f"rules of phase {self.name!r}")
        for rule in self.rules:
            if not callable(rule):
                raise TypeError(f"phase {self.name!r} has the rule {rule!r}, which cannot be called with (circuit, recording, rng)")
            for length in lengths(rule):
                if length != self.epochs:
                    raise ValueError(
                        f"rule {label_of(rule)!r} of phase {self.name!r} has a schedule of {length} values, but the phase lasts "
                        f"{self.epochs} epochs; give one value for each epoch"
                    )
        for key, value in self.modulate.items():
            if np.ndim(value) and len(value) != self.epochs:
                raise ValueError(
                    f"phase {self.name!r} modulates {key} by {len(value)} values but lasts {self.epochs} epochs; give one for each epoch, or one number"
                )
        fading = [rule.population for rule in self.rules if getattr(rule, "fade", None) is not None]
        for name in fading:
            if fading.count(name) > 1:
                raise ValueError(
                    f"two rules of phase {self.name!r} let cells of {name!r} fade, and each would rescue those of the other; give one rule who=a | b"
                )
        labels = [label for label, _ in self.labelled()]
        within = [f"{label}/{label_of(one)}" for label, rule in self.labelled() for one in getattr(rule, "nested", ())]
        for label in (*labels, *within):
            if len(label) > LONGEST:
                raise ValueError(
                    f"a rule of phase {self.name!r} is called {label!r} ({len(label)} characters); give it a label=... with which it has {LONGEST} at most"
                )
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(
                    f"two rules of phase {self.name!r} are called {label!r} and would draw the same numbers; give each its own label=..."
                )

    def labelled(self, epoch: int = 0) -> list[tuple[str, Any]]:
        """Return the rules as they are in one epoch of the phase (0 is its first), with their labels, "phase/rule.name", unique in a life."""
        return [(f"{self.name}/{label_of(rule)}", at(rule, epoch) if self.scheduled else rule) for rule in self.rules]

    @cached_property
    def scheduled(self) -> bool:
        """Whether any of the rules changes from epoch to epoch."""
        return any(True for _ in lengths(self.rules))

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.epochs} epochs", *map(written, self.rules)]
        return "\n  ".join([*lines, *(f"{key} = {written(value)}" for key, value in self.modulate.items())])

    def factors(self, epoch: int) -> dict[str, float]:
        """Return the modulated factors in one epoch of the phase (0 is its first)."""
        return {key: float(value[epoch] if np.ndim(value) else value) for key, value in self.modulate.items()}


@dataclass(frozen=True)
class Lifecycle:
    """Describe a life: phases one after the other, in epochs of one length."""

    epoch: Quantity
    phases: Sequence[Phase]

    def __post_init__(self):
        if np.ndim(self.epoch) or not to_si(self.epoch, second, "epoch of the lifecycle") > 0:
            raise ValueError(f"an epoch of the lifecycle lasts {self.epoch}; give a time above 0")
        _check_list(self.phases, "phases of the lifecycle")
        names = [phase.name for phase in self.phases]
        if not names:
            raise ValueError("a lifecycle needs at least one phase; give phases=[ns.Phase(...)]")
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two phases are called {name!r}; give each its own name")

    def __str__(self) -> str:
        return "\n".join([f"a life in epochs of {self.epoch}", *map(str, self.phases)])

    @property
    def epochs(self) -> int:
        """The number of epochs of all phases."""
        return sum(phase.epochs for phase in self.phases)

    def __iter__(self) -> Iterator[tuple[Phase, int]]:
        """Go through the epochs: the phase, and the epoch's number within it."""
        for phase in self.phases:
            for epoch in range(phase.epochs):
                yield phase, epoch


def _check_list(values, what: str) -> None:
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise TypeError(f"{what} are {values!r}; give a list, [...]")


def label_of(rule) -> str:
    """Return the label of a rule: its own, or its class and the part of the circuit that it is about."""
    own = getattr(rule, "label", None)
    part = getattr(rule, "population", None) or getattr(rule, "projection", None)
    return own or ".".join(str(piece) for piece in (type(rule).__name__.lower(), part) if piece)
