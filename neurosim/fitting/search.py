"""Search for parameters by evolution strategies (CMA-ES), in stages of ever finer precision, from a warm start where there is one.

Hansen & Ostermeier 2001, doi:10.1162/106365601750190398, by the library `cma`. Chosen by measurement: with as many evaluations,
differential evolution lost 5 points of Gamma to it for AdEx cells.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from neurosim.fitting.objective import assess
from neurosim.fitting.problem import Problem
from neurosim.units import Quantity, ms, second, to_si

WIDE = 10.0  # the ratio of bounds from which a parameter above 0 is searched on a logarithmic scale
COLD, WARM = 0.3, 0.15  # first spread of candidates, as a part of each parameter's range
EDGE = 0.02  # how far inside of the bounds a search begins: on them, half of its candidates would be cut off
RATE_WEIGHT = 0.1  # taken off the score, for a wrong number of spikes, at the coarsest precision; none at the finest


@dataclass(frozen=True)
class Search:
    """Say how `fit` searches: one search a seed, with so many candidates in each generation.

    `precisions` are the windows of Gamma, stage by stage, and `generations` how many generations each stage has. Raises ValueError for
    empty or unequal lists, numbers below 1 (candidates: 4), and precisions that do not become finer; TypeError for what is no list.
    """

    seeds: Sequence[int] = (1, 2, 3)
    candidates: int = 24
    generations: Sequence[int] = (15, 15, 15, 100)
    precisions: Quantity = field(default_factory=lambda: [20, 8, 4, 2] * ms)

    def __post_init__(self):
        precisions = np.atleast_1d(to_si(self.precisions, second, "precisions of a search"))
        for name in ("seeds", "generations"):
            if np.ndim(getattr(self, name)) != 1:
                raise TypeError(f"{name} of a search is {getattr(self, name)!r}; give a list of whole numbers")
        if not len(self.seeds) or len(set(self.seeds)) < len(self.seeds) or not all(_whole(seed, 0) for seed in self.seeds):
            raise ValueError(f"seeds of a search are {self.seeds!r}; give different whole numbers, such as (1, 2, 3)")
        if not _whole(self.candidates, 4):
            raise ValueError(f"candidates of a search is {self.candidates!r}; give a whole number of at least 4")
        if len(self.generations) != len(precisions) or not all(_whole(number, 1) for number in self.generations):
            raise ValueError(
                f"generations of a search are {self.generations!r} for {len(precisions)} precisions; give a whole number above 0 for each"
            )
        if not (precisions > 0).all() or (np.diff(precisions) >= 0).any():
            raise ValueError(f"precisions of a search are {self.precisions}; give times above 0 that become finer")

    @property
    def stages(self) -> list[tuple[float, int]]:
        """The precision in seconds and the number of generations of each stage."""
        return list(zip(np.atleast_1d(np.asarray(self.precisions, dtype=float)).tolist(), self.generations, strict=True))


@dataclass(frozen=True)
class Found:
    """Hold what the search of one seed found: its best score, the point of it, and the best score after each generation."""

    seed: int
    score: float
    point: np.ndarray
    course: np.ndarray


class Space:
    """Map parameters between bounds (SI) to the unit cube, on a logarithmic scale where the bounds are wide apart."""

    def __init__(self, bounds: Mapping[str, tuple[float, float]]):
        self.names = list(bounds)
        low, high = (np.array([bounds[name][end] for name in self.names]) for end in (0, 1))
        self.logarithmic = (low > 0) & (high >= WIDE * low)
        self.low, self.high = self._scaled(low), self._scaled(high)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return np.where(self.logarithmic, np.log(np.where(self.logarithmic, values, 1)), values)

    def values(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return parameters in SI units at points of shape (n, parameters)."""
        scaled = self.low + points * (self.high - self.low)
        plain = np.where(self.logarithmic, np.exp(np.where(self.logarithmic, scaled, 0)), scaled)
        return {name: plain[:, column].copy() for column, name in enumerate(self.names)}

    def point(self, values: Mapping[str, float]) -> np.ndarray:
        """Return the point of parameters in SI units, shape (parameters,)."""
        return (self._scaled(np.array([values[name] for name in self.names])) - self.low) / (self.high - self.low)


def search(problem: Problem, space: Space, start: np.ndarray | None, plan: Search, tick: Callable[[list[Found]], None]) -> list[Found]:
    """Search from each seed, all of them as one population, and return what each found at the finest precision.

    `start` is a point that is also a candidate of its own, so that no result is worse; the first seed begins there and the others in
    the middle of everything, because a warm start may lead nowhere else: a leaky cell is a dead end for an exponential one, whose peak
    and threshold would have to move together. `tick` is called after each generation with what there is.
    """
    begins = [start, *[None] * (len(plan.seeds) - 1)]
    strategies = [_strategy(seed, begin, len(space.names), plan.candidates) for seed, begin in zip(plan.seeds, begins, strict=True)]
    found: list[Found] = []
    courses: list[list[float]] = [[] for _ in strategies]
    for precision, generations in plan.stages:
        best = [(-np.inf, None) for _ in strategies]
        weight = RATE_WEIGHT * (precision - plan.stages[-1][0]) / plan.stages[0][0]
        for _ in range(generations):
            asked = [np.array(one.ask()) for one in strategies]
            given = [] if start is None else [start[None]]
            scores = assess(problem, space.values(np.concatenate([*asked, *given])), precision, weight).score
            for number, (one, points) in enumerate(zip(strategies, asked, strict=True)):
                own = scores[number * plan.candidates : (number + 1) * plan.candidates]
                one.tell(list(points), list(-own))
                best[number] = max(best[number], (own.max(), points[own.argmax()]), key=lambda pair: pair[0])
                if given:
                    best[number] = max(best[number], (scores[-1], start), key=lambda pair: pair[0])
                courses[number].append(float(best[number][0]))
            found = [
                Found(seed, float(score), point, np.array(course))
                for seed, (score, point), course in zip(plan.seeds, best, courses, strict=True)
            ]
            tick(found)
    return found


def _strategy(seed: int, start: np.ndarray | None, dimensions: int, candidates: int):
    import cma  # which takes half a second

    rng = np.random.default_rng(seed)
    options = {
        "bounds": [0, 1], "popsize": candidates, "verbose": -9, "tolfun": 0, "tolfunhist": 0, "tolx": 0, "tolflatfitness": np.inf, "tolstagnation": np.inf,
        "seed": np.nan, "randn": lambda *shape: rng.standard_normal(shape),  # so that it leaves NumPy's global generator alone
    }  # fmt: skip
    if start is None:
        return cma.CMAEvolutionStrategy(np.full(dimensions, 0.5), COLD, options)
    return cma.CMAEvolutionStrategy(np.clip(start, EDGE, 1 - EDGE), WARM, options)


def _whole(number, least: int) -> bool:
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool) and number >= least
