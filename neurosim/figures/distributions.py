"""How measures such as rate and CV are distributed over the cells of several networks."""

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import grid
from neurosim.figures.scales import common_scale, label, plain
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import get_dimensions, quantity

PARTS = (5, 25, 50, 75, 95)  # percentiles that are drawn
MOST = 3  # measures side by side


@paper()
def distributions(measures: Mapping, axes=None) -> Figure:
    """Draw measures of several networks side by side: median (dot), quartiles (thick line) and 5 to 95 % of the cells (thin line).

    measures: name of a measure, such as "rate, exc" -> {network: values}, the same networks for all; values are arrays or
    quantities, one a cell, or one for the whole network (synchrony), which is a dot. NaN, such as the CV of a silent cell, is left
    out. axes: one a measure.
    Returns the figure. ValueError where there is no measure, a network has no value, or networks or units differ.
    """
    known, names = _checked(measures)
    wrapped = [textwrap.fill(name, 14, break_long_words=False) for name in names]
    lines = sum(1 + text.count("\n") for text in wrapped)
    columns = min(len(known), MOST)
    height = -(-len(known) // columns) * (0.55 + 0.14 * lines + 0.06 * len(names))
    figure, drawn = grid(len(known), columns, height, axes, ", ".join(known), sharey=True)
    blocks = []
    for panel, (measure, values) in zip(drawn, known.items(), strict=True):
        scale, symbol = common_scale(list(values.values()))
        for row, (name, one) in enumerate(values.items()):
            numbers = plain(one) / scale
            low, first, middle, third, high = np.percentile(numbers[np.isfinite(numbers)], PARTS)
            colour = PALETTE[row % len(PALETTE)]
            panel.plot([low, high], [row, row], color=colour, linewidth=0.7, label=f"_most {name}")
            panel.plot([first, third], [row, row], color=colour, linewidth=2.6, solid_capstyle="butt", label=f"_half {name}")
            panel.plot(middle, row, marker="o", markersize=4.0, color=colour, markeredgecolor="white", markeredgewidth=0.6, label=name)
            blocks.append({"measure": measure, "name": name, "cell": np.arange(len(numbers)), "value": numbers, "unit": symbol})
        panel.set_xlabel(textwrap.fill(label(measure, symbol), 60 // columns))
        panel.margins(x=0.12)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=9 // columns, steps=[1, 2, 5, 10]))
        panel.tick_params(axis="y", length=0.0)
    drawn[0].set_yticks(range(len(names)), wrapped)
    drawn[0].set_ylim(len(names) - 0.5, -0.5)
    if axes is None:
        figure.data = joined(blocks)
    return figure


def _checked(measures):
    """Return measure -> network -> values as 1-D quantities, and the names of the networks."""
    known = {str(measure): {str(name): _row(measure, name, one) for name, one in several.items()} for measure, several in measures.items()}
    names = list(next(iter(known.values()), {}))
    if not names:
        raise ValueError("no measures were given to figures.distributions; give a mapping from measures to {network: values}")
    for measure, several in known.items():
        if list(several) != names:
            raise ValueError(f"measure {measure!r} is of {', '.join(several)}, but the first of {', '.join(names)}; give the same networks")
        if len({get_dimensions(one) for one in several.values()}) > 1:
            raise ValueError(f"measure {measure!r} differs in unit between networks; give all in one unit")
    return known, names


def _row(measure, name, values):
    numbers = plain(values)
    if numbers.ndim > 1 or not np.isfinite(numbers).any():
        raise ValueError(f"measure {measure!r} of {name!r} has no finite value in one row; give one a cell, or one number")
    return quantity(np.atleast_1d(numbers), get_dimensions(values))
