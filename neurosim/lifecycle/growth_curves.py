"""Growth curves: how fast synaptic elements grow or retract at a given calcium, and how many that makes in an epoch.

Calcium is the firing rate of a cell, exponentially filtered, in Hz (see CalciumBook). Butz and van Ooyen (2013), A simple rule for
dendritic spine and axonal bouton formation can account for cortical reorganization after focal retinal lesions, PLoS Computational
Biology 9:e1003259, doi:10.1371/journal.pcbi.1003259. The linear and the sigmoid curve are those of NEST (Diaz-Pier et al. (2016),
Automatic generation of connectivity for large-scale neuronal network models through structural plasticity, Frontiers in Neuroanatomy
10:57, doi:10.3389/fnana.2016.00057).
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from neurosim.lifecycle.amounts import slowed
from neurosim.lifecycle.schedules import checked_by_epoch
from neurosim.units import Hz, Quantity, quantity, to_si

NODES, WEIGHTS = (np.polynomial.legendre.leggauss(4) + np.array([[1.0], [0.0]])) / 2  # of Gauss's quadrature on (0, 1)
LONGEST_PANEL = 0.5  # time constants of calcium within one panel of the quadrature


@dataclass(frozen=True)
class Course:
    """Hold the calcium of cells during an epoch, which decays from one spike to the next.

    `calcium` (Hz) is the value at the beginning of each stretch and `length` (s) how long it lasts; the stretches of a cell follow
    one another, and `first` and `last` say where they begin and end. `tau` (s) is the time constant of the decay.
    """

    calcium: np.ndarray
    length: np.ndarray
    first: np.ndarray
    last: np.ndarray
    tau: float


def course(calcium: np.ndarray, cells: np.ndarray, times: np.ndarray, duration: float, tau: float) -> Course:
    """Return the course of calcium in an epoch: `calcium` (Hz) is that of each cell at first, `cells` (rows) spike at ascending `times` (s)."""
    count = np.bincount(cells, minlength=len(calcium))
    last = np.cumsum(count + 1) - 1
    first = last - count
    start = np.zeros(len(calcium) + len(cells))
    order = np.argsort(cells, kind="stable")
    start[np.arange(1, len(cells) + 1) + cells[order]] = times[order]
    length = np.empty(len(start))
    length[:-1] = start[1:] - start[:-1]
    length[last] = duration - start[last]
    return Course(_jumping(calcium, np.exp(-length / tau), first, count, 1 / tau), length, first, last, tau)


def _jumping(calcium: np.ndarray, decay: np.ndarray, first: np.ndarray, count: np.ndarray, jump: float) -> np.ndarray:
    """Return the calcium at the beginning of each stretch: what is left of that before, and the jump of a spike."""
    values = np.empty(len(decay))
    values[first] = calcium
    order = np.argsort(-count, kind="stable")
    begins = first[order]
    # All cells that have an n-th spike at once: the busiest come first.
    spiking = np.searchsorted(-count[order], -np.arange(1, count.max(initial=0) + 1), side="right")
    for spike, cells in enumerate(spiking, start=1):
        at = begins[:cells] + spike
        values[at] = values[at - 1] * decay[at - 1] + jump
    return values


def grown(elements: np.ndarray, gained: np.ndarray, during: Course) -> np.ndarray:
    """Return the elements of each cell after an epoch: those at first and what each stretch of it gained, at no spike below 0."""
    total = np.cumsum(gained)
    total -= np.repeat(total[during.first] - gained[during.first], during.last - during.first + 1)
    lowest = np.minimum.reduceat(total, during.first) if len(elements) else total
    return total[during.last] + np.maximum(elements, -lowest)


class GrowthCurve:
    """Share what growth curves have in common: a speed at each calcium, and what it comes to over an epoch.

    A curve is called with calcium (a quantity in Hz) and returns the elements that grow per time (1/time, below 0 where they retract).
    """

    def __post_init__(self):
        if checked_by_epoch(self):
            return
        for field in fields(self):
            value = getattr(self, field.name)
            if np.ndim(value) or not np.isfinite(to_si(value, Hz, f"{field.name} of {self._kind}")):
                raise ValueError(f"{field.name} of {self._kind} is {value}; give one finite rate")
        self._check()

    @property
    def _kind(self) -> str:
        return type(self).__name__

    def __call__(self, calcium: Quantity) -> Quantity:
        return quantity(self._speed(to_si(calcium, Hz, f"calcium of {self._kind}")), Hz.dim)

    def rescaled(self, factor: float) -> "GrowthCurve":
        """Return the curve with growth slower by a factor."""
        return replace(self, rate=slowed(self.rate, factor))

    def gained(self, during: Course) -> np.ndarray:
        """Return the elements that each stretch of a course gains, were none to be held at 0.

        By Gauss's quadrature with four nodes to a panel; its error is below 1e-6 of what the fastest growth would come to.
        """
        panels = np.ceil(np.maximum(during.calcium / self._panel, 1 / LONGEST_PANEL) * (during.length / during.tau)).astype(np.int64)
        np.maximum(panels, 1, out=panels)
        calcium, length = during.calcium, during.length / panels
        ends = np.cumsum(panels)
        if len(panels) and ends[-1] > len(panels):
            calcium, length = np.repeat(calcium, panels), np.repeat(length, panels)
            calcium = calcium * np.exp(-(np.arange(len(length)) - np.repeat(ends - panels, panels)) * length / during.tau)
        gains = WEIGHTS @ self._speed(calcium * np.exp(np.multiply.outer(NODES, -length / during.tau))) * length
        return np.add.reduceat(gains, ends - panels) if len(gains) > len(panels) else gains

    def _require(self, good: bool, name: str, need: str) -> None:
        if not good:
            raise ValueError(f"{name} of {self._kind} is {getattr(self, name)}; give {need}")


@dataclass(frozen=True)
class LinearGrowth(GrowthCurve):
    """Grow at `rate` (1/time) without calcium, ever slower toward the `target` (Hz), and retract above it: nu (1 - Ca/eps)."""

    rate: Quantity
    target: Quantity

    def _check(self) -> None:
        self._require(self.target > 0 * Hz, "target", "a rate above 0")

    def _speed(self, calcium):
        return float(self.rate) * (1 - calcium / float(self.target))

    def gained(self, during: Course) -> np.ndarray:
        """Return the elements that each stretch of a course gains, were none to be held at 0; exact."""
        spent = during.tau * during.calcium * np.expm1(-during.length / during.tau)
        return float(self.rate) * (during.length + spent / float(self.target))


@dataclass(frozen=True)
class GaussianGrowth(GrowthCurve):
    """Grow between a `minimum` and a `target` (Hz), fastest at `rate` (1/time) midway; retract below and above.

    nu (2 exp(-((Ca - xi)/zeta)**2) - 1) with xi = (eta + eps)/2 and zeta = (eps - eta)/(2 sqrt(ln 2)), eta being the minimum and
    eps the target (Butz and van Ooyen 2013, equation 5). Raises ValueError unless the target is above the minimum.
    """

    rate: Quantity
    target: Quantity
    minimum: Quantity

    def _check(self) -> None:
        self._require(self.target > self.minimum, "target", f"a rate above the minimum, {self.minimum}")

    @property
    def _width(self) -> float:
        return (float(self.target) - float(self.minimum)) / (2 * np.sqrt(np.log(2)))

    @property
    def _panel(self) -> float:
        return 0.75 * self._width

    def _speed(self, calcium):
        midway = (float(self.target) + float(self.minimum)) / 2
        return float(self.rate) * (2 * np.exp(-(((calcium - midway) / self._width) ** 2)) - 1)


@dataclass(frozen=True)
class SigmoidGrowth(GrowthCurve):
    """Grow at up to `rate` (1/time) below the `target` (Hz) and retract as fast above: nu (2/(1 + exp((Ca - eps)/psi)) - 1).

    `width` (Hz) is psi, over which the one goes over into the other. Raises ValueError unless it is above 0.
    """

    rate: Quantity
    target: Quantity
    width: Quantity

    def _check(self) -> None:
        self._require(self.width > 0 * Hz, "width", "a rate above 0")

    @property
    def _panel(self) -> float:
        return 1.5 * float(self.width)

    def _speed(self, calcium):
        return float(self.rate) * np.tanh((float(self.target) - calcium) / (2 * float(self.width)))  # the same, and it never overflows
