"""Right calls with every argument given, of which the tests of errors get one wrong at a time."""

import neurosim as ns
from neurosim.units import Hz, ms, mV, nS

NUMPY = ns.Brian2(target="numpy")
EXC, INH = ns.create("exc", "leaky_conductance", 10), ns.create("inh", "leaky_conductance", 4)
SOURCE, ADAPTIVE = ns.create("source", "spike_source", 3), ns.create("adaptive", "leaky_adaptive_threshold", 2)
LOOP = ns.connect(EXC, EXC, "static", ns.FixedProbability(0.3), receptor="g_exc", weight=1 * nS, delay=1 * ms)
DRIVE = ns.connect(SOURCE, ADAPTIVE, ns.load_synapse("stdp_pair").replace(w_max=2 * mV), ns.AllToAll(), receptor="v", weight=1 * mV)
CIRCUIT = ns.Circuit([EXC, SOURCE, ADAPTIVE], [LOOP, DRIVE], seed=1)
BRAKE = ns.connect(EXC, ADAPTIVE, "static", ns.AllToAll(), receptor="direct_inhibition", weight=1 * mV)


def create(size=3, model="leaky_conductance", **others):
    return ns.create("cells", model, size, **others)


def connect(source=EXC, target=INH, synapse="static", wiring=ns.AllToAll(), receptor="g_exc", weight=1 * nS, **others):
    return ns.connect(source, target, synapse, wiring, receptor=receptor, weight=weight, **others)


def simulate(circuit=CIRCUIT, duration=1 * ms, backend=NUMPY, **others):
    return ns.simulate(circuit, duration, backend=backend, progress=False, **others)


def drive(*inputs, **others):
    return simulate(inputs=list(inputs), **others)


def poisson(population="exc", receptor="g_exc", rate=1 * Hz, weight=1 * nS, **others):
    return ns.PoissonInput(population, receptor, rate=rate, weight=weight, **others)


def trace(name="exc", variable="v", **others):
    return simulate(record=[ns.Trace(name, variable, **others)])


def develop(*rules, circuit=CIRCUIT, epochs=2, epoch=2 * ms, modulate=None, **others):
    life = ns.Lifecycle(epoch=epoch, phases=[ns.Phase("youth", epochs=epochs, rules=rules, modulate=modulate or {})])
    return ns.develop(circuit, life, **{"backend": NUMPY, "progress": False, **others})
