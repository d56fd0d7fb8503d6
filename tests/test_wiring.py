"""Wirings: degrees, distinctness, autapses, probabilities, what newborn cells are wired with, cost."""

import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurosim.randomness import generator
from neurosim.units import metre, mV, um
from neurosim.wiring import AllToAll, DistanceKernel, FixedInDegree, FixedProbability, OneToOne, Pairs, Side, from_specification

SIZES = st.integers(0, 25)
SEEDS = st.integers(0, 1000)
QUICK = settings(max_examples=60, deadline=None)


def placed(size, seed=0):
    return Side(size, generator(seed, "positions").random((size, 3)) * 1e-4)


def independent_wirings():
    flags = {"autapses": st.booleans(), "contacts": st.integers(1, 3)}
    chance = st.floats(0, 1)
    return st.one_of(
        st.builds(AllToAll, **flags),
        st.builds(FixedProbability, chance, **flags),
        st.builds(DistanceKernel, st.sampled_from(["gaussian", "exponential"]), st.just(50 * um), peak=chance, **flags),
    )


def sides(size, other, same):
    source = placed(size)
    return (source, source) if same else (source, placed(other, 1))


def check_pairs(wiring, source, target, same, pre, post):
    """Fail unless pairs are sorted, in range, as often as there are contacts, and without autapses where they are unwanted."""
    assert pre.dtype == post.dtype == np.int64 and pre.shape == post.shape
    keys = pre * max(target.size, 1) + post
    assert (np.diff(keys) >= 0).all()
    if pre.size:
        assert pre.min() >= 0 and pre.max() < source.size and post.min() >= 0 and post.max() < target.size
    _, repeats = np.unique(keys, return_counts=True)
    assert (repeats == wiring.contacts).all()
    assert not same or wiring.autapses or not (pre == post).any()


@QUICK
@given(wiring=independent_wirings(), size=SIZES, other=SIZES, same=st.booleans(), seed=SEEDS)
def test_pairs_are_distinct_sorted_and_keep_the_autapse_policy(wiring, size, other, same, seed):
    source, target = sides(size, other, same)
    pre, post = wiring.pairs(source, target, same, generator(seed, "w"))
    check_pairs(wiring, source, target, same, pre, post)
    again = wiring.pairs(source, target, same, generator(seed, "w"))
    assert np.array_equal(pre, again[0]) and np.array_equal(post, again[1])


def test_the_check_of_pairs_can_fail():
    side = Side(3)
    for pre, post in (([0, 0], [1, 1]), ([1, 0], [0, 1]), ([1], [1]), ([0], [3])):
        with pytest.raises(AssertionError):
            check_pairs(AllToAll(), side, side, True, np.array(pre), np.array(post))


@QUICK
@given(size=st.integers(1, 25), other=SIZES, autapses=st.booleans(), contacts=st.integers(1, 3))
def test_all_to_all_joins_everyone(size, other, autapses, contacts):
    wiring = AllToAll(autapses, contacts)
    assert wiring.pairs(Side(size), Side(other), False, None)[0].size == size * other * contacts
    assert wiring.pairs(Side(size), Side(size), True, None)[0].size == size * (size - (not autapses)) * contacts


@QUICK
@given(data=st.data(), size=st.integers(2, 25), other=SIZES, same=st.booleans(), autapses=st.booleans(), seed=SEEDS)
def test_in_degrees_are_exact(data, size, other, same, autapses, seed):
    contacts = data.draw(st.integers(1, 3))
    wiring = FixedInDegree(data.draw(st.integers(0, size - 1)), autapses, contacts=contacts)
    source, target = Side(size), Side(size if same else other)
    pre, post = wiring.pairs(source, target, same, generator(seed, "w"))
    check_pairs(wiring, source, target, same, pre, post)
    assert (np.bincount(post, minlength=target.size) == wiring.degree * contacts).all()


