"""From a structure to a compiled library that has shown that it computes what Brian2 computes."""

from contextlib import suppress

import brian2
import numpy as np

from neurosim.backends.library.engine import Engine
from neurosim.backends.library.handle import Library
from neurosim.backends.library.mould import Structure
from neurosim.backends.library.source import Layout
from neurosim.backends.runtime import Runtime
from neurosim.compiled import Compiled, library
from neurosim.errors import UnsupportedModelError
from neurosim.expressions import LOCK

TESTED = ((2, 9), (2, 12))  # releases of Brian2: from the first on, up to below the second
STEPS = 30  # of the comparison with Brian2's NumPy target
CLOSE = 1e-6  # relative: far above what fast arithmetic rounds, far below what a wrong statement does
_loaded: dict[tuple[str, str], Library] = {}  # a library stays in the process that has loaded it


class Unavailable(Exception):
    """Say why there is no library for a structure; `error` is what to raise where one was asked for."""

    def __init__(self, error: Exception):
        super().__init__(str(error))
        self.error = error


def build(structure: Structure, arithmetic: str) -> Library:
    """Return the library of a structure, from the cache or compiled now; raise Unavailable where none can be had."""
    release = tuple(int(part) for part in brian2.__version__.split(".")[:2])
    if not TESTED[0] <= release < TESTED[1]:
        raise Unavailable(
            UnsupportedModelError(f"libraries are tested with Brian2 2.9 to 2.11, not {brian2.__version__}; install one of these")
        )
    text = structure.text()
    with LOCK:
        if (text, arithmetic) not in _loaded:
            try:
                _loaded[text, arithmetic] = _load(library(text, arithmetic, structure.source), structure)
            except (UnsupportedModelError, RuntimeError) as error:
                raise Unavailable(error) from error
        return _loaded[text, arithmetic]


def _load(compiled: Compiled, structure: Structure) -> Library:
    loaded = Library(compiled.path, Layout.from_json(compiled.layout))
    mark = compiled.folder / "agrees"
    if not mark.exists():
        _compare(loaded, structure)
        with suppress(OSError):  # it then compares again
            mark.touch()
    return loaded


def _compare(library: Library, structure: Structure) -> None:
    """Raise UnsupportedModelError unless the library and Brian2's NumPy target take the smallest circuit to the same state."""
    small = structure.mould()
    how = (STEPS, [], {name: dict(part.shared) for name, part in {**small.circuit.populations, **small.circuit.projections}.items()})
    engine = Engine(library, small)
    ours, _ = engine.run(small, *how, lambda step: False)
    engine.close()
    theirs, _ = Runtime("numpy").run(small.circuit, STEPS, small.inputs, *how[1:], lambda step: False)
    for name in (*ours.populations, *ours.projections):
        tables = [one.cells if name in ours.populations else one.synapses for one in (ours[name], theirs[name])]
        for column in tables[0]:
            if not np.allclose(tables[0][column], tables[1][column], rtol=CLOSE, atol=0, equal_nan=True):
                values = tables[0][column].ravel()[0], tables[1][column].ravel()[0]
                raise UnsupportedModelError(
                    f"the compiled library gives {values[0]} for {column} of {name!r} where Brian2 gives {values[1]}; report this with your model file"
                )
