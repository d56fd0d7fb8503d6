"""Results of conditions side by side, seed by seed, and their paired differences to a reference."""

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.errors import near
from neurosim.figures.layout import ABOVE, grid
from neurosim.figures.scales import plain
from neurosim.figures.style import GREY, PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.measures import paired_comparison

SPREAD = 0.5  # of a row that the seeds of a condition take
BAND = "#D8E6F0"


@paper()
def comparison(results: Mapping, reference: str | None = None, margin: float | None = None, label: str = "accuracy", axes=None) -> Figure:
    """Draw each condition's values as dots with their mean and, beside them, the paired differences to a reference.

    results: condition -> one value a seed, in the same order for all. reference: a condition; the differences to it are
    drawn as mean with 95 % t interval where a condition has as many values as the reference and at least 2. margin: the
    difference that would not matter, a band around 0. label: name and unit of the values. axes: one, or two with a reference.
    A seed has the same place within each row.
    Returns the figure. ValueError where results are empty, not one finite number a seed, or the reference is unknown.
    """
    values = _values(results)
    differences = _differences(values, reference, margin)
    names = ["values"] if reference is None else ["values", "differences"]
    wrapped = [textwrap.fill(name, 16, break_long_words=False) for name in values]
    height = 0.62 + sum(0.1 + 0.13 * (1 + text.count("\n")) for text in wrapped)
    figure, drawn = grid(len(names), len(names), height, axes, ", ".join(names), sharey=True)
    rows = np.arange(len(values))
    most = max(map(len, values.values()))
    offsets = np.linspace(-SPREAD / 2, SPREAD / 2, most) if most > 1 else np.zeros(1)

    left = drawn[0]
    for row, one in enumerate(values.values()):
        look = {"marker": "o", "markersize": 2.6, "markeredgewidth": 0.0, "linestyle": "none", "color": PALETTE[0], "alpha": 0.75}
        left.plot(one, row + offsets[: len(one)], label="one seed" if row == 0 else f"_seeds {row}", **look)
    means = [one.mean() for one in values.values()]
    left.plot(means, rows, marker="|", markersize=9.0, markeredgewidth=1.2, linestyle="none", color="black", label="mean", zorder=3)
    left.set_xlabel(label)
    if reference is not None:
        _draw_differences(drawn[1], differences, list(values), reference, margin)
    for panel in drawn:
        panel.set_yticks(rows, wrapped)
        panel.set_ylim(len(values) - 0.5, -0.5)
        panel.tick_params(axis="y", length=0.0, labelleft=panel is left or axes is not None)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=4 if len(drawn) > 1 else 6, steps=[1, 2, 5, 10]))
        panel.margins(x=0.08)
        panel.legend(ncols=2 if panel is left else 1, **ABOVE)
    if axes is None:
        figure.data = _columns(values, differences, reference, margin, label)
    return figure


def _values(results):
    """Return the values of each condition as an array."""
    if not results:
        raise ValueError("no results were given to figures.comparison; give a mapping from conditions to one value a seed")
    values = {str(name): plain(one) for name, one in results.items()}
    for name, one in values.items():
        if one.ndim != 1 or not one.size or not np.isfinite(one).all():
            raise ValueError(f"results of condition {name!r} are {one.tolist()}; give a sequence of finite numbers, one a seed")
    return values


def _differences(values, reference, margin):
    """Return the paired comparison of each condition with the reference, where there is one."""
    if margin is not None and (reference is None or not margin > 0):
        wrong = "needs a reference; name a condition" if reference is None else "is no positive difference; give one"
        raise ValueError(f"margin {margin!r} of figures.comparison {wrong}")
    if reference is None:
        return {}
    if reference not in values:
        raise ValueError(f"reference {reference!r} is not among the conditions.{near(reference, values)}")
    base = values[reference]
    paired = [name for name, one in values.items() if name != reference and len(one) == len(base) >= 2]
    return {name: paired_comparison(values[name], base, np.nan if margin is None else margin) for name in paired}


def _draw_differences(panel, differences, names, reference, margin):
    panel.axvline(0.0, color=GREY, linewidth=0.6, zorder=1)
    if margin is not None:
        panel.axvspan(-margin, margin, facecolor=BAND, edgecolor="none", zorder=0, label=f"margin ±{margin:g}")
    rows = [names.index(name) for name in differences]
    mean, low, high = (np.array([getattr(one, part) for one in differences.values()]) for part in ("difference", "low", "high"))
    look = {"fmt": "D", "markersize": 2.8, "color": "black", "elinewidth": 0.9, "capsize": 2.0, "capthick": 0.9, "label": "95 % interval"}
    panel.errorbar(mean, rows, xerr=[mean - low, high - mean], **look)
    low, high = panel.get_xlim()
    place, side = ((3, 0), "left") if high >= -low else ((-3, 0), "right")  # where there is more room
    for row, name in enumerate(names):
        if name not in differences:
            text = "reference" if name == reference else "not paired"
            panel.annotate(text, (0.0, row), place, textcoords="offset points", ha=side, va="center", color=GREY)
    panel.set_xlabel(textwrap.fill(f"difference to {reference}", 22))


def _columns(values, differences, reference, margin, label):
    """Return one row a condition and seed; the difference and its interval stand on each row of their condition."""
    blocks = []
    for name, one in values.items():
        block = {"condition": name, "seed": np.arange(len(one)), label: one}
        if reference is not None:
            found = differences.get(name)
            parts = {"mean difference": "difference", "95 % low": "low", "95 % high": "high"}
            block |= {"reference": reference, "margin": np.nan if margin is None else margin}
            block |= {header: getattr(found, part, np.nan) for header, part in parts.items()}
        blocks.append(block)
    return joined(blocks)
