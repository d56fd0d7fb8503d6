"""Time scales of a life: from the time step to the lifetime of cells and synapses, and which are too close."""

import warnings

import pytest
from life_data import NUMPY, circuit, develop

import neurosim as ns
from neurosim.timescales import time_constants
from neurosim.units import Hz, ms, nS, second


def plastic(dt=0.1 * ms):
    """Leaky cells of 20 ms, synaptic currents of 5 and 10 ms, traces of 16.8 and 33.7 ms."""
    source, exc = ns.create("source", "spike_source", 2), ns.create("exc", "leaky_conductance", 4)
    synapse = ns.load_synapse("stdp_pair").replace(w_max=1 * nS)
    learning = ns.connect(source, exc, synapse, ns.AllToAll(), receptor="g_exc", weight=0.5 * nS)
    made = ns.Circuit([source, exc], [learning])
    return made if dt is None else made.updated({}, dt_si=float(dt))


def life(epoch=20 * second, hazard=0.002 / second, tau=2 * second):
    rules = [ns.Division("exc", hazard=hazard), ns.CalciumBook("exc", tau), ns.Apoptosis("exc", count=1)]
    return ns.Lifecycle(epoch, [ns.Phase("growth", 3, rules)])


def scales(*arguments, **others):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.TimeScaleWarning)
        return ns.time_scales(*arguments, **others)


def test_all_scales_are_told_in_order():
    rows = scales(plastic(), life()).rows
    assert [(row.group, row.name) for row in rows] == [
        ("time step", "dt"),
        ("membrane", "exc.v"),
        ("receptors", "exc.g_exc"),
        ("receptors", "exc.g_inh"),
        ("plasticity", "source_to_exc.x"),
        ("plasticity", "source_to_exc.y"),
        ("calcium", "exc.calcium"),
        ("epoch", "epoch"),
        ("structure", "growth/division.exc"),
    ]
    assert [row.seconds for row in rows] == pytest.approx([1e-4, 0.02, 0.005, 0.01, 0.0168, 0.0337, 2, 20, 500])


def test_scales_well_apart_give_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ns.TimeScaleWarning)
        found = ns.time_scales(plastic(), life())
    assert found.warnings == [] and "too close" not in str(found)


TOO_CLOSE = [
    ({"dt": 5 * ms}, {}, [("exc.v", "dt")]),
    ({}, {"tau": 100 * ms}, [("exc.calcium", "source_to_exc.y")]),
    ({}, {"tau": 5 * second}, [("epoch", "exc.calcium")]),
    ({}, {"hazard": 0.011 / second}, [("growth/division.exc", "epoch")]),
    ({}, {"hazard": 0.0099 / second}, []),
    ({}, {"tau": 101 * second, "hazard": 0.0019 / second}, []),  # calcium may last many epochs
    ({}, {"tau": 101 * second, "hazard": 0.0021 / second}, [("growth/division.exc", "exc.calcium")]),
    ({}, {"tau": 5 * second, "hazard": 0.02 / second}, [("growth/division.exc", "epoch"), ("epoch", "exc.calcium")]),
]


