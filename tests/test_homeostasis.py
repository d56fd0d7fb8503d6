"""Homeostasis of each cell: sums of weights and scaling to a rate at intervals, a threshold that holds a cell's own rate, and divisions."""

from functools import cache

import numpy as np
import pytest

import neurosim as ns
from neurosim.units import Hz, ms, mV, nS, second

NUMPY, COARSE = (ns.Brian2(dt=dt * ms, target="numpy") for dt in (0.5, 1))
STATIC, PAIR = ns.load_synapse("static"), ns.load_synapse("stdp_pair")
TARGET, TAU_RATE, TAU = 10 * Hz, 100 * ms, 1 * second


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
    frozen = np.isin(synapses["pre"], [0, 5])
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

BEGUN = np.array([0, 3, 10, 100])  # Hz: what the cells take for their rate at first
INTERVAL, SCALED = 25 * ms, ("static", "pair", "inhibition")


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
    after, _ = run(circuit, 501 * ms, backend=COARSE, modulate={"pair.learning": 0.5})
    assert exponent(20)[0] == pytest.approx(500 / 1000)
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
    late, _ = run(circuit, 750 * ms, backend=COARSE, modulate={"pair.learning": 2.0})
    assert weights(late, "pair").max() == 2e-9 < weights(late, "static").max() * np.exp(exponent(30).max())
    still, _ = run(circuit, 100 * ms, backend=COARSE, modulate={"pair.learning": 0.0})
    assert weights(still, "pair").tobytes() == weights(circuit, "pair").tobytes()
    assert (weights(still, "static") != weights(circuit, "static")).all()


# --- what a division does to it --------------------------------------------------------------------------------------

SIZE, HELD, STIMULUS, SOURCES = 10, 20 * Hz, 50 * ms, 20
HOMEOSTATIC = ("own", "pooled", "scaled")
LIBRARY = ns.Brian2(dt=0.5 * ms, target="library")
OUTGOING = np.linspace(0.5, 1.5, SIZE) * nS
REST_TO_THRESHOLD, TAU_M, TAU_REF = 5.0, 0.05, 0.002  # mV, s, s: of leaky_adaptive_threshold
DRIVE = np.linspace(8, 14, SIZE)  # mV: what the current does to each cell of `pooled`


def homeostatic():
    """Three populations that are held at 20 Hz, each delivering to a cell of its own.

    `own`: each cell by its own threshold; `pooled`: by thresholds that share a count of spikes per stimulus, under steady currents;
    `scaled`: each cell by its incoming weights, under steady rates.
    """
    scaling = STATIC.replace(normalise="rate").replace(target_rate=HELD, tau_rate=500 * ms, tau_scaling=5 * second, interval=70 * ms)
    adaptive = ns.load_cell("leaky_adaptive_threshold")
    # without the reset at onsets, for which there is no closed form
    fall = "theta = clip(theta - learning*theta_plus*target_count/N, theta_min, inf*volt)"
    source, out = ns.create("source", "spike_source", SOURCES), ns.create("out", "leaky_conductance", len(HOMEOSTATIC))
    cells = [
        ns.create("own", ns.load_cell("leaky_homeostatic").replace(theta_plus=0.2 * mV, target_rate=HELD), SIZE),
        ns.create("pooled", adaptive.replace(target_count=SIZE * float(HELD * STIMULUS), on_presentation=fall), SIZE),
        ns.create("scaled", adaptive.replace(theta_plus=0 * mV, on_presentation="").keeping(scaling), SIZE, state={"rate": HELD}),
    ]
    incoming = ns.connect(source, cells[2], scaling, ns.AllToAll(), receptor="v", weight=ns.Uniform(0.04 * mV, 0.14 * mV), seed=1)
    outgoing = [
        ns.connect(one, out, "static", ns.Pairs(range(SIZE), [k] * SIZE), receptor="g_exc", weight=OUTGOING) for k, one in enumerate(cells)
    ]
    return ns.Circuit([source, *cells, out], [incoming.replace(name="incoming"), *outgoing], seed=3)


def go(circuit, seconds, shared=False, backend=LIBRARY, driven=True, **others):
    """Run on: sources of 100 Hz each, spikes of 600 to 1500 Hz for `own`, currents for `pooled`."""
    rates = np.full((1200, SOURCES), 100.0) * Hz
    inputs = [
        ns.Presentations("source", rates, STIMULUS),
        ns.PoissonInput("own", "g_exc", rate=driven * np.linspace(600, 1500, SIZE) * Hz, weight=2 * nS, shared_noise=shared),
        ns.StepCurrent("pooled", "I_e", DRIVE * mV * 4 * nS),
    ]
    return run(circuit, seconds * second, inputs, backend, **others)


@cache
def settled():
    return go(homeostatic(), 25)[0]


