"""The library's own errors, and the near match that an error message offers for a mistyped name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, options: Iterable[str]) -> str:
    """Say what could have been meant by a mistyped name.

    Returns a sentence with a leading blank: the closest of `options`, or all of them where none is close.
    """
    known = sorted(str(option) for option in options)
    if not known:
        return " There is nothing to choose from."
    folded = {option.lower(): option for option in known}
    close = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.6)
    if close:
        return f" Did you mean '{folded[close[0]]}'?"
    return f" Choose one of: {', '.join(known)}."


class UnsupportedModelError(NotImplementedError):
    """A backend cannot express a model that is valid as such."""


class TimeStepWarning(UserWarning):
    """The time step is longer than the fastest variable of a population allows."""


class TimeScaleWarning(UserWarning):
    """Two time scales of a life are too close for what happens on the one to be over before the other moves."""


class NonFiniteStateError(FloatingPointError):
    """A state variable became NaN or infinite; `circuit` and `recording` hold what was simulated before."""

    def __init__(self, message: str, circuit=None, recording=None):
        super().__init__(message)
        self.circuit = circuit
        self.recording = recording


class Interrupted(KeyboardInterrupt):
    """The user interrupted a simulation; `circuit` and `recording` hold what was simulated before."""

    def __init__(self, message: str = "", circuit=None, recording=None):
        super().__init__(message)
        self.circuit = circuit
        self.recording = recording
