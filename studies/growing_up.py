"""Does a spiking network that is born small, divides, prunes and settles learn as well as one of fixed size?

Rate-coded images of handwritten digits (scikit-learn's 1797 real 8 x 8 images) drive leaky cells with an adaptive threshold that inhibit
one another; their input synapses learn by STDP with normalised incoming weights, without labels. The developing network begins with 10
cells. Proliferation: the busiest cells divide. Critical period: high plasticity. Pruning: idle cells die, weak synapses go, some grow
again. Adulthood: low plasticity, little turnover. A network of fixed size sees as many images. At the end cells are labelled by their
responses to the training images; the test images are used once.

Expected finding: the developing network ends about as good as the fixed one (1 to 2 points below), not better; both stay below k-means with
as many centres and below logistic regression on the pixels. Without normalisation of weights, or with twins that divide without any difference, it fails.

References: Diehl & Cook (2015), doi:10.3389/fncom.2015.00099 (STDP, adaptive threshold, inhibition, label vote);
Song, Miller & Abbott (2000), doi:10.1038/78829 (STDP); Alpaydin & Kaynak (1998), doi:10.24432/C50P49 (digits).
Runtime on 2 cores, after the first compile (about a minute): smoke seconds, small about a minute, full about 5 minutes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import neurosim as ns
from neurosim import measures, study
from neurosim.units import ms, mV, second

IMAGE, SPIKES = 100 * ms, 1200  # presentation of one image: its duration and input spikes
FROZEN = {"input_to_exc.learning": 0.0, "exc.learning": 0.0}
MARGIN = 0.02  # of accuracy, within which two networks count as equally good


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells at first and at last, images of an epoch and at most of a part, seeds."""

    first: int = 10
    last: int = 100
    images: int = 1297
    seeds: int = 3
    controls: bool = True
    target: str = "auto"
    most: int | None = None


PLANS = {
    "full": Plan(),
    "small": Plan(first=25, last=50, images=300, seeds=1, controls=False),
    "smoke": Plan(first=3, last=6, images=2, seeds=1, controls=False, target="numpy", most=12),
}


def digits(plan: Plan) -> dict:
    """Split the images: 500 to test, 147 to validate, 1150 to train; the same for every seed."""
    images, labels = load_digits(return_X_y=True)
    rest, test, rest_y, test_y = train_test_split(images, labels, test_size=500, train_size=1297, stratify=labels, random_state=0)
    train, valid, train_y, valid_y = train_test_split(rest, rest_y, test_size=147, stratify=rest_y, random_state=0)
    parts = {"train": (train, train_y), "valid": (valid, valid_y), "test": (test, test_y)}
    return {name: (part[: plan.most], part_y[: plan.most]) for name, (part, part_y) in parts.items()}


def shown(images: np.ndarray, start=0 * second) -> ns.Presentations:
    """Present images, each with the same number of spikes in all."""
    return ns.Presentations("input", SPIKES * images / images.sum(axis=1, keepdims=True) / IMAGE, IMAGE, start)


def newborn(cells: int, seed: int, normalise: str | None) -> ns.Circuit:
    """Make a circuit of 64 inputs and so many learning cells."""
    pixels = ns.create("input", "spike_source", 64)
    slow = ns.load_cell("leaky_adaptive_threshold").replace(tau_m=100 * ms, V_th=-58 * mV, theta_min=-6 * mV, target_count=1.5)
    exc = ns.create("exc", slow, cells)
    learning = ns.load_synapse("stdp_potentiation").replace(
        A_plus=0.001, tau_plus=30 * ms, w_max=1 * mV, w_total=1 * mV, normalise=normalise
    )
    weights = ns.Uniform(0.006 * mV, 0.026 * mV)
    inputs = ns.connect(pixels, exc, learning, ns.AllToAll(), receptor="v", weight=weights, seed=seed)
    lateral = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="direct_inhibition", weight=100 * mV)
    return ns.Circuit([pixels, exc], [inputs, lateral.replace(name="lateral", newborn="wire")], seed=seed)


