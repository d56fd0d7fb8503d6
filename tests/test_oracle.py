"""Check the oracle itself against closed forms, conservation and Brian2, each with a control that must fail."""

import ast
import random
from math import ceil, exp, log
from pathlib import Path

import brian2
import numpy as np
import pytest
from oracle import Cell, Oracle, Synapse

DT = 1e-4
STDP = dict(w_max=3e-9, A_plus=0.05, A_minus=0.04)


def source(*steps):
    return Cell(at=frozenset(steps))


def adaptive(**given):
    """Give a leaky cell with an adaptive threshold and synapses on v: tau_m 20 ms, E_L -70 mV."""
    return Cell(**dict(C_m=20e-3, g_L=1.0, theta_plus=1e-3, tau_theta=0.2) | given)


def contact(weight=1e-9, delay_steps=0, pre_at=(0,), post=None, **others):
    """Give an oracle with one synapse, 1, from a source to a cell that, unless given, cannot spike."""
    oracle = Oracle(DT, {"pre": source(*pre_at), "post": post or Cell(V_th=1.0)})
    oracle.link("pre", "post", weight, delay_steps, **others)
    return oracle


def test_it_is_short_and_imports_only_plain_python():
    text = Path(__file__).with_name("oracle.py").read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert {getattr(node, "module", None) for node in imports} == {"collections", "math"}
    assert len(text.splitlines()) <= 130


def test_a_slip_in_a_name_is_refused():
    with pytest.raises(TypeError, match=r"Synapse has no \['wieght'\]"):
        Synapse(wieght=1.0)


def spike_steps(drive, dt=DT, seconds=1.0, **others):
    """Drive a cell of tau_m 10 ms, threshold 10 mV above rest and reset and tau_ref 5 ms with the current that lifts v to `drive`."""
    cell = Cell(**dict(E_L=0.0, V_reset=0.0, v=0.0, V_th=10e-3, tau_ref=5e-3, C_m=100e-12, I_e=drive * 10e-9) | others)
    return [step for step, _ in Oracle(dt, {0: cell}).run(round(seconds / dt))]


@pytest.mark.parametrize("drive", [10.5e-3, 12e-3, 15e-3, 20e-3])
@pytest.mark.parametrize("dt", [1e-4, 2.5e-4, 1e-3])
def test_leaky_rate(drive, dt):
    rise = 10e-3 * log(drive / (drive - 10e-3))
    steps = spike_steps(drive, dt)
    assert len(steps) > 20
    # v is frozen for tau_ref/dt - 1 steps after the spike's own and then takes the first grid point past the threshold.
    assert set(np.diff(steps)) == {round(5e-3 / dt) - 1 + ceil(rise / dt)}
    assert steps[0] == ceil(rise / dt) - 1
    assert abs(np.diff(steps).mean() * dt - (5e-3 + rise)) <= dt


def test_leaky_rate_at_threshold_and_at_other_refractory_times():
    assert spike_steps(10e-3) == []
    # 0.3 ms / 0.1 ms is below 3 in floating point, and still 3 steps.
    for tau_ref, steps in [(0.0, 0), (0.3e-3, 2), (4e-3, 39), (5e-3, 49)]:
        assert set(np.diff(spike_steps(15e-3, tau_ref=tau_ref))) == {ceil(10e-3 * log(3.0) / DT) + steps}


def test_adaptive_threshold_is_a_geometric_sum_of_its_spikes():
    cell = adaptive(theta_plus=2e-3)
    spikes = Oracle(DT, {0: cell}).run(2000, lambda step: [(0, "v", 30e-3)] if step % 500 == 0 else [])
    assert [step for step, _ in spikes] == [0, 500, 1000, 1500]
    assert cell.theta == pytest.approx(2e-3 * sum(exp(-(1999 - step) * DT / 0.2) for step, _ in spikes), rel=1e-12)
    assert Oracle(DT, {0: adaptive(theta=15e-3)}).run(1, lambda step: [(0, "v", 30e-3)]) == []


