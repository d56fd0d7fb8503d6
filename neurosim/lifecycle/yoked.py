"""The yoked control: as much birth, death and rewiring as in another life, of cells and synapses chosen by chance."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from neurosim.events import COLUMNS, Events
from neurosim.ledger import FADING, IMMORTAL
from neurosim.lifecycle.books import books_of
from neurosim.lifecycle.growth import Growth
from neurosim.lifecycle.history import History
from neurosim.lifecycle.phases import Lifecycle, Phase, label_of
from neurosim.lifecycle.records import Epoch
from neurosim.lifecycle.vacancies import absent_pairs, ranks
from neurosim.lifecycle.where import Permitted, listed
from neurosim.settle import bereft
from neurosim.table import over_ids

NO_LINKS = Events().of("link", "")
ORDERED = ("birth", "handover", "fade", "link")  # kinds whose rows belong together with what is chosen for them


@dataclass(frozen=True)
class Yoked:
    """Repeat how many cells died, faded, divided and were born and how many synapses went and came in each epoch, and choose which by chance.

    `boundaries` are the events of another life from epoch `first` on. What is not a choice stays: the shares and the jitter
    of divisions, the levels of fading cells, the places of births, weights and delays of new synapses. Where fewer are left than are asked
    for, all of them are taken. `books` are those of the rules that chose in the other life: they are kept here too. The deaths of `pooled`
    populations are counted together, and each of their cells is as likely to die as another, whichever population it is of. `permitted` has the
    label of each rule that lets synapses grow between permitted pairs only, with its ns.Permitted: among these are its synapses here, too.
    """

    first: int
    boundaries: Sequence[Events]
    books: tuple = ()
    pooled: Sequence[str] = ()
    permitted: Sequence[tuple[str, tuple[Permitted, ...]]] = ()

    def check(self, circuit) -> None:
        """Raise KeyError where the circuit lacks a population or projection of the other life."""
        for events in self.boundaries:
            events.check(circuit)

    def __call__(self, circuit, recording, rng) -> Events:
        asked = {
            key: np.sort(table, order="cell", kind="stable") if key[0] == "handover" else table  # each cell's parts stay together
            for key, table in self.boundaries[circuit.epoch - self.first].tables.items()
        }
        if self.pooled:
            asked |= self._dealt(circuit, asked, rng)
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
            asked["link", name], chosen["link", name] = self._pairs(
                circuit, projection, dead, alive, asked.get(("link", name), NO_LINKS), rng
            )
        tables = {}
        for key, table in asked.items():
            size = len(next(iter(chosen[key].values())))
            rows = (table if key[0] in ORDERED else rng.permutation(table))[:size]
            for column, ids in chosen[key].items():
                rows[column] = ids
            rows["rule"] = ""
            tables[key] = rows
        return Events({key: rows for key, rows in tables.items() if len(rows)})

    def _pairs(self, circuit, projection, dead, alive, table: np.ndarray, rng) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Choose pairs of surviving cells without a synapse for the links of each rule, where it permits them; return both, in one order."""
        permitted, free = dict(self.permitted), _Free(circuit, projection, dead, alive)
        rows, pairs = [np.empty(0, np.int64)], [np.empty((2, 0), np.int64)]
        for label in np.unique(table["rule"]).tolist():
            own = rng.permutation(np.flatnonzero(table["rule"] == label))
            pairs.append(free.take(len(own), permitted.get(label), rng))
            rows.append(own[: pairs[-1].shape[1]])
        pre, post = np.concatenate(pairs, axis=1)
        return table[np.concatenate(rows)], {"pre": pre, "post": post}

    def _dealt(self, circuit, asked, rng) -> dict:
        """Deal out the deaths of pooled populations anew, so that each of their cells is as likely to die as another."""
        keys = [("death", name) for name in self.pooled]
        deaths = np.concatenate([np.empty(0, COLUMNS["death"]), *(asked[key] for key in keys if key in asked)])
        cells = [len(_mortal(circuit.populations[name])) for name in self.pooled]
        ends = np.cumsum(rng.multivariate_hypergeometric(cells, min(len(deaths), sum(cells))))
        return dict(zip(keys, np.split(deaths[: ends[-1]], ends[:-1]), strict=True))


