"""Inputs: what drives cells from outside, in the circuit's own time and keyed by permanent ids.

An input is a value; ``input.check(circuit, dt, start, stop)`` checks it against a circuit (start and stop are time steps) and
``input.bind(...)`` gives plain SI arrays besides, one value for each living cell, from which every backend works. A daughter
inherits her mother's input values; noise is keyed by (seed, name of the input, cell id, time step), so that no cell's noise
depends on which other cells there are. Both raise ValueError for an unknown population, receptor or cell, a value of a wrong
shape or out of range, and TypeError for a wrong dimension.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from neurosim.errors import near
from neurosim.models import psp
from neurosim.population import FOUNDER
from neurosim.randomness import LARGEST_POISSON_MEAN, stream_key, uniform
from neurosim.table import distinct
from neurosim.units import Hz, Quantity, quantity, second, to_si, whole_steps

BLOCK = 1_000_000  # spikes, cells and stimuli of a block that is worked out at once


@dataclass(frozen=True, eq=False)
class Bound:
    """Hold an input worked out for the living cells of one circuit.

    `rows` are the cells it reaches; `values` maps names to SI arrays, one value for each of those rows. What is in it
    depends on `kind`: "poisson" (mean, weight), "noise" (mean, sd, decay), "step" (amplitude, with `onset` and `offset`
    time steps), "waveform" (which, with `samples` of shape (times, waveforms), each held for `hold` time steps from `onset` on)
    or "spikes" (`rows` and `steps`: one entry a spike, with `onsets` of presentations).
    """

    kind: str
    name: str
    population: str
    receptor: str | None
    rows: np.ndarray
    values: dict[str, np.ndarray]
    key: int = 0
    noise_ids: np.ndarray | None = None
    steps: np.ndarray | None = None
    onsets: np.ndarray | None = None
    onset: int = 0
    offset: int | None = None
    samples: np.ndarray | None = None
    hold: int = 1


@dataclass(frozen=True, kw_only=True)
class Input:
    """Share what all inputs have: the cells they reach, a name, and how values find cells and their descendants.

    `cells` are ids, each with its own value where there are several. None stands for all founders; cells born later without a mother are
    reached too where there is one value for all. "ever" gives the k-th value to the cell of id k, also if it is yet to be born.
    """

    cells: Any = None
    name: str | None = None

    def check(self, circuit, dt, start, stop) -> None:
        """Check the input against a circuit for the time steps start to stop, making no spikes; raises as the module says."""
        self.bind(circuit, dt, start, stop)

    @property
    def label(self) -> str:
        """The name of the input, which also names its random stream."""
        parts = [self.population, getattr(self, "receptor", None), type(self).__name__]
        return self.name or ".".join(part for part in parts if part)

    def _population(self, circuit):
        if self.population not in circuit.populations:
            raise ValueError(
                f"input {self.label!r} drives population {self.population!r}, which is not in the circuit.{near(self.population, circuit.populations)}"
            )
        return circuit.populations[self.population]

    def _receptor(self, population, *kinds):
        receptors = population.model.receptors
        if self.receptor not in receptors:
            raise ValueError(
                f"input {self.label!r} acts on receptor {self.receptor!r}, which population {population.name!r} ({population.model.name}) has not.{near(self.receptor, receptors)}"
            )
        receptor = receptors[self.receptor]
        if receptor.kind not in kinds:
            needs = {"jump": "spikes (PoissonInput)", "current": "a current (StepCurrent, NoiseCurrent, WaveformInput)"}
            raise ValueError(
                f"input {self.label!r} cannot act on receptor {self.receptor!r} of {population.model.name!r}, which takes {needs.get(receptor.kind, 'a conductance (WaveformInput)')}"
            )
        return receptor

    def _named(self, population, values) -> np.ndarray:
        """The ids of the cells that have an entry of their own in values given one by one."""
        each = [np.shape(value)[-1] for value in values if np.ndim(value)]
        if self.cells is None:
            return np.flatnonzero(population.parents == FOUNDER if each else population.parents < 0)
        if isinstance(self.cells, str):
            if self.cells != "ever" or not each:
                raise ValueError(f'cells of input {self.label!r} are {self.cells!r}; give ids, or "ever" with one value for each cell')
            founders = np.count_nonzero(population.parents == FOUNDER)
            if each[0] < founders:
                raise ValueError(
                    f"input {self.label!r} has {each[0]} values and population {population.name!r} {founders} founders; give at least one each"
                )
            return np.arange(each[0])
        known = _ids(self.cells, f"cells of input {self.label!r}")
        outside = (known < 0) | (known >= len(population.parents))
        if outside.any():
            raise ValueError(f"input {self.label!r} names cell {known[outside][0]} of population {population.name!r}, which never existed")
        return known

    def _heirs(self, population, *values):
        """The rows that the input reaches, the entry of `cells` that each inherits from, and that entry's id, given all values that there may be one by one."""
        known = self._named(population, values)
        place = np.full(max(len(population.parents), known.max(initial=-1) + 1), -1)
        place[known] = np.arange(len(known))
        twice = known[place[known] != np.arange(len(known))]
        if len(twice):
            raise ValueError(f"input {self.label!r} names cell {twice[0]} of population {population.name!r} twice; name each cell once")
        ancestor = population.ids.copy()
        searching = np.arange(len(ancestor))
        while len(searching):
            older = population.parents[ancestor[searching]]
            searching, older = (found[(place[ancestor[searching]] < 0) & (older >= 0)] for found in (searching, older))
            ancestor[searching] = older
        rows = np.flatnonzero(place[ancestor] >= 0)
        return rows, place[ancestor[rows]], ancestor[rows], len(known)

    def _steps(self, times, dt):
        """Turn one time or several into time steps, which have to be whole ones."""
        times = np.atleast_1d(to_si(times, second, f"times of input {self.label!r}"))
        steps = np.round(np.where(np.isfinite(times), times, -1) / dt).astype(np.int64)
        if (np.abs(times - steps * dt) > 1e-6 * dt).any() or (steps < 0).any():
            raise ValueError(f"input {self.label!r} has times off the grid of dt = {dt * 1e3:g} ms or before 0; give whole multiples of dt")
        return steps

    def _values(self, unit, entries, size, **quantities):
        """Turn each quantity (one, or one for each cell of `cells` or each founder) into SI values for the rows reached."""
        values = {}
        for key, value in quantities.items():
            si = np.asarray(to_si(value, unit[key], f"{key} of input {self.label!r}"), dtype=float)
            if si.ndim and si.shape != (size,):
                raise ValueError(
                    f"{key} of input {self.label!r} has shape {si.shape}, but it reaches {size} cells; give one value or {size}"
                )
            if not np.isfinite(si).all():
                raise ValueError(f"{key} of input {self.label!r} is not finite: {value}; give finite numbers")
            values[key] = np.broadcast_to(si, size)[entries].copy()
        return values


