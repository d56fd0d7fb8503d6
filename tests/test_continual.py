"""Dormant cells and how long tasks take."""

import numpy as np
import pytest

from neurosim.measures import dormant, until_criterion


def test_dormant_cells_are_far_below_the_mean():
    counts = np.array([[10, 0, 1, 9], [10, 0, 1, 9]])  # sums 20, 0, 2, 18: mean 10
    assert dormant(counts).tolist() == [False, True, False, False]  # 2 is above 0.1 * 10
    assert dormant(counts, 0.2).tolist() == [False, True, True, False]
    assert dormant(counts, 0).tolist() == [False, True, False, False]
    assert dormant(np.zeros((3, 2))).all() and dormant(np.ones((3, 2))).sum() == 0
    assert dormant(np.zeros((3, 0))).shape == (0,)


def test_a_task_takes_as_long_as_until_its_score_first_reaches_a_level():
    scores = [[0.1, 0.8, 0.7, 0.9], [0.8, 0.1, 0.1, 0.1], [0.1, 0.2, 0.3, 0.79]]
    assert until_criterion(scores, 0.8, [10, 20, 40, 80]).tolist() == [20, 10, np.inf]
    assert until_criterion(scores[0], 0.9, [10, 20, 40, 80]).tolist() == [80]
    assert until_criterion([[np.nan, 0.9]], 0.8, [1, 2]).tolist() == [2]


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"counts of shape \(3,\) are not those of cells; give shape \(stimuli, cells\)"):
        dormant(np.zeros(3))
    with pytest.raises(ValueError, match="below -1 of the mean; give a number of 0 or more"):
        dormant(np.zeros((3, 2)), -1)
    with pytest.raises(ValueError, match=r"scores of shape \(1, 2\) were not taken after \(3,\) amounts of training; give one of each"):
        until_criterion([0.1, 0.2], 0.5, [1, 2, 3])
