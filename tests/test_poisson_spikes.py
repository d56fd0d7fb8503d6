"""Poisson spikes of sources follow the laws of a Bernoulli process, and depend on seed, name, cell and time alone."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import neurosim as ns
from neurosim import poisson
from neurosim.poisson import STRETCH
from neurosim.randomness import stream_key, uniform
from neurosim.units import Hz, ms, mV, second

NUMPY = ns.Brian2(dt=0.1 * ms, target="numpy")
DT = 1e-4
LONG = 200 * STRETCH


def circuit_of(size=5, seed=1):
    return ns.Circuit([ns.create("cells", "spike_source", size)], seed=seed)


def bound(circuit, rate, start=0, stop=LONG, **others):
    """The spikes of a window as (time step, place) pairs, shape (spikes, 2)."""
    found = ns.PoissonSpikes("cells", rate * Hz, **others).bind(circuit, DT, start, stop)
    return np.stack([found.steps, found.rows], axis=1)


def trains(pairs, size):
    return [pairs[pairs[:, 1] == cell, 0] for cell in range(size)]


def divide(circuit, mothers):
    return ns.apply(circuit, ns.Events.divide("cells", mothers, rng=np.random.default_rng(2)))


# --- laws --------------------------------------------------------------------------------------------------------------


def test_counts_are_binomial():
    """At 3 kHz a step has a spike with p = 0.3: the number in 8 steps is binomial, and independent of others in time and of other cells."""
    spikes = bound(circuit_of(40), 3000.0, stop=8 * 2000)
    counts = np.zeros((40, 2000), int)
    np.add.at(counts, (spikes[:, 1], spikes[:, 0] // 8), 1)
    observed = np.bincount(counts.ravel(), minlength=9)

    def fits(chance):
        return stats.chisquare(observed, counts.size * stats.binom.pmf(range(9), 8, chance)).pvalue

    assert fits(0.3) > 1e-3
    assert fits(1 - np.exp(-0.3)) < 1e-6  # the control: the probability of one event or more of a process without steps
    variance = 8 * 0.3 * 0.7
    assert counts.sum(axis=0).var(ddof=1) == pytest.approx(40 * variance, rel=4 * np.sqrt(2 / 2000))
    assert counts.sum(axis=1).var(ddof=1) == pytest.approx(2000 * variance, rel=4 * np.sqrt(2 / 40))
    assert abs(np.corrcoef(counts[:, :-1].ravel(), counts[:, 1:].ravel())[0, 1]) < 4 / np.sqrt(counts.size)


def test_counts_of_slow_sources_are_those_of_a_poisson_process():
    """At 10 Hz and 0.1 ms the variance of counts differs from the mean by a thousandth: 500 ms hold Poisson(5) spikes."""
    window, windows = 5000, 40
    spikes = bound(circuit_of(100), 10.0, stop=window * windows)
    counts = np.bincount(spikes[:, 1] * windows + spikes[:, 0] // window, minlength=100 * windows)
    observed = np.bincount(np.minimum(counts, 12), minlength=13)

    def fits(mean):
        return stats.chisquare(observed, counts.size * np.r_[stats.poisson.pmf(range(12), mean), stats.poisson.sf(11, mean)]).pvalue

    assert fits(5) > 1e-3 and fits(1.05 * 5) < 1e-3  # the second is the control


@pytest.mark.parametrize("rate", [20.0, 400.0, 5000.0, 9500.0])
def test_rates_and_intervals(rate):
    """The mean rate is the one given; intervals are geometric, with the CV sqrt(1 - p): 1, as of a Poisson process, for slow sources."""
    cells, chance = 30, rate * DT
    steps = int(np.clip(400 / chance, 4 * STRETCH, LONG))
    spikes = bound(circuit_of(cells), rate, stop=steps)
    assert len(spikes) == pytest.approx(chance * cells * steps, abs=4 * np.sqrt(cells * steps * chance * (1 - chance)))
    intervals = np.concatenate([np.diff(train) for train in trains(spikes, cells)])
    assert intervals.min() >= 1
    assert intervals.std() / intervals.mean() == pytest.approx(np.sqrt(1 - chance), rel=5 / np.sqrt(len(intervals)))
    edges = np.unique(stats.geom.ppf(np.linspace(0, 1, 12)[1:-1], chance))
    parts = np.histogram(intervals, np.r_[0.5, edges + 0.5, np.inf])[0]
    law = np.diff(np.r_[0, stats.geom.cdf(edges, chance), 1])
    assert stats.chisquare(parts, len(intervals) * law).pvalue > 1e-3
    wrong = np.diff(np.r_[0, stats.geom.cdf(edges, 1 - (1 - chance) ** 1.1), 1])
    assert stats.chisquare(parts, len(intervals) * wrong).pvalue < 1e-2  # the control: another hazard by a tenth


def test_no_time_step_of_a_stretch_is_preferred():
    spikes = bound(circuit_of(100), 500.0)
    phases = np.bincount(spikes[:, 0] % STRETCH, minlength=STRETCH)
    assert stats.chisquare(phases.reshape(-1, 16).sum(axis=1)).pvalue > 1e-3
    for edge in (phases[0], phases[-1]):
        assert edge == pytest.approx(len(spikes) / STRETCH, abs=4.5 * np.sqrt(len(spikes) / STRETCH))


def test_spikes_are_drawn_as_documented():
    """One cell after the other and one spike after the other, with the same numbers."""
    circuit, rates = circuit_of(4, seed=7), np.array([30.0, 0.0, 900.0, 4000.0])
    key, expected = stream_key(7, "input/cells.PoissonSpikes"), []
    for cell, rate in enumerate(rates):
        for begin in range(0, 3 * STRETCH, STRETCH) if rate else ():
            step = begin - 1
            for number in range(STRETCH):
                draw = float(uniform(key, np.array([cell]), begin + number)[0])
                step += 1 + int(math.log1p(-draw) / math.log1p(-rate * DT))
                if step >= begin + STRETCH:
                    break
                expected.append((step, cell))
    assert [tuple(pair) for pair in bound(circuit, rates, stop=3 * STRETCH).tolist()] == sorted(expected)


# --- what spikes depend on -------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 4 * STRETCH), max_size=6),
    st.integers(1, 6),
    st.sampled_from([3.0, 200.0, 2000.0]),
    st.sampled_from([1, 700, 1_000_000]),
)
def test_spikes_are_the_same_however_a_run_is_split(cuts, size, rate, block):
    circuit, rates = circuit_of(size), rate * np.linspace(0.5, 1.5, size)
    whole = bound(circuit, rates, 17, 4 * STRETCH)
    times = [17, *sorted({cut for cut in cuts if cut > 17}), 4 * STRETCH]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(poisson, "BLOCK", block)
        parts = [bound(circuit, rates, start, stop) for start, stop in zip(times, times[1:], strict=False)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert len(whole) == 0 or (17 <= whole[:, 0].min() and whole[:, 0].max() < 4 * STRETCH)


def test_a_simulation_plays_what_was_bound():
    circuit, stimulus = circuit_of(6), ns.PoissonSpikes("cells", 300 * Hz)
    middle, first = ns.simulate(circuit, 60 * ms, inputs=[stimulus], backend=NUMPY, progress=False)
    _, rest = ns.simulate(middle, 90 * ms, inputs=[stimulus], backend=NUMPY, progress=False)
    joined = ns.Recording.concatenate([first, rest])["cells"].spikes
    assert np.stack([joined.step, joined.id], axis=1).tolist() == bound(circuit, 300.0, stop=1500).tolist()
    assert len(joined) > 100


def test_spikes_depend_on_seed_name_cell_and_time_only():
    circuit = circuit_of(20)
    alone = bound(circuit, 100.0)
    assert np.array_equal(bound(circuit, 100.0), alone)
    others = [bound(circuit.reseed(2), 100.0), bound(circuit, 100.0, name="other")]
    for other in others:  # no more spikes together than chance has it: a thousandth of the steps of the other one's
        together = len(set(map(tuple, other.tolist())) & set(map(tuple, alone.tolist())))
        assert together == pytest.approx(0.01 * len(alone), abs=5 * np.sqrt(0.01 * len(alone)))
    smaller = ns.apply(circuit, ns.Events.kill("cells", [0, 7]))
    kept = alone[~np.isin(alone[:, 1], [0, 7])]
    ids = smaller["cells"].ids
    assert [(step, int(ids[row])) for step, row in bound(smaller, 100.0).tolist()] == [tuple(pair) for pair in kept.tolist()]
    rates = np.full(20, 100.0)
    rates[3] = 500.0
    changed = bound(circuit, rates)
    assert np.array_equal(changed[changed[:, 1] != 3], alone[alone[:, 1] != 3]) and (changed[:, 1] == 3).sum() > (alone[:, 1] == 3).sum()


def test_daughters_inherit_the_rate_and_have_spikes_of_their_own():
    circuit = divide(divide(circuit_of(3), [0, 2]), [3])  # 3 and its daughter 5 descend from 0, 4 from 2
    rates = np.array([100.0, 0.0, 2000.0])
    own = trains(bound(circuit, rates), 6)
    assert [len(train) for train in own] == pytest.approx(LONG * np.array([0.01, 0, 0.2, 0.01, 0.2, 0.01]), rel=0.15)
    assert own[0].tolist() != own[3].tolist() != own[5].tolist() and own[2].tolist() != own[4].tolist()
    shared = trains(bound(circuit, rates, shared_noise=True), 6)
    assert shared[0].tolist() == shared[3].tolist() == shared[5].tolist() == own[0].tolist()
    assert shared[2].tolist() == shared[4].tolist() == own[2].tolist()
    some = trains(bound(circuit, np.array([50.0, 400.0]), cells=[1, 3]), 6)
    assert [len(train) > 0 for train in some] == [False, True, False, True, False, True]
    assert len(some[5]) == pytest.approx(0.04 * LONG, rel=0.1)


def test_nothing_to_spike():
    assert bound(circuit_of(3), 0.0).shape == bound(circuit_of(3), 50.0, 90, 90).shape == (0, 2)
    nobody = ns.apply(circuit_of(2), ns.Events.kill("cells", [0, 1]))
    assert bound(nobody, 50.0).shape == (0, 2)
    assert len(bound(circuit_of(2), 1e-300)) == 0


# --- mistakes --------------------------------------------------------------------------------------------------------------

MISTAKES = {
    "below 0": (ns.PoissonSpikes("cells", -1 * Hz), ValueError, "'cells.PoissonSpikes' is -1. Hz; give 0 or more, and less than one spike"),
    "too fast": (ns.PoissonSpikes("cells", [10, 1, 1, 1, 10_000] * Hz), ValueError, r"less than one spike a time step \(10000 Hz\)"),
    "not finite": (ns.PoissonSpikes("cells", np.inf * Hz), ValueError, "is not finite"),
    "not a rate": (ns.PoissonSpikes("cells", 3 * mV), TypeError, "rate of input 'cells.PoissonSpikes'"),
    "rates of others": (ns.PoissonSpikes("cells", [1, 2] * Hz), ValueError, r"has shape \(2,\), but it reaches 5 cells"),
    "rates of chosen": (ns.PoissonSpikes("cells", [1, 2] * Hz, cells=[1]), ValueError, r"has shape \(2,\), but it reaches 1 cells"),
    "unknown cell": (ns.PoissonSpikes("cells", 1 * Hz, cells=[9]), ValueError, "names cell 9"),
    "unknown population": (ns.PoissonSpikes("cell", 1 * Hz), ValueError, "Did you mean 'cells'"),
}


@pytest.mark.parametrize("slip", MISTAKES)
def test_a_check_finds_what_binding_finds(slip):
    wrong, kind, words = MISTAKES[slip]
    for ask in (wrong.check, wrong.bind):
        with pytest.raises(kind, match=words):
            ask(circuit_of(), DT, 100, 200)


def test_cells_that_make_their_own_spikes_are_given_none():
    circuit = ns.Circuit([ns.create("cells", "leaky", 2)])
    with pytest.raises(ValueError, match="create the population from 'spike_source'"):
        ns.simulate(circuit, 1 * second, inputs=[ns.PoissonSpikes("cells", 1 * Hz)], backend=NUMPY)


def test_a_check_makes_no_spikes(monkeypatch):
    def made(*arguments):
        raise AssertionError("spikes were made")

    monkeypatch.setattr(poisson, "uniform", made)
    stimulus = ns.PoissonSpikes("cells", 10 * Hz)
    stimulus.check(circuit_of(), DT, 0, 200)
    with pytest.raises(AssertionError, match="spikes were made"):
        stimulus.bind(circuit_of(), DT, 0, 200)
