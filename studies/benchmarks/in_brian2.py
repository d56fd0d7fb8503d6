"""The networks and the uncoupled cells in Brian2 itself, written by hand as in its own examples (CUBA.py, COBAHH.py, STDP tutorial).

One group of cells, one Synapses object for each kind of source, exact integration where the equations are linear and
exponential Euler where not, index and weight arrays instead of strings, one scalar delay where all are equal.
"""

from collections.abc import Callable
from tempfile import TemporaryDirectory
from time import perf_counter

import brian2
import numpy as np
from brian2 import Hz, Network, NeuronGroup, PoissonInput, SpikeMonitor, Synapses, amp, ms, mV, nF, nS, pA, pF, second, siemens, volt
from cases import DEPRESSION, DT, POTENTIATION, Uncoupled
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
SQUID = """
dv/dt = (g_L*(E_L - v) + g_exc*(0*mV - v) + g_inh*(-80*mV - v) + g_Na*m**3*h*(50*mV - v) + g_K*n**4*(-77*mV - v))/C_m : volt
dm/dt = alpha_m*(1 - m) - beta_m*m : 1
dh/dt = alpha_h*(1 - h) - beta_h*h : 1
dn/dt = alpha_n*(1 - n) - beta_n*n : 1
dg_exc/dt = -g_exc/(5*ms) : siemens
dg_inh/dt = -g_inh/(10*ms) : siemens
alpha_m = 1/exprel(-(v + 40*mV)/(10*mV))/ms : Hz
beta_m = 4*exp(-(v + 65*mV)/(18*mV))/ms : Hz
alpha_h = 0.07*exp(-(v + 65*mV)/(20*mV))/ms : Hz
beta_h = 1/(1 + exp(-(v + 35*mV)/(10*mV)))/ms : Hz
alpha_n = 0.1/exprel(-(v + 55*mV)/(10*mV))/ms : Hz
beta_n = 0.125*exp(-(v + 65*mV)/(80*mV))/ms : Hz
"""
ADAPTIVE = """
dv/dt = (g_L*(E_L - v) + g_L*Delta_T*exp((bounded - V_T)/Delta_T) - w + g_exc*(0*mV - v) + g_inh*(-80*mV - v))/C_m : volt
dw/dt = (a*(bounded - E_L) - w)/(144*ms) : amp
dg_exc/dt = -g_exc/(5*ms) : siemens
dg_inh/dt = -g_inh/(10*ms) : siemens
bounded = clip(v, -inf*volt, 20*mV) : volt
"""
PASSIVE = """
dv/dt = (g_L*(E_L - v))/C_m : volt (unless refractory)
"""
LEAKY = {"threshold": "v > -50*mV", "reset": "v = -60*mV", "refractory": 5 * ms}
KINDS = {
    "cuba": {"model": LINEAR, "method": "exact", **LEAKY},
    "coba": {"model": CONDUCTANCES, "method": "exponential_euler", **LEAKY},
    "cobahh": {"model": TRAUB_MILES, "method": "exponential_euler", "threshold": "v > -20*mV", "refractory": "v > -20*mV"},
}
CONSTANTS = {"C_m": 0.2 * nF, "g_L": 10 * nS, "g_Na": 20000 * nS, "g_K": 6000 * nS, "V_T": -63 * mV}
ALONE = {  # kind and constants of cells by themselves, each of which has a current of its own
    "traub_miles": (KINDS["cobahh"], CONSTANTS | {"E_L": -65 * mV}),
    "hodgkin_huxley": (
        {"model": SQUID, "method": "exponential_euler", "threshold": "v > 0*mV", "refractory": "v > 0*mV"},
        {"C_m": 0.2 * nF, "g_L": 60 * nS, "g_Na": 24000 * nS, "g_K": 7200 * nS, "E_L": -54.387 * mV},
    ),
    "adex": (
        {"model": ADAPTIVE, "method": "rk2", "threshold": "v > 20*mV", "reset": "v = E_L; w += b"},
        {"C_m": 281 * pF, "g_L": 30 * nS, "E_L": -70.6 * mV, "V_T": -50.4 * mV, "Delta_T": 2 * mV, "a": 4 * nS, "b": 80.5 * pA},
    ),
    "leaky": ({"model": PASSIVE, "method": "exact", **LEAKY}, {"C_m": 0.2 * nF, "g_L": 10 * nS, "E_L": -60 * mV}),
}
TRACES = """
w : volt
dx/dt = -x/(16.8*ms) : 1 (event-driven)
dy/dt = -y/(33.7*ms) : 1 (event-driven)
"""


def declare(case: Case | Uncoupled, seed: int) -> dict:
    """Make the objects of a network or of uncoupled cells in the state of a seed, as a dict by name."""
    brian2.defaultclock.dt = DT * second
    if isinstance(case, Uncoupled):
        return _alone(case, seed)
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


def _alone(case: Uncoupled, seed: int) -> dict:
    kind, constants = ALONE[case.kind]
    model = kind["model"].replace(")/C_m", " + I)/C_m") + "I : amp (constant)\n"
    cells = NeuronGroup(case.cells, **{**kind, "model": model}, namespace=constants, name="cells")
    cells.I = case.current * amp
    for variable, values in _state(case, cells, seed).items():
        variable.set_item(slice(None), values)
    return {"cells": cells, "spikes": SpikeMonitor(cells, name="spikes")}


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


def runtime(case: Case | Uncoupled, duration: float, target: str) -> Callable:
    """Compile a network or cells alone in runtime mode; return what runs them from a seed's state and gives seconds and what was observed.

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


def standalone(case: Case | Uncoupled, duration: float) -> Callable:
    """Build a network or cells alone as a C++ program; return what runs them from a seed's state and gives seconds and what was observed.

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


def _state(case: Case | Uncoupled, cells: NeuronGroup, seed: int) -> dict:
    """The first state of a seed, as values by variable of the group."""
    return {getattr(cells, name): values * cells.variables[name].unit for name, values in case.state(seed).items()}


def _observed(case: Case | Uncoupled, made: dict, duration: float) -> dict:
    if isinstance(case, Uncoupled):
        return case.observed(np.asarray(made["spikes"].i), np.asarray(made["spikes"].t))
    excitatory = np.asarray(made["spikes"].i) < case.excitatory
    spikes = {"exc": excitatory.sum(), "inh": (~excitatory).sum()}
    return case.observed(duration, spikes, np.asarray(made["exc"].w) if case.plastic else None)
