"""Slips in selections and traits: named before anything runs, with what would be right."""

from dataclasses import replace

import numpy as np
import pytest
from life_data import circuit, develop, rng
from test_selections import cells, found

import neurosim as ns
from neurosim.lifecycle.selection import Others
from neurosim.table import Table
from neurosim.units import Hz, ms, mV, second

COUNTS = [3, 0, 7, 1, 1, 9, 2, 1]  # in 100 ms: ten times as many Hz; mean 30 Hz
FAST = ns.CalciumBook("exc", 1 * second, "fast")


MADE = {
    "share above 1": (lambda: ns.Top(1.2), ValueError, r"fraction of Top is 1\.2; give a number from 0 to 1"),
    "negative share": (lambda: ns.Bottom(-0.1, ns.Age()), ValueError, r"fraction of Bottom is -0\.1"),
    "share that is no number": (lambda: ns.Top(np.nan), ValueError, "fraction of Top is nan"),
    "trait that is not made": (
        lambda: ns.Top(0.1, ns.Rate),
        TypeError,
        r"trait of Top is .*Rate.*; give a trait that is made, such as ns\.Rate\(",
    ),
    "name for a trait": (lambda: ns.Above("v", 3 * mV), TypeError, "trait of Above is 'v'"),
    "several thresholds": (lambda: ns.Above(ns.Rate(), [1, 2] * Hz), ValueError, "threshold of Above is .*; give one number"),
    "threshold NaN": (lambda: ns.Below(ns.Rate(), np.nan * Hz), ValueError, "threshold of Below is nan"),
    "no threshold": (lambda: ns.Below(ns.Rate(), None), ValueError, "threshold of Below is None, which is not a number"),
    "low above high": (lambda: ns.Between(ns.Rate(), 3 * Hz, 2 * Hz), ValueError, r"low of Between is 3\. Hz and high is 2\. Hz"),
    "mixed ends": (lambda: ns.Between(ns.Rate(), 1, 2 * Hz), TypeError, "low of Between is 1 without a unit"),
    "negative hazard": (lambda: ns.Random(-1 * Hz), ValueError, r"hazard of Random is -1\. Hz; give a rate of 0 or more"),
    "chance for a hazard": (lambda: ns.Random(0.1), TypeError, r"hazard of Random is 0\.1 without a unit"),
    "no hazard": (lambda: ns.Random(None), ValueError, "hazard of Random is None; give a rate"),
    "negative gain": (lambda: ns.SetPoint(ns.Rate(), 5 * Hz, -1 * Hz), ValueError, "gain of SetPoint is -1"),
    "gain without unit": (lambda: ns.SetPoint(ns.Rate(), 5 * Hz, 1), TypeError, "gain of SetPoint is 1 without a unit"),
    "target 0": (lambda: ns.SetPoint(ns.Rate(), 0 * Hz, 1 * Hz), ValueError, r"target of SetPoint is 0\. Hz, from which no deviation"),
    "lifetime with a unit": (lambda: ns.Outlived(3 * second), TypeError, r"lifetime of Outlived is 3\. s"),
    "distribution with a unit": (lambda: ns.Outlived(ns.Uniform(1 * second, 2 * second)), TypeError, "lifetime of Outlived"),
    "negative lifetime": (lambda: ns.Outlived(-3), ValueError, "lifetime of Outlived is -3; give 0 or more epochs"),
    "lifetimes below 1": (
        lambda: ns.Outlived(ns.Uniform(-10, -5)),
        ValueError,
        "so that every cell would die at its first boundary; give lifetimes of 1",
    ),
    "no lifetime": (lambda: ns.Outlived(0), ValueError, "lifetime of Outlived is 0, so that every cell would die at its first boundary"),
    "lifetimes": (lambda: ns.Outlived([3, 4]), ValueError, r"lifetime of Outlived is \[3, 4\]; give one number"),
}
CHECKED = {
    "wrong dimension": (
        ns.Above(ns.Rate(), 3 * mV),
        "exc",
        TypeError,
        r"threshold of Above for 'exc' is 3\. mV, but it needs the dimension of Hz",
    ),
    "unit for a number": (ns.Below(ns.Age(), 3 * second), "exc", TypeError, "threshold of Below for 'exc' is 3. s, but it needs no unit"),
    "wrong end": (ns.Between(ns.Value("v"), 1 * Hz, 2 * Hz), "exc", TypeError, "low of Between for 'exc' is 1. Hz"),
    "wrong target": (ns.SetPoint(ns.Calcium(), 3 * mV, 1 * Hz), "exc", TypeError, "target of SetPoint for 'exc' is 3. mV"),
    "unknown variable": (ns.Top(0.1, ns.Value("thetta")), "exc", ValueError, "'exc' has no variable or ledger 'thetta' to select by"),
    "mistyped variable": (ns.Top(0.1, ns.Value("wieght")), "loop", ValueError, "'loop' has no variable .* Did you mean 'weight'"),
    "rate of synapses": (ns.RateBelow(3 * Hz), "loop", ValueError, "Rate is a trait of cells, and 'loop' is no population"),
    "use of cells": (ns.UseBelow(3 * Hz), "exc", ValueError, "Use is a trait of synapses, and 'exc' is no projection"),
    "lifetimes of synapses": (ns.Outlived(3), "loop", ValueError, "Outlived is a trait of cells, and 'loop' is no population"),
    "weight in volt": (ns.WeightBelow(3 * mV), "loop", TypeError, "weight of WeightBelow for 'loop' is 3. mV"),
}


