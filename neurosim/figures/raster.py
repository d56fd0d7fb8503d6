"""Spikes of populations against time, with their rates below."""

from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import ABOVE, fit_legend, panels, swatches
from neurosim.figures.reading import populations_with_spikes, recording_of
from neurosim.figures.scales import plain, time_axis, time_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined

BINS = 100
MANY = 20_000  # spikes beyond which a PDF holds them as an image rather than one mark each


@paper()
def raster(recording, populations=None, axes=None) -> Figure:
    """Draw spikes against cell, a colour a population, and the rate of each population below.

    recording: Recording or History with spikes. populations: a name or names, None for all with recorded spikes.
    Cells are ordered by id, the first population at the bottom. Rates are per cell: of those alive at the time where a
    History tells, else of all that were recorded. axes: two, spikes and rate.
    Returns the figure. ValueError where no spikes were recorded.
    """
    counted = getattr(recording, "census", None)
    recording = recording_of(recording)
    names = populations_with_spikes(recording, populations)
    start, stop = float(recording.start), float(recording.stop)
    factor, _ = time_scale(start, stop)
    figure, (upper, lower) = panels([2.6, 1.0], 2.9, axes, "spikes, rate")
    dt = float(recording.dt)
    edges = _edges(start, stop, dt)
    total = sum(len(_cells(recording[name])) for name in names)

    first, shown = 0, []
    for number, name in enumerate(names):
        entry, colour = recording[name], PALETTE[number % len(PALETTE)]
        cells, times = _cells(entry), plain(entry.spikes.t)
        row = first + np.searchsorted(cells, np.asarray(entry.spikes.id))
        # A mark as tall as its row, within what print can show.
        size = float(np.clip(160.0 / max(total, 1), 1.6, 5.0))
        look = dict(linestyle="none", marker="|", markersize=size, markeredgewidth=0.6, color=colour)
        upper.plot(times / factor, row, label=name, rasterized=len(times) > MANY, **look)
        counts = np.histogram(times + dt / 2, edges)[0]  # half a step away from rounding at the edges
        lived = np.diff(edges) * len(cells) if counted is None else _lived(counted[counted["name"] == name], edges)
        rate = np.divide(counts, lived, out=np.full(len(counts), np.nan), where=lived > 0)
        lower.stairs(rate, edges / factor, baseline=None, color=colour, linewidth=0.8, label=name)
        first += len(cells)
        shown.append((name, np.asarray(entry.spikes.id), row, times, rate))
    upper.set_ylim(-1.0, max(total, 1))
    upper.set_ylabel("cell (ordered by id)")
    upper.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    lower.set_ylim(bottom=0.0)
    lower.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    lower.set_ylabel("rate (Hz)")
    time_axis([upper, lower], start, stop)
    figure.align_ylabels([upper, lower])
    if len(names) > 1:
        figure.draw_without_rendering()  # so that the width for the legend is known
        fit_legend(upper, swatches([line.get_label() for line in upper.lines]), **ABOVE)
    if axes is None:
        figure.data = partial(_columns, shown, edges)
    return figure


def _columns(shown, edges):
    """Return one row a spike and one a bin of each population's rate; what a row does not have is -1 or NaN."""
    blocks = []
    for name, cells, rows, times, rate in shown:
        spikes = {"panel": "spikes", "population": name, "cell": cells, "row": rows, "time (s)": times}
        bins = {"panel": "rate", "population": name, "cell": -1, "row": -1, "time (s)": edges[:-1]}
        blocks += [spikes | {"end of bin (s)": np.nan, "rate (Hz)": np.nan}, bins | {"end of bin (s)": edges[1:], "rate (Hz)": rate}]
    return joined(blocks)


def _cells(entry) -> np.ndarray:
    """Return the sorted ids of all cells that lived or spiked in the recording."""
    return np.union1d([] if entry.ids is None else entry.ids, entry.spikes.id).astype(np.int64)


def _lived(rows: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the seconds that all cells together lived in each bin; a census row holds from its time until the next."""
    times = np.append(rows["time"], edges[-1] + 1.0)
    total = np.append(0.0, np.cumsum(rows["size"] * np.diff(times)))
    return np.diff(np.interp(edges, times, total))


def _edges(start: float, stop: float, dt: float) -> np.ndarray:
    """Return bin edges in seconds: at most BINS bins of a round width (1, 2 or 5 times a power of ten), none below dt."""
    least = max((stop - start) / BINS, dt)
    power = 10.0 ** np.floor(np.log10(least))
    width = next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))
    count = max(int(np.ceil((stop - start) / width - 1e-9)), 1)
    return np.minimum(start + width * np.arange(count + 1), stop)
