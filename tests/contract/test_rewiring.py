"""What a division makes of synapses, row by row: split, copied or wired anew; shares; links."""

import numpy as np
import pytest
from circuits import CELLS, DT, LIBRARY, build, drive, run

import neurosim as ns
from neurosim.units import ms, nS, second


def triangle(newborn="split"):
    """Three cells with an autapse, a double contact and a loop, some way into a run: every column has something to copy."""
    exc = ns.create("exc", "leaky_conductance", 3, state={"v": np.array([-51, -52, -53]) * ns.units.mV})
    pre, post = [0, 0, 0, 0, 1, 2], [0, 1, 1, 2, 0, 0]
    stdp = ns.load_synapse("stdp_pair").replace(w_max=100 * nS)
    plastic = ns.connect(exc, exc, stdp, ns.Pairs(pre, post), receptor="g_exc", weight=np.arange(10, 70, 10) * nS, delay=np.arange(6) * ms)
    circuit, _ = run(ns.Circuit([exc], [plastic.replace(name="plastic", newborn=newborn)]), 300, drive("leaky_conductance", scale=4))
    assert (circuit["plastic"].synapses["x"] > 0).all() and len(circuit["plastic"].flight) > 2
    return circuit


def divide(circuit, mothers, share=0.25, seed=1, **others):
    return ns.apply(circuit, ns.Events.divide("exc", mothers, rng=np.random.default_rng(seed), share=share, **others))


def rows(circuit, *columns, name="plastic"):
    return sorted(zip(*(circuit[name].synapses[key].tolist() for key in columns), strict=True))


def test_synapses_among_dividing_cells_become_four():
    """Cells 0 and 1 divide into 0 and 3, 1 and 4; the mother keeps a quarter of every outgoing synapse, her daughter the rest."""
    before = triangle()
    after = divide(before, [0, 1])
    a, b = 0.25, 0.75

    def four(parent, pre, twin, post, other):
        return [
            (parent, pre, post, a),
            (parent, pre, other, a),
            (parent, twin, post, b),
            (parent, twin, other, b),
        ]

    two_senders = [(3, 0, 2, a), (3, 3, 2, b)]
    two_receivers = [(5, 2, 0, 1.0), (5, 2, 3, 1.0)]
    expected = [*four(0, 0, 3, 0, 3), *four(1, 0, 3, 1, 4), *four(2, 0, 3, 1, 4), *two_senders, *four(4, 1, 4, 0, 3), *two_receivers]
    table = after["plastic"].synapses
    origin = np.where(table["parent"] < 0, table["id"], table["parent"])
    assert sorted(zip(origin.tolist(), table["pre"].tolist(), table["post"].tolist(), table["share"].tolist(), strict=True)) == sorted(
        expected
    )
    kept = after["plastic"].rows(before["plastic"].ids)
    assert kept.tolist() == list(range(6))
    for key in ("pre", "post", "parent"):
        assert table[key][kept].tolist() == before["plastic"].synapses[key].tolist()
    for key in ("weight", "delay", "x", "y", "lastupdate"):
        assert table[key].tobytes() == before["plastic"].synapses[key][origin].tobytes()
    assert table["id"].tolist() == list(range(20))
    assert len(after["plastic"].flight) == sum(
        sum(row[0] == synapse for row in expected) for synapse in before["plastic"].flight["synapse"].tolist()
    )


def test_a_daughter_copies_all_state():
    before = triangle()
    after = divide(before, [0, 1])
    assert rows_of_cells(after, [3, 4]) == rows_of_cells(before, [0, 1])
    assert after["exc"].cells["parent"].tolist() == [-1, -1, -1, 0, 1]
    assert after["exc"].cells["birth"].tolist() == [0, 0, 0, 1, 1]
    assert after["exc"].parents.tolist() == [-1, -1, -1, 0, 1]


def rows_of_cells(circuit, ids):
    cells = circuit["exc"].cells
    return {key: values[circuit["exc"].rows(ids)].tobytes() for key, values in cells.items() if key not in ("id", "parent", "birth")}


