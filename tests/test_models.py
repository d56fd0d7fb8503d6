"""Model files: what the catalogue holds, what its numbers give without a simulator, and every mistake that a file can make."""

import dataclasses
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim import model_files
from neurosim.expressions import evaluate, execute, statements
from neurosim.model_parts import Names
from neurosim.models import PROTOCOLS, CellModel, SynapseModel, cells, load_cell, load_synapse, synapses
from neurosim.units import (
    DIMENSIONLESS, Hz, amp, farad, get_dimensions, metre, ms, mV, nS, pA, pF, second, siemens, um, volt,
)

STDP = load_synapse("stdp_pair").replace(w_max=2 * nS)
LEAKY = load_cell("leaky_conductance")
MEMBRANES = [name for name in cells() if not load_cell(name).source]

CELL = '''
name = "mine"
summary = "A cell for tests."
references = ["Nobody (2000)."]
method = "exponential_euler"
equations = """
dv/dt = (drive - v + w*R)/tau_m + I_e/C_m : volt (unless refractory)
dw/dt = -w/tau_w : amp
drive = E_L*gain : volt
"""
[spike]
rule = "refractory"
threshold = "v > V_th"
reset = "v = E_L; w += b"
refractory = "tau_ref"
[initial]
v = "E_L"
w = "0*amp"
[parameters]
area = { value = "100*um**2", meaning = "membrane area", source = "chosen" }
tau_m = { value = "10*ms", meaning = "membrane time constant", source = "chosen" }
tau_w = { value = "100*ms", meaning = "adaptation time constant", source = "chosen" }
tau_ref = { value = "2*ms", meaning = "refractory time", source = "chosen" }
E_L = { value = "-70*mV", meaning = "rest", source = "chosen" }
V_th = { value = "-50*mV", meaning = "threshold", source = "chosen" }
b = { value = "-10*pA", meaning = "adaptation", source = "chosen" }
R = { value = "100*Mohm", meaning = "resistance", source = "chosen" }
C_m = { value = "100*pF", meaning = "capacitance", source = "chosen" }
k = { value = 2, meaning = "strength of the current jumps", source = "chosen" }
[shared]
gain = { value = 1.0, meaning = "a factor" }
[receptors]
v = { unitary = "1*mV", sign = "excitatory", meaning = "jump" }
w = { effect = "w_post += k*amount", meaning = "current jump" }
I_e = { kind = "current", meaning = "injected" }
[on]
presentation = "v = E_L + 0*mV/N"
[[expected]]
protocol = "psp"
receptor = "v"
observe = "5*ms"
measure = "psp_peak"
value = "1*mV"
tolerance = "1%"
source = "by construction"
'''

SYNAPSE = '''
name = "mine"
summary = "A synapse for tests."
references = []
equations = """
dx/dt = -x/tau : 1 (event-driven)
"""
on_pre = """
deliver(weight*x)
x += 1
"""
on_post = "weight = clip(weight + rate*w_max*x, w_min, w_max)"
bounds = ["w_min", "w_max"]
[initial]
x = "0"
[parameters]
tau = { value = "20*ms", meaning = "trace", source = "chosen" }
w_min = { dimension = "weight", value = 0, meaning = "low" }
w_max = { dimension = "weight", meaning = "high" }
w_total = { dimension = "weight", meaning = "sum" }
[shared]
rate = { value = 0.1, meaning = "learning rate" }
'''


@pytest.fixture
def load(tmp_path):
    """Load a model from text, with some pieces of it exchanged; each piece must be there."""

    def loader(text, *changes):
        read = load_cell if "[spike]" in text else load_synapse
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return read(path)

    return loader


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_catalogue_is_complete():
    assert {"leaky_adaptive_threshold", "leaky_conductance", "hodgkin_huxley", "traub_miles", "spike_source"} <= set(cells())
    assert {"static", "stdp_pair"} <= set(synapses())
    for name in cells():
        assert load_cell(name).name == name and load_cell(name).kind == "cell"
    for name in synapses():
        assert load_synapse(name).name == name


@pytest.mark.parametrize("model", [*map(load_cell, cells()), *map(load_synapse, synapses())], ids=lambda model: model.name)
def test_specification_is_complete(model):
    text = json.dumps(model.specification(), sort_keys=True)
    again = type(model).from_specification(json.loads(text))
    assert again == model and again.hash == model.hash and hash(again) == hash(model)
    assert list(again.initial) == list(model.initial)
    assert again.initial_values() == model.initial_values() and dict(again.parameters) == dict(model.parameters)
    assert pickle.loads(pickle.dumps(model)) == model
    other = model.replace(name="other")
    assert other != model and other.hash != model.hash and model != model.name


