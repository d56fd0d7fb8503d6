"""Edits: how the rows of tables change at a boundary, and what becomes of the spikes in flight on them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from neurosim.settle import Settled
from neurosim.table import Table, among


@dataclass(frozen=True, eq=False)
class TableEdit:
    """Say how one table changes: the survivors keep their order, and new rows stand after them.

    `removed` are the old rows that go, ascending, of the `size` that there are. `origin` has for each new row the old row
    that it descends from, -1 for one made afresh; those come last. A column of the new rows is given for all of them
    (`values`), or for those made afresh (`fresh`) while the others take what their origin has. `changed` maps columns to
    old rows of survivors and their new values.
    """

    removed: np.ndarray
    origin: np.ndarray
    values: Mapping[str, np.ndarray]
    fresh: Mapping[str, np.ndarray]
    changed: Mapping[str, tuple[np.ndarray, np.ndarray]]
    size: int

    @property
    def kept(self) -> int:
        """The number of survivors."""
        return self.size - len(self.removed)

    @property
    def structural(self) -> bool:
        """Whether rows come or go; else only values change."""
        return bool(len(self.removed) or len(self.origin))

    @property
    def after(self) -> int:
        """The number of rows after the edit."""
        return self.kept + len(self.origin)

    @cached_property
    def copied(self) -> np.ndarray:
        """The old row of each new row that descends from one; these stand first among the new rows."""
        return self.origin[self.origin >= 0]

    @cached_property
    def survivors(self) -> np.ndarray:
        """The old rows that stay, in their order."""
        return np.delete(np.arange(self.size), self.removed)

    def moved(self, rows: np.ndarray) -> np.ndarray:
        """Return where old rows that stay stand after the edit."""
        return rows - np.searchsorted(self.removed, rows)

    def column(self, table: Table, name: str) -> np.ndarray:
        """Return one column of a table after the edit."""
        old, kept, copies = table[name], self.kept, len(self.copied)
        new = np.empty((self.after, *old.shape[1:]), old.dtype)
        if kept == self.size:
            new[:kept] = old
        elif kept:
            old.take(self.survivors, axis=0, out=new[:kept], mode="clip")  # the other modes go through a buffer
        if name in self.changed:
            rows, values = self.changed[name]
            new[self.moved(rows)] = values
        if name in self.values:
            new[kept:] = self.values[name]
        else:
            new[kept : kept + copies] = old[self.copied]
            if copies < len(self.origin):
                new[kept + copies :] = self.fresh[name]
        new.flags.writeable = False
        return new

    def carry_out(self, table: Table) -> Table:
        """Return the table after the edit."""
        # New ids are higher than all that there ever were.
        return Table({name: self.column(table, name) for name in table}, ascending=table.ascending)


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


def fly_on(rows: np.ndarray, steps: np.ndarray, change: TableEdit) -> tuple[np.ndarray, np.ndarray]:
    """Give spikes in flight to the synapses that survive and to the copies of those they travelled on.

    `rows` are synapses before the edit and after it, `steps` the time steps of arrival, both in order of delivery. Within a
    step survivors come first, in their order, then copies by the spike they inherit and by their own rows.
    """
    stay = ~among(rows, change.removed)
    order = np.argsort(change.copied, kind="stable")
    origin = change.copied[order]
    first = np.searchsorted(origin, rows, side="left")
    count = np.searchsorted(origin, rows, side="right") - first
    spike = np.repeat(np.arange(len(rows)), count)
    within = np.arange(len(spike)) - np.repeat(np.cumsum(count) - count, count)
    heirs = change.kept + order[first[spike] + within]
    rows, steps = np.concatenate([change.moved(rows[stay]), heirs]), np.concatenate([steps[stay], steps[spike]])
    order = np.argsort(steps, kind="stable")
    return rows[order], steps[order]
