"""The one surgery: from a circuit and events to an Edit, and from an Edit to the next circuit."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from neurosim.circuit import Circuit
from neurosim.descent import descend, key_of, of_mothers
from neurosim.edit import Edit, TableEdit, fly_on
from neurosim.events import Events
from neurosim.heirs import NONE
from neurosim.newborn import edit_cells, enter, fresh_synapses, frozen, parents_after
from neurosim.population import Population
from neurosim.projection import Projection
from neurosim.randomness import normal
from neurosim.settle import Settled, bereft, settle
from neurosim.table import Table, among, over_ids


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


def plan(circuit: Circuit, events: Events, noted: Mapping[str, Iterable[str]] = MappingProxyType({})) -> Edit:
    """Work out everything that the events change in a circuit.

    Rules propose against the same circuit, so their events are merged in a fixed order (deaths, hand-overs, fadings, divisions of
    survivors, births, unlinks, links); one that conflicts with an earlier one is dropped and counted by cause. `noted` names columns,
    by part, that this circuit has otherwise than the one on which the edit will be carried out. Raises as `apply` does.
    """
    events.check(circuit)
    settled, dropped = settle(circuit, events)
    cells, synapses, lost = {}, {}, {}
    for name, population in circuit.populations.items():
        if len(settled.dead[name]) or len(settled.newborn(name)):
            cells[name] = edit_cells(circuit, population, settled)
    for name, projection in circuit.projections.items():
        touched = projection.source in cells or projection.target in cells or len(settled.faded[projection.source])
        if touched or len(settled.unlinked[name]) or len(settled.links[name]) or name in noted:
            synapses[name] = _edit_synapses(circuit, projection, settled, cells, noted.get(name, ()))
            lost[name] = _lost(projection, synapses[name])
    enter(circuit, settled, cells, synapses, noted)
    parents = {name: parents_after(circuit.populations[name], settled) for name in cells}
    return Edit(cells, parents, synapses, settled, dropped, lost)


def _edit_synapses(circuit: Circuit, projection: Projection, settled: Settled, cells: Mapping[str, TableEdit], noted) -> TableEdit:
    """Choose the synapses that go, those that descend from others, and those made afresh."""
    old = projection.synapses
    removed = _removed(circuit, projection, settled)
    descent = descend(circuit, projection, settled, removed)
    removed = np.union1d(removed, descent.replaced) if len(descent.replaced) else removed
    fresh = fresh_synapses(circuit, projection, settled, cells)
    made = len(fresh["pre"])
    values = {name: np.concatenate([getattr(descent, name), fresh.pop(name)]) for name in ("pre", "post", "share")}
    values["id"] = projection.next_id + np.arange(len(descent.origin) + made)
    values["parent"] = np.concatenate([old["id"][descent.origin], np.full(made, -1)])
    changed = {"share": descent.shares} if len(descent.shares[0]) else {}
    if len(descent.weights[0]):
        merged = old["weight"].copy()
        merged[descent.weights[0]] = descent.weights[1]
        old = old.replace(weight=merged)
        projection = replace(projection, synapses=old)
        stays = ~among(descent.weights[0], removed)
        changed["weight"] = tuple(one[stays] for one in descent.weights)
        values["weight"] = np.concatenate([merged[descent.origin], fresh.pop("weight")])
    if "frozen" in old:
        values["frozen"] = frozen(circuit, projection, cells, values["pre"], values["post"])
    change = TableEdit(removed, np.concatenate([descent.origin, np.full(made, -1)]), values, fresh, changed, len(old))
    if projection.synapse.plastic and (settled.divisions[projection.target]["jitter"] > 0).any():
        weight = values.pop("weight") if "weight" in values else np.concatenate([old["weight"][descent.origin], fresh.pop("weight")])
        (rows, jittered), values["weight"] = _break_symmetry(circuit, projection, settled, removed, values, weight)
        more = changed.get("weight", (NONE, np.empty(0)))
        rows, place = np.unique(np.concatenate([rows, more[0]]), return_index=True)
        changed["weight"] = (rows, np.concatenate([jittered, more[1]])[place])
    for column in noted:
        changed[column] = (change.survivors, old[column][change.survivors])
        values[column] = np.concatenate([old[column][descent.origin], fresh.pop(column)])
    return change


def _removed(circuit: Circuit, projection: Projection, settled: Settled) -> np.ndarray:
    """Return the rows of the synapses that go, ascending: the unlinked and those of the dead."""
    unlinked = np.sort(projection.rows(np.sort(settled.unlinked[projection.name]["synapse"])))  # sorted ids are found faster
    if not len(settled.dead[projection.source]) and not len(settled.dead[projection.target]):
        return unlinked
    gone = bereft(circuit, projection, settled.dead)
    gone[unlinked] = True
    return np.flatnonzero(gone)


def _lost(projection: Projection, change: TableEdit) -> int:
    """Count the spikes in flight on synapses that go and that no other descends from."""
    if not len(change.removed):
        return 0
    gone = change.removed[~among(change.removed, np.sort(change.copied))]
    lost = over_ids(projection.next_id, projection.ids[gone], True, False)
    return int(lost[projection.flight["synapse"]].sum())


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
        weight = weight * np.exp(jitter * normal(key_of("jitter", projection), key, ids))
        if projection.synapse.bounds:
            weight = np.clip(weight, *(projection.synapse.parameters[key].value for key in projection.synapse.bounds))
        return weight

    rows, place = of_mothers(circuit, settled, name, old, "post", removed)
    if "frozen" in old:
        free = old["frozen"][rows] == 0
        rows, place = rows[free], place[free]
    twins = np.concatenate([divisions["mother"], daughters])
    new_place = over_ids(len(circuit.populations[name].parents) + len(daughters), twins, np.arange(len(twins)), -1)[values["post"]]
    new_rows = np.flatnonzero((new_place >= 0) & (values.get("frozen", 0) == 0))
    weight[new_rows] = jittered(weight[new_rows], new_place[new_rows] % len(divisions), values["id"][new_rows])
    return (rows, jittered(old["weight"][rows], place, old["id"][rows])), weight
