"""Figures: what they show, that nothing overlaps, what they say when data are missing, and how they are written."""

from types import SimpleNamespace

import numpy as np
import pytest
from figure_data import (
    DT,
    example,
    life,
    line,
    membrane_part,
    names_in,
    recording,
    seen_texts,
    spiking,
    trains,
    weight_recording,
)
from matplotlib.figure import Figure
from matplotlib.text import Text

from neurosim import figures
from neurosim.recording import PartRecording, Recording, TraceData
from neurosim.units import mV, nS, volt

# --- membrane -------------------------------------------------------------------------------------------------------


def test_membrane_draws_each_cell_with_its_spikes():
    data = recording(exc=membrane_part())
    figure = figures.membrane(data)
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["exc, cell 0", "exc, cell 3", "exc, cell 12"]
    for row, panel in enumerate(figure.axes):
        drawn = line(panel, f"cell {data['exc'].trace('v').ids[row]}")
        np.testing.assert_allclose(drawn.get_ydata(), np.asarray(data["exc"].v / mV)[row])
        np.testing.assert_allclose(drawn.get_xdata(), np.arange(400.0))
        assert panel.get_ylabel() == "v (mV)"
    strokes = [[stroke[0, 0] for collection in panel.collections for stroke in collection.get_segments()] for panel in figure.axes]
    assert strokes == [[], pytest.approx([100.0, 250.0]), pytest.approx([50.0])]
    assert figure.axes[-1].get_xlabel() == "time (ms)"


def test_a_stroke_reaches_the_top_from_the_trace_unless_the_trace_shows_the_spike():
    flat = np.full((1, 100), -60e-3)
    shaped = flat.copy()
    shaped[0, 50:52] = [0.0, 40e-3]
    starts = []
    for v in (flat, shaped):
        part = PartRecording(
            "exc", 0.1, np.array([0]), np.array([1]), trains([(0, 50)]), {"v": TraceData(np.array([0]), np.arange(100), v, volt.dim, DT)}
        )
        panel = figures.membrane(recording(100, exc=part)).axes[0]
        (stroke,) = panel.collections[0].get_segments()
        assert stroke[1, 1] == pytest.approx(panel.get_ylim()[1])
        starts.append(stroke[0, 1])
    assert starts[0] == pytest.approx(-60.0)
    assert starts[1] > 40.0


def test_membrane_without_recorded_spikes_has_no_strokes():
    part = membrane_part()
    silent = PartRecording("exc", 0.4, part.ids, None, None, part.traces)
    assert all(not panel.collections for panel in figures.membrane(recording(exc=silent)).axes)


def test_the_threshold_is_the_base_plus_theta():
    data = recording(exc=membrane_part(theta=True))
    figure = figures.membrane(data, cells=[3], threshold=-50 * mV)
    assert len(figure.axes) == 2
    expected = np.linspace(-50, -46, 400)
    np.testing.assert_allclose(line(figure.axes[0], "threshold").get_ydata(), expected)
    np.testing.assert_allclose(line(figure.axes[1], "cell 3").get_ydata(), expected)
    assert figure.axes[1].get_ylabel() == "threshold (mV)"
    bare = figures.membrane(data, cells=[3])
    np.testing.assert_allclose(line(bare.axes[1], "cell 3").get_ydata(), expected + 50)
    assert bare.axes[1].get_ylabel() == "θ (mV)"
    assert [one.get_label() for one in bare.axes[0].lines] == ["cell 3"]


def test_membrane_chooses_cells_and_says_when_it_left_some_out():
    data = recording(exc=membrane_part(ids=range(9), spikes=()))
    assert len(figures.membrane(data).axes) == 6
    assert figures.membrane(data).axes[0].get_title(loc="left") == "exc, cell 0 (6 of 9 traced)"
    assert [panel.get_title(loc="left") for panel in figures.membrane(data, cells=[8, 2]).axes] == ["exc, cell 8", "exc, cell 2"]
    assert len(figures.membrane(data, cells=2).axes) == 2


