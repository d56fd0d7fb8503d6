"""What several cells answer to one stimulus: membrane potentials over that of a reference, spikes, and the stimulus."""

import textwrap
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from neurosim.figures.layout import legend_inside, panels
from neurosim.figures.looks import by_cell, looks
from neurosim.figures.scales import common_scale, label, plain, time_axis, time_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined
from neurosim.units import amp, second, siemens, to_si, volt

AROUND = 2e-3  # seconds before and after a spike in which a trace may leave its panel
MARK, LANE = 3.6, 4.8  # points: height of the mark of a spike, and from the marks of one cell to those of the other
KINDS = {"current": amp.dim, "conductance": siemens.dim}


@paper()
def responses(responses, reference: str | None = None, between=None, limits=None, axes=None) -> Figure:
    """Draw the membrane potential of each cell over that of a reference, spikes marked above, and the stimulus below.

    responses: Responses to one stimulus with a trace of v, or a mapping from names to them. reference: a name, drawn in black in
    each row; None takes the first. between: (start, stop) in second, None for all. limits: (lowest, highest) v in volt; None takes
    the range of v between spikes, so that panels cut spikes. axes: one for each cell but the reference, and one each for currents
    and conductances of the stimulus.
    Returns the figure. ValueError where there is no response, the reference is unknown, stimuli differ, or a range holds nothing;
    AttributeError where v was not traced; TypeError for a wrong dimension.
    """
    known = by_cell(responses, "responses", "responses")
    reference = next(iter(known)) if reference is None else reference
    colours = {name: look["color"] for name, look in looks(list(known), reference).items()}
    stimulus = _stimulus(known)
    start, stop = _span(between, (0.0, float(stimulus.duration)), second, "between")
    seen = {name: _seen(response, start, stop) for name, response in known.items()}
    low, high = _span(limits, _between_spikes(seen.values()), volt, "limits")
    played = {kind: _played(stimulus, dimensions, start, stop) for kind, dimensions in KINDS.items()}
    played = {kind: lines for kind, lines in played.items() if lines}
    rows = [name for name in known if name != reference] or [reference]
    ratios = [1.0] * len(rows) + [1.0] * len(played)
    figure, drawn = panels(ratios, 0.55 + 0.78 * len(rows) + 0.6 * len(played), axes, ", ".join([*rows, *played]))
    factor, _ = time_scale(start, stop)
    for panel, name in zip(drawn, rows, strict=False):
        _overlay(panel, {one: seen[one] for one in (name, reference)}, colours, factor)
        panel.set_ylim(1e3 * low, 1e3 * high)
        said = f"{reference} in black\n{name}" if panel is drawn[0] and name != reference else name
        panel.set_title(said, loc="left", pad=2 * LANE + 3.0)
    time_axis(drawn, start, stop)
    for panel, (kind, lines) in zip(drawn[len(rows) :], played.items(), strict=True):
        _below(panel, kind, lines, factor)
    figure.align_ylabels(drawn)
    if axes is None:
        figure.data = partial(_columns, seen, played)
    return figure


def _stimulus(known):
    """Return the stimulus that all cells were given."""
    name, first = next(iter(known.items()))
    wanted = first.stimulus.waveforms
    for other, response in known.items():
        found = response.stimulus.waveforms
        if wanted.keys() != found.keys() or not all(_alike(wanted[receptor], found[receptor]) for receptor in wanted):
            both = f"{name!r} answers stimulus {first.stimulus.name!r} and {other!r} another, {response.stimulus.name!r}"
            raise ValueError(f"{both}; give figures.responses what cells answer to one stimulus")
    return first.stimulus


def _alike(one, other):
    return float(one.dt) == float(other.dt) and np.array_equal(one.si, other.si)


def _span(given, without, unit, what):
    """Return the two ends of a range in SI, or what stands for None."""
    if given is None:
        return without
    ends = [float(to_si(one, unit, f"{what} of figures.responses")) for one in given]
    outside = what == "between" and not (ends[0] < without[1] and ends[-1] > without[0])
    if len(ends) != 2 or not ends[0] < ends[1] or outside:
        raise ValueError(f"{what} of figures.responses is {tuple(given)}; give two values in order, with something between them")
    return ends[0], ends[1]


