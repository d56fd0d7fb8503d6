"""Extinction: waves of births and deaths after so many epochs, or where a measure has stopped to improve."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import circuit, develop, recorded, rng

import neurosim as ns
from neurosim.units import ms

NOW = circuit()
WAVE = ns.Apoptosis("exc", count=1)


@dataclass(frozen=True)
class Course:
    """A measure that takes the given values, one an epoch."""

    values: tuple

    def __call__(self, circuit, recording):
        return self.values[circuit.epoch]


def waves(extinction, epochs, now=NOW):
    """Return the epochs (the first is 1) at whose boundaries an extinction acts, from its books alone."""
    found = []
    for epoch in range(epochs):
        now = now.updated({}, epoch=epoch)
        kept = {name: value for book in extinction.books for (_, name), value in book.keep(now, None).items()}
        now = now.updated({}, notes={**now.notes, **kept})
        if len(extinction(now, recorded(now, np.zeros(8, int)), rng())):
            found.append(epoch + 1)
    return found


def expected(values, every, min_delta, patience, cooldown):
    """Say in plain Python when waves come: the last `patience` of the values since the last wave are no better than one before."""
    found, since = [], 0
    for epoch in range(1, len(values) + 1):
        seen, best, stale = values[since:epoch], None, 0
        for value in seen:
            if best is None or value > best + min_delta:
                best, stale = value, 0
            else:
                stale += 1
        if seen and (stale == patience or len(seen) == every):
            found.append(epoch)
            since = epoch + cooldown
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=40),
    st.none() | st.integers(1, 6),
    st.sampled_from([0, 1, 2]),
    st.integers(1, 4),
    st.integers(0, 4),
)
def test_waves_come_when_a_measure_stops_improving_or_after_so_many_epochs(values, every, min_delta, patience, cooldown):
    extinction = ns.Extinction([WAVE], every, Course(tuple(values)), min_delta, patience, cooldown)
    assert waves(extinction, len(values)) == expected(values, every, min_delta, patience, cooldown)


@pytest.mark.parametrize(("patience", "cooldown"), [(1, 0), (2, 0), (2, 3), (5, 1), (7, 20)])
def test_a_constant_measure_gives_as_many_waves_as_predicted(patience, cooldown):
    """The first epoch sets the best, `patience` more bring nothing, `cooldown` do not count."""
    epochs, period = 60, 1 + patience + cooldown
    count = (epochs + cooldown) // period
    extinction = ns.Extinction([WAVE], measure=Course((0.7,) * epochs), patience=patience, cooldown=cooldown)
    assert waves(extinction, epochs) == [1 + patience + period * wave for wave in range(count)]


def test_noise_that_is_no_improvement_is_as_good_as_constant():
    noise = np.random.default_rng(1).uniform(0, 0.0099, 60)
    rising = 0.011 * np.arange(60)
    constant = waves(ns.Extinction([WAVE], measure=Course((0.5,) * 60)), 60)
    assert waves(ns.Extinction([WAVE], measure=Course(tuple(0.5 + noise))), 60) == constant != []
    assert waves(ns.Extinction([WAVE], measure=Course(tuple(0.5 + 3 * noise))), 60) != constant  # the control: noise above min_delta
    assert waves(ns.Extinction([WAVE], measure=Course(tuple(rising))), 60) == []
    assert waves(ns.Extinction([WAVE], measure=Course(tuple(rising)), min_delta=0.012), 60) == []  # small steps add up
    assert waves(ns.Extinction([WAVE], measure=Course(tuple(rising)), min_delta=0.023), 60) == constant
    assert waves(ns.Extinction([WAVE], measure=Course(tuple(-rising))), 60) == constant


def test_after_so_many_epochs():
    assert waves(ns.Extinction([WAVE], every=4), 13) == [4, 8, 12]
    assert waves(ns.Extinction([WAVE], every=4, cooldown=2), 17) == [4, 10, 16]
    assert waves(ns.Extinction([WAVE], every=1), 3) == [1, 2, 3]


def test_an_epoch_without_the_measure_does_not_count():
    skipped = (0.5, np.nan, np.nan, 0.5, np.nan, 0.5, 0.5)
    assert waves(ns.Extinction([WAVE], measure=Course(skipped)), 7) == [6]
    assert waves(ns.Extinction([WAVE], measure=Course((np.nan,) * 7)), 7) == []


def test_two_extinctions_count_apart():
    slow, fast = ns.Extinction([WAVE], every=3, label="slow"), ns.Extinction([WAVE], every=2, label="fast")
    both = {label for book in slow.books + fast.books for _, label in book.keep(NOW, None)}
    assert len(both) == 10 and all(name.startswith(("slow.", "fast.")) for name in both)


# --- in a life -------------------------------------------------------------------------------------------------------


def life_with(extinction, epochs=9, **others):
    return develop(circuit(seed=5), ns.Phase("life", epochs, [extinction]), epoch=1 * ms, inputs=[], **others)


def deaths(history):
    events = history.events
    return events["epoch"][events["kind"] == "death"].tolist()


def test_waves_in_a_life_by_a_measure_of_it():
    extinction = ns.Extinction([WAVE], measure="accuracy", cooldown=1)
    history = life_with(extinction, measure=lambda circuit, recording: {"accuracy": 0.5})
    assert deaths(history) == [3, 7] and set(history.events["rule"]) == {"life/extinction/apoptosis.exc"}
    assert deaths(life_with(extinction, measure=lambda circuit, recording: {"accuracy": 0.1 * circuit.epoch})) == []
    with pytest.raises(
        KeyError, match=r"extinction 'extinction' waits for measure 'accuracy', which was not measured\. Did you mean 'acuracy'"
    ):
        life_with(extinction, measure=lambda circuit, recording: {"acuracy": 0.5})


def test_a_resumed_life_goes_on_counting(tmp_path):
    def constant(circuit, recording):
        return {"accuracy": 0.5}

    def breaking(circuit, recording):
        return {"accuracy": 0.5} if circuit.epoch != 4 or (tmp_path / "again").exists() else 1 / 0

    extinction = ns.Extinction([WAVE], measure="accuracy", patience=3, cooldown=1)
    with pytest.raises(ZeroDivisionError):
        life_with(extinction, measure=breaking, keep=ns.RunFolder(tmp_path / "run"))
    (tmp_path / "again").touch()
    resumed = life_with(extinction, measure=breaking, keep=ns.RunFolder(tmp_path / "run", resume=True))
    whole = life_with(extinction, measure=constant)
    assert deaths(resumed) == deaths(whole) == [4, 9]
    assert resumed.events["id"].tolist() == whole.events["id"].tolist()


def test_a_later_phase_that_waits_for_less_does_not_wait_for_ever():
    """Four epochs have passed when the second phase asks for three: the wave comes at its first boundary, and then every three."""
    phases = [ns.Phase(name, epochs, [ns.Extinction([WAVE], every=every)]) for name, epochs, every in (("slow", 4, 5), ("fast", 5, 3))]
    assert deaths(develop(circuit(), *phases, epoch=1 * ms, inputs=[])) == [5, 8]
    fewer = ns.Extinction([WAVE], every=ns.Schedule([5, 5, 5, 2, 2, 2]))
    assert deaths(develop(circuit(), ns.Phase("life", 6, [fewer]), epoch=1 * ms, inputs=[])) == [4, 6]


def test_extinctions_within_one_another_need_labels():
    """With one label they would count in the same notes."""
    inner = ns.Extinction([WAVE], every=2)
    with pytest.raises(ValueError, match=r"the note 'extinction\.waited' is kept in two ways at once, by Waves.*; give one another label"):
        life_with(ns.Extinction([inner], every=3))
    named = ns.Extinction([WAVE], every=2, label="inner")
    assert deaths(life_with(ns.Extinction([named], every=3))) == [6]


def test_a_measure_that_nobody_takes_is_told_before_anything_runs():
    waiting = ns.Extinction([ns.Extinction([WAVE], measure="accuracy", label="inner")], every=1)
    with pytest.raises(ValueError, match=r"phase 'life' waits for measure 'accuracy', but nothing is measured; give develop"):
        life_with(waiting)


def test_each_rule_of_a_wave_draws_numbers_of_its_own():
    """Another rule in the wave, before or after, moves nobody's choices."""
    now = NOW.updated({}, notes={"extinction.due": 1.0})
    some = ns.Apoptosis("exc", count=3)
    other = ns.Division("exc", count=2)
    recording = recorded(now, np.zeros(8, int))

    def chosen(*rules, seed=3):
        return ns.Extinction(rules, every=1)(now, recording, rng(seed)).of("death", "exc")["cell"].tolist()

    assert chosen(some) == chosen(some, other) == chosen(other, some)
    assert len({tuple(chosen(some, seed=seed)) for seed in range(10)}) > 1
    events = ns.Extinction([some, other], every=1)(now, recording, rng(3))
    assert set(events.of("death", "exc")["rule"]) == {"apoptosis.exc"} and set(events.of("division", "exc")["rule"]) == {"division.exc"}


