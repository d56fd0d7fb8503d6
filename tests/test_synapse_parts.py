"""What synapse files are made of: traces, statements of every time step, what cells keep for them, marked cells, and several synapses of a pair."""

import numpy as np
import pytest
from plastic_pairs import W_MAX, change, pairs_of_cells, play, trains

import neurosim as ns
from neurosim.units import ms, mV, nS

NUMPY = ns.Brian2(dt=1 * ms, target="numpy")
STDP = ns.load_synapse("stdp_pair").replace(w_max=W_MAX, A_plus=0.03, A_minus=0.02)


def synapse(**tables):
    """A synapse model from tables, with what every file has."""
    entry = {"meaning": "a number", "source": "chosen"}
    tables["parameters"] = {
        name: {"meaning": "a weight", "dimension": "weight", **({} if value is None else {"value": value})}
        if name.startswith("w_")
        else {**entry, "value": value}
        for name, value in tables.get("parameters", {}).items()
    }
    given = {
        "name": "mine",
        "summary": "A synapse of a test.",
        "references": ["Made for this test."],
        "on_pre": "deliver(weight)",
        **tables,
    }
    return ns.SynapseModel.from_specification(given)


def random_trains(number, seed=5):
    """Trains of both sides in 200 ms, never at once."""
    rng = np.random.default_rng(seed)
    return [[np.sort(rng.choice(19, size=rng.integers(4, 9), replace=False)) * 10.0 + offset for offset in (12, 15)] for _ in range(number)]


# --- traces and statements of every time step ------------------------------------------------------------------------


def traced(flag, tau="20*ms"):
    """A pair rule whose traces are brought up to date at spikes, or solved in every time step."""
    return synapse(
        equations=f"dx/dt = -x/tau : 1 ({flag})\ndy/dt = -y/tau : 1 ({flag})",
        on_pre="deliver(weight)\nx += 1\nweight = clip(weight - 0.02*w_max*y, w_min, w_max)",
        on_post="y += 1\nweight = clip(weight + 0.03*w_max*x, w_min, w_max)",
        bounds=["w_min", "w_max"], initial={"x": "0", "y": "0"}, parameters={"tau": tau, "w_min": 0, "w_max": None},
    ).replace(w_max=W_MAX)  # fmt: skip


def test_a_trace_of_every_step_is_the_one_of_spikes():
    rules = {"at_spikes": traced("event-driven"), "at_steps": traced("clock-driven"), "other": traced("clock-driven", "20.1*ms")}
    times = random_trains(12)
    circuit = pairs_of_cells(len(times), rules, weight=0.4 * W_MAX)
    after, _ = play(circuit, trains(one for one, _ in times), trains(one for _, one in times), 215 * ms, dt=1 * ms)
    spikes, steps, other = (change(circuit, after, name) for name in rules)
    np.testing.assert_allclose(steps, spikes, rtol=1e-9)
    assert (abs(spikes) > 1e-3).all() and (abs(other / spikes - 1) > 1e-5).all()  # the control: another time constant


def test_statements_of_every_step_sum_up():
    """Over 100 steps: time itself, a clock-driven trace after its spike at 30 ms, and a potential that decays from 3 mV above rest.

    The trace is read at the end of a step in which its equation was solved before the spike came; of the potential each step has one more
    decay. Weights change by a hundredth of the sum of the trace.
    """
    rule = synapse(
        equations="dx/dt = -x/tau : 1 (clock-driven)\nage : second\narea : volt*second",
        on_pre="deliver(0*weight)\nx += 1",
        on_step="age += dt; area += (v_post - E)*dt; weight = clip(weight + w_max*0.01*x*dt/tau, w_min, w_max)",
        bounds=["w_min", "w_max"], initial={"x": "0", "age": "0*second", "area": "0*volt*second"},
        parameters={"tau": "10*ms", "E": "-65*mV", "w_min": 0, "w_max": None},
    ).replace(w_max=W_MAX)  # fmt: skip
    circuit = pairs_of_cells(2, rule).set("post", v=[-62, -65] * mV)
    after, _ = play(circuit, [(0, 30.0)], [], 100 * ms, dt=1 * ms)
    synapses = after["plastic"].synapses
    np.testing.assert_allclose(synapses["age"], 0.1, rtol=1e-12)
    decay = np.exp(-1 / 50)
    np.testing.assert_allclose(synapses["area"], [3e-3 * 1e-3 * decay * (1 - decay**100) / (1 - decay), 0], rtol=1e-9, atol=1e-15)
    left = np.exp(-1 / 10)
    np.testing.assert_allclose(change(circuit, after), [0.01 * 0.1 * (1 - left**70) / (1 - left), 0], rtol=1e-9)
    assert abs(synapses["area"][0] / (3e-3 * 1e-3 * (1 - decay**100) / (1 - decay)) - 1) > 0.01  # the control: one decay less


