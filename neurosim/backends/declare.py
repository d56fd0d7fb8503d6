"""From a circuit and bound inputs to Brian2 objects with explicit names, the same for the same structure.

Names recur at every rebuild, so that Brian2 finds its compiled code again; what changes between epochs (sizes, values,
spikes in flight) is only data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from brian2 import Clock, NeuronGroup, SpikeGeneratorGroup, Synapses

from neurosim.backends.noise import key_halves, philox_normal, philox_poisson
from neurosim.circuit import Circuit
from neurosim.population import Population
from neurosim.projection import Projection
from neurosim.stimuli import Bound
from neurosim.units import quantity, second, unit_name


@dataclass
class Declared:
    """Hold the Brian2 objects of a circuit: groups, synapses and the rest, all on one clock."""

    clock: Clock
    groups: dict = field(default_factory=dict)
    synapses: dict = field(default_factory=dict)
    extras: list = field(default_factory=list)
    noise_columns: dict = field(default_factory=dict)

    @property
    def objects(self) -> list:
        """All objects that a network needs."""
        return [*self.groups.values(), *self.synapses.values(), *self.extras]


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
    group = SpikeGeneratorGroup(
        len(population), rows, quantity(steps * circuit.dt_si, second.dim), clock=clock, name=population.name, sorted=True
    )
    return group


def given_spikes(inputs: list[Bound]) -> tuple[np.ndarray, np.ndarray]:
    """Join the spikes that inputs give to a population of sources: rows and time steps, each spike once, in order of time."""
    spikes = [np.stack([bound.steps, bound.rows], axis=1) for bound in inputs if bound.kind == "spikes"]
    if not spikes:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    if len(spikes) == 1:
        order = np.lexsort((spikes[0][:, 1], spikes[0][:, 0]))
        joined = spikes[0][order]
        new = np.ones(len(joined), dtype=bool)
        new[1:] = (np.diff(joined, axis=0) != 0).any(axis=1)
        joined = joined[new]
    else:
        joined = np.unique(np.concatenate(spikes), axis=0)
    return joined[:, 1], joined[:, 0]


def _cells(population: Population, inputs: list[Bound], shared: Mapping[str, float], made: Declared) -> None:
    model, size = population.model, len(population)
    lines, columns, updates, keys = [model.equations], {}, [], {}
    currents = {name: [] for name, receptor in model.receptors.items() if receptor.kind == "current"}
    for number, bound in enumerate(bound for bound in inputs if bound.kind != "spikes"):
        receptor = model.receptors[bound.receptor]
        unit = unit_name(receptor.dimensions)
        whole = {key: _spread(values, bound.rows, size) for key, values in bound.values.items()}
        # Names for the halves of the key: as numbers they would stand in the code, and each seed would compile anew.
        keys[f"key_high_{number}"], keys[f"key_low_{number}"] = key_halves(bound.key)
        if bound.kind == "poisson":
            draw = f"philox_poisson(key_high_{number}, key_low_{number}, family_{number}, t_in_timesteps, mean_{number}, silent_{number})"
            effect = re.sub(r"\bamount\b", f"(weight_{number}*{draw})", receptor.effect.replace("_post", ""))
            lines += [
                f"mean_{number} : 1 (constant)",
                f"silent_{number} : 1 (constant)",
                f"family_{number} : 1 (constant)",
                f"weight_{number} : {unit} (constant)",
            ]
            columns |= {f"mean_{number}": whole["mean"], f"silent_{number}": np.exp(-whole["mean"]), f"weight_{number}": whole["weight"]}
            columns[f"family_{number}"] = _spread(bound.noise_ids, bound.rows, size)
            updates.append((effect, "synapses", f"poisson_{number}"))
        elif bound.kind == "noise":
            draw = f"philox_normal(key_high_{number}, key_low_{number}, family_{number}, t_in_timesteps)"
            step = f"noise_{number} = mean_{number} + (noise_{number} - mean_{number})*decay_{number} + kick_{number}*{draw}"
            lines += [f"decay_{number} : 1 (constant)", f"family_{number} : 1 (constant)"]
            lines += [f"{key}_{number} : {unit} (constant)" for key in ("mean", "kick", "noise")]
            columns |= {f"{key}_{number}": whole[key] for key in ("mean", "kick", "decay")}
            columns[f"family_{number}"] = _spread(bound.noise_ids, bound.rows, size)
            column = noise_column(bound)
            columns[f"noise_{number}"] = population.cells[column] if column in population.cells else whole["mean"]
            made.noise_columns.setdefault(population.name, {})[column] = f"noise_{number}"
            currents[bound.receptor].append(f"noise_{number}")
            updates.append((step, "start", f"noise_{number}"))
        else:
            lines.append(f"step_{number} : {unit} (constant)")
            currents[bound.receptor].append(f"step_{number}")
            bound.values["variable"] = f"step_{number}"
    lines += [
        f"{name} = {' + '.join(parts) or '0*' + unit_name(model.receptors[name].dimensions)} : {unit_name(model.receptors[name].dimensions)}"
        for name, parts in currents.items()
    ]
    lines += [f"{name} : 1 (shared)" for name in model.shared]
    spike = model.spike
    group = NeuronGroup(
        size, "\n".join(lines), method=model.method, threshold=spike.threshold, reset=spike.reset or None,
        refractory=spike.threshold if spike.rule == "crossing" else spike.refractory,
        namespace={**model.namespace(), **keys, "philox_normal": philox_normal, "philox_poisson": philox_poisson},
        name=population.name, clock=made.clock,
    )  # fmt: skip
    _of_any_size(group)
    columns |= {name: population.cells[name] for name in (*model.variables, "lastspike", "not_refractory")}
    columns |= {name: np.array([value]) for name, value in shared.items()}
    for name, values in columns.items():
        group.variables[name].set_value(values)
    for code, when, name in updates:
        made.extras.append(group.run_regularly(code, when=when, clock=made.clock, name=f"{population.name}_{name}"))
    made.groups[population.name] = group


def noise_column(bound: Bound) -> str:
    """The column of the population that carries a noise current from one simulation to the next."""
    return f"noise:{bound.name}"


def _spread(values: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    whole = np.zeros(size)
    whole[rows] = values
    return whole


def _synapses(circuit: Circuit, projection: Projection, shared: Mapping[str, float], made: Declared) -> Synapses:
    model, receptor = projection.synapse, projection.receptor
    target = circuit.populations[projection.target]
    own = (*model.variables, *model.shared, *model.parameters, "weight", "share")
    namespace = {synaptic(name): value for name, value in model.namespace(receptor.dimensions).items()}
    namespace |= {f"target_{name}": value for name, value in target.model.namespace().items()}
    effect = _renamed(receptor.effect, target.model.parameters, lambda name: f"target_{name}")
    lines = [
        model.equations,
        f"weight : {unit_name(receptor.dimensions)}",
        "share : 1 (constant)",
        *(f"{name} : 1 (shared)" for name in model.shared),
    ]
    blocks = [_delivering(_renamed(block, own, synaptic), effect) for block in (model.on_pre, model.on_post)]
    synapses = Synapses(
        made.groups[projection.source], made.groups[projection.target], _renamed("\n".join(lines), own, synaptic),
        on_pre=blocks[0], on_post=blocks[1] or None, namespace=namespace, name=projection.name, clock=made.clock,
    )  # fmt: skip
    _of_any_size(synapses)
    table = projection.synapses
    pre = circuit.populations[projection.source].rows(table["pre"])
    synapses.connect(i=pre, j=target.rows(table["post"]))
    for name in table:
        if name in ("weight", "share", *model.variables):
            synapses.variables[synaptic(name)].set_value(table[name])
    if model.remembers:
        synapses.variables["lastupdate"].set_value(table["lastupdate"])
    for name, value in shared.items():
        synapses.variables[synaptic(name)].set_value(np.array([value]))
    synapses.pre.variables["delay"].set_value(table["delay"])
    return synapses


def _of_any_size(part) -> None:
    """Let Brian2 find again the code that it worked out for another size: its memory takes sizes for a part of the code."""
    for name, variable in part.variables.items():
        sizes = {"size", "value"} if name == "N" else {"size"}
        variable._cache_irrelevant_attributes = {*variable._cache_irrelevant_attributes, *sizes, "_cache_irrelevant_attributes"}


def synaptic(name: str) -> str:
    """The name of a synapse's own variable in Brian2, where it may not be that of a variable of its cells."""
    return f"synaptic_{name}"


def _renamed(text: str, names, new) -> str:
    """Give names in equations or statements new ones, derivatives too."""
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    if not known:
        return text
    text = re.sub(rf"\bd({known})/dt\b", lambda found: f"d{new(found[1])}/dt", text)
    return re.sub(rf"\b({known})\b", lambda found: new(found[1]), text)


def _delivering(block: str, effect: str) -> str:
    """Replace each ``deliver(expression)`` by the receptor's effect of share * expression."""
    lines = []
    for line in block.splitlines():
        match = re.fullmatch(r"\s*deliver\((.*)\)\s*", line)
        lines.append(re.sub(r"\bamount\b", f"({synaptic('share')}*({match.group(1)}))", effect) if match else line)
    return "\n".join(line.strip() for line in lines if line.strip())
