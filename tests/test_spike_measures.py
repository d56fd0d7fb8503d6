"""Measures on spike trains against hand-made trains, closed forms, brute-force matching, elephant and PySpike."""

import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from recordings import poisson
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from neurosim.measures import (
    coincidence,
    coincidence_factor,
    coincidences,
    cv,
    isi_distance,
    latency,
    matches,
    rate,
    spike_distance,
    spike_synchronization,
    van_rossum,
    victor_purpura,
)
from neurosim.units import Hz, ms, mV, second

STOP = 10 * second
TRAINS = st.lists(st.integers(0, 1000), max_size=8, unique=True).map(sorted)  # in hundredths of a second


def train(hundredths):
    return np.array(hundredths, dtype=float) * 10 * ms


def padded(trains):
    table = np.full((len(trains), max(map(len, trains), default=0)), np.inf)
    for row, times in zip(table, trains, strict=True):
        row[: len(times)] = times
    return table


# --- coincidences ----------------------------------------------------------------------------------------------------

REGULAR = np.arange(50, 1000, 100) * ms


def test_gamma_of_shifted_trains():
    """A train of 10 Hz shifted by 1 ms is hit whole; shifted by 3 ms, (0 - 0.4) / 10 / 0.96."""
    near, far = (coincidence(REGULAR + shift, REGULAR, 1 * second) for shift in (1 * ms, 3 * ms))
    assert near.gamma == pytest.approx(1, abs=1e-9) and (near.hits, near.misses, near.extras) == (10, 0, 0)
    assert far.gamma == pytest.approx(-0.04 / 0.96, abs=1e-9) and (far.hits, far.misses, far.extras) == (0, 10, 10)
    assert [found.hits for found in coincidences(REGULAR + 3 * ms, REGULAR, 1 * second)] == [0, 0, 10]
    assert [found.hits for found in coincidences(REGULAR - 1 * ms, REGULAR, 1 * second)] == [10, 10, 10]  # at the very precision
    assert coincidence(REGULAR - 1.001 * ms, REGULAR, 1 * second, precision=1 * ms).hits == 0


def test_what_stands_beside_gamma():
    """Model 20 Hz, data 5 Hz, all hit: (5 - 0.08 * 5) / 12.5 / 0.92 = 0.4; swapped, the other rate corrects: (5 - 0.02 * 20) / 12.5 / 0.98."""
    model, data = np.arange(20) * 50 * ms, np.arange(5) * 200 * ms
    found = coincidence(model, data, 1 * second)
    assert found.gamma == pytest.approx(0.4) and found.share == 1
    assert (found.model_rate, found.data_rate) == (20 * Hz, 5 * Hz)
    assert str(found) == "Gamma 0.400 at +-2 ms (5 hits, 0 misses, 15 extras; model 20 Hz, data 5 Hz)"
    swapped = coincidence(data, model, 1 * second)
    assert swapped.gamma == pytest.approx(4.6 / 12.5 / 0.98) and swapped.share == 0.25 and swapped.hits == found.hits


def test_one_train_silent():
    nothing = np.array([]) * ms
    assert coincidence(nothing, REGULAR, 1 * second).gamma == 0 == coincidence(REGULAR, nothing, 1 * second).gamma
    assert np.isnan(coincidence(REGULAR, nothing, 1 * second).share)
    with pytest.raises(ValueError, match="model and data are both silent for 1 s.*take a stronger input or more time"):
        coincidence(nothing, nothing, 1 * second)


def test_a_spike_has_one_partner():
    """A model spike between two of the data hits one of them, and the chain of pairs is as long as it can be."""
    assert coincidence([10] * ms, [9, 11] * ms, 1 * second).hits == 1
    assert coincidence([10, 13] * ms, [8.5, 11.5] * ms, 1 * second).hits == 2  # nearest first would give 10 to 11.5 and one pair only


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), max_size=15, unique=True).map(sorted), min_size=1, max_size=6), st.integers(0, 60), st.data())
def test_matches_are_a_largest_matching(models, precision, data):
    target = data.draw(st.lists(st.integers(0, 60), max_size=15, unique=True).map(sorted))
    expected = []
    for model in models:
        close = np.abs(np.subtract.outer(model, target)) <= precision
        expected.append(int((maximum_bipartite_matching(csr_array(close.astype(int))) >= 0).sum()) if close.size else 0)
    found = matches(padded([np.array(model) * 1e-4 for model in models]), np.array(target) * 1e-4, precision * 1e-4)
    assert found.tolist() == expected


