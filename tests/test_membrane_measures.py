"""Measures on membrane traces against triangles, a squid axon integrated by SciPy, and eFEL; f-I types of published curves."""

import re
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import odeint

from neurosim.measures import action_potentials, fi_type, upward_crossings
from neurosim.units import Hz, amp, ms, mV, nA, nS, second, uA

# --- crossings -------------------------------------------------------------------------------------------------------


def test_crossings_are_interpolated():
    """Rises of 2 and of 30 mV a sample; touching the level from above is no rise, arriving at it is one."""
    v = [-1, 1, 0, 5, -10, 20, -5, 0, -5] * mV
    np.testing.assert_allclose(upward_crossings(v, 0.5 * ms) / ms, [0.25, 2 + 0.5 / 3, 3.5])
    np.testing.assert_allclose(upward_crossings(v, 0.5 * ms, level=10 * mV, start=1 * second) / ms, [1002 + 1 / 3])
    assert len(upward_crossings([5, 4] * mV, 1 * ms)) == 0 and len(upward_crossings([-5] * mV, 1 * ms)) == 0


@given(st.floats(-0.9, 0.9), st.integers(1, 40))
def test_crossings_of_a_sine(level, periods):
    """Of -cos of 10 Hz, 1 V high and sampled 1000 times a period: arccos(-level) after each period began, to the sine's curvature."""
    v = -np.cos(2 * np.pi * np.arange(1000 * periods) / 1000) * 1000
    found = upward_crossings(v * mV, 0.1 * ms, level=level * 1000 * mV) / (100 * ms)
    np.testing.assert_allclose(found, np.arange(periods) + np.arccos(-level) / (2 * np.pi), rtol=0, atol=3e-6)


BAD_TRACES = [
    (np.array([]) * mV, ValueError, "trace has shape (0,)"),
    ([[1, 2], [3, 4]] * mV, ValueError, "trace has shape (2, 2); give the samples of one cell in one row"),
    ([1, np.nan] * mV, ValueError, "NaN is not a value"),
    ([1, 2] * nA, TypeError, "needs the dimension of volt"),
    (np.array([1.0, 2.0]), TypeError, "without a unit"),
]


@pytest.mark.parametrize(("v", "error", "message"), BAD_TRACES)
def test_bad_traces(v, error, message):
    for measure in (upward_crossings, action_potentials):
        with pytest.raises(error, match=re.escape(message)):
            measure(v, 0.1 * ms)
        measure([1, 2] * mV, 0.1 * ms)


def test_bad_settings():
    for measure in (upward_crossings, action_potentials):
        with pytest.raises(ValueError, match="dt of the trace is 0. s; give one value above zero"):
            measure([1, 2] * mV, 0 * ms)
        with pytest.raises(TypeError, match="needs the dimension of volt"):
            measure([1, 2] * mV, 0.1 * ms, 0 * nS)


# --- action potentials -----------------------------------------------------------------------------------------------


def triangles():
    """From -60 mV up to 40 mV within 1 ms and down to -80 within 3 ms, back to -60 within 20; then up to 20 mV and down likewise."""
    return np.interp(np.arange(601) * 0.1, [0, 10, 11, 14, 34, 34.8, 37.3, 60], [-60, -60, 40, -80, -60, 20, -80, -60]) * mV


def test_triangles():
    """Slopes of 100 mV/ms up and 40 down: at half of a height h the first is h/200 + h/80 wide, the base is lower than all of it."""
    found = action_potentials(triangles(), 0.1 * ms)
    assert len(found) == 2
    for name, expected in (("time", [10.6, 34.6]), ("peak_time", [11, 34.8]), ("half_width", [0.5 + 1.25, 0.4 + 1.0])):
        np.testing.assert_allclose(getattr(found, name) / ms, expected, atol=1e-9, err_msg=name)
    for name, expected in (("peak", [40, 20]), ("onset", [-60, -60]), ("height", [100, 80]), ("trough", [-80, -80])):
        np.testing.assert_allclose(getattr(found, name) / mV, expected, atol=1e-9, err_msg=name)


def test_a_baseline_instead_of_the_onset():
    found = action_potentials(triangles(), 0.1 * ms, baseline=-80 * mV, threshold=-30 * mV, start=1 * second)
    np.testing.assert_allclose(found.height / mV, [120, 100])
    np.testing.assert_allclose(found.half_width[1:] / ms, [0.5 + 1.25])
    np.testing.assert_allclose(found.time / ms, [1010.3, 1034.3])
    np.testing.assert_allclose(found.onset / mV, [-60, -60])


