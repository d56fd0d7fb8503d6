"""What happens beside Brian2's own objects in each time step: scheduled changes, samples and spikes."""

from collections.abc import Callable, Mapping

import numpy as np
from brian2 import BrianObject


class Conductor(BrianObject):
    """Carry out scheduled changes at the start of their time steps, then sample the traced variables.

    `agenda` maps time steps to functions; each sampler is (every, read) and its samples pile up in `samples`.
    """

    def __init__(self, clock, first_step: int, agenda: Mapping[int, list[Callable]], samplers):
        super().__init__(clock=clock, when="start", order=-1, name="neurosim_conductor")
        self.step, self.agenda, self.samplers = first_step, agenda, samplers
        self.samples = [[] for _ in samplers]
        self.sampled_at = [[] for _ in samplers]

    def run(self):
        """Carry out what is due in this time step, then sample."""
        step = self.step
        if step in self.agenda:
            for change in self.agenda[step]:
                change()
        for (every, read), samples, at in zip(self.samplers, self.samples, self.sampled_at, strict=True):
            if step % every == 0:
                samples.append(read())
                at.append(step)
        self.step = step + 1


class SpikeWatch(BrianObject):
    """Keep every spike of the watched groups and report progress, at the end of each time step."""

    def __init__(self, clock, first_step: int, groups, advance: Callable[[int], None]):
        super().__init__(clock=clock, when="end", order=1, name="neurosim_spike_watch")
        self.step, self.advance = first_step, advance
        self.spaces = {name: group.variables["_spikespace"].get_value() for name, group in groups.items()}
        self.spikes = {name: [] for name in groups}

    def run(self):
        """Keep the spikes of this time step and tell of progress now and then."""
        step = self.step
        for name, space in self.spaces.items():
            count = space[-1]
            if count:
                self.spikes[name].append((step, space[:count].copy()))
        self.step = step + 1
        if step % 1000 == 999:
            self.advance(step + 1)

    def collected(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and time steps of a group's spikes, in order of time, then of row."""
        chunks = self.spikes[name]
        if not chunks:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        rows = np.concatenate([rows for _, rows in chunks]).astype(np.int64)
        steps = np.repeat([step for step, _ in chunks], [len(rows) for _, rows in chunks])
        return rows, steps
