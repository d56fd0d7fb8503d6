"""Edits in a running engine: compaction gives, bit for bit, what plain surgery and a fresh fill give; slot reuse the same to rounding."""

import numpy as np
import pytest
from circuits import CELLS, DT, FAST, LIBRARY, build, differences, drive, in_flight, run, spikes, tampered

import neurosim as ns

PICOVOLT = 1e-12  # 1e-9 mV
REUSING = ns.Brian2(target="library", arithmetic="strict", reuse_slots=True)
V = [ns.Trace("exc", "v")]
on_all_cells = pytest.mark.parametrize("cell", CELLS)


def turnover(circuit, rng, deaths=2, births=3, jitter=0.0, links=10):
    """Propose deaths, divisions, unlinks and links; the same for circuits that differ in the order of their rows."""
    cells = rng.permutation(np.sort(circuit["exc"].ids))
    dead, mothers, left = np.split(cells, [deaths, deaths + births])
    events = ns.Events.kill("exc", dead) + ns.Events.divide("exc", mothers, rng=rng, jitter=jitter)
    for name, projection in circuit.projections.items():
        weight = np.full(links, np.median(projection.synapses["weight"]))
        events += ns.Events.unlink(name, rng.choice(np.sort(projection.ids), links - 2, replace=False))
        events += ns.Events.link(name, *rng.choice(left, (2, links)), weight, rng.integers(0, 51, links) * DT)
    return events


def histories(cell, backend, rounds, steps=150, **size):
    """Live with edits in the engine, and with plain surgery and a new engine for each epoch; yield both before and after each boundary."""
    mine = plain = build(cell, **size)
    inputs = drive(cell)
    with backend.opened() as running:
        for number in range(rounds):
            mine, recording = run(mine, steps, inputs, running)
            plain, expected = run(plain, steps, inputs, backend)
            assert spikes(recording) == spikes(expected)
            yield mine, plain
            # All kinds at once, only synapses, only deaths, only births.
            kinds = [{"jitter": 0.1}, {"deaths": 0, "births": 0}, {"births": 0}, {"deaths": 0}][number % 4]
            seed = 100 + number
            edit = ns.plan(mine, turnover(mine, np.random.default_rng(seed), **kinds))
            mine = running.carry_out(edit)
            plain = ns.apply(plain, turnover(plain, np.random.default_rng(seed), **kinds))
            yield mine, plain


@pytest.mark.parametrize("backend", [LIBRARY, FAST], ids=["strict", "fast"])
@on_all_cells
def test_an_edit_in_the_engine_is_the_plain_surgery(cell, backend):
    seen, flying = 0, []
    for mine, plain in histories(cell, backend, 9):
        assert differences(mine, plain) == []
        seen, flying = seen + 1, [*flying, in_flight(mine)]
    assert seen == 18 and max(flying) > 50


@on_all_cells
def test_with_thousands_of_spikes_in_flight(cell):
    flying = []
    for mine, plain in histories(cell, LIBRARY, 4, size=80, chance=1.0, strength=0.1, steps=300):
        assert differences(mine, plain) == []
        flying.append(in_flight(mine))
    assert max(flying[-4:]) > 1000


def test_control_an_edit_that_forgets_something_is_seen():
    *_, (mine, plain) = histories("leaky_conductance", LIBRARY, 2)
    flight, weight = plain["plastic"].flight, plain["fixed"].synapses["weight"]
    assert len(flight) and differences(mine, plain) == []
    assert differences(mine, tampered(plain, "plastic", flight=flight.replace(step=flight["step"] + 1))) == ["plastic.flight.step"]
    assert differences(mine, tampered(plain, "fixed", weight=weight * (1 + 1e-15))) == ["fixed.weight"]


def test_an_epoch_without_events_leaves_all_as_it_is():
    cell = "leaky_conductance"
    with LIBRARY.opened() as running:
        middle, _ = run(build(cell), 300, drive(cell), running)
        same = running.carry_out(ns.plan(middle, ns.Events()))
        assert differences(middle, same) == [] and in_flight(same) > 5
        after, _ = run(same, 100, drive(cell), running)
    assert differences(after, run(build(cell), 400, drive(cell), LIBRARY)[0]) == []


def test_a_population_dies_out_in_the_engine_and_its_synapses_with_it():
    cell = "leaky_conductance"
    with LIBRARY.opened() as running:
        middle, _ = run(build(cell), 300, drive(cell), running)
        empty = running.carry_out(ns.plan(middle, ns.Events.kill("exc", middle["exc"].ids)))
        after, recording = run(empty, 100, drive(cell), running)
        assert differences(after, run(ns.apply(middle, ns.Events.kill("exc", middle["exc"].ids)), 100, drive(cell), LIBRARY)[0]) == []
    assert len(middle["exc"]) == 20 and len(after["exc"]) == len(after["plastic"]) == in_flight(after) == recording["exc"].counts.sum() == 0