def test_what_a_trace_does_not_show_is_nan():
    """No fall through half of the height before the end, no slope of 10 mV/ms, no rise above the baseline."""
    cut = action_potentials(triangles()[:115], 0.1 * ms)
    assert len(cut) == 1 and np.isnan(cut.half_width / ms).all() and float(cut.height[0] / mV) == pytest.approx(100)
    slow = action_potentials(triangles(), 1.1 * ms)
    assert np.isnan(slow.onset / mV).all() and np.isnan(slow.height / mV).all() and np.isnan(slow.half_width / ms).all()
    np.testing.assert_allclose(slow.peak / mV, [40, 20])
    assert np.isfinite(action_potentials(triangles(), 1.1 * ms, baseline=-60 * mV).half_width / ms).all()
    high = action_potentials(triangles(), 0.1 * ms, baseline=50 * mV)
    assert (high.height < 0 * mV).all() and np.isnan(high.half_width / ms).all()
    none = action_potentials(triangles(), 0.1 * ms, threshold=50 * mV)
    assert len(none) == 0 and len(none.trough) == 0


@cache
def squid(current, pulse, duration, dt):
    """The squid axon of Hodgkin & Huxley 1952 at 6.3 degrees from rest, in mV and ms: a pulse in uA/cm2, and samples every dt."""

    def rates(v):
        return (
            (0.1 * (v + 40) / -np.expm1(-(v + 40) / 10), 4 * np.exp(-(v + 65) / 18)),
            (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
            (0.01 * (v + 55) / -np.expm1(-(v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)),
        )

    def derivative(state, t, injected):
        v, m, h, n = state
        gates = [alpha * (1 - x) - beta * x for (alpha, beta), x in zip(rates(v), (m, h, n), strict=True)]
        return [injected - 120 * m**3 * h * (v - 50) - 36 * n**4 * (v + 77) - 0.3 * (v + 54.387), *gates]

    settings = {"rtol": 1e-9, "atol": 1e-9}
    rest = odeint(derivative, [-65, *(alpha / (alpha + beta) for alpha, beta in rates(-65))], [0, 300], args=(0,), **settings)[-1]
    on, off = (np.arange(round(time / dt) + 1) * dt for time in (pulse, duration - pulse))
    during = odeint(derivative, rest, on, args=(current,), **settings)
    after = odeint(derivative, during[-1], off, args=(0,), **settings)
    return np.concatenate([during[:, 0], after[1:, 0]])


def test_the_squid_axon():
    """The shape after 20 uA/cm2 for 1 ms from rest: peak 40.5 mV, height 105.5 mV, half-width 1.474 ms, trough -76.2 mV."""
    v = squid(20, 1, 30, 0.01)
    found = action_potentials(v * mV, 0.01 * ms, baseline=v[0] * mV)
    assert len(found) == 1
    assert [float(x[0] / mV) for x in (found.peak, found.height, found.trough)] == pytest.approx([40.5, 105.5, -76.2], abs=0.3)
    assert float(found.half_width[0] / ms) == pytest.approx(1.474, abs=0.02)
    assert float(found.half_width[0] / ms) == pytest.approx((v > v[0] + (v.max() - v[0]) / 2).sum() * 0.01, abs=0.01)
    coarse = action_potentials(v[::10] * mV, 0.1 * ms, baseline=v[0] * mV)
    assert float(coarse.half_width[0] / ms) == pytest.approx(1.474, abs=0.02)  # interpolated, where counted samples are 0.1 ms apart
    other = squid(20, 1.5, 30, 0.01)
    assert float(action_potentials(other * mV, 0.01 * ms, baseline=other[0] * mV).peak[0] / mV) != pytest.approx(40.5, abs=0.3)


@pytest.mark.peers
def test_against_efel():
    """All action potentials of a step; eFEL takes the half-width between samples, which is here interpolated."""
    efel = pytest.importorskip("efel")
    v, dt = squid(10, 190, 200, 0.01), 0.01
    sample, onset = 1e-9, 0.11  # mV; an onset one sample away differs by 10 mV/ms * 0.01 ms
    features = {
        "peak_voltage": ("peak", mV, sample),
        "peak_time": ("peak_time", ms, sample),
        "AP_begin_voltage": ("onset", mV, onset),
        "AP_amplitude": ("height", mV, onset),
        "AP_duration_half_width": ("half_width", ms, dt),
        "min_between_peaks_values": ("trough", mV, sample),
    }
    efel.reset()
    for setting, value in (("Threshold", 0.0), ("interp_step", dt)):
        efel.set_setting(setting, value)
    given = {"T": np.arange(len(v)) * dt, "V": v, "stim_start": [0.0], "stim_end": [200.0]}
    theirs = efel.get_feature_values([given], list(features))[0]
    ours = action_potentials(v * mV, dt * ms)
    assert len(ours) > 10
    for name, (own, unit, tolerance) in features.items():
        np.testing.assert_allclose(getattr(ours, own) / unit, theirs[name], rtol=0, atol=tolerance, err_msg=name)


# --- f-I types -------------------------------------------------------------------------------------------------------

# Current and rate of sustained firing: the squid axon, uA/cm2; Wang & Buzsaki 1996, uA/cm2; Connor-Stevens (Dayan & Abbott), uA/cm2.
SQUID = np.array([(6.25, 0), (6.3, 52.4), (6.5, 55.1), (7, 58.3), (8, 62.5), (10, 68.3), (15, 78.6), (20, 86.5), (30, 98.8), (50, 117)])
INTERNEURON = np.array([(0.16, 0), (0.165, 2.8), (0.2, 8.6), (0.3, 18.1), (0.5, 32.2), (1, 59.7), (2, 101.8), (5, 189.6), (10, 284.9)])
CRAB = np.array([(8.1, 0), (8.5, 9.7), (9, 18.6), (10, 34.1), (12, 60), (15, 91.1), (20, 132.3)])


def leaky(current, above):
    """1 / (tau ln(RI / (RI - theta))) of tau 10 ms and a threshold current of 1: continuous, though steep."""
    current = np.concatenate([[1 - above], np.linspace(1 + above, 3, 100)]) * current
    with np.errstate(invalid="ignore"):
        return np.stack([current, np.nan_to_num(100 / np.log(current / (current - 1)))], axis=1)


@pytest.mark.parametrize(
    ("curve", "type", "current", "rate"),
    [
        (SQUID, "type II", 6.3, 52.4),
        (SQUID[:8], "type II", 6.3, 52.4),
        (INTERNEURON, "type I", 0.165, 2.8),
        (INTERNEURON[:5], "type I", 0.165, 2.8),
        (CRAB, "type I", 8.5, 9.7),
        (leaky(1, 1e-3), "type I", 1.001, 14.47),
        (leaky(1, 0.04), "type I", 1.04, 30.69),
    ],
)
def test_types_of_published_curves(curve, type, current, rate):
    found = fi_type(curve[:, 0] * uA, curve[:, 1] * Hz)
    assert found.type == type
    assert float(found.current / uA) == pytest.approx(current) and float(found.rate / Hz) == pytest.approx(rate, rel=1e-3)


def test_the_type_does_not_depend_on_what_lies_beyond_twice_the_onset():
    steep = fi_type([0.95, 1, 2, 3] * nA, [0, 6, 10, 20] * Hz)
    assert steep.type == "type II" and fi_type([0.95, 1, 2, 3] * nA, [0, 4, 10, 20] * Hz).type == "type I"
    blocked = np.concatenate([SQUID, [(100, 0)]])
    assert fi_type(blocked[:, 0] * uA, blocked[:, 1] * Hz).type == "type II"
    jump = np.stack([INTERNEURON[:, 0], np.where(INTERNEURON[:, 1] > 0, INTERNEURON[:, 1] + 60, 0)], axis=1)
    assert fi_type(jump[:, 0] * uA, jump[:, 1] * Hz).type == "type II"


@pytest.mark.parametrize(
    ("currents", "rates", "error", "message"),
    [
        ([1, 2] * nA, [0, 0] * Hz, ValueError, "the cell does not fire repetitively up to 2e-09 A; give stronger currents"),
        ([1, 2] * nA, [5, 6] * Hz, ValueError, "the cell fires at 1e-09 A, the lowest current or one not above 0"),
        ([-1, 0, 1] * nA, [0, 6, 7] * Hz, ValueError, "its onset needs weaker currents without firing"),
        ([1, 2, 4] * nA, [0, 6, 9] * Hz, ValueError, "no current between 1e-09 A (silent) and 2e-09 A (6 Hz)"),
        ([1.9, 2, 3] * nA, [0, 6, 9] * Hz, ValueError, "the f-I curve ends at 3e-09 A, below twice the onset at 2e-09 A"),
        ([1, 2, 4] * nA, [0, 6] * Hz, ValueError, "currents of shape (3,) and rates of shape (2,) are no f-I curve"),
        ([2, 1] * nA, [0, 6] * Hz, ValueError, "the currents do not increase"),
        ([1, 2] * nA, [0, -6] * Hz, ValueError, "or a rate is negative"),
        (np.array([]) * amp, np.array([]) * Hz, ValueError, "does not fire repetitively"),
        ([1, 2] * nA, [0, np.nan] * Hz, ValueError, "NaN is not a value"),
        ([1, 2] * mV, [0, 6] * Hz, TypeError, "currents is"),
        ([1, 2] * nA, [0, 6] * ms, TypeError, "rates is"),
    ],
)
def test_curves_that_show_no_onset(currents, rates, error, message):
    with pytest.raises(error, match=re.escape(message)):
        fi_type(currents, rates)
