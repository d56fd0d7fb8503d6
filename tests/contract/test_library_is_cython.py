"""Under strict arithmetic a library gives the bits of the Cython target, for each kind of synapse and of cell of the catalogue.

Each cell takes 10 to 25 s where nothing of it is compiled yet. So one of each spike rule, of which one learns from presentations, are
compared in every run of the tests, and all others with `-m slow`. Of synapses there are those of constant weight, with traces, with normalisation and, in
one cell, with statements of every time step and variables that cells keep; test_every_rule has all.

One circuit for each cell file holds a population of sources that is shown images, these synapses, every receptor, noise, step
currents and delays; it lives through edits, carried out by the library's engine on one side and by plain surgery on the other.
"""

from functools import cache

import numpy as np
import pytest
from circuits import CYTHON, DT, FAST, LIBRARY, differences, in_flight, run, spikes

import neurosim as ns
from neurosim.models.parts import psp
from neurosim.units import Hz, cm, ms, mV, pA, quantity, second, uA

MODELS = {model.name: model for model in map(ns.load_cell, ns.cells()) if any(receptor.unitary for receptor in model.receptors.values())}
EACH_KIND = ("leaky_adaptive_threshold", "hodgkin_huxley")
SYNAPSES = ("static", "stdp_pair", "stdp_potentiation")
MORE = {"hodgkin_huxley": ("stdp_voltage",)}
DRIVE = {
    "adex": 25,
    "exponential_leaky": 20,
    "izhikevich": 8,
    "izhikevich_2007": 30,
    "pospischil_rs": 30,
    "pospischil_fs": 30,
}  # where more than for the others is needed to spike
LENGTHS = [250, 330, 420]  # time steps; images change every 150 from step 50 on
SIZE = 60
on_all_cells = pytest.mark.parametrize(
    "cell", [name if name in EACH_KIND else pytest.param(name, marks=pytest.mark.slow) for name in MODELS]
)


def model_of(cell):
    """A cell of the catalogue that is refractory for a while after a spike."""
    model = MODELS[cell]
    never = model.parameters.get("tau_ref") and not model.parameters["tau_ref"].value
    return model.replace(tau_ref=2 * ms) if never else model


def jumps(model):
    return [name for name, receptor in model.receptors.items() if receptor.kind == "jump" and receptor.unitary]


def synapse(name, unit):
    """A model of the catalogue with what it leaves open, in units of what moves a cell at rest by 1 mV."""
    model = ns.load_synapse(name)
    return model.replace(**dict.fromkeys(model.missing(), unit))


def everything(cell, seed=5, dt=DT):
    """A population of cells with each synapse file onto it, each of its receptors, and sources."""
    rng = np.random.default_rng(seed)
    synapses = (*SYNAPSES, *MORE.get(cell, ()))
    model = model_of(cell).keeping(*synapses)
    source, exc = ns.create("source", "spike_source", 8), ns.create("exc", model, SIZE, seed=seed)
    excitatory, *others = jumps(model)
    unit = quantity(model.receptors[excitatory].unitary, model.receptors[excitatory].dimensions)
    kinds = [("given", source, "static", excitatory, 1.0), *((name, exc, name, excitatory, 0.05) for name in synapses)]
    kinds += [(f"by_{receptor}", exc, "static", receptor, 0.1) for receptor in others]
    projections = []
    for name, pre, kind, receptor, scale in kinds:
        slot = model.receptors[receptor]
        size = len(pre) * SIZE
        weight = quantity(rng.uniform(0, scale, size) * slot.unitary, slot.dimensions)
        delay = np.round(rng.integers(0, 200, size) * DT / dt) * dt * second
        made = ns.connect(pre, exc, synapse(kind, unit), ns.AllToAll(autapses=True), receptor=receptor, weight=weight, delay=delay)
        projections.append(made.replace(name=name, newborn="copy" if made.unsplittable else "split"))
    return ns.Circuit([source, exc], projections, seed=seed)


def drives(cell):
    model = MODELS[cell]
    density = DRIVE.get(cell, 1) * quantity(float(model.parameters["area"].value), (cm**2).dim) * uA / cm**2
    rates = np.random.default_rng(1).uniform(20, 300, (8, 8)) * Hz
    return [
        ns.Presentations("source", rates, duration=15 * ms, start=5 * ms),
        ns.PoissonInput("exc", jumps(model)[0], rate=400 * Hz, weight=psp(3 * mV)),
        ns.NoiseCurrent("exc", "I_e", mean=0 * pA, sd=0.2 * density, tau=4 * ms),
        ns.StepCurrent("exc", "I_e", 0.4 * density, start=20 * ms, stop=70 * ms, cells=np.arange(0, SIZE, 3)),
    ]


