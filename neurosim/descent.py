"""Descent of synapses: which new ones at a boundary come from which old ones, handed over, copied, split or partitioned."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurosim.circuit import Circuit
from neurosim.ledger import FADING
from neurosim.projection import Projection
from neurosim.randomness import stream_key, uniform
from neurosim.settle import Settled
from neurosim.table import Table, among, distinct, over_ids

NONE = np.empty(0, np.int64)


@dataclass(frozen=True, eq=False)
class Descent:
    """Hold the new synapses of a projection that descend from others, and what becomes of those.

    `origin` are the old rows of the new synapses, with their `pre`, `post` and `share`; `replaced` are old rows, ascending, that
    go because new ones take their place; `shares` are old rows and their new shares.
    """

    origin: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    share: np.ndarray
    replaced: np.ndarray
    shares: tuple[np.ndarray, np.ndarray]


def descend(circuit: Circuit, projection: Projection, settled: Settled, removed: np.ndarray) -> Descent:
    """Work out what fading, hand-overs and divisions make of the synapses of a projection, but for those `removed` (rows, ascending).

    Incoming synapses of dividing cells are copied, or go to one of the twins, then outgoing ones are shared (or copied), those copies
    included: a synapse from a dividing to a dividing cell, autapses included, so becomes four; the split is on the presynaptic side.
    Raises ValueError where outgoing weights cannot be split.
    """
    divisions = len(settled.divisions[projection.source]) + len(settled.divisions[projection.target])
    if not divisions and not len(settled.faded[projection.source]) and not len(settled.handed[projection.source]):
        # Without a look at columns that may have to be copied first.
        return Descent(NONE, NONE, NONE, np.empty(0), NONE, (NONE, np.empty(0)))
    old = projection.synapses
    share, faded = _faded(circuit, projection, settled)
    made = _handed(circuit, projection, settled, share)
    replaced = distinct(made["origin"])
    moved, outgoing = NONE, NONE
    if projection.newborn != "wire":
        copies, moved = _incoming(circuit, projection, settled, share, removed, made)
        made = {name: np.concatenate([made[name], copies[name]]) for name in made}
        made, outgoing, left = _outgoing(circuit, projection, settled, share, _union(removed, moved), made)
        share = share if left is None else _with(share, outgoing, left)
    changed = _union(faded, outgoing if share is not old["share"] else NONE)
    changed = changed[~among(changed, _union(removed, moved))]
    return Descent(**made, replaced=_union(replaced, moved), shares=(changed, share[changed]))


def _faded(circuit: Circuit, projection: Projection, settled: Settled) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares after cells have faded, and the rows that this changed."""
    share, table = projection.synapses["share"], settled.faded[projection.source]
    if not len(table):
        return share, NONE
    _check_divisible(projection, f"cells of {projection.source!r} cannot fade in")
    population = circuit.populations[projection.source]
    ratio = table["level"] / population.cells[FADING.name][population.rows(table["cell"])]
    ratio = over_ids(len(population.parents), table["cell"], ratio, 1.0)[projection.synapses["pre"]]
    return share * ratio, np.flatnonzero(ratio != 1)


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


def _handed(circuit: Circuit, projection: Projection, settled: Settled, share: np.ndarray) -> dict[str, np.ndarray]:
    """Give copies of the outgoing synapses of dying cells to their heirs, but for those onto the heirs themselves and those that are unlinked."""
    old, name = projection.synapses, projection.source
    table = settled.handed[name]
    if not len(table):
        return {"origin": NONE, "pre": NONE, "post": NONE, "share": np.empty(0)}
    if (table["part"] < 1).any():
        _check_divisible(projection, f"cells of {name!r} cannot hand over parts of")
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
    kept = (heir != old["post"][rows]) | (projection.source != projection.target)
    return {"origin": rows[kept], "pre": heir[kept].astype(np.int64), "post": old["post"][rows][kept], "share": passed[kept]}


