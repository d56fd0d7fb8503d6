"""The one surgery: from a circuit and events to an Edit, and from an Edit to the next circuit."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from neurosim.circuit import Circuit
from neurosim.edit import Edit, TableEdit, fly_on
from neurosim.events import Events
from neurosim.population import Population
from neurosim.projection import Projection, check_delays, check_values, first_columns, new_synapses
from neurosim.randomness import generator, normal, stream_key, uniform
from neurosim.settle import Settled, bereft, settle
from neurosim.table import Table, among, over_ids
from neurosim.wiring import Side


def apply(circuit: Circuit, events: Events) -> Circuit:
    """Return the circuit after the events: deaths, then divisions of survivors, unlinks and links.

    Raises KeyError for an unknown population, projection or id and ValueError where outgoing weights cannot be split.
    """
    return carry_out(circuit, plan(circuit, events))


def replay(circuit: Circuit, boundaries: Iterable[Events]) -> Circuit:
    """Return the structure that a first circuit has after the events of each boundary in turn, without simulating."""
    for events in boundaries:
        circuit = apply(circuit, events).updated({}, epoch=circuit.epoch + 1)
    return circuit


def carry_out(circuit: Circuit, edit: Edit) -> Circuit:
    """Return the circuit after an edit planned for it."""
    parts: dict[str, Population | Projection] = {}
    for name, change in edit.cells.items():
        old = circuit.populations[name]
        parts[name] = replace(old, cells=change.carry_out(old.cells), parents=edit.parents[name])
    for name, change in edit.synapses.items():
        old = circuit.projections[name]
        synapses = change.carry_out(old.synapses)
        rows, steps = fly_on(old.rows(old.flight["synapse"]), old.flight["step"], change)
        flight = Table({"synapse": synapses["id"][rows], "step": steps})
        parts[name] = replace(old, synapses=synapses, flight=flight, next_id=old.next_id + len(change.origin))
    return circuit.updated(parts)


def plan(circuit: Circuit, events: Events) -> Edit:
    """Work out everything that the events change in a circuit.

    Rules propose against the same circuit, so their events are merged in a fixed order (deaths, divisions of survivors,
    unlinks, links); one that conflicts with an earlier one is dropped and counted by cause. Raises as `apply` does.
    """
    events.check(circuit)
    settled, dropped = settle(circuit, events)
    cells, parents, synapses, lost = {}, {}, {}, {}
    for name, population in circuit.populations.items():
        if len(settled.dead[name]) or len(settled.divisions[name]):
            cells[name] = _edit_cells(circuit, population, settled)
            parents[name] = np.concatenate([population.parents, settled.divisions[name]["mother"]])
    for name, projection in circuit.projections.items():
        touched = projection.source in cells or projection.target in cells
        if touched or len(settled.unlinked[name]) or len(settled.links[name]):
            synapses[name] = _edit_synapses(circuit, projection, settled, cells)
            lost[name] = _lost(projection, synapses[name].removed)
    return Edit(cells, parents, synapses, settled, dropped, lost)


def _edit_cells(circuit: Circuit, population: Population, settled: Settled) -> TableEdit:
    mothers = settled.divisions[population.name]["mother"]
    values = {"id": settled.daughters[population.name], "parent": mothers, "birth": np.full(len(mothers), circuit.epoch + 1)}
    removed = np.sort(population.rows(settled.dead[population.name]))
    return TableEdit(removed, population.rows(mothers), values, {}, {}, len(population))


def _edit_synapses(circuit: Circuit, projection: Projection, settled: Settled, cells: Mapping[str, TableEdit]) -> TableEdit:
    """Choose the synapses that go, those copied or split by divisions, and those made afresh."""
    old = projection.synapses
    removed = _removed(circuit, projection, settled)
    copies, changed = _divide_synapses(circuit, projection, settled, removed)
    fresh = _fresh_synapses(circuit, projection, settled, cells)
    copied, made = copies.pop("origin"), len(fresh["pre"])
    values = {name: np.concatenate([column, fresh.pop(name)]) for name, column in copies.items()}
    values["id"] = projection.next_id + np.arange(len(copied) + made)
    values["parent"] = np.concatenate([old["id"][copied], np.full(made, -1)])
    if "frozen" in old:
        values["frozen"] = np.concatenate([old["frozen"][copied], fresh.pop("frozen")])
    if projection.synapse.plastic and (settled.divisions[projection.target]["jitter"] > 0).any():
        weight = np.concatenate([old["weight"][copied], fresh.pop("weight")])
        changed["weight"], values["weight"] = _break_symmetry(circuit, projection, settled, removed, values, weight)
    return TableEdit(removed, np.concatenate([copied, np.full(made, -1)]), values, fresh, changed, len(old))


def _removed(circuit: Circuit, projection: Projection, settled: Settled) -> np.ndarray:
    """Return the rows of the synapses that go, ascending: the unlinked and those of the dead."""
    unlinked = np.sort(projection.rows(np.sort(settled.unlinked[projection.name]["synapse"])))  # sorted ids are found faster
    if not len(settled.dead[projection.source]) and not len(settled.dead[projection.target]):
        return unlinked
    gone = bereft(circuit, projection, settled.dead)
    gone[unlinked] = True
    return np.flatnonzero(gone)


def _lost(projection: Projection, removed: np.ndarray) -> int:
    """Count the spikes in flight on synapses that go."""
    if not len(removed):
        return 0
    gone = over_ids(projection.next_id, projection.ids[removed], True, False)
    return int(gone[projection.flight["synapse"]].sum())


def _divide_synapses(circuit: Circuit, projection: Projection, settled: Settled, removed: np.ndarray):
    """Copy the incoming synapses of dividing cells, then share (or copy) the outgoing ones, those copies included.

    A synapse from a dividing to a dividing cell, autapses included, so becomes four; the split is on the presynaptic side.
    Returns columns of the copies, `origin` the rows that they were made from, and what changes in other columns of those.
    """
    old, changed = projection.synapses, {}
    divisions = len(settled.divisions[projection.source]) + len(settled.divisions[projection.target])
    if projection.newborn == "wire" or not divisions:
        return {"share": np.empty(0)} | {name: np.empty(0, np.int64) for name in ("pre", "post", "origin")}, changed
    incoming, place = _of_mothers(circuit, settled, projection.target, old, "post", removed)
    copies = {name: old[name][incoming] for name in ("pre", "post", "share")} | {"origin": incoming}
    copies["post"] = settled.daughters[projection.target][place]
    outgoing, place = _of_mothers(circuit, settled, projection.source, old, "pre", removed)
    again, place_again = _of_mothers(circuit, settled, projection.source, copies, "pre")
    place = np.concatenate([place, place_again])
    twins = {name: np.concatenate([old[name][outgoing], copies[name][again]]) for name in ("post", "share")}
    twins |= {"origin": np.concatenate([outgoing, incoming[again]]), "pre": settled.daughters[projection.source][place]}
    if projection.newborn == "split" and len(place):
        mothers = _mothers_share(projection, settled.divisions[projection.source], place, old["id"][twins["origin"]])
        left, twins["share"] = twins["share"] * mothers, twins["share"] * (1 - mothers)
        changed["share"], copies["share"][again] = (outgoing, left[: len(outgoing)]), left[len(outgoing) :]
    return {name: np.concatenate([column, twins[name]]) for name, column in copies.items()}, changed


def _of_mothers(circuit, settled: Settled, name: str, table: Mapping, column: str, removed=()) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows with a dividing cell of a population in a column, less those removed, and the places of the divisions."""
    mothers = settled.divisions[name]["mother"]
    if not len(mothers):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    values, size = table[column], len(circuit.populations[name].parents)
    rows = np.flatnonzero(over_ids(size, mothers, True, False)[values])
    rows = rows[~among(rows, removed)]
    return rows, over_ids(size, mothers, np.arange(len(mothers)), -1)[values[rows]]


