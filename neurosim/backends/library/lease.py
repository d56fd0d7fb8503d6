"""Leases: tables of a circuit whose columns stay in the engine until somebody reads them, or the engine moves on."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType

import numpy as np

from neurosim.table import Table


class LeasedTable(Table):
    """A table whose columns are a lease: it knows its length and whether numbers are finite without copying them."""

    __slots__ = ()

    def __init__(self, lease: "Lease", *, ascending: bool | None = None, grid: float | None = None):
        super().__init__({}, ascending=ascending)
        self._columns, self.grid = lease, grid

    def __len__(self) -> int:
        return self._columns.rows

    def loaded(self) -> dict[str, np.ndarray]:
        """Return the columns that have been copied already."""
        return self._columns.loaded()

    def finite(self, name: str) -> bool:
        """Tell whether a column holds finite numbers only."""
        return self._columns.finite(name)

    def replace(self, **columns: np.ndarray) -> Table:
        """Return a table in which the given columns take the place of those of the same name; the others are still copied when first read."""
        lease, known = self._columns, Table(columns).loaded()
        derived = Lease([*lease, *known], len(self), lease.__getitem__, lease.finite, {**lease.loaded(), **known})
        return LeasedTable(derived, ascending=None if "id" in known else self._ascending, grid=self.grid if "delay" not in known else None)


class Lease(Mapping):
    """Hold columns that are copied when first read: `load(name)` gives a copy, `known` are those read already."""

    def __init__(
        self,
        names,
        size: int | None,
        load: Callable[[str], np.ndarray],
        finite: Callable[[str], bool] | None = None,
        known: Mapping = MappingProxyType({}),
    ):
        self._columns: dict[str, np.ndarray | None] = {**dict.fromkeys(names), **known}
        self._size, self._load, self._finite = size, load, finite

    def __getitem__(self, name: str) -> np.ndarray:
        values = self._columns[name]
        if values is None:
            values = self._load(name)
            values.flags.writeable = False
            self._columns[name] = values
        return values

    def __contains__(self, name) -> bool:
        return name in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def loaded(self) -> dict[str, np.ndarray]:
        """Return the columns that have been copied already."""
        return {name: values for name, values in self._columns.items() if values is not None}

    @property
    def rows(self) -> int:
        """The number of rows, known without copying anything."""
        return self._size if self._size is not None else len(self[next(iter(self))])

    def finite(self, name: str) -> bool:
        """Tell whether a column holds finite numbers only, without copying it."""
        if self._columns[name] is None and self._finite is not None:
            return self._finite(name)
        return self[name].dtype.kind != "f" or bool(np.isfinite(self[name]).all())

    def settle(self, names: Iterable[str] | None = None) -> None:
        """Copy these columns, where nobody has read them yet; all of them (None) before the rows change, and then let go of the engine."""
        for name in self if names is None else names:
            self[name]
        if names is None:
            self._load = self._finite = None
