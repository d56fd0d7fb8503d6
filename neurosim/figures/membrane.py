"""Membrane potentials with their spikes and, where it adapts, the threshold."""

from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import panels
from neurosim.figures.reading import recording_of, rows_of, the_one_with
from neurosim.figures.scales import plain, time_axis, time_scale
from neurosim.figures.style import GREY, PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import to_si, volt

MOST_ROWS = 6
SHAPE = 5.0  # mV that a trace rises after threshold where the model itself draws the spike
SHAPE_WITHIN = 2e-3  # seconds


@paper()
def membrane(recording, population=None, cells=None, threshold=None, axes=None) -> Figure:
    """Draw the membrane potential of traced cells, one row a cell, and the adaptive threshold below.

    recording: Recording or History with a trace of v. population: its name; None takes the only one with such a trace.
    cells: ids, a number of cells, or None for the traced ones (the first six, which the title then says).
    threshold: quantity in volt; dashed line, to which a traced theta is added. axes: one a cell, and one more for theta.
    A spike is a stroke from the trace to the top, or a tick at the top where the trace itself shows the spike.
    Returns the figure. ValueError where v was not traced; TypeError where the threshold is not in volt.
    """
    recording = recording_of(recording)
    name = the_one_with(recording, "v", population, "population")
    entry = recording[name]
    trace = entry.trace("v")
    rows = rows_of(trace, cells, "cells", limit=MOST_ROWS)
    base = None if threshold is None else float(to_si(threshold, volt, "threshold of figures.membrane")) * 1e3
    theta = entry.trace("theta") if "theta" in entry.traces else None
    if theta is not None and not np.isin(np.asarray(trace.ids)[rows], theta.ids).any():
        theta = None
    factor, _ = time_scale(float(recording.start), float(recording.stop))

    count = len(rows)
    heights = [1.0] * count + ([1.35] if theta is not None else [])
    names = ", ".join(f"cell {one}" for one in np.asarray(trace.ids)[rows]) + (", theta" if theta is not None else "")
    height = 0.4 + (1.3 if count == 1 else 0.68 * count) + (0.95 if theta is not None else 0.0)
    figure, drawn = panels(heights, height, axes, names, sharey=range(count))

    values = plain(trace.values)[rows] * 1e3
    lines = [_threshold_of(cell, theta, base, trace) for cell in np.asarray(trace.ids)[rows]]
    low, high = _limits(values, lines)
    top = high + 0.22 * (high - low)
    spikes = entry.spikes if entry.has_spikes else None
    struck = {}
    for number, (panel, row) in enumerate(zip(drawn[:count], rows, strict=True)):
        cell, colour = int(trace.ids[row]), PALETTE[number % len(PALETTE)]
        panel.plot(plain(trace.t) / factor, values[number], color=colour, label=f"cell {cell}")
        if lines[number] is not None:
            panel.plot(lines[number][0] / factor, lines[number][1], color=GREY, linestyle=(0, (3, 2)), linewidth=0.7, label="threshold")
        if spikes is not None:
            struck[cell] = _strokes(plain(spikes.t)[np.asarray(spikes.id) == cell], plain(trace.t), values[number], (low, top))
            at, start = struck[cell]
            if at.size:
                panel.vlines(at / factor, start, top, color=colour, linewidth=0.8, label="spikes")
        more = f" ({count} of {len(trace.ids)} traced)" if number == 0 and cells is None and count < len(trace.ids) else ""
        panel.set_title(f"{name}, cell {cell}{more}", loc="left")
        panel.set_ylabel("v (mV)")
        panel.yaxis.set_major_locator(MaxNLocator(nbins=5 if count == 1 else 3, steps=[1, 2, 4, 5, 10]))
        panel.set_ylim(low - 0.06 * (top - low), top)
    if base is not None:
        drawn[0].legend(
            handles=[line for line in drawn[0].lines if line.get_label() == "threshold"], loc="lower right", bbox_to_anchor=(1.0, 1.0)
        )
    if theta is not None:
        _theta_panel(drawn[-1], theta, np.asarray(trace.ids)[rows], base, factor)
    time_axis(drawn, float(recording.start), float(recording.stop))
    figure.align_ylabels(drawn)
    if axes is None:
        figure.data = partial(_columns, np.asarray(trace.ids)[rows], plain(trace.t), values, lines, struck, theta, base)
    return figure


