"""Mistakes that a model file can make, each with its own sentence; the commonest lie as files in invalid_models."""

from functools import partial

import pytest
from model_texts import CELL, SYNAPSE, load_text

from neurosim.models import CellModel, SynapseModel, load_cell, load_synapse


@pytest.fixture
def load(tmp_path):
    return partial(load_text, tmp_path)


def test_unknown_models():
    with pytest.raises(ValueError, match="There is no model 'hodgkin_huxly' among the catalogue's cells. Did you mean 'hodgkin_huxley'"):
        load_cell("hodgkin_huxly")
    with pytest.raises(ValueError, match="among the catalogue's synapses. Did you mean 'stdp_pair'"):
        load_synapse("stdp_pairs")
    with pytest.raises(FileNotFoundError, match="There is no model file nowhere/mine.toml"):
        load_cell("nowhere/mine.toml")
    with pytest.raises(ValueError, match="is of a synapse, not of a cell"):
        CellModel.from_specification(load_synapse("static").specification())
    with pytest.raises(ValueError, match="is of a cell, not of a synapse"):
        SynapseModel.from_specification(load_cell("spike_source").specification())


def test_a_file_that_is_not_utf8(tmp_path):
    (tmp_path / "mine.toml").write_bytes(CELL.replace("Nobody", "Müller").encode("latin-1"))
    with pytest.raises(ValueError, match="mine.toml is not readable as TOML: .*; save it as UTF-8"):
        load_cell(tmp_path / "mine.toml")


