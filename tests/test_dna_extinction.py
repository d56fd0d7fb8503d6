"""The DNA study: what its rules promise, on its own circuit, and what it prints."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from life_data import NUMPY, recorded, rng
from study_scripts import run, study_fixture

import neurosim as ns
from neurosim.lifecycle.schedules import at
from neurosim.units import Hz, ms, mV, nA

study = study_fixture("dna_extinction")
PICOVOLT = 1e-12  # 1e-9 mV
WAVES = 50


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dna")
    done = run("dna_extinction", "--scale", "smoke", "--out", "run", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stdout


def strengthened(circuit, seed, highest=1.0):
    """Give the synapses onto the readout cells weights."""
    size = len(circuit["exc_to_readout"])
    return circuit.set("exc_to_readout", weight=np.random.default_rng(seed).uniform(0, highest, size) * mV)


# --- D1: a division changes nobody else --------------------------------------------------------------------------------


def played(circuit, plan, images, labels, duration):
    given = [ns.Presentations("input", images, 100 * ms), *labels]
    traces = [ns.Trace("readout", "v")]
    return ns.simulate(circuit, duration, inputs=given, record=traces, backend=plan.backend, progress=False)


@pytest.mark.parametrize("cell", ["leaky_conductance", "traub_miles"])
def test_dividing_cells_that_pass_most_on_changes_no_spike_of_others(study, cell):
    """While they learn, with a teacher, from the middle of an image on, for 200 ms; synapses that are copied whole (the control) do."""
    plan = replace(study.PLANS["smoke"], cell=cell, cells=20)
    images, labels = ns.digits(validate=200, most=3)["train"]
    inputs = study.shown(images).rates, study.taught(labels)
    middle, recording = played(strengthened(study.newborn(plan, 1), 1, highest=3.0), plan, *inputs, 60 * ms)
    rule = replace(study.wave("extinction", 20)[1], jitter=0.0)

    def alike(circuit):
        divided = ns.apply(circuit, rule(circuit, recording, rng()))
        assert len(divided["exc"]) == 22
        (_, one), (_, other) = (played(each, plan, *inputs, 200 * ms) for each in (circuit, divided))
        spikes = [
            {(t, k) for t, k in zip(part.spikes.step, part.spikes.id, strict=True) if k < size}
            for of in (one, other) for part, size in ((of["exc"], 20), (of["readout"], 10))
        ]  # fmt: skip
        assert len(spikes[0]) > 40 and len(spikes[1]) > 20
        deviation = np.abs(one["readout"].trace("v").si - other["readout"].trace("v").si).max()
        return spikes[:2] == spikes[2:] and deviation <= PICOVOLT

    assert alike(middle)
    whole = middle["exc_to_readout"].replace(newborn="copy")
    assert not alike(middle.updated({"exc_to_readout": whole}))


# --- D2 and D3: how many ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cells", [10, 29, 30, 60])
def test_exactly_a_tenth_dies_and_divides_and_of_equal_cells_the_seed_chooses(study, cells):
    start = study.newborn(replace(study.PLANS["smoke"], cells=cells), 0)  # with weights of 0, so that all pass on the same

    def chosen(seed):
        circuit = start.reseed(seed)
        recording = recorded(circuit, np.full(cells, 5))
        return [tuple(np.sort(rule.who(circuit, recording, "exc").ids)) for rule in study.wave("extinction", cells)]

    assert {len(some) for seed in range(8) for some in chosen(seed)} == {cells // 10}
    assert chosen(1) == chosen(1) and len({some for seed in range(8) for some in chosen(seed)}) > 1


def sizes(study, kind, waves, plan):
    """The number of cells after each of so many waves, by hand: rates of about 30 Hz and weights are drawn anew before each."""
    circuit, draw, found = study.newborn(plan, 0), np.random.default_rng(3), [plan.cells]
    for wave in range(waves):
        circuit = strengthened(circuit.updated({}, epoch=wave), wave)
        recording = recorded(circuit, draw.poisson(30, len(circuit["exc"])), duration=1.0)
        rules = [at(rule, wave) for rule in study.wave(kind, plan.cells)]
        circuit = ns.apply(circuit, sum((rule(circuit, recording, draw) for rule in rules), ns.Events()))
        found.append(len(circuit["exc"]))
    return np.array(found)


def test_fractions_stay_in_their_band_and_the_thresholds_of_the_program_explode(study):
    plan = replace(study.PLANS["smoke"], cells=30)
    for kind in ("extinction", "fresh cells"):
        number = sizes(study, kind, WAVES, plan)
        ratio = number[1:] / number[:-1]
        assert number.min() >= 27 and number.max() <= 33 and ratio.min() >= 0.9 and ratio.max() <= 1.1
    written = sizes(study, "thresholds", study.LAST, plan)
    assert written[-1] > 10 * plan.cells and (written[1:] / written[:-1]).max() > 1.5


# --- D4: when ------------------------------------------------------------------------------------------------------------


def waves(extinction, circuit, course):
    """The epochs (the first is 1) at which waves of an extinction are due while its measure takes this course."""
    (book,), found = extinction.books, []
    for epoch, value in enumerate(course, 1):
        kept = book.keep(circuit, SimpleNamespace(measures={"accuracy": value}))
        circuit = circuit.updated({}, notes={**circuit.notes, **{name: note for (_, name), note in kept.items()}})
        found += [epoch] if circuit.notes[f"{book.label}.due"] else []
    return found


def test_waves_come_where_accuracy_rests_and_not_where_it_rises(study):
    """Three epochs, the first of which sets the best, and one of cooling down: a constant accuracy gives 10 waves in 40 epochs."""
    plan = study.PLANS["smoke"]
    (extinction,), circuit = study.life("extinction", plan).phases[0].rules, study.newborn(plan, 0)
    noise = np.random.default_rng(1).uniform(-0.0049, 0.0049, 40)
    assert waves(extinction, circuit, np.full(40, 0.8)) == list(range(3, 40, 4)) == waves(extinction, circuit, 0.8 + noise)
    assert waves(extinction, circuit, 0.2 + 0.02 * np.arange(40) + noise) == []
    assert waves(extinction, circuit, 0.2 + 0.02 * np.arange(40) + 20 * noise) != []  # the control: noise above min_delta


# --- D7: the membrane equation of the document ---------------------------------------------------------------------------

MEMBRANE = """
name = "document"
summary = "The membrane equation of the document: sodium, potassium and leak, a spike where v crosses a threshold upwards."
references = ["Hodgkin AL, Huxley AF (1952). A quantitative description of membrane current. J Physiol 117:500-544. doi:10.1113/jphysiol.1952.sp004764"]
method = "exponential_euler"
equations = '''
dv/dt = (I_e + g_exc*(0*mV - v) - g_Na*m**3*h*(v - E_Na) - g_K*n**4*(v - E_K) - g_l*(v - E_l))/C_m : volt
dm/dt = 1/ms/exprel(-(v + 40*mV)/(10*mV))*(1 - m) - 4/ms*exp(-(v + 65*mV)/(18*mV))*m : 1
dh/dt = 0.07/ms*exp(-(v + 65*mV)/(20*mV))*(1 - h) - 1/ms/(1 + exp(-(v + 35*mV)/(10*mV)))*h : 1
dn/dt = 0.1/ms/exprel(-(v + 55*mV)/(10*mV))*(1 - n) - 0.125/ms*exp(-(v + 65*mV)/(80*mV))*n : 1
dg_exc/dt = -g_exc/(5*ms) : siemens
'''

