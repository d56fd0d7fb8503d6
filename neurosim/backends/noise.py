"""Offer the counter-based random numbers to Brian2 as functions for equations and statements.

`philox_uniform(key_hi, key_lo, id, step)`, `philox_normal(...)` and `philox_poisson(..., mean, exp_minus_mean)` give, on the NumPy
the Cython target and in libraries alike, the draws of `neurosim.randomness`. The 64-bit key comes as two halves (see `key_halves`), because
Brian2's integer variables have 32 bits while a double holds a half exactly.
"""

from importlib import resources

import numpy as np
from brian2.core.functions import Function

from neurosim import randomness

# Pasted into the source instead of included: Brian2 2.9 drops the include directories of a function, and its cache of compiled
# modules knows the source text but not the headers, so that an edited header would go unnoticed.
PHILOX_SOURCE = resources.files("neurosim.backends").joinpath("philox.h").read_text(encoding="utf-8")


def key_halves(key):
    """Return the upper and the lower 32 bits of a 64-bit key as two exact floats."""
    return float(key >> 32), float(key & 0xFFFFFFFF)


def _joined(key_hi, key_lo):
    upper = np.asarray(key_hi).astype(np.uint64)
    return (upper << np.uint64(32)) | np.asarray(key_lo).astype(np.uint64)


def _integers(value):
    return np.asarray(value).astype(np.int64)


def _uniform(key_hi, key_lo, ids, step):
    return randomness.uniform(_joined(key_hi, key_lo), _integers(ids), _integers(step))


def _normal(key_hi, key_lo, ids, step):
    return randomness.normal(_joined(key_hi, key_lo), _integers(ids), _integers(step))


def _poisson(key_hi, key_lo, ids, step, mean, exp_minus_mean):
    counts = randomness.poisson(_joined(key_hi, key_lo), _integers(ids), _integers(step), mean, exp_minus_mean)
    return counts.astype(np.float64)


def brian_function(python, name, arguments, source):
    """Return a function for equations and statements: in NumPy `python`, in Cython and C++ `name` of the C++ `source`, all of floats."""
    # Doubles in the Cython signature, because Cython passes no double to an integer; C++ converts them back exactly.
    ours = f"neurosim::{name.removeprefix('philox_')}"
    signature = ", ".join(["double"] * arguments)
    declaration = "\n".join(
        [
            "cdef extern from *:",
            f'    """\n{source}    """',
            f'    double {name} "{ours}"({signature}) nogil',
        ]
    )
    function = Function(pyfunc=python, arg_units=[1] * arguments, return_unit=1, stateless=True)
    function.implementations.add_implementation("numpy", python, name=name)
    function.implementations.add_implementation("cython", declaration, name=name)
    function.implementations.add_implementation("cpp", None)  # a library's source begins with them
    return function


philox_uniform = brian_function(_uniform, "philox_uniform", 4, PHILOX_SOURCE)
philox_normal = brian_function(_normal, "philox_normal", 4, PHILOX_SOURCE)
philox_poisson = brian_function(_poisson, "philox_poisson", 6, PHILOX_SOURCE)
