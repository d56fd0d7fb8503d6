"""Simulate circuits in Brian2's runtime mode: build, fill, run, read back.

The network is built anew for every simulation and everything that the future depends on is carried over bit for bit, spikes
in flight included. It is the plain witness of faster engines, which replace this module and nothing above it.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from brian2 import Network
from brian2.codegen.translation import make_statements

from neurosim.backends.compiler import announced, choose_target, settings
from neurosim.backends.declare import Declared, declare, given_spikes, synaptic
from neurosim.backends.onset import onset_actions
from neurosim.backends.watch import Conductor, SpikeWatch
from neurosim.circuit import Circuit
from neurosim.errors import UnsupportedModelError
from neurosim.recording import PartRecording, Recording, SpikeTrains, TraceData
from neurosim.stimuli import Bound
from neurosim.table import Table
from neurosim.units import Quantity, ms, quantity, second

MOST_REMEMBERED = 1000  # pieces of generated code: Brian2 would keep those of every size that a population ever had


@dataclass(frozen=True)
class Brian2:
    """Simulate with Brian2 in this process.

    `dt` is the time step; `target` is "cython" (compiled C++), "numpy" (no compiler needed) or "auto" (Cython where a
    compiler is found).
    """

    dt: Quantity = field(default_factory=lambda: 0.1 * ms)
    target: str = "auto"

    def check(self, circuit: Circuit) -> None:
        """Raise UnsupportedModelError for a model that cannot be simulated here."""
        for projection in circuit.projections.values():
            if not projection.synapse.event_driven:
                raise UnsupportedModelError(
                    f"projection {projection.name!r} has synapses of {projection.synapse.name!r} with clock-driven equations, which are not "
                    "carried over boundaries yet; write them as (event-driven)"
                )

    def run(self, circuit: Circuit, steps: int, inputs: list[Bound], samples: list, shared: Mapping, advance: Callable):
        """Run a checked circuit for so many time steps; return the next circuit and the recording.

        `samples` are (part name, variable, rows, every) of the traces; `shared` the modulated factors of each part;
        `advance(step)` is told of progress and returns True to stop early.
        """
        target = choose_target(self.target)
        with settings(target), announced(target, _structure(circuit, inputs), _code_objects(circuit, inputs)), _collected():
            return _run(circuit, steps, inputs, samples, shared, advance)


@contextmanager
def _collected() -> Iterator[None]:
    """Let go of what a simulation leaves behind: a network holds itself in cycles that only the garbage collector finds.

    What lived before is set aside meanwhile, because Brian2 collects in every run too, and a full look costs 70 ms.
    """
    gc.collect(1)
    gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        gc.unfreeze()
        remembered = make_statements.__wrapped__._cache
        for key in list(remembered)[:-MOST_REMEMBERED]:
            del remembered[key]


def _run(circuit: Circuit, steps: int, inputs: list[Bound], samples: list, shared: Mapping, advance: Callable):
    network = BoundaryNetwork(circuit, inputs, shared, samples)
    made = network.made
    watched = {name: group for name, group in made.groups.items() if not circuit.populations[name].model.source}
    watch = SpikeWatch(made.clock, circuit.step, watched, lambda step: advance(step) and network.stop())
    network.add(watch)
    network.run(quantity(steps * circuit.dt_si, second.dim), namespace={})
    after = _read_back(circuit, made, network.conductor.step)
    return after, _recording(circuit, after, inputs, samples, network.conductor, watch)


class BoundaryNetwork(Network):
    """A Brian2 network that begins in the middle of a circuit's life, with spikes in flight."""

    def __init__(self, circuit: Circuit, inputs: list[Bound], shared: Mapping, samples: list = ()):
        super().__init__(name="neurosim_network")
        self.circuit, self.begun = circuit, False
        self.made = made = declare(circuit, inputs, shared)
        self.conductor = Conductor(
            made.clock, circuit.step, _agenda(circuit, inputs, made, shared), [_sampler(made, sample) for sample in samples]
        )
        self.add(*made.objects, self.conductor)
        self.t_ = circuit.time_si

    def before_run(self, run_namespace):
        """Prepare the objects and, the first time, put the circuit's spikes in flight into their queues."""
        super().before_run(run_namespace)
        if self.begun:
            return
        self.begun = True
        for name, synapses in self.made.synapses.items():
            projection = self.circuit.projections[name]
            if len(projection.flight):
                rows = projection.rows(projection.flight["synapse"])
                _fill_queue(synapses.pre.queue, rows, projection.flight["step"] - self.circuit.step)


def _fill_queue(queue, rows: np.ndarray, ahead: np.ndarray) -> None:
    """Put events into a spike queue: compiled queues take a list for each slot, the Python one (ahead, row) pairs."""
    state = queue._full_state()
    if len(state) == 3:
        spikes = np.stack([ahead, rows], axis=1)
        queue._restore_from_full_state((state[0], spikes, (state[2][0], max(state[2][1], np.bincount(ahead).max()))))
        return
    offset, slots = state
    slots = [[] for _ in slots]
    order = np.argsort(ahead, kind="stable")
    bounds = np.searchsorted(ahead[order], np.arange(len(slots) + 1))
    for slot in range(len(slots)):
        slots[(offset + slot) % len(slots)] = rows[order[bounds[slot] : bounds[slot + 1]]].tolist()
    queue._restore_from_full_state((offset, slots))


