"""Do cells that are stimulated together come to be joined to one another if each regulates nothing but its own rate?

400 excitatory and 100 inhibitory leaky cells get 15,000 Poisson spikes a second each. Only the synapses between excitatory cells change:
there are none at first, each weighs 0.1 mV for ever, and they come and go with axonal and dendritic elements, which a cell grows while its
calcium is below a target and retracts while it is above (linear growth). Free elements are joined at random: the rule knows of no pairs
of cells and no correlations. After 20 s of growth a tenth of the cells get 10 % more input for 20 s; then all are as before for 60 s, sixty
time constants of calcium. Compared: the same life without a stimulus, and as many synapses that come and go at each boundary of the
stimulated life, but chosen by chance. Connectivity is counted in synapses per pair of cells: within the group, between it and the others,
and within and between random groups, as large, of the others.

Expected finding: under the stimulus cells retract elements of both kinds, and lose the synapses within the group first. When it ends they
grow both again, at the same time, so that half of the partners that they find are one another, not a tenth: the group is joined to itself
several times as densely as to the others, also at the end, long after all rates are back at the target; it decays slowly. Random groups,
a group that was not stimulated, and turnover by chance: a ratio of 1. Simulated in NEST, the network has the same numbers.

References: Gallinaro & Rotter (2018), doi:10.1038/s41598-018-22077-3 (the finding; network, protocol and growth are those of the authors'
own reduced version of it, github.com/juliavg/assembly-structural-plasticity); Butz & van Ooyen (2013), doi:10.1371/journal.pcbi.1003259 (the rule).
Runtime on 2 cores, after the first compile (some seconds): smoke some seconds, small one minute, full five minutes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, study
from neurosim.units import Hz, ms, mV, second

STIMULATED, ALONE, CHANCE = KINDS = ("stimulated", "never stimulated", "rewired by chance")
RANDOM, EQUAL = "random groups", "a ratio of 1"
CONDITIONS = (STIMULATED, RANDOM, ALONE, CHANCE)
GROUPS = 10  # of excitatory cells: the first is stimulated, the others are random
CELL = ns.load_cell("leaky_adaptive_threshold").replace(tau_m=20 * ms, V_th=-45 * mV, V_reset=-55 * mV, tau_ref=2 * ms, theta_plus=0 * mV)
WEIGHT, INHIBITION, DELAY = 0.1 * mV, -1.2 * mV, 1 * ms
INPUT, STRONGER = 15_000 * Hz, 0.1  # Poisson spikes of a cell, and how many more while it is stimulated
TARGET = 39.1 * Hz  # rate of this network, at this time step, with a fixed in-degree of a tenth of the excitatory cells
TAU = 1 * second  # of calcium
VACANCY = -np.log(0.9) / (100 * ms)  # hazard of free elements: a tenth of them in an update of 100 ms
PHASES = ("growth", "stimulus", "after")
LAST = 2  # bins before a moment over which ratios are averaged
MARGIN = 0.2  # difference in ratio that would not matter


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: excitatory cells, the bins of growth, stimulus and afterwards, a bin and an epoch in ms."""

    cells: int = 400
    bins: tuple = (20, 20, 60)
    bin: int = 1000
    epoch: int = 100
    dt: float = 0.1
    target: str = "library"

    @property
    def backend(self) -> ns.Brian2:
        """The backend at the time step of the plan."""
        return ns.Brian2(dt=self.dt * ms, target=self.target)


PLANS = {"full": Plan(), "small": Plan(), "smoke": Plan(40, (2, 2, 2), 20, 20, 0.5, "numpy")}


