"""Synaptic elements: axonal boutons and dendritic spines that grow with calcium, each bound in a synapse or vacant.

Butz and van Ooyen (2013), doi:10.1371/journal.pcbi.1003259; in the order of events those of NEST (Diaz-Pier et al. 2016,
doi:10.3389/fnana.2016.00057).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from neurosim.errors import near
from neurosim.ledger import Ledger
from neurosim.lifecycle.amounts import check_hazard
from neurosim.lifecycle.growth_curves import Course, GrowthCurve, course, grown
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.traits import Calcium
from neurosim.population import check_name
from neurosim.units import Hz, Quantity, second, to_si


@dataclass(frozen=True)
class Elements:
    """Describe what both kinds of synaptic elements have: see AxonalElements and DendriticElements."""

    population: str
    name: str
    curve: GrowthCurve
    projections: Sequence[str]
    calcium: Calcium = Calcium()
    vacancy: Quantity | None = None
    first: float = 0.0

    def __post_init__(self):
        names = (self.projections,) if isinstance(self.projections, str) else tuple(self.projections)
        object.__setattr__(self, "projections", names)
        if checked_by_epoch(self):
            return
        check_name(self.name, "pool of synaptic elements")
        if not names or len(set(names)) < len(names):
            raise ValueError(f"{self} are for the projections {names!r}; give at least one, and each once")
        if not isinstance(self.curve, GrowthCurve):
            raise TypeError(f"{self} grow by {self.curve!r}; give a growth curve such as ns.GaussianGrowth(...)")
        if not isinstance(self.calcium, Calcium):
            raise TypeError(f"{self} follow the calcium {self.calcium!r}; give ns.Calcium(tau)")
        check_hazard(self.vacancy, f"vacancy of {self}")
        if not 0 <= to_si(self.first, 1, f"first value of {self}") < np.inf:
            raise ValueError(f"{self} are {self.first} at first; give a finite number, 0 or more")

    def __str__(self) -> str:
        return f"the synaptic elements {self.name!r} of {self.population!r}"

    @property
    def ledger(self) -> Ledger:
        """The column of how many there are: a division adds those that its synapses bind, and a daughter has her mother's."""
        return Ledger(self.name, self.first, bound=tuple((projection, self.end) for projection in self.projections))

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the population or a projection; at which end that has it, the ledger tells."""
        if self.population not in circuit.populations:
            raise ValueError(f"{self} are in no population of this circuit.{near(self.population, circuit.populations)}")
        for projection in self.projections:
            if projection not in circuit.projections:
                raise ValueError(f"{self} are for {projection!r}, which is not in the circuit.{near(projection, circuit.projections)}")

    def bound(self, circuit, left: Mapping[str, np.ndarray] = MappingProxyType({})) -> np.ndarray:
        """Return how many elements of each cell are bound by synapses; `left` has masks of those that are left of some projections."""
        population, bound = circuit[self.population], 0
        for name in self.projections:
            cells = circuit[name].synapses[self.end]
            cells = cells[left[name]] if name in left else cells
            bound += np.bincount(cells, minlength=len(population.parents))
        return bound[population.ids]


@dataclass(frozen=True)
class AxonalElements(Elements):
    """Describe a pool of axonal elements of the cells of a population, which their outgoing synapses in `projections` bind.

    `name` is that of the ledger of how many a cell has; they grow by a `curve` of its `calcium`, and none but whole ones count. `vacancy`
    (1/time) is the hazard with which whole elements that nothing binds decay. Founders and newborn cells have `first` of them. A
    synapse that comes from elsewhere, before the life or by another rule, brings the elements that it binds.
    """

    end = "pre"


@dataclass(frozen=True)
class DendriticElements(Elements):
    """Describe a pool of dendritic elements, which incoming synapses in `projections` bind; all else is as in AxonalElements."""

    end = "post"


@dataclass(frozen=True)
class ElementBook:
    """Keep the synaptic elements of one population, a ledger for each pool.

    Over an epoch the elements that were vacant when it began decay, by ``vacant * (1 - exp(-vacancy * T))``, and all grow along the
    exact course of calcium; there are never fewer than none.
    """

    pools: tuple[Elements, ...]

    @property
    def population(self) -> str:
        """The population of the cells."""
        return self.pools[0].population

    def check(self, circuit) -> None:
        """Raise ValueError where a pool does not fit the circuit."""
        for pool in self.pools:
            pool.check(circuit)

    def ledgers(self, circuit) -> dict[str, list[Ledger]]:
        """Return the columns that the book keeps, by population."""
        return {self.population: [pool.ledger for pool in self.pools]}

    def keep(self, circuit, recording) -> dict[tuple[str, str], np.ndarray]:
        """Return the elements of each cell at the end of an epoch, for each pool."""
        kept, courses, gains = {}, [], []
        cells = circuit[self.population].cells
        duration = to_si(recording.duration, second, "epoch")
        for pool in self.pools:
            during = _once(courses, pool.calcium, lambda pool=pool: _course(circuit, recording, pool))
            gained = _once(gains, (pool.calcium, pool.curve), lambda pool=pool, during=during: pool.curve.gained(during))
            bound, elements = pool.bound(circuit), cells[pool.name]
            whole = np.floor(elements)
            # NEST's SynapticElement::connect: a synapse that finds no free element brings one.
            elements = elements + np.maximum(bound - whole, 0)
            if pool.vacancy is not None:
                elements += np.maximum(whole - bound, 0) * np.expm1(-to_si(pool.vacancy, Hz, "vacancy") * duration)
            kept[self.population, pool.name] = grown(elements, gained, during)
        return kept


def _course(circuit, recording, pool: Elements) -> Course:
    """Return the course of calcium in the epoch, which begins with what the ledger held at its beginning."""
    population, spikes = circuit[pool.population], recording[pool.population].spikes
    times = (spikes.step - recording.start_step) * recording.dt_si
    duration = (recording.stop_step - recording.start_step) * recording.dt_si
    tau = to_si(pool.calcium.tau, second, "tau of calcium")
    return course(population.cells[pool.calcium.ledger], population.rows(spikes.id), times, duration, tau)


def _once(made: list, key, make):
    """Return what was made for an equal key before, or make it."""
    for known, value in made:
        if known == key:
            return value
    made.append((key, make()))
    return made[-1][1]
