"""Run a circuit for a while: the one door to every backend."""

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from neurosim.backends.brian2 import Brian2
from neurosim.backends.onset import steps_of_interval
from neurosim.circuit import Circuit
from neurosim.errors import Interrupted, NonFiniteStateError, near
from neurosim.recording import Recording, Spikes, Trace
from neurosim.timescales import warn_of_time_step
from neurosim.units import Quantity, second, to_si, whole_steps

MOST_IDS = 5  # that an error names


def simulate(
    circuit: Circuit,
    duration: Quantity,
    *,
    inputs: Sequence = (),
    record: Sequence = (),
    modulate: Mapping[str, float] | None = None,
    backend=None,
    progress: bool = True,
) -> tuple[Circuit, Recording]:
    """Run a circuit and return the circuit as it is then, and what was recorded.

    `inputs` drive it in its own time; `record` asks for traces (spikes and spike counts of all populations are always
    recorded); `modulate` sets shared factors for this run, as in ``{"input.learning": 0.0}``; `backend` is Brian2() unless
    given. A progress bar appears after two seconds. Everything is checked before anything runs. Raises ValueError, TypeError
    or KeyError for a bad argument, UnsupportedModelError for a model that the backend cannot express, NonFiniteStateError
    where a state is not finite afterwards and Interrupted at Ctrl-C; the last two carry the `circuit` and `recording` reached.
    Warns with TimeStepWarning, once for a circuit, where dt is longer than the fastest time constant of a population allows.
    """
    backend = backend or Brian2()
    circuit, steps, samples, shared = checked(circuit, duration, inputs, record, modulate, backend)
    bound = [one.bind(circuit, circuit.dt_si, circuit.step, circuit.step + steps) for one in inputs]
    with _bar(steps, circuit, progress) as bar, noted_interrupts() as pressed:

        def advance(step: int) -> bool:
            bar.update(step - circuit.step - bar.n)
            return bool(pressed)

        after, recording = backend.run(circuit, steps, bound, samples, shared, advance)
        bar.update(after.step - circuit.step - bar.n)
    # Whoever presses Ctrl-C too late for this run to stop means what comes after it.
    if pressed or after.step < circuit.step + steps:
        raise Interrupted(f"the simulation was interrupted at {after.time}; .circuit and .recording hold what was done", after, recording)
    _check_finite(after, recording)
    return after, recording


def checked(circuit, duration, inputs, record, modulate, backend):
    """Check the arguments of a simulation against the circuit; return it with its time step, time steps, traces and shared factors.

    See `simulate` for what is raised and warned of.
    """
    if not isinstance(circuit, Circuit):
        raise TypeError(f"simulate needs a circuit, not {circuit!r}; make one with ns.Circuit([...], [...])")
    if not hasattr(backend, "dt") or not hasattr(backend, "run"):
        raise TypeError(f'{backend!r} is no backend; give one such as ns.Brian2(dt=0.1*ms, target="numpy")')
    dt = to_si(backend.dt, second, "dt of the backend")
    backend.check(circuit)
    given, circuit = circuit, _with_dt(circuit, dt)
    steps = whole_steps(duration, dt, "the duration of the simulation")
    for projection in circuit.projections.values():
        projection.check_grid(dt)
        if projection.synapse.normalise:
            steps_of_interval(projection, dt)
    inputs = _inputs(inputs)
    for one in inputs:
        one.check(circuit, dt, circuit.step, circuit.step + steps)
    labels = [one.label for one in inputs]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"two inputs are called {label!r} and would get the same noise; give each its own name=...")
    samples, shared = _samples(circuit, record, dt), shared_factors(circuit, modulate or {})
    check_given(circuit, inputs, shared)
    if given.dt_si != dt:  # what runs at its dt already has been warned of
        warn_of_time_step(circuit.populations.values(), dt)
    return circuit, steps, samples, shared


def check_given(circuit: Circuit, inputs: Sequence, shared: Mapping[str, Mapping[str, float]]) -> None:
    """Raise ValueError where synapses that learn wait for something, such as a reward, that no input delivers."""
    for projection in circuit.projections.values():
        for variable in projection.synapse.post.given:
            delivered = any((getattr(one, "variable", None), one.population) == (variable, projection.target) for one in inputs)
            if not delivered and shared[projection.name].get("learning", 1.0) != 0:
                raise ValueError(
                    f"projection {projection.name!r} learns by {variable!r} ({projection.synapse.name}), but no input delivers it to {projection.target!r}; "
                    f"give ns.Reward({projection.target!r}, times, amount), or modulate={{'{projection.name}.learning': 0.0}}"
                )


def _inputs(inputs) -> list:
    if hasattr(inputs, "bind"):
        raise TypeError(f"inputs is one {type(inputs).__name__}; give a list, inputs=[...]")
    for one in inputs:
        if not hasattr(one, "bind"):
            raise TypeError(
                f"{one!r} is no input; give PoissonInput, NoiseCurrent, StepCurrent, SpikeTimes, PoissonSpikes or Presentations"
            )
    return list(inputs)


