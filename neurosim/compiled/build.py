"""A library for a description: taken from the cache, or generated and compiled once, whoever else wants the same at that time."""

import json
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import brian2

from neurosim.backends import compiler
from neurosim.compiled.store import ABOUT, KEY, libraries, prune, workshop
from neurosim.files import digest, json_bytes, write_whole

SOURCE, LAYOUT, LIBRARY = "source.cpp", "layout.json", "library.so"
SECONDS = 5  # measured: 2 to 5 s for code generation and compilation, hardly more for a hundred objects


def generators() -> list[Path]:
    """Return our own files that what is generated may depend on."""
    folder = Path(compiler.__file__).parent
    return sorted(path for pattern in ("*.py", "*.h") for path in folder.rglob(pattern))


# Noted when they are imported: edited later, they are no longer the ones that generate here.
GENERATORS = digest(json_bytes([path.read_text(encoding="utf-8") for path in generators()]))


@dataclass(frozen=True)
class Compiled:
    """A compiled library: the path of its file, the layout that was made with its source, and the folder of both.

    Another process may remove them a minute after `library` gave them: load or copy the file at once, and ask again later.
    """

    path: Path
    layout: dict
    folder: Path


def library(description: str, arithmetic: str, make: Callable[[], tuple[str, dict]]) -> Compiled:
    """Return the library of a description, compiled on first use.

    `description` names all that the source depends on, in its first line for people; `arithmetic` is "fast" or "strict"; `make`
    returns the C++ source and a layout of what JSON holds, and is called only where nothing is kept. Raises RuntimeError without
    a compiler and for a source that it rejects, and OSError for a cache that cannot be written.
    """
    tool = compiler.library_compiler(arithmetic)
    about = {
        "description": description,
        "arithmetic": arithmetic,
        "compiler": [*tool.command, tool.version],
        "flags": [*tool.compiling, *tool.linking],
        "brian2": brian2.__version__,
        "platform": [sys.platform, compiler.processor()],
        "generators": GENERATORS,
    }
    key = digest(json_bytes(about))[:KEY]
    while (found := _read(libraries() / key)) is None:
        with ExitStack() as held:
            try:
                # Few locks for all keys, because a lock file that is removed while others wait for it locks nothing.
                bench = held.enter_context(workshop(key[:2]))
            except BlockingIOError:
                continue  # another one builds it, and may be done
            found = _read(libraries() / key) or _build(bench, libraries() / key, about, tool, make)
            prune(bench, key)
            return found
    return found


def _read(folder: Path) -> Compiled | None:
    """Return the library of a folder and note its use; None where it is missing or anything about it is damaged."""
    try:
        hashes = json.loads((folder / ABOUT).read_bytes())["sha256"]
        content = {name: (folder / name).read_bytes() for name in (LIBRARY, LAYOUT)}
        if any(digest(content[name]) != hashes[name] for name in content):
            return None
        layout = json.loads(content[LAYOUT])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    with suppress(OSError):  # a cache that is only read is as good
        os.utime(folder / ABOUT)
    return Compiled(folder / LIBRARY, layout, folder)


def _build(bench: Path, folder: Path, about: dict, tool: compiler.Compiler, make: Callable) -> Compiled:
    """Make an entry on a bench, out of sight, and put it into place when it is whole."""
    compiler.announce(SECONDS)
    source, layout = make()
    entry, made = bench / "entry", bench / LIBRARY
    plan = json_bytes(layout)
    with compiler.writing_cache():
        write_whole(entry / SOURCE, source.encode())
        try:
            tool.build(entry / SOURCE, made)
        except RuntimeError as error:
            write_whole(entry / ABOUT, json_bytes({**about, "sha256": {}}))
            _put(entry, folder, bench)
            raise RuntimeError(
                f"{tool.command[0]} does not compile the generated source ({error}); "
                f'it is kept as {folder / SOURCE}; let CXX name another compiler, or use target="cython"'
            ) from None
        content = {LIBRARY: made.read_bytes(), LAYOUT: plan}
        for name, data in content.items():
            write_whole(entry / name, data)
        write_whole(entry / ABOUT, json_bytes({**about, "sha256": {name: digest(data) for name, data in content.items()}}))
        _put(entry, folder, bench)
    return Compiled(folder / LIBRARY, json.loads(plan), folder)


def _put(entry: Path, folder: Path, bench: Path) -> None:
    with suppress(FileNotFoundError):
        os.replace(folder, bench / "damaged")
    os.replace(entry, folder)
