"""What cells that were fitted to one stimulus make of another."""

import textwrap

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from neurosim.figures.layout import panels
from neurosim.figures.style import PALE, paper
from neurosim.figures.tables import joined
from neurosim.fitting.scores import PRECISION

WITHIN = f"±{1e3 * PRECISION:g} ms"
MEASURES = {"gamma": f"Gamma at {WITHIN}", "share": f"share of coincident spikes at {WITHIN}"}
SHADES = colormaps["viridis_r"].with_extremes(under=PALE, bad="white")  # light for little, as on paper
DARK = 0.179  # relative luminance below which white has more contrast than black (W3C, WCAG 2.1)


@paper()
def transfer(table, measure: str = "gamma", axes=None) -> Figure:
    """Draw a matrix of what cells reach, trained on (rows) and tested on (columns), with the numbers.

    table: Transfer. measure: "gamma", or "share" for that of the data's spikes that coincide. axes: one.
    Colours go from 0 (light) to 1 (dark); below 0 a cell is grey, and n. d. stands where the measure is not defined.
    Returns the figure. ValueError for another measure.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure {measure!r} of figures.transfer is unknown; choose one of {', '.join(MEASURES)}")
    values = np.asarray(getattr(table, measure), dtype=float)
    rows, columns = (
        [textwrap.fill(str(name), width, break_long_words=False) for name in names]
        for names, width in ((table.rows, 18), (table.columns, 12))
    )
    tall = [max(0.26, 0.08 + 0.12 * (1 + name.count("\n"))) for name in rows]
    below = 0.12 * max(1 + name.count("\n") for name in columns)
    figure, (panel,) = panels([1.0], 0.5 + below + sum(tall), axes, "matrix")
    panel.imshow(np.ma.masked_invalid(values), cmap=SHADES, vmin=0.0, vmax=1.0, aspect="auto", interpolation="nearest")
    for (row, column), value in np.ndenumerate(values):
        text = f"{value:.2f}".replace("-", "−") if np.isfinite(value) else "n. d."
        panel.text(column, row, text, ha="center", va="center_baseline", color=_type(value))
    panel.set_xticks(range(len(columns)), columns)
    panel.set_yticks(range(len(rows)), rows)
    panel.tick_params(length=0.0)
    panel.spines[:].set_visible(False)
    panel.set(xlabel="tested on", ylabel="trained on")
    panel.set_title(MEASURES[measure] + (", below 0 in grey" if (values < 0).any() else ""), loc="left")
    _turn(figure, panel, below if axes is None else None)
    if axes is None:
        figure.data = joined(
            {"trained on": str(row), "tested on": list(map(str, table.columns)), "Gamma": gamma, "share of spikes": share}
            for row, gamma, share in zip(table.rows, table.gamma, table.share, strict=True)
        )
    return figure


def _turn(figure, panel, below):
    """Turn the names of columns where one is wider than its column, and make room for them below in a figure of our own."""
    figure.draw_without_rendering()  # so that widths are known
    names = panel.get_xticklabels()
    if max(name.get_window_extent().width for name in names) < 0.97 * panel.get_window_extent().width / len(names):
        return
    whole = [name.get_text().replace("-\n", "-").replace("\n", " ") for name in names]
    panel.set_xticks(panel.get_xticks(), whole, rotation=90.0)
    if below is not None:
        figure.draw_without_rendering()
        longest = max(name.get_window_extent().height for name in panel.get_xticklabels()) / figure.dpi
        figure.set_figheight(figure.get_figheight() + longest - below)


def _type(value):
    """Return black or white, whichever can be read on the colour of a value."""
    if not np.isfinite(value):
        return "black"
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in SHADES(value)[:3]]
    return "white" if np.dot([0.2126, 0.7152, 0.0722], linear) < DARK else "black"
