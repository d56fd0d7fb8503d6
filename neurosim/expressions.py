"""Arithmetic written as text, read as a syntax tree and worked out without running code.

Model files hold expressions ("g_L*(E_L - v)") and statements ("theta += theta_plus"). Only what is listed here is
understood; everything else raises. Values may be floats, NumPy arrays or quantities.
"""

from __future__ import annotations

import ast
import math
import operator
import threading
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np
from scipy.special import exprel

from neurosim.errors import near
from neurosim.units import DIMENSIONLESS, SI_UNITS, UNITS, DimensionMismatchError, Quantity, get_dimensions

# Texts are read one at a time in the whole process: Python 3.11 loses count where two threads make syntax trees, and Brian2 writes code
# with preferences and caches that all threads share.
LOCK = threading.RLock()
CONSTANTS: Mapping[str, float] = {"inf": math.inf, "pi": math.pi}
# what working out a text may raise
TEXT_ERRORS = (NameError, ValueError, TypeError, ArithmeticError, DimensionMismatchError)


def _plain(function: Callable) -> Callable:
    """Let a function of dimensionless numbers take quantities too, and refuse those that have a unit."""

    def apply(value):
        """Call the function with the bare number."""
        if get_dimensions(value) is not DIMENSIONLESS:
            raise DimensionMismatchError(f"{function.__name__} needs a number without a unit", get_dimensions(value))
        return function(np.asarray(value)) if isinstance(value, Quantity) else function(value)

    return apply


def _clip(value, low, high):
    if not any(isinstance(one, Quantity) for one in (value, low, high)):
        return np.minimum(np.maximum(value, low), high)
    dimensions = get_dimensions(value)
    for bound in (low, high):
        if get_dimensions(bound) is not dimensions:
            raise DimensionMismatchError("clip needs a value and two bounds of the same unit", dimensions, get_dimensions(bound))
    clipped = np.minimum(np.maximum(np.asarray(value), np.asarray(low)), np.asarray(high))
    return clipped if dimensions is DIMENSIONLESS else Quantity(clipped, dim=dimensions)


def _whole(value):
    return np.asarray(value).astype(np.int64)


_whole.__name__ = "int"
FUNCTIONS: Mapping[str, tuple[Callable, int]] = {
    "abs": (abs, 1),
    "sqrt": (lambda value: value**0.5, 1),
    "clip": (_clip, 3),
    "int": (_plain(_whole), 1),
    **{f.__name__: (_plain(f), 1) for f in (np.exp, np.log, np.log10, exprel, np.sin, np.cos, np.tanh, np.floor, np.ceil)},
}
_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_COMPARE = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_UPDATES = {ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/="}


@dataclass(frozen=True)
class Statement:
    """One line of a block: `target` `operator` `expression`; a call `deliver(x)` has target "deliver", operator "()"."""

    target: str
    operator: str
    expression: str

    @property
    def result(self) -> str:
        """The expression for the new value of the target."""
        return self.expression if self.operator == "=" else f"{self.target} {self.operator[0]} ({self.expression})"


def evaluate(text: str, names: Mapping[str, Any]) -> Any:
    """Work out an expression.

    `names` gives each name its value: a float, an array or a quantity; `inf` and `pi` are known, and so are units: as
    quantities where one of `names` is a quantity, as SI numbers otherwise. Raises NameError for an unknown name,
    ValueError for text that is not such an expression, and Brian2's DimensionMismatchError where units do not fit.
    """
    return _value(_parse(text), names, text)


@lru_cache(maxsize=4096)
def compiled(text: str) -> CodeType:
    """Compile an expression for `eval` with names of plain numbers, `FUNCTIONS` and `CONSTANTS` among them: for those that are worked out often.

    Raises what reading it in `evaluate` raises.
    """
    _parse(text)
    with LOCK:
        tree = ast.parse(text.strip(), mode="eval")
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and not isinstance(node.value, bool):
                node.value = float(node.value)
        return compile(tree, "<expression>", "eval")


def execute(block: str, names: MutableMapping[str, Any]) -> dict[str, Any]:
    """Carry out the assignments of a block in order, in `names`, and return those that were assigned.

    Raises what `evaluate` raises, and NameError where a name is updated (`+=`) that has no value yet.
    """
    changed: dict[str, Any] = {}
    for statement in statements(block):
        if statement.operator == "()":
            raise ValueError(f"'{statement.target}({statement.expression})' is not an assignment; write 'name = expression'.")
        names[statement.target] = changed[statement.target] = evaluate(statement.result, names)
    return changed


@lru_cache(maxsize=4096)
def statements(block: str) -> tuple[Statement, ...]:
    """Split a block into statements, one a line or separated by semicolons.

    Raises ValueError for anything but `name = expression`, its updates (`+= -= *= /=`) and `deliver(expression)`.
    """
    try:
        with LOCK:
            body = ast.parse("\n".join(line.strip() for line in block.splitlines())).body
    except SyntaxError as error:
        raise ValueError(f"'{block.strip()}' is not a block of statements ({error.msg}); write lines like 'name = expression'.") from None
    return tuple(_statement(node) for node in body)


@lru_cache(maxsize=4096)
def names_in(text: str) -> frozenset[str]:
    """Name the variables that an expression reads (functions and `inf`, `pi` are not among them)."""
    called = {id(node.func) for node in ast.walk(_parse(text)) if isinstance(node, ast.Call)}
    return frozenset(
        node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name) and id(node) not in called and node.id not in CONSTANTS
    )


