"""Methods of integration that solve what is linear: exponential Euler steps of each variable, and the exact ones of linear equations."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import sympy
from brian2.equations.equations import Equations
from brian2.stateupdaters.base import StateUpdateMethod, UnsupportedEquationsException, extract_method_options

from neurosim.backends.matrices import LARGEST
from neurosim.backends.terms import Terms, renamed, slope, symbol, written

DT = sympy.Symbol("dt", real=True, positive=True)
LONGEST = 3  # eigenvalues of a divided difference of exp that we have


@dataclass(frozen=True)
class ExponentialEuler(StateUpdateMethod):
    """Step each variable x, whose derivative f is linear in x, by dt * f * phi(dt * df/dx), phi(z) = (exp(z) - 1)/z, all others held.

    That solves dx/dt = f while the others stand still (Rush & Larsen 1978, doi:10.1109/TBME.1978.326270; Hochbruck & Ostermann 2010,
    doi:10.1017/S0962492910000048), with each rate worked out once. `held` names subexpressions that keep their values during a
    step, so that f may have a term that is not linear in x.
    """

    held: frozenset[str] = frozenset()

    def __call__(self, equations: Equations, variables=None, method_options=None) -> str:
        """Return Brian2's abstract code of a step; there are no options. Raises UnsupportedEquationsException for what is not linear."""
        extract_method_options(method_options, {})
        terms = Terms(equations, self.held)
        # All rates before all steps: one after the other, each exponential would wait for the division before it.
        names: dict[str, str] = {}
        lines = terms.worked_out(names, 0)
        lines += [f"_slope_{name} = {renamed(terms.moving(name), names)}" for name in terms.derivatives]
        lines += [f"_next_{name} = {renamed(_relaxed(terms, name), names)}" for name in terms.derivatives]
        return "\n".join([*lines, *(f"{name} = _next_{name}" for name in terms.derivatives)])


def _relaxed(terms: Terms, name: str) -> str:
    expression = terms.symbolic(terms.moving(name), [name])
    rate = slope(expression, name, [name])
    if rate == 0:
        return f"{name} + dt*_slope_{name}"
    if expression.subs(symbol(name), 0) == 0:
        return f"{name}*exp{written(DT * rate)}"
    return f"{name} + dt*exprel{written(DT * rate)}*_slope_{name}"


@dataclass(frozen=True)
class Propagators(StateUpdateMethod):
    """Step linear equations exactly, by the exponential of their matrix.

    Its entries are sums, over the ways along which one variable acts on another, of divided differences of exp at the rates of the
    variables on the way (Higham 2008, Functions of Matrices, theorem 4.11), which have no singularity where time constants are equal.
    Where variables act on each other, or ways are long, a function works the entries out from the numbers in the matrix.
    """

    def __call__(self, equations: Equations, variables=None, method_options=None) -> str:
        """Return Brian2's abstract code of a step; there are no options. Raises UnsupportedEquationsException for what is not linear."""
        extract_method_options(method_options, {})
        terms = Terms(equations)
        systems = {moving: _System(terms, moving) for moving in ((True, False) if terms.pausing else (True,))}
        lines = []
        for name in terms.derivatives:
            texts = {moving: system.stepped(name) for moving, system in systems.items()}
            text = texts[True]
            if name not in terms.pausing and texts.get(False, text) != text:  # what acts on it holds still while refractory
                text = f"int(not_refractory)*({text}) + (1 - int(not_refractory))*({texts[False]})"
            lines.append(f"_next_{name} = {text}")
        return "\n".join([*lines, *(f"{name} = _next_{name}" for name in terms.derivatives)])


