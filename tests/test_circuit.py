"""Circuits are values: what they hold, how they are made and changed, and how they show themselves."""

import dataclasses
import pickle

import numpy as np
import pytest
from comparing import differences
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.table import Table
from neurosim.units import get_dimensions, metre, mm, ms, mV, nS, second, siemens, um, volt

EXC = ns.create("exc", "leaky_conductance", 4, sign="excitatory")
INH = ns.create("inh", "leaky_conductance", 3, sign="inhibitory")


def circuit(seed=1):
    there = ns.connect(
        EXC, INH, "static", ns.AllToAll(contacts=2), receptor="g_exc", weight=ns.Uniform(1 * nS, 2 * nS), delay=[1, 2] * 12 * ms, seed=seed
    )
    back = ns.connect(INH, EXC, "static", ns.Pairs([0, 2, 2], [3, 0, 0]), receptor="g_inh", weight=[1, 2, 4] * nS)
    return ns.Circuit([EXC, INH], [there, back], seed=seed)


# --- populations -----------------------------------------------------------------------------------------------------


def test_a_population_holds_cells_with_ids_state_and_units():
    assert EXC.ids.tolist() == [0, 1, 2, 3] and len(EXC) == 4 and EXC.sign == "excitatory"
    assert EXC.cells["parent"].tolist() == [-1] * 4 and EXC.cells["birth"].tolist() == [0] * 4 and EXC.parents.tolist() == [-1] * 4
    assert np.allclose(EXC.v / mV, -60) and get_dimensions(EXC.v) is volt.dim and get_dimensions(EXC.g_exc) is siemens.dim
    assert np.isnan(EXC.position / metre).all() and EXC.position.shape == (4, 3)
    assert repr(EXC) == "<Population 'exc': 4 cells of 'leaky_conductance', excitatory>"
    assert EXC.rows([2, 0]).tolist() == [2, 0]
    with pytest.raises(KeyError, match="population 'exc' has no id 4; it may have died or never existed"):
        EXC.rows([1, 4])


def test_first_states_and_positions_may_be_given_or_drawn():
    wide = ns.create("wide", "leaky_conductance", 2000, state={"v": ns.Normal(-60 * mV, 2 * mV), "g_exc": 3 * nS}, seed=4)
    assert wide.v.mean() / mV == pytest.approx(-60, abs=0.2) and wide.v.std() / mV == pytest.approx(2, rel=0.1)
    assert (wide.cells["g_exc"] == float(3 * nS)).all() and not wide.cells["g_inh"].any()
    again, other = (ns.create("wide", "leaky_conductance", 2000, state={"v": ns.Normal(-60 * mV, 2 * mV)}, seed=seed) for seed in (4, 5))
    assert (again.v == wide.v).all() and (other.v != wide.v).all()
    flat = ns.create("flat", "leaky_conductance", 2, positions=[[1, 2], [3, 4]] * um)
    assert np.allclose(flat.position / um, [[1, 2, 0], [3, 4, 0]])
    each = ns.create("each", "leaky_conductance", 2, state={"v": [-70, -50] * mV})
    assert np.allclose(each.v / mV, [-70, -50])


@pytest.mark.parametrize(("v", "ready"), [(-65, True), (20, False)])
def test_a_cell_that_starts_above_a_crossing_threshold_has_not_crossed_it(v, ready):
    cells = ns.create("cells", "hodgkin_huxley", 1, state={"v": v * mV})
    assert cells.cells["not_refractory"].tolist() == [ready]
    _, recording = ns.simulate(ns.Circuit([cells]), 0.2 * ms, backend=ns.Brian2(dt=0.01 * ms, target="numpy"), progress=False)
    assert recording["cells"].counts.tolist() == [0]


def test_a_model_may_be_a_name_a_file_or_an_object(tmp_path):
    model = ns.load_cell("leaky_conductance")
    assert ns.create("a", model, 1).model == ns.create("a", "leaky_conductance", 1).model == model
    slow = model.replace(C_m=2 * model.namespace()["C_m"], name="slow")
    assert ns.create("a", slow, 1).model is slow and ns.create("a", slow, 1).model != model


# --- projections -----------------------------------------------------------------------------------------------------


def test_a_projection_holds_synapses_with_ids_weights_and_delays():
    there = circuit()["exc_to_inh"]
    synapses = there.synapses
    assert there.ids.tolist() == list(range(24)) and there.next_id == 24
    assert synapses["pre"].tolist() == np.repeat(range(4), 6).tolist() and synapses["post"].tolist() == [0, 0, 1, 1, 2, 2] * 4
    assert get_dimensions(there.weight) is siemens.dim and ((there.weight >= 1 * nS) & (there.weight <= 2 * nS)).all()
    assert np.allclose(there.delay / ms, [1, 2] * 12) and get_dimensions(there.delay) is second.dim
    assert (synapses["share"] == 1).all() and (there.delivered == there.weight).all() and len(there.flight) == 0
    assert (there.source, there.target, there.newborn) == ("exc", "inh", "split")
    assert repr(there) == "<Projection 'exc_to_inh': 24 synapses of 'static', exc -> inh.g_exc, newborn='split'>"


