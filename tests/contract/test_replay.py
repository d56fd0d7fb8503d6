"""A life again: from its events, from its seed, with more recorded, with another rule, in another order, on another target."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from circuits import CELLS, LEAKY, LIBRARY, NUMPY, build, differences, drive, each_cell_on, run, spikes

import neurosim as ns
from neurosim.lifecycle import develop as development
from neurosim.randomness import generator
from neurosim.table import Table
from neurosim.units import Hz, ms, mV, nS, second

PICOVOLT = 1e-12  # 1e-9 mV
V = [ns.Trace("exc", "v")]
THREE = ("leaky_conductance", "leaky_adaptive_threshold", "traub_miles")
on_three = pytest.mark.parametrize("cell", THREE)


def life(cell, extra=()):
    weight = 0.2 * mV if cell == "leaky_adaptive_threshold" else 1 * nS
    return ns.Lifecycle(epoch=20 * ms, phases=[
        ns.Phase("growth", epochs=3, rules=[ns.Division("exc", hazard=15 / second, share=(0.2, 0.7), jitter=0.1), *extra]),
        ns.Phase("pruning", epochs=3, rules=[
            ns.Apoptosis("exc", who=ns.RateBelow(60 * Hz), hazard=15 / second, floor=5),
            ns.Rewiring("plastic", prune=ns.WeightBelow(weight), hazard=20 / second, regrow=2 / second, weight=weight, delay=2 * ms),
            *extra,
        ], modulate={"plastic.learning": 0.5}),
    ])  # fmt: skip


def lived(cell, extra=(), backend=LIBRARY, **others):
    return ns.develop(build(cell), life(cell, extra), inputs=drive(cell), backend=backend, progress=False, **others)


@pytest.fixture(scope="module")
def histories():
    return {cell: lived(cell) for cell in THREE}


@on_three
def test_replay_gives_the_structure_of_the_run(histories, cell):
    history = histories[cell]
    kinds = {str(kind) for kind in history.events["kind"]}
    assert kinds == {"division", "death", "unlink", "link"}
    again = ns.replay(history.start, history.boundaries)
    assert again.epoch == history.circuit.epoch == 6
    for key in ("id", "parent", "birth", "position"):
        assert again["exc"].cells[key].tobytes() == history.circuit["exc"].cells[key].tobytes()
    assert again["exc"].parents.tolist() == history.circuit["exc"].parents.tolist()
    for name in ("plastic", "fixed"):
        assert again[name].next_id == history.circuit[name].next_id
        for key in ("id", "parent", "pre", "post", "delay", "share"):
            assert again[name].synapses[key].tobytes() == history.circuit[name].synapses[key].tobytes()


def test_control_replay_of_other_events_is_another_structure(histories):
    history = histories["leaky_conductance"]
    tables = {key: rows.copy() for key, rows in history.boundaries[0].tables.items()}
    tables["division", "exc"]["key"] += 1
    again = ns.replay(history.start, [ns.Events(tables), *history.boundaries[1:]])
    assert again["fixed"].ids.tolist() == history.circuit["fixed"].ids.tolist()
    assert again["fixed"].synapses["share"].tobytes() != history.circuit["fixed"].synapses["share"].tobytes()


@on_three
def test_births_less_deaths_are_the_change_in_census(histories, cell):
    for name in ("exc", "plastic", "fixed"):
        series = histories[cell].series(name)
        assert (np.diff(series["size"]) == (series["births"] - series["deaths"])[1:]).all()
        assert series["births"].sum() > 0 and series["deaths"].sum() > 0
        assert series["size"][-1] == len(histories[cell].circuit[name])


@on_three
def test_the_same_seed_gives_the_same_history_whatever_is_recorded(histories, cell):
    record = [ns.Trace("exc", "v", cells=5), ns.Trace("plastic", "weight", synapses=5, every=1 * ms), ns.Spikes("exc")]
    again = lived(cell, record=record, measure=lambda circuit, recording: {"size": len(circuit["exc"])})
    same_history(histories[cell], again)
    assert len(again.recording["exc"].spikes) > 100


def same_history(one, other):
    assert differences(one.circuit, other.circuit) == []
    assert one.events.tobytes() == other.events.tobytes()
    assert one.census.tobytes() == other.census.tobytes()


@each_cell_on("cython", cells=THREE)
def test_the_library_lives_the_same_life_to_the_bit(histories, cell, backend):
    """Its engine stays over the whole life and is edited; Cython's network is built anew for each epoch."""
    same_history(histories[cell], lived(cell, backend=backend))


def test_control_another_seed_gives_another_history(histories):
    circuit = build("leaky_conductance").reseed(4)
    other = ns.develop(circuit, life("leaky_conductance"), inputs=drive("leaky_conductance"), backend=LIBRARY, progress=False)
    assert other.events.tobytes() != histories["leaky_conductance"].events.tobytes()


@dataclass(frozen=True)
class Idle:
    """A rule that draws and proposes nothing."""

    label: str = "idle"

    def __call__(self, circuit, recording, rng):
        rng.random(100)
        return ns.Events()


@on_three
def test_adding_a_rule_moves_no_draw_of_the_others(histories, cell):
    same_history(histories[cell], lived(cell, extra=[Idle()]))


def test_control_rules_that_share_a_stream_are_moved(histories, monkeypatch):
    streams = {}

    def shared(seed, name):
        return streams.setdefault(seed, generator(seed, "rules"))

    monkeypatch.setattr(development, "generator", shared)
    plain = lived("leaky_conductance")
    streams.clear()
    moved = lived("leaky_conductance", extra=[Idle()])
    assert plain.events.tobytes() != moved.events.tobytes()