@pytest.mark.parametrize("name", MEMBRANES)
def test_cells_of_the_catalogue_hold_together(name):
    model = load_cell(name)
    assert model.variables["v"] is volt.dim and model.parameters["area"].dimensions is (metre**2).dim
    assert model.currents == {"I_e": amp.dim}
    assert list(model.initial_values()) == list(model.variables) and all(map(math.isfinite, model.initial_values().values()))
    assert any(row.protocol == "psp" for row in model.expected) and any(row.protocol == "rest" for row in model.expected)
    assert model.references and all("doi:10." in reference for reference in model.references)


def test_sources_have_no_membrane():
    source = load_cell("spike_source")
    assert source.source and not source.variables and not source.receptors and source.spike is None and source.initial_values() == {}


def test_files_in_a_wheel_come_first(tmp_path, monkeypatch):
    (tmp_path / "neurosim/catalogue/cells").mkdir(parents=True)
    (tmp_path / "neurosim/catalogue/cells/mine.toml").write_text(CELL)
    monkeypatch.setattr(model_files, "__file__", str(tmp_path / "neurosim/model_files.py"))
    assert cells() == ("mine",) and load_cell("mine").name == "mine"
    (tmp_path / "neurosim/catalogue").rename(tmp_path / "models")
    assert cells() == ("mine",)
    (tmp_path / "models/cells/mine.toml").rename(tmp_path / "models/cells/yours.toml")
    with pytest.raises(ValueError, match="yours.toml: name is 'mine', but a catalogue file is named as its model; make it \"yours\""):
        load_cell("yours")


# --- numbers without a simulator ---------------------------------------------------------------------------------------


def derivative(model):
    """The right-hand sides of a cell on plain SI numbers, in the order of its state; no input."""
    known = {**model.si_namespace(), **dict.fromkeys(model.currents, 0.0)}
    texts = {name: line.expression for name, line in model.lines.items() if line.kind == "subexpression"}

    def slope(state):
        names = Names({**known, **dict(zip(model.variables, state))}, texts)
        names = Names({**names.known, **{name: names[name] for name in texts}}, {})
        lines = [model.lines[name] for name in model.variables]
        return np.array([evaluate(line.expression, names) if line.kind == "differential" else 0.0 for line in lines], float)

    return slope


def runge_kutta(model, state, duration=0.025, dt=5e-5):
    slope, trace = derivative(model), [state]
    for _ in range(round(duration / dt)):
        a = slope(state)
        b = slope(state + dt / 2 * a)
        c = slope(state + dt / 2 * b)
        d = slope(state + dt * c)
        state = state + dt / 6 * (a + 2 * b + 2 * c + d)
        trace.append(state)
    return np.array(trace)


@pytest.mark.parametrize("name", MEMBRANES)
def test_cells_are_born_at_rest(name):
    model = load_cell(name)
    rest = np.array(list(model.initial_values().values()))
    assert abs(derivative(model)(rest)[0]) < 1e-3  # V/s: less than 1 uV in 1 ms
    rest[0] += 1e-3
    assert abs(derivative(model)(rest)[0]) > 1e-3


@pytest.mark.parametrize(
    ("name", "receptor"), [(name, r) for name in MEMBRANES for r, entry in load_cell(name).receptors.items() if entry.unitary is not None]
)
def test_unitary_strength_is_one_millivolt(name, receptor):
    model = load_cell(name)
    entry = model.receptors[receptor]
    state = np.array(list(model.initial_values().values()))
    rest = state[0]
    state[list(model.variables).index(entry.variable)] += entry.unitary
    v = runge_kutta(model, state)[:, 0] - rest
    peak = v[np.abs(v).argmax()]
    assert abs(peak) == pytest.approx(1e-3, rel=2e-3)
    assert (peak > 0) == (entry.sign == "excitatory")


@pytest.mark.parametrize(
    ("name", "row"), [(name, row) for name in MEMBRANES for row in load_cell(name).expected if row.protocol == "rate_functions"],
    ids=lambda value: getattr(value, "measure", value),
)
def test_rate_functions(name, row):
    model = load_cell(name)
    assert abs(model.evaluate(row.measure, v=row.settings["v"]) - row.value) <= row.tolerance
    assert abs(model.evaluate(row.measure, v=row.settings["v"] + 0.1 * mV) - row.value) > row.tolerance


def test_rate_functions_have_no_holes():
    holes = {"hodgkin_huxley": {"alpha_m": -40, "alpha_n": -55}, "traub_miles": {"alpha_m": -50, "beta_m": -23, "alpha_n": -48}}
    for model, measure, v in [(load_cell(name), *hole) for name, found in holes.items() for hole in found.items()]:
        values = [float(model.evaluate(measure, v=(v + d) * mV)) for d in (-1e-3, 0, 1e-3)]
        assert values[1] == pytest.approx((values[0] + values[2]) / 2, rel=1e-6)


