"""Inhibitory plasticity of Vogels et al. 2011: its arithmetic, and the rate at which it holds a cell."""

import json

import numpy as np
import pytest
from peers_run import ask_weights, needs
from plastic_pairs import change, pairs_of_cells, play, trains
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import Hz, ms, mV, nS, pA, second

W_MAX = 1 * mV
RULE = ns.load_synapse("stdp_inhibitory").replace(w_max=W_MAX)
TAU, ALPHA, ETA = 20.0, 0.12, 1e-4  # ms; the authors' network: 3 Hz
INTERVALS = np.array([-90, -40, -20, -7.3, -0.1, 0, 0.1, 2.9, 20, 40, 90])  # ms, post minus pre


def closed_form(pre, post, tau=TAU, alpha=ALPHA, eta=ETA):
    """The change of a weight that meets no bound: each pair adds exp(-|interval|/tau), each presynaptic spike takes alpha."""
    return eta * (np.exp(-abs(np.subtract.outer(pre, post)) / tau).sum() - alpha * len(pre))


def stepped(events, weight, tau, alpha, eta, w_max):
    """The arithmetic of one synapse, event by event: (time, side) rows in the order in which they arrive."""
    x = y = last = 0.0
    for time, side in events:
        x, y, last = x * np.exp((last - time) / tau), y * np.exp((last - time) / tau), time
        weight = min(max(weight + eta * (y - alpha if side == "pre" else x), 0.0), w_max)
        x, y = x + (side == "pre"), y + (side == "post")
    return weight


def test_window():
    circuit = pairs_of_cells(len(INTERVALS), RULE)
    after, _ = play(circuit, trains([[110.0]] * len(INTERVALS)), list(enumerate(110 + INTERVALS)), 220 * ms)
    changes = change(circuit, after)
    np.testing.assert_allclose(changes, ETA * (np.exp(-abs(INTERVALS) / TAU) - ALPHA), rtol=1e-9)
    assert (changes > 0).tolist() == (abs(INTERVALS) < TAU * np.log(1 / ALPHA)).tolist() and 0 < (changes > 0).sum() < len(INTERVALS)


@pytest.mark.parametrize(("parameter", "value"), [("tau", 20.2 * ms), ("target_rate", 3.03 * Hz), ("eta", 1.01e-4)])
def test_control_a_parameter_wrong_by_a_hundredth_misses_the_window(parameter, value):
    intervals = np.array([-30.0, -10, 10, 30])
    circuit = pairs_of_cells(4, RULE.replace(**{parameter: value}))
    after, _ = play(circuit, trains([[110.0]] * 4), list(enumerate(110 + intervals)), 150 * ms)
    assert (abs(change(circuit, after) / [closed_form([0], [one]) for one in intervals] - 1) > 1e-3).all()


def test_each_side_alone():
    circuit = pairs_of_cells(2, RULE)
    after, _ = play(circuit, [(0, 20.0), (0, 30.0), (0, 55.0)], [(1, 20.0), (1, 30.0)], 80 * ms)
    np.testing.assert_allclose(change(circuit, after), [-3 * ETA * ALPHA, 0], rtol=1e-9)


def test_random_trains_add_up_over_a_boundary():
    """Twenty random trains, simulated in two pieces, with a delay that moves the presynaptic spikes."""
    rng = np.random.default_rng(4)
    circuit = pairs_of_cells(20, RULE, delay=1.5 * ms)
    pre, post = (
        [np.sort(rng.choice(40, size=rng.integers(2, 9), replace=False)) * 4.0 + offset for _ in range(20)] for offset in (10, 12.3)
    )
    pieces = (lambda t: t < 80, lambda t: t >= 80)
    middle, after = circuit, None
    for here, duration in zip(pieces, (80 * ms, 120 * ms), strict=True):
        after, _ = play(middle, [p for p in trains(pre) if here(p[1])], [p for p in trains(post) if here(p[1])], duration)
        middle = after
    expected = np.array([closed_form(a + 1.5, b) for a, b in zip(pre, post, strict=True)])
    np.testing.assert_allclose(change(circuit, after), expected, rtol=1e-9, atol=1e-12)
    undelayed = np.array([closed_form(a, b) for a, b in zip(pre, post, strict=True)])
    assert (abs(undelayed - expected) > 1e-7).all()  # the control


KINDS = [
    ("leaky_conductance", "g_inh", nS, 300 * pA),
    ("leaky_exponential_current", "I_inh", pA, 300 * pA),
    ("leaky_adaptive_threshold", "direct_inhibition", mV, 60 * pA),
    ("hodgkin_huxley", "g_inh", nS, 2000 * pA),
]


