"""Cells marked as memory: the weights of all their synapses stay to the bit, whatever learns, scales or divides around them."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.units import Hz, ms, mV

BACKEND = ns.Brian2(dt=1 * ms, target="numpy")
W_MAX = 1 * mV
STDP = ns.load_synapse("stdp_pair").replace(w_max=W_MAX, A_plus=0.05, A_minus=0.02)
RULES = {
    "summed": STDP.replace(normalise="incoming", w_total=4 * mV, interval=10 * ms),
    "scaled": STDP.replace(normalise="rate", target_rate=5 * Hz, tau_rate=50 * ms, tau_scaling=1000 * ms, interval=10 * ms),
    "inside": STDP,
}
MARKED = {"source": [0, 3], "cells": [1, 4]}


def unmarked():
    """Twelve sources onto six cells by two plastic projections, and synapses among the cells."""
    source = ns.create("source", "spike_source", 12)
    cells = ns.create("cells", ns.load_cell("leaky_adaptive_threshold").keeping(*RULES.values()), 6)
    weight = ns.Uniform(0.3 * W_MAX, 0.9 * W_MAX)
    projections = [
        ns.connect(ends[0], cells, RULES[name], ns.FixedProbability(0.7), receptor="v", weight=weight, delay=1 * ms, seed=seed).replace(
            name=name
        )
        for seed, (name, ends) in enumerate({"summed": [source], "scaled": [source], "inside": [cells]}.items(), 1)
    ]
    return ns.Circuit([source, cells], projections, seed=3)


def run(circuit, duration=100):
    """Irregular spikes of all sources at 80 Hz, descendants included, and a stimulus onset in the middle."""
    rates = np.full((2, 12), 80.0) * Hz
    images = ns.Presentations("source", rates, duration=duration / 2 * ms, start=circuit.time)
    after, recording = ns.simulate(circuit, duration * ms, inputs=[images], backend=BACKEND, progress=False)
    assert recording["cells"].counts.min() > 0
    return after


def grown(circuit):
    """Divide cells of either kind, marked and unmarked, with jitter, remove one of each, and make links of marked ones."""
    rng = np.random.default_rng(5)
    events = ns.Events.divide("cells", [1, 2], rng=rng, jitter=0.3) + ns.Events.divide("source", [3, 5], rng=rng)
    events = events + ns.Events.kill("cells", [5]) + ns.Events.kill("source", [7])
    for name, pre, post in (("summed", 0, 0), ("summed", 1, 1), ("scaled", 1, 0), ("inside", 0, 4)):
        events = events + ns.Events.link(name, pre, post, float(0.5 * W_MAX), 0.001)
    return ns.apply(circuit, events)


def memory(circuit, name):
    return set(circuit[name].ids[circuit[name].cells["memory"]].tolist())


def of_marked(circuit, name, marked):
    """Which synapses have a marked cell at either end."""
    projection = circuit[name]
    ends = ((projection.source, "pre"), (projection.target, "post"))
    return np.logical_or(*(np.isin(projection.synapses[column], list(marked.get(end, ()))) for end, column in ends))


def weights(circuit, name):
    synapses = circuit[name].synapses
    return dict(zip(synapses["id"].tolist(), synapses["weight"].tolist(), strict=True))


def frozen_and_moved(before, after, name, marked):
    """Compare weights of synapses that both circuits have; returns those of marked cells that moved, and others that stayed inside their bounds."""
    old, new = weights(before, name), weights(after, name)
    held = dict(zip(after[name].synapses["id"].tolist(), of_marked(after, name, marked).tolist(), strict=True))
    both = old.keys() & new.keys()
    assert 2 < sum(held[one] for one in both) < len(both) - 2
    stayed = [one for one in both if not held[one] and old[one] == new[one] and 0 < old[one] < float(W_MAX)]
    return [one for one in both if held[one] and old[one] != new[one]], stayed


def marked_circuit():
    circuit = unmarked()
    for name, cells in MARKED.items():
        circuit = circuit.freeze(name, cells)
    return circuit


@pytest.fixture(scope="module")
def life():
    """A circuit with marked cells, the same after 100 ms, after divisions, deaths and links, and after 100 ms more."""
    first = marked_circuit()
    second = run(first)
    third = grown(second)
    return first, second, third, run(third)


@pytest.mark.parametrize("name", RULES)
def test_weights_of_marked_cells_stay_to_the_bit(life, name):
    """Under spike timing, sums held at onsets and intervals, and scaling to a rate; all others move."""
    assert frozen_and_moved(*life[:2], name, MARKED) == ([], [])


def test_control_without_marks_their_weights_move():
    first = unmarked()
    after = run(first)
    for name in RULES:
        moved, _ = frozen_and_moved(first, after, name, MARKED)
        assert len(moved) == of_marked(first, name, MARKED).sum()


def test_a_daughter_of_a_marked_cell_is_marked(life):
    for circuit in life[2:]:
        assert memory(circuit, "source") == {0, 3, 12} and memory(circuit, "cells") == {1, 4, 6}
    assert circuit["source"].parents[12] == 3 and circuit["cells"].parents[6] == 1


@pytest.mark.parametrize("name", RULES)
def test_division_with_jitter_and_links_keep_to_the_marks(life, name):
    """Jitter spares the synapses of marked cells at either end, and those of their daughters have the weights of their mothers'."""
    _, second, third, fourth = life
    daughters = {name: memory(third, name) for name in MARKED}
    moved, _ = frozen_and_moved(second, third, name, daughters)
    assert moved == []
    synapses, held = third[name].synapses, of_marked(third, name, daughters)
    copied = synapses["parent"] >= 0
    of_parent = np.array([weights(second, name)[one] if one >= 0 else np.nan for one in synapses["parent"]])
    assert (copied & held).sum() > 3 and (of_parent == synapses["weight"])[copied & held].all()
    jittered = copied & ~held & np.isin(synapses["post"], [7])  # the daughter of cell 2
    assert jittered.sum() > 1 and (of_parent != synapses["weight"])[jittered].all()
    np.testing.assert_array_equal(synapses["frozen"] > 0, held)
    # links made at the same boundary are among these, and all that lived on keep to it
    assert frozen_and_moved(third, fourth, name, daughters) == ([], [])
    made = (synapses["parent"] == -1) & (synapses["id"] >= len(second[name]))
    assert made.sum() == {"summed": 2, "scaled": 1, "inside": 1}[name] and held[made].all() == (name != "scaled")


