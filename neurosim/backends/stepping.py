"""The method of integration of a cell's equations, all of which write each term of the equations once."""

import re
from functools import lru_cache

from brian2 import Equations
from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException

from neurosim.backends.explicit import EULER, RK2, RK4, SequentialEuler
from neurosim.backends.exponential import ExponentialEuler, Propagators
from neurosim.errors import UnsupportedModelError
from neurosim.models import CellModel
from neurosim.models.scope import HELD

EXPLICIT = {"euler": EULER, "rk2": RK2, "rk4": RK4}


def stepping(model: CellModel) -> StateUpdateMethod:
    """Return what Brian2 takes as the method of a cell's equations."""
    if model.method in EXPLICIT:
        return EXPLICIT[model.method]
    if model.method == "exact":
        _check_exact(model.name, model.equations)
        return Propagators()
    if model.method == "sequential_euler":
        return SequentialEuler(tuple(name for name, line in model.lines.items() if line.kind == "differential"))
    return ExponentialEuler(frozenset(name for name, line in model.lines.items() if HELD in line.flags))


@lru_cache(maxsize=256)
def _check_exact(name: str, equations: str) -> None:
    """Raise UnsupportedModelError, before Brian2 meets them, for equations that are too many to be solved exactly."""
    try:
        Propagators()(Equations(followed(equations)))
    except UnsupportedEquationsException as reason:
        raise UnsupportedModelError(f"cell model {name!r}: {reason}") from None


def followed(equations: str) -> str:
    """Return equations without the flag of terms to hold, which Brian2 would store and hold under every method."""
    return re.sub(rf"\(\s*{HELD}\s*\)", "", equations)
