"""Develop a circuit: simulate an epoch, let the rules propose, carry out the surgery, and again."""

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from itertools import islice

import numpy as np
from tqdm import tqdm

from neurosim.backends.brian2 import Brian2
from neurosim.circuit import Circuit
from neurosim.edit import Edit
from neurosim.errors import Interrupted, TimeScaleWarning
from neurosim.events import Events
from neurosim.lifecycle.books import begun, kept
from neurosim.lifecycle.books import check as check_rules
from neurosim.lifecycle.energy import check_first_boundary
from neurosim.lifecycle.folder import RunFolder, open_book
from neurosim.lifecycle.history import History
from neurosim.lifecycle.parts import whole
from neurosim.lifecycle.phases import Lifecycle
from neurosim.lifecycle.reach import tell_unreached
from neurosim.lifecycle.records import lived_epoch
from neurosim.lifecycle.scales import time_scales
from neurosim.randomness import generator
from neurosim.recording import Recording, Spikes, Trace
from neurosim.simulate import check_given, checked, noted_interrupts, shared_factors, simulate
from neurosim.specification import specification
from neurosim.surgery import plan


def develop(
    circuit: Circuit,
    life: Lifecycle,
    *,
    inputs: Sequence = (),
    record: Sequence = (),
    measure: Callable | None = None,
    backend=None,
    progress=True,
    keep=None,
) -> History:
    """Let a circuit live through the phases of a life and return its history.

    Each epoch is simulated; then its rules read the same circuit and recording and propose events, which one surgery
    carries out. `inputs` act in the circuit's own time over the whole life. `record` asks for what the history keeps of
    every epoch: ns.Trace (descendants of the chosen included) and ns.Spikes. ``measure(circuit, recording)`` is called
    before each boundary, with ledgers up to date, and returns a dict of numbers for the history. `progress` is True for a bar and a table of the life's time
    scales, False for neither, or a function called with (epochs done, epochs in all). `keep` is an ns.RunFolder (or the path of a new folder) in which each
    epoch is kept as soon as it is over, and from which a life that broke off goes on. Ctrl-C ends the life after the last
    whole epoch and returns the history so far. Everything is checked before anything runs; errors are those of `simulate`, of
    the folder and of the rules' own ``check(circuit)``. An error raised in the middle carries what was lived through as ``.history``.
    """
    backend = backend or Brian2()
    given, circuit = circuit, _prepared(circuit, life)
    started = _check(circuit, life, inputs, record, backend)
    _check_rules(started, life, measure)
    with ExitStack() as stack:
        book = None
        if keep is not None:
            keep = keep if isinstance(keep, RunFolder) else RunFolder(keep)
            made_of = {"circuit": given, "life": life, "inputs": inputs, "record": record, "measure": measure, "backend": backend}
            book = open_book(keep, stack, circuit, life.phases[0].name, specification(made_of))
        history = History.begin(circuit, life.phases[0].name) if book is None else book.history
        if book and book.finished:
            print(f"{keep.path}: this life of {life.epochs} epochs is finished; its history is read", file=sys.stderr)
            return history
        if progress is True:
            _tell(started, life)
        how = {"total": life.epochs, "initial": len(history.epochs) - 1, "disable": progress is not True}
        bar = stack.enter_context(tqdm(**how, delay=2, desc="develop", unit="epoch", leave=False))
        pressed = stack.enter_context(noted_interrupts())
        running = stack.enter_context(backend.opened())
        try:
            for done in _live(history, life, inputs, record, measure, running, pressed):
                if book:
                    book.write(done)
                _progressed(bar, history, life, progress)
            if book:
                book.finish()
        except Interrupted:
            history.interrupted = True
            print(f"interrupted: the life ends after {len(history.epochs) - 1} of {life.epochs} epochs", file=sys.stderr)
            if book:
                book.note("interrupted")
        except Exception as error:
            error.history = history
            _note_failure(book, error)
            raise
    return history


def _progressed(bar: tqdm, history: History, life: Lifecycle, progress) -> None:
    bar.set_postfix_str(history.epochs[-1].phase)
    bar.update()
    if callable(progress):
        progress(len(history.epochs) - 1, life.epochs)


def _note_failure(book, error: Exception) -> None:
    if book:
        with suppress(OSError):  # a full disk, say, is what the error already tells
            book.note(f"failed: {type(error).__name__}: {error}")


