"""Offer waveforms to Brian2 as a function for statements: `waveform_at(address, times, rows, hold, row, elapsed)`.

The samples are told by their address, so that neither their number nor their values stand in generated code and nothing is compiled
anew for another waveform; whoever runs the code keeps the array alive, as the bound input does.
"""

import ctypes
from importlib import resources

import numpy as np

from neurosim.backends.noise import brian_function

WAVEFORM_SOURCE = resources.files("neurosim.backends").joinpath("waveform.h").read_text(encoding="utf-8")


def _waveform_at(address, times, rows, hold, row, elapsed):
    numbers = (ctypes.c_double * (int(times) * int(rows))).from_address(int(address))
    samples = np.frombuffer(numbers).reshape(int(times), int(rows))
    time = int(np.asarray(elapsed).item()) // int(hold)
    return samples[time, np.asarray(row).astype(np.int64)] if 0 <= time < len(samples) else np.zeros(np.shape(row))


waveform_at = brian_function(_waveform_at, "waveform_at", 6, WAVEFORM_SOURCE)
