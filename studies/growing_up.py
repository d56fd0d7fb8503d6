"""Does a spiking network that is born small, divides, prunes and settles learn as well as one of fixed size?

Rate-coded images of handwritten digits (scikit-learn's 1797 real 8 x 8 images) drive leaky cells with an adaptive
threshold that inhibit one another; their input synapses learn by STDP with normalised incoming weights, without labels.
The developing network begins with 10 cells. Proliferation: the busiest cells divide. Critical period: high plasticity.
Pruning: idle cells die, weak synapses go and some grow again. Adulthood: low plasticity, little turnover. A network of
fixed size sees the same number of images. At the end cells are labelled by their responses to the training images; the
test images are used once.

Expected finding: the developing network ends about as good as the fixed one, not better; both stay below k-means with as
many centres and below logistic regression on the pixels. Without normalisation of weights, or with twins that divide
without any difference between them, it fails.

References: Diehl & Cook (2015), doi:10.3389/fncom.2015.00099 (STDP, adaptive threshold, inhibition, label vote);
Song, Miller & Abbott (2000), doi:10.1038/78829 (STDP); Alpaydin & Kaynak (1998), doi:10.24432/C50P49 (digits).
Runtime on 2 cores, after the first compile (about a minute): smoke seconds, small about a minute, full about 5 minutes.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import neurosim as ns
from neurosim import measures, study
from neurosim.units import Hz, ms, mV, second

IMAGE = 100 * ms  # presentation of one image
SPIKES = 1200  # input spikes of one image
FROZEN = {"input_to_exc.learning": 0.0, "exc.learning": 0.0}
MARGIN = 0.02  # of accuracy, within which two networks count as equally good


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: cells at first and at last, images an epoch and of each part, seeds, target."""

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
    return {name: (x[: plan.most], y[: plan.most]) for name, (x, y) in parts.items()}


def shown(images: np.ndarray, start=0 * second) -> ns.Presentations:
    """Present images, each with the same number of spikes in all."""
    return ns.Presentations("input", SPIKES * images / images.sum(axis=1, keepdims=True) / IMAGE, IMAGE, start)


