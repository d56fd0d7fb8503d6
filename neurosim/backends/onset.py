"""What happens at stimulus onsets and at intervals: the models' ``[on] presentation`` statements, normalisation and scaling of weights."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from neurosim.circuit import Circuit
from neurosim.expressions import execute
from neurosim.projection import Projection
from neurosim.units import whole_steps


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
            names = {**model.si_namespace(), **shared[name]}
            actions.append(_statements(model.on_presentation, state, names, _frozen(projection, arrays)))
        if model.normalise == "incoming":
            # Not a matter of learning: what the last stimulus left unbalanced is balanced before a frozen one too.
            actions.append(_normalisation(circuit, projection, arrays))
    return actions


def interval_actions(circuit: Circuit, arrays, shared: Mapping[str, Mapping[str, float]]) -> Iterator[tuple[int, Callable[[], None]]]:
    """Go through what happens at whole multiples of so many time steps, in the order of projections."""
    for name, projection in circuit.projections.items():
        kind = projection.synapse.normalise
        if kind and len(projection) and (steps := steps_of_interval(projection, circuit.dt_si)):
            learning = shared[name].get("learning", 1.0)
            yield steps, _normalisation(circuit, projection, arrays) if kind == "incoming" else _scaling(projection, arrays, learning)


def steps_of_interval(projection: Projection, dt: float) -> int | None:
    """Return the time steps between two normalisations of a projection, None where only stimulus onsets count.

    Raises ValueError for what is no whole number of time steps, at least one, and where a rate is to be reached through a receptor of
    which nobody says whether it excites.
    """
    if projection.synapse.normalise == "rate" and projection.receptor.sign is None:
        raise ValueError(
            f"projection {projection.name!r} scales its weights to a rate, but receptor {projection.receptor.name!r} does not say whether "
            "it excites; give it a sign in the cell's file, or use one that has a sign"
        )
    interval = projection.synapse.parameters["interval"]
    if np.isinf(interval.value):
        return None
    what = f"interval of the normalisation of projection {projection.name!r}"
    steps = whole_steps(interval.quantity, dt, what)
    if steps < 1:
        raise ValueError(f"{what} is 0; give at least one time step ({dt * 1e3:g} ms)")
    return steps


def _statements(block: str, arrays: Mapping[str, np.ndarray], names: Mapping[str, float], frozen=None) -> Callable[[], None]:
    def run():
        """Carry out the statements."""
        changed = execute(block, {**names, **arrays})
        for name, value in changed.items():
            arrays[name][:] = value if frozen is None or name != "weight" else np.where(frozen, arrays[name], value)

    return run


def _frozen(projection: Projection, arrays) -> np.ndarray | None:
    return arrays.array(projection.name, "frozen") > 0 if "frozen" in projection.synapses else None


def _bounded(projection: Projection, arrays) -> Callable[[np.ndarray], None]:
    """Return what multiplies the weights of a projection by factors, inside their bounds and but for frozen ones."""
    weight, frozen = arrays.array(projection.name, "weight"), _frozen(projection, arrays)
    bounds = [projection.synapse.parameters[name].value for name in projection.synapse.bounds] if projection.synapse.bounds else None

    def multiply(factor: np.ndarray) -> None:
        """Multiply the weights."""
        scaled = weight * factor
        if bounds is not None:
            np.clip(scaled, *bounds, out=scaled)
        np.copyto(weight, scaled, where=True if frozen is None else ~frozen)

    return multiply


def _normalisation(circuit: Circuit, projection: Projection, arrays) -> Callable[[], None]:
    """Scale what each target cell receives (share * weight without its sign, summed) to the model's w_total; what is frozen of it stays."""
    weight, share, post = arrays.array(projection.name, "weight"), arrays.array(projection.name, "share"), arrays.targets(projection.name)
    size, frozen = len(circuit.populations[projection.target]), _frozen(projection, arrays)
    wanted, multiply = projection.synapse.parameters["w_total"].value, _bounded(projection, arrays)

    def run():
        """Scale the weights."""
        delivered, rest = abs(share * weight), wanted
        if frozen is not None:
            rest = np.maximum(wanted - np.bincount(post, weights=delivered * frozen, minlength=size), 0.0)
            delivered = delivered * ~frozen
        total = np.bincount(post, weights=delivered, minlength=size)
        # A cell without any incoming weight has nothing to scale.
        multiply(np.divide(rest, total, out=np.ones(size), where=total > 0)[post])

    return run


def _scaling(projection: Projection, arrays, learning: float) -> Callable[[], None]:
    """Scale all incoming weights of a cell by one factor: those that excite up below the target rate and down above it, others the reverse.

    Solved over the interval: dw/dt = w (1 - rate/target_rate)/tau_scaling, the first term of eq. 3 of van Rossum et al. 2000; what
    inhibits is scaled the other way (Kilman et al. 2002, doi:10.1523/JNEUROSCI.22-04-01328.2002).
    """
    rate, post, multiply = arrays.array(projection.target, "rate"), arrays.targets(projection.name), _bounded(projection, arrays)
    weight, effect = arrays.array(projection.name, "weight"), 1.0 if projection.receptor.sign == "excitatory" else -1.0
    interval, tau, target = (projection.synapse.parameters[name].value for name in ("interval", "tau_scaling", "target_rate"))

    def run():
        """Scale the weights."""
        growth = learning * interval / tau * (1 - rate / target)
        multiply(np.exp(effect * np.sign(weight) * growth[post]))

    return run
