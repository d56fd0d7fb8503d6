"""A circuit's tables in an engine: filled, read as leases, and changed by Edits together with all that depends on them."""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from neurosim.backends.declare import columns_on_demand, synaptic
from neurosim.backends.drives import noise_column
from neurosim.backends.library.handle import Handle, Library
from neurosim.backends.library.lease import Lease, LeasedTable
from neurosim.backends.library.placement import Compaction, Reuse
from neurosim.backends.library.source import DELAY, POST, PRE
from neurosim.circuit import Circuit
from neurosim.edit import Edit, TableEdit, fly_on
from neurosim.population import Population
from neurosim.projection import Projection
from neurosim.stimuli import Bound
from neurosim.table import Table

ENDS = {"pre": PRE, "post": POST}
EMPTY = Table({})


class Memory:
    """Hold the state of one circuit in an engine.

    `columns` maps the columns of each part of the circuit to those of the engine; `held` is the circuit whose state this is.
    """

    def __init__(self, library: Library, circuit: Circuit, inputs: list[Bound]):
        self.handle = handle = Handle(library)
        layout = library.layout
        self.columns: dict[str, dict[str, str]] = {}
        self.held: Circuit | None = None
        self.moving: dict[str, tuple[str, ...]] = {}  # columns that a run changes
        self._leases: list[tuple[str, weakref.ref]] = []
        for name, population in circuit.populations.items():
            own = (*population.model.variables, "lastspike", "not_refractory")
            known = {column: column for column in own if column in handle.columns[name]}
            for number, bound in enumerate(bound for bound in inputs if bound.population == name):
                if bound.kind == "noise":
                    known[noise_column(bound)] = f"noise_{number}"
            self.moving[name] = (*known, "spikes")
            self._complete(name, population.cells, known)
        for name, projection in circuit.projections.items():
            changing = ("weight", *projection.synapse.variables)
            own = {column: synaptic(column) for column in (*changing, "share", *columns_on_demand(projection))} | {
                "lastupdate": "lastupdate"
            }
            known = {key: column for key, column in own.items() if column in handle.columns[name]}
            self.moving[name] = tuple(column for column in known if column in (*changing, "lastupdate"))
            self._complete(name, projection.synapses, known)
        self.pre = {name: number for number, (name, end) in enumerate(layout.pathways) if end == "pre"}
        for name, end in layout.pathways:
            projection = circuit.projections[name]
            spiking = projection.source if end == "pre" else projection.target
            table, cell = handle.place(name, ENDS[end])
            delay = handle.place(name, DELAY)[1] if end == "pre" else -1
            handle.call("ns_add_pathway", handle.populations.index(spiking), table, cell, delay)
        for name in layout.feeds:
            handle.call("ns_add_feed", handle.populations.index(name))
        self.seen = [name for name, population in circuit.populations.items() if not population.model.source]
        for name in self.seen:
            handle.call("ns_add_raster", handle.populations.index(name))

    def _complete(self, name: str, table: Table, known: dict[str, str]) -> None:
        """Add what no generated code reads, but belongs to the rows: ids, parents, positions."""
        for column in table:
            if column not in known:
                values = table[column]
                known[column] = f"own {column}"
                self.handle.add(name, known[column], values.dtype, values.shape[1:])
        self.columns[name] = known

    def view(self, part: str, column: str) -> np.ndarray:
        """Return the memory of a column of the circuit."""
        return self.handle.view(part, self.columns[part][column])

    def count(self, spikes: Mapping[str, np.ndarray]) -> None:
        """Add what each cell emitted in a run to what it had emitted before."""
        for name, counts in spikes.items():
            self.view(name, "spikes")[:] += counts

    def targets(self, projection: str) -> np.ndarray:
        """The rows of the target cells of a projection's synapses."""
        return self.handle.view(projection, POST)

    def fill(self, circuit: Circuit) -> None:
        """Put a whole circuit into the engine: state, synapses, spikes in flight and clock."""
        handle = self.handle
        self.held = None
        self.release()
        for number, (name, population) in enumerate(circuit.populations.items()):
            self._fill(name, population.cells)
            handle.call("ns_population", number, len(population))
        handle.call("ns_clock", circuit.step, circuit.dt_si)
        for name, projection in circuit.projections.items():
            self._fill(name, projection.synapses)
            self._join(circuit, name, slice(None))
        for number, (name, _) in enumerate(handle.layout.pathways):
            handle.call("ns_index", number)
        for name, projection in circuit.projections.items():
            flight = projection.flight
            if len(flight):
                self._launch(name, projection.rows(flight["synapse"]), flight["step"] - circuit.step)
        self.held = circuit

    def _fill(self, name: str, table: Table) -> None:
        self.handle.size(name, len(table))
        self._complete(name, table, self.columns[name])  # an input of another simulation may have left a column
        for column in table:
            self.view(name, column)[:] = table[column]

    def _join(self, circuit: Circuit, name: str, rows) -> None:
        """Work out the rows of cells and the delays in time steps of some synapses."""
        projection = circuit.projections[name]
        for column, end, side in ((PRE, "pre", projection.source), (POST, "post", projection.target)):
            self.handle.view(name, column)[rows] = circuit.populations[side].rows(self.view(name, end)[rows])
        self.handle.view(name, DELAY)[rows] = np.round(self.view(name, "delay")[rows] / circuit.dt_si)

    def flight(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the spikes under way in a projection: rows of synapses, and time steps ahead."""
        number = self.pre[name]
        count = self.handle.call("ns_flight", number, None, None)
        rows, ahead = np.empty(count, np.int64), np.empty(count, np.int64)
        if count:
            self.handle.call("ns_flight", number, rows, ahead)
        return rows, ahead

    def _launch(self, name: str, rows: np.ndarray, ahead: np.ndarray) -> None:
        rows, ahead = np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(ahead, np.int64)
        self.handle.call("ns_launch", self.pre[name], rows, ahead, len(rows))

    def release(self, parts=None, columns: Mapping[str, Sequence[str]] | None = None) -> None:
        """Let circuits that somebody still holds copy what is about to change: of these parts (None: all), these columns (None: all)."""
        alive = []
        for part, reference in self._leases:
            lease = reference()
            if lease is not None:
                if parts is None or part.partition(".")[0] in parts:
                    lease.settle(None if columns is None else columns.get(part, ()))
                alive.append((part, reference))
        self._leases = alive

    def lease(self, circuit: Circuit, step: int) -> Circuit:
        """Return what a circuit has become in the engine by a time step; its columns are copied when they are first read."""
        parts = {}
        for name, population in circuit.populations.items():
            parts[name] = replace(population, cells=self._moved(name, population.cells))
        for name, projection in circuit.projections.items():
            synapses = self._moved(name, projection.synapses)
            parts[name] = replace(projection, synapses=synapses, flight=self._flight(name, synapses, step))
        self.held = circuit.updated(parts, step=step)
        return self.held

    def _moved(self, name: str, table: Table) -> Table:
        """Lease a table after a run; what a run does not change needs no second copy."""
        moving = self.moving[name]
        names = [*table, *(column for column in moving if column not in table)]
        same = {column: values for column, values in table.loaded().items() if column not in moving}
        return self._leased(name, names, same, ascending=table.ascending, grid=table.grid)

    def _leased(self, name: str, columns: list[str], same: Mapping[str, np.ndarray] = MappingProxyType({}), **known) -> Table:
        def finite(column: str) -> bool:
            return self.handle.finite(name, self.columns[name][column])

        lease = Lease(columns, self.handle.sizes[name], lambda column: self.view(name, column).copy(), finite, same)
        self._leases.append((name, weakref.ref(lease)))
        return LeasedTable(lease, **known)

    def _flight(self, name: str, synapses: Table, step: int) -> Table:
        def load(column: str) -> np.ndarray:
            rows, ahead = self.flight(name)
            return synapses["id"][rows] if column == "synapse" else step + ahead

        lease = Lease(("synapse", "step"), None, load)
        self._leases.append((f"{name}.flight", weakref.ref(lease)))
        self.moving[f"{name}.flight"] = ("synapse", "step")
        return LeasedTable(lease)

    def edit(self, edit: Edit, reuse: bool) -> Circuit:
        """Carry out an edit on the circuit that stands here, and return the next one."""
        moving = {name for name, change in edit.cells.items() if change.structural}
        structural = {
            name for name, change in edit.synapses.items()
            if change.structural or moving & {self.held[name].source, self.held[name].target}
        }  # fmt: skip
        flights = {name: self.flight(name) for name in structural}
        parts = {name: replace(self.held[name], cells=EMPTY, parents=edit.parents[name]) for name in edit.cells}
        for name, change in edit.synapses.items():
            old = self.held[name]
            flight = EMPTY if name in structural else old.flight
            parts[name] = replace(old, synapses=EMPTY, flight=flight, next_id=old.next_id + len(change.origin))
        columns = {name: list(_table(self.held[name])) for name in parts}
        ascending = {name: None if reuse else _table(self.held[name]).ascending for name in parts}
        circuit = self.held = self.held.updated(parts)
        self.release(parts)
        place = Reuse if reuse else Compaction
        places = {name: place(change) for name, change in (*edit.cells.items(), *edit.synapses.items())}
        for name, change in edit.cells.items():
            self._change(name, change, places[name])
            self.handle.call("ns_population", self.handle.populations.index(name), change.after)
            parts[name] = replace(parts[name], cells=self._leased(name, columns[name], ascending=ascending[name]))
        circuit = circuit.updated(parts)
        for name, change in edit.synapses.items():
            self._change(name, change, places[name])
            projection = circuit.projections[name]
            if name not in structural:
                synapses = self._leased(name, columns[name], ascending=ascending[name], grid=circuit.dt_si)
                parts[name] = replace(projection, synapses=synapses)
                continue
            for column, side in ((PRE, projection.source), (POST, projection.target)):
                if side in edit.cells and len(edit.cells[side].removed):
                    self._renumber(name, column, edit.cells[side], places[side])
            self._join(circuit, name, places[name].made)
            for number, (owner, _) in enumerate(self.handle.layout.pathways):
                if owner == name:
                    self.handle.call("ns_index", number)
            rows, ahead = fly_on(*flights[name], change)
            self._launch(name, places[name].from_compact(rows), ahead)
            synapses = self._leased(name, columns[name], ascending=ascending[name], grid=circuit.dt_si)
            parts[name] = replace(projection, synapses=synapses, flight=self._flight(name, synapses, circuit.step))
        self.held = circuit.updated(parts)
        return self.held

    def _change(self, name: str, change: TableEdit, place: Compaction | Reuse) -> None:
        if change.structural:
            place.carry_out(self.handle, name)
        self.handle.sizes[name] = change.after
        afresh = place.made[change.origin < 0]
        for column, values in change.values.items():
            self.view(name, column)[place.made] = values
        for column, values in change.fresh.items():
            self.view(name, column)[afresh] = values
        for column, (rows, values) in change.changed.items():
            self.view(name, column)[place.of(rows)] = values

    def _renumber(self, name: str, column: str, cells: TableEdit, place: Compaction | Reuse) -> None:
        row = np.zeros(cells.size, np.int32)
        row[cells.survivors] = place.of(cells.survivors)
        self.handle.call("ns_renumber", *self.handle.place(name, column), row)


def _table(part: Population | Projection) -> Table:
    return part.cells if isinstance(part, Population) else part.synapses
