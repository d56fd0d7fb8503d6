"""What do the death of cells that fire too much, and then the pruning of weak synapses, leave of a network?

Iglesias & Villa (2006): first cells die of excessive firing, inhibitory ones (I) more than excitatory ones (E); then E-E synapses learn by
STDP under a repeated pattern and weak ones go. Here 400 E and 100 I leaky cells, in a window of 10 s: who fired above 40 Hz in a second
dies with a hazard of 0.2/s ("excess dies"); the opposite sign: below 3 Hz, 0.1/s ("idle die"). Then four groups of E cells are stimulated
in order for 80 s, and synapses go below 5 % of the bound ("weak pruned"). Each half alone; controls: as many deaths of each type by
chance, or as many in all ("either type"), as many synapses pruned by chance ("any pruned"), the stimulus at random times, windows of 40 s
("no end"). "drive I:E": inhibition over excitation of E; "left": E-E synapses, of those after the window; "reciprocity": 1 by chance;
"forward": weight from each group to the next less that back, over both; "recall": extra spikes of cells of the others after the first.
Only abstracts of the papers and the first slides of a talk could be read: the network, rates, hazards and window are ours (theirs may
change with time), as is the additive pair rule, where their synapses have few states and decay. Theirs keep below 10 % in a million steps.

Expected finding (10 seeds; 95 % intervals over these): 31 % of I die (21 to 41) and 2.7 % of E (1.2 to 4.2), I fire at 26 Hz and E at 10; 8
% of both where either type dies. What dies inhibited, so the rule feeds itself: E rise from 10 to 18 Hz, and with no end of the window 94 %
of E and 99 % of I die. It is the end of the window, then pruning (9 Hz), that lets activity settle. Idle cells are E (14 %, 12 to 16, and
0.9 % of I, 0.2 to 1.6); their death adds 1 Hz. What remains, 32 % of synapses (50 % where nobody died: the fewer the higher the rates
were), is forward (1.00) whoever died: STDP does that (0.95 if any are pruned; random stimulus 0.09), but only the weak may go without a
loss of recall (0.094 after excess, 0.070 after none; any: 0.001).

References: Iglesias & Villa (2006), doi:10.1007/11840817_99; Iglesias et al. (2005), doi:10.1016/j.biosystems.2004.09.016 (pruning) and
doi:10.1007/11565123_6 (a pattern). Runtime on 2 cores, after the first compile: smoke some seconds, small half a minute, full 3 minutes.
"""

from dataclasses import dataclass

import numpy as np

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import Hz, ms, mV, nS, second

EXCESS, OTHERS, EITHER = "excess dies", "as many by chance", "either type"  # who dies in the window
IDLE, NOT_IDLE, NOBODY, ENDLESS, IDLE_ENDLESS = "idle die", "as many as idle", "nobody dies", "excess dies, no end", "idle die, no end"
DEATHS = (EXCESS, OTHERS, EITHER, IDLE, NOT_IDLE, NOBODY, ENDLESS, IDLE_ENDLESS)
LED = {OTHERS: EXCESS, EITHER: EXCESS, NOT_IDLE: IDLE}  # controls and the lives that they repeat
WEAK, RANDOM_TIMES, ANY, NOTHING = "weak pruned", "random stimulus", "any pruned", "no pruning"  # what follows
PAIRS = [(death, WEAK) for death in DEATHS[:6]] + [(EXCESS, then) for then in (RANDOM_TIMES, ANY, NOTHING)] + [(NOBODY, NOTHING)]
ENDS = {f"{death}, {then}": (death, then) for death, then in PAIRS}
PUBLISHED, PANELS, SHOWN = f"{EXCESS}, {WEAK}", ("I:E", "E (Hz)", "I (Hz)"), (EXCESS, EITHER, IDLE, NOBODY)
TYPES, GROUPS = {"exc": "E", "inh": "I"}, 4  # groups of excitatory cells are stimulated one after the other
TOO_MUCH, TOO_LITTLE = (ns.RateAbove(40 * Hz), 0.2 / second), (ns.RateBelow(3 * Hz), 0.1 / second)  # who may die, with what hazard
LAG, RESPONSE, STRONGEST, WEAKEST = 8 * ms, 50 * ms, 1 * nS, 0.05 * nS  # the last: bounds of synapses between excitatory cells
STDP = ns.load_synapse("stdp_pair").replace(tau_plus=20 * ms, tau_minus=20 * ms, A_plus=0.05, A_minus=0.06, w_max=STRONGEST)
FROZEN = {"exc_to_exc.learning": 0.0}


