"""The method of integration of a cell's equations, all of which write each term of the equations once."""

import re

from brian2.stateupdaters.base import StateUpdateMethod

from neurosim.backends.explicit import EULER, RK2, RK4, SequentialEuler
from neurosim.backends.exponential import ExponentialEuler, Propagators
from neurosim.models import CellModel
from neurosim.models.scope import HELD

EXPLICIT = {"euler": EULER, "rk2": RK2, "rk4": RK4}


def stepping(model: CellModel) -> StateUpdateMethod:
    """Return what Brian2 takes as the method of a cell's equations."""
    if model.method in EXPLICIT:
        return EXPLICIT[model.method]
    if model.method == "exact":
        return Propagators()
    if model.method == "sequential_euler":
        return SequentialEuler(tuple(name for name, line in model.lines.items() if line.kind == "differential"))
    return ExponentialEuler(frozenset(name for name, line in model.lines.items() if HELD in line.flags))


def followed(equations: str) -> str:
    """Return equations without the flag of terms to hold, which Brian2 would store and hold under every method."""
    return re.sub(rf"\(\s*{HELD}\s*\)", "", equations)
