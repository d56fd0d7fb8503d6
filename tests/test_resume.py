"""A life that breaks off, wherever it does, goes on from its folder and ends with the same numbers as an unbroken one."""

import errno
import os
import random
import signal
import time
from functools import partial

import pytest
from comparing import differences
from kept_lives import (
    BACKEND,
    DECLINE,
    GROWTH,
    RECORD,
    Break,
    Slip,
    assert_same,
    bits,
    content,
    files,
    forked,
    live,
    resume,
    stop_after,  # noqa: F401
    tables,
)
from life_data import circuit

import neurosim as ns
from neurosim.units import ms

EPOCHS = 4


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder of a life that nothing disturbed, and its history."""
    folder = tmp_path_factory.mktemp("unbroken") / "life"
    return folder, live(folder)


def test_control_another_seed_ends_otherwise(unbroken, tmp_path):
    folder, history = unbroken
    other = live(tmp_path / "other", circuit(seed=2))
    others = tables(tmp_path / "other")
    assert {name for name, table in tables(folder).items() if table == others[name]} == {"ledgers.csv"}  # in which no rule keeps anything
    assert bits(other.circuit) != bits(history.circuit) and content(other)["recordings"] != content(history)["recordings"]


@pytest.mark.parametrize("epoch", range(1, EPOCHS + 1))
def test_broken_off_between_two_epochs(epoch, unbroken, tmp_path):
    with pytest.raises(Break) as caught:
        live(tmp_path, progress=stop_after(epoch))
    assert len(caught.value.history.boundaries) == epoch and not (tmp_path / "events.csv").exists()
    partly = ns.load_history(tmp_path)
    assert partly.interrupted and bits(partly.circuit) == bits(caught.value.history.circuit)
    before = BACKEND.simulated
    assert_same(tmp_path, resume(tmp_path), unbroken)
    assert BACKEND.simulated - before == EPOCHS - epoch  # what was lived through is not simulated again


@pytest.mark.parametrize("error", [Break, KeyboardInterrupt])
@pytest.mark.parametrize("epoch", range(EPOCHS))
def test_broken_off_by_a_rule(epoch, error, unbroken, tmp_path, monkeypatch):
    monkeypatch.setattr(Slip, "at", epoch)
    monkeypatch.setattr(Slip, "error", error)
    with pytest.raises(error):
        live(tmp_path)
    monkeypatch.setattr(Slip, "at", None)
    assert len(ns.load_history(tmp_path).boundaries) == epoch
    before = BACKEND.simulated
    assert_same(tmp_path, resume(tmp_path), unbroken)
    assert BACKEND.simulated - before == EPOCHS - epoch


def test_broken_off_in_each_epoch_by_the_backend(unbroken, tmp_path, monkeypatch):
    """One life that breaks off again and again."""
    for epoch in range(EPOCHS):
        monkeypatch.setattr(BACKEND, "fails_at", epoch)
        with pytest.raises(Break) as caught:
            resume(tmp_path)
        assert len(caught.value.history.boundaries) == len(ns.load_history(tmp_path).boundaries) == epoch
    monkeypatch.setattr(BACKEND, "fails_at", None)
    assert_same(tmp_path, resume(tmp_path), unbroken)


def test_interrupted_it_says_so_and_goes_on(unbroken, tmp_path, monkeypatch, capsys):
    run = BACKEND.run

    def run_and_press(now, *others):
        if now.epoch == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return run(now, *others)

    monkeypatch.setattr(BACKEND, "run", run_and_press)
    history = live(tmp_path)
    assert history.interrupted and ns.load_history(tmp_path).interrupted and len(history.boundaries) == 2
    assert '"state": "interrupted"' in (tmp_path / "run.json").read_text()
    monkeypatch.setattr(BACKEND, "run", run)
    again = resume(tmp_path)
    assert_same(tmp_path, again, unbroken)
    assert "interrupted" not in str(again) and "interrupted: the life ends after 2 of 4 epochs" in capsys.readouterr().err


@pytest.mark.parametrize("cells", [2, [3, 5], None], ids=["the first two", "two ids", "all"])
def test_descendants_are_traced_on(cells, tmp_path, monkeypatch):
    record = [ns.Trace("exc", "v", cells=cells, every=1 * ms), ns.Trace("loop", "weight", synapses=[0, 1, 2], every=2 * ms)]
    whole = live(record=record)
    traced = whole.recording["exc"].trace("v").ids.tolist()
    family = whole.lineage[whole.lineage["population"] == "exc"]
    founders = {2: {0, 1}, None: set(range(8))}.get(cells if not isinstance(cells, list) else 0, {3, 5})
    for cell in family:  # parents come before their children
        founders |= {int(cell["id"])} if int(cell["parent"]) in founders and cell["birth"] < EPOCHS else set()
    assert traced == sorted(founders) and len(traced) > len(founders & set(range(8)))
    for epoch in range(1, EPOCHS):
        with pytest.raises(Break):
            live(tmp_path / str(epoch), record=record, progress=stop_after(epoch))
        again = resume(tmp_path / str(epoch), record=record)
        assert content(again) == content(whole)
    del record[0]
    assert content(live(record=record))["recordings"] != content(whole)["recordings"]  # the control


# --- every write -----------------------------------------------------------------------------------------------------

SHORT = {"phases": [ns.Phase("growth", 1, GROWTH.rules), ns.Phase("decline", 1, DECLINE.rules)]}


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    folder = tmp_path_factory.mktemp("short") / "life"
    return folder, live(folder, **SHORT)


class Failing:
    """A function of the operating system that fails at its n-th call, before or after it has done its work."""

    def __init__(self, works, error, at=None, after=False):
        self.works, self.error, self.at, self.after, self.calls = works, error, at, after, 0

    def __call__(self, *arguments, **others):
        self.calls += 1
        if self.calls == self.at and not self.after:
            raise self.error
        result = self.works(*arguments, **others)
        if self.calls == self.at:
            raise self.error
        return result


FULL = OSError(errno.ENOSPC, "No space left on device")


WRITES = [("fsync", FULL, False, 40), ("replace", KeyboardInterrupt(), True, 20)]


@pytest.mark.parametrize(("step", "error", "after", "calls"), WRITES, ids=["no room", "stopped after a write"])
def test_whichever_write_fails(step, error, after, calls, short, tmp_path, monkeypatch):
    """Every file and every folder is synchronised, so that all writes and the moments after them are among these."""
    counting = Failing(getattr(os, step), error)
    with monkeypatch.context() as patch:
        patch.setattr(os, step, counting)
        live(tmp_path / "counted", **SHORT)
    assert counting.calls == calls
    message = r".* cannot be written .No space left on device.; make room" if error is FULL else None
    for call in range(1, calls + 1):
        folder = tmp_path / str(call)
        with monkeypatch.context() as patch:
            patch.setattr(os, step, Failing(getattr(os, step), error, call, after))
            with pytest.raises(type(error), match=message):
                live(folder, **SHORT)
        assert not any(name.endswith(".part") for name in files(folder))
        if (folder / "run.json").exists():
            partly = ns.load_history(folder)
            whole = ns.load_history(short[0], until=len(partly.boundaries))
            assert content(partly, circuits=False) == content(whole, circuits=False)
            assert differences(partly.circuit, whole.circuit) == []
        assert_same(folder, resume(folder, **SHORT), short)


# --- killed ----------------------------------------------------------------------------------------------------------


def test_killed_at_random_moments(tmp_path):
    """SIGKILL, 20 times; the life is lived again in other folders once it has come to its end."""
    phases = [ns.Phase("growth", 3, GROWTH.rules), ns.Phase("decline", 3, DECLINE.rules)]
    live(phases=phases)  # what is simulated is remembered, so that most kills meet a write
    begun = time.monotonic()
    expected = live(tmp_path / "unbroken", phases=phases)
    lasts = time.monotonic() - begun
    kills = folders = epochs = 0
    rng = random.Random(1)
    while kills < 20:
        folder, finished, patience = tmp_path / str(folders), False, lasts
        folders += 1
        while not finished:
            child = forked(partial(resume, folder, phases=phases))
            time.sleep(rng.uniform(0.1, 0.9) * patience)
            patience *= 1.2  # so that it comes to an end also where the machine has other things to do
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            finished = os.WIFEXITED(status)
            kills += os.WIFSIGNALED(status)
            if (folder / "run.json").exists():
                epochs += 0 < len(ns.load_history(folder).boundaries) < 6
        assert_same(folder, resume(folder, phases=phases), (tmp_path / "unbroken", expected))
    assert epochs > 3, "most were killed before they began or after they had ended"


def test_control_a_record_that_is_lost_is_missed(tmp_path, unbroken):
    with pytest.raises(Break):
        live(tmp_path, progress=stop_after(2), record=RECORD[1:])
    with pytest.raises(ValueError, match="record"):
        resume(tmp_path)
