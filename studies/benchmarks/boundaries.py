"""What does structural change cost?

boundary: 1 % of the learning synapses of a living STDP network (stdp in networks.py) go and as many come, with spikes in flight. Timed
are the plan, the edit and the columns that rules read (weights and ids). Beside it Brian2's runtime mode, where the network has to be
rebuilt: the same plan and edit and a run of one time step; and NEST's own structural update of a network of as many plastic
synapses, in which half of the cells lose two axonal elements and the others gain two (the cheaper side: with dendritic elements it
takes several times as long). NEST chooses the partners itself and changes structure only in the middle of a run: timed is the millisecond with
the update, of which 0.2 ms are simulation.

developmental run: a life of epochs of one second with as much turnover, by a rule, without a run folder; beside it an unbroken run of equal
length, both from the same state.

One thread, a time step of 0.1 ms. All variants have to remove and to make as many synapses.

References: Butz & van Ooyen (2013), doi:10.1371/journal.pcbi.1003259 (structural plasticity as in NEST).
Runtime on one core: small one minute, full ten minutes, most of it NEST's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import in_nest
import in_neurosim
import numpy as np
from cases import DT, Network, stdp
from measuring import OURS, REPEATS, Bar, Report, arguments, compare

import neurosim as ns
from neurosim.units import Quantity, ms, second

TURNOVER = 0.01
LEARNING = [f"exc_to_{name}" for name in in_neurosim.POPULATIONS]
TINY, MIDDLE, LARGE = (f"boundary {size} 1 % turnover" for size in ("1e4", "1e5", "1e6"))
SIZES = {TINY: (10_000, 200), MIDDLE: (100_000, 1000), LARGE: (1_000_000, 10_000)}  # synapses, cells
AT = {"smoke": [TINY], "small": [MIDDLE], "full": [MIDDLE, LARGE]}
LIFE, UNBROKEN = "developmental run", "neurosim, unbroken"
EPOCHS = {"smoke": (2, 10 * ms), "small": (3, 1 * second), "full": (10, 1 * second)}
BARS = [
    Bar(MIDDLE, most=4e-3),
    Bar(LARGE, most=40e-3),
    Bar(MIDDLE, "nest", over=OURS, least=20),
    Bar(LARGE, "nest", over=OURS, least=200),
    Bar(LIFE, over=UNBROKEN, most=1.04),
]


@dataclass(frozen=True)
class Turnover:
    """Replace a share of the synapses of a projection by others, of cells chosen at random, with a weight and a delay."""

    projection: str
    share: float
    weight: float
    delay: float

    def __call__(self, circuit: ns.Circuit, recording: ns.Recording | None, rng: np.random.Generator) -> ns.Events:
        projection = circuit[self.projection]
        count = round(self.share * len(projection))
        gone = rng.choice(projection.ids, count, replace=False)
        pre, post = (rng.choice(circuit[name].ids, count) for name in (projection.source, projection.target))
        return ns.Events.unlink(projection.name, gone) + ns.Events.link(projection.name, pre, post, self.weight, self.delay)


def rules(network: Network) -> list[Turnover]:
    """Return the rules that turn over the learning projections."""
    return [Turnover(name, TURNOVER, network.exc, 1e-3) for name in LEARNING]


def boundary(network: Network, target: str, next_step: bool) -> Callable:
    """Make a network with spikes in flight; return what measures one boundary, with the first time step after it if that is asked for."""
    inputs, backend = in_neurosim.drives(network), in_neurosim.backend(target)
    circuit, _ = ns.simulate(in_neurosim.circuit(network), 20 * ms, inputs=inputs, backend=backend, progress=False)

    def run(seed: int) -> tuple[float, dict]:
        # Events are made of the circuit before the run, so that no column of the one after it has been read yet.
        events = sum((rule(circuit, None, np.random.default_rng(seed)) for rule in rules(network)), ns.Events())
        with backend.opened() as running:
            before, _ = ns.simulate(circuit.reseed(seed), 20 * ms, inputs=inputs, backend=running, progress=False)
            start = perf_counter()
            edit = ns.plan(before, events)
            del before  # as develop does: who keeps it has it copied
            after = running.carry_out(edit)
            read = [(after[name].weight, after[name].ids) for name in LEARNING]
            if next_step:
                ns.simulate(after, DT * second, inputs=inputs, backend=running, progress=False)
            seconds = perf_counter() - start
        replaced = sum(np.isin(circuit[name].ids, ids, invert=True).sum() for name, (_, ids) in zip(LEARNING, read, strict=True))
        return seconds, {"synapses": float(sum(len(ids) for _, ids in read)), "replaced": float(replaced)}

    run(0)
    return run


def developed(network: Network, epochs: int, epoch: Quantity, target: str) -> Callable:
    """Make a network; return what measures its life with turnover at every boundary."""
    circuit, how = _living(network, target)
    life = ns.Lifecycle(epoch, [ns.Phase("turnover", epochs, rules(network))])

    def run(seed: int) -> tuple[float, dict]:
        start = perf_counter()
        history = ns.develop(circuit.reseed(seed), life, **how)
        seconds = perf_counter() - start
        return seconds, {"spikes": float(history.cost["spikes"][-1]), "synapses": _learning(history.circuit)}

    return run


def unbroken(network: Network, epochs: int, epoch: Quantity, target: str) -> Callable:
    """Make a network; return what measures as long a run of it without boundaries."""
    circuit, how = _living(network, target)

    def run(seed: int) -> tuple[float, dict]:
        start = perf_counter()
        after, recording = ns.simulate(circuit.reseed(seed), epochs * epoch, **how)
        seconds = perf_counter() - start
        spikes = sum(len(recording[name].spikes) for name in in_neurosim.POPULATIONS)
        return seconds, {"spikes": float(spikes), "synapses": _learning(after)}

    return run


def _living(network: Network, target: str) -> tuple[ns.Circuit, dict]:
    """Make a circuit and run one time step of it, so that all is compiled; return it and how it is to be run."""
    how = {"inputs": in_neurosim.drives(network), "backend": in_neurosim.backend(target), "progress": False}
    return ns.simulate(in_neurosim.circuit(network), DT * second, **how)[0], how


def _learning(circuit: ns.Circuit) -> float:
    return float(sum(len(circuit[name]) for name in LEARNING))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the cases that are asked for and print their tables."""
    options = arguments(__doc__, [*SIZES, LIFE], argv)
    smoke, repeats, report = options.scale == "smoke", REPEATS[options.scale], Report(options.json)
    target, rebuilding = ("numpy", "numpy") if smoke else ("auto", "cython")
    for case in AT[options.scale]:
        if case in options.cases:
            network = stdp(*SIZES[case])
            variants = {
                OURS: (boundary, network, target, False),
                "brian2 runtime": (boundary, network, rebuilding, True),
                "nest": (in_nest.structural_update, network, TURNOVER),
            }
            report.add(compare(case, variants, repeats))
    if LIFE in options.cases:
        length = (stdp(*SIZES[AT[options.scale][0]]), *EPOCHS[options.scale], target)
        report.add(compare(LIFE, {OURS: (developed, *length), UNBROKEN: (unbroken, *length)}, repeats))
    report.finish([] if smoke else BARS)


if __name__ == "__main__":
    main()
