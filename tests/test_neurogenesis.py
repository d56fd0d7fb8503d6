"""Births without a mother: neurogenesis with a window in which to become active, inputs that grow, and differentiation."""

import numpy as np
import pytest
from life_data import NOISE, circuit, develop, recorded, rng
from model_texts import CELL, load_text
from scipy import stats

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.units import Hz, mm, ms, mV, nS, second, um

SILENT = np.zeros(8, dtype=int)
SQUARE = (ns.Uniform(0 * um, 100 * um), ns.Uniform(0 * um, 100 * um), 0 * um)


def born(rule, now, seed=0, counts=SILENT, duration=1.0):
    return rule(now, recorded(now, counts, duration), rng(seed)).of("birth", rule.population)


# --- neurogenesis ----------------------------------------------------------------------------------------------------


def test_births_have_their_number():
    now = circuit()
    assert len(born(ns.Neurogenesis("exc", count=3), now)) == 3
    assert len(born(ns.Neurogenesis("exc", count=3, until=10), now)) == 2 and not len(born(ns.Neurogenesis("exc", count=3, until=7), now))
    sizes = np.array([len(born(ns.Neurogenesis("exc", rate=4 * Hz), now, seed, duration=0.5)) for seed in range(600)])
    expected = stats.poisson(2).pmf(np.arange(5)) * 600
    observed = np.bincount(np.minimum(sizes, 4), minlength=5)
    assert stats.chisquare(observed, np.append(expected[:4], 600 - expected[:4].sum())).pvalue > 1e-3
    slow = ns.Neurogenesis("exc", rate=4 * Hz).rescaled(2)
    assert slow.rate == 2 * Hz and ns.Neurogenesis("exc", count=3).rescaled(2) == ns.Neurogenesis("exc", count=3)
    assert not len(born(ns.Neurogenesis("exc", rate=0 * Hz), now))


def test_newborn_cells_begin_without_a_mother_or_a_synapse_in_their_first_state():
    now = circuit().set("exc", v=-53 * mV)
    after = ns.apply(now, ns.Neurogenesis("exc", count=4)(now, recorded(now, SILENT), rng())).updated({}, epoch=1)
    new = after["exc"].ids[8:]
    assert len(new) == 4 and (after["exc"].cells["parent"][8:] == -1).all() and (after["exc"].cells["birth"][8:] == 1).all()
    assert after["exc"].v[8:] / mV == pytest.approx([-60] * 4) and (after["exc"].v[:8] == now["exc"].v).all()
    assert np.isnan(after["exc"].position[8:]).all()
    for name in ("loop", "into"):
        assert after[name].synapses == now[name].synapses
    # the control: a projection that wires newborn cells
    wired = ns.Circuit(list(now.populations.values()), [now["loop"], now["into"].replace(newborn="wire")])
    assert len(ns.apply(wired, ns.Neurogenesis("exc", count=4)(wired, recorded(wired, SILENT), rng()))["into"]) == len(now["into"]) + 8


@pytest.mark.parametrize("size", [3, None])
def test_newborn_cells_draw_what_every_cell_has_of_its_own(size, tmp_path):
    spread = {"E_L": ns.Normal(-49 * mV, 1 * mV), "V_th": ns.Uniform(-45 * mV, -40 * mV)}
    now = ns.Circuit([ns.create("exc", "leaky_conductance", size, spread=spread)])
    born = ns.Events.bear("exc", 500, rng=rng())
    cells = ns.apply(now, born)["exc"].cells
    for name, law in (("E_L", stats.norm(-0.049, 0.001)), ("V_th", stats.uniform(-0.045, 0.005))):
        assert stats.kstest(cells[name][-500:], law.cdf).pvalue > 0.001
    assert (cells["v"][-500:] == cells["E_L"][-500:]).all()  # the first state is that of their own parameters
    again = ns.load_circuit(ns.save_circuit(now, tmp_path / "circuit.npz"))
    assert ns.apply(again, born)["exc"].cells == cells
    young = ns.Maturation("exc", "E_L", ages=[0, 4], values=[-60, -49] * mV)
    assert (ns.apply(begun(now, [young]), born)["exc"].E_L[-500:] == -60 * mV).all()
    one_by_one = ns.create("exc", "leaky_conductance", 2, spread={"E_L": [-50, -40] * mV})  # the control: nothing to draw from
    assert (ns.apply(ns.Circuit([one_by_one]), born)["exc"].E_L[-500:] == -60 * mV).all()


