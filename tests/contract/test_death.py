"""Death: removing a silent cell changes nothing else by a bit, and nothing in a circuit names a dead cell."""

import numpy as np
import pytest
from circuits import NUMPY, RECIPES, TARGETS, build, drive, each_cell_on, in_flight, on_targets, run, spikes

import neurosim as ns
from neurosim.units import Hz, ms, nA, quantity

SILENT = 7


def silencing(cell, size, silent=(SILENT,)):
    """The drive of `drive`, but some cells are held far below threshold, among all their traffic."""
    receptor, *_, rate, weight, mean, sd = RECIPES[cell]
    means = np.full(size, float(mean))
    means[list(silent)] = float(-20 * nA if cell == "hodgkin_huxley" else -5 * nA)
    return [
        ns.PoissonInput("exc", receptor, rate=np.full(size, 400.0) * Hz, weight=weight),
        ns.NoiseCurrent("exc", "I_e", mean=quantity(means, nA.dim), sd=sd, tau=4 * ms),
    ]


def rows_of(circuit, but):
    """All columns of cells and synapses, without those of some cells and of their synapses, as bytes by (part, column)."""
    found = {}
    for name, population in circuit.populations.items():
        found |= {(name, key): values[~np.isin(population.ids, but)].tobytes() for key, values in population.cells.items()}
    for name, projection in circuit.projections.items():
        table = projection.synapses
        stay = ~np.isin(table["pre"], but) & ~np.isin(table["post"], but)
        found |= {(name, key): values[stay].tobytes() for key, values in table.items()}
        flying = np.isin(projection.flight["synapse"], table["id"][stay])
        found |= {(f"{name}.flight", key): values[flying].tobytes() for key, values in projection.flight.items()}
    return found


def with_and_without(cell, inputs, backend, dead, steps, size=20, before=500, **others):
    """Run on with all cells, and with some killed, and return both circuits and recordings."""
    middle, _ = run(build(cell, size=size, **others), before, inputs, backend)
    events = ns.Events.kill("exc", dead)
    while not sum(ns.plan(middle, events).lost.values()):  # on its way to the dead
        middle, _ = run(middle, 10, inputs, backend)
    return run(middle, steps, inputs, backend), run(ns.apply(middle, events), steps, inputs, backend)


@each_cell_on("cython", "library", "fast", more=[("leaky_adaptive_threshold", "numpy"), ("hodgkin_huxley", "numpy")])
def test_removing_a_silent_cell_changes_nothing_else(cell, backend):
    before, steps = (250, 250) if backend is NUMPY else (500, 2000)
    (whole, recording), (left, shorter) = with_and_without(cell, silencing(cell, 20), backend, [SILENT], steps, before=before)
    assert recording["exc"].counts[SILENT] == 0 and recording["exc"].counts.sum() > 15
    assert spikes(shorter) == spikes(recording)
    assert rows_of(left, [SILENT]) == rows_of(whole, [SILENT])


@each_cell_on("cython", "library")
def test_of_many_silent_cells_among_thousands_of_spikes(cell, backend):
    silent = [0, 5, 6, 40, 79]
    inputs = silencing(cell, 80, silent)
    (whole, recording), (left, shorter) = with_and_without(cell, inputs, backend, silent, 600, size=80, chance=1.0, strength=0.1)
    assert in_flight(whole) > 1000
    assert spikes(shorter) == spikes(recording)
    assert rows_of(left, silent) == rows_of(whole, silent)


@each_cell_on("cython", "library", "fast")
def test_control_removing_a_cell_that_spikes_is_seen(cell, backend):
    inputs = silencing(cell, 20)
    (_, recording), (_, shorter) = with_and_without(cell, inputs, backend, [8], 2000)
    assert recording["exc"].counts[8] > 0
    assert spikes(shorter) != spikes(recording, but=[8])


def test_no_synapse_names_the_dead_and_their_ids_are_not_used_again():
    middle, _ = run(build("leaky_conductance"), 300, drive("leaky_conductance"))
    rng = np.random.default_rng(1)
    after = ns.apply(middle, ns.Events.kill("exc", [3, 19]) + ns.Events.divide("exc", [4], rng=rng))
    assert after["exc"].ids.tolist() == [*(cell for cell in range(19) if cell != 3), 20]
    for projection in after.projections.values():
        assert not np.isin([3, 19], projection.synapses["pre"]).any() and not np.isin([3, 19], projection.synapses["post"]).any()
        assert np.isin(projection.flight["synapse"], projection.ids).all()
    again = ns.apply(ns.apply(after, ns.Events.kill("exc", [20])), ns.Events.divide("exc", [4], rng=rng))
    assert again["exc"].ids[-1] == 21
    for name in ("plastic", "fixed"):
        assert again[name].ids.max() == again[name].next_id - 1
        assert len(np.unique(again[name].ids)) == len(again[name])
        assert not np.isin(again[name].ids[again[name].ids >= after[name].next_id], after[name].ids).any()
    with pytest.raises(KeyError, match="has no id 20"):
        ns.apply(again, ns.Events.kill("exc", [20]))


@on_targets(*TARGETS)
def test_a_population_may_die_out(backend):
    middle, _ = run(build("leaky_conductance"), 300, drive("leaky_conductance"), backend)
    events = ns.Events.kill("exc", middle["exc"].ids)
    assert sum(ns.plan(middle, events).lost.values()) == in_flight(middle) > 0
    after, recording = run(ns.apply(middle, events), 100, drive("leaky_conductance"), backend)
    assert len(after["exc"]) == len(after["plastic"]) == in_flight(after) == recording["exc"].counts.sum() == 0
    assert after.step == 400