def test_psp_on_v_is_exact():
    oracle = contact(1e-3, receptor="v", share=0.25, post=adaptive())
    for step in range(1, 400):
        oracle.run(1)
        assert oracle.cells["post"].v == pytest.approx(-70e-3 + 0.25e-3 * exp(-(step - 1) * DT / 20e-3), abs=1e-15)


def psp_error(dt, tau_exc=5e-3):
    """Give the largest error, relative to the peak, against the difference of exponentials of a PSP too small to shunt."""
    oracle = Oracle(dt, {"pre": source(0), "post": Cell()})
    oracle.link("pre", "post", 1e-15)
    tau_m, errors, peak = 20e-3, [], 0.0
    for step in range(round(60e-3 / dt)):
        oracle.run(1)
        expected = 1e-15 * 70e-3 / 200e-12 * (exp(-step * dt / tau_m) - exp(-step * dt / tau_exc)) / (1 / tau_exc - 1 / tau_m)
        errors.append(abs(oracle.cells["post"].v + 70e-3 - expected))
        peak = max(peak, expected)
    return max(errors) / peak


def test_psp_through_a_conductance_converges_to_the_closed_form():
    coarse, fine = psp_error(4e-4), psp_error(1e-4)
    assert fine < 0.02
    assert coarse / fine == pytest.approx(4.0, rel=0.05)
    assert psp_error(1e-4, tau_exc=6e-3) > 0.05


def test_a_held_conductance_gives_the_exact_relaxation():
    cell = Cell(V_th=1.0, g_exc=5e-9, g_inh=8e-9, tau_exc=1e12, tau_inh=1e12, I_e=50e-12)
    Oracle(1e-3, {0: cell}).run(30)
    v_inf = (10e-9 * -70e-3 + 8e-9 * -80e-3 + 50e-12) / 23e-9
    assert cell.v == pytest.approx(v_inf + (-70e-3 - v_inf) * exp(-30e-3 * 23e-9 / 200e-12), rel=1e-12)


def v_after(steps, kicks, pre_at=()):
    """Give v above rest and reset of a cell that spikes at step 20: {step: jump of v}, and steps of spikes over a 1 mV synapse on v."""
    oracle = contact(1e-3, receptor="v", pre_at=pre_at, post=adaptive(V_reset=-70e-3))
    kicks = {20: 30e-3} | kicks
    oracle.run(steps, lambda step: [("post", "v", kicks[step])] if step in kicks else [])
    return oracle.cells["post"].v + 70e-3


def test_a_refractory_cell_receives_nothing_on_v():
    """Its flag rises in the thresholds of step 20 and falls in the update of step 40, which comes after the inputs of that step."""
    decay = exp(-DT / 20e-3)
    assert v_after(20, {19: 10e-3}) == pytest.approx(10e-3 * decay, abs=1e-15)
    assert v_after(41, {21: 1e-3, 30: 1e-3, 39: 1e-3, 40: 1e-3}) == pytest.approx(0.0, abs=1e-15)
    assert v_after(41, {}, pre_at=(20, 39)) == pytest.approx(0.0, abs=1e-15)
    assert v_after(41, {}, pre_at=(40,)) == pytest.approx(1e-3, abs=1e-15)
    assert v_after(42, {41: 1e-3}) == pytest.approx(1e-3 * decay, abs=1e-15)


@pytest.mark.parametrize("delay", [0, 1, 2, 5, 50])
def test_a_spike_arrives_after_its_delay(delay):
    oracle = contact(delay_steps=delay, pre_at=(3,))
    oracle.run(3 + delay)
    assert (oracle.cells["post"].g_exc, oracle.synapses[1].flight) == (0.0, [3 + delay] if delay else [])
    oracle.run(1)
    assert (oracle.cells["post"].g_exc, oracle.synapses[1].flight) == (1e-9, [])


