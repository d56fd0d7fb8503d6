"""A short life that is kept in folders, broken off and damaged, on a backend that simulates nothing twice."""

import json
import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from comparing import differences
from life_data import NUMPY, circuit, develop

import neurosim as ns
from neurosim.files import archive_bytes, array_digest, digest
from neurosim.recording import PartRecording, SpikeTrains
from neurosim.storage import circuit_archive, recording_archive
from neurosim.surgery import carry_out
from neurosim.units import ms, nS, second


@pytest.fixture(autouse=True)
def no_sync(monkeypatch):
    """Spare the disk: what a test writes need not outlive a loss of power."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


class Break(Exception):
    """What ends a life before its time."""


@dataclass(frozen=True)
class Slip:
    """A rule that does nothing, but raises what it is told to at the end of one epoch."""

    at: ClassVar[int | None] = None
    error: ClassVar[type[BaseException]] = Break

    def __call__(self, circuit, recording, rng):
        if circuit.epoch == self.at:
            raise self.error
        return ns.Events()


class Opening:
    """Give a backend that only runs circuits what `develop` needs: edits carried out on the circuit of the last run."""

    @contextmanager
    def opened(self):
        yield Running(self)


class Running:
    def __init__(self, backend):
        self.backend, self.dt, self.check = backend, backend.dt, backend.check

    def run(self, *arguments):
        self.held, recording = self.backend.run(*arguments)
        return self.held, recording

    def carry_out(self, edit):
        return carry_out(self.held, edit)


class Remembered(Opening):
    """The NumPy target, but a simulation of the same circuit, bit for bit, gives what it gave before."""

    dt, check = NUMPY.dt, NUMPY.check

    def __init__(self):
        self.known, self.fails_at, self.simulated = {}, None, 0

    def specification(self):
        return {"class": "Brian2", "dt": self.dt, "target": "numpy"}

    def run(self, circuit, steps, inputs, samples, shared, advance):
        if circuit.epoch == self.fails_at:
            raise Break
        about, arrays = circuit_archive(circuit)
        wishes = [(name, variable, rows.tolist(), every) for name, variable, rows, every in samples]
        hashes = [array_digest(values) for values in arrays.values()]
        key = json.dumps([about, hashes, wishes, steps, shared, [repr(one) for one in inputs if hasattr(one, "rate")]])
        self.simulated += 1
        if key not in self.known:
            self.known[key] = NUMPY.run(circuit, steps, inputs, samples, shared, advance)
        return self.known[key]


class Still(Opening):
    """A backend in which nothing ever happens."""

    dt, check = NUMPY.dt, NUMPY.check

    def run(self, now, steps, inputs, samples, shared, advance):
        parts = {}
        for name, population in now.populations.items():
            empty = np.empty(0, np.int64)
            counts = np.zeros(len(population), np.int64)
            parts[name] = PartRecording(name, steps * now.dt_si, population.ids, counts, SpikeTrains(empty, empty, now.dt_si))
        return now.updated({}, step=now.step + steps), ns.Recording(parts, now.step, now.step + steps, now.dt_si)


START, BACKEND = circuit(), Remembered()
GROWTH = ns.Phase("growth", 2, [ns.Division("exc", hazard=300 / second, until=14), Slip()])
REWIRING = ns.Rewiring("loop", prune=ns.WeightBelow(1.2 * nS), regrow=30 / second, weight=1.5 * nS, delay=3 * ms)
DECLINE = ns.Phase("decline", 2, [ns.Apoptosis("exc", hazard=60 / second, floor=5), ns.Division("exc", count=1), REWIRING, Slip()])
RECORD = [ns.Spikes("exc"), ns.Trace("exc", "v", cells=2, every=1 * ms), ns.Trace("loop", "weight", every=2 * ms)]


def measure(now, recording):
    return {"size": len(now["exc"]), "spikes": recording["exc"].counts.sum()} | ({"even": 1 / 3} if now.epoch % 2 else {})


def live(keep=None, start=None, phases=(GROWTH, DECLINE), **others):
    """Live the short life in a folder (or without one)."""
    return develop(
        START if start is None else start, *phases, **{"record": RECORD, "measure": measure, "backend": BACKEND, "keep": keep, **others}
    )


def stop_after(epoch):
    def told(done, total):
        if done == epoch:
            raise Break

    return told


def resume(folder, every=None, **others):
    return live(ns.RunFolder(folder, resume=True, every=every), **others)


def files(folder, but=(".lock",)) -> dict[str, bytes]:
    """The files of a folder, with what is in them."""
    folder = Path(folder)
    found = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: content for name, content in found.items() if name not in but}


def assert_same(folder, history, unbroken):
    """A life is the unbroken one (its folder and its history): in all its files, byte for byte, and in what it remembers."""
    other, expected = unbroken
    found, wanted = (files(one, but=(".lock", "run.json")) for one in (folder, other))
    assert found.keys() == wanted.keys() and sum(name.endswith(".csv") for name in found) == 8
    assert [name for name in found if found[name] != wanted[name]] == []
    assert content(history, circuits=False) == content(expected, circuits=False) and not history.interrupted
    assert differences(history.circuit, expected.circuit) == []
    assert not ns.load_history(folder).interrupted


def tables(folder) -> dict[str, bytes]:
    return {name: content for name, content in files(folder).items() if name.endswith(".csv")}


def bits(value) -> str:
    """A hash of all of a circuit or recording."""
    return digest(archive_bytes(*(circuit_archive(value) if isinstance(value, ns.Circuit) else recording_archive(value))))


def content(history, circuits=True) -> dict[str, object]:
    """All that a history holds, each table as its hash, to compare two of them."""
    names = ("events", "census", "activity", "connectivity", "lineage")
    found = {name: array_digest(getattr(history, name)) for name in names}
    found |= {f"synapses of {name}": array_digest(history.synapses(name)) for name in history.epochs[0].born}
    found |= {f"measure {name}": array_digest(values) for name, values in history.measures.items()}
    found |= {"phases": history.phases, "dropped": history.dropped, "lost": history.lost, "branch": history.branch}
    found |= {"recordings": [bits(one() if callable(one) else one) for one in history.recordings]}
    for number, events in enumerate(history.boundaries):
        found |= {f"boundary {number} {key}": array_digest(rows) for key, rows in events.tables.items()}
    return found | ({"kept": {epoch: bits(one) for epoch, one in history.kept.items()}} if circuits else {})


def forked(function) -> int:
    """Call a function in a process of its own, a copy of this one; return its id."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        function()
        os._exit(0)
    finally:
        os._exit(1)
