"""Pairs of cells whose spikes are given: what a plastic synapse between them becomes."""

import numpy as np

import neurosim as ns
from neurosim.units import ms, mV, volt

W_MAX = 1 * mV


def pairs_of_cells(size, rules, weight=0.5 * W_MAX, delay=0 * ms, newborn="split"):
    """Independent pairs: source k drives cell k by one synapse of each rule, and teacher k makes that cell spike when told.

    `rules` is one synapse model, whose projection is called plastic, or several of them by the names of their projections.
    """
    rules = rules if isinstance(rules, dict) else {"plastic": rules}
    pre, teacher = ns.create("pre", "spike_source", size), ns.create("teacher", "spike_source", size)
    post = ns.create("post", ns.load_cell("leaky_adaptive_threshold").keeping(*rules.values()), size)
    plastic = [
        ns.connect(pre, post, rule, ns.OneToOne(), receptor="v", weight=weight, delay=delay).replace(name=name, newborn=newborn)
        for name, rule in rules.items()
    ]
    force = ns.connect(teacher, post, "static", ns.OneToOne(), receptor="v", weight=1 * volt).replace(name="force")
    return ns.Circuit([pre, teacher, post], [*plastic, force])


def play(circuit, pre, post, duration, *, dt=0.1 * ms, target="numpy", inputs=(), **others):
    """Simulate given (cell, time in ms) spikes before and after the synapses; a forced cell spikes a step after its teacher."""
    pre, post = np.array(pre).reshape(-1, 2), np.array(post).reshape(-1, 2)
    step = float(dt / ms)
    given = [
        ns.SpikeTimes("pre", pre[:, 0].astype(int), np.round(pre[:, 1], 1) * ms),
        ns.SpikeTimes("teacher", post[:, 0].astype(int), np.round(post[:, 1] - step, 1) * ms),
    ]
    backend = ns.Brian2(dt=dt, target=target)
    after, recording = ns.simulate(circuit, duration, inputs=[*given, *inputs], backend=backend, progress=False, **others)
    spikes = recording["post"].spikes
    assert sorted(zip(spikes.id.tolist(), spikes.step.tolist(), strict=True)) == sorted((int(k), round(t / step)) for k, t in post)
    return after, recording


def trains(lists):
    """Turn one list of spike times (ms) for each cell into (cell, time) rows."""
    return [(k, t) for k, times in enumerate(lists) for t in times]


def change(circuit, after, name="plastic"):
    """What became of each weight of a projection, as a share of w_max."""
    projection = circuit[name]
    return np.asarray(after[name].weight - projection.weight) / projection.synapse.parameters["w_max"].value
