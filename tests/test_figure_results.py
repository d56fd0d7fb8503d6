"""Figures of results: conditions seed by seed, paired differences, and what is reached for what is spent."""

import numpy as np
import pytest
from figure_data import CURVES, RESULTS, example, line, names_in
from matplotlib.figure import Figure

from neurosim import figures
from neurosim.measures import paired_comparison

# --- comparison -----------------------------------------------------------------------------------------------------


def test_each_condition_is_a_row_of_dots_with_its_mean():
    left, _ = example("comparison").axes
    assert [text.get_text() for text in left.get_yticklabels()] == list(RESULTS)
    assert left.get_ylim()[0] > left.get_ylim()[1]  # the first condition stands at the top
    for row, values in enumerate(RESULTS.values()):
        dots = left.lines[row]
        np.testing.assert_array_equal(dots.get_xdata(), values)
        assert (np.abs(dots.get_ydata() - row) < 0.5).all()
    means = line(left, "mean")
    np.testing.assert_allclose(means.get_xdata(), [values.mean() for values in RESULTS.values()])
    np.testing.assert_array_equal(means.get_ydata(), range(4))


def test_a_seed_has_the_same_place_in_each_row():
    left, _ = example("comparison").axes
    places = [np.round(left.lines[row].get_ydata() - row, 9).tolist() for row in range(4)]
    assert places[0] == places[1] == places[2] and places[3] == places[0][:3]


def test_differences_are_paired_with_their_interval_and_margin():
    figure = example("comparison")
    right = figure.axes[1]
    (bars,) = right.containers
    points, _, (segments,) = bars
    for row, name in enumerate(["grown and pruned", "grown"]):
        found = paired_comparison(RESULTS[name], RESULTS["static"], 0.02)
        assert points.get_xdata()[row] == pytest.approx(found.difference)
        np.testing.assert_allclose(np.array(segments.get_segments()[row]), [[found.low, row], [found.high, row]])
    assert len(points.get_xdata()) == 2
    assert [text.get_text() for text in right.texts] == ["reference", "not paired"]
    (band,) = [patch for patch in right.patches if patch.get_label().startswith("margin")]
    assert (band.get_x(), band.get_width()) == pytest.approx((-0.02, 0.04))
    assert right.get_xlabel() == "difference to static"
    data = figure.data
    assert data["mean difference"][0] == pytest.approx(np.mean(RESULTS["grown and pruned"] - RESULTS["static"]))
    assert np.isnan(data["95 % low"][data["condition"] == "static"]).all()
    assert set(data["margin"]) == {0.02} and set(data["reference"]) == {"static"}


def test_one_pair_has_no_interval_and_a_comparison_without_reference_no_second_panel():
    right = figures.comparison({"a": [0.5], "b": [0.6]}, "a").axes[1]
    assert [text.get_text() for text in right.texts] == ["reference", "not paired"]
    assert len(example("comparison of values").axes) == 1
    assert not [patch for patch in right.patches if patch.get_label().startswith("margin")]


