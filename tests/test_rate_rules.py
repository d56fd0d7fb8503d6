"""Rules of rates in spikes: Hebb's products, Oja's first principal component, and the one chosen input of Bienenstock, Cooper & Munro."""

import numpy as np
import pytest
from plastic_pairs import W_MAX, change, pairs_of_cells, play, trains

import neurosim as ns
from neurosim.units import Hz, ms, mV, nA, pA, second

# a cell that forgets nothing: its rate is the sum of rates times weight/V_th, as in the equations of these rules
INTEGRATOR = """
name = "integrator"
summary = "Cell that adds up what it receives."
references = ["Made for these tests."]
method = "euler"
equations = "dv/dt = I_e/C_m : volt"
[spike]
rule = "refractory"
threshold = "v > V_th"
reset = "v -= V_th"
refractory = "0*ms"
[initial]
v = "0*mV"
[parameters]
area = { value = "100*um**2", meaning = "membrane area", source = "chosen" }
C_m  = { value = "100*pF", meaning = "capacitance", source = "chosen" }
V_th = { value = "1*mV", meaning = "threshold", source = "chosen" }
[receptors]
v   = { meaning = "a jump of the membrane potential" }
I_e = { kind = "current", meaning = "injected current" }
"""
V_TH = 1 * mV


# --- products of rates -----------------------------------------------------------------------------------------------


def grown(pre, post, eta, tau):
    """The share of w_max: at each presynaptic spike eta times the rate, which is exp(-t/tau)/tau after each spike before it."""
    lags = np.subtract.outer(np.asarray(pre), np.asarray(post)) / 1000
    return eta * np.where(lags > 0, np.exp(-abs(lags) / tau) / tau, 0).sum()


def test_hebbian_growth_is_the_product_of_rates():
    """Regular trains of 7 and 11 ms meet in all phases alike, so that they are independent."""
    rule = ns.load_synapse("hebbian_rate").replace(w_max=W_MAX, tau_rate=50 * ms, eta=3e-5 * second)
    start, size = 500, 1001  # ms
    pre = np.arange(start, start + size, 7.0)
    lists = [
        (pre, np.arange(1, start + size, 11.0)),
        (pre, np.arange(1, start + size, 22.0)),
        (pre, []),
        (pre[::2], np.arange(1, start + size, 11.0)),
    ]
    circuit = pairs_of_cells(len(lists), rule, weight=0.3 * W_MAX)
    after, _ = play(circuit, trains(one for one, _ in lists), trains(one for _, one in lists), (start + size + 1) * ms, dt=1 * ms)
    changes = change(circuit, after)
    np.testing.assert_allclose(changes, [grown(*both, 3e-5, 0.05) for both in lists], rtol=1e-9, atol=1e-15)
    product = 3e-5 * size / 1000 * (1000 / 7) * (1000 / 11)
    np.testing.assert_allclose(changes, [product, product / 2, 0, product / 2], rtol=0.02)
    wrong = [grown(*both, 3e-5, 0.051) for both in lists[:2]]
    assert (abs(changes[:2] / wrong - 1) > 1e-5).all()  # the control: another time constant


@pytest.mark.parametrize("name", ["leaky", "hodgkin_huxley"])
def test_a_cell_keeps_its_rate(name):
    """The trace that all three rules share, in a cell of either kind: the sum of exp(-t/tau)/tau over its spikes."""
    rules = [ns.load_synapse(rule).replace(tau_rate=30 * ms) for rule in ("hebbian_rate", "oja", "bcm")]
    cell = ns.create("cell", ns.load_cell(name).keeping(*rules), 2)
    current = ns.StepCurrent("cell", "I_e", [400 * pA, 1 * nA] if name == "leaky" else [3 * nA, 0 * nA])
    after, recording = ns.simulate(
        ns.Circuit([cell]), 60 * ms, inputs=[current], backend=ns.Brian2(dt=0.1 * ms, target="numpy"), progress=False
    )
    spikes = recording["cell"].spikes
    assert len(spikes.id) > 2
    left = (600 - 1 - spikes.step) * 0.1 / 30  # a rate jumps at the end of its spike's time step
    rates = [float(np.exp(-left[spikes.id == one]).sum() / 0.03) for one in (0, 1)]
    np.testing.assert_allclose(after["cell"].rate / Hz, rates, rtol=1e-9)


# --- where weights end -----------------------------------------------------------------------------------------------

TAU, OFTEN, RATE_0 = 0.1, 250.0, 50.0  # s, Hz, Hz: many spikes in TAU, many TAU in a pattern, many patterns in TAU_THETA
PATTERN, TAU_THETA, DURATION = {"oja": 1.0, "bcm": 2.5}, 20.0, 500.0  # s
SLOW = 0.02 / OFTEN**2  # learning rate: what changes at first order follows in 50 s
# of the threshold's own speed a half, below which it does not oscillate on its way
ETA_BCM = 0.5 / TAU_THETA / RATE_0 / OFTEN**2
SHARES = (1.198, 0.751)  # of OFTEN; and the other way round: second moments 1 and 0.9, principal component (1, 1)/sqrt(2)


