"""Credit: a reward that is spread backwards over the synapses that took part in an answer, and rules that act where it was a punishment."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.errors import near
from neurosim.events import Events
from neurosim.lifecycle.books import Book, books_of
from neurosim.lifecycle.nested import Holder, check_rules
from neurosim.lifecycle.phases import label_of
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.units import DIMENSIONLESS, unit_name

BLOCK = 65536  # synapses that are worked on at once, so that what is between fits the cache of a core
MEMORY = "remembered"  # the variable of synapses that says for how long they will remember what they took part in


@dataclass(frozen=True)
class Credit(Book):
    """Give cells credit for the reward of an epoch, spread backwards from the outputs that were active.

    ``reward(circuit, recording)`` returns one number, not below `lowest` where that is given. What counts is how far it is above the reward that was expected,
    the mean over `horizon` epochs (None: nothing is expected, so that the reward itself counts). Cells of `outputs` that spiked have all of
    it. Each projection in `through`, those onto the outputs first, hands to its source cells what its target cells have: in proportion to
    the weight of the synapses that remember to have taken part in a spike, and as a part of the highest of the population; a cell has
    the larger one of what it is handed twice. The weight counts whole, whatever a division left of it to deliver: twins have the credit of
    their mother, and no other cell another one, but for those that lead to her twins. A projection may be named again, which looks another step back; each takes a time in
    proportion to its synapses. The credit is written into `variable` of the cells, where plasticity such as "credit_gated" reads it. Notes
    of the circuit: "<label>.reward" and "<label>.expected".

    After the attentional feedback of Roelfsema & van Ooyen 2005, doi:10.1162/0899766054615699, with the feedforward weights in place of
    those back. Raises ValueError or TypeError for a horizon below 1, for what is no function, and where the circuit lacks the parts or their variables.
    """

    outputs: str
    reward: Callable
    through: Sequence[str] = ()
    lowest: float | None = None
    horizon: float | None = 50
    variable: str = "credit"
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        object.__setattr__(self, "through", tuple([self.through] if isinstance(self.through, str) else self.through))
        what = f"credit {label_of(self)!r}"
        if not callable(self.reward):
            raise TypeError(f"reward of {what} is {self.reward!r}; give a function of (circuit, recording)")
        if self.lowest is not None and not math.isfinite(self.lowest):
            raise ValueError(f"lowest of {what} is {self.lowest!r}; give the lowest reward that there can be")
        if self.horizon is not None and not 1 <= self.horizon < math.inf:
            raise ValueError(f"horizon of {what} is {self.horizon!r}; give a number of epochs, 1 or more, or None")

    @property
    def notes(self) -> tuple[str, ...]:
        """The notes that are kept."""
        return tuple(f"{label_of(self)}.{name}" for name in ("reward", "expected"))

    def ledgers(self, circuit) -> dict:
        """Return no ledgers: what is kept are state variables of cells, and notes."""
        return {}

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the outputs or projections, or these the variables that are read and written."""
        what = f"credit {label_of(self)!r}"
        if self.outputs not in circuit.populations:
            raise ValueError(f"{what} begins at {self.outputs!r}, which is no population.{near(self.outputs, circuit.populations)}")
        self._check_written(circuit.populations[self.outputs], what)
        reached = {self.outputs}
        for name in self.through:
            if name not in circuit.projections:
                raise ValueError(f"{what} goes through {name!r}, which is no projection.{near(name, circuit.projections)}")
            projection = circuit.projections[name]
            if MEMORY not in projection.synapse.variables:
                raise ValueError(
                    f"{what} goes through {name!r}, but synapses of {projection.synapse.name!r} have no variable {MEMORY!r}; use "
                    '"credit_gated", or a model of your own that has it'
                )
            if projection.target not in reached:
                raise ValueError(
                    f"{what} goes through {name!r}, but its target cells, {projection.target!r}, have no credit by then; name first what leads from them to "
                    f"the outputs {self.outputs!r}"
                )
            reached.add(projection.source)
            self._check_written(circuit.populations[projection.target], what)

    def writes(self, circuit) -> list[tuple[str, str]]:
        """Return the state variables of cells that are written, by population."""
        reached = {self.outputs, *(circuit.projections[name].source for name in self.through if name in circuit.projections)}
        return [(name, self.variable) for name in sorted(reached)]

    def _check_written(self, population, what: str) -> None:
        if self.variable not in population.model.variables:
            raise ValueError(
                f"{what} is written into {self.variable!r}, which cells of {population.name!r} lack; make them with "
                f"ns.load_cell({population.model.name!r}).keeping(synapse)"
            )
        if population.model.variables[self.variable] is not DIMENSIONLESS:
            raise ValueError(
                f"{what} is a number, but {self.variable!r} of {population.name!r} has the unit {unit_name(population.model.variables[self.variable])}; name "
                "a variable without one"
            )

    def keep(self, circuit, recording) -> dict:
        """Return the credit of each cell after an epoch, the reward and what is expected of the next one."""
        reward = float(self.reward(circuit, recording))
        if not math.isfinite(reward) or (self.lowest is not None and reward < self.lowest):
            least = "" if self.lowest is None else f", not below lowest={self.lowest}"
            raise ValueError(f"the reward of credit {label_of(self)!r} is {reward} in epoch {circuit.epoch}; return a finite number{least}")
        of_reward, of_expected = self.notes
        expected = circuit.notes.get(of_expected, 0.0)
        surprise = reward - expected
        kept = {(None, of_reward): reward, (None, of_expected): expected + (surprise / self.horizon if self.horizon else 0.0)}
        for name, part in self.parts(circuit, recording).items():
            if self.variable in circuit[name].model.variables:
                kept[name, self.variable] = surprise * part
        return kept

    def parts(self, circuit, recording) -> dict[str, np.ndarray]:
        """Return which part of the reward each cell has, from 0 to 1, by population."""
        found = {self.outputs: (recording[self.outputs].counts > 0).astype(float)}
        for name in self.through:
            projection = circuit[name]
            source, target, synapses = circuit[projection.source], circuit[projection.target], projection.synapses
            back, there = np.zeros(len(source)), found.get(target.name, np.zeros(len(target)))
            for first in range(0, len(synapses), BLOCK):
                pre, post, weight, memory = (synapses[key][first : first + BLOCK] for key in ("pre", "post", "weight", MEMORY))
                handed = there[target.rows(post)] * np.abs(weight) * (memory > recording.dt_si / 2)
                back += np.bincount(source.rows(pre), weights=handed, minlength=len(source))
            highest = back.max(initial=0.0)
            found[source.name] = np.maximum(found.get(source.name, 0.0), back / highest if highest > 0 else back)
        return found


