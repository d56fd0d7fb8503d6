"""Does a network learn more where, at plateaus, cells that pass little on die and cells that pass much on divide?

DNA (dynamic neural architecture) lets cells divide or die by their passthrough, in waves once learning rests. In the field's terms:
passthrough is a cell's rate times the sum of its outgoing weights; in a division the twins copy all inputs and share each output, so that
nothing of the signal is lost (its program loses a quarter). 60 leaky cells see 8 random pixels each of real digits (scikit-learn's 8 x 8
images) by STDP synapses of a fixed sum; ten readout cells, one a class, learn to fire as a teacher wants. "extinction": a wave wherever
validation accuracy has not risen by 0.01 for two epochs: the lowest tenth dies, the highest tenth divides. Controls: "fixed", no waves,
which as births equal deaths is a network of the same final size; "by chance", as many, but any cells (yoked); "fresh cells", new random
cells in place of twins. "thresholds": the program's own rule (twice a scale divides, half of it dies, the scale halves with each wave).
The same with Hodgkin-Huxley cells, which differ in one argument, Plan.cell: weights are given as potentials (psp).

Expected finding (10 seeds; 95 % intervals; points lost at once are of the 200 validation images): among leaky cells passthrough tells who
can go: the lowest tenth costs 2.3 points of accuracy (0.3 to 4.2), a tenth by chance 3.6 more (0.5 to 6.7), a division 0.7 (-1.2 to 2.5),
one of twins alike exactly nothing. So waves by passthrough end 2.4 points above waves by chance (0.9 to 3.8), but 2.4 below no waves (1.7
to 3.0; by a linear readout of their spikes 0.4, -0.1 to 0.8): division brings nothing new, as twins see the same pixels. Fresh cells in
their place do no harm (0.4, -0.4 to 1.1) and no good. The program's thresholds give 32 times the cells in six waves, for the same accuracy
(5 seeds: +0.2, -1.5 to 1.9; linear -0.4, -0.9 to 0.0). With Hodgkin-Huxley cells (5 seeds) the readout learns less (0.63, linear 0.90) and
waves cost as much (2.6, 1.0 to 4.1), but passthrough does not tell who can go (the lowest tenth costs 4.3, a tenth by chance 5.4 less, -3.9
to 14.7). Goals that are missed: 0.1 points lost by a division, 1 by deaths, waves that end within 0.5 of none, 0.95 of the digits told
(0.84).

References: Ponulak & Kasinski (2010), doi:10.1162/neco.2009.11-08-901 (learning of the readout); Song, Miller & Abbott (2000),
doi:10.1038/78829 (STDP); Dohare et al. (2024), doi:10.1038/s41586-024-07711-7 (fresh units in place of those that contribute least, by the
same measure); Traub & Miles (1991), doi:10.1017/CBO9780511895401; Alpaydin & Kaynak (1998), doi:10.24432/C50P49 (digits).
Runtime on 2 cores, after the first compile (some seconds): smoke 15 seconds, small one minute, full five minutes.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import Hz, ms, mV, second

IMAGE, SPIKES, TAUGHT = 100 * ms, 600, 150 * Hz  # duration and input spikes of an image; rate that is wanted of its class's readout cell
PIXELS, DRIVE, READ = 8, 3.2 * mV, 3 * mV  # inputs of a cell, the sum of their weights; largest readout weight, of either sign
FRACTION, JITTER = 0.1, 1.0  # of the cells that die and that divide in a wave; of the input weights of twins
LEARNING = ("input_to_exc.learning", "exc_to_readout.learning")
SETTLING = (0.5, 0.25, 0.12, 0.06)  # factors of learning in the last epochs
PASSED = ns.Passthrough(projection="exc_to_readout")
EXTINCTION, CHANCE, FIXED, FRESH = KINDS = ("extinction", "by chance", "fixed", "fresh cells")
PROGRAM, HH = "thresholds", ", Hodgkin-Huxley"
FEW = {PROGRAM: (PROGRAM, ""), EXTINCTION + HH: (EXTINCTION, HH), FIXED + HH: (FIXED, HH)}  # lives of the first five seeds
CELLS = {"": "leaky_conductance", HH: "traub_miles"}
SCALE, LAST = 150 * mV * Hz, 6  # what a cell of the program has to pass on, halved at each of its last waves, one an epoch
MARGINS = {"readout cells": 0.005, "linear readout": 0.005, "gain": None}


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: the kind of cell, how many, epochs of learning, images of an epoch and at most of a part."""

    cell: str = "leaky_conductance"
    cells: int = 60
    epochs: int = 24
    images: int = 200
    most: int | None = None

    @property
    def backend(self) -> ns.Brian2:
        """The backend, with a time step that suits the cell."""
        return ns.Brian2(dt=0.5 * ms if self.cell == "leaky_conductance" else 0.1 * ms)


PLANS = {"full": Plan(), "small": Plan(epochs=10, images=100), "smoke": Plan(cells=10, epochs=7, images=2, most=3)}


