"""Traits of what a cell passes on to others, and of how much what it receives has changed."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurosim.errors import near
from neurosim.ledger import Ledger
from neurosim.lifecycle.books import Book
from neurosim.lifecycle.traits import CALCIUM, Calcium, Rate, Trait, check_cells, check_time
from neurosim.projection import Projection
from neurosim.units import Dimension, Hz, Quantity, mV, quantity, volt

BEFORE, CHANGE = "weight_before", "weight_change"  # ledgers of synapses


class _OverSynapses(Trait):
    """Share what traits have in common that sum over synapses of several projections, each in units of its receptor.

    `end` is where their projections have the cells, "source" or "target".
    """

    projection: str | None
    end: ClassVar[str]

    def joined(self, circuit, name: str) -> list[Projection]:
        """Return the projections that are summed over; raise ValueError for one that is not among them."""
        check_cells(self, circuit, name)
        own = {key: one for key, one in circuit.projections.items() if getattr(one, self.end) == name and self.counts(one)}
        if self.projection is None:
            return list(own.values())
        if self.projection not in own:
            kind = type(self).__name__
            raise ValueError(f"{kind} cannot sum over projection {self.projection!r} for {name!r}.{near(self.projection, own)}")
        return [own[self.projection]]

    def counts(self, projection: Projection) -> bool:
        """Tell whether a projection can be summed over."""
        return True

    def dimensions(self, circuit, name: str) -> Dimension:
        """Return the dimension of a strength times a rate; raise ValueError where receptors cannot be compared."""
        return self._scales(self.joined(circuit, name), name)[0] * Hz.dim

    def _scales(self, projections: list[Projection], name: str) -> tuple[Dimension, list[float]]:
        """Return the dimension of strengths, and what one SI unit of each projection's weight counts in it."""
        receptors = [one.receptor for one in projections]
        if all(one.unitary is not None for one in receptors):
            return volt.dim, [float(mV) / one.unitary for one in receptors]
        if len({one.dimensions for one in receptors}) == 1:
            return receptors[0].dimensions, [1.0] * len(receptors)
        silent = next(one.name for one in projections if one.receptor.unitary is None)
        raise ValueError(
            f"{type(self).__name__} of {name!r} cannot add up {', '.join(one.name for one in projections)}: the receptor of {silent!r} has "
            "no unitary strength to compare it by; choose one of them with projection=..."
        )


@dataclass(frozen=True)
class Passthrough(_OverSynapses):
    """Take what each cell passes on: its spikes per second times the sum of share * weight of its outgoing synapses.

    Each weight counts, whatever its sign, as the potential that it causes in a cell at rest, so that the trait is in volt * Hz; where a
    receptor has no unitary strength, as it is, if all can be added. The rate is that of the last epoch or, with a `window`, the
    calcium with that time constant, kept under the name `ledger`. A division that shares its synapses evenly halves what a cell passes
    on. A population that is the source of no projection has no such trait: its cells (a readout) are never selected by it.
    Raises ValueError for a `projection` (None: all) that does not start there, or receptors that cannot be compared.
    """

    window: Quantity | None = None
    projection: str | None = None
    ledger: str = CALCIUM

    end: ClassVar[str] = "source"

    def __post_init__(self):
        if self.window is not None:
            check_time(self.window, "window of Passthrough")

    def books(self, name: str) -> tuple:
        """Return the book of the calcium, where there is a window."""
        return () if self.window is None else Calcium(self.window, self.ledger).books(name)

    def __call__(self, circuit, recording, name: str) -> np.ndarray:
        projections, cells = self.joined(circuit, name), circuit[name]
        if not projections:
            return np.full(len(cells), np.nan)
        total = np.zeros(len(cells))
        for projection, scale in zip(projections, self._scales(projections, name)[1], strict=True):
            synapses = projection.synapses
            strength = np.abs(synapses["share"] * synapses["weight"]) * scale
            total += np.bincount(cells.rows(synapses["pre"]), strength, minlength=len(cells))
        rate = Rate() if self.window is None else Calcium(self.window, self.ledger)
        return rate(circuit, recording, name) * total


