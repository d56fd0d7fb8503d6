"""Figures of weights at kept epochs: distributions and matrices."""

import numpy as np
import pytest
from figure_data import Kept, developed, example, line, names_in, seen_texts
from matplotlib.figure import Figure

import neurosim as ns
from neurosim import figures
from neurosim.figures.weight_histogram import _edges
from neurosim.units import nS


def with_kept(epochs, **arguments):
    history = developed()
    history.kept = Kept(epochs, **arguments)
    return history


# --- distributions --------------------------------------------------------------------------------------------------


def test_each_kept_epoch_is_a_line_over_common_bins():
    figure = figures.weight_histogram(with_kept([0, 8, 24]))
    (panel,) = figure.axes
    data, kept = figure.data, Kept([0, 8, 24])
    for epoch, label in ((0, "epoch 0"), (8, "8"), (24, "24")):
        weight = np.asarray(kept[epoch]["input_to_exc"].weight / nS)
        own = data["epoch"] == epoch
        edges = np.append(data["start of bin (nS)"][own], data["end of bin (nS)"][own][-1])
        counts = np.histogram(weight, edges)[0]
        assert counts.sum() == len(weight) == data["synapses"][own].sum()
        np.testing.assert_allclose(line(panel, label).get_ydata(), counts / len(weight))
        np.testing.assert_allclose(line(panel, label).get_xdata(), (edges[1:] + edges[:-1]) / 2)
    assert names_in(panel.get_legend()) == ["epoch 0", "8", "24"]
    assert len({one.get_color() for one in panel.lines}) == 3
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("weight, input_to_exc (nS)", "fraction of synapses")


def test_many_epochs_are_a_map_with_a_column_each():
    figure = example("weight histogram of many")
    panel, bar = figure.axes
    (mesh,) = [one for one in panel.collections if hasattr(one, "get_coordinates")]
    values, data = np.ma.asarray(mesh.get_array()), figure.data
    assert values.shape[1] == 16
    np.testing.assert_allclose(values.filled(0.0).sum(axis=0), 1.0)
    np.testing.assert_array_equal(values.filled(0.0).T.ravel(), data["fraction of synapses"])
    assert np.ma.getmaskarray(values).sum() == (data["synapses"] == 0).sum() > 0
    assert mesh.get_coordinates()[0, :3, 0].tolist() == [-0.5, 2.0, 6.0]
    assert bar.get_ylabel() == "fraction of synapses" and panel.get_xlabel() == "epoch"
    assert len(figures.weight_histogram(with_kept(range(8))).axes) == 1
    assert len(figures.weight_histogram(with_kept(range(9))).axes) == 2


def test_more_synapses_have_more_bins_within_limits():
    assert [len(_edges([np.linspace(0, 1, count)])) - 1 for count in (1, 1000, 10**6)] == [10, 20, 40]
    np.testing.assert_allclose(_edges([np.zeros(5)])[[0, -1]], [0.0, 1.0])
    np.testing.assert_allclose(_edges([np.array([-2.0, 3.0]), np.array([4.0])])[[0, -1]], [-2.0, 4.0])


def test_the_unit_fits_the_largest_weight():
    assert figures.weight_histogram(with_kept([0, 4], weight=1e-3)).axes[0].get_xlabel() == "weight, input_to_exc (pS)"


@pytest.mark.parametrize("draw", [figures.weight_histogram, figures.connectivity])
def test_epochs_that_were_not_kept_are_named(draw):
    history = with_kept([0, 8])
    with pytest.raises(ValueError, match=r"the circuits of epochs 3, 7 were not kept \(kept: 0, 8\); choose epochs among those kept"):
        draw(history, epochs=[0, 3, 7])
    assert history.kept.read == []
    draw(history, epochs=8)
    assert set(history.kept.read) == {8}


def test_each_circuit_is_read_once():
    for draw in (figures.weight_histogram, figures.connectivity):
        history = with_kept(range(12))
        draw(history)
        assert len(history.kept.read) == len(set(history.kept.read))


# --- matrices -------------------------------------------------------------------------------------------------------


def test_each_matrix_is_what_is_delivered_and_blank_where_nothing_is():
    figure = figures.connectivity(developed(), "loop", epochs=[0, 8])
    kept = Kept([0, 8])
    for panel, epoch in zip(figure.axes, (0, 8), strict=False):
        circuit = kept[epoch]
        shown = panel.images[0].get_array()
        matrix = np.asarray(circuit.weight_matrix("loop") / nS)
        np.testing.assert_allclose(shown.filled(0.0), matrix)
        np.testing.assert_array_equal(np.ma.getmaskarray(shown), matrix == 0)
        assert panel.get_title(loc="left") == f"epoch {epoch}"
    assert len({panel.images[0].get_clim() for panel in figure.axes[:2]}) == 1
    assert figure.axes[-1].get_ylabel() == "weight (nS)\nblank: no synapse"
    assert (figure.get_supxlabel(), figure.get_supylabel(), figure.get_suptitle()) == ("exc cell (post)", "exc cell (pre)", "loop")


