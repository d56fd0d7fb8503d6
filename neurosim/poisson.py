"""Poisson spikes of spike sources, worked out a stretch of time steps at once, and the same however runs are split."""

from dataclasses import dataclass

import numpy as np

from neurosim.randomness import stream_key, uniform
from neurosim.stimuli import BLOCK, Bound, Input, sources_of
from neurosim.units import Hz, Quantity

STRETCH = 1024  # time steps of which all spikes of a cell are drawn together; another number gives other spikes


@dataclass(frozen=True, eq=False)
class PoissonSpikes(Input):
    """Let each cell of a population of spike sources spike at random, at a rate of its own and independently of all others.

    `rate` is a quantity, one or one for each cell of `cells` (ids; None: the founders), which descendants inherit. In each time
    step a cell spikes with the probability rate * dt, which has to be below 1, and at most once: the mean rate is exact, intervals
    are geometric with the CV sqrt(1 - rate * dt), and both become those of a Poisson process as dt goes to 0. Each cell has spikes
    of its own, the newborn too, unless `shared_noise` gives a family the same ones.
    """

    population: str
    rate: Quantity
    shared_noise: bool = False

    def check(self, circuit, dt, start, stop) -> None:
        """Check the input against a circuit for the time steps start to stop, making no spikes; raises as `neurosim.stimuli` says."""
        self._planned(circuit, dt)

    def bind(self, circuit, dt, start, stop) -> Bound:
        """Check the input against a circuit for the time steps start to stop and return its spikes; raises as `neurosim.stimuli` says."""
        rows, ids, chance = self._planned(circuit, dt)
        key, spiking = stream_key(circuit.seed, f"input/{self.label}"), chance > 0
        rows, ids, chance = rows[spiking], ids[spiking], chance[spiking]
        stretches = np.arange(start // STRETCH, -(-stop // STRETCH))
        at_once = max(1, int(BLOCK / (1 + (1 + STRETCH * chance).sum())))
        parts = [np.empty((2, 0), np.int64)]
        for some in range(0, len(stretches), at_once):
            row, step = _drawn(key, ids, chance, STRETCH * stretches[some : some + at_once])
            here = (step >= start) & (step < stop)
            parts.append(np.stack([rows[row[here]], step[here]]))
        row, step = np.concatenate(parts, axis=1)
        return Bound("spikes", self.label, self.population, None, row, {}, steps=step)

    def _planned(self, circuit, dt):
        """The rows reached, the ids that key their spikes, and the probability of a spike in a time step."""
        population = sources_of(self, circuit)
        rows, entries, family, size = self._heirs(population, self.rate)
        chance = self._values({"rate": Hz}, entries, size, rate=self.rate)["rate"] * dt
        if not (chance.min(initial=0) >= 0 and chance.max(initial=0) < 1):
            raise ValueError(
                f"rate of input {self.label!r} is {self.rate}; give 0 or more, and less than one spike a time step ({1 / dt:g} Hz)"
            )
        return rows, family if self.shared_noise else population.ids[rows], chance


def _drawn(key, ids, chance, begins):
    """Draw the spikes of all cells in stretches that begin at the given time steps: places of cells and time steps, in order of time.

    The time steps without a spike before the next one have the geometric distribution, as the floor of an exponential number
    (Devroye 1986, Non-Uniform Random Variate Generation, section X.2). They start anew with each stretch, as they may, having no
    memory. The n-th spike of a stretch is drawn for its n-th time step, so that no draw is used twice.
    """
    cell, begin = np.tile(np.arange(len(ids)), len(begins)), np.repeat(begins, len(ids))
    passed, scale = np.zeros(len(cell), np.int64), np.log1p(-chance)
    spikes = [np.empty(0, np.int64)]
    for number in range(STRETCH):
        empty = np.log1p(-uniform(key, ids[cell], begin + number)) / scale[cell]
        passed += np.minimum(empty, STRETCH).astype(np.int64)
        on = passed < STRETCH
        cell, begin, passed = cell[on], begin[on], passed[on]
        if not len(cell):
            break
        spikes.append((begin + passed) * len(ids) + cell)
        passed += 1
    step, cell = np.divmod(np.sort(np.concatenate(spikes)), max(len(ids), 1))
    return cell, step
