"""How far a counted share may lie from the true one."""

from scipy.special import betaincinv  # scipy.stats takes a second to import


def binomial_interval(count: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a share of which `count` of `total` independent cases were found.

    It contains the true share with at least the probability `level`, each end missing it with half the rest. Raises ValueError for a
    count that is not from 0 to the total, no cases at all, or a level outside (0, 1). Source: Clopper & Pearson (1934),
    doi:10.1093/biomet/26.4.404; ends as quantiles of beta distributions.
    """
    if not (total > 0 and 0 <= count <= total):
        raise ValueError(f"{count} of {total} cases is no share; give a count from 0 to the number of cases, at least one case")
    if not 0 < level < 1:
        raise ValueError(f"the level of a binomial interval is {level!r}; give a number between 0 and 1, such as 0.95")
    tail = (1 - level) / 2
    low = betaincinv(count, total - count + 1, tail) if count else 0.0
    high = betaincinv(count + 1, total - count, 1 - tail) if count < total else 1.0
    return float(low), float(high)
