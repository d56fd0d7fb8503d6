"""Newborn cells and synapses: how they begin, and what the ledgers of cells say after a boundary."""

from collections.abc import Iterable, Mapping

import numpy as np

from neurosim.circuit import Circuit
from neurosim.distributions import Distribution
from neurosim.edit import TableEdit
from neurosim.heirs import levels
from neurosim.ledger import FADING, Ledger
from neurosim.models.checks import check_divisor
from neurosim.population import MOTHERLESS, NEVER, Population, ready
from neurosim.projection import Projection, check_delays, check_values, first_columns, new_synapses
from neurosim.randomness import generator, normal, stream_key, uniform
from neurosim.settle import Settled
from neurosim.table import Table, distinct, over_ids
from neurosim.units import Quantity, quantity
from neurosim.wiring import Side

NONE = np.empty(0, np.int64)


def edit_cells(circuit: Circuit, population: Population, settled: Settled) -> TableEdit:
    """Work out how the table of cells changes by deaths, divisions and births, ledgers apart."""
    name = population.name
    divisions, births = settled.divisions[name], settled.births[name]
    mothers, count = divisions["mother"], len(births)
    values = {"id": settled.newborn(name), "parent": np.concatenate([mothers, np.full(count, -1)])}
    values["birth"] = np.full(len(mothers) + count, circuit.epoch + 1)
    if count or population.scatter:
        values["position"] = np.concatenate([_beside(population, divisions), np.stack([births[axis] for axis in "xyz"], axis=1)])
    removed = np.sort(population.rows(settled.dead[name]))
    origin = np.concatenate([population.rows(mothers), np.full(count, -1)])
    return TableEdit(removed, origin, values, first_cells(population, births["key"]) if count else {}, {}, len(population))


def parents_after(population: Population, settled: Settled) -> np.ndarray:
    """Return the parents of all cells that there ever were, those of this boundary included."""
    name = population.name
    return np.concatenate([population.parents, settled.divisions[name]["mother"], np.full(len(settled.births[name]), MOTHERLESS)])