@dataclass(frozen=True, eq=False)
class PoissonInput(Input):
    """Drive a receptor with independent Poisson spikes, each adding `weight`.

    `rate` and `weight` (or a psp) are quantities, one or one for each cell of `cells` (ids; None: all founders and their
    descendants). Each cell has its own spikes, the newborn too, unless `shared_noise` gives a family the same ones.
    """

    population: str
    receptor: str
    rate: Quantity
    weight: Quantity
    shared_noise: bool = False

    def bind(self, circuit, dt, start, stop) -> Bound:
        """Check the input against a circuit for the time steps start to stop and return it as arrays; raises as the module says."""
        population = self._population(circuit)
        receptor = self._receptor(population, "jump")
        rows, entries, family, size = self._heirs(population, self.rate, self.weight)
        units = {"rate": Hz, "weight": quantity(1.0, receptor.dimensions)}
        weight = self.weight.weight(receptor, f"weight of input {self.label!r}") if isinstance(self.weight, psp) else self.weight
        values = self._values(units, entries, size, rate=self.rate, weight=weight)
        mean = values.pop("rate") * dt
        if (mean < 0).any() or (mean > LARGEST_POISSON_MEAN).any():
            raise ValueError(
                f"rate of input {self.label!r} is {self.rate}; give 0 or more, and less than {LARGEST_POISSON_MEAN:g} spikes a time step"
            )
        ids = family if self.shared_noise else population.ids[rows]
        key = stream_key(circuit.seed, f"input/{self.label}")
        return Bound("poisson", self.label, population.name, self.receptor, rows, {"mean": mean, **values}, key, ids)


