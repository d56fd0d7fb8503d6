"""The torch backend: a circuit as tensors, on a CPU or a GPU, with the spikes that it has in Brian2."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from neurosim.backends.declare import given_spikes
from neurosim.backends.drives import noise_column
from neurosim.backends.recorded import recorded
from neurosim.circuit import Circuit
from neurosim.edit import Edit
from neurosim.recording import Recording
from neurosim.stimuli import Bound
from neurosim.surgery import carry_out
from neurosim.torch.cells import Cells
from neurosim.torch.drives import Drive
from neurosim.torch.support import check_circuit, check_inputs
from neurosim.torch.wires import Wires
from neurosim.units import Quantity, ms

OFTEN = 100  # time steps after which progress is told


@dataclass(frozen=True)
class Torch:
    """Simulate with PyTorch, in 64-bit numbers: cells of any file, synapses that deliver and do not learn.

    `dt` is the time step, `device` that of torch ("cpu", "cuda"). Steps are those of the files, so that spikes are those of ``ns.Brian2``
    up to the rounding of single operations; noise is the same. Raises ValueError for a device that is not there, and, before
    anything runs, UnsupportedModelError for what it cannot express.
    """

    dt: Quantity = field(default_factory=lambda: 0.1 * ms)
    device: str = "cpu"

    def __post_init__(self):
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f'device is {self.device!r}, which cannot be used here ({error}); give "cpu", or another that torch has'
            ) from None

    def __hash__(self) -> int:
        return hash((float(self.dt), self.device))

    def check(self, circuit: Circuit) -> None:
        """Raise UnsupportedModelError for what cannot be expressed in torch here."""
        check_circuit(circuit)

    def run(self, circuit: Circuit, steps: int, inputs: list[Bound], samples: list, shared: Mapping, advance: Callable):
        """Run a checked circuit for so many time steps; return the next circuit and the recording. See Brian2.run."""
        check_inputs(circuit, inputs)
        with torch.no_grad():
            return _Run(circuit, steps, inputs, samples, shared, torch.empty(0, dtype=torch.float64, device=self.device)).run(advance)

    @contextmanager
    def opened(self) -> Iterator["Running"]:
        """Keep a circuit for a series of runs and edits."""
        yield Running(self)


class Running:
    """Run circuits one after the other, and carry out edits in between."""

    def __init__(self, backend: Torch):
        self.backend, self.dt, self.check = backend, backend.dt, backend.check
        self._held: Circuit | None = None

    def run(self, circuit: Circuit, *how) -> tuple[Circuit, Recording]:
        """Run a checked circuit; see Brian2.run."""
        self._held, recording = self.backend.run(circuit, *how)
        return self._held, recording

    def carry_out(self, edit: Edit) -> Circuit:
        """Carry out an edit that was planned for the circuit that the last run gave, and return the next circuit."""
        self._held = carry_out(self._held, edit)
        return self._held


class _Run:
    """One run: its parts, and what is kept of it."""

    def __init__(self, circuit: Circuit, steps: int, inputs: list[Bound], samples: list, shared: Mapping, like: torch.Tensor):
        self.circuit, self.stop, self.samples, self.like = circuit, circuit.step + steps, samples, like
        parts = circuit.populations.items()
        self.cells = {name: Cells(one, shared[name], circuit.dt_si, like) for name, one in parts if len(one) and not one.model.source}
        self.given = {name: given_spikes([one for one in inputs if one.population == name]) for name, one in parts if one.model.source}
        self.wires = [Wires(circuit, one, like) for one in circuit.projections.values() if len(one)]
        acting = [one for one in inputs if one.kind != "spikes" and one.population in self.cells]
        self.drives = [(Drive(one, circuit.populations[one.population], like), self.cells[one.population]) for one in acting]
        self.spikes = {name: [] for name in self.cells}
        self.sampled = [([], []) for _ in samples]

    def run(self, advance: Callable) -> tuple[Circuit, Recording]:
        """Run to the end, or until told to stop."""
        step = self.circuit.step
        while step < self.stop:
            self._step(step)
            step += 1
            if step % OFTEN == 0 and advance(step):
                break
        spikes = {name: self.given.get(name) or _joined(self.spikes.get(name, [])) for name in self.circuit.populations}
        sampled = [
            (np.array(at, np.int64), np.array(values).T if values else np.empty((len(rows), 0)))
            for (_, _, rows, _), (at, values) in zip(self.samples, self.sampled, strict=True)
        ]
        recording = recorded(self.circuit, step, self.samples, spikes, sampled)
        return self._read_back(step, recording), recording

    def _step(self, step: int) -> None:
        for (name, variable, rows, every), (at, values) in zip(self.samples, self.sampled, strict=True):
            if step % every == 0:
                at.append(step)
                values.append(self._sample(name, variable, rows))
        for cells in self.cells.values():
            cells.given = {name: torch.zeros_like(one) for name, one in cells.given.items()}
        for drive, cells in self.drives:
            drive.begin(step, cells)
        spiking = {name: self._given(name, step) for name in self.given}
        spiking |= {name: cells.advance(step) for name, cells in self.cells.items()}
        for wires in self.wires:
            arrived = wires.carry(step, spiking[wires.source])
            self.cells[wires.target].receive(wires.effect, arrived)
        for drive, cells in self.drives:
            drive.arrive(step, cells)
        for name, cells in self.cells.items():
            rows = torch.nonzero(spiking[name])[:, 0]
            if len(rows):
                cells.fire(spiking[name])
                self.spikes[name].append((step, rows.cpu().numpy()))

    def _given(self, name: str, step: int) -> torch.Tensor:
        """Who of a population of sources spikes in a time step."""
        rows, steps = self.given[name]
        spikes = torch.zeros(len(self.circuit.populations[name]), dtype=torch.bool, device=self.like.device)
        spikes[torch.as_tensor(rows[slice(*np.searchsorted(steps, [step, step + 1]))], device=self.like.device)] = True
        return spikes

    def _sample(self, name: str, variable: str, rows: np.ndarray) -> np.ndarray:
        if name in self.cells:
            return self.cells[name].state[variable].cpu().numpy()[rows]
        part = self.circuit[name]
        return (part.synapses if name in self.circuit.projections else part.cells)[variable][rows]

    def _read_back(self, step: int, recording: Recording) -> Circuit:
        parts = {}
        for name, population in self.circuit.populations.items():
            if not len(population):
                continue
            columns = {"spikes": population.cells["spikes"] + recording[name].counts}
            if name in self.cells:
                cells = self.cells[name]
                kept = {**cells.state, "lastspike": cells.last, "not_refractory": cells.free}
                columns |= {key: value.cpu().numpy().astype(population.cells[key].dtype) for key, value in kept.items()}
            columns |= {
                noise_column(drive.bound): drive.current.cpu().numpy()
                for drive, _ in self.drives
                if drive.bound.kind == "noise" and drive.bound.population == name
            }
            parts[name] = replace(population, cells=population.cells.replace(**columns))
        for wires in self.wires:
            parts[wires.projection.name] = replace(wires.projection, flight=wires.flight(step))
        return self.circuit.updated(parts, step=step)


def _joined(chunks: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and time steps of spikes, in order of time, then of row."""
    if not chunks:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate([rows for _, rows in chunks]), np.repeat([step for step, _ in chunks], [len(rows) for _, rows in chunks])
