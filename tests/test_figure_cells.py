"""Figures that compare cells: responses, f-I curves, coincidence, transfer, cost; and the axes of those that compare networks."""

import numpy as np
import pytest
from cell_results import (
    COSTS,
    MODELS,
    NETWORKS,
    REGIMES,
    SPECTRA,
    activity,
    all_step_errors,
    answers,
    column,
    curve,
    matrix,
    response,
    score,
    scores,
    stimulus,
)
from figure_data import example, line, names_in
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from neurosim import figures
from neurosim.responses import Response
from neurosim.units import ms, mV, pA, second, volt

# --- responses ------------------------------------------------------------------------------------------------------


def test_each_cell_is_drawn_over_the_reference_in_black():
    figure, given = example("responses"), answers()
    for panel, one in zip(figure.axes, given[1:], strict=False):
        assert panel.get_title(loc="left").split("\n")[-1] == one.cell
        for drawn, colour in ((given[0], "black"), (one, None)):
            shown = line(panel, drawn.cell)
            inside = (np.asarray(drawn.t) >= 0.2) & (np.asarray(drawn.t) <= 0.7)
            np.testing.assert_allclose(shown.get_xdata(), np.asarray(drawn.t / ms)[inside])
            np.testing.assert_allclose(shown.get_ydata(), np.asarray(drawn.v / mV)[inside])
            assert (shown.get_color() == "black") == (colour == "black")
        assert line(panel, one.cell).get_zorder() > line(panel, "pospischil_rs").get_zorder()
    assert len({line(panel, one.cell).get_color() for panel, one in zip(figure.axes, given[1:], strict=False)}) == len(MODELS)


def test_spikes_of_both_cells_are_marked_above_the_panel_apart():
    figure = example("responses")
    figure.draw_without_rendering()
    panel, (reference, leaky, *_) = figure.axes[0], answers()
    heights = {}
    for one in (reference, leaky):
        marks = line(panel, f"spikes of {one.cell}")
        times = np.asarray(one.spikes)
        np.testing.assert_allclose(marks.get_xdata(), 1e3 * times[(times > 0.2) & (times < 0.7)])
        heights[one.cell] = marks.get_transform().transform(np.column_stack(marks.get_data()))[0, 1]
        assert marks.get_color() == line(panel, one.cell).get_color()
    top = panel.get_window_extent().y1
    assert top < heights["leaky"] < heights["pospischil_rs"] < top + 0.15 * figure.dpi


def test_panels_show_the_range_between_spikes_unless_limits_are_given():
    low, high = example("responses of two").axes[0].get_ylim()
    assert -72 < low < -70 and -50 < high < -48  # made-up traces wander from -70 to -50 mV
    figure = figures.responses(answers(MODELS[:1]), limits=(-90 * mV, 50 * mV))
    assert figure.axes[0].get_ylim() == pytest.approx((-90, 50))
    peaks = column(figure, "value", line="v", name="pospischil_rs")
    assert peaks.max() == 45.0  # the data hold what the panel cuts


def test_a_cell_that_never_rests_is_shown_whole():
    times = np.arange(0, 1, 1e-3)
    busy = Response(stimulus(), "busy", times[::2] * second, {"v": -60e-3 * (1 + times) * volt}, 1 * ms)
    low, high = figures.responses([busy]).axes[0].get_ylim()
    assert low < -119.9 and high > -60.0


def test_the_stimulus_stands_below_currents_apart_from_conductances():
    figure, given = figures.responses(answers(("adex",)), between=(200.3 * ms, 699.8 * ms)), stimulus()
    current, conductance = figure.axes[-2:]
    assert (current.get_ylabel(), conductance.get_ylabel()) == ("I_e (nA)", "conductance\n(nS)")
    drawn, waveform = line(current, "I_e"), given.waveforms["I_e"]
    assert drawn.get_drawstyle() == "steps-post"
    np.testing.assert_allclose(drawn.get_ydata(), waveform.si[0, 400:1400] * 1e9)  # from the value that began at 200 ms
    np.testing.assert_allclose(drawn.get_xdata(), np.arange(400, 1400) * 0.5)
    assert names_in(conductance.get_legend()) == ["G_exc", "G_inh"]
    assert len(example("responses of two").axes) == 2
    np.testing.assert_allclose(column(figure, "value", name="G_exc"), given.waveforms["G_exc"].si[0, 400:1400] * 1e9)
    assert set(column(figure, "unit", name="G_exc")) == {"nS"}


