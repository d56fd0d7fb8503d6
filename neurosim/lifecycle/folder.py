"""Run folders: a life that is written down while it is lived, resumed where it broke off, branched, and read again."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from neurosim.circuit import Circuit
from neurosim.files import sweep, understood
from neurosim.lifecycle.history import History
from neurosim.lifecycle.pages import PLACES, Page, numbers, place, read_page, write_page
from neurosim.lock import locked
from neurosim.recording import Recording
from neurosim.runfile import RUN, Session, begun, check_same, new_run, read_run
from neurosim.storage import read_circuit, read_recording


@dataclass(frozen=True)
class RunFolder:
    """Ask that a life be kept in a folder, epoch by epoch, while it is lived.

    `path` is a new or empty folder, or with `resume` also that of a run that broke off: its epoch under way is simulated again,
    and it ends with the same numbers as an unbroken one. `every` keeps the whole circuit every so many epochs, besides those at
    the start, at the ends of phases and now. `parent` is the run folder from one of whose epochs this life branches.
    """

    path: Any
    resume: bool = False
    every: int | None = None
    parent: Any = None

    def __post_init__(self):
        if self.every is not None and (isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1):
            raise ValueError(f"run folder {self.path} is to keep the circuit every {self.every!r} epochs; give a whole number, 1 or more")


class Book:
    """Write a life into its folder; made by `open_book`, which holds the folder's lock for it."""

    def __init__(self, folder: Path, about: dict, history: History, pages: list[Page]):
        self.history, self.finished = history, about["state"] == "finished"
        self._folder, self._about, self._pages = folder, about, pages
        if not self.finished:
            self._session = Session(folder, about)
            self.note("running")
            self._let_go()

    def write(self, recording: Recording | None) -> None:
        """Write the history's last epoch, its circuit and its recording; let go of circuits that need not stay."""
        history = self.history
        epoch, circuit = history.epochs[-1], history.circuit
        self._pages.append(write_page(self._folder, epoch, circuit, recording, self._about["run"], self._pages[-1].sha256))
        self.note("running")
        self._let_go()
        _lend(history, self._folder, self._pages, self._about)
        history.circuits_kept[epoch.number] = circuit

    def _let_go(self) -> None:
        for number in numbers(self._folder, "circuits"):
            if not _stays(number, self.history, self._about):
                place(self._folder, "circuits", number).unlink()

    def note(self, state: str) -> None:
        """Note in run.json how things stand."""
        self._session.note(state, epochs=len(self._pages) - 1)

    def finish(self) -> None:
        """Write the tables of a whole life and note that it is finished."""
        self.history.save_tables(self._folder)
        self.note("finished")


def open_book(wish: RunFolder, stack: ExitStack, start: Circuit, phase: str, specification: Mapping) -> Book:
    """Open a run folder to begin or resume a life, and hold its lock until the stack is closed.

    Raises FileExistsError for a folder with something in it that is not to be resumed, BlockingIOError for one that another
    process writes to, ValueError for one that is damaged or of another specification or version, OSError where nothing can
    be written.
    """
    folder, specification = Path(wish.path), {**specification, "keep": {"every": wish.every}}
    go_on = None if wish.resume else f"ns.RunFolder({str(folder)!r}, resume=True)"
    begun(folder, go_on)
    branch = None if wish.parent is None else _branch(folder, wish.parent, start)
    stack.enter_context(locked(folder))
    sweep(folder)
    if begun(folder, go_on):
        about = read_run(folder, "life")
        check_same(folder, about, specification, f"begin another life with ns.RunFolder(..., parent={str(folder)!r})")
        if branch and branch != about["branch"]:
            raise ValueError(f"the run in {folder} did not branch from epoch {start.epoch} of {wish.parent}; resume it without parent=...")
        history, pages = _read(folder, about, None)
        history.interrupted = False
        return Book(folder, about, history, pages)
    history = History.begin(start, phase)
    history.branch = branch
    about, page = _begin(folder, history, specification)
    return Book(folder, about, history, [page])


def _begin(folder: Path, history: History, specification: Mapping | None) -> tuple[dict, Page]:
    """Write the start of a run, which counts as begun once run.json stands in its folder; return the content of that."""
    for what in PLACES:  # what a run leaves behind that was killed before it had begun
        for number in numbers(folder, what):
            place(folder, what, number).unlink()
    start = history.start
    models = {name: population.model.hash for name, population in start.populations.items()}
    models |= {name: projection.synapse.hash for name, projection in start.projections.items()}
    about = new_run("life", specification, first=start.epoch, seed=int(start.seed), models=models, branch=history.branch)
    return about, write_page(folder, history.epochs[0], start, None, about["run"], None)


def save_history(history: History, folder) -> Path:
    """Save a history that was lived without a folder to a run folder that load_history reads.

    Raises FileExistsError for a folder with something in it and OSError where it cannot be written.
    """
    folder = Path(folder)
    begun(folder, "ns.RunFolder(..., resume=True)")
    with locked(folder):
        about, page = _begin(folder, history, None)
        pages = [page]
        for order, epoch in enumerate(history.epochs[1:]):
            recording = history.recordings[order] if history.recordings else None
            kept = history.kept.get(epoch.number)
            recording = recording() if callable(recording) else recording
            pages.append(write_page(folder, epoch, kept, recording, about["run"], pages[-1].sha256))
        session = Session(folder, about)
        session.note("interrupted", epochs=len(pages) - 1)
        history.save_tables(folder)
        session.note("interrupted" if history.interrupted else "finished", epochs=len(pages) - 1)
    return folder