def test_long_names_are_broken_into_lines():
    names = ["proliferation, critical period and pruning", "adulthood only"]
    left = figures.comparison(dict.fromkeys(names, [0.1, 0.2])).axes[0]
    assert "\n" in left.get_yticklabels()[0].get_text() and "\n" not in left.get_yticklabels()[1].get_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(results={}), "no results were given"),
        (dict(results={"a": []}), r"results of condition 'a' are \[\]"),
        (dict(results={"a": [0.1, np.nan]}), r"results of condition 'a' are \[0\.1, nan\]; give a sequence of finite numbers"),
        (dict(results={"a": [[0.1], [0.2]]}), "one a seed"),
        (dict(results=RESULTS, reference="statc"), r"reference 'statc' is not among the conditions\. Did you mean 'static'"),
        (dict(results=RESULTS, margin=0.1), "margin 0.1 of figures.comparison needs a reference"),
        (dict(results=RESULTS, reference="static", margin=-0.1), "margin -0.1 of figures.comparison is no positive difference"),
    ],
)
def test_comparison_complains(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.comparison(**arguments)


# --- cost -----------------------------------------------------------------------------------------------------------


def test_each_seed_is_a_thin_line_and_the_mean_a_thick_one():
    (panel,) = example("cost").axes
    for name, pairs in CURVES.items():
        for seed, (x, y) in enumerate(pairs):
            np.testing.assert_array_equal(line(panel, f"{name}, seed {seed}").get_data(), [x, y])
        mean = line(panel, f"{name}, mean")
        np.testing.assert_allclose(mean.get_ydata(), np.mean([y for _, y in pairs], axis=0))
        assert mean.get_linewidth() > line(panel, f"{name}, seed 0").get_linewidth()
        assert mean.get_color() == line(panel, f"{name}, seed 0").get_color()
    assert names_in(panel.get_legend()) == list(CURVES)
    assert (panel.get_xlabel(), panel.get_ylabel(), panel.get_xscale()) == ("synaptic events", "accuracy", "log")


def test_there_is_no_mean_where_seeds_differ_in_points_or_there_is_one():
    x, y = np.arange(3.0), np.ones(3)
    panel = figures.cost({"a": [(x, y), (x[:2], y[:2])], "b": [(x, y)], "c": [(x, y), (x + 1, 2 * y)]}, "spikes").axes[0]
    assert [one.get_label() for one in panel.lines if "mean" in one.get_label()] == ["c, mean"]
    np.testing.assert_array_equal(line(panel, "c, mean").get_data(), [x + 0.5, 1.5 * y])
    assert line(panel, "b, seed 0").get_linewidth() > line(panel, "a, seed 0").get_linewidth()


def test_a_point_that_was_not_measured_is_left_out():
    panel = figures.cost({"a": [([1, 2, 3], [0.5, np.nan, 0.7])]}, "spikes").axes[0]
    np.testing.assert_array_equal(line(panel, "a, seed 0").get_data(), [[1, 3], [0.5, 0.7]])


@pytest.mark.parametrize(("x", "scale"), [([1, 100], "log"), ([1, 99], "linear"), ([0, 100], "linear")])
def test_a_wide_range_of_positive_x_is_logarithmic(x, scale):
    assert figures.cost({"a": [(x, [0, 1])]}, "spikes").axes[0].get_xscale() == scale


def test_conditions_beyond_the_colours_are_dashed():
    panel = figures.cost({f"condition {n}": [([0, 1], [0, n])] for n in range(9)}, "spikes").axes[0]
    looks = {(one.get_color(), one.get_linestyle()) for one in panel.lines if one.get_xdata().__len__() == 2}
    assert len(looks) == 9


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({}, "no curves were given"),
        ({"a": []}, r"condition 'a' has no curve; give a list of \(x, y\), one a seed"),
        ({"a": [([0, 1], [0, 1]), ([0, 1], [0])]}, r"curve 1 of condition 'a' has arrays of shape \[\(2,\), \(1,\)\]"),
        ({"a": [([0, 1],)]}, r"curve 0 of condition 'a'"),
        ({"a": [([], [])]}, r"curve 0 of condition 'a'"),
    ],
)
def test_cost_complains(curves, message):
    with pytest.raises(ValueError, match=message):
        figures.cost(curves, "spikes")


def test_figures_of_results_draw_into_given_axes():
    own = Figure(figsize=(7, 5), layout="constrained")
    axes = own.subplots(2, 2)
    assert figures.comparison(RESULTS, "static", axes=axes[0]) is own
    assert figures.cost(CURVES, "spikes", axes=axes[1, 0]) is own
    with pytest.raises(ValueError, match=r"1 axes were given, but this figure has 2 panels \(values, differences\)"):
        figures.comparison(RESULTS, "static", axes=axes[1, 1])