def test_responses_are_named_by_a_mapping_and_the_reference_is_chosen():
    played = stimulus()
    given = {"cold": response("adex", played), "warm": response("adex", played), "data": response("adex", played)}
    figure = figures.responses(given, reference="data")
    assert [panel.get_title(loc="left") for panel in figure.axes[:2]] == ["data in black\ncold", "warm"]
    assert set(column(figure, "name", line="v")) == {"cold", "warm", "data"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(responses=[]), "no responses were given to figures.responses; give one a cell"),
        (dict(responses=[answers(("adex",))[1]] * 2), r"two responses of cell 'adex' .*; give a mapping from names to responses"),
        (dict(reference="adx"), r"reference 'adx' is not among the cells\. Did you mean 'adex'"),
        (dict(between=(0.5 * second, 0.2 * second)), "between of figures.responses is .*; give two values in order"),
        (dict(between=(2 * second, 3 * second)), "between of figures.responses is"),
        (dict(between=(0.1 * second,)), "between of figures.responses is"),
        (dict(between=(0.1001 * second, 0.1002 * second)), "no sample of v of 'pospischil_rs' lies from 0.1001 to 0.1002 s"),
        (dict(limits=(-50 * mV, -50 * mV)), "limits of figures.responses is"),
        (
            dict(responses=[answers(())[0], response("adex", stimulus(conductance=False))]),
            "'pospischil_rs' answers stimulus 'noise' and 'adex' another, 'noise'",
        ),
    ],
)
def test_responses_complain(change, message):
    with pytest.raises(ValueError, match=message):
        figures.responses(**{"responses": answers(("adex",))} | change)


def test_responses_need_traces_and_units():
    bare = Response(stimulus(), "adex", [] * second, {"w": np.zeros(3) * pA}, 1 * ms)
    with pytest.raises(AttributeError, match=r"no trace 'v'; ask for it with record=\['v'\]"):
        figures.responses([bare])
    with pytest.raises(TypeError, match="between of figures.responses is 0 without a unit"):
        figures.responses(answers(), between=(0, 1))


# --- f-I curves -----------------------------------------------------------------------------------------------------


def test_a_curve_is_a_line_of_rate_against_current():
    figure = example("fi_curves")
    (panel,) = figure.axes
    for place, name in enumerate(MODELS):
        own = curve(name, 70 + 20 * place, 0.1 + 0.03 * place)
        np.testing.assert_allclose(line(panel, name).get_data(), [np.linspace(0, 0.5, 11), np.asarray(own.rates)])
        np.testing.assert_array_equal(column(figure, "latency (ms)", cell=name), np.where(np.asarray(own.rates) > 0, 20.0, np.nan))
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("current (nA)", "rate (Hz)")
    assert line(panel, "pospischil_rs").get_color() == "black"
    assert len({one.get_color() for one in panel.lines}) == len({one.get_marker() for one in panel.lines[1:]}) + 1 == 6


def test_a_cell_keeps_its_colour_from_figure_to_figure():
    traces = {panel.lines[0].get_label(): panel.lines[0].get_color() for panel in example("responses").axes[: len(MODELS)]}
    rates = {one.get_label(): one.get_color() for one in example("fi_curves").axes[0].lines}
    gammas = {one.get_label(): one.get_color() for one in example("coincidence").axes[0].lines if not one.get_label().startswith("_")}
    for name in MODELS:
        assert traces[name] == rates[name] == gammas[name]