def test_a_new_synapse_delivers_no_spike_emitted_before_it():
    oracle = contact(delay_steps=10, pre_at=(2, 5, 8))
    oracle.run(6)
    assert oracle.synapses[1].flight == [12, 15]
    assert oracle.unlink(1) == 2
    assert oracle.link("pre", "post", 1e-9, 10) == 2
    oracle.run(12)
    assert (oracle.cells["post"].g_exc, oracle.synapses[2].flight) == (0.0, [18])
    oracle.run(1)
    assert oracle.cells["post"].g_exc == 1e-9


def weight_after(pre_at, post_at, weight=1.5e-9, delay_steps=0, **others):
    oracle = contact(weight, delay_steps, pre_at, source(*post_at), **STDP | others)
    oracle.run(2600)
    return oracle.synapses[1].weight


@pytest.mark.parametrize("lag", [-1000, -200, -50, -1, 0, 1, 50, 200, 1000])
@pytest.mark.parametrize("delay", [0, 7])
def test_stdp_window(lag, delay):
    """The lag is counted from the arrival of the presynaptic spike."""
    change = weight_after([1500], [1500 + delay + lag], delay_steps=delay) - 1.5e-9
    expected = 0.05 * exp(-lag * DT / 16.8e-3) if lag >= 0 else -0.04 * exp(lag * DT / 33.7e-3)
    assert change == pytest.approx(3e-9 * expected, rel=1e-6)


def test_stdp_sums_all_pairs_and_stays_in_bounds():
    pre_at, post_at = [100, 160, 420], [130, 200, 500]
    lags = [(post - pre) * DT for pre in pre_at for post in post_at]
    expected = sum(0.05 * exp(-lag / 16.8e-3) if lag >= 0 else -0.04 * exp(lag / 33.7e-3) for lag in lags)
    assert weight_after(pre_at, post_at) == pytest.approx(1.5e-9 + 3e-9 * expected, rel=1e-12)
    assert weight_after([10], [20], weight=2.99e-9) == 3e-9
    assert weight_after([20], [10], weight=0.01e-9) == 0.0


def test_each_half_of_stdp_can_be_off():
    assert weight_after([10], [20], A_plus=0.0) == 1.5e-9 < weight_after([10], [20], A_minus=0.0)
    assert weight_after([20], [10], A_minus=0.0) == 1.5e-9 > weight_after([20], [10], A_plus=0.0)
    assert weight_after([10, 30], [20], w_max=None) == 1.5e-9


def network(kind, dt=DT):
    """Give an oracle of 20 random cells with plastic and fixed synapses of 0-5 ms, autapses and doubles among them, its drive for 300 ms,
    and the dictionary {mother: daughter} of those that are to share a drive.
    """
    rng, size, cells = random.Random(3), 20, {}
    for key in range(size):
        v = rng.uniform(-70e-3, -55e-3)
        cells[key] = adaptive(v=v) if kind == "adaptive" else Cell(v=v, I_e=rng.uniform(0, 250e-12))
    oracle = Oracle(dt, cells)
    plastic, fixed, sign, unit = ("v", "v", -1, 3e-3) if kind == "adaptive" else ("g_exc", "g_inh", 1, 2e-9)
    for pre in range(size):
        for post in range(size):
            for _ in range(2):
                delay = rng.randint(0, round(5e-3 / dt))
                if (chance := rng.random()) < 0.15:
                    oracle.link(pre, post, rng.uniform(0, unit), delay, receptor=plastic, projection="a", **STDP | dict(w_max=1.2 * unit))
                elif chance < 0.22:
                    oracle.link(pre, post, sign * rng.uniform(0, unit), delay, receptor=fixed, projection="b")
    kicks = [[key for key in range(size) if rng.random() < 400 * dt] for _ in range(round(0.3 / dt))]
    daughters = {}

    def drive(step):
        hit = kicks[step] + [daughters[key] for key in kicks[step] if key in daughters]
        return [(key, plastic, 5e-3 if kind == "adaptive" else 4e-9) for key in hit if key in oracle.cells]

    return oracle, drive, daughters