def shown():
    """Regular trains of seven sources, (id, ms): two of alternating correlated patterns, and of two and of three that spike in turn."""
    t = np.arange(int(DURATION * 1000)) / 1000
    swapped, turn = (t // PATTERN["oja"]) % 2 == 1, t // PATTERN["bcm"]
    rates = [np.where(swapped, *SHARES[::step]) * OFTEN for step in (-1, 1)]
    rates += [OFTEN * (turn % number == k) for number in (2, 3) for k in range(number)]
    counts = [np.floor(np.cumsum(rate) / 1000) for rate in rates]
    steps = [np.flatnonzero(np.diff(count, prepend=0)) for count in counts]
    return np.repeat(np.arange(7), [len(one) for one in steps]), np.concatenate(steps)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """The weights of each rule, in V_th, over time: [synapse, sample]; all are synapses of one population, which keeps one rate for them.

    Its cells are two for Oja's rule, one for Hebb's and four for the last: two inputs from either side, three, and a threshold that stays.
    """
    path = tmp_path_factory.mktemp("cells") / "integrator.toml"
    path.write_text(INTEGRATOR)
    rules = {
        "oja": ns.load_synapse("oja").replace(w_norm=V_TH, w_max=3 * V_TH, tau_rate=TAU * second, eta=SLOW * second),
        "hebb": ns.load_synapse("hebbian_rate").replace(w_max=1.5 * V_TH, tau_rate=TAU * second, eta=SLOW / 1.5 * second),
        "bcm": ns.load_synapse("bcm").replace(
            w_max=V_TH, rate_0=RATE_0 * Hz, tau_rate=TAU * second, tau_theta_m=TAU_THETA * second, eta=ETA_BCM * second**2
        ),
    }
    pairs = {
        "oja": ([0, 1, 0, 1], [0, 0, 1, 1], [0.9, 0.1, 0.05, 0.2]),
        "hebb": ([0, 1], [2, 2], [0.9, 0.1]),
        "bcm": ([2, 3, 2, 3, 4, 5, 6, 2, 3], [3, 3, 4, 4, 5, 5, 5, 6, 6], [0.3, 0.1, 0.1, 0.3, 0.1, 0.3, 0.1, 0.3, 0.25]),
    }
    sources = ns.create("sources", "spike_source", 7)
    lasting = np.array([TAU_THETA] * 6 + [1e9]) * second
    cells = ns.create("cells", ns.load_cell(path).keeping(*rules.values()), 7, spread={"tau_theta_m": lasting})
    projections = [
        ns.connect(sources, cells, rules[name], ns.Pairs(pre, post), receptor="v", weight=np.array(weight) * V_TH).replace(name=name)
        for name, (pre, post, weight) in pairs.items()
    ]
    ids, steps = shown()
    _, recording = ns.simulate(
        ns.Circuit([sources, cells], projections), DURATION * second, inputs=[ns.SpikeTimes("sources", ids, steps * ms)],
        record=[ns.Trace(name, "weight", every=PATTERN.get(name, 1) * second) for name in pairs],
        backend=ns.Brian2(dt=1 * ms), progress=False,
    )  # fmt: skip
    # in the order in which they are written here, not that of their sources
    return {
        name: recording[name].trace("weight").si[np.argsort(ns.Pairs(pre, post).order)] / float(V_TH)
        for name, (pre, post, _) in pairs.items()
    }


def test_the_patterns_have_the_moments_of_the_case():
    ids, steps = shown()
    counts = np.stack([np.bincount(steps[ids == k] // 1000, minlength=int(DURATION)) for k in range(2)]) / OFTEN
    np.testing.assert_allclose(counts @ counts.T / DURATION, [[1, 0.9], [0.9, 1]], atol=0.005)


def test_oja_finds_the_principal_component(learned):
    """Oja 1982: a vector of length 1 along the first eigenvector of the inputs' second moments, from either side."""
    vectors = learned["oja"].reshape(2, 2, -1)
    assert (abs(angles(vectors[:, :, 0]) - 45) > 30).all()  # where they begin
    ends = vectors[:, :, -20:].mean(axis=2)
    np.testing.assert_allclose(np.linalg.norm(ends, axis=1), 1, rtol=0.02)
    np.testing.assert_allclose(angles(ends), 45, atol=2)


def angles(vectors):
    return np.degrees(np.arctan2(vectors[:, 1], vectors[:, 0]))


def test_control_without_the_decay_weights_grow_to_their_bound(learned):
    np.testing.assert_array_equal(learned["hebb"][:, -1], 1.5)


# Bienenstock, Cooper & Munro 1982 with the threshold of Intrator & Cooper 1992: the fixed point for K inputs of equal probability
FIXED = {"two": (slice(0, 2), [2, 0]), "two, from the other side": (slice(2, 4), [0, 2]), "three": (slice(4, 7), [0, 3, 0])}


@pytest.mark.parametrize("case", FIXED)
def test_one_input_is_chosen_and_brings_the_rate_times_their_number(learned, case):
    rows, wanted = FIXED[case]
    responses = learned["bcm"][rows, -12:].mean(axis=1) * OFTEN / RATE_0
    np.testing.assert_allclose(responses, wanted, rtol=0.03, atol=0.03)


def test_control_with_a_threshold_that_stays_no_input_is_chosen(learned):
    responses = learned["bcm"][7:, -12:].mean(axis=1) * OFTEN / RATE_0
    assert (learned["bcm"][7:, 0] * OFTEN / RATE_0 > 1).all()
    np.testing.assert_array_equal(responses, OFTEN / RATE_0)  # both at the bound
