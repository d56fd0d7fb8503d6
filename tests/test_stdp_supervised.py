"""Remote supervised learning of Ponulak & Kasinski 2010: what a teacher wants and what a cell fires make of a weight."""

import numpy as np
import pytest
from plastic_pairs import W_MAX, change, pairs_of_cells, play

import neurosim as ns
from neurosim.units import Hz, ms, mV

RULE = ns.load_synapse("stdp_supervised").replace(w_max=W_MAX, w_min=-W_MAX, A=0.004)
TAU, A, DT = 20.0, 0.004, 0.5  # ms
WANTED = 80 * Hz


def taught(start, stop):
    """A teacher that wants spikes of every cell from one time (ms) to another."""
    return ns.Reward("post", np.array([start, stop]) * ms, np.array([1, -1]) * WANTED, "teacher")


def played(pre, post, teacher=None, rule=RULE):
    """What becomes of a weight of 0 in 200 ms, as a share of w_max."""
    circuit = pairs_of_cells(1, rule, weight=0 * mV)
    given = [taught(0, 0) if teacher is None else teacher]
    return change(circuit, play(circuit, pre, post, 200 * ms, dt=DT * ms, inputs=given)[0])[0]


def test_a_teacher_strengthens_what_was_active_before():
    """The trace of a spike, summed over the steps in which spikes are wanted, times their rate."""
    expected = A * 0.08 * TAU * (np.exp(-20 / TAU) - np.exp(-70 / TAU))  # from 20 to 70 ms after the spike
    assert played([(0, 30)], [], taught(50, 100)) == pytest.approx(expected, rel=0.02)  # the sum over steps and the integral
    assert played([(0, 30)], []) == 0 == played([(0, 150)], [], taught(50, 100))  # nothing is wanted, or was active


def test_own_spikes_weaken_what_was_active_before():
    assert played([(0, 30)], [(0, 45)]) == pytest.approx(-A * np.exp(-15 / TAU), rel=0.01)
    assert played([(0, 30)], [(0, 25)]) == 0


def test_it_rests_where_a_cell_fires_as_it_is_taught():
    """Input at 500 Hz: 8 spikes are wanted in 100 ms, and where they come little changes; where fewer or more come, more does."""
    pre, slow = [(0, 2.0 * k) for k in range(100)], RULE.replace(A=1e-5)  # never strong enough to make the cell spike

    def fired(number):
        return played(pre, [(0, np.round(2 * (61.5 + 100 / number * k)) / 2) for k in range(number)], taught(60, 160), slow)

    one = 1e-5 * TAU / 2  # of one spike: the trace is the rate times tau
    assert abs(fired(8)) < 0.4 * one
    assert fired(4) == pytest.approx(4 * one, rel=0.1) and fired(16) == pytest.approx(-8 * one, rel=0.1)


def test_bounds_hold():
    strong = RULE.replace(A=2.0)
    circuit = pairs_of_cells(1, strong, weight=0 * mV)
    up, _ = play(circuit, [(0, 30)], [], 100 * ms, dt=DT * ms, inputs=[taught(30, 100)])
    down, _ = play(circuit, [(0, 30)], [(0, 31)], 100 * ms, dt=DT * ms, inputs=[taught(0, 0)])
    assert float(up["plastic"].weight[0] / W_MAX) == 1 and float(down["plastic"].weight[0] / W_MAX) == -1


def test_no_teacher_is_told_before_anything_runs():
    with pytest.raises(
        ValueError, match=r"projection 'plastic' learns by 'teacher' \(stdp_supervised\), but no input delivers it to 'post'"
    ):
        play(pairs_of_cells(1, RULE), [], [], 10 * ms)
