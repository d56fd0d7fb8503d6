"""Errors of spikes at each time step: exact spike times against closed forms, errors against those of linear methods, and what files advise."""

import warnings

import brian2
import numpy as np
import pytest
from life_data import NUMPY
from model_texts import CELL, load_text
from scipy.integrate import solve_ivp

import neurosim as ns
from neurosim.integration import exact_spikes, excess
from neurosim.time_steps import DTS, STEPS
from neurosim.units import ms, mV, nA, nS, pA, quantity, second
from neurosim.waveforms import Waveform, step

CATALOGUE = {one.name: one for one in map(ns.load_cell, ns.cells()) if not one.source}
BIOPHYSICAL = sorted(name for name, one in CATALOGUE.items() if one.spike.rule == "crossing" and one.method == "exponential_euler")
# v turns round and round and rises through 0 mV every 10 ms: a linear method turns it by a known angle a step, whatever the step is
OSCILLATOR = '''
name = "oscillator"
summary = "A harmonic oscillator, whose crossings are known."
references = ["Hairer E, Lubich C, Wanner G (2006). Geometric Numerical Integration. Springer."]
method = "METHOD"
equations = """
dv/dt = omega*u + I_e/C_m : volt
du/dt = -omega*v : volt
"""
[spike]
rule = "crossing"
threshold = "0*mV < v"
[initial]
v = "-1*mV"
u = "0*mV"
[parameters]
area = { value = "100*um**2", meaning = "membrane area", source = "chosen" }
C_m = { value = "100*pF", meaning = "capacitance", source = "chosen" }
omega = { value = "200*pi/second", meaning = "angular frequency", source = "chosen" }
[receptors]
I_e = { kind = "current", meaning = "injected current" }
'''
OMEGA = 200 * np.pi
ANGLES = {  # of a step of length x = omega*dt, from the method's amplification factor
    "euler": np.arctan,
    "rk2": lambda x: np.angle(1 + 1j * x - x**2 / 2),
    "rk4": lambda x: np.angle(1 + 1j * x - x**2 / 2 - 1j * x**3 / 6 + x**4 / 24),
    "sequential_euler": lambda x: np.arccos(1 - x**2 / 2),
}
ORDER = {"euler": 2, "rk2": 2, "rk4": 4, "sequential_euler": 2}  # of the angle: that of euler is better than its radius


def oscillator(folder, method="rk4"):
    return load_text(folder, OSCILLATOR, ("METHOD", method))


def constant(amplitude, duration, name="step"):
    return ns.Stimulus(name, {"I_e": step(amplitude, duration, dt=1 * ms)})


def exact(cell, stimulus, **others):
    return np.asarray(exact_spikes(cell, stimulus, **others))


# --- exact spike times -----------------------------------------------------------------------------------------------


def test_the_spikes_of_the_leaky_cell_are_its_closed_form():
    """Lapicque 1907, and the refractory time; the current is stronger in the second half of the run."""
    cell = CATALOGUE["leaky"]
    p = cell.si_namespace()
    tau, distance = p["C_m"] / p["g_L"], p["V_th"] - p["E_L"]
    driven = distance * np.array([1.5, 2.0])
    found = exact(cell, ns.Stimulus("two steps", {"I_e": Waveform(driven * p["g_L"] * brian2.amp, 60 * ms)}))
    first = tau * np.log(driven[0] / (driven[0] - distance))
    early = first + np.arange(10) * (first + p["tau_ref"])
    early = early[early < 0.06]
    begun = max(early[-1] + p["tau_ref"], 0.06)
    reached = driven[0] * -np.expm1(-max(0.06 - early[-1] - p["tau_ref"], 0) / tau)  # above rest, when the current rises
    next_ = begun + tau * np.log((driven[1] - reached) / (driven[1] - distance))
    second_ = tau * np.log(driven[1] / (driven[1] - distance)) + p["tau_ref"]
    late = next_ + np.arange(20) * second_
    expected = np.concatenate([early, late[late < 0.12]])
    assert len(found) == len(expected) > len(early) > 1
    assert np.abs(found - expected).max() < 1e-9


