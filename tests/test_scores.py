"""Scores of predicted spikes: whole, block by block and with their interval, against closed forms; transfer matrices; slips."""

from statistics import mean, stdev

import numpy as np
import pytest
from fitted_cells import LIBRARY, like, noise, respond

import neurosim as ns
from neurosim import waveforms
from neurosim.units import Hz, ms, nA, nS, pA, quantity, second

CELL = like()
T_95 = 4.3027  # 97.5 % point of Student's t with two degrees of freedom, as tables have it


def pulsed(period, seconds, lasts=None):
    """A stimulus of pulses that give one spike each."""
    train = waveforms.pulse_train(6 * nA, 1 * ms, period, seconds * second, start=10 * ms)
    return ns.Stimulus(f"each {period / ms:g} ms for {seconds} s", {"I_e": train}, None if lasts is None else lasts * second)


def answered(stimulus, times):
    return ns.Response(stimulus, "by hand", quantity(times, second.dim))


@pytest.fixture(scope="module")
def known():
    """What the cell does, and data made of it: equal for 10 s, 3 ms late for 10 s, every other spike for the rest."""
    stimuli = [pulsed(100 * ms, 30), pulsed(100 * ms, 25), pulsed(100 * ms, 20, lasts=40), pulsed(100 * ms, 9), pulsed(50 * ms, 25)]
    answers = respond(CELL, *stimuli)
    assert [len(one.spikes) for one in answers] == [300, 250, 200, 90, 500]
    data = []
    for one in answers[:2]:
        own = np.asarray(one.spikes)
        data.append(answered(one.stimulus, np.concatenate([own[:100], own[100:200] + 3e-3, own[200::2]])))
    return answers, data


def scored(*responses, **others):
    return ns.score(CELL, responses, backend=LIBRARY, progress=False, **others)


def test_scores_and_blocks_are_those_of_the_closed_form(known):
    """Gamma of 100 and 100 spikes in 10 s is 1 if all coincide, and -0.0417 if none do (as elephant and the authors' formula have it)."""
    _, (first, second_one) = known
    whole, shorter = scored(first, second_one)
    assert [(one.hits, one.misses, one.extras) for one in whole.coincidences] == [(150, 100, 150), (150, 100, 150), (250, 0, 50)]
    expected = [(150 - 0.02 * 250) / 275 / 0.98, (150 - 0.04 * 250) / 275 / 0.96, (250 - 0.08 * 250) / 275 / 0.92]
    assert [one.gamma for one in whole.coincidences] == pytest.approx(expected, abs=1e-12)
    assert (whole.gamma, whole.share, whole.spikes) == (pytest.approx(expected[1]), 0.6, 250)
    blocks = [1, -0.04 / 0.96, (50 - 0.04 * 50) / 75 / 0.96]
    assert whole.blocks == pytest.approx(blocks, abs=1e-12)
    half = T_95 * stdev(blocks) / 3**0.5
    assert (whole.low, whole.high) == pytest.approx((mean(blocks) - half, mean(blocks) + half), abs=1e-4)
    assert shorter.blocks == pytest.approx(blocks[:2]) and shorter.spikes == 225  # the last 5 s are no block
    assert (whole.stimulus, shorter.stimulus) == ("each 100 ms for 30 s", "each 100 ms for 25 s")


def test_a_shift_moves_all_spikes_and_leaves_out_those_that_leave(known):
    _, (data, _) = known
    (later,) = scored(data, shift=3 * ms)
    assert later.blocks == pytest.approx([-0.04 / 0.96, 1, -0.04 * 50 / 75 / 0.96], abs=1e-12)
    (earlier,) = scored(data, shift=-60 * ms)
    assert earlier.middle.hits + earlier.middle.extras == 299


def test_blocks_in_which_nothing_spikes_say_nothing(known):
    answers, _ = known
    silent, short = scored(answers[2], answers[3])
    assert silent.blocks[:2] == pytest.approx([1, 1]) and np.isnan(silent.blocks[2:]).all() and len(silent.blocks) == 4
    assert (silent.low, silent.high, silent.gamma) == pytest.approx((1, 1, 1))
    assert len(short.blocks) == 0 and np.isnan([short.low, short.high]).all() and short.gamma == pytest.approx(1)
    assert "blocks" in str(silent) and "blocks" not in str(short)


def test_too_few_spikes_are_said(known):
    answers, (data, _) = known
    enough = answers[4]
    fewer = answered(enough.stimulus, np.asarray(enough.spikes)[:-1])
    told = [str(one) for one in scored(data, enough, fewer)]
    assert [text.partition("uncertain, ")[2] for text in told] == ["250 of 500 spikes", "", "499 of 500 spikes"]
    assert told[1] == (
        "each 50 ms for 25 s: Gamma 1.000 at +-1 ms, 1.000 at +-2 ms, 1.000 at +-4 ms; +-2 ms in blocks of 10 s: 1.000 to 1.000 "
        "(500 hits, 0 misses, 0 extras; model 20.0 Hz, data 20.0 Hz)"
    )


