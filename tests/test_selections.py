"""Selections: how they combine, exact shares, thresholds, chance, set-points, lifetimes and what is refused."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import Oldest, circuit, develop, recorded, rng
from scipy import stats

import neurosim as ns
from neurosim.units import Hz, kHz, ms, mV, nS, second

COUNTS = [3, 0, 7, 1, 1, 9, 2, 1]  # in 100 ms: ten times as many Hz; mean 30 Hz
FAST = ns.CalciumBook("exc", 1 * second, "fast")


def cells(size, seed=1):
    return ns.Circuit([ns.create("exc", "leaky_conductance", size or None)], seed=seed)


def found(selection, now, counts, name="exc", duration=0.1):
    return selection(now, recorded(now, counts, duration), name)


# --- combination -----------------------------------------------------------------------------------------------------

BASIC = st.sampled_from(
    [
        ns.Everyone(),
        ns.Above(ns.Rate(), 15 * Hz),
        ns.Below(ns.Rate(), 1),
        ns.Between(ns.Rate(), 10 * Hz, 30 * Hz),
        ns.Top(0.3),
        ns.Bottom(0.5, ns.Rate()),
        ns.Random(5 / second),
        ns.Random(5 / second, label="other"),
        ns.SetPoint(ns.Rate(), 20 * Hz, 10 / second),
        ns.Outlived(ns.Uniform(0, 4)),
        ns.Busiest(0.6),
        Oldest(),
    ]
)


@st.composite
def situations(draw):
    """A circuit of cells some of which have died or divided, with spike counts, some of them equal."""
    size, seed = draw(st.integers(1, 12)), draw(st.integers(0, 99))
    now = cells(size, seed)
    dead = draw(st.lists(st.integers(0, size - 1), unique=True, max_size=size))
    mothers = np.setdiff1d(np.arange(size), dead)[:2]
    now = ns.apply(now, ns.Events.kill("exc", dead) + ns.Events.divide("exc", mothers, rng=rng(seed)))
    counts = draw(st.lists(st.integers(0, 4), min_size=len(now["exc"]), max_size=len(now["exc"])))
    return now.updated({}, epoch=draw(st.integers(0, 5))), np.array(counts, dtype=int)


@settings(max_examples=50, deadline=None)
@given(situations(), BASIC, BASIC, BASIC)
def test_selections_combine_as_sets_do(situation, a, b, c):
    now, counts = situation

    def ids(selection):
        return found(selection, now, counts).ids.tolist()

    a, b, c = (one if isinstance(one, ns.Selection) else ns.Everyone() & one for one in (a, b, c))  # one may be a user's, and plain
    assert set(ids(~(a | b))) == set(ids(~a & ~b)) and set(ids(~(a & b))) == set(ids(~a | ~b))
    assert ids(~~a) == sorted(ids(a)) and not ids(a & ~a) and set(ids(a | ~a)) == set(now["exc"].ids.tolist())
    assert set(ids(a & (b | c))) == set(ids((a & b) | (a & c)))
    assert ids(a & b) == [one for one in ids(a) if one in ids(b)]
    assert ids(a | b) == ids(a) + [one for one in ids(b) if one not in ids(a)]


def test_what_speaks_for_the_combined():
    """Order, values and thresholds of the first; of a union an order only where both have one."""
    now = circuit()
    high, low, some = ns.Above(ns.Rate(), 15 * Hz), ns.Below(ns.Rate(), 1 * Hz), ns.Between(ns.Rate(), 10 * Hz, 30 * Hz)
    both = found(high & some, now, COUNTS)
    assert both.ids.tolist() == [0, 6] and both.value.tolist() == [30, 20] and both.threshold.tolist() == [15, 15] and both.ordered
    assert not found(some & high, now, COUNTS).ordered
    either = found(high | low, now, COUNTS)
    assert either.ids.tolist() == [5, 2, 0, 6, 1] and either.threshold.tolist() == [15, 15, 15, 15, 1] and either.ordered
    assert not found(high | some, now, COUNTS).ordered
    rest = found(~high, now, COUNTS)
    assert rest.ids.tolist() == [1, 3, 4, 7] and np.isnan(rest.value).all() and np.isnan(rest.threshold).all() and not rest.ordered


def test_a_users_own_selection_combines():
    @dataclass(frozen=True)
    class First(ns.Selection):
        """Select the first cells."""

        count: int

        def __call__(self, circuit, recording, name):
            ids = circuit[name].ids[: self.count]
            return ns.Selected(ids, ids * 1.0, np.full(len(ids), np.nan))

    now = circuit()
    assert found(First(6) & ns.Top(0.25), now, COUNTS).ids.tolist() == [2, 5] and found(~First(6), now, COUNTS).ids.tolist() == [6, 7]
    assert found(ns.Top(0.25) | Oldest(), now, COUNTS).ids.tolist() == [5, 2, 0]
    assert found(Oldest() | ns.Top(0.25), now, COUNTS).ids.tolist() == [0, 5, 2]
    for wrong in (
        lambda: ns.Top(0.25) & 3,
        lambda: "cells" | ns.Top(0.25),
        lambda: ns.Top(0.25) & ns.Everyone,
        lambda: Oldest() & Oldest(),
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError, match=r"Everyone is a kind of selection; give one that is made, such as ns\.Everyone\("):
        ns.Top(0.25) & ns.Everyone


def test_checks_and_books_of_the_combined():
    now = circuit()
    calm = ~(ns.Above(ns.Calcium(), 5 * Hz) & ns.Everyone()) | ns.Below(ns.Calcium(1 * second, "fast"), 2 * Hz)
    assert calm.books("exc") == (ns.CalciumBook("exc"), FAST) and (ns.Everyone() & Oldest()).books("exc") == ()
    calm.check(now, "exc")
    for name in ("loop", "ex"):
        with pytest.raises(ValueError, match=f"Calcium is a trait of cells, and '{name}' is no population"):
            calm.check(now, name)


# --- shares ----------------------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=120), st.integers(0, 100), st.integers(0, 99))
def test_shares_are_exact(counts, percent, seed):
    """So many hundredths of N, rounded down in whole numbers; none of what is left out is better, however many are equal."""
    now = cells(len(counts), seed)
    for kind, best in ((ns.Top, sorted(counts, reverse=True)), (ns.Bottom, sorted(counts))):
        chosen = found(kind(percent / 100), now, counts, duration=1.0)
        count = len(counts) * percent // 100
        assert len(set(chosen.ids.tolist())) == count and chosen.value.tolist() == best[:count] and chosen.ordered
        assert (chosen.threshold == (best[count - 1] if count else np.nan)).all()
    if percent <= 50:
        assert not set(found(ns.Top(percent / 100), now, counts).ids) & set(found(ns.Bottom(percent / 100), now, counts).ids)


def test_shares_of_products_that_fall_short():
    assert int(0.29 * 100) == 28  # the control: what truncation makes of it
    assert len(found(ns.Top(0.29), cells(100), np.arange(100)).ids) == 29


def test_of_equals_none_is_favoured():
    now, size, epochs = cells(20), 20, 300
    hits = {kind: np.zeros(size) for kind in (ns.Top, ns.Bottom, ns.Busiest)}
    for epoch in range(epochs):
        for kind, hit in hits.items():
            hit[found(kind(0.1), now.updated({}, epoch=epoch), np.ones(size, dtype=int)).ids] += 1
    assert all(stats.chisquare(hits[kind]).pvalue > 1e-3 for kind in (ns.Top, ns.Bottom))
    assert stats.chisquare(hits[ns.Busiest]).pvalue < 1e-9  # the control: the older go first
    first = found(ns.Top(0.1), now, np.ones(size, dtype=int)).ids
    other = np.setdiff1d(now["exc"].ids, first)[:3]
    fewer = ns.apply(now, ns.Events.kill("exc", other))
    assert found(ns.Top(0.12), fewer, np.ones(17, dtype=int)).ids.tolist() == first.tolist()  # no cell's draw depends on others
    assert found(ns.Top(0.1), now.reseed(2), np.ones(size, dtype=int)).ids.tolist() != first.tolist()


# --- thresholds ------------------------------------------------------------------------------------------------------

THRESHOLDS = [
    (ns.Above(ns.Rate(), 30 * Hz), {2, 5}, 30),
    (ns.Above(ns.Rate(), 0.02 * kHz), {0, 2, 5}, 20),
    (ns.Above(ns.Rate(), 2), {2, 5}, 60),
    (ns.Below(ns.Rate(), 20 * Hz), {1, 3, 4, 7}, 20),
    (ns.Below(ns.Rate(), 0.1), {1}, 3),
    (ns.Above(ns.Age(), 3), set(range(8)), 3),
    (ns.Above(ns.Age(), 4), set(), 4),
    (ns.Below(ns.Value("v"), -50 * mV), set(range(8)), -0.05),
    (ns.Above(ns.Value("v"), -50 * mV), set(), -0.05),
]


@pytest.mark.parametrize(("selection", "ids", "threshold"), THRESHOLDS, ids=[repr(selection) for selection, *_ in THRESHOLDS])
def test_thresholds_are_quantities_multiples_of_the_mean_or_numbers(selection, ids, threshold):
    now = circuit().updated({}, epoch=3)
    selection.check(now, "exc")
    chosen = found(selection, now, COUNTS)
    assert set(chosen.ids.tolist()) == ids and chosen.ordered
    assert chosen.threshold == pytest.approx(np.full(len(ids), threshold))
    order = chosen.value if isinstance(selection, ns.Below) else -chosen.value
    assert (np.diff(order) >= 0).all()


def test_between_holds_both_ends_and_notes_the_nearer():
    chosen = found(ns.Between(ns.Rate(), 10 * Hz, 30 * Hz), circuit(), COUNTS)
    assert chosen.ids.tolist() == [0, 3, 4, 6, 7] and chosen.threshold.tolist() == [30, 10, 10, 30, 10] and not chosen.ordered
    relative = found(ns.Between(ns.Rate(), 0.5, 2.4), circuit(), COUNTS)  # 15 to 72 Hz
    assert relative.ids.tolist() == [0, 2, 6]


def test_what_has_no_value_is_not_selected_nor_counted():
    """A synapse without an age has no use, and neither raises nor lowers the share of the others."""
    now = circuit()
    assert np.isnan(ns.Use()(now, None, "loop")).all()
    selections = [ns.Above(ns.Use(), 0 * Hz), ns.Below(ns.Use(), 1), ns.Top(1.0, ns.Use()), ns.SetPoint(ns.Use(), 1 * Hz, 1 / ms)]
    assert not any(len(found(selection, now, COUNTS, "loop").ids) for selection in selections)
    assert len(found(~selections[0], now, COUNTS, "loop").ids) == len(now["loop"])  # the control


def test_synapses_are_selected_by_any_of_their_columns():
    now = circuit()
    assert (
        found(ns.Below(ns.Value("weight"), 1.3 * nS), now, None, "loop").ids.tolist()
        == ns.WeightBelow(1.3 * nS)(now, None, "loop").ids.tolist()
    )
    assert len(found(ns.Top(0.1, ns.Value("weight")), now, None, "loop").ids) == len(now["loop"]) // 10
    assert len(found(ns.Above(ns.Value("delay"), 0.9 * ms), now, None, "loop").ids) == len(now["loop"])


# --- chance ----------------------------------------------------------------------------------------------------------


def test_a_hazard_applies_to_each():
    """1 - exp(-h T), drawn by seed, part, id and epoch alone."""
    now, selection = cells(4000), ns.Random(4 / second)
    chosen = found(selection, now, np.zeros(4000, dtype=int))
    assert stats.binomtest(len(chosen.ids), 4000, 1 - np.exp(-0.4)).pvalue > 1e-3
    assert stats.binomtest(len(chosen.ids), 4000, 0.4).pvalue < 1e-3  # the control: not h T
    assert (chosen.value < chosen.threshold).all() and not chosen.ordered
    again = found(selection, now, np.ones(4000, dtype=int)).ids
    assert again.tolist() == chosen.ids.tolist()
    assert set(chosen.ids) < set(found(ns.Random(8 / second), now, np.zeros(4000, dtype=int)).ids)
    fewer = ns.apply(now, ns.Events.kill("exc", np.arange(0, 4000, 2)))
    assert found(selection, fewer, np.zeros(2000, dtype=int)).ids.tolist() == chosen.ids[chosen.ids % 2 == 1].tolist()
    others = [now.updated({}, epoch=1), now.reseed(7)]
    for drawn in (
        *(found(selection, other, np.zeros(4000, dtype=int)).ids for other in others),
        found(ns.Random(4 / second, "b"), now, np.zeros(4000, dtype=int)).ids,
    ):
        shared = len(set(drawn) & set(chosen.ids))  # independent: the product of both chances
        assert stats.binomtest(shared, 4000, (1 - np.exp(-0.4)) ** 2).pvalue > 1e-3


def test_births_and_deaths_lead_back_to_a_set_point():
    """The hazard is gain * abs(rate / target - 1): of 2, 4 and 8 Hz around a target of 4 Hz half, none and the whole of the gain."""
    now, counts = cells(6000), np.repeat([2, 4, 8], 2000)
    below, above = (ns.SetPoint(ns.Rate(), 4 * Hz, 0.7 / second, above=above) for above in (False, True))
    few, many = (found(selection, now, counts, duration=1.0) for selection in (below, above))
    assert (few.ids < 2000).all() and (many.ids >= 4000).all() and (few.threshold == 4).all() and few.ordered
    assert stats.binomtest(len(few.ids), 2000, 1 - np.exp(-0.35)).pvalue > 1e-3
    assert stats.binomtest(len(many.ids), 2000, 1 - np.exp(-0.7)).pvalue > 1e-3
    assert stats.binomtest(len(many.ids), 2000, 1 - np.exp(-0.35)).pvalue < 1e-3  # the control
    relative = found(ns.SetPoint(ns.Rate(), 6 / 7, 0.7 / second), now, counts, duration=1.0)  # of the mean of 14/3 Hz
    assert relative.ids.tolist() and set(relative.ids) == set(few.ids)
    assert not len(found(ns.SetPoint(ns.Rate(), 1, 1 / ms), now, np.zeros(6000, dtype=int)).ids)  # nobody is off a mean of 0
    slower = ns.rescaled(ns.Lifecycle(1 * second, [ns.Phase("life", 1, [ns.Division("exc", below)])]), 2).phases[0].rules[0].who
    assert float(slower.gain) == 0.35 and slower.target == below.target


def test_the_farthest_from_a_set_point_go_first():
    chosen = found(ns.SetPoint(ns.Rate(), 20 * Hz, 1 / ms, above=True), circuit(), COUNTS)
    assert chosen.ids.tolist() == [5, 2, 0] and chosen.value.tolist() == [90, 70, 30]


def test_calcium_has_a_set_point():
    """The same with what a book has kept, where rates of the epoch say the opposite."""
    now = circuit().with_ledgers({"exc": [ns.Ledger("calcium", first=0 * Hz)]}).set("exc", calcium=np.arange(8.0) * Hz)
    chosen = found(ns.SetPoint(ns.Calcium(), 5 * Hz, 1 / ms, above=True), now, [0] * 8)
    assert set(chosen.ids.tolist()) == {6, 7} and not len(found(ns.SetPoint(ns.Rate(), 5 * Hz, 1 / ms, above=True), now, [0] * 8).ids)


def at_epoch(now, epoch):
    return now.updated({}, epoch=epoch)


def test_lifetimes_are_drawn_once():
    """Uniform from 50 to 100 epochs: all reach 50, none 101, and between them the part that is gone grows in proportion."""
    now, selection, counts = cells(2000), ns.Outlived(ns.Uniform(50, 100)), np.zeros(2000, dtype=int)
    gone = [set(found(selection, at_epoch(now, age - 1), counts).ids.tolist()) for age in (50, 60, 75, 100)]
    assert not gone[0] and len(gone[3]) == 2000 and gone[1] < gone[2] < gone[3]
    assert stats.binomtest(len(gone[1]), 2000, 0.2).pvalue > 1e-3 and stats.binomtest(len(gone[2]), 2000, 0.5).pvalue > 1e-3
    early, late = (found(selection, at_epoch(now, epoch), counts) for epoch in (74, 99))
    assert (early.value == 75).all() and (late.value == 100).all() and (np.diff(early.threshold) >= 0).all() and early.ordered
    lifetimes = dict(zip(late.ids.tolist(), late.threshold.tolist(), strict=True))
    assert all(lifetimes[cell] == lifetime for cell, lifetime in zip(early.ids.tolist(), early.threshold.tolist(), strict=True))
    assert stats.kstest(late.threshold, stats.uniform(50, 50).cdf).pvalue > 1e-3
    assert stats.kstest(late.threshold, stats.uniform(0, 100).cdf).pvalue < 1e-9  # the control
    exponential = found(ns.Outlived(ns.Exponential(20)), at_epoch(now, 29), counts)
    assert stats.binomtest(len(exponential.ids), 2000, 1 - np.exp(-30 / 20)).pvalue > 1e-3


def test_a_daughter_begins_a_lifetime_of_her_own():
    now = at_epoch(cells(4), 9)
    after = at_epoch(ns.apply(now, ns.Events.divide("exc", [0, 1], rng=rng())), 10)
    assert after["exc"].ids.tolist() == [0, 1, 2, 3, 4, 5]
    assert found(ns.Outlived(5), after, [0] * 6).ids.tolist() == [0, 1, 2, 3]
    assert found(ns.Outlived(5), at_epoch(after, 15), [0] * 6).ids.tolist() == [0, 1, 2, 3, 4, 5]
    assert found(ns.Outlived(ns.Uniform(5, 5)), at_epoch(after, 14), [0] * 6).ids.tolist() == [0, 1, 2, 3]


# --- with rules ------------------------------------------------------------------------------------------------------


def test_shares_divide_and_die_in_a_life():
    """The top quarter divides and the bottom quarter dies: the size stays, whatever the rates are."""
    rules = [ns.Division("exc", ns.Top(0.25)), ns.Apoptosis("exc", ns.Bottom(0.25) & ~ns.Top(0.25))]
    history = develop(circuit(12), ns.Phase("turnover", 3, rules))
    assert history.series("exc")["size"].tolist() == [12] * 4 and history.series("exc")["births"].tolist() == [0, 3, 3, 3]


def test_fields_may_be_scheduled():
    rule = ns.Apoptosis("exc", ns.Top(ns.Schedule([0.25, 0.0, 0.5])) & ns.Random(ns.Schedule([1, 1, 1] / ms)))
    history = develop(circuit(8), ns.Phase("thinning", 3, [rule]), epoch=20 * ms)
    assert history.series("exc")["size"].tolist() == [8, 6, 6, 3]
    with pytest.raises(ValueError, match="fraction of Top is 2"):
        ns.Top(ns.Schedule([0.1, 2]))


def test_synapses_are_pruned_by_eligibility_and_cells_chosen_by_reward():
    """Exactly those of negative eligibility go; nobody is chosen before the reward at 110 ms, two cells at the boundary after it."""
    rule = ns.load_synapse("stdp_reward").replace(w_max=2 * nS)
    exc = ns.create("exc", ns.load_cell("leaky_conductance").keeping(rule), 12)
    loop = ns.connect(exc, exc, rule, ns.FixedProbability(0.3), receptor="g_exc", weight=1 * nS, delay=1 * ms, seed=1)
    negative = []

    def measure(now, recording):
        table = now["exc_to_exc"].synapses
        negative.append(set(table["id"][table["eligibility"] < 0].tolist()))
        return {}

    prune = ns.Rewiring("exc_to_exc", prune=ns.Below(ns.Value("eligibility"), 0.0))
    divide = ns.Division("exc", ns.Above(ns.Value("reward"), 1e-6), count=2)
    life = ns.Lifecycle(50 * ms, [ns.Phase("pruning", 1, [prune]), ns.Phase("choice", 2, [divide])])
    drive = [ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=4 * nS), ns.Reward("exc", np.array([110]) * ms, 1.0)]
    backend = ns.Brian2(target="numpy")
    history = ns.develop(ns.Circuit([exc], [loop], seed=1), life, inputs=drive, backend=backend, measure=measure, progress=False)
    events = history.events
    assert set(events["id"][events["epoch"] == 1].tolist()) == negative[0] and 0 < len(negative[0]) < len(loop)
    assert [int((events["epoch"] == epoch).sum()) for epoch in (2, 3)] == [0, 2]
