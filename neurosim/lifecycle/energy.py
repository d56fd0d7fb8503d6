"""Energy: the molecules of ATP that each cell has, gains and spends, with books that balance."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from neurosim.errors import near
from neurosim.ledger import Ledger
from neurosim.lifecycle.amounts import check_name
from neurosim.lifecycle.apoptosis import Apoptosis
from neurosim.lifecycle.books import Book
from neurosim.lifecycle.criteria import Above, Below
from neurosim.lifecycle.division import Division
from neurosim.lifecycle.schedules import at, checked_by_epoch
from neurosim.lifecycle.selection import Either, Others, books_needed
from neurosim.lifecycle.traits import Value
from neurosim.models.energy import INFLUX, UNITS, Costs, atp_of
from neurosim.units import DIMENSIONLESS, Hz, Quantity, quantity, second, to_si, unit_name

ENERGY = "energy"


@dataclass(frozen=True)
class Energy(Book):
    """Keep the energy of the cells of a population, in molecules of ATP, as the ledger `energy`.

    In each epoch of length T a cell gains `income` * T, a rate (ATP a second) or a trait in 1/time, and spends per_time * T, per_spike
    for each of its spikes and per_event for each spike that one of its synapses passes on to it (counted when it is emitted). These are
    what the model file says in [energy], but for those in `costs`; cells made with ``cell.with_energy()`` pay for their sodium influx,
    a molecule for three ions, instead of for spikes; after a time in which nothing kept their energy, for an epoch's part of it. What is above `capacity` is spilled. Founders and cells without a mother begin with
    `first`; a division takes `cost`, and of the rest the mother keeps `share`. Income and costs are divided by `slowness`, see
    `rescaled`. Income, spending and what is spilled of the whole population are summed over its life in ``circuit.notes``, as
    "exc.energy.income", "exc.energy.spent" and "exc.energy.spilled".
    Attwell and Laughlin (2001), doi:10.1097/00004647-200110000-00001. Raises ValueError or TypeError for what does not fit.
    """

    population: str
    income: Any
    first: float = 0.0
    capacity: float = math.inf
    share: float = 0.5
    cost: float = 0.0
    costs: Mapping[str, Any] | None = None
    slowness: float = 1.0

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        what = f"the energy of {self.population!r}"
        if not callable(self.income) and not 0 <= to_si(self.income, Hz, f"income of {what}") < math.inf:
            raise ValueError(f"income of {what} is {self.income}; give a rate of 0 or more, or a trait")
        to_si(self.first, DIMENSIONLESS, f"first of {what}")
        if not self.first <= to_si(self.capacity, DIMENSIONLESS, f"capacity of {what}"):
            raise ValueError(f"capacity of {what} is {self.capacity!r}, below what cells begin with ({self.first!r}); give at least that")
        if not 0 < self.slowness < math.inf:
            raise ValueError(f"slowness of {what} is {self.slowness!r}; give a number above 0")
        self._ledger()
        for name, value in (self.costs or {}).items():
            if name not in UNITS:
                raise ValueError(f"costs of {what} have {name!r}.{near(name, UNITS)}")
            if not 0 <= to_si(value, quantity(1.0, UNITS[name]), f"{name} of {what}") < math.inf:
                raise ValueError(f"{name} of {what} is {value}; give 0 or more")

    @property
    def books(self) -> tuple:
        """The books that a phase with this one among its rules keeps."""
        return (*books_needed(self.income, self.population), self)

    def check(self, circuit) -> None:
        """Raise where the circuit lacks the population, its income is no rate, or its cells have a sodium current that they do not count."""
        check_name(self, self.population, circuit.populations)
        model = circuit[self.population].model
        found = self.income.dimensions(circuit, self.population) if callable(self.income) else Hz.dim
        if found is not Hz.dim:
            raise TypeError(f"income of the energy of {self.population!r} is a trait in {unit_name(found)}; give one in Hz, ATP a second")
        if self.costs is None and model.energy == Costs():
            raise ValueError(
                f"cells of {self.population!r} spend nothing, because the model file of {model.name!r} has no table [energy]; give it one, or "
                "costs={'per_time': ..., 'per_spike': ..., 'per_event': ...}"
            )
        if model.energy.sodium and INFLUX not in model.variables and "per_spike" not in (self.costs or {}):
            raise ValueError(
                f"spikes of {self.population!r} cost what their sodium current carries, which its cells do not count; create them from "
                f"ns.load_cell({model.name!r}).with_energy(), or give costs={{'per_spike': ...}}"
            )

    def rescaled(self, factor: float) -> "Energy":
        """Return the energy of a life whose epochs are longer by a factor: as much is gained and spent in an epoch as before."""
        return replace(self, slowness=self.slowness * factor)

    def ledgers(self, circuit) -> dict[str, list[Ledger]]:
        """Return the column that the book keeps, by population."""
        return {self.population: [self._ledger()]}

    def keep(self, circuit, recording) -> dict[tuple[str | None, str], Any]:
        """Return the energy of each cell at the end of an epoch, the sums over the life and, where sodium is counted, counters of 0."""
        name, cells, duration = self.population, circuit[self.population].cells, to_si(recording.duration, second, "epoch")
        costs, counted = self._costs(circuit), self._counted(circuit)
        rate = self.income(circuit, recording, name) if callable(self.income) else to_si(self.income, Hz, "income")
        income = np.broadcast_to(np.asarray(rate, dtype=float) * duration, len(cells)) / self.slowness
        last = f"{name}.{ENERGY}.step"
        lasted, since = (recording.stop_step - step for step in (recording.start_step, circuit.notes.get(last, 0)))
        spikes = atp_of(cells[INFLUX]) * (lasted / since) if counted else costs.per_spike * recording[name].counts
        spent = (costs.per_time * duration + spikes + costs.per_event * arrived(circuit, recording, name)) / self.slowness
        energy = cells[ENERGY] + income - spent
        spilled = np.maximum(energy - self.capacity, 0.0)
        sums = {"income": income, "spent": spent, "spilled": spilled}
        kept = {(None, key): circuit.notes.get(key, 0.0) + sums[word].sum() for word in sums for key in [f"{name}.{ENERGY}.{word}"]}
        if counted:
            kept |= {(name, INFLUX): np.zeros(len(cells)), (None, last): float(recording.stop_step)}
        return {(name, ENERGY): energy - spilled, **kept}

    def _ledger(self) -> Ledger:
        return Ledger(ENERGY, self.first, "split", self.share, self.cost)

    def _counted(self, circuit) -> bool:
        return INFLUX in circuit[self.population].model.variables and "per_spike" not in (self.costs or {})

    def _costs(self, circuit) -> Costs:
        given = {name: to_si(value, quantity(1.0, UNITS[name]), name) for name, value in (self.costs or {}).items()}
        return replace(circuit[self.population].model.energy, **given)


def arrived(circuit, recording, name: str) -> np.ndarray:
    """Return how many spikes the synapses of each cell of a population passed on to it, those of the last epoch's end still on their way."""
    target = circuit[name]
    events = np.zeros(len(target))
    for projection in circuit.projections.values():
        if projection.target == name:
            source, synapses = circuit[projection.source], projection.synapses
            counts = recording[projection.source].counts[source.rows(synapses["pre"])]
            events += np.bincount(target.rows(synapses["post"]), counts, minlength=len(target))
    return events


