"""Does turnover of cells keep a network able to learn one task after another?

Ten tasks, each another permutation of the pixels of scikit-learn's 8 x 8 digits, are taught for 20 epochs each to 40 leaky cells that learn
by STDP with normalised weights and inhibit one another. As in the program Raphael each cell has an age, counted in epochs of simulation, a
lifetime from U{50..100} and energy; in every second epoch a cell comes. Here energy is fed by a supply shared in proportion to spikes, and
spent on upkeep, spikes and synaptic events; a cell dies of age or hunger, and divides when rich: mother and daughter share E - 5.
Compared: no turnover, as many deaths, divisions and births of cells chosen by chance, a new network for each task, the program's own
schedule (immigration, age, random pruning) and an even supply; each with thresholds held at a target, or rising with each spike for good.

Expected finding (seeds 10 to 19, by --seed 10: rules were chosen with seeds 0 and 1; means of the last three tasks): where thresholds rise
for good, a network without turnover learns one task and falls silent (accuracy 0.00). Fed by its spikes it goes on learning: 0.64, 0.09
less than new networks (95 % interval 0.04 to 0.14). Who dies and divides matters: 0.23 by chance (0.41 less, 0.36 to 0.46), 0.34 by the
program's schedule, 0.22 with an even supply, in which nobody starves. With held thresholds nothing is lost that turnover could mend: 0.67
without it, 0.70 with it, 0.71 by chance; it reaches the criterion after 20 % fewer images (135, 68 to 202), by chance as well (117), a new
network after 77 % fewer. Biophysical cells live on by the same rules (20 of 20), leaky
ones whose thresholds do not adapt starve to 7 of 20; neither learn digits (0.12 and 0.11).

References: Raphael (2024), github.com/HypnosCicero/Raphael; Dohare et al. (2024), doi:10.1038/s41586-024-07711-7 (loss of plasticity);
Diehl & Cook (2015), doi:10.3389/fncom.2015.00099 (the network); Alpaydin & Kaynak (1998), doi:10.24432/C50P49 (digits).
Runtime on 2 cores, after the first compile (some seconds): smoke ten seconds, small half a minute, full five minutes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import ms, mV, second

IMAGE, SPIKES = 50 * ms, 600  # presentation of one image: its duration and input spikes
FIXED, TURNOVER, CHANCE, RESET = KINDS = ("fixed", "turnover", "by chance", "reset")
WRITTEN, EVEN, HELD, RISING, CONSTANT = "as written", "even supply", "held", "rising", "constant"
THRESHOLDS = {HELD: (1.5, 0.4 * mV), RISING: (0, 0.1 * mV), CONSTANT: (0, 0 * mV)}  # spikes an image that hold it, its rise with each
CASES = [(HELD, kind) for kind in KINDS] + [(RISING, kind) for kind in (*KINDS, WRITTEN, EVEN)]
CELLS = {"leaky_adaptive_threshold": ("v", "direct_inhibition", 100 * mV), "traub_miles": ("g_exc", "g_inh", ns.psp(10 * mV))}
LEAKY, BIOPHYSICAL = CELLS
BOTH = {"leaky": (HELD, LEAKY), "leaky, constant threshold": (CONSTANT, LEAKY), "biophysical": (CONSTANT, BIOPHYSICAL)}
TOTAL = ns.psp(1 * mV)  # of the incoming weights of a cell
CRITERION = 0.9  # share of what new networks reach in a task
PARTS = {"first": slice(3), "last": slice(-3, None)}  # tasks over which results are averaged
MARGINS = {"accuracy, last": 0.02, "images to criterion, last": None, "dormant, last": None}


@dataclass(frozen=True)
class Plan:
    """Hold what a scale fixes: cells, tasks, epochs of one and images of an epoch, after which epochs and how much is asked, lifetimes."""

    cells: int = 40
    tasks: int = 10
    epochs: int = 20
    images: int = 40
    asked: tuple = (1, 2, 4, 7, 12, 20)
    tested: int = 70
    lifetime: tuple = (50, 101)
    target: str = "auto"


PLANS = {  # for the lives of all kinds, and for those in which cells are compared
    "full": (Plan(), Plan(20, 2, images=20, tested=40, lifetime=(15, 31))),
    "small": (Plan(tasks=2), Plan(20, 1, images=10, tested=40, lifetime=(15, 31))),
    "smoke": (Plan(4, 2, 1, 2, (1,), 2, (1, 3), "numpy"), Plan(3, 1, 1, 1, (1,), 1, (1, 3), "numpy")),
}


def taught(seed: int, plan: Plan) -> list[list[tuple]]:
    """Return images and labels of each task, its pixels permuted: to train with, to label cells by, to validate and, at the end, test."""
    rng, data = np.random.default_rng(seed), ns.digits()
    (train, train_y), (test, test_y) = data["train"], data["test"]
    many, few, tasks = plan.epochs * plan.images, plan.tested, []
    for _ in range(plan.tasks):
        pixels, order, asked = rng.permutation(64), rng.permutation(len(train)), rng.permutation(len(test))[:few]
        rows = order[:many], order[many : many + few], order[many + few : many + 2 * few]
        tasks.append([(train[some][:, pixels], train_y[some]) for some in rows] + [(test[asked][:, pixels], test_y[asked])])
    return tasks


def presented(images: np.ndarray, start=0 * second) -> ns.Presentations:
    """Present images, each with the same number of spikes in all."""
    return ns.Presentations.of_images("input", images, SPIKES, IMAGE, start)


def newborn(plan: Plan, seed: int, threshold: str = HELD, cell: str = LEAKY) -> ns.Circuit:
    """Make a network of 64 inputs and cells that learn by STDP with normalised weights and inhibit one another."""
    (excited, inhibited, inhibition), (count, rise) = CELLS[cell], THRESHOLDS[threshold]
    own = {"V_th": -61 * mV, "theta_min": -3 * mV, "target_count": count, "theta_plus": rise} if cell == LEAKY else {"method": "rk4"}
    pixels, exc = ns.create("input", "spike_source", 64), ns.create("exc", ns.load_cell(cell).replace(**own), plan.cells)
    whole = TOTAL.weight(exc.model.receptors[excited], "the sum of the weights of a cell")
    stdp = ns.load_synapse("stdp_potentiation").replace(A_plus=0.002, tau_plus=30 * ms, w_max=whole, w_total=whole)
    first = ns.Uniform(0.4 * whole / 64, 1.6 * whole / 64)
    inputs = ns.connect(pixels, exc, stdp, ns.AllToAll(), receptor=excited, weight=first, seed=seed)
    lateral = ns.connect(exc, exc, "static", ns.AllToAll(), receptor=inhibited, weight=inhibition)
    return ns.Circuit([pixels, exc], [inputs, lateral.replace(name="lateral", newborn="wire")], seed=seed)


def phases(kind: str, plan: Plan, tasks: list, weight: ns.Uniform) -> list[ns.Phase]:
    """Return the phases of a life, one a task: with the metabolism, with what the document's program does, or without rules."""
    epochs, old = np.arange(plan.epochs), ns.Outlived(ns.Uniform(*plan.lifetime))
    born, pruned = (ns.Schedule(now.astype(int).tolist()) for now in (epochs % 2 == 0, (epochs % 2 == 1) & (epochs % 3 == 0)))
    rules = [ns.Apoptosis("exc", old, label="age"), ns.Apoptosis("exc", count=pruned, floor=1), ns.Neurogenesis("exc", count=born)]
    if kind != WRITTEN:
        fed = ns.presets.metabolism("exc", plan.epochs, plan.images * IMAGE, plan.cells, old.lifetime, even=float(kind == EVEN))
        rules = list(fed.rules)
    rules += [ns.Rewiring("input_to_exc", regrow=ns.Growth(ns.InDegree(64)), weight=weight)]  # dendrites of cells that came without
    return [ns.Phase(f"task {number}", plan.epochs, [] if kind in (FIXED, RESET) else rules) for number in range(1, len(tasks) + 1)]


