"""What every study script shares: its arguments, its folder, and independent lives on all cores."""

import argparse
import json
import multiprocessing
import os
import platform
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
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
    parser.add_argument(
        "--scale", choices=SCALES, default="full", help="smoke: seconds, no finding; small: about a minute; full: the study (default)"
    )
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
        raise type(error)(
            error.errno, f"{folder} cannot be made ({error.strerror}); give --out a folder in a place that you may write to"
        ) from None
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
    finished: raises RuntimeError from its error. Ctrl-C ends the workers and the script (SystemExit) and says which cases
    were finished; workers end with their parent, however it ends.
    """
    workers = min(len(cases), workers or os.cpu_count() or 1)
    bars = {
        name: tqdm(total=1.0, desc=name, position=n, bar_format="{desc:<16.16}{percentage:3.0f}%|{bar}| {elapsed}")
        for n, name in enumerate(cases)
    }
    outcomes: dict[str, object] = {}
    try:
        if workers == 1:
            return {name: function(*case, _Show(bars[name])) for name, case in cases.items()}
        _run_in_processes(function, cases, workers, bars, outcomes)
    except KeyboardInterrupt:
        for process in multiprocessing.active_children():
            process.terminate()
        print(f"\ninterrupted; finished: {', '.join(outcomes) or 'no case'} (of {len(cases)})", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        for bar in bars.values():
            bar.close()
    failures = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, BaseException)}
    if failures:
        name, error = next(iter(failures.items()))
        raise RuntimeError(f"{len(failures)} of {len(cases)} cases failed, first {name!r}: {type(error).__name__}: {error}") from error
    return {name: outcomes[name] for name in cases}


def _run_in_processes(function: Callable, cases: Mapping[str, tuple], workers: int, bars: Mapping[str, tqdm], outcomes: dict) -> None:
    context = multiprocessing.get_context("spawn")
    news = context.Queue()
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker, initargs=(os.getpid(), news))
    try:
        running = {pool.submit(function, *case, _Tell(name)): name for name, case in cases.items()}
        while len(outcomes) < len(cases):
            _show_news(news, bars)
            for future, name in running.items():
                if future.done() and name not in outcomes:
                    outcomes[name] = future.exception() or future.result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _prepare_worker(parent: int, news) -> None:
    """Leave Ctrl-C to the parent, end when it is gone, and tell it of progress through its queue."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _Tell.news = news

    def watch():
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
    """Progress of one case, told to the parent; the queue comes with the worker, as queues travel with processes only."""

    news = None

    def __init__(self, name: str):
        self.name = name

    def __call__(self, done: int, total: int) -> None:
        self.news.put((self.name, done, total))