def test_many_currents_have_no_marks_and_many_cells_other_dashes():
    panel = figures.fi_curves([curve(f"cell {place}", 10 * place, 0.1, currents=40) for place in range(8)]).axes[0]
    assert {one.get_marker() for one in panel.lines} == {"None"}
    assert len({(one.get_color(), one.get_linestyle()) for one in panel.lines}) == 8
    assert "#000000" not in {one.get_color() for one in panel.lines}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(curves=[]), "no curves were given to figures.fi_curves"),
        (dict(curves=[curve("adex", 1, 1)] * 2), "two curves of cell 'adex' were given to figures.fi_curves"),
        (dict(curves=[curve("adex", 1, 1)], reference="leaky"), "reference 'leaky' is not among the cells"),
    ],
)
def test_fi_curves_complain(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.fi_curves(**arguments)


# --- coincidence ----------------------------------------------------------------------------------------------------


def test_gamma_is_a_point_with_its_interval_in_each_regime():
    figure, given = example("coincidence"), scores()
    assert [panel.get_title(loc="left") for panel in figure.axes] == list(REGIMES)
    for panel, place in zip(figure.axes, range(len(REGIMES)), strict=True):
        assert [text.get_text() for text in panel.get_yticklabels()] == list(MODELS)
        for row, name in enumerate(MODELS):
            one = given[name][place]
            assert line(panel, name).get_data() == ([one.gamma], [row])
            np.testing.assert_array_equal(line(panel, f"_interval {name}").get_data(), [[one.low, one.high], [row, row]])
        assert panel.get_xlim() == figure.axes[0].get_xlim()
    low, high = figure.axes[0].get_xlim()
    assert 0 < low < min(one.low for several in given.values() for one in several) and high > 1


def test_the_data_of_coincidence_hold_all_precisions_counts_and_rates():
    figure = example("coincidence")
    assert len(figure.data["cell"]) == len(MODELS) * len(REGIMES) * 3
    own = dict(cell="adex", stimulus="mean-driven")
    given = scores()["adex"][1]
    np.testing.assert_allclose(column(figure, "precision (ms)", **own), [1, 2, 4])
    np.testing.assert_allclose(column(figure, "Gamma", **own), given.gamma + np.array([-0.1, 0.0, 0.1]))
    np.testing.assert_allclose(column(figure, "95 % low", **own), [np.nan, given.low, np.nan])
    for header, value in {"share of spikes": 0.8, "hits": 480, "misses": 120, "extras": 30, "blocks": 3}.items():
        np.testing.assert_allclose(column(figure, header, **own), value)
    np.testing.assert_allclose(column(figure, "data rate (Hz)", **own), 10.0)
    np.testing.assert_allclose(column(figure, "model rate (Hz)", **own), 10.2)


def test_a_cell_without_gamma_says_why_and_values_below_0_have_a_line_at_0():
    noise, other = example("coincidence of few").axes
    assert [text.get_text() for text in noise.texts] == ["not defined"]
    assert [text.get_text() for text in other.texts] == ["not tested"]
    assert noise.get_xlim()[0] < -0.14
    assert [0.0, 0.0] in [list(one.get_xdata()) for one in other.lines]
    assert [0.0, 0.0] not in [list(one.get_xdata()) for one in example("coincidence").axes[0].lines]


def test_an_interval_of_blocks_need_not_hold_gamma():
    panel = figures.coincidence({"adex": [score("noise", 0.9, interval=(0.6, 0.7))]}).axes[0]
    assert list(line(panel, "_interval adex").get_xdata()) == [0.6, 0.7] and list(line(panel, "adex").get_xdata()) == [0.9]


def test_a_score_without_interval_is_a_point():
    panel = figures.coincidence({"adex": [score("noise", 0.9, interval=(np.nan, np.nan))]}).axes[0]
    assert line(panel, "adex").get_data() == ([0.9], [0]) and np.isfinite(panel.get_xlim()).all()


@pytest.mark.parametrize("given", [{}, {"adex": []}])
def test_coincidence_needs_scores(given):
    with pytest.raises(ValueError, match="no scores were given to figures.coincidence"):
        figures.coincidence(given)


def test_coincidence_refuses_two_scores_for_one_stimulus():
    with pytest.raises(ValueError, match="cell 'adex' has two scores for stimulus 'noise'; give one a stimulus"):
        figures.coincidence({"adex": [score("noise", 0.9), score("noise", 0.8)]})


# --- transfer -------------------------------------------------------------------------------------------------------


def luminance(colour):
    """The relative luminance of a colour (W3C, WCAG 2.1)."""
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in to_rgb(colour)]
    return np.dot([0.2126, 0.7152, 0.0722], linear)


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_matrix_has_its_numbers_in_type_that_can_be_read():
    table = matrix(REGIMES[:3], REGIMES)
    panel = example("transfer").axes[0]
    image = panel.images[0]
    np.testing.assert_allclose(image.get_array(), table.gamma)
    assert image.get_clim() == (0.0, 1.0)
    for text, value in zip(panel.texts, table.gamma.ravel(), strict=True):
        assert float(text.get_text().replace("−", "-")) == pytest.approx(value, abs=0.005)
        background = image.to_rgba(value)
        assert contrast(text.get_color(), background[:3]) > 4.5
        assert contrast({"black": "white", "white": "black"}[text.get_color()], background[:3]) < 4.6
    assert (panel.get_ylabel(), panel.get_xlabel()) == ("trained on", "tested on")
    shades = [luminance(image.to_rgba(value)[:3]) for value in np.linspace(0, 1, 21)]
    assert (np.diff(shades) < 0).all()  # so that it is also read in grey


