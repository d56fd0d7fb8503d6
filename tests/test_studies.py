"""Every study runs at its smallest scale, from another folder, and leaves what it promises."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neurosim as ns
from neurosim import study

ROOT = Path(__file__).parent.parent
STUDIES = sorted(path.name for path in (ROOT / "studies").glob("*.py"))


def run(name, *options, folder):
    return subprocess.run([sys.executable, str(ROOT / "studies" / name), *options], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    done = run("growing_up.py", "--scale", "smoke", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_all_studies_are_tested():
    assert STUDIES == ["growing_up.py"]


def test_the_main_study_ends_with_its_table(grown):
    _, printed = grown
    last = printed.rstrip().splitlines()[-6:]
    assert last[0].split() == ["phase", "epochs", "cells", "synapses", "births", "deaths", "accuracy"]
    assert [line.split("  ")[0] for line in last[1:]] == ["start", "proliferation", "critical period", "pruning", "adulthood"]
    assert "not powered" in printed and "k-means" in printed and "logistic regression" in printed


@pytest.mark.parametrize("figure", ["membrane", "raster", "weights", "receptive_fields", "census"])
def test_every_figure_comes_with_its_data(grown, figure):
    folder = grown[0] / "results" / "growing_up"
    assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
    with open(folder / f"{figure}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 2 and len({len(row) for row in rows}) == 1


def test_the_history_of_the_study_can_be_read_again_and_replayed(grown):
    history = ns.load_history(grown[0] / "results" / "growing_up" / "life")
    assert [phase for phase, _, _ in history.phases] == ["proliferation", "critical period", "pruning", "adulthood"]
    again = ns.replay(history.start, history.boundaries)
    for name in ("input_to_exc", "lateral"):
        for column in ("id", "parent", "pre", "post", "share", "delay"):
            np.testing.assert_array_equal(again[name].synapses[column], history.circuit[name].synapses[column])
    for row in (history.series(name) for name in ("input", "exc", "input_to_exc", "lateral")):
        assert (np.diff(row["size"]) == row["births"][1:] - row["deaths"][1:]).all()


def test_a_run_says_what_ran(grown):
    about = json.loads((grown[0] / "results" / "growing_up" / "run.json").read_text())
    assert about["study"] == "growing_up" and set(about["versions"]) >= {"neurosim", "brian2", "numpy"}


def test_a_folder_that_exists_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    done = run("growing_up.py", "--scale", "smoke", "--out", "mine", folder=tmp_path)
    assert done.returncode != 0 and "mine exists already; give --out another folder" in done.stderr
    assert not list((tmp_path / "mine").iterdir())


def test_without_a_wanted_folder_the_next_free_one_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert [study.new_folder(None, "a").name for _ in range(3)] == ["a", "a-2", "a-3"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be made .*give --out a folder in a place that you may write to"):
        study.new_folder(tmp_path / "file" / "run", "a")


def double(number, progress):
    progress(1, 1)
    if number < 0:
        raise ValueError(f"{number} is below 0")
    return 2 * number


@pytest.mark.parametrize("workers", [1, 2])
def test_cases_run_and_come_back_by_name(workers):
    assert study.each(double, {"one": (1,), "two": (2,), "three": (3,)}, workers=workers) == {"one": 2, "two": 4, "three": 6}


def test_a_case_that_fails_is_named_after_the_others_finished():
    with pytest.raises(RuntimeError, match="1 of 2 cases failed, first 'bad': ValueError: -1 is below 0"):
        study.each(double, {"bad": (-1,), "good": (1,)}, workers=2)
