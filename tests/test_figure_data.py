"""Figures carry what they drew: a table from which a reader can draw them again, and which is saved with them."""

import csv
import pickle

import numpy as np
import pytest
from figure_data import DT, EXAMPLES, example, life, line, membrane_part, recording, spiking, weight_recording
from matplotlib.figure import Figure

from neurosim import figures
from neurosim.figures.style import PaperFigure
from neurosim.figures.tables import joined
from neurosim.recording import Recording
from neurosim.units import mV, nS


def where(data, **values):
    """Return the rows of a table in which columns have these values."""
    chosen = np.all([data[header] == value for header, value in values.items()], axis=0)
    return {header: column[chosen] for header, column in data.items()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_figure_carries_columns_of_one_length(name):
    data = example(name).data
    assert len({len(column) for column in data.values()}) == 1
    for header, column in data.items():
        assert isinstance(header, str) and type(column) is np.ndarray and column.ndim == 1 and len(column)
        assert column.dtype.kind in "iufU"


def test_the_check_of_columns_sees_others():
    assert np.array([1, "a", None], dtype=object).dtype.kind not in "iufU"


@pytest.mark.parametrize("name", ["raster", "census", "clones"])
def test_saving_writes_the_data_of_the_figure_exactly(name, tmp_path):
    figure = EXAMPLES[name]()
    paths = figures.save(figure, tmp_path, name)
    with paths[2].open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(figure.data)
    for header, column in figure.data.items():
        written = np.array([row[header] for row in rows])
        np.testing.assert_array_equal(written if column.dtype.kind == "U" else written.astype(column.dtype), column)


def test_given_data_come_before_those_of_the_figure(tmp_path):
    paths = figures.save(EXAMPLES["weights"](), tmp_path, "weights", {"own": np.arange(2)})
    assert paths[2].read_text() == "own\n0\n1\n"


def test_a_figure_of_given_axes_carries_nothing(tmp_path):
    for own in (Figure(), PaperFigure()):
        figure = figures.weights(weight_recording(np.ones((1, 5)), [0]), axes=own.subplots())
        assert getattr(figure, "data", None) is None
        assert [path.suffix for path in figures.save(figure, tmp_path, "own")] == [".png", ".pdf"]


def test_data_are_made_when_they_are_asked_for_and_once():
    figure, made = PaperFigure(), []

    def columns():
        made.append(1)
        return {"x": np.arange(2)}

    figure.data = columns
    assert made == []
    assert figure.data is figure.data and made == [1]


def test_a_figure_with_its_data_can_be_copied():
    figure = EXAMPLES["raster"]()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(figure)).data["time (s)"], figure.data["time (s)"])


def test_blocks_are_joined_one_below_the_other():
    columns = joined([{"name": "a", "x": np.arange(2)}, {"name": "long", "x": np.arange(0)}, {"name": "bcd", "x": np.array([7])}])
    assert columns["name"].tolist() == ["a", "a", "bcd"] and columns["x"].tolist() == [0, 1, 7]


# --- what is in them ------------------------------------------------------------------------------------------------


def test_the_data_of_membrane_are_its_lines_and_strokes():
    source = recording(exc=membrane_part(theta=True))
    figure = figures.membrane(source, threshold=-50 * mV)
    for row, cell in enumerate((0, 3, 12)):
        own = where(figure.data, panel="v", line="v", cell=cell)
        np.testing.assert_array_equal(own["time (s)"], np.arange(400) * DT)
        np.testing.assert_array_equal(own["value (mV)"], line(figure.axes[row], f"cell {cell}").get_ydata())
        for panel, where_drawn in (("v", (row, "threshold")), ("threshold", (3, f"cell {cell}"))):
            level = where(figure.data, panel=panel, line="threshold", cell=cell)
            np.testing.assert_array_equal(level["value (mV)"], line(figure.axes[where_drawn[0]], where_drawn[1]).get_ydata())
    strokes = where(figure.data, line="spike", cell=3)
    np.testing.assert_allclose(strokes["time (s)"], [0.1, 0.25])
    drawn = [stroke[0, 1] for stroke in figure.axes[1].collections[0].get_segments()]
    np.testing.assert_array_equal(strokes["value (mV)"], drawn)


def test_the_data_of_raster_are_its_spikes_and_rates():
    source = Recording({"exc": spiking([9, 4], [(4, 10), (9, 11), (9, 390)])}, 0, 400, DT)
    figure = figures.raster(source)
    spikes, rate = where(figure.data, panel="spikes"), where(figure.data, panel="rate")
    assert spikes["cell"].tolist() == [4, 9, 9] and spikes["row"].tolist() == [0, 1, 1]
    np.testing.assert_allclose(spikes["time (s)"], [0.010, 0.011, 0.390])
    heights, edges, _ = figure.axes[1].patches[0].get_data()
    np.testing.assert_array_equal(rate["rate (Hz)"], heights)
    np.testing.assert_allclose(np.append(rate["time (s)"], rate["end of bin (s)"][-1]), edges / 1e3)


def test_the_data_of_weights_name_families():
    values = np.array([[1.0, 2.0], [np.nan, 3.0]]) * 1e-9
    data = figures.weights(weight_recording(values, [4, 6]), parents={6: 4}).data
    assert data["synapse"].tolist() == [4, 4, 6, 6] and set(data["family"]) == {4}
    np.testing.assert_allclose(data["weight of in_to_exc (nS)"], [1, 2, np.nan, 3])


def test_the_data_of_the_census_are_its_table_and_measure():
    history, data = life(), example("census").data
    for name, panel in (("exc", "cells"), ("in_to_exc", "synapses")):
        rows, own = history.census[history.census["name"] == name], where(data, name=name)
        assert set(own["panel"]) == {panel}
        for column in ("epoch", "size", "births", "deaths"):
            np.testing.assert_array_equal(own[column], rows[column])
        np.testing.assert_array_equal(own["accuracy"], np.append(np.nan, history.measures["accuracy"]))
    assert own["phase"][[0, 1, 4, 5, 32]].tolist() == ["", "proliferation", "proliferation", "critical period", "adulthood"]
    assert "accuracy" not in figures.census(history).data


def test_the_data_of_a_measure_alone():
    history = life()
    data = figures.census(history, "accuracy", names=[]).data
    assert list(data) == ["epoch", "phase", "accuracy"] and len(data["epoch"]) == 32


def test_the_data_of_fields_are_pixels():
    data = figures.receptive_fields({"young": np.arange(6.0).reshape(1, 6) * nS}, shape=(2, 3), labels={"young": ["x"]}).data
    assert [data[header].tolist() for header in ("row", "column")] == [[0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]]
    np.testing.assert_allclose(data["weight (nS)"], np.arange(6.0))
    assert set(data["group"]) == {"young"} and set(data["label"]) == {"x"}