@dataclass(frozen=True)
class Punished(Holder):
    """Let rules act only at boundaries at which the reward of a Credit was below 0.

    The books of the rules, and the credit, are kept in every epoch. Raises ValueError for a credit whose reward is never below 0, or that
    does not say how low it can be (`lowest`): with such a reward nothing would ever happen, in silence.
    """

    credit: Credit
    rules: Sequence[Any]
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        what = f"rule {label_of(self)!r}"
        if not isinstance(self.credit, Credit):
            raise TypeError(f"credit of {what} is {self.credit!r}; give a ns.Credit")
        check_rules(self.rules, what)
        if self.credit.lowest is None:
            raise ValueError(
                f"{what} waits for a reward below 0, but credit {label_of(self.credit)!r} does not say how low its reward can be; give its lowest=..., such as -1.0"
            )
        if self.credit.lowest >= 0:
            raise ValueError(
                f"{what} waits for a reward below 0, but that of {label_of(self.credit)!r} is never below {self.credit.lowest:g}: its rules would never act, and "
                "cells that wait for them to be connected would stay without inputs; give a reward that also punishes, and its lowest=..."
            )

    @property
    def books(self) -> tuple:
        """The credit, and the books of the rules."""
        return (self.credit, *books_of(self.rules))

    def __call__(self, circuit, recording, rng) -> Events:
        return self.acted(circuit, recording, rng) if circuit.notes[self.credit.notes[0]] < 0 else Events()
