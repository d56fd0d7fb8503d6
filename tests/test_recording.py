"""Recordings are keyed by permanent ids, have units, and can be joined."""

import re

import numpy as np
import pytest

import neurosim as ns
from neurosim.recording import Recording
from neurosim.units import Hz, get_dimensions, ms, nS, second, siemens, volt

NUMPY = ns.Brian2(target="numpy")
NOISE = ns.PoissonInput("exc", "g_exc", rate=1000 * Hz, weight=5 * nS)


def circuit(size=6):
    exc = ns.create("exc", "leaky_conductance", size)
    stdp = ns.load_synapse("stdp_pair").replace(w_max=2 * nS)
    loop = ns.connect(exc, exc, stdp, ns.FixedProbability(0.5), receptor="g_exc", weight=1 * nS, delay=1 * ms, seed=1)
    return ns.Circuit([exc], [loop.replace(name="loop")], seed=1)


def simulate(now, duration, *record):
    return ns.simulate(now, duration, inputs=[NOISE], record=record, backend=NUMPY, progress=False)


def test_spikes_counts_and_rates_agree():
    _, recording = simulate(circuit(), 80 * ms)
    part = recording["exc"]
    order = list(zip(part.spikes.step.tolist(), part.spikes.id.tolist(), strict=True))
    assert len(part.spikes) == len(order) > 20 and order == sorted(order)
    assert part.counts.tolist() == np.bincount(part.spikes.id, minlength=6).tolist()
    assert part.ids.tolist() == list(range(6)) and part.has_spikes
    assert np.allclose(part.spikes.t / ms, part.spikes.step * 0.1) and get_dimensions(part.spikes.t) is second.dim
    assert np.allclose(part.rate() / Hz, part.counts / 0.08) and get_dimensions(part.rate()) is Hz.dim
    assert (recording.start, recording.stop, recording.duration, recording.dt) == (0 * ms, 80 * ms, 80 * ms, 0.1 * ms)


def test_spikes_are_those_of_the_trace():
    """A cell that spikes is reset in the same time step and refractory for 5 ms."""
    _, recording = simulate(circuit(), 80 * ms, ns.Trace("exc", "v"))
    v, spikes = recording["exc"].trace("v"), recording["exc"].spikes
    for cell, step in zip(spikes.id, spikes.step, strict=True):
        after = v.si[cell, step + 1 : step + 50]
        assert (after == -60e-3).all() and v.si[cell, step] > -60e-3
    assert v.si.max() <= -50e-3


def test_traces_of_chosen_cells_and_synapses():
    now = circuit()
    wishes = [
        ns.Trace("exc", "v", cells=2),
        ns.Trace("exc", "g_exc", cells=[4, 1]),
        ns.Trace("loop", "weight", synapses=[3, 0]),
        ns.Trace("loop", "x"),
    ]
    after, recording = simulate(now, 30 * ms, *wishes)
    _, everything = simulate(now, 30 * ms, ns.Trace("exc", "g_exc"), ns.Trace("loop", "weight"))
    exc, loop = recording["exc"], recording["loop"]
    assert exc.v.shape == (2, 300) and get_dimensions(exc.v) is volt.dim and exc.trace("v").ids.tolist() == [0, 1]
    assert exc.trace("g_exc").ids.tolist() == [4, 1] and get_dimensions(exc.g_exc) is siemens.dim
    assert (np.asarray(exc.g_exc) == everything["exc"].trace("g_exc").si[[4, 1]]).all()
    assert loop.trace("weight").ids.tolist() == [3, 0] and get_dimensions(loop.weight) is siemens.dim
    assert (loop.trace("weight").si == everything["loop"].trace("weight").si[[3, 0]]).all()
    assert loop.trace("x").si.shape == (len(now["loop"]), 300)
    assert (exc.trace("v").si[:, 0] == now["exc"].cells["v"][:2]).all()  # a sample is the state at the beginning of its time step
    assert (everything["loop"].trace("weight").si[:, 0] == now["loop"].synapses["weight"]).all()
    assert recording.names == ["exc", "loop"] and "loop" in recording and "v" not in recording
    assert loop.counts is None and not loop.has_spikes
    with pytest.raises(ValueError, match=re.escape("spikes of 'loop' were not recorded; ask for them with record=[ns.Spikes('loop')]")):
        loop.spikes
    with pytest.raises(KeyError, match=r"'y' of 'loop' was not traced \(traced: weight, x\)"):
        loop.trace("y")
    assert after["loop"].synapses["weight"].tolist() != now["loop"].synapses["weight"].tolist()


