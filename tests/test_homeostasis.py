"""Homeostasis of each cell: sums of weights and scaling to a rate at intervals, and a threshold that holds a cell's own rate."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.units import Hz, ms, mV, nS, pA, second

NUMPY = ns.Brian2(dt=0.5 * ms, target="numpy")
STATIC, PAIR = ns.load_synapse("static"), ns.load_synapse("stdp_pair")
TARGET, TAU_RATE, TAU = 10 * Hz, 200 * ms, 2 * second


def run(circuit, duration, inputs=(), backend=NUMPY, **others):
    return ns.simulate(circuit, duration, inputs=inputs, backend=backend, progress=False, **others)


def weights(circuit, name):
    return circuit[name].synapses["weight"]


# --- normalisation of the incoming sum, at intervals -----------------------------------------------------------------

TOTAL = 4 * mV


def learning_cells(interval=20 * ms, normalise="incoming"):
    """Twelve sources, of which four have divided, with plastic synapses onto 3 cells, and static ones that hold them back."""
    pre, post = ns.create("pre", "spike_source", 12), ns.create("post", "leaky_adaptive_threshold", 3)
    rule = PAIR.replace(w_max=1 * mV, A_plus=0.05, A_minus=0.02)
    brake = STATIC
    if normalise:
        rule = rule.replace(normalise=normalise, w_total=TOTAL, interval=interval)
        brake = brake.replace(normalise=normalise, w_total=TOTAL / 8, interval=interval)
    plastic = ns.connect(pre, post, rule, ns.FixedProbability(0.8), receptor="v", weight=ns.Uniform(0.2 * mV, 0.6 * mV), seed=2)
    inhibition = ns.connect(pre, post, brake, ns.AllToAll(), receptor="v", weight=ns.Uniform(-0.1 * mV, 0 * mV), seed=3)
    circuit = ns.Circuit([pre, post], [plastic.replace(name="plastic"), inhibition.replace(name="brake")], seed=1)
    return ns.apply(circuit, ns.Events.divide("pre", [0, 1, 2, 3], rng=np.random.default_rng(1)))


def spiking(duration=150.0):
    """Random spikes of the twelve sources, between time steps at which weights are scaled."""
    rng = np.random.default_rng(3)
    return [ns.SpikeTimes("pre", rng.integers(0, 12, 400), np.sort(rng.choice(np.arange(0.5, duration, 0.5), 400)) * ms)]


def sums(circuit, recording, name):
    """What each cell receives, share * weight without its sign, at each sample."""
    synapses, trace = circuit[name].synapses, recording[name].trace("weight")
    delivered = abs(synapses["share"][:, None] * trace.si)
    return trace.steps, np.stack([delivered[synapses["post"] == cell].sum(axis=0) for cell in circuit["post"].ids])


def test_each_interval_brings_what_a_cell_receives_to_its_total():
    record = [ns.Trace(name, "weight", every=10 * ms) for name in ("plastic", "brake")]
    circuit, plain = learning_cells(), learning_cells(normalise=None)
    after, recording = run(circuit, 150 * ms, spiking(), record=record)
    assert recording["post"].counts.min() > 2
    steps, received = sums(circuit, recording, "plastic")
    at = (steps % 40 == 0) & (steps > 0)
    assert at.sum() == 7
    np.testing.assert_allclose(received[:, at], float(TOTAL), rtol=1e-12)
    assert (abs(received[:, ~at] / float(TOTAL) - 1) > 1e-3).mean() > 0.5  # learning moves it in between, and nothing happens at 0
    _, held_back = sums(circuit, recording, "brake")
    np.testing.assert_allclose(held_back[:, 2:], float(TOTAL / 8), rtol=1e-12)  # negative weights, which keep their sign
    np.testing.assert_array_equal(np.sign(weights(after, "brake")), np.sign(weights(circuit, "brake")))
    _, recording = run(plain, 150 * ms, spiking(), record=record)
    _, wandering = sums(plain, recording, "plastic")
    assert (abs(wandering[:, at] / float(TOTAL) - 1) > 0.01).all()  # the control


def test_frozen_weights_count_and_stay():
    circuit = learning_cells().freeze("pre", [0, 5])
    after, _ = run(circuit, 140 * ms, spiking())
    after, _ = run(after, 0.5 * ms)  # the normalisation at 140 ms
    synapses, old = after["plastic"].synapses, circuit["plastic"].synapses
    frozen = np.isin(synapses["pre"], [0, 5, 12])  # 12 is the daughter of 0
    assert synapses["weight"][frozen].tobytes() == old["weight"][frozen].tobytes()
    assert (synapses["weight"][~frozen] != old["weight"][~frozen]).all()
    received = np.bincount(synapses["post"], weights=synapses["share"] * synapses["weight"])
    np.testing.assert_allclose(received, float(TOTAL), rtol=1e-12)
    crowded, _ = run(learning_cells().freeze("pre", range(11)), 20.5 * ms)
    crowded = crowded["plastic"].synapses
    assert (crowded["weight"][crowded["pre"] == 11] > 0).all()


@pytest.mark.parametrize("first", [37, 40])
def test_intervals_are_of_the_circuits_time(first):
    """A run in two pieces is the run in one, bit for bit, where the boundary falls on an interval too."""
    whole, _ = run(learning_cells(), 100 * ms, spiking())
    middle, _ = run(learning_cells(), first * ms, spiking())
    after, _ = run(middle, (100 - first) * ms, spiking())
    assert weights(after, "plastic").tobytes() == weights(whole, "plastic").tobytes()
    shifted, _ = run(learning_cells(interval=20.5 * ms), 100 * ms, spiking())
    assert weights(shifted, "plastic").tobytes() != weights(whole, "plastic").tobytes()  # the control


# --- scaling to a rate -----------------------------------------------------------------------------------------------

BEGUN = np.array([0, 3, 10, 40])  # Hz: what the cells take for their rate at first
INTERVAL, SCALED = 50 * ms, ("static", "pair", "inhibition")


def scaled(synapse, **changes):
    return synapse.replace(normalise="rate").replace(target_rate=TARGET, tau_rate=TAU_RATE, tau_scaling=TAU, interval=INTERVAL, **changes)


def silent_cells():
    """Four cells that never spike, each with ten synapses of every projection."""
    rules = {"static": scaled(STATIC), "pair": scaled(PAIR, w_max=2 * nS), "inhibition": scaled(STATIC)}
    pre = ns.create("pre", "spike_source", 10)
    post = ns.create("post", ns.load_cell("leaky_conductance").keeping(rules["static"]), 4, state={"rate": BEGUN * Hz})
    made = [
        ns.connect(pre, post, rules[name], ns.AllToAll(), receptor=receptor, weight=ns.Uniform(0.5 * nS, 1.5 * nS), seed=seed).replace(
            name=name
        )
        for seed, (name, receptor) in enumerate(zip(SCALED, ("g_exc", "g_exc", "g_inh"), strict=True))
    ]
    return ns.Circuit([pre, post], made)


def exponent(count, learning=1.0):
    """The logarithm of what `count` scalings do to each cell's weights while its rate decays (a geometric sum)."""
    interval, decay = float(INTERVAL / TAU), np.exp(-float(INTERVAL / TAU_RATE))
    return learning * interval * (count - BEGUN / float(TARGET / Hz) * decay * (1 - decay**count) / (1 - decay))


