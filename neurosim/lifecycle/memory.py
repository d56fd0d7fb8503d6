"""Who: cells that keep what they know, and their synapses."""

from dataclasses import dataclass

import numpy as np

from neurosim.lifecycle.selection import Selected, Selection, unmeasured


@dataclass(frozen=True)
class Memory(Selection):
    """Select the cells that are marked as memory, or the synapses of a projection that have one at either end.

    `circuit.freeze` marks them and keeps the weights of their synapses; rules of death and rewiring may take cells and synapses all the
    same, unless they are told to choose others: ``ns.WeightBelow(0.1) & ~ns.Memory()``.
    """

    def __call__(self, circuit, recording, name: str) -> Selected:
        part = circuit[name]
        table, column = (part.synapses, "frozen") if name in circuit.projections else (part.cells, "memory")
        marked = table[column] > 0 if column in table else np.zeros(len(part), dtype=bool)
        return unmeasured(part.ids[marked])
