"""Offer entries of the exponential of a matrix to Brian2 as functions, `matrix_exponential_2(row, column, m_00, m_01, m_10, m_11)` and so on.

By scaling and squaring of the Taylor series (Higham 2008, Functions of Matrices, section 10.3), of the matrix with its mean eigenvalue taken
out and its variables measured in powers of two that balance rows with columns, as volts and amperes would not.
"""

from functools import lru_cache
from importlib import resources

import numpy as np

from neurosim.backends.noise import brian_function

LARGEST = 8  # rows of a matrix
FAR = 40  # powers of two by which what nothing acts on, or what acts on nothing, is measured
TERMS = 16


@lru_cache(maxsize=64)  # a matrix is the same in each time step, and asked for once for each of its entries
def _exponentials(values: bytes, size: int) -> np.ndarray:
    """Return the exponentials of matrices, given by the bytes of their numbers one after the other."""
    scaled, power = _balanced(np.frombuffer(values).reshape(-1, size, size))
    unit = np.eye(size)
    mean = np.trace(scaled, axis1=1, axis2=2)[:, None, None] / size
    scaled = scaled - mean * unit
    norm = np.abs(scaled).sum(axis=2).max(axis=1)
    squarings = np.where(norm > 0.5, np.frexp(norm)[1] + 1, 0)[:, None, None]
    scaled, total = np.ldexp(scaled, -squarings), unit
    for k in range(TERMS, 0, -1):
        total = scaled @ total / k + unit
    total = total * np.exp(np.ldexp(mean, -squarings))
    with np.errstate(over="ignore", invalid="ignore"):  # of those that have been squared often enough
        for done in range(squarings.max(initial=0)):
            total = np.where(done < squarings, total @ total, total)
    return np.ldexp(total, power[:, :, None] - power[:, None, :])


def _balanced(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return matrices with their variables measured so that rows and columns weigh the same, and the powers of two that do it."""
    scaled, size = matrices.copy(), matrices.shape[-1]
    power = np.zeros(scaled.shape[:2], int)
    for _ in range(2 * size):
        for i in range(size):
            others = np.arange(size) != i
            across, down = np.abs(scaled[:, i, others]).sum(axis=1), np.abs(scaled[:, others, i]).sum(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                wanted = np.where(across == 0, 2.0**-FAR / down, np.where(down == 0, across * 2.0**FAR, np.sqrt(across / down)))
            step = np.where((across == 0) & (down == 0), 0, np.frexp(wanted)[1] - 1)
            power[:, i] += step
            scaled[:, i, others] = np.ldexp(scaled[:, i, others], -step[:, None])
            scaled[:, others, i] = np.ldexp(scaled[:, others, i], step[:, None])
    return scaled, power


def _entry(size: int):
    def entry(row, column, *values):
        """Return an entry of the exponential of each matrix."""
        values = np.stack(np.broadcast_arrays(*values), axis=-1).astype(float)
        found = _exponentials(values.tobytes(), size)[:, int(np.ravel(row)[0]), int(np.ravel(column)[0])]
        return found.reshape(values.shape[:-1])

    return entry


def _wrapped(size: int) -> str:
    """Return the C++ of a function of so many rows."""
    names = ", ".join(f"m_{k}" for k in range(size * size))
    arguments = ", ".join(f"double m_{k}" for k in range(size * size))
    return (
        f"namespace neurosim {{\nstatic inline double matrix_exponential_{size}(double row, double column, {arguments}) {{\n"
        f"    const double values[] = {{{names}}};\n"
        f"    return exponential_entry<{size}>(values, static_cast<int>(row), static_cast<int>(column));\n}}\n}}  // namespace neurosim\n"
    )


_HEADER = resources.files("neurosim.backends").joinpath("matrix_exponential.h").read_text(encoding="utf-8")
SIZES = range(2, LARGEST + 1)
MATRIX_EXPONENTIALS = {
    f"matrix_exponential_{size}": brian_function(_entry(size), f"matrix_exponential_{size}", 2 + size * size, _HEADER + _wrapped(size))
    for size in SIZES
}
MATRIX_SOURCE = _HEADER + "".join(map(_wrapped, SIZES))
