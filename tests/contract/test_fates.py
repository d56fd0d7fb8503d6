"""Fading, hand-over, partition and birth: what they change, and that they change nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from circuits import LIBRARY, NUMPY, build, drive, run, spikes
from hypothesis import given, settings
from hypothesis import strategies as st
from test_replay import permuted

import neurosim as ns
from neurosim.units import mV, um

CELL = "leaky_conductance"
BACKENDS = pytest.mark.parametrize("backend", [NUMPY, LIBRARY], ids=["numpy", "library"])
PICOVOLT = 1e-12  # 1e-9 mV


def rng(seed=0):
    return np.random.default_rng(seed)


def received(circuit, projection):
    """What each target cell receives from one spike of all its sources: share * weight, summed."""
    part = circuit[projection]
    return np.bincount(part.synapses["post"], part.synapses["share"] * part.synapses["weight"], minlength=len(circuit["exc"].parents))


def fading(circuit):
    return circuit.with_ledgers({"exc": [ns.FADING]})


# --- fading ------------------------------------------------------------------------------------------------------------


@BACKENDS
def test_a_fading_cell_delivers_so_much_less_and_a_rescued_one_all_of_it_again(backend):
    begun, _ = run(fading(build(CELL)), 100, drive(CELL), backend)
    faded = ns.apply(begun, ns.Events.fade("exc", [3, 7], [0.5, 0.25]))
    for name, projection in faded.projections.items():
        level = np.select([projection.synapses["pre"] == 3, projection.synapses["pre"] == 7], [0.5, 0.25], 1.0)
        assert np.array_equal(np.asarray(projection.delivered), np.asarray(begun[name].delivered) * level), name
    rescued = ns.apply(ns.apply(faded, ns.Events.fade("exc", [3], 0.125)), ns.Events.fade("exc", [3, 7], 1.0))
    after, recording = run(rescued, 300, drive(CELL), backend)
    whole, unbroken = run(begun, 300, drive(CELL), backend)
    assert spikes(recording) == spikes(unbroken) and (after["exc"].cells["fading"] == 1).all()
    assert after["plastic"].synapses["weight"].tobytes() == whole["plastic"].synapses["weight"].tobytes()
    _, control = run(faded, 300, drive(CELL), backend)
    assert spikes(control) != spikes(unbroken)


def test_what_a_fading_cell_gains_and_what_her_daughter_has_is_faded_too():
    faded = ns.apply(fading(build(CELL)), ns.Events.fade("exc", [3], 0.5))
    events = ns.Events.link("fixed", [3, 4], [5, 5], 1e-9, 0.0) + ns.Events.divide("exc", [3], rng=rng())
    grown = ns.apply(faded, events)
    new = grown["fixed"].synapses["share"][-2:]
    assert new.tolist() == [0.5, 1.0] and grown["exc"].cells["fading"][-1] == 0.5
    whole = ns.apply(grown, ns.Events.fade("exc", [3, grown["exc"].ids[-1]], 1.0))
    without = ns.apply(build(CELL), events)
    for name in ("plastic", "fixed"):
        np.testing.assert_allclose(whole[name].synapses["share"], without[name].synapses["share"], rtol=1e-15)


def test_fading_needs_its_ledger():
    with pytest.raises(ValueError, match=r"cells of 'exc' cannot fade: it has no ledger for that; use circuit.with_ledgers"):
        ns.apply(build(CELL), ns.Events.fade("exc", [3], 0.5))
    with pytest.raises(ValueError, match="level of fading cells in 'exc' is 1.5; give a number from 0 to 1"):
        ns.Events.fade("exc", [3], 1.5)
    with pytest.raises(ValueError, match="level of fading cells in 'exc' is 0.0; give a number above 0, or let the cells die"):
        ns.Events.fade("exc", [3], 0.0)


# --- protection --------------------------------------------------------------------------------------------------------


def test_protected_cells_stay_whatever_a_rule_wants_and_their_daughters_are_not_protected():
    now = build(CELL).protect("exc", [2, 3])
    edit = ns.plan(now, ns.Events.kill("exc", [1, 2, 3]))
    assert edit.dropped == {"exc: killed but protected": 2} and edit.settled.dead["exc"].tolist() == [1]
    grown = ns.apply(now, ns.Events.divide("exc", [2], rng=rng()))
    after = ns.apply(grown, ns.Events.kill("exc", grown["exc"].ids))
    assert after["exc"].ids.tolist() == [2, 3]
    with pytest.raises(KeyError, match="has no id 99"):
        now.protect("exc", [99])


# --- partition ---------------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_partition_gives_each_incoming_synapse_to_one_twin(seed):
    now = build(CELL)
    apart = now.updated({name: now[name].replace(newborn="partition") for name in now.projections})
    mothers = rng(seed).choice(20, 3, replace=False)
    after = ns.apply(apart, ns.Events.divide("exc", mothers, rng=rng(seed)))
    daughters = after["exc"].ids[20:]
    for name in now.projections:
        before, part = now[name].synapses, after[name]
        for mother, daughter in zip(mothers, daughters, strict=True):
            incoming = np.isin(part.synapses["post"], [mother, daughter])
            dividing = np.isin(before["pre"], mothers)
            mine = before["post"] == mother
            assert incoming.sum() == mine.sum() + (mine & dividing).sum()  # those from dividing cells are split in two
            delivered = (part.synapses["share"] * part.synapses["weight"])[incoming].sum()
            np.testing.assert_allclose(delivered, before["weight"][mine].sum(), rtol=1e-12)
    copied = ns.apply(now, ns.Events.divide("exc", mothers, rng=rng(seed)))
    assert len(copied["fixed"]) > len(after["fixed"])  # the control: copying raises the in-degree


def test_spikes_under_way_go_on_to_the_twin_that_got_the_synapse():
    now = build(CELL)
    apart = now.updated({name: now[name].replace(newborn="partition") for name in now.projections})
    begun, _ = run(apart, 300, drive(CELL), NUMPY)
    edit = ns.plan(begun, ns.Events.divide("exc", np.arange(20), rng=rng(2)))
    after = ns.apply(begun, ns.Events.divide("exc", np.arange(20), rng=rng(2)))
    assert sum(edit.lost.values()) == 0 < sum(len(part.flight) for part in begun.projections.values())
    for name, part in after.projections.items():
        copies = np.bincount(part.rows(part.flight["synapse"]), minlength=len(part))
        assert copies.sum() == 2 * len(begun[name].flight)  # of each of the twins before it, one reaches one twin behind it


# --- birth -------------------------------------------------------------------------------------------------------------


@BACKENDS
def test_a_birth_changes_nothing_for_those_who_are_there(backend):
    begun, _ = run(build(CELL), 200, drive(CELL), backend)
    born = ns.apply(begun, ns.Events.bear("exc", 2, rng=rng()))
    assert len(born["exc"]) == 22 and born["exc"].parents[-2:].tolist() == [-2, -2]
    assert not any(np.isin(part.synapses[end], [20, 21]).any() for part in born.projections.values() for end in ("pre", "post"))
    assert (np.asarray(born["exc"].v[-2:] / mV) == -60).all()  # the first state of the model
    after, recording = run(born, 300, drive(CELL), backend)
    _, without = run(begun, 300, drive(CELL), backend)
    assert spikes(recording, but=[20, 21]) == spikes(without)
    assert spikes(recording) != spikes(without)  # newborn cells live: they receive the input of everybody


def test_newborn_cells_are_wired_where_the_projection_says_so():
    exc = ns.create("exc", CELL, 10, positions=np.zeros((10, 3)) * um)
    wired = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="g_exc", weight=2e-9 * ns.units.siemens).replace(newborn="wire")
    now = ns.Circuit([exc], [wired])
    for strength in (1.0, 0.5, 0.0):
        after = ns.apply(now, ns.Events.bear("exc", np.full((1, 3), 5.0) * um, rng=rng(), strength=strength))
        new = after["exc_to_exc"].synapses["weight"][90:]
        assert len(new) == 20 and np.allclose(new, strength * 2e-9, rtol=1e-15)
    assert np.asarray(after["exc"].position / um)[-1].tolist() == [5.0, 5.0, 5.0]


def test_daughters_stand_beside_their_mothers():
    place = rng(1).uniform(0, 500, (400, 2))
    flat = ns.create("exc", CELL, 400, positions=place * um).placing(20 * um)
    after = ns.apply(ns.Circuit([flat]), ns.Events.divide("exc", np.arange(400), rng=rng(3)))
    moved = np.asarray(after["exc"].position[400:] - after["exc"].position[:400]) * 1e6
    assert (moved[:, 2] == 0).all() and abs(moved[:, :2].mean()) < 3 and abs(moved[:, :2].std() / 20 - 1) < 0.1
    still = ns.apply(ns.Circuit([flat.placing(0 * um)]), ns.Events.divide("exc", np.arange(400), rng=rng(3)))
    assert np.array_equal(still["exc"].cells["position"][:400], still["exc"].cells["position"][400:])
    with pytest.raises(ValueError, match="daughters in population 'exc' are to stand -1. um from their mothers; give 0 or more"):
        flat.placing(-1 * um)
    with pytest.raises(ValueError, match="daughters in population 'exc' are to stand beside mothers that have no positions"):
        build(CELL)["exc"].placing(20 * um)


# --- ledgers -----------------------------------------------------------------------------------------------------------


def test_ledgers_at_a_division():
    energy = ns.Ledger("energy", 100.0, "split", share=0.25, cost=20.0)
    now = build(CELL).with_ledgers({"exc": [energy, ns.Ledger("level", 3 * mV), ns.Ledger("tag", 7.0, "first")]})
    now = now.set("exc", energy=np.arange(20) + 100.0, level=np.arange(20) * mV, tag=np.arange(20))
    after = ns.apply(now, ns.Events.divide("exc", [4], rng=rng()) + ns.Events.bear("exc", 1, rng=rng()))["exc"]
    assert after.cells["energy"][[4, 20, 21]].tolist() == [21.0, 63.0, 100.0]  # (104 - 20) in parts of 1/4 and 3/4; the first value
    assert np.asarray(after.level[[4, 20, 21]] / mV).tolist() == [4.0, 4.0, 3.0]
    assert after.cells["tag"][[4, 20, 21]].tolist() == [4.0, 7.0, 7.0]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), newborn=st.sampled_from(["split", "partition", "copy"]))
def test_a_bound_ledger_grows_by_what_divisions_bind_and_only_by_that(seed, newborn):
    """Elements less synapses stay as they are at a division, for mothers and all partners; a death frees, a link binds."""
    pre, post = (
        ns.Ledger("axonal", 2.0, bound=(("plastic", "pre"), ("fixed", "pre"))),
        ns.Ledger("dendritic", 1.0, bound=(("fixed", "post"),)),
    )
    now = build(CELL)
    now = now.updated({name: now[name].replace(newborn=newborn) for name in now.projections}).with_ledgers({"exc": [pre, post]})
    draw = rng(seed)
    now = now.set("exc", axonal=draw.uniform(0, 9, 20), dendritic=draw.uniform(0, 9, 20))

    def free(circuit):
        """Elements that are not bound, by id."""
        ids, size = circuit["exc"].ids, len(circuit["exc"].parents)
        out = sum(np.bincount(circuit[name].synapses["pre"], minlength=size) for name in ("plastic", "fixed"))
        into = np.bincount(circuit["fixed"].synapses["post"], minlength=size)
        return circuit["exc"].cells["axonal"] - out[ids], circuit["exc"].cells["dendritic"] - into[ids]

    mothers = draw.choice(20, 4, replace=False)
    after = ns.apply(now, ns.Events.divide("exc", mothers, rng=draw))
    for before, then in zip(free(now), free(after), strict=True):
        np.testing.assert_allclose(then[:20], before, atol=1e-9)
        np.testing.assert_allclose(then[20:], before[mothers], atol=1e-9)  # a daughter has as many free ones as her mother
    killed = ns.apply(now, ns.Events.kill("exc", mothers))
    partners = np.isin(now["fixed"].synapses["pre"], mothers) & ~np.isin(now["fixed"].synapses["post"], mothers)
    assert np.isclose(free(killed)[1].sum() - np.delete(free(now)[1], mothers).sum(), partners.sum())
    linked = ns.apply(now, ns.Events.link("fixed", [0, 0], [1, 2], 1e-9, 0.0))
    assert np.isclose(free(now)[1].sum() - free(linked)[1].sum(), 2)


def test_errors_of_ledgers():
    now = build(CELL)
    with pytest.raises(ValueError, match="'exc' has a 'v' already, which no rule can keep; give the ledger another name"):
        now.with_ledgers({"exc": [ns.Ledger("v")]})
    with pytest.raises(ValueError, match="two rules keep 'energy' of 'exc' differently"):
        now.with_ledgers({"exc": [ns.Ledger("energy", 1.0), ns.Ledger("energy", 2.0)]})
    with pytest.raises(ValueError, match="division of ledger 'x' is 'halve'; give one of copy, first, split"):
        ns.Ledger("x", division="halve")
    with pytest.raises(ValueError, match=r"ledger 'x' begins with \[1\.0, 2\.0\]; give one finite value"):
        ns.Ledger("x", [1.0, 2.0])
    with pytest.raises(ValueError, match="'exc' has a 'sign' already, which no rule can keep"):
        now.with_ledgers({"exc": [ns.Ledger("sign")]})
    with pytest.raises(ValueError, match="ledger 'x' of 'exc' is bound to the \"pre\" end of 'nowhere', which is not in the circuit"):
        now.with_ledgers({"exc": [ns.Ledger("x", bound=[("nowhere", "pre")])]})
    with pytest.raises(ValueError, match="ledger 'x' of 'fixed' is bound to the \"post\" end of 'fixed', which goes from 'exc' to 'exc'"):
        now.with_ledgers({"fixed": [ns.Ledger("x", bound=[("fixed", "post")])]})
    with pytest.raises(KeyError, match="no population or projection 'inh'"):
        now.with_ledgers({"inh": [ns.Ledger("energy")]})


def test_a_circuit_with_ledgers_and_notes_is_saved_and_loaded(tmp_path):
    now = build(CELL).with_ledgers({"exc": [ns.Ledger("level", 3 * mV, "split", cost=1 * mV)], "fixed": [ns.Ledger("before")]})
    now = now.updated({"exc": replace(now["exc"], scatter=3e-6)}, notes={"wave.best": 0.5})
    found = ns.load_circuit(ns.save_circuit(now, tmp_path / "circuit.npz"))
    assert found.notes == {"wave.best": 0.5} and found["exc"].ledgers == now["exc"].ledgers and found["exc"].scatter == 3e-6
    assert found["exc"].cells == now["exc"].cells and found["fixed"].synapses == now["fixed"].synapses
    assert found["fixed"].ledgers["before"] == ns.Ledger("before")


# --- all of them together ----------------------------------------------------------------------------------------------

NAMES = {"plastic": "split", "fixed": "copy", "third": "partition"}
SHARE = 0.25


def mixed():
    """The circuit of `build`, each projection with another policy for newborn cells."""
    now = fading(build(CELL))
    third = ns.connect(now["exc"], now["exc"], "static", ns.FixedProbability(0.3), receptor="g_exc", weight=1e-9 * ns.units.siemens, seed=4)
    parts = [
        now["plastic"].replace(newborn="split"),
        now["fixed"].replace(newborn="copy"),
        third.replace(name="third", newborn="partition"),
    ]
    return ns.Circuit(list(now.populations.values()), parts, seed=1)


def anything(circuit, draw):
    """Events of all kinds, in conflict with one another now and then."""
    ids = circuit["exc"].ids

    def some(most):
        return draw.choice(ids, draw.integers(0, most + 1), replace=False)

    dying, fading = some(3), some(3)
    heirs = np.array([draw.choice(ids, 2, replace=False) for _ in dying], np.int64).reshape(-1)
    events = ns.Events.kill("exc", dying) + ns.Events.hand_over("exc", np.repeat(dying, 2), heirs, np.tile([0.5, 0.25], len(dying)))
    events += ns.Events.fade("exc", fading, draw.choice([0.5, 0.25, 1.0], len(fading)))
    events += ns.Events.divide("exc", some(3), rng=draw, share=SHARE) + ns.Events.bear("exc", int(draw.integers(0, 3)), rng=draw)
    for name in NAMES:
        if draw.random() < 0.5:
            gone = draw.choice(circuit[name].ids, min(len(circuit[name]), 3), replace=False)
            events += ns.Events.unlink(name, gone) + ns.Events.link(name, *draw.choice(ids, 2), 1e-9, 1e-3)
    return events


def expected(circuit, edit, name):
    """What each cell is to deliver to each after an edit, by what events mean for whole rows and columns of a matrix."""
    done, newborn, part = edit.settled, NAMES[name], circuit[name]
    size = len(edit.parents.get("exc", circuit["exc"].parents))
    stays = ~np.isin(part.ids, done.unlinked[name]["synapse"])
    table = part.synapses
    full, level = np.zeros((size, size)), np.ones(size)
    level[circuit["exc"].ids] = circuit["exc"].cells["fading"]
    np.add.at(full, (table["pre"][stays], table["post"][stays]), (table["share"] * table["weight"])[stays])
    full /= level[:, None]
    itself = set(part.synapses["pre"][stays & (part.synapses["pre"] == part.synapses["post"])].tolist())
    for row in done.handed["exc"]:
        onto = full[row["cell"]] * row["part"]
        if row["heir"] not in itself:
            onto[row["heir"]] = 0
        full[row["heir"]] += onto
    full[done.dead["exc"]] = 0
    full[:, done.dead["exc"]] = 0
    level[done.faded["exc"]["cell"]] = done.faded["exc"]["level"]
    for mother, daughter in zip(done.divisions["exc"]["mother"], done.daughters["exc"], strict=True):
        full[:, daughter], level[daughter] = full[:, mother], level[mother]
    for mother, daughter in zip(done.divisions["exc"]["mother"], done.daughters["exc"], strict=True):
        kept, given_away = (1, 1) if newborn == "copy" else (SHARE, 1 - SHARE)
        full[daughter] = given_away * full[mother]
        full[mother] *= kept
    return full * level[:, None]


def delivered(circuit, name, size):
    """What each cell delivers to each, by id."""
    matrix, table = np.zeros((size, size)), circuit[name].synapses
    np.add.at(matrix, (table["pre"], table["post"]), table["share"] * table["weight"])
    return matrix


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_whatever_happens_strength_cells_and_structure_are_as_the_events_say(seed):
    draw, now = rng(seed), mixed()
    first, accepted = now, []
    for _ in range(4):
        events = anything(now, draw)
        edit, after = ns.plan(now, events), ns.apply(now, events)
        done, size = edit.settled, len(after["exc"].parents)
        assert len(after["exc"]) == len(now["exc"]) - len(done.dead["exc"]) + len(done.divisions["exc"]) + len(done.births["exc"])
        tables = (done.deaths, done.handed, done.faded, done.divisions, done.births, done.unlinked, done.links)
        assert sum(len(table) for kind in tables for table in kind.values()) + edit.dropped.total() == len(events)
        for name, newborn in NAMES.items():
            level = dict(zip(after["exc"].ids.tolist(), after["exc"].cells["fading"].tolist(), strict=True))
            linked = [(row["pre"], row["post"], row["weight"] * level[row["pre"]]) for row in done.links[name]]
            found, wanted = delivered(after, name, size), expected(now, edit, name)
            for pre, post, weight in linked:
                wanted[pre, post] += weight
            if newborn == "partition":  # which of the twins has a synapse is drawn: both together are compared
                for mother, daughter in zip(done.divisions["exc"]["mother"], done.daughters["exc"], strict=True):
                    both = found[:, mother] + found[:, daughter]
                    linked_to = sum(np.eye(size)[pre] * weight for pre, post, weight in linked if post == mother)
                    np.testing.assert_allclose(both, wanted[:, daughter] + linked_to, rtol=1e-9, atol=1e-24)
                    found[:, [mother, daughter]] = wanted[:, [mother, daughter]]
            np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-24)
            part = after[name]
            assert np.isin(part.synapses["pre"], after["exc"].ids).all() and np.isin(part.synapses["post"], after["exc"].ids).all()
            assert (part.synapses["share"] >= 0).all()
        now = after
        accepted.append(events)
    again = ns.replay(first, accepted)
    assert again["exc"].cells.replace(birth=now["exc"].cells["birth"]) == now["exc"].cells
    assert all(again[name].synapses == now[name].synapses for name in NAMES)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_what_becomes_of_whom_does_not_depend_on_where_the_rows_stand(seed):
    draw, now = rng(seed), mixed()
    wired = ns.connect(now["exc"], now["exc"], "static", ns.FixedProbability(0.2), receptor="g_exc", weight=1e-9 * ns.units.siemens, seed=5)
    parts = [*now.projections.values(), wired.replace(name="wired", newborn="wire")]
    one = ns.Circuit(list(now.populations.values()), parts, seed=1)
    other = permuted(one, seed)
    for _ in range(2):
        events = anything(one, draw)
        one, other = ns.apply(one, events), ns.apply(other, events)
    for name in ("exc", *NAMES, "wired"):
        first, second = (part.cells if name == "exc" else part.synapses for part in (one[name], other[name]))
        rows = second.find(first["id"], name)
        assert len(first) == len(second) and all((first[column] == second[column][rows]).all() for column in first if column != "position")
