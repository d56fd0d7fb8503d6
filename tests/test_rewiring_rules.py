"""Rewiring over a life: pruning and growth together, what they keep constant, and what they need."""

import time
from dataclasses import dataclass, field

import numpy as np
import pytest
from life_data import circuit, develop, recorded, rng

import neurosim as ns
from neurosim.units import Hz, ms, mV, nS, second, um

COUNTS = np.zeros(8, dtype=int)


def degrees(now):
    return np.bincount(now["exc"].rows(now["loop"].synapses["post"]), minlength=len(now["exc"]))


def lived(regrow, size=30, epochs=6):
    """A life in which half of the weakest synapses go at each boundary; its first and last circuit and its history."""
    rule = ns.Rewiring(
        "loop", prune=ns.WeightBelow(1.5 * nS), hazard=30 * Hz, regrow=regrow, weight=ns.Uniform(1 * nS, 2 * nS), delay=1 * ms
    )
    now = circuit(size)
    return now, develop(now, ns.Phase("turnover", epochs, [rule]), epoch=2 * ms)


def test_constant_in_degree_is_kept_cell_by_cell():
    now, history = lived(ns.Growth(ns.InDegree()))
    assert (degrees(history.circuit) == degrees(now)).all()
    assert history.circuit["loop"].next_id > len(now["loop"]) + 10
    _, other = lived(ns.Growth(ns.Total()))  # the control
    assert (degrees(other.circuit) != degrees(now)).any() and len(other.circuit["loop"]) == len(now["loop"])


def test_a_cell_that_dies_in_the_same_epoch_gains_nothing():
    """What would link it is dropped and counted."""
    now, recording = circuit(), recorded(circuit(), COUNTS)
    rule = ns.Rewiring("loop", prune=ns.Everyone(), hazard=5 * Hz, regrow=ns.Growth(ns.Total(40)), weight=1 * nS)
    edit = ns.plan(now, rule(now, recording, rng()) + ns.Events.kill("exc", [3]))
    assert edit.dropped["loop: linked to a cell that dies"] > 0
    after = ns.apply(now, rule(now, recording, rng()) + ns.Events.kill("exc", [3]))
    assert not np.isin(3, [after["loop"].synapses["pre"], after["loop"].synapses["post"]])


def test_what_is_pruned_grows_elsewhere():
    """A place is vacant from the next boundary on."""
    now = circuit()
    rule = ns.Rewiring("loop", prune=ns.Everyone(), regrow=ns.Growth(ns.InDegree()), weight=1 * nS)
    after = ns.apply(now, rule(now, recorded(now, COUNTS), rng()))
    old, new = (set(zip(one["loop"].synapses["pre"].tolist(), one["loop"].synapses["post"].tolist(), strict=True)) for one in (now, after))
    assert not old & new and len(new) == np.minimum(degrees(now), 7 - degrees(now)).sum() == len(after["loop"])


def test_new_contacts_have_their_own_weights_and_copies_count_as_contacts():
    now = circuit()
    rule = ns.Rewiring("loop", regrow=ns.Growth(1e6 * Hz, contacts=3), weight=ns.Uniform(1 * nS, 2 * nS))
    after = ns.apply(now, rule(now, recorded(now, COUNTS), rng()))
    synapses = after["loop"].synapses
    _, contacts = np.unique(synapses["pre"] * 8 + synapses["post"], return_counts=True)
    assert len(contacts) == 56 and (contacts == 3).all() and len(np.unique(synapses["weight"])) == len(synapses)
    assert not len(rule(after, recorded(after, COUNTS), rng()))


@dataclass(frozen=True)
class Diary:
    """Books that are kept for a selection."""

    name: str


@dataclass(frozen=True)
class Forgotten:
    """A user's own selection that needs books."""

    seen: list = field(default_factory=list, compare=False)

    def books(self, name):
        return (Diary(name),)

    def check(self, circuit, name):
        self.seen.append(name)

    def __call__(self, circuit, recording, name):
        return ns.Everyone()(circuit, recording, name)


def test_a_target_without_synapses_gains_a_part_of_what_others_have():
    cells = ns.create("exc", "leaky_conductance", 3)
    loop = ns.connect(cells, cells, "static", ns.Pairs([0, 2], [1, 1]), receptor="g_exc", weight=[1, 2] * nS).replace(name="loop")
    now = ns.Circuit([cells], [loop])
    grow = ns.Rewiring("loop", regrow=ns.Growth(1e9 / second), weight=0.5)
    assert grow(now, recorded(now, [0, 0, 0]), rng()).of("link", "loop")["weight"].tolist() == [1e-9] * 4


@pytest.mark.parametrize("fields", [{"prune": ns.WeightBelow(0.2)}, {"regrow": 1 / second, "weight": 0.5}], ids=["prune", "regrow"])
def test_a_part_of_negative_weights_is_refused(fields):
    cells = ns.create("exc", "leaky_adaptive_threshold", 3)
    loop = ns.connect(cells, cells, "static", ns.AllToAll(), receptor="v", weight=-0.3 * mV).replace(name="loop")
    with pytest.raises(
        ValueError, match="is a fraction of the largest incoming weight, but the weights of 'loop' are negative; give a quantity"
    ):
        ns.Rewiring("loop", **fields).check(ns.Circuit([cells], [loop]))
    ns.Rewiring("loop", prune=ns.WeightBelow(-0.2 * mV), regrow=1 / second, weight=-0.1 * mV).check(ns.Circuit([cells], [loop]))


