"""How the error of spikes grows with the time step."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from neurosim.figures.cost import DASHES
from neurosim.figures.layout import ABOVE, fit_legend, panels
from neurosim.figures.looks import COLOURS, MARKERS, by_cell
from neurosim.figures.style import GREY, PALE, paper
from neurosim.figures.tables import joined

ORDERS = (1, 2, 4)  # whose slopes are drawn as guides
MOST = 0.2  # error of an interval above which spikes are no longer those that they are compared with
TITLES = {"crossing": "upward crossings", "refractory": "spikes with a reset"}
ROOM = 2.0  # factor left free beside the least and the largest
METHODS = (*DASHES, (0, (6, 1, 1, 1)), (0, (6, 1, 1, 1, 1, 1)))  # dashes of the methods, as they come


@paper()
def time_steps(errors: Mapping | Sequence, allowed: float = 0.01, axes=None) -> Figure:
    """Draw the error of the mean interspike interval against the time step, a line for each cell, dashed by its method.

    errors: TimeStepErrors, or a mapping from names to them; cells with a reset have a panel of their own. allowed: the error that is
    marked. axes: one for each panel. Grey lines rise as an error of order 1, 2 and 4 does. Errors above 20 %, and those within the
    reference's own, are left out. Returns the figure. ValueError where there is no result, or two are of one cell.
    """
    known = by_cell(errors, "time_steps", "errors")
    groups = {rule: {name: one for name, one in known.items() if one.rule == rule} for rule in TITLES}
    groups = {rule: own for rule, own in groups.items() if own}
    height = sum(1.9 + 0.15 * -(-len(own) // 2) for own in groups.values())
    figure, chosen = panels([1.0] * len(groups), height, axes, "one for each spike rule")
    for panel, (rule, own) in zip(chosen, groups.items(), strict=True):
        methods = dict(zip(dict.fromkeys(one.method for one in own.values()), METHODS, strict=False))
        for place, (name, one) in enumerate(own.items()):
            _line(panel, name, one, place, methods[one.method])
        panel.axhline(100 * allowed, color=GREY, linewidth=0.6, linestyle=(0, (1, 1.2)), label="_allowed")
        _logarithmic(panel)
        _guides(panel)
        panel.set_ylabel("error of the interval (%)")
        handles = [Line2D([], [], color=GREY, linestyle=dashes, label=method.replace("_", " ")) for method, dashes in methods.items()]
        place = {"loc": "lower right", "title": TITLES[rule], "alignment": "left", "handlelength": 2.4, "borderaxespad": 0.3}
        panel.add_artist(panel.legend(handles=handles, frameon=True, facecolor="white", edgecolor="none", framealpha=1.0, **place))
    chosen[-1].set_xlabel("time step (ms)")
    figure.draw_without_rendering()  # so that the width for the legends is known
    for panel in chosen:
        fit_legend(panel, _paired([line for line in panel.lines if not line.get_label().startswith("_")]), **ABOVE)
    if axes is None:
        figure.data = joined(_columns(name, one) for name, one in known.items())
    return figure


def _line(panel, name: str, one, place: int, dashes) -> None:
    turn, number = divmod(place, len(COLOURS))
    inside = COLOURS[number] if turn % 2 == 0 else "white"
    rows = one.table[(one.table["interval"] <= MOST) & (one.table["interval"] * one.apart > one.reference)]
    look = {"color": COLOURS[number], "marker": MARKERS[number], "markerfacecolor": inside, "linestyle": dashes, "linewidth": 0.7}
    panel.plot(rows["dt"] * 1e3, rows["interval"] * 100, markersize=2.6, markeredgewidth=0.6, label=name, **look)


def _paired(lines: list) -> list:
    """Return lines such that two columns of a legend are narrow: long names beside short ones."""
    ordered = sorted(lines, key=lambda line: len(line.get_label()))
    half = -(-len(ordered) // 2)
    return [line for pair in zip_longest(ordered[:half], ordered[half:]) for line in pair if line is not None]


def _logarithmic(panel) -> None:
    points = np.concatenate([line.get_xydata() for line in panel.lines if not line.get_label().startswith("_")])
    panel.set(xscale="log", yscale="log")
    if len(points):
        low, high = points.min(axis=0) / ROOM, points.max(axis=0) * ROOM
        panel.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(LogLocator(numticks=7))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())


def _guides(panel) -> None:
    """Draw a line for each order that ends in the panel's upper right corner, numbered where it comes in, left of the methods' names."""
    (left, right), (bottom, top) = panel.get_xlim(), panel.get_ylim()
    for order in ORDERS:
        start = max(left, right * (bottom / top) ** (1 / order))
        if start**2 > left * right:
            continue
        height = top * (start / right) ** order
        panel.plot([start, right], [height, top], color=PALE, linewidth=0.6, zorder=1, label=f"_order {order}")
        panel.annotate(f"{order}", (start, height), (4, 2), textcoords="offset points", color=GREY, ha="left", va="bottom")


def _columns(name: str, one) -> dict:
    columns = {"time step (ms)": one.table["dt"] * 1e3, "spikes": one.table["spikes"], "mean error (ms)": one.table["mean"] * 1e3}
    columns |= {"largest error (ms)": one.table["largest"] * 1e3, "error of the interval (%)": one.table["interval"] * 100}
    return {"cell": name, "method": one.method, "order": one.order, **columns}
