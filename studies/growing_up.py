"""Does a spiking network that is born small, divides, prunes and settles learn as well as one of fixed size?

Rate-coded images of handwritten digits (scikit-learn's 1797 real 8 x 8 images) drive leaky cells with an adaptive threshold that inhibit
one another; their input synapses learn by STDP with normalised weights, without labels. The developing network begins with 10 cells or 1.
Proliferation: the busiest cells divide. Critical period: high plasticity. Pruning: idle cells die, weak synapses go, some grow again.
Adulthood: low plasticity, little turnover. At the end cells are labelled by their responses to the training images; the test images are
used once. Controls, all with as many images: a network of fixed size, with all synapses or as many as the developing one ends with; growth
without death and pruning; as many events, but of cells and synapses chosen at random. Two must fail: no normalisation, identical twins.

Expected finding: the developing network ends about as good as the fixed one (1 to 2 points below), not better; both stay below k-means with
as many centres and below logistic regression on the pixels; pruning by weight costs little, pruning by chance a lot.

References: Diehl & Cook (2015), doi:10.3389/fncom.2015.00099 (STDP, adaptive threshold, inhibition, label vote);
Song, Miller & Abbott (2000), doi:10.1038/78829 (STDP); Alpaydin & Kaynak (1998), doi:10.24432/C50P49 (digits).
Runtime on 2 cores, after the first compile (some seconds): smoke 15 seconds, small 20 seconds, full two and a half minutes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import ms, mV, second

IMAGE, SPIKES = 100 * ms, 1200  # presentation of one image: its duration and input spikes
FROZEN = {"input_to_exc.learning": 0.0, "exc.learning": 0.0}
LEVEL = 0.8  # accuracy on the validation images up to which costs are compared
MARGINS = {"label vote": 0.02, "synapses": None, "thousand spikes": None, "million events": None, "million events to 0.8": None}
KINDS = ("from 10", "from 1", "fixed", "growth only", "random choices", "equal synapses")
FIXED = ("fixed", "equal synapses")
LED = ("random choices", "equal synapses")  # lives that follow that of "from 10"
FAILING = ("no normalisation", "identical twins")  # lives of the first seed only


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells at first and at last, images of an epoch and at most of a part, reports."""

    first: int = 10
    last: int = 100
    images: int = 1297
    target: str = "auto"
    most: int | None = None
    reports: tuple = ("from 10", "from 1")


PLANS = {"full": Plan(), "small": Plan(25, 50, 200, "auto", 300, ()), "smoke": Plan(3, 6, 3, "auto", 4, ("from 10",))}


def shown(images: np.ndarray, start=0 * second) -> ns.Presentations:
    """Present images, each with the same number of spikes in all."""
    return ns.Presentations.of_images("input", images, SPIKES, IMAGE, start)


def newborn(cells: int, seed: int, normalise: str | None = "incoming", synapses: int | None = None) -> ns.Circuit:
    """Make a circuit of 64 inputs and so many learning cells, with all input synapses or so many at random."""
    pixels = ns.create("input", "spike_source", 64)
    slow = ns.load_cell("leaky_adaptive_threshold").replace(tau_m=100 * ms, V_th=-58 * mV, theta_min=-6 * mV, target_count=1.5)
    exc = ns.create("exc", slow, cells)
    stdp = ns.load_synapse("stdp_potentiation").replace(A_plus=0.001, tau_plus=30 * ms, w_max=1 * mV, w_total=1 * mV, normalise=normalise)
    wiring = ns.AllToAll()
    if synapses is not None:
        wiring = ns.Pairs(*np.divmod(np.random.default_rng(seed).choice(64 * cells, synapses, replace=False), cells))
    inputs = ns.connect(pixels, exc, stdp, wiring, receptor="v", weight=ns.Uniform(0.006 * mV, 0.026 * mV), seed=seed)
    lateral = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="direct_inhibition", weight=100 * mV)
    return ns.Circuit([pixels, exc], [inputs, lateral.replace(name="lateral", newborn="wire")], seed=seed)