@pytest.mark.parametrize(("cell", "receptor", "unit", "current"), KINDS)
def test_one_file_fits_every_cell_and_unit_of_the_weight(cell, receptor, unit, current):
    """Cells that fire by a current, each with its own inhibition, against the closed form for the spikes that they had."""
    rng = np.random.default_rng(1)
    model = ns.load_cell(cell).replace(method="exponential_euler")
    pre, post = ns.create("pre", "spike_source", 3), ns.create("post", model, 3)
    plastic = ns.connect(pre, post, RULE.replace(w_max=2 * unit), ns.OneToOne(), receptor=receptor, weight=1 * unit)
    given = [np.sort(rng.choice(np.arange(1, 150), 9, replace=False)).astype(float) for _ in range(3)]
    cells, times = np.array(trains(given)).T
    inputs = [ns.SpikeTimes("pre", cells.astype(int), times * ms), ns.StepCurrent("post", "I_e", current)]
    backend = ns.Brian2(dt=0.1 * ms, target="numpy")
    after, recording = ns.simulate(ns.Circuit([pre, post], [plastic]), 160 * ms, inputs=inputs, backend=backend, progress=False)
    spikes = recording["post"].spikes
    fired = [np.asarray(spikes.t / ms)[spikes.id == k] for k in range(3)]
    assert min(map(len, fired)) > 2
    changes = np.asarray((after["pre_to_post"].weight / unit - 1) / 2)
    np.testing.assert_allclose(changes, [closed_form(a, b) for a, b in zip(given, fired, strict=True)], rtol=1e-9)


# --- the arithmetic of another simulator's test ----------------------------------------------------------------------

# test_vogels_sprekeler_synapse.py of NEST: weight 5, eta 0.001, alpha 0.1, tau 20 ms, Wmax 15, dendritic delay 1 ms.
SETTINGS = {"weight": 5.0, "eta": 0.001, "alpha": 0.1, "tau": 20.0, "w_max": 15.0}
PRE, POST, DENDRITIC = [2.0, 6.0], [3.0, 4.0], 1.0  # the first postsynaptic spike is the echo of the first presynaptic one
LONGER = [2.0, 6.0, 17.0, 18.5], [3.0, 7.0, 11.5, 18.0, 19.5]
SHIFT, STRETCH = 20.0, 4  # ms, as nothing may happen at first; times and tau are longer, as the cell is refractory for 2 ms


def as_in_nest(pre, post, weight, eta, alpha, tau, w_max):
    """The final weight for spikes that reach the synapse at the given times (ms), in the units of the settings."""
    unit, tau = 1e-3 * mV, STRETCH * tau * ms  # too little to make the cell fire by itself
    rule = RULE.replace(w_max=w_max * unit, eta=eta / w_max, tau=tau, target_rate=alpha / (2 * tau))
    circuit = pairs_of_cells(1, rule, weight=weight * unit)
    pre, post = (trains([SHIFT + STRETCH * np.array(times)]) for times in (pre, post))
    after, _ = play(circuit, pre, post, 110 * ms)
    return float(after["plastic"].weight[0] / unit)


def in_order(pre, post):
    return sorted([(t, "pre") for t in pre] + [(t, "post") for t in post])


def test_the_arithmetic_of_nests_own_test():
    """Its four pairs, one by one; its own spikes are such that forgetting the delay would give the same pairs, later ones are not."""
    pairs = np.exp(-2 / 20) + np.exp(-3 / 20) + np.exp(-2 / 20) + np.exp(-1 / 20)
    arriving = np.add(POST, DENDRITIC)  # a back-propagating spike takes the dendritic delay to reach the synapse
    for final in (stepped(in_order(PRE, arriving), **SETTINGS), as_in_nest(PRE, arriving, **SETTINGS)):
        assert final == pytest.approx(5 + 0.001 * (pairs - 2 * 0.1), rel=1e-9)
    expected = stepped(in_order(LONGER[0], np.add(LONGER[1], DENDRITIC)), **SETTINGS)
    assert as_in_nest(LONGER[0], np.add(LONGER[1], DENDRITIC), **SETTINGS) == pytest.approx(expected, rel=1e-9)
    assert abs(as_in_nest(*LONGER, **SETTINGS) - expected) > 1e-5  # the control: without the delay


