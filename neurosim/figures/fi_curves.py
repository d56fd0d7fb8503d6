"""How the rate of cells depends on the current."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import ABOVE, fit_legend, panels
from neurosim.figures.looks import by_cell, looks
from neurosim.figures.scales import common_scale, label, plain
from neurosim.figures.style import paper
from neurosim.figures.tables import joined

MOST_MARKED = 25  # currents of a curve whose points are marked


@paper()
def fi_curves(curves, reference: str | None = None, axes=None) -> Figure:
    """Draw the rate against the current, a line a cell.

    curves: FICurves, or a mapping from names to them. reference: a name, drawn in black. axes: one.
    Returns the figure. ValueError where there is no curve, two are of one cell, or the reference is unknown.
    """
    known = by_cell(curves, "fi_curves", "curves")
    look = looks(list(known), reference)
    scale, symbol = common_scale([curve.currents for curve in known.values()])
    figure, (panel,) = panels([1.0], 2.3, axes, "f-I curves")
    blocks = []
    for name, curve in known.items():
        currents, rates = plain(curve.currents) / scale, plain(curve.rates)
        own = look[name] | ({} if len(currents) <= MOST_MARKED else {"marker": None})
        first = 4 if name == reference else 3
        panel.plot(currents, rates, markersize=2.6, linewidth=1.0, zorder=first, label=name, **own)
        counts = {"cell": name, label("current", symbol): currents, "spikes": np.asarray(curve.counts), "rate (Hz)": rates}
        blocks.append(counts | {"latency (ms)": plain(curve.latencies) * 1e3})
    panel.set_ylim(bottom=0.0)
    panel.set(xlabel=label("current", symbol), ylabel="rate (Hz)")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    figure.draw_without_rendering()  # so that the width for the legend is known
    fit_legend(panel, panel.lines, **ABOVE)
    if axes is None:
        figure.data = joined(blocks)
    return figure
