"""Figures of a life: lineage trees, clones, degrees and survival show what the history says."""

import sys
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from figure_data import CENSUS, LINEAGE, developed, example, life, line, names_in
from matplotlib.figure import Figure

from neurosim import figures
from neurosim.figures.ancestry import alive, family

CELLS = SimpleNamespace(model=SimpleNamespace(source=False))


def tree(cells, epochs=6, start=0):
    """A life with one population of the given (id, parent, birth, death)."""
    table = np.array([("exc", *cell) for cell in cells], dtype=LINEAGE)
    rows = [(epoch, float(epoch), "", "exc", alive(table, epoch).sum(), 0, 0) for epoch in range(start, epochs + 1)]
    return SimpleNamespace(
        start=SimpleNamespace(epoch=start),
        census=np.array(rows, dtype=CENSUS),
        lineage=table,
        phases=[("growth", start + 1, epochs)],
        circuit=SimpleNamespace(populations={"exc": CELLS}, projections={}),
    )


SMALL = [(0, -1, 0, -1), (1, -1, 0, 5), (2, 0, 1, -1), (3, 0, 3, 4), (4, 2, 2, -1)]


def segments(panel, label):
    return next(np.array(one.get_segments()).reshape(-1, 4) for one in panel.collections if one.get_label() == label)


# --- lineage --------------------------------------------------------------------------------------------------------


def test_each_cell_is_a_line_from_birth_to_death():
    figure = figures.lineage(tree(SMALL))
    (panel,) = figure.axes
    data = figure.data
    assert data["cell"].tolist() == [0, 3, 2, 4, 1]  # daughters beside their mother, the last first
    assert data["founder"].tolist() == [0, 0, 0, 0, 1]
    expected = [(birth, row, end, row) for row, (birth, end) in enumerate([(0, 6), (3, 4), (1, 6), (2, 6), (0, 5)])]
    assert segments(panel, "cells").tolist() == [list(map(float, one)) for one in expected]
    assert segments(panel, "divisions").tolist() == [[3.0, 0.0, 3.0, 1.0], [1.0, 0.0, 1.0, 2.0], [2.0, 2.0, 2.0, 3.0]]
    assert np.transpose(line(panel, "deaths").get_data()).tolist() == [[4, 1], [5, 4]]
    assert panel.get_ylabel() == "5 cells, by founder"
    assert panel.get_xlabel() == "epoch (×: death)"


def test_a_clone_has_one_colour_and_its_founder_is_named_in_it():
    (panel,) = figures.lineage(tree(SMALL)).axes
    lines = next(one for one in panel.collections if one.get_label() == "cells")
    colours = list(map(tuple, lines.get_colors()))
    assert len(set(colours[:4])) == 1 and colours[4] != colours[0]
    assert [text.get_text() for text in panel.get_yticklabels()] == ["0", "1"]
    assert panel.get_yticks().tolist() == [0, 4]
    assert [text.get_color().lower() for text in panel.get_yticklabels()] == ["#0072b2", "#d55e00"]


def crossings(panel):
    """Return the connectors that pass the line of a cell between mother and daughter."""
    lines = segments(panel, "cells")
    crossed = []
    for x, low, _, high in segments(panel, "divisions"):
        inside = (lines[:, 1] > low) & (lines[:, 1] < high) & (lines[:, 0] < x) & (lines[:, 2] > x)
        crossed += [(x, low, high)] * int(inside.any())
    return crossed


def test_no_branch_crosses_another():
    for seed in range(4):
        assert crossings(figures.lineage(developed(3, 20, seed, birth=0.25)).axes[0]) == []


def test_the_check_for_crossings_sees_those_of_cells_in_order_of_id(monkeypatch):
    module = sys.modules["neurosim.figures.lineage"]  # the package has the function under this name
    monkeypatch.setattr(module, "depth_first", lambda table: np.argsort(table["id"]).tolist())
    assert crossings(figures.lineage(developed(3, 20, 1, birth=0.25)).axes[0])


