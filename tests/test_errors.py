"""Bad input: each slip has its own error, which names the object, the value and a remedy, before anything runs."""

import re
from dataclasses import replace

import numpy as np
import pytest
from comparing import differences, in_flight
from slips import ADAPTIVE, BRAKE, CIRCUIT, DRIVE, EXC, INH, LOOP, SOURCE, connect, create, develop, drive, poisson, simulate, trace

import neurosim as ns
from neurosim.backends import brian2 as backends
from neurosim.backends import compiler
from neurosim.backends.library import build as builds
from neurosim.units import Hz, metre, ms, mV, nS, pA, second

V, T, K = ValueError, TypeError, KeyError

SHOWN = ns.Presentations("source", np.ones((2, 3)) * Hz, 1 * ms)
LATER = replace(CIRCUIT, step=100, dt_si=1e-4)
SLIPS = {
    # models, populations
    "unknown cell model": (lambda: create(model="leaky_conductanc"), V, "'leaky_conductanc'", "Did you mean 'leaky_conductance'?"),
    "unknown synapse model": (lambda: connect(synapse="stdp"), V, "'stdp'", "Did you mean 'stdp_pair'?"),
    "negative size": (lambda: create(-3), V, "'cells'", "at least 1", "-3"),
    "no cells": (lambda: create(0), V, "'cells'", "at least 1", "not 0"),
    "broken size": (lambda: create(3.0), V, "'cells'", "whole number", "3.0"),
    "name": (lambda: ns.create("my cells", "leaky_conductance", 3), V, "'my cells'", "letters, digits and underscores"),
    "sign": (lambda: create(sign="exc"), V, "'cells'", "'exc'", '"excitatory"'),
    "unknown state": (lambda: create(state={"V": 1 * mV}), V, "'V'", "Did you mean 'v'?"),
    "dimension of state": (lambda: create(state={"v": 1 * nS}), T, "v of population 'cells'", "1. nS", "times mV"),
    "shape of state": (lambda: create(state={"v": np.zeros(2) * mV}), V, "v of population 'cells'", "(2,)", "(3,)"),
    "NaN as state": (lambda: create(state={"v": np.nan * mV}), V, "v of population 'cells'", "nan"),
    "shape of positions": (lambda: create(positions=np.zeros((2, 3)) * metre), V, "'cells'", "(2, 3)", "give (3, 3)"),
    "positions without unit": (lambda: create(positions=np.zeros((3, 3))), T, "'cells'", "without a unit", "times um"),
    "setting unknown state": (lambda: CIRCUIT.set("exc", V=1 * mV), K, "'exc'", "'V'", "Did you mean 'v'?"),
    "setting a wrong dimension": (lambda: CIRCUIT.set("exc", v=1 * nS), T, "v of population 'exc'", "1. nS", "times mV"),
    "setting unknown synaptic state": (lambda: CIRCUIT.set("exc_to_exc", w=1 * nS), K, "'exc_to_exc'", "'w'", "weight"),
    # wirings, projections
    "probability above 1": (lambda: ns.FixedProbability(1.5), V, "probability of FixedProbability", "1.5", "from 0 to 1"),
    "probability below 0": (lambda: ns.FixedProbability(-0.1), V, "probability of FixedProbability", "-0.1", "from 0 to 1"),
    "degree": (lambda: connect(wiring=ns.FixedInDegree(20)), V, "degree of FixedInDegree is 20", "only 10", "multapses"),
    "unequal sizes": (lambda: connect(wiring=ns.OneToOne()), V, "OneToOne", "10", "4", "use another wiring"),
    "no positions": (lambda: connect(wiring=ns.DistanceKernel("gaussian", scale=1 * metre)), V, "DistanceKernel", "position"),
    "pair of an unknown cell": (lambda: connect(wiring=ns.Pairs([0], [40])), V, "Pairs", "40", "from 0 to 3"),
    "no wiring": (lambda: connect(wiring=ns.AllToAll), T, "AllToAll", "is no wiring", "ns.AllToAll()"),
    "no population": (lambda: connect(source="exc"), T, "'exc'", "ns.create"),
    "dimension of weight": (lambda: connect(weight=1 * mV), T, "weight of projection 'exc_to_inh'", "1. mV", "siemens", "times nS"),
    "weight without unit": (lambda: connect(weight=1), T, "weight of projection 'exc_to_inh'", "without a unit", "times nS"),
    "shape of weights": (lambda: connect(weight=np.ones(3) * nS), V, "weight of projection 'exc_to_inh'", "(3,)", "(40,)"),
    "NaN as weight": (lambda: connect(weight=np.nan * nS), V, "weight of projection 'exc_to_inh'", "nan"),
    "negative delay": (lambda: connect(delay=-1 * ms), V, "delay of projection 'exc_to_inh'", "-1 ms", "0 or more"),
    "infinite delay": (lambda: connect(delay=np.inf * ms), V, "delay of projection 'exc_to_inh'", "inf", "finite"),
    "delay below dt": (lambda: simulate(ns.Circuit([EXC, INH], [connect(delay=0.05 * ms)])), V, "'exc_to_inh'", "0.05 ms", "dt = 0.1 ms", "round"),
    "delay off the grid": (lambda: simulate(ns.Circuit([EXC, INH], [connect(delay=0.15 * ms)])), V, "'exc_to_inh'", "0.15 ms", "round"),
    "unknown receptor": (lambda: connect(receptor="g_ex"), V, "'inh'", "'g_ex'", "Did you mean 'g_exc'?"),
    "receptor of another model": (lambda: connect(target=ADAPTIVE), V, "'adaptive'", "'g_exc'", "Choose one of", "direct_inhibition"),
    "synapses onto a current": (lambda: connect(receptor="I_e"), V, "'I_e'", "continuous current", "input"),
    "synapses onto a source": (lambda: connect(target=SOURCE), V, "'source'", "spike_source", "'g_exc'"),
    "open parameter": (lambda: connect(synapse="stdp_pair"), V, "'stdp_pair'", "w_max", ".replace(w_max=...)"),
    "weight out of bounds": (lambda: connect(SOURCE, ADAPTIVE, DRIVE.synapse, receptor="v", weight=3 * mV), V, "'source_to_adaptive'", "3. mV", "2. mV", "w_max"),
    "against the sign": (lambda: connect(source=create(sign="inhibitory")), V, "'cells_to_inh'", "inhibitory", "'g_exc'", "another receptor"),
    "unknown policy": (lambda: LOOP.replace(newborn="clone"), V, "'exc_to_exc'", "'clone'", "split, copy, wire"),
    "wiring single weights anew": (lambda: connect(weight=np.ones(40) * nS).replace(newborn="wire"), V, "'exc_to_inh'", "distribution"),
    "wiring pairs anew": (lambda: connect(wiring=ns.Pairs([0], [1])).replace(newborn="wire"), V, "'exc_to_inh'", "Pairs", "newborn='split'"),
    # circuits
    "population not in the circuit": (lambda: ns.Circuit([EXC], [connect()]), V, "'exc_to_inh'", "'inh' is not a population", "Choose one of: exc"),
    "another population of that name": (lambda: ns.Circuit([ns.create("exc", "leaky_conductance", 5)], [LOOP]), V, "'exc_to_exc'", "cell", "connect"),
    "that receptor is gone": (lambda: ns.Circuit([ns.create("exc", "leaky_adaptive_threshold", 10)], [LOOP]), V, "'exc_to_exc'", "'g_exc'"),
    "one name twice": (lambda: ns.Circuit([EXC, EXC]), V, "'exc'", "another name"),
    "one name for two projections": (lambda: ns.Circuit([EXC], [LOOP, LOOP]), V, "'exc_to_exc'", ".replace(name=...)"),
    "one name for two kinds": (lambda: ns.Circuit([EXC], [LOOP.replace(name="exc")]), V, "'exc'", "rename"),
    "one population alone": (lambda: ns.Circuit(EXC), T, "list", "'exc'", "give [...]"),
    "long name of a population": (lambda: ns.Circuit([ns.create("x" * 65, "leaky_conductance", 2)]), V, "xxx'", "65 characters", "64", "another name"),
    "long name of a projection": (lambda: ns.Circuit([EXC], [LOOP.replace(name="x" * 65)]), V, "xxx'", "65 characters", "64", ".replace(name=...)"),
    "projections as populations": (lambda: ns.Circuit([LOOP]), T, "population", "'exc_to_exc'"),
    "seed": (lambda: ns.Circuit([EXC], seed="1"), T, "seed", "'1'"),
    "unknown part": (lambda: CIRCUIT["ex"], K, "'ex'", "Did you mean 'exc'?"),
    "matrix of no projection": (lambda: CIRCUIT.weight_matrix("exc"), K, "no projection 'exc'", "Choose one of: exc_to_exc"),
    "description of a number": (lambda: ns.describe(3), T, "3 cannot be described", "a circuit"),
    # simulations
    "no circuit": (lambda: simulate([EXC]), T, "a circuit", "ns.Circuit"),
    "negative duration": (lambda: simulate(duration=-1 * ms), V, "duration", "-1. ms", "0 or more"),
    "duration off the grid": (lambda: simulate(duration=1.05 * ms), V, "duration", "1.05 ms", "multiple of dt = 0.1 ms"),
    "endless duration": (lambda: simulate(duration=np.inf * second), V, "duration", "inf", "multiple of dt"),
    "duration without unit": (lambda: simulate(duration=1), T, "duration", "without a unit", "times ms"),
    "time step of 0": (lambda: simulate(backend=ns.Brian2(dt=0 * ms)), V, "dt of the backend is 0 ms", "above 0"),
    "time step without unit": (lambda: simulate(backend=ns.Brian2(dt=0.1)), T, "dt of the backend", "times ms"),
    "unknown target": (lambda: ns.Brian2(target="c"), V, "'c'", "auto, library, cython, numpy"),
    "no backend": (lambda: simulate(backend="numpy"), T, "'numpy' is no backend", "ns.Brian2"),
    "unknown factor": (lambda: simulate(modulate={"adaptive.learnin": 1}), V, "'adaptive.learnin'", "Did you mean 'adaptive.learning'?"),
    "factor of no part": (lambda: simulate(modulate={"learning": 1}), V, "'learning'", "adaptive.learning"),
    "NaN as factor": (lambda: simulate(modulate={"adaptive.learning": np.nan}), V, "adaptive.learning", "nan", "finite"),
    # inputs
    "input for an unknown population": (lambda: drive(poisson("exx")), V, "'exx.g_exc.PoissonInput'", "'exx'", "Did you mean 'exc'?"),
    "input for an unknown receptor": (lambda: drive(poisson(receptor="g_ex")), V, "'g_ex'", "'exc'", "Did you mean 'g_exc'?"),
    "spikes into a current": (lambda: drive(poisson(receptor="I_e")), V, "'I_e'", "StepCurrent"),
    "a current into a conductance": (lambda: drive(ns.StepCurrent("exc", "g_exc", 1 * nS)), V, "'g_exc'", "PoissonInput"),
    "dimension of input": (lambda: drive(poisson(weight=1 * mV)), T, "weight of input", "1. mV", "times nS"),
    "negative rate": (lambda: drive(poisson(rate=-1 * Hz)), V, "rate of input", "-1. Hz", "0 or more"),
    "too high a rate": (lambda: drive(poisson(rate=1e9 * Hz)), V, "rate of input", "1. GHz", "less than"),
    "NaN as rate": (lambda: drive(poisson(rate=np.nan * Hz)), V, "rate of input", "nan"),
    "shape of rates": (lambda: drive(poisson(rate=[1, 2] * Hz)), V, "rate of input", "(2,)", "10"),
    "cell that never lived": (lambda: drive(poisson(cells=[55])), V, "cell 55", "'exc'"),
    "cell named twice": (lambda: drive(poisson(cells=[3, 3])), V, "cell 3", "'exc'", "once"),
    "two inputs of one name": (lambda: drive(poisson(), poisson()), V, "'exc.g_exc.PoissonInput'", "name="),
    "one input alone": (lambda: simulate(inputs=poisson()), T, "PoissonInput", "list"),
    "something else as input": (lambda: drive("noise"), T, "'noise'", "PoissonInput"),
    "negative noise": (lambda: drive(ns.NoiseCurrent("exc", "I_e", mean=0 * pA, sd=-1 * pA, tau=1 * ms)), V, "sd -1. pA", "0 or more"),
    "noise without memory": (lambda: drive(ns.NoiseCurrent("exc", "I_e", mean=0 * pA, sd=1 * pA, tau=0 * ms)), V, "tau 0. s", "above 0"),
    "stop before start": (lambda: drive(ns.StepCurrent("exc", "I_e", 1 * pA, start=5 * ms, stop=1 * ms)), V, "1. ms", "5. ms", "later"),
    "start off the grid": (lambda: drive(ns.StepCurrent("exc", "I_e", 1 * pA, start=0.05 * ms)), V, "start of input", "50. us", "dt = 0.1 ms"),
    "spikes for cells that make their own": (lambda: drive(ns.SpikeTimes("exc", 0, 1 * ms)), V, "'exc'", "'leaky_conductance'", "'spike_source'"),
    "more spikes than times": (lambda: drive(ns.SpikeTimes("source", [0, 1, 2], [1, 2] * ms)), V, "3 spikes but 2 times", "one cell id for each"),
    "spike off the grid": (lambda: drive(ns.SpikeTimes("source", 0, 1.05 * ms)), V, "'source.SpikeTimes'", "dt = 0.1 ms", "multiples"),
    "shape of stimuli": (lambda: drive(ns.Presentations("source", np.ones((2, 4)) * Hz, 1 * ms)), V, "(2, 4)", "(stimuli, 3)"),
    "negative stimuli": (lambda: drive(ns.Presentations("source", -np.ones((2, 3)) * Hz, 1 * ms)), V, "-1 Hz", "0 or more"),
    "too bright stimuli": (lambda: drive(ns.Presentations("source", 1e5 * np.ones((2, 3)) * Hz, 1 * ms)), V, "100000 Hz", "10000 Hz"),
    "stimuli of no time": (lambda: drive(ns.Presentations("source", np.ones((2, 3)) * Hz, 0 * ms)), V, "duration", "at least one time step"),
    "stimuli at another time": (lambda: drive(SHOWN, circuit=LATER), V, "0 to 0.002 s", "begins only at 0.01 s", "start=circuit.time"),
    # recordings
    "one trace alone": (lambda: simulate(record=ns.Trace("exc", "v")), T, "Trace", "list"),
    "something else to record": (lambda: simulate(record=["v"]), T, "'v'", "ns.Trace"),
    "unknown variable": (lambda: trace(variable="V"), V, "'exc'", "'V'", "Did you mean 'v'?"),
    "trace of an unknown part": (lambda: trace("ex"), K, "'ex'", "Did you mean 'exc'?"),
    "too many cells to trace": (lambda: trace(cells=11), V, "11 of 'exc'", "it has 10"),
    "no cells to trace": (lambda: trace(cells=0), V, "0 of 'exc'", "from 1"),
    "unknown cell to trace": (lambda: trace(cells=[11]), K, "'exc'", "11"),
    "interval off the grid": (lambda: trace(every=0.15 * ms), V, "exc.v", "150. us", "dt = 0.1 ms"),
    "interval of 0": (lambda: trace(every=0 * ms), V, "exc.v", "0. s", "one time step"),
    "spikes of a projection": (lambda: simulate(record=[ns.Spikes("exc_to_exc")]), V, "'exc_to_exc'", "population"),
    # lives
    "no lifecycle": (lambda: ns.develop(CIRCUIT, [ns.Phase("youth", 1)]), T, "lifecycle", "ns.Lifecycle"),
    "no phases": (lambda: ns.Lifecycle(epoch=1 * ms, phases=[]), V, "at least one phase", "ns.Phase"),
    "one phase alone": (lambda: ns.Lifecycle(epoch=1 * ms, phases=ns.Phase("youth", 1)), T, "phases", "list"),
    "two phases of one name": (lambda: ns.Lifecycle(epoch=1 * ms, phases=[ns.Phase("a", 1)] * 2), V, "'a'", "own name"),
    "long name of a phase": (lambda: ns.Phase("x" * 65, 1), V, "xxx'", "65 characters", "64 at most"),
    "long label": (lambda: ns.Phase("p", 1, [ns.Division("exc", label="x" * 63)]), V, "'p'", "65 characters", "label=", "64 at most"),
    "phase without epochs": (lambda: ns.Phase("youth", 0), V, "'youth'", "0", "1 or more"),
    "one rule alone": (lambda: ns.Phase("youth", 1, rules=ns.Division("exc")), T, "'youth'", "list"),
    "rule that cannot be called": (lambda: ns.Phase("youth", 1, rules=[3]), T, "'youth'", "3", "(circuit, recording, rng)"),
    "duplicate rule": (lambda: develop(ns.Division("exc"), ns.Division("exc")), V, "'youth/division.exc'", "label="),
    "duplicate label": (lambda: develop(ns.Division("exc", label="a"), ns.Apoptosis("exc", label="a")), V, "'youth/a'", "label="),
    "rule for an unknown population": (lambda: develop(ns.Division("ex")), V, "Division", "'ex'", "Did you mean 'exc'?"),
    "death in an unknown population": (lambda: develop(ns.Apoptosis("exc_to_exc")), V, "Apoptosis", "'exc_to_exc'", "Choose one of"),
    "rule for an unknown projection": (lambda: develop(ns.Rewiring("exc")), V, "Rewiring", "'exc'", "Choose one of: exc_to_exc"),
    "unknown factor in a phase": (lambda: develop(modulate={"exc_to_exc.learning": 1.0}), V, "'exc_to_exc.learning'", "source_to_adaptive.learning"),
    "factors for other epochs": (lambda: develop(modulate={"adaptive.learning": [1.0]}), V, "'youth'", "1 values", "2 epochs"),
    "bad factor in the last epoch": (lambda: develop(modulate={"adaptive.learning": [1.0, np.inf]}), V, "adaptive.learning", "inf", "finite"),
    "epoch of no time": (lambda: develop(epoch=0 * ms), V, "epoch", "0. s", "above 0"),
    "epoch off the grid": (lambda: develop(epoch=0.15 * ms), V, "150. us", "dt = 0.1 ms"),
    "stimuli that end before the life": (lambda: develop(inputs=[ns.Presentations("source", np.ones((1, 3)) * Hz, 2 * ms)]), V, "begins only at 0.002 s"),
    "input of a life for nobody": (lambda: develop(inputs=[poisson("ex")]), V, "'ex'", "Did you mean 'exc'?"),
    "trace of a life of nobody": (lambda: develop(record=[ns.Trace("ex", "v")]), K, "'ex'", "Did you mean 'exc'?"),
    "hazard without unit": (lambda: ns.Division("exc", hazard=1), T, "hazard of Division in 'exc'", "times Hz"),
    "negative hazard": (lambda: ns.Division("exc", hazard=-1 * Hz), V, "hazard of Division in 'exc'", "-1. Hz", "0 or more"),
    "hazard and count": (lambda: ns.Division("exc", hazard=1 * Hz, count=1), V, "Division in 'exc'", "one of them"),
    "broken count": (lambda: ns.Apoptosis("exc", count=1.5), V, "count of Apoptosis in 'exc'", "1.5", "whole number"),
    "until nothing": (lambda: ns.Division("exc", until=0), V, "'exc'", "0 cells", "until=1"),
    "negative floor": (lambda: ns.Apoptosis("exc", floor=-1), V, "'exc'", "-1 cells", "floor=0"),
    "share": (lambda: ns.Division("exc", share=1.5), V, "share", "1.5", "[0, 1]"),
    "jitter": (lambda: ns.Division("exc", jitter=-1), V, "jitter", "-1", "0 or more"),
    "splitting what does not add up": (lambda: develop(ns.Division("exc"), circuit=ns.Circuit([EXC, ADAPTIVE], [BRAKE])), V, "'exc_to_adaptive'", "newborn='copy'"),
    "regrowth without weight": (lambda: ns.Rewiring("exc_to_exc", regrow=1 * Hz), V, "'exc_to_exc'", "weight="),
    "dimension of regrowth": (lambda: develop(ns.Rewiring("exc_to_exc", regrow=1 * Hz, weight=1 * mV)), T, "regrown synapses of 'exc_to_exc'", "1. mV", "times nS"),
    "delay of regrowth": (lambda: develop(ns.Rewiring("exc_to_exc", regrow=1 * Hz, weight=1 * nS, delay=0.05 * ms)), V, "'exc_to_exc'", "0.05 ms", "round"),
    "negative delay of regrowth": (lambda: develop(ns.Rewiring("exc_to_exc", regrow=1 * Hz, weight=1 * nS, delay=-1 * ms)), V, "'exc_to_exc'", "-1 ms"),
    "dimension of pruning": (lambda: develop(ns.Rewiring("exc_to_exc", prune=ns.WeightBelow(1 * mV))), T, "'exc_to_exc'", "1. mV", "times nS"),
    "negative rate to select by": (lambda: ns.RateBelow(-1 * Hz), V, "rate of RateBelow", "-1. Hz", "0 or more"),
    "dimension to select by": (lambda: ns.RateAbove(1 * mV), T, "rate of RateAbove", "1. mV", "times Hz"),
    "fraction to select": (lambda: ns.Busiest(2), V, "fraction of Busiest", "2", "from 0 to 1"),
    # events
    "death in no population": (lambda: ns.apply(CIRCUIT, ns.Events.kill("ex", [1])), K, "'ex'", "exc"),
    "death of nobody": (lambda: ns.apply(CIRCUIT, ns.Events.kill("exc", [100])), K, "'exc'", "100"),
    "unlink of nothing": (lambda: ns.apply(CIRCUIT, ns.Events.unlink("exc_to_exc", [1000])), K, "'exc_to_exc'", "1000"),
    "link to nobody": (lambda: ns.apply(CIRCUIT, ns.Events.link("exc_to_exc", [1], [100], 1e-9, 0.0)), K, "'exc'", "100"),
    "link of NaN": (lambda: ns.apply(CIRCUIT, ns.Events.link("exc_to_exc", [1], [2], np.nan, 0.0)), V, "'exc_to_exc'", "nan", "finite"),
    "link back in time": (lambda: ns.apply(CIRCUIT, ns.Events.link("exc_to_exc", [1], [2], 1e-9, -0.1)), V, "'exc_to_exc'", "-100 ms"),
}  # fmt: skip


