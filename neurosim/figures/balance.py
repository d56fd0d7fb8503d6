"""How plasticity brings networks to the rates that it aims at."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from neurosim.figures.layout import ABOVE, fit_legend, grid, swatches
from neurosim.figures.scales import common_scale, label, plain, time_axis, time_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import Hz, second, to_si

CELLS, WINDOW = 50, 0.3  # cells and seconds, the last of a recording, of which spikes are shown
BINS, SLOWEST = 60, 0.1  # bins of a histogram, the lower end of the first bin of rates in Hz


@paper()
def balance(courses: Mapping, targets: Mapping, spikes: Mapping, rates: Mapping, weights: Mapping, axes=None) -> Figure:
    """Draw mean rates over time, spikes of two moments, and how rates of cells and weights of synapses are distributed.

    courses: network -> (times, mean rates); targets: network -> the rate it aims at, a dashed line in its colour. spikes: title ->
    (Recording, population), two of them; the first 50 cells and the last 300 ms are shown. rates: network -> rates of its cells, on a
    logarithmic axis; cells below 0.1 Hz are counted in the first bin. weights: network -> weights, all in one unit. axes: five.
    A network has one colour everywhere. Returns the figure. ValueError where there is no course, rate or weight, the moments are not
    two, or a target is that of an unknown network; TypeError for times not in second or rates not in Hz.
    """
    known, aims, cells = _checked(courses, targets, spikes, rates, weights)
    colours = dict(zip(dict.fromkeys([*known, *cells, *weights]), PALETTE, strict=False))
    figure, (course, *moments, rate, weight) = grid(5, 2, 4.1, axes, "rates over time, spikes, spikes, rates, weights", wide=1)
    stop = max(times[-1] for times, _ in known.values())
    factor, _ = time_scale(0.0, stop)
    for name, (times, values) in known.items():
        course.plot(times / factor, values, color=colours[name], linewidth=1.0, label=name)
    for name, aim in aims.items():
        course.axhline(aim, color=colours[name], linewidth=0.7, linestyle=(0, (4, 2)), label=f"target of {name}")
    course.set(ylabel="mean rate (Hz)", yscale="log")
    time_axis([course], 0.0, stop)
    shown = [_raster(panel, title, *moment) for panel, (title, moment) in zip(moments, spikes.items(), strict=True)]
    scale, symbol = common_scale(list(weights.values()))
    highest = max(SLOWEST * 10, *(values.max(initial=0.0) for values in cells.values()))
    bars = _histogram(rate, cells, np.geomspace(SLOWEST, 1.01 * highest, BINS + 1), colours)
    rate.set(xscale="log", xlabel="rate of a cell (Hz)", ylabel="fraction of cells")
    sizes = {name: plain(values) / scale for name, values in weights.items()}
    top = max(values.max() for values in sizes.values()) or 1.0
    bars |= _histogram(weight, sizes, np.linspace(min(0.0, *(values.min() for values in sizes.values())), top, BINS + 1), colours)
    fewest = min(map(len, sizes.values()))
    weight.set(yscale="log", ylim=(0.5 / fewest, 1.5), xlabel=label("weight", symbol), ylabel="fraction of synapses")
    for axis in (course.yaxis, rate.xaxis, weight.yaxis):
        axis.set_major_locator(LogLocator(numticks=6))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter(NullFormatter())
    figure.draw_without_rendering()  # so that the width for the legend is known
    fit_legend(course, swatches(list(colours)), **ABOVE)
    if axes is None:
        figure.data = partial(_columns, known, shown, bars)
    return figure


def _raster(panel, title, recording, population):
    """Draw the last spikes of the first cells of a population; return them with the title."""
    part = recording[population]
    rows, steps = np.searchsorted(part.ids, part.spikes.id), part.spikes.step
    first = max(recording.stop_step - round(WINDOW / recording.dt_si), recording.start_step)
    some = (rows < CELLS) & (steps >= first)
    at = (steps[some] - first) * recording.dt_si
    panel.plot(1e3 * at, rows[some], linestyle="none", marker="|", markersize=2.0, markeredgewidth=0.5, color="black")
    panel.set(xlim=(0.0, 1e3 * WINDOW), ylim=(-1.0, min(CELLS, len(part.ids))), xlabel="time (ms)", ylabel="cell")
    panel.set_title(title, loc="left")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=4, integer=True, steps=[1, 2, 5, 10]))
    return title, part.ids[rows[some]], at


def _histogram(panel, several, edges, colours):
    """Draw the fraction of values in each bin, those below the first in it; return it with the edges, by panel and network."""
    found = {}
    for name, values in several.items():
        fraction = np.histogram(np.maximum(values, edges[0]), edges)[0] / len(values)
        panel.stairs(fraction, edges, color=colours[name], linewidth=0.9, label=name)
        found[panel, name] = edges, fraction
    return found


def _columns(courses, shown, bars):
    """Return one row a sample of a course, a spike, and a bin; what a row does not have is -1 or NaN."""
    blank = {"cell": -1, "time (s)": np.nan, "rate (Hz)": np.nan, "start of bin": np.nan, "end of bin": np.nan, "fraction": np.nan}
    blocks = [{"panel": "rate over time", "name": name, **blank, "time (s)": t, "rate (Hz)": r} for name, (t, r) in courses.items()]
    blocks += [{"panel": "spikes", "name": title, **blank, "cell": cells, "time (s)": times} for title, cells, times in shown]
    for (panel, name), (edges, fraction) in bars.items():
        sides = {"start of bin": edges[:-1], "end of bin": edges[1:], "fraction": fraction}
        blocks.append({"panel": panel.get_xlabel(), "name": name, **blank, **sides})
    return joined(blocks)


def _checked(courses, targets, spikes, rates, weights):
    """Return courses in seconds and Hz, targets and rates of cells in Hz."""
    for what, given in (("courses", courses), ("rates", rates), ("weights", weights)):
        if not given or any(not np.size(values[-1] if what == "courses" else values) for values in given.values()):
            raise ValueError(f"{what} of figures.balance are empty; give a mapping from networks to values")
    if len(spikes) != 2:
        raise ValueError(f"figures.balance shows the spikes of two moments, but {len(spikes)} were given; give two recordings")
    for name in targets:
        if name not in courses:
            raise ValueError(f"there is a target for {name!r}, but courses are of {', '.join(courses)}; give targets of those")
    in_hz = {name: to_si(values, Hz, f"rates of {name!r}") for name, values in rates.items()}
    known = {
        name: (np.asarray(to_si(times, second, f"times of {name!r}")), np.asarray(to_si(values, Hz, f"course of {name!r}")))
        for name, (times, values) in courses.items()
    }
    aims = {name: to_si(value, Hz, f"target of {name!r}") for name, value in targets.items()}
    return known, aims, {name: np.asarray(values) for name, values in in_hz.items()}
