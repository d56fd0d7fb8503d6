"""Known answers of cells: every `[[expected]]` row of the catalogue, the onset of firing, and the closed form of the leaky cell.

Sources: Hodgkin & Huxley 1952, Rinzel & Miller 1980, Brette et al. 2007 (benchmark 3), Lapicque 1907; the numbers are of
LSODA at a relative tolerance of 1e-8 or of the closed forms.
"""

from pathlib import Path

import numpy as np
import pytest
from protocols_run import measured

import neurosim as ns
from neurosim import model_files
from neurosim.units import Hz, mV, ms, msiemens, nA, pF, quantity, second, siemens, uA

MEMBRANES = [name for name in ns.cells() if not ns.load_cell(name).source]
CASES = sorted({(name, row.protocol) for name in MEMBRANES for row in ns.load_cell(name).expected})
AREA = 2e-4  # cm2, of every cell of the catalogue


def target(name, protocol):
    """NumPy for few or cheap steps: each kind of cell, and each synapse, takes Cython 10 s and more to build."""
    return "numpy" if name.startswith("leaky") or protocol == "psp" else "cython"


def rows_of(name, *protocols):
    return [row for row in ns.load_cell(name).expected if row.protocol in protocols]


def misses(rows, values):
    return [
        f"{row.protocol} {dict(row.settings)}: {row.measure} is {value}, expected {row.value} +- {row.tolerance}"
        for row, value in zip(rows, values, strict=True)
        if not abs(value - row.value) <= row.tolerance
    ]


@pytest.mark.parametrize(("name", "protocol"), CASES)
def test_catalogue_gives_what_its_files_expect(name, protocol):
    rows = rows_of(name, protocol)
    assert not misses(rows, measured(ns.load_cell(name), rows, target(name, protocol)))


WRONG = {
    "hodgkin_huxley": ({"gbar_Na": 132 * msiemens / 1e-4 / quantity(1.0, (AREA * siemens).dim) * 0 if False else None}, 0),
}
