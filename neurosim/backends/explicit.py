"""Explicit methods of integration, written so that each term of a cell is worked out once a stage."""

from dataclasses import dataclass

from brian2.equations.equations import Equations
from brian2.stateupdaters.base import StateUpdateMethod, extract_method_options

from neurosim.backends.terms import Terms, renamed


@dataclass(frozen=True)
class RungeKutta(StateUpdateMethod):
    """Step all variables together: a row of `stages` for each evaluation of the derivatives, `weights` to sum them up.

    `stages` and `weights` are the matrix (its rows up to the diagonal) and the last line of a Butcher tableau (Hairer, Norsett & Wanner
    1993, Solving Ordinary Differential Equations I, table 1.2).
    """

    stages: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]

    def __call__(self, equations: Equations, variables=None, method_options=None) -> str:
        """Return Brian2's abstract code of a step; there are no options."""
        extract_method_options(method_options, {})
        terms, lines = Terms(equations), []
        for stage, row in enumerate(self.stages):
            at = {}
            if any(row):
                for name in terms.derivatives:
                    at[name] = f"_at_{stage}_{name}"
                    lines.append(f"{at[name]} = {_stepped(name, row)}")
            lines += terms.worked_out(at, stage)
            lines += [f"_slope_{stage}_{name} = {renamed(text, at)}" for name, text in terms.derivatives.items()]
        lines += [f"_next_{name} = {_stepped(name, self.weights)}" for name in terms.derivatives]
        return "\n".join([*lines, *(f"{name} = _next_{name}" for name in terms.derivatives)])


EULER = RungeKutta(stages=((),), weights=(1,))
RK2 = RungeKutta(stages=((), (0.5,)), weights=(0, 1))  # the midpoint method
RK4 = RungeKutta(stages=((), (0.5,), (0, 0.5), (0, 0, 1)), weights=(1 / 6, 1 / 3, 1 / 3, 1 / 6))


@dataclass(frozen=True)
class SequentialEuler(StateUpdateMethod):
    """Step each variable by dt times its derivative, in the given order, with what was stepped before it.

    Published spike times of the quadratic cell come from such steps (Izhikevich 2003, IEEE Trans Neural Netw 14:1569-1572): v first, then
    u from the new v, where Euler's method takes both from the old state.
    """

    order: tuple[str, ...]  # which Brian2 does not keep: it sorts equations by name

    def __call__(self, equations: Equations, variables=None, method_options=None) -> str:
        """Return Brian2's abstract code of a step; there are no options."""
        extract_method_options(method_options, {})
        derivatives = Terms(equations).derivatives
        # through a name of its own, as Brian2's methods do: its NumPy code for a variable that holds still while refractory expects that
        return "\n".join(f"_next_{name} = {name} + dt*({derivatives[name]})\n{name} = _next_{name}" for name in self.order)


def _stepped(name: str, factors: tuple[float, ...]) -> str:
    """Return a variable after a step with the slopes of some stages."""
    slopes = [f"{'' if factor == 1 else f'{factor!r}*'}_slope_{stage}_{name}" for stage, factor in enumerate(factors) if factor]
    return f"{name} + dt*({' + '.join(slopes)})"
