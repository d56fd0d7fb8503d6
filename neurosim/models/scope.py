"""What the texts of a model must satisfy: names that exist, units that fit, statements that assign what they may.

Units are worked out by Brian2's own rules, so that what passes here passes there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from brian2 import Equations
from brian2.core.functions import DEFAULT_FUNCTIONS
from brian2.core.variables import Constant, Variable
from brian2.equations.equations import (
    DIFFERENTIAL_EQUATION,
    FLOAT,
    PARAMETER,
    SUBEXPRESSION,
    EquationError,
    extract_constant_subexpressions,
)
from brian2.parsing.expressions import is_boolean_expression, parse_expression_dimensions
from brian2.parsing.sympytools import str_to_sympy
from brian2.stateupdaters.base import UnsupportedEquationsException
from brian2.stateupdaters.exact import get_linear_system
from brian2.stateupdaters.exponential_euler import get_conditionally_linear_system
from sympy import Symbol, sympify

from neurosim.errors import near
from neurosim.expressions import CONSTANTS, FUNCTIONS, Statement, names_in, statements
from neurosim.units import UNITS, Dimension, DimensionMismatchError, get_dimensions, unit_name

# columns of the cell and synapse tables, and names with a meaning of their own in equations
RESERVED = frozenset(
    "id parent birth position lastspike pre post weight delay share lastupdate amount deliver name model sign ids cells parents "
    "shared synapses flight source target synapse receptor newborn recipe N i j t dt xi not_refractory use since counted spikes "
    "memory frozen".split()
)
# words of C++, in which libraries are written: each would end at its compiler
CPP = frozenset(
    "alignas alignof asm auto bool case catch char class concept const constexpr const_cast decltype default delete do double dynamic_cast enum "
    "explicit export extern float friend goto inline int int64_t int32_t long mutable namespace neurosim new noexcept nullptr operator private "
    "protected public register reinterpret_cast requires short signed size_t sizeof static static_assert static_cast std struct switch template "
    "this throw typedef typeid typename union unsigned using virtual void volatile wchar_t NAN INFINITY Engine".split()
)
# the flag of a subexpression that exponential_euler holds at its value at the start of a time step
HELD = "constant over dt"
# what Brian2 raises for equations that it cannot read
_UNREADABLE = (EquationError, SyntaxError, ValueError, TypeError, KeyError)
_LINEAR = {
    "exponential_euler": (get_conditionally_linear_system, "each dx/dt to be linear in x"),
    "exact": (get_linear_system, "all equations to be linear"),
}
_KINDS = {DIFFERENTIAL_EQUATION: "differential", SUBEXPRESSION: "subexpression", PARAMETER: "variable"}


@dataclass(frozen=True)
class Equation:
    """One line of a model's equations: a "differential" equation, a "subexpression", or a "variable" that only statements change."""

    kind: str
    expression: str
    dimensions: Dimension
    flags: tuple[str, ...]


def parse_equations(text: str, flags: Iterable[str], where: str) -> dict[str, Equation]:
    """Read equations; returns them by name in the order of the file.

    `flags` are those that equations may carry: HELD subexpressions, the others differential ones. Raises ValueError naming the equation.
    """
    try:
        lines = Equations(text) if text.strip() else {}
    except _UNREADABLE as error:
        raise ValueError(
            f"{where}: {_unreadable(text, error)}; write each as dx/dt = -x/tau : volt, in a base unit (1 for none)."
        ) from None
    equations: dict[str, Equation] = {}
    for name, line in lines.items():
        at = f"{where}: equation of '{name}'"
        refuse_reserved(name, at)
        if name.endswith(("_pre", "_post")):
            raise ValueError(f"{at}: names that end so are those by which synapses read their cells; choose another.")
        if line.var_type != FLOAT:
            raise ValueError(f"{at} is {line.var_type}; state is real, give it a unit (1 where it has none).")
        known = {DIFFERENTIAL_EQUATION: set(flags) - {HELD}, SUBEXPRESSION: set(flags) & {HELD}}
        allowed = sorted(known.get(line.type, ()))
        for flag in line.flags:
            if flag not in allowed:
                raise ValueError(f"{at} has the flag '{flag}', which is not understood there; {_either(allowed)}.")
        equations[name] = Equation(_KINDS[line.type], line.expr.code if line.expr else "", line.dim, tuple(line.flags))
    return equations


