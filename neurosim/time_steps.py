"""How accurate the spikes of a cell are at each time step, and which time step suffices."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.errors import NonFiniteStateError, TimeStepWarning
from neurosim.experiments import CURRENT
from neurosim.expressions import names_in
from neurosim.integration import RELATIVE, exact_spikes, excess, values_of
from neurosim.models import CellModel
from neurosim.models.advice import ALLOWED
from neurosim.responses import Response, Stimulus, as_cell, respond
from neurosim.units import Quantity, ms, quantity, second, to_si
from neurosim.waveforms import ornstein_uhlenbeck, step

DTS = [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002] * ms
NOISE, TAU, SAMPLE, SEED = 0.5, 5 * ms, 1 * ms, 1  # of the noisy current: sd / mean, correlation time, how long a value is held, seed
COMPARED = 0.8  # share of a stimulus whose spikes are compared: the rest leaves time for those that come late
HALVINGS = 50  # of the interval between two samples, until only rounding is left of it
COARSER = 10  # times the tolerance of the reference, to see how far its own spikes move
ABOVE = 3  # times the error of the reference, from which an error is counted for the order
ASYMPTOTIC = 0.03  # below which the error of an interval is
STEPS = [("dt", "f8"), ("spikes", "i8"), ("mean", "f8"), ("largest", "f8"), ("interval", "f8")]


@dataclass(frozen=True, eq=False)
class TimeStepErrors:
    """Hold how far the spikes of a cell are from where they belong, a row for each time step, the longest first.

    `method` and `rule` are how the cell is stepped and when it spikes, as in its file. `table` has dt (s);
    spikes, as many as are compared; the mean and the largest distance (s) of a spike from the exact one;
    interval, the relative error of the mean interspike interval, the larger of those under each stimulus. All are inf where spikes are
    missing or the state was no longer finite. `reference` (s) is by how much the exact spikes move with ten times their tolerance,
    `apart` (s) their mean interval.
    """

    cell: str
    method: str
    rule: str
    table: np.ndarray
    reference: float
    apart: float

    @property
    def order(self) -> float:
        """The slope of log(interval) against log(dt), where that error is below 3 % and large beside that of the reference.

        NaN with fewer than two such rows.
        """
        errors = self.table["interval"]
        rows = self.table[(errors * self.apart > ABOVE * self.reference) & (errors < ASYMPTOTIC)]
        return float(np.polyfit(np.log(rows["dt"]), np.log(rows["interval"]), 1)[0]) if len(rows) > 1 else np.nan

    @property
    def advised(self) -> Quantity | None:
        """The longest time step at which, as at all shorter ones, intervals are within 1 %; None where there is none."""
        good = np.cumprod(self.table["interval"][::-1] <= ALLOWED).sum()
        return quantity(float(self.table["dt"][-good]), second.dim) if good else None

    def at(self, dt: Quantity) -> np.void:
        """Return the row of a time step; raises ValueError for one that was not tried."""
        wanted = to_si(dt, second, "dt")
        found = self.table[np.isclose(self.table["dt"], wanted, rtol=1e-9, atol=0)]
        if not len(found):
            raise ValueError(f"dt = {dt} was not tried with {self.cell!r}; give one of {self.table['dt'] * 1e3} ms")
        return found[0]

    def __str__(self) -> str:
        heads = ("dt (ms)", "spikes", "mean (ms)", "largest (ms)", "interval (%)")
        rows = [
            f"{row['dt'] * 1e3:10.5g} {row['spikes']:7d} {row['mean'] * 1e3:12.3g} {row['largest'] * 1e3:12.3g} "
            f"{row['interval'] * 100:12.3g}"
            for row in self.table
        ]
        widths = (10, 7, 12, 12, 12)
        head = " ".join(f"{name:>{width}}" for name, width in zip(heads, widths, strict=True))
        return "\n".join([f"{self.cell}, {self.method}: order {self.order:.2f}, advised {self.advised}", head, *rows])


def time_step_errors(
    cell: CellModel | str,
    stimuli: Stimulus | Sequence[Stimulus] | None = None,
    dts: Quantity = DTS,
    *,
    backend=None,
    progress: bool = True,
) -> TimeStepErrors:
    """Compare the spikes of a cell at several time steps with those of its equations, solved adaptively without any (`exact_spikes`).

    `stimuli` are by default `step_and_noise` with the current and duration that the cell's file names in its table `time_step`. The
    spikes of their first four fifths are compared, the n-th with the n-th. Where a cell has no reset, its spike is taken where the cubic
    through four samples crosses the threshold, so that the method shows its order; where it has, in the middle of its time step.
    `cell` and `backend` as in `respond`; stimuli last for whole time steps. Raises ValueError for a file without such a table, a
    dt that is not above 0, a stimulus with fewer than two spikes, and as `exact_spikes` and `respond` do.
    """
    cell = as_cell(cell)
    given = _given(cell, stimuli)
    si = np.sort(np.atleast_1d(to_si(dts, second, "time steps of a cell")))[::-1]
    if si.ndim != 1 or not len(si) or not (si > 0).all():
        raise ValueError(f"time steps of {cell.name!r} are {dts}; give some above 0, in one row")
    exact, coarser = ([_exact(cell, one, tolerance) for one in given] for tolerance in (RELATIVE, COARSER * RELATIVE))
    for one, spikes in zip(given, exact, strict=True):
        if len(spikes) < 2:
            raise ValueError(
                f"{cell.name!r} has {len(spikes)} spikes in the first {COMPARED:.0%} of stimulus {one.name!r}; give a stronger or longer one"
            )
    reference = max(_distances(*pair).max() for pair in zip(coarser, exact, strict=True))
    rows = [_row(float(one), _spikes_at(cell, given, float(one), backend, progress), exact) for one in si]
    apart = float(np.mean(np.concatenate([np.diff(spikes) for spikes in exact])))
    return TimeStepErrors(cell.name, cell.method, cell.spike.rule, np.array(rows, STEPS), float(reference), apart)


def step_and_noise(current: Quantity, duration: Quantity) -> list[Stimulus]:
    """Return the stimuli by which a time step is judged: a step of current, and noise of that mean and half of it as standard deviation.

    The noise is the same each time; it is correlated over 5 ms, and held for 1 ms. Raises as `ns.waveforms.ornstein_uhlenbeck` does.
    """
    noisy = ornstein_uhlenbeck(current, NOISE * abs(current), TAU, duration, SAMPLE, SEED)
    return [Stimulus("step", {CURRENT: step(current, duration, dt=SAMPLE)}), Stimulus("noise", {CURRENT: noisy})]


def _given(cell: CellModel, stimuli: Stimulus | Sequence[Stimulus] | None) -> list[Stimulus]:
    if stimuli is not None:
        return [stimuli] if isinstance(stimuli, Stimulus) else list(stimuli)
    if cell.time_step is None:
        raise ValueError(f"cell model {cell.name!r} has no table [time_step]; give stimuli, such as ns.step_and_noise(300*pA, 200*ms)")
    return step_and_noise(cell.time_step.current, cell.time_step.duration)


def _exact(cell: CellModel, stimulus: Stimulus, tolerance: float) -> np.ndarray:
    return np.asarray(exact_spikes(cell, stimulus, COMPARED * stimulus.duration, tolerance=tolerance))


def _spikes_at(cell: CellModel, stimuli: list[Stimulus], dt: float, backend, progress: bool) -> list[np.ndarray] | None:
    """The spike times for each stimulus at a time step, None where the state was no longer finite."""
    crossing = cell.spike.rule == "crossing"
    record = _read(cell) if crossing else ()
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", TimeStepWarning)  # what they warn of is measured here
        try:
            responses = respond(cell, stimuli, dt=quantity(dt, second.dim), record=record, backend=backend, progress=progress)
        except NonFiniteStateError:
            return None
    if not crossing:
        return [np.asarray(one.spikes) + dt / 2 for one in responses]
    return [_crossings(_excess(cell, one)) * dt for one in responses]


def _read(cell: CellModel) -> list[str]:
    """The state variables that a threshold depends on."""
    seen, left = set(), {cell.spike.threshold}
    while left:
        names = names_in(left.pop()) - seen
        seen |= names
        left |= {cell.lines[name].expression for name in names if name in cell.subexpressions}
    return [name for name in cell.variables if name in seen]


def _excess(cell: CellModel, response: Response) -> np.ndarray:
    known = {name: np.asarray(trace) for name, trace in response.traces.items()}
    return np.asarray(values_of(cell, known).of(excess(cell.spike.threshold)))


def _crossings(samples: np.ndarray) -> np.ndarray:
    """Where samples rise through 0, in samples: the root between two of them of the cubic through these and their neighbours."""
    if len(samples) < 4:
        return np.empty(0)
    at = np.flatnonzero((samples[:-1] <= 0) & (samples[1:] > 0))
    first = np.clip(at - 1, 0, len(samples) - 4)
    value, *differences = (np.diff(samples, order)[first] for order in range(4))  # Newton's form of the cubic
    low, high = (at - first).astype(float), (at - first + 1).astype(float)
    for _ in range(HALVINGS):
        x = (low + high) / 2
        factors = (x, x * (x - 1) / 2, x * (x - 1) * (x - 2) / 6)
        below = value + sum(factor * one for factor, one in zip(factors, differences, strict=True)) <= 0
        low, high = np.where(below, x, low), np.where(below, high, x)
    return first + low


def _row(dt: float, found: list[np.ndarray] | None, exact: list[np.ndarray]) -> tuple:
    """A row of the table of errors."""
    found = [np.empty(0)] * len(exact) if found is None else [one[: len(spikes)] for one, spikes in zip(found, exact, strict=True)]
    distances = [_distances(*pair) for pair in zip(found, exact, strict=True)]
    together = np.concatenate(distances)
    missing = any(len(one) < len(spikes) for one, spikes in zip(found, exact, strict=True))
    interval = np.inf if missing else max(abs(np.ptp(one) / np.ptp(spikes) - 1) for one, spikes in zip(found, exact, strict=True))
    return dt, sum(map(len, found)), together.mean(), together.max(), interval


def _distances(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """How far each spike is from the exact one of its number; inf where there are fewer."""
    return np.abs(found[: len(exact)] - exact) if len(found) >= len(exact) else np.full(len(exact), np.inf)