def permuted(circuit, seed=1):
    """The same circuit with cells and synapses in another order."""
    rng = np.random.default_rng(seed)
    parts = {}
    for name, part in {**circuit.populations, **circuit.projections}.items():
        key = "cells" if name in circuit.populations else "synapses"
        table = getattr(part, key)
        order = rng.permutation(len(table))
        parts[name] = replace(part, **{key: Table({column: values[order] for column, values in table.items()})})
    return circuit.updated(parts)


def farthest(one, other):
    """The largest difference of v of the cells that two recordings share, over all time steps, in volt."""
    a, b = one["exc"].trace("v"), other["exc"].trace("v")
    both = np.intersect1d(a.ids, b.ids)

    def at(trace):
        return trace.si[np.argsort(trace.ids)[np.searchsorted(np.sort(trace.ids), both)]]

    return np.abs(at(a) - at(b)).max()


@pytest.mark.parametrize("cell", CELLS)
def test_the_order_of_cells_and_synapses_does_not_matter(cell):
    circuit, _ = run(build(cell), 300, drive(cell), LIBRARY)
    other = permuted(circuit)
    assert other["exc"].ids.tolist() != circuit["exc"].ids.tolist()
    (_, one), (after, two) = (run(each, 2000, drive(cell), LIBRARY, record=V) for each in (circuit, other))
    assert spikes(one) == spikes(two) and len(spikes(one)) > 100
    assert farthest(one, two) <= PICOVOLT
    assert after["exc"].ids.tolist() == other["exc"].ids.tolist()


def test_surgery_finds_its_cells_in_any_order():
    cell = "leaky_conductance"
    circuit, _ = run(build(cell), 300, drive(cell))
    results = []
    for each in (circuit, permuted(circuit)):
        events = (
            ns.Events.kill("exc", [2, 11])
            + ns.Events.divide("exc", [5, 17], rng=np.random.default_rng(1))
            + ns.Events.unlink("plastic", [9])
        )
        results.append(run(ns.apply(each, events), 400, drive(cell), LIBRARY, record=V))
    assert results[0][1]["exc"].ids.tolist() != results[1][1]["exc"].ids.tolist()
    assert spikes(results[0][1]) == spikes(results[1][1])
    assert farthest(results[0][1], results[1][1]) <= PICOVOLT


@pytest.mark.parametrize("change", ["removal", "permutation", "division"])
def test_nobody_elses_noise_changes(change):
    """Without coupling the whole state of every other cell stays the same bit by bit."""
    cell, silent = "leaky_conductance", {"plastic.learning": 0.0}
    circuit = build(cell)
    circuit = circuit.updated({name: p.set(weight=0 * nS) for name, p in circuit.projections.items()})
    circuit, _ = run(circuit, 300, drive(cell), LIBRARY, modulate=silent)
    other = {
        "removal": lambda: ns.apply(circuit, ns.Events.kill("exc", [0, 4, 5, 13])),
        "permutation": lambda: permuted(circuit),
        "division": lambda: ns.apply(circuit, ns.Events.divide("exc", [0, 4], rng=np.random.default_rng(1))),
    }[change]()
    (one, _), (two, _) = (run(each, 400, drive(cell), LIBRARY, modulate=silent) for each in (circuit, other))
    both = np.intersect1d(one["exc"].ids, two["exc"].ids)
    assert len(both) >= 16
    for key in ("v", "g_exc", "lastspike", "noise:exc.I_e.NoiseCurrent"):
        assert one["exc"].cells[key][one["exc"].rows(both)].tobytes() == two["exc"].cells[key][two["exc"].rows(both)].tobytes()
    shifted = replace(circuit["exc"], cells=circuit["exc"].cells.replace(id=circuit["exc"].ids + 1), parents=np.full(21, -1))
    control, _ = run(ns.Circuit([shifted], seed=circuit.seed, step=circuit.step, dt_si=circuit.dt_si), 400, drive(cell))
    assert not (control["exc"].cells["g_exc"] == one["exc"].cells["g_exc"]).any()


@pytest.mark.parametrize("cell, inhibition", [*((cell, None) for cell in CELLS), ("leaky_adaptive_threshold", "direct_inhibition")])
def test_numpy_and_the_library_give_the_same_spikes(cell, inhibition):
    circuit = build(cell, inhibition=inhibition)
    steps = 2000 if cell in LEAKY else 1000
    (one, first), (two, second) = (run(circuit, steps, drive(cell), backend, record=V) for backend in (NUMPY, LIBRARY))
    assert spikes(first) == spikes(second) and len(spikes(first)) > 50
    assert farthest(first, second) <= PICOVOLT
    np.testing.assert_allclose(one["plastic"].synapses["weight"], two["plastic"].synapses["weight"], rtol=1e-9)
    flights = [sorted(zip(c["plastic"].flight["synapse"].tolist(), c["plastic"].flight["step"].tolist(), strict=True)) for c in (one, two)]
    assert flights[0] == flights[1]


@pytest.mark.parametrize("cell", CELLS)
def test_control_a_small_difference_is_seen(cell):
    """v that starts 1e-6 mV apart does not come within 1e-9 mV."""
    circuit, _ = run(build(cell), 300, drive(cell), LIBRARY)
    nudged = circuit.set("exc", v=(circuit["exc"].cells["v"] + 1e-9) * 1000 * mV)
    (_, one), (_, two) = (run(each, 200, drive(cell), LIBRARY, record=V) for each in (circuit, nudged))
    assert farthest(one, two) > PICOVOLT
