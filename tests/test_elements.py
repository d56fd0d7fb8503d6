"""Synaptic elements: how they grow, decay and are bound, which synapses form and break, and what divisions and deaths do to them."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import rng
from scipy import stats

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import Hz, metre, ms, nS, quantity, second, um

GAUSSIAN = ns.GaussianGrowth(0.1 * Hz, 5 * Hz, 0 * Hz)
STILL = ns.LinearGrowth(0 * Hz, 5 * Hz)  # for what only counts
NAMES = ("exc_to_exc", "exc_to_inh", "inh_to_exc", "inh_to_inh")
POOLS = {name: (f"axon_{name[:3]}", f"den_{name[:3]}") for name in NAMES}


def circuit(exc=12, inh=6, chance=0.2, seed=1):
    cells = {"exc": ns.create("exc", "leaky_conductance", exc), "inh": ns.create("inh", "leaky_conductance", inh)}
    joined = [
        ns.connect(
            cells[name[:3]],
            cells[name[-3:]],
            "static",
            ns.FixedProbability(chance),
            receptor=f"g_{name[:3]}",
            weight=1 * nS,
            delay=1 * ms,
            seed=seed,
        )
        for name in NAMES
    ]
    return ns.Circuit(list(cells.values()), joined, seed=seed)


def wiring(curve=STILL, vacancy=None, **others):
    """One axonal pool for each population, and dendritic ones for each kind of input, as in NEST's example."""
    more = {"curve": curve, "vacancy": vacancy}
    axonal = [
        ns.AxonalElements(one, f"axon_{one}", projections=[name for name in NAMES if name[:3] == one], **more) for one in ("exc", "inh")
    ]
    dendritic = [ns.DendriticElements(name[-3:], f"den_{name[:3]}", projections=[name], **more) for name in NAMES]
    return ns.ElementWiring(axonal, dendritic, **others)


def axon(population="exc", name="axon", projections="exc_to_exc", curve=STILL, **others):
    return ns.AxonalElements(population, name, curve, projections, **others)


def dendrite(population="exc", name="den", projections="exc_to_exc", curve=STILL, **others):
    return ns.DendriticElements(population, name, curve, projections, **others)


def recorded(now, rate=0.0, duration=1.0, seed=0):
    """A recording in which all cells spike at random at one rate."""
    parts, generator = {}, rng(seed)
    for name, population in now.populations.items():
        spikes = generator.poisson(rate * duration, len(population))
        ids = np.repeat(population.ids, spikes)
        steps = np.sort(generator.integers(0, round(duration / 1e-4), len(ids)))
        parts[name] = PartRecording(name, duration, population.ids, spikes, SpikeTrains(generator.permutation(ids), steps, 1e-4))
    return Recording(parts, 0, round(duration / 1e-4), 1e-4)


def bound(now, population, end, names):
    """How many synapses of some projections each cell has, counted one by one."""
    count = Counter(int(cell) for name in names for cell in now[name].synapses[end])
    return np.array([count[int(cell)] for cell in now[population].ids])


def pools(rule, now):
    """Each pool with its whole elements and those that are bound."""
    for pool in rule.pools:
        yield pool, np.floor(now[pool.population].cells[pool.name]), bound(now, pool.population, pool.end, pool.projections)


def given_elements(rule, now, generator, most=6):
    """The circuit with random elements in every pool."""
    now = begun(now, [rule])
    for pool in rule.pools:
        now = now.set(pool.population, **{pool.name: generator.uniform(0, most, len(now[pool.population]))})
    return now


# --- elements --------------------------------------------------------------------------------------------------------


def test_elements_grow_along_the_calcium_that_was_there_when_the_epoch_began():
    """Whatever else reads calcium and is named before: a cell without spikes gains nu T (1 - c tau (1 - exp(-T/tau)) / (T eps))."""
    rule = wiring(ns.LinearGrowth(0.5 * Hz, 5 * Hz))
    calcium = ns.CalciumBook("exc")
    now = begun(circuit(chance=0), [calcium, rule]).set("exc", calcium=3 * Hz, axon_exc=1.5)
    after, _ = kept(now, recorded(now, duration=20.0), [calcium, rule])
    spent = 3 * 10 * -np.expm1(-2.0) / 5
    assert after["exc"].cells["axon_exc"] == pytest.approx(1.5 + 0.5 * (20 - spent), rel=1e-12)
    assert after["exc"].cells["calcium"] == pytest.approx(3 * np.exp(-2.0))
    assert after["exc"].cells["axon_exc"] != pytest.approx(1.5 + 0.5 * (20 - spent * np.exp(-2.0)), rel=1e-3)  # from the end's