def _incoming(circuit, projection: Projection, settled: Settled, share, removed, made: dict) -> tuple[dict, np.ndarray]:
    """Copy the incoming synapses of dividing cells to their daughters, or let each go to one of the twins.

    Those of `made` that change their target do so in place. Returns the copies, and the old rows that they replace.
    """
    old, name = projection.synapses, projection.target
    rows, place = of_mothers(circuit, settled, name, old, "post", removed)
    again, place_again = of_mothers(circuit, settled, name, made, "post")
    daughters, moved = settled.daughters[name], NONE
    if projection.newborn == "partition" and len(place) + len(place_again):
        key = settled.divisions[name]["key"]
        stream = key_of("partition", projection)
        leaves = uniform(stream, key[place], old["id"][rows]) < 0.5
        rows, place = rows[leaves], place[leaves]
        leaves = uniform(stream, key[place_again], old["id"][made["origin"][again]]) < 0.5
        made["post"][again[leaves]] = daughters[place_again[leaves]]
        again, place_again, moved = NONE, NONE, np.sort(rows)
    return {
        "origin": np.concatenate([rows, made["origin"][again]]),
        "pre": np.concatenate([old["pre"][rows], made["pre"][again]]),
        "post": daughters[np.concatenate([place, place_again])],
        "share": np.concatenate([share[rows], made["share"][again]]),
    }, moved


def _outgoing(circuit, projection: Projection, settled: Settled, share, removed, made: dict):
    """Give daughters their mothers' outgoing synapses, those of `made` included, and split the shares where the projection says so.

    Returns all new synapses, the old outgoing rows, and what is left of the shares of these (None: all).
    """
    old, name = projection.synapses, projection.source
    outgoing, place = of_mothers(circuit, settled, name, old, "pre", removed)
    again, place_again = of_mothers(circuit, settled, name, made, "pre")
    place, left = np.concatenate([place, place_again]), None
    twins = {
        "origin": np.concatenate([outgoing, made["origin"][again]]),
        "pre": settled.daughters[name][place],
        "post": np.concatenate([old["post"][outgoing], made["post"][again]]),
        "share": np.concatenate([share[outgoing], made["share"][again]]),
    }
    if projection.newborn != "copy" and len(place):
        mothers = _mothers_share(projection, settled.divisions[name], place, old["id"][twins["origin"]])
        both, twins["share"] = twins["share"] * mothers, twins["share"] * (1 - mothers)
        left, made["share"][again] = both[: len(outgoing)], both[len(outgoing) :]
    return {key: np.concatenate([made[key], twins[key]]) for key in made}, outgoing, left


def by_id(table: Mapping, rows: np.ndarray) -> np.ndarray:
    """Return ascending rows in the order of their ids, so that what descends from them has the same ids wherever they stand."""
    return rows[np.argsort(table["id"][rows])] if isinstance(table, Table) and not table.ascending else rows


def of_mothers(circuit, settled: Settled, name: str, table: Mapping, column: str, removed=()) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with a dividing cell of a population in a column, less those removed, and the places of the divisions."""
    mothers = settled.divisions[name]["mother"]
    if not len(mothers):
        return NONE, NONE
    values, size = table[column], len(circuit.populations[name].parents) + len(settled.daughters[name])
    rows = np.flatnonzero(over_ids(size, mothers, True, False)[values])
    rows = by_id(table, rows[~among(rows, removed)])
    return rows, over_ids(size, mothers, np.arange(len(mothers)), -1)[values[rows]]


def _mothers_share(projection: Projection, divisions: np.ndarray, place: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Draw which part of outgoing synapses (ids, and the places of their divisions) the mother keeps; raise ValueError where none can be split."""
    _check_divisible(
        projection, f"a division in {projection.source!r} cannot split", "; use .replace(newborn='copy') or .replace(newborn='wire')"
    )
    low, high, key = (divisions[column][place] for column in ("low", "high", "key"))
    return low + (high - low) * uniform(key_of("share", projection), key, ids)


def _check_divisible(projection: Projection, what: str, remedy: str = "") -> None:
    if projection.unsplittable:
        raise ValueError(f"{what} projection {projection.name!r}, because {projection.unsplittable}{remedy}")


def key_of(what: str, projection: Projection) -> int:
    """Return the key of a stream of a projection of its own: synapses of different projections may have the same id."""
    return stream_key(0, f"division/{what}/{projection.name}")


def _union(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    if not len(one) or not len(other):
        return one if len(one) else other
    return np.union1d(one, other)


def _with(values: np.ndarray, rows: np.ndarray, new: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[rows] = new
    return values
