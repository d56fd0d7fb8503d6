"""The one surgery: from a circuit and events to an Edit, and from an Edit to the next circuit."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from neurosim.circuit import Circuit
from neurosim.events import Events
from neurosim.population import Population
from neurosim.projection import Projection, check_values, new_synapses
from neurosim.randomness import generator, normal, stream_key, uniform
from neurosim.settle import Settled, settle
from neurosim.table import Table
from neurosim.wiring import Side


@dataclass(frozen=True)
class TableEdit:
    """Say how one table changes: new row k is made from old row ``rows[k]``, or afresh where that is -1.

    The first `kept` rows are the survivors in their order. `values` are whole new columns that take the place of the
    gathered ones; fresh rows find all their columns there.
    """

    rows: np.ndarray
    kept: int
    values: Mapping[str, np.ndarray]

    def carry_out(self, table: Table) -> Table:
        """Return the table after the edit."""
        rows = np.maximum(self.rows, 0)
        return Table({name: self.values[name] if name in self.values else _take(old, rows) for name, old in table.items()})


@dataclass(frozen=True)
class Edit:
    """Hold all of a structural change: what happens to cells, synapses and spikes in flight.

    `settled` are the events that were carried out, `dropped` counts those that were not, by cause, and `lost` the spikes
    in flight on removed synapses, by projection.
    """

    cells: Mapping[str, TableEdit]
    parents: Mapping[str, np.ndarray]
    synapses: Mapping[str, TableEdit]
    settled: Settled
    dropped: Counter
    lost: Mapping[str, int]


def apply(circuit: Circuit, events: Events) -> Circuit:
    """Return the circuit after the events: deaths, then divisions of survivors, unlinks and links.

    Raises KeyError for an unknown population, projection or id and ValueError where outgoing weights cannot be split.
    """
    return carry_out(circuit, plan(circuit, events))


def replay(circuit: Circuit, boundaries: Iterable[Events]) -> Circuit:
    """Return the structure that a first circuit has after the events of each boundary in turn, without simulating."""
    for events in boundaries:
        circuit = replace(apply(circuit, events), epoch=circuit.epoch + 1)
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
        made = len(synapses) - change.kept
        parts[name] = replace(
            old, synapses=synapses, flight=_fly_on(old.flight, old.synapses, synapses, change), next_id=old.next_id + made
        )
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
            cells[name], parents[name] = _edit_cells(circuit, population, settled)
    grown = {
        name: carried(circuit.populations[name], cells[name], parents[name]) if name in cells else circuit.populations[name]
        for name in circuit.populations
    }
    for name, projection in circuit.projections.items():
        touched = projection.source in cells or projection.target in cells
        if touched or len(settled.unlinked[name]) or len(settled.links[name]):
            synapses[name] = _edit_synapses(circuit, projection, settled, grown)
            gone = np.delete(projection.ids, synapses[name].rows[: synapses[name].kept])
            lost[name] = int(np.isin(projection.flight["synapse"], gone).sum())
    return Edit(cells, parents, synapses, settled, dropped, lost)


def carried(population: Population, change: TableEdit, parents: np.ndarray) -> Population:
    """Return a population after its part of an edit."""
    return replace(population, cells=change.carry_out(population.cells), parents=parents)


def _edit_cells(circuit: Circuit, population: Population, settled: Settled) -> tuple[TableEdit, np.ndarray]:
    dead = np.isin(population.ids, settled.dead[population.name])
    kept = np.flatnonzero(~dead)
    mothers = settled.divisions[population.name]["mother"]
    rows = np.concatenate([kept, population.rows(mothers)])
    daughters = settled.daughters[population.name]
    values = {
        "id": np.concatenate([population.ids[kept], daughters]),
        "parent": np.concatenate([population.cells["parent"][kept], mothers]),
        "birth": np.concatenate([population.cells["birth"][kept], np.full(len(mothers), circuit.epoch + 1)]),
    }
    return TableEdit(rows, len(kept), values), np.concatenate([population.parents, mothers])


def _edit_synapses(circuit: Circuit, projection: Projection, settled: Settled, grown: Mapping[str, Population]) -> TableEdit:
    """Choose the synapses that stay, those copied or split by divisions, and those made anew."""
    old = projection.synapses
    gone = (
        np.isin(old["pre"], settled.dead[projection.source])
        | np.isin(old["post"], settled.dead[projection.target])
        | np.isin(old["id"], settled.unlinked[projection.name]["synapse"])
    )
    kept = np.flatnonzero(~gone)
    rows, pre, post, share = kept, old["pre"][kept], old["post"][kept], old["share"][kept]
    if projection.newborn != "wire":
        rows, pre, post, share = _divide_synapses(projection, settled, rows, pre, post, share)
    copies = len(rows)
    fresh = _fresh_synapses(circuit, projection, settled, grown)
    rows = np.concatenate([rows, np.full(len(fresh["pre"]), -1)])
    inherited = np.maximum(rows[:copies], 0)
    values = {name: np.concatenate([column[inherited], fresh[name]]) for name, column in old.items() if name in fresh}
    values["id"] = np.concatenate([old["id"][kept], projection.next_id + np.arange(len(rows) - len(kept))])
    values["parent"] = np.concatenate([old["parent"][kept], old["id"][rows[len(kept) : copies]], np.full(len(rows) - copies, -1)])
    values["pre"] = np.concatenate([pre, fresh["pre"]])
    values["post"] = np.concatenate([post, fresh["post"]])
    values["share"] = np.concatenate([share, fresh["share"]])
    values["weight"] = _break_symmetry(projection, settled, values)
    return TableEdit(rows, len(kept), values)


def _divide_synapses(projection: Projection, settled: Settled, rows, pre, post, share):
    """Copy the incoming synapses of dividing cells, then share (or copy) the outgoing ones, those copies included.

    A synapse from a dividing to a dividing cell, autapses included, so becomes four; the split is on the presynaptic side.
    """
    targets = settled.divisions[projection.target]
    incoming, place = _among(post, targets["mother"])
    rows, pre, share = (np.concatenate([column, column[incoming]]) for column in (rows, pre, share))
    post = np.concatenate([post, settled.daughters[projection.target][place]])

    sources = settled.divisions[projection.source]
    outgoing, place = _among(pre, sources["mother"])
    daughters = settled.daughters[projection.source][place]
    twin_share = share[outgoing]
    if projection.newborn == "split" and len(outgoing):
        if projection.unsplittable:
            raise ValueError(
                f"a division in {projection.source!r} cannot split projection {projection.name!r}, because "
                f"{projection.unsplittable}; use .replace(newborn='copy') or .replace(newborn='wire')"
            )
        division = sources[place]
        draw = uniform(_key("share", projection), division["key"], projection.ids[rows[outgoing]])
        mothers = division["low"] + (division["high"] - division["low"]) * draw
        share = share.copy()
        share[outgoing], twin_share = twin_share * mothers, twin_share * (1 - mothers)
    rows, post = (np.concatenate([column, column[outgoing]]) for column in (rows, post))
    return rows, np.concatenate([pre, daughters]), post, np.concatenate([share, twin_share])


def _fresh_synapses(circuit: Circuit, projection: Projection, settled: Settled, grown: Mapping[str, Population]) -> dict[str, np.ndarray]:
    """Make the columns of synapses that descend from none: those of links and those that newborn cells are wired with."""
    links = settled.links[projection.name]
    source, target = grown[projection.source], grown[projection.target]
    what = f"projection {projection.name!r}"
    columns = {"pre": links["pre"], "post": links["post"], "weight": links["weight"], "delay": links["delay"], "share": np.ones(len(links))}
    check_values(source, projection.receptor, projection.synapse, columns["weight"], columns["delay"], f"links of {what}")
    columns |= {name: np.full(len(links), value) for name, value in projection.synapse.initial_values().items()}
    if projection.synapse.remembers:
        columns["lastupdate"] = np.full(len(links), circuit.time_si)
    keys = [settled.divisions[name]["key"] for name in dict.fromkeys((projection.source, projection.target))]
    if projection.newborn != "wire" or not sum(map(len, keys)):
        return columns
    rng = generator(int(np.bitwise_xor.reduce(np.concatenate(keys))), f"division/wire/{projection.name}")
    new = [np.isin(side.ids, settled.daughters[side.name]) for side in (source, target)]
    sides = [Side(len(side), side.cells["position"]) for side in (source, target)]
    pre, post = projection.recipe.wiring.newborn_pairs(*sides, source is target, *new, rng)
    wired = new_synapses(
        source, projection.receptor, projection.synapse, projection.recipe, source.ids[pre], target.ids[post], rng, what, circuit.time_si
    )
    return {name: np.concatenate([columns[name], wired[name]]) for name in columns}


def _break_symmetry(projection: Projection, settled: Settled, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Multiply the incoming plastic weights of twins by log-normal factors, inside their bounds."""
    divisions = settled.divisions[projection.target]
    weight = values["weight"]
    if not projection.synapse.plastic or not (divisions["jitter"] > 0).any():
        return weight
    twins = np.concatenate([divisions["mother"], settled.daughters[projection.target]])
    rows, place = _among(values["post"], twins)
    division = divisions[place % len(divisions)]
    weight = weight.copy()
    weight[rows] *= np.exp(division["jitter"] * normal(_key("jitter", projection), division["key"], values["id"][rows]))
    if projection.synapse.bounds:
        low, high = (projection.synapse.parameters[key].value for key in projection.synapse.bounds)
        weight[rows] = np.clip(weight[rows], low, high)
    return weight


