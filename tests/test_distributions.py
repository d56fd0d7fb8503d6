"""Distributions: their moments and shape, their checks, and what `draw` accepts."""

import json
import math
import re

import numpy as np
import pytest
from brian2 import get_dimensions
from scipy import stats

from neurosim.distributions import Exponential, LogNormal, Normal, Steps, Uniform, draw, from_specification
from neurosim.randomness import generator
from neurosim.units import ms, mV, nS, siemens, volt

CASES = [
    (Normal(-60 * mV, 5 * mV), stats.norm(-60e-3, 5e-3)),
    (LogNormal(1 * nS, 0.5), stats.lognorm(0.5, scale=1e-9)),
    (Uniform(1 * ms, 4 * ms), stats.uniform(1e-3, 3e-3)),
    (Exponential(2 * nS), stats.expon(scale=2e-9)),
    (Normal(1.0, 0.25), stats.norm(1.0, 0.25)),
]


@pytest.mark.parametrize(("distribution", "reference"), CASES, ids=lambda case: type(case).__name__)
def test_samples_follow_the_distribution(distribution, reference):
    sample = distribution.sample(5000, generator(1, "sample"))
    assert get_dimensions(sample) is get_dimensions(distribution.unit)
    values = np.asarray(sample)
    assert values.shape == (5000,)
    assert stats.kstest(values, reference.cdf).pvalue > 0.01
    assert stats.kstest(values * 1.1, reference.cdf).pvalue < 1e-3
    assert values.mean() == pytest.approx(reference.mean(), abs=4 * reference.std() / math.sqrt(5000))


@pytest.mark.parametrize(("distribution", "reference"), CASES, ids=lambda case: type(case).__name__)
def test_quantiles_are_those_of_the_distribution(distribution, reference):
    parts = np.array([0.0, 1e-12, 0.025, 0.5, 0.9, 1 - 1e-9, 1.0])
    values = distribution.quantile(parts)
    assert get_dimensions(values) is get_dimensions(distribution.unit)
    np.testing.assert_allclose(np.asarray(values), reference.ppf(parts), rtol=1e-9)
    assert not np.allclose(np.asarray(distribution.quantile(0.4)), reference.ppf(0.6), rtol=1e-3, atol=0)  # the control: the other tail
    for wrong in (-0.1, 1.1, [0.5, np.nan]):
        with pytest.raises(ValueError, match=f"a quantile of {type(distribution).__name__} is asked for .*; give numbers from 0 to 1"):
            distribution.quantile(wrong)


def test_quantiles_without_spread():
    assert np.asarray(Normal(2.0, 0.0).quantile([0.0, 0.3, 1.0])).tolist() == [2, 2, 2]
    assert np.asarray(LogNormal(2.0, 0.0).quantile(0.0)) == 2 and np.asarray(Uniform(3.0, 3.0).quantile(1.0)) == 3


@pytest.mark.parametrize(("distribution", "reference"), CASES, ids=lambda case: type(case).__name__)
def test_specification_goes_through_json(distribution, reference):
    again = from_specification(json.loads(json.dumps(distribution.specification())))
    assert again == distribution
    assert np.array_equal(again.sample(9, generator(3, "x")), distribution.sample(9, generator(3, "x")))
    assert again != Exponential(3 * nS)


def test_steps_are_drawn_as_often_each():
    """Whole steps above the lowest value, the highest included although 0.3/0.1 rounds; against a rounded uniform one, whose ends are rarer."""
    steps = Steps(1 * ms, 1.3 * ms, 0.1 * ms)
    values = np.asarray(steps.sample(4000, generator(1, "sample")))
    expected = 1e-3 + 1e-4 * np.arange(4)
    found = np.round((values - 1e-3) / 1e-4).astype(int)
    np.testing.assert_allclose(values, expected[found], rtol=1e-12)
    assert stats.chisquare(np.bincount(found, minlength=4)).pvalue > 0.01
    rounded = np.round(np.asarray(Uniform(0.0, 3.0).sample(4000, generator(1, "sample")))).astype(int)
    assert stats.chisquare(np.bincount(rounded, minlength=4)).pvalue < 1e-6  # the control
    np.testing.assert_allclose(np.asarray(steps.quantile([0, 0.25, 0.26, 0.5, 0.99, 1])), expected[[0, 0, 1, 1, 3, 3]], rtol=1e-12)
    again = from_specification(json.loads(json.dumps(steps.specification())))
    assert again == steps and np.array_equal(again.sample(9, generator(3, "x")), steps.sample(9, generator(3, "x")))
    assert np.asarray(Steps(2.0, 2.5, 1.0).sample(5, generator(1, "x"))).tolist() == [2.0] * 5


