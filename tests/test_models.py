"""Model files: what the catalogue holds, and what its numbers give without a simulator."""

import dataclasses
import json
import math
import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_texts import CELL, SYNAPSE, load_text

from neurosim.expressions import evaluate, execute, statements
from neurosim.models import PROTOCOLS, SynapseModel, cells, load_cell, load_synapse, synapses
from neurosim.models import files as model_files
from neurosim.models.parts import Names
from neurosim.models.protocols import PATTERNS
from neurosim.units import (
    DIMENSIONLESS,
    Hz,
    amp,
    farad,
    get_dimensions,
    metre,
    ms,
    mV,
    nS,
    pA,
    siemens,
    um,
    volt,
)

STDP = load_synapse("stdp_pair").replace(w_max=2 * nS)
LEAKY = load_cell("leaky_conductance")
MODELS = {name: load_cell(name) for name in cells()}
MEMBRANES = {name: model for name, model in MODELS.items() if not model.source}


@pytest.fixture
def load(tmp_path):
    return partial(load_text, tmp_path)


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_catalogue_is_complete():
    biophysical = {"hodgkin_huxley", "traub_miles", "wang_buzsaki", "connor_stevens", "pospischil_rs", "pospischil_fs"}
    leaky = {"leaky", "leaky_conductance", "leaky_exponential_current", "leaky_adaptive_threshold", "signal_leak"}
    assert biophysical | leaky | {"exponential_leaky", "adex", "izhikevich", "izhikevich_2007", "spike_source"} <= set(cells())
    assert {"static", "stdp_pair"} <= set(synapses())
    assert all(model.name == name and model.kind == "cell" for name, model in MODELS.items())
    for name in synapses():
        assert load_synapse(name).name == name


@pytest.mark.parametrize("model", [*MODELS.values(), *map(load_synapse, synapses())], ids=lambda model: model.name)
def test_specification_is_complete(model):
    text = json.dumps(model.specification(), sort_keys=True)
    again = type(model).from_specification(json.loads(text))
    assert again == model and again.hash == model.hash and hash(again) == hash(model)
    assert list(again.initial) == list(model.initial)
    assert again.initial_values() == model.initial_values() and dict(again.parameters) == dict(model.parameters)
    assert model.kind == "synapse" or again.expected == model.expected
    assert pickle.loads(pickle.dumps(model)) == model
    other = model.replace(name="other")
    assert other != model and other.hash != model.hash and model != model.name


@pytest.mark.parametrize("name", MEMBRANES)
def test_cells_of_the_catalogue_hold_together(name):
    model = MEMBRANES[name]
    assert model.variables["v"] is volt.dim and model.parameters["area"].dimensions is (metre**2).dim
    clamped = {"G_exc": siemens.dim, "G_inh": siemens.dim} if "g_exc" in model.receptors else {}
    assert model.continuous == {"I_e": amp.dim, **clamped}
    assert list(model.initial_values()) == list(model.variables) and all(map(math.isfinite, model.initial_values().values()))
    protocols = {row.protocol for row in model.expected}
    assert "rest" in protocols and ("psp" in protocols) == any(not receptor.continuous for receptor in model.receptors.values())
    assert model.references and all("doi:10." in reference for reference in model.references)


def test_sources_have_no_membrane():
    source = load_cell("spike_source")
    assert source.source and not source.variables and not source.receptors and source.spike is None and source.initial_values() == {}


def test_files_in_a_wheel_come_first(tmp_path, monkeypatch):
    (tmp_path / "neurosim/catalogue/cells").mkdir(parents=True)
    (tmp_path / "neurosim/catalogue/cells/mine.toml").write_text(CELL)
    monkeypatch.setattr(model_files, "__file__", str(tmp_path / "neurosim/models/files.py"))
    assert cells() == ("mine",) and load_cell("mine").name == "mine"
    (tmp_path / "neurosim/catalogue").rename(tmp_path / "models")
    assert cells() == ("mine",)
    (tmp_path / "models/cells/mine.toml").rename(tmp_path / "models/cells/yours.toml")
    with pytest.raises(ValueError, match="yours.toml: name is 'mine', but a catalogue file is named as its model; make it \"yours\""):
        load_cell("yours")


# --- numbers without a simulator ---------------------------------------------------------------------------------------


def derivative(model):
    """The right-hand sides of a cell on plain SI numbers, in the order of its state, which may be that of several cells; no input."""
    known = {**model.si_namespace(), **dict.fromkeys(model.continuous, 0.0)}
    texts = {name: line.expression for name, line in model.lines.items() if line.kind == "subexpression"}

    def slope(state):
        names = Names({**known, **dict(zip(model.variables, state))}, texts)
        names = Names({**names.known, **{name: names[name] for name in texts}}, {})
        lines = [model.lines[name] for name in model.variables]
        rates = [evaluate(line.expression, names) if line.kind == "differential" else 0.0 for line in lines]
        return np.array([np.broadcast_to(rate, np.shape(state[0])) for rate in rates], float)

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
    model = MEMBRANES[name]
    rest = np.array(list(model.initial_values().values()))
    assert abs(derivative(model)(rest)[0]) < 1e-3  # V/s: less than 1 uV in 1 ms
    rest[0] += 1e-3
    assert abs(derivative(model)(rest)[0]) > 1e-3


