"""Populations: cells of one model, with permanent ids, lineage, positions and their whole state."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from neurosim.distributions import draw
from neurosim.errors import near
from neurosim.expressions import evaluate
from neurosim.ledger import Ledger
from neurosim.models import CellModel, load_cell
from neurosim.models.checks import check_divisor
from neurosim.randomness import generator
from neurosim.table import Table
from neurosim.units import Quantity, metre, quantity, to_si

NEVER = -1e4  # seconds: Brian2's value of lastspike for a cell that has not spiked
FOUNDER, MOTHERLESS = -1, -2  # instead of a parent


@dataclass(frozen=True, eq=False, repr=False)
class Population:
    """Hold the cells of one model at one moment.

    `cells` has one row a cell: id, parent (-1 for a founder), birth (epoch), position (n, 3) in metres (NaN if none was
    given), spikes (how many it has emitted; a daughter goes on from her mother's), memory (whether the weights of its
    synapses are frozen), every state variable in SI units and, unless the cells are spike sources, lastspike (s) and not_refractory.
    `parents[i]` is the parent of id i for every id ever issued, so that a cell finds the inputs of its ancestors (FOUNDER for a
    founder, MOTHERLESS for a cell born later without a mother in this population). `ledgers` describe the columns that rules keep.
    `scatter` (m) is how far from her mother a daughter stands, `spread` has the distributions from which cells born without a mother draw
    parameters of their own. State variables and ledgers are attributes with units: ``population.v``.
    """

    name: str
    model: CellModel
    cells: Table
    parents: np.ndarray
    sign: str | None
    shared: Mapping[str, float]
    ledgers: Mapping[str, Ledger] = field(default_factory=dict)
    scatter: float = 0.0
    spread: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.cells)

    def __repr__(self) -> str:
        sign = f", {self.sign}" if self.sign else ""
        return f"<Population {self.name!r}: {len(self)} cells of {self.model.name!r}{sign}>"

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        known = self.model.variables | {key: ledger.dimensions for key, ledger in self.ledgers.items()}
        if name in known:
            return quantity(self.cells[name], known[name])
        options = [*known, "ids", "position", "cells", "model", "sign"]
        raise AttributeError(f"population {self.name!r} has no {name!r}.{near(name, options)}")

    @property
    def ids(self) -> np.ndarray:
        """The permanent ids of the living cells, in order."""
        return self.cells["id"]

    @property
    def position(self) -> Quantity:
        """The positions of the cells, shape (n, 3), NaN where none was given."""
        return quantity(self.cells["position"], metre.dim)

    def rows(self, ids) -> np.ndarray:
        """Return the rows of the cells with these ids; raise KeyError for a dead or unknown cell."""
        return self.cells.find(ids, f"population {self.name!r}")

    def set(self, **state) -> "Population":
        """Return the population with other values (quantities, one or one per cell, or distributions' samples) of state variables."""
        columns = {}
        known = self.model.variables | {key: ledger.dimensions for key, ledger in self.ledgers.items()}
        for name, value in state.items():
            if name not in known:
                raise KeyError(f"population {self.name!r} has no state variable {name!r}.{near(name, known)}")
            what = f"{name} of population {self.name!r}"
            columns[name] = draw(value, len(self), None, quantity(1.0, known[name]), what)
            if name in self.model.per_cell:
                check_divisor(self.model, name, self.model.variables[name], columns[name], what)
        return replace(self, cells=self.cells.replace(**columns))

    def placing(self, distance: Quantity) -> "Population":
        """Return the population with daughters that stand away from their mothers: by a normal deviate of this width along each axis.

        In a population that lies in one plane, all z being 0, they stay in it. Raises ValueError for a negative distance or cells without positions
        and TypeError for no length.
        """
        scatter = to_si(distance, metre, f"distance of daughters in population {self.name!r}")
        if not 0 <= scatter < np.inf:
            raise ValueError(f"daughters in population {self.name!r} are to stand {distance} from their mothers; give 0 or more")
        if scatter and len(self) and np.isnan(self.cells["position"]).all():
            raise ValueError(
                f"daughters in population {self.name!r} are to stand beside mothers that have no positions; create it with positions=..."
            )
        return replace(self, scatter=float(scatter))


def create(
    name: str, model: CellModel | str, size: int | None, *, sign: str | None = None, positions=None, state=None, spread=None, seed: int = 0
) -> Population:
    """Make a population of `size` cells of one model.

    `model` is a CellModel, a catalogue name or the path of a model file. `sign` is "excitatory", "inhibitory" or None
    (undeclared); projections keep a declared sign. `positions` is a quantity of shape (size, 3) or (size, 2). `state`
    maps state variables to their first values: a quantity, an array of quantities or a distribution drawn with `seed`;
    `spread` gives each cell its own value of parameters in the same way. They are state variables then: a daughter has her mother's, a
    cell born without a mother draws its own, or has that of the model file where values were given one by one.
    A `size` of None makes a population all of whose cells are yet to be born. Raises ValueError for a name that is no identifier, a size below 1 or an unknown sign, TypeError for a wrong dimension.
    """
    model = model if isinstance(model, CellModel) else load_cell(model)
    check_name(name, "population")
    if size is not None and (isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1):
        raise ValueError(
            f"population {name!r} needs a whole number of cells, at least 1, not {size!r}; give None if all its cells are yet to be born"
        )
    size = size or 0
    if sign not in (None, "excitatory", "inhibitory"):
        raise ValueError(f'population {name!r} has sign {sign!r}; give "excitatory", "inhibitory" or None')
    columns = {
        "id": np.arange(size),
        "parent": np.full(size, FOUNDER),
        "birth": np.zeros(size, dtype=np.int64),
        "position": _positions(name, size, positions),
        "spikes": np.zeros(size, dtype=np.int64),
        "memory": np.zeros(size, dtype=bool),
    }
    rng = generator(seed, f"create/{name}")
    own = {}
    if spread:
        model = model.with_spread(spread)
        for key, value in spread.items():
            unit = quantity(1.0, model.variables[key])
            drawn = draw(value, size, generator(seed, f"create/{name}/{key}"), unit, f"{key} of population {name!r}")
            check_divisor(model, key, model.variables[key], drawn, f"{key} of population {name!r}")
            own[key] = quantity(drawn, model.variables[key])
    initial = model.initial_values(own)
    for key in state or {}:
        if key not in initial:
            raise ValueError(f"population {name!r} has no state variable {key!r}.{near(key, initial)}")
        if key in own:
            raise ValueError(f"population {name!r} has {key!r} in both spread and state; give it in spread alone")
    for key, value in initial.items():
        if state and key in state:
            columns[key] = draw(state[key], size, rng, quantity(1.0, model.variables[key]), f"{key} of population {name!r}")
        else:
            columns[key] = np.full(size, value)
    if not model.source:
        columns["lastspike"] = np.full(size, NEVER)
        columns["not_refractory"] = ready(model, columns, size)
    again = {key: value for key, value in (spread or {}).items() if not np.ndim(value)}
    return Population(name, model, Table(columns), np.full(size, FOUNDER), sign, dict(model.shared), spread=again)


def check_name(name: str, what: str) -> None:
    """Raise ValueError unless `name` can stand in generated code."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_") or not name.isascii():
        raise ValueError(f"{name!r} cannot name a {what}; use letters, digits and underscores, beginning with a letter")


def _positions(name, size, positions) -> np.ndarray:
    if positions is None:
        return np.full((size, 3), np.nan)
    values = np.asarray(to_si(positions, metre, f"positions of population {name!r}"), dtype=float)
    if values.ndim != 2 or values.shape[0] != size or values.shape[1] not in (2, 3):
        raise ValueError(f"positions of population {name!r} have shape {values.shape}; give ({size}, 3) or ({size}, 2)")
    return np.pad(values, ((0, 0), (0, 3 - values.shape[1])))


def ready(model: CellModel, columns, size) -> np.ndarray:
    """Tell which cells that begin in some state are ready to spike: one above a crossing threshold has not crossed it."""
    if model.spike.rule != "crossing":
        return np.ones(size, dtype=bool)
    names = {key: quantity(columns[key], unit) for key, unit in model.variables.items()}
    above = evaluate(model.spike.threshold, model.names(names))
    return ~np.broadcast_to(np.asarray(above, dtype=bool), size)