def pixels(figure, panel, row, column):
    figure.canvas.draw()
    x, y = panel.transData.transform((column, row))
    return tuple(np.asarray(figure.canvas.buffer_rgba())[round(figure.bbox.height - y), round(x), :3].tolist())


def test_a_weight_of_zero_looks_other_than_no_synapse():
    cells = ns.create("exc", "leaky_conductance", 2)
    loop = ns.connect(cells, cells, "static", ns.Pairs([0, 0], [0, 1]), receptor="g_exc", weight=[0.0, 1.0] * nS)
    history = developed()
    history.kept = {0: ns.Circuit([cells], [loop.replace(name="loop")])}
    figure = figures.connectivity(history, "loop")
    zero, one, none = (pixels(figure, figure.axes[0], *place) for place in ((0, 0), (0, 1), (1, 0)))
    assert none == (255, 255, 255)
    assert len({zero, one, none}) == 3


def test_synapses_between_the_same_cells_add_up():
    cells = ns.create("exc", "leaky_conductance", 2)
    loop = ns.connect(cells, cells, "static", ns.AllToAll(contacts=3), receptor="g_exc", weight=1 * nS)
    history = developed()
    history.kept = {0: ns.Circuit([cells], [loop.replace(name="loop")])}
    figure = figures.connectivity(history, "loop")
    assert figure.data["weight (nS)"].tolist() == pytest.approx([3.0, 3.0])
    assert list(zip(figure.data["pre"], figure.data["post"], strict=True)) == [(0, 1), (1, 0)]


def test_six_matrices_are_chosen_evenly_and_the_title_says_so():
    figure = figures.connectivity(with_kept(range(11)), "loop")
    assert [panel.get_title(loc="left") for panel in figure.axes[:6]] == [f"epoch {epoch}" for epoch in (0, 2, 4, 6, 8, 10)]
    assert figure.get_suptitle() == "loop, 6 of 11 kept epochs"
    assert figures.connectivity(with_kept(range(6)), "loop").get_suptitle() == "loop"
    with pytest.raises(ValueError, match=r"7 epochs were given for figures\.connectivity, which has room for 6"):
        figures.connectivity(with_kept(range(11)), epochs=range(7))


def test_a_matrix_without_synapses_has_its_size_in_the_data():
    cells = ns.create("exc", "leaky_conductance", 2)
    loop = ns.connect(cells, cells, "static", ns.Pairs([], []), receptor="g_exc", weight=1 * nS)
    history = developed()
    history.kept = {0: ns.Circuit([cells], [loop.replace(name="loop")])}
    figure = figures.connectivity(history, "loop")
    assert {header: column.tolist() for header, column in figure.data.items()}["cells (post)"] == [2]
    assert figure.data["row"].tolist() == [-1]
    assert figure.axes[0].images[0].get_array().mask.all()


@pytest.mark.parametrize("draw", [figures.weight_histogram, figures.connectivity])
def test_an_epoch_without_synapses_does_not_change_the_unit(draw):
    cells = ns.create("exc", "leaky_conductance", 2)
    wirings = {0: ns.Pairs([], []), 1: ns.AllToAll()}
    history = developed()
    history.kept = {
        epoch: ns.Circuit([cells], [ns.connect(cells, cells, "static", wiring, receptor="g_exc", weight=1 * nS).replace(name="loop")])
        for epoch, wiring in wirings.items()
    }
    texts = {text for text, _ in seen_texts(draw(history, "loop"))}
    assert any("(nS)" in text for text in texts) and not any("(S)" in text for text in texts)


def test_figures_of_synapses_draw_into_given_axes():
    own = Figure(figsize=(7, 7), layout="constrained")
    axes = own.subplots(2, 2)
    assert figures.weight_histogram(developed(), axes=axes[0, 0]) is own
    assert figures.connectivity(with_kept(range(0, 25, 4)), epochs=[0, 4], axes=axes[1]) is own
    assert axes[1, 0].get_title(loc="left") == "input_to_exc: epoch 0"
    assert axes[1, 1].get_xlabel() == "exc cell (post)"
    with pytest.raises(ValueError, match=r"1 axes were given, but this figure has 2 panels \(epoch 0, epoch 4\)"):
        figures.connectivity(developed(), epochs=[0, 4], axes=axes[0, 1])
