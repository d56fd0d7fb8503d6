"""The lists of studies name each one, and each figure that they show is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STUDIES = sorted(path for path in (ROOT / "studies").glob("*.py"))
LIST = (ROOT / "studies" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_each_study_has_its_row_with_question_finding_runtime_and_figure(path):
    row = next(line for line in LIST.splitlines() if line.startswith(f"| [`{path.name}`]({path.name})"))
    question, finding, runtime, figure = (cell.strip() for cell in row.replace("\\|", "/").strip("| ").split(" | ")[1:])
    assert question.rstrip(")").endswith("?") or "? (" in question
    assert len(finding) > 40 and re.fullmatch(r"\d+(\.\d)? (s|min)", runtime)
    picture = re.search(r'src="(\S+)" width="260" alt="[A-Z][^"]+"', figure)[1]
    assert picture == f"{path.stem}.png" and (ROOT / "studies" / picture).stat().st_size > 10_000


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_each_study_says_on_top_what_it_asks_finds_cites_and_takes(path):
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert text.partition("\n")[0].endswith("?") and len(path.read_text(encoding="utf-8").splitlines()) <= 200
    for part in ("Expected finding", "References: ", "Runtime on 2 cores"):
        assert part in text, part


def test_no_row_is_without_a_study():
    assert re.findall(r"^\| \[`(\w+)\.py`\]", LIST, flags=re.MULTILINE) == list(dict.fromkeys(re.findall(r"\[`(\w+)\.py`\]", LIST)))
    assert sorted(re.findall(r"\[`(\w+\.py)`\]", LIST)) == [path.name for path in STUDIES]


def test_figures_of_the_readme_are_there():
    pictures = re.findall(r"!\[([^]]+)\]\((\S+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(pictures) > 10 and all(alt and (ROOT / path).is_file() for alt, path in pictures)
