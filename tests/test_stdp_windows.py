"""The gallery of rules of plasticity: the study at its smallest scale, its figure, and the distance of pairings from data."""

import csv
import json

import numpy as np
import pytest
from figure_data import outside, overlaps, seen_texts
from matplotlib.text import Text
from study_scripts import run as run_study

import neurosim as ns
from neurosim import figures, measures, study
from neurosim.measures import Pairings
from neurosim.units import Hz, ms, mV


def conducted(scale, folder):
    """Run the study; return its folder and what it printed."""
    done = run_study("stdp_windows", "--scale", scale, folder=folder, timeout=900)
    assert done.returncode == 0, done.stderr
    return folder / "results" / "stdp_windows", done.stdout


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    return conducted("smoke", tmp_path_factory.mktemp("study"))


def test_the_study_draws_every_rule_of_the_catalogue(smoke):
    folder, printed = smoke
    assert (folder / "stdp_windows.png").read_bytes().startswith(b"\x89PNG") and (folder / "stdp_windows.pdf").is_file()
    assert {row["rule"].split(",")[0] for row in table(folder / "stdp_windows.csv")} == set(ns.synapses()) - {
        "static",
        "stdp_gated",
        "stdp_supervised",
        "credit_gated",
    }
    assert "postsynaptic spikes at most 0 ms off" in printed and "too few to compare" in printed


@pytest.mark.parametrize(("kind", "meets"), [("all", True), ("nearest", False)])
def test_the_window_of_pairs_is_the_closed_form(smoke, kind, meets):
    """Bi & Poo (2001), 0.777 exp(-lag/16.8 ms) and -0.273 exp(lag/33.7 ms) for 60 pairs: here 2, at 20 Hz; the nearest are the control."""
    rows = [row for row in table(smoke[0] / "stdp_windows.csv") if row["rule"] == "stdp_pair" and row["kind"] == kind]
    rows = [row for row in rows if row["panel"] == "post minus pre (ms)"]
    lags, found = (np.array([float(row[column]) for row in rows]) for column in ("lag (ms)", "change"))
    assert lags.tolist() == [-20, -10, -5, 5, 10, 20]
    between = lags[:, None] + [0, 0, 50, -50]  # from each presynaptic spike to each postsynaptic one
    each = np.where(between > 0, 0.777 / 60 * np.exp(-abs(between) / 16.8), -0.273 / 60 * np.exp(-abs(between) / 33.7))
    assert (abs(found / each.sum(axis=1) - 1) < 1e-6).all() == meets


@pytest.mark.slow
def test_both_cells_and_the_published_distances(tmp_path):
    """Pfister & Gerstner (2006), Table 3; 7.6 for the best pair rule."""
    folder, _ = conducted("small", tmp_path)
    found = {(row["rule"], row["kind"], row["cell"]): float(row["E"]) for row in table(folder / "distances.csv")}
    for cell in ("leaky", "Hodgkin-Huxley"):
        assert found["stdp_triplet, visual", "all to all", cell] == pytest.approx(0.342, abs=0.005)
        assert found["stdp_triplet, visual", "all to all minimal", cell] == pytest.approx(0.356, abs=0.005)
        assert found["stdp_pair", "all, best amplitudes", cell] == pytest.approx(7.6, abs=0.1)
    changes = [one["changes"] for one in json.loads((folder / "results.json").read_text()).values()]
    for rule, kinds in changes[0].items():
        for kind, values in kinds.items():
            same = np.allclose(values, changes[1][rule][kind], rtol=1e-3, atol=1e-3)
            assert same == (rule != "stdp_voltage")  # the control: the only rule that reads the potential


# --- distance from data ----------------------------------------------------------------------------------------------

LAGS, RATES = [10, 10, -10] * ms, [1, 20, 20] * Hz
DATA = Pairings(LAGS, RATES, [0.2, 0.4, -0.3], [0.1, 0.2, 0.1])


def test_the_distance_counts_standard_errors():
    exact, off = Pairings(LAGS, RATES, [0.2, 0.4, -0.3]), Pairings(LAGS, RATES, [0.3, 0.0, -0.3])
    assert measures.normalised_error(exact, DATA) == 0
    assert measures.normalised_error(off, DATA) == pytest.approx((1 + 4 + 0) / 3)


