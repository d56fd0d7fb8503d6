"""Schedules: parameters that change from epoch to epoch, and the three schedules of pruning."""

from dataclasses import dataclass

import numpy as np
import pytest
from life_data import circuit, develop, recorded, rng

import neurosim as ns
from neurosim.lifecycle.schedules import at, lengths
from neurosim.units import Hz, ms, nS, second

EPOCH = 2 * second


@pytest.mark.parametrize(
    ("kind", "shares"),
    [("increasing", [0.06, 0.12, 0.18, 0.24]), ("constant", [0.15] * 4), ("decreasing", [0.24, 0.18, 0.12, 0.06])],
)
def test_each_epoch_prunes_its_share_of_the_first_synapses(kind, shares):
    """Of 60 %, in 4 epochs: in proportion to 1, 2, 3, 4, evenly, or in proportion to 4, 3, 2, 1."""
    hazards = np.array([float(one / Hz) for one in ns.pruning_schedule(kind, 0.6, 4, EPOCH).values])
    left = np.exp(-np.cumsum(hazards) * 2)
    assert -np.diff(left, prepend=1) == pytest.approx(shares, rel=1e-12) and left[-1] == pytest.approx(0.4, rel=1e-12)


def test_a_constant_share_of_the_first_is_no_constant_hazard():
    """The control: as fewer are left, the same number takes a higher hazard."""
    hazards = ns.pruning_schedule("constant", 0.6, 4, EPOCH).values
    assert (np.diff([float(one) for one in hazards]) > 0).all()
    even = np.exp(-4 * 2 * float(hazards[0]))
    assert even != pytest.approx(0.4, rel=0.1)


def test_nothing_or_all_at_once():
    assert all(float(one) == 0 for one in ns.pruning_schedule("decreasing", 0, 5, EPOCH).values)
    (once,) = ns.pruning_schedule("increasing", 0.5, 1, EPOCH).values
    assert float(once * EPOCH) == pytest.approx(np.log(2))


@pytest.mark.parametrize("kind", ["increasing", "constant", "decreasing"])
def test_a_schedule_prunes_what_it_says(kind):
    """Epoch for epoch, within binomial error (4 standard deviations) of 60 * 59 synapses."""
    exc = ns.create("exc", "leaky_conductance", 60)
    loop = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS).replace(name="loop")
    now = ns.Circuit([exc], [loop])
    rule = ns.Rewiring("loop", prune=ns.Everyone(), hazard=ns.pruning_schedule(kind, 0.6, 5, 100 * ms))
    first, sizes = len(loop), [len(loop)]
    for epoch in range(5):
        now = ns.apply(now, at(rule, epoch)(now, recorded(now, np.zeros(60, dtype=int)), rng(epoch)))
        sizes.append(len(now["loop"]))
    weights = {"increasing": [1, 2, 3, 4, 5], "constant": [1] * 5, "decreasing": [5, 4, 3, 2, 1]}[kind]
    left = 1 - 0.6 * np.cumsum(weights) / np.sum(weights)
    assert np.array(sizes[1:]) == pytest.approx(first * left, abs=4 * np.sqrt(first * 0.25))
    others = 1 - 0.6 * np.cumsum([1, 2, 3, 4, 5] if kind != "increasing" else [5, 4, 3, 2, 1]) / 15
    assert np.abs(sizes[1:] - first * others).max() > 4 * np.sqrt(first * 0.25)  # the control: another shape


@dataclass(frozen=True)
class Turnover:
    """A rule with parts of its own."""

    parts: list
    count: object = 1


def test_a_rule_has_the_values_of_its_epoch():
    growth = ns.Growth(ns.Schedule([1, 2] / second), contacts=3)
    rule = ns.Rewiring("loop", prune=ns.WeightBelow(0.5), hazard=ns.Schedule([3, 4] * Hz), regrow=growth, weight=1 * nS)
    assert list(lengths(rule)) == [2, 2]
    second_epoch = at(rule, 1)
    assert second_epoch.hazard == 4 * Hz and second_epoch.regrow.amount == 2 / second
    assert second_epoch.regrow.contacts == 3 and second_epoch.prune == rule.prune and second_epoch.weight == 1 * nS
    plain = ns.Apoptosis("exc", count=2)
    assert at(plain, 1) is plain and not list(lengths(plain))
    assert at(Turnover([rule, plain], ns.Schedule([None, 7])), 1) == Turnover([second_epoch, plain], 7)


def test_schedules_of_a_rule_are_rescaled_with_it():
    rule = ns.Rewiring("loop", prune=ns.Everyone(), hazard=ns.Schedule([3, 4] * Hz), regrow=ns.Schedule([1, 2] * Hz), weight=1 * nS)
    (slow,) = ns.rescaled(ns.Lifecycle(EPOCH, [ns.Phase("p", 2, [rule])]), 2).phases[0].rules
    assert at(slow, 1).hazard == 2 * Hz and at(slow, 0).regrow == 0.5 * Hz and slow.prune == rule.prune


