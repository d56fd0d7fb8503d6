"""Receptive fields: the incoming weights of each cell as a small image."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from neurosim.figures.layout import dress_bar, panels
from neurosim.figures.scales import label, plain, value_scale
from neurosim.figures.style import COLUMN, PaperFigure, paper
from neurosim.figures.tables import joined
from neurosim.units import get_dimensions

GAP = 0.12  # of an image's side
MARGIN = 0.66  # inches right of the images, for the colour bar
EDGE, TITLE, LETTER = 0.03, 0.17, 0.12  # inches: around the figure, of a group's title, of a line of 6-point type
LEAST, TALLEST = 0.7, 4.5  # inches: a colour bar that can be read; images that leave room for a caption


@paper()
def receptive_fields(fields, labels=None, shape=None, titles=None, columns=None, axes=None) -> Figure:
    """Draw each cell's incoming weights as an image, in one colour scale.

    fields: array or quantity (n_cells, n_inputs), or a mapping from group name (a phase, say) to such an array; one block a group.
    labels: a text a cell, above its image; for groups a mapping with the same names. shape: (rows, columns) of an image,
    None where n_inputs is a square. titles: one a group, in place of the names. columns: images side by side. axes: one a group.
    Returns the figure. ValueError where shapes, labels or titles do not fit.
    """
    groups, names = _groups(fields)
    titles = names if titles is None else [titles] if isinstance(titles, str) else list(titles)
    if len(titles) != len(groups):
        raise ValueError(f"{len(titles)} titles were given for {len(groups)} groups of receptive fields; give one a group")
    marks = _labels(labels, groups, names)
    scale, symbol = max(value_scale(group) for group in _given(fields).values() if len(group))
    groups = [group / scale for group in groups]
    shape = _shape(groups, shape)
    columns = _columns(groups, any(marks), shape, len(titles)) if columns is None else int(columns)
    if columns < 1:
        raise ValueError(f"columns is {columns}; give at least one image a line")

    unit = (COLUMN - MARGIN) / (columns * (1 + GAP) - GAP)  # inches of an image's side
    step = shape[0] / shape[1] + (LETTER / unit if any(marks) else GAP)
    heights = [max(-(-len(group) // columns), 1) * step for group in groups]
    if axes is None:
        figure, drawn, beside = _blocks([height * unit for height in heights], titles)
    else:
        figure, drawn = panels(heights, 1.0, axes, ", ".join(titles) or "fields")
    finite = np.concatenate([group[np.isfinite(group)] for group in groups])
    low, high = np.min(finite, initial=0.0), np.max(finite, initial=0.0)
    limits = {"vmin": low, "vmax": high if high > low else low + 1.0}
    for panel, group, title, mark, height in zip(drawn, groups, titles, marks, heights, strict=True):
        for cell, field in enumerate(group):
            left, bottom = cell % columns * (1 + GAP), (cell // columns + 1) * step
            box = (left, left + 1, bottom, bottom - shape[0] / shape[1])
            image = panel.imshow(field.reshape(shape), extent=box, cmap="viridis", interpolation="nearest", **limits)
            if mark:
                panel.annotate(mark[cell], (left + 0.5, box[3]), (0, 1.5), textcoords="offset points", fontsize=6.0, ha="center")
        panel.set(xlim=(0, columns * (1 + GAP) - GAP), ylim=(height, 0), aspect="equal", anchor="NW")
        panel.set_axis_off()
        panel.set_title(title, loc="left")
    bar = figure.colorbar(image, cax=beside) if axes is None else figure.colorbar(image, ax=drawn, panchor=False)
    dress_bar(bar, label("weight", symbol))
    if axes is None:
        figure.data = partial(_table, groups, titles, marks, shape, label("weight", symbol))
    return figure


def _table(groups, titles, marks, shape, header):
    """Return one row a pixel; cells are counted from 0 in each group, pixels from the upper left."""
    blocks = []
    across = np.tile(np.arange(shape[1]), shape[0])
    for group, title, mark in zip(groups, titles, marks, strict=True):
        for cell, field in enumerate(group):
            place = {"group": title, "cell": cell, "label": mark[cell] if mark else "", "row": np.repeat(np.arange(shape[0]), shape[1])}
            blocks.append(place | {"column": across, header: field})
    return joined(blocks)


def _blocks(heights, titles):
    """Return a figure, a panel a group and one for the colour bar; square pixels fix every size, so no layout engine is needed."""
    above = [TITLE if title else 0.0 for title in titles]
    total = sum(heights) + sum(above) + 2 * EDGE
    figure = PaperFigure(figsize=(COLUMN, max(total, LEAST)))
    FigureCanvasAgg(figure)
    size = figure.get_figheight()
    drawn, top = [], size - EDGE
    for height, title in zip(heights, above, strict=True):
        top -= title + height
        drawn.append(figure.add_axes((EDGE / COLUMN, top / size, (COLUMN - MARGIN) / COLUMN, height / size)))
    tall = min(size - 4 * EDGE, 1.6)
    beside = figure.add_axes(((COLUMN - MARGIN + 0.1) / COLUMN, (size - tall) / 2 / size, 0.08 / COLUMN, tall / size))
    return figure, drawn, beside


def _given(fields):
    return dict(fields) if isinstance(fields, Mapping) else {"": fields}


def _groups(fields):
    """Return the arrays of all groups and their names."""
    named = _given(fields)
    if not named:
        raise ValueError("no receptive fields were given; give an array (n_cells, n_inputs) or a mapping from names to arrays")
    groups = [plain(group) for group in named.values()]
    for name, group in zip(named, groups, strict=True):
        if group.ndim != 2 or group.shape[1] != groups[0].shape[1]:
            wanted = "(n_cells, n_inputs), with the same inputs in all groups"
            raise ValueError(f"receptive fields {name!r} have shape {group.shape}; give {wanted}")
    if len({get_dimensions(group) for group in named.values()}) > 1:
        raise ValueError(
            f"receptive fields {', '.join(map(repr, named))} differ in unit; give all of them in one, for they share a colour bar"
        )
    if not any(len(group) for group in groups):
        raise ValueError("the receptive fields hold no cell; give at least one row")
    return groups, list(named)


def _labels(labels, groups, names):
    """Return one list of texts a group, empty where there are none."""
    if labels is None:
        return [[] for _ in groups]
    texts = [[str(one) for one in labels[name]] for name in names] if isinstance(labels, Mapping) else [[str(one) for one in labels]]
    if [len(text) for text in texts] != [len(group) for group in groups]:
        raise ValueError(
            f"labels number {[len(text) for text in texts]} for groups of {[len(group) for group in groups]} cells; give one a cell"
        )
    return texts


def _shape(groups, shape):
    inputs = groups[0].shape[1]
    if shape is None:
        side = int(np.sqrt(inputs) + 0.5)
        shape = (side, side)
        if side * side != inputs:
            raise ValueError(f"{inputs} inputs make no square image; give shape=(rows, columns)")
    if int(np.prod(shape)) != inputs:
        raise ValueError(
            f"shape {tuple(shape)} holds {int(np.prod(shape))} inputs, but the receptive fields have {inputs}; give another shape"
        )
    return tuple(int(side) for side in shape)


def _columns(groups, labelled, shape, titles):
    """Return the fewest columns, ten at first, with which all images fit the height of a figure."""
    most = max(len(group) for group in groups)
    columns = min(max(most, 4), 10)
    while columns < min(most, 40):
        width = (COLUMN - MARGIN) / columns
        each = width * shape[0] / shape[1] + (LETTER if labelled else GAP * width)
        if sum(-(-len(group) // columns) for group in groups) * each + TITLE * titles <= TALLEST:
            break
        columns += 1
    return columns
