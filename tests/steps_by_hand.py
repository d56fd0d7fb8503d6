"""Steps of a cell's equations by NumPy alone, each method from its definition: what the package's own steps are held against.

The equations are worked out by Python itself from the text of the model; derivatives come from a step along the imaginary axis, which
does not round (Squire & Trapp 1998, SIAM Rev 40:110-112). Linear systems are solved by the series of the exponential of their matrix in
longer numbers, because scipy.linalg.expm errs by up to 2e-7 where of three time constants two are equal and the third is a thousandth.
"""

import math

import numpy as np

from neurosim.units import SI_UNITS

ALONG = 1e-30j


def phi(z):
    """(exp(z) - 1)/z, and 1 at 0."""
    z = np.asarray(z, float)
    return np.divide(np.expm1(z), z, out=np.ones_like(z), where=z != 0)


FUNCTIONS = {"exp": np.exp, "log": np.log, "tanh": np.tanh, "sqrt": np.sqrt, "clip": np.clip, "exprel": phi}
KNOWN = {**SI_UNITS, **FUNCTIONS, "inf": math.inf, "pi": math.pi, "__builtins__": {}}


class Names(dict):
    """Values by name, in which a subexpression is worked out when it is first asked for."""

    def __init__(self, lines, *values):
        self.lines = lines
        for one in values:
            self.update(one)

    def __missing__(self, name):
        self[name] = value = eval(self.lines[name].expression, KNOWN, self)
        return value


class Equations:
    """The equations of a cell with the values of its constants, which may be one for each cell.

    States are dicts of arrays with a row for each cell and a column for each of several states; `ready` is 0 where a cell is refractory.
    """

    def __init__(self, population, **given):
        model = population.model
        self.lines = {name: line for name, line in model.lines.items() if line.kind != "variable"}
        self.order = [name for name, line in self.lines.items() if line.kind == "differential"]
        own = {name: np.asarray(population.cells[name]) for name in model.per_cell} | given
        self.constants = {name: one.value for name, one in model.parameters.items()}
        self.constants |= {name: np.reshape(values, (-1, 1)) for name, values in own.items()}

    def rate(self, name, state, ready, held=()):
        """The derivative of one variable."""
        names = Names(self.lines, self.constants, state, held)
        still = ready if "unless refractory" in self.lines[name].flags else 1.0
        return still * eval(self.lines[name].expression, KNOWN, names)

    def rates(self, state, ready):
        return {name: self.rate(name, state, ready) for name in self.order}

    def held(self, state):
        """The terms that stay what they are at the start of a step."""
        names = Names(self.lines, self.constants, state)
        return {name: names[name] for name, line in self.lines.items() if "constant over dt" in line.flags}

    def slope(self, name, by, state, ready, held=()):
        """How the derivative of one variable changes with another, or with itself."""
        moved = {**state, by: state[by] + ALONG}
        return np.imag(self.rate(name, moved, ready, held)) / ALONG.imag + 0 * state[by]


def moved(state, rates, dt):
    return {name: state[name] + dt * rates[name] for name in rates}


def euler(equations, state, ready, dt):
    return moved(state, equations.rates(state, ready), dt)


def sequential_euler(equations, state, ready, dt):
    for name in equations.order:
        state = {**state, name: state[name] + dt * equations.rate(name, state, ready)}
    return state


def rk2(equations, state, ready, dt):
    middle = moved(state, equations.rates(state, ready), dt / 2)
    return moved(state, equations.rates(middle, ready), dt)


def rk4(equations, state, ready, dt):
    one = equations.rates(state, ready)
    two = equations.rates(moved(state, one, dt / 2), ready)
    three = equations.rates(moved(state, two, dt / 2), ready)
    four = equations.rates(moved(state, three, dt), ready)
    return moved(state, {name: (one[name] + 2 * two[name] + 2 * three[name] + four[name]) / 6 for name in one}, dt)


def exponential_euler(equations, state, ready, dt):
    held, after = equations.held(state), {}
    for name in equations.order:
        slope = equations.slope(name, name, state, ready, held)
        after[name] = state[name] + dt * equations.rate(name, state, ready, held) * phi(dt * slope)
    return after


def exact(equations, state, ready, dt):
    """By the exponential of the system's matrix, in units in which no state is above 1 and with the constant part as a last column."""
    names = equations.order
    scale = {name: np.max(abs(state[name])) or 1.0 for name in names}
    start = np.stack([*(state[name] / scale[name] for name in names), np.ones_like(state[names[0]])])
    moving, still = (np.einsum("cij,jck->ick", exponential(system(equations, scale, one) * dt), start) for one in (1.0, 0.0))
    return {name: np.where(ready, moving[k], still[k]).astype(float) * scale[name] for k, name in enumerate(names)}


def system(equations, scale, ready):
    """The matrix of each cell that is ready, or refractory."""
    names, cells = equations.order, max(np.size(one) for one in equations.constants.values())
    nothing, matrix = {name: np.zeros((cells, 1)) for name in equations.order}, np.zeros((cells, len(names) + 1, len(names) + 1))
    for i, name in enumerate(names):
        matrix[:, i, -1:] = equations.rate(name, nothing, ready) / scale[name]
        for j, by in enumerate(names):
            matrix[:, i, j : j + 1] = equations.slope(name, by, nothing, ready) * scale[by] / scale[name]
    return matrix


def exponential(matrix, halvings=12, terms=12):
    """The exponential of each matrix by scaling and squaring (Higham 2008, Functions of Matrices, chapter 10)."""
    small = matrix.astype(np.longdouble) / 2**halvings
    power = total = np.broadcast_to(np.eye(matrix.shape[-1], dtype=np.longdouble), matrix.shape)
    for k in range(1, terms + 1):
        power = power @ small / k
        total = total + power
    for _ in range(halvings):
        total = total @ total
    return total


STEPS = {one.__name__: one for one in (euler, sequential_euler, rk2, rk4, exponential_euler, exact)}
