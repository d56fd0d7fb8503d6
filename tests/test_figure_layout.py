"""Figures can be read: text inside and apart, axes labelled, nothing global touched, files written whole."""

import os

import matplotlib
import numpy as np
import pytest
from figure_data import (
    EXAMPLES,
    check_layout,
    example,
    life,
    outside,
    overlaps,
    seen_texts,
)
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

from neurosim import figures
from neurosim.figures.layout import name_spans
from neurosim.figures.scales import time_scale, value_scale
from neurosim.figures.style import PaperFigure
from neurosim.units import kelvin, mV, nS, pF, quantity, uS


@pytest.mark.parametrize("name", EXAMPLES)
def test_text_is_inside_small_and_apart(name):
    check_layout(example(name))


def test_the_overlap_check_sees_overlap_and_overflow():
    figure = PaperFigure(figsize=(3.35, 1), layout="none")
    figure.text(0.5, 0.5, "critical period")
    figure.text(0.55, 0.5, "proliferation")
    figure.text(0.9, 0.9, "far out of the figure")
    boxes = seen_texts(figure)
    assert overlaps(boxes) == [("critical period", "proliferation")]
    assert outside(figure, boxes) == ["far out of the figure"]


def test_names_of_short_phases_take_another_line_and_those_of_long_ones_do_not():
    def heights(phases):
        figure = figures.census(life(phases))
        return {text: box.y0 for text, box in seen_texts(figure) if text in {phase[0] for phase in phases}}

    assert len(set(heights([("proliferation", 1, 2), ("critical period", 3, 4), ("adulthood", 5, 32)]).values())) > 1
    assert len(set(heights([("proliferation", 1, 16), ("adulthood", 17, 32)]).values())) == 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_axis_has_a_label(name):
    figure = example(name)
    for panel in figure.axes:
        if panel.axison:
            assert panel.get_ylabel() or figure.get_supylabel() or figure.axes[0].get_yticklabels()[0].get_text().strip()
    if "fields" not in name:
        assert any(panel.get_xlabel() for panel in figure.axes) or figure.get_supxlabel()


@pytest.mark.parametrize("name", [name for name in EXAMPLES if " " not in name])
def test_nothing_global_changes_and_pyplot_knows_nothing(name):
    before, open_figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    EXAMPLES[name]()
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == open_figures


@pytest.mark.parametrize("name", ["raster", "census", "lineage", "connectivity", "comparison"])
def test_the_settings_of_the_user_do_not_reach_the_figure(name):
    with matplotlib.rc_context({"font.size": 20, "xtick.labelsize": 20, "ytick.labelsize": 20, "axes.facecolor": "black"}):
        figure = EXAMPLES[name]()
        figure.axes[-1].set_xlim(-3, 77)  # new ticks are made outside of the style
        figure.canvas.draw()
        assert {text.get_fontsize() for text in figure.findobj(Text) if text.get_text()} == {7.0}


def test_a_notebook_shows_the_figure():
    assert example("raster")._repr_png_().startswith(b"\x89PNG")


# --- writing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def figure():
    return PaperFigure(figsize=(1, 1))


def test_save_writes_three_files_that_hold_no_date(tmp_path):
    numbers = np.array([0.1, np.nan, 1e-300])
    data = {"time (ms)": np.arange(3), "v, cell 3 (mV)": numbers, "phase": np.array(["a", "b", "c"])}
    paths = figures.save(EXAMPLES["weights"](), tmp_path / "new" / "folder", "raster", data)
    assert [path.name for path in paths] == ["raster.png", "raster.pdf", "raster.csv"]
    assert sorted(os.listdir(tmp_path / "new" / "folder")) == ["raster.csv", "raster.pdf", "raster.png"]
    png, pdf, csv = (path.read_bytes() for path in paths)
    assert png.startswith(b"\x89PNG") and pdf.startswith(b"%PDF")
    assert b"Date" not in pdf and b"tIME" not in png
    assert csv.decode() == 'time (ms),"v, cell 3 (mV)",phase\n0,0.1,a\n1,nan,b\n2,1e-300,c\n'
    np.testing.assert_array_equal(np.genfromtxt(paths[2], delimiter=",", skip_header=1, usecols=1), numbers)
    again = figures.save(EXAMPLES["weights"](), tmp_path, "raster", data)
    assert [path.read_bytes() for path in again] == [png, pdf, csv]
    assert pyplot.imread(paths[0]).shape[1] == pytest.approx(3.35 * 300, abs=1)


def test_without_data_there_is_no_table(figure, tmp_path):
    assert [path.suffix for path in figures.save(figure, tmp_path, "bare")] == [".png", ".pdf"]


def test_a_folder_that_cannot_be_written_is_named_and_nothing_changes(figure, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("here first")
    with pytest.raises(OSError, match=r"figures: folder '.*file' cannot be written \(.*\); choose a folder that you may write to"):
        figures.save(figure, tmp_path / "file", "raster")

    (tmp_path / "raster.png").write_text("old")
    written = []

    def full(path, content):
        written.append(path)
        if len(written) == 2:
            raise PermissionError(13, "Permission denied")
        path.touch()

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    with pytest.raises(PermissionError, match="Permission denied"):
        figures.save(figure, tmp_path, "raster")
    assert sorted(os.listdir(tmp_path)) == ["file", "raster.png"]
    assert (tmp_path / "raster.png").read_text() == "old"


def test_save_refuses_bad_tables_and_names(figure, tmp_path):
    for data, message in [
        ({"t (ms)": np.arange(2), "v (mV)": np.arange(3)}, r"columns differ in length \(t \(ms\): 2, v \(mV\): 3\)"),
        ({"v (mV)": np.ones(2) * mV}, r"column 'v \(mV\)' carries the unit volt"),
        ({"v (mV)": np.ones((2, 2))}, r"shape \(2, 2\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            figures.save(figure, tmp_path, "raster", data)
    with pytest.raises(ValueError, match="plain file name"):
        figures.save(figure, tmp_path, "../raster")
    assert os.listdir(tmp_path) == []


# --- scales ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "symbol"),
    [
        (np.array([0.2]) * nS, "nS"),
        (np.array([0.05]) * nS, "pS"),
        (np.array([300, -0.1]) * nS, "µS"),
        (2 * uS, "µS"),
        (0.01 * mV, "mV"),
        (np.array([3.0]), ""),
        (np.array([np.nan, 2.0]) * nS, "nS"),
        (3 * pF, "pF"),
        (0 * nS, "S"),
        (quantity(1.0, kelvin.dim), "kelvin"),
    ],
)
def test_a_value_reads_between_a_tenth_and_a_hundred(values, symbol):
    assert value_scale(values)[1] == symbol


@pytest.mark.parametrize(("stop", "symbol"), [(0.1, "ms"), (2.0, "ms"), (3.0, "s"), (600.0, "min"), (90000.0, "h")])
def test_time_has_a_fitting_unit(stop, symbol):
    assert time_scale(0.0, stop)[1] == symbol


def test_names_of_spans_need_no_order():
    figure = Figure()
    panel = figure.subplots()
    panel.set_xlim(0, 10)
    name_spans(panel, [("late", 8, 9), ("early", 1, 2)])
    assert len({Text.get_window_extent(text).y0 for text in panel.texts}) == 1
