"""State updates without branches: the text that is written, functions with the same numbers as Brian2's, and cells with the same spikes."""

import ctypes
import math
import subprocess
from textwrap import dedent

import numpy as np
import pytest
from brian2.core.functions import DEFAULT_FUNCTIONS
from library_builds import GXX, needs_compiler

import neurosim as ns
from neurosim.backends.library import source
from neurosim.backends.library.branchless import Branchless, branchless, without_branches
from neurosim.backends.library.mould import Structure
from neurosim.units import Hz, ms, mV, nS, pA

FAST = ns.Brian2(target="library", arithmetic="fast")
STRICT = ns.Brian2(target="library", arithmetic="strict")
CELLS = ("exponential_leaky", "adex")
TOLERANCE = 1e-12  # volt: 1e-9 mV

# --- text ------------------------------------------------------------------------------------------------------------


def text(lines):
    return dedent(lines).strip()


def test_a_refractory_cell_is_told_in_a_loop_of_its_own():
    before = text("""
        double v = array_v[_idx];
        const double lastspike = array_lastspike[_idx];
        char not_refractory = array_ready[_idx];
        not_refractory = _timestep(t - lastspike, dt) >= _lio_1;
        double _v;
        if(!not_refractory)
            _v = v;
        else
            _v = v + (_lio_2 * exp(v));
        if(not_refractory)
            v = _v;
        array_ready[_idx] = not_refractory;
        array_v[_idx] = v;
        """)
    assert branchless(before) == Branchless(
        ready=text("""
            double v = array_v[_idx];
            const double lastspike = array_lastspike[_idx];
            char not_refractory = array_ready[_idx];
            not_refractory = _timestep(t - lastspike, dt) >= _lio_1;
            array_ready[_idx] = not_refractory;
            _ready[_idx] = not_refractory;
            """),
        vector=text("""
            double v = array_v[_idx];
            const double lastspike = array_lastspike[_idx];
            const double not_refractory = _ready[_idx];
            double _v;
            { const double moving = v + (_lio_2 * neurosim::fast_exp(v)); _v = not_refractory ? moving : (v); }
            v = not_refractory ? _v : v;
            array_v[_idx] = v;
            """),
    )


def test_a_cell_that_is_never_refractory_keeps_its_one_loop():
    plain = "double v = array_v[_idx];\nconst double _v = _lio_1 * v;\nv = _v;\narray_v[_idx] = v;"
    assert branchless(plain) == Branchless("", plain)


def test_a_cell_that_spikes_at_crossings_notes_in_a_first_loop_where_it_is():
    """And its update does not read that: a second loop of numbers alone."""
    before = text("""
        char not_refractory = array_ready[_idx];
        double v = array_v[_idx];
        if(!not_refractory)
            not_refractory = false || (! (v > _lio_1));
        else
            not_refractory = true || (! (v > _lio_1));
        const double _v = _lio_2 * v;
        v = _v;
        array_ready[_idx] = not_refractory;
        array_v[_idx] = v;
        """)
    assert branchless(before) == Branchless(
        ready=text("""
            char not_refractory = array_ready[_idx];
            double v = array_v[_idx];
            not_refractory = not_refractory ? (true || (! (v > _lio_1))) : (false || (! (v > _lio_1)));
            array_ready[_idx] = not_refractory;
            """),
        vector=text("""
            double v = array_v[_idx];
            const double _v = _lio_2 * v;
            v = _v;
            array_v[_idx] = v;
            """),
    )


def test_functions_are_those_that_have_no_branches():
    """Whole names alone: expm1 and a variable called exp_x keep theirs."""
    called = branchless("x = exp(y) + _exprel(z) - tanh(exp_x) + log10(u) - expm1(w) + log(u);").vector
    fast = "neurosim::fast_exp(y) + neurosim::fast_exprel(z) - neurosim::fast_tanh(exp_x) + 0.43429448190325182*log(u) - expm1(w) + log(u)"
    assert called == f"x = {fast};"


def test_arms_of_two_names_are_left_alone():
    other = "if(!not_refractory)\n_v = v;\nelse\n_w = w;"
    assert branchless(other) == Branchless("", other)


@pytest.mark.parametrize("cell", [*CELLS, "leaky_conductance"])
def test_no_branch_is_left_in_a_fast_update(cell, monkeypatch):
    """Of the text that Brian2 writes today; strict arithmetic, the control, leaves it as it is."""
    seen = []

    def noted(vector):
        seen.append((vector, branchless(vector)))
        return seen[-1][1]

    monkeypatch.setattr(source, "branchless", noted)
    circuit = ns.Circuit([ns.create("cells", cell, 1)])
    written, _ = Structure(circuit, [], (), False).source()
    ((before, after),) = seen
    assert "if(not_refractory)" in before
    assert "if(" not in after.ready + after.vector and "char" not in after.vector
    assert "_ready[_idx] = not_refractory;" in after.ready and "_ready = _engine.room(_size)" in written
    strict, _ = Structure(circuit, [], (), True).source()
    assert len(seen) == 1 and "if(not_refractory)" in strict


