"""Small recordings and histories for the tests of figures, and what can be seen in a figure."""

from functools import cache
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from cell_results import CELL_EXAMPLES
from matplotlib.figure import Figure
from matplotlib.text import Text

import neurosim as ns
from neurosim import figures
from neurosim.models.protocols import PATTERNS
from neurosim.recording import PartRecording, Recording, SpikeTrains, TraceData
from neurosim.units import DIMENSIONLESS, Hz, mV, nS, second, siemens, volt

DT = 1e-3
CENSUS = [("epoch", "i8"), ("time", "f8"), ("phase", "U32"), ("name", "U32"), ("size", "i8"), ("births", "i8"), ("deaths", "i8")]
LINEAGE = [("population", "U32"), ("id", "i8"), ("parent", "i8"), ("birth", "i8"), ("death", "i8")]
DEGREES = [(f"{end}_{column}", "f8") for end in ("in", "out") for column in ("mean", "sd", "max")]
CONNECTIVITY = [("epoch", "i8"), ("time", "f8"), ("phase", "U32"), ("name", "U32"), ("synapses", "i8"), *DEGREES]
SURVIVAL = [("age", "i8"), ("at_risk", "i8"), ("deaths", "i8"), ("fraction", "f8"), ("low", "f8"), ("high", "f8")]


# --- small data -----------------------------------------------------------------------------------------------------


def trains(pairs):
    cells, steps = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return SpikeTrains(cells, steps, DT)


def membrane_part(ids=(0, 3, 12), steps=400, theta=False, spikes=((3, 100), (3, 250), (12, 50))):
    ids = np.array(ids)
    time = np.arange(steps)
    v = -65e-3 + 10e-3 * np.abs(np.sin(time / 40 + ids[:, None]))
    traces = {"v": TraceData(ids, time, v, volt.dim, DT)}
    if theta:
        traces["theta"] = TraceData(ids, time, np.linspace(0, 4e-3, steps) * np.ones((len(ids), 1)), volt.dim, DT)
    counts = np.array([sum(cell == one for cell, _ in spikes) for one in ids])
    return PartRecording("exc", steps * DT, ids, counts, None if spikes is None else trains(spikes), traces)


def recording(stop=400, **parts):
    return Recording(parts, 0, stop, DT)


def weight_recording(values, ids, dimensions=siemens.dim):
    values = np.asarray(values, dtype=float)
    part = PartRecording(
        "in_to_exc", values.shape[1] * DT, traces={"weight": TraceData(np.array(ids), np.arange(values.shape[1]), values, dimensions, DT)}
    )
    return recording(values.shape[1], in_to_exc=part)


def spiking(cells, pairs):
    cells = np.array(cells)
    return PartRecording("x", 0.4, cells, np.array([sum(cell == one for cell, _ in pairs) for one in cells]), trains(pairs))


def life(phases=(("proliferation", 1, 4), ("critical period", 5, 8), ("pruning", 9, 12), ("adulthood", 13, 32)), measures=True):
    rows, cells, synapses = [(0, 0.0, "", "exc", 10, 0, 0), (0, 0.0, "", "in_to_exc", 640, 0, 0)], 10, 640
    for epoch in range(1, 33):
        born, dead = (2, 0) if epoch < 9 else (0, 1) if epoch < 13 else (0, 0)
        cells, synapses = cells + born - dead, synapses + 64 * (born - dead)
        rows += [(epoch, epoch, "", "exc", cells, born, dead), (epoch, epoch, "", "in_to_exc", synapses, 64 * born, 64 * dead)]
    return SimpleNamespace(
        census=np.array(rows, dtype=CENSUS),
        phases=list(phases),
        measures={"accuracy": np.linspace(0.4, 0.9, 32), "odd": np.arange(5.0)} if measures else {},
        circuit=SimpleNamespace(populations={"exc": None}, projections={"in_to_exc": None}),
        recording=None,
    )


