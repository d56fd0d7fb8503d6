"""When: phases of a life, each a whole number of epochs with its rules and its learning factors."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from neurosim.circuit import LONGEST
from neurosim.lifecycle.chance import Random
from neurosim.lifecycle.parts import parts
from neurosim.lifecycle.schedules import at, lengths
from neurosim.lifecycle.selection import Selection
from neurosim.lifecycle.telling import written
from neurosim.lifecycle.traits import Trait
from neurosim.units import DIMENSIONLESS, Quantity, second, to_si


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
            check_rule(rule, f"phase {self.name!r}")
            for length in lengths(rule):
                if length != self.epochs:
                    raise ValueError(
                        f"rule {label_of(rule)!r} of phase {self.name!r} has a schedule of {length} values, but the phase lasts "
                        f"{self.epochs} epochs; give one value for each epoch"
                    )
        if not isinstance(self.modulate, Mapping):
            raise TypeError(
                f"phase {self.name!r} modulates {self.modulate!r}; give a dict of numbers by factor, such as {{'loop.learning': 0}}"
            )
        for key, value in self.modulate.items():
            to_si(value, DIMENSIONLESS, f"{key} in phase {self.name!r}")
            if np.ndim(value) and len(value) != self.epochs:
                raise ValueError(
                    f"phase {self.name!r} modulates {key} by {len(value)} values but lasts {self.epochs} epochs; give one for each epoch, or one number"
                )
        self._check_labels()
        self._check_apart()

    def _check_apart(self) -> None:
        """Raise ValueError where two rules would undo or repeat each other's choices."""
        fading = [rule.population for rule in innermost(self.rules) if getattr(rule, "fade", None) is not None]
        for name in fading:
            if fading.count(name) > 1:
                raise ValueError(
                    f"two rules of phase {self.name!r} let cells of {name!r} fade, and each would rescue those of the other; give one rule who=a | b"
                )
        drawing = [_about(rule) for rule in innermost(self.rules) if _draws(rule)]
        for name in drawing:
            if drawing.count(name) > 1:
                raise ValueError(
                    f"two rules of phase {self.name!r} select from {name!r} by ns.Random and would draw the same numbers; give "
                    "each its own ns.Random(..., label=...), or both the same where that is meant"
                )

    def _check_labels(self) -> None:
        """Raise ValueError for a label that is too long or that two rules have."""
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
        for phase in self.phases:
            if not isinstance(phase, Phase):
                raise TypeError(f"the lifecycle has the phase {phase!r}; give phases that are made, ns.Phase(name, epochs, rules)")
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


def check_rule(rule, what: str) -> None:
    """Raise TypeError for what is no rule: a class, a selection or a trait, or anything that cannot be called."""
    if isinstance(rule, type):
        raise TypeError(f"{what} has the rule {rule.__name__}, which is a class; give one that is made, such as ns.{rule.__name__}(...)")
    if isinstance(rule, (Selection, Trait)):
        raise TypeError(
            f"{what} has the rule {rule!r}, which says who but not what happens; give it to a rule, as in ns.Apoptosis(name, who)"
        )
    if not callable(rule):
        raise TypeError(f"{what} has the rule {rule!r}, which cannot be called with (circuit, recording, rng)")


def label_of(rule) -> str:
    """Return the label of a rule: its own, or its class and the part of the circuit that it is about."""
    own = getattr(rule, "label", None)
    return own or ".".join(str(piece) for piece in (type(rule).__name__.lower(), _about(rule)) if piece)


def _about(rule):
    """Return the part of the circuit that a rule is about, None where it does not say."""
    return getattr(rule, "population", None) or getattr(rule, "projection", None)


def innermost(rules) -> Iterator[Any]:
    """Go through rules, and in place of those that hold rules through these."""
    for rule in rules:
        within = getattr(rule, "nested", ())
        yield from innermost(within) if within else (rule,)


def _draws(value) -> bool:
    """Whether anything in a rule draws by ns.Random under the label that it has by default."""
    if isinstance(value, Random):
        return value.label == Random.label
    return any(_draws(part) for _, part in parts(value))
