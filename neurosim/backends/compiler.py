"""The C++ compiler: whether there is one, its flags, and how Brian2's Cython target and our own libraries are compiled with it."""

import errno
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import brian2
from brian2 import prefs
from brian2.devices.device import RuntimeDevice, get_device

from neurosim.files import FULL

# Strict arithmetic: a cell's numbers must not depend on its place in a loop, so no -ffast-math and no fused operations.
STRICT = ["-march=native", "-ffp-contract=off"]
FLAGS = ["-w", "-O2", *STRICT]  # of the Cython target
ARITHMETIC = {"fast": ["-O3", "-march=native", "-ffast-math", "-fno-finite-math-only"], "strict": ["-O3", *STRICT]}
LIBRARY_FLAGS = ["-std=c++17", "-fPIC", "-fvisibility=hidden", "-w", "-pipe"]
SANITISERS = {"": [], "address": ["-fsanitize=address", "-g", "-O1", "-fno-omit-frame-pointer", "-D_GLIBCXX_ASSERTIONS"]}
COMPILERS = ("g++", "c++", "clang++")
SECONDS_PER_OBJECT = 2.5  # measured: one code object compiles in 2 to 3 s on one core
MOST_LINES = 3  # of what a compiler complains of
NO_ROOM = "No space left on device"  # as the tools of every compiler say it


def has_compiler() -> bool:
    """Tell whether a C++ compiler is found."""
    named = os.environ.get("CXX", "").split()
    return any(shutil.which(name) for name in (*named[:1], *COMPILERS, "cl"))


def choose_target(wanted: str) -> str:
    """Return the target of Brian2's runtime mode, "cython" or "numpy": what is wanted, or for "auto" Cython where there is a compiler.

    Raises RuntimeError for "cython" without a compiler.
    """
    if wanted == "cython" and not has_compiler():
        raise RuntimeError('target "cython" needs a C++ compiler and none was found; install one (g++ or clang++) or use target="numpy"')
    return wanted if wanted != "auto" else "cython" if has_compiler() else "numpy"


@dataclass(frozen=True)
class Compiler:
    """The compiler of libraries: its path with the arguments of CXX, the first line of its version, flags to compile and to link."""

    command: tuple[str, ...]
    version: str
    compiling: tuple[str, ...]
    linking: tuple[str, ...]

    def build(self, source: Path, target: Path) -> None:
        """Compile a source file into a shared library.

        Raises RuntimeError with the first lines of what the compiler complains of, and OSError where there is no room.
        """
        made = source.with_suffix(".o")
        try:
            self._call(source.parent, *self.compiling, "-c", source.name, "-o", str(made))
            self._call(source.parent, *self.linking, str(made), "-o", str(target))
        finally:
            made.unlink(missing_ok=True)

    def _call(self, folder: Path, *arguments: str) -> None:
        # A compiler's own temporary files stand beside the source, so that a killed one leaves nothing elsewhere.
        done = _started([*self.command, *arguments], cwd=folder, TMPDIR=str(folder))
        if done.returncode:
            if NO_ROOM in done.stderr:
                raise OSError(errno.ENOSPC, NO_ROOM)
            lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
            told = [line for line in lines if "error" in line] or lines or [f"exit status {done.returncode}"]
            raise RuntimeError("; ".join(told[:MOST_LINES]))


