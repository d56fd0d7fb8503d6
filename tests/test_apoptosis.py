"""Apoptosis that takes its time: fading, rescue, floors, protected cells, and heirs who get what the dead leave."""

from math import ceil, log

import numpy as np
import pytest
from life_data import NUMPY, circuit, develop, rng
from scipy import stats

import neurosim as ns
from neurosim.lifecycle.books import begun
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import Hz, ms, mV, nS, second

COUNTS = np.array([3, 0, 7, 1, 1, 9, 2, 1])  # in 100 ms: ten times as many Hz
IDLE = ns.RateBelow(15 * Hz)  # 1, 3, 4 and 7


def recorded(now, counts, trains=None):
    """A recording of 100 ms in which the cells of exc, by id, spiked so often, or in these time steps."""
    ids, spikes = now["exc"].ids, None
    if trains is not None:
        counts = np.array([len(trains[cell]) for cell in range(len(trains))])
        steps, cells = np.transpose(sorted((step, cell) for cell in ids for step in trains[cell]))
        spikes = SpikeTrains(cells, steps, 1e-4)
    return Recording({"exc": PartRecording("exc", 0.1, ids, counts[ids], spikes)}, 0, 1000, 1e-4)


def boundary(now, rule, counts=COUNTS, seed=0, trains=None):
    """Carry out what a rule proposes at one boundary."""
    return ns.apply(now, rule(now, recorded(now, counts, trains), rng(seed)))


def delivered(now, name="loop"):
    """What each living cell delivers to each that ever lived."""
    synapses, size = now[name].synapses, len(now["exc"].parents)
    matrix = np.zeros((size, size))
    np.add.at(matrix, (synapses["pre"], synapses["post"]), synapses["share"] * synapses["weight"])
    return matrix


# --- fading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fade", [0.5, 0.3])
def test_a_fading_cell_loses_its_output_step_by_step_and_dies_at_last(fade):
    rule = ns.Apoptosis("exc", IDLE, fade=fade)
    now = start = begun(circuit(), [rule])
    last = ceil(log(0.01) / log(fade))  # less than 1 % is left
    for number in range(1, last):
        now = boundary(now, rule)
        assert now["exc"].ids.tolist() == list(range(8))
        level = np.where(np.isin(np.arange(8), [1, 3, 4, 7]), fade**number, 1.0)
        np.testing.assert_allclose(now["exc"].cells["fading"], level, rtol=1e-12)
        np.testing.assert_allclose(delivered(now), delivered(start) * level[:, None], rtol=1e-12)
        assert now["loop"].synapses["weight"].tobytes() == start["loop"].synapses["weight"].tobytes()  # what was learned stays
    now = boundary(now, rule)
    assert now["exc"].ids.tolist() == [0, 2, 5, 6] and (now["exc"].cells["fading"] == 1).all()


def test_a_cell_that_is_no_longer_selected_is_rescued_at_once():
    rule = ns.Apoptosis("exc", IDLE, fade=0.5)
    start = begun(circuit(), [rule])
    now = boundary(boundary(start, rule), rule)
    again = np.where(np.arange(8) == 3, 5, COUNTS)  # cell 3 fires once more
    events = rule(now, recorded(now, again), rng())
    now = ns.apply(now, events)
    assert now["exc"].cells["fading"].tolist() == [1, 0.125, 1, 1, 0.125, 1, 1, 0.125]
    assert (delivered(now)[3] == delivered(start)[3]).all() and delivered(now)[3].sum() > 0
    assert (delivered(now)[1] == 0.125 * delivered(start)[1]).all()


def test_a_hazard_says_when_fading_begins_not_how_fast_it_goes():
    rule = ns.Apoptosis("exc", hazard=4 / second, fade=0.5)
    now = begun(ns.Circuit([ns.create("exc", "leaky", 4000)]), [rule])
    now = boundary(now, rule, np.zeros(4000, dtype=int), seed=1)
    first = now["exc"].cells["fading"] < 1
    assert stats.binomtest(int(first.sum()), 4000, 1 - np.exp(-0.4)).pvalue > 0.05
    now = boundary(now, rule, np.zeros(4000, dtype=int), seed=2)
    assert (now["exc"].cells["fading"][first] == 0.25).all()
    assert stats.binomtest(int((now["exc"].cells["fading"] == 0.5).sum()), int((~first).sum()), 1 - np.exp(-0.4)).pvalue > 0.05


def test_cells_above_a_floor_stay_at_the_last_of_their_output():
    rule = ns.Apoptosis("exc", IDLE, fade=0.05, floor=6)
    now = begun(circuit(), [rule])
    for _ in range(4):
        now = boundary(now, rule)
    assert now["exc"].ids.tolist() == [0, 2, 4, 5, 6, 7]  # the idlest went: 1, and of the equal ones the first
    assert now["exc"].cells["fading"].tolist() == [1, 1, 0.01, 1, 1, 0.01]
    assert boundary(now, rule, np.full(8, 5))["exc"].cells["fading"].tolist() == [1] * 6


