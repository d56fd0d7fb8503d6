"""Methods of integration by name, and two that Brian2 lacks: Euler steps of one variable after the other, and steps that hold a term."""

import re
from dataclasses import dataclass

from brian2.equations.equations import PARAMETER, Equations, SingleEquation
from brian2.stateupdaters.base import StateUpdateMethod, extract_method_options
from brian2.stateupdaters.exponential_euler import exponential_euler

from neurosim.models import CellModel
from neurosim.models.scope import HELD


@dataclass(frozen=True)
class SequentialEuler(StateUpdateMethod):
    """Step each variable by dt times its derivative, in the given order, with what was stepped before it.

    Published spike times of the quadratic cell come from such steps (Izhikevich 2003, IEEE Trans Neural Netw 14:1569-1572): v first, then
    u from the new v, where Brian2's euler takes both from the old state.
    """

    order: tuple[str, ...]  # which Brian2 does not keep: it sorts equations by name

    def __call__(self, equations: Equations, variables=None, method_options=None) -> str:
        """Return Brian2's abstract code of a step; there are no options."""
        extract_method_options(method_options, {})
        derivatives = dict(equations.get_substituted_expressions(variables))
        # through a name of its own, as Brian2's methods do: its NumPy code for a variable that holds still while refractory expects that
        return "\n".join(f"_{name} = {name} + dt*({derivatives[name]})\n{name} = _{name}" for name in self.order)


@dataclass(frozen=True)
class HoldingEuler(StateUpdateMethod):
    """Step as exponential_euler does while subexpressions hold their values at the start of the step.

    So dv/dt may have a term that is not linear in v, as each gate of a cell is stepped with v held. Nothing is stored: the terms are
    worked out inside the step, from the state before it.
    """

    held: frozenset[str]

    def __call__(self, equations: Equations, variables=None, method_options=None) -> str:
        """Return Brian2's abstract code of a step; there are no options."""
        lines = [SingleEquation(PARAMETER, one.varname, one.dim) if one.varname in self.held else one for one in equations.ordered]
        return exponential_euler(Equations(lines), variables, method_options)


def stepping(model: CellModel) -> str | StateUpdateMethod:
    """Return what Brian2 takes as the method of a cell's equations."""
    held = frozenset(name for name, line in model.lines.items() if HELD in line.flags)
    if model.method == "exponential_euler" and held:
        return HoldingEuler(held)
    if model.method != "sequential_euler":
        return model.method
    return SequentialEuler(tuple(name for name, line in model.lines.items() if line.kind == "differential"))


def followed(equations: str) -> str:
    """Return equations without the flag of terms to hold, which Brian2 would store and hold under every method."""
    return re.sub(rf"\(\s*{HELD}\s*\)", "", equations)