def test_long_recordings_are_in_seconds():
    part = membrane_part(ids=[0], steps=5000, spikes=())
    figure = figures.membrane(recording(5000, exc=part))
    assert figure.axes[0].get_xlabel() == "time (s)"
    assert figure.axes[0].get_xlim() == pytest.approx((0.0, 5.0))


def test_a_short_piece_late_in_a_life_counts_time_from_its_start():
    late = Recording({"exc": membrane_part()}, 1_000_000, 1_000_400, DT)
    panel = figures.membrane(late).axes[-1]
    panel.figure.draw_without_rendering()
    assert panel.get_xlabel() == "time after 1000 s (ms)"
    assert [text.get_text() for text in panel.get_xticklabels()] == ["0", "100", "200", "300", "400"]
    early = figures.membrane(recording(exc=membrane_part())).axes[-1]
    assert early.get_xlabel() == "time (ms)"


def test_membrane_says_what_was_traced():
    data = recording(exc=membrane_part(), inh=membrane_part())
    with pytest.raises(ValueError, match=r"v was traced in exc, inh; choose one with population='exc'"):
        figures.membrane(data)
    with pytest.raises(
        ValueError,
        match=r"population 'exx' was recorded \(traced: exc\.v, inh\.v\); record it with ns\.Trace\('exx', 'v'\)\. Did you mean 'exc'",
    ):
        figures.membrane(data, "exx")
    with pytest.raises(ValueError, match=r"\(traced: nothing\); record it with ns\.Trace\('exc', 'v'\)"):
        figures.membrane(recording(exc=spiking([0], [(0, 1)])))
    with pytest.raises(ValueError, match=r"cells 7 were not traced \(traced: 0, 3, 12\)"):
        figures.membrane(data, "exc", cells=[3, 7])
    with pytest.raises(ValueError, match=r"4 cells were asked for and 3 were traced"):
        figures.membrane(data, "exc", cells=4)
    with pytest.raises(TypeError, match="volt"):
        figures.membrane(data, "exc", threshold=-50)
    with pytest.raises(ValueError, match="holds no recording"):
        figures.membrane(life())
    figures.membrane(data, "exc")


# --- raster ---------------------------------------------------------------------------------------------------------


def test_raster_orders_cells_by_id_and_counts_every_spike():
    data = recording(exc=spiking([9, 4, 20], [(20, 5), (4, 10), (9, 11), (9, 390)]), inh=spiking([1], [(1, 200)]))
    figure = figures.raster(data)
    upper, lower = figure.axes
    exc, inh = upper.lines[:2]
    assert list(exc.get_ydata()) == [2, 0, 1, 1]
    np.testing.assert_allclose(exc.get_xdata(), [5, 10, 11, 390])
    assert list(inh.get_ydata()) == [3]
    assert exc.get_color() != inh.get_color()
    assert names_in(upper.get_legend()) == ["exc", "inh"]
    for stairs, cells, spikes in zip(lower.patches, (3, 1), (4, 1), strict=True):
        heights, edges, _ = stairs.get_data()
        assert np.sum(heights * np.diff(edges) / 1e3) * cells == pytest.approx(spikes)
    assert lower.get_ylabel() == "rate (Hz)"
    assert figures.raster(data, "inh").axes[0].get_legend() is None


def test_raster_says_what_was_recorded():
    data = recording(exc=spiking([0], [(0, 1)]), inh=PartRecording("inh", 0.4))
    with pytest.raises(
        ValueError, match=r"no spikes of population 'inh' were recorded \(spikes of: exc\); record them with ns\.Spikes\('inh'\)"
    ):
        figures.raster(data, ["exc", "inh"])
    with pytest.raises(ValueError, match=r"spikes of: nothing"):
        figures.raster(recording(inh=PartRecording("inh", 0.4)))
    assert len(figures.raster(data).axes[0].lines) == 1


def test_a_regular_cell_has_an_even_rate():
    spikes = [(0, step) for step in range(500, 900, 5)]
    data = Recording({"exc": spiking([0], spikes)}, 500, 900, DT)  # here 5 ms steps fall on both sides of the edges
    heights, edges, _ = figures.raster(data).axes[1].patches[0].get_data()
    np.testing.assert_allclose(np.diff(edges), 5.0)
    np.testing.assert_allclose(heights, 200.0)