def events(circuit, seed):
    """Deaths, divisions with shares and jitter, and in each projection links and unlinks."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation(circuit["exc"].ids)
    proposed = ns.Events.kill("exc", cells[:5]) + ns.Events.divide("exc", cells[5:12], rng=rng, share=(0.2, 0.9), jitter=0.1)
    for name, projection in circuit.projections.items():
        ends = rng.choice(circuit[projection.source].ids, 50), rng.choice(cells[5:], 50)
        weight = np.full(50, projection.synapses["weight"].max())
        proposed += ns.Events.unlink(name, rng.choice(projection.ids, 40, replace=False))
        proposed += ns.Events.link(name, *ends, weight, rng.integers(0, 200, 50) * DT)
    return proposed


def lived(cell, backend):
    """Run in pieces with edits in between, on one engine where there is one; return circuits at each boundary, and recordings."""
    circuit, inputs, kept = everything(cell), drives(cell), []
    with backend.opened() as running:
        for number, steps in enumerate(LENGTHS):
            circuit, recording = run(circuit, steps, inputs, running, record=[ns.Trace("exc", "v")])
            kept.append((circuit, recording))
            circuit = running.carry_out(ns.plan(circuit, events(circuit, number)))
            kept.append((circuit, recording))
    return kept


lived_once = cache(lambda cell, target: lived(cell, {"cython": CYTHON, "library": LIBRARY, "fast": FAST}[target]))


@on_all_cells
def test_with_everything_there_is(cell):
    ours, theirs = lived_once(cell, "library"), lived_once(cell, "cython")
    assert len(ours) == len(theirs) == 2 * len(LENGTHS)
    for (one, recorded), (other, witnessed) in zip(ours, theirs, strict=True):
        assert in_flight(one) > 2000
        assert spikes(recorded) == spikes(witnessed) and len(spikes(recorded)) > 50
        assert recorded["exc"].trace("v").si.tobytes() == witnessed["exc"].trace("v").si.tobytes()
        assert differences(one, other) == []


@on_all_cells
def test_what_is_compared_happens(cell):
    """Weights that learn do, cells are refractory, noise is carried, images are shown, shares are split."""
    begun, (reached, _) = everything(cell), lived_once(cell, "library")[-2]
    assert not reached["exc"].cells["not_refractory"].all()
    assert len(set(reached["exc"].cells["noise:exc.I_e.NoiseCurrent"].tolist())) > SIZE - 10
    for name, projection in begun.projections.items():
        both = np.intersect1d(projection.ids, reached[name].ids)
        before, after = (one[name].synapses["weight"][one[name].rows(both)] for one in (begun, reached))
        assert len(both) > 100 and (before != after).any() == projection.synapse.plastic
        assert (reached[name].synapses["share"] < 1).any() == (projection.newborn == "split" and projection.source == "exc")
    assert sum(len(recording["source"].spikes) for _, recording in lived_once(cell, "library")) > 100


@pytest.mark.parametrize("cell", ["hodgkin_huxley"])
def test_control_fast_arithmetic_has_other_bits(cell):
    ours, theirs = lived_once(cell, "fast"), lived_once(cell, "cython")
    assert "exc.v" in differences(ours[0][0], theirs[0][0])


def test_every_kind_of_synapse_and_of_cell_is_there():
    there = {projection.synapse for name in EACH_KIND for projection in everything(name).projections.values()}
    for kind in (
        lambda model: bool(model.normalise),
        lambda model: bool(model.on_step),
        lambda model: bool(model.post.lines),
        lambda model: model.remembers,
    ):
        assert {kind(model) for model in there} == {False, True}
    for kind in (lambda model: model.spike.rule, lambda model: bool(model.on_presentation)):
        assert {kind(MODELS[name]) for name in EACH_KIND} == set(map(kind, MODELS.values()))


@pytest.mark.parametrize("dt", [0.05 * ms, 0.5 * ms])
def test_with_another_time_step(dt):
    """The time step is no part of the structure: one library runs with all."""
    cell = EACH_KIND[0]
    circuit, how = everything(cell, dt=float(dt)), {"inputs": drives(cell), "record": [ns.Trace("exc", "v")], "progress": False}
    (one, recorded), (other, witnessed) = (
        ns.simulate(circuit, 60 * ms, backend=ns.Brian2(dt=dt, target=target, arithmetic="strict"), **how)
        for target in ("library", "cython")
    )
    assert differences(one, other) == [] and spikes(recorded) == spikes(witnessed) and len(spikes(recorded)) > 20
