"""Recordings: what a simulation gives back, with units and keyed by permanent ids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.errors import near
from neurosim.units import Hz, Quantity, quantity, second, unit_name


@dataclass(frozen=True)
class Trace:
    """Ask for a state variable of chosen cells or synapses over time.

    `name` is a population or projection, `cells` (or `synapses`) the first so many or their ids (None: all), `every` the
    sampling interval (None: every time step). In a developing circuit the descendants of the chosen are traced too.
    """

    name: str
    variable: str
    cells: Any = None
    synapses: Any = None
    every: Quantity | None = None

    @property
    def chosen(self):
        """The cells or synapses asked for."""
        return self.synapses if self.cells is None else self.cells


@dataclass(frozen=True)
class Spikes:
    """Ask for the spikes of a population."""

    name: str


@dataclass(frozen=True, eq=False)
class SpikeTrains:
    """Hold the spikes of a population in order of time: `id` (int64), `t` (a quantity) and the time step `step`."""

    id: np.ndarray
    step: np.ndarray
    dt: float

    @property
    def t(self) -> Quantity:
        """The time of each spike."""
        return quantity(self.step * self.dt, second.dim)

    def __len__(self) -> int:
        return len(self.id)

    def columns(self) -> dict[str, np.ndarray]:
        """Return the spikes as columns for a table: cell and time in seconds."""
        return {"cell": self.id, "time (s)": self.step * self.dt}


@dataclass(frozen=True, eq=False)
class TraceData:
    """Hold a traced variable: `ids` (n), `steps` (T) and `si` (n, T), NaN where the cell or synapse did not exist."""

    ids: np.ndarray
    steps: np.ndarray
    si: np.ndarray
    dimensions: Any
    dt: float

    @property
    def t(self) -> Quantity:
        """The time of each sample."""
        return quantity(self.steps * self.dt, second.dim)

    @property
    def values(self) -> Quantity:
        """The values, shape (n, T)."""
        return quantity(self.si, self.dimensions)


class PartRecording:
    """Hold what was recorded of one population or projection.

    A traced variable is an attribute with units, shape (n, T): ``recording["exc"].v``; ``.trace("v")`` gives its ids and
    times too. `counts` are spikes of each cell of `ids` (those alive during the recording).
    """

    def __init__(
        self, name: str, duration: float, ids=None, counts=None, spikes: SpikeTrains | None = None, traces: Mapping[str, TraceData] = ()
    ):
        self.name, self.ids, self.counts = name, ids, counts
        self._duration, self._spikes, self.traces = duration, spikes, dict(traces)

    @property
    def spikes(self) -> SpikeTrains:
        """The spikes; raises ValueError if they were not recorded."""
        if self._spikes is None:
            raise ValueError(f"the spikes of {self.name!r} were not recorded; ask for them with record=[ns.Spikes({self.name!r})]")
        return self._spikes

    @property
    def has_spikes(self) -> bool:
        """Whether spikes were recorded."""
        return self._spikes is not None

    def rate(self) -> Quantity:
        """Return the mean rate of each cell of `ids` over the recording."""
        return quantity(self.counts / self._duration if self._duration else self.counts * np.nan, Hz.dim)

    def trace(self, variable: str) -> TraceData:
        """Return a traced variable with its ids and times; raise KeyError naming what was traced."""
        if variable not in self.traces:
            raise KeyError(
                f"{variable!r} of {self.name!r} was not traced (traced: {', '.join(self.traces) or 'nothing'}); "
                f"ask for it with record=[ns.Trace({self.name!r}, {variable!r})].{near(variable, self.traces)}"
            )
        return self.traces[variable]

    def columns(self, *variables: str, ids=None) -> dict[str, np.ndarray]:
        """Return traced variables as columns for a table: time in seconds, then one column in SI units for each id.

        `ids` chooses cells or synapses (None: all traced); the variables need the same times. Raises KeyError for a
        variable that was not traced and ValueError for an id that was not, or times that differ.
        """
        first = self.trace(variables[0])
        columns = {"time (s)": first.steps * first.dt}
        for variable in variables:
            data = self.trace(variable)
            if not np.array_equal(data.steps, first.steps):
                raise ValueError(f"{variable} and {variables[0]} of {self.name!r} were traced at different times; make a table of each")
            for one in data.ids if ids is None else ids:
                if one not in data.ids:
                    raise ValueError(f"{variable} of {self.name!r} was not traced for id {one}; choose from {data.ids.tolist()}")
                columns[f"{variable} of {one} ({unit_name(data.dimensions)})"] = data.si[np.flatnonzero(data.ids == one)[0]]
        return columns

    def __getattr__(self, name: str):
        if name.startswith("_") or name == "traces":
            raise AttributeError(name)
        try:
            return self.trace(name).values
        except KeyError as missing:
            raise AttributeError(missing.args[0]) from None


class Recording:
    """Hold what a stretch of simulation gave: ``recording["exc"]`` for each population and traced projection."""

    def __init__(self, parts: Mapping[str, PartRecording], start_step: int, stop_step: int, dt: float):
        self._parts = dict(parts)
        self.start_step, self.stop_step, self.dt_si = start_step, stop_step, dt
        self.measures: dict[str, float] = {}

    @property
    def names(self) -> list[str]:
        """The populations and projections of which something was recorded."""
        return list(self._parts)

    def __contains__(self, name: str) -> bool:
        return name in self._parts

    def __getitem__(self, name: str) -> PartRecording:
        if name not in self._parts:
            raise KeyError(f"nothing was recorded of {name!r} (recorded: {', '.join(self._parts) or 'nothing'}).{near(name, self._parts)}")
        return self._parts[name]

    def __repr__(self) -> str:
        lines = [f"<Recording from {self.start} to {self.stop}:"]
        for name, part in self._parts.items():
            what = [f"{part.counts.sum()} spikes of {len(part.ids)} cells"] if part.counts is not None else []
            what += [f"{key} of {len(data.ids)} at {len(data.steps)} times" for key, data in part.traces.items()]
            lines.append(f"  {name}: {', '.join(what)}")
        return "\n".join(lines) + ">"

    @property
    def start(self) -> Quantity:
        """The circuit's time when the recording begins."""
        return quantity(self.start_step * self.dt_si, second.dim)

    @property
    def stop(self) -> Quantity:
        """The circuit's time when the recording ends."""
        return quantity(self.stop_step * self.dt_si, second.dim)

    @property
    def duration(self) -> Quantity:
        """How long the recording lasts."""
        return self.stop - self.start

    @property
    def dt(self) -> Quantity:
        """The time step."""
        return quantity(self.dt_si, second.dim)

    def keeping(self, names: set[str], spikes: set[str]) -> "Recording":
        """Return the recording of some parts only, with the spikes of some populations only."""
        parts = {
            name: PartRecording(name, part._duration, part.ids, part.counts, part._spikes if name in spikes else None, part.traces)
            for name, part in self._parts.items()
            if name in names
        }
        return Recording(parts, self.start_step, self.stop_step, self.dt_si)

    @classmethod
    def concatenate(cls, recordings: Iterable["Recording"]) -> "Recording":
        """Join consecutive recordings; ids are united, and traces are NaN where a cell or synapse did not exist."""
        recordings = list(recordings)
        if not recordings:
            raise ValueError("there is no recording to join; give at least one")
        first, last = recordings[0], recordings[-1]
        for before, after in zip(recordings, recordings[1:], strict=False):
            if before.stop_step != after.start_step or before.dt_si != after.dt_si:
                raise ValueError(
                    f"recordings do not follow one another: one ends at {before.stop}, the next begins at {after.start}; join them in order"
                )
        duration = (last.stop_step - first.start_step) * first.dt_si
        names = dict.fromkeys(name for recording in recordings for name in recording.names)
        parts = {name: _join(name, [r[name] for r in recordings if name in r], duration) for name in names}
        return cls(parts, first.start_step, last.stop_step, first.dt_si)


