"""Files that survive: each written whole or not at all, archives of arrays with a manifest of hashes, tables as CSV, JSON."""

import csv
import errno
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

FORMAT = 3
PART = ".part"  # how the name of a file ends that is still being written
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LEVEL = 1  # of compression: half the time of zlib's own choice, files 3 % larger


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and so that it outlives a loss of power.

    Raises OSError naming the file where it cannot be written; what stood there before is then untouched.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        _sync(path.parent)
    except OSError as error:
        discard(part)
        raise unwritable(path, error) from None
    except BaseException:
        discard(part)
        raise


def unwritable(what, error: OSError) -> OSError:
    """Return the error of a file or folder that cannot be written, with its name and what to do."""
    remedy = "make room" if error.errno in FULL else "choose a folder that you may write to"
    return type(error)(error.errno, f"{what} cannot be written ({error.strerror or error}); {remedy}")


def discard(part: Path) -> None:
    """Remove an unfinished file, if it can be."""
    try:
        part.unlink(missing_ok=True)
    except OSError:
        pass  # the folder itself cannot be reached, which the caller reports


def sweep(folder: Path) -> None:
    """Remove what a process that was killed while it wrote has left in a folder and in those inside it."""
    for part in folder.rglob(f".*{PART}"):
        part.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    """Make a new name in a folder last; where folders cannot be opened (Windows) the system sees to it."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def digest(content: bytes) -> str:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(content).hexdigest()


def array_digest(values: np.ndarray) -> str:
    """Return the SHA-256 of an array: type, shape and values."""
    return digest(f"{values.dtype.str}{values.shape}".encode() + np.ascontiguousarray(values).tobytes())


def archive_bytes(about: Mapping, arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays and a description as an .npz file with the hash of each array; the same content gives the same bytes."""
    manifest = {**about, "format": FORMAT, "sha256": {name: array_digest(values) for name, values in arrays.items()}}
    text = np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, values in {"manifest": text, **arrays}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(values), allow_pickle=False)
    return buffer.getvalue()


def write_archive(path, about: Mapping, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write an archive to a file, whole or not at all; return its path, with the suffix .npz."""
    path = Path(path)
    path = path if path.suffix == ".npz" else path.with_name(path.name + ".npz")
    write_whole(path, archive_bytes(about, arrays))
    return path


def read_archive(path, kind: str, expected: str | None = None) -> tuple[dict, dict[str, np.ndarray]]:
    """Read an archive and check its hashes; return its description and arrays.

    `expected` is the hash of the whole file, where it is known. Raises FileNotFoundError for a missing file and
    ValueError for one that is damaged, altered or of another kind; nothing in a file is ever run.
    """
    path = Path(path)
    if not path.exists() and path.suffix != ".npz":
        path = path.with_name(path.name + ".npz")
    content = read_bytes(path, kind)
    if expected is not None and digest(content) != expected:
        raise ValueError(f"{path} is damaged or was altered: it does not match the hash that was noted of it; use another copy")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(arrays.pop("manifest").tobytes())
        altered = {name for name, values in arrays.items() if array_digest(values) != about["sha256"][name]}
        altered |= set(about["sha256"]) - set(arrays)
        found = (about.get("kind"), about.get("format"))
    except Exception as error:  # zipfile, its decompressors and the parsers of headers each have errors of their own
        raise ValueError(f"{path} is damaged or no {kind} of neurosim ({error}); give a file that neurosim saved") from None
    if found != (kind, FORMAT):
        raise ValueError(f"{path} holds a {found[0]} in format {found[1]}, not a {kind} in format {FORMAT}; give another file")
    if altered:
        raise ValueError(f"{path} is damaged: {min(altered)} does not match its hash; use another copy")
    return about, arrays


def read_bytes(path: Path, kind: str) -> bytes:
    """Return the content of a file; raises FileNotFoundError or another OSError that names it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}; give the path that the {kind} was saved to") from None
    except OSError as error:
        raise type(error)(error.errno, f"{path} cannot be read ({error.strerror}); give the path that the {kind} was saved to") from None


def write_json(path, content: Mapping) -> None:
    """Write a JSON file, whole or not at all."""
    write_whole(Path(path), json_bytes(content))


def json_bytes(content) -> bytes:
    """Return content as JSON; raises TypeError for what JSON cannot hold."""
    return (json.dumps(content, indent=1, default=_plain) + "\n").encode()


def read_json(path, kind: str) -> dict:
    """Read a JSON file that holds an object; raises as read_archive does."""
    try:
        content = json.loads(read_bytes(Path(path), kind))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}); use another copy") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged (it holds no {kind}); use another copy")
    return content


def _plain(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{value!r} cannot be kept in a JSON file; give numbers, texts, lists and dicts")


def csv_bytes(columns: Mapping[str, np.ndarray]) -> bytes:
    """Return columns of equal length as CSV; a float is written with as many digits as give it back exactly."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))
    return text.getvalue().encode()


def write_csv(path, rows: np.ndarray) -> Path:
    """Write a structured array to a CSV file, whole or not at all, with a column for each field; return its path."""
    write_whole(Path(path), csv_bytes({name: rows[name] for name in rows.dtype.names}))
    return Path(path)


@contextmanager
def understood(path, kind: str) -> Iterator[None]:
    """Turn what goes wrong with the content of a file whose hashes are right into a ValueError that names it."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path} holds no {kind} in format {FORMAT} ({error!r}); use another copy") from None