@pytest.mark.parametrize(
    ("post", "changes", "end"),
    [([4.0, 5.0], {"w_max": 5 + 1e-10, "eta": 5.0, "alpha": 0.0}, 5 + 1e-10), ([], {"weight": 0.05, "alpha": 2.0, "eta": 0.1}, 0.0)],
)
def test_weights_stay_between_their_bounds_as_in_nest(post, changes, end):
    settings = {**SETTINGS, **changes}
    assert as_in_nest(PRE, post, **settings) == stepped(in_order(PRE, post), **settings) == end
    unbound = settings["weight"] + closed_form(PRE, post, settings["tau"], settings["alpha"], settings["eta"])
    assert not -1e-3 <= unbound <= settings["w_max"] + 1e-3  # the control: without bounds it would leave


def test_random_trains_between_bounds():
    """Large steps between near bounds: event by event, as sums no longer do."""
    rng = np.random.default_rng(6)
    pre, post = ([np.sort(rng.choice(90, 12, replace=False)) * 4.0 + offset for _ in range(12)] for offset in (20, 21.5))
    rule = RULE.replace(eta=0.3, target_rate=20 * Hz)
    circuit = pairs_of_cells(12, rule)
    after, _ = play(circuit, trains(pre), trains(post), 390 * ms)
    rows = zip(pre, post, strict=True)
    expected = [stepped(in_order(a, b), 0.5, TAU, 2 * 0.02 * TAU, 0.3, 1.0) - 0.5 for a, b in rows]
    np.testing.assert_allclose(change(circuit, after), expected, rtol=1e-9, atol=1e-12)
    assert sum(abs(one) == 0.5 for one in expected) > 2  # some end at a bound


@pytest.mark.peers
@needs("nest")
def test_weights_as_in_nest():
    """NEST changes weights at presynaptic spikes alone, so the last spike is one."""
    rng = np.random.default_rng(3)
    pre, post = ([np.sort(rng.choice(90, 20, replace=False)) * 4.0 + offset for _ in range(6)] for offset in (20, 21))
    pre = [np.append(one, 400.0) for one in pre]
    synapse = {"synapse_model": "vogels_sprekeler_synapse", "weight": 50.0, "Wmax": 100.0, "eta": 0.2, "alpha": 0.5, "tau": 20.0}
    trains_of = {"pre": [list(one) for one in pre], "post": [list(one) for one in post]}
    theirs = ask_weights(synapse={**synapse, "delay": DENDRITIC}, cell={"tau_minus": 20.0}, **trains_of, every=0.5)
    unit = 1e-3 * mV
    rule = RULE.replace(w_max=100 * unit, eta=0.2 / 100, target_rate=0.5 / (2 * 20 * ms))
    circuit = pairs_of_cells(6, rule, weight=50 * unit)
    after, _ = play(circuit, trains(pre), trains(np.add(one, DENDRITIC) for one in post), 410 * ms)
    ours = np.asarray(after["plastic"].weight / unit)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    undelayed = [50 + closed_form(a, b, 20.0, 0.5, 0.2) for a, b in zip(pre, post, strict=True)]
    assert (abs(theirs / undelayed - 1) > 1e-5).all()  # the control: without the delay of the dendrite


# --- the rate at which cells come to rest ----------------------------------------------------------------------------


def inhibited(targets, sources=1000):
    """Cells under drives that differ, eight for each target rate, all with many weak inhibitory synapses from the same sources."""
    inh, exc = ns.create("inh", "spike_source", sources), ns.create("exc", "leaky_conductance", 8 * len(targets))
    projections = []
    for number, target in enumerate(targets):
        rule = RULE.replace(w_max=3 * nS, eta=1e-3, target_rate=target)
        pre, post = (one.ravel() for one in np.meshgrid(np.arange(sources), 8 * number + np.arange(8)))
        made = ns.connect(inh, exc, rule, ns.Pairs(pre, post), receptor="g_inh", weight=0.1 * nS)
        projections.append(made.replace(name=f"to_{float(target):g}"))
    drive = ns.PoissonInput("exc", "g_exc", rate=np.tile(np.linspace(800, 1400, 8), len(targets)) * Hz, weight=1.5 * nS)
    return ns.Circuit([inh, exc], projections, seed=1), [ns.PoissonSpikes("inh", 10 * Hz), drive]


def test_cells_come_to_the_target_rate_whatever_drives_them():
    """C10 without correlations: alpha = 2 target tau is a rate of `target`; 3 Hz for alpha = 0.12, and twice that for twice alpha."""
    circuit, inputs = inhibited([3 * Hz, 6 * Hz])
    rates = []
    for duration, learning in ((2, 0), (10, 4), (10, 1), (30, 1)):
        factors = {f"{name}.learning": float(learning) for name in circuit.projections}
        how = {"inputs": inputs, "modulate": factors, "backend": ns.Brian2(dt=0.2 * ms, target="library"), "progress": False}
        circuit, recording = ns.simulate(circuit, duration * second, **how)
        rates.append(np.asarray(recording["exc"].rate()).reshape(2, 8))
    before, *_, after = rates
    assert before.min() < 20 and before.max() > 50 and before.std(axis=1).min() > 15  # the control: nothing learned yet
    assert after.mean(axis=1) == pytest.approx([3, 6], rel=0.1)
    np.testing.assert_allclose(after, [[3] * 8, [6] * 8], rtol=0.25)
    assert after.std(axis=1).max() < 1