def _join(name: str, parts: list[PartRecording], duration: float) -> PartRecording:
    ids = counts = spikes = None
    if parts[0].counts is not None:
        ids = np.unique(np.concatenate([part.ids for part in parts]))
        counts = np.zeros(len(ids), dtype=np.int64)
        for part in parts:
            counts[np.searchsorted(ids, part.ids)] += part.counts
    trains = [part.spikes for part in parts if part.has_spikes]
    if trains:
        spikes = SpikeTrains(np.concatenate([s.id for s in trains]), np.concatenate([s.step for s in trains]), trains[0].dt)
    variables = dict.fromkeys(key for part in parts for key in part.traces)
    traces = {key: _join_traces([part.traces[key] for part in parts if key in part.traces]) for key in variables}
    return PartRecording(name, duration, ids, counts, spikes, traces)


def _join_traces(traces: list[TraceData]) -> TraceData:
    ids = np.unique(np.concatenate([trace.ids for trace in traces]))
    values = np.full((len(ids), sum(len(trace.steps) for trace in traces)), np.nan)
    column = 0
    for trace in traces:
        values[np.searchsorted(ids, trace.ids), column : column + len(trace.steps)] = trace.si
        column += len(trace.steps)
    return TraceData(ids, np.concatenate([trace.steps for trace in traces]), values, traces[0].dimensions, traces[0].dt)
