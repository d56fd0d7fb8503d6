"""Is the number of inhibitory cells that survive set by the activity of excitatory cells?

More interneurons are made than remain: in mice 40 % die after birth, fewer where pyramidal cells are more active. Here 800 excitatory cells,
driven by noise, excite inhibitory ones and are inhibited by them. Inhibitory cells do not inhibit one another and have little other input,
so that only excitatory cells tell them how many they are. In a window of 30 epochs each inhibitory cell that fired at less than 15 Hz in an
epoch dies with a hazard. A life begins with 240 inhibitory cells ("first life") or with twice as many ("doubled"); in two more lives the
drive of excitatory cells is 20 % weaker or stronger throughout.

The null, "rate-shuffled": the same rule, but each cell is judged by the rate of a cell drawn at random, with replacement, from the first
life of its seed in the same epoch. So the chance to die is that of the first life, and depends on nothing that happens in this network.

Expected finding: deaths let excitatory cells fire more, these make inhibitory cells fire, and that ends the deaths. So where twice as many
were born, final I:E is within 10 % of that of the first life, one in five; in the null it is twice that. It goes with the drive, so that
excitatory cells end at the same rate, 11 Hz, whatever drives them. All this needs an overshoot (where all that are born fire enough, none
die) and a window of many times 1/hazard.

What speaks against such a feedback, and for the null: of interneurons transplanted into mice a constant fraction dies, however many they
are (Southwell et al. 2012). For it: survival follows pyramidal activity in both directions (Wong et al. 2018), rises with a cell's own
(Denaxa et al. 2018), and in networks in which interneurons release less (Duan et al. 2020).

References: Wong et al. (2018), doi:10.1038/s41586-018-0139-6; Southwell et al. (2012), doi:10.1038/nature11523 (40 %);
Denaxa et al. (2018), doi:10.1016/j.celrep.2018.01.064; Duan et al. (2020), doi:10.1016/j.neuron.2019.10.008.
Runtime on 2 cores, after the first compile (some seconds): smoke some seconds, small half a minute, full three minutes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, study
from neurosim.units import Hz, Quantity, ms, mV, nS, second

FIRST, DOUBLED, NULL, NULL_DOUBLED = "first life", "doubled", "rate-shuffled", "rate-shuffled, doubled"
WEAKER, STRONGER = "weaker drive", "stronger drive"
KINDS = {FIRST: (1, 1.0), DOUBLED: (2, 1.0), NULL: (1, 1.0), NULL_DOUBLED: (2, 1.0), WEAKER: (1, 0.8), STRONGER: (1, 1.2)}  # cells, drive
IDLE = 15 * Hz
HAZARD = 0.25  # of the death of an idle cell, an epoch
MARGIN = 0.1  # of final I:E, relative to that of the first life
JOINED = 0.05  # of all pairs of cells
PANELS = ("I:E", "E (Hz)", "I (Hz)")
PULSES = {"exc": 130 * Hz, "inh": 50 * Hz}  # of the noise that each cell has of its own


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: excitatory and inhibitory cells, epochs before, in and after the window, seconds of an epoch."""

    exc: int = 800
    inh: int = 240
    epochs: tuple = (2, 30, 2)
    seconds: float = 2.0
    target: str = "auto"


PLANS = {"full": Plan(), "small": Plan(epochs=(1, 20, 1)), "smoke": Plan(40, 12, (1, 1, 1), 0.02, "numpy")}


@dataclass(frozen=True)
class RateShuffled:
    """Let inhibitory cells die with a hazard where a cell drawn at random from another life was idle.

    `idle` is the fraction of idle cells in each epoch of that life.
    """

    idle: tuple
    hazard: Quantity

    def __call__(self, circuit, recording, rng) -> ns.Events:
        cells = circuit["inh"].ids
        idle = rng.random(len(cells)) < self.idle[circuit.epoch]
        dies = rng.random(len(cells)) < -np.expm1(-float(self.hazard * recording.duration))
        return ns.Events.kill("inh", cells[idle & dies])