def test_protocols_are_matched_by_lag_and_rate():
    shuffled = Pairings([-10, 3, 10, 10] * ms, [20, 1, 20, 1] * Hz, [-0.3, 9, 0.4, 0.2])
    assert measures.normalised_error(shuffled, DATA) == 0
    with pytest.raises(ValueError, match="none at a lag of -10 ms and 20 Hz; play this protocol too"):
        measures.normalised_error(Pairings(LAGS[:2], RATES[:2], [0, 0]), DATA)


def test_the_published_changes_are_as_far_from_sjostroms_data_as_published():
    """Pfister & Gerstner (2006), Table 3: the full fit of all pairs, changes to 0.001, E = 0.342."""
    protocols = np.repeat([10, -10], 5) * ms, np.tile([0.1, 10, 20, 40, 50], 2) * Hz
    means = [-0.04, 0.14, 0.29, 0.53, 0.56, -0.29, -0.41, -0.34, 0.56, 0.75]
    data = Pairings(*protocols, means, [0.05, 0.10, 0.14, 0.11, 0.26, 0.08, 0.11, 0.10, 0.32, 0.19])
    fit = Pairings(*protocols, [0.000, 0.132, 0.247, 0.534, 0.741, -0.312, -0.334, -0.352, 0.155, 0.727])
    assert measures.normalised_error(fit, data) == pytest.approx(0.342, abs=0.005)


def test_the_best_sum_finds_amplitudes_and_refuses_negative_ones():
    up, down = Pairings(LAGS, RATES, [1, 2, 0.0]), Pairings(LAGS, RATES, [0, 0, -1.0])
    factors, best = measures.best_sum([up, down], DATA)
    np.testing.assert_allclose(factors, [0.2, 0.3])
    np.testing.assert_allclose(best.changes, DATA.changes)
    factors, best = measures.best_sum([Pairings(LAGS, RATES, [-1, -2, 0.0]), down], DATA)
    np.testing.assert_allclose(factors, [0, 0.3])
    assert measures.normalised_error(best, DATA) == pytest.approx((4 + 4) / 3)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ((LAGS, RATES, [1, 2]), ValueError, r"changes of shape \(2,\); give 1-D arrays of one length"),
        ((LAGS, RATES, [1, 2, np.nan]), ValueError, "changes of pairings are not all finite"),
        ((LAGS, RATES, [1, 2, 3], [1, 1, 0]), ValueError, "an error of pairings is 0; give standard errors above 0"),
        (([] * ms, [] * Hz, []), ValueError, "give 1-D arrays of one length"),
        (([1, 2, 3] * mV, RATES, [1, 2, 3]), TypeError, "lags of pairings"),
        ((LAGS, LAGS, [1, 2, 3]), TypeError, "rates of pairings"),
    ],
)
def test_what_is_no_pairing_is_named(given, error, message):
    with pytest.raises(error, match=message):
        Pairings(*given)


def test_data_without_errors_have_no_distance():
    with pytest.raises(ValueError, match="data of pairings have no errors"):
        measures.normalised_error(DATA, Pairings(LAGS, RATES, [1, 2, 3]))


# --- the figure ------------------------------------------------------------------------------------------------------


def window(scale):
    lags, rates = [-20, -10, 10, 20, -10, 10, -10, 10], [1, 1, 1, 1, 10, 10, 30, 30]
    return Pairings(lags * ms, rates * Hz, scale * np.array([-1, -2, 3, 1.5, -1, 3, 1, 2]))


MEASURED = Pairings([10, 10, -10, -10] * ms, [1, 30, 1, 30] * Hz, [0.2, 0.3, -0.1, 0.1], [0.1, 0.1, 0.1, 0.1])
SINGLE = Pairings([-15, -4, 6] * ms, [1, 1, 1] * Hz, [-0.3, -0.2, 0.4])
USE = Pairings([10, 10] * ms, [1, 30] * Hz, [0.0, 1.0])
RULES = {
    "pairs": {"all": {"leaky": window(0.1), "Hodgkin-Huxley": window(0.11)}, "nearest": {"leaky": window(0.05)}},
    "use": {"": {"leaky": USE}},
}
MEASUREMENTS = {"someone 1998": (("pairs",), SINGLE), "others 2001": (("pairs",), MEASURED)}


@pytest.fixture(scope="module")
def gallery():
    return figures.plasticity(RULES, MEASUREMENTS)


def drawn(panel):
    return [(line.get_linestyle() != "None", *map(np.ndarray.tolist, map(np.asarray, line.get_data()))) for line in panel.lines]


