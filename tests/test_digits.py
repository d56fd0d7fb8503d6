"""The digits are split alike for every study, and images become stimuli of equally many spikes."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

import neurosim as ns
from neurosim.units import Hz, ms

IMAGES, LABELS = load_digits(return_X_y=True)


@pytest.mark.parametrize("validate", [0, 147, 200])
def test_parts_hold_every_image_once_with_its_label(validate):
    parts = ns.digits(validate)
    assert {name: len(part[1]) for name, part in parts.items()} == {"train": 1297 - validate, "test": 500} | (
        {"valid": validate} if validate else {}
    )
    rows = np.concatenate([np.column_stack(part) for part in parts.values()])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, np.column_stack([IMAGES, LABELS])))


def test_test_images_are_the_same_whatever_is_set_apart():
    np.testing.assert_array_equal(ns.digits()["test"][0], ns.digits(validate=200)["test"][0])
    assert not np.array_equal(ns.digits()["test"][0], IMAGES[:500])


def test_classes_are_in_proportion():
    share = np.bincount(LABELS) / len(LABELS)
    for _, labels in ns.digits(validate=147).values():
        np.testing.assert_allclose(np.bincount(labels) / len(labels), share, atol=1 / len(labels))


def test_most_keeps_the_first():
    whole, few = ns.digits(), ns.digits(most=7)
    assert all(np.array_equal(few[name][0], whole[name][0][:7]) and np.array_equal(few[name][1], whole[name][1][:7]) for name in whole)


@pytest.mark.parametrize("asked", [{"validate": 1297}, {"test": 1800}, {"test": 3}])
def test_parts_without_every_class_are_refused(asked):
    with pytest.raises(ValueError, match=rf"{next(iter(asked.values()))} images are asked for the part '(test|valid)', of .*give 10 to "):
        ns.digits(**asked)


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [finder for finder in sys.meta_path if not hasattr(finder, "mapping")])
    with pytest.raises(ImportError, match=r"pip install 'neurosim\[study\]'"):
        ns.digits()


def test_images_have_equally_many_spikes_each_pixel_its_share():
    images = np.array([[0, 1, 3], [5, 5, 0.0]])
    given = ns.Presentations.of_images("cells", images, 80, 400 * ms, 50 * ms)
    np.testing.assert_allclose(np.asarray(given.rates / Hz) * 0.4, [[0, 20, 60], [40, 40, 0]], rtol=1e-12)
    circuit = ns.Circuit([ns.create("cells", "spike_source", 3)], seed=1)
    _, recording = ns.simulate(circuit, 850 * ms, inputs=[given], backend=ns.Brian2(dt=1 * ms, target="numpy"), progress=False)
    counts = ns.measures.responses(recording, "cells", given)
    assert np.abs(counts - [[0, 20, 60], [40, 40, 0]]).max() <= 1  # a random phase wins or loses at most one


@pytest.mark.parametrize("asked", [{"validate": -1}, {"test": "500"}, {"test": 500.0}, {"most": -5}])
def test_numbers_of_images_are_whole_and_not_negative(asked):
    name, value = next(iter(asked.items()))
    with pytest.raises(ValueError, match=f"{name} of the digits is {value!r}; give a whole number of images, 0 or more"):
        ns.digits(**asked)


@pytest.mark.parametrize(
    ("spikes", "duration", "error", "message"),
    [
        (-5, 10 * ms, ValueError, "spikes of an image for 'cells' are -5; give one number above 0"),
        (np.nan, 10 * ms, ValueError, "spikes of an image for 'cells' are nan"),
        ([1, 2, 3], 10 * ms, ValueError, "give one number above 0"),
        (5, 0 * ms, ValueError, r"duration of an image for 'cells' is 0\. s; give a time above 0"),
        (5, 50, TypeError, "duration of an image for 'cells' is 50 without a unit"),
    ],
)
def test_spikes_and_duration_of_images_are_checked(spikes, duration, error, message):
    with pytest.raises(error, match=message):
        ns.Presentations.of_images("cells", np.ones((2, 3)), spikes, duration)


@pytest.mark.parametrize("images", [np.zeros((2, 3)), [[1, -1, 3.0]], [[1, np.nan, 3]], [[np.inf, 1, 1]], np.ones(3)])
def test_images_without_light_are_refused(images):
    with pytest.raises(ValueError, match=r"images for 'cells' have shape .*some light in each image"):
        ns.Presentations.of_images("cells", images, 10, 10 * ms)
