"""How long does it take until the first time step is simulated?

cold start: a fresh process and empty caches: seconds on the wall until one step of the STDP network (stdp 1e5 in networks.py) is
simulated, imports, making the network and compiling included. warm start: a fresh process in which only compiled code is there:
the seconds of the first simulation alone, after imports and making the network: `simulate` here, the first `Network.run` in Brian2's
runtime mode; the program that standalone mode has built is run again. All variants have as many synapses.

Runtime on one core: small five minutes, full ten minutes, most of it the compiler's for Brian2's runtime mode.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from measuring import OURS, REPEATS, Bar, Report, absent, arguments, compare

COLD, WARM = "cold start", "warm start"
SIZES = {"smoke": (1000, 100), "small": (100_000, 1000), "full": (100_000, 1000)}  # synapses, cells
BARS = [Bar(COLD, most=8.0), Bar(WARM, most=0.1)]


def first_step(how: str, size: tuple[int, int], target: str, cache: Path) -> dict:
    """Simulate one step in a fresh process with its caches in a folder; return what it says, with its seconds on the wall as "wall"."""
    script = Path(__file__).with_name("first_step.py")
    last = str(cache / "program") if how == "standalone" else target
    command = [sys.executable, str(script), how, *map(str, size), last]
    environment = os.environ | {"NEUROSIM_CACHE": str(cache), "BENCHMARK_CACHE": str(cache / "brian2")}
    start = perf_counter()
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return {"wall": perf_counter() - start, **json.loads(done.stdout.splitlines()[-1])}


def cold(how: str, size: tuple[int, int], target: str) -> Callable:
    """Return what measures a start with empty caches."""

    def run(seed: int) -> tuple[float, dict]:
        with TemporaryDirectory() as folder:
            found = first_step(how, size, target, Path(folder))
        return found["wall"], {"synapses": float(found["synapses"])}

    return run


def warm(how: str, size: tuple[int, int], target: str) -> Callable:
    """Fill the caches; return what measures a start that finds all compiled."""
    folder = TemporaryDirectory()
    first_step(how, size, target, Path(folder.name))

    def run(seed: int) -> tuple[float, dict]:
        found = first_step(how, size, target, Path(folder.name))
        return found["seconds"], {"synapses": float(found["synapses"])}

    return run


def main(argv: Sequence[str] | None = None) -> None:
    """Run the cases that are asked for and print their tables."""
    options = arguments(__doc__, [COLD, WARM], argv)
    smoke, size, report = options.scale == "smoke", SIZES[options.scale], Report(options.json)
    for case, prepare in {COLD: cold, WARM: warm}.items():
        if case in options.cases:
            built = (absent, "programs are not built at scale smoke") if smoke else (prepare, "standalone", size, "")
            variants = {
                OURS: (prepare, "neurosim", size, "numpy" if smoke else "auto"),
                "brian2 runtime": (prepare, "runtime", size, "numpy" if smoke else "cython"),
                "brian2 standalone": built,
            }
            report.add(compare(case, variants, REPEATS[options.scale]))
    report.finish([] if smoke else BARS)


if __name__ == "__main__":
    main()