def test_a_later_phase_may_ask_for_more_synapses_than_the_first_cells_have_places_for():
    grow = ns.Rewiring("loop", regrow=ns.Growth(ns.InDegree(12)), weight=1 * nS, delay=1 * ms)
    phases = [ns.Phase("proliferation", 2, [ns.Division("exc")]), ns.Phase("synaptogenesis", 1, [grow])]
    now = develop(circuit(8), *phases).circuit
    assert len(now["exc"]) == 32 and (degrees(now) >= 12).all()
    with pytest.raises(ValueError, match="12 synapses are to grow for each target of projection 'loop', but there are places for 7"):
        develop(circuit(8), *phases[1:])


def test_books_and_checks_of_the_selection_are_those_of_the_rule():
    rule = ns.Rewiring("loop", prune=Forgotten())
    rule.check(circuit())
    assert rule.books == (Diary("loop"),) and rule.prune.seen == ["loop"]
    assert ns.Rewiring("loop", prune=ns.Everyone()).books == ns.Rewiring("loop").books == ()


def test_rescaling_slows_hazards_and_leaves_numbers():
    rule = ns.Rewiring("loop", prune=ns.Everyone(), hazard=3 * Hz, regrow=ns.Growth(4 * Hz, contacts=2), weight=1 * nS, delay=2 * ms)
    counted = ns.Rewiring("loop", prune=ns.Everyone(), regrow=ns.Growth(ns.InDegree()), weight=1 * nS, label="counted")
    slow, still = ns.rescaled(ns.Lifecycle(1 * second, [ns.Phase("p", 1, [rule, counted])]), 2).phases[0].rules
    assert slow.hazard == 1.5 * Hz and slow.regrow == ns.Growth(2 * Hz, contacts=2) and slow.delay == rule.delay
    assert still == counted


def test_growth_is_the_same_whatever_stands_beside_it():
    """Same seed, same growth; another seed, another."""
    rule = ns.Rewiring("loop", ns.Everyone(), 30 * Hz, ns.Growth(ns.Total()), 1 * nS, 1 * ms)
    idle = ns.Apoptosis("exc", count=0)
    lives = [develop(circuit(30, seed), ns.Phase("p", 2, rules)) for seed, rules in ((1, [rule]), (1, [idle, rule]), (2, [rule]))]
    one, beside, other = (life.circuit["loop"].synapses for life in lives)
    assert one == beside and one != other


@pytest.mark.parametrize(
    "regrow",
    [
        50 * Hz,
        ns.Growth(ns.InDegree()),
        ns.Growth(ns.Total(), ns.Correlated(1 * ms)),
        ns.Growth(60 * Hz, ns.DistanceKernel("exponential", 50 * um), contacts=2),
        ns.Growth(ns.InDegree(), [ns.Permitted(*np.indices((12, 12)).reshape(2, -1))], contacts=2),
    ],
    ids=["hazard", "in-degree", "correlation", "distance and contacts", "permitted"],
)
def test_every_growth_lives_with_births_and_deaths(regrow):
    """Ids that move, newborn cells and dead ones: no synapse names a dead cell, none that grew is an autapse."""
    exc = ns.create("exc", "leaky_conductance", 12, positions=rng(4).uniform(0, 100, (12, 2)) * um)
    loop = ns.connect(exc, exc, "static", ns.FixedProbability(0.3), receptor="g_exc", weight=ns.Uniform(1 * nS, 2 * nS), delay=1 * ms)
    rules = [
        ns.Division("exc", count=2),
        ns.Apoptosis("exc", count=2),
        ns.Rewiring("loop", prune=ns.WeightBelow(0.8), hazard=500 * Hz, regrow=regrow, weight=0.5, delay=1 * ms),
    ]
    history = develop(ns.Circuit([exc], [loop.replace(name="loop")], seed=5), ns.Phase("turnover", 4, rules))
    synapses = history.circuit["loop"].synapses
    assert np.isin(synapses["pre"], history.circuit["exc"].ids).all() and np.isin(synapses["post"], history.circuit["exc"].ids).all()
    grown = synapses["parent"] == -1
    assert (history.events["kind"] == "link").sum() > 3 and grown.sum() and (synapses["pre"] != synapses["post"])[grown].all()


def test_many_cells_and_synapses_take_well_below_a_second():
    """4e3 cells, 3.2e5 synapses, 1 % of them turned over at constant in-degree: no loop over cells, no array over all pairs."""
    size = 4000
    exc = ns.create("exc", "leaky_conductance", size)
    loop = ns.connect(exc, exc, "static", ns.FixedProbability(0.02), receptor="g_exc", weight=1 * nS).replace(name="loop")
    now = ns.Circuit([exc], [loop])
    rule = ns.Rewiring("loop", prune=ns.Everyone(), hazard=0.1 / second, regrow=ns.Growth(ns.InDegree(), contacts=2), weight=1 * nS)
    start = time.process_time()
    events = rule(now, recorded(now, np.zeros(size, dtype=int)), rng())
    assert time.process_time() - start < 0.5
    assert len(events.of("link", "loop")) == len(events.of("unlink", "loop")) == pytest.approx(0.01 * len(loop), rel=0.1)
