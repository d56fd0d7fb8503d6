"""Energy: what model files say that cells spend, the sodium that biophysical cells count, and books that balance over divisions and deaths."""

from functools import cache

import numpy as np
import pytest
from model_texts import CELL, load_text
from scipy.integrate import solve_ivp

import neurosim as ns
from neurosim.models.energy import ELEMENTARY_CHARGE, atp_of
from neurosim.units import ms, mV, uA

SQUID_TEMPERATURE = 291.65  # kelvin: 18.5 degC, at which Hodgkin and Huxley (1952) worked out action potentials

# --- model files -----------------------------------------------------------------------------------------------------


def test_costs_of_the_catalogue_are_those_of_a_published_budget():
    """Attwell and Laughlin (2001) sum to 3.29e9 ATP a second for a neuron at 4 Hz (their p. 1139, BioNumbers 108672).

    Of its 8000 boutons each releases a vesicle at one spike in four, and its share of glia rests at 1.02e8 ATP a second.
    """
    costs = ns.load_cell("leaky_conductance").energy
    assert costs.per_time + 1.02e8 + 4 * (costs.per_spike + 8000 / 4 * costs.per_event) == pytest.approx(3.29e9, rel=0.002)
    # what pumps spend on the leaks of a cell of 200 Mohm at -70 mV, sodium at 50 and potassium at -100 mV: three ions for two
    pumped = 1 / 200e6 / (3 / 0.120 + 2 / 0.030)
    assert costs.per_time == pytest.approx(pumped / ELEMENTARY_CHARGE, rel=0.01)
    assert costs.per_time != pytest.approx(1 / 200e6 / (2 / 0.120 + 3 / 0.030) / ELEMENTARY_CHARGE, rel=0.1)  # the control: two for three
    assert {name: ns.load_cell(name).energy.per_spike for name in ("adex", "izhikevich")} == {"adex": 3.84e8, "izhikevich": 3.84e8}
    assert ns.load_cell("spike_source").energy.per_time == 0


def test_every_cell_with_a_sodium_conductance_says_what_its_current_is():
    models = [ns.load_cell(name) for name in ns.cells()]
    biophysical = {model.name for model in models if "gbar_Na" in model.parameters}
    assert biophysical == {model.name for model in models if model.energy.sodium} and len(biophysical) > 4
    for model in models:
        if model.energy.sodium:
            counting = model.with_energy()
            assert counting.variables["sodium"] is (ns.units.amp * ns.units.second).dim and counting.initial_values()["sodium"] == 0
            assert counting.with_energy() == counting == type(model).from_specification(counting.specification())
            assert f"({model.energy.sodium.removesuffix('*area')}" in model.equations.replace(" + ", "(") or model.energy.sodium[:-5] in model.equations


