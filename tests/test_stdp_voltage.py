"""Plasticity by the postsynaptic potential (Clopath et al. 2010): closed forms under voltage clamp, NEST's synapse, and cells that spike."""

import numpy as np
import pytest
from peers_run import ask_voltage_rule, needs
from plastic_pairs import trains

import neurosim as ns
from neurosim.units import Mohm, ms, mV, nS

pytestmark = pytest.mark.filterwarnings("ignore:dt is")  # a clamp follows its command within one time step

CLAMPED = """
name = "clamped"
summary = "Cell whose potential is what is injected, times R."
references = ["Made for these tests."]
method = "exponential_euler"
equations = '''
dv/dt = (R*I_e - v)/tau_m : volt
ds/dt = -s/tau_s : volt
'''
[spike]
rule = "crossing"
threshold = "v > V_th"
[initial]
v = "0*mV"
s = "0*mV"
[parameters]
area  = { value = "100*um**2", meaning = "membrane area", source = "chosen" }
R     = { value = "1*Mohm", meaning = "what turns a current into a potential", source = "chosen" }
tau_m = { value = "1*us", meaning = "time constant of the clamp", source = "chosen: far below a time step" }
tau_s = { value = "1*ms", meaning = "time constant of what synapses do, which moves nothing", source = "chosen" }
V_th  = { value = "1*volt", meaning = "threshold, out of reach", source = "chosen" }
[receptors]
s   = { meaning = "a jump that the potential does not feel" }
I_e = { kind = "current", meaning = "the command" }
"""
W_MAX = 1 * mV
DT = 0.1  # ms
RULE = ns.load_synapse("stdp_voltage").replace(w_max=W_MAX)
# Clopath et al. 2010, Table 1b: A_LTD (1/mV), A_LTP (1/mV2), theta_minus, theta_plus (mV), tau_x, tau_minus, tau_plus (ms)
TABLE = {
    "visual_cortex": (14e-5, 8e-5, -70.6, -45.3, 15, 10, 7),
    "somatosensory_cortex": (21e-5, 30e-5, -70.6, -45.3, 30, 6, 5),
    "hippocampus": (38e-5, 2e-5, -41.0, -38.0, 16),
}


@pytest.fixture(scope="module")
def clamped(tmp_path_factory):
    path = tmp_path_factory.mktemp("cells") / "clamped.toml"
    path.write_text(CLAMPED)
    return ns.load_cell(path)


def voltage_clamp(cell, rules, potentials, pre, learning=1.0):
    """Give each cell its potential (mV) [cell, time step] and each synapse its spikes (ms); returns changes of weight by rule."""
    potentials = np.asarray(potentials, dtype=float)
    size, steps = potentials.shape
    first = potentials[:, 0] * mV
    source = ns.create("pre", "spike_source", size)
    post = ns.create("post", cell.keeping(*rules.values()), size, state={name: first for name in ("v", "u_minus", "u_plus")})
    projections = [
        ns.connect(source, post, rule, ns.OneToOne(), receptor="s", weight=0.5 * W_MAX).replace(name=name) for name, rule in rules.items()
    ]
    spikes = np.array(trains(pre))
    command = ns.WaveformInput("post", "I_e", ns.Waveform(potentials * (mV / Mohm), dt=DT * ms))
    after, _ = ns.simulate(
        ns.Circuit([source, post], projections), steps * DT * ms, inputs=[command, ns.SpikeTimes("pre", spikes[:, 0].astype(int), spikes[:, 1] * ms)],
        modulate={f"{name}.learning": learning for name in rules}, backend=ns.Brian2(dt=DT * ms, target="numpy"), progress=False,
    )  # fmt: skip
    return {name: np.asarray(after[name].weight / W_MAX - 0.5) / learning for name in rules}


# --- a potential that is held ----------------------------------------------------------------------------------------


def per_spike(u, name):
    """What one presynaptic spike makes of the weight at a potential u (mV) that stays: the trace x has an integral of 1."""
    depression, potentiation, low, high, *_ = TABLE[name]
    return (-depression + potentiation * np.maximum(u - high, 0)) * np.maximum(u - low, 0)


POTENTIALS = np.array([-80, -75, -70.6, -70, -65, -60, -50, -45.3, -44, -43, -41, -40, -38, -30, -26.5, -25, -20, -18, -10, 0])
NAMES = ("visual_cortex", "hippocampus")
PULSES = 25


