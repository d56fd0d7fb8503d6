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


@lru_cache(maxsize=1024)  # the same in each time step
def _exponential(values: bytes, size: int) -> np.ndarray:
    """Return the exponential of a matrix, given by the bytes of its numbers."""
    scaled, power = _balanced(np.frombuffer(values).reshape(size, size))
    mean = np.trace(scaled) / len(scaled)
    scaled = scaled - mean * np.eye(len(scaled))
    norm = np.abs(scaled).sum(axis=1).max()
    squarings = int(np.frexp(norm)[1]) + 1 if norm > 0.5 else 0
    scaled = np.ldexp(scaled, -squarings)
    total = np.eye(len(scaled))
    for k in range(TERMS, 0, -1):
        total = scaled @ total / k + np.eye(len(scaled))
    total *= np.exp(np.ldexp(mean, -squarings))
    for _ in range(squarings):
        total = total @ total
    return np.ldexp(total, power[:, None] - power)


def _balanced(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a matrix with its variables measured so that rows and columns weigh the same, and the powers of two that do it."""
    scaled, power = matrix.copy(), np.zeros(len(matrix), int)
    for _ in range(2 * len(matrix)):
        for i in range(len(matrix)):
            others = np.arange(len(matrix)) != i
            across, down = np.abs(scaled[i, others]).sum(), np.abs(scaled[others, i]).sum()
            if across == 0 and down == 0:
                continue
            wanted = 2.0**-FAR / down if across == 0 else across * 2.0**FAR if down == 0 else np.sqrt(across / down)
            step = int(np.frexp(wanted)[1]) - 1
            power[i] += step
            scaled[i, others] = np.ldexp(scaled[i, others], -step)
            scaled[others, i] = np.ldexp(scaled[others, i], step)
    return scaled, power


def _entry(size: int):
    def entry(row, column, *values):
        """Return an entry of the exponential of each matrix."""
        values = np.stack(np.broadcast_arrays(*values), axis=-1).astype(float)
        matrices = values.reshape(-1, size, size)
        found = np.array([_exponential(one.tobytes(), size)[int(np.ravel(row)[0]), int(np.ravel(column)[0])] for one in matrices])
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
