"""Experiments on single cells: current against rate, the smallest current that makes a spike, and the time step that suffices."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np

from neurosim.circuit import Circuit
from neurosim.currents import StepCurrent
from neurosim.measures.trains import spike_trains
from neurosim.models import CellModel
from neurosim.population import create
from neurosim.responses import CELL, Response, Stimulus, as_cell, respond, run_cells, with_dt
from neurosim.simulate import simulate
from neurosim.units import Hz, Quantity, amp, quantity, second, to_si

CURRENT = "I_e"  # the receptor through which all cells take an injected current
SECTIONS = 16  # parts into which a round of `rheobase` cuts its interval
FINEST = 1e-9  # of the currents: below it the sections of an interval round to the same numbers
CONVERGENCE = [("dt", "f8"), ("spikes", "i8"), ("movement", "f8")]


@dataclass(frozen=True, eq=False)
class FICurve:
    """Hold what steps of current did, one entry each: the current, the spike count, the rate and the time to the first spike.

    `rates` are 1 / mean interspike interval of the spikes after a given time, 0 with fewer than two of them, as in model files;
    `latencies` are NaN without a spike.
    """

    cell: str
    currents: Quantity
    counts: np.ndarray
    rates: Quantity
    latencies: Quantity

    def columns(self) -> dict[str, np.ndarray]:
        """Return the curve as columns for a table."""
        names = ("current (A)", "spikes", "rate (Hz)", "latency (s)")
        values = (self.currents, self.counts, self.rates, self.latencies)
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}


def fi_curve(
    cell: CellModel | str,
    currents: Quantity,
    duration: Quantity,
    after: Quantity = 0 * second,
    *,
    dt: Quantity | None = None,
    backend=None,
    progress: bool = True,
) -> FICurve:
    """Give steps of current to cells that start from their initial values, one cell a current in one simulation.

    `currents` is a quantity of shape (n,); the rate is that of the spikes from `after` on. `cell`, `dt` and `backend` as in `respond`.
    Raises as `simulate` does, and ValueError for currents that are not in one row or an `after` outside the duration.
    """
    si = to_si(currents, amp, "currents of an f-I curve")
    if np.ndim(si) != 1 or not len(si):
        raise ValueError(f"currents of an f-I curve have shape {np.shape(si)}; give them in one row, such as [0, 100, 200]*pA")
    settled = to_si(after, second, "after of an f-I curve")
    if not 0 <= settled < to_si(duration, second, "duration of an f-I curve"):
        raise ValueError(f"after of an f-I curve is {after}; give a time from 0 to below the duration, {duration}")
    cell = as_cell(cell)
    trains = _trains_of_steps(cell, si, duration, with_dt(backend, dt), progress)
    late = [train[train >= settled] for train in trains]
    rates = [1 / np.diff(train).mean() if len(train) > 1 else 0.0 for train in late]
    first = [train[0] if len(train) else np.nan for train in trains]
    counts = np.array([len(train) for train in trains])
    return FICurve(cell.name, quantity(si, amp.dim), counts, quantity(rates, Hz.dim), quantity(first, second.dim))


def computing_time(cell: CellModel | str, duration: Quantity, current: Quantity, cells: int = 1000, backend=None) -> float:
    """Measure how many seconds of computing a simulated second of one cell takes, among so many under a steady current.

    What has to be compiled is compiled before; the faster of two runs counts. Raises as `simulate` does.
    """
    circuit, inputs = Circuit([create(CELL, as_cell(cell), cells)]), [StepCurrent(CELL, CURRENT, current)]
    seconds = []
    for _ in range(3):
        begun = perf_counter()
        simulate(circuit, duration, inputs=inputs, backend=backend, progress=False)
        seconds.append(perf_counter() - begun)
    return min(seconds[1:]) / cells / to_si(duration, second, "duration of a measurement")


def rheobase(
    cell: CellModel | str,
    low: Quantity,
    high: Quantity,
    duration: Quantity,
    tolerance: Quantity,
    *,
    dt: Quantity | None = None,
    backend=None,
    progress: bool = True,
) -> Quantity:
    """Find the smallest step of current, of the given duration, that makes a cell spike, to a tolerance.

    The current returned makes it spike, the tolerance less does not. Each round tries `SECTIONS` + 1 currents at once; `cell`, `dt` and
    `backend` as in `respond`. Raises ValueError where `low` makes it spike or `high` does not, and as `simulate` does.
    """
    below, above = (to_si(one, amp, f"{name} of the rheobase") for name, one in (("low", low), ("high", high)))
    small = to_si(tolerance, amp, "tolerance of the rheobase")
    if not below < above or not small > FINEST * max(abs(below), abs(above)):
        raise ValueError(
            f"a rheobase between {low} and {high} to within {tolerance} cannot be sought; give low < high and a tolerance above {FINEST:g} of them"
        )
    cell, backend = as_cell(cell), with_dt(backend, dt)
    while True:
        tried = np.linspace(below, above, SECTIONS + 1)
        fired = np.flatnonzero([len(train) for train in _trains_of_steps(cell, tried, duration, backend, progress)])
        if not len(fired):
            raise ValueError(f"{cell.name!r} does not spike within {duration} at high = {high}; give a higher one or a longer duration")
        if fired[0] == 0:
            raise ValueError(f"{cell.name!r} spikes within {duration} at low = {low} already; give a lower one")
        below, above = tried[fired[0] - 1], tried[fired[0]]
        if above - below <= small:
            return quantity(above, amp.dim)


@dataclass(frozen=True, eq=False)
class Convergence:
    """Hold how spike times move as the time step is halved, and the response at the last time step, which suffices.

    `table` has a row for each time step: dt (s), spikes, and movement (s), the largest of a spike since the row before: NaN in the
    first row, inf where the number of spikes changed.
    """

    table: np.ndarray
    response: Response

    @property
    def dt(self) -> Quantity:
        """The time step that suffices."""
        return quantity(float(self.table["dt"][-1]), second.dim)

    def __str__(self) -> str:
        rows = [f"{row['dt'] * 1e3:10.5g} {row['spikes']:7d} {row['movement'] * 1e3:14.5g}" for row in self.table]
        return "\n".join([f"{'dt (ms)':>10} {'spikes':>7} {'movement (ms)':>14}", *rows])


def convergence(
    cell: CellModel | str,
    stimulus: Stimulus,
    tolerance: Quantity,
    *,
    dt: Quantity | None = None,
    halvings: int = 8,
    backend=None,
    progress: bool = True,
) -> Convergence:
    """Halve the time step, from `dt` on, until no spike moves by the tolerance or more; the stimulus stays on its own grid.

    A method of first order is then off by about the last movement. A dt above the tolerance shows nothing, as spikes lie on its grid.
    This is for single cells and feed-forward input: the spikes of a chaotic network move at any dt, and only its statistics converge.
    `cell`, `dt` and `backend` as in `respond`. Raises ValueError where the cell does not spike or `halvings` cannot reach the
    tolerance, RuntimeError where the spikes still move after them, and as `simulate` does.
    """
    backend = with_dt(backend, dt)
    first, small = to_si(backend.dt, second, "dt"), to_si(tolerance, second, "tolerance of the spike times")
    if isinstance(halvings, bool) or not isinstance(halvings, int) or not 1 <= halvings or not first / 2**halvings <= small:
        raise ValueError(
            f"{halvings!r} halvings from dt = {first * 1e3:g} ms do not reach the tolerance of {tolerance}; give more, or a larger tolerance"
        )
    cell, rows, before = as_cell(cell), [], None
    for step in first / 2.0 ** np.arange(halvings + 1):
        response = respond(cell, stimulus, dt=quantity(step, second.dim), backend=backend, progress=progress)
        spikes = np.asarray(response.spikes)
        rows.append((step, len(spikes), _movement(before, spikes)))
        result = Convergence(np.array(rows, CONVERGENCE), response)
        if step <= small and rows[-1][2] < small:
            if not len(spikes):
                raise ValueError(
                    f"{cell.name!r} does not spike at stimulus {stimulus.name!r}, which shows no convergence; give a stronger one"
                )
            return result
        before = spikes
    raise RuntimeError(
        f"the spikes of {cell.name!r} still move by the tolerance of {tolerance} or more after {halvings} halvings; give more, or a larger tolerance\n{result}"
    )


def _movement(before: np.ndarray | None, after: np.ndarray) -> float:
    if before is None:
        return np.nan
    return np.abs(after - before).max(initial=0.0) if len(after) == len(before) else np.inf


def _trains_of_steps(cell: CellModel, currents: np.ndarray, duration: Quantity, backend, progress: bool) -> list[np.ndarray]:
    """The spike times, in seconds, of a cell for each step of current."""
    inputs = [StepCurrent(CELL, CURRENT, quantity(currents, amp.dim))]
    recording = run_cells(cell, len(currents), duration, inputs, backend=backend, progress=progress)
    return [np.asarray(train) for train in spike_trains(recording, CELL).values()]
