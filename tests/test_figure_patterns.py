"""The gallery of firing patterns: what its panels show, and what it says when texts or data are missing."""

import numpy as np
import pytest
from figure_data import DT, line, membrane_part, recording
from matplotlib.figure import Figure

from neurosim import figures
from neurosim.recording import PartRecording
from neurosim.units import mV, nS

NAMES, CLASSES = ["quiet", "twice", "once"], ["silent", "undetermined", "transient"]


def test_a_gallery_draws_each_cell_with_its_name_its_class_and_its_spikes():
    data = recording(exc=membrane_part())
    figure = figures.firing_patterns(data, NAMES, CLASSES, peak=20 * mV)
    assert [panel.get_title(loc="left") for panel in figure.axes] == NAMES
    assert [panel.texts[0].get_text() for panel in figure.axes] == CLASSES
    spikes = {"quiet": [], "twice": [100, 250], "once": [50]}
    for row, (panel, name) in enumerate(zip(figure.axes, NAMES, strict=True)):
        v = np.asarray(data["exc"].v / mV)[row].copy()
        v[spikes[name]] = 20
        np.testing.assert_allclose(line(panel, name).get_ydata(), v)
    assert [panel.get_xlabel() for panel in figure.axes] == ["", "", "time (ms)"]
    assert figure.axes[0].get_ylabel() == "v (mV)"


def test_spikes_are_drawn_a_little_above_the_highest_potential_unless_told():
    data = recording(exc=membrane_part())
    v = np.asarray(data["exc"].v / mV)
    drawn = line(figures.firing_patterns(data, NAMES, CLASSES).axes[1], "twice").get_ydata()
    assert drawn.max() == pytest.approx(v.max() + 0.1 * np.ptp(v))


def test_the_data_of_a_gallery_are_what_it_shows():
    figure = figures.firing_patterns(recording(exc=membrane_part()), NAMES, CLASSES)
    assert set(figure.data) == {"name", "class", "time (s)", "v (mV)"}
    assert figure.data["class"][figure.data["name"] == "twice"].tolist() == ["undetermined"] * 400
    assert figure.data["v (mV)"][figure.data["name"] == "twice"].argmax() == 100
    panels = Figure().subplots(3)
    assert figures.firing_patterns(recording(exc=membrane_part()), NAMES, CLASSES, axes=panels) is panels[0].figure


def test_a_gallery_says_what_does_not_fit():
    data = recording(exc=membrane_part())
    with pytest.raises(ValueError, match="3 names and 2 classes were given for 3 cells; give one of each for each cell"):
        figures.firing_patterns(data, NAMES, CLASSES[:2])
    with pytest.raises(ValueError, match="1 names and 1 classes were given for 2 cells"):
        figures.firing_patterns(data, ["a"], ["b"], cells=[0, 3])
    with pytest.raises(TypeError, match="peak of figures.firing_patterns"):
        figures.firing_patterns(data, NAMES, CLASSES, peak=1 * nS)
    silent = PartRecording("exc", 400 * DT, membrane_part().ids, None, None, membrane_part().traces)
    with pytest.raises(ValueError, match="spikes"):
        figures.firing_patterns(recording(exc=silent), NAMES, CLASSES)
