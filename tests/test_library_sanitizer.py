"""Edits under AddressSanitizer: what writes beside its memory ends the process; the README has the command for all tests of edits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurosim.backends.compiler import has_compiler

EDITS = Path(__file__).parent / "contract" / "test_library_edits.py"
MISDEEDS = {  # with the room behind the last row, a column of 40 rows ends after 64
    "none": ("pass", ""),
    "a forgotten resize": ("handle.call('ns_population', 0, 1)", "Assertion '__n < this->size()' failed"),
    "a row beyond the table": (
        "handle.call('ns_add_trace', *handle.place('exc', 'v'), 1, np.array([64]), 1); handle.call('ns_run', 1)",
        "AddressSanitizer: heap-buffer-overflow",
    ),
}
DOING = """
import sys
import numpy as np
sys.path.insert(0, {contract!r})
from circuits import LIBRARY, build, drive, run
inputs = drive("leaky_conductance")
with LIBRARY.opened() as running:
    circuit, _ = run(build("leaky_conductance", size=40), 10, inputs, running)
    handle = running._engine.memory.handle
    {misdeed}
    run(circuit, 600, inputs, running)
print("went on")
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or not has_compiler(), reason="needs a compiler, and LD_PRELOAD"),
]


def sanitised(*arguments):
    """Run Python with a sanitiser that is there before all else, and libraries that are built with it."""
    compiler = os.environ.get("CXX", "g++")
    preloaded = [
        subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True).stdout.strip()
        for name in ("libasan.so", "libstdc++.so")
    ]
    if not Path(preloaded[0]).is_absolute():
        pytest.skip("the compiler has no AddressSanitizer")
    wanted = {"NEUROSIM_SANITIZE": "address", "LD_PRELOAD": " ".join(preloaded), "ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run([sys.executable, *arguments], env={**os.environ, **wanted}, capture_output=True, text=True, timeout=540)


def test_edits_stay_inside_their_memory():
    chosen = "tenfold or dies_out or (leaky_conductance and (slots or plain_surgery or thousands))"
    done = sanitised("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(EDITS), "-k", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AddressSanitizer" not in done.stderr and " passed" in done.stdout


def test_rules_of_every_step_stay_inside_their_memory():
    """They go over all synapses and read cells by rows that an edit has renumbered."""
    chosen = "whatever_happens or silent_cell or (division and leaky)"
    done = sanitised("-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", str(EDITS.with_name("test_every_rule.py")), "-k", chosen)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AddressSanitizer" not in done.stderr and " passed" in done.stdout


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_control_what_goes_beyond_is_caught(misdeed):
    what, said = MISDEEDS[misdeed]
    done = sanitised("-c", DOING.format(contract=str(EDITS.parent), misdeed=what))
    assert said in done.stderr
    assert (done.returncode == 0 and "went on" in done.stdout) == (misdeed == "none"), done.stdout + done.stderr
