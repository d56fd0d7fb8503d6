"""What: the rule that lets cells die, at once or fading away, and hand over what they had."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.events import Events
from neurosim.ledger import FADING, IMMORTAL
from neurosim.lifecycle.amounts import check_amount, check_name, check_size, choose, first
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.selection import Everyone, Selected, books_needed, check_selection
from neurosim.lifecycle.where import Correlated
from neurosim.table import among, distinct
from neurosim.units import Quantity, ms

GONE = 0.01  # the level of output below which a fading cell dies
AT_ONCE = 4_000_000  # correlations that are worked out at once


@dataclass(frozen=True)
class Heirs:
    """Choose who gets the outgoing synapses of a dying cell: so many of its siblings, the most correlated with it in the last epoch.

    Correlation is that of spike counts in windows; each heir gets an equal part. Raises ValueError for a number below 1 and what
    ns.Correlated raises for the window.
    """

    number: int = 1
    window: Quantity = field(default_factory=lambda: 20 * ms)

    def __post_init__(self):
        if isinstance(self.number, bool) or not isinstance(self.number, (int, np.integer)) or self.number < 1:
            raise ValueError(f"a dying cell hands over to {self.number!r} heirs; give a whole number, 1 or more")
        Correlated(self.window)

    def check_epoch(self, epoch: Quantity) -> None:
        """Raise ValueError for an epoch that has not two windows."""
        Correlated(self.window).check_epoch(epoch)

    def __call__(self, circuit, recording, name: str, dying: np.ndarray, rng) -> Events:
        population = circuit[name]
        alive = rng.permutation(population.ids[~np.isin(population.ids, dying)])  # equal ones are preferred by chance
        count = min(self.number, len(alive))
        if not len(dying) or not count:
            return Events()
        scores, rows = Correlated(self.window).scores(population, recording), population.rows(alive)
        height, chosen = max(1, AT_ONCE // len(alive)), []
        for some in np.array_split(population.rows(dying), -(-len(dying) // height)):
            chosen.append(np.argsort(-(scores[some] @ scores[rows].T), axis=1, kind="stable")[:, :count])
        return Events.hand_over(name, np.repeat(dying, count), alive[np.concatenate(chosen).ravel()], 1 / count)


@dataclass(frozen=True)
class Fading:
    """Keep the level of output of each cell of a population, 1 for a cell in full."""

    population: str

    def ledgers(self, circuit) -> dict:
        """Return the ledger of the levels."""
        return {self.population: [FADING]}

    def keep(self, circuit, recording) -> dict:
        """Return nothing: levels change by events."""
        return {}


@dataclass(frozen=True)
class Apoptosis:
    """Let cells die, with all their synapses.

    Of the cells that `who` selects, each dies with a `hazard` (1/time), or `count` of them, or all; `floor` cells are
    left at least, whatever other rules kill at the same boundary, and cells that are protected stay. With `fade` a cell does not die at once: its output is multiplied by that factor at
    each boundary at which it is still selected, it dies once less than 1 % is left, and is rescued, its output whole again, at the first
    boundary at which it is not; the rule has to stand in every phase in which that is to happen, and only once. `heirs` (ns.Heirs) get the outgoing synapses of those that die.
    """

    population: str
    who: Any = Everyone()
    hazard: Quantity | None = None
    count: int | None = None
    floor: int = 0
    fade: float | None = None
    heirs: Heirs | None = None
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        check_amount(self)
        check_size(self.floor, f"apoptosis in {self.population!r} leaves", "floor", 0)
        if self.fade is not None and not 0 < self.fade < 1:
            raise ValueError(f"apoptosis in {self.population!r} fades by a factor of {self.fade!r}; give a number between 0 and 1")
        if self.heirs is not None and not callable(self.heirs):
            raise TypeError(f"heirs of apoptosis in {self.population!r} are {self.heirs!r}; give ns.Heirs(number)")

    @property
    def books(self) -> tuple:
        """The books that `who` reads, and that of the levels of fading cells."""
        own = () if self.fade is None else (Fading(self.population),)
        return (*books_needed(self.who, self.population), *own)

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the population or its output cannot fade, and what `who` raises."""
        check_name(self, self.population, circuit.populations)
        check_selection(self.who, circuit, self.population)
        shares = self.fade is not None or getattr(self.heirs, "number", 1) > 1
        for projection in circuit.projections.values():
            if shares and projection.source == self.population and projection.unsplittable:
                raise ValueError(
                    f"apoptosis in {self.population!r} cannot fade or hand over parts of projection {projection.name!r}, because "
                    f"{projection.unsplittable}; let the cells die at once, with one heir or none"
                )

    def __call__(self, circuit, recording, rng) -> Events:
        population = circuit[self.population]
        chosen = self.who(circuit, recording, self.population)
        if IMMORTAL.name in population.ledgers:
            chosen = chosen.taken(population.cells[IMMORTAL.name][population.rows(chosen.ids)] == 0)
        fading = self.fade is not None
        selected = self._going(population, chosen, recording, rng) if fading else choose(self, chosen, recording, rng)
        level = population.cells[FADING.name][population.rows(selected.ids)] * self.fade if fading else np.zeros(len(selected.ids))
        dying = first(selected.taken(level < GONE), max(0, len(population) - self.floor), rng)
        events = Events.kill(self.population, dying.ids, floor=self.floor, value=dying.value, threshold=dying.threshold)
        if fading:
            events += self._faded(population, selected, np.maximum(level, GONE), dying.ids)
        return events if self.heirs is None else events + self.heirs(circuit, recording, self.population, dying.ids, rng)

    def _going(self, population, chosen: Selected, recording, rng) -> Selected:
        """Return the selected cells that fade already, and those that begin to."""
        known = population.cells[FADING.name][population.rows(chosen.ids)] < 1
        entering = choose(self, chosen.taken(~known), recording, rng)
        return chosen.taken(known | among(chosen.ids, distinct(entering.ids)))

    def _faded(self, population, going: Selected, level: np.ndarray, dying: np.ndarray) -> Events:
        """Let the cells that live on fade to a level, those above a floor to the last one, and rescue fading cells that are not selected."""
        stays = ~np.isin(going.ids, dying)
        on = going.taken(stays)
        rescued = np.setdiff1d(population.ids[population.cells[FADING.name] < 1], going.ids)
        events = Events.fade(self.population, on.ids, level[stays], value=on.value, threshold=on.threshold)
        return events + Events.fade(self.population, rescued, 1.0)
