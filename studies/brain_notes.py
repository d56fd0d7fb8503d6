"""Do ideas borrowed from the brain keep old knowledge alive while a spiking network learns something new?

Cells that inhibit one another learn handwritten digits by STDP with normalised weights, without labels: first 0 to 4, then 5 to 9, never
both. Each cell sees the pixels near its place. The notes (Taking Inspiration from Brain) name ideas and no rules; here each is one, alone
and all together. Use: a synapse grows with each presynaptic spike while it is used often; or what it learned protects it (a coincidence
changes it by 1/(1 + use)). Contacts: three synapses of each pair, each with its weight and delay. Memory cells: after the old digits half
of the cells, those that fire least, keep their weights and thresholds. Long-range links: weak synapses go and as many grow between cells
and pixels that are active together, however far. Newborn cells: half as many more join before the new digits, more excitable at first.
Controls: nothing; memory cells chosen by chance, or the busiest; links by distance, or as many events by chance (yoked); as many cells from
the start; and both tasks interleaved (what could be had). "old kept" is accuracy on old digits at the end with the cells' labels as they
were before the new ones; "old", "new" and "both" are with labels given anew, of ten. Test images are used once.

Expected finding (10 seeds; 95 % intervals): with nothing, 0.64 of the old digits are kept, of 0.91. Memory cells keep 0.77 (+0.12, 0.02 to
0.22) and seem to cost new digits as much (-0.12, -0.26 to 0.03), so that of all digits as many are told; which cells they are matters
little (0.81 by chance and for the busiest). Links by correlation keep 0.77 (+0.12, 0.08 to 0.16), some of it since they learn the old
digits better (+0.04, 0.01 to 0.06); new digits change by +0.02 (-0.05 to 0.08), all digits are told most often (0.67 against 0.62; by
distance 0.61; interleaved 0.77). As many by chance (0.47 kept) also lose strong synapses, and tell less of where links grow than those by
distance (0.58). Newborn cells help as more cells do (+0.03), use that strengthens does not, contacts keep less (-0.06, -0.12 to -0.01), use
that protects much less (-0.16, -0.23 to -0.09), and all together is no better than nothing (0.62). The rise of thresholds was chosen on
training images and seeds 0 and 1.

References: McCloskey & Cohen (1989), doi:10.1016/S0079-7421(08)60536-8 (interference); Wiskott, Rasch & Kempermann (2006),
doi:10.1002/hipo.20167 (newborn cells against it); Fusi, Drew & Abbott (2005), doi:10.1016/j.neuron.2005.02.001 (use that protects); Fauth
et al. (2015), doi:10.1371/journal.pcbi.1004031 (contacts); Diehl & Cook (2015), doi:10.3389/fncom.2015.00099; Alpaydin & Kaynak (1998),
doi:10.24432/C50P49.
Runtime on 2 cores, after the first compile (some seconds): smoke 20 seconds, small half a minute, full three minutes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import Hz, ms, mV, um

IMAGE, SPIKES, PIXEL = 100 * ms, 1200, 10 * um  # an image: its duration and input spikes; the distance of its pixels
OLD = 5  # digits below it are learned first
FROZEN = {"input_to_exc.learning": 0.0, "exc.learning": 0.0}
FIRST, RISE, YOUNG = ns.Uniform(0.006 * mV, 0.026 * mV), 0.6 * mV, -5 * mV  # weights; rise of thresholds with a spike; those at birth
NEAR, DELAYS = {"kernel": "gaussian", "scale": 3 * PIXEL, "peak": 0.9}, ns.Steps(0 * ms, 20 * ms, 10 * ms)
USE, PROTECT, CONTACTS, MEMORY = "use strengthens", "use protects", "contacts", "memory cells"
LINKS, NEWBORN, LED = "long-range links", "newborn cells", "links, yoked"
BUSIEST, CHANCE, BY_DISTANCE, MORE = "busiest are memory", "memory by chance", "links by distance", "more from the start"
TOGETHER, MIXED = (USE, CONTACTS, MEMORY, LINKS, NEWBORN), "interleaved"
SINGLE = (USE, PROTECT, CONTACTS, MEMORY, LINKS, NEWBORN, BUSIEST, CHANCE, BY_DISTANCE, LED, MORE, MIXED)
KINDS = {"nothing": (), "all together": TOGETHER} | {kind: (kind,) for kind in SINGLE}
SEEN = ("old before", "old kept", "old", "new", "both", "silent images")
MARGINS = {"old kept": 0.05, "old": 0.05, "new": 0.05, "both": 0.05}
PAIRS = {MEMORY: CHANCE, BUSIEST: CHANCE, LINKS: BY_DISTANCE, NEWBORN: MORE}


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells, newborn ones, images an epoch, epochs a task, and at most how many images a part has."""

    cells: int = 60
    births: int = 30
    images: int = 288
    epochs: int = 4
    target: str = "auto"
    most: int | None = None
    kinds: tuple = tuple(KINDS)


