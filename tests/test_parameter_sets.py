"""Named sets of parameters in cell files: read with the file, checked as parameters are, and what makes a variant."""

import tomllib

import pytest
from model_texts import CELL

import neurosim as ns
from neurosim.units import mV, nS, pA

SETS = """
[sets.bursting]
meaning = "fires in bursts"
source = "Nobody (2001)"
values = { b = "5*pA", V_th = "-45*mV", k = 3 }
[[expected]]
"""


def cell(text):
    return ns.CellModel.from_specification(tomllib.loads(text))


def with_sets(sets=SETS):
    return CELL.replace("[[expected]]\n", sets, 1)


def test_a_set_is_read_and_makes_a_variant():
    model = cell(with_sets())
    chosen = model.sets["bursting"]
    assert (chosen.meaning, chosen.source) == ("fires in bursts", "Nobody (2001)")
    assert dict(chosen.values) == {"b": 5 * pA, "V_th": -45 * mV, "k": 3}
    assert dict(chosen.texts) == {"b": "5*pA", "V_th": "-45*mV", "k": "3"}
    variant = model.parameter_set("bursting")
    changed = {name for name, value in model.namespace().items() if variant.namespace()[name] != value}
    assert changed == {"b", "V_th", "k"}
    assert variant == model.replace(b=5 * pA, V_th=-45 * mV, k=3) != model
    assert variant.sets.keys() == model.sets.keys()


def test_cells_without_sets_have_none():
    assert not cell(CELL).sets and not ns.load_cell("spike_source").sets


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("V_th =", "V_the =", r"\[sets.bursting\]: the model has no parameter 'V_the'. Did you mean 'V_th'\?"),
        ('"5*pA"', '"5*mV"', r"\[sets.bursting\]: b is '5\*mV', but it needs the unit amp."),
        ('"5*pA"', '"5*pW"', r"\[sets.bursting\]: b: 'pW' in '5\*pW' is not"),
        ('source = "Nobody (2001)"\n', "", r"\[sets\] bursting lacks the key 'source'; add it."),
        ('"Nobody (2001)"', '" "', r"\[sets.bursting\] has an empty source; say where the numbers come from."),
        ("values = { b", "value = { b", r"\[sets\] bursting has an unknown key 'value'. Did you mean 'values'\?"),
        ('{ b = "5*pA", V_th = "-45*mV", k = 3 }', "{}", r"\[sets.bursting\]: values is {}; give at least one parameter"),
    ],
)
def test_a_slip_in_a_set_names_the_set_and_the_remedy(old, new, message):
    assert old in SETS
    with pytest.raises(ValueError, match=message):
        cell(with_sets(SETS.replace(old, new)))


def test_an_unknown_set_names_the_near_match():
    model = cell(with_sets())
    with pytest.raises(ValueError, match="Cell model 'mine' has no parameter set 'burst'. Did you mean 'bursting'?"):
        model.parameter_set("burst")
    with pytest.raises(ValueError, match=r"row 1: set is 'burst', which the cell lacks. Did you mean 'bursting'\?"):
        cell(with_sets(SETS + 'set = "burst"\n'))


STEP = """
[[expected]]
protocol = "step_current"
set = "bursting"
amplitude = "b"
duration = "100*ms"
parameters = { k = "2*k" }
measure = "pattern"
value = "tonic"
source = "by construction"
"""


def test_a_row_with_a_set_has_its_parameters_and_then_its_own():
    row = cell(with_sets() + STEP).expected[1]
    assert row.set == "bursting"
    assert dict(row.parameters) == {"b": 5 * pA, "V_th": -45 * mV, "k": 6}
    assert row.settings["amplitude"] == 5 * pA
    assert (row.value, row.tolerance) == ("tonic", None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"tonic"', '"tonik"', "row 2: value is 'tonik', which is no firing pattern. Did you mean 'tonic'?"),
        ('"tonic"', '"tonic"\ntolerance = 0', "row 2 has an unknown key 'tolerance'"),
        ('"pattern"\nvalue = "tonic"', '"rate"\nvalue = "1*Hz"', "row 2 lacks the key 'tolerance'"),
    ],
)
def test_a_slip_in_a_row_with_a_pattern(old, new, message):
    assert old in STEP
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        cell(with_sets() + STEP.replace(old, new))


def test_a_description_lists_parameters_sets_and_references():
    said = ns.describe(ns.load_cell("adex"))
    assert "dw/dt = (a*(v_bounded - E_L) - w)/tau_w : amp" in said
    assert "spike (refractory): threshold v > V_peak, reset v = V_reset; w += b, refractory tau_ref" in said
    assert "b = 80.5*pA: rise of the adaptation current with a spike [Brette & Gerstner 2005, table 1]" in said
    assert "set tonic: C_m = 200*pF, g_L = 10*nS" in said and "doi:10.1007/s00422-008-0264-7" in said
    own = ns.describe(ns.load_cell("adex").with_spread(["a"]))
    assert "a = 4*nS, each cell its own: subthreshold adaptation" in own


def test_the_catalogue_has_the_published_sets():
    adex = ns.load_cell("adex")
    assert len(adex.sets) == 8
    assert adex.parameter_set("irregular").namespace()["a"] == -11 * nS
    assert list(ns.load_cell("izhikevich").sets) == ["RS", "IB", "CH", "FS", "TC", "RZ", "LTS"]
    assert list(ns.load_cell("izhikevich_2007").sets) == ["RS", "IB", "CH", "LTS", "FS", "TC", "RTN"]
