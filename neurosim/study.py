"""What every study script shares: its arguments, its folder, its lives on all cores, and its result, kept and printed."""

import argparse
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from neurosim.files import csv_bytes, digest, read_bytes, sweep, write_json, write_whole
from neurosim.lifecycle.summary import aligned
from neurosim.lock import locked
from neurosim.measures import POWERED, paired_comparison
from neurosim.runfile import Session, begun, check_same, new_run, read_run
from neurosim.workers import each

SCALES = ("smoke", "small", "full")
RESULT, TEXT = "results.json", "result.txt"


@dataclass(frozen=True)
class Run:
    """Hold what a study is asked for: its seeds, its scale and its folder; ``run.each(function, cases)`` runs its lives."""

    seeds: Sequence[int]
    scale: str
    folder: Path

    def each(self, function: Callable, cases: Mapping[str, tuple]) -> dict[str, object]:
        """Run independent cases on all cores, each kept in the folder lives/<name>; see workers.each."""
        return each(function, cases, self.folder / "lives")


def conduct(study: Callable, description: str, seeds: int = 1, argv: Sequence[str] | None = None) -> object:
    """Conduct a study from the command line: read its arguments, open its folder, keep and print its result, and return it.

    ``study(run)`` is given a Run and returns the result (plain numbers, texts, lists and dicts) and the text that is printed.
    They are kept as results.json and result.txt; resuming a finished study prints that text again. `seeds` is how many seeds
    the study takes at full scale unless --seeds says otherwise; at the smaller scales that is one. Raises FileExistsError for a folder that is not to be resumed,
    BlockingIOError for one in use, ValueError for one of another study, version or arguments.
    """
    options = arguments(description, seeds, argv)
    script = Path(inspect.getfile(study))
    folder = options.out or _free(script.stem, options.resume)
    begun(folder, None if options.resume else "--resume")
    asked = {"study": script.stem, "scale": options.scale, "seed": options.seed, "seeds": options.seeds}
    asked["script"] = digest(script.read_bytes())
    with locked(folder):
        sweep(folder)
        if begun(folder, None):
            about = read_run(folder, "study")
            check_same(folder, about, asked, "give --out another folder")
            if about["state"] == "finished":
                print(_checked(folder, TEXT, about))
                return json.loads(_checked(folder, RESULT, about))
        else:
            about = new_run("study", asked)
        session = Session(folder, about)
        session.note("running")
        try:
            result, text = study(Run(range(options.seed, options.seed + options.seeds), options.scale, folder))
        except (KeyboardInterrupt, SystemExit):
            session.note("interrupted")
            print(f"go on with: {script.name} --resume --out {folder} (and the same --scale, --seed, --seeds)", file=sys.stderr)
            raise
        except Exception as error:
            with suppress(OSError):  # a full disk, say, is what the error already tells
                session.note(f"failed: {type(error).__name__}: {error}")
            raise
        text = f"{text}\n\nfigures, data and histories: {folder}"
        write_json(folder / RESULT, result)
        write_whole(folder / TEXT, text.encode())
        about["sha256"] = {name: digest((folder / name).read_bytes()) for name in (RESULT, TEXT)}
        session.note("finished")
    print(text)
    return json.loads((folder / RESULT).read_bytes())


def arguments(description: str, seeds: int, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments that all studies take: --seed, --seeds, --scale, --out, --resume."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seeds", type=_count, default=None, help=f"how many seeds (default {seeds}; 1 at smaller scales)")
    parser.add_argument(
        "--scale", choices=SCALES, default="full", help="smoke: no finding, only whether it runs; small: minutes; full: the study (default)"
    )
    parser.add_argument("--out", type=Path, default=None, help="a new folder for figures and data (default results/<study>, numbered)")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out (default: the last in results/), or begin it")
    options = parser.parse_args(argv)
    options.seeds = options.seeds or (seeds if options.scale == "full" else 1)
    return options


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seeds; give 1 or more")
    return int(text)


