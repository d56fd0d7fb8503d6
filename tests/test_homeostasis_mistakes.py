"""What homeostasis refuses before anything runs, and what taking it back leaves."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.units import Hz, ms, mV, second

STATIC = ns.load_synapse("static")


def run(circuit, duration):
    return ns.simulate(circuit, duration, backend=ns.Brian2(dt=0.5 * ms, target="numpy"), progress=False)


def joined(synapse, receptor="v", cell="leaky_adaptive_threshold", keep=True):
    model = ns.load_cell(cell)
    pre, post = ns.create("pre", "spike_source", 1), ns.create("post", model.keeping(synapse) if keep else model, 1)
    return ns.Circuit([pre, post], [ns.connect(pre, post, synapse, ns.AllToAll(), receptor=receptor, weight=0.1 * mV)])


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("outgoing", {}, 'normalise is \'outgoing\'; give "incoming" or "rate"'),
        ("rate", {"target_rate": 0 * Hz}, r"parameter 'target_rate' is 0.0\*Hz; normalise = \"rate\" needs one above 0"),
        ("rate", {"tau_scaling": 0 * ms}, r"parameter 'tau_scaling' is 0.0\*second; .* above 0"),
        ("rate", {"tau_rate": -1 * ms}, "parameter 'tau_rate' is -1. ms; a time is not negative"),
        (
            "rate",
            {"interval": np.inf * second},
            "parameter 'interval' is infinite; normalise = \"rate\" scales at intervals alone, give a time",
        ),
        ("incoming", {"w_total": 0 * mV}, r"parameter 'w_total' is 0.0\*volt; normalise = \"incoming\" needs one above 0"),
        ("incoming", {"interval": -1 * ms}, "parameter 'interval' is -1. ms; a time is not negative"),
    ],
)
def test_a_slip_in_a_parameter_is_told(kind, changes, message):
    with pytest.raises(ValueError, match=message):
        STATIC.replace(normalise=kind).replace(**changes)


@pytest.mark.parametrize(
    ("interval", "message"),
    [
        (1.3 * ms, "interval of the normalisation of projection 'pre_to_post' is 1.3 ms; give a whole multiple of dt = 0.5 ms"),
        (0 * ms, "interval of the normalisation of projection 'pre_to_post' is 0; give at least one time step"),
    ],
)
@pytest.mark.parametrize("kind", ["incoming", "rate"])
def test_an_interval_off_the_grid_is_told_before_anything_runs(kind, interval, message):
    total = {"w_total": 1 * mV} if kind == "incoming" else {}
    circuit = joined(STATIC.replace(normalise=kind, interval=interval, **total))
    with pytest.raises(ValueError, match=message):
        run(circuit, 1 * ms)


def test_cells_without_a_rate_and_receptors_without_a_sign_are_told():
    scaling = STATIC.replace(normalise="rate")
    with pytest.raises(
        ValueError, match=r"needs the variable 'rate' of its postsynaptic cells .*create .*'leaky_adaptive_threshold'\).keeping\(synapse\)"
    ):
        joined(scaling, keep=False)
    with pytest.raises(ValueError, match="tau_rate is 1. s in synapse model 'static' and 2. s in its target cells"):
        model = ns.load_cell("leaky_adaptive_threshold").keeping(scaling.replace(tau_rate=2 * second))
        pre, post = ns.create("pre", "spike_source", 1), ns.create("post", model, 1)
        ns.connect(pre, post, scaling, ns.AllToAll(), receptor="v", weight=0.1 * mV)
    with pytest.raises(
        ValueError, match="projection 'pre_to_post' scales .* receptor 'direct_inhibition' does not say whether it excites; give it a sign"
    ):
        run(joined(scaling, receptor="direct_inhibition"), 1 * ms)


@pytest.mark.parametrize("name", ["stdp_pair", "bcm", "hebbian_rate", "static"])
def test_normalise_is_taken_back_with_all_that_it_brought(name):
    synapse = ns.load_synapse(name)
    asked = synapse.replace(normalise="rate", tau_scaling=7 * second)
    assert asked != synapse == asked.replace(normalise=None)
    other = asked.replace(normalise="incoming")
    assert other == synapse.replace(normalise="incoming") and "w_total" in other.missing() and "w_total" not in asked.missing()
    assert ns.SynapseModel.from_specification(asked.specification()) == asked


def test_a_rate_of_the_synapses_own_is_taken_and_must_be_one():
    tables = ns.load_synapse("bcm").specification()
    assert ns.load_synapse("bcm").replace(normalise="rate").post == ns.load_synapse("bcm").post
    tables |= {"normalise": "rate", "post": {"equations": "drate/dt = -rate/tau_rate : 1", "initial": {"rate": "1"}}}
    with pytest.raises(ValueError, match="'rate' has the unit 1, but normalise = \"rate\" needs Hz"):
        ns.SynapseModel.from_specification(tables)
    for wrong, message in ((3, r"\[post\] is 3; make it a table"), ({"equations": ""}, r"\[post\] lacks the key 'initial'")):
        with pytest.raises(ValueError, match=message):
            ns.SynapseModel.from_specification({**tables, "post": wrong})
