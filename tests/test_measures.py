"""Measures against hand-made counts, SciPy's paired t-test, and two one-sided tests written out."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import recording_of
from scipy import stats

import neurosim as ns
from neurosim.measures import Comparison, assign_labels, paired_comparison, responses, vote
from neurosim.units import Hz, ms, mV

# --- responses -------------------------------------------------------------------------------------------------------


def images(number, duration, start=0 * ms):
    return ns.Presentations("source", np.zeros((number, 1)) * Hz, duration=duration, start=start)


def test_responses_are_counted_by_stimulus_and_cell():
    """A spike in the last time step of a stimulus is its own; one at the onset is the next one's."""
    recording = recording_of([(99, 0), (100, 0), (109, 0), (110, 5), (119, 5), (120, 1), (129, 1), (130, 2)], 0, 200)
    counts = responses(recording, "exc", images(3, 1 * ms, start=10 * ms))
    assert counts.tolist() == [[2, 0, 0, 0], [0, 0, 0, 2], [0, 2, 0, 0]] and counts.dtype == np.int64
    assert responses(recording, "exc", images(1, 20 * ms)).tolist() == [recording["exc"].counts.tolist()]


def test_responses_need_the_whole_of_the_stimuli():
    with pytest.raises(
        ValueError, match=re.escape("the recording runs from 5. ms to 10. ms, but the stimuli from 0.009 to 0.011 s; record them all")
    ):
        responses(recording_of([], 50, 100), "exc", images(2, 1 * ms, start=9 * ms))
    with pytest.raises(ValueError, match="but the stimuli from 0.004"):
        responses(recording_of([], 50, 100), "exc", images(1, 1 * ms, start=4 * ms))
    assert not responses(recording_of([], 50, 100), "exc", images(5, 1 * ms, start=5 * ms)).any()


def test_responses_of_a_simulation_are_its_spikes():
    source = ns.create("source", "spike_source", 3)
    exc = ns.create("exc", "leaky_adaptive_threshold", 4)
    drive = ns.connect(source, exc, "static", ns.AllToAll(), receptor="v", weight=2 * mV)
    shown = ns.Presentations("source", np.array([[300, 100, 0], [0, 0, 0], [900, 900, 900.0]]) * Hz, duration=20 * ms)
    _, recording = ns.simulate(
        ns.Circuit([source, exc], [drive]), 60 * ms, inputs=[shown], backend=ns.Brian2(target="numpy"), progress=False
    )
    counts = responses(recording, "exc", shown)
    assert counts.sum(axis=0).tolist() == recording["exc"].counts.tolist()
    assert not counts[1].any() and (counts[2] > counts[0]).all() and (counts[0] > 0).all()


# --- labels and votes ------------------------------------------------------------------------------------------------

LABELS = np.array([7, 7, 3, 3, 3, 5])
COUNTS = np.array([  # cells: one for 7, one for 3, a silent one, one for 5 by the mean though not by the sum, a tie
    [4, 0, 0, 1, 1],
    [2, 1, 0, 0, 1],
    [0, 3, 0, 2, 0],
    [0, 2, 0, 2, 3],
    [1, 4, 0, 1, 0],
    [0, 0, 0, 2, 1],
])  # fmt: skip


def test_cells_are_labelled_by_their_mean_response():
    """A tie goes to the smaller label; who never responds has none."""
    assert assign_labels(COUNTS, LABELS).tolist() == [7, 3, -1, 5, 3]
    assert assign_labels(COUNTS[::-1], LABELS[::-1]).tolist() == [7, 3, -1, 5, 3]
    summed = [[COUNTS[LABELS == label][:, 3].sum() for label in (3, 5, 7)]]
    assert np.argmax(summed) == 0  # the control: sums would favour the frequent class


def test_the_label_with_the_highest_mean_wins():
    cells = np.array([7, 3, -1, 5, 3])
    counts = np.array([[2, 0, 0, 0, 3], [0, 3, 9, 1, 1], [0, 0, 9, 0, 0], [0, 0, 0, 1, 0], [1, 1, 0, 0, 1]])
    # 7: 2 against 3: 1.5; silent cells do not vote; a tie goes to the smaller label
    assert vote(counts, cells).tolist() == [7, 3, -1, 5, 3]


