"""How long cells and synapses live."""

from matplotlib.figure import Figure

from neurosim.errors import near
from neurosim.figures.layout import ABOVE, fit_legend, panels, swatches
from neurosim.figures.style import PALETTE, paper
from neurosim.figures.tables import joined


@paper()
def survival(history, names=None, axes=None) -> Figure:
    """Draw which fraction of synapses or cells reach each age, with a 95 % band.

    history: History. names: projections and populations, None for all projections that ever lost a synapse. axes: one.
    Those that live at the end are censored: they count up to their age.
    Returns the figure. ValueError where a name is unknown or nothing was lost.
    Source: Kaplan & Meier (1958). Nonparametric estimation from incomplete observations. Journal of the American Statistical
    Association 53:457-481. doi:10.1080/01621459.1958.10501452.
    """
    names = _names(history, names)
    figure, (panel,) = panels([1.0], 2.1, axes, "survival")
    blocks = []
    for number, name in enumerate(names):
        curve, colour = history.survival(name), PALETTE[number % len(PALETTE)]
        look = {"facecolor": colour, "alpha": 0.22, "linewidth": 0.0, "step": "post", "label": f"_band {name}"}
        panel.fill_between(curve["age"], curve["low"], curve["high"], **look)
        panel.step(curve["age"], curve["fraction"], where="post", color=colour, label=name)
        counts = {"name": name, "age (epochs)": curve["age"], "at risk": curve["at_risk"], "deaths": curve["deaths"]}
        blocks.append(counts | {"fraction surviving": curve["fraction"], "95 % low": curve["low"], "95 % high": curve["high"]})
    panel.set_ylim(0.0, 1.02)
    panel.set_xlim(left=0.0, right=max(max(block["age (epochs)"].max(initial=1) for block in blocks), 1))
    panel.set_xlabel("age (epochs)")
    panel.set_ylabel("fraction surviving")
    figure.draw_without_rendering()  # so that the width for the legend is known
    fit_legend(panel, swatches(names), **ABOVE)
    if axes is None:
        figure.data = joined(blocks)
    return figure


def _names(history, names):
    circuit, census = history.circuit, history.census
    known = [*circuit.projections, *circuit.populations]
    if names is not None:
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in known:
                raise ValueError(f"{name!r} is not in this history; name populations or projections.{near(name, known)}")
        if not names:
            raise ValueError(f"names is empty; name populations or projections, such as {known[0]!r}")
        return names
    names = [name for name in circuit.projections if census["deaths"][census["name"] == name].any()]
    if not names:
        raise ValueError(f"no projection of this history lost a synapse; name what to draw in names, such as {known[-1]!r}")
    return names
