"""Read-only columns of equal length: the storage of cells, synapses and spikes in flight."""

from collections.abc import Iterator, Mapping

import numpy as np

from neurosim.errors import near

SPARSE = 32  # numbers for each id to find, up to which an array over all numbers from the lowest id to the highest is made


class Table:
    """Hold named columns of equal length that nobody can change in place.

    Columns are NumPy arrays whose first axis runs over the rows; an ``id`` column, where there is one, holds each row's
    permanent identity. `ascending` tells what is known of these: whether they rise along the rows (None: to be found out
    when first needed); `grid` is the time step (s) of which the delays, if there are any, are known to be multiples. Raises ValueError for columns of different length.
    """

    __slots__ = ("_ascending", "_columns", "_order", "grid")

    def __init__(self, columns: Mapping[str, np.ndarray], *, ascending: bool | None = None):
        self._columns = {}
        self._order, self._ascending = None, ascending
        self.grid: float | None = None
        for name, values in columns.items():
            values = np.asarray(values)
            if values.flags.writeable or values.base is not None:
                values = values.copy()
                values.flags.writeable = False
            self._columns[name] = values
        lengths = {name: len(values) for name, values in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of one table have different lengths: {lengths}; give each one value per row")

    def __reduce__(self):
        return Table, (dict(self._columns),)  # whatever the columns are kept in here

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._columns:
            raise KeyError(f"there is no column {name!r}.{near(name, self._columns)}")
        return self._columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values()), ()))

    def __eq__(self, other) -> bool:
        """Tell whether both tables hold the same bits in the same columns."""
        return (
            isinstance(other, Table)
            and set(self) == set(other)
            and all(self[name].dtype == other[name].dtype and self[name].tobytes() == other[name].tobytes() for name in self)
        )

    __hash__ = None

    @property
    def ascending(self) -> bool:
        """Whether the ids rise along the rows, as they do except after a deliberate permutation."""
        if self._ascending is None:
            ids = self["id"]
            self._ascending = bool((ids[1:] > ids[:-1]).all())
        return self._ascending

    def items(self):
        return self._columns.items()

    def loaded(self) -> dict[str, np.ndarray]:
        """Return the columns that are at hand: all of them, but in a table that is copied while it is read."""
        return dict(self._columns)

    def finite(self, name: str) -> bool:
        """Tell whether a column holds finite numbers only."""
        return self[name].dtype.kind != "f" or bool(np.isfinite(self[name]).all())

    def replace(self, **columns: np.ndarray) -> "Table":
        """Return a table in which the given columns take the place of those of the same name."""
        return Table({**self._columns, **columns}, ascending=None if "id" in columns else self._ascending)

    def without(self, *names: str) -> "Table":
        """Return a table that lacks the given columns."""
        kept = {name: self[name] for name in self if name not in names}
        return Table(kept, ascending=self._ascending)

    def find(self, ids, what: str) -> np.ndarray:
        """Return the row of each permanent id; raise KeyError naming `what` and the first id that is not there."""
        ids = np.atleast_1d(np.asarray(ids))
        if ids.size and ids.dtype.kind not in "iu":
            raise TypeError(f"{what} is asked for ids of the type {ids.dtype}; ids are whole numbers, such as those of .ids[mask]")
        ids = ids.astype(np.int64)
        rows = self.rows_or_missing(ids)
        missing = rows < 0
        if missing.any():
            raise KeyError(f"{what} has no id {ids[missing][0]}; it may have died or never existed")
        return rows

    def rows_or_missing(self, ids: np.ndarray) -> np.ndarray:
        """Return the row of each permanent id, -1 where no row has it."""
        own, ids = self["id"], np.asarray(ids)
        if not len(own) or not len(ids):
            return np.full(len(ids), -1, dtype=np.int64)
        if len(own) < SPARSE * len(ids):
            lowest, highest = (own[0], own[-1]) if self.ascending else (own.min(), own.max())
            if highest - lowest < SPARSE * len(ids):
                return _looked_up(own, lowest, highest, ids)
        if self.ascending:
            rows = np.minimum(np.searchsorted(own, ids), len(own) - 1)
        else:
            if self._order is None:
                self._order = np.argsort(own, kind="stable")
            rows = self._order[np.minimum(np.searchsorted(own, ids, sorter=self._order), len(own) - 1)]
        return np.where(own[rows] == ids, rows, -1)


def over_ids(size: int, ids: np.ndarray, values, otherwise) -> np.ndarray:
    """Return an array over all ids below `size`: the values at the given ids, `otherwise` at the rest."""
    array = np.full(size, otherwise)
    array[ids] = values
    return array


def among(values: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Tell which values are in an ascending array."""
    if not len(ascending):
        return np.zeros(len(values), dtype=bool)
    place = np.searchsorted(ascending, values)
    return ascending[np.minimum(place, len(ascending) - 1)] == values


def distinct(values: np.ndarray) -> np.ndarray:
    """Return the different values of an array, ascending; np.unique hashes them, which takes ten times as long."""
    values = np.sort(values, kind="stable")  # fast where much is in order already
    new = np.ones(len(values), dtype=bool)
    new[1:] = values[1:] != values[:-1]
    return values[new]


def by_id(table: Mapping, rows: np.ndarray) -> np.ndarray:
    """Return ascending rows in the order of their ids, so that what descends from them has the same ids wherever they stand."""
    return rows[np.argsort(table["id"][rows])] if isinstance(table, Table) and not table.ascending else rows


def _looked_up(own: np.ndarray, lowest: int, highest: int, ids: np.ndarray) -> np.ndarray:
    # With one more number at either end, where all that is out of range is clipped to.
    row_of = over_ids(highest - lowest + 3, own - (lowest - 1), np.arange(len(own)), -1)
    return row_of.take(ids - (lowest - 1), mode="clip")
