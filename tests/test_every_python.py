"""The script that runs the suite on every Python: which interpreters it finds, what it says of each, when it fails."""

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("every_python.sh")
INTERPRETER = """#!/bin/sh
case "$*" in
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python";;
    "-m pip "*) echo "pip is asked for $5 $6"; exit {pip};;
    "-m pytest "*) echo "a first line"; echo "==== {result} in 61.20s (0:01:01) ===="; exit {status};;
    *brian2*) echo 2.10.1;;
    *) echo {release};;
esac
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a script for bash")


def interpreter(path, release, result="1596 passed, 2 skipped", status=0, pip=0):
    """Write something that answers as an interpreter would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(INTERPRETER.format(release=release, result=result, status=status, pip=pip))
    path.chmod(0o755)
    return str(path)


def run(tmp_path, *arguments):
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(["bash", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_interpreters_are_found_on_the_path_and_in_pyenv(tmp_path):
    interpreter(tmp_path / "bin" / "python3.11", "3.9")  # a name that does not keep its word
    interpreter(tmp_path / "bin" / "python3.12", "3.12")
    interpreter(tmp_path / "bin" / "python3.13", "")  # as pyenv's own, for a release that is not chosen
    interpreter(tmp_path / ".pyenv" / "versions" / "3.13.0" / "bin" / "python", "3.13")
    passed = "brian2 2.10.1: 1596 passed, 2 skipped"
    assert run(tmp_path) == (0, ["3.11: not found", f"3.12 {passed}", f"3.13 {passed}"])


def test_it_fails_with_any_of_them_and_shows_what_that_one_said(tmp_path):
    good = interpreter(tmp_path / "good", "3.12")
    bad = interpreter(tmp_path / "bad", "3.13", result="1 failed, 1595 passed", status=1)
    assert run(tmp_path, good)[0] == 0
    status, lines = run(tmp_path, bad, good)
    assert status == 1 and lines[0] == "3.13 brian2 2.10.1: 1 failed, 1595 passed"
    assert lines[1] == "a first line" and lines[-1] == "3.12 brian2 2.10.1: 1596 passed, 2 skipped"


def test_one_that_is_asked_for_and_missing_or_cannot_be_filled_is_a_failure(tmp_path):
    assert run(tmp_path, "/nowhere/python") == (1, ["/nowhere/python: not found"])
    status, lines = run(tmp_path, interpreter(tmp_path / "empty", "3.12", pip=1))
    assert status == 1 and lines == ["3.12: neurosim could not be installed", f"pip is asked for -e {SCRIPT.parent.parent}[test]"]


def test_nothing_found_is_a_failure(tmp_path):
    for release in ("3.11", "3.12", "3.13"):
        interpreter(tmp_path / "bin" / f"python{release}", "")
    assert run(tmp_path) == (1, ["3.11: not found", "3.12: not found", "3.13: not found"])