def both_cells(**tables):
    """A synapse that keeps what it reads, of cells whose own variable theta it names in [post]."""
    names = ("at_arrival", "at_spike", "at_end", "of_source", "theta_at_end")
    return synapse(
        equations="\n".join(f"{name} : volt" for name in names), initial=dict.fromkeys(names, "0*volt"),
        post={"equations": "theta : volt", "initial": {"theta": "0*volt"}}, on_post="at_spike = v_post",
        **{"on_pre": "deliver(weight)\nat_arrival = v_post", "on_step": "at_end = v_post; of_source = v_pre; theta_at_end = theta_post", **tables},
    )  # fmt: skip


def test_statements_read_both_cells():
    """A potential on either side; at spikes of the cell it is the one above the threshold, before the reset."""
    assert both_cells().reads == {"v_pre", "v_post", "theta_post"}
    source = ns.create("source", "leaky_adaptive_threshold", 1, state={"v": -50 * mV})
    target = ns.create("target", "leaky_adaptive_threshold", 1, state={"theta": 2 * mV})
    projection = ns.connect(source, target, both_cells(), ns.OneToOne(), receptor="v", weight=10 * mV, delay=1 * ms)
    after, recording = ns.simulate(ns.Circuit([source, target], [projection]), 4 * ms, backend=NUMPY, progress=False)
    assert [recording[name].spikes.step.tolist() for name in ("source", "target")] == [[0], [2]]
    read = {name: float(after["source_to_target"].synapses[name][0]) for name in projection.synapse.variables}
    # 10 mV above rest, which have decayed for a step when they are above the threshold; then the reset, and 0.1 mV more to the threshold
    expected = {
        "at_arrival": -0.055,
        "at_spike": -0.065 + 0.010 * np.exp(-1 / 50),
        "at_end": -0.065,
        "of_source": -0.065,
        "theta_at_end": 0.0021,
    }
    assert read == pytest.approx(expected, rel=1e-9)


def test_a_potential_of_the_source_where_its_spike_arrives():
    """Brian2 would ask the source whether the target is refractory, if both potentials hold still then; conductances may always change."""
    arriving = both_cells(on_pre="deliver(weight)\nof_source = v_pre", on_step="")
    cells = [ns.create(name, "leaky_adaptive_threshold", 1) for name in ("source", "target")]
    with pytest.raises(ValueError) as caught:
        ns.connect(*cells, arriving, ns.OneToOne(), receptor="v", weight=1 * mV)
    assert str(caught.value) == (
        "projection 'source_to_target': on_pre of synapse model 'mine' reads v_pre, and receptor 'v' changes v_post, both of which hold still "
        "in refractory cells; read it in on_step, or use a receptor that changes a conductance"
    )
    arriving = synapse(on_pre="deliver(weight)\nseen = v_pre", equations="seen : volt", initial={"seen": "0*volt"})
    cells = [ns.create(name, "leaky_conductance", 1, state={"v": v * mV}) for name, v in (("source", -40), ("target", -60))]
    projection = ns.connect(*cells, arriving, ns.OneToOne(), receptor="g_exc", weight=1 * nS, delay=1 * ms)
    after, _ = ns.simulate(ns.Circuit(cells, [projection]), 3 * ms, backend=NUMPY, progress=False)
    assert float(after["source_to_target"].synapses["seen"][0]) == pytest.approx(-0.060, rel=1e-9)
    assert float(after["target"].g_exc[0] / nS) > 0


# --- what cells keep -------------------------------------------------------------------------------------------------

RATE = {"equations": "drate/dt = -rate/tau_rate : Hz", "on_spike": "rate += 1/tau_rate", "initial": {"rate": "0*Hz"}}
READS_RATE = {"on_pre": "deliver(weight)\nseen = rate_post", "equations": "seen : Hz", "initial": {"seen": "0*Hz"}, "post": RATE}