def test_gamma_is_not_a_number_where_it_is_not_defined():
    """A cell that spikes every 5 ms and a bit: from 200 Hz * 2 * 4 ms > 1 on, all coincides by chance."""
    stimulus = ns.Stimulus("step", {"I_e": waveforms.step(20 * nA, 1 * second)})
    (one,) = scored(answered(stimulus, [0.1, 0.5, 0.9]))
    assert [np.isfinite(each.gamma) for each in one.coincidences] == [True, True, False]
    assert one.middle.model_rate > 180 * Hz and abs(one.gamma) < 1 and "nan at +-4 ms" in str(one)


def test_a_row_holds_plain_numbers(known):
    (one,) = scored(known[1][0])
    row = one.row()
    assert list(row) == ["Gamma 1 ms", "Gamma 2 ms", "Gamma 4 ms", "low", "high", "share", "spikes", "model (Hz)", "data (Hz)"]
    assert (row["Gamma 2 ms"], row["share"], row["spikes"]) == (one.gamma, 0.6, 250)
    assert (row["model (Hz)"], row["data (Hz)"]) == (10, pytest.approx(250 / 30))


# --- slips, found before anything runs --------------------------------------------------------------------------------

FREE = noise(300, 100, 0.1, seed=1)
DATA = answered(FREE, [0.01, 0.02])


@pytest.mark.parametrize(
    ("responses", "error", "message"),
    [
        ([], ValueError, "there are no responses to be scored; give at least one"),
        (DATA, TypeError, "responses to be scored are <Response .*>; give a list of ns.Response"),
        ([FREE], TypeError, "responses to be scored are .*; give a list of ns.Response"),
        ([answered(FREE, [])], ValueError, "<Response of 'by hand' .* 0 spikes .* has no spikes to be met; take a stronger stimulus"),
        ([answered(FREE, [0.02, 0.01])], ValueError, "is not in order of time"),
        ([answered(FREE, [0.01, 0.2])], ValueError, "has a spike at 0.2 s, but it runs from 0 to 0.1 s"),
        ([ns.Response(FREE, "by hand", [1, 2] * pA)], TypeError, "needs the dimension of second"),
    ],
)
def test_responses_that_cannot_be_scored(responses, error, message, monkeypatch):
    monkeypatch.delattr(ns.Brian2, "run")
    with pytest.raises(error, match=message):
        ns.score(CELL, responses, progress=False)


@pytest.mark.parametrize(
    ("shift", "error", "message"),
    [
        (np.inf * ms, ValueError, "shift of the spikes is inf .*s; give one finite time for all, such as 0.5"),
        ([1, 2] * ms, ValueError, r"shift of the spikes is \[1. 2.\] ms; give one finite time"),
        (1 * pA, TypeError, "shift of the spikes is 1. pA, but it needs the dimension of second"),
        (np.nan * ms, ValueError, "shift of the spikes is nan s; NaN is not a value"),
    ],
)
def test_shifts_that_are_none(shift, error, message, monkeypatch):
    monkeypatch.delattr(ns.Brian2, "run")
    with pytest.raises(error, match=message):
        ns.score(CELL, [DATA], shift, progress=False)


def test_a_cell_without_the_receptor_of_the_stimulus_is_refused(monkeypatch):
    conductance = ns.Stimulus("conductance", {"G_exc": waveforms.step(5 * nS, 100 * ms)})
    monkeypatch.setattr(ns.Brian2, "run", lambda *arguments: pytest.fail("ran"))
    with pytest.raises(ValueError, match="acts on receptor 'G_exc', which population 'cell' .leaky. has not. Choose one of: I_e"):
        ns.score("leaky", [answered(conductance, [0.01])], backend=LIBRARY, progress=False)


# --- transfer matrices -----------------------------------------------------------------------------------------------


def test_a_transfer_matrix_has_a_row_for_each_fit_and_a_column_for_each_response(known):
    answers, (data, _) = known
    row, late = scored(data, answers[4]), scored(data, answers[4], shift=3 * ms)
    matrix = ns.transfer({"at once": row, "later": late})
    assert (matrix.rows, matrix.columns) == (("at once", "later"), ("each 100 ms for 30 s", "each 50 ms for 25 s"))
    assert matrix.gamma == pytest.approx(np.array([[140 / 264, 1], [(100 - 10) / 264, -0.08 / 0.92]]), abs=1e-12)
    assert matrix.share == pytest.approx(np.array([[0.6, 1], [0.4, 0]]))
    assert str(matrix).splitlines() == [
        "Gamma, fitted to each 100 ms for 30 s each 50 ms for 25 s",
        "at once                          0.53                1.00",
        "later                            0.34               -0.09",
    ]


def test_rows_of_other_responses_do_not_make_a_matrix(known):
    row = scored(known[1][0])
    other = scored(known[0][4])
    with pytest.raises(
        ValueError, match="row 'b' of a transfer matrix has scores of each 50 ms for 25 s, the first of each 100 ms for 30 s; score all"
    ):
        ns.transfer({"a": row, "b": other})
    with pytest.raises(ValueError, match="there are no scores for a transfer matrix; give at least one row"):
        ns.transfer({})
