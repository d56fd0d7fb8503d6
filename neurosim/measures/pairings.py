"""What pairs of spikes made of synapses, in models and in experiments, and how far apart the two are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from neurosim.units import Hz, Quantity, second, to_si

CLOSE = 1e-6  # relative difference up to which two lags or rates are one


@dataclass(frozen=True, eq=False)
class Pairings:
    """Hold how much synapses changed after pairs of spikes: one entry of each array for a protocol.

    `lags`: from the presynaptic to the postsynaptic spike of a pair, in second; `rates`: of pairs, in Hz; `changes`: of the weight, as
    shares; `errors`: their standard errors, of experiments. ValueError where lengths differ, a number is not finite, or an error is
    not above 0; TypeError for another unit.
    """

    lags: Quantity
    rates: Quantity
    changes: np.ndarray
    errors: np.ndarray | None = None

    def __post_init__(self) -> None:
        arrays = {"lags": self.lags_si, "rates": self.rates_si, "changes": np.asarray(self.changes, dtype=float)}
        if self.errors is not None:
            arrays["errors"] = np.asarray(self.errors, dtype=float)
        shapes = {array.shape for array in arrays.values()}
        if len(shapes) > 1 or arrays["lags"].ndim != 1 or not arrays["lags"].size:
            given = ", ".join(f"{name} of shape {array.shape}" for name, array in arrays.items())
            raise ValueError(f"pairings have {given}; give 1-D arrays of one length")
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise ValueError(f"{name} of pairings are not all finite; leave out what was not measured")
        if self.errors is not None and arrays["errors"].min() <= 0:
            raise ValueError(f"an error of pairings is {arrays['errors'].min():g}; give standard errors above 0")
        for name in arrays.keys() & {"changes", "errors"}:
            object.__setattr__(self, name, arrays[name])

    @property
    def lags_si(self) -> np.ndarray:
        """The lags in seconds."""
        return np.asarray(to_si(self.lags, second, "lags of pairings"))

    @property
    def rates_si(self) -> np.ndarray:
        """The rates in Hz."""
        return np.asarray(to_si(self.rates, Hz, "rates of pairings"))

    def at(self, protocols: "Pairings") -> np.ndarray:
        """Return the changes after the protocols of others; raise ValueError where one of them was not played."""
        same = np.isclose(self.lags_si, protocols.lags_si[:, None], rtol=CLOSE, atol=0.0)
        same &= np.isclose(self.rates_si, protocols.rates_si[:, None], rtol=CLOSE, atol=0.0)
        missing = np.flatnonzero(~same.any(axis=1))
        if len(missing):
            lag, rate = protocols.lags_si[missing[0]] * 1e3, protocols.rates_si[missing[0]]
            raise ValueError(
                f"pairings have none at a lag of {lag:g} ms and {rate:g} Hz; play this protocol too, or leave it out of the data"
            )
        return self.changes[same.argmax(axis=1)]


def normalised_error(found: Pairings, data: Pairings) -> float:
    """Return the mean square of the distance of pairings from data, in standard errors of the data.

    Pfister & Gerstner (2006), eq. 5, doi:10.1523/JNEUROSCI.1425-06.2006. ValueError where the data have no errors, or a protocol of theirs
    was not played.
    """
    return float(np.mean(((found.at(data) - data.changes) / _errors(data)) ** 2))


def best_sum(parts: Sequence[Pairings], data: Pairings) -> tuple[np.ndarray, Pairings]:
    """Return factors, 0 or more, on several pairings and their weighted sum, which comes as near to data as it can.

    That is the fit of a rule that is linear in its amplitudes: least squares, weighted by the errors of the data. The sum has the protocols
    of the first. Raises as `normalised_error` does.
    """
    first, errors = parts[0], _errors(data)
    factors, _ = nnls(np.stack([part.at(data) / errors for part in parts], axis=-1), data.changes / errors)
    return factors, Pairings(first.lags, first.rates, sum(factor * part.at(first) for factor, part in zip(factors, parts, strict=True)))


def _errors(data: Pairings) -> np.ndarray:
    if data.errors is None:
        raise ValueError("data of pairings have no errors; give their standard errors")
    return data.errors
