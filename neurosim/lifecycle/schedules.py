"""When: parameters of rules that change from epoch to epoch of a phase."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurosim.lifecycle.parts import changed, parts
from neurosim.units import Hz, Quantity, get_dimensions, quantity, second, to_si

SHAPES = ("increasing", "constant", "decreasing")


@dataclass(frozen=True)
class Schedule:
    """Give a parameter of a rule one value for each epoch of its phase.

    `values` is a sequence of what the parameter takes (numbers, quantities of one dimension, None ...), one an epoch, and stands
    where the parameter stands: ``Rewiring(..., hazard=Schedule([3, 2, 1] / second))``. Raises ValueError where there is none and
    TypeError for values of different dimensions or for what is no sequence.
    """

    values: Any

    def __post_init__(self):
        listed = isinstance(self.values, Sequence) and not isinstance(self.values, str)
        if not listed and not (isinstance(self.values, np.ndarray) and self.values.ndim == 1):
            raise TypeError(f"values of Schedule are {self.values!r}; give a list with one value for each epoch")
        if not len(self.values):
            raise ValueError("values of Schedule are empty; give one value for each epoch of the phase")
        object.__setattr__(self, "values", tuple(self.values))
        dimensions = {get_dimensions(value) for value in self.values if isinstance(value, (int, float, np.number, Quantity))}
        if len(dimensions) > 1:
            raise TypeError(f"values of Schedule are {list(self.values)}, of different dimensions; give all in the same units")

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, epoch: int):
        return self.values[epoch]


def lengths(value) -> Iterator[int]:
    """Go through the lengths of the schedules in a rule, those in its parts included."""
    if isinstance(value, Schedule):
        yield len(value)
    else:
        for _, part in parts(value):
            yield from lengths(part)


def at(value, epoch: int):
    """Return a rule as it is in one epoch of its phase (0 is the first): with that epoch's values for its schedules."""
    if isinstance(value, Schedule):
        return value[epoch]
    return changed(value, lambda _, part: at(part, epoch))


def checked_by_epoch(rule) -> bool:
    """Check a rule that has schedules as it is in each epoch, and tell whether it has any.

    To be asked at the beginning of a rule's own checks. Raises ValueError for schedules of different lengths, and what the rule
    raises in any of the epochs.
    """
    found = list(lengths(rule))
    if len(set(found)) > 1:
        raise ValueError(f"schedules of {type(rule).__name__} have {min(found)} and {max(found)} values; give one for each epoch in all")
    for epoch in range(found[0] if found else 0):
        at(rule, epoch)
    return bool(found)


def pruning_schedule(kind: str, total: float, epochs: int, epoch: Quantity) -> Schedule:
    """Return the hazards with which a share of the first synapses is pruned over some epochs, fast at first, evenly or fast at last.

    `total` is the share that is gone in the end, in [0, 1). In epoch i (1 to n) the share s_i of the *first* synapses goes: it
    rises in proportion to i ("increasing"), is the same ("constant") or falls in proportion to n + 1 - i ("decreasing"), and the
    hazard is -log(S_i / S_(i-1)) / epoch with S_i = 1 - s_1 - ... - s_i. A constant share of those that are left, the other
    meaning of constant pruning, is a hazard without a schedule. Raises ValueError for an unknown kind, a share outside [0, 1) or
    no epoch. Navlakha, Barth & Bar-Joseph 2015, doi:10.1371/journal.pcbi.1004347: cortex prunes at a decreasing rate (Fig. 2).
    """
    if kind not in SHAPES:
        raise ValueError(f"a pruning schedule cannot be {kind!r}; give one of {', '.join(SHAPES)}")
    if not 0 <= total < 1:
        raise ValueError(f"a pruning schedule takes away {total!r} of the synapses; give a share from 0 to below 1")
    if isinstance(epochs, bool) or not isinstance(epochs, (int, np.integer)) or epochs < 1:
        raise ValueError(f"a pruning schedule lasts {epochs!r} epochs; give a whole number, 1 or more")
    length = to_si(epoch, second, "epoch of a pruning schedule")
    if not 0 < length < np.inf:
        raise ValueError(f"an epoch of a pruning schedule lasts {epoch}; give a time above 0")
    slope = {"increasing": np.arange(1, epochs + 1), "constant": np.ones(epochs), "decreasing": np.arange(epochs, 0, -1)}[kind]
    left = 1 - total * np.cumsum(np.concatenate([[0], slope])) / slope.sum()
    return Schedule(quantity(-np.diff(np.log(left)) / length, Hz.dim))
