"""Excitability of a cell from its f-I curve: whether it begins to fire at any low rate or at a rate of its own."""

from dataclasses import dataclass

import numpy as np

from neurosim.units import Hz, Quantity, amp, quantity, to_si

LARGEST_JUMP = 0.5  # of the rate at twice the onset current; above it the curve starts with a jump
WIDEST_GAP = 0.1  # of the onset current, between it and the last current without firing


@dataclass(frozen=True)
class FiringOnset:
    """Hold how firing begins: "type I" or "type II", the lowest current that gives repetitive firing, and the rate there."""

    type: str
    current: Quantity
    rate: Quantity


def fi_type(currents: Quantity, rates: Quantity) -> FiringOnset:
    """Tell from an f-I curve whether a cell is of type I (its rate grows from near 0) or of type II (it jumps to a rate).

    Type II if the rate at the lowest current with repetitive firing, the onset, is more than half of the rate at twice that current
    (interpolated). Shapes (n,); a rate of 0 means no repetitive firing. The classes are those of Hodgkin 1948
    (doi:10.1113/jphysiol.1948.sp004260), the criterion our own. Raises TypeError for a wrong dimension and ValueError where the
    currents do not increase, do not reach from silence to twice the onset, or leave a gap of more than a tenth of the onset below it.
    """
    current, rate = np.atleast_1d(to_si(currents, amp, "currents")), np.atleast_1d(to_si(rates, Hz, "rates"))
    if current.shape != rate.shape or current.ndim != 1:
        raise ValueError(f"currents of shape {current.shape} and rates of shape {rate.shape} are no f-I curve; give one rate a current.")
    if (np.diff(current) <= 0).any() or (rate < 0).any():
        raise ValueError("the currents do not increase, or a rate is negative; give the f-I curve sorted by current, rates of 0 or above.")
    firing = np.flatnonzero(rate > 0)
    if not len(firing):
        raise ValueError(f"the cell does not fire repetitively up to {current.max(initial=0):g} A; give stronger currents.")
    first = firing[0]
    onset = current[first]
    if first == 0 or onset <= 0:
        raise ValueError(
            f"the cell fires at {onset:g} A, the lowest current or one not above 0; its onset needs weaker currents without firing."
        )
    if onset - current[first - 1] > WIDEST_GAP * onset:
        raise ValueError(
            f"the f-I curve has no current between {current[first - 1]:g} A (silent) and {onset:g} A ({rate[first]:g} Hz), so the rate at "
            f"onset is not known; sample to within {WIDEST_GAP:.0%} there."
        )
    if current[-1] < 2 * onset:
        raise ValueError(f"the f-I curve ends at {current[-1]:g} A, below twice the onset at {onset:g} A; give stronger currents too.")
    jump = rate[first] > LARGEST_JUMP * np.interp(2 * onset, current, rate)
    return FiringOnset("type II" if jump else "type I", quantity(onset, amp.dim), quantity(rate[first], Hz.dim))
