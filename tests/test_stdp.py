"""Spike-timing-dependent plasticity of pairs: the window of Song, Miller & Abbott 2000, with the time constants of Bi & Poo 2001."""

import numpy as np
import pytest
from plastic_pairs import W_MAX, change, pairs_of_cells, play, trains

import neurosim as ns
from neurosim.units import Hz, ms, mV, quantity, volt

BACKEND = ns.Brian2(dt=0.1 * ms, target="numpy")
STDP = ns.load_synapse("stdp_pair").replace(w_max=W_MAX)
A_PLUS, A_MINUS, TAU_PLUS, TAU_MINUS = 0.005, 0.002617, 16.8, 33.7  # ms
INTERVALS = np.array(sorted({*range(-100, 101, 4), *(-0.1, 0.1, -0.3, 0.5, -1.7, 2.9)} - {0}))  # ms, post minus pre


def window(interval):
    return np.where(interval > 0, A_PLUS * np.exp(-interval / TAU_PLUS), -A_MINUS * np.exp(interval / TAU_MINUS))


def play_intervals(circuit, intervals, **others):
    """One pair of spikes at each synapse, post minus pre as given."""
    return play(circuit, [(k, 110.0) for k in range(len(intervals))], list(enumerate(110.0 + intervals)), 220 * ms, **others)


def test_window():
    circuit = pairs_of_cells(len(INTERVALS), STDP)
    after, _ = play_intervals(circuit, INTERVALS)
    np.testing.assert_allclose(change(circuit, after), window(INTERVALS), rtol=1e-6)


WRONG = [
    ("tau_plus", 1.01 * TAU_PLUS * ms, 1),
    ("tau_minus", 1.01 * TAU_MINUS * ms, -1),
    ("A_plus", 1.01 * A_PLUS, 1),
    ("A_minus", 1.01 * A_MINUS, -1),
]


@pytest.mark.parametrize(("parameter", "value", "side"), WRONG)
def test_control_a_parameter_wrong_by_a_hundredth_misses_its_side(parameter, value, side):
    circuit = pairs_of_cells(4, STDP.replace(**{parameter: value}))
    intervals = np.array([-60, -20, 20, 60.0])
    after, _ = play_intervals(circuit, intervals)
    missed = abs(change(circuit, after) / window(intervals) - 1) > 1e-3
    assert missed.tolist() == (np.sign(intervals) == side).tolist()


def test_the_set_of_song_miller_and_abbott():
    """Song, Miller & Abbott 2000: 20 ms on both sides, 0.005 up and 1.05 times that down, of the largest weight."""
    intervals = np.array([-40, -20, -1, 1, 20, 40.0])
    circuit = pairs_of_cells(len(intervals), STDP.parameter_set("song"))
    after, _ = play_intervals(circuit, intervals)
    size = 0.005 * np.exp(-abs(intervals) / 20)
    np.testing.assert_allclose(change(circuit, after), np.where(intervals > 0, size, -1.05 * size), rtol=1e-6)


def test_spikes_in_one_step_count_as_pre_before_post():
    circuit = pairs_of_cells(1, STDP)
    after, _ = play_intervals(circuit, np.zeros(1))
    assert change(circuit, after) == pytest.approx([A_PLUS], rel=1e-6)


def test_a_delay_moves_the_window():
    """The presynaptic spike counts when it arrives."""
    intervals = np.array([-20, -4.9, 0, 4.9, 5.1, 20])
    circuit = pairs_of_cells(len(intervals), STDP, delay=5 * ms)
    after, _ = play_intervals(circuit, intervals)
    np.testing.assert_allclose(change(circuit, after), window(intervals - 5), rtol=1e-6)


# --- more than two spikes --------------------------------------------------------------------------------------------

TRIPLETS = [
    ([50], [60, 80]),
    ([50, 70], [90]),
    ([50, 90], [70]),
    ([70], [50, 90]),
    ([50, 70], [40]),
    ([90], [40, 60]),
    ([40, 50, 60, 75], [45, 58, 70, 90]),
]


def all_pairs(pre, post):
    return sum(float(window(b - a)) for a in pre for b in post)


def nearest_pairs(pre, post):
    """Each spike with the last of the other side only (Morrison et al. 2008, symmetric scheme)."""
    before = [max((a for a in pre if a < b), default=None) for b in post]
    after = [max((b for b in post if b < a), default=None) for a in pre]
    return sum(float(window(b - a)) for a, b in [*zip(before, post, strict=True), *zip(pre, after, strict=True)] if None not in (a, b))