def test_rates_of_a_life_are_per_living_cell():
    spikes = [(cell, step) for cell, first in ((0, 0), (1, 200)) for step in range(first, 400, 5)]
    data = recording(exc=spiking([0, 1], spikes))
    census = np.array([(0.0, "exc", 1), (0.2, "exc", 2), (0.4, "exc", 9)], dtype=[("time", "f8"), ("name", "U9"), ("size", "i8")])
    rates = [figures.raster(one).axes[1].patches[0].get_data().values for one in (SimpleNamespace(census=census, recording=data), data)]
    np.testing.assert_allclose(rates[0], 200.0)
    np.testing.assert_allclose(rates[1], np.repeat([100.0, 200.0], 40))


def test_no_bin_is_shorter_than_a_time_step():
    brief = Recording({"exc": spiking([0], [(0, 1)])}, 0, 30, DT)
    assert len(figures.raster(brief).axes[1].patches[0].get_data().values) == 30


def test_a_silent_population_has_a_raster():
    heights, _, _ = figures.raster(recording(exc=spiking([0, 1], []))).axes[1].patches[0].get_data()
    assert not heights.any()


# --- weights --------------------------------------------------------------------------------------------------------


def test_weights_mark_births_and_deaths():
    values = np.full((3, 10), 0.5e-9)
    values[1, :4] = np.nan
    values[2, 7:] = np.nan
    figure = figures.weights(weight_recording(values, [5, 8, 9]))
    panel = figure.axes[0]
    for one, expected in zip((5, 8, 9), values, strict=True):
        np.testing.assert_allclose(line(panel, str(one)).get_ydata(), expected * 1e9)
    assert np.transpose(line(panel, "birth").get_data()).tolist() == [[pytest.approx(4.0), pytest.approx(0.5)]]
    assert np.transpose(line(panel, "death").get_data()).tolist() == [[pytest.approx(6.0), pytest.approx(0.5)]]
    assert sorted(names_in(panel.get_legend())) == sorted(["synapse 5", "8", "9", "birth", "death"])
    assert panel.get_ylabel() == "weight, in_to_exc (nS)"


def test_weights_that_live_throughout_have_no_marks():
    panel = figures.weights(weight_recording(np.full((2, 10), 1.0), [0, 1], dimensions=volt.dim)).axes[0]
    assert not {"birth", "death"} & {one.get_label() for one in panel.lines}
    assert panel.get_ylabel() == "weight, in_to_exc (mV)"


def test_a_family_has_one_colour():
    data = weight_recording(np.ones((4, 5)) * 1e-9, [2, 3, 7, 9])

    def colours(**arguments):
        panel = figures.weights(data, **arguments).axes[0]
        return [line(panel, str(one)).get_color() for one in (2, 3, 7, 9)]

    related = colours(parents={2: -1, 3: -1, 7: 2, 9: 7})
    assert related[0] == related[2] == related[3] != related[1]
    assert len(set(colours())) == 4


def test_a_history_knows_the_families_of_its_synapses():
    data = weight_recording(np.ones((3, 5)) * 1e-9, [2, 3, 7])
    table = np.array([(2, -1), (3, -1), (5, 3), (7, 5)], dtype=[("id", "i8"), ("parent", "i8")])
    history = SimpleNamespace(recording=data, synapses={"in_to_exc": table}.__getitem__)

    def colours(drawn, **arguments):
        panel = figures.weights(drawn, **arguments).axes[0]
        return [line(panel, str(one)).get_color() for one in (2, 3, 7)]

    related = colours(history)
    assert related[1] == related[2] != related[0]
    given = colours(history, parents={7: 2})
    assert given[0] == given[2] != given[1]
    assert len(set(colours(history, parents={}))) == len(set(colours(data))) == 3


