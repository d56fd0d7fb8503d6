"""The files of one epoch in a run folder, each bound to the one before by its hash."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from neurosim.circuit import Circuit
from neurosim.files import archive_bytes, digest, read_archive, read_bytes, understood, write_whole
from neurosim.lifecycle.records import Epoch
from neurosim.recording import Recording
from neurosim.storage import circuit_archive, recording_archive

TABLES = ("census", "connectivity", "activity", "ledgers", "balance", "events")
BY_NAME = ("cells", "born", "gone")
PLACES = ("circuits", "epochs", "recordings")  # sub-folders of a run folder


def place(folder: Path, what: str, number: int) -> Path:
    """Return where one of PLACES has the file of an epoch."""
    return folder / what / f"{number:06}.npz"


@dataclass(frozen=True)
class Page:
    """Hold an epoch as read from its file: the record, its hash, and those of its circuit and recording (None: not there)."""

    epoch: Epoch
    sha256: str
    circuit: str | None
    recording: str | None


def write_page(
    folder: Path, epoch: Epoch, circuit: Circuit | None, recording: Recording | None, run: str | None, previous: str | None
) -> Page:
    """Write an epoch: its circuit and recording first, then the record, with which it counts as done."""
    hashes = {}
    for what, path, value, archive in (
        ("circuit", place(folder, "circuits", epoch.number), circuit, circuit_archive),
        ("recording", place(folder, "recordings", epoch.number), recording, recording_archive),
    ):
        hashes[what] = None
        if value is not None:
            content = archive_bytes(*archive(value))
            write_whole(path, content)
            hashes[what] = digest(content)
    about = {
        "kind": "epoch", "run": run, "previous": previous, **hashes, "epoch": epoch.number, "time": epoch.time, "phase": epoch.phase,
        "parts": epoch.parts, "rules": epoch.rules, "sources": epoch.sources, "measures": dict(epoch.measures),
        "dropped": dict(epoch.dropped), "lost": dict(epoch.lost),
    }  # fmt: skip
    arrays = {name: getattr(epoch, name) for name in TABLES}
    arrays |= {f"orders/{kind}/{name}": rows for (kind, name), rows in epoch.orders.items()}
    arrays |= {f"{what}/{name}": rows for what in BY_NAME for name, rows in getattr(epoch, what).items()}
    content = archive_bytes(about, arrays)
    write_whole(place(folder, "epochs", epoch.number), content)
    return Page(epoch, digest(content), **hashes)


def read_page(folder: Path, number: int, run: str | None, previous: str | None) -> Page:
    """Read an epoch and check that it belongs to this run and follows the page whose hash is given.

    Raises as read_archive does.
    """
    path = place(folder, "epochs", number)
    about, arrays = read_archive(path, "epoch")
    with understood(path, "epoch"):
        if (about["run"], about["previous"], about["epoch"]) != (run, previous, number):
            raise ValueError(f"{path} is of another run or was altered: it does not follow what is kept of this one; use another copy")
        by_name: dict[str, dict] = {what: {} for what in ("orders", *BY_NAME)}
        for key, rows in arrays.items():
            what, _, name = key.partition("/")
            if what == "orders":
                by_name[what][tuple(name.split("/"))] = rows
            elif what in by_name:
                by_name[what][name] = rows
        epoch = Epoch(
            number, about["time"], about["phase"], *(arrays[name] for name in TABLES), parts=tuple(about["parts"]), rules=tuple(about["rules"]),
            sources=tuple(about["sources"]), measures=about["measures"], dropped=Counter(about["dropped"]), lost=Counter(about["lost"]),
            **by_name,
        )  # fmt: skip
        return Page(epoch, digest(read_bytes(path, "epoch")), about["circuit"], about["recording"])


def numbers(folder: Path, what: str) -> list[int]:
    """Return the epochs of which a file lies in a sub-folder of a run folder."""
    return sorted(int(path.stem) for path in (folder / what).glob("*.npz") if path.stem.isdecimal())
