"""What a run folder refuses: each mistake and each accident has its own error, and nothing that was written is touched."""

import errno
import json
import os
import re
import resource
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest
from kept_lives import BACKEND, GROWTH, Break, content, files, forked, live, no_sync, resume, stop_after  # noqa: F401

import neurosim as ns
from neurosim import lock, runfile
from neurosim.files import digest, json_bytes
from neurosim.lock import locked


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refusals") / "life"
    with pytest.raises(Break):
        live(folder, progress=stop_after(2))
    return folder


@pytest.fixture
def folder(original, tmp_path):
    return Path(shutil.copytree(original, tmp_path / "life"))


@pytest.fixture
def nothing_runs(monkeypatch):
    monkeypatch.setattr(BACKEND, "run", lambda *arguments: pytest.fail("something was simulated"))


def refused(call, error, message, folder):
    """A call raises an error with this message before anything is simulated, and no file of the folder changes."""
    before = files(folder)
    with pytest.raises(error, match=re.escape(message)) as caught:
        call(folder)
    assert files(folder) == before and len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def edited(folder, **changes):
    about = {name: value for name, value in json.loads((folder / "run.json").read_text()).items() if name != "own_sha256"} | changes
    (folder / "run.json").write_bytes(json_bytes(about | {"own_sha256": digest(json_bytes(about))}))
    return about


# --- something else lies there ---------------------------------------------------------------------------------------


def test_a_run_is_not_begun_twice(folder, nothing_runs):
    message = f"folder {folder} holds a run already; ns.RunFolder({str(folder)!r}, resume=True) goes on with it, or choose another folder"
    refused(live, FileExistsError, message, folder)
    refused(
        lambda folder: ns.save_history(ns.load_history(folder), folder), FileExistsError, f"folder {folder} holds a run already", folder
    )


