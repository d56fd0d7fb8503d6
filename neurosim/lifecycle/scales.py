"""The time scales of a life, from the time step to the lifetime of cells and synapses."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurosim.circuit import Circuit
from neurosim.errors import TimeScaleWarning, TimeStepWarning
from neurosim.lifecycle.books import books_of
from neurosim.lifecycle.phases import Lifecycle
from neurosim.lifecycle.rescaling import rates_of
from neurosim.lifecycle.summary import aligned
from neurosim.timescales import above_advice, outside, time_constants
from neurosim.units import second, to_si

APART = 5  # times that a scale is to be longer than the one before it
GROUPS = ("time step", "membrane", "receptors", "other state of cells", "plasticity", "calcium", "epoch", "structure")
# What is compared, each with the next. Traces of spike times are meant to be about as long as the membrane, and stand beside it. Calcium and
# epoch may come in either order: homeostatic rules want calcium that lasts many epochs, others epochs that average over it.
CHAINS = (
    (("time step",), ("membrane", "plasticity"), ("epoch",), ("structure",)),
    (("membrane", "plasticity"), ("calcium",), ("structure",)),
)
UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


class Scale(NamedTuple):
    """One time constant, in seconds."""

    group: str
    name: str
    seconds: float


@dataclass(frozen=True)
class TimeScales:
    """Hold the time scales of a life, ordered by group; print it for a table with what is too close, and what dt is too long for.

    `too_long` has a sentence for each population whose cell's file advises a shorter time step.
    """

    rows: Sequence[Scale]
    too_long: Sequence[str] = ()

    @property
    def warnings(self) -> list[str]:
        """A sentence for each pair of neighbours that are closer than a factor of 5.

        Neighbours are, as far as there are any: the time step; the slowest of membrane and plasticity (for the time step: the
        fastest membrane); the epoch; structure. Calcium is to be apart from all of these, and may be shorter or longer than the epoch.
        """
        found = []
        for chain in CHAINS:
            steps = [rows for rows in ([row for row in self.rows if row.group in step] for step in chain) if rows]
            for before, after in zip(steps, steps[1:], strict=False):
                upper = min([row for row in after if row.group != "plasticity"] or after, key=lambda row: row.seconds)
                found += _close(max(before, key=lambda row: row.seconds), upper)
        epoch = [row for row in self.rows if row.group == "epoch"]
        for calcium in (row for row in self.rows if row.group == "calcium"):
            found += [one for row in epoch for one in _close(*sorted((calcium, row), key=lambda one: one.seconds))]
        return list(dict.fromkeys(found))

    def __str__(self) -> str:
        table = aligned([["scale", "of", "time"], *([row.group, row.name, _text(row.seconds)] for row in self.rows)], left=2)
        return "\n".join([table, *(f"too close: {warning}" for warning in self.warnings), *(f"too long: {one}" for one in self.too_long)])


def _close(lower: Scale, upper: Scale) -> list[str]:
    """Return a sentence where one scale is not so many times as long as another."""
    if upper.seconds >= APART * lower.seconds:
        return []
    long, short = (f"{row.name} ({row.group}, {_text(row.seconds)})" for row in (upper, lower))
    return [f"{long} is not {APART} times as long as {short}"]


def time_scales(circuit, life, history=None) -> TimeScales:
    """Return the time scales of a circuit and its life; warn where neighbours are closer than a factor of 5.

    They are the time step (once there is one), the time constants of cells (see `timescales.time_constants`) and of the traces of
    synapses, those of calcium and other books that rules keep (their `tau`), the epoch, and structure: 1/hazard of each rule, or,
    with the history of such a life, the time that the cells or synapses of each part lived, over those of them that died. A
    TimeScaleWarning names each pair that is too close; which are compared is told by TimeScales.warnings. A TimeStepWarning names each
    population whose cell's file advises a shorter time step. Raises TypeError for what is no circuit or no lifecycle.
    """
    if not isinstance(circuit, Circuit) or not isinstance(life, Lifecycle):
        raise TypeError(f"ns.time_scales needs a circuit and a lifecycle, not {circuit!r} and {life!r}; give ns.time_scales(circuit, life)")
    found = [*_of_circuit(circuit), *_of_life(circuit, life, history)]
    too_long = () if circuit.dt_si is None else tuple(above_advice(circuit.populations.values(), circuit.dt_si))
    scales = TimeScales(tuple(sorted(found, key=lambda row: (GROUPS.index(row.group), row.seconds))), too_long)
    for warning in scales.warnings:
        warnings.warn(f"{warning}; what happens on the one then depends on the other", TimeScaleWarning, stacklevel=outside())
    for warning in too_long:
        warnings.warn(warning, TimeStepWarning, stacklevel=outside())
    return scales


def _of_circuit(circuit) -> Iterator[Scale]:
    if circuit.dt_si is not None:
        yield Scale("time step", "dt", circuit.dt_si)
    learned = {name: set() for name in circuit.populations}
    for name, projection in circuit.projections.items():
        learned[projection.target] |= set(projection.synapse.post.lines)
        yield from (Scale("plasticity", f"{name}.{trace}", float(tau)) for trace, tau in time_constants(projection.synapse).items())
    for name, population in circuit.populations.items():
        model = population.model
        if model.source or not len(population):
            continue
        received = {receptor.variable for receptor in model.receptors.values()}
        for variable, tau in time_constants(model, {one: getattr(population, one) for one in model.per_cell}).items():
            special = (("membrane", variable == "v"), ("plasticity", variable in learned[name]), ("receptors", variable in received))
            group = next((group for group, holds in special if holds), "other state of cells")
            yield Scale(group, f"{name}.{variable}", float(tau))


def _of_life(circuit, life, history) -> Iterator[Scale]:
    kept = {}
    for phase in life.phases:
        for book in books_of(phase.rules):
            if hasattr(book, "tau"):
                columns = ", ".join(f"{part}.{ledger.name}" for part, ledgers in book.ledgers(circuit).items() for ledger in ledgers)
                kept[columns] = to_si(book.tau, second, f"tau of {book!r}")
    yield from (Scale("calcium", columns, tau) for columns, tau in kept.items())
    yield Scale("epoch", "epoch", to_si(life.epoch, second, "epoch of the lifecycle"))
    if history is not None:
        yield from _lived(history)
        return
    for phase in life.phases:
        for (label, _), rule in zip(phase.labelled(), phase.rules, strict=True):  # which has the values of all epochs
            rates = [float(np.max(rate)) for rate in rates_of(rule)]
            if rates and max(rates) > 0:
                yield Scale("structure", label, 1 / max(rates))


def _lived(history) -> Iterator[Scale]:
    """Go through the parts in which something died: their mean lifetimes, all time lived over all deaths."""
    for name in (*history.epochs[0].cells, *history.epochs[0].born):
        rows = history.series(name)
        deaths = rows["deaths"].sum()
        if deaths:
            yield Scale("structure", f"{name}, measured", float(rows["size"][:-1] @ np.diff(rows["time"]) / deaths))


def _text(seconds: float) -> str:
    size, unit = next((one for one in UNITS if seconds >= one[0]), UNITS[-1])
    return f"{seconds / size:.3g} {unit}"
