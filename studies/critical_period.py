"""Does a window of high plasticity make a critical period, and can one open by itself, with learning constant throughout?

Two eyes of 40 inputs excite 20 leaky cells by Hebbian synapses of constant total weight, and interneurons, which inhibit these. They spike
at random, and in volleys of both eyes at what is seen. A deprived left eye spikes as much, but not in volleys (lid closure lowers the
correlation of thalamic spikes: Linden 2009). Scheduled: learning in the middle of life alone; controls: in another stage, always.
Emergent (after Toyoizumi 2013; all numbers are ours): learning always, inhibition matures after the early stage; controls: late, never
(also with as little learning as mature cells have), from birth. Then weak synapses go, or as many by chance (yoked). And synapses grow.

Expected finding (OD = (R - L)/(R + L); 10 seeds; 95 % intervals of shifts: +-0.02, pruned +-0.06): a scheduled window lasts (0.42) wherever
it is put; constant learning forgets it (0.00 to 0.02). With immature inhibition 9 % of spikes respond to volleys (4 % do by chance) and OD
shifts by 0.04 to 0.06, with mature one 98 % do and OD shifts by 0.42. So a period opens, but none closes: what is reopened recovers. The
shift lasts in part if inhibition grows until cells hardly spike (0.11), or weak synapses go (0.35, 0.28 to 0.43; late 0.31: no closure),
not if as many go by chance (0.01). Fast growth overshoots by 49 % (33 % of the peak goes; Huttenlocher: 50 and 33 %), slow by 1 %.

References: Toyoizumi et al. (2013), doi:10.1016/j.neuron.2013.07.022; Fagiolini & Hensch (2000), doi:10.1038/35004582 (inhibition opens
the period at any age); Linden et al. (2009), doi:10.1038/nn.2284; Huttenlocher (1979), doi:10.1016/0006-8993(79)90349-4.
Runtime on 2 cores, after the first compile (some seconds): smoke ten seconds, small half a minute, full three minutes.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, measures, presets, study
from neurosim.units import Hz, ms, mV, nS, second

STAGES = {"early": 1, "middle": 1, "late": 1, "long after": 2}  # of a life, and how long they are beside one another
SHIFTS = ("none", "early", "middle", "late", "both eyes")  # when the left eye is deprived; both, in the middle
IMMATURE, MATURE, STRONG = 0.02, 0.4, 1.6  # nS, the weight of inhibition
TOTAL, FORWARD = 50 * nS, 2.2 * nS  # incoming weight of a cell that learns; weight of a synapse onto an inhibitory one
WEAK, HAZARD = 0.4, 1 / (30 * second)  # of the largest incoming weight of a cell; with which such a synapse goes
SPONTANEOUS, VOLLEYS, TAKE_PART = 9.0, 1.0, 0.8  # Hz; Hz; the probability of an input to spike in a volley
DELAY, JITTER, RESPONSE = 0.01, 0.0015, 0.04  # s from the onset of a volley: mean and sd of its spikes, and where responses end
MARGIN, SLOW = 0.05, 0.05  # of ocular dominance that would not matter; learning for immature cells, which fire 20 times as much
SPEEDS = {"fast": (8.0, 150), "medium": (2.0, 200), "slow": (0.25, 400)}  # elements a second, and seconds
TARGET, TAU, FIFTH = 5 * Hz, 10 * second, 5  # rate at which growth ends; of the calcium that tells it; the last fifth is adult
PRUNED, CHANCE, NOTHING = "matures, pruned", "as many by chance", "no shift"
CONTROLS = (f"{CHANCE}: middle", "kept immature: middle", "immature, slow: middle", "matures: early", "constant: early")
AGAINST = ("matures: middle", f"{PRUNED}: middle", *CONTROLS)  # the first two with all
DRAWN = ("window", "constant", "matures", "matures on", PRUNED)
ADULT, MATURING, CHILD, ALWAYS = (MATURE,) * 4, (IMMATURE, MATURE, MATURE, MATURE), (IMMATURE,) * 4, (1, 1, 1, 1)
REGIMES = {  # inhibition and the factor on learning, by stage
    "window": (ADULT, (0, 1, 0, 0)), "window moved": (ADULT, (1, 0, 0, 0)), "constant": (ADULT, ALWAYS), "matures": (MATURING, ALWAYS),
    "matures late": ((*CHILD[2:], *ADULT[2:]), ALWAYS), "matures on": ((IMMATURE, MATURE, STRONG, STRONG), ALWAYS),
    "kept immature": (CHILD, ALWAYS), "immature, slow": (CHILD, (SLOW,) * 4), PRUNED: (MATURING, ALWAYS), CHANCE: (MATURING, ALWAYS),
}  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells, inputs of an eye, epochs of the first stage, seconds of an epoch, regimes, shifts."""

    cells: int = 20
    inputs: int = 40
    epochs: int = 6
    seconds: float = 10.0
    dt: float = 0.5  # ms
    target: str = "auto"
    regimes: tuple = tuple(REGIMES)
    shifts: tuple = SHIFTS

    def options(self, *inputs) -> dict:
        """Return how to simulate with these inputs."""
        return {"inputs": inputs, "backend": ns.Brian2(dt=self.dt * ms, target=self.target), "progress": False}


