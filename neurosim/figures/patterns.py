"""A gallery of firing patterns: the membrane potentials of cells side by side, each with its name and its class."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import grid
from neurosim.figures.reading import recording_of, rows_of, the_one_with
from neurosim.figures.scales import plain, time_axis, time_scale
from neurosim.figures.style import GREY, PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import to_si, volt

COLUMNS = 2
ABOVE = 0.1  # of the range of v, from the highest v to the top of spikes


@paper()
def firing_patterns(recording, names: Sequence[str], classes: Sequence[str], cells=None, peak=None, axes=None) -> Figure:
    """Draw the membrane potential of each cell in a panel of its own, with the cell's name and the class of its response.

    recording: Recording or History with a trace of v in one population. names, classes: one text a cell, such as those of
    measures.firing_pattern. cells: ids, a number of cells, or None for all traced ones. peak: quantity in volt up to which
    spikes are drawn; None takes a little above the highest v. axes: one a cell.
    Returns the figure. ValueError where v or spikes were not recorded or the texts are not as many as the cells; TypeError
    where the peak is not in volt.
    """
    recording = recording_of(recording)
    population = the_one_with(recording, "v", None, "population")
    trace = recording[population].trace("v")
    rows = rows_of(trace, cells, "cells")
    if not len(names) == len(classes) == len(rows):
        raise ValueError(f"{len(names)} names and {len(classes)} classes were given for {len(rows)} cells; give one of each for each cell")
    v = _with_spikes(recording[population], trace, rows, peak)
    factor, _ = time_scale(float(recording.start), float(recording.stop))
    lines = -(-len(rows) // COLUMNS)
    figure, drawn = grid(len(rows), COLUMNS, 0.3 + 0.8 * lines, axes, ", ".join(names), sharey=True)
    if axes is None:
        figure.get_layout_engine().set(wspace=0.08)  # so that the last tick of one panel and the first of the next stay apart
    for panel, name, found, values in zip(drawn, names, classes, v, strict=True):
        panel.plot(plain(trace.t) / factor, values, color=PALETTE[0], linewidth=0.6, label=name)
        panel.set_title(name, loc="left", pad=9.5)
        panel.annotate(found, (0.0, 1.0), (0, 2.0), "axes fraction", "offset points", color=GREY)
        panel.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    drawn[0].set_ylabel("v (mV)")
    time_axis(drawn, float(recording.start), float(recording.stop))
    for number, panel in enumerate(drawn):
        panel.tick_params(labelbottom=number + COLUMNS >= len(drawn))
        panel.set_xlabel(drawn[-1].get_xlabel() if number // COLUMNS == lines - 1 else "")
    if axes is None:
        figure.data = partial(_columns, names, classes, plain(trace.t), v)
    return figure


def _with_spikes(part, trace, rows, peak):
    """Return v in mV, in which the sample of a spike, when v is reset already, stands at the peak."""
    v, ids, times = plain(trace.values)[rows] * 1e3, np.asarray(trace.ids)[rows], plain(trace.t)
    highest = v.max() + ABOVE * (v.max() - v.min())
    top = highest if peak is None else 1e3 * float(to_si(peak, volt, "peak of figures.firing_patterns"))
    spikes = part.spikes
    for row, cell in enumerate(ids):
        at = plain(spikes.t)[np.asarray(spikes.id) == cell]
        v[row, np.clip(np.searchsorted(times, at - 1e-9), 0, len(times) - 1)] = top
    return v


def _columns(names, classes, times, v):
    """Return one row a sample, with the cell's name and class."""
    return joined(
        {"name": name, "class": found, "time (s)": times, "v (mV)": values} for name, found, values in zip(names, classes, v, strict=True)
    )
