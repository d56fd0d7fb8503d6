"""Balance over a life: of excitatory and inhibitory cells, and of what excites and inhibits them."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.errors import near
from neurosim.figures.epochs import epoch_axis, marker, phase_column
from neurosim.figures.layout import legend_inside, panels
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined

DRIVES = (("exc", "excitation", PALETTE[1]), ("inh", "inhibition", PALETTE[0]))


@paper()
def epoch_balance(history, populations=None, axes=None) -> Figure:
    """Draw the ratio of excitatory to inhibitory cells, and what excited and inhibited the cells of each population, in each epoch.

    history: History. populations: names, None for all that synapses drove. axes: one for the ratio, if there are inhibitory
    cells, and one for each population.
    Excitation and inhibition are the strengths of arriving spikes per second, each counted as the potential that it causes in a cell at
    rest; see History.balance. Returns the figure. ValueError for an unknown population, and where there is nothing to draw.
    """
    table = history.balance
    drawn = _driven(table, populations)
    ratios = table[table["name"] == table["name"][0]] if len(table) else table
    ratio = bool(np.isfinite(ratios["cells"]).any())
    if not drawn and not ratio:
        raise ValueError("this history has no balance to draw: no population with known drives, and no inhibitory cells; name populations")
    titles = [*(["E:I cells"] if ratio else []), *drawn]
    figure, all_panels = panels([1.0] * len(titles), 0.5 + 1.05 * len(titles), axes, ", ".join(titles))
    look = {"marker": marker(ratios["epoch"]), "markersize": 2.0}
    if ratio:
        all_panels[0].plot(ratios["epoch"], ratios["cells"], color="black", label="E:I cells", **look)
        all_panels[0].set_ylabel("E:I cells")
    for panel, name in zip(all_panels[len(titles) - len(drawn) :], drawn, strict=True):
        rows = table[table["name"] == name]
        for column, what, colour in DRIVES:
            panel.plot(rows["epoch"], rows[column], color=colour, label=what, **look)
        panel.set_ylabel(f"drive of {name}\n(V/s)")
    for panel in all_panels:
        panel.set_ylim(bottom=0.0)
        panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    epoch_axis(figure, all_panels, history)
    for panel in all_panels[len(titles) - len(drawn) :]:
        legend_inside(panel, panel.get_lines()[:2])
    if axes is None:
        rows = table[np.isin(table["name"], drawn)] if drawn else ratios
        head = {
            "epoch": rows["epoch"],
            "phase": phase_column(history, rows["epoch"]),
            "population": rows["name"],
            "E:I cells": rows["cells"],
        }
        figure.data = joined([head | {f"{what} (V/s)": rows[column] for column, what, _ in DRIVES}])
    return figure


def _driven(table, populations) -> list[str]:
    """Return the populations to draw: those given, or those with a known drive that is not always 0."""
    known = list(dict.fromkeys(table["name"].tolist()))
    if populations is None:
        return [name for name in known if any(np.nansum(np.abs(table[column][table["name"] == name])) for column, *_ in DRIVES)]
    chosen = [populations] if isinstance(populations, str) else list(populations)
    for name in chosen:
        if name not in known:
            raise ValueError(f"population {name!r} has no balance in this history.{near(name, known)}")
    return chosen