PAIRINGS = {"all": (STDP, all_pairs), "nearest": (STDP.parameter_set("nearest"), nearest_pairs)}


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_pairs_add_up(pairing):
    """Song et al. 2000: all pairs; Morrison et al. 2008: the nearest ones. Each is the other's control."""
    synapse, counted = PAIRINGS[pairing]
    circuit = pairs_of_cells(len(TRIPLETS), synapse)
    after, _ = play(circuit, trains(pre for pre, _ in TRIPLETS), trains(post for _, post in TRIPLETS), 120 * ms)
    changes = change(circuit, after)
    np.testing.assert_allclose(changes, [counted(*times) for times in TRIPLETS], rtol=1e-6)
    (other,) = (rule for name, (_, rule) in PAIRINGS.items() if name != pairing)
    missed = abs(changes / [other(*times) for times in TRIPLETS] - 1) > 0.1
    assert missed.sum() == 3  # triplets in which a spike has two partners on one side


@pytest.mark.parametrize("pairing", PAIRINGS)
def test_random_trains_add_up_over_a_boundary(pairing):
    """Twenty random trains, simulated in two pieces."""
    synapse, counted = PAIRINGS[pairing]
    rng = np.random.default_rng(4)
    circuit = pairs_of_cells(20, synapse)
    times = [[np.sort(rng.choice(40, size=rng.integers(2, 7), replace=False)) * 4.0 + offset for offset in (10, 12.3)] for _ in range(20)]
    pre, post = trains(one for one, _ in times), trains(one for _, one in times)
    middle, _ = play(circuit, [p for p in pre if p[1] < 80], [p for p in post if p[1] < 80], 80 * ms)
    after, _ = play(middle, [p for p in pre if p[1] >= 80], [p for p in post if p[1] >= 80], 120 * ms)
    np.testing.assert_allclose(change(circuit, after), [counted(*both) for both in times], rtol=1e-6)


# --- bounds and learning factors -------------------------------------------------------------------------------------


def repeated(interval, times):
    return [(0, 20.0 + 10 * k) for k in range(times)], [(0, 20.0 + interval + 10 * k) for k in range(times)]


@pytest.mark.parametrize(("interval", "start", "end"), [(3, 0.5, 1.0), (3, 1.0, 1.0), (-3, 0.5, 0.1), (-3, 0.1, 0.1)])
def test_weights_stay_between_their_bounds(interval, start, end):
    synapse = STDP.replace(A_plus=0.3, A_minus=0.3, tau_plus=4 * ms, tau_minus=4 * ms, w_min=0.1 * W_MAX)
    circuit = pairs_of_cells(1, synapse, weight=start * W_MAX)
    after, recording = play(circuit, *repeated(interval, 8), 120 * ms, record=[ns.Trace("plastic", "weight")])
    weights = recording["plastic"].trace("weight").si
    assert weights.min() >= 0.1 * float(W_MAX) and weights.max() <= float(W_MAX)
    assert float(after["plastic"].weight[0]) == end * float(W_MAX)
    free = synapse.replace(A_plus=0.03, A_minus=0.03, w_min=-10 * W_MAX, w_max=10 * W_MAX)
    unbound, _ = play(pairs_of_cells(1, free, weight=start * W_MAX), *repeated(interval, 8), 120 * ms)
    assert not 0.1 <= float(unbound["plastic"].weight[0] / W_MAX) <= 1  # the control: without bounds it would leave


def test_learning_of_0_freezes_weights_and_half_halves_their_changes():
    circuit = pairs_of_cells(len(INTERVALS), STDP)
    whole, _ = play_intervals(circuit, INTERVALS)
    half, _ = play_intervals(circuit, INTERVALS, modulate={"plastic.learning": 0.5})
    frozen, _ = play_intervals(circuit, INTERVALS, modulate={"plastic.learning": 0.0})
    assert frozen["plastic"].synapses["weight"].tobytes() == circuit["plastic"].synapses["weight"].tobytes()
    assert frozen["plastic"].synapses["x"].tobytes() == whole["plastic"].synapses["x"].tobytes()  # traces go on
    np.testing.assert_allclose(change(circuit, half), change(circuit, whole) / 2, rtol=1e-9)
    assert (change(circuit, whole) != 0).all()  # the control
    assert dict(whole["plastic"].shared) == dict(frozen["plastic"].shared) == {"learning": 1.0}  # for that run only


def test_a_model_of_no_learning_can_be_made_to_learn():
    circuit = pairs_of_cells(len(INTERVALS), STDP.replace(learning=0))
    frozen, _ = play_intervals(circuit, INTERVALS)
    awake, _ = play_intervals(circuit, INTERVALS, modulate={"plastic.learning": 2.0})
    assert frozen["plastic"].synapses["weight"].tobytes() == circuit["plastic"].synapses["weight"].tobytes()
    np.testing.assert_allclose(change(circuit, awake), 2 * window(INTERVALS), rtol=1e-6)


# --- normalised incoming weights -------------------------------------------------------------------------------------

TOTAL = 4 * mV


