"""Waveforms: currents and conductances over time, as values that go unchanged into every cell compared.

A waveform has its own grid, so that the same realisation is played whatever the time step of a simulation is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg.lapack import dtbtrs

from neurosim.randomness import generator
from neurosim.trace_files import read_samples
from neurosim.units import (
    DIMENSIONLESS,
    Dimension,
    DimensionMismatchError,
    Quantity,
    amp,
    get_dimensions,
    ms,
    quantity,
    second,
    siemens,
    to_si,
    unit_name,
    whole_steps,
)


@dataclass(frozen=True, eq=False, repr=False)
class Waveform:
    """Hold a current or conductance that keeps each value of its grid for `dt`, and is 0 before and after.

    `values` is a quantity in amp or siemens of shape (rows, samples); (samples,) is taken as one row. Raises TypeError for
    another dimension and ValueError for an empty array, a value that is not finite, a negative conductance or a dt of 0 or less.
    """

    values: Quantity
    dt: Quantity

    def __post_init__(self):
        dt = _interval(self.dt)
        si, dimensions = _samples(self.values)
        _refuse(~np.isfinite(si), si, dimensions, dt, "give finite values")
        if dimensions is siemens.dim:
            _refuse(si < 0, si, dimensions, dt, "a conductance is 0 or more; clip it there, in ornstein_uhlenbeck with low=0*nS")
        values = quantity(si, dimensions)
        values.flags.writeable = False
        object.__setattr__(self, "values", values)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"<Waveform: {len(self)} x {self.samples} samples of {self.dt} in {unit_name(self.dimensions)}>"

    @property
    def samples(self) -> int:
        """How many values each row has."""
        return self.values.shape[1]

    @property
    def duration(self) -> Quantity:
        """How long the waveform lasts."""
        return self.samples * self.dt

    @property
    def dimensions(self) -> Dimension:
        """The dimensions of the values: those of amp or siemens."""
        return self.values.dim

    @property
    def si(self) -> np.ndarray:
        """The values in SI units, shape (rows, samples)."""
        return np.asarray(self.values)

    def rows(self, which) -> Waveform:
        """Return the waveform with chosen rows: a number from 0 or several. Raises IndexError for a row that it has not."""
        which = np.atleast_1d(np.asarray(which, dtype=np.int64))
        outside = which[(which < 0) | (which >= len(self))]
        if len(outside):
            raise IndexError(f"row {outside[0]} is asked of a waveform of {len(self)} rows; give numbers from 0 to {len(self) - 1}")
        return Waveform(self.values[which], self.dt)

    def __add__(self, other: Waveform) -> Waveform:
        """Return the sum with a waveform of the same grid and dimension; a single row is added to each row of the other.

        Raises TypeError for another dimension and ValueError for another dt, length or number of rows.
        """
        if not isinstance(other, Waveform) or self.dimensions is not other.dimensions:
            raise TypeError(f"{self!r} and {other!r} cannot be added; add waveforms of current, or waveforms of conductance")
        same_dt = np.isclose(float(self.dt), float(other.dt), rtol=1e-9, atol=0)  # 0.1*ms and 100*us differ in the last bit
        if not same_dt or self.samples != other.samples or (len(self) != len(other) and 1 not in (len(self), len(other))):
            raise ValueError(f"{self!r} and {other!r} cannot be added; make both with the same dt, duration and rows")
        return Waveform(self.values + other.values, self.dt)


def step(
    amplitude: Quantity, duration: Quantity, start: Quantity = 0 * second, stop: Quantity | None = None, dt: Quantity = 0.1 * ms
) -> Waveform:
    """Return a waveform that is `amplitude` from `start` until `stop` (None: its end) and 0 else.

    `amplitude` is in amp or siemens, one value or one for each row. Raises TypeError for a wrong dimension and ValueError for
    times off the grid of dt or outside the duration.
    """
    interval, samples = _grid(dt, duration)
    first = whole_steps(start, interval, "start of a step")
    last = samples if stop is None else whole_steps(stop, interval, "stop of a step")
    if not first < last <= samples:
        raise ValueError(f"a step from {start} to {stop or duration} does not fit into {duration}; give start < stop <= duration")
    place = np.arange(samples)
    return _shaped(amplitude, (place >= first) & (place < last), dt)


def ramp(first: Quantity, last: Quantity, duration: Quantity, dt: Quantity = 0.1 * ms) -> Waveform:
    """Return a waveform that goes in a straight line from `first` to `last` (amp or siemens); each sample is the line at its middle.

    Raises TypeError for a wrong or another dimension and ValueError for a duration off the grid of dt.
    """
    _, samples = _grid(dt, duration)
    dimensions = _accepted(first, "first of a ramp")
    begin, end = _number(first, dimensions, "first of a ramp"), _number(last, dimensions, "last of a ramp")
    return Waveform(quantity(begin + (end - begin) * (np.arange(samples) + 0.5) / samples, dimensions), dt)


def pulse_train(
    amplitude: Quantity, width: Quantity, period: Quantity, duration: Quantity, start: Quantity = 0 * second, dt: Quantity = 0.1 * ms
) -> Waveform:
    """Return a waveform of pulses of a width, one each period from `start` on; the last one is cut where the duration ends.

    `amplitude` is in amp or siemens, one value or one for each row. Raises TypeError for a wrong dimension and ValueError for
    times off the grid of dt, a start outside the duration and a width that is not between one sample and the period.
    """
    interval, samples = _grid(dt, duration)
    times = {"start": start, "width": width, "period": period}
    onset, on, between = (whole_steps(time, interval, f"{name} of a pulse train") for name, time in times.items())
    if not 0 < on <= between:
        raise ValueError(f"pulses of {width} each {period} cannot be made; give a width of at least one sample and at most the period")
    if onset >= samples:
        raise ValueError(f"a pulse train that starts at {start} does not fit into {duration}; give an earlier start")
    since = np.arange(samples) - onset
    return _shaped(amplitude, (since >= 0) & (since % between < on), dt)


def ornstein_uhlenbeck(
    mean: Quantity,
    sd: Quantity,
    tau: Quantity,
    duration: Quantity,
    dt: Quantity,
    rng: np.random.Generator | int,
    low: Quantity | None = None,
    rows: int = 1,
) -> Waveform:
    """Return independent rows of Ornstein-Uhlenbeck noise, stationary from the first sample on.

    `mean` and `sd` are in amp or siemens, `tau` is the correlation time; `low` clips from below (conductances at 0), which moves
    mean and sd. The update is exact (Gillespie 1996, doi:10.1103/PhysRevE.54.2084, eq. 1.9a). `rng` is a generator or a seed: the
    same seed is the same noise, so that each waveform of one experiment needs its own. From a seed, more rows leave the first ones as
    they are. Raises TypeError for a wrong dimension and ValueError for an sd below 0, a tau of 0 or less, fewer than one row or a
    duration off the grid of dt.
    """
    interval, samples = _grid(dt, duration)
    dimensions = _accepted(mean, "mean of Ornstein-Uhlenbeck noise")
    centre, spread, correlation = (
        _number(value, unit, f"{name} of Ornstein-Uhlenbeck noise")
        for name, value, unit in (("mean", mean, dimensions), ("sd", sd, dimensions), ("tau", tau, second))
    )
    if not (spread >= 0 and correlation > 0):
        raise ValueError(f"Ornstein-Uhlenbeck noise has sd {sd} and tau {tau}; give an sd of 0 or more and a tau above 0")
    if isinstance(rows, bool) or not isinstance(rows, int | np.integer) or rows < 1:
        raise ValueError(f"rows of Ornstein-Uhlenbeck noise is {rows!r}; give a whole number, at least 1")
    rng = rng if isinstance(rng, np.random.Generator) else generator(rng, "ornstein_uhlenbeck")
    kicks = rng.standard_normal((rows, samples))
    kicks[:, 1:] *= np.sqrt(-np.expm1(-2 * interval / correlation))
    values = centre + spread * _decaying_sum(kicks, np.exp(-interval / correlation))
    if low is not None:
        values = np.maximum(values, _number(low, dimensions, "low of Ornstein-Uhlenbeck noise"))
    return Waveform(quantity(values, dimensions), dt)


def read_waveform(
    path,
    unit: Quantity,
    dt: Quantity | None = None,
    *,
    column: str | int | None = None,
    time: str | int | None = None,
    time_unit: Quantity | None = None,
) -> Waveform:
    """Read a waveform from a CSV or NPY file of numbers in `unit`, such as pA.

    A CSV file is comma-separated, with or without a line of names; `column` is a name or a number from 0 and may be left out where
    there is only one. The grid is `dt`, or that of a column `time` in `time_unit`, which has to be regular. An NPY file holds
    (samples,) or (rows, samples). Raises FileNotFoundError for a missing file, TypeError for a wrong unit and ValueError naming
    file, line and value for what cannot be read.
    """
    dimensions = _accepted(unit, f"unit of {path}")
    if (dt is None) == (time is None) or (time is None) != (time_unit is None):
        raise ValueError(
            f'the grid of {path} is not clear; give either dt=0.1*ms or a column of times with its unit, time="t", time_unit=ms'
        )
    tick = None if time is None else _number(time_unit, second, f"time_unit of {path}")
    values, interval = read_samples(path, column, time)
    return Waveform(quantity(values * float(unit), dimensions), dt if interval is None else interval * tick * second)


def _accepted(value, what: str) -> Dimension:
    """Return the dimensions of a value that is a current or a conductance."""
    try:
        dimensions = get_dimensions(Quantity(value) if isinstance(value, list | tuple) else value)
    except (TypeError, DimensionMismatchError):
        raise TypeError(f"{what} is {value!r}; give numbers times a unit of current or conductance, such as pA") from None
    if dimensions not in (amp.dim, siemens.dim):
        unit = "no unit" if dimensions is DIMENSIONLESS else f"the unit {unit_name(dimensions)}"
        raise TypeError(f"{what} has {unit}; give a current in amp or a conductance in siemens")
    return dimensions


def _samples(values) -> tuple[np.ndarray, Dimension]:
    """Return a copy of the values in SI, shape (rows, samples), and their dimensions."""
    dimensions = _accepted(values, "a waveform")
    si = np.array(values, dtype=np.float64)
    if si.ndim not in (1, 2) or not si.size:
        raise ValueError(f"a waveform has values of shape {si.shape}; give (samples,) or (rows, samples), at least one sample")
    return np.atleast_2d(si), dimensions


def _refuse(bad: np.ndarray, si: np.ndarray, dimensions: Dimension, dt: float, remedy: str) -> None:
    """Raise ValueError naming the first sample in time that is bad."""
    if bad.any():
        sample = np.flatnonzero(bad.any(axis=0))[0]
        row = np.flatnonzero(bad[:, sample])[0]
        value = quantity(si[row, sample], dimensions)
        raise ValueError(f"a waveform is {value} at sample {sample} ({sample * dt * 1e3:g} ms) of row {row}; {remedy}")


def _number(value, unit, what: str) -> float:
    """Return the SI number of one finite quantity."""
    number = to_si(value, unit, what)
    if np.ndim(number) or not np.isfinite(number):
        raise ValueError(f"{what} is {value}; give one finite value")
    return number


def _interval(dt: Quantity) -> float:
    interval = _number(dt, second, "dt of a waveform")
    if not interval > 0:
        raise ValueError(f"dt of a waveform is {dt}; give a time above 0, such as 0.1*ms")
    return interval


def _grid(dt: Quantity, duration: Quantity) -> tuple[float, int]:
    """Return dt in seconds and the number of samples of a duration."""
    interval = _interval(dt)
    samples = whole_steps(duration, interval, "duration of a waveform")
    if samples < 1:
        raise ValueError(f"duration of a waveform is {duration}; give at least one sample, {dt}")
    return interval, samples


def _shaped(amplitude: Quantity, shape: np.ndarray, dt: Quantity) -> Waveform:
    """Return a waveform of one shape and an amplitude, or one for each row."""
    dimensions = _accepted(amplitude, "amplitude of a waveform")
    return Waveform(quantity(np.asarray(to_si(amplitude, dimensions, "amplitude of a waveform")).reshape(-1, 1) * shape, dimensions), dt)


def _decaying_sum(kicks: np.ndarray, decay: float) -> np.ndarray:
    """Return x with x[k] = decay * x[k - 1] + kicks[k] along each row, solved as a triangular system with one band."""
    band = np.ones((2, kicks.shape[1]))
    band[1] = -decay
    solution, _ = dtbtrs(band, kicks.T, uplo="L", diag="U")
    return solution.T
