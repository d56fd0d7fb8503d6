"""How many synapses a cell receives and sends, over a life."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.epochs import epoch_axis, marker, phase_column
from neurosim.figures.layout import legend_inside, panels
from neurosim.figures.reading import projection_of
from neurosim.figures.style import PALETTE, paper


@paper()
def degrees(history, projection: str | None = None, axes=None) -> Figure:
    """Draw the in-degree and the out-degree of the cells in each epoch: mean, one standard deviation, and maximum.

    history: History. projection: its name; None takes the only plastic one, else the only one. axes: two, in and out.
    The in-degree of a target cell counts the synapses it receives in this projection, the out-degree of a source cell those
    it sends.
    Returns the figure. ValueError where the projection is unknown or several could be meant.
    """
    name = projection_of(history, projection)
    rows = history.connectivity[history.connectivity["name"] == name]
    epochs = rows["epoch"]
    figure, drawn = panels([1.0, 1.0], 2.7, axes, "in-degree, out-degree")
    for panel, end, colour in zip(drawn, ("in", "out"), PALETTE, strict=False):
        mean, sd, most = (rows[f"{end}_{column}"] for column in ("mean", "sd", "max"))
        panel.fill_between(epochs, mean - sd, mean + sd, facecolor=colour, alpha=0.25, linewidth=0.0, label="± 1 sd")
        panel.plot(epochs, mean, color=colour, marker=marker(epochs), markersize=2.0, label="mean")
        panel.plot(epochs, most, color=colour, linestyle=(0, (1, 1.5)), label="maximum")
        top = np.nanmax(np.append(most, mean + sd), initial=0.0)
        panel.set_ylim(0.0, 1.05 * top if top > 0 else 1.0)
        panel.set_ylabel(f"{end}-degree")
        panel.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, steps=[1, 2, 5, 10]))
    epoch_axis(figure, drawn, history)
    for panel in drawn:
        handles = {handle.get_label(): handle for handle in panel.get_legend_handles_labels()[0]}
        legend_inside(panel, [handles[one] for one in ("mean", "± 1 sd", "maximum")])
    if axes is None:
        columns = {"epoch": epochs, "phase": phase_column(history, epochs), "projection": np.full(len(rows), name)}
        figure.data = columns | {
            f"{end}-degree, {what}": rows[f"{end}_{column}"]
            for end in ("in", "out")
            for what, column in (("mean", "mean"), ("sd", "sd"), ("maximum", "max"))
        }
    return figure