@pytest.mark.parametrize("degree", [2, 7])
def test_in_degree_draws_every_source_equally_often(degree):
    pre, _ = FixedInDegree(degree).pairs(Side(10), Side(20_000), False, generator(1, "w"))
    chance = degree / 10
    deviation = (np.bincount(pre, minlength=10) / 20_000 - chance) / math.sqrt(chance * (1 - chance) / 20_000)
    assert np.abs(deviation).max() < 4


def test_in_degree_with_multapses_repeats_and_without_does_not():
    source = Side(3)
    pre, post = FixedInDegree(8, multapses=True).pairs(source, source, True, generator(1, "w"))
    assert (np.bincount(post) == 8).all() and not (pre == post).any()
    assert np.unique(pre * 3 + post).size < pre.size
    pre, post = FixedInDegree(2).pairs(source, source, True, generator(1, "w"))
    assert np.unique(pre * 3 + post).size == pre.size == 6


@pytest.mark.parametrize("probability", [1e-3, 0.1, 0.5, 0.93])
def test_probability_is_met_within_binomial_error_for_cells_and_pairs(probability):
    side = Side(600)
    pre, post = FixedProbability(probability).pairs(side, side, True, generator(1, "w"))
    trials = 600 * 599
    spread = math.sqrt(trials * probability * (1 - probability))
    assert abs(pre.size - trials * probability) < 4 * spread
    assert abs(pre.size - trials * probability * 1.3) > 4 * spread
    for ends in (pre, post):
        degrees = np.bincount(ends, minlength=600)
        assert degrees.var() == pytest.approx(599 * probability * (1 - probability), rel=0.3)


def test_probability_zero_joins_nobody_and_one_everybody():
    side = Side(20)
    assert FixedProbability(0).pairs(side, side, True, generator(1, "w"))[0].size == 0
    assert FixedProbability(1).pairs(side, side, True, generator(1, "w"))[0].size == 20 * 19
    assert FixedProbability(1e-300).pairs(side, side, True, generator(1, "w"))[0].size == 0


