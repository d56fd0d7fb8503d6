"""Simulating: closed forms of what a time step does, the circuit's own time, and what a run leaves alone."""

import subprocess
import sys
import textwrap

import brian2
import numpy as np
import pytest
from comparing import differences, in_flight

import neurosim as ns
from neurosim.units import Hz, ms, mV, nS, pA

NUMPY = ns.Brian2(target="numpy")
DT = 1e-4
NOISE = ns.PoissonInput("exc", "g_exc", rate=1000 * Hz, weight=5 * nS)


def circuit(size=6, seed=1, delay=1 * ms):
    exc = ns.create("exc", "leaky_conductance", size)
    stdp = ns.load_synapse("stdp_pair").replace(w_max=2 * nS)
    loop = ns.connect(exc, exc, stdp, ns.FixedProbability(0.5), receptor="g_exc", weight=1 * nS, delay=delay, seed=1)
    return ns.Circuit([exc], [loop.replace(name="loop")], seed=seed)


def simulate(now, duration, *inputs, **others):
    return ns.simulate(now, duration, inputs=inputs, backend=others.pop("backend", NUMPY), progress=False, **others)


def spikes(recording, name="exc"):
    found = recording[name].spikes
    return list(zip(found.step.tolist(), found.id.tolist(), strict=True))


# --- closed forms ----------------------------------------------------------------------------------------------------


def test_a_leaky_cell_relaxes_exponentially():
    start = np.array([-80, -60, -51]) * mV
    now = ns.Circuit([ns.create("exc", "leaky_conductance", 3, state={"v": start})])
    after, recording = simulate(now, 50 * ms, record=[ns.Trace("exc", "v")])
    times = np.arange(501) * DT
    v = np.concatenate([recording["exc"].trace("v").si, after["exc"].cells["v"][:, None]], axis=1)
    np.testing.assert_allclose(v, -60e-3 + (np.asarray(start)[:, None] + 60e-3) * np.exp(-times / 20e-3), rtol=1e-12)
    assert len(recording["exc"].spikes) == 0


@pytest.mark.parametrize("delay", [0, 1, 7, 150])
def test_a_spike_arrives_after_its_delay(delay):
    """In the time step of the spike for a delay of 0: what it adds is seen in the next one."""
    source, exc = ns.create("source", "spike_source", 2), ns.create("exc", "leaky_conductance", 2)
    projection = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=[1, 2, 4, 8] * nS, delay=delay * 0.1 * ms)
    now = ns.Circuit([source, exc], [projection])
    after, recording = simulate(now, 20 * ms, ns.SpikeTimes("source", [0, 1], [3, 5] * ms), record=[ns.Trace("exc", "g_exc")])
    decay = np.exp(-DT / 5e-3)
    g, expected = recording["exc"].trace("g_exc").si, np.zeros((2, 201))
    for step in range(200):
        # Brian2's order: the state is stepped, then synapses deliver.
        arrived = np.array([[1, 2], [4, 8]])[[k for k, spike in enumerate((30, 50)) if step == spike + delay]].sum(axis=0) * 1e-9
        expected[:, step + 1] = expected[:, step] * decay + arrived
    np.testing.assert_allclose(g, expected[:, :200], rtol=1e-12)
    assert in_flight(after) == 2 * sum(spike + delay >= 200 for spike in (30, 50))


def test_spikes_in_flight_say_when_they_arrive():
    source, exc = ns.create("source", "spike_source", 2), ns.create("exc", "leaky_conductance", 2)
    projection = ns.connect(source, exc, "static", ns.OneToOne(), receptor="g_exc", weight=1 * nS, delay=[10, 20] * ms)
    given = ns.SpikeTimes("source", [0, 1, 1], [1, 2, 4] * ms)
    after, _ = simulate(ns.Circuit([source, exc], [projection.replace(name="far")]), 5 * ms, given)
    flight = after["far"].flight
    assert list(zip(flight["synapse"].tolist(), flight["step"].tolist(), strict=True)) == [(0, 110), (1, 220), (1, 240)]
    later, _ = simulate(after, 8 * ms)
    assert later["far"].flight["step"].tolist() == [220, 240]