def shown(images: np.ndarray, start=0 * second) -> ns.Presentations:
    """Present images, each with the same number of spikes in all."""
    return ns.Presentations.of_images("input", images, SPIKES, IMAGE, start)


def taught(labels: np.ndarray) -> list[ns.Reward]:
    """Let a teacher want spikes of the readout cell of each image's class, while it is shown, and none of the others."""
    change = np.diff(np.concatenate([np.zeros((1, 10)), labels[:, None] == np.arange(10)]), axis=0)
    at = [np.flatnonzero(one) for one in change.T]
    return [ns.Reward("readout", at[k] * IMAGE, change[at[k], k] * TAUGHT, "teacher", cells=[k], name=f"teacher of {k}") for k in range(10)]


def newborn(plan: Plan, seed: int, policy: str = "split") -> ns.Circuit:
    """Make a circuit of 64 inputs, cells that see some of them at random, and ten readout cells, one for each class."""
    cell = ns.load_cell(plan.cell)
    total = ns.psp(DRIVE).weight(cell.receptors["g_exc"], "the sum of input weights")
    stdp = ns.load_synapse("stdp_potentiation").replace(A_plus=0.002, w_max=total, w_total=total, normalise="incoming")
    taught_rule = ns.load_synapse("stdp_supervised").replace(A=0.0016, w_max=READ, w_min=-READ)
    reader = ns.load_cell("leaky_adaptive_threshold").replace(tau_m=20 * ms, theta_plus=0 * mV).keeping(taught_rule)
    pixels, exc, readout = ns.create("input", "spike_source", 64), ns.create("exc", cell, plan.cells), ns.create("readout", reader, 10)
    weight = ns.Uniform(0 * total, 2 / PIXELS * total)
    inputs = ns.connect(pixels, exc, stdp, ns.FixedInDegree(PIXELS), receptor="g_exc", weight=weight, seed=seed)
    outputs = ns.connect(exc, readout, taught_rule, ns.AllToAll(), receptor="v", weight=0 * mV)
    return ns.Circuit([pixels, exc, readout], [one.replace(newborn=policy) for one in (inputs, outputs)], seed=seed)


def wave(kind: str, cells: int) -> list:
    """Return the rules of a wave: those who pass least on die; those who pass most on divide, or as many new cells are born."""
    if kind == PROGRAM:
        levels = [SCALE / 2**epoch for epoch in range(LAST)]
        die, divide = (ns.Schedule([to(PASSED, by * level) for level in levels]) for to, by in ((ns.Below, 0.5), (ns.Above, 2)))
    else:
        die, divide = ns.Bottom(FRACTION, PASSED), ns.Top(FRACTION, PASSED)
    born = ns.Neurogenesis("exc", count=int(FRACTION * cells)) if kind == FRESH else ns.Division("exc", divide, jitter=JITTER)
    return [ns.Apoptosis("exc", die, floor=1), born]


def life(kind: str, plan: Plan) -> ns.Lifecycle:
    """Describe a life: learning, with waves where validation accuracy has not risen by 0.01 for two epochs, and settling."""
    rules, epochs = wave(kind, plan.cells), plan.epochs
    if kind == PROGRAM:
        phases = [ns.Phase("learning", epochs - LAST), ns.Phase("waves", LAST, rules)]
    else:
        waves = [ns.Extinction(rules, measure="accuracy", min_delta=0.01, patience=2, cooldown=1)]
        phases = [ns.Phase("learning", epochs, [] if kind == FIXED else waves)]
    settling = ns.Phase("settling", len(SETTLING), modulate=dict.fromkeys(LEARNING, SETTLING))
    return ns.Lifecycle(plan.images * IMAGE, [*phases, settling])


def responses(circuit: ns.Circuit, images: np.ndarray, backend) -> tuple:
    """Show images while nothing learns; return the recording and the spikes of each hidden and of each readout cell to each."""
    given = shown(images, circuit.time)
    how = {"modulate": dict.fromkeys(LEARNING, 0.0), "backend": backend, "progress": False}
    _, recording = ns.simulate(circuit, len(images) * IMAGE, inputs=[given], **how)
    return recording, *(measures.responses(recording, name, given) for name in ("exc", "readout"))


def accuracy(circuit: ns.Circuit, part: tuple, backend) -> float:
    """Return how often the readout cell that fires most is that of the class."""
    return float((responses(circuit, part[0], backend)[2].argmax(axis=1) == part[1]).mean())


def drops(circuit: ns.Circuit, part: tuple, backend, rng) -> dict:
    """Tell how many points of accuracy are lost at once by each half of a wave, and by deaths of cells chosen by chance."""
    recording, _, read = responses(circuit, part[0], backend)
    dying, dividing = wave(EXTINCTION, len(circuit["exc"]))
    chance = ns.Apoptosis("exc", count=int(FRACTION * len(circuit["exc"])))
    rules = {"twins alike": replace(dividing, jitter=0.0), "division": dividing, "apoptosis": dying, "deaths by chance": chance}
    before = (read.argmax(axis=1) == part[1]).mean()
    after = {name: accuracy(ns.apply(circuit, rule(circuit, recording, rng)), part, backend) for name, rule in rules.items()}
    return {f"lost: {name}": 100 * float(before - one) for name, one in after.items()}