def test_shares_are_drawn_for_each_synapse_and_stay_whole_together():
    before = build("leaky_conductance", size=60)
    after = divide(before, [0, 7, 20], share=(0.2, 0.6))
    drawn = {}
    for name in ("plastic", "fixed"):
        table, old = after[name].synapses, before[name].synapses
        outgoing = np.flatnonzero(np.isin(old["pre"], [0, 7, 20]) & ~np.isin(old["post"], [0, 7, 20]))
        mothers = table["share"][after[name].rows(old["id"][outgoing])]
        daughters = table["share"][[np.flatnonzero(table["parent"] == synapse)[0] for synapse in old["id"][outgoing]]]
        np.testing.assert_allclose(mothers + daughters, 1.0, rtol=1e-15)
        assert len(np.unique(mothers)) == len(mothers) > 30
        assert 0.2 <= mothers.min() < 0.25 and 0.55 < mothers.max() <= 0.6
        drawn[name] = dict(zip(old["id"][outgoing].tolist(), mothers.tolist(), strict=True))
    both = drawn["plastic"].keys() & drawn["fixed"].keys()
    assert len(both) > 2 and all(drawn["plastic"][synapse] != drawn["fixed"][synapse] for synapse in both)


def test_the_same_event_draws_the_same_and_another_draws_anew():
    before = triangle()
    one, again, other = (divide(before, [0], share=(0.2, 0.6), seed=seed, jitter=0.1) for seed in (1, 1, 2))
    assert one["plastic"].synapses == again["plastic"].synapses
    assert not np.isin(other["plastic"].synapses["share"][:4], one["plastic"].synapses["share"][:4]).any()
    assert (other["plastic"].synapses["weight"] != one["plastic"].synapses["weight"]).any()


def test_jitter_moves_the_plastic_weights_of_twins_inside_their_bounds():
    before = build("leaky_conductance", size=60, chance=0.5)
    mothers = list(range(30))
    after = divide(before, mothers, jitter=0.5)
    twins = np.flatnonzero(np.isin(after["plastic"].synapses["post"], [*mothers, *range(60, 90)]))
    table = after["plastic"].synapses
    origin = before["plastic"].rows(np.where(table["parent"] < 0, table["id"], table["parent"]))
    factor = table["weight"] / before["plastic"].synapses["weight"][origin]
    assert (np.delete(factor, twins) == 1).all() and (factor[twins] != 1).all()
    inside = table["weight"] < before["plastic"].synapse.parameters["w_max"].value
    assert table["weight"].max() == before["plastic"].synapse.parameters["w_max"].value and inside.mean() > 0.9
    weak = twins[before["plastic"].synapses["weight"][origin[twins]] < 0.2e-9]
    assert np.log(factor[weak]).std() == pytest.approx(0.5, rel=0.1) and abs(np.log(factor[weak]).mean()) < 0.05
    assert set(after["fixed"].synapses["weight"]) == set(before["fixed"].synapses["weight"])


def test_copy_gives_the_daughter_whole_outgoing_weights():
    before = triangle("copy")
    after = divide(before, [0, 1])
    assert (after["plastic"].synapses["share"] == 1).all()
    assert rows(after, "pre", "post", "delay") == rows(divide(triangle(), [0, 1]), "pre", "post", "delay")


def lateral(newborn, size=4):
    exc = ns.create("exc", "leaky_conductance", size)
    wired = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="g_inh", weight=2 * nS, delay=1 * ms).replace(
        name="lateral", newborn=newborn
    )
    return ns.Circuit([exc], [wired])


def all_pairs(cells, but=()):
    return sorted((pre, post) for pre in cells for post in cells if pre != post and (pre, post) not in but)


def test_lateral_inhibition_wired_anew_joins_every_pair_and_twins_too():
    circuit = divide(lateral("wire"), [0, 2])
    assert rows(circuit, "pre", "post", name="lateral") == all_pairs(range(6))
    circuit = ns.apply(circuit, ns.Events.kill("exc", [1, 4]))
    circuit = divide(circuit, [5, 3, 0])
    assert circuit["exc"].ids.tolist() == [0, 2, 3, 5, 6, 7, 8]
    assert rows(circuit, "pre", "post", name="lateral") == all_pairs(circuit["exc"].ids.tolist())
    table = circuit["lateral"].synapses
    assert (
        set(table["weight"]) == {2e-9} and set(table["delay"]) == {1e-3} and set(table["share"]) == {1.0} and set(table["parent"]) == {-1}
    )


def test_lateral_inhibition_that_is_copied_leaves_twins_apart():
    circuit = divide(lateral("copy"), [0])
    assert rows(circuit, "pre", "post", name="lateral") == all_pairs(range(5), but=[(0, 4), (4, 0)])


