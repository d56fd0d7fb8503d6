"""Measures of development: overproduction by both definitions of the field, and the index of ocular dominance."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import neurosim as ns
from neurosim.measures import ocular_dominance, overshoot
from neurosim.units import nS


@pytest.mark.parametrize(("peak", "lost"), [(1.5, 1 / 3), (2.0, 0.5), (2.5, 0.6)])
def test_both_definitions_of_overproduction(peak, lost):
    """E09: a peak 50 % above the adult number means that a third of it goes (Huttenlocher 1979), 100 % above that half of it goes."""
    found = overshoot([0.0, peak * 11.05, 12.0, 11.05, 11.05], 2)
    assert found["peak"] == peak * 11.05 and found["adult"] == 11.05
    assert found["excess"] == pytest.approx(peak - 1) and found["lost"] == pytest.approx(lost)


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 1e6), min_size=2, max_size=20), st.data())
def test_laws_of_overproduction(course, data):
    last = data.draw(st.integers(1, len(course) - 1))
    found = overshoot(course, last)
    assert found["lost"] == pytest.approx(found["excess"] / (1 + found["excess"]), abs=1e-12) and 0 <= found["lost"] + 1e-12 < 1
    assert overshoot(np.sort(course), 1)["excess"] == 0  # what only grows has nothing to lose
    doubled = overshoot(2 * np.array(course), last)
    assert doubled["excess"] == pytest.approx(found["excess"], abs=1e-9) and doubled["peak"] == 2 * found["peak"]


@pytest.mark.parametrize(
    ("counts", "last", "told"),
    [
        ([1, 2, 3], 3, "the last 3 of 3 counts cannot be the adult ones; give 1 to 2"),
        ([1, 2, 3], 0, "the last 0 of 3 counts cannot be the adult ones; give 1 to 2"),
        ([1, np.nan, 3], 1, "counts of an overshoot are [1, nan, 3]; give a course of finite numbers, 0 or more"),
        ([1, -1, 3], 1, "give a course of finite numbers, 0 or more"),
        ([[1, 2, 3]], 1, "give a course of finite numbers, 0 or more"),
        ([5, 0, 0], 2, "the last 2 of 3 counts are 0, so that the peak has nothing to compare with; give a course that ends earlier"),
    ],
)
def test_courses_that_have_no_overshoot_to_tell(counts, last, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        overshoot(counts, last)


def joined(pre, post, weight, sign="excitatory"):
    """Four sources, two of each eye, and four cells."""
    eyes, exc = ns.create("eyes", "spike_source", 4, sign=sign), ns.create("exc", "leaky_conductance", 4)
    receptor = "g_exc" if sign == "excitatory" else "g_inh"
    return ns.connect(eyes, exc, "static", ns.Pairs(pre, post), receptor=receptor, weight=np.array(weight) * nS)


LEFT, RIGHT = [0, 1], [2, 3]


def test_the_index_of_ocular_dominance():
    """A cell of each kind: the left eye alone, both alike, three quarters from the right; the last has no synapse, so no index."""
    projection = joined([0, 1, 0, 3, 1, 2, 3], [0, 0, 1, 1, 2, 2, 2], [1, 2, 2, 2, 1, 2, 1])
    for left, right, expected in (
        (LEFT, RIGHT, [-1, 0, 0.5]),
        (RIGHT, LEFT, [1, 0, -0.5]),
        (LEFT, [2], [-1, -1, 1 / 3]),  # source 3 is of neither eye
        ([0], [2], [-1, -1, 1]),
    ):
        np.testing.assert_allclose(ocular_dominance(projection, left, right), expected, rtol=1e-12, atol=1e-12)
    stronger = projection.set(weight=projection.weight * 7)
    np.testing.assert_allclose(ocular_dominance(stronger, LEFT, RIGHT), [-1, 0, 0.5], rtol=1e-12, atol=1e-12)


def test_an_index_without_weights_is_none():
    assert np.isnan(ocular_dominance(joined([0, 2], [0, 0], [0, 0]), LEFT, RIGHT)).all()
    assert ocular_dominance(joined([0], [0], [1]), [1], [2]).size == 0


def test_shares_of_a_division_count():
    """Where a source has divided, both twins together count as much as it did; without the shares they would count twice."""
    projection = joined([0, 2], [0, 0], [1, 3])
    eyes, exc = ns.create("eyes", "spike_source", 4), ns.create("exc", "leaky_conductance", 4)
    now = ns.Circuit([eyes, exc], [projection])
    before = ocular_dominance(projection, LEFT, RIGHT)
    after = ns.apply(now, ns.Events.divide("eyes", [2], rng=np.random.default_rng(0), share=0.3))["eyes_to_exc"]
    assert len(after) == 3 and before == pytest.approx([0.5])
    np.testing.assert_allclose(ocular_dominance(after, LEFT, [*RIGHT, 4]), before, rtol=1e-12)
    assert ocular_dominance(after, LEFT, RIGHT) < 0.4


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 10), min_size=4, max_size=4).filter(lambda weights: sum(weights) > 1e-3))
def test_laws_of_the_index(weights):
    projection = joined([0, 1, 2, 3], [0] * 4, weights)
    (index,) = ocular_dominance(projection, LEFT, RIGHT)
    assert -1 <= index <= 1 and ocular_dominance(projection, RIGHT, LEFT)[0] == pytest.approx(-index, abs=1e-12)
    assert (1 + index) / 2 == pytest.approx((weights[2] + weights[3]) / sum(weights), abs=1e-9)  # the share of the right eye


def test_a_source_cannot_be_of_both_eyes():
    told = "source 1 of 'eyes_to_exc' is both left and right; give two groups that have none in common"
    with pytest.raises(ValueError, match=re.escape(told)):
        ocular_dominance(joined([0], [0], [1]), [0, 1], [1, 2])