def test_a_population_grows_tenfold_and_shrinks_again():
    cell, rng = "leaky_conductance", np.random.default_rng(1)
    circuit = plain = build(cell, size=4, chance=0.5)
    with LIBRARY.opened() as running:
        for step in range(8):
            circuit, _ = run(circuit, 40, drive(cell), running)
            ids = circuit["exc"].ids
            events = ns.Events.divide("exc", ids, rng=rng) if step < 4 else ns.Events.kill("exc", ids[: len(ids) // 2])
            plain = ns.apply(run(plain, 40, drive(cell), LIBRARY)[0], events)
            circuit = running.carry_out(ns.plan(circuit, events))
            assert differences(circuit, plain) == [] and len(circuit["exc"]) == [8, 16, 32, 64, 32, 16, 8, 4][step]


# --- slots of removed rows used again --------------------------------------------------------------------------------


def by_content(circuit):
    """All cells and synapses, as they are in whatever order; new synapses are numbered along the rows, so those of one origin may change numbers."""
    cells = {cell: row for cell, *row in rows(circuit["exc"].cells, "id", *sorted(set(circuit["exc"].cells) - {"id"}))}
    synapses = {
        name: sorted(rows(projection.synapses, *sorted(set(projection.synapses) - {"id"})))
        for name, projection in circuit.projections.items()
    }
    return cells, synapses


def by_id(circuit):
    """All synapses by id, with all their columns and the time steps at which spikes under way will reach them."""
    return {
        name: {
            "synapses": sorted(rows(projection.synapses, "id", *sorted(set(projection.synapses) - {"id"}))),
            "flight": sorted(rows(projection.flight, "synapse", "step")),
        }
        for name, projection in circuit.projections.items()
    }


def rows(table, *columns):
    return zip(*(map(str, table[column].tolist()) if table[column].ndim > 1 else table[column].tolist() for column in columns), strict=True)


@on_all_cells
def test_slots_used_again_hold_the_same_cells_and_synapses(cell):
    """Turnover of synapses and deaths: to the bit right after an edit, |dv| <= 1e-9 mV and the same spikes 200 ms later."""
    middle, _ = run(build(cell, size=30), 400, drive(cell), LIBRARY)
    with LIBRARY.opened() as one, REUSING.opened() as other:
        compact, reused = (run(middle, 0, drive(cell), running)[0] for running in (one, other))
        for number in range(6):
            compact, reused = (
                running.carry_out(ns.plan(circuit, turnover(circuit, np.random.default_rng(number), births=0, deaths=number % 3)))
                for running, circuit in ((one, compact), (other, reused))
            )
            assert by_content(compact) == by_content(reused) and by_id(compact) == by_id(reused)
            assert in_flight(reused) > 10
        assert reused["plastic"].ids.tolist() != compact["plastic"].ids.tolist()  # the control
        (_, first), (_, second) = run(compact, 2000, drive(cell), one, record=V), run(reused, 2000, drive(cell), other, record=V)
    assert spikes(first) == spikes(second) and len(spikes(first)) > 100
    assert deviation(first, second) <= PICOVOLT


@on_all_cells
def test_slots_used_again_by_daughters_and_copies(cell):
    middle, _ = run(build(cell, size=30), 400, drive(cell), LIBRARY)
    found = []
    for backend in (LIBRARY, REUSING):
        with backend.opened() as running:
            circuit, _ = run(middle, 0, drive(cell), running)
            circuit = running.carry_out(ns.plan(circuit, turnover(circuit, np.random.default_rng(1), deaths=4, births=6)))
            _, recording = run(circuit, 2000, drive(cell), running, record=V)
            found.append((by_content(circuit), recording, circuit))
    (content, first, compact), (same, second, reused) = found
    assert content == same and in_flight(compact) == in_flight(reused) > 10
    assert compact["exc"].ids.tolist() != reused["exc"].ids.tolist()  # the control
    assert spikes(first) == spikes(second) and len(spikes(first)) > 100
    assert deviation(first, second) <= PICOVOLT


def deviation(one, other):
    """The largest difference of v of any cell at any time between two recordings, in volt."""
    both = [recording["exc"].trace("v") for recording in (one, other)]
    first, second = (trace.si[np.argsort(trace.ids)] for trace in both)
    return np.abs(first - second).max()