def test_silent_cells_scale_by_the_closed_form():
    """exp(t/tau_scaling) where the rate is 0; ratios of a cell's weights stay; what inhibits goes the other way; bounds hold."""
    circuit = silent_cells().freeze("pre", [3])
    after, _ = run(circuit, 1000.5 * ms, modulate={"pair.learning": 0.5})
    assert exponent(20)[0] == pytest.approx(1000 / 2000)
    rows = circuit["static"].synapses
    cell, moving = rows["post"], rows["pre"] != 3
    for name, sign, learning in (("static", 1, 1), ("pair", 1, 0.5), ("inhibition", -1, 1)):
        old, new = weights(circuit, name), weights(after, name)
        expected = old * np.exp(sign * exponent(20, learning))[cell]
        expected = np.clip(expected, 0, 2e-9) if name == "pair" else expected
        np.testing.assert_allclose(new[moving], expected[moving], rtol=1e-12)
        assert new[~moving].tobytes() == old[~moving].tobytes()
        wrong = old * np.exp(sign * exponent(21, learning))[cell]
        assert (abs(new / wrong - 1)[moving] > 1e-3).all()  # the control: one scaling more
    assert (exponent(20) > 0).tolist() == [True, True, True, False]


def test_bounds_hold_and_learning_of_0_stops_the_scaling():
    circuit = silent_cells()
    late, _ = run(circuit, 1500 * ms, modulate={"pair.learning": 2.0})
    assert weights(late, "pair").max() == 2e-9 < weights(late, "static").max() * np.exp(exponent(30).max())
    still, _ = run(circuit, 200 * ms, modulate={"pair.learning": 0.0})
    assert weights(still, "pair").tobytes() == weights(circuit, "pair").tobytes()
    assert (weights(still, "static") != weights(circuit, "static")).all()
