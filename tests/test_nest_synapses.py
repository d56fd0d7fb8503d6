"""Plastic synapses as NEST's own tests compute them, and NEST itself where it is installed.

NEST knows one delay, which it takes for that of the dendrite: a presynaptic spike counts when it is emitted, a postsynaptic one that
much later (Morrison et al. 2008). Here spikes arrive at the synapse, so our postsynaptic cells spike later by NEST's delay.
"""

import math

import numpy as np
import pytest
from peers_run import ask_weights, needs
from plastic_pairs import pairs_of_cells, play, trains

import neurosim as ns
from neurosim.units import ms, uV

DENDRITE = 1.0  # ms
WEIGHT, W_MAX = 50.0, 100.0  # in microvolt for us, where no synapse makes a cell spike
CELL = {"tau_minus": 33.7, "tau_minus_triplet": 125.0}  # ms, and amplitudes of 0.1, as in NEST's test_stdp_triplet_synapse.py
AMPLITUDES = dict.fromkeys(("Aplus", "Aminus", "Aplus_triplet", "Aminus_triplet"), 0.1)
PLASTIC = {"delay": DENDRITE, "tau_plus": 16.8, "weight": WEIGHT, "Wmax": W_MAX}
IN_NEST = {
    "triplet": {"synapse_model": "stdp_triplet_synapse", "tau_plus_triplet": 101.0, **AMPLITUDES, **PLASTIC},
    "nearest": {"synapse_model": "stdp_nn_symm_synapse", "lambda": 0.01, "alpha": 0.85, "mu_plus": 0.0, "mu_minus": 0.0, **PLASTIC},
    "all": {"synapse_model": "stdp_synapse", "lambda": 0.01, "alpha": 0.85, "mu_plus": 0.0, "mu_minus": 0.0, **PLASTIC},
}
TRIPLET = ns.load_synapse("stdp_triplet").replace(w_max=W_MAX * uV, **dict.fromkeys(("A2_plus", "A2_minus", "A3_plus", "A3_minus"), 1e-3))
PAIR = ns.load_synapse("stdp_pair").replace(w_max=W_MAX * uV, A_plus=0.01, A_minus=0.0085)
OURS = {"triplet": TRIPLET, "nearest": PAIR.parameter_set("nearest"), "all": PAIR}

# the trains of test_weightChangeWhenPrePostSpikes and test_weightChangeWhenPrePostPreSpikes in NEST's file
LISTS = [([2.0, 6.0], [4.0]), ([2.0, 6.0, 8.0], [4.0])]


def random_trains(number):
    """Trains of about 30 spikes in a second, never two at once, the first and the last of them presynaptic.

    The last one because NEST changes weights at presynaptic spikes alone; the first because its stdp_nn_symm_synapse pairs earlier
    postsynaptic spikes with a presynaptic one at time 0 that never was.
    """
    rng = np.random.default_rng(11)
    pairs = []
    for _ in range(number):
        pre, post = (np.sort(rng.choice(240, size=30, replace=False)) * 4.0 + offset for offset in (12, 13))
        pairs.append(([8.0, *pre, 980.0], post.tolist()))
    return pairs


TRAINS = [*LISTS, *random_trains(6)]


def stepped(pre, post):
    """Event by event, with amplitudes of 0.1: all four traces decay to the spike, then it changes weight and its own two traces."""
    events = sorted([*((t, "pre") for t in pre), *((t + DENDRITE, "post") for t in post)])
    weight = WEIGHT
    fast_pre = slow_pre = fast_post = slow_post = before = 0.0
    for now, side in events:
        passed, before = now - before, now
        fast_pre *= math.exp(-passed / 16.8)
        slow_pre *= math.exp(-passed / 101.0)
        fast_post *= math.exp(-passed / 33.7)
        slow_post *= math.exp(-passed / 125.0)
        if side == "pre":
            weight -= fast_post * (0.1 + 0.1 * slow_pre)
            fast_pre, slow_pre = fast_pre + 1, slow_pre + 1
        else:
            weight += fast_pre * (0.1 + 0.1 * slow_post)
            fast_post, slow_post = fast_post + 1, slow_post + 1
    return weight


@pytest.fixture(scope="module")
def ours():
    """Our weights after these trains, in microvolt."""
    circuit = pairs_of_cells(len(TRAINS), OURS, weight=WEIGHT * uV)
    after, _ = play(circuit, trains(pre for pre, _ in TRAINS), trains(np.array(post) + DENDRITE for _, post in TRAINS), 990 * ms, dt=1 * ms)
    weights = {name: after[name].synapses["weight"] / float(uV) for name in OURS}
    assert all(0 < one.min() and one.max() < W_MAX for one in weights.values())  # no bound was met
    return weights


def test_triplets_as_nests_own_test_computes_them(ours):
    np.testing.assert_allclose(ours["triplet"], [stepped(*both) for both in TRAINS], rtol=1e-9)
    late = [stepped(pre, np.array(post) - DENDRITE) for pre, post in TRAINS]
    assert (abs(ours["triplet"] / late - 1) > 1e-5).all()  # the control: without the delay of the dendrite


@pytest.mark.peers
@needs("nest")
@pytest.mark.parametrize("name", OURS)
def test_weights_as_in_nest(ours, name):
    pre, post = ([list(one) for one in side] for side in zip(*TRAINS, strict=True))
    theirs = ask_weights(synapse=IN_NEST[name], cell=CELL, pre=pre, post=post, every=1.0)
    np.testing.assert_allclose(ours[name], theirs, rtol=1e-9)
    others = [ours[other] for other in OURS if other != name]
    assert all(abs(theirs / other - 1).max() > 1e-3 for other in others)  # the control: another rule