# --- mistakes --------------------------------------------------------------------------------------------------------

MISTAKES = [
    ({"rules": []}, ValueError, r"extinction 'extinction' has no rules; give it at least one"),
    ({"rules": WAVE}, TypeError, r"rules of extinction 'extinction' are Apoptosis.*; give a list"),
    ({"rules": [3]}, TypeError, r"extinction 'extinction' has the rule 3, which cannot be called"),
    ({"rules": [WAVE, WAVE]}, ValueError, r"two rules of extinction 'extinction' are called 'apoptosis\.exc' .*; give each its own label"),
    ({"every": None}, ValueError, r"extinction 'extinction' never acts; give every=\.\.\. epochs or a measure"),
    ({"every": 0}, ValueError, r"every of extinction 'extinction' is 0; give a whole number of epochs, 1 or more"),
    ({"every": 2.5}, ValueError, r"every of extinction .* is 2\.5; give a whole number"),
    ({"patience": True}, ValueError, r"patience of extinction .* is True; give a whole number of epochs, 1 or more"),
    ({"patience": None}, ValueError, r"patience of extinction .* is None"),
    ({"cooldown": -1}, ValueError, r"cooldown of extinction .* is -1; give a whole number of epochs, 0 or more"),
    ({"min_delta": -0.1}, ValueError, r"min_delta of extinction .* is -0\.1; give a number, 0 or more"),
    ({"min_delta": np.nan}, ValueError, r"min_delta of extinction .* is nan"),
    ({"measure": 3}, TypeError, r"measure of extinction .* is 3; give its name, or a function"),
]


