"""Delays that follow from how far spikes have to travel."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.units import Quantity, metre, ms, quantity, second, to_si


@dataclass(frozen=True)
class Conduction:
    """Give each synapse the delay of a spike that travels at one speed: minimum + distance / speed, rounded to a grid.

    `speed` is in metres per second; unmyelinated axons within cortex conduct at about 0.3 m/s. It stands for a delay in ``connect``, in
    the synapses of newborn cells (newborn="wire") and in those that grow (Rewiring); both cells need positions. The
    copy of a synapse at a division keeps its delay, wherever the daughter stands. `grid` is a
    whole multiple of the time step. Raises ValueError for a speed or grid that is not above 0 and a negative minimum.
    """

    speed: Quantity
    minimum: Quantity = field(default_factory=lambda: 0 * ms)
    grid: Quantity = field(default_factory=lambda: 0.1 * ms)

    def __post_init__(self):
        for name, unit, least in (("speed", metre / second, "above 0"), ("minimum", second, "0 or more"), ("grid", second, "above 0")):
            value = to_si(getattr(self, name), unit, f"{name} of Conduction")
            if np.ndim(value) or not np.isfinite(value) or value < 0 or (value == 0 and least == "above 0"):
                raise ValueError(f"{name} of Conduction is {getattr(self, name)}; give one quantity, {least}")

    def over(self, distance: np.ndarray) -> np.ndarray:
        """Return the delays (s) over some distances (m)."""
        speed, minimum, grid = (float(np.asarray(value)) for value in (self.speed, self.minimum, self.grid))
        least = np.ceil(minimum / grid - 1e-6)  # what is rounded is not rounded below the minimum
        return np.maximum(np.round((minimum + distance / speed) / grid), least) * grid

    def specification(self) -> dict:
        """Return the conduction as a dictionary that JSON can hold, in SI."""
        return {"conduction": {name: float(np.asarray(getattr(self, name))) for name in ("speed", "minimum", "grid")}}


def from_specification(specification: dict) -> Conduction:
    """Return the conduction that `specification()` described."""
    units = {"speed": metre / second, "minimum": second, "grid": second}
    return Conduction(**{name: value * units[name] for name, value in specification["conduction"].items()})


def check_placed(population, what: str) -> None:
    """Raise ValueError for a population with a cell that has no position, on which something depends."""
    if np.isnan(population.cells["position"]).any():
        raise ValueError(f"{what} needs positions, but some cells of {population.name!r} have none; create the population with positions=")


def delays(delay: Any, pre: np.ndarray, post: np.ndarray, what: str):
    """Return what gives the delays of synapses: as it is, or, of a conduction, their times between positions (m, one row each)."""
    if not isinstance(delay, Conduction):
        return delay
    return quantity(delay.over(distances(pre, post, f"delay of {what}")), second.dim)


def distances(pre: np.ndarray, post: np.ndarray, what: str) -> np.ndarray:
    """Return the distances (m) between positions, shapes (n, 3); raise ValueError where a cell has none."""
    found = np.sqrt(((pre - post) ** 2).sum(axis=1))
    if np.isnan(found).any():
        raise ValueError(f"{what} needs positions, but some cells have none; create the populations with positions=")
    return found
