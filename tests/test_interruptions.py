"""What is found while a simulation or a life runs: states that are not finite, Ctrl-C, rules that fail; nothing done is lost."""

import os
import re
import signal
import threading
from dataclasses import dataclass

import numpy as np
import pytest
from comparing import differences
from slips import EXC, develop, poisson, simulate

import neurosim as ns
from neurosim.backends.brian2 import Running
from neurosim.units import Hz, ms, mV, nA, nS, second

# --- what is found while running -------------------------------------------------------------------------------------


def test_a_state_that_is_not_finite_is_found_at_the_boundary():
    inputs = [ns.StepCurrent("exc", "I_e", -1e300 * nA, cells=[3, 7], start=0.5 * ms)]
    calm, _ = simulate(duration=0.5 * ms, inputs=inputs)
    wild = ns.load_cell("leaky_conductance").replace(C_m=1e-300 * nA * second / mV, g_L=1e-20 * nS)
    circuit = ns.Circuit([ns.create("exc", wild, 10)])
    simulate(circuit, 0.5 * ms, inputs=inputs)
    with pytest.raises(
        ns.NonFiniteStateError, match=r"v of 'exc' is (nan|-?inf) for 2 of 10 \(ids 3, 7\) at 1. ms; lower dt or the input"
    ) as caught:
        simulate(circuit, 1 * ms, inputs=inputs, record=[ns.Trace("exc", "v")])
    error = caught.value
    assert error.circuit.time == 1 * ms and np.isfinite(error.circuit["exc"].cells["v"][[0, 1, 2, 4, 5, 6, 8, 9]]).all()
    traced = error.recording["exc"].trace("v").si
    assert np.isfinite(traced[:, :5]).all() and not np.isfinite(traced[3, -1])
    with pytest.raises(ns.NonFiniteStateError) as caught:
        develop(circuit=circuit, epochs=3, epoch=0.5 * ms, inputs=inputs)
    assert len(caught.value.history.boundaries) == 1 and caught.value.history.circuit.time == 0.5 * ms


@dataclass(frozen=True)
class Press:
    """A rule that does nothing but press Ctrl-C in a certain epoch."""

    epoch: int

    def __call__(self, circuit, recording, rng):
        if circuit.epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)
        return ns.Events()


@pytest.fixture
def pressed_soon():
    """Press Ctrl-C a little after the test has begun to simulate."""
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    yield
    timer.cancel()


NOISE = [poisson(rate=300 * Hz, weight=4 * nS)]


def test_interrupted_at_a_whole_time_step(pressed_soon):
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(ns.Interrupted, match=r"interrupted at .*s; .circuit and .recording hold what was done") as caught:
        simulate(duration=20 * second, inputs=NOISE)
    assert signal.getsignal(signal.SIGINT) is handler
    middle, begun = caught.value.circuit, caught.value.recording
    assert 0 < middle.step < 100_000 and begun.stop_step == middle.step
    rest = 20 * ms
    continued, ended = simulate(middle, rest, inputs=NOISE)
    unbroken, recording = simulate(duration=middle.time + rest, inputs=NOISE)
    assert differences(continued, unbroken) == []
    joined, whole = ns.Recording.concatenate([begun, ended])["exc"].spikes, recording["exc"].spikes
    assert joined.step.tolist() == whole.step.tolist() and joined.id.tolist() == whole.id.tolist() and len(whole) > 3
    assert differences(middle, unbroken) != []  # the control


def test_pressed_too_late_to_stop_a_short_run_it_still_counts(monkeypatch):
    run = Running.run

    def run_and_press(*arguments):
        result = run(*arguments)
        os.kill(os.getpid(), signal.SIGINT)
        return result

    expected, _ = simulate()
    monkeypatch.setattr(Running, "run", run_and_press)
    with pytest.raises(ns.Interrupted) as caught:
        simulate()
    assert differences(caught.value.circuit, expected) == []


def test_pressed_twice_it_breaks_off_at_once(monkeypatch):
    def press_twice(*arguments):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("went on")

    monkeypatch.setattr(ns.Brian2, "run", press_twice)
    with pytest.raises(KeyboardInterrupt) as caught:
        simulate()
    assert caught.type is KeyboardInterrupt


@pytest.mark.parametrize("when", ["in a simulation", "at a boundary"])
def test_an_interrupted_life_keeps_its_whole_epochs(when, monkeypatch, capsys):
    rules, measure = [ns.Division("exc", count=1)], {"measure": lambda circuit, recording: {"size": len(circuit["exc"])}}
    whole = develop(*rules, epochs=3, **measure)
    if when == "at a boundary":
        rules.append(Press(epoch=2))
    else:
        run = Running.run

        def run_and_press(self, circuit, *others):
            if circuit.epoch == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return run(self, circuit, *others)

        monkeypatch.setattr(Running, "run", run_and_press)
    history = develop(*rules, epochs=8, **measure)
    assert history.interrupted and not whole.interrupted
    assert len(history.boundaries) == 3 and history.measures["size"].tolist() == [10, 11, 12]
    assert differences(history.circuit, whole.circuit) == []
    assert "interrupted: the life ends after 3 of 8 epochs" in capsys.readouterr().err
    assert "interrupted" in str(history) and "interrupted" not in str(whole)


@dataclass(frozen=True)
class Fail:
    epoch: int = 2
    result: object = None

    def __call__(self, circuit, recording, rng):
        if circuit.epoch < self.epoch:
            return ns.Events()
        if self.result is None:
            raise ZeroDivisionError("a slip of the user's own")
        return self.result


def test_a_rule_that_raises_leaves_the_history_of_whole_epochs():
    whole = develop(ns.Division("exc", count=1))
    with pytest.raises(ZeroDivisionError, match="a slip of the user's own") as caught:
        develop(ns.Division("exc", count=1), Fail(), epochs=5, measure=lambda circuit, recording: {"one": 1.0}, record=[ns.Spikes("exc")])
    history = caught.value.history
    assert len(history.boundaries) == 2 and not history.interrupted
    assert differences(history.circuit, whole.circuit) == []
    assert history.measures["one"].tolist() == [1, 1] and history.recording.stop == 4 * ms


@pytest.mark.parametrize("result", [3, [], ns.Lifecycle])
def test_a_rule_that_returns_something_else(result):
    with pytest.raises(TypeError, match=r"rule 'youth/fail' returned .*; a rule returns ns.Events") as caught:
        develop(Fail(epoch=1, result=result))
    assert len(caught.value.history.boundaries) == 1


def test_a_measure_that_returns_something_else():
    with pytest.raises(TypeError, match="measure returned 0.5; it returns a dict"):
        develop(measure=lambda circuit, recording: 0.5)


def test_asking_for_what_was_not_recorded():
    _, recording = simulate()
    with pytest.raises(KeyError, match=r"nothing was recorded of 'ex' .*Did you mean 'exc'"):
        recording["ex"]
    with pytest.raises(
        AttributeError, match=re.escape("'v' of 'exc' was not traced (traced: nothing); ask for it with record=[ns.Trace('exc', 'v')]")
    ):
        recording["exc"].v
    history = develop()
    with pytest.raises(ValueError, match="nothing was recorded over this life; ask for it with"):
        history.recording
    with pytest.raises(KeyError, match="no census of 'ex'. Did you mean 'exc'"):
        history.series("ex")
    with pytest.raises(AttributeError, match="population 'exc' has no 'V'. Did you mean 'v'"):
        EXC.V