def test_sampling_intervals_run_in_the_circuits_own_time():
    now = circuit()
    _, whole = simulate(now, 20 * ms, ns.Trace("exc", "v"))
    pieces = []
    for length in (3.3, 6.9, 9.8):
        now, piece = simulate(now, length * ms, ns.Trace("exc", "v", every=2 * ms))
        pieces.append(piece)
    joined = Recording.concatenate(pieces)["exc"].trace("v")
    assert joined.steps.tolist() == list(range(0, 200, 20))
    assert (joined.si == whole["exc"].trace("v").si[:, ::20]).all()
    assert np.allclose(joined.t / ms, np.arange(0, 20, 2))


def test_joined_pieces_are_the_whole():
    now = circuit()
    _, whole = simulate(now, 60 * ms, ns.Trace("exc", "v"), ns.Trace("loop", "weight"))
    pieces = []
    for length in (20, 0.1, 39.9):
        now, piece = simulate(now, length * ms, ns.Trace("exc", "v"), ns.Trace("loop", "weight"))
        pieces.append(piece)
    joined = Recording.concatenate(pieces)
    for name, variable in (("exc", "v"), ("loop", "weight")):
        one, other = joined[name].trace(variable), whole[name].trace(variable)
        assert one.si.tobytes() == other.si.tobytes() and one.steps.tolist() == other.steps.tolist()
    assert joined["exc"].spikes.step.tolist() == whole["exc"].spikes.step.tolist()
    assert joined["exc"].spikes.id.tolist() == whole["exc"].spikes.id.tolist()
    assert joined["exc"].counts.tolist() == whole["exc"].counts.tolist()
    assert (joined["exc"].rate() == whole["exc"].rate()).all() and joined.duration == whole.duration


def test_joining_unites_ids_and_leaves_nan_where_nobody_lived():
    first = circuit()
    middle, before = simulate(first, 10 * ms, ns.Trace("exc", "v"), ns.Trace("loop", "weight"))
    events = ns.Events.kill("exc", [2]) + ns.Events.divide("exc", [4], rng=np.random.default_rng(0))
    changed = ns.apply(middle, events)
    _, after = simulate(changed, 10 * ms, ns.Trace("exc", "v"), ns.Trace("loop", "weight"))
    joined = Recording.concatenate([before, after])
    v, weight = joined["exc"].trace("v"), joined["loop"].trace("weight")
    assert v.ids.tolist() == joined["exc"].ids.tolist() == list(range(7))
    gaps = np.isnan(v.si)
    assert gaps[2].tolist() == [False] * 100 + [True] * 100 and gaps[6].tolist() == [True] * 100 + [False] * 100
    assert not gaps[[0, 1, 3, 4, 5]].any()
    assert (v.si[:6, :100] == before["exc"].trace("v").si).all() and (v.si[[0, 1, 3, 4, 5, 6], 100:] == after["exc"].trace("v").si).all()
    old, new = set(first["loop"].ids.tolist()), set(changed["loop"].ids.tolist())
    assert set(weight.ids.tolist()) == old | new and old - new and new - old
    gaps = np.isnan(weight.si)
    for row, synapse in enumerate(weight.ids.tolist()):
        assert gaps[row, :100].all() == (synapse not in old) and gaps[row, 100:].all() == (synapse not in new)
    total = before["exc"].counts.sum() + after["exc"].counts.sum()
    assert joined["exc"].counts.sum() == len(joined["exc"].spikes) == total


def test_joining_checks_the_order():
    middle, first = simulate(circuit(), 1 * ms)
    _, second_one = simulate(middle, 1 * ms)
    with pytest.raises(ValueError, match="one ends at 2. ms, the next begins at 0. s; join them in order"):
        Recording.concatenate([second_one, first])
    with pytest.raises(ValueError, match="no recording to join"):
        Recording.concatenate([])
    assert Recording.concatenate([first]).duration == 1 * ms


