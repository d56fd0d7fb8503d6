"""Survival of cells and synapses, from births and deaths."""

import numpy as np
from scipy.special import ndtri  # the normal quantile; scipy.stats takes a second to import

SURVIVAL = [("age", "i8"), ("at_risk", "i8"), ("deaths", "i8"), ("fraction", "f8"), ("low", "f8"), ("high", "f8")]


def kaplan_meier(birth: np.ndarray, death: np.ndarray, end: int) -> np.ndarray:
    """Estimate which fraction survives to each age, from births and deaths in whole epochs (death -1: alive at `end`).

    Returns a structured array with one row for each age from 0: those at risk, deaths at that age, the surviving fraction
    (product-limit estimate, Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452, eq. 2b) and its 95 % interval (Greenwood's
    variance on the log-log scale, Kalbfleisch & Prentice 2002, doi:10.1002/9781118032985, section 1.4). Who was born at age 0 of the
    last epoch, or lives at the end, is censored.
    """
    birth, death = np.asarray(birth, dtype=np.int64), np.asarray(death, dtype=np.int64)
    lasted = np.where(death < 0, end, death) - birth
    rows = np.zeros(int(lasted.max(initial=0)) + 1, SURVIVAL)
    rows["age"] = np.arange(len(rows))
    rows["deaths"] = np.bincount(lasted[death >= 0], minlength=len(rows))
    rows["at_risk"] = np.bincount(lasted, minlength=len(rows))[::-1].cumsum()[::-1]
    risk, died = rows["at_risk"].astype(float), rows["deaths"].astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        rows["fraction"] = np.cumprod(np.where(risk > 0, 1 - died / risk, 1.0))
        variance = np.cumsum(np.where(risk > died, died / (risk * (risk - died)), 0.0))
        spread = ndtri(0.975) * np.sqrt(variance) / np.abs(np.log(rows["fraction"]))
        for bound, sign in (("low", 1), ("high", -1)):
            inside = (rows["fraction"] > 0) & (rows["fraction"] < 1)
            rows[bound] = np.where(inside, rows["fraction"] ** np.exp(sign * spread), rows["fraction"])
    return rows
