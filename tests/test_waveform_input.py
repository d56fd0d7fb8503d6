"""Waveforms that are played into cells: to the time step where they are due, against closed forms and integration by hand."""

import ctypes
import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from comparing import differences
from library_builds import GXX, needs_compiler

import neurosim as ns
from neurosim.backends.playing import WAVEFORM_SOURCE, _waveform_at
from neurosim.lifecycle.division import Division
from neurosim.units import ms, mV, nS, pA, quantity, second, siemens
from neurosim.waveforms import Waveform, ornstein_uhlenbeck, ramp

NUMPY = ns.Brian2(target="numpy")
LIBRARY = ns.Brian2(target="library", arithmetic="strict")
TARGETS = {"numpy": NUMPY, "cython": ns.Brian2(target="cython"), "library": LIBRARY}
DT = 1e-4
C, G_L, E_L, E_EXC, E_INH, TAU_EXC, TAU_INH = 200e-12, 10e-9, -60e-3, 0.0, -80e-3, 5e-3, 10e-3
PASSIVE = ns.load_cell("leaky_conductance").replace(V_th=1000 * mV)
V = [ns.Trace("exc", "v")]
NOISE = ornstein_uhlenbeck(50 * pA, 40 * pA, tau=3 * ms, duration=20 * ms, dt=0.5 * ms, rng=1, rows=3)


def circuit_of(size=3, model=PASSIVE):
    return ns.Circuit([ns.create("exc", model, size)], seed=1)


def simulate(circuit, steps, *inputs, backend=NUMPY):
    """Simulate so many steps; return the next circuit and v in SI units."""
    after, recording = ns.simulate(circuit, steps * DT * second, inputs=inputs, record=V, backend=backend, progress=False)
    return after, recording["exc"].trace("v").si


def current(waveform, *others, **more):
    return ns.WaveformInput("exc", "I_e", waveform, *others, **more)


def divide(circuit, mothers):
    return ns.apply(circuit, ns.Events.divide("exc", mothers, rng=np.random.default_rng(2)))


