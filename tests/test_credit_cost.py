"""What it costs to spread a reward backwards: a time in proportion to synapses, and little of it."""

from dataclasses import replace
from time import process_time

import numpy as np
import pytest
from life_data import rng
from study_scripts import study_fixture

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.recording import PartRecording, Recording
from neurosim.units import mV

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


def test_the_books_and_rules_of_an_epoch_of_a_million_synapses_take_less_than_two_seconds(study):
    """10,000 cells, 1,000,000 synapses and as many permitted pairs: credit, vacating, joining a tenth of what is vacant, and the surgery."""
    now, seen, draw = large(study, 10_000, 1_000_000)
    pairs = ns.Permitted(*draw.integers(2, 10_000, (2, 1_000_000)))
    join = ns.Rewiring("web", regrow=ns.Growth(-np.log(0.9) / study.BIT, pairs), weight=1 * mV, delay=study.DT, label="join")
    vacate = ns.Rewiring("web", prune=ns.WeightBelow(1e-12 * study.SUM), label="vacate")
    rules = [credit(), vacate, ns.Punished(credit(), [join])]
    now = begun(now, rules)
    begin = process_time()
    after, _ = kept(now, seen, rules)
    after = ns.apply(after, sum((rule(after, seen, draw) for rule in rules), ns.Events()))
    assert process_time() - begin < 2
    assert len(after["web"]) - len(now["web"]) == pytest.approx(0.1 * 990_000, rel=0.02)  # of the pairs some are drawn twice, or taken
