"""Traits of cells and synapses: each against its definition, worked out cell by cell, and the books behind them."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import circuit, develop, recorded, rng

import neurosim as ns
from neurosim.lifecycle.books import begun, books_of, check, kept
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import Hz, ms, mV, nA, nS, second, volt

DT = 1e-3


def recorded_spikes(now, spikes, start, stop, name="exc"):
    """The recording of an epoch, from time step to time step, with (cell, step) spikes; others of `spikes` are not in it."""
    inside = sorted((step, cell) for cell, step in spikes if start <= step < stop)
    steps, ids = (np.array([one[k] for one in inside], dtype=np.int64) for k in (0, 1))
    counts = np.array([np.count_nonzero(ids == cell) for cell in now[name].ids])
    part = PartRecording(name, (stop - start) * DT, now[name].ids, counts, SpikeTrains(ids, steps, DT))
    return Recording({name: part}, start, stop, DT)


def followed(now, book, spikes, ends):
    """Let a book be kept over epochs that end at these time steps."""
    now, start = begun(now, [book]), 0
    for stop in ends:
        now, _ = kept(now, recorded_spikes(now, spikes, start, stop), [book])
        start = stop
    return now


# --- plain traits ----------------------------------------------------------------------------------------------------


def test_rate_age_and_use():
    now = circuit().updated({}, epoch=4)
    after = ns.apply(now, ns.Events.kill("exc", [0]) + ns.Events.divide("exc", [3], rng=rng())).updated({}, epoch=6)
    assert ns.Rate()(after, recorded(after, [1, 0, 2, 3, 0, 0, 5, 9]), "exc").tolist() == [10, 0, 20, 30, 0, 0, 50, 90]
    assert ns.Age()(after, None, "exc").tolist() == [7, 7, 7, 7, 7, 7, 7, 2]  # the daughter was born into epoch 5
    later = ns.apply(after.updated({}, step=500, dt_si=DT), ns.Events.link("loop", 1, 1, float(1 * nS), 0.0))
    ages = ns.Age()(later.updated({}, step=700), None, "loop")
    assert ages[-1] == pytest.approx(0.2) and ages[:-1] == pytest.approx(np.full(len(ages) - 1, 0.7))
    assert np.array_equal(ns.Use()(later, None, "loop"), np.asarray(later.use("loop")), equal_nan=True)
    units = [trait.dimensions(now, name) for trait, name in ((ns.Rate(), "exc"), (ns.Age(), "loop"), (ns.Use(), "loop"), (ns.Age(), "exc"))]
    assert units == [Hz.dim, second.dim, Hz.dim, ns.units.DIMENSIONLESS]


def test_values_are_those_of_the_columns():
    now = circuit().with_ledgers({"exc": [ns.Ledger("energy", 3 * nA)], "loop": [ns.Ledger("credit", 0.5)]})
    for name, variable, unit in (
        ("exc", "v", volt),
        ("exc", "energy", nA),
        ("loop", "weight", nS),
        ("loop", "delay", second),
        ("loop", "share", 1),
    ):
        table = now[name].cells if name == "exc" else now[name].synapses
        trait = ns.Value(variable)
        trait.check(now, name)
        assert np.array_equal(trait(now, None, name), table[variable]) and trait.dimensions(now, name) is ns.units.get_dimensions(unit)
    assert (ns.Value("credit")(now, None, "loop") == 0.5).all() and (ns.Value("energy")(now, None, "exc") == float(3 * nA)).all()
    cells = ns.create("post", ns.load_cell("leaky_adaptive_threshold").keeping("stdp_reward"), 2)
    source = ns.create("pre", "spike_source", 2)
    weight = 0.1 * mV
    taught = ns.connect(source, cells, ns.load_synapse("stdp_reward").replace(w_max=1 * mV), ns.AllToAll(), receptor="v", weight=weight)
    rewarded = ns.Circuit([source, cells], [taught])
    own = set(taught.synapse.variables)
    assert own and all(len(ns.Value(one)(rewarded, None, "pre_to_post")) == 4 for one in own)
    ns.Value("eligibility").check(rewarded, "pre_to_post")
    with pytest.raises(
        ValueError, match=r"'x' of 'pre_to_post' has no value at a boundary, only one after the last spike; make it \(clock-driven\)"
    ):
        ns.Value("x").check(rewarded, "pre_to_post")
    kept_in_cells = set(taught.synapse.post.lines)
    assert kept_in_cells and all(ns.Value(one)(rewarded, None, "post").shape == (2,) for one in kept_in_cells)


@dataclass(frozen=True)
class Depolarisation:
    """Take how far each cell is above a potential."""

    rest: object

    def dimensions(self, circuit, name):
        return volt.dim

    def __call__(self, circuit, recording, name):
        return np.asarray(circuit[name].v - self.rest)


def test_a_users_own_trait_selects():
    now = circuit().set("exc", v=np.arange(8) * mV)
    who = ns.Above(Depolarisation(3 * mV), 1.5 * mV) & ns.Bottom(0.75, Depolarisation(3 * mV))
    who.check(now, "exc")
    assert who.books("exc") == () and who(now, None, "exc").ids.tolist() == [5]
    with pytest.raises(TypeError, match="threshold of Above for 'exc' is 3. Hz"):
        ns.Above(Depolarisation(3 * mV), 3 * Hz).check(now, "exc")


# --- calcium ---------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(0, 999)), unique=True, max_size=60),
    st.lists(st.integers(1, 999), unique=True, max_size=4),
    st.sampled_from([0.05, 0.5, 10.0]),
)
def test_calcium_is_that_of_every_spike(spikes, cuts, tau):
    """A sum of exponentials, spike by spike in plain numbers, and the same however the time is cut into epochs."""
    book = ns.CalciumBook("exc", tau * second)
    now = followed(circuit(), book, spikes, [*sorted(cuts), 1000])
    expected = [sum(np.exp(-(1000 - step) * DT / tau) / tau for cell, step in spikes if cell == one) for one in range(8)]
    np.testing.assert_allclose(now["exc"].cells["calcium"], expected, rtol=1e-12, atol=1e-12)
    whole = followed(circuit(), book, spikes, [1000])
    np.testing.assert_allclose(now["exc"].cells["calcium"], whole["exc"].cells["calcium"], rtol=1e-12, atol=1e-12)
    if spikes:
        other = followed(circuit(), ns.CalciumBook("exc", 1.1 * tau * second), spikes, [1000])  # the control
        assert not np.allclose(other["exc"].cells["calcium"], expected, rtol=1e-3, atol=0)


def test_the_mean_of_calcium_is_the_rate():
    """In the steady state of regular spikes it is exp(-d/tau) / (tau (1 - exp(-d/tau))) after an interval d, and its mean is 1/d."""
    tau, gaps = 0.5, [25, 50, 200]  # ms: 40, 20 and 5 Hz; 200 is a multiple of all
    spikes = [(cell, step) for cell, gap in enumerate(gaps) for step in range(0, 12_200, gap)]
    book, calcium = ns.CalciumBook("exc", tau * second), []
    now = followed(circuit(3), book, spikes, [12_000])  # 24 tau later the beginning is forgotten: exp(-24) = 4e-11
    for step in range(12_000, 12_200):
        now, _ = kept(now, recorded_spikes(now, spikes, step, step + 1), [book])
        calcium.append(now["exc"].cells["calcium"])
    gap = np.array(gaps) * DT
    np.testing.assert_allclose(calcium[-1], np.exp(-gap / tau) / (tau * -np.expm1(-gap / tau)), rtol=1e-9)
    np.testing.assert_allclose(np.mean(calcium, axis=0), 1 / gap, rtol=2e-3)  # a mean of values at the ends of steps: dt/(2 tau) = 1e-3
    assert (np.abs(calcium[-1] - 1 / gap) > 0.02 / gap).all()  # the control: not so at one moment


def test_calcium_is_inherited_and_its_books_are_kept_once():
    rules = [ns.CalciumBook("exc"), ns.CalciumBook("exc", 10 * second), ns.CalciumBook("exc", 1 * second, "fast")]
    assert books_of(rules) == [rules[0], rules[2]]
    now, noted = kept(begun(circuit(), rules), recorded_spikes(circuit(), [(2, 5), (2, 9), (4, 9)], 0, 10), rules)
    assert noted == {"exc": {"calcium", "fast"}} and ns.units.get_dimensions(now["exc"].calcium) is Hz.dim
    assert now["exc"].cells["fast"][2] == pytest.approx(np.exp(-0.005) + np.exp(-0.001), rel=1e-12)
    after = ns.apply(now, ns.Events.divide("exc", [2], rng=rng()))
    assert after["exc"].cells["calcium"][8] == after["exc"].cells["calcium"][2] == now["exc"].cells["calcium"][2] > 0.19
    trait = ns.Calcium(1 * second, "fast")
    assert trait.books("exc") == (rules[2],) and np.array_equal(trait(after, None, "exc"), after["exc"].cells["fast"])


def test_calcium_selects_in_a_life():
    """Of the whole past, not of the last epoch: a book in a life goes on from boundary to boundary."""
    seen = []

    def measure(circuit, recording):
        spikes = recording["exc"].spikes
        seen.extend(zip(spikes.id.tolist(), spikes.step.tolist(), strict=True))
        return {}

    rule = ns.Apoptosis("exc", ns.Above(ns.Calcium(50 * ms), 1e6 * Hz))
    history = develop(circuit(), ns.Phase("watching", 3, [rule]), epoch=30 * ms, measure=measure)
    end = history.circuit.step
    expected = [sum(np.exp(-(end - step) * 1e-4 / 0.05) / 0.05 for cell, step in seen if cell == one) for one in range(8)]
    assert len(seen) > 20 and {step // 300 for _, step in seen} == {0, 1, 2}
    np.testing.assert_allclose(history.circuit["exc"].cells["calcium"], expected, rtol=1e-12)


# --- what is passed on -----------------------------------------------------------------------------------------------


def reader(receptor="g_exc", newborn="split"):
    """Cells that excite and inhibit one another and a readout, which excites none."""
    exc, out = ns.create("exc", "leaky_conductance", 6), ns.create("out", "leaky_conductance", 3)
    weight = ns.Uniform(1 * nS, 2 * nS)
    loop = ns.connect(exc, exc, "static", ns.FixedProbability(0.4), receptor="g_inh", weight=weight, seed=3).replace(name="loop")
    read = ns.connect(exc, out, "static", ns.FixedProbability(0.6), receptor="g_exc", weight=weight, seed=4).replace(name="read")
    return ns.Circuit([exc, out], [one.replace(newborn=newborn) for one in (loop, read)])


def passed_on(now, rates, names=("loop", "read")):
    """Synapse by synapse: spikes per second times the potential that one synapse causes at rest."""
    total = dict.fromkeys(now["exc"].ids.tolist(), 0.0)
    for name in names:
        synapses, unitary = now[name].synapses, now[name].receptor.unitary
        for pre, share, weight in zip(synapses["pre"].tolist(), synapses["share"], synapses["weight"], strict=True):
            total[pre] += rates[pre] * share * weight / unitary * 1e-3
    return list(total.values())


def test_passthrough_is_spikes_times_delivered_strength():
    now, counts = reader(), [3, 0, 7, 1, 1, 9]
    recording = recorded(now, counts)
    rates = dict(enumerate(10 * np.array(counts)))
    trait = ns.Passthrough()
    assert trait(now, recording, "exc") == pytest.approx(passed_on(now, rates), rel=1e-12)
    assert trait.dimensions(now, "exc") is (volt * Hz).dim
    assert ns.Passthrough(projection="read")(now, recording, "exc") == pytest.approx(passed_on(now, rates, ["read"]), rel=1e-12)
    bent = now.set("loop", weight=-now["loop"].weight)
    assert trait(bent, recording, "exc") == pytest.approx(passed_on(now, rates), rel=1e-12)  # of either sign


@pytest.mark.parametrize(("newborn", "factor"), [("split", 0.5), ("copy", 1.0)])
def test_passthrough_halves_at_a_division(newborn, factor):
    """At an even one each twin delivers half of what the mother did; the control: not where outgoing weights are copied."""
    now = reader(newborn=newborn)
    recording = recorded(now, [4] * 6)
    before = ns.Passthrough(projection="read")(now, recording, "exc")
    after = ns.apply(now, ns.Events.divide("exc", [2], rng=rng(), share=0.5))
    divided = ns.Passthrough(projection="read")(after, recorded(after, [4] * 7), "exc")
    assert before[2] > 0 and divided[[2, 6]] == pytest.approx(np.full(2, factor * before[2]), rel=1e-12)
    others = [0, 1, 3, 4, 5]
    assert divided[others] == pytest.approx(before[others], rel=1e-12)


def test_passthrough_over_a_window():
    now, trait = reader(), ns.Passthrough(window=0.5 * second)
    spikes = [(0, 3), (0, 70), (3, 50), (5, 99)]
    now, _ = kept(begun(now, trait_rules(trait)), recorded_spikes(now, spikes, 0, 100), trait_rules(trait))
    calcium = [sum(np.exp(-(100 - step) * DT / 0.5) / 0.5 for cell, step in spikes if cell == one) for one in range(6)]
    assert trait(now, None, "exc") == pytest.approx(passed_on(now, calcium), rel=1e-12)
    assert trait.books("exc") == ns.Calcium(0.5 * second).books("exc") and ns.Passthrough().books("exc") == ()


def trait_rules(trait, name="exc"):
    return list(trait.books(name))


def test_a_readout_has_no_passthrough():
    now = reader()
    part = PartRecording("out", 0.1, now["out"].ids, np.array([0, 3, 9]))
    recording = Recording({"out": part}, 0, 100, DT)
    assert np.isnan(ns.Passthrough()(now, recording, "out")).all()
    for selection in (ns.Below(ns.Passthrough(), 1 * volt * Hz), ns.Bottom(1.0, ns.Passthrough()), ns.Below(ns.Passthrough(), 2)):
        selection.check(now, "out")
        assert not len(selection(now, recording, "out").ids)
    silent = ns.Below(ns.Passthrough(), 1 * volt * Hz)(now, recorded(now, [0] * 6), "exc")
    assert len(silent.ids) == 6  # the control: cells that pass nothing on, but could


def unlike():
    """A population that acts on two receptors, one of which has no unitary strength."""
    model = ns.load_cell("leaky_conductance").specification()
    model["receptors"]["g_exc"].pop("unitary")
    model["expected"] = []
    exc = ns.create("exc", "leaky_conductance", 4)
    bare = ns.create("bare", ns.CellModel.from_specification(model), 4)
    jumps = ns.create("jumps", "leaky_adaptive_threshold", 4)
    into = ns.connect(exc, bare, "static", ns.AllToAll(), receptor="g_exc", weight=2 * nS).replace(name="into")
    onto = ns.connect(exc, jumps, "static", ns.AllToAll(), receptor="v", weight=0.5 * mV).replace(name="onto")
    return ns.Circuit([exc, bare, jumps], [into, onto])


def test_receptors_that_cannot_be_compared():
    now = unlike()
    recording = recorded(now, [1, 2, 0, 0])
    for trait in (ns.Passthrough(), ns.Above(ns.Passthrough(), 1)):
        with pytest.raises(ValueError, match="Passthrough of 'exc' cannot add up into, onto: the receptor of 'into' .* projection=..."):
            trait.check(now, "exc")
    one, other = (ns.Passthrough(projection=name) for name in ("into", "onto"))
    assert one.dimensions(now, "exc") is (nS * Hz).dim and other.dimensions(now, "exc") is (volt * Hz).dim
    assert one(now, recording, "exc") == pytest.approx([10 * 8e-9, 20 * 8e-9, 0, 0])
    assert other(now, recording, "exc") == pytest.approx([10 * 2e-3, 20 * 2e-3, 0, 0])


# --- vitality --------------------------------------------------------------------------------------------------------


def learning(newborn="split"):
    rule = ns.load_synapse("stdp_pair").replace(w_max=20 * nS)
    pre, exc = ns.create("pre", "spike_source", 4), ns.create("exc", "leaky_conductance", 5)
    made = [
        ns.connect(pre, exc, rule, ns.FixedProbability(0.5), receptor=receptor, weight=1 * nS, seed=seed).replace(name=name)
        for name, receptor, seed in (("strong", "g_exc", 1), ("weak", "g_inh", 2))
    ]
    fixed = ns.connect(pre, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS).replace(name="fixed")
    return ns.Circuit([pre, exc], [*made, fixed], dt_si=DT)


def lived(now, book, start, stop, counts):
    """An epoch at whose end the weights have become others."""
    for name in ("strong", "weak"):
        now = now.set(name, weight=now[name].weight * (1 + rng(stop).random(len(now[name]))))
    now = now.updated({}, step=stop)
    recording = recorded_spikes(now, [], start, stop)
    recording["exc"].counts = np.array(counts)
    now, _ = kept(now, recording, [book])
    return now, recording


def test_vitality_is_change_times_rate():
    trait = ns.Vitality()
    (book,) = trait.books("exc")
    now, first = lived(begun(learning(), [book]), book, 0, 100, [0, 1, 2, 3, 4])
    assert np.isnan(trait(now, first, "exc")).all()  # at the first boundary nothing is known of an earlier one
    before = {name: np.asarray(now[name].weight) for name in ("strong", "weak")}
    now, recording = lived(now, book, 100, 300, [0, 1, 2, 3, 4])
    for names, one in ((("strong", "weak"), trait), (("weak",), ns.Vitality("weak"))):
        squares = np.zeros(5)
        for name in names:
            change = (np.asarray(now[name].weight) - before[name]) / now[name].receptor.unitary * 1e-3
            for post, value in zip(now[name].synapses["post"].tolist(), change, strict=True):
                squares[post] += value**2
        assert (squares > 0).any() and one(now, recording, "exc") == pytest.approx(np.sqrt(squares) * np.arange(5) / 0.2, rel=1e-12)
    assert trait.dimensions(now, "exc") is (volt * Hz).dim and set(now["fixed"].ledgers) == set()


def test_vitality_is_not_moved_by_a_division_of_inputs_nor_by_new_synapses():
    trait = ns.Vitality()
    (book,) = trait.books("exc")
    now, _ = lived(begun(learning(), [book]), book, 0, 100, [5] * 5)
    links = ns.Events.link("strong", [0, 1], [0, 0], float(3 * nS), 0.0)
    divided = ns.apply(now, ns.Events.divide("pre", [0, 3], rng=rng(), share=0.3) + links)
    plain, one = doubled(now, book)
    after, other = doubled(divided, book)
    assert len(after["strong"]) > len(plain["strong"]) + 2
    assert trait(after, other, "exc") == pytest.approx(trait(plain, one, "exc"), rel=1e-12) and trait(plain, one, "exc").all()
    later, recording = doubled(after, book, 200)  # the control: the next epoch knows the new ones
    assert trait(later, recording, "exc")[0] > 2.01 * trait(after, other, "exc")[0]


def doubled(now, book, start=100):
    now = now.set("strong", weight=2 * now["strong"].weight).updated({}, step=start + 100)
    recording = recorded_spikes(now, [(cell, start) for cell in range(5)], start, start + 100)
    return kept(now, recording, [book])[0], recording


def test_after_a_gap_nothing_is_known():
    """Weights that were noted some epochs ago say nothing about this one."""
    trait = ns.Vitality()
    (book,) = trait.books("exc")
    now, _ = lived(begun(learning(), [book]), book, 0, 100, [5] * 5)
    near, recording = doubled(now, book)
    assert (trait(near, recording, "exc") > 0).all()
    far, recording = doubled(now, book, 300)
    assert np.isnan(trait(far, recording, "exc")).all()


def test_vitality_in_a_life():
    """From the second boundary on the liveliest are known."""
    now = begun(learning(), [])
    rule = ns.Division("exc", ns.Top(0.4, ns.Vitality()))
    inputs = [
        ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=5 * nS),
        ns.Presentations("pre", np.full((1, 4), 80) * Hz, duration=80 * ms),
    ]
    history = develop(now.updated({}, dt_si=None), ns.Phase("spurt", 2, [rule]), epoch=40 * ms, inputs=inputs)
    births = history.series("exc")["births"].tolist()
    assert births[1] == 0 and births[2] == 2


# --- mistakes --------------------------------------------------------------------------------------------------------

MADE = {
    "tau 0": (lambda: ns.Calcium(0 * second), ValueError, "tau of Calcium is 0. s; give one time above 0"),
    "tau in Hz": (lambda: ns.CalciumBook("exc", 1 * Hz), TypeError, "tau of the calcium of 'exc' is 1. Hz"),
    "several taus": (lambda: ns.Calcium([1, 2] * second), ValueError, "tau of Calcium is .*; give one time"),
    "endless tau": (lambda: ns.Calcium(np.inf * second), ValueError, "tau of Calcium is inf"),
    "window": (lambda: ns.Passthrough(window=-1 * second), ValueError, "window of Passthrough is -1"),
}
CHECKED = {
    "calcium of synapses": (ns.Calcium(), "loop", "Calcium is a trait of cells, and 'loop' is no population"),
    "passthrough of synapses": (ns.Passthrough(), "loop", "Passthrough is a trait of cells"),
    "passthrough elsewhere": (
        ns.Passthrough(projection="into"),
        "exc",
        "Passthrough cannot sum over projection 'into' for 'exc'. Choose one of: loop",
    ),
    "nothing learns": (ns.Vitality(), "exc", "Vitality of 'exc' is a change of weights, but no plastic projection ends there"),
    "that does not learn": (ns.Vitality("loop"), "exc", "Vitality cannot sum over projection 'loop' for 'exc'"),
    "use of cells": (ns.Use(), "exc", "Use is a trait of synapses"),
    "mistyped": (ns.Value("calcum"), "exc", "'exc' has no variable or ledger 'calcum' to select by. Choose|Did you mean"),
}


@pytest.mark.parametrize(("make", "error", "message"), MADE.values(), ids=MADE)
def test_a_slip_is_named_when_a_trait_is_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(("trait", "name", "message"), CHECKED.values(), ids=CHECKED)
def test_a_slip_is_named_before_anything_runs(trait, name, message):
    with pytest.raises(ValueError, match=message):
        trait.check(circuit(), name)


@pytest.mark.parametrize("book", [ns.CalciumBook("ecx"), ns.WeightBook("ecx")], ids=lambda book: type(book).__name__)
def test_a_book_of_an_unknown_population(book):
    with pytest.raises(ValueError, match="'ecx' is no population. Did you mean 'exc'"):
        check(begun(circuit(), [book]), [book])
