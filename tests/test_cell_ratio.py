"""Targets for the ratio of two populations: births and deaths that move it there, and not beyond."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import rng

import neurosim as ns
from neurosim.recording import PartRecording, Recording
from neurosim.units import Hz, ms

GROW_E, GROW_I, KILL_E, KILL_I = ns.Division("exc"), ns.Division("inh"), ns.Apoptosis("exc"), ns.Apoptosis("inh")
ALL = [GROW_E, GROW_I, KILL_E, KILL_I]


def circuit(exc=80, inh=20):
    return ns.Circuit([ns.create("exc", "leaky", exc or None), ns.create("inh", "leaky", inh or None)], seed=1)


def recorded(now, counts=None):
    parts = {
        name: PartRecording(name, 0.1, part.ids, np.zeros(len(part), int) if counts is None else counts)
        for name, part in now.populations.items()
    }
    return Recording(parts, 0, 1000, 1e-4)


def sizes(now):
    return len(now["exc"]), len(now["inh"])


def after(rule, now, seed=0):
    return ns.apply(now, rule(now, recorded(now), rng(seed)))


ONE_ACTION = [
    ((60, 20), [GROW_E], (80, 20)),
    ((60, 20), [KILL_I], (60, 15)),
    ((60, 20), [KILL_E, GROW_I, KILL_I], (60, 15)),
    ((100, 20), [GROW_I], (100, 25)),
    ((100, 20), [KILL_E], (80, 20)),
    ((61, 16), [KILL_I], (61, 16)),  # 15 would be 4.07: beyond the target
    ((79, 20), [GROW_E], (79, 20)),  # within the tolerance
    ((80, 20), ALL, (80, 20)),
    ((10, 20), [ns.Division("exc", count=3)], (13, 20)),
    ((10, 20), [ns.Division("exc", count=3), ns.Apoptosis("inh", count=2)], (13, 18)),
    ((10, 20), [ns.Division("exc")], (20, 20)),
    ((70, 20), [ns.Division("exc", count=9), KILL_I], (79, 20)),  # the second would go beyond
    ((60, 20), [ns.Division("exc", until=70)], (70, 20)),
    ((60, 20), [ns.Apoptosis("inh", floor=18)], (60, 18)),
    ((0, 20), [GROW_E, KILL_I], (0, 20)),  # what has died out is no reason to kill the others
    ((20, 0), [KILL_E, ns.Neurogenesis("inh", count=2)], (20, 2)),
    ((70, 20), [ns.Neurogenesis("exc", count=50)], (80, 20)),
    ((100, 20), [ns.Differentiation("exc", "inh")], (100, 25)),
]


@pytest.mark.parametrize(("start", "actions", "end"), ONE_ACTION, ids=[f"{start} {len(actions)}" for start, actions, _ in ONE_ACTION])
def test_actions_end_where_the_target_is_met(start, actions, end):
    assert sizes(after(ns.CellRatio("exc", "inh", 4, actions), circuit(*start))) == end


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 60),
    st.integers(1, 40),
    st.fractions(Fraction(1, 8), 8, max_denominator=8),
    st.sampled_from([0.0, 0.05, 0.3]),
    st.lists(st.sampled_from(range(4)), unique=True, min_size=1, max_size=4),
    st.integers(0, 99),
)
def test_no_boundary_goes_beyond_the_target(exc, inh, target, tolerance, chosen, seed):
    """Towards it or not at all; and where all may act, as near as whole cells of the first allow."""
    now = circuit(exc, inh)
    then = sizes(after(ns.CellRatio("exc", "inh", float(target), [ALL[one] for one in chosen], tolerance), now, seed))
    assert (then[0] - target * then[1]) * (exc - target * inh) >= 0
    assert abs(then[0] - target * then[1]) <= abs(exc - target * inh)
    if abs(exc - target * inh) <= Fraction(tolerance) * target * inh:
        assert then == (exc, inh)
    elif exc and exc < target * inh and chosen == [0]:
        assert then == (min(2 * exc, floor(target * inh)), inh)
    elif exc > target * inh and chosen == [2]:
        assert then == (ceil(target * inh), inh)


def test_a_target_is_reached_over_epochs_from_both_sides():
    for start in ((20, 20), (200, 20)):
        now = circuit(*start)
        rule = ns.CellRatio("exc", "inh", 4, [ns.Division("exc", count=7), ns.Apoptosis("exc", count=7)])
        course = [sizes(now := after(rule, now, seed))[0] for seed in range(20)]
        assert 76 <= course[-1] <= 84 and course[-1] == course[-2]
        assert np.all(np.diff(course) >= 0) if start[0] < 80 else np.all(np.diff(course) <= 0)


def test_who_goes_first_is_the_selections_choice():
    """The idlest of an ordered selection; of everyone, any: not those of the lowest ids."""
    now = circuit(10, 2)
    recording = recorded(now)
    recording["exc"].counts = np.arange(10)[::-1]
    idle = ns.CellRatio("exc", "inh", 4, [ns.Apoptosis("exc", ns.Idlest())])(now, recording, rng())
    assert sorted(idle.of("death", "exc")["cell"]) == [8, 9]
    anyone = ns.CellRatio("exc", "inh", 4, [KILL_E])
    assert {cell for seed in range(60) for cell in anyone(now, recording, rng(seed)).of("death", "exc")["cell"]} == set(range(10))


def test_each_action_draws_numbers_of_its_own():
    now, some = circuit(100, 20), ns.Apoptosis("exc", count=5)
    alone = ns.CellRatio("exc", "inh", 4, [some])(now, recorded(now), rng(3)).of("death", "exc")
    joined = ns.CellRatio("exc", "inh", 4, [KILL_I, ns.Division("inh", count=1), some])(now, recorded(now), rng(3)).of("death", "exc")
    assert alone["cell"].tolist() == joined["cell"].tolist() and set(joined["rule"]) == {"apoptosis.exc"}


@dataclass(frozen=True)
class Newcomers:
    """A user's own rule: the first cells divide until there are so many."""

    population: str
    until: int | None = None

    def __call__(self, circuit, recording, rng):
        ids = circuit[self.population].ids
        return ns.Events.divide(self.population, ids[: (self.until or 2 * len(ids)) - len(ids)], rng=rng)


