"""Describe how a quantity varies over cells or synapses: Normal, LogNormal, Uniform, Steps, Exponential.

A distribution is a value: `sample` draws from it with the generator it is given and keeps no state.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from brian2 import get_unit
from scipy.special import ndtri  # the normal quantile; scipy.stats takes a second to import

from neurosim.errors import near
from neurosim.units import DIMENSIONLESS, Quantity, exponents, from_exponents, get_dimensions, quantity, to_si, unit_name


class Distribution:
    """Share what all distributions have: checked parameters, a unit and a specification."""

    def __post_init__(self):
        dimensions = self._dimensions
        for field in fields(self):
            value = getattr(self, field.name)
            number = to_si(value, DIMENSIONLESS if field.name == "sigma" else dimensions, f"{field.name} of {self._name}")
            self._require(np.ndim(number) == 0, field.name, "one number")
            self._require(math.isfinite(number), field.name, "finite")
        self._check()

    @property
    def _name(self):
        return type(self).__name__

    @property
    def _dimensions(self):
        name = fields(self)[0].name
        try:
            return get_dimensions(getattr(self, name))
        except TypeError:
            raise ValueError(f"{name} of {self._name} is {getattr(self, name)!r}, which is not a number; give a quantity") from None

    @property
    def unit(self):
        """Return the SI unit of what is drawn."""
        return get_unit(self._dimensions)

    def sample(self, size, rng):
        """Return `size` independent draws as an array with units, taken from the NumPy generator `rng`."""
        return quantity(self._sample(size, rng), self._dimensions)

    def quantile(self, p):
        """Return the values below which the parts `p` of all draws lie, with units; raise ValueError for a part outside [0, 1]."""
        parts = np.asarray(p, dtype=np.float64)
        if not ((parts >= 0) & (parts <= 1)).all():
            raise ValueError(f"a quantile of {self._name} is asked for p={p!r}; give numbers from 0 to 1")
        with np.errstate(divide="ignore"):  # the ends of an unbounded distribution lie at infinity
            return quantity(self._quantile(parts), self._dimensions)

    def specification(self):
        """Return the distribution as a dictionary that JSON can hold, parameters in SI."""
        parameters = {field.name: self._si(field.name) for field in fields(self)}
        return {"distribution": self._name, "dimensions": exponents(self._dimensions), **parameters}

    def _si(self, name):
        return float(np.asarray(getattr(self, name)))

    def _require(self, good, name, need):
        if not good:
            raise ValueError(f"{name} of {self._name} is {getattr(self, name)!r}, but it needs to be {need}; give another value")


@dataclass(frozen=True)
class Normal(Distribution):
    """Draw from a normal distribution with a mean and a standard deviation in the same unit."""

    mean: Quantity
    sd: Quantity

    def _check(self):
        self._require(self._si("sd") >= 0, "sd", "0 or more")

    def _sample(self, size, rng):
        return rng.normal(self._si("mean"), self._si("sd"), size)

    def _quantile(self, p):
        return self._si("mean") + _deviates(p, self._si("sd"))


@dataclass(frozen=True)
class LogNormal(Distribution):
    """Draw from a log-normal distribution: `median` has the unit, `sigma` is the standard deviation of the logarithm."""

    median: Quantity
    sigma: float

    def _check(self):
        self._require(self._si("median") > 0, "median", "above 0")
        self._require(self._si("sigma") >= 0, "sigma", "0 or more")

    def _sample(self, size, rng):
        return self._si("median") * np.exp(self._si("sigma") * rng.standard_normal(size))

    def _quantile(self, p):
        return self._si("median") * np.exp(_deviates(p, self._si("sigma")))


@dataclass(frozen=True)
class Uniform(Distribution):
    """Draw from a uniform distribution between `low` and `high`."""

    low: Quantity
    high: Quantity

    def _check(self):
        self._require(self._si("low") <= self._si("high"), "low", f"at most high, {self.high!r}")

    def _sample(self, size, rng):
        return rng.uniform(self._si("low"), self._si("high"), size)

    def _quantile(self, p):
        return self._si("low") + (self._si("high") - self._si("low")) * p


@dataclass(frozen=True)
class Steps(Distribution):
    """Draw one of the values from `low` to `high` that are whole `step`s above `low`, each as often, such as delays on a grid."""

    low: Quantity
    high: Quantity
    step: Quantity

    @property
    def _number(self):
        return 1 + math.floor((self._si("high") - self._si("low")) / self._si("step") + 1e-9)  # high counts although quotients round

    def _check(self):
        self._require(self._si("step") > 0, "step", "above 0")
        self._require(self._si("low") <= self._si("high"), "low", f"at most high, {self.high!r}")

    def _sample(self, size, rng):
        return self._si("low") + self._si("step") * rng.integers(self._number, size=size)

    def _quantile(self, p):
        return self._si("low") + self._si("step") * np.clip(np.ceil(p * self._number) - 1, 0, None)


@dataclass(frozen=True)
class Exponential(Distribution):
    """Draw from an exponential distribution with the given mean."""

    mean: Quantity

    def _check(self):
        self._require(self._si("mean") > 0, "mean", "above 0")

    def _sample(self, size, rng):
        return rng.exponential(self._si("mean"), size)

    def _quantile(self, p):
        return -self._si("mean") * np.log1p(-p)


def _deviates(p, sd):
    return sd * ndtri(p) if sd else np.zeros_like(p)


_KINDS = {kind.__name__: kind for kind in (Normal, LogNormal, Uniform, Steps, Exponential)}


def from_specification(specification):
    """Return the distribution that `specification()` described; an unknown name raises ValueError."""
    parameters = dict(specification)
    name = parameters.pop("distribution", None)
    if name not in _KINDS:
        raise ValueError(f"distribution {name!r} is unknown; use one of {', '.join(_KINDS)}.{near(str(name), _KINDS)}")
    dimensions = from_exponents(parameters.pop("dimensions"))
    if dimensions is not DIMENSIONLESS:
        parameters = {key: value if key == "sigma" else quantity(value, dimensions) for key, value in parameters.items()}
    return _KINDS[name](**parameters)


def draw(spec, size, rng, unit, what):
    """Return `size` values in SI as an array of floats.

    `spec` is a quantity, an array of quantities of shape (size,) or a distribution, with the dimension of `unit`; `what` names the
    values in errors. A wrong dimension raises TypeError, a wrong shape or a number that is not finite ValueError.
    """
    if isinstance(spec, Distribution):
        wanted = get_dimensions(unit)
        if spec._dimensions is not wanted:
            raise TypeError(f"{what} is {spec!r}, but it needs the dimension of {unit_name(wanted)}; change the units of the distribution")
        if rng is None:
            raise TypeError(f"{what} is {spec!r}, but there is no generator to draw with; give its sample({size}, rng)")
        return spec._sample(size, rng)
    values = np.asarray(to_si(spec, unit, what), dtype=np.float64)
    if values.ndim == 0:
        values = np.full(size, values)
    if values.shape != (size,):
        raise ValueError(f"{what} has the shape {values.shape}, but it needs one value or ({size},); give as many values as there are rows")
    if not np.isfinite(values).all():
        raise ValueError(f"{what} holds {values[~np.isfinite(values)][0]}, but every value needs to be finite; give another number")
    return values
