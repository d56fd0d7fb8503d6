"""Splitting a run changes nothing, and neither does surgery that changes nothing: bit for bit."""

from functools import cache

import numpy as np
import pytest
from circuits import (
    CELLS,
    EMPTY_FLIGHT,
    NUMPY,
    TARGETS,
    build,
    differences,
    drive,
    each_cell_on,
    in_flight,
    on_targets,
    run,
    spikes,
    tampered,
)

import neurosim as ns
from neurosim.backends.library import engine
from neurosim.backends.library.handle import Handle
from neurosim.units import Hz, ms, mV, pA

TRACES = [ns.Trace("exc", "v"), ns.Trace("plastic", "weight", synapses=40)]
on_all_cells = pytest.mark.parametrize("cell", CELLS)
compiled = each_cell_on("cython", "library", "fast")
to_the_bit = each_cell_on("cython", "library")


def pieces(circuit, lengths, inputs, backend, between=lambda circuit: circuit):
    """Run the lengths one after the other, with a change in between, and return the last circuit and the joined recording."""
    recordings = []
    for length in lengths:
        circuit, recording = run(between(circuit) if recordings else circuit, length, inputs, backend, record=TRACES)
        recordings.append(recording)
    return circuit, ns.Recording.concatenate(recordings)


def same_recordings(one, other):
    return all(
        (one["exc"].spikes.id.tobytes(), one["exc"].spikes.step.tobytes(), one["exc"].counts.tobytes())
        == (other["exc"].spikes.id.tobytes(), other["exc"].spikes.step.tobytes(), other["exc"].counts.tobytes())
        and one[name].trace(key).si.tobytes() == other[name].trace(key).si.tobytes()
        and one[name].trace(key).steps.tobytes() == other[name].trace(key).steps.tobytes()
        for name, key in (("exc", "v"), ("plastic", "weight"))
    )


def unchanged(cell, lengths, backend, between=lambda circuit: circuit, **size):
    """Compare a run with the same run in pieces, and return the circuit at its end."""
    circuit = build(cell, **size)
    whole, recording = pieces(circuit, [sum(lengths)], drive(cell), backend)
    split, joined = pieces(circuit, lengths, drive(cell), backend, between)
    assert recording["exc"].counts.sum() > 20
    assert differences(whole, split) == []
    assert same_recordings(recording, joined)
    return whole


@compiled
def test_100_ms_and_100_ms_are_200_ms(cell, backend):
    after = unchanged(cell, [1000, 1000], backend)
    assert in_flight(after) > 10 and "noise:exc.I_e.NoiseCurrent" in after["exc"].cells


@on_all_cells
def test_on_numpy_too(cell):
    unchanged(cell, [250, 150], NUMPY)


@compiled
def test_many_uneven_pieces(cell, backend):
    unchanged(cell, [1, 3, 96, 1, 149, 250], backend)


@pytest.mark.parametrize("cell", ["leaky_adaptive_threshold", "hodgkin_huxley"])
def test_many_uneven_pieces_on_numpy(cell):
    unchanged(cell, [1, 3, 96, 150], NUMPY)


@to_the_bit
def test_with_thousands_of_spikes_in_flight(cell, backend):
    after = unchanged(cell, [613, 187], backend, size=80, chance=1.0, strength=0.1)
    assert in_flight(after) > 1000


def test_with_thousands_of_spikes_in_flight_on_numpy():
    after = unchanged("leaky_conductance", [613, 187], NUMPY, size=80, chance=1.0, strength=0.1)
    assert in_flight(after) > 1000


@each_cell_on("library", "fast")
def test_in_steps_of_one_on_an_engine_that_stays_and_on_new_ones(cell, backend):
    """600 steps at once, in six pieces and one by one."""
    whole, recording = pieces(build(cell), [600], drive(cell), backend)
    assert in_flight(whole) > 10 and recording["exc"].counts.sum() > 20
    for lengths in ([600], [100] * 6, [1] * 600):
        with backend.opened() as running:
            split, joined = pieces(build(cell), lengths, drive(cell), running)
            assert differences(whole, split) == [] and same_recordings(recording, joined)
    split, joined = pieces(build(cell), [1] * 100 + [500], drive(cell), backend)
    assert differences(whole, split) == [] and same_recordings(recording, joined)


@pytest.mark.parametrize("first, chunk", [(1, 1e-12), (7, 1e-4), (10**6, 1.0)])
@on_targets("library", "fast")
def test_whatever_the_length_of_the_chunks(backend, first, chunk, monkeypatch):
    """Between two chunks spikes and traces are fetched; how many there are depends on the machine."""
    cell, lengths = "leaky_conductance", []
    whole, recording = pieces(build(cell), [600], drive(cell), backend)
    call = Handle.call

    def counted(self, name, *arguments):
        if name == "ns_run":
            lengths.append(arguments[0])
        return call(self, name, *arguments)

    monkeypatch.setattr(Handle, "call", counted)
    monkeypatch.setattr(engine, "FIRST", first)
    monkeypatch.setattr(engine, "CHUNK", chunk)
    after, chunked = pieces(build(cell), [600], drive(cell), backend)
    assert differences(whole, after) == [] and same_recordings(recording, chunked)
    assert sum(lengths) == 600 and lengths[0] == min(first, 600) and (len(lengths) == 600) == (first == 1)


@compiled
def test_surgery_that_changes_nothing_changes_nothing(cell, backend):
    middle, _ = run(build(cell), 700, drive(cell), backend)
    assert in_flight(middle) > 10
    assert differences(middle, ns.apply(middle, ns.Events())) == []
    unchanged(cell, [300, 400], backend, between=lambda circuit: ns.apply(circuit, ns.Events()))


