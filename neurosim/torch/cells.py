"""Cells of one population as tensors: what their file says, step by step."""

from collections.abc import Mapping

import numpy as np
import torch
from brian2 import Equations
from brian2.equations.refractory import add_refractoriness

from neurosim.backends.stepping import followed, stepping
from neurosim.expressions import LOCK
from neurosim.population import Population
from neurosim.torch.statements import Names, block, expression, value


def copied(values: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """Return a copy of values as a tensor of the kind of another."""
    return torch.tensor(np.array(values, dtype=float)).to(like)


class Cells:
    """Hold the state of cells, shape (..., cells), and step it; `shared` are their factors, `like` a tensor of the kind to use.

    The same order as everywhere in neurosim: inputs, state, threshold, then what arrives, then resets.
    """

    def __init__(self, population: Population, shared: Mapping[str, float], dt: float, like: torch.Tensor):
        model = self.model = population.model
        with LOCK:
            self.steps = block(stepping(model)(add_refractoriness(Equations(followed(model.equations)))))
        self.name, self.dt, self.size = population.name, dt, len(population)
        self.constants = {**model.si_namespace(), **shared, "dt": dt}
        self.lines = {name: expression(line.expression) for name, line in model.lines.items() if line.kind == "subexpression"}
        self.pausing = {name for name, line in model.lines.items() if "unless refractory" in line.flags}
        spike = model.spike
        self.threshold = expression(spike.threshold)
        self.reset = block("\n".join(filter(None, [spike.reset, spike.on_spike])))
        self.refractory = None if spike.rule == "crossing" else expression(spike.refractory)
        self.state = {name: copied(population.cells[name], like) for name in model.variables}
        self.last, self.free = copied(population.cells["lastspike"], like), copied(population.cells["not_refractory"], like) > 0
        self.given = {name: torch.zeros(self.size).to(like) for name in model.continuous}

    def names(self, **others) -> Names:
        """Return what expressions read: constants, state, currents that are given, and what follows from them."""
        return Names({**self.constants, **self.state, **self.given, "not_refractory": self.free, **others}, self.lines, self.last.dtype)

    def advance(self, step: int) -> torch.Tensor:
        """Step the state by one time step and return who spikes in it."""
        now = step * self.dt
        if self.refractory is None:
            self.free = ~value(self.threshold, self.names())
        else:
            wait = torch.as_tensor(value(self.refractory, self.names()), dtype=self.last.dtype, device=self.last.device)
            self.free = self._steps(now - self.last) >= self._steps(wait)
        names = self.names()
        for target, code in self.steps:
            found = value(code, names)
            names[target] = torch.where(self.free, found, self.state[target]) if target in self.pausing else found
        self.state = {name: names[name] for name in self.state}
        spikes = value(self.threshold, self.names()) & self.free
        self.last = torch.where(spikes, torch.full_like(self.last, now), self.last)
        self.free = self.free & ~spikes
        return spikes

    def _steps(self, time: torch.Tensor) -> torch.Tensor:
        """Whole time steps, as Brian2 counts them."""
        return ((time + 1e-3 * self.dt) / self.dt).trunc()

    def receive(self, effect, amount: torch.Tensor) -> None:
        """Let an amount act on each cell by the effect of a receptor; what holds still while refractory takes nothing then."""
        names = self.names(amount=amount)
        for target, code in effect:
            found = value(code, names)
            names[target] = self.state[target] = torch.where(self.free, found, self.state[target]) if target in self.pausing else found

    def fire(self, spikes: torch.Tensor) -> None:
        """Carry out what a spike does to the cells that have one."""
        names = self.names()
        for target, code in self.reset:
            found = value(code, names)
            old = self.state[target]
            names[target] = self.state[target] = torch.where(spikes, torch.as_tensor(found, dtype=old.dtype, device=old.device), old)
