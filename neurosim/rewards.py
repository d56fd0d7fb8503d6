"""Rewards: what an input adds, at given times, to a variable that plastic synapses read in their postsynaptic cells."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.errors import near
from neurosim.stimuli import Bound, Input
from neurosim.units import Quantity, to_si


@dataclass(frozen=True, eq=False)
class Reward(Input):
    """Deliver a reward to cells at given times: their `variable` rises by `amount` (one, or one for each time; below 0: a punishment).

    `times` are in the circuit's own time. The variable is one that the cells keep for their synapses, such as the dopamine of
    "stdp_reward", which all synapses of a cell share; it decays by itself. `cells` are ids (None: all).
    """

    population: str
    times: Quantity
    amount: Any = 1.0
    variable: str = "reward"

    def bind(self, circuit, dt, start, stop) -> Bound:
        """Check the input against a circuit for the time steps start to stop and return it as arrays; raises as `stimuli` says."""
        population = self._population(circuit)
        variables = population.model.variables
        if self.variable not in variables:
            raise ValueError(
                f"input {self.label!r} delivers to the variable {self.variable!r}, which cells of {population.model.name!r} lack; "
                f"make them with ns.load_cell({population.model.name!r}).keeping(synapse), or name a variable of theirs.{near(self.variable, variables)}"
            )
        rows, *_ = self._heirs(population)
        steps = self._steps(self.times, dt)
        amount = np.asarray(to_si(self.amount, variables[self.variable], f"amount of input {self.label!r}"), dtype=float)
        if amount.shape not in ((), steps.shape) or not np.isfinite(amount).all():
            raise ValueError(
                f"amount of input {self.label!r} is {self.amount}; give one finite value, or one for each of {steps.size} times"
            )
        here = (steps >= start) & (steps < stop)
        amounts = np.broadcast_to(amount, steps.shape)[here]
        return Bound("jumps", self.label, self.population, self.variable, rows, {"amount": amounts}, steps=steps[here])