BOUNDARY = 515  # of cell 19 spikes are then in flight to others, from others and to itself, and it is refractory
KINDS = pytest.mark.parametrize("kind", ["conductance", "adaptive"])


def flight(oracle):
    return sum(len(synapse.flight) for synapse in oracle.synapses.values())


@KINDS
def test_splitting_a_run_changes_nothing(kind):
    whole, drive, _ = network(kind)
    parts, drive_again, _ = network(kind)
    spikes = whole.run(1000, drive)
    assert parts.run(700, drive_again) + parts.run(1, drive_again) + parts.run(299, drive_again) == spikes
    assert len(spikes) > 100
    assert {key: vars(cell) for key, cell in whole.cells.items()} == {key: vars(cell) for key, cell in parts.cells.items()}
    assert [vars(synapse) for synapse in whole.synapses.values()] == [vars(synapse) for synapse in parts.synapses.values()]


@KINDS
def test_killing_drops_what_the_cell_had_in_flight(kind):
    oracle, drive, _ = network(kind)
    oracle.run(BOUNDARY, drive)
    before, own = flight(oracle), [s for s in oracle.synapses.values() if 19 in (s.pre, s.post)]
    assert oracle.cells[19].refractory and any(s.flight for s in own if s.pre == s.post)
    expected = sum(len(s.flight) for s in own)
    assert 0 < expected < before
    assert oracle.kill(19) == expected == before - flight(oracle)
    assert 19 not in oracle.cells and all(19 not in (s.pre, s.post) for s in oracle.synapses.values())
    assert {key for _, key in oracle.run(600, drive)} <= set(oracle.cells)


def test_a_spike_of_a_removed_cell_is_lost_and_others_arrive():
    oracle = Oracle(DT, {"a": source(0, 2), "b": source(1), "post": Cell(V_th=1.0)})
    for pre, post, weight in [("a", "post", 1e-9), ("b", "post", 3e-9), ("post", "b", 1e-9)]:
        oracle.link(pre, post, weight, 20)
    oracle.run(10)
    assert oracle.kill("a") == 2
    oracle.run(12)
    assert oracle.cells["post"].g_exc == 3e-9
    assert list(oracle.synapses) == [2, 3]


@KINDS
def test_removing_a_silent_cell_changes_no_other_spike(kind):
    runs = []
    for silence, kill in [(True, False), (True, True), (False, True)]:
        oracle, drive, _ = network(kind)
        oracle.cells[4].V_th = 1.0 if silence else -50e-3
        spikes = oracle.run(BOUNDARY, drive)
        if kill:
            oracle.kill(4)
        runs.append(spikes + oracle.run(BOUNDARY, drive))
    assert runs[0] == runs[1] != runs[2]


def divided(kind, mothers, spoil=lambda oracle: None):
    """Run with and without a division of `mothers` at the boundary, and give both and all spikes after it; `spoil` acts right after it."""
    plain, drive, _ = network(kind)
    growing, drive_grown, daughters = network(kind)
    assert plain.run(BOUNDARY, drive) == growing.run(BOUNDARY, drive_grown)
    daughters.update({mother: mother + 100 for mother in mothers})
    rng = random.Random(5)
    shares = {key: rng.uniform(0.1, 0.9) for key in growing.synapses}
    growing.divide_many(daughters, shares.get)
    spoil(growing)
    return plain, growing, plain.run(800, drive), growing.run(800, drive_grown)