@on_targets(*TARGETS)
def test_a_run_of_no_steps_changes_nothing(backend):
    middle, _ = run(build("leaky_conductance"), 700, drive("leaky_conductance"), backend)
    after, recording = run(middle, 0, drive("leaky_conductance"), backend)
    assert in_flight(middle) > 10 and differences(middle, after) == [] and recording["exc"].counts.sum() == 0


@compiled
def test_recording_changes_nothing(cell, backend):
    circuit = build(cell)
    watched, _ = run(circuit, 400, drive(cell), backend, record=TRACES)
    alone, _ = run(circuit, 400, drive(cell), backend)
    assert differences(watched, alone) == []


def forget(name, *columns):
    def damage(circuit):
        table = circuit[name].cells if name == "exc" else circuit[name].synapses
        first = {"lastspike": -1e4, "lastupdate": -1e4, "not_refractory": True}
        return tampered(circuit, name, **{key: np.full_like(table[key], first.get(key, 0)) for key in columns})

    return damage


# What a boundary could lose, and where it must show.
LOSSES = {
    "flight": (lambda circuit: tampered(circuit, "plastic", flight=EMPTY_FLIGHT), "exc.v"),
    "lastupdate": (forget("plastic", "lastupdate"), "plastic.weight"),
    "traces": (forget("plastic", "x", "y"), "plastic.weight"),
    "noise": (forget("exc", "noise:exc.I_e.NoiseCurrent"), "exc.v"),
    "seed": (lambda circuit: circuit.reseed(8), "exc.v"),
}


@cache
def halfway(cell, backend):
    """A circuit in the middle of its run, and where it goes from there."""
    middle, _ = run(build(cell), 400, drive(cell), backend)
    return middle, run(middle, 400, drive(cell), backend)[0]


@pytest.mark.parametrize("loss", LOSSES)
@to_the_bit
def test_control_what_a_boundary_loses_is_seen(cell, backend, loss):
    damage, where = LOSSES[loss]
    middle, good = halfway(cell, backend)
    bad, _ = run(damage(middle), 400, drive(cell), backend)
    assert where not in differences(middle, damage(middle)) and where in differences(good, bad)


@each_cell_on("cython", "library", cells=["leaky_conductance", "leaky_adaptive_threshold", "traub_miles"])
def test_control_refractoriness_that_is_lost_is_seen(cell, backend):
    """A leaky cell that forgot its last spike spikes too early; a Hodgkin-Huxley cell above threshold that forgot its crossing spikes again."""
    circuit = build(cell)
    _, recording = run(circuit, 400, drive(cell), backend)
    moment = int(recording["exc"].spikes.step[-1])
    middle, _ = run(circuit, moment + 2, drive(cell), backend)
    assert not middle["exc"].cells["not_refractory"].all()
    _, good = run(middle, 100, drive(cell), backend)
    _, bad = run(forget("exc", "lastspike", "not_refractory")(middle), 100, drive(cell), backend)
    assert spikes(good) != spikes(bad)


@on_targets("numpy", "library", "fast")
@pytest.mark.parametrize("length", [125, 100, 1, 99])
def test_with_currents_that_go_on_and_off(length, backend):
    """Steps from 10 to 30 ms and from 25 ms on: boundaries before, at and after each onset and offset."""
    circuit = build("leaky_conductance")
    inputs = [
        ns.StepCurrent("exc", "I_e", np.linspace(100, 400, 20) * pA, start=10 * ms, stop=30 * ms),
        ns.StepCurrent("exc", "I_e", -50 * pA, start=25 * ms, cells=[3, 4], name="second"),
    ]
    lengths = [length] * 3 + [400 - 3 * length]
    whole, recording = pieces(circuit, [400], inputs, backend)
    split, joined = pieces(circuit, lengths, inputs, backend)
    assert differences(whole, split) == [] and same_recordings(recording, joined) and recording["exc"].counts.sum() > 20


def presented(length, backend):
    """Sources that show four images of 15 ms to cells with an adaptive threshold and normalised plastic weights."""
    source, exc = ns.create("source", "spike_source", 6), ns.create("exc", "leaky_adaptive_threshold", 4)
    stdp = ns.load_synapse("stdp_pair").replace(w_max=20 * mV, A_plus=0.05, A_minus=0.02, w_total=12 * mV, normalise="incoming")
    learning = ns.connect(source, exc, stdp, ns.AllToAll(), receptor="v", weight=ns.Uniform(0 * mV, 4 * mV), delay=2 * ms, seed=1)
    rates = np.random.default_rng(1).uniform(50, 400, (4, 6)) * Hz
    inputs = [ns.Presentations("source", rates, duration=15 * ms, start=5 * ms)]
    circuit, recordings = ns.Circuit([source, exc], [learning.replace(name="plastic")], seed=2), []
    for steps in length:
        circuit, recording = run(circuit, steps, inputs, backend, record=TRACES[:1])
        recordings.append(recording)
    return circuit, spikes(*recordings), spikes(*recordings, name="source")


@on_targets("numpy", "library", "fast")
@pytest.mark.parametrize("lengths", [[51, 149, 150, 250], [199, 1, 1, 399], [120, 480]])
def test_with_images_presented(lengths, backend):
    """Boundaries at, just before and after an onset, and in the middle of an image."""
    whole, split = presented([600], backend), presented(lengths, backend)
    assert differences(whole[0], split[0]) == [] and whole[1:] == split[1:]
    assert len(whole[1]) > 5 and len(whole[2]) > 30 and whole[0]["exc"].cells["theta"].any()
