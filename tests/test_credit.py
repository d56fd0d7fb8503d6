"""Who has credit for a reward, through divisions and whatever the time step; and what a credit cannot be given through."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.recording import PartRecording, Recording
from neurosim.units import ms, mV

RULE = ns.load_synapse("credit_gated").replace(w_max=20 * mV, memory_span=50 * ms)
CELL = ns.load_cell("leaky_adaptive_threshold").replace(theta_plus=0 * mV).keeping(RULE)


def reward_of(value):
    return lambda circuit, recording: value


@pytest.mark.parametrize(("dt", "tau"), [(0.05, 1), (0.5, 1), (1, 1), (0.5, 10)])
def test_a_credit_of_1_moves_a_weight_by_eta_at_every_time_step(dt, tau):
    rule = RULE.replace(eta=0.01, tau_credit=tau * ms, memory_span=1000 * ms)
    source, cell = ns.create("source", "spike_source", 1), ns.create("cell", ns.load_cell("leaky_adaptive_threshold").keeping(rule), 1)
    joined = ns.connect(source, cell, rule, ns.AllToAll(), receptor="v", weight=5 * mV).replace(name="joined")
    now = ns.Circuit([source, cell], [joined], seed=1).set("joined", remembered=1000 * ms).set("cell", credit=1.0)
    after, _ = ns.simulate(now, 40 * tau * ms, backend=ns.Brian2(dt=dt * ms, target="numpy"), progress=False)
    assert after["joined"].synapses["weight"][0] - 0.005 == pytest.approx(0.01 * 0.02, rel=1e-9)


def network(weights=(5, 10)):
    """Cells that reach one answering cell, all of whose synapses remember."""
    hidden, out, other = ns.create("hidden", CELL, len(weights)), ns.create("out", CELL, 1), ns.create("other", CELL, 1)
    size = np.arange(len(weights))
    readout = ns.connect(hidden, out, RULE, ns.Pairs(size, 0 * size), receptor="v", weight=np.array(weights) * mV).replace(name="readout")
    aside = ns.connect(hidden, other, RULE, ns.AllToAll(), receptor="v", weight=1 * mV).replace(name="aside")
    return ns.Circuit([hidden, out, other], [readout, aside], seed=1).set("readout", remembered=10 * ms)


def parts(circuit):
    counts = {"out": np.ones(len(circuit["out"]), int), "hidden": np.zeros(len(circuit["hidden"]), int)}
    recording = Recording({name: PartRecording(name, 0.04, circuit[name].ids, one) for name, one in counts.items()}, 0, 80, 5e-4)
    return ns.Credit("out", reward_of(1.0), ["readout"]).parts(circuit, recording)["hidden"]


@pytest.mark.parametrize("mother", [0, 1])
def test_twins_have_the_credit_of_their_mother_and_a_division_changes_nobody_elses(mother):
    before = parts(network())
    divided = ns.apply(network(), ns.Events.divide("hidden", [mother], rng=np.random.default_rng(0)))
    np.testing.assert_allclose(parts(divided), [*before, before[mother]], rtol=1e-12)
    delivered = divided["readout"].delivered / mV
    assert not np.allclose(delivered / delivered.max(), parts(divided))  # the control: by what they deliver they would not


SLIPS = {
    "order": (lambda: ns.Credit("out", reward_of(1.0), ["aside", "readout"]), "its target cells, 'other', have no credit by then; name first what leads from"),
    "a variable with a unit": (lambda: ns.Credit("out", reward_of(1.0), ["readout"], variable="v"), "'v' of 'out' has the unit volt; name a variable without one"),
}  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS)
def test_slips_are_told_before_anything_runs(slip):
    make, message = SLIPS[slip]
    with pytest.raises(ValueError) as told:
        ns.develop(network(), ns.Lifecycle(5 * ms, [ns.Phase("life", 1, [make()])]), progress=False)
    assert message in str(told.value)


def test_two_credits_that_write_the_same_variable_are_refused():
    first, second = (ns.Credit("out", reward_of(value), ["readout"], label=label) for value, label in ((1.0, "one"), (-1.0, "other")))
    with pytest.raises(ValueError, match="'credit' of 'hidden' is kept in two ways at once"):
        ns.develop(network(), ns.Lifecycle(5 * ms, [ns.Phase("life", 1, [first, second])]), progress=False)
