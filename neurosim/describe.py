"""Descriptions for people: what a circuit, a population, a projection or a model is made of."""

import numpy as np

from neurosim.backends.library.report import reported
from neurosim.circuit import Circuit
from neurosim.models import CellModel, ParameterSet, SynapseModel
from neurosim.models.extension import line_text
from neurosim.population import Population, create
from neurosim.projection import Projection
from neurosim.units import quantity, second


def describe(thing, engine: bool = False) -> str:
    """Return a description in words: of a circuit, a population, a projection, a cell model or a synapse model.

    Print it. `engine` also says what a compiled library makes of the cells: whether an instruction computes several of them, and if not, why;
    for this it compiles one, some seconds. Raises TypeError for anything else, and for the engine of synapses without their circuit.
    """
    said = _engine(thing) if engine else {}
    if isinstance(thing, Circuit):
        return "\n".join(_circuit(thing, said))
    for kind, describer in ((Population, _population), (Projection, _projection), ((CellModel, SynapseModel), _model)):
        if isinstance(thing, kind):
            return "\n".join([*describer(thing), *said.get(thing.name, [])])
    raise TypeError(f"{thing!r} cannot be described; give a circuit, a population, a projection or a model")


def _engine(thing) -> dict[str, list[str]]:
    """Return what a library makes of the populations of a circuit, or of a population or model by itself, in lines by name."""
    if isinstance(thing, Circuit):
        said = reported(thing)
    elif isinstance(thing, Population | CellModel):
        alone = thing if isinstance(thing, Population) else create("cells", thing, 1)
        said = {thing.name: reported(Circuit([alone])).get(alone.name, [])}
    else:
        raise TypeError(f"the engine of {thing!r} cannot be described by itself; give a circuit, a population or a cell model")
    return {name: [f"  engine: {line}" for line in lines] for name, lines in said.items()}


def _circuit(circuit: Circuit, said: dict[str, list[str]]) -> list[str]:
    dt = "open until the first simulation" if circuit.dt is None else str(circuit.dt)
    lines = [f"Circuit at {circuit.time}, epoch {circuit.epoch}; time step {dt}; seed {circuit.seed}"]
    for population in circuit.populations.values():
        lines += ["", *_population(population), *said.get(population.name, [])]
    for projection in circuit.projections.values():
        lines += ["", *_projection(projection), *_degrees(circuit, projection)]
    return lines


def _population(population: Population) -> list[str]:
    cells, model = population.cells, population.model
    lines = [f"Population {population.name!r}: {len(population)} cells of {model.name!r} ({model.summary})"]
    lines.append(
        f"  sign: {population.sign or 'not declared'}; cells ever: {len(population.parents)}; born since the start: {int((cells['birth'] > 0).sum())}"
    )
    lines += [f"  {name}: {_range(cells[name], unit)}" for name, unit in model.variables.items()]
    lines += [
        f"  {name} (kept by rules): {_range(cells[name], one.dimensions)}" for name, one in population.ledgers.items() if not one.state
    ]
    if model.shared:
        lines.append(f"  shared: {', '.join(f'{name} = {value:g}' for name, value in population.shared.items())}")
    return lines


def _projection(projection: Projection) -> list[str]:
    synapses = projection.synapses
    return [
        f"Projection {projection.name!r}: {len(projection)} synapses of {projection.synapse.name!r}, {projection.source!r} -> {projection.target!r}, "
        f"receptor {projection.receptor.name!r}",
        f"  weight: {_range(synapses['weight'], projection.receptor.dimensions)}; delay: {_range(synapses['delay'], second.dim)}",
        f"  a newborn's synapses: {projection.newborn}; shares: {_range(synapses['share'], None)}; spikes in flight: {len(projection.flight)}",
        *([f"  frozen: {int(synapses['frozen'].sum())} of them"] if "frozen" in synapses else []),
    ]


def _degrees(circuit: Circuit, projection: Projection) -> list[str]:
    pairs = np.unique(np.stack([projection.synapses["pre"], projection.synapses["post"]]), axis=1).shape[1] if len(projection) else 0
    sizes = [len(circuit.populations[end]) for end in (projection.source, projection.target)]
    mean = [len(projection) / size if size else 0.0 for size in sizes]
    return [f"  synapses out of a cell: {mean[0]:.1f}, into a cell: {mean[1]:.1f} on average; {pairs} pairs of cells joined"]


def _model(model) -> list[str]:
    lines = [f"{model.kind.capitalize()} model {model.name!r}: {model.summary}"]
    lines += [f"  {line}" for line in model.equations.strip().splitlines()]
    is_cell = isinstance(model, CellModel)
    if is_cell and model.spike:
        spike = {"threshold": model.spike.threshold, "reset": model.spike.reset, "refractory": model.spike.refractory}
        lines.append(f"  spike ({model.spike.rule}): {', '.join(f'{name} {text}' for name, text in spike.items() if text)}")
    if not is_cell:
        lines += _statements(model)
    own = model.per_cell if is_cell else {}
    for name, parameter in {**model.parameters, **own}.items():
        source = f" [{parameter.source}]" if parameter.source else ""
        each = ", each cell its own" if name in own else ""
        lines.append(f"  {name} = {parameter.text or 'to be given'}{each}: {parameter.meaning}{source}")
    if is_cell:
        lines += [f"  receptor {name}: {receptor.meaning}" for name, receptor in model.receptors.items()]
        lines += [f"  energy {name}: {_cost(entry)}" for name, entry in model.tables.get("energy", {}).items()]
        lines += [f"  time step: {_advice(model)}"] if model.time_step else []
    lines += [f"  set {name}: {_values(one)}: {one.meaning} [{one.source}]" for name, one in model.sets.items()]
    return [*lines, *(f"  reference: {reference}" for reference in model.references)]


def _statements(model: SynapseModel) -> list[str]:
    blocks = {"on_pre": model.on_pre, "on_post": model.on_post, "on_step": model.on_step, "normalise": model.normalise or ""}
    kept = {
        "kept in cells": "; ".join(line_text(name, line) for name, line in model.post.lines.items()),
        "at their spikes": model.post.on_spike,
    }
    return [f"  {name}: {'; '.join(text.strip().splitlines())}" for name, text in {**blocks, **kept}.items() if text]


def _cost(entry) -> str:
    """Return what a table `energy` says of one cost, in ATP, or the expression of a sodium current."""
    return entry if isinstance(entry, str) else f"{entry['value']} ATP [{entry['source']}]"


def _advice(model: CellModel) -> str:
    """Return what a table `time_step` says, and how it was found."""
    advice = model.time_step
    found = f"a step of {advice.current} and noise around it, {advice.duration} each"
    return f"{advice.advised} or less; there {model.method} is off by {advice.error:.2%} in the mean interval ({found})"


def _values(chosen: ParameterSet) -> str:
    return ", ".join(f"{name} = {text}" for name, text in chosen.texts.items())


def _range(values: np.ndarray, dimensions) -> str:
    if not len(values):
        return "none"
    low, high = float(values.min()), float(values.max())
    ends = (low, high) if dimensions is None else (quantity(low, dimensions), quantity(high, dimensions))
    return f"{ends[0]}" if low == high else f"{ends[0]} to {ends[1]}"
