"""The yoked control: as many events of each kind in each epoch, of cells and synapses chosen by chance."""

import numpy as np
import pytest
from life_data import NOISE, NUMPY, circuit, rng
from scipy.stats import chisquare

import neurosim as ns
from neurosim.units import ms, nS, second

PHASES = [
    ns.Phase("growth", 3, [ns.Division("exc", ns.Busiest(), hazard=100 / second, until=14)]),
    ns.Phase(
        "decline",
        3,
        [
            ns.Apoptosis("exc", ns.Idlest(0.2), floor=5),
            ns.Division("exc", count=1, jitter=0.1),
            ns.Rewiring("loop", prune=ns.WeightBelow(1.3 * nS), hazard=40 / second, regrow=15 / second, weight=ns.Uniform(1 * nS, 3 * nS)),
        ],
        modulate={},
    ),
]
LIFE = ns.Lifecycle(epoch=4 * ms, phases=PHASES)


def develop(life, now=None):
    return ns.develop(now or circuit(), life, inputs=NOISE, backend=NUMPY, progress=False)


def counts(history):
    found = np.unique(history.events[["epoch", "kind", "where"]], return_counts=True)
    return {tuple(key): count for key, count in zip(found[0].tolist(), found[1].tolist(), strict=True)}


@pytest.fixture(scope="module")
def lived():
    history = develop(LIFE)
    assert {kind for _, kind, _ in counts(history)} == {"death", "division", "unlink", "link"}
    return history


def test_each_epoch_has_as_many_events_of_each_kind_but_of_others(lived):
    control = develop(ns.yoked(LIFE, lived))
    assert counts(control) == counts(lived) and not control.dropped
    assert control.phases == lived.phases and set(control.events["rule"].tolist()) == {"growth/yoked", "decline/yoked"}
    assert {tuple(row) for row in control.events[["epoch", "id"]].tolist()} != {
        tuple(row) for row in lived.events[["epoch", "id"]].tolist()
    }
    assert np.isnan(control.events["value"]).all()  # nothing spoke for any of them
    again = develop(ns.yoked(LIFE, lived))
    assert again.events.tobytes() == control.events.tobytes()
    other = develop(ns.yoked(LIFE, lived), circuit().reseed(2))
    assert other.events.tobytes() != control.events.tobytes() and counts(other) == counts(lived)


def test_rules_that_are_kept_go_on_choosing_and_only_the_others_are_left_to_chance(lived):
    """Rewiring is the rule's own, of weak synapses; deaths and divisions are repeated, and rewiring is not repeated besides."""
    control = develop(ns.yoked(LIFE, lived, keep=["rewiring.loop"]))
    kept = control.events["rule"] == "decline/rewiring.loop"
    assert set(control.events["rule"].tolist()) == {"growth/yoked", "decline/rewiring.loop", "decline/yoked"}
    assert set(control.events["kind"][kept].tolist()) <= {"unlink", "link"} and np.isfinite(control.events["value"][kept]).any()
    assert set(control.events["kind"][~kept].tolist()) == {"death", "division"}
    others = [{key: count for key, count in counts(one).items() if key[1] in ("death", "division")} for one in (control, lived)]
    assert others[0] == others[1] and others[0]
    same = ns.Lifecycle(LIFE.epoch, [ns.Phase("decline", 3, PHASES[1].rules)])
    led = develop(same)
    whole = develop(ns.yoked(same, led, keep=["apoptosis.exc", "division.exc", "rewiring.loop"]))
    assert whole.events.tobytes() == led.events.tobytes()  # nothing is left to chance: the life itself


@pytest.mark.parametrize("keep", ["apoptosis.exc", ["apoptosis.inh"]])
def test_only_rules_of_the_life_are_kept(lived, keep):
    with pytest.raises(
        ValueError, match=r"is to keep the rules .* called 'division\.exc', 'apoptosis\.exc', 'rewiring\.loop'; give several"
    ):
        ns.yoked(LIFE, lived, keep=keep)


def test_what_is_no_choice_stays(lived):
    """Weights of new synapses, shares and jitter of divisions are those of the other life, in another order."""
    control = develop(ns.yoked(LIFE, lived))
    for one, other in zip(control.boundaries, lived.boundaries, strict=True):
        assert np.sort(one.of("link", "loop")["weight"]).tolist() == np.sort(other.of("link", "loop")["weight"]).tolist()
        for column in ("key", "low", "high", "jitter"):
            assert np.sort(one.of("division", "exc")[column]).tolist() == np.sort(other.of("division", "exc")[column]).tolist()
    assert [phase.modulate for phase in ns.yoked(LIFE, lived).phases] == [phase.modulate for phase in PHASES]


