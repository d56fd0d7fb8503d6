"""Who, what and when: selections, rules and phases do what they say, and the history tells what happened."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from comparing import differences
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import neurosim as ns
from neurosim.lifecycle import rules as rules_of
from neurosim.lifecycle.rules import absent_pairs
from neurosim.recording import PartRecording, Recording
from neurosim.units import Hz, kHz, ms, nS, second

NUMPY = ns.Brian2(target="numpy")


def circuit(size=8, seed=1):
    source, exc = ns.create("source", "spike_source", 2), ns.create("exc", "leaky_conductance", size)
    loop = ns.connect(
        exc, exc, "static", ns.FixedProbability(0.3), receptor="g_exc", weight=ns.Uniform(1 * nS, 2 * nS), delay=1 * ms, seed=3
    ).replace(name="loop")
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS).replace(name="into")
    return ns.Circuit([source, exc], [loop, into], seed=seed)


def recorded(now, counts, duration=0.1):
    """A recording in which the cells of exc spiked so often."""
    part = PartRecording("exc", duration, now["exc"].ids, np.asarray(counts))
    return Recording({"exc": part}, 0, round(duration / 1e-4), 1e-4)


def rng(seed=0):
    return np.random.default_rng(seed)


NOISE = [ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=5 * nS)]


def develop(now, *phases, epoch=4 * ms, **others):
    life = ns.Lifecycle(epoch=epoch, phases=list(phases))
    return ns.develop(now, life, **{"inputs": NOISE, "backend": NUMPY, "progress": False, **others})


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
    monkeypatch.setattr(rules_of, "ENUMERATED", enumerated)
    pre, post = np.array([0, 0, 3, 5]), np.array([1, 2, 3, 0])
    hits = np.zeros((6, 5))
    for seed in range(1500):
        new_pre, new_post = absent_pairs(6, 5, pre, post, False, 0.15, rng(seed))
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
    new = absent_pairs(n_pre, n_post, *np.nonzero(taken), same, chance, rng(seed + 1))
    assert not taken[new].any() and len(set(zip(*map(np.ndarray.tolist, new), strict=True))) == len(new[0])
    assert not same or (new[0] != new[1]).all()
    if chance == 1:
        assert len(new[0]) == (~(taken | (np.eye(n_pre, dtype=bool) if same else False))).sum()


# --- one's own rule --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Replacement:
    """Each epoch the idlest cell dies and the busiest divides."""

    population: str

    def __call__(self, circuit, recording, rng):
        order = np.argsort(recording[self.population].counts, kind="stable")
        ids = recording[self.population].ids[order]
        return ns.Events.kill(self.population, ids[:1]) + ns.Events.divide(self.population, ids[-1:], rng=rng)


@dataclass(frozen=True)
class Oldest:
    """Select the cells of the lowest id."""

    def __call__(self, circuit, recording, name):
        ids = circuit[name].ids[:1]
        return ns.Selected(ids, ids.astype(float), np.full(len(ids), np.nan), ordered=True)


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
    table = both.boundaries[0].of("division", "exc")
    for label in "ab":
        assert set(table["mother"][table["rule"] == f"p/{label}"].tolist()) == proposals[label][0]
    assert proposals["a"][0] != proposals["b"][0] and proposals["a"][0] != proposals["a"][1]


# --- when ------------------------------------------------------------------------------------------------------------


def test_phases_follow_one_another():
    life = ns.Lifecycle(
        epoch=5 * ms, phases=[ns.Phase("a", 2, modulate={"x.learning": [0.5, 2]}), ns.Phase("b", 1, modulate={"x.learning": 0})]
    )
    assert life.epochs == 3 and [(phase.name, number) for phase, number in life] == [("a", 0), ("a", 1), ("b", 0)]
    assert [phase.factors(number) for phase, number in life] == [{"x.learning": 0.5}, {"x.learning": 2.0}, {"x.learning": 0.0}]
    rules = [ns.Division("exc"), ns.Rewiring("loop"), ns.Apoptosis("exc", label="mine"), Oldest()]
    assert [label for label, _ in ns.Phase("p", 1, rules).labelled()] == ["p/division.exc", "p/rewiring.loop", "p/mine", "p/oldest"]


GROWTH = ns.Phase("growth", 3, [ns.Division("exc", hazard=300 / second, until=14)])
REWIRING = ns.Rewiring("loop", prune=ns.WeightBelow(1.2 * nS), regrow=30 / second, weight=1.5 * nS)
DECLINE = ns.Phase("decline", 3, [ns.Apoptosis("exc", hazard=60 / second, floor=5), ns.Division("exc", count=1), REWIRING])


@pytest.fixture(scope="module")
def history():
    measure = lambda now, recording: {"size": len(now["exc"])} | ({"even": 1.0} if now.epoch % 2 == 0 and now.epoch else {})  # noqa: E731
    record = [ns.Spikes("exc"), ns.Trace("exc", "v", cells=2, every=1 * ms)]
    return develop(circuit(), GROWTH, DECLINE, measure=measure, record=record)


def test_two_lives_one_after_the_other_are_one():
    whole = develop(circuit(), GROWTH, DECLINE)
    first = develop(circuit(), GROWTH)
    rest = develop(first.circuit, DECLINE)
    assert differences(rest.circuit, whole.circuit) == []
    assert np.concatenate([first.events, rest.events]).tobytes() == whole.events.tobytes()
    assert np.concatenate([first.census, rest.census[rest.census["epoch"] > 3]]).tobytes() == whole.census.tobytes()
    assert rest.phases == [("decline", 4, 6)] and differences(whole.circuits["growth"], first.circuit) == []
    # cells that were born in the first life have parents and births in the second one's lineage too
    assert (
        set(rest.lineage["id"].tolist()) >= set(first.circuit["exc"].ids.tolist())
        and (rest.lineage["birth"] > 0).sum() > (rest.events["kind"] == "division").sum()
    )


def test_census_events_and_lineage_agree(history):
    census, events, lineage = history.census, history.events, history.lineage
    assert {str(kind) for kind in events["kind"]} == {"division", "death", "unlink", "link"}
    for name in ("exc", "loop", "into", "source"):
        own = history.series(name)
        assert own["epoch"].tolist() == list(range(7)) and own["phase"].tolist() == ["growth"] * 4 + ["decline"] * 3
        assert (np.diff(own["size"]) == (own["births"] - own["deaths"])[1:]).all()
        assert own["size"][-1] == len(history.circuit[name]) and own["size"][0] == len(history.start[name])
    exc = history.series("exc")
    for epoch in range(1, 7):
        now = events[(events["epoch"] == epoch) & (events["where"] == "exc")]
        assert (now["kind"] == "division").sum() == exc["births"][epoch] and (now["kind"] == "death").sum() == exc["deaths"][epoch]
    assert exc["births"].sum() > 5 and exc["deaths"].sum() > 2
    cells = lineage[lineage["population"] == "exc"]
    assert cells["id"].tolist() == list(range(len(history.circuit["exc"].parents)))
    assert cells["parent"].tolist() == history.circuit["exc"].parents.tolist()
    assert cells[cells["death"] < 0]["id"].tolist() == history.circuit["exc"].ids.tolist()
    for epoch in range(7):
        alive = (cells["birth"] <= epoch) & ((cells["death"] < 0) | (cells["death"] > epoch))
        assert alive.sum() == exc["size"][epoch]
    assert (cells["birth"][cells["parent"] >= 0] > cells["birth"][cells["parent"][cells["parent"] >= 0]]).all()
    assert history.circuit["exc"].cells["birth"].tolist() == cells["birth"][cells["death"] < 0].tolist()
    assert np.allclose(events["time"], events["epoch"] * 4e-3) and np.allclose(census["time"], census["epoch"] * 4e-3)


def test_links_and_unlinks_say_which_synapse(history):
    events, loop = history.events, history.circuit["loop"]
    links = events[events["kind"] == "link"]
    rows = loop.synapses.rows_or_missing(links["id"])
    assert (loop.synapses["pre"][rows[rows >= 0]] == links["pre"][rows >= 0]).all() and (rows >= 0).sum() > 3
    assert (loop.synapses["post"][rows[rows >= 0]] == links["post"][rows >= 0]).all()
    unlinked = events[events["kind"] == "unlink"]
    assert (loop.synapses.rows_or_missing(unlinked["id"]) < 0).all() and len(unlinked) > 3
    start = history.start["loop"].synapses
    for row in unlinked[unlinked["id"] < len(start)]:
        assert (start["pre"][row["id"]], start["post"][row["id"]]) == (row["pre"], row["post"])


def test_growth_ends_and_phases_are_kept(history):
    assert history.phases == [("growth", 1, 3), ("decline", 4, 6)] and list(history.circuits) == ["growth", "decline"]
    assert len(history.circuits["growth"]["exc"]) == history.series("exc")["size"][3] == 14
    assert differences(history.circuits["decline"], history.circuit) == []
    assert history.circuit.epoch == 6 and history.circuit.step == 240 and history.start.epoch == 0
    assert all(
        event in {"growth/division.exc", "decline/apoptosis.exc", "decline/division.exc", "decline/rewiring.loop"}
        for event in history.events["rule"].tolist()
    )


def test_measures_are_those_before_each_boundary(history):
    assert history.measures["size"].tolist() == history.series("exc")["size"][:-1].tolist()
    assert np.array_equal(history.measures["even"], [np.nan, np.nan, 1, np.nan, 1, np.nan], equal_nan=True)


def test_the_recording_covers_the_life(history):
    recording = history.recording
    assert (recording.start_step, recording.stop_step) == (0, 240) and recording.names == ["exc"]
    assert len(recording["exc"].spikes) == recording["exc"].counts.sum() > 20
    assert recording["exc"].trace("v").ids[:2].tolist() == [0, 1]


def test_a_history_prints_as_a_table(history):
    lines = str(history).splitlines()
    assert lines[0].split() == ["phase", "epochs", "cells", "synapses", "births", "deaths", "size", "even"]
    exc = history.series("exc")
    synapses = history.series("loop")["size"] + history.series("into")["size"]
    expected = [
        ["start", "0", "8", str(synapses[0]), "0", "0"],
        ["growth", "3", "14", str(synapses[3]), "6", "0", f"{exc['size'][2]:.3f}", "1.000"],
        [
            "decline",
            "3",
            str(exc["size"][6]),
            str(synapses[6]),
            str(exc["births"][4:].sum()),
            str(exc["deaths"][4:].sum()),
            f"{exc['size'][5]:.3f}",
        ],
    ]
    assert [line.split() for line in lines[1:4]] == expected
    only = history.table(cells=["source"], synapses=["into"]).splitlines()
    assert only[3].split()[2:6] == ["2", str(history.series("into")["size"][6]), "0", "0"]
    assert repr(history).startswith(f"<History of 6 epochs, {len(history.events)} events, now <Circuit at 24. ms, epoch 6")


def test_conflicts_are_dropped_and_counted():
    """Of a cell that is to die twice and to divide, one death counts; deaths come before divisions."""
    rules = [
        ns.Apoptosis("exc", Oldest(), label="one"),
        ns.Apoptosis("exc", Oldest(), label="two"),
        ns.Division("exc", Oldest()),
        ns.Rewiring("loop", prune=ns.Everyone()),
    ]
    history = develop(circuit(), ns.Phase("p", 1, rules))
    lost = int(((history.start["loop"].synapses["pre"] == 0) | (history.start["loop"].synapses["post"] == 0)).sum())
    assert dict(history.dropped) == {"exc: killed twice": 1, "exc: divides and dies": 1, "loop: unlinked and its cell dies": lost}
    assert [(kind, rule) for kind, rule in history.events[["kind", "rule"]].tolist() if kind == "death"] == [("death", "p/one")]
    assert "dropped: 1 exc: killed twice; 1 exc: divides and dies" in str(history)
    assert len(history.circuit["loop"]) == 0 and len(history.circuit["exc"]) == 7


def test_lost_spikes_are_counted():
    source = ns.create("source", "spike_source", 1)
    exc = ns.create("exc", "leaky_conductance", 3)
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS, delay=20 * ms).replace(name="into")
    now = ns.Circuit([source, exc], [into])
    history = develop(now, ns.Phase("p", 2, [ns.Apoptosis("exc", Oldest())]), inputs=[ns.SpikeTimes("source", 0, [1, 2, 5] * ms)])
    assert history.lost["into"] == 2 + 3
    assert len(history.circuit["into"].flight) == 3


def test_progress_may_be_told_to_a_function(capsys):
    told = []
    develop(circuit(), ns.Phase("p", 3), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)] and capsys.readouterr().err == ""


def test_histories_come_back_from_a_folder(history, tmp_path):
    folder = ns.save_history(history, tmp_path / "life")
    again = ns.load_history(folder)
    assert again.events.tobytes() == history.events.tobytes() and again.events.dtype == history.events.dtype
    assert again.census.tobytes() == history.census.tobytes() and again.lineage.tobytes() == history.lineage.tobytes()
    assert differences(again.start, history.start) == differences(again.circuit, history.circuit) == []
    assert list(again.circuits) == list(history.circuits) and differences(again.circuits["growth"], history.circuits["growth"]) == []
    assert {name: values.tobytes() for name, values in again.measures.items()} == {
        name: values.tobytes() for name, values in history.measures.items()
    }
    assert (again.dropped, again.lost, again.interrupted, str(again)) == (history.dropped, history.lost, history.interrupted, str(history))
    one, other = again.recording["exc"], history.recording["exc"]
    assert one.spikes.step.tolist() == other.spikes.step.tolist() and one.trace("v").si.tobytes() == other.trace("v").si.tobytes()
    replayed = ns.replay(again.start, again.boundaries)
    assert (
        replayed["exc"].ids.tolist() == history.circuit["exc"].ids.tolist() and replayed["loop"].next_id == history.circuit["loop"].next_id
    )
    unrecorded = develop(circuit(), ns.Phase("p", 1))
    assert ns.load_history(ns.save_history(unrecorded, tmp_path / "short")).recordings == []
    with pytest.raises(FileNotFoundError, match="there is no file .*history.npz"):
        ns.load_history(tmp_path)
    (folder / "circuit_phase_1.npz").unlink()
    with pytest.raises(FileNotFoundError, match="circuit_phase_1.npz"):
        ns.load_history(folder)


def test_an_interrupted_history_comes_back_as_such(history, tmp_path):
    cut = replace(history, interrupted=True)
    assert ns.load_history(ns.save_history(cut, tmp_path)).interrupted and not history.interrupted
