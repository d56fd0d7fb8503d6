"""The look of a paper's figure: one column of 85 mm, type of 7 and 8 points, colours that every reader can tell apart."""

import io
from collections.abc import Callable, Mapping

import matplotlib
from matplotlib.figure import Figure

COLUMN = 3.35  # inches: 85 mm
PAGE = 7.09  # inches: 180 mm, both columns of a page

# Okabe and Ito (2008), Color Universal Design; their yellow is left out because thin lines vanish on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#000000")
GREY = "#6E6E6E"
PALE = "#C4C4C4"  # what is left when the rest has a colour

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
    """A matplotlib Figure that carries what it drew, and that a notebook shows when it is returned, although pyplot never hears of it.

    `data`: column header with unit -> 1-D array of plain numbers or texts, all of one length; None where nothing was drawn.
    """

    _data: Mapping | Callable[[], Mapping] | None = None

    @property
    def data(self) -> Mapping | None:
        """The columns of what was drawn."""
        if callable(self._data):
            self._data = self._data()
        return self._data

    @data.setter
    def data(self, data: Mapping | Callable[[], Mapping] | None) -> None:
        """Keep the columns, or a function that makes them when they are first asked for."""
        self._data = data

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        with paper():
            self.savefig(buffer, format="png", dpi=200)
        return buffer.getvalue()


def paper():
    """Return a context (also a decorator) inside which matplotlib draws in this style; outside nothing changes."""
    return matplotlib.rc_context(STYLE)