@dataclass(frozen=True, eq=False)
class SpikeTimes(Input):
    """Give the spikes of a population of spike sources: cell ids (or one id) and their times, in the circuit's own time.

    `spikes` are ids of cells, one for each of `times`. Descendants of a source spike with it.
    """

    population: str
    spikes: Any
    times: Quantity

    def check(self, circuit, dt, start, stop) -> None:
        """Check the input against a circuit for the time steps start to stop, making no spikes; raises as the module says."""
        self._reached(circuit, dt)

    def bind(self, circuit, dt, start, stop) -> Bound:
        """Check the input against a circuit for the time steps start to stop and return it as arrays; raises as the module says."""
        ids, steps, own, rows, entries = self._reached(circuit, dt)
        here = (steps >= start) & (steps < stop)
        order = np.argsort(ids[here], kind="stable")
        sorted_ids, sorted_steps = ids[here][order], steps[here][order]
        first = np.searchsorted(sorted_ids, own[entries], side="left")
        count = np.searchsorted(sorted_ids, own[entries], side="right") - first
        entry, within = _repeated(count)
        return Bound("spikes", self.label, self.population, None, rows[entry], {}, steps=sorted_steps[first[entry] + within])

    def _reached(self, circuit, dt):
        """The ids and time steps of the spikes, the cells they name, the rows that these reach and which of them each inherits from."""
        population = sources_of(self, circuit)
        steps = self._steps(self.times, dt)
        ids = _ids(self.spikes, f"spikes of input {self.label!r}")
        if ids.shape != steps.shape and ids.size != 1:
            raise ValueError(f"input {self.label!r} has {ids.size} spikes but {steps.size} times; give one cell id for each time")
        ids = np.broadcast_to(ids, steps.shape)
        own = np.unique(ids)
        rows, entries, _, _ = replace(self, cells=own)._heirs(population)
        return ids, steps, own, rows, entries


