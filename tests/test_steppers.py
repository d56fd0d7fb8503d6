"""How cells are stepped: each method of a file against its definition, and against Brian2's own method of that name."""

import brian2
import numpy as np
import pytest
from cells_run import clamped
from library_builds import needs_compiler
from stepped_cells import (
    BACKEND,
    CELLS,
    CLOSE,
    COUNT,
    DT,
    NUMPY,
    RNG,
    after_one_step,
    all_steps,
    apart,
    cell,
    each_close,
    one_step,
    ready,
    stepped,
)
from steps_by_hand import STEPS

import neurosim as ns
from neurosim.backends.compiler import settings
from neurosim.units import Hz, mV, quantity, unit_name

# Rates by way of one another, a term to hold and, for what is not linear in v, powers of gates.
GATED = """
dv/dt = (g_L*(E_L - v) + g*m**3*h*(E - v) + push + I_e)/C_m : volt
dm/dt = (m_inf - m)/tau_m : 1
dh/dt = alpha*(1 - h) - beta*h : 1
m_inf = alpha_m/(alpha_m + 1) : 1
alpha_m = exp(x)/exprel(-x) : 1
x = (v - V_half)/slope : 1
tau_m = tau_0*(1 + m_inf) : second
alpha = rate*exp(-x) : Hz
beta = rate*(2 + tanh(x)) - alpha/3 : Hz
push = g_L*slope*tanh(x) : amp (constant over dt)
"""
GATED_VALUES = {
    "C_m": "100*pF", "g_L": "10*nS", "g": "150*nS", "E_L": "-65*mV", "E": "50*mV", "V_half": "-40*mV", "slope": "8*mV", "tau_0": "0.3*ms",
    "rate": "50*Hz",
}  # fmt: skip

# One that is refractory: v holds still, and what depends on it goes on.
RESETTING = """
dv/dt = (g_L*(E_L - v) + push - w + I_e)/C_m : volt (unless refractory)
dw/dt = (a*(v - E_L) - w)/tau_w : amp
push = g_L*slope*exp((v - V_T)/slope) : amp (constant over dt)
"""
RESETTING_VALUES = {
    "C_m": "100*pF", "g_L": "10*nS", "E_L": "-65*mV", "V_T": "-50*mV", "slope": "2*mV", "a": "2*nS", "tau_w": "30*ms", "V_peak": "-40*mV",
    "V_reset": "-60*mV", "b": "20*pA", "tau_ref": "1.5*ms",
}  # fmt: skip
SPIKE = {"rule": "refractory", "threshold": "v > V_peak", "reset": "v = V_reset; w += b", "refractory": "tau_ref"}


def gated(method):
    return cell(GATED, method, {"v": "-65*mV", "m": "0", "h": "1"}, current=True, **GATED_VALUES)


def resetting(method):
    return cell(RESETTING, method, {"v": "E_L", "w": "0*amp"}, SPIKE, current=True, **RESETTING_VALUES)


# --- each method by its definition -----------------------------------------------------------------------------------

NOT_LINEAR = [name for name in STEPS if name != "exact"]
on_methods = pytest.mark.parametrize("method", NOT_LINEAR)


def gated_cells(method):
    rng = RNG(1)
    state = {"v": rng.uniform(-80e-3, -20e-3, CELLS), "m": rng.uniform(0, 1, CELLS), "h": rng.uniform(0, 1, CELLS)}
    current = rng.uniform(0, 3e-10, CELLS)
    return state, current, *stepped(gated(method), state, current)


@on_methods
def test_a_cell_with_gates(method):
    """Under exponential_euler the flagged term holds its value at the start of a step; the other methods follow it through their stages."""
    state, current, made, values, _ = gated_cells(method)
    assert np.ptp(values["v"]) > 0.02 and all(np.ptp(one, axis=1).min() > 0 for one in values.values())
    assert apart(after_one_step(values), one_step(method, made, values, I_e=current)) <= CLOSE
    end = {name: one[:, -1] for name, one in values.items()}
    assert apart(end, all_steps(method, made, state, I_e=current)) <= CLOSE
    for other in NOT_LINEAR:  # the control
        assert (apart(after_one_step(values), one_step(other, made, values, I_e=current)) <= CLOSE) == (other == method)


