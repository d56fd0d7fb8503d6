"""Studies are conducted: their folder is begun, resumed, printed again or refused, and what fails says what is kept."""

import json

import pytest

from neurosim import study
from neurosim.runfile import begun

RUNS = []


def pair(run):
    """A study for tests, in this process."""
    RUNS.append(run)
    if run.scale == "small" and len(RUNS) < 3:
        raise ZeroDivisionError("a slip of the user's own")
    return {"seeds": list(run.seeds)}, f"{len(run.seeds)} seeds"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    RUNS.clear()


def conduct(*arguments, seeds=2):
    return study.conduct(pair, "A study for tests.", seeds=seeds, argv=list(arguments))


def test_a_study_returns_keeps_and_prints_its_result(capsys, tmp_path):
    assert conduct("--seed", "5") == {"seeds": [5, 6]}
    printed = capsys.readouterr().out
    assert printed == "2 seeds\n\nfigures, data and histories: results/test_conduct\n"
    folder = tmp_path / "results" / "test_conduct"
    assert (folder / "result.txt").read_text() + "\n" == printed and json.loads((folder / "results.json").read_text()) == {"seeds": [5, 6]}
    assert conduct("--seed", "5", "--resume") == {"seeds": [5, 6]} and capsys.readouterr().out == printed and len(RUNS) == 1


def test_seeds_scale_and_folder_are_asked_for(tmp_path):
    """Smaller scales take one seed unless more are asked for."""
    assert [len(conduct("--scale", scale, "--out", scale)["seeds"]) for scale in ("smoke", "full")] == [1, 2]
    RUNS.clear()
    assert conduct("--seeds", "4", "--out", "mine", "--scale", "smoke") == {"seeds": [0, 1, 2, 3]}
    assert RUNS[0].scale == "smoke" and RUNS[0].folder.resolve() == tmp_path / "mine"
    with pytest.raises(SystemExit):
        conduct("--seeds", "0")


def test_without_a_wanted_folder_the_next_free_one_is_taken_and_the_last_resumed(tmp_path):
    for _ in range(3):
        conduct()
    assert [run.folder.name for run in RUNS] == ["test_conduct", "test_conduct-2", "test_conduct-3"]
    conduct("--resume")
    assert len(RUNS) == 3
    with pytest.raises(ValueError, match="seeds is 3 now and was 2"):
        conduct("--resume", seeds=3)


@pytest.mark.parametrize(
    "other, what",
    [
        (["--seeds", "3"], "seeds is 3 now and was 1"),
        (["--seed", "1"], "seed is 1 now and was 0"),
        (["--scale", "full"], "scale is full now and was smoke"),
    ],
)
def test_a_study_of_other_arguments_is_not_resumed(other, what):
    begun_with = ["--scale", "smoke", "--seeds", "1", "--out", "mine"]
    conduct(*begun_with)
    with pytest.raises(ValueError, match=f"{what}.*give --out another folder"):
        conduct(*begun_with, "--resume", *other)
    assert len(RUNS) == 1


def test_resuming_an_empty_or_missing_folder_starts_it(tmp_path):
    (tmp_path / "empty").mkdir()
    for place in ("empty", "missing/deep"):
        conduct("--resume", "--out", place)
        assert begun(tmp_path / place, None)
    assert len(RUNS) == 2


