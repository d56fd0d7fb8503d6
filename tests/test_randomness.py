"""Random numbers: published vectors, distributions, independence of everything but key, id and step, equality of the targets."""

import os
import shutil

import brian2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from neurosim import randomness
from neurosim.backends import noise

IDS = np.arange(20_000)
KEY = randomness.stream_key(1, "test")
ONES = 2**64 - 1


def words(key, a, b):
    first, second = randomness.philox(key, a, b)
    low = 0xFFFFFFFF
    return [int(first) & low, int(first) >> 32, int(second) & low, int(second) >> 32]


@pytest.mark.parametrize(
    ("key", "a", "b", "expected"),
    [
        (0, 0, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
        (ONES, ONES, ONES, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
        (0x299F31D0A4093822, 0x85A308D3243F6A88, 0x0370734413198A2E, [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
    ],
)
def test_philox_gives_the_published_vectors(key, a, b, expected):
    assert words(key, a, b) == expected
    assert words(key ^ 1, a, b) != expected


def test_philox_broadcasts_and_counts_negative_integers_as_twos_complement():
    first, second = randomness.philox(KEY, np.arange(3)[:, None], np.arange(4))
    assert first.shape == second.shape == (3, 4)
    assert words(KEY, 2, 3) == words(KEY, np.int64(2), np.uint64(3))
    assert words(KEY, -1, 0) == words(KEY, ONES, 0)


def test_an_id_that_is_not_an_integer_is_refused():
    with pytest.raises(TypeError, match="type float64, but it needs to be an integer"):
        randomness.uniform(KEY, np.array([0.5]), 0)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**70), name=st.text(max_size=20))
def test_stream_key_depends_on_seed_and_name_alone(seed, name):
    key = randomness.stream_key(seed, name)
    assert 0 <= key < 2**64
    assert key == randomness.stream_key(seed, name)
    assert key != randomness.stream_key(seed + 1, name)
    assert key != randomness.stream_key(seed, name + "x")


@pytest.mark.parametrize(
    ("seed", "name", "error", "message"),
    [
        (-1, "x", ValueError, "seed is -1, but"),
        (1.0, "x", TypeError, r"seed is 1\.0, but"),
        (True, "x", TypeError, "seed is True, but"),
        (1, 2, TypeError, "name of a random stream is 2, but"),
    ],
)
def test_stream_key_refuses(seed, name, error, message):
    with pytest.raises(error, match=message):
        randomness.stream_key(seed, name)


def test_generator_repeats_for_one_stream_and_differs_between_streams():
    draws = randomness.generator(1, "rule").random(5)
    assert np.array_equal(draws, randomness.generator(1, "rule").random(5))
    assert not np.array_equal(draws, randomness.generator(1, "other").random(5))
    assert not np.array_equal(draws, randomness.generator(2, "rule").random(5))


def test_uniform_is_uniform_and_normal_is_normal():
    flat, bell = randomness.uniform(KEY, IDS, 7), randomness.normal(KEY, IDS, 7)
    assert flat.min() >= 0 and flat.max() < 1
    assert stats.kstest(flat, "uniform").pvalue > 0.01
    assert stats.kstest(bell, "norm").pvalue > 0.01
    assert stats.kstest(flat**1.05, "uniform").pvalue < 1e-4
    assert stats.kstest(1.05 * bell + 0.02, "norm").pvalue < 1e-4


def test_neighbouring_ids_steps_and_keys_are_uncorrelated():
    here = randomness.normal(KEY, IDS, 7)
    for other in (randomness.normal(KEY, IDS + 1, 7), randomness.normal(KEY, IDS, 8), randomness.normal(KEY ^ 1, IDS, 7)):
        assert abs(np.corrcoef(here, other)[0, 1]) < 4 / np.sqrt(IDS.size)
    assert np.corrcoef(here, randomness.normal(KEY, IDS, 7))[0, 1] == pytest.approx(1)


@pytest.mark.parametrize("mean", [0.01, 0.7, 5.0, 60.0, 700.0])
def test_poisson_counts_have_the_poisson_distribution(mean):
    counts = randomness.poisson(KEY, IDS, 3, mean, np.exp(-mean))
    expected = stats.poisson(mean).ppf(randomness.uniform(KEY, IDS, 3))
    # Rounding may move a draw that lies on the edge between two counts.
    assert np.mean(counts != expected) < 1e-3
    assert np.abs(counts - expected).max() <= 1
    assert np.mean(stats.poisson(1.1 * mean).ppf(randomness.uniform(KEY, IDS, 3)) != counts) > 1e-3 * min(mean, 1)


def test_poisson_of_mean_zero_never_counts_and_means_broadcast():
    counts = randomness.poisson(KEY, IDS[:, None], 0, np.array([0.0, 3.0]), np.exp([-0.0, -3.0]))
    assert counts.shape == (IDS.size, 2) and counts.dtype == np.int64
    assert not counts[:, 0].any()
    assert counts[:, 1].mean() == pytest.approx(3, abs=4 * np.sqrt(3 / IDS.size))


@pytest.mark.parametrize("mean", [-0.1, 701.0, np.nan])
def test_poisson_refuses_a_mean_out_of_range(mean):
    with pytest.raises(ValueError, match=f"mean of a Poisson draw is {mean}, but .* between 0 and 700; lower"):
        randomness.poisson(KEY, IDS, 0, mean, 0.5)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_removing_and_permuting_cells_changes_nobody_elses_numbers(data):
    kept = np.array(data.draw(st.lists(st.integers(0, 199), min_size=1, unique=True)))
    for function, more in ((randomness.uniform, ()), (randomness.normal, ()), (randomness.poisson, (2.0, np.exp(-2.0)))):
        everyone = function(KEY, np.arange(200), 11, *more)
        assert np.array_equal(everyone[kept], function(KEY, kept, 11, *more))


def test_key_halves_join_to_the_key():
    upper, lower = noise.key_halves(KEY)
    assert (int(upper) << 32) | int(lower) == KEY
    assert noise.key_halves(ONES) == (2.0**32 - 1, 2.0**32 - 1)


@pytest.fixture
def strict_arithmetic():
    preferences = {
        "codegen.cpp.extra_compile_args_gcc": ["-w", "-O3", "-march=native", "-ffp-contract=off", "-std=c++11"],
        "codegen.runtime.cython.cache_dir": os.path.expanduser("~/.cache/neurosim/cython-strict"),
        "codegen.target": "numpy",
    }
    before = {name: brian2.prefs[name] for name in preferences}
    for name, value in preferences.items():
        brian2.prefs[name] = value
    yield
    for name, value in before.items():
        brian2.prefs[name] = value


def simulated(target, key, steps=5):
    """Return the last uniform numbers, the summed normal numbers and the summed counts of 500 cells in Brian2."""
    brian2.prefs["codegen.target"] = target
    means = np.resize([0.0, 0.01, 2.5, 100.0, 700.0], 500)
    upper, lower = noise.key_halves(key)
    cells = brian2.NeuronGroup(
        500,
        "u : 1\nz : 1\nk : 1\nmean : 1 (constant)\nexp_minus_mean : 1 (constant)\ncell_id : integer (constant)",
        name="noisy_cells",
        namespace={
            "philox_uniform": noise.philox_uniform,
            "philox_normal": noise.philox_normal,
            "philox_poisson": noise.philox_poisson,
            "key_hi": upper,
            "key_lo": lower,
        },
    )
    cells.cell_id = np.arange(500) * 4_000_000 + 5
    cells.mean = means
    cells.exp_minus_mean = np.exp(-means)
    cells.run_regularly(
        """u = philox_uniform(key_hi, key_lo, cell_id, t_in_timesteps)
        z += philox_normal(key_hi, key_lo, cell_id, t_in_timesteps)
        k += philox_poisson(key_hi, key_lo, cell_id, t_in_timesteps, mean, exp_minus_mean)""",
        name="noisy_draws",
    )
    brian2.Network(cells).run(steps * brian2.defaultclock.dt, namespace={})
    return np.array(cells.u), np.array(cells.z), np.array(cells.k)


def expected_draws(key, steps=5):
    ids = np.arange(500) * 4_000_000 + 5
    means = np.resize([0.0, 0.01, 2.5, 100.0, 700.0], 500)
    times = np.arange(steps)[:, None]
    counts = randomness.poisson(key, ids, times, means, np.exp(-means)).sum(axis=0)
    return randomness.uniform(key, ids, steps - 1), randomness.normal(key, ids, times).sum(axis=0), counts


def test_brian2_on_numpy_draws_the_same_numbers(strict_arithmetic):
    for key in (KEY, ONES, 0):
        for found, expected in zip(simulated("numpy", key), expected_draws(key), strict=True):
            assert np.allclose(found, expected, rtol=0, atol=1e-14)
    assert not np.allclose(simulated("numpy", KEY)[0], expected_draws(KEY + 1)[0])


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_brian2_on_cython_draws_the_same_numbers(strict_arithmetic):
    for key in (KEY, ONES, 0):
        uniform, normal, counts = simulated("cython", key, steps=1)
        same = expected_draws(key, steps=1)
        assert np.array_equal(uniform, same[0])
        assert np.allclose(normal, same[1], rtol=1e-15, atol=0)
        assert np.array_equal(counts, same[2])
    assert not np.array_equal(simulated("cython", KEY)[2], expected_draws(KEY + 1)[2])
