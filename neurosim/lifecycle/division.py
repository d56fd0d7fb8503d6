"""What: the rule that proposes divisions at a boundary.

A rule is a frozen dataclass with one call, ``rule(circuit, recording, rng) -> Events``; a user's own needs nothing else.
Whom it concerns is a selection; how many, a hazard (1/time), a count, or all of the selected.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.events import Events
from neurosim.lifecycle.amounts import check_amount, check_name, check_size, choose, first
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.selection import Everyone, books_needed, check_selection
from neurosim.units import Quantity


@dataclass(frozen=True)
class Division:
    """Divide cells: the daughter copies state and incoming synapses, outgoing synapses follow the projection's policy.

    Of the cells that `who` selects, each divides with a `hazard` (1/time), or `count` of them, or all. `until` is the
    size of the population at which this rule stops. `share` and `jitter` are explained at Events.divide: equal inputs and
    equal shares never separate twins, jitter does. What becomes of incoming and outgoing synapses says each projection, and where the
    daughter stands the population: see Projection.replace and Population.placing.
    """

    population: str
    who: Any = Everyone()
    hazard: Quantity | None = None
    count: int | None = None
    until: int | None = None
    share: Any = (0.25, 0.75)
    jitter: float = 0.0
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        check_amount(self)
        check_size(self.until, f"division in {self.population!r} stops at", "until", 1)
        Events.divide(self.population, [], rng=np.random.default_rng(0), share=self.share, jitter=self.jitter)

    @property
    def books(self) -> tuple:
        """The books that `who` reads."""
        return books_needed(self.who, self.population)

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the population or a projection cannot be split, and what `who` raises."""
        check_name(self, self.population, circuit.populations)
        check_selection(self.who, circuit, self.population)
        for projection in circuit.projections.values():
            if projection.source == self.population:
                projection.check_split()

    def __call__(self, circuit, recording, rng) -> Events:
        chosen = choose(self, self.who(circuit, recording, self.population), recording, rng)
        if self.until is not None:
            chosen = first(chosen, max(0, self.until - len(circuit[self.population])), rng)
        return Events.divide(
            self.population, chosen.ids, rng=rng, share=self.share, jitter=self.jitter, value=chosen.value, threshold=chosen.threshold
        )
