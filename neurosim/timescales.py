"""Time constants of cells and synapses, and the time step that they allow."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from neurosim.errors import TimeStepWarning
from neurosim.expressions import evaluate
from neurosim.models import CellModel, SynapseModel
from neurosim.models.parts import Names
from neurosim.population import Population
from neurosim.units import Quantity, quantity, second

# Central differences of relative width cbrt(eps) lose as much to the curve as to rounding (Press et al. 2007, Numerical Recipes, eq. 5.7.8).
_WIDTH = float(np.cbrt(np.finfo(float).eps))
# How many time constants a step may last, and what happens beyond. A step of x time constants multiplies a deviation by exp(-x). What the
# explicit methods take instead, 1 - x for euler, turns over beyond 1; it grows beyond 2 for euler and rk2 and beyond 2.79 for rk4 (Hairer &
# Wanner 1996, doi:10.1007/978-3-642-05221-7, chapter IV.2). The other two take exp(-x) itself and stay bounded, but one variable is held still
# while another moves: a conductance that decays acts for x/(1 - exp(-x)) times too long, which is 2.3 times at x = 2.
_LIMITS: Mapping[str, tuple[float, str]] = {
    "euler": (1, "euler overshoots beyond one time constant and diverges beyond 2"),
    "sequential_euler": (1, "sequential_euler overshoots beyond one time constant and diverges beyond 2"),
    "rk2": (1, "rk2 is far off beyond one time constant and diverges beyond 2"),
    "rk4": (1, "rk4 loses its accuracy beyond one time constant and diverges beyond 2.8"),
    "exponential_euler": (2, "exponential_euler lets it act more than twice too strongly beyond 2"),
    "exact": (2, "spikes are looked for only once in more than 2"),
}


def time_constants(model: CellModel | SynapseModel, spread: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Quantity]:
    """Return the time constants of the state of a cell or a synapse at birth, 1/|d(dx/dt)/dx| by central differences, the fastest first.

    `spread` gives parameters of which each cell has its own value, as quantities of shape (cells,): the fastest cell counts. A variable
    whose rate of change does not depend on itself has no time constant and is left out, as is one whose equation has no finite value
    around the initial state, or depends on the cells that a synapse joins.
    """
    found = {name: quantity(tau, second.dim) for name, tau in (_inherent(model) if not spread else _measured(model, spread)).items()}
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def warn_of_time_step(populations: Iterable[Population], dt: float) -> None:
    """Warn where a time step (in seconds) is longer than the fastest variable of a population allows.

    A TimeStepWarning names population, variable, time constant, time step and one to take: a fifth of the time constant, or less.
    """
    for population in populations:
        model = population.model
        if model.source or not len(population):
            continue
        taus = time_constants(model, {name: getattr(population, name) for name in model.per_cell})
        limit, beyond = _LIMITS[model.method]
        name = next(iter(taus), None)
        if name is not None and dt > limit * (tau := float(taus[name])):
            warnings.warn(
                f"dt is {dt * 1e3:g} ms, but {name} of population {population.name!r} ({model.name}) has a time constant of "
                f"{tau * 1e3:.3g} ms, and {beyond}; take dt = {_round_down(tau / 5) * 1e3:g} ms",
                TimeStepWarning,
                stacklevel=outside(),
            )


def above_advice(populations: Iterable[Population], dt: float) -> Iterator[str]:
    """Go through the populations whose cell's file advises a time step shorter than this one (in seconds): a sentence for each."""
    for population in populations:
        advice = population.model.time_step
        if advice is not None and dt > float(advice.advised) * (1 + 1e-9):
            yield (
                f"dt is {dt * 1e3:g} ms, but the file of {population.model.name!r} (population {population.name!r}) advises "
                f"{float(advice.advised) * 1e3:g} ms at most, where its mean interspike interval is within 1 %"
            )


@lru_cache(maxsize=1024)
def _inherent(model: CellModel | SynapseModel) -> Mapping[str, float]:
    return MappingProxyType(_measured(model, {}))


def _measured(model: CellModel | SynapseModel, spread: Mapping[str, Any]) -> dict[str, float]:
    """The time constants in seconds, of all variables that have one."""
    state = {name: np.asarray(value, dtype=float) for name, value in model.initial_values(spread).items()}
    texts = {name: model.lines[name].expression for name in model.subexpressions}
    known = {**model.si_namespace(), **dict.fromkeys(getattr(model, "continuous", ()), 0.0), **state}
    found = {}
    for name, line in model.lines.items():
        if line.kind == "differential":
            width = _WIDTH * size_of(model, name, state[name])
            ends = [state[name] - width, state[name] + width]
            try:
                with np.errstate(all="ignore"):
                    low, high = (evaluate(line.expression, Names({**known, name: end}, texts)) for end in ends)
                    rate = np.abs((np.asarray(high) - low) / (ends[1] - ends[0]))
            except (ArithmeticError, NameError):
                continue
            fastest = np.max(rate, initial=0.0, where=np.isfinite(rate))
            if fastest > 0:
                found[name] = float(1 / fastest)
    return found


def size_of(model: CellModel | SynapseModel, name: str, value: np.ndarray) -> float:
    """Return the size of a variable: the largest of its value and the parameters in its unit, without any of which its equation is linear."""
    given = [one for one in model.parameters.values() if one.value is not None and one.dimensions is model.variables[name]]
    alike = [abs(one.value) for one in given if math.isfinite(one.value)]
    return max([float(np.abs(value).max()), *alike]) or 1.0


def _round_down(value: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that is not above the value."""
    power = 10.0 ** math.floor(math.log10(value))
    return power * max(step for step in (1, 2, 5) if step * power <= value * (1 + 1e-9))


def outside() -> int:
    """Return how many calls away from whoever called this stands the first line that is not of this library: a warning's stacklevel."""
    level, frame = 1, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] == __package__:
        level, frame = level + 1, frame.f_back
    return level
