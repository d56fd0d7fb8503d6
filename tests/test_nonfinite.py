"""States that run away under each arithmetic: found at the boundary by permanent ids, with what was done kept, and the process as it was."""

import ctypes
import os
import platform
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from cells_run import stepped
from library_builds import FLUSHES, GXX, needs_compiler
from model_texts import load_text
from test_reference import SWEPT

import neurosim as ns
from neurosim.units import ms, mV, nA, quantity, second, volt

TARGETS = {
    "numpy": ns.Brian2(target="numpy"),
    "strict": ns.Brian2(target="library", arithmetic="strict"),
    "fast": ns.Brian2(target="library", arithmetic="fast"),
}
on_targets = pytest.mark.parametrize(
    "backend", [pytest.param(one, marks=needs_compiler if one.target == "library" else ()) for one in TARGETS.values()], ids=TARGETS
)
CALM, WILD = -50 * mV, 20 * mV  # at the one v stands still, from the other it is beyond all numbers in 15 time steps

# A quadratic cell that nothing resets.
CELL = """
name = "runaway"
summary = "A cell for tests."
references = ["Nobody (2000)."]
method = "euler"
equations = "dv/dt = (v - E)**2/(slope*tau) : volt"
[spike]
rule = "crossing"
threshold = "v > 0*mV"
[initial]
v = "E"
[parameters]
area = { value = "100*um**2", meaning = "membrane area", source = "chosen" }
E = { value = "-50*mV", meaning = "where it stands still", source = "chosen" }
slope = { value = "1*mV", meaning = "of the quadratic", source = "chosen" }
tau = { value = "1*ms", meaning = "time constant", source = "chosen" }
[receptors]
v = { unitary = "1*mV", meaning = "jump" }
"""
# One whose weight is infinite once it has delivered.
SYNAPSE = """
name = "bursting"
summary = "A synapse for tests."
references = ["Nobody (2000)."]
on_pre = '''
deliver(weight)
weight = weight*growth*10000
'''
[parameters]
growth = { value = 1e308, meaning = "growth", source = "chosen" }
"""
NEVER = 1e5  # seconds
DEAD = [0, 2, 3]  # so that nobody's row is its id


@pytest.fixture(scope="module")
def circuit(tmp_path_factory):
    """Ten cells, seven of them alive and at rest, under two sources."""
    folder = tmp_path_factory.mktemp("nonfinite")
    source, exc = ns.create("source", "spike_source", 2), ns.create("exc", load_text(folder, CELL), 10)
    into = ns.connect(source, exc, load_text(folder, SYNAPSE), ns.AllToAll(), receptor="v", weight=-1 * mV).replace(name="into")
    return ns.apply(ns.Circuit([source, exc], [into]), ns.Events.kill("exc", DEAD))


def with_v(circuit, wild):
    """The circuit with some of its cells, by id, where v runs away."""
    return circuit.set("exc", v=quantity(np.where(np.isin(circuit["exc"].ids, wild), float(WILD), float(CALM)), volt.dim))


def spiking(at):
    """A spike of the second source: one input in every run, so that all share a compiled library."""
    return [ns.SpikeTimes("source", [1], [at] * second)]


def simulate(circuit, backend, duration=5 * ms, spike=NEVER, **others):
    return ns.simulate(circuit, duration, inputs=spiking(spike), backend=backend, progress=False, **others)


# --- what the error tells --------------------------------------------------------------------------------------------


@on_targets
@pytest.mark.parametrize(
    ("wild", "told"), [([4, 9], "2 of 7 (ids 4, 9)"), ([1, 4, 5, 6, 7, 8, 9], "7 of 7 (ids 1, 4, 5, 6, 7 and 2 more)")]
)
def test_it_is_found_and_what_was_done_is_kept(circuit, backend, wild, told):
    start = with_v(circuit, wild)
    kept, _ = simulate(start, backend, 0.5 * ms)  # the control: not yet
    with pytest.raises(ns.NonFiniteStateError) as caught:
        simulate(start, backend, record=[ns.Trace("exc", "v")])
    error = caught.value
    told_of = [f"v of 'exc' is {value} for {told} at 5. ms; lower dt or the input; " for value in ("inf", "nan")]
    assert str(error).startswith(tuple(told_of))
    cells, gone = error.circuit["exc"], np.isin(circuit["exc"].ids, wild)
    assert error.circuit.time == 5 * ms and (~np.isfinite(cells.cells["v"]) == gone).all()
    assert (cells.v[~gone] == CALM).all() and error.recording["exc"].counts.tolist() == gone.astype(int).tolist()
    trace = error.recording["exc"].trace("v").si
    assert (np.isfinite(trace).all(axis=1) == ~gone).all() and (trace[:, 5] == kept["exc"].cells["v"]).all()


@on_targets
def test_a_weight_too(circuit, backend):
    """Of the synapses of the one source that spikes, none of which has the number of its row."""
    before = circuit["into"].synapses
    with pytest.raises(ns.NonFiniteStateError, match="weight of 'into' is -inf for 7 of 14 ") as caught:
        simulate(circuit, backend, spike=1e-3)
    ids = before["id"][before["pre"] == 1]
    assert f"(ids {', '.join(map(str, ids[:5]))} and 2 more)" in str(caught.value) and ids[0] == 11
    after = caught.value.circuit["into"].synapses
    assert (np.isinf(after["weight"]) == (before["pre"] == 1)).all()
    simulate(circuit, backend)  # the control


