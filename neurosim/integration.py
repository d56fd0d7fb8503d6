"""When a cell spikes, by adaptive integration of its equations: what time steps are measured against."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from neurosim.errors import near
from neurosim.expressions import CONSTANTS, FUNCTIONS, LOCK, compiled, execute
from neurosim.models import CellModel
from neurosim.responses import Stimulus
from neurosim.timescales import size_of
from neurosim.units import SI_UNITS, Quantity, quantity, second, to_si

RELATIVE = 1e-11  # tolerance of each step, relative
FLOOR = 1e-3  # of the size of a variable, below which the tolerance is no longer relative
# Gates that are much faster than the membrane want a method for stiff equations, an upstroke that ends in a reset one that is sure of its
# steps: LSODA (Petzold 1983, doi:10.1137/0904010) and DOP853 (Hairer, Norsett & Wanner 1993, doi:10.1007/978-3-540-78862-1, II.10)
METHODS = {"crossing": "LSODA", "refractory": "DOP853"}
NOTHING = {"__builtins__": {}}  # what expressions know beside their names
# second: two moments that are one. An upstroke that grows without bound is met that much ahead of its end, where no step is short enough
INSTANT = 1e-12


def exact_spikes(cell: CellModel, stimulus: Stimulus, until: Quantity | None = None, *, tolerance: float = RELATIVE) -> Quantity:
    """Return the spike times, until then, of a cell that starts from its initial values, free of any grid of time steps.

    The equations are solved to a relative `tolerance` a step, and a root finder looks for the threshold on the solver's interpolant; an
    input is held between its samples, as in a simulation. Raises ValueError for a source of spikes, a receptor that the cell lacks and a
    threshold that is no comparison of two values, and RuntimeError where the equations cannot be solved.
    """
    if cell.source:
        raise ValueError(f"{cell.name!r} is a source of spikes and has no equations to solve; give a cell")
    for receptor in stimulus.waveforms:
        if receptor not in cell.continuous:
            raise ValueError(
                f"stimulus {stimulus.name!r} is for receptor {receptor!r}, which {cell.name!r} lacks.{near(receptor, cell.continuous)}"
            )
    end = to_si(stimulus.duration if until is None else until, second, "end of an integration")
    return quantity(_Integration(cell, stimulus, end, tolerance).spikes(), second.dim)


def excess(threshold: str) -> str:
    """Return the expression that is above 0 where a threshold condition holds; raises ValueError for another kind of condition."""
    with LOCK:
        node = ast.parse(threshold.strip(), mode="eval").body
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or not isinstance(node.ops[0], (ast.Gt, ast.GtE, ast.Lt, ast.LtE)):
        raise ValueError(f"threshold '{threshold}' is no comparison of two values; write it as 'v > V_th'")
    sides = [ast.unparse(side) for side in (node.left, node.comparators[0])]
    above, below = sides if isinstance(node.ops[0], (ast.Gt, ast.GtE)) else sides[::-1]
    return f"({above}) - ({below})"


class Values(dict):
    """Names with SI values: of a state and inputs first, then of constants and units, else a subexpression, which is worked out once."""

    def __init__(self, constants: Mapping[str, Any], texts: Mapping[str, str], known: Mapping[str, Any]):
        super().__init__(known)
        self.constants, self.texts = constants, texts

    def __missing__(self, name: str) -> Any:
        value = self[name] = self.of(self.texts[name]) if name in self.texts else self.constants[name]
        return value

    def of(self, text: str) -> Any:
        """Work out an expression."""
        return eval(compiled(text), NOTHING, self)


def values_of(cell: CellModel, known: Mapping[str, Any]) -> Values:
    """Return what the equations of a cell can name, where a state is known in SI units; parameters of each cell are the file's."""
    own = {name: one.value for name, one in cell.per_cell.items()}
    functions = {name: function for name, (function, _) in FUNCTIONS.items()}
    texts = {name: cell.lines[name].expression for name in cell.subexpressions}
    return Values({**functions, **CONSTANTS, **SI_UNITS, **cell.si_namespace(), **own}, texts, known)