def check_first_boundary(circuit, rules, epoch: Quantity) -> None:
    """Raise ValueError where even cells without a single spike would all have starved at the end of a first epoch of this length.

    That is so where some ns.Apoptosis lets all cells die whose energy is not above a level, and what a cell has at first and gains, less
    what it spends in any case, is not; and where cells divide at an energy that the division itself uses up. An income that is a trait is judged by the `most` that it can be, where it has that.
    """
    rules, length = [at(rule, 0) for rule in rules], to_si(epoch, second, "epoch")
    for book in (one for one in rules if isinstance(one, Energy)):
        _check_divisions(book, rules)
        cells, income = circuit[book.population].cells, getattr(book.income, "most", book.income)
        if callable(income) or not len(cells):
            continue
        gained = (to_si(income, Hz, "income") - book._costs(circuit).per_time) * length / book.slowness
        left = np.minimum(cells[ENERGY] + gained, book.capacity).max()
        for level in _levels(rules, book.population):
            if left < level:
                raise ValueError(
                    f"all {len(cells)} cells of {book.population!r} would starve at the first boundary: they begin with "
                    f"{cells[ENERGY].max():g} at most, and {left:g} is left after {epoch} without a spike, with which they die; raise "
                    "first or income, or lower per_time"
                )


def _check_divisions(book: Energy, rules) -> None:
    """Raise ValueError where cells divide at an energy that the division uses up."""
    for rule in (one for one in rules if isinstance(one, Division) and one.population == book.population):
        if isinstance(rule.who, Above) and rule.who.trait == Value(ENERGY):
            level = to_si(rule.who.threshold, DIMENSIONLESS, "threshold")
            if level < book.cost:
                raise ValueError(
                    f"cells of {book.population!r} would divide above an energy of {level:g}, but a division costs {book.cost:g}, which would leave nothing for "
                    "mother and daughter; raise the threshold, or lower cost"
                )


def _levels(rules, name: str) -> list[float]:
    """Return the levels below which all cells of a population die of their energy, by any of the rules."""
    deadly = [rule for rule in rules if isinstance(rule, Apoptosis) and rule.population == name]
    found, waiting = [], [rule.who for rule in deadly if rule.hazard is None and rule.count is None]
    while waiting:
        who = waiting.pop()
        if isinstance(who, Either):
            waiting += [who.first, who.second]
        spared = isinstance(who, Others) and isinstance(who.selection, Above)
        limit = who.selection if spared else who
        if (spared or isinstance(who, Below)) and limit.trait == Value(ENERGY):
            level = to_si(limit.threshold, DIMENSIONLESS, "threshold")
            found.append(np.nextafter(level, np.inf) if spared else level)  # who is not above it dies also at it
    return found