class _System:
    """Hold linear equations as rates, what acts on each variable, and constants, all symbolic; of a refractory cell unless `moving`."""

    def __init__(self, terms: Terms, moving: bool):
        states = list(terms.derivatives)
        self.matrix: dict[str, dict[str, sympy.Expr]] = {}
        self.constants: dict[str, sympy.Expr] = {}
        for name in states:
            if name in terms.pausing and not moving:
                self.matrix[name], self.constants[name] = {}, sympy.Integer(0)
                continue
            expression = terms.symbolic(terms.moving(name), states)
            row = {other: slope(expression, other, states) for other in states}
            self.matrix[name] = {other: value for other, value in row.items() if value != 0}
            self.constants[name] = expression.subs({symbol(other): 0 for other in states})

    def _ways(self, way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Give all ways that end at a variable and begin at what acts on it, itself or through others."""
        yield way
        if len(set(way)) == len(way):
            for other in self.matrix[way[-1]]:
                if other != way[-1]:
                    yield from self._ways((*way, other))

    def rate(self, name: str) -> sympy.Expr:
        """Return the rate at which a variable relaxes, times the time step."""
        return DT * self.matrix[name].get(name, sympy.Integer(0))

    def stepped(self, name: str) -> str:
        """Return a variable after a time step as a text."""
        for way in self._ways((name,)):
            again = len(set(way)) < len(way)  # two variables act on each other
            if again or len(way) + (self.constants[way[-1]] != 0) > LONGEST:
                return self._by_matrix(name)
        return self._by_ways(name)

    def _by_matrix(self, name: str) -> str:
        acting = list(dict.fromkeys(one for way in self._ways((name,)) for one in way))
        rows = [[DT * self.matrix[one].get(other, sympy.Integer(0)) for other in acting] for one in acting]
        constant = [one for one in acting if self.constants[one] != 0]
        if len(acting) + bool(constant) > LARGEST:
            raise UnsupportedEquationsException(
                f"{len(acting)} variables act on {name!r}, too many to solve exactly; give rk4 as the method"
            )
        parts = [f"{_entry(rows, number)}*{written(symbol(one))}" for number, one in enumerate(acting)]
        for one in constant:  # a column more, of what the constant of one variable does in a time step
            driven = [[*row, DT if other == one else sympy.Integer(0)] for row, other in zip(rows, acting, strict=True)]
            parts.append(f"{_entry([*driven, [sympy.Integer(0)] * (len(acting) + 1)], len(acting))}*{written(self.constants[one])}")
        return " + ".join(parts)

    def _by_ways(self, name: str) -> str:
        parts = []
        for way in self._ways((name,)):
            gain = sympy.Mul(*(DT * self.matrix[target][source] for target, source in zip(way, way[1:], strict=False)))
            rates, constant = [self.rate(one) for one in way], self.constants[way[-1]]
            own = gain * symbol(way[-1])
            if len(way) == 1 and constant != 0:  # so that a variable at rest stays there to the last bit
                own, constant = None, self.matrix[name].get(name, 0) * symbol(name) + constant
                parts.append(name)
            if own is not None:
                parts.append(f"{divided_difference(rates)}*{written(own)}")
            if constant != 0:
                parts.append(f"{divided_difference([*rates, sympy.Integer(0)])}*{written(DT * gain * constant)}")
        return " + ".join(parts)


def _entry(rows: list[list[sympy.Expr]], column: int) -> str:
    """Return the entry in the first row and a column of the exponential of a matrix as a text."""
    values = ", ".join(written(value) for row in rows for value in row)
    return f"matrix_exponential_{len(rows)}(0, {column}, {values})"


def divided_difference(points: Collection[sympy.Expr]) -> str:
    """Return the divided difference of exp at up to `LONGEST` points as a text."""
    first, *others = sorted(points, key=lambda point: point == 0)  # a zero last
    if len(others) == 2:
        return f"exp_difference({', '.join(map(written, (first, *others)))})"
    if not others or first == others[0]:
        return f"exp{written(first)}" if first != 0 else "1"
    if others[0] == 0:
        return f"exprel{written(first)}"
    highest, apart = (first + others[0] + sympy.Abs(first - others[0])) / 2, sympy.Abs(first - others[0])
    return f"exp{written(highest)}*exprel{written(-apart)}"  # so that neither overflows
