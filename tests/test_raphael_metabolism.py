"""Raphael's cells: ages, lifetimes, energy and mitosis, each as an exact law beside a control; the study's finding is in its table."""

import hashlib
import json
from functools import cache

import numpy as np
import pytest
from life_data import NUMPY, recorded, rng
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim.lifecycle.books import begun
from neurosim.recording import PartRecording, Recording
from neurosim.units import Hz, ms, nS

study = study_fixture("raphael_metabolism")
EPOCH, EPOCHS, SIZE = 3 * ms, 40, 8
COST, FIRST = 5.0, 10.0


def network(size=SIZE):
    """Inputs, cells and lateral inhibition, in which newborn cells are wired at once."""
    source, exc = ns.create("source", "spike_source", 3), ns.create("exc", "leaky_conductance", size)
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS, seed=1).replace(name="into", newborn="wire")
    lateral = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="g_inh", weight=1 * nS).replace(name="lateral", newborn="wire")
    return ns.Circuit([source, exc], [into, lateral], seed=3)


@cache
def life():
    """One short life of the metabolism, and what there was of energy before each boundary, by epoch and cell."""
    stocks = {}

    def measure(now, recording):
        stocks[now.epoch + 1] = dict(zip(now["exc"].ids.tolist(), now["exc"].cells["energy"].tolist(), strict=True))
        return {}

    phase = ns.presets.metabolism("exc", EPOCHS, EPOCH, SIZE, lifetime=ns.Uniform(9, 21))
    noise = [ns.PoissonInput("exc", "g_exc", rate=np.linspace(0, 6000, SIZE) * Hz, weight=9 * nS)]  # those of some starve
    coarse = ns.Brian2(dt=0.5 * ms, target="numpy")
    lived = ns.develop(network(), ns.Lifecycle(EPOCH, [phase]), inputs=noise, measure=measure, backend=coarse, progress=False)
    return lived, stocks


def of(events, kind):
    return events[events["kind"] == kind]


# --- R1: who lived -------------------------------------------------------------------------------------------------------


def digest(circuit):
    """A hash of all that tells who there is and what joins them."""
    tables = [circuit["exc"].cells[name] for name in ("id", "parent", "birth")]
    tables += [
        circuit[name].synapses[column] for name in ("into", "lateral") for column in ("id", "parent", "pre", "post", "weight", "share")
    ]
    return hashlib.sha256(b"".join(np.ascontiguousarray(table).tobytes() for table in tables)).hexdigest()


def test_the_log_of_events_replays_to_the_same_population():
    lived, _ = life()
    assert all(len(of(lived.events, kind)) > 3 for kind in ("death", "division", "birth"))
    assert digest(ns.replay(lived.start, lived.boundaries)) == digest(lived.circuit)
    changed = list(lived.boundaries)
    number = next(place for place, events in enumerate(changed) if len(events.of("death", "exc")))
    changed[number] = ns.Events({key: rows for key, rows in changed[number].tables.items() if key[0] != "death"})
    assert digest(ns.replay(lived.start, changed[: number + 1])) != digest(ns.replay(lived.start, lived.boundaries[: number + 1]))


def test_ids_are_never_used_again_and_every_cell_has_its_story():
    lived, stocks = life()
    cells = lived.lineage[lived.lineage["population"] == "exc"]
    assert cells["id"].tolist() == list(range(len(cells)))
    daughters = cells[cells["parent"] >= 0]
    assert (cells["birth"][daughters["parent"]] < daughters["birth"]).all() and len(daughters) == len(of(lived.events, "division"))
    assert np.count_nonzero(cells["death"] < 0) == len(lived.circuit["exc"])
    for epoch, alive in stocks.items():
        there = (cells["birth"] < epoch) & ((cells["death"] < 0) | (cells["death"] >= epoch))
        assert sorted(alive) == cells["id"][there].tolist()


# --- R2: clocks ----------------------------------------------------------------------------------------------------------


def share_alive(rule, age, size=4000):
    """Which share of so many cells lives through the boundary at an age (in epochs)."""
    now = ns.Circuit([ns.create("exc", "leaky", size)]).updated({}, epoch=age - 1)
    return 1 - len(rule(now, recorded(now, np.zeros(size, int)), rng()).of("death", "exc")) / size


