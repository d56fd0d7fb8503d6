"""Weights given by the potential that they cause."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.units import Hz, ms, mV, nS

NUMPY = ns.Brian2(target="numpy")


@pytest.mark.parametrize(("model", "receptor"), [("leaky_conductance", "g_exc"), ("leaky_conductance", "g_inh"), ("traub_miles", "g_exc")])
def test_a_small_psp_has_its_amplitude(model, receptor):
    source, cell = ns.create("source", "spike_source", 1), ns.create("cell", model, 1)
    into = ns.connect(source, cell, "static", ns.AllToAll(), receptor=receptor, weight=ns.psp(0.1 * mV))
    times = ns.SpikeTimes("source", 0, [10] * ms)
    _, recording = ns.simulate(ns.Circuit([source, cell], [into]), 60 * ms, inputs=[times], record=[ns.Trace("cell", "v")], backend=NUMPY)
    v = np.asarray(recording["cell"].v[0] / mV)
    # Unitary strengths hold at 1 mV and have 4 digits; the driving force changes by less than 5 % between 0.1 and 1 mV.
    assert np.abs(v - v[0]).max() == pytest.approx(0.1, rel=0.05)


def test_the_weight_is_a_multiple_of_the_unitary_strength():
    cell = ns.create("cell", "leaky_conductance", 2)
    loop = ns.connect(cell, cell, "static", ns.AllToAll(), receptor="g_exc", weight=ns.psp(0.5 * mV)).replace(newborn="wire")
    unitary = cell.model.receptors["g_exc"].unitary
    assert np.asarray(loop.weight) == pytest.approx(0.5 * unitary, rel=1e-12)
    assert np.asarray(loop.weight) != pytest.approx(unitary, rel=1e-3)
    circuit = ns.Circuit([cell], [loop])
    noise = ns.PoissonInput("cell", "g_exc", rate=1 * Hz, weight=ns.psp(2 * mV))
    assert noise.bind(circuit, 1e-4, 0, 10).values["weight"] == pytest.approx(2 * unitary, rel=1e-12)


def test_a_bad_psp_says_so():
    with pytest.raises(TypeError, match="the amplitude of a psp is 1. nS, but it needs the dimension of volt"):
        ns.psp(1 * nS)
    for amplitude in (0 * mV, -1 * mV, np.inf * mV):
        with pytest.raises(ValueError, match="give one finite potential above 0"):
            ns.psp(amplitude)


def test_a_receptor_without_unitary_strength_takes_no_psp():
    cell = ns.create("cell", "leaky_adaptive_threshold", 2)
    with pytest.raises(
        ValueError, match="weight of projection 'cell_to_cell' is given as a psp, but receptor 'direct_inhibition' has no unitary"
    ):
        ns.connect(cell, cell, "static", ns.AllToAll(), receptor="direct_inhibition", weight=ns.psp(1 * mV))