def test_spikes_slow_the_growth_of_the_cell_that_emits_them():
    rule = wiring(ns.LinearGrowth(1 * Hz, 5 * Hz))
    now = begun(circuit(chance=0), [rule])
    recording = recorded(now, rate=20, duration=2.0)
    after, _ = kept(now, recording, [rule])
    spikes = recording["inh"].spikes
    for cell in now["inh"].ids:
        times = spikes.step[spikes.id == cell] * 1e-4
        area = (10 * -np.expm1(-(2.0 - times) / 10)).sum() / 10
        assert after["inh"].cells["axon_inh"][cell] == pytest.approx(2 - area / 5, rel=1e-9)
    assert np.ptp(after["inh"].cells["axon_inh"]) > 0.01


def test_vacant_elements_decay_and_bound_ones_do_not():
    """By vacant * (1 - exp(-h T)), of whole elements only."""
    rule = wiring(vacancy=0.3 / second)
    now = begun(circuit(), [rule])
    joined = bound(now, "exc", "pre", ["exc_to_exc", "exc_to_inh"])
    now = now.set("exc", axon_exc=joined + 4.7)
    after, _ = kept(now, recorded(now, duration=2.0), [rule])
    assert after["exc"].cells["axon_exc"] == pytest.approx(joined + 4.7 - 4 * (1 - np.exp(-0.6)), rel=1e-12)
    assert joined.max() > 2
    full, _ = kept(now.set("exc", axon_exc=joined + 0.7), recorded(now, duration=2.0), [rule])
    assert full["exc"].cells["axon_exc"] == pytest.approx(joined + 0.7, rel=1e-12)


def test_synapses_from_elsewhere_bring_their_elements():
    """Those that were there before the life, and those that another rule makes: else the first boundary would take them away."""
    rule = wiring()
    now = begun(circuit(), [rule]).set("inh", den_exc=0.25)
    after, _ = kept(now, recorded(now), [rule])
    assert after["inh"].cells["den_exc"] == pytest.approx(0.25 + bound(now, "inh", "post", ["exc_to_inh"]))
    assert not len(rule(after, recorded(now), rng()))
    assert len(rule(now, recorded(now), rng())) == sum(len(now[name]) for name in NAMES)  # the control


def test_elements_of_founders_are_those_given_first():
    pair = [
        kind("exc", name, STILL, "exc_to_exc", first=2.5) for kind, name in ((ns.AxonalElements, "axon"), (ns.DendriticElements, "den"))
    ]
    now = begun(circuit(chance=0), [ns.ElementWiring(*pair)])
    assert (now["exc"].cells["axon"] == 2.5).all() and (now["exc"].den == 2.5).all() and "axon" not in now["inh"].cells


# --- synapses --------------------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10_000), chance=st.sampled_from([0.0, 0.15, 0.4]), most=st.sampled_from([0, 1.5, 5, 12]), autapses=st.booleans())
@settings(max_examples=40, deadline=None)
def test_synapses_never_outnumber_elements_and_all_that_can_pair_do(seed, chance, most, autapses):
    """After a boundary no cell has more synapses than whole elements; of the scarcer side none is left, but for pairs passed over."""
    rule, generator = wiring(autapses=autapses), rng(seed)
    now = given_elements(rule, circuit(chance=chance, seed=seed), generator, most)
    events = rule(now, None, generator)
    pruned = ns.apply(now, ns.Events({key: rows for key, rows in events.tables.items() if key[0] == "unlink"}))
    vacant = {(pool.population, pool.name): whole - count for pool, whole, count in pools(rule, pruned)}
    assert all((free >= 0).all() for free in vacant.values())
    after = ns.apply(now, events)
    for pool, whole, count in pools(rule, after):
        assert (count <= whole).all(), pool
    for source in ("exc", "inh"):
        made = [events.of("link", name) for name in NAMES if name[:3] == source]
        most_pairs = min(vacant[source, f"axon_{source}"].sum(), sum(vacant[target, f"den_{source}"].sum() for target in ("exc", "inh")))
        loops = made[0 if source == "exc" else 1]
        assert (loops["pre"] == loops["post"]).sum() == 0 or autapses
        made = sum(map(len, made))
        assert made == most_pairs if autapses else made <= most_pairs
    assert all(len(after[name]) == len(pruned[name]) + len(events.of("link", name)) for name in NAMES)