def test_gamma_of_independent_trains_is_zero_on_average():
    """Where a share would be 2 * rate * precision = 4 %; two partners at once, about 0.04^2 of the spikes, are not counted twice."""
    rng, duration, precision = np.random.default_rng(3), 20.0, 2e-3
    data = poisson(rng, 10, duration)
    models = [poisson(rng, 10, duration) for _ in range(2000)]
    jittered = [np.sort((data + rng.normal(0, 2e-3, len(data))).clip(0, duration)) for _ in range(50)]
    means, errors, shares = [], [], []
    for trains in (models, jittered):
        hits = matches(padded(trains), data, precision)
        gamma = coincidence_factor(hits, [len(one) for one in trains], len(data), duration, precision)
        means.append(gamma.mean())
        errors.append(gamma.std() / np.sqrt(len(gamma)))
        shares.append(hits.mean() / len(data))
    assert abs(means[0]) < 0.04**2 + 3 * errors[0] and errors[0] < 1e-3
    assert shares[0] == pytest.approx(0.04, rel=0.1)
    assert means[1] == pytest.approx((0.683 - 0.04) / 0.96, abs=0.05)  # a spike moves by less than one standard deviation


@given(TRAINS.filter(len), TRAINS)
def test_gamma_of_equal_trains_is_the_highest(model, data):
    assert coincidence(train(model), train(model), STOP).gamma == pytest.approx(1)
    assert coincidence(train(model), train(data), STOP).gamma <= 1 + 1e-12