def _threshold_of(cell, theta, base, trace):
    """Return (times, mV) of the effective threshold of a cell, or None where it is unknown."""
    if base is None:
        return None
    if theta is None or cell not in np.asarray(theta.ids):
        return plain(trace.t)[[0, -1]], np.array([base, base])
    row = int(np.flatnonzero(np.asarray(theta.ids) == cell)[0])
    return plain(theta.t), base + plain(theta.values)[row] * 1e3


def _limits(values, lines):
    shown = np.concatenate([values.ravel(), *(line[1] for line in lines if line is not None)])
    shown = shown[np.isfinite(shown)]
    low, high = (shown.min(), shown.max()) if shown.size else (-1.0, 1.0)
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _strokes(times, sampled, values, limits):
    """Return (times, mV) where the strokes of spikes start: on the trace, or just below the top where the trace has their shape."""
    if not times.size:
        return times, times
    low, top = limits
    at = np.clip(np.searchsorted(sampled, times + 1e-9, side="right") - 1, 0, len(sampled) - 1)
    until = np.searchsorted(sampled, times + SHAPE_WITHIN, side="right")
    peak = np.array([np.max(values[first : max(last, first + 1)]) for first, last in zip(at, until, strict=True)])
    shaped = np.median(peak - values[at]) > SHAPE if np.isfinite(peak - values[at]).all() else False
    # Whether the sample at the time of a spike comes before or after its reset depends on the backend.
    before = np.fmax(values[at], values[np.maximum(at - 1, 0)])
    return times, np.full(len(times), top - 0.1 * (top - low)) if shaped else np.where(np.isfinite(before), before, low)


def _levels(theta, cells, base):
    """Return (cell, mV) for each cell with an adaptive threshold: theta itself, or the threshold that it makes with `base`."""
    known = {int(one): row for row, one in enumerate(np.asarray(theta.ids))}
    levels = plain(theta.values) * 1e3 + (0.0 if base is None else base)
    return [(int(cell), levels[known[int(cell)]]) for cell in cells if int(cell) in known]


def _theta_panel(panel, theta, cells, base, factor):
    order = [int(cell) for cell in cells]
    for cell, level in _levels(theta, cells, base):
        panel.plot(plain(theta.t) / factor, level, color=PALETTE[order.index(cell) % len(PALETTE)], label=f"cell {cell}")
    panel.set_ylabel("θ (mV)" if base is None else "threshold (mV)")
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))


def _columns(cells, times, values, thresholds, struck, theta, base):
    """Return one row a sample of each line, and one a spike, whose value is where its stroke starts."""
    blocks = []
    for cell, value, threshold in zip(cells.tolist(), values, thresholds, strict=True):
        blocks.append({"panel": "v", "line": "v", "cell": cell, "time (s)": times, "value (mV)": value})
        if threshold is not None:
            blocks.append({"panel": "v", "line": "threshold", "cell": cell, "time (s)": threshold[0], "value (mV)": threshold[1]})
        if cell in struck:
            blocks.append({"panel": "v", "line": "spike", "cell": cell, "time (s)": struck[cell][0], "value (mV)": struck[cell][1]})
    what = "theta" if base is None else "threshold"
    for cell, level in [] if theta is None else _levels(theta, cells, base):
        blocks.append({"panel": what, "line": what, "cell": cell, "time (s)": plain(theta.t), "value (mV)": level})
    return joined(blocks)
