"""Maturation: what follows the age of cells, and what that does to their thresholds, their learning and what inhibition does to them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from life_data import NUMPY, circuit, develop, recorded, rng
from plastic_pairs import W_MAX, change, pairs_of_cells, play

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.units import Hz, ms, mV, nS, pA

MATURE, YOUNG = -50 * mV, -58 * mV
THRESHOLD = ns.Maturation("exc", "V_th", [1, 3], np.array([-58, -50]) * mV)


def aged(now, name, ages):
    """The circuit, ten epochs on, whose cells will be so many epochs old after the next boundary."""
    cells = now[name].cells
    return now.updated({name: replace(now[name], cells=cells.replace(birth=11 - np.asarray(ages)))}, epoch=10)


def grown(now, rule, recording=None):
    """The circuit after the books of a rule were kept once."""
    rule.check(now)
    return kept(begun(now, [rule]), recording, [rule])[0]


def cells(ages, **spread):
    exc = ns.create("exc", "leaky_conductance", len(ages), spread=spread or {"V_th": MATURE})
    return aged(ns.Circuit([exc]), "exc", ages)


# --- values follow ages ----------------------------------------------------------------------------------------------


def test_values_follow_ages_along_straight_lines():
    ages = np.arange(8)
    rule = ns.Maturation("exc", "V_th", [1, 3, 6], np.array([-58, -52, -50]) * mV)
    assert grown(cells(ages), rule)["exc"].V_th / mV == pytest.approx([-58, -58, -55, -52, -52 + 2 / 3, -52 + 4 / 3, -50, -50])
    other = cells(ages).set("exc", V_th=-45 * mV)
    assert grown(other, rule)["exc"].V_th / mV == pytest.approx([-58, -58, -55, -52, -52 + 2 / 3, -52 + 4 / 3, -50, -45])  # grown up before


def test_founders_are_mature_unless_they_are_said_to_be_young():
    exc = ns.create("exc", "leaky_conductance", 3, spread={"V_th": MATURE})
    assert (grown(ns.Circuit([exc]), THRESHOLD)["exc"].V_th == MATURE).all()
    young = replace(THRESHOLD, founders=0.0)
    assert grown(ns.Circuit([exc]), young)["exc"].V_th / mV == pytest.approx([-58] * 3)
    assert grown(ns.Circuit([exc]).updated({}, epoch=1), young)["exc"].V_th / mV == pytest.approx([-54] * 3)


def test_newborn_cells_begin_with_the_first_value_and_mothers_keep_theirs():
    now = begun(cells([20, 20]), [THRESHOLD])
    after = ns.apply(now, ns.Events.divide("exc", [1], rng=rng()) + ns.Events.bear("exc", 2, rng=rng())).updated({}, epoch=11)
    assert after["exc"].V_th / mV == pytest.approx([-50, -50, -58, -58, -58])
    plain = ns.apply(cells([20, 20]), ns.Events.divide("exc", [1], rng=rng()))
    assert plain["exc"].V_th / mV == pytest.approx([-50] * 3)  # the control: without the rule a daughter has her mother's
    saved = kept(after, None, [THRESHOLD])[0]
    assert saved["exc"].V_th / mV == pytest.approx([-50, -50, -58, -58, -58])


def test_a_life_matures_its_newborn(tmp_path):
    """Cells of age 0 to 4, also where the life is read from its folder; while they are excitable they fire at what leaves others silent."""
    now = begun(ns.Circuit([ns.create("exc", "leaky_conductance", 2, spread={"V_th": MATURE})]), [THRESHOLD])
    drive = [ns.StepCurrent("exc", "I_e", 90 * pA)]  # 9 mV above rest at most; the threshold stands 10 mV above it, 2 mV for the youngest
    rules = [THRESHOLD, ns.Neurogenesis("exc", count=1)]
    history = develop(now, ns.Phase("growth", 5, rules), inputs=drive, epoch=30 * ms, keep=tmp_path / "life")
    exc = history.circuit["exc"]
    assert exc.cells["birth"].tolist() == [0, 0, 1, 2, 3, 4, 5] and exc.V_th / mV == pytest.approx([-50, -50, -50, -50, -54, -58, -58])
    assert ns.load_circuit(tmp_path / "life", epoch=5)["exc"].cells == exc.cells
    spikes = exc.cells["spikes"]
    assert (spikes[:2] == 0).all() and (spikes[2:-1] > 0).all() and spikes[-1] == 0  # the last was born just now
    without = develop(now, ns.Phase("growth", 5, rules[1:]), inputs=drive, epoch=30 * ms).circuit["exc"]
    assert (without.cells["spikes"] == spikes).sum() < 7 and without.V_th[-1] / mV == pytest.approx(-58)  # the control: they stay young


# --- windows of age --------------------------------------------------------------------------------------------------

WEEKS = np.array([1, 2, 3, 4, 5, 6, 7, 8, 12, 20])  # an epoch is a week
WINDOW = (WEEKS >= 4) & (WEEKS <= 6)  # 1 to 1.5 months
OPENS = [3, 4, 6, 7]
RULE = ns.load_synapse("stdp_gated").replace(w_max=W_MAX)


def potentiation(*rules, interval=10.0):
    """By how much one pairing changes a synapse onto a cell of each age, as a share of w_max."""
    now = aged(pairs_of_cells(len(WEEKS), RULE), "post", WEEKS)
    for rule in rules:
        now = grown(now, rule)
    pre, post = 20 - min(interval, 0), 20 + max(interval, 0)
    rows = range(len(WEEKS))
    after, _ = play(now, [(k, pre) for k in rows], [(k, post) for k in rows], 60 * ms)
    return change(now, after)


def test_potentiation_is_larger_in_a_window_of_age():
    """Ge et al. (2007), doi:10.1016/j.neuron.2007.05.002: larger potentiation at 1 to 1.5 months, neither before nor after."""
    gain = ns.Maturation("post", "gain", OPENS, [1.0, 2.5, 2.5, 1.0])
    one = 0.005 * math.exp(-10 / 16.8)  # of a pair, as the model file says
    assert potentiation(gain) == pytest.approx(np.where(WINDOW, 2.5, 1.0) * one, rel=1e-9)
    assert potentiation(gain, interval=-10.0) == pytest.approx(np.where(WINDOW, -2.5, -1.0) * 0.002617 * math.exp(-10 / 33.7), rel=1e-9)
    assert potentiation() == pytest.approx(np.full(len(WEEKS), one), rel=1e-9)  # the control: no maturation, equal at all ages


def test_at_a_gain_of_1_learning_is_that_of_pairs():
    rules = {"gated": RULE, "pair": ns.load_synapse("stdp_pair").replace(w_max=W_MAX)}
    draw, now = rng(3), pairs_of_cells(6, rules)
    pre, post = ([(k, t) for k in range(6) for t in draw.choice(15, 6, replace=False) * 12.0 + offset] for offset in (5, 9))
    after, _ = play(now, pre, post, 200 * ms)
    assert change(now, after, "gated").tobytes() == change(now, after, "pair").tobytes() and np.abs(change(now, after, "pair")).min() > 1e-4
    half, _ = play(now.set("post", gain=0.5), pre, post, 200 * ms)
    assert change(now, half, "gated") == pytest.approx(0.5 * change(now, after, "gated"), rel=1e-9)  # the control


def test_the_threshold_is_lower_in_a_window_of_age():
    """The current from which on a leaky cell fires is g_L (V_th - E_L): 60 pA inside the window and 100 pA outside."""
    window = ns.Maturation("exc", "V_th", OPENS, np.array([-50, -54, -54, -50]) * mV)

    def fires(now, current):
        _, recording = ns.simulate(now, 150 * ms, inputs=[ns.StepCurrent("exc", "I_e", current)], backend=NUMPY, progress=False)
        return recording["exc"].counts > 0

    young = grown(cells(WEEKS), window)
    assert not fires(young, 58 * pA).any() and fires(young, 102 * pA).all()
    assert fires(young, 62 * pA).tolist() == fires(young, 98 * pA).tolist() == WINDOW.tolist()
    assert not fires(cells(WEEKS), 98 * pA).any()  # the control


def test_inhibition_depolarises_young_cells_and_hyperpolarises_mature_ones():
    """What a reversal potential that falls with age does (Ben-Ari 2002, doi:10.1038/nrn920): above rest at first, below it later."""
    ages = np.array([0, 1, 2, 3, 4, 9])
    reversal = ns.Maturation("exc", "E_inh", [0, 4], np.array([-40, -80]) * mV)  # rest is at -60 mV
    basket = ns.create("basket", "spike_source", 1, sign="inhibitory")

    def deflection(*rules):
        exc = ns.create("exc", "leaky_conductance", len(ages), spread={"E_inh": -80 * mV})
        inhibition = ns.connect(basket, exc, "static", ns.AllToAll(), receptor="g_inh", weight=2 * nS)
        now = aged(ns.Circuit([basket, exc], [inhibition]), "exc", ages)
        for rule in rules:
            now = grown(now, rule)
        spike, trace = [ns.SpikeTimes("basket", [0], [5] * ms)], [ns.Trace("exc", "v")]
        v = ns.simulate(now, 20 * ms, inputs=spike, record=trace, backend=NUMPY, progress=False)[1]["exc"].trace("v").si
        return v[:, -1] - v[:, 0]

    assert np.sign(deflection(reversal)).tolist() == [1, 1, 0, -1, -1, -1]
    assert (deflection() < -1e-4).all()  # the control: all are mature


# --- mistakes --------------------------------------------------------------------------------------------------------

MAKE = {
    "no order": (([3, 1], np.array([1, 2]) * mV), {}, r"ages of the maturation of 'V_th' in 'exc' are \[3, 1\]; give ascending"),
    "below 0": (([-1, 1], np.array([1, 2]) * mV), {}, "give ascending numbers of epochs, 0 or more"),
    "none": (([], np.array([]) * mV), {}, "give ascending numbers"),
    "one value": (([1, 2], np.array([1]) * mV), {}, "give one finite value for each of the 2 ages"),
    "not a number": (([1, 2], np.array([1, np.nan]) * mV), {}, "give one finite value for each of the 2 ages"),
    "founders": (([1, 2], np.array([1, 2]) * mV), {"founders": -1}, "founders of .* are -1 epochs old; give 0 or more"),
}


@pytest.mark.parametrize("slip", MAKE)
def test_a_maturation_that_cannot_be_made(slip):
    given, more, message = MAKE[slip]
    with pytest.raises(ValueError, match=message):
        ns.Maturation("exc", "V_th", *given, **more)


def test_a_maturation_that_does_not_fit():
    now = cells([1, 2])
    for name, variable, values, kind, message in (
        ("exd", "V_th", [-50] * mV, ValueError, "rule Maturation is about 'exd', .* Did you mean 'exc'"),
        ("exc", "E_L", [-50] * mV, ValueError, r"all have one; create the population with spread=\{'E_L': -60\*mV\}"),
        ("exc", "V_thr", [-50] * mV, ValueError, "is about no state variable of 'leaky_conductance'. Did you mean 'V_th'"),
        ("exc", "v", [-50] * mV, ValueError, "and the equation dv/dt would both change it"),
        ("exc", "V_th", [50] * Hz, TypeError, "values of .* have the unit Hz, but it has volt"),
    ):
        with pytest.raises(kind, match=message):
            ns.Maturation(name, variable, [0], values).check(now)
    tau = ns.Maturation("exc", "tau_exc", [0, 1], np.array([0, 1]) * ms)
    with pytest.raises(ValueError, match="equations divide by it; give a time above 0"):
        tau.check(cells([1], tau_exc=5 * ms))
    with pytest.raises(ValueError, match="two rules keep 'V_th' of 'exc' differently"):
        begun(now, [THRESHOLD, ns.Maturation("exc", "V_th", [0], [-40] * mV)])


def test_equal_rules_are_kept_once():
    again = ns.Maturation("exc", "V_th", [1, 3], np.array([-58, -50]) * mV)
    assert again == THRESHOLD != replace(THRESHOLD, founders=1)
    assert begun(cells([1]), [THRESHOLD, again])["exc"].ledgers.keys() == {"V_th"}
    assert not len(THRESHOLD(circuit(), recorded(circuit(), np.zeros(8, int)), rng()))
