"""What the benchmarks share: variants in processes of their own, run in turn, compared before their times are, and the table."""

import argparse
import json
import multiprocessing
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from scipy import stats
from tqdm import tqdm

from neurosim.lifecycle.summary import aligned

OURS = "neurosim"
SCALES = ("smoke", "small", "full")
REPEATS = {"smoke": 1, "small": 4, "full": 6}
CHANCE = 1e-3  # that one quantity of two equal variants is taken to differ
WIDEST = 0.15  # share of a quantity beyond which a tolerance says nothing
# Shares by which another integrator and other conventions may make a quantity differ; in_nest.py and cells.py say which those are.
ALLOWED = {
    "nest": {
        **{"rate of exc": 0.05, "rate of inh": 0.05, "mean weight": 0.05, "mean change of weights": 0.1, "replaced": 0.05},
        **dict.fromkeys(("synapses, exc", "synapses, inh", "calcium, exc", "calcium, inh"), 0.03),
        **{"rate": 0.1, "first spike": 0.05},
    }
}


class Absent(Exception):
    """Say why a variant cannot be run here."""


@dataclass(frozen=True)
class Row:
    """Hold what a variant of a case took, all repeats, and whether it did the same as ours: "reference", "yes" or why not.

    `observed` are the means of what it did, by which that was found.
    """

    case: str
    variant: str
    seconds: Sequence[float]
    agreement: str
    observed: Mapping[str, float] = field(default_factory=dict)

    @property
    def comparable(self) -> bool:
        """Whether its time may stand in a ratio."""
        return self.agreement in ("reference", "yes")


@dataclass(frozen=True)
class Bar:
    """Ask that the median time of a variant, divided by that of the variant `over` (None: in seconds), is at least or at most so much."""

    case: str
    variant: str = OURS
    over: str | None = None
    least: float = 0.0
    most: float = np.inf

    def measured(self, rows: Sequence[Row]) -> float:
        """Return what is asked about; NaN where that was not measured."""
        medians = {row.variant: _median(row) for row in rows if row.case == self.case and row.comparable}
        own = medians.get(self.variant, np.nan)
        return own if self.over is None else own / medians.get(self.over, np.nan)

    def __str__(self) -> str:
        return f"{self.case}: {self.variant} {'(s)' if self.over is None else f'/ {self.over}'}"


def compare(case: str, variants: Mapping[str, tuple], repeats: int) -> list[Row]:
    """Run the variants of a case in turn and return a row for each; ours is the reference.

    A variant is a module's own function and its arguments. It is called in a process of its own, makes everything ready and
    returns ``run(seed) -> (seconds, observed)``, where `observed` are numbers by name; it raises Absent or ImportError where
    it cannot. Each repeat runs every variant once, so that a drift of the machine hits all.
    """
    seconds, seen, reasons = {name: [] for name in variants}, {name: [] for name in variants}, {}
    with ExitStack() as stack, tqdm(total=len(variants) * (repeats + 1), delay=2, leave=False, desc=case) as bar:
        running = {}
        for name, (prepare, *arguments) in variants.items():
            bar.set_postfix_str(f"{name}, ready")
            running[name] = stack.enter_context(_Process(prepare, arguments))
            reasons |= {name: reason for reason in [running[name].refusal()] if reason}
            bar.update()
        for seed in range(repeats):
            for name in [name for name in variants if name not in reasons]:
                bar.set_postfix_str(f"{name}, {seed + 1} of {repeats}")
                answer = running[name].ask(seed)
                if isinstance(answer, str):
                    reasons[name] = answer
                    continue
                seconds[name].append(answer[0])
                seen[name].append(answer[1])
                bar.update()
    for name in variants:
        if name not in reasons:
            reasons[name] = "reference" if name == OURS else _verdict(seen[OURS], seen[name], ALLOWED.get(name, {}))
    means = {name: {key: float(np.mean([one[key] for one in runs])) for key in runs[0]} if runs else {} for name, runs in seen.items()}
    return [Row(case, name, seconds[name], reasons[name], means[name]) for name in variants]


def _verdict(ours: list[dict], theirs: list[dict], allowed: Mapping[str, float]) -> str:
    if len(ours) != len(theirs):
        return "no: there is no whole run of ours to compare with"
    found = [disagreement(name, *([one[name] for one in runs] for runs in (ours, theirs)), allowed.get(name, 0.0)) for name in ours[0]]
    return "; ".join(["no: " + one for one in found if one]) or "yes"


