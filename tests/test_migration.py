"""Cells that synapses join move towards one another: never past, never out of the space that they span, and anchors not at all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import ConvexHull

import neurosim as ns
from neurosim.lifecycle.books import kept
from neurosim.units import ms, nS, second, um

CELL = "leaky_conductance"


def circuit(places, pre, post, weights, other=None):
    """Cells at places (um) with synapses between them, or from cells at other places."""
    places = np.asarray(places, dtype=float)
    cells = ns.create("cells", CELL, len(places), positions=places * um)
    source = cells if other is None else ns.create("other", CELL, len(other), positions=np.asarray(other, dtype=float) * um)
    web = ns.connect(source, cells, "static", ns.Pairs(pre, post), receptor="g_exc", weight=np.asarray(weights) * nS).replace(name="web")
    return ns.Circuit(list(dict.fromkeys([source, cells])), [web], seed=1)


def moved(circuit, **how):
    rule = ns.Migration("web", **how)
    rule.check(circuit)
    return kept(circuit, None, [rule])[0]


def at(circuit, name="cells"):
    return np.asarray(circuit[name].position / um)


@pytest.mark.parametrize("pace", [0.01, 0.1, 0.5])
def test_two_cells_come_nearer_by_twice_the_pace_and_never_pass(pace):
    now, distance = circuit([[0, 0, 0], [30, 40, 0]], [0], [1], [2]), 50.0
    for _ in range(20):
        now = moved(now, pace=pace)
        left = np.linalg.norm(at(now)[0] - at(now)[1])
        assert left == pytest.approx(distance * (1 - 2 * pace), rel=1e-9, abs=1e-9)
        np.testing.assert_allclose(at(now).mean(axis=0), [15, 20, 0], rtol=1e-12, atol=1e-12)
        distance = left


def test_unit_steps_pass_one_another():
    """The control: steps of a fixed length along the line between two cells, by weight, do not come nearer for ever."""
    places, distances = np.array([0.0, 1.3]), []
    for _ in range(6):
        places = places + 0.5 * np.sign(places[::-1] - places)
        distances.append(abs(places[0] - places[1]))
    assert (np.diff(distances) > 0).any()


def test_partners_pull_in_proportion_to_delivered_weight_from_either_end():
    now = moved(circuit([[0, 0, 0], [10, 0, 0], [0, 20, 0]], [0, 2], [1, 0], [1, 3]), pace=0.4)
    np.testing.assert_allclose(at(now), [[0.4 * 10 / 4, 0.4 * 20 * 3 / 4, 0], [6, 0, 0], [0, 12, 0]], rtol=1e-12, atol=1e-12)


def test_anchors_stay_to_the_bit_and_pull():
    now = circuit([[1 / 3, 0, 0]], [0], [0], [1], other=[[1, 2, 3]])
    first = at(now, "other").copy()
    for _ in range(50):
        now = moved(now, pace=0.3, anchors="other")
    assert (at(now, "other") == first).all()
    np.testing.assert_allclose(at(now)[0], [1, 2, 3], rtol=1e-6)
    assert (at(moved(now, pace=0.3), "other") != first).any()  # the control: it is the anchoring that holds them


def test_coincident_cells_and_cells_without_synapses_stay_where_they_are():
    now = moved(circuit([[5, 5, 0], [5, 5, 0], [9, 9, 9]], [0, 1], [1, 0], [1, 1]), pace=0.5)
    assert (at(now) == [[5, 5, 0], [5, 5, 0], [9, 9, 9]]).all()
    weightless = moved(circuit([[0, 0, 0], [1, 1, 1]], [0], [1], [0]), pace=0.5)
    assert (at(weightless) == [[0, 0, 0], [1, 1, 1]]).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.5))
def test_cells_never_leave_the_space_that_they_span(seed, pace):
    rng = np.random.default_rng(seed)
    size = rng.integers(5, 12)
    places = rng.normal(size=(size, 3)) * 50
    now = moved(circuit(places, *rng.integers(0, size, (2, 40)), rng.exponential(size=40)), pace=pace)
    hull = ConvexHull(places)
    assert (at(now) @ hull.equations[:, :3].T + hull.equations[:, 3] <= 1e-9 * 50).all()


@pytest.mark.parametrize("target", ["numpy", "library"])
def test_positions_follow_through_divisions_deaths_and_births(target):
    rng = np.random.default_rng(1)
    size = 12
    cells = ns.create("cells", CELL, size, positions=rng.uniform(0, 100, (size, 3)) * um)
    delay = ns.Conduction(100 * um / ms, minimum=0.1 * ms, grid=0.1 * ms)
    web = ns.connect(cells, cells, "static", ns.FixedProbability(0.3), receptor="g_exc", weight=0.1 * nS, delay=delay, seed=1).replace(
        name="web"
    )
    start = ns.Circuit([cells], [web], seed=1)
    rules = [
        ns.Migration("web", pace=0.2), ns.Division("cells", count=2), ns.Apoptosis("cells", count=1),
        ns.Rewiring("web", regrow=ns.Growth(2 / second, ns.DistanceKernel("gaussian", 50 * um, 1.0)), weight=0.1 * nS, delay=delay),
    ]  # fmt: skip
    life = ns.Lifecycle(10 * ms, [ns.Phase("moving", 4, rules)])
    history = ns.develop(start, life, backend=ns.Brian2(target=target), progress=False)
    assert len(history.circuit["cells"]) == size + 4 and np.isfinite(at(history.circuit)).all()
    first = ns.develop(
        start, ns.Lifecycle(10 * ms, [ns.Phase("moving", 1, rules)]), backend=ns.Brian2(target=target), progress=False
    ).circuit
    cells, places = first["cells"], dict(zip(start["cells"].ids.tolist(), at(moved(start, pace=0.2)), strict=True))
    assert cells.ids.max() == size + 1 and len(cells) == size + 1
    for cell, parent, place in zip(cells.ids.tolist(), cells.cells["parent"].tolist(), at(first), strict=True):
        np.testing.assert_allclose(
            place, places[cell if cell in places else parent], rtol=1e-12
        )  # a daughter stands where her mother is now
    new = first["web"].synapses["since"] > 0
    made = new & (first["web"].synapses["parent"] < 0)
    ends = [
        np.array([dict(zip(cells.ids.tolist(), at(first), strict=True))[one] for one in first["web"].synapses[end][made].tolist()])
        for end in ("pre", "post")
    ]
    wanted = 0.1 * np.rint(1 + np.linalg.norm(ends[0] - ends[1], axis=1) / 100 / 0.1)
    assert made.any()
    np.testing.assert_allclose(np.asarray(first["web"].delay / ms)[made], wanted, rtol=1e-9)  # new synapses are as long as the way is now


def test_both_targets_move_cells_alike():
    lives = []
    for target in ("numpy", "library"):
        now = circuit(np.random.default_rng(2).uniform(0, 9, (6, 3)), [0, 1, 2, 3], [3, 4, 5, 1], [1, 2, 3, 4])
        life = ns.Lifecycle(5 * ms, [ns.Phase("moving", 3, [ns.Migration("web"), ns.Division("cells", count=1)])])
        lives.append(ns.develop(now, life, backend=ns.Brian2(target=target), progress=False).circuit["cells"])
    np.testing.assert_array_equal(lives[0].cells["position"], lives[1].cells["position"])
    assert (lives[0].ids == lives[1].ids).all()


BAD = {
    "pace": (lambda: ns.Migration("web", pace=0.6), "pace of the migration along web is 0.6; give a share of the way above 0, at most 0.5"),
    "no pace": (lambda: ns.Migration("web", pace=0), "is 0; give a share"),
    "nowhere": (lambda: ns.Migration([]), "goes along no projection"),
    "name": (lambda: ns.Migration("wep").check(circuit([[0, 0, 0]], [0], [0], [1])), "'wep', which is no projection. Did you mean 'web'"),
    "anchor": (lambda: ns.Migration("web", anchors="cell").check(circuit([[0, 0, 0]], [0], [0], [1])), "'cell', which is no population. Did you mean 'cells'"),
}  # fmt: skip


@pytest.mark.parametrize("slip", BAD)
def test_slips_are_told(slip):
    make, message = BAD[slip]
    with pytest.raises(ValueError) as told:
        make()
    assert message in str(told.value)


def test_cells_without_positions_are_told_before_anything_runs():
    cells = ns.create("cells", CELL, 2)
    web = ns.connect(cells, cells, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS).replace(name="web")
    life = ns.Lifecycle(5 * ms, [ns.Phase("moving", 1, [ns.Migration("web")])])
    with pytest.raises(ValueError, match=r"cells of 'cells' have no positions; create them with positions="):
        ns.develop(ns.Circuit([cells], [web], seed=1), life, progress=False)
