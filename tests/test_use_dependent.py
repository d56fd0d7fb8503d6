"""How often a synapse is used: presynaptic spikes over its own age, for rules that learn, rules that prune, and whoever asks."""

import numpy as np
import pytest
from plastic_pairs import W_MAX, change, pairs_of_cells, play, trains

import neurosim as ns
from neurosim.units import Hz, ms, mV, second

RULE = ns.load_synapse("use_dependent").replace(w_max=W_MAX, eta=0.002, use_0=20 * Hz)
DT = 1.0  # ms
TRAINS = [np.arange(10, 200, 20.0), np.arange(5, 200, 100.0), np.array([150.0, 151.0, 152.0]), np.array([0.0]), np.array([])]


def grown(times, born=0.0, eta=0.002, use_0=20.0, earlier=0):
    """The share of w_max that spikes at these times (ms) add to a synapse that is `born` then, after `earlier` ones."""
    n = earlier + 1 + np.arange(len(times))
    use = 1000 * n / (np.asarray(times) - born + DT)
    return eta * np.clip(use / use_0 - 1, -1, 1).sum()


def test_each_spike_counts_by_the_use_until_then():
    circuit = pairs_of_cells(len(TRAINS), RULE, weight=0.2 * W_MAX)
    after, _ = play(circuit, trains(TRAINS), [], 200 * ms, dt=DT * ms)
    changes = change(circuit, after)
    np.testing.assert_allclose(changes, [grown(times) for times in TRAINS], rtol=1e-9)
    assert changes[0] > 0 and changes[1] > 0  # at 50 Hz, and because its first spike came early
    other = [grown(times, use_0=40.0) for times in TRAINS[:3]]
    assert (abs(changes[:3] / other - 1) > 0.01).all()  # the control


def test_seldom_used_synapses_shrink():
    circuit = pairs_of_cells(2, RULE, weight=0.2 * W_MAX)
    times = [[180.0], [150.0, 190.0]]  # 5.5 Hz, and 6.6 and 10.5 Hz
    after, _ = play(circuit, trains(times), [], 200 * ms, dt=DT * ms)
    assert (change(circuit, after) < 0).all()
    np.testing.assert_allclose(change(circuit, after), [grown(one) for one in times], rtol=1e-9)


def counted_uses(circuit, name="plastic"):
    return np.asarray(circuit.use(name) / Hz)


def test_use_counts_from_the_birth_of_each_synapse_and_is_inherited():
    """Three synapses of one source: one from the beginning, one made after 100 ms, one copied by a division then."""
    circuit = pairs_of_cells(2, RULE, weight=0.2 * W_MAX)
    first, second_half = np.arange(10, 100, 10.0), np.arange(110, 200, 30.0)
    assert np.isnan(counted_uses(circuit)).all()  # no age yet
    middle, _ = play(circuit, trains([first, []]), [], 100 * ms, dt=DT * ms)
    events = ns.Events.divide("post", [0], rng=np.random.default_rng(1))
    events = events + ns.Events.link("plastic", 0, 1, float(0.2 * W_MAX), 0.0)
    changed = ns.apply(middle, events)
    assert counted_uses(changed)[[0, 2]].tolist() == [90, 90] and np.isnan(
        counted_uses(changed)[3]
    )  # the copy's id follows, then the link's
    after, _ = play(changed, trains([second_half, []]), [], 100 * ms, dt=DT * ms)
    synapses = after["plastic"].synapses
    assert synapses["parent"].tolist() == [-1, -1, 0, -1]
    np.testing.assert_allclose(counted_uses(after), [12 / 0.2, 0, 12 / 0.2, 3 / 0.1], rtol=1e-12)
    old = grown(first) + grown(second_half, earlier=9)
    young = grown(second_half, born=100.0)
    np.testing.assert_allclose(np.asarray(after["plastic"].weight / W_MAX) - 0.2, [old, 0, old, young], rtol=1e-9, atol=1e-12)
    assert abs(young - grown(second_half)) > 1e-3  # the control: as if it had lived from the beginning


