"""The networks and the uncoupled cells in neurosim."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
from cases import DT, GATES, Network, Uncoupled

import neurosim as ns
from neurosim.units import Hz, Quantity, amp, second, siemens, volt

POPULATIONS = ("exc", "inh")


def backend(target: str) -> ns.Brian2:
    """Return the backend of all benchmarks."""
    return ns.Brian2(dt=DT * second, target=target)


def circuit(network: Network) -> ns.Circuit:
    """Make the circuit of a network: populations exc and inh, and the projections between them."""
    model, unit = cell(network.kind, network.rest * volt), volt if network.kind == "cuba" else siemens
    border = network.excitatory
    starts = {"exc": 0, "inh": border}
    sizes = {"exc": border, "inh": network.cells - border}
    signs = {"exc": "excitatory", "inh": "inhibitory"}
    populations = {name: ns.create(name, model, sizes[name], sign=signs[name]) for name in POPULATIONS}
    plastic = ns.load_synapse("stdp_pair").replace(w_max=2 * network.exc * unit) if network.plastic else "static"
    projections = []
    for source, columns in network.synapses.items():
        inhibited = columns["post"] >= border
        for target, here in {"exc": ~inhibited, "inh": inhibited}.items():
            pairs = ns.Pairs(columns["pre"][here] - starts[source], columns["post"][here] - starts[target])
            projections.append(
                ns.connect(
                    populations[source], populations[target], plastic if source == "exc" else "static", pairs,
                    receptor=f"g_{source}", weight=columns["weight"][here] * unit, delay=columns["delay"][here] * second,
                )
            )  # fmt: skip
    return ns.Circuit(populations.values(), projections)


def drives(network: Network) -> list:
    """Return the Poisson inputs of a network."""
    if network.drive is None:
        return []
    rate, weight = network.drive
    return [ns.PoissonInput(name, "g_exc", rate=rate * Hz, weight=weight * volt) for name in POPULATIONS]


def prepare(network: Network, duration: float, target: str) -> Callable:
    """Make and compile a network; return what runs it from the state of a seed and gives seconds and what was observed.

    The seconds are those of `simulate`: filling the engine and reading it back are part of them.
    """
    made, inputs, engine = circuit(network), drives(network), backend(target)
    made, _ = ns.simulate(made, DT * second, inputs=inputs, backend=engine, progress=False)

    def run(seed: int) -> tuple[float, dict]:
        begun = _begun(made, network, seed)
        start = perf_counter()
        after, recording = ns.simulate(begun, duration * second, inputs=inputs, backend=engine, progress=False)
        seconds = perf_counter() - start
        spikes = {name: len(recording[name].spikes) for name in POPULATIONS}
        return seconds, network.observed(duration, spikes, learned(after) if network.plastic else None)

    return run


def alone(case: Uncoupled, target: str) -> Callable:
    """Make and compile cells without synapses; return what runs them from the state of a seed and gives seconds and what was observed.

    The seconds are those of `simulate`.
    """
    inputs, engine = [ns.StepCurrent("cells", "I_e", case.current * amp)], backend(target)
    made = ns.Circuit([ns.create("cells", case.kind, case.cells)])
    ns.simulate(made, DT * second, inputs=inputs, backend=engine, progress=False)
    units = {"v": volt, "w": amp} | dict.fromkeys(GATES, 1)

    def run(seed: int) -> tuple[float, dict]:
        begun = made.set("cells", **{name: values * units[name] for name, values in case.state(seed).items()})
        start = perf_counter()
        _, recording = ns.simulate(begun, case.duration * second, inputs=inputs, backend=engine, progress=False)
        seconds = perf_counter() - start
        spikes = recording["cells"].spikes
        return seconds, case.observed(np.asarray(spikes.id), np.asarray(spikes.t / second))

    return run


def learned(circuit: ns.Circuit) -> np.ndarray:
    """Return the weights of the excitatory synapses in SI units, in the order of the network's description."""
    parts = [circuit[f"exc_to_{name}"] for name in POPULATIONS]
    pre = np.concatenate([part.synapses["pre"] for part in parts])
    post = np.concatenate([part.synapses["post"] + start for part, start in zip(parts, (0, len(circuit["exc"])), strict=True)])
    weight = np.concatenate([np.asarray(part.weight) for part in parts])
    return weight[np.lexsort((post, pre))]


def cell(kind: str, rest: Quantity) -> ns.CellModel:
    """Load the cell model of a kind, with its leak reversal potential."""
    own = {"cuba": Path(__file__).with_name("cuba.toml"), "coba": "leaky_conductance", "cobahh": "traub_miles"}
    return ns.load_cell(own[kind]).replace(E_L=rest)


def _begun(made: ns.Circuit, network: Network, seed: int) -> ns.Circuit:
    """Return the circuit in the first state of a seed, with that seed's noise."""
    state, border = network.state(seed), network.excitatory
    units = {"v": volt, "g_exc": siemens, "g_inh": siemens} | dict.fromkeys(GATES, 1)
    for name, part in {"exc": slice(None, border), "inh": slice(border, None)}.items():
        made = made.set(name, **{key: values[part] * units[key] for key, values in state.items()})
    return made.reseed(seed)
