"""Synapses of one projection as tensors: what each delivers, and what is under way."""

import numpy as np
import torch

from neurosim.circuit import Circuit
from neurosim.expressions import statements
from neurosim.projection import Projection
from neurosim.table import Table
from neurosim.torch.cells import copied
from neurosim.torch.statements import Names, block, expression, value


class Wires:
    """Hold the synapses of a projection; `amount` is what a spike delivers at each, share included, and `arriving` the sums under way.

    `arriving` has a row for each time step up to the longest delay, in a ring, and a column for each target cell.
    """

    def __init__(self, circuit: Circuit, projection: Projection, like: torch.Tensor):
        table, source, target = projection.synapses, circuit.populations[projection.source], circuit.populations[projection.target]
        self.projection, self.source, self.target = projection, source.name, target.name
        self.effect = block(projection.receptor.effect.replace("_post", ""))
        self.pre, self.post = (torch.tensor(rows, device=like.device) for rows in (source.rows(table["pre"]), target.rows(table["post"])))
        self.delay = torch.tensor(np.rint(table["delay"] / circuit.dt_si).astype(np.int64), device=like.device)
        weight, share = (copied(table[name], like) for name in ("weight", "share"))
        names = Names({**projection.synapse.si_namespace(), **projection.shared, "weight": weight}, {}, like.dtype)
        self.amount = share * sum(value(expression(line.expression), names) for line in statements(projection.synapse.on_pre))
        flight = projection.flight
        self.length = 1 + int(max(self.delay.max().item() if len(table) else 0, np.max(flight["step"] - circuit.step, initial=0)))
        self.arriving = torch.zeros(self.length, len(target)).to(like)
        self.emitted: list[tuple[int, np.ndarray]] = []
        if len(flight):
            rows = torch.tensor(projection.rows(flight["synapse"]), device=like.device)
            self._put(rows, torch.tensor(np.array(flight["step"]), device=like.device))

    def _put(self, rows: torch.Tensor, steps: torch.Tensor) -> None:
        at = steps % self.length * self.arriving.shape[1] + self.post[rows]
        self.arriving.view(-1).index_add_(0, at, self.amount[rows])

    def carry(self, step: int, spikes: torch.Tensor) -> torch.Tensor:
        """Send off the spikes of a time step, and return what arrives in it at each target cell."""
        rows = torch.nonzero(spikes[self.pre])[:, 0]
        if len(rows):
            self._put(rows, step + self.delay[rows])
            self.emitted.append((step, rows.cpu().numpy()))
        self.emitted = [one for one in self.emitted if one[0] + self.length > step]
        arrived = self.arriving[step % self.length].clone()
        self.arriving[step % self.length] = 0
        return arrived

    def flight(self, step: int) -> Table:
        """Return the spikes that are under way before a time step, in order of delivery."""
        old, delay, ids = self.projection.flight, self.delay.cpu().numpy(), self.projection.ids
        synapses, steps = [old["synapse"]], [old["step"]]
        for emitted, rows in self.emitted:
            synapses.append(ids[rows])
            steps.append(emitted + delay[rows])
        synapses, steps = np.concatenate(synapses), np.concatenate(steps)
        order = np.argsort(steps, kind="stable")
        order = order[steps[order] >= step]
        return Table({"synapse": synapses[order], "step": steps[order]})