def live(kind: str, seed: int, plan: Plan, *, folder: Path, progress) -> dict:
    """Live one life, kept in its folder, and return its accuracies."""
    backend, data, lifecycle, rng = plan.backend, ns.digits(validate=200, most=plan.most), life(kind, plan), np.random.default_rng(seed)
    (train, train_y), shows = data["train"], lifecycle.epochs * plan.images
    order = np.concatenate([rng.permutation(len(train)) for _ in range(shows // len(train) + 1)])[:shows]
    led = None if kind == EXTINCTION else ns.load_history(folder.with_name(folder.name.replace(kind, EXTINCTION, 1)))
    lifecycle = ns.yoked(lifecycle, led) if kind == CHANCE else lifecycle
    history = ns.develop(
        newborn(plan, seed, "wire" if kind == FRESH else "split"), lifecycle, inputs=[shown(train[order]), *taught(train_y[order])],
        measure=lambda circuit, recording: {"accuracy": accuracy(circuit, data["valid"], backend)},
        backend=backend, progress=progress, keep=ns.RunFolder(folder, resume=True),
    )  # fmt: skip
    (_, known, _), (_, asked, read) = (responses(history.circuit, data[part][0], backend) for part in ("train", "test"))
    test_y, course, cells = data["test"][1], history.measures["accuracy"][: plan.epochs], history.series("exc")["size"]
    waves = np.unique((led or history).events["epoch"])  # of the first life of the seed, for all of its lives
    regression = LogisticRegression(max_iter=5000).fit(np.sqrt(known), train_y)
    changed = drops(history.circuits["learning"], data["valid"], backend, rng) if kind == EXTINCTION else {}
    return {
        "readout cells": float((read.argmax(axis=1) == test_y).mean()),
        "linear readout": float(regression.score(np.sqrt(asked), test_y)),
        "gain": float(course[waves[2] :].max() - course[: waves[0]].max()) if len(waves) > 2 and waves[2] < len(course) else np.nan,
        "waves": len(np.unique(history.events["epoch"])),
        "last N / first": float(cells[-1] / cells[0]),
        "largest step": float(abs(cells[1:] / cells[:-1] - 1).max()),
    } | changed  # fmt: skip


def dna_extinction(run: study.Run) -> tuple[dict, str]:
    """Run the study: lives of all kinds, cells and seeds, comparisons, figures."""
    plans, lives = {key: replace(PLANS[run.scale], cell=cell) for key, cell in CELLS.items()}, {}
    kinds = {kind: (kind, "") for kind in KINDS} | FEW
    seeds = {name: run.seeds[:5] if name in FEW else run.seeds for name in kinds}
    for led in (False, True):
        some = {name: (kind, plans[cell]) for name, (kind, cell) in kinds.items() if (kind != EXTINCTION) == led}
        lives |= run.each(live, {f"{name}, seed {seed}": (kind, seed, plan) for name, (kind, plan) in some.items() for seed in seeds[name]})
    found = {name: [lives[f"{name}, seed {seed}"] for seed in seeds[name]] for name in kinds}
    votes = {kind: [one["readout cells"] for one in found[kind]] for kind in KINDS}
    figures.save(figures.comparison(votes, FIXED, MARGINS["readout cells"], "accuracy of readout cells"), run.folder, "comparison")
    courses: dict = {"accuracy": {}, "doublings of cells": {}}
    for name in (EXTINCTION, FIXED, *FEW):
        lived = [ns.load_history(run.folder / "lives" / f"{name}, seed {seed}") for seed in seeds[name]]
        times = np.arange(1, len(lived[0].epochs)) * plans[""].images * IMAGE
        courses["accuracy"][name] = times, [one.measures["accuracy"] for one in lived]
        courses["doublings of cells"][name] = times, [np.log2(one.series("exc")["size"][1:] / plans[""].cells) for one in lived]
    figures.save(figures.courses(courses), run.folder, "courses")
    pairs = {FIXED: KINDS, CHANCE: (EXTINCTION, CHANCE), FIXED + HH: tuple(FEW)[1:]}
    parts = [study.compare({name: found[name] for name in names}, reference, MARGINS) for reference, names in pairs.items()]
    parts.append(study.compare({FIXED: found[FIXED][: len(seeds[PROGRAM])], PROGRAM: found[PROGRAM]}, FIXED, MARGINS))
    columns, title = list(found[EXTINCTION][0]), f"means, seeds: {len(run.seeds)} ({len(seeds[PROGRAM])} of {PROGRAM}{HH})"
    lost = {name: found[name] for name in (EXTINCTION, EXTINCTION + HH)}
    parts.append(study.tabulate_spread("points lost at once", lost, [name for name in columns if name.startswith("lost")]))
    return found, "\n\n".join([study.tabulate(title, found, columns), *parts])


if __name__ == "__main__":
    study.conduct(dna_extinction, __doc__, seeds=10)
