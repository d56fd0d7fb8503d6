"""Lives: phases follow one another, and the history of a life agrees with itself, prints and comes back from a folder."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from comparing import differences
from life_data import Oldest, circuit, develop

import neurosim as ns
from neurosim.units import ms, nS, second

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


def test_a_backend_that_carries_out_no_edits_is_refused():
    plain = SimpleNamespace(dt=0.1 * ms, run=None, check=lambda circuit: None)
    with pytest.raises(TypeError, match=r"carries out no edits, as develop needs; give a backend such as ns.Brian2\(dt=0.1\*ms\)"):
        develop(circuit(), GROWTH, backend=plain)


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
    assert repr(history) == f"<History of 6 epochs, {len(history.events)} events>"


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
    with pytest.raises(FileNotFoundError, match="there is no file .*run.json"):
        ns.load_history(tmp_path)
    (folder / "circuits" / "000003.npz").unlink()
    lacking = ns.load_history(folder)
    assert lacking.events.tobytes() == history.events.tobytes() and differences(lacking.circuit, history.circuit) == []
    with pytest.raises(FileNotFoundError, match="there is no file .*000003.npz"):
        lacking.circuits


def test_an_interrupted_history_comes_back_as_such(history, tmp_path):
    cut = replace(history, interrupted=True)
    assert ns.load_history(ns.save_history(cut, tmp_path)).interrupted and not history.interrupted