SMOKE = Plan(4, 4, 1, 0.1, 1.0, "numpy", (PRUNED, CHANCE), ("none", "middle"))
PLANS = {"full": Plan(), "small": Plan(shifts=("none", "early", "middle")), "smoke": SMOKE}


def network(plan: Plan, seed: int, inhibition: float) -> ns.Circuit:
    """Make a circuit: two eyes excite cells by synapses that learn, and inhibitory cells, which inhibit these."""
    eyes = ns.create("eyes", "spike_source", 2 * plan.inputs, sign="excitatory")
    exc, mean = ns.create("exc", "leaky_conductance", plan.cells, sign="excitatory"), TOTAL / len(eyes)
    inh = ns.create("inh", "leaky_conductance", plan.inputs, sign="inhibitory", state={"v": ns.Uniform(-60 * mV, -50 * mV)}, seed=seed)
    always, first = {"normalise": "incoming", "w_total": TOTAL, "interval": 100 * ms}, ns.Uniform(0.8 * mean, 1.2 * mean)
    hebbian = ns.load_synapse("stdp_potentiation").replace(A_plus=0.01, w_max=4 * mean, **always)
    return ns.Circuit([eyes, exc, inh], [
        ns.connect(eyes, exc, hebbian, ns.AllToAll(), receptor="g_exc", weight=first, delay=1 * ms, seed=seed),
        ns.connect(eyes, inh, "static", ns.FixedInDegree(plan.inputs // 2), receptor="g_exc", weight=FORWARD, delay=1 * ms, seed=seed),
        ns.connect(inh, exc, "static", ns.AllToAll(), receptor="g_inh", weight=inhibition * nS, delay=2 * ms),
    ], seed=seed)  # fmt: skip


def vision(plan: Plan, rng, start: float, duration: float, deprived: tuple) -> tuple[ns.SpikeTimes, np.ndarray]:
    """Return the spikes that vision evokes, and when volleys begin (s); those of deprived eyes (0 and 1) come at any time instead."""
    stop = duration - RESPONSE
    onsets = np.sort(rng.uniform(0, stop, rng.poisson(VOLLEYS * stop)))
    volley, cell = np.nonzero(rng.random((len(onsets), 2 * plan.inputs)) < TAKE_PART)
    together = np.maximum(onsets[volley] + rng.normal(DELAY, JITTER, len(volley)), 0)
    times = np.where(np.isin(cell // plan.inputs, deprived), rng.uniform(0, stop, len(volley)), together)
    return ns.SpikeTimes("eyes", cell, np.round((start + times) * 1e3 / plan.dt) * plan.dt * ms), start + onsets


def measured(circuit: ns.Circuit, recording: ns.Recording, onsets: np.ndarray) -> dict:
    """Measure ocular dominance, synapses a cell, spikes a cell, and how many of these respond to volleys."""
    cells, since = len(circuit["exc"]), np.asarray(recording["exc"].spikes.t)[:, None] - onsets
    evoked = np.count_nonzero(((since > 0) & (since < RESPONSE)).any(axis=1))
    dominance = measures.ocular_dominance(circuit["eyes_to_exc"], *np.split(circuit["eyes"].ids, 2)).mean()
    return {"dominance": dominance, "synapses": len(circuit["eyes_to_exc"]) / cells, "spikes": len(since) / cells, "evoked": evoked / cells}


def lived(regime: str, shift: str, seed: int, plan: Plan, led: list, known: dict) -> list:
    """Live one life, stage after stage, and return the histories; `led`: those that chance repeats; `known`: all that is lived already."""
    (inhibition, learning), histories, told = REGIMES[regime], [], (regime == PRUNED, shift if regime == CHANCE else "")
    circuit = network(plan, seed, inhibition[0])
    rules = presets.pruning("eyes_to_exc", 1, HAZARD, WEAK).rules if regime == PRUNED else []
    for number, (name, times) in enumerate(STAGES.items()):
        deprived = (0,) if shift == name else (0, 1) if (shift, name) == ("both eyes", "middle") else ()
        told += (inhibition[number], learning[number], deprived)
        if told not in known:
            circuit = circuit.set("inh_to_exc", weight=inhibition[number] * nS)
            duration, rng = times * plan.epochs * plan.seconds, np.random.default_rng([seed, number])  # so that all lives see the same
            seen, onsets = vision(plan, rng, float(circuit.time), duration, deprived)
            learns = {"eyes_to_exc.learning": learning[number]}
            life = ns.Lifecycle(plan.seconds * second, [ns.Phase(name, times * plan.epochs, rules, learns)])
            life = ns.yoked(life, led[number]) if regime == CHANCE else life
            how = plan.options(ns.PoissonSpikes("eyes", SPONTANEOUS * Hz), seen)
            known[told] = ns.develop(circuit, life, measure=partial(measured, onsets=onsets), **how)
        histories.append(known[told])
        circuit = histories[-1].circuit
    return histories


def growth(speed: float, duration: int, seed: int, plan: Plan) -> list:
    """Let all synapses from the eyes grow by synaptic elements, so many a second, and return the course of how many a cell has."""
    eyes, exc = ns.create("eyes", "spike_source", 2 * plan.inputs), ns.create("exc", "leaky_conductance", plan.cells)
    none = ns.connect(eyes, exc, "static", ns.Pairs([], []), receptor="g_exc", weight=TOTAL / len(eyes), delay=1 * ms)
    how = {"projections": "eyes_to_exc", "calcium": ns.Calcium(TAU), "vacancy": 0.1 / second, "first": 1}
    axonal = ns.AxonalElements("eyes", "axonal", ns.LinearGrowth(speed / second, 4 * TARGET), **how)  # which never have enough
    dendritic = ns.DendriticElements("exc", "dendritic", ns.LinearGrowth(speed / second, TARGET), **how)
    life = ns.Lifecycle(1 * second, [ns.Phase("growth", duration, [ns.ElementWiring(axonal, dendritic)])])
    how = plan.options(ns.PoissonSpikes("eyes", (SPONTANEOUS + VOLLEYS * TAKE_PART) * Hz))
    history = ns.develop(ns.Circuit([eyes, exc], [none], seed=seed), life, **how)
    return (history.series("eyes_to_exc")["size"] / plan.cells).tolist()


def lives(seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Live the lives of one seed, in all regimes and with all shifts; return the courses of what was measured, by regime and shift."""
    found, led, known = {name: {} for name in plan.regimes}, {}, {}
    for number, (name, shift) in enumerate((name, shift) for name in plan.regimes for shift in plan.shifts):
        led[name, shift] = histories = lived(name, shift, seed, plan, led.get((PRUNED, shift)), known)
        found[name][shift] = {key: np.concatenate([one.measures[key] for one in histories]).tolist() for key in histories[0].measures}
        progress(number + 1, len(plan.regimes) * len(plan.shifts) + 1)
    return {
        "lives": found,
        "growth": {
            name: growth(speed, max(4, round(duration * plan.seconds / 10)), seed, plan) for name, (speed, duration) in SPEEDS.items()
        },
    }


def summary(lived: dict, shift: str, plan: Plan) -> dict:
    """Sum up one of the lives: its ocular dominance less that without a shift, as that ends and long after, and its cells meanwhile."""
    first = plan.epochs * list(STAGES).index(shift if shift in STAGES else "middle")
    meanwhile, life = slice(first, first + plan.epochs), lived[shift]
    apart = np.subtract(life["dominance"], lived["none"]["dominance"])
    spikes, evoked = (sum(life[key][meanwhile]) for key in ("spikes", "evoked"))
    rates = {"rate (Hz)": spikes / (plan.epochs * plan.seconds), "evoked share": evoked / spikes if spikes else np.nan}
    return {"shift": apart[meanwhile][-1], "lasting": apart[-1]} | rates | {"lost": measures.overshoot(life["synapses"], 1)["lost"]}


def draw(found: list, plan: Plan, folder: Path) -> None:
    """Draw the course of ocular dominance in some regimes, and how synapses grow."""
    named, grown = {f"OD, {name}": {} for name in DRAWN if name in plan.regimes}, {}
    for name, shift in ((name, shift) for name in DRAWN for shift in STAGES if name in plan.regimes and shift in plan.shifts):
        several = np.array([one["lives"][name][shift]["dominance"] for one in found])
        named[f"OD, {name}"][f"deprived {shift}"] = np.arange(1, 1 + several.shape[1]) * plan.seconds * second, several
    for name in SPEEDS:
        several = np.array([one["growth"][name] for one in found])
        grown[name] = np.arange(several.shape[1]) * second, several
    middle = ("middle", *(plan.epochs * plan.seconds * np.array([1, 2]) * second))
    figures.save(figures.courses(named, [middle], dict.fromkeys(named, 0.0)), folder, "critical_period")
    figures.save(figures.courses({"synapses a cell": grown}), folder, "growth")


def critical_period(run: study.Run) -> tuple[dict, str]:
    """Run the study: lives of all seeds, regimes and shifts, growth, figures, comparisons."""
    plan = PLANS[run.scale]
    found = list(run.each(lives, {f"seed {seed}": (seed, plan) for seed in run.seeds}).values())
    draw(found, plan, run.folder)
    kinds = [(name, shift) for name in plan.regimes for shift in plan.shifts]
    sums = {f"{name}: {shift}": [summary(one["lives"][name], shift, plan) for one in found] for name, shift in kinds}
    shifted = {NOTHING: [{"shift": 0.0, "lasting": 0.0} for _ in found]} | {
        kind: sums[kind] for kind in sums if not kind.endswith(": none")
    }
    grown = {name: [measures.overshoot(one["growth"][name], -(-len(one["growth"][name]) // FIFTH)) for one in found] for name in SPEEDS}
    parts = [study.tabulate(f"means, seeds: {len(run.seeds)}", sums, list(next(iter(sums.values()))[0]))]
    parts += [study.compare(shifted, NOTHING, {"shift": MARGIN, "lasting": MARGIN})]
    some = {kind: sums[kind] for kind in AGAINST if kind in sums}
    parts += [study.compare(some, kind, {"shift": None, "lasting": None}) for kind in AGAINST[:2] if kind in some]
    parts += [study.tabulate("synapses", grown, list(grown["slow"][0])), study.compare(grown, "slow", {"excess": None, "lost": None})]
    return {"lives": sums, "growth": grown}, "\n\n".join(parts)


if __name__ == "__main__":
    study.conduct(critical_period, __doc__, seeds=10)