SMOKE = ("nothing", "all together", LINKS, LED)
PLANS = {"full": Plan(), "small": Plan(30, 15, 100, 2, "auto", 100), "smoke": Plan(4, 2, 3, 1, "numpy", 8, SMOKE)}


def shown(images: np.ndarray, start) -> ns.Presentations:
    """Present images, each with the same number of spikes in all."""
    return ns.Presentations.of_images("input", images, SPIKES, IMAGE, start)


def learning_synapse(ideas: tuple) -> ns.SynapseModel:
    """Return the synapse of the inputs: potentiation and normalisation, and what its use adds or takes."""
    tables = ns.load_synapse("stdp_potentiation").replace(A_plus=0.003, tau_plus=30 * ms, w_max=1 * mV, w_total=1 * mV).specification()
    if USE in ideas:
        use = ns.load_synapse("use_dependent").replace(w_max=1 * mV, eta=1e-5, use_0=190 * Hz).specification()
        statement = use["on_pre"].strip().splitlines()[-1]
        tables |= {"on_pre": f"{tables['on_pre']}\n{statement}\n", "parameters": use["parameters"] | tables["parameters"]}
    if PROTECT in ideas:
        tables["on_post"] = "weight = clip(weight + learning*A_plus*w_max*x/(1 + used/used_0), w_min, w_max)\nused += learning*x\n"
        tables["parameters"]["used_0"] = {"value": 50, "meaning": "coincidences that halve what the next one changes", "source": "chosen"}
        tables |= {"equations": f"{tables['equations']}\nused : 1\n", "initial": {**dict(tables["initial"]), "used": "0"}}
    return ns.SynapseModel.from_specification(tables)


def network(ideas: tuple, plan: Plan, seed: int) -> ns.Circuit:
    """Make 64 inputs on a grid and learning cells anywhere on it, each joined to inputs that are near, by one synapse or three."""
    rng = np.random.default_rng(seed)
    size = plan.cells + plan.births * (MORE in ideas)
    slow = ns.load_cell("leaky_adaptive_threshold").replace(tau_m=100 * ms, V_th=-58 * mV, theta_min=-6 * mV, target_count=1.5)
    pixels = ns.create("input", "spike_source", 64, positions=np.stack(np.divmod(np.arange(64), 8), axis=1) * PIXEL)
    exc = ns.create("exc", slow, size, positions=rng.uniform(0, 7, (size, 2)) * PIXEL, spread={"theta_plus": RISE})
    several, delay = (3, DELAYS) if CONTACTS in ideas else (1, 0 * ms)
    near = ns.DistanceKernel(**NEAR, contacts=several)
    inputs = ns.connect(pixels, exc, learning_synapse(ideas), near, receptor="v", weight=FIRST, delay=delay, seed=seed)
    lateral = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="direct_inhibition", weight=100 * mV)
    return ns.Circuit([pixels, exc], [inputs.replace(newborn="wire"), lateral.replace(name="lateral", newborn="wire")], seed=seed)


def rewiring(ideas: tuple) -> list:
    """Let weak synapses go and as many grow: by correlation, however far, or near the cell. Memory cells keep theirs."""
    several, delay = (3, DELAYS) if CONTACTS in ideas else (1, 0 * ms)
    where = {LINKS: ns.Correlated(IMAGE), LED: ns.Correlated(IMAGE), BY_DISTANCE: ns.DistanceKernel(**NEAR)}
    weak = ns.WeightBelow(0.1) & ~ns.Memory()
    growths = [ns.Growth(ns.InDegree(), where[idea], several) for idea in ideas if idea in where]
    return [ns.Rewiring("input_to_exc", prune=weak, regrow=growth, weight=FIRST, delay=delay) for growth in growths]


