"""What is recorded of each epoch against the same numbers worked out in plain Python from circuits and spikes."""

import statistics
from collections import Counter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept_lives import DECLINE, GROWTH, Still, content, live, no_sync  # noqa: F401
from life_data import NUMPY, circuit, develop

import neurosim as ns
from neurosim.lifecycle.records import PACKED
from neurosim.units import Hz, ms, nS, second

PHASES = (ns.Phase("growth", 3, GROWTH.rules), ns.Phase("decline", 3, DECLINE.rules))
STRONG = [
    ns.PoissonInput("exc", "g_exc", rate=2000 * Hz, weight=9 * nS),
    ns.PoissonInput("exc", "g_exc", rate=500 * Hz, weight=9 * nS, name="b"),
]


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    """A history with the circuit after every epoch and all spikes."""
    folder = tmp_path_factory.mktemp("records") / "life"
    drive = [ns.SpikeTimes("source", [0, 1, 0, 0], [1, 2, 21, 50] * ms), *STRONG]
    record = [ns.Spikes("exc"), ns.Spikes("source")]
    return develop(circuit(), *PHASES, epoch=15 * ms, inputs=drive, record=record, backend=NUMPY, keep=ns.RunFolder(folder, every=1))


def synapses(now, name):
    """The synapses of a projection, by id."""
    table = now[name].synapses
    columns = (table[key].tolist() for key in ("id", "parent", "pre", "post"))
    return {row[0]: row for row in zip(*columns, strict=True)}


def test_degrees(life):
    checked = 0
    for row in life.connectivity:
        now = life.kept[int(row["epoch"])]
        projection, own = now[str(row["name"])], synapses(now, str(row["name"])).values()
        assert row["synapses"] == len(own) and row["time"] == now.time_si
        for end, population, place in (("in", projection.target, 3), ("out", projection.source, 2)):
            count = Counter(synapse[place] for synapse in own)
            degree = [count[cell] for cell in now[population].ids.tolist()]
            assert row[f"{end}_mean"] == pytest.approx(statistics.mean(degree)) and row[f"{end}_max"] == max(degree)
            assert row[f"{end}_sd"] == pytest.approx(statistics.pstdev(degree))
            checked += 1
    assert checked == 2 * 2 * 7 and len(set(life.connectivity["in_mean"].tolist())) > 4


def test_turnover_and_synaptic_events(life):
    recorded = [one() for one in life.recordings]
    busy = 0
    for row in life.connectivity[life.connectivity["epoch"] > 0]:
        name, epoch = str(row["name"]), int(row["epoch"])
        before, after = (synapses(life.kept[number], name) for number in (epoch - 1, epoch))
        changed = len(before.keys() ^ after.keys())
        assert row["turnover"] == pytest.approx(changed / (len(before) + len(after)))
        fired = Counter(recorded[epoch - 1][life.kept[0][name].source].spikes.id.tolist())
        assert row["events"] == sum(fired[pre] for _, _, pre, _ in before.values())
        busy += row["events"] > 0 and changed > 0
    assert np.isnan(life.connectivity["turnover"][:2]).all() and (life.connectivity["events"][:2] == 0).all() and busy > 4


def test_activity(life):
    irregular = 0
    for row in life.activity:
        epoch, name = int(row["epoch"]), str(row["name"])
        spikes = life.recordings[epoch - 1]()[name].spikes
        cells = life.kept[epoch - 1][name].ids.tolist()
        times = {cell: [] for cell in cells}
        for cell, step in zip(spikes.id.tolist(), spikes.step.tolist(), strict=True):
            times[cell].append(step)
        assert (row["cells"], row["spikes"]) == (len(cells), len(spikes)) and row["time"] == pytest.approx(epoch * 15e-3)
        assert row["rate"] == pytest.approx(len(spikes) / len(cells) / 15e-3) and row["silent"] == sum(
            not one for one in times.values()
        ) / len(cells)
        intervals = [[b - a for a, b in zip(one, one[1:], strict=False)] for one in times.values()]
        spread = [statistics.pstdev(one) / statistics.mean(one) for one in intervals if len(one) > 1]
        assert row["cv"] == pytest.approx(statistics.mean(spread)) if spread else np.isnan(row["cv"])
        irregular += bool(spread)
    assert len(life.activity) == 12 and irregular > 2 and 0 < life.activity["silent"].max()


@pytest.mark.parametrize("name", ["loop", "into"])
def test_every_synapse_that_ever_lived(name, life):
    rows = life.synapses(name)
    assert len(set(rows["id"].tolist())) == len(rows) == life.circuit[name].next_id
    series = life.series(name)
    for epoch in range(7):
        there = rows[(rows["birth"] <= epoch) & ((rows["death"] < 0) | (rows["death"] > epoch))]
        assert {row[0]: row for row in there[["id", "parent", "pre", "post"]].tolist()} == synapses(life.kept[epoch], name)
        assert series["size"][epoch] == len(there)
        if epoch:
            assert (rows["birth"] == epoch).sum() == series["births"][epoch] and (rows["death"] == epoch).sum() == series["deaths"][epoch]
    assert (rows["death"] >= 0).sum() > 3 and (rows["parent"] >= 0).sum() > 3
    assert (rows["death"][rows["death"] >= 0] > rows["birth"][rows["death"] >= 0]).all()


