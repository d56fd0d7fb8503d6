"""What happens at each stimulus onset: the models' ``[on] presentation`` statements and the normalisation of weights."""

from collections.abc import Callable, Mapping

import numpy as np

from neurosim.backends.declare import Declared, synaptic
from neurosim.circuit import Circuit
from neurosim.expressions import execute
from neurosim.projection import Projection


def onset_actions(circuit: Circuit, made: Declared, shared: Mapping[str, Mapping[str, float]]) -> list[Callable[[], None]]:
    """Return the functions to call at each onset, in the order of populations and projections."""
    actions = []
    for name, group in made.groups.items():
        model = circuit.populations[name].model
        if not model.source and model.on_presentation:
            names = {**model.si_namespace(), **shared[name], "N": len(group)}
            arrays = {key: group.variables[key].get_value() for key in model.variables}
            actions.append(_statements(model.on_presentation, arrays, names))
    for name, synapses in made.synapses.items():
        projection = circuit.projections[name]
        model = projection.synapse
        if model.on_presentation:
            arrays = {key: synapses.variables[synaptic(key)].get_value() for key in (*model.variables, "weight")}
            actions.append(_statements(model.on_presentation, arrays, {**model.si_namespace(), **shared[name]}))
        if model.normalise:
            # Not a matter of learning: what the last stimulus left unbalanced is balanced before a frozen one too.
            actions.append(_normalisation(circuit, projection, synapses))
    return actions


def _statements(block: str, arrays: Mapping[str, np.ndarray], names: Mapping[str, float]) -> Callable[[], None]:
    def run():
        changed = execute(block, {**names, **arrays})
        for name, value in changed.items():
            arrays[name][:] = value

    return run


def _normalisation(circuit: Circuit, projection: Projection, synapses) -> Callable[[], None]:
    """Scale what each target cell receives (share * weight, summed) to the model's w_total, inside the weights' bounds."""
    weight, share = (synapses.variables[synaptic(name)].get_value() for name in ("weight", "share"))
    post = circuit.populations[projection.target].rows(projection.synapses["post"])
    size = len(circuit.populations[projection.target])
    wanted = projection.synapse.parameters["w_total"].value
    bounds = [projection.synapse.parameters[name].value for name in projection.synapse.bounds] if projection.synapse.bounds else None

    def run():
        total = np.bincount(post, weights=share * weight, minlength=size)
        # A cell without any incoming weight has nothing to scale.
        factor = np.divide(wanted, total, out=np.ones(size), where=total > 0)
        np.multiply(weight, factor[post], out=weight)
        if bounds is not None:
            np.clip(weight, *bounds, out=weight)

    return run