def test_the_spikes_of_the_squid_axon_are_those_of_its_equations_written_by_hand():
    """Hodgkin & Huxley 1952 in mV and ms, 10 uA/cm2, at 6.3 degC, by Radau IIA."""

    def slope(_, y):
        v, m, h, n = y
        rates = [(0.1 * (v + 40) / -np.expm1(-(v + 40) / 10), 4 * np.exp(-(v + 65) / 18))]
        rates += [(0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10)))]
        rates += [(0.01 * (v + 55) / -np.expm1(-(v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80))]
        current = 120 * m**3 * h * (50 - v) + 36 * n**4 * (-77 - v) + 0.3 * (p["E_L"] * 1e3 - v) + 10
        return [current, *(a * (1 - x) - b * x for (a, b), x in zip(rates, (m, h, n), strict=True))]

    cell = CATALOGUE["hodgkin_huxley"]
    p, start = cell.si_namespace(), cell.initial_values()
    crossing = lambda t, y: y[0]  # noqa: E731
    crossing.direction = 1
    y = [start["v"] * 1e3, start["m"], start["h"], start["n"]]
    done = solve_ivp(slope, (0, 40), y, "Radau", events=crossing, rtol=1e-9, atol=1e-11)
    found = exact(cell, constant(0.1 * brian2.amp / brian2.metre**2 * cell.namespace()["area"], 40 * ms))
    assert len(found) == len(done.t_events[0]) == 3
    assert np.abs(found - done.t_events[0] / 1e3).max() < 2e-8


def test_an_upstroke_without_bound_ends_where_others_found_it():
    """The rate in the file is of a Runge-Kutta integration with events."""
    cell = CATALOGUE["adex"]
    [row] = [row for row in cell.expected if row.measure == "rate" and float(row.settings["amplitude"]) == 1e-9]
    rate = 1 / np.diff(exact(cell, constant(row.settings["amplitude"], row.settings["duration"]))).mean()
    assert rate == pytest.approx(float(row.value), rel=2e-5)


def test_a_tighter_tolerance_moves_no_spike():
    cell, stimulus = CATALOGUE["adex"], ns.step_and_noise(1 * nA, 60 * ms)[1]
    loose, tight = (exact(cell, stimulus, tolerance=one) for one in (1e-8, 1e-10))
    assert len(tight) > 2 and np.abs(loose - tight).max() < 1e-7
    assert np.abs(exact(cell, stimulus, tolerance=1e-3) - tight).max() > 1e-7  # the control


def test_a_threshold_is_a_comparison():
    assert excess("v > V_th + theta") == "(v) - (V_th + theta)" and excess("V_th <= v") == "(v) - (V_th)"
    for text in ("v > 0*mV and w < 1", "v", "0*mV < v < 1*mV", "v == V_th"):
        with pytest.raises(ValueError, match="is no comparison of two values; write it as 'v > V_th'"):
            excess(text)


# --- errors at a time step -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ANGLES)
def test_methods_are_off_by_their_own_angle_and_show_their_order(tmp_path, method):
    cell = oscillator(tmp_path, method)
    quiet = constant(0 * pA, 100 * ms, "none")
    found = ns.time_step_errors(cell, quiet, [0.25, 0.125] * ms, backend=NUMPY, progress=False)
    assert exact(cell, quiet) == pytest.approx((0.25 + np.arange(10)) * 0.01, abs=1e-9)
    steps = OMEGA * np.array([0.25e-3, 0.125e-3])
    expected = np.abs(steps / ANGLES[method](steps) - 1)
    assert found.table["spikes"].tolist() == [8, 8]
    assert found.table["interval"] == pytest.approx(expected, rel=0.01)
    assert np.log2(expected[0] / expected[1]) == pytest.approx(ORDER[method], abs=0.1)
    assert found.order == pytest.approx(ORDER[method], abs=0.1)


def test_spikes_with_a_reset_are_off_by_the_grid():
    """The update of the leaky cell is exact: v passes the threshold in update n, and the cell is held until tau_ref after its beginning."""
    cell = CATALOGUE["leaky"]
    p = cell.si_namespace()
    distance = p["V_th"] - p["E_L"]
    amplitude = 1.5 * distance * p["g_L"]
    first = p["C_m"] / p["g_L"] * np.log(3)
    found = ns.time_step_errors(cell, constant(quantity(amplitude, nA.dim), 200 * ms), [0.5, 0.1] * ms, backend=NUMPY, progress=False)
    for row in found.table:
        updates = int(np.floor(first / row["dt"])) + 1
        grid = (updates - 1 + np.arange(row["spikes"]) * (round(p["tau_ref"] / row["dt"]) + updates - 1)) * row["dt"] + row["dt"] / 2
        expected = first + np.arange(row["spikes"]) * (first + p["tau_ref"])
        assert row["spikes"] > 4
        assert row["largest"] == pytest.approx(np.abs(grid - expected).max(), abs=1e-9)
        assert row["mean"] == pytest.approx(np.abs(grid - expected).mean(), abs=1e-9)
        assert row["interval"] == pytest.approx(abs(np.ptp(grid) / np.ptp(expected) - 1), abs=1e-9)
    assert found.at(0.1 * ms) == found.table[1] and found.reference < 1e-8
    assert "leaky, exponential_euler: order" in str(found) and str(found).splitlines()[-1].split()[0] == "0.1"
    with pytest.raises(ValueError, match="dt = 300. us was not tried with 'leaky'; give one of"):
        found.at(0.3 * ms)


@pytest.mark.parametrize("name", ["hodgkin_huxley", "wang_buzsaki"])
def test_spikes_that_are_missing_make_the_error_infinite(name):
    """At 1 ms the squid axon loses spikes, and rk4 its finite state."""
    stimulus = constant(CATALOGUE[name].time_step.current, 40 * ms)
    long, short = ns.time_step_errors(name, stimulus, [1, 0.1] * ms, backend=NUMPY, progress=False).table
    assert long["interval"] == long["mean"] == long["largest"] == np.inf and long["spikes"] < short["spikes"]
    assert np.isfinite(short["interval"]) and short["spikes"] > 1
    if name == "wang_buzsaki":
        with pytest.raises(ns.NonFiniteStateError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ns.respond(name, stimulus, dt=1 * ms, backend=NUMPY, progress=False)


def errors(*intervals):
    dts = 1e-4 / 2.0 ** np.arange(len(intervals))
    return ns.TimeStepErrors(
        "cell", "rk2", "crossing", np.array([(dt, 9, 1e-4, 1e-4, one) for dt, one in zip(dts, intervals, strict=True)], STEPS), 1e-9, 0.01
    )


def test_what_is_advised_holds_for_all_shorter_time_steps():
    assert float(errors(0.04, 0.009, 0.002).advised) == pytest.approx(5e-5)
    assert float(errors(0.009, 0.02, 0.002).advised) == pytest.approx(2.5e-5)  # which luck at a longer one does not change
    assert errors(0.04, 0.03, 0.02).advised is None
    assert float(errors(0.01, 0.005, 0.002).advised) == pytest.approx(1e-4)


def test_the_order_is_that_of_small_errors_above_those_of_the_reference():
    assert errors(0.5, 0.016, 0.004, 0.001, 1e-8).order == pytest.approx(2, rel=1e-9)
    assert np.isnan(errors(0.5, 0.016).order)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda cell: ns.time_step_errors(cell), r"'oscillator' has no table \[time_step\]; give stimuli, such as ns.step_and_noise"),
        (lambda cell: ns.time_step_errors(cell, constant(0 * pA, 10 * ms)), "has 1 spikes in the first 80% of stimulus 'step'; give a str"),
        (lambda cell: ns.time_step_errors("leaky", dts=[0.1, 0] * ms), "time steps of 'leaky' are .*; give some above 0, in one row"),
        (lambda cell: ns.time_step_errors("leaky", dts=[[0.1], [0.2]] * ms), "in one row"),
        (lambda cell: ns.time_step_errors("spike_source", constant(0 * pA, 10 * ms)), "'spike_source' is a source of spikes"),
        (
            lambda cell: exact_spikes(cell, ns.Stimulus("wrong", {"G_exc": Waveform([1] * nS, 1 * ms)})),
            "stimulus 'wrong' is for receptor 'G_exc', which 'oscillator' lacks. Choose one of: I_e",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path, make, message):
    with pytest.raises(ValueError, match=message):
        make(oscillator(tmp_path))


# --- against Brian2's own method -------------------------------------------------------------------------------------


def brian2_potential(cell, current, duration, dt):
    """v of one cell in a plain NeuronGroup with Brian2's exponential_euler."""
    names = {**cell.namespace(), **{name: quantity(0.0, dimensions) for name, dimensions in cell.continuous.items()}, "I_e": current}
    brian2.start_scope()
    group = brian2.NeuronGroup(
        1, cell.equations, method="exponential_euler", dt=dt, namespace=names, codeobj_class=brian2.codegen.runtime.NumpyCodeObject
    )
    for name, value in cell.initial_values().items():
        group.state(name, use_units=False)[:] = value
    trace = brian2.StateMonitor(group, "v", record=True, dt=dt, codeobj_class=brian2.codegen.runtime.NumpyCodeObject)
    brian2.Network(group, trace).run(duration)
    return np.asarray(trace.v)[0]


@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name == "hodgkin_huxley" else pytest.mark.slow) for name in BIOPHYSICAL])
def test_spikes_are_no_less_accurate_than_those_of_plain_brian2(name):
    cell, dt = CATALOGUE[name], 0.05 * ms
    duration = 40 * ms if name == "hodgkin_huxley" else 100 * ms
    stimulus = constant(cell.time_step.current, duration)
    own = np.asarray(ns.respond(cell, stimulus, dt=dt, record=["v"], backend=NUMPY, progress=False).v)
    plain = brian2_potential(cell, cell.time_step.current, duration, dt)
    level = float(cell.evaluate(cell.spike.threshold.removeprefix("v > ")))
    ours, theirs = (np.asarray(ns.measures.upward_crossings(one * brian2.volt, dt, level * brian2.volt)) for one in (own, plain))
    found = exact(cell, stimulus)[: len(theirs)]
    assert len(ours) == len(theirs) == len(found) > 2
    wrong = [np.abs(one - found) for one in (ours, theirs)]
    assert (wrong[0] <= wrong[1] * (1 + 1e-6) + 1e-9).all()
    assert wrong[1].max() > 1e-5  # the control: at this dt there is an error to compare


