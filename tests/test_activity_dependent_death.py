"""Death in a window and its dependence on activity: signs that are published, each beside a null without them; the study of survival."""

from dataclasses import dataclass

import numpy as np
import pytest
from life_data import circuit, develop, recorded, rng
from scipy import stats
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim.recording import PartRecording, Recording
from neurosim.units import Hz, ms, nS, pA, second

# --- activity: groups of one population, alike but for one thing each --------------------------------------------------

SIZE, EPOCHS, EPOCH = 200, 4, 200 * ms
AREAS = {"area 0": 60, "area 1": 80, "area 2": 100, "area 3": 130}  # Hz of drive: motor to sensory
OTHERS = {"spared": 130, "depolarised": 60, "few inputs": 60, "some inputs": 60, "many inputs": 60}
INPUTS = {"few inputs": 1, "some inputs": 3, "many inputs": 6}  # excitatory synapses onto each cell
GROUPS = [*AREAS, *OTHERS]
LEVEL = 20 * Hz


def members(*groups):
    """The ids of the founders of some groups."""
    return np.concatenate([np.arange(SIZE) + SIZE * GROUPS.index(group) for group in groups])


def tissue():
    """Cells that differ in their drive only, but for some that cells of another population excite."""
    pyramidal = ns.create("pyramidal", "leaky_conductance", 40, sign="excitatory")
    cells = ns.create("cells", "leaky_conductance", SIZE * len(GROUPS))
    pairs = [(source, cell) for group, number in INPUTS.items() for cell in members(group) for source in (cell + np.arange(number)) % 40]
    excite = ns.connect(pyramidal, cells, "static", ns.Pairs(*np.transpose(pairs)), receptor="g_exc", weight=2 * nS, delay=1 * ms)
    return ns.Circuit([pyramidal, cells], [excite], seed=2)


def drive(deprived=()):
    rates = np.repeat(np.array([*AREAS.values(), *OTHERS.values()], dtype=float), SIZE)
    rates[members(*deprived) if deprived else []] = 60
    return [
        ns.PoissonInput("cells", "g_exc", rate=rates * Hz, weight=4 * nS),
        ns.PoissonInput("pyramidal", "g_exc", rate=100 * Hz, weight=4 * nS),
        ns.StepCurrent("cells", "I_e", 60 * pA, start=EPOCH, stop=3 * EPOCH, cells=members("depolarised")),
    ]


@dataclass(frozen=True)
class Shuffled:
    """A rule that sees each cell with the spike count of another one, at random."""

    rule: object

    def __call__(self, circuit, recording, rng):
        part = recording["cells"]
        seen = PartRecording("cells", float(recording.duration), part.ids, rng.permutation(part.counts))
        return self.rule(circuit, Recording({"cells": seen}, recording.start_step, recording.stop_step, recording.dt_si), rng)


IDLE = ns.Apoptosis("cells", ns.RateBelow(LEVEL), hazard=2 / second)
BUSY = ns.Apoptosis("cells", ns.RateAbove(LEVEL), hazard=2 / second)


def lived(rule, deprived=()):
    """Let the groups live through a window of death."""
    life, backend = ns.Lifecycle(EPOCH, [ns.Phase("window", EPOCHS, [rule])]), ns.Brian2(dt=1 * ms, target="numpy")
    return ns.develop(tissue(), life, inputs=drive(deprived), backend=backend, progress=False)


