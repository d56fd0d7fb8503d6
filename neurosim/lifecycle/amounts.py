"""How many of a selection: what rules share to thin it by a hazard, take a count of it, and check both."""

import numpy as np

from neurosim.errors import near
from neurosim.lifecycle.schedules import Schedule
from neurosim.lifecycle.selection import Selected, check_made
from neurosim.units import Hz, Quantity, second, to_si


def choose(rule, selected: Selected, recording, rng) -> Selected:
    """Thin a selection by the rule's hazard, or take its count, or all."""
    if rule.hazard is not None:
        return selected.taken(rng.random(len(selected.ids)) < probability(rule.hazard, recording))
    if getattr(rule, "count", None) is not None:
        return first(selected, rule.count, rng)
    return selected


def first(selected: Selected, count: int, rng) -> Selected:
    """Take at most so many: the first of an ordered selection, any of another."""
    if len(selected.ids) <= count:
        return selected
    order = np.arange(len(selected.ids)) if selected.ordered else rng.permutation(len(selected.ids))
    return selected.taken(np.sort(order[:count]))


def probability(hazard: Quantity, recording, factor=1.0):
    """Return the chance that an event of constant hazard, times a factor (one or an array), happens within an epoch."""
    return -np.expm1(-to_si(hazard, Hz, "hazard") * to_si(recording.duration, second, "epoch") * factor)


def slowed(hazard, factor: float):
    """Return a hazard, or each of a schedule of hazards, divided by a factor; None stays."""
    if isinstance(hazard, Schedule):
        return Schedule([slowed(one, factor) for one in hazard.values])
    return None if hazard is None else hazard / factor


def check_amount(rule) -> None:
    """Raise ValueError unless a rule has at most one of hazard and count, and a sensible one; TypeError where `who` is no selection."""
    what = f"{type(rule).__name__} in {rule.population!r}"
    check_made(rule.who)
    if rule.hazard is not None and rule.count is not None:
        raise ValueError(f"{what} has both a hazard and a count; give one of them, or neither for all that are selected")
    check_hazard(rule.hazard, f"hazard of {what}")
    check_size(rule.count, f"count of {what} is", "count", 0)


def check_hazard(hazard, what: str) -> None:
    """Raise unless a hazard is None or one rate (1/time), 0 or more."""
    if hazard is not None and (np.ndim(hazard) or not to_si(hazard, Hz, what) >= 0):
        raise ValueError(f"{what} is {hazard}; give a rate of 0 or more, such as 1/second")


def check_size(number, what: str, name: str, least: int) -> None:
    """Raise ValueError unless a number is None or a whole number of cells, so many at least."""
    if number is not None and (isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < least):
        raise ValueError(f"{what} {number!r} cells; give {name}={least} or more, a whole number")


def check_name(rule, name: str, known) -> None:
    """Raise ValueError for a rule about a population or projection that the circuit lacks."""
    if name not in known:
        raise ValueError(f"rule {type(rule).__name__} is about {name!r}, which is not in the circuit.{near(name, known)}")
