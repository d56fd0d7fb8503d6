"""Divisions and deaths in waves: nobody else is changed, thresholds halve, and numbers stay between their bounds."""

from dataclasses import replace

import numpy as np
import pytest
from life_data import NUMPY, recorded, rng
from study_scripts import study_fixture

import neurosim as ns
from neurosim.lifecycle.schedules import at
from neurosim.units import ms, mV, nA, nS, volt

study = study_fixture("dna_extinction")
PICOVOLT = 1e-12  # 1e-9 mV
CURRENTS = {"leaky_conductance": np.linspace(0.25, 0.6, 8) * nA, "traub_miles": np.linspace(0.2, 0.9, 8) * nA}


# --- a division changes nobody else, on NumPy ----------------------------------------------------------------------------


def alone(cell):
    """Cells that currents drive, which excite one another and, all of them, cells that add up what they get and never spike."""
    linear = ns.load_cell("leaky_adaptive_threshold").replace(V_th=0 * mV, tau_m=10 * ms)
    exc, adding = ns.create("exc", cell, 8), ns.create("adding", linear, 3)
    loop = ns.connect(exc, exc, "static", ns.AllToAll(), receptor="g_exc", weight=ns.Uniform(1 * nS, 3 * nS), delay=1 * ms, seed=1)
    out = ns.connect(exc, adding, "static", ns.AllToAll(), receptor="v", weight=ns.Uniform(0.1 * mV, 0.3 * mV), seed=2)
    return ns.Circuit([exc, adding], [loop.replace(name="loop"), out.replace(name="out")], seed=1)


def on(circuit, cell, duration):
    traces = [ns.Trace(name, "v") for name in ("exc", "adding")]
    given = [ns.StepCurrent("exc", "I_e", CURRENTS[cell], cells=np.arange(8))]
    return ns.simulate(circuit, duration, inputs=given, record=traces, backend=NUMPY, progress=False)


def spikes(recording):
    trains = recording["exc"].spikes
    return {(step, cell) for step, cell in zip(trains.step.tolist(), trains.id.tolist(), strict=True) if cell < 8}


@pytest.mark.parametrize("cell", CURRENTS)
def test_for_200_ms_no_spike_changes_and_no_potential_by_more_than_rounding(cell):
    """And what cells add up that are linear changes by no more than 1e-12 of itself. Synapses that are copied whole (the control) are seen."""
    middle, _ = on(alone(cell), cell, 30 * ms)
    _, expected = on(middle, cell, 200 * ms)
    assert len(spikes(expected)) > 30 and len({one for _, one in spikes(expected)}) == 8
    added = expected["adding"].trace("v").si
    swing = np.ptp(added)
    assert swing > 1e-3

    def deviation(newborn):
        circuit = middle.updated({name: middle[name].replace(newborn=newborn) for name in ("loop", "out")})
        divided = ns.apply(circuit, ns.Events.divide("exc", [1, 4, 6], rng=rng(3)))
        assert len(divided["exc"]) == 11
        _, found = on(divided, cell, 200 * ms)
        own, there = (one["exc"].trace("v").si[:8] for one in (found, expected))
        return spikes(found) == spikes(expected), np.abs(own - there).max(), np.abs(found["adding"].trace("v").si - added).max() / swing

    alike, potential, linear = deviation("split")
    assert alike and potential <= PICOVOLT and linear <= 1e-12
    alike, potential, linear = deviation("copy")
    assert not alike and potential > PICOVOLT and linear > 1e-3


# --- absolute thresholds, halved at each wave ----------------------------------------------------------------------------


def chosen(rules, circuit, recording):
    return [set(rule.who(circuit, recording, "exc").ids.tolist()) for rule in rules]


def test_twice_a_scale_divides_and_half_of_it_dies_and_the_scale_halves(study):
    """Cells that pass 1/8 to 8 times the scale of the first wave on, a factor of 2 apart and a hundredth off."""
    powers = 2.0 ** np.arange(-8, 5)
    passed = np.concatenate([0.99 * powers, 1.01 * powers])
    circuit = study.newborn(replace(study.PLANS["smoke"], cells=len(passed)), 0)
    pre = circuit["exc_to_readout"].synapses["pre"]
    circuit = circuit.set("exc_to_readout", weight=passed[pre] * float(study.SCALE) / 10 / 100 * volt)  # ten weights each, at 100 Hz
    recording = recorded(circuit, np.full(len(passed), 100), duration=1.0)
    np.testing.assert_allclose(study.PASSED(circuit, recording, "exc"), passed * float(study.SCALE), rtol=1e-9)
    rules = study.wave(study.PROGRAM, len(passed))
    for number in range(study.LAST):
        scale = 0.5**number
        expected = [set(np.flatnonzero(passed < scale / 2).tolist()), set(np.flatnonzero(passed > 2 * scale).tolist())]
        found = chosen([at(rule, number) for rule in rules], circuit, recording)
        assert found == expected and all(expected)
        assert chosen([at(rule, 0) for rule in rules], circuit, recording) != expected or number == 0  # the control: never halved


# --- bounds --------------------------------------------------------------------------------------------------------------


def waves(study, rules, count=50, cells=30):
    """The number of cells after each of so many waves, by hand: what cells pass on is drawn anew before each, ever more of it."""
    circuit, draw, found = study.newborn(replace(study.PLANS["smoke"], cells=cells), 0), rng(3), []
    for wave in range(count):
        size = len(circuit["exc_to_readout"])
        circuit = circuit.updated({}, epoch=wave).set("exc_to_readout", weight=draw.uniform(0, 0.3 + (wave % 20) / 8, size) * mV)
        recording = recorded(circuit, draw.poisson(30, len(circuit["exc"])), duration=1.0)
        circuit = ns.apply(circuit, sum((rule(circuit, recording, draw) for rule in rules), ns.Events()))
        found.append(len(circuit["exc"]))
    return np.array(found)


def test_50_waves_never_leave_the_bounds_that_rules_have(study):
    """With thresholds, which alone (the control) let numbers leave them on both sides: from 20 to 40 cells by floor and until."""
    dying, dividing = (at(rule, 1) for rule in study.wave(study.PROGRAM, 30))
    bounded = waves(study, [replace(dying, floor=20), replace(dividing, until=40)])
    assert bounded.min() >= 20 and bounded.max() <= 40 and len(set(bounded)) > 5
    assert waves(study, [replace(dying, floor=1), replace(dividing, until=40)]).min() < 20
    assert waves(study, [replace(dying, floor=20), dividing], count=19).max() > 40
