"""The report of a run folder: a page that stands alone, tells what the history holds, and runs nothing that a name brings in."""

import base64
import json
import re
import shutil
import struct
import sys

import numpy as np
import pytest
from life_data import NOISE, Oldest, circuit, develop
from page_reader import Page, alts, notice, report

import neurosim as ns
from neurosim.report import recording as report_recording
from neurosim.report import write_report
from neurosim.report.album import Album
from neurosim.report.page import Section, page, paragraph, table
from neurosim.report.words import words
from neurosim.specification import specification
from neurosim.units import Hz, mV, nS, second

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(scope="module")
def grown(tmp_path_factory):
    """A life with divisions, deaths, rewiring, recordings and a measure, and its folder."""
    folder = tmp_path_factory.mktemp("runs") / "grown"
    phases = [
        ns.Phase("growth", 2, [ns.Division("exc", count=2, jitter=0.1), ns.CalciumBook("exc", 1 * second)]),
        ns.Phase(
            "pruning",
            2,
            [ns.Apoptosis("exc", Oldest(), count=1), ns.Rewiring("loop", prune=ns.WeightBelow(1.2 * nS), regrow=5 * Hz, weight=1 * nS)],
        ),
    ]
    record = [ns.Spikes("exc"), ns.Trace("exc", "v", cells=2), ns.Trace("loop", "weight", synapses=3)]
    return folder, develop(circuit(), *phases, record=record, measure=lambda now, _: {"size": float(len(now["exc"]))}, keep=folder)


def alone(size=2):
    """A circuit without projections, whose reports have few figures."""
    return ns.Circuit([ns.create("exc", "leaky_conductance", size)], seed=1)


def small(folder):
    develop(alone(), ns.Phase("calm", 1), inputs=(), keep=folder)


@pytest.fixture(scope="module")
def shown(grown):
    """The report of that life, as it is read."""
    return report(grown[0])


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, wrong",
    [
        ("<p><b></p></b>", "</p> closes nothing"),
        ("<p>", "<p> stays open"),
        ("<script></script>", "<script>"),
        ('<img src="http://x/y.png" alt="z">', "img from http://x/y.png"),
        ('<p onclick="x"></p>', "onclick of <p>"),
        ('<a href="http://x"></a>', "link to http://x"),
        ('<a href="#x"></a>', "#x is nowhere"),
        ("<style>@import url(x)</style>", "a style that fetches"),
    ],
)
def test_the_reader_of_these_tests_finds_what_is_wrong(content, wrong):
    assert wrong in Page(content).wrong


def test_a_page_stands_alone(shown):
    assert {link for link in shown.links if not link.startswith("#")} == {
        "https://doi.org/10.1523/JNEUROSCI.3508-05.2005",
        "https://doi.org/10.1007/s10827-007-0038-6",
        "https://doi.org/10.1080/01621459.1958.10501452",
    }
    for image in shown.images:
        content = base64.b64decode(image["src"].partition(",")[2])
        size = struct.unpack(">II", content[16:24])
        assert (
            content.startswith(b"\x89PNG") and size == (int(image["width"]), int(image["height"])) and size[0] == 1005
        )  # 85 mm at 300 dpi
        assert b"tIME" not in content and b"Matplotlib" not in content


def test_every_figure_of_a_life_is_there(shown):
    assert alts(shown) == [
        "Cells and synapses in each epoch",
        "Lineage tree of exc",
        "Sizes of the clones of exc",
        "Distribution of the weights of loop",
        "Weights from cell to cell in loop",
        "Synapses that cells receive and send in loop",
        "Weights from cell to cell in into",
        "Synapses that cells receive and send in into",
        "Survival of cells and synapses by age",
        "Balance of excitation and inhibition in each epoch",
        "Calcium of exc in each epoch",
        "Weights of single synapses of loop in the whole life",
        "Spikes of exc in the whole life",
        "Membrane potential in exc in the whole life",
        "Measure size over the epochs",
    ]