def test_newborn_cells_stand_where_they_are_put():
    exc = ns.create("exc", "leaky", 2, positions=[[0, 0, 0], [1, 1, 0]] * mm)
    now = ns.Circuit([exc])
    rule = ns.Neurogenesis("exc", count=2000, positions=SQUARE)
    rule.check(now)
    where = np.asarray(ns.apply(now, rule(now, recorded(now, [0, 0]), rng()))["exc"].position)[2:]
    assert stats.kstest(where[:, 0], stats.uniform(0, 1e-4).cdf).pvalue > 1e-3 and not where[:, 2].any()
    assert stats.kstest(where[:, 1], stats.uniform(0, 1e-4).cdf).pvalue > 1e-3 and abs(np.corrcoef(where[:, :2].T)[0, 1]) < 0.1
    with pytest.raises(ValueError, match="cells of 'exc' have positions and those that Neurogenesis adds would have none; give positions="):
        ns.Neurogenesis("exc", count=1).check(now)


WINDOW = ns.Apoptosis("gc", ns.Between(ns.Age(), 3, 5) & ns.RateBelow(1 * Hz), label="window")


def test_newborn_cells_die_unless_they_are_active_in_their_window():
    """Of cells of each age, silent and active, those die that are silent at an age of 3, 4 or 5 epochs."""
    ages, counts = np.repeat(np.arange(8), 2), np.tile([0, 9], 8)
    gc = ns.create("gc", "leaky", 16)
    now = ns.Circuit([gc]).updated({"gc": ns.create("gc", "leaky", 16)}, epoch=10)
    cells = now["gc"].cells.replace(birth=11 - ages)
    now = now.updated({"gc": type(gc)("gc", gc.model, cells, gc.parents, None, {})})
    part = ns.recording.PartRecording("gc", 1.0, gc.ids, counts)
    events = WINDOW(now, ns.Recording({"gc": part}, 0, 10000, 1e-4), rng()).of("death", "gc")
    assert sorted(events["cell"].tolist()) == [6, 8, 10]  # ages[6] is 3


def test_those_that_gain_synapses_survive():
    """Cells are born without synapses, gain some at random, and after their window only those are left that fire."""
    source, gc = ns.create("source", "spike_source", 3), ns.create("gc", "leaky_conductance", None)
    into = ns.connect(source, gc, "static", ns.FixedProbability(0.0), receptor="g_exc", weight=40 * nS)
    now = ns.Circuit([source, gc], [into.replace(name="into")], seed=4)
    rules = [ns.Neurogenesis("gc", count=3), ns.Rewiring("into", regrow=4 * Hz, weight=40 * nS, delay=1 * ms), WINDOW]
    drive = [ns.PoissonSpikes("source", 150 * Hz)]
    history = develop(now, ns.Phase("adult", 14, rules), inputs=drive, epoch=20 * ms)
    lineage = history.lineage[history.lineage["population"] == "gc"]
    dead = history.events[history.events["kind"] == "death"]
    assert len(lineage) == 3 * 14 and (dead["rule"] == "adult/window").all() and 3 < len(dead) < 36
    ended = lineage[lineage["death"] >= 0]
    assert set(ended["death"] - ended["birth"]) <= {3, 4, 5} and (dead["value"] <= 5).all()
    old = history.circuit["gc"].cells["birth"] <= 14 - 6
    with_synapse = np.isin(history.circuit["gc"].ids, history.circuit["into"].synapses["post"])
    assert old.sum() > 2 and with_synapse[old].all()
    unwired = develop(now, ns.Phase("adult", 9, [rules[0], WINDOW]), inputs=drive, epoch=20 * ms)
    assert unwired.circuit["gc"].cells["birth"].min() == 9 - 2  # the control: without synapses all die at the age of 3


