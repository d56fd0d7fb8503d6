"""Independent cases on all cores: each in a process of its own, with a bar, its result kept in a file."""

import json
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType

from tqdm import tqdm

from neurosim.files import digest, json_bytes, read_json, understood, write_json
from neurosim.specification import difference, specification

GRACE = 5.0  # seconds that a process has to end when it is asked to


def each(function: Callable, cases: Mapping[str, tuple], folder, workers: int | None = None) -> dict[str, object]:
    """Run ``function(*case, folder=..., progress=...)`` for every named case, each in its own process, and return the results.

    `function` is a module's own function; it may keep what it likes in the folder it is given (folder/<name>), calls
    ``progress(done, total)`` now and then, shown as a bar, and returns plain numbers, texts, lists and dicts. Each result is
    kept in folder/<name>.json; a case that has one is not run again. A case that fails is named when the others have
    finished: raises RuntimeError. Ctrl-C ends the processes and the script (SystemExit) and says which cases were finished;
    they also end when the process that started them does, however that happens. Raises ValueError for a kept result of
    another case, or one that was altered.
    """
    folder = Path(folder)
    workers = min(len(cases), workers or os.cpu_count() or 1)
    results = {name: _kept(folder, name, case) for name, case in cases.items() if _file(folder, name).exists()}
    waiting = [name for name in cases if name not in results]
    form = "{desc:<24.24}{percentage:3.0f}%|{bar}| {elapsed}"
    bars = {name: tqdm(total=1.0, desc=name, position=place, bar_format=form) for place, name in enumerate(waiting)}
    running: dict[Connection, tuple[str, multiprocessing.Process]] = {}
    failures: dict[str, str] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                name = waiting.pop(0)
                running |= _started(function, name, cases[name], folder)
            for ready in wait(list(running), timeout=1.0):
                name, process = running[ready]
                news = _news(ready, process)
                if isinstance(news, tuple):
                    bars[name].n = news[0] / news[1]
                    bars[name].refresh()
                    continue
                del running[ready]
                if news is None:
                    results[name] = _kept(folder, name, cases[name])
                else:
                    failures[name] = news
    except KeyboardInterrupt:
        print(f"\ninterrupted; finished: {', '.join(results) or 'no case'} (of {len(cases)}); the others can be resumed", file=sys.stderr)
        raise SystemExit(130) from None
    finally:
        for bar in bars.values():
            bar.close()
        _end([process for _, process in running.values()])
    for name, text in failures.items():
        print(f"\n{name} failed:\n{text}", file=sys.stderr)
    if failures:
        name, text = next(iter(failures.items()))
        raise RuntimeError(
            f"{len(failures)} of {len(cases)} cases failed, first {name!r}: {text.strip().splitlines()[-1]}; the results of the others are kept"
        )
    return {name: results[name] for name in cases}


def _started(function: Callable, name: str, case: tuple, folder: Path) -> dict:
    """Start the process of a case; return it with the end of a pipe on which it tells of itself."""
    context = _context(function)
    mine, its = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(function, name, case, folder, its), name=name)
    process.start()
    its.close()
    return {mine: (name, process)}


def _context(function: Callable):
    """How processes are made: by a server that has imported what the script needs once, where the system has such servers."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    used = vars(sys.modules[function.__module__]).values()
    names = {one.__name__ if isinstance(one, ModuleType) else getattr(one, "__module__", None) for one in used}
    context.set_forkserver_preload(sorted(name for name in names if name in sys.modules and name != "__main__"))
    return context


def _news(pipe: Connection, process) -> tuple | str | None:
    """Return what a case tells: (done, total), the text of an error, or None when its result is kept."""
    try:
        news = pipe.recv()
    except EOFError:  # it ended without a word
        process.join()
        code = process.exitcode
        return f"its process was ended ({signal.Signals(-code).name if code < 0 else f'exit status {code}'})"
    if not isinstance(news, tuple):
        process.join()
    return news


def _work(function: Callable, name: str, case: tuple, folder: Path, pipe: Connection) -> None:
    """Run a case in its process: leave Ctrl-C to the parent, end when it is gone, keep the result, tell of it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process().sentinel,), daemon=True).start()
    try:
        result = function(*case, folder=folder / name, progress=lambda done, total: pipe.send((done, total)))
        _keep(folder, name, case, result)
        pipe.send(None)
    except Exception:
        pipe.send(traceback.format_exc())


def _end_with(parent: int) -> None:
    wait([parent])
    os._exit(1)


def _end(processes) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(GRACE)
        if process.is_alive():
            process.kill()
            process.join()


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.json"


def _keep(folder: Path, name: str, case: tuple, result) -> None:
    content = json_bytes(result)  # first of all: a result that JSON cannot hold is an error of its function
    write_json(_file(folder, name), {"case": specification(case), "result": json.loads(content), "sha256": digest(content)})


def _kept(folder: Path, name: str, case: tuple):
    """Return the result that is kept of a case."""
    path = _file(folder, name)
    kept = read_json(path, "result")
    with understood(path, "result"):
        if digest(json_bytes(kept["result"])) != kept["sha256"]:
            raise ValueError(f"{path} is damaged or was altered: it does not match its hash; remove it, and the case is run again")
        if found := difference(json.loads(json.dumps(specification(case))), kept["case"], "case"):
            raise ValueError(f"{path} is the result of another case: {found}; choose another folder")
        return kept["result"]
