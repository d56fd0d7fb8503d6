"""Delays that follow from the distance between cells."""

import numpy as np
import pytest
from life_data import NUMPY, recorded, rng

import neurosim as ns
from neurosim.lifecycle.folder import load_circuit
from neurosim.units import Hz, metre, mm, ms, nS, second, um

SPEED = 0.3 * metre / second
PLACES = np.array([[0, 0], [300, 0], [300, 400], [0, 1210], [77, 0]]) * um


def net(delay, positions=PLACES, newborn="split", wiring=None):
    exc = ns.create("exc", "leaky_conductance", 5, positions=positions)
    loop = ns.connect(exc, exc, "static", wiring or ns.AllToAll(), receptor="g_exc", weight=1 * nS, delay=delay)
    return ns.Circuit([exc], [loop.replace(name="loop", newborn=newborn)], seed=3)


def expected(now, speed=0.3, minimum=0.0, grid=1e-4):
    """Minimum and distance over speed, rounded, cell by cell."""
    synapses, position = now["loop"].synapses, np.asarray(now["exc"].position)
    pre, post = (position[now["exc"].rows(synapses[end])] for end in ("pre", "post"))
    exact = [minimum + np.linalg.norm(one - other) / speed for one, other in zip(pre, post, strict=True)]
    return np.array([round(delay / grid) * grid for delay in exact])


def test_a_delay_is_the_distance_over_the_speed():
    """At 0.3 m/s 300 um take 1 ms, 500 um 1.667 ms, on a grid of 0.1 ms 1.7 ms."""
    now = net(ns.Conduction(SPEED))
    delays = dict(
        zip(zip(now["loop"].synapses["pre"].tolist(), now["loop"].synapses["post"].tolist(), strict=True), now["loop"].delay / ms)
    )
    assert [delays[pair] for pair in ((0, 1), (1, 0), (0, 2), (1, 2), (0, 3))] == pytest.approx([1.0, 1.0, 1.7, 1.3, 4.0])
    assert np.asarray(now["loop"].delay) == pytest.approx(expected(now), abs=1e-12)
    other = net(ns.Conduction(2 * SPEED, minimum=0.5 * ms, grid=0.25 * ms))
    assert np.asarray(other["loop"].delay) == pytest.approx(expected(other, 0.6, 5e-4, 2.5e-4), abs=1e-12)
    assert not np.allclose(now["loop"].delay / ms, other["loop"].delay / ms)


def test_pairs_given_in_any_order_keep_their_delays():
    now = net(ns.Conduction(SPEED), wiring=ns.Pairs([3, 0, 2], [0, 1, 1]))
    assert np.asarray(now["loop"].delay) == pytest.approx(expected(now), abs=1e-12)


def test_synapses_of_newborn_cells_have_delays_by_their_places():
    now = net(ns.Conduction(SPEED), newborn="wire")
    now = ns.Circuit([now["exc"].placing(200 * um)], [now["loop"]], seed=3)
    after = ns.apply(now, ns.Events.divide("exc", [0, 3], rng=rng()))
    assert len(after["loop"]) == 7 * 6 and len(np.unique(after["exc"].position, axis=0)) == 7
    assert np.asarray(after["loop"].delay) == pytest.approx(expected(after), abs=1e-12)


def test_synapses_that_grow_have_delays_by_distance():
    now = net(1 * ms, wiring=ns.Pairs([0], [1]))
    rule = ns.Rewiring("loop", regrow=1e6 * Hz, weight=1 * nS, delay=ns.Conduction(SPEED))
    rule.check(now)
    after = ns.apply(now, rule(now, recorded(now, np.zeros(5, dtype=int)), rng()))
    assert len(after["loop"]) == 20 and np.asarray(after["loop"].delay)[0] == 1e-3
    assert np.asarray(after["loop"].delay)[1:] == pytest.approx(expected(after)[1:], abs=1e-12)


def test_a_saved_circuit_wires_as_it_would_have(tmp_path):
    now = net(ns.Conduction(SPEED, minimum=0.3 * ms), newborn="wire")
    again = load_circuit(ns.save_circuit(now, tmp_path / "net.npz"))
    assert again["loop"].recipe.delay == now["loop"].recipe.delay == ns.Conduction(SPEED, minimum=0.3 * ms)
    events = ns.Events.divide("exc", [1], rng=rng())
    assert ns.apply(again, events)["loop"].synapses == ns.apply(now, events)["loop"].synapses


REFUSED = [
    (lambda: ns.Conduction(0 * metre / second), ValueError, "speed of Conduction is 0.* above 0"),
    (lambda: ns.Conduction(-SPEED), ValueError, "speed of Conduction"),
    (lambda: ns.Conduction(3 * mm), TypeError, "speed of Conduction"),
    (lambda: ns.Conduction(SPEED, minimum=-1 * ms), ValueError, "minimum of Conduction is -1"),
    (lambda: ns.Conduction(SPEED, grid=0 * ms), ValueError, "grid of Conduction is 0"),
    (lambda: ns.Conduction([1, 2] * metre / second), ValueError, "give one quantity"),
    (lambda: net(ns.Conduction(SPEED), positions=None), ValueError, "delay of projection 'exc_to_exc' needs positions"),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED, ids=[text for *_, text in REFUSED])
def test_bad_conductions_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_rewiring_refuses_a_conduction_that_does_not_fit_before_anything_runs():
    with pytest.raises(ValueError, match="delay of regrown synapses of 'loop' needs positions, but some cells of 'exc'"):
        ns.Rewiring("loop", regrow=1 * Hz, weight=1 * nS, delay=ns.Conduction(SPEED)).check(net(1 * ms, positions=None))
    now, _ = ns.simulate(net(1 * ms), 1 * ms, backend=NUMPY, progress=False)
    ns.Rewiring("loop", regrow=1 * Hz, weight=1 * nS, delay=ns.Conduction(SPEED)).check(now)
    with pytest.raises(ValueError, match="a delay of regrown synapses of 'loop' is 0.25 ms"):
        ns.Rewiring("loop", regrow=1 * Hz, weight=1 * nS, delay=ns.Conduction(SPEED, grid=0.25 * ms)).check(now)