def newborn(cells: int, seed: int, normalise: str | None) -> ns.Circuit:
    """Make a circuit of 64 inputs and so many learning cells."""
    pixels = ns.create("input", "spike_source", 64)
    slow = ns.load_cell("leaky_adaptive_threshold").replace(tau_m=100 * ms, V_th=-58 * mV, theta_min=-6 * mV, target_count=1.5)
    exc = ns.create("exc", slow, cells)
    learning = ns.load_synapse("stdp_pair").replace(
        A_plus=0.001, A_minus=0.0, tau_plus=30 * ms, w_max=1 * mV, w_total=1 * mV, normalise=normalise, on_presentation="x = 0\ny = 0"
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
    return ns.Lifecycle(
        epoch,
        [
            ns.Phase("proliferation", 4, [divide], learning(1, 1, 1, 1)),
            ns.Phase("critical period", 1, [], learning(1)),
            ns.Phase("pruning", 2, [idle, rewire, divide], learning(0.37, 0.14)),
            ns.Phase("adulthood", 1, [settle], learning(0.05)),
        ],
    )


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

    def accuracy(circuit, recording=None, part="valid"):
        labels = measures.assign_labels(responses(circuit, train, backend), train_y)
        return {"accuracy": float((measures.vote(responses(circuit, data[part][0], backend), labels) == data[part][1]).mean())}

    traced = circuit["input_to_exc"].synapses["post"] == 0
    chosen = circuit["input_to_exc"].ids[traced][[20, 28, 35]]
    history = ns.develop(
        circuit, life(kind, plan), inputs=[shown(train[order])], backend=backend, measure=accuracy if folder else None, progress=progress,
        record=[ns.Trace("input_to_exc", "weight", synapses=chosen, every=plan.images * IMAGE / 100)],
    )  # fmt: skip
    if folder:
        ns.save_history(history, folder)
    adult = history.circuit
    known, asked = responses(adult, train, backend), responses(adult, data["test"][0], backend)
    votes = measures.vote(asked, measures.assign_labels(known, train_y))
    readout = LogisticRegression(max_iter=5000).fit(np.sqrt(known), train_y)
    test_y = data["test"][1]
    return {
        "label vote": float((votes == test_y).mean()), "linear readout": float(readout.score(np.sqrt(asked), test_y)),
        "silent images": float((asked.sum(axis=1) == 0).mean()), "silent cells": float((known.sum(axis=0) == 0).mean()), "cells": len(adult["exc"]),
    }  # fmt: skip


def draw(history: ns.History, plan: Plan, out: Path) -> None:
    """Draw the figures of one developing life, each with its data."""
    backend, (images, _) = ns.Brian2(dt=1 * ms, target=plan.target), digits(plan)["valid"]
    learner = history.circuits["critical period"]
    few = shown(images[:10], learner.time)
    record = [ns.Trace("exc", "v"), ns.Trace("exc", "theta")]
    _, seen = ns.simulate(learner, len(few.rates) * IMAGE, inputs=[few], record=record, backend=backend, progress=False)
    part = seen["exc"]
    busiest = np.sort(part.ids[np.argsort(-part.counts, kind="stable")[:3]])
    rows = learner["exc"].rows(busiest)
    columns = {"time (ms)": part.trace("v").t / ms} | {f"v of cell {n} (mV)": v / mV for n, v in zip(busiest, part.v[rows], strict=True)}
    columns |= {f"theta of cell {n} (mV)": theta / mV for n, theta in zip(busiest, part.theta[rows], strict=True)}
    threshold = learner["exc"].model.namespace()["V_th"]
    ns.figures.save(ns.figures.membrane(seen, "exc", cells=busiest, threshold=threshold), out, "membrane", columns)
    columns = {"cell": part.spikes.id, "time (ms)": part.spikes.t / ms}
    ns.figures.save(ns.figures.raster(seen, "exc"), out, "raster", columns)
    weights = history.recording["input_to_exc"].trace("weight")
    columns = {"time (s)": weights.t / second} | {f"weight of synapse {n} (mV)": w / mV for n, w in zip(weights.ids, weights.values, strict=True)}
    ns.figures.save(ns.figures.weights(history.recording, "input_to_exc"), out, "weights", columns)
    fields = {phase: np.asarray(circuit.weight_matrix("input_to_exc") / mV).T[:20] * mV for phase, circuit in history.circuits.items()}
    columns = {f"{phase}, cell {n} (mV)": np.asarray(field / mV) for phase, block in fields.items() for n, field in enumerate(block)}
    ns.figures.save(ns.figures.receptive_fields(fields), out, "receptive_fields", columns)
    cells, synapses = history.series("exc"), history.series("input_to_exc")
    columns = {"epoch": cells["epoch"], "cells": cells["size"], "births": cells["births"], "deaths": cells["deaths"], "synapses": synapses["size"]}
    columns |= {name: np.append(np.nan, values) for name, values in history.measures.items()}
    ns.figures.save(ns.figures.census(history, "accuracy", names=["exc", "input_to_exc"]), out, "census", columns)


def main(argv=None) -> dict:
    """Run the study: lives of all kinds and seeds, baselines, figures, tables."""
    options = study.arguments(__doc__, argv)
    plan = PLANS[options.scale]
    out = study.new_folder(options.out, "growing_up")
    responses(newborn(2, 0, "incoming"), digits(plan)["train"][0][:1], ns.Brian2(dt=1 * ms, target=plan.target))  # compiles, once
    seeds = range(options.seed, options.seed + plan.seeds)
    kinds = ["developing", "fixed"] + ["no normalisation", "identical twins"] * plan.controls
    cases = {f"{kind} {seed}": (kind, seed, plan) for kind in kinds for seed in (seeds if kind in kinds[:2] else seeds[:1])}
    first = f"developing {options.seed}"
    results = study.each(live, {name: (*case, out / "life" if name == first else None) for name, case in cases.items()})
    (train, train_y), (test, test_y) = (digits(plan)[part] for part in ("train", "test"))
    centres = KMeans(min(plan.last, len(train)), n_init=3, random_state=0).fit(train)
    votes = np.array([np.bincount(train_y[centres.labels_ == k], minlength=10).argmax() for k in range(centres.n_clusters)])
    results["k-means"] = {"label vote": float((votes[centres.predict(test)] == test_y).mean())}
    results["logistic regression"] = {"linear readout": float(LogisticRegression(max_iter=5000).fit(train / 16, train_y).score(test / 16, test_y))}
    history = ns.load_history(out / "life")
    draw(history, plan, out)
    study.write_json(out / "results.json", results)
    print(f"\n{'accuracy on the test images':<30}{'label vote':>12}{'linear readout':>16}{'silent images':>15}")
    for name, result in results.items():
        print(f"{name:<30}" + "".join(f"{result.get(key, np.nan):>{width}.3f}".replace("nan", "  -") for key, width in (("label vote", 12), ("linear readout", 16), ("silent images", 15))))
    pair = [[results[f"{kind} {seed}"]["label vote"] for seed in seeds] for kind in ("developing", "fixed")]
    print(f"\ndeveloping minus fixed, label vote, {len(seeds)} seed{'s' * (len(seeds) > 1)}: {measures.paired_comparison(*pair, MARGIN)}")
    print(f"figures, data and history: {out}\n")
    print(history.table(["exc"], ["input_to_exc"]))
    return results


if __name__ == "__main__":
    main(sys.argv[1:])