def _unreadable(text: str, error: Exception) -> str:
    """Say which equation cannot be read and why: the first that cannot be read alone, or all of them together."""
    what, heads = "equations", list(re.finditer(r"^[ \t]*(\w+(?:/dt)?)[ \t]*=", text, re.MULTILINE))
    for head, after in zip(heads, [*(other.start() for other in heads[1:]), len(text)]):
        alone = text[head.start() : after]
        if ":" not in alone:
            return f"equation of {head[1]} cannot be read: it has no unit"
        try:
            Equations(alone)
        except _UNREADABLE as own:
            what, error = f"equation of {head[1]}", own
            break
    # its parser knows some operators, such as ^, by a key that its writer lacks
    reason = f"{error} is not arithmetic" if isinstance(error, KeyError) else str(error)
    cause = "" if error.__cause__ is None or str(error.__cause__) in reason else str(error.__cause__)
    return f"{what} cannot be read: {' '.join(f'{reason} {cause}'.split()).rstrip('.')}"


@lru_cache(maxsize=1024)
def unsolvable(equations: str, method: str) -> str:
    """Say why Brian2 cannot step equations by a method; empty where it can."""
    if method not in _LINEAR:
        return ""
    system, needs = _LINEAR[method]
    lines = Equations(equations)
    held = extract_constant_subexpressions(lines)[0] if method == "exponential_euler" else lines
    try:
        solved = system(held, {})
    except (ValueError, UnsupportedEquationsException) as error:
        return f"which needs {needs}: {' '.join(str(error).split()).rstrip('.')}"
    if method == "exponential_euler":
        texts = {name: expression.code for name, expression in held.get_substituted_expressions()}
        for name, coefficients in solved.items():
            # Brian2 takes A(x) x + B(x) for linear and holds A and B without a word, and it drops x**2 where x stands beside it
            if any(name == str(symbol) for part in coefficients for symbol in sympify(part).free_symbols) or not _linear(texts[name], name):
                return f"which needs {needs}, and d{name}/dt is not; it may hold the value of a subexpression that ends with ({HELD})"
    return ""


def _linear(text: str, name: str) -> bool:
    variable = Symbol(name, real=True)
    slope = str_to_sympy(text).diff(variable)
    return variable not in slope.free_symbols or variable not in slope.expand().free_symbols


def refuse_reserved(name: str, where: str) -> None:
    """Raise ValueError for a name that means something else already."""
    if name in RESERVED or name in CPP or name in UNITS or name in FUNCTIONS or name in CONSTANTS:
        raise ValueError(f"{where}: the name '{name}' has a meaning of its own; choose another.")