def life(kind: str, plan: Plan) -> ns.Lifecycle:
    """Describe the life of a network: eight epochs of learning, in four phases if it develops, in thirds of them if from one cell."""
    thirds = 3 if kind == "from 1" else 1
    epoch, whole = plan.images // thirds * IMAGE, plan.images * IMAGE

    def learning(*factors):
        factors = np.repeat(factors, thirds)
        return {"input_to_exc.learning": factors, "exc.learning": factors}

    if kind in FIXED:
        return ns.Lifecycle(epoch, [ns.Phase("fixed", 8, modulate=learning(*0.05 ** (np.arange(8) / 7)))])
    divide = ns.Division("exc", ns.Busiest(), until=plan.last, jitter=0.0 if kind == "identical twins" else 0.15)
    idle = ns.Apoptosis("exc", ns.RateBelow(0.4))
    rewire = ns.Rewiring("input_to_exc", prune=ns.WeightBelow(0.02), regrow=0.02 / whole, weight=0.03)
    settle = ns.Rewiring("input_to_exc", prune=ns.WeightBelow(0.02), hazard=0.1 / whole, regrow=0.002 / whole, weight=0.03)
    prunes = kind != "growth only"
    return ns.Lifecycle(epoch, [
        ns.Phase("proliferation", 4 * thirds, [divide], learning(1, 1, 1, 1)),
        ns.Phase("critical period", thirds, [], learning(1)),
        ns.Phase("pruning", 2 * thirds, [idle, rewire, divide] if prunes else [], learning(0.37, 0.14)),
        ns.Phase("adulthood", thirds, [settle] if prunes else [], learning(0.05)),
    ])  # fmt: skip


def responses(circuit: ns.Circuit, images: np.ndarray, backend) -> np.ndarray:
    """Count the spikes of each cell to each image while nothing learns."""
    images_shown = shown(images, circuit.time)
    _, recording = ns.simulate(circuit, len(images) * IMAGE, inputs=[images_shown], modulate=FROZEN, backend=backend, progress=False)
    return measures.responses(recording, "exc", images_shown)


