"""The merging of events: who really dies, divides, is unlinked or linked when rules disagree."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurosim.circuit import Circuit
from neurosim.events import Events
from neurosim.projection import Projection
from neurosim.table import over_ids


@dataclass(frozen=True)
class Settled:
    """Hold the events that are carried out, by population (deaths, divisions) and projection (unlinks, links).

    `dead` are the ids of the dead; `daughters` are the ids given to the newborn, in the order of the divisions.
    """

    deaths: Mapping[str, np.ndarray]
    dead: Mapping[str, np.ndarray]
    divisions: Mapping[str, np.ndarray]
    daughters: Mapping[str, np.ndarray]
    unlinked: Mapping[str, np.ndarray]
    links: Mapping[str, np.ndarray]


def settle(circuit: Circuit, events: Events) -> tuple[Settled, Counter]:
    """Drop events that conflict with earlier ones and count them by cause.

    The order is deaths, divisions of survivors, unlinks, links; of several events for one cell or synapse the first
    counts. Raises KeyError for ids of cells that are not alive in the circuit.
    """
    dropped: Counter = Counter()
    deaths, dead, divisions, daughters = {}, {}, {}, {}
    for name, population in circuit.populations.items():
        table = events.of("death", name)
        population.rows(table["cell"])
        deaths[name] = _first(table, "cell", f"{name}: killed twice", dropped)
        dead[name] = deaths[name]["cell"]
        table = events.of("division", name)
        population.rows(table["mother"])
        table = _without(table, np.isin(table["mother"], dead[name]), f"{name}: divides and dies", dropped)
        divisions[name] = _first(table, "mother", f"{name}: divides twice", dropped)
        daughters[name] = len(population.parents) + np.arange(len(divisions[name]))
    unlinked, links = {}, {}
    for name, projection in circuit.projections.items():
        table = events.of("unlink", name)
        if len(dead[projection.source]) or len(dead[projection.target]):
            doomed = bereft(circuit, projection, dead, projection.rows(table["synapse"]))
            table = _without(table, doomed, f"{name}: unlinked and its cell dies", dropped)
        unlinked[name] = _first(table, "synapse", f"{name}: unlinked twice", dropped)
        table = events.of("link", name)
        for column, end in (("pre", projection.source), ("post", projection.target)):
            circuit.populations[end].rows(table[column])
            table = _without(table, np.isin(table[column], dead[end]), f"{name}: linked to a cell that dies", dropped)
        links[name] = table
    return Settled(deaths, dead, divisions, daughters, unlinked, links), dropped


def bereft(circuit: Circuit, projection: Projection, dead: Mapping[str, np.ndarray], rows=slice(None)) -> np.ndarray:
    """Tell which synapses (of some rows) lose a cell at either end; `dead` are the ids of the dead by population."""
    lost = np.zeros(len(projection), dtype=bool)[rows]
    for column, name in (("pre", projection.source), ("post", projection.target)):
        if len(dead[name]):
            lost |= over_ids(len(circuit.populations[name].parents), dead[name], True, False)[projection.synapses[column][rows]]
    return lost


def _first(table: np.ndarray, column: str, cause: str, dropped: Counter) -> np.ndarray:
    _, rows = np.unique(table[column], return_index=True)
    again = np.ones(len(table), dtype=bool)
    again[rows] = False
    return _without(table, again, cause, dropped)


def _without(table: np.ndarray, out: np.ndarray, cause: str, dropped: Counter) -> np.ndarray:
    if not out.any():
        return table
    dropped[cause] += int(out.sum())
    return table[~out]