def test_values_below_0_are_grey_and_said():
    panel = example("transfer").axes[0]
    assert panel.texts[0].get_text() == "−0.12"
    red, green, blue, _ = panel.images[0].to_rgba(-0.12)
    assert red == green == blue
    assert panel.get_title(loc="left") == "Gamma at ±2 ms, below 0 in grey"
    assert example("transfer of long names").axes[0].get_title(loc="left") == "share of coincident spikes at ±2 ms"


def test_the_data_of_transfer_hold_gamma_and_share():
    figure, table = example("transfer"), matrix(REGIMES[:3], REGIMES)
    own = {"trained on": "mean-driven", "tested on": "unseen regime"}
    assert column(figure, "Gamma", **own) == table.gamma[1, 3] and column(figure, "share of spikes", **own) == table.share[1, 3]
    assert len(figure.data["Gamma"]) == 12


def test_names_of_columns_are_turned_only_where_they_need_it():
    assert example("transfer of long names").axes[0].get_xticklabels()[0].get_rotation() == 90.0
    figure = figures.transfer(matrix("ab", "cd"))
    assert figure.axes[0].get_xticklabels()[0].get_rotation() == 0.0
    assert figure.get_figheight() < example("transfer").get_figheight()


def test_what_is_not_defined_has_no_colour():
    table = matrix("ab", "cd")
    table.gamma[0, 1] = np.nan
    panel = figures.transfer(table).axes[0]
    assert [text.get_text() for text in panel.texts][1] == "n. d."
    assert np.ma.getmaskarray(panel.images[0].get_array()).tolist() == [[False, True], [False, False]]


def test_transfer_knows_two_measures():
    with pytest.raises(ValueError, match="measure 'rate' of figures.transfer is unknown; choose one of gamma, share"):
        figures.transfer(matrix("ab", "cd"), "rate")


# --- cost of cells --------------------------------------------------------------------------------------------------


def test_costs_are_on_a_logarithmic_axis_with_the_median_as_a_number():
    figure = example("cell_cost")
    (panel,) = figure.axes
    assert panel.get_xscale() == "log"
    for row, (name, runs) in enumerate(COSTS.items()):
        np.testing.assert_allclose(line(panel, name).get_data(), [runs * 1e3, [row] * 3])
        assert line(panel, f"_median {name}").get_xdata() == pytest.approx([runs[1] * 1e3])
        np.testing.assert_allclose(column(figure, "computing time (s)", cell=name), runs)
    assert [text.get_text() for text in panel.texts] == ["0.011", "0.022", "0.044", "0.088", "0.18", "0.35"]
    assert panel.get_xlabel() == "computing time per\nsimulated second and cell (ms)"


