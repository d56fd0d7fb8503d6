"""Every synapse of the catalogue keeps the boundary contract, with leaky and with Hodgkin-Huxley cells.

One circuit holds them all, each as a projection of its own, so that each kind of cell compiles once.
"""

from functools import cache

import numpy as np
import pytest
from circuits import DT, HH, LIBRARY, TARGETS, differences, run, spikes, tampered
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.units import Hz, ms, nS, second

RULES = ns.synapses()
CELLS = ("leaky_conductance", "traub_miles")
SIZE, W_MAX = 12, {"leaky_conductance": 2 * nS, "traub_miles": 4 * nS}
PICOVOLT = 1e-12  # 1e-9 mV
# learning so fast that every rule moves its weights well within 200 ms
QUICK = {
    "bcm": {"eta": 1e-4 * second**2},
    "credit_gated": {},
    "hebbian_rate": {"eta": 0.001 * second},
    "oja": {"eta": 0.01 * second, "w_norm": 2 * nS},
    "stdp_gated": {"A_plus": 0.03, "A_minus": 0.02},
    "stdp_inhibitory": {"eta": 0.05},
    "stdp_pair": {"A_plus": 0.03, "A_minus": 0.02},
    "stdp_potentiation": {"A_plus": 0.03, "w_total": 3 * nS, "interval": 50 * ms},
    "stdp_supervised": {"A": 0.02},
    "stdp_triplet": {},
    "stdp_voltage": {"theta_plus": -55 * 1e-3 * ns.units.volt},
    "stdp_reward": {},
    "use_dependent": {"eta": 0.02},
    "tsodyks_markram": {},
    "static": {},
}


def rule(name, cell):
    """One rule of the catalogue, ready for use, learning quickly."""
    synapse = ns.load_synapse(name)
    changes = dict(QUICK[name])
    if "w_max" in synapse.parameters:
        changes["w_max"] = W_MAX[cell]
    if name == "stdp_potentiation":
        synapse = synapse.replace(normalise=None).replace(normalise="incoming")
    if name == "hebbian_rate":
        synapse = synapse.replace(normalise="rate", interval=20 * ms, tau_scaling=1 * second)
    return synapse.replace(**changes)


@cache
def built(cell, seed=2):
    """Excitatory and inhibitory cells with one projection for each rule: delays of 0.1 to 5 ms, autapses, several contacts."""
    rng = np.random.default_rng(seed)
    rules = {name: rule(name, cell) for name in RULES}
    model = ns.load_cell(cell).keeping(*rules.values())
    low, high = (-60, -51) if cell not in HH else (-70, -60)
    exc, inh = (
        ns.create(name, model, size, sign=sign, state={"v": rng.uniform(low, high, size) * 1e-3 * ns.units.volt})
        for name, size, sign in (("exc", SIZE, "excitatory"), ("inh", 4, "inhibitory"))
    )
    projections = []
    for name, synapse in rules.items():
        source, receptor = (inh, "g_inh") if name == "stdp_inhibitory" else (exc, "g_exc")
        pre, post = (np.repeat(one, 2) for one in np.nonzero(rng.random((len(source), SIZE)) < 0.2))
        weight = rng.uniform(0.1, 0.9, len(pre)) * W_MAX[cell]
        delay = rng.integers(1, 51, len(pre)) * DT * second
        made = ns.connect(source, exc, synapse, ns.Pairs(pre, post), receptor=receptor, weight=weight, delay=delay)
        projections.append(made.replace(name=name))
    return ns.Circuit([exc, inh], projections, seed=seed)


def drives(cell):
    """Poisson spikes that twins share, a reward, a teacher, and a credit."""
    size = 2 if cell not in HH else 4
    inputs = [ns.PoissonInput(name, "g_exc", rate=400 * Hz, weight=size * nS, shared_noise=True) for name in ("exc", "inh")]
    taught = ns.Reward("exc", np.array([20, 150]) * ms, np.array([60, -30]) * Hz, "teacher", name="teacher")
    credit = ns.Reward("exc", np.array([20, 150]) * ms, 1.0, "credit", name="credit")
    return [*inputs, ns.Reward("exc", np.array([20, 150]) * ms, 1.0), taught, credit]


def weights(circuit):
    return {name: np.asarray(one.weight) for name, one in circuit.projections.items()}


def plastic(circuit):
    return [name for name, one in circuit.projections.items() if one.synapse.plastic]


@cache
def lived(cell, target):
    return run(built(cell), 1000, drives(cell), TARGETS[target], record=[ns.Trace("exc", "v")])