def test_thawed_cells_learn_again(life):
    thawed = life[1].thaw("cells").thaw("source", [0])
    left = {"source": [3]}
    after = run(thawed)
    for name in ("summed", "scaled"):
        assert frozen_and_moved(thawed, after, name, left) == ([], [])
    old, new = weights(thawed, "inside"), weights(after, "inside")
    assert all(old[one] != new[one] for one in old)  # no end of these is marked any more


def test_marking_twice_is_marking_once_and_nothing_else_changes():
    circuit = marked_circuit()
    again = circuit.freeze("cells", [1]).freeze("source", [3])
    for name in RULES:
        assert circuit[name].synapses == again[name].synapses
    whole = unmarked().freeze("cells")
    assert memory(whole, "cells") == set(range(6))
    assert all((whole[name].synapses["frozen"] == 1).all() for name in RULES)
    plain = unmarked()
    assert all("frozen" not in plain[name].synapses for name in RULES) and not memory(plain, "cells")


def test_a_projection_that_joins_later_keeps_to_the_marks():
    circuit = marked_circuit()
    more = ns.connect(circuit["source"], circuit["cells"], STDP, ns.AllToAll(), receptor="v", weight=0.2 * W_MAX).replace(name="more")
    joined = ns.Circuit(list(circuit.populations.values()), [*circuit.projections.values(), more], seed=3)
    np.testing.assert_array_equal(joined["more"].synapses["frozen"] > 0, of_marked(joined, "more", MARKED))
    assert frozen_and_moved(joined, run(joined), "more", MARKED) == ([], [])


def test_marks_are_saved(life, tmp_path):
    path = ns.save_circuit(life[2], tmp_path / "circuit")
    loaded = ns.load_circuit(path)
    assert all(memory(loaded, name) == memory(life[2], name) for name in MARKED)
    after = run(loaded)
    for name in RULES:
        assert loaded[name].synapses == life[2][name].synapses and after[name].synapses == life[3][name].synapses


def test_unknown_cells_cannot_be_marked(life):
    for call in (life[0].freeze, life[0].thaw):
        with pytest.raises(KeyError, match="this circuit has no population 'cels'. Did you mean 'cells'"):
            call("cels")
        with pytest.raises(KeyError, match="population 'cells'.*99"):
            call("cells", [1, 99])
    with pytest.raises(KeyError, match="population 'cells'.*5"):
        life[2].freeze("cells", [5])  # dead
