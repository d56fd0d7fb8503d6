"""Memory over many epochs of birth and death is flat, and neither another seed nor another size needs new code."""

import gc
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path

import numpy as np
from brian2.stateupdaters.base import StateUpdateMethod
from circuits import CYTHON, DT, LIBRARY, build, drive, run

import neurosim as ns
from neurosim.backends.compiler import cache_folder
from neurosim.units import ms, nS, second

MEGABYTE = 2**20


def resident():
    """The memory that the process holds now, in bytes."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def epoch(circuit, inputs, rng, size):
    """Run 5 steps, then kill two cells, divide two and bring the number of synapses back to `size`."""
    circuit, _ = run(circuit, 5, inputs, CYTHON)
    cells = rng.permutation(circuit["exc"].ids)
    circuit = ns.apply(circuit, ns.Events.kill("exc", cells[:2]) + ns.Events.divide("exc", cells[2:4], rng=rng))
    missing = max(0, size - len(circuit["plastic"]))
    events = ns.Events.unlink("plastic", circuit["plastic"].ids[size:])
    return ns.apply(
        circuit, events + ns.Events.link("plastic", *rng.choice(circuit["exc"].ids, (2, missing)), 1e-12, rng.integers(0, 51, missing) * DT)
    )


def grown(epochs, warm_up=20, keep=None):
    """Live through the epochs and return by how much objects and resident memory grew after the warm-up."""
    circuit, inputs, rng = build("leaky_conductance", 10), drive("leaky_conductance"), np.random.default_rng(1)
    circuit = ns.Circuit([circuit["exc"]], [circuit["plastic"]])
    for number in range(epochs):
        circuit = epoch(circuit, inputs, rng, size=40 + number % 4)
        if keep is not None:
            keep.append((np.ones(MEGABYTE // 8), [[] for _ in range(1000)]))
        if number == warm_up:
            start = len(gc.get_objects()), resident()
    return len(gc.get_objects()) - start[0], resident() - start[1]


def alone(function, *arguments):
    """Ask a process of its own: in that of the tests, memory that others gave back would hide what grows."""
    kind = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"  # the former imports once for all
    context = get_context(kind)
    context.set_forkserver_preload(["neurosim"])
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def test_memory_is_flat_over_120_epochs():
    """Measured: no object more and at most 1 MB. Networks that are not collected would make 90,000 objects and 6 MB."""
    objects, memory = alone(grown, 120)
    assert objects < 5000
    assert memory < 3 * MEGABYTE


def test_control_what_is_kept_is_seen():
    objects, memory = alone(grown, 35, 10, [])
    assert objects > 10_000
    assert memory > 5 * MEGABYTE


def opened(circuits, warm_up=30, kept=None):
    """Open an engine for each of so many circuits, run, edit and close it (or keep it open, in `kept`); return how memory grew."""
    inputs, rng = drive("leaky_conductance"), np.random.default_rng(1)
    for number in range(circuits):
        with ExitStack() as stack:
            running = stack.enter_context(LIBRARY.opened())
            circuit, _ = run(build("leaky_conductance", 100 + number % 7, chance=0.3), 20, inputs, running, record=[ns.Trace("exc", "v")])
            cells = rng.permutation(circuit["exc"].ids)
            events = ns.Events.kill("exc", cells[:2]) + ns.Events.divide("exc", cells[2:4], rng=rng)
            run(running.carry_out(ns.plan(circuit, events)), 20, inputs, running)
            if kept is not None:
                kept.append((running, stack.pop_all()))
        if number == warm_up:
            start = resident()
    return resident() - start


def turned_over(epochs, warm_up=100):
    """Let one engine live through epochs of births, deaths, links and unlinks; return how memory grew."""
    circuit, inputs, rng = build("leaky_conductance", 10), drive("leaky_conductance"), np.random.default_rng(1)
    with LIBRARY.opened() as running:
        for number in range(epochs):
            circuit, _ = run(circuit, 10, inputs, running, record=[ns.Trace("exc", "v")])
            cells, plastic = rng.permutation(circuit["exc"].ids), circuit["plastic"]
            missing = max(0, 40 - len(plastic))
            events = (
                ns.Events.kill("exc", cells[:1])
                + ns.Events.divide("exc", cells[1:2], rng=rng)
                + ns.Events.unlink("plastic", plastic.ids[40:])
            )
            events += ns.Events.link("plastic", *rng.choice(cells[1:], (2, missing)), 1e-12, rng.integers(0, 51, missing) * DT)
            circuit = running.carry_out(ns.plan(circuit, events))
            if number == warm_up:
                start = resident()
    return resident() - start


def developed(epochs, warm_up=100):
    """Develop a tiny circuit with births, deaths and rewiring; return how memory grew, and how many events there were."""
    rules = [
        ns.Division("exc", count=1),
        ns.Apoptosis("exc", count=1, floor=8),
        ns.Rewiring("plastic", prune=ns.Everyone(), hazard=20 / second, regrow=20 / second, weight=1 * nS, delay=1 * ms),
    ]
    circuit, held = build("leaky_conductance", 10), []
    life = ns.Lifecycle(epoch=1 * ms, phases=[ns.Phase("turnover", epochs=epochs, rules=rules)])

    def measure(circuit, recording):
        if circuit.epoch in (warm_up, epochs - 1):
            held.append(resident())
        return {}

    first = ns.Circuit([circuit["exc"]], [circuit["plastic"]])
    history = ns.develop(first, life, inputs=drive("leaky_conductance"), measure=measure, backend=LIBRARY, progress=False)
    return held[1] - held[0], len(history.events)


def test_memory_is_flat_when_engines_are_opened_and_closed():
    """Measured: 0.5 MB; each engine that stays open holds 2.5 MB."""
    assert alone(opened, 300) < 3 * MEGABYTE


def test_control_engines_that_stay_open_are_seen():
    assert alone(opened, 90, 30, []) > 10 * MEGABYTE


def test_memory_is_flat_over_1000_epochs_of_turnover():
    """Measured: 0.7 MB."""
    assert alone(turned_over, 1000) < 3 * MEGABYTE


def test_a_life_of_1000_epochs_keeps_its_history_and_no_more():
    """Measured: 12 MB, the records of three thousand events and of each epoch."""
    memory, events = alone(developed, 1000)
    assert events > 2000 and memory < 20 * MEGABYTE


def test_a_simulation_leaves_no_cycles_and_freezes_nothing():
    circuit, inputs = build("leaky_conductance", 10), drive("leaky_conductance")
    run(circuit, 5, inputs, CYTHON)
    gc.collect()
    run(circuit, 5, inputs, CYTHON)
    assert gc.get_freeze_count() == 0
    assert gc.collect() < 50


def test_neither_a_seed_nor_a_size_needs_new_code():
    inputs = drive("leaky_conductance")
    run(build("leaky_conductance", 10), 5, inputs, CYTHON)
    updater = StateUpdateMethod.apply_stateupdater.__wrapped__._cache_statistics
    compiled, worked_out = set(cache_folder().glob("*.so")), updater.misses
    run(build("leaky_conductance", 13, seed=987), 5, inputs, CYTHON)
    assert compiled and set(cache_folder().glob("*.so")) == compiled
    assert updater.misses == worked_out
