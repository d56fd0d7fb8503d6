"""Credit spread backwards, rewiring where the reward is negative, and the network that is born without connections and learns by both."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from life_data import rng
from scipy.stats import kstest
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.recording import PartRecording, Recording
from neurosim.units import Hz, ms, mV, um

study = study_fixture("live_connections")
NUMPY = ns.Brian2(dt=1 * ms, target="numpy")
W_MAX = 10 * mV
RULE = ns.load_synapse("credit_gated").replace(w_max=W_MAX)


def recorded(now, counts, duration=0.04):
    """A recording in which the cells of "out" spiked so often."""
    part = PartRecording("out", duration, now["out"].ids, np.asarray(counts))
    return Recording({"out": part}, 0, round(duration / 1e-3), 1e-3)


def reward_of(value):
    return lambda circuit, recording: value


# --- the synapse: what is remembered is moved ------------------------------------------------------------------------

SPAN, STEP, TRIALS = 5, 20, 100  # memory M and the unit of delays d (ms), of which M is a whole number


def moved(delays, amounts, memory=SPAN):
    """What becomes of weights onto cells that spike once and are given credit so much later: of the synapse that took part, of one too early and of one too late."""
    size = len(delays)
    pre, teacher = ns.create("pre", "spike_source", 3 * size), ns.create("teacher", "spike_source", size)
    rule = RULE.replace(memory_span=(memory * STEP + STEP / 2) * ms, window=5 * ms)
    post = ns.create("post", ns.load_cell("leaky_adaptive_threshold").keeping(rule).replace(V_th=0 * mV), size)
    plastic = ns.connect(pre, post, rule, ns.Pairs(np.arange(3 * size), np.tile(np.arange(size), 3)), receptor="v", weight=W_MAX / 2)
    force = ns.connect(teacher, post, "static", ns.OneToOne(), receptor="v", weight=1000 * mV)
    spike = rng(1).integers(20, 40, size)
    times = np.concatenate([spike - 3, spike - 8, spike + 1]) * ms
    inputs = [ns.SpikeTimes("pre", np.arange(3 * size), times), ns.SpikeTimes("teacher", np.arange(size), (spike - 1) * ms)]
    for cell in range(size):
        at = (spike[cell] + STEP * delays[cell]) * ms
        inputs.append(ns.Reward("post", at, amounts[cell], "credit", cells=[cell], name=f"credit of {cell}"))
    circuit = ns.Circuit([pre, teacher, post], [plastic, force])
    after, _ = ns.simulate(circuit, (60 + STEP * max(delays)) * ms, inputs=inputs, backend=NUMPY, progress=False)
    weights = after["pre_to_post"].synapses["weight"] - float(W_MAX / 2)
    return weights[np.argsort(circuit["pre_to_post"].synapses["pre"])].reshape(3, size)


def test_credit_that_comes_in_time_moves_the_synapse_that_took_part_and_later_none():
    delays = rng(2).integers(1, 2 * SPAN + 1, TRIALS)
    amounts = rng(3).choice([-1.0, 1.0], TRIALS)
    took_part, early, late = moved(delays, amounts)
    in_time = delays <= SPAN
    assert 30 < in_time.sum() < 70
    assert (np.sign(took_part[in_time]) == amounts[in_time]).all()
    assert not took_part[~in_time].any() and not early.any() and not late.any()
    took_part, *_ = moved(delays, amounts, memory=2 * SPAN)  # the control: a longer memory reaches all
    assert (np.sign(took_part) == amounts).all()


# --- credit ----------------------------------------------------------------------------------------------------------


def network(remembered=1.0):
    """Four cells in a circle (0 to 1 to 2 to 3 to 0) of which two reach two answering cells, by synapses that remember."""
    model = ns.load_cell("leaky_adaptive_threshold").keeping(RULE)
    cells, out = ns.create("cells", model, 4), ns.create("out", model, 2)
    web = ns.connect(cells, cells, RULE, ns.Pairs([0, 1, 2, 3], [1, 2, 3, 0]), receptor="v", weight=[4, 3, 2, 1] * mV).replace(name="web")
    readout = ns.connect(cells, out, RULE, ns.Pairs([1, 2, 3], [0, 0, 1]), receptor="v", weight=[2, 6, 5] * mV).replace(name="readout")
    return ns.Circuit([cells, out], [web, readout]).set("web", remembered=remembered * ms).set("readout", remembered=remembered * ms)


def credited(credit, circuit, counts=(1, 0)):
    circuit, _ = kept(begun(circuit, [credit]), recorded(circuit, counts), [credit])
    return circuit


@pytest.mark.parametrize(
    ("through", "parts"),
    [
        (["readout"], [0, 2 / 6, 1, 0]),  # cells 1 and 2 reach the answering cell by 2 and 6 mV
        (["readout", "web"], [4 / 9, 1, 1, 0]),  # cell 0 has 4 mV times 1/3 of cell 1, and cell 1 has 3 mV times 1
        (["readout", "web", "web"], [1, 1, 1, 1 / 9]),  # then 4 mV times 1, 3 mV times 1, and cell 3 has 1 mV times 4/9
    ],
)
def test_credit_is_handed_back_in_proportion_to_weights(through, parts):
    """A circle ends, because each projection is gone through as often as it is named."""
    after = credited(ns.Credit("out", reward_of(1.0), through, horizon=None), network())
    np.testing.assert_allclose(after["cells"].credit, parts, rtol=1e-12)
    assert after["out"].credit.tolist() == [1, 0]
    forgotten = credited(ns.Credit("out", reward_of(1.0), through, horizon=None), network(remembered=0.0))
    assert not forgotten["cells"].credit.any()  # the control: what is forgotten took no part


def test_credit_does_not_depend_on_how_many_synapses_are_worked_on_at_once(monkeypatch):
    credit, of = ns.Credit("out", reward_of(1.0), ["readout", "web"]), network()
    whole = credit.parts(of, recorded(of, (1, 0)))
    for size in (1, 2, 3):
        monkeypatch.setattr("neurosim.lifecycle.credit.BLOCK", size)
        for name, part in credit.parts(of, recorded(of, (1, 0))).items():
            np.testing.assert_allclose(part, whole[name], rtol=1e-12)
    assert whole["cells"].max() > 0  # the control: there is something to hand back


def test_what_counts_is_how_far_a_reward_is_above_the_expected_one():
    credit, circuit, expected = ns.Credit("out", reward_of(0.5), horizon=4), network(), 0.0
    for _ in range(3):
        circuit = credited(credit, circuit)
        assert circuit["out"].credit[0] == pytest.approx(0.5 - expected, rel=1e-12)
        expected += (0.5 - expected) / 4
        assert circuit.notes["credit.expected"] == pytest.approx(expected, rel=1e-12) and circuit.notes["credit.reward"] == 0.5


# --- rewiring where the reward is negative ---------------------------------------------------------------------------


@pytest.fixture
def punished(study):
    """The rules of the study for 10,000 vacant pairs, and its circuit before and after a boundary with each reward."""
    plan, shown = replace(study.PLANS["full"], hidden=1960, bits=4), np.array([1, 0, 1, 1])
    circuit, rules = study.newborn(0, plan), study.life(study.LEARNER, 0, plan, shown).phases[0].rules

    def proposed(counts, now=circuit):
        now, _ = kept(begun(now, rules), recorded(now, counts), rules)
        return rules[-1](now, recorded(now, counts), rng(4)), now

    return study, study.permitted(0, plan), rules, proposed


def test_a_punished_epoch_joins_each_vacant_permitted_pair_with_a_tenth(punished):
    study, permitted, _, proposed = punished
    events, circuit = proposed([1, 0])  # bits 1 and, before it, 1: the right answer is 0
    assert circuit.notes["credit.reward"] == 1 and not len(events)
    events, circuit = proposed([0, 1])
    assert circuit.notes["credit.reward"] == -1
    trials, links = sum(len(one.pre) for one in permitted.values()), {name: events.of("link", name) for name in study.WHOLE}
    assert 9_800 < trials < 10_200
    assert sum(map(len, links.values())) / trials == pytest.approx(0.1, abs=0.01)
    weights = np.concatenate([rows["weight"] / float(study.WHOLE[name]) for name, rows in links.items()])
    assert kstest(weights, "uniform", (0, 0.05)).pvalue > 0.01 > kstest(weights, "uniform", (0, 0.055)).pvalue  # and the control
    for label, one in permitted.items():
        rows = np.concatenate([rows[rows["rule"] == label] for rows in links.values()])
        assert len(rows) and set(zip(rows["pre"], rows["post"], strict=True)) <= set(zip(one.pre, one.post, strict=True))


def test_a_pair_whose_weight_has_come_to_0_is_vacant_again(punished):
    study, permitted, rules, proposed = punished
    events, circuit = proposed([0, 1])
    joined = ns.apply(circuit, events)
    web = joined["web"]
    lost = np.arange(len(web)) < 20
    joined = joined.set("web", weight=np.where(lost, 0.0, web.synapses["weight"] + 1e-6) * ns.units.volt)
    vacating = ns.Events()
    for rule in rules[1:3]:
        vacating += rule(joined, recorded(joined, [0, 0]), rng())
    assert vacating.of("unlink", "web")["synapse"].tolist() == web.ids[lost].tolist()
    after = ns.apply(joined, vacating)
    again = ns.Rewiring("web", regrow=ns.Growth(1e6 * Hz, [permitted["near"]]), weight=1 * mV)
    for now, wanted in ((after, True), (joined, False)):  # and the control: before, they are taken
        rows = again(now, recorded(now, [0, 0]), rng()).of("link", "web")
        near = lost & (web.synapses["pre"] < 2)
        pairs = set(zip(rows["pre"], rows["post"], strict=True))
        assert {pair in pairs for pair in zip(web.synapses["pre"][near], web.synapses["post"][near], strict=True)} == {wanted}


def test_pairs_that_are_permitted_within_a_radius_are_joined_nowhere_else():
    """Links grow between cells 100 um apart at most; where all pairs are permitted, the control, also between others."""
    places = rng(1).uniform(0, 500, (40, 2))
    model = ns.load_cell("leaky_adaptive_threshold").keeping(RULE)
    cells = ns.create("cells", model, 40, positions=places * um)
    web = ns.connect(cells, cells, RULE, ns.Pairs([], []), receptor="v", weight=0 * mV).replace(name="web")
    now = ns.Circuit([cells, ns.create("out", model, 1)], [web])
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)

    def farthest(allowed):
        growth = ns.Growth(5 * Hz, ns.Permitted(*np.nonzero(allowed)))
        rows = ns.Rewiring("web", regrow=growth, weight=1 * mV)(now, recorded(now, [1]), rng(2)).of("link", "web")
        assert len(rows) > 10
        return distance[rows["pre"], rows["post"]].max()

    assert farthest(distance <= 100) <= 100 < farthest(distance >= 0)


# --- a life ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short(study):
    return replace(study.PLANS["full"], hidden=20, bits=60, test=20)


@pytest.fixture(scope="module")
def lived(study, short):
    """A function that lets the network of a seed live, with more rules, and checks what has to hold after every epoch."""
    shown = rng(5).integers(0, 2, short.bits + short.test)
    pairs, parents = study.permitted(1, short), {}

    def origin(ids):
        return np.array([parents.get(int(one), int(one)) for one in ids])

    def holds(circuit, recording):
        for cell, parent in zip(circuit["cells"].ids, circuit["cells"].cells["parent"], strict=True):
            parents[int(cell)] = parents.get(int(parent), int(parent)) if parent >= 0 else int(cell)
        for name, several in (("web", ("near", "far")), ("readout", ("readout",))):
            synapses, whole = circuit[name].synapses, float(study.WHOLE[name])
            sums = np.bincount(synapses["post"], synapses["weight"] * synapses["share"]) / whole
            assert (synapses["weight"] >= 0).all() and (abs(sums[sums > 0] - 1) <= 1e-9).all()
            allowed = {pair for one in several for pair in zip(pairs[one].pre.tolist(), pairs[one].post.tolist(), strict=True)}
            post = origin(synapses["post"]) if name == "web" else synapses["post"]
            assert set(zip(origin(synapses["pre"]).tolist(), post.tolist(), strict=True)) <= allowed
        return {"spikes": int(recording["out"].counts.sum())}

    def live(more=(), life=None, circuit=None, seed=1):
        life = life or study.life(study.LEARNER, seed, short, shown)
        phase = life.phases[0]
        life = replace(life, phases=[replace(phase, rules=[*phase.rules, *more])])
        circuit = circuit or study.newborn(seed, short)
        how = {"inputs": study.inputs(shown), "measure": holds, "backend": study.BACKENDS["library"], "progress": False}
        return life, ns.develop(circuit, life, **how)

    return live


def test_weights_are_normalised_and_only_permitted_pairs_are_joined_after_every_epoch(lived):
    life, history = lived()
    links = history.events[history.events["kind"] == "link"]
    assert len(links) > 50 and {rule.rpartition("/")[2] for rule in links["rule"]} == {"near", "far", "readout"}
    assert history.measures["spikes"][-20:].sum() > 10
    control = ns.yoked(life, history)
    by_chance = lived(life=control)[1]
    for kind in ("link", "unlink"):
        own, others = (np.bincount(one.events["epoch"][one.events["kind"] == kind], minlength=70) for one in (history, by_chance))
        assert (others <= own).all() and others.sum() > 0.7 * own.sum() > 7  # fewer where chance has left fewer vacant pairs of a kind
    anywhere = replace(control.phases[0].rules[0], permitted=())
    with pytest.raises(AssertionError):  # the control: by chance among all pairs
        lived(life=replace(control, phases=[replace(control.phases[0], rules=[anywhere])]))


def test_cells_are_born_and_die_in_the_same_network(lived, study, short):
    turnover = [ns.Division("cells", ns.Random(0.2 / study.BIT, label="d"), until=40), ns.Apoptosis("cells", hazard=0.02 / study.BIT)]
    _, history = lived(turnover, circuit=study.newborn(1, short).protect("cells", [0, 1]))
    kinds = history.events["kind"]
    assert (kinds == "division").sum() > 5 and (kinds == "death").sum() > 5 and (kinds == "link").sum() > 50
    births, deaths = (kinds == "division").sum(), (kinds == "death").sum()
    assert len(history.circuit["cells"]) == short.hidden + 2 + births - deaths
    assert history.measures["spikes"][-20:].sum() > 10


def test_a_life_goes_on_bit_for_bit_after_it_was_kept(lived, study, short, tmp_path):
    _, history = lived()
    ns.save_circuit(history.circuit, tmp_path / "half.npz")
    again = ns.load_circuit(tmp_path / "half.npz")
    shown = rng(5).integers(0, 2, short.bits + short.test)
    life = study.life(study.LEARNER, 1, replace(short, bits=short.test), shown)  # 1600 time steps
    unbroken, resumed, other = (lived(life=life, circuit=one)[1].circuit for one in (history.circuit, again, again.reseed(9)))

    def bits(circuit):
        tables = [circuit[name].cells for name in ("cells", "out")] + [circuit[name].synapses for name in study.WHOLE]
        return [table[column].tobytes() for table in tables for column in table]

    assert resumed.step == history.circuit.step + 1600 and bits(resumed) == bits(unbroken) != bits(other)
    assert len(np.setdiff1d(resumed["web"].ids, history.circuit["web"].ids))  # it went on rewiring


def test_an_error_in_a_reward_reaches_the_caller_with_the_life_so_far(study, short):
    shown = rng(5).integers(0, 2, 8)

    def failing(circuit, recording):
        if circuit.epoch == 2:
            raise ZeroDivisionError("no reward")
        return -1.0

    plan = replace(study.PLANS["smoke"], bits=4)
    life = study.life(study.LEARNER, 1, plan, shown)
    credit = ns.Credit("out", failing, ["readout"], lowest=-1.0)
    rules = [credit, ns.Punished(credit, life.phases[0].rules[-1].rules)]
    life = replace(life, phases=[replace(life.phases[0], rules=rules)])
    with pytest.raises(ZeroDivisionError, match="no reward") as raised:
        ns.develop(study.newborn(1, plan), life, inputs=study.inputs(shown), backend=study.BACKENDS["library"], progress=False)
    assert len(raised.value.history.epochs) - 1 == 2


# --- mistakes --------------------------------------------------------------------------------------------------------

GROW = ns.Rewiring("web", regrow=ns.Growth(ns.InDegree(2)), weight=1 * mV)
CREDIT = ns.Credit("out", reward_of(-1.0), ["readout"], lowest=-1.0)

MADE = {
    "reward": (lambda: ns.Credit("out", 1.0), TypeError, "reward of credit 'credit' is 1.0; give a function of (circuit, recording)"),
    "lowest": (lambda: ns.Credit("out", reward_of(0), lowest=-np.inf), ValueError, "lowest of credit 'credit' is -inf; give the lowest"),
    "horizon": (lambda: ns.Credit("out", reward_of(0), horizon=0.5), ValueError, "horizon of credit 'credit' is 0.5; give a number of epochs"),
    "never below 0": (
        lambda: ns.Punished(ns.Credit("out", reward_of(0), lowest=0.0), [GROW]), ValueError,
        "'punished' waits for a reward below 0, but that of 'credit' is never below 0: its rules would never act, and cells that wait for them to be "
        "connected would stay without inputs; give a reward that also punishes",
    ),
    "lowest unknown": (
        lambda: ns.Punished(ns.Credit("out", reward_of(0)), [GROW]), ValueError,
        "'punished' waits for a reward below 0, but credit 'credit' does not say how low its reward can be; give its lowest=..., such as -1.0",
    ),
    "no credit": (lambda: ns.Punished("reward", [GROW]), TypeError, "credit of rule 'punished' is 'reward'; give a ns.Credit"),
    "no rules": (lambda: ns.Punished(CREDIT, []), ValueError, "rule 'punished' has no rules"),
}  # fmt: skip
FITTED = {
    "outputs": (replace(CREDIT, outputs="outs"), "begins at 'outs', which is no population. Did you mean 'out'?"),
    "through": (replace(CREDIT, through=["reading"]), "goes through 'reading', which is no projection"),
    "variable": (replace(CREDIT, variable="merit"), "written into 'merit', which cells of 'out' lack; make them with ns.load_cell("),
    "synapses": (replace(CREDIT, through=["plain"]), "synapses of 'static' have no variable 'remembered'; use \"credit_gated\""),
}


@pytest.mark.parametrize("slip", MADE)
def test_slips_are_told_when_a_rule_is_made(slip):
    make, error, message = MADE[slip]
    with pytest.raises(error, match=re.escape(message)):
        make()


def alive(rules, circuit, epoch=2 * ms):
    return ns.develop(circuit, ns.Lifecycle(epoch, [ns.Phase("life", 1, rules)]), backend=NUMPY, progress=False)


@pytest.mark.parametrize("slip", FITTED)
def test_slips_are_told_before_anything_runs(slip):
    credit, message = FITTED[slip]
    now = network()
    plain = ns.connect(now["cells"], now["out"], "static", ns.AllToAll(), receptor="v", weight=1 * mV).replace(name="plain")
    with pytest.raises(ValueError, match=re.escape(message)):
        alive([credit], ns.Circuit([now["cells"], now["out"]], [*now.projections.values(), plain]))


@pytest.mark.parametrize("value", [-1.5, np.nan, np.inf])
def test_a_reward_outside_its_range_is_told(value):
    with pytest.raises(
        ValueError, match=f"the reward of credit 'credit' is {value} in epoch 0; return a finite number, not below lowest=-1.0"
    ):
        credited(ns.Credit("out", reward_of(value), lowest=-1.0), network())


def test_twice_the_same_name_or_cell_is_refused():
    now = network()
    with pytest.raises(ValueError, match="'cells'"):
        ns.Circuit([now["cells"], now["cells"]])
    with pytest.raises(ValueError, match="names cell 1 of population 'out' twice"):
        ns.simulate(now, 2 * ms, inputs=[ns.Reward("out", 1 * ms, 1.0, "credit", cells=[1, 1])], backend=NUMPY, progress=False)


def test_cells_that_no_rule_permits_an_input_are_told_before_anything_runs():
    cells = ns.create("cells", ns.load_cell("leaky_adaptive_threshold").keeping(RULE), 4)
    bare = ns.Circuit([cells], [ns.connect(cells, cells, RULE, ns.Pairs([0], [3]), receptor="v", weight=1 * mV).replace(name="web")])

    def growing(post, label, where=()):
        permitted = ns.Permitted(np.zeros(len(post), int), post)
        return ns.Rewiring("web", regrow=ns.Growth(1 * Hz, [permitted, *where]), weight=1 * mV, label=label)

    told = "cells of 'cells' (ids {}) have no synapse, and the rules of all phases permit them none: no other cell will ever drive them"
    other = ns.Rewiring("web", regrow=ns.Growth(1 * Hz, ns.Permitted([1], [0])), weight=1 * mV, label="other")
    cases = [
        ([growing([1], "a")], "0, 2"),
        ([growing([1, 2], "a", [ns.Permitted([0], [2])])], "0, 1"),
        ([growing([1], "a"), growing([0, 2], "b")], "0"),  # it never drives itself
    ]
    for rules, ids in cases:
        with pytest.warns(UserWarning, match=re.escape(told.format(ids))):
            alive(rules, bare)
    anywhere = ns.Rewiring("web", regrow=1 * Hz, weight=1 * mV, label="anywhere")
    lives = [[ns.Phase("life", 1, rules)] for rules in ([growing([1, 2], "a"), other], [growing([1], "a"), anywhere])]
    lives.append([ns.Phase("first", 1, [growing([1], "a")]), ns.Phase("second", 1, [growing([2], "a"), other])])  # the union of phases
    for phases in lives:  # the controls
        with warnings.catch_warnings(record=True) as noted:
            warnings.simplefilter("always")
            ns.develop(bare, ns.Lifecycle(2 * ms, phases), backend=ns.Brian2(target="numpy"), progress=False)
        assert not any("permit them none" in str(one.message) for one in noted)


def test_the_study_runs_at_its_smallest_scale(tmp_path):
    done = run_study("live_connections", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "rewired when punished" in done.stdout and "the credit of one epoch takes" in done.stdout
    assert (tmp_path / "results" / "live_connections" / "live_connections.png").read_bytes().startswith(b"\x89PNG")
