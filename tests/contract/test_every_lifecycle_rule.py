"""Every rule of the lifecycle keeps the boundary contract: conservation, bounds, determinism, replay, and as many events when yoked.

One circuit has all that the rules need, so that it compiles once. Each rule lives in it alone, and then they live there together.
"""

from collections import Counter
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from circuits import DT, LIBRARY, NUMPY, differences
from test_every_rule import built
from test_memory import MEGABYTE, alone, resident

import neurosim as ns
from neurosim.units import Hz, metre, ms, mV, nS, second, um

EPOCH, EPOCHS = 5 * ms, 6
PLACES = (ns.Uniform(0 * um, 200 * um), ns.Uniform(0 * um, 200 * um), ns.Uniform(0 * um, 1 * um))
SOON = 60 / second  # a hazard that has some of a dozen cells act within a few epochs
CALCIUM = ns.Calcium(20 * ms)
AXONS = ns.AxonalElements("exc", "axons", ns.LinearGrowth(400 / second, 40 * Hz), ["loop"], CALCIUM, 20 / second, 9.0)
SPINES = ns.DendriticElements("exc", "spines", ns.GaussianGrowth(400 / second, 60 * Hz, 5 * Hz), ["loop"], CALCIUM, 20 / second, 9.0)
ENERGY = ns.Energy("exc", income=1e9 / second, first=1e7, cost=1e5, costs={"per_time": 5e8 / second, "per_spike": 1e7, "per_event": 1e5})

RULES = {
    "division": [ns.Division("exc", hazard=SOON, jitter=0.2)],
    "division of the busiest": [ns.Division("exc", ns.Top(0.1), until=14)],
    "division by passthrough": [ns.Division("exc", ns.Above(ns.Passthrough(20 * ms), 1.2))],
    "apoptosis": [ns.Apoptosis("exc", ~ns.Top(0.5) & ns.Random(SOON), floor=4)],
    "apoptosis by age": [ns.Apoptosis("exc", ns.Outlived(ns.Uniform(1, 9)))],
    "apoptosis by vitality": [ns.Apoptosis("exc", ns.Bottom(0.1, ns.Vitality()))],
    "fading": [ns.Apoptosis("exc", ns.RateBelow(1.0), fade=0.1)],
    "heirs": [ns.Apoptosis("exc", hazard=SOON, heirs=ns.Heirs(2, 1 * ms))],
    "set-point": [ns.Division("exc", ns.SetPoint(CALCIUM, 40 * Hz, SOON)), ns.Apoptosis("exc", ns.SetPoint(CALCIUM, 40 * Hz, SOON, above=True))],
    "energy": [ENERGY, ns.Apoptosis("exc", ns.Below(ns.Value("energy"), 0.0)), ns.Division("exc", ns.Above(ns.Value("energy"), 1.1e7))],
    "pruning by use": [ns.Rewiring("loop", prune=ns.UseBelow(400 * Hz), hazard=SOON)],
    "growth": [ns.Rewiring("loop", prune=ns.WeightBelow(0.5), regrow=8 / second, weight=0.5, delay=1 * ms)],
    "constant in-degree": [ns.Rewiring("loop", prune=ns.WeightBelow(1 * nS), hazard=SOON, regrow=ns.Growth(ns.InDegree()), weight=1 * nS)],
    "constant total": [
        ns.Rewiring(
            "loop", prune=ns.WeightBelow(1 * nS), hazard=SOON, regrow=ns.Growth(ns.Total(), ns.DistanceKernel("gaussian", 80 * um), 2),
            weight=1 * nS, delay=ns.Conduction(0.1 * metre / second, grid=0.1 * ms),
        )
    ],
    "growth by correlation": [ns.Rewiring("loop", regrow=ns.Growth(100 / second, ns.Correlated(1 * ms)), weight=1 * nS)],
    "growth of permitted pairs": [ns.Rewiring("loop", regrow=ns.Growth(40 / second, ns.Permitted(np.arange(12), np.roll(np.arange(12), 5))), weight=1 * nS)],
    "synaptic elements": [ns.ElementWiring(AXONS, SPINES, weight=1 * nS, delay=1 * ms)],
    "neurogenesis": [
        ns.Neurogenesis("exc", count=1, positions=PLACES),
        ns.Apoptosis("exc", ns.Between(ns.Age(), 2, 3) & ns.RateBelow(100 * Hz)),
        ns.Maturation("exc", "E_L", ages=[0, 4], values=[-50, -49] * mV),
    ],
    "input growth": [ns.InputGrowth("source", count=1)],
    "differentiation": [ns.Differentiation("stem", "exc", count=1)],
    "extinction": [ns.Extinction([ns.Division("exc", ns.Top(0.2)), ns.Apoptosis("exc", ns.Bottom(0.2))], every=2)],
    "cell ratio": [ns.CellRatio("exc", "inh", 6.0, [ns.Division("exc"), ns.Apoptosis("inh", floor=1)])],
    "migration": [ns.Migration("loop", pace=0.2), ns.Division("exc", count=1)],
}  # fmt: skip