class _Integration:
    """One cell on its way through a stimulus."""

    def __init__(self, cell: CellModel, stimulus: Stimulus, end: float, tolerance: float):
        self.cell, self.stimulus, self.tolerance = cell, stimulus, tolerance
        self.state = cell.initial_values()
        self.moving = {name: line for name, line in cell.lines.items() if line.kind == "differential"}
        self.floor = [tolerance * FLOOR * size_of(cell, name, np.asarray(value)) for name, value in self.state.items()]
        self.base = values_of(cell, {})
        self.excess = excess(cell.spike.threshold)
        self.inputs = dict.fromkeys(cell.continuous, 0.0)
        self.end, self.held = end, -np.inf

    def spikes(self) -> list[float]:
        """Integrate from one moment to the next at which something changes at once: an input, a reset, the end of refractoriness."""
        found: list[float] = []
        times, now = self._changes(), 0.0
        for until in times:
            self._take_inputs(now)
            while until - now > INSTANT:
                if self.cell.spike.rule == "refractory" and self.held - now <= INSTANT and self._excess([*self.state.values()]) > 0:
                    self._spike(now, found)
                now = self._advance(now, min(until, self.held) if self.held - now > INSTANT else until, found)
        return found

    def _changes(self) -> list[float]:
        """The times at which an input changes, and the end, in order."""
        changes = [self.end]
        for waveform in self.stimulus.waveforms.values():
            values, dt = np.append(waveform.si[0], 0.0), float(waveform.dt)
            changes += [one * dt for one in 1 + np.flatnonzero(np.diff(values))]
        return sorted({one for one in changes if one <= self.end})

    def _take_inputs(self, now: float) -> None:
        for receptor, waveform in self.stimulus.waveforms.items():
            sample = int(np.floor(now / float(waveform.dt) + 1e-6))
            self.inputs[receptor] = waveform.si[0, sample] if sample < waveform.samples else 0.0

    def _advance(self, now: float, until: float, found: list[float]) -> float:
        """Integrate until then, or to the next spike that resets the cell; returns the time reached."""
        refractory = self.cell.spike.rule == "refractory"
        held = self.held - now > INSTANT
        moving = {name: line.expression for name, line in self.moving.items() if not held or "unless refractory" not in line.flags}

        def slope(_, state):
            values = self._values(state)
            return [float(values.of(moving[name])) if name in moving else 0.0 for name in self.state]

        def crossing(time, state):
            return self._excess(np.asarray(state) + INSTANT * np.array(slope(time, state)))

        crossing.terminal, crossing.direction = refractory, 1.0
        watched = None if held else crossing
        start = [*self.state.values()]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # of steps that are tried, and taken back as too long
            done = solve_ivp(
                slope, (now, until), start, METHODS[self.cell.spike.rule], events=watched, rtol=self.tolerance, atol=self.floor
            )
        if done.status < 0:
            raise RuntimeError(f"the equations of {self.cell.name!r} cannot be solved from {now:g} s on ({done.message})")
        self.state = dict(zip(self.state, done.y[:, -1], strict=True))
        reached = float(done.t[-1])
        if done.t_events and len(done.t_events[0]):
            if refractory:
                self._spike(reached, found)
            else:
                found += done.t_events[0].tolist()
        return reached if done.status == 1 else until

    def _spike(self, now: float, found: list[float]) -> None:
        """Reset the cell and hold it."""
        found.append(now)
        values = self._values([*self.state.values()])
        changed = execute(self.cell.spike.reset, values)
        self.state |= {name: float(value) for name, value in changed.items() if name in self.state}
        lasts = float(self._values([*self.state.values()]).of(self.cell.spike.refractory)) if self.cell.spike.refractory else 0.0
        self.held = now + lasts

    def _values(self, state) -> Values:
        return Values(self.base.constants, self.base.texts, {**self.inputs, **dict(zip(self.state, state, strict=True))})

    def _excess(self, state) -> float:
        return float(self._values(state).of(self.excess))
