"""Numbers of a recorded or made trace, read from a CSV or NPY file and checked one by one."""

import csv
import io
import math
from pathlib import Path

import numpy as np

from neurosim.errors import near
from neurosim.files import read_bytes

_IRREGULAR = 0.01  # of the usual interval: what one may differ, as a file gives times with few digits
_DIGITS = 9  # to which the interval of such times is known at best


def read_samples(path, column: str | int | None, time: str | int | None) -> tuple[np.ndarray, float | None]:
    """Return the samples of a file, shape (samples,) or (rows, samples), and the interval of its column of times, if it is named.

    Raises FileNotFoundError for a missing file and ValueError naming file, line and value for what cannot be read.
    """
    path = Path(path)
    content = read_bytes(path, "trace")
    if path.suffix == ".npy":
        if column is not None or time is not None:
            raise ValueError(f"{path} is an NPY file, which has no columns; give dt alone, and choose with .rows(...)")
        return _read_npy(path, content), None
    if path.suffix != ".csv":
        raise ValueError(f"{path} ends in {path.suffix or 'nothing'!r}; give a .csv or .npy file")
    names, lines = _split(path, content)
    place = None if time is None else _find(path, names, time)
    chosen = _only_other(path, names, place) if column is None else _find(path, names, column)
    interval = None if place is None else _interval(path, _numbers(path, names, lines, place), lines)
    return _numbers(path, names, lines, chosen), interval


def _read_npy(path: Path, content: bytes) -> np.ndarray:
    try:
        values = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged or no NPY file ({error}); save the array anew with numpy.save") from None
    if values.dtype.kind not in "iuf" or values.ndim not in (1, 2) or not values.size:
        raise ValueError(
            f"{path} holds {values.dtype} of shape {values.shape}; save real numbers of shape (samples,) or (rows, samples), not empty"
        )
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise ValueError(f"{path} holds {values[tuple(bad[0])]} at index {bad[0].tolist()}; give finite numbers")
    return values.astype(np.float64)


def _split(path: Path, content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns (their numbers, where the file gives none), and lines of cells with their numbers in the file."""
    try:
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cell.strip() for cell in cells)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} is no CSV file ({error}); save it as comma-separated text in UTF-8") from None
    names = [str(place) for place in range(len(lines[0][1]))] if lines else []
    if lines and any(_number(cell) is None for cell in lines[0][1]):
        names = lines.pop(0)[1]
    if not lines:
        raise ValueError(f"{path} holds no samples; give a file with at least one line of numbers")
    for number, cells in lines:
        if len(cells) != len(names):
            raise ValueError(f"{path}, line {number} has {len(cells)} cells and not {len(names)}; give each line the same columns")
    return names, lines


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _find(path: Path, names: list[str], column: str | int) -> int:
    if isinstance(column, int) and not isinstance(column, bool):
        if not 0 <= column < len(names):
            raise ValueError(f"{path} has no column {column}; give a number from 0 to {len(names) - 1}")
        return column
    if column not in names:
        raise ValueError(f"{path} has no column {column!r}.{near(str(column), names)}")
    if names.count(column) > 1:
        raise ValueError(f"{path} has {names.count(column)} columns {column!r}; choose by number, counted from 0")
    return names.index(column)


def _only_other(path: Path, names: list[str], place: int | None) -> int:
    others = [number for number in range(len(names)) if number != place]
    if len(others) != 1:
        what = "no column but that of the times" if not others else f"the columns {', '.join(names[number] for number in others)}"
        raise ValueError(f"{path} has {what}; name the one to read with column=...")
    return others[0]


def _numbers(path: Path, names: list[str], lines: list, place: int) -> np.ndarray:
    values = np.empty(len(lines))
    for row, (line, cells) in enumerate(lines):
        number = _number(cells[place])
        if number is None or not math.isfinite(number):
            raise ValueError(f"{path}, line {line}, column {names[place]!r}: {cells[place]!r} is no finite number; correct or remove it")
        values[row] = number
    return values


def _interval(path: Path, times: np.ndarray, lines: list) -> float:
    if len(times) < 2:
        raise ValueError(f"{path} holds one sample, which gives no time step; give dt")
    steps = np.diff(times)
    usual = np.median(steps)
    bad = np.flatnonzero((np.abs(steps - usual) > _IRREGULAR * abs(usual)) | (steps <= 0))
    if len(bad):
        row = bad[0]
        raise ValueError(
            f"{path}, line {lines[row + 1][0]}: the time goes from {times[row]:g} to {times[row + 1]:g}, but mostly by {usual:g}; "
            "give samples at regular, rising times"
        )
    return float(f"{(times[-1] - times[0]) / len(steps):.{_DIGITS}g}")