def test_a_folder_that_exists_is_not_touched(tmp_path):
    conduct("--out", "mine")
    with pytest.raises(FileExistsError, match="folder mine holds a run already; --resume goes on with it, or choose another folder"):
        conduct("--out", "mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("")
    for options in (["--out", "other"], ["--out", "other", "--resume"]):
        with pytest.raises(FileExistsError, match=r"folder other holds other files \(thesis.tex\); choose a new or an empty folder"):
            conduct(*options)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written .*choose a folder that you may write to"):
        conduct("--out", "file/run")


def test_a_study_that_failed_says_so_and_is_resumed(tmp_path):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            conduct("--out", "mine", "--scale", "small", "--resume")
        assert json.loads((tmp_path / "mine" / "run.json").read_text())["state"] == "failed: ZeroDivisionError: a slip of the user's own"
    assert conduct("--out", "mine", "--scale", "small", "--resume") == {"seeds": [0]}
    about = json.loads((tmp_path / "mine" / "run.json").read_text())
    assert about["state"] == "finished" and len(about["sessions"]) == 3


@pytest.mark.parametrize("name", ["result.txt", "results.json"])
def test_an_altered_result_is_not_printed(name, tmp_path, capsys):
    conduct("--out", "mine")
    path = tmp_path / "mine" / name
    whole = path.read_text()
    path.write_text(whole.replace("2", "9").replace("1", "9"))
    with pytest.raises(ValueError, match=f"{name} was altered after the study: it does not match its hash"):
        conduct("--out", "mine", "--resume")
    path.write_text(whole)
    assert conduct("--out", "mine", "--resume") == {"seeds": [0, 1]}  # the control


def test_the_folder_of_a_study_that_changed_is_not_gone_on_with(tmp_path, monkeypatch):
    conduct("--out", "mine", seeds=2)
    script = tmp_path / "test_conduct.py"
    script.write_text("# another study by the same name")
    monkeypatch.setattr(study.inspect, "getfile", lambda function: str(script))
    with pytest.raises(
        ValueError, match="script is .* now and was .*; resume it with what it was begun with, or give --out another folder"
    ):
        conduct("--out", "mine", "--resume")


RESULTS = {
    "new": [{"a": 0.9, "b": 5}, {"a": 0.94, "b": 7}, {"a": 0.92, "b": 6}],
    "old": [{"a": 0.91, "b": 1}, {"a": 0.93, "b": 3}, {"a": 0.94, "b": 2}],
}


def test_tables_show_means_and_dashes():
    rows = [line.split("  ") for line in study.tabulate("of three", RESULTS | {"one": {"a": 1234.5}}, ["a", "b"]).splitlines()]
    assert [[cell.strip() for cell in row if cell] for row in rows] == [
        ["of three", "a", "b"], ["new", "0.920", "6.000"], ["old", "0.927", "2.000"], ["one", "1,234", "-"],
    ]  # fmt: skip


def test_comparisons_show_difference_interval_and_effect():
    """Differences of a: -.01, .01, -.02: mean -.00667, sd .015275, half width 4.302653 * .015275 / sqrt 3 = .03795, d -.436; of b: 4, 4, 4."""
    head, a, b = study.compare(RESULTS, "old", {"a": 0.1, "b": None}).splitlines()
    assert head.split("  ")[0] == "minus old, not powered (3 of 10 pairs)" and head.split()[-1] == "equivalent"
    assert a.split() == ["a", "new", "-0.007", "-0.045", "to", "+0.031", "-0.436", "yes", "(margin", "0.1)"]
    assert b.split() == ["b", "new", "+4.000", "+4.000", "to", "+4.000", "-"]
    assert "not shown (margin 0.001)" in study.compare(RESULTS, "old", {"a": 0.001})
    one = study.compare({name: found[:1] for name, found in RESULTS.items()}, "old", {"a": 0.1})
    assert one.splitlines()[1].split() == ["a", "new", "-0.010", "-", "to", "-", "-", "not", "shown", "(margin", "0.1)"]


def test_what_a_killed_process_was_writing_is_swept_away(tmp_path):
    with pytest.raises(ZeroDivisionError):
        conduct("--out", "mine", "--scale", "small", "--resume")
    (tmp_path / "mine" / "lives").mkdir()
    left = [tmp_path / "mine" / ".run.json.123.part", tmp_path / "mine" / "lives" / ".life 0.json.124.part"]
    mine = tmp_path / "mine" / "lives" / "my.part"  # the control: no name that this library gives
    for path in (*left, mine):
        path.write_text("{")
    with pytest.raises(ZeroDivisionError):
        conduct("--out", "mine", "--scale", "small", "--resume")
    assert not any(path.exists() for path in left) and mine.exists()