def test_lineage_of_all_cells(life):
    for name in ("exc", "source"):
        rows = life.lineage[life.lineage["population"] == name]
        for epoch in range(7):
            alive = rows[(rows["birth"] <= epoch) & ((rows["death"] < 0) | (rows["death"] > epoch))]
            cells = life.kept[epoch][name].cells
            assert alive["id"].tolist() == cells["id"].tolist() and alive["parent"].tolist() == cells["parent"].tolist()
            assert alive["birth"].tolist() == cells["birth"].tolist()


def test_events_name_what_they_changed(life):
    """Each division, death, link and unlink is seen in the circuits on both sides of its boundary."""
    seen = Counter()
    for event in life.events:
        before, after = (life.kept[int(event["epoch"]) - one] for one in (1, 0))
        name, kind, one = str(event["where"]), str(event["kind"]), int(event["id"])
        if kind in ("link", "unlink"):
            old, new = synapses(before, name), synapses(after, name)
            row = (new if kind == "link" else old)[one]
            assert (one in old, one in new) == ((False, True) if kind == "link" else (True, False))
            assert row[2:] == (event["pre"], event["post"])
        else:
            assert (one in before[name].ids, one in after[name].ids) == ((False, True) if kind == "division" else (True, False))
            assert kind == "death" or after[name].parents[one] == event["parent"] and event["parent"] in before[name].ids
        seen[kind] += 1
    assert min(seen.values()) > 2 and len(seen) == 4


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6), size=st.integers(2, 9), divisions=st.floats(0, 150), deaths=st.floats(0, 150), hazard=st.floats(0, 150), regrow=st.floats(0, 30),
    newborn=st.sampled_from(["split", "copy", "wire"]),
)  # fmt: skip
def test_births_less_deaths_are_the_change(seed, size, divisions, deaths, hazard, regrow, newborn):
    rules = [
        ns.Division("exc", hazard=divisions / second),
        ns.Apoptosis("exc", hazard=deaths / second),
        ns.Rewiring("loop", prune=ns.Everyone(), hazard=hazard / second, regrow=regrow / second, weight=1 * nS),
    ]
    start = circuit(size, seed)
    start = start.updated({"loop": start["loop"].replace(newborn=newborn)})
    history = develop(start, ns.Phase("p", 3, rules), backend=Still())
    for name in ("exc", "source", "loop", "into"):
        own = history.series(name)
        assert (np.diff(own["size"]) == (own["births"] - own["deaths"])[1:]).all() and own["size"][-1] == len(history.circuit[name])
    for name in ("loop", "into"):
        rows = history.synapses(name)
        alive = rows[rows["death"] < 0]
        assert sorted(alive["id"].tolist()) == sorted(history.circuit[name].ids.tolist()) and len(rows) == history.circuit[name].next_id
    again = ns.replay(history.start, history.boundaries)
    assert all(again[name].ids.tolist() == history.circuit[name].ids.tolist() for name in ("exc", "loop", "into"))


# --- packed events ---------------------------------------------------------------------------------------------------


def test_events_of_many_rules_and_parts_are_packed_and_unpacked(tmp_path):
    """Rules with long labels, in several phases and for several parts; each event keeps what caused it."""
    long = ["the busiest cells of this population divide, all of them, " + end for end in ("abcd", "abce")]
    assert len(long[1]) + len("q/") == 64
    first = [
        ns.Division("exc", ns.Idlest(0.3), label=long[0][:40]),
        ns.Apoptosis("exc", count=1, label="é"),
        ns.Rewiring("into", prune=ns.WeightBelow(2 * nS), hazard=50 / second),
    ]
    second_phase = [ns.Division("exc", count=1, label=long[1]), ns.Rewiring("loop", prune=ns.WeightBelow(0.9))]
    history = live(tmp_path, phases=[ns.Phase("p", 2, first), ns.Phase("q", 1, second_phase)])
    again = ns.load_history(tmp_path)
    assert content(again) == content(history) and again.events.tobytes() == history.events.tobytes()
    assert set(history.events["rule"].tolist()) == {f"p/{long[0][:40]}", "p/é", "p/rewiring.into", f"q/{long[1]}", "q/rewiring.loop"}
    assert set(history.events["where"].tolist()) == {"exc", "loop", "into"}
    for epoch in history.epochs[1:]:
        rows = epoch.event_rows()
        assert epoch.events.dtype == np.dtype(PACKED) and len(rows) == len(epoch.events)
        assert set(rows["rule"].tolist()) == set(epoch.rules) and (rows["epoch"] == epoch.number).all()
    pruned = history.events[history.events["rule"] == "q/rewiring.loop"]
    weights = history.kept[2]["loop"].synapses
    assert (
        all(row["value"] == weights["weight"][weights.rows_or_missing([row["id"]])[0]] < row["threshold"] for row in pruned)
        and len(pruned) > 2
    )
