"""Hand a circuit to Brian2 as a plain network, for whoever wants to look inside."""

from collections.abc import Mapping, Sequence

from brian2 import Network

from neurosim.backends.brian2 import Brian2
from neurosim.backends.runtime import BoundaryNetwork
from neurosim.circuit import Circuit
from neurosim.simulate import checked
from neurosim.units import Quantity, second


def to_brian2(
    circuit: Circuit,
    *,
    duration: Quantity = 0 * second,
    inputs: Sequence = (),
    modulate: Mapping[str, float] | None = None,
    backend: Brian2 | None = None,
) -> Network:
    """Return a Brian2 network that stands where the circuit stands, spikes in flight included.

    Its groups and synapses are called like populations and projections (``network["exc"].v``); a synapse's own variables
    have the prefix ``synaptic_``. Run it with ``network.run(duration, namespace={})``; `duration` says how far given
    spikes, rewards and normalisations at intervals are handed over. The time step is the backend's, the target that of Brian2's preferences. Raises as `simulate`.
    """
    circuit, steps, _, shared = checked(circuit, duration, inputs, (), modulate, backend or Brian2())
    bound = [one.bind(circuit, circuit.dt_si, circuit.step, circuit.step + steps) for one in inputs]
    return BoundaryNetwork(circuit, bound, shared, stop=circuit.step + steps)