# --- inputs that grow ------------------------------------------------------------------------------------------------


def inputs(newborn="wire"):
    source, exc = ns.create("source", "spike_source", 4), ns.create("exc", "leaky_conductance", 6)
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=6 * nS, delay=1 * ms)
    loop = ns.connect(exc, exc, "static", ns.FixedProbability(0.5), receptor="g_exc", weight=2 * nS, delay=1 * ms)
    return ns.Circuit([source, exc], [into.replace(name="into", newborn=newborn), loop.replace(name="loop")], seed=3)


def grown(*rules):
    """A life of four epochs in which inputs of 200 Hz drive cells; the history, the cells' spikes and their potentials."""
    drive = [ns.PoissonSpikes("source", 200 * Hz)]
    record = [ns.Spikes("exc"), ns.Spikes("source"), ns.Trace("exc", "v")]
    history = develop(inputs(), ns.Phase("one", 4, rules), inputs=drive, epoch=20 * ms, record=record)
    spikes = [list(zip(one["exc"].spikes.id, one["exc"].spikes.step, strict=True)) for one in history.recordings]
    potentials = [one["exc"].trace("v").si.tobytes() for one in history.recordings]
    return history, spikes, potentials


def test_new_inputs_change_nothing_downstream_until_they_have_weights():
    """Bit for bit, although they spike; with a strength of 1 all changes."""
    history, spikes, potentials = grown(ns.InputGrowth("source", count=2))
    now = history.circuit
    assert len(now["source"]) == 12 and len(now["into"]) == 72 and sum(map(len, spikes)) > 10
    weight = now["into"].synapses["weight"]
    assert (weight[:24] == float(6 * nS)).all() and not weight[24:].any()
    assert np.isin(history.recordings[-1]["source"].spikes.id, [4, 5]).any()
    _, without, unmoved = grown()
    assert spikes == without and potentials == unmoved
    _, strong, moved = grown(ns.InputGrowth("source", count=2, strength=1.0))
    assert strong != without and moved[0] == unmoved[0] != moved[1]  # the control


def test_old_synapses_keep_every_bit_where_inputs_grow():
    now = inputs()
    after = ns.apply(now, ns.InputGrowth("source", count=5, strength=0.5)(now, recorded(now, np.zeros(6, int)), rng()))
    old, new = now["into"].synapses, after["into"].synapses
    assert all(new[name][: len(old)].tobytes() == old[name].tobytes() for name in old)
    assert (new["weight"][len(old) :] == 0.5 * float(6 * nS)).all() and set(new["pre"][len(old) :]) == set(range(4, 9))


# --- differentiation -------------------------------------------------------------------------------------------------


def lineages(**more):
    stem = ns.create("stem", "leaky_conductance", 5, positions=np.arange(15).reshape(5, 3) * um, **more)
    gc = ns.create("gc", "adex", 2, positions=np.zeros((2, 3)) * um)
    loop = ns.connect(stem, gc, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS).replace(name="loop")
    return ns.Circuit([stem, gc], [loop])


def test_a_mother_bears_a_daughter_of_another_kind_and_stays_as_she_was():
    now = lineages(state={"v": np.linspace(-60, -52, 5) * mV})
    rule = ns.Differentiation("stem", "gc", ns.Everyone(), count=2)
    rule.check(now)
    part = ns.recording.PartRecording("stem", 1.0, now["stem"].ids, np.zeros(5, int))
    recording = ns.Recording({"stem": part}, 0, 10000, 1e-4)
    events = rule(now, recording, rng())
    table = events.of("birth", "gc")
    after = ns.apply(now, events)
    assert after["stem"].cells == now["stem"].cells and after["loop"].synapses == now["loop"].synapses
    assert (table["origin"] == "stem").all() and len(after["gc"]) == 4 and after["gc"].v[2:] / mV == pytest.approx([-70.6] * 2)
    mothers = now["stem"].rows(table["progenitor"])
    assert (np.asarray(after["gc"].position)[2:] == np.asarray(now["stem"].position)[mothers]).all()
    # the control: a division is not the same
    assert len(ns.apply(now, ns.Events.divide("stem", [0, 1], rng=rng()))["gc"]) == 2


