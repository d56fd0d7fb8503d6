"""The store of compiled libraries: listed, cleared, damaged, full, read-only."""

import errno
import os
import resource
import runpy
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from kept_lives import forked
from library_builds import GXX, SOURCE, answer, grow_old, left_on_benches, needs_compiler, wait_for

from neurosim import compiled
from neurosim.backends import compiler

pytestmark = needs_compiler


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