def proposals(events, size=10, draws=600):
    now = circuit(size)
    rule = ns.Yoked(first=0, boundaries=[events])
    return now, [rule(now, None, rng(seed)) for seed in range(draws)]


def test_every_cell_is_as_likely_as_another():
    asked = ns.Events.kill("exc", [0, 1]) + ns.Events.divide("exc", [2, 3, 4], rng=rng())
    now, found = proposals(asked)
    deaths = np.bincount(np.concatenate([one.of("death", "exc")["cell"] for one in found]), minlength=10)
    mothers = np.bincount(np.concatenate([one.of("division", "exc")["mother"] for one in found]), minlength=10)
    assert deaths.sum() == 2 * len(found) and mothers.sum() == 3 * len(found)
    assert chisquare(deaths).pvalue > 1e-3 and chisquare(mothers).pvalue > 1e-3
    assert chisquare(np.bincount(np.tile([0, 1], len(found)), minlength=10)).pvalue < 1e-9  # the control: always the first two
    for one in found:
        assert not set(one.of("death", "exc")["cell"].tolist()) & set(one.of("division", "exc")["mother"].tolist())


def test_no_proposal_is_in_conflict():
    """New synapses join pairs of survivors that had none, and those that go are not of dying cells."""
    now = circuit(10)
    asked = (
        ns.Events.kill("exc", [0, 1]) + ns.Events.unlink("loop", now["loop"].ids[:6]) + ns.Events.link("loop", [5] * 4, [6] * 4, 1e-9, 1e-3)
    )
    now, found = proposals(asked, draws=50)
    there = set(zip(now["loop"].synapses["pre"].tolist(), now["loop"].synapses["post"].tolist(), strict=True))
    for one in found:
        assert not ns.plan(now, one).dropped
        new = list(zip(one.of("link", "loop")["pre"].tolist(), one.of("link", "loop")["post"].tolist(), strict=True))
        assert len(set(new)) == 4 and not set(new) & there and all(pre != post for pre, post in new)
        assert len(one.of("unlink", "loop")) == 6
    assert ns.plan(now, asked).dropped  # the control: as asked, they conflict


def test_where_fewer_are_left_all_are_taken():
    asked = ns.Events.kill("exc", np.arange(8)) + ns.Events.divide("exc", np.arange(9), rng=rng()) + ns.Events.unlink("loop", [0])
    now, found = proposals(asked, draws=1)
    assert len(found[0].of("death", "exc")) == 8 and len(found[0].of("division", "exc")) == 2
    now = circuit(3)
    everybody = ns.Yoked(0, [ns.Events.kill("exc", np.arange(3)) + ns.Events.link("loop", [0], [1], 1e-9, 0)])(now, None, rng())
    assert len(everybody) == 3 and len(everybody.of("link", "loop")) == 0


def test_where_nobody_is_left_nobody_is_taken():
    now = ns.apply(circuit(), ns.Events.kill("exc", np.arange(8)))
    asked = ns.Events.kill("exc", [0]) + ns.Events.divide("exc", [1], rng=rng()) + ns.Events.unlink("loop", [0])
    assert len(ns.Yoked(0, [asked])(now, None, rng())) == 0
    assert len(ns.Yoked(0, [asked])(circuit(), None, rng())) == 3  # the control


def test_another_life_is_refused(lived):
    longer = ns.Lifecycle(LIFE.epoch, [*PHASES, ns.Phase("old age", 1)])
    with pytest.raises(
        ValueError, match=r"the history has the phases \[\('growth', 3\), \('decline', 3\)\] and the lifecycle .*give the finished history"
    ):
        ns.yoked(longer, lived)
    with pytest.raises(TypeError, match="needs a lifecycle and the history of it"):
        ns.yoked(lived, LIFE)
    with pytest.raises(KeyError, match="events name 'exc', but this circuit knows only other"):
        ns.yoked(LIFE, lived).phases[0].rules[0].check(ns.Circuit([ns.create("other", "leaky_conductance", 3)]))


def test_what_a_cell_hands_over_stays_in_parts_of_one_whole():
    now = circuit()
    lived_ = ns.Events.kill("exc", [5, 3]) + ns.Events.hand_over("exc", [5, 3, 3, 3], [0, 0, 1, 2], [1.0, 1 / 3, 1 / 3, 1 / 3])
    chosen = ns.lifecycle.yoked.Yoked(0, [lived_])(now, None, rng()).of("handover", "exc")
    parts = [chosen["part"][chosen["cell"] == cell].sum() for cell in np.unique(chosen["cell"])]
    np.testing.assert_allclose(parts, [1.0, 1.0])
    assert sorted(np.unique(chosen["cell"], return_counts=True)[1].tolist()) == [1, 3]