@pytest.mark.parametrize("name", [name for name, model in MEMBRANES.items() if any(one.unitary for one in model.receptors.values())])
def test_unitary_strength_is_one_millivolt(name):
    """A cell for each receptor."""
    model = MEMBRANES[name]
    entries = [entry for entry in model.receptors.values() if entry.unitary is not None]
    rest = np.array(list(model.initial_values().values()))
    state = np.repeat(rest[:, None], len(entries), axis=1)
    for cell, entry in enumerate(entries):
        state[list(model.variables).index(entry.variable), cell] += entry.unitary
    v = runge_kutta(model, state)[:, 0] - rest[0]
    peaks = v[np.abs(v).argmax(axis=0), np.arange(len(entries))]
    np.testing.assert_allclose(abs(peaks), 1e-3, rtol=2e-3)
    assert (peaks > 0).tolist() == [entry.sign == "excitatory" for entry in entries]


@pytest.mark.parametrize(
    ("name", "row"),
    [(name, row) for name, model in MEMBRANES.items() for row in model.expected if row.protocol == "rate_functions"],
    ids=lambda value: getattr(value, "measure", value),
)
def test_rate_functions(name, row):
    model = MEMBRANES[name]
    assert abs(model.evaluate(row.measure, v=row.settings["v"]) - row.value) <= row.tolerance
    assert abs(model.evaluate(row.measure, v=row.settings["v"] + 0.1 * mV) - row.value) > row.tolerance


def test_rate_functions_have_no_holes():
    holes = {
        "hodgkin_huxley": {"alpha_m": -40, "alpha_n": -55},
        "traub_miles": {"alpha_m": -50, "beta_m": -23, "alpha_n": -48},
        "wang_buzsaki": {"alpha_m": -35, "alpha_n": -34},
        "connor_stevens": {"alpha_m": -29.7, "alpha_n": -45.7},
        "pospischil_rs": {"alpha_m": -42, "beta_m": -15, "alpha_n": -40},
    }
    for model, measure, v in [(MODELS[name], *hole) for name, found in holes.items() for hole in found.items()]:
        values = [float(model.evaluate(measure, v=(v + d) * mV)) for d in (-1e-3, 0, 1e-3)]
        assert values[1] == pytest.approx((values[0] + values[2]) / 2, rel=1e-6)


def test_derivatives_and_expressions_of_the_state():
    leaky = LEAKY
    state = {"v": -50 * mV, "g_exc": 2 * nS, "g_inh": 0 * nS, "G_exc": 0 * nS, "G_inh": 0 * nS, "I_e": 10 * pA}
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
    for model in MODELS.values():
        for row in model.expected:
            assert row.protocol in PROTOCOLS
            assert row.value in PATTERNS if row.measure == "pattern" else get_dimensions(row.value) is get_dimensions(row.tolerance)


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
    assert synapse.plastic and synapse.linear
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
        ("deliver(weight)", True),
        ("deliver(weight*x*(1 - x))", True),
        ("deliver(2*weight - weight*x)", True),
        ("deliver(clip(weight, w_min, w_max))", False),
        ("deliver(weight + w_max)", False),
        ("deliver(abs(weight))", False),
        ("deliver(weight**2/w_max)", False),
        ("deliver(w_max*x)", False),
        ("weight = clip(weight, w_min, w_max); deliver(weight)", False),
        ("x += 1; deliver(weight*x)", True),
        ("deliver(weight); deliver(weight*x)", True),
    ],
)
def test_linearity_is_measured(load, deliver, linear):
    assert load(SYNAPSE, ("deliver(weight*x)", deliver)).linear is linear


@pytest.mark.parametrize(
    ("effect", "additive"),
    [
        ("w_post += amount", True),
        ("w_post += k*amount", True),
        ("w_post = w_post + 3*amount", True),
        ("w_post -= k*amount", True),
        ("w_post = amount*k", False),
        ("w_post = clip(w_post + k*amount, 0*pA, 900*pA)", False),
        ("w_post += k*amount*(1 - w_post/b)", False),
        ("w_post += k*clip(amount, 0*pA, 5*pA)", False),
        ("w_post += k*abs(amount)", False),
        ("w_post *= 1 + k*amount/b", False),
        ("w_post += k*amount*int(v_post > E_L)", False),
    ],
)
def test_additivity_is_measured(load, effect, additive):
    assert load(CELL, ("w*R)", "k*w*R)"), ("w_post += k*amount", effect)).receptors["w"].additive is additive


def test_plasticity():
    static = load_synapse("static")
    assert not static.plastic and static.linear and not static.missing()
    assert load_synapse("stdp_pair").plastic