def developed(founders=1, epochs=24, seed=0, birth=0.35, death=0.08, most=10_000):
    """A life by chance: cells divide, later some die; a plastic and a static projection, with kept circuits and survival."""
    rng, first = np.random.default_rng(seed), 0
    cells = [[cell, -1, first, -1] for cell in range(founders)]
    census = [(0, 0.0, "", "exc", founders, 0, 0), (0, 0.0, "", "input", 5, 0, 0)]
    for epoch in range(1, epochs + 1):
        living, before = [cell for cell in cells if cell[3] < 0], len(cells)
        for cell in living:
            if epoch > epochs // 2 and rng.random() < death and sum(one[3] < 0 for one in cells) > 1:
                cell[3] = epoch
            elif epoch <= 2 * epochs // 3 and rng.random() < birth and len(cells) < most:
                cells.append([len(cells), cell[0], epoch, -1])
        born, dead = len(cells) - before, sum(cell[3] == epoch for cell in cells)
        census += [
            (epoch, float(epoch), "", "exc", sum(cell[3] < 0 for cell in cells), born, dead),
            (epoch, float(epoch), "", "input", 5, 0, 0),
        ]
    for epoch in range(epochs + 1):
        size = 64 + 8 * min(epoch, 9) - 3 * max(epoch - 15, 0)
        census += [(epoch, float(epoch), "", name, size, 0, int(name == "loop" and epoch > 15)) for name in ("loop", "input_to_exc")]
    half, third = epochs // 2, 2 * epochs // 3
    return SimpleNamespace(
        start=SimpleNamespace(epoch=0),
        census=np.array(census, dtype=CENSUS),
        phases=[("proliferation", 1, half), ("selection", half + 1, third), ("adulthood", third + 1, epochs)],
        lineage=np.array([("exc", *cell) for cell in cells] + [("input", cell, -1, 0, -1) for cell in range(5)], dtype=LINEAGE),
        circuit=SimpleNamespace(
            populations={name: SimpleNamespace(model=SimpleNamespace(source=name == "input")) for name in ("input", "exc")},
            projections={
                "input_to_exc": SimpleNamespace(synapse=SimpleNamespace(plastic=True), source="input", target="exc"),
                "loop": SimpleNamespace(synapse=SimpleNamespace(plastic=False), source="exc", target="exc"),
            },
        ),
        connectivity=_degrees(epochs),
        survival=lambda name: _kaplan_meier({"loop": 0.1, "input_to_exc": 0.03, "exc": 0.02}[name]),
        kept=Kept(range(0, epochs + 1, 4)),
        measures={},
    )


def _degrees(epochs):
    epoch = np.arange(epochs + 1)
    rows = np.zeros(2 * len(epoch), dtype=CONNECTIVITY)
    rows["name"] = np.repeat(["input_to_exc", "loop"], len(epoch))
    rows["epoch"] = np.tile(epoch, 2)
    for end, most in (("in", 9.0), ("out", 30.0)):
        mean = most * (1 - np.exp(-(rows["epoch"] + 2.0) / 8))
        rows[f"{end}_mean"], rows[f"{end}_sd"], rows[f"{end}_max"] = mean, 0.3 * mean, np.ceil(1.8 * mean)
    return rows


def _kaplan_meier(hazard):
    age = np.arange(25)
    table = np.zeros(len(age), dtype=SURVIVAL)
    table["age"], table["fraction"] = age, np.exp(-hazard * age)
    table["low"], table["high"] = table["fraction"] ** 1.3, table["fraction"] ** 0.75
    table["at_risk"] = 200 - 4 * age
    return table


class Kept(dict):
    """Circuits of some epochs, made when they are asked for, as when each is read from a file; a `loop` that grows."""

    def __init__(self, epochs, weight=1.0):
        super().__init__((epoch, None) for epoch in epochs)
        self.weight, self.read = weight, []

    def __getitem__(self, epoch):
        self.read.append(epoch)
        rng, size = np.random.default_rng(epoch), 8 + epoch
        source, cells = ns.create("input", "spike_source", 5), ns.create("exc", "leaky_conductance", size)
        weight = np.clip(rng.normal(0.4 + 0.02 * epoch, 0.12, 5 * size), 0.0, 1.0) * self.weight * nS
        into = ns.connect(source, cells, "static", ns.AllToAll(), receptor="g_exc", weight=weight)
        loop = ns.connect(cells, cells, "static", ns.FixedProbability(0.2), receptor="g_exc", weight=0.5 * nS, seed=3)
        return ns.Circuit([source, cells], [into, loop.replace(name="loop")])