def life(kind: str, plan: Plan) -> ns.Lifecycle:
    """Describe the life of a network: eight epochs, in four phases if it develops."""
    epoch = plan.images * IMAGE

    def learning(*factors):
        return {"input_to_exc.learning": factors, "exc.learning": factors}

    if kind == "fixed":
        return ns.Lifecycle(epoch, [ns.Phase("fixed", 8, modulate=learning(*0.05 ** (np.arange(8) / 7)))])
    divide = ns.Division("exc", ns.Busiest(), until=plan.last, jitter=0.0 if kind == "identical twins" else 0.15)
    idle = ns.Apoptosis("exc", ns.RateBelow(0.4))
    rewire = ns.Rewiring("input_to_exc", prune=ns.WeightBelow(0.02), regrow=0.02 / epoch, weight=0.03)
    settle = ns.Rewiring("input_to_exc", prune=ns.WeightBelow(0.02), hazard=0.1 / epoch, regrow=0.002 / epoch, weight=0.03)
    phases = [
        ns.Phase("proliferation", 4, [divide], learning(1, 1, 1, 1)),
        ns.Phase("critical period", 1, [], learning(1)),
        ns.Phase("pruning", 2, [idle, rewire, divide], learning(0.37, 0.14)),
        ns.Phase("adulthood", 1, [settle], learning(0.05)),
    ]
    return ns.Lifecycle(epoch, phases)


def responses(circuit: ns.Circuit, images: np.ndarray, backend) -> np.ndarray:
    """Count the spikes of each cell to each image while nothing learns."""
    images_shown = shown(images, circuit.time)
    _, recording = ns.simulate(circuit, len(images) * IMAGE, inputs=[images_shown], modulate=FROZEN, backend=backend, progress=False)
    return measures.responses(recording, "exc", images_shown)