@KINDS
@pytest.mark.parametrize("mothers", [[19], [0, 3, 7, 8, 19]])
def test_division_changes_no_other_spike_and_twins_are_identical(kind, mothers):
    plain, growing, expected, spikes = divided(kind, mothers)
    assert len(expected) > 50 and all(any(key == mother for _, key in expected) for mother in mothers)
    assert sorted(spike for spike in spikes if spike[1] < 100) == sorted(expected)
    for mother in mothers:
        assert [step for step, key in spikes if key == mother] == [step for step, key in spikes if key == mother + 100]
        twin, state = vars(growing.cells[mother + 100]), vars(growing.cells[mother])
        assert all(state[name] == pytest.approx(twin[name], rel=1e-9) for name in state if name != "at")
    for synapse in growing.synapses.values():
        ancestor = plain.synapses[synapse.parent or synapse.id]
        assert synapse.weight == pytest.approx(ancestor.weight, rel=1e-9)
        assert synapse.flight == ancestor.flight


def halve(oracle):
    for synapse in oracle.synapses.values():
        synapse.share *= 0.5 if synapse.pre >= 100 else 1.0


def forget_flight(oracle):
    for synapse in oracle.synapses.values():
        synapse.flight = [] if synapse.parent else synapse.flight


def forget_state(oracle):
    oracle.cells[119].v, oracle.cells[119].theta = -70e-3, 0.0


@KINDS
@pytest.mark.parametrize("spoil", [halve, forget_flight, forget_state])
def test_division_that_loses_something_changes_spikes(kind, spoil):
    _, _, expected, spikes = divided(kind, [19], spoil)
    assert sorted(spike for spike in spikes if spike[1] < 100) != sorted(expected)


def test_division_between_dividing_cells_splits_on_the_presynaptic_side():
    oracle = Oracle(DT, {"a": source(0), "b": Cell(), "c": Cell()})
    for pre, post, share in [("a", "a", 1.0), ("a", "b", 0.5), ("a", "c", 1.0), ("c", "a", 1.0)]:
        oracle.link(pre, post, 1e-9, 30, share=share)
    oracle.run(5)
    oracle.divide_many({"a": "A", "b": "B"}, {1: 0.25, 2: 0.75, 3: 0.125}.get)
    on = [30]
    assert sorted((s.pre, s.post, s.share, s.parent or s.id, s.flight) for s in oracle.synapses.values()) == sorted(
        [("a", "a", 0.25, 1, on), ("a", "A", 0.25, 1, on), ("A", "a", 0.75, 1, on), ("A", "A", 0.75, 1, on)]
        + [("a", "b", 0.375, 2, on), ("a", "B", 0.375, 2, on), ("A", "b", 0.125, 2, on), ("A", "B", 0.125, 2, on)]
        + [("a", "c", 0.125, 3, on), ("A", "c", 0.875, 3, on), ("c", "a", 1.0, 4, []), ("c", "A", 1.0, 4, [])]
    )
    assert {(s.pre, s.post) for s in oracle.synapses.values() if s.parent is None} == {("a", "a"), ("a", "b"), ("a", "c"), ("c", "a")}
    oracle.divide("a", "again", lambda synapse: 0.5)
    assert sorted(s.share for s in oracle.synapses.values() if s.post == "c") == [0.0625, 0.0625, 0.875]


LEAKY = """dv/dt = (g_L*(E_L - v) + g_exc*(E_exc - v) + g_inh*(E_inh - v) + I_e)/C_m : volt (unless refractory)
dg_exc/dt = -g_exc/tau_exc : siemens
dg_inh/dt = -g_inh/tau_inh : siemens
I_e : amp"""
ADAPTIVE = """dv/dt = (E_L - v)/(C_m/(1*farad)*second) : volt (unless refractory)
dtheta/dt = -theta/tau_theta : volt"""
TRACES = "\ndx/dt = -x/(16.8*ms) : 1 (event-driven)\ndy/dt = -y/(33.7*ms) : 1 (event-driven)"
UNITS = {"volt": "E_L V_th V_reset E_exc E_inh theta_plus", "second": "tau_exc tau_inh tau_theta", "farad": "C_m", "siemens": "g_L"}


