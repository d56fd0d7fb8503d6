"""Inputs give what they promise: to the time step where they are given, to theory where they are drawn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import neurosim as ns
from neurosim import stimuli
from neurosim.randomness import stream_key, uniform
from neurosim.units import Hz, ms, mV, nS, pA, quantity, second

NUMPY = ns.Brian2(target="numpy")
DT = 1e-4


def circuit_of(model="spike_source", size=5, seed=1, **others):
    return ns.Circuit([ns.create("cells", model, size, **others)], seed=seed)


def simulate(circuit, duration, *inputs, record=(), dt=None):
    backend = NUMPY if dt is None else ns.Brian2(dt=dt, target="numpy")
    return ns.simulate(circuit, duration, inputs=inputs, record=record, backend=backend, progress=False)


def spikes(recording, name="cells"):
    found = recording[name].spikes
    return list(zip(found.step.tolist(), found.id.tolist(), strict=True))


def divide(circuit, mothers, name="cells"):
    return ns.apply(circuit, ns.Events.divide(name, mothers, rng=np.random.default_rng(2)))


# --- presentations ---------------------------------------------------------------------------------------------------


def phases(seed, ids, onset, label="cells.Presentations"):
    return uniform(stream_key(seed, f"input/{label}"), np.asarray(ids), onset)


def test_a_source_counts_up_from_its_phase():
    """Spikes come where phase + rate * time passes a whole number, so that each stimulus has floor(phase + rate * T) of them."""
    rates = np.random.default_rng(0).uniform(0, 400, (6, 8))
    rates[0, 0], rates[1, 1], rates[2, 2] = 0, 10_000, 5000
    _, recording = simulate(circuit_of(size=8), 60 * ms, ns.Presentations("cells", rates * Hz, duration=10 * ms))
    counts = ns.measures.responses(recording, "cells", ns.Presentations("cells", rates * Hz, duration=10 * ms))
    expected = []
    for stimulus in range(6):
        phase = phases(1, range(8), 100 * stimulus)
        assert counts[stimulus].tolist() == np.floor(phase + rates[stimulus] * DT * 100).tolist()
        for step in range(100):
            passed = np.floor(phase + (step + 1) * (rates[stimulus] * DT)) > np.floor(phase + step * (rates[stimulus] * DT))
            expected += [(100 * stimulus + step, cell) for cell in np.flatnonzero(passed)]
    assert spikes(recording) == expected
    assert counts[0, 0] == 0 and counts[1, 1] == 100 and counts[2, 2] == 50


def test_phases_are_uniform_and_drawn_for_each_cell_and_stimulus():
    """So the mean count is rate * T, and nothing else varies but the last spike."""
    rates = np.full((40, 100), 230.0)
    images = ns.Presentations("cells", rates * Hz, duration=10 * ms)
    _, recording = simulate(circuit_of(size=100), 400 * ms, images, dt=0.5 * ms)
    counts = ns.measures.responses(recording, "cells", images)
    assert set(np.unique(counts)) == {2, 3}
    assert stats.binomtest(int((counts == 3).sum()), counts.size, 0.3).pvalue > 1e-3
    assert stats.binomtest(int((counts == 3).sum()), counts.size, 0.4).pvalue < 1e-6  # the control
    for axis in (0, 1):  # neither cells nor stimuli go together
        share = (counts == 3).mean(axis=axis)
        assert share.var() == pytest.approx(0.3 * 0.7 / counts.shape[axis], rel=0.6)
    _, again = simulate(circuit_of(size=100), 400 * ms, images, dt=0.5 * ms)
    _, other = simulate(circuit_of(size=100, seed=2), 400 * ms, images, dt=0.5 * ms)
    _, named = simulate(circuit_of(size=100), 400 * ms, ns.Presentations("cells", rates * Hz, duration=10 * ms, name="named"), dt=0.5 * ms)
    assert spikes(again) == spikes(recording)
    assert spikes(other) != spikes(recording) != spikes(named)


def test_daughters_of_sources_inherit_rates_and_have_their_own_phase():
    rates = np.array([[100.0, 250.0, 0.0]] * 40)
    circuit = divide(divide(circuit_of(size=3), [1, 2]), [3])  # 3 and its daughter 5 descend from 1, 4 from 2
    images = ns.Presentations("cells", rates * Hz, duration=10 * ms)
    after, recording = simulate(circuit, 400 * ms, images, dt=0.5 * ms)
    counts = ns.measures.responses(recording, "cells", images)
    assert (counts[:, 0] == 1).all() and not counts[:, [2, 4]].any()
    for row in (1, 3, 5):
        expected = [np.floor(phases(1, [row], 20 * k) + 2.5)[0] for k in range(40)]
        assert counts[:, row].tolist() == expected
    assert counts[:, 1].tolist() != counts[:, 3].tolist() != counts[:, 5].tolist()
    assert after["cells"].cells["parent"].tolist() == [-1, -1, -1, 1, 2, 3]


def test_presentations_split_anywhere_are_the_same():
    rates = np.random.default_rng(1).uniform(0, 300, (5, 6)) * Hz
    images = ns.Presentations("cells", rates, duration=10 * ms, start=7 * ms)
    circuit = circuit_of(size=6)
    _, whole = simulate(circuit, 60 * ms, images)
    pieces = []
    for length in (9, 8, 20.3, 22.7):
        circuit, recording = simulate(circuit, length * ms, images)
        pieces.append(recording)
    joined = ns.Recording.concatenate(pieces)
    assert spikes(joined) == spikes(whole)
    assert 70 <= whole["cells"].spikes.step.min() and whole["cells"].spikes.step.max() < 570


def test_each_onset_runs_the_models_statements():
    """The leaky cell of the study goes back to rest and lowers its threshold by learning * theta_plus * target / N."""
    source, cell = ns.create("source", "spike_source", 1), ns.create("cell", "leaky_adaptive_threshold", 4, state={"v": -61 * mV})
    circuit = ns.Circuit([source, cell])
    images = ns.Presentations("source", np.zeros((3, 1)) * Hz, duration=5 * ms, start=5 * ms)
    wishes = [ns.Trace("cell", "v"), ns.Trace("cell", "theta")]
    _, recording = ns.simulate(
        circuit, 25 * ms, inputs=[images], record=wishes, modulate={"cell.learning": 0.5}, backend=NUMPY, progress=False
    )
    v, theta = recording["cell"].trace("v").si, recording["cell"].trace("theta").si
    rest = float(cell.model.namespace()["E_L"])
    assert (v[:, :50] > rest).all() and (v[:, 50:] == rest).all()
    step = 0.5 * 0.1e-3 * 2 / 4
    np.testing.assert_allclose(theta, -step * np.repeat([0, 1, 2, 3, 3], 50)[None].repeat(4, 0), rtol=1e-12)
    _, without = simulate(circuit, 25 * ms, record=wishes)
    assert not without["cell"].trace("theta").si.any() and (without["cell"].trace("v").si > rest).all()  # the control


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 60), st.integers(0, 999))
def test_counters_pass_whole_numbers_where_stepping_shows_it(shown, cells, length, seed):
    """All spikes of a block at once, against counters that are read after every step, bit for bit, at any rate up to one a step."""
    draws = np.random.default_rng(seed)
    increment = draws.choice([0.0, 1.0, 0.5, 1 / 3, 1e-3, np.nextafter(1, 0), draws.random()], (shown, cells))
    phase = draws.choice([0.0, 0.5, np.nextafter(1, 0), draws.random()], (shown, cells))
    onset = 7 + length * np.arange(shown)[:, None]
    expected = []
    for stimulus in range(shown):
        counted = np.floor(phase[stimulus] + np.arange(length + 1)[:, None] * increment[stimulus])
        steps, rows = np.nonzero(np.diff(counted, axis=0))
        expected += zip(rows.tolist(), (onset[stimulus, 0] + steps).tolist(), strict=True)
    found = stimuli._count_up(increment, phase, length, onset)
    assert list(zip(*map(np.ndarray.tolist, found), strict=True)) == expected


def test_presentations_are_the_same_in_blocks_of_any_size(monkeypatch):
    rates = np.random.default_rng(1).uniform(0, 900, (23, 5)) * Hz
    images, circuit = ns.Presentations("cells", rates, duration=4 * ms, start=3 * ms), circuit_of()
    whole = images.bind(circuit, DT, 55, 800)
    for block in (1, 200):
        monkeypatch.setattr(stimuli, "BLOCK", block)
        parts = images.bind(circuit, DT, 55, 800)
        assert all((getattr(parts, key) == getattr(whole, key)).all() for key in ("rows", "steps", "onsets")) and len(whole.steps) > 100


# --- given spikes ----------------------------------------------------------------------------------------------------


def test_given_spikes_are_exact():
    rng = np.random.default_rng(5)
    given = sorted({(int(step), int(cell)) for step, cell in zip(rng.integers(0, 500, 60), rng.integers(0, 5, 60), strict=True)})
    order = rng.permutation(len(given))
    times = quantity(np.array([given[k][0] for k in order]) * DT, second.dim)
    inputs = ns.SpikeTimes("cells", [given[k][1] for k in order], times)
    _, recording = simulate(circuit_of(), 50 * ms, inputs)
    assert spikes(recording) == given
    assert recording["cells"].counts.tolist() == np.bincount([cell for _, cell in given], minlength=5).tolist()
    middle, first = simulate(circuit_of(), 20 * ms, inputs)
    _, second_half = simulate(middle, 30 * ms, inputs)
    assert spikes(first) + spikes(second_half) == given and spikes(second_half)[0][0] >= 200


def test_a_spike_given_twice_is_one():
    inputs = [ns.SpikeTimes("cells", [0, 0, 2], [1, 1, 3] * ms), ns.SpikeTimes("cells", [2, 3], [3, 4] * ms, name="more")]
    _, recording = simulate(circuit_of(), 5 * ms, *inputs)
    assert spikes(recording) == [(10, 0), (30, 2), (40, 3)]


def test_descendants_of_a_source_spike_with_it_unless_told_otherwise():
    circuit = divide(divide(circuit_of(), [2]), [5])  # 5 and 6 descend from 2
    _, recording = simulate(circuit, 5 * ms, ns.SpikeTimes("cells", [2, 0], [1, 2] * ms))
    assert spikes(recording) == [(10, 2), (10, 5), (10, 6), (20, 0)]
    _, recording = simulate(circuit, 5 * ms, ns.SpikeTimes("cells", [2, 5], [1, 3] * ms))
    assert spikes(recording) == [(10, 2), (30, 5), (30, 6)]
    dead = ns.apply(circuit, ns.Events.kill("cells", [2]))
    _, recording = simulate(dead, 5 * ms, ns.SpikeTimes("cells", 2, [1] * ms))
    assert spikes(recording) == [(10, 5), (10, 6)]


# --- step currents ---------------------------------------------------------------------------------------------------

LEAKY = ns.load_cell("leaky_conductance")
TAU, LEAK = 20e-3, 10e-9


def membrane(current):
    """v - E_L of a leaky cell in closed form, for a current (A) in each time step."""
    v = [0.0]
    for now in current:
        v.append(now / LEAK + (v[-1] - now / LEAK) * np.exp(-DT / TAU))
    return np.array(v[:-1])


def voltages(circuit, duration, *inputs):
    after, recording = simulate(circuit, duration, *inputs, record=[ns.Trace("cells", "v")])
    return after, recording["cells"].trace("v").si + 60e-3


@pytest.mark.parametrize(("start", "stop"), [(0, 100), (37, 38), (37, 70), (0, None), (120, 140), (60, 60)])
def test_a_current_flows_from_start_to_stop_to_the_step(start, stop):
    step = ns.StepCurrent("cells", "I_e", [50, 80] * pA, start=start * 0.1 * ms, stop=None if stop is None else stop * 0.1 * ms)
    flows = np.zeros(100)
    flows[start:stop] = 1
    circuit = circuit_of("leaky_conductance", 2)
    _, v = voltages(circuit, 10 * ms, step)
    np.testing.assert_allclose(v, [membrane(50e-12 * flows), membrane(80e-12 * flows)], atol=1e-13)
    late = membrane(50e-12 * np.roll(flows, 1))
    assert not flows.any() or flows.all() or abs(v[0] - late).max() > 1e-6  # the control: a step later is seen
    middle, first = voltages(circuit, 4 * ms, step)
    _, rest = voltages(middle, 6 * ms, step)
    assert np.concatenate([first, rest], axis=1).tolist() == v.tolist()


def test_currents_into_one_receptor_add_up():
    both = [ns.StepCurrent("cells", "I_e", 30 * pA, name="one"), ns.StepCurrent("cells", "I_e", 50 * pA, start=2 * ms, name="two")]
    _, v = voltages(circuit_of("leaky_conductance", 1), 5 * ms, *both)
    flows = np.r_[np.full(20, 30e-12), np.full(30, 80e-12)]
    np.testing.assert_allclose(v[0], membrane(flows), atol=1e-13)


def test_currents_reach_chosen_cells_and_their_heirs():
    circuit = divide(circuit_of("leaky_conductance", 3), [0, 1])  # 3 descends from 0, 4 from 1
    flows = np.ones(50)
    _, v = voltages(circuit, 5 * ms, ns.StepCurrent("cells", "I_e", [20, 40] * pA, cells=[1, 2]))
    np.testing.assert_allclose(v, [membrane(k * 1e-12 * flows) for k in (0, 20, 40, 0, 20)], atol=1e-13)
    _, v = voltages(circuit, 5 * ms, ns.StepCurrent("cells", "I_e", [20, 40, 60] * pA, cells=[1, 2, 4]))
    np.testing.assert_allclose(v, [membrane(k * 1e-12 * flows) for k in (0, 20, 40, 0, 60)], atol=1e-13)
    _, v = voltages(circuit, 5 * ms, ns.StepCurrent("cells", "I_e", [20, 40, 60] * pA))  # one for each founder
    np.testing.assert_allclose(v, [membrane(k * 1e-12 * flows) for k in (20, 40, 60, 20, 40)], atol=1e-13)


# --- Poisson spikes --------------------------------------------------------------------------------------------------


def arrivals(circuit, duration, *inputs):
    """The spikes that reach each cell in each time step, read from jumps of g_exc of 1 pS."""
    after, recording = simulate(circuit, duration, *inputs, record=[ns.Trace("cells", "g_exc")])
    g = np.concatenate([recording["cells"].trace("g_exc").si, after["cells"].cells["g_exc"][:, None]], axis=1)
    jumps = (g[:, 1:] - g[:, :-1] * np.exp(-DT / 5e-3)) / 1e-12
    assert abs(jumps - np.round(jumps)).max() < 1e-9
    return np.round(jumps).astype(int)


def poisson(rate, **others):
    return ns.PoissonInput("cells", "g_exc", rate=rate, weight=1e-3 * nS, **others)


def test_poisson_spikes_have_their_distribution():
    counts = arrivals(circuit_of("leaky_conductance", 400), 25 * ms, poisson(8000 * Hz))
    mean, size = 0.8, counts.size
    observed = np.bincount(np.minimum(counts.ravel(), 5), minlength=6)
    law = np.r_[stats.poisson.pmf(range(5), mean), stats.poisson.sf(4, mean)]
    assert stats.chisquare(observed, size * law).pvalue > 1e-3
    wrong = np.r_[stats.poisson.pmf(range(5), 1.03 * mean), stats.poisson.sf(4, 1.03 * mean)]
    assert stats.chisquare(observed, size * wrong).pvalue < 1e-3  # the control
    # no cell goes with another, no time step with the next: sums have the variance of independent draws
    assert counts.sum(axis=0).var(ddof=1) == pytest.approx(400 * mean, rel=0.4)
    assert counts.sum(axis=1).var(ddof=1) == pytest.approx(250 * mean, rel=0.3)
    assert abs(np.corrcoef(counts[:, :-1].ravel(), counts[:, 1:].ravel())[0, 1]) < 4 / np.sqrt(size)


def test_poisson_spikes_depend_on_seed_name_cell_and_step_only():
    circuit = circuit_of("leaky_conductance", 20)
    alone = arrivals(circuit, 20 * ms, poisson(1000 * Hz))
    assert (arrivals(circuit, 20 * ms, poisson(1000 * Hz)) == alone).all()
    for other in (arrivals(circuit.reseed(2), 20 * ms, poisson(1000 * Hz)), arrivals(circuit, 20 * ms, poisson(1000 * Hz, name="other"))):
        assert abs(np.corrcoef(alone.ravel(), other.ravel())[0, 1]) < 0.1
    smaller = ns.apply(circuit, ns.Events.kill("cells", [0, 7]))
    assert (arrivals(smaller, 20 * ms, poisson(1000 * Hz)) == np.delete(alone, [0, 7], axis=0)).all()
    two = arrivals(circuit, 20 * ms, poisson(1000 * Hz), poisson(1000 * Hz, name="other"))
    assert (two == alone + arrivals(circuit, 20 * ms, poisson(1000 * Hz, name="other"))).all()
    middle, _ = simulate(circuit, 10 * ms, poisson(1000 * Hz))
    assert (arrivals(middle, 10 * ms, poisson(1000 * Hz)) == alone[:, 100:]).all()


def test_poisson_rates_are_those_of_the_ancestor_and_spikes_are_ones_own():
    circuit = divide(circuit_of("leaky_conductance", 3), [0, 2])  # 3 descends from 0, 4 from 2
    counts = arrivals(circuit, 50 * ms, poisson([500, 0, 2000] * Hz))
    assert counts.sum(axis=1) == pytest.approx([25, 0, 100, 25, 100], abs=35) and not counts[1].any()
    assert (counts[0] != counts[3]).any() and (counts[2] != counts[4]).any()
    twins = arrivals(circuit, 50 * ms, poisson([500, 0, 2000] * Hz, shared_noise=True))
    assert (twins[[0, 2]] == twins[[3, 4]]).all() and (twins[:3] == counts[:3]).all()
    some = arrivals(circuit, 50 * ms, poisson([500, 2000] * Hz, cells=[1, 4]))
    assert some.any(axis=1).tolist() == [False, True, False, False, True]


# --- noise currents --------------------------------------------------------------------------------------------------

COLUMN = "noise:cells.I_e.NoiseCurrent"


def noisy(circuit, duration, **others):
    noise = ns.NoiseCurrent("cells", "I_e", mean=20 * pA, sd=5 * pA, tau=4 * ms, **others)
    after, _ = simulate(circuit, duration, noise, dt=0.5 * ms)
    return after, after["cells"].cells[COLUMN] / 1e-12


def test_noise_has_its_mean_sd_and_memory():
    """An Ornstein-Uhlenbeck process that begins at its mean; standard errors of 3000 independent cells."""
    size, tau = 3000, 4.0
    early, x = noisy(circuit_of("leaky_conductance", size), 2 * ms)
    assert x.std(ddof=1) == pytest.approx(5 * np.sqrt(1 - np.exp(-2 * 2 / tau)), rel=4 / np.sqrt(2 * size))
    middle, x = noisy(early, 30 * ms)
    assert x.mean() == pytest.approx(20, abs=4 * 5 / np.sqrt(size))
    assert x.std(ddof=1) == pytest.approx(5, rel=4 / np.sqrt(2 * size))
    assert stats.kstest((x - 20) / 5, "norm").pvalue > 1e-3
    assert stats.kstest((x - 20) / 5.5, "norm").pvalue < 1e-2  # the control
    for lag in (0.5, 4, 12):
        _, y = noisy(middle, lag * ms)
        rho = np.exp(-lag / tau)
        assert np.corrcoef(x, y)[0, 1] == pytest.approx(rho, abs=4 * (1 - rho**2) / np.sqrt(size) + 1e-3)
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4 / np.sqrt(size)


def test_noise_is_part_of_the_state_and_copied_by_a_division():
    circuit, before = noisy(circuit_of("leaky_conductance", 4), 10 * ms)
    grown = divide(circuit, [1])
    assert grown["cells"].cells[COLUMN][4] == grown["cells"].cells[COLUMN][1]
    _, own = noisy(grown, 2 * ms)
    _, alone = noisy(circuit, 2 * ms)
    assert (own[:4] == alone).all() and own[4] != own[1]
    _, shared = noisy(grown, 2 * ms, shared_noise=True)
    assert shared[4] == shared[1]
    assert (before != alone).all()


def test_noise_flows_into_the_cell():
    """The spread of v follows the current's: sd / g_L sqrt(tau / (tau + tau_m)) (an Ornstein-Uhlenbeck current through a leak)."""
    size = 2000
    noise = ns.NoiseCurrent("cells", "I_e", mean=20 * pA, sd=5 * pA, tau=4 * ms)
    after, _ = simulate(circuit_of("leaky_conductance", size), 120 * ms, noise, dt=0.2 * ms)
    v = after["cells"].cells["v"] + 60e-3
    assert v.mean() == pytest.approx(2e-3, rel=0.02)
    assert v.std(ddof=1) == pytest.approx(0.5e-3 * np.sqrt(4 / 24), rel=4 / np.sqrt(2 * size) + 0.03)