@cache
def lived(kind):
    """The 20 s after a division of all homeostatic cells: what each population delivers, in nS/s, in windows of 0.5 s; circuit, recording.

    "undivided"; "shared": twins get the same noise; "own": each cell its own, and twins of `scaled` differ in their incoming weights.
    """
    circuit, rng = settled(), np.random.default_rng(1)
    if kind != "undivided":
        jitter = {"scaled": 0.3} if kind == "own" else {}
        divisions = [ns.Events.divide(name, circuit[name].ids, rng=rng, jitter=jitter.get(name, 0.0)) for name in HOMEOSTATIC]
        circuit = ns.apply(circuit, sum(divisions, ns.Events()))
    after, recording = go(circuit, 20, shared=kind == "shared", record=[ns.Trace("out", "g_exc")])
    conductance = recording["out"].trace("g_exc").si.reshape(len(HOMEOSTATIC), 40, -1).mean(axis=2) / 1e-9
    per_spike = 0.5e-3 / -np.expm1(-0.5 / 5)  # the sum of a decaying conductance over time steps, in s
    return dict(zip(HOMEOSTATIC, conductance / per_spike, strict=True)), circuit, after, recording


ALL = float(OUTGOING.sum() / nS) * 20  # nS/s that each population delivers where every cell spikes at 20 Hz


def leaky_rate(drive, theta):
    """Rate in Hz of the leaky cell for a steady drive in mV, with the mean wait for the end of a time step."""
    return 1 / (TAU_REF + 0.25e-3 + TAU_M * np.log(drive / (drive - REST_TO_THRESHOLD - theta)))


def test_before_a_division_all_deliver_alike():
    delivered, *_ = lived("undivided")
    assert [delivered[name].mean() for name in HOMEOSTATIC] == pytest.approx([ALL] * 3, rel=0.01)


def test_scaling_takes_each_cell_to_the_target_rate():
    """Rate and steady weights in closed form: 2000 spikes a second of weight w drive a cell to w * 2000 Hz * tau_m."""
    start, circuit = homeostatic(), settled()
    _, first = go(start, 1)
    _, last = go(circuit, 5)
    assert (abs(first["scaled"].counts / 20 - 1) > 0.03).any()  # the control
    np.testing.assert_allclose(last["scaled"].counts / 5, 20, rtol=0.03)
    drive = np.bincount(circuit["incoming"].synapses["post"], weights(circuit, "incoming")) * 100 * TAU_M / 1e-3
    np.testing.assert_allclose(drive, REST_TO_THRESHOLD / -np.expm1(-(1 / 20 - TAU_REF) / TAU_M), rtol=0.02)
    ratios = weights(circuit, "incoming") / weights(start, "incoming")
    for cell in circuit["scaled"].ids:
        own = ratios[circuit["incoming"].synapses["post"] == cell]
        np.testing.assert_allclose(own, own[0], rtol=1e-12)


def test_twins_with_the_same_input_pass_unseen_under_targets_of_their_own():
    """No transient at all, as all state is copied; under a target of the population (the control) there is one."""
    before, *_ = lived("undivided")
    after, *_ = lived("shared")
    for name in ("own", "scaled"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-9)
    assert (after["pooled"] / before["pooled"] < 0.9)[1:].all()


def test_a_threshold_of_its_own_keeps_what_cells_deliver():
    """Twins with noise of their own. A cell's spikes are target_rate * t plus the change of theta in units of theta_plus, exactly."""
    delivered, divided, after, recording = lived("own")
    share = np.bincount(divided["own_to_out"].synapses["pre"], divided["own_to_out"].delivered / nS)
    drift = (after["own"].theta - divided["own"].theta) / (0.2 * mV)
    np.testing.assert_allclose(recording["own"].counts, 400 + drift, rtol=1e-9)
    assert len(share) == 2 * SIZE and delivered["own"].mean() == pytest.approx(share @ (400 + drift) / 20, rel=0.01)
    # theta wanders by 1 mV, 5 spikes of 400, so the mean of 20 cells by 0.3 %; windows of 0.5 s by the noise of counts, as before
    assert delivered["own"].mean() == pytest.approx(ALL, rel=0.01)
    spread = lived("undivided")[0]["own"].std()
    assert 0 < spread < 0.1 * ALL and abs(delivered["own"][:4] - ALL).max() < 3 * spread


def mean_equation(theta, theta_plus):
    """What `pooled` delivers in each window after its cells have become twice as many, by mean rates; theta in mV."""
    delivered = []
    for _ in range(400):  # stimuli
        rate = leaky_rate(DRIVE, theta)
        theta = theta + theta_plus * (rate * 0.05 - 0.5)  # spikes above target_count / N
        delivered.append(OUTGOING / nS @ rate)
    return np.reshape(delivered, (40, 10)).mean(axis=1)


