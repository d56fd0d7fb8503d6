"""Run every snippet of the README, in order, as its reader would."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import neurosim as ns

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_every_snippet_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toml = [text for kind, text in BLOCKS if kind == "toml"]
    python = [text for kind, text in BLOCKS if kind == "python"]
    assert len(toml) == 2 and len(python) == 12
    for text in toml:
        (tmp_path / f"{re.search('name = .(.*).', text)[1]}.toml").write_text(text, encoding="utf-8")
    names = {}
    for number, text in enumerate(python):
        exec(compile(text, f"README.md, Python block {number + 1}", "exec"), names)
    assert names["history"].circuit.epoch == 16 and names["kept"].circuit.epoch == 8
    assert names["whole"].epochs[0].number == 0 and names["whole"].circuit.epoch == 7
    sizes = [len(child.circuit["exc"]) for child in names["branches"].values()]
    assert sizes[0] > sizes[1]
    assert (tmp_path / "runs" / "first" / "report.html").stat().st_size > 10_000
    assert names["fit"].test[0].gamma > 0.5 and names["curve"].counts[-1] > names["curve"].counts[0]
    assert names["various"].V_th.std() > 0.5 * names["mV"] and names["bursting"] != ns.load_cell("adex")
    frozen, weights = names["learner"]["actors_to_actors"].synapses["frozen"] > 0, names["learner"]["actors_to_actors"].weight
    assert (weights[frozen] == 0.5 * names["nS"]).all() and (weights[~frozen] != 0.5 * names["nS"]).any()
    assert names["responses"]["pyramidal"].counts.all()
    assert list(names["rates"]) == [5, 10, 20] and names["rates"][5] > names["rates"][20] > 0


def test_the_quick_start_runs_in_a_process_of_its_own(tmp_path):
    text = next(text for kind, text in BLOCKS if kind == "python")
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "proliferation" in done.stdout and "elimination" in done.stdout


def test_the_study_is_a_script(tmp_path):
    text = next(text for kind, text in BLOCKS if kind == "python" and "study.conduct" in text)
    (tmp_path / "idle.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "idle.py", "--seeds", "2", "--out", "mine"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [line.split()[:2] for line in done.stdout.splitlines()[:3]] == [["after", "elimination"], ["seed", "0"], ["seed", "1"]]
    left = {path.name for path in (tmp_path / "mine" / "lives" / "seed 0").iterdir()}
    assert left >= {"report.html", "raster.png", "raster.pdf", "raster.csv", "events.csv", "run.json"}
    again = subprocess.run([*command, "--resume"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert again.stdout == done.stdout


@pytest.mark.parametrize("comment", ["study", "tests"])
def test_the_two_commands_are_one_line_each(comment):
    found = re.search(rf"<!-- {comment} -->\n```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    command = found[1].strip()
    assert "\n" not in command and command.startswith("python3 -m venv .venv && ")
    script = re.search(r"studies/\w+\.py", command)
    assert script is None or (ROOT / script[0]).is_file()