def remembering(circuit: ns.Circuit, recording, ideas: tuple, seed: int) -> ns.Circuit:
    """Mark half of the cells as memory: their weights and thresholds stay."""
    ids = circuit["exc"].ids
    picks = {MEMORY: ns.Bottom(0.5), BUSIEST: ns.Top(0.5)}
    chosen = [pick(circuit, recording, "exc").ids for idea, pick in picks.items() if idea in ideas]
    if CHANCE in ideas:
        chosen = [np.random.default_rng(seed).choice(ids, len(ids) // 2, replace=False)]
    for cells in chosen:
        circuit = circuit.freeze("exc", cells).set("exc", theta_plus=np.where(np.isin(ids, cells), 0, 1) * RISE)
    return circuit


def joined(circuit: ns.Circuit, plan: Plan, seed: int) -> ns.Circuit:
    """Let new cells be born, more excitable than the others."""
    rng = np.random.default_rng(seed)
    places = np.concatenate([rng.uniform(0, 7, (plan.births, 2)), np.zeros((plan.births, 1))], axis=1) * PIXEL
    old, grown = len(circuit["exc"]), ns.apply(circuit, ns.Events.bear("exc", places, rng=rng))
    theta = np.asarray(grown["exc"].theta / mV)
    return grown.set("exc", theta=np.where(np.arange(len(theta)) < old, theta, YOUNG / mV) * mV)


def seen(circuit: ns.Circuit, images: np.ndarray, backend) -> tuple:
    """Return the recording of images that are shown while nothing learns, and the spikes of each cell to each."""
    given = shown(images, circuit.time)
    _, recording = ns.simulate(circuit, len(images) * IMAGE, inputs=[given], modulate=FROZEN, backend=backend, progress=False)
    return recording, measures.responses(recording, "exc", given)


def live(kind: str, seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Learn the old digits, then the new ones, and return how many of each are told then."""
    ideas, data, backend = KINDS[kind], ns.digits(most=plan.most), ns.Brian2(dt=1 * ms, target=plan.target)
    (train, train_y), (test, test_y), rng = data["train"], data["test"], np.random.default_rng(seed)
    order = [np.resize(rng.permutation(np.flatnonzero(task)), plan.images * plan.epochs) for task in (train_y < OLD, train_y >= OLD)]
    if MIXED in ideas:
        order = np.split(rng.permutation(np.concatenate(order)), 2)
    factors = 0.3 ** np.linspace(0, 1, plan.epochs)

    def learnt(circuit, task):
        phase = ns.Phase(task, plan.epochs, rewiring(ideas), {"input_to_exc.learning": factors, "exc.learning": factors})
        life = ns.Lifecycle(plan.images * IMAGE, [phase])
        if LED in ideas:
            life = ns.yoked(life, ns.load_history(folder.with_name(f"{LINKS}, seed {seed}") / task))
        images = shown(train[order[task == "new"]], circuit.time)
        keep = ns.RunFolder(folder / task, resume=True)
        return ns.develop(circuit, life, inputs=[images], backend=backend, progress=False, keep=keep).circuit

    circuit = learnt(network(ideas, plan, seed), "old")
    progress(1, 2)
    founders, known, old = len(circuit["exc"]), np.flatnonzero(train_y < OLD)[::2], test_y < OLD
    recording, counts = seen(circuit, train[known], backend)
    labels = measures.assign_labels(counts, train_y[known])
    before = measures.vote(seen(circuit, test[old], backend)[1], labels) == test_y[old]
    circuit = remembering(circuit, recording, ideas, seed)
    circuit = learnt(joined(circuit, plan, seed) if NEWBORN in ideas else circuit, "new")
    _, counts = seen(circuit, train[::2], backend)
    _, asked = seen(circuit, test, backend)
    right = measures.vote(asked, measures.assign_labels(counts, train_y[::2])) == test_y
    kept = (measures.vote(asked[:, :founders], labels) == test_y)[old]
    values = (before, kept, right[old], right[~old], right, asked.sum(axis=1) == 0)
    found = {name: float(value.mean()) for name, value in zip(SEEN, values, strict=True)}
    return found | {"synapses": len(circuit["input_to_exc"])}


def brain_notes(run: study.Run) -> tuple[dict, str]:
    """Run the study: lives of all kinds and seeds, comparisons, figures."""
    plan, lives = PLANS[run.scale], {}
    for led in (False, True):
        cases = {f"{kind}, seed {seed}": (kind, seed, plan) for seed in run.seeds for kind in plan.kinds if (kind == LED) == led}
        lives |= run.each(live, cases)
    found = {kind: [lives[f"{kind}, seed {seed}"] for seed in run.seeds] for kind in plan.kinds}
    for name in MARGINS:
        values = {kind: [one[name] for one in of] for kind, of in found.items()}
        figures.save(figures.comparison(values, "nothing", MARGINS[name], f"{name}: accuracy"), run.folder, name.replace(" ", "_"))
    parts = [study.tabulate(f"means, seeds: {len(run.seeds)}", found, list(found["nothing"][0])), study.compare(found, "nothing", MARGINS)]
    pairs = {kind: control for kind, control in PAIRS.items() if {kind, control} <= found.keys()}
    parts += [study.compare({kind: found[kind], control: found[control]}, control, MARGINS) for kind, control in pairs.items()]
    return found, "\n\n".join(parts)


if __name__ == "__main__":
    study.conduct(brain_notes, __doc__, seeds=10)