def test_without_labelled_cells_nobody_votes():
    assert vote(np.ones((3, 2), dtype=int), np.array([-1, -1])).tolist() == [-1, -1, -1]


@given(st.integers(0, 10_000))
def test_votes_do_not_depend_on_the_order_of_cells(seed):
    rng = np.random.default_rng(seed)
    counts, cells, order = rng.poisson(1, (10, 8)), rng.integers(-1, 4, 8), rng.permutation(8)
    assert vote(counts[:, order], cells[order]).tolist() == vote(counts, cells).tolist()
    labels = rng.integers(0, 4, 10)
    assert assign_labels(counts[:, order], labels).tolist() == assign_labels(counts, labels)[order].tolist()


# --- paired comparisons ----------------------------------------------------------------------------------------------

FIRST = np.array([0.912, 0.921, 0.905, 0.917, 0.909])
SECOND = np.array([0.915, 0.911, 0.909, 0.914, 0.905])


def test_a_hand_made_comparison():
    """Differences -.003, .010, -.004, .003, .004: mean .002, sd .005701, se .0025495, t(4) = 2.776445 and 2.131847."""
    found = paired_comparison(FIRST, SECOND, margin=0.02)
    assert found.difference == pytest.approx(0.002) and found.pairs == 5
    assert (found.low, found.high) == pytest.approx((0.002 - 0.00707857, 0.002 + 0.00707857), abs=1e-7)
    assert found.effect == pytest.approx(0.002 / 0.00570088, rel=1e-5)
    assert found.equivalent and not paired_comparison(FIRST, SECOND, margin=0.0074).equivalent  # .002 + 2.131847 * .0025495 = .0074352
    assert paired_comparison(FIRST, SECOND, margin=0.0075).equivalent
    assert str(found) == "+0.002 (95 % interval -0.00508 to +0.00908, d = +0.35); margin 0.02: equivalent; not powered (5 of 10 pairs)"


@given(st.integers(0, 10_000), st.integers(2, 30), st.floats(-2, 2), st.floats(0.05, 3))
def test_against_scipy_and_two_one_sided_tests(seed, pairs, shift, margin):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(shift, 1, pairs), rng.normal(0, 1, pairs)
    found = paired_comparison(first, second, margin)
    test = stats.ttest_rel(first, second)
    interval = test.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.difference == pytest.approx((first - second).mean())
    assert found.effect == pytest.approx(test.statistic / np.sqrt(pairs))
    above = stats.ttest_rel(first, second - margin, alternative="greater").pvalue
    below = stats.ttest_rel(first, second + margin, alternative="less").pvalue
    if min(abs(above - 0.05), abs(below - 0.05)) > 1e-9:
        assert found.equivalent == (max(above, below) < 0.05)
    assert (found.low > 0 or found.high < 0) == (test.pvalue < 0.05)
    mirrored = paired_comparison(second, first, margin)
    assert mirrored.equivalent == found.equivalent and mirrored.difference == -found.difference


def test_power_is_said():
    few, enough = (paired_comparison(np.linspace(0.9, 0.92, n), np.linspace(0.9, 0.92, n)[::-1], 0.05) for n in (9, 10))
    assert str(few).endswith("not powered (9 of 10 pairs)") and "powered" not in str(enough)
    assert "equivalence not shown" in str(paired_comparison(FIRST, SECOND + 0.03, 0.02))


def test_one_pair_shows_nothing():
    one = paired_comparison([0.9], [0.9], margin=0.02)
    assert one.difference == 0 and not one.equivalent and np.isnan(one.low) and np.isnan(one.effect)
    assert "one pair has no interval" in str(one) and "equivalence not shown" in str(one)


def test_equal_results_are_equivalent():
    same = paired_comparison(FIRST, FIRST, margin=0.01)
    assert (same.difference, same.low, same.high) == (0, 0, 0) and same.equivalent and np.isnan(same.effect)
    assert not Comparison(0.0, float("nan"), float("nan"), 0.01, float("nan"), 5).equivalent


@pytest.mark.parametrize(("first", "second"), [([1, 2], [1]), ([], []), ([[1, 2]], [[1, 2]]), (1.0, 2.0)])
def test_results_that_are_not_paired(first, second):
    with pytest.raises(ValueError, match="are not paired; give one of each for every seed"):
        paired_comparison(first, second, 0.02)
