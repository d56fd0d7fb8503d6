"""One invalid model file beside one valid: each file of the folder is the valid one but for the slip that it is named after."""

import difflib
from pathlib import Path

import numpy as np
import pytest

import neurosim as ns
from neurosim.units import ms, pA

FOLDER = Path(__file__).parent / "invalid_models"
VALID = FOLDER / "valid.toml"

# what is said after the path of the file, and which line stands in the valid one
MESSAGES = {
    "duplicate_parameter": (
        ' is not readable as TOML: Cannot overwrite a value (at line 29, column 101), \'C_m     = { value = "200*pF", meaning = '
        '"membrane capacitance", source = "1 uF/cm2 times the area" }\'; put texts in quotes and each key once.'
    ),
    "empty_references": ": references is []; name the work that the model is from, with its DOI.",
    "equation_that_brian2_rejects": (
        ": equation of dw/dt cannot be read: 'BitXor' is not arithmetic; write each as dx/dt = -x/tau : volt, in a base unit (1 for none)."
    ),
    "equation_that_the_method_rejects": (
        ": method is 'exponential_euler', which needs each dx/dt to be linear in x: The expression '{}', defining the variable 'v', could not "
        'be separated into linear components; give "rk2" or "rk4".'
    ),
    "equation_without_unit": (
        ": equation of dw/dt cannot be read: it has no unit; write each as dx/dt = -x/tau : volt, in a base unit (1 for none)."
    ),
    "missing_initial_value": ": [initial] lacks the state variable 'w'; give it a value.",
    "missing_key": ": [[expected]] row 1 lacks the key 'measure'; add it.",
    "missing_unit": ": [spike] threshold: the units in 'v > V_th' do not fit: {}; correct the text or a parameter (V_th has no unit).",
    "not_toml": " is not readable as TOML: Invalid value (at line 17, column 5), 'v = E_L'; put texts in quotes and each key once.",
    "parameter_without_source": ": [parameters] g_L lacks the key 'source'; add it.",
    "receptor_of_an_unknown_variable": ": [receptors] u: 'u' is not a state variable. Choose one of: v, w.",
    "reset_without_refractory": ': [spike] lacks the key \'refractory\' of rule = "refractory"; add it, or use rule = "crossing".',
    "undefined_name": ": equation of dw/dt: 'tau_v' in '-w/tau_v' is not defined. Did you mean 'tau_w'?",
    "unit_of_a_wrong_dimension": (
        ": equation of dv/dt: '(g_L*(E_L - v) - w + I_e)/C_m' has the unit 1, but it must have volt/second; "
        "correct the text or a parameter (C_m has amp, g_L has siemens, E_L has volt)."
    ),
    "unknown_key": ": [spike] has an unknown key 'refractory_time'. Did you mean 'refractory'?",
    "unknown_method": ": method is 'exponential_oiler'. Did you mean 'exponential_euler'?",
    "unknown_protocol": ": [[expected]] row 1: protocol is 'resting', which is not known. Did you mean 'rest'?",
    "unknown_unit": ": [parameters] C_m: value: 'pf' in '200*pf' is not defined. Did you mean 'pF'?",
    "unused_current": ": [receptors] I_e is a current that no equation uses; add it to dv/dt, or leave it out.",
    "unused_parameter": ": parameter 'tau_m' is never used; use it or remove it.",
}


def test_every_file_is_tested():
    assert {path.stem for path in FOLDER.iterdir()} == {*MESSAGES, VALID.stem}


@pytest.mark.parametrize("slip", MESSAGES)
def test_an_invalid_file(slip):
    """Brian2's own words, which differ between its versions, stand where the message has {}."""
    path = FOLDER / f"{slip}.toml"
    with pytest.raises(ValueError) as caught:
        ns.load_cell(path)
    before, _, after = f"{path}{MESSAGES[slip]}".partition("{}")
    said = str(caught.value)
    assert said.startswith(before) and said.endswith(after) and "\n" not in said
    assert len(said) > len(before + after) if after else said == before


@pytest.mark.parametrize("slip", MESSAGES)
def test_an_invalid_file_is_the_valid_one_but_for_its_slip(slip):
    valid, invalid = (path.read_text().splitlines() for path in (VALID, FOLDER / f"{slip}.toml"))
    changed = [line for line in difflib.ndiff(valid, invalid) if line[0] in "+-"]
    assert sorted(line[0] for line in changed) in (["+"], ["-"], ["+", "-"])


def test_the_valid_file_loads_and_runs():
    cell = ns.load_cell(VALID)
    step = ns.StepCurrent("cells", "I_e", [0, 300] * pA)
    circuit = ns.Circuit([ns.create("cells", cell, 2)])
    after, recording = ns.simulate(circuit, 50 * ms, inputs=[step], backend=ns.Brian2(target="numpy"), progress=False)
    # the first spike of a leaky cell: tau_m log(RI/(RI - 20 mV)) with R = 100 Mohm and tau_m = 20 ms
    assert recording["cells"].counts[0] == 0 and recording["cells"].spikes.t[0] / ms == pytest.approx(20 * np.log(3), abs=0.1001)
    assert float(after["cells"].v[0] / ms) == float(circuit["cells"].v[0] / ms) and float(after["cells"].w[1]) > 0