def test_there_is_a_fast_variant_of_every_rule():
    assert sorted(QUICK) == sorted(RULES)


# --- the same on every backend ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "target"),
    [
        ("leaky_conductance", "library"),
        pytest.param("leaky_conductance", "fast", marks=pytest.mark.slow),
        pytest.param("traub_miles", "library", marks=pytest.mark.slow),  # NumPy takes a minute
        # thirty pieces of code at 2 to 3 s each
        pytest.param("leaky_conductance", "cython", marks=pytest.mark.slow),
        pytest.param("traub_miles", "cython", marks=pytest.mark.slow),
    ],
)
def test_every_backend_gives_the_same_spikes_and_weights(cell, target):
    (after, recording), (witness, expected) = lived(cell, target), lived(cell, "numpy")
    assert len(spikes(expected)) > 3 * SIZE
    assert spikes(recording) == spikes(expected)
    for name, weight in weights(witness).items():
        np.testing.assert_allclose(weights(after)[name], weight, rtol=0, atol=1e-9 * float(W_MAX[cell]), err_msg=name)


@pytest.mark.parametrize("cell", CELLS)
def test_every_plastic_rule_moves_its_weights_and_no_other_does(cell):
    before, (after, _) = built(cell), lived(cell, "library")
    moved = {name for name in RULES if np.abs(weights(after)[name] - weights(before)[name]).max() > 1e-3 * float(W_MAX[cell])}
    assert moved == set(plastic(before)) == set(RULES) - {"static", "tsodyks_markram"}


# --- boundaries --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
def test_a_run_in_two_parts_is_the_whole_run(cell):
    backend = LIBRARY
    middle, first = run(built(cell), 333, drives(cell), backend)
    after, second_ = run(middle, 667, drives(cell), backend)
    whole, recording = lived(cell, "library")
    assert spikes(first, second_) == spikes(recording)
    assert differences(after, whole) == []
    # the control: a trace, a rate, a reward or a count that is not carried over is seen
    synapses, cells = middle["stdp_triplet"].synapses, middle["exc"].cells
    trace = next(name for name in middle["stdp_triplet"].synapse.variables)
    for name, column, values in (
        ("stdp_triplet", trace, np.zeros(len(synapses))),
        ("exc", "rate", np.zeros(len(cells))),
        ("exc", "reward", np.zeros(len(cells))),
        ("use_dependent", "uses", np.zeros(len(middle["use_dependent"]))),
    ):
        forgot, _ = run(tampered(middle, name, **{column: values}), 667, drives(cell), backend)
        assert differences(forgot, whole), (name, column)


@pytest.mark.parametrize("cell", CELLS)
def test_a_division_changes_no_other_cell_and_no_weight(cell):
    """Shares of a and 1 - a, the same inputs: nobody else notices, and copies learn as what they were copied from."""
    backend, inputs, trace = LIBRARY, drives(cell), [ns.Trace("exc", "v")]
    middle, _ = run(built(cell), 400, inputs, backend)
    mothers = [1, 5]
    divided = ns.apply(middle, ns.Events.divide("exc", mothers, rng=np.random.default_rng(5)))
    grown, recording = run(divided, 400, inputs, backend, record=trace)
    after, without = run(middle, 400, inputs, backend, record=trace)
    daughters = divided["exc"].ids[SIZE:].tolist()
    assert spikes(recording, but=daughters) == spikes(without)
    assert {(at, mothers[daughters.index(one)]) for at, one in spikes(recording) if one in daughters} == {
        spike for spike in spikes(without) if spike[1] in mothers
    }
    old, new = without["exc"].trace("v").si, recording["exc"].trace("v").si[:SIZE]
    assert np.abs(old - new).max() <= PICOVOLT
    for name, projection in grown.projections.items():
        origin = _origin(projection)
        before = after[name].rows(origin)
        np.testing.assert_allclose(
            projection.synapses["weight"], after[name].synapses["weight"][before], rtol=0, atol=1e-9 * float(W_MAX[cell]), err_msg=name
        )
    # the control: a daughter that does not copy what the rules keep in her cell, or in a synapse, is noticed
    cells = divided["exc"].cells
    rate = np.where(np.isin(cells["id"], daughters), 0.0, cells["rate"])
    blank, _ = run(tampered(divided, "exc", rate=rate), 400, inputs, backend)
    assert np.abs(weights(blank)["hebbian_rate"] - weights(grown)["hebbian_rate"]).max() > 1e-6 * float(W_MAX[cell])