@on_methods
def test_a_cell_that_is_refractory(method):
    """v holds still for 15 steps after a spike, in every stage of a step; w goes on with the v that holds still."""
    rng = RNG(2)
    state = {"v": rng.uniform(-60e-3, -45e-3, CELLS), "w": rng.uniform(0, 1e-10, CELLS)}
    current = rng.uniform(3e-10, 8e-10, CELLS)
    made, values, spiked = stepped(resetting(method), state, current)
    assert spiked.sum() >= 3 * CELLS
    may_move = ready(spiked, 15)
    expected = one_step(method, made, values, may_move, I_e=current)
    assert (spiked == ((expected["v"] > -40e-3) & (may_move > 0))).all()
    expected = {"v": np.where(spiked, -60e-3, expected["v"]), "w": expected["w"] + 20e-12 * spiked}
    assert apart(after_one_step(values), expected) <= CLOSE
    wrong = one_step(method, made, values, ready(spiked, 14), I_e=current)  # the control
    assert apart({"v": after_one_step(values)["v"][~spiked]}, {"v": wrong["v"][~spiked]}) > 1e-6


# --- cells of the catalogue ------------------------------------------------------------------------------------------

OF_CATALOGUE = {  # a current in ampere for each of four cells, which some answer with spikes
    "hodgkin_huxley": np.array([0, 1, 2, 4]) * 1e-9,
    "traub_miles": np.array([0, 0.3, 0.6, 1.2]) * 1e-9,
    "connor_stevens": np.array([0, 1, 2, 4]) * 1e-9,
    "wang_buzsaki": np.array([0, 0.2, 0.5, 1]) * 1e-9,
    "adex": np.array([0, 0.5, 1, 2]) * 1e-9,
    "leaky_alpha": np.array([0, 0.3, 0.6, 1]) * 1e-9,
    "leaky_exponential_current": np.array([0, 0.05, 0.2, 0.3]) * 1e-9,
}
on_catalogue = pytest.mark.parametrize("name", OF_CATALOGUE)


def of_catalogue(name):
    """Cells of the catalogue with noise in their state, and what they do: from rest, with synaptic conductances or currents under way."""
    model, rng = ns.load_cell(name), RNG(3)
    rest = {key: float(value) for key, value in model.initial_values().items()} | {
        key: np.asarray(value) for key, value in clamped(model, float(model.initial_values()["v"]) * 1e3 * mV).items() if key != "v"
    }
    state = {key: value * rng.uniform(0.98, 1.02, CELLS) for key, value in rest.items()}
    state |= {key: rng.uniform(0.5, 2, CELLS) * 1e-9 for key in state if key.startswith("g_")}
    state |= {key: rng.uniform(0.5, 2, CELLS) * 5e-11 for key in state if key[:2] in ("I_", "x_") or key == "w"}
    given = dict.fromkeys(model.continuous, np.zeros(CELLS)) | {"I_e": OF_CATALOGUE[name]}
    return model, state, given, *stepped(model, state, OF_CATALOGUE[name])


@on_catalogue
def test_a_cell_of_the_catalogue(name):
    """From each of its states but those at a spike, which resets or refractoriness move; those have a test of their own above."""
    model, _, given, made, values, spiked = of_catalogue(name)
    may_move = 1.0 if model.spike.rule == "crossing" else ready(spiked, round(model.parameters["tau_ref"].value / DT))
    there = {key: one[~spiked] for key, one in after_one_step(values).items()}
    wrong = given | {"I_e": given["I_e"] * (1 + 1e-9)}  # the control
    expected, other = (
        {key: one[~spiked] for key, one in one_step(model.method, made, values, may_move, **inputs).items()} for inputs in (given, wrong)
    )
    assert spiked.any() and apart(there, expected) <= CLOSE < apart(there, other)


# --- Brian2's own methods --------------------------------------------------------------------------------------------