def _tell(circuit: Circuit, life: Lifecycle) -> None:
    """Print the time scales of a life."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TimeScaleWarning)  # the table says what is too close
        print(time_scales(circuit, life), file=sys.stderr)


def _live(history: History, life: Lifecycle, inputs, record, measure, running, pressed) -> Iterator[Recording | None]:
    """Live through the epochs that a history lacks and add each to it; yield what is kept of its recording."""
    circuit, wishes = history.circuit, _wishes(record, history)
    for phase, number in islice(life, len(history.epochs) - 1, None):
        if pressed:
            raise Interrupted("the life was interrupted between two epochs", circuit)
        wishes = [_follow(circuit, wish) for wish in wishes]
        circuit, recording = simulate(
            circuit, life.epoch, inputs=inputs, record=wishes, modulate=phase.factors(number), backend=running, progress=False
        )
        rules = phase.labelled(number)
        circuit, noted = kept(circuit, recording, phase.rules, number, measure)
        edit, notes = _proposed(circuit, recording, rules, noted), circuit.notes
        # All that is to be told of the circuit before the edit is read now, and nobody keeps it: else it would have to be copied first.
        lived = lived_epoch(circuit, phase.name, recording, edit, recording.measures)
        part = _part(recording, record) if wishes else None
        history.let_go(phase.name)
        del circuit
        circuit = running.carry_out(edit).updated({}, epoch=lived.number, notes=notes)
        history.note(lived, circuit, part)
        yield part


def _proposed(circuit: Circuit, recording: Recording, rules, noted: Mapping) -> Edit:
    """Ask the rules of an epoch for events, and plan what they come to."""
    proposed = Events()
    for label, rule in rules:
        rng = generator(circuit.seed, f"rule/{circuit.epoch}/{label}")
        events = rule(circuit, recording, rng)
        if not isinstance(events, Events):
            raise TypeError(f"rule {label!r} returned {events!r}; a rule returns ns.Events (an empty ns.Events() for nothing)")
        proposed += events.labelled(label)
    return plan(circuit, proposed, noted)


def _prepared(circuit: Circuit, life: Lifecycle) -> Circuit:
    """Return the circuit with the ledgers that the rules of a life keep."""
    if not isinstance(life, Lifecycle):
        raise TypeError(f"develop needs a lifecycle, not {life!r}; make one with ns.Lifecycle(epoch=..., phases=[...])")
    if not isinstance(circuit, Circuit):
        raise TypeError(f"develop needs a circuit, not {circuit!r}; make one with ns.Circuit([...], [...])")
    return begun(circuit, [rule for phase in life.phases for rule in phase.rules])


def _check(circuit: Circuit, life: Lifecycle, inputs, record, backend) -> Circuit:
    """Check all that a life is given; return the circuit with its time step."""
    started, steps, *_ = checked(circuit, life.epoch, inputs, record, life.phases[0].factors(0), backend)
    if not hasattr(backend, "opened"):
        raise TypeError(
            f"{backend!r} runs circuits but carries out no edits, as develop needs; give a backend such as ns.Brian2(dt=0.1*ms)"
        )
    for passed, (phase, number) in enumerate(life):
        check_given(started, inputs, shared_factors(started, phase.factors(number)))
        # Each epoch at its own time, so that stimuli that end before the life does are found now.
        start = started.step + passed * steps
        for one in inputs:
            one.check(started, started.dt_si, start, start + steps)
    return started


def _check_rules(circuit: Circuit, life: Lifecycle, measure) -> None:
    """Check the rules of every phase as they are in each of its epochs, and that what they wait for is measured."""
    if not (measure is None or callable(measure)):
        raise TypeError(f"measure of develop is {measure!r}; give a function of (circuit, recording)")
    acted, acting = False, []
    for phase in life.phases:
        for epoch in range(phase.epochs if phase.scheduled else 1):
            rules = [rule for _, rule in phase.labelled(epoch)]
            check_rules(circuit, rules, acted)
            acting += rules
        acted = acted or bool(phase.rules)
        for part in whole(list(phase.rules)):
            if hasattr(part, "check_epoch"):
                part.check_epoch(life.epoch)
        for name in _awaited(phase.rules):
            if measure is None:
                raise ValueError(
                    f"phase {phase.name!r} waits for measure {name!r}, but nothing is measured; give develop(..., measure=...)"
                )
    tell_unreached(circuit, acting)
    check_first_boundary(circuit, life.phases[0].rules, life.epoch)


def _awaited(rules) -> Iterator[str]:
    """Go through the names of the measures that rules, and those within them, wait for."""
    for rule in rules:
        if isinstance(getattr(rule, "measure", None), str):
            yield rule.measure
        yield from _awaited(getattr(rule, "nested", ()))


def _wishes(record, history: History) -> list:
    """Return what to trace next: what was asked for at first, or what the last recorded epoch traced of it."""
    if not history.recordings:
        return list(record)
    last = history.recordings[-1]
    last = last() if callable(last) else last
    return [
        wish if isinstance(wish, Spikes) or wish.chosen is None
        else Trace(wish.name, wish.variable, cells=last[wish.name].trace(wish.variable).ids, every=wish.every)
        for wish in record
    ]  # fmt: skip


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


def _part(recording: Recording, record) -> Recording:
    """Keep what was asked for and let the rest of an epoch's spikes go."""
    spikes = {wish.name for wish in record if isinstance(wish, Spikes)}
    names = {wish.name for wish in record}
    return recording.keeping(names, spikes)
