"""Ideas from notes on the brain: several synapses of one pair, cells that remember, and links that grow by correlation.

What each of them promises exactly; whether they help a network to keep old knowledge is asked by studies/brain_notes.py.
"""

import numpy as np
import pytest
from life_data import rng
from plastic_pairs import change, pairs_of_cells, play, trains
from scipy import stats
from study_scripts import study_fixture

import neurosim as ns
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import ms, mV, nS, um

notes = study_fixture("brain_notes")
BACKEND = ns.Brian2(dt=1 * ms, target="numpy")
A_PLUS, A_MINUS, TAU_PLUS, TAU_MINUS, W_MAX = 0.02, 0.03, 17.0, 34.0, 1.0  # times in ms, weights in mV
PAIR = ns.load_synapse("stdp_pair").replace(
    A_plus=A_PLUS, A_minus=A_MINUS, tau_plus=TAU_PLUS * ms, tau_minus=TAU_MINUS * ms, w_max=W_MAX * mV
)


# --- several synapses of one pair --------------------------------------------------------------------------------------


def contacts(delays, weights):
    """One pair of cells with a synapse of each delay (ms) and weight (mV), and a teacher that makes the second cell spike."""
    pre, teacher = ns.create("pre", "spike_source", 1), ns.create("teacher", "spike_source", 1)
    post = ns.create("post", ns.load_cell("leaky_adaptive_threshold").keeping(PAIR), 1)
    pairs = ns.Pairs(np.zeros(len(delays), int), np.zeros(len(delays), int))
    plastic = ns.connect(pre, post, PAIR, pairs, receptor="v", weight=np.array(weights) * mV, delay=np.array(delays) * ms)
    force = ns.connect(teacher, post, "static", ns.OneToOne(), receptor="v", weight=1000 * mV).replace(name="force")
    return ns.Circuit([pre, teacher, post], [plastic.replace(name="plastic"), force])


def learned(circuit, pre, post):
    """The weights (mV) after spikes at given times (ms), those of the second cell forced."""
    inputs = [
        ns.SpikeTimes("pre", np.zeros(len(pre), int), np.array(pre) * ms),
        ns.SpikeTimes("teacher", np.zeros(len(post), int), np.array(post) * ms),
    ]
    after, recording = ns.simulate(circuit, 200 * ms, inputs=inputs, backend=BACKEND, progress=False)
    assert (recording["post"].spikes.step == np.array(post) + 1).all()  # a forced cell spikes a step after its teacher
    return np.asarray(after["plastic"].weight / mV)


def by_pairs(weight, delay, pre, post):
    """What a synapse comes to whose arrivals are `delay` late: the sum over all pairs of spikes, as the rule has it (bounds are not met)."""
    lag = (np.array(post) + 1)[:, None] - (np.array(pre) + delay)[None, :]
    change = np.where(lag > 0, A_PLUS * np.exp(-lag / TAU_PLUS), -A_MINUS * np.exp(lag / TAU_MINUS))
    return weight + W_MAX * change.sum()


