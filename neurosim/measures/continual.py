"""Learning one task after another: cells that have fallen silent, and how long a task takes."""

import numpy as np


def dormant(counts: np.ndarray, below: float = 0.1) -> np.ndarray:
    """Tell which cells hardly respond: their count over all stimuli is at most `below` times the mean of all cells.

    `counts` has shape (stimuli, cells). Where no cell responds, all are dormant. Returns booleans of shape (cells,). Raises ValueError for
    a negative `below` or another shape. After Sokar et al. (2023), The dormant neuron phenomenon in deep reinforcement learning,
    arXiv:2302.12902: their definition, with spike counts for activations.
    """
    counts = np.asarray(counts)
    if counts.ndim != 2:
        raise ValueError(f"counts of shape {counts.shape} are not those of cells; give shape (stimuli, cells)")
    if not below >= 0:
        raise ValueError(f"dormant cells are to be below {below!r} of the mean; give a number of 0 or more")
    total = counts.sum(axis=0)
    return total <= below * (total.mean() if len(total) else 0.0)


def until_criterion(scores, level: float, after) -> np.ndarray:
    """Return after how much training each task's score first reached a level, infinity where it never did.

    `scores` has shape (tasks, tests), `after` the amount of training before each test, in rising order. Raises ValueError where their shapes
    differ.
    """
    scores, after = np.atleast_2d(np.asarray(scores, dtype=float)), np.asarray(after, dtype=float)
    if scores.shape[1:] != after.shape or not after.size:
        raise ValueError(
            f"scores of shape {scores.shape} were not taken after {after.shape} amounts of training; give one of each for every test"
        )
    reached = scores >= level
    return np.where(reached.any(axis=1), after[reached.argmax(axis=1)], np.inf)
