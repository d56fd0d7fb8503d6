"""A circuit has the same spikes in PyTorch as in Brian2, index for index."""

import subprocess
import sys

import numpy as np
import pytest

import neurosim as ns
from neurosim.expressions import evaluate
from neurosim.units import Hz, ms, mV, nS, pA

torch = pytest.importorskip("torch", reason="PyTorch comes with the extra `torch`")
from neurosim.torch import Torch  # noqa: E402

DT = 0.1 * ms
WITNESS, TWIN = BACKENDS = ns.Brian2(dt=DT, target="numpy"), Torch(dt=DT)
SIZE, SOURCES = 30, ("spike_source",)
LEAKY = (
    "leaky",
    "leaky_conductance",
    "leaky_exponential_current",
    "leaky_decaying_threshold",
    "leaky_homeostatic",
    "leaky_alpha",
    "leaky_adaptive_threshold",
)
OTHERS = tuple(name for name in ns.cells() if name not in (*LEAKY, *SOURCES))


def other(cell="leaky", **changes):
    """A cell of the catalogue with another spike."""
    tables = ns.load_cell(cell).specification()
    return ns.CellModel.from_specification(tables | {"spike": tables["spike"] | changes, "name": "other"})


KINDS = {name: ns.load_cell(name) for name in (*LEAKY, *OTHERS)} | {
    "soft reset": other(reset="v -= V_th - E_L"), "soft reset, no refractory time": other(reset="v -= V_th - E_L", refractory="0*ms"),
    "other reset": ns.load_cell("leaky").replace(V_reset=-64 * mV), "Euler": ns.load_cell("leaky").replace(method="euler"),
    "exact": ns.load_cell("leaky").replace(method="exact"), "long refractory": ns.load_cell("leaky_conductance").replace(tau_ref=20 * ms),
}  # fmt: skip


def driven(model, steps):
    """Cells of which a third is driven by constant currents, a third by noise, and a third by brief strong steps, so that it bursts."""
    amplitude = evaluate(model.tables.get("time_step", {"current": "250*pA"})["current"], model.names({}))
    thirds, part = np.split(np.arange(SIZE), 3), SIZE // 3
    inputs = [ns.StepCurrent("cells", "I_e", np.linspace(0.5, 2, part) * amplitude, 2 * ms, steps * DT, cells=thirds[0], name="constant")]
    inputs += [ns.NoiseCurrent("cells", "I_e", 0.7 * amplitude, 2 * amplitude, 3 * ms, cells=thirds[1], name="noise")]
    for number in range(max(1, int(steps * DT / (50 * ms)))):
        start = (5 + 50 * number) * ms
        inputs.append(ns.StepCurrent("cells", "I_e", 4 * amplitude, start, start + 15 * ms, cells=thirds[2], name=f"burst {number}"))
    return ns.Circuit([ns.create("cells", model, SIZE)], seed=3), inputs


def both(circuit, steps, inputs, **how):
    return [ns.simulate(circuit, steps * DT, inputs=inputs, backend=backend, progress=False, **how) for backend in BACKENDS]


def check_same(runs):
    """Check spikes, state and what is under way; return the number of spikes."""
    (after, recording), (twin, recorded) = runs
    total = 0
    for name, population in after.populations.items():
        spikes, found = recording[name].spikes, recorded[name].spikes
        np.testing.assert_array_equal(found.step, spikes.step)
        np.testing.assert_array_equal(found.id, spikes.id)
        for key in (*population.model.variables, "spikes", *(() if population.model.source else ("lastspike", "not_refractory"))):
            np.testing.assert_allclose(twin[name].cells[key], population.cells[key], rtol=1e-9, atol=1e-15, err_msg=key)
        total += len(spikes)
    for name, projection in after.projections.items():
        flights = [
            sorted(zip(one["step"].tolist(), one["synapse"].tolist(), strict=True)) for one in (projection.flight, twin[name].flight)
        ]
        assert flights[0] == flights[1]
    assert twin.step == after.step
    return total


@pytest.mark.parametrize("kind", KINDS)
def test_cells_spike_alike_under_constant_noisy_and_bursting_drive(kind):
    circuit, inputs = driven(KINDS[kind], 1000)
    assert check_same(both(circuit, 1000, inputs)) > 50