def test_use_is_counts_over_age_of_the_recording():
    """Of a rule that does not ask for it too, across a division of a source and after it."""
    source, cells = ns.create("source", "spike_source", 6), ns.create("cells", "leaky_adaptive_threshold", 4)
    projection = ns.connect(source, cells, "static", ns.FixedProbability(0.6), receptor="v", weight=0.1 * mV, seed=1).replace(name="fixed")
    circuit = ns.Circuit([source, cells], [projection], seed=2)
    counts, age = np.zeros(7), 0.0
    for divided in (False, True):
        if divided:
            circuit = ns.apply(circuit, ns.Events.divide("source", [5], rng=np.random.default_rng(3)))
            counts[6] = counts[5]  # a daughter goes on from her mother's
        images = ns.Presentations("source", np.arange(6)[None] * 20 * Hz, duration=300 * ms, start=circuit.time)
        circuit, recording = ns.simulate(circuit, 300 * ms, inputs=[images], backend=ns.Brian2(dt=DT * ms, target="numpy"), progress=False)
        counts[: len(recording["source"].counts)] += recording["source"].counts
        age += 0.3
    assert counts.sum() > 100 and counts[0] == 0
    np.testing.assert_allclose(counted_uses(circuit, "fixed"), counts[circuit["fixed"].synapses["pre"]] / age, rtol=1e-12)
    with pytest.raises(KeyError, match="this circuit has no projection 'fxed'. Did you mean 'fixed'"):
        circuit.use("fxed")


def used_after(duration=200):
    """Five synapses of 50, 10, 15, 5 and 0 Hz."""
    circuit = pairs_of_cells(len(TRAINS), RULE, weight=0.2 * W_MAX)
    return play(circuit, trains(TRAINS), [], duration * ms, dt=DT * ms)


def test_selections_by_use():
    after, recording = used_after()
    below, above = ns.UseBelow(10.5 * Hz)(after, recording, "plastic"), ns.UseAbove(9 * Hz)(after, recording, "plastic")
    assert below.ids.tolist() == [4, 3, 1] and np.asarray(below.value).tolist() == [0, 5, 10] and below.ordered
    assert above.ids.tolist() == [0, 2, 1] and (above.threshold == 9).all()
    linked = ns.apply(after, ns.Events.link("plastic", 4, 0, float(0.2 * W_MAX), 0.0))
    assert ns.UseBelow(10.5 * Hz)(linked, recording, "plastic").ids.tolist() == [4, 3, 1]  # one without an age is not selected
    for wrong, error, message in (
        (-1 * Hz, ValueError, r"rate of UseBelow is -1\. Hz; give 0 or more"),
        (1 * ms, TypeError, "rate of UseBelow"),
        (3, TypeError, "rate of UseBelow"),
    ):
        with pytest.raises(error, match=message):
            ns.UseBelow(wrong)


def test_rewiring_prunes_what_is_seldom_used():
    after, recording = used_after()
    rule = ns.Rewiring("plastic", prune=ns.UseBelow(6 * Hz))
    events = rule(after, recording, np.random.default_rng(0))
    pruned = ns.apply(after, events)
    assert pruned["plastic"].synapses["pre"].tolist() == [0, 1, 2]
    keeping = ns.Rewiring("plastic", prune=ns.UseBelow(0 * Hz))
    assert len(ns.apply(after, keeping(after, recording, np.random.default_rng(0)))["plastic"]) == 5  # the control


READERS = {
    "on_pre": "deliver(weight); seen = use",
    "on_post": "seen = use",
    "on_step": "seen = use",
}


def test_statements_of_every_block_read_the_use():
    """The source spikes at 10, 20 and 30 ms, the cell at 70 ms; 100 ms are 100 steps of 1 ms."""
    rules = {}
    for block, text in READERS.items():
        tables = {
            "name": f"reader_{block}", "summary": "Keeps what it read.", "references": ["Made for this test."], "on_pre": "deliver(weight)",
            "equations": "seen : Hz", "initial": {"seen": "0*Hz"}, block: text,
        }  # fmt: skip
        rules[f"by_{block}"] = ns.SynapseModel.from_specification(tables)
    circuit = pairs_of_cells(1, rules, weight=0.1 * W_MAX)
    after, _ = play(circuit, trains([[10.0, 20.0, 30.0]]), [(0, 70.0)], 100 * ms, dt=DT * ms)
    seen = {name: float(after[name].synapses["seen"][0]) for name in rules}
    assert seen == pytest.approx({"by_on_pre": 3 / 0.031, "by_on_post": 3 / 0.071, "by_on_step": 3 / 0.1}, rel=1e-9)
    assert 3 / 0.1 == pytest.approx(float(after.use("by_on_step")[0] * second))