def test_the_numbers_are_those_of_the_history(grown, shown):
    folder, history = grown
    text, about = shown.text, json.loads((folder / "run.json").read_text())
    events = history.events
    pruned = int((events["rule"] == "pruning/rewiring.loop")[events["kind"] == "unlink"].sum())
    loop = history.series("loop")
    assert pruned > 0
    assert "exc: 8 to 10 (4 births, 2 deaths)" in text
    assert f"loop: {loop['size'][0]} to {loop['size'][-1]} ({loop['births'].sum()} births, {loop['deaths'].sum()} deaths)" in text
    assert re.search(rf"pruning/rewiring.loop unlink loop {pruned} ", text)
    assert "12 cells ever lived: 8 from the start and 4 born later; 2 died." in text
    assert f"{len(history.recording['exc'].spikes)} spikes of 12 cells in 0.016 s" in text
    assert f"{len(events)} events at the boundaries" in text and "with seed 1: exc 8 to 10 cells" in text
    weights = np.asarray(history.circuit["loop"].weight) / 1e-9
    assert f"epoch 4: {weights.mean():.3g} ± {weights.std():.2g} nS ({len(weights)} synapses)" in text
    assert about["run"] in text and all(hash in text for hash in about["models"].values()) and about["sessions"][0]["platform"] in text
    drive, median = history.balance[-1], history.ledgers["median"]
    assert f"Excitation and inhibition in epoch 4: exc {drive['exc']:.3g} and 0 V/s" in text and drive["exc"] > 0
    assert f"Median 0 to {median[-1]:.3g} Hz" in text and median[-1] > 0
    assert "exc: 8 to 11" not in text and "f" * 64 not in text  # the control
    assert notice(folder) == []


def test_the_specification_is_told_in_words_and_in_full(shown):
    text = shown.text
    assert "Division(exc, who=Everyone, count=2, share=[0.25, 0.75], jitter=0.1)" in text
    assert "Rewiring(loop, prune=WeightBelow(weight=1.2 nS), regrow=5 Hz, weight=1 nS, delay=0 s)" in text
    assert "PoissonInput(exc, receptor=g_exc, rate=900 Hz, weight=5 nS, shared_noise=False)" in text
    assert "FixedProbability(probability=0.3" in text and "Uniform(low=1 nS, high=2 nS)" in text and "Length of an epoch 4 ms" in text
    assert '"class": "Apoptosis"' in text and "membrane capacitance" in text and "dv/dt = " in text


def test_the_same_folder_gives_the_same_bytes_and_stays_as_it_is(grown, shown, tmp_path):
    one = (grown[0] / "report.html").read_bytes()
    copy = tmp_path / "grown"
    shutil.copytree(grown[0], copy, ignore=shutil.ignore_patterns("report.html", ".lock"))
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    assert write_report(copy).read_bytes() == one
    left = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.name not in ("report.html", ".lock")}
    assert left == before and ns.load_history(copy).events.tobytes() == grown[1].events.tobytes()
    other = tmp_path / "other"
    small(other)
    assert write_report(other).read_bytes() == write_report(other).read_bytes() != one  # the control


