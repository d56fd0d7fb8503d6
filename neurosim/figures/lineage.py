"""The tree of all cells that ever lived."""

from collections import Counter

import numpy as np
from matplotlib.figure import Figure

from neurosim.figures.ancestry import depth_first, family, founders
from neurosim.figures.epochs import epoch_axis, epochs_of
from neurosim.figures.layout import panels
from neurosim.figures.reading import population_of
from neurosim.figures.style import PALETTE, paper

MOST = 300  # cells whose lines can be told apart on a page
COLOURS = PALETTE[:-1]  # connectors and crosses need black no more than lines do
LETTER = 0.12  # inches of a line of type


@paper()
def lineage(history, population: str | None = None, axes=None) -> Figure:
    """Draw the lineage of a population: a line a cell from birth to death, a connector a division, a cross a death.

    history: History. population: its name; None takes the only one that changed. axes: one.
    A clone, all that descends from one founder, has a colour and stands together; the founder's id is named beside it. Each
    cell is followed by its daughters, the last first, so that no branch crosses another. Of more than 300 cells the largest
    clones are drawn that stay below, or the first 300 cells of the largest; the label of the axis says so.
    Returns the figure. ValueError where the population is unknown or several could be meant.
    """
    name = population_of(history, population)
    table = family(history, name)
    chosen, said = _chosen(table)
    table = table[chosen]
    founder = founders(table)
    table = table[depth_first(table)]
    count, last = len(table), int(epochs_of(history)[-1])
    height = float(np.clip(0.7 + 0.06 * count, 1.7, 6.8))
    figure, (panel,) = panels([1.0], height, axes, "lineage")

    room = (height - 0.6) * 72 / max(count, 1)  # points a cell
    look = {"linewidth": float(np.clip(0.35 * room, 0.4, 1.0))}
    rows, end = np.arange(count), np.where(table["death"] < 0, last, table["death"])
    place = dict(zip(table["id"].tolist(), rows.tolist(), strict=True))
    mother = np.array([place.get(one, -1) for one in table["parent"].tolist()], dtype=int)
    roots = rows[mother < 0]
    colours = np.array([COLOURS[number % len(COLOURS)] for number in np.searchsorted(roots, rows, side="right") - 1], dtype=object)
    panel.hlines(rows, table["birth"], end, colors=list(colours), label="cells", **look)
    born = mother >= 0
    panel.vlines(table["birth"][born], mother[born], rows[born], colors=list(colours[born]), label="divisions", **look)
    dead = table["death"] >= 0
    size = float(np.clip(0.8 * room, 1.6, 3.5))
    cross = {"marker": "x", "markersize": size, "markeredgewidth": 0.2 * size, "color": "black", "linestyle": "none"}
    panel.plot(end[dead], rows[dead], label="deaths", zorder=3, **cross)
    panel.set_ylim(-1.0, count)
    _name_clones(panel, roots, table["id"][roots], colours[roots], LETTER * 72 / room)
    panel.set_ylabel(said)
    epoch_axis(figure, [panel], history, " (×: death)" if dead.any() else "")
    if axes is None:
        columns = {
            "row": rows,
            "cell": table["id"],
            "mother": table["parent"],
            "founder": np.array([founder[cell] for cell in table["id"].tolist()], dtype=int),
        }
        figure.data = columns | {"from (epoch)": table["birth"], "to (epoch)": end, "died (1: yes)": dead.astype(int)}
    return figure


def _chosen(table):
    """Return which cells are drawn, and a label that says so."""
    root = founders(table)
    sizes = Counter(root.values()).most_common()
    total, clones = len(table), len(sizes)
    if total <= MOST:
        return np.ones(total, dtype=bool), f"{total} cell{'s' if total != 1 else ''}, by founder"
    fitting = np.cumsum([size for _, size in sizes]) <= MOST
    largest = {founder for (founder, _), fits in zip(sizes, fitting, strict=True) if fits}
    own = np.array([root[cell] in (largest or {sizes[0][0]}) for cell in table["id"].tolist()])
    if largest:
        return own, f"{own.sum()} of {total} cells: the {len(largest)} largest of {clones} clones, by founder"
    whole = f"cells of the largest of {clones} clones" if clones > 1 else "cells"
    return own & (np.cumsum(own) <= MOST), f"first {MOST} of {own.sum()} {whole}, by founder"


def _name_clones(panel, roots, ids, colours, apart):
    """Name founders at their lines, in their colours, leaving out those that would stand on another."""
    named = []
    for number, row in enumerate(roots):
        if not named or row - roots[named[-1]] >= apart:
            named.append(number)
    panel.set_yticks(roots[named], [str(ids[number]) for number in named])
    for number, text in zip(named, panel.get_yticklabels(), strict=True):
        text.set_color(colours[number])