def held(waveform, steps, start=0, hold=5):
    """What each row of a waveform gives in each time step, by hand: (rows, steps)."""
    given = np.zeros((len(waveform), steps))
    for step in range(start, min(steps, start + hold * waveform.samples)):
        given[:, step] = waveform.si[:, (step - start) // hold]
    return given


def integrated(steps, I_e=0.0, G_exc=0.0, G_inh=0.0, jumps=()):
    """v of a passive cell before each time step, by exponential Euler in plain Python; `jumps` are (step, exc, inh) in siemens."""
    I_e, G_exc, G_inh = (np.broadcast_to(one, steps).tolist() for one in (I_e, G_exc, G_inh))
    v, g_exc, g_inh, trace = E_L, 0.0, 0.0, []
    for step in range(steps):
        trace.append(v)
        exc, inh = g_exc + G_exc[step], g_inh + G_inh[step]
        whole = G_L + exc + inh
        steady = (G_L * E_L + exc * E_EXC + inh * E_INH + I_e[step]) / whole
        v = steady + (v - steady) * np.exp(-DT * whole / C)
        g_exc, g_inh = g_exc * np.exp(-DT / TAU_EXC), g_inh * np.exp(-DT / TAU_INH)
        g_exc += sum(one for at, one, _ in jumps if at == step)
        g_inh += sum(one for at, _, one in jumps if at == step)
    return np.array(trace)


# --- currents --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_a_constant_waveform_is_a_step_to_the_bit(target):
    """Of another amplitude for each cell, from 2 to 9 ms."""
    amplitude = [50, 120, 200] * pA
    circuit, backend = circuit_of(model="leaky_conductance"), TARGETS[target]
    step = ns.StepCurrent("exc", "I_e", amplitude, start=2 * ms, stop=9 * ms)
    after, v = simulate(circuit, 150, step, backend=backend)
    played = Waveform(quantity(np.repeat(np.asarray(amplitude)[:, None], 70, axis=1), pA.dim), 0.1 * ms)
    once, w = simulate(circuit, 150, current(played, start=2 * ms), backend=backend)
    assert v.tobytes() == w.tobytes() and differences(once, after) == [] and len(set(v[:, 100].tolist())) == 3
    _, late = simulate(circuit, 150, current(played, start=2.1 * ms), backend=backend)
    assert late.tobytes() != v.tobytes()  # the control


@pytest.mark.parametrize(("start", "hold"), [(0, 5), (13, 5), (0, 1), (250, 5), (300, 5)])
def test_each_sample_is_held_and_nothing_is_given_before_and_after(start, hold):
    waveform = Waveform(NOISE.values, hold * 0.1 * ms)
    _, v = simulate(circuit_of(), 300, current(waveform, start=start * 0.1 * ms))
    expected = held(waveform, 300, start, hold)
    np.testing.assert_allclose(v, [integrated(300, one) for one in expected], rtol=0, atol=1e-13)
    late = integrated(300, np.roll(expected[0], 1))
    assert start == 300 or abs(v[0] - late).max() > 1e-6  # the control: a step later is seen


def test_a_ramp_gives_its_closed_form():
    """v = k/g_L (t - tau (1 - exp(-t/tau))) for a current of k t; samples at the middle of each step miss it by its square."""
    slope, tau = 200e-12 / 20e-3, C / G_L
    _, v = simulate(circuit_of(1), 200, current(ramp(0 * pA, 200 * pA, 20 * ms)))
    t = np.arange(200) * DT
    np.testing.assert_allclose(v[0] - E_L, slope / G_L * (t - tau * -np.expm1(-t / tau)), rtol=0, atol=5e-8)
    _, v = simulate(circuit_of(1), 200, current(ramp(0 * pA, 210 * pA, 20 * ms)))
    assert abs(v[0] - E_L - slope / G_L * (t - tau * -np.expm1(-t / tau))).max() > 1e-4  # the control


def test_rows_go_to_the_cells_that_are_named():
    a, b, c = (integrated(100, one) for one in held(NOISE, 100))
    none = integrated(100)
    for options, expected in [
        ({}, (a, b, c)),
        ({"which": 1}, (b, b, b)),
        ({"which": [1]}, (b, b, b)),
        ({"which": np.array([2, 0, 0])}, (c, a, a)),
        ({"which": [2, 1], "cells": [2, 0]}, (b, none, c)),
        ({"which": 2, "cells": [1]}, (none, c, none)),
    ]:
        _, v = simulate(circuit_of(), 100, current(NOISE, **options))
        np.testing.assert_allclose(v, expected, rtol=0, atol=1e-13)
    _, v = simulate(circuit_of(), 100, current(NOISE.rows(1)))  # one row goes to all
    np.testing.assert_allclose(v, (b, b, b), rtol=0, atol=1e-13)
    assert abs(a - b).max() > 1e-4 < abs(b - c).max()


def test_descendants_play_the_row_of_their_ancestor():
    grown = divide(divide(circuit_of(), [2, 0]), [3])  # 3 and 5 descend from 2, 4 from 0
    _, v = simulate(grown, 100, current(NOISE, which=[1, 0, 2]))
    np.testing.assert_allclose(v, [integrated(100, held(NOISE, 100)[row]) for row in (1, 0, 2, 2, 1, 2)], rtol=0, atol=1e-13)
    _, v = simulate(grown, 100, current(NOISE, which=[1, 2], cells=[2, 5]))
    a, b, c = integrated(100), *(integrated(100, held(NOISE, 100)[row]) for row in (1, 2))
    np.testing.assert_allclose(v, (a, a, b, b, a, c), rtol=0, atol=1e-13)


def test_waveforms_and_other_inputs_add_up():
    inputs = [
        current(NOISE, name="one"),
        current(NOISE, which=[2, 2, 2], start=5 * ms, name="two"),
        ns.StepCurrent("exc", "I_e", 30 * pA, start=1 * ms),
    ]
    whole = held(NOISE, 200) + held(NOISE, 200, start=50)[2]
    whole[:, 10:] += 30e-12
    _, v = simulate(circuit_of(), 200, *inputs)
    np.testing.assert_allclose(v, [integrated(200, one) for one in whole], rtol=0, atol=1e-13)


# --- conductances ----------------------------------------------------------------------------------------------------


def test_a_constant_conductance_has_its_steady_state():
    """(g_L E_L + G E) / (g_L + G), approached with the time constant C_m / (g_L + G): exponential Euler is exact here."""
    G = np.array([1, 10, 40]) * 1e-9
    played = Waveform(quantity(np.repeat(G[:, None], 40, axis=1), siemens.dim), 10 * ms)
    for receptor, reversal in (("G_exc", E_EXC), ("G_inh", E_INH)):
        after, v = simulate(circuit_of(), 1500, ns.WaveformInput("exc", receptor, played))
        steady = (G_L * E_L + G * reversal) / (G_L + G)
        t = np.arange(1500) * DT
        np.testing.assert_allclose(v, steady[:, None] + (E_L - steady[:, None]) * np.exp(-np.outer((G_L + G) / C, t)), rtol=0, atol=1e-13)
        assert abs(after["exc"].cells["v"][1:] - steady[1:]).max() < 1e-8 < abs(steady - E_L).min()


@pytest.mark.parametrize("backend", [NUMPY, ns.Brian2(target="library")], ids=["numpy", "library"])
def test_conductances_act_beside_jumps_and_currents(backend):
    """A clamp of both conductances and a current, with spikes of a source onto both synaptic conductances."""
    source, exc = ns.create("source", "spike_source", 1), ns.create("exc", PASSIVE, 2)
    jumps = [(20, 5e-9, 3e-9), (90, 5e-9, 3e-9), (91, 5e-9, 3e-9)]
    into = [
        ns.connect(source, exc, "static", ns.AllToAll(), receptor=receptor, weight=weight).replace(name=receptor)
        for receptor, weight in (("g_exc", 5 * nS), ("g_inh", 3 * nS))
    ]
    clamp = {
        receptor: ornstein_uhlenbeck(mean, sd, tau, duration=20 * ms, dt=0.5 * ms, rng=rng, low=0 * nS, rows=2)
        for rng, (receptor, mean, sd, tau) in enumerate([("G_exc", 3 * nS, 2 * nS, 3 * ms), ("G_inh", 8 * nS, 4 * nS, 8 * ms)])
    }
    inputs = [ns.WaveformInput("exc", receptor, waveform) for receptor, waveform in clamp.items()]
    inputs += [current(NOISE.rows([0, 1])), ns.SpikeTimes("source", [0, 0, 0], [2, 9, 9.1] * ms)]
    _, v = simulate(ns.Circuit([source, exc], into), 250, *inputs, backend=backend)
    given = [held(waveform, 250) for waveform in (NOISE.rows([0, 1]), clamp["G_exc"], clamp["G_inh"])]
    expected = [integrated(250, *(one[k] for one in given), jumps) for k in range(2)]
    np.testing.assert_allclose(v, expected, rtol=0, atol=1e-12)
    for missing in range(3):  # the control: each of them matters
        some = [one[0] * (place != missing) for place, one in enumerate(given)]
        assert abs(v[0] - integrated(250, *some, jumps)).max() > 1e-4
    assert abs(v[0] - integrated(250, *(one[0] for one in given))).max() > 1e-4


# --- the boundary ----------------------------------------------------------------------------------------------------

STARTS = current(NOISE, start=1.3 * ms)  # samples last 5 steps from step 13 to step 213


@pytest.mark.parametrize("backend", [NUMPY, LIBRARY], ids=["numpy", "library"])
def test_a_run_may_be_split_anywhere(backend):
    """Before, at and in the middle of samples, at the last one and after it."""
    whole, v = simulate(circuit_of(model="leaky_conductance"), 230, STARTS, backend=backend)
    circuit, parts = circuit_of(model="leaky_conductance"), []
    for steps in (7, 6, 1, 4, 3, 97, 94, 1, 1, 16):
        circuit, part = simulate(circuit, steps, STARTS, backend=backend)
        parts.append(part)
    assert differences(circuit, whole) == [] and np.concatenate(parts, axis=1).tobytes() == v.tobytes()
    shifted, _ = simulate(
        simulate(circuit_of(model="leaky_conductance"), 100, STARTS, backend=backend)[0], 130, current(NOISE), backend=backend
    )
    assert differences(shifted, whole) != []  # the control


@pytest.mark.parametrize("backend", [NUMPY, LIBRARY], ids=["numpy", "library"])
def test_the_others_go_on_after_a_removal(backend):
    """On one engine, and then with fewer rows than there were cells."""
    with backend.opened() as running:
        middle, _ = simulate(circuit_of(), 60, STARTS, backend=running)
        left = ns.apply(middle, ns.Events.kill("exc", [0]))
        _, v = simulate(left, 60, STARTS, backend=running)
        expected = [integrated(120, one)[60:] for one in held(NOISE, 120, start=13)[1:]]
        np.testing.assert_allclose(v, expected, rtol=0, atol=1e-13)
        _, v = simulate(left, 60, current(NOISE.rows(0)), backend=running)
        assert np.isfinite(v).all()
        nobody, v = simulate(ns.apply(left, ns.Events.kill("exc", [1, 2])), 20, STARTS, backend=running)
        assert len(nobody["exc"]) == 0 and v.shape == (0, 20) and nobody.step == 80


def test_threads_play_their_own_waveforms():
    noises = [ornstein_uhlenbeck(50 * pA, 40 * pA, tau=3 * ms, duration=100 * ms, dt=0.1 * ms, rng=seed) for seed in range(4)]

    def live(noise):
        return simulate(circuit_of(), 1000, current(noise), backend=LIBRARY)[1]

    alone = [live(noise) for noise in noises]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(live, noises * 2))
    assert all(one.tobytes() == other.tobytes() for one, other in zip(together, alone * 2, strict=True))
    assert alone[0].tobytes() != alone[1].tobytes()