def brian2_group(kind, oracle, drive, steps):
    """Give the cells and the drive of an oracle that has not run yet as a Brian2 group."""
    dt, cells = oracle.dt * brian2.second, oracle.cells.values()
    names = {name: getattr(oracle.cells[0], name) * getattr(brian2, unit) for unit in UNITS for name in UNITS[unit].split()}
    kicks = np.zeros((steps, len(cells)))
    for step in range(steps):
        for key, receptor, amount in drive(step):
            kicks[step, key] += amount
    names["kicks"] = brian2.TimedArray(kicks * (brian2.volt if kind == "adaptive" else brian2.siemens), dt=dt)
    common = dict(refractory=2 * brian2.ms, method="exponential_euler", namespace=names, dt=dt)
    if kind == "adaptive":
        group = brian2.NeuronGroup(len(cells), ADAPTIVE, threshold="v > V_th + theta", reset="v = V_reset; theta += theta_plus", **common)
    else:
        group = brian2.NeuronGroup(len(cells), LEAKY, threshold="v > V_th", reset="v = V_reset", **common)
        group.I_e = [cell.I_e for cell in cells] * brian2.amp
    group.v = [cell.v for cell in cells] * brian2.volt
    group.run_regularly(f"{receptor} += kicks(t, i)", when="start", dt=dt)
    return group


def brian2_run(kind, oracle, drive, steps):
    """Run the network of an oracle that has not run yet in Brian2; give its spikes and the final weights of its plastic synapses."""
    dt, unit = oracle.dt * brian2.second, "volt" if kind == "adaptive" else "siemens"
    group = brian2_group(kind, oracle, drive, steps)
    projections = []
    for name in "ab":
        synapses = [synapse for synapse in oracle.synapses.values() if synapse.projection == name]
        rule = dict(model=f"w : {unit}", on_pre=f"{synapses[0].receptor}_post += w")
        if w_max := synapses[0].w_max:
            rule["model"] += TRACES
            rule["on_pre"] += f"\nx += 1\nw = clip(w - 0.04*w_max*y, 0*{unit}, w_max)"
            rule["on_post"] = f"y += 1\nw = clip(w + 0.05*w_max*x, 0*{unit}, w_max)"
            rule["namespace"] = dict(w_max=w_max * getattr(brian2, unit))
        projection = brian2.Synapses(group, group, name=f"oracle_{name}", dt=dt, **rule)
        projection.connect(i=[synapse.pre for synapse in synapses], j=[synapse.post for synapse in synapses])
        projection.w = [synapse.weight for synapse in synapses] * getattr(brian2, unit)
        projection.delay = [synapse.delay_steps for synapse in synapses] * dt
        projections.append(projection)
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, projections, monitor).run(steps * dt, namespace={"ms": brian2.ms})
    spikes = zip(np.rint(monitor.t / dt).astype(int), np.asarray(monitor.i), strict=True)
    return list(spikes), np.asarray(projections[0].w)


@KINDS
def test_spikes_and_weights_equal_those_of_brian2(kind, monkeypatch):
    monkeypatch.setitem(brian2.prefs, "codegen.target", "numpy")
    oracle, drive, _ = network(kind, dt=5e-4)
    plastic = [synapse for synapse in oracle.synapses.values() if synapse.w_max]
    before = [synapse.weight for synapse in plastic]
    expected, weights = brian2_run(kind, oracle, drive, 600)
    assert oracle.run(600, drive) == expected and len(expected) > 300
    assert [synapse.weight for synapse in plastic] == pytest.approx(weights, rel=1e-9, abs=1e-20)
    assert not np.allclose(before, weights, rtol=0.1, atol=0.0)
    late, drive, _ = network(kind, dt=5e-4)
    late.synapses[1].delay_steps += 1
    assert late.run(600, drive) != expected
