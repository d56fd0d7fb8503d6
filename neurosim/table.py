"""Read-only columns of equal length: the storage of cells, synapses and spikes in flight."""

from collections.abc import Iterator, Mapping

import numpy as np

from neurosim.errors import near


class Table:
    """Hold named columns of equal length that nobody can change in place.

    Columns are NumPy arrays whose first axis runs over the rows; an ``id`` column, where there is one, holds each row's
    permanent identity. Raises ValueError for columns of different length.
    """

    __slots__ = ("_columns", "_order")

    def __init__(self, columns: Mapping[str, np.ndarray]):
        self._columns = {}
        self._order = None
        for name, values in columns.items():
            values = np.asarray(values)
            if values.flags.writeable or values.base is not None:
                values = values.copy()
                values.flags.writeable = False
            self._columns[name] = values
        lengths = {name: len(values) for name, values in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of one table have different lengths: {lengths}; give each one value per row")

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

    def items(self):
        return self._columns.items()

    def replace(self, **columns: np.ndarray) -> "Table":
        """Return a table in which the given columns take the place of those of the same name."""
        return Table({**self._columns, **columns})

    def without(self, *names: str) -> "Table":
        """Return a table that lacks the given columns."""
        return Table({name: values for name, values in self._columns.items() if name not in names})

    def find(self, ids, what: str) -> np.ndarray:
        """Return the row of each permanent id; raise KeyError naming `what` and the first id that is not there."""
        ids = np.atleast_1d(np.asarray(ids, dtype=np.int64))
        rows = self.rows_or_missing(ids)
        if (rows < 0).any():
            raise KeyError(f"{what} has no id {ids[rows < 0][0]}; it may have died or never existed")
        return rows

    def rows_or_missing(self, ids: np.ndarray) -> np.ndarray:
        """Return the row of each permanent id, -1 where no row has it."""
        own = self._columns["id"]
        if not len(own):
            return np.full(len(ids), -1, dtype=np.int64)
        if self._order is None:
            # Ids rise along the table except after a deliberate permutation.
            self._order = np.argsort(own, kind="stable")
        place = np.minimum(np.searchsorted(own, ids, sorter=self._order), len(own) - 1)
        rows = self._order[place]
        return np.where(own[rows] == ids, rows, -1)
