"""Rescaled lives: as many events at each boundary, half as many per time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from life_data import circuit, recorded, rng

import neurosim as ns
from neurosim.units import Hz, Quantity, ms, nS, second

HAZARD = 3 / second
NOW = circuit(size=40)
COUNTS = np.arange(40) % 7


@dataclass(frozen=True)
class Shedding:
    """A user's own rule: each synapse goes with a hazard."""

    projection: str
    hazard: Quantity
    above: Any = None

    def __call__(self, circuit, recording, rng):
        ids = circuit[self.projection].ids
        chance = 1 - np.exp(-float(self.hazard) * float(recording.duration))
        return ns.Events.unlink(self.projection, ids[rng.random(len(ids)) < chance])


@dataclass(frozen=True)
class Knowing:
    """A rule that knows how it is slowed down."""

    hazard: Quantity
    name: str = ""

    def rescaled(self, factor):
        return Knowing(self.hazard, f"slower by {factor}")

    def __call__(self, circuit, recording, rng):
        return ns.Events()


@dataclass(frozen=True)
class Holding:
    """A rule that holds others."""

    rules: Any

    def __call__(self, circuit, recording, rng):
        return sum((rule(circuit, recording, rng) for rule in self.rules), ns.Events())


def life(*rules):
    return ns.Lifecycle(100 * ms, [ns.Phase("one", 3, list(rules)), ns.Phase("two", 4, modulate={"x.learning": 0.5})])


def slower(rule, factor=2):
    return ns.rescaled(life(rule), factor).phases[0].rules[0]


def same(first: ns.Events, second: ns.Events) -> bool:
    return first.tables.keys() == second.tables.keys() and all(
        np.array_equal(first.tables[key], second.tables[key]) for key in first.tables
    )


def bare(events):
    """Events without causes, which may be NaN."""
    return ns.Events({key: np.array([row.tolist()[:-3] for row in rows], dtype=object) for key, rows in events.tables.items()})


RATED = [
    ns.Division("exc", hazard=HAZARD),
    ns.Apoptosis("exc", ns.RateAbove(20 * Hz), hazard=HAZARD),
    ns.Apoptosis("exc", ns.Random(HAZARD)),
    ns.Apoptosis("exc", ns.Random(HAZARD) & ns.RateAbove(20 * Hz)),
    ns.Apoptosis("exc", ns.SetPoint(ns.Rate(), 40 * Hz, HAZARD)),
    ns.Rewiring("loop", prune=ns.Everyone(), hazard=HAZARD),
    ns.Rewiring("loop", regrow=HAZARD, weight=1 * nS),
    ns.Rewiring("loop", regrow=ns.Growth(HAZARD), weight=1 * nS),
    ns.CellRatio("exc", "source", 60, [ns.Division("exc", hazard=HAZARD)]),
    Holding([ns.Division("exc", hazard=HAZARD), ns.Apoptosis("exc", count=2)]),
    Holding((Shedding("loop", HAZARD),)),
    Shedding("loop", HAZARD),
]


@pytest.mark.parametrize("rule", RATED, ids=lambda rule: repr(rule)[:60])
def test_as_many_events_at_each_boundary(rule):
    """Half the hazard over twice the time is the same chance, so that equal draws choose the same."""
    short, long = (recorded(NOW, COUNTS * times, 0.1 * times) for times in (1, 2))
    first = rule(NOW, short, rng(5))
    assert len(first) and same(bare(first), bare(slower(rule)(NOW, long, rng(5))))
    assert not same(bare(first), bare(rule(NOW, long, rng(5))))  # the control: over twice the time as it was


def test_hazards_are_divided_and_epochs_multiplied():
    before = life(ns.Division("exc", hazard=HAZARD), ns.Rewiring("loop", prune=ns.Everyone(), hazard=HAZARD, regrow=HAZARD, weight=0.1))
    after = ns.rescaled(before, 2.5)
    assert after.epoch == 250 * ms and [phase.epochs for phase in after.phases] == [3, 4]
    division, rewiring = after.phases[0].rules
    assert float(division.hazard) == float(rewiring.hazard) == float(rewiring.regrow) == pytest.approx(1.2)
    assert after.phases[1].modulate == before.phases[1].modulate and not after.phases[1].rules
    back = ns.rescaled(ns.rescaled(before, 2), 0.5)
    assert back.epoch == before.epoch and back.phases[0] == before.phases[0] != after.phases[0]


def test_what_is_no_structural_rate_stays():
    for rule in (
        ns.Division("exc", ns.RateBelow(10 * Hz), count=3, until=100),
        ns.Apoptosis("exc", ns.Above(ns.Calcium(10 * second), 5 * Hz), floor=4),
        ns.Extinction([ns.Apoptosis("exc", count=1)], every=5, cooldown=2),
        ns.CalciumBook("exc", 5 * second),
    ):
        assert slower(rule) is rule
    rule = slower(Shedding("loop", HAZARD, 10 * Hz))
    assert float(rule.hazard) == 1.5 and rule.above == 10 * Hz


def test_schedules_and_nested_rules_are_slowed():
    rule = ns.Extinction([ns.Rewiring("loop", prune=ns.Everyone(), hazard=ns.Schedule([1 / second, 2 / second, 4 / second]))], every=1)
    (inner,) = slower(rule).rules
    assert [float(hazard) for hazard in inner.hazard] == [0.5, 1, 2]
    assert slower(Knowing(HAZARD)) == Knowing(HAZARD, "slower by 2")
    assert slower(Holding([Knowing(HAZARD)])).rules == [Knowing(HAZARD, "slower by 2")]


def test_synaptic_elements_grow_more_slowly():
    curve = ns.LinearGrowth(0.4 / second, 5 * Hz)
    pools = [
        kind("exc", name, curve, "loop", vacancy=0.2 / second) for kind, name in ((ns.AxonalElements, "a"), (ns.DendriticElements, "d"))
    ]
    rule = slower(ns.ElementWiring(*pools))
    for pool in (*rule.axonal, *rule.dendritic):
        assert float(pool.curve.rate) == 0.2 and float(pool.vacancy) == 0.1 and pool.curve.target == 5 * Hz
        assert pool.calcium == ns.Calcium()


@pytest.mark.parametrize("factor", [0, -2, np.nan, np.inf])
def test_a_factor_that_is_none_is_refused(factor):
    with pytest.raises(ValueError, match=rf"a life cannot be rescaled by {factor}; give a number above 0"):
        ns.rescaled(life(), factor)


def test_what_cannot_be_slowed_is_named():
    def plain(circuit, recording, rng):
        return ns.Events()

    with pytest.raises(TypeError, match=r"rule 'one/function' cannot be rescaled, because its rates are not known; make it a dataclass"):
        ns.rescaled(life(plain), 2)
    with pytest.raises(TypeError, match=r"ns\.rescaled needs a lifecycle, not 3"):
        ns.rescaled(3, 2)
