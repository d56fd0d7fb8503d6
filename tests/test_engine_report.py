"""What is said of the engine: which loops over cells the compiler vectorises, why it does not, and what simulates where there is no library."""

import os
import re

import pytest
from library_builds import GXX, needs_compiler
from model_texts import CELL, load_text

import neurosim as ns
from neurosim.backends.library import source as sources
from neurosim.backends.library.report import Loop, _verdicts, exponentials
from neurosim.units import ms, nS

CELLS = tuple(name for name in ns.cells() if not ns.load_cell(name).source)
# Counted by hand in the files: an exponential for each rate, and one for each variable that is stepped by it.
EXPONENTIALS = {
    "hodgkin_huxley": 6 + 4,
    "traub_miles": 6 + 4,
    "pospischil_fs": 6 + 4,
    "pospischil_rs": 6 + 3 + 5,
    "connor_stevens": 6 + 6 + 6,  # a cube root is one too
    "wang_buzsaki": 4 * 6,
    "adex": 2,
    "exponential_leaky": 2,
    "leaky_conductance": 1,
    "leaky_decaying_threshold": 1,
    "leaky_homeostatic": 1,
}


def engine(thing) -> list[str]:
    """The lines that `engine=True` adds."""
    without, said = ns.describe(thing).splitlines(), ns.describe(thing, engine=True).splitlines()
    lines = [line for line in said if line.startswith("  engine: ")]
    assert [line for line in said if line not in lines] == without
    return [line.removeprefix("  engine: ") for line in lines]


def vectorised(name, lines):
    """Whether it is said that both loops of a cell of the catalogue are vectorised."""
    model, count = ns.load_cell(name), EXPONENTIALS.get(name, 0)
    steps = [variable for variable, line in model.lines.items() if line.kind == "differential"]
    each = f", {count} exponential{'s' * (count > 1)} a cell and step" if count else ""
    begins = f"{model.method} of {' '.join(steps)}{each}: ", f"spikes at {model.spike.threshold}: ", "compiled by "
    assert [line[: len(begin)] for line, begin in zip(lines, begins, strict=True)] == list(begins)
    pace = re.compile(r"vectorised, \d+ cells an instruction \(\d+-byte vectors\)")
    return all(pace.fullmatch(line[len(begin) :]) for line, begin in zip(lines[:2], begins[:2], strict=True))


