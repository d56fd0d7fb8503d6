"""The same life in slower time: structural rates divided by a factor, epochs as much longer."""

import math
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from typing import Any

from neurosim.lifecycle.amounts import slowed
from neurosim.lifecycle.growth_curves import GrowthCurve
from neurosim.lifecycle.parts import changed, parts
from neurosim.lifecycle.phases import Lifecycle
from neurosim.units import Hz, Quantity, get_dimensions

RATES = ("hazard", "regrow", "vacancy", "gain")  # fields of rules, selections and growths that hold structural rates


def rescaled(life: Lifecycle, factor: float) -> Lifecycle:
    """Return a life in which structure changes more slowly by a factor: rates divided by it, epochs multiplied.

    So each boundary has as many events as before, and every structural rate per time is 1/factor of what it was; whether a finding
    depends on compressed time is then to be seen. What is counted in epochs or in cells stays, and so do time constants of cells and
    synapses, calcium included; inputs that are tied to time are the caller's to stretch.

    Divided are quantities of 1/time in the fields `hazard`, `regrow`, `vacancy` and `gain` of rules that are dataclasses, and of
    dataclasses, lists and schedules in their fields. A rule, or anything in its fields, that knows better has a method
    ``rescaled(factor)`` that returns it slowed down. Raises ValueError for a factor that is not a number above 0 and TypeError for a rule that is neither.
    """
    if not isinstance(life, Lifecycle):
        raise TypeError(f"ns.rescaled needs a lifecycle, not {life!r}; make one with ns.Lifecycle(epoch=..., phases=[...])")
    if not 0 < factor < math.inf:
        raise ValueError(f"a life cannot be rescaled by {factor!r}; give a number above 0, such as 2 for half the rates")
    phases = []
    for phase in life.phases:
        for label, rule in phase.labelled():
            if not (hasattr(rule, "rescaled") or is_dataclass(rule)):
                raise TypeError(
                    f"rule {label!r} cannot be rescaled, because its rates are not known; make it a dataclass with a hazard, "
                    "or give it a method rescaled(factor)"
                )
        phases.append(replace(phase, rules=[_slowed(rule, factor) for rule in phase.rules]))
    return Lifecycle(life.epoch * factor, phases)


def _slowed(value: Any, factor: float, rate: bool = False) -> Any:
    """Return a rule, or a value in one, with its structural rates divided by a factor; `rate` says that the value stands for one."""
    if hasattr(value, "rescaled"):
        return value.rescaled(factor)
    if isinstance(value, Quantity):
        return slowed(value, factor) if rate and get_dimensions(value) is Hz.dim else value
    return changed(value, lambda name, part: _slowed(part, factor, rate or name in RATES))


def rates_of(value: Any, rate: bool = False) -> Iterator[Quantity]:
    """Go through the structural rates of a rule, those that `rescaled` divides."""
    if isinstance(value, Quantity) and rate and get_dimensions(value) is Hz.dim:
        yield value
    elif isinstance(value, GrowthCurve):
        yield value.rate
    for name, part in parts(value):
        yield from rates_of(part, rate or name in RATES)