def test_every_figure_is_kept_with_its_data(grown, shown):
    kept = {path.stem for path in (grown[0] / "figures").glob("*.png")}
    assert len(kept) == len(shown.images) and {"census", "lineage_exc", "clones_exc", "survival", "degrees_loop", "measure_size"} <= kept
    for name in kept:
        assert (grown[0] / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")
        assert len((grown[0] / "figures" / f"{name}.csv").read_text().splitlines()) > 1
    inline = [base64.b64decode(image["src"].partition(",")[2]) for image in shown.images]
    assert all((grown[0] / "figures" / f"{name}.png").read_bytes() in inline for name in kept)


# --- names that bite ----------------------------------------------------------------------------------------------------


def test_names_are_shown_and_never_run(tmp_path, monkeypatch):
    label, measure, folder = '"><blink onload=y>', '"><blink>', tmp_path / "<blink> & $\\x$"
    monkeypatch.setattr(sys, "argv", ["study.py", HOSTILE, "$\\frac$", "\udcff"])
    phases = [ns.Phase(HOSTILE, 1, [ns.Division("exc", count=1, label=label)]), ns.Phase("$\\frac$", 1)]
    develop(circuit(), *phases, measure=lambda *_: {measure: 1.0, "$\\frac{$": 2.0}, keep=folder)
    read = report(folder)
    for name in (HOSTILE, label, "$\\frac$", measure, "$\\frac{$", "<blink> & $\\x$", "\\udcff"):
        assert name in read.text
    assert "blink" not in read.tags and f"Measure {measure} over the epochs" in alts(read)
    branch = ns.RunFolder(tmp_path / "branch", parent=folder)
    develop(ns.load_circuit(folder), ns.Phase("calm", 1), keep=branch)
    read = report(branch.path)
    assert "of the run in ../<blink> & $\\x$." in read.text and "blink" not in read.tags
    assert label in ns.load_history(folder).events["rule"][0]  # the control: it did get that far
    assert "blink" in Page(f"<p>{label}</p>").tags


# --- lives that are not whole ---------------------------------------------------------------------------------------------


def stop(now, recording, rng):
    raise ns.Interrupted("stopped", now)


def fail(now, recording, rng):
    raise RuntimeError(f"no luck {HOSTILE}")


def test_an_interrupted_life_says_so_at_the_top(tmp_path):
    develop(alone(8), ns.Phase("calm", 1), ns.Phase("late", 2, [stop]), keep=tmp_path / "run")
    read = report(tmp_path / "run")
    assert notice(tmp_path / "run") == [
        "This run was interrupted after 1 of 3 epochs. The epoch that was then under way is not part of it."
    ]
    assert read.tags.index("strong") < read.tags.index("nav") and "State interrupted" in read.text
    develop(alone(8), ns.Phase("early", 2, [stop]), keep=tmp_path / "none")
    read = report(tmp_path / "none")
    assert "after 0 of 2 epochs" in notice(tmp_path / "none")[0] and read.images == [] and "exc 8 to 8 cells" in read.text


def test_a_life_that_failed_says_why(tmp_path):
    with pytest.raises(RuntimeError):
        develop(alone(), ns.Phase("calm", 1), ns.Phase("late", 1, [fail]), keep=tmp_path / "run")
    assert f"failed after 1 of 2 epochs: RuntimeError: no luck {HOSTILE}" in report(tmp_path / "run").text


def test_a_life_under_way_is_reported_as_such(tmp_path):
    seen = []

    def look(done, total):
        report(tmp_path / "run")
        seen.extend(notice(tmp_path / "run"))

    develop(alone(), ns.Phase("calm", 2), keep=tmp_path / "run", progress=look)
    assert [re.search(r"after (\d of \d) epochs", one)[1] for one in seen] == ["1 of 2", "2 of 2"]
    assert all("is not finished" in one for one in seen)
    report(tmp_path / "run")
    assert notice(tmp_path / "run") == []  # the control


def test_a_branch_names_where_it_comes_from(grown, shown, tmp_path):
    folder = tmp_path / "branch"
    develop(ns.load_circuit(grown[0], epoch=2), ns.Phase("other", 1), keep=ns.RunFolder(folder, parent=grown[0]))
    text = report(folder).text
    assert (
        f"from epoch 2 of the run {ns.load_history(folder).branch['run']} in " in text
        and "Cells and synapses in each epoch. From epoch 2 to 3" in text
    )
    assert "It branched from" not in shown.text  # the control


def test_a_saved_history_has_a_report_without_specification(tmp_path):
    ns.save_history(develop(alone(), ns.Phase("calm", 2)), tmp_path / "run")
    text = report(tmp_path / "run").text
    assert "the history was saved after the life" in text and "Full specification" not in text


# --- lives that lack something --------------------------------------------------------------------------------------------


def test_a_life_without_projections(tmp_path):
    develop(alone(4), ns.Phase("growth", 2, [ns.Division("exc", count=1)]), inputs=(), keep=tmp_path / "run")
    read = report(tmp_path / "run")
    assert "This circuit has no projections." in read.text and "exc: 4 to 6 (2 births, 0 deaths)" in read.text
    assert alts(read) == ["Cells and synapses in each epoch", "Lineage tree of exc", "Sizes of the clones of exc"]


def test_a_life_without_events(tmp_path):
    develop(circuit(), ns.Phase("calm", 2), keep=tmp_path / "run")
    read = report(tmp_path / "run")
    for said in (
        "No event was carried out.",
        "In source and exc no cell divided or died, so that no lineage is drawn.",
        "No synapse of loop came or went",
        "All weights of into are 1 nS",
        "No cell and no synapse was lost, so that survival is not drawn.",
        "Nothing was recorded over this life",
        "Nothing was measured",
    ):
        assert said in read.text
    assert "Lineage tree of exc" not in alts(read) and len(read.images) == 5


def test_a_life_of_one_cell(tmp_path):
    now = ns.Circuit([ns.create("exc", "leaky_conductance", 1)])
    develop(now, ns.Phase("calm", 1), inputs=(), keep=tmp_path / "alone")
    assert len(report(tmp_path / "alone").images) == 1
    develop(now, ns.Phase("growth", 3, [ns.Division("exc", count=1)]), inputs=(), keep=tmp_path / "founder", record=[ns.Spikes("exc")])
    read = report(tmp_path / "founder")
    assert "4 cells ever lived: 1 from the start and 3 born later; 0 died." in read.text
    assert "No cell of exc spiked while spikes were recorded." in read.text and not any("Spikes" in alt for alt in alts(read))


def test_synapses_and_cells_that_all_go(tmp_path):
    death, loss = (
        ns.Phase("death", 4, [ns.Apoptosis("exc", Oldest(), count=1)]),
        ns.Phase("loss", 1, [ns.Rewiring("loop", prune=ns.Everyone())]),
    )
    every = {"record": [ns.Trace("loop", "weight"), ns.Trace("exc", "v")]}
    develop(circuit(4), loss, death, keep=ns.RunFolder(tmp_path / "run", every=1), **every)
    read = report(tmp_path / "run")
    assert "exc: 4 to 0 (0 births, 4 deaths)" in read.text and "1 of 6 kept epochs" in read.text
    assert "Survival of cells and synapses by age" in alts(read)


# --- what is too much to be read --------------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_drawn_of_the_last_epoch_or_not_at_all(grown, monkeypatch, tmp_path):
    history = ns.load_history(grown[0])
    last = history.recordings[-1]()["exc"]

    def read(size=0):
        return Page("".join(report_recording.recorded(history, Album(tmp_path), size)))

    assert "Spikes of exc in the whole life" in alts(read())  # the control
    monkeypatch.setattr(report_recording, "SECONDS", 0.005)
    monkeypatch.setattr(report_recording, "SPIKES", len(last.spikes) / len(last.ids))
    assert {"Spikes of exc in epoch 4", "Membrane potential in exc in epoch 4"} <= set(alts(read()))
    monkeypatch.setattr(report_recording, "CELLS", 3)
    monkeypatch.setattr(report_recording, "SECONDS", 0.001)
    one = read()
    assert alts(one) == ["Weights of single synapses of loop in the whole life"]
    for what in ("raster", "membrane potential"):
        assert f"The {what} of exc cannot be read" in one.text
    monkeypatch.undo()
    large = read(10**9)
    assert alts(large)[1] == "Spikes of exc in epoch 4" and "so that only the last is looked at" in large.text


# --- where no report can be made --------------------------------------------------------------------------------------------


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*run.json; give the path that the run was saved to"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_run_gets_no_report(grown, tmp_path):
    folder = shutil.copytree(grown[0], tmp_path / "run", ignore=shutil.ignore_patterns("report.html", ".lock"))
    (folder / "epochs" / "000002.npz").write_bytes(b"nothing")
    with pytest.raises(ValueError, match="000002.npz is damaged.*epochs 0 to 1 are intact"):
        write_report(folder)
    assert not (folder / "report.html").exists()


def test_a_place_that_cannot_be_written(tmp_path):
    folder = tmp_path / "run"
    small(folder)
    (folder / "report.html").mkdir()
    with pytest.raises(OSError, match=r"report.html cannot be written .*choose a folder that you may write to"):
        write_report(folder)
    assert not list(folder.glob(".report*"))
    (folder / "report.html").rmdir()
    assert write_report(folder) == folder / "report.html"  # the control


# --- pieces -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, told",
    [
        (3 * nS, "3 nS"),
        (0.5 * nS, "0.5 nS"),
        (0.0 * mV, "0 V"),
        (0.02 * second, "20 ms"),
        (0.05 * Hz, "0.05 Hz"),
        ([1, 2.5], "[1, 2.5]"),
        (np.array([1.0, 2.0]) * mV, "[1, 2] mV"),
        (ns.Uniform(1 * nS, 2 * nS), "Uniform(low=1 nS, high=2 nS)"),
        (ns.Uniform(1, 2), "Uniform(low=1, high=2)"),
        (ns.FixedInDegree(3), "FixedInDegree(degree=3, autapses=False, multapses=False, contacts=1)"),
        (ns.Apoptosis("exc", ns.RateBelow(0.4), floor=2), "Apoptosis(exc, who=RateBelow(rate=0.4), floor=2)"),
        (ns.Spikes("exc"), "Spikes(exc)"),
        ({"a": 1}, "a 1"),
    ],
)
def test_words(value, told):
    assert words(json.loads(json.dumps(specification(value)))) == told


