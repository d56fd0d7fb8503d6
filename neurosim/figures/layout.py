"""Panels of a figure, one below the other or side by side, and what stands around them: legends, names of spans."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from neurosim.figures.style import COLUMN, PALETTE, STYLE, PaperFigure

ABOVE = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.02)}  # where a legend stands on top of a panel
INSIDE = {"loc": "upper left", "bbox_to_anchor": (0.01, 0.99)}  # where it stands in a panel below the names of spans


def panels(ratios: Sequence[float], height: float, axes, what: str, sharey: Sequence[int] = ()) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, one below the other with a common x axis.

    `ratios`: relative heights, one a panel; `height`: inches of the whole; `sharey`: indices of panels with one common
    y axis. Given `axes`, those are used: ValueError where their number is not that of the panels, which `what` names.
    """
    if axes is not None:
        return _given(axes, len(ratios), what)
    figure = _sheet(height)
    rows = figure.add_gridspec(len(ratios), 1, height_ratios=ratios)
    chosen = []
    for row in range(len(ratios)):
        first = next((chosen[other] for other in sharey if other < row and row in sharey), None)
        chosen.append(figure.add_subplot(rows[row], sharex=chosen[0] if chosen else None, sharey=first))
    for panel in chosen:
        _tidy(panel)
        panel.tick_params(labelbottom=panel is chosen[-1])
    return figure, chosen


def grid(
    count: int, columns: int, height: float, axes, what: str, *, widths=None, sharey: bool = False, wide: int = 0
) -> tuple[Figure, list[Axes]]:
    """Return a figure and `count` panels, so many `columns` side by side, line after line.

    `widths`: relative widths of the columns; `sharey`: one y axis for all, labelled at the left; `wide`: how many panels,
    the first, take a line each. The rest as in `panels`.
    """
    if axes is not None:
        return _given(axes, count, what)
    figure = _sheet(height)
    places = [(number, slice(None)) for number in range(wide)]
    places += [(wide + number // columns, number % columns) for number in range(count - wide)]
    cells = figure.add_gridspec(places[-1][0] + 1, columns, width_ratios=widths)
    chosen = []
    for number in range(count):
        place = cells[places[number]]
        chosen.append(figure.add_subplot(place, sharey=chosen[0] if sharey and chosen else None))
        _tidy(chosen[-1])
        chosen[-1].tick_params(labelleft=not sharey or number % columns == 0)
    return figure, chosen


def _given(axes, count, what):
    chosen = [axes] if isinstance(axes, Axes) else list(getattr(axes, "flat", axes))
    if len(chosen) != count:
        raise ValueError(f"{len(chosen)} axes were given, but this figure has {count} panels ({what}); give {count} axes or none")
    for panel in chosen:
        _tidy(panel)
    return chosen[0].figure.figure, chosen


def _sheet(height):
    figure = PaperFigure(figsize=(COLUMN, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, hspace=0.02)
    return figure


def _tidy(panel):
    """Set what a style would, because axes that a user gives were made in another one."""
    panel.tick_params(labelsize=STYLE["xtick.labelsize"], width=0.6, length=2.5, pad=2.0)
    panel.spines[["top", "right"]].set_visible(False)


def fit_legend(panel: Axes, handles: Sequence, **place) -> int:
    """Put a legend at `place` of a panel that is laid out, read from left to right, in as few lines as fit; return their number."""
    for lines in range(1, len(handles) + 1):
        columns = -(-len(handles) // lines)
        ordered = [handle for column in range(columns) for handle in handles[column::columns]]  # matplotlib fills columns first
        legend = panel.legend(handles=ordered, ncols=columns, **place)
        if legend.get_window_extent().width <= panel.get_window_extent().width:
            break
    return lines


def legend_inside(panel: Axes, handles: Sequence) -> None:
    """Put a legend at the top of a panel that is laid out, and raise the top of its y axis until the data end below."""
    fit_legend(panel, handles, **INSIDE)
    taken = panel.get_legend().get_window_extent().height / panel.get_window_extent().height
    low, high = panel.get_ylim()
    panel.set_ylim(low, low + (high - low) / max(0.95 - taken, 0.2))


def dress_bar(bar: Colorbar, text: str) -> None:
    """Give a colour bar its label, few ticks, and no frame."""
    bar.set_label(text)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7.0, width=0.6, length=2.5, pad=2.0)
    bar.ax.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))


def swatches(names: Sequence[str]) -> list:
    """Return a short thick line in each colour of the palette, named, for a legend."""
    return [Line2D([], [], color=PALETTE[place % len(PALETTE)], linewidth=2.0, label=name) for place, name in enumerate(names)]


def name_spans(panel: Axes, spans: Sequence[tuple[str, float, float]]) -> None:
    """Write each name of (name, first, last) above the middle of its span in a panel that is laid out, on lines that keep names apart."""
    texts = [
        panel.annotate(name, ((first + last) / 2, 1.0), (0, 2), panel.get_xaxis_transform(), "offset points", ha="center", va="bottom")
        for name, first, last in spans
    ]
    ends: list[float] = []  # the right end of each line of names so far
    for text in sorted(texts, key=lambda one: one.get_window_extent().x0):
        box = text.get_window_extent()
        line = next((number for number, end in enumerate(ends) if end < box.x0), len(ends))
        ends[line : line + 1] = [box.x1 + 0.03 * panel.figure.dpi]
        text.xyann = (0, 2 + 9 * line)