def test_who_differentiates_how_often_and_until_when():
    now = lineages()
    part = ns.recording.PartRecording("stem", 0.1, now["stem"].ids, np.array([3, 0, 7, 1, 9]))
    recording = ns.Recording({"stem": part}, 0, 1000, 1e-4)
    for rule, mothers in (
        (ns.Differentiation("stem", "gc"), [0, 1, 2, 3, 4]),
        (ns.Differentiation("stem", "gc", ns.RateAbove(20 * Hz)), [0, 2, 4]),
        (ns.Differentiation("stem", "gc", ns.RateAbove(20 * Hz), count=2), [2, 4]),
        (ns.Differentiation("stem", "gc", ns.RateAbove(20 * Hz), until=3), [4]),
        (ns.Differentiation("stem", "gc", hazard=0 * Hz), []),
    ):
        assert sorted(rule(now, recording, rng()).of("birth", "gc")["progenitor"].tolist()) == mothers
    chosen = ns.Differentiation("stem", "gc", ns.RateAbove(20 * Hz))(now, recording, rng()).of("birth", "gc")
    assert chosen["value"].tolist() == [90, 70, 30] and (chosen["threshold"] == 20).all()
    many = ns.Circuit([ns.create("stem", "leaky", 2000), ns.create("gc", "leaky", None)])
    part = ns.recording.PartRecording("stem", 0.1, many["stem"].ids, np.zeros(2000, int))
    rule = ns.Differentiation("stem", "gc", hazard=4 / second)
    sizes = [len(rule(many, ns.Recording({"stem": part}, 0, 1000, 1e-4), rng(seed))) for seed in range(3)]
    assert stats.binomtest(sum(sizes), 6000, 1 - np.exp(-0.4)).pvalue > 1e-3 > stats.binomtest(sum(sizes), 6000, 0.4).pvalue


def test_a_newborn_matures_and_pays():
    """Rules combine: what differentiates has the energy of a first cell and the threshold of a young one."""
    exc = ns.create("exc", "leaky_conductance", 3, spread={"V_th": -50 * mV})
    now = ns.Circuit([ns.create("stem", "leaky", 2), exc])
    rules = [
        ns.Maturation("exc", "V_th", [0, 2], np.array([-56, -50]) * mV),
        ns.Energy("exc", 0 * Hz, first=7.0, costs={"per_time": 0 * Hz, "per_spike": 0, "per_event": 0}),
        ns.Differentiation("stem", "exc"),
    ]
    now = begun(now, rules)
    parts = {name: ns.recording.PartRecording(name, 1.0, now[name].ids, np.zeros(len(now[name]), int)) for name in ("stem", "exc")}
    now, _ = kept(now, ns.Recording(parts, 0, 10000, 1e-4), rules)
    after = ns.apply(now, rules[2](now, ns.Recording(parts, 0, 10000, 1e-4), rng()))
    assert after["exc"].V_th / mV == pytest.approx([-50, -50, -50, -56, -56]) and after["exc"].cells["energy"].tolist() == [7] * 5


# --- mistakes --------------------------------------------------------------------------------------------------------

