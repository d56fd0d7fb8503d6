"""What it costs to simulate cells."""

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from neurosim.figures.layout import panels
from neurosim.figures.scales import label, plain, value_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import quantity, second

ROOM = 1.5  # factor left free beside the least and the largest cost
LEAST = 10.0  # ratio of the ends of the axis at least


@paper()
def cell_cost(costs: Mapping, axes=None) -> Figure:
    """Draw the computing time of each cell for a simulated second on a logarithmic axis, with the number.

    costs: name -> seconds per simulated second and cell, a number (or quantity in second) or one for each of several runs; the
    median of these is marked and written. axes: one.
    Returns the figure. ValueError where there is no cost, or one is not above 0 and finite.
    """
    known = _checked(costs)
    medians = np.array([np.median(runs) for runs in known.values()])
    scale, symbol = value_scale(quantity(medians, second.dim))
    names = [textwrap.fill(name, 18, break_long_words=False) for name in known]
    lines = sum(1 + name.count("\n") for name in names)
    figure, (panel,) = panels([1.0], 0.6 + 0.14 * lines + 0.06 * len(names), axes, "cost")
    for row, (name, runs) in enumerate(known.items()):
        look = {"marker": "o", "markersize": 2.6, "markeredgewidth": 0.0, "linestyle": "none", "color": PALETTE[0], "alpha": 0.75}
        panel.plot(runs / scale, np.full(len(runs), row), label=name, **look)
        if len(runs) > 1:
            panel.plot(medians[row] / scale, row, marker="|", markersize=8.0, markeredgewidth=1.2, color="black", label=f"_median {name}")
    panel.set_xscale("log")
    low, high = np.min([runs.min() for runs in known.values()]), np.max([runs.max() for runs in known.values()])
    low, high = low / scale / ROOM, high / scale * ROOM
    panel.set_xlim(low, max(high, low * LEAST))
    wide = high / low > 10 * LEAST
    panel.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 5.0)))
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.xaxis.set_minor_locator(NullLocator())
    for row, (runs, median) in enumerate(zip(known.values(), medians, strict=True)):
        _number(panel, row, runs / scale, f"{median / scale:.2g}")
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.tick_params(axis="y", length=0.0)
    panel.set_xlabel(label("computing time per\nsimulated second and cell", symbol))
    if axes is None:
        figure.data = joined({"cell": name, "run": np.arange(len(runs)), "computing time (s)": runs} for name, runs in known.items())
    return figure


def _checked(costs):
    """Return the seconds of each cell as an array of runs."""
    known = {str(name): np.atleast_1d(plain(one)).ravel() for name, one in costs.items()}
    if not known:
        raise ValueError("no costs were given to figures.cell_cost; give a mapping from cells to seconds")
    for name, runs in known.items():
        if not len(runs) or not (np.isfinite(runs) & (runs > 0)).all():
            raise ValueError(f"cost of cell {name!r} is {runs.tolist()} s; give seconds above 0")
    return known


def _number(panel, row, runs, text):
    """Write a number beside the dots of a row, on the side where there is more room."""
    low, high = np.log(panel.get_xlim())
    right = high - np.log(runs.max()) > np.log(runs.min()) - low
    at, shift, side = (runs.max(), 5, "left") if right else (runs.min(), -5, "right")
    panel.annotate(text, (at, row), (shift, 0), textcoords="offset points", ha=side, va="center")
