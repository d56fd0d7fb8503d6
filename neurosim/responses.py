"""One stimulus for all cells, and what a cell answers: the same realisation goes into every cell that is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np

from neurosim.backends.brian2 import Brian2
from neurosim.circuit import Circuit
from neurosim.currents import WaveformInput
from neurosim.errors import near
from neurosim.measures.action_potentials import upward_crossings
from neurosim.measures.trains import spike_trains
from neurosim.models import CellModel, load_cell
from neurosim.population import create
from neurosim.recording import Trace
from neurosim.simulate import simulate
from neurosim.units import Quantity, mV, quantity, second, to_si, volt
from neurosim.waveforms import Waveform

CELL = "cell"  # the name of the population of an experiment


@dataclass(frozen=True, eq=False, repr=False)
class Stimulus:
    """Hold what goes into a cell: a waveform of one row for each receptor, as in ``{"I_e": waveform}``, from time 0 on.

    `duration` is how long the cell is watched: that of the longest waveform unless given. Raises TypeError for what is no waveform
    and ValueError for no waveform, one of several rows, or a duration that cuts one.
    """

    name: str
    waveforms: Mapping[str, Waveform]
    duration: Quantity | None = None

    def __post_init__(self):
        if not self.waveforms:
            raise ValueError(f'stimulus {self.name!r} has no waveform; give at least one, such as {{"I_e": ns.waveforms.step(...)}}')
        for receptor, waveform in self.waveforms.items():
            if not isinstance(waveform, Waveform):
                raise TypeError(f"stimulus {self.name!r} has {waveform!r} for receptor {receptor!r}; give a ns.Waveform")
            if len(waveform) != 1:
                raise ValueError(
                    f"stimulus {self.name!r} has {len(waveform)} rows for receptor {receptor!r}; make a stimulus of each, with .rows(k)"
                )
        longest = max(float(waveform.duration) for waveform in self.waveforms.values())
        duration = longest if self.duration is None else to_si(self.duration, second, f"duration of stimulus {self.name!r}")
        if np.ndim(duration) or not longest * (1 - 1e-9) <= duration < np.inf:
            raise ValueError(
                f"stimulus {self.name!r} lasts {self.duration}, but its waveforms {longest:g} s; give one duration of at least that"
            )
        object.__setattr__(self, "duration", quantity(duration, second.dim))
        object.__setattr__(self, "waveforms", MappingProxyType(dict(self.waveforms)))

    def __repr__(self) -> str:
        return f"<Stimulus {self.name!r}: {', '.join(self.waveforms)} for {self.duration}>"

    def __reduce__(self):
        return type(self), (self.name, dict(self.waveforms), self.duration)


@dataclass(frozen=True, eq=False, repr=False)
class Response:
    """Hold what one cell answered to a stimulus: its spike times from the onset on, and traces of shape (samples,).

    The samples of a trace are `dt` apart, the first at the onset. A trace is an attribute too: ``response.v``.
    """

    stimulus: Stimulus
    cell: str
    spikes: Quantity
    traces: Mapping[str, Quantity] = field(default_factory=dict)
    dt: Quantity | None = None

    def __repr__(self) -> str:
        return f"<Response of {self.cell!r} to {self.stimulus.name!r}: {len(self.spikes)} spikes in {self.duration}>"

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self.traces:
            raise AttributeError(
                f"the response of {self.cell!r} has no trace {name!r}; ask for it with record=[{name!r}].{near(name, self.traces)}"
            )
        return self.traces[name]

    @property
    def duration(self) -> Quantity:
        """How long the cell was watched."""
        return self.stimulus.duration

    @property
    def t(self) -> Quantity:
        """The time of each sample of the traces; raises ValueError where nothing was traced."""
        if not self.traces:
            raise ValueError(f'the response of {self.cell!r} has no trace; ask for one with record=["v"]')
        return quantity(np.arange(len(next(iter(self.traces.values())))) * float(self.dt), second.dim)

    @classmethod
    def from_trace(cls, stimulus: Stimulus, v: Quantity, dt: Quantity, threshold: Quantity = 0 * mV, cell: str = "recorded") -> Response:
        """Make a response of a recorded membrane potential, whose first sample is at the onset; a spike is a rise through the threshold.

        Raises TypeError for a wrong dimension and ValueError for a trace that is empty, holds NaN, or lasts longer or shorter than
        the stimulus by more than one sample.
        """
        spikes = upward_crossings(v, dt, threshold)
        lasts = len(v) * to_si(dt, second, "dt of the trace")
        if abs(lasts - float(stimulus.duration)) > float(dt) * (1 + 1e-6):
            raise ValueError(
                f"the trace lasts {lasts:g} s, but stimulus {stimulus.name!r} {stimulus.duration}; cut both to the same duration"
            )
        return cls(stimulus, cell, spikes, {"v": quantity(np.array(v, dtype=np.float64), volt.dim)}, dt)


def respond(
    cell: CellModel | str,
    stimulus: Stimulus | Sequence[Stimulus],
    *,
    dt: Quantity | None = None,
    record: Sequence[str] = (),
    every: Quantity | None = None,
    backend=None,
    progress: bool = True,
) -> Response | list[Response]:
    """Give a stimulus to a cell that starts from its initial values, or several to one such cell each, in one simulation.

    `cell` is a model, a catalogue name or a path. `record` names state variables to trace, with a sample each time step or `every` so
    long. `backend` is Brian2() unless given, `dt` replaces its time step. Returns a response, or a list in the order of the stimuli.
    Raises as `simulate` does, and ValueError for no stimuli, or some whose waveforms for one receptor have different dt.
    """
    stimuli = [stimulus] if isinstance(stimulus, Stimulus) else list(stimulus)
    cell = as_cell(cell)
    inputs = [WaveformInput(CELL, receptor, waveform) for receptor, waveform in joined(stimuli).items()]
    if isinstance(record, str):
        raise TypeError(f"record is {record!r}; give a list of state variables, record=[{record!r}]")
    recording = run_cells(
        cell,
        len(stimuli),
        quantity(max(float(one.duration) for one in stimuli), second.dim),
        inputs,
        record=[Trace(CELL, variable, every=every) for variable in record],
        backend=with_dt(backend, dt),
        progress=progress,
    )
    trains = spike_trains(recording, CELL)
    answers = [_response(one, cell.name, recording[CELL].traces, trains, number) for number, one in enumerate(stimuli)]
    return answers[0] if isinstance(stimulus, Stimulus) else answers


def joined(stimuli: Sequence[Stimulus]) -> dict[str, Waveform]:
    """Return a waveform for each receptor with a row for each stimulus: 0 where that has none, or ends before others.

    Raises ValueError for no stimuli, and for waveforms of one receptor with different dt; TypeError for different dimensions.
    """
    for one in stimuli:
        if not isinstance(one, Stimulus):
            raise TypeError(f'{one!r} is no stimulus; give ns.Stimulus("name", {{"I_e": waveform}})')
    if not stimuli:
        raise ValueError("there is no stimulus; give at least one")
    receptors = dict.fromkeys(receptor for one in stimuli for receptor in one.waveforms)
    return {receptor: _rows([one.waveforms.get(receptor) for one in stimuli], receptor) for receptor in receptors}


def _rows(waveforms: list[Waveform | None], receptor: str) -> Waveform:
    some = [one for one in waveforms if one is not None]
    for one in some:
        if one.dimensions is not some[0].dimensions:
            raise TypeError(f"stimuli have {some[0]!r} and {one!r} for receptor {receptor!r}; give all in the same unit")
        if not np.isclose(float(one.dt), float(some[0].dt), rtol=1e-9, atol=0):
            raise ValueError(f"stimuli have {some[0]!r} and {one!r} for receptor {receptor!r}; give all the same dt, or run them apart")
    values = np.zeros((len(waveforms), max(one.samples for one in some)))
    for row, one in enumerate(waveforms):
        if one is not None:
            values[row, : one.samples] = one.si[0]
    return Waveform(quantity(values, some[0].dimensions), some[0].dt)


def as_cell(cell: CellModel | str) -> CellModel:
    """Return a cell model as it is, or load it by its catalogue name or path."""
    return cell if isinstance(cell, CellModel) else load_cell(cell)


def with_dt(backend, dt: Quantity | None):
    """Return the backend, Brian2() unless given, with another time step if one is given."""
    backend = backend or Brian2()
    return backend if dt is None else replace(backend, dt=dt)


def run_cells(cell: CellModel, size: int, duration: Quantity, inputs: list, **others):
    """Simulate so many unconnected cells of one model from their initial values and return the recording; raises as `simulate`."""
    return simulate(Circuit([create(CELL, cell, size)]), duration, inputs=inputs, **others)[1]


def _response(stimulus: Stimulus, name: str, traced: Mapping, trains: Mapping[int, Quantity], number: int) -> Response:
    """The response of one cell of a run that may have lasted longer than its stimulus."""
    end = float(stimulus.duration)
    traces, dt = {}, None
    for variable, data in traced.items():
        traces[variable] = quantity(data.si[number, data.steps * data.dt < end * (1 - 1e-9)], data.dimensions)
        dt = quantity(float(data.steps[1] - data.steps[0]) * data.dt if len(data.steps) > 1 else end, second.dim)
    spikes = np.asarray(trains[number])
    return Response(stimulus, name, quantity(spikes[spikes < end * (1 - 1e-9)], second.dim), traces, dt)
