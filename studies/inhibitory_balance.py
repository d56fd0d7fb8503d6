"""Does plasticity of inhibitory synapses alone bring a network of any activity to a rate that is set in advance, cell by cell?

8000 excitatory and 2000 inhibitory leaky cells with conductances are joined at 2 %, and a current of 200 pA alone would make each fire.
Inhibition of excitatory cells is nothing at first: they fire as fast as their refractory time allows, all in one regular rhythm. Then
these synapses learn by the rule of Vogels et al., ten times as fast as theirs for a while. It is at rest where a presynaptic spike has
alpha = 2 target tau coincidences with postsynaptic ones, which without correlations is at the target rate. Compared: targets of 3 Hz
(alpha = 0.12, as published) and 6 Hz; no plasticity; and as a control that must fail, the weights that 3 Hz led to, but all equal to
their mean. Rates are measured after plasticity, with frozen weights. Smaller networks have as many synapses a cell.

Expected finding: the rhythm goes; cells fire irregularly (CV near 1) and asynchronously. Coincidences are at alpha, within 2 %. Rates are
near the target but above it, 4 Hz and 7.2 Hz, as they are with the authors' own script: an inhibitory spike delays those of its targets,
so that pairs of cells that no synapse joins have a quarter more coincidences. (Where single synapses are weak this vanishes; in small
networks common fluctuations of all cells act against it.) Nine cells in ten lie within 1.5 Hz of the mean rate; with equal
weights the same mean inhibition lets most cells fire at more than 100 Hz and others hardly.

References: Vogels, Sprekeler, Zenke, Clopath & Gerstner (2011), doi:10.1126/science.1211095 (rule; network as in the authors' code,
ModelDB 143751); Golomb & Rinzel (1994), doi:10.1016/0167-2789(94)90214-3 (chi).
Runtime on 2 cores, after the first compile (some seconds): smoke some seconds, small half a minute, full a quarter of an hour.
"""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import Hz, Quantity, ms, mV, nS, pA

