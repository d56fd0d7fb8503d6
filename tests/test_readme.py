"""Run every snippet of the README, in order, as its reader would."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_every_snippet_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    toml = [text for kind, text in BLOCKS if kind == "toml"]
    python = [text for kind, text in BLOCKS if kind == "python"]
    assert len(toml) == 1 and len(python) == 5
    (tmp_path / "my_cell.toml").write_text(toml[0], encoding="utf-8")
    names = {}
    for number, text in enumerate(python):
        exec(compile(text, f"README.md, Python block {number + 1}", "exec"), names)
    assert names["history"].circuit.epoch == 4
    assert len(names["recording"]["mine"].spikes) > 0


def test_the_quick_start_runs_in_a_process_of_its_own(tmp_path):
    text = next(text for kind, text in BLOCKS if kind == "python")
    done = subprocess.run([sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "proliferation" in done.stdout and "elimination" in done.stdout


@pytest.mark.parametrize("comment", ["study", "tests"])
def test_the_two_commands_are_one_line_each(comment):
    found = re.search(rf"<!-- {comment} -->\n```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    command = found[1].strip()
    assert "\n" not in command and command.startswith("python3 -m venv .venv && ")
    script = re.search(r"studies/\w+\.py", command)
    assert script is None or (ROOT / script[0]).is_file()
