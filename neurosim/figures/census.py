"""Cells, synapses, births and deaths per epoch, with the phases of the life."""

import textwrap

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from neurosim.errors import near
from neurosim.figures.epochs import epoch_axis, epochs_of, marker, phase_column
from neurosim.figures.layout import INSIDE, fit_legend, panels
from neurosim.figures.scales import label, plain, value_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined

BIRTH, DEATH = "#009E73", "#D55E00"


@paper()
def census(history, measure: str | None = None, names=None, axes=None) -> Figure:
    """Draw the number of cells and of synapses in each epoch, births and deaths as bars, phases shaded and named.

    history: History (census, phases, circuit, measures). measure: a name in history.measures, drawn in a panel below.
    names: populations and projections to draw, None for all. axes: one for cells, one for synapses if there are projections
    to draw, one for the measure.
    Returns the figure. ValueError where a name or the measure is unknown or its length fits no epochs.
    """
    table, epochs = history.census, epochs_of(history)
    circuit = history.circuit
    kinds = {"cells": list(circuit.populations), "synapses": list(circuit.projections)}
    kinds = {kind: [name for name in known if names is None or name in names] for kind, known in kinds.items()}
    for name in names or ():
        if not any(name in chosen for chosen in kinds.values()):
            known = [*circuit.populations, *circuit.projections]
            raise ValueError(f"{name!r} is not in this history; name populations or projections.{near(name, known)}")
    kinds = {kind: chosen for kind, chosen in kinds.items() if chosen}
    curve = None if measure is None else _measured(history, measure, epochs)
    titles = [*kinds, *([] if curve is None else [measure])]
    figure, drawn = panels([1.0] * len(titles), 0.62 + 0.98 * len(titles), axes, ", ".join(titles))

    for panel, (kind, names) in zip(drawn, kinds.items(), strict=False):
        _sizes(panel, table, epochs, kind, names)
    if curve is not None:
        scale, symbol = value_scale(history.measures[measure])
        drawn[-1].plot(curve[0], curve[1] / scale, color=PALETTE[0], marker=marker(epochs), markersize=2.0, label=measure)
        drawn[-1].set_ylabel(textwrap.fill(label(measure.replace("_", " "), symbol), 20))
        drawn[-1].yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    epoch_axis(figure, drawn, history)
    for panel, _ in zip(drawn, kinds, strict=False):
        lines = fit_legend(panel, panel.get_legend_handles_labels()[0], **INSIDE)
        panel.set_ylim(0.0, panel.get_ylim()[1] * (1.0 + 0.18 * (lines - 1)))  # room above the lines for the legend
    if axes is None:
        figure.data = _columns(history, kinds, measure, curve)
    return figure


def _columns(history, kinds, measure, curve):
    """Return the census of what was drawn, one row a name and epoch; a measure stands beside each name."""
    blocks = []
    for kind, names in kinds.items():
        for name in names:
            rows = history.census[history.census["name"] == name]
            counts = {"epoch": rows["epoch"], "phase": phase_column(history, rows["epoch"]), "panel": kind, "name": name}
            blocks.append(counts | {column: rows[column] for column in ("size", "births", "deaths")})
    if curve is None:
        return joined(blocks)
    scale, symbol = value_scale(history.measures[measure])
    if not blocks:
        return {"epoch": curve[0], "phase": phase_column(history, curve[0]), label(measure, symbol): curve[1] / scale}
    columns = joined(blocks)
    values = np.full(len(columns["epoch"]), np.nan)
    for epoch, value in zip(*curve, strict=True):
        values[columns["epoch"] == epoch] = value / scale
    return columns | {label(measure, symbol): values}


def _measured(history, measure, epochs):
    """Return (epochs, values) of a measure, which has one value an epoch, with or without the start."""
    if measure not in history.measures:
        raise ValueError(
            f"measure {measure!r} is not in this history; make it with ns.develop(..., measure=...).{near(measure, history.measures)}"
        )
    values = plain(history.measures[measure])
    if len(values) not in (len(epochs), len(epochs) - 1):
        counts = f"{len(values)} values, but the census has {len(epochs)} epochs with the start"
        raise ValueError(f"measure {measure!r} has {counts}; give one value an epoch")
    taken = np.isfinite(values)  # one that is not measured in every epoch is a line all the same
    return epochs[len(epochs) - len(values) :][taken], values[taken]


def _sizes(panel, table, epochs, kind, names):
    """Draw sizes as lines, and births and deaths of all `names` together as bars on the same scale."""
    for number, name in enumerate(names):
        rows = table[table["name"] == name]
        colour = "black" if len(names) == 1 else (PALETTE[0], *PALETTE[3:])[number % 5]
        panel.plot(rows["epoch"], rows["size"], color=colour, marker=marker(epochs), markersize=2.0, label=name)
    chosen = table[np.isin(table["name"], names)]
    for offset, column, colour in ((-0.2, "births", BIRTH), (0.2, "deaths", DEATH)):
        counts = np.array([chosen[column][chosen["epoch"] == epoch].sum() for epoch in epochs])
        panel.bar(epochs + offset, counts, width=0.4, color=colour, linewidth=0.0, label=column)
    top = max(chosen["size"].max(initial=1), chosen["births"].max(initial=1), chosen["deaths"].max(initial=1))
    panel.set_ylim(0.0, 1.28 * top)
    panel.set_ylabel(kind)
    panel.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
    if top >= 10_000:
        panel.set_ylabel(f"{kind} (thousands)")
        panel.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}"))
