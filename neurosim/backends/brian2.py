"""The Brian2 backend: which of its targets carries a simulation out, and what is said when it is not the best one."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from neurosim.backends.compiler import choose_target
from neurosim.backends.library.build import Unavailable, build
from neurosim.backends.library.engine import Engine
from neurosim.backends.library.mould import Structure
from neurosim.backends.runtime import Runtime
from neurosim.circuit import Circuit
from neurosim.edit import Edit
from neurosim.stimuli import Bound
from neurosim.surgery import carry_out
from neurosim.units import Quantity, ms

TARGETS = ("auto", "library", "cython", "numpy")


@dataclass(frozen=True)
class Brian2:
    """Simulate with Brian2 in this process.

    `dt` is the time step. `target` is "library" (the C++ that Brian2 writes, compiled once for a structure and edited between
    epochs), "cython" (Brian2's runtime mode, rebuilt at each boundary), "numpy" (the same without a compiler) or "auto": the
    library where it can be had, else the next best, said once in the log. `arithmetic` of a library is "fast" or "strict":
    strict gives the bits of the Cython target, fast differs in the last ones. `sweep` names model parameters, such as
    "exc.tau_m", that are to change from circuit to circuit without compiling anew. `reuse_slots` puts new cells and synapses
    where removed ones were: faster, but rows lose their order and sums their last bits. Raises ValueError for another target or arithmetic.
    """

    dt: Quantity = field(default_factory=lambda: 0.1 * ms)
    target: str = "auto"
    arithmetic: str = "fast"
    sweep: Sequence[str] = ()
    reuse_slots: bool = False

    def __post_init__(self):
        if self.target not in TARGETS:
            raise ValueError(f"target is {self.target!r}; give one of {', '.join(TARGETS)}")
        if self.arithmetic not in ("fast", "strict"):
            raise ValueError(f'arithmetic is {self.arithmetic!r}; give "fast" or "strict"')
        if isinstance(self.sweep, str):
            raise TypeError(f"sweep is {self.sweep!r}; give a list of names, sweep=[...]")
        object.__setattr__(self, "sweep", tuple(self.sweep))

    def __hash__(self) -> int:
        return hash((float(self.dt), self.target, self.arithmetic, self.sweep, self.reuse_slots))

    def check(self, circuit: Circuit) -> None:
        """Raise ValueError for an unknown parameter to sweep."""
        Structure(circuit, [], self.sweep, False)

    def run(self, circuit: Circuit, steps: int, inputs: list[Bound], samples: list, shared: Mapping, advance: Callable):
        """Run a checked circuit for so many time steps; return the next circuit and the recording.

        `samples` are (part name, variable, rows, every) of the traces; `shared` the modulated factors of each part;
        `advance(step)` is told of progress and returns True to stop early.
        """
        with self.opened() as running:
            return running.run(circuit, steps, inputs, samples, shared, advance)

    @contextmanager
    def opened(self) -> Iterator["Running"]:
        """Keep an engine for a series of runs and edits, and give its memory back at the end."""
        running = Running(self)
        try:
            yield running
        finally:
            running.close()


class Running:
    """Run circuits one after the other on one engine, which stays as long as their structure does.

    A circuit that it hands out is a lease: its columns are copied when they are first read, or before the engine changes them.
    """

    def __init__(self, backend: Brian2):
        self.backend, self.dt, self.check = backend, backend.dt, backend.check
        self._engine: Engine | None = None
        self._held: Circuit | None = None

    def run(self, circuit: Circuit, steps: int, inputs: list[Bound], samples: list, shared: Mapping, advance: Callable):
        """Run a checked circuit; see Brian2.run."""
        engine, structure = self._ready(circuit, inputs)
        if engine is None:
            self._held, recording = Runtime(choose_target(self.backend.target)).run(circuit, steps, inputs, samples, shared, advance)
            return self._held, recording
        return engine.run(structure, steps, samples, shared, advance)

    def carry_out(self, edit: Edit) -> Circuit:
        """Carry out an edit that was planned for the circuit that the last run gave, and return the next circuit.

        Whoever still holds that circuit keeps it: what is to change is copied before.
        """
        if self._engine is not None:
            return self._engine.edit(edit, self.backend.reuse_slots)
        self._held = carry_out(self._held, edit)
        return self._held

    def close(self) -> None:
        """Give the engine's memory back; circuits that were handed out stay whole."""
        if self._engine is not None:
            self._engine.close()
        self._engine = self._held = None

    def _ready(self, circuit: Circuit, inputs: list[Bound]) -> tuple[Engine | None, Structure | None]:
        """Return an engine of the circuit's structure, a new one where that has changed, or none where no library can be had."""
        backend = self.backend
        if backend.target in ("cython", "numpy"):
            return None, None
        structure = Structure(circuit, inputs, backend.sweep, backend.arithmetic == "strict")
        if self._engine is not None and self._engine.fits(structure):
            return self._engine, structure
        self.close()
        try:
            self._engine = Engine(build(structure, backend.arithmetic), structure)
        except Unavailable as reason:
            if backend.target == "library":
                raise reason.error from None
            _say_once(str(reason))
            return None, None
        return self._engine, structure


@cache
def _say_once(reason: str) -> None:
    logging.getLogger("neurosim").warning("simulating without a compiled library, which is slower: %s", reason)
