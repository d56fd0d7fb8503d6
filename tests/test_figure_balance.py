"""The figure of networks that come to their target rates: what it draws, and what it asks for."""

import numpy as np
import pytest
from cell_results import column
from figure_data import example, line, recording, spiking

from neurosim import figures
from neurosim.units import Hz, ms, mV, nS, second


def test_courses_and_targets_have_the_colours_of_their_networks():
    figure = example("balance")
    course, before, after, rate, weight = figure.axes
    times, rates = line(course, "plastic").get_data()
    np.testing.assert_allclose(times, 0.5 + np.arange(8))
    np.testing.assert_allclose(rates, 100 * 0.5 ** np.arange(8))
    aim = line(course, "target of plastic")
    assert aim.get_ydata() == [3, 3] and aim.get_color() == line(course, "plastic").get_color() != line(course, "fixed").get_color()
    assert {patch.get_label(): patch.get_edgecolor() for patch in rate.patches}.keys() == {"plastic", "fixed"}
    assert [panel.get_title(loc="left") for panel in (before, after)] == ["before", "after"]
    assert weight.get_xlabel() == "weight (nS)"


def test_the_last_spikes_of_the_first_cells_are_shown():
    """Of 400 ms the last 300, of 60 cells 50."""
    figure = example("balance")
    assert column(figure, "cell", panel="spikes", name="before").tolist() == [3, 7]
    np.testing.assert_allclose(column(figure, "time (s)", panel="spikes", name="before"), [0.0, 0.25])
    assert line(figure.axes[1], "_child0").get_xdata() == pytest.approx([0, 250])


def test_fractions_add_up_and_slow_cells_are_in_the_first_bin():
    figure = example("balance")
    for name in ("plastic", "fixed"):
        fractions = column(figure, "fraction", panel="rate of a cell (Hz)", name=name)
        assert fractions.sum() == pytest.approx(1) and fractions[0] == (0.25 if name == "plastic" else 0)
        assert column(figure, "start of bin", panel="rate of a cell (Hz)", name=name)[0] == pytest.approx(0.1)
    weights = np.array([0, 1, 1, 4.0])
    edges = column(figure, "start of bin", panel="weight (nS)", name="plastic")
    found = column(figure, "fraction", panel="weight (nS)", name="plastic")
    assert edges[0] == 0 and found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found[[0, np.searchsorted(edges, 1, "right") - 1, -1]], [np.mean(weights == one) for one in (0, 1, 4)])


MOMENTS = {name: (recording(exc=spiking([0], [(0, 10)])), "exc") for name in ("before", "after")}
GIVEN = {
    "courses": {"a": (np.arange(3) * second, np.ones(3) * Hz)},
    "targets": {},
    "spikes": MOMENTS,
    "rates": {"a": np.ones(4) * Hz},
    "weights": {"a": np.ones(4) * nS},
}


def test_control_what_fits_is_drawn():
    assert len(figures.balance(**GIVEN).axes) == 5


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"courses": {}}, ValueError, "courses of figures.balance are empty"),
        ({"rates": {"a": [] * Hz}}, ValueError, "rates of figures.balance are empty"),
        ({"weights": {}}, ValueError, "weights of figures.balance are empty"),
        ({"spikes": {"before": MOMENTS["before"]}}, ValueError, "two moments, but 1 were given"),
        ({"targets": {"b": 3 * Hz}}, ValueError, "a target for 'b', but courses are of a"),
        ({"rates": {"a": np.ones(4)}}, TypeError, "rates of 'a'"),
        ({"courses": {"a": (np.arange(3) * mV, np.ones(3) * Hz)}}, TypeError, "times of 'a'"),
        ({"targets": {"a": 3 * ms}}, TypeError, "target of 'a'"),
    ],
)
def test_what_does_not_fit_is_named(changes, error, message):
    with pytest.raises(error, match=message):
        figures.balance(**{**GIVEN, **changes})