def test_half_of_the_cells_are_alive_at_75_epochs():
    """Lifetimes of 50 to 100 whole epochs: 26 of 51 are left."""
    (age,) = [rule for rule in ns.presets.metabolism("exc", 1, EPOCH, 40).rules if getattr(rule, "label", None) == "age"]
    assert share_alive(age, 50) == 1 and share_alive(age, 101) == pytest.approx(10 / 4000)  # the floor, a quarter of 40 cells
    assert share_alive(age, 75) == pytest.approx(26 / 51, abs=0.03)
    younger = ns.Apoptosis("exc", ns.Outlived(ns.Uniform(40, 91)))
    assert not share_alive(younger, 75) == pytest.approx(26 / 51, abs=0.03)  # the control


def test_evaluation_ages_nobody():
    now = network()
    noise = [ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=5 * nS)]
    seen, recording = ns.simulate(now, 3 * EPOCH, inputs=noise, backend=NUMPY)
    assert ns.Age()(seen, recording, "exc").tolist() == ns.Age()(now, recording, "exc").tolist()
    lived = ns.develop(now, ns.Lifecycle(EPOCH, [ns.Phase("life", 3)]), inputs=noise, backend=NUMPY, progress=False).circuit
    assert ns.Age()(lived, recording, "exc").tolist() == [4] * SIZE  # the control: epochs do


# --- R3: energy ----------------------------------------------------------------------------------------------------------


def test_the_books_of_a_life_balance():
    """All that there was, came in, was spent, died with cells or was taken by divisions."""
    lived, stocks = life()
    notes, events = lived.circuit.notes, lived.events
    buried = sum(stocks[epoch][cell] for epoch, cell in of(events, "death")[["epoch", "id"]].tolist())
    divisions, births = len(of(events, "division")), len(of(events, "birth"))
    came = FIRST * (SIZE + births) + notes["exc.energy.income"]
    went = notes["exc.energy.spent"] + notes["exc.energy.spilled"] + buried
    left = lived.circuit["exc"].cells["energy"].sum()
    assert left == pytest.approx(came - went - COST * divisions, rel=1e-9, abs=1e-9 * came)
    assert left != pytest.approx(came - went, rel=1e-3)  # the control: divisions that cost nothing


def test_mother_and_daughter_have_what_the_mother_had_less_the_cost():
    (book, *_) = ns.presets.metabolism("exc", 1, EPOCH, SIZE).rules
    now = begun(network(2), [book]).set("exc", energy=np.array([31.0, 8.0]))
    after = ns.apply(now, ns.Events.divide("exc", [0], rng=rng()))["exc"].cells
    assert after["energy"].tolist() == [13, 8, 13]
    assert after["energy"][[0, 2]].sum() == pytest.approx(31 - COST, rel=1e-12)
    assert after["energy"][[0, 2]].sum() != pytest.approx(2 * (31 - COST))  # as the document's program does, which makes energy


def test_no_cell_goes_on_without_energy_and_both_causes_are_told():
    lived, stocks = life()
    deaths = of(lived.events, "death")
    hunger, age = (deaths[deaths["rule"] == f"turnover/{cause}"] for cause in ("hunger", "age"))
    assert len(hunger) and len(age) and len(hunger) + len(age) == len(deaths)
    empty = {(epoch, cell) for epoch, stock in stocks.items() for cell, energy in stock.items() if energy <= 0}
    assert empty and empty <= set(deaths[["epoch", "id"]].tolist())
    assert empty >= set(hunger[["epoch", "id"]].tolist())
    assert (age["value"] > age["threshold"]).all()
    assert (lived.circuit["exc"].cells["energy"] > 0).all()


# --- R4: the newborn -----------------------------------------------------------------------------------------------------


