"""Traits: what selections measure of each cell or synapse at a boundary.

A trait is a frozen dataclass, ``trait(circuit, recording, name) -> values``: one SI number for each id of the population or projection
`name`, NaN where there is none to be had. ``trait.dimensions(circuit, name)`` tells what they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neurosim.errors import near
from neurosim.ledger import Ledger
from neurosim.lifecycle.books import Book
from neurosim.units import DIMENSIONLESS, Dimension, Hz, Quantity, second, to_si

CALCIUM = "calcium"
CALCIUM_TIME = 10 * second  # NEST 3, growth_curve and archiving_node: the default of tau_Ca


class Trait:
    """Share what traits have in common: a check before anything runs, and the books that they read."""

    def check(self, circuit, name: str) -> None:
        """Raise ValueError where a population or projection has no such trait."""
        self.dimensions(circuit, name)

    def books(self, name: str) -> tuple:
        """Return the books that have to be kept for the trait of this part."""
        return ()


def check_cells(trait, circuit, name: str) -> None:
    """Raise ValueError unless a part that a trait is asked of is a population."""
    if name not in circuit.populations:
        kind = type(trait).__name__
        raise ValueError(f"{kind} is a trait of cells, and {name!r} is no population.{near(name, circuit.populations)}")


@dataclass(frozen=True)
class Rate(Trait):
    """Take the mean rate of each cell in the last epoch, in Hz."""

    def dimensions(self, circuit, name: str) -> Dimension:
        """Return the dimension of a rate; raise ValueError for a projection."""
        check_cells(self, circuit, name)
        return Hz.dim

    def __call__(self, circuit, recording, name: str) -> np.ndarray:
        return np.asarray(recording[name].rate())


@dataclass(frozen=True)
class Age(Trait):
    """Take the age: of cells the number of epochs that they have lived through, of synapses the time since they were made, in seconds.

    A synapse that a division copied has the age of the one it descends from.
    """

    def dimensions(self, circuit, name: str) -> Dimension:
        """Return no dimension for cells, whose age is counted in epochs, and a time for synapses."""
        return second.dim if name in circuit.projections else DIMENSIONLESS

    def __call__(self, circuit, recording, name: str) -> np.ndarray:
        part = circuit[name]
        if name in circuit.projections:
            return circuit.time_si - part.synapses["since"]
        return (circuit.epoch + 1 - part.cells["birth"]).astype(np.float64)


@dataclass(frozen=True)
class Value(Trait):
    """Take the value of a state variable or of a ledger at the boundary; of projections also "weight", "delay" and "share".

    What synapses keep in their postsynaptic cells, such as a reward, is a variable of those cells. Of an event-driven variable there is only
    the value after the last spike.
    """

    variable: str

    def dimensions(self, circuit, name: str) -> Dimension:
        """Return the dimensions of the variable; raise ValueError where the part has it not, or not at boundaries."""
        known = _variables(circuit, name)
        if name in circuit.projections and self.variable in circuit[name].synapse.lines:
            synapse = circuit[name].synapse
            if "event-driven" in synapse.lines[self.variable].flags:
                raise ValueError(
                    f"{self.variable!r} of {name!r} has no value at a boundary, only one after the last spike; "
                    f"make it (clock-driven) in a copy of the file of {synapse.name!r}"
                )
        if self.variable not in known:
            raise ValueError(f"{name!r} has no variable or ledger {self.variable!r} to select by.{near(self.variable, known)}")
        return known[self.variable]

    def __call__(self, circuit, recording, name: str) -> np.ndarray:
        part = circuit[name]
        return (part.synapses if name in circuit.projections else part.cells)[self.variable]


def _variables(circuit, name: str) -> Mapping[str, Dimension]:
    part = circuit[name]
    ledgers = {key: ledger.dimensions for key, ledger in part.ledgers.items()}
    if name in circuit.populations:
        return {**part.model.variables, **ledgers}
    return {"weight": part.receptor.dimensions, "delay": second.dim, "share": DIMENSIONLESS, **part.synapse.variables, **ledgers}


@dataclass(frozen=True)
class Use(Trait):
    """Take how often each synapse is used, in Hz: presynaptic spikes since it was made, over its age (NaN for one without an age)."""

    def dimensions(self, circuit, name: str) -> Dimension:
        """Return the dimension of a rate; raise ValueError for a population."""
        if name not in circuit.projections:
            raise ValueError(f"Use is a trait of synapses, and {name!r} is no projection.{near(name, circuit.projections)}")
        return Hz.dim

    def __call__(self, circuit, recording, name: str) -> np.ndarray:
        return np.asarray(circuit.use(name))


@dataclass(frozen=True)
class CalciumBook(Book):
    """Keep the calcium of each cell of a population, its rate filtered with a time constant: dCa/dt = -Ca/tau + spikes/tau.

    It is a ledger in Hz, 0 at first, that a daughter has from her mother; at a steady rate its mean is that rate. It is worked out
    from the times of all spikes, so that the length of an epoch does not matter. Butz and van Ooyen (2013), A simple rule for dendritic
    spine and axonal bouton formation can account for cortical reorganization after focal retinal lesions, PLoS Computational Biology
    9:e1003259, doi:10.1371/journal.pcbi.1003259, have an increment of beta a spike: their calcium is beta * tau times this one.
    It stands still in phases no rule of which reads it: list the book itself among their rules. Books of different `tau` in one
    population need a `ledger` each. Raises ValueError for a tau that is not above 0.
    """

    population: str
    tau: Quantity = field(default_factory=lambda: CALCIUM_TIME)
    ledger: str = CALCIUM

    def __post_init__(self):
        check_time(self.tau, f"tau of the calcium of {self.population!r}")

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the population."""
        check_cells(self, circuit, self.population)

    def ledgers(self, circuit) -> dict[str, list[Ledger]]:
        """Return the column that the book keeps, by population."""
        return {self.population: [Ledger(self.ledger, first=0 * Hz)]}

    def keep(self, circuit, recording) -> dict[tuple[str, str], np.ndarray]:
        """Return the calcium of each cell at the end of an epoch, in Hz."""
        population, spikes = circuit[self.population], recording[self.population].spikes
        tau = to_si(self.tau, second, "tau")
        elapsed = (recording.stop_step - recording.start_step) * recording.dt_si
        since = (recording.stop_step - spikes.step) * recording.dt_si
        gained = np.bincount(population.rows(spikes.id), np.exp(-since / tau) / tau, minlength=len(population))
        return {(self.population, self.ledger): population.cells[self.ledger] * np.exp(-elapsed / tau) + gained}


@dataclass(frozen=True)
class Calcium(Trait):
    """Take the calcium of each cell, in Hz: its rate, exponentially filtered with the time constant `tau`, as CalciumBook keeps it."""

    tau: Quantity = field(default_factory=lambda: CALCIUM_TIME)
    ledger: str = CALCIUM

    def __post_init__(self):
        check_time(self.tau, "tau of Calcium")

    def dimensions(self, circuit, name: str) -> Dimension:
        """Return the dimension of a rate; raise ValueError for a projection."""
        check_cells(self, circuit, name)
        return Hz.dim

    def books(self, name: str) -> tuple:
        """Return the book of the calcium."""
        return (CalciumBook(name, self.tau, self.ledger),)

    def __call__(self, circuit, recording, name: str) -> np.ndarray:
        return circuit[name].cells[self.ledger]


def check_time(tau, what: str) -> None:
    """Raise unless a time constant is one time above 0."""
    if not np.ndim(tau) == 0 or not 0 < to_si(tau, second, what) < np.inf:
        raise ValueError(f"{what} is {tau}; give one time above 0, such as 10*second")