def test_a_recording_shows_what_it_holds():
    _, recording = simulate(circuit(), 20 * ms, ns.Trace("exc", "v", cells=2), ns.Trace("loop", "weight", every=1 * ms))
    count, synapses = recording["exc"].counts.sum(), len(circuit()["loop"])
    assert (
        repr(recording)
        == f"<Recording from 0. s to 20. ms:\n  exc: {count} spikes of 6 cells, v of 2 at 200 times\n  loop: weight of {synapses} at 20 times>"
    )


def test_keeping_parts_and_spikes():
    _, recording = simulate(circuit(), 20 * ms, ns.Trace("exc", "v"), ns.Trace("loop", "weight"))
    kept = recording.keeping({"exc"}, set())
    assert kept.names == ["exc"] and not kept["exc"].has_spikes
    assert kept["exc"].counts.tolist() == recording["exc"].counts.tolist() and (kept["exc"].v == recording["exc"].v).all()


def test_nothing_recorded_of_nothing():
    _, recording = simulate(circuit(), 0 * ms, ns.Trace("exc", "v"))
    assert recording["exc"].v.shape == (6, 0) and len(recording["exc"].spikes) == 0
    assert np.isnan(recording["exc"].rate() / Hz).all() and recording.duration == 0 * ms


@pytest.mark.parametrize("cells", [2, [0, 1]])
def test_a_life_traces_the_descendants_of_the_chosen(cells):
    rules = [ns.Division("exc", ns.Busiest(), count=2), ns.Apoptosis("exc", count=1)]
    life = ns.Lifecycle(epoch=5 * ms, phases=[ns.Phase("youth", epochs=6, rules=rules)])
    history = ns.develop(
        circuit(),
        life,
        inputs=[NOISE],
        record=[ns.Trace("exc", "v", cells=cells, every=1 * ms), ns.Spikes("exc")],
        backend=NUMPY,
        progress=False,
    )
    lineage = history.lineage
    parents, family = dict(zip(lineage["id"].tolist(), lineage["parent"].tolist(), strict=True)), set()
    for cell in parents:
        ancestor = cell
        while parents[ancestor] >= 0:
            ancestor = parents[ancestor]
        if ancestor in (0, 1):
            family.add(cell)
    # the daughters of the last boundary have not been simulated
    lived = {int(row["id"]) for row in lineage if row["birth"] < 6}
    trace = history.recording["exc"].trace("v")
    assert set(trace.ids.tolist()) == family & lived and len(family & lived) > 2
    assert trace.si.shape == (len(trace.ids), 30)
    for row, cell in enumerate(trace.ids.tolist()):
        birth, death = lineage[lineage["id"] == cell][["birth", "death"]][0].item()
        alive = [birth <= epoch and (death < 0 or epoch < death) for epoch in range(6)]
        assert (~np.isnan(trace.si[row])).tolist() == np.repeat(alive, 5).tolist()
    assert history.recording.names == ["exc"] and (history.recording.start_step, history.recording.stop_step) == (0, 300)
    assert get_dimensions(history.recording["exc"].v) is volt.dim


def test_columns_for_tables():
    _, recording = simulate(
        circuit(), 10 * ms, ns.Trace("exc", "v", cells=[4, 1]), ns.Trace("exc", "g_exc", every=1 * ms), ns.Trace("loop", "x", synapses=2)
    )
    exc = recording["exc"]
    table = exc.columns("v")
    assert list(table) == ["time (s)", "v of 4 (volt)", "v of 1 (volt)"]
    assert np.allclose(table["time (s)"], np.arange(100) * 1e-4) and table["v of 1 (volt)"].tolist() == exc.trace("v").si[1].tolist()
    assert list(exc.columns("v", ids=[1])) == ["time (s)", "v of 1 (volt)"]
    assert list(recording["loop"].columns("x")) == ["time (s)", "x of 0 (1)", "x of 1 (1)"]
    assert {key: len(column) for key, column in exc.spikes.columns().items()} == {"cell": len(exc.spikes), "time (s)": len(exc.spikes)}
    with pytest.raises(ValueError, match="g_exc and v of 'exc' were traced at different times; make a table of each"):
        exc.columns("v", "g_exc")
    with pytest.raises(ValueError, match=re.escape("v of 'exc' was not traced for id 0; choose from [4, 1]")):
        exc.columns("v", ids=[0])