def test_another_waveform_compiles_nothing(capsys):
    simulate(circuit_of(), 10, current(NOISE), backend=LIBRARY)
    capsys.readouterr()
    other = Waveform([10, 20] * pA, 0.3 * ms)
    _, v = simulate(circuit_of(5), 10, current(other, start=0.2 * ms), backend=LIBRARY)
    np.testing.assert_allclose(v, [integrated(10, held(other, 10, 2, 3)[0])] * 5, rtol=0, atol=1e-13)
    assert "compiling" not in capsys.readouterr().err


def test_a_life_plays_on_over_its_divisions():
    """Two epochs of 10 ms with a division of every cell in between: the library has the bits of its own one run, and NumPy agrees."""
    life = ns.Lifecycle(epoch=10 * ms, phases=[ns.Phase("growth", epochs=2, rules=[Division("exc", count=2)])])
    histories = [
        ns.develop(circuit_of(2), life, inputs=[current(NOISE, which=[2, 0])], backend=backend, progress=False)
        for backend in (NUMPY, LIBRARY)
    ]
    expected = [integrated(201, held(NOISE, 201)[row])[200] for row in (2, 0)]
    for history in histories:
        exc = history.circuit["exc"]
        assert history.circuit.step == 200 and len(exc) == 6
        founders = exc.ids.copy()
        while (founders >= 2).any():
            founders = np.where(founders >= 2, exc.parents[founders], founders)
        np.testing.assert_allclose(exc.cells["v"], np.array(expected)[founders], rtol=0, atol=1e-12)
    assert abs(expected[0] - expected[1]) > 1e-4
    assert histories[0].events.tobytes() == histories[1].events.tobytes()


