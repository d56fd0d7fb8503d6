"""What is to happen during a run besides the models' own steps: currents going on and off, and stimulus onsets, by time step."""

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from neurosim.backends.onset import interval_actions, onset_actions
from neurosim.circuit import Circuit
from neurosim.stimuli import Bound


class Arrays(Protocol):
    """Give the memory in which a backend keeps the state of a circuit while it runs."""

    def array(self, part: str, variable: str) -> np.ndarray:
        """Return the memory of a state variable, weight or share of a population or projection."""

    def level(self, bound: Bound) -> np.ndarray:
        """Return the memory of a step current."""

    def targets(self, projection: str) -> np.ndarray:
        """Return the rows of the target cells of a projection's synapses."""


def agenda(circuit: Circuit, inputs: list[Bound], arrays: Arrays, shared: Mapping, stop: int) -> dict[int, list[Callable[[], None]]]:
    """Return the functions to call at the start of time steps before `stop`; currents that are on already are switched on at once."""
    planned: dict[int, list[Callable]] = {}
    for bound in inputs:
        if bound.kind == "step" and len(circuit.populations[bound.population]):
            level = arrays.level(bound)
            on = bound.onset <= circuit.step and (bound.offset is None or circuit.step < bound.offset)
            level[:] = 0.0
            level[bound.rows] = bound.values["amplitude"] if on else 0.0
            if bound.onset > circuit.step:
                planned.setdefault(bound.onset, []).append(_assign(level, bound.rows, bound.values["amplitude"]))
            if bound.offset is not None:
                planned.setdefault(bound.offset, []).append(_assign(level, bound.rows, 0.0))
    onsets = np.unique(np.concatenate([np.empty(0, np.int64), *(bound.onsets for bound in inputs if bound.onsets is not None)]))
    actions = onset_actions(circuit, arrays, shared) if len(onsets) else []
    for onset in onsets.tolist():
        planned.setdefault(onset, []).extend(actions)
    for interval, action in interval_actions(circuit, arrays, shared):
        for step in range(-(-max(circuit.step, 1) // interval) * interval, stop, interval):
            planned.setdefault(step, []).append(action)
    for bound in inputs:
        if bound.kind == "jumps" and len(circuit.populations[bound.population]):
            variable = arrays.array(bound.population, bound.receptor)
            for step, amount in zip(bound.steps.tolist(), bound.values["amount"], strict=True):
                planned.setdefault(step, []).append(_add(variable, bound.rows, amount))
    return planned


def _add(array: np.ndarray, rows: np.ndarray, amount: float) -> Callable[[], None]:
    def add():
        array[rows] += amount

    return add


def _assign(array: np.ndarray, rows: np.ndarray, values) -> Callable[[], None]:
    def assign():
        array[rows] = values

    return assign
