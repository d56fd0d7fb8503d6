"""Rules of plasticity side by side: what pairs of spikes make of a synapse, against their lag and against their rate."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import INSIDE, grid
from neurosim.figures.style import GREY, PAGE, PALE, PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.measures import Pairings

COLUMNS, ROW = 4, 1.3  # panels side by side; inches
LEAST = 3  # lags at one rate that make a timing panel
DATA = ("o", "s", "^")
DASHED = (0, (2.5, 1.2))
TIMING, RATE = "lag of post (ms)", "rate of pairs (Hz)"


@paper()
def plasticity(rules: Mapping, data: Mapping | None = None, axes=None) -> Figure:
    """Draw the change of the weight against the lag and against the rate of pairs, for each rule, across a page (180 mm).

    rules: rule -> kind -> cell -> Pairings. Kinds have colours; the first cell is drawn as lines, a second one as dots. A rule has a
    panel of lags where one rate was played with 3 or more; it shows the rate with the most. The panel of rates has a line for each lag
    that several rates were played with: solid and filled where post follows pre, dashed and open where it precedes it.
    data: name -> (rules it is drawn with, Pairings), black, with errors where there are some. axes: one a panel, and one for the legend.
    Returns the figure. ValueError where there is no rule, or more than two cells or three sets of data; KeyError for data of an unknown rule.
    """
    cells, data = _checked(rules, data or {})
    slots = [(rule, what) for rule in rules for what in (TIMING, RATE) if any(_curves(one, what) for one in _every(rules[rule]))]
    lines = -(-(len(slots) + 1) // COLUMNS)
    figure, (*drawn, last) = grid(len(slots) + 1, COLUMNS, 0.25 + ROW * lines, axes, ", ".join(f"{rule}: {what}" for rule, what in slots))
    if axes is None:
        figure.set_figwidth(PAGE)
    shown = []
    for place, (panel, (rule, what)) in enumerate(zip(drawn, slots, strict=True)):
        panel.axhline(0.0, color=PALE, linewidth=0.6, zorder=0)
        for colour, (kind, by_cell) in zip(PALETTE, rules[rule].items(), strict=False):
            for cell, one in by_cell.items():
                shown += [(rule, what, kind, cell, one, rows) for rows in _draw(panel, one, what, colour, cells.index(cell))]
        for marker, (name, (of, one)) in zip(DATA, data.items(), strict=False):
            if rule in of:
                shown += [(rule, what, "data", name, one, rows) for rows in _draw(panel, one, what, "black", None, marker)]
        _dress(panel, rule, what, what not in [other for _, other in slots[place + COLUMNS : place + COLUMNS + 1]])
        if what == RATE and len(rules[rule]) > 1:
            names = [Line2D([], [], color=colour, linewidth=2.0, label=kind) for colour, kind in zip(PALETTE, rules[rule], strict=False)]
            panel.legend(handles=names, **INSIDE)
    for panel in drawn[::COLUMNS]:
        panel.set_ylabel("change (%)")
    _legend(last, cells, data)
    if axes is None:
        figure.data = partial(_columns, shown)
    return figure


def _every(kinds):
    return [one for by_cell in kinds.values() for one in by_cell.values()]


def _curves(one: Pairings, what: str) -> list[np.ndarray]:
    """Return the rows of each curve, in order: on both sides of the lag 0 of the rate with most lags, or of each lag of several rates."""
    lags, rates = one.lags_si, one.rates_si
    if what == TIMING:
        known, counts = np.unique(rates, return_counts=True)
        here = rates == known[counts.argmax()]
        groups = [here & (lags < 0), here & (lags >= 0)] if counts.max() >= LEAST else []
    else:
        groups = [lags == lag for lag in np.unique(lags)[::-1]]
        groups = [group for group in groups if len(np.unique(rates[group])) > 1]
    by = lags if what == TIMING else rates
    return [rows[np.argsort(by[rows], kind="stable")] for rows in map(np.flatnonzero, groups) if len(rows)]


def _draw(panel, one, what, colour, cell, marker="o"):
    """Draw pairings of a cell (0: lines, 1: dots) or of an experiment (None); return the rows of each curve."""
    curves = _curves(one, what)
    for rows in curves:
        x, y = (one.lags_si * 1e3 if what == TIMING else one.rates_si)[rows], 100 * one.changes[rows]
        before = what == RATE and one.lags_si[rows[0]] < 0
        if cell == 0:
            panel.plot(x, y, color=colour, linewidth=0.9, linestyle=DASHED if before else "solid")
            continue
        look = {
            "linestyle": "none",
            "color": colour,
            "marker": marker,
            "markeredgewidth": 0.5,
            "markerfacecolor": "white" if before else colour,
        }
        if cell is None and one.errors is not None:
            panel.errorbar(x, y, 100 * one.errors[rows], elinewidth=0.6, markersize=2.8, zorder=3, **look)
        else:
            panel.plot(x, y, markersize=1.6 if cell is None else 2.2, zorder=1 if cell is None else 2, **look)
    return curves


def _dress(panel, rule, what, lowest):
    """Give a panel its title, ticks, and the name of its x axis where the panel below has another one."""
    if what == TIMING:
        panel.axvline(0.0, color=PALE, linewidth=0.6, zorder=0)
    panel.set_title(rule, loc="left")
    panel.set_xlabel(what if lowest else "")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))


def _legend(panel, cells, data):
    panel.set_axis_off()
    looks = ({"linewidth": 0.9}, {"linestyle": "none", "marker": "o", "markersize": 2.2})
    handles = [Line2D([], [], color=GREY, label=cell, **look) for cell, look in zip(cells, looks, strict=False)]
    handles += [
        Line2D([], [], color=GREY, label=text, linestyle=style)
        for text, style in (("post after pre", "solid"), ("post before pre", DASHED))
    ]
    for marker, (name, (_, one)) in zip(DATA, data.items(), strict=False):
        size = 1.6 if one.errors is None else 2.8
        handles.append(Line2D([], [], color="black", linestyle="none", marker=marker, markersize=size, label=name))
    panel.legend(handles=handles, loc="center left")


def _checked(rules, data):
    """Return the names of the cells, and the data."""
    if not rules or not all(_every(kinds) for kinds in rules.values()):
        raise ValueError("figures.plasticity was given no rule, or one without pairings; give rule -> kind -> cell -> Pairings")
    cells = list(dict.fromkeys(cell for kinds in rules.values() for by_cell in kinds.values() for cell in by_cell))
    if len(cells) > 2 or len(data) > len(DATA):
        raise ValueError(f"figures.plasticity was given {len(cells)} cells and {len(data)} sets of data; give at most 2 and {len(DATA)}")
    unknown = [rule for of, _ in data.values() for rule in of if rule not in rules]
    if unknown:
        raise KeyError(f"data of figures.plasticity are of rule {unknown[0]!r}, which is not among {', '.join(rules)}")
    return cells, data


def _columns(shown):
    """Return one row a protocol that was drawn."""
    return joined(
        {
            "rule": rule, "panel": what, "kind": kind, "cell or data": name, "lag (ms)": one.lags_si[rows] * 1e3,
            "rate (Hz)": one.rates_si[rows], "change": one.changes[rows],
            "error": np.nan if one.errors is None else one.errors[rows],
        }
        for rule, what, kind, name, one, rows in shown
    )  # fmt: skip
