"""Short-term plasticity of Tsodyks and Markram: closed forms at steady rates, event by event, in NEST, and through a division."""

import numpy as np
import pytest
from peers_run import ask_weights, needs
from plastic_pairs import trains

import neurosim as ns
from neurosim.units import ms, mV, volt

MODEL = ns.load_synapse("tsodyks_markram")
DEPRESSING, FACILITATING = (MODEL.parameter_set(name) for name in ("depressing", "facilitating"))
RATES = np.array([5, 10, 20, 40])  # Hz
RECOVERED = [0.36227, 0.21030, 0.11425, 0.05970]  # x before a spike at these rates: U = 0.5, tau_rec = 800 ms, no facilitation
SIZE = len(RATES)
WEIGHT = 0.4 * mV


def joined(synapses, size=SIZE, threshold=1 * volt):
    """Sources, each with a synapse of each model to a cell of its own population of targets, which is named as the model."""
    pre = ns.create("pre", "spike_source", size)
    cell = ns.load_cell("leaky_adaptive_threshold").replace(V_th=threshold)
    targets = [ns.create(name, cell, size) for name in synapses]
    projections = [
        ns.connect(pre, target, synapse, ns.OneToOne(), receptor="v", weight=WEIGHT).replace(name=f"onto_{target.name}")
        for target, synapse in zip(targets, synapses.values(), strict=True)
    ]
    return ns.Circuit([pre, *targets], projections)


def play(circuit, times, duration, dt=1 * ms, **others):
    """Simulate given spikes (ms) of each source."""
    cells, at = np.array(trains(times)).T
    inputs = [ns.SpikeTimes("pre", cells.astype(int), at * ms)]
    backend = ns.Brian2(dt=dt, target="numpy")
    return ns.simulate(circuit, duration, inputs=inputs, backend=backend, progress=False, **others)


def jumps(recording, population, times, dt=1e-3):
    """What each spike of each source added to the potential of its target, in volt."""
    trace = recording[population].trace("v").si
    cell = ns.load_cell("leaky_adaptive_threshold").namespace()
    rest, kept = float(cell["E_L"]), np.exp(-dt / float(cell["tau_m"]))
    added = (trace[:, 1:] - rest) - (trace[:, :-1] - rest) * kept
    return [added[k, np.round(np.asarray(row) * 1e-3 / dt).astype(int)] for k, row in enumerate(times)]


def event_by_event(times, U, tau_rec, tau_facil):
    """u and x at each spike, as it finds them for its release: times and time constants in ms."""
    u, x, last, found = 0.0, 1.0, 0.0, []
    for now in times:
        u *= np.exp((last - now) / tau_facil) if tau_facil else 0.0
        x = 1 - (1 - x) * np.exp((last - now) / tau_rec)
        u += U * (1 - u)
        found.append((u, x))
        x, last = x * (1 - u), now
    return np.array(found).T


# --- steady rates ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def steady():
    """The circuit and its recording after 5 s of regular spikes at each rate."""
    times = [np.arange(10, 5010, 1000 / rate) for rate in RATES]
    circuit = joined({"depressing": DEPRESSING, "facilitating": FACILITATING})
    record = [ns.Trace(name, "v") for name in ("depressing", "facilitating")]
    return times, *play(circuit, times, 5012 * ms, record=record)


def test_recovered_resources_at_steady_rates(steady):
    """The values of Tsodyks & Markram's recursion that others have worked out, and its closed form."""
    times, after, recording = steady
    decay = np.exp(-1 / (RATES * 0.8))
    np.testing.assert_allclose(RECOVERED, (1 - decay) / (1 - 0.5 * decay), atol=1e-5)
    delivered = [one[-1] for one in jumps(recording, "depressing", times)]
    np.testing.assert_allclose(np.array(delivered) / (0.5 * float(WEIGHT)), RECOVERED, atol=1e-4)
    state = after["onto_depressing"].synapses
    np.testing.assert_allclose(state["x"] / (1 - state["u"]), RECOVERED, atol=1e-4)  # before the last spike
    np.testing.assert_allclose(state["u"], 0.5, rtol=1e-12)


def test_facilitation_at_steady_rates(steady):
    """u = U/(1 - (1 - U) exp(-T/tau_facil)) and x = (1 - e)/(1 - (1 - u) e) with e = exp(-T/tau_rec), at intervals of T."""
    times, _, recording = steady
    interval = 1000 / RATES
    u = 0.03 / (1 - 0.97 * np.exp(-interval / 530))
    decay = np.exp(-interval / 130)
    x = (1 - decay) / (1 - (1 - u) * decay)
    delivered = np.array([one[-1] for one in jumps(recording, "facilitating", times)]) / float(WEIGHT)
    np.testing.assert_allclose(delivered, u * x, rtol=1e-4)
    first = np.array([one[0] for one in jumps(recording, "facilitating", times)]) / float(WEIGHT)
    np.testing.assert_allclose(first, 0.03, rtol=1e-9)
    assert (delivered > 1.5 * first).all()  # it facilitates, where the other set depresses


@pytest.mark.parametrize("change", [{"U": 0.505}, {"tau_rec": 808 * ms}, {"tau_facil": 30 * ms}])
def test_control_a_parameter_wrong_by_a_hundredth_or_facilitation_misses_the_steady_values(change):
    times = [np.arange(10, 2010, 1000 / rate) for rate in RATES]
    after, _ = play(joined({"depressing": DEPRESSING.replace(**change)}), times, 2012 * ms)
    state = after["onto_depressing"].synapses
    assert abs(state["x"] / (1 - state["u"]) - RECOVERED).max() > 3e-4


# --- any spikes ------------------------------------------------------------------------------------------------------

