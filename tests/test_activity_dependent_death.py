"""Death in a window and its dependence on activity: signs that are published, each beside a null without them; the study of survival."""

from dataclasses import dataclass

import numpy as np
import pytest
from life_data import NUMPY, recorded, rng
from scipy import stats
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim.recording import PartRecording, Recording
from neurosim.units import Hz, ms, nS, pA, second

# --- activity: groups of one population, alike but for one thing each --------------------------------------------------

SIZE, EPOCHS, EPOCH = 100, 4, 200 * ms
AREAS = {"area 0": 100, "area 1": 140, "area 2": 180, "area 3": 240}  # Hz of drive: motor to sensory
OTHERS = {"spared": 240, "depolarised": 100, "few inputs": 60, "some inputs": 60, "many inputs": 60}
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
    excite = ns.connect(pyramidal, cells, "static", ns.Pairs(*np.transpose(pairs)), receptor="g_exc", weight=3 * nS, delay=1 * ms)
    return ns.Circuit([pyramidal, cells], [excite], seed=2)


def drive(deprived=()):
    rates = np.repeat(np.array([*AREAS.values(), *OTHERS.values()], dtype=float), SIZE)
    rates[members(*deprived) if deprived else []] = 100
    return [
        ns.PoissonInput("cells", "g_exc", rate=rates * Hz, weight=4 * nS),
        ns.PoissonInput("pyramidal", "g_exc", rate=200 * Hz, weight=4 * nS),
        ns.StepCurrent("cells", "I_e", 60 * pA, start=EPOCH, stop=2 * EPOCH, cells=members("depolarised")),
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