@pytest.fixture(scope="module")
def held(clamped):
    """The change of weight with each of 25 presynaptic spikes at potentials from -80 to 0 mV, by parameter set; at a small learning rate."""
    rules = {name: RULE.parameter_set(name) for name in NAMES}
    pre = [np.arange(1, 1 + 2 * PULSES, 2.0)] * len(POTENTIALS)
    changes = voltage_clamp(clamped, rules, np.repeat(POTENTIALS[:, None], 2500, axis=1), pre, learning=0.04)
    return {name: one / PULSES for name, one in changes.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_held_potential(held, name):
    """Their Fig. 1h in closed form; time steps add x up to (dt/tau_x)/(1 - exp(-dt/tau_x)), 1 in the limit, and after 200 ms 4e-6 of it is to come."""
    depression, potentiation, low, high, tau_x, *_ = TABLE[name]
    up = potentiation * np.maximum(POTENTIALS - high, 0) * np.maximum(POTENTIALS - low, 0)
    down = depression * np.maximum(POTENTIALS - low, 0)
    step = DT / tau_x
    np.testing.assert_allclose(held[name], up * step / -np.expm1(-step) - down, rtol=0, atol=1e-5 * up.max())
    np.testing.assert_allclose(held[name], per_spike(POTENTIALS, name), rtol=0, atol=0.004 * up.max())
    other = per_spike(POTENTIALS, *(one for one in NAMES if one != name))
    assert abs(held[name] - other).max() > 0.1 * up.max()  # the control: the other set


@pytest.mark.parametrize("name", NAMES)
def test_nothing_then_depression_then_potentiation(held, name):
    """Artola, Brocher & Singer 1990 and Ngezahayo et al. 2000, as in Fig. 1h: two thresholds."""
    depression, potentiation, low, high, *_ = TABLE[name]
    crossing = high + depression / potentiation
    np.testing.assert_array_equal(held[name][POTENTIALS <= low], 0)
    between = (POTENTIALS > low) & (POTENTIALS < crossing)
    assert (held[name][between] < 0).all() and (held[name][POTENTIALS > crossing] > 0).all()
    assert between.sum() > 4 and (POTENTIALS <= low).sum() > 2 and (POTENTIALS > crossing).sum() > 1


@pytest.mark.parametrize(
    ("name", "potential", "pulses", "weight"),
    [("visual_cortex", -45.3, 25, 0.911), ("visual_cortex", -26.5, 25, 2.5), ("hippocampus", -30, 100, 0.758)],
)
def test_weights_read_from_their_figure(held, name, potential, pulses, weight):
    """Their Fig. 1h, as a share of a first weight of 1: the least of either curve, and where the blue one leaves the panel."""
    assert 1 + pulses * held[name][POTENTIALS == potential].item() == pytest.approx(weight, rel=0.005)


# --- a potential that steps ------------------------------------------------------------------------------------------

REST, STEP = -68.0, 20.0  # mV, ms
LATE = np.array([-12, -3, 0.1, 2, 5, 10, 20, 40])  # ms after the step
LEVELS = {"depression alone": -50.0, "both": -20.0}  # mV


def after_step(t, level, values):
    """The change of weight by one presynaptic spike t (ms) after the step, for ever after: filters are exponentials, and so are integrals."""
    depression, potentiation, low, high, tau_x, tau_minus, tau_plus = values
    since = np.maximum(t, 0)
    left = np.exp((since - t) / -tau_x)  # of x where the step comes after the spike
    down = depression * (level + (REST - level) * np.exp(-since / tau_minus) - low)
    filtered = level - low + (REST - level) * np.exp(-since / tau_plus) * tau_plus / (tau_plus + tau_x)
    return potentiation * max(level - high, 0) * left * filtered - down


@pytest.fixture(scope="module")
def stepped(clamped):
    """Changes of weight, [level, lag]."""
    steps = np.repeat(list(LEVELS.values()), len(LATE))[:, None] * np.ones(2500)
    steps[:, : round(STEP / DT)] = REST
    changes = voltage_clamp(clamped, {"plastic": RULE}, steps, [[STEP + t] for t in LATE] * len(LEVELS))["plastic"]
    return dict(zip(LEVELS, changes.reshape(len(LEVELS), len(LATE)), strict=True))


@pytest.mark.parametrize(("level", "filters"), [("depression alone", (15, 7)), ("both", (10, 10.5))])
def test_a_step_of_the_potential(stepped, level, filters):
    """The error is of first order in dt: dt/(2 tau_plus) = 0.7 %."""
    changes, values = stepped[level], TABLE["visual_cortex"]
    np.testing.assert_allclose(changes, after_step(LATE, LEVELS[level], values), rtol=0, atol=0.007 * abs(changes).max())
    wrong = after_step(LATE, LEVELS[level], (*values[:5], *filters))
    assert abs(changes - wrong).max() > 0.02 * abs(changes).max()  # the control: another filter


@pytest.mark.parametrize("name", TABLE)
def test_sets_are_those_of_the_table(name):
    keys = ("A_LTD", "A_LTP", "theta_minus", "theta_plus", "tau_x", "tau_minus", "tau_plus")
    units = (1 / mV, 1 / mV**2, mV, mV, ms, ms, ms)
    values = RULE.sets[name].values
    assert set(values) == set(keys[: len(TABLE[name])])
    for key, unit, number in zip(keys, units, TABLE[name]):
        assert float(values[key] / unit) == pytest.approx(number, rel=1e-12)
    assert (RULE.parameter_set(name).namespace() == RULE.namespace()) == (name == "visual_cortex")  # the default


# --- against NEST ----------------------------------------------------------------------------------------------------

PRE = [[20.0, 40.0, 60.0, 280.0], [30.0, 50.0, 70.0, 280.0], [20.0, 120.0, 280.0]]
POST = [[30.0, 50.0, 70.0], [20.0, 40.0, 60.0], [30.0, 130.0]]


@pytest.mark.peers
@needs("nest")
def test_weights_as_in_nest(clamped):
    """Its cell's potential, played to our synapses; of first order in dt on both sides.

    NEST reads the potential one dendritic delay (a time step) before a presynaptic spike, and filtered ones `delay_u_bars` late.
    """
    question = {
        "synapse": {"synapse_model": "clopath_synapse", "tau_x": 15.0, "weight": 0.5}, "model": "aeif_psc_delta_clopath",
        "pre": PRE, "post": POST, "force": 80.0, "every": DT, "duration": 300.0,
    }  # fmt: skip
    weights, v = ask_voltage_rule(cell={"delay_u_bars": 0.0}, **question)
    theirs = weights - 0.5
    ours = voltage_clamp(clamped, {"plastic": RULE}, v, [np.round(np.array(one) - DT, 1) for one in PRE])["plastic"]
    np.testing.assert_allclose(ours, theirs, rtol=0.02)
    late = ask_voltage_rule(cell={"delay_u_bars": 5.0}, **question)[0] - 0.5
    assert (ours > 2 * late).all()  # the control, and what its default makes of the equations


# --- cells that spike ------------------------------------------------------------------------------------------------

# (rate in Hz, lag of the postsynaptic spike in ms, number of pairs); one pair stands for pairs at 0.1 Hz
PAIRED = [(10, 10, 2), (50, 10, 2), (0.1, 10, 1), (10, -10, 2), (50, -10, 2), (0.1, -10, 1)]
SPIKING = {  # no leaky cell: it has no spike in its potential
    "hodgkin_huxley": ("g_exc", RULE.replace(w_max=10 * nS, theta_minus=-65 * mV), 100 * nS),
}


@pytest.mark.parametrize("name", SPIKING)
def test_pairs_at_higher_rates_potentiate_more(name):
    """As in Sjostrom et al. 2001 and their Fig. 2b: depression by a late presynaptic spike at 10 Hz, which turns at 50 Hz."""
    receptor, rule, force = SPIKING[name]
    size = len(PAIRED)
    first = [20 + np.arange(number) * 1000 / rate for rate, _, number in PAIRED]
    pre, post = ([one + max(side * lag, 0) for one, (_, lag, _) in zip(first, PAIRED, strict=True)] for side in (-1, 1))
    sources = [ns.create(side, "spike_source", size) for side in ("pre", "teacher")]
    cell = ns.create("post", ns.load_cell(name).keeping(rule), size)
    w_max = rule.parameters["w_max"].quantity
    plastic = ns.connect(sources[0], cell, rule, ns.OneToOne(), receptor=receptor, weight=0.5 * w_max).replace(name="plastic")
    teach = ns.connect(sources[1], cell, "static", ns.OneToOne(), receptor=receptor, weight=force).replace(name="teach")
    inputs = [
        ns.SpikeTimes(side, np.array([k for k, _ in trains(lists)]), [t for _, t in trains(lists)] * ms)
        for side, lists in (("pre", pre), ("teacher", post))
    ]
    circuit = ns.Circuit([*sources, cell], [plastic, teach])
    after, recording = ns.simulate(circuit, 180 * ms, inputs=inputs, backend=ns.Brian2(dt=DT * ms, target="numpy"), progress=False)
    assert recording["post"].counts.tolist() == [number for *_, number in PAIRED]
    early, late = np.asarray(after["plastic"].weight / w_max - 0.5).reshape(2, 3)
    assert early[1] > 1.005 * early[0] and min(early) > 0
    assert max(late[0], late[2]) < -5e-4 and late[1] > 5e-4
    # the control: at 10 Hz pairs do not know of each other
    np.testing.assert_allclose([early[0], late[0]], [2 * early[2], 2 * late[2]], rtol=0.03)
