"""Compiled libraries: one build whoever asks, all that it depends on in its key, nothing half left, and the arithmetic of the process left alone."""

import ctypes
import json
import os
import platform
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import brian2
import numpy as np
import pytest
from kept_lives import forked
from library_builds import FLUSHES, SOURCE, answer, grow_old, left_on_benches, needs_compiler, wait_for

from neurosim import compiled, lock
from neurosim.backends import compiler
from neurosim.compiled import build, store

pytestmark = needs_compiler


# --- one build -------------------------------------------------------------------------------------------------------


def test_it_is_built_once_and_then_taken(builds, cache, capsys):
    first = builds.take()
    assert capsys.readouterr().err == "compiling, once, about 5 s ...\n"
    again = builds.take()
    assert again == first and answer(again) == 1 and builds.made == 1 and len(builds.compilations()) == 1
    assert capsys.readouterr().err == ""
    assert first.layout == {"shapes": [1, 2], "name": "é"} == json.loads((first.folder / "layout.json").read_text())
    assert sorted(path.name for path in first.folder.iterdir()) == ["about.json", "layout.json", "library.so", "source.cpp"]
    assert (first.folder / "source.cpp").read_text() == SOURCE.format(1) and not left_on_benches(cache)
    assert answer(builds.take("another circuit")) == 2  # the control


def with_version(monkeypatch):
    monkeypatch.setattr(brian2, "__version__", "2.99")


def with_processor(monkeypatch):
    monkeypatch.setattr(compiler, "processor", lambda: "flags: sse2")


def with_generators(monkeypatch):
    monkeypatch.setattr(build, "GENERATORS", "edited")


def with_compiler(monkeypatch):
    monkeypatch.setattr(compiler, "_version", lambda command: "g++ 99")


def with_flags(monkeypatch):
    monkeypatch.setitem(compiler.ARITHMETIC, "fast", ["-O2"])


def with_sanitiser(monkeypatch):
    monkeypatch.setenv("NEUROSIM_SANITIZE", "address")


def with_arguments(monkeypatch):
    monkeypatch.setenv("CXX", f"{os.environ['CXX']} -DX='1 2'")


def with_another_path(monkeypatch):
    monkeypatch.setenv("CXX", "g++")


def with_nothing(monkeypatch):
    pass


OTHERS = [
    with_version, with_processor, with_generators, with_compiler, with_flags, with_sanitiser, with_arguments, with_another_path
]  # fmt: skip


@pytest.mark.parametrize("other", [with_nothing, *OTHERS])
def test_whatever_the_code_depends_on_is_in_the_key(other, builds, monkeypatch):
    first = builds.take()
    other(monkeypatch)
    assert (builds.take().folder != first.folder) == (other is not with_nothing) and builds.made == 1 + (other is not with_nothing)


def test_arithmetic_is_in_the_key_and_in_the_flags(builds):
    assert builds.take(arithmetic="fast").folder != builds.take(arithmetic="strict").folder
    fast, strict = (line.partition(" -c ")[0].split() for line in builds.compilations())
    common = {"-std=c++17", "-fPIC", "-fvisibility=hidden", "-w", "-O3", "-march=native"}
    assert common <= set(fast) & set(strict)
    assert {"-ffast-math", "-fno-finite-math-only"} == set(fast) - set(strict) and set(strict) - set(fast) == {"-ffp-contract=off"}


def test_a_sanitiser_is_compiled_and_linked(builds, monkeypatch):
    with_sanitiser(monkeypatch)
    folder = builds.take().folder
    (flags,) = builds.compilations()
    assert "-O3" in flags.partition("-O1")[0] and "-D_GLIBCXX_ASSERTIONS" in flags
    assert "-fsanitize=address" in builds.links()[0] and b"__asan" in (folder / "library.so").read_bytes()


def test_what_generates_is_hashed():
    names = {path.name for path in build.generators()}
    assert {"noise.py", "philox.h", "declare.py", "drives.py", "onset.py"} <= names
    assert set((Path(compiler.__file__).parent / "library").glob("*.[hp]*")) <= set(build.generators())


