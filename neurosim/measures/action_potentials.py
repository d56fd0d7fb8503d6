"""Action potentials of a membrane trace: when they cross a level, how high and how wide they are."""

from dataclasses import dataclass

import numpy as np

from neurosim.measures.trains import positive
from neurosim.units import Quantity, ms, mV, quantity, second, to_si, volt

ONSET_SLOPE = 10 * mV / ms  # at which an action potential begins, the default of the eFEL library
_FEATURES = ["time", "peak_time", "peak", "onset", "height", "half_width", "trough"]


def upward_crossings(v: Quantity, dt: Quantity, level: Quantity = 0 * mV, start: Quantity = 0 * second) -> Quantity:
    """Return the times at which a trace rises through a level, interpolated linearly between its samples.

    `v` is one trace of shape (samples,) with a sample every `dt`, the first at `start`; a sample at the level counts as above it. Raises
    TypeError for a wrong dimension and ValueError for a trace that is empty, holds NaN or has another shape.
    """
    trace, step = _trace(v, dt)
    bound = to_si(level, volt, "level")
    return quantity(to_si(start, second, "start") + _crossing(trace, _rises(trace, bound), bound) * step, second.dim)


@dataclass(frozen=True, eq=False)
class ActionPotentials:
    """Hold the action potentials of a trace, one entry each: quantities of shape (n,).

    `time` is when the trace rises through the threshold, `peak` its highest sample before it does so again and `peak_time` when that
    is, `onset` the voltage at which the action potential begins, `height` the peak above the onset (or above a given baseline),
    `half_width` the time spent above half of the height, `trough` the lowest sample between the peak and the next rise or the end.
    """

    time: Quantity
    peak_time: Quantity
    peak: Quantity
    onset: Quantity
    height: Quantity
    half_width: Quantity
    trough: Quantity

    def __len__(self) -> int:
        return len(self.time)


def action_potentials(
    v: Quantity, dt: Quantity, threshold: Quantity = 0 * mV, baseline: Quantity | None = None, start: Quantity = 0 * second
) -> ActionPotentials:
    """Measure the action potentials of a trace: every rise through the threshold is one.

    Defined as in the eFEL library (doi:10.5281/zenodo.593869): `peak_voltage`, `AP_begin_voltage`, `AP_amplitude`,
    `AP_duration_half_width` and `min_between_peaks_values`, the half-width interpolated linearly. An action potential begins where
    the slope last rises above `ONSET_SLOPE` before its steepest point. With a `baseline`, such as the voltage before a pulse, height and
    half-width are taken from it. NaN where the trace is never so steep or does not pass half of the height on both sides. Arguments and
    errors as `upward_crossings`.
    """
    trace, step = _trace(v, dt)
    bound = to_si(threshold, volt, "threshold")
    base = None if baseline is None else to_si(baseline, volt, "baseline")
    rises = _rises(trace, bound)
    found = np.zeros(len(rises), [(name, float) for name in _FEATURES])
    found["time"] = _crossing(trace, rises, bound)
    begin = 0
    for row, rise, stop in zip(found, rises, np.append(rises[1:] + 1, len(trace))):
        peak = rise + trace[rise:stop].argmax()
        trough = peak + trace[peak:stop].argmin()
        onset = _onset(trace[begin : peak + 1], float(ONSET_SLOPE) * step)
        height = trace[peak] - (onset if base is None else base)
        width = _width(trace[begin:stop], peak - begin, trace[peak] - height / 2)
        row["peak_time"], row["peak"], row["onset"], row["height"] = peak, trace[peak], onset, height
        row["half_width"], row["trough"] = width, trace[trough]
        begin = trough
    times = {"time": to_si(start, second, "start"), "peak_time": to_si(start, second, "start"), "half_width": 0.0}
    return ActionPotentials(
        **{
            name: quantity(times[name] + found[name] * step, second.dim) if name in times else quantity(found[name], volt.dim)
            for name in _FEATURES
        }
    )


def _trace(v: Quantity, dt: Quantity) -> tuple[np.ndarray, float]:
    trace = to_si(v, volt, "trace")
    if np.ndim(trace) != 1 or not len(trace):
        raise ValueError(f"trace has shape {np.shape(trace)}; give the samples of one cell in one row, such as recording['exc'].v[0].")
    return trace, positive(dt, second, "dt of the trace")


def _rises(trace: np.ndarray, level: float) -> np.ndarray:
    """Return the last sample below the level before each rise through it."""
    above = trace >= level
    return np.flatnonzero(~above[:-1] & above[1:])


def _crossing(trace: np.ndarray, before: np.ndarray, level: float) -> np.ndarray:
    """Return where, in samples, the straight line from each sample to the next meets the level."""
    return before + (level - trace[before]) / (trace[before + 1] - trace[before])


def _onset(rising: np.ndarray, slope: float) -> float:
    """Return the voltage where the slope, per sample, last rises to `slope` before it is steepest; NaN if it never does."""
    steps = np.diff(rising)
    steepest = steps.argmax()
    slow = np.flatnonzero(steps[:steepest] < slope)
    return rising[slow[-1] + 1 if len(slow) else 0] if steps[steepest] >= slope else np.nan


def _width(trace: np.ndarray, peak: int, level: float) -> float:
    """Return for how many samples the trace stays above the level around its peak; NaN if it does not pass it on both sides."""
    before, after = np.flatnonzero(trace[:peak] < level), np.flatnonzero(trace[peak:] < level)
    if not trace[peak] > level or not len(before) or not len(after):
        return np.nan
    return _crossing(trace, peak + after[0] - 1, level) - _crossing(trace, before[-1], level)
