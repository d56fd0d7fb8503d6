"""Spike trains as the measures take them, and the measures of one train: rate, irregularity, latency."""

import numpy as np

from neurosim.recording import Recording
from neurosim.units import Hz, Quantity, quantity, second, to_si

ROUNDING = 1e-6  # of a window or a bin: times on a grid of dt that lie just on its edge do so but for rounding


def spike_times(times: Quantity, what: str, start: float = 0.0, stop: float = np.inf, together: bool = False) -> np.ndarray:
    """Return spike times in seconds, checked; `what` names the train in errors, `start` and `stop` are its ends in seconds.

    `together` allows several spikes at one time, as in the spikes of a whole population. Raises TypeError for a wrong dimension and
    ValueError for times that are NaN, not in one row, not in order, or outside the ends.
    """
    si = to_si(times, second, f"train of {what}")
    if np.ndim(si) != 1:
        raise ValueError(f"train of {what} has shape {np.shape(si)}; give its spike times in one row, such as [12, 32]*ms.")
    steps = np.diff(si)
    backwards = np.flatnonzero(steps < 0 if together else steps <= 0)
    if len(backwards):
        first = backwards[0]
        raise ValueError(
            f"train of {what} is not in order of time ({si[first + 1]:g} s follows {si[first]:g} s); "
            f"give the sorted spike times of {'all cells' if together else 'one cell'}."
        )
    outside = si[(si < start) | (si > stop) | np.isinf(si)]
    if len(outside):
        until = "on" if np.isinf(stop) else f"to {stop:g} s"
        raise ValueError(f"train of {what} has a spike at {outside[0]:g} s, but it runs from {start:g} {until}; shift or cut its times.")
    return si


def positive(value: Quantity, unit: Quantity, what: str) -> float:
    """Return the SI number of one quantity; raise ValueError naming it if it is not above zero and finite."""
    si = to_si(value, unit, what)
    if np.ndim(si) or not 0 < si < np.inf:
        raise ValueError(f"{what} is {value!s}; give one value above zero.")
    return si


def padded_trains(recording: Recording, population: str) -> np.ndarray:
    """Return the spike times of all cells since the recording's start, in seconds, shape (cells, most spikes), filled up with inf.

    Cells are in the order of ``recording[population].ids``. Raises ValueError where the spikes were not recorded.
    """
    part = recording[population]
    spikes = part.spikes
    cell = np.searchsorted(part.ids, spikes.id)
    order = np.argsort(cell, kind="stable")
    counts = np.bincount(cell, minlength=len(part.ids))
    place = np.arange(len(cell)) - np.repeat(np.cumsum(counts) - counts, counts)
    trains = np.full((len(counts), counts.max(initial=0)), np.inf)
    trains[cell[order], place] = (spikes.step[order] - recording.start_step) * recording.dt_si
    return trains


def spike_trains(recording: Recording, population: str) -> dict[int, Quantity]:
    """Return the spike times of each cell since the recording's start, keyed by its id; errors as `padded_trains`."""
    ids, trains = recording[population].ids, padded_trains(recording, population)
    return {int(one): quantity(train[np.isfinite(train)], second.dim) for one, train in zip(ids, trains, strict=True)}


def rate(times: Quantity, duration: Quantity) -> Quantity:
    """Return the number of spikes divided by the duration from 0; errors as `spike_times`."""
    end = positive(duration, second, "duration")
    return quantity(len(spike_times(times, "the cell", stop=end)) / end, Hz.dim)


def cv(times: Quantity) -> float:
    """Return the standard deviation of the interspike intervals (divisor n) over their mean; NaN for fewer than two intervals.

    It is 0 for a regular train and 1, for many spikes, for a Poisson train. Errors as `spike_times`.
    """
    intervals = np.diff(spike_times(times, "the cell"))
    return float(intervals.std() / intervals.mean()) if len(intervals) > 1 else float("nan")


def latency(times: Quantity, onset: Quantity = 0 * second) -> Quantity:
    """Return the time from the onset to the first spike at or after it, NaN without one; errors as `spike_times`."""
    begin = to_si(onset, second, "onset")
    si = spike_times(times, "the cell")
    after = si[si >= begin]
    return quantity(after[0] - begin if len(after) else np.nan, second.dim)
