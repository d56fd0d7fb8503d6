"""Figures that compare networks: spectra, traces, distributions."""

import numpy as np
import pytest
from cell_results import (
    NETWORKS,
    SPECTRA,
    column,
    spectrum,
)
from figure_data import example, line

from neurosim import figures
from neurosim.units import Hz, mV, nS, second


def test_spectra_are_lines_on_logarithmic_axes():
    figure = example("spectra")
    (panel,) = figure.axes
    assert (panel.get_xscale(), panel.get_yscale(), panel.get_xlabel()) == ("log", "log", "frequency (Hz)")
    for name, (frequencies, power) in SPECTRA.items():
        np.testing.assert_array_equal(line(panel, name).get_data(), [np.asarray(frequencies), power])
    frequencies, power = spectrum(5)
    both = {"a": (np.append(0, frequencies) * Hz, np.append(9, power)), "b": (frequencies, np.append(0, power[1:]))}
    panel = figures.spectra(both, reference="b").axes[0]
    assert line(panel, "a").get_xdata()[0] == 1.0 and line(panel, "b").get_xdata()[0] == 2.0
    assert line(panel, "b").get_color() == "black" != line(panel, "a").get_color()


@pytest.mark.parametrize(
    ("results", "error", "message"),
    [
        ({}, ValueError, "no spectra were given"),
        ({"a": (np.arange(3) * Hz, np.ones(2))}, ValueError, r"spectrum 'a' has arrays of shape \(3,\) and \(2,\)"),
        ({"a": (np.arange(3) * Hz, np.zeros(3))}, ValueError, "spectrum 'a' has no power above 0"),
        ({"a": (np.arange(3), np.ones(3))}, TypeError, "frequencies of 'a'"),
    ],
)
def test_spectra_complain(results, error, message):
    with pytest.raises(error, match=message):
        figures.spectra(results)


def test_traces_stand_side_by_side_on_one_scale_a_row():
    figure = example("traces")
    names = list(NETWORKS)
    for number, panel in enumerate(figure.axes):
        variable, name = ("v", "g_exc", "g_inh")[number // 2], names[number % 2]
        values = np.asarray(NETWORKS[name][1][variable]) * (1e3 if variable == "v" else 1e9)
        np.testing.assert_allclose([one.get_ydata() for one in panel.lines], values)
        np.testing.assert_allclose(panel.lines[0].get_xdata(), np.arange(500.0))
        assert panel.get_ylim() == figure.axes[number - number % 2].get_ylim()
        np.testing.assert_allclose(column(figure, "value", name=name, variable=variable, cell=1), values[1])
    assert [panel.get_ylabel() for panel in figure.axes[::2]] == ["v (mV)", "g_exc (nS)", "g_inh (nS)"]
    assert [panel.get_title(loc="left") for panel in figure.axes[:2]] == names


def test_one_trace_needs_no_row_of_cells():
    times, several = NETWORKS["leaky"]
    panel = figures.traces({"leaky": (times, {"v": several["v"][0]})}).axes[0]
    np.testing.assert_allclose(panel.lines[0].get_ydata(), np.asarray(several["v"][0]) * 1e3)


@pytest.mark.parametrize(
    ("networks", "error", "message"),
    [
        ({}, ValueError, "no traces were given"),
        ({"a": ([0, 1] * second, {})}, ValueError, "no traces were given"),
        ({"a": ([0] * second, {"v": [0] * mV})}, ValueError, "times of 'a' have shape"),
        ({"a": (np.arange(2), {"v": [0, 1] * mV})}, TypeError, "times of 'a'"),
        ({"a": ([0, 1] * second, {"v": [0, 1, 2] * mV})}, ValueError, r"'v' of 'a' has shape \(3,\); give .* of 2 samples"),
        (
            {"a": ([0, 1] * second, {"v": [0, 1] * mV}), "b": ([0, 1] * second, {"g": [0, 1] * nS})},
            ValueError,
            "'b' has traces of g, but the first has v",
        ),
        (
            {"a": ([0, 1] * second, {"v": [0, 1] * mV}), "b": ([0, 1] * second, {"v": [0, 1] * nS})},
            ValueError,
            "'v' of 'b' differs in unit from the first",
        ),
    ],
)
def test_traces_complain(networks, error, message):
    with pytest.raises(error, match=message):
        figures.traces(networks)


def test_distributions_show_median_quartiles_and_most_cells():
    values = np.append(np.arange(101.0), np.nan)  # percentile p of 0 to 100 is p
    figure = figures.distributions({"rate": {"a": values * Hz, "b": values[::-1] * Hz}, "synchrony": {"a": 0.1, "b": 0.4}})
    rate, synchrony = figure.axes
    for row, name in enumerate("ab"):
        assert line(rate, name).get_data() == ([50.0], [row])
        assert list(line(rate, f"_half {name}").get_xdata()) == [25.0, 75.0]
        assert list(line(rate, f"_most {name}").get_xdata()) == [5.0, 95.0]
    assert line(synchrony, "b").get_data() == ([0.4], [1])
    assert (rate.get_xlabel(), synchrony.get_xlabel()) == ("rate (Hz)", "synchrony")
    assert [text.get_text() for text in rate.get_yticklabels()] == ["a", "b"]
    np.testing.assert_array_equal(column(figure, "value", measure="rate", name="a"), values)


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        ({}, "no measures were given"),
        ({"rate": {}}, "no measures were given"),
        ({"rate": {"a": [np.nan]}}, "measure 'rate' of 'a' has no finite value"),
        ({"rate": {"a": np.ones((2, 2))}}, "measure 'rate' of 'a' has no finite value in one row"),
        ({"rate": {"a": 1.0}, "CV": {"b": 1.0}}, "measure 'CV' is of b, but the first of a; give the same networks"),
        ({"rate": {"a": 1 * Hz, "b": 1.0}}, "measure 'rate' differs in unit"),
    ],
)
def test_distributions_complain(measures, message):
    with pytest.raises(ValueError, match=message):
        figures.distributions(measures)
