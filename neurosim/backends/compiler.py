"""The compiler behind Brian2's Cython target: whether there is one, strict flags, a cache of our own, a note before a first build."""

import hashlib
import logging
import os
import platform
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import brian2
from brian2 import prefs
from brian2.devices.device import RuntimeDevice, get_device

# Strict arithmetic: a cell's numbers must not depend on its place in a loop, so no -ffast-math and no fused operations.
FLAGS = ["-w", "-O2", "-march=native", "-ffp-contract=off"]
SECONDS_PER_OBJECT = 2.5  # measured: one code object compiles in 2 to 3 s on one core


def has_compiler() -> bool:
    """Tell whether a C++ compiler is found."""
    named = os.environ.get("CXX", "").split()
    return any(shutil.which(name) for name in (*named[:1], "g++", "c++", "clang++", "cl"))


def choose_target(wanted: str) -> str:
    """Return "cython" or "numpy" for a wanted target.

    "auto" takes Cython where a C++ compiler is found and otherwise warns and takes NumPy. Raises ValueError for another
    name and RuntimeError for "cython" without a compiler.
    """
    if wanted not in ("auto", "cython", "numpy"):
        raise ValueError(f'target is {wanted!r}; give "auto", "cython" or "numpy"')
    if wanted == "numpy" or has_compiler():
        return "numpy" if wanted == "numpy" else "cython"
    if wanted == "cython":
        raise RuntimeError('target "cython" needs a C++ compiler and none was found; install one (g++ or clang++) or use target="numpy"')
    warnings.warn(
        "no C++ compiler was found, so simulations run on the NumPy target, about 10 times slower; install g++ or clang++", stacklevel=2
    )
    return "numpy"


def cache_folder() -> Path:
    """The folder of compiled modules, another for each set of flags, Brian2 release and processor."""
    root = os.environ.get("NEUROSIM_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neurosim"
    mark = " ".join([*FLAGS, brian2.__version__, platform.python_version(), platform.machine(), _processor()])
    return Path(root) / f"cython-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"


@contextmanager
def settings(target: str) -> Iterator[None]:
    """Use our preferences of Brian2 for a while; the user's own come back after."""
    if not isinstance(get_device(), RuntimeDevice):
        raise RuntimeError("Brian2 is set to a standalone device; call brian2.set_device('runtime') before simulating with neurosim")
    ours = {"codegen.target": target}
    if target == "cython":
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        ours |= {"codegen.cpp.extra_compile_args_gcc": FLAGS, "codegen.runtime.cython.cache_dir": str(folder)}
    before = {name: prefs[name] for name in ours}
    # Brian2 says at every rebuild that clipped effects may depend on the order of synapses; models are checked at load.
    generators = logging.getLogger("brian2.codegen.generators")
    level = generators.level
    try:
        generators.setLevel(logging.ERROR)
        for name, value in ours.items():
            prefs[name] = value
        yield
    finally:
        generators.setLevel(level)
        for name, value in before.items():
            prefs[name] = value


@contextmanager
def announced(target: str, structure: str, objects: int) -> Iterator[None]:
    """Say before the first build of a structure that it compiles and for how long, and remember it once built."""
    mark = cache_folder() / f"{hashlib.sha256(structure.encode()).hexdigest()[:20]}.built"
    first = target == "cython" and not mark.exists()
    if first:
        print(f"compiling, once, about {max(5, round(objects * SECONDS_PER_OBJECT / 5) * 5)} s ...", file=sys.stderr, flush=True)
    yield
    if first:
        mark.touch()


def _processor() -> str:
    """-march=native builds for this processor only, and a home folder may be shared between machines."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next((line for line in lines if line.startswith("flags")), "")
    except OSError:
        return platform.processor()
