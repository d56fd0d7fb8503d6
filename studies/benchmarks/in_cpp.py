"""The uncoupled cells in C++, written by hand: limit.cpp, compiled here with the flags and functions of fast arithmetic."""

import ctypes
import platform
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
from cases import DT, Uncoupled
from measuring import Absent

from neurosim.backends.compiler import library_compiler

SOURCE = Path(__file__).with_name("limit.cpp")
WIDEST = ["-mprefer-vector-width=512"] if platform.machine() == "x86_64" else []  # means nothing to processors without AVX-512
SHORTEST = 10  # time steps between two spikes of a cell, on the average over all cells: the room for spikes


def prepare(case: Uncoupled) -> Callable:
    """Compile the loop of a kind of cells; return what runs it from the state of a seed and gives seconds and what was observed.

    Raises Absent without a compiler.
    """
    function = compiled()[case.kind]
    doubles, integers = np.ctypeslib.ndpointer(np.float64, 2, flags="C"), np.ctypeslib.ndpointer(np.int32, 1, flags="C")
    function.argtypes = [doubles, ctypes.c_int64, ctypes.c_int64, ctypes.c_double, integers, integers, ctypes.c_int64]
    function.restype = ctypes.c_int64
    current, room = case.current, case.cells * (case.steps // SHORTEST + 1)
    spikes = np.empty((2, room), np.int32)

    def run(seed: int) -> tuple[float, dict]:
        first = table(case, seed, current)
        start = perf_counter()
        count = function(first, case.cells, case.steps, DT, *spikes, room)
        seconds = perf_counter() - start
        if count < 0:
            raise RuntimeError(f"cells spike more than once in {SHORTEST} time steps on the average; give them less current")
        rows, steps = spikes[:, :count]
        return seconds, case.observed(rows, steps * DT)

    return run


def table(case: Uncoupled, seed: int, current: np.ndarray) -> np.ndarray:
    """Return the columns that a loop begins with, in its order: the state, the currents, and zeros for what it keeps for itself."""
    state, nothing = case.state(seed), np.zeros(case.cells)
    conductances = [] if case.kind == "leaky" else [nothing, nothing]
    kept = [] if case.kind == "adex" else [nothing]
    return np.array([*state.values(), *conductances, current, *kept])


def compiled() -> ctypes.CDLL:
    """Compile limit.cpp, which has a function for each kind of cells; raises as `prepare` does."""
    try:
        compiler = library_compiler("fast")
    except RuntimeError as error:
        raise Absent(str(error)) from None
    with TemporaryDirectory() as folder, resources.as_file(resources.files("neurosim.backends.library")) as functions:
        source, library = Path(folder, SOURCE.name), Path(folder, "limit.so")
        shutil.copy(SOURCE, source)
        replace(compiler, compiling=(*compiler.compiling, *WIDEST, "-I", str(functions))).build(source, library)
        return ctypes.CDLL(str(library))
