"""What every study script shares: its arguments, its folder, and independent lives on all cores."""

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from queue import Empty

import numpy as np
from tqdm import tqdm

SCALES = ("smoke", "small", "full")
PACKAGES = ("neurosim", "brian2", "numpy", "scipy")


def arguments(description: str, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments that all studies take: --seed, --scale, --out."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--scale", choices=SCALES, default="full", help="smoke: seconds, no finding; small: about a minute; full: the study (default)")
    parser.add_argument("--out", type=Path, default=None, help="a new folder for figures and data (default results/<study>, numbered)")
    return parser.parse_args(argv)


def new_folder(wanted: Path | None, study: str) -> Path:
    """Make the folder of a run and note what runs in it: versions, command, platform.

    Without a wanted folder the first free one of results/<study>, results/<study>-2 ... is taken. Raises FileExistsError
    for a wanted folder that is there already and OSError naming a folder that cannot be written.
    """
    if wanted is None:
        number = 1
        while (folder := Path("results") / (study if number == 1 else f"{study}-{number}")).exists():
            number += 1
    elif wanted.exists():
        raise FileExistsError(f"{wanted} exists already; give --out another folder, or remove it")
    else:
        folder = wanted
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise type(error)(error.errno, f"{folder} cannot be made ({error.strerror}); give --out a folder in a place that you may write to") from None
    about = {"study": study, "command": sys.argv, "python": platform.python_version(), "platform": platform.platform()}
    write_json(folder / "run.json", about | {"versions": {name: version(name) for name in PACKAGES}})
    return folder


def write_json(path: Path, content: Mapping) -> None:
    """Write a JSON file, whole or not at all."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False) as file:
        json.dump(content, file, indent=1, default=_plain)
    os.replace(file.name, path)


def tabulate(title: str, results: Mapping[str, Mapping[str, float]], columns: Sequence[str]) -> str:
    """Return a table of results: a line for each name, a column for each of `columns`, a dash where there is no value."""
    width = max(map(len, [title, *results])) + 2
    lines = [title.ljust(width) + "".join(f"{column:>{len(column) + 3}}" for column in columns)]
    for name, result in results.items():
        cells = (f"{result[column]:.3f}" if column in result else "-" for column in columns)
        lines.append(name.ljust(width) + "".join(cell.rjust(len(column) + 3) for cell, column in zip(cells, columns, strict=True)))
    return "\n".join(lines)


def _plain(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)


def each(function: Callable, cases: Mapping[str, tuple], workers: int | None = None) -> dict[str, object]:
    """Run ``function(*case, progress)`` for every named case in processes of its own and return the results by name.

    `function` is a module's own function; it calls ``progress(done, total)`` now and then, shown as a bar for each case.
    With one worker (or one case) everything runs in this process. A case that fails is named when the others have
    finished: raises RuntimeError from its error.
    """
    workers = min(len(cases), workers or os.cpu_count() or 1)
    bars = {name: tqdm(total=1.0, desc=name, position=n, bar_format="{desc:<16.16}{percentage:3.0f}%|{bar}| {elapsed}") for n, name in enumerate(cases)}
    results, failures = {}, {}
    try:
        if workers == 1:
            for name, case in cases.items():
                results[name] = function(*case, _Show(bars[name]))
            return results
        context = multiprocessing.get_context("spawn")
        with context.Manager() as manager, ProcessPoolExecutor(workers, mp_context=context) as pool:
            news = manager.Queue()
            running = {pool.submit(function, *case, _Tell(news, name)): name for name, case in cases.items()}
            waiting = set(running)
            while waiting:
                _show_news(news, bars)
                for done in [one for one in waiting if one.done()]:
                    waiting.discard(done)
            _show_news(news, bars)
            for done in as_completed(running):
                if done.exception() is None:
                    results[running[done]] = done.result()
                else:
                    failures[running[done]] = done.exception()
    finally:
        for bar in bars.values():
            bar.close()
    if failures:
        name, error = next(iter(failures.items()))
        raise RuntimeError(f"{len(failures)} of {len(cases)} cases failed, first {name!r}: {type(error).__name__}: {error}") from error
    return {name: results[name] for name in cases}


def _show_news(news, bars: Mapping[str, tqdm]) -> None:
    try:
        name, done, total = news.get(timeout=0.2)
    except Empty:
        return
    _Show(bars[name])(done, total)


class _Show:
    def __init__(self, bar: tqdm):
        self.bar = bar

    def __call__(self, done: int, total: int) -> None:
        self.bar.n = done / total
        self.bar.refresh()


class _Tell:
    def __init__(self, news, name: str):
        self.news, self.name = news, name

    def __call__(self, done: int, total: int) -> None:
        self.news.put((self.name, done, total))
