"""Hand-over: what heirs of dying cells get, and that targets go on receiving what they received."""

from dataclasses import replace

import numpy as np
import pytest
from circuits import build, drive, run, spikes
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fates import BACKENDS, CELL, PICOVOLT, fading, received, rng

import neurosim as ns
from neurosim.table import Table


@BACKENDS
def test_a_twin_that_dies_and_hands_over_leaves_everyone_as_without_the_division(backend):
    """Division and hand-over undo each other: all spike as they would have, in the middle of what is under way."""
    begun, _ = run(build(CELL), 200, drive(CELL, shared=True), backend)
    trace = [ns.Trace("exc", "v")]
    parts = [begun[name].synapses for name in ("plastic", "fixed")]
    itself = np.concatenate([part["pre"][part["pre"] == part["post"]] for part in parts])
    mothers = np.setdiff1d(np.arange(20), itself)[:2]  # what a cell would hand over to the heir itself is lost, as with an autapse
    divided = ns.apply(begun, ns.Events.divide("exc", mothers, rng=rng(1)))
    twins = divided["exc"].ids[-2:]
    middle, _ = run(divided, 150, drive(CELL, shared=True), backend)
    handed = ns.apply(middle, ns.Events.kill("exc", twins) + ns.Events.hand_over("exc", twins, mothers))
    _, recording = run(handed, 300, drive(CELL, shared=True), backend, record=trace)
    undisturbed, _ = run(begun, 150, drive(CELL, shared=True), backend)
    _, without = run(undisturbed, 300, drive(CELL, shared=True), backend, record=trace)
    assert spikes(recording) == spikes(without)
    assert np.abs(recording["exc"].trace("v").si - without["exc"].trace("v").si).max() <= PICOVOLT
    killed = ns.apply(middle, ns.Events.kill("exc", twins))
    _, control = run(killed, 300, drive(CELL, shared=True), backend)
    assert spikes(control) != spikes(without)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31), heirs=st.integers(1, 3))
def test_what_targets_receive_is_conserved(seed, heirs):
    now, draw = fading(build(CELL)), rng(seed)
    now = ns.apply(now, ns.Events.fade("exc", [1, 2], draw.choice([0.5, 0.25], 2)) + ns.Events.divide("exc", [4], rng=draw))
    full = ns.apply(now, ns.Events.fade("exc", [1, 2], 1.0))
    dying = np.array([1, 5])
    alive = np.setdiff1d(now["exc"].ids, [*dying, 2])
    chosen = np.concatenate([draw.choice(alive, heirs, replace=False) for _ in dying])
    parts = draw.dirichlet(np.ones(heirs), 2).ravel()
    after = ns.apply(full, ns.Events.kill("exc", dying) + ns.Events.hand_over("exc", np.repeat(dying, heirs), chosen, parts))
    for name in ("plastic", "fixed"):
        before, now_received = received(full, name), received(after, name)
        targets = np.setdiff1d(after["exc"].ids, chosen)  # what a heir would hand to itself is not handed over
        np.testing.assert_allclose(now_received[targets], before[targets], rtol=1e-12)
        control = received(ns.apply(full, ns.Events.kill("exc", dying)), name)
        assert (control[targets] < before[targets]).any() or not np.isin(full[name].synapses["pre"], dying).any()
    faded = ns.apply(now, ns.Events.kill("exc", dying) + ns.Events.hand_over("exc", np.repeat(dying, heirs), chosen, parts))
    np.testing.assert_allclose(
        faded["fixed"].synapses["share"][-5:], after["fixed"].synapses["share"][-5:], rtol=1e-12
    )  # handed over in full, though the dying cell had faded


def pair(plastic=False, autapse=False):
    """Two cells of one population onto a third, with weights of 1 and 2 nS and delays of 1 and 3 ms, in a circuit that can fade."""
    exc = ns.create("exc", CELL, 3)
    synapse = ns.load_synapse("stdp_pair").replace(w_max=9e-9 * ns.units.siemens) if plastic else "static"
    pre, post = ([0, 1, 1], [2, 1, 2]) if autapse else ([0, 1], [2, 2])
    weight = np.array([1.0, 5.0, 2.0] if autapse else [1.0, 2.0]) * 1e-9 * ns.units.siemens
    delay = np.array([1.0, 2.0, 3.0] if autapse else [1.0, 3.0]) * 1e-3 * ns.units.second
    return ns.Circuit([exc], [ns.connect(exc, exc, synapse, ns.Pairs(pre, post), receptor="g_exc", weight=weight, delay=delay)])


