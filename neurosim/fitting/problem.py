"""All candidates of a generation as one population: a cell for each candidate and response, driven by that response's stimulus."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from neurosim.circuit import Circuit
from neurosim.currents import WaveformInput
from neurosim.errors import NonFiniteStateError, TimeStepWarning
from neurosim.models import CellModel
from neurosim.population import create
from neurosim.responses import CELL, Response, joined
from neurosim.simulate import checked, simulate
from neurosim.units import quantity, second

MOST = 4  # times the spikes of the data: a train with more is no candidate, and one that spikes in every step would fill the memory
FEW = 10  # spikes: the data's number that this is reckoned from, at least


class Problem:
    """Hold what candidates are tried on: a cell model, the responses to be met, and their stimuli joined row by row."""

    def __init__(self, model: CellModel, names: Sequence[str], responses: Sequence[Response], backend):
        self.model, self.responses, self.backend = model.with_spread(names), tuple(responses), backend
        self.data = [np.asarray(one.spikes, dtype=float) for one in self.responses]
        self.durations = np.array([float(one.duration) for one in self.responses])
        self.duration = quantity(self.durations.max(), second.dim)
        self.waveforms = joined([one.stimulus for one in self.responses])

    def check(self) -> None:
        """Raise as `simulate` does where the cell or the backend cannot take the stimuli, without running anything."""
        with _without_warning():
            checked(Circuit([create(CELL, self.model, len(self.responses))]), self.duration, self._inputs(1), (), None, self.backend)

    def _inputs(self, candidates: int) -> list[WaveformInput]:
        which = np.tile(np.arange(len(self.responses)), candidates)
        return [WaveformInput(CELL, receptor, waveform, which) for receptor, waveform in self.waveforms.items()]

    def trains(self, values: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the spike times of all candidates, in seconds: an array (n, most spikes) for each response, filled up with inf, and counts (n, responses).

        `values` are parameters in SI units, (n,) each. Trains far too long, and those of cells whose state is not finite, count as
        endless and are handed back empty.
        """
        candidates, responses = len(next(iter(values.values()))), len(self.responses)
        spread = {name: quantity(np.repeat(column, responses), self.model.variables[name]) for name, column in values.items()}
        cells = create(CELL, self.model, candidates * responses, spread=spread)
        finite = np.ones(candidates * responses, dtype=bool)
        try:
            with _without_warning():
                inputs = self._inputs(candidates)
                _, recording = simulate(Circuit([cells]), self.duration, inputs=inputs, backend=self.backend, progress=False)
        except NonFiniteStateError as error:  # a candidate that diverges is a bad one, and says nothing about the others
            recording, state = error.recording, error.circuit[CELL].cells
            finite = np.logical_and.reduce([np.isfinite(state[name]) for name in self.model.variables])
        spikes = recording[CELL].spikes
        order = np.argsort(spikes.id, kind="stable")
        cell, time = spikes.id[order], spikes.step[order] * spikes.dt
        inside = time < self.durations[cell % responses] * (1 - 1e-9)
        return self._tables(cell[inside], time[inside], finite)

    def _tables(self, cell: np.ndarray, time: np.ndarray, finite: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        responses = len(self.responses)
        count = np.bincount(cell, minlength=len(finite))
        most = np.array([MOST * max(len(one), FEW) for one in self.data])
        kept = finite & (count <= np.tile(most, len(finite) // responses))
        place = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)
        table = np.full((len(finite), int(count[kept].max(initial=0))), np.inf)
        use = kept[cell]
        table[cell[use], place[use]] = time[use]
        count = np.where(kept, count, np.iinfo(np.int64).max)
        return [table[number::responses] for number in range(responses)], count.reshape(-1, responses)


@contextmanager
def _without_warning() -> Iterator[None]:
    """Leave out what is said of the time step: it is about what candidates may be like, not about the cell that is found."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TimeStepWarning)
        yield
