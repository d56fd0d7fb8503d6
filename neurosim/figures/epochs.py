"""The axis of epochs that figures of a life share, with its phases shaded and named."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import name_spans

SHADES = ("#EDEDED", "#F8F8F8")
DOTTED = 40  # epochs up to which each has a dot


def epochs_of(history) -> np.ndarray:
    """Return all epochs of a life in order, that of its start first."""
    return np.unique(history.census["epoch"])


def marker(epochs: np.ndarray) -> str:
    """Return the marker of a line with one value an epoch: a dot while there are few."""
    return "o" if len(epochs) <= DOTTED else "None"


def epoch_axis(figure, drawn, history, note: str = "") -> None:
    """Let panels share the axis of a life's epochs, phases shaded and named above the first; the figure is then laid out.

    `note` is added to the label of the axis. What decides on the width of y labels must be drawn before.
    """
    epochs = epochs_of(history)
    for panel in drawn:
        panel.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        for number, (name, first, last) in enumerate(history.phases):
            panel.axvspan(first - 0.5, last + 0.5, facecolor=SHADES[number % 2], edgecolor="none", zorder=0, label=f"_phase {name}")
    drawn[-1].xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    drawn[-1].set_xlabel(f"epoch{note}")
    figure.align_ylabels(drawn)
    figure.draw_without_rendering()  # so that the widths for names and legends are known
    name_spans(drawn[0], history.phases)


def phase_column(history, epochs: np.ndarray) -> np.ndarray:
    """Return the name of the phase of each epoch, empty for the start."""
    names = np.full(len(epochs), "", dtype=f"U{max([1, *(len(name) for name, _, _ in history.phases)])}")
    for name, first, last in history.phases:
        names[(epochs >= first) & (epochs <= last)] = name
    return names