OFF, LOW, HIGH, EQUAL = KINDS = ("no plasticity", "target 3 Hz", "target 6 Hz", "equal weights")
TARGETS = {LOW: 3 * Hz, HIGH: 6 * Hz}
RULE = ns.load_synapse("stdp_inhibitory").replace(w_max=100 * nS)
TAU = RULE.namespace()["tau"]
SYNAPSES = {"exc": ("g_exc", 160, 0.3 * nS), "inh": ("g_inh", 40, 3 * nS)}  # receptor, mean number onto a cell, weight
NONE = 1e-10 * nS  # inhibition of excitatory cells at first
DRIVE = 200 * pA
FAST = 10  # factor on the first of two stretches of learning
BIN = 5 * ms  # of synchrony
PAIRS, TRAINS = 2000, 400  # pairs of cells of which coincidences are counted, cells of which CVs are averaged


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells; ms before, of fast and slow learning, and after; ms where cells fire fast; a bin."""

    cells: int = 10_000
    times: tuple = (500, 20_000, 40_000, 20_000)
    brief: int = 2000
    bin: int = 500
    dt: float = 0.1
    target: str = "auto"

    @property
    def backend(self) -> ns.Brian2:
        """The backend at the time step of the plan."""
        return ns.Brian2(dt=self.dt * ms, target=self.target)


PLANS = {"full": Plan(), "small": Plan(1000), "smoke": Plan(250, (10, 10, 20, 40), 40, 10, 0.2, "numpy")}


def network(plan: Plan, seed: int, target: Quantity) -> ns.Circuit:
    """Make the network of a seed: wiring and first potentials are the same whatever the target is."""
    sizes, start = {"exc": plan.cells * 4 // 5, "inh": plan.cells // 5}, {"v": ns.Uniform(-60 * mV, -50 * mV)}
    signs = {"exc": "excitatory", "inh": "inhibitory"}
    cells = {name: ns.create(name, "leaky_conductance", size, sign=signs[name], state=start, seed=seed) for name, size in sizes.items()}
    projections = []
    for source, to in product(cells.values(), repeat=2):
        receptor, number, weight = SYNAPSES[source.name]
        learns = source.name == "inh" and to.name == "exc"
        rule, weight = (RULE.replace(target_rate=target), NONE) if learns else ("static", weight)
        wiring = ns.FixedProbability(number / len(source))
        projections.append(ns.connect(source, to, rule, wiring, receptor=receptor, weight=weight, seed=seed))
    return ns.Circuit(list(cells.values()), projections, seed=seed)


def simulated(circuit: ns.Circuit, duration: float, learning: float, plan: Plan) -> tuple[ns.Circuit, ns.Recording]:
    """Simulate so many ms with a factor on learning."""
    drive = [ns.StepCurrent(name, "I_e", DRIVE) for name in circuit.populations]
    how = {"inputs": drive, "modulate": {"inh_to_exc.learning": learning}, "backend": plan.backend, "progress": False}
    return ns.simulate(circuit, duration * ms, **how)


def course(recordings: list, plan: Plan) -> tuple[Quantity, Quantity]:
    """Return the middles of bins and the mean rate of the excitatory cells in each."""
    rates = np.concatenate([measures.binned_counts(one, "exc", plan.bin * ms).mean(axis=0) for one in recordings]) / (plan.bin * ms)
    return (np.arange(len(rates)) + 0.5) * plan.bin * ms, rates


def coincidences(recording: ns.Recording, pre: np.ndarray, post: np.ndarray) -> float:
    """Return what alpha balances: sums of exp(-|interval|/tau) over all pairs of spikes of two cells, for each presynaptic spike."""
    inh, exc = (measures.spike_trains(recording, name) for name in ("inh", "exc"))
    ends = [(np.asarray(inh[one]), np.asarray(exc[other])) for one, other in zip(pre, post, strict=True)]
    total = sum(np.exp(-abs(np.subtract.outer(*both)) / float(TAU)).sum() for both in ends)
    return total / max(sum(len(before) for before, _ in ends), 1)


def measured(circuit: ns.Circuit, recording: ns.Recording, seed: int) -> dict:
    """Measure the excitatory cells of a recording, and the inhibition onto them."""
    rate, trains = recording["exc"].rate() / Hz, measures.spike_trains(recording, "exc").values()
    synapses, rng = circuit["inh_to_exc"].synapses, np.random.default_rng(seed)
    some = rng.choice(len(synapses), min(PAIRS, len(synapses)), replace=False)
    pre, post = synapses["pre"][some], synapses["post"][some]
    cvs = [measures.cv(train) for train in list(trains)[:TRAINS] if len(train) > 2]
    found = {
        "rate (Hz)": rate.mean(), "spread (Hz)": rate.std(), "5 % (Hz)": np.percentile(rate, 5), "95 % (Hz)": np.percentile(rate, 95),
        "CV": np.mean(cvs) if cvs else np.nan, "chi": measures.synchrony(measures.binned_counts(recording, "exc", BIN)),
        "weight (nS)": circuit["inh_to_exc"].weight.mean() / nS,
        "coincidences": coincidences(recording, pre, post), "of other pairs": coincidences(recording, pre, rng.permutation(post)),
    }  # fmt: skip
    return {name: float(number) for name, number in found.items()}


def lives(seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Let networks of one seed learn with each target, or not, or lose their tuning; draw them and return what was measured."""
    before, fast, slow, after = plan.times
    courses, rates, weights, found, last = {}, {}, {}, {}, {}
    for kind in KINDS:
        if kind == EQUAL:
            tuned = last[LOW][0]
            mean = tuned["inh_to_exc"].weight.mean()
            stages, circuit = [(plan.brief, 0)], tuned.set("inh_to_exc", weight=mean)
        else:
            stages = [(before, 0), (plan.brief, 0)] if kind == OFF else [(before, 0), (fast, FAST), (slow, 1), (after, 0)]
            circuit = network(plan, seed, TARGETS.get(kind, TARGETS[LOW]))
        recordings = []
        for duration, learning in stages:
            circuit, recording = simulated(circuit, duration, learning, plan)
            recordings.append(recording)
        last[kind] = circuit, recording
        found[kind] = measured(circuit, recording, seed)
        rates[kind] = recording["exc"].rate()
        if kind != EQUAL:
            courses[kind] = course(recordings, plan)
        if kind in TARGETS:
            weights[kind] = circuit["inh_to_exc"].weight
        progress(len(found), len(KINDS))
    moments = {"before": (last[OFF][1], "exc"), "after, target 3 Hz": (last[LOW][1], "exc")}
    figures.save(figures.balance(courses, TARGETS, moments, rates, weights), folder, "balance")
    return found


def inhibitory_balance(run: study.Run) -> tuple[dict, str]:
    """Run the study: networks of all kinds and seeds."""
    plan = PLANS[run.scale]
    lived = run.each(lives, {f"seed {seed}": (seed, plan) for seed in run.seeds})
    by_kind = {kind: [lived[f"seed {seed}"][kind] for seed in run.seeds] for kind in KINDS}
    columns = list(by_kind[OFF][0])
    table = study.tabulate(f"means, seeds: {len(run.seeds)}", by_kind, columns)
    alphas = (f"{kind}: {float(2 * target * TAU):g}" for kind, target in TARGETS.items())
    return by_kind, f"{table}\n\nalpha, where coincidences are to be: {', '.join(alphas)}"


if __name__ == "__main__":
    study.conduct(inhibitory_balance, __doc__, seeds=3)
