"""Synaptic elements that make no sense, or do not fit the circuit: refused before anything runs, by name and with a remedy."""

import numpy as np
import pytest
from test_elements import axon, circuit, dendrite, lived

import neurosim as ns
from neurosim.lifecycle.books import begun
from neurosim.units import Hz, metre, ms, mV, nS, second, um


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: axon(name="my axon"), ValueError, "'my axon' cannot name"),
        (lambda: axon(projections=[]), ValueError, "'axon' of 'exc' are for the projections"),
        (lambda: axon(projections=["one", "one"]), ValueError, "give at least one, and each once"),
        (lambda: axon(curve=0.1 * Hz), TypeError, "give a growth curve"),
        (lambda: axon(calcium=10 * second), TypeError, r"give ns.Calcium\(tau\)"),
        (lambda: axon(vacancy=-1 / second), ValueError, "vacancy of the synaptic elements 'axon' of 'exc'"),
        (lambda: axon(first=-1), ValueError, "are -1 at first"),
        (lambda: ns.ElementWiring([], dendrite()), TypeError, "axonal elements of an ElementWiring"),
        (lambda: ns.ElementWiring(axon(), axon()), TypeError, "dendritic elements of an ElementWiring"),
        (
            lambda: ns.ElementWiring(axon(name="one"), dendrite(name="one")),
            ValueError,
            "two pools of synaptic elements of 'exc' are called 'one'",
        ),
        (lambda: ns.ElementWiring([axon(), axon(name="two")], dendrite()), ValueError, "'exc_to_exc' binds axonal elements of two pools"),
        (
            lambda: ns.ElementWiring(axon(projections=["exc_to_exc", "exc_to_inh"]), dendrite()),
            ValueError,
            "only one side of projection 'exc_to_inh'",
        ),
        (
            lambda: ns.ElementWiring(
                [axon(projections=["exc_to_exc", "exc_to_inh"]), axon("inh", projections=["inh_to_exc"])],
                [dendrite(projections=["exc_to_exc", "inh_to_exc"]), dendrite("inh", projections=["exc_to_inh"])],
            ),
            ValueError,
            "'axon' of 'inh' and .*'den' of 'inh' are paired, but share no projection",
        ),
        (
            lambda: ns.ElementWiring(axon(calcium=ns.Calcium(1 * second)), dendrite()),
            ValueError,
            "tau = 10. s and others 1. s; give ns.Calcium another ledger",
        ),
        (lambda: ns.ElementWiring(axon(), dendrite(), where=0.1), TypeError, "where of an ElementWiring holds 0.1"),
        (
            lambda: ns.ElementWiring(axon(), dendrite(), where=ns.DistanceKernel("gaussian", 1 * um, contacts=2)),
            ValueError,
            "contacts or autapses of its own",
        ),
        (lambda: ns.ElementWiring(axon(), dendrite(), contacts=0), ValueError, "by 0 contacts at most"),
    ],
)
def test_bad_elements_are_refused(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


@pytest.mark.parametrize(
    ("rule", "kind", "words"),
    [
        (ns.ElementWiring(axon("ecx"), dendrite()), ValueError, "no population of this circuit. Did you mean 'exc'"),
        (ns.ElementWiring(axon(projections="loop"), dendrite(projections="loop")), ValueError, "'loop', which is not in the circuit"),
        (ns.ElementWiring(axon("inh"), dendrite()), ValueError, "ledger 'axon' of 'inh' is bound to the \"pre\" end"),
        (ns.ElementWiring(axon(), dendrite("inh")), ValueError, "ledger 'den' of 'inh' is bound to the \"post\" end"),
        (ns.ElementWiring(axon(), dendrite(), weight=1 * mV), TypeError, "weight of new synapses of 'exc_to_exc'"),
        (ns.ElementWiring(axon(), dendrite(), delay=-1 * ms), ValueError, "delay of new synapses of 'exc_to_exc'"),
        (ns.ElementWiring(axon(), dendrite(), delay=ns.Conduction(1 * metre / second)), ValueError, "needs positions"),
        (ns.ElementWiring(axon(), dendrite(), where=ns.DistanceKernel("gaussian", 1 * um)), ValueError, "needs positions"),
        (ns.ElementWiring(axon(name="v"), dendrite()), ValueError, "'v'"),
    ],
)
def test_elements_that_do_not_fit_the_circuit_are_refused_before_a_life(rule, kind, words):
    with pytest.raises(kind, match=words):
        lived(rule)


def test_two_rules_cannot_share_a_pool():
    """Each would pair the same vacant elements; one rule wires all projections of a pool."""
    other = ns.ElementWiring(axon(projections="exc_to_inh"), dendrite("inh", projections="exc_to_inh"), label="other")
    with pytest.raises(ValueError, match="two rules keep 'axon' of 'exc' differently"):
        begun(circuit(), [ns.ElementWiring(axon(), dendrite()), other])


def test_new_synapses_need_a_weight():
    exc = ns.create("exc", "leaky_conductance", 3)
    loop = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="g_exc", weight=np.arange(1, 7) * nS)
    now = ns.Circuit([exc], [loop])
    with pytest.raises(ValueError, match="has one weight for each synapse; give the ElementWiring a weight="):
        ns.ElementWiring(axon(), dendrite()).check(now)
    ns.ElementWiring(axon(), dendrite(), weight=1 * nS).check(now)
