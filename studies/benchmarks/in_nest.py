"""The networks and the uncoupled cells in NEST, in its own models: iaf_psc_exp, iaf_cond_exp, hh_cond_exp_traub, stdp_synapse, poisson_generator.

One thread, the same time step. Two conventions of NEST make learning differ a little: it counts the delay of a plastic synapse on the
way of the cell's own spikes back to the synapse, not on the way there, which shifts the window of learning; and it brings a weight up
to date only when the presynaptic cell spikes, so that at the end potentiation by the last of its spikes (of some seven) is still missing.
"""

import os
from collections import Counter
from collections.abc import Callable
from time import perf_counter

import numpy as np
from cases import DEPRESSION, DT, POTENTIATION, Network, Uncoupled

PICOAMP_PER_VOLT = 1e4  # the current that drives a membrane of 100 megaohm by so much
LEAKY = {"C_m": 200.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 5.0, "tau_syn_ex": 5.0, "tau_syn_in": 10.0}
CONDUCTANCES = {"E_ex": 0.0, "E_in": -80.0, "g_L": 10.0}
CELLS = {
    "cuba": ("iaf_psc_exp", {**LEAKY, "tau_m": 20.0, "tau_minus": 33.7}),
    "coba": ("iaf_cond_exp", {**LEAKY, **CONDUCTANCES}),
    "cobahh": ("hh_cond_exp_traub", {**CONDUCTANCES, "g_Na": 20000.0, "g_K": 6000.0, "V_T": -63.0, "t_ref": 2.0}),
}
ALONE = {  # cells by themselves
    "traub_miles": ("hh_cond_exp_traub", {**CELLS["cobahh"][1], "E_L": -65.0}),
    "hodgkin_huxley": (
        "hh_psc_alpha",
        {"C_m": 200.0, "g_L": 60.0, "g_Na": 24000.0, "g_K": 7200.0, "E_L": -54.387, "E_Na": 50.0, "E_K": -77.0},
    ),
    "adex": ("aeif_cond_exp", {"V_peak": 20.0, "V_reset": -70.6}),  # its other parameters are those of the paper
    "leaky": ("iaf_psc_exp", {**LEAKY, "tau_m": 20.0, "E_L": -60.0}),
}
INTERVAL = 10.0  # ms between structural updates
STATE = {
    "v": ("V_m", 1e3),
    "w": ("w", 1e12),
    "g_exc": ("g_ex", 1e9),
    "g_inh": ("g_in", 1e9),
    "m": ("Act_m", 1.0),
    "h": ("Inact_h", 1.0),
    "n": ("Act_n", 1.0),
}


def prepare(network: Network, duration: float) -> Callable:
    """Return what builds a network, runs it from the state of a seed and gives the seconds of the run and what was observed.

    The network is built anew for each run and has made one time step before it is timed. Raises ImportError without NEST.
    """
    nest = imported()

    def run(seed: int) -> tuple[float, dict]:
        recorders = build(nest, network, seed)
        nest.Prepare()
        nest.Run(DT * 1e3)
        start = perf_counter()
        nest.Run(duration * 1e3)
        seconds = perf_counter() - start
        nest.Cleanup()
        spikes = {name: recorder.n_events for name, recorder in recorders.items()}
        return seconds, network.observed(duration, spikes, _learned(nest) if network.plastic else None)

    return run


def alone(case: Uncoupled) -> Callable:
    """Return what makes cells without synapses, runs them from the state of a seed and gives the seconds of the run and what was observed.

    They are made anew for each run. Raises ImportError without NEST.
    """
    nest = imported()

    def run(seed: int) -> tuple[float, dict]:
        nest.ResetKernel()
        nest.set(resolution=DT * 1e3, local_num_threads=1, rng_seed=seed + 1, print_time=False)
        model, parameters = ALONE[case.kind]
        cells, recorder = nest.Create(model, case.cells, params=parameters), nest.Create("spike_recorder")
        cells.set({"I_e": case.current * 1e12})
        for name, values in case.state(seed).items():
            key, factor = STATE[name]
            cells.set({key: values * factor})
        nest.Connect(cells, recorder)
        nest.Prepare()
        start = perf_counter()
        nest.Run(case.duration * 1e3)
        seconds = perf_counter() - start
        nest.Cleanup()
        spikes = recorder.get("events")
        return seconds, case.observed(spikes["senders"] - 1, spikes["times"] * 1e-3 - DT)  # a spike bears the time of the end of its step

    return run


