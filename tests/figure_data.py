"""Small recordings and histories for the tests of figures, and what can be seen in a figure."""

from functools import cache
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from neurosim import figures
from neurosim.recording import PartRecording, Recording, SpikeTrains, TraceData
from neurosim.units import mV, nS, siemens, volt

DT = 1e-3


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
    kinds = [("epoch", "i8"), ("time", "f8"), ("phase", "U32"), ("name", "U32"), ("size", "i8"), ("births", "i8"), ("deaths", "i8")]
    return SimpleNamespace(
        census=np.array(rows, dtype=kinds),
        phases=list(phases),
        measures={"accuracy": np.linspace(0.4, 0.9, 32), "odd": np.arange(5.0)} if measures else {},
        circuit=SimpleNamespace(populations={"exc": None}, projections={"in_to_exc": None}),
        recording=None,
    )


# --- what can be seen -----------------------------------------------------------------------------------------------


def seen_texts(figure):
    """Return (text, box) of every text that is drawn."""
    figure.draw_without_rendering()
    hidden = set()
    for axis in (axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)):
        low, high = sorted(axis.get_view_interval())
        hidden |= {tick.label1 for tick in axis.get_major_ticks() if not (axis.axes.axison and low <= tick.get_loc() <= high)}
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


EXAMPLES = {
    "membrane": lambda: figures.membrane(recording(exc=membrane_part())),
    "membrane and threshold": lambda: figures.membrane(recording(exc=membrane_part(theta=True)), threshold=-50 * mV),
    "raster": lambda: figures.raster(recording(excitatory=spiking([0, 1, 5], [(0, 10), (5, 30)]), inhibitory=spiking([2], [(2, 200)]))),
    "raster of many": lambda: figures.raster(recording(**{f"population number {n}": spiking([n], [(n, 9)]) for n in range(6)})),
    "weights": lambda: figures.weights(weight_recording(np.full((7, 50), 1e-9) * np.arange(1, 8)[:, None], range(100000, 100007))),
    "census": lambda: figures.census(life(), "accuracy"),
    "fields": lambda: figures.receptive_fields({"proliferation": np.eye(16)[:3] * nS, "adulthood": np.eye(16) * nS}),
    "labelled fields": lambda: figures.receptive_fields(np.eye(64)[:40], labels=range(40)),
}


@cache
def example(name):
    """Return an example that no test changes."""
    return EXAMPLES[name]()
