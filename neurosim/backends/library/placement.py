"""Where the rows of a table stand after an edit: closed up in order, or with new rows in the slots of removed ones."""

import numpy as np

from neurosim.edit import TableEdit


class Compaction:
    """Keep survivors in order and put new rows behind them: what the boundary contract promises bit for bit."""

    def __init__(self, change: TableEdit):
        self.change = change
        self.made = change.kept + np.arange(len(change.origin))  # where the new rows stand

    def carry_out(self, handle, name: str) -> None:
        """Move the rows of a table in the engine."""
        removed, origin = (np.ascontiguousarray(rows, np.int64) for rows in (self.change.removed, self.change.origin))
        handle.call("ns_edit", handle.table(name), removed, len(removed), origin, len(origin))

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Return the new rows of survivors, given their old ones."""
        return self.change.moved(rows)

    def from_compact(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows here of rows of the closed-up table."""
        return rows


class Reuse:
    """Put new rows into the slots of removed ones and fill what is left by the last rows: only changes move, the order is lost."""

    def __init__(self, change: TableEdit):
        self.change = change
        beyond = np.arange(change.after, change.size)
        self._movers = np.setdiff1d(beyond, change.removed, assume_unique=True)
        free = np.concatenate([change.removed[change.removed < change.after], np.arange(change.size, change.after)])
        self._slots, self.made = free[: len(self._movers)], free[len(self._movers) :]

    def carry_out(self, handle, name: str) -> None:
        """Move the rows of a table in the engine."""
        target = np.concatenate([self._slots, self.made]).astype(np.int64)
        source = np.concatenate([self._movers, self.change.origin]).astype(np.int64)
        handle.call("ns_refill", handle.table(name), target, source, len(target), self.change.after)

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Return the new rows of survivors, given their old ones."""
        moved = rows >= self.change.after
        new = np.array(rows)
        new[moved] = self._slots[np.searchsorted(self._movers, rows[moved])]
        return new

    def from_compact(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows here of rows of the closed-up table."""
        return np.concatenate([self.of(self.change.survivors), self.made])[rows]
