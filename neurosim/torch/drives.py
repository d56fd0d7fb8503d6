"""Inputs as tensors: the same counter-based numbers as in every backend, drawn for many time steps at once."""

import numpy as np
import torch

from neurosim import randomness
from neurosim.backends.drives import noise_column
from neurosim.population import Population
from neurosim.stimuli import Bound
from neurosim.torch.cells import Cells, copied
from neurosim.torch.statements import block

AT_ONCE = 1_000_000  # numbers that are drawn in one go


class Drive:
    """Let one input act on a population; `begin` is called before the state is stepped, `arrive` with the spikes of other cells."""

    def __init__(self, bound: Bound, population: Population, like: torch.Tensor):
        self.bound, self.rows = bound, torch.tensor(np.array(bound.rows), device=like.device)
        self.values = {name: copied(values, like) for name, values in bound.values.items()}
        self.like, self.first, self.drawn = like, 0, torch.empty(0, 0)
        self.effect, self.current = (), torch.zeros(len(population)).to(like)
        if bound.kind == "poisson":
            self.effect = block(population.model.receptors[bound.receptor].effect.replace("_post", ""))
        if bound.kind == "noise":
            column = noise_column(bound)
            self.current[self.rows] = self.values["mean"]
            if column in population.cells:
                self.current = copied(population.cells[column], like)

    def _numbers(self, step: int) -> torch.Tensor:
        """The random numbers of a time step, one for each cell that is reached."""
        if not self.first <= step < self.first + len(self.drawn):
            steps = np.arange(step, step + max(1, AT_ONCE // max(1, len(self.rows))))[:10_000, None]
            ids, key = self.bound.noise_ids.astype(np.int64), np.uint64(self.bound.key)
            if self.bound.kind == "noise":
                numbers = randomness.normal(key, ids, steps)
            else:
                mean = np.asarray(self.bound.values["mean"], dtype=float)
                numbers = randomness.poisson(key, ids, steps, mean, np.exp(-mean))
            self.first, self.drawn = step, copied(numbers, self.like)
        return self.drawn[step - self.first]

    def begin(self, step: int, cells: Cells) -> None:
        """Add what the input gives in a time step to the current or conductance that it is given by."""
        bound = self.bound
        if bound.kind == "noise":
            mean, own = self.values["mean"], self.current[self.rows]
            self.current[self.rows] = mean + (own - mean) * self.values["decay"] + self.values["kick"] * self._numbers(step)
        elif bound.kind == "step":
            on = bound.onset <= step and (bound.offset is None or step < bound.offset)
            self.current[self.rows] = self.values["amplitude"] if on else 0.0
        elif bound.kind == "waveform":
            at = (step - bound.onset) // bound.hold
            played = bound.samples[at][np.asarray(bound.values["which"], dtype=int)] if 0 <= at < len(bound.samples) else 0.0
            self.current[self.rows] = copied(np.broadcast_to(played, len(self.rows)), self.like)
        if not self.effect:
            cells.given[bound.receptor] = cells.given[bound.receptor] + self.current

    def arrive(self, step: int, cells: Cells) -> None:
        """Let the spikes of a time step act on the cells."""
        if self.effect:
            amount = torch.zeros_like(self.current)
            amount[self.rows] = self.values["weight"] * self._numbers(step)
            cells.receive(self.effect, amount)
