"""Spikes of populations against time, with their rates below."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.reading import populations_with_spikes, recording_of
from neurosim.figures.scales import plain, time_scale
from neurosim.figures.style import ABOVE, PALETTE, fit_legend, panels, paper

BINS = 100
MANY = 20_000  # spikes beyond which a PDF holds them as an image rather than one mark each


@paper()
def raster(recording, populations=None, axes=None) -> Figure:
    """Draw spikes against cell, a colour a population, and the rate of each population below.

    recording: Recording or History with spikes. populations: a name or names, None for all with recorded spikes.
    Cells are ordered by id, the first population at the bottom; rates are per recorded cell. axes: two, spikes and rate.
    Returns the figure. ValueError where no spikes were recorded.
    """
    recording = recording_of(recording)
    names = populations_with_spikes(recording, populations)
    start, stop = float(recording.start), float(recording.stop)
    factor, unit = time_scale(start, stop)
    figure, (upper, lower) = panels([2.6, 1.0], 2.9, axes, "spikes, rate")
    edges = _edges(start, stop)
    total = sum(len(_cells(recording[name])) for name in names)

    first = 0
    for number, name in enumerate(names):
        entry, colour = recording[name], PALETTE[number % len(PALETTE)]
        cells, times = _cells(entry), plain(entry.spikes.t)
        row = first + np.searchsorted(cells, np.asarray(entry.spikes.id))
        # A mark as tall as its row, within what print can show.
        size = float(np.clip(160.0 / max(total, 1), 1.6, 5.0))
        upper.plot(times / factor, row, linestyle="none", marker="|", markersize=size, markeredgewidth=0.6, color=colour, label=name, rasterized=len(times) > MANY)
        rate = np.histogram(times, edges)[0] / (np.diff(edges) * max(len(cells), 1))
        lower.stairs(rate, edges / factor, baseline=None, color=colour, linewidth=0.8, label=name)
        first += len(cells)
    upper.set_ylim(-1.0, max(total, 1))
    upper.set_ylabel("cell (ordered by id)")
    upper.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, steps=[1, 2, 5, 10]))
    upper.set_xlim(start / factor, stop / factor)
    lower.set_xlim(start / factor, stop / factor)
    lower.set_ylim(bottom=0.0)
    lower.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    lower.set_ylabel("rate (Hz)")
    lower.set_xlabel(f"time ({unit})")
    figure.align_ylabels([upper, lower])
    if len(names) > 1:
        figure.draw_without_rendering()  # so that the width for the legend is known
        handles = [upper.plot([], [], color=line.get_color(), linewidth=2.0, label=line.get_label())[0] for line in upper.lines[: len(names)]]
        fit_legend(upper, handles, **ABOVE)
    return figure


def _cells(entry) -> np.ndarray:
    """Return the sorted ids of all cells that lived or spiked in the recording."""
    return np.union1d([] if entry.ids is None else entry.ids, entry.spikes.id).astype(np.int64)


def _edges(start: float, stop: float) -> np.ndarray:
    """Return bin edges in seconds: at most BINS bins of a round width (1, 2 or 5 times a power of ten)."""
    least = (stop - start) / BINS
    power = 10.0 ** np.floor(np.log10(least))
    width = next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))
    count = max(int(np.ceil((stop - start) / width - 1e-9)), 1)
    return np.minimum(start + width * np.arange(count + 1), stop)