def test_values_given_one_by_one_follow_their_pairs():
    """Synapses are sorted by pre, then post; weights and delays go with the pairs as they were given."""
    back = ns.connect(INH, EXC, "static", ns.Pairs([2, 0, 1], [3, 1, 2]), receptor="g_inh", weight=[1, 2, 3] * nS, delay=[3, 2, 1] * ms)
    found = zip(
        back.synapses["pre"].tolist(),
        back.synapses["post"].tolist(),
        np.round(back.weight / nS).tolist(),
        np.round(back.delay / ms).tolist(),
        strict=True,
    )
    assert list(found) == [(0, 1, 2, 2), (1, 2, 3, 1), (2, 3, 1, 3)]


def test_the_seed_of_a_projection_fixes_its_draws():
    one, again, other = (
        ns.connect(EXC, INH, "static", ns.FixedProbability(0.5), receptor="g_exc", weight=ns.Exponential(1 * nS), seed=seed)
        for seed in (1, 1, 2)
    )
    assert one.synapses == again.synapses and one.synapses != other.synapses


def test_replacing_keeps_all_else():
    there = circuit()["exc_to_inh"].replace(name="there", newborn="copy")
    assert there.name == "there" and there.newborn == "copy" and there.synapses == circuit()["exc_to_inh"].synapses
    wired = ns.connect(EXC, INH, "static", ns.FixedProbability(0.5), receptor="g_exc", weight=ns.Exponential(1 * nS)).replace(
        newborn="wire"
    )
    assert wired.newborn == "wire"


# --- circuits --------------------------------------------------------------------------------------------------------


def test_parts_are_found_by_name():
    now = circuit()
    assert list(now.populations) == ["exc", "inh"] and list(now.projections) == ["exc_to_inh", "inh_to_exc"]
    assert now["exc"] is now.populations["exc"] and now["inh_to_exc"] is now.projections["inh_to_exc"]
    assert differences(ns.Circuit(now.populations, now.projections, seed=1), now) == []
    assert (now.time, now.dt, now.step, now.epoch, now.seed) == (0 * ms, None, 0, 0, 1)


def test_nothing_can_be_changed_in_place():
    now = circuit()
    with pytest.raises(dataclasses.FrozenInstanceError):
        now.seed = 2
    for table in (now["exc"].cells, now["exc_to_inh"].synapses):
        for _, column in table.items():
            with pytest.raises(ValueError, match="read-only"):
                column[0] = column[0]
    with pytest.raises(ValueError, match="read-only"):
        now["exc"].v[0] = 0 * mV


def test_setting_state_gives_another_circuit():
    now = circuit()
    changed = now.set("exc", v=[-50, -51, -52, -53] * mV, g_exc=1 * nS).set("inh_to_exc", weight=3 * nS)
    assert np.allclose(changed["exc"].v / mV, [-50, -51, -52, -53]) and np.allclose(changed["inh_to_exc"].weight / nS, 3)
    assert sorted(differences(now, changed)) == ["exc.g_exc", "exc.v", "inh_to_exc.weight"]
    assert differences(now, circuit()) == []


def test_weight_matrix_sums_what_is_delivered():
    now = circuit()
    matrix = now.weight_matrix("inh_to_exc")
    assert get_dimensions(matrix) is siemens.dim
    assert np.allclose(matrix / nS, [[0, 0, 0, 1], [0, 0, 0, 0], [6, 0, 0, 0]])
    divided = ns.apply(now, ns.Events.divide("inh", [2], rng=np.random.default_rng(1), share=0.25))
    assert np.allclose(divided.weight_matrix("inh_to_exc") / nS, [[0, 0, 0, 1], [0, 0, 0, 0], [1.5, 0, 0, 0], [4.5, 0, 0, 0]])
    assert divided.weight_matrix("exc_to_inh").sum(axis=1) / nS == pytest.approx(
        now.weight_matrix("exc_to_inh").sum(axis=1) / nS + (now.weight_matrix("exc_to_inh") / nS)[:, 2]
    )
    dead = ns.apply(now, ns.Events.kill("exc", [0]))
    assert np.allclose(dead.weight_matrix("inh_to_exc") / nS, [[0, 0, 1], [0, 0, 0], [0, 0, 0]])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 2), max_size=3, unique=True))
