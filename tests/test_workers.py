"""Independent cases in processes of their own: results by name, failures named, nothing done twice, no process left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neurosim.workers import each


def double(number, *, folder, progress):
    progress(1, 2)
    if number < 0:
        raise ValueError(f"{number} is below 0")
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "runs.txt", "a", encoding="utf-8") as file:
        file.write("x")
    progress(2, 2)
    return {"twice": 2 * number, "array": np.arange(number), "pid": os.getpid()}


def end_itself(how, *, folder, progress):
    if how == "exit":
        os._exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "object":
        return {"result": object()}
    return {"result": how}


@pytest.mark.parametrize("workers", [1, 2])
def test_cases_run_in_their_own_processes_and_come_back_by_name(workers, tmp_path, capsys):
    found = each(double, {"three": (3,), "one": (1,), "two": (2,)}, tmp_path, workers=workers)
    assert list(found) == ["three", "one", "two"]
    assert {name: (one["twice"], one["array"]) for name, one in found.items()} == {
        "one": (2, [0]),
        "two": (4, [0, 1]),
        "three": (6, [0, 1, 2]),
    }
    pids = {one["pid"] for one in found.values()}
    assert len(pids) == 3 and os.getpid() not in pids
    assert "100%" in capsys.readouterr().err


def test_a_case_with_a_result_is_not_run_again(tmp_path):
    first = each(double, {"one": (1,)}, tmp_path)
    again = each(double, {"one": (1,), "two": (2,)}, tmp_path)
    assert again["one"] == first["one"] and (tmp_path / "one" / "runs.txt").read_text() == "x"
    (tmp_path / "one.json").unlink()  # the control
    assert each(double, {"one": (1,)}, tmp_path)["one"]["twice"] == 2 and (tmp_path / "one" / "runs.txt").read_text() == "xx"


def test_a_case_that_fails_is_named_after_the_others_finished(tmp_path, capsys):
    with pytest.raises(
        RuntimeError, match="1 of 3 cases failed, first 'bad': ValueError: -1 is below 0; the results of the others are kept"
    ):
        each(double, {"bad": (-1,), "good": (1,), "fine": (2,)}, tmp_path, workers=1)
    assert (tmp_path / "good.json").exists() and (tmp_path / "fine.json").exists() and not (tmp_path / "bad.json").exists()
    assert "bad failed:" in (shown := capsys.readouterr().err) and "Traceback" in shown


@pytest.mark.parametrize("how, what", [("exit", "exit status 3"), ("kill", "SIGKILL"), ("object", "cannot be kept in a JSON file")])
def test_a_process_that_ends_is_named_and_the_others_finish(how, what, tmp_path):
    with pytest.raises(RuntimeError, match=rf"1 of 2 cases failed, first 'bad'.*{what}"):
        each(end_itself, {"bad": (how,), "good": ("well",)}, tmp_path)
    assert json.loads((tmp_path / "good.json").read_text())["result"] == {"result": "well"}
    assert not (tmp_path / "bad.json").exists()


def test_a_result_of_another_case_or_one_that_was_altered_is_refused(tmp_path):
    each(double, {"one": (1,)}, tmp_path)
    with pytest.raises(ValueError, match=r"one.json is the result of another case: case\[0\] is 5 now and was 1; choose another folder"):
        each(double, {"one": (5,)}, tmp_path)
    path = tmp_path / "one.json"
    whole = path.read_text()
    path.write_text(whole.replace('"twice": 2', '"twice": 3'))
    with pytest.raises(ValueError, match="one.json is damaged or was altered: it does not match its hash; remove it"):
        each(double, {"one": (1,)}, tmp_path)
    path.write_text(whole[:-20])
    with pytest.raises(ValueError, match="one.json is damaged"):
        each(double, {"one": (1,)}, tmp_path)
    path.write_text(whole)
    assert each(double, {"one": (1,)}, tmp_path)["one"]["twice"] == 2  # the control


SLEEPER = """
import os, sys, time
sys.path.insert(0, {tests!r})
from pathlib import Path
from neurosim.workers import each
from test_workers import sleep

if __name__ == "__main__":
    each(sleep, {{"short": (0,), "long": (60,), "longer": (60,)}}, Path("."), workers=2)
"""


def sleep(seconds, *, folder, progress):
    folder.with_suffix(".pid").write_text(str(os.getpid()))
    time.sleep(seconds)
    return seconds


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for workers in /proc")
@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent_however_it_ends(signal_sent, tmp_path):
    (tmp_path / "script.py").write_text(SLEEPER.format(tests=str(Path(__file__).parent)))
    process = subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    written = [tmp_path / f"{name}.pid" for name in ("long", "longer")]
    wait_for(lambda: (tmp_path / "short.json").exists() and all(path.exists() and path.read_text() for path in written))
    pids = [int(path.read_text()) for path in written]
    assert all(map(alive, pids))  # the control
    process.send_signal(signal_sent)
    _, shown = process.communicate(timeout=30)
    wait_for(lambda: not any(map(alive, pids)), 10.0)
    assert not (tmp_path / "long.json").exists()
    if signal_sent == signal.SIGINT:
        assert process.returncode == 130
        assert "interrupted; finished: short (of 3); the others can be resumed" in shown and "Traceback" not in shown