@pytest.mark.parametrize("call", [live, resume])
@pytest.mark.parametrize("name", ["notes.txt", "epochs/000000.npz", "circuits/000003.npz", "recordings/x"])
def test_foreign_files(name, call, tmp_path, nothing_runs):
    """Also where they are called like ours: without the lock that a run takes first of all they are somebody else's."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    message = f"folder {tmp_path} holds other files ({name.partition('/')[0]}); choose a new or an empty folder"
    refused(call, FileExistsError, message, tmp_path)
    assert not (tmp_path / ".lock").exists()


@pytest.mark.parametrize("call", [live, resume])
def test_a_file_in_the_place_of_a_folder(call, tmp_path, nothing_runs):
    (tmp_path / "file").write_text("mine")
    refused(
        lambda folder: call(folder / "file"), FileExistsError, f"{tmp_path / 'file'} is a file, not a folder; choose another name", tmp_path
    )
    refused(lambda folder: call(folder / "file" / "life"), OSError, f"folder {tmp_path / 'file' / 'life'} cannot be written", tmp_path)


@pytest.mark.parametrize("call", [resume, ns.load_history])
def test_the_folder_of_a_study(call, folder, nothing_runs):
    edited(folder, kind="study")
    message = f"{folder} is the folder of a study, not of a life; the lives of a study lie in {folder / 'lives'}; give another folder"
    refused(call, ValueError, message, folder)


@pytest.mark.parametrize("call", [resume, ns.load_history])
def test_another_format(call, folder, nothing_runs):
    versions = edited(folder)["versions"] | {"neurosim": "9.9"}
    edited(folder, format=99, versions=versions)
    message = f"{folder} is a run folder of format 99, made by neurosim 9.9; read it with that version"
    refused(call, ValueError, message, folder)


@pytest.mark.parametrize("package", ["neurosim", "brian2", "numpy"])
def test_another_version(package, folder, nothing_runs):
    now = edited(folder)["versions"]
    edited(folder, versions=now | {package: "0.0.7"})
    message = (
        f"the run in {folder} was made with {package} 0.0.7 and this is {now[package]}, so that it might go on otherwise; resume it with"
    )
    refused(resume, ValueError, message, folder)
    assert len(ns.load_history(folder).boundaries) == 2  # it can still be read


def test_a_version_that_does_not_decide(folder):
    edited(folder, versions=edited(folder)["versions"] | {"scipy": "0.0.7"})
    assert len(resume(folder).boundaries) == 4


def test_a_history_that_was_saved(folder, tmp_path, nothing_runs):
    saved = ns.save_history(ns.load_history(folder), tmp_path / "saved")
    refused(resume, ValueError, f"{saved} holds a history that was saved, not a run that broke off; begin another life with", saved)
    assert content(ns.load_history(saved)) == content(ns.load_history(folder))


def test_a_clock_that_was_set_back(folder, monkeypatch, nothing_runs):
    now = runfile._now()
    monkeypatch.setattr(runfile, "_now", lambda: now.replace(year=now.year - 1))
    refused(resume, ValueError, f"the clock says {now.year - 1}", folder)
    refused(resume, ValueError, f"but {folder} was last written at {now.year}", folder)
    assert len(ns.load_history(folder).boundaries) == 2


def test_control_a_clock_that_is_a_little_behind(folder, monkeypatch):
    now = runfile._now()
    monkeypatch.setattr(runfile, "_now", lambda: now.fromtimestamp(now.timestamp() - 30, now.tzinfo))
    assert len(resume(folder).boundaries) == 4


# --- places that cannot be written -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["/proc/neurosim", "/sys/neurosim"])
def test_places_where_nobody_can_write(place, nothing_runs):
    with pytest.raises(OSError, match=rf"folder {place} cannot be written \(.*\); choose a folder that you may write to"):
        live(place)


def test_a_folder_that_is_read_only(original):
    """Root may write everywhere, so that somebody else has to try."""
    with tempfile.TemporaryDirectory() as place:
        folder, told = Path(shutil.copytree(original, f"{place}/life")), Path(place) / "told"
        told.touch()
        told.chmod(0o666)
        for path in (Path(place), folder, *(one for one in folder.rglob("*") if one.is_dir())):
            path.chmod(0o555)
        before = files(folder)

        def somebody():
            if os.geteuid() == 0:
                os.setuid(65534)
            try:
                resume(folder)
            except PermissionError as error:
                told.write_text(f"{error}; {len(ns.load_history(folder).boundaries)} epochs can be read")

        os.waitpid(forked(somebody), 0)
        remedy = "choose a folder that you may write to; 2 epochs can be read"
        assert told.read_text() == f"[Errno 13] folder {folder} cannot be written (Permission denied); {remedy}" and files(folder) == before
        for path in (Path(place), folder, *(one for one in folder.rglob("*") if one.is_dir())):
            path.chmod(0o755)


def test_a_folder_that_cannot_be_written_and_is_not_for_lack_of_room(tmp_path, monkeypatch):
    def denied(*arguments):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "replace", denied)
    with pytest.raises(PermissionError, match=r"000000.npz cannot be written \(Permission denied\); choose a folder that you may write to"):
        live(tmp_path)


def test_a_disk_that_is_really_full(folder, tmp_path):
    """A limit on the size of files stands for it: the system cuts the write short."""
    live(tmp_path / "whole")
    largest = max(len(one) for name, one in files(tmp_path / "whole").items() if name.startswith("epochs"))
    before, told = files(folder), tmp_path / "told"

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest // 2, largest))
        try:
            resume(folder)
        except OSError as error:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
            told.write_text(str(error))

    os.waitpid(forked(limited), 0)
    assert re.search(rf"\[Errno 27\] {folder}/.* cannot be written \(File too large\); make room$", told.read_text())
    assert files(folder) == before
    assert content(resume(folder)) == content(ns.load_history(tmp_path / "whole"))


# --- two at once -----------------------------------------------------------------------------------------------------


@pytest.fixture
def holder(folder):
    """A process that holds the folder."""

    def hold():
        with locked(folder):
            (folder / "held").write_text("")
            time.sleep(60)

    child = forked(hold)
    while not (folder / "held").exists():
        time.sleep(0.005)
    (folder / "held").unlink()
    yield child
    try:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # the test has ended it


def test_a_second_process_waits_outside(folder, holder, monkeypatch, nothing_runs):
    monkeypatch.setattr(lock, "PATIENCE", 0.1)
    message = f"folder {folder} is in use by process {holder}; wait until it ends, or choose another folder"
    refused(resume, BlockingIOError, message, folder)
    assert len(ns.load_history(folder).boundaries) == 2  # it may read


def test_the_lock_ends_with_its_process(folder, holder):
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    assert len(resume(folder).boundaries) == 4


def test_a_file_system_without_locks(tmp_path, monkeypatch, nothing_runs):
    def none(*arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", none)
    with pytest.raises(OSError, match=rf"{tmp_path}/.lock cannot be locked \(No locks available\); choose a folder on another file system"):
        live(tmp_path)


def test_a_process_that_is_ending_is_waited_for(folder, holder, monkeypatch):
    wait, tries = lock.time.sleep, []

    def end_it(seconds):
        tries.append(seconds)
        os.kill(holder, signal.SIGKILL)
        wait(seconds)

    monkeypatch.setattr(lock.time, "sleep", end_it)
    assert len(resume(folder).boundaries) == 4 and tries


def test_one_that_began_meanwhile_is_not_resumed_unasked(tmp_path, monkeypatch):
    """Two begin a life in one folder; the second gets the lock when the first has ended."""
    taken = lock._take

    def first_comes_first(file):
        monkeypatch.setattr(lock, "_take", taken)
        os.waitpid(forked(lambda: live(tmp_path)), 0)
        return taken(file)

    monkeypatch.setattr(lock, "_take", first_comes_first)
    with pytest.raises(FileExistsError, match="holds a run already"):
        live(tmp_path, phases=[GROWTH])
    assert len(ns.load_history(tmp_path).boundaries) == 4
