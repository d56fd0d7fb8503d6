"""Stimuli of a wrong dimension, empty ones, and NaN or infinity in them: each is told by its name before anything runs."""

import re
import warnings

import numpy as np
import pytest
from slips import drive, poisson

import neurosim as ns
from neurosim.units import Hz, ms, mV, nS, pA

V, T = ValueError, TypeError
NAN, INF, SHAPE = np.nan, np.inf, (2, 3)


def step(amplitude=1 * pA, **others):
    return ns.StepCurrent("exc", "I_e", amplitude, **others)


def noise(mean=0 * pA, sd=1 * pA, tau=1 * ms):
    return ns.NoiseCurrent("exc", "I_e", mean=mean, sd=sd, tau=tau)


def given(spikes=(0,), times=(1,) * ms):
    return ns.SpikeTimes("source", spikes, times)


def shown(rates=np.ones(SHAPE) * Hz, duration=1 * ms):
    return ns.Presentations("source", rates, duration)


# what is made, the error, and what it tells: the quantity, the value, the remedy
STIMULI = {
    "dimension of a step": (lambda: step(1 * mV), T, "amplitude", "1. mV", "the dimension of amp", "times pA"),
    "step without unit": (lambda: step(1e-12), T, "amplitude", "1e-12 without a unit", "times pA"),
    "step as text": (lambda: step("1 pA"), V, "amplitude", "'1 pA'", "not a number", "times pA"),
    "start without unit": (lambda: step(start=5), T, "start", "5 without a unit", "times ms"),
    "dimension of a stop": (lambda: step(stop=5 * mV), T, "stop", "5. mV", "times ms"),
    "NaN as step": (lambda: step(NAN * pA), V, "amplitude", "nan", "times pA"),
    "NaN among steps": (lambda: step(np.r_[np.ones(9), NAN] * pA), V, "amplitude", "nan] pA", "times pA"),
    "infinite step": (lambda: step(INF * pA), V, "amplitude", "inf", "give finite numbers"),
    "NaN as start": (lambda: step(start=NAN * ms), V, "start", "nan", "times ms"),
    "no steps": (lambda: step(np.array([]) * pA), V, "amplitude", "(0,)", "give one value or 10"),
    "dimension of a mean": (lambda: noise(mean=1 * mV), T, "mean", "1. mV", "times pA"),
    "sd without unit": (lambda: noise(sd=1), T, "sd", "1 without a unit", "times pA"),
    "dimension of a tau": (lambda: noise(tau=1 * Hz), T, "tau", "1. Hz", "times ms"),
    "NaN as mean": (lambda: noise(mean=NAN * pA), V, "mean", "nan", "times pA"),
    "NaN as sd": (lambda: noise(sd=NAN * pA), V, "sd", "nan", "times pA"),
    "NaN as tau": (lambda: noise(tau=NAN * ms), V, "tau", "nan", "times ms"),
    "infinite sd": (lambda: noise(sd=INF * pA), V, "sd", "inf", "give finite numbers"),
    "infinite tau": (lambda: noise(tau=INF * ms), V, "tau", "inf", "give finite numbers"),
    "no noise": (lambda: noise(sd=np.array([]) * pA), V, "sd", "(0,)", "give one value or 10"),
    "dimension of a rate": (lambda: poisson(rate=1 * ms), T, "rate", "1. ms", "times Hz"),
    "rate without unit": (lambda: poisson(rate=5), T, "rate", "5 without a unit", "times Hz"),
    "infinite rate": (lambda: poisson(rate=INF * Hz), V, "rate", "inf", "give finite numbers"),
    "NaN as weight": (lambda: poisson(weight=NAN * nS), V, "weight", "nan", "times nS"),
    "infinite weight": (lambda: poisson(weight=INF * nS), V, "weight", "inf", "give finite numbers"),
    "no rates": (lambda: poisson(rate=np.array([]) * Hz), V, "rate", "(0,)", "give one value or 10"),
    "fewer values than founders": (
        lambda: poisson(rate=np.ones(9) * Hz, cells="ever"),
        V,
        "9 values",
        "'exc' 10 founders",
        "at least one each",
    ),
    "half a cell": (lambda: poisson(cells=[0.5]), T, "cells", "[0.5]", "whole numbers"),
    "name of a cell": (lambda: poisson(cells=["a"]), T, "cells", "['a']", "whole numbers"),
    "dimension of times": (lambda: given(times=[1] * mV), T, "times", "[1.] mV", "times ms"),
    "times without unit": (lambda: given(times=[1]), T, "times", "[1.] without a unit", "times ms"),
    "NaN as time": (lambda: given(times=[NAN] * ms), V, "times", "nan", "times ms"),
    "infinite time": (lambda: given(times=[INF] * ms), V, "times off the grid", "dt = 0.1 ms", "whole multiples"),
    "time before 0": (lambda: given(times=[-1] * ms), V, "before 0", "dt = 0.1 ms", "whole multiples"),
    "times of nobody": (lambda: given(spikes=[]), V, "0 spikes but 1 times", "one cell id for each"),
    "spike of half a cell": (lambda: given(spikes=[0.5]), T, "spikes", "[0.5]", "whole numbers"),
    "spike of NaN": (lambda: given(spikes=[NAN]), T, "spikes", "[nan]", "whole numbers"),
    "dimension of stimuli": (lambda: shown(np.ones(SHAPE) * pA), T, "rates", "[[1. 1. 1.] [1. 1. 1.]] pA", "times Hz"),
    "stimuli without unit": (lambda: shown(np.ones(SHAPE)), T, "rates", "without a unit", "times Hz"),
    "no stimuli": (lambda: shown(np.ones((0, 3)) * Hz), V, "rates", "(0, 3)", "a row for each stimulus"),
    "stimuli of no cells": (lambda: shown(np.ones((2, 0)) * Hz), V, "rates", "(2, 0)", "give (stimuli, 3)"),
    "infinite stimuli": (lambda: shown(np.full(SHAPE, INF) * Hz), V, "rates", "inf Hz", "at most one spike a time step"),
    "duration without unit": (lambda: shown(duration=1), T, "duration", "1 without a unit", "times ms"),
    "NaN as duration": (lambda: shown(duration=NAN * ms), V, "duration", "nan", "times ms"),
}


@pytest.mark.parametrize("slip", STIMULI)
def test_a_bad_stimulus(slip, monkeypatch):
    make, error, *words = STIMULI[slip]
    monkeypatch.setattr(ns.Brian2, "run", lambda *arguments: pytest.fail("something was simulated"))
    stimulus = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(error, match=re.escape(f"input '{stimulus.label}'")) as caught:
            drive(stimulus)
    said = str(caught.value)
    assert all(word in said for word in words) and "\n" not in said


def test_good_stimuli_pass():
    """The controls: what the slips were made of, and no spikes at all, which a random train may have."""
    nothing = given(spikes=[], times=np.array([]) * ms)
    for stimulus in (step(), noise(), poisson(), given(), nothing, shown()):
        drive(stimulus)
