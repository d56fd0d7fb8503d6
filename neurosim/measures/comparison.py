"""Paired comparisons of results, with intervals and tests of equivalence."""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit  # the quantile of Student's t; scipy.stats takes a second to import

POWERED = 10  # pairs below which a comparison is called not powered


@dataclass(frozen=True)
class Comparison:
    """Hold a paired comparison: mean difference, 95 % interval, margin (None: none), effect size, number of pairs."""

    difference: float
    low: float
    high: float
    margin: float | None
    effect: float
    pairs: int

    @property
    def equivalent(self) -> bool:
        """Whether the 90 % interval, the two one-sided tests at 5 %, lies inside the margin."""
        half = (self.high - self.low) / 2
        if self.pairs < 2 or self.margin is None:
            return False
        narrow = half * stdtrit(self.pairs - 1, 0.95) / stdtrit(self.pairs - 1, 0.975)
        return abs(self.difference) + narrow < self.margin

    def __str__(self) -> str:
        power = "" if self.pairs >= POWERED else f"not powered ({self.pairs} of {POWERED} pairs)"
        interval = (
            f"95 % interval {self.low:+.3g} to {self.high:+.3g}, d = {self.effect:+.2f}" if self.pairs > 1 else "one pair has no interval"
        )
        verdict = "" if self.margin is None else f"margin {self.margin:g}: {'equivalent' if self.equivalent else 'equivalence not shown'}"
        return f"{self.difference:+.3g} ({interval})" + "".join(f"; {note}" for note in (verdict, power) if note)


def paired_comparison(first, second, margin: float | None = None) -> Comparison:
    """Compare paired results: first minus second, against a margin fixed beforehand if there is one.

    The interval is Student's t on the differences, the effect size Cohen's d of them; equivalence is shown by two
    one-sided tests at 5 % (Schuirmann 1987, doi:10.1007/BF01068419). Raises ValueError for unpaired results.
    """
    first, second = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if first.shape != second.shape or first.ndim != 1 or not len(first):
        raise ValueError(f"results of shape {first.shape} and {second.shape} are not paired; give one of each for every seed")
    differences = first - second
    pairs = len(differences)
    if pairs == 1:
        return Comparison(float(differences[0]), float("nan"), float("nan"), margin, float("nan"), 1)
    sd = differences.std(ddof=1)
    half = stdtrit(pairs - 1, 0.975) * sd / np.sqrt(pairs)
    mean = differences.mean()
    effect = mean / sd if sd > 1e-12 * abs(mean) else float("nan")  # not of differences that only rounding tells apart
    return Comparison(float(mean), float(mean - half), float(mean + half), margin, float(effect), pairs)
