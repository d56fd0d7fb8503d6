"""From a circuit and bound inputs to Brian2 objects with explicit names, the same for the same structure.

Names recur at every rebuild, so that Brian2 finds its compiled code again; what changes between epochs (sizes, values,
spikes in flight) is only data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from brian2 import Clock, NeuronGroup, SpikeGeneratorGroup, Synapses

from neurosim.backends.differences import exp_difference
from neurosim.backends.drives import Drive, drive, noise_column
from neurosim.backends.exponential import ExponentialEuler
from neurosim.backends.inside import of_any_size
from neurosim.backends.matrices import MATRIX_EXPONENTIALS
from neurosim.backends.noise import philox_normal, philox_poisson
from neurosim.backends.playing import waveform_at
from neurosim.backends.stepping import followed, stepping
from neurosim.backends.terms import renamed
from neurosim.circuit import Circuit
from neurosim.expressions import statements
from neurosim.models.checks import clock_driven
from neurosim.population import Population
from neurosim.projection import Projection
from neurosim.stimuli import Bound
from neurosim.table import distinct
from neurosim.units import quantity, second, unit_name

FUNCTIONS = {
    "philox_normal": philox_normal,
    "philox_poisson": philox_poisson,
    "waveform_at": waveform_at,
    "exp_difference": exp_difference,
    **MATRIX_EXPONENTIALS,
}


@dataclass
class Declared:
    """Hold the Brian2 objects of a circuit: groups, synapses and the rest, all on one clock.

    `noise_columns` maps, for each population, columns that carry noise currents to their variables; `steps` maps the
    names of step currents to theirs.
    """

    clock: Clock
    groups: dict = field(default_factory=dict)
    synapses: dict = field(default_factory=dict)
    extras: list = field(default_factory=list)
    noise_columns: dict = field(default_factory=dict)
    steps: dict = field(default_factory=dict)

    @property
    def objects(self) -> list:
        """All objects that a network needs."""
        return [*self.groups.values(), *self.synapses.values(), *self.extras]

    def array(self, part: str, variable: str) -> np.ndarray:
        """Return the memory of a state variable, weight or share of a population or projection."""
        if part in self.groups:
            return self.groups[part].variables[variable].get_value()
        return self.synapses[part].variables[synaptic(variable)].get_value()

    def level(self, bound: Bound) -> np.ndarray:
        """Return the memory of a step current."""
        return self.groups[bound.population].variables[self.steps[bound.name]].get_value()

    def targets(self, projection: str) -> np.ndarray:
        """Return the rows of the target cells of a projection's synapses."""
        return self.synapses[projection].variables["_synaptic_post"].get_value()


def declare(circuit: Circuit, inputs: list[Bound], shared: Mapping[str, Mapping[str, float]]) -> Declared:
    """Make the Brian2 objects of a circuit, filled with its state; empty populations and projections are left out."""
    made = Declared(Clock(dt=quantity(circuit.dt_si, second.dim), name="neurosim_clock"))
    for population in circuit.populations.values():
        own = [bound for bound in inputs if bound.population == population.name]
        if not len(population):
            continue
        if population.model.source:
            made.groups[population.name] = _sources(population, own, circuit, made.clock)
        else:
            _cells(population, own, shared[population.name], made)
    for projection in circuit.projections.values():
        if len(projection):
            made.synapses[projection.name] = _synapses(circuit, projection, shared[projection.name], made)
    return made


def _sources(population: Population, inputs: list[Bound], circuit: Circuit, clock: Clock) -> SpikeGeneratorGroup:
    rows, steps = given_spikes(inputs)
    times = quantity(steps * circuit.dt_si, second.dim)
    return SpikeGeneratorGroup(len(population), rows, times, clock=clock, name=population.name, sorted=True)


def given_spikes(inputs: list[Bound]) -> tuple[np.ndarray, np.ndarray]:
    """Join the spikes that inputs give to a population of sources: rows and time steps, each spike once, in order of time."""
    given = [bound for bound in inputs if bound.kind == "spikes" and len(bound.rows)]
    if not given:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    rows, steps = (np.concatenate(parts) for parts in ([one.rows for one in given], [one.steps for one in given]))
    later, next_row = np.diff(steps), np.diff(rows) > 0
    if ((later > 0) | ((later == 0) & next_row)).all():
        return rows, steps  # as those of one input mostly are
    size = rows.max() + 1
    steps, rows = np.divmod(distinct(steps * size + rows), size)
    return rows, steps