def _empty_queue(queue) -> tuple[np.ndarray, np.ndarray]:
    """Return the events of a spike queue in order of delivery: synapse rows and time steps ahead (0 is the next one)."""
    state = queue._full_state()
    if len(state) == 3:
        spikes = np.asarray(state[1]).reshape(-1, 2)
        spikes = spikes[np.argsort(spikes[:, 0], kind="stable")]
        return spikes[:, 1].astype(np.int64), spikes[:, 0].astype(np.int64)
    offset, slots = state
    ordered = [slots[(offset + ahead) % len(slots)] for ahead in range(len(slots))]
    rows = np.array([row for slot in ordered for row in slot], dtype=np.int64)
    return rows, np.repeat(np.arange(len(slots)), [len(slot) for slot in ordered])


def _agenda(circuit: Circuit, inputs: list[Bound], made: Declared, shared: Mapping) -> dict[int, list[Callable]]:
    """The changes of a run by time step: currents going on and off, and what happens at each stimulus onset."""
    agenda: dict[int, list[Callable]] = {}
    for bound in inputs:
        if bound.kind == "step" and bound.population in made.groups:
            level = made.groups[bound.population].variables[made.steps[bound.name]].get_value()
            on = bound.onset <= circuit.step and (bound.offset is None or circuit.step < bound.offset)
            level[bound.rows] = bound.values["amplitude"] if on else 0.0
            if bound.onset > circuit.step:
                agenda.setdefault(bound.onset, []).append(_assign(level, bound.rows, bound.values["amplitude"]))
            if bound.offset is not None:
                agenda.setdefault(bound.offset, []).append(_assign(level, bound.rows, 0.0))
    onsets = np.unique(np.concatenate([np.empty(0, np.int64), *(bound.onsets for bound in inputs if bound.onsets is not None)]))
    actions = onset_actions(circuit, made, shared) if len(onsets) else []
    for onset in onsets.tolist():
        agenda.setdefault(onset, []).extend(actions)
    return agenda


def _assign(array: np.ndarray, rows: np.ndarray, values) -> Callable[[], None]:
    def assign():
        array[rows] = values

    return assign


def _sampler(made: Declared, sample) -> tuple[int, Callable[[], np.ndarray]]:
    name, variable, rows, every = sample
    values = np.empty(0)
    if name in made.groups:
        values = made.groups[name].variables[variable].get_value()
    elif name in made.synapses:
        values = made.synapses[name].variables[synaptic(variable)].get_value()
    return every, lambda: values[rows]


def _read_back(circuit: Circuit, made: Declared, step: int) -> Circuit:
    parts = {}
    for name, group in made.groups.items():
        population = circuit.populations[name]
        if population.model.source:
            continue
        columns = {key: group.variables[key].get_value().copy() for key in (*population.model.variables, "lastspike", "not_refractory")}
        columns |= {column: group.variables[key].get_value().copy() for column, key in made.noise_columns.get(name, {}).items()}
        parts[name] = replace(population, cells=population.cells.replace(**columns))
    for name, synapses in made.synapses.items():
        projection = circuit.projections[name]
        columns = {key: synapses.variables[synaptic(key)].get_value().copy() for key in ("weight", *projection.synapse.variables)}
        if projection.synapse.remembers:
            columns["lastupdate"] = synapses.variables["lastupdate"].get_value().copy()
        rows, ahead = _empty_queue(synapses.pre.queue)
        flight = Table({"synapse": projection.ids[rows], "step": step + ahead})
        parts[name] = replace(projection, synapses=projection.synapses.replace(**columns), flight=flight)
    return circuit.updated(parts, step=step)


def _recording(circuit: Circuit, after: Circuit, inputs, samples, conductor: Conductor, watch: SpikeWatch) -> Recording:
    duration = (after.step - circuit.step) * circuit.dt_si
    traces: dict[str, dict[str, TraceData]] = {}
    for (name, variable, rows, _), values, at in zip(samples, conductor.samples, conductor.sampled_at, strict=True):
        part = circuit[name]
        dimensions = (
            part.receptor.dimensions
            if variable == "weight"
            else part.model.variables[variable]
            if name in circuit.populations
            else part.synapse.variables[variable]
        )
        si = np.array(values).T if values else np.empty((len(rows), 0))
        traces.setdefault(name, {})[variable] = TraceData(
            part.ids[rows], np.array(at, dtype=np.int64), si.reshape(len(rows), len(at)), dimensions, circuit.dt_si
        )
    parts = {}
    for name, population in circuit.populations.items():
        if name in watch.spikes:
            rows, steps = watch.collected(name)
        else:
            rows, steps = given_spikes([bound for bound in inputs if bound.population == name])
            here = steps < after.step
            rows, steps = rows[here], steps[here]
        counts = np.bincount(rows, minlength=len(population))
        parts[name] = PartRecording(
            name, duration, population.ids, counts, SpikeTrains(population.ids[rows], steps, circuit.dt_si), traces.get(name, {})
        )
    for name in circuit.projections:
        if name in traces:
            parts[name] = PartRecording(name, duration, traces=traces[name])
    return Recording(parts, circuit.step, after.step, circuit.dt_si)


def _structure(circuit: Circuit, inputs: list[Bound]) -> str:
    """What the generated code depends on: models, names and inputs, no sizes and no values."""
    parts = [f"{p.name} {p.model.equations} {p.model.spike} {p.model.method}" for p in circuit.populations.values() if len(p)]
    parts += [
        f"{p.name} {p.source} {p.target} {p.receptor.name} {p.synapse.equations} {p.synapse.on_pre} {p.synapse.on_post}"
        for p in circuit.projections.values()
        if len(p)
    ]
    return "\n".join([*parts, *(f"{bound.kind} {bound.population} {bound.receptor}" for bound in inputs)])


def _code_objects(circuit: Circuit, inputs: list[Bound]) -> int:
    return 3 * len(circuit.populations) + 4 * len(circuit.projections) + len(inputs)
