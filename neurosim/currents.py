"""Inputs that are given in every time step: steady and noisy currents, and waveforms of current or conductance."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurosim.randomness import stream_key
from neurosim.stimuli import Bound, Input
from neurosim.units import Quantity, quantity, second, unit_name, whole_steps
from neurosim.waveforms import Waveform


@dataclass(frozen=True, eq=False)
class NoiseCurrent(Input):
    """Drive a current receptor with Ornstein-Uhlenbeck noise of a given mean, standard deviation and correlation time.

    Stepped exactly: x <- mean + (x - mean) exp(-dt/tau) + sd sqrt(1 - exp(-2 dt/tau)) n. Values as for PoissonInput;
    the current is part of the cell's state, begins at its mean and is copied by a division.
    """

    population: str
    receptor: str
    mean: Quantity
    sd: Quantity
    tau: Quantity
    shared_noise: bool = False

    def bind(self, circuit, dt, start, stop) -> Bound:
        """Check the input against a circuit for the time steps start to stop and return it as arrays; raises as the module says."""
        population = self._population(circuit)
        unit = quantity(1.0, self._receptor(population, "current").dimensions)
        rows, entries, family, size = self._heirs(population, self.mean, self.sd, self.tau)
        values = self._values({"mean": unit, "sd": unit, "tau": second}, entries, size, mean=self.mean, sd=self.sd, tau=self.tau)
        tau = values.pop("tau")
        if (values["sd"] < 0).any() or (tau <= 0).any():
            raise ValueError(f"input {self.label!r} has sd {self.sd} and tau {self.tau}; give an sd of 0 or more and a tau above 0")
        decay = np.exp(-dt / tau)
        ids = family if self.shared_noise else population.ids[rows]
        values |= {"decay": decay, "kick": values.pop("sd") * np.sqrt(-np.expm1(-2 * dt / tau))}
        key = stream_key(circuit.seed, f"input/{self.label}")
        return Bound("noise", self.label, population.name, self.receptor, rows, values, key, ids)


@dataclass(frozen=True, eq=False)
class StepCurrent(Input):
    """Inject a constant current from `start` until `stop` (the circuit's own time; None: for ever).

    `amplitude` is one quantity or one for each cell of `cells` (ids; None: all founders and their descendants).
    """

    population: str
    receptor: str
    amplitude: Quantity
    start: Quantity = field(default_factory=lambda: 0 * second)
    stop: Quantity | None = None

    def bind(self, circuit, dt, start, stop) -> Bound:
        """Check the input against a circuit for the time steps start to stop and return it as arrays; raises as the module says."""
        population = self._population(circuit)
        unit = quantity(1.0, self._receptor(population, "current").dimensions)
        rows, entries, _, size = self._heirs(population, self.amplitude)
        values = self._values({"amplitude": unit}, entries, size, amplitude=self.amplitude)
        onset = whole_steps(self.start, dt, f"start of input {self.label!r}")
        offset = None if self.stop is None else whole_steps(self.stop, dt, f"stop of input {self.label!r}")
        if offset is not None and offset < onset:
            raise ValueError(f"input {self.label!r} stops at {self.stop} before it starts at {self.start}; give a later stop")
        return Bound("step", self.label, population.name, self.receptor, rows, values, onset=onset, offset=offset)


@dataclass(frozen=True, eq=False)
class WaveformInput(Input):
    """Play a waveform into a receptor that takes a current or a conductance, from `start` on in the circuit's own time.

    A sample is held until the next one is due; before and after the waveform nothing is given. `which` names the waveform's row for
    each cell of `cells` (ids; None: all founders and their descendants), one for all or one a cell; left out, one row goes to all,
    and as many rows as cells to one each. The same waveform gives every cell and every model the same realisation.
    """

    population: str
    receptor: str
    waveform: Waveform
    which: Any = None
    start: Quantity = field(default_factory=lambda: 0 * second)

    def bind(self, circuit, dt, start, stop) -> Bound:
        """Check the input against a circuit for the time steps start to stop and return it as arrays; raises as the module says."""
        population = self._population(circuit)
        receptor = self._receptor(population, "current", "conductance")
        if not isinstance(self.waveform, Waveform):
            raise TypeError(f"waveform of input {self.label!r} is {self.waveform!r}; give a ns.Waveform")
        if self.waveform.dimensions is not receptor.dimensions:
            raise TypeError(
                f"input {self.label!r} plays {unit_name(self.waveform.dimensions)} into receptor {self.receptor!r}, which takes {unit_name(receptor.dimensions)}; give a waveform in that unit"
            )
        hold = whole_steps(self.waveform.dt, dt, f"sampling interval of input {self.label!r}")
        if hold < 1:
            raise ValueError(
                f"input {self.label!r} has a sample every {self.waveform.dt}, but dt is {dt * 1e3:g} ms; give a dt of a whole part of that"
            )
        samples = self.waveform.si
        which = np.asarray(np.arange(len(samples)) if self.which is None else self.which)
        which = which[0] if which.shape == (1,) else which
        rows, entries, _, size = self._heirs(population, which)
        if which.shape not in ((), (size,)) or not np.isin(which, np.arange(len(samples))).all():
            raise ValueError(
                f"input {self.label!r} has {len(samples)} waveforms for {size} cells and which = {self.which!r}; give which as one row of the waveform, or one for each cell"
            )
        values = {"which": np.broadcast_to(which, size)[entries].astype(float)}
        onset = whole_steps(self.start, dt, f"start of input {self.label!r}")
        in_time = np.ascontiguousarray(samples.T)
        return Bound("waveform", self.label, population.name, self.receptor, rows, values, onset=onset, samples=in_time, hold=hold)