@dataclass(frozen=True)
class WeightBook(Book):
    """Keep, for the plastic synapses onto a population, their weights at the last boundary and by how much those changed in the epoch.

    They are ledgers of the projections, "weight_before" and "weight_change"; the change is only to be read where `known` says so.
    """

    population: str

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks the population."""
        check_cells(self, circuit, self.population)

    def ledgers(self, circuit) -> dict[str, list[Ledger]]:
        """Return the columns that the book keeps, by projection."""
        return {
            one.name: [Ledger(key, quantity(0.0, one.receptor.dimensions)) for key in (BEFORE, CHANGE)] for one in self._followed(circuit)
        }

    def keep(self, circuit, recording) -> dict[tuple[str | None, str], np.ndarray | float]:
        """Return weights and changes at the end of an epoch, and at which time steps they were noted."""
        last, previous = self._steps
        noted = {(None, last): float(recording.stop_step), (None, previous): circuit.notes.get(last, -1.0)}
        for one in self._followed(circuit):
            weight = one.synapses["weight"]
            noted |= {(one.name, BEFORE): weight, (one.name, CHANGE): weight - one.synapses[BEFORE]}
        return noted

    def known(self, circuit, recording, projection: Projection) -> np.ndarray:
        """Tell of which synapses the change is known: those that were there at the last boundary, if weights were noted then."""
        synapses = projection.synapses
        noted = circuit.notes.get(self._steps[1]) == recording.start_step
        return noted & (synapses["since"] < (recording.start_step - 0.5) * recording.dt_si)

    @property
    def _steps(self) -> tuple[str, str]:
        return f"weights of {self.population}: step", f"weights of {self.population}: step before"

    def _followed(self, circuit) -> list[Projection]:
        return [one for one in circuit.projections.values() if one.target == self.population and one.synapse.plastic]


@dataclass(frozen=True)
class Vitality(_OverSynapses):
    """Take how much each cell learns and speaks: the root of the summed squares of weight changes in the epoch, times the rate.

    It goes over the plastic synapses onto a cell; each change counts as the potential that so much weight causes in a cell at rest (in
    volt * Hz then; where a receptor has no unitary strength, as it is, if all can be added) and its square is weighed by the synapse's
    share, so that a division of the cells before leaves it as it is. The jitter of a division counts as a change. A synapse younger
    than the epoch has none yet; a cell with no other synapses is not selected, nor is any at the first boundary of a life.
    Raises ValueError where no plastic synapse can be there, for a `projection` (None: all) that is none of theirs, or receptors that
    cannot be compared.
    """

    projection: str | None = None
    end: ClassVar[str] = "target"

    def counts(self, projection: Projection) -> bool:
        """Tell whether the weights of a projection can change."""
        return projection.synapse.plastic

    def check(self, circuit, name: str) -> None:
        """Raise ValueError where no plastic projection ends at a population."""
        if not self.joined(circuit, name):
            raise ValueError(f"Vitality of {name!r} is a change of weights, but no plastic projection ends there; select by another trait")
        super().check(circuit, name)

    def books(self, name: str) -> tuple:
        """Return the book of the weights."""
        return (WeightBook(name),)

    def __call__(self, circuit, recording, name: str) -> np.ndarray:
        projections, cells = self.joined(circuit, name), circuit[name]
        squares, there, seen = np.zeros((3, len(cells)))
        for projection, scale in zip(projections, self._scales(projections, name)[1], strict=True):
            synapses = projection.synapses
            known = WeightBook(name).known(circuit, recording, projection)
            rows = cells.rows(synapses["post"])
            squares += np.bincount(rows, known * synapses["share"] * (synapses[CHANGE] * scale) ** 2, minlength=len(cells))
            there += np.bincount(rows, minlength=len(cells))
            seen += np.bincount(rows, known, minlength=len(cells))
        squares[(there > 0) & (seen == 0)] = np.nan
        return np.sqrt(squares) * Rate()(circuit, recording, name)