CHECKED = {
    "a stimulus that is over": ("spike_source", ns.Presentations("cells", np.ones((2, 5)) * Hz, 1 * ms), "begins only at 0.01 s"),
    "too fast": ("spike_source", ns.Presentations("cells", np.full((2, 5), 1e5) * Hz, 1 * ms), "at most one spike a time step"),
    "below 0": ("spike_source", ns.Presentations("cells", np.full((2, 5), -1.0) * Hz, 1 * ms), "run from -1 to -1 Hz"),
    "not a number": ("spike_source", ns.Presentations("cells", np.full((2, 5), np.nan) * Hz, 1 * ms), "NaN is not a value"),
    "off the grid": ("spike_source", ns.SpikeTimes("cells", [0], [0.05] * ms), "off the grid of dt = 0.1 ms"),
    "an unknown cell": ("leaky_conductance", ns.PoissonInput("cells", "g_exc", 1 * Hz, 1 * nS, cells=[9]), "names cell 9"),
    "a current off before it is on": ("leaky_conductance", ns.StepCurrent("cells", "I_e", 1 * pA, 2 * ms, 1 * ms), "before it starts"),
    "noise of no time": ("leaky_conductance", ns.NoiseCurrent("cells", "I_e", 1 * pA, 1 * pA, 0 * ms), "a tau above 0"),
}