# --- what is refused -------------------------------------------------------------------------------------------------

CONDUCTANCE = Waveform([1, 2] * nS, 1 * ms)
SLIPS = {
    "a conductance as current": (current(CONDUCTANCE), TypeError, "plays siemens into receptor 'I_e', which takes amp; give a waveform in that"),
    "a current as conductance": (ns.WaveformInput("exc", "G_exc", NOISE), TypeError, "plays amp into receptor 'G_exc', which takes siemens"),
    "a receptor of spikes": (ns.WaveformInput("exc", "g_exc", CONDUCTANCE), ValueError, r"receptor 'g_exc' .* takes spikes \(PoissonInput\)"),
    "an unknown receptor": (ns.WaveformInput("exc", "G_ex", CONDUCTANCE), ValueError, "'G_ex', which population 'exc' .* has not. Did you mean 'g_exc'"),
    "an unknown population": (ns.WaveformInput("inh", "I_e", NOISE), ValueError, "drives population 'inh', which is not in the circuit"),
    "a quantity": (current(50 * pA), TypeError, "waveform of input 'exc.I_e.WaveformInput' is 50.* give a ns.Waveform"),
    "off the grid": (current(Waveform([1, 2] * pA, 0.25 * ms)), ValueError, "sampling interval of input .* is 250. us; give a whole multiple of dt = 0.1 ms"),
    "finer than dt": (current(Waveform([1, 2] * pA, 0.05 * ms)), ValueError, "sampling interval of input .* is 50. us; give a whole multiple"),
    "much finer than dt": (current(Waveform([1, 2] * pA, 1e-11 * second)), ValueError, "a sample every 10. ps, but dt is 0.1 ms; give a dt of a whole part"),
    "a start off the grid": (current(NOISE, start=0.25 * ms), ValueError, "start of input .* is 250. us; give a whole multiple of dt"),
    "a start below 0": (current(NOISE, start=-1 * ms), ValueError, "start of input .* 0 or more"),
    "a row that is not there": (current(NOISE, which=3), ValueError, "3 waveforms for 3 cells and which = 3; give which as one row"),
    "a row below 0": (current(NOISE, which=[0, 1, -1]), ValueError, r"which = \[0, 1, -1\]"),
    "half a row": (current(NOISE, which=0.5), ValueError, "which = 0.5"),
    "too few rows": (current(NOISE.rows([0, 1])), ValueError, "has 2 waveforms for 3 cells and which = None"),
    "rows for other cells": (current(NOISE, which=[0, 1]), ValueError, "3 waveforms for 3 cells"),
    "an unknown cell": (current(NOISE, cells=[0, 1, 9]), ValueError, "names cell 9 of population 'exc', which never existed"),
    "a cell twice": (current(NOISE, which=0, cells=[1, 1]), ValueError, "names cell 1 of population 'exc' twice"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_before_anything_runs(slip, monkeypatch):
    wrong, error, words = SLIPS[slip]
    monkeypatch.setattr(ns.Brian2, "run", lambda *arguments: pytest.fail("something was simulated"))
    with pytest.raises(error, match=words):
        simulate(circuit_of(), 10, wrong)


@pytest.mark.parametrize("input_of", [
    lambda: ns.StepCurrent("exc", "G_exc", 1 * pA),
    lambda: ns.NoiseCurrent("exc", "G_inh", 1 * pA, 1 * pA, 1 * ms),
    lambda: ns.PoissonInput("exc", "G_exc", 1 / second, 1 * nS),
])  # fmt: skip
def test_a_receptor_of_conductances_takes_waveforms_only(input_of):
    with pytest.raises(ValueError, match=r"takes a conductance \(WaveformInput\)"):
        simulate(circuit_of(), 10, input_of())


# --- what libraries read ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    """The C++ that plays waveforms, as a function of Python."""
    folder = tmp_path_factory.mktemp("waveform")
    source = folder / "at.cpp"
    arguments = ", ".join(f"double {name}" for name in ("address", "times", "rows", "hold", "row", "elapsed"))
    source.write_text(
        f'{WAVEFORM_SOURCE}\nextern "C" double at({arguments}) {{ return neurosim::waveform_at(address, times, rows, hold, row, elapsed); }}'
    )
    subprocess.run([GXX, "-shared", "-fPIC", "-O1", str(source), "-o", str(folder / "at.so")], check=True)
    function = ctypes.CDLL(str(folder / "at.so")).at
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * 6
    return function


@needs_compiler
def test_samples_are_found_where_numpy_finds_them(at):
    memory = np.r_[np.arange(1.0, 13.0), np.full(20, 99.0)]  # 4 times of 3 rows, and what follows them
    for hold in (1, 3):
        for elapsed in range(-4, 4 * hold + 5):
            found = [at(memory.ctypes.data, 4, 3, hold, row, elapsed) for row in range(3)]
            assert found == _waveform_at(memory.ctypes.data, 4, 3, hold, np.arange(3.0), elapsed).tolist()
            assert found == (memory[elapsed // hold * 3 :][:3].tolist() if 0 <= elapsed < 4 * hold else [0, 0, 0])


@needs_compiler
def test_a_row_of_an_earlier_waveform_reads_nothing(at):
    """A library also works out the room behind its last cell, where the rows of cells that died still stand."""
    memory = np.full(40, 99.0)
    assert [at(memory.ctypes.data, 4, 3, 1, row, 3) for row in (2, 3, 30)] == [99, 0, 0]
