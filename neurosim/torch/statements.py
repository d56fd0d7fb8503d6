"""Expressions and statements of model files and of their steps, carried out on tensors."""

import ast
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

import numpy as np
import torch

from neurosim.backends.differences import exp_difference
from neurosim.backends.matrices import MATRIX_EXPONENTIALS
from neurosim.errors import UnsupportedModelError
from neurosim.expressions import CONSTANTS, LOCK
from neurosim.units import SI_UNITS

SERIES = 1e-5  # numbers as close to 0 as this have exprel by its series, to the last bit


def _either(on_tensor: Callable, on_number: Callable) -> Callable:
    """Let constants stay numbers, which are worked out as in the models' own arithmetic."""
    return lambda value: on_tensor(value) if isinstance(value, torch.Tensor) else on_number(value)


def _exprel(value):
    if not isinstance(value, torch.Tensor):
        return math.expm1(value) / value if value else 1.0
    small = value.abs() < SERIES
    apart = torch.where(small, torch.ones_like(value), value)  # so that no gradient is 0/0
    return torch.where(small, 1 + value / 2 * (1 + value / 3), torch.expm1(apart) / apart)


def _clip(value, low, high):
    if not any(isinstance(one, torch.Tensor) for one in (value, low, high)):
        return min(max(value, low), high)
    value, low, high = (torch.as_tensor(one) for one in (value, low, high))
    return torch.minimum(torch.maximum(value, low), high)


def _logical(on_tensors: Callable, on_numbers: Callable) -> Callable:
    def apply(*values):
        """Work on tensors where any value is one."""
        if not any(isinstance(one, torch.Tensor) for one in values):
            return on_numbers(values)
        found = values[0]
        for one in values[1:]:
            found = on_tensors(torch.as_tensor(found), torch.as_tensor(one))
        return found

    return apply


def _in_numpy(function) -> Callable:
    """Work a function out in NumPy: of constants as a rule, and without gradients."""

    def apply(*values):
        """Return a tensor where any value is one, and else a number."""
        tensors = [one for one in values if isinstance(one, torch.Tensor)]
        found = function.pyfunc(*(one.detach().cpu().numpy() if isinstance(one, torch.Tensor) else one for one in values))
        return torch.as_tensor(found).to(tensors[0]) if tensors else float(np.ravel(found)[0])

    return apply


FUNCTIONS: Mapping[str, Callable] = {
    **{name: _either(getattr(torch, name), getattr(math, name)) for name in ("exp", "log", "log10", "sin", "cos", "tanh", "sqrt", "floor", "ceil")},
    "abs": abs, "clip": _clip, "int": torch.trunc, "exprel": _exprel,
    "_and": _logical(torch.logical_and, all), "_or": _logical(torch.logical_or, any),
    "_not": lambda value: ~value if isinstance(value, torch.Tensor) else not value,
    **{name: _in_numpy(function) for name, function in {"exp_difference": exp_difference, **MATRIX_EXPONENTIALS}.items()},
}  # fmt: skip


@lru_cache
def known(dtype: torch.dtype) -> dict[str, Any]:
    """Return what expressions know besides the names of a model: functions, constants and units; conditions count as numbers of a kind."""

    def whole(value):
        """Return the whole part; a condition as 0 or 1."""
        if not isinstance(value, torch.Tensor):
            return int(value)
        return value.to(dtype) if value.dtype == torch.bool else value.trunc()

    return {"__builtins__": {}, **SI_UNITS, **FUNCTIONS, **CONSTANTS, "e": math.e, "int": whole}


class Names(dict):
    """Names with their values; a subexpression is worked out when it is asked for, and kept."""

    def __init__(self, values: Mapping[str, Any], subexpressions: Mapping[str, CodeType], dtype: torch.dtype):
        super().__init__(values)
        self.subexpressions, self.dtype = subexpressions, dtype

    def __missing__(self, name: str):
        if name not in self.subexpressions:
            raise KeyError(name)  # so that it is looked for among what is known
        self[name] = found = value(self.subexpressions[name], self)
        return found


class _Logical(ast.NodeTransformer):
    """Write `and`, `or` and `not` as functions, which know tensors."""

    def visit_BoolOp(self, node):
        self.generic_visit(node)
        return ast.Call(ast.Name("_and" if isinstance(node.op, ast.And) else "_or", ast.Load()), node.values, [])

    def visit_UnaryOp(self, node):
        self.generic_visit(node)
        return ast.Call(ast.Name("_not", ast.Load()), [node.operand], []) if isinstance(node.op, ast.Not) else node


@lru_cache(maxsize=4096)
def expression(text: str) -> CodeType:
    """Compile an expression for `value`; raise UnsupportedModelError for a function that tensors do not have here."""
    with LOCK:
        return _compiled(ast.parse(text.strip(), mode="eval").body, text)


@lru_cache(maxsize=4096)
def block(text: str) -> tuple[tuple[str, CodeType], ...]:
    """Compile assignments (`name = expression` or `name += expression`, one a line or separated by semicolons): names and values."""
    lines = []
    with LOCK:
        for node in ast.parse("\n".join(line.strip() for line in text.splitlines())).body:
            if isinstance(node, ast.AugAssign):
                target = node.target.id
                lines.append((target, _compiled(ast.BinOp(ast.Name(target, ast.Load()), node.op, node.value), text)))
            else:
                lines.append((node.targets[0].id, _compiled(node.value, text)))
    return tuple(lines)


def _compiled(node: ast.expr, text: str) -> CodeType:
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and one.func.id not in FUNCTIONS:
            raise UnsupportedModelError(
                f"'{text.strip()}' calls {one.func.id}(), which the torch backend lacks; use {', '.join(sorted(f for f in FUNCTIONS if f[0] != '_'))}"
            )
    return compile(ast.fix_missing_locations(ast.Expression(_Logical().visit(node))), "<model>", "eval")


def value(code: CodeType, names: Names):
    """Work out a compiled expression."""
    return eval(code, known(names.dtype), names)  # of texts of model files, in which only listed names and functions are read