def test_pairs_of_a_cell_with_itself_are_passed_over():
    """Of one cell's axonal and one other's dendritic elements all pair; of the same cell's none; among n cells 1 in n is passed over."""
    rule = wiring()
    now = begun(circuit(exc=5, chance=0), [rule])
    own = now.set("exc", axon_exc=np.eye(5)[0] * 4, den_exc=np.eye(5)[0] * 4)
    assert len(rule(own, None, rng())) == 0
    assert len(rule(now.set("exc", axon_exc=np.eye(5)[0] * 4, den_exc=np.eye(5)[1] * 4), None, rng())) == 4
    assert len(wiring(autapses=True)(own, None, rng())) == 4
    many = now.set("exc", axon_exc=40, den_exc=40)
    made = [len(rule(many, None, rng(seed))) for seed in range(20)]
    assert stats.binomtest(sum(made), 20 * 200, 0.8).pvalue > 1e-3


def test_a_pair_has_no_more_contacts_than_allowed():
    """The old ones count, and those that this boundary takes away do not; without a limit a pair is joined again and again."""
    now = begun(circuit(exc=6, inh=4, chance=0.5), [wiring()])
    now = now.set("exc", axon_exc=30, den_exc=30, den_inh=0).set("inh", axon_inh=0, den_exc=30, den_inh=0)

    def contacts(limit):
        synapses = ns.apply(now, wiring(contacts=limit)(now, None, rng(3)))["exc_to_inh"].synapses
        return max(Counter(zip(synapses["pre"].tolist(), synapses["post"].tolist(), strict=True)).values())

    assert [contacts(limit) for limit in (1, 3)] == [1, 3] and contacts(None) > 5


def test_new_synapses_are_as_the_projection_was_connected_or_as_the_rule_says():
    now = begun(circuit(chance=0), [wiring()]).set("exc", axon_exc=2, den_exc=2)
    events = wiring()(now, None, rng())
    rows = events.of("link", "exc_to_exc")
    assert len(rows) > 5 and (rows["weight"] == 1e-9).all() and rows["delay"] == pytest.approx(1e-3)
    own = wiring(weight=ns.Uniform(2 * nS, 3 * nS), delay=2 * ms)(now, None, rng()).of("link", "exc_to_exc")
    assert own["weight"].min() >= 2e-9 and np.ptp(own["weight"]) > 0 and own["delay"] == pytest.approx(2e-3)


def test_delays_follow_from_distance():
    place = quantity(np.stack([np.arange(8) * 1e-3, np.zeros(8), np.zeros(8)], axis=1), metre.dim)
    exc = ns.create("exc", "leaky_conductance", 8, positions=place)
    loop = ns.connect(
        exc, exc, "static", ns.FixedProbability(0), receptor="g_exc", weight=1 * nS, delay=ns.Conduction(1 * metre / second, minimum=1 * ms)
    )
    rule = ns.ElementWiring(
        ns.AxonalElements("exc", "axon", STILL, "exc_to_exc", first=3), ns.DendriticElements("exc", "den", STILL, "exc_to_exc", first=3)
    )
    now = begun(ns.Circuit([exc], [loop]), [rule])
    rule.check(now)
    rows = rule(now, None, rng()).of("link", "exc_to_exc")
    assert rows["delay"] == pytest.approx(1e-3 + np.abs(rows["pre"] - rows["post"]) * 1e-3) and len(rows) > 12


def test_pairs_bind_with_the_likelihood_of_their_distance():
    """A pair at distance d binds with exp(-d**2/(2 s**2)); what does not stays vacant."""
    places = quantity(np.array([[0, 0, 0], [30e-6, 0, 0], [60e-6, 0, 0]]), metre.dim)
    exc = ns.create("exc", "leaky_conductance", 3, positions=places)
    loop = ns.connect(exc, exc, "static", ns.FixedProbability(0), receptor="g_exc", weight=1 * nS)
    rule = ns.ElementWiring(axon(), dendrite(), where=ns.DistanceKernel("gaussian", 30 * um))
    now = begun(ns.Circuit([exc], [loop]), [rule]).set("exc", axon=[2000, 0, 0], den=[0, 1000, 1000])
    rule.check(now)
    made = rule(now, None, rng(4)).of("link", "exc_to_exc")
    for cell, distance in ((1, 1), (2, 2)):
        assert stats.binomtest(int((made["post"] == cell).sum()), 1000, np.exp(-(distance**2) / 2)).pvalue > 1e-3
    assert len(ns.ElementWiring(axon(), dendrite())(now, None, rng(4))) == 2000  # the control