def _seen(response, start, stop):
    """Return times, v and spike times of a response from `start` to `stop`."""
    times, spikes = plain(response.t), plain(response.spikes)
    inside = (times >= start) & (times <= stop)
    if not inside.any():
        raise ValueError(f"no sample of v of {response.cell!r} lies from {start:g} to {stop:g} s; give between a longer time")
    return times[inside], plain(response.v)[inside], spikes[(spikes >= start) & (spikes <= stop)]


def _between_spikes(seen):
    """Return the lowest v of all, and the highest that is not near a spike, with some room."""
    lowest, highest = [], []
    for times, v, spikes in seen:
        nearest = np.searchsorted(spikes, [times - AROUND, times + AROUND])
        quiet = v[nearest[0] == nearest[1]]
        lowest.append(np.min(v))
        highest.append(np.max(quiet if len(quiet) else v))
    low, high = min(lowest), max(highest)
    room = 0.06 * (high - low) if high > low else 1e-3
    return low - room, high + room


def _overlay(panel, seen, colours, factor):
    """Draw traces, the first on top, and above the panel a lane of marks for the spikes of each, the first lowest."""
    for lane, (name, (times, v, spikes)) in enumerate(seen.items()):
        look = {"color": colours[name], "zorder": 3 - lane}
        panel.plot(times / factor, 1e3 * v, linewidth=0.8, label=name, **look)
        raised = ScaledTranslation(0.0, (MARK / 2 + 1.0 + LANE * lane) / 72, panel.figure.dpi_scale_trans)
        marks = {"marker": "|", "markersize": MARK, "markeredgewidth": 0.8, "linestyle": "none", "clip_on": False}
        place = {"transform": panel.get_xaxis_transform() + raised, "label": f"spikes of {name}"}
        panel.plot(spikes / factor, np.ones(len(spikes)), **marks, **place, **look)
    panel.set_ylabel("v (mV)")
    panel.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 4, 5, 10]))


def _played(stimulus, dimensions, start, stop):
    """Return the receptors that get a current, or a conductance, with the times at which a value begins and the quantity."""
    lines = {}
    for receptor, waveform in stimulus.waveforms.items():
        if waveform.dimensions is dimensions:
            times = np.arange(waveform.samples) * float(waveform.dt)
            inside = (times + float(waveform.dt) > start) & (times <= stop)
            lines[receptor] = times[inside], waveform.values[0, inside]
    return lines


def _below(panel, kind, lines, factor):
    scale, symbol = common_scale([values for _, values in lines.values()])
    for number, (receptor, (times, values)) in enumerate(lines.items()):
        colour = PALETTE[number] if len(lines) > 1 else "black"
        panel.step(times / factor, plain(values) / scale, where="post", color=colour, linewidth=0.6, label=receptor)
    panel.set_ylabel(textwrap.fill(label(kind if len(lines) > 1 else next(iter(lines)), symbol), 12))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=3, steps=[1, 2, 5, 10]))
    if len(lines) > 1:
        panel.figure.draw_without_rendering()  # so that the width for the legend is known
        legend_inside(panel, panel.lines)


def _columns(seen, played):
    """Return one row a sample of each line, and one a spike, which has no value."""
    blocks = []
    for name, (times, v, spikes) in seen.items():
        blocks.append({"line": "v", "name": name, "time (s)": times, "value": 1e3 * v, "unit": "mV"})
        blocks.append({"line": "spike", "name": name, "time (s)": spikes, "value": np.nan, "unit": ""})
    for kind, lines in played.items():
        scale, symbol = common_scale([values for _, values in lines.values()])
        for receptor, (times, values) in lines.items():
            blocks.append({"line": kind, "name": receptor, "time (s)": times, "value": plain(values) / scale, "unit": symbol})
    return joined(blocks)
