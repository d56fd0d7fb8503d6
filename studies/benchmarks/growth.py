"""How fast does a network grow all of its synapses, beside NEST?

The network of studies/structural_homeostasis.py (Butz & van Ooyen 2013; NEST's example structural_plasticity.py): 1000 cells without a
synapse at first, Poisson input, synaptic elements that follow calcium, 200 biological seconds, with structural updates every 10 s and
every 100 ms.

Timed is the whole of a run, from making the cells to the last sample of synapses and calcium; ours includes the records of each
epoch. Imports and compiling, once some seconds, are not part of it: a short run goes before. One thread, a time step of 0.1 ms. Compared
first are synapses and calcium, averaged over the first half of the course: later a network that is updated every 10 s swings, and where
it is then depends on the seed more than on anything else.

References: Butz & van Ooyen (2013), doi:10.1371/journal.pcbi.1003259.
Runtime on one core: small ten minutes, full three quarters of an hour, most of it NEST's.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from measuring import OURS, REPEATS, Bar, Report, arguments, compare

sys.path.append(str(Path(__file__).parents[1]))

from structural_homeostasis import PLANS, Plan, in_nest, in_neurosim  # noqa: E402

SLOW, FAST = CASES = ("updates every 10 s", "updates every 100 ms")
UPDATES = {SLOW: 10_000, FAST: 100}  # ms
SMOKE = {SLOW: PLANS["smoke"].updates[1], FAST: PLANS["smoke"].updates[0]}
BARS = [Bar(case, "nest", over=OURS, least=2) for case in CASES]


def grown(run_in: Callable, plan: Plan, update: int) -> Callable:
    """Return what grows the network in a simulator and measures the seconds of that."""

    def run(seed: int) -> tuple[float, dict]:
        start = perf_counter()
        course = run_in(plan, update, seed)
        seconds = perf_counter() - start
        return seconds, {name: float(np.mean(values[: -(-len(values) // 2)])) for name, values in course.items()}

    run_in(replace(plan, duration=plan.every), update, 0)
    return run


def main(argv: Sequence[str] | None = None) -> None:
    """Run the cases that are asked for and print their tables."""
    options = arguments(__doc__, CASES, argv)
    report, updates = Report(options.json), SMOKE if options.scale == "smoke" else UPDATES
    for case in options.cases:
        length = (PLANS[options.scale], updates[case])
        report.add(compare(case, {OURS: (grown, in_neurosim, *length), "nest": (grown, in_nest, *length)}, REPEATS[options.scale]))
    report.finish([] if options.scale == "smoke" else BARS)


if __name__ == "__main__":
    main()