def test_the_axonal_side_is_served_first():
    """Both ends of every synapse are too many by all: the axons' loss is enough, and nothing is taken away twice."""
    rule = wiring()
    now = begun(circuit(), [rule])
    total = sum(len(now[name]) for name in NAMES)
    events = rule(now, None, rng())
    assert len(events) == total and sum(len(np.unique(rows["synapse"])) for rows in events.tables.values()) == total
    roomy = now.set("exc", axon_exc=50, den_inh=50).set("inh", axon_inh=50, den_exc=50, den_inh=50)
    events = rule(roomy, None, rng())  # what exc cells lack is dendritic elements for exc
    assert len(events.of("unlink", "exc_to_exc")) == len(now["exc_to_exc"])
    assert (events.of("unlink", "exc_to_exc")["threshold"] > events.of("unlink", "exc_to_exc")["value"]).all()
    assert not any(len(events.of("unlink", name)) for name in NAMES[1:])


def test_synapses_that_go_are_drawn_evenly():
    """From all projections of the pool: of a cell's n synapses each goes with probability surplus / n."""
    rule = wiring()
    now = begun(circuit(exc=10, inh=20, chance=0.9), [rule])
    now = now.set("exc", axon_exc=8, den_exc=99, den_inh=99).set("inh", axon_inh=99, den_exc=99, den_inh=99)
    mine = {name: np.flatnonzero(now[name].synapses["pre"] == 4) for name in NAMES[:2]}
    size = sum(map(len, mine.values()))
    lost = {name: np.zeros(len(now[name]), dtype=int) for name in mine}
    for seed in range(300):
        events = rule(now, None, rng(seed))
        for name in mine:
            lost[name][now[name].rows(events.of("unlink", name)["synapse"])] += 1
    counts = np.concatenate([lost[name][rows] for name, rows in mine.items()])
    assert size > 20 and counts.sum() == 300 * (size - 8)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_partners_are_drawn_in_proportion_to_their_vacant_elements():
    """Over both populations that share the axonal pool."""
    rule = wiring()
    now = begun(circuit(exc=4, inh=3, chance=0), [rule])
    now = now.set("exc", axon_exc=[9, 0, 0, 0], den_exc=[0, 10, 30, 0]).set("inh", den_exc=[20, 0, 40])
    found = Counter()
    for seed in range(400):
        events = rule(now, None, rng(seed))
        assert len(events) == 9
        for name in NAMES[:2]:
            found.update((name[-3:], int(cell)) for cell in events.of("link", name)["post"])
    assert set(found) == {("exc", 1), ("exc", 2), ("inh", 0), ("inh", 2)}
    counts = np.array([found["exc", 1], found["exc", 2], found["inh", 0], found["inh", 2]])
    assert stats.chisquare(counts, 36 * np.array([10, 30, 20, 40])).pvalue > 1e-3
    assert stats.chisquare(counts, np.full(4, 900)).pvalue < 1e-9  # the control: not evenly over cells


# --- with other rules ------------------------------------------------------------------------------------------------


def vacant(rule, now):
    return {
        (pool.population, pool.name): dict(zip(now[pool.population].ids.tolist(), whole - count, strict=True))
        for pool, whole, count in pools(rule, now)
    }


@pytest.mark.parametrize("newborn", ["split", "copy"])
def test_a_division_adds_the_elements_that_its_synapses_bind(newborn):
    """So that no cell has more or fewer vacant elements than before, and a daughter as many as her mother; calcium is hers too."""
    rule, now = wiring(), circuit(chance=0.4)
    now = ns.Circuit(list(now.populations.values()), [one.replace(newborn=newborn) for one in now.projections.values()])
    now = given_elements(rule, now, rng(2), 0.5)
    now = kept(now, recorded(now, rate=5), [rule])[0]
    before = vacant(rule, now)
    after = ns.apply(now, ns.Events.divide("exc", [2, 5], rng=rng()) + ns.Events.divide("inh", [1], rng=rng()))
    new = vacant(rule, after)
    born = {"exc": {12: 2, 13: 5}, "inh": {6: 1}}
    for key, cells in new.items():
        assert cells == {cell: before[key][born[key[0]].get(cell, cell)] for cell in cells}
    calcium = after["exc"].cells["calcium"]
    assert calcium[12] == calcium[2] != 0 and calcium[13] == calcium[5]
    grown = after["exc"].cells["axon_exc"][:12] - now["exc"].cells["axon_exc"]
    assert grown.sum() > 1 and grown == pytest.approx(np.round(grown), abs=1e-12)
    assert not len(rule(after, None, rng()).of("unlink", "exc_to_exc"))


