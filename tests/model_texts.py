"""A cell and a synapse file that are right, for tests that exchange a piece of them."""

from neurosim.models import load_cell, load_synapse

CELL = '''
name = "mine"
summary = "A cell for tests."
references = ["Nobody (2000)."]
method = "exponential_euler"
equations = """
dv/dt = (drive - v + w*R)/tau_m + I_e/C_m : volt (unless refractory)
dw/dt = -w/tau_w : amp
drive = E_L*gain : volt
"""
[spike]
rule = "refractory"
threshold = "v > V_th"
reset = "v = E_L; w += b"
refractory = "tau_ref"
[initial]
v = "E_L"
w = "0*amp"
[parameters]
area = { value = "100*um**2", meaning = "membrane area", source = "chosen" }
tau_m = { value = "10*ms", meaning = "membrane time constant", source = "chosen" }
tau_w = { value = "100*ms", meaning = "adaptation time constant", source = "chosen" }
tau_ref = { value = "2*ms", meaning = "refractory time", source = "chosen" }
E_L = { value = "-70*mV", meaning = "rest", source = "chosen" }
V_th = { value = "-50*mV", meaning = "threshold", source = "chosen" }
b = { value = "-10*pA", meaning = "adaptation", source = "chosen" }
R = { value = "100*Mohm", meaning = "resistance", source = "chosen" }
C_m = { value = "100*pF", meaning = "capacitance", source = "chosen" }
k = { value = 2, meaning = "strength of the current jumps", source = "chosen" }
[shared]
gain = { value = 1.0, meaning = "a factor" }
[receptors]
v = { unitary = "1*mV", sign = "excitatory", meaning = "jump" }
w = { effect = "w_post += k*amount", meaning = "current jump" }
I_e = { kind = "current", meaning = "injected" }
[on]
presentation = "v = E_L + 0*mV/N"
[[expected]]
protocol = "psp"
receptor = "v"
observe = "5*ms"
measure = "psp_peak"
value = "1*mV"
tolerance = "1%"
source = "by construction"
'''

SYNAPSE = '''
name = "mine"
summary = "A synapse for tests."
references = ["Nobody (2000)."]
equations = """
dx/dt = -x/tau : 1 (event-driven)
"""
on_pre = """
deliver(weight*x)
x += 1
"""
on_post = "weight = clip(weight + rate*w_max*x, w_min, w_max)"
bounds = ["w_min", "w_max"]
[initial]
x = "0"
[parameters]
tau = { value = "20*ms", meaning = "trace", source = "chosen" }
w_min = { dimension = "weight", value = 0, meaning = "low" }
w_max = { dimension = "weight", meaning = "high" }
w_total = { dimension = "weight", meaning = "sum" }
[shared]
rate = { value = 0.1, meaning = "learning rate" }
'''


def load_text(folder, text, *changes):
    """Load a model from text, with some pieces of it exchanged; each piece must be there."""
    read = load_cell if "[spike]" in text else load_synapse
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "mine.toml"
    path.write_text(text)
    return read(path)