def imported():
    """Import NEST, which is optional (extra `peers`), without its greeting; raise ImportError where it is not installed."""
    os.environ["PYNEST_QUIET"] = "1"
    import nest

    nest.verbosity = nest.VerbosityLevel.ERROR
    return nest


def build(nest, network: Network, seed: int) -> dict:
    """Build a network in the state of a seed; return its spike recorders by population."""
    nest.ResetKernel()
    nest.set(resolution=DT * 1e3, local_num_threads=1, rng_seed=seed + 1, print_time=False)
    model, parameters = CELLS[network.kind]
    cells = nest.Create(model, network.cells, params={**parameters, "E_L": network.rest * 1e3})
    for name, values in network.state(seed).items():
        key, factor = STATE[name]
        cells.set({key: values * factor})
    scale = PICOAMP_PER_VOLT if network.kind == "cuba" else 1e9
    for name, columns in network.synapses.items():
        synapse = "static_synapse"
        if network.plastic and name == "exc":
            synapse, largest = "learning", 2 * network.exc * scale
            rule = {"mu_plus": 0.0, "mu_minus": 0.0, "tau_plus": 16.8, "alpha": DEPRESSION / POTENTIATION, "lambda": POTENTIATION}
            nest.CopyModel("stdp_synapse", synapse, {**rule, "Wmax": largest})
        sign = 1 if name == "exc" else -1
        values = {"synapse_model": synapse, "weight": sign * columns["weight"] * scale, "delay": np.round(columns["delay"] * 1e3, 1)}
        nest.Connect(columns["pre"] + 1, columns["post"] + 1, "one_to_one", syn_spec=values)
    if network.drive:
        rate, weight = network.drive
        noise = nest.Create("poisson_generator", params={"rate": rate})
        nest.Connect(noise, cells, syn_spec={"weight": weight * scale, "delay": DT * 1e3})
    recorders = {}
    for name, part in {"exc": cells[: network.excitatory], "inh": cells[network.excitatory :]}.items():
        recorders[name] = nest.Create("spike_recorder")
        nest.Connect(part, recorders[name])
    return recorders


def _learned(nest) -> np.ndarray:
    """Return the weights of the learning synapses in volts, in the order of the network's description."""
    found = nest.GetConnections(synapse_model="learning").get(["source", "target", "weight"])
    order = np.lexsort((found["target"], found["source"]))
    return np.asarray(found["weight"])[order] / PICOAMP_PER_VOLT


def structural_update(network: Network, share: float) -> Callable:
    """Let NEST make a network of as many cells and learning synapses; return what measures an update that replaces a share of them.

    Half of the cells lose axonal elements and the others gain as many, in turn; nothing else drives the cells. The seconds are
    those of the millisecond that holds the update. Raises ImportError without NEST.
    """
    nest = imported()
    nest.ResetKernel()
    nest.set(resolution=DT * 1e3, local_num_threads=1, rng_seed=1, structural_plasticity_update_interval=INTERVAL)
    nest.CopyModel("stdp_synapse", "learning", {"weight": network.exc * PICOAMP_PER_VOLT, "delay": 1.0})
    ends = {"pre_synaptic_element": "axon", "post_synaptic_element": "dendrite"}
    nest.structural_plasticity_synapses = {"learning": {"synapse_model": "learning", **ends}}
    degree = round(network.probability * network.excitatory)
    element = {"growth_curve": "linear", "growth_rate": 0.0, "eps": 1.0, "continuous": False, "tau_vacant": 1e-9, "z": float(degree)}
    cells = nest.Create("iaf_psc_exp", network.cells, params={"synaptic_elements": dict.fromkeys(ends.values(), element)})
    nest.EnableStructuralPlasticity()
    nest.Simulate(INTERVAL + 1.0)

    def synapses() -> Counter:
        found = nest.GetConnections(synapse_model="learning").get(["source", "target"])
        return Counter(zip(found["source"], found["target"], strict=True))

    def run(seed: int) -> tuple[float, dict]:
        before = synapses()
        rising = (np.arange(network.cells) % 2 == seed % 2) * 2 - 1
        wanted = [of["axon"]["z_connected"] for of in cells.synaptic_elements] + rising * round(2 * share * degree)
        cells.set([{"synaptic_elements_param": {"axon": {"z": float(z)}}} for z in wanted])
        nest.Prepare()
        seconds = []
        for _ in range(round(INTERVAL)):
            start = perf_counter()
            nest.Run(1.0)
            seconds.append(perf_counter() - start)
        nest.Cleanup()
        after = synapses()
        return max(seconds), {"synapses": float(after.total()), "replaced": float((before - after).total())}

    return run