def test_derivatives_and_expressions_of_the_state():
    leaky = LEAKY
    state = {"v": -50 * mV, "g_exc": 2 * nS, "g_inh": 0 * nS, "I_e": 10 * pA}
    assert float(leaky.evaluate("dv/dt", **state)) == pytest.approx((10e-9 * -0.01 + 2e-9 * 0.05 + 10e-12) / 200e-12)
    assert get_dimensions(leaky.evaluate("g_L*(E_L - v)", v=-50 * mV)) is amp.dim
    with pytest.raises(NameError, match="'g_exc' in"):
        leaky.evaluate("dv/dt", v=-50 * mV)
    with pytest.raises(NameError, match="has no state variable 'V'. Did you mean 'v'"):
        leaky.evaluate("g_L", V=1 * mV)
    with pytest.raises(TypeError, match="'v' of cell model 'leaky_conductance' is 1. nS"):
        leaky.evaluate("g_L", v=1 * nS)


@given(st.floats(0.1, 100), st.booleans())
def test_stdp_window(interval, pre_first):
    """One pair: A_plus exp(-dt/tau_plus) or -A_minus exp(dt/tau_minus), as shares of w_max (Song et al. 2000)."""
    model = STDP
    names = {**model.si_namespace(), "weight": 1e-9, **model.initial_values()}
    on_pre = "\n".join(f"{line.target} = {line.result}" for line in statements(model.on_pre) if line.operator != "()")
    first, then = (on_pre, model.on_post) if pre_first else (model.on_post, on_pre)
    execute(first, names)
    names["x"] *= math.exp(-interval / 16.8)
    names["y"] *= math.exp(-interval / 33.7)
    assert names["weight"] == 1e-9
    execute(then, names)
    window = 0.005 * math.exp(-interval / 16.8) if pre_first else -0.002617 * math.exp(-interval / 33.7)
    assert (names["weight"] - 1e-9) / 2e-9 == pytest.approx(window, rel=1e-6)


def test_stdp_respects_bounds_and_learning():
    model = load_synapse("stdp_pair").replace(w_max=2 * nS, learning=0)
    names = {**model.si_namespace(), "weight": 1e-9, "x": 5.0, "y": 5.0}
    assert execute(model.on_post, names)["weight"] == 1e-9
    model = model.replace(learning=1e6)
    names = {**model.si_namespace(), "weight": 1e-9, "x": 5.0, "y": 5.0}
    assert execute(model.on_post, names)["weight"] == 2e-9


def test_threshold_is_held_at_a_count_per_presentation():
    model = load_cell("leaky_adaptive_threshold")
    names = {**model.si_namespace(), "v": np.full(4, -0.05), "theta": np.array([0.0, 1e-3, -4e-3, 2e-3]), "N": 4}
    execute(model.on_presentation, names)
    assert names["v"] == -0.065
    assert names["theta"] == pytest.approx([-5e-5, 9.5e-4, -4e-3, 1.95e-3])
    names["learning"] = 0.0
    before = names["theta"].copy()
    execute(model.on_presentation, names)
    assert list(names["theta"]) == list(before)


def test_expected_rows_are_read():
    rows = load_cell("hodgkin_huxley").expected
    first = next(row for row in rows if row.protocol == "step_current" and row.measure == "rate" and row.value > 60 * Hz)
    assert float(first.settings["amplitude"]) == pytest.approx(10e-2 * 20000e-12)
    assert float(first.tolerance) == pytest.approx(0.683) and first.dt == 0.01 * ms
    lapicque = LEAKY.expected[3]
    assert float(lapicque.parameters["C_m"]) == pytest.approx(100e-12) and get_dimensions(lapicque.parameters["C_m"]) is farad.dim
    for name in cells():
        for row in load_cell(name).expected:
            assert row.protocol in PROTOCOLS and get_dimensions(row.value) is get_dimensions(row.tolerance)


# --- what a model tells and how it changes -----------------------------------------------------------------------------


def test_a_file_of_ones_own(load):
    cell = load(CELL)
    assert list(cell.variables) == ["v", "w"] and cell.subexpressions == {"drive": volt.dim}
    assert cell.namespace()["tau_m"] == 10 * ms and cell.namespace()["k"] == 2.0 and "gain" not in cell.namespace()
    assert cell.shared == {"gain": 1.0} and cell.si_namespace()["gain"] == 1.0
    assert cell.receptors["w"].additive and cell.receptors["w"].unitary is None and cell.receptors["w"].dimensions is amp.dim
    assert cell.parameters["b"].value == pytest.approx(-1e-11) and cell.parameters["b"].text == "-10*pA"
    assert repr(cell) == "<CellModel 'mine', state: v w>"