def first_cells(population: Population, keys: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns of cells in the first state of their model: silent so far, in no noise yet, with the first value of every ledger.

    `keys` are those of their births, from which the parameters follow that each draws for itself.
    """
    model, count = population.model, len(keys)
    initial = model.initial_values(_own(population, keys))
    columns = {name: np.array(np.broadcast_to(np.asarray(value, dtype=float), count)) for name, value in initial.items()}
    if not model.source:
        columns |= {"lastspike": np.full(count, NEVER), "not_refractory": ready(model, columns, count)}
    columns |= {name: np.full(count, ledger.first_si) for name, ledger in population.ledgers.items()}
    columns |= {"spikes": np.zeros(count, np.int64), "memory": np.zeros(count, bool)}
    known = {"id", "parent", "birth", "position"}
    return columns | {name: np.zeros(count, population.cells[name].dtype) for name in population.cells if name not in known | set(columns)}


def _own(population: Population, keys: np.ndarray) -> dict[str, Quantity]:
    """Return the parameters of their own of newborn cells; raise ValueError where one that is drawn cannot be.

    What a ledger says, such as that of an immature value, goes before.
    """
    own = {}
    for name, given in population.spread.items():
        what, dimensions = f"{name} of a newborn cell in population {population.name!r}", population.model.variables[name]
        if name in population.ledgers:
            values = population.ledgers[name].first_si
        elif isinstance(given, Distribution):
            values = np.asarray(given.quantile(uniform(stream_key(0, f"birth/{population.name}/{name}"), keys, 0)))
        else:
            values = float(np.asarray(given))
        check_divisor(population.model, name, dimensions, values, what)
        own[name] = quantity(np.full(len(keys), values), dimensions)
    return own


def _beside(population: Population, divisions: np.ndarray) -> np.ndarray:
    """Return where daughters stand: beside their mothers, in the plane of a population that lies in one."""
    position = population.cells["position"][population.rows(divisions["mother"])]
    if population.scatter:
        axes = np.arange(2 if (population.cells["position"][:, 2] == 0).all() else 3)
        key = stream_key(0, f"division/position/{population.name}")
        position[:, axes] += population.scatter * normal(key, divisions["key"][:, None], axes)
    return position


def fresh_synapses(circuit: Circuit, projection: Projection, settled: Settled, cells: Mapping[str, TableEdit]) -> dict[str, np.ndarray]:
    """Make the columns of synapses that descend from none: those of links and those that newborn cells are wired with."""
    links, source = settled.links[projection.name], circuit.populations[projection.source]
    what = f"projection {projection.name!r}"
    pre, post, weight, delay = (np.ascontiguousarray(links[name]) for name in ("pre", "post", "weight", "delay"))
    check_values(source, projection.receptor, projection.synapse, weight, delay, f"links of {what}")
    _check_grid(circuit, delay, f"links of {what}")
    columns = _made_now(circuit, projection, settled, cells, pre, post, weight, delay)
    ends = list(dict.fromkeys((projection.source, projection.target)))
    keys = [table[name]["key"] for table in (settled.divisions, settled.births) for name in ends]
    if projection.newborn != "wire" or not sum(map(len, keys)):
        return columns
    rng = generator(int(np.bitwise_xor.reduce(np.concatenate(keys))), f"division/wire/{projection.name}")
    ids, sides, new = zip(*(_side(circuit, name, cells) for name in (projection.source, projection.target)), strict=True)
    pre, post = projection.recipe.wiring.newborn_pairs(*sides, projection.source == projection.target, *new, rng)
    recipe = projection.recipe.between(sides[0].position[pre], sides[1].position[post], what)
    pre, post = ids[0][pre], ids[1][post]
    wired = new_synapses(source, projection.receptor, projection.synapse, recipe, pre, post, rng, what)
    strength = [_strength(circuit, name, settled)[end] for name, end in ((projection.source, pre), (projection.target, post))]
    wired["weight"] = wired["weight"] * strength[0] * strength[1]
    _check_grid(circuit, wired["delay"], f"synapses of newborn cells of {what}")
    check_values(source, projection.receptor, projection.synapse, wired["weight"], wired["delay"], f"synapses of newborn cells of {what}")
    wired = _made_now(circuit, projection, settled, cells, *(wired[name] for name in ("pre", "post", "weight", "delay")))
    return {name: np.concatenate([columns[name], wired[name]]) for name in columns}


def _strength(circuit: Circuit, name: str, settled: Settled) -> np.ndarray:
    """Return by which factor the first weights of the synapses of each cell (by id) are multiplied: 1 but for cells born so."""
    size = len(circuit.populations[name].parents) + len(settled.newborn(name))
    return over_ids(size, settled.born[name], settled.births[name]["strength"], 1.0)


def _made_now(circuit, projection, settled, cells, pre, post, weight, delay) -> dict[str, np.ndarray]:
    """Return the columns of synapses made at this boundary between cells that there are after it."""
    counted = _of_cells(circuit, projection.source, cells, "spikes", pre)
    columns = first_columns(projection.synapse, pre, post, weight, delay, circuit.time_si, counted)
    if FADING.name in circuit.populations[projection.source].ledgers:
        columns["share"] = columns["share"] * levels(circuit, settled, projection.source)[pre]
    return columns | {name: np.full(len(pre), ledger.first_si) for name, ledger in projection.ledgers.items()}


def frozen(circuit: Circuit, projection: Projection, cells: Mapping[str, TableEdit], pre: np.ndarray, post: np.ndarray) -> np.ndarray:
    """Return 1 for synapses made at this boundary that a cell marked as memory has at either end, else 0."""
    ends = ((projection.source, pre), (projection.target, post))
    return np.logical_or(*(_of_cells(circuit, name, cells, "memory", ids) for name, ids in ends)).astype(float)


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
    """Return the ids of a population after its edit, ascending, the side of a wiring that it makes, and which cells are newborn."""
    table, change = circuit.populations[name].cells, cells.get(name)
    ids, position = (table[column] if change is None else change.column(table, column) for column in ("id", "position"))
    new = np.arange(len(ids)) >= (len(ids) if change is None else change.kept)
    order = np.arange(len(ids)) if table.ascending else np.argsort(ids)  # the same pairs are drawn wherever cells stand
    return ids[order], Side(len(ids), position[order]), new[order]


def enter(circuit: Circuit, settled: Settled, cells: dict, synapses: Mapping[str, TableEdit], noted: Mapping[str, Iterable[str]]) -> None:
    """Complete the edits of cells by what their ledgers, and columns that were noted, say after the boundary."""
    for name, population in circuit.populations.items():
        own = set(noted.get(name, ()))
        bound = {key: _gain(circuit, name, ledger, settled, synapses) for key, ledger in population.ledgers.items() if ledger.bound}
        bound = {key: (gain, _degree(circuit, name, population.ledgers[key], synapses)) for key, gain in bound.items() if gain.any()}
        split = {key for key, ledger in population.ledgers.items() if ledger.division != "copy" and len(settled.divisions[name])}
        touched = own | set(bound) | split | ({FADING.name} if len(settled.faded[name]) else set())
        if touched and name not in cells:
            cells[name] = TableEdit(NONE, NONE, {}, {}, {}, len(population))
        for column in sorted(touched):
            _enter(circuit, population, column, settled, cells[name], bound.get(column), column in own)


def _enter(circuit, population: Population, column: str, settled: Settled, change: TableEdit, bound: tuple | None, noted: bool) -> None:
    """Put one column of cells into their edit: noted values, what divisions make of them, and what synapses gained bind.

    `bound` are the synapses that each cell (by id) gained and those that it kept, at the ends to which a ledger is bound.
    """
    name, old = population.name, population.cells[column]
    if column == "position":  # newborn cells were placed beside their mothers as these stand now
        change.changed[column] = (change.survivors, old[change.survivors])
        if change.structural and column not in change.values:
            change.values[column] = old[change.origin]
        return
    after, mothers = old.copy(), population.rows(settled.divisions[name]["mother"])
    ledger = population.ledgers.get(column)
    daughters = old[mothers]
    if ledger is not None:
        after[mothers], daughters = ledger.divided(old[mothers])
    if column == FADING.name:
        faded = settled.faded[name]
        after[population.rows(faded["cell"])] = faded["level"]
        daughters = after[mothers]
    first = np.full(len(settled.births[name]), 0.0 if ledger is None else ledger.first_si)
    if ledger is None and len(first):
        first = change.fresh.pop(column)
    newborn = np.concatenate([daughters, first])
    if bound is not None:
        gain, stayed = bound
        after += gain[population.ids]
        before = stayed[settled.divisions[name]["mother"]]
        newborn = newborn + gain[settled.newborn(name)] - np.concatenate([before, np.zeros(len(first))])
    rows = change.survivors if noted else change.survivors[after[change.survivors] != old[change.survivors]]
    change.changed[column] = (rows, after[rows])
    change.values[column] = newborn
    change.fresh.pop(column, None)


def _gain(circuit: Circuit, name: str, ledger: Ledger, settled: Settled, synapses: Mapping[str, TableEdit]) -> np.ndarray:
    """Count the synapses that descent and wiring gave each cell (by id) at the ends that a ledger is bound to, less those that they replace."""
    size = len(circuit.populations[name].parents) + len(settled.newborn(name))
    gain = np.zeros(size, np.int64)
    for projection, end in ledger.bound:
        change = synapses.get(projection)
        if change is None:
            continue
        linked = len(change.copied) + np.arange(len(settled.links[projection]))
        gain += np.bincount(np.delete(change.values[end], linked), minlength=size)
        replaced = np.intersect1d(change.removed, distinct(change.copied))
        gain -= np.bincount(circuit.projections[projection].synapses[end][replaced], minlength=size)
    return gain


def _degree(circuit: Circuit, name: str, ledger: Ledger, synapses: Mapping[str, TableEdit]) -> np.ndarray:
    """Count the synapses of each cell (by id) at the ends that a ledger is bound to, but for those that go and that none descends from."""
    size = len(circuit.populations[name].parents)
    degree = np.zeros(size, np.int64)
    for projection, end in ledger.bound:
        cells, change = circuit.projections[projection].synapses[end], synapses.get(projection)
        degree += np.bincount(cells, minlength=size)
        if change is not None:
            gone = np.setdiff1d(change.removed, change.copied)
            degree -= np.bincount(cells[gone], minlength=size)
    return degree
