"""What an epoch's record says of ledgers and of balance: how a ledger is spread over cells, and what excites and inhibits them."""

import numpy as np

from neurosim.circuit import LONGEST, Circuit
from neurosim.recording import PartRecording, Recording
from neurosim.units import mV

NAME = f"U{LONGEST}"
HEAD = [("epoch", "i8"), ("time", "f8"), ("phase", NAME), ("name", NAME)]
LEDGERS = [*HEAD, ("ledger", NAME), *((column, "f8") for column in ("mean", "sd", "low", "median", "high"))]
BALANCE = [*HEAD, *((column, "f8") for column in ("exc", "inh", "cells", "synchrony"))]
SIGNS = ("excitatory", "inhibitory")
QUARTILES = (0.25, 0.5, 0.75)
BIN = 5e-3  # seconds: spikes that are together within it count as synchronous


def headed(kind, names, epoch: int, time: float, phase: str) -> np.ndarray:
    """Return rows for these parts with their first columns filled."""
    rows = np.zeros(len(names), kind)
    rows["epoch"], rows["time"], rows["phase"], rows["name"] = epoch, time, phase, list(names)
    return rows


def ledgers(circuit: Circuit, phase: str, epoch: int) -> np.ndarray:
    """Describe how the ledgers of cells are spread at the end of an epoch, in SI units; `low` and `high` are quartiles, NaN of no cells."""
    pairs = [(name, ledger) for name, population in circuit.populations.items() for ledger in population.ledgers]
    rows = headed(LEDGERS, [name for name, _ in pairs], epoch, circuit.time_si, phase)
    for row, (name, ledger) in zip(rows, pairs, strict=True):
        values = circuit.populations[name].cells[ledger]
        row["ledger"], row["mean"] = ledger, np.nan
        row["sd"] = row["low"] = row["median"] = row["high"] = np.nan
        if len(values):
            row["mean"], row["sd"] = values.mean(), values.std()
            places = np.array(QUARTILES) * (len(values) - 1)
            row["low"], row["median"], row["high"] = np.interp(places, np.arange(len(values)), np.sort(values))
    return rows


def balance(circuit: Circuit, phase: str, epoch: int, recording: Recording) -> np.ndarray:
    """Describe what excited and inhibited each population in an epoch through synapses, and how together its cells spiked.

    `exc` and `inh` are the strengths of the spikes that reached a cell per second, each counted as the potential that it causes in a
    cell at rest (V/s; NaN where a receptor has no unitary strength); `cells` is the number of cells that are declared excitatory over
    that of inhibitory ones, sources of spikes apart (NaN where none are declared so); `synchrony` is the variance over the mean of
    the population's spikes in bins of 5 ms (1: independent).
    """
    names = [name for name, population in circuit.populations.items() if not population.model.source]
    rows = headed(BALANCE, names, epoch, circuit.time_si, phase)
    exc, inh = ([len(circuit.populations[name]) for name in names if circuit.populations[name].sign == sign] for sign in SIGNS)
    rows["cells"] = sum(exc) / sum(inh) if exc and sum(inh) else np.nan
    for row, name in zip(rows, names, strict=True):
        row["synchrony"] = _synchrony(recording[name], recording)
        for projection in circuit.projections.values():
            if projection.target == name and len(circuit.populations[name]):
                exc, inh = _received(circuit, projection, recording)
                row["exc"] += exc / len(circuit.populations[name])
                row["inh"] += inh / len(circuit.populations[name])
    return rows


def _received(circuit: Circuit, projection, recording: Recording) -> tuple[float, float]:
    """Return what a projection delivered in all per second, as volts of excitation and of inhibition."""
    receptor, synapses = projection.receptor, projection.synapses
    if receptor.unitary is None or receptor.sign is None:
        return np.nan, np.nan
    spikes = np.zeros(len(circuit.populations[projection.source].parents))
    spikes[recording[projection.source].ids] = recording[projection.source].counts
    strength = synapses["share"] * synapses["weight"] * spikes[synapses["pre"]]
    scale = float(mV) / receptor.unitary / float(recording.duration)
    up, down = strength[strength > 0].sum() * scale, -strength[strength < 0].sum() * scale
    return (up, down) if receptor.sign == "excitatory" else (down, up)


def _synchrony(part: PartRecording, recording: Recording) -> float:
    width = max(1, round(BIN / recording.dt_si))
    bins = (recording.stop_step - recording.start_step) // width
    place = (part.spikes.step - recording.start_step) // width
    if bins < 2 or not len(place):
        return np.nan
    counts = np.bincount(place[place < bins], minlength=bins)
    return float(counts.var() / counts.mean()) if counts.any() else np.nan
