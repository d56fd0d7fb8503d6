"""Run the experiments that the `[[expected]]` rows of cell models name, a cell for each row, through neurosim's public API.

All rows of one cell and time course run at once. Every experiment has the same parts (a population "cell" that takes a
step current, a source, one synapse for each receptor tested), so that the Cython target compiles each kind of cell once.
"""

from collections import defaultdict

import numpy as np

import neurosim as ns
from neurosim.units import Hz, amp, quantity, second, volt

# The time course of an experiment: rows that share it can be cells of one population.
COURSE = {
    "rest": ("duration",),
    "step_current": ("duration", "settle"),
    "current_pulse": ("duration", "observe", "settle"),
    "voltage_displacement": ("observe", "settle"),
    "psp": ("observe", "settle"),
}
NOTHING = 0 * second


def measured(model, rows, target="cython") -> list:
    """Measure what expected rows ask of a cell model, in order, as quantities."""
    batches = defaultdict(list)
    for place, row in enumerate(rows):
        course = tuple(float(row.settings.get(key, NOTHING)) for key in COURSE.get(row.protocol, ()))
        batches[row.protocol, float(row.dt), course].append(place)
    values = [None] * len(rows)
    for places in batches.values():
        together = [rows[place] for place in places]
        for place, value in zip(places, _run(model, together, target), strict=True):
            values[place] = value
    return values


def _run(model, rows, target) -> list:
    first = rows[0]
    if first.protocol == "rate_functions":
        return [model.replace(**row.parameters).evaluate(row.measure, v=row.settings["v"]) for row in rows]
    backend = ns.Brian2(dt=first.dt, target=target)
    settle = first.settings.get("settle", NOTHING)
    length = first.settings.get("observe", first.settings.get("duration"))
    pulse = first.settings["duration"] if first.protocol in ("step_current", "current_pulse") else None
    amplitude = quantity([float(row.settings.get("amplitude", 0 * amp)) for row in rows], amp.dim)
    inputs = [ns.StepCurrent("cell", "I_e", amplitude, start=settle, stop=None if pulse is None else settle + pulse)]
    circuit, weights = _circuit(model, rows)
    if weights:
        inputs.append(ns.SpikeTimes("source", 0, settle))
    if settle > NOTHING:
        circuit, _ = ns.simulate(circuit, settle, inputs=inputs, backend=backend, progress=False)
    before = circuit["cell"].v
    displaced = quantity([float(row.settings.get("displacement", 0 * volt)) for row in rows], volt.dim)
    circuit = circuit.set("cell", v=before + displaced)
    after, recording = ns.simulate(circuit, length, inputs=inputs, record=[ns.Trace("cell", "v")], backend=backend, progress=False)
    return [_read(row, k, after, recording["cell"], float(before[k]), float(settle)) for k, row in enumerate(rows)]


def _circuit(model, rows):
    """A cell for each row, with its parameters; in the psp experiment also a source with a synapse onto the receptor of each row."""
    changed = {name for row in rows for name in row.parameters}
    own = {name: [row.parameters.get(name, model.namespace()[name]) for row in rows] for name in sorted(changed)}
    spread = {name: quantity([float(value) for value in values], model.parameters[name].dimensions) for name, values in own.items()}
    cell = ns.create("cell", model, len(rows), spread=spread)
    if rows[0].protocol != "psp":
        return ns.Circuit([cell]), False
    source = ns.create("source", "spike_source", 1)
    synapses = []
    for k, row in enumerate(rows):
        receptor = model.receptors[row.settings["receptor"]]
        weight = row.settings["weight"]
        weight = quantity(receptor.unitary, receptor.dimensions) if isinstance(weight, str) else weight
        synapse = ns.connect(source, cell, "static", ns.Pairs([0], [k]), receptor=receptor.name, weight=weight)
        synapses.append(synapse.replace(name=f"psp_{receptor.name}_{k}"))
    return ns.Circuit([source, cell], synapses), True


def _read(row, k, after, recorded, before, onset):
    """Read one measure of one cell; `before` is v at the onset, before anything was done."""
    times = recorded.trace("v").steps * recorded.trace("v").dt - onset
    v = np.asarray(recorded.v[k])
    spikes = np.asarray(recorded.spikes.t)[recorded.spikes.id == k] - onset
    height = v.max() - before
    match row.measure:
        case "resting_potential":
            return after["cell"].v[k]
        case "spike_count":
            return float(len(spikes))
        case "rate":
            late = spikes[spikes >= float(row.settings.get("after", NOTHING))]
            return (1 / np.diff(late).mean() if len(late) > 1 else 0.0) * Hz
        case "pattern":
            return ns.measures.firing_pattern(spikes * second, NOTHING, row.settings["duration"]).name
        case "peak":
            return v.max() * volt
        case "trough":
            return v[v.argmax() :].min() * volt
        case "height":
            return height * volt
        case "half_width":
            return (v > before + height / 2).sum() * (times[1] - times[0]) * second
        case "peak_time":
            return times[v.argmax()] * second
        case "psp_peak":
            return (v - before)[np.abs(v - before).argmax()] * volt
    raise ValueError(f"no way to read {row.measure!r}; add it here")