RANDOM = [np.sort(np.random.default_rng(seed).choice(np.arange(5, 395), 12, replace=False)).astype(float) for seed in range(6)]
SETS = {"depressing": (DEPRESSING, 0.5, 800.0, 0.0), "facilitating": (FACILITATING, 0.03, 130.0, 530.0)}


@pytest.fixture(scope="module")
def random_trains():
    """Recordings of two pieces, and the circuit at the end."""
    circuit = joined({name: one[0] for name, one in SETS.items()}, len(RANDOM))
    record = [ns.Trace(name, "v") for name in SETS]
    middle, first = play(circuit, RANDOM, 200 * ms, record=record)
    after, second = play(middle, RANDOM, 200 * ms, record=record)
    return after, ns.Recording.concatenate([first, second])


@pytest.mark.parametrize("name", SETS)
def test_random_trains_over_a_boundary(random_trains, name):
    _, recording = random_trains
    for delivered, times in zip(jumps(recording, name, RANDOM), RANDOM, strict=True):
        u, x = event_by_event(times, *SETS[name][1:])
        np.testing.assert_allclose(delivered / float(WEIGHT), u * x, rtol=1e-9, atol=1e-12)


def test_the_order_of_a_spike_matters(random_trains):
    """The control: a release before u rises (as some write the model) is another one."""
    _, recording = random_trains
    for delivered, times in zip(jumps(recording, "facilitating", RANDOM), RANDOM, strict=True):
        u, x = event_by_event(times, *SETS["facilitating"][1:])
        before = (u - 0.03) / 0.97
        assert (abs(delivered / float(WEIGHT) - before * x) > 0.005).all()


@pytest.mark.peers
@needs("nest")
@pytest.mark.parametrize("name", SETS)
def test_state_as_in_nest(random_trains, name):
    """NEST's tsodyks2_synapse keeps u and x as the last spike found them."""
    after, _ = random_trains
    _, U, tau_rec, tau_facil = SETS[name]
    synapse = {"synapse_model": "tsodyks2_synapse", "U": U, "u": U, "x": 1.0, "tau_rec": tau_rec, "tau_fac": tau_facil, "delay": 1.0}
    given = {"synapse": synapse, "cell": {}, "pre": [list(one) for one in RANDOM], "post": [[] for _ in RANDOM], "every": 1.0}
    u, x = (ask_weights(**given, column=column) for column in ("u", "x"))
    state = after[f"onto_{name}"].synapses
    np.testing.assert_allclose(state["u"], u, rtol=1e-9)
    np.testing.assert_allclose(state["x"], x * (1 - u), rtol=1e-9)
    assert np.ptp(x) > 0.05  # the control: trains differ


# --- divisions -------------------------------------------------------------------------------------------------------


def shared_sources(seed=2):
    """Six sources onto three cells that fire, by both kinds of synapses; and spikes of the sources (ms)."""
    rng = np.random.default_rng(seed)
    pre, post = ns.create("pre", "spike_source", 6), ns.create("post", "leaky_adaptive_threshold", 3)
    projections = []
    for name, (model, *_), size in (("depressing", SETS["depressing"], 6), ("facilitating", SETS["facilitating"], 20)):
        weight = ns.Uniform(0.5 * size * mV, size * mV)
        made = ns.connect(pre, post, model, ns.AllToAll(), receptor="v", weight=weight, delay=3 * ms, seed=seed)
        projections.append(made.replace(name=name))
    return ns.Circuit([pre, post], projections), [np.sort(rng.choice(np.arange(2, 400), 14, replace=False)).astype(float) for _ in range(6)]


def lived(circuit, times, damage=lambda circuit: circuit):
    """Divide four of the sources in the middle of 400 ms, with spikes in flight; return the second half of the recording."""
    middle, _ = play(circuit, times, 200 * ms)
    events = ns.Events.divide("pre", [0, 1, 2, 3], rng=np.random.default_rng(1), share=(0.2, 0.7))
    divided = damage(ns.apply(middle, events))
    return [play(one, times, 200 * ms, record=[ns.Trace("post", "v")])[1]["post"] for one in (middle, divided)]


def test_a_split_leaves_all_other_spikes_as_they_were():
    circuit, times = shared_sources()
    assert [circuit[name].unsplittable for name in SETS] == [None, None]
    undivided, divided = lived(circuit, times)
    assert undivided.spikes.id.tolist() == divided.spikes.id.tolist() and undivided.spikes.step.tolist() == divided.spikes.step.tolist()
    assert len(undivided.spikes) > 10
    assert abs(undivided.trace("v").si - divided.trace("v").si).max() <= 1e-12  # 1e-9 mV


@pytest.mark.parametrize("column", ["u", "x"])
def test_control_a_copy_without_its_state_changes_others(column):
    def damage(circuit):
        for name in SETS:
            synapses = circuit[name].synapses
            fresh = circuit[name].synapse.initial_values()[column]
            circuit = circuit.set(name, **{column: np.where(synapses["parent"] >= 0, fresh, synapses[column])})
        return circuit

    undivided, divided = lived(*shared_sources(), damage)
    assert abs(undivided.trace("v").si - divided.trace("v").si).max() > 1e-5


def test_control_a_release_that_saturates_with_the_weight_is_not_split():
    tables = MODEL.specification()
    saturating = {"w_sat": {"dimension": "weight", "value": "1*mV", "meaning": "weight that delivers half"}}
    tables = {**tables, "parameters": {**tables["parameters"], **saturating}}
    tables["on_pre"] = "u += U*(1 - u)\ndeliver(w_sat*weight/(w_sat + abs(weight))*u*x)\nx -= u*x"
    assert MODEL.linear and not type(MODEL).from_specification(tables).linear
