"""Migration: cells that synapses join move towards one another."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.errors import near
from neurosim.lifecycle.books import Book
from neurosim.lifecycle.schedules import checked_by_epoch

POSITION = "position"


@dataclass(frozen=True)
class Migration(Book):
    """Let cells move towards those that synapses join them to, at each boundary by a share of the way.

    A cell at x goes to x + pace * (mean of its partners' places - x), the mean weighted by the size of share * weight of the synapses of
    the projections `along`, whichever end the cell is; all move at once. `pace` is at most 0.5, at which two cells meet, so that nobody
    overshoots and all stay within the space that they span. Cells of the populations `anchors` stay where they are, as do those without
    synapses. Positions then tell who is near in ``ns.DistanceKernel``, and the delay of new synapses in ``ns.Conduction``; synapses that are
    there keep theirs. Raises ValueError for a pace outside (0, 0.5], and where cells have no positions.
    """

    along: Sequence[str]
    pace: float = 0.1
    anchors: Sequence[str] = ()
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        for name in ("along", "anchors"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        if not self.along:
            raise ValueError("a migration goes along no projection; name at least one, along=[...]")
        if isinstance(self.pace, bool) or not 0 < self.pace <= 0.5:
            raise ValueError(
                f"pace of the migration along {', '.join(self.along)} is {self.pace!r}; give a share of the way above 0, at most 0.5"
            )

    def check(self, circuit) -> None:
        """Raise ValueError where the circuit lacks a projection or population that is named, or cells of them have no positions."""
        for name in self.along:
            if name not in circuit.projections:
                raise ValueError(f"a migration goes along {name!r}, which is no projection.{near(name, circuit.projections)}")
            for end in (circuit.projections[name].source, circuit.projections[name].target):
                if not np.isfinite(circuit[end].cells[POSITION]).all():
                    raise ValueError(
                        f"a migration goes along {name!r}, but cells of {end!r} have no positions; create them with positions=..."
                    )
        for name in self.anchors:
            if name not in circuit.populations:
                raise ValueError(f"anchors of a migration are cells of {name!r}, which is no population.{near(name, circuit.populations)}")

    def ledgers(self, circuit) -> dict:
        """Return no ledgers: what is kept are positions."""
        return {}

    def keep(self, circuit, recording) -> dict[tuple[str, str], np.ndarray]:
        """Return the positions of the cells that move, for the epoch to come."""
        pulls: dict[str, list] = {}
        for name in self.along:
            projection = circuit[name]
            ends = [circuit[projection.source], circuit[projection.target]]
            rows = [ends[0].rows(projection.synapses["pre"]), ends[1].rows(projection.synapses["post"])]
            strength = np.abs(projection.synapses["share"] * projection.synapses["weight"])
            for own, other in ((0, 1), (1, 0)):
                towards = ends[other].cells[POSITION][rows[other]] - ends[own].cells[POSITION][rows[own]]
                pulls.setdefault(ends[own].name, []).append((rows[own], strength, towards))
        return {
            (name, POSITION): self._moved(circuit[name], *map(np.concatenate, zip(*pull, strict=True)))
            for name, pull in pulls.items()
            if name not in self.anchors
        }

    def _moved(self, cells, rows: np.ndarray, strength: np.ndarray, towards: np.ndarray) -> np.ndarray:
        whole = np.bincount(rows, strength, len(cells))
        pull = np.stack([np.bincount(rows, strength * axis, len(cells)) for axis in towards.T], axis=1)
        return cells.cells[POSITION] + self.pace * pull / np.where(whole > 0, whole, 1.0)[:, None]