class Scope:
    """The names that the texts of one model may use, with their dimensions."""

    def __init__(self, where: str, constants: Mapping[str, Dimension], variables: Mapping[str, Dimension]):
        self.where = where
        self.constants = dict(constants)
        self.dimensions = {**constants, **variables}
        units = {name: Constant(name, float(unit), dimensions=unit.dim) for name, unit in UNITS.items()}
        numbers = {name: Constant(name, value) for name, value in CONSTANTS.items()}
        # the values of constants do not matter for dimensions, except in an exponent, where 1 would hide a mistake
        fixed = {name: Constant(name, 2.0, dimensions=dimensions) for name, dimensions in constants.items()}
        changing = {name: Variable(name, dimensions=dimensions) for name, dimensions in variables.items()}
        functions = {name: DEFAULT_FUNCTIONS[name] for name in FUNCTIONS}
        self.variables: dict[str, Any] = {**functions, **units, **numbers, **fixed, **changing}

    def extended(self, **names: Dimension) -> Scope:
        """Return a scope that knows some names more."""
        scope = Scope(self.where, self.constants, {})
        scope.dimensions = {**self.dimensions, **names}
        scope.variables = {**self.variables, **{name: Variable(name, dimensions=dimensions) for name, dimensions in names.items()}}
        return scope

    def without(self, names: Iterable[str]) -> Scope:
        """Return a scope that lacks some names."""
        hidden = set(names)
        scope = Scope(self.where, {name: dimensions for name, dimensions in self.constants.items() if name not in hidden}, {})
        scope.dimensions = {name: dimensions for name, dimensions in self.dimensions.items() if name not in hidden}
        scope.variables = {name: variable for name, variable in self.variables.items() if name not in hidden}
        return scope

    def measure(self, text: str, what: str) -> Dimension:
        """Return the dimensions of an expression; raises ValueError naming `what` for a bad name, function or unit."""
        at = f"{self.where}: {what}"
        try:
            unknown = sorted(names_in(text) - set(self.variables))
        except (NameError, ValueError) as error:
            raise ValueError(f"{at}: {error}") from None
        if unknown:
            options = set(self.dimensions) | (set(UNITS) if len(unknown[0]) > 1 else set())
            raise ValueError(f"{at}: '{unknown[0]}' in '{text.strip()}' is not defined.{near(unknown[0], options)}")
        try:
            return get_dimensions(parse_expression_dimensions(text.strip(), self.variables))
        except (DimensionMismatchError, SyntaxError, TypeError, ValueError) as error:
            reason = error.msg if isinstance(error, SyntaxError) else str(error)
            raise ValueError(f"{at}: the units in '{text.strip()}' do not fit: {reason.rstrip('.')}{self._read_by(text)}.") from None

    def check(self, text: str, dimensions: Dimension, what: str) -> None:
        """Raise ValueError unless an expression has these dimensions."""
        found = self.measure(text, what)
        if found is not dimensions:
            raise ValueError(
                f"{self.where}: {what}: '{text.strip()}' has the unit {unit_name(found)}, but it must have {unit_name(dimensions)}"
                f"{self._read_by(text)}."
            )

    def _read_by(self, text: str) -> str:
        """Name the parameters that a text reads, with their units: a wrong one may be why units do not fit."""
        units = {name: unit_name(self.constants[name]) for name in self.constants if name in names_in(text)}
        told = ", ".join(f"{name} has {'no unit' if unit == '1' else unit}" for name, unit in units.items())
        return f"; correct the text or a parameter ({told})" if told else ""

    def check_condition(self, text: str, what: str) -> None:
        """Raise ValueError unless an expression is true or false."""
        self.measure(text, what)
        if not is_boolean_expression(text.strip(), self.variables):
            raise ValueError(f"{self.where}: {what}: '{text.strip()}' is not a condition; write a comparison such as v > V_th.")

    def check_block(self, block: str, targets: Iterable[str], what: str, deliver: Dimension | None = None) -> tuple[Statement, ...]:
        """Check the statements of a block and return them.

        Only `targets` may be assigned; `deliver` is the dimension that delivered expressions must have (None: none may be).
        """
        at = f"{self.where}: {what}"
        try:
            lines = statements(block)
        except (NameError, ValueError) as error:
            raise ValueError(f"{at}: {error}") from None
        for line in lines:
            if line.operator == "()":
                if deliver is None:
                    raise ValueError(f"{at}: deliver({line.expression}) belongs in on_pre, where a spike arrives.")
                self.check(line.expression, deliver, f"{what}: deliver")
            elif line.target not in targets:
                raise ValueError(f"{at}: '{line.target}' cannot be assigned.{near(line.target, targets)}")
            else:
                self.check(line.result, self.dimensions[line.target], what)
        return lines


def _either(flags: list[str]) -> str:
    return f"it may have: {', '.join(flags)}" if flags else "leave it out"