@pytest.mark.parametrize("newborn", ["split", "copy", "partition"])
@pytest.mark.parametrize("deaths", [[], [0, 7]])
def test_a_mother_that_loses_synapses_as_she_divides_has_a_daughter_with_as_many_vacant_elements(newborn, deaths):
    rule, now = wiring(), circuit(chance=0.6)
    now = ns.Circuit(list(now.populations.values()), [one.replace(newborn=newborn) for one in now.projections.values()])
    now = given_elements(rule, now, rng(2), 0.5)
    now = now.set("exc", axon_exc=1.5).set("exc", **{pool.name: 2.5 for pool in rule.dendritic if pool.population == "exc"})
    proposed = rule(now, None, rng())
    unlinks = ns.Events({key: rows for key, rows in proposed.tables.items() if key[0] == "unlink"})
    assert len(unlinks) > 10
    after = ns.apply(now, unlinks + ns.Events.kill("exc", deaths) + ns.Events.divide("exc", [2, 5], rng=rng()))
    for pool, whole, bound in pools(rule, after):
        if pool.population == "exc":
            free = dict(zip(after["exc"].ids.tolist(), whole - bound, strict=True))
            assert min(free.values()) >= 0 and free[12] == free[2] and free[13] == free[5]


def test_a_death_frees_the_elements_of_its_partners():
    rule, now = wiring(), circuit(chance=0.4)
    now = kept(begun(now, [rule]), recorded(now), [rule])[0]
    after = ns.apply(now, ns.Events.kill("inh", [3]))
    freed = vacant(rule, after)
    for name, key, mine, theirs in (("inh_to_exc", ("exc", "den_inh"), "pre", "post"), ("exc_to_inh", ("exc", "axon_exc"), "post", "pre")):
        synapses = now[name].synapses
        expected = np.bincount(synapses[theirs][synapses[mine] == 3], minlength=12)
        assert list(freed[key].values()) == expected.tolist() and expected.sum() > 1
    assert not any(map(len, (events for (kind, _), events in rule(after, None, rng()).tables.items() if kind == "unlink")))


def test_newborn_cells_have_no_elements():
    rule = wiring()
    now = given_elements(rule, circuit(), rng())
    after = ns.apply(now, ns.Events.bear("exc", quantity(np.zeros((2, 3)), metre.dim), rng=rng()))
    assert after["exc"].cells["axon_exc"][-2:].tolist() == after["exc"].cells["calcium"][-2:].tolist() == [0, 0]


def life(rule, epochs=3, **others):
    return ns.Lifecycle(epoch=20 * ms, phases=[ns.Phase("growth", epochs, [rule], **others)])


INPUTS = [ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=5 * nS)]


def lived(rule, **others):
    return ns.develop(
        circuit(exc=10, inh=4), life(rule, **others), inputs=INPUTS, backend=ns.Brian2(dt=1 * ms, target="numpy"), progress=False
    )


def test_a_life_is_wired_by_its_elements():
    """Elements grow without activity, pair at each boundary, and the same seed gives the same life."""
    rule = wiring(ns.LinearGrowth(100 * Hz, 1000 * Hz))
    history = lived(rule)
    made = [sum(len(rows) for (kind, _), rows in events.tables.items() if kind == "link") for events in history.boundaries]
    now = history.circuit
    # Each cell grows close to 2 elements of each pool an epoch; of the two sides of exc (10 axons, 14 dendrites) the axonal is the scarcer.
    assert made[0] > 0 and 40 <= sum(made) <= 3 * (20 + 8)
    for pool, whole, count in pools(rule, now):
        assert (count <= whole).all() and count.sum() > 0, pool
    assert now["exc"].cells["calcium"].max() > 0
    again = lived(rule).circuit
    assert all(again[name].synapses == now[name].synapses for name in NAMES)


def test_a_slower_life_has_slower_growth_and_decay():
    rule = wiring(GAUSSIAN, vacancy=0.3 / second)
    slow = ns.rescaled(life(rule), 2).phases[0].rules[0]
    assert {float(pool.curve.rate) for pool in slow.pools} == {0.05} and {float(pool.vacancy) for pool in slow.pools} == {0.15}
    assert slow.pools[0].curve.target == 5 * Hz and slow.pools[0].calcium == ns.Calcium()


def test_a_growth_rate_may_follow_a_schedule():
    rule = wiring(ns.LinearGrowth(ns.Schedule([0, 0, 200] * Hz), 1000 * Hz))
    history = lived(rule)
    assert [len(events) > 0 for events in history.boundaries] == [False, False, True]
