"""What does a boundary cost at which cells die and divide and synapses come and go, beside the second of simulation before it?

The learning network (stdp in cases.py) lives through epochs of one second. At each boundary one cell in a hundred of either population
dies (the idlest) and as many divide (the busiest), one learning synapse in a hundred is pruned (the weakest) and about as many grow.
A death takes all synapses of the cell with it and a division copies or splits them, so that two to three synapses in a hundred go and as
many come.

boundary: all that happens between two epochs: the rules, the plan, the edit of the running engine, and the records of the history.
simulating: the second before it, in the same life. One thread, a time step of 0.1 ms; the first epoch is not timed. Both variants live
the same lives.

Runtime on one core, after the first compile: small half a minute, full five minutes.
"""

from collections.abc import Callable, Sequence
from time import perf_counter

import in_neurosim
import numpy as np
from cases import Network, stdp
from measuring import OURS, REPEATS, Bar, Report, arguments, compare

import neurosim as ns
from neurosim.units import Quantity, ms, second

SHARE = 0.01  # of the cells that die, of those that divide, of the learning synapses that go and that grow
SIMULATING = "neurosim, simulating"
SIZES = {"smoke": (10_000, 200), "small": (100_000, 1000), "full": (1_000_000, 10_000)}  # synapses, cells
EPOCHS = {"smoke": (2, 10 * ms), "small": (4, 1 * second), "full": (4, 1 * second)}
CASES = {scale: f"turnover {synapses:.0e}" for scale, (synapses, _) in SIZES.items()}
BARS = [Bar(CASES["full"], over=SIMULATING, most=1.0)]


def rules(network: Network, epoch: Quantity) -> list:
    """Return the rules that turn over cells and learning synapses."""
    made = []
    for name in in_neurosim.POPULATIONS:
        made += [ns.Apoptosis(name, ns.Idlest(SHARE)), ns.Division(name, ns.Busiest(SHARE), jitter=0.1)]
    density = network.probability / (1 - network.probability)  # of joined pairs over absent ones
    for name in in_neurosim.POPULATIONS:
        weakest = ns.WeightBelow(SHARE)  # weights are spread evenly
        made.append(ns.Rewiring(f"exc_to_{name}", weakest, regrow=SHARE * density / epoch, weight=0.5, delay=1 * ms))
    return made


def lived(network: Network, epochs: int, epoch: Quantity, target: str, variant: str) -> Callable:
    """Make a network; return what lets it live and measures the time of a boundary (variant neurosim) or of simulating an epoch."""
    circuit, inputs, backend = in_neurosim.circuit(network), in_neurosim.drives(network), in_neurosim.backend(target)
    life = ns.Lifecycle(epoch, [ns.Phase("turnover", epochs, rules(network, epoch))])

    def run(seed: int) -> tuple[float, dict]:
        moments = []  # the end of each simulation and of each boundary

        def noted(*_) -> dict:
            moments.append(perf_counter())
            return {}

        history = ns.develop(circuit.reseed(seed), life, inputs=inputs, measure=noted, progress=noted, backend=backend)
        seconds = np.diff(moments)[1:]  # from the end of the first boundary on: simulating, boundary, simulating ...
        first = 1 if variant == OURS else 0
        turned = history.connectivity["turnover"]
        observed = {name: float(len(history.circuit[name])) for name in in_neurosim.POPULATIONS}
        observed |= {"turnover": float(np.nanmean(turned)), "spikes": float(history.cost["spikes"][-1])}
        return float(np.mean(seconds[first::2])), observed

    run(0)
    return run


def main(argv: Sequence[str] | None = None) -> None:
    """Run the case of a scale and print its table."""
    options = arguments(__doc__, list(CASES.values()), argv)
    report, case = Report(options.json), CASES[options.scale]
    life = (stdp(*SIZES[options.scale]), *EPOCHS[options.scale], "numpy" if options.scale == "smoke" else "auto")
    if case in options.cases:
        report.add(compare(case, {variant: (lived, *life, variant) for variant in (OURS, SIMULATING)}, REPEATS[options.scale]))
    report.finish([] if options.scale == "smoke" else BARS)


if __name__ == "__main__":
    main()