def test_weights_choose_and_complain():
    data = weight_recording(np.ones((3, 5)), [2, 3, 7])
    assert [one.get_label() for one in figures.weights(data, ids=[7]).axes[0].lines if one.get_xdata().size] == ["7"]
    with pytest.raises(ValueError, match=r"synapses 4 were not traced \(traced: 2, 3, 7\)"):
        figures.weights(data, ids=[4])
    with pytest.raises(ValueError, match=r"no trace of weight of projection 'a_to_b' .* ns\.Trace\('a_to_b', 'weight'\)"):
        figures.weights(data, "a_to_b")
    with pytest.raises(ValueError, match=r"traced: exc\.v"):
        figures.weights(recording(exc=membrane_part()))


# --- census ---------------------------------------------------------------------------------------------------------


def test_census_shows_the_table():
    history, figure = life(), example("census")
    cells, synapses, measure = figure.axes
    for panel, name in ((cells, "exc"), (synapses, "in_to_exc")):
        rows = history.census[history.census["name"] == name]
        np.testing.assert_array_equal(line(panel, name).get_data(), [rows["epoch"], rows["size"]])
        for container, column in zip(panel.containers, ("births", "deaths"), strict=True):
            assert [bar.get_height() for bar in container] == list(rows[column])
    np.testing.assert_array_equal(line(measure, "accuracy").get_data(), [np.arange(1, 33), history.measures["accuracy"]])
    assert [panel.get_ylabel() for panel in figure.axes] == ["cells", "synapses", "accuracy"]
    assert measure.get_xlabel() == "epoch"
    assert all(panel.get_xlim() == measure.get_xlim() for panel in figure.axes)


def test_census_shades_and_names_the_phases_in_order():
    figure = example("census")
    for panel in figure.axes:
        spans = [patch for patch in panel.patches if patch.get_label().startswith("_phase")]
        assert [patch.get_x() for patch in spans] == [0.5, 4.5, 8.5, 12.5]
        assert len({patch.get_facecolor() for patch in spans}) == 2
    assert [text.get_text() for text in figure.axes[0].texts] == ["proliferation", "critical period", "pruning", "adulthood"]


def test_many_synapses_are_read_in_thousands():
    history = life()
    history.census["size"] *= 100
    figure = figures.census(history)
    assert figure.axes[1].get_ylabel() == "synapses (thousands)"
    assert max(float(text) for text, _ in seen_texts(figure) if text.isdigit()) < 1e4
    assert example("census").axes[1].get_ylabel() == "synapses"


def test_census_without_projections_or_measure_has_one_panel():
    history = life()
    history.circuit.projections = {}
    assert len(figures.census(history).axes) == 1


def test_a_measure_that_is_taken_now_and_then_is_one_line():
    history = life()
    history.circuit.projections = {}
    history.measures["accuracy"][1::2] = np.nan
    assert list(line(figures.census(history, "accuracy").axes[1], "accuracy").get_xdata()) == list(range(1, 33, 2))


def test_the_census_draws_only_what_is_named():
    figure = figures.census(life(), names=[next(iter(life().circuit.populations))])
    assert len(figure.axes) == 1 and figure.axes[0].get_ylabel() == "cells"
    with pytest.raises(ValueError, match="'nobody' is not in this history; name populations or projections"):
        figures.census(life(), names=["nobody"])


def test_census_complains():
    with pytest.raises(ValueError, match=r"measure 'acuracy' is not in this history; .* Did you mean 'accuracy'"):
        figures.census(life(), "acuracy")
    with pytest.raises(ValueError, match=r"measure 'odd' has 5 values, but the census has 33 epochs"):
        figures.census(life(), "odd")


# --- receptive fields -----------------------------------------------------------------------------------------------


