"""Sizes of clones over a life."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from neurosim.figures.ancestry import alive, ancestors_at, family, founders
from neurosim.figures.epochs import epoch_axis, epochs_of, phase_column
from neurosim.figures.layout import legend_inside, panels
from neurosim.figures.reading import population_of
from neurosim.figures.style import GREY, PALE, PALETTE, paper
from neurosim.figures.tables import joined

MOST = 6  # clones with a colour of their own
ENOUGH = 4  # cells that make a picture of clones where there was one founder


@paper()
def clones(history, population: str | None = None, at: int | None = None, axes=None) -> Figure:
    """Draw how many cells of each clone live in each epoch, as areas one above the other.

    history: History. population: its name; None takes the only one that changed. at: an epoch; the cells that then live are
    the founders of the clones, and the cells before it are grey. None takes the founders of the population or, where that
    is a single one, the first epoch with 4 cells, else the start. axes: one.
    The six clones that fill the largest area have colours and names, the others are joined in grey at the top.
    Returns the figure. ValueError where the population is unknown, or where no cell lives at that epoch.
    Source: Muller (1932). Some genetic aspects of sex. The American Naturalist 66:118-138. doi:10.1086/280418.
    """
    name = population_of(history, population)
    table, epochs = family(history, name), epochs_of(history)
    root = founders(table)
    total = np.array([alive(table, epoch).sum() for epoch in epochs])
    if at is None and len(set(root.values())) == 1:
        at = int(next((epoch for epoch, count in zip(epochs, total, strict=True) if count >= ENOUGH), epochs[0]))
    if at is not None:
        root = ancestors_at(table, _checked(at, name, epochs, total))
    later = epochs if at is None else epochs[epochs >= at]
    sizes = _sizes(table, root, later)
    largest = sorted(sorted(sizes, key=lambda one: (-sizes[one].sum(), one))[:MOST])
    layers = {str(one): sizes[one] for one in largest}
    if len(sizes) > len(largest):
        layers[f"{len(sizes) - len(largest)} others"] = sum(sizes[one] for one in sizes if one not in largest)

    figure, (panel,) = panels([1.0], 2.1, axes, "clones")
    handles, base = [], np.zeros(len(later))
    for number, (clone, size) in enumerate(layers.items()):
        colour = PALETTE[number] if number < len(largest) else PALE
        panel.fill_between(later, base, base + size, facecolor=colour, edgecolor="white", linewidth=0.3, label=clone)
        handles.append(Patch(facecolor=colour, label=f"clone of {clone}" if number == 0 else clone))
        base = base + size
    before = epochs[epochs <= later[0]]
    if len(before) > 1:
        panel.fill_between(before, total[: len(before)], facecolor=GREY, linewidth=0.0, label="earlier")
        handles.append(Patch(facecolor=GREY, label="earlier"))
    panel.set_ylim(0.0, max(total.max(), 1) * 1.02)
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5, integer=True, steps=[1, 2, 5, 10]))
    panel.set_ylabel("cells, by founder" if at is None else f"cells, by ancestor in epoch {at}")
    epoch_axis(figure, [panel], history)
    legend_inside(panel, handles)
    if axes is None:
        shown = [("earlier", before[:-1], total[: len(before) - 1]), *((clone, later, size) for clone, size in layers.items())]
        figure.data = joined(
            {"epoch": when, "phase": phase_column(history, when), "clone": clone, "cells": size} for clone, when, size in shown
        )
    return figure


def _checked(at, name, epochs, total):
    if at not in epochs:
        raise ValueError(f"epoch {at} is not in this life; choose one from {epochs[0]} to {epochs[-1]}")
    if not total[np.searchsorted(epochs, at)]:
        raise ValueError(f"no cell of population {name!r} lives in epoch {at}; choose an epoch with cells")
    return int(at)


def _sizes(table, root, epochs):
    """Return the number of living cells of each clone in each of the epochs, clones in order of their founders' ids."""
    order = sorted(set(root.values()))
    place = {clone: number for number, clone in enumerate(order)}
    change = np.zeros((len(order), len(epochs) + 1), dtype=np.int64)
    for cell, birth, death in zip(*(table[column].tolist() for column in ("id", "birth", "death")), strict=True):
        if cell in root:
            change[place[root[cell]], np.searchsorted(epochs, birth)] += 1
            change[place[root[cell]], np.searchsorted(epochs, death) if death >= 0 else -1] -= 1
    return dict(zip(order, np.cumsum(change, axis=1)[:, :-1], strict=True))