def _mothers_share(projection: Projection, divisions: np.ndarray, place: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Draw which part of outgoing synapses (ids, and the places of their divisions) the mother keeps; raise ValueError where none can be split."""
    if projection.unsplittable:
        raise ValueError(
            f"a division in {projection.source!r} cannot split projection {projection.name!r}, because "
            f"{projection.unsplittable}; use .replace(newborn='copy') or .replace(newborn='wire')"
        )
    low, high, key = (divisions[column][place] for column in ("low", "high", "key"))
    return low + (high - low) * uniform(_key("share", projection), key, ids)


def _fresh_synapses(circuit: Circuit, projection: Projection, settled: Settled, cells: Mapping[str, TableEdit]) -> dict[str, np.ndarray]:
    """Make the columns of synapses that descend from none: those of links and those that newborn cells are wired with."""
    links, source = settled.links[projection.name], circuit.populations[projection.source]
    what = f"projection {projection.name!r}"
    pre, post, weight, delay = (np.ascontiguousarray(links[name]) for name in ("pre", "post", "weight", "delay"))
    check_values(source, projection.receptor, projection.synapse, weight, delay, f"links of {what}")
    _check_grid(circuit, delay, f"links of {what}")
    columns = _made_now(circuit, projection, cells, pre, post, weight, delay)
    keys = [settled.divisions[name]["key"] for name in dict.fromkeys((projection.source, projection.target))]
    if projection.newborn != "wire" or not sum(map(len, keys)):
        return columns
    rng = generator(int(np.bitwise_xor.reduce(np.concatenate(keys))), f"division/wire/{projection.name}")
    ids, sides, new = zip(*(_side(circuit, name, cells) for name in (projection.source, projection.target)), strict=True)
    pre, post = projection.recipe.wiring.newborn_pairs(*sides, projection.source == projection.target, *new, rng)
    wired = new_synapses(source, projection.receptor, projection.synapse, projection.recipe, ids[0][pre], ids[1][post], rng, what)
    _check_grid(circuit, wired["delay"], f"synapses of newborn cells of {what}")
    wired = _made_now(circuit, projection, cells, *(wired[name] for name in ("pre", "post", "weight", "delay")))
    return {name: np.concatenate([columns[name], wired[name]]) for name in columns}


def _made_now(circuit: Circuit, projection: Projection, cells: Mapping[str, TableEdit], pre, post, weight, delay) -> dict[str, np.ndarray]:
    """Return the columns of synapses made at this boundary between cells that there are after it."""
    counted = _of_cells(circuit, projection.source, cells, "spikes", pre)
    columns = first_columns(projection.synapse, pre, post, weight, delay, circuit.time_si, counted)
    if "frozen" in projection.synapses:
        marked = [
            _of_cells(circuit, *side, "memory", ids) for *side, ids in ((projection.source, cells, pre), (projection.target, cells, post))
        ]
        columns["frozen"] = np.logical_or(*marked).astype(float)
    return columns


def _of_cells(circuit: Circuit, name: str, cells: Mapping[str, TableEdit], column: str, ids: np.ndarray) -> np.ndarray:
    """Return a column at some ids of the cells of a population after its edit."""
    if not len(ids):
        return np.empty(0)
    table = circuit.populations[name].cells
    if name in cells:
        table = Table({key: cells[name].column(table, key) for key in ("id", column)}, ascending=table.ascending)
    return table[column][table.rows_or_missing(ids)]


def _check_grid(circuit: Circuit, delay: np.ndarray, what: str) -> None:
    if circuit.dt_si is not None:
        check_delays(delay, circuit.dt_si, what)


def _side(circuit: Circuit, name: str, cells: Mapping[str, TableEdit]) -> tuple[np.ndarray, Side, np.ndarray]:
    """Return the ids of a population after its edit, the side of a wiring that it makes, and which cells are newborn."""
    table, change = circuit.populations[name].cells, cells.get(name)
    ids, position = (table[column] if change is None else change.column(table, column) for column in ("id", "position"))
    return ids, Side(len(ids), position), np.arange(len(ids)) >= (len(ids) if change is None else change.kept)


def _break_symmetry(circuit: Circuit, projection: Projection, settled: Settled, removed, values: Mapping, weight: np.ndarray):
    """Multiply the incoming plastic weights of twins by log-normal factors, inside their bounds; frozen ones stay.

    `values` and `weight` are those of the new synapses. Returns the old rows whose weights change, with these, and the
    weights of the new ones.
    """
    old, name = projection.synapses, projection.target
    divisions, daughters = settled.divisions[name], settled.daughters[name]

    def jittered(weight: np.ndarray, place: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Multiply weights by the factors of their divisions."""
        jitter, key = divisions["jitter"][place], divisions["key"][place]
        weight = weight * np.exp(jitter * normal(_key("jitter", projection), key, ids))
        if projection.synapse.bounds:
            weight = np.clip(weight, *(projection.synapse.parameters[key].value for key in projection.synapse.bounds))
        return weight

    rows, place = _of_mothers(circuit, settled, name, old, "post", removed)
    if "frozen" in old:
        free = old["frozen"][rows] == 0
        rows, place = rows[free], place[free]
    twins = np.concatenate([divisions["mother"], daughters])
    new_place = over_ids(len(circuit.populations[name].parents) + len(daughters), twins, np.arange(len(twins)), -1)[values["post"]]
    new_rows = np.flatnonzero((new_place >= 0) & (values.get("frozen", 0) == 0))
    weight[new_rows] = jittered(weight[new_rows], new_place[new_rows] % len(divisions), values["id"][new_rows])
    return (rows, jittered(old["weight"][rows], place, old["id"][rows])), weight


def _key(what: str, projection: Projection) -> int:
    """Synapses of different projections may have the same id: each projection draws from streams of its own."""
    return stream_key(0, f"division/{what}/{projection.name}")
