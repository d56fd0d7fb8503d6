"""How synapses compete: weights over time, and how they are distributed in the end."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import grid
from neurosim.figures.scales import common_scale, label, plain, time_axis, time_scale
from neurosim.figures.style import GREY, PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import get_dimensions, quantity, second, to_si

SHOWN = 14  # synapses whose weights are drawn over time
BINS = 20


@paper()
def competition(conditions: Mapping, axes=None) -> Figure:
    """Draw weights over time and, below, the distribution of the last ones, a column a condition.

    conditions: name -> (times in second, weights), weights a quantity or array of shape (synapses, samples). At most 14 synapses,
    evenly chosen, are drawn over time; all are in the distribution, whose 20 bins go from 0 to the largest weight of all conditions.
    axes: those of weights over time, one a condition, then those of distributions.
    Returns the figure. ValueError where there is no condition, a weight is below 0, or shapes or units do not fit; TypeError for times
    not in second.
    """
    known = {str(name): _checked(name, times, weights) for name, (times, weights) in conditions.items()}
    if len({get_dimensions(weights) for _, weights in known.values()}) != 1:
        raise ValueError(f"figures.competition was given weights of {len(known)} conditions; give one or more, all in one unit")
    titles = [f"{what} of {name}" for what in ("weights", "distribution") for name in known]
    figure, drawn = grid(len(titles), len(known), 2.5, axes, ", ".join(titles))
    scale, symbol = common_scale([weights for _, weights in known.values()])
    values = {name: (times, plain(weights) / scale) for name, (times, weights) in known.items()}
    top = max(weights.max() for _, weights in values.values()) or 1.0
    edges = np.linspace(0.0, top, BINS + 1)
    counts = {name: np.histogram(weights[:, -1], edges)[0] for name, (_, weights) in values.items()}
    highest = max((count / count.sum()).max() for count in counts.values())
    above, below = drawn[: len(known)], drawn[len(known) :]
    for over_time, distribution, (name, (times, weights)) in zip(above, below, values.items(), strict=True):
        factor, _ = time_scale(times[0], times[-1])
        for place, synapse in enumerate(_some(weights)):
            colour = PALETTE[place % len(PALETTE)]
            over_time.plot(times / factor, weights[synapse], color=colour, linewidth=0.6, label=f"synapse {synapse}")
        time_axis([over_time], times[0], times[-1])
        over_time.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
        over_time.set_ylim(0.0, 1.03 * top)
        over_time.set_title(name, loc="left")
        distribution.stairs(counts[name] / counts[name].sum(), edges, fill=True, color=GREY, label=name)
        distribution.set(xlim=(0.0, 1.02 * top), ylim=(0.0, 1.05 * highest), xlabel=label("weight", symbol))
        distribution.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    for row, text in ((above, label("weight", symbol)), (below, "fraction of synapses")):
        row[0].set_ylabel(text)
        for panel in row:
            panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
            panel.tick_params(labelleft=panel is row[0] or axes is not None)
    figure.align_ylabels([above[0], below[0]])
    if axes is None:
        figure.data = partial(_columns, values, edges, counts, symbol)
    return figure


def _checked(name, times, weights):
    """Return times in seconds and weights as a quantity of shape (synapses, samples)."""
    seconds = np.asarray(to_si(times, second, f"times of {name!r}"))
    if seconds.ndim != 1 or len(seconds) < 2 or np.ndim(weights) != 2 or np.shape(weights)[1] != len(seconds) or not len(weights):
        raise ValueError(
            f"{name!r} has {np.size(seconds)} times and weights of shape {np.shape(weights)}; give two samples at least, shape (synapses, samples)"
        )
    if not plain(weights).min() >= 0:
        raise ValueError(f"{name!r} has the weight {plain(weights).min():g}; give weights of 0 or more")
    return seconds, quantity(plain(weights), get_dimensions(weights))


def _some(weights):
    """Return the rows of the synapses that are drawn over time."""
    return np.unique(np.linspace(0, len(weights) - 1, SHOWN).astype(int))


def _columns(values, edges, counts, symbol):
    """Return one row a sample of each line, and one a bin, whose value is the fraction of synapses in it."""
    blocks = []
    start, header = label("time (s) or start of bin", symbol), label("value", f"{symbol or 1} or fraction")
    for name, (times, weights) in values.items():
        for synapse in _some(weights):
            blocks.append({"name": name, "panel": "over time", "synapse": synapse, start: times, header: weights[synapse]})
        blocks.append({"name": name, "panel": "distribution", "synapse": -1, start: edges[:-1], header: counts[name] / counts[name].sum()})
    return joined(blocks)
