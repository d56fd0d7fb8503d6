"""Every study runs at its smallest scale, from another folder, and leaves what it promises."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import neurosim as ns

ROOT = Path(__file__).parent.parent
STUDIES = sorted(path.name for path in (ROOT / "studies").glob("*.py"))


def run(name, *options, folder):
    return subprocess.run([sys.executable, str(ROOT / "studies" / name), *options], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studies")
    done = run("growing_up.py", "--scale", "smoke", "--seeds", "1", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder, done.stdout


def test_all_studies_are_tested():
    assert STUDIES == [
        "apoptosis_then_pruning.py",
        "biophysical_vs_leaky.py",
        "brain_notes.py",
        "critical_period.py",
        "dna_extinction.py",
        "firing_patterns.py",
        "growing_up.py",
        "homeostatic_assemblies.py",
        "inhibitory_balance.py",
        "interneuron_survival.py",
        "live_connections.py",
        "network_biophysical_vs_leaky.py",
        "raphael_metabolism.py",
        "song_abbott.py",
        "stdp_windows.py",
        "structural_homeostasis.py",
        "time_steps.py",
    ]


def test_simplified_cells_are_fitted_and_compared(tmp_path):
    done = run("biophysical_vs_leaky.py", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder, case = tmp_path / "results" / "biophysical_vs_leaky", "traub_miles, seed 0"
    found = json.loads((folder / "results.json").read_text())[case]
    cells = ["leaky", "adaptive threshold", "exponential leaky", "AdEx", "Izhikevich"]
    assert len(found["not seen"]) == 5 and all(list(table) == cells for table in found["not seen"].values())
    assert found["transfer"]["rows"] == ["leaky, all", "exponential leaky, all", "AdEx, all"]
    training = {name: max(one["searches"]) for name, one in found["fits"]["traub_miles, all, seed 0"].items()}  # at the plan's precision
    assert training["leaky"] <= training["exponential leaky"] <= training["AdEx"]
    for name in cells:
        fitted = ns.load_cell(folder / "lives" / "traub_miles, all, seed 0" / f"{name}.toml")
        assert "fitted to the spikes of 'traub_miles'" in fitted.parameters["C_m"].source
    for figure in ("coincidence", "transfer", "fi_curves", "responses", "cost"):
        assert (folder / case / f"{figure}.png").read_bytes().startswith(b"\x89PNG") and (folder / case / f"{figure}.csv").is_file()
    assert "Gamma, fitted to" in done.stdout and done.stdout.count("(driven ") == 5


def test_the_galleries_of_firing_patterns(tmp_path):
    done = run("firing_patterns.py", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "firing_patterns"
    for cell, sets in {"adex": 8, "izhikevich": 7, "izhikevich_2007": 7}.items():
        assert (folder / f"{cell}.png").read_bytes().startswith(b"\x89PNG")
        with open(folder / f"{cell}_classes.csv", newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["set"] for row in rows] == list(ns.load_cell(cell).sets) and len(rows) == sets
        assert all(any(line.split()[:1] == [row["set"]] and row["class"] in line for line in done.stdout.splitlines()) for row in rows)
    assert "of 8 have the published class" in done.stdout


def test_time_steps_are_measured_and_drawn(tmp_path):
    done = run("time_steps.py", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "time_steps"
    assert (folder / "time_steps.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((folder / "results.json").read_text())
    for name, one in found.items():
        assert one["method"] == ns.load_cell(name).method and len(one["table"]["dt"]) == 3
        assert one["table"]["mean"][-1] < one["table"]["mean"][0] and one["reference"] < 1e-3 * one["table"]["mean"][-1]
        assert any(line.split()[:1] == [name] for line in done.stdout.splitlines())


def test_the_main_study_ends_with_its_table(grown):
    _, printed = grown
    last = printed.rstrip().splitlines()[-8:-2]
    assert last[0].split() == ["phase", "epochs", "cells", "synapses", "births", "deaths", "accuracy"]
    assert [line.split("  ")[0] for line in last[1:]] == ["start", "proliferation", "critical period", "pruning", "adulthood"]
    assert "k-means" in printed and "logistic regression" in printed


KINDS = ["from 10", "from 1", "fixed", "growth only", "random choices", "equal synapses"]


def test_the_main_study_compares_all_kinds_of_lives(grown):
    _, printed = grown
    for kind in (*KINDS, "no normalisation", "identical twins"):
        assert any(line.startswith(kind) for line in printed.splitlines())
    for key in ("label vote", "synapses", "thousand spikes", "million events", "million events to 0.8"):
        compared = [line.removeprefix(key).strip() for line in printed.splitlines() if line.startswith(f"{key}  ")]
        others = [kind for kind in KINDS if kind != "fixed"] + ["from 10"]  # the last against random choices
        assert len(compared) == len(others) and all(line.startswith(kind) for line, kind in zip(compared, others, strict=True))
    assert "minus fixed, not powered (1 of 10 pairs)" in printed and "95 % interval" in printed


@pytest.mark.parametrize("figure", ["membrane", "raster", "receptive_fields", "comparison", "cost"])
def test_every_figure_comes_with_its_data(grown, figure):
    folder = grown[0] / "results" / "growing_up"
    assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
    with open(folder / f"{figure}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 2 and len({len(row) for row in rows}) == 1


def test_the_control_chooses_as_much_but_others(grown):
    """Random choices: in every epoch as many events of each kind, but of other cells and synapses; equal synapses: as many as at last."""
    lives = grown[0] / "results" / "growing_up" / "lives"
    for seed in (0,):
        chosen, random, equal = (
            ns.load_history(lives / f"{kind}, seed {seed}") for kind in ("from 10", "random choices", "equal synapses")
        )
        counts = [np.unique(history.events[["epoch", "kind", "where"]], return_counts=True) for history in (chosen, random)]
        assert counts[0][0].tolist() == counts[1][0].tolist() and counts[0][1].tolist() == counts[1][1].tolist()
        assert chosen.events["parent"].tolist() != random.events["parent"].tolist()
        assert len(equal.start["input_to_exc"]) == len(equal.circuit["input_to_exc"]) == len(chosen.circuit["input_to_exc"])


def test_the_history_of_the_study_can_be_read_again_and_replayed(grown):
    history = ns.load_history(grown[0] / "results" / "growing_up" / "lives" / "from 10, seed 0")
    assert [phase for phase, _, _ in history.phases] == ["proliferation", "critical period", "pruning", "adulthood"]
    again = ns.replay(history.start, history.boundaries)
    for name in ("input_to_exc", "lateral"):
        for column in ("id", "parent", "pre", "post", "share", "delay"):
            np.testing.assert_array_equal(again[name].synapses[column], history.circuit[name].synapses[column])
    for row in (history.series(name) for name in ("input", "exc", "input_to_exc", "lateral")):
        assert (np.diff(row["size"]) == row["births"][1:] - row["deaths"][1:]).all()


def test_a_run_says_what_ran(grown):
    about = json.loads((grown[0] / "results" / "growing_up" / "run.json").read_text())
    assert (
        about["kind"] == "study"
        and about["state"] == "finished"
        and set(about["versions"]) >= {"neurosim", "brian2", "numpy", "scikit-learn"}
    )
    assert about["specification"]["study"] == "growing_up" and about["specification"]["seeds"] == 1
    (session,) = about["sessions"]
    assert (
        session["command"][1:] == ["--scale", "smoke", "--seeds", "1"] and session["begun"] <= session["ended"] and session["seconds"] > 0
    )


def test_lives_have_reports(grown):
    lives = grown[0] / "results" / "growing_up" / "lives"
    assert {path.parent.name for path in lives.glob("*/report.html")} == {"from 10, seed 0"}


def hashes(folder):
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_resuming_the_finished_study_prints_its_result(grown):
    folder, printed = grown
    before = hashes(folder)
    done = run("growing_up.py", "--scale", "smoke", "--seeds", "1", "--resume", folder=folder)
    assert done.returncode == 0 and done.stdout == printed
    before.pop(lock := str(folder / "results" / "growing_up" / ".lock"))
    after = hashes(folder)
    after.pop(lock)
    assert before == after