def load_history(folder, until: int | None = None, whole: bool = False) -> History:
    """Load the history of a run folder, also while it is being written; circuits and recordings are read when asked for.

    `until` is the last epoch to read (None: all), `whole` puts the life before it that it branched from. Raises
    FileNotFoundError for a folder without a run and ValueError for one that is damaged, which says what is intact.
    """
    folder = Path(folder)
    history, _ = _read(folder, read_run(folder, "life"), until)
    if whole and history.branch:
        parent = folder / history.branch["folder"]
        if read_run(parent, "life")["run"] != history.branch["run"]:
            raise ValueError(
                f"the run in {folder} branched from another one than lies in {parent} now; put that back, or load it without whole=True"
            )
        before = load_history(parent, history.branch["epoch"], whole=True)
        history.epochs[:1] = before.epochs
        history.circuits_kept = before.circuits_kept | history.circuits_kept
        history.recordings = before.recordings + history.recordings if before.recordings and history.recordings else []
    return history


def load_circuit(path, epoch: int | None = None) -> Circuit:
    """Load a circuit from a file that save_circuit wrote, or from a run folder: that of an epoch, or the last.

    Raises FileNotFoundError for a missing file, KeyError for an epoch that was not kept in full and ValueError for a file
    that is damaged, not of neurosim, or given with an epoch.
    """
    if Path(path).is_dir():
        return load_history(path, epoch).circuit
    if epoch is not None:
        raise ValueError(f"{path} is no run folder, of which epoch {epoch} could be loaded; give a folder, or no epoch")
    return read_circuit(path)


def _read(folder: Path, about: Mapping, until: int | None) -> tuple[History, list[Page]]:
    """Read the pages of a run in order, each checked against the one before."""
    there = numbers(folder, "epochs")
    with understood(folder / RUN, "run"):
        done = max((session["epochs"] for session in about["sessions"]), default=0)
        run, state, branch, first = about["run"], about["state"], about["branch"], about["first"]
    last = max([first + done, *there])
    if until is not None and not first <= until <= last:
        raise ValueError(f"epoch {until} was asked for, but the run in {folder} has epochs {first} to {last}; give one of these")
    pages: list[Page] = []
    for number in range(first, (last if until is None else until) + 1):
        try:
            pages.append(read_page(folder, number, run, pages[-1].sha256 if pages else None))
        except (ValueError, OSError) as error:
            intact = (
                f"epochs {first} to {number - 1} are intact: ns.load_history({str(folder)!r}, until={number - 1})"
                if pages
                else "none is intact"
            )
            raise ValueError(f"{error}; of the epochs of this run, {intact}") from None
    whole = len(pages) == last - first + 1
    history = History([page.epoch for page in pages], {}, interrupted=state != "finished" and whole, branch=branch)
    _lend(history, folder, pages, about, whole)
    return history, pages


def _stays(number: int, history: History, about: Mapping, whole: bool = True) -> bool:
    """Tell whether the circuit of an epoch is to stay in full, so that it is missed if it is gone; `whole`: the history is."""
    ends = {history.epochs[0].number, *(last for *_, last in history.phases[:-1])}
    every = about["specification"] and about["specification"]["keep"]["every"]
    return number in ends or bool(every and number % every == 0) or whole and number == history.epochs[-1].number


def _lend(history: History, folder: Path, pages: list[Page], about: Mapping, whole: bool = True) -> None:
    """Let a history read circuits and recordings from their files instead of holding them."""
    there = set(numbers(folder, "circuits"))
    noted = {page.epoch.number: page for page in pages}
    history.circuits_kept = {
        number: partial(_circuit, place(folder, "circuits", number), page.circuit)
        for number, page in noted.items()
        if page.circuit and (number in there or _stays(number, history, about, whole))
    }
    history.recordings = [
        partial(read_recording, place(folder, "recordings", number), page.recording) for number, page in noted.items() if page.recording
    ]


@lru_cache(maxsize=2)
def _circuit(path: Path, sha256: str) -> Circuit:
    return read_circuit(path, sha256)


def _branch(folder: Path, parent, start: Circuit) -> dict:
    """Return where a life branches from, after a look whether its circuit can come from there."""
    history = load_history(parent)
    numbers = [epoch.number for epoch in history.epochs]
    if start.epoch not in numbers:
        raise ValueError(
            f"the circuit is of epoch {start.epoch}, but the run in {parent} has epochs {numbers[0]} to {numbers[-1]}; "
            f"load one of them with ns.load_circuit({str(parent)!r}, epoch=...)"
        )
    lineage = history.lineage
    alive = lineage[(lineage["birth"] <= start.epoch) & ((lineage["death"] < 0) | (lineage["death"] > start.epoch))]
    for name, population in start.populations.items():
        if set(population.ids.tolist()) != set(alive["id"][alive["population"] == name].tolist()):
            raise ValueError(
                f"population {name!r} of the circuit has other cells than epoch {start.epoch} of the run in {parent}; load that circuit with "
                f"ns.load_circuit({str(parent)!r}, epoch={start.epoch})"
            )
    return {"folder": os.path.relpath(parent, folder), "epoch": start.epoch, "run": read_run(Path(parent), "life")["run"]}
