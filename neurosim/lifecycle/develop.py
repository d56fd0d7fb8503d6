"""Develop a circuit: simulate an epoch, let the rules propose, carry out the surgery, and again."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from neurosim.backends.brian2 import Brian2
from neurosim.circuit import Circuit
from neurosim.errors import Interrupted
from neurosim.events import Events
from neurosim.lifecycle.history import History
from neurosim.lifecycle.phases import Lifecycle
from neurosim.randomness import generator
from neurosim.recording import Recording, Spikes, Trace
from neurosim.simulate import checked, noted_interrupts, simulate
from neurosim.surgery import carry_out, plan


def develop(
    circuit: Circuit,
    life: Lifecycle,
    *,
    inputs: Sequence = (),
    record: Sequence = (),
    measure: Callable | None = None,
    backend=None,
    progress=True,
) -> History:
    """Let a circuit live through the phases of a life and return its history.

    Each epoch is simulated; then its rules read the same circuit and recording and propose events, which one surgery
    carries out. `inputs` act in the circuit's own time over the whole life. `record` asks for what the history keeps of
    every epoch: ns.Trace (descendants of the chosen included) and ns.Spikes. ``measure(circuit, recording)`` is called
    before each boundary and returns a dict of numbers for the history. `progress` is True for a bar, False for none, or
    a function called with (epochs done, epochs in all). Ctrl-C ends the life after the last whole epoch
    and returns the history so far. Everything is checked before anything runs; errors are those of `simulate` and of the
    rules' own ``check(circuit)``. An error raised in the middle carries what was lived through as ``.history``.
    """
    backend = backend or Brian2()
    _check(circuit, life, inputs, record, backend)
    history = History.begin(circuit, life.phases[0].name)
    wishes = list(record)
    with (
        tqdm(total=life.epochs, delay=2, disable=progress is not True, desc="develop", unit="epoch", leave=False) as bar,
        noted_interrupts() as pressed,
    ):
        try:
            for phase, number in life:
                if pressed:
                    raise Interrupted("the life was interrupted between two epochs", circuit)
                bar.set_postfix_str(phase.name)
                wishes = [_follow(circuit, wish) for wish in wishes]
                circuit, recording = simulate(
                    circuit, life.epoch, inputs=inputs, record=wishes, modulate=phase.factors(number), backend=backend, progress=False
                )
                values = {} if measure is None else measure(circuit, recording)
                if not isinstance(values, Mapping):
                    raise TypeError(f"measure returned {values!r}; it returns a dict of numbers by name")
                circuit = _pass_boundary(circuit, recording, phase, history)
                history.measure(values)
                if wishes:
                    history.recordings.append(_kept(recording, record))
                history.circuits[phase.name] = circuit
                bar.update()
                if callable(progress):
                    progress(len(history.boundaries), life.epochs)
        except Interrupted:
            history.interrupted = True
            print(f"interrupted: the life ends after {len(history.boundaries)} of {life.epochs} epochs", file=sys.stderr)
        except Exception as error:
            error.history = history
            raise
    return history


def _pass_boundary(circuit: Circuit, recording: Recording, phase, history: History) -> Circuit:
    proposed = Events()
    for label, rule in phase.labelled():
        rng = generator(circuit.seed, f"rule/{circuit.epoch}/{label}")
        events = rule(circuit, recording, rng)
        if not isinstance(events, Events):
            raise TypeError(f"rule {label!r} returned {events!r}; a rule returns ns.Events (an empty ns.Events() for nothing)")
        proposed += events.labelled(label)
    edit = plan(circuit, proposed)
    after = replace(carry_out(circuit, edit), epoch=circuit.epoch + 1)
    history.note(circuit, after, phase.name, proposed, edit)
    return after


def _check(circuit: Circuit, life: Lifecycle, inputs, record, backend) -> None:
    if not isinstance(life, Lifecycle):
        raise TypeError(f"develop needs a lifecycle, not {life!r}; make one with ns.Lifecycle(epoch=..., phases=[...])")
    begun, steps, *_ = checked(circuit, life.epoch, inputs, record, None, backend)
    for passed, (phase, number) in enumerate(life):
        # Each epoch at its own time, so that stimuli that end before the life does are found now.
        later = replace(begun, step=begun.step + passed * steps)
        checked(later, life.epoch, inputs, record, phase.factors(number), backend)
    for phase in life.phases:
        for _, rule in phase.labelled():
            if hasattr(rule, "check"):
                rule.check(begun)


def _follow(circuit: Circuit, wish):
    """Turn what a trace asks for into ids that are there now: the chosen that live, and their children."""
    if isinstance(wish, Spikes) or wish.chosen is None:
        return wish
    part = circuit[wish.name]
    table = part.cells if wish.name in circuit.populations else part.synapses
    if isinstance(wish.chosen, (int, np.integer)):
        ids = part.ids[: wish.chosen]
    else:
        chosen = np.asarray(wish.chosen, dtype=np.int64)
        ids = part.ids[np.isin(part.ids, chosen) | np.isin(table["parent"], chosen)]
    return Trace(wish.name, wish.variable, cells=ids, every=wish.every)


def _kept(recording: Recording, record) -> Recording:
    """Keep what was asked for and let the rest of an epoch's spikes go."""
    spikes = {wish.name for wish in record if isinstance(wish, Spikes)}
    names = {wish.name for wish in record}
    return recording.keeping(names, spikes)
