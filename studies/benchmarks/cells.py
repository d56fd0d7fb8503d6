"""How fast are cells alone, beside Brian2, NEST and a loop in C++ that is written by hand for the processor it runs on?

traub_miles 4000, hodgkin_huxley 4000, adex 4000, leaky 4000: 4000 cells of a model file without synapses for 10,000 time steps of
0.1 ms, each under a constant current of its own, evenly spread over a range in which nearly all of them fire, from first potentials
drawn at random.
cobahh: the network of cells of Traub and Miles in networks.py, where spikes and synapses are added.

One thread; cells are made and all is compiled before. Timed is the run alone: `simulate` here, `Network.run` in Brian2's runtime mode, what
a program of standalone mode reports for its run, `Run` in NEST, and the loop itself. Rates, the share of the cells that fire and the
time of their first spikes are compared first. Brian2's equations are written as in its examples, with the methods of the model files
but "exact" for leaky, where both are the exact solution, and without a refractory time for adex, which has none. The loop in C++
(limit.cpp) takes the same steps by the same methods, with all that is known of these cells written into it: each rate once, nothing that
branches, eight cells at once.

Expected: NEST solves hh_cond_exp_traub, hh_psc_alpha and aeif_cond_exp with steps that adapt. Its cells of the first two kinds fire 5 to
9 % faster than with exponential Euler and 0.1 ms, and with 5 us so do the cells of limit.cpp, to 0.5 %; hence the tolerance for its
rates. It also counts a spike of theirs at its peak, not on the way up.

The bar for Brian2's runtime mode with traub_miles is one for processors with AVX-512, and is left out on others.

References: Traub & Miles (1991), doi:10.1017/CBO9780511895401; Hodgkin & Huxley (1952), doi:10.1113/jphysiol.1952.sp004764;
Brette & Gerstner (2005), doi:10.1152/jn.00686.2005; Brette et al. (2007), doi:10.1007/s10827-007-0038-6.
Runtime on one core: small ten minutes, full twenty, most of it NEST's.
"""

from collections.abc import Sequence

import in_brian2
import in_cpp
import in_nest
import in_neurosim
import networks
from cases import ALONE, Uncoupled
from measuring import OURS, REPEATS, Bar, Report, absent, arguments, compare

from neurosim.backends.compiler import processor

LIMIT, NETWORK = "c++ limit", "cobahh"
SMOKE = {f"{kind} 40": Uncoupled(kind, 40, 300) for kind in ALONE}
LARGE = {f"{kind} 4000": Uncoupled(kind, 4000, 10_000) for kind in ALONE}
TRAUB_MILES, HODGKIN_HUXLEY, ADEX, LEAKY = LARGE
BARS = [
    Bar(TRAUB_MILES, over=LIMIT, most=1.2),
    Bar(HODGKIN_HUXLEY, over=LIMIT, most=1.25),
    *(Bar(case, "brian2 standalone", over=OURS, least=1) for case in (ADEX, LEAKY)),
    Bar(NETWORK, "brian2 runtime", over=OURS, least=6),
]
WIDE = Bar(TRAUB_MILES, "brian2 runtime", over=OURS, least=12)  # where eight numbers go through one instruction


def variants(case: Uncoupled, scale: str) -> dict[str, tuple]:
    """Return the variants of a case: what prepares each, and its arguments. At scale smoke nothing is compiled."""
    smoke, built = scale == "smoke", (absent, "programs are not built at scale smoke")
    return {
        OURS: (in_neurosim.alone, case, "numpy" if smoke else "auto"),
        "brian2 runtime": (in_brian2.runtime, case, case.duration, "numpy" if smoke else "cython"),
        "brian2 standalone": built if smoke else (in_brian2.standalone, case, case.duration),
        "nest": (in_nest.alone, case),
        LIMIT: built if smoke else (in_cpp.prepare, case),
    }


def bars(features: str) -> list[Bar]:
    """Return the bars of a processor with such features."""
    return [*BARS, WIDE] if "avx512f" in features.split() else BARS


def main(argv: Sequence[str] | None = None) -> None:
    """Run the cases that are asked for and print their tables."""
    options = arguments(__doc__, [*LARGE, NETWORK, *SMOKE], argv)
    smoke, repeats, report = options.scale == "smoke", REPEATS[options.scale], Report(options.json)
    for name, case in (SMOKE if smoke else LARGE).items():
        if name in options.cases:
            report.add(compare(name, variants(case, options.scale), repeats))
    if NETWORK in options.cases:
        network = networks.networks(options.scale)[NETWORK]
        report.add(compare(NETWORK, networks.variants(*network, options.scale), repeats))
    report.finish([] if smoke else bars(processor()))
    if not smoke and WIDE not in bars(processor()):
        print(f"{WIDE}: not asked for, this processor has no AVX-512")


if __name__ == "__main__":
    main()
