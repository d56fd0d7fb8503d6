"""Competition of synapses as in Song, Miller & Abbott 2000: cells fire as theory has it, weights divide and balance the input."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim import figures
from neurosim.units import Hz, ms, mV, nS, second

RATES = [10.0, 20.0, 40.0]


study = study_fixture("song_abbott")


def simulate(study, rates, duration, target, seed=0, **others):
    """Cells whose sources have the given rates (Hz); returns the circuit as it is then, and the recording."""
    circuit = study.network(study.Arm(rates[0], 1), len(rates), seed)
    inputs = [ns.PoissonSpikes("exc", np.repeat(rates, 1000) * Hz), ns.PoissonSpikes("inh", 10 * Hz)]
    return ns.simulate(circuit, duration, inputs=inputs, backend=ns.Brian2(dt=0.1 * ms, target=target), progress=False, **others)


# --- against theory --------------------------------------------------------------------------------------------------------


def test_each_cell_has_sources_of_its_own(study):
    circuit = study.network(study.Arm(10, 1), 3, 0)
    for name, size, weight in (("exc", 1000, 0.15), ("inh", 200, 0.5)):
        synapses = circuit[f"{name}_to_cell"].synapses
        assert np.bincount(synapses["post"]).tolist() == [size] * 3 and len(np.unique(synapses["pre"])) == 3 * size
        np.testing.assert_allclose(synapses["weight"], weight * float(nS), rtol=1e-12)


def test_cells_that_do_not_learn_fire_at_the_rate_of_their_mean_conductance(study):
    """With all weights at their bound conductances hardly vary: the closed form of a leaky cell under steady ones (Lapicque 1907).

    In units of the leak the mean is count * rate * tau_syn * peak. A spike waits half a step on average for the end of its step.
    """
    rates = np.repeat(RATES, 4)
    exc, inh = 1000 * rates * 5e-3 * 0.015, 200 * 10 * 5e-3 * 0.05
    goal, tau = -70 * (1 + inh) / (1 + exc + inh), 20e-3 / (1 + exc + inh)
    expected = 1 / (tau * np.log((goal + 60) / (goal + 54)) + 0.05e-3)
    after, recording = simulate(study, rates, 200 * ms, "numpy", modulate={"exc_to_cell.learning": 0.0})
    trains = [times[times > 50 * ms] for times in ns.measures.spike_trains(recording, "cell").values()]
    found = np.array([float((len(train) - 1) / (train[-1] - train[0])) for train in trains])
    np.testing.assert_allclose(found.reshape(3, 4).mean(axis=1), expected[::4], rtol=0.04)
    assert (after["exc_to_cell"].synapses["weight"] == float(study.STRONGEST)).all()


def test_weights_fall_until_the_mean_input_lies_just_below_threshold(study):
    """A cell that is depressed more than potentiated by chance, and fires irregularly in the end, has a mean potential near threshold.

    That takes the mean weight, as a share of the largest, to (leak and inhibition at threshold) / (excitation at threshold of
    weights 1): half of it at twice the input rate. Song et al. 2000 call this the balance that the rule brings about.
    """
    rates = np.array([20.0, 40.0])
    after, recording = simulate(study, rates, 60 * second, "library")
    mean = study.shares(after["exc_to_cell"].weight, 2).mean(axis=1)
    threshold = (70 - 54) * (1 + 200 * 10 * 5e-3 * 0.05) / (54 * 1000 * rates * 5e-3 * 0.015)
    assert threshold == pytest.approx([0.296, 0.148], abs=0.001)
    assert (mean / threshold > 0.85).all() and (mean / threshold < 1).all()
    late = recording["cell"].spikes.t > 50 * second
    counts = np.bincount(recording["cell"].spikes.id[late], minlength=2)
    assert (counts > 10).all() and (counts < 10 * 40).all()  # of 530 and 1190 Hz in the beginning


# --- against another program ---------------------------------------------------------------------------------------------

# Weak, neither, strong; rate (Hz); from a program for the same equations that shares nothing with this one, means of 3 seeds.
REFERENCE = {10: ([0.40, 0.08, 0.52], 13.7), 20: ([0.69, 0.10, 0.21], 14.1), 40: ([0.86, 0.04, 0.09], 17.9)}
EARLY = [0.19, 0.49, 0.32]  # at 10 Hz after 600 s
IRREGULAR = 0.81  # CV at 10 Hz


def means(found, names):
    return [np.mean(found[name]) for name in names]


@pytest.mark.slow
@pytest.mark.parametrize("rate", REFERENCE)
def test_weights_divide_at_full_length(study, rate, tmp_path):
    plan, (parts, output) = study.PLANS["full"], REFERENCE[rate]
    found = study.learn(plan.arms()[f"{rate} Hz"], 3, 0, plan, folder=tmp_path / "life", progress=False)
    *divided, fired, cv = means(found, study.COLUMNS)
    assert divided == pytest.approx(parts, abs=0.05) and fired == pytest.approx(output, abs=2)
    others = [other for other in REFERENCE if other != rate]
    assert all(divided != pytest.approx(REFERENCE[other][0], abs=0.05) for other in others)  # the control
    if rate == 10:
        assert cv == pytest.approx(IRREGULAR, abs=0.05)
        early = means(found["early"], study.COLUMNS[:3])
        assert early == pytest.approx(EARLY, abs=0.05) and early != pytest.approx(parts, abs=0.05)


@pytest.mark.slow
def test_controls_at_full_length(study, tmp_path):
    plan = study.PLANS["full"]
    names = "40 Hz, weak depression", "40 Hz, no learning"
    weak, none = (study.learn(plan.arms()[name], 3, 0, plan, folder=tmp_path / name, progress=False) for name in names)
    assert np.mean(weak["w > 0.8"]) > 0.95 and np.mean(weak["w < 0.2"]) < 0.01
    assert none["moved"] == 0 and weak["moved"] > 0


# --- the study -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def conducted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("song")
    done = run_study("song_abbott", "--scale", "smoke", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "results" / "song_abbott", done.stdout


def test_the_study_prints_its_table_and_keeps_its_lives(conducted):
    folder, printed = conducted
    found = json.loads((folder / "results.json").read_text())
    assert list(found) == ["40 Hz", "40 Hz, weak depression", "40 Hz, no learning"]
    assert found["40 Hz, no learning"]["moved"] == 0 < found["40 Hz"]["moved"]
    assert "40 Hz, no learning: 0 of 1000 weights have moved" in printed
    history = ns.load_history(folder / "lives" / "40 Hz")
    weights = history.recording["exc_to_cell"].trace("weight")
    assert weights.si.shape == (1000, 2) and (weights.si[:, 0] == 0.15e-9).all()


@pytest.mark.parametrize("figure", ["competition", "rates", "potentials"])
def test_every_figure_comes_with_its_data(conducted, figure):
    assert (conducted[0] / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    with open(conducted[0] / f"{figure}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 2 and len({len(row) for row in rows}) == 1


def test_arms_differ_in_what_they_are_called_by(study):
    arms = study.PLANS["full"].arms()
    fast = arms["40 Hz"]
    assert arms["40 Hz, half the dt"] == replace(fast, dt=0.05) and fast.ratio == 1.05
    assert arms["40 Hz, weak depression"].ratio < 1 and arms["40 Hz, no learning"].learning == 0
    assert [arms[f"{rate} Hz"].duration for rate in REFERENCE] == [3500, 1000, 1000]


# --- its figure ------------------------------------------------------------------------------------------------------------


def test_the_figure_of_competition_shows_what_it_is_given():
    rng = np.random.default_rng(3)
    weights = rng.uniform(0, 0.15, (200, 9))
    figure = figures.competition({"one": (np.arange(9) * second, weights * nS), "two": (np.arange(9) * second, weights[::-1] / 2 * nS)})
    data = {header: np.asarray(column) for header, column in figure.data.items()}
    value, start = data["value (nS or fraction)"], data["time (s) or start of bin (nS)"]
    lines = data["panel"] == "over time"
    drawn = np.unique(data["synapse"][lines & (data["name"] == "one")])
    assert len(drawn) == 14 and drawn[0] == 0 and drawn[-1] == 199
    of_last = lines & (data["name"] == "one") & (data["synapse"] == 199)
    np.testing.assert_allclose(value[of_last], weights[199], rtol=1e-12)
    for name, last in (("one", weights[:, -1]), ("two", weights[::-1, -1] / 2)):
        bins = ~lines & (data["name"] == name)
        assert value[bins].sum() == pytest.approx(1) and bins.sum() == 20
        assert value[bins] == pytest.approx([np.mean((last >= a) & (last < a + 0.15 / 20)) for a in start[bins]], abs=0.02)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["one", "two", "", ""]
    assert figure.axes[0].get_ylabel() == "weight (nS)" and figure.axes[2].get_ylabel() == "fraction of synapses"


TIMES = np.arange(3) * second
WRONG = {
    "no condition": ({}, "give one or more"),
    "other units": ({"a": (TIMES, np.ones((2, 3)) * nS), "b": (TIMES, np.ones((2, 3)) * mV)}, "all in one unit"),
    "other samples": ({"a": (TIMES, np.ones((2, 4)) * nS)}, r"'a' has 3 times and weights of shape \(2, 4\)"),
    "one synapse": ({"a": (TIMES, np.ones(3) * nS)}, r"shape \(synapses, samples\)"),
    "no synapse": ({"a": (TIMES, np.ones((0, 3)) * nS)}, r"weights of shape \(0, 3\)"),
    "below 0": ({"a": (TIMES, -np.ones((2, 3)))}, "has the weight -1; give weights of 0 or more"),
}


@pytest.mark.parametrize("slip", WRONG)
def test_what_cannot_be_drawn_is_refused(slip):
    conditions, words = WRONG[slip]
    with pytest.raises(ValueError, match=words):
        figures.competition(conditions)
