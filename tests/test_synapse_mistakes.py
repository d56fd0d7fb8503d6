"""Slips in files of synapses that learn, each said in one sentence before anything runs, and weights that could leave what they may be."""

import numpy as np
import pytest
from plastic_pairs import W_MAX, change, pairs_of_cells, play

import neurosim as ns
from neurosim.units import Hz, ms, mV, nA, nS

VALID = '''
name = "mine"
summary = "A synapse with all that a file can hold."
references = ["Made for this test."]
equations = """
dx/dt = -x/tau : 1 (clock-driven)
dy/dt = -y/tau : 1 (event-driven)
"""
on_pre = """
deliver(weight)
x += 1
weight = clip(weight - A*w_max*y, w_min, w_max)
"""
on_post = "y += 1"
on_step = "weight = clip(weight + A*w_max*x*rate_post*dt, w_min, w_max)"
bounds = ["w_min", "w_max"]
[initial]
x = "0"
y = "0"
[post]
equations = "drate/dt = -rate/tau_rate : Hz"
on_spike = "rate += 1/tau_rate"
[post.initial]
rate = "0*Hz"
[parameters]
tau      = { value = "20*ms", meaning = "time constant of both traces", source = "chosen" }
tau_rate = { value = "100*ms", meaning = "time constant of the rate", source = "chosen" }
A        = { value = 0.01, meaning = "amplitude", source = "chosen" }
w_min    = { dimension = "weight", value = 0, meaning = "lower bound" }
w_max    = { dimension = "weight", meaning = "upper bound" }
'''

# what is exchanged for what, and what is said after the path of the file; Brian2's own words stand where the message has {}
SLIPS = {
    "a negative time constant": ('"20*ms"', '"-20*ms"', ": parameter 'tau' is -20. ms; a time is not negative."),
    "a time constant of 0": ('"20*ms"', '"0*ms"', ": parameter 'tau' is 0. s and equations divide by it; give a time above 0."),
    "a time constant of 0 in cells": (
        '"100*ms"',
        '"0*ms"',
        ": parameter 'tau_rate' is 0. s and equations divide by it; give a time above 0.",
    ),
    "an equation between spikes that reads a cell": (
        "-y/tau : 1 (event-driven)",
        "(v_post/mV - y)/tau : 1 (event-driven)",
        ": equation of 'y' reads v_post, which changes between spikes; make it (clock-driven).",
    ),
    "an unknown variable of cells": (
        "rate_post*dt",
        "rat_post*dt",
        ": 'rat_post' is not defined; of cells are read v_pre, v_post, rate_post, others are declared in [post].",
    ),
    "a given variable that is none": (
        'on_spike = "rate',
        'given = ["reward"]\non_spike = "rate',
        ": [post]: given names 'reward', which is no variable of its equations (rate).",
    ),
    "an equation that is not linear": (
        "-x/tau : 1 (clock-driven)",
        "-x**2/tau : 1 (clock-driven)",
        ": equations are (clock-driven), which needs each dx/dt to be linear in x{}; write what is not as statements of on_step.",
    ),
    "a table [post] without initial values": (
        '[post.initial]\nrate = "0*Hz"\n',
        "",
        ": [post] lacks the key 'initial'; add it.",
    ),
    "initial values of something else": (
        '[post.initial]\nrate = "0*Hz"',
        '[post.initial]\nrat = "0*Hz"',
        ": [post]: initial has rat; give a value to each of rate.",
    ),
    "an unknown key of [post]": ('on_spike = "rate', 'on_spik = "rate', ": [post] has an unknown key 'on_spik'. Did you mean 'on_spike'?"),
    "a unit of [post]": (
        "-rate/tau_rate : Hz",
        "-rate : Hz",
        ": [post] equation of 'rate': '-rate' has the unit Hz, but it must have Hz/second.",
    ),
    "a spike that changes the synapse": (
        '"rate += 1/tau_rate"',
        '"x += 1"',
        ": [post] on_spike: 'x' cannot be assigned. Choose one of: rate.",
    ),
    "a name like one of a cell": (
        "dy/dt = -y/tau : 1 (event-driven)",
        "dy_post/dt = -y_post/tau : 1 (event-driven)",
        ": equation of 'y_post': names that end so are those by which synapses read their cells; choose another.",
    ),
    "the time step at spikes": ("- A*w_max*y", "- A*w_max*y*dt/tau", ": on_pre: 'dt' in {} is not defined.{}"),
    "a delivery in every step": (
        'on_step = "weight',
        'on_step = "deliver(weight); weight',
        ": on_step: deliver(weight) belongs in on_pre, where a spike arrives.",
    ),
    "a potential of its own": (
        '"drate/dt = -rate/tau_rate : Hz"',
        '"drate/dt = -rate/tau_rate : Hz\\nv : volt"',
        ": [post] has an equation of 'v', the potential that each cell has of its own; give what is kept another name.",
    ),
}


