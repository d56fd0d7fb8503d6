"""A folder for one process at a time: a lock of the operating system, which ends with the process that holds it."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurosim.files import unwritable

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    fcntl = None

NAME = ".lock"
PATIENCE = 3.0  # seconds in which a process that is being ended may let go


@contextmanager
def locked(folder) -> Iterator[Path]:
    """Hold a folder, which is made where it is missing, for this process alone.

    Raises BlockingIOError naming the process that holds it, and OSError for a folder that cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = open(folder / NAME, "a+", encoding="ascii")
    except OSError as error:
        raise unwritable(f"folder {folder}", error) from None
    with file:
        end = time.monotonic() + PATIENCE
        while not _take(file):
            if time.monotonic() > end:
                file.seek(0)
                holder = file.read().strip() or "another one"
                raise BlockingIOError(
                    errno.EAGAIN, f"folder {folder} is in use by process {holder}; wait until it ends, or choose another folder"
                )
            time.sleep(0.05)
        try:
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
        except OSError as error:
            raise unwritable(f"folder {folder}", error) from None
        yield folder


def _take(file) -> bool:
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):  # as Linux and as Windows say that it is taken
        return False
    except OSError as error:
        raise type(error)(error.errno, f"{file.name} cannot be locked ({error.strerror}); choose a folder on another file system") from None
    return True
