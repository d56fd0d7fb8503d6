"""Memory over 200 epochs of birth and death is flat, and neither another seed nor another size needs new code."""

import gc
import resource
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from brian2.stateupdaters.base import StateUpdateMethod
from circuits import CYTHON, DT, build, drive, run

import neurosim as ns
from neurosim.backends.compiler import cache_folder

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


def grown_alone(*arguments):
    """Ask a process of its own: in that of the tests, memory that others gave back would hide what grows."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(grown, *arguments).result()


def test_memory_is_flat_over_200_epochs():
    """Measured: no object more and at most 1 MB. Networks that are not collected would make 160,000 objects and 11 MB."""
    objects, memory = grown_alone(200)
    assert objects < 10_000
    assert memory < 5 * MEGABYTE


def test_control_what_is_kept_is_seen():
    objects, memory = grown_alone(35, 10, [])
    assert objects > 10_000
    assert memory > 5 * MEGABYTE


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
