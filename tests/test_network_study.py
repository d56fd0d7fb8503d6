"""The study of networks compares what it says: one wiring, one drive, networks that still fire; and leaves what it promises."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim.units import Hz, ms, nS, second

KINDS = ["traub_miles", "leaky, fitted", "leaky, longer delays", "leaky, not fitted"]


study = study_fixture("network_biophysical_vs_leaky")


@pytest.fixture(scope="module")
def conducted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    done = run_study("network_biophysical_vs_leaky", "--scale", "smoke", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "results" / "network_biophysical_vs_leaky", done.stdout


def columns(circuit, *names):
    return {(name, column): circuit[name].synapses[column] for name in circuit.projections for column in names}


def same(first, second):
    return all(np.array_equal(first[key], second[key]) for key in first)


def test_networks_of_both_cells_have_one_wiring(study):
    smoke = study.PLANS["smoke"]
    biophysical, leaky = (study.network(cell, smoke, 3) for cell in ("traub_miles", study.LEAKY))
    assert same(columns(biophysical, "pre", "post", "weight", "delay"), columns(leaky, "pre", "post", "weight", "delay"))
    for name in ("exc", "inh"):
        np.testing.assert_array_equal(biophysical[name].v, leaky[name].v)
    other = study.network(study.LEAKY, smoke, 4)
    assert not same(columns(biophysical, "pre"), columns(other, "pre"))


@pytest.mark.parametrize("scale", ["smoke", "small", "full"])
def test_each_cell_has_as_many_synapses_at_every_scale(study, scale):
    circuit = study.network(study.LEAKY, study.PLANS[scale], 0)
    for name, projection in circuit.projections.items():
        degree, weight = (64, 1) if name.startswith("exc") else (16, 20)
        assert (np.bincount(projection.synapses["post"], minlength=len(circuit[projection.target])) == degree).all()
        np.testing.assert_allclose(projection.synapses["weight"], weight * float(nS))


def test_networks_of_both_cells_get_the_same_spikes_from_outside(study, monkeypatch):
    """Without synapses the excitatory conductance is that of the drive alone, and the same to the last bit; of another seed it is not."""
    monkeypatch.setattr(study, "SYNAPSES", {"exc": ("g_exc", 0, 1 * nS), "inh": ("g_inh", 0, 20 * nS)})
    monkeypatch.setattr(study, "TAIL", 1 * second)
    plan = replace(study.PLANS["smoke"], times=(5, 60, 30))
    cells = ("traub_miles", 1), (study.LEAKY, 1), (study.LEAKY, 2)
    first, second_, other = (study.recorded(study.network(cell, plan, seed), plan, 1 * ms)["exc"].g_exc for cell, seed in cells)
    np.testing.assert_array_equal(first, second_)
    assert first.std() > 0 and not np.array_equal(first, other)


def test_a_network_that_falls_silent_is_not_compared(study, monkeypatch):
    plan = study.PLANS["smoke"]
    monkeypatch.setattr(study, "DRIVE", 0 * Hz)
    with pytest.raises(RuntimeError, match="the network of 'leaky_conductance' fell silent before"):
        study.recorded(study.network(study.LEAKY, plan, 0), plan, 1 * ms)


def test_noise_has_the_moments_and_the_correlation_times_that_it_is_given(study):
    """Against the moments of the stationary process, exp(-1) of the correlation being left after one time constant."""
    long = study.noise("noise", {"G_exc": [9, 1.5], "G_inh": [40, 7]}, 100 * second, 0)
    for receptor, mean, sd, tau in (("G_exc", 9, 1.5, 5), ("G_inh", 40, 7, 10)):
        values = long.waveforms[receptor].si[0] / float(nS)
        lag = int(tau / 0.1)
        left = np.corrcoef(values[:-lag], values[lag:])[0, 1]
        assert values.mean() == pytest.approx(mean, rel=0.02) and values.std() == pytest.approx(sd, rel=0.03)
        assert left == pytest.approx(np.exp(-1), abs=0.05)


def test_the_study_compares_all_kinds_of_networks(conducted):
    folder, printed = conducted
    results = json.loads((folder / "results.json").read_text())
    assert list(results["networks"]) == KINDS + ["traub_miles, half the dt"]
    for one in [results["networks"][kind][0] for kind in KINDS] + [results["networks"]["traub_miles, half the dt"]]:
        assert one["rate, exc (Hz)"] > 0 and one["rate, inh (Hz)"] > 0 and one["CV"] > 0 and 0 < one["chi"] <= 1 and one["Fano"] > 0
        assert len(one["spectrum"]["frequency (Hz)"]) == len(one["spectrum"]["power"])
    assert list(results["fit"]["scores"]) == ["noise", "other noise", "network"]
    for kind in KINDS:
        assert any(line.startswith(kind) for line in printed.splitlines())
    assert "minus traub_miles, not powered (1 of 10 pairs)" in printed


def test_the_fitted_cell_is_kept_as_a_model_file(conducted, study):
    folder, _ = conducted
    fitted = ns.load_cell(folder / "lives" / "fit" / "leaky_fitted.toml")
    for name, bounds in study.PARAMETERS.items():
        assert float(bounds[0]) <= fitted.parameters[name].value <= float(bounds[1])
    for name in ("C_m", "g_L", "E_L"):
        assert fitted.parameters[name].value == study.LEAKY.parameters[name].value
    biophysical = {name: one.value for name, one in ns.load_cell("traub_miles").parameters.items()}
    assert fitted.parameters["C_m"].value == pytest.approx(biophysical["c_m"] * biophysical["area"])
    assert fitted.parameters["g_L"].value == pytest.approx(biophysical["gbar_L"] * biophysical["area"])
    assert fitted.parameters["E_L"].value == pytest.approx(biophysical["E_L"])


@pytest.mark.parametrize("figure", ["spectra", "comparison", "lives/seed 0/traces", "lives/seed 0/distributions"])
def test_every_figure_of_the_networks_comes_with_its_data(conducted, figure):
    folder, _ = conducted
    assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / f"{figure}.pdf").read_bytes().startswith(b"%PDF")
    with open(folder / f"{figure}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert len(rows) > 2 and len({len(row) for row in rows}) == 1