def test_a_refractory_cell_rests_and_then_goes_on():
    now = ns.Circuit([ns.create("exc", "leaky_conductance", 1, state={"v": -49 * mV})])
    step = ns.StepCurrent("exc", "I_e", 90 * pA)
    _, recording = simulate(now, 20 * ms, step, record=[ns.Trace("exc", "v")])
    v = recording["exc"].trace("v").si[0]
    assert spikes(recording) == [(0, 0)]
    assert (v[1:51] == -60e-3).all() and v[51] > -60e-3  # 5 ms from the spike, itself in time step 0


# --- time, seed and what stays ---------------------------------------------------------------------------------------


def test_time_is_whole_steps_however_often_it_is_cut():
    now = ns.Circuit([ns.create("exc", "leaky_conductance", 1)])
    assert now.dt is None and now.time == 0 * ms
    for _ in range(30):
        now, _ = simulate(now, 0.7 * ms)
    assert now.step == 210 and now.time == 210 * 0.1 * ms and now.dt == 0.1 * ms and now.epoch == 0
    assert now.time_si == 210 * 1e-4


def test_a_simulation_leaves_its_circuit_alone():
    before = circuit()
    kept = circuit()
    simulate(before, 20 * ms, NOISE)
    assert differences(before, kept) == [] and before.dt is None
    with pytest.raises(ValueError, match="read-only"):
        before["exc"].cells["v"][0] = 0.0


def test_the_seed_fixes_the_future():
    one, first = simulate(circuit(), 60 * ms, NOISE)
    other, second_run = simulate(circuit(), 60 * ms, NOISE)
    assert differences(one, other) == [] and spikes(first) == spikes(second_run) and len(spikes(first)) > 10
    forked, third = simulate(circuit().reseed(2), 60 * ms, NOISE)
    assert spikes(third) != spikes(first) and {"seed", "exc.v"} <= set(differences(one, forked))
    assert differences(circuit().reseed(2).reseed(1), circuit()) == []
    assert spikes(simulate(circuit(seed=2), 60 * ms, NOISE)[1]) == spikes(third)


def test_brian2s_own_seed_and_numpys_do_nothing():
    expected, _ = simulate(circuit(), 30 * ms, NOISE)
    brian2.seed(5)
    np.random.seed(5)
    after, _ = simulate(circuit(), 30 * ms, NOISE)
    assert differences(after, expected) == []
    assert np.random.random() == np.random.RandomState(5).random_sample()  # nor do we draw from them


def test_preferences_of_brian2_come_back():
    before = (brian2.prefs["codegen.target"], brian2.prefs["codegen.runtime.cython.cache_dir"])
    brian2.defaultclock.dt = 0.3 * ms
    simulate(circuit(), 1 * ms)
    with pytest.raises(KeyError):
        simulate(circuit(), 1 * ms, record=[ns.Trace("ex", "v")])
    assert (brian2.prefs["codegen.target"], brian2.prefs["codegen.runtime.cython.cache_dir"]) == before
    assert brian2.defaultclock.dt == 0.3 * ms
    brian2.defaultclock.dt = 0.1 * ms


def test_modulation_lasts_for_one_run():
    cells = ns.create("cells", "leaky_adaptive_threshold", 2, state={"v": -50 * mV})
    now = ns.Circuit([cells])
    learned, _ = simulate(now, 1 * ms)
    frozen, _ = simulate(now, 1 * ms, modulate={"cells.learning": 0})
    double, _ = simulate(now, 1 * ms, modulate={"cells.learning": 2})
    assert np.allclose([c["cells"].theta / mV for c in (learned, frozen, double)], [[0.1, 0.1], [0, 0], [0.2, 0.2]], atol=1e-12)
    assert dict(frozen["cells"].shared) == {"learning": 1.0}
    again, _ = simulate(frozen.set("cells", v=-50 * mV), 5 * ms)
    assert np.allclose(again["cells"].theta / mV, 0.1)


def test_modulating_each_epoch_of_a_phase():
    now = ns.Circuit([ns.create("cells", "leaky_adaptive_threshold", 1)])
    pulses = ns.StepCurrent("cells", "I_e", 1e5 * pA)  # a spike every 2 ms
    life = ns.Lifecycle(epoch=2 * ms, phases=[ns.Phase("a", 3, modulate={"cells.learning": [0, 1, 3]}), ns.Phase("b", 2)])
    history = ns.develop(
        now,
        life,
        inputs=[pulses],
        measure=lambda c, r: {"theta": c["cells"].theta[0] / mV, "spikes": r["cells"].counts[0]},
        backend=NUMPY,
        progress=False,
    )
    steps = np.diff([0, *history.measures["theta"]]) / history.measures["spikes"]
    assert steps == pytest.approx([0, 0.1, 0.3, 0.1, 0.1])