MADE = {
    "neither": (lambda: ns.Neurogenesis("exc"), "Neurogenesis in 'exc' has neither of a rate and a count of births; give one of them"),
    "both": (lambda: ns.Neurogenesis("exc", rate=1 * Hz, count=1), "Neurogenesis in 'exc' has both of a rate and a count of births"),
    "negative rate": (lambda: ns.Neurogenesis("exc", rate=-1 * Hz), "rate of Neurogenesis in 'exc' is -1. Hz; give a rate of 0 or more"),
    "infinite rate": (lambda: ns.Neurogenesis("exc", rate=np.inf * Hz), "rate of Neurogenesis in 'exc' is infinite; give a finite rate"),
    "half a cell": (lambda: ns.Neurogenesis("exc", count=0.5), "count of Neurogenesis in 'exc' is 0.5 cells; give count=0 or more, a whole number"),
    "until": (lambda: ns.InputGrowth("exc", count=1, until=-3), "until of InputGrowth in 'exc' is -3 cells; give until=0 or more"),
    "positions": (lambda: ns.Neurogenesis("exc", count=1, positions=1 * um), r"positions of Neurogenesis in 'exc' are 1.*; give three, \(x, y, z\)"),
    "strength": (lambda: ns.InputGrowth("exc", count=1, strength=-1.0), "strength of births in 'exc' is -1.0; give 0 or more"),
    "itself": (lambda: ns.Differentiation("exc", "exc"), "Differentiation of 'exc' leads into 'exc' itself; use Division"),
    "both amounts": (lambda: ns.Differentiation("a", "b", hazard=1 * Hz, count=1), "Differentiation in 'a' has both a hazard and a count"),
    "end": (lambda: ns.Differentiation("a", "b", until=0), "Differentiation into 'b' stops at 0 cells; give until=1 or more"),
}  # fmt: skip


@pytest.mark.parametrize("slip", MADE)
def test_a_rule_that_cannot_be_made(slip):
    make, message = MADE[slip]
    with pytest.raises(ValueError, match=message):
        make()
    with pytest.raises(TypeError, match="rate of Neurogenesis in 'exc'"):
        ns.Neurogenesis("exc", rate=1 * mV)
    with pytest.raises(TypeError, match="x of births in 'exc'"):
        ns.Neurogenesis("exc", count=1, positions=(1 * mV, 1 * um, 1 * um))


def test_a_rule_that_does_not_fit(tmp_path):
    now = circuit()
    with pytest.raises(ValueError, match="rule Neurogenesis is about 'exd', which is not in the circuit. Did you mean 'exc'"):
        ns.Neurogenesis("exd", count=1).check(now)
    with pytest.raises(ValueError, match=r"would add inputs that reach no cell: of its projections \('into'\) none wires newborn cells"):
        ns.InputGrowth("source", count=1).check(now)
    with pytest.raises(ValueError, match=r"of its projections \(none\) none wires"):
        ns.InputGrowth("exc", count=1).check(ns.Circuit([now["exc"]]))
    ns.InputGrowth("source", count=1).check(inputs())
    with pytest.raises(ValueError, match="rule Differentiation is about 'stem', which is not in the circuit"):
        ns.Differentiation("exc", "stem").check(now)
    with pytest.raises(ValueError, match="rule Differentiation is about 'stem', which is not in the circuit"):
        ns.Differentiation("stem", "exc").check(now)
    with pytest.raises(ValueError, match="Differentiation of 'exc' into 'source': 'spike_source' is a source of spikes, not a cell"):
        ns.Differentiation("exc", "source").check(now)
    with pytest.raises(ValueError, match="Busy"):
        ns.Differentiation("exc", "other", ns.Above(ns.Value("Busy"), 1)).check(ns.Circuit([now["exc"], ns.create("other", "leaky", 1)]))
    other = load_text(
        tmp_path,
        CELL.replace("dw/dt = -w/tau_w : amp", "dw/dt = -w/tau_w : amp\ng_exc : volt").replace(
            'w = "0*amp"', 'w = "0*amp"\ng_exc = "0*mV"'
        ),
    )
    mixed = ns.Circuit([now["exc"], ns.create("other", other, 1)])
    with pytest.raises(
        ValueError, match="the state variable 'g_exc' is in siemens in 'leaky_conductance' and volt in 'mine'; rename it in one"
    ):
        ns.Differentiation("exc", "other").check(mixed)
    placed = ns.Circuit([ns.create("stem", "leaky", 2), ns.create("gc", "leaky", 1, positions=[[0, 0, 0]] * um)])
    with pytest.raises(ValueError, match="cells of 'gc' have positions and their mothers have none; create 'stem' with positions"):
        ns.Differentiation("stem", "gc").check(placed)
    with pytest.raises(ValueError, match="rule Neurogenesis is about 'gc'"):
        develop(now, ns.Phase("one", 1, [ns.Neurogenesis("gc", count=1)]), inputs=NOISE)
