"""Weights of single synapses through births and deaths."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from neurosim.figures.layout import ABOVE, fit_legend, panels, swatches
from neurosim.figures.reading import recording_of, rows_of, the_one_with
from neurosim.figures.scales import label, plain, time_axis, time_scale, value_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined


@paper()
def weights(recording, projection=None, ids=None, parents: Mapping | Sequence | None = None, axes=None) -> Figure:
    """Draw the weights of traced synapses, with a circle where one is born and a cross where one dies.

    recording: Recording or History with a trace of weight. projection: its name; None takes the only one with such a trace.
    ids: synapse ids, a number of them, or None for all that were traced. parents: parents[id] is the synapse from which
    a synapse was copied, -1 for none; then a family, not a synapse, has a colour. None takes them from the History, if one
    is drawn; {} leaves families unknown.
    Returns the figure. ValueError where the weight or a synapse was not traced.
    """
    history, recording = recording, recording_of(recording)
    name = the_one_with(recording, "weight", projection, "projection")
    trace = recording[name].trace("weight")
    rows = rows_of(trace, ids, "synapses")
    chosen = [int(one) for one in np.asarray(trace.ids)[rows]]
    if parents is None and hasattr(history, "synapses"):
        table = history.synapses(name)
        parents = dict(zip(table["id"].tolist(), table["parent"].tolist(), strict=True))
    families = [_founder(one, parents) for one in chosen]
    order = list(dict.fromkeys(families))

    factor, _ = time_scale(float(recording.start), float(recording.stop))
    scale, symbol = value_scale(trace.values)
    times, values = plain(trace.t) / factor, plain(trace.values)[rows] / scale
    figure, (panel,) = panels([1.0], 2.1, axes, "weights")
    ends = {"birth": [], "death": []}
    for one, family, value in zip(chosen, families, values, strict=True):
        colour = PALETTE[order.index(family) % len(PALETTE)]
        panel.plot(times, value, color=colour, label=str(one))
        known = np.flatnonzero(np.isfinite(value))
        if known.size and known[0] > 0:
            ends["birth"].append((times[known[0]], value[known[0]]))
        if known.size and known[-1] < len(value) - 1:
            ends["death"].append((times[known[-1]], value[known[-1]]))
    marks = _marks(panel, ends)
    time_axis([panel], float(recording.start), float(recording.stop))
    panel.set_ylabel(label(f"weight, {name}", symbol))
    _legend(panel, order, marks, related=families != chosen)
    if axes is None:
        header = label(f"weight of {name}", symbol)
        figure.data = partial(_columns, chosen, families, plain(trace.t), values, header)
    return figure


def _columns(chosen, families, times, values, header):
    """Return one row a synapse and time, NaN while the synapse does not exist."""
    together = zip(chosen, families, values, strict=True)
    return joined({"synapse": one, "family": family, "time (s)": times, header: value} for one, family, value in together)


def _founder(one: int, parents) -> int:
    """Return the first ancestor of synapse `one`."""
    while parents is not None:
        try:
            parent = int(parents[one])
        except (KeyError, IndexError):
            return one
        if parent < 0:
            return one
        one = parent
    return one


def _marks(panel, ends):
    looks = {"birth": dict(marker="o", markerfacecolor="white"), "death": dict(marker="x", markeredgewidth=1.2)}
    drawn = []
    for kind, points in ends.items():
        if points:
            x, y = np.transpose(points)
            drawn += panel.plot(x, y, linestyle="none", color="black", markersize=3.5, zorder=3, label=kind, clip_on=False, **looks[kind])
    return drawn


def _legend(panel, order, marks, related):
    """Name families (or synapses) by id as long as each has a colour of its own, and births and deaths."""
    handles = []
    if order and len(order) <= len(PALETTE):
        word = "family" if related else "synapse"
        handles = swatches([f"{word} {order[0]}", *map(str, order[1:])])
    if handles or marks:
        panel.figure.draw_without_rendering()  # so that the width for the legend is known
        fit_legend(panel, handles + marks, **ABOVE)