@settings(deadline=None, max_examples=20)
@given(st.floats(1e-3, 1e3))
def test_replaced_values_are_exact(value):
    changed = STDP.replace(tau_plus=value * ms)
    assert changed.parameters["tau_plus"].value == float(value * ms) and changed != STDP.replace(tau_plus=2 * value * ms)
    assert SynapseModel.from_specification(changed.specification()).parameters["tau_plus"] == changed.parameters["tau_plus"]
    assert STDP.parameters["tau_plus"].value == pytest.approx(0.0168)


def test_replace_checks_names_and_units(load):
    model = load_cell("hodgkin_huxley")
    assert model.replace(area=100 * um**2).parameters["area"].value == pytest.approx(1e-10)
    with pytest.raises(ValueError, match="cell model 'hodgkin_huxley' has no parameter 'E_Naa'. Did you mean 'E_Na'"):
        model.replace(E_Naa=1 * mV)
    with pytest.raises(TypeError, match="parameter 'E_Na' of cell model 'hodgkin_huxley' is 1. nS, but it needs the dimension of volt"):
        model.replace(E_Na=1 * nS)
    with pytest.raises(TypeError, match="parameter 'gbar_Na' .* needs the dimension of siemens/metre\\*\\*2"):
        model.replace(gbar_Na=1 * nS)
    with pytest.raises(ValueError, match="parameter 'E_Na' .* is an array"):
        model.replace(E_Na=[1, 2] * mV)
    with pytest.raises(TypeError, match="name is None; give text"):
        model.replace(name=None)
    cell = load(CELL)
    assert cell.replace(gain=0.5).shared == {"gain": 0.5} and cell.replace(k=3).parameters["k"].value == 3.0
    assert cell.replace(on_presentation=None).on_presentation == ""
    with pytest.raises(ValueError, match=r"cell model 'mine': \[on\] presentation: 'u' cannot be assigned"):
        cell.replace(on_presentation="u = 1")
    with pytest.raises(TypeError, match="on_presentation is 1; give text, or None for none"):
        cell.replace(on_presentation=1)


def test_models_cannot_be_changed_in_place():
    model = LEAKY
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.name = "other"
    with pytest.raises(TypeError):
        model.parameters["C_m"] = None


def test_weight_parameters_take_the_unit_of_the_weight(load):
    synapse = load(SYNAPSE)
    assert synapse.missing() == ("w_max",) and synapse.bounds == ("w_min", "w_max")
    assert synapse.plastic and synapse.linear and synapse.event_driven
    synapse.check_weight(siemens.dim)
    given_weight = synapse.replace(w_max=3 * nS)
    assert given_weight.missing() == () and given_weight.namespace(siemens.dim)["w_min"] == 0 * nS
    given_weight.check_weight(siemens.dim)
    with pytest.raises(TypeError, match="on_pre: deliver: 'x' has the unit 1, but it must have siemens"):
        load(SYNAPSE, ("deliver(weight*x)", "deliver(x)")).check_weight(siemens.dim)
    with pytest.raises(TypeError, match="synapse model 'mine' with weights in volt: on_post: the units in .* do not fit"):
        given_weight.check_weight(volt.dim)
    normalised = given_weight.replace(normalise="incoming")
    assert normalised.missing() == ("w_total",) and normalised.replace(w_total=5 * nS).missing() == ()
    assert normalised.replace(normalise=None) == given_weight
    with pytest.raises(ValueError, match="parameters of the weight have different units .w_max in siemens, w_total in volt."):
        given_weight.replace(w_total=1 * mV)
    with pytest.raises(ValueError, match="normalise is 'outgoing'"):
        given_weight.replace(normalise="outgoing")
    assert load(SYNAPSE).replace(w_max=2).parameters["w_max"].dimensions is DIMENSIONLESS


@pytest.mark.parametrize(
    ("deliver", "linear"),
    [
        ("deliver(weight)", True), ("deliver(weight*x*(1 - x))", True), ("deliver(2*weight - weight*x)", True), ("deliver(clip(weight, w_min, w_max))", False),
        ("deliver(weight + w_max)", False), ("deliver(abs(weight))", False), ("deliver(weight**2/w_max)", False), ("deliver(w_max*x)", False),
        ("weight = clip(weight, w_min, w_max); deliver(weight)", False), ("x += 1; deliver(weight*x)", True), ("deliver(weight); deliver(weight*x)", True),
    ],
)
def test_linearity_is_measured(load, deliver, linear):
    assert load(SYNAPSE, ("deliver(weight*x)", deliver)).linear is linear


