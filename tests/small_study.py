"""Do two small circuits that grow and rewire live to the end? A study small enough to be killed many times."""

import neurosim as ns
from neurosim import study
from neurosim.units import Hz, ms, nS, second

EPOCH = 4 * ms


def circuit(seed):
    exc = ns.create("exc", "leaky_conductance", 8)
    loop = ns.connect(
        exc, exc, "static", ns.FixedProbability(0.3), receptor="g_exc", weight=ns.Uniform(1 * nS, 2 * nS), delay=1 * ms, seed=seed
    )
    return ns.Circuit([exc], [loop.replace(name="loop")], seed=seed)


def live(seed, epochs, *, folder, progress):
    turnover = [
        ns.Division("exc", hazard=40 / second, until=14),
        ns.Apoptosis("exc", hazard=30 / second, floor=5),
        ns.Rewiring("loop", prune=ns.WeightBelow(1.2 * nS), hazard=50 / second, regrow=5 / second, weight=1.5 * nS),
    ]
    history = ns.develop(
        circuit(seed), ns.Lifecycle(EPOCH, [ns.Phase("growth", epochs // 2, turnover[:1]), ns.Phase("turnover", epochs - epochs // 2, turnover)]),
        inputs=[ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=5 * nS)],
        record=[ns.Spikes("exc"), ns.Trace("exc", "v", cells=2, every=1 * ms)],
        measure=lambda now, recording: {"size": len(now["exc"]), "spikes": int(recording["exc"].counts.sum())},
        backend=ns.Brian2(target="numpy"), progress=progress, keep=ns.RunFolder(folder, resume=True, every=5),
    )  # fmt: skip
    return {"cells": len(history.circuit["exc"]), "events": len(history.events), "spikes": float(history.measures["spikes"].sum())}


def small(run):
    epochs = {"smoke": 6, "small": 24, "full": 200}[run.scale]
    results = run.each(live, {f"life {seed}": (seed, epochs) for seed in run.seeds})
    return results, study.tabulate("lives", results, ["cells", "events", "spikes"])


if __name__ == "__main__":
    study.conduct(small, __doc__, seeds=3)
