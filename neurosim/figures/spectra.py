"""Spectra of populations, such as that of the population rate."""

from collections.abc import Mapping

from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from neurosim.figures.layout import ABOVE, fit_legend, panels
from neurosim.figures.looks import looks
from neurosim.figures.scales import plain
from neurosim.figures.style import paper
from neurosim.figures.tables import joined
from neurosim.units import Hz, to_si


@paper()
def spectra(results: Mapping, ylabel: str = "power (1: Poisson)", reference: str | None = None, axes=None) -> Figure:
    """Draw power against frequency on logarithmic axes, a line a population.

    results: name -> (frequencies in hertz, power), as ns.measures.population_spectrum returns, two 1-D arrays of one length.
    ylabel: name and unit of the power. reference: a name, drawn in black. axes: one.
    Frequencies of 0, and power of 0, have no place on these axes and are left out.
    Returns the figure. ValueError where there is no spectrum, arrays differ in shape, nothing is above 0, or the reference is
    unknown; TypeError for a frequency not in hertz.
    """
    known = _checked(results)
    look = looks(list(known), reference)
    figure, (panel,) = panels([1.0], 2.2, axes, "spectra")
    for name, (frequencies, power) in known.items():
        style = {"color": look[name]["color"], "linestyle": look[name]["linestyle"]}
        panel.plot(frequencies, power, linewidth=0.9, zorder=4 if name == reference else 3, label=name, **style)
    panel.set(xscale="log", yscale="log", xlabel="frequency (Hz)", ylabel=ylabel)
    panel.margins(x=0.0)
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(LogFormatter())
        axis.set_minor_formatter(LogFormatter(labelOnlyBase=True))
    figure.draw_without_rendering()  # so that the width for the legend is known
    fit_legend(panel, panel.lines, **ABOVE)
    if axes is None:
        figure.data = joined({"name": name, "frequency (Hz)": one[0], ylabel: one[1]} for name, one in known.items())
    return figure


def _checked(results):
    """Return the points of each spectrum that logarithmic axes can show."""
    if not results:
        raise ValueError("no spectra were given to figures.spectra; give a mapping from names to (frequencies, power)")
    known = {}
    for name, (frequencies, power) in results.items():
        pair = plain(to_si(frequencies, Hz, f"frequencies of {name!r}")), plain(power)
        if pair[0].shape != pair[1].shape or pair[0].ndim != 1:
            raise ValueError(
                f"spectrum {name!r} has arrays of shape {pair[0].shape} and {pair[1].shape}; give two 1-D arrays of one length"
            )
        shown = (pair[0] > 0) & (pair[1] > 0)
        if not shown.any():
            raise ValueError(f"spectrum {name!r} has no power above 0 at a frequency above 0; give one of a population that fires")
        known[str(name)] = pair[0][shown], pair[1][shown]
    return known