def test_a_newborn_cell_has_its_own_storage_and_its_own_age():
    now = begun(network(3), [ns.Apoptosis("exc", fade=0.5)]).with_ledgers({"exc": [ns.Ledger("inherited", first=7.0)]})
    now = now.updated({}, epoch=5)
    after = ns.apply(now, ns.Events.divide("exc", [1], rng=rng(), share=0.5)).updated({}, epoch=6)
    mother, daughter = (after["into"].synapses["post"] == cell for cell in (1, 3))
    assert mother.sum() == daughter.sum() == 3
    weight = np.array(after["into"].synapses["weight"])
    weight[daughter] = 9e-9
    moved = after.set("into", weight=weight * ns.units.siemens)
    assert moved["into"].synapses["weight"][mother].tobytes() == after["into"].synapses["weight"][mother].tobytes()
    assert moved["into"].synapses["weight"][daughter].tobytes() != after["into"].synapses["weight"][daughter].tobytes()
    assert ns.Age()(after, None, "exc").tolist() == [7, 7, 7, 1]  # a daughter is new,
    assert after["exc"].cells["inherited"].tolist() == [7.0] * 4  # unless a ledger that she inherits says how old


# --- R5: never empty -----------------------------------------------------------------------------------------------------


def turned_over(epochs, floor=2, hazard=None):
    """A life in which a tenth of ten cells goes and comes in every epoch, or in which all are to die."""
    cells = ns.create("exc", "leaky", 10)
    rules = [ns.Apoptosis("exc", ns.Top(0.1, ns.Age())), ns.Division("exc", ns.Bottom(0.1, ns.Age()))]  # the oldest and the youngest
    rules = [ns.Apoptosis("exc", hazard=hazard, floor=floor)] if hazard else rules
    one = ns.Lifecycle(0.1 * ms, [ns.Phase("turnover", epochs, rules)])
    return ns.develop(ns.Circuit([cells]), one, backend=NUMPY, progress=False)


def check_turned_over(epochs):
    lived = turned_over(epochs)
    own = lived.series("exc")
    assert (own["size"] == 10).all() and (own["deaths"][1:] == 1).all() and (own["births"][1:] == 1).all()
    ids = lived.lineage["id"]
    assert len(ids) == len(np.unique(ids)) == 10 + epochs


def test_a_population_is_turned_over_many_times():
    check_turned_over(150)


@pytest.mark.slow
def test_a_population_lives_through_ten_thousand_epochs():
    check_turned_over(10_000)


def test_a_floor_holds_whoever_dies():
    assert turned_over(3, floor=2, hazard=np.inf * Hz).series("exc")["size"].tolist() == [10, 2, 2, 2]
    assert turned_over(3, floor=0, hazard=np.inf * Hz).series("exc")["size"].tolist() == [10, 0, 0, 0]  # the control


# --- R6: all learn -------------------------------------------------------------------------------------------------------


def learnt(study, learning):
    """How many cells fired, and how many of these have weights that changed, once weights are normalised."""
    plan = study.Plan(cells=6, tasks=1, epochs=1, images=8, tested=2, target="numpy")
    images, backend = study.taught(0, plan)[0][0][0], ns.Brian2(dt=1 * ms, target="numpy")
    how = {"backend": backend, "modulate": {"input_to_exc.learning": learning}, "progress": False}
    one, _ = ns.simulate(study.newborn(plan, 0), study.IMAGE, inputs=[study.presented(images[:1])], **how)
    shown = study.presented(images[1:], one.time)
    after, seen = ns.simulate(one, len(shown.rates) * study.IMAGE, inputs=[shown], **how)
    change = np.abs(after["input_to_exc"].synapses["weight"] - one["input_to_exc"].synapses["weight"])
    most = np.zeros(plan.cells)
    np.maximum.at(most, after["input_to_exc"].synapses["post"], change)
    fired = seen["exc"].counts > 0
    return fired, most > 1e-9


def test_every_cell_that_fired_learns(study):
    fired, moved = learnt(study, 1.0)
    assert fired.sum() > 2 and moved[fired].all()
    fired, moved = learnt(study, 0.0)
    assert fired.any() and not moved.any()  # the control


# --- R7: dendrites -------------------------------------------------------------------------------------------------------