CELL_MISTAKES = {
    "unknown top-level key": ('method = "exp', 'mehtod = "exp', r"the top level has an unknown key 'mehtod'. Did you mean 'method'"),
    "square beside the variable": (
        "dw/dt = -w/tau_w",
        "dw/dt = -w*(1 - w/b)/tau_w",
        r"method is 'exponential_euler', which needs each dx/dt to be linear in x, and dw/dt is not; it may hold .*; give \"rk2\" or \"rk4\"",
    ),
    "missing key": ('method = "exponential_euler"\n', "", r"the top level lacks the key 'method'"),
    "text that is a number": ('summary = "A cell for tests."', "summary = 3", r"summary is 3; give it as text"),
    "references not a list": ('references = ["Nobody (2000)."]', 'references = "Nobody"', r"references is 'Nobody'; give a list of texts"),
    "product for exact": (
        'exponential_euler"\nequations = """\ndv/dt = (drive - v',
        'exact"\nequations = """\ndv/dt = (drive - v*w/b',
        r"method is 'exact', which needs all equations to be linear: .*'v'.*; give \"rk2\" or \"rk4\"",
    ),
    "blank reference": ('"Nobody (2000)."', '" "', r"references is \[' '\]; name the work that the model is from"),
    "unit of an equation": ("dw/dt = -w/tau_w : amp", "dw/dt = -w/tau_w : amps", r"equation of dw/dt cannot be read: .*amps"),
    "scaled unit": ("dw/dt = -w/tau_w : amp", "dw/dt = -w/tau_w : pA", r"equation of dw/dt cannot be read: .*pA"),
    "equation of two": (
        "dw/dt = -w/tau_w : amp",
        "dw/dt = -w/tau_w : amp\nw = b : amp",
        r"equations cannot be read: .*'w'.*; write each as",
    ),
    "undefined function": (
        "-w/tau_w : amp",
        "-w*expp(1)/tau_w : amp",
        r"equation of dw/dt: 'expp' in .* is not a known function. Did you mean 'exp'",
    ),
    "random numbers": ("-w/tau_w : amp", "-w*rand()/tau_w : amp", r"equation of dw/dt: 'rand' in .* is not a known function"),
    "noise": ("-w/tau_w : amp", "-w/tau_w + b*xi/tau_w**0.5 : amp", r"'xi' in .* is not defined"),
    "dimension of a derivative": ("-w/tau_w : amp", "-w : amp", r"equation of dw/dt: '-w' has the unit amp, but it must have amp/second"),
    "units inside": ("-w/tau_w : amp", "-(w + v)/tau_w : amp", r"equation of dw/dt: the units in '-\(w \+ v\)/tau_w' do not fit"),
    "plain zero": ("v > V_th", "v > 0", r"\[spike\] threshold: the units in 'v > 0' do not fit"),
    "dimension of a subexpression": (
        "drive = E_L*gain : volt",
        "drive = E_L*gain : amp",
        r"equation of .*the units|equation of 'drive': .* must have amp",
    ),
    "integer state": ("drive = E_L*gain : volt", "drive = E_L*gain : volt\nn : integer", r"equation of 'n' is integer; state is real"),
    "flag": (
        "-w/tau_w : amp",
        "-w/tau_w : amp (event-driven)",
        r"equation of 'w' has the flag 'event-driven', which is not understood there; it may have: unless refractory",
    ),
    "reserved name": ("drive", "delay", r"equation of 'delay': the name 'delay' has a meaning of its own"),
    "reserved parameter": ("k = {", "N = {", r"\[parameters\] N: the name 'N' has a meaning of its own"),
    "parameter in the equations": ("k = {", "w = {", r"'w' is both a parameter and in the equations"),
    "current in the parameters": ("k = {", "I_e = {", r"\[receptors\] I_e is a parameter too"),
    "factor in the parameters": ("k = {", "gain = {", r"\[shared\] gain is a parameter too"),
    "factor with a unit": (
        "gain = { value = 1.0",
        'gain = { value = "1*mV"',
        r"\[shared\] gain: value is '1\*mV'; a shared factor has no unit",
    ),
    "infinite factor": ("gain = { value = 1.0", "gain = { value = nan", r"\[shared\] gain: value is nan"),
    "no membrane potential": (
        "(drive - v + w*R)/tau_m + I_e/C_m : volt",
        "(drive*C_m - v + w*R*C_m)/tau_m + I_e : coulomb",
        r"no membrane potential; every cell has a state variable v in volt",
    ),
    "no area": (
        'area = { value = "100*um**2", meaning = "membrane area", source = "chosen" }\n',
        "",
        r"has no membrane area; every cell has an area",
    ),
    "area of a wrong dimension": ("100*um**2", "100*um", r"has no membrane area"),
    "unknown spike rule": ('rule = "refractory"', 'rule = "refractive"', r"\[spike\] rule is 'refractive'. Did you mean 'refractory'"),
    "crossing with reset": (
        'rule = "refractory"',
        'rule = "crossing"',
        r"\[spike\] refractory does not go with rule = \"crossing\"; leave it out",
    ),
    "threshold without condition": ("v > V_th", "v - V_th", r"\[spike\] threshold: 'v - V_th' is not a condition"),
    "reset of a parameter": ("w += b", "V_th += E_L", r"\[spike\] reset: 'V_th' cannot be assigned"),
    "reset of a wrong dimension": ("w += b", "w += E_L", r"\[spike\] reset: the units in 'w \+ \(E_L\)' do not fit"),
    "reset that delivers": ("w += b", "deliver(b)", r"\[spike\] reset: deliver\(b\) belongs in on_pre"),
    "reset with code": ("w += b", "import os", r"\[spike\] reset: 'import os' is not a statement that a model may hold"),
    "refractory time without unit": (
        'refractory = "tau_ref"',
        'refractory = "2"',
        r"\[spike\] refractory: '2' has the unit 1, but it must have second",
    ),
    "initial value of no state": ('w = "0*amp"', 'w = "0*amp"\nu = "0"', r"\[initial\] u is not a state variable"),
    "initial value of a wrong dimension": ('w = "0*amp"', 'w = "0"', r"\[initial\] w: '0' has the unit 1, but it must have amp"),
    "initial value in the wrong order": ('v = "E_L"\nw', 'v = "E_L + w*R"\nw', r"\[initial\] v: 'w' in 'E_L \+ w\*R' is not defined"),
    "initial value from a later one": ('v = "E_L"\nw', 'v = "late"\nw', r"'late' in|\[initial\] needs what is not known yet"),
    "infinite initial value": ('w = "0*amp"', 'w = "inf*amp"', r"\[initial\] w is inf; give a finite value"),
    "initial value divided by zero": ('w = "0*amp"', 'w = "b*(1/0)"', r"\[initial\] cannot be worked out"),
    "parameter with empty source": ('source = "chosen" }\nk', 'source = " " }\nk', r"\[parameters\] C_m has an empty source"),
    "parameter without value": ('value = "100*pF", ', "", r"\[parameters\] C_m lacks the key 'value'"),
    "parameter that is no table": (
        'k = { value = 2, meaning = "strength of the current jumps", source = "chosen" }',
        "k = 2",
        r"\[parameters\] k is 2; write it as",
    ),
    "unknown parameter key": (
        'meaning = "capacitance"',
        'meening = "capacitance"',
        r"\[parameters\] C_m has an unknown key 'meening'. Did you mean 'meaning'",
    ),
    "value that is no number": ("100*pF", "100 pF", r"\[parameters\] C_m: value: '100 pF' is not an expression"),
    "value nan": ("k = { value = 2", "k = { value = nan", r"\[parameters\] k: value is nan"),
    "value by code": ("100*pF", "__import__('os').getpid()", r"\[parameters\] C_m: value: .*not understood"),
    "receptor kind": ('kind = "current"', 'kind = "curent"', r"\[receptors\] I_e: kind is 'curent'. Did you mean 'current'"),
    "receptor sign": ('sign = "excitatory"', 'sign = "exitatory"', r"\[receptors\] v: sign is 'exitatory'. Did you mean 'excitatory'"),
    "current with strength": (
        'kind = "current"',
        'kind = "current", unitary = "1*pA"',
        r"\[receptors\] I_e: unitary does not go with kind",
    ),
    "current in the equations": (
        "drive = E_L*gain : volt",
        "drive = E_L*gain : volt\nI_e = b : amp",
        r"\[receptors\] I_e is in the equations too",
    ),
    "undeclared current": ('I_e = { kind = "current", meaning = "injected" }\n', "", r"equation of dv/dt: 'I_e' in .* is not defined"),
    "effect on another variable": (
        "w_post += k*amount",
        "v_post += k*amount",
        r"\[receptors\] w: effect: 'v_post' cannot be assigned. Did you mean 'w_post'",
    ),
    "effect of a wrong dimension": ("w_post += k*amount", "w_post += k*amount*R", r"\[receptors\] w: effect: the units in .* do not fit"),
    "effect of two statements": ("w_post += k*amount", "w_post += k*amount; w_post += b", r"has 2 statements; write one"),
    "unitary of a wrong dimension": (
        'unitary = "1*mV"',
        'unitary = "1*nS"',
        r"\[receptors\] v: unitary is '1\*nS'; give a positive number in volt",
    ),
    "unitary negative": ('unitary = "1*mV"', 'unitary = "-1*mV"', r"\[receptors\] v: unitary is '-1\*mV'; give a positive"),
    "unitary unreadable": ('unitary = "1*mV"', 'unitary = "1*mv"', r"\[receptors\] v: unitary: 'mv' in '1\*mv' is not defined"),
    "unknown event": ("presentation =", "presentations =", r"\[on\] has an unknown key 'presentations'. Did you mean 'presentation'"),
    "event of a wrong dimension": ("0*mV/N", "0*mV*N*R", r"\[on\] presentation: the units in .* do not fit"),
    "N outside of events": ("w*R)/tau_m", "w*R*N)/tau_m", r"equation of dv/dt: 'N' in .* is not defined"),
    "protocol key unknown": ("observe =", "obsrve =", r"\[\[expected\]\] row 1 has an unknown key 'obsrve'. Did you mean 'observe'"),
    "protocol setting of a wrong dimension": (
        'observe = "5*ms"',
        'observe = "5*mV"',
        r"row 1: observe is '5\*mV', but it needs the unit second",
    ),
    "unknown measure": ('measure = "psp_peak"', 'measure = "peak"', r"row 1: measure is 'peak', which this protocol does not give"),
    "expected value of a wrong dimension": ('value = "1*mV"\n', 'value = "1*nS"\n', r"row 1: value is '1\*nS', but it needs the unit volt"),
    "tolerance unreadable": ('"1%"', '"x%"', r"row 1: tolerance: 'x' in 'x' is not defined"),
    "receptor of a row": ('receptor = "v"', 'receptor = "I_e"', r"row 1: receptor is 'I_e', which takes no spikes"),
    "receptor without strength": ('receptor = "v"', 'receptor = "w"', r"row 1: receptor 'w' has no unitary strength; give a weight"),
    "parameters of a row": (
        'receptor = "v"',
        'receptor = "v"\nparameters = { kk = "1" }',
        r"row 1: parameters: cell model 'mine' has no parameter 'kk'",
    ),
    "rows that are no tables": ("[[expected]]", "[expected]", r"expected is .*; give tables, \[\[expected\]\]"),
}