@dataclass(frozen=True, eq=False)
class Presentations(Input):
    """Present stimuli one after the other to a population of spike sources, as many as there are rows in `rates`.

    `rates` has shape (stimuli, cells) in Hz, a column for each cell of `cells` (ids; None: the founders); each stimulus
    lasts `duration`, the first begins at `start` in the circuit's own time. A source counts up at its rate from a random
    phase, drawn anew for each cell and stimulus, and spikes at whole numbers: a deterministic rate code. At each onset
    the ``[on] presentation`` statements of every model run and normalised projections are normalised.
    """

    population: str
    rates: Quantity
    duration: Quantity
    start: Quantity = field(default_factory=lambda: 0 * second)

    @classmethod
    def of_images(cls, population: str, images, spikes: float, duration: Quantity, start: Quantity | None = None) -> "Presentations":
        """Present images, shape (images, cells), each with the same number of `spikes` in all, shared out as its light is.

        Raises ValueError for light below 0, images without any and for other than one number of spikes above 0.
        """
        if np.ndim(spikes) or not 0 < spikes < np.inf:
            raise ValueError(f"spikes of an image for {population!r} are {spikes!r}; give one number above 0")
        images = np.asarray(images, dtype=float)
        light = images.sum(axis=-1, keepdims=True)
        dark = np.flatnonzero(~((images >= 0).all(axis=-1) & (light[..., 0] > 0) & np.isfinite(light[..., 0])))
        if images.ndim != 2 or len(dark):
            raise ValueError(
                f"images for {population!r} have shape {images.shape}, and rows {dark[:5].tolist()} have values below 0, not finite or all 0; "
                "give (images, cells), and some light in each image"
            )
        if not to_si(duration, second, f"duration of an image for {population!r}") > 0:
            raise ValueError(f"duration of an image for {population!r} is {duration}; give a time above 0")
        return cls(population, spikes * images / light / duration, duration, 0 * second if start is None else start)

    def check(self, circuit, dt, start, stop) -> None:
        """Check the input against a circuit for the time steps start to stop, making no spikes; raises as the module says."""
        self._planned(circuit, dt, start, stop)

    def bind(self, circuit, dt, start, stop) -> Bound:
        """Check the input against a circuit for the time steps start to stop and return it as arrays; raises as the module says."""
        rates, length, begin, rows, entries = self._planned(circuit, dt, start, stop)
        first, last = max(0, (start - begin) // length), min(len(rates), -((begin - stop) // length))
        onsets = begin + length * np.arange(first, last)
        key, ids = stream_key(circuit.seed, f"input/{self.label}"), circuit.populations[self.population].ids[rows]
        spikes = [np.empty((2, 0), np.int64)]
        at_once = max(1, int(BLOCK / max(1, len(rows) * (1 + length * dt * rates.max(initial=0)))))
        for some in range(0, len(onsets), at_once):
            shown = onsets[some : some + at_once, None]
            increment = rates[first + some : first + some + len(shown), entries] * dt
            spikes.append(_count_up(increment, uniform(key, ids, shown), length, shown))
        row, step = np.concatenate(spikes, axis=1)
        here = (step >= start) & (step < stop)
        return Bound("spikes", self.label, self.population, None, rows[row[here]], {}, steps=step[here], onsets=onsets[onsets >= start])

    def _planned(self, circuit, dt, start, stop):
        """The rates (Hz), the length of a stimulus and the start in time steps, the rows reached and which column each has."""
        population = sources_of(self, circuit)
        rates = np.asarray(to_si(self.rates, Hz, f"rates of input {self.label!r}"), dtype=float)
        rows, entries, _, size = self._heirs(population, rates)
        if rates.ndim != 2 or rates.shape[1] != size or not len(rates):
            raise ValueError(
                f"rates of input {self.label!r} have shape {rates.shape}; give (stimuli, {size}), a row for each stimulus and a column for each cell"
            )
        if not (rates.min(initial=0) >= 0 and rates.max(initial=0) * dt <= 1):
            raise ValueError(
                f"rates of input {self.label!r} run from {rates.min():g} to {rates.max():g} Hz; give 0 or more and at most one spike a time step ({1 / dt:g} Hz)"
            )
        length = whole_steps(self.duration, dt, f"duration of input {self.label!r}")
        if length < 1:
            raise ValueError(f"duration of input {self.label!r} is {self.duration}; give at least one time step ({dt * 1e3:g} ms)")
        begin = whole_steps(self.start, dt, f"start of input {self.label!r}")
        if stop > start and begin + length * len(rates) <= start:
            raise ValueError(
                f"input {self.label!r} presents from {begin * dt:g} to {(begin + length * len(rates)) * dt:g} s, but the run begins only at "
                f"{start * dt:g} s; give start=circuit.time"
            )
        return rates, length, begin, rows, entries


def _ids(cells, what: str) -> np.ndarray:
    """Return ids of cells as an array; raise TypeError for what are no whole numbers."""
    ids = np.atleast_1d(np.asarray(cells))
    if ids.size and ids.dtype.kind not in "iu":
        raise TypeError(f"{what} are {cells!r}; give ids of cells, which are whole numbers")
    return ids.astype(np.int64)


def sources_of(stimulus: Input, circuit):
    """Return the population of spike sources to which an input gives spikes; raise ValueError for one that is none."""
    population = stimulus._population(circuit)
    if not population.model.source:
        raise ValueError(
            f"input {stimulus.label!r} gives spikes to population {population.name!r}, but {population.model.name!r} cells make their own; create the population from 'spike_source'"
        )
    return population


def _repeated(count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each place as often as `count` says, and how often it came before."""
    place = np.repeat(np.arange(len(count)), count)
    return place, np.arange(len(place)) - np.repeat(np.cumsum(count) - count, count)


def _count_up(increment, phase, length, onset):
    """Spikes of counters that rise by `increment` each step: rows and time steps, in order of time.

    `increment` and `phase` have a row for each stimulus and a column for each cell, `onset` (stimuli, 1). A counter that stands
    at phase + k * increment after k steps spikes in the step that takes it over a whole number.
    """
    count = np.floor(phase + length * increment).astype(np.int64)
    counter, before = _repeated(count.ravel())
    increment, phase, whole = increment.ravel()[counter], phase.ravel()[counter], before + 1.0
    steps = np.ceil((whole - phase) / increment)
    # The quotient is rounded, and so is the counter, whose word counts: the first step at which it has reached the number.
    while (late := phase + (steps - 1) * increment >= whole).any():
        steps -= late
    while (early := phase + steps * increment < whole).any():
        steps += early
    stimulus, cell = np.divmod(counter, count.shape[1])
    step, cell = np.divmod(distinct((stimulus * length + steps.astype(np.int64) - 1) * count.shape[1] + cell), count.shape[1])
    stimulus, step = np.divmod(step, length)
    return cell, onset[stimulus, 0] + step