def test_synapses_of_one_pair_learn_each_by_its_own_delay_and_weight():
    """S1: three synapses of one pair; their changes are the closed form of pair-based timing, each with its own lag and sign."""
    delays, weights = [0, 10, 25], [0.5, 0.3, 0.7]
    pre, post = [20, 80, 140], [27, 93, 146]
    found = learned(contacts(delays, weights), pre, post)
    expected = [by_pairs(weight, delay, pre, post) for weight, delay in zip(weights, delays, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found[0] > weights[0] and found[2] < weights[2]  # the earliest grows while the latest of the same pair shrinks
    wrong = [by_pairs(weight, 0, pre, post) for weight in weights]
    assert (abs(found - wrong)[1:] > 1e-3).all()  # the control: as if the pair had one delay


def test_synapses_of_one_pair_do_not_know_of_one_another():
    """Each learns what it learns alone; the control is a synapse of another delay."""
    delays, pre, post = [0, 10, 25], [20, 80, 140], [27, 93, 146]
    together = learned(contacts(delays, [0.5] * 3), pre, post)
    alone = [learned(contacts([delay], [0.5]), pre, post)[0] for delay in delays]
    assert together.tolist() == alone and len(set(alone)) == 3
    pruned = ns.apply(contacts(delays, [0.5] * 3), ns.Events.unlink("plastic", [1]))
    assert learned(pruned, pre, post).tolist() == [alone[0], alone[2]]


def test_contacts_grow_with_delays_of_their_own(notes):
    """In the study's network: three synapses of each pair, delays drawn for each from 0, 10 and 20 ms; without the idea, one of delay 0."""
    plan = notes.Plan(cells=12, births=3)
    several, one = (notes.network(ideas, plan, 1)["input_to_exc"].synapses for ideas in ((notes.CONTACTS,), ()))
    pair = several["pre"] * 12 + several["post"]
    _, each = np.unique(pair, return_counts=True)
    assert (each == 3).all() and len(several["pre"]) == 3 * len(one["pre"])
    assert np.unique(several["delay"]).tolist() == pytest.approx([0, 0.01, 0.02]) and not one["delay"].any()
    of_pair = several["delay"][np.argsort(pair, kind="stable")].reshape(-1, 3)
    assert (np.ptp(of_pair, axis=1) > 0).mean() == pytest.approx(
        8 / 9, abs=4 * np.sqrt(8 / 81 / len(of_pair))
    )  # not one delay for all three


# --- cells that remember -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def remembered(notes):
    """The study's network before and after it learned, half of its cells memory or none, and thresholds as the study keeps them."""
    plan = notes.Plan(cells=8, births=4)
    images = ns.digits(most=plan.most)["train"][0][:3]
    circuits = {}
    for ideas in ((), (notes.CHANCE,)):
        circuit = notes.remembering(notes.network(ideas, plan, 3), None, ideas, 3)
        circuit = notes.joined(circuit, plan, 3)
        rule = ns.Rewiring("input_to_exc", prune=ns.WeightBelow(0.5) & ~ns.Memory(), regrow=ns.Growth(ns.InDegree()), weight=notes.FIRST)
        life = ns.Lifecycle(100 * ms, [ns.Phase("new", 3, [rule])])
        inputs = [notes.shown(images, circuit.time)]
        after = ns.develop(circuit, life, inputs=inputs, backend=BACKEND, progress=False).circuit
        circuits[bool(ideas)] = circuit, after
    return circuits


def changes(before, after, cells):
    """Synapses onto some cells that went, that changed their weight, and how many there were."""
    then, now = (
        dict(zip(of["input_to_exc"].ids.tolist(), of["input_to_exc"].synapses["weight"].tolist(), strict=True)) for of in (before, after)
    )
    onto = before["input_to_exc"].ids[np.isin(before["input_to_exc"].synapses["post"], cells)].tolist()
    return sum(one not in now for one in onto), sum(one in now and now[one] != then[one] for one in onto), len(onto)


def test_weights_of_memory_cells_are_the_same_to_the_bit(remembered):
    """S4: while the others learn, are rewired and joined by newborn cells; without marks the same cells' weights change."""
    before, after = remembered[True]
    memory = before["exc"].ids[before["exc"].cells["memory"]]
    assert len(memory) == 4
    gone, changed, many = changes(before, after, memory)
    assert (gone, changed) == (0, 0) and many > 50
    thresholds = [circuit["exc"].cells["theta"][circuit["exc"].rows(memory)].tolist() for circuit in (before, after)]
    assert thresholds[0] == thresholds[1]
    others = np.setdiff1d(before["exc"].ids, memory)
    gone, changed, many = changes(before, after, others)
    assert gone > 5 and gone + changed == many
    gone, changed, many = changes(*remembered[False], memory)
    assert gone > 5 and gone + changed == many  # the control: no marks


def test_memory_selects_marked_cells_and_their_synapses(remembered):
    for marked, (circuit, _) in remembered.items():
        cells = circuit["exc"].ids[circuit["exc"].cells["memory"]]
        assert ns.Memory()(circuit, None, "exc").ids.tolist() == cells.tolist() and len(cells) == 4 * marked
        found = ns.Memory()(circuit, None, "input_to_exc").ids
        inputs = circuit["input_to_exc"]
        assert found.tolist() == inputs.ids[np.isin(inputs.synapses["post"], cells)].tolist()
        both = (ns.WeightBelow(1.0) & ~ns.Memory())(circuit, None, "input_to_exc").ids
        assert not np.isin(both, found).any() and len(both) > 50


# --- use ---------------------------------------------------------------------------------------------------------------


def coincidences(pre, post, tau=30.0):
    """The trace of the spikes before the synapse at each spike after it."""
    lag = np.array(post)[:, None] - np.array(pre)[None, :]
    return np.where(lag > 0, np.exp(-np.clip(lag, 0, None) / tau), 0.0).sum(axis=1)


def test_use_protects_and_use_strengthens_in_closed_form(notes):
    """A coincidence x changes a weight by A_plus x / (1 + used/used_0), `used` the sum of x until then; or use adds eta (use/use_0 - 1) a spike."""
    ideas = {"plain": (), "protected": (notes.PROTECT,), "strengthened": (notes.USE,)}
    rules = {name: notes.learning_synapse(one).replace(normalise=None) for name, one in ideas.items()}
    circuit = pairs_of_cells(1, rules, weight=0.05 * mV)  # too weak to make the cell spike
    pre, post = np.arange(5, 190, 5.0), np.array([31.0, 82.0, 133.0, 184.0])
    after, _ = play(circuit, trains([pre]), trains([post]), 200 * ms, dt=1 * ms)
    x = coincidences(pre, post)
    a, used_0 = (rules["protected"].parameters[name].value for name in ("A_plus", "used_0"))
    before = np.cumsum(x) - x
    protected = (a * x / (1 + before / used_0)).sum()
    np.testing.assert_allclose(change(circuit, after, "plain"), a * x.sum(), rtol=1e-9)
    np.testing.assert_allclose(change(circuit, after, "protected"), protected, rtol=1e-9)
    assert protected < 0.9 * a * x.sum()  # the control: what a synapse without protection gains
    eta, use_0 = (rules["strengthened"].parameters[name].value for name in ("eta", "use_0"))
    use = 1000 * np.arange(1, len(pre) + 1) / (pre + 1)
    gained = eta * np.clip(use / use_0 - 1, -1, 1).sum()
    np.testing.assert_allclose(change(circuit, after, "strengthened"), a * x.sum() + gained, rtol=1e-9)
    assert abs(gained) > 1e-5


# --- links by correlation ----------------------------------------------------------------------------------------------

SIDE, WINDOWS, WINDOW = 8, 60, 200  # cells along each side of a square; windows in which their spikes count, and how many steps each has


def grid_of_cells():
    """Cells on a square grid that follow one of four hidden causes, each anywhere; their counts in windows, and the recording of them."""
    draw, size = rng(4), SIDE**2
    cause, active = draw.permutation(np.arange(size) % 4), draw.random((4, WINDOWS)) < 0.4
    counts = draw.poisson(np.where(active[cause], 4.0, 0.5))
    cell, window = np.divmod(np.repeat(np.arange(size * WINDOWS), counts.ravel()), WINDOWS)
    order = np.argsort(window, kind="stable")
    cells = ns.create("exc", "leaky_conductance", size, positions=np.stack(np.divmod(np.arange(size), SIDE), axis=1) * 10 * um)
    loop = ns.connect(cells, cells, "static", ns.Pairs([], []), receptor="g_exc", weight=0 * nS).replace(name="loop")
    trains = SpikeTrains(cell[order], WINDOW * window[order], 1e-4)
    stop = WINDOWS * WINDOW
    part = PartRecording("exc", stop * 1e-4, cells.ids, counts.sum(axis=1), trains)
    return ns.Circuit([cells], [loop]), Recording({"exc": part}, 0, stop, 1e-4), counts


def proposed(circuit, recording, where):
    """How often 100 rounds of growth propose each pair of cells."""
    rule = ns.Rewiring("loop", regrow=ns.Growth(ns.Total(200), where), weight=1 * nS)
    hits = np.zeros((SIDE**2, SIDE**2))
    for seed in range(100):
        (links,) = rule(circuit, recording, rng(seed)).tables.values()
        assert len(links) == 200
        np.add.at(hits, (links["pre"], links["post"]), 1)
    return hits


def test_proposals_follow_the_correlation_and_not_the_distance():
    """S5: how often a pair is proposed has the rank of its correlation; where distance alone proposes, it has not. And the other way round."""
    circuit, recording, counts = grid_of_cells()
    place = np.stack(np.divmod(np.arange(SIDE**2), SIDE), axis=1)
    other = ~np.eye(SIDE**2, dtype=bool)
    r = np.corrcoef(counts)[other]
    near = -np.linalg.norm(place[:, None] - place[None, :], axis=2)[other]
    wheres = {"correlation": ns.Correlated(20 * ms), "distance": ns.DistanceKernel("gaussian", 20 * um)}
    hits = {name: proposed(circuit, recording, where)[other] for name, where in wheres.items()}
    rank = {(name, of): stats.spearmanr(found, measure) for name, found in hits.items() for of, measure in (("r", r), ("near", near))}
    for name, own, foreign in (("correlation", "r", "near"), ("distance", "near", "r")):
        assert rank[name, own].statistic > 0.5 and abs(rank[name, foreign].statistic) < 0.05
    assert not hits["correlation"][r < -1e-6].any() and hits["distance"][r < -1e-6].any()
    far = near < -5  # pixels of the grid
    assert (
        hits["correlation"][far].mean() > 0.9 * hits["correlation"].mean() and hits["distance"][far].mean() < 0.2 * hits["distance"].mean()
    )