def seeds(mean, count=5, seed=0):
    return np.clip(mean + 0.03 * np.random.default_rng(seed).standard_normal(count), 0.0, 1.0)


RESULTS = {"grown and pruned": seeds(0.86), "grown": seeds(0.85, seed=1), "static": seeds(0.83, seed=2), "random rewiring": seeds(0.7, 3)}
COMPETING = 10 * np.arange(400) * second, 0.075 * nS * (1 + np.sin(np.arange(30)[:, None] + np.arange(400) / 40))
CURVES = {
    name: [(np.logspace(4, 7, 10), np.clip(top - 0.5 * np.exp(-np.arange(10) / 3) + 0.02 * seed, 0, 1)) for seed in range(3)]
    for name, top in (("grown", 0.85), ("static", 0.8), ("random rewiring", 0.7))
}


# --- what can be seen -----------------------------------------------------------------------------------------------


def seen_texts(figure):
    """Return (text, box) of every text that is drawn."""
    figure.draw_without_rendering()
    hidden = set()
    for axis in (axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if not (axis.axes.axison and low <= tick.get_loc() <= high)]
        hidden |= {label for tick in ticks for label in (tick.label1, tick.label2)}
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip() and text not in hidden]
    # The box of an annotation would include the point that it names.
    return [(text.get_text(), Text.get_window_extent(text)) for text in texts]


def overlaps(boxes):
    return [
        (one, other)
        for (one, a), (other, b) in combinations(boxes, 2)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1
    ]


def outside(figure, boxes):
    return [text for text, box in boxes if box.x0 < -1 or box.y0 < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1]


def check_layout(figure):
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() == pytest.approx(85 / 25.4, abs=0.01)
    boxes = seen_texts(figure)
    assert overlaps(boxes) == []
    assert outside(figure, boxes) == []
    sizes = {text.get_fontsize() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()}
    assert sizes <= {6.0, 7.0, 8.0}


def line(panel, label):
    return next(one for one in panel.lines if one.get_label() == label)


def names_in(legend):
    return [text.get_text() for text in legend.get_texts()]


def balanced():
    """Two networks for figures.balance: a plastic one that comes to 3 Hz, and a fixed one."""
    times, halved = (0.5 + np.arange(8)) * second, 100 * 0.5 ** np.arange(8)
    courses = {"fixed": (times[:2], [100, 100] * Hz), "plastic": (times, halved * Hz)}
    spikes = recording(exc=spiking(range(60), [(2, 50), (3, 100), (7, 350), (55, 360)]))
    rates = {"fixed": [90, 100, 101, 110] * Hz, "plastic": [0, 2.5, 3, 3.5] * Hz}
    moments = {"before": (spikes, "exc"), "after": (spikes, "exc")}
    return courses, {"plastic": 3 * Hz}, moments, rates, {"plastic": [0, 1, 1, 4] * nS}


def coursing():
    """Two panels for figures.courses: measures of two seeds and of one, a stretch of time, a level."""
    times = np.arange(5) * second
    pair, alone = (times, np.repeat([[1.0], [3.0]], 5, axis=1)), (times, [np.nan, 1, 2, 3, 4])
    measured = {"rate (Hz)": {"stimulated": pair}, "ratio": {"stimulated": pair, "alone": alone}}
    return measured, [("stimulus", 1 * second, 3 * second)], {"ratio": 1.0}