def test_a_large_sparse_network_takes_memory_for_its_synapses_only():
    side = Side(100_000)
    tracemalloc.start()
    pre, _ = FixedProbability(1e-6).pairs(side, side, True, generator(1, "w"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert abs(pre.size - 1e4) < 4 * 1e2
    assert peak < 2e7


@pytest.mark.parametrize(("kernel", "form"), [("gaussian", lambda d: np.exp(-(d**2) / 2)), ("exponential", lambda d: np.exp(-d))])
def test_distance_kernel_follows_its_closed_form(kernel, form):
    side = placed(1500)
    wiring = DistanceKernel(kernel, 30 * um, peak=0.8)
    assert wiring.probability(60 * um) == pytest.approx(0.8 * form(2.0))
    pre, post = wiring.pairs(side, side, True, generator(1, "w"))
    distance = np.sqrt(((side.position[:, None] - side.position) ** 2).sum(axis=2))
    made = np.zeros(distance.shape, dtype=bool)
    made[pre, post] = True
    bins = np.digitize(distance, np.linspace(0, 1.5e-4, 16))
    bins[np.diag_indices(1500)] = -1
    scores, control = [], []
    for ring in range(1, 16):
        expected = 0.8 * form(distance[bins == ring] / 30e-6)
        spread = np.sqrt((expected * (1 - expected)).sum())
        scores.append((made[bins == ring].sum() - expected.sum()) / spread)
        control.append((made[bins == ring].sum() - 1.1 * expected.sum()) / spread)
    assert np.abs(scores).max() < 4
    assert np.abs(control).max() > 4


def test_the_blocks_of_a_distance_kernel_do_not_show(monkeypatch):
    side = placed(60)
    wiring = DistanceKernel("gaussian", 50 * um)
    whole = wiring.pairs(side, side, True, generator(1, "w"))
    monkeypatch.setattr("neurosim.wiring._BLOCK", 200)
    parts = wiring.pairs(side, side, True, generator(1, "w"))
    assert np.array_equal(whole, parts)
    assert not np.array_equal(whole[0], wiring.pairs(side, side, True, generator(2, "w"))[0])


def test_one_to_one_and_pairs_join_who_is_named():
    pre, post = OneToOne(contacts=2).pairs(Side(3), Side(3), False, None)
    assert pre.tolist() == post.tolist() == [0, 0, 1, 1, 2, 2]
    wiring = Pairs([2, 0, 2, 0], [1, 3, 1, 0])
    pre, post = wiring.pairs(Side(3), Side(4), False, None)
    assert list(zip(pre.tolist(), post.tolist(), strict=True)) == [(0, 0), (0, 3), (2, 1), (2, 1)]
    assert wiring.order.tolist() == [3, 1, 0, 2]
    assert Pairs([], []).pairs(Side(3), Side(4), False, None)[0].size == 0


@QUICK
@given(wiring=independent_wirings(), data=st.data(), same=st.booleans(), seed=SEEDS)
def test_newborn_pairs_all_touch_a_newborn(wiring, data, same, seed):
    source, target = sides(data.draw(SIZES), data.draw(SIZES), same)
    masks = [np.array(data.draw(st.lists(st.booleans(), min_size=side.size, max_size=side.size)), dtype=bool) for side in (source, target)]
    masks = [masks[0], masks[0]] if same else masks
    pre, post = wiring.newborn_pairs(source, target, same, *masks, generator(seed, "w"))
    check_pairs(wiring, source, target, same, pre, post)
    assert (masks[0][pre] | masks[1][post]).all()
    if isinstance(wiring, AllToAll):
        every = wiring.pairs(source, target, same, None)
        touched = masks[0][every[0]] | masks[1][every[1]]
        assert np.array_equal(pre, every[0][touched]) and np.array_equal(post, every[1][touched])
        assert touched.all() or pre.size < every[0].size


def test_newborn_pairs_have_the_probability_of_the_wiring():
    side, new = Side(1000), np.arange(1000) < 50
    pre, _ = FixedProbability(0.1).newborn_pairs(side, side, True, new, new, generator(1, "w"))
    trials = 1000 * 999 - 950 * 949
    assert abs(pre.size - 0.1 * trials) < 4 * math.sqrt(0.09 * trials)
    assert abs(pre.size - 0.1 * trials * 1.1) > 4 * math.sqrt(0.09 * trials)


@QUICK
@given(new=st.lists(st.booleans(), min_size=8, max_size=8), seed=SEEDS, multapses=st.booleans())
def test_only_newborn_targets_draw_their_in_degree(new, seed, multapses):
    side, new = Side(8), np.array(new)
    wiring = FixedInDegree(3, multapses=multapses)
    pre, post = wiring.newborn_pairs(side, side, True, new, new, generator(seed, "w"))
    assert np.array_equal(np.bincount(post, minlength=8), 3 * new)
    assert not (pre == post).any()


@pytest.mark.parametrize("wiring", [OneToOne(), Pairs([0], [1])])
def test_wirings_that_name_cells_wire_no_newborn(wiring):
    assert not wiring.repeatable and AllToAll().repeatable
    new = np.array([False, True])
    with pytest.raises(ValueError, match=f"{type(wiring).__name__} names fixed cells, so it cannot wire a newborn"):
        wiring.newborn_pairs(Side(2), Side(2), False, new, new, generator(1, "w"))


@pytest.mark.parametrize(
    "wiring",
    [
        AllToAll(True, 2),
        OneToOne(3),
        FixedProbability(np.float64(0.1)),
        FixedInDegree(np.int64(4), multapses=True),
        DistanceKernel("exponential", 30 * um, 0.5),
        Pairs([1, 0], [2, 2]),
    ],
    ids=lambda wiring: type(wiring).__name__,
)
def test_specification_goes_through_json(wiring):
    again = from_specification(json.loads(json.dumps(wiring.specification())))
    assert again == wiring
    assert again != FixedProbability(0.2) and again != Pairs([1, 0], [2, 1])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: FixedProbability(1.1), ValueError, "probability of FixedProbability is 1.1, but it needs to be a number from 0 to 1"),
        (lambda: FixedProbability(float("nan")), ValueError, "probability of FixedProbability is nan"),
        (lambda: FixedProbability("0.1"), ValueError, "probability of FixedProbability is '0.1'"),
        (lambda: FixedInDegree(-1), ValueError, "degree of FixedInDegree is -1, but it needs to be an integer of 0 or more"),
        (lambda: FixedInDegree(2.5), TypeError, "degree of FixedInDegree is 2.5, but it needs to be an integer"),
        (lambda: AllToAll(contacts=0), ValueError, "contacts of AllToAll is 0, but it needs to be an integer of 1 or more"),
        (lambda: DistanceKernel("gauss", 1 * um), ValueError, "kernel of DistanceKernel is 'gauss', but .*'gaussian'"),
        (lambda: DistanceKernel("gaussian", 1 * mV), TypeError, "scale of DistanceKernel is 1. mV, but it needs the dimension of met"),
        (lambda: DistanceKernel("gaussian", 0 * metre), ValueError, "scale of DistanceKernel is .*, but it needs to be above 0"),
        (lambda: DistanceKernel("gaussian"), ValueError, "DistanceKernel has no scale; give the length over which its kernel falls"),
        (lambda: DistanceKernel("gaussian", 1 * um, peak=2), ValueError, "peak of DistanceKernel is 2, but"),
        (lambda: Pairs([0.5], [1]), TypeError, r"pre of Pairs is \[0.5\], but it needs to be a list of cell ids"),
        (lambda: Pairs([0, 1], [1]), ValueError, "Pairs has 2 pre and 1 post cells, but"),
        (lambda: Side(3, np.zeros((2, 3))), ValueError, r"position has the shape \(2, 3\), but it needs \(3, 3\)"),
        (lambda: from_specification({"wiring": "AllToAl"}), ValueError, "wiring 'AllToAl' is unknown; .* Did you mean 'AllToAll'"),
    ],
)
def test_a_wrong_parameter_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    ("wiring", "source", "target", "same", "message"),
    [
        (OneToOne(), Side(2), Side(3), False, "OneToOne joins 2 source to 3 target cells, but it needs equal sizes"),
        (OneToOne(), Side(2), Side(2), True, "nothing but autapses; name them with Pairs"),
        (Pairs([0, 5], [0, 0]), Side(5), Side(1), False, "pre of Pairs holds the cell 5, but the population has 5 cells"),
        (Pairs([0], [-1]), Side(5), Side(1), False, "post of Pairs holds the cell -1, but the population has 1 cells"),
        (FixedInDegree(3), Side(3), Side(3), True, "degree of FixedInDegree is 3, but only 2 source cells are available; lower"),
        (FixedInDegree(1, multapses=True), Side(0), Side(3), False, "only 0 source cells are available; add source cells"),
        (DistanceKernel("gaussian", 1 * um), Side(3), placed(3), False, "no position for some cell of the source population"),
        (DistanceKernel("gaussian", 1 * um), placed(3), Side(3, np.full((3, 3), np.nan)), False, "some cell of the target population"),
        (AllToAll(), Side(2), Side(3), True, "same is True for 2 source and 3 target cells"),
    ],
)
def test_pairs_refuses(wiring, source, target, same, message):
    with pytest.raises(ValueError, match=message):
        wiring.pairs(source, target, same, generator(1, "w"))


def test_a_mask_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"new_target has the type bool and shape \(2,\), but .* shape \(3,\)"):
        AllToAll().newborn_pairs(Side(3), Side(3), True, np.zeros(3, bool), np.zeros(2, bool), None)
