"""One engine in a loaded library, by its C functions: memory that Python sees only between two calls."""

import ctypes
import weakref
from ctypes import c_double, c_int, c_int64, c_void_p
from pathlib import Path

import numpy as np

from neurosim.backends.library.source import WIDTHS, Layout

DTYPES = {"double": np.dtype(np.float64), "int64_t": np.dtype(np.int64), "int32_t": np.dtype(np.int32), "char": np.dtype(np.bool_)}
_P, _I, _L = c_void_p, c_int, c_int64
FUNCTIONS = {
    "ns_open": (_P, _I, _I, _I),
    "ns_close": (None, _P),
    "ns_clock": (None, _P, _L, c_double),
    "ns_constants": (None, _P, _P),
    "ns_add_column": (None, _P, _I, _L),
    "ns_column": (_P, _P, _I, _I),
    "ns_size": (None, _P, _I, _L),
    "ns_edit": (None, _P, _I, _P, _L, _P, _L),
    "ns_refill": (None, _P, _I, _P, _P, _L, _L),
    "ns_renumber": (None, _P, _I, _I, _P),
    "ns_finite": (_I, _P, _I, _I),
    "ns_population": (None, _P, _I, _L),
    "ns_add_pathway": (None, _P, _I, _I, _I, _I),
    "ns_index": (None, _P, _I),
    "ns_flight": (_L, _P, _I, _P, _P),
    "ns_launch": (None, _P, _I, _P, _P, _L),
    "ns_add_feed": (None, _P, _I),
    "ns_feed": (None, _P, _I, _P, _P, _L),
    "ns_add_raster": (None, _P, _I),
    "ns_raster": (_L, _P, _I, _P, _P),
    "ns_forget_traces": (None, _P),
    "ns_add_trace": (None, _P, _I, _I, _L, _P, _L),
    "ns_trace": (_L, _P, _I, _P, _P),
    "ns_run": (None, _P, _L),
}


class Library:
    """Hold a loaded library and the layout of its memory. It stays loaded, so its file may go."""

    def __init__(self, path: Path, layout: Layout):
        self.layout, self.functions = layout, ctypes.CDLL(str(path))
        for name, (result, *arguments) in FUNCTIONS.items():
            function = getattr(self.functions, name)
            function.restype, function.argtypes = result, arguments


class Handle:
    """Open an engine of a library and speak to it; closed with `close`, or when nobody holds it any more.

    Calls let other threads of Python run. Views of columns are for this package alone: they end with the next edit.
    """

    def __init__(self, library: Library):
        self.layout = layout = library.layout
        self._functions = library.functions
        self.tables, self.populations = list(layout.tables), layout.populations
        self.columns = {name: {column: DTYPES[kind] for column, kind in columns.items()} for name, columns in layout.tables.items()}
        self.sizes = dict.fromkeys(self.tables, 0)
        self._engine = self._functions.ns_open(len(self.tables), len(self.populations), len(layout.constants))
        self.close = weakref.finalize(self, self._functions.ns_close, self._engine)
        for number, columns in enumerate(layout.tables.values()):
            for kind in columns.values():
                self._functions.ns_add_column(self._engine, number, WIDTHS[kind])

    def call(self, name: str, *arguments):
        """Call a C function on this engine; arrays are handed over as pointers and must be contiguous."""
        plain = [one.ctypes.data if isinstance(one, np.ndarray) else one for one in arguments]
        return getattr(self._functions, name)(self._engine, *plain)

    def table(self, name: str) -> int:
        """The number of a table."""
        return self.tables.index(name)

    def place(self, table: str, column: str) -> tuple[int, int]:
        """The numbers of a table and a column."""
        return self.tables.index(table), list(self.columns[table]).index(column)

    def add(self, table: str, column: str, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        """Add a column that no generated code knows; `shape` is that of one row."""
        self.columns[table][column] = np.dtype((dtype, shape)) if shape else np.dtype(dtype)
        self.call("ns_add_column", self.table(table), self.columns[table][column].itemsize)

    def view(self, table: str, column: str) -> np.ndarray:
        """Return the memory of a column as an array."""
        dtype, size = self.columns[table][column], self.sizes[table]
        base, shape = dtype.subdtype or (dtype, ())
        if not size:
            return np.empty((0, *shape), base)
        address = self.call("ns_column", *self.place(table, column))
        memory = (ctypes.c_char * (size * dtype.itemsize)).from_address(address)
        return np.frombuffer(memory, dtype=base).reshape(size, *shape)

    def size(self, table: str, rows: int) -> None:
        """Give a table so many rows; their content is lost."""
        self.call("ns_size", self.table(table), rows)
        self.sizes[table] = rows

    def finite(self, table: str, column: str) -> bool:
        """Tell whether a column holds finite numbers only."""
        return self.columns[table][column] != np.float64 or bool(self.call("ns_finite", *self.place(table, column)))

    def fetch(self, name: str, number: int, width: int = 1, dtype=np.int64) -> tuple[np.ndarray, np.ndarray]:
        """Take two lists out of the engine: whole numbers, and `width` values for each of them."""
        count = self.call(name, number, None, None)
        one, other = np.empty(count, np.int64), np.empty(count * width, dtype)
        if count:
            self.call(name, number, one, other)
        return one, other
