"""All candidates of a generation as one population: a cell for each candidate and response, driven by that response's stimulus."""

from collections.abc import Mapping, Sequence

import numpy as np

from neurosim.circuit import Circuit
from neurosim.currents import WaveformInput
from neurosim.errors import NonFiniteStateError
from neurosim.models import CellModel
from neurosim.population import create
from neurosim.simulate import simulate
from neurosim.units import Quantity, quantity, second
from neurosim.waveforms import Waveform

MOST = 4  # times the spikes of the data: a train with more is no candidate, and one that spikes in every step would fill the memory


class Problem:
    """Hold what candidates are tried on: a cell model, the responses to be met, and their stimuli joined row by row."""

    def __init__(self, model: CellModel, responses: Sequence, backend):
        self.model, self.responses, self.backend = model, tuple(responses), backend
        self.data = [np.asarray(one.spikes, dtype=float) for one in self.responses]
        self.durations = np.array([float(one.stimulus.duration) for one in self.responses])
        self.waveforms = joined([one.stimulus.waveforms for one in self.responses])

    def trains(self, values: Mapping[str, np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the spike times of all candidates, in seconds: for each response an array (n, most spikes) filled up with inf, and counts (n, responses).

        `values` are parameters in SI units, (n,) each. Trains that are too long to be right, or of cells whose state is not finite,
        count as they are but are handed back empty.
        """
        candidates, responses = len(next(iter(values.values()))), len(self.responses)
        spread = {
            name: quantity(np.repeat(column, responses), {**self.model.parameters, **self.model.per_cell}[name].dimensions)
            for name, column in values.items()
        }
        cells = create("cell", self.model, candidates * responses, spread=spread)
        which = np.tile(np.arange(responses), candidates)
        inputs = [WaveformInput("cell", receptor, waveform, which) for receptor, waveform in self.waveforms.items()]
        duration = quantity(self.durations.max(), second.dim)
        finite = np.ones(candidates * responses, dtype=bool)
        try:
            _, recording = simulate(Circuit([cells]), duration, inputs=inputs, backend=self.backend, progress=False)
        except NonFiniteStateError as error:
            recording = error.recording
            state = error.circuit["cell"].cells
            finite = np.logical_and.reduce([np.isfinite(state[name]) for name in self.model.variables])
        spikes = recording["cell"].spikes
        order = np.argsort(spikes.id, kind="stable")
        cell, time = spikes.id[order], spikes.step[order] * spikes.dt
        inside = time < self.durations[cell % responses]
        return _padded(cell[inside], time[inside], finite, self.data)


def _padded(cell: np.ndarray, time: np.ndarray, finite: np.ndarray, data: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
    responses = len(data)
    count = np.bincount(cell, minlength=len(finite))
    most = np.array([MOST * max(len(one), 10) for one in data])
    kept = finite & (count <= np.tile(most, len(finite) // responses))
    place = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)
    table = np.full((len(finite), int(count[kept].max(initial=0))), np.inf)
    use = kept[cell]
    table[cell[use], place[use]] = time[use]
    count = np.where(finite, count, np.iinfo(np.int64).max)
    return [table[number::responses] for number in range(responses)], count.reshape(-1, responses)


def joined(stimuli: Sequence[Mapping[str, Waveform]]) -> dict[str, Waveform]:
    """Join the waveforms of several stimuli, a row for each; 0 where a stimulus has none for a receptor or ends before others."""
    together = {}
    for receptor in {name: None for one in stimuli for name in one}:
        some = [one[receptor] for one in stimuli if receptor in one]
        longest = max(one.samples for one in some)
        values = np.zeros((len(stimuli), longest))
        for row, one in enumerate(stimuli):
            if receptor in one:
                values[row, : one[receptor].samples] = one[receptor].si[0]
        together[receptor] = Waveform(quantity(values, some[0].dimensions), some[0].dt)
    return together


def si_values(parameters: Mapping[str, Quantity]) -> dict[str, float]:
    """Return parameters as plain SI numbers."""
    return {name: float(value) for name, value in parameters.items()}