def live(kind: str, seed: int, plan: Plan, folder: Path, progress) -> dict:
    """Live one life, kept in its folder, and return its accuracies and what it cost."""
    backend, data, lifecycle = ns.Brian2(dt=1 * ms, target=plan.target), ns.digits(validate=147, most=plan.most), life(kind, plan)
    (train, train_y), rng = data["train"], np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(train)) for _ in range(8 * plan.images // len(train) + 1)])[: 8 * plan.images]
    led = ns.load_history(folder.with_name(f"from 10, seed {seed}")) if kind in LED else None
    cells = plan.last if kind in FIXED else 1 if kind == "from 1" else plan.first
    synapses = len(led.circuit["input_to_exc"]) if kind == "equal synapses" else None
    circuit = newborn(cells, seed, None if kind == "no normalisation" else "incoming", synapses)

    def accuracy(circuit, recording):
        if (circuit.epoch + 1) % (lifecycle.epochs // 8):
            return {}
        labels = measures.assign_labels(responses(circuit, train[::4], backend), train_y[::4])
        return {"accuracy": float((measures.vote(responses(circuit, data["valid"][0], backend), labels) == data["valid"][1]).mean())}

    onto_first = circuit["input_to_exc"].ids[circuit["input_to_exc"].synapses["post"] == 0]
    some = onto_first[np.array([20, 28, 35]) * len(onto_first) // 64]
    record = [ns.Trace("input_to_exc", "weight", synapses=some, every=plan.images // 3 * IMAGE / 50)]
    lifecycle, keep = ns.yoked(lifecycle, led) if kind == "random choices" else lifecycle, ns.RunFolder(folder, resume=True)
    how = {"record": record, "measure": accuracy, "backend": backend, "progress": progress, "keep": keep}
    history = ns.develop(circuit, lifecycle, inputs=[shown(train[order])], **how)
    known, asked = (responses(history.circuit, images, backend) for images in (train, data["test"][0]))
    votes = measures.vote(asked, measures.assign_labels(known, train_y))
    readout = LogisticRegression(max_iter=5000).fit(np.sqrt(known), train_y)
    cost, good = history.cost, np.flatnonzero(history.measures["accuracy"] >= LEVEL)
    return {
        "label vote": float((votes == data["test"][1]).mean()),
        "linear readout": float(readout.score(np.sqrt(asked), data["test"][1])),
        "silent images": float((asked.sum(axis=1) == 0).mean()),
        "synapses": len(history.circuit["input_to_exc"]),
        "thousand spikes": cost["spikes"][-1] / 1e3,
        "million events": cost["events"][-1] / 1e6,
        "million events to 0.8": cost["events"][good[0]] / 1e6 if len(good) else np.nan,
    }


def baselines(plan: Plan) -> dict:
    """Classify the pixels without any network: k-means with as many centres as cells, and logistic regression."""
    (train, train_y), (test, test_y) = (ns.digits(validate=147, most=plan.most)[part] for part in ("train", "test"))
    centres = KMeans(min(plan.last, len(train)), n_init=3, random_state=0).fit(train)
    names = np.array([np.bincount(train_y[centres.labels_ == k], minlength=10).argmax() for k in range(centres.n_clusters)])
    regression = LogisticRegression(max_iter=5000).fit(train / 16, train_y)
    found = {f"k-means, {centres.n_clusters} centres": {"label vote": float((names[centres.predict(test)] == test_y).mean())}}
    return found | {"logistic regression": {"linear readout": float(regression.score(test / 16, test_y))}}


def draw(history: ns.History, plan: Plan, out: Path) -> None:
    """Draw what one developing life looked like at the end of its critical period, and what its cells had learned in each phase."""
    backend, (images, _), learner = (
        ns.Brian2(dt=1 * ms, target=plan.target),
        ns.digits(validate=147, most=plan.most)["valid"],
        history.circuits["critical period"],
    )
    few = shown(images[:10], learner.time)
    _, seen = ns.simulate(learner, 10 * IMAGE, inputs=[few], record=[ns.Trace("exc", "v"), ns.Trace("exc", "theta")], backend=backend)
    busiest = np.sort(seen["exc"].ids[np.argsort(-seen["exc"].counts, kind="stable")[:3]])
    figures.save(figures.membrane(seen, "exc", cells=busiest, threshold=learner["exc"].model.namespace()["V_th"]), out, "membrane")
    figures.save(figures.raster(seen), out, "raster")
    fields = {phase: np.asarray(circuit.weight_matrix("input_to_exc") / mV).T[:20] * mV for phase, circuit in history.circuits.items()}
    figures.save(figures.receptive_fields(fields), out, "receptive_fields")


def growing_up(run: study.Run) -> tuple[dict, str]:
    """Run the study: lives of all kinds and seeds, baselines, comparisons, figures."""
    plan, first = PLANS[run.scale], run.seeds[0]
    responses(
        newborn(2, 0), ns.digits(validate=147, most=plan.most)["train"][0][:1], ns.Brian2(dt=1 * ms, target=plan.target)
    )  # compiles, once
    wanted, lives = [(kind, seed) for seed in run.seeds for kind in KINDS] + [(kind, first) for kind in FAILING], {}
    for led in (False, True):
        lives |= run.each(live, {f"{kind}, seed {seed}": (kind, seed, plan) for kind, seed in wanted if (kind in LED) == led})
    by_kind = {kind: [lives[f"{kind}, seed {seed}"] for seed in run.seeds] for kind in KINDS}
    results = by_kind | {kind: lives[f"{kind}, seed {first}"] for kind in FAILING} | baselines(plan)
    histories = {kind: [ns.load_history(run.folder / "lives" / f"{kind}, seed {seed}") for seed in run.seeds] for kind in by_kind}
    votes = {kind: [one["label vote"] for one in found] for kind, found in by_kind.items()}
    figures.save(figures.comparison(votes, "fixed", MARGINS["label vote"], "label vote"), run.folder, "comparison")
    curves = {kind: [(one.cost["events"] / 1e6, one.measures["accuracy"]) for one in found] for kind, found in histories.items()}
    figures.save(figures.cost(curves, "synaptic events (millions)", "validation accuracy"), run.folder, "cost")
    draw(histories["from 10"][0], plan, run.folder)
    for kind in plan.reports:
        ns.write_report(run.folder / "lives" / f"{kind}, seed {first}")
    pair = {kind: by_kind[kind] for kind in ("from 10", "random choices")}
    parts = [study.tabulate(f"means, seeds: {len(run.seeds)}", results, list(by_kind["fixed"][0]))]
    parts += [study.compare(by_kind, "fixed", MARGINS), study.compare(pair, "random choices", MARGINS)]
    parts += [f"from 10, seed {first}", histories["from 10"][0].table(["exc"], ["input_to_exc"])]
    return results, "\n\n".join(parts)


if __name__ == "__main__":
    study.conduct(growing_up, __doc__, seeds=3)