def reader(tau_rate="50*ms", **tables):
    return synapse(**{**READS_RATE, **tables}, parameters={"tau_rate": tau_rate})


def test_keeping_adds_each_thing_once():
    cell = ns.load_cell("leaky").keeping("hebbian_rate")
    assert set(cell.variables) == {"v", "rate"} and cell.spike.on_spike == "rate += 1/tau_rate"
    again = cell.keeping("hebbian_rate", "oja", "static")
    assert again.specification() == cell.specification()
    both = cell.keeping("bcm", "stdp_voltage")
    assert set(both.variables) == {"v", "rate", "theta_m", "u_minus", "u_plus"} and both.spike.on_spike == cell.spike.on_spike
    assert "tau_theta_m" in both.parameters and "eta" not in both.parameters
    assert ns.load_cell("leaky").keeping().specification() == ns.load_cell("leaky").specification()


def test_two_rules_share_what_a_cell_keeps():
    """The rate that both read is exp(-t/50 ms)/50 ms after each spike of the cell."""
    rules = {"one": reader(), "two": reader(name="yours")}
    circuit = pairs_of_cells(1, rules, weight=0.1 * W_MAX)
    after, _ = play(circuit, [(0, 80.0)], [(0, 20.0), (0, 50.0)], 100 * ms, dt=1 * ms)
    expected = (np.exp(-60 / 50) + np.exp(-30 / 50)) / 0.05
    assert [float(after[name].synapses["seen"][0]) for name in rules] == pytest.approx([expected] * 2, rel=1e-9)


def test_a_subexpression_that_cells_keep_is_read():
    post = {**RATE, "equations": f"{RATE['equations']}\nexcess = rate - 10*Hz : Hz"}
    rule = reader(post=post, on_pre="deliver(weight)\nseen = excess_post")
    circuit = pairs_of_cells(1, rule, weight=0.1 * W_MAX)
    after, _ = play(circuit, [(0, 80.0)], [(0, 50.0)], 100 * ms, dt=1 * ms)
    assert float(after["plastic"].synapses["seen"][0]) == pytest.approx(np.exp(-30 / 50) / 0.05 - 10, rel=1e-9)


