"""Measures on populations: trains and bins of recordings made by hand, synchrony and spectra in closed form."""

import re

import numpy as np
import pytest
from recordings import poisson, recording_of

import neurosim as ns
from neurosim.measures import (
    binned_counts,
    coincidence,
    cv,
    fano_factor,
    matches,
    padded_trains,
    population_spectrum,
    rate,
    spike_trains,
    synchrony,
)
from neurosim.units import Hz, Quantity, ms, mV, second

REGULAR = np.arange(50, 1000, 100) * ms
SPIKES = [(100, 5), (109, 0), (110, 5), (130, 1), (139, 5), (139, 0), (149, 2)]  # (step, cell) of a recording of steps 100 to 150


def test_trains_of_a_recording_begin_with_it():
    recording = recording_of(SPIKES, 100, 150)
    trains = spike_trains(recording, "exc")
    assert list(trains) == [0, 1, 2, 5] and all(isinstance(times, Quantity) for times in trains.values())
    expected = [[0.9, 3.9], [3.0], [4.9], [0.0, 1.0, 3.9]]
    for times, one in zip(trains.values(), expected, strict=True):
        np.testing.assert_allclose(times / ms, one)
    table = padded_trains(recording, "exc")
    assert table.shape == (4, 3) and np.isinf(table).sum() == 5 and table[3, 0] == 0
    assert padded_trains(recording_of([], 0, 10), "exc").shape == (4, 0)
    assert matches(table, np.array([0.9e-3]), 0.2e-3).tolist() == [1, 0, 0, 1]


def test_spikes_in_bins():
    recording = recording_of(SPIKES, 100, 150)
    assert binned_counts(recording, "exc", 1 * ms).tolist() == [[1, 0, 0, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1], [1, 1, 0, 1, 0]]
    assert binned_counts(recording, "exc", 2 * ms).tolist() == [[1, 1], [0, 1], [0, 0], [2, 1]]  # the last millisecond is no whole bin
    with pytest.raises(ValueError, match="the bins are 6. ms wide, but the recording lasts 5. ms; take narrower bins"):
        binned_counts(recording, "exc", 6 * ms)
    with pytest.raises(ValueError, match="give a whole multiple of dt"):
        binned_counts(recording, "exc", 0.15 * ms)
    with pytest.raises(ValueError, match="width of the bins is 0. s; give one value above zero"):
        binned_counts(recording, "exc", 0 * ms)


def test_synchrony_of_known_populations():
    """1 for equal cells, 0 for two in antiphase, 1/sqrt(n) for independent ones."""
    rng = np.random.default_rng(5)
    one = rng.poisson(3, 1000)
    assert synchrony([one] * 7) == pytest.approx(1) and synchrony([one, -one] * mV) == pytest.approx(0, abs=1e-12)
    alone = rng.poisson(0.2, (100, 20_000))
    assert synchrony(alone) == pytest.approx(0.1, rel=0.02)
    assert synchrony(alone + 5) == pytest.approx(synchrony(alone)) and np.isnan(synchrony(np.ones((3, 9))))
    assert fano_factor(alone) == pytest.approx(1, abs=4 * np.sqrt(2 / 20_000))
    assert fano_factor([alone[0]] * 7) == pytest.approx(7 * fano_factor(alone[:1])) and np.isnan(fano_factor(np.zeros((2, 9))))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: synchrony([1, 2, 3]), "values have shape (3,); give two cells and two samples at least"),
        (lambda: synchrony([[1, 2, 3]]), "values have shape (1, 3)"),
        (lambda: synchrony([[1, 2], [np.nan, 3]]), "values hold NaN or infinity; take cells that exist throughout"),
        (lambda: fano_factor([[1], [2]]), "counts have shape (2, 1); give two bins at least"),
        (lambda: population_spectrum(np.array([]) * ms, 5 * second), "the population has no spike"),
        (
            lambda: population_spectrum(REGULAR, 1 * second, segment=2 * second),
            "the segment of 2 s holds 2000 bins and the duration of 1 s",
        ),
        (lambda: population_spectrum(REGULAR, 1 * second, segment=3 * ms), "take a segment of 4 bins at least"),
        (lambda: population_spectrum(REGULAR, 900 * ms), "has a spike at 0.95 s"),
        (lambda: population_spectrum(REGULAR[::-1], 1 * second), "give the sorted spike times of all cells"),
    ],
)
def test_bad_populations(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_spectrum_of_a_poisson_population_is_one():
    """At every frequency, within five standard errors of 199 spectra that overlap by half; of n equal cells it is n times that of one."""
    times = poisson(np.random.default_rng(9), 500, 100.0)
    frequencies, power = population_spectrum(times * second, 100 * second)
    assert frequencies[0] == 1 * Hz and float(frequencies[-1]) == pytest.approx(499)
    assert power.mean() == pytest.approx(1, abs=0.02) and np.abs(power - 1).max() < 5 * np.sqrt(1.06 / 199)
    together = population_spectrum(np.repeat(times, 5) * second, 100 * second)[1]
    np.testing.assert_allclose(together, 5 * power)


def test_spectrum_of_a_rhythm_peaks_at_its_frequency():
    """A rate of r (1 + m cos) gives a line of r m^2 / 4 over the noise bandwidth of the Hann window, 1.5 / segment."""
    rng, base, depth, rhythm = np.random.default_rng(2), 500.0, 0.5, 40.0
    times = poisson(rng, base * (1 + depth), 100.0)
    kept = rng.uniform(0, 1 + depth, len(times)) < 1 + depth * np.cos(2 * np.pi * rhythm * times)
    frequencies, power = population_spectrum(times[kept] * second, 100 * second)
    assert frequencies[power.argmax()] == 40 * Hz
    assert power.max() == pytest.approx(1 + base * depth**2 / 4 / 1.5, rel=0.15)
    assert np.median(power) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("steps", [3, 7, 10])
def test_spikes_on_the_edges_of_bins_stay_in_theirs(steps):
    """A spike at the left edge of each bin of some time steps of 0.1 ms: as many in each, so no power at all."""
    times = np.arange(0, 30_000, steps) * 1e-4
    power = population_spectrum(times * second, times[-1] * second + steps * 0.1 * ms, width=steps * 0.1 * ms)[1]
    assert power.max() < 1e-12


def test_measures_of_a_simulation():
    """Two cells with the same input are one train; a simulation's own rates are those of its trains."""
    cells = ns.create("exc", "leaky_conductance", 3)
    drive = ns.StepCurrent("exc", "I_e", np.array([0.4, 0.4, 0.6]) * ns.units.nA)
    _, recording = ns.simulate(ns.Circuit([cells]), 500 * ms, inputs=[drive], backend=ns.Brian2(target="numpy"), progress=False)
    trains = spike_trains(recording, "exc")
    assert coincidence(trains[0], trains[1], recording.duration).gamma == pytest.approx(1)
    assert coincidence(trains[0], trains[2], recording.duration).gamma < 0.5
    assert [float(rate(times, recording.duration)) for times in trains.values()] == pytest.approx(np.asarray(recording["exc"].rate()))
    assert np.array_equal(binned_counts(recording, "exc", 5 * ms).sum(axis=1), recording["exc"].counts)
    assert cv(trains[0]) < 0.02