@pytest.mark.parametrize(("made", "lived", "pairs"), TOO_CLOSE, ids=[str(case[:2])[:60] for case in TOO_CLOSE])
def test_neighbours_that_are_too_close_are_named(made, lived, pairs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = ns.time_scales(plastic(**made), life(**lived))
    caught = [warning for warning in caught if warning.category is ns.TimeScaleWarning]
    assert len(found.warnings) == len(caught) == len(pairs)
    for text, warning, (longer, shorter) in zip(found.warnings, caught, pairs, strict=True):
        assert text.startswith(f"{longer} (") and f"is not 5 times as long as {shorter} (" in text
        assert text in str(warning.message) and warning.filename == __file__
        assert f"too close: {text}" in str(found)


def test_scales_that_are_not_there_are_passed_over():
    now = ns.Circuit([ns.create("exc", "leaky", 4)])
    still = ns.Lifecycle(60 * ms, [ns.Phase("still", 1)])
    found = scales(now, still)
    assert [row.group for row in found.rows] == ["membrane", "epoch"]  # no time step before the first simulation
    assert found.warnings == ["epoch (epoch, 60 ms) is not 5 times as long as exc.v (membrane, 20 ms)"]


def test_the_table_is_readable():
    lines = str(scales(plastic(), life(tau=5 * second))).splitlines()
    assert lines[0].split() == ["scale", "of", "time"]
    assert lines[1].split() == ["time", "step", "dt", "100", "us"] and lines[7].split() == ["calcium", "exc.calcium", "5", "s"]
    assert lines[-1] == "too close: epoch (epoch, 20 s) is not 5 times as long as exc.calcium (calcium, 5 s)"


def test_fastest_and_slowest_rates_of_a_rule():
    """A rule with several rates counts with the fastest; growth curves of synaptic elements with their speed."""
    rewiring = ns.Rewiring("loop", prune=ns.Everyone(), hazard=0.1 / second, regrow=ns.Growth(0.02 / second), weight=1 * nS)
    assert [
        row.seconds for row in scales(circuit(), ns.Lifecycle(1 * second, [ns.Phase("a", 1, [rewiring])])).rows if row.group == "structure"
    ] == [10]
    curve = ns.GaussianGrowth(0.01 / second, 5 * Hz, 1 * Hz)
    pools = [kind("exc", name, curve, "loop") for kind, name in ((ns.AxonalElements, "a"), (ns.DendriticElements, "d"))]
    rows = scales(circuit(), ns.Lifecycle(100 * second, [ns.Phase("a", 1, [ns.ElementWiring(*pools)])])).rows
    assert [(row.group, row.seconds) for row in rows[-3:]] == [("calcium", 10), ("epoch", 100), ("structure", 100)]
    scheduled = ns.Apoptosis("exc", hazard=ns.Schedule([0.01 / second, 0.2 / second]))
    assert scales(circuit(), ns.Lifecycle(1 * second, [ns.Phase("a", 2, [scheduled])])).rows[-1].seconds == 5
    nested = ns.Extinction([ns.Apoptosis("exc", hazard=0.5 / second)], every=2)
    assert scales(circuit(), ns.Lifecycle(1 * second, [ns.Phase("a", 2, [nested])])).rows[-1].seconds == 2


def test_lifetimes_are_measured_in_a_history():
    """Eight cells, of which one dies at each of four boundaries of 4 ms: (8 + 7 + 6 + 5) 4 ms lived over 4 deaths."""
    history = develop(circuit(), ns.Phase("death", 4, [ns.Apoptosis("exc", count=1)]), backend=NUMPY)
    rows = [row for row in scales(history.circuit, ns.Lifecycle(4 * ms, [ns.Phase("death", 4)]), history).rows if row.group == "structure"]
    measured = {row.name: row.seconds for row in rows}
    assert measured["exc, measured"] == pytest.approx(26 * 4e-3 / 4)
    assert measured.keys() == {"exc, measured", "loop, measured", "into, measured"} and "source, measured" not in measured


def test_synapses_have_time_constants():
    taus = time_constants(ns.load_synapse("stdp_triplet"))
    assert list(taus) == ["r1", "o1", "r2", "o2"]
    assert [float(tau) for tau in taus.values()] == pytest.approx([0.0168, 0.0337, 0.101, 0.125])
    assert time_constants(ns.load_synapse("static")) == {}


def test_variables_that_synapses_keep_in_cells_are_of_plasticity():
    exc = ns.create("exc", ns.load_cell("leaky_conductance").keeping("oja"), 3)
    synapse = ns.load_synapse("oja")
    synapse = synapse.replace(**{name: 1 * nS for name in synapse.missing()})
    made = ns.Circuit([exc], [ns.connect(exc, exc, synapse, ns.AllToAll(), receptor="g_exc", weight=0.1 * nS)])
    groups = {row.name: row.group for row in scales(made, life()).rows}
    assert groups["exc.rate"] == "plasticity" and groups["exc.v"] == "membrane"


def test_what_is_no_circuit_or_no_life_is_told():
    now, life = ns.Circuit([ns.create("exc", "leaky", 2)]), ns.Lifecycle(1 * ms, [ns.Phase("life", 1)])
    for wrong in ((life, now), (now, life.phases[0])):
        with pytest.raises(TypeError, match="needs a circuit and a lifecycle"):
            ns.time_scales(*wrong)