# --- what files advise -----------------------------------------------------------------------------------------------


def test_every_cell_of_the_catalogue_advises_a_time_step():
    for cell in CATALOGUE.values():
        assert np.isclose(float(cell.time_step.advised), np.asarray(DTS), rtol=1e-9, atol=0).any(), cell.name
    assert ns.load_cell("spike_source").time_step is None


def remeasured(name, dts, backend):
    """Hold the advice of a file to what is measured at these time steps, which go from longer ones to shorter."""
    advice = CATALOGUE[name].time_step
    found = ns.time_step_errors(name, dts=dts, backend=backend, progress=False)
    assert float(found.at(advice.advised)["interval"]) == pytest.approx(advice.error, rel=0.05)
    assert float(found.advised) == pytest.approx(float(advice.advised), rel=1e-9)  # so that the next longer one is too long


@pytest.mark.parametrize("name", ["leaky", "izhikevich_2007", "leaky_adaptive_threshold"])
def test_the_advice_of_a_file_is_what_is_measured(name):
    advised = float(CATALOGUE[name].time_step.advised)
    near = np.asarray(DTS)[np.asarray(DTS) >= advised * (1 - 1e-9)][-2:]
    remeasured(name, near * second, NUMPY)


@pytest.mark.slow
@pytest.mark.parametrize("name", CATALOGUE)
def test_the_advice_of_every_file_is_what_is_measured_at_all_time_steps(name):
    remeasured(name, DTS, ns.Brian2(target="library"))


