"""The cache of compiled libraries: one build whoever asks, nothing half left, its size, its damage, its errors."""

import ctypes
import errno
import json
import os
import platform
import resource
import runpy
import shutil
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import brian2
import numpy as np
import pytest
from kept_lives import forked

from neurosim import compiled, lock
from neurosim.backends import compiler
from neurosim.compiled import build, store

GXX = shutil.which("g++")
SOURCE = 'extern "C" __attribute__((visibility("default"))) int answer() {{ return {}; }}\n'
WRAPPER = """#!/bin/sh
printf '%s\\n' "$*" >> {folder}/calls
case " $* " in *" -c "*) sleep "$(cat {folder}/delay)"; printf '%s' "$(cat {folder}/complaint)" >&2; test -s {folder}/complaint && exit 1;; esac
exec {compiler} "$@"
"""
# The floating-point environment of the whole process, as the start-up file of -ffast-math sets it.
FLUSHES = "#include <immintrin.h>\n__attribute__((constructor)) static void flush() { _mm_setcsr(_mm_getcsr() | 0x8040); }\n"

pytestmark = pytest.mark.skipif(GXX is None, reason="needs g++")


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


# --- look at it, clear it --------------------------------------------------------------------------------------------


def test_entries_say_what_they_are(builds, cache):
    assert compiled.entries() == [] and compiled.clear() == 0 and not cache.exists()
    library = builds.take("exc -> exc with stdp_pair\n" + 1000 * "x", "strict")
    (entry,) = compiled.entries()
    assert entry[:2] == (library.folder.name, "exc -> exc with stdp_pair, strict")
    assert entry.bytes == sum(path.stat().st_size for path in library.folder.iterdir())
    assert abs(datetime.now() - entry.used) < timedelta(minutes=1)
    grow_old(library, 10)
    assert compiled.entries()[0].used < datetime.now() - timedelta(days=9)


def test_clear_removes_what_is_compiled_and_nothing_else(builds, cache):
    builds.take()
    modules = compiler.cache_folder()
    modules.mkdir()
    (modules / "module.so").write_bytes(bytes(1000))
    others = [cache / "library" / "books", cache / "cython-course", cache / "thesis"]
    for other in others:
        other.mkdir()
        (other / "page").write_text("kept")
    found = compiled.entries()
    assert [entry.summary for entry in found] == ["a circuit, fast", "Cython modules"] and found[1].bytes == 1000
    left = cache / "library" / ".benches" / "ff" / "entry"
    left.mkdir(parents=True)
    (left / "source.cpp").write_text("of a build that was killed")
    assert compiled.clear() == sum(entry.bytes for entry in found)
    assert compiled.entries() == [] and not modules.exists() and not left_on_benches(cache)
    assert all((other / "page").exists() for other in others)
    builds.take()
    assert builds.made == 2


def test_clear_leaves_alone_what_is_being_built(builds):
    builds.delay.write_text("1")
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(builds.take)
        wait_for(builds.compilations)
        compiled.clear()
        assert answer(building.result()) == 1


def command_line(monkeypatch, capsys, *arguments) -> str:
    monkeypatch.setattr("sys.argv", ["compiled", *arguments])
    runpy.run_module("neurosim.compiled", run_name="__main__")
    return capsys.readouterr().out


def test_the_command_line_lists_and_clears(builds, cache, monkeypatch, capsys):
    key = builds.take().folder.name
    first, last = command_line(monkeypatch, capsys).splitlines()
    assert first.startswith(key) and first.endswith("MB  a circuit, fast")
    assert last.startswith("1 entries, 0.0") and last.endswith(f"MB in {cache}")
    assert command_line(monkeypatch, capsys, "--clear").endswith(f"MB freed in {cache}\n") and compiled.entries() == []
    monkeypatch.setattr(shutil, "rmtree", refused)
    builds.take()
    with pytest.raises(SystemExit, match=r"cannot be written \(Permission denied\); set NEUROSIM_CACHE to"):
        command_line(monkeypatch, capsys, "--clear")


def refused(*arguments, **options):
    raise PermissionError(errno.EACCES, "Permission denied")


# --- damage ----------------------------------------------------------------------------------------------------------