def _free(study: str, resume: bool) -> Path:
    """Return the first free folder of results/<study>, results/<study>-2 ..., or the last that is taken, to resume it."""
    folders = (Path("results") / (study if number == 1 else f"{study}-{number}") for number in count(1))
    taken = list(takewhile(Path.exists, folders))
    if resume:
        return taken[-1] if taken else Path("results") / study
    return Path("results") / (study if not taken else f"{study}-{len(taken) + 1}")


def _checked(folder: Path, name: str, about: Mapping) -> str:
    content = read_bytes(folder / name, "result")
    if digest(content) != about["sha256"][name]:
        raise ValueError(
            f"{folder / name} was altered after the study: it does not match its hash; use another copy, or conduct the study again"
        )
    return content.decode()


def write_table(path: Path, rows: Sequence[Mapping]) -> None:
    """Write rows with the same keys as CSV, whole or not at all."""
    write_whole(path, csv_bytes({key: np.array([row[key] for row in rows]) for key in rows[0]}))


def tabulate(title: str, results: Mapping[str, Mapping | Sequence[Mapping]], columns: Sequence[str]) -> str:
    """Return a table of results: a line for each name, a column for each of `columns`, a dash where there is no value.

    Of several results of one name, such as those of seeds, the mean is shown.
    """
    rows = [[title, *columns]]
    for name, found in results.items():
        several = [found] if isinstance(found, Mapping) else found
        means = (np.mean([one.get(column, np.nan) for one in several]) for column in columns)
        rows.append([name, *map(_shown, means)])
    return aligned(rows)


def tabulate_spread(title: str, results: Mapping[str, Sequence[Mapping]], columns: Sequence[str]) -> str:
    """Return a table of how results spread over seeds: mean, 95 % interval of the mean by Student's t, lowest and highest, and how many.

    The seed is what is independent: cells of one network are not.
    """
    rows = [[title, "", "mean", "95 % interval", "lowest", "highest", "seeds"]]
    for column in columns:
        for name, several in results.items():
            values = np.array([one[column] for one in several], dtype=float)
            found = paired_comparison(values, np.zeros(len(values)))
            mean, low, high, least, most = map(_shown, (found.difference, found.low, found.high, values.min(), values.max()))
            rows.append([column, name, mean, f"{low} to {high}", least, most, str(len(values))])
    return aligned(rows, left=2)


def compare(results: Mapping[str, Sequence[Mapping]], reference: str, margins: Mapping[str, float | None]) -> str:
    """Return a table of paired differences to a reference condition, for each of the results in `margins` and each condition.

    `results` holds for each condition one result a seed, in the same order; a margin is the difference that would not matter
    (None: not asked). See measures.paired_comparison for the interval, the effect size d and the test of equivalence.
    """
    pairs = len(results[reference])
    note = "" if pairs >= POWERED else f", not powered ({pairs} of {POWERED} pairs)"
    rows = [[f"minus {reference}{note}", "", "difference", "95 % interval", "d", "equivalent"]]
    for column, margin in margins.items():
        for name in results:
            if name != reference:
                found = paired_comparison(*([one[column] for one in results[of]] for of in (name, reference)), margin)
                numbers = (found.difference, found.low, found.high, found.effect)
                shown = [_shown(number, sign="+") for number in numbers]
                verdict = "" if margin is None else f"{'yes' if found.equivalent else 'not shown'} (margin {margin:g})"
                rows.append([column, name, shown[0], f"{shown[1]} to {shown[2]}", shown[3], verdict])
    return aligned(rows, left=2)


def _shown(number: float, sign: str = "") -> str:
    """Return a number with three decimals, or rounded where it is large; a dash for none."""
    return "-" if np.isnan(number) else f"{number:{sign},.0f}" if abs(number) >= 100 else f"{number:{sign}.3f}"