def test_a_users_own_rule_acts():
    assert sizes(after(ns.CellRatio("exc", "inh", 4, [Newcomers("exc")]), circuit(60, 20))) == (80, 20)


def test_a_target_may_change_from_epoch_to_epoch():
    phase = ns.Phase("life", 2, [ns.CellRatio("exc", "inh", ns.Schedule([3.0, 4.0]), [GROW_E])])
    now = circuit(40, 20)
    ends = [sizes(now := after(rule, now)) for epoch in range(2) for _, rule in phase.labelled(epoch)]
    assert ends == [(60, 20), (80, 20)]


# --- mistakes --------------------------------------------------------------------------------------------------------

MISTAKES = [
    ({"to": "exc"}, ValueError, r"the cell ratio of 'exc' to 'exc' is of a population to itself; name two"),
    ({"target": 0}, ValueError, r"target of the cell ratio of 'exc' to 'inh' is 0; give a number above 0"),
    ({"target": -4}, ValueError, r"target of .* is -4; give a number above 0"),
    ({"target": np.nan}, ValueError, r"target of .* is nan"),
    ({"target": 4 * Hz}, TypeError, r"target of the cell ratio of 'exc' to 'inh' is 4\. Hz, but it needs no unit"),
    ({"tolerance": -0.1}, ValueError, r"tolerance of .* is -0\.1; give a fraction of the target, 0 or more"),
    ({"actions": []}, ValueError, r"the cell ratio of 'exc' to 'inh' has no rules"),
    ({"actions": [ns.Apoptosis("other")]}, TypeError, r"has the action Apoptosis.*give rules that add cells to 'exc' or 'inh'"),
    ({"actions": [ns.Differentiation("exc", "other")]}, TypeError, r"has the action Differentiation"),
    ({"actions": [ns.Rewiring("exc")]}, TypeError, r"has the action Rewiring"),
]


