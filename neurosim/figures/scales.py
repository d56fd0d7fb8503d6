"""Choose the units in which an axis is read."""

import numpy as np
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from neurosim.units import DIMENSIONLESS, Quantity, amp, farad, get_dimensions, metre, second, siemens, unit_name, volt

_PREFIXES = ((1e-12, "p"), (1e-9, "n"), (1e-6, "µ"), (1e-3, "m"), (1.0, ""))
_SYMBOLS = {
    get_dimensions(unit): symbol for unit, symbol in ((volt, "V"), (siemens, "S"), (amp, "A"), (farad, "F"), (second, "s"), (metre, "m"))
}
LATE = 10  # lengths of a recording after which its start is no longer counted in
_TIMES = ((2.0, 1e-3, "ms"), (300.0, 1.0, "s"), (7200.0, 60.0, "min"), (np.inf, 3600.0, "h"))


def time_scale(start: float, stop: float) -> tuple[float, str]:
    """Return (seconds in a unit, its symbol) for an axis from `start` to `stop` in seconds: ms up to 2 s, then s, min, h."""
    return next((factor, symbol) for longest, factor, symbol in _TIMES if stop - start <= longest)


def time_axis(panels, start: float, stop: float) -> None:
    """Let panels share a time axis from `start` to `stop` in seconds; a short piece late in a life counts from its start."""
    factor, unit = time_scale(start, stop)
    for panel in panels:
        panel.set_xlim(start / factor, stop / factor)
    panels[-1].set_xlabel(f"time ({unit})")
    if start > LATE * (stop - start):
        ticks = MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(0.0, (stop - start) / factor)
        ticks = ticks[(ticks >= 0) & (ticks <= (stop - start) / factor * 1.001)]
        for panel in panels:
            panel.xaxis.set_major_locator(FixedLocator(ticks + start / factor))
        panels[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value - start / factor:.6g}"))
        panels[-1].set_xlabel(f"time after {start:g} s ({unit})")


def value_scale(values) -> tuple[float, str]:
    """Return (SI value of a unit, its symbol) in which the largest of `values` reads as 0.1 to 100; (1, "") without dimension."""
    dimensions = get_dimensions(values)
    if dimensions is DIMENSIONLESS:
        return 1.0, ""
    if dimensions not in _SYMBOLS:
        return 1.0, unit_name(dimensions)
    symbol = _SYMBOLS[dimensions]
    if symbol == "V":
        return 1e-3, "mV"
    size = np.abs(plain(values))
    largest = np.max(size[np.isfinite(size)], initial=0.0)
    fitting = [(factor, prefix) for factor, prefix in _PREFIXES if 0.1 * factor <= largest] or _PREFIXES[:1]
    factor, prefix = fitting[-1] if largest > 0 else (1.0, "")
    return factor, prefix + symbol


def common_scale(several) -> tuple[float, str]:
    """Return (size, symbol) of the unit in which several quantities of one dimension are read: that of the largest value."""
    return value_scale(max(several, key=lambda values: np.max(np.abs(plain(values)), initial=0.0)))


def plain(values) -> np.ndarray:
    """Return the SI numbers of a quantity, or the numbers of an array, as floats."""
    return np.array(values.view(np.ndarray) if isinstance(values, Quantity) else values, dtype=float)


def label(name: str, symbol: str) -> str:
    """Return the text of an axis: name and unit."""
    return f"{name} ({symbol})" if symbol else name
