"""The yoked control: as much birth, death and rewiring as in another life, of cells and synapses chosen by chance."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurosim.events import Events
from neurosim.ledger import FADING, IMMORTAL
from neurosim.lifecycle.books import books_of
from neurosim.lifecycle.history import History
from neurosim.lifecycle.phases import Lifecycle
from neurosim.lifecycle.vacancies import absent_pairs, ranks
from neurosim.settle import bereft
from neurosim.table import over_ids

ORDERED = ("birth", "handover", "fade")  # kinds whose rows belong together with what is chosen for them


@dataclass(frozen=True)
class Yoked:
    """Repeat how many cells died, faded, divided and were born and how many synapses went and came in each epoch, and choose which by chance.

    `boundaries` are the events of another life from epoch `first` on. What is not a choice stays: the shares and the jitter
    of divisions, the levels of fading cells, the places of births, weights and delays of new synapses. Where fewer are left than are asked
    for, all of them are taken. `books` are those of the rules that chose in the other life: they are kept here too.
    """

    first: int
    boundaries: Sequence[Events]
    books: tuple = ()

    def check(self, circuit) -> None:
        """Raise KeyError where the circuit lacks a population or projection of the other life."""
        for events in self.boundaries:
            events.check(circuit)

    def __call__(self, circuit, recording, rng) -> Events:
        asked = {
            key: np.sort(table, order="cell", kind="stable") if key[0] == "handover" else table  # each cell's parts stay together
            for key, table in self.boundaries[circuit.epoch - self.first].tables.items()
        }
        chosen, dead = {}, {}
        for name, population in circuit.populations.items():
            dead[name] = _some(_mortal(population), asked.get(("death", name)), rng)
            alive = np.setdiff1d(population.ids, dead[name])
            chosen["death", name] = {"cell": dead[name]}
            chosen["handover", name] = _heirs(dead[name], alive, asked.get(("handover", name)), rng)
            chosen["fade", name] = {"cell": _faders(population, alive, asked.get(("fade", name)), rng)}
            chosen["division", name] = {"mother": _some(alive, asked.get(("division", name)), rng)}
        for name in circuit.populations:
            chosen["birth", name] = {"progenitor": _progenitors(circuit, asked.get(("birth", name)), dead, rng)}
        for name, projection in circuit.projections.items():
            alive = ~bereft(circuit, projection, dead)
            chosen["unlink", name] = {"synapse": _some(projection.ids[alive], asked.get(("unlink", name)), rng)}
            chosen["link", name] = _pairs(circuit, projection, dead, alive, asked.get(("link", name)), rng)
        tables = {}
        for key, table in asked.items():
            size = len(next(iter(chosen[key].values())))
            rows = (table if key[0] in ORDERED else rng.permutation(table))[:size]
            for column, ids in chosen[key].items():
                rows[column] = ids
            tables[key] = rows
        return Events({key: rows for key, rows in tables.items() if len(rows)})


def yoked(life: Lifecycle, history: History) -> Lifecycle:
    """Return a lifecycle like another one whose history is given, but with every choice left to chance.

    Each epoch has as many deaths, divisions, unlinks and links in each part as the history has, and the same learning
    factors: what then differs is who, which is what a selection claims to matter. Raises ValueError for a history that is
    not that of such a life, TypeError for what is neither.
    """
    if not isinstance(life, Lifecycle) or not isinstance(history, History):
        raise TypeError(f"ns.yoked needs a lifecycle and the history of it, not {life!r} and {history!r}; give ns.yoked(life, history)")
    lived = [(phase, last - first + 1) for phase, first, last in history.phases]
    planned = [(phase.name, phase.epochs) for phase in life.phases]
    if lived != planned:
        raise ValueError(f"the history has the phases {lived} and the lifecycle {planned}; give the finished history of that lifecycle")
    boundaries, first = history.boundaries, history.epochs[0].number
    phases = []
    for phase in life.phases:
        own, boundaries = boundaries[: phase.epochs], boundaries[phase.epochs :]
        phases.append(replace(phase, rules=[Yoked(first, own, tuple(books_of(phase.rules)))]))
        first += phase.epochs
    return Lifecycle(life.epoch, phases)


def _mortal(population) -> np.ndarray:
    """Return the ids of the cells that a rule can kill."""
    return population.ids[population.cells[IMMORTAL.name] == 0] if IMMORTAL.name in population.ledgers else population.ids


def _faders(population, alive: np.ndarray, table: np.ndarray | None, rng) -> np.ndarray:
    """Choose cells that fade, and for those that are rescued cells that do fade, as far as there are any."""
    if table is None:
        return np.empty(0, np.int64)
    fading = population.cells[FADING.name][population.rows(alive)] < 1
    pools = {True: rng.permutation(alive[fading]), False: rng.permutation(alive)}
    rescued, chosen = table["level"] == 1, np.full(len(table), -1)
    chosen[np.flatnonzero(rescued)[: len(pools[True])]] = pools[True][: rescued.sum()]
    others = pools[False][~np.isin(pools[False], chosen)]
    rest = np.flatnonzero(chosen < 0)[: len(others)]
    chosen[rest] = others[: len(rest)]
    return chosen[: len(alive)]


def _heirs(dead: np.ndarray, alive: np.ndarray, table: np.ndarray | None, rng) -> dict[str, np.ndarray]:
    """Let each cell that hands over be one of those that die by chance, and its heirs some of those that live."""
    if table is None or not len(dead) or not len(alive):
        return {"cell": np.empty(0, np.int64), "heir": np.empty(0, np.int64)}
    _, giver = np.unique(table["cell"], return_inverse=True)
    giver, rank = giver[giver < len(dead)], ranks(giver)[giver < len(dead)]
    start = rng.integers(len(alive), size=len(dead))
    heirs = rng.permutation(alive)[(start[giver] + rank) % len(alive)]  # different ones for one cell
    return {"cell": dead[giver], "heir": heirs}


def _progenitors(circuit, table: np.ndarray | None, dead, rng) -> np.ndarray:
    """Choose the cells from which newborn ones differentiate; those that come from none stay so."""
    if table is None:
        return np.empty(0, np.int64)
    chosen = table["progenitor"].copy()
    for origin in np.unique(table["origin"]):
        rows = np.flatnonzero(table["origin"] == origin)
        if origin:
            alive = np.setdiff1d(circuit.populations[origin].ids, dead[origin])
            chosen[rows] = (
                rng.choice(alive, len(rows), replace=len(rows) > len(alive)) if len(alive) else circuit.populations[origin].ids[0]
            )
    return chosen


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
    pre, post = absent_pairs((len(ids[0]), len(ids[1])), *taken, source is target, None, rng, count=len(table))
    return {"pre": ids[0][pre], "post": ids[1][post]}
