"""The running engine of one structure: drives set, time steps run in chunks, spikes and traces fetched, edits carried out."""

from collections import deque
from collections.abc import Callable, Mapping
from time import perf_counter

import numpy as np

from neurosim.backends.declare import synaptic
from neurosim.backends.drives import noise_column
from neurosim.backends.library.handle import Library
from neurosim.backends.library.memory import Memory
from neurosim.backends.library.mould import Structure
from neurosim.backends.recorded import recorded
from neurosim.backends.scheduled import agenda
from neurosim.circuit import Circuit
from neurosim.edit import Edit
from neurosim.stimuli import Bound

CHUNK = 0.05  # seconds of work between two looks at progress and Ctrl-C
FIRST = 100  # time steps of the first chunk, from which the length of the next ones follows


class Engine:
    """Run circuits of one structure in a compiled library; the state of the last one stays, ready to go on or to be edited."""

    def __init__(self, library: Library, structure: Structure):
        self.layout = library.layout
        self.memory = Memory(library, structure.circuit, structure.inputs)
        self.structure, self._chunk = structure, FIRST

    def fits(self, structure: Structure) -> bool:
        """Tell whether circuits of another structure run here too."""
        return self.structure.same(structure)

    def close(self) -> None:
        """Let the circuits that were handed out copy what they need, and give the memory back."""
        self.memory.held = None
        self.memory.release()
        self.memory.handle.close()

    def run(self, structure: Structure, steps: int, samples: list, shared: Mapping, advance: Callable):
        """Run a circuit for so many time steps; return the next circuit, as a lease, and the recording."""
        circuit, memory, handle = structure.circuit, self.memory, self.memory.handle
        if not _same_state(circuit, memory.held):
            memory.fill(circuit)
        memory.held = None  # of what an error breaks off nobody knows where it stands
        memory.release(None, memory.moving)
        self._drive(structure, shared)
        handle.call("ns_forget_traces")
        for name, variable, rows, every in samples:
            handle.call(
                "ns_add_trace", *handle.place(name, memory.columns[name][variable]), every, np.ascontiguousarray(rows, np.int64), len(rows)
            )
        kept = _Kept(memory, samples)
        stop = circuit.step + steps
        step = self._run(agenda(circuit, structure.scheduled, self, shared, stop), circuit.step, stop, kept, advance)
        recording = recorded(circuit, step, samples, {**structure.spikes, **kept.spikes()}, kept.traces())
        memory.count({name: recording[name].counts for name in circuit.populations})
        return memory.lease(circuit, step), recording

    def edit(self, edit: Edit, reuse: bool) -> Circuit:
        """Carry out an edit on the circuit that stands here; see Memory.edit."""
        return self.memory.edit(edit, reuse)

    def _run(self, planned: Mapping[int, list[Callable]], step: int, end: int, kept: "_Kept", advance: Callable) -> int:
        """Run in chunks that end where something is to happen, or where it is time to look up."""
        due = deque(sorted(at for at in planned if step <= at < end))
        spent, looked = 0.0, step
        while step < end:
            if due and due[0] == step:
                for change in planned[due.popleft()]:
                    change()
            count = min(due[0] if due else end, end, looked + self._chunk) - step
            begun = perf_counter()
            self.memory.handle.call("ns_run", count)
            spent += perf_counter() - begun
            step += count
            if step - looked >= self._chunk:
                kept.fetch()
                if advance(step):
                    break
                self._chunk = max(1, min(round(self._chunk * CHUNK / max(spent, 1e-9)), 10 * self._chunk))
                spent, looked = 0.0, step
        kept.fetch()
        return step

    def _drive(self, structure: Structure, shared: Mapping) -> None:
        """Set everything that a run is given besides state: constants, inputs, shared factors, spikes of sources."""
        handle, circuit = self.memory.handle, structure.circuit
        handle.call("ns_constants", np.array([structure.constants[key] for key in self.layout.constants], dtype=float))
        for name, population in circuit.populations.items():
            for bound, one in zip(structure.own(name), structure.drives[name], strict=False):
                stands = one.current if one.carried and noise_column(bound) in population.cells else None
                for column, values in one.columns.items():
                    if column != stands:
                        handle.view(name, column)[:] = values
        for name, factors in shared.items():
            for factor, value in factors.items():
                column = factor if name in circuit.populations else synaptic(factor)
                if column in self.layout.tables.get(f"{name}.shared", ()):
                    handle.size(f"{name}.shared", 1)
                    handle.view(f"{name}.shared", column)[:] = value
        for number, name in enumerate(self.layout.feeds):
            rows, steps = (np.ascontiguousarray(one, np.int64) for one in structure.spikes[name])
            handle.call("ns_feed", number, steps, rows, len(rows))

    def array(self, part: str, variable: str) -> np.ndarray:
        """Return the memory of a state variable, weight or share of a population or projection."""
        return self.memory.view(part, variable)

    def level(self, bound: Bound) -> np.ndarray:
        """Return the memory of a step current."""
        number = self.structure.number(bound)
        return self.memory.handle.view(bound.population, f"step_{number}")

    def targets(self, projection: str) -> np.ndarray:
        """Return the rows of the target cells of a projection's synapses."""
        return self.memory.targets(projection)


class _Kept:
    """Hold what was fetched from the engine while it ran."""

    def __init__(self, memory: Memory, samples: list):
        self.memory, self.samples = memory, samples
        self._spikes = [[] for _ in memory.seen]
        self._traces = [[] for _ in samples]

    def fetch(self) -> None:
        """Take spikes and samples out of the engine, so that its memory stays bounded."""
        handle = self.memory.handle
        for number, chunks in enumerate(self._spikes):
            chunks.append(handle.fetch("ns_raster", number))
        for number, (chunks, sample) in enumerate(zip(self._traces, self.samples, strict=True)):
            chunks.append(handle.fetch("ns_trace", number, len(sample[2]), float))

    def spikes(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Rows and time steps of the spikes of each population that spikes by itself."""
        return {
            name: tuple(np.concatenate([chunk[part] for chunk in chunks]) for part in (1, 0))
            for name, chunks in zip(self.memory.seen, self._spikes, strict=True)
        }

    def traces(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Time steps and values, shape (rows, time steps), of each sample."""
        joined = [
            (rows, *(np.concatenate(part) for part in zip(*chunks, strict=True)))
            for chunks, (_, _, rows, _) in zip(self._traces, self.samples, strict=True)
        ]
        return [(at, values.reshape(len(at), len(rows)).T) for rows, at, values in joined]


def _same_state(circuit: Circuit, held: Circuit | None) -> bool:
    """Tell whether a circuit's tables are those that stand in the engine."""
    if held is None or held.step != circuit.step or held.dt_si != circuit.dt_si:
        return False
    cells = all(one.cells is held.populations[name].cells for name, one in circuit.populations.items())
    return cells and all(
        one.synapses is held.projections[name].synapses and one.flight is held.projections[name].flight
        for name, one in circuit.projections.items()
    )
