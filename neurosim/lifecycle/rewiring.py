"""What: the rule that prunes synapses and lets absent ones grow at a boundary."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.conduction import Conduction, check_placed, delays
from neurosim.distributions import draw
from neurosim.events import Events
from neurosim.lifecycle.amounts import check_hazard, check_name, choose
from neurosim.lifecycle.growth import Growth
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.lifecycle.selection import books_needed, check_fraction, check_made, check_selection, largest_incoming
from neurosim.projection import check_delays, check_values
from neurosim.units import DIMENSIONLESS, Quantity, get_dimensions, ms, quantity, second

TRIED = 16  # values of a distribution that are looked at before anything runs


@dataclass(frozen=True)
class Rewiring:
    """Prune synapses of a projection and let absent ones grow.

    Of the synapses that `prune` selects, each goes with a `hazard` (1/time), or all if there is none. `regrow` is a hazard with
    which each pair of cells without a synapse (a cell with itself excepted) gains one, or a Growth, which says how many grow and
    where. New synapses have `weight` (a quantity, a distribution, or a plain number: that fraction of the target's largest incoming
    weight, or of the projection's largest where the target has no synapse yet) and `delay` (a quantity, a distribution or a Conduction). Raises ValueError or TypeError for a bad hazard, for growth
    without a weight, and for growth of what is pruned where nothing is.
    """

    projection: str
    prune: Any = None
    hazard: Quantity | None = None
    regrow: Any = None
    weight: Any = None
    delay: Any = field(default_factory=lambda: 0 * ms)
    label: str | None = None

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        check_hazard(self.hazard, f"hazard of the rewiring of {self.projection!r}")
        if self.prune is not None:
            check_made(self.prune)
        if self.regrow is None:
            return
        if not isinstance(self.regrow, Growth):
            check_hazard(self.regrow, f"regrow of the rewiring of {self.projection!r}")
        elif self.regrow.replaces and self.prune is None:
            raise ValueError(
                f"the rewiring of {self.projection!r} regrows as many as it prunes but prunes nothing; give prune=... or a number"
            )
        if self.weight is None:
            raise ValueError(f"the rewiring of {self.projection!r} regrows synapses but has no weight for them; give weight=...")

    @property
    def books(self) -> tuple:
        """What has to be kept for the selection of synapses."""
        return () if self.prune is None else books_needed(self.prune, self.projection)

    @property
    def _relative(self) -> bool:
        return not hasattr(self.weight, "sample") and get_dimensions(self.weight) is DIMENSIONLESS

    @property
    def _growth(self) -> Growth:
        return self.regrow if isinstance(self.regrow, Growth) else Growth(self.regrow)

    def check(self, circuit) -> None:
        """Raise ValueError or TypeError where the circuit lacks the projection or growth, weights or delays do not fit it."""
        self.check_later(circuit)
        if self.regrow is not None:
            self._growth.check_room(circuit, self.projection)

    def check_later(self, circuit) -> None:
        """Raise as `check` does, but for what depends on how many cells there are: in a later phase that is not known yet."""
        check_name(self, self.projection, circuit.projections)
        projection = circuit[self.projection]
        if self.prune is not None:
            check_selection(self.prune, circuit, self.projection)
        if self.regrow is None:
            return
        self._growth.check(circuit, self.projection)
        if self._relative:
            check_fraction(projection, f"weight of the rewiring of {self.projection!r}")
        what, largest = f"regrown synapses of {self.projection!r}", projection.synapses["weight"].max(initial=0.0)
        delay = self.delay
        if isinstance(delay, Conduction):
            for name in (projection.source, projection.target):
                check_placed(circuit[name], f"delay of {what}")
            delay = delay.grid
        weight, delay = self._values(projection, delay, TRIED, lambda: np.full(TRIED, largest), np.random.default_rng(0))
        check_values(circuit[projection.source], projection.receptor, projection.synapse, weight, delay, what)
        if circuit.dt_si is not None:
            check_delays(delay, circuit.dt_si, what)

    def __call__(self, circuit, recording, rng) -> Events:
        events, pruned = Events(), np.empty(0, np.int64)
        if self.prune is not None:
            chosen = choose(self, self.prune(circuit, recording, self.projection), recording, rng)
            events += Events.unlink(self.projection, chosen.ids, value=chosen.value, threshold=chosen.threshold)
            pruned = circuit[self.projection].rows(chosen.ids)
        if self.regrow is not None:
            events += self._grown(circuit, recording, pruned, rng)
        return events

    def _grown(self, circuit, recording, pruned: np.ndarray, rng) -> Events:
        projection = circuit[self.projection]
        source, target = circuit[projection.source], circuit[projection.target]
        pre, post = self._growth.pairs(circuit, recording, self.projection, pruned, rng)
        delay = delays(
            self.delay, source.cells["position"][pre], target.cells["position"][post], f"regrown synapses of {self.projection!r}"
        )

        def largest() -> np.ndarray:
            """Give the largest incoming weight of each target, or that of the projection for a target without any."""
            rows = target.rows(projection.synapses["post"])
            bare = np.bincount(rows, minlength=len(target)) == 0
            return np.where(bare, projection.synapses["weight"].max(initial=0.0), largest_incoming(projection, len(target), rows))[post]

        weight, delay = self._values(projection, delay, len(post), largest, rng)
        return Events.link(self.projection, source.ids[pre], target.ids[post], weight, delay)

    def _values(self, projection, delay, size: int, largest: Callable[[], np.ndarray], rng) -> tuple[np.ndarray, np.ndarray]:
        """Weights and delays of new synapses; `largest` gives the largest incoming weight of the target of each, where they need it."""
        what = f"regrown synapses of {self.projection!r}"
        if self._relative:
            weight = float(self.weight) * largest()
        else:
            weight = draw(self.weight, size, rng, quantity(1.0, projection.receptor.dimensions), f"weight of {what}")
        return weight, draw(delay, size, rng, second, f"delay of {what}")
