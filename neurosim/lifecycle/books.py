"""Books: what rules keep about cells and synapses from epoch to epoch, brought up to date before any rule is called.

A book is a frozen dataclass with ``ledgers(circuit)``, the ledgers that it keeps by part, and ``keep(circuit, recording)``, the new
values (SI, one a row) of columns by (part, column); the part None stands for the circuit's notes. A rule tells what it reads by
``books``. Equal books of several rules are kept once. A book may name its ``notes``, which no other is then to keep.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from neurosim.circuit import Circuit
from neurosim.events import Events
from neurosim.lifecycle.schedules import at
from neurosim.recording import Recording


class Book:
    """Share what books have that may stand among a phase's rules themselves: they need themselves kept, and propose nothing."""

    @property
    def books(self) -> tuple:
        """The books that a phase with this one among its rules keeps."""
        return (self,)

    def __call__(self, circuit, recording, rng) -> Events:
        return Events()


def books_of(rules: Iterable, epoch: int | None = None) -> list:
    """Return the different books of rules, in the order in which they are named; those of schedules as they are in an epoch of their phase."""
    found = []
    for rule in rules:
        for book in getattr(rule, "books", ()):
            book = book if epoch is None else at(book, epoch)
            if book not in found:
                found.append(book)
    return found


def begun(circuit: Circuit, rules: Iterable) -> Circuit:
    """Return the circuit with the ledgers that rules keep; those that it has already go on.

    Raises ValueError where two rules keep the same ledger differently.
    """
    for book in books_of(rules, 0):
        known = {*circuit.populations, *circuit.projections}  # a part that is not there is what the rules' own checks tell of
        circuit = circuit.with_ledgers({part: ledgers for part, ledgers in book.ledgers(circuit).items() if part in known})
    return circuit


def check(circuit: Circuit, rules: Iterable, later: bool = False) -> None:
    """Check the rules of one phase and their books against a circuit with ledgers, where they have a ``check(circuit)``; raises what that does.

    `later` says that the phase begins with other numbers of cells: a rule that has a ``check_later(circuit)`` is checked by that.
    Raises ValueError where two different books keep the same ledger or note.
    """
    rules = list(rules)
    for one in (*rules, *books_of(rules)):
        if later and hasattr(one, "check_later"):
            one.check_later(circuit)
        elif hasattr(one, "check"):
            one.check(circuit)
    keepers: dict[tuple[str | None, str], object] = {}
    for book in books_of(rules):
        kept = [(part, ledger.name) for part, ledgers in book.ledgers(circuit).items() for ledger in ledgers]
        kept += book.writes(circuit) if hasattr(book, "writes") else []
        for part, name in (*kept, *((None, note) for note in getattr(book, "notes", ()))):
            other = keepers.setdefault((part, name), book)
            if type(other) is type(book) and other != book:
                what, which = (f"{name!r} of {part!r}", "ledger or variable") if part else (f"the note {name!r}", "label")
                raise ValueError(f"{what} is kept in two ways at once, by {other!r} and {book!r}; give one another {which}")


def kept(
    circuit: Circuit, recording: Recording, rules: Iterable, epoch: int = 0, measure: Callable | None = None
) -> tuple[Circuit, dict[str, set[str]]]:
    """Let each book bring its columns up to date with an epoch; return the circuit, and which columns changed, by part.

    The rules may have schedules, of which those of this `epoch` of their phase count (0 is its first). All books read the circuit as
    the epoch left it, whatever others have written: their order does not matter. What ``measure(circuit, recording)`` makes of the
    circuit then goes into ``recording.measures``, and last come the books that judge by that (those with a true `judges`), which read
    what the others have written. Raises TypeError for a measure that returns no dict of numbers.
    """
    books = books_of(rules, epoch)
    circuit, noted = _kept(circuit, recording, [book for book in books if not getattr(book, "judges", False)])
    if measure is not None:
        values = measure(circuit, recording)
        if not isinstance(values, Mapping):
            raise TypeError(f"measure returned {values!r}; it returns a dict of numbers by name")
        for name, value in values.items():
            if np.ndim(value) or np.asarray(value).dtype.kind not in "biuf":
                raise TypeError(f"measure returned {value!r} for {name!r}; give one number")
        recording.measures.update(values)
    circuit, more = _kept(circuit, recording, [book for book in books if getattr(book, "judges", False)])
    return circuit, {part: noted.get(part, set()) | more.get(part, set()) for part in {*noted, *more}}


def _kept(circuit: Circuit, recording: Recording, books: Iterable) -> tuple[Circuit, dict[str, set[str]]]:
    noted: dict[str, set[str]] = {}
    before = circuit
    for book in books:
        entries = book.keep(before, recording)
        circuit = _entered(circuit, entries, book)
        for part, column in entries:
            if part is not None:
                noted.setdefault(part, set()).add(column)
    return circuit, noted


def _entered(circuit: Circuit, entries: Mapping, book) -> Circuit:
    notes = {column: float(value) for (part, column), value in entries.items() if part is None}
    parts = {}
    for (name, column), values in entries.items():
        if name is None:
            continue
        part = parts.get(name, circuit[name])
        of_cells = name in circuit.populations
        table, model = (part.cells, part.model) if of_cells else (part.synapses, part.synapse)
        if column not in part.ledgers and not (of_cells and (column in model.variables or column == "position")):
            raise ValueError(f"{book!r} keeps {column!r} of {name!r}, which is neither a ledger nor a state variable there")
        values = np.asarray(values, dtype=float)
        if values.shape != table[column].shape or not np.isfinite(values).all():
            raise ValueError(
                f"{book!r} keeps {column!r} of {name!r} as values of shape {values.shape}; give finite ones of shape {table[column].shape}"
            )
        parts[name] = replace(part, **{"cells" if of_cells else "synapses": table.replace(**{column: values})})
    return circuit.updated(parts, notes={**circuit.notes, **notes}) if parts or notes else circuit