DAMAGES = {
    "nothing": lambda folder: None,
    "an altered layout": lambda folder: (folder / "layout.json").write_text('{"shapes": [9, 9]}'),
    "a layout that is no JSON": lambda folder: (folder / "layout.json").write_text("{"),
    "no layout": lambda folder: (folder / "layout.json").unlink(),
    "half a library": lambda folder: os.truncate(folder / "library.so", 4096),
    "no library": lambda folder: (folder / "library.so").unlink(),
    "no description": lambda folder: (folder / "about.json").unlink(),
    "another description": lambda folder: (folder / "about.json").write_text("[]"),
    "a description without hashes": lambda folder: (folder / "about.json").write_text('{"sha256": {}}'),
    "a file in its place": lambda folder: (shutil.rmtree(folder), folder.write_text("x")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_built_again(damage, builds, cache):
    first = builds.take()
    DAMAGES[damage](first.folder)
    assert len(compiled.entries()) == 1
    again = builds.take()
    assert again == first and builds.made == answer(again) == (1 if damage == "nothing" else 2)
    assert len(compiled.entries()) == 1 and not left_on_benches(cache)


def test_a_damaged_entry_is_named_so(builds):
    (builds.take().folder / "about.json").write_text("[]")
    assert [entry.summary for entry in compiled.entries()] == ["damaged"]


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_source_that_is_rejected_is_kept(builds, cache):
    with pytest.raises(RuntimeError) as caught:
        builds.take(make=lambda: ("int f() { return unknown; }\nint g() { return missing; }\n", {}))
    told = str(caught.value)
    assert "source.cpp:1:18: error: 'unknown' was not declared" in told and "source.cpp:2:18: error: 'missing'" in told
    assert told.startswith(f"{builds.command} does not compile") and 'CXX name another compiler, or use target="cython"' in told
    (entry,) = compiled.entries()
    assert f"kept as {entry.folder}/source.cpp" in told and (entry.folder / "source.cpp").read_text().startswith("int f()")
    assert entry.summary == "a circuit, fast, did not compile" and not left_on_benches(cache)
    assert answer(builds.take()) == 1 and compiled.entries()[0].summary == "a circuit, fast"


def test_a_generator_that_fails_leaves_nothing(builds, cache):
    def fails():
        raise BlockingIOError(errno.EAGAIN, "of its own")

    with pytest.raises(BlockingIOError, match="of its own"):
        builds.take(make=fails)
    with pytest.raises(TypeError, match="cannot be kept in a JSON file"):
        builds.take(make=lambda: (SOURCE.format(1), {"shape": object()}))
    assert compiled.entries() == [] and not left_on_benches(cache) and not builds.compilations()
    assert answer(builds.take()) == 1


@pytest.mark.parametrize("place", ["/proc/neurosim", "/dev/null/neurosim"])
def test_a_cache_that_cannot_be_made_is_named_before_anything_is_compiled(place, builds, monkeypatch):
    monkeypatch.setenv("NEUROSIM_CACHE", place)
    message = rf"the folder of compiled code {place} cannot be written \(.*\); set NEUROSIM_CACHE to a folder that you may write to"
    with pytest.raises(OSError, match=message):
        builds.take()
    assert builds.made == 0 and not builds.compilations()
    with pytest.raises(OSError, match=message), compiler.settings("cython"):
        pass
    with compiler.settings("numpy"):  # the control: nothing is compiled
        pass


def test_a_cache_that_is_read_only_gives_what_it_holds(builds, monkeypatch):
    """Root may write everywhere, so that somebody else has to try."""
    with tempfile.TemporaryDirectory() as place:
        told = Path(place) / "told"
        told.touch()
        told.chmod(0o666)
        monkeypatch.setenv("NEUROSIM_CACHE", f"{place}/cache")
        monkeypatch.setenv("CXX", GXX)
        first = builds.take()
        folders = [Path(place), *(path for path in Path(place).rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)

        def somebody():
            if os.geteuid() == 0:
                os.setuid(65534)
            assert builds.take() == first
            try:
                builds.take("another circuit")
            except PermissionError as error:
                told.write_text(f"{builds.made} {error}")

        assert os.waitpid(forked(somebody), 0)[1] == 0
        remedy = "set NEUROSIM_CACHE to a folder that you may write to"
        assert told.read_text() == f"1 [Errno 13] the folder of compiled code {place}/cache cannot be written (Permission denied); {remedy}"
        for folder in folders:
            folder.chmod(0o755)


def test_a_full_disk_is_named_and_nothing_half_is_left(builds, cache):
    builds.complaint.write_text("/usr/bin/ld: final link failed: No space left on device\n")
    with pytest.raises(OSError, match=r"cannot be written \(No space left on device\); make room there") as caught:
        builds.take()
    assert caught.value.errno == errno.ENOSPC and compiled.entries() == [] and not left_on_benches(cache)
    builds.complaint.write_text("source.cpp:1: error: something else\n")
    with pytest.raises(RuntimeError, match="something else"):  # the control
        builds.take()


def test_a_disk_that_is_full_when_the_source_is_written(builds, cache, tmp_path):
    """A limit on the size of files stands for it: the system cuts the write short."""
    told = tmp_path / "told"

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
        try:
            builds.take(make=lambda: (SOURCE.format(1) + 100_000 * "/", {}))
        except OSError as error:
            told.write_text(str(error))

    os.waitpid(forked(limited), 0)
    assert told.read_text() == f"[Errno 27] the folder of compiled code {cache} cannot be written (File too large); make room there"
    assert compiled.entries() == [] and not left_on_benches(cache) and not builds.compilations()
    assert answer(builds.take()) == 1


def test_errors_of_what_is_asked_for(builds, monkeypatch):
    with pytest.raises(ValueError, match='arithmetic is \'exact\'; give "fast" or "strict"'):
        builds.take(arithmetic="exact")
    with monkeypatch.context() as patch:
        patch.setenv("NEUROSIM_SANITIZE", "memory")
        with pytest.raises(ValueError, match="NEUROSIM_SANITIZE is 'memory'; set it to 'address' or unset it"):
            builds.take()
    with monkeypatch.context() as patch:
        patch.setenv("CXX", "no-compiler -O3")
        with pytest.raises(RuntimeError, match="CXX names the compiler 'no-compiler', which is not found; unset CXX or let it name"):
            builds.take()
        patch.delenv("CXX")
        patch.setattr(compiler.shutil, "which", lambda name: None)
        with pytest.raises(RuntimeError, match="needs a C\\+\\+ compiler and none was found; install one"):
            builds.take()
    Path(builds.command).write_text("no script")
    with pytest.raises(RuntimeError, match="the compiler .*/wrapped cannot be started .Exec format error.; let CXX name another one"):
        builds.take("not known yet")


def test_without_cxx_the_first_compiler_found_is_taken(cache, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    assert compiler.library_compiler("fast").command == (GXX,)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: "/opt/clang++" if name == "clang++" else None)
    monkeypatch.setattr(compiler, "_version", lambda command: "clang version 19.1.0")
    found = compiler.library_compiler("fast")
    assert found.command == ("/opt/clang++",) and "-fno-gnu-unique" not in found.compiling


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
