"""Can a recurrent network that is born without a connection learn by reward alone what takes a memory and a conjunction?

A cell spikes for each bit of a random stream: one of two, for 0 or 1. 80 hidden cells have permitted inputs: each of those two with
probability 0.7, and 1.6 other hidden cells on average, with a delay of one bit, the only memory that there is. Two cells, with all hidden
ones permitted, race for the first spike, the answer. Right is the XOR of this bit and the last: it takes relays of the last bit and cells
that fire for one pair of bits. Nothing is connected at birth. Incoming weights are never negative and sum to 1 (20 mV); a hidden cell fires
at 0.75, so that two equal inputs are a conjunction and one alone a relay. The reward of a bit, 1 or -1, less what was expected, is spread
backwards: the cell that answered has all of it, hidden cells have parts in proportion to the weights through which they took part, and a
synapse changes by its cell's credit where it remembers to have taken part itself. Where the reward is negative, each vacant permitted pair
is joined with p = 0.1, at a weight from U(0, 0.05); at a weight of 0 a synapse goes. After 1500 bits come 1000 new ones, without learning.
Compared: as many joins, of permitted pairs, by chance (yoked); all permitted synapses from the first bit on, never rewired; the whole reward for each hidden
cell; the reward itself, nothing being expected; rewards by chance; the document's own, 2 (output - 0.5), which does not look at the target.

Expected finding (10 seeds, means and the range over them): rewiring on punishment learns the task: 0.999 of the new answers are right (0.99
to 1), and it dies out (10 of 1456 synapses are made in the last third). That joins follow punishment is not shown to matter: as many by
chance come to 0.96 (0.79 to 1; 0.04 less, 95 % interval -0.01 to 0.10), while the structure of birth, never rewired, comes to 0.76 (0.46 to
1). The reward has to be spread (0.82 without) and expected (0.89 without). Rewards by chance, and the document's own, teach nothing: 0.50
(0.29 to 0.77) and 0.50. Rules were chosen with the first seeds; 10 others (--seed 10): 0.97 (9 above 0.95), by chance 0.93.

References: Roelfsema & van Ooyen (2005), doi:10.1162/0899766054615699 (credit); Izhikevich (2006), doi:10.1162/089976606775093882 (delays).
Runtime on 2 cores: smoke some seconds, small half a minute, full five minutes. Credit: 1 ms with 1e5 synapses, 8 with 1e6.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from timeit import repeat

import numpy as np

import neurosim as ns
from neurosim import figures, study
from neurosim.units import Hz, ms, mV

LEARNER, CHANCE, BORN, ALIKE, RAW, SHUFFLED, OWN = KINDS = (
    "rewired when punished", "joined by chance", "never rewired", "reward not spread", "nothing expected", "shuffled reward", "document's reward"
)  # fmt: skip
BIT, DT, BACK = 40 * ms, 0.5 * ms, 39.5 * ms  # BACK: the delay that brings a spike to the time of the next bit's
VOLLEY, ASKED = 11, 25  # ms from the onset of a bit to its spike, and for which the answering cells are then driven to an answer
SUM, DRIVE = 20 * mV, 14 * mV  # a sum of 1 of incoming weights, in hidden and in answering cells
NEAR, FAR, P, NEW = 0.7, 1.6, 0.1, 0.05  # permitted inputs, chance of a vacant pair when punished, largest new weight
CELL = ns.load_cell("leaky_adaptive_threshold").replace(tau_m=10 * ms, tau_ref=10 * ms, V_th=-50 * mV, theta_plus=0 * mV)
HELD = {"normalise": "incoming", "interval": 10 * ms}
RULE = ns.load_synapse("credit_gated").replace(memory_span=35 * ms, eta=0.01, w_max=10 * SUM, w_total=SUM, **HELD)
READING = RULE.replace(window=30 * ms, w_max=10 * DRIVE, w_total=DRIVE)
WHOLE, VACATE = {"web": SUM, "readout": DRIVE}, ("vacate web", "vacate readout")
LINKS = {"near": ("web", DT), "far": ("web", BACK), "readout": ("readout", DT)}
BACKENDS = {target: ns.Brian2(dt=DT, target=target) for target in ("library", "numpy")}
SOLVED, MARGIN = 0.95, 0.05
COLUMNS = ("right answers", "solved", "while learning", "synapses made", "made in the last third", "synapses")


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: hidden cells, bits to learn from and to be tested by, bins of the figure, synapses of the largest circuit."""

    hidden: int = 80
    bits: int = 1500
    test: int = 1000
    bins: int = 15
    most: int = 1_000_000
    target: str = "library"


PLANS = {"full": Plan(), "small": Plan(bits=500, test=300, bins=10), "smoke": Plan(4, 2, 1, 2, 1000, "numpy")}


