"""Energy: what model files say that cells spend, the sodium that biophysical cells count, and books that balance over divisions and deaths."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import NOISE, circuit, develop, rng
from model_texts import CELL, load_text
from scipy import stats
from scipy.integrate import solve_ivp

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.models.energy import ELEMENTARY_CHARGE, Costs, atp_of
from neurosim.recording import PartRecording, Recording
from neurosim.units import Hz, ms, mV, nA, nS, second, uA

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
            assert model.energy.sodium.removesuffix("*area") in model.equations
    assert counting.with_energy() == counting == type(model).from_specification(counting.specification())


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
    assert load_text(tmp_path, text).energy == Costs(1e8, 0.0, 1e5, "I_e")
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


# --- books -----------------------------------------------------------------------------------------------------------


def recorded(now, duration=1.0, **counts):
    """A recording in which the cells of each population spiked so often."""
    parts = {name: PartRecording(name, duration, now[name].ids, np.asarray(counts[name])) for name in now.populations}
    return Recording(parts, 0, round(duration / 1e-4), 1e-4)


def stock(now):
    return now["exc"].cells["energy"].sum()


def notes(now):
    return {word: now.notes.get(f"exc.energy.{word}", 0.0) for word in ("income", "spent", "spilled")}


def test_a_cell_gains_and_spends_what_is_said():
    """A neuron at 4 Hz with 2000 synapses from others at 4 Hz spends the published 3.19e9 ATP a second: 3.29e9 less its glia."""
    source, exc = ns.create("source", "spike_source", 2000), ns.create("exc", "leaky_conductance", 3)
    many = ns.connect(source, exc, "static", ns.Pairs(np.arange(2000), np.zeros(2000, int)), receptor="g_exc", weight=1 * nS)
    book = ns.Energy("exc", 3e9 * Hz, first=1e10)
    now = begun(ns.Circuit([source, exc], [many]), [book])
    assert now["exc"].energy.tolist() == [1e10] * 3
    after, noted = kept(now, recorded(now, 2.0, source=np.full(2000, 8), exc=[8, 8, 0]), [book])
    busy, alone, silent = (1e10 + 6e9 - after["exc"].cells["energy"]) / 2
    assert busy == pytest.approx(3.29e9 - 1.02e8, rel=0.002)
    assert busy - alone == pytest.approx(8000 * 1.64e5, rel=1e-12) and silent == pytest.approx(3.42e8, rel=1e-12)
    assert noted == {"exc": {"energy"}} and notes(after) == pytest.approx(
        {"income": 1.8e10, "spent": 2 * (busy + alone + silent), "spilled": 0}
    )
    given_ = ns.Energy("exc", 0 * Hz, first=1.0, costs={"per_spike": 3, "per_time": 0 * Hz, "per_event": 0})
    other, _ = kept(
        begun(ns.Circuit([source, exc], [many]), [given_]), recorded(now, 2.0, source=np.full(2000, 8), exc=[8, 8, 0]), [given_]
    )
    assert other["exc"].cells["energy"].tolist() == [-23, -23, 1]


def test_what_is_above_the_capacity_is_spilled_and_income_may_be_a_trait():
    book = ns.Energy("exc", ns.Rate(), first=10.0, capacity=12.0, costs={"per_spike": 0.5, "per_time": 0 * Hz, "per_event": 0})
    now = begun(circuit(4), [book])
    after, _ = kept(now, recorded(now, 0.5, source=[0, 0], exc=[0, 2, 4, 100]), [book])
    assert after["exc"].cells["energy"].tolist() == [10, 11, 12, 12]  # a molecule for each spike, half of which it costs
    assert notes(after) == {"income": 106, "spent": 53, "spilled": 48}
    slow = ns.rescaled(ns.Lifecycle(1 * second, [ns.Phase("one", 1, [book])]), 2).phases[0].rules[0]
    again, _ = kept(now, recorded(now, 1.0, source=[0, 0], exc=[0, 4, 8, 200]), [slow])  # an epoch twice as long
    assert again["exc"].cells["energy"].tolist() == after["exc"].cells["energy"].tolist()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1e9), st.floats(1e9, 1e10))
def test_books_balance(seed, share, cost, capacity):
    """What there is in the end: what there was at first, income and births, less what was spent, spilled, died or taken by divisions."""
    draw = rng(seed)
    book = ns.Energy("exc", 5e8 * Hz, first=8e8, capacity=capacity, share=share, cost=cost)
    now = begun(circuit(), [book])
    lost = -stock(now)
    for _ in range(4):
        alive, before, passed = now["exc"].ids, stock(now), notes(now)
        counts = {name: draw.integers(0, 9, len(now[name])) for name in ("source", "exc")}
        now, _ = kept(now, recorded(now, 0.3, **counts), [book])
        passed = {word: value - passed[word] for word, value in notes(now).items()}
        assert stock(now) == pytest.approx(before + passed["income"] - passed["spent"] - passed["spilled"], rel=1e-9, abs=1)
        arrived = sum(
            counts[one.source][now[one.source].rows(one.synapses["pre"])].sum() for one in now.projections.values()
        )  # each of them reaches a cell of exc
        assert passed["spent"] == pytest.approx(len(alive) * 0.3 * 3.42e8 + counts["exc"].sum() * 3.84e8 + arrived * 1.64e5, rel=1e-9)
        assert passed["income"] == pytest.approx(len(alive) * 0.3 * 5e8, rel=1e-9) and (now["exc"].cells["energy"] <= capacity).all()
        dead, mothers, born = alive[draw.random(len(alive)) < 0.2], alive[draw.random(len(alive)) < 0.3], int(draw.integers(3))
        energy, mothers = dict(zip(alive, now["exc"].cells["energy"], strict=True)), np.setdiff1d(mothers, dead)
        events = ns.Events.kill("exc", dead) + ns.Events.divide("exc", mothers, rng=draw) + ns.Events.bear("exc", born, rng=draw)
        now = ns.apply(now, events).updated({}, epoch=now.epoch + 1)
        lost += sum(energy[cell] for cell in dead) + cost * len(mothers) - 8e8 * born
        for mother, daughter in zip(mothers, now["exc"].ids[len(alive) - len(dead) :], strict=False):
            halves = now["exc"].cells["energy"][now["exc"].rows([mother, daughter])]
            assert halves.sum() == pytest.approx(energy[mother] - cost, rel=1e-9, abs=1)
            assert halves[0] == pytest.approx(share * (energy[mother] - cost), rel=1e-9, abs=1)
    total = notes(now)
    turned = total["income"] + total["spent"] + total["spilled"]
    assert abs(stock(now) + lost - total["income"] + total["spent"] + total["spilled"]) <= 1e-9 * turned
    assert (
        abs(stock(now) + lost + 8e8 - total["income"] + total["spent"] + total["spilled"]) > 1e-9 * turned
    )  # the control: a birth too many


def test_cells_that_count_sodium_pay_for_it_and_begin_to_count_anew():
    model = ns.load_cell("hodgkin_huxley").with_energy()
    book = ns.Energy("exc", 0 * Hz, first=1e9)
    book.check(ns.Circuit([ns.create("exc", model, 2)]))
    now = begun(ns.Circuit([ns.create("exc", model, 2)]), [book]).set(
        "exc", sodium=np.array([0, 3e8 * ELEMENTARY_CHARGE]) * ns.units.amp * second
    )
    after, noted = kept(now, recorded(now, exc=[5, 5]), [book])
    assert after["exc"].cells["energy"] == pytest.approx([1e9, 9e8]) and not after["exc"].cells["sodium"].any()
    assert noted == {"exc": {"energy", "sodium"}}
    counted_ = ns.Energy("exc", 0 * Hz, first=1e9, costs={"per_spike": 1e7})
    plain, _ = kept(begun(now, [counted_]), recorded(now, exc=[5, 5]), [counted_])
    assert plain["exc"].cells["energy"] == pytest.approx([9.5e8, 9.5e8])


BAD = {
    "income in volt": (lambda: ns.Energy("exc", 1 * mV), TypeError, "income of the energy of 'exc'"),
    "negative income": (lambda: ns.Energy("exc", -1 * Hz), ValueError, "income of the energy of 'exc' is -1. Hz; give a rate of 0 or more"),
    "first above capacity": (lambda: ns.Energy("exc", 1 * Hz, first=2.0, capacity=1.0), ValueError, "capacity of the energy of 'exc' is 1.0, below"),
    "share": (lambda: ns.Energy("exc", 1 * Hz, share=1.2), ValueError, "share of ledger 'energy' is 1.2; give a number from 0 to 1"),
    "cost": (lambda: ns.Energy("exc", 1 * Hz, cost=-5), ValueError, "cost of ledger 'energy' is -5; give 0 or more"),
    "unknown cost": (lambda: ns.Energy("exc", 1 * Hz, costs={"per_spik": 1}), ValueError, "have .per_spik.. Did you mean .per_spike."),
    "negative cost": (lambda: ns.Energy("exc", 1 * Hz, costs={"per_event": -1}), ValueError, "per_event of the energy of 'exc' is -1; give 0"),
    "slowness": (lambda: ns.Energy("exc", 1 * Hz, slowness=0), ValueError, "slowness of the energy of 'exc' is 0; give a number above 0"),
    "population": (lambda: ns.Energy("exd", 1 * Hz).check(circuit()), ValueError, "rule Energy is about 'exd', .* Did you mean 'exc'"),
    "trait": (lambda: ns.Energy("exc", ns.Age()).check(circuit()), TypeError, "income of the energy of 'exc' is a trait in 1; give one in Hz"),
    "uncounted": (
        lambda: ns.Energy("exc", 1 * Hz).check(ns.Circuit([ns.create("exc", "traub_miles", 2)])), ValueError,
        r"spikes of 'exc' cost what their sodium current carries.*ns.load_cell\('traub_miles'\).with_energy\(\), or give costs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("slip", BAD)
def test_mistakes_are_named(slip):
    make, kind, message = BAD[slip]
    with pytest.raises(kind, match=message):
        make()


# --- deaths of hunger and of age ----------------------------------------------------------------------------------------


def test_no_cell_computes_without_energy_and_both_causes_of_death_are_told():
    """A cell dies at the boundary at which its books are found negative, whoever else dies of age."""
    rules = [
        ns.Energy("exc", 2e10 * Hz, first=5e8, capacity=2e9, costs={"per_spike": 2e8}),
        ns.Apoptosis("exc", ns.Below(ns.Value("energy"), 0.0), label="hunger"),
        ns.Apoptosis("exc", ns.Outlived(ns.Uniform(2, 9)), label="age"),
    ]
    debtors = set()

    def measure(now, recording):
        debtors.update((now.epoch + 1, cell) for cell in now["exc"].ids[now["exc"].cells["energy"] < 0].tolist())
        return {}

    history = develop(circuit(30), ns.Phase("life", 10, rules), inputs=[*NOISE], measure=measure, epoch=10 * ms)
    deaths = history.events[history.events["kind"] == "death"]
    hungry, old = (deaths[deaths["rule"] == f"life/{label}"] for label in ("hunger", "age"))
    assert len(hungry) > 2 and len(old) > 2 and len(hungry) + len(old) == len(deaths)
    assert (hungry["value"] < 0).all() and (hungry["threshold"] == 0).all() and (old["value"] > old["threshold"]).all()
    assert debtors and debtors <= set(zip(deaths["epoch"].tolist(), deaths["id"].tolist(), strict=True))
    assert len(history.circuit["exc"]) == 30 - len(deaths)
    fed = develop(circuit(30), ns.Phase("life", 10, rules[:1]), inputs=[*NOISE], epoch=10 * ms).circuit
    assert fed["exc"].cells["energy"].min() < 0  # the control: nobody dies, and cells in debt go on


def test_half_of_the_cells_are_alive_at_the_middle_of_their_lifetimes():
    """Lifetimes of 50 to 100 whole epochs, all as likely: 26 of 51 are alive at the age of 75."""
    now, rule = ns.Circuit([ns.create("exc", "leaky", 4000)]), ns.Apoptosis("exc", ns.Outlived(ns.Uniform(50, 101)))
    sizes = {}
    for age in range(45, 102):
        now = now.updated({}, epoch=age - 1)
        now = ns.apply(now, rule(now, recorded(now, exc=np.zeros(len(now["exc"]), int)), rng()))
        sizes[age] = len(now["exc"])
    assert sizes[49] == sizes[50] == 4000 and sizes[101] == 0
    for age in (60, 75, 90):
        assert stats.binomtest(sizes[age], 4000, (101 - age) / 51).pvalue > 1e-3
        assert stats.binomtest(sizes[age], 4000, (106 - age) / 51).pvalue < 1e-3  # the control: five epochs more


def test_sodium_that_came_in_before_anything_was_kept_is_not_paid_at_once():
    """Cells under a steady current: what two epochs cost after ten others is a sixth of what all twelve do, not nearly all of it."""
    cells = ns.create("exc", ns.load_cell("traub_miles").with_energy(), 2)
    current = [ns.StepCurrent("exc", "I_e", amplitude=0.3 * nA)]
    energy = ns.Energy("exc", income=0 * Hz)

    def spent(*phases):
        life = ns.Lifecycle(20 * ms, phases)
        backend = ns.Brian2(dt=0.05 * ms, target="numpy")
        return ns.develop(ns.Circuit([cells]), life, inputs=current, backend=backend, progress=False).circuit.notes["exc.energy.spent"]

    before, after = spent(ns.Phase("before", 10), ns.Phase("after", 2, [energy])), spent(ns.Phase("all", 12, [energy]))
    assert before == pytest.approx(after / 6, rel=0.05)


def test_cells_that_would_spend_nothing_are_refused():
    now = ns.Circuit([ns.create("exc", "signal_leak", 2)])
    with pytest.raises(ValueError, match=r"cells of 'exc' spend nothing, because the model file of 'signal_leak' has no table \[energy\]"):
        ns.Energy("exc", income=1 * Hz).check(now)
    ns.Energy("exc", income=1 * Hz, costs={"per_spike": 0}).check(now)  # which says so
    for field in ("first", "capacity"):
        with pytest.raises(TypeError, match=rf"{field} of the energy of 'exc' is 5\. Hz, but it needs no unit"):
            ns.Energy("exc", income=1 * Hz, **{field: 5 * Hz})


def test_a_description_tells_what_cells_spend_and_who_says_so():
    assert "  energy per_spike: 384000000.0 ATP [Attwell & Laughlin 2001, " in ns.describe(ns.load_cell("leaky_conductance"))
    assert "  energy sodium: gbar_Na" in ns.describe(ns.load_cell("traub_miles"))
    kept_ = begun(ns.Circuit([ns.create("exc", "leaky", 2)]), [ns.Energy("exc", income=1 * Hz, first=7.0)])
    assert "  energy (kept by rules): 7.0" in ns.describe(kept_["exc"]).splitlines()
