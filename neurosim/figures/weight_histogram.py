"""How weights are distributed as a life goes on."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.epochs import epoch_axis
from neurosim.figures.layout import ABOVE, dress_bar, fit_legend, panels
from neurosim.figures.reading import epochs_kept, projection_of
from neurosim.figures.scales import common_scale, label, plain
from neurosim.figures.style import paper
from neurosim.figures.tables import joined

FEWEST, MOST = 10, 40  # bins
LINES = 8  # epochs that can be told apart as lines
SHADES = colormaps["viridis"]
LIGHTEST = 0.88  # of the colour map: beyond, a line is too pale for white paper


@paper()
def weight_histogram(history, projection: str | None = None, epochs=None, axes=None) -> Figure:
    """Draw the distribution of a projection's weights in each epoch whose circuit was kept.

    history: History. projection: its name; None takes the only plastic one, else the only one. epochs: which of those kept,
    one or several; None for all. axes: one.
    Up to 8 epochs are lines, dark early and light late; more make a heat map over epochs. All have the same bins, 10
    to 40 according to the number of synapses; in the map an empty bin is blank and the scale of colours is that of the square
    root. Weights are those of single synapses, before the share that a division leaves.
    Returns the figure. ValueError where the projection or an epoch is unknown, or several projections could be meant.
    """
    name = projection_of(history, projection)
    chosen = sorted(set(epochs_kept(history, epochs)))
    values = [history.kept[epoch].projections[name].weight for epoch in chosen]
    scale, symbol = common_scale(values)
    weights = [plain(one) / scale for one in values]
    edges = _edges(weights)
    counts = np.array([np.histogram(one, edges)[0] for one in weights])
    fractions = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    many = len(chosen) > LINES
    figure, (panel,) = panels([1.0], 2.3 if many else 2.1, axes, "weights")
    (_heat if many else _lines)(figure, panel, history, chosen, edges, fractions, label(f"weight, {name}", symbol))
    if axes is None:
        sides = {label("start of bin", symbol): edges[:-1], label("end of bin", symbol): edges[1:]}
        figure.data = joined(
            {"projection": name, "epoch": epoch, **sides, "synapses": count, "fraction of synapses": fraction}
            for epoch, count, fraction in zip(chosen, counts, fractions, strict=True)
        )
    return figure


def _edges(weights):
    """Return edges of bins from the least weight, or 0, to the largest: twice the cube root of the number of weights (Rice)."""
    bins = int(np.clip(np.round(2 * np.cbrt(np.median([len(one) for one in weights]))), FEWEST, MOST))
    together = np.concatenate(weights)
    low, high = np.min(together, initial=0.0), np.max(together, initial=0.0)
    return np.linspace(low, high if high > low else low + 1.0, bins + 1)


def _lines(figure, panel, history, epochs, edges, fractions, axis):
    for place, epoch, fraction in zip(np.linspace(0.0, LIGHTEST, len(epochs)), epochs, fractions, strict=True):
        # A line through the middles of bins can be followed where others cross it; the sides of steps cannot.
        panel.plot((edges[1:] + edges[:-1]) / 2, fraction, color=SHADES(place), linewidth=1.0, label=str(epoch))
    panel.set_xlim(edges[0], edges[-1])
    panel.set_ylim(0.0, 1.05 * max(fractions.max(), 1e-3))
    panel.set_xlabel(axis)
    panel.set_ylabel("fraction of synapses")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    figure.draw_without_rendering()  # so that the width for the legend is known
    handles = panel.get_legend_handles_labels()[0][-len(epochs) :]
    handles[0].set_label(f"epoch {epochs[0]}")
    fit_legend(panel, handles, **ABOVE)


def _heat(figure, panel, history, epochs, edges, fractions, axis):
    """Draw a column an epoch, as wide as the way to its neighbours."""
    between = np.convolve(epochs, [0.5, 0.5], mode="valid")
    sides = np.concatenate([[epochs[0] - 0.5], between, [epochs[-1] + 0.5]])
    scale = PowerNorm(0.5, vmin=0.0, vmax=max(fractions.max(), 1e-3))  # so that a peak at a bound leaves the rest to be seen
    image = panel.pcolormesh(sides, edges, np.ma.masked_equal(fractions.T, 0.0), cmap="viridis_r", norm=scale, rasterized=True)
    panel.set_ylabel(axis)
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    bar = figure.colorbar(image, ax=panel, aspect=30, pad=0.03)
    dress_bar(bar, "fraction of synapses")
    epoch_axis(figure, [panel], history)
