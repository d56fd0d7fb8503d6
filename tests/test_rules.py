"""Selections and rules: whom they choose, how many, with which chances, and rules of one's own."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import Oldest, circuit, develop, recorded, rng
from scipy import stats

import neurosim as ns
from neurosim.lifecycle import vacancies
from neurosim.lifecycle.vacancies import absent_pairs
from neurosim.units import Hz, kHz, ms, nS, second

# --- who -------------------------------------------------------------------------------------------------------------

COUNTS = [3, 0, 7, 1, 1, 9, 2, 1]  # in 100 ms: ten times as many Hz; mean 30 Hz

SELECTIONS = [
    (ns.Everyone(), [0, 1, 2, 3, 4, 5, 6, 7], None),
    (ns.RateBelow(15 * Hz), [1, 3, 4, 7], 15),
    (ns.RateBelow(10 * Hz), [1], 10),
    (ns.RateBelow(0.5), [1, 3, 4, 7], 15),
    (ns.RateAbove(30 * Hz), [5, 2], 30),
    (ns.RateAbove(2), [5, 2], 60),
    (ns.RateAbove(0.1 * kHz), [], 100),
    (ns.Busiest(0.5), [5, 2, 0, 6], 20),
    (ns.Busiest(0), [], None),
    (ns.Idlest(0.25), [1, 3], 10),
    (ns.Idlest(), [1, 3, 4, 7, 6, 0, 2, 5], 90),
]


@pytest.mark.parametrize(("selection", "ids", "threshold"), SELECTIONS, ids=[repr(selection) for selection, *_ in SELECTIONS])
def test_cells_are_selected_by_rate_in_order(selection, ids, threshold):
    """The most fitting first; of equals, the older."""
    now = circuit()
    found = selection(now, recorded(now, COUNTS), "exc")
    assert found.ids.tolist() == ids and found.ordered == (not isinstance(selection, ns.Everyone))
    if threshold is None:
        assert np.isnan(found.threshold).all()
    else:
        assert found.threshold == pytest.approx(np.full(len(ids), threshold))
        assert found.value == pytest.approx(np.array(COUNTS)[ids] * 10)


def test_ids_are_selected_where_rows_have_moved():
    now = ns.apply(circuit(), ns.Events.kill("exc", [0, 2]) + ns.Events.divide("exc", [5], rng=rng()))
    found = ns.RateAbove(15 * Hz)(now, recorded(now, [0, 3, 0, 9, 0, 2, 5]), "exc")
    assert now["exc"].ids.tolist() == [1, 3, 4, 5, 6, 7, 8] and found.ids.tolist() == [5, 8, 3, 7]


def test_synapses_are_selected_by_weight():
    now = circuit()
    weight, post = now["loop"].synapses["weight"], now["loop"].synapses["post"]
    absolute = ns.WeightBelow(1.3 * nS)(now, None, "loop")
    assert set(absolute.ids) == set(np.flatnonzero(weight < 1.3e-9)) and (np.diff(absolute.value) >= 0).all() and len(absolute.ids) > 2
    assert (absolute.threshold == float(1.3 * nS)).all()
    relative = ns.WeightBelow(0.8)(now, None, "loop")
    largest = np.array([weight[post == cell].max() for cell in post])
    assert set(relative.ids) == set(np.flatnonzero(weight < 0.8 * largest)) != set(absolute.ids)
    assert not len(ns.WeightBelow(0 * nS)(now, None, "loop").ids)


# --- what ------------------------------------------------------------------------------------------------------------


def test_hazards_have_their_chances():
    """An event of hazard h happens within an epoch T with probability 1 - exp(-h T)."""
    now = ns.Circuit([ns.create("exc", "leaky_conductance", 2000)])
    recording = recorded(now, np.zeros(2000, dtype=int))
    for rule, kind in ((ns.Division("exc", hazard=4 / second), "division"), (ns.Apoptosis("exc", hazard=4 / second), "death")):
        sizes = [len(rule(now, recording, rng(seed)).of(kind, "exc")) for seed in range(5)]
        assert stats.binomtest(sum(sizes), 10_000, 1 - np.exp(-0.4)).pvalue > 1e-3
        assert stats.binomtest(sum(sizes), 10_000, 0.4).pvalue < 1e-3  # the control: not h T
        assert len(set(sizes)) > 1
    assert len(ns.Division("exc", hazard=0 / second)(now, recording, rng())) == 0
    assert len(ns.Division("exc", hazard=1e6 / second)(now, recording, rng())) == 2000


AMOUNTS = [
    (ns.Division("exc", ns.Busiest(), count=3), [5, 2, 0]),
    (ns.Division("exc", ns.Busiest(), count=3, until=10), [5, 2]),
    (ns.Division("exc", ns.Busiest(), until=9), [5]),
    (ns.Division("exc", ns.Busiest(), until=8), []),
    (ns.Division("exc", ns.Busiest(), until=3), []),
    (ns.Division("exc", ns.RateAbove(20 * Hz)), [0, 2, 5]),
    (ns.Division("exc", count=0), []),
    (ns.Apoptosis("exc", ns.Idlest(), count=2), [1, 3]),
    (ns.Apoptosis("exc", ns.Idlest(), count=20), list(range(8))),
    (ns.Apoptosis("exc", ns.Idlest(), count=5, floor=6), [1, 3]),
    (ns.Apoptosis("exc", ns.RateBelow(15 * Hz), floor=5), [1, 3, 4]),
    (ns.Apoptosis("exc", floor=8), []),
    (ns.Apoptosis("exc", floor=100), []),
]


@pytest.mark.parametrize(("rule", "chosen"), AMOUNTS, ids=[repr(rule)[:100] for rule, _ in AMOUNTS])
def test_counts_ends_and_floors(rule, chosen):
    now = circuit()
    events = rule(now, recorded(now, COUNTS), rng())
    kind, column = ("division", "mother") if isinstance(rule, ns.Division) else ("death", "cell")
    assert sorted(events.of(kind, "exc")[column].tolist()) == sorted(chosen)
    after = ns.apply(now, events)
    assert len(after["exc"]) == 8 + (len(chosen) if kind == "division" else -len(chosen))


def test_of_an_unordered_selection_any_may_be_taken():
    now, taken = circuit(), set()
    for seed in range(40):
        events = ns.Apoptosis("exc", count=2)(now, recorded(now, COUNTS), rng(seed))
        cells = events.of("death", "exc")["cell"].tolist()
        assert len(set(cells)) == 2
        taken |= set(cells)
    assert taken == set(range(8))


def test_events_carry_what_caused_them():
    now = circuit()
    table = ns.Division("exc", ns.RateAbove(20 * Hz), share=(0.4, 0.5), jitter=0.1)(now, recorded(now, COUNTS), rng()).of("division", "exc")
    rows = {int(row["mother"]): row for row in table}
    assert {cell: rows[cell]["value"] for cell in rows} == pytest.approx({0: 30, 2: 70, 5: 90})
    assert (
        (table["threshold"] == 20).all() and (table["low"] == 0.4).all() and (table["high"] == 0.5).all() and (table["jitter"] == 0.1).all()
    )
    assert len(set(table["key"])) == 3
    prune = ns.Rewiring("loop", prune=ns.WeightBelow(1.3 * nS))(now, recorded(now, COUNTS), rng()).of("unlink", "loop")
    assert (
        prune["value"] == pytest.approx(now["loop"].synapses["weight"][prune["synapse"]]) and (prune["threshold"] == float(1.3 * nS)).all()
    )
    everyone = ns.Apoptosis("exc", count=1)(now, recorded(now, COUNTS), rng()).of("death", "exc")
    assert np.isnan(everyone["value"]).all() and np.isnan(everyone["threshold"]).all()


# --- rewiring --------------------------------------------------------------------------------------------------------


def pairs_of(now, name="loop"):
    return set(zip(now[name].synapses["pre"].tolist(), now[name].synapses["post"].tolist(), strict=True))


def test_pruning_and_regrowth():
    now = circuit()
    recording = recorded(now, COUNTS)
    rule = ns.Rewiring("loop", prune=ns.WeightBelow(1.5 * nS), regrow=3 / second, weight=0.5 * nS, delay=2 * ms)
    events = rule(now, recording, rng())
    after = ns.apply(now, events)
    pruned, grown = events.of("unlink", "loop"), events.of("link", "loop")
    assert set(pruned["synapse"]) == set(np.flatnonzero(now["loop"].synapses["weight"] < 1.5e-9)) and len(grown) > 3
    new = set(zip(grown["pre"].tolist(), grown["post"].tolist(), strict=True))
    assert not new & pairs_of(now) and all(pre != post for pre, post in new) and len(new) == len(grown)
    rows = after["loop"].rows(np.arange(len(now["loop"]), after["loop"].next_id))
    assert np.allclose(after["loop"].weight[rows] / nS, 0.5) and np.allclose(after["loop"].delay[rows] / ms, 2)
    assert len(after["loop"]) == len(now["loop"]) - len(pruned) + len(grown)
    kept = np.setdiff1d(now["loop"].ids, pruned["synapse"])
    assert (after["loop"].weight[after["loop"].rows(kept)] == now["loop"].weight[now["loop"].rows(kept)]).all()


def test_absent_pairs_grow_with_their_hazard():
    now = ns.Circuit([ns.create("exc", "leaky_conductance", 60)], [])
    exc = now["exc"]
    empty = ns.connect(exc, exc, "static", ns.Pairs([0], [1]), receptor="g_exc", weight=1 * nS).replace(name="loop")
    now = ns.Circuit([exc], [empty])
    recording = recorded(now, np.zeros(60, dtype=int))
    rule = ns.Rewiring("loop", regrow=2 / second, weight=ns.Uniform(1 * nS, 2 * nS))
    grown = [rule(now, recording, rng(seed)).of("link", "loop") for seed in range(5)]
    free = 60 * 59 - 1
    assert stats.binomtest(sum(map(len, grown)), 5 * free, 1 - np.exp(-0.2)).pvalue > 1e-3
    assert ((grown[0]["weight"] > 1e-9) & (grown[0]["weight"] < 2e-9)).all() and len(set(grown[0]["weight"])) == len(grown[0])
    full = ns.Rewiring("loop", regrow=1e6 / second, weight=1 * nS)(now, recording, rng())
    assert len(pairs_of(ns.apply(now, full))) == 60 * 59
    assert not len(ns.Rewiring("loop", regrow=0 / second, weight=1 * nS)(now, recording, rng()))


def test_a_relative_weight_is_a_share_of_the_targets_largest():
    now = circuit()
    grown = ns.Rewiring("loop", regrow=10 / second, weight=0.1)(now, recorded(now, COUNTS), rng()).of("link", "loop")
    weight, post = now["loop"].synapses["weight"], now["loop"].synapses["post"]
    assert grown["weight"] == pytest.approx([0.1 * weight[post == cell].max(initial=0) for cell in grown["post"]])


def test_pruning_has_its_hazard():
    now = circuit(60)
    rule = ns.Rewiring("loop", prune=ns.Everyone(), hazard=5 / second)
    gone = sum(len(rule(now, recorded(now, np.zeros(60, dtype=int)), rng(seed))) for seed in range(5))
    assert stats.binomtest(gone, 5 * len(now["loop"]), 1 - np.exp(-0.5)).pvalue > 1e-3


@pytest.mark.parametrize("enumerated", [10**6, 0])
def test_absent_pairs_are_drawn_evenly(enumerated, monkeypatch):
    """Both where all absent pairs are listed and where pairs are tried out."""
    monkeypatch.setattr(vacancies, "ENUMERATED", enumerated)
    pre, post = np.array([0, 0, 3, 5]), np.array([1, 2, 3, 0])
    hits = np.zeros((6, 5))
    for seed in range(1500):
        new_pre, new_post = absent_pairs((6, 5), pre, post, False, 0.15, rng(seed))
        keys = new_pre * 5 + new_post
        assert (np.diff(keys) > 0).all()
        hits[new_pre, new_post] += 1
    assert not hits[pre, post].any()
    free = np.delete(hits.ravel(), pre * 5 + post)
    assert stats.chisquare(free).pvalue > 1e-3 and stats.binomtest(int(free.sum()), 1500 * 26, 0.15).pvalue > 1e-3


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.booleans(), st.floats(0, 1), st.integers(0, 999))
def test_absent_pairs_are_absent(n_pre, n_post, same, chance, seed):
    n_post = n_pre if same else n_post
    taken = rng(seed).random((n_pre, n_post)) < 0.4
    new = absent_pairs((n_pre, n_post), *np.nonzero(taken), same, chance, rng(seed + 1))
    assert not taken[new].any() and len(set(zip(*map(np.ndarray.tolist, new), strict=True))) == len(new[0])
    assert not same or (new[0] != new[1]).all()
    if chance == 1:
        assert len(new[0]) == (~(taken | (np.eye(n_pre, dtype=bool) if same else False))).sum()


def listed(n_pre, n_post, pre, post, same, chance, rng, count=None):
    """Absent pairs by their definition: a list of all of them, of which some are chosen."""
    joined = set(zip(pre.tolist(), post.tolist(), strict=True))
    absent = [(i, j) for i in range(n_pre) for j in range(n_post) if (i, j) not in joined and not (same and i == j)]
    count = rng.binomial(len(absent), chance) if count is None else min(count, len(absent))
    return sorted(absent[number] for number in rng.choice(len(absent), size=count, replace=False)) if absent else []


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.booleans(), st.floats(0, 1), st.floats(0, 1), st.integers(0, 999), st.booleans())
def test_absent_pairs_are_those_of_the_whole_list(n_pre, n_post, same, density, chance, seed, counted):
    """Number for number and draw for draw, so that no study changes with the way in which they are found."""
    n_post = n_pre if same else n_post
    pre, post = np.nonzero(rng(seed).random((n_pre, n_post)) < density)
    pre, post = (np.concatenate([ends, ends[:3]]) for ends in (pre, post))  # several synapses may join two cells
    count = int(chance * n_pre * n_post) if counted else None
    one, other = rng(seed), rng(seed)
    found = absent_pairs((n_pre, n_post), pre, post, same, chance, one, count)
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == listed(n_pre, n_post, pre, post, same, chance, other, count)
    assert one.random() == other.random()


def test_many_absent_pairs_are_those_of_the_whole_list(monkeypatch):
    """Also where pairs are tried out: most of them are asked for, so that all are counted off."""
    pre, post = np.nonzero(rng(1).random((20, 20)) < 0.3)
    monkeypatch.setattr(vacancies, "ENUMERATED", 0)
    found = absent_pairs((20, 20), pre, post, True, 0.8, rng(2))
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == listed(20, 20, pre, post, True, 0.8, rng(2))
    few = absent_pairs((20, 20), pre, post, True, None, rng(2), count=30)
    assert list(zip(*map(np.ndarray.tolist, few), strict=True)) != listed(
        20, 20, pre, post, True, None, rng(2), count=30
    )  # the control: tried out


# --- one's own rule --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Replacement:
    """Each epoch the idlest cell dies and the busiest divides."""

    population: str

    def __call__(self, circuit, recording, rng):
        order = np.argsort(recording[self.population].counts, kind="stable")
        ids = recording[self.population].ids[order]
        return ns.Events.kill(self.population, ids[:1]) + ns.Events.divide(self.population, ids[-1:], rng=rng)


def test_a_users_own_rule_is_a_dataclass_with_one_call():
    history = develop(circuit(), ns.Phase("turnover", 4, [Replacement("exc")]), epoch=20 * ms)
    assert history.series("exc")["size"].tolist() == [8] * 5
    assert history.series("exc")["births"].tolist() == history.series("exc")["deaths"].tolist() == [0, 1, 1, 1, 1]
    assert {str(rule) for rule in history.events["rule"]} == {"turnover/replacement.exc"}


def test_a_users_own_selection_goes_with_any_rule():
    history = develop(circuit(), ns.Phase("ageing", 3, [ns.Apoptosis("exc", Oldest())]))
    assert history.events["id"].tolist() == [0, 1, 2] and history.circuit["exc"].ids.tolist() == [3, 4, 5, 6, 7]


def test_equal_rules_of_other_labels_draw_other_numbers():
    """Each rule has its own stream: epoch and label, whatever stands beside it."""
    proposals = {}
    for label in ("a", "b"):
        history = develop(circuit(40), ns.Phase("p", 2, [ns.Division("exc", hazard=100 / second, label=label)]))
        proposals[label] = [set(events.of("division", "exc")["mother"].tolist()) for events in history.boundaries]
    both = develop(circuit(40), ns.Phase("p", 1, [ns.Division("exc", hazard=100 / second, label=label) for label in "ba"]))
    divisions = both.events[both.events["kind"] == "division"]
    a, b = (proposals[label][0] for label in "ab")
    for label, carried_out in (("b", b), ("a", a - b)):  # a cell divides once, by the rule that stands first
        assert set(divisions["parent"][divisions["rule"] == f"p/{label}"].tolist()) == carried_out
    assert dict(both.dropped) == {"exc: divides twice": len(a & b)} and a & b
    assert proposals["a"][0] != proposals["b"][0] and proposals["a"][0] != proposals["a"][1]


NO_RULES = [
    (ns.Division, r"has the rule Division, which is a class; give one that is made, such as ns\.Division\("),
    (ns.Top(0.1), r"has the rule Top\(.*, which says who but not what happens; give it to a rule"),
    (ns.Rate(), r"has the rule Rate\(\), which says who but not what happens"),
    (ns.Events(), r"has the rule <Events: none>, which cannot be called"),
]


@pytest.mark.parametrize(("rule", "text"), NO_RULES, ids=["class", "selection", "trait", "events"])
def test_what_is_no_rule_is_told(rule, text):
    with pytest.raises(TypeError, match=f"phase 'life' {text}"):
        ns.Phase("life", 1, [rule])
    with pytest.raises(TypeError, match=f"extinction 'extinction' {text}"):
        ns.Extinction([rule], every=1)


MISTAKEN_LIVES = [
    (lambda: ns.Lifecycle(1 * ms, [ns.Division("exc")]), TypeError, r"the lifecycle has the phase Division\(.*; give phases that are made"),
    (lambda: ns.Lifecycle([1, 2] * ms, [ns.Phase("life", 1)]), ValueError, r"an epoch of the lifecycle lasts \[1\. 2\.\] ms; give a time"),
    (
        lambda: ns.Phase("life", 1, modulate=["loop.learning"]),
        TypeError,
        r"phase 'life' modulates \['loop\.learning'\]; give a dict of numbers",
    ),
    (
        lambda: ns.Phase("life", 1, modulate={"loop.learning": "a"}),
        ValueError,
        r"loop\.learning in phase 'life' is 'a', which is not a number",
    ),
    (
        lambda: ns.Phase("life", 1, modulate={"loop.learning": 1 * Hz}),
        TypeError,
        r"loop\.learning in phase 'life' is 1\. Hz, but it needs no",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), MISTAKEN_LIVES, ids=["phase", "epochs", "list", "text", "unit"])
def test_mistakes_in_lives_are_told_when_they_are_made(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize("value", ["a", None, np.ones(2)], ids=["text", "none", "array"])
def test_a_measure_is_a_function_that_returns_numbers(value):
    with pytest.raises(TypeError, match=r"measure returned .* for 'rate'; give one number"):
        develop(circuit(), ns.Phase("life", 1), measure=lambda circuit, recording: {"rate": value})
    with pytest.raises(TypeError, match=r"measure of develop is 3; give a function"):
        develop(circuit(), ns.Phase("life", 1), measure=3)


def test_fading_within_an_extinction_is_fading_too():
    fading = ns.Extinction([ns.Apoptosis("exc", fade=0.3)], every=2)
    with pytest.raises(ValueError, match=r"two rules of phase 'life' let cells of 'exc' fade"):
        ns.Phase("life", 1, [ns.Apoptosis("exc", fade=0.5), fading])
