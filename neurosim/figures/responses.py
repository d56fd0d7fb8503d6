"""What several cells answer to one stimulus: membrane potentials against that of a reference, spikes, and the stimulus."""

from collections.abc import Mapping
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from neurosim.figures.layout import fit_legend, panels
from neurosim.figures.looks import by_cell, looks
from neurosim.figures.scales import common_scale, label, plain, time_axis, time_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import amp, second, to_si, volt

AROUND = 2e-3  # seconds before and after a spike that may leave the panel
TICK, LANE = 3.6, 4.6  # points: the mark of a spike, and from the marks of one cell to those of the other
KINDS = {"current": amp.dim, "conductance": None}


@paper()
def responses(responses, reference: str | None = None, between=None, limits=None, axes=None) -> Figure:
    """Draw the membrane potential of each cell over that of a reference (black), with marks of both cells' spikes, and the stimulus.

    responses: Responses to one stimulus with a trace of v, or a mapping from names to them. reference: a name, None for the
    first. between: (start, stop), quantities in second; None for all. limits: (lowest, highest) v in volt; None takes the range
    between spikes, so that spikes are cut at the top. axes: one a cell beside the reference, one for the currents and one for
    the conductances of the stimulus.
    Returns the figure. ValueError where there is no response, the reference is unknown, stimuli differ or limits do not fit;
    AttributeError where v was not traced; TypeError for a wrong dimension.
    """
    known = by_cell(responses, "responses", "responses")
    reference = next(iter(known)) if reference is None else reference
    look = looks(list(known), reference)
    stimulus = _stimulus(known)
    start, stop = _pair(between, (0.0, float(stimulus.duration)), second, "between")
    seen = {name: _seen(one, start, stop) for name, one in known.items()}
    low, high = _pair(limits, _range(seen.values()), volt, "limits")
    factor, _ = time_scale(start, stop)
    waveforms = _kinds(stimulus)
    rows = [name for name in known if name != reference] or [reference]
    ratios = [1.0] * len(rows) + [0.75] * len(waveforms)
    figure, drawn = panels(ratios, 0.5 + 0.78 * len(rows) + 0.52 * len(waveforms), axes, ", ".join([*rows, *waveforms]))
    for panel, name in zip(drawn, rows, strict=False):
        for lane, one in enumerate(dict.fromkeys((name, reference))):
            times, v, spikes = seen[one]
            colour, width = look[one]["color"], 0.7 if one == reference else 0.9
            panel.plot(times / factor, v * 1e3, color=colour, linewidth=width, label=one, zorder=3 - lane)
            raised = ScaledTranslation(0.0, (TICK / 2 + 1.0 + LANE * lane) / 72, panel.figure.dpi_scale_trans)
            marks = {"marker": "|", "markersize": TICK, "markeredgewidth": 0.8, "linestyle": "none", "clip_on": False}
            above = panel.get_xaxis_transform() + raised
            panel.plot(spikes / factor, np.ones(len(spikes)), color=colour, transform=above, label=f"spikes of {one}", **marks)
        panel.set_ylim(low * 1e3, high * 1e3)
        panel.set_ylabel("v (mV)")
        panel.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 4, 5, 10]))
        first = panel is drawn[0] and name != reference
        panel.set_title(f"black: {reference}\n{name}" if first else name, loc="left", pad=2 * LANE + 2.0)
    time_axis(drawn, start, stop)
    figure.align_ylabels(drawn)
    held = {kind: _draw_waveforms(*one, factor, (start, stop)) for one in zip(drawn[len(rows) :], *_items(waveforms), strict=True)}
    if axes is None:
        figure.data = partial(_columns, seen, held)
    return figure