@pytest.mark.parametrize("kind", ["leaky", "leaky_conductance", "soft reset"])
def test_ten_thousand_steps_of_two_hundred_cells(kind, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "SIZE", 201)
    circuit, inputs = driven(KINDS[kind], 10_000)
    assert check_same(both(circuit, 10_000, inputs)) > 5000


def test_another_refractory_time_tells_the_difference():
    """The control: the comparison finds a cell that waits for one time step more."""
    circuit, inputs = driven(KINDS["leaky"], 1000)
    later, _ = driven(KINDS["leaky"].replace(tau_ref=ns.load_cell("leaky").parameters["tau_ref"].quantity + DT), 1000)
    runs = [
        ns.simulate(one, 100 * ms, inputs=inputs, backend=backend, progress=False) for one, backend in ((circuit, WITNESS), (later, TWIN))
    ]
    with pytest.raises(AssertionError):
        check_same(runs)


def network(delay, receptor="g_exc", cell="leaky_conductance", weight=1.5 * nS):
    exc, inh = (ns.create(name, cell, size, sign=sign) for name, size, sign in (("exc", 40, "excitatory"), ("inh", 10, "inhibitory")))
    source = ns.create("source", "spike_source", 5, sign="excitatory")
    joined = [
        ns.connect(source, exc, "static", ns.FixedProbability(0.5), receptor=receptor, weight=8 * weight, delay=delay, seed=1),
        ns.connect(exc, exc, "static", ns.FixedProbability(0.2), receptor=receptor, weight=weight, delay=delay, seed=2),
        ns.connect(exc, inh, "static", ns.FixedProbability(0.4), receptor=receptor, weight=2 * weight, delay=delay, seed=3),
        ns.connect(
            inh, exc, "static", ns.FixedProbability(0.4), receptor=receptor.replace("exc", "inh"), weight=weight, delay=delay, seed=4
        ),
    ]
    rng = np.random.default_rng(0)
    inputs = [
        ns.SpikeTimes("source", rng.integers(0, 5, 60), rng.choice(1500, 60, replace=False) * DT),
        ns.PoissonInput("exc", receptor, rate=900 * Hz, weight=weight, name="one"), ns.PoissonInput("inh", receptor, rate=500 * Hz, weight=weight, name="other"),
    ]  # fmt: skip
    return ns.Circuit([exc, inh, source], joined, seed=5), inputs


DELAYS = {"none": 0 * ms, "one step": DT, "long": 1.5 * ms, "various": ns.Steps(0 * ms, 3 * ms, DT)}


@pytest.mark.parametrize("delay", DELAYS)
def test_networks_spike_alike_whatever_their_delays_are(delay):
    circuit, inputs = network(DELAYS[delay])
    assert check_same(both(circuit, 1500, inputs)) > 150


def test_a_network_of_current_synapses_and_one_of_jumps_spike_alike():
    circuit, inputs = network(1 * ms, "I_exc", "leaky_exponential_current", 80 * pA)
    assert check_same(both(circuit, 1500, inputs)) > 100
    cells = ns.create("cells", "leaky_adaptive_threshold", 20)
    jumps = ns.connect(cells, cells, "static", ns.FixedProbability(0.5), receptor="v", weight=0.5 * mV, delay=0 * ms, seed=1)
    inputs = [ns.PoissonInput("cells", "v", rate=2000 * Hz, weight=1.5 * mV)]
    assert check_same(both(ns.Circuit([cells], [jumps], seed=2), 1500, inputs)) > 50


def test_a_life_goes_back_and_forth_between_the_backends():
    """Spikes under way, refractory cells and noise are taken over: parts run in turn are the whole run."""
    circuit, inputs = network(DELAYS["various"])
    inputs.append(ns.NoiseCurrent("exc", "I_e", mean=50 * pA, sd=100 * pA, tau=5 * ms))
    whole, recording = ns.simulate(circuit, 90 * ms, inputs=inputs, backend=WITNESS, progress=False)
    parts = []
    for backend in (TWIN, WITNESS, TWIN):
        circuit, part = ns.simulate(circuit, 30 * ms, inputs=inputs, backend=backend, progress=False)
        parts.append(part)
    assert check_same([(whole, recording), (circuit, ns.Recording.concatenate(parts))]) > 50