def test_an_unknown_specification_names_a_near_match():
    with pytest.raises(ValueError, match="distribution 'Norml' is unknown; .* Did you mean 'Normal'"):
        from_specification({"distribution": "Norml"})


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Normal(1 * mV, -1 * mV), ValueError, "sd of Normal is .*, but it needs to be 0 or more"),
        (lambda: Normal(1 * mV, 1 * nS), TypeError, "sd of Normal is 1. nS, but it needs the dimension of volt"),
        (lambda: Normal(1 * mV, 1), TypeError, "sd of Normal is 1 without a unit, but it needs the dimension of volt"),
        (lambda: Normal(np.inf * mV, 1 * mV), ValueError, "mean of Normal is .*, but it needs to be finite"),
        (lambda: Normal([1, 2] * mV, 1 * mV), ValueError, "mean of Normal is .*, but it needs to be one number"),
        (lambda: Uniform(2 * mV, 1 * mV), ValueError, "low of Uniform is .*mvolt, but it needs to be at most high"),
        (lambda: LogNormal(0 * mV, 1), ValueError, "median of LogNormal is .*, but it needs to be above 0"),
        (lambda: LogNormal(1 * mV, -1), ValueError, "sigma of LogNormal is -1, but it needs to be 0 or more"),
        (lambda: LogNormal(1 * mV, 1 * mV), TypeError, "sigma of LogNormal is 1. mV, but it needs no unit"),
        (lambda: Steps(1 * ms, 0 * ms, 1 * ms), ValueError, "low of Steps is .*, but it needs to be at most high, 0"),
        (lambda: Steps(0 * ms, 1 * ms, 0 * ms), ValueError, "step of Steps is .*, but it needs to be above 0"),
        (lambda: Exponential(-1 * mV), ValueError, "mean of Exponential is .*, but it needs to be above 0"),
        (lambda: Exponential("two"), ValueError, "mean of Exponential is 'two', which is not a number"),
    ],
)
def test_a_wrong_parameter_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_draw_takes_a_quantity_an_array_or_a_distribution():
    rng = generator(1, "draw")
    assert np.array_equal(draw(2 * nS, 3, rng, siemens, "weight"), [2e-9] * 3)
    assert np.allclose(draw([1, 2, 3] * nS, 3, rng, siemens, "weight"), [1e-9, 2e-9, 3e-9])
    drawn = draw(Uniform(1 * nS, 2 * nS), 100, rng, siemens, "weight")
    assert type(drawn) is np.ndarray and drawn.shape == (100,)
    assert drawn.min() >= 1e-9 and drawn.max() <= 2e-9
    assert draw(1.5, 0, rng, 1, "share").shape == (0,)


def test_draw_does_not_hand_out_the_callers_array():
    values = np.array([1.0, 2.0])
    draw(values, 2, None, 1, "share")[0] = 5
    assert values[0] == 1


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        (1 * mV, TypeError, "weight is 1. mV, but it needs the dimension of siemens"),
        (Normal(1 * mV, 0 * mV), TypeError, "weight is Normal(mean=1. * mvolt, sd=0. * volt), but it needs the dimension of siemens"),
        ([1, 2] * nS, ValueError, "weight has the shape (2,), but it needs one value or (3,)"),
        ([[1, 2, 3]] * nS, ValueError, "weight has the shape (1, 3), but"),
        (np.inf * nS, ValueError, "weight holds inf, but every value needs to be finite"),
    ],
)
def test_draw_refuses(spec, error, message):
    with pytest.raises(error, match=re.escape(message)):
        draw(spec, 3, generator(1, "draw"), siemens, "weight")


def test_draw_without_a_generator_takes_no_distribution():
    with pytest.raises(TypeError, match="v is Uniform.* no generator to draw with; give its sample"):
        draw(Uniform(0 * mV, 1 * mV), 3, None, volt, "v")
