"""How much a run folder takes: bytes of an epoch's record and of a kept circuit with 100 000 synapses."""

import numpy as np
import pytest
from kept_lives import Still, no_sync  # noqa: F401
from life_data import develop

import neurosim as ns
from neurosim.units import ms, mV, nS

CELLS, SYNAPSES, EPOCH = 1000, 100_000, 100


@pytest.fixture(scope="module", params=["static", "stdp_pair"])
def sizes(request, tmp_path_factory):
    """Bytes by kind of file, one for each epoch: 1 % of the synapses go and as many come."""
    exc = ns.create("exc", "leaky_conductance", CELLS, state={"v": ns.Normal(-60 * mV, 3 * mV)}, seed=1)
    synapse = ns.load_synapse(request.param)
    synapse = synapse if request.param == "static" else synapse.replace(w_max=3 * nS)
    wiring = ns.FixedProbability(SYNAPSES / (CELLS * (CELLS - 1)))
    weight, delay = ns.Uniform(1 * nS, 2 * nS), 1 * ms
    loop = ns.connect(exc, exc, synapse, wiring, receptor="g_exc", weight=weight, delay=delay, seed=1).replace(name="loop")
    start = ns.Circuit([exc], [loop], seed=1)
    if loop.synapse.plastic:  # traces as they are after some activity: no two alike
        start = start.set("loop", **{trace: np.random.default_rng(1).random(len(loop)) for trace in loop.synapse.variables})
    hazard = -np.log(0.99) / (EPOCH * ms)
    rule = ns.Rewiring("loop", prune=ns.Everyone(), hazard=hazard, regrow=hazard / 9, weight=weight, delay=delay)
    folder = tmp_path_factory.mktemp("sizes") / "life"
    history = develop(start, ns.Phase("p", 4, [rule]), epoch=EPOCH * ms, inputs=[], backend=Still(), keep=ns.RunFolder(folder, every=1))
    events = np.bincount(history.events["epoch"])[1:]
    assert abs(len(start["loop"]) - SYNAPSES) < 1500 and ((events > 1800) & (events < 2200)).all()
    found = {what: [path.stat().st_size for path in sorted((folder / what).iterdir())] for what in ("epochs", "circuits")}
    print(request.param, found, "events", events.tolist(), "run.json", (folder / "run.json").stat().st_size)
    return request.param, found


def test_an_epoch_takes_less_than_60_bytes_an_event(sizes):
    """The first page names all synapses, a later one those that came and went."""
    _, found = sizes
    assert found["epochs"][0] < 8 * SYNAPSES and max(found["epochs"][1:]) < 60 * 0.02 * SYNAPSES
    assert min(found["epochs"][1:]) > 10 * 0.02 * SYNAPSES  # the control: the events are there


def test_a_kept_circuit_takes_less_than_15_bytes_a_synapse(sizes):
    """That is 1.5 MB; where synapses are plastic, two traces of each come to it."""
    model, found = sizes
    most = {"static": 15, "stdp_pair": 30}[model]
    assert max(found["circuits"]) < most * SYNAPSES and min(found["circuits"]) > most / 2 * SYNAPSES