# --- functions -------------------------------------------------------------------------------------------------------


def theirs(name):
    """The C++ of a function of Brian2."""
    return dedent(DEFAULT_FUNCTIONS[name].implementations["cpp"].get_code(None))


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Brian2's functions and ours, as functions of Python."""
    folder = tmp_path_factory.mktemp("branchless")
    support = "\n".join(theirs(name) for name in ("timestep", "clip"))
    assert "int64_t _timestep" in support and "double _timestep" in without_branches(support)
    assert support.count("return") == 4 and without_branches(support).count("return") == 2

    def compiled(name, code):
        path = folder / f"{name}.cpp"
        calls = "double step(double t, double dt) { return _timestep(t, dt); }\ndouble cut(double v, double a, double b) { return _clip(v, a, b); }"
        path.write_text(f'#include <cstdint>\n#include <cmath>\n{code}\nextern "C" {{\n{calls}\n}}\n')
        subprocess.run([GXX, "-shared", "-fPIC", "-O1", str(path), "-o", str(path.with_suffix(".so"))], check=True)
        library = ctypes.CDLL(str(path.with_suffix(".so")))
        for function, arguments in ((library.step, 2), (library.cut, 3)):
            function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * arguments
        return library

    return compiled("theirs", support), compiled("ours", without_branches(support))


@needs_compiler
def test_time_steps_are_counted_as_brian2_counts_them(both):
    brian2, ours = both
    for dt in (1e-4, 3e-5, 2.5e-5):
        counted = np.r_[
            np.arange(-3, 300) * dt, np.arange(300) * dt + 0.4 * dt, 1e4 + np.arange(50) * dt
        ]  # 1e4 s: a cell that never spiked
        for t in counted.tolist():
            assert ours.step(t, dt) == brian2.step(t, dt)
    assert [ours.step(steps * 1e-4, 1e-4) for steps in range(300)] == list(range(300))
    assert ours.step(1.9e-4, 1e-4) == 1  # the control: rounding would give 2


@needs_compiler
def test_bounds_are_those_of_brian2(both):
    brian2, ours = both
    values = [-math.inf, -2.0, -1.0, -0.0, 0.0, 0.5, 1.0, 2.0, math.inf]
    for value in values:
        for low, high in ((-1.0, 1.0), (-math.inf, 0.02), (0.0, math.inf), (0.5, 0.5)):
            assert ours.cut(value, low, high) == brian2.cut(value, low, high) == min(max(value, low), high)
    assert math.isnan(ours.cut(math.nan, -1, 1)) and math.isnan(brian2.cut(math.nan, -1, 1))


# --- cells -----------------------------------------------------------------------------------------------------------


def lived(backend, tau_ref=2 * ms, **state):
    """200 ms of noise into cells that are refractory after a spike: spikes and v of each kind, and who is refractory at the end."""
    made = [ns.create(name, ns.load_cell(name).replace(tau_ref=tau_ref), 20, state=state) for name in CELLS]
    inputs = [ns.NoiseCurrent(name, "I_e", mean=800 * pA, sd=400 * pA, tau=4 * ms) for name in CELLS]
    inputs += [ns.PoissonInput(name, "g_exc", rate=400 * Hz, weight=10 * nS) for name in CELLS]
    traces = [ns.Trace(name, "v") for name in CELLS]
    after, recording = ns.simulate(ns.Circuit(made, seed=4), 200 * ms, inputs=inputs, record=traces, backend=backend, progress=False)
    return {
        name: (
            list(zip(recording[name].spikes.step.tolist(), recording[name].spikes.id.tolist(), strict=True)),
            recording[name].trace("v").si,
            after[name].cells["not_refractory"].tolist(),
        )
        for name in CELLS
    }


def test_cells_with_an_exponential_spike_as_under_strict_arithmetic():
    """Which has the bits of Cython: tests/contract/test_library_is_cython.py."""
    fast, strict = lived(FAST), lived(STRICT)
    for name in CELLS:
        spikes, v, ready = fast[name]
        expected, w, witnessed = strict[name]
        assert spikes == expected and len(spikes) > 200 and ready == witnessed and not all(ready)
        assert 0 < abs(v - w).max() <= TOLERANCE
    longer = lived(STRICT, tau_ref=2.1 * ms)
    assert all(longer[name][0] != strict[name][0] for name in CELLS)  # the controls: one time step of refractoriness, 1e-8 mV of v
    other = lived(STRICT, v=(float(ns.load_cell("adex").namespace()["E_L"]) * 1e3 + 1e-8) * mV)
    assert all(abs(other[name][1] - strict[name][1]).max() > TOLERANCE for name in CELLS)