# --- the network of the paper ----------------------------------------------------------------------------------------


study = study_fixture("inhibitory_balance")


def test_the_study_runs(tmp_path):
    done = run_study("inhibitory_balance", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "inhibitory_balance"
    found = json.loads((folder / "results.json").read_text())
    assert list(found) == ["no plasticity", "target 3 Hz", "target 6 Hz", "equal weights"]
    assert found["no plasticity"][0]["weight (nS)"] < 1e-6 < found["target 3 Hz"][0]["weight (nS)"]
    assert found["equal weights"][0]["weight (nS)"] == pytest.approx(found["target 3 Hz"][0]["weight (nS)"])
    assert "alpha, where coincidences are to be: target 3 Hz: 0.12, target 6 Hz: 0.24" in done.stdout
    for suffix in ("png", "pdf", "csv"):
        assert (folder / "lives" / "seed 0" / f"balance.{suffix}").is_file()


def test_coincidences_are_the_sums_that_the_rule_balances(study):
    """Regular trains of both sides, against the sum over their pairs; the mean over pairs of unrelated Poisson trains is 2 rate tau."""
    duration, rng = 400, np.random.default_rng(2)
    steps = {name: [np.unique(rng.integers(0, duration * 1000, n * duration)) for _ in range(6)] for name, n in (("inh", 7), ("exc", 4))}
    parts = {}
    for name, several in steps.items():
        ids, at = np.repeat(np.arange(6), [len(one) for one in several]), np.concatenate(several)
        parts[name] = PartRecording(name, duration, np.arange(6), np.bincount(ids), SpikeTrains(ids, at, 1e-3))
    recording = Recording(parts, 0, duration * 1000, 1e-3)
    one = study.coincidences(recording, np.array([0, 1]), np.array([2, 0]))
    pairs = [(steps["inh"][0], steps["exc"][2]), (steps["inh"][1], steps["exc"][0])]
    sums = [np.exp(-abs(np.subtract.outer(a, b)) / TAU).sum() for a, b in pairs]
    assert one == pytest.approx(sum(sums) / sum(len(a) for a, _ in pairs), rel=1e-9)
    assert one == pytest.approx(2 * 4 * 0.02, rel=0.1)


IN_BRIAN2 = {"small": (3.38, 0.53), "full": (3.86, 0.71)}  # Hz: mean and spread, the published script in plain Brian2, as long


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["small", "full"])
def test_the_network_of_the_paper(study, tmp_path, scale):
    """C10: 8000 + 2000 cells, 3 Hz for alpha = 0.12, and a tenth of them.

    The published script itself, run in plain Brian2 until rates were steady, ends at 3.86 Hz, a quarter to a third above the target
    (3.38 Hz with a tenth of the cells): the rule rests where coincidences, not rates, are at alpha, and an inhibitory spike delays those
    of its targets. So its result is compared here, and the coincidences with alpha.
    """
    plan = study.PLANS[scale]
    found = study.lives(0, plan, folder=tmp_path, progress=lambda done, total: None)
    off, low, high, equal = found.values()
    rate, spread = IN_BRIAN2[scale]
    assert low["rate (Hz)"] == pytest.approx(rate, rel=0.1) and low["spread (Hz)"] == pytest.approx(spread, rel=0.4)
    assert [low["coincidences"], high["coincidences"]] == pytest.approx([0.12, 0.24], rel=0.05)
    for one in (low, high):
        assert one["of other pairs"] == pytest.approx(2 * one["rate (Hz)"] * 0.02, rel=0.1) and one["CV"] > 0.8 and one["chi"] < 0.3
        assert one["of other pairs"] > 1.05 * one["coincidences"]
    assert 1.5 < high["rate (Hz)"] / low["rate (Hz)"] < 2.1
    assert off["rate (Hz)"] > 150 and off["CV"] < 0.05 and off["chi"] > 0.5  # the controls: neither learning
    assert equal["rate (Hz)"] > 50 and equal["spread (Hz)"] > 20 * low["spread (Hz)"]  # nor inhibition as such does it
