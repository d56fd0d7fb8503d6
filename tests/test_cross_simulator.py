"""The same cell in neurosim and in another simulator: Hodgkin-Huxley in NEURON, Traub-Miles and AdEx in NEST.

Both sides start from the same state. Voltages are compared sample by sample, spikes by interpolated crossings. A tolerance must
stand above what either side changes by when its own step is halved or its own tolerance tightened, which each test measures, and a
parameter wrong by one per cent must exceed it. The fourth-order Runge-Kutta method does the comparing; that the cells' own
method, of first order, goes to the same answer is shown by its error, which halves with the time step.
"""

import numpy as np
import pytest
from cells_run import clamped, stepped, with_method
from peers_run import ask, needs, upward_crossings
from reference_simple import NAUD, NAUD_UNITS, adex_trains

import neurosim as ns
from neurosim.units import kelvin, ms, mV, nA

pytestmark = pytest.mark.peers
VOLTS, TIMES = 0.01, 1e-4  # in mV and ms: ours move by 0.007 mV and 2e-5 ms when the step is halved, theirs by less


def crossings(voltages, every, level, first=0.0):
    """The times in ms at which each voltage rises through a level."""
    return [upward_crossings(v, every, level, first) for v in voltages]


def apart(times, others):
    """The largest distance between two lists of trains of equal counts; infinite where the counts differ."""
    if [len(one) for one in times] != [len(one) for one in others]:
        return np.inf
    return max(abs(one - other).max() for one, other in zip(times, others, strict=True))


# --- Hodgkin and Huxley in NEURON ------------------------------------------------------------------------------------

SQUID = np.array([1.4, 2.0, 4.0])  # nA on 20000 um2: 7, 10 and 20 uA/cm2


def in_neuron(celsius, tolerance):
    side = np.sqrt(20000 / np.pi)
    cell = {"L": side, "diam": side, "cm": 1, "ena": 50, "ek": -77, "gnabar_hh": 0.12, "gkbar_hh": 0.036, "gl_hh": 3e-4, "el_hh": -54.387}
    question = {"cell": cell, "currents": SQUID.tolist(), "onset": 2, "celsius": celsius, "v": -65, "every": 0.02, "duration": 40}
    return ask("neuron", **question, tolerance=tolerance)[0]


def squid(celsius, dt, method="rk4", **changes):
    """Voltages every 0.02 ms of the catalogue's cell."""
    model = with_method(ns.load_cell("hodgkin_huxley"), method).replace(temperature=(celsius + 273.15) * kelvin, **changes)
    state = clamped(model, -65 * mV)
    _, v = stepped(model, SQUID * nA, 40 * ms, dt * ms, onset=2 * ms, state=state, sweep=["temperature", "gbar_Na"])
    return v[:, :: round(0.02 / dt)]


@needs("neuron")
@pytest.mark.parametrize("celsius", [6.3, 16.3])
def test_hodgkin_and_huxley_in_neuron(celsius):
    """Hines & Carnevale 1997 (doi:10.1162/neco.1997.9.6.1179): its mechanism hh without tables, and its variable step method."""
    neuron, coarse, fine = in_neuron(celsius, 1e-9), squid(celsius, 0.02), squid(celsius, 0.01)
    for one, other in ((neuron, in_neuron(celsius, 1e-8)), (fine, coarse), (fine, neuron)):
        assert abs(one - other).max() < VOLTS
        assert apart(crossings(one, 0.02, 0), crossings(other, 0.02, 0)) < TIMES
    assert sum(map(len, crossings(neuron, 0.02, 0))) >= 10
    wrong = squid(celsius, 0.01, gbar_Na=1.01 * ns.load_cell("hodgkin_huxley").namespace()["gbar_Na"])
    assert abs(wrong - neuron).max() > 100 * VOLTS
    assert apart(crossings(wrong, 0.02, 0), crossings(neuron, 0.02, 0)) > 100 * TIMES


@needs("neuron")
def test_the_own_method_of_hodgkin_and_huxley_goes_to_what_neuron_says():
    neuron = crossings(in_neuron(6.3, 1e-9), 0.02, 0)
    errors = np.array([apart(crossings(squid(6.3, dt, "exponential_euler"), 0.02, 0), neuron) for dt in (0.02, 0.01, 0.005)])
    assert errors[:-1] / errors[1:] == pytest.approx(2, abs=0.1)
    assert errors[0] < 0.5


# --- Traub and Miles in NEST -----------------------------------------------------------------------------------------

CORTEX = np.array([0.1, 0.3, 0.6])  # nA


