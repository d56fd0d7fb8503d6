"""What a library depends on: a circuit's structure as a text that names it, and as the smallest circuit that has it."""

import json
from collections.abc import Collection
from dataclasses import replace
from functools import cached_property

import numpy as np
from brian2 import Network

from neurosim.backends.compiler import settings
from neurosim.backends.declare import columns_on_demand, declare, drives_of, given_spikes, of_target, synaptic
from neurosim.backends.library.pieces import translate
from neurosim.backends.library.source import write
from neurosim.circuit import Circuit
from neurosim.errors import near
from neurosim.models.parts import Model
from neurosim.population import NEVER, create
from neurosim.projection import Projection
from neurosim.stimuli import Bound
from neurosim.table import Table

DT = 1e-4  # seconds: what a circuit that has no time step yet is tried with


class Structure:
    """Describe what a circuit and its inputs are made of, without sizes, states and seeds.

    ``given(part, constant)`` says which constants get their values at run time: the keys of random streams, those that
    `sweep` names, and all where `every`; the others are part of the structure.
    """

    def __init__(self, circuit: Circuit, inputs: list[Bound], sweep: Collection[str], every: bool):
        self.circuit, self.every = circuit, every
        self.inputs = [bound for bound in inputs if bound.kind != "jumps"]  # which no generated code knows
        self.scheduled = inputs
        self.sweep = {key for name in sweep for key in _constants_of(circuit, name)}
        self.drives = {name: list(drives_of(one, self.own(name))) for name, one in circuit.populations.items()}
        self.streams = {(name, key): value for name, own in self.drives.items() for one in own for key, value in one.constants.items()}

    def own(self, population: str) -> list[Bound]:
        """The inputs of one population."""
        return [bound for bound in self.inputs if bound.population == population]

    def number(self, bound: Bound) -> int:
        """The number of an input among those of its population, which its variables bear."""
        return [one.name for one in self.own(bound.population)].index(bound.name)

    def same(self, other: "Structure") -> bool:
        """Tell, without working out texts, whether another circuit is one of the same structure: it then runs on the same library."""
        return (
            {name: one.model for name, one in self.circuit.populations.items()} == {name: one.model for name, one in other.circuit.populations.items()}
            and [_frame(one) for one in self.circuit.projections.values()] == [_frame(one) for one in other.circuit.projections.values()]
            and [(one.kind, one.name, one.population, one.receptor) for one in self.inputs] == [(one.kind, one.name, one.population, one.receptor) for one in other.inputs]
        )  # fmt: skip

    @cached_property
    def spikes(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """The spikes that are given to each population of sources: rows and time steps."""
        return {name: given_spikes(self.own(name)) for name, one in self.circuit.populations.items() if one.model.source}

    def given(self, part: str, constant: str) -> bool:
        """Tell whether a constant gets its value at run time; units and numbers such as pi never do."""
        key = part, constant
        return key in self.sweep or key in self.streams or (self.every and key in self.constants)

    @cached_property
    def constants(self) -> dict[tuple[str, str], float]:
        """The values of all constants by part and name."""
        known = dict(self.streams)
        for name, population in self.circuit.populations.items():
            known |= {(name, key): value for key, value in _values(population.model)}
        for name, projection in self.circuit.projections.items():
            target = self.circuit.populations[projection.target].model
            known |= {(name, synaptic(key)): value for key, value in _values(projection.synapse)}
            known |= {(name, of_target(key)): value for key, value in _values(target)}
        return known

    def text(self) -> str:
        """The text that names the structure: two circuits with the same one run on the same library."""
        fixed = {f"{part}.{name}": value for (part, name), value in self.constants.items() if not self.given(part, name)}
        cells = [
            [one.name, one.model.source, one.model.equations, one.model.method, vars(one.model.spike) if one.model.spike else None,
             {name: [receptor.kind, receptor.effect] for name, receptor in one.model.receptors.items()}, sorted(one.model.shared)]
            for one in self.circuit.populations.values()
        ]  # fmt: skip
        synapses = [
            [one.name, one.source, one.target, one.receptor.name, str(one.receptor.dimensions), one.synapse.equations, one.synapse.on_pre,
             one.synapse.on_post, one.synapse.on_step, sorted(columns_on_demand(one)), sorted(one.synapse.shared)]
            for one in self.circuit.projections.values()
        ]  # fmt: skip
        inputs = [[bound.kind, bound.population, bound.receptor] for bound in self.inputs]
        names = ", ".join([*self.circuit.populations, *self.circuit.projections])
        return f"{names}\n" + json.dumps(
            {"cells": cells, "synapses": synapses, "inputs": inputs, "given": self.every, "fixed": fixed}, indent=1, default=str
        )

    def mould(self) -> "Structure":
        """The smallest circuit of this structure: one cell a population, one synapse a projection with a spike under way."""
        circuit = self.circuit
        populations = [create(one.name, one.model, 1) for one in circuit.populations.values()]
        projections = [_one_synapse(one, circuit.step) for one in circuit.projections.values()]
        dt = circuit.dt_si or DT
        small = Circuit(populations, projections, seed=circuit.seed, step=circuit.step, dt_si=dt)
        made = Structure(small, [_one_cell(bound) for bound in self.inputs], (), self.every)
        made.sweep = self.sweep
        return made

    def source(self) -> tuple[str, dict]:
        """Let Brian2 translate the structure; return the C++ source and its layout. Raises UnsupportedModelError as `translate` and `write` do."""
        mould = self.mould()
        circuit = mould.circuit
        shared = {name: dict(part.shared) for name, part in {**circuit.populations, **circuit.projections}.items()}
        with settings("numpy"):  # which makes the synapses
            pieces = translate(Network(*declare(circuit, mould.inputs, shared).objects))
        source, layout = write(pieces, list(circuit.populations), list(circuit.projections), self.given, fast=not self.every)
        return source, layout.to_json()


def _values(model: Model) -> list[tuple[str, float]]:
    return [(name, parameter.value) for name, parameter in model.parameters.items() if parameter.value is not None]


def _frame(projection: Projection) -> tuple:
    optional = tuple(columns_on_demand(projection))
    return projection.name, projection.source, projection.target, projection.synapse, projection.receptor, optional


def _constants_of(circuit: Circuit, name: str) -> list[tuple[str, str]]:
    """Where a parameter that is to be swept, such as "exc.tau_m", stands in generated code."""
    part, _, parameter = name.partition(".")
    options = [f"{key}.{one}" for key, known in circuit.populations.items() for one in known.model.parameters]
    options += [f"{key}.{one}" for key, known in circuit.projections.items() for one in known.synapse.parameters]
    if name not in options:
        raise ValueError(f"sweep names {name!r}, which is no parameter of this circuit.{near(name, options)}")
    if part in circuit.projections:
        return [(part, synaptic(parameter))]
    return [(part, parameter), *((key, of_target(parameter)) for key, one in circuit.projections.items() if one.target == part)]


def _one_synapse(projection: Projection, step: int) -> Projection:
    model = projection.synapse
    values = {"weight": _some_weight(projection), "delay": 0.0, "share": 1.0, "since": 0.0, **model.initial_values()}
    values |= {"lastupdate": NEVER} if model.remembers else {}
    values |= dict.fromkeys(columns_on_demand(projection), 0.0)
    ids = {name: np.zeros(1, np.int64) for name in ("id", "pre", "post")}
    synapses = Table(ids | {name: np.full(1, float(value)) for name, value in values.items()})
    return replace(projection, synapses=synapses, flight=Table({"synapse": np.zeros(1, np.int64), "step": np.full(1, step)}))


def _some_weight(projection: Projection) -> float:
    """A weight with which a spike does something: the middle of the bounds, or what moves a cell by 1 mV."""
    model = projection.synapse
    if model.bounds:
        return float(np.mean([model.parameters[name].value for name in model.bounds]))
    return projection.receptor.unitary or 1.0


def _one_cell(bound: Bound) -> Bound:
    nothing, first = np.empty(0, np.int64), np.zeros(1, np.int64)
    if bound.kind == "spikes":
        return replace(bound, rows=nothing, steps=nothing, onsets=None)
    return replace(
        bound,
        rows=first,
        values={name: values[:1] if len(values) else np.zeros(1) for name, values in bound.values.items()},
        noise_ids=first,
    )
