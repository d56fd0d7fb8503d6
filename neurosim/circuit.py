"""Circuits: populations and projections at one moment, as an immutable value."""

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass

import numpy as np

from neurosim.errors import near
from neurosim.population import Population
from neurosim.projection import Projection
from neurosim.units import Quantity, quantity, second

LONGEST = 64  # characters of a name or a label: what the tables of a history hold


@dataclass(frozen=True, eq=False, repr=False)
class Circuit:
    """Hold populations, projections and everything that their future depends on, at one moment.

    `populations` and `projections` are given as lists and kept as dicts by name; ``circuit["exc"]`` finds either. The
    seed fixes all noise; `step` counts time steps of `dt` (None until the first simulation), `epoch` the boundaries
    passed. Raises ValueError for a name used twice, a projection between populations that are not in the circuit, or
    one made for another population of that name.
    """

    populations: Mapping[str, Population]
    projections: Mapping[str, Projection] = ()
    seed: int = 0
    step: int = 0
    epoch: int = 0
    dt_si: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "populations", _by_name(self.populations, Population))
        object.__setattr__(self, "projections", _by_name(self.projections, Projection))
        _check_seed(self.seed)
        both = set(self.populations) & set(self.projections)
        if both:
            raise ValueError(f"{sorted(both)[0]!r} names both a population and a projection; rename one of them")
        for projection in self.projections.values():
            self._check_ends(projection)

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
        return self.updated({name: self[name].set(**state)})

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
