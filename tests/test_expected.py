"""Known answers of cells: every `[[expected]]` row of the catalogue, where firing begins, and the closed form of the leaky cell.

Published: Hodgkin & Huxley 1952, Rinzel & Miller 1980, Brette et al. 2007 (benchmark 3), Lapicque 1907. The numbers are those
of LSODA at a relative tolerance of 1e-8, or of closed forms.
"""

from dataclasses import replace

import numpy as np
import pytest
from protocols_run import measured

import neurosim as ns
from neurosim.units import cm, ms, mV, nA, pF, uA

MODELS = {model.name: model for model in map(ns.load_cell, ns.cells()) if not model.source}
CASES = sorted({(name, row.protocol) for name, model in MODELS.items() for row in model.expected})
CYTHON, NUMPY = "cython", "numpy"


def target(name, protocol):
    """Cython for many costly steps; its first build of a cell or a synapse takes 10 s and more."""
    return NUMPY if name.startswith("leaky") or protocol == "psp" else CYTHON


def rows_of(name, *protocols):
    return [row for row in MODELS[name].expected if row.protocol in protocols]


def misses(rows, values):
    """Say of each value that is not within the tolerance of its row."""
    return [
        f"{row.protocol} {dict(row.settings)}: {row.measure} is {value}, expected {row.value} +- {row.tolerance}"
        for row, value in zip(rows, values, strict=True)
        if not abs(value - row.value) <= row.tolerance
    ]


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_the_catalogue_gives_what_its_files_expect(name, protocol):
    rows = rows_of(name, protocol)
    assert not misses(rows, measured(MODELS[name], rows, target(name, protocol)))


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
    ],
)
def test_control_a_parameter_wrong_by_a_tenth_misses(name, parameter, protocol, at_least):
    model, rows = MODELS[name], rows_of(name, protocol)
    rows = [row for row in rows if parameter not in row.parameters]
    wrong = model.replace(**{parameter: 1.1 * model.namespace()[parameter]})
    assert len(misses(rows, measured(wrong, rows, target(name, protocol)))) >= at_least


# --- where firing begins ---------------------------------------------------------------------------------------------

RATES = {6.3: 52.4, 6.5: 55.1, 7: 58.3, 8: 62.5, 10: 68.3, 15: 78.6, 20: 86.5, 30: 98.8, 50: 117.0}  # uA/cm2 -> Hz
SILENT = (2.24, 2.25, 6.2, 6.25, 100)


def trains(model, densities, dt):
    """Spike times in ms of one cell for each current density, 400 ms from rest."""
    current = np.array(densities) * uA / cm**2 * model.namespace()["area"]
    circuit = ns.Circuit([ns.create("cell", model, len(densities))])
    step = ns.StepCurrent("cell", "I_e", current)
    _, recording = ns.simulate(circuit, 400 * ms, inputs=[step], backend=ns.Brian2(dt=dt, target=CYTHON), progress=False)
    spikes = recording["cell"].spikes
    return {density: np.asarray(spikes.t / ms)[spikes.id == k] for k, density in enumerate(densities)}


def late_rate(times):
    late = times[times > 200]
    return 1000 / np.diff(late).mean() if len(late) > 1 else 0.0


def test_the_squid_axon_begins_to_fire_at_once_with_52_hz():
    """A type II cell, with a Runge-Kutta method in place of its own: near onset the number of spikes asks for a higher order."""
    model = MODELS["hodgkin_huxley"]
    model = ns.CellModel.from_specification({**model.specification(), "method": "rk4"})
    found = trains(model, [*SILENT, *RATES], 0.05 * ms)
    assert [len(found[density]) for density in SILENT] == [0, 1, 3, 8, 1]
    assert found[6.25][-1] == pytest.approx(141.8, abs=0.1)
    assert found[100][-1] < 1  # blocked after one spike
    for density, rate in RATES.items():
        assert late_rate(found[density]) == pytest.approx(rate, abs=0.1)
        assert found[density][-1] > 400 - 1000 / rate - 1


def test_its_own_method_keeps_the_onsets():
    found = trains(MODELS["hodgkin_huxley"], [*SILENT, *RATES], 0.01 * ms)
    assert [len(found[density]) for density in (2.24, 2.25, 100)] == [0, 1, 1]
    assert 5 <= len(found[6.25]) <= 8 and found[6.25][-1] < 150
    for density, rate in RATES.items():
        assert late_rate(found[density]) == pytest.approx(rate, rel=0.01)


def test_the_error_of_its_own_method_shrinks_with_the_time_step():
    density = [7, 15, 30]
    model = MODELS["hodgkin_huxley"]
    errors = [
        max(abs(late_rate(found[d]) / RATES[d] - 1) for d in density)
        for found in (trains(model, density, dt * ms) for dt in (0.04, 0.02, 0.01))
    ]
    assert errors[0] > 1.5 * errors[1] > 2 * errors[2]
    assert errors[0] > 0.01  # the control: too coarse a step misses


def test_traub_and_miles_at_a_current_between_the_rows():
    model = MODELS["traub_miles"]
    row = rows_of("traub_miles", "step_current")[1]
    between = replace(row, settings={**row.settings, "amplitude": 0.15 * nA})
    assert float(measured(model, [between])[0]) == pytest.approx(31.6, rel=0.01)


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
