"""Assemblies by homeostatic rewiring alone, as in Gallinaro & Rotter 2018: the study, what it counts, and its finding."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from study_scripts import run as run_study
from study_scripts import study_fixture

from neurosim import measures
from neurosim.units import second

study = study_fixture("homeostatic_assemblies")
CONDITIONS = ["stimulated", "random groups", "never stimulated", "rewired by chance"]


def test_the_study_runs(tmp_path):
    done = run_study("homeostatic_assemblies", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "homeostatic_assemblies"
    found = json.loads((folder / "results.json").read_text())
    assert list(found["ratios"]) == CONDITIONS
    assert found["means"]["between"]["before"] < found["means"]["between"]["end"]  # synapses have grown
    for suffix in ("png", "pdf", "csv"):
        assert (folder / f"homeostatic_assemblies.{suffix}").is_file()
    assert "not powered (1 of 10 pairs)" in done.stdout


class Recorded(dict):
    """Stand in for a recording of 2 s."""

    duration = 2 * second


def measured(study, pre, post, counts):
    """What the study measures of cells with these synapses and spikes; of 40 cells 0 to 3 are the first group."""
    circuit = {"exc_to_exc": SimpleNamespace(synapses={"pre": np.array(pre), "post": np.array(post)})}
    return study.meter(study.Plan(cells=len(counts)), 0)(circuit, Recorded(exc=SimpleNamespace(counts=np.array(counts))))


def test_synapses_are_counted_per_pair(study):
    """Within four cells there are 12 pairs, from and to the 36 others 288; a second synapse of a pair counts again."""
    found = measured(study, [0, 0, 1, 3, 9, 20, 30], [1, 1, 2, 8, 2, 30, 20], [20] * 4 + [10] * 36)
    assert found["within"] == 3 / 12 and found["between"] == 2 / 288
    assert (found["rate"], found["rate of others"]) == (10, 5)


def test_random_groups_part_the_others(study):
    """All pairs of the others joined once: one synapse a pair within and between random groups, none that concerns the first group."""
    pre, post = np.nonzero(~np.eye(36, dtype=bool))
    found = measured(study, 4 + pre, 4 + post, [0] * 40)
    assert found["within random"] == found["between random"] == 1
    assert found["within"] == found["between"] == 0


# Synapses a pair: means of four seeds of the network that the authors published, built by a script of our own in NEST 3.10, with the rate that
# it has there with a fixed in-degree, 39.5 Hz, as the target: over the last 2 s of growth, of the stimulus, and of 30 and 60 s after it. At our
# time step that rate is 39.1 Hz; with shorter ones it comes to that of NEST (0.1 Hz apart at 0.02 ms).
IN_NEST = {"within": (0.1026, 0.0007, 0.4145, 0.3314), "between": (0.0996, 0.0087, 0.0664, 0.0750)}


@pytest.mark.slow
def test_assemblies_form_and_outlast_the_stimulus(study, tmp_path):
    """Ten seeds at full scale: the finding of the paper, the numbers of the published network in NEST, and three controls."""
    done = run_study("homeostatic_assemblies", folder=tmp_path, timeout=3600)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "results" / "homeostatic_assemblies" / "results.json").read_text())
    ratios, means, one = found["ratios"], found["means"], np.ones(10)

    def against(condition, moment, reference):
        return measures.paired_comparison([seed[moment] for seed in ratios[condition]], reference, 0.2)

    for moment in ("after", "end"):  # 30 and 60 time constants of calcium after the stimulus
        other = [seed[moment] for seed in ratios["random groups"]]
        assert against("stimulated", moment, other).low > 2
        assert not against("stimulated", moment, one).equivalent
        for control in CONDITIONS[1:]:
            assert against(control, moment, one).equivalent
    assert against("stimulated", "before", one).equivalent
    assert against("stimulated", "stimulus", one).high < -0.5  # the stimulated lose one another first
    assert means["rate"]["end"] == pytest.approx(float(study.TARGET), rel=0.01)  # the structure is there although the rate is as before
    for name, published in IN_NEST.items():
        ours = list(means[name].values())
        np.testing.assert_allclose(ours, published, rtol=0.1, atol=0.002)
