"""Traces of cells in several networks, side by side."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.figures.layout import grid
from neurosim.figures.scales import common_scale, label, plain, time_axis, time_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import get_dimensions, quantity, second, to_si


@paper()
def traces(networks: Mapping, axes=None) -> Figure:
    """Draw traces such as membrane potentials and conductances, a column a network and a row a variable, each row on one scale.

    networks: name -> (times in second, {variable: values}), the same variables for all; values are arrays or quantities of shape
    (samples,) or (cells, samples). A cell has one colour in all rows of its column. axes: one a variable and network, row by row.
    Returns the figure. ValueError where there is no trace, or variables, shapes or units differ; TypeError for times not in second.
    """
    known = {str(name): _checked(name, times, several) for name, (times, several) in networks.items()}
    variables = _common(known)
    titles = [f"{variable} of {name}" for variable in variables for name in known]
    columns = len(known)
    figure, drawn = grid(len(titles), columns, 0.5 + 0.85 * len(variables), axes, ", ".join(titles))
    start, stop = (min(one[0][0] for one in known.values()), max(one[0][-1] for one in known.values()))
    factor, _ = time_scale(start, stop)
    scales = {variable: common_scale([several[variable] for _, several in known.values()]) for variable in variables}
    for row, (variable, (scale, symbol)) in enumerate(scales.items()):
        line = drawn[row * columns : (row + 1) * columns]
        for panel, (times, several) in zip(line, known.values(), strict=True):
            for cell, values in enumerate(plain(several[variable]) / scale):
                panel.plot(times / factor, values, color=PALETTE[cell % len(PALETTE)], linewidth=0.7, label=f"cell {cell}")
            panel.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
            panel.tick_params(labelleft=panel is line[0] or axes is not None, labelbottom=row == len(scales) - 1 or axes is not None)
        limits = np.transpose([panel.get_ylim() for panel in line])
        for panel in line:
            panel.set_ylim(limits[0].min(), limits[1].max())
        line[0].set_ylabel(label(variable, symbol))
    for column, name in enumerate(known):
        time_axis(drawn[column::columns], start, stop)
        drawn[column].set_title(name, loc="left")
    figure.align_ylabels(drawn[::columns])
    if axes is None:
        figure.data = partial(_columns, known, scales)
    return figure


def _checked(name, times, several):
    """Return times in seconds, and the quantities of a network with shape (cells, samples)."""
    seconds = np.asarray(to_si(times, second, f"times of {name!r}"))
    if seconds.ndim != 1 or len(seconds) < 2:
        raise ValueError(f"times of {name!r} have shape {seconds.shape}; give two samples at least, shape (samples,)")
    rows = {}
    for variable, values in several.items():
        if np.ndim(values) not in (1, 2) or np.shape(values)[-1] != len(seconds):
            raise ValueError(
                f"{variable!r} of {name!r} has shape {np.shape(values)}; give (samples,) or (cells, samples) of {len(seconds)} samples"
            )
        numbers = plain(values).reshape(-1, len(seconds))
        rows[str(variable)] = quantity(numbers, get_dimensions(values))
    return seconds, rows


def _common(known):
    """Return the variables, which are those of all networks, in their order."""
    first = next(iter(known.values()), (None, {}))[1]
    if not first:
        raise ValueError("no traces were given to figures.traces; give a mapping from networks to (times, {variable: values})")
    for name, (_, several) in known.items():
        if several.keys() != first.keys():
            raise ValueError(f"{name!r} has traces of {', '.join(several)}, but the first has {', '.join(first)}; give the same variables")
        for variable, values in several.items():
            if get_dimensions(values) is not get_dimensions(first[variable]):
                raise ValueError(f"{variable!r} of {name!r} differs in unit from the first; give all in one unit")
    return list(first)


def _columns(known, scales):
    """Return one row a sample of each line."""
    return joined(
        {"name": name, "variable": variable, "cell": cell, "time (s)": times, "value": values, "unit": symbol}
        for name, (times, several) in known.items()
        for variable, (scale, symbol) in scales.items()
        for cell, values in enumerate(plain(several[variable]) / scale)
    )