@pytest.mark.parametrize(
    ("effect", "additive"),
    [
        ("w_post += amount", True), ("w_post += k*amount", True), ("w_post = w_post + 3*amount", True), ("w_post -= k*amount", True), ("w_post = amount*k", False),
        ("w_post = clip(w_post + k*amount, 0*pA, 900*pA)", False), ("w_post += k*amount*(1 - w_post/b)", False), ("w_post += k*clip(amount, 0*pA, 5*pA)", False),
        ("w_post += k*abs(amount)", False), ("w_post *= 1 + k*amount/b", False), ("w_post += k*amount*int(v_post > E_L)", False),
    ],
)
def test_additivity_is_measured(load, effect, additive):
    assert load(CELL, ("w*R)", "k*w*R)"), ("w_post += k*amount", effect)).receptors["w"].additive is additive


def test_plasticity_and_updating(load):
    static = load_synapse("static")
    assert not static.plastic and static.linear and static.event_driven and not static.missing()
    assert load_synapse("stdp_pair").plastic
    assert not load(SYNAPSE, ("event-driven", "clock-driven")).event_driven


# --- mistakes -----------------------------------------------------------------------------------------------------------


def test_unknown_models():
    with pytest.raises(ValueError, match="There is no model 'hodgkin_huxly' among the catalogue's cells. Did you mean 'hodgkin_huxley'"):
        load_cell("hodgkin_huxly")
    with pytest.raises(ValueError, match="among the catalogue's synapses. Did you mean 'stdp_pair'"):
        load_synapse("stdp_pairs")
    with pytest.raises(FileNotFoundError, match="There is no model file nowhere/mine.toml"):
        load_cell("nowhere/mine.toml")
    with pytest.raises(ValueError, match="is of a synapse, not of a cell"):
        CellModel.from_specification(load_synapse("static").specification())
    with pytest.raises(ValueError, match="is of a cell, not of a synapse"):
        SynapseModel.from_specification(load_cell("spike_source").specification())