@pytest.fixture
def load(tmp_path):
    def read(old="", new=""):
        assert VALID.count(old) == 1 or not old
        path = tmp_path / "mine.toml"
        path.write_text(VALID.replace(old, new))
        return ns.load_synapse(path), str(path)

    return read


def test_the_valid_file_runs(load):
    rule = load()[0].replace(w_max=W_MAX)
    circuit = pairs_of_cells(2, rule)
    after, _ = play(circuit, [(0, 20.0), (1, 40.0), (1, 50.0)], [(0, 30.0), (1, 45.0)], 80 * ms, dt=1 * ms)
    assert (abs(change(circuit, after)) > 1e-4).all()


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_a_file_of_a_synapse(load, tmp_path, slip):
    old, new, message = SLIPS[slip]
    with pytest.raises(ValueError) as caught:
        load(old, new)
    said, expected = str(caught.value), f"{tmp_path / 'mine.toml'}{message}"
    pieces = expected.split("{}")
    assert said.startswith(pieces[0]) and said.endswith(pieces[-1]) and "\n" not in said
    assert len(pieces) > 1 or said == expected


def test_cells_keep_no_weights(load):
    rule, _ = load("-rate/tau_rate : Hz", "(w_max/w_max*Hz - rate)/tau_rate : Hz")
    with pytest.raises(ValueError) as caught:
        ns.load_cell("leaky").keeping(rule)
    assert str(caught.value) == "synapse model 'mine' keeps w_max in its cells, which know no weights; give it a unit of its own."


CONNECTIONS = {
    "a bound below the first weight": (
        {"weight": 2 * mV},
        "weight of projection 'pre_to_post' runs from 2. mV to 2. mV, outside the bounds 0. V to 1. mV of synapse model 'mine'; change the "
        "weight or w_max",
    ),
    "no bounds, of cells with a sign": (
        {"slip": ('bounds = ["w_min", "w_max"]\n', "")},
        "projection 'pre_to_post' could turn the sign of the excitatory population 'pre': weights of synapse model 'mine' change and have no "
        "bounds; give bounds on one side of 0, or leave sign undeclared",
    ),
    "bounds on both sides, of cells with a sign": (
        {"bound": -0.5 * mV},
        "projection 'pre_to_post' could turn the sign of the excitatory population 'pre': weights of synapse model 'mine' change and have "
        "bounds that reach -0.5 mV; give bounds on one side of 0, or leave sign undeclared",
    ),
}


@pytest.mark.parametrize("case", CONNECTIONS)
def test_weights_that_could_leave_what_they_may_be(load, case):
    given, message = CONNECTIONS[case]
    rule = load(*given.get("slip", ()))[0].replace(w_max=W_MAX, w_min=given.get("bound", 0 * mV))
    pre = ns.create("pre", "spike_source", 1, sign="excitatory")
    post = ns.create("post", ns.load_cell("leaky_adaptive_threshold").keeping(rule), 1)
    with pytest.raises(ValueError) as caught:
        ns.connect(pre, post, rule, ns.AllToAll(), receptor="v", weight=given.get("weight", 0.5 * mV))
    assert str(caught.value) == message


# --- values that come in by other doors ------------------------------------------------------------------------------


