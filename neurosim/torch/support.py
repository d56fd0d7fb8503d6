"""What the torch backend can express, and the reason where it cannot."""

from neurosim.circuit import Circuit
from neurosim.errors import UnsupportedModelError
from neurosim.expressions import statements
from neurosim.stimuli import Bound

INSTEAD = "simulate it with ns.Brian2()"


def check_circuit(circuit: Circuit) -> None:
    """Raise UnsupportedModelError for a projection that learns, or that acts on its cells in other ways than by adding."""
    for projection in circuit.projections.values():
        what, synapse = f"projection {projection.name!r}", projection.synapse
        parts = [name for name in ("on_post", "on_step", "equations") if getattr(synapse, name).strip()]
        parts += [f"on_pre ({line.target} {line.operator} ...)" for line in statements(synapse.on_pre) if line.operator != "()"]
        if parts or synapse.normalise:
            told = ", ".join(parts or [f"normalise={synapse.normalise!r}"])
            raise UnsupportedModelError(
                f"{what} has synapses of {synapse.name!r}, which change ({told}), but the torch backend knows synapses that only deliver; {INSTEAD}, "
                'or connect with "static"'
            )
        if not projection.receptor.additive:
            raise UnsupportedModelError(
                f"{what} acts on {projection.target!r} by {projection.receptor.effect!r}, which does not add up over spikes of one time step; {INSTEAD}, "
                "or use another receptor"
            )


def check_inputs(circuit: Circuit, inputs: list[Bound]) -> None:
    """Raise UnsupportedModelError for inputs that act by what only Brian2 carries out."""
    for bound in inputs:
        if bound.kind == "jumps":
            raise UnsupportedModelError(f"input {bound.name!r} moves a variable for learning, which the torch backend has not; {INSTEAD}")
        if bound.kind == "poisson" and not circuit.populations[bound.population].model.receptors[bound.receptor].additive:
            raise UnsupportedModelError(
                f"input {bound.name!r} acts on receptor {bound.receptor!r} of {bound.population!r}, which does not add up; {INSTEAD}"
            )
        moved = [name for name, one in circuit.populations.items() if one.model.on_presentation] if bound.onsets is not None else []
        if moved:
            raise UnsupportedModelError(
                f"input {bound.name!r} presents stimuli, at whose onsets cells of {moved[0]!r} carry out statements ([on] presentation), which the torch "
                f"backend does not; {INSTEAD}, or make the cells with .replace(on_presentation=None)"
            )
