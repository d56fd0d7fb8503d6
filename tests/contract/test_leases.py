"""Leases: a circuit that was handed out stays what it was, whatever the engine does next; its columns are copies, made when they are read."""

import copy
import gc
import pickle
from dataclasses import replace

import numpy as np
import pytest
from circuits import FAST, LIBRARY, build, differences, drive, in_flight, run, tampered
from tqdm import tqdm

import neurosim as ns
from neurosim.backends.library import engine as engines
from neurosim.storage import read_circuit, save_circuit
from neurosim.units import ms, mV, pA

CELL = "leaky_conductance"
DRIVE = drive(CELL)


@pytest.fixture
def running():
    with LIBRARY.opened() as one:
        yield one


def columns_of(circuit):
    """Name and array of every column of a circuit."""
    for name, population in circuit.populations.items():
        yield from ((f"{name}.{key}", values) for key, values in population.cells.items())
    for name, projection in circuit.projections.items():
        yield from ((f"{name}.{key}", values) for key, values in projection.synapses.items())
        yield from ((f"{name}.flight.{key}", values) for key, values in projection.flight.items())


def turnover(circuit, seed):
    rng = np.random.default_rng(seed)
    cells = rng.permutation(circuit["exc"].ids)
    events = ns.Events.kill("exc", cells[:2]) + ns.Events.divide("exc", cells[2:5], rng=rng)
    return events + ns.Events.unlink("plastic", rng.choice(circuit["plastic"].ids, 5, replace=False))


def lived(read, rounds=6):
    """Keep the circuits of a life on one engine, and beside them those of the same life without one; `read` what is kept."""
    kept, expected, plain = [], [], build(CELL)
    with LIBRARY.opened() as running:
        circuit = plain
        for number in range(rounds):
            circuit, _ = run(circuit, 60, DRIVE, running)
            plain, _ = run(plain, 60, DRIVE, LIBRARY)
            kept.append(circuit)
            expected.append(plain)
            read(circuit)
            circuit = running.carry_out(ns.plan(circuit, turnover(plain, number)))
            plain = ns.apply(plain, turnover(plain, number))
            kept.append(circuit)
            expected.append(plain)
    return kept, expected


READERS = {
    "nothing": lambda circuit: None,
    "some columns": lambda circuit: (circuit["exc"].cells["v"], circuit["plastic"].synapses["x"], circuit["plastic"].flight["synapse"]),
    "everything": lambda circuit: list(columns_of(circuit)),
}


@pytest.mark.parametrize("read", READERS)
def test_circuits_that_are_kept_stay_what_they_were(read):
    kept, expected = lived(READERS[read])
    assert len(kept) == 12
    for one, other in zip(kept, expected, strict=True):
        assert differences(one, other) == [] and in_flight(one) == in_flight(other)
    assert differences(kept[0], kept[2]) != []  # the control


def test_what_is_let_go_costs_nothing_and_what_is_kept_is_copied_before_it_changes(running):
    first, _ = run(build(CELL), 60, DRIVE, running)
    moving = {"v", "g_exc", "g_inh", "lastspike", "not_refractory", "noise:exc.I_e.NoiseCurrent"}
    assert not moving & set(first["exc"].cells.loaded()) and first["plastic"].flight.loaded() == {}
    v = first["exc"].cells["v"]
    assert moving & set(first["exc"].cells.loaded()) == {"v"} and first["exc"].cells["v"] is v
    del v
    second, _ = run(first, 60, DRIVE, running)
    assert moving <= set(first["exc"].cells.loaded()) and {"weight", "x"} <= set(first["plastic"].synapses.loaded())
    assert set(first["plastic"].flight.loaded()) == {"synapse", "step"}
    third = running.carry_out(ns.plan(second, ns.Events.kill("exc", [0])))
    assert set(second["plastic"].synapses.loaded()) == set(second["plastic"].synapses) and "v" not in third["exc"].cells.loaded()
    running.carry_out(ns.plan(third, ns.Events.kill("exc", [1])))
    assert set(third["exc"].cells.loaded()) == set(third["exc"].cells) and "position" in third["exc"].cells.loaded()


def engine_memory(running):
    """Every column of the engine, as it lies in memory."""
    handle = running._engine.memory.handle
    return [handle.view(table, column) for table, columns in handle.columns.items() for column in columns if handle.sizes[table]]


def test_no_column_is_memory_of_the_engine_nor_can_it_be_written(running):
    circuit, _ = run(build(CELL), 60, DRIVE, running)
    found = [circuit, running.carry_out(ns.plan(circuit, turnover(circuit, 1)))]
    found.append(run(found[-1], 60, DRIVE, running)[0])
    raw = engine_memory(running)
    count = 0
    for one in found:
        for name, values in columns_of(one):
            assert values.base is None and not any(np.shares_memory(values, memory) for memory in raw), name
            if len(values):
                with pytest.raises(ValueError, match="read-only"):
                    values[0] = 0
            count += 1
    assert count > 60
    memory = running._engine.memory
    assert any(np.shares_memory(memory.view("exc", "v"), column) for column in raw)  # the control


def test_recordings_are_no_memory_of_the_engine_either(running):
    record = [ns.Trace("exc", "v"), ns.Trace("plastic", "weight")]
    circuit, recording = run(build(CELL), 60, DRIVE, running, record=record)
    kept = [recording["exc"].spikes.id, recording["exc"].trace("v").si, recording["plastic"].trace("weight").si]
    before = [values.tobytes() for values in kept]
    raw = engine_memory(running)
    assert not any(np.shares_memory(values, memory) for values in kept for memory in raw)
    run(circuit, 60, DRIVE, running, record=record)
    assert [values.tobytes() for values in kept] == before