def parse_unit_text(text: str | float) -> Any:
    """Read a number with its unit, such as "0.05*msiemens/cm**2": a quantity, or a float where there is no unit.

    Raises NameError for an unknown unit and ValueError for anything else that cannot be read.
    """
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise ValueError(f'{text!r} is not a number with a unit; write it as text like "200*pF".')
    value = evaluate(text, UNITS) if isinstance(text, str) else float(text)
    if get_dimensions(value) is DIMENSIONLESS:
        return float(value)
    return Quantity(float(value), dim=get_dimensions(value))


def unit_among(name: str, values: Iterable[Any]) -> Any:
    """Return a unit as it is meant among some values: a quantity where one of them is, its SI number otherwise.

    Raises KeyError for a name that is not a unit.
    """
    return (UNITS if any(isinstance(value, Quantity) for value in values) else SI_UNITS)[name]


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    try:
        with LOCK:
            tree = ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        raise ValueError(f"'{text}' is not an expression ({error.msg}).") from None
    except (RecursionError, MemoryError):
        raise ValueError(f"'{text[:40]}...' is nested too deeply to be read; split it into subexpressions.") from None
    for node in ast.walk(tree):
        _check(node, text)
    return tree


def _check(node: ast.AST, text: str) -> None:
    allowed = (ast.Name, ast.Load, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare)
    if isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Name) or node.keywords:
            raise ValueError(f"'{text}' holds a call that is not understood; only plain functions such as exp(x) are.")
        name = node.func.id
        if name not in FUNCTIONS:
            raise NameError(f"'{name}' in '{text}' is not a known function.{near(name, FUNCTIONS)}")
        if len(node.args) != FUNCTIONS[name][1]:
            raise ValueError(f"{name} in '{text}' takes {FUNCTIONS[name][1]} argument(s), not {len(node.args)}.")
    elif isinstance(node, ast.Constant):
        if not isinstance(node.value, (bool, int, float)):
            raise ValueError(f"{node.value!r} in '{text}' is not a number.")
    elif (
        not isinstance(node, allowed)
        or (isinstance(node, ast.operator) and type(node) not in _BINARY)
        or (isinstance(node, ast.cmpop) and type(node) not in _COMPARE)
        or isinstance(node, ast.Invert)
    ):
        raise ValueError(
            f"'{text}' holds {type(node).__name__}, which is not arithmetic; use + - * / **, comparisons, and/or/not and calls."
        )


def _statement(node: ast.stmt) -> Statement:
    text = ast.unparse(node)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and getattr(node.value.func, "id", "") == "deliver":
        if len(node.value.args) == 1 and not node.value.keywords:
            return Statement("deliver", "()", _expression(node.value.args[0]))
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        return Statement(node.targets[0].id, "=", _expression(node.value))
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and type(node.op) in _UPDATES:
        return Statement(node.target.id, _UPDATES[type(node.op)], _expression(node.value))
    raise ValueError(
        f"'{text}' is not a statement that a model may hold; write 'name = expression', 'name += expression' or 'deliver(expression)'."
    )


def _expression(node: ast.expr) -> str:
    text = ast.unparse(node)
    _parse(text)
    return text


def _look_up(name: str, names: Mapping[str, Any], text: str) -> Any:
    try:
        return names[name]
    except KeyError:
        if name in UNITS:
            return unit_among(name, names.values())
        raise NameError(f"'{name}' in '{text.strip()}' is not defined.{near(name, names)}") from None


def _value(node: ast.expr, names: Mapping[str, Any], text: str) -> Any:
    if isinstance(node, ast.Name):
        return CONSTANTS[node.id] if node.id in CONSTANTS else _look_up(node.id, names, text)
    if isinstance(node, ast.Constant):
        # Python integers grow without bound: 9**9**9**9 would hang where a float overflows
        return node.value if isinstance(node.value, bool) else float(node.value)
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_value(node.left, names, text), _value(node.right, names, text))
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, names, text)
        if isinstance(node.op, ast.Not):
            return np.logical_not(value)
        return -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.Call):
        return FUNCTIONS[node.func.id][0](*(_value(argument, names, text) for argument in node.args))
    if isinstance(node, ast.BoolOp):
        join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
        result = _value(node.values[0], names, text)
        for other in node.values[1:]:
            result = join(result, _value(other, names, text))
        return result
    values = [_value(part, names, text) for part in (node.left, *node.comparators)]
    result = True
    for compare, left, right in zip(node.ops, values, values[1:]):
        step = _COMPARE[type(compare)](left, right)
        result = step if result is True else np.logical_and(result, step)
    return result
