"""Builds for the tests of compiled libraries: a compiler that notes its calls, and what is looked up in its cache."""

import ctypes
import os
import shutil
import time
from pathlib import Path

import pytest

from neurosim import compiled
from neurosim.compiled import store

GXX = shutil.which("g++")
SOURCE = 'extern "C" __attribute__((visibility("default"))) int answer() {{ return {}; }}\n'
WRAPPER = """#!/bin/sh
printf '%s\\n' "$*" >> {folder}/calls
case " $* " in *" -c "*) sleep "$(cat {folder}/delay)"; printf '%s' "$(cat {folder}/complaint)" >&2; test -s {folder}/complaint && exit 1;; esac
exec {compiler} "$@"
"""
# The floating-point environment of the whole process, as the start-up file of -ffast-math sets it.
FLUSHES = "#include <immintrin.h>\n__attribute__((constructor)) static void flush() { _mm_setcsr(_mm_getcsr() | 0x8040); }\n"

needs_compiler = pytest.mark.skipif(GXX is None, reason="needs g++")


class Builds:
    """A compiler that notes its calls, and a generator that counts its own."""

    def __init__(self, folder: Path):
        self.folder, self.made = folder, 0
        self.delay, self.complaint, self.calls = folder / "delay", folder / "complaint", folder / "calls"
        self.delay.write_text("0")
        self.complaint.touch()
        self.calls.touch()
        script = folder / "wrapped"
        script.write_text(WRAPPER.format(folder=folder, compiler=GXX))
        script.chmod(0o755)
        self.command = str(script)

    def compilations(self) -> list[str]:
        """The arguments of every compilation."""
        return [line for line in self.calls.read_text().splitlines() if " -c " in line]

    def links(self) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if "-shared" in line]

    def make(self):
        self.made += 1
        return SOURCE.format(self.made), {"shapes": (1, 2), "name": "é"}

    def take(self, description="a circuit\nof one cell", arithmetic="fast", make=None) -> compiled.Compiled:
        return compiled.library(description, arithmetic, make or self.make)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NEUROSIM_SANITIZE", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def builds(cache, tmp_path, monkeypatch):
    made = Builds(tmp_path)
    monkeypatch.setenv("CXX", made.command)
    return made


def answer(library) -> int:
    return ctypes.CDLL(str(library.path)).answer()


def left_on_benches(cache) -> list[Path]:
    return [path for path in (cache / "library" / ".benches").rglob("*") if path.is_file() and path.name != ".lock"]


def wait_for(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def grow_old(library, days):
    then = time.time() - 86400 * days
    os.utime(library.folder / store.ABOUT, (then, then))