def library_compiler(arithmetic: str) -> Compiler:
    """Return the compiler of libraries: what CXX names, or the first one found, with the flags of "fast" or "strict" arithmetic.

    The environment variable NEUROSIM_SANITIZE=address asks for AddressSanitizer. Raises ValueError for other arithmetic or
    another sanitiser and RuntimeError without a compiler.
    """
    if arithmetic not in ARITHMETIC:
        raise ValueError(f'arithmetic is {arithmetic!r}; give "fast" or "strict"')
    wanted = os.environ.get("NEUROSIM_SANITIZE", "")
    if wanted not in SANITISERS:
        raise ValueError(f"NEUROSIM_SANITIZE is {wanted!r}; set it to 'address' or unset it")
    command = _command()
    version = _version(command)
    gnu = () if "clang" in version else ("-fno-gnu-unique",)  # copies of a library in one process share nothing
    symbolic = () if sys.platform == "darwin" else ("-Wl,-Bsymbolic",)
    # Linked with -ffast-math, a library of gcc < 13 would make the whole process round its smallest numbers to zero.
    linking = ("-shared", "-fPIC", *symbolic, *(flag for flag in SANITISERS[wanted] if flag.startswith("-fsanitize")))
    return Compiler(command, version, (*LIBRARY_FLAGS, *gnu, *ARITHMETIC[arithmetic], *SANITISERS[wanted]), linking)


def _command() -> tuple[str, ...]:
    named = shlex.split(os.environ.get("CXX", ""))
    path = next(filter(None, map(shutil.which, named[:1] or COMPILERS)), None)
    if path is None and named:
        raise RuntimeError(f"CXX names the compiler {named[0]!r}, which is not found; unset CXX or let it name a C++ compiler")
    if path is None:
        raise RuntimeError("a library needs a C++ compiler and none was found; install one (g++ or clang++) or let CXX name it")
    return (str(Path(path).absolute()), *named[1:])


@cache
def _version(command: tuple[str, ...]) -> str:
    return (_started([*command, "--version"]).stdout.splitlines() or [""])[0]


def _started(command: list[str], cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
    """Call a compiler, with its messages in English, because they are looked at."""
    try:
        return subprocess.run(
            command, cwd=cwd, env={**os.environ, "LC_ALL": "C", **environment}, capture_output=True, text=True, errors="replace"
        )
    except OSError as error:
        raise RuntimeError(f"the compiler {command[0]} cannot be started ({error.strerror}); let CXX name another one") from None


def cache_root() -> Path:
    """The folder of all that is compiled: $NEUROSIM_CACHE, or neurosim in the user's folder of caches."""
    return Path(os.environ.get("NEUROSIM_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "neurosim")


def cache_folder() -> Path:
    """The folder of Cython modules, another for each set of flags, Brian2 release and processor."""
    mark = " ".join([*FLAGS, brian2.__version__, platform.python_version(), platform.machine(), processor()])
    return cache_root() / f"cython-{hashlib.sha256(mark.encode()).hexdigest()[:12]}"


@contextmanager
def writing_cache() -> Iterator[None]:
    """Turn what goes wrong when files are written there into an OSError that names the folder and the remedy."""
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as error:
        remedy = "make room there" if error.errno in FULL else "set NEUROSIM_CACHE to a folder that you may write to"
        raise type(error)(
            error.errno, f"the folder of compiled code {cache_root()} cannot be written ({os.strerror(error.errno)}); {remedy}"
        ) from None


@contextmanager
def settings(target: str) -> Iterator[None]:
    """Use our preferences of Brian2 for a while; the user's own come back after."""
    if not isinstance(get_device(), RuntimeDevice):
        raise RuntimeError("Brian2 is set to a standalone device; call brian2.set_device('runtime') before simulating with neurosim")
    # Units are checked before anything runs; Brian2's own check writes the values of every call to exprel into a text.
    ours = {"codegen.target": target, "codegen.runtime.numpy.discard_units": True}
    if target == "cython":
        folder = cache_folder()
        with writing_cache():
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
        announce(objects * SECONDS_PER_OBJECT)
    yield
    if first:
        mark.touch()


def announce(seconds: float) -> None:
    """Say that something is compiled now, and for how long."""
    print(f"compiling, once, about {max(5, round(seconds / 5) * 5)} s ...", file=sys.stderr, flush=True)


@cache
def processor() -> str:
    """Return the processor's features: -march=native builds for it only, and a home folder may be shared between machines."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        return platform.processor()
