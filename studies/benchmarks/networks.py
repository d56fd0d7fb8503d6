"""How fast are simulations without structural change, beside those of Brian2 and NEST?

stdp 1e5, stdp 1e6: leaky cells, four fifths excitatory, that learn by STDP under Poisson input, some Hz, delays of 0.5 to 2 ms; one
biological second. cuba, coba, cobahh: the benchmarks of Brette et al. (2007), 4000 cells, 2 % connectivity, delays of one time step.
overhead: the time of one time step of 20 objects (three populations of 20 cells with their state, threshold, reset and Poisson input,
four plastic projections with two pathways each), where nothing else costs. growth: 0.1 biological seconds of the STDP network from
1e3 to 1e7 synapses at a fixed number of events per synapse, and the memory that each synapse takes, each size in its own process.

One thread, a time step of 0.1 ms, the same synapses and first states for all, models as each simulator's users write them. Networks
are built, compiled and prepared before; timed is the run alone: `simulate` here (filling and reading back are part of it),
`Network.run` in Brian2's runtime mode, what a program of standalone mode reports for its run, `Run` in NEST. Rates and weights
are compared first, with a tolerance that follows from the spread over seeds.

Expected: cobahh does not agree with NEST, whose adaptive integrator lets these cells fire a seventh faster than steps of 0.1 ms of
exponential Euler do, so that its times are not compared (with 0.02 ms and NEST's spike threshold of -33 mV Brian2 comes within 3 %).

References: Brette et al. (2007), doi:10.1007/s10827-007-0038-6; Song, Miller & Abbott (2000), doi:10.1038/78829 (STDP).
Runtime on one core: small 5 minutes, full half an hour, most of it NEST's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import in_brian2
import in_nest
import in_neurosim
import numpy as np
from cases import DT, Network, brette, stdp
from measuring import OURS, REPEATS, Absent, Bar, Report, Row, absent, arguments, compare

import neurosim as ns
from neurosim.units import Hz, ms, mV, second

CASES = ("stdp 1e3", "stdp 1e5", "stdp 1e6", "cuba", "coba", "cobahh", "overhead", "growth")
LARGEST = {"smoke": 4, "small": 5, "full": 7}  # of growth: powers of ten of synapses
STEPS = {"smoke": 100, "small": 50_000, "full": 200_000}  # of overhead
SHORT = 0.1  # biological seconds of growth
BARS = [
    Bar("stdp 1e5", "brian2 runtime", over=OURS, least=3.5),
    Bar("stdp 1e5", "brian2 standalone", over=OURS, least=0.95),
    Bar("stdp 1e5", "nest", over=OURS, least=4),
    Bar("stdp 1e6", "brian2 runtime", over=OURS, least=1.5),
    *(Bar(kind, "brian2 standalone", over=OURS, least=1) for kind in ("cuba", "coba", "cobahh")),
    Bar("overhead", most=2e-6),
]


def networks(scale: str) -> dict[str, tuple[Network, float]]:
    """Return the networks of a scale with the biological seconds that each runs, by case."""
    if scale == "smoke":
        return {"stdp 1e3": (stdp(1000, 100), 0.05)} | {kind: (brette(kind, 200), 0.02) for kind in ("cuba", "coba", "cobahh")}
    large = {"stdp 1e6": (stdp(1_000_000, 10_000), 1.0)} if scale == "full" else {}
    ends = {"cuba": 1.0, "coba": 1.0, "cobahh": 1.0 if scale == "full" else 0.3}
    return {"stdp 1e5": (stdp(100_000, 1000), 1.0)} | large | {kind: (brette(kind), end) for kind, end in ends.items()}


def variants(network: Network, duration: float, scale: str) -> dict[str, tuple]:
    """Return the variants of a case: what prepares each, and its arguments. At scale smoke nothing is compiled."""
    smoke = scale == "smoke"
    built = (absent, "programs are not built at scale smoke") if smoke else (in_brian2.standalone, network, duration)
    return {
        OURS: (in_neurosim.prepare, network, duration, "numpy" if smoke else "auto"),
        "brian2 runtime": (in_brian2.runtime, network, duration, "numpy" if smoke else "cython"),
        "brian2 standalone": built,
        "nest": (in_nest.prepare, network, duration),
    }


def overhead(steps: int, target: str) -> Callable:
    """Make a circuit of 20 tiny objects; return what measures the seconds of one time step, apart from those of beginning and ending."""
    cell = in_neurosim.cell("cuba", -60 * mV)
    populations = {name: ns.create(name, cell, 20) for name in "abc"}
    stdp = ns.load_synapse("stdp_pair").replace(w_max=1 * mV)
    pairs = [populations[source] for source in "abca"], [populations[target] for target in "bcaa"]
    joined = {"wiring": ns.FixedProbability(0.2), "receptor": "g_exc", "weight": 0.5 * mV, "delay": 1 * ms}
    circuit = ns.Circuit(populations.values(), [ns.connect(source, target, stdp, **joined) for source, target in zip(*pairs, strict=True)])
    inputs = [ns.PoissonInput(name, "g_exc", rate=100 * Hz, weight=0.1 * mV) for name in "abc"]
    backend = in_neurosim.backend(target)

    def taken(circuit: ns.Circuit, count: int) -> float:
        start = perf_counter()
        ns.simulate(circuit, count * DT * second, inputs=inputs, backend=backend, progress=False)
        return perf_counter() - start

    def run(seed: int) -> tuple[float, dict]:
        few, many = (taken(circuit.reseed(seed), count) for count in (steps // 10, steps + steps // 10))
        return (many - few) / steps, {"objects": 20.0}

    taken(circuit, 1)
    return run


def grown(synapses: int, target: str) -> Callable:
    """Make the STDP network at a size; return what runs it and gives seconds, memory a synapse and events a synapse.

    Memory is the highest while it runs, less what the process had with a network of a hundred cells.
    """
    if not Path("/proc/self/clear_refs").exists():
        raise Absent("memory is read from /proc, which only Linux has")
    in_neurosim.prepare(stdp(1000, 100), DT, target)(0)
    before = memory("VmRSS")
    # Weights near 0, so that a cell spikes as often whatever the number of its synapses is.
    network = replace(stdp(synapses, max(200, synapses // 100)), exc=1e-9, inh=1e-9, drive=(1000.0, 1.7e-3))
    run = in_neurosim.prepare(network, SHORT, target)
    Path("/proc/self/clear_refs").write_text("5")  # what making it took for a moment does not count

    def measured(seed: int) -> tuple[float, dict]:
        seconds, observed = run(seed)
        return seconds, {"bytes a synapse": (memory("VmHWM") - before) / synapses, "events a synapse": observed["rate of exc"] * SHORT}

    return measured


def memory(name: str) -> int:
    """Return a number of bytes from this process's status: VmRSS, or VmHWM for the highest so far."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(name)) * 1024


