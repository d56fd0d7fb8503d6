"""Presets: phases of development that are plain lists of rules."""

from dataclasses import replace

import numpy as np
import pytest
from life_data import NUMPY, recorded, rng
from scipy import stats

import neurosim as ns
from neurosim import presets
from neurosim.units import Hz, ms, nS, second

STDP = ns.load_synapse("stdp_pair").replace(w_max=2 * nS)
EXC = ns.create("exc", "leaky_conductance", 20)
LOOP = ns.connect(EXC, EXC, STDP, ns.FixedProbability(0.4), receptor="g_exc", weight=ns.Uniform(0 * nS, 2 * nS), delay=1 * ms, seed=2)
NOW = ns.Circuit([EXC], [LOOP], seed=3)
SCHEDULE = ns.pruning_schedule("decreasing", 0.5, 3, 2 * ms)
PHASES = [
    presets.proliferation("exc", 2, 30, 300 / second),
    presets.synaptogenesis(LOOP, 3, 5 * Hz, 900 / second),
    presets.critical_period(["exc_to_exc"], 2),
    presets.pruning("exc_to_exc", 3, SCHEDULE, weak=0.5),
    presets.adulthood("exc_to_exc", 3, 40 / second),
]


def test_a_life_of_all_presets():
    """Each phase does what it is there for, and nothing else."""
    history = ns.develop(
        NOW,
        ns.Lifecycle(2 * ms, PHASES),
        backend=NUMPY,
        progress=False,
        inputs=[ns.PoissonInput("exc", "g_exc", rate=2000 * Hz, weight=5 * nS)],
    )
    kinds = {
        phase: set(history.events["kind"][(history.events["epoch"] >= first) & (history.events["epoch"] <= last)])
        for phase, first, last in history.phases
    }
    assert kinds["proliferation"] == {"division"} and kinds["synaptogenesis"] <= {"link", "unlink"} and "link" in kinds["synaptogenesis"]
    assert kinds["critical period"] == set() and kinds["pruning"] == {"unlink"} and kinds["adulthood"] == {"link", "unlink"}
    cells, synapses = history.series("exc"), history.series("exc_to_exc")
    assert cells["size"].max() == 30
    adult = synapses["size"][-3:]
    assert len(set(adult)) == 1 and adult[0] < synapses["size"][5]
    assert (history.circuit["exc_to_exc"].synapses["weight"] <= 2e-9).all()


def test_phases_are_plain_lists_that_can_be_edited():
    death = ns.Apoptosis("exc", count=1)
    edited = replace(PHASES[0], name="growth", rules=[*PHASES[0].rules, death])
    assert edited.rules == [ns.Division("exc", hazard=300 / second, until=30, jitter=0.15), death]
    assert PHASES[2].rules == () and PHASES[2].modulate == {"exc_to_exc.learning": 1.0}


def test_phases_print_their_rules():
    text = str(ns.Lifecycle(2 * ms, PHASES))
    assert text.startswith("a life in epochs of 2. ms\nproliferation: 2 epochs\n  Division('exc', hazard=300. Hz, until=30, jitter=0.15)\n")
    assert (
        "adulthood: 3 epochs\n  Rewiring('exc_to_exc', prune=Everyone(), hazard=40. Hz, regrow=Growth(Total()), weight=0.05)\n  exc_to_exc.learning = 0.05"
        in text
    )
    assert "critical period: 2 epochs\n  exc_to_exc.learning = 1.0\n" in text
    assert "WeightBelow(0.5)" in text and "hazard=Schedule([" in text


def test_pruning_takes_weak_synapses_alone():
    """Of synapses of half the weight, a schedule over three epochs that takes half leaves half; the strong all stay."""
    source, exc = ns.create("source", "spike_source", 200), ns.create("exc", "leaky_conductance", 20)
    weight = np.where(np.arange(200) % 2, 1.0, 0.05)[:, None] * np.ones((200, 20)) * nS
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=weight.ravel())
    now = ns.Circuit([source, exc], [into])
    phase = presets.pruning("source_to_exc", 3, SCHEDULE, weak=0.1)
    for epoch in range(3):
        ((_, rule),) = phase.labelled(epoch)
        now = ns.apply(now, rule(now, recorded(now, np.zeros(20, int), 2e-3), rng(epoch)))
    strong = now["source_to_exc"].synapses["weight"] > 0.5e-9
    assert strong.sum() == 2000 and stats.binomtest(int((~strong).sum()), 2000, 0.5).pvalue > 1e-3


def test_pruning_takes_idle_cells():
    _, death = presets.pruning("exc_to_exc", 1, 1 / second, population="exc", idle=0.4).rules
    counts = np.arange(20)  # of a mean of 9.5, so that 0 to 3 are below 0.4 of it
    assert death(NOW, recorded(NOW, counts), rng()).of("death", "exc")["cell"].tolist() == [0, 1, 2, 3]


def test_adult_turnover_is_balanced():
    (rule,) = presets.adulthood("exc_to_exc", 1, 100 / second).rules
    before = set(NOW["exc_to_exc"].ids.tolist())
    after = ns.apply(NOW, rule(NOW, recorded(NOW, np.zeros(20, int), 2e-3), rng(1)))["exc_to_exc"]
    lost = len(before - set(after.ids.tolist()))
    assert len(after) == len(before) and stats.binomtest(lost, len(before), 1 - np.exp(-0.2)).pvalue > 1e-3


@pytest.mark.parametrize(("phase", "message"), [
    (lambda: presets.proliferation("exc", 0, 30, 1 / second), r"phase 'proliferation' lasts 0 epochs"),
    (lambda: presets.proliferation("exc", 3, 30, -1 / second), r"hazard of Division in 'exc' is -1\. Hz; give a rate of 0 or more"),
    (lambda: presets.critical_period(["exc_to_exc"], 3, learning=0.0), r"with a learning of 0\.0 would leave every weight as it is; give a factor"),
    (lambda: presets.pruning("exc_to_exc", 5, SCHEDULE), r"has a schedule of 3 values, but the phase lasts 5 epochs"),
])  # fmt: skip
def test_mistakes_are_named(phase, message):
    with pytest.raises(ValueError, match=message):
        phase()


def test_a_name_for_a_projection_or_for_a_list_of_them_is_told():
    with pytest.raises(TypeError, match=r"synaptogenesis needs a projection, not 'exc_to_exc'; give the one that ns\.connect returned"):
        ns.presets.synaptogenesis("exc_to_exc", 3, 5 * Hz, 1 / second)
    with pytest.raises(TypeError, match=r"projections that learn are 'exc_to_exc'; give a list of names, \['exc_to_exc'\]"):
        ns.presets.critical_period("exc_to_exc", 3)
