"""The merging of events: who really dies, divides, is unlinked or linked when rules disagree."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurosim.circuit import Circuit
from neurosim.events import Events
from neurosim.ledger import FADING, IMMORTAL
from neurosim.population import Population
from neurosim.projection import Projection
from neurosim.table import over_ids


@dataclass(frozen=True)
class Settled:
    """Hold the events that are carried out, by population (deaths to births) and projection (unlinks, links).

    `dead` are the ids of the dead; `daughters` and `born` are the ids given to newborn cells, in the order of the divisions and births.
    """

    deaths: Mapping[str, np.ndarray]
    dead: Mapping[str, np.ndarray]
    handed: Mapping[str, np.ndarray]
    faded: Mapping[str, np.ndarray]
    divisions: Mapping[str, np.ndarray]
    daughters: Mapping[str, np.ndarray]
    births: Mapping[str, np.ndarray]
    born: Mapping[str, np.ndarray]
    unlinked: Mapping[str, np.ndarray]
    links: Mapping[str, np.ndarray]

    def newborn(self, name: str) -> np.ndarray:
        """Return the ids of all newborn cells of a population, in the order in which they stand in it."""
        return np.concatenate([self.daughters[name], self.born[name]])


def settle(circuit: Circuit, events: Events) -> tuple[Settled, Counter]:
    """Drop events that conflict with earlier ones and count them by cause.

    The order is deaths, hand-overs, fadings, divisions of survivors, births, unlinks, links; of several events for one cell or
    synapse the first counts, of the hand-overs of a cell those of the first rule. Raises KeyError for ids of cells that are not alive in the circuit.
    """
    dropped: Counter = Counter()
    deaths, dead, handed, faded, divisions, daughters, births, born = ({} for _ in range(8))
    for name, population in circuit.populations.items():
        deaths[name] = _deaths(population, events.of("death", name), events.floors, dropped)
        dead[name] = deaths[name]["cell"]
        handed[name] = _handed(population, events.of("handover", name), dead[name], dropped)
        faded[name] = _of_living(population, events.of("fade", name), "cell", dead[name], "fades", dropped)
        if len(faded[name]) and FADING.name not in population.ledgers:
            raise ValueError(
                f"cells of {name!r} cannot fade: it has no ledger for that; use circuit.with_ledgers({{{name!r}: [ns.FADING]}})"
            )
        divisions[name] = _of_living(population, events.of("division", name), "mother", dead[name], "divides", dropped)
        daughters[name] = len(population.parents) + np.arange(len(divisions[name]))
        births[name] = _births(circuit, name, events.of("birth", name))
        born[name] = len(population.parents) + len(daughters[name]) + np.arange(len(births[name]))
    unlinked, links = {}, {}
    for name, projection in circuit.projections.items():
        table = events.of("unlink", name)
        if len(dead[projection.source]) or len(dead[projection.target]):
            rows = projection.rows(table["synapse"])
            doomed = bereft(circuit, projection, dead, rows)
            if len(handed[projection.source]):  # what is unlinked no heir gets
                heard = ~np.isin(projection.synapses["post"][rows], dead[projection.target])
                doomed &= ~(np.isin(projection.synapses["pre"][rows], handed[projection.source]["cell"]) & heard)
            table = _without(table, doomed, f"{name}: unlinked and its cell dies", dropped)
        unlinked[name] = _first(table, "synapse", f"{name}: unlinked twice", dropped)
        table = events.of("link", name)
        for column, end in (("pre", projection.source), ("post", projection.target)):
            circuit.populations[end].rows(table[column])
            table = _without(table, np.isin(table[column], dead[end]), f"{name}: linked to a cell that dies", dropped)
        links[name] = table
    return Settled(deaths, dead, handed, faded, divisions, daughters, births, born, unlinked, links), dropped


def _deaths(population: Population, table: np.ndarray, floors: Mapping, dropped: Counter) -> np.ndarray:
    rows = population.rows(table["cell"])
    if IMMORTAL.name in population.ledgers:
        table = _without(table, population.cells[IMMORTAL.name][rows] > 0, f"{population.name}: killed but protected", dropped)
    table = _first(table, "cell", f"{population.name}: killed twice", dropped)
    spared, left = np.zeros(len(table), dtype=bool), len(population)
    for rule in dict.fromkeys(table["rule"].tolist()):
        rows = np.flatnonzero(table["rule"] == rule)
        room = max(0, left - floors.get((population.name, rule), 0))
        spared[rows[room:]] = True
        left -= min(room, len(rows))
    return _without(table, spared, f"{population.name}: killed though few are left", dropped)


def _handed(population: Population, table: np.ndarray, dead: np.ndarray, dropped: Counter) -> np.ndarray:
    population.rows(table["heir"])
    table = _without(table, ~np.isin(table["cell"], dead), f"{population.name}: hands over and does not die", dropped)
    _, first, cell = np.unique(table["cell"], return_index=True, return_inverse=True)
    table = _without(table, table["rule"] != table["rule"][first][cell], f"{population.name}: handed over twice", dropped)
    return _without(table, np.isin(table["heir"], dead), f"{population.name}: handed over to a cell that dies", dropped)


def _of_living(population: Population, table: np.ndarray, column: str, dead: np.ndarray, what: str, dropped: Counter) -> np.ndarray:
    """Return the first event of each cell that does not die."""
    population.rows(table[column])
    table = _without(table, np.isin(table[column], dead), f"{population.name}: {what} and dies", dropped)
    return _first(table, column, f"{population.name}: {what} twice", dropped)


def _births(circuit: Circuit, name: str, table: np.ndarray) -> np.ndarray:
    """Check that the cells from which newborn ones differentiate are there; raise KeyError where not."""
    for origin in np.unique(table["origin"]):
        if origin:
            if origin not in circuit.populations:
                raise KeyError(f"birth events in {name!r} name the population {str(origin)!r}, which is not in the circuit")
            circuit.populations[origin].rows(table["progenitor"][table["origin"] == origin])
    return table


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