@pytest.mark.parametrize("fade", [None, 0.05])
def test_protected_cells_neither_die_nor_fade(fade):
    rule = ns.Apoptosis("exc", IDLE, count=None if fade else 2, fade=fade)
    now = begun(circuit().protect("exc", [1, 3]), [rule])
    for _ in range(3):
        now = boundary(now, rule)
    assert now["exc"].ids.tolist() == [0, 1, 2, 3, 5, 6]  # a count is taken from those that may die
    assert fade is None or (now["exc"].cells["fading"] == 1).all()


def test_a_spike_of_a_fading_cell_delivers_as_much_as_its_level():
    """The conductance of the target, once with the cell in full and once at a quarter of its output."""
    one, rule = ns.create("exc", "spike_source", 2), ns.Apoptosis("exc", IDLE, fade=0.5)
    target = ns.create("target", "leaky_conductance", 1)
    onto = ns.connect(one, target, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS, delay=1 * ms)
    now = begun(ns.Circuit([one, target], [onto]), [rule])
    counts = np.array([9, 0])

    def largest(now, cell):
        inputs = [ns.SpikeTimes("exc", cell, [1] * ms)]
        _, recording = ns.simulate(now, 4 * ms, inputs=inputs, record=[ns.Trace("target", "g_exc")], backend=NUMPY, progress=False)
        return float(recording["target"].g_exc.max())

    faded = boundary(boundary(now, rule, counts), rule, counts)
    assert largest(now, 1) > 0.9e-9 and largest(faded, 1) == pytest.approx(0.25 * largest(now, 1), rel=1e-12)
    assert largest(faded, 0) == largest(now, 0)


def test_a_life_in_which_cells_fade():
    rule = ns.Apoptosis("exc", ns.Idlest(0.5), fade=0.2)
    history = develop(circuit(12), ns.Phase("fading", 6, [rule]), epoch=10 * ms)
    rows = history.lineage[(history.lineage["population"] == "exc") & (history.lineage["death"] > 0)]
    assert 0 < len(rows) < 12 and rows["death"].min() == 3  # at 20, 4 and 0.8 % of the output
    again = ns.replay(history.start, history.boundaries)
    assert again["exc"].cells["fading"].tolist() == history.circuit["exc"].cells["fading"].tolist()
    assert again["loop"].synapses["share"].tolist() == history.circuit["loop"].synapses["share"].tolist()


# --- heirs ------------------------------------------------------------------------------------------------------------


def alike():
    """Time steps of spikes of eight cells: 1 fires with 5, and somewhat with 2; 3 with 6; the others on their own."""
    draw = rng(5)
    trains = [np.unique(draw.choice(1000, 12)) for _ in range(8)]
    trains[1] = np.unique(np.concatenate([trains[5], trains[2][:6]]))
    trains[3] = trains[6][:-1]
    return [one.tolist() for one in trains]


@pytest.mark.parametrize(("number", "heirs"), [(1, {1: [5], 3: [6]}), (2, {1: [5, 2]})])
def test_the_most_correlated_siblings_get_what_a_dying_cell_delivered(number, heirs):
    start, trains = circuit(), alike()
    rule = ns.Apoptosis("exc", Named(tuple(heirs)), heirs=ns.Heirs(number, window=1 * ms))
    events = rule(start, recorded(start, None, trains), rng())
    assert {cell: events.of("handover", "exc")["heir"][events.of("handover", "exc")["cell"] == cell].tolist() for cell in heirs} == heirs
    before, now = delivered(start), ns.apply(start, events)
    expected = before.copy()
    for cell, chosen in heirs.items():
        for heir in chosen:
            passed = before[cell] / number
            passed[heir] = 0  # not onto itself
            expected[heir] += passed
    expected[list(heirs)] = expected[:, list(heirs)] = 0
    np.testing.assert_allclose(delivered(now), expected, rtol=1e-12)
    others = np.setdiff1d(now["exc"].ids, sum(heirs.values(), []))  # which go on receiving what they received
    np.testing.assert_allclose(delivered(now)[:, others].sum(axis=0), before[:, others].sum(axis=0), rtol=1e-12)
    unheard = boundary(start, ns.Apoptosis("exc", Named(tuple(heirs))))  # the control: nobody inherits
    assert (delivered(unheard)[:, others].sum(axis=0) < 0.9 * before[:, others].sum(axis=0)).any()


def test_a_cell_that_faded_hands_over_what_it_once_delivered():
    rule = ns.Apoptosis("exc", Named((1,)), fade=0.05, heirs=ns.Heirs(window=1 * ms))
    start, trains = begun(circuit(), [rule]), alike()
    now = boundary(boundary(start, rule, None, trains=trains), rule, None, trains=trains)
    assert 1 not in now["exc"].ids
    passed = delivered(start)[1]
    passed[5] = 0
    assert passed.sum() > 0
    np.testing.assert_allclose(delivered(now)[5], np.where(np.arange(8) == 1, 0, delivered(start)[5] + passed), rtol=1e-12)


