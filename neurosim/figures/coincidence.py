"""How far the spikes of models coincide with the data, in each regime of input."""

import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import panels
from neurosim.figures.looks import looks
from neurosim.figures.style import GREY, paper
from neurosim.figures.tables import joined
from neurosim.fitting.scores import PRECISION


@paper()
def coincidence(scores: Mapping, axes=None) -> Figure:
    """Draw Gamma at ±2 ms of each cell in each regime, with the 95 % interval of its mean over blocks of the data.

    scores: name of a cell -> Scores, one a stimulus. axes: one a stimulus.
    A cell that has no score for a stimulus, or whose Gamma is not defined, has these words instead. The data hold all precisions, with the share of
    spikes that coincide, counts and both rates.
    Returns the figure. ValueError where there is no score, or two of one cell for one stimulus.
    """
    known = _checked(scores)
    regimes = list(dict.fromkeys(regime for own in known.values() for regime in own))
    names = [textwrap.fill(name, 24, break_long_words=False) for name in known]
    look = looks(list(known))
    lines = sum(1 + name.count("\n") for name in names)
    figure, drawn = panels([1.0] * len(regimes), 0.4 + len(regimes) * (0.26 + 0.125 * lines), axes, ", ".join(regimes))
    for panel, regime in zip(drawn, regimes, strict=True):
        panel.set_title(regime, loc="left")
        for row, (name, own) in enumerate(known.items()):
            _mark(panel, row, name, own.get(regime), look[name])
    low, high = min(panel.get_xlim()[0] for panel in drawn), max(1.0, *(panel.get_xlim()[1] for panel in drawn))
    for panel in drawn:
        panel.set_xlim(low, high + 0.02 * (high - low))
        if low < 0:
            panel.axvline(0.0, color=GREY, linewidth=0.6, zorder=1)
        panel.set_yticks(range(len(names)), names)
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.tick_params(axis="y", length=0.0)
        panel.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    drawn[-1].set_xlabel(f"Gamma at ±{1e3 * PRECISION:g} ms, with 95 % interval")
    if axes is None:
        figure.data = joined(
            _block(name, score, one) for name, own in known.items() for score in own.values() for one in score.coincidences
        )
    return figure


def _checked(scores):
    """Return cell -> regime -> score."""
    known = {}
    for name, several in scores.items():
        own = known.setdefault(str(name), {})
        for score in several:
            if score.stimulus in own:
                raise ValueError(f"cell {name!r} has two scores for stimulus {score.stimulus!r}; give one a stimulus")
            own[score.stimulus] = score
    if not any(known.values()):
        raise ValueError("no scores were given to figures.coincidence; give a mapping from cells to lists of scores")
    return known


def _mark(panel, row, name, score, look):
    """Draw Gamma and its interval, or say why there is none."""
    if score is None or not np.isfinite(score.gamma):
        said = "not tested" if score is None else "not defined"
        place = {"xycoords": panel.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
        panel.annotate(said, (0.0, row), (2, 0), color=GREY, backgroundcolor="white", **place).get_bbox_patch().set_boxstyle(
            "square", pad=0.1
        )
        return
    panel.plot([score.low, score.high], [row, row], color=look["color"], linewidth=1.1, label=f"_interval {name}")
    panel.plot(score.gamma, row, color=look["color"], marker=look["marker"], markersize=3.6, zorder=3, label=name)


def _block(name, score, found):
    """Return a row for one precision; the interval is known at that of the figure."""
    precision = float(found.precision)
    low, high = (score.low, score.high) if np.isclose(precision, PRECISION) else (np.nan, np.nan)
    row = {
        "cell": name,
        "stimulus": score.stimulus,
        "precision (ms)": 1e3 * precision,
        "Gamma": found.gamma,
        "95 % low": low,
        "95 % high": high,
    }
    row |= {"share of spikes": found.share, "hits": found.hits, "misses": found.misses, "extras": found.extras}
    return row | {"data rate (Hz)": float(found.data_rate), "model rate (Hz)": float(found.model_rate), "blocks": len(score.blocks)}
