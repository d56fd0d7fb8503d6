"""Known answers of cells: every `[[expected]]` row of the catalogue, which names its source, and the closed form of the leaky cell."""

from dataclasses import replace

import numpy as np
import pytest
from protocols_run import measured

import neurosim as ns
from neurosim.units import ms, mV, nS, pA, pF

MODELS = {model.name: model for model in map(ns.load_cell, ns.cells()) if not model.source}
CASES = sorted({(name, row.protocol) for name, model in MODELS.items() for row in model.expected})
LIBRARY, NUMPY = "library", "numpy"
SIMPLE = ("adex", "exponential_leaky", "izhikevich_2007")


def target(name, protocol):
    """A library for many costly steps; its first build takes 5 s and more."""
    few = protocol == "psp" or name == "izhikevich" or protocol == "rest" and name in SIMPLE
    return NUMPY if few or name.startswith(("leaky", "signal")) else LIBRARY


def rows_of(name, *protocols):
    return [row for row in MODELS[name].expected if row.protocol in protocols]


def misses(rows, values):
    """Say of each value that is not within the tolerance of its row."""
    return [
        f"{row.protocol} {row.set or ''} {dict(row.settings)}: {row.measure} is {value}, expected {row.value} +- {row.tolerance}"
        for row, value in zip(rows, values, strict=True)
        if not (value == row.value if row.tolerance is None else abs(value - row.value) <= row.tolerance)
    ]


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_the_catalogue_gives_what_its_files_expect(name, protocol):
    rows = rows_of(name, protocol)
    assert not misses(rows, measured(MODELS[name], rows, target(name, protocol)))


def test_control_cells_without_adaptation_lose_their_patterns():
    rows = [row for row in rows_of("adex", "step_current") if row.measure == "pattern"]
    assert len(rows) == len({row.value for row in rows}) == 8
    without = [replace(row, parameters={**row.parameters, "a": 0 * nS, "b": 0 * pA}) for row in rows]
    assert set(measured(MODELS["adex"], without, LIBRARY)) <= {"tonic", "silent"}


def test_every_row_is_run():
    assert sum(len(rows_of(name, protocol)) for name, protocol in CASES) == sum(len(model.expected) for model in MODELS.values())
    assert len(CASES) >= 14


@pytest.mark.parametrize(
    ("name", "parameter", "protocol", "at_least"),
    [
        ("hodgkin_huxley", "gbar_Na", "step_current", 5),
        ("hodgkin_huxley", "gbar_Na", "current_pulse", 2),
        ("hodgkin_huxley", "gbar_K", "voltage_displacement", 4),
        ("traub_miles", "gbar_K", "step_current", 4),
        ("leaky_conductance", "g_L", "step_current", 4),
        ("leaky_conductance", "tau_exc", "psp", 1),
        ("leaky_adaptive_threshold", "tau_m", "step_current", 2),
        ("leaky_decaying_threshold", "theta_plus", "step_current", 1),
        ("leaky_exponential_current", "tau_inh", "psp", 2),
        ("signal_leak", "w", "psp", 2),
        ("exponential_leaky", "tau_exc", "psp", 1),
        ("izhikevich", "k", "step_current", 3),
    ],
)
def test_control_a_parameter_wrong_by_a_tenth_misses(name, parameter, protocol, at_least):
    model, rows = MODELS[name], rows_of(name, protocol)
    rows = [row for row in rows if parameter not in row.parameters]
    wrong = model.replace(**{parameter: 1.1 * model.namespace()[parameter]})
    assert len(misses(rows, measured(wrong, rows, target(name, protocol)))) >= at_least


# --- the leaky cell in closed form -----------------------------------------------------------------------------------


def leaky_rates(drives, dt, **changes):
    """Rates in Hz of leaky cells (tau 10 ms, theta 10 mV, reset to rest, refractory for 5 ms) for drives R I in mV."""
    model = MODELS["leaky_conductance"].replace(C_m=100 * pF, tau_ref=5 * ms).replace(**changes)
    current = np.array(drives) * mV * model.namespace()["g_L"]
    circuit = ns.Circuit([ns.create("cell", model, len(drives))])
    step = ns.StepCurrent("cell", "I_e", current)
    _, recording = ns.simulate(circuit, 160 * ms, inputs=[step], backend=ns.Brian2(dt=dt, target=NUMPY), progress=False)
    spikes = recording["cell"].spikes
    times = [spikes.step[spikes.id == k] * float(dt) for k in range(len(drives))]
    return np.array([1 / np.diff(t).mean() if len(t) > 1 else 0.0 for t in times])


DRIVES = np.array([10.5, 12, 15, 20])
CLOSED = 1e3 / (5 + 10 * np.log(DRIVES / (DRIVES - 10)))


def test_leaky_rate_is_that_of_the_closed_form():
    assert CLOSED == pytest.approx([28.21, 43.64, 62.55, 83.81], abs=0.01)
    rates = leaky_rates([*DRIVES, 10, 9.9, 0], 0.1 * ms)
    assert rates[:4] == pytest.approx(CLOSED, rel=0.01)
    assert not rates[4:].any()


def test_leaky_error_is_less_than_a_step_and_shrinks_with_it():
    steps = np.array([0.5, 0.1, 0.025])
    intervals = np.array([1 / leaky_rates(DRIVES, dt * ms) for dt in steps]) - 1 / CLOSED
    worst = abs(intervals).max(axis=1)
    assert (worst < steps * 1e-3).all()
    assert worst[0] > 2 * worst[1] > 4 * worst[2]


def test_control_another_refractory_time_misses_the_closed_form():
    rates = leaky_rates(DRIVES, 0.1 * ms, tau_ref=5.5 * ms)
    assert (abs(rates / CLOSED - 1) > 0.01).all()
