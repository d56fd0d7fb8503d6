"""Supply: a total that the cells of a population share by what they do."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.lifecycle.traits import Rate, Trait, check_cells
from neurosim.units import DIMENSIONLESS, Dimension, Hz, Quantity, to_si


@dataclass(frozen=True)
class Supply(Trait):
    """Take the part that each cell has of a `total` (1/time) which the whole population is supplied with, as the income of an ns.Energy.

    The part `even` of the total is shared equally, the rest in proportion to `by`, a trait that is 0 or more; where it is 0 for all,
    nobody has that rest. As the total is given, it also limits how many cells can be fed. Raises TypeError for a total that is no rate
    and ValueError for a negative one, or for a part outside [0, 1].
    """

    total: Quantity
    even: float = 0.0
    by: Any = Rate()

    def __post_init__(self):
        if np.ndim(self.total) or not 0 <= to_si(self.total, Hz, "total of Supply") < np.inf:
            raise ValueError(f"total of Supply is {self.total}; give one rate of 0 or more, such as 100/second")
        if not 0 <= to_si(self.even, DIMENSIONLESS, "even of Supply") <= 1:
            raise ValueError(f"even of Supply is {self.even!r}; give a number from 0 to 1")

    @property
    def most(self) -> Quantity:
        """The most that any cell can have: all of it."""
        return self.total

    def dimensions(self, circuit, name: str) -> Dimension:
        """Return the dimension of a rate; raise ValueError for a projection and what `by` raises."""
        check_cells(self, circuit, name)
        self.by.dimensions(circuit, name)
        return Hz.dim

    def books(self, name: str) -> tuple:
        """Return the books of what cells are supplied by."""
        return self.by.books(name)

    def __call__(self, circuit, recording, name: str) -> np.ndarray:
        values = np.asarray(self.by(circuit, recording, name), dtype=float)
        if not (values >= 0).all():
            raise ValueError(
                f"{self.by!r} of {name!r}, by which Supply shares, is {values[~(values >= 0)][0]}; give a trait that is 0 or more"
            )
        own = values / (values.sum() or 1.0)
        return to_si(self.total, Hz, "total") * (self.even / max(1, len(values)) + (1 - self.even) * own)
