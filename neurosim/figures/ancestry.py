"""Who descends from whom in a population: clones, and an order of cells in which branches of the tree do not cross."""

import numpy as np


def family(history, population: str) -> np.ndarray:
    """Return the lineage of one population in order of birth, mothers before daughters; a parent that is not in it is -1.

    Cells that were born before the history began are born at its start, and dead cells that never lived in it are left out.
    ValueError where the population never had a cell.
    """
    first = int(history.census["epoch"].min())
    table = history.lineage[history.lineage["population"] == population]
    table = table[(table["death"] < 0) | (table["death"] > first)]
    if not len(table):
        raise ValueError(f"no cell of population {population!r} lived in this history; choose a population with cells")
    table = table[np.lexsort((table["id"], table["birth"]))].copy()
    table["parent"][~np.isin(table["parent"], table["id"])] = -1
    table["birth"] = np.maximum(table["birth"], first)
    return table


def founders(table: np.ndarray) -> dict[int, int]:
    """Return the founder of each cell, the first of its ancestors."""
    found: dict[int, int] = {}
    for cell, parent in zip(table["id"].tolist(), table["parent"].tolist(), strict=True):
        found[cell] = found.get(parent, cell)
    return found


def ancestors_at(table: np.ndarray, epoch: int) -> dict[int, int]:
    """Return for each cell alive at `epoch` or later the one alive at `epoch` from which it descends: itself, if it was."""
    found: dict[int, int] = {}
    living = alive(table, epoch)
    for lives, cell, parent, birth in zip(living, *(table[column].tolist() for column in ("id", "parent", "birth")), strict=True):
        if lives:
            found[cell] = cell
        elif birth > epoch:
            found[cell] = found.get(parent, cell)
    return found


def alive(table: np.ndarray, epoch: int) -> np.ndarray:
    """Return which cells live at `epoch`: a cell counts from the epoch of its birth until before that of its death."""
    return (table["birth"] <= epoch) & ((table["death"] < 0) | (table["death"] > epoch))


def depth_first(table: np.ndarray) -> list[int]:
    """Return the rows of all cells, each followed by its daughters with their descendants, the last daughter first.

    A branch drawn at a division then passes only cells that are born later.
    """
    place = {cell: row for row, cell in enumerate(table["id"].tolist())}
    daughters: dict[int, list[int]] = {}
    for row, parent in enumerate(table["parent"].tolist()):
        daughters.setdefault(place.get(parent, -1), []).append(row)
    order, waiting = [], daughters.get(-1, [])[::-1]
    while waiting:
        order.append(waiting.pop())
        waiting += daughters.get(order[-1], [])  # in order of birth, so the last is taken next
    return order
