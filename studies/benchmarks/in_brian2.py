"""The networks in Brian2 itself, written by hand as in its own examples (CUBA.py, COBAHH.py, STDP tutorial).

One group of cells, one Synapses object for each kind of source, exact integration where the equations are linear and
exponential Euler where not, index and weight arrays instead of strings, one scalar delay where all are equal.
"""

from collections.abc import Callable
from tempfile import TemporaryDirectory
from time import perf_counter

import brian2
import numpy as np
from brian2 import Hz, Network, NeuronGroup, PoissonInput, SpikeMonitor, Synapses, ms, mV, nF, nS, second, siemens, volt
from cases import DEPRESSION, DT, POTENTIATION
from cases import Network as Case

LINEAR = """
dv/dt = (E_L - v + g_exc - g_inh)/(20*ms) : volt (unless refractory)
dg_exc/dt = -g_exc/(5*ms) : volt
dg_inh/dt = -g_inh/(10*ms) : volt
"""
CONDUCTANCES = """
dv/dt = (g_L*(E_L - v) + g_exc*(0*mV - v) + g_inh*(-80*mV - v))/C_m : volt (unless refractory)
dg_exc/dt = -g_exc/(5*ms) : siemens
dg_inh/dt = -g_inh/(10*ms) : siemens
"""
TRAUB_MILES = """
dv/dt = (g_L*(E_L - v) + g_exc*(0*mV - v) + g_inh*(-80*mV - v) + g_Na*m**3*h*(50*mV - v) + g_K*n**4*(-90*mV - v))/C_m : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
dg_exc/dt = -g_exc/(5*ms) : siemens
dg_inh/dt = -g_inh/(10*ms) : siemens
alpha_m = 0.32*4/exprel((13*mV - v + V_T)/(4*mV))/ms : Hz
beta_m = 0.28*5/exprel((v - V_T - 40*mV)/(5*mV))/ms : Hz
alpha_h = 0.128*exp((17*mV - v + V_T)/(18*mV))/ms : Hz
beta_h = 4/(1 + exp((40*mV - v + V_T)/(5*mV)))/ms : Hz
alpha_n = 0.032*5/exprel((15*mV - v + V_T)/(5*mV))/ms : Hz
beta_n = 0.5*exp((10*mV - v + V_T)/(40*mV))/ms : Hz
"""
LEAKY = {"threshold": "v > -50*mV", "reset": "v = -60*mV", "refractory": 5 * ms}
KINDS = {
    "cuba": {"model": LINEAR, "method": "exact", **LEAKY},
    "coba": {"model": CONDUCTANCES, "method": "exponential_euler", **LEAKY},
    "cobahh": {"model": TRAUB_MILES, "method": "exponential_euler", "threshold": "v > -20*mV", "refractory": "v > -20*mV"},
}
CONSTANTS = {"C_m": 0.2 * nF, "g_L": 10 * nS, "g_Na": 20000 * nS, "g_K": 6000 * nS, "V_T": -63 * mV}
TRACES = """
w : volt
dx/dt = -x/(16.8*ms) : 1 (event-driven)
dy/dt = -y/(33.7*ms) : 1 (event-driven)
"""


def declare(case: Case, seed: int) -> dict:
    """Make the objects of a network in the state of a seed, as a dict by name."""
    brian2.defaultclock.dt = DT * second
    cells = NeuronGroup(case.cells, **KINDS[case.kind], namespace={**CONSTANTS, "E_L": case.rest * volt}, name="cells")
    for variable, values in _state(case, cells, seed).items():
        variable.set_item(slice(None), values)
    made = {"cells": cells, "spikes": SpikeMonitor(cells, name="spikes")}
    sources = {"exc": cells[: case.excitatory], "inh": cells[case.excitatory :]}
    for name, columns in case.synapses.items():
        made[name] = _synapses(case, name, sources[name], cells, columns)
    if case.drive:
        rate, weight = case.drive
        made["drive"] = PoissonInput(cells, "g_exc", N=round(rate), rate=1 * Hz, weight=weight * volt)
    return made


def _synapses(case: Case, name: str, source, cells: NeuronGroup, columns: dict) -> Synapses:
    unit = volt if case.kind == "cuba" else siemens
    delay, weight = columns["delay"], columns["weight"]
    one_delay = {"delay": delay[0] * second} if (delay == delay[0]).all() else {}
    if case.plastic and name == "exc":
        names = {"w_max": 2 * case.exc * unit, "A_plus": POTENTIATION, "A_minus": DEPRESSION}
        synapses = Synapses(
            source, cells, TRACES, namespace=names, name=name, **one_delay,
            on_pre="g_exc_post += w; x += 1; w = clip(w - A_minus*w_max*y, 0*volt, w_max)",
            on_post="y += 1; w = clip(w + A_plus*w_max*x, 0*volt, w_max)",
        )  # fmt: skip
    else:
        synapses = Synapses(
            source, cells, on_pre=f"g_{name}_post += weight", namespace={"weight": weight[0] * unit}, name=name, **one_delay
        )
    synapses.connect(i=columns["pre"] - source.start, j=columns["post"])
    if not one_delay:
        synapses.delay = delay * second
    if case.plastic and name == "exc":
        synapses.w = weight * unit
    return synapses


def runtime(case: Case, duration: float, target: str) -> Callable:
    """Compile a network in runtime mode; return what runs it from the state of a seed and gives seconds and what was observed.

    Each run has a network of its own, which has been prepared by a run of no time: the seconds are those of ``Network.run``.
    """
    brian2.prefs.codegen.target = target

    def run(seed: int) -> tuple[float, dict]:
        brian2.seed(seed)
        made = declare(case, seed)
        network = Network(*made.values())
        network.run(0 * second, namespace={})
        start = perf_counter()
        network.run(duration * second, namespace={})
        seconds = perf_counter() - start
        return seconds, _observed(case, made, duration)

    run(0)
    return run


def standalone(case: Case, duration: float) -> Callable:
    """Build a network as a C++ program; return what runs it from the state of a seed and gives seconds and what was observed.

    The seconds are those that the program reports for its run: starting it, reading and writing its files are not part of them.
    """
    folder = TemporaryDirectory()
    brian2.set_device("cpp_standalone", build_on_run=False)
    made = declare(case, 0)
    network = Network(*made.values())
    network.run(duration * second, namespace={})
    brian2.device.build(directory=folder.name, compile=True, run=False, debug=False)

    def run(seed: int) -> tuple[float, dict]:
        brian2.device.run(folder.name, with_output=False, run_args=_state(case, made["cells"], seed))
        return brian2.device._last_run_time, _observed(case, made, duration)

    return run


def _state(case: Case, cells: NeuronGroup, seed: int) -> dict:
    """The first state of a seed, as values by variable of the group."""
    return {getattr(cells, name): values * cells.variables[name].unit for name, values in case.state(seed).items()}


def _observed(case: Case, made: dict, duration: float) -> dict:
    excitatory = np.asarray(made["spikes"].i) < case.excitatory
    spikes = {"exc": excitatory.sum(), "inh": (~excitatory).sum()}
    return case.observed(duration, spikes, np.asarray(made["exc"].w) if case.plastic else None)
