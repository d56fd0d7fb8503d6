"""What it costs to spread a reward backwards: work in proportion to synapses."""

from dataclasses import replace

import numpy as np
from life_data import rng
from study_scripts import study_fixture

import neurosim as ns
from neurosim.recording import PartRecording, Recording

study = study_fixture("live_connections")


def credit(through=("readout", "web")):
    return ns.Credit("out", lambda circuit, recording: -1.0, through, lowest=-1.0)


def large(study, size, number):
    """The circuit of the study with so many hidden cells and synapses between them, cycles among them, that all took part; its ends, drawn."""
    draw, fan = rng(1), (np.arange(size), np.arange(size) % 2)
    web = draw.integers(2, size, (2, number))
    events = ns.Events.link("web", *web, study.SUM, study.DT) + ns.Events.link("readout", *fan, study.DRIVE, study.DT)
    now = ns.apply(study.newborn(0, replace(study.PLANS["smoke"], hidden=size)), events)
    parts = {name: PartRecording(name, 0.04, now[name].ids, np.ones(len(now[name]), int)) for name in now.populations}
    return now.set("web", remembered=study.BIT).set("readout", remembered=study.BIT), Recording(parts, 0, 80, 5e-4), draw


def test_credit_goes_through_each_synapse_once(study, monkeypatch):
    """Ten times the synapses are ten times the work, though every cell is part of a cycle; a projection named again is gone through again."""
    counted, bincount = [], np.bincount
    monkeypatch.setattr(np, "bincount", lambda of, *rest, **how: counted.append(len(of)) or bincount(of, *rest, **how))

    def work(number, through=("readout", "web")):
        counted.clear()
        now, seen, _ = large(study, 300, number)
        counted.clear()
        parts = credit(through).parts(now, seen)
        assert (parts["cells"][2:] > 0).mean() > 0.9
        return sum(counted)

    assert [work(number) for number in (1000, 10_000, 100_000)] == [300 + 1000, 300 + 10_000, 300 + 100_000]
    assert work(1000, ("readout", "web", "web", "web")) == 300 + 3 * 1000  # the control: what the count is for
