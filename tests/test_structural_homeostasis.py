"""The network that grows all of its synapses: the study runs, and neurosim and NEST begin alike."""

import csv
import json
from dataclasses import replace
from importlib.util import find_spec

import pytest
from peers_run import needs
from study_scripts import run as run_study
from study_scripts import study_fixture

study = study_fixture("structural_homeostasis")
QUANTITIES = ["synapses, exc", "synapses, inh", "calcium, exc", "calcium, inh"]


def test_the_study_runs_at_its_smallest_scale(tmp_path):
    done = run_study("structural_homeostasis", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "structural_homeostasis"
    found = json.loads((folder / "results.json").read_text())
    expected = [
        f"{one}, {when}, updates every {s} s" for s in ("0.02", "0.04") for one in QUANTITIES for when in ("first half", "at the end")
    ]
    assert list(found) == expected
    assert any(row["neurosim"] > 0 for name, row in found.items() if name.startswith("calcium"))
    with_nest = find_spec("nest") is not None
    assert all(("NEST" in row) == with_nest for row in found.values())
    assert ("within their margins" if with_nest else "NEST is not installed, so that nothing is compared") in done.stdout
    assert (folder / "courses.png").read_bytes().startswith(b"\x89PNG")
    with open(folder / "courses.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["panel"].removesuffix(" (Hz)") for row in rows} == set(QUANTITIES)
    assert {row["name"].split(",")[0] for row in rows} == {"neurosim", *(["NEST"] if with_nest else [])}


@pytest.mark.peers
@needs("nest")
def test_it_begins_in_nest_as_it_does_here(study, monkeypatch):
    """First synapses after 20 s, nearly one from each excitatory cell, from cells that fire alike: 5 % for 200 cells."""
    plan = replace(study.PLANS["full"], cells=200, duration=20_000)
    theirs = study.in_nest(plan, 10_000, 1)
    ours = study.in_neurosim(plan, 10_000, 1)
    assert ours["synapses, exc"][0] == theirs["synapses, exc"][0] == 0
    assert theirs["synapses, exc"][1] == pytest.approx(160, rel=0.05)
    assert theirs["synapses, inh"][1] <= 2 and ours["synapses, inh"][1] <= 2
    for key in ("synapses, exc", "calcium, exc", "calcium, inh"):
        assert ours[key][1] == pytest.approx(theirs[key][1], rel=0.05)
    monkeypatch.setattr(study, "INPUT", 6.0)  # the control: other cells
    other = study.in_neurosim(plan, 10_000, 1)
    assert other["calcium, exc"][1] != pytest.approx(theirs["calcium, exc"][1], rel=0.1)
