"""Simplified cells: what one contains of another bit for bit, strong drive, and Euler steps of one variable after the other."""

import tomllib
from fractions import Fraction

import numpy as np
import pytest
from cells_run import with_method
from model_texts import CELL

import neurosim as ns
from neurosim.units import ms, nA, nS, pA, second, volt


def noisy(model, backend, cells=20):
    """Spike times and traces of v of cells with noise currents of 5 ms."""
    circuit = ns.Circuit([ns.create("cell", model, cells)], seed=3)
    noise = ns.NoiseCurrent("cell", "I_e", mean=500 * pA, sd=300 * pA, tau=5 * ms)
    _, recording = ns.simulate(circuit, 200 * ms, inputs=[noise], record=[ns.Trace("cell", "v")], backend=backend, progress=False)
    return np.asarray(recording["cell"].spikes.t), np.asarray(recording["cell"].v)


# --- AdEx without adaptation -----------------------------------------------------------------------------------------


def without_adaptation(**changes):
    """The AdEx cell with neither subthreshold nor spike-triggered adaptation."""
    return ns.load_cell("adex").replace(**{"a": 0 * nS, "b": 0 * pA, **changes})


@pytest.mark.parametrize("backend", [ns.Brian2(target="numpy"), ns.Brian2(target="library", arithmetic="strict")], ids=["numpy", "library"])
def test_adex_without_adaptation_is_the_exponential_leaky_cell_bit_for_bit(backend):
    plain = noisy(ns.load_cell("exponential_leaky"), backend)
    assert len(plain[0]) > 50
    shared = ns.load_cell("exponential_leaky").namespace()
    assert {name: without_adaptation().namespace()[name] for name in shared} == shared
    for ours, theirs in zip(noisy(without_adaptation(), backend), plain, strict=True):
        assert np.array_equal(ours, theirs)


def test_control_a_little_adaptation_changes_the_spikes():
    plain, adapting = (noisy(model, ns.Brian2(target="numpy")) for model in (without_adaptation(), without_adaptation(b=1 * pA)))
    assert not np.array_equal(plain[1], adapting[1])


# --- whatever is injected, the state stays finite --------------------------------------------------------------------


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4"])
@pytest.mark.parametrize("name", ["adex", "exponential_leaky", "izhikevich_2007"])
def test_no_method_overflows_under_a_strong_current(name, method):
    """The exponential of an unbounded potential would be infinite one step after threshold, and adaptation would follow it."""
    model = with_method(ns.load_cell(name), method)
    currents = np.array([0.5, 1, 5, 20]) * nA
    circuit = ns.Circuit([ns.create("cell", model, len(currents))])
    step, backend = ns.StepCurrent("cell", "I_e", currents), ns.Brian2(dt=0.1 * ms, target="numpy")
    circuit, recording = ns.simulate(circuit, 50 * ms, inputs=[step], backend=backend, progress=False)
    assert (recording["cell"].counts[1:] > 1).all()
    adaptation = {"adex": "w", "izhikevich_2007": "u"}.get(name)
    if adaptation:
        spikes = recording["cell"].counts * float(model.namespace()["b" if name == "adex" else "d"])
        assert (abs(np.asarray(getattr(circuit["cell"], adaptation))) < spikes + 2e-9).all()


# --- Euler steps of one variable after the other ---------------------------------------------------------------------

PAIR = (
    CELL.split("equations", 1)[0].replace("exponential_euler", "sequential_euler")
    + '''equations = """
dv/dt = (p - v)/tau : volt
dp/dt = (twice - p)/tau : volt
twice = 2*v : volt
"""
[spike]
rule = "crossing"
threshold = "v > 9*volt"
[initial]
v = "1*volt"
p = "0*volt"
[parameters]
area = { value = "100*um**2", meaning = "membrane area", source = "chosen" }
tau = { value = "1/256*second", meaning = "time constant", source = "chosen: a power of two" }
[receptors]
v = { meaning = "jump" }
'''
)
STEPS, DT = 10, 2.0**-10 * second  # dt/tau is a quarter: so few steps of quarters round nowhere, in whatever order they are added


def stepped_in(target, text=PAIR):
    model = ns.CellModel.from_specification(tomllib.loads(text))
    circuit = ns.Circuit([ns.create("cell", model, 1)])
    record = [ns.Trace("cell", "v"), ns.Trace("cell", "p")]
    backend = ns.Brian2(dt=DT, target=target, arithmetic="strict")
    circuit, _ = ns.simulate(circuit, STEPS * DT, record=record, backend=backend, progress=False)
    return [float(circuit["cell"].v[0] / volt), float(circuit["cell"].p[0] / volt)]


def stepped_here(sequential):
    v, p = Fraction(1), Fraction(0)
    for _ in range(STEPS):
        new = v + (p - v) / 4
        p += (2 * (new if sequential else v) - p) / 4
        v = new
    return [v, p]


@pytest.mark.parametrize("target", ["numpy", "cython", "library"])
def test_sequential_euler_steps_in_the_order_of_the_file(target):
    """v comes first, though Brian2 sorts equations by name, and what is derived from v follows it."""
    assert stepped_in(target) == stepped_here(True) != stepped_here(False)


def test_control_euler_takes_both_from_the_old_state():
    assert stepped_in("numpy", PAIR.replace("sequential_euler", "euler")) == stepped_here(False)


def test_the_order_of_the_file_counts():
    first, second_line = "dv/dt = (p - v)/tau : volt\n", "dp/dt = (twice - p)/tau : volt\n"
    other = stepped_in("numpy", PAIR.replace(first + second_line, second_line + first))
    assert other != stepped_here(True) and other != stepped_here(False)