def network(plan: Plan, seed: int) -> ns.Circuit:
    """Make the network of a seed, without synapses between excitatory cells."""
    exc = ns.create("exc", CELL, plan.cells, sign="excitatory")
    inh = ns.create("inh", CELL, plan.cells // 4, sign="inhibitory")
    wired = [(exc, inh, WEIGHT), (inh, exc, INHIBITION), (inh, inh, INHIBITION)]
    how = {"receptor": "v", "delay": DELAY, "seed": seed}
    fixed = [ns.connect(one, other, "static", ns.FixedInDegree(len(one) // 10), weight=weight, **how) for one, other, weight in wired]
    plastic = ns.connect(exc, exc, "static", ns.Pairs([], []), weight=WEIGHT, **how)
    return ns.Circuit([exc, inh], [*fixed, plastic], seed=seed)


def inputs(plan: Plan, stronger: float) -> list:
    """Drive all cells, the first of the groups so much more than the others."""
    rate = np.full(plan.cells, 1.0)
    rate[: plan.cells // GROUPS] += stronger
    return [ns.PoissonInput("exc", "v", rate * INPUT, WEIGHT), ns.PoissonInput("inh", "v", INPUT, WEIGHT)]


def rewiring() -> ns.ElementWiring:
    """Describe the rule: elements of both kinds that grow until a cell is at its target, and synapses between them."""
    how = {"curve": ns.LinearGrowth(0.5 * TARGET, TARGET), "calcium": ns.Calcium(TAU), "vacancy": VACANCY, "first": 1}
    axonal = ns.AxonalElements("exc", "axonal", projections="exc_to_exc", **how)
    return ns.ElementWiring(axonal, ns.DendriticElements("exc", "dendritic", projections="exc_to_exc", **how))


def meter(plan: Plan, seed: int):
    """Return a function that measures the rates and the connectivity (synapses per pair of cells) of groups of a circuit."""
    size = plan.cells // GROUPS
    others = np.random.default_rng(seed).permutation(np.repeat(np.arange(1, GROUPS), size))
    group = np.concatenate([np.zeros(size, int), others])
    pairs = size**2 - size * np.eye(GROUPS)
    own, ends = np.eye(GROUPS, dtype=bool), np.add.outer(np.arange(GROUPS) == 0, np.arange(GROUPS) == 0, dtype=int)  # in the first group
    sets = {"within": ends == 2, "between": ends == 1, "within random": (ends == 0) & own, "between random": (ends == 0) & ~own}

    def measure(circuit, recording):
        synapses, counts = circuit["exc_to_exc"].synapses, recording["exc"].counts
        joined = np.bincount(GROUPS * group[synapses["pre"]] + group[synapses["post"]], minlength=GROUPS**2).reshape(GROUPS, GROUPS)
        rates = {"rate": counts[group == 0], "rate of others": counts[group > 0]}
        found = {name: joined[some].sum() / pairs[some].sum() for name, some in sets.items()}
        return found | {name: some.mean() / float(recording.duration) for name, some in rates.items()}

    return measure


def lived(kind: str, seed: int, plan: Plan, led: list, progress) -> list:
    """Live one life, phase after phase because their inputs differ; return the histories. `led` are those which chance repeats."""
    circuit, histories = network(plan, seed), []
    for number, (name, bins) in enumerate(zip(PHASES, plan.bins, strict=True)):
        life = ns.Lifecycle(plan.epoch * ms, [ns.Phase(name, bins * plan.bin // plan.epoch, [rewiring()])])
        if kind == CHANCE:
            life = ns.yoked(life, led[number])
        drive = inputs(plan, STRONGER if name == "stimulus" and kind != ALONE else 0.0)
        how = {"inputs": drive, "measure": meter(plan, seed), "backend": plan.backend, "progress": False}
        histories.append(ns.develop(circuit, life, **how))
        circuit = histories[-1].circuit
        progress(KINDS.index(kind) + sum(plan.bins[: number + 1]) / sum(plan.bins), len(KINDS))
    return histories


def lives(seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Live the lives of all kinds of one seed and return the course of what was measured in each."""
    led, found = [], {}
    for kind in KINDS:
        histories = lived(kind, seed, plan, led, progress)
        led = led or histories
        measured = {name: np.concatenate([one.measures[name] for one in histories]) for name in histories[0].measures}
        found[kind] = {name: values.reshape(sum(plan.bins), -1).mean(axis=1).tolist() for name, values in measured.items()}
    return found


def ratios(found: dict) -> dict[str, np.ndarray]:
    """Return the course of the connectivity within groups over that between them, by condition; `found` has that of one seed."""
    ends = {kind: (found[kind]["within"], found[kind]["between"]) for kind in KINDS}
    ends[RANDOM] = found[STIMULATED]["within random"], found[STIMULATED]["between random"]
    with np.errstate(invalid="ignore"):  # where there are no synapses yet
        return {name: np.divide(*both) for name, both in ends.items()}


def draw(lived: list[dict], plan: Plan, folder: Path) -> None:
    """Draw rates, connectivity and its ratio over time, as means over seeds."""
    times = (np.arange(sum(plan.bins)) + 0.5) * plan.bin * ms
    several = {name: (times, np.array([one[STIMULATED][name] for one in lived])) for name in lived[0][STIMULATED]}
    condition = {name: (times, np.array([ratios(one)[name] for one in lived])) for name in ratios(lived[0])}
    named = {
        "rate (Hz)": {"stimulated": several["rate"], "others": several["rate of others"]},
        "synapses per pair": {"stimulated": several["within"], "between": several["between"], RANDOM: several["within random"]},
        "within / between": {name: condition[name] for name in CONDITIONS},
    }
    grown, stopped, _ = np.cumsum(plan.bins) * plan.bin * ms
    spans, levels = [("stimulus", grown, stopped)], {"rate (Hz)": float(TARGET), "within / between": 1.0}
    figures.save(figures.courses(named, spans, levels), folder, "homeostatic_assemblies")


def homeostatic_assemblies(run: study.Run) -> tuple[dict, str]:
    """Run the study: lives of all seeds and kinds, the figure, the comparison with equal density and with random groups."""
    plan = PLANS[run.scale]
    found = list(run.each(lives, {f"seed {seed}": (seed, plan) for seed in run.seeds}).values())
    draw(found, plan, run.folder)
    grown, stopped, end = np.cumsum(plan.bins)
    moments = {"before": grown, "stimulus": stopped, "after": (stopped + end) // 2, "end": end}
    last = {moment: slice(at - LAST, at) for moment, at in moments.items()}
    ratio = {name: [{at: float(ratios(one)[name][some].mean()) for at, some in last.items()} for one in found] for name in CONDITIONS}
    courses = {name: [one[STIMULATED][name] for one in found] for name in found[0][STIMULATED]}
    means = {name: {at: float(np.mean(several, axis=0)[some].mean()) for at, some in last.items()} for name, several in courses.items()}
    margins, equal = dict.fromkeys(moments, MARGIN), {EQUAL: [dict.fromkeys(moments, 1.0) for _ in found]}
    parts = [study.tabulate(f"within / between, means, seeds: {len(run.seeds)}", ratio, list(moments))]
    parts += [study.tabulate("stimulated lives (synapses per pair, Hz)", means, list(moments))]
    parts += [study.compare(ratio | equal, EQUAL, margins), study.compare(ratio, RANDOM, {"after": None, "end": None})]
    return {"ratios": ratio, "means": means}, "\n\n".join(parts)


if __name__ == "__main__":
    study.conduct(homeostatic_assemblies, __doc__, seeds=10)