def test_wired_projections_draw_their_own_pairs():
    exc = ns.create("exc", "leaky_conductance", 300)
    both = [
        ns.connect(exc, exc, "static", ns.FixedProbability(0.2), receptor="g_exc", weight=ns.Uniform(1 * nS, 2 * nS), seed=seed).replace(
            name=name, newborn="wire"
        )
        for seed, name in enumerate(("one", "other"))
    ]
    after = divide(ns.Circuit([exc], both), [5])
    new = [{(pre, post) for pre, post in rows(after, "pre", "post", name=name) if 300 in (pre, post)} for name in ("one", "other")]
    assert all(70 < len(pairs) < 180 for pairs in new)
    assert len(new[0] & new[1]) < 0.5 * min(map(len, new))
    weight = after["one"].synapses["weight"][after["one"].synapses["id"] >= both[0].next_id]
    assert 1e-9 <= weight.min() < weight.max() <= 2e-9


def test_wired_synapses_start_fresh():
    before = triangle("split")
    projection = ns.connect(
        before["exc"], before["exc"], before["plastic"].synapse, ns.AllToAll(), receptor="g_exc", weight=1 * nS, delay=5 * ms
    )
    circuit = ns.Circuit([before["exc"]], [projection.replace(name="plastic", newborn="wire")], step=before.step, dt_si=before.dt_si)
    circuit, _ = run(circuit, 100, drive("leaky_conductance", scale=4))
    after = divide(circuit, [0])
    fresh = after["plastic"].ids >= circuit["plastic"].next_id
    table = after["plastic"].synapses
    assert fresh.sum() == 6 and set(table["lastupdate"][fresh]) == {after.time_si} and not table["x"][fresh].any()
    assert not np.isin(after["plastic"].flight["synapse"], table["id"][fresh]).any()
    assert len(after["plastic"].flight) == len(circuit["plastic"].flight) > 0


@pytest.mark.parametrize("cell", CELLS)
def test_links_and_unlinks_change_what_they_name_and_nothing_else(cell):
    before, _ = run(build(cell), 300, drive(cell), LIBRARY)
    sign = np.sign(before["fixed"].synapses["weight"][0])
    gone = before["fixed"].ids[[0, 5, 7]]
    events = (
        ns.Events.unlink("fixed", gone)
        + ns.Events.link("fixed", [3, 3, 8], [3, 9, 9], sign * 1e-12, 17 * DT)
        + ns.Events.link("plastic", 1, 2, 1e-12, 0.0)
    )
    after = ns.apply(before, events)
    assert after["exc"] is before["exc"]
    assert after["fixed"].ids.tolist() == [
        *(synapse for synapse in before["fixed"].ids.tolist() if synapse not in gone),
        *range(before["fixed"].next_id, before["fixed"].next_id + 3),
    ]
    new = {key: values[-3:].tolist() for key, values in after["fixed"].synapses.items()}
    assert new["pre"] == [3, 3, 8] and new["post"] == [3, 9, 9] and new["parent"] == [-1] * 3 and new["share"] == [1.0] * 3
    assert new["weight"] == [sign * 1e-12] * 3 and new["delay"] == pytest.approx([17 * DT] * 3)
    fresh = {key: values[-1] for key, values in after["plastic"].synapses.items()}
    assert (fresh["x"], fresh["y"], fresh["lastupdate"]) == (0, 0, before.time_si)
    for key, values in before["plastic"].synapses.items():
        assert after["plastic"].synapses[key][:-1].tobytes() == values.tobytes()


def test_a_new_synapse_learns_from_its_own_time_on():
    """Two contacts of one pair with equal weights, one linked after a first pairing of spikes and one there before."""
    source = ns.create("source", "spike_source", 1)
    exc = ns.create("exc", "leaky_conductance", 1)
    stdp = ns.load_synapse("stdp_pair").replace(w_max=100 * nS, A_plus=0.1, A_minus=0.1)
    projection = ns.connect(source, exc, stdp, ns.Pairs([0], [0]), receptor="g_exc", weight=50 * nS).replace(name="plastic")
    given = ns.SpikeTimes("source", 0, np.array([10, 600]) * DT * second)
    circuit, recording = run(ns.Circuit([source, exc], [projection]), 300, [given])
    assert recording["exc"].counts.sum() > 0
    weight = circuit["plastic"].synapses["weight"][0]
    assert weight != 50e-9
    circuit, recording = run(ns.apply(circuit, ns.Events.link("plastic", 0, 0, weight, 0.0)), 500, [given])
    first = recording["exc"].spikes.step[0]
    old, new = circuit["plastic"].synapses["weight"]
    assert first >= 600
    # The old one is weakened by the cell's first spikes, which the new one did not see.
    assert old < new
