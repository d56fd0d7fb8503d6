"""Ledgers: columns that rules keep for each cell of a population or each synapse of a projection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neurosim.units import DIMENSIONLESS, exponents, from_exponents, get_dimensions, quantity, to_si

DIVISIONS = ("copy", "first", "split")
ENDS = ("pre", "post")


@dataclass(frozen=True)
class Ledger:
    """Describe a column that rules keep for each cell of a population, or for each synapse of a projection.

    `first` (a quantity or a number) is the value of founders and of what descends from nothing: cells born without a mother, new
    synapses. `division` says what happens to it when a cell divides: "copy" (the daughter has her mother's), "first" (the daughter
    begins anew, the mother keeps hers) or "split" (of the value less `cost` the mother keeps `share`, the daughter has the rest).
    `bound` names ends of projections, as in ``(("exc_to_exc", "pre"),)``: the value grows by the synapses that a division gives a
    cell there. The copy of a synapse has the value of the one it descends from. `state` says that the column is there already, as the
    state variable of this name, and that only what becomes of it at divisions and births is described. Raises ValueError or TypeError
    for what does not fit.
    """

    name: str
    first: object = 0.0
    division: str = "copy"
    share: float = 0.5
    cost: object = 0.0
    bound: Sequence[tuple[str, str]] = ()
    state: bool = False

    def __post_init__(self):
        what = f"ledger {self.name!r}"
        if not isinstance(self.name, str) or not self.name.isidentifier() or self.name.startswith("_"):
            raise ValueError(f"{self.name!r} cannot name a ledger; use letters, digits and underscores, beginning with a letter")
        if np.ndim(self.first) or not np.isfinite(self.first_si):
            raise ValueError(f"{what} begins with {self.first}; give one finite value")
        if self.division not in DIVISIONS:
            raise ValueError(f"division of {what} is {self.division!r}; give one of {', '.join(DIVISIONS)}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"share of {what} is {self.share!r}; give a number from 0 to 1")
        if self.cost and not self.cost_si >= 0:
            raise ValueError(f"cost of {what} is {self.cost}; give 0 or more")
        for end in self.bound:
            if len(end) != 2 or end[1] not in ENDS:
                raise ValueError(f'{what} is bound to {end!r}; give pairs of a projection and "pre" or "post"')
        object.__setattr__(self, "bound", tuple(map(tuple, self.bound)))

    @property
    def dimensions(self):
        """The dimensions of the values."""
        return get_dimensions(self.first)

    @property
    def first_si(self) -> float:
        """The first value, in SI units."""
        return float(np.asarray(self.first))

    @property
    def cost_si(self) -> float:
        """What a division takes, in SI units; 0 for none."""
        return float(to_si(self.cost, quantity(1.0, self.dimensions), f"cost of ledger {self.name!r}")) if self.cost else 0.0

    def divided(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what mothers with these values keep, and what their daughters have."""
        if self.division == "copy":
            return values, values
        if self.division == "first":
            return values, np.full(len(values), self.first_si)
        left = values - self.cost_si
        mothers = left * self.share
        return mothers, left - mothers

    def specification(self) -> dict:
        """Return the ledger as a dictionary that JSON can hold."""
        return {
            "name": self.name, "first": self.first_si, "dimensions": exponents(self.dimensions), "division": self.division,
            "share": float(self.share), "cost": self.cost_si, "bound": [list(end) for end in self.bound],
            "state": self.state,
        }  # fmt: skip

    @classmethod
    def from_specification(cls, entry: Mapping) -> "Ledger":
        """Return the ledger that `specification()` described."""
        entry, dimensions = dict(entry), from_exponents(entry["dimensions"])
        plain = dimensions is DIMENSIONLESS
        first, cost = ((value if plain else quantity(value, dimensions)) for value in (entry["first"], entry["cost"]))
        return cls(entry["name"], first, entry["division"], entry["share"], cost, tuple(map(tuple, entry["bound"])), entry["state"])


FADING = Ledger("fading", 1.0)  # which part of its output a cell still has
IMMORTAL = Ledger("immortal", 0.0, "first")  # 1 for a cell that no rule can kill