def yoked(life: Lifecycle, history: History, pooled: Sequence[str] = (), keep: Sequence[str] = ()) -> Lifecycle:
    """Return a lifecycle like another one whose history is given, but with every choice left to chance.

    Each epoch has as many deaths, divisions, unlinks and links in each part as the history has, and the same learning
    factors: what then differs is who, which is what a selection claims to matter. Of `pooled` populations it has as many deaths in all,
    but not in each: so a selection can be tested that claims to take one type of cell rather than another. Rules whose labels are in
    `keep` stay rules, so that the choices of the others alone are left to chance; what they did in the history is not repeated, and what meets a cell or
    synapse that they take is dropped. Raises
    ValueError for a history that is not that of such a life, an unknown population or a label of no rule, TypeError for what is neither.
    """
    if not isinstance(life, Lifecycle) or not isinstance(history, History):
        raise TypeError(f"ns.yoked needs a lifecycle and the history of it, not {life!r} and {history!r}; give ns.yoked(life, history)")
    if isinstance(pooled, str) or not set(pooled) <= set(history.start.populations):
        known = ", ".join(map(repr, history.start.populations))
        raise ValueError(
            f"ns.yoked is to pool the deaths of {pooled!r}, but the circuit has the populations {known}; give several of these"
        )
    labels = dict.fromkeys(label_of(rule) for phase in life.phases for rule in phase.rules)
    if isinstance(keep, str) or not set(keep) <= set(labels):
        raise ValueError(
            f"ns.yoked is to keep the rules {keep!r}, but those of the lifecycle are called {', '.join(map(repr, labels))}; give several of these"
        )
    lived = [(phase, last - first + 1) for phase, first, last in history.phases]
    planned = [(phase.name, phase.epochs) for phase in life.phases]
    if lived != planned:
        raise ValueError(f"the history has the phases {lived} and the lifecycle {planned}; give the finished history of that lifecycle")
    staying = {label for phase in life.phases for label, rule in phase.labelled() if label_of(rule) in keep}
    boundaries, first = [_ruled(epoch, staying) for epoch in history.epochs[1:]], history.epochs[0].number
    phases = []
    for phase in life.phases:
        own, boundaries = boundaries[: phase.epochs], boundaries[phase.epochs :]
        stay = [rule for rule in phase.rules if label_of(rule) in keep]
        chance = Yoked(first, own, tuple(books_of(phase.rules)), tuple(pooled), _permitted(phase))
        phases.append(replace(phase, rules=[*stay, chance]))
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


class _Free:
    """Hold the pairs of surviving cells of a projection that no synapse joins, and give them away."""

    def __init__(self, circuit, projection, dead, alive):
        source, target = (circuit.populations[name] for name in (projection.source, projection.target))
        self.source, self.target = source, target
        self.ids = [np.setdiff1d(side.ids, dead[side.name]) for side in (source, target)]
        self.taken = [
            over_ids(len(side.parents), own, np.arange(len(own)), -1)[projection.synapses[end][alive]]
            for own, side, end in zip(self.ids, (source, target), ("pre", "post"), strict=True)
        ]

    def take(self, count: int, where: tuple[Permitted, ...] | None, rng) -> np.ndarray:
        """Return the ids (pre, post) of so many pairs, or of all that there are, which are taken from then on."""
        shape = (len(self.ids[0]), len(self.ids[1]))
        if not all(shape):
            return np.empty((2, 0), np.int64)
        if where is None:
            chosen = np.array(absent_pairs(shape, *self.taken, self.source is self.target, None, rng, count=count))
        else:
            chosen = rng.permutation(self._permitted(where, shape), axis=1)[:, :count]
        self.taken = [np.concatenate(both) for both in zip(self.taken, chosen, strict=True)]
        return np.stack([own[rows] for own, rows in zip(self.ids, chosen, strict=True)])

    def _permitted(self, where: tuple[Permitted, ...], shape: tuple[int, int]) -> np.ndarray:
        """Return the places among the survivors of all free pairs that are permitted."""
        allowed = [np.divmod(one.rows(self.source, self.target), len(self.target)) for one in where]
        sides = zip(self.ids, (self.source, self.target), strict=True)
        place = [over_ids(len(side.parents), own, np.arange(len(own)), -1)[side.ids] for own, side in sides]
        numbers = []
        for pre, post in allowed:
            pre, post = place[0][pre], place[1][post]
            numbers.append((pre * shape[1] + post)[(pre >= 0) & (post >= 0) & ((pre != post) | (self.source is not self.target))])
        free = np.setdiff1d(reduce(np.intersect1d, numbers), self.taken[0] * shape[1] + self.taken[1])
        return np.array(np.divmod(free, shape[1]))


def _ruled(epoch: Epoch, without: Iterable[str]) -> Events:
    """Return the events of the boundary of an epoch, links with the labels of their rules, without those of some rules."""
    events, rows, tables = epoch.boundary(), epoch.event_rows(), {}
    for (kind, name), table in events.tables.items():
        labels = rows["rule"][(rows["kind"] == kind) & (rows["where"] == name)]
        if kind == "link":
            table["rule"] = labels
        others = {label: not any(label == one or label.startswith(f"{one}/") for one in without) for label in np.unique(labels).tolist()}
        tables[kind, name] = table[[others[label] for label in labels.tolist()]] if not all(others.values()) else table
    return Events({key: table for key, table in tables.items() if len(table)})


def _permitted(phase: Phase) -> tuple[tuple[str, tuple[Permitted, ...]], ...]:
    """Return the label of each rule of a phase that lets synapses grow between permitted pairs only, and these."""
    found = []
    for label, rule in _named(phase.labelled()):
        growth = getattr(rule, "regrow", None)
        permitted = tuple(one for one in listed(growth.where) if isinstance(one, Permitted)) if isinstance(growth, Growth) else ()
        found += [(label, permitted)] if permitted else []
    return tuple(found)


def _named(rules: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Go through rules with their labels, and in place of those that hold rules through these."""
    for label, rule in rules:
        within = getattr(rule, "nested", ())
        yield from _named((f"{label}/{label_of(one)}", one) for one in within) if within else ((label, rule),)
