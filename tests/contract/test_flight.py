"""Spikes in flight: they reach the synapses that survive and their copies, are counted where synapses go, and never were where a link is made."""

import numpy as np
import pytest
from circuits import CELLS, DT, LIBRARY, NUMPY, TARGETS, build, drive, in_flight, run, tampered

import neurosim as ns
from neurosim.table import Table
from neurosim.units import ms, nS, second

DELAYS = [0, 1, 2, 20, 50]  # time steps


def fan(backend, emitted=(10,), steps=0, delays=DELAYS):
    """A source that spikes at given steps, with a synapse of 1 nS for each delay onto a cell of its own, run for some steps.

    The last source spikes too and reaches nobody.
    """
    source = ns.create("source", "spike_source", 2)
    exc = ns.create("exc", "leaky_conductance", len(delays))
    cells = np.arange(len(delays))
    projection = ns.connect(
        source,
        exc,
        "static",
        ns.Pairs(np.zeros(len(delays), int), cells),
        receptor="g_exc",
        weight=1 * nS,
        delay=np.array(delays) * DT * second,
    ).replace(name="fan")
    given = ns.SpikeTimes("source", np.tile([0, 1], len(emitted)), np.repeat(emitted, 2) * DT * second)
    circuit, _ = run(ns.Circuit([source, exc], [projection]), steps, [given], backend)
    return circuit, given


def arrivals(circuit, given, steps, backend, name="exc"):
    """Return for each cell the time steps at which its conductance jumps."""
    _, recording = run(circuit, steps, [given], backend, record=[ns.Trace(name, "g_exc")])
    trace = recording[name].trace("g_exc")
    jumps = np.diff(trace.si, axis=1) > 0.5e-9
    return {int(cell): trace.steps[:-1][row].tolist() for cell, row in zip(trace.ids, jumps, strict=True)}


def mid_flight(backend, **others):
    """The fan 15 steps after a spike: arrivals of delays 0, 1 and 2 are over, those of 20 and 50 under way."""
    circuit, given = fan(backend, steps=15, **others)
    assert list(zip(circuit["fan"].flight["synapse"], circuit["fan"].flight["step"], strict=True)) == [(3, 30), (4, 60)]
    return circuit, given


# Cython would compile these circuits for half a minute; its delays are also those of the oracle, in whole lives.
@pytest.fixture(params=["numpy", pytest.param("cython", marks=pytest.mark.slow), "library"])
def backend(request):
    return TARGETS[request.param]


def test_each_spike_arrives_after_its_delay(backend):
    circuit, given = fan(backend, emitted=(10, 13))
    assert arrivals(circuit, given, 80, backend) == {cell: [10 + delay, 13 + delay] for cell, delay in enumerate(DELAYS)}


def test_a_boundary_in_between_moves_no_arrival(backend):
    circuit, given = mid_flight(backend)
    expected = {0: [], 1: [], 2: [], 3: [30], 4: [60]}
    assert arrivals(circuit, given, 80, backend) == expected
    assert arrivals(ns.apply(circuit, ns.Events.kill("exc", [0])), given, 80, backend) == {cell: expected[cell] for cell in (1, 2, 3, 4)}


def test_what_flies_on_a_removed_synapse_is_lost_and_counted():
    circuit, given = mid_flight(NUMPY)
    for events, left in [
        (ns.Events.unlink("fan", [4]), [(3, 30)]),
        (ns.Events.kill("exc", [3]), [(4, 60)]),
        (ns.Events.kill("source", [0]), []),
        (ns.Events.kill("source", [1]), [(3, 30), (4, 60)]),
        (ns.Events.kill("exc", [0]) + ns.Events.unlink("fan", [1]), [(3, 30), (4, 60)]),
    ]:
        edit, after = ns.plan(circuit, events), ns.apply(circuit, events)
        assert list(zip(after["fan"].flight["synapse"], after["fan"].flight["step"], strict=True)) == left
        assert edit.lost.get("fan", 0) == 2 - len(left)
        cells = arrivals(after, given, 80, NUMPY)
        assert sorted(step for steps in cells.values() for step in steps) == [step for _, step in left]


def test_copies_inherit_what_flies_on_incoming_and_outgoing_synapses(backend):
    circuit, given = mid_flight(backend)
    rng = np.random.default_rng(1)
    grown = ns.apply(circuit, ns.Events.divide("exc", [4], rng=rng))
    assert arrivals(grown, given, 80, backend) == {0: [], 1: [], 2: [], 3: [30], 4: [60], 5: [60]}
    split = ns.apply(circuit, ns.Events.divide("source", [0], rng=rng))
    assert len(split["fan"].flight) == 4
    _, recording = run(split, 80, [given], backend, record=[ns.Trace("exc", "g_exc")])
    _, expected = run(circuit, 80, [given], backend, record=[ns.Trace("exc", "g_exc")])
    np.testing.assert_allclose(recording["exc"].trace("g_exc").si, expected["exc"].trace("g_exc").si, rtol=1e-12)
    assert expected["exc"].trace("g_exc").si.max() > 0.9e-9


