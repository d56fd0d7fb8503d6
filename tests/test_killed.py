"""A study that is killed at random moments, parent and workers, ends with the same bytes as one that nobody disturbed."""

import os
import random
import signal
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("small_study.py")
OPTIONS = ["--out", "run", "--scale", "small", "--seeds", "3"]
KILLS = 6  # each takes seconds, most of them imports; one process alone is killed 20 times in test_resume.py
WAYS = ["parent", "worker", "all"]


def begin(folder, *options):
    with open(folder / "log.txt", "a", encoding="utf-8") as log:
        command = [sys.executable, str(SCRIPT), *OPTIONS, *options]
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)


def children(process):
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]


def content(folder):
    """Everything that a run leaves but its times, its lock and its log, by path."""
    paths = [path for path in (folder / "run").rglob("*") if path.is_file() and path.name not in ("run.json", ".lock")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def kill(process, how):
    """Kill a study in one of three ways; return the processes that must end with it."""
    try:
        workers = children(process)
        if how == "worker" and workers:
            os.kill(workers[-1], signal.SIGKILL)
            time.sleep(0.3)
        if how == "all":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    except (FileNotFoundError, ProcessLookupError):
        return []  # it ended by itself just now
    process.wait()
    return workers


def gone(pid):
    """Whether a process has ended, within the second or two that the system may need."""
    for _ in range(200):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert begin(folder).wait() == 0, (folder / "log.txt").read_text()
    return content(folder)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for workers in /proc")
@pytest.mark.parametrize("kills", [KILLS, pytest.param(200, marks=pytest.mark.slow)])
def test_killed_at_random_moments_it_ends_with_the_same_bytes(kills, undisturbed, tmp_path):
    chance = random.Random(kills)
    ways = cycle(chance.sample(WAYS, len(WAYS)))
    done = lives = 0
    while done < kills:
        folder = tmp_path / f"life{lives}"
        folder.mkdir()
        lives += 1
        finished = False
        while not finished:
            process = begin(folder, "--resume")
            try:
                finished = process.wait(timeout=chance.uniform(1, 6) if done < kills else None) == 0
                assert finished, (folder / "log.txt").read_text()  # nobody has killed it
            except subprocess.TimeoutExpired:
                workers = kill(process, next(ways))
                done += 1
                assert all(map(gone, workers)), "a worker outlived the study"
        assert content(folder) == undisturbed
    assert done == kills


def test_control_lives_of_other_seeds_leave_other_bytes(undisturbed):
    one, other = ({path: left for path, left in undisturbed.items() if f"/life {seed}/" in path} for seed in (0, 1))
    assert len(one) == len(other) > 5
    same = [path for path, left in one.items() if path.endswith(".csv") and left == other[path.replace("life 0", "life 1")]]
    assert [path.rsplit("/")[-1] for path in same] == ["ledgers.csv"]  # in which no rule keeps anything