def _origin(projection):
    """The synapse from before the division that each one is, or descends from."""
    ids, parents = projection.ids, projection.synapses["parent"]
    origin = ids.copy()
    for _ in range(4):
        known = parents[projection.rows(origin)]
        origin = np.where(known >= 0, known, origin)
    return origin


def test_removing_a_silent_cell_moves_no_weight_of_the_others():
    cell, inputs = "leaky_conductance", drives("leaky_conductance")[:1] + drives("leaky_conductance")[2:]
    silent = built(cell).set("inh", v=-60e-3 * ns.units.volt)  # which nothing drives now
    before, recording = run(silent, 400, inputs, LIBRARY)
    assert recording["inh"].counts.sum() == 0 < recording["exc"].counts.sum()
    fewer = ns.apply(silent, ns.Events.kill("inh", [2]))
    after, others = run(fewer, 400, inputs, LIBRARY)
    assert spikes(others) == spikes(recording)
    for name in set(RULES) - {"stdp_inhibitory"}:
        assert weights(after)[name].tobytes() == weights(before)[name].tobytes(), name
    survivors = before["stdp_inhibitory"].rows(after["stdp_inhibitory"].ids)
    assert weights(after)["stdp_inhibitory"].tobytes() == weights(before)["stdp_inhibitory"][survivors].tobytes()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_whatever_happens_weights_stay_in_bounds_and_keep_their_sign_and_frozen_ones_every_bit(seed):
    """Three epochs of random deaths, divisions (with jitter), unlinks and links."""
    cell, rng = "leaky_conductance", np.random.default_rng(seed)
    frozen = rng.choice(SIZE, 2, replace=False)
    circuit = built(cell).freeze("exc", frozen)
    for _ in range(3):
        before = circuit
        circuit, _ = run(circuit, 200, drives(cell), LIBRARY)
        for name in plastic(circuit):
            projection = circuit[name]
            low, high = (projection.synapse.parameters[key].value for key in projection.synapse.bounds)
            assert (projection.synapses["weight"] >= low).all() and (projection.synapses["weight"] <= high).all(), name
            still = projection.synapses["frozen"] > 0
            assert projection.synapses["weight"][still].tobytes() == before[name].synapses["weight"][still].tobytes(), name
            assert (projection.delivered >= 0).all()
        events, alive = ns.Events(), circuit["exc"].ids
        events += ns.Events.kill("exc", rng.choice(np.setdiff1d(alive, frozen), 1))
        events += ns.Events.divide("exc", rng.choice(alive, 2, replace=False), rng=rng, jitter=0.2)
        for name in ("stdp_pair", "stdp_voltage", "use_dependent"):
            events += ns.Events.unlink(name, rng.choice(circuit[name].ids, 2, replace=False))
            events += ns.Events.link(
                name, rng.choice(alive, 3), rng.choice(alive, 3), np.full(3, 0.5 * float(W_MAX[cell])), np.full(3, 1e-3)
            )
        after = ns.apply(circuit, events)
        for name in plastic(circuit):
            kept = np.intersect1d(after[name].ids, circuit[name].ids)
            there, here = after[name].synapses, circuit[name].synapses
            rows, still = circuit[name].rows(kept), circuit[name].synapses["frozen"][circuit[name].rows(kept)] > 0
            assert there["weight"][after[name].rows(kept)][still].tobytes() == here["weight"][rows][still].tobytes()
            marked = np.isin(there["pre"], _marked(after)) & (name != "stdp_inhibitory") | np.isin(there["post"], _marked(after))
            assert (there["frozen"] > 0).tolist() == marked.tolist(), name
        circuit = after


def _marked(circuit):
    cells = circuit["exc"].cells
    return cells["id"][cells["memory"]]


def test_a_rule_that_is_not_linear_in_the_weight_is_not_split(tmp_path):
    (tmp_path / "squared.toml").write_text(NONLINEAR)
    exc = ns.create("exc", "leaky_conductance", 3)
    squared = ns.connect(exc, exc, ns.load_synapse(tmp_path / "squared.toml"), ns.AllToAll(), receptor="g_exc", weight=1 * nS)
    circuit = ns.Circuit([exc], [squared])
    with pytest.raises(
        ValueError, match="cannot split projection 'exc_to_exc', because synapse model 'squared' does not deliver in proportion"
    ):
        ns.apply(circuit, ns.Events.divide("exc", [1], rng=np.random.default_rng(0)))


NONLINEAR = """
name = "squared"
summary = "Delivers the square of its weight."
references = ["Nobody (2000)."]
on_pre = "deliver(weight**2/nS)"
"""