@dataclass(frozen=True)
class Kill:
    """Kill two cells at the end of the first epoch, so that others take their places."""

    def __call__(self, circuit, recording, rng):
        return ns.Events.kill("exc", [1, 5] if circuit.epoch == 0 else [])


@on_targets
def test_a_life_keeps_the_epochs_before(circuit, backend):
    life = ns.Lifecycle(epoch=0.5 * ms, phases=[ns.Phase("youth", epochs=5, rules=[Kill()])])
    start = with_v(circuit, [9])
    with pytest.raises(ns.NonFiniteStateError, match=r"v of 'exc' is (inf|nan) for 1 of 5 \(ids 9\) at 1. ms") as caught:
        ns.develop(start, life, inputs=spiking(NEVER), backend=backend, progress=False)
    history = caught.value.history
    assert len(history.boundaries) == 1 and history.circuit.time == 0.5 * ms and np.isfinite(history.circuit["exc"].cells["v"]).all()
    alone, _ = simulate(start, backend, 0.5 * ms)
    assert history.circuit["exc"].ids.tolist() == [4, 6, 7, 8, 9]
    assert history.circuit["exc"].cells["v"].tolist() == alone["exc"].cells["v"][np.isin(alone["exc"].ids, [4, 6, 7, 8, 9])].tolist()
    assert len(ns.develop(with_v(circuit, []), life, inputs=spiking(NEVER), backend=backend, progress=False).boundaries) == 5  # the control


@needs_compiler
def test_a_rate_beyond_all_numbers_leaves_no_number_behind():
    """Of a Hodgkin-Huxley cell at -100 V under fast arithmetic, where exp(1e5/18) is infinite; at 100 V its rates are large, and numbers."""
    model, rest = ns.load_cell("hodgkin_huxley"), np.zeros(3) * nA
    for v in (-1e5, 1e5):
        state = {"v": np.array([-65, v, -65]) * mV}
        if v > 0:  # the control
            stepped(model, rest, 1 * ms, 0.01 * ms, state=state, sweep=SWEPT)
        else:
            with pytest.raises(ns.NonFiniteStateError, match=r"of 'cell' is nan for 1 of 3 \(ids 1\)"):
                stepped(model, rest, 1 * ms, 0.01 * ms, state=state, sweep=SWEPT)


# --- the process in which it happens ---------------------------------------------------------------------------------

MXCSR = '#include <immintrin.h>\nextern "C" unsigned control() { return _mm_getcsr() & 0xFFC0; }\n'  # without what happened so far
ON_X86 = pytest.mark.skipif(platform.machine() != "x86_64" or GXX is None, reason="reads a register of x86-64 by g++")


def settings_of_process():
    """What the process does with its floating-point numbers: the rounding, what numpy says of errors, and whether the smallest survive."""
    smallest = np.nextafter(0.0, 1.0)
    kept = [smallest * np.float64(1) != 0, (np.full(9, smallest) * 1.0 != 0).all(), np.finfo(float).smallest_subnormal == smallest]
    return ctypes.CDLL(None).fegetround(), np.geterr(), kept


AS_IT_OUGHT_TO_BE = [True, True, True]


@needs_compiler
def test_numbers_are_kept_after_a_run_after_an_error_and_after_ctrl_c(circuit, monkeypatch):
    before, fast = settings_of_process(), TARGETS["fast"]
    assert before[2] == AS_IT_OUGHT_TO_BE
    simulate(circuit, fast)
    assert settings_of_process() == before
    with pytest.raises(ns.NonFiniteStateError):
        simulate(with_v(circuit, [4]), fast)
    assert settings_of_process() == before
    timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(ns.Interrupted):
        simulate(circuit, fast, 10_000 * second)
    assert settings_of_process() == before


@needs_compiler
def test_numbers_are_kept_while_another_thread_computes(circuit):
    fast, before = TARGETS["fast"], settings_of_process()
    seen = []
    with ThreadPoolExecutor(1) as pool:
        computed = pool.submit(simulate, circuit, fast, 80 * second)
        while not computed.done():
            seen.append(settings_of_process() == before)
    assert computed.result()[0].time == 80 * second and len(seen) > 20 and all(seen)


@ON_X86
def test_the_register_is_as_it_was(circuit, tmp_path):
    """And what the tests above ask for would be seen: with bits of the register set by hand the smallest numbers are gone."""
    source, flushing = tmp_path / "register.cpp", FLUSHES.replace("__attribute__((constructor)) static", 'extern "C"')
    source.write_text(MXCSR + flushing + 'extern "C" void back(unsigned to) { _mm_setcsr(to); }\n')
    subprocess.run([GXX, "-shared", "-fPIC", "-O1", str(source), "-o", str(tmp_path / "register.so")], check=True)
    register = ctypes.CDLL(str(tmp_path / "register.so"))
    before = register.control()
    simulate(circuit, TARGETS["fast"])
    assert register.control() == before
    register.flush()
    flushed, kept = register.control(), settings_of_process()[2]
    register.back(before)
    assert flushed == before | 0x8040 != before and kept[:2] == [False, False] and settings_of_process()[2] == AS_IT_OUGHT_TO_BE