@pytest.fixture
def nothing_runs(monkeypatch):
    def run(*arguments):
        raise AssertionError("something ran")

    monkeypatch.setattr(ns.Brian2, "opened", run)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_named_before_anything_runs(slip, nothing_runs):
    call, kind, *fragments = SLIPS[slip]
    with pytest.raises(kind, match="(?s)" + ".*".join(map(re.escape, fragments))) as caught:
        call()
    assert caught.type is kind
    assert len(str(caught.value)) < 400 and "\n\n" not in str(caught.value)


def test_control_without_a_slip_all_of_it_runs(nothing_runs):
    for works in (lambda: drive(poisson()), trace, lambda: develop(ns.Division("exc"))):
        with pytest.raises(AssertionError, match="something ran"):
            works()
    assert len(connect()) == 40 and len(create()) == 3


# --- the machine -----------------------------------------------------------------------------------------------------


@pytest.fixture
def no_compiler(monkeypatch):
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)


def test_without_a_compiler_numpy_takes_over_and_says_so(no_compiler, monkeypatch, caplog):
    monkeypatch.setattr(builds, "_loaded", {})
    backends._say_once.cache_clear()
    after, recording = ns.simulate(CIRCUIT, 1 * ms, progress=False)
    said = [record.getMessage() for record in caplog.records if record.name == "neurosim"]
    assert len(said) == 1 and "which is slower: a library needs a C++ compiler and none was found; install one (g++ or clang++)" in said[0]
    expected, _ = simulate()
    assert differences(after, expected) == []
    with pytest.raises(RuntimeError, match=re.escape('target "cython" needs a C++ compiler') + ".*" + re.escape('target="numpy"')):
        simulate(backend=ns.Brian2(target="cython"))


