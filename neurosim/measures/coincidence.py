"""The coincidence factor Gamma between the spikes of a model and those it is to predict."""

from dataclasses import dataclass

import numpy as np

from neurosim.measures.trains import ROUNDING, positive, spike_times
from neurosim.units import Hz, Quantity, ms, quantity, second

PRECISIONS = (1 * ms, 2 * ms, 4 * ms)
HIGHEST_CHANCE = 0.9  # of 2 * rate * precision, which at 1 makes every spike a coincidence by chance


def matches(trains: np.ndarray, data: np.ndarray, precision: float) -> np.ndarray:
    """Count the spikes of each train that have a partner of their own in `data` within +-precision, all in seconds.

    `trains` has shape (n, most spikes), each row sorted and filled up with inf, `data` is sorted; returns whole numbers of shape (n,).
    Each spike has one partner at most. Trains and data are walked in order of time and the first that are close enough are paired,
    which gives as many pairs as any matching can.
    """
    rows, most = trains.shape
    within = precision * (1 + ROUNDING)
    times = np.column_stack([trains, np.full(rows, np.inf)]).ravel()
    partners = np.append(data, np.inf)
    spike = np.arange(rows) * (most + 1)
    partner = np.zeros(rows, dtype=np.int64)
    hits = np.zeros(rows, dtype=np.int64)
    with np.errstate(invalid="ignore"):  # where both are at their end, inf - inf moves neither
        for _ in range(most + len(data)):
            late = times.take(spike) - partners.take(partner)
            early, after = late <= within, late >= -within
            spike += early
            partner += after
            hits += early & after
    return hits


def coincidence_factor(hits, spikes, data_spikes: int, duration: float, precision: float) -> np.ndarray:
    """Return Gamma of many models from their hits and numbers of spikes; duration and precision in seconds.

    NaN where it is not defined: both are silent, or 2 * rate * precision of the model is above `HIGHEST_CHANCE`. Definition of Kistler,
    Gerstner & van Hemmen 1997 (doi:10.1162/neco.1997.9.5.1015) with the rate of the model.
    """
    hits, spikes = np.asarray(hits, dtype=float), np.asarray(spikes, dtype=float)
    chance = 2 * spikes / duration * precision
    defined = (chance <= HIGHEST_CHANCE) & (spikes + data_spikes > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        gamma = (hits - chance * data_spikes) / ((spikes + data_spikes) / 2) / (1 - chance)
    return np.where(defined, gamma, np.nan)


@dataclass(frozen=True)
class Coincidence:
    """Hold how far the spikes of a model coincide with the data: Gamma, and the counts and rates that belong beside it.

    `hits` are spikes of the model with a partner in the data, `misses` spikes of the data without one and `extras` spikes of the model
    without one.
    """

    gamma: float
    hits: int
    misses: int
    extras: int
    model_rate: Quantity
    data_rate: Quantity
    precision: Quantity

    @property
    def share(self) -> float:
        """The share of the data's spikes that the model hits, not corrected for chance; NaN without any."""
        spikes = self.hits + self.misses
        return self.hits / spikes if spikes else float("nan")

    def __str__(self) -> str:
        return (
            f"Gamma {self.gamma:.3f} at +-{self.precision / ms:g} ms ({self.hits} hits, {self.misses} misses, {self.extras} extras; "
            f"model {self.model_rate / Hz:.3g} Hz, data {self.data_rate / Hz:.3g} Hz)"
        )


def coincidence(model: Quantity, data: Quantity, duration: Quantity, precision: Quantity = 2 * ms) -> Coincidence:
    """Compare the spike times of a model with those of the data it is to predict, over a duration from 0.

    Gamma is 1 for equal trains, 0 on average for a Poisson train of the model's rate, and below 0 for less than that; the rate that
    corrects for chance is the model's, so that swapping the trains changes it. Raises TypeError for a wrong dimension and ValueError for
    times that are not sorted or not inside the duration, for two silent trains, and where 2 * rate * precision is above `HIGHEST_CHANCE`.
    Source: see `coincidence_factor`.
    """
    end, within = positive(duration, second, "duration"), positive(precision, second, "precision")
    train, target = spike_times(model, "the model", stop=end), spike_times(data, "the data", stop=end)
    spikes, data_spikes = len(train), len(target)
    model_rate = spikes / end
    chance = 2 * model_rate * within
    if not spikes + data_spikes:
        raise ValueError(f"model and data are both silent for {end:g} s, and Gamma compares spikes; take a stronger input or more time.")
    if chance > HIGHEST_CHANCE:
        raise ValueError(
            f"the model fires at {model_rate:.4g} Hz, so that 2 * rate * precision is {chance:.3g} at a precision of "
            f"+-{within * 1e3:g} ms; Gamma is not defined from 1 on and only chance above {HIGHEST_CHANCE:g}: take a precision "
            f"below {HIGHEST_CHANCE / 2 / model_rate * 1e3:.3g} ms."
        )
    return compared(train, target, end, within)


def compared(model: np.ndarray, data: np.ndarray, duration: float, precision: float) -> Coincidence:
    """Compare sorted spike times in seconds as `coincidence` does, but with a Gamma of NaN where it is not defined."""
    hits = int(matches(model[None], data, precision)[0])
    return Coincidence(
        gamma=float(coincidence_factor(hits, len(model), len(data), duration, precision)),
        hits=hits,
        misses=len(data) - hits,
        extras=len(model) - hits,
        model_rate=quantity(len(model) / duration, Hz.dim),
        data_rate=quantity(len(data) / duration, Hz.dim),
        precision=quantity(precision, second.dim),
    )


def coincidences(model: Quantity, data: Quantity, duration: Quantity) -> tuple[Coincidence, ...]:
    """Compare as `coincidence` does at the three precisions +-1, +-2 and +-4 ms."""
    return tuple(coincidence(model, data, duration, precision) for precision in PRECISIONS)
