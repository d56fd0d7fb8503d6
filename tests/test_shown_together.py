"""What an image evokes does not depend on how many images are shown in one run, nor, after a pause, on which the others are."""

import numpy as np
from life_data import rng

import neurosim as ns
from neurosim import measures
from neurosim.units import Hz, ms, mV, nS

HOW = {"record": [ns.Trace("exc", "v")], "backend": ns.Brian2(dt=1 * ms, target="numpy"), "progress": False}
BATCHES = [1, 2, 5, 16, 64, 168]


def network():
    """Inputs and cells that inhibit one another, with delays."""
    source, exc = ns.create("source", "spike_source", 9), ns.create("exc", "leaky_conductance", 6)
    weight = ns.Uniform(1 * nS, 4 * nS)
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="g_exc", weight=weight, delay=2 * ms, seed=1)
    lateral = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="g_inh", weight=2 * nS)
    return ns.Circuit([source, exc], [into, lateral], seed=1)


def in_batches(sizes, forgetting=False):
    """What each of 256 images evokes, shown in runs of so many; or where each run forgets the potentials that the last one left."""
    circuit, images, image = network(), rng(3).uniform(0, 300, (256, 9)) * Hz, 10 * ms
    rest, counts, traces = circuit["exc"].v, [], []
    for size, first in zip(sizes, np.cumsum([0, *sizes[:-1]]), strict=True):
        given = ns.Presentations("source", images[first : first + size], image, circuit.time)
        circuit, recording = ns.simulate(circuit, size * image, inputs=[given], **HOW)
        counts.append(measures.responses(recording, "exc", given))
        traces.append(recording["exc"].trace("v").si)
        circuit = circuit.set("exc", v=rest) if forgetting else circuit
    return np.concatenate(counts), np.concatenate(traces, axis=1)


def test_runs_of_1_to_256_images_evoke_the_same():
    counts, v = in_batches([256])
    assert counts.shape == (256, 6) and counts.sum() > 200
    others, potentials = in_batches(BATCHES)
    assert np.array_equal(others, counts) and np.abs(potentials - v).max() <= 1e-6 * np.abs(v).max()
    forgot, potentials = in_batches(BATCHES, forgetting=True)
    assert not np.array_equal(forgot, counts) and np.abs(potentials - v).max() > 1e-3 * np.abs(v).max()  # the control


def third_of_four(others, pause):
    """What the third of four images evokes, always the same one; the others are drawn with a seed, and pauses are so many images long."""
    images, at = rng(others).uniform(0, 300, (4, 9)), np.arange(4) * (1 + pause)
    images[2] = rng(7).uniform(0, 300, 9)
    rates = np.zeros((at[-1] + 1, 9))
    rates[at] = images
    given = ns.Presentations("source", rates * Hz, 40 * ms)
    _, recording = ns.simulate(network(), len(rates) * 40 * ms, inputs=[given], **HOW)
    steps = slice(40 * at[2], 40 * (at[2] + 1))
    return measures.responses(recording, "exc", given)[at[2]], recording["exc"].trace("v").si[:, steps]


def test_after_a_pause_it_does_not_matter_which_images_the_others_are():
    (counts, v), *rest = (third_of_four(others, pause=12) for others in (1, 2, 3))
    assert counts.sum() > 6 and np.ptp(v) > 5 * float(mV)
    for other, potentials in rest:
        assert np.array_equal(other, counts) and np.abs(potentials - v).max() <= 1e-6 * np.abs(v).max()
    before, after = (third_of_four(others, pause=0)[1] for others in (1, 2))
    assert np.abs(before - after).max() > 1e-3 * np.abs(v).max()  # the control: without one, the image before is felt
