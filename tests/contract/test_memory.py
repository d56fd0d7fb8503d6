"""Memory over 200 epochs of birth and death is flat."""

import gc
import resource
import sys
from pathlib import Path

import numpy as np
from circuits import CYTHON, DT, build, drive, run

import neurosim as ns

MEGABYTE = 2**20


def resident():
    """The memory that the process holds now, in bytes."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def epoch(circuit, inputs, rng, pad):
    """Run 5 steps, then kill two cells, divide two and fill each projection up to its number of synapses."""
    circuit, _ = run(circuit, 5, inputs, CYTHON)
    cells = rng.permutation(circuit["exc"].ids)
    events = ns.Events.kill("exc", cells[:2]) + ns.Events.divide("exc", cells[2:4], rng=rng)
    for name in ("plastic", "fixed"):
        missing = max(0, 40 + pad - len(circuit[name]))
        events += ns.Events.link(name, *rng.choice(cells[2:], (2, missing)), 1e-12, rng.integers(0, 51, missing) * DT)
    circuit = ns.apply(circuit, events)
    surplus = ns.Events.unlink("plastic", circuit["plastic"].ids[40 + pad :]) + ns.Events.unlink("fixed", circuit["fixed"].ids[40 + pad :])
    return ns.apply(circuit, surplus)


def grown(epochs, warm_up=20, keep=None):
    """Live through the epochs and return by how much objects and resident memory grew after the warm-up."""
    circuit, inputs, rng = build("leaky_conductance", 10), drive("leaky_conductance"), np.random.default_rng(1)
    for number in range(epochs):
        circuit = epoch(circuit, inputs, rng, pad=number % 4)
        if keep is not None:
            keep.append((np.ones(MEGABYTE // 8), [[] for _ in range(1000)]))
        if number == warm_up:
            start = len(gc.get_objects()), resident()
    return len(gc.get_objects()) - start[0], resident() - start[1]


def test_memory_is_flat_over_200_epochs():
    """A network that is kept costs 900 objects and 60 kB: 180 of them 160,000 and 11 MB. Brian2's cache costs about 60 for each new size."""
    objects, memory = grown(200)
    assert objects < 10_000
    assert memory < 5 * MEGABYTE


def test_control_what_is_kept_is_seen():
    objects, memory = grown(35, warm_up=10, keep=[])
    assert objects > 10_000
    assert memory > 5 * MEGABYTE


def test_a_simulation_leaves_no_cycles_and_freezes_nothing():
    circuit, inputs = build("leaky_conductance", 10), drive("leaky_conductance")
    run(circuit, 5, inputs, CYTHON)
    gc.collect()
    run(circuit, 5, inputs, CYTHON)
    assert gc.get_freeze_count() == 0
    assert gc.collect() < 50