@pytest.mark.parametrize("plastic", [False, True])
def test_what_is_handed_over_joins_the_synapse_that_the_heir_has(plastic):
    """Shares add up, the weight is their mean: (1 * 1 + 1 * 2) nS of a share of 2, at the heir's delay."""
    after = ns.apply(pair(plastic), ns.Events.kill("exc", [0]) + ns.Events.hand_over("exc", [0], [1]))["exc_to_exc"]
    assert after.ids.tolist() == [1] and after.synapses["share"].tolist() == [2.0] and after.synapses["delay"].tolist() == [3e-3]
    np.testing.assert_allclose(after.synapses["weight"], [1.5e-9], rtol=1e-12)
    half = ns.apply(pair(plastic), ns.Events.kill("exc", [0]) + ns.Events.hand_over("exc", [0], [1], 0.5))["exc_to_exc"]
    np.testing.assert_allclose(np.asarray(half.delivered), [2.5e-9], rtol=1e-12)
    grown = ns.apply(
        pair(plastic), ns.Events.kill("exc", [0]) + ns.Events.hand_over("exc", [0], [1]) + ns.Events.divide("exc", [1], rng=rng())
    )
    np.testing.assert_allclose(received(grown, "exc_to_exc")[2], 3e-9, rtol=1e-12)  # the joined synapse is what is split


def test_frozen_weights_are_not_averaged():
    now = pair(plastic=True).freeze("exc", [1])
    after = ns.apply(now, ns.Events.kill("exc", [0]) + ns.Events.hand_over("exc", [0], [1]))["exc_to_exc"]
    assert after.synapses["weight"].tolist() == [2e-9, 1e-9] and after.synapses["pre"].tolist() == [1, 1]


def test_spikes_under_way_are_handed_over_on_a_copy():
    now = pair()
    part = now["exc_to_exc"]
    flying = now.updated({"exc_to_exc": replace(part, flight=Table({"synapse": np.array([0]), "step": np.array([7])}))})
    after = ns.apply(flying, ns.Events.kill("exc", [0]) + ns.Events.hand_over("exc", [0], [1]))["exc_to_exc"]
    assert after.synapses["pre"].tolist() == [1, 1] and after.flight["step"].tolist() == [7]
    assert after.rows(after.flight["synapse"]).tolist() == [1]


def test_what_goes_to_the_heir_itself_joins_its_autapse_or_is_lost():
    now = pair(autapse=True)
    given_up = ns.apply(now, ns.Events.link("exc_to_exc", [0], [1], 3e-9, 0.0))
    after = ns.apply(given_up, ns.Events.kill("exc", [0]) + ns.Events.hand_over("exc", [0], [1]))["exc_to_exc"]
    np.testing.assert_allclose(received_by(after), [0, 8e-9, 3e-9], rtol=1e-12)
    without = ns.apply(
        ns.apply(pair(), ns.Events.link("exc_to_exc", [0], [1], 3e-9, 0.0)),
        ns.Events.kill("exc", [0]) + ns.Events.hand_over("exc", [0], [1]),
    )
    np.testing.assert_allclose(received_by(without["exc_to_exc"]), [0, 0, 3e-9], rtol=1e-12)


def received_by(projection):
    return np.bincount(projection.synapses["post"], np.asarray(projection.delivered), 3)


def test_hand_overs_that_conflict_are_dropped_and_counted():
    now = build(CELL)
    edit = ns.plan(now, ns.Events.kill("exc", [1, 2]) + ns.Events.hand_over("exc", [1, 2, 3], [2, 4, 5]))
    assert edit.dropped == {"exc: hands over and does not die": 1, "exc: handed over to a cell that dies": 1}
    with pytest.raises(ValueError, match="part of what is handed over in 'exc' is -0.5; give a number from 0 to 1"):
        ns.Events.hand_over("exc", [1], [2], -0.5)


def test_two_rules_that_kill_a_cell_hand_it_over_once():
    now, label = build(CELL), "first"
    one, other = (ns.Events.kill("exc", [1]) + ns.Events.hand_over("exc", [1, 1], heirs, 0.5) for heirs in ([2, 3], [4, 5]))
    edit = ns.plan(now, one.labelled(label) + other.labelled("second"))
    assert edit.dropped == {"exc: killed twice": 1, "exc: handed over twice": 2}
    assert edit.settled.handed["exc"]["heir"].tolist() == [2, 3]
    together = ns.plan(now, one.labelled(label) + other.labelled(label))  # the control: heirs of one rule
    assert len(together.settled.handed["exc"]) == 4


def test_heirs_do_not_get_what_is_pruned():
    now = build(CELL, contacts=1)
    table = now["fixed"].synapses
    own = table["id"][(table["pre"] == 1) & ~np.isin(table["post"], [1, 2])]
    fate = ns.Events.kill("exc", [1]) + ns.Events.hand_over("exc", [1], [2])
    counts = [
        int((ns.apply(now, fate + more)["fixed"].synapses["parent"] >= 0).sum())
        for more in (ns.Events(), ns.Events.unlink("fixed", own[:1]))
    ]
    assert counts[0] - counts[1] == 1
    assert not ns.plan(now, fate + ns.Events.unlink("fixed", own[:1])).dropped  # it is in the history, so that a replay knows of it
