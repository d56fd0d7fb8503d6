"""The cells of a figure: their names, and looks that stay theirs from figure to figure."""

from collections.abc import Mapping, Sequence

from neurosim.errors import near
from neurosim.figures.cost import DASHES
from neurosim.figures.style import PALETTE

COLOURS = tuple(colour for colour in PALETTE if colour != "#000000")  # black is for the reference
MARKERS = ("o", "s", "^", "D", "v", "P")


def by_cell(results: Mapping | Sequence, figure: str, what: str) -> dict:
    """Return name -> result: those of a mapping, or the cells' own for a sequence.

    `figure` and `what` name the caller and its results. ValueError where there are none, or two of one name.
    """
    if isinstance(results, Mapping):
        known = {str(name): one for name, one in results.items()}
    else:
        known = {}
        for one in results:
            if one.cell in known:
                raise ValueError(f"two {what} of cell {one.cell!r} were given to figures.{figure}; give a mapping from names to {what}")
            known[one.cell] = one
    if not known:
        raise ValueError(f"no {what} were given to figures.{figure}; give one a cell")
    return known


def looks(names: Sequence[str], reference: str | None = None) -> dict[str, dict]:
    """Return the colour, dashes and marker of each cell: black for the reference, else by its place among the others.

    ValueError where the reference is not among the names.
    """
    if reference is not None and reference not in names:
        raise ValueError(f"reference {reference!r} is not among the cells.{near(reference, names)}")
    found = {}
    for place, name in enumerate(one for one in names if one != reference):
        turn, number = divmod(place, len(COLOURS))
        found[name] = {"color": COLOURS[number], "linestyle": DASHES[turn % len(DASHES)], "marker": MARKERS[number]}
    if reference is not None:
        found[reference] = {"color": "black", "linestyle": "solid", "marker": "o"}
    return {name: found[name] for name in names}