@dataclass(frozen=True)
class Plan:
    """Hold what a scale fixes: excitatory cells, those of a group, epochs (birth, window, after, without end, pruning) and their seconds.

    `seconds` are those of an epoch up to pruning, of one of pruning, of a period of the stimulus, of the test at rest and stimulated.
    """

    exc: int = 400
    group: int = 25
    epochs: tuple = (2, 10, 2, 40, 40)
    seconds: tuple = (1.0, 2.0, 0.25, 5.0, 20.0)

    def options(self, stimulus) -> dict:
        """Return how to simulate: every cell has noise of its own."""
        noise = [ns.PoissonInput(name, "g_exc", rate=400 * Hz, weight=ns.psp(1.5 * mV)) for name in TYPES]
        return {"inputs": [*noise, stimulus], "backend": ns.Brian2(dt=0.2 * ms), "progress": False}


PLANS = {"full": Plan(), "small": Plan(epochs=(2, 10, 2, 40, 20)), "smoke": Plan(100, 10, (1, 4, 1, 6, 3), (0.5, 0.5, 0.25, 0.5, 0.5))}


def network(plan: Plan, seed: int) -> ns.Circuit:
    """Make the network of a seed: four excitatory cells to an inhibitory one, and a source of spikes for each group."""
    varied = {"state": {"v": ns.Uniform(-60 * mV, -50 * mV)}, "spread": {"V_th": ns.Normal(-50 * mV, 1 * mV)}, "seed": seed}
    exc = ns.create("exc", "leaky_conductance", plan.exc, sign="excitatory", **varied)
    inh = ns.create("inh", "leaky_conductance", plan.exc // 4, sign="inhibitory", **varied)
    stimulus, first = ns.create("stimulus", "spike_source", GROUPS), np.arange(GROUPS * plan.group)
    some, more, how = ns.FixedProbability(0.1), ns.FixedProbability(0.2), {"delay": 1 * ms, "seed": seed}
    return ns.Circuit([exc, inh, stimulus], [
        ns.connect(exc, exc, STDP, some, receptor="g_exc", weight=STRONGEST / 2, **how),
        ns.connect(exc, inh, "static", some, receptor="g_exc", weight=ns.psp(0.8 * mV), **how),
        ns.connect(inh, exc, "static", more, receptor="g_inh", weight=ns.psp(0.6 * mV), **how),
        ns.connect(inh, inh, "static", more, receptor="g_inh", weight=ns.psp(0.5 * mV), **how),
        ns.connect(stimulus, exc, "static", ns.Pairs(first // plan.group, first), receptor="g_exc", weight=ns.psp(20 * mV), **how),
    ], seed=seed)  # fmt: skip


def volleys(start, seconds: float, period: float, groups: int = GROUPS, rng=None) -> ns.SpikeTimes:
    """Stimulate groups one after the other in each period or, with `rng`, each of them as often but at random times."""
    group, onset = np.divmod(np.arange(groups * round(seconds / period)), round(seconds / period))
    times = onset * period * second + group * LAG
    if rng is not None:
        times = np.concatenate([rng.choice(round(seconds * 1000), round(seconds / period), replace=False) for _ in range(groups)]) * ms
    return ns.SpikeTimes("stimulus", group, start + times)


def course(history: ns.History) -> dict:
    """Return rates, the ratio of cells, what inhibits excitatory cells over what excites them, and synapses between them, by epoch."""
    rates = {f"{short} (Hz)": history.activity["rate"][history.activity["name"] == name] for name, short in TYPES.items()}
    exc, inh, synapses = (history.series(name)["size"][1:] for name in (*TYPES, "exc_to_exc"))
    drive = history.balance[history.balance["name"] == "exc"]
    found = {"I:E": inh / exc, **rates, "drive I:E": drive["inh"] / drive["exc"], "synapses": synapses}
    return {name: values.tolist() for name, values in found.items()}


def youth(death: str, plan: Plan, seed: int, lived: dict) -> ns.History:
    """Live up to the end of the window of death; `lived` are the histories of the lives that controls repeat."""
    before, window, after, endless, _ = plan.epochs
    chosen = TOO_LITTLE if death in (IDLE, NOT_IDLE, IDLE_ENDLESS) else TOO_MUCH
    rules = [] if death == NOBODY else [ns.Apoptosis(name, *chosen) for name in TYPES]
    epochs = (before, endless if death in (ENDLESS, IDLE_ENDLESS) else window, after)
    phases = zip(("birth", "window", "after"), epochs, ([], rules, []), strict=True)
    life = ns.Lifecycle(plan.seconds[0] * second, [ns.Phase(*phase, FROZEN) for phase in phases])
    if death in LED:
        life = ns.yoked(life, lived[LED[death]], pooled=TYPES if death == EITHER else ())
    return ns.develop(network(plan, seed), life, **plan.options(volleys(0 * ms, 0.0, plan.seconds[2])))


def pruning(then: str, start: ns.Circuit, plan: Plan, led: ns.History | None) -> ns.History:
    """Live on with a stimulus while synapses learn and weak ones go; `led` is the life of which chance repeats the pruning."""
    (*_, epochs), (_, epoch, period, *_) = plan.epochs, plan.seconds
    rules = [] if then == NOTHING else [ns.Rewiring("exc_to_exc", ns.WeightBelow(WEAKEST))]
    life = ns.Lifecycle(epoch * second, [ns.Phase("pruning", epochs, rules, FROZEN if then == NOTHING else {})])
    if then == ANY:
        life = ns.yoked(life, led)
    random = np.random.default_rng(start.seed) if then == RANDOM_TIMES else None
    return ns.develop(start, life, **plan.options(volleys(start.time, epochs * epoch, period, rng=random)))


def remains(circuit: ns.Circuit, plan: Plan) -> dict:
    """Measure what is left: synapses between excitatory cells, and spikes at rest and when the first group alone is stimulated."""
    synapses, exc = circuit["exc_to_exc"].synapses, circuit["exc"]
    pre, post, weight = (synapses[column] for column in ("pre", "post", "weight"))
    step = np.where(np.maximum(pre, post) < GROUPS * plan.group, post // plan.group - pre // plan.group, 0)
    ahead, back = (weight[step == one].sum() for one in (1, -1))
    *_, period, rest, tested = plan.seconds
    first = volleys(circuit.time + rest * second, tested, period, groups=1)
    _, recording = ns.simulate(circuit, (rest + tested) * second, modulate=FROZEN, **plan.options(first))
    counts = {name: measures.binned_counts(recording, name, RESPONSE) for name in TYPES}
    followers, begin = (exc.ids >= plan.group) & (exc.ids < GROUPS * plan.group), round(rest * second / RESPONSE)
    degrees = np.bincount(exc.rows(post), minlength=len(exc))
    found = {f"{short} (Hz)": counts[name][:, :begin].mean() / float(RESPONSE) for name, short in TYPES.items()}
    found |= {"strong (%)": 100 * (weight > 0.8 * float(STRONGEST)).mean(), "in-degree CV": degrees.std() / degrees.mean()}
    found |= {"reciprocity": measures.reciprocity(exc.rows(pre), exc.rows(post), len(exc)), "forward": (ahead - back) / (ahead + back)}
    idle, active = np.split(counts["exc"][followers], [begin], axis=1)
    return found | {"recall": active[:, :: round(period * second / RESPONSE)].mean() - idle.mean()}


def lives(seed: int, plan: Plan, *, folder, progress) -> dict:
    """Live all lives of one seed; return their courses, what death leaves, and what remains in the end."""
    young, led, found = {}, None, {"courses": {}, "young": {}, "ends": {}}
    for number, death in enumerate(DEATHS, 1):
        young[death] = history = youth(death, plan, seed, young)
        found["courses"][death] = last = course(history)
        died = {short: [len(history.start[name]), int(history.series(name)["deaths"].sum())] for name, short in TYPES.items()}
        lost = {f"{short} lost (%)": 100 * dead / born for short, (born, dead) in died.items()}
        found["young"][death] = died | lost | {name: values[-1] for name, values in last.items() if name != "synapses"}
        progress(number, len(DEATHS) + len(ENDS))
    for number, (name, (death, then)) in enumerate(ENDS.items(), len(DEATHS) + 1):
        history = pruning(then, young[death].circuit, plan, led)
        led = led or history
        found["courses"][name] = last = course(history)
        left = {"left (%)": 100 * last["synapses"][-1] / found["courses"][death]["synapses"][-1], "drive I:E": last["drive I:E"][-1]}
        found["ends"][name] = left | remains(history.circuit, plan)
        progress(number, len(DEATHS) + len(ENDS))
    return found


def draw(found: list, plan: Plan, folder) -> None:
    """Draw the courses of lives with an end of death, and of those without."""

    def line(name: str, *parts: str) -> tuple:
        """Return the times and values of a life, of one part or of two with epochs of their own."""
        values = [np.array([one["courses"][part][name] for one in found]) for part in parts]
        times = np.cumsum(np.repeat(plan.seconds[: len(parts)], [part.shape[1] for part in values])) * second
        return times, np.concatenate(values, axis=1)

    start, stop, *_ = np.cumsum(plan.epochs) * plan.seconds[0] * second
    panels = {name: {death: line(name, death, f"{death}, {WEAK}") for death in SHOWN} for name in (*PANELS, "synapses")}
    figures.save(figures.courses(panels, [("window of death", start, stop)]), folder, "apoptosis_then_pruning")
    panels = {name: {death: line(name, death) for death in (ENDLESS, IDLE_ENDLESS)} for name in PANELS}
    figures.save(figures.courses(panels), folder, "without_end")


def apoptosis_then_pruning(run: study.Run) -> tuple[dict, str]:
    """Run the study: all lives of all seeds, the tables of what death leaves and of what remains, comparisons with controls, figures."""
    plan = PLANS[run.scale]
    found = list(run.each(lives, {f"seed {seed}": (seed, plan) for seed in run.seeds}).values())
    draw(found, plan, run.folder)
    young, ends = ({name: [one[half][name] for one in found] for name in found[0][half]} for half in ("young", "ends"))
    columns = [[key for key in next(iter(rows.values()))[0] if key not in TYPES.values()] for rows in (young, ends)]
    dying = {death: young[death] for death in SHOWN[:3]}
    parts = [study.tabulate_spread("deaths in the window", dying, [f"{short} lost (%)" for short in TYPES.values()])]
    parts += [study.tabulate("after the window, means", young, columns[0]), study.tabulate("at the end, means", ends, columns[1])]
    pairs = [(young, EXCESS, other) for other in (EITHER, OTHERS, IDLE)] + [(young, IDLE, NOT_IDLE)]
    pairs += [(ends, PUBLISHED, other) for other in ends if other != PUBLISHED]
    for rows, one, other in pairs:
        parts.append(study.compare({name: rows[name] for name in (one, other)}, other, dict.fromkeys(columns[rows is ends])))
    return {"young": young, "ends": ends}, "\n\n".join(parts)


if __name__ == "__main__":
    study.conduct(apoptosis_then_pruning, __doc__, seeds=10)