@pytest.mark.parametrize(("change", "kind", "message"), MISTAKES, ids=[str(change)[:40] for change, *_ in MISTAKES])
def test_mistakes_are_named(change, kind, message):
    with pytest.raises(kind, match=message):
        ns.Extinction(**{"rules": [WAVE], "every": 5, **change})


def test_labels_within_a_wave_fit_the_history():
    long = ns.Extinction([ns.Apoptosis("exc", label="a" * 40)], every=2, label="b" * 20)
    with pytest.raises(
        ValueError, match=rf"a rule of phase 'life' is called 'life/{'b' * 20}/{'a' * 40}' \(66 characters\); give it a label"
    ):
        ns.Phase("life", 2, [long])
    ns.Phase("l", 2, [long])


def test_schedules_within_a_wave_and_of_it():
    """The third epoch is the first with a hazard; and the counts of an extinction may change too."""
    rule = ns.Extinction([ns.Apoptosis("exc", count=ns.Schedule([0, 0, 2, 1]))], every=1)
    assert deaths(life_with(rule, 4)) == [3, 3, 4]
    assert deaths(life_with(ns.Extinction([WAVE], every=ns.Schedule([2, 2, 1, 1])), 4)) == [2, 3, 4]
    with pytest.raises(ValueError, match=r"rule 'extinction' of phase 'life' has a schedule of 4 values, but the phase lasts 5 epochs"):
        ns.Phase("life", 5, [rule])


def test_rules_check_the_circuit():
    with pytest.raises(ValueError, match=r"rule Apoptosis is about 'exx', which is not in the circuit\. Did you mean 'exc'"):
        ns.Extinction([ns.Apoptosis("exx")], every=3).check(NOW)
    ns.Extinction([WAVE], every=3).check(NOW)