def pyramidal():
    """The catalogue's cell with the one parameter in which NEST's defaults differ from Brette et al. 2007."""
    return ns.load_cell("traub_miles").replace(E_L=-60 * mV)


def in_nest(every):
    state = clamped(pyramidal(), -65 * mV)
    cell = {"V_m": -65, "Act_m": float(state["m"]), "Inact_h": float(state["h"]), "Act_n": float(state["n"])}
    return ask("nest", model="hh_cond_exp_traub", cell=cell, currents=CORTEX.tolist(), every=every, duration=50)


def at_nest_times(model, dt):
    """Voltages every 0.01 ms from 0.01 ms on, as many as NEST gives."""
    _, v = stepped(model, CORTEX * nA, 49.01 * ms, dt * ms, state=clamped(model, -65 * mV), sweep=["gbar_Na"])
    return v[:, round(0.01 / dt) :: round(0.01 / dt)]


@needs("nest")
def test_traub_and_miles_in_nest():
    """NEST's hh_cond_exp_traub with its own parameters; its solver keeps an error of 1e-3 within each step, and it says when a
    spike has passed its peak, so the voltages are compared and its own spikes only counted."""
    model = with_method(pyramidal(), "rk4")
    fine, coarse = at_nest_times(model, 0.005), at_nest_times(model, 0.01)
    (nest, spikes), half = in_nest(0.01), in_nest(0.005)[0][:, 1::2]
    for one, other in ((nest, half), (fine, coarse), (fine, nest)):
        assert abs(one - other).max() < VOLTS
        assert apart(crossings(one, 0.01, -20, 0.01), crossings(other, 0.01, -20, 0.01)) < TIMES
    found = crossings(fine, 0.01, -20, 0.01)
    assert sum(map(len, found)) >= 8
    for ours, theirs in zip(found, spikes, strict=True):
        assert ((0 < theirs - ours) & (theirs - ours < 0.3)).all()  # it spikes at the peak
    wrong = at_nest_times(model.replace(gbar_Na=1.01 * model.namespace()["gbar_Na"]), 0.01)
    assert abs(wrong - nest).max() > 100 * VOLTS
    assert apart(crossings(wrong, 0.01, -20, 0.01), crossings(nest, 0.01, -20, 0.01)) > 100 * TIMES


# --- AdEx in NEST ----------------------------------------------------------------------------------------------------

PATTERNS = [name for name in NAUD if name != "irregular"]  # which is chaotic
EVERY, LATE = 0.01, 0.01  # ms: NEST's step, and what a spike may add to the distance of the next ones


def adex_in_nest(tolerance):
    """Spike times in ms of Naud's cells; NEST's solver resets a cell within the step, at its own tolerance, so its step is not seen."""
    *columns, currents = [[float(number) for number in column] for column in zip(*(NAUD[name] for name in PATTERNS), strict=True)]
    cell = dict(zip(NAUD_UNITS, columns, strict=True))
    same = {"V_th": -50.0, "Delta_T": 2.0, "V_peak": 0.0, "t_ref": 0.0, "gsl_error_tol": tolerance}
    cell |= {"V_m": cell["E_L"], **{name: [value] * len(PATTERNS) for name, value in same.items()}}
    currents = [1e-3 * current for current in currents]
    return ask("nest", model="aeif_cond_exp", cell=cell, currents=currents, every=EVERY, duration=600)[1]


def adex_here(dt, **changes):
    return [np.asarray(train / ms) for train in adex_trains(dt * ms, "rk2", PATTERNS, **changes).values()]


def within(trains, others):
    """Whether trains agree spike for spike, but for NEST's step and a hundredth of a ms for each spike before."""
    if [len(one) for one in trains] != [len(one) for one in others]:
        return False
    pairs = zip(trains, others, strict=True)
    return all((abs(one - other) <= 1.1 * EVERY + LATE * np.arange(len(one))).all() for one, other in pairs)


@needs("nest")
def test_adex_in_nest():
    """NEST's aeif_cond_exp with Naud's cells under steps of 600 ms, with the cell's own method: a reset waits for the end of a step."""
    nest = adex_in_nest(1e-10)
    assert within(adex_in_nest(1e-8), nest)
    assert within(adex_here(0.002), nest)
    assert sum(map(len, nest)) > 150
    errors = [apart(adex_here(dt), nest) for dt in (0.01, 0.002)]
    assert errors[0] > 3 * errors[1]
    for name in ("g_L", "C_m"):
        assert not within(adex_here(0.002, **{name: 1.01}), nest)