TABLE = '\n[time_step]\nadvised = "0.1*ms"\nerror = 0.005\ncurrent = "3*k*b"\nduration = "100*ms"\n\n[[expected]]'
MISTAKES = {
    "unknown key": ("error = 0.005", "erorr = 0.005", r"\[time_step\] has an unknown key 'erorr'. Did you mean 'error'"),
    "missing key": ('current = "3*k*b"\n', "", r"\[time_step\] lacks the key 'current'"),
    "dimension": ('"3*k*b"', '"3*k"', r"\[time_step\] current is '3\*k', but it needs the unit amp"),
    "unknown name": ('"3*k*b"', '"3*kk*b"', r"\[time_step\] current: 'kk' in '3\*kk\*b' is not defined"),
    "no time": ('"0.1*ms"', '"0*ms"', r"\[time_step\] advised is '0\*ms'; give a time above 0"),
    "large error": (
        "error = 0.005",
        "error = 0.05",
        r"\[time_step\] error is 0.05; a time step is advised only where that is from 0 to 0.01",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_the_table_are_named(tmp_path, mistake):
    old, new, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=message):
        load_text(tmp_path, CELL, ("\n[[expected]]", TABLE.replace(old, new)))


def test_no_table_is_no_mistake_and_a_text_is(tmp_path):
    assert load_text(tmp_path, CELL).time_step is None
    with pytest.raises(ValueError, match=r"\[time_step\] is '0.1\*ms'; make it a table, \[time_step\]"):
        load_text(tmp_path, CELL, ('method = "exp', 'time_step = "0.1*ms"\nmethod = "exp'))


def test_the_table_is_read_described_and_left_when_the_method_changes(tmp_path):
    cell = load_text(tmp_path, CELL, ("\n[[expected]]", TABLE))
    assert float(cell.time_step.advised) == pytest.approx(1e-4) and float(cell.time_step.current) == pytest.approx(-60e-12)
    [said] = [line for line in ns.describe(cell).splitlines() if line.startswith("  time step: ")]
    assert (
        said
        == "  time step: 100. us or less; there exponential_euler is off by 0.50% in the mean interval (a step of -60. pA and noise around it, 100. ms each)"
    )
    assert cell.replace(E_L=-65 * mV).time_step is not None and cell.replace(method="exponential_euler").time_step is not None
    assert cell.replace(method="rk2").time_step is None
    assert "time step" not in ns.describe(cell.replace(method="rk2"))


def test_time_scales_warn_of_a_dt_that_is_longer_than_advised():
    life = ns.Lifecycle(20 * second, [ns.Phase("rest", 1)])
    circuit = ns.Circuit([ns.create("squid", "hodgkin_huxley", 2), ns.create("exc", "leaky_conductance", 2)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scales = ns.time_scales(circuit.updated({}, dt_si=1e-4), life)
    said = [str(one.message) for one in caught if one.category is ns.TimeStepWarning]
    assert (
        said
        == list(scales.too_long)
        == [
            "dt is 0.1 ms, but the file of 'hodgkin_huxley' (population 'squid') advises 0.02 ms at most, where its mean interspike interval is within 1 %"
        ]
    )
    assert f"too long: {said[0]}" in str(scales) and [one.filename for one in caught if one.category is ns.TimeStepWarning] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ns.TimeStepWarning)
        for unwarned in (circuit, circuit.updated({}, dt_si=2e-5)):
            assert ns.time_scales(unwarned, life).too_long == ()
