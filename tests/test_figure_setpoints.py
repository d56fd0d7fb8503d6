"""Figures of homeostasis over a life: what cells keep against its target, and the balance of excitation and inhibition."""

import numpy as np
import pytest
from figure_data import example, homeostatic, line, names_in
from matplotlib.figure import Figure

import neurosim as ns
from neurosim import figures
from neurosim.units import Hz, ms, mV, nS, second


def test_a_ledger_is_drawn_with_its_band_and_target():
    history, figure = homeostatic(), example("setpoint")
    rows = history.ledgers[history.ledgers["ledger"] == "calcium"]
    (panel,) = figure.axes
    np.testing.assert_array_equal(line(panel, "median").get_data(), [rows["epoch"], rows["median"]])
    assert set(line(panel, "target").get_ydata()) == {5.0}
    points = panel.collections[0].get_paths()[0].vertices
    for epoch, low, high in rows[["epoch", "low", "high"]][1:]:
        at = points[points[:, 0] == epoch, 1]
        assert (at.min(), at.max()) == pytest.approx((low, high))
    assert panel.get_ylabel() == "calcium (Hz)" and panel.get_xlabel() == "epoch"
    assert names_in(panel.get_legend()) == ["median", "middle half", "target"]
    assert [text.get_text() for text in panel.texts] == ["proliferation", "selection", "adulthood"]
    data = figure.data
    assert list(data) == ["epoch", "phase", "population", "calcium, median (Hz)", "calcium, 25 % (Hz)", "calcium, 75 % (Hz)", "target (Hz)"]
    np.testing.assert_array_equal(data["calcium, 75 % (Hz)"], rows["high"])


def test_a_ledger_without_target_or_dimension():
    figure = figures.setpoint(homeostatic(), "exc", "energy")
    assert names_in(figure.axes[0].get_legend()) == ["median", "middle half"] and figure.axes[0].get_ylabel() == "energy"
    assert "target" not in " ".join(figure.data)


def test_setpoint_complains():
    history = homeostatic()
    with pytest.raises(ValueError, match=r"no population of this history keeps 'calcum'; develop it with .*\. Did you mean 'calcium'"):
        figures.setpoint(history, ledger="calcum")
    with pytest.raises(ValueError, match=r"population 'inh' of this history keeps no 'calcium'"):
        figures.setpoint(history, "inh")
    with pytest.raises(TypeError, match=r"target of 'calcium' is 5\. mV, but it needs the dimension of Hz"):
        figures.setpoint(history, target=5 * mV)
    history.ledgers["name"][1::4] = "inh"
    with pytest.raises(ValueError, match=r"populations inh, exc keep 'energy'; choose one with population='inh'"):
        figures.setpoint(history, ledger="energy")
    with pytest.raises(ValueError, match=r"no population of this history keeps 'calcium'.*There is nothing to choose from"):
        history.ledgers = history.ledgers[:0]
        figures.setpoint(history)


def test_balance_shows_the_ratio_and_the_drives():
    history, figure = homeostatic(), example("epoch_balance")
    ratio, *drives = figure.axes
    exc = history.balance[history.balance["name"] == "exc"]
    np.testing.assert_array_equal(line(ratio, "E:I cells").get_data(), [exc["epoch"], exc["cells"]])
    for panel, name in zip(drives, ("exc", "inh"), strict=True):
        rows = history.balance[history.balance["name"] == name]
        np.testing.assert_array_equal(line(panel, "excitation").get_ydata(), rows["exc"])
        np.testing.assert_array_equal(line(panel, "inhibition").get_ydata(), rows["inh"])
        assert panel.get_ylabel() == f"drive of {name}\n(V/s)" and names_in(panel.get_legend()) == ["excitation", "inhibition"]
    assert all(panel.get_ylim()[0] == 0 for panel in figure.axes)
    data = figure.data
    assert list(data) == ["epoch", "phase", "population", "E:I cells", "excitation (V/s)", "inhibition (V/s)"]
    assert len(data["epoch"]) == 40 and set(data["population"]) == {"exc", "inh"}


def test_what_is_not_known_is_not_drawn():
    history = homeostatic()
    history.balance["cells"] = np.nan
    assert [panel.get_ylabel() for panel in figures.epoch_balance(history, "inh").axes] == ["drive of inh\n(V/s)"]
    history.balance["exc"][::2] = history.balance["inh"][::2] = np.nan  # exc, at a receptor without unitary strength
    assert len(figures.epoch_balance(history).axes) == 1
    history.balance["exc"] = history.balance["inh"] = 0
    with pytest.raises(ValueError, match="this history has no balance to draw"):
        figures.epoch_balance(history)
    history.balance["cells"] = 4
    figure = figures.epoch_balance(history)
    assert [panel.get_ylabel() for panel in figure.axes] == ["E:I cells"] and len(figure.data["epoch"]) == 20
    with pytest.raises(ValueError, match=r"population 'exx' has no balance in this history\. Did you mean 'exc'"):
        figures.epoch_balance(history, "exx")


def test_figures_of_homeostasis_draw_into_given_axes():
    own = Figure(figsize=(7, 7), layout="constrained")
    axes = own.subplots(4)
    assert figures.setpoint(homeostatic(), axes=axes[0]) is own and figures.epoch_balance(homeostatic(), axes=axes[1:]) is own
    assert not hasattr(own, "data") and all(panel.lines for panel in axes)
    with pytest.raises(ValueError, match=r"1 axes were given, but this figure has 3 panels \(E:I cells, exc, inh\)"):
        figures.epoch_balance(homeostatic(), axes=axes[0])


@pytest.fixture(scope="module")
def homeostasis_life():
    """Three epochs of cells that are declared excitatory and inhibitory, with a book of calcium."""
    exc, inh = ns.create("exc", "leaky_conductance", 8, sign="excitatory"), ns.create("inh", "leaky_conductance", 2, sign="inhibitory")
    loop = ns.connect(exc, inh, "static", ns.AllToAll(), receptor="g_exc", weight=1 * nS)
    phase = ns.Phase("life", 3, [ns.CalciumBook("exc", 1 * second)])
    return ns.develop(ns.Circuit([exc, inh], [loop]), ns.Lifecycle(1 * ms, [phase]), backend=ns.Brian2(target="numpy"), progress=False)


def test_a_real_life_has_both(homeostasis_life):
    target = figures.setpoint(homeostasis_life, target=8 * Hz)
    assert len(target.data["epoch"]) == 4 and (target.data["calcium, median (Hz)"][1:] >= 0).all()
    assert [panel.get_ylabel() for panel in figures.epoch_balance(homeostasis_life).axes][0] == "E:I cells"
