"""Write a figure and its data, each file whole or not at all."""

import io
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from neurosim.figures.style import paper
from neurosim.files import PART, csv_bytes, discard, unwritable
from neurosim.units import DIMENSIONLESS, get_dimensions, unit_name


def save(figure: Figure, folder, name: str, data: Mapping | None = None) -> tuple[Path, ...]:
    """Write `figure` to name.png (300 dpi) and name.pdf in `folder`, and its data to name.csv.

    data: column header with unit, such as "time (ms)" -> 1-D array of plain numbers or texts, all of one length. None takes
    figure.data, what a figure of this module drew; one that carries none, such as a figure of given axes, gets no table.
    The folder is made where it is missing. No file holds a date. Returns the paths.
    ValueError where name or columns do not fit; OSError where the folder cannot be written, before any file changes.
    """
    if not name or name != Path(name).name:
        raise ValueError(f"figure name {name!r} is not a plain file name; give one without folder")
    contents = {}
    data = getattr(figure, "data", None) if data is None else data
    if data is not None:
        contents[".csv"] = _table(data)
    with paper():
        contents[".png"] = _rendered(figure, "png", {"Software": "neurosim"})
        contents[".pdf"] = _rendered(figure, "pdf", {"Creator": "neurosim", "Producer": "neurosim", "CreationDate": None})
    return _write(Path(folder), {name + suffix: contents[suffix] for suffix in (".png", ".pdf", ".csv") if suffix in contents})


def _rendered(figure, kind, metadata) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, dpi=300, metadata=metadata)
    return buffer.getvalue()


def _table(data: Mapping) -> bytes:
    """Return `data` as CSV after a look at its columns."""
    columns = {}
    for header, column in data.items():
        if get_dimensions(column) is not DIMENSIONLESS:
            raise ValueError(
                f"column {header!r} carries the unit {unit_name(get_dimensions(column))}; divide it by the unit that its header names"
            )
        columns[header] = np.asarray(column)
        if columns[header].ndim != 1:
            raise ValueError(f"column {header!r} has shape {columns[header].shape}; give a 1-D array")
    sizes = {header: len(column) for header, column in columns.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"columns differ in length ({', '.join(f'{header}: {size}' for header, size in sizes.items())}); give one length")
    return csv_bytes(columns)


def _write(folder: Path, contents: dict[str, bytes]) -> tuple[Path, ...]:
    """Write all files under temporary names first, then give each its own: a failure leaves the folder as it was."""
    waiting = {folder / f".{name}.{os.getpid()}{PART}": folder / name for name in contents}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part, content in zip(waiting, contents.values(), strict=True):
            part.write_bytes(content)
    except OSError as error:
        for part in waiting:
            discard(part)
        raise unwritable(f"figures: folder {str(folder)!r}", error) from error
    try:
        for part, path in waiting.items():
            os.replace(part, path)
    finally:
        for part in waiting:
            discard(part)
    return tuple(waiting.values())