def test_equal_costs_have_an_axis_of_a_decade():
    panel = figures.cell_cost({"a": 1e-3 * second, "b": 1e-3}).axes[0]
    low, high = panel.get_xlim()
    assert high / low >= 10 and [text.get_text() for text in panel.texts] == ["1", "1"]


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ({}, "no costs were given to figures.cell_cost"),
        ({"adex": 0.0}, r"cost of cell 'adex' is \[0\.0\] s; give seconds above 0"),
        ({"adex": [1e-3, np.nan]}, r"cost of cell 'adex' is \[0\.001, nan\] s"),
        ({"adex": []}, r"cost of cell 'adex' is \[\] s"),
    ],
)
def test_cell_cost_complains(costs, message):
    with pytest.raises(ValueError, match=message):
        figures.cell_cost(costs)


# --- axes of the user -----------------------------------------------------------------------------------------------


def test_errors_of_time_steps_have_a_panel_for_each_spike_rule():
    figure, given = example("time_steps"), {one.cell: one for one in all_step_errors()}
    smooth, simple = figure.axes
    assert (
        "traub_miles" in names_in(smooth.get_legend())
        and "adex_1" in names_in(simple.get_legend())
        and "adex_1" not in names_in(smooth.get_legend())
    )
    shown = line(smooth, "wang_buzsaki")
    rows = given["wang_buzsaki"].table
    rows = rows[(rows["interval"] <= 0.2) & (rows["interval"] * 0.02 > 1e-9)]
    assert 1 < len(rows) < 6
    np.testing.assert_allclose(shown.get_xydata(), np.stack([rows["dt"] * 1e3, rows["interval"] * 100], axis=1))
    assert line(simple, "leaky_1").get_linestyle() != line(simple, "leaky_2").get_linestyle()
    assert len({(one.get_color(), one.get_marker(), one.get_markerfacecolor(), one.get_linestyle()) for one in simple.lines[:10]}) == 10
    assert line(smooth, "_allowed").get_ydata()[0] == 1
    steep = line(smooth, "_order 4").get_xydata()
    assert np.diff(np.log(steep), axis=0)[0] @ (4, -1) == pytest.approx(0, abs=1e-9)
    one = figures.time_steps([given["adex_1"]], allowed=0.05)
    assert len(one.axes) == 1 and line(one.axes[0], "_allowed").get_ydata()[0] == 5
    assert column(figure, "error of the interval (%)", cell="adex_1").tolist() == (given["adex_1"].table["interval"] * 100).tolist()
    with pytest.raises(ValueError, match="no errors were given to figures.time_steps"):
        figures.time_steps([])


def test_figures_of_cells_draw_into_given_axes():
    own = Figure(figsize=(9, 9), layout="constrained")
    axes = own.subplots(4, 3)
    assert figures.responses(answers(("adex",), conductance=False), axes=axes[0, :2]) is own
    assert figures.fi_curves([curve("adex", 100, 0.1)], axes=axes[0, 2]) is own
    assert figures.coincidence({"adex": [score("noise", 0.9)]}, axes=axes[1, 0]) is own
    assert figures.transfer(matrix("ab", "cd"), axes=axes[1, 1]) is own
    assert figures.cell_cost(COSTS, axes=axes[1, 2]) is own
    assert figures.spectra(SPECTRA, axes=axes[2, 0]) is own
    assert figures.distributions({"rate": activity()["rate"]}, axes=axes[2, 1]) is own
    assert figures.traces({"leaky": NETWORKS["leaky"]}, axes=axes[3]) is own
    assert own.get_figheight() == 9
    with pytest.raises(ValueError, match=r"1 axes were given, but this figure has 2 panels \(a, b\)"):
        figures.coincidence({"adex": [score("a", 0.9), score("b", 0.9)]}, axes=axes[2, 2])
