"""Weight matrices as a life goes on."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import dress_bar, grid
from neurosim.figures.reading import epochs_kept, projection_of
from neurosim.figures.scales import common_scale, label, plain
from neurosim.figures.style import paper
from neurosim.figures.tables import joined

MOST = 6  # matrices in one figure
ABSENT = "white"  # which the reversed map, light for weak weights, leaves free


@paper()
def connectivity(history, projection: str | None = None, epochs=None, axes=None) -> Figure:
    """Draw what each cell delivers to each other, as one matrix an epoch in one colour scale; blank where there is no synapse.

    history: History. projection: its name; None takes the only plastic one, else the only one. epochs: which of those kept,
    one or several; None for all, of which six are chosen evenly if there are more. axes: one an epoch.
    Rows are source cells and columns target cells, in order of id. Several synapses from one cell to another add up.
    Returns the figure. ValueError where the projection or an epoch is unknown, more than six epochs are given, or several
    projections could be meant.
    """
    name = projection_of(history, projection)
    chosen = sorted(set(epochs_kept(history, epochs)))
    total = len(chosen)
    if total > MOST and epochs is not None:
        raise ValueError(
            f"{total} epochs were given for figures.connectivity, which has room for {MOST}; give fewer, or None to choose evenly"
        )
    if total > MOST:
        chosen = [chosen[place] for place in np.round(np.linspace(0, total - 1, MOST)).astype(int)]
    matrices = [_matrix(history.kept[epoch], name) for epoch in chosen]  # each circuit may lie in a file
    scale, symbol = common_scale([values for values, *_ in matrices])
    shown = [np.ma.array(plain(values) / scale, mask=~present) for values, present, *_ in matrices]

    titles = [f"epoch {epoch}" for epoch in chosen]
    columns = {1: 1, 2: 2, 4: 2}.get(len(chosen), 3)
    height = 0.55 + {1: 1.9, 2: 1.2, 3: 0.95}[columns] * -(-len(chosen) // columns)
    figure, drawn = grid(len(chosen), columns, height, axes, ", ".join(titles))
    some = np.concatenate([one.compressed() for one in shown])
    low, high = np.min(some, initial=0.0), np.max(some, initial=0.0)
    limits = {"vmin": low, "vmax": high if high > low else low + 1.0}
    for panel, title, values in zip(drawn, titles, shown, strict=True):
        panel.set_facecolor(ABSENT)
        # With more cells than pixels, neighbours are averaged: taking every tenth would drop most of a sparse matrix.
        image = panel.imshow(values, aspect="auto", cmap="viridis_r", interpolation="antialiased", **limits)
        panel.spines[["top", "right"]].set_visible(True)
        panel.set_title(title, loc="left")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_locator(MaxNLocator(nbins=3 if columns > 1 else 6, integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    bar = figure.colorbar(image, ax=drawn, aspect=30, pad=0.03)
    dress_bar(bar, label("weight", symbol) + "\nblank: no synapse")
    _name_axes(figure, drawn, axes, matrices[0][-1], name, (len(chosen), total))
    if axes is None:
        figure.data = joined(_block(name, epoch, values, one, symbol) for epoch, values, one in zip(chosen, shown, matrices, strict=True))
    return figure


def _matrix(circuit, name):
    """Return the weights from each cell to each, where there is a synapse, the ids of the cells and names of the axes."""
    part = circuit.projections[name]
    source, target = circuit.populations[part.source], circuit.populations[part.target]
    present = np.zeros((len(source), len(target)), dtype=bool)
    present[source.rows(part.synapses["pre"]), target.rows(part.synapses["post"])] = True
    return circuit.weight_matrix(name), present, source.ids, target.ids, (f"{part.target} cell (post)", f"{part.source} cell (pre)")


def _name_axes(figure, drawn, axes, names, projection, counts):
    """Name the axes, once for the whole figure where it is ours, and say how many of the kept epochs are shown."""
    said = f"{projection}, {counts[0]} of {counts[1]} kept epochs" if counts[0] < counts[1] else projection
    if axes is None:
        figure.suptitle(said, fontsize=7.0, x=0.01, ha="left")
        figure.supxlabel(names[0], fontsize=7.0)
        figure.supylabel(names[1], fontsize=7.0)
        return
    for panel in drawn:
        panel.set(xlabel=names[0], ylabel=names[1])
    drawn[0].set_title(f"{said}: {drawn[0].get_title(loc='left')}", loc="left")


def _block(name, epoch, values, matrix, symbol):
    """Return one row a pair of cells with a synapse, and the size of the matrix; a matrix without synapses has a row of -1 and NaN."""
    _, present, source, target, _ = matrix
    pre, post = np.nonzero(present)
    block = {"projection": name, "epoch": epoch, "cells (pre)": len(source), "cells (post)": len(target)}
    if not len(pre):
        return block | {"row": -1, "column": -1, "pre": -1, "post": -1, label("weight", symbol): np.nan}
    places = {"row": pre, "column": post, "pre": source[pre], "post": target[post]}
    return block | places | {label("weight", symbol): values.data[pre, post]}
