"""Circuits: populations and projections at one moment, as an immutable value."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

import numpy as np

from neurosim.errors import near
from neurosim.ledger import IMMORTAL, Ledger
from neurosim.population import NEVER, Population
from neurosim.projection import Projection, check_values
from neurosim.units import Hz, Quantity, quantity, second

LONGEST = 64  # characters of a name or a label: what the tables of a history hold


@dataclass(frozen=True, eq=False, repr=False)
class Circuit:
    """Hold populations, projections and everything that their future depends on, at one moment.

    `populations` and `projections` are given as lists and kept as dicts by name; ``circuit["exc"]`` finds either. The
    seed fixes all noise; `step` counts time steps of `dt` (None until the first simulation), `epoch` the boundaries
    passed; `notes` are numbers that rules remember from epoch to epoch, by name. Raises ValueError for a name used twice, a projection between populations that are not in the circuit, or
    one made for another population of that name.
    """

    populations: Mapping[str, Population]
    projections: Mapping[str, Projection] = ()
    seed: int = 0
    step: int = 0
    epoch: int = 0
    dt_si: float | None = None
    notes: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "populations", _by_name(self.populations, Population))
        object.__setattr__(self, "projections", _by_name(self.projections, Projection))
        _check_seed(self.seed)
        both = set(self.populations) & set(self.projections)
        if both:
            raise ValueError(f"{sorted(both)[0]!r} names both a population and a projection; rename one of them")
        for name, projection in self.projections.items():
            self._check_ends(projection)
            self.projections[name] = self._joined(projection)

    def _check_ends(self, projection: Projection) -> None:
        for end, column in ((projection.source, "pre"), (projection.target, "post")):
            if end not in self.populations:
                raise ValueError(
                    f"projection {projection.name!r} joins {projection.source!r} and {projection.target!r}, but {end!r} is not "
                    f"a population of this circuit.{near(end, self.populations)}"
                )
            rows = self.populations[end].cells.rows_or_missing(projection.synapses[column])
            if (rows < 0).any():
                raise ValueError(
                    f"projection {projection.name!r} has synapses of cell {projection.synapses[column][rows < 0][0]}, which population "
                    f"{end!r} of this circuit has not; connect the population that the circuit holds"
                )
        receptors = self.populations[projection.target].model.receptors
        if projection.receptor.name not in receptors:
            raise ValueError(
                f"projection {projection.name!r} acts on receptor {projection.receptor.name!r}, which population "
                f"{projection.target!r} has not.{near(projection.receptor.name, receptors)}"
            )
        ends = (self.populations[end].model for end in (projection.source, projection.target))
        projection.synapse.check_cells(*ends, f"projection {projection.name!r}")

    def _joined(self, projection: Projection) -> Projection:
        """Let a projection that is new here begin now: the age of its synapses counts from here, and so do spikes."""
        synapses, source = projection.synapses, self.populations[projection.source]
        if (synapses["since"] == NEVER).any() or (synapses["since"] > self.time_si).any():
            counted = source.cells["spikes"][source.rows(synapses["pre"])]
            projection = replace(projection, synapses=synapses.replace(since=np.full(len(synapses), self.time_si), counted=counted))
        return self._marked(projection) if self._has_memory(projection) else projection

    def __getitem__(self, name: str) -> Population | Projection:
        if name in self.populations:
            return self.populations[name]
        if name in self.projections:
            return self.projections[name]
        raise KeyError(f"this circuit has no population or projection {name!r}.{near(name, [*self.populations, *self.projections])}")

    def __repr__(self) -> str:
        parts = [repr(part) for part in (*self.populations.values(), *self.projections.values())]
        dt = "dt open" if self.dt_si is None else f"dt {self.dt}"
        head = f"<Circuit at {self.time}, epoch {self.epoch}, {dt}, seed {self.seed}:"
        return "\n  ".join([head, *parts]) + ">"

    @property
    def dt(self) -> Quantity | None:
        """The time step, fixed by the first simulation; None before."""
        return None if self.dt_si is None else quantity(self.dt_si, second.dim)

    @property
    def time_si(self) -> float:
        """The circuit's time in seconds, as its clock computes it."""
        return self.step * (self.dt_si or 0.0)

    @property
    def time(self) -> Quantity:
        """The circuit's time: whole time steps since it was made."""
        return quantity(self.time_si, second.dim)

    def reseed(self, seed: int) -> "Circuit":
        """Return the circuit with another future: the same state, other noise from now on."""
        _check_seed(seed)
        return self.updated({}, seed=seed)

    def set(self, name: str, **state) -> "Circuit":
        """Return the circuit with other state of one population or projection: ``circuit.set("exc", v=-60*mV)``."""
        part = self[name].set(**state)
        if "weight" in state and name in self.projections:
            weight, delay = part.synapses["weight"], part.synapses["delay"]
            check_values(self.populations[part.source], part.receptor, part.synapse, weight, delay, f"projection {name!r}")
        return self.updated({name: part})

    def freeze(self, name: str, cells=None) -> "Circuit":
        """Return the circuit with cells of a population marked as memory: the weights of all their synapses stay as they are.

        `cells` are ids (None: all of them). Synapses to and from a marked cell keep their weights to the bit, whatever rule, normalisation
        or division acts on them, and so do those that it gains later; a daughter of a marked cell is marked. Raises KeyError for an
        unknown population or a cell that is not alive.
        """
        return self._mark(name, cells, True)

    def thaw(self, name: str, cells=None) -> "Circuit":
        """Return the circuit with cells of a population no longer marked as memory; raises as `freeze` does."""
        return self._mark(name, cells, False)

    def with_ledgers(self, ledgers: Mapping[str, Sequence[Ledger]]) -> "Circuit":
        """Return the circuit with columns that rules keep, by population or projection; those that are there already stay as they are.

        Raises KeyError for an unknown part and ValueError for a name that means something else there, or a ledger that is bound to ends of
        projections at which these cells do not stand.
        """
        parts = {}
        for name, wanted in ledgers.items():
            part = self[name]
            table, kind = (part.cells, "cells") if name in self.populations else (part.synapses, "synapses")
            known, columns = dict(part.ledgers), {}
            for ledger in wanted:
                self._check_bound(name, ledger)
                if known.setdefault(ledger.name, ledger) != ledger:
                    raise ValueError(
                        f"two rules keep {ledger.name!r} of {name!r} differently, as {known[ledger.name]} and {ledger}; give one another name"
                    )
                if ledger.state:
                    if ledger.name not in (part.model if kind == "cells" else part.synapse).variables:
                        raise ValueError(f"{name!r} has no state variable {ledger.name!r}; leave state out for a ledger of that name")
                elif ledger.name not in part.ledgers:
                    if ledger.name in table or hasattr(part, ledger.name):
                        raise ValueError(f"{name!r} has a {ledger.name!r} already, which no rule can keep; give the ledger another name")
                    columns[ledger.name] = np.full(len(part), ledger.first_si)
            if len(known) > len(part.ledgers):
                parts[name] = replace(part, ledgers=known, **{kind: table.replace(**columns)})
        return self.updated(parts)

    def _check_bound(self, name: str, ledger: Ledger) -> None:
        for projection, end in ledger.bound:
            one = self.projections.get(projection)
            if one is None or (one.source if end == "pre" else one.target) != name:
                ends = "which is not in the circuit" if one is None else f"which goes from {one.source!r} to {one.target!r}"
                raise ValueError(
                    f'ledger {ledger.name!r} of {name!r} is bound to the "{end}" end of {projection!r}, {ends}; name one of its own'
                )

    def protect(self, name: str, cells=None) -> "Circuit":
        """Return the circuit with cells of a population (ids; None: all of them) that no rule can kill: what proposes it is dropped and counted.

        A daughter of a protected cell is not protected. Raises KeyError for an unknown population or a cell that is not alive.
        """
        if name not in self.populations:
            raise KeyError(f"this circuit has no population {name!r}.{near(name, self.populations)}")
        made = self.with_ledgers({name: [IMMORTAL]})
        population = made.populations[name]
        marked = population.cells[IMMORTAL.name].copy()
        marked[slice(None) if cells is None else population.rows(cells)] = 1.0
        return made.updated({name: replace(population, cells=population.cells.replace(**{IMMORTAL.name: marked}))})

    def _mark(self, name: str, cells, marked: bool) -> "Circuit":
        if name not in self.populations:
            raise KeyError(f"this circuit has no population {name!r}.{near(name, self.populations)}")
        population = self.populations[name]
        memory = population.cells["memory"].copy()
        memory[slice(None) if cells is None else population.rows(cells)] = marked
        made = self.updated({name: replace(population, cells=population.cells.replace(memory=memory))})
        touched = [one for one in made.projections.values() if one.synapse.plastic and name in (one.source, one.target)]
        return made.updated({one.name: made._marked(one) for one in touched})

    def _has_memory(self, projection: Projection) -> bool:
        return projection.synapse.plastic and any(
            self.populations[end].cells["memory"].any() for end in (projection.source, projection.target)
        )

    def _marked(self, projection: Projection) -> Projection:
        """Work out which synapses of a projection are frozen: those of a marked cell at either end."""
        marked = [
            self.populations[end].cells["memory"][self.populations[end].rows(projection.synapses[column])]
            for end, column in ((projection.source, "pre"), (projection.target, "post"))
        ]
        return replace(projection, synapses=projection.synapses.replace(frozen=np.logical_or(*marked).astype(float)))

    def use(self, name: str) -> Quantity:
        """Return how often each synapse of a projection is used: presynaptic spikes since it was made, over its age.

        A synapse that a division copied has the age and the spikes of the one it descends from. NaN for one that has no age yet. Raises KeyError for an unknown projection.
        """
        if name not in self.projections:
            raise KeyError(f"this circuit has no projection {name!r}.{near(name, self.projections)}")
        projection = self.projections[name]
        source, synapses = self.populations[projection.source], projection.synapses
        spikes = source.cells["spikes"][source.rows(synapses["pre"])] - synapses["counted"]
        age = self.time_si - synapses["since"]
        return quantity(np.divide(spikes, age, out=np.full(len(age), np.nan), where=age > 0), Hz.dim)

    def weight_matrix(self, name: str) -> Quantity:
        """Return what a projection delivers from each cell to each: share * weight, summed over synapses, shape (pre, post)."""
        if name not in self.projections:
            raise KeyError(f"this circuit has no projection {name!r}.{near(name, self.projections)}")
        projection = self.projections[name]
        source, target = self.populations[projection.source], self.populations[projection.target]
        matrix = np.zeros((len(source), len(target)))
        synapses = projection.synapses
        np.add.at(matrix, (source.rows(synapses["pre"]), target.rows(synapses["post"])), synapses["share"] * synapses["weight"])
        return quantity(matrix, projection.receptor.dimensions)

    def updated(self, parts: Mapping[str, Population | Projection], **fields) -> "Circuit":
        """Return the circuit with the given populations and projections in the place of those of the same name.

        What a new circuit has to fulfil is not checked again: the parts are those of this circuit, carried on.
        """
        if parts:
            fields["populations"] = {name: parts.get(name, old) for name, old in self.populations.items()}
            fields["projections"] = {name: parts.get(name, old) for name, old in self.projections.items()}
        made = copy(self)
        vars(made).update(fields)
        return made


def _check_seed(seed) -> None:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise TypeError(f"the seed of a circuit is a whole number, not {seed!r}")


def _by_name(parts, kind) -> dict:
    if isinstance(parts, (Population, Projection)):
        raise TypeError(f"a circuit takes its {kind.__name__.lower()}s as a list, not {parts!r} alone; give [...]")
    values: Iterable = parts.values() if isinstance(parts, Mapping) else parts
    named = {}
    for part in values:
        if not isinstance(part, kind):
            raise TypeError(f"a circuit's {kind.__name__.lower()}s are made by neurosim, not {part!r}")
        if part.name in named:
            remedy = "rename one with .replace(name=...)" if kind is Projection else "create one under another name"
            raise ValueError(f"two {kind.__name__.lower()}s of this circuit are called {part.name!r}; {remedy}")
        if len(part.name) > LONGEST:
            remedy = ".replace(name=...)" if kind is Projection else "create it under another name"
            raise ValueError(
                f"{kind.__name__.lower()} {part.name!r} has a name of {len(part.name)} characters and {LONGEST} is the most; {remedy}"
            )
        named[part.name] = part
    return named