def permitted(seed: int, plan: Plan) -> dict[str, ns.Permitted]:
    """Draw the pairs that may be joined: from the cells 0 and 1, which bits drive, from other hidden cells, and all to the answering ones."""
    rng, size = np.random.default_rng([seed, 1]), plan.hidden
    near = rng.random((2, size)) < NEAR
    near[0, ~near.any(axis=0)] = True
    far = (rng.random((size, size)) < FAR / size) & ~np.eye(size, dtype=bool)
    pairs = {"near": np.nonzero(near), "far": np.nonzero(far), "readout": np.divmod(np.arange(2 * size), 2)}
    first = {"near": (0, 2), "far": (2, 2), "readout": (2, 0)}  # ids of the first cells
    return {name: ns.Permitted(pre + first[name][0], post + first[name][1]) for name, (pre, post) in pairs.items()}


def newborn(seed: int, plan: Plan) -> ns.Circuit:
    """Make the circuit of a seed, without any synapse that learns."""
    bits = ns.create("bits", "spike_source", 2)
    cells = ns.create("cells", CELL.keeping(RULE), plan.hidden + 2)
    out = ns.create("out", CELL.replace(tau_m=100 * ms, tau_ref=5 * ms).keeping(READING), 2)
    # both cells of bits ask both answering ones, in turn: no two spikes at once
    ends = np.repeat([[0, 0, 1, 1], [0, 1, 0, 1]], ASKED, axis=1)
    asking = {"weight": 0.045 * DRIVE, "delay": (3 + np.tile(np.arange(ASKED), 4) + 0.5 * ends[1]) * ms}
    stop = {"receptor": "direct_inhibition", "weight": 10 * DRIVE}
    return ns.Circuit([bits, cells, out], [
        ns.connect(bits, cells, "static", ns.Pairs([0, 1], [0, 1]), receptor="v", weight=2 * SUM),
        ns.connect(cells, cells, RULE, ns.Pairs([], []), receptor="v", weight=0 * mV).replace(name="web"),
        ns.connect(cells, out, READING, ns.Pairs([], []), receptor="v", weight=0 * mV).replace(name="readout"),
        ns.connect(bits, out, "static", ns.Pairs(*ends), receptor="v", **asking).replace(name="asking"),
        ns.connect(bits, out, "static", ns.AllToAll(), **stop).replace(name="reset"),
        ns.connect(out, out, "static", ns.AllToAll(), **stop).replace(name="lateral"),
    ], seed=seed)  # fmt: skip


def inputs(shown: np.ndarray, start=0 * ms) -> list:
    """Let the cells of bits spike, one after the other, and give the answering cells some noise."""
    times = start + VOLLEY * ms + np.arange(len(shown)) * BIT
    return [ns.SpikeTimes("bits", shown, times), ns.PoissonInput("out", "v", 312 * Hz, 0.01 * DRIVE)]


def judge(kind: str, seed: int, shown: np.ndarray):
    """Return the reward of an epoch as a function: 1 where the right cell answers, and it alone, and else -1."""

    def reward(circuit, recording) -> float:
        answered, now = recording["out"].counts > 0, circuit.epoch
        if kind == SHUFFLED:
            return float(np.random.default_rng([seed, 2, now]).choice([-1, 1]))
        right = answered[1] if kind == OWN else answered.sum() == 1 and answered[shown[now] ^ shown[now - 1]]
        return 1.0 if right else -1.0

    return reward


class Alike(ns.Credit):
    """Give every hidden cell the whole reward."""

    def parts(self, circuit, recording) -> dict[str, np.ndarray]:
        """Return which part of the reward each cell has."""
        return super().parts(circuit, recording) | {"cells": np.ones(len(circuit["cells"]))}


def life(kind: str, seed: int, plan: Plan, shown: np.ndarray) -> ns.Lifecycle:
    """Describe a life: an epoch a bit, at whose end credit is given and, where the answer was wrong, vacant pairs are joined."""
    how = {"through": ["readout"], "lowest": -1.0, "horizon": None if kind == RAW else 50, "label": "credit"}
    credit = (Alike if kind == ALIKE else ns.Credit)("out", judge(kind, seed, shown), **how)
    vacate = [ns.Rewiring(name, prune=ns.WeightBelow(1e-12 * SUM), label=label) for name, label in zip(WHOLE, VACATE, strict=True)]
    join, hazard = [], 1000 / DT if kind == BORN else -np.log(1 - P) / BIT
    for label, pairs in permitted(seed, plan).items():
        name, delay = LINKS[label]
        how = {"weight": ns.Uniform(0 * mV, NEW * WHOLE[name]), "delay": delay, "label": label}
        join.append(ns.Rewiring(name, regrow=ns.Growth(hazard, pairs), **how))
    born = [ns.Phase("birth", 1, [credit, *join])] if kind == BORN else []
    rules = [credit, *vacate] if born else [credit, *vacate, ns.Punished(credit, join)]
    return ns.Lifecycle(BIT, [*born, ns.Phase("learning", plan.bits - len(born), rules)])


