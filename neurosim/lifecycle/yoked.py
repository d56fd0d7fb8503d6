"""The yoked control: as much birth, death and rewiring as in another life, of cells and synapses chosen by chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurosim.events import Events
from neurosim.lifecycle.history import History
from neurosim.lifecycle.phases import Lifecycle
from neurosim.lifecycle.vacancies import absent_pairs
from neurosim.settle import bereft
from neurosim.table import over_ids


@dataclass(frozen=True)
class Yoked:
    """Repeat how many cells died and divided and how many synapses went and came in each epoch, and choose which by chance.

    `boundaries` are the events of another life from epoch `first` on. What is not a choice stays: the shares and the jitter
    of divisions, weights and delays of new synapses. Where fewer are left than are asked for, all of them are taken.
    """

    first: int
    boundaries: Sequence[Events]

    def check(self, circuit) -> None:
        """Raise KeyError where the circuit lacks a population or projection of the other life."""
        for events in self.boundaries:
            events.check(circuit)

    def __call__(self, circuit, recording, rng) -> Events:
        asked = self.boundaries[circuit.epoch - self.first].tables
        chosen, dead = {}, {}
        for name, population in circuit.populations.items():
            dead[name] = _some(population.ids, asked.get(("death", name)), rng)
            chosen["death", name] = {"cell": dead[name]}
            chosen["division", name] = {"mother": _some(np.setdiff1d(population.ids, dead[name]), asked.get(("division", name)), rng)}
        for name, projection in circuit.projections.items():
            alive = ~bereft(circuit, projection, dead)
            chosen["unlink", name] = {"synapse": _some(projection.ids[alive], asked.get(("unlink", name)), rng)}
            chosen["link", name] = _pairs(circuit, projection, dead, alive, asked.get(("link", name)), rng)
        tables = {}
        for key, table in asked.items():
            size = len(next(iter(chosen[key].values())))
            rows = rng.permutation(table)[:size]
            for column, ids in chosen[key].items():
                rows[column] = ids
            tables[key] = rows
        return Events({key: rows for key, rows in tables.items() if len(rows)})


def yoked(life: Lifecycle, history: History) -> Lifecycle:
    """Return a lifecycle like another one whose history is given, but with every choice left to chance.

    Each epoch has as many deaths, divisions, unlinks and links in each part as the history has, and the same learning
    factors: what then differs is who, which is what a selection claims to matter. Raises ValueError for a history that is
    not that of such a life.
    """
    lived = [(phase, last - first + 1) for phase, first, last in history.phases]
    planned = [(phase.name, phase.epochs) for phase in life.phases]
    if lived != planned:
        raise ValueError(f"the history has the phases {lived} and the lifecycle {planned}; give the finished history of that lifecycle")
    boundaries, first = history.boundaries, history.epochs[0].number
    phases = []
    for phase in life.phases:
        own, boundaries = boundaries[: phase.epochs], boundaries[phase.epochs :]
        phases.append(replace(phase, rules=[Yoked(first, own)]))
        first += phase.epochs
    return Lifecycle(life.epoch, phases)


def _some(ids: np.ndarray, table: np.ndarray | None, rng) -> np.ndarray:
    wanted = 0 if table is None else len(table)
    return ids[rng.permutation(len(ids))[:wanted]]


def _pairs(circuit, projection, dead, alive, table: np.ndarray | None, rng) -> dict[str, np.ndarray]:
    """Choose pairs of surviving cells without a synapse."""
    source, target = circuit.populations[projection.source], circuit.populations[projection.target]
    ids = [np.setdiff1d(side.ids, dead[side.name]) for side in (source, target)]
    if table is None or not all(map(len, ids)):
        return {"pre": np.empty(0, np.int64), "post": np.empty(0, np.int64)}
    sides = zip(ids, (source, target), ("pre", "post"), strict=True)
    taken = [over_ids(len(side.parents), own, np.arange(len(own)), -1)[projection.synapses[end][alive]] for own, side, end in sides]
    pre, post = absent_pairs(len(ids[0]), len(ids[1]), *taken, source is target, None, rng, count=len(table))
    return {"pre": ids[0][pre], "post": ids[1][post]}