def disagreement(name: str, ours: Sequence[float], theirs: Sequence[float], allowed: float = 0.0) -> str | None:
    """Say how a quantity differs between as many runs of two variants, None where it does not.

    The tolerance is what two equal variants exceed with a chance of 1 in 1000, from the spread of the runs, plus the share `allowed`.
    """
    (mean, other), count = (np.mean(runs) for runs in (ours, theirs)), len(ours)
    if mean == other:
        return None
    if count == 1:
        return f"{name} is {other:.4g} and {mean:.4g}, and one run tells nothing of its spread"
    spread = np.sqrt((np.var(ours, ddof=1) + np.var(theirs, ddof=1)) / 2)
    tolerance = stats.t.ppf(1 - CHANCE / 2, 2 * count - 2) * spread * np.sqrt(2 / count) + allowed * abs(mean)
    if abs(other - mean) > tolerance:
        return f"{name} is {other:.4g}, not {mean:.4g} +- {tolerance:.2g}"
    if tolerance > WIDEST * abs(mean):
        return f"{name} varies too much to tell ({other:.4g} and {mean:.4g} +- {tolerance:.2g})"
    return None


class _Process:
    """Run one variant in a process of its own, on request."""

    def __init__(self, prepare: Callable, arguments: Sequence):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["neurosim"])  # imported once, not by every process
        self.pipe, its = context.Pipe()
        self.process = context.Process(target=_serve, args=(its, prepare, arguments), daemon=True)
        self.process.start()
        its.close()

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *error) -> None:
        self.pipe.close()
        self.process.join()

    def refusal(self) -> str | None:
        """Wait until the variant is ready; return why it is not, None if it is."""
        return self._answer()

    def ask(self, seed: int) -> tuple[float, dict] | str:
        """Have the variant run once; return its seconds and what it observed, or why it failed."""
        self.pipe.send(seed)
        return self._answer()

    def _answer(self):
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            return f"failed: its process ended with code {self.process.exitcode}"


def _serve(pipe, prepare: Callable, arguments: Sequence) -> None:
    try:
        run = prepare(*arguments)
        pipe.send(None)
        while True:
            pipe.send(run(pipe.recv()))
    except EOFError:
        return
    except (Absent, ImportError) as reason:
        pipe.send(f"absent: {reason}")
    except Exception as error:
        traceback.print_exc()
        pipe.send(f"failed: {type(error).__name__}: {error}")


def absent(reason: str) -> Callable:
    """Stand for a variant that is left out, with the reason."""
    raise Absent(reason)


class Report:
    """Collect rows, print them case by case, and keep them in the JSON file that was asked for."""

    def __init__(self, file: Path | None):
        self.rows: list[Row] = []
        self.file = file

    def add(self, rows: Sequence[Row]) -> None:
        """Print the rows of one case and keep them."""
        self.rows.extend(rows)
        ours = next((_median(row) for row in rows if row.variant == OURS and row.comparable), np.nan)
        lines = [[rows[0].case, "median", f"/ {OURS}", "agreement", "all"]]
        for row in rows:
            ratio = _median(row) / ours if row.comparable else np.nan
            ratio = "-" if np.isnan(ratio) else f"{ratio:.3g}"
            lines.append([row.variant, _shown(_median(row)), ratio, row.agreement.split(":")[0], ", ".join(map(_shown, row.seconds))])
        print(aligned(lines))
        for row in rows:
            if not row.comparable:
                print(f"  {row.variant}: {row.agreement}")
        if rows[0].observed:
            print(f"  {rows[0].variant}: {', '.join(f'{name} {value:.4g}' for name, value in rows[0].observed.items())}")
        print(flush=True)
        if self.file:
            self.file.write_text(json.dumps([asdict(row) for row in self.rows], indent=1) + "\n", encoding="utf-8")

    def finish(self, bars: Sequence[Bar]) -> None:
        """Print which bars the cases that were run have reached."""
        lines = []
        for bar in bars:
            if any(row.case == bar.case for row in self.rows):
                value = bar.measured(self.rows)
                asked = f"at least {bar.least:g}" if bar.least else f"at most {bar.most:g}"
                verdict = "not measured" if np.isnan(value) else "reached" if bar.least <= value <= bar.most else "missed"
                lines.append([str(bar), "-" if np.isnan(value) else f"{value:.3g}", asked, verdict])
        if lines:
            print(aligned([["bar", "measured", "asked", ""], *lines]))


def arguments(description: str, cases: Sequence[str], argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments of a benchmark: --scale, --json and --cases."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    help_scale = "smoke: only whether it runs; small: minutes; full: the benchmark (default)"
    parser.add_argument("--scale", choices=SCALES, default="full", help=help_scale)
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="a file for all times: case, variant, seconds, agreement")
    parser.add_argument(
        "--cases", nargs="+", default=list(cases), choices=cases, metavar="CASE", help=f"some of: {', '.join(cases)}".replace("%", "%%")
    )
    options = parser.parse_args(argv)
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"--json is {options.json}, but there is no folder {options.json.absolute().parent}; make it first")
    return options


def _median(row: Row) -> float:
    return float(np.median(row.seconds)) if len(row.seconds) else np.nan


def _shown(seconds: float) -> str:
    """Return a time with three digits, in seconds, milliseconds or microseconds."""
    if np.isnan(seconds):
        return "-"
    factor, unit = (1e6, "us") if seconds < 0.9995e-3 else (1e3, "ms") if seconds < 0.9995 else (1, "s")
    return f"{seconds * factor:.3g} {unit}"