@pytest.mark.parametrize("slip", CHECKED)
def test_a_check_finds_what_binding_finds(slip):
    model, wrong, words = CHECKED[slip]
    for ask in (wrong.check, wrong.bind):
        with pytest.raises(ValueError, match=words):
            ask(circuit_of(model), DT, 100, 200)


def test_a_check_makes_no_spikes(monkeypatch):
    def made(*arguments):
        raise AssertionError("spikes were made")

    monkeypatch.setattr(stimuli, "uniform", made)
    images = ns.Presentations("cells", np.full((2, 5), 900.0) * Hz, 10 * ms)
    images.check(circuit_of(), DT, 0, 200)
    with pytest.raises(AssertionError, match="spikes were made"):
        images.bind(circuit_of(), DT, 0, 200)


def test_sources_are_silent_until_their_stimuli_begin():
    source = ns.create("source", "spike_source", 2)
    shown = ns.Presentations("source", np.full((1, 2), 1000.0) * Hz, 5 * ms, start=20 * ms)
    now, early = ns.simulate(ns.Circuit([source]), 10 * ms, inputs=[shown], backend=ns.Brian2(target="numpy"))
    assert len(early["source"].spikes) == 0
    _, late = ns.simulate(now, 20 * ms, inputs=[shown], backend=ns.Brian2(target="numpy"))
    assert len(late["source"].spikes) == 10 and late["source"].spikes.t.min() >= 20 * ms