def test_each_field_is_one_image_on_one_scale():
    rng = np.random.default_rng(0)
    groups = {"young": rng.random((3, 12)), "old": rng.random((5, 12)) * 2}
    figure = figures.receptive_fields({name: group * nS for name, group in groups.items()}, shape=(3, 4), columns=2)
    for panel, (name, group) in zip(figure.axes, groups.items(), strict=False):
        assert panel.get_title(loc="left") == name
        np.testing.assert_allclose([image.get_array().ravel() for image in panel.images], group)
    limits = {image.get_clim() for panel in figure.axes[:2] for image in panel.images}
    assert len(limits) == 1
    assert limits.pop() == pytest.approx((0.0, max(group.max() for group in groups.values())))
    assert figure.axes[-1].get_ylabel() == "weight (nS)"
    first, second_image, third = (image.get_extent() for image in figure.axes[0].images)
    assert second_image[0] > first[1] and third[2] > first[2] and third[0] == first[0]


def test_pixels_are_square():
    figure = figures.receptive_fields(np.ones((7, 12)), shape=(3, 4))
    figure.canvas.draw()
    box = figure.axes[0].images[0].get_window_extent()
    assert box.width / box.height == pytest.approx(4 / 3, rel=0.01)


def test_labels_stand_above_their_image():
    figure = figures.receptive_fields(np.eye(16)[:5], labels=list("abcde"))
    assert [text.get_text() for text in figure.axes[0].texts] == list("abcde")
    figure.canvas.draw()
    for text, image in zip(figure.axes[0].texts, figure.axes[0].images, strict=True):
        box, below = Text.get_window_extent(text), image.get_window_extent()
        assert below.x0 < (box.x0 + box.x1) / 2 < below.x1
        assert 0 < box.y0 + 2 - below.y1 < 10


def test_missing_weights_leave_the_scale_alone():
    fields = np.ones((2, 4))
    fields[0, 0] = np.nan
    figure = figures.receptive_fields(fields)
    assert figure.axes[0].images[0].get_clim() == (0.0, 1.0)
    assert np.ma.getmaskarray(figure.axes[0].images[0].get_array()).sum() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(fields=np.ones((2, 6))), r"6 inputs make no square image; give shape=\(rows, columns\)"),
        (dict(fields=np.ones((2, 6)), shape=(2, 2)), r"shape \(2, 2\) holds 4 inputs, but the receptive fields have 6"),
        (dict(fields=np.ones(4)), r"shape \(4,\)"),
        (dict(fields={}), "no receptive fields"),
        (dict(fields=np.ones((0, 4))), "hold no cell"),
        (dict(fields={"a": np.ones((1, 4)), "b": np.ones((1, 9))}), r"receptive fields 'b' have shape \(1, 9\)"),
        (dict(fields={"a": np.ones((1, 4)) * nS, "b": np.ones((1, 4))}), "differ in unit"),
        (dict(fields=np.ones((2, 4)), labels=[1]), r"labels number \[1\] for groups of \[2\] cells"),
        (dict(fields=np.ones((2, 4)), titles=["a", "b"]), "2 titles were given for 1 groups"),
        (dict(fields=np.ones((2, 4)), columns=0), "columns is 0"),
    ],
)
def test_receptive_fields_complain(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.receptive_fields(**arguments)


# --- axes of the user -----------------------------------------------------------------------------------------------


def test_figures_draw_into_given_axes():
    own = Figure(figsize=(7, 7), layout="constrained")
    axes = own.subplots(3, 2)
    assert figures.membrane(recording(exc=membrane_part()), cells=1, axes=axes[0, 0]) is own
    assert figures.weights(weight_recording(np.ones((1, 5)), [0]), axes=axes[0, 1]) is own
    assert figures.raster(recording(exc=spiking([0], [(0, 1)])), axes=axes[1]) is own
    assert figures.census(life(), axes=list(axes[2])) is own
    extra = Figure().subplots()
    assert figures.receptive_fields(np.eye(4), axes=extra) is extra.figure
    assert {text.get_fontsize() for panel in axes.flat for text in panel.get_xticklabels()} == {7.0}
    assert axes[0, 0].lines and axes[1, 0].lines and axes[2, 1].lines


def test_a_wrong_number_of_axes_names_the_panels():
    axes = Figure().subplots(2)
    with pytest.raises(ValueError, match=r"2 axes were given, but this figure has 3 panels \(cell 0, cell 3, cell 12\)"):
        figures.membrane(recording(exc=membrane_part()), axes=axes)