def test_gamma_is_refused_where_chance_hits_all():
    """At 2 * rate * precision of 1 and above it is not defined, and near 1 only noise."""
    fast = np.arange(260) * (1 / 260) * second
    message = (
        "the model fires at 260 Hz, so that 2 * rate * precision is 1.04 at a precision of +-2 ms; Gamma is not defined from 1 on and "
        "only chance above 0.9: take a precision below 1.73 ms."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        coincidence(fast, REGULAR, 1 * second)
    with pytest.raises(ValueError, match=r"the model fires at 240 Hz, .* is 0.96 at"):
        coincidence(fast[:240] * (260 / 240), REGULAR, 1 * second)
    assert coincidence(fast, fast, 1 * second, precision=1.7 * ms).gamma == pytest.approx(1)
    assert coincidence(REGULAR, fast, 1 * second).model_rate == 10 * Hz  # the rate of the data does not matter
    assert np.isnan(coincidence_factor([260, 0], [260, 0], 0, 1.0, 2e-3)).tolist() == [True, True]


# --- one train -------------------------------------------------------------------------------------------------------


def test_rate_cv_and_latency():
    """Intervals 20, 20, 50 ms: mean 30, standard deviation sqrt(200)."""
    times = [10, 30, 50, 100] * ms
    assert rate(times, 2 * second) == 2 * Hz
    assert cv(times) == pytest.approx(np.sqrt(200) / 30) and cv(REGULAR) == pytest.approx(0, abs=1e-12)
    assert np.isnan(cv([10, 30] * ms)) and not np.isnan(cv([10, 30, 40] * ms))
    assert latency(times) == 10 * ms and latency(times, 30 * ms) == 0 * ms and float(latency(times, 31 * ms) / ms) == pytest.approx(19)
    assert np.isnan(latency(times, 101 * ms) / ms) and np.isnan(latency(np.array([]) * ms) / ms)


def test_cv_of_a_poisson_train_is_one():
    times = poisson(np.random.default_rng(0), 20, 1000)
    assert cv(times * second) == pytest.approx(
        1, abs=4 / np.sqrt(len(times))
    )  # its variance is 1/n: 2/n of the deviation, 1/n of the mean, -2/n of both


BAD_TRAINS = [
    ([1, np.nan] * ms, ValueError, "NaN is not a value"),
    ([3, 1] * ms, ValueError, "is not in order of time (0.001 s follows 0.003 s); give the sorted spike times of one cell"),
    ([1, 1] * ms, ValueError, "is not in order of time"),
    ([-1, 1] * ms, ValueError, "has a spike at -0.001 s, but it runs from 0"),
    ([1, np.inf] * ms, ValueError, "has a spike at inf s, but it runs from 0"),
    ([1, 2] * mV, TypeError, "needs the dimension of second"),
    (np.array([1.0, 2.0]), TypeError, "without a unit"),
    ([[1, 2], [3, 4]] * ms, ValueError, "has shape (2, 2); give its spike times in one row"),
    (1 * ms, ValueError, "has shape ()"),
]


@pytest.mark.parametrize(("times", "error", "message"), BAD_TRAINS)
def test_bad_trains(times, error, message):
    calls = [
        cv,
        latency,
        lambda one: rate(one, 1 * second),
        lambda one: coincidence(one, REGULAR, 1 * second),
        lambda one: coincidence(REGULAR, one, 1 * second),
        lambda one: victor_purpura(one, REGULAR, 1 * Hz),
        lambda one: van_rossum(REGULAR, one, 1 * ms),
        lambda one: isi_distance(one, REGULAR, 0 * ms, 1 * second),
        lambda one: spike_distance(REGULAR, one, 0 * ms, 1 * second),
        lambda one: spike_synchronization(REGULAR, one, 0 * ms, 1 * second),
    ]
    for call in calls:
        with pytest.raises(error, match=re.escape(message)):
            call(times)
        call([1, 3] * ms)


def test_trains_that_leave_their_ends():
    for call in (lambda stop: rate(REGULAR, stop), lambda stop: coincidence(REGULAR, REGULAR, stop)):
        with pytest.raises(ValueError, match=re.escape("has a spike at 0.95 s, but it runs from 0 to 0.94 s; shift or cut its times")):
            call(940 * ms)
        call(950 * ms)
    with pytest.raises(ValueError, match=re.escape("train of b has a spike at 0.05 s, but it runs from 0.06 to 2 s")):
        isi_distance([100] * ms, REGULAR, 60 * ms, 2 * second)
    with pytest.raises(ValueError, match="the trains run from 1. s to 1. s; give a stop after the start"):
        spike_distance(REGULAR, REGULAR, 1 * second, 1 * second)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rate(REGULAR, 0 * second), ValueError, "duration is 0. s; give one value above zero"),
        (
            lambda: coincidence(REGULAR, REGULAR, 1 * second, precision=-1 * ms),
            ValueError,
            "precision is -1. ms; give one value above zero",
        ),
        (lambda: coincidence(REGULAR, REGULAR, 1 * mV), TypeError, "duration is 1. mV, but it needs the dimension of second"),
        (lambda: van_rossum(REGULAR, REGULAR, 0 * ms), ValueError, "tau is 0. s; give one value above zero"),
        (lambda: victor_purpura(REGULAR, REGULAR, -1 * Hz), ValueError, "cost is -1. Hz; give one value of 0 Hz or above"),
        (lambda: victor_purpura(REGULAR, REGULAR, 1 * ms), TypeError, "needs the dimension of Hz"),
    ],
)
def test_bad_settings(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


# --- distances -------------------------------------------------------------------------------------------------------


def test_published_distances():
    """The examples of the test suites of elephant (Victor-Purpura, van Rossum) and PySpike."""
    assert victor_purpura([12, 32] * ms, [18, 60] * ms, 0.1 / ms) == pytest.approx(2.6, abs=1e-9)
    assert victor_purpura([12, 32] * ms, [32, 52] * ms, 0.01 / ms) == pytest.approx(0.4, abs=1e-9)
    assert van_rossum([12, 32] * ms, [32, 52] * ms, 100 * ms) == pytest.approx(0.812010, abs=1e-6)
    assert van_rossum([10, 20, 30] * ms, [12, 24, 30] * ms, 10 * ms) == pytest.approx(0.983968, abs=1e-6)
    assert spike_distance([0, 2, 5, 8] * second, [0, 1, 5, 9] * second, 0 * second, STOP) == pytest.approx(0.186309523809524, abs=1e-9)
    a, b = [0.2, 0.4, 0.6, 0.7] * second, [0.3, 0.45, 0.8, 0.9, 0.95] * second
    assert isi_distance(a, b, 0 * second, 1 * second) == pytest.approx(0.4375, abs=1e-9)
    assert spike_synchronization([1, 2, 3] * second, [2.1] * second, 0 * second, 4 * second) == pytest.approx(0.5, abs=1e-9)


def test_van_rossum_in_closed_form():
    """Spikes in both trains cancel; the rest is the sum of exp(-|t - t'|/tau) over all pairs, negative between the trains."""
    assert van_rossum([12, 32] * ms, [32, 52] * ms, 100 * ms) == pytest.approx(np.sqrt(2 - 2 * np.exp(-0.4)), abs=1e-9)
    pairs = -np.exp(-0.2) + np.exp(-1) - np.exp(-1.4) - np.exp(-0.8) + np.exp(-1.2) - np.exp(-0.4)
    assert van_rossum([10, 20, 30] * ms, [12, 24, 30] * ms, 10 * ms) == pytest.approx(np.sqrt(4 + 2 * pairs), abs=1e-9)
    assert van_rossum([7] * ms, np.array([]) * ms, 3 * ms) == pytest.approx(1, abs=1e-12)
    assert van_rossum(REGULAR, REGULAR[:7], 1e6 * second) == pytest.approx(3, abs=1e-5)  # counts alone
    assert van_rossum(REGULAR, REGULAR + 10 * ms, 0.1 * ms) == pytest.approx(np.sqrt(20), abs=1e-9)  # strangers


def test_limits_of_victor_purpura():
    assert victor_purpura(REGULAR, REGULAR[:7] + 10 * ms, 0 * Hz) == 3
    assert victor_purpura(REGULAR, REGULAR[:7] + 10 * ms, 1000 * Hz) == 17
    assert victor_purpura(REGULAR, REGULAR[:7] + 10 * ms, 199 * Hz) == pytest.approx(3 + 7 * 1.99)
    assert victor_purpura(np.array([]) * ms, REGULAR, 5 * Hz) == 10


METRICS = {
    "victor_purpura": lambda a, b: victor_purpura(a, b, 3 * Hz),
    "van_rossum": lambda a, b: van_rossum(a, b, 400 * ms),
    "isi_distance": lambda a, b: isi_distance(a, b, 0 * second, STOP),
}


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=60)
@given(TRAINS, TRAINS, TRAINS)
@example([], [500], [1000])
def test_metric_axioms(name, a, b, c):
    distance = METRICS[name]
    a, b, c = train(a), train(b), train(c)
    assert distance(a, a) == pytest.approx(0, abs=1e-12) and distance(a, b) == pytest.approx(distance(b, a), abs=1e-12)
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-9
    if name != "isi_distance" and not np.array_equal(a, b):  # the intervals of [] and of [0] are the same
        assert distance(a, b) > 1e-4