DECIDED = ("input growth", "cell ratio")  # rules here whose events leave nothing to chance


@cache
def circuit(size=12):
    draw = np.random.default_rng(3)
    cell = ns.load_cell("leaky_conductance")
    source = ns.create("source", "spike_source", 3)
    stem = ns.create("stem", cell, 3, positions=draw.uniform(0, 200, (3, 2)) * um)
    exc = ns.create(
        "exc",
        cell,
        size,
        sign="excitatory",
        positions=draw.uniform(0, 200, (size, 2)) * um,
        spread={"E_L": ns.Normal(-49 * mV, 1 * mV)},
        seed=1,
    ).placing(20 * um)
    inh = ns.create("inh", cell, 4, sign="inhibitory", positions=draw.uniform(0, 200, (4, 2)) * um)
    stdp = ns.load_synapse("stdp_pair").replace(w_max=3 * nS, A_plus=0.05, A_minus=0.04)
    weight, delay = ns.Uniform(0.3 * nS, 2 * nS), 1 * ms
    loop = ns.connect(exc, exc, stdp, ns.FixedProbability(0.3, contacts=2), receptor="g_exc", weight=weight, delay=delay, seed=2)
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=3 * nS).replace(newborn="wire")
    brake = ns.connect(inh, exc, "static", ns.FixedProbability(0.5), receptor="g_inh", weight=2 * nS, delay=delay, seed=4)
    return ns.Circuit([source, stem, exc, inh], [loop.replace(name="loop"), into, brake.replace(newborn="partition")], seed=1)


INPUTS = [
    ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=4 * nS),
    ns.PoissonInput("inh", "g_exc", rate=900 * Hz, weight=4 * nS),
    ns.SpikeTimes("source", [0, 1, 2, 0], np.array([3, 8, 13, 21]) * ms),
]


def life(rules, epochs=EPOCHS, factor=1.0):
    return ns.Lifecycle(EPOCH * factor, [ns.Phase("life", epochs, rules)])


def lived(rules, backend=LIBRARY, watch=None, now=None):
    """Live a few epochs, looking at every circuit."""

    def look(now, recording):
        (watch or sound)(now)
        return {}

    return ns.develop(
        now or circuit(),
        rules if isinstance(rules, ns.Lifecycle) else life(rules),
        inputs=INPUTS,
        measure=look,
        backend=backend,
        progress=False,
    )


@cache
def of(name, backend=LIBRARY):
    return lived(RULES[name], backend)


def sound(now):
    """Nobody names the dead, ids are unique, weights are in their bounds and of their sign, ledgers finite, time steps whole."""
    for population in now.populations.values():
        ids = population.ids
        assert len(np.unique(ids)) == len(ids) and ids.max(initial=-1) < len(population.parents)
        assert all(np.isfinite(population.cells[ledger]).all() for ledger in population.ledgers)
    for projection in now.projections.values():
        table = projection.synapses
        assert np.isin(table["pre"], now[projection.source].ids).all() and np.isin(table["post"], now[projection.target].ids).all()
        assert np.isin(projection.flight["synapse"], projection.ids).all() and len(np.unique(projection.ids)) == len(projection)
        assert (table["weight"] >= 0).all() and (table["share"] >= 0).all()
        if projection.synapse.bounds:
            assert (table["weight"] <= projection.synapse.parameters["w_max"].value).all()
        steps = table["delay"] / DT
        assert (np.abs(steps - np.round(steps)) < 1e-6).all()


def counts(history):
    found = np.unique(history.events[["epoch", "kind", "where"]], return_counts=True)
    return {tuple(key): count for key, count in zip(found[0].tolist(), found[1].tolist(), strict=True)}


