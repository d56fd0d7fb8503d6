"""How measures of lives go over time: the mean over seeds, with its interval."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from scipy.special import stdtrit  # the quantile of Student's t; scipy.stats takes a second to import

from neurosim.errors import near
from neurosim.figures.epochs import SHADES
from neurosim.figures.layout import ABOVE, fit_legend, panels
from neurosim.figures.scales import plain, time_axis, time_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import second, to_si


@paper()
def courses(measured: Mapping, spans: Sequence = (), levels: Mapping | None = None, axes=None) -> Figure:
    """Draw measures over time, a panel for each, as means over seeds with the 95 % interval of the mean as a band.

    measured: label of a y axis -> name -> (times, values), values of shape (seeds, times), without a unit or in that of the label.
    spans: (name, start, stop) of stretches of time, shaded. levels: label of a y axis -> where it has a dashed line.
    axes: one a label. A name has one colour everywhere, as long as they last, and a panel with the names of the one above it no legend
    of its own. NaN is left out; one seed has no band.
    The interval is Student's t. Returns the figure. ValueError where nothing is to be drawn, values and times differ in number, or a level
    is that of an unknown panel; TypeError for times that are none.
    """
    known, shaded = _checked(measured, spans, levels or {})
    colours = {
        name: PALETTE[place % len(PALETTE)] for place, name in enumerate(dict.fromkeys(name for lines in known.values() for name in lines))
    }
    figure, drawn = panels([1.0] * len(known), 0.3 + 1.15 * len(known), axes, ", ".join(known))
    every = np.concatenate([times for lines in known.values() for times, _ in lines.values()])
    factor, _ = time_scale(every.min(), every.max())
    blocks, handles = [], {}
    for panel, (title, lines) in zip(drawn, known.items(), strict=True):
        for _, start, stop in shaded:
            panel.axvspan(start / factor, stop / factor, facecolor=SHADES[0], edgecolor="none", zorder=0)
        if title in (levels or {}):
            panel.axhline(levels[title], color="black", linewidth=0.6, linestyle=(0, (4, 2)), label="_level")
        handles[panel] = []
        for name, (times, values) in lines.items():
            mean, half = _interval(values)
            handles[panel] += panel.plot(times / factor, mean, color=colours[name], label=name)
            panel.fill_between(times / factor, mean - half, mean + half, facecolor=colours[name], alpha=0.25, linewidth=0.0)
            numbers = {"mean": mean, "95 % low": mean - half, "95 % high": mean + half}
            blocks.append({"panel": title, "name": name, "time (s)": times, "seeds": len(values), **numbers})
        panel.set_ylabel(title)
        panel.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    handles[drawn[0]] += [Patch(facecolor=SHADES[0], edgecolor="none", label=name) for name in dict.fromkeys(name for name, *_ in shaded)]
    time_axis(drawn, every.min(), every.max())
    figure.align_ylabels(drawn)
    figure.draw_without_rendering()  # so that the width for the legends is known
    told: list[str] = []
    for (panel, own), lines in zip(handles.items(), known.values(), strict=True):
        if list(lines) != told:  # the legend above is this panel's too
            fit_legend(panel, own, **ABOVE)
        told = list(lines)
    if axes is None:
        figure.data = joined(blocks)
    return figure


def _interval(values):
    """Return the mean over seeds and half of its 95 % interval, NaN for one seed."""
    seeds = len(values)
    if seeds == 1:
        return values[0], np.full(values.shape[1], np.nan)
    return values.mean(axis=0), stdtrit(seeds - 1, 0.975) * values.std(axis=0, ddof=1) / np.sqrt(seeds)


def _checked(measured, spans, levels):
    """Return lines as arrays, times in seconds and a row a seed, and spans in seconds."""
    if not measured or not all(measured.values()):
        raise ValueError("figures.courses has nothing to draw; give a mapping from labels to mappings from names to (times, values)")
    known = {}
    for title, lines in measured.items():
        known[title] = {}
        for name, (times, values) in lines.items():
            times, values = np.asarray(to_si(times, second, f"times of {name!r}"), dtype=float), np.atleast_2d(plain(values))
            if times.ndim != 1 or not times.size or values.shape[1:] != times.shape:
                shapes = f"times of shape {times.shape} and values of shape {values.shape}"
                raise ValueError(f"{name!r} in panel {title!r} has {shapes}; give values of shape (seeds, times)")
            known[title][name] = times, values
    for title in levels:
        if title not in known:
            raise ValueError(f"there is a level for {title!r}, but no such panel.{near(title, known)}")
    return known, [(name, *(to_si(end, second, f"span {name!r}") for end in ends)) for name, *ends in spans]