def fed(size=3, rule=None, sign=None):
    """Sources onto cells by one projection, f_to_e."""
    rule = rule or ns.load_synapse("stdp_pair").replace(w_max=2 * nS)
    cells = ns.create("e", ns.load_cell("leaky_conductance").keeping(rule), size)
    sources = ns.create("f", "spike_source", size, sign=sign)
    return ns.Circuit([sources, cells], [ns.connect(sources, cells, rule, ns.AllToAll(), receptor="g_exc", weight=1 * nS)])


OTHER_DOORS = {
    "a negative spread time": (lambda: ns.create("x", "leaky_conductance", 2, spread={"tau_exc": [5, -5] * ms}), "tau_exc of population 'x' is -5. ms"),
    "a spread of 0": (lambda: ns.create("x", "leaky_conductance", 2, spread={"tau_exc": [5, 0] * ms}), "equations divide by it; give a time above 0"),
    "a capacitance of 0": (lambda: ns.load_cell("leaky_conductance").replace(C_m=0 * nS * ms), "parameter 'C_m' is 0 and equations divide by it"),
    "a divisor of statements": (lambda: ns.load_synapse("use_dependent").replace(use_0=0 * Hz), "parameter 'use_0' is 0 and equations divide"),
    "a weight above its bound": (lambda: fed().set("f_to_e", weight=9 * nS), "outside the bounds 0. S to 2. nS"),
    "a weight of the wrong sign": (lambda: fed(sign="excitatory", rule=ns.load_synapse("static")).set("f_to_e", weight=-1 * nS), "act against its sign"),
    "a mask for ids": (lambda: fed().freeze("e", np.array([False, True, False])), "is asked for ids of the type bool; ids are whole numbers"),
    "a psp for a bound": (lambda: ns.load_synapse("stdp_pair").replace(w_max=ns.psp(1 * mV)), "is given as a psp, but it belongs to no receptor"),
    "a source that keeps": (lambda: ns.load_cell("spike_source").keeping("bcm"), "'spike_source' is a source of spikes and keeps nothing"),
}  # fmt: skip


@pytest.mark.parametrize("door", OTHER_DOORS)
def test_values_are_checked_whatever_way_they_come(door):
    make, message = OTHER_DOORS[door]
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_a_parameter_that_synapses_read_is_one_for_all_their_cells():
    rule = ns.load_synapse("stdp_voltage").replace(w_max=2 * nS)
    cells = ns.create("e", ns.load_cell("leaky_conductance").keeping(rule), 2, spread={"V_cap": [50, 60] * mV})
    with pytest.raises(
        ValueError, match="V_cap of synapse model 'stdp_voltage' is one value, but each target cell .* leave it out of spread"
    ):
        ns.connect(cells, cells, rule, ns.AllToAll(), receptor="g_exc", weight=1 * nS)


def test_a_circuit_made_anew_keeps_its_memory():
    lived, _ = ns.simulate(fed(), 10 * ms, backend=ns.Brian2(target="numpy"), progress=False)
    marked = lived.freeze("e", [0])
    anew = ns.Circuit([marked["f"], marked["e"]], [lived["f_to_e"]])  # whose projection knows nothing of marks
    assert (anew["f_to_e"].synapses["frozen"] > 0).tolist() == (anew["f_to_e"].synapses["post"] == 0).tolist()


@pytest.mark.parametrize("name", ["adex", "exponential_leaky"])
def test_what_an_exponential_runs_to_within_a_step_is_not_filtered(name):
    """Their potential has no upper end: without a cap, one spike would leave filtered potentials of many volts."""
    rule = ns.load_synapse("stdp_voltage").replace(w_max=2 * nS)
    cells = ns.create("e", ns.load_cell(name).keeping(rule), 1)
    loop = ns.connect(cells, cells, rule, ns.AllToAll(autapses=True), receptor="g_exc", weight=1 * nS)
    drive = ns.StepCurrent("e", "I_e", 2 * nA)
    trace = [ns.Trace("e", "u_minus"), ns.Trace("e", "u_plus")]
    _, recording = ns.simulate(
        ns.Circuit([cells], [loop]), 50 * ms, inputs=[drive], record=trace, backend=ns.Brian2(target="numpy"), progress=False
    )
    assert recording["e"].counts[0] > 2
    assert max(recording["e"].trace(key).values.max() for key in ("u_minus", "u_plus")) < 60 * mV
