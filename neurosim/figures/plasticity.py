"""Rules of plasticity side by side: what pairs of spikes make of a synapse, against their lag and against their rate."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import grid, swatches
from neurosim.figures.style import GREY, PAGE, PALE, PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.measures import Pairings

COLUMNS, ROW = 4, 1.3  # panels side by side; inches
LEAST = 3  # lags at one rate that make a timing panel
DATA = ("o", "s", "^")
FEW, MEAN = 1.6, 2.8  # sizes of marks: one of many measurements, a mean
DASHED = (0, (2.5, 1.2))
NAMES = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0)}  # where names of kinds stand, in line with titles
TIMING, RATE = "post minus pre (ms)", "rate of pairs (Hz)"
WIDTHS = (0.9, 1.7)  # of lines, and of those that others of the rule are drawn on top of


@paper()
def plasticity(rules: Mapping, data: Mapping | None = None, axes=None) -> Figure:
    """Draw the change of the weight against the lag and against the rate of pairs, for each rule, across a page (180 mm).

    rules: rule -> kind -> cell -> Pairings. Kinds have colours; the first cell is drawn as lines, a second one as dots. A rule has a
    panel of lags where one rate was played with 3 or more; it shows the rate with the most. The panel of rates has a line for each lag
    that several rates were played with: solid and filled where post follows pre, dashed and open where it precedes it.
    data: name -> (rules it is drawn with, Pairings), black, with errors where there are some. axes: one a panel, and one for the legend.
    Returns the figure. ValueError where there is no rule, a rule makes no curve, there are more than two cells or three sets of data, or
    data are of an unknown rule.
    """
    data = data or {}
    cells, slots = _checked(rules, data), [(rule, what) for rule in rules for what in _panels(rules[rule])]
    lines = -(-(len(slots) + 1) // COLUMNS)
    figure, (*drawn, last) = grid(len(slots) + 1, COLUMNS, 0.25 + ROW * lines, axes, ", ".join(f"{rule}: {what}" for rule, what in slots))
    if axes is None:
        figure.set_figwidth(PAGE)
    shown = []
    for place, (panel, (rule, what)) in enumerate(zip(drawn, slots, strict=True)):
        panel.axhline(0.0, color=PALE, linewidth=0.6, zorder=0)
        for number, (kind, by_cell) in enumerate(rules[rule].items()):
            for cell, one in by_cell.items():
                width = WIDTHS[number == 0 < len(rules[rule]) - 1]
                look = {"line": width} if cell == cells[0] else {"size": 1.6 + width / 2}
                shown += [(rule, what, kind, cell, one, rows) for rows in _draw(panel, one, what, PALETTE[number % len(PALETTE)], **look)]
        for marker, (name, (of, one)) in zip(DATA, data.items(), strict=False):
            if rule in of:
                shown += [
                    (rule, what, "data", name, one, rows) for rows in _draw(panel, one, what, "black", marker=marker, size=_size(one))
                ]
        _dress(panel, what, what not in [other for _, other in slots[place + COLUMNS : place + COLUMNS + 1]])
        alone = what == TIMING or (rule, TIMING) not in slots
        named = what == RATE and len(rules[rule]) > 1
        if named:
            panel.legend(handles=swatches(list(rules[rule])), ncols=len(rules[rule]), **NAMES).set_in_layout(False)
        if alone:
            panel.set_title(rule, loc="left", pad=11.5 if named else 2.0)
    for panel in drawn[::COLUMNS]:
        panel.set_ylabel("change (%)")
    _legend(last, cells, data, {abs(one.lags_si[rows[0]]) for _, what, _, _, one, rows in shown if what == RATE})
    if axes is None:
        figure.data = partial(_columns, shown)
    return figure


def _panels(kinds):
    """Return what a rule can be drawn against."""
    return [what for what in (TIMING, RATE) if any(_curves(one, what) for by_cell in kinds.values() for one in by_cell.values())]


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


def _size(one):
    return FEW if one.errors is None else MEAN


def _draw(panel, one, what, colour, *, line=0.0, marker="o", size=0.0):
    """Draw the curves of pairings as lines of some width, or as marks of some size with their errors; return the rows of each curve."""
    curves = _curves(one, what)
    for rows in curves:
        x, y = (one.lags_si * 1e3 if what == TIMING else one.rates_si)[rows], 100 * one.changes[rows]
        before = what == RATE and one.lags_si[rows[0]] < 0
        if line:
            panel.plot(x, y, color=colour, linewidth=line, linestyle=DASHED if before else "solid")
        else:
            errors = None if one.errors is None else 100 * one.errors[rows]
            look = {"color": colour, "marker": marker, "markersize": size, "markerfacecolor": "white" if before else colour}
            panel.errorbar(x, y, errors, linestyle="none", elinewidth=0.6, markeredgewidth=0.5, zorder=3 if size == MEAN else 1.5, **look)
    return curves


def _dress(panel, what, lowest):
    """Give a panel ticks, and the name of its x axis where the panel below has another one."""
    if what == TIMING:
        panel.axvline(0.0, color=PALE, linewidth=0.6, zorder=0)
    panel.set_xlabel(what if lowest else "")
    panel.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))


def _legend(panel, cells, data, lags):
    panel.set_axis_off()
    looks = ({"linewidth": 1.2}, {"linestyle": "none", "marker": "o", "markersize": 2.4})
    handles = [Line2D([], [], color=GREY, label=cell, **look) for cell, look in zip(cells, looks, strict=False)]
    by = f"{1e3 * lags.pop():g} ms " if len(lags) == 1 else ""
    for text, style, face in ((f"post {by}after pre", "solid", GREY), (f"post {by}before pre", DASHED, "white")):
        handles.append(Line2D([], [], color=GREY, label=text, linestyle=style, marker="o", markersize=2.4, markerfacecolor=face))
    for marker, (name, (_, one)) in zip(DATA, data.items(), strict=False):
        handles.append(Line2D([], [], color="black", linestyle="none", marker=marker, markersize=_size(one), label=name))
    panel.legend(handles=handles, loc="center left", handlelength=2.0).set_in_layout(False)


def _checked(rules, data):
    """Return the names of the cells."""
    if not rules:
        raise ValueError("figures.plasticity was given no rule; give rule -> kind -> cell -> Pairings")
    for rule, kinds in rules.items():
        if not _panels(kinds):
            raise ValueError(f"pairings of rule {rule!r} make no curve; play {LEAST} lags at one rate, or several rates at one lag")
    cells = list(dict.fromkeys(cell for kinds in rules.values() for by_cell in kinds.values() for cell in by_cell))
    if len(cells) > 2 or len(data) > len(DATA):
        raise ValueError(f"figures.plasticity was given {len(cells)} cells and {len(data)} sets of data; give at most 2 and {len(DATA)}")
    unknown = [rule for of, _ in data.values() for rule in of if rule not in rules]
    if unknown:
        raise ValueError(f"data of figures.plasticity are of rule {unknown[0]!r}, which is not among {', '.join(rules)}; leave it out")
    return cells


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