CELL_MISTAKES = {
    "not toml": ('name = "mine"', "name = mine", r"mine.toml is not readable as TOML"),
    "unknown top-level key": ('method = "exp', 'mehtod = "exp', r"the top level has an unknown key 'mehtod'. Did you mean 'method'"),
    "missing key": ('method = "exponential_euler"\n', "", r"the top level lacks the key 'method'"),
    "text that is a number": ('summary = "A cell for tests."', "summary = 3", r"summary is 3; give it as text"),
    "references not a list": ('references = ["Nobody (2000)."]', 'references = "Nobody"', r"references is 'Nobody'; give a list of texts"),
    "unknown method": ("exponential_euler", "exponental_euler", r"method is 'exponental_euler'. Did you mean 'exponential_euler'"),
    "unreadable equation": ("dw/dt = -w/tau_w : amp", "dw/dt = -w/tau_w", r"equations cannot be read"),
    "unit of an equation": ("dw/dt = -w/tau_w : amp", "dw/dt = -w/tau_w : amps", r"equations cannot be read: .*amps"),
    "scaled unit": ("dw/dt = -w/tau_w : amp", "dw/dt = -w/tau_w : pA", r"equations cannot be read: .*pA"),
    "undefined name": ("-w/tau_w : amp", "-w/tau_v : amp", r"equation of dw/dt: 'tau_v' in '-w/tau_v' is not defined. Did you mean 'tau_w'"),
    "undefined function": ("-w/tau_w : amp", "-w*expp(1)/tau_w : amp", r"equation of dw/dt: 'expp' in .* is not a known function. Did you mean 'exp'"),
    "random numbers": ("-w/tau_w : amp", "-w*rand()/tau_w : amp", r"equation of dw/dt: 'rand' in .* is not a known function"),
    "noise": ("-w/tau_w : amp", "-w/tau_w + b*xi/tau_w**0.5 : amp", r"'xi' in .* is not defined"),
    "dimension of a derivative": ("-w/tau_w : amp", "-w : amp", r"equation of dw/dt: '-w' has the unit amp, but it must have amp/second"),
    "units inside": ("-w/tau_w : amp", "-(w + v)/tau_w : amp", r"equation of dw/dt: the units in '-\(w \+ v\)/tau_w' do not fit"),
    "plain zero": ("v > V_th", "v > 0", r"\[spike\] threshold: the units in 'v > 0' do not fit"),
    "dimension of a subexpression": ("drive = E_L*gain : volt", "drive = E_L*gain : amp", r"equation of .*the units|equation of 'drive': .* must have amp"),
    "integer state": ("drive = E_L*gain : volt", "drive = E_L*gain : volt\nn : integer", r"equation of 'n' is integer; state is real"),
    "flag": ("-w/tau_w : amp", "-w/tau_w : amp (event-driven)", r"equation of 'w' has the flag 'event-driven', which is not understood there; it may have: unless refractory"),
    "reserved name": ("drive", "delay", r"equation of 'delay': the name 'delay' has a meaning of its own"),
    "reserved parameter": ("k = {", "N = {", r"\[parameters\] N: the name 'N' has a meaning of its own"),
    "parameter in the equations": ("k = {", "w = {", r"'w' is both a parameter and in the equations"),
    "current in the parameters": ("k = {", "I_e = {", r"\[receptors\] I_e is a parameter too"),
    "factor in the parameters": ("k = {", "gain = {", r"\[shared\] gain is a parameter too"),
    "factor with a unit": ('gain = { value = 1.0', 'gain = { value = "1*mV"', r"\[shared\] gain: value is '1\*mV'; a shared factor has no unit"),
    "infinite factor": ("gain = { value = 1.0", "gain = { value = nan", r"\[shared\] gain: value is nan"),
    "no membrane potential": ("(drive - v + w*R)/tau_m + I_e/C_m : volt", "(drive*C_m - v + w*R*C_m)/tau_m + I_e : coulomb", r"no membrane potential; every cell has a state variable v in volt"),
    "no area": ('area = { value = "100*um**2", meaning = "membrane area", source = "chosen" }\n', "", r"has no membrane area; every cell has an area"),
    "area of a wrong dimension": ("100*um**2", "100*um", r"has no membrane area"),
    "unknown spike rule": ('rule = "refractory"', 'rule = "refractive"', r"\[spike\] rule is 'refractive'. Did you mean 'refractory'"),
    "crossing with reset": ('rule = "refractory"', 'rule = "crossing"', r"\[spike\] refractory does not go with rule = \"crossing\"; leave it out"),
    "refractory without reset": ('reset = "v = E_L; w += b"\n', "", r"\[spike\] reset does not go with rule = \"refractory\"; add it"),
    "unknown spike key": ("reset =", "resett =", r"\[spike\] has an unknown key 'resett'. Did you mean 'reset'"),
    "threshold without condition": ("v > V_th", "v - V_th", r"\[spike\] threshold: 'v - V_th' is not a condition"),
    "reset of a parameter": ("w += b", "V_th += E_L", r"\[spike\] reset: 'V_th' cannot be assigned"),
    "reset of a wrong dimension": ("w += b", "w += E_L", r"\[spike\] reset: the units in 'w \+ \(E_L\)' do not fit"),
    "reset that delivers": ("w += b", "deliver(b)", r"\[spike\] reset: deliver\(b\) belongs in on_pre"),
    "reset with code": ("w += b", "import os", r"\[spike\] reset: 'import os' is not a statement that a model may hold"),
    "refractory time without unit": ('refractory = "tau_ref"', 'refractory = "2"', r"\[spike\] refractory: '2' has the unit 1, but it must have second"),
    "state without initial value": ('w = "0*amp"\n', "", r"\[initial\] lacks the state variable 'w'"),
    "initial value of no state": ('w = "0*amp"', 'w = "0*amp"\nu = "0"', r"\[initial\] u is not a state variable"),
    "initial value of a wrong dimension": ('w = "0*amp"', 'w = "0"', r"\[initial\] w: '0' has the unit 1, but it must have amp"),
    "initial value in the wrong order": ('v = "E_L"\nw', 'v = "E_L + w*R"\nw', r"\[initial\] v: 'w' in 'E_L \+ w\*R' is not defined"),
    "initial value from a later one": ('v = "E_L"\nw', 'v = "late"\nw', r"'late' in|\[initial\] needs what is not known yet"),
    "infinite initial value": ('w = "0*amp"', 'w = "inf*amp"', r"\[initial\] w is inf; give a finite value"),
    "initial value divided by zero": ('w = "0*amp"', 'w = "b*(1/0)"', r"\[initial\] cannot be worked out"),
    "parameter without source": (', source = "chosen" }\nk', " }\nk", r"\[parameters\] C_m lacks the key 'source'"),
    "parameter with empty source": ('source = "chosen" }\nk', 'source = " " }\nk', r"\[parameters\] C_m has an empty source"),
    "parameter without value": ('value = "100*pF", ', "", r"\[parameters\] C_m lacks the key 'value'"),
    "parameter that is no table": ('k = { value = 2, meaning = "strength of the current jumps", source = "chosen" }', "k = 2", r"\[parameters\] k is 2; write it as"),
    "unknown parameter key": ('meaning = "capacitance"', 'meening = "capacitance"', r"\[parameters\] C_m has an unknown key 'meening'. Did you mean 'meaning'"),
    "unknown unit": ("100*pF", "100*pf", r"\[parameters\] C_m: value: 'pf' in '100\*pf' is not defined. Did you mean 'pF'"),
    "value that is no number": ("100*pF", "100 pF", r"\[parameters\] C_m: value: '100 pF' is not an expression"),
    "value of a wrong dimension": ("100*pF", "100*pA", r"equation of dv/dt: the units in .* do not fit"),
    "value nan": ("k = { value = 2", "k = { value = nan", r"\[parameters\] k: value is nan"),
    "value by code": ("100*pF", "__import__('os').getpid()", r"\[parameters\] C_m: value: .*not understood"),
    "unused parameter": ("k*amount", "2*amount", r"parameter 'k' is never used; use it or remove it"),
    "receptor of no state": ("w = { effect", "u = { effect", r"\[receptors\] u: 'u' is not a state variable"),
    "receptor kind": ('kind = "current"', 'kind = "curent"', r"\[receptors\] I_e: kind is 'curent'. Did you mean 'current'"),
    "receptor sign": ('sign = "excitatory"', 'sign = "exitatory"', r"\[receptors\] v: sign is 'exitatory'. Did you mean 'excitatory'"),
    "current with strength": ('kind = "current"', 'kind = "current", unitary = "1*pA"', r"\[receptors\] I_e: unitary does not go with kind"),
    "current in the equations": ("drive = E_L*gain : volt", "drive = E_L*gain : volt\nI_e = b : amp", r"\[receptors\] I_e is in the equations too"),
    "unused current": (" + I_e/C_m", "*C_m/C_m", r"\[receptors\] I_e is a current that no equation uses"),
    "undeclared current": ('I_e = { kind = "current", meaning = "injected" }\n', "", r"equation of dv/dt: 'I_e' in .* is not defined"),
    "effect on another variable": ("w_post += k*amount", "v_post += k*amount", r"\[receptors\] w: effect: 'v_post' cannot be assigned. Did you mean 'w_post'"),
    "effect of a wrong dimension": ("w_post += k*amount", "w_post += k*amount*R", r"\[receptors\] w: effect: the units in .* do not fit"),
    "effect of two statements": ("w_post += k*amount", "w_post += k*amount; w_post += b", r"has 2 statements; write one"),
    "unitary of a wrong dimension": ('unitary = "1*mV"', 'unitary = "1*nS"', r"\[receptors\] v: unitary is '1\*nS'; give a positive number in volt"),
    "unitary negative": ('unitary = "1*mV"', 'unitary = "-1*mV"', r"\[receptors\] v: unitary is '-1\*mV'; give a positive"),
    "unitary unreadable": ('unitary = "1*mV"', 'unitary = "1*mv"', r"\[receptors\] v: unitary: 'mv' in '1\*mv' is not defined"),
    "unknown event": ("presentation =", "presentations =", r"\[on\] has an unknown key 'presentations'. Did you mean 'presentation'"),
    "event of a wrong dimension": ("0*mV/N", "0*mV*N*R", r"\[on\] presentation: the units in .* do not fit"),
    "N outside of events": ("w*R)/tau_m", "w*R*N)/tau_m", r"equation of dv/dt: 'N' in .* is not defined"),
    "unknown protocol": ('protocol = "psp"', 'protocol = "pps"', r"\[\[expected\]\] row 1: protocol is 'pps', which is not known. Did you mean 'psp'"),
    "protocol key missing": ('observe = "5*ms"\n', "", r"\[\[expected\]\] row 1 lacks the key 'observe'"),
    "protocol key unknown": ("observe =", "obsrve =", r"\[\[expected\]\] row 1 has an unknown key 'obsrve'. Did you mean 'observe'"),
    "protocol setting of a wrong dimension": ('observe = "5*ms"', 'observe = "5*mV"', r"row 1: observe is '5\*mV', but it needs the unit second"),
    "unknown measure": ('measure = "psp_peak"', 'measure = "peak"', r"row 1: measure is 'peak', which this protocol does not give"),
    "expected value of a wrong dimension": ('value = "1*mV"\n', 'value = "1*nS"\n', r"row 1: value is '1\*nS', but it needs the unit volt"),
    "tolerance unreadable": ('"1%"', '"x%"', r"row 1: tolerance: 'x' in 'x' is not defined"),
    "receptor of a row": ('receptor = "v"', 'receptor = "I_e"', r"row 1: receptor is 'I_e', which takes no spikes"),
    "receptor without strength": ('receptor = "v"', 'receptor = "w"', r"row 1: receptor 'w' has no unitary strength; give a weight"),
    "parameters of a row": ('receptor = "v"', 'receptor = "v"\nparameters = { kk = "1" }', r"row 1: parameters: cell model 'mine' has no parameter 'kk'"),
    "rows that are no tables": ("[[expected]]", "[expected]", r"expected is .*; give tables, \[\[expected\]\]"),
}