def test_a_rule_has_a_panel_of_lags_and_one_of_rates(gallery):
    timing, rates, use, legend = gallery.axes
    assert [panel.get_title(loc="left") for panel in gallery.axes] == ["pairs", "", "use", ""]
    assert [panel.get_xlabel() for panel in gallery.axes] == ["post minus pre (ms)", "rate of pairs (Hz)", "rate of pairs (Hz)", ""]
    assert (True, [-20, -10], [-10, -20]) in drawn(timing) and (True, [10, 20], pytest.approx([30, 15])) in drawn(timing)  # lines, in %
    assert (False, [10, 20], pytest.approx([33, 16.5])) in drawn(timing)  # dots of the second cell
    assert (True, [1, 10, 30], pytest.approx([30, 30, 20])) in drawn(rates) and (True, [1, 10, 30], [-20, -10, 10]) in drawn(rates)
    assert (True, [1, 30], [0, 100]) in drawn(use)
    texts = [text.get_text() for text in legend.get_legend().get_texts()]
    assert texts == ["leaky", "Hodgkin-Huxley", "post 10 ms after pre", "post 10 ms before pre", *MEASUREMENTS]


def test_depressing_and_potentiating_order_look_different(gallery):
    styles = {tuple(line.get_ydata()): line.get_linestyle() for line in gallery.axes[1].lines}
    assert styles[-20, -10, 10] == "--" and next(style for y, style in styles.items() if y == pytest.approx((30, 30, 20))) == "-"
    faces = {one[0].get_ydata()[0]: one[0].get_markerfacecolor() for one in gallery.axes[1].containers if one[0].get_color() == "black"}
    assert faces == {20: "black", -10: "white"}


def test_data_carry_their_errors(gallery):
    black = [one for one in gallery.axes[1].containers if one[0].get_color() == "black" and one.has_yerr]
    assert [np.ptp(np.array(one[2][0].get_segments())[:, :, 1], axis=1).tolist() for one in black] == [pytest.approx([20, 20])] * 2
    assert not any(one.has_yerr for one in gallery.axes[0].containers)
    columns = gallery.data
    rows = (columns["cell or data"] == "others 2001") & (columns["lag (ms)"] < 0)
    assert columns["change"][rows].tolist() == [-0.1, 0.1] and columns["error"][rows].tolist() == [0.1, 0.1]
    assert np.isnan(columns["error"][columns["kind"] != "data"]).all() and len(columns["rule"]) == 3 * (4 + 6) + 2 + 3 + 4


def test_it_fills_a_page_and_its_texts_are_apart(gallery):
    """As wide as both columns; with the names of the study's rules and sets."""
    names = ["stdp_pair", "stdp_triplet, visual", "stdp_triplet, culture", "stdp_voltage"]
    kinds = {"all to all": {"leaky": window(1)}, "nearest": {"leaky": window(10)}}
    two = {"depressing": {"leaky": USE}, "facilitating": {"leaky": USE}}
    for figure in (
        gallery,
        figures.plasticity(dict.fromkeys(names, kinds) | {"tsodyks_markram": two}, {"Sjöström et al. 2001": ((), MEASURED)}),
    ):
        assert figure.get_figwidth() == pytest.approx(180 / 25.4, abs=0.01)
        boxes = seen_texts(figure)
        assert overlaps(boxes) == [] and outside(figure, boxes) == []
        assert {text.get_fontsize() for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()} == {7.0}


@pytest.mark.parametrize(
    ("rules", "data", "message"),
    [
        ({}, {}, "was given no rule"),
        ({"pairs": {}}, {}, "pairings of rule 'pairs' make no curve; play 3 lags at one rate, or several rates at one lag"),
        ({"pairs": {"": {"a": Pairings([10, -10] * ms, [1, 1] * Hz, [1, 2])}}}, {}, "pairings of rule 'pairs' make no curve"),
        ({"pairs": {"": dict.fromkeys("abc", USE)}}, {}, "given 3 cells and 0 sets of data; give at most 2 and 3"),
        (RULES, {"x": (("triplets",), MEASURED)}, "data of figures.plasticity are of rule 'triplets', which is not among pairs, use"),
    ],
)
def test_what_does_not_fit_is_named(rules, data, message):
    with pytest.raises(ValueError, match=message):
        figures.plasticity(rules, data)


def test_a_table_is_written_with_a_column_for_each_key(tmp_path):
    study.write_table(tmp_path / "a.csv", [{"rule": "a, b", "E": 0.1}, {"rule": "c", "E": 2.0}])
    assert (tmp_path / "a.csv").read_text() == 'rule,E\n"a, b",0.1\nc,2.0\n'
