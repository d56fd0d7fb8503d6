"""Time constants against closed forms, and a time step that they do not allow."""

import re
import warnings

import numpy as np
import pytest
from model_texts import CELL, load_text

import neurosim as ns
from neurosim import timescales
from neurosim.errors import TimeStepWarning
from neurosim.timescales import time_constants
from neurosim.units import ms, mV, nS, pF, second

LEAKY = ns.load_cell("leaky_conductance")


def constants(model, **spread):
    return {name: float(tau) / 1e-3 for name, tau in time_constants(model, spread).items()}


def one(model, **others):
    return ns.Circuit([ns.create("cells", model, 1, **others)])


def run(circuit, dt, duration, **others):
    return ns.simulate(circuit, duration, backend=ns.Brian2(dt=dt, target="numpy"), progress=False, **others)


def places(said):
    """The files in which the time step was warned of."""
    return [warning.filename for warning in said if warning.category is TimeStepWarning]


def euler(folder, **parameters):
    """A leaky cell with tau_m = 10 ms whose potential euler steps."""
    return load_text(folder, CELL, ("exponential_euler", "euler")).replace(name="leaky", **parameters)


# --- time constants --------------------------------------------------------------------------------------------------


def test_linear_equations_have_theirs_exactly():
    assert constants(LEAKY) == pytest.approx({"g_exc": 5, "g_inh": 10, "v": 20}, rel=1e-9)
    assert list(constants(LEAKY)) == ["g_exc", "g_inh", "v"]  # the fastest first
    assert constants(LEAKY.replace(g_L=80 * nS, tau_inh=1 * ms)) == pytest.approx({"g_inh": 1, "v": 2.5, "g_exc": 5}, rel=1e-9)
    assert list(constants(LEAKY.replace(tau_inh=1 * ms)))[0] == "g_inh"


def test_the_axon_of_hodgkin_and_huxley():
    """Their rate functions at rest; the membrane's is its capacitance over all conductances that are open."""
    model = ns.load_cell("hodgkin_huxley")
    found, birth, p = constants(model), model.initial_values(), {name: one.value for name, one in model.parameters.items()}
    assert [found[gate] for gate in "mhn"] == pytest.approx([0.2368, 8.516, 5.459], rel=1e-3)
    open_channels = p["gbar_L"] + p["gbar_Na"] * birth["m"] ** 3 * birth["h"] + p["gbar_K"] * birth["n"] ** 4
    assert found["v"] == pytest.approx(1e3 * p["c_m"] / open_channels, rel=1e-9)
    assert abs(found["v"] / (1e3 * p["c_m"] / p["gbar_L"]) - 1) > 0.5  # the control: not of the leak alone


def test_equations_that_are_not_linear():
    """Brette & Gerstner 2005 and Izhikevich 2007, eq. 8.5, differentiated at rest."""
    model = ns.load_cell("adex")
    p = {name: one.value for name, one in model.parameters.items()}
    slope = p["g_L"] * (np.exp((model.initial_values()["v"] - p["V_T"]) / p["Delta_T"]) - 1) / p["C_m"]
    assert constants(model)["v"] == pytest.approx(1e3 / abs(slope), rel=1e-6)
    model = ns.load_cell("izhikevich_2007")
    p = {name: one.value for name, one in model.parameters.items()}
    assert constants(model)["v"] == pytest.approx(1e3 * p["C_m"] / (p["k"] * (p["V_T"] - p["V_rest"])), rel=1e-6)


def test_what_has_no_time_constant_is_left_out(tmp_path):
    assert list(constants(ns.load_cell("leaky_adaptive_threshold"))) == ["v"]  # theta changes with spikes only
    assert constants(ns.load_cell("spike_source")) == {}
    assert constants(load_text(tmp_path, CELL, ("-w/tau_w : amp", "-b/tau_w : amp"))) == pytest.approx({"v": 10})


@pytest.mark.parametrize("factor", ["(v - E_L)/(v - E_L)", "1/(k - 2)", "exp(1e3*k)"])
def test_what_cannot_be_worked_out_is_left_out(tmp_path, factor):
    model = load_text(tmp_path, CELL, ("-w/tau_w : amp", f"-w/tau_w*{factor} : amp"))
    assert constants(model) == pytest.approx({"v": 10})
    with pytest.warns(TimeStepWarning, match="v of population 'cells'"):
        timescales.warn_of_time_step(one(model).populations.values(), 0.03)


def test_cells_that_differ_count_by_the_fastest():
    spread = {"tau_exc": [3, 0.1, 7] * ms, "C_m": [400, 200, 100] * pF}
    assert constants(LEAKY.with_spread(spread), **spread) == pytest.approx({"g_exc": 0.1, "g_inh": 10, "v": 10}, rel=1e-9)
    cells = ns.create("cells", "leaky_conductance", 3, spread=spread)
    with pytest.warns(TimeStepWarning, match="g_exc of population 'cells' .* 0.1 ms"):
        timescales.warn_of_time_step([cells], 0.21e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TimeStepWarning)
        timescales.warn_of_time_step([cells], 0.19e-3)


# --- the warning -----------------------------------------------------------------------------------------------------