def test_control_with_a_compiler_the_witness_is_compiled():
    assert compiler.choose_target("auto") == ("cython" if compiler.has_compiler() else "numpy")
    assert compiler.choose_target("numpy") == "numpy"


@pytest.mark.parametrize("place", ["/proc/neurosim", "file"])
def test_unwritable_places(place, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    folder = tmp_path / "file" if place == "file" else place
    message = re.escape(f"{folder}") + ".* cannot be written .*; choose a folder that you may write to"
    with pytest.raises(OSError, match=message):
        ns.save_circuit(CIRCUIT, f"{folder}/circuit.npz")
    with pytest.raises(OSError, match=re.escape(f"{folder} is a file, not a folder; choose another name") if place == "file" else message):
        ns.save_history(develop(), folder)
    with pytest.raises(OSError, match=message):
        ns.save_history(develop(), f"{folder}/life")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]
    assert ns.save_circuit(CIRCUIT, tmp_path / "new" / "circuit.npz").exists()  # the control


def test_dt_is_kept_while_spikes_are_in_flight():
    circuit = CIRCUIT.set("exc", v=-49 * mV)
    middle, _ = simulate(circuit, 0.5 * ms)
    assert in_flight(middle) == len(LOOP)
    with pytest.raises(ValueError, match=f"dt = 0.1 ms and has {len(LOOP)} spikes in flight in 'exc_to_exc'; keep that dt"):
        simulate(middle, backend=ns.Brian2(dt=0.05 * ms, target="numpy"))
    later, _ = simulate(middle, 1.5 * ms)
    assert in_flight(later) == 0
    finer, _ = simulate(later, 1 * ms, backend=ns.Brian2(dt=0.05 * ms, target="numpy"))
    assert finer.time == 3 * ms and finer.dt == 0.05 * ms and finer.step == 60
    with pytest.raises(ValueError, match=re.escape("stands at 2. ms, which is no whole multiple of dt = 0.3 ms; keep dt = 0.1 ms")):
        simulate(later, 3 * ms, backend=ns.Brian2(dt=0.3 * ms, target="numpy"))