def meter(tasks: list, plan: Plan, backend):
    """Return a function that measures cells and, after the epochs at which it is asked, how well they do the present task."""

    def measure(circuit, recording):
        task, epoch = divmod(circuit.epoch, plan.epochs)
        cells = circuit["exc"].cells
        found = {"cells": len(cells), "energy": float(cells["energy"].mean()) if len(cells) and "energy" in cells else np.nan}
        if epoch + 1 in plan.asked:
            (known, labels), (asked, right) = tasks[task][1], tasks[task][3 if epoch + 1 == plan.epochs else 2]
            shown = presented(np.concatenate([known, asked]), circuit.time)
            how = {"modulate": {f"{name}.learning": 0.0 for name in ("input_to_exc", "exc") if "learning" in circuit[name].shared}}
            how |= {"inputs": [shown], "backend": backend, "progress": False}
            counts = measures.responses(ns.simulate(circuit, len(shown.rates) * IMAGE, **how)[1], "exc", shown)
            votes = measures.vote(counts[len(known) :], measures.assign_labels(counts[: len(known)], labels))
            found |= {"accuracy": (votes == right).mean(), "dormant": measures.dormant(counts).mean() if len(cells) else 1.0}
            weights = np.asarray(circuit.weight_matrix("input_to_exc"))
            found["weight norm"] = np.linalg.norm(weights, axis=0).sum() / max(weights.sum(), 1e-300)
        return found

    return measure


def lived(kind: str, circuit: ns.Circuit, tasks: list, plan: Plan, led=None) -> ns.History:
    """Live through tasks; what is left to chance follows the history `led`."""
    own = phases(TURNOVER if kind == CHANCE else kind, plan, tasks, circuit["input_to_exc"].recipe.weight)
    life = ns.Lifecycle(plan.images * IMAGE, own)
    backend = ns.Brian2(dt=(1 if "theta" in circuit["exc"].cells else 0.05) * ms, target=plan.target)
    how = {"inputs": [presented(np.concatenate([task[0][0] for task in tasks]))], "measure": meter(tasks, plan, backend)}
    return ns.develop(circuit, ns.yoked(life, led) if kind == CHANCE else life, backend=backend, progress=False, **how)