@pytest.mark.parametrize("name", RULES)
def test_what_a_rule_does_is_conserved_repeats_and_can_be_replayed(name):
    history = of(name)
    sound(history.circuit)
    assert len(history.events), "a rule that does nothing here is not tested"
    for part in (*history.start.populations, *history.start.projections):
        series = history.series(part)
        assert (np.diff(series["size"]) == (series["births"] - series["deaths"])[1:]).all()
        assert series["size"][-1] == len(history.circuit[part])
    again = lived(RULES[name])
    assert again.events.tobytes() == history.events.tobytes() and differences(again.circuit, history.circuit) == []
    replayed = ns.replay(history.start, history.boundaries)
    for part, population in replayed.populations.items():
        assert population.ids.tolist() == history.circuit[part].ids.tolist()
        assert population.cells["parent"].tolist() == history.circuit[part].cells["parent"].tolist()
    for part, projection in replayed.projections.items():
        table = history.circuit[part].synapses
        for column in ("id", "parent", "pre", "post", "delay", "share"):
            np.testing.assert_allclose(projection.synapses[column], table[column], rtol=1e-12)
    if name in DECIDED:
        return
    other = lived(RULES[name], now=circuit().reseed(2))
    assert other.events.tobytes() != history.events.tobytes()  # the control: chance or activity decides


@pytest.mark.parametrize("name", RULES)
def test_the_library_lives_the_same_life(name):
    one, other = of(name, NUMPY), of(name)
    assert counts(one) == counts(other)
    for column in ("epoch", "kind", "where", "id", "parent", "pre", "post", "rule"):
        assert one.events[column].tolist() == other.events[column].tolist()
    for part in one.circuit.populations:
        for column, values in one.circuit[part].cells.items():
            np.testing.assert_allclose(other.circuit[part].cells[column], values, rtol=1e-9, atol=1e-12, err_msg=f"{part}.{column}")
    for part in one.circuit.projections:
        for column, values in one.circuit[part].synapses.items():
            np.testing.assert_allclose(other.circuit[part].synapses[column], values, rtol=1e-9, atol=1e-15, err_msg=f"{part}.{column}")


@pytest.mark.parametrize("name", RULES)
def test_the_yoked_form_has_as_many_events(name):
    history = of(name)
    control = lived(ns.yoked(life(RULES[name]), history))
    assert counts(control) == counts(history)


@pytest.mark.parametrize("name", RULES)
def test_a_rescaled_life_is_one_too(name):
    slower = ns.rescaled(life(RULES[name]), 2)
    assert slower.epoch == 2 * EPOCH and slower.epochs == EPOCHS
    lived(slower)


def test_all_rules_live_together():
    rules = []
    for number, (name, some) in enumerate(RULES.items()):
        if name in ("set-point", "extinction", "energy"):
            continue
        for place, rule in enumerate(some):
            if hasattr(rule, "label"):
                rules.append(ns.Extinction([rule], every=1, label=f"rule {number}.{place}"))
    history = lived([*RULES["energy"], *rules])
    sound(history.circuit)
    assert Counter(history.events["kind"].tolist()).keys() == {"death", "handover", "fade", "division", "birth", "unlink", "link"}
    assert ns.replay(history.start, history.boundaries)["exc"].ids.tolist() == history.circuit["exc"].ids.tolist()


def test_another_rule_moves_no_draw_of_a_rule():
    alone_, watched = of("growth"), lived([*RULES["growth"], ns.Differentiation("stem", "inh", count=0)])
    assert alone_.events.tobytes() == watched.events.tobytes()
    with_inputs = lived([*RULES["growth"], *RULES["input growth"]])
    links = [one.events[one.events["kind"] == "link"] for one in (alone_, with_inputs)]
    first = [one[one["epoch"] == 1][["pre", "post"]].tolist() for one in links]
    assert first[0] == first[1] and first[0]


# --- each rule with each plasticity ------------------------------------------------------------------------------------


@cache
def plastic():
    """The circuit of all synapse models of the catalogue, with the parts that the rules here need besides."""
    learning, own = built("leaky_conductance"), circuit()
    placed = {}
    for name, population in learning.populations.items():
        place = np.pad(np.random.default_rng(len(name)).uniform(0, 2e-4, (len(population), 2)), ((0, 0), (0, 1)))
        placed[name] = replace(population, cells=population.cells.replace(position=place))
    learning = learning.updated(placed)
    exc, inh, source, stem = learning["exc"], learning["inh"], own["source"], own["stem"]
    loop = ns.connect(exc, exc, "static", ns.FixedProbability(0.3), receptor="g_exc", weight=1 * nS, delay=1 * ms, seed=2)
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS).replace(newborn="wire")
    parts = [*learning.projections.values(), loop.replace(name="loop"), into]
    return ns.Circuit([source, stem, exc, inh], parts, seed=1)