def live(kind: str, seed: int, plan: Plan, folder: Path | None, progress) -> dict:
    """Live one life and return its accuracies; `folder` is where its history is kept."""
    backend, data = ns.Brian2(dt=1 * ms, target=plan.target), digits(plan)
    train, train_y = data["train"]
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(train)) for _ in range(8 * plan.images // len(train) + 1)])[: 8 * plan.images]
    circuit = newborn(plan.last if kind == "fixed" else plan.first, seed, None if kind == "no normalisation" else "incoming")

    def accuracy(circuit, recording):
        labels = measures.assign_labels(responses(circuit, train[::2], backend), train_y[::2])
        return {"accuracy": float((measures.vote(responses(circuit, data["valid"][0], backend), labels) == data["valid"][1]).mean())}

    onto_first = circuit["input_to_exc"].ids[circuit["input_to_exc"].synapses["post"] == 0]
    kept = {"record": [ns.Trace("input_to_exc", "weight", synapses=onto_first[[20, 28, 35]], every=plan.images * IMAGE / 100)]}
    kept = kept | {"measure": accuracy} if folder else {}
    history = ns.develop(circuit, life(kind, plan), inputs=[shown(train[order])], backend=backend, progress=progress, **kept)
    if folder:
        ns.save_history(history, folder)
    known, asked = (responses(history.circuit, images, backend) for images in (train, data["test"][0]))
    votes = measures.vote(asked, measures.assign_labels(known, train_y))
    readout = LogisticRegression(max_iter=5000).fit(np.sqrt(known), train_y)
    return {
        "label vote": float((votes == data["test"][1]).mean()),
        "linear readout": float(readout.score(np.sqrt(asked), data["test"][1])),
        "silent images": float((asked.sum(axis=1) == 0).mean()),
        "silent cells": float((known.sum(axis=0) == 0).mean()),
    }


def baselines(plan: Plan) -> dict:
    """Classify the pixels without any network: k-means with as many centres as cells, and logistic regression."""
    (train, train_y), (test, test_y) = (digits(plan)[part] for part in ("train", "test"))
    centres = KMeans(min(plan.last, len(train)), n_init=3, random_state=0).fit(train)
    names = np.array([np.bincount(train_y[centres.labels_ == k], minlength=10).argmax() for k in range(centres.n_clusters)])
    regression = LogisticRegression(max_iter=5000).fit(train / 16, train_y)
    return {
        f"k-means, {centres.n_clusters} centres": {"label vote": float((names[centres.predict(test)] == test_y).mean())},
        "logistic regression": {"linear readout": float(regression.score(test / 16, test_y))},
    }


def draw(history: ns.History, plan: Plan, out: Path) -> None:
    """Draw the figures of one developing life, each with its data."""
    backend, (images, _) = ns.Brian2(dt=1 * ms, target=plan.target), digits(plan)["valid"]
    learner = history.circuits["critical period"]
    few = shown(images[:10], learner.time)
    record = [ns.Trace("exc", "v"), ns.Trace("exc", "theta")]
    _, seen = ns.simulate(learner, len(few.rates) * IMAGE, inputs=[few], record=record, backend=backend, progress=False)
    part, threshold = seen["exc"], learner["exc"].model.namespace()["V_th"]
    busiest = np.sort(part.ids[np.argsort(-part.counts, kind="stable")[:3]])
    figure = ns.figures.membrane(seen, "exc", cells=busiest, threshold=threshold)
    ns.figures.save(figure, out, "membrane", part.columns("v", "theta", ids=busiest))
    spikes = {name: seen[name].spikes.columns() for name in ("input", "exc")}
    columns = {key: np.concatenate([spikes[name][key] for name in spikes]) for key in ("cell", "time (s)")}
    columns["population"] = np.repeat(list(spikes), [len(one["cell"]) for one in spikes.values()])
    ns.figures.save(ns.figures.raster(seen), out, "raster", columns)
    weights = history.recording["input_to_exc"]
    ns.figures.save(ns.figures.weights(history, "input_to_exc"), out, "weights", weights.columns("weight"))
    fields = {phase: np.asarray(circuit.weight_matrix("input_to_exc") / mV).T[:20] * mV for phase, circuit in history.circuits.items()}
    columns = {f"{phase}, cell {n} (mV)": np.asarray(field / mV) for phase, block in fields.items() for n, field in enumerate(block)}
    ns.figures.save(ns.figures.receptive_fields(fields), out, "receptive_fields", columns)
    columns = {key: history.series("exc")[key] for key in ("epoch", "phase", "size", "births", "deaths")}
    columns |= {"synapses": history.series("input_to_exc")["size"], "accuracy": np.append(np.nan, history.measures["accuracy"])}
    ns.figures.save(ns.figures.census(history, "accuracy", names=["exc", "input_to_exc"]), out, "census", columns)


def main() -> dict:
    """Run the study: lives of all kinds and seeds, baselines, figures, tables."""
    options = study.arguments(__doc__)
    plan, seeds = PLANS[options.scale], range(options.seed, options.seed + PLANS[options.scale].seeds)
    out = study.new_folder(options.out, "growing_up")
    responses(newborn(2, 0, "incoming"), digits(plan)["train"][0][:1], ns.Brian2(dt=1 * ms, target=plan.target))  # compiles, once
    cases = {f"{kind} {seed}": (kind, seed, plan, None) for kind in ("developing", "fixed") for seed in seeds}
    if plan.controls:
        cases |= {kind: (kind, options.seed, plan, None) for kind in ("no normalisation", "identical twins")}
    cases[f"developing {options.seed}"] = ("developing", options.seed, plan, out / "life")
    results = study.each(live, cases) | baselines(plan)
    study.write_json(out / "results.json", results)
    history = ns.load_history(out / "life")
    draw(history, plan, out)
    print("\n" + study.tabulate("accuracy on the test images", results, ["label vote", "linear readout", "silent images", "silent cells"]))
    pair = [[results[f"{kind} {seed}"]["label vote"] for seed in seeds] for kind in ("developing", "fixed")]
    print(f"\nlabel vote, developing minus fixed: {measures.paired_comparison(*pair, MARGIN)}")
    print(f"figures, data and history: {out}\n\n" + history.table(["exc"], ["input_to_exc"]))
    return results


if __name__ == "__main__":
    main()