def test_traces_waveforms_and_parameters_of_single_cells():
    cells = ns.create("cells", "leaky_conductance", 6, spread={"C_m": ns.Uniform(150 * pA * ms / mV, 250 * pA * ms / mV)}, seed=1)
    times = np.arange(0, 100, 0.5) * ms
    inputs = [ns.WaveformInput("cells", "I_e", ns.Waveform(500 * np.sin(np.arange(len(times)) / 5) ** 2 * pA, 0.5 * ms))]
    wish = [ns.Trace("cells", "v", cells=3, every=0.5 * ms)]
    (_, first), (_, second) = runs = both(ns.Circuit([cells], seed=1), 1000, inputs, record=wish)
    assert check_same(runs) > 5
    np.testing.assert_allclose(second["cells"].trace("v").si, first["cells"].trace("v").si, rtol=1e-12)
    np.testing.assert_array_equal(second["cells"].trace("v").steps, first["cells"].trace("v").steps)


def test_cells_divide_and_die_in_torch_as_in_brian2():
    circuit, inputs = network(DELAYS["various"])
    rules = [
        ns.Division("exc", ns.Top(0.1)),
        ns.Apoptosis("exc", ns.Bottom(0.1)),
        ns.Rewiring("exc_to_exc", prune=ns.Random(3 * Hz), label="prune"),
    ]
    life = ns.Lifecycle(25 * ms, [ns.Phase("turnover", 4, rules)])
    first, second = (ns.develop(circuit, life, inputs=inputs, backend=backend, progress=False) for backend in BACKENDS)
    np.testing.assert_array_equal(first.events, second.events)
    assert len(first.events) > 20
    np.testing.assert_array_equal(first.circuit["exc"].cells["spikes"], second.circuit["exc"].cells["spikes"])


REFUSED = {
    "synapses that learn": (lambda: learning("stdp_pair"), r"projection 'cells_to_cells' has synapses of 'stdp_pair', which change \(on_post, .*ns\.Brian2\(\)"),
    "short-term plasticity": (lambda: learning("tsodyks_markram"), r"'tsodyks_markram', which change \(equations, on_pre \(u \+=",),
    "a bounded effect": (lambda: bounded(), r"clip\(v_post - amount, E_L, inf\*volt\)', which does not add up"),
    "onsets": (lambda: presented(), r"presents stimuli, .* cells of 'cells' .*replace\(on_presentation=None\)"),
}  # fmt: skip


def learning(name):
    model = ns.load_synapse(name)
    cells = ns.create("cells", ns.load_cell("leaky_conductance").keeping(model), 4, sign="excitatory")
    model = model.replace(w_max=2 * nS) if "w_max" in model.parameters else model
    return ns.Circuit([cells], [ns.connect(cells, cells, model, ns.AllToAll(), receptor="g_exc", weight=1 * nS)], seed=1), []


def bounded():
    cells = ns.create("cells", "leaky_adaptive_threshold", 4)
    return ns.Circuit([cells], [ns.connect(cells, cells, "static", ns.AllToAll(), receptor="direct_inhibition", weight=1 * mV)], seed=1), []


def presented():
    source, cells = ns.create("source", "spike_source", 2), ns.create("cells", "leaky_adaptive_threshold", 4)
    joined = ns.connect(source, cells, "static", ns.AllToAll(), receptor="v", weight=1 * mV)
    return ns.Circuit([source, cells], [joined], seed=1), [ns.Presentations("source", np.full((1, 2), 100) * Hz, 10 * ms)]


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_expressed_is_refused_with_its_reason_and_runs_in_brian2(what):
    make, message = REFUSED[what]
    circuit, inputs = make()
    with pytest.raises(ns.UnsupportedModelError, match=message):
        ns.simulate(circuit, 5 * ms, inputs=inputs, backend=TWIN, progress=False)
    ns.simulate(circuit, 5 * ms, inputs=inputs, backend=WITNESS, progress=False)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="device is 'nowhere', which cannot be used here"):
        Torch(device="nowhere")


def test_importing_neurosim_imports_no_torch():
    code = "import sys, neurosim, neurosim.study, neurosim.figures; assert 'torch' not in sys.modules; import neurosim.torch; assert 'torch' in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=120).returncode == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
def test_a_gpu_has_the_same_spikes():
    circuit, inputs = network(DELAYS["various"])
    runs = [
        ns.simulate(circuit, 150 * ms, inputs=inputs, backend=backend, progress=False) for backend in (WITNESS, Torch(dt=DT, device="cuda"))
    ]
    assert check_same(runs) > 150
