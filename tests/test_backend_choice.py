"""Which target carries a simulation out: what "auto" falls back to and says, what raises where a library was asked for, what is compiled anew."""

import os
import subprocess
import sys

import brian2
import pytest
from comparing import differences

import neurosim as ns
from neurosim import compiled
from neurosim.backends import brian2 as backends
from neurosim.backends.library import build as builds
from neurosim.backends.library import source as sources
from neurosim.units import Hz, ms, mV

EXC = ns.create("exc", "leaky_adaptive_threshold", 6, seed=1)
CIRCUIT = ns.Circuit([EXC], [ns.connect(EXC, EXC, "static", ns.AllToAll(), receptor="v", weight=0.3 * mV, delay=2 * ms)], seed=3)
INPUTS = [ns.PoissonInput("exc", "v", rate=800 * Hz, weight=1 * mV)]


def simulate(circuit=CIRCUIT, **how):
    return ns.simulate(circuit, 60 * ms, inputs=INPUTS, backend=ns.Brian2(**how), progress=False)


@pytest.fixture
def unbuilt(tmp_path, monkeypatch):
    """A process that has loaded no library and said nothing, and a cache of its own."""
    monkeypatch.setenv("NEUROSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(builds, "_loaded", {})
    backends._say_once.cache_clear()
    yield
    backends._say_once.cache_clear()


def told(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "neurosim"]


# --- what is wrong with a library, and what is said of it --------------------------------------------------------------


def another_release(monkeypatch):
    monkeypatch.setattr(brian2, "__version__", "2.12.1")


def a_wrong_library(monkeypatch):
    """A library whose cells do not move."""
    loop = sources._loop
    monkeypatch.setattr(sources, "_loop", lambda piece, *others: [] if piece.template == "stateupdate" else loop(piece, *others))


def a_source_that_does_not_compile(monkeypatch):
    monkeypatch.setattr(sources, "PHILOX_SOURCE", "this is no C++;\n")


def a_compiler_that_is_not_there(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")


def an_array_that_no_engine_keeps(monkeypatch):
    monkeypatch.setattr(sources, "WIDTHS", {})


MISHAPS = {
    "release": (
        another_release,
        ns.UnsupportedModelError,
        "libraries are tested with Brian2 2.9 to 2.11, not 2.12.1; install one of these",
    ),
    "self-test": (
        a_wrong_library,
        ns.UnsupportedModelError,
        r"the compiled library gives .* for v of 'exc' where Brian2 gives .*; report this",
    ),
    "source": (
        a_source_that_does_not_compile,
        RuntimeError,
        'does not compile the generated source .*; let CXX name another compiler, or use target="cython"',
    ),
    "compiler": (a_compiler_that_is_not_there, RuntimeError, "CXX names the compiler 'no-such-compiler', which is not found; unset CXX"),
    "feature": (an_array_that_no_engine_keeps, ns.UnsupportedModelError, "exc.* uses .*, which a library does not keep"),
}


@pytest.mark.parametrize("mishap", MISHAPS)
def test_auto_falls_back_with_one_sentence_and_the_same_result(unbuilt, monkeypatch, caplog, mishap):
    expected, witnessed = simulate(target="numpy")
    MISHAPS[mishap][0](monkeypatch)
    monkeypatch.setattr(backends, "choose_target", lambda wanted: "numpy")  # Cython would compile for half a minute
    for _ in range(2):
        after, recording = simulate()
        assert differences(after, expected) == []
    assert recording["exc"].spikes.step.tolist() == witnessed["exc"].spikes.step.tolist() and len(recording["exc"].spikes) > 10
    said = told(caplog)
    assert len(said) == 1 and said[0].startswith("simulating without a compiled library, which is slower: ")


@pytest.mark.parametrize("mishap", MISHAPS)
def test_where_a_library_was_asked_for_it_raises_instead(unbuilt, monkeypatch, caplog, mishap):
    spoil, error, message = MISHAPS[mishap]
    spoil(monkeypatch)
    with pytest.raises(error, match=message) as caught:
        simulate(target="library")
    assert caught.value.__cause__ is None and "\n" not in str(caught.value)
    assert told(caplog) == []


def test_with_the_control_that_nothing_is_wrong(unbuilt, caplog):
    after, _ = simulate()
    assert [entry.summary for entry in compiled.entries()] == ["exc, exc_to_exc, fast"] and told(caplog) == []
    assert differences(after, simulate(target="library")[0]) == [] != differences(after, simulate(CIRCUIT.reseed(4), target="library")[0])


def test_another_sentence_is_said_of_another_reason(unbuilt, monkeypatch, caplog):
    monkeypatch.setattr(backends, "choose_target", lambda wanted: "numpy")
    for name in ("release", "compiler"):
        with monkeypatch.context() as changed:
            MISHAPS[name][0](changed)
            simulate()
    assert len(told(caplog)) == 2


def test_a_library_that_failed_is_tried_again_and_one_that_agreed_is_not(unbuilt, monkeypatch):
    compare, close = builds._compare, builds.np.allclose
    tried = []

    def counted(*arguments):
        tried.append(arguments)
        return compare(*arguments)

    monkeypatch.setattr(builds, "_compare", counted)
    for number in (1, 2):
        with monkeypatch.context() as failing, pytest.raises(ns.UnsupportedModelError, match="report this with your model file"):
            failing.setattr(builds.np, "allclose", lambda *arrays, **how: False)
            simulate(target="library")
        assert len(tried) == number and len(compiled.entries()) == 1
    assert builds.np.allclose is close
    for _ in range(3):
        builds._loaded.clear()  # as in another process
        simulate(target="library")
    assert len(tried) == 3 and len(compiled.entries()) == 1


def test_a_cache_that_cannot_be_written_raises_and_names_the_remedy(unbuilt, monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("NEUROSIM_CACHE", str(file))
    with pytest.raises(
        OSError, match="the folder of compiled code .* cannot be written .*; set NEUROSIM_CACHE to a folder that you may write to"
    ):
        simulate()


ALONE = """
import logging, sys, warnings
logging.basicConfig(stream=sys.stdout, format="%(name)s: %(message)s")
sys.path.insert(0, {tests!r})
from test_backend_choice import differences, simulate
expected, _ = simulate(target="numpy")
for _ in range(2):
    after, recording = simulate()
print("spikes", len(recording["exc"].spikes), differences(after, expected))
try:
    simulate(target="library")
except RuntimeError as error:
    print("raised:", error)
"""


def test_without_a_compiler(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name not in ("CXX", "PATH")}
    environment |= {"PATH": str(tmp_path), "NEUROSIM_CACHE": str(tmp_path / "cache")}
    code = ALONE.format(tests=os.path.dirname(__file__))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.startswith("neurosim:")]
    reason = "a library needs a C++ compiler and none was found; install one (g++ or clang++) or let CXX name it"
    assert said == [f"neurosim: simulating without a compiled library, which is slower: {reason}"]
    assert f"raised: {reason}" in done.stdout.splitlines()
    spikes = next(line for line in done.stdout.splitlines() if line.startswith("spikes"))
    assert spikes.endswith(" []") and int(spikes.split()[1]) > 10


# --- what is asked for -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["cython", "numpy"])
def test_other_targets_build_no_library(unbuilt, monkeypatch, target):
    chosen = []
    monkeypatch.setattr(backends, "choose_target", lambda wanted: chosen.append(wanted) or "numpy")
    simulate(target=target)
    assert chosen == [target] and not [entry for entry in compiled.entries() if entry.summary != "Cython modules"]


SLIPS = {
    "target": ({"target": "c++"}, ValueError, "target is 'c\\+\\+'; give one of auto, library, cython, numpy"),
    "arithmetic": ({"arithmetic": "exact"}, ValueError, 'arithmetic is \'exact\'; give "fast" or "strict"'),
    "one name": ({"sweep": "exc.tau_m"}, TypeError, "sweep is 'exc.tau_m'; give a list of names, sweep="),
    "unknown": (
        {"sweep": ["exc.tau"]},
        ValueError,
        "sweep names 'exc.tau', which is no parameter of this circuit. Did you mean 'exc.tau_m'",
    ),
    "no part": ({"sweep": ["tau_m"]}, ValueError, "sweep names 'tau_m', which is no parameter of this circuit. Did you mean 'exc.tau_m'"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_slips_raise_before_anything_is_compiled(unbuilt, slip):
    how, error, message = SLIPS[slip]
    with pytest.raises(error, match=message):
        simulate(**how)
    assert compiled.entries() == []


# --- parameters that change from circuit to circuit ----------------------------------------------------------------------

STDP = ns.load_synapse("stdp_pair").replace(w_max=2 * mV)


def variant(number):
    """A circuit with another time constant of its cells and another rate of learning."""
    cells = ns.create("exc", ns.load_cell("leaky_adaptive_threshold").replace(tau_m=(20 + 5 * number) * ms), 6, seed=1)
    synapse = STDP.replace(A_plus=0.01 * (1 + number))
    loop = ns.connect(cells, cells, synapse, ns.AllToAll(), receptor="v", weight=0.7 * mV, delay=2 * ms)
    return ns.Circuit([cells], [loop.replace(name="loop")], seed=3)


SWEPT = ["exc.tau_m", "loop.A_plus"]


@pytest.mark.parametrize("arithmetic", ["fast", "strict"])
def test_swept_parameters_need_one_library(unbuilt, arithmetic):
    found = [simulate(variant(number), target="library", arithmetic=arithmetic, sweep=SWEPT) for number in range(5)]
    assert len(compiled.entries()) == 1
    for number, (after, recording) in enumerate(found):
        expected, witnessed = simulate(variant(number), target="library", arithmetic="strict")
        assert (differences(after, expected) == []) == (arithmetic == "strict")
        for one, other in zip(*((r["exc"].spikes.id.tolist(), r["exc"].spikes.step.tolist()) for r in (recording, witnessed)), strict=True):
            assert one == other and len(one) > 10
    assert len({after["loop"].synapses["weight"].tobytes() for after, _ in found}) == 5
    assert len(compiled.entries()) == (2 if arithmetic == "fast" else 1)


def test_control_each_value_of_a_parameter_that_is_not_swept_compiles_anew(unbuilt):
    for number in range(2):
        simulate(variant(number), target="library", arithmetic="fast", sweep=SWEPT[:1])
    assert len(compiled.entries()) == 2  # A_plus is written into the code
