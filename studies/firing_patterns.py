"""Which firing patterns do AdEx and Izhikevich cells have, and does a classification by interspike intervals find the published ones?

The named parameter sets of the cells adex (Naud et al. 2008), izhikevich (2003) and izhikevich_2007 get one step of current, the published
one of each set. Each response is classified by its interspike intervals alone. The same cells are run with a coarser time step too, and
with noise on top of the step (Ornstein-Uhlenbeck with 5 ms and a standard deviation of 2 % of the step).

Expected finding: AdEx cells are called by the eight published names, whatever the time step. Izhikevich's types are named after tissue, not
after intervals, and their classes say what the name does not: chattering cells burst regularly, and intrinsically bursting ones begin with a
burst, as the regular spiking cell of 2003 does; low-threshold cells adapt; the other cells of 2007 are tonic. Noise of 2 % leaves most
classes as they are, but the intrinsically bursting cell of 2003 goes on to burst.

References: Naud et al. (2008), doi:10.1007/s00422-008-0264-7; Izhikevich (2003), doi:10.1109/TNN.2003.820440;
Izhikevich (2007), doi:10.7551/mitpress/2526.001.0001.
Runtime on 2 cores, after the first compile (half a minute): smoke some seconds, small 5 seconds, full 10 seconds.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.units import Quantity, ms, mV, pA

NOISE = 0.02  # standard deviation / step
# Izhikevich 2003, fig. 2, as in izhi2003.m of OpenSourceBrain/IzhikevichModel; the resonator, which that figure does not drive by a step, gets
# one above its threshold
CURRENTS_2003 = {"RS": 14, "IB": 11, "CH": 10, "FS": 10, "TC": 1.5, "RZ": 1, "LTS": 10}


@dataclass(frozen=True)
class Plan:
    """Hold what a scale of the study fixes: how long the step lasts, noisy cells of each set and seed, how many time steps to compare."""

    duration: Quantity
    trials: int
    steps: int = 2
    target: str = "auto"


PLANS = {"full": Plan(600 * ms, 50), "small": Plan(600 * ms, 5), "smoke": Plan(150 * ms, 0, 1, "numpy")}


@dataclass(frozen=True)
class Gallery:
    """Hold a cell, the step current of each of its parameter sets, time steps, the main one last, and how high spikes are drawn."""

    model: ns.CellModel
    currents: Mapping[str, Quantity]
    steps: tuple
    peak: Quantity | None

    def run(self, dt: Quantity, plan: Plan, trials: int, seed: int) -> tuple[ns.Recording, dict[str, list]]:
        """Give each set its step, and so many more cells of it the step with noise; return the recording and each set's patterns."""
        names = np.repeat(list(self.currents), 1 + trials)
        noisy = np.arange(len(names)) % (1 + trials) > 0
        known = {name: self.model.parameter_set(name).namespace() for name in self.currents}
        changed = sorted({key for name in self.currents for key in self.model.sets[name].values})
        spread = {key: Quantity([known[name][key] for name in names]) for key in changed}
        current = Quantity([self.currents[name] for name in names])
        cells = ns.create("cell", self.model, len(names), spread=spread)
        noise = ns.NoiseCurrent("cell", "I_e", 0 * pA, NOISE * noisy * abs(current), 5 * ms)
        traces = [ns.Trace("cell", "v", cells=np.flatnonzero(~noisy), every=max(dt, 0.1 * ms))]
        inputs, backend = [ns.StepCurrent("cell", "I_e", current), noise], ns.Brian2(dt=dt, target=plan.target)
        _, recording = ns.simulate(
            ns.Circuit([cells], seed=seed), plan.duration, inputs=inputs, record=traces, backend=backend, progress=False
        )
        found = [measures.firing_pattern(train, 0 * ms, plan.duration) for train in measures.spike_trains(recording, "cell").values()]
        return recording, {name: [one for one, of in zip(found, names, strict=True) if of == name] for name in self.currents}


def galleries() -> dict[str, Gallery]:
    """Describe the galleries: the published step of each set is in the cell's file, but for the cell of 2003."""
    adex, of_2003, of_2007 = (ns.load_cell(name) for name in ("adex", "izhikevich", "izhikevich_2007"))
    written = {model: {row.set: row.settings["amplitude"] for row in model.expected if row.set} for model in (adex, of_2007)}
    return {
        "adex": Gallery(adex, written[adex], (0.1 * ms, 0.01 * ms), 0 * mV),
        "izhikevich": Gallery(of_2003, {name: current * pA for name, current in CURRENTS_2003.items()}, (0.25 * ms, 0.025 * ms), 30 * mV),
        "izhikevich_2007": Gallery(of_2007, written[of_2007], (0.1 * ms, 0.01 * ms), None),
    }


def classify(name: str, gallery: Gallery, run: study.Run) -> list[dict]:
    """Run a gallery, draw it, and return a row of results for each set."""
    plan, published = PLANS[run.scale], {row.set: row.value for row in gallery.model.expected if row.measure == "pattern"}
    main, *others = gallery.steps[: plan.steps][::-1]
    runs = [gallery.run(main, plan, plan.trials, seed) for seed in run.seeds]
    others = {f"at {dt / ms:g} ms": gallery.run(dt, plan, 0, run.seeds[0])[1] for dt in others}
    recording, patterns = runs[0]
    rows = []
    for kind, (clean, *_) in patterns.items():
        noisy = [one.name for _, found in runs for one in found[kind][1:]]
        rows.append({
            "cell": name, "set": kind, "step (pA)": float(gallery.currents[kind] / pA), "published": published.get(kind, "-"),
            "class": clean.name, "spikes": clean.spike_count, "latency (ms)": float(clean.latency / ms),
            "adaptation": clean.adaptation, "bursts": clean.bursts, "cv": clean.cv,
            **{at: found[kind][0].name for at, found in others.items()},
            "kept under noise": noisy.count(clean.name) / len(noisy) if noisy else float("nan"),
        })  # fmt: skip
    titles, classes = [row["set"].replace("_", " ") for row in rows], [row["class"] for row in rows]
    figures.save(figures.firing_patterns(recording, titles, classes, peak=gallery.peak), run.folder, name)
    return rows


def firing_patterns(run: study.Run) -> tuple[dict, str]:
    """Run the study: each gallery, its figure, its table and what of the published classes was found."""
    found, parts = {}, []
    for name, gallery in galleries().items():
        rows = found[name] = classify(name, gallery, run)
        with open(run.folder / f"{name}_classes.csv", "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)
        shown = [[key if number < 0 else written(rows[number][key]) for key in rows[0] if key != "cell"] for number in range(-1, len(rows))]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        parts.append("\n".join([name, *("  ".join(map(str.ljust, line, widths)).rstrip() for line in shown)]))
        known = [row for row in rows if row["published"] != "-"]
        if known:
            parts.append(f"{name}: {sum(row['class'] == row['published'] for row in known)} of {len(known)} have the published class")
    return found, "\n\n".join(parts)


def written(value) -> str:
    """Return a number with three digits, a dash where there is none, or a text as it is."""
    return value if isinstance(value, str) else "-" if np.isnan(value) else f"{value:.3g}"


if __name__ == "__main__":
    study.conduct(firing_patterns, __doc__, seeds=2)