def test_cells_of_the_catalogue_are_silent_at_their_own_time_steps():
    for name in ns.cells():
        model = ns.load_cell(name)
        cells = one(model).populations.values()
        with warnings.catch_warnings():
            warnings.simplefilter("error", TimeStepWarning)
            for dt in {float(row.dt) for row in model.expected} or {1e-4}:
                timescales.warn_of_time_step(cells, dt)
        if not model.source:
            with pytest.warns(TimeStepWarning, match=f"{name}.* take dt = "):
                timescales.warn_of_time_step(cells, 0.2)


def test_the_warning_names_everything_before_anything_runs(tmp_path, monkeypatch):
    cell = euler(tmp_path)
    monkeypatch.setattr(ns.Brian2, "run", lambda *arguments: pytest.fail("something was simulated"))
    message = (
        "dt is 22 ms, but v of population 'cells' (leaky) has a time constant of 10 ms, and euler overshoots beyond one time constant "
        "and diverges beyond 2; take dt = 2 ms"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", TimeStepWarning)
        with pytest.raises(TimeStepWarning, match=f"^{re.escape(message)}$"):
            run(one(cell), 22 * ms, 220 * ms)
        with pytest.raises(TypeError, match="duration"):  # what is wrong comes before what is unwise
            run(one(cell), 22 * ms, 220)


@pytest.mark.parametrize(("tau", "advice"), [(10, 2), (24.9, 2), (25, 5), (26, 5), (49.9, 5), (51, 10), (0.5, 0.1), (0.04, 0.005)])
def test_the_time_step_to_take(tmp_path, tau, advice):
    with pytest.warns(TimeStepWarning, match=f"take dt = {advice:g} ms$"):
        timescales.warn_of_time_step(one(euler(tmp_path, tau_m=tau * ms, tau_w=1 * second)).populations.values(), 0.1)


LIMITS = {"euler": 1, "sequential_euler": 1, "rk2": 1, "rk4": 1, "exponential_euler": 2, "exact": 2}


@pytest.mark.parametrize("method", LIMITS)
def test_each_method_has_its_limit(tmp_path, method):
    cells = one(load_text(tmp_path, CELL, ("exponential_euler", method))).populations.values()
    with warnings.catch_warnings():
        warnings.simplefilter("error", TimeStepWarning)
        timescales.warn_of_time_step(cells, 0.999 * LIMITS[method] * 10e-3)
    with pytest.warns(TimeStepWarning, match=method if method != "exact" else "spikes"):
        timescales.warn_of_time_step(cells, 1.001 * LIMITS[method] * 10e-3)


def deviations(cell, dt, steps):
    """v - E_L of a silent cell that begins 1 mV above its rest of -70 mV, step by step."""
    _, recording = run(one(cell, state={"v": -69 * mV}), dt, steps * dt, record=[ns.Trace("cells", "v")])
    return recording["cells"].trace("v").si[0] + 70e-3


def test_what_it_warns_of_happens(tmp_path):
    """Euler's method multiplies a deviation by 1 - dt/tau in each step."""
    silent = euler(tmp_path, V_th=1e6 * mV)
    with pytest.warns(TimeStepWarning):
        wrong = deviations(silent, 22 * ms, 30)
    np.testing.assert_allclose(wrong, 1e-3 * (-1.2) ** np.arange(30), rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TimeStepWarning)
        right = deviations(silent, 1 * ms, 30)
    assert np.all(np.diff(right) < 0) and abs(right - 1e-3 * np.exp(-np.arange(30) / 10)).max() < 0.02e-3


@pytest.mark.parametrize(("dt", "warned"), [(2.2, True), (0.1, False)])
def test_what_it_warns_of_with_exponential_euler_happens(dt, warned):
    """A conductance of tau = 1 ms passes on dt/tau/(1 - exp(-dt/tau)) times its charge: what it does to v, summed up, is too much."""
    model = LEAKY.replace(tau_exc=1 * ms, V_th=0 * mV)
    steps, circuit = round(300 / dt), one(model, state={"g_exc": 1e-3 * nS})
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        _, recording = run(circuit, dt * ms, steps * dt * ms, record=[ns.Trace("cells", "v")])
    assert len(places(said)) == warned
    area = (recording["cells"].trace("v").si[0] + 60e-3).sum() * dt * 1e-3
    true = 1e-12 * 1e-3 * 60e-3 / 10e-9  # conductance times time constant times distance from reversal, over the leak
    assert area / true == pytest.approx(dt / -np.expm1(-dt), rel=0.01)
    assert (area / true > 2) == warned


def test_it_is_said_once_where_the_user_stands(tmp_path):
    circuit = one(euler(tmp_path))
    with pytest.warns(TimeStepWarning) as said:
        after, _ = run(circuit, 22 * ms, 44 * ms)
    assert places(said) == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error", TimeStepWarning)
        run(after, 22 * ms, 44 * ms)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")
        life = ns.Lifecycle(epoch=22 * ms, phases=[ns.Phase("youth", epochs=3)])
        ns.develop(circuit, life, backend=ns.Brian2(dt=22 * ms, target="numpy"), progress=False)
    assert places(said) == [__file__]


def test_a_model_is_worked_out_once(tmp_path, monkeypatch):
    cell, counted, measured = euler(tmp_path, tau_m=9.87 * ms), [], timescales._measured
    monkeypatch.setattr(timescales, "_measured", lambda *arguments: counted.append(1) or measured(*arguments))
    assert time_constants(cell) == time_constants(euler(tmp_path, tau_m=9.87 * ms)) and len(counted) == 1
    time_constants(euler(tmp_path, tau_m=9.88 * ms))
    assert len(counted) == 2