def test_divisions_keep_what_the_other_population_receives(seed, mothers):
    now = circuit()
    grown = ns.apply(now, ns.Events.divide("inh", mothers, rng=np.random.default_rng(seed)))
    before, after = now.weight_matrix("inh_to_exc").sum(axis=0), grown.weight_matrix("inh_to_exc").sum(axis=0)
    assert np.allclose(before / nS, after / nS, rtol=1e-14)
    assert len(grown["inh"]) == 3 + len(mothers)


def test_circuits_show_themselves():
    assert repr(circuit()).splitlines() == [
        "<Circuit at 0. s, epoch 0, dt open, seed 1:",
        "  <Population 'exc': 4 cells of 'leaky_conductance', excitatory>",
        "  <Population 'inh': 3 cells of 'leaky_conductance', inhibitory>",
        "  <Projection 'exc_to_inh': 24 synapses of 'static', exc -> inh.g_exc, newborn='split'>",
        "  <Projection 'inh_to_exc': 3 synapses of 'static', inh -> exc.g_inh, newborn='split'>>",
    ]
    after, _ = ns.simulate(circuit(), 2 * ms, backend=ns.Brian2(target="numpy"), progress=False)
    assert repr(after).startswith("<Circuit at 2. ms, epoch 0, dt 100. us, seed 1:")


def test_descriptions_name_everything_once():
    text = ns.describe(circuit())
    for line in (
        "Circuit at 0. s, epoch 0; time step open until the first simulation; seed 1",
        "Population 'exc': 4 cells of 'leaky_conductance' (Leaky integrate-and-fire cell with exponentially decaying synaptic conductances.)",
        "  sign: excitatory; cells ever: 4; born since the start: 0",
        "  v: -60. mV",
        "Projection 'inh_to_exc': 3 synapses of 'static', 'inh' -> 'exc', receptor 'g_inh'",
        "  weight: 1. nS to 4. nS; delay: 0. s",
        "  a newborn's synapses: split; shares: 1.0; spikes in flight: 0",
        "  synapses out of a cell: 1.0, into a cell: 0.8 on average; 2 pairs of cells joined",
        "  synapses out of a cell: 6.0, into a cell: 8.0 on average; 12 pairs of cells joined",
    ):
        assert line in text.splitlines()
    grown = ns.apply(circuit(), ns.Events.divide("exc", [0, 1], rng=np.random.default_rng(0)))
    assert "  sign: excitatory; cells ever: 6; born since the start: 2" in ns.describe(grown["exc"]).splitlines()
    for name in ns.cells():
        text = ns.describe(ns.load_cell(name))
        assert all(f"  {parameter} = " in text for parameter in ns.load_cell(name).parameters)
    assert "shared: learning = 1" in ns.describe(ns.create("a", "leaky_adaptive_threshold", 1))
    empty = ns.apply(circuit(), ns.Events.kill("exc", range(4)))
    assert "0 cells" in ns.describe(empty) and "weight: none" in ns.describe(empty)


def test_circuits_can_be_pickled_to_other_processes():
    now = circuit()
    assert differences(pickle.loads(pickle.dumps(now)), now) == []


# --- tables ----------------------------------------------------------------------------------------------------------


def test_tables_are_of_one_length_and_keep_their_own_copies():
    mine = np.arange(3.0)
    table = Table({"id": np.array([5, 2, 9]), "x": mine})
    mine[0] = 7
    assert table["x"][0] == 0 and len(table) == 3 and list(table) == ["id", "x"] and "x" in table and "y" not in table
    assert table.find([9, 5], "table").tolist() == [2, 0] and table.rows_or_missing(np.array([2, 3])).tolist() == [1, -1]
    assert table == Table({"x": np.arange(3.0), "id": np.array([5, 2, 9])}) != table.replace(x=np.arange(3))
    assert list(table.without("x")) == ["id"]
    with pytest.raises(KeyError, match="no column 'xx'. Did you mean|no column 'xx'. Choose one of: id, x"):
        table["xx"]
    with pytest.raises(ValueError, match="different lengths"):
        Table({"id": np.arange(3), "x": np.arange(2)})
    with pytest.raises(TypeError):
        hash(table)


def test_distances_may_rule_who_is_joined():
    line = ns.create("line", "leaky_conductance", 30, positions=np.stack([np.linspace(0, 3, 30), np.zeros(30)], axis=1) * mm)
    near = ns.connect(line, line, "static", ns.DistanceKernel("gaussian", scale=0.3 * mm), receptor="g_exc", weight=1 * nS, seed=1)
    apart = abs(near.synapses["pre"] - near.synapses["post"]) * 3 / 29
    assert 0 < apart.mean() < 0.5 and len(near) > 30
