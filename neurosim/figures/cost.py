"""What is reached for what is spent."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import ABOVE, fit_legend, panels
from neurosim.figures.scales import plain
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined

DASHES = ("solid", (0, (4, 1.5)), (0, (1, 1.2)))  # of conditions beyond the colours
WIDE = 100.0  # ratio of the largest to the least x from which the axis is logarithmic


@paper()
def cost(curves: Mapping, xlabel: str, ylabel: str = "accuracy", axes=None) -> Figure:
    """Draw a curve for each seed of each condition, such as accuracy against synaptic events, with the mean as a thick line.

    curves: condition -> list of (x, y), one pair of arrays a seed. xlabel, ylabel: name and unit of what is spent and of what
    is reached. axes: one.
    A point with NaN for y is left out. The mean of x and of y is drawn where all seeds of a condition, two or more, have as
    many points. The x axis is logarithmic where all x are positive and span a factor of 100.
    Returns the figure. ValueError where a condition has no curve or x and y differ in shape.
    """
    known = _checked(curves)
    figure, (panel,) = panels([1.0], 2.2, axes, "cost")
    handles = []
    for number, (name, pairs) in enumerate(known.items()):
        look = {"color": PALETTE[number % len(PALETTE)], "linestyle": DASHES[number // len(PALETTE) % len(DASHES)]}
        handles.append(Line2D([], [], linewidth=1.8, label=name, **look))
        alone = len(pairs) == 1
        for seed, (x, y) in enumerate(pairs):
            panel.plot(x, y, linewidth=1.4 if alone else 0.5, alpha=1.0 if alone else 0.55, label=f"{name}, seed {seed}", **look)
        if not alone and len({len(x) for x, _ in pairs}) == 1:
            # The first is thinnest and on top, so that one that runs along another hides neither.
            width, order = 1.2 + 0.3 * number, 3 - 0.01 * number
            panel.plot(*np.mean(pairs, axis=0), linewidth=width, label=f"{name}, mean", zorder=order, **look)
    together = np.concatenate([x for pairs in known.values() for x, _ in pairs])
    together = together[np.isfinite(together)]
    if together.size and together.min() > 0 and together.max() >= WIDE * together.min():
        panel.set_xscale("log")
    else:
        panel.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    panel.set(xlabel=xlabel, ylabel=ylabel)
    figure.draw_without_rendering()  # so that the width for the legend is known
    fit_legend(panel, handles, **ABOVE)
    if axes is None:
        lines = [(name, seed, x, y) for name, pairs in known.items() for seed, (x, y) in enumerate(pairs)]
        figure.data = joined({"condition": name, "seed": seed, xlabel: x, ylabel: y} for name, seed, x, y in lines)
    return figure


def _checked(curves):
    """Return the curves as arrays of floats, without the points at which y was not measured."""
    if not curves:
        raise ValueError("no curves were given to figures.cost; give a mapping from conditions to lists of (x, y)")
    known = {str(name): [tuple(map(plain, pair)) for pair in pairs] for name, pairs in curves.items()}
    for name, pairs in known.items():
        if not pairs:
            raise ValueError(f"condition {name!r} has no curve; give a list of (x, y), one a seed")
        for seed, pair in enumerate(pairs):
            shapes = [one.shape for one in pair]
            if len(pair) != 2 or len(set(shapes)) > 1 or len(shapes[0]) != 1 or not shapes[0][0]:
                raise ValueError(
                    f"curve {seed} of condition {name!r} has arrays of shape {shapes}; give (x, y), two 1-D arrays of one length"
                )
    return {name: [(x[np.isfinite(y)], y[np.isfinite(y)]) for x, y in pairs] for name, pairs in known.items()}