# --- populations that are empty or many ------------------------------------------------------------------------------


def test_a_circuit_whose_cells_have_all_died_goes_on():
    source = ns.create("source", "spike_source", 2)
    exc = circuit()["exc"]
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS, delay=1 * ms)
    now = ns.Circuit([source, exc], [into, *circuit().projections.values()], seed=1)
    given = ns.SpikeTimes("source", [0, 1], [0.5, 1.5] * ms)
    now, _ = simulate(now, 1 * ms, given, NOISE)
    assert in_flight(now) == 6
    empty = ns.apply(now, ns.Events.kill("exc", range(6)))
    assert len(empty["exc"]) == len(empty["loop"]) == in_flight(empty) == 0
    after, recording = simulate(empty, 2 * ms, given, NOISE, record=[ns.Trace("exc", "v"), ns.Trace("loop", "weight")])
    assert recording["exc"].counts.tolist() == [] and recording["exc"].v.shape == (0, 20) and spikes(recording, "source") == [(15, 1)]
    assert after.time == 3 * ms and len(after["exc"].parents) == 6


def test_a_circuit_of_nothing_but_sources():
    now = ns.Circuit([ns.create("source", "spike_source", 2)])
    after, recording = simulate(now, 1 * ms)
    assert after.step == 10 and recording["source"].counts.tolist() == [0, 0]


def test_other_populations_change_nothing():
    _, alone = simulate(circuit(), 40 * ms, NOISE)
    other = ns.create("other", "leaky_adaptive_threshold", 3)
    both = ns.Circuit([other, *circuit().populations.values()], list(circuit().projections.values()), seed=1)
    _, together = simulate(both, 40 * ms, NOISE, ns.PoissonInput("other", "v", rate=500 * Hz, weight=1 * mV))
    assert spikes(together) == spikes(alone) and together["other"].counts.sum() > 0


# --- how it looks ----------------------------------------------------------------------------------------------------


def test_quiet_unless_it_takes_long(capsys):
    ns.simulate(circuit(), 5 * ms, backend=NUMPY)
    ns.simulate(circuit(), 5 * ms, backend=NUMPY, progress=False)
    captured = capsys.readouterr()
    assert captured.out == "" and "simulate" not in captured.err


def test_import_compiles_nothing_and_leaves_errors_as_they_are():
    script = """
        import sys
        hook = sys.excepthook
        import neurosim
        assert sys.excepthook is hook
        assert "torch" not in sys.modules
        print(sorted(name for name in vars(neurosim) if not name.startswith("_"))[:3])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == "" and "AllToAll" in done.stdout


# --- export ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def numpy_target():
    before = brian2.prefs["codegen.target"]
    brian2.prefs["codegen.target"] = "numpy"
    yield
    brian2.prefs["codegen.target"] = before


def test_a_plain_brian2_network_goes_on_from_where_the_circuit_stands(numpy_target):
    middle, _ = simulate(circuit(), 30 * ms, NOISE)
    assert in_flight(middle) > 0
    after, recording = simulate(middle, 30 * ms, NOISE)
    network = ns.to_brian2(middle, duration=30 * ms, inputs=[NOISE], backend=NUMPY)
    assert float(network.t) == pytest.approx(0.03)
    monitor = brian2.SpikeMonitor(network["exc"], name="monitor")
    network.add(monitor)
    network.run(30 * ms, namespace={})
    assert sorted(zip(np.round(monitor.t / (0.1 * ms)).astype(int).tolist(), monitor.i[:].tolist(), strict=True)) == spikes(recording)
    assert len(spikes(recording)) > 5
    assert (np.asarray(network["exc"].v) == after["exc"].cells["v"]).all()
    assert (np.asarray(network["loop"].synaptic_weight) == after["loop"].synapses["weight"]).all()
    fresh = ns.to_brian2(circuit(), backend=NUMPY)
    assert float(fresh.t) == 0 and len(fresh["exc"]) == 6
