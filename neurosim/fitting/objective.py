"""How well candidates meet the data: the coincidence factor, with the one constant shift in time that serves each candidate best."""

from dataclasses import dataclass

import numpy as np

from neurosim.fitting.problem import Problem
from neurosim.measures.coincidence import coincidence_factor, matches

UNFIT = -1.0  # the Gamma of a candidate for which it is not defined, because it fires so fast that everything coincides
LONGEST_SHIFT = 5e-3  # seconds: a threshold crossing precedes the upstroke of a spike by less
SHIFTS = 8  # tried in the width of a precision
ROUNDING = 1e-12  # of Gamma: what differs by less is equal


@dataclass(frozen=True)
class Assessed:
    """Hold the score of each candidate (n,), its best shift in seconds (n,) and Gamma for each response (n, responses)."""

    score: np.ndarray
    shift: np.ndarray
    gamma: np.ndarray


def assess(problem: Problem, values, precision: float, rate_weight: float) -> Assessed:
    """Simulate candidates and score them by the mean of Gamma over responses, at the shift that serves all of a candidate's best.

    `values` as in `Problem.trains`, `precision` in seconds. `rate_weight` times the relative error of the number of spikes is taken
    off: where Gamma is flat, it tells silent and far too fast candidates apart.
    """
    trains, counts = problem.trains(values)
    tried = shifts(precision)
    gamma = np.empty((len(counts), len(tried), len(trains)))
    for number, (train, data) in enumerate(zip(trains, problem.data, strict=True)):
        moved = (train[:, None, :] + tried[None, :, None]).reshape(len(train) * len(tried), train.shape[1])
        hits = matches(moved, data, precision).reshape(len(train), len(tried))
        gamma[:, :, number] = coincidence_factor(hits, counts[:, None, number], len(data), problem.durations[number], precision)
    gamma = np.where(np.isnan(gamma), UNFIT, gamma)
    rows, best = np.arange(len(counts)), _middle_of_best(gamma.mean(axis=2), tried)
    expected = np.array([len(data) for data in problem.data])
    error = np.minimum(np.abs(counts / expected - 1), 1).mean(axis=1)
    return Assessed(gamma[rows, best].mean(axis=1) - rate_weight * error, tried[best], gamma[rows, best])


def shifts(precision: float) -> np.ndarray:
    """Return the shifts that are tried at a precision, in seconds, in ascending order."""
    step = precision / SHIFTS
    reach = int(LONGEST_SHIFT / step)
    return step * np.arange(-reach, reach + 1)


def _middle_of_best(scores: np.ndarray, tried: np.ndarray) -> np.ndarray:
    """The best shift of each row; of several that are equally good the middle one, from which spikes can stray most to either side."""
    tied = scores >= scores.max(axis=1, keepdims=True) - ROUNDING
    centre = (tied * tried).sum(axis=1, keepdims=True) / tied.sum(axis=1, keepdims=True)
    return np.where(tied, abs(tried - centre), np.inf).argmin(axis=1)
