"""Simulate one time step of the STDP network in a fresh process and print how long that took; start.py runs this as a script.

Usage: first_step.py neurosim|runtime SYNAPSES CELLS TARGET, or first_step.py standalone SYNAPSES CELLS FOLDER, which leaves the
program in the folder. Brian2's runtime mode keeps compiled code in $BENCHMARK_CACHE.
"""

import json
import os
import sys
from time import perf_counter

from cases import DT, Network, stdp


def neurosim(network: Network, target: str) -> tuple[float, int]:
    """Take the first step in neurosim; return the seconds of the first `simulate` and the number of synapses."""
    import in_neurosim

    import neurosim as ns
    from neurosim.units import second

    circuit, inputs, backend = in_neurosim.circuit(network), in_neurosim.drives(network), in_neurosim.backend(target)
    start = perf_counter()
    after, _ = ns.simulate(circuit, DT * second, inputs=inputs, backend=backend, progress=False)
    return perf_counter() - start, sum(len(part) for part in after.projections.values())


def runtime(network: Network, target: str) -> tuple[float, int]:
    """Take the first step in Brian2's runtime mode; return the seconds of the first run and the number of synapses."""
    import brian2
    import in_brian2

    brian2.prefs.codegen.target = target
    brian2.prefs.codegen.runtime.cython.cache_dir = os.environ["BENCHMARK_CACHE"]
    made = in_brian2.declare(network, 0)
    running = brian2.Network(*made.values())
    start = perf_counter()
    running.run(DT * brian2.second, namespace={})
    return perf_counter() - start, len(made["exc"]) + len(made["inh"])


def standalone(network: Network, folder: str) -> tuple[float, int]:
    """Build and run a program of one step; return the seconds of running it again and the number of synapses."""
    import brian2
    import in_brian2

    brian2.set_device("cpp_standalone", directory=folder)
    made = in_brian2.declare(network, 0)
    brian2.Network(*made.values()).run(DT * brian2.second, namespace={})
    start = perf_counter()
    brian2.device.run(folder, with_output=False)
    return perf_counter() - start, len(made["exc"]) + len(made["inh"])


if __name__ == "__main__":
    _, how, synapses, cells, last = sys.argv
    seconds, size = {"neurosim": neurosim, "runtime": runtime, "standalone": standalone}[how](stdp(int(synapses), int(cells)), last)
    print(json.dumps({"seconds": seconds, "synapses": size}))
