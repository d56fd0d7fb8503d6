"""Classes of firing on trains that are constructed: one of each class, and trains on both sides of each border."""

import numpy as np
import pytest

from neurosim.measures import firing_pattern
from neurosim.models.protocols import PATTERNS
from neurosim.units import ms

ONSET, OFFSET = 100, 700


def named(intervals, latency=20.0):
    """The class of a train in a step from 100 to 700 ms, from its latency and intervals in ms."""
    return found(intervals, latency).name


def found(intervals, latency=20.0):
    times = ONSET + latency + np.concatenate([[0.0], np.cumsum(intervals)])
    return firing_pattern(times * ms, ONSET * ms, OFFSET * ms)


BURST = [4.0, 6.0]
TRAINS = {
    "tonic": ([20.0] * 28, 20),
    "adapting": (20 + 3 * np.arange(14.0), 20),
    "accelerating": (np.linspace(30, 15, 24), 10),
    "delayed accelerating": (np.linspace(30, 15, 23), 40),
    "initial burst": ([*BURST, 30.0, *[50.0] * 10], 10),
    "regular bursting": ([*BURST, 80.0] * 6, 10),
    "delayed regular bursting": ([*BURST, 80.0] * 5, 80),
    "irregular": ([20.0, 35, 14, 24, 40, 18, 28, 12, 20, 36, 16, 30, 20, 38, 14, 26, 18, 33], 20),
    "transient": ([10.0, 12, 16], 10),
    "undetermined": ([200.0], 150),
}


@pytest.mark.parametrize("name", TRAINS)
def test_a_train_of_each_class_is_called_by_its_name(name):
    assert named(*TRAINS[name]) == name


def test_all_classes_have_a_train():
    assert {*TRAINS, "silent"} == set(PATTERNS)
    assert firing_pattern([] * ms, 0 * ms, 1 * ms).name == "silent"


@pytest.mark.parametrize(
    ("intervals", "latency", "name"),
    [
        # the last interval over the first: 1.25, and its inverse
        ([20.0] * 14 + [24.9] * 11, 20, "tonic"),
        ([20.0] * 14 + [25.1] * 10, 20, "adapting"),
        ([25.0] * 12 + [20.1] * 12, 10, "tonic"),
        ([25.0] * 12 + [19.9] * 12, 10, "accelerating"),
        # the latency over the first interval: 0.75
        ([25.0] * 12 + [19.9] * 12, 18.7, "accelerating"),
        ([25.0] * 12 + [19.9] * 12, 18.8, "delayed accelerating"),
        # the latency over the first interval between bursts
        ([*BURST, 80.0] * 5, 59.9, "regular bursting"),
        ([*BURST, 80.0] * 5, 60.1, "delayed regular bursting"),
        # the gap between short and long intervals: a factor of 2
        ([25.1, *[50.0] * 10], 10, "adapting"),
        ([24.9, *[50.0] * 10], 10, "initial burst"),
        # a second burst, and spikes in bursts: half of all
        ([4.0, *[50.0] * 5, 4.0, *[50.0] * 4], 10, "irregular"),
        ([4.0, 50.0, 50.0, 4.0, 50.0, 50.0, 4.0, 50.0, 50.0], 10, "regular bursting"),
        ([*[50.0] * 5, 4.0, *[50.0] * 4], 10, "irregular"),
        # the variation of the later intervals: 0.25
        ([20.0] * 8 + [26.0, 17.0] * 6, 20, "tonic"),
        ([20.0] * 8 + [26.5, 15.5] * 6, 20, "irregular"),
        # silence at the end: half of the step, and 3 times the longest interval
        ([30.0] * 9, 29, "transient"),
        ([30.0] * 9, 31, "tonic"),
        ([101.0, 101.0], 97, "undetermined"),
        ([99.0, 99.0], 97, "transient"),
    ],
)
def test_the_borders_between_classes(intervals, latency, name):
    assert named(intervals, latency) == name


def test_what_the_class_was_told_from():
    seen = found([*BURST, 80.0] * 5, 75)
    assert seen.spike_count == 16 and seen.bursts == 5
    assert float(seen.latency) == pytest.approx(0.075)
    assert float(seen.silence) == pytest.approx(0.6 - 0.075 - 0.45)
    assert seen.adaptation == pytest.approx(80 / 4)
    assert seen.cv == pytest.approx(0)
    assert found(TRAINS["irregular"][0]).cv == pytest.approx(np.std(TRAINS["irregular"][0][9:]) / np.mean(TRAINS["irregular"][0][9:]))


def test_spikes_outside_the_step_are_left_out():
    inside = ONSET + 20.0 * np.arange(1, 30)
    assert firing_pattern([10, 11, *inside, 700, 701] * ms, ONSET * ms, OFFSET * ms) == firing_pattern(inside * ms, ONSET * ms, OFFSET * ms)


def test_a_step_that_ends_before_it_begins_and_times_out_of_order_raise():
    with pytest.raises(ValueError, match="the offset is 100. ms, not after the onset at 0.7 s; give the ends of the step"):
        firing_pattern([1] * ms, 700 * ms, 100 * ms)
    with pytest.raises(ValueError, match="not in order of time"):
        firing_pattern([2, 1] * ms, 0 * ms, 100 * ms)
    with pytest.raises(TypeError, match="onset"):
        firing_pattern([2] * ms, 0, 100 * ms)