def test_inputs_that_are_added_with_weight_zero_change_nothing(study):
    """Ten cells more in the input, each with a spike train: spikes and potentials as before, old rows to the bit, weights found by id."""
    plan = study.Plan(cells=5, tasks=1, epochs=1, images=3, tested=2, target="numpy")
    now, images = study.newborn(plan, 0), study.taught(0, plan)[0][0][0]
    parts = {name: now[name].replace(newborn="wire") for name in ("input_to_exc", "lateral")}
    now = ns.Circuit(list(now.populations.values()), list(parts.values()), seed=0)
    rates = np.concatenate([np.asarray(study.presented(images).rates), np.full((3, 10), 200.0)], axis=1) * Hz
    shown = ns.Presentations("input", rates, study.IMAGE, cells="ever")
    how = {"record": [ns.Trace("exc", "v")], "backend": ns.Brian2(dt=1 * ms, target="numpy"), "progress": False}
    how |= {"inputs": [shown], "modulate": {"input_to_exc.learning": 0.0}}
    found = {}
    for strength in (None, 0.0, 1.0):
        grown = now
        if strength is not None:
            rule = ns.InputGrowth("input", count=10, strength=strength)
            grown = ns.apply(
                now, rule(now, Recording({"input": PartRecording("input", 1.0, now["input"].ids, np.zeros(64, int))}, 0, 1, 1.0), rng())
            )
            assert len(grown["input"]) == 74 and len(grown["input_to_exc"]) == 74 * 5
            for column in ("id", "pre", "post", "weight"):
                assert grown["input_to_exc"].synapses[column][: 64 * 5].tobytes() == now["input_to_exc"].synapses[column].tobytes()
        _, seen = ns.simulate(grown, 3 * study.IMAGE, **how)
        found[strength] = seen["exc"].trace("v").si
    np.testing.assert_allclose(found[0.0], found[None], rtol=0, atol=1e-15)  # 1e-12 mV
    assert np.abs(found[1.0] - found[None]).max() > 1e-6  # the control


# --- mistakes ------------------------------------------------------------------------------------------------------------


def test_a_lifetime_that_is_upside_down_is_refused():
    with pytest.raises(ValueError, match="of Uniform is"):
        ns.Outlived(ns.Uniform(100, 50))
    ns.Outlived(ns.Uniform(50, 100))


def test_a_life_without_anything_to_live_on_is_refused():
    """Upkeep that takes more than cells begin with and the whole supply can give: nobody would see the second epoch."""
    book, *rest = ns.presets.metabolism("exc", 2, EPOCH, SIZE).rules
    costly = ns.Energy("exc", ns.Supply(1 * Hz), first=FIRST, cost=COST, costs=book.costs | {"per_time": 20 / EPOCH})
    with pytest.raises(ValueError, match="all 8 cells of 'exc' would starve at the first boundary"):
        ns.develop(network(), ns.Lifecycle(EPOCH, [ns.Phase("life", 2, [costly, *rest])]), backend=NUMPY, progress=False)


# --- the study -----------------------------------------------------------------------------------------------------------


def test_the_study_runs(tmp_path):
    done = run_study("raphael_metabolism", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "raphael_metabolism"
    found = json.loads((folder / "results.json").read_text())
    assert [name for name in found if ": " not in name] == ["leaky", "leaky, constant threshold", "biophysical"] and len(found) == 13
    led, chance = (found[f"rising: {kind}"][0] for kind in ("turnover", "by chance"))
    assert all(led[kind] == chance[kind] for kind in ("deaths", "divisions", "births")) and led["deaths"] > 0
    for name in ("raphael_metabolism", "cells"):
        assert all((folder / f"{name}.{suffix}").is_file() for suffix in ("png", "pdf", "csv"))
    assert "threshold rising" in done.stdout and "not powered (1 of 10 pairs)" in done.stdout


def test_tasks_are_permutations_and_no_image_is_both_taught_and_asked(study):
    plan = study.Plan(tasks=2, epochs=2, images=10, tested=20)
    one, other = study.taught(0, plan)
    assert [len(labels) for _, labels in one] == [20, 20, 20, 20]
    for (images, _), (others, _) in zip(one, other, strict=True):
        assert images.shape == others.shape == (20, 64) and not np.array_equal(np.sort(images), images)
    shown, *rest = ({tuple(sorted(image)) for image in images} for images, _ in one)
    assert all(not shown & part for part in rest)
    assert np.array_equal(study.taught(0, plan)[1][3][0], other[3][0]) and not np.array_equal(study.taught(1, plan)[1][3][0], other[3][0])
