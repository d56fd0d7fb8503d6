"""How well candidates meet the data: the coincidence factor, with the one constant shift in time that serves each candidate best."""

from dataclasses import dataclass

import numpy as np

from neurosim.measures.coincidence import coincidence_factor, matches

UNFIT = -1.0  # the score of a candidate whose Gamma is not defined: it fires so fast that everything coincides
LONGEST_SHIFT = 3e-3  # seconds: a threshold crossing precedes a spike's upstroke by less


@dataclass(frozen=True)
class Assessed:
    """Hold the score of each candidate (n,), its best shift in seconds (n,) and Gamma for each response (n, responses)."""

    score: np.ndarray
    shift: np.ndarray
    gamma: np.ndarray


def shifts(precision: float) -> np.ndarray:
    """The shifts that are tried at a precision, in seconds: an eighth of it apart, 0 among them."""
    step = precision / 8
    reach = int(LONGEST_SHIFT / step)
    return step * np.arange(-reach, reach + 1)


def assess(trains: list[np.ndarray], counts: np.ndarray, data: list[np.ndarray], durations: np.ndarray, precision: float, rate_weight: float) -> Assessed:
    """Score candidates by the mean of Gamma over responses at the best common shift.

    `rate_weight` times the relative error of the number of spikes is taken off, which tells silent and far too fast candidates apart
    where Gamma is flat. Times in seconds.
    """
    tried = shifts(precision)
    gamma = np.empty((len(counts), len(tried), len(data)))
    for number, (train, spikes) in enumerate(zip(trains, data, strict=True)):
        moved = (train[:, None, :] + tried[None, :, None]).reshape(-1, train.shape[1])
        hits = matches(moved, spikes, precision).reshape(len(counts), len(tried))
        gamma[:, :, number] = coincidence_factor(hits, counts[:, None, number], len(spikes), durations[number], precision)
    gamma = np.where(np.isnan(gamma), UNFIT, gamma)
    best = gamma.mean(axis=2).argmax(axis=1)
    rows = np.arange(len(counts))
    expected = np.array([max(len(one), 1) for one in data])
    error = np.minimum(np.abs(counts - expected) / expected, 1.0).mean(axis=1)
    return Assessed(gamma[rows, best].mean(axis=1) - rate_weight * error, tried[best], gamma[rows, best])