def _key(what: str, projection: Projection) -> int:
    """Synapses of different projections may have the same id: each projection draws from streams of its own."""
    return stream_key(0, f"division/{what}/{projection.name}")


def _fly_on(flight: Table, before: Table, after: Table, change: TableEdit) -> Table:
    """Give spikes in flight to the synapses that survive and to the copies of those they travelled on."""
    old_ids, new_ids = before["id"], after["id"]
    kept = np.isin(flight["synapse"], new_ids[: change.kept])
    copied = change.rows[change.kept :]
    heirs = np.flatnonzero(copied >= 0)
    origin = old_ids[copied[heirs]]
    order = np.argsort(origin, kind="stable")
    first = np.searchsorted(origin, flight["synapse"], side="left", sorter=order)
    count = np.searchsorted(origin, flight["synapse"], side="right", sorter=order) - first
    entry = np.repeat(np.arange(len(flight)), count)
    within = np.arange(len(entry)) - np.repeat(np.cumsum(count) - count, count)
    heir = heirs[order[first[entry] + within]]
    synapse = np.concatenate([flight["synapse"][kept], new_ids[change.kept + heir]])
    step = np.concatenate([flight["step"][kept], flight["step"][entry]])
    order = np.argsort(step, kind="stable")
    return Table({"synapse": synapse[order], "step": step[order]})


def _among(values: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows whose value is one of the keys, and which key it is."""
    order = np.argsort(keys, kind="stable")
    if not len(keys):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    place = order[np.minimum(np.searchsorted(keys, values, sorter=order), len(keys) - 1)]
    rows = np.flatnonzero(keys[place] == values)
    return rows, place[rows]


def _take(column: np.ndarray, rows: np.ndarray) -> np.ndarray:
    # With every old row gone only fresh rows are left, and those have their values elsewhere.
    return column[rows] if len(column) else np.zeros((len(rows), *column.shape[1:]), dtype=column.dtype)