def in_brian2(model, values, current, equations=None):
    """Take one step from every state there was but the last, by Brian2's own method of the model's name."""
    lines = [equations or model.equations, "I_e : amp (constant)"]
    lines += [
        f"{name} = 0*{unit} : {unit}" for name, unit in ((key, unit_name(one)) for key, one in model.continuous.items()) if name != "I_e"
    ]
    spike = model.spike
    with settings("numpy"):
        group = brian2.NeuronGroup(
            CELLS * COUNT, "\n".join(lines), method=model.method, threshold=spike.threshold, reset=spike.reset or None,
            refractory=spike.threshold if spike.rule == "crossing" else spike.refractory, namespace=model.namespace(), dt=NUMPY.dt,
        )  # fmt: skip
        for name, one in ({"I_e": np.repeat(current, COUNT)} | {name: one[:, :-1].ravel() for name, one in values.items()}).items():
            group.variables[name].set_value(one)
        brian2.Network(group).run(NUMPY.dt, namespace={})
    return {name: group.variables[name].get_value().reshape(CELLS, COUNT) for name in values}


@pytest.mark.parametrize("method", [name for name in NOT_LINEAR if name != "sequential_euler"])
def test_small_cells_as_by_brian2s_own_method(method):
    """Brian2 holds a flagged term under every method, and we do under exponential_euler alone, so elsewhere Brian2 gets it without the flag."""
    _, current, _, values, _ = gated_cells(method)
    text = {name: GATED.replace("(constant over dt)", "") for name in NOT_LINEAR} | {"exponential_euler": GATED}
    assert apart(after_one_step(values), in_brian2(gated(method), values, current, text[method])) <= CLOSE
    other = "euler" if method != "euler" else "rk2"
    assert apart(after_one_step(values), in_brian2(gated(other), values, current, text[other])) > 1e-6  # the control


@pytest.mark.parametrize("name", [pytest.param(one, marks=pytest.mark.slow) if one == "leaky_alpha" else one for one in OF_CATALOGUE])
def test_cells_of_the_catalogue_as_by_brian2s_own_method(name):
    model, _, given, _, values, spiked = of_catalogue(name)
    may_move = ready(spiked, 0 if model.spike.rule == "crossing" else round(model.parameters["tau_ref"].value / DT)) > 0
    there, theirs, others = (
        {key: one[may_move] for key, one in each.items()}
        for each in (after_one_step(values), *(in_brian2(model, values, given["I_e"] * factor) for factor in (1, 1 + 1e-9)))
    )
    assert apart(there, theirs) <= CLOSE < apart(there, others)


# --- exponential Euler at the edges ----------------------------------------------------------------------------------

SLOPES = np.array([0, 5e-324, 1e-300, -1e-12, 1e-9, -1e-4, 1, -1e3, 1e4, 5e4, -1e7])  # Hz: of 0, near it, growing and very fast


def test_exponential_euler_without_a_slope_near_it_and_growing():
    """x + dt*f*(exp(dt*a) - 1)/(dt*a) has no hole at a = 0, where Brian2's own formula has."""
    model = cell("dv/dt = k*v + c : volt\ndw/dt = c/volt : 1", "exponential_euler", {"v": "1*mV", "w": "0"}, k="1*Hz", c="3*volt/second")
    start = {"v": np.full(len(SLOPES), 2e-3), "w": np.ones(len(SLOPES))}
    made, values, _ = stepped(model, start, spread={"k": quantity(SLOPES, Hz.dim)}, steps=20)
    expected = one_step("exponential_euler", made, values)
    assert each_close(after_one_step(values), expected)
    np.testing.assert_allclose(values["v"][:3], 2e-3 + np.arange(21) * DT * 3 * np.ones((3, 1)), rtol=CLOSE)
    with settings("numpy"):  # the control
        theirs = brian2.NeuronGroup(len(SLOPES), "dv/dt = k*v + 3*volt/second : volt\nk : Hz", method="exponential_euler", dt=NUMPY.dt)
        theirs.variables["v"].set_value(start["v"])
        theirs.variables["k"].set_value(SLOPES)
        brian2.Network(theirs).run(NUMPY.dt, namespace={})
    one = theirs.variables["v"].get_value() / values["v"][:, 1] - 1
    assert np.isnan(one[0]) and abs(one[3]) > 1e-6 and abs(one[-5:]).max() <= CLOSE


# --- orders ----------------------------------------------------------------------------------------------------------

ORDERS = {"euler": 1, "sequential_euler": 1, "exponential_euler": 1, "rk2": 2, "rk4": 4}
LENGTHS = 2 ** np.arange(5, 10)  # time steps in which cells go the same way


