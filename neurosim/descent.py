"""Descent of synapses: which new ones at a boundary come from which old ones, handed over, copied, split or partitioned."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurosim.circuit import Circuit
from neurosim.heirs import NONE, inherit
from neurosim.ledger import FADING
from neurosim.projection import Projection
from neurosim.randomness import stream_key, uniform
from neurosim.settle import Settled
from neurosim.table import among, by_id, distinct, over_ids


@dataclass(frozen=True, eq=False)
class Descent:
    """Hold the new synapses of a projection that descend from others, and what becomes of those.

    `origin` are the old rows of the new synapses, with their `pre`, `post` and `share`; `replaced` are old rows, ascending, that
    go because new ones take their place; `shares` and `weights` are old rows and their new values.
    """

    origin: np.ndarray
    pre: np.ndarray
    post: np.ndarray
    share: np.ndarray
    replaced: np.ndarray
    shares: tuple[np.ndarray, np.ndarray]
    weights: tuple[np.ndarray, np.ndarray]


def descend(circuit: Circuit, projection: Projection, settled: Settled, removed: np.ndarray) -> Descent:
    """Work out what fading, hand-overs and divisions make of the synapses of a projection, but for those `removed` (rows, ascending).

    Incoming synapses of dividing cells are copied, or go to one of the twins, then outgoing ones are shared (or copied), those copies
    included: a synapse from a dividing to a dividing cell, autapses included, so becomes four; the split is on the presynaptic side.
    Raises ValueError where outgoing weights cannot be split.
    """
    divisions = len(settled.divisions[projection.source]) + len(settled.divisions[projection.target])
    if not divisions and not len(settled.faded[projection.source]) and not len(settled.handed[projection.source]):
        # Without a look at columns that may have to be copied first.
        return Descent(NONE, NONE, NONE, np.empty(0), NONE, (NONE, np.empty(0)), (NONE, np.empty(0)))
    old = projection.synapses
    share, faded = _faded(circuit, projection, settled)
    heirs = inherit(circuit, projection, settled, share, removed)
    made, replaced = heirs.made, distinct(heirs.made["origin"])
    share = _with(share, heirs.rows, heirs.share) if len(heirs.rows) else share
    moved, outgoing = NONE, NONE
    if projection.newborn != "wire":
        copies, moved = _incoming(circuit, projection, settled, share, removed, made)
        made = {name: np.concatenate([made[name], copies[name]]) for name in made}
        made, outgoing, left = _outgoing(circuit, projection, settled, share, _union(removed, moved), made)
        share = share if left is None else _with(share, outgoing, left)
    changed = _union(_union(faded, heirs.rows), np.sort(outgoing) if share is not old["share"] else NONE)
    changed = changed[~among(changed, _union(removed, moved))]
    return Descent(**made, replaced=_union(replaced, moved), shares=(changed, share[changed]), weights=(heirs.rows, heirs.weight))


def _faded(circuit: Circuit, projection: Projection, settled: Settled) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares after cells have faded, and the rows that this changed."""
    share, table = projection.synapses["share"], settled.faded[projection.source]
    if not len(table):
        return share, NONE
    projection.check_divisible(f"cells of {projection.source!r} cannot fade in")
    population = circuit.populations[projection.source]
    ratio = table["level"] / population.cells[FADING.name][population.rows(table["cell"])]
    ratio = over_ids(len(population.parents), table["cell"], ratio, 1.0)[projection.synapses["pre"]]
    return share * ratio, np.flatnonzero(ratio != 1)


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
    projection.check_split()
    low, high, key = (divisions[column][place] for column in ("low", "high", "key"))
    return low + (high - low) * uniform(key_of("share", projection), key, ids)


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
