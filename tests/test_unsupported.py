"""A model that the backend cannot express says so before anything runs."""

import pytest

import neurosim as ns
from neurosim.units import ms, nS

CLOCKED = """
name = "clocked"
summary = "A trace that is updated in every time step."
references = ["Nobody (2000)."]
equations = '''
dx/dt = -x/tau_x : 1 ({flag})
'''
on_pre = '''
deliver(weight)
x += 1
weight = weight + 0*weight*x
'''

[initial]
x = "0"

[parameters]
tau_x = {{ value = "10*ms", meaning = "decay time of the trace", source = "chosen" }}
"""


@pytest.mark.parametrize("flag", ["clock-driven", "event-driven"])
def test_clock_driven_synapses(flag, tmp_path):
    (tmp_path / "clocked.toml").write_text(CLOCKED.format(flag=flag))
    cells = ns.create("exc", "leaky_conductance", 3)
    loop = ns.connect(cells, cells, ns.load_synapse(tmp_path / "clocked.toml"), ns.AllToAll(), receptor="g_exc", weight=1 * nS)
    circuit, backend = ns.Circuit([cells], [loop]), ns.Brian2(target="numpy")
    if flag == "event-driven":
        after, _ = ns.simulate(circuit, 1 * ms, backend=backend)
        assert after.step == 10
        return
    with pytest.raises(ns.UnsupportedModelError, match="projection 'exc_to_exc' has synapses of 'clocked' with clock-driven equations"):
        ns.simulate(circuit, 1 * ms, backend=backend)
