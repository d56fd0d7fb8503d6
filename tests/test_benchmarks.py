"""The benchmarks run at their smallest scale, compare before they time, and say what was left out; nothing is timed here."""

import json
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parent.parent / "studies" / "benchmarks"
sys.path.append(str(FOLDER))

import boundaries  # noqa: E402
import cells  # noqa: E402
import growth  # noqa: E402
import in_cpp  # noqa: E402
import in_neurosim  # noqa: E402
import measuring  # noqa: E402
import networks  # noqa: E402
import turnover  # noqa: E402
from cases import ALONE, Uncoupled, brette, stdp  # noqa: E402

VARIANTS = ["neurosim", "brian2 runtime", "brian2 standalone", "nest"]
ALONE_SMOKE = next(iter(cells.SMOKE))  # cells of Traub and Miles
EXPECTED = {
    "cells": {ALONE_SMOKE: [*VARIANTS, cells.LIMIT]},
    "networks": {"coba": VARIANTS, "overhead": ["neurosim"]},
    "boundaries": {boundaries.TINY: ["neurosim", "brian2 runtime", "nest"]},
    "growth": {growth.SLOW: ["neurosim", "nest"]},
    "turnover": {turnover.CASES["smoke"]: ["neurosim", turnover.SIMULATING]},
    "start": {"cold start": ["neurosim", "brian2 runtime", "brian2 standalone"]},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What each benchmark printed, and its rows. One runs as a script; the others here, which spares two processes their imports."""
    folder = tmp_path_factory.mktemp("benchmarks")
    options = {name: ["--scale", "smoke", "--json", str(folder / f"{name}.json")] for name in EXPECTED}
    command = [sys.executable, FOLDER / "start.py", *options["start"], "--cases", "cold start"]
    script = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    printed = {}
    for name, main, cases in (
        ("cells", cells.main, ["--cases", ALONE_SMOKE]),
        ("networks", networks.main, ["--cases", "coba", "overhead"]),
        ("boundaries", boundaries.main, ["--cases", boundaries.TINY]),
        ("growth", growth.main, ["--cases", growth.SLOW]),
        ("turnover", turnover.main, ["--cases", turnover.CASES["smoke"]]),
    ):
        with redirect_stdout(StringIO()) as text:
            main([*options[name], *cases])
        printed[name] = text.getvalue()
    printed["start"], errors = script.communicate(timeout=300)
    assert script.returncode == 0, errors
    return {name: (text, json.loads((folder / f"{name}.json").read_text())) for name, text in printed.items()}


def test_all_benchmarks_are_tested():
    scripts = {path.stem for path in FOLDER.glob("*.py") if "arguments(__doc__" in path.read_text(encoding="utf-8")}
    assert scripts == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_benchmark_gives_a_row_for_every_variant(name, ran):
    printed, rows = ran[name]
    found = {}
    for row in rows:
        found.setdefault(row["case"], []).append(row["variant"])
    assert found == EXPECTED[name]
    for row in rows:
        assert set(row) == {"case", "variant", "seconds", "agreement", "observed"}
        assert len(row["seconds"]) == (0 if row["agreement"].startswith("absent") else measuring.REPEATS["smoke"])
        assert not row["agreement"].startswith("failed"), row["agreement"]
        assert any(line.startswith(row["variant"]) for line in printed.splitlines())


def test_what_is_left_out_is_said_with_the_reason(ran):
    printed, rows = ran["networks"]
    (row,) = [row for row in rows if (row["case"], row["variant"]) == ("coba", "brian2 standalone")]
    assert row["agreement"] == "absent: programs are not built at scale smoke" and row["agreement"] in printed
    absent = [row for row in rows if row["variant"] == "nest" and row["agreement"].startswith("absent")]
    assert all("nest" in row["agreement"] for row in absent)


def test_brian2_does_the_same_as_neurosim(ran):
    """Without noise the same network from the same state gives as many spikes."""
    ours, theirs = (row["observed"] for row in ran["networks"][1][:2])
    assert ours == theirs and ours["rate of exc"] > 0 and ours["rate of exc"] != ours["rate of inh"]
    ours, theirs = (row["observed"] for row in ran["cells"][1][:2])
    assert ours == theirs and ours["rate"] > 0 and 0.5 < ours["share that fires"] < 1


def limit(case):
    """What the loop in C++ observes of cells, in the state of seed 0."""
    try:
        return in_cpp.prepare(case)(0)[1]
    except measuring.Absent as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("kind", ALONE)
def test_the_loop_in_cpp_does_the_same_as_neurosim(kind):
    """Rounding may move a spike or two; between cells of different kinds much more differs."""
    case, other = (Uncoupled(one, 100, 1000) for one in (kind, "leaky" if kind == "adex" else "adex"))
    ours = in_neurosim.alone(case, "numpy")(0)[1]
    assert limit(case) == pytest.approx(ours, rel=1e-3) and ours["rate"] > 10
    assert limit(other) != pytest.approx(ours, rel=0.05)


def test_a_loop_in_cpp_without_room_for_spikes_says_so(monkeypatch):
    monkeypatch.setattr(in_cpp, "SHORTEST", 1000)
    with pytest.raises(RuntimeError, match="give them less current"):
        limit(Uncoupled("leaky", 40, 300))


def test_the_loop_in_cpp_is_left_out_without_a_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(measuring.Absent, match="no-such-compiler"):
        in_cpp.compiled()


def test_a_bar_for_wide_vectors_is_asked_where_there_are_any():
    assert cells.WIDE in cells.bars("flags : sse2 avx2 avx512f") and cells.WIDE not in cells.bars("flags : sse2 avx2")


def test_uncoupled_cells_are_observed_by_their_spikes():
    """Of four cells, two fire in 2 s: three times at 0.5, 1 and 1.5 s, and once at 0.1 s; the order of spikes does not matter."""
    case = Uncoupled("leaky", 4, 20_000)
    found = case.observed(np.array([1, 1, 3, 1]), np.array([1.5, 0.5, 0.1, 1.0]))
    assert found == pytest.approx({"rate": 0.5, "share that fires": 0.5, "first spike": 0.3})
    assert case.observed(np.array([1, 1, 3, 1]), np.array([1.5, 0.7, 0.1, 1.0]))["first spike"] == pytest.approx(0.4)


def test_all_boundaries_replace_as_many_synapses(ran):
    rows = [row for row in ran["boundaries"][1] if row["case"] == boundaries.TINY and row["seconds"]]
    assert len(rows) >= 2
    for row in rows:
        assert row["observed"]["synapses"] == 10_000 and row["observed"]["replaced"] == pytest.approx(100, rel=0.05)


def test_boundaries_and_simulation_are_timed_in_the_same_lives(ran):
    boundary, simulating = (row["observed"] for row in ran["turnover"][1])
    _, cells = turnover.SIZES["smoke"]
    assert boundary == simulating and boundary["spikes"] > 0
    assert 0.95 * cells <= boundary["exc"] + boundary["inh"] <= cells  # as many die as divide, but for cells chosen for both
    assert boundary["turnover"] == pytest.approx(0.02, rel=0.5)  # of synapses that come and that go, on the average over projections


def test_a_life_with_boundaries_is_beside_one_without():
    length = (stdp(10_000, 200), *boundaries.EPOCHS["smoke"], "numpy")
    (_, lived), (_, passed) = (prepare(*length)(0) for prepare in (boundaries.developed, boundaries.unbroken))
    assert lived.keys() == passed.keys() and lived["synapses"] == passed["synapses"] == 10_000
    assert lived["spikes"] == pytest.approx(passed["spikes"], abs=5) and passed["spikes"] > 0


def test_arguments_that_cannot_be_met_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        measuring.arguments("a benchmark", ["one"], ["--json", str(tmp_path / "none" / "rows.json")])
    assert "make it first" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        measuring.arguments("a benchmark", ["one"], ["--cases", "two"])
    assert "invalid choice: 'two'" in capsys.readouterr().err


@pytest.mark.parametrize("main", [networks.main, cells.main, boundaries.main, growth.main, turnover.main])
def test_a_benchmark_says_which_cases_it_has(main, capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0 and "CASE" in capsys.readouterr().out


@pytest.mark.parametrize("network", [stdp(1000, 100), brette("coba", 200)])
def test_a_network_is_the_same_for_everyone(network):
    for (name, first), again in zip(network.synapses.items(), network.synapses.values(), strict=True):
        assert all(np.array_equal(first[column], again[column]) for column in first)
        pairs = first["pre"] * network.cells + first["post"]
        assert (np.diff(pairs) > 0).all() and ((first["pre"] < network.excitatory) == (name == "exc")).all()
        assert len(pairs) == round(network.probability * network.cells * np.unique(first["pre"]).size)
    assert np.array_equal(network.state(1)["v"], network.state(1)["v"]) and not np.array_equal(network.state(1)["v"], network.state(2)["v"])


def test_equal_variants_agree_and_others_do_not():
    ours, theirs = np.random.default_rng(0).normal(10, 0.1, (2, 6))
    assert measuring.disagreement("rate", ours, theirs) is None
    assert measuring.disagreement("rate", ours, theirs + 1).startswith("rate is ")
    assert measuring.disagreement("rate", ours, theirs + 1, allowed=0.1) is None
    assert measuring.disagreement("rate", ours, theirs + 3, allowed=0.1).startswith("rate is ")


def test_nothing_is_told_from_values_that_vary_too_much():
    """A network that fell silent in one of its runs agrees with nothing."""
    alive, out = [19.0, 19.5, 19.2, 19.4], [19.1, 19.6, 0.2, 19.3]
    assert "varies too much" in measuring.disagreement("rate", alive, out)
    assert "one run" in measuring.disagreement("rate", [19.0], [19.1])
    assert measuring.disagreement("rate", alive, alive) is None and measuring.disagreement("rate", [19.0], [19.0]) is None


def steady(seconds, value):
    """A variant that always takes so long and observes that value."""
    return lambda seed: (seconds, {"value": value})


def lacking():
    raise ImportError("No module named 'peer'")


def broken():
    def run(seed):
        raise ArithmeticError("it does not add up")

    return run


def test_only_variants_that_agree_are_compared(capfd, tmp_path):
    variants = {
        "neurosim": (steady, 0.5, 7.0),
        "slower": (steady, 1.0, 7.0),
        "other": (steady, 0.1, 8.0),
        "lacking": (lacking,),
        "broken": (broken,),
    }
    rows = {row.variant: row for row in measuring.compare("a case", variants, 2)}
    assert [rows[name].agreement.split(":")[0] for name in variants] == ["reference", "yes", "no", "absent", "failed"]
    assert "No module named 'peer'" in rows["lacking"].agreement and "it does not add up" in rows["broken"].agreement
    assert rows["slower"].seconds == [1.0, 1.0] and rows["lacking"].seconds == []
    report = measuring.Report(tmp_path / "rows.json")
    report.add(list(rows.values()))
    report.finish(
        [measuring.Bar("a case", name, over="neurosim", least=1.5) for name in ("slower", "other")] + [measuring.Bar("a case", most=0.1)]
    )
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["slower", "1", "s", "2", "yes", "1", "s,", "1", "s"] in lines
    assert ["other", "100", "ms", "-", "no", "100", "ms,", "100", "ms"] in lines
    bars = [line for line in lines if line[:2] == ["a", "case:"]]
    assert [line[-1] for line in bars] == ["reached", "measured", "missed"]