def homeostatic(epochs=20):
    """A life in which calcium comes to 5 Hz, and excitatory cells to four for each inhibitory one."""
    head = [("epoch", "i8"), ("time", "f8"), ("phase", "U32"), ("name", "U32")]
    kept, balanced = [], []
    for epoch in range(epochs + 1):
        median = 5 * (1 - 0.8**epoch)
        kept.append((epoch, float(epoch), "", "exc", "calcium", median + 0.1, 0.5, 0.8 * median, median, 1.3 * median))
        kept.append((epoch, float(epoch), "", "exc", "energy", 2e9, 1e8, 1e9, 2e9, 3e9))
        if epoch:
            ratio = 4 + 3 * 0.7**epoch
            balanced += [
                (epoch, float(epoch), "", name, drive * ratio, drive * 4, ratio, 1.0) for name, drive in (("exc", 0.1), ("inh", 0.2))
            ]
    values = [(column, "f8") for column in ("mean", "sd", "low", "median", "high")]
    dimensions = {"calcium": Hz.dim, "energy": DIMENSIONLESS}
    history = developed(epochs=epochs)
    history.ledgers = np.array(kept, dtype=[*head, ("ledger", "U32"), *values])
    history.balance = np.array(balanced, dtype=[*head, *((column, "f8") for column in ("exc", "inh", "cells", "synchrony"))])
    population = SimpleNamespace(ledgers={name: SimpleNamespace(dimensions=one) for name, one in dimensions.items()})
    history.circuit = {"exc": population, "inh": population}
    return history


EXAMPLES = {
    "membrane": lambda: figures.membrane(recording(exc=membrane_part())),
    "membrane and threshold": lambda: figures.membrane(recording(exc=membrane_part(theta=True)), threshold=-50 * mV),
    "raster": lambda: figures.raster(recording(excitatory=spiking([0, 1, 5], [(0, 10), (5, 30)]), inhibitory=spiking([2], [(2, 200)]))),
    "raster of many": lambda: figures.raster(recording(**{f"population number {n}": spiking([n], [(n, 9)]) for n in range(6)})),
    "weights": lambda: figures.weights(weight_recording(np.full((7, 50), 1e-9) * np.arange(1, 8)[:, None], range(100000, 100007))),
    "census": lambda: figures.census(life(), "accuracy"),
    "fields": lambda: figures.receptive_fields({"proliferation": np.eye(16)[:3] * nS, "adulthood": np.eye(16) * nS}),
    "labelled fields": lambda: figures.receptive_fields(np.eye(64)[:40], labels=range(40)),
    "lineage": lambda: figures.lineage(developed(1, 12)),
    "lineage of many": lambda: figures.lineage(developed(10, 24, most=280)),
    "clones": lambda: figures.clones(developed(10)),
    "clones of one": lambda: figures.clones(developed(1)),
    "degrees": lambda: figures.degrees(developed()),
    "setpoint": lambda: figures.setpoint(homeostatic(), target=5 * Hz),
    "epoch_balance": lambda: figures.epoch_balance(homeostatic()),
    "survival": lambda: figures.survival(developed(), ["loop", "input_to_exc", "exc"]),
    "weight histogram": lambda: figures.weight_histogram(developed()),
    "weight histogram of many": lambda: figures.weight_histogram(developed(epochs=60, birth=0.1)),
    "connectivity": lambda: figures.connectivity(developed(), epochs=[0, 8, 16, 24]),
    "connectivity of many": lambda: figures.connectivity(developed(), "loop"),
    "comparison": lambda: figures.comparison(RESULTS, "static", 0.02),
    "comparison of values": lambda: figures.comparison(RESULTS),
    "balance": lambda: figures.balance(*balanced()),
    "competition": lambda: figures.competition({f"{rate} Hz": COMPETING for rate in (10, 20, 40)}),
    "courses": lambda: figures.courses(*coursing()),
    "cost": lambda: figures.cost(CURVES, "synaptic events"),
    "firing patterns": lambda: figures.firing_patterns(recording(600, exc=membrane_part(range(7), 600)), PATTERNS[:7], PATTERNS[:7]),
    **CELL_EXAMPLES,
}


@cache
def example(name):
    """Return an example that no test changes."""
    return EXAMPLES[name]()
