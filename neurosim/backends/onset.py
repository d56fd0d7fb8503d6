"""What happens at each stimulus onset: the models' ``[on] presentation`` statements and the normalisation of weights."""

from collections.abc import Callable, Mapping

import numpy as np

from neurosim.circuit import Circuit
from neurosim.expressions import execute
from neurosim.projection import Projection


def onset_actions(circuit: Circuit, arrays, shared: Mapping[str, Mapping[str, float]]) -> list[Callable[[], None]]:
    """Return the functions to call at each onset, in the order of populations and projections."""
    actions = []
    for name, population in circuit.populations.items():
        model = population.model
        if len(population) and not model.source and model.on_presentation:
            names = {**model.si_namespace(), **shared[name], "N": len(population)}
            actions.append(_statements(model.on_presentation, {key: arrays.array(name, key) for key in model.variables}, names))
    for name, projection in circuit.projections.items():
        model = projection.synapse
        if not len(projection):
            continue
        if model.on_presentation:
            state = {key: arrays.array(name, key) for key in (*model.variables, "weight")}
            actions.append(_statements(model.on_presentation, state, {**model.si_namespace(), **shared[name]}))
        if model.normalise:
            # Not a matter of learning: what the last stimulus left unbalanced is balanced before a frozen one too.
            actions.append(_normalisation(circuit, projection, arrays))
    return actions


def _statements(block: str, arrays: Mapping[str, np.ndarray], names: Mapping[str, float]) -> Callable[[], None]:
    def run():
        """Carry out the statements."""
        changed = execute(block, {**names, **arrays})
        for name, value in changed.items():
            arrays[name][:] = value

    return run


def _normalisation(circuit: Circuit, projection: Projection, arrays) -> Callable[[], None]:
    """Scale what each target cell receives (share * weight, summed) to the model's w_total, inside the weights' bounds."""
    weight, share, post = arrays.array(projection.name, "weight"), arrays.array(projection.name, "share"), arrays.targets(projection.name)
    size = len(circuit.populations[projection.target])
    wanted = projection.synapse.parameters["w_total"].value
    bounds = [projection.synapse.parameters[name].value for name in projection.synapse.bounds] if projection.synapse.bounds else None

    def run():
        """Scale the weights."""
        total = np.bincount(post, weights=share * weight, minlength=size)
        # A cell without any incoming weight has nothing to scale.
        factor = np.divide(wanted, total, out=np.ones(size), where=total > 0)
        np.multiply(weight, factor[post], out=weight)
        if bounds is not None:
            np.clip(weight, *bounds, out=weight)

    return run
