"""The figure of measures over time: what it draws, and what it asks for."""

import numpy as np
import pytest
from cell_results import column
from figure_data import example, line, names_in

from neurosim import figures
from neurosim.units import mV, second


def test_the_mean_over_seeds_and_its_interval():
    """Two seeds at 1 and 3: mean 2, standard error 1, and the quantile of Student's t with one degree of freedom is 12.706."""
    figure = example("courses")
    rate, ratio = figure.axes
    times, mean = line(rate, "stimulated").get_data()
    np.testing.assert_allclose(times, np.arange(5))
    np.testing.assert_allclose(mean, 2)
    chosen = {"panel": "rate (Hz)", "name": "stimulated"}
    assert column(figure, "95 % low", **chosen) == pytest.approx(2 - 12.706, abs=1e-3)
    assert column(figure, "95 % high", **chosen) == pytest.approx(2 + 12.706, abs=1e-3)
    alone = {"panel": "ratio", "name": "alone"}
    assert np.isnan(column(figure, "95 % low", **alone)).all()  # one seed
    assert column(figure, "seeds", **alone).tolist() == [1] * 5
    np.testing.assert_allclose(column(figure, "mean", **alone), [np.nan, 1, 2, 3, 4])


def test_a_name_has_one_colour_and_spans_and_levels_are_where_they_belong():
    rate, ratio = example("courses").axes
    assert line(rate, "stimulated").get_color() == line(ratio, "stimulated").get_color() != line(ratio, "alone").get_color()
    assert names_in(rate.get_legend()) == ["stimulated", "stimulus"] and names_in(ratio.get_legend()) == ["stimulated", "alone"]
    for panel in (rate, ratio):
        (span,) = panel.patches
        assert (span.get_x(), span.get_width()) == (1, 2)
    assert [list(one.get_ydata()) for one in ratio.lines if one.get_label() == "_level"] == [[1, 1]]
    assert not [one for one in rate.lines if one.get_label() == "_level"]


TIMES = np.arange(3) * second


def test_control_what_fits_is_drawn():
    figure = figures.courses({"rate": {"a": (TIMES, np.ones(3))}})
    assert len(figure.axes) == 1 and not figure.axes[0].patches


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (({},), ValueError, "has nothing to draw"),
        (({"rate": {}},), ValueError, "has nothing to draw"),
        (
            ({"rate": {"a": (TIMES, np.ones(4))}},),
            ValueError,
            r"'a' in panel 'rate' has times of shape \(3,\) and values of shape \(1, 4\)",
        ),
        (({"rate": {"a": ([] * second, [])}},), ValueError, r"'a' in panel 'rate' has times of shape \(0,\)"),
        (({"rate": {"a": (np.arange(3) * mV, np.ones(3))}},), TypeError, "times of 'a'"),
        (({"rate": {"a": (TIMES, np.ones(3))}}, [("stimulus", 1, 2)]), TypeError, "span 'stimulus'"),
        (({"rate": {"a": (TIMES, np.ones(3))}}, [], {"rates": 1}), ValueError, "a level for 'rates'.*'rate'"),
    ],
)
def test_what_does_not_fit_is_named(given, error, message):
    with pytest.raises(error, match=message):
        figures.courses(*given)