def tested(circuit: ns.Circuit, shown: np.ndarray, plan: Plan) -> float:
    """Return the share of right answers to the last bits, while nothing learns."""
    how, frozen = {"backend": BACKENDS[plan.target], "progress": False}, {f"{name}.learning": 0.0 for name in WHOLE}
    _, recording = ns.simulate(circuit, plan.test * BIT, inputs=inputs(shown[-plan.test :], circuit.time), modulate=frozen, **how)
    spikes, given = recording["out"].spikes, np.zeros((plan.test, 2), dtype=bool)
    given[(spikes.step - recording.start_step) // round(BIT / DT), spikes.id] = True
    return float((given.argmax(axis=1) == (shown[1:] ^ shown[:-1])[-plan.test :])[given.sum(axis=1) == 1].sum() / plan.test)


def lives(seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Live the lives of all kinds of one seed and return what each came to, and its course."""
    shown, found, led = np.random.default_rng([seed, 0]).integers(0, 2, plan.bits + plan.test), {}, None
    rewarded = judge(LEARNER, seed, shown)

    def measure(circuit, recording) -> dict:
        return {"right": rewarded(circuit, recording) > 0, "made": sum(circuit[name].next_id for name in WHOLE)}

    for done, kind in enumerate(KINDS):
        lifecycle = ns.yoked(life(LEARNER, seed, plan, shown), led, keep=VACATE) if kind == CHANCE else life(kind, seed, plan, shown)
        how = {"inputs": inputs(shown), "measure": measure, "backend": BACKENDS[plan.target], "progress": False}
        history = ns.develop(newborn(seed, plan), lifecycle, **how)
        led = led or history
        progress(done + 1, len(KINDS))
        measured, third, right = history.measures, plan.bits // 3, tested(history.circuit, shown, plan)
        made, left = np.diff(measured["made"], prepend=0), sum(len(history.circuit[name]) for name in WHOLE)
        values = (right, right >= SOLVED, measured["right"][-third:].mean(), made.sum(), made[-third:].sum(), left)
        found[kind] = dict(zip(COLUMNS, map(float, values), strict=True))
        found[kind]["courses"] = [one.reshape(plan.bins, -1).mean(axis=1).tolist() for one in (measured["right"], made)]
    return found


def cost(plan: Plan) -> str:
    """Tell the time that spreading one reward takes with so many synapses, and with ten times as many."""
    told, size, credit = [], int(10 * plan.most**0.5), ns.Credit("out", lambda circuit, recording: 1.0, ["readout", "web"])
    for number in (plan.most // 10, plan.most):
        web, fan = np.random.default_rng(0).integers(2, size, (2, number)), (np.arange(size), np.arange(size) % 2)
        joined = ns.Events.link("web", *web, SUM, DT) + ns.Events.link("readout", *fan, DRIVE, DT)
        circuit = ns.apply(newborn(0, Plan(hidden=size)), joined).set("out", v=0 * mV)
        circuit = circuit.set("web", remembered=BIT).set("readout", remembered=BIT)
        _, recording = ns.simulate(circuit, DT, backend=BACKENDS["numpy"], progress=False)
        told.append(f"{1e3 * min(repeat(partial(credit.keep, circuit, recording), number=1, repeat=9)):.2f} ms with {number:,} synapses")
    return "the credit of one epoch takes " + ", ".join(told)


def live_connections(run: study.Run) -> tuple[dict, str]:
    """Run the study: lives of all seeds and kinds, the figure, comparisons with the learner and with shuffled reward, the cost."""
    plan = PLANS[run.scale]
    found = list(run.each(lives, {f"seed {seed}": (seed, plan) for seed in run.seeds}).values())
    times = (np.arange(plan.bins) + 0.5) * (plan.bits // plan.bins) * BIT
    course = {place: {kind: (times, np.array([one[kind]["courses"][place] for one in found])) for kind in KINDS} for place in (0, 1)}
    panels = {"right answers": course[0], "joined per bit": course[1]}
    figures.save(figures.courses(panels, (), {"right answers": SOLVED}), run.folder, "live_connections")
    results = {kind: [{name: one[kind][name] for name in COLUMNS} for one in found] for kind in KINDS}
    parts = [study.tabulate(f"means, seeds: {len(run.seeds)}", results, list(COLUMNS)), study.tabulate_spread("", results, COLUMNS[:1])]
    parts += [study.compare(results, *against) for against in ((LEARNER, {"right answers": MARGIN}), (SHUFFLED, {"right answers": None}))]
    parts.append(cost(plan))
    return {"results": results}, "\n\n".join(parts)


if __name__ == "__main__":
    study.conduct(live_connections, __doc__, seeds=10)