# --- two at once -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("descriptions", [["same", "same"], ["one", "other"]])
def test_two_threads_want_it_at_once(descriptions, builds):
    builds.delay.write_text("0.3")
    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(builds.take, descriptions))
    expected = len(set(descriptions))
    assert len({library.folder for library in taken}) == expected == len(builds.compilations()) == builds.made


@pytest.mark.parametrize("descriptions", [["same", "same"], ["one", "other"]])
def test_two_processes_want_it_at_once(descriptions, builds, cache):
    builds.delay.write_text("0.3")
    children = [forked(lambda description=description: answer(builds.take(description))) for description in descriptions]
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    assert len(builds.compilations()) == len(set(descriptions)) == len(compiled.entries()) and not left_on_benches(cache)


def test_who_waits_takes_what_another_built_though_the_lock_is_held(builds, monkeypatch):
    """A process that was forked in the middle of a build holds the lock for as long as it lives."""
    monkeypatch.setattr(lock, "PATIENCE", 0.3)
    first = builds.take()
    shutil.move(first.folder, builds.folder / "aside")
    with store.workshop(first.folder.name[:2]), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(builds.take)
        time.sleep(0.2)
        assert not waiting.done()
        shutil.move(builds.folder / "aside", first.folder)
        assert waiting.result(timeout=30) == first
    assert builds.made == 1


def test_a_builder_that_is_killed_leaves_nothing_half(builds, cache):
    builds.delay.write_text("60")

    def leading_a_group():
        os.setsid()
        builds.take()

    child = forked(leading_a_group)
    wait_for(builds.compilations)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        assert compiled.entries() == [] and left_on_benches(cache)
        builds.delay.write_text("0")
        assert answer(builds.take()) == 1 and len(builds.compilations()) == 2
        assert len(compiled.entries()) == 1 and not left_on_benches(cache)
    finally:
        os.killpg(child, signal.SIGKILL)  # its compiler, which it left behind


# --- size ------------------------------------------------------------------------------------------------------------


def test_what_was_not_used_for_longest_is_removed_first(builds, monkeypatch):
    monkeypatch.setattr(store, "GRACE", timedelta(0))
    for days, name in ((3, "used again"), (2, "older"), (1, "newer")):
        grow_old(builds.take(name), days)
    builds.take("used again")
    room = sum(entry.bytes for entry in compiled.entries()) + 1000
    monkeypatch.setattr(store, "LIMIT", room)
    builds.take("older")  # taken, not built: nothing is removed
    grow_old(builds.take("older"), 2)
    builds.take("one more")
    assert [entry.summary for entry in compiled.entries()] == ["newer, fast", "used again, fast", "one more, fast"]
    monkeypatch.setattr(store, "LIMIT", 2 * room)  # the control
    builds.take("yet one")
    assert len(compiled.entries()) == 4
    monkeypatch.setattr(store, "LIMIT", 0)
    builds.take("the one just built")
    assert [entry.summary for entry in compiled.entries()] == ["the one just built, fast"]


def test_what_was_just_taken_stays_for_whoever_is_about_to_load_it(builds, monkeypatch):
    monkeypatch.setattr(store, "LIMIT", 0)
    first = builds.take("one")
    builds.take("other")
    assert first.path.exists() and len(compiled.entries()) == 2
    grow_old(first, 1)  # the control
    builds.take("third")
    assert not first.path.exists() and len(compiled.entries()) == 2


def test_one_that_is_removed_while_it_is_loaded_works_on(builds):
    library = builds.take()
    loaded = ctypes.CDLL(str(library.path))
    assert compiled.clear() > 0 and not library.path.exists()
    assert loaded.answer() == 1


# --- the process that loads it ---------------------------------------------------------------------------------------


def smallest_survives(library) -> bool:
    """Whether the smallest number is kept by a process that has loaded a library; asked in one of its own."""

    def loading():
        ctypes.CDLL(str(library.path))
        assert np.float64(5e-324) * np.float64(1) != 0

    return os.waitpid(forked(loading), 0)[1] == 0


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the control sets a register of x86-64")
def test_a_library_leaves_the_arithmetic_of_the_process_alone(builds):
    assert smallest_survives(builds.take(arithmetic="fast"))
    assert "-ffast-math" in builds.compilations()[0] and "-ffast-math" not in builds.links()[0]
    assert not smallest_survives(builds.take("one that does not", make=lambda: (FLUSHES, {})))
