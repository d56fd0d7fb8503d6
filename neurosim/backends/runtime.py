"""Simulate circuits in Brian2's runtime mode: build, fill, run, read back.

The network is built anew for every simulation and everything that the future depends on is carried over bit for bit, spikes
in flight included. It is the plain witness of the library, and what is left where none can be had.
"""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from brian2 import Network

from neurosim.backends.compiler import announced, settings
from neurosim.backends.declare import Declared, columns_on_demand, declare, given_spikes, synaptic
from neurosim.backends.inside import fill_queue, forget_old_code, read_queue
from neurosim.backends.recorded import recorded
from neurosim.backends.scheduled import agenda
from neurosim.backends.watch import Conductor, SpikeWatch
from neurosim.circuit import Circuit
from neurosim.recording import Recording
from neurosim.stimuli import Bound
from neurosim.table import Table
from neurosim.units import quantity, second


class Runtime:
    """Run circuits in Brian2's runtime mode, on the Cython or the NumPy target."""

    def __init__(self, target: str):
        self.target = target

    def run(self, circuit: Circuit, steps: int, inputs: list[Bound], samples: list, shared: Mapping, advance: Callable):
        """Run a checked circuit for so many time steps; return the next circuit and the recording."""
        with settings(self.target), announced(self.target, _structure(circuit, inputs), _code_objects(circuit, inputs)), _collected():
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
        forget_old_code()


def _run(circuit: Circuit, steps: int, inputs: list[Bound], samples: list, shared: Mapping, advance: Callable):
    network = BoundaryNetwork(circuit, inputs, shared, samples, circuit.step + steps)
    made = network.made
    watched = {name: group for name, group in made.groups.items() if not circuit.populations[name].model.source}
    watch = SpikeWatch(made.clock, circuit.step, watched, lambda step: advance(step) and network.stop())
    network.add(watch)
    network.run(quantity(steps * circuit.dt_si, second.dim), namespace={})
    spikes = {
        name: watch.collected(name) if name in watched else given_spikes([bound for bound in inputs if bound.population == name])
        for name in circuit.populations
    }
    sampled = [
        (np.array(at, np.int64), np.array(values).T if values else np.empty((len(rows), 0)))
        for (_, _, rows, _), values, at in zip(samples, network.conductor.samples, network.conductor.sampled_at, strict=True)
    ]
    recording = recorded(circuit, network.conductor.step, samples, spikes, sampled)
    return _read_back(circuit, made, network.conductor.step, recording), recording


class BoundaryNetwork(Network):
    """A Brian2 network that begins in the middle of a circuit's life, with spikes in flight."""

    def __init__(self, circuit: Circuit, inputs: list[Bound], shared: Mapping, samples: list = (), stop: int = 0):
        super().__init__(name="neurosim_network")
        self.circuit, self.begun = circuit, False
        self.made = made = declare(circuit, [bound for bound in inputs if bound.kind != "jumps"], shared)
        planned = agenda(circuit, inputs, made, shared, stop)
        self.conductor = Conductor(made.clock, circuit.step, planned, [_sampler(made, sample) for sample in samples])
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
                fill_queue(synapses.pre.queue, rows, projection.flight["step"] - self.circuit.step)


def _sampler(made: Declared, sample) -> tuple[int, Callable[[], np.ndarray]]:
    name, variable, rows, every = sample
    values = made.array(name, variable) if name in made.groups or name in made.synapses else np.empty(0)
    return every, lambda: values[rows]


def _read_back(circuit: Circuit, made: Declared, step: int, recording: Recording) -> Circuit:
    parts = {}
    for name, group in made.groups.items():
        population = circuit.populations[name]
        kept = () if population.model.source else (*population.model.variables, "lastspike", "not_refractory")
        columns = {key: group.variables[key].get_value().copy() for key in kept}
        columns["spikes"] = population.cells["spikes"] + recording[name].counts
        columns |= {column: group.variables[key].get_value().copy() for column, key in made.noise_columns.get(name, {}).items()}
        parts[name] = replace(population, cells=population.cells.replace(**columns))
    for name, synapses in made.synapses.items():
        projection = circuit.projections[name]
        columns = {key: synapses.variables[synaptic(key)].get_value().copy() for key in ("weight", *projection.synapse.variables)}
        if projection.synapse.remembers:
            columns["lastupdate"] = synapses.variables["lastupdate"].get_value().copy()
        rows, ahead = read_queue(synapses.pre.queue)
        flight = Table({"synapse": projection.ids[rows], "step": step + ahead})
        parts[name] = replace(projection, synapses=projection.synapses.replace(**columns), flight=flight)
    return circuit.updated(parts, step=step)


def _structure(circuit: Circuit, inputs: list[Bound]) -> str:
    """What the generated code depends on: models, names and inputs, no sizes and no values."""
    parts = [f"{p.name} {p.model.equations} {p.model.spike} {p.model.method}" for p in circuit.populations.values() if len(p)]
    parts += [
        f"{p.name} {p.source} {p.target} {p.receptor.name} {p.synapse.equations} {p.synapse.on_pre} {p.synapse.on_post} "
        f"{p.synapse.on_step} {sorted(columns_on_demand(p))}"
        for p in circuit.projections.values()
        if len(p)
    ]
    return "\n".join([*parts, *(f"{bound.kind} {bound.population} {bound.receptor}" for bound in inputs)])


def _code_objects(circuit: Circuit, inputs: list[Bound]) -> int:
    return 3 * len(circuit.populations) + 4 * len(circuit.projections) + len(inputs)