def lost(history):
    """How many of each group died."""
    dead = np.setdiff1d(history.start["cells"].ids, history.circuit["cells"].ids)
    return dict(zip(GROUPS, np.bincount(dead // SIZE, minlength=len(GROUPS)).tolist(), strict=True))


def differ(*counts):
    """The probability of such different deaths in groups of one size, were they alike."""
    return stats.chi2_contingency([counts, [SIZE - count for count in counts]]).pvalue


@pytest.fixture(scope="module")
def lives():
    return {"idle die": lived(IDLE), "null": lived(Shuffled(IDLE)), "busy die": lived(BUSY)}


@pytest.fixture(scope="module")
def deaths(lives):
    return {name: lost(history) for name, history in lives.items()}


def test_apoptosis_falls_with_activity_across_areas(deaths):
    """Density of apoptosis correlates negatively with the activity of areas (Blanquie et al. 2017, doi:10.7554/eLife.27696)."""
    found, null, opposite = ([deaths[life][area] for area in AREAS] for life in ("idle die", "null", "busy die"))
    assert all(np.diff(found) < 0) and differ(*found) < 1e-6
    assert differ(*null) > 0.05 and sum(null) > 100
    assert all(np.diff(opposite) > 0) and differ(*opposite) < 1e-6


@pytest.mark.parametrize(("rule", "sign"), [(IDLE, 1), (BUSY, -1)], ids=["idle die", "busy die"])
def test_deprivation_raises_apoptosis_in_its_area(lives, deaths, rule, sign):
    """More apoptotic cells in the area whose sense is deprived (Blanquie et al. 2017); fewer where activity kills."""
    before = deaths["idle die" if sign > 0 else "busy die"]
    assert differ(before["area 3"], before["spared"]) > 0.05
    found = lost(lived(rule, deprived=["area 3"]))
    assert sign * (found["area 3"] - found["spared"]) > 0 and differ(found["area 3"], found["spared"]) < 1e-6
    assert differ(found["spared"], before["spared"]) > 0.05


def test_without_its_own_activity_no_area_suffers_from_its_deprivation():
    found = lost(lived(Shuffled(IDLE), deprived=["area 3"]))
    assert differ(found["area 3"], found["spared"]) > 0.05 and found["spared"] > 20


def test_brief_depolarisation_raises_survival(lives, deaths):
    """A transient depolarisation improves survival, cell by cell (Denaxa et al. 2018, doi:10.1016/j.celrep.2018.01.064)."""
    found, null, opposite = ((deaths[life]["depolarised"], deaths[life]["area 0"]) for life in ("idle die", "null", "busy die"))
    assert found[0] < found[1] and differ(*found) < 1e-3
    assert differ(*null) > 0.05
    assert opposite[0] > opposite[1] and differ(*opposite) < 1e-3


def test_more_excitatory_input_lets_more_interneurons_survive(lives, deaths):
    """Survival follows the activity of the pyramidal cells that excite them (Wong et al. 2018, doi:10.1038/s41586-018-0139-6)."""
    found, null, opposite = ([deaths[life][group] for group in INPUTS] for life in ("idle die", "null", "busy die"))
    assert all(np.diff(found) < 0) and differ(*found) < 1e-6
    assert differ(*null) > 0.05
    assert all(np.diff(opposite) > 0) and differ(*opposite) < 1e-6


# --- death in a window, after an overshoot ------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.4, 0.5])
def test_the_fraction_that_is_asked_for_dies_in_a_window(fraction):
    """40 % of interneurons (Southwell et al. 2012, doi:10.1038/nature11523), up to 50 % of neurons (Blanquie et al. 2017)."""
    window, start = 0.4 * second, ns.Circuit([ns.create("exc", "leaky", 4000)])

    def died(hazard):
        now = start
        for epoch in range(4):
            now = ns.apply(now, ns.Apoptosis("exc", hazard=hazard)(now, recorded(now, np.zeros(len(now["exc"]), dtype=int)), rng(epoch)))
        return stats.binomtest(4000 - len(now["exc"]), 4000, fraction).pvalue

    assert died(-np.log(1 - fraction) / window) > 0.05
    assert died(fraction / window) < 1e-6  # the control: as if none had died before


def test_death_ends_at_the_ratio_that_is_asked_for():
    """Interneurons are about 1 in 6 of adult neurons; here a floor says so, however many there were and whatever the hazard."""
    for overshoot, hazard in ((30, 5), (60, 20)):
        now = ns.Circuit([ns.create("pyramidal", "leaky", 100), ns.create("exc", "leaky", overshoot)])
        for epoch in range(20):
            rule = ns.Apoptosis("exc", ns.Everyone(), hazard=hazard / second, floor=20)
            now = ns.apply(now, rule(now, recorded(now, np.zeros(len(now["exc"]), dtype=int)), rng(epoch)))
            assert len(now["exc"]) >= 20
        assert len(now["exc"]) / (len(now["exc"]) + len(now["pyramidal"])) == 1 / 6


@pytest.fixture(scope="module")
def window():
    """A life in which many die in a window, while synapses grow until its end."""
    grow = ns.Rewiring("loop", regrow=4 / second, weight=1 * nS, delay=1 * ms)
    die = ns.Apoptosis("exc", ns.RateBelow(1.0), hazard=50 / second)
    phases = [ns.Phase("birth", 2, [grow]), ns.Phase("window", 3, [die, grow]), ns.Phase("after", 3, [grow])]
    return develop(circuit(60), *phases, epoch=10 * ms, record=[ns.Spikes("exc")])


def ends(history):
    """The epoch at the end of which each founder died; far in the future for the living."""
    lineage = history.lineage[history.lineage["population"] == "exc"]
    assert (lineage["id"] == np.arange(60)).all()
    return np.where(lineage["death"] < 0, 10**6, lineage["death"])


def test_cells_die_in_the_window_only(window):
    died = ends(window)
    first, last = next(span[1:] for span in window.phases if span[0] == "window")
    assert set(died) <= {*range(first, last + 1), 10**6} and 10 < (died <= last).sum() < 50
    rows = window.events[window.events["kind"] == "death"]
    assert len(rows) == (died <= last).sum() and (rows["value"] < rows["threshold"]).all()


def test_the_dead_never_spike(window):
    spikes, died = window.recording["exc"].spikes, ends(window)
    at = died[spikes.id] * 100  # steps of 0.1 ms in an epoch of 10 ms
    assert (spikes.step < at).all() and (at < 8 * 100).sum() > 10 and (spikes.step > 5 * 100).sum() > 10


def test_the_dead_never_get_synapses(window):
    synapses, died = window.synapses("loop"), ends(window)
    end = np.minimum(died[synapses["pre"]], died[synapses["post"]])
    assert (synapses["birth"] < end).all()
    assert (np.where(synapses["death"] < 0, 10**6, synapses["death"]) == end).all()
    assert set(range(1, 9)) <= set(synapses["birth"].tolist()) and (end < 10**6).sum() > 100


def test_synapses_of_survivors_are_as_they_were(window):
    now, died = window.circuit, ends(window)
    for name in ("loop", "into"):
        before, after = window.start[name].synapses, now[name].synapses
        stay = died[before["post"]] == 10**6
        if name == "loop":
            stay &= died[before["pre"]] == 10**6
        assert 50 < stay.sum() < len(stay)
        kept = np.isin(after["id"], before["id"])
        for column, values in before.items():
            assert after[column][kept].tobytes() == values[stay].tobytes(), (name, column)


# --- the study ----------------------------------------------------------------------------------------------------------

study = study_fixture("interneuron_survival")


def test_the_null_of_the_study_is_blind_to_its_own_network(study):
    """As many die for each cell as are idle in another life, whatever the rates here."""
    now = ns.Circuit([ns.create("inh", "leaky", 4000)])
    rule, chance = study.RateShuffled((0.3,), 10 / second), 0.3 * (1 - np.exp(-1))

    def dead(counts):
        recording = Recording({"inh": PartRecording("inh", 0.1, now["inh"].ids, counts)}, 0, 1000, 1e-4)
        return rule(now, recording, rng(1)).of("death", "inh")["cell"].tolist()

    quiet = dead(np.zeros(4000, dtype=int))
    assert quiet == dead(np.arange(4000)) and stats.binomtest(len(quiet), 4000, chance).pvalue > 0.05
    assert stats.binomtest(len(quiet), 4000, 1 - np.exp(-1)).pvalue < 1e-6  # the control: were all judged idle


def test_the_study_at_its_smallest_scale(study, tmp_path):
    done = run_study("interneuron_survival", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "interneuron_survival"
    for kind in study.KINDS:
        assert any(line.startswith(kind) for line in done.stdout.splitlines())
        assert ns.load_history(folder / "lives" / "seed 0" / kind).epochs[-1].number == 3
    for figure in ("survival", "comparison"):
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG") and (folder / f"{figure}.csv").is_file()


@pytest.mark.slow
def test_final_inhibition_is_that_of_the_first_life_though_twice_as_many_were_born(study, tmp_path):
    """Within 10 % for each seed; the null ends with twice as many; more drive lets more survive."""
    found = [study.lives(seed, study.PLANS["full"], folder=tmp_path / str(seed), progress=lambda *_: None) for seed in range(2)]
    last = {kind: np.array([one[kind]["I:E"][-1] for one in found]) for kind in study.KINDS}
    relative = {kind: values / last[study.FIRST] for kind, values in last.items()}
    assert (abs(relative[study.DOUBLED] - 1) < 0.1).all() and last[study.FIRST].max() < 0.25  # of 0.3 and 0.6
    assert (abs(relative[study.NULL_DOUBLED] - 1) > 0.5).all() and relative[study.NULL_DOUBLED].mean() == pytest.approx(2, rel=0.15)
    assert relative[study.WEAKER].max() < 0.9 < 1.1 < relative[study.STRONGER].min()