@needs_compiler
def test_cells_of_a_circuit_are_vectorised_and_compiled_once(builds, capsys):
    names = ("hodgkin_huxley", "adex", "leaky")
    made = [ns.create(name, name, 2) for name in names]
    loop = ns.connect(made[0], made[0], "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS, delay=1 * ms)
    lines = engine(ns.Circuit([*made, ns.create("given", "spike_source", 2)], [loop]))
    assert len(lines) == 3 * len(names) and len(builds.compilations()) == 1
    assert all(vectorised(name, lines[3 * number :][:3]) for number, name in enumerate(names))
    assert "compiling" in capsys.readouterr().err
    assert not (builds.folder / "cache").exists()  # nothing is kept


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_every_cell_of_the_catalogue_is_vectorised(name):
    assert vectorised(name, engine(ns.load_cell(name)))


@needs_compiler
@pytest.mark.slow
def test_and_so_they_are_in_one_library_of_them_all():
    lines = engine(ns.Circuit([ns.create(name, name, 1) for name in CELLS]))
    assert all(vectorised(name, lines[3 * number :][:3]) for number, name in enumerate(CELLS))


@needs_compiler
def test_control_a_compiler_that_is_not_to_vectorise(monkeypatch):
    monkeypatch.setenv("CXX", f"{GXX} -fno-tree-vectorize")
    lines = engine(ns.create("some", "leaky", 3))
    why = "not vectorised, one cell after the other: the compiler did not try"
    assert lines[:2] == [f"exponential_euler of v: {why}", f"spikes at v > V_th: {why}"]


@needs_compiler
def test_a_model_that_cannot_be_vectorised_says_why():
    """Three rates that differ from cell to cell need a function that repeats itself as often as they ask for."""
    update, spikes, _ = engine(ns.create("some", "leaky_alpha", 3, spread={"tau_exc": ns.Uniform(2 * ms, 4 * ms)}))
    assert "not vectorised, one cell after the other: it calls exp_difference(), which takes one number at a time (" in update
    assert ": vectorised, " in spikes
    update, *_ = engine(ns.create("some", "leaky_alpha", 3))  # the control: rates that all cells share are worked out once
    assert ": vectorised, " in update


@needs_compiler
def test_functions_of_equations_are_vectorised(tmp_path):
    """Each by itself would keep a loop from it: a cube root, a number that is cut, a logarithm to the base of 10."""
    changed = "dw/dt = -w*(v/E_L)**(1/3)/tau_w*(1 + int(v/E_L) + log10(2 + tanh(v/E_L))) : amp"
    update, *_ = engine(
        load_text(tmp_path, CELL, ("dw/dt = -w/tau_w : amp", changed), ('"exponential_euler"', '"euler"'), ('"mine"', '"my own cell"'))
    )
    assert "euler of v w, 1 exponential a cell and step: vectorised, " in update


# --- where there is no library ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("named", "target"), [("", "NumPy"), ("no-such-compiler", "NumPy"), ("no-such-compiler", "Cython")])
def test_without_a_compiler(monkeypatch, tmp_path, named, target):
    if target == "NumPy":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif GXX is None:
        pytest.skip("needs g++")
    monkeypatch.setenv("CXX", named)
    reason = (
        "CXX names the compiler 'no-such-compiler', which is not found" if named else "a library needs a C++ compiler and none was found"
    )
    (line,) = engine(ns.load_cell("leaky"))
    assert line.startswith(f"simulated by Brian2's {target} target, which is slower than a compiled library: {reason}; ")


@needs_compiler
def test_a_model_that_no_library_can_carry(monkeypatch):
    monkeypatch.setattr(sources, "WIDTHS", {})
    (line,) = engine(ns.load_cell("leaky"))
    assert re.fullmatch(r"simulated by Brian2's Cython target, .*: \w+ uses 'lastspike' of 'cells', which a library does not keep", line)


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_clang_does_not_tell(monkeypatch, tmp_path):
    script = tmp_path / "clang++"
    script.write_text("#!/bin/sh\necho 'Debian clang version 14.0.6'\n")
    script.chmod(0o755)
    monkeypatch.setenv("CXX", str(script))
    assert engine(ns.load_cell("leaky")) == [
        "compiled by Debian clang version 14.0.6, which does not say what it makes of loops; g++ does, if CXX names it"
    ]


def test_sources_of_spikes_have_no_engine(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert engine(ns.load_cell("spike_source")) == engine(ns.create("given", "spike_source", 2)) == []


@pytest.mark.parametrize("thing", [ns.load_synapse("static"), 3])
def test_there_is_no_engine_of_anything_else(thing):
    with pytest.raises(TypeError, match=r"the engine of .* cannot be described by itself; give a circuit, a population or a cell model"):
        ns.describe(thing, engine=True)


# --- what is read -------------------------------------------------------------------------------------------------------

TOLD = """
cells.cpp:12:5: missed:   function is not vectorizable.
cells.cpp:9:2: missed:   not vectorized: relevant stmt not supported: _3 = cbrt (_2);
cells.cpp:10:2: missed: couldn't vectorize loop
cells.cpp:21:2: missed:   not vectorized: no vectype for stmt: _1 = _2;
cells.cpp:20:2: optimized: loop vectorized using 64 byte vectors
cells.cpp:20:2: optimized: loop vectorized using 32 byte vectors
/usr/include/algorithm:30:2: missed:   not vectorized: control flow in loop.
/usr/include/algorithm:30:2: missed: couldn't vectorize loop
cells.cpp:30:2: optimized:  epilogue loop vectorized using 16 byte vectors
cells.cpp:40:2: optimized: loop vectorized using 32 byte vectors
cells.cpp:40:2: missed:   not vectorized: unsupported use in stmt.
cells.cpp:41:2: missed:   not vectorized: no vectype for stmt: _8 = *_7;
cells.cpp:40:2: missed: couldn't vectorize loop
cells.cpp:50:2: missed: couldn't vectorize loop
"""


def test_the_verdicts_of_a_compiler():
    assert _verdicts(TOLD) == {
        10: {"width": 0, "reason": "relevant stmt not supported: _3 = cbrt (_2);"},
        20: {"width": 64, "reason": ""},  # the second one does what is left over
        30: {"width": 16, "reason": ""},
        40: {"width": 0, "reason": "unsupported use in stmt."},  # split into two loops
        50: {"width": 0, "reason": "no reason given"},
    }
    assert _verdicts("") == {}


COUNTED = {
    "each": (1, ["v = _v[_idx];", "a = neurosim::fast_exp(v) + b;", "_v[_idx] = a;"]),
    "twice the same": (1, ["a = exp(v) + exp(v);", "_v[_idx] = a;"]),
    "of another": (2, ["a = exp(v) + exp(-v);", "_v[_idx] = a;"]),
    "the same name, another value": (2, ["a = exp(v);", "v = v + a;", "b = exp(v);", "_v[_idx] = a + b;"]),
    "one in another": (2, ["a = tanh((exp(v) + 1)*2);", "_v[_idx] = a;"]),
    "not used": (0, ["a = exp(v);", "_v[_idx] = b;"]),
    "used for what is not used": (0, ["a = exp(v);", "c = a;", "_v[_idx] = b;"]),
    "in one arm": (
        1,
        ["double _v;", "{ const double moving = neurosim::fast_exprel(v); _v = not_refractory ? moving : (v); }", "_v[_idx] = _v;"],
    ),
    "other functions": (0, ["a = log(v) + _brian_pow(v, 3) + exp_difference(v, v, v);", "_v[_idx] = a;"]),
}


@pytest.mark.parametrize("case", COUNTED)
def test_exponentials_are_counted(case):
    count, statements = COUNTED[case]
    assert exponentials(Loop(tuple(statements))) == count