def test_a_threshold_of_the_population_loses_half_of_it():
    """Delivered at first as before, in the end half, in between as the mean equation says, to a spike of each cell."""
    delivered, divided, after, _ = lived("shared")
    delivered, theta = delivered["pooled"], np.asarray(divided["pooled"].theta[:SIZE] / mV)
    spike_each = ALL / 20
    assert abs(np.cumsum(delivered - mean_equation(theta, 0.1)) / 2).max() < spike_each
    assert abs(np.cumsum(delivered - mean_equation(theta, 0.11)) / 2).max() > spike_each  # the control
    threshold = DRIVE * -np.expm1(-(1 / 10 - TAU_REF) / TAU_M)  # for 10 Hz; theta moves by steps of theta_plus, 0.1 mV
    np.testing.assert_allclose(after["pooled"].theta[:SIZE] / mV, threshold - REST_TO_THRESHOLD, atol=0.1)
    assert delivered[0] > 0.9 * ALL and delivered[-4:].mean() == pytest.approx(ALL / 2, rel=0.03)
    slope = 15**2 * TAU_M / (DRIVE * np.exp(-(1 / 15 - TAU_REF) / TAU_M))  # of the rate, Hz/mV, half-way between 20 and 10 Hz
    half_life = np.log(2) / (0.1 * slope)
    assert half_life.min() < (np.argmax(delivered < 0.75 * ALL) + 0.5) / 2 < half_life.max()


def test_scaling_brings_back_what_differing_twins_deliver():
    """Incoming weights that differ between twins change what they deliver at once; each cell's scaling takes it back."""
    delivered, divided, after, recording = lived("own")
    drive = np.bincount(divided["incoming"].synapses["post"], weights(divided, "incoming")) * 100 * TAU_M / 1e-3
    share = np.bincount(divided["scaled_to_out"].synapses["pre"], divided["scaled_to_out"].delivered / nS)
    assert delivered["scaled"][0] == pytest.approx(share @ leaky_rate(drive, 0), rel=0.03)
    assert delivered["scaled"][0] > 1.05 * ALL  # the control
    assert delivered["scaled"][-10:].mean() == pytest.approx(ALL, rel=0.01)
    # dw/dt = w (1 - rate/20 Hz)/5 s, so that spikes beyond 400 are 100 times the fall of log w, but for what the averaged rate lags behind
    factor = np.zeros(2 * SIZE)
    factor[divided["incoming"].synapses["post"]] = weights(after, "incoming") / weights(divided, "incoming")
    beyond = recording["scaled"].counts - 400
    np.testing.assert_allclose(beyond, -100 * np.log(factor), atol=3)
    assert abs(beyond).max() > 6


def test_on_the_library_as_on_numpy_and_in_two_pieces():
    (one, first), (other, second_) = (go(homeostatic(), 0.3, backend=backend) for backend in (LIBRARY, NUMPY))
    for name in HOMEOSTATIC:
        assert first[name].spikes.step.tolist() == second_[name].spikes.step.tolist() != []
    np.testing.assert_allclose(weights(one, "incoming"), weights(other, "incoming"), rtol=1e-12)
    middle, _ = go(settled(), 1.19)
    (split, _), (whole, _) = go(middle, 0.81), go(settled(), 2)
    assert weights(split, "incoming").tobytes() == weights(whole, "incoming").tobytes() != weights(middle, "incoming").tobytes()
    for name, variable in (("own", "theta"), ("pooled", "theta"), ("scaled", "rate")):
        assert split[name].cells[variable].tobytes() == whole[name].cells[variable].tobytes()


# --- a threshold of a cell's own -------------------------------------------------------------------------------------


def test_spikes_are_the_target_and_the_rise_of_the_threshold():
    """With half the learning theta moves half as far for as many spikes; with none it stays, and spikes are free."""
    start = homeostatic()
    for learning in (1.0, 0.5):
        after, recording = go(start, 3, modulate={"own.learning": learning})
        drift = np.asarray(after["own"].theta / (learning * 0.2 * mV))
        np.testing.assert_allclose(recording["own"].counts, 60 + drift, rtol=1e-9)
        assert (abs(drift) > 5).all()  # the control: the target alone is missed at first
    still, _ = go(start, 1, modulate={"own.learning": 0.0})
    assert not still["own"].cells["theta"].any()


def test_the_threshold_of_an_idle_cell_stops_at_the_lowest():
    idle, recording = go(homeostatic(), 3, driven=False)
    floor, fall = -9e-3, 0.2e-3 * 20 * 0.5e-3
    theta = idle["own"].cells["theta"]
    assert not recording["own"].counts.any() and (theta <= floor).all() and (theta > floor - 1.001 * fall).all()
    soon, _ = go(homeostatic(), 1, driven=False)
    np.testing.assert_allclose(soon["own"].cells["theta"], -0.2e-3 * 20, rtol=1e-9)