@pytest.mark.parametrize("mistake", CELL_MISTAKES)
def test_mistakes_in_cells(load, mistake):
    old, new, message = CELL_MISTAKES[mistake]
    text = CELL
    if mistake == "initial value from a later one":
        text = CELL.replace("drive = E_L*gain : volt", "drive = E_L*gain : volt\nlate = E_L + w*R : volt")
    with pytest.raises(ValueError, match=message) as caught:
        load(text, (old, new))
    assert "mine.toml" in str(caught.value) and "\n" not in str(caught.value).strip()


SYNAPSE_MISTAKES = {
    "unknown key": ("on_pre =", "onpre =", r"the top level has an unknown key 'onpre'. Did you mean 'on_pre'"),
    "nothing delivered": ("deliver(weight*x)\n", "", r"on_pre delivers nothing; add a line such as deliver\(weight\)"),
    "two things delivered": ("deliver(weight*x)", "deliver(weight, x)", r"on_pre: 'deliver\(weight, x\)' is not a statement"),
    "delivered after": ('on_post = "weight', 'on_post = "deliver(weight); weight', r"on_post: deliver\(weight\) belongs in on_pre"),
    "delivered dimension": ("deliver(weight*x)", "deliver(tau*x)", r"on_pre: deliver: 'tau \* x' has the unit second, but it must have siemens"),
    "no weight in between": ("deliver(weight*x)", "deliver(wieght*x)", r"on_pre: deliver: 'wieght' in 'wieght \* x' is not defined. Did you mean 'weight'"),
    "assignment of a parameter": ("x += 1", "tau += 1", r"on_pre: 'tau' cannot be assigned"),
    "assignment of the share": ("x += 1", "share = 1", r"on_pre: 'share' cannot be assigned"),
    "units": ("rate*w_max*x", "rate*tau*x", r"on_post: the units in .* do not fit"),
    "way of updating": (" (event-driven)", "", r"equation of 'x' does not say how it is updated"),
    "bounds of one": ('["w_min", "w_max"]', '["w_max"]', r"bounds is \['w_max'\]; name two parameters with dimension = \"weight\""),
    "bounds of unknown": ('["w_min", "w_max"]', '["w_min", "tau"]', r"bounds is \['w_min', 'tau'\]; name two parameters"),
    "dimension of a parameter": ('dimension = "weight", value = 0', 'dimension = "siemens", value = 0', r"\[parameters\] w_min: dimension is 'siemens'; only \"weight\" can be said"),
    "normalise": ("references = []", 'references = []\nnormalise = "incomming"', r"normalise is 'incomming'; give \"incoming\""),
    "normalise without total": ('w_total = { dimension = "weight", meaning = "sum" }', 'w_total = { value = 1, meaning = "sum", source = "chosen" }', None),
    "state without initial value": ('x = "0"\n', "", r"\[initial\] lacks the state variable 'x'"),
    "unused parameter": ("-x/tau", "-x/second", r"parameter 'tau' is never used"),
    "unused factor": ("rate*w_max", "w_max", r"parameter 'rate' is never used"),
    "weight as state": (" (event-driven)", " (event-driven)\nweight : siemens", r"equation of 'weight': the name 'weight' has a meaning of its own"),
}


@pytest.mark.parametrize("mistake", SYNAPSE_MISTAKES)
def test_mistakes_in_synapses(load, mistake):
    old, new, message = SYNAPSE_MISTAKES[mistake]
    text = SYNAPSE
    if mistake == "normalise without total":
        text, message = SYNAPSE.replace("references = []", 'references = []\nnormalise = "incoming"'), r"normalise needs a parameter w_total with dimension = \"weight\""
    with pytest.raises(ValueError, match=message) as caught:
        load(text, (old, new))
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-w/tau_w : amp", "-w/tau_w : __import__('os').abort()"), ("-w/tau_w : amp", "-w/tau_w : amp.__class__"),
        ("v > V_th", "v > V_th or __import__('os').abort()"), ("w += b", "w = (lambda: b)()"), ("100*pF", "[pF for pF in ()]"),
    ],
)
def test_loading_runs_no_code(load, old, new):
    with pytest.raises(ValueError, match="mine.toml"):
        load(CELL, (old, new))