def _cells(population: Population, inputs: list[Bound], shared: Mapping[str, float], made: Declared) -> None:
    model, drives = population.model, drives_of(population, inputs)
    given = {name: [] for name in model.continuous}
    for bound, one in zip(inputs, drives, strict=True):
        if one.current:
            given[bound.receptor].append(one.current)
        if one.carried:
            made.noise_columns.setdefault(population.name, {})[noise_column(bound)] = one.current
        elif bound.kind == "step":
            made.steps[bound.name] = one.current
    lines = [followed(model.equations), *(line for one in drives for line in one.lines)]
    for name, parts in given.items():
        unit = unit_name(model.receptors[name].dimensions)
        lines.append(f"{name} = {' + '.join(parts) or f'0*{unit}'} : {unit}")
    lines += [f"{name} : 1 (shared)" for name in model.shared]
    spike = model.spike
    group = NeuronGroup(
        len(population), "\n".join(lines), method=stepping(model), threshold=spike.threshold,
        reset="\n".join(filter(None, [spike.reset, spike.on_spike])) or None,
        refractory=spike.threshold if spike.rule == "crossing" else spike.refractory,
        namespace={**cell_constants(population, drives), **FUNCTIONS},
        name=population.name, clock=made.clock,
    )  # fmt: skip
    of_any_size(group)
    columns = {name: values for one in drives for name, values in one.columns.items()}
    columns |= {name: population.cells[name] for name in (*model.variables, "lastspike", "not_refractory")}
    columns |= {name: np.array([value]) for name, value in shared.items()}
    for name, values in columns.items():
        group.variables[name].set_value(values)
    for one in drives:
        if one.code:
            made.extras.append(group.run_regularly(one.code, when=one.when, clock=made.clock, name=f"{population.name}_{one.name}"))
    made.groups[population.name] = group


def _synapses(circuit: Circuit, projection: Projection, shared: Mapping[str, float], made: Declared) -> Synapses:
    model, receptor, table = projection.synapse, projection.receptor, projection.synapses
    target = circuit.populations[projection.target]
    optional = columns_on_demand(projection)
    lines = [
        model.equations,
        f"weight : {unit_name(receptor.dimensions)}",
        "share : 1 (constant)",
        *(f"{name} : {unit} (constant)" for name, unit in optional.items()),
        *(f"{name} : 1 (shared)" for name in model.shared),
    ]
    own = (*model.lines, *model.shared, *model.parameters, "weight", "share", *optional)
    named = {name: synaptic(name) for name in own}
    effect = renamed(receptor.effect, {name: of_target(name) for name in target.model.parameters})
    blocks = [_block(block, named, effect, "frozen" in optional) for block in (model.on_pre, model.on_post, model.on_step)]
    synapses = Synapses(
        made.groups[projection.source], made.groups[projection.target], renamed("\n".join(lines), named),
        on_pre=blocks[0], on_post=blocks[1] or None, method=ExponentialEuler() if clock_driven(model) else None,
        namespace=synapse_constants(circuit, projection), name=projection.name, clock=made.clock,
    )  # fmt: skip
    of_any_size(synapses)
    pre = circuit.populations[projection.source].rows(table["pre"])
    synapses.connect(i=pre, j=target.rows(table["post"]))
    for name in ("weight", "share", *optional, *model.variables):
        synapses.variables[synaptic(name)].set_value(table[name])
    if model.remembers:
        synapses.variables["lastupdate"].set_value(table["lastupdate"])
    for name, value in shared.items():
        synapses.variables[synaptic(name)].set_value(np.array([value]))
    synapses.pre.variables["delay"].set_value(table["delay"])
    if blocks[2]:  # before resets, so that the potential of a spike is seen
        made.extras.append(synapses.run_regularly(blocks[2], when="before_resets", clock=made.clock, name=f"{projection.name}_step"))
    return synapses


def columns_on_demand(projection: Projection) -> dict[str, str]:
    """Return the columns of a projection that only some rules read, with their units."""
    return {
        **({"frozen": "1"} if "frozen" in projection.synapses else {}),
        **({"since": "second"} if projection.synapse.counts_use else {}),
    }


def drives_of(population: Population, inputs: list[Bound]) -> list[Drive]:
    """Return what each of a population's own inputs adds to it; those of spike sources add nothing."""
    return [drive(bound, number, population) for number, bound in enumerate(inputs) if bound.kind != "spikes"]


def cell_constants(population: Population, drives: list[Drive]) -> dict:
    """Return the constants of a population's equations by name: the model's parameters, and what its inputs bring."""
    return population.model.namespace() | {name: value for one in drives for name, value in one.constants.items()}


def synapse_constants(circuit: Circuit, projection: Projection) -> dict:
    """Return the constants of a projection's statements by name: the synapse's parameters and those of its target cells."""
    own = projection.synapse.namespace(projection.receptor.dimensions)
    target = circuit.populations[projection.target].model.namespace()
    return {synaptic(name): value for name, value in own.items()} | {of_target(name): value for name, value in target.items()}


def synaptic(name: str) -> str:
    """The name of a synapse's own variable in Brian2, where it may not be that of a variable of its cells."""
    return f"synaptic_{name}"


def of_target(name: str) -> str:
    """The name of a parameter of the target cells in the statements of a projection."""
    return f"target_{name}"


def _block(block: str, named: Mapping[str, str], effect: str, freezable: bool) -> str:
    """Write statements of a synapse for Brian2: ``deliver(...)`` as the receptor's effect of share * amount, frozen weights unchanged."""
    lines = []
    for line in statements(block):
        if line.target == "weight" and freezable:
            text = f"weight = frozen*weight + (1 - frozen)*({line.result})"  # exact either way: a product with 0 or 1
        else:
            text = line.expression if line.operator == "()" else f"{line.target} {line.operator} {line.expression}"
        text = renamed(re.sub(r"\buse\b", "(uses/(t - since + dt))", text), named)
        if line.operator == "()":
            text = re.sub(r"\bamount\b", lambda _, amount=text: f"({synaptic('share')}*({amount}))", effect)
        lines.append(text)
    return "\n".join(lines)