def network(inh: int, plan: Plan, seed: int) -> ns.Circuit:
    """Make a network with so many inhibitory cells."""
    start = {"v": ns.Uniform(-60 * mV, -50 * mV)}
    exc = ns.create("exc", "leaky_conductance", plan.exc, sign="excitatory", state=start, seed=seed)
    inh = ns.create("inh", "leaky_conductance", inh, sign="inhibitory", state=start, seed=seed)
    some, equal = ns.FixedProbability(JOINED), ns.FixedInDegree(round(JOINED * plan.exc))
    return ns.Circuit([exc, inh], [
        ns.connect(exc, exc, "static", some, receptor="g_exc", weight=0.2 * nS, delay=1 * ms, seed=seed),
        ns.connect(exc, inh, "static", equal, receptor="g_exc", weight=0.5 * nS, delay=1 * ms, seed=seed),
        ns.connect(inh, exc, "static", some, receptor="g_inh", weight=3 * nS, delay=1 * ms, seed=seed),
    ], seed=seed)  # fmt: skip


def observed(circuit, recording) -> dict:
    """Measure the ratio of cells, the fraction of idle inhibitory ones, and mean rates."""
    exc, inh = (recording[name].rate() for name in ("exc", "inh"))
    rates = {f"{name} (Hz)": float(rate.mean() / Hz) for name, rate in (("E", exc), ("I", inh))}
    return rates | {"I:E": len(inh) / len(exc), "idle": float((inh < IDLE).mean())}


def lives(seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Live the lives of one seed, each kept in its folder, and return the course of what was measured."""
    epoch, found = plan.seconds * second, {}
    hazard = HAZARD / epoch
    for kind, (times, drive) in KINDS.items():
        rule = ns.Apoptosis("inh", ns.RateBelow(IDLE), hazard=hazard)
        if kind in (NULL, NULL_DOUBLED):
            rule = RateShuffled(tuple(found[FIRST]["idle"]), hazard)
        phases = zip(("birth", "window", "afterwards"), plan.epochs, ([], [rule], []), strict=True)
        pulses = PULSES | {"exc": drive * PULSES["exc"]}
        history = ns.develop(
            network(times * plan.inh, plan, seed), ns.Lifecycle(epoch, [ns.Phase(*phase) for phase in phases]), measure=observed,
            inputs=[ns.PoissonInput(name, "g_exc", rate=rate, weight=4 * nS) for name, rate in pulses.items()],
            backend=ns.Brian2(dt=0.2 * ms, target=plan.target), progress=False, keep=ns.RunFolder(folder / kind, resume=True),
        )  # fmt: skip
        found[kind] = {name: values.tolist() for name, values in history.measures.items()}
        progress(len(found), len(KINDS))
    return found


def summary(life: dict, first: dict) -> dict:
    """Sum up a life beside the first of its seed."""
    ratio = life["I:E"]
    found = {
        "I:E at birth": ratio[0],
        "final I:E": ratio[-1],
        "relative": ratio[-1] / first["I:E"][-1],
        "died (%)": 100 * (1 - ratio[-1] / ratio[0]),
    }
    return found | {f"{cells}, {when} (Hz)": life[f"{cells} (Hz)"][at] for cells in "EI" for when, at in (("birth", 0), ("last", -1))}


def interneuron_survival(run: study.Run) -> tuple[dict, str]:
    """Run the study: lives of all kinds and seeds, comparisons with the first lives, figures."""
    plan = PLANS[run.scale]
    lived = run.each(lives, {f"seed {seed}": (seed, plan) for seed in run.seeds}).values()
    by_kind = {kind: [summary(of[kind], of[FIRST]) for of in lived] for kind in KINDS}
    times = np.arange(1, sum(plan.epochs) + 1) * plan.seconds * second
    courses = {name: {kind: (times, [of[kind][name] for of in lived]) for kind in KINDS} for name in PANELS}
    window = ("window", *np.cumsum(plan.epochs)[:2] * plan.seconds * second)
    figures.save(figures.courses(courses, [window], {"I (Hz)": IDLE / Hz}), run.folder, "survival")
    relative = {kind: [one["relative"] for one in found] for kind, found in by_kind.items()}
    figures.save(figures.comparison(relative, FIRST, MARGIN, "final I:E, relative to the first life"), run.folder, "comparison")
    table = study.tabulate(f"means, seeds: {len(run.seeds)}", by_kind, list(by_kind[FIRST][0]))
    return by_kind, f"{table}\n\n{study.compare(by_kind, FIRST, {'relative': MARGIN, 'died (%)': None})}"


if __name__ == "__main__":
    study.conduct(interneuron_survival, __doc__, seeds=10)
