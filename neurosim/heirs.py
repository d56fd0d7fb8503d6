"""Heirs: what becomes of outgoing synapses that dying cells hand over to others of their population."""

from dataclasses import dataclass

import numpy as np

from neurosim.circuit import Circuit
from neurosim.ledger import FADING
from neurosim.projection import Projection
from neurosim.settle import Settled
from neurosim.table import among, by_id, distinct, over_ids

NONE = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Inherited:
    """Hold what heirs get: new synapses (`made`: columns, and `origin`, the rows that live on in them), and old rows of theirs, ascending,
    with new shares and weights."""

    made: dict[str, np.ndarray]
    rows: np.ndarray
    share: np.ndarray
    weight: np.ndarray


def inherit(circuit: Circuit, projection: Projection, settled: Settled, share: np.ndarray, removed: np.ndarray) -> Inherited:
    """Work out what heirs get of a projection, given the shares before and the rows that go (ascending).

    An heir that has a synapse onto the same cell gets what is handed over added to that: its share grows, and its weight is the mean of
    both, each counted by its share, so that the target receives from both what it did. Otherwise, and where spikes are under way, it gets
    a copy of the synapse. What a cell hands over to a target that is the heir itself is lost, unless that has an autapse.
    """
    old = projection.synapses
    made = _handed(circuit, projection, settled, share)
    if not len(made["origin"]):
        return Inherited(made, NONE, np.empty(0), np.empty(0))
    onto = _own(projection, made, removed)
    own = made["pre"] == made["post"] if projection.source == projection.target else np.zeros(len(onto), dtype=bool)
    flying = over_ids(projection.next_id, projection.flight["synapse"], True, False)[old["id"][made["origin"]]]
    joins = (onto >= 0) & ~flying & (made["share"] > 0) & (projection.unsplittable is None)
    if "frozen" in old:
        joins &= (old["frozen"][onto] == 0) | (old["weight"][onto] == old["weight"][made["origin"]])
    rows, group = np.unique(onto[joins], return_inverse=True)
    added = np.bincount(group, made["share"][joins], len(rows))
    strength = np.bincount(group, made["share"][joins] * old["weight"][made["origin"][joins]], len(rows))
    total = share[rows] + added
    same = np.bincount(group, old["weight"][made["origin"][joins]] != old["weight"][onto[joins]], len(rows)) == 0
    weight = np.where(same, old["weight"][rows], (share[rows] * old["weight"][rows] + strength) / total)
    stays = ~joins & ~(own & (onto < 0))
    return Inherited({name: values[stays] for name, values in made.items()}, rows, total, weight)


def _own(projection: Projection, made: dict, removed: np.ndarray) -> np.ndarray:
    """Return the row of the heir's own synapse onto the same cell, of the same delay if there is one, -1 for none."""
    old = projection.synapses
    mine = np.flatnonzero(over_ids(int(max(old["pre"].max(), made["pre"].max())) + 1, made["pre"], True, False)[old["pre"]])
    mine = by_id(old, mine[~among(mine, removed)])
    if not len(mine):
        return np.full(len(made["pre"]), -1)
    pairs = max(int(old["post"].max()), int(made["post"].max())) + 1
    delays, delay = np.unique(old["delay"][np.concatenate([mine, made["origin"]])], return_inverse=True)
    key = old["pre"][mine] * pairs + old["post"][mine]
    order = np.lexsort((delay[: len(mine)], key))
    full = (key * len(delays) + delay[: len(mine)])[order]
    asked = made["pre"] * pairs + made["post"]
    exact = asked * len(delays) + delay[len(mine) :]
    place = np.minimum(np.searchsorted(full, exact), len(full) - 1)
    first = np.minimum(np.searchsorted(full, asked * len(delays)), len(full) - 1)
    place = np.where(full[place] == exact, place, first)
    return np.where(full[place] // len(delays) == asked, mine[order][place], -1)


def _handed(circuit: Circuit, projection: Projection, settled: Settled, share: np.ndarray) -> dict[str, np.ndarray]:
    """Return what each heir is to get, but for what goes to cells that die or is unlinked."""
    old, name = projection.synapses, projection.source
    table = settled.handed[name]
    if not len(table):
        return {"origin": NONE, "pre": NONE, "post": NONE, "share": np.empty(0)}
    if (table["part"] < 1).any():
        projection.check_divisible(f"cells of {name!r} cannot hand over parts of")
    table = table[np.argsort(table["cell"], kind="stable")]
    parents = circuit.populations[name].parents
    rows = by_id(old, np.flatnonzero(over_ids(len(parents), table["cell"], True, False)[old["pre"]]))
    lost = over_ids(len(circuit.populations[projection.target].parents), settled.dead[projection.target], True, False)
    rows = rows[~lost[old["post"][rows]]]
    rows = rows[~among(old["id"][rows], distinct(settled.unlinked[projection.name]["synapse"]))]
    first, last = (np.searchsorted(table["cell"], old["pre"][rows], side=side) for side in ("left", "right"))
    count = last - first
    entry = np.repeat(first - (np.cumsum(count) - count), count) + np.arange(count.sum())
    rows, heir, part = np.repeat(rows, count), table["heir"][entry], table["part"][entry]
    before = np.ones(len(parents))
    if FADING.name in circuit.populations[name].ledgers:
        before[circuit.populations[name].ids] = circuit.populations[name].cells[FADING.name]
    passed = share[rows] * part / before[old["pre"][rows]] * levels(circuit, settled, name)[heir]
    return {"origin": rows, "pre": heir.astype(np.int64), "post": old["post"][rows], "share": passed}


def levels(circuit: Circuit, settled: Settled, name: str) -> np.ndarray:
    """Return which part of its output each cell (by id) of a population has after this boundary."""
    population = circuit.populations[name]
    size = len(population.parents) + len(settled.newborn(name))
    if FADING.name not in population.ledgers:
        return np.ones(size)
    level = over_ids(size, population.ids, population.cells[FADING.name], 1.0)
    level[settled.faded[name]["cell"]] = settled.faded[name]["level"]
    level[settled.daughters[name]] = level[settled.divisions[name]["mother"]]
    return level