def test_a_tree_without_deaths_or_divisions():
    (panel,) = figures.lineage(tree([(7, -1, 0, -1)])).axes
    assert segments(panel, "cells").tolist() == [[0.0, 0.0, 6.0, 0.0]]
    assert panel.get_xlabel() == "epoch"
    assert panel.get_ylabel() == "1 cell, by founder"


def test_of_too_many_cells_the_largest_clones_are_drawn_and_the_label_says_so():
    cells = [(founder, -1, 0, -1) for founder in range(3)]
    for founder, size in ((0, 50), (1, 180), (2, 110)):
        cells += [(len(cells) + n, founder, 1 + n % 5, -1) for n in range(size)]
    figure = figures.lineage(tree(cells))
    assert figure.axes[0].get_ylabel() == "292 of 343 cells: the 2 largest of 3 clones, by founder"
    assert set(figure.data["founder"]) == {1, 2} and len(figure.data["cell"]) == 292
    one = [(0, -1, 0, -1)] + [(n, 0, 1 + n // 100, -1) for n in range(1, 400)]
    figure = figures.lineage(tree(one))
    assert figure.axes[0].get_ylabel() == "first 300 of 400 cells, by founder"
    assert sorted(figure.data["cell"]) == list(range(300))
    assert figures.lineage(tree(one[:300])).axes[0].get_ylabel() == "300 cells, by founder"


def test_a_branch_begins_at_its_own_start():
    figure = figures.lineage(tree([(3, 1, 2, -1), (5, 3, 4, -1), (6, 3, 7, -1)], epochs=9, start=5))
    assert figure.data["from (epoch)"].tolist() == [5, 7, 5]
    assert figure.axes[0].get_xlim() == (4.5, 9.5)
    assert figure.data["mother"].tolist() == [-1, 3, 3]


def test_the_population_that_changed_is_drawn():
    history = developed()
    assert len(figures.lineage(history).data["cell"]) == (history.lineage["population"] == "exc").sum()
    assert len(figures.lineage(history, "input").data["cell"]) == 5
    with pytest.raises(ValueError, match=r"population 'exx' is not in this history\. Did you mean 'exc'"):
        figures.lineage(history, "exx")
    both = tree(SMALL)
    both.circuit.populations["inh"] = CELLS
    assert figures.lineage(both).data["cell"].size == 5
    both.lineage = np.append(both.lineage, np.array([("inh", 0, -1, 0, 3)], dtype=LINEAGE))
    with pytest.raises(ValueError, match=r"populations exc, inh; choose one with population='exc'"):
        figures.lineage(both)
    both.circuit.populations = {"input": SimpleNamespace(model=SimpleNamespace(source=True))}
    with pytest.raises(ValueError, match="has no population of cells to draw"):
        figures.lineage(both)


# --- clones ---------------------------------------------------------------------------------------------------------


def areas(panel):
    """Return the lower and upper edge of each area by its label, at each of its epochs."""
    found = {}
    for area in panel.collections:
        points = area.get_paths()[0].vertices
        found[area.get_label()] = {
            x: (points[points[:, 0] == x, 1].min(), points[points[:, 0] == x, 1].max()) for x in np.unique(points[:, 0])
        }
    return found


def test_areas_stand_on_each_other_and_add_up_to_the_census():
    history = developed(10)
    (panel,) = figures.clones(history).axes
    found = areas(panel)
    assert len(found) == 7 and list(found)[-1] == "4 others"
    size = history.census[history.census["name"] == "exc"]["size"]
    for epoch in range(25):
        assert list(found.values())[0][epoch][0] == 0
        assert all(upper[epoch][0] == lower[epoch][1] for lower, upper in pairwise(found.values()))
        assert list(found.values())[-1][epoch][1] == size[epoch]
    assert panel.get_ylabel() == "cells, by founder"


def test_clones_are_the_descendants_of_founders():
    figure = figures.clones(tree(SMALL))
    found = areas(figure.axes[0])
    assert [one[1] - one[0] for one in found["0"].values()] == [1, 2, 3, 4, 3, 3, 3]
    assert [one[1] - one[0] for one in found["1"].values()] == [1, 1, 1, 1, 1, 0, 0]
    assert set(figure.data["clone"]) == {"0", "1"}
    assert figure.data["phase"][:3].tolist() == ["", "growth", "growth"]


def test_clones_of_an_epoch_leave_the_cells_before_grey():
    figure = figures.clones(tree(SMALL), at=2)
    found = areas(figure.axes[0])
    assert list(found) == ["0", "1", "2", "4", "earlier"]
    assert [one[1] for one in found["earlier"].values()] == [2, 3, 4]
    assert [one[1] - one[0] for one in found["0"].values()] == [1, 2, 1, 1, 1]
    assert [one[1] - one[0] for one in found["2"].values()] == [1] * 5
    assert figure.axes[0].get_ylabel() == "cells, by ancestor in epoch 2"
    assert names_in(figure.axes[0].get_legend()) == ["clone of 0", "1", "2", "4", "earlier"]
    data = figure.data
    np.testing.assert_array_equal([data["cells"][data["epoch"] == epoch].sum() for epoch in range(7)], [2, 3, 4, 5, 4, 3, 3])


def test_one_founder_is_followed_from_four_cells_on():
    grown = [(0, -1, 0, -1), (1, 0, 1, -1), (2, 0, 3, -1), (3, 1, 3, -1), (4, 0, 4, -1)]
    assert figures.clones(tree(grown)).axes[0].get_ylabel() == "cells, by ancestor in epoch 3"
    assert figures.clones(tree(grown[:3])).axes[0].get_ylabel() == "cells, by ancestor in epoch 0"
    assert list(areas(figures.clones(tree(grown[:3])).axes[0])) == ["0"]


def test_a_cell_that_died_before_has_no_clone():
    found = areas(figures.clones(tree([(0, -1, 0, 2), (1, 0, 1, -1), (2, -1, 4, -1)]), at=3).axes[0])
    assert list(found) == ["1", "2", "earlier"]


def test_the_legend_of_clones_stands_above_the_areas():
    figure = example("clones")
    figure.canvas.draw()
    (panel,) = figure.axes
    top = max(upper for area in areas(panel).values() for _, upper in area.values())
    assert panel.get_legend().get_window_extent().y0 > panel.transData.transform((0, top))[1]


def test_clones_complain():
    with pytest.raises(ValueError, match=r"epoch 9 is not in this life; choose one from 0 to 6"):
        figures.clones(tree(SMALL), at=9)
    with pytest.raises(ValueError, match=r"no cell of population 'exc' lives in epoch 6"):
        figures.clones(tree([(0, -1, 0, 4)]), at=6)
    figures.clones(tree(SMALL), at=6)


def test_a_family_is_in_order_of_birth_and_knows_its_founders_only():
    table = family(tree([(5, 9, 3, -1), (9, 2, 1, -1), (2, -1, 0, 1)], start=1), "exc")
    assert table["id"].tolist() == [9, 5]
    assert table["parent"].tolist() == [-1, 9]


@pytest.mark.parametrize("draw", [figures.lineage, figures.clones])
def test_a_population_without_cells_is_named(draw):
    with pytest.raises(ValueError, match=r"no cell of population 'exc' lived in this history; choose a population with cells"):
        draw(tree([]))


# --- degrees --------------------------------------------------------------------------------------------------------


def test_degrees_show_mean_sd_and_maximum():
    history, figure = developed(), example("degrees")
    rows = history.connectivity[history.connectivity["name"] == "input_to_exc"]
    for panel, end in zip(figure.axes, ("in", "out"), strict=True):
        np.testing.assert_array_equal(line(panel, "mean").get_data(), [rows["epoch"], rows[f"{end}_mean"]])
        np.testing.assert_array_equal(line(panel, "maximum").get_ydata(), rows[f"{end}_max"])
        band = areas(panel)["± 1 sd"]
        np.testing.assert_allclose([high - low for low, high in band.values()], 2 * rows[f"{end}_sd"])
        assert panel.get_ylabel() == f"{end}-degree"
        assert names_in(panel.get_legend()) == ["mean", "± 1 sd", "maximum"]
        assert [patch.get_x() for patch in panel.patches if patch.get_label().startswith("_phase")] == [0.5, 12.5, 16.5]
    assert [text.get_text() for text in figure.axes[0].texts] == ["proliferation", "selection", "adulthood"]
    np.testing.assert_array_equal(figure.data["out-degree, sd"], rows["out_sd"])


def test_the_projection_is_the_only_plastic_one_or_must_be_named():
    history = developed()
    assert set(figures.degrees(history).data["projection"]) == {"input_to_exc"}
    assert set(figures.degrees(history, "loop").data["projection"]) == {"loop"}
    with pytest.raises(ValueError, match=r"projection 'lop' is not in this history\. Did you mean 'loop'"):
        figures.degrees(history, "lop")
    history.circuit.projections["loop"].synapse.plastic = True
    with pytest.raises(ValueError, match=r"projections input_to_exc, loop; choose one with projection='input_to_exc'"):
        figures.degrees(history)
    del history.circuit.projections["input_to_exc"]
    history.circuit.projections["loop"].synapse.plastic = False
    assert set(figures.degrees(history).data["projection"]) == {"loop"}
    history.circuit.projections.clear()
    with pytest.raises(ValueError, match="has no projection to draw"):
        figures.degrees(history)


# --- survival -------------------------------------------------------------------------------------------------------


def test_survival_draws_steps_with_their_band():
    history = developed()
    (panel,) = example("survival").axes
    for name in ("loop", "exc"):
        curve = history.survival(name)
        drawn = line(panel, name)
        np.testing.assert_array_equal(drawn.get_data(), [curve["age"], curve["fraction"]])
        assert drawn.get_drawstyle() == "steps-post"
        band = areas(panel)[f"_band {name}"]
        assert band[0] == (1.0, 1.0)
        assert min(low for low, _ in band.values()) == pytest.approx(curve["low"][-1])
    assert names_in(panel.get_legend()) == ["loop", "input_to_exc", "exc"]
    assert panel.get_ylim()[0] == 0.0 and panel.get_ylim()[1] == pytest.approx(1.0, abs=0.05)


def test_survival_takes_the_projections_that_lost_a_synapse():
    assert names_in(figures.survival(developed()).axes[0].get_legend()) == ["loop"]
    assert names_in(figures.survival(developed(), "exc").axes[0].get_legend()) == ["exc"]
    untouched = developed()
    untouched.census["deaths"] = 0
    with pytest.raises(ValueError, match=r"no projection of this history lost a synapse; name what to draw in names, such as 'exc'"):
        figures.survival(untouched)
    with pytest.raises(ValueError, match=r"'lop' is not in this history; name populations or projections\. Did you mean 'loop'"):
        figures.survival(developed(), ["lop"])
    with pytest.raises(ValueError, match="names is empty"):
        figures.survival(developed(), [])


# --- all ------------------------------------------------------------------------------------------------------------


def test_figures_of_lives_draw_into_given_axes():
    own = Figure(figsize=(7, 7), layout="constrained")
    axes = own.subplots(3, 2)
    assert figures.lineage(developed(2, 8), axes=axes[0, 0]) is own
    assert figures.clones(developed(2, 8), axes=axes[0, 1]) is own
    assert figures.degrees(developed(), axes=axes[1]) is own
    assert figures.survival(developed(), axes=axes[2, 0]) is own
    assert axes[0, 0].collections and axes[0, 1].collections and axes[1, 1].lines and axes[2, 0].lines
    assert not hasattr(own, "data")
    with pytest.raises(ValueError, match=r"1 axes were given, but this figure has 2 panels \(in-degree, out-degree\)"):
        figures.degrees(developed(), axes=axes[2, 1])


def test_a_life_without_phases_or_change_has_its_figures():
    calm = tree([(0, -1, 0, -1), (1, -1, 0, -1)])
    calm.phases = []
    assert figures.clones(calm).data["phase"].tolist() == [""] * 14
    assert figures.lineage(calm).axes[0].texts[:] == []
    assert [text.get_text() for text in figures.census(life(phases=[])).axes[0].texts] == []