@settings(deadline=None, max_examples=60)
@given(TRAINS, TRAINS)
@example([76], [52, 100])  # just half an interval apart, which is no coincidence
def test_bounds_of_the_time_scale_free_measures(a, b):
    a, b = train(a), train(b)
    for measure, equal in ((isi_distance, 0), (spike_distance, 0), (spike_synchronization, 1)):
        assert measure(a, a, 0 * second, STOP) == pytest.approx(equal, abs=1e-12)
        assert 0 <= measure(a, b, 0 * second, STOP) <= 1
        assert measure(a, b, 0 * second, STOP) == pytest.approx(measure(b, a, 0 * second, STOP), abs=1e-12)
        late = measure(a + 3 * second, b + 3 * second, 3 * second, STOP + 3 * second)
        assert late == pytest.approx(measure(a, b, 0 * second, STOP), abs=1e-9)


def random_pairs(number):
    """Pairs of trains in seconds, of 0 to 12 spikes, a third of them with spikes in common; the first few empty or of one spike."""
    rng = np.random.default_rng(11)
    sizes = [(0, 0), (0, 1), (1, 0), (1, 1), (0, 5), (1, 6), *rng.integers(0, 13, (number, 2)).tolist()]
    for place, (first, other) in enumerate(sizes):
        a, b = (np.sort(rng.uniform(0.01, 10, size)) for size in (first, other))
        yield (np.unique(a.round() + 0.25), np.unique(b.round() + 0.25)) if place % 3 == 2 else (a, b)


@pytest.mark.peers
def test_against_pyspike():
    pyspike = pytest.importorskip("pyspike")
    pairs = [(a[a < 10], b[b < 10]) for a, b in random_pairs(200)]
    for ours, theirs in (
        (isi_distance, pyspike.isi_distance),
        (spike_distance, pyspike.spike_distance),
        (spike_synchronization, pyspike.spike_sync),
    ):
        found = [ours(a * second, b * second, 0 * second, STOP) for a, b in pairs]
        expected = [theirs(pyspike.SpikeTrain(a, (0, 10)), pyspike.SpikeTrain(b, (0, 10))) for a, b in pairs]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
        assert np.ptp(expected) > 0.5


@pytest.mark.peers
def test_against_elephant():
    elephant = pytest.importorskip("elephant.spike_train_dissimilarity")
    neo, pq = pytest.importorskip("neo"), pytest.importorskip("quantities")

    def theirs(times):
        return neo.SpikeTrain(times, units="s", t_stop=11)

    for a, b in random_pairs(100):
        trains = [theirs(a), theirs(b)]
        assert victor_purpura(a * second, b * second, 2 * Hz) == pytest.approx(
            elephant.victor_purpura_distance(trains, 2 * pq.Hz)[0, 1], abs=1e-9
        )
        assert van_rossum(a * second, b * second, 300 * ms) == pytest.approx(
            elephant.van_rossum_distance(trains, 0.3 * pq.s)[0, 1],
            abs=1e-7,  # the root of a sum that cancels
        )