def presented(normalise="incoming", learning=1.0, split=True, total=TOTAL):
    """Ten stimuli to 12 sources of 3 cells, four sources having divided; returns share * weight summed by cell at each onset."""
    synapse = STDP.replace(normalise=normalise, w_total=total, A_plus=0.05, A_minus=0.02)
    pre, post = ns.create("pre", "spike_source", 12), ns.create("post", "leaky_adaptive_threshold", 3)
    plastic = ns.connect(
        pre, post, synapse, ns.FixedProbability(0.8), receptor="v", weight=ns.Uniform(0.2 * W_MAX, 0.6 * W_MAX), seed=2
    ).replace(name="plastic")
    circuit = ns.Circuit([pre, post], [plastic], seed=1)
    if split:
        circuit = ns.apply(circuit, ns.Events.divide("pre", [0, 1, 2, 3], rng=np.random.default_rng(1)))
    rates = np.random.default_rng(3).uniform(50, 300, (10, 12)) * Hz
    images = ns.Presentations("pre", rates, duration=20 * ms)
    after, recording = ns.simulate(
        circuit, 200 * ms, inputs=[images], record=[ns.Trace("plastic", "weight", every=10 * ms)], modulate={"plastic.learning": learning}, backend=BACKEND, progress=False,
    )  # fmt: skip
    assert recording["post"].counts.min() > 0
    synapses = circuit["plastic"].synapses
    delivered = synapses["share"][:, None] * recording["plastic"].trace("weight").si
    sums = np.stack([delivered[synapses["post"] == cell].sum(axis=0) for cell in circuit["post"].ids])
    return circuit, after, sums[:, ::2], sums[:, 1::2]


@pytest.mark.parametrize("split", [False, True])
def test_each_onset_brings_what_a_cell_receives_to_its_total(split):
    circuit, _, at_onsets, between = presented(split=split)
    assert (circuit["plastic"].synapses["share"] < 1).any() == split
    np.testing.assert_allclose(at_onsets, float(TOTAL), rtol=1e-12)
    assert (abs(between / float(TOTAL) - 1) > 1e-3).mean() > 0.5  # learning moves it in between


def test_control_without_normalisation_the_sum_wanders():
    _, _, at_onsets, _ = presented(normalise=None)
    assert (abs(at_onsets / float(TOTAL) - 1) > 0.01).all()


def test_frozen_weights_are_balanced_once_and_then_stay():
    """Normalisation is balance, not learning."""
    circuit, after, at_onsets, between = presented(learning=0.0)
    np.testing.assert_allclose([at_onsets, between], float(TOTAL), rtol=1e-12)
    ratio = after["plastic"].synapses["weight"] / circuit["plastic"].synapses["weight"]
    for cell in circuit["post"].ids:
        own = ratio[circuit["plastic"].synapses["post"] == cell]
        np.testing.assert_allclose(own, own[0], rtol=1e-12)  # one factor for each cell
    unbalanced, kept, _, _ = presented(normalise=None, learning=0.0)
    assert kept["plastic"].synapses["weight"].tobytes() == unbalanced["plastic"].synapses["weight"].tobytes()


def test_normalised_weights_keep_their_bounds():
    circuit, after, at_onsets, _ = presented(total=40 * mV)
    assert after["plastic"].synapses["weight"].max() <= float(W_MAX)
    assert (at_onsets < 0.5 * float(40 * mV)).all()  # out of reach: every weight at its bound
    assert quantity(at_onsets[0, 0], volt.dim) > TOTAL


def test_potentiation_alone_is_the_positive_half_of_the_window():
    synapse = ns.load_synapse("stdp_potentiation").replace(w_max=W_MAX, normalise=None)
    circuit = pairs_of_cells(len(INTERVALS), synapse)
    after, _ = play_intervals(circuit, INTERVALS)
    np.testing.assert_allclose(change(circuit, after), np.where(INTERVALS > 0, window(INTERVALS), 0.0), rtol=1e-6)


def test_the_pair_rule_without_depression_is_potentiation_alone():
    """The two files step differently (one has a second trace), but where they mean the same they give the same bits."""
    alone = ns.load_synapse("stdp_potentiation").replace(w_max=W_MAX, w_total=W_MAX)
    pair = STDP.replace(A_minus=0.0, w_total=W_MAX, normalise="incoming", on_presentation="x = 0\ny = 0")
    weights = []
    for synapse in (alone, pair, STDP.replace(A_minus=0.001, w_total=W_MAX, normalise="incoming", on_presentation="x = 0\ny = 0")):
        source, cell = ns.create("pre", "spike_source", 6), ns.create("post", "leaky_adaptive_threshold", 2)
        plastic = ns.connect(source, cell, synapse, ns.AllToAll(), receptor="v", weight=ns.Uniform(0.1 * mV, 0.3 * mV), seed=4)
        rates = np.arange(1, 25).reshape(4, 6) * 40 * Hz
        circuit = ns.Circuit([source, cell], [plastic.replace(name="plastic")], seed=2)
        after, recording = ns.simulate(circuit, 200 * ms, inputs=[ns.Presentations("pre", rates, 50 * ms)], backend=BACKEND, progress=False)
        assert recording["post"].counts.min() > 3
        weights.append(after["plastic"].synapses["weight"])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])
