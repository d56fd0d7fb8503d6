"""Critical periods: the study runs, a shut window lets nothing through, and deprivation takes correlation alone from an eye."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim.units import Hz, ms

study = study_fixture("critical_period")
DURATION = 0.3  # s


def test_the_study_runs_at_its_smallest_scale(tmp_path):
    done = run_study("critical_period", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "critical_period"
    found = json.loads((folder / "results.json").read_text())
    kinds = [f"{name}: {shift}" for name in ("matures, pruned", "as many by chance") for shift in ("none", "middle")]
    assert list(found["lives"]) == kinds and list(found["growth"]) == ["fast", "medium", "slow"]
    assert all(found["lives"][kind][0]["shift"] == 0 for kind in kinds if kind.endswith("none"))
    peaks = [found["growth"][speed][0]["peak"] for speed in ("fast", "medium", "slow")]
    assert peaks[0] > peaks[1] > peaks[2] > 0
    assert "minus no shift" in done.stdout and "minus slow" in done.stdout
    for figure in ("critical_period", "growth"):
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
        with open(folder / f"{figure}.csv", newline="", encoding="utf-8") as file:
            assert len(list(csv.DictReader(file))) > 4


def brief(study):
    """A plan in which cells of few inputs fire, and learn, within some hundred time steps."""
    return replace(study.SMOKE, cells=2, inputs=4)


def learned(study, circuit, learning, deprived, monkeypatch):
    """Simulate with volleys at 20 Hz and return the weights from the eyes."""
    monkeypatch.setattr(study, "VOLLEYS", 20.0)
    plan = brief(study)
    seen, _ = study.vision(plan, np.random.default_rng(0), float(circuit.time), DURATION, deprived)
    spontaneous = ns.PoissonSpikes("eyes", study.SPONTANEOUS * Hz)
    modulate = {"eyes_to_exc.learning": learning}
    circuit, recording = ns.simulate(circuit, DURATION * 1e3 * ms, modulate=modulate, **plan.options(spontaneous, seen))
    assert recording["exc"].counts.min() > 0  # so that there is something to learn from
    return np.asarray(circuit["eyes_to_exc"].weight)


def test_a_shut_window_leaves_weights_as_they_are_whatever_is_seen(study, monkeypatch):
    """Bit for bit where nothing normalises; normalised weights have their sum from the first interval on, and keep their proportions."""
    circuit = study.network(brief(study), 1, study.MATURE)
    before = np.asarray(circuit["eyes_to_exc"].weight)
    shut = [learned(study, circuit, 0.0, deprived, monkeypatch) for deprived in ((), (0,))]
    assert shut[0].tobytes() == shut[1].tobytes()
    post = circuit["eyes_to_exc"].synapses["post"]
    normalised = before * (float(study.TOTAL) / np.bincount(post, before))[post]
    np.testing.assert_allclose(shut[0], normalised, rtol=1e-12)
    open_ = [learned(study, circuit, 1.0, deprived, monkeypatch) for deprived in ((), (0,))]  # the control
    assert np.abs(open_[0] / normalised - 1).max() > 1e-3 and np.abs(open_[0] - open_[1]).max() > 1e-3 * normalised.max()

    projection = circuit["eyes_to_exc"]
    free = circuit.updated({"eyes_to_exc": replace(projection, synapse=projection.synapse.replace(normalise=None))})
    assert learned(study, free, 0.0, (0,), monkeypatch).tobytes() == before.tobytes()


def spikes_of(seen, plan):
    """The time steps of the spikes of each input."""
    steps = np.round(np.asarray(seen.times) / (plan.dt * 1e-3)).astype(int)
    return [np.sort(steps[np.asarray(seen.spikes) == cell]) for cell in range(2 * plan.inputs)]


@pytest.mark.parametrize("deprived", [(0,), (1,), (0, 1)])
def test_deprivation_takes_nothing_but_the_correlation(study, deprived):
    plan, duration = study.PLANS["full"], 60.0
    normal, other = (study.vision(plan, np.random.default_rng(3), 5.0, duration, eyes) for eyes in ((), deprived))
    assert normal[1].tobytes() == other[1].tobytes()
    trains = [spikes_of(seen, plan) for seen, _ in (normal, other)]
    together = []
    for cell, (one, two) in enumerate(zip(*trains, strict=True)):
        assert len(one) == len(two)  # as many spikes of every input
        if cell // plan.inputs in deprived:
            since = two[:, None] * plan.dt * 1e-3 - normal[1]
            together.append(np.mean(((since > 0) & (since < study.RESPONSE)).any(axis=1)))
        else:
            assert one.tolist() == two.tolist()
    covered = study.VOLLEYS * study.RESPONSE  # of all times, at most
    assert np.mean(together) < 2 * covered
    since = np.concatenate(trains[0])[:, None] * plan.dt * 1e-3 - normal[1]  # the control: with sight all are in volleys
    assert ((since > 0) & (since < study.RESPONSE)).any(axis=1).all()
    assert min(map(min, trains[1])) * plan.dt * 1e-3 >= 5.0 and max(map(max, trains[1])) * plan.dt * 1e-3 <= 5.0 + duration


def test_the_same_is_seen_in_all_lives_of_a_seed(study):
    plan = study.PLANS["full"]
    first, again, other = (study.vision(plan, np.random.default_rng([seed, 2]), 0.0, 60.0, ()) for seed in (1, 1, 2))
    assert first[1].tobytes() == again[1].tobytes() and len(first[1]) != len(other[1])
    assert len(first[1]) == pytest.approx(60, abs=4 * np.sqrt(60))


def test_lives_are_summed_up_beside_the_one_without_a_shift(study):
    """By hand: four epochs of one stage each and a fifth; the shift in the second."""
    plan = replace(study.SMOKE, epochs=1, seconds=2.0, cells=4)
    life = {
        "dominance": [0.0, 0.4, 0.3, 0.2, 0.1],
        "spikes": [2.0, 4.0, 2.0, 2.0, 2.0],
        "evoked": [0.0, 3.0, 2.0, 2.0, 2.0],
        "synapses": [80, 80, 60, 40, 40],
    }
    unshifted = life | {"dominance": [0.01, 0.02, 0.03, 0.02, 0.02]}
    lived = {"none": unshifted, "middle": life, "late": life}
    found = study.summary(lived, "middle", plan)
    assert found["shift"] == pytest.approx(0.38) and found["lasting"] == pytest.approx(0.08)
    assert found["rate (Hz)"] == 2.0 and found["evoked share"] == 0.75 and found["lost"] == 0.5
    assert study.summary(lived, "none", plan)["shift"] == 0
    assert study.summary(lived, "late", plan)["shift"] == pytest.approx(0.27)
