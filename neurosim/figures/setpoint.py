"""What cells keep, such as calcium, against the set-point that structure is to bring it to."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from neurosim.errors import near
from neurosim.figures.epochs import epoch_axis, marker, phase_column
from neurosim.figures.layout import legend_inside, panels
from neurosim.figures.scales import label, value_scale
from neurosim.figures.style import PALETTE, paper
from neurosim.units import quantity, to_si

DASHED = (0, (4, 2))


@paper()
def setpoint(history, population: str | None = None, ledger: str = "calcium", target=None, axes=None) -> Figure:
    """Draw how a ledger is spread over the cells of a population at the end of each epoch: its median, the middle half, and a target.

    history: History. population: its name; None takes the only one that has the ledger. target: a quantity of the ledger's dimension,
    drawn as a dashed line. axes: one.
    Returns the figure. ValueError where the ledger is unknown or several populations have it; TypeError for a target of another dimension.
    """
    name = _the_one_with(history, population, ledger)
    rows = history.ledgers
    rows = rows[(rows["name"] == name) & (rows["ledger"] == ledger)]
    dimensions = history.circuit[name].ledgers[ledger].dimensions
    aim = None if target is None else to_si(target, dimensions, f"target of {ledger!r}")
    scale, symbol = value_scale(quantity(max(rows["high"].max(initial=0.0), aim or 0.0), dimensions))
    figure, (panel,) = panels([1.0], 1.7, axes, ledger)
    low, median, high = (rows[column] / scale for column in ("low", "median", "high"))
    panel.fill_between(rows["epoch"], low, high, facecolor=PALETTE[0], alpha=0.25, linewidth=0.0, label="middle half")
    panel.plot(rows["epoch"], median, color=PALETTE[0], marker=marker(rows["epoch"]), markersize=2.0, label="median")
    if aim is not None:
        panel.axhline(aim / scale, color="black", linewidth=0.7, linestyle=DASHED, label="target")
    panel.set_ylim(bottom=min(0.0, low.min(initial=0.0)))
    panel.set_ylabel(label(ledger.replace("_", " "), symbol))
    panel.yaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    epoch_axis(figure, [panel], history)
    handles = {handle.get_label(): handle for handle in panel.get_legend_handles_labels()[0]}
    legend_inside(panel, [handles[one] for one in ("median", "middle half", "target") if one in handles])
    if axes is None:
        head = {"epoch": rows["epoch"], "phase": phase_column(history, rows["epoch"]), "population": rows["name"]}
        values = {label(f"{ledger}, {what}", symbol): part for what, part in (("median", median), ("25 %", low), ("75 %", high))}
        figure.data = head | values | ({} if aim is None else {label("target", symbol): low * 0 + aim / scale})
    return figure


def _the_one_with(history, population: str | None, ledger: str) -> str:
    """Return the population whose ledger is meant."""
    rows = history.ledgers
    having = list(dict.fromkeys(rows["name"][rows["ledger"] == ledger].tolist()))
    if not having:
        known = dict.fromkeys(rows["ledger"].tolist())
        raise ValueError(
            f"no population of this history keeps {ledger!r}; develop it with a rule or a book that does.{near(ledger, known)}"
        )
    if population is None and len(having) > 1:
        raise ValueError(f"populations {', '.join(having)} keep {ledger!r}; choose one with population={having[0]!r}")
    if population is not None and population not in having:
        raise ValueError(f"population {population!r} of this history keeps no {ledger!r}.{near(population, having)}")
    return having[0] if population is None else population