def error_of(method):
    """The logarithm of the error by that of the number of steps: a slope. Of an epidemic, v' = k s v and s' = -k s v: v is logistic."""
    model = cell("dv/dt = k*s*v : volt\nds/dt = -k*s*(v/volt) : 1", method, {"v": "0.1*volt", "s": "0.9"}, k="1*Hz")
    way = 4.0  # k times the time that passes
    spread = {"k": quantity(way / (LENGTHS * DT), Hz.dim)}
    start = {"v": np.full(len(LENGTHS), 0.1), "s": np.full(len(LENGTHS), 0.9)}
    _, values, _ = stepped(model, start, spread=spread, steps=int(LENGTHS[-1]))
    errors = [abs(values["v"][row, steps] - 1 / (1 + 9 * np.exp(-way))) for row, steps in enumerate(LENGTHS)]
    return -np.polyfit(np.log(LENGTHS), np.log(errors), 1)[0]


@pytest.mark.parametrize("method", ORDERS)
def test_the_error_of_a_method_falls_with_its_order(method):
    found = error_of(method)
    assert [order for order in (1, 2, 4) if abs(found - order) < 0.1] == [ORDERS[method]]  # and no other


# --- names -----------------------------------------------------------------------------------------------------------

# Each of these once met the name under which a step keeps something between its statements.
MEETING = {
    "slope_v": "dv/dt = (0*volt - v)*slope_v + x*volt/(10*ms) : volt\ndx/dt = -x*slope_v : 1\nslope_v = (1 + tanh(v/(10*mV)))/(5*ms) : Hz",
    "m_0": "dv/dt = (0*volt - v)*m + m_0*volt/(10*ms) : volt\ndm_0/dt = -m_0/(3*ms) : 1\nm = (1 + tanh(v/(10*mV)))/(5*ms) : Hz",
    "idx": "dv/dt = (0*volt - v)*m + idx*volt/(10*ms) : volt\ndidx/dt = -idx*m : 1\nm = (1 + tanh(v/(10*mV)))/(5*ms) : Hz",
}


@pytest.mark.parametrize("method", ["euler", "rk2", "rk4"])
@pytest.mark.parametrize("name", MEETING)
def test_names_of_a_model_meet_none_of_a_step(name, method):
    other = next(one for one in ("x", "m_0", "idx") if f"\nd{one}/dt" in MEETING[name])
    model = cell(MEETING[name], method, {"v": "5*mV", other: "0.4"})
    made, values, _ = stepped(model, {"v": np.array([5e-3, -3e-3]), other: np.array([0.4, 0.9])}, steps=20)
    assert apart(after_one_step(values), one_step(method, made, values)) <= CLOSE


def test_names_of_a_model_meet_none_of_an_exponential_step():
    text = (
        "dv/dt = (0*volt - v)*m + m_0*volt/(10*ms) : volt\ndm_0/dt = -m_0*m : 1\nm = (1 + exp(-h))/(5*ms) : Hz\ndh/dt = (1 - h)/(4*ms) : 1"
    )
    made, values, _ = stepped(
        cell(text, "exponential_euler", {"v": "5*mV", "m_0": "0.4", "h": "0"}),
        {"v": np.array([5e-3, -3e-3]), "m_0": np.array([0.4, 0.9]), "h": np.zeros(2)}, steps=20,
    )  # fmt: skip
    assert apart(after_one_step(values), one_step("exponential_euler", made, values)) <= CLOSE


@needs_compiler
def test_names_of_a_model_meet_none_of_a_library():
    """Parameters called like what the engine works with, and a variable that Brian2 numbers rows by."""
    names = ("size", "ready", "engine", "events", "rows", "draws", "count", "path")
    text = f"dv/dt = -v*({' + '.join(names)})*rate : volt\ndidx/dt = -idx*rate : 1"
    model = cell(text, "exponential_euler", {"v": "5*mV", "idx": "1"}, rate="10*Hz", **dict.fromkeys(names, 0.5))
    start = {"v": np.array([5e-3]), "idx": np.ones(1)}
    _, values, _ = stepped(model, start, backend=ns.Brian2(target="library", **BACKEND), steps=20)
    np.testing.assert_allclose(values["v"][0, -1], 5e-3 * np.exp(-4 * 10 * 20 * DT), rtol=1e-12)