@pytest.mark.parametrize(("make", "error", "message"), MADE.values(), ids=MADE)
def test_a_slip_is_named_when_a_selection_is_made(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(("selection", "name", "error", "message"), CHECKED.values(), ids=CHECKED)
@pytest.mark.parametrize("wrapped", [lambda one: one, lambda one: ~(ns.Everyone() | one)], ids=["alone", "combined"])
def test_a_slip_is_named_before_anything_runs(selection, name, error, message, wrapped):
    with pytest.raises(error, match=message):
        wrapped(selection).check(circuit(), name)


NO_SELECTION = [
    (ns.Rate(), r"Rate\(\) is a trait, which selects nothing by itself; compare it, as in ns\.Above"),
    (ns.Top, r"Top is a kind of selection; give one that is made"),
    ([1, 2], r"\[1, 2\] is no selection; give one such as ns\.Top"),
]


@pytest.mark.parametrize(("who", "text"), NO_SELECTION, ids=["trait", "class", "ids"])
def test_what_is_no_selection_is_told_when_the_rule_is_made(who, text):
    for make in (
        lambda: ns.Apoptosis("exc", who),
        lambda: ns.Division("exc", who),
        lambda: ns.Differentiation("exc", "inh", who),
        lambda: ns.Rewiring("loop", prune=who),
        lambda: Others(who),
    ):
        with pytest.raises(TypeError, match=text):
            make()


def test_a_fraction_is_a_plain_number():
    for wrong, error in ((ns.Rate(), ValueError), ("0.1", ValueError), (1 * Hz, TypeError)):
        with pytest.raises(error, match=r"fraction of Top is .*; give a plain number"):
            ns.Top(wrong)


def test_two_rules_do_not_draw_the_same_numbers_unawares():
    """With one stream the cells that die would be those that divide, and no birth would ever come of it."""
    hazard = 50 / second
    rules = [ns.Division("exc", ns.Random(hazard)), ns.Extinction([ns.Apoptosis("exc", ns.Random(hazard) & ns.RateAbove(0 * Hz))], every=1)]
    with pytest.raises(
        ValueError, match=r"two rules of phase 'life' select from 'exc' by ns\.Random and would draw the same numbers; give each"
    ):
        ns.Phase("life", 2, rules)
    apart = ns.Phase("life", 2, [rules[0], ns.Apoptosis("exc", ns.Random(hazard, label="deaths"))])
    assert {"division", "death"} == set(develop(cells(40), apart, epoch=10 * ms).events["kind"])
    meant = [ns.Division("exc", ns.Random(hazard, "coin")), ns.Apoptosis("exc", ~ns.Random(hazard, "coin"))]
    history = develop(cells(40), ns.Phase("life", 1, meant), epoch=10 * ms)
    assert len(history.events) == 40 and not history.dropped
    ns.Phase("life", 2, [rules[0], ns.Apoptosis("inh", ns.Random(hazard))])


@pytest.mark.parametrize("seed", range(3))
def test_the_older_of_equals_goes_first_whatever_the_rows(seed):
    """As reuse_slots leaves them: rows in any order, where ids tell the age."""
    now = circuit()
    order = rng(seed).permutation(8)
    cells_ = now["exc"].cells
    mixed = now.updated({"exc": replace(now["exc"], cells=Table({name: cells_[name][order] for name in cells_}))})
    counts = np.array([2, 1, 1, 2, 1, 1, 2, 1])
    for selection, ids in ((ns.Idlest(0.5), [1, 2, 4, 5]), (ns.Busiest(0.5), [0, 3, 6, 1]), (ns.RateBelow(15 * Hz), [1, 2, 4, 5, 7])):
        assert found(selection, now, counts).ids.tolist() == found(selection, mixed, counts[order]).ids.tolist() == ids