REFUSED = [
    (lambda: ns.Schedule([]), ValueError, "empty"),
    (lambda: ns.Schedule(3 * Hz), TypeError, "one value for each epoch"),
    (lambda: ns.Schedule("fast"), TypeError, "one value for each epoch"),
    (lambda: ns.Schedule([1 * Hz, 2 * ms]), TypeError, "different dimensions"),
    (lambda: ns.Schedule([1 * Hz, 2]), TypeError, "different dimensions"),
    (lambda: ns.pruning_schedule("random", 0.5, 3, EPOCH), ValueError, "increasing, constant, decreasing"),
    (lambda: ns.pruning_schedule("constant", 1, 3, EPOCH), ValueError, "below 1"),
    (lambda: ns.pruning_schedule("constant", -0.1, 3, EPOCH), ValueError, "from 0"),
    (lambda: ns.pruning_schedule("constant", 0.5, 0, EPOCH), ValueError, "1 or more"),
    (lambda: ns.pruning_schedule("constant", 0.5, 3, 0 * ms), ValueError, "above 0"),
    (lambda: ns.pruning_schedule("constant", 0.5, 3, 2 * Hz), TypeError, "epoch of a pruning schedule"),
    (lambda: ns.Rewiring("loop", prune=ns.Everyone(), hazard=ns.Schedule([1, -1] * Hz)), ValueError, "hazard of the rewiring of 'loop'"),
    (lambda: ns.Growth(ns.Schedule([1, -1] * Hz)), ValueError, "amount of Growth"),
    (
        lambda: ns.Rewiring("loop", hazard=ns.Schedule([1, 1] * Hz), regrow=ns.Schedule([1, 2, 3] * Hz), weight=1 * nS),
        ValueError,
        "2 and 3 values",
    ),
]


@pytest.mark.parametrize(("make", "error", "text"), REFUSED, ids=[text for *_, text in REFUSED])
def test_bad_schedules_are_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_each_epoch_of_a_phase_has_its_value():
    """Nothing goes at the first boundary, all at the second, and what grows then is as strong as that epoch says."""
    rule = ns.Rewiring(
        "loop",
        prune=ns.Everyone(),
        hazard=ns.Schedule([0, 1e6] * Hz),
        regrow=ns.Growth(ns.Total(ns.Schedule([30, 20]))),
        weight=ns.Schedule([1 * nS, 2 * nS]),
        delay=1 * ms,
    )
    now = circuit()
    history = develop(now, ns.Phase("turnover", 2, [rule]))
    first, last = (events.of("link", "loop") for events in history.boundaries)
    assert len(now["loop"]) + len(first) == 30 and (first["weight"] == 1e-9).all()
    assert not len(history.boundaries[0].of("unlink", "loop")) and len(history.boundaries[1].of("unlink", "loop")) == 30
    assert len(history.circuit["loop"]) == len(last) == 20 and (last["weight"] == 2e-9).all()
    with pytest.raises(ValueError, match="3"):
        ns.Phase("turnover", 3, [rule])


def test_selections_and_traits_may_be_scheduled():
    """What any of them reads is kept in every epoch of the phase, and what does not fit in a later one is found before anything runs."""
    calm = ns.Below(ns.Calcium(100 * ms), 1e9 * Hz)
    for who in (ns.Schedule([ns.Everyone(), calm, ~calm]), ns.Below(ns.Schedule([ns.Rate(), ns.Calcium(100 * ms), ns.Rate()]), 1e9 * Hz)):
        history = develop(circuit(), ns.Phase("life", 3, [ns.Apoptosis("exc", who, count=1)]), epoch=20 * ms)
        assert history.events["epoch"].tolist() == ([1, 2] if isinstance(who, ns.Schedule) else [1, 2, 3])
    always = develop(circuit(), ns.Phase("life", 3, [ns.Apoptosis("exc", calm, count=0)]), epoch=20 * ms)
    scheduled = develop(
        circuit(), ns.Phase("life", 3, [ns.Apoptosis("exc", ns.Schedule([ns.Everyone(), ns.Everyone(), calm]), count=0)]), epoch=20 * ms
    )
    calcium = always.circuit["exc"].cells["calcium"]
    assert (calcium > 0).any() and (scheduled.circuit["exc"].cells["calcium"] == calcium).all()
    late = ns.Schedule([ns.Everyone(), ns.Everyone(), ns.Below(ns.Value("nothing"), 1)])
    with pytest.raises(ValueError, match=r"'exc' has no variable or ledger 'nothing'"):
        develop(circuit(), ns.Phase("life", 3, [ns.Apoptosis("exc", late)]))
