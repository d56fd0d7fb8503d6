"""From what a backend kept of a run to a recording keyed by permanent ids."""

from collections.abc import Mapping

import numpy as np

from neurosim.circuit import Circuit
from neurosim.recording import PartRecording, Recording, SpikeTrains, TraceData


def recorded(circuit: Circuit, step: int, samples: list, spikes: Mapping, sampled: list) -> Recording:
    """Return the recording of a run that began with a circuit and ended at a time step.

    `spikes` maps populations to rows and time steps, which may go beyond the end where they were given beforehand; `sampled`
    has for each of the samples its time steps (T) and values, shape (rows, T).
    """
    duration = (step - circuit.step) * circuit.dt_si
    traces: dict[str, dict[str, TraceData]] = {}
    for (name, variable, rows, _), (at, values) in zip(samples, sampled, strict=True):
        part = circuit[name]
        dimensions = (
            part.receptor.dimensions
            if variable == "weight"
            else part.model.variables[variable]
            if name in circuit.populations
            else part.synapse.variables[variable]
        )
        traces.setdefault(name, {})[variable] = TraceData(part.ids[rows], at, values, dimensions, circuit.dt_si)
    parts = {}
    for name, population in circuit.populations.items():
        rows, steps = spikes[name]
        end = np.searchsorted(steps, step)
        rows, steps = rows[:end], steps[:end]
        counts = np.bincount(rows, minlength=len(population))
        trains = SpikeTrains(population.ids[rows], steps, circuit.dt_si)
        parts[name] = PartRecording(name, duration, population.ids, counts, trains, traces.get(name, {}))
    for name in circuit.projections:
        if name in traces:
            parts[name] = PartRecording(name, duration, traces=traces[name])
    return Recording(parts, circuit.step, step, circuit.dt_si)
