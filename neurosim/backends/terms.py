"""The terms of a cell's equations as the methods of integration need them: derivatives, what they read, and their slopes."""

import re
from collections.abc import Collection, Mapping

import sympy
from brian2.equations.equations import DIFFERENTIAL_EQUATION, SUBEXPRESSION, Equations
from brian2.parsing.sympytools import str_to_sympy, sympy_to_str
from brian2.stateupdaters.base import UnsupportedEquationsException

MOVING = "int(not_refractory)*"  # what Brian2 writes before the derivative of a variable that holds still while refractory


class Terms:
    """Hold the derivatives and subexpressions of equations as texts, in an order in which each needs only those before it.

    `held` names subexpressions that keep their values during a time step. Raises UnsupportedEquationsException for equations with noise.
    """

    def __init__(self, equations: Equations, held: Collection[str] = ()):
        if equations.is_stochastic:
            raise UnsupportedEquationsException("equations with xi are not stepped; give noise as an input")
        lines = equations.ordered
        self.held = frozenset(held)
        self.derivatives = {one.varname: one.expr.code for one in lines if one.type == DIFFERENTIAL_EQUATION}
        self.subexpressions = {one.varname: one.expr.code for one in lines if one.type == SUBEXPRESSION}
        self.pausing = {name for name, text in self.derivatives.items() if text.startswith(MOVING)}

    def moving(self, name: str) -> str:
        """Return the derivative of a variable, that of a cell that is not refractory."""
        return self.derivatives[name].removeprefix(MOVING)

    def depending(self, names: Collection[str]) -> list[str]:
        """Name the subexpressions that change with some variables, directly or through others."""
        changing, found = set(names), []
        for name, text in self.subexpressions.items():
            if name not in self.held and changing & identifiers(text):
                changing.add(name)
                found.append(name)
        return found

    def worked_out(self, names: dict[str, str], mark: int) -> list[str]:
        """Return statements that work out once what derivatives need and what changes with the state; new names of it join `names`."""
        lines, needed = [], self._needed()
        for name in self.subexpressions:
            text = self.subexpressions[name]
            if name in needed and identifiers(text) & {*self.derivatives, *names}:
                names[name], text = f"_at_{mark}_{name}", renamed(text, names)
                lines.append(f"{names[name]} = {text}")
        return lines

    def _needed(self) -> set[str]:
        """Name the subexpressions that derivatives read, directly or through others."""
        needed = {name for text in self.derivatives.values() for name in identifiers(text)}
        for name in reversed(self.subexpressions):
            if name in needed:
                needed |= identifiers(self.subexpressions[name])
        return needed & set(self.subexpressions)

    def symbolic(self, text: str, names: Collection[str]) -> sympy.Expr:
        """Return an expression in which subexpressions that change with some variables are written out; the others stay names."""
        for name in reversed(self.depending(names)):
            text = renamed(text, {name: f"({self.subexpressions[name]})"})
        return str_to_sympy(text)


def slope(expression: sympy.Expr, name: str, states: Collection[str]) -> sympy.Expr:
    """Return the derivative of an expression by a variable; raise UnsupportedEquationsException where it changes with one of `states`."""
    found = sympy.diff(expression, symbol(name))
    if reads(found, states):
        found = sympy.expand(found)
    if reads(found, states):
        raise UnsupportedEquationsException(f"the derivative is not linear in {name!r}")
    return found


def reads(expression: sympy.Expr, names: Collection[str]) -> bool:
    """Tell whether an expression reads one of some variables."""
    return bool(expression.free_symbols & {symbol(name) for name in names})


def symbol(name: str) -> sympy.Symbol:
    """Return the symbol by which Brian2 stands for a variable."""
    return sympy.Symbol(name, real=True)


def written(expression: sympy.Expr) -> str:
    """Return an expression as a text in brackets, as Brian2 reads it."""
    return f"({sympy_to_str(expression)})"


def identifiers(text: str) -> set[str]:
    """Return the names in a text, those of functions too."""
    return set(re.findall(r"\b[A-Za-z_]\w*", text))


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Give names in equations or statements new ones, all at once, derivatives too."""
    if not names:
        return text
    known = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    text = re.sub(rf"\bd({known})/dt\b", lambda found: f"d{names[found[1]]}/dt", text)
    return re.sub(rf"\b({known})\b", lambda found: names[found[1]], text)