def slope(rows: Sequence[Row]) -> str:
    """Say how time and memory grow with the number of synapses: the slopes of their logarithms over the last sizes."""
    rows = rows[-3:]  # below, what does not depend on synapses prevails
    if len(rows) < 2:
        return "growth: too few sizes were measured to tell how it goes on"
    sizes = np.array([float(row.case.split()[1]) for row in rows])
    seconds, memory = np.array([(np.median(row.seconds), row.observed["bytes a synapse"]) for row in rows]).T
    slopes = [np.polyfit(np.log(sizes), np.log(values), 1)[0] for values in (seconds, memory * sizes)]
    return f"growth from {sizes[0]:.0e} to {sizes[-1]:.0e} synapses, slopes of logarithms (1: linear): time {slopes[0]:.2f}, memory {slopes[1]:.2f}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the cases that are asked for and print their tables."""
    options = arguments(__doc__, CASES, argv)
    report, target = Report(options.json), "numpy" if options.scale == "smoke" else "auto"
    for case, (network, duration) in networks(options.scale).items():
        if case in options.cases:
            report.add(compare(case, variants(network, duration, options.scale), REPEATS[options.scale]))
    if "overhead" in options.cases:
        report.add(compare("overhead", {OURS: (overhead, STEPS[options.scale], target)}, REPEATS[options.scale]))
    if "growth" in options.cases:
        sizes = {f"growth 1e{power}": 10**power for power in range(3, LARGEST[options.scale] + 1)}
        for case, size in sizes.items():
            report.add(compare(case, {OURS: (grown, size, target)}, REPEATS[options.scale]))
        print(slope([row for row in report.rows if row.case in sizes and row.comparable]))
    report.finish([] if options.scale == "smoke" else BARS)


if __name__ == "__main__":
    main()