def _with_dt(circuit: Circuit, dt: float) -> Circuit:
    if not dt > 0:
        raise ValueError(f"dt of the backend is {dt * 1e3:g} ms; give a time step above 0")
    if circuit.dt_si == dt:
        return circuit
    if circuit.dt_si is None:
        return replace(circuit, dt_si=dt)
    in_flight = {name: len(p.flight) for name, p in circuit.projections.items() if len(p.flight)}
    if in_flight:
        name, count = next(iter(in_flight.items()))
        raise ValueError(f"this circuit runs at dt = {circuit.dt_si * 1e3:g} ms and has {count} spikes in flight in {name!r}; keep that dt")
    step = round(circuit.time_si / dt)
    if abs(circuit.time_si - step * dt) > 1e-6 * dt:
        raise ValueError(
            f"this circuit stands at {circuit.time}, which is no whole multiple of dt = {dt * 1e3:g} ms; keep dt = {circuit.dt_si * 1e3:g} ms"
        )
    return replace(circuit, dt_si=dt, step=step)


def _samples(circuit: Circuit, record, dt: float) -> list:
    if isinstance(record, (Trace, Spikes)):
        raise TypeError(f"record is one {type(record).__name__}; give a list, record=[...]")
    samples = []
    for wish in record:
        if not isinstance(wish, (Trace, Spikes)):
            raise TypeError(f"{wish!r} cannot be recorded; give ns.Trace(...) or ns.Spikes(...)")
        part = circuit[wish.name]
        if isinstance(wish, Spikes):
            if wish.name not in circuit.populations:
                raise ValueError(f"{wish.name!r} is a projection and has no spikes; name a population")
            continue
        known = part.model.variables if wish.name in circuit.populations else {"weight": None, **part.synapse.variables}
        if wish.variable not in known:
            raise ValueError(f"{wish.name!r} has no variable {wish.variable!r} to trace.{near(wish.variable, known)}")
        every = 1 if wish.every is None else whole_steps(wish.every, dt, f"sampling interval of {wish.name}.{wish.variable}")
        if every < 1:
            raise ValueError(f"sampling interval of {wish.name}.{wish.variable} is {wish.every}; give at least one time step")
        if any(sample[:2] == (wish.name, wish.variable) for sample in samples):
            raise ValueError(f"{wish.name}.{wish.variable} is traced twice; ask for it once, with all ids")
        samples.append((wish.name, wish.variable, _chosen(part, wish), every))
    return samples


def _chosen(part, wish: Trace) -> np.ndarray:
    chosen = wish.chosen
    if chosen is None:
        return np.arange(len(part))
    if isinstance(chosen, (int, np.integer)) and not isinstance(chosen, bool):
        if not 0 < chosen <= len(part):
            raise ValueError(f"{chosen} of {wish.name!r} are to be traced, but it has {len(part)}; give a number from 1 to that, or ids")
        return np.arange(chosen)
    return part.rows(chosen)


def shared_factors(circuit: Circuit, modulate: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return the shared factors of every part, with the modulated ones in place; raise ValueError for an unknown one."""
    parts = {**circuit.populations, **circuit.projections}
    shared = {name: dict(part.shared) for name, part in parts.items()}
    options = [f"{name}.{factor}" for name, factors in shared.items() for factor in factors]
    for key, value in modulate.items():
        if key not in options:
            raise ValueError(f"{key!r} is to be modulated, but this circuit has no such shared factor.{near(key, options)}")
        name, factor = key.split(".")
        if isinstance(value, bool) or not np.isscalar(value) or not np.isfinite(value):
            raise ValueError(f"{key} is to be modulated by {value!r}; give one finite number")
        shared[name][factor] = float(value)
    return shared


def _check_finite(circuit: Circuit, recording: Recording) -> None:
    for name, part in {**circuit.populations, **circuit.projections}.items():
        table = part.cells if name in circuit.populations else part.synapses
        for column in table:
            if column != "position" and not table.finite(column):
                values = table[column]
                bad = ~np.isfinite(values)
                ids = table["id"][bad]
                told = ", ".join(map(str, ids[:MOST_IDS].tolist())) + (f" and {len(ids) - MOST_IDS} more" if len(ids) > MOST_IDS else "")
                raise NonFiniteStateError(
                    f"{column} of {name!r} is {values[bad][0]} for {len(ids)} of {len(values)} (ids {told}) at {circuit.time}; "
                    "lower dt or the input; .circuit and .recording hold what was done", circuit, recording
                )  # fmt: skip


@contextmanager
def _bar(steps: int, circuit: Circuit, progress: bool) -> Iterator[tqdm]:
    form = "{l_bar}{bar}| {n:.1f}/{total:.1f} s simulated [{elapsed}<{remaining}]"
    with tqdm(total=steps, unit_scale=circuit.dt_si, delay=2, leave=False, disable=not progress, desc="simulate", bar_format=form) as bar:
        yield bar


@contextmanager
def noted_interrupts() -> Iterator[list]:
    """Note Ctrl-C in the list that this yields, for a stop where the state is whole; a second one breaks off at once."""
    pressed: list = []
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield pressed
        return

    def note(number, frame):
        """Take Ctrl-C as a wish to stop, and a second one as an order."""
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