def rewired(name):
    """The rules on every synapse model: as they are for what concerns cells, on each projection for what concerns synapses."""
    names = list(plastic().projections) if any(getattr(rule, "projection", None) == "loop" for rule in RULES[name]) else ["loop"]
    rules = [rule for rule in RULES[name] if not isinstance(rule, ns.Maturation)]
    made = []
    for rule in rules:
        if getattr(rule, "projection", None) == "loop":
            weight = None if rule.weight is None else 0.5 * nS
            where = {one: replace(rule, projection=one, weight=weight) for one in names}
            made += [one for key, one in where.items() if plastic()[key].source == plastic()[key].target == "exc"]
        else:
            made.append(rule)
    return made


@pytest.mark.parametrize("name", RULES)
def test_each_rule_lives_with_each_plasticity(name):
    history = learned(rewired(name))
    sound(history.circuit)
    assert len(history.events)
    for part, projection in history.circuit.projections.items():
        for column, values in projection.synapses.items():
            assert np.isfinite(values).all(), f"{part}.{column}"


def test_control_all_of_them_learn_here():
    history = learned([])
    moved = {part for part in history.circuit.projections if _moved(history, part)}
    assert {"stdp_pair", "stdp_triplet", "stdp_reward", "bcm", "oja", "hebbian_rate", "use_dependent"} <= moved


def learned(rules):
    """Live a few epochs with all plasticities."""
    times = np.array([2, 8]) * ms
    taught = ns.Reward("exc", times, np.array([60, -30]) * Hz, "teacher", name="teacher")
    credit = ns.Reward("exc", times, 1.0, "credit", name="credit")
    drives = [ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=4 * nS), ns.Reward("exc", times, 1.0), taught, credit, INPUTS[-1]]
    return ns.develop(plastic(), life(rules, 4), inputs=drives, backend=LIBRARY, progress=False)


def _moved(history, part):
    """Whether the weights of synapses that were there at first and still are have changed."""
    before, after = history.start[part], history.circuit[part]
    stay = np.intersect1d(before.ids, after.ids)
    return len(stay) and (before.synapses["weight"][before.rows(stay)] != after.synapses["weight"][after.rows(stay)]).any()


# --- long lives --------------------------------------------------------------------------------------------------------

TURNOVER = [
    ns.Division("exc", count=1),
    ns.Apoptosis("exc", count=1, floor=8, heirs=ns.Heirs(2, 0.2 * ms)),
    ns.Rewiring("loop", prune=ns.UseBelow(1000 * Hz), hazard=20 / second, regrow=ns.Growth(ns.Total(200)), weight=1 * nS, delay=1 * ms),
    ns.Neurogenesis("inh", count=1, positions=PLACES),
    ns.Apoptosis("inh", count=1, floor=3),
]


def grown(epochs, warm_up=40):
    """Live a long life and its yoked one; return the counts of both, and by how much resident memory grew after the warm-up."""
    plan, seen = ns.Lifecycle(0.5 * ms, [ns.Phase("life", epochs, TURNOVER)]), []

    def look(now, recording):
        seen.append(resident())
        return {}

    how = {"inputs": INPUTS, "measure": look, "backend": LIBRARY, "progress": False}
    first = ns.develop(circuit(40), plan, **how)
    growth = seen[-1] - seen[warm_up]
    second_ = ns.develop(circuit(40), ns.yoked(plan, first), **how)
    return counts(first), counts(second_), growth, max(int(one.series("loop")["size"].max()) for one in (first, second_))


def test_200_epochs_yoked_have_as_many_events_each_and_memory_is_flat():
    lived_, yoked_, growth, most = alone(grown, 200)
    assert lived_ == yoked_ and len({epoch for epoch, *_ in lived_}) == 200
    assert growth < 8 * MEGABYTE  # what a history keeps of 160 epochs
    assert most < 5000  # of 1560 pairs: what dying cells hand over joins what their heirs have; copies alone would be hundreds of thousands