@pytest.mark.parametrize("mistake", CELL_MISTAKES)
def test_mistakes_in_cells(load, mistake):
    old, new, message = CELL_MISTAKES[mistake]
    text = CELL
    if mistake == "initial value from a later one":
        text = CELL.replace("drive = E_L*gain : volt", "drive = E_L*gain : volt\nlate = E_L + w*R : volt")
    with pytest.raises(ValueError, match=message) as caught:
        load(text, (old, new))
    assert "mine.toml" in str(caught.value) and "\n" not in str(caught.value).strip()


SYNAPSE_MISTAKES = {
    "unknown key": ("on_pre =", "onpre =", r"the top level has an unknown key 'onpre'. Did you mean 'on_pre'"),
    "nothing delivered": ("deliver(weight*x)\n", "", r"on_pre delivers nothing; add a line such as deliver\(weight\)"),
    "two things delivered": ("deliver(weight*x)", "deliver(weight, x)", r"on_pre: 'deliver\(weight, x\)' is not a statement"),
    "delivered after": ('on_post = "weight', 'on_post = "deliver(weight); weight', r"on_post: deliver\(weight\) belongs in on_pre"),
    "delivered dimension": (
        "deliver(weight*x)",
        "deliver(tau*x)",
        r"on_pre: deliver: 'tau \* x' has the unit second, but it must have siemens",
    ),
    "no weight in between": (
        "deliver(weight*x)",
        "deliver(wieght*x)",
        r"on_pre: deliver: 'wieght' in 'wieght \* x' is not defined. Did you mean 'weight'",
    ),
    "assignment of a parameter": ("x += 1", "tau += 1", r"on_pre: 'tau' cannot be assigned"),
    "assignment of the share": ("x += 1", "share = 1", r"on_pre: 'share' cannot be assigned"),
    "units": ("rate*w_max*x", "rate*tau*x", r"on_post: the units in .* do not fit"),
    "way of updating": (" (event-driven)", "", r"equation of 'x' does not say how it is updated"),
    "bounds of one": ('["w_min", "w_max"]', '["w_max"]', r"bounds is \['w_max'\]; name two parameters with dimension = \"weight\""),
    "bounds of unknown": ('["w_min", "w_max"]', '["w_min", "tau"]', r"bounds is \['w_min', 'tau'\]; name two parameters"),
    "dimension of a parameter": (
        'dimension = "weight", value = 0',
        'dimension = "siemens", value = 0',
        r"\[parameters\] w_min: dimension is 'siemens'; only \"weight\" can be said",
    ),
    "empty references": ('["Nobody (2000)."]', "[]", r"references is \[\]; name the work that the model is from"),
    "normalise": ('["Nobody (2000)."]', '["Nobody (2000)."]\nnormalise = "incomming"', r"normalise is 'incomming'; give \"incoming\""),
    "normalise without total": (
        'w_total = { dimension = "weight", meaning = "sum" }',
        'w_total = { value = 1, meaning = "sum", source = "chosen" }',
        None,
    ),
    "state without initial value": ('x = "0"\n', "", r"\[initial\] lacks the state variable 'x'"),
    "unused parameter": ("-x/tau", "-x/second", r"parameter 'tau' is never used"),
    "unused factor": ("rate*w_max", "w_max", r"parameter 'rate' is never used"),
    "weight as state": (
        " (event-driven)",
        " (event-driven)\nweight : siemens",
        r"equation of 'weight': the name 'weight' has a meaning of its own",
    ),
}


@pytest.mark.parametrize("mistake", SYNAPSE_MISTAKES)
def test_mistakes_in_synapses(load, mistake):
    old, new, message = SYNAPSE_MISTAKES[mistake]
    text = SYNAPSE
    if mistake == "normalise without total":
        text, message = (
            SYNAPSE.replace('["Nobody (2000)."]', '["Nobody (2000)."]\nnormalise = "incoming"'),
            r"normalise needs a parameter w_total with dimension = \"weight\"",
        )
    with pytest.raises(ValueError, match=message) as caught:
        load(text, (old, new))
    assert "mine.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("-w/tau_w : amp", "-w/tau_w : __import__('os').abort()"),
        ("-w/tau_w : amp", "-w/tau_w : amp.__class__"),
        ("v > V_th", "v > V_th or __import__('os').abort()"),
        ("w += b", "w = (lambda: b)()"),
        ("100*pF", "[pF for pF in ()]"),
    ],
)
def test_loading_runs_no_code(load, old, new):
    with pytest.raises(ValueError, match="mine.toml"):
        load(CELL, (old, new))