def test_copies_of_copies_in_flight():
    """Both ends divide: one spike in flight becomes four, of which each twin receives what the one cell would have."""
    circuit, given = mid_flight(NUMPY)
    rng = np.random.default_rng(1)
    grown = ns.apply(circuit, ns.Events.divide("source", [0], rng=rng) + ns.Events.divide("exc", [4], rng=rng))
    assert np.bincount(grown["fan"].flight["step"], minlength=61)[[30, 60]].tolist() == [2, 4]
    _, recording = run(grown, 80, [given], record=[ns.Trace("exc", "g_exc")])
    trace = recording["exc"].trace("g_exc")
    peak = trace.si[:, trace.steps == 61][:, 0]
    np.testing.assert_allclose(peak[4:], 1e-9, rtol=1e-12)


@pytest.mark.parametrize("delay", [0, 1, 4, 5, 50])
def test_a_link_delivers_no_spike_emitted_before_it(backend, delay):
    """The source spikes at steps 14, in the last step before the boundary, and 15, in the first step after it."""
    circuit, given = fan(backend, emitted=(14, 15), steps=15)
    linked = ns.apply(circuit, ns.Events.link("fan", [0, 1], [0, 4], 2e-9, delay * DT))
    assert set(linked["fan"].flight["synapse"]) == {1, 2, 3, 4}
    _, before = run(circuit, 80, [given], backend, record=[ns.Trace("exc", "g_exc")])
    _, after = run(linked, 80, [given], backend, record=[ns.Trace("exc", "g_exc")])
    gained = np.diff(after["exc"].trace("g_exc").si - before["exc"].trace("g_exc").si, axis=1) > 1e-9
    steps = after["exc"].trace("g_exc").steps[:-1]
    assert {cell: steps[row].tolist() for cell, row in enumerate(gained) if row.any()} == {0: [15 + delay], 4: [15 + delay]}


def test_control_an_inherited_flight_on_a_link_is_seen():
    circuit, given = fan(NUMPY, emitted=(14,), steps=15)
    linked = ns.apply(circuit, ns.Events.link("fan", [1], [0], 2e-9, 50 * DT))
    assert arrivals(linked, given, 80, NUMPY)[0] == []
    flight = linked["fan"].flight
    haunted = tampered(linked, "fan", flight=Table({"synapse": np.append(flight["synapse"], 5), "step": np.append(flight["step"], 64)}))
    assert arrivals(haunted, given, 80, NUMPY)[0] == [64]


@pytest.mark.parametrize("cell", CELLS)
def test_thousands_in_flight_keep_their_places(cell):
    """The table after surgery, entry by entry: what is left of each spike, on its synapse and its copies, at the same step."""
    circuit, _ = run(build(cell, size=80, chance=1.0, strength=0.1), 600, drive(cell), LIBRARY)
    while in_flight(circuit) < 2000:
        circuit, _ = run(circuit, 10, drive(cell), LIBRARY)
    rng = np.random.default_rng(2)
    cells = rng.permutation(circuit["exc"].ids)
    unlinked = rng.choice(circuit["plastic"].ids, 500, replace=False)
    events = ns.Events.kill("exc", cells[:10]) + ns.Events.divide("exc", cells[10:30], rng=rng) + ns.Events.unlink("plastic", unlinked)
    edit, after = ns.plan(circuit, events), ns.apply(circuit, events)
    for name, old in circuit.projections.items():
        new, heirs = after[name], {}
        for synapse, parent in zip(new.synapses["id"].tolist(), new.synapses["parent"].tolist(), strict=True):
            heirs.setdefault(parent if synapse >= old.next_id else synapse, []).append(synapse)
        spikes = list(zip(old.flight["synapse"].tolist(), old.flight["step"].tolist(), strict=True))
        expected = sorted((heir, step) for synapse, step in spikes for heir in heirs.get(synapse, []))
        assert sorted(zip(new.flight["synapse"].tolist(), new.flight["step"].tolist(), strict=True)) == expected
        assert edit.lost[name] == sum(synapse not in heirs for synapse, _ in spikes) > 10
        assert (np.diff(new.flight["step"]) >= 0).all()


def test_order_of_delivery_within_a_step_is_kept():
    circuit, _ = run(build("leaky_conductance", size=80, chance=1.0, strength=0.1), 600, drive("leaky_conductance"), LIBRARY)
    after = ns.apply(circuit, ns.Events.kill("exc", [3, 44]))
    for name, old in circuit.projections.items():
        left = np.isin(old.flight["synapse"], after[name].ids)
        assert 0 < left.sum() < len(left)
        assert after[name].flight["synapse"].tolist() == old.flight["synapse"][left].tolist()


def test_delays_off_the_grid_raise_before_anything_runs():
    for delay in (0.05 * ms, 0.25 * ms):
        circuit, given = fan(NUMPY)
        exc = circuit["exc"]
        bad = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS, delay=delay)
        with pytest.raises(ValueError, match="not 0 or a whole multiple of dt"):
            run(ns.Circuit([exc], [bad]), 1, [])
