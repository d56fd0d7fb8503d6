"""The folder of what is compiled: its entries, what is removed when it grows, and benches where one process works at a time."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from neurosim.backends.compiler import cache_root, writing_cache
from neurosim.lock import NAME, locked

LIMIT = 256 * 2**20  # bytes of libraries
GRACE = timedelta(minutes=1)  # in which a library that was just taken by someone is loaded
ABOUT = "about.json"
BENCHES = ".benches"
KEY = 24  # digits of the key of a library
HEX = "[0-9a-f]"  # no folder of another name is ever removed


class Entry(NamedTuple):
    """What the cache holds of one library, or of the Cython modules of one kind: key, summary, bytes, time of the last use, folder."""

    key: str
    summary: str
    bytes: int
    used: datetime
    folder: Path


def libraries() -> Path:
    """The folder of all libraries."""
    return cache_root() / "library"


def entries() -> list[Entry]:
    """Return what is in the cache: libraries, the least recently used first, then Cython modules."""
    modules = (_entry(folder, "Cython modules") for folder in cache_root().glob("cython-" + 12 * HEX))
    return [*_libraries(), *filter(None, modules)]


def clear() -> int:
    """Remove all that is compiled, libraries and Cython modules; return the bytes freed.

    What another process is building stays. Raises OSError where something cannot be removed.
    """
    freed = 0
    if not cache_root().exists():
        return freed
    with writing_cache(), workshop("clear") as bench:
        for entry in entries():
            if _moved(entry, bench):
                shutil.rmtree(bench / entry.key)
                freed += entry.bytes
        for other in bench.parent.iterdir():
            if other != bench:
                with suppress(BlockingIOError), workshop(other.name):
                    pass  # holding it has removed what a killed build left
    return freed


def prune(bench: Path, kept: str) -> None:
    """Remove the libraries that were not used for longest until the others have room, but not `kept` nor one that was just taken."""
    found = _libraries()
    excess = sum(entry.bytes for entry in found) - LIMIT
    for entry in found:
        if excess > 0 and entry.key != kept and datetime.now() - entry.used > GRACE:
            with suppress(PermissionError):  # somebody else's, in a folder that is shared
                excess -= entry.bytes * _moved(entry, bench)


@contextmanager
def workshop(name: str) -> Iterator[Path]:
    """Hold a bench, a folder that is empty at first and at last, for one process and thread at a time.

    What a killed one left on it is removed. Raises BlockingIOError where another holds it for seconds, and OSError where the
    cache cannot be written.
    """
    with ExitStack() as held:
        with writing_cache():
            bench = held.enter_context(locked(libraries() / BENCHES / name))
        _empty(bench)
        held.callback(_empty, bench)
        yield bench


def _empty(bench: Path) -> None:
    for path in bench.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != NAME:
            path.unlink(missing_ok=True)


def _moved(entry: Entry, bench: Path) -> bool:
    """Take an entry out of everybody's sight in one step; whoever has loaded its library keeps it. False where another was faster."""
    try:
        os.replace(entry.folder, bench / entry.key)
    except FileNotFoundError:
        return False
    return True


def _libraries() -> list[Entry]:
    found = (_entry(folder, "") for folder in libraries().glob(KEY * HEX))
    return sorted(filter(None, found), key=lambda entry: entry.used)


def _entry(folder: Path, summary: str) -> Entry | None:
    """Describe a folder; None where it has just been removed."""
    try:
        files = [path.stat() for path in folder.rglob("*") if path.is_file()]
        about = folder / ABOUT
        used = (about if about.exists() else folder).stat().st_mtime
        return Entry(folder.name, summary or _summary(about), sum(file.st_size for file in files), datetime.fromtimestamp(used), folder)
    except FileNotFoundError:
        return None


def _summary(about: Path) -> str:
    try:
        told = json.loads(about.read_bytes())
        failed = "" if told["sha256"] else ", did not compile"
        return f"{told['description'].partition(chr(10))[0]}, {told['arithmetic']}{failed}"
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return "damaged"
