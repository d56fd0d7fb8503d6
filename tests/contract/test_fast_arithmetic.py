"""Fast arithmetic: the spikes of strict arithmetic until rounding separates them, the same in distribution after that, and bits that no neighbour moves."""

from functools import cache

import numpy as np
import pytest
from circuits import CELLS, FAST, LIBRARY, build, drive, run, spikes
from scipy.stats import ks_2samp
from test_death import rows_of, silencing

import neurosim as ns
from neurosim.units import mV

SMALL = 1e-10  # volt; measured in 200 ms: at most 2e-12, in a Hodgkin-Huxley cell in the middle of a spike
LEVEL = 1e-3  # of the two-sample tests
SEEDS = 20
on_all_cells = pytest.mark.parametrize("cell", CELLS)
V = [ns.Trace("exc", "v")]


def apart(circuit, other, inputs, backend):
    """Run two circuits for 200 ms, one under strict arithmetic; return their spikes and the largest difference of v, in volt."""
    (_, one), (_, two) = run(circuit, 2000, inputs, LIBRARY, record=V), run(other, 2000, inputs, backend, record=V)
    return spikes(one), spikes(two), np.abs(one["exc"].trace("v").si - two["exc"].trace("v").si).max()


@on_all_cells
def test_the_same_spikes_over_200_ms(cell):
    circuit = build(cell)
    strict, fast, difference = apart(circuit, circuit, drive(cell), FAST)
    assert strict == fast and len(fast) > 100
    assert 0 < difference < SMALL


@on_all_cells
def test_control_another_start_is_seen(cell):
    circuit = build(cell)
    *_, difference = apart(circuit, circuit.set("exc", v=(circuit["exc"].cells["v"] + 10 * SMALL) * 1000 * mV), drive(cell), LIBRARY)
    assert difference > SMALL


@cache
def activity(arithmetic, scale=1.0, first=0):
    """The rate, and the coefficient of variation of intervals, of circuits that are alike but for their noise: one value a seed."""
    backend, inputs = {"strict": LIBRARY, "fast": FAST}[arithmetic], drive("leaky_conductance", scale=scale)
    circuit = build("leaky_conductance", size=40)
    rates, variations = [], []
    for seed in range(first, first + SEEDS):
        _, recording = run(circuit.reseed(seed), 10_000, inputs, backend)
        train = recording["exc"].spikes
        intervals = [np.diff(train.step[train.id == cell]) for cell in range(40)]
        rates.append(len(train) / 40)
        variations.append(np.mean([one.std() / one.mean() for one in intervals if len(one) > 5]))
    return np.array(rates), np.array(variations)


def test_rates_and_variations_have_the_same_distribution():
    """With other seeds on either side, so that nothing but the distribution is shared: rounding alone takes long to separate spikes on a grid."""
    for strict, fast in zip(activity("strict"), activity("fast", first=1000), strict=True):
        assert ks_2samp(strict, fast).pvalue > LEVEL and fast.std() > 0


def test_control_a_stronger_drive_has_another_distribution():
    assert ks_2samp(activity("strict")[0], activity("fast", scale=1.1, first=1000)[0]).pvalue < LEVEL


def same_without_one(cell, size, dead, steps=120):
    """Run on with all cells, and with one removed; tell whether every other cell and synapse comes to the same bits, and count spikes."""
    inputs = silencing(cell, size, [dead])
    middle, _ = run(build(cell, size=size), 60, inputs, FAST)
    whole, recording = run(middle, steps, inputs, FAST)
    left, _ = run(ns.apply(middle, ns.Events.kill("exc", [dead])), steps, inputs, FAST)
    assert recording["exc"].counts[dead] == 0
    return rows_of(whole, [dead]) == rows_of(left, [dead]), int(recording["exc"].counts.sum())


@on_all_cells
def test_removing_a_silent_cell_moves_no_bit_whatever_the_size(cell):
    """A cell is computed in whole blocks, never in the rest of a loop that is vectorised otherwise. The control stands in test_death.py."""
    found = {size: same_without_one(cell, size, dead=size // 3) for size in range(5, 71)}
    assert [size for size, (same, _) in found.items() if not same] == []
    assert sum(count for _, count in found.values()) > 500


def test_the_smallest_numbers_count_as_zero_while_it_computes_and_only_then():
    """What decays does not get slow when it is all but gone; the rest of the process keeps its subnormal numbers."""
    tiny = np.array([1e-310])
    rest = ns.Circuit([ns.create("exc", "leaky_conductance", 20, state={"g_exc": tiny[0] * ns.units.siemens})])
    (fast, _), (strict, _) = run(rest, 10, [], FAST), run(rest, 10, [], LIBRARY)
    assert not fast["exc"].cells["g_exc"].any() and strict["exc"].cells["g_exc"].all()
    assert tiny[0] / 2 == 5e-311
