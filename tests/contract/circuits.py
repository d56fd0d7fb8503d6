"""Circuits, drives and comparisons that the tests of the boundary contract share.

All use one population `exc` and the projections `plastic` and `fixed`, so that each target compiles each kind of cell once.
"""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

import neurosim as ns
from neurosim.table import Table
from neurosim.units import Hz, ms, mV, nA, nS, pA, quantity, second

DT = 1e-4
LEAKY = ("leaky_conductance", "leaky_adaptive_threshold")
HH = ("traub_miles", "hodgkin_huxley")
CELLS = (*LEAKY, *HH)
ON_CYTHON = ("leaky_conductance", "traub_miles")  # one refractory after a spike, one that spikes where v crosses a threshold

# receptor and size of plastic and fixed weights, start of v, Poisson rate and weight, OU mean and sd: all fire at 10 to 60 Hz
RECIPES = {
    "leaky_conductance": ("g_exc", 1.5 * nS, "g_inh", 2 * nS, (-60, -51), 400 * Hz, 2.5 * nS, 60 * pA, 40 * pA),
    "leaky_adaptive_threshold": ("v", 0.4 * mV, "v", -0.3 * mV, (-65, -61), 400 * Hz, 1 * mV, 10 * pA, 8 * pA),
    "traub_miles": ("g_exc", 1.5 * nS, "g_inh", 2 * nS, (-70, -60), 400 * Hz, 4 * nS, 50 * pA, 60 * pA),
    "hodgkin_huxley": ("g_exc", 4 * nS, "g_inh", 4 * nS, (-70, -62), 400 * Hz, 12 * nS, 1 * nA, 0.3 * nA),
}
load_cell, load_synapse = cache(ns.load_cell), cache(ns.load_synapse)  # a model never changes, and is checked for up to 80 ms
NUMPY = ns.Brian2(target="numpy")
CYTHON = ns.Brian2(target="cython")
LIBRARY = ns.Brian2(target="library", arithmetic="strict")
FAST = ns.Brian2(target="library", arithmetic="fast")
TARGETS = {"numpy": NUMPY, "cython": CYTHON, "library": LIBRARY, "fast": FAST}


def on_targets(*names):
    """Run a test, or a fixture, on each of these targets, as `backend`."""
    return pytest.mark.parametrize("backend", [TARGETS[name] for name in names], ids=names)


def each_cell_on(*targets, cells=CELLS, more=()):
    """Run a test with each kind of cell on each of these targets, and with `more` pairs of both, as `cell` and `backend`.

    Cython compiles each object of each cell for 2 to 3 s, and what differs between cells are their equations alone. So two of
    them run on Cython by default, and the others with ``-m slow``.
    """
    cases = []
    for cell, name in [*product(cells, targets), *more]:
        marks = [pytest.mark.slow] if name == "cython" and cell not in ON_CYTHON else []
        cases.append(pytest.param(cell, TARGETS[name], id=f"{cell}-{name}", marks=marks))
    return pytest.mark.parametrize("cell, backend", cases)


def build(cell, size=20, chance=0.2, contacts=2, seed=3, strength=1.0, inhibition=None, spread=None):
    """Make a circuit of one population with plastic and fixed synapses: delays of 0 to 5 ms, autapses, several contacts."""
    excitatory, unit, inhibitory, brake, (low, high), *_ = RECIPES[cell]
    rng = np.random.default_rng(seed)
    state = {"v": rng.uniform(low, high, size) * mV}
    exc = ns.create("exc", load_cell(cell), size, state=state, spread=spread, seed=seed)
    stdp = load_synapse("stdp_pair").replace(w_max=2 * strength * unit, A_plus=0.03, A_minus=0.02)
    projections = []
    for name, synapse, receptor, scale in [
        ("plastic", stdp, excitatory, unit),
        ("fixed", load_synapse("static"), inhibition or inhibitory, brake),
    ]:
        pre, post = np.nonzero(rng.random((size, size)) < chance)
        pre, post = np.repeat(pre, contacts), np.repeat(post, contacts)
        weight = rng.uniform(0, 1, len(pre)) * strength * (abs(scale) if inhibition else scale)
        delay = rng.integers(0, 51, len(pre)) * DT * second
        projections.append(
            ns.connect(exc, exc, synapse, ns.Pairs(pre, post), receptor=receptor, weight=weight, delay=delay).replace(name=name)
        )
    return ns.Circuit([exc], projections, seed=seed)


def drive(cell, shared=False, scale=1.0):
    """Drive a circuit of `build` with Poisson spikes and a noise current, the same for twins where `shared`."""
    receptor, *_, rate, weight, mean, sd = RECIPES[cell]
    return [
        ns.PoissonInput("exc", receptor, rate=rate, weight=scale * weight, shared_noise=shared),
        ns.NoiseCurrent("exc", "I_e", mean=mean, sd=sd, tau=4 * ms, shared_noise=shared),
    ]


def run(circuit, steps, inputs, backend=NUMPY, **others):
    """Simulate so many time steps of 0.1 ms without a progress bar."""
    return ns.simulate(circuit, quantity(steps * DT, second.dim), inputs=inputs, backend=backend, progress=False, **others)


def spikes(*recordings, but=(), name="exc"):
    """Return the set of (time step, cell) of all spikes in recordings, but for those of some cells."""
    return {
        (step, cell)
        for r in recordings
        for step, cell in zip(r[name].spikes.step.tolist(), r[name].spikes.id.tolist(), strict=True)
        if cell not in but
    }


def differences(one, other):
    """Name everything in which two circuits differ by a bit: columns, spikes in flight, ids issued and time."""
    found = [key for key in ("seed", "step", "epoch", "dt_si") if getattr(one, key) != getattr(other, key)]
    for name in {*one.populations, *other.populations}:
        a, b = one.populations[name], other.populations[name]
        found += _columns(name, a.cells, b.cells) + ([f"{name}.parents"] if a.parents.tolist() != b.parents.tolist() else [])
    for name in {*one.projections, *other.projections}:
        a, b = one.projections[name], other.projections[name]
        found += _columns(name, a.synapses, b.synapses) + _columns(f"{name}.flight", a.flight, b.flight)
        found += [f"{name}.next_id"] if a.next_id != b.next_id else []
    return found


def _columns(name, one, other):
    names = sorted({*one, *other})
    return [
        f"{name}.{key}"
        for key in names
        if not (key in one and key in other and one[key].dtype == other[key].dtype and one[key].tobytes() == other[key].tobytes())
    ]


def in_flight(circuit):
    """Count the spikes under way in a circuit."""
    return sum(len(projection.flight) for projection in circuit.projections.values())


def tampered(circuit, name, *, flight=None, **columns):
    """Return a circuit with other columns, or other spikes in flight, in one of its tables: the damage of a control."""
    part = circuit[name]
    table = "cells" if name in circuit.populations else "synapses"
    changed = replace(part, **{table: getattr(part, table).replace(**columns)})
    return circuit.updated({name: changed if flight is None else replace(changed, flight=flight)})


EMPTY_FLIGHT = Table({"synapse": np.empty(0, np.int64), "step": np.empty(0, np.int64)})