TABLE = """
[energy]
per_time = { value = "1e8/second", source = "chosen" }
per_event = { value = 1e5, source = "chosen" }
sodium = "I_e"
"""
MISTAKES = {
    "sodium and per_spike": ("per_event", "per_spike", r"\[energy\] has both sodium and per_spike, .*; give one of them"),
    "unknown key": ("per_event", "per_evnt", r"\[energy\] has an unknown key 'per_evnt'. Did you mean 'per_event'"),
    "no source": (', source = "chosen" }\nper_event', " }\nper_event", r"\[energy\] per_time lacks the key 'source'; add it"),
    "empty source": ('1e5, source = "chosen"', '1e5, source = " "', r"\[energy\] per_event has an empty source; say where"),
    "no unit of time": ('"1e8/second"', "1e8", r"per_time: value is 100000000.0, but molecules of ATP in a time need the unit Hz"),
    "a unit": ("1e5", '"1e5*mV"', r"per_event: value is '1e5\*mV', but molecules of ATP need the unit 1"),
    "below 0": ("1e5", "-1e5", r"per_event: value is -100000.0; a cost is 0 or more"),
    "unreadable": ("1e8/second", "1e8/secnd", r"per_time: value: 'secnd' in '1e8/secnd' is not defined"),
    "plain number": ('{ value = 1e5, source = "chosen" }', "1e5", r"per_event is 100000.0; write it as \{ value = ..., source = ... \}"),
    "no current": ('"I_e"', '"v"', r"\[energy\] sodium: 'v' has the unit volt, but it must have amp"),
    "unknown name": ('"I_e"', '"I_Na"', r"\[energy\] sodium: 'I_Na' in 'I_Na' is not defined"),
    "no text": ('"I_e"', "3", r"\[energy\] sodium is 3; give the expression of a current as text"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_table(mistake, tmp_path):
    old, new, message = MISTAKES[mistake]
    text = CELL.replace("[receptors]", TABLE + "[receptors]")
    assert load_text(tmp_path, text).energy == ns.load_cell("leaky").energy.__class__(1e8, 0.0, 1e5, "I_e")
    assert old in TABLE
    with pytest.raises(ValueError, match=message):
        load_text(tmp_path, text.replace(TABLE, TABLE.replace(old, new)))


def test_a_cell_without_a_sodium_current_counts_none():
    with pytest.raises(ValueError, match="'leaky' does not say which of its currents is sodium; add sodium to its table"):
        ns.load_cell("leaky").with_energy()


# --- sodium ----------------------------------------------------------------------------------------------------------

STEP, PULSE, DURATION = 0.005, 0.5, 20.0  # ms
CURRENT = 40.0  # uA/cm2
AREA = 2e-4  # cm2


@cache
def counted():
    """One action potential of the squid cell: its potential, its sodium current at each time step and what it has counted, in SI."""
    model = ns.load_cell("hodgkin_huxley").replace(temperature=SQUID_TEMPERATURE * ns.units.kelvin).with_energy()
    circuit = ns.Circuit([ns.create("squid", model, 1)])
    pulse = ns.StepCurrent("squid", "I_e", CURRENT * AREA * uA, start=0 * ms, stop=PULSE * ms)
    traces = [ns.Trace("squid", name) for name in ("v", "m", "h", "sodium")]
    after, recording = ns.simulate(circuit, DURATION * ms, inputs=[pulse], record=traces, backend=ns.Brian2(dt=STEP * ms, target="numpy"))
    v, m, h, sodium = (recording["squid"].trace(name).si[0] for name in ("v", "m", "h", "sodium"))
    current = 0.12 * 1e4 * m**3 * h * (0.05 - v) * AREA * 1e-4
    return v, current, np.append(sodium, after["squid"].cells["sodium"])


def integrated():
    """The same by an integrator of high order: the height in mV and the charge in nC/cm2, by the sodium current and at rest."""
    phi = 3 ** ((SQUID_TEMPERATURE - 279.45) / 10)

    def rates(v):
        ratio = [x / np.expm1(x) for x in (-(v + 40) / 10, -(v + 55) / 10)]
        alpha = [ratio[0], 0.07 * np.exp(-(v + 65) / 20), 0.1 * ratio[1]]
        return np.array(alpha), np.array([4 * np.exp(-(v + 65) / 18), 1 / (1 + np.exp(-(v + 35) / 10)), 0.125 * np.exp(-(v + 65) / 80)])

    def slope(t, y, pulse):
        v, m, h, n = y[:4]
        alpha, beta = rates(v)
        sodium = 120 * m**3 * h * (50 - v)
        return [sodium + 36 * n**4 * (-77 - v) + 0.3 * (-54.387 - v) + pulse, *phi * (alpha * (1 - y[1:4]) - beta * y[1:4]), sodium]

    alpha, beta = rates(-64.9964)
    y, heights = np.array([-64.9964, *alpha / (alpha + beta), 0.0]), []
    for start, stop, pulse in ((0.0, PULSE, CURRENT), (PULSE, DURATION, 0.0)):
        done = solve_ivp(slope, (start, stop), y, args=(pulse,), method="LSODA", rtol=1e-8, atol=1e-10, max_step=0.05)
        y = done.y[:, -1]
        heights.append(done.y[0].max() + 64.9964)
    m, h = (alpha / (alpha + beta))[:2]
    return max(heights), y[4], 120 * m**3 * h * (50 + 64.9964) * DURATION


def test_the_count_is_the_sum_of_the_current():
    _, current, sodium = counted()
    assert np.diff(sodium) == pytest.approx(current * STEP * 1e-3, rel=1e-9)  # a step of Euler's, as the current is held during it
    assert sodium[0] == 0 and sodium[-1] > 0


def test_a_squid_spends_four_times_what_its_action_potential_needs():
    """Attwell and Laughlin (2001) and Alle et al. (2009), doi:10.1126/science.1174331: about four times c_m dV, which is the least.

    Hodgkin and Huxley (1952) give 4.33 pmol/cm2 of sodium for a propagated action potential at 18.5 degC.
    """
    v, _, sodium = counted()
    height, charge, rest = integrated()
    assert (v.max() + 64.9964e-3) * 1e3 == pytest.approx(height, rel=0.01)
    assert sodium[-1] / AREA * 1e9 == pytest.approx(charge, rel=0.01)
    spent = atp_of(sodium[-1] - rest * 1e-9 * AREA)
    least = height * 1e-9 * AREA / (3 * ELEMENTARY_CHARGE)  # 1 uF/cm2 times mV is nC/cm2
    assert 3.5 < spent / least < 4.5
    assert not 3.5 < 3 * spent / least < 4.5  # the control: one ion for each molecule
    assert 3 * spent / 6.02214076e23 * 1e12 / AREA == pytest.approx(4.33, rel=0.15)