@pytest.mark.parametrize("backend", [LIBRARY, FAST], ids=["strict", "fast"])
def test_circuits_outlive_the_engine(backend):
    with backend.opened() as running:
        circuit, _ = run(build(CELL), 60, DRIVE, running)
    gc.collect()
    expected, _ = run(build(CELL), 60, DRIVE, backend)
    assert differences(circuit, expected) == []
    assert differences(run(circuit, 40, DRIVE, backend)[0], run(build(CELL), 100, DRIVE, backend)[0]) == []


def test_the_last_circuit_keeps_an_engine_that_nobody_closed():
    running = ns.backends.brian2.Running(LIBRARY)
    circuit, _ = run(build(CELL), 60, DRIVE, running)
    expected, _ = run(build(CELL), 60, DRIVE, LIBRARY)
    del running
    gc.collect()
    assert differences(circuit, expected) == []


COPIES = {
    "pickled": lambda circuit, folder: pickle.loads(pickle.dumps(circuit)),
    "copied": lambda circuit, folder: copy.deepcopy(circuit),
    "saved": lambda circuit, folder: read_circuit(save_circuit(circuit, folder / "circuit.npz")),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_lease_is_copied_as_any_circuit_is(running, tmp_path, how):
    circuit, _ = run(build(CELL), 60, DRIVE, running)
    other = COPIES[how](circuit, tmp_path)
    run(circuit, 60, DRIVE, running)
    expected, _ = run(build(CELL), 60, DRIVE, LIBRARY)
    assert differences(other, expected) == [] and differences(circuit, expected) == []


# --- a circuit that is not the one that stands in the engine -----------------------------------------------------------


def retuned(circuit):
    model = circuit["exc"].model.replace(tau_ref=3 * ms)
    return circuit.updated({"exc": replace(circuit["exc"], model=model)})


OTHERS = {
    "the same": lambda circuit: circuit,
    "other state": lambda circuit: circuit.set("exc", v=-55 * mV),
    "other weights": lambda circuit: circuit.updated({"plastic": circuit["plastic"].set(weight=circuit["plastic"].weight / 2)}),
    "another seed": lambda circuit: circuit.reseed(99),
    "another parameter": retuned,
    "other cells": lambda circuit: ns.apply(circuit, ns.Events.kill("exc", [3])),
    "nothing in flight": lambda circuit: tampered(
        circuit, "plastic", flight=circuit["plastic"].flight.replace(synapse=np.empty(0, int), step=np.empty(0, int))
    ),
    "another time": lambda circuit: tampered(build(CELL), "exc"),
    "another circuit": lambda circuit: build(CELL, size=33, seed=8),
}


@pytest.mark.parametrize("other", OTHERS)
def test_any_circuit_may_be_run_next(running, other):
    """Each is compared with an engine of its own."""
    circuit, _ = run(build(CELL), 60, DRIVE, running)
    changed = OTHERS[other](circuit)
    ours, _ = run(changed, 60, DRIVE, running)
    theirs, _ = run(changed, 60, DRIVE, LIBRARY)
    assert differences(ours, theirs) == []
    back, _ = run(circuit, 60, DRIVE, running)
    expected, _ = run(circuit, 60, DRIVE, LIBRARY)
    assert differences(back, expected) == []
    assert (differences(ours, expected) == []) == (other == "the same")


@pytest.mark.parametrize("change", ["inputs", "fewer inputs"])
def test_other_inputs_may_act_next(running, change):
    circuit, _ = run(build(CELL), 60, DRIVE, running)
    other = {"inputs": drive(CELL, scale=2.0), "fewer inputs": DRIVE[:1]}[change]
    ours, theirs = run(circuit, 60, other, running)[0], run(circuit, 60, other, LIBRARY)[0]
    assert differences(ours, theirs) == [] and differences(ours, run(circuit, 60, DRIVE, LIBRARY)[0]) != []


def noise(name):
    return [ns.NoiseCurrent("exc", "I_e", mean=60 * pA, sd=40 * pA, tau=4 * ms, name=name)]


def test_a_column_that_another_input_has_left_is_carried_along(running):
    """A circuit that once had a noise current of another name may run on an engine that never heard of it."""
    old, _ = run(build(CELL), 60, noise("old"), LIBRARY)
    run(build(CELL), 60, noise("new"), running)
    ours, _ = run(old, 60, noise("new"), running)
    assert differences(ours, run(old, 60, noise("new"), LIBRARY)[0]) == []
    assert ours["exc"].cells["noise:old"].tobytes() == old["exc"].cells["noise:old"].tobytes()


def test_after_an_error_in_the_middle_of_a_run_it_starts_from_the_circuit_again(running, monkeypatch):
    monkeypatch.setattr(engines, "FIRST", 10)
    circuit, _ = run(build(CELL), 60, DRIVE, running)

    def fail(bar, steps):
        raise ZeroDivisionError

    with monkeypatch.context() as failing, pytest.raises(ZeroDivisionError):
        failing.setattr(tqdm, "update", fail)
        run(circuit, 200, DRIVE, running)
    ours, _ = run(circuit, 60, DRIVE, running)
    assert differences(ours, run(circuit, 60, DRIVE, LIBRARY)[0]) == []