[spike]
rule = "crossing"
threshold = "v > 0*mV"

[initial]
v = "-65*mV"
m = "0.053"
h = "0.596"
n = "0.318"
g_exc = "0*siemens"

[parameters]
area = { value = "20000*um**2", meaning = "membrane area", source = "chosen" }
C_m  = { value = "200*pF", meaning = "capacitance", source = "1 uF/cm2" }
g_Na = { value = "24*uS", meaning = "sodium conductance", source = "120 mS/cm2" }
g_K  = { value = "7.2*uS", meaning = "potassium conductance", source = "36 mS/cm2" }
g_l  = { value = "60*nS", meaning = "leak conductance", source = "0.3 mS/cm2" }
E_Na = { value = "50*mV", meaning = "sodium reversal potential", source = "1952" }
E_K  = { value = "-77*mV", meaning = "potassium reversal potential", source = "1952" }
E_l  = { value = "-54.4*mV", meaning = "leak reversal potential", source = "1952" }

[receptors]
g_exc = { unitary = "4*nS", sign = "excitatory", meaning = "excitatory conductance" }
I_e   = { kind = "current", meaning = "injected current" }
"""


def test_a_cell_of_the_users_own_has_a_threshold_and_divides_and_dies_unchanged(study, tmp_path):
    path = tmp_path / "document.toml"
    path.write_text(MEMBRANE)
    curve = ns.fi_curve(str(path), np.array([0, 1, 2, 4]) * nA, 100 * ms, dt=0.05 * ms, backend=NUMPY, progress=False)
    assert curve.rates[0] == 0 * Hz and curve.rates[-1] > 50 * Hz and (np.diff(curve.rates / Hz) >= 0).all()
    plan = replace(study.PLANS["smoke"], cell=str(path), cells=20)
    circuit = strengthened(study.newborn(plan, 0), 0)
    recording = recorded(circuit, np.arange(20))
    dying, dividing = study.wave("extinction", 20)
    after = ns.apply(circuit, dying(circuit, recording, rng()) + dividing(circuit, recording, rng()))
    assert len(after["exc"]) == 20 and set(circuit["exc"].ids) - set(after["exc"].ids) == {0, 1}


# --- the study -----------------------------------------------------------------------------------------------------------


def test_the_study_compares_its_lives(smoke, study):
    folder, printed = smoke
    found = json.loads((folder / "results.json").read_text())
    assert list(found) == [*study.KINDS, "thresholds", "extinction, Hodgkin-Huxley", "fixed, Hodgkin-Huxley"]
    assert found["extinction"][0]["lost: twins alike"] == 0 == found["extinction, Hodgkin-Huxley"][0]["lost: twins alike"]
    assert found["extinction"][0]["waves"] == found["by chance"][0]["waves"] > found["fixed"][0]["waves"] == 0
    for title in ("minus fixed,", "minus by chance,", "minus fixed, Hodgkin-Huxley,"):
        assert title in printed
    for figure in ("comparison", "courses"):
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG") and (folder / f"{figure}.csv").is_file()
    chosen, chance = (ns.load_history(folder / "lives" / f"{kind}, seed 0") for kind in ("extinction", "by chance"))
    counts = [np.unique(one.events[["epoch", "kind", "where"]], return_counts=True) for one in (chosen, chance)]
    assert counts[0][0].tolist() == counts[1][0].tolist() and counts[0][1].tolist() == counts[1][1].tolist()