@pytest.mark.parametrize(("change", "kind", "message"), MISTAKES, ids=[str(change)[:40] for change, *_ in MISTAKES])
def test_mistakes_are_named(change, kind, message):
    with pytest.raises(kind, match=message):
        ns.CellRatio(**{"of": "exc", "to": "inh", "target": 4, "actions": [GROW_E], **change})


UNREACHABLE = [
    ((40, 20), [GROW_I, KILL_E], r"'exc' to 'inh' is 2 \(40:20\) and its target 4, but no action raises it; add ns\.Division\('exc', .*Apoptosis\('inh'"),
    ((120, 20), [GROW_E], r"is 6 \(120:20\) and its target 4, but no action lowers it; add ns\.Division\('inh', .*Apoptosis\('exc'"),
    ((40, 20), [ns.Division("exc", until=70)], r"is 2 \(40:20\) and its target 4, but its actions stop at 70:20; change their until or floor"),
    ((120, 20), [ns.Apoptosis("exc", floor=100)], r"is 6 .* its actions stop at 100:20"),
    ((40, 0), ALL, r"has no meaning, because 'inh' has no cells"),
]  # fmt: skip
REACHABLE = [
    ((40, 20), [GROW_E]), ((40, 20), [KILL_I]), ((120, 20), [GROW_I]), ((120, 20), [KILL_E]), ((80, 20), [GROW_I]),
    ((40, 20), [ns.Division("exc", until=76)]), ((40, 20), [ns.Division("exc", until=70), ns.Apoptosis("inh", floor=10)]),
]  # fmt: skip


@pytest.mark.parametrize(("start", "actions", "message"), UNREACHABLE, ids=[message[:30] for *_, message in UNREACHABLE])
def test_a_target_that_no_action_reaches_is_refused(start, actions, message):
    with pytest.raises(ValueError, match=message):
        ns.CellRatio("exc", "inh", 4, actions).check(circuit(*start))


@pytest.mark.parametrize(("start", "actions"), REACHABLE)
def test_a_target_that_can_be_reached_is_not(start, actions):
    ns.CellRatio("exc", "inh", 4, actions).check(circuit(*start))


def test_a_later_phase_is_not_judged_by_how_many_cells_there_are_at_first():
    """Cells multiply in the first phase and are thinned in the second: 8 excitatory ones, then 16, then 8 again."""
    exc, inh = ns.create("exc", "leaky", 8, sign="excitatory"), ns.create("inh", "leaky", 4, sign="inhibitory")
    thin = ns.Phase("thinning", 1, [ns.CellRatio("exc", "inh", 2.5, [KILL_E])])
    grow = ns.Phase("growth", 1, [GROW_E])

    def live(*phases):
        life = ns.Lifecycle(1 * ms, phases)
        return ns.develop(ns.Circuit([exc, inh]), life, backend=ns.Brian2(dt=0.1 * ms, target="numpy"), progress=False)

    history = live(grow, thin)
    assert history.series("exc")["size"].tolist() == [8, 16, 10] and history.balance["cells"].tolist() == [2, 2, 4, 4]
    with pytest.raises(ValueError, match="no action raises it"):
        live(thin, grow)


def test_unknown_populations_are_named():
    with pytest.raises(ValueError, match=r"a cell ratio is about 'inb', which is not in the circuit\. Did you mean 'inh'"):
        ns.CellRatio("exc", "inb", 4, [GROW_E]).check(circuit())
    lacking = ns.Circuit([ns.create("exc", "leaky", 4), ns.create("inh", "leaky", 1)])
    with pytest.raises(ValueError, match=r"a cell ratio is about 'pyr'"):
        ns.CellRatio("pyr", "inh", 4, [KILL_I]).check(lacking)
