"""The look of a paper's figure: one column of 85 mm, type of 7 and 8 points, colours that every reader can tell apart."""

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

COLUMN = 3.35  # inches: 85 mm

ABOVE = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.02)}  # where a legend stands on top of a panel

# Okabe and Ito (2008), Color Universal Design; their yellow is left out because thin lines vanish on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
GREY = "#6E6E6E"

STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib, so a figure looks the same on every machine
    "font.size": 7.0,
    "text.usetex": False,
    "text.color": "black",
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": "black",
    "axes.labelcolor": "black",
    "axes.labelsize": 7.0,
    "axes.titlesize": 7.0,
    "axes.titlepad": 2.0,
    "axes.labelpad": 2.0,
    "axes.linewidth": 0.6,
    "axes.grid": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.color": "black",
    "ytick.color": "black",
    "lines.linewidth": 0.8,
    "lines.markersize": 3.0,
    "legend.fontsize": 7.0,
    "legend.title_fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "legend.handletextpad": 0.4,
    "legend.columnspacing": 1.0,
    "legend.borderaxespad": 0.0,
    "legend.borderpad": 0.1,
    "legend.labelspacing": 0.2,
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "pdf.fonttype": 42,  # text stays text in an editor
}


class PaperFigure(Figure):
    """A matplotlib Figure that a notebook shows when it is returned, although pyplot never hears of it."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with paper():
            self.savefig(buffer, format="png", dpi=200)
        return buffer.getvalue()


def paper():
    """Return a context (also a decorator) inside which matplotlib draws in this style; outside nothing changes."""
    return matplotlib.rc_context(STYLE)


def panels(ratios: Sequence[float], height: float, axes, what: str, sharey: Sequence[int] = ()) -> tuple[Figure, list[Axes]]:
    """Return a figure and its panels, one below the other with a common x axis.

    `ratios`: relative heights, one a panel; `height`: inches of the whole; `sharey`: indices of panels with one common
    y axis. Given `axes`, those are used: ValueError where their number is not that of the panels, which `what` names.
    """
    if axes is not None:
        chosen = [axes] if isinstance(axes, Axes) else list(getattr(axes, "flat", axes))
        if len(chosen) != len(ratios):
            raise ValueError(
                f"{len(chosen)} axes were given, but this figure has {len(ratios)} panels ({what}); give {len(ratios)} axes or none"
            )
        figure = chosen[0].figure.figure
    else:
        figure = PaperFigure(figsize=(COLUMN, height), layout="constrained")
        FigureCanvasAgg(figure)
        figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, hspace=0.02)
        grid = figure.add_gridspec(len(ratios), 1, height_ratios=ratios)
        chosen = []
        for row in range(len(ratios)):
            first = next((chosen[other] for other in sharey if other < row and row in sharey), None)
            chosen.append(figure.add_subplot(grid[row], sharex=chosen[0] if chosen else None, sharey=first))
    for panel in chosen:
        # Set here as well, because axes that a user gives were made in another style.
        panel.tick_params(labelsize=STYLE["xtick.labelsize"], width=0.6, length=2.5, pad=2.0)
        panel.spines[["top", "right"]].set_visible(False)
    if axes is None:
        for panel in chosen[:-1]:
            panel.tick_params(labelbottom=False)
    return figure, chosen


def fit_legend(panel: Axes, handles: Sequence, **place) -> int:
    """Put a legend at `place` of a panel that is laid out, read from left to right, in as few lines as fit; return their number."""
    for lines in range(1, len(handles) + 1):
        columns = -(-len(handles) // lines)
        ordered = [handle for column in range(columns) for handle in handles[column::columns]]  # matplotlib fills columns first
        legend = panel.legend(handles=ordered, ncols=columns, **place)
        if legend.get_window_extent().width <= panel.get_window_extent().width:
            break
    return lines


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