def test_words_of_long_arrays_and_of_own_code():
    assert re.fullmatch(r"4 × 5 values in volt \(sha256 \w{8}\)", words(specification(np.ones((4, 5)) * mV)))
    assert re.fullmatch(r"300 values \(sha256 \w{8}\)", words(specification(list(range(300)))))
    assert re.fullmatch(r"stop \(own code, sha256 \w{8}\)", words(specification(stop)))


def test_columns_of_numbers_stand_to_the_right_and_sources_are_links():
    made = table("a <table>", [["name", "number", "mixed"], ["<a>", "1,234", "3"], ["b", "> 5.0 ± 1.0", "4 to 5"]])
    assert made.count('class="number"') == 3 and "&lt;a&gt;" in made and "a &lt;table&gt;" in made
    cited = paragraph("Ours (doi:10.1016/S0092-8674(00)80092-2). <c>")
    assert '(<a href="https://doi.org/10.1016/S0092-8674(00)80092-2">doi:10.1016/S0092-8674(00)80092-2</a>). &lt;c&gt;' in cited
    read = Page(page("t", ["n"], "l", [Section("One & two", [made, cited])]).decode())
    assert read.wrong == [] and read.ids == ["one-two"]


def test_the_printed_report_says_none_where_there_is_nothing(capsys):
    develop(circuit(), ns.Phase("calm", 1)).report()
    printed = capsys.readouterr().out
    assert "events by rule: none" in printed and "survival: none" in printed
    develop(circuit(), ns.Phase("growth", 1, [ns.Division("exc", count=1)]), inputs=NOISE).report()
    printed = capsys.readouterr().out
    assert "events by rule\n" in printed and re.search(r"growth/division.exc +division +exc +1 +1\n", printed)
    assert max(map(len, printed.splitlines())) <= 120