def summed(histories: list, new: list, plan: Plan) -> dict:
    """Sum up a life, of one network or of several; those that were `new` in each task set the criterion."""
    known = {name: np.concatenate([one.measures[name] for one in histories]).reshape(plan.tasks, -1) for name in histories[0].measures}
    level = CRITERION * np.mean([one.measures["accuracy"].reshape(-1, plan.epochs)[:, -1].mean() for one in new])
    scores = known["accuracy"][:, np.array(plan.asked) - 1]
    after = plan.images * np.minimum(measures.until_criterion(scores, level, plan.asked), plan.epochs)  # where never: at the end
    ends = {name: known[name][:, -1] for name in ("accuracy", "dormant", "weight norm", "cells")} | {"images to criterion": after}
    row = {f"{name}, {when}": values[part].mean() for name, values in ends.items() for when, part in PARTS.items()}
    events = np.concatenate([one.events[["kind", "rule"]] for one in histories])
    causes = [rule.rpartition("/")[2] for rule in events["rule"][events["kind"] == "death"].tolist()]
    row |= {"deaths": len(causes)} | {f"deaths by {cause}": causes.count(cause) for cause in ("age", "hunger")}
    row |= {f"{kind}s": np.count_nonzero(events["kind"] == kind) for kind in ("division", "birth")}
    courses = {"accuracy": scores, "images": after, "dormant": ends["dormant"]} | {name: known[name] for name in ("cells", "energy")}
    return {name: float(value) for name, value in row.items()} | {name: values.tolist() for name, values in courses.items()}


def lives(seed: int, plans: tuple, *, folder: Path, progress) -> dict:
    """Live the lives of one seed, of all kinds and then those in which cells are compared, and sum up each."""
    (plan, short), found, led = plans, {}, None
    tasks, few = taught(seed, plan), taught(seed, short)
    for threshold, kind in CASES:
        parts = [tasks[at : at + 1] for at in range(plan.tasks)] if kind == RESET else [tasks]
        networks = [newborn(plan, plan.tasks * seed + number, threshold) for number in range(len(parts))]
        found[threshold, kind] = [lived(kind, *both, plan, led) for both in zip(networks, parts, strict=True)]
        led = found[threshold, kind][0]
        progress(len(found), len(CASES) + 1)
    of_cells = {name: [lived(TURNOVER, newborn(short, seed, *which), few, short)] for name, which in BOTH.items()}
    rows = {f"{threshold}: {kind}": summed(own, found[threshold, RESET], plan) for (threshold, kind), own in found.items()}
    return rows | {name: summed(own, own, short) for name, own in of_cells.items()}


def draw(rows: dict, plan: Plan, short: Plan, folder: Path) -> None:
    """Draw how the tasks went in each kind of life, and how lives with each kind of cell went."""
    ends, panels = plan.images * IMAGE * plan.epochs * np.arange(1, plan.tasks + 1), {}
    for threshold, name, label in ((HELD, "images", "images to\ncriterion"), (RISING, "dormant", "dormant")):
        own = {kind: rows[f"{threshold}: {kind}"] for kind in KINDS}
        panels[f"accuracy\n({threshold})"] = {kind: (ends, np.array([one["accuracy"] for one in of])[..., -1]) for kind, of in own.items()}
        panels[f"{label}\n({threshold})"] = {kind: (ends, [one[name] for one in of]) for kind, of in own.items()}
    figures.save(figures.courses(panels), folder, "raphael_metabolism")
    every = short.images * IMAGE * np.arange(1, short.tasks * short.epochs + 1).reshape(short.tasks, -1)
    times = {"cells": every, "energy": every, "accuracy": every[:, np.array(short.asked) - 1]}
    panels = {what: {name: (when.ravel(), [np.ravel(one[what]) for one in rows[name]]) for name in BOTH} for what, when in times.items()}
    figures.save(figures.courses(panels), folder, "cells")


def raphael_metabolism(run: study.Run) -> tuple[dict, str]:
    """Run the study: lives of all kinds and seeds, comparisons, figures."""
    found = run.each(lives, {f"seed {seed}": (seed, PLANS[run.scale]) for seed in run.seeds}).values()
    rows = {name: [one[name] for one in found] for name in next(iter(found))}
    draw(rows, *PLANS[run.scale], run.folder)
    columns = [name for name, value in rows["leaky"][0].items() if np.ndim(value) == 0]
    parts = [study.tabulate(f"means, seeds: {len(run.seeds)}", rows, some) for some in (columns[:6], columns[6:10], columns[10:])]
    for threshold, reference in [(one, kind) for one in (HELD, RISING) for kind in (FIXED, CHANCE, RESET)]:
        kinds = [kind for one, kind in CASES if one == threshold and (reference == FIXED or kind in (TURNOVER, reference))]
        own = {kind: rows[f"{threshold}: {kind}"] for kind in kinds}
        parts += [f"threshold {threshold}", study.compare(own, reference, MARGINS)]
    return rows, "\n\n".join(parts)


if __name__ == "__main__":
    study.conduct(raphael_metabolism, __doc__, seeds=10)