OTHERS = {
    "equation": (
        {"post": {**RATE, "equations": "drate/dt = -2*rate/tau_rate : Hz"}},
        "cell model 'leaky' has another 'rate' than synapse model 'mine' needs (drate/dt = -rate/tau_rate : Hz and drate/dt = -2*rate/tau_rate"
        " : Hz); give them the same one, or rename it.",
    ),
    "parameter": (
        {"tau_rate": "60*ms"},
        "cell model 'leaky' has another 'tau_rate' than synapse model 'mine' needs (50. ms and 60. ms); give them the same one, or rename it.",
    ),
    "name of a parameter": (
        {"post": {"equations": "g_L : Hz", "initial": {"g_L": "0*Hz"}}, "on_pre": "deliver(weight)\nseen = g_L_post"},
        "cell model 'leaky': 'g_L' is both a parameter and in the equations; rename one of them.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
def test_cells_that_cannot_keep_both(other):
    tables, message = OTHERS[other]
    cell = ns.load_cell("leaky").keeping(reader())
    with pytest.raises(ValueError) as caught:
        cell.keeping(reader(**tables))
    assert str(caught.value) == message


MISSING = {
    "a variable": (
        "leaky_conductance", reader(),
        "projection 'pre_to_post' needs the variable 'rate' of its postsynaptic cells for synapse model 'mine', which 'leaky_conductance' "
        "lacks; create the population from ns.load_cell('leaky_conductance').keeping('mine')",
    ),
    "another parameter": (
        ns.load_cell("leaky_conductance").keeping(reader()), reader("60*ms"),
        "projection 'pre_to_post': tau_rate is 60. ms in synapse model 'mine' and 50. ms in its target cells; make the cells with "
        ".keeping(...) of this synapse",
    ),
    "another equation": (
        ns.load_cell("leaky_conductance").keeping(reader()), reader(post={**RATE, "equations": "drate/dt = -2*rate/tau_rate : Hz"}),
        "projection 'pre_to_post': synapse model 'mine' keeps another 'rate' in its cells than 'leaky_conductance' has; make the cells with "
        ".keeping(...) of it",
    ),
    "half of what is kept": (
        ns.load_cell("leaky_conductance").keeping(reader()),
        reader(post={"equations": "dmean/dt = (rate - mean)/tau_rate : Hz\n" + RATE["equations"], "initial": {"mean": "0*Hz", "rate": "0*Hz"}}),
        "projection 'pre_to_post' needs the variable 'mean' of its postsynaptic cells for synapse model 'mine', which 'leaky_conductance' "
        "lacks; create the population from ns.load_cell('leaky_conductance').keeping('mine')",
    ),
    "a potential of sources": (
        "leaky_conductance", synapse(on_pre="deliver(weight)\nseen = v_pre", equations="seen : volt", initial={"seen": "0*volt"}),
        "projection 'pre_to_post' needs the variable 'v' of its presynaptic cells for synapse model 'mine', which 'spike_source' lacks; use "
        "cells that have it",
    ),
}  # fmt: skip


def test_two_ways_to_count_the_same_spikes_are_refused():
    """Both statements together would count each spike twice."""
    tables = ns.load_synapse("oja").specification()
    tables["post"]["on_spike"] = "rate = rate + 1/tau_rate"
    other = ns.SynapseModel.from_specification(tables)
    message = (
        r"'leaky' changes 'rate' at each spike in another way than synapse model 'oja' \(rate = rate \+ 1/tau_rate\); give them the same"
    )
    with pytest.raises(ValueError, match=message):
        ns.load_cell("leaky").keeping("bcm", other)


@pytest.mark.parametrize("missing", MISSING)
def test_cells_that_lack_what_a_synapse_reads(missing):
    cell, rule, message = MISSING[missing]
    pre, post = ns.create("pre", "spike_source", 1), ns.create("post", cell, 1)
    with pytest.raises(ValueError) as caught:
        ns.connect(pre, post, rule, ns.AllToAll(), receptor="g_exc", weight=1 * nS)
    assert str(caught.value) == message


# --- several synapses between the same two cells ---------------------------------------------------------------------


def window(interval):
    """Song et al. 2000 with the amplitudes of these tests; ms, post minus pre."""
    return np.where(interval > 0, 0.03 * np.exp(-interval / 16.8), -0.02 * np.exp(interval / 33.7))


def contacts():
    """Three synapses of one pair of cells, with delays of 0, 6 and 15 ms and weights of their own, and one of another pair."""
    circuit = pairs_of_cells(2, {})
    pre, post = circuit["pre"], circuit["post"]
    weight = np.array([0.5, 0.4, 0.3, 0.2]) * W_MAX
    rule = ns.connect(
        pre, post, STDP, ns.Pairs([0, 0, 0, 1], [0, 0, 0, 1]), receptor="v", weight=weight, delay=[0, 6, 15, 0] * ms
    ).replace(name="plastic")  # fmt: skip
    return ns.Circuit([pre, circuit["teacher"], post], [rule, circuit["force"]])


def test_each_synapse_of_a_pair_learns_alone():
    circuit = contacts()
    spikes = [(0, 50.0), (1, 50.0)], [(0, 60.0), (1, 60.0)]
    middle, _ = play(circuit, *spikes, 80 * ms, dt=1 * ms)
    np.testing.assert_allclose(change(circuit, middle), window(np.array([10, 4, -5, 10])), rtol=1e-9)
    divided = ns.apply(middle, ns.Events.divide("post", [0], rng=np.random.default_rng(1)))
    divided = ns.apply(divided, ns.Events.divide("pre", [0], rng=np.random.default_rng(2)))
    synapses = divided["plastic"].synapses
    copies = [np.flatnonzero(synapses["delay"] == delay) for delay in circuit["plastic"].synapses["delay"][:3]]
    for row, own in enumerate(copies):
        own = own[(synapses["pre"][own] != 1) | (synapses["post"][own] != 1)]
        assert sorted(zip(synapses["pre"][own], synapses["post"][own], strict=True)) == [(0, 0), (0, 2), (2, 0), (2, 2)]
        np.testing.assert_array_equal(synapses["weight"][own], middle["plastic"].synapses["weight"][row])
        for post in (0, 2):
            assert synapses["share"][own][synapses["post"][own] == post].sum() == pytest.approx(1)
    unlinked = ns.apply(divided, ns.Events.unlink("plastic", 1))["plastic"].synapses
    assert len(unlinked) == len(synapses) - 1 and 1 not in unlinked["id"]
    kept = synapses["id"] != 1
    assert all(np.array_equal(unlinked[name], synapses[name][kept]) for name in ("id", "pre", "post", "weight", "delay", "share"))


# --- one run or two, one backend or the other ------------------------------------------------------------------------


def everything():
    """A rule with traces of both kinds, statements of every step, use and what cells keep; some cells are marked."""
    rule = synapse(
        equations="dx/dt = -x/tau : 1 (clock-driven)\ndy/dt = -y/tau : 1 (event-driven)",
        on_pre="deliver(weight)\nx += 1\nweight = clip(weight - w_max*(0.02*y + 1e-4*use/Hz), w_min, w_max)",
        on_post="y += 1\nweight = clip(weight + 1e-4*w_max*rate_post/Hz, w_min, w_max)",
        on_step="weight = clip(weight + 0.3*w_max*x*clip(u_post + 64*mV, 0*mV, 1*volt)/volt*dt/ms, w_min, w_max)",
        bounds=["w_min", "w_max"], initial={"x": "0", "y": "0"}, parameters={"tau": "20*ms", "tau_rate": "100*ms", "w_min": 0, "w_max": None},
        post={
            "equations": "drate/dt = -rate/tau_rate : Hz\ndu/dt = (v - u)/tau_rate : volt", "on_spike": "rate += 1/tau_rate",
            "initial": {"rate": "0*Hz", "u": "v"},
        },
    ).replace(w_max=W_MAX)  # fmt: skip
    source = ns.create("source", "spike_source", 10)
    cells = ns.create("cells", ns.load_cell("leaky_adaptive_threshold").keeping(rule), 5)
    wiring = ns.Pairs(np.repeat(np.arange(10), 3), np.random.default_rng(2).integers(0, 5, 30))
    plastic = ns.connect(source, cells, rule, wiring, receptor="v", weight=ns.Uniform(0.5 * W_MAX, 0.9 * W_MAX), delay=3 * ms, seed=1)
    return ns.Circuit([source, cells], [plastic.replace(name="plastic")], seed=4).freeze("cells", [2]).freeze("source", [0])


def carried_on(circuit, *durations, backend=NUMPY):
    """Simulate for so many ms at a time, with irregular spikes of the sources at about 60 Hz; returns the circuit and (cell, step) of all spikes."""
    rng, spikes = np.random.default_rng(9), []
    ids, times = np.repeat(np.arange(10), 12), np.concatenate([rng.choice(200, 12, replace=False) for _ in range(10)]) * 1.0
    for duration in durations:
        circuit, recording = ns.simulate(
            circuit, duration * ms, inputs=[ns.SpikeTimes("source", ids, times * ms)], backend=backend, progress=False
        )
        spikes += zip(recording["cells"].spikes.id.tolist(), recording["cells"].spikes.step.tolist(), strict=True)
    return circuit, spikes


@pytest.fixture(scope="module")
def whole():
    return everything(), *carried_on(everything(), 200)


def test_a_run_in_two_pieces_is_the_same(whole):
    circuit, after, spikes = whole
    pieces, again = carried_on(circuit, 100, 100)
    assert len(spikes) > 10 and again == spikes
    for part, table in (("plastic", "synapses"), ("cells", "cells")):
        one, other = getattr(after[part], table), getattr(pieces[part], table)
        assert all(one[name].tobytes() == other[name].tobytes() for name in one)
    moved = abs(after["plastic"].synapses["weight"] - circuit["plastic"].synapses["weight"]) > 1e-6
    frozen = circuit["plastic"].synapses["frozen"] > 0
    np.testing.assert_array_equal(moved, ~frozen)
    assert 5 < frozen.sum() < 25


def test_the_library_does_what_numpy_does(whole):
    circuit, after, spikes = whole
    compiled, again = carried_on(circuit, 200, backend=ns.Brian2(dt=1 * ms, target="library", arithmetic="strict"))
    assert sorted(again) == sorted(spikes)
    for part, table in (("plastic", "synapses"), ("cells", "cells")):
        one, other = getattr(after[part], table), getattr(compiled[part], table)
        for name in one:
            np.testing.assert_allclose(other[name], one[name], rtol=1e-9, atol=1e-15, err_msg=name)
