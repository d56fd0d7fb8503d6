"""When: waves of births and deaths, after so many epochs or once a measure has stopped to improve."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

from neurosim.errors import near
from neurosim.events import Events
from neurosim.lifecycle.books import books_of
from neurosim.lifecycle.nested import Holder, check_rules
from neurosim.lifecycle.phases import label_of
from neurosim.lifecycle.schedules import checked_by_epoch

NAMES = ("waited", "stale", "best", "cooling", "due")


@dataclass(frozen=True)
class Extinction(Holder):
    """Let rules act in waves: only at boundaries at which a wave is due.

    One is due after `every` so many epochs, or when `measure` has not been more than `min_delta` above its best for `patience`
    epochs; with both, whichever comes first. `measure` is a name of what develop's ``measure`` returns, or is called with (circuit,
    recording); larger is better. An epoch in which it is missing or NaN does not count. After a wave come `cooldown` epochs in which
    nothing counts, not even the measure; then all counters, and the best, begin again. So a constant measure gives a wave after
    patience + 1 epochs (the first sets the best), and then one every patience + 1 + cooldown.

    The counters are kept with the circuit under the label and go on through phases that have the same extinction. The books of the
    rules are kept in every epoch. Raises ValueError or TypeError for counts that are not whole numbers, 1 or more (`cooldown`: 0),
    for neither `every` nor `measure`, and for rules that do not go together.
    """

    rules: Sequence[Any]
    every: int | None = None
    measure: str | Callable | None = None
    min_delta: float = 0.01
    patience: int = 2
    cooldown: int = 0
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        what = f"extinction {label_of(self)!r}"
        check_rules(self.rules, what)
        if self.every is None and self.measure is None:
            raise ValueError(f"{what} never acts; give every=... epochs or a measure=... that has to stop improving")
        if not (self.measure is None or isinstance(self.measure, str) or callable(self.measure)):
            raise TypeError(f"measure of {what} is {self.measure!r}; give its name, or a function of (circuit, recording)")
        for name, least in (("every", 1), ("patience", 1), ("cooldown", 0)):
            value = getattr(self, name)
            if (value is not None or name != "every") and (isinstance(value, bool) or not isinstance(value, Integral) or value < least):
                raise ValueError(f"{name} of {what} is {value!r}; give a whole number of epochs, {least} or more")
        if not 0 <= self.min_delta < math.inf:
            raise ValueError(f"min_delta of {what} is {self.min_delta!r}; give a number, 0 or more")

    @property
    def books(self) -> tuple:
        """The count of epochs, and the books of the rules."""
        return (Waves(label_of(self), self.every, self.measure, self.min_delta, self.patience, self.cooldown), *books_of(self.rules))

    def __call__(self, circuit, recording, rng) -> Events:
        return self.acted(circuit, recording, rng) if circuit.notes[f"{label_of(self)}.due"] else Events()


@dataclass(frozen=True)
class Waves:
    """Count the epochs up to the next wave of an extinction, whose fields these are."""

    label: str
    every: int | None
    measure: str | Callable | None
    min_delta: float
    patience: int
    cooldown: int
    judges: ClassVar[bool] = True

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes that are kept."""
        return tuple(f"{self.label}.{name}" for name in NAMES)

    def ledgers(self, circuit) -> dict:
        """Return no ledgers: what is kept are notes of the circuit."""
        return {}

    def keep(self, circuit, recording) -> dict[tuple[None, str], float]:
        """Return the counters after an epoch, and whether a wave is due at its boundary."""
        # -1 stale epochs: there is no best value yet
        waited, stale, best, cooling = (circuit.notes.get(f"{self.label}.{name}", -float(name == "stale")) for name in NAMES[:4])
        due = False
        if cooling:
            cooling -= 1
        else:
            waited += 1
            stale, best = self._judged(stale, best, circuit, recording)
            due = (self.every is not None and waited >= self.every) or stale >= self.patience
        if due:
            waited, stale, best, cooling = 0, -1, 0, self.cooldown
        return {
            (None, f"{self.label}.{name}"): float(value) for name, value in zip(NAMES, (waited, stale, best, cooling, due), strict=True)
        }

    def _judged(self, stale: float, best: float, circuit, recording) -> tuple[float, float]:
        """Return how many epochs in a row brought no improvement, and the best value."""
        value = self._value(circuit, recording)
        if math.isnan(value):
            return stale, best
        return (0, value) if stale < 0 or value > best + self.min_delta else (stale + 1, best)

    def _value(self, circuit, recording) -> float:
        if self.measure is None:
            return math.nan
        if callable(self.measure):
            return float(self.measure(circuit, recording))
        never = circuit.notes.get(f"{self.label}.stale", -1) < 0
        if never and recording.measures and self.measure not in recording.measures:
            known = near(self.measure, recording.measures)
            raise KeyError(f"extinction {self.label!r} waits for measure {self.measure!r}, which was not measured.{known}")
        return float(recording.measures.get(self.measure, math.nan))
