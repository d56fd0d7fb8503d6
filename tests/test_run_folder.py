"""What a run folder gives back: the history as it was, circuits of kept epochs, lives that branch, lives begun and finished."""

import shutil

import pytest
from comparing import differences
from kept_lives import BACKEND, DECLINE, GROWTH, RECORD, Break, Slip, bits, content, files, live, no_sync, resume  # noqa: F401
from life_data import NOISE, NUMPY, circuit

import neurosim as ns
from neurosim.lifecycle import folder as folders

LONGER = (ns.Phase("growth", 3, GROWTH.rules), ns.Phase("decline", 3, DECLINE.rules))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder that keeps every second circuit of six epochs, and the history as it was in memory."""
    folder = tmp_path_factory.mktemp("kept") / "life"
    return folder, live(ns.RunFolder(folder, every=2), phases=LONGER)


def circuits(folder):
    return sorted(int(path.stem) for path in (folder / "circuits").iterdir())


# --- loading ---------------------------------------------------------------------------------------------------------


def test_what_is_loaded_is_what_was_lived(kept):
    folder, history = kept
    plain = live(phases=LONGER)
    assert content(ns.load_history(folder)) == content(history)
    assert content(history, circuits=False) == content(plain, circuits=False)
    assert differences(history.circuit, plain.circuit) == differences(history.start, plain.start) == []
    assert str(ns.load_history(folder)) == str(history) == str(plain)
    assert content(live(phases=LONGER, start=circuit(seed=2)), circuits=False) != content(history, circuits=False)  # the control


def test_the_numpy_target_itself_gives_the_same(kept, tmp_path):
    """The backend of these tests remembers what it simulated; this life it has not seen."""
    live(tmp_path, phases=LONGER, backend=NUMPY)
    names = [name for name in files(kept[0]) if name.endswith(".csv")]
    assert len(names) == 8 and all(files(kept[0])[name] == files(tmp_path)[name] for name in names)


def test_until(kept):
    folder, history = kept
    for epoch in range(7):
        part = ns.load_history(folder, until=epoch)
        assert len(part.boundaries) == epoch and not part.interrupted
        assert part.events.tobytes() == history.events[history.events["epoch"] <= epoch].tobytes()
        assert part.census.tobytes() == history.census[history.census["epoch"] <= epoch].tobytes()
    for epoch in (-1, 7):
        with pytest.raises(ValueError, match=f"epoch {epoch} was asked for, but the run in .* has epochs 0 to 6; give one of these"):
            ns.load_history(folder, until=epoch)


def test_loaded_while_it_is_lived(tmp_path, kept):
    """From within each epoch: all epochs before it are there, and the circuit that is now."""
    seen = []

    def look(now, recording):
        partly = ns.load_history(tmp_path)
        seen.append(len(partly.boundaries))
        assert partly.interrupted and partly.epochs[-1].number == now.epoch
        assert partly.circuit["exc"].ids.tolist() == now["exc"].ids.tolist()
        return {}

    history = live(tmp_path, phases=LONGER, measure=look)
    assert seen == [0, 1, 2, 3, 4, 5] and history.events.tobytes() == kept[1].events.tobytes()


def test_circuits_are_read_when_they_are_asked_for(kept, monkeypatch):
    folder, history = kept
    read = []
    monkeypatch.setattr(folders, "read_circuit", lambda path, expected: read.append(path.stem))
    folders._circuit.cache_clear()
    again = ns.load_history(folder)
    assert list(again.kept) == [0, 2, 3, 4, 6] and len(again.kept) == 5 and read == []
    again.kept[4], again.start
    assert read == ["000004", "000000"]
    folders._circuit.cache_clear()
    assert all(callable(one) for one in again.recordings)


# --- which circuits are kept ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "expected"), [(None, [0, 3, 6]), (1, list(range(7))), (2, [0, 2, 3, 4, 6]), (4, [0, 3, 4, 6]), (9, [0, 3, 6])]
)
def test_every_keeps_what_it_says_and_nothing_else(every, expected, tmp_path):
    left = []
    history = live(ns.RunFolder(tmp_path, every=every), phases=LONGER, progress=lambda done, total: left.append(circuits(tmp_path)))
    assert circuits(tmp_path) == list(history.kept) == list(ns.load_history(tmp_path).kept) == expected
    assert left == [sorted({one for one in expected if one < epoch} | {epoch}) for epoch in range(1, 7)]


def test_how_often_circuits_are_kept_is_part_of_a_run(tmp_path):
    def stop(done, total):
        if done == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        live(ns.RunFolder(tmp_path, every=2), phases=LONGER, progress=stop)
    for other in (None, 1):
        with pytest.raises(ValueError, match=rf"keep.every is {other or 'absent'} now and was 2; resume it with what it was begun with"):
            live(ns.RunFolder(tmp_path, resume=True, every=other), phases=LONGER)
    assert list(live(ns.RunFolder(tmp_path, resume=True, every=2), phases=LONGER).kept) == [0, 2, 3, 4, 6]


@pytest.mark.parametrize("every", [0, -1, 1.5, True, "2"])
def test_every_is_a_whole_number(every, tmp_path):
    with pytest.raises(ValueError, match=f"run folder life is to keep the circuit every {every!r} epochs; give a whole number, 1 or more"):
        ns.RunFolder("life", every=every)


def test_one_circuit(kept, tmp_path):
    folder, history = kept
    for epoch in history.kept:
        assert bits(ns.load_circuit(folder, epoch=epoch)) == bits(history.kept[epoch])
        assert ns.load_circuit(folder, epoch).epoch == epoch
    assert bits(ns.load_circuit(folder)) == bits(history.circuit) != bits(history.start)
    with pytest.raises(
        KeyError, match=r"the circuit of epoch 5 was not kept in full \(kept: 0, 2, 3, 4\); ns.RunFolder\(..., every=...\) keeps more"
    ):
        ns.load_circuit(folder, epoch=5)
    with pytest.raises(ValueError, match="epoch 12 was asked for, but the run in .* has epochs 0 to 6"):
        ns.load_circuit(folder, epoch=12)
    with pytest.raises(FileNotFoundError, match="there is no file .*run.json; give the path that the run was saved to"):
        ns.load_circuit(tmp_path)


# --- begun and finished ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [True, False])
def test_resuming_nothing_begins(made, tmp_path, kept):
    folder = tmp_path / "deep" / "life"
    if made:
        folder.mkdir(parents=True)
    assert content(resume(folder, phases=LONGER), circuits=False) == content(kept[1], circuits=False)


def test_a_finished_life_is_read_not_lived(kept, monkeypatch, capsys):
    folder, history = kept
    before = files(folder)
    monkeypatch.setattr(BACKEND, "run", lambda *arguments: pytest.fail("something was simulated"))
    again = resume(folder, every=2, phases=LONGER)
    assert content(again) == content(history) and files(folder) == before
    assert f"{folder}: this life of 6 epochs is finished; its history is read" in capsys.readouterr().err


def test_a_life_that_ended_before_it_had_begun_begins_anew(kept, tmp_path, monkeypatch):
    """Also as another one: nothing of the first attempt is taken over."""
    later = ns.load_circuit(kept[0], 4)
    with monkeypatch.context() as patch:
        patch.setattr(folders, "Session", lambda *arguments: (_ for _ in ()).throw(Break()))
        with pytest.raises(Break):
            live(tmp_path, later)
    assert circuits(tmp_path) == [4] and not (tmp_path / "run.json").exists()
    history = live(tmp_path, phases=LONGER)
    assert content(ns.load_history(tmp_path)) == content(history) and circuits(tmp_path) == [0, 3, 6]


# --- branches --------------------------------------------------------------------------------------------------------


def child(folder, parent, seed=None, epoch=4, **others):
    start = ns.load_circuit(parent, epoch)
    phases = [ns.Phase("apart", 2, DECLINE.rules)]
    return live(ns.RunFolder(folder, parent=parent, **others), start if seed is None else start.reseed(seed), phases)


def test_children_of_one_epoch_differ_only_after_it(kept, tmp_path):
    parent, history = kept
    children = {seed: child(tmp_path / str(seed), parent, seed) for seed in (7, 8, 9)}
    wholes = {seed: ns.load_history(tmp_path / str(seed), whole=True) for seed in children}
    for seed, whole in wholes.items():
        assert len(whole.boundaries) == 6 and whole.phases == [("growth", 1, 3), ("decline", 4, 4), ("apart", 5, 6)]
        assert whole.branch["epoch"] == 4 and children[seed].epochs[0].number == 4
        for name in ("events", "census", "activity", "connectivity"):
            mine, its = getattr(whole, name), getattr(history, name)
            assert mine[mine["epoch"] <= 4].tobytes() == its[its["epoch"] <= 4].tobytes()
        assert ns.replay(whole.start, whole.boundaries)["exc"].ids.tolist() == whole.circuit["exc"].ids.tolist()
        assert whole.recording.start_step == 0 and whole.recording.stop_step == 240 and len(whole.recordings) == 6
        assert list(whole.kept) == [0, 2, 3, 4, 6] and whole.lineage["birth"].min() == 0
        assert (whole.synapses("loop")["birth"] > 4).any() and len(whole.survival("loop")) > 1
    assert len({whole.events.tobytes() for whole in wholes.values()}) == 3
    assert content(child(tmp_path / "again", parent, 7), circuits=False) | {"branch": 0} == content(children[7], circuits=False) | {
        "branch": 0
    }


def test_a_branch_of_a_branch(kept, tmp_path):
    parent, history = kept
    child(tmp_path / "child", parent, 7)
    child(tmp_path / "grandchild", tmp_path / "child", 8, epoch=6)
    whole = ns.load_history(tmp_path / "grandchild", whole=True)
    assert [epoch.number for epoch in whole.epochs] == list(range(9)) and bits(whole.start) == bits(history.start)
    assert ns.replay(whole.start, whole.boundaries)["loop"].ids.tolist() == whole.circuit["loop"].ids.tolist()
    assert len(ns.load_history(tmp_path / "grandchild").boundaries) == 2


def test_a_branch_is_resumed(kept, tmp_path, monkeypatch):
    expected = child(tmp_path / "whole", kept[0], 7)
    monkeypatch.setattr(Slip, "at", 5)
    with pytest.raises(Break):
        child(tmp_path / "child", kept[0], 7)
    monkeypatch.setattr(Slip, "at", None)
    again = child(tmp_path / "child", kept[0], 7, resume=True)
    assert content(again) == content(expected) and again.branch == expected.branch


def test_errors_of_branches(kept, tmp_path):
    parent, history = kept
    with pytest.raises(FileNotFoundError, match="there is no file .*nowhere.run.json"):
        live(ns.RunFolder(tmp_path / "child", parent=tmp_path / "nowhere"))
    other = live(tmp_path / "other", circuit(seed=5), LONGER)
    with pytest.raises(
        ValueError, match="population 'exc' of the circuit has other cells than epoch 6 of the run in .*; load that circuit with"
    ):
        live(ns.RunFolder(tmp_path / "child", parent=parent), other.circuit)
    late, _ = ns.simulate(history.circuit, RECORD[1].every, inputs=NOISE, backend=NUMPY, progress=False)
    with pytest.raises(ValueError, match="the circuit is of epoch 9, but the run in .* has epochs 0 to 6; load one of them with"):
        live(ns.RunFolder(tmp_path / "child", parent=parent), ns.replay(late, [ns.Events()] * 3))
    assert not (tmp_path / "child").exists()
    child(tmp_path / "child", parent, 7)
    shutil.copytree(parent, tmp_path / "another")
    with pytest.raises(ValueError, match="the run in .*child did not branch from epoch 4 of .*another; resume it without parent=..."):
        asked = ns.RunFolder(tmp_path / "child", resume=True, parent=tmp_path / "another")
        live(asked, history.kept[4].reseed(7), [ns.Phase("apart", 2, DECLINE.rules)])


def test_the_parent_that_is_there_is_the_parent_that_was(kept, tmp_path):
    shutil.copytree(kept[0], tmp_path / "parent")
    child(tmp_path / "child", tmp_path / "parent", 7)
    shutil.rmtree(tmp_path / "parent")
    with pytest.raises(FileNotFoundError, match="parent.run.json"):
        ns.load_history(tmp_path / "child", whole=True)
    live(tmp_path / "parent", circuit(seed=2), LONGER)
    with pytest.raises(
        ValueError, match="branched from another one than lies in .*parent now; put that back, or load it without whole=True"
    ):
        ns.load_history(tmp_path / "child", whole=True)
    assert len(ns.load_history(tmp_path / "child").boundaries) == 2  # the control
