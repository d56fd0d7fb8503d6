"""Measures of development: overproduction and loss of synapses, and which of two groups of inputs a cell follows."""

import numpy as np

from neurosim.projection import Projection


def overshoot(counts, last: int) -> dict[str, float]:
    """Return the `peak` of a course of numbers of synapses or cells, the `adult` number (the mean of the `last` of them) and what is lost.

    `excess` is how far the peak is above the adult number, as a share of that (0.5 in human frontal cortex: Huttenlocher 1979,
    doi:10.1016/0006-8993(79)90349-4); `lost` which share of the peak is gone in the adult (the same: 0.33). Both are in use, and
    lost = excess/(1 + excess). Raises ValueError for a course that is not one of finite numbers, 0 or more, for a `last` that is not from 1
    to one less than its length (the adult would be the whole life), and where nothing is left of it in the adult.
    """
    course = np.asarray(counts, dtype=float)
    if course.ndim != 1 or not np.isfinite(course).all() or (course < 0).any():
        raise ValueError(f"counts of an overshoot are {counts!r}; give a course of finite numbers, 0 or more")
    if not 1 <= last < len(course):
        raise ValueError(f"the last {last!r} of {len(course)} counts cannot be the adult ones; give 1 to {len(course) - 1}")
    peak, adult = float(course.max()), float(course[-last:].mean())
    if not adult:
        raise ValueError(
            f"the last {last} of {len(course)} counts are 0, so that the peak has nothing to compare with; give a course that ends earlier"
        )
    return {"peak": peak, "adult": adult, "excess": peak / adult - 1, "lost": 1 - adult / peak}


def ocular_dominance(projection: Projection, left, right) -> np.ndarray:
    """Return the ocular dominance of target cells, (R - L)/(R + L), R and L being the sums of weights from two groups of sources.

    `left` and `right` are ids of source cells. The index is that of each cell with incoming synapses from them, in the order of ids:
    -1 where all weight comes from the left, 0 where both have the same, 1 where all comes from the right; NaN for weights that are all 0.
    A weight counts by its size and times the share that a division left of it. Raises ValueError where the groups have a source in common.
    """
    left, right = np.unique(left), np.unique(right)
    common = np.intersect1d(left, right)
    if len(common):
        raise ValueError(f"source {common[0]} of {projection.name!r} is both left and right; give two groups that have none in common")
    synapses = projection.synapses
    cells, cell = np.unique(synapses["post"], return_inverse=True)
    delivered = np.abs(synapses["weight"] * synapses["share"])
    sums = [np.bincount(cell, delivered * np.isin(synapses["pre"], side), len(cells)) for side in (left, right)]
    reached = np.bincount(cell, np.isin(synapses["pre"], np.concatenate([left, right])), len(cells)) > 0
    with np.errstate(invalid="ignore"):
        return ((sums[1] - sums[0]) / (sums[1] + sums[0]))[reached]
