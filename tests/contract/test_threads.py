"""Several engines in threads of one process: the same results as one after the other, one build, and Python goes on meanwhile."""

import ctypes
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from circuits import FAST, LIBRARY, build, differences, drive, run, spikes

import neurosim as ns
from neurosim import compiled
from neurosim.backends.library import build as builds
from neurosim.backends.library import engine as engines
from neurosim.lifecycle.apoptosis import Apoptosis
from neurosim.lifecycle.division import Division
from neurosim.units import Hz, ms, second

CELL = "leaky_conductance"
DRIVE = drive(CELL)


def one_life(seed):
    """Simulate, then develop: what a worker of a study does."""
    circuit, recording = run(build(CELL, size=20 + seed).reseed(seed), 1500, DRIVE, LIBRARY)
    rules = [Division("exc", hazard=20 / second), Apoptosis("exc", hazard=10 / second, floor=5)]
    life = ns.Lifecycle(epoch=10 * ms, phases=[ns.Phase("growth", epochs=6, rules=rules)])
    return circuit, spikes(recording), ns.develop(circuit, life, inputs=DRIVE, backend=LIBRARY, progress=False)


def test_lives_in_threads_are_those_lived_one_after_the_other():
    serial = [one_life(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(one_life, [0, 1, 2, 3, 0, 1, 2, 3]))
    for (circuit, seen, history), (other, expected, told) in zip(together, [*serial, *serial], strict=True):
        assert differences(circuit, other) == [] and seen == expected and len(seen) > 50
        assert differences(history.circuit, told.circuit) == [] and history.events.tobytes() == told.events.tobytes()
        assert len(history.events) > 5
    assert serial[0][1] != serial[1][1]  # the control


def test_two_threads_that_need_the_same_library_build_it_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(builds, "_loaded", {})
    exc = ns.create("exc", "leaky_adaptive_threshold", 5)
    inputs = [ns.PoissonInput("exc", "v", rate=500 * Hz, weight=1 * ns.units.mV)]
    start = threading.Barrier(2)

    def simulate(seed):
        start.wait()
        return run(ns.Circuit([exc], seed=seed), 300, inputs, FAST)[0]

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(simulate, [1, 2]))
    assert len(compiled.entries()) == 1 and capsys.readouterr().err.count("compiling") == 1
    for seed, circuit in zip([1, 2], found, strict=True):
        assert differences(circuit, run(ns.Circuit([exc], seed=seed), 300, inputs, FAST)[0]) == []
    assert differences(*found) != []  # the control


def longest_silence(circuit, steps):
    """Run in one call of the library; return its duration, and for how long in it no other thread of Python had a turn."""
    turns, over = [], threading.Event()

    def count():
        while not over.is_set():
            turns.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=count)
    other.start()
    begun = time.perf_counter()
    run(circuit, steps, DRIVE, FAST)
    ended = time.perf_counter()
    over.set()
    other.join()
    inside = [begun, *(turn for turn in turns if begun < turn < ended), ended]
    return ended - begun, np.diff(inside).max()


@pytest.mark.parametrize("released", [True, False])
def test_other_threads_go_on_while_a_library_computes(released, monkeypatch):
    """The control holds the interpreter during the call."""
    steps = 100_000
    circuit = build(CELL, size=200, chance=0.05)
    if not released:
        monkeypatch.setattr(ctypes, "CDLL", ctypes.PyDLL)
        monkeypatch.setattr(builds, "_loaded", {})
    run(circuit, 10, DRIVE, FAST)
    monkeypatch.setattr(engines, "FIRST", steps)
    duration, silence = longest_silence(circuit, steps)
    assert duration > 0.1
    assert (silence < duration / 2) == released


@pytest.fixture
def pressed_soon():
    """Press Ctrl-C a little after the test has begun to simulate."""
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    yield
    timer.cancel()


def test_ctrl_c_in_a_long_run_keeps_what_is_done(request):
    circuit = build(CELL)
    run(circuit, 10, DRIVE, LIBRARY)
    request.getfixturevalue("pressed_soon")
    with pytest.raises(ns.Interrupted) as caught:
        run(circuit, 50_000_000, DRIVE, LIBRARY)
    middle, begun = caught.value.circuit, caught.value.recording
    assert 100 < middle.step == begun.stop_step < 5_000_000
    shorter, recording = run(circuit, middle.step, DRIVE, LIBRARY)
    assert differences(middle, shorter) == []
    assert spikes(begun) == spikes(recording) and len(spikes(begun)) > 100
    assert begun["exc"].counts.tolist() == recording["exc"].counts.tolist()
    assert differences(middle, run(circuit, middle.step - 1, DRIVE, LIBRARY)[0]) != []  # the control