def test_without_survivors_there_are_no_heirs():
    start = circuit()
    rule = ns.Apoptosis("exc", heirs=ns.Heirs(window=1 * ms))
    assert len(boundary(start, rule, None, trains=alike())["exc"]) == 0
    left = boundary(start, ns.Apoptosis("exc", ns.Idlest(), count=7, heirs=ns.Heirs(3, window=1 * ms)), None, trains=alike())
    assert len(left["exc"]) == 1 and len(left["loop"]) == 0 and len(left["into"]) == 2


class Named:
    """Select cells by their ids."""

    def __init__(self, cells):
        self.cells = cells

    def __call__(self, circuit, recording, name):
        ids = np.intersect1d(self.cells, circuit[name].ids)
        return ns.Selected(ids, np.full(len(ids), np.nan), np.full(len(ids), np.nan))


# --- mistakes ---------------------------------------------------------------------------------------------------------

MISTAKES = [
    ({"fade": 1.0}, ValueError, r"apoptosis in 'exc' fades by a factor of 1.0; give a number between 0 and 1"),
    ({"fade": 0}, ValueError, r"fades by a factor of 0"),
    ({"floor": -1}, ValueError, r"leaves -1 cells; give floor=0 or more"),
    ({"floor": 2.5}, ValueError, r"leaves 2.5 cells; give floor=0 or more, a whole number"),
    ({"hazard": [1, 2] * Hz}, ValueError, r"hazard of Apoptosis in 'exc' is \[1\. 2\.\] Hz; give a rate of 0 or more"),
    ({"heirs": 2}, TypeError, r"heirs of apoptosis in 'exc' are 2; give ns.Heirs\(number\)"),
    ({"hazard": -1 / second}, ValueError, r"hazard of Apoptosis in 'exc' is -1"),
    ({"hazard": 1 / second, "count": 1}, ValueError, r"both a hazard and a count"),
]


@pytest.mark.parametrize(("fields", "error", "message"), MISTAKES, ids=[str(fields) for fields, *_ in MISTAKES])
def test_mistakes_are_named(fields, error, message):
    with pytest.raises(error, match=message):
        ns.Apoptosis("exc", **fields)


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_a_number_of_heirs_is_a_whole_one(number):
    with pytest.raises(ValueError, match=r"a dying cell hands over to .* heirs; give a whole number, 1 or more"):
        ns.Heirs(number)


def test_a_window_without_a_scale_is_named():
    with pytest.raises(ValueError, match=r"window of Correlated is 0\. s; give a time above 0"):
        ns.Heirs(window=0 * ms)


@pytest.mark.parametrize(
    ("fields", "fits"), [({"fade": 0.5}, False), ({"heirs": ns.Heirs(2)}, False), ({"heirs": ns.Heirs()}, True), ({}, True)]
)
def test_output_that_cannot_be_shared_neither_fades_nor_goes_to_several(fields, fits):
    """Half an inhibition that stops at its reversal potential is not half the effect."""
    exc = ns.create("exc", "leaky_adaptive_threshold", 3)
    lateral = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="direct_inhibition", weight=100 * mV)
    now, rule = ns.Circuit([exc], [lateral]), ns.Apoptosis("exc", **fields)
    if fits:
        rule.check(now)
    else:
        with pytest.raises(ValueError, match=r"apoptosis in 'exc' cannot fade or hand over parts of projection 'exc_to_exc', .* additive"):
            develop(now, ns.Phase("death", 1, [rule]), inputs=[])


def test_an_unknown_population_is_named():
    with pytest.raises(ValueError, match=r"rule Apoptosis is about 'ex', which is not in the circuit.*exc"):
        develop(circuit(), ns.Phase("death", 1, [ns.Apoptosis("ex", fade=0.5)]))


def test_rules_leave_their_floors_together():
    """Each alone stays above its floor; one without a floor may go below it, where it comes first."""
    now = circuit()
    idle, busy = ns.Events.kill("exc", [0, 1, 2, 3], floor=5).labelled("idle"), ns.Events.kill("exc", [6, 7, 4], floor=5).labelled("busy")
    edit = ns.plan(now, idle + busy)
    assert edit.settled.dead["exc"].tolist() == [0, 1, 2] and edit.dropped == {"exc: killed though few are left": 4}
    free = ns.plan(now, ns.Events.kill("exc", [0, 1, 2, 3, 5]).labelled("free") + busy)
    assert free.settled.dead["exc"].tolist() == [0, 1, 2, 3, 5]
    inner = ns.Apoptosis("exc", floor=5, label="inner")
    waves = [ns.Extinction([inner], every=1, label="wave"), ns.Apoptosis("exc", floor=6, label="outer")]
    assert len(develop(now, ns.Phase("end", 2, waves)).circuit["exc"]) == 5
