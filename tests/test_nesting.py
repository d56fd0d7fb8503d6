"""Smaller models within larger ones: what a file says that its cell contains is true to the spike, and slips are told with file and key."""

import numpy as np
import pytest
from model_texts import CELL, load_text

import neurosim as ns
from neurosim import waveforms
from neurosim.units import ms, mV, nA, nS, pA, pF

LONG, GRID = 200 * ms, 0.1 * ms
CONTAINED = {  # larger, smaller: parameters of the smaller one under which the noise makes it spike often
    ("adex", "exponential_leaky"): {"C_m": 100 * pF, "g_L": 5 * nS, "tau_ref": 2 * ms},
    ("exponential_leaky", "leaky_conductance"): {"V_th": -52 * mV},
    ("leaky_decaying_threshold", "leaky_conductance"): {"V_th": -52 * mV},
    ("leaky_homeostatic", "leaky_conductance"): {"V_th": -52 * mV},
}


def conductance(mean, sd, seed):
    return waveforms.ornstein_uhlenbeck(mean, sd, 5 * ms, LONG, GRID, seed, low=0 * nS)


NOISE = ns.Stimulus(
    "current and conductance",
    {
        "I_e": waveforms.ornstein_uhlenbeck(250 * pA, 250 * pA, 5 * ms, LONG, GRID, 1),
        "G_exc": conductance(4 * nS, 2 * nS, 2),
        "G_inh": conductance(6 * nS, 3 * nS, 3),
    },
)


def spikes(model):
    return np.asarray(ns.respond(model, NOISE, backend=ns.Brian2(dt=GRID, target="numpy"), progress=False).spikes / ms).tolist()


def test_the_catalogue_contains_no_others():
    assert set(CONTAINED) == {(name, one) for name in ns.cells() for one in ns.load_cell(name).tables.get("contains", {})}


@pytest.mark.parametrize(("larger", "smaller"), CONTAINED)
def test_a_cell_spikes_as_the_one_that_it_contains(larger, smaller):
    large, small = ns.load_cell(larger), ns.load_cell(smaller).replace(**CONTAINED[larger, smaller])
    expected = spikes(small)
    assert len(expected) > 5 and spikes(large.replace(**large.embedding(small))) == expected
    own = {name for name in large.tables["contains"][smaller] if name not in small.parameters}
    without = {name: value for name, value in large.embedding(small).items() if name not in own}
    assert spikes(large.replace(**without)) != expected  # the control


def test_parameters_of_the_same_name_are_the_smaller_ones_and_the_others_follow_from_them():
    large, small = ns.load_cell("exponential_leaky"), ns.load_cell("leaky_conductance").replace(V_th=-45 * mV, C_m=123 * pF, tau_ref=3 * ms)
    known = large.embedding(small)
    assert known.keys() <= large.parameters.keys()
    assert (known["C_m"], known["tau_ref"], known["V_reset"]) == (123 * pF, 3 * ms, -60 * mV)
    assert float(known["V_peak"] / mV) == pytest.approx(-45) and float(known["V_T"] / mV) == pytest.approx(-25)
    assert "V_th" not in known


@pytest.mark.parametrize(
    ("larger", "smaller", "message"),
    [
        ("adex", "leaky_conductance", "of cell model 'adex' does not say that it contains 'leaky_conductance'. Choose one of: exponential_leaky. Give"),
        ("exponential_leaky", "leaky", "does not say that it contains 'leaky'. Choose one of: leaky_conductance. Give"),
        ("leaky", "adex", "does not say that it contains 'adex'. There is nothing to choose from. Give the start as a mapping of parameters."),
    ],
)  # fmt: skip
def test_a_cell_does_not_contain_what_its_file_does_not_say(larger, smaller, message):
    with pytest.raises(ValueError, match=message):
        ns.load_cell(larger).embedding(ns.load_cell(smaller))


def containing(text):
    return f'[contains.leaky]\nb = "{text}"\n[[expected]]'


def test_a_file_may_say_what_its_cell_contains(tmp_path):
    model = load_text(tmp_path, CELL, ("[[expected]]", containing("2*(V_th - E_L)*g_L")))
    assert float(model.embedding(ns.load_cell("leaky"))["b"] / nA) == pytest.approx(0.2)  # 2 * 10 mV * 10 nS


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ('[contains.leaky]\nbb = "0*pA"\n', r"\[contains.leaky\]: the cell has no parameter 'bb'. Did you mean 'b'\?"),
        ("[contains.leaky]\nb = 0.0\n", r"\[contains.leaky\] b is 0.0; give it as text."),
        ('[contains]\nleaky = "b"\n', r"contains is {'leaky': 'b'}; give a table for each smaller model, \[contains.NAME\]"),
        ('[contain.leaky]\nb = "0*pA"\n', "has an unknown key 'contain'. Did you mean 'contains'"),
    ],
)
def test_a_slip_names_file_and_key(tmp_path, new, message):
    with pytest.raises(ValueError, match=f"mine.toml.*{message}"):
        load_text(tmp_path, CELL, ("[[expected]]", f"{new}[[expected]]"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0*pf", r"cell model 'mine': \[contains.leaky\] b: 'pf' in '0\*pf' is not defined. Choose one of: C_m,"),
        ("V_the*g_L", r"\[contains.leaky\] b: 'V_the' in 'V_the\*g_L' is not defined. Did you mean 'V_th'"),
        ("V_th +", r"\[contains.leaky\] b: "),
    ],
)
def test_what_the_smaller_cell_lacks_is_found_when_it_is_asked_for(tmp_path, text, message):
    model = load_text(tmp_path, CELL, ("[[expected]]", containing(text)))
    with pytest.raises(ValueError, match=message):
        model.embedding(ns.load_cell("leaky"))


def test_a_parameter_of_another_dimension_is_refused_where_it_is_used(tmp_path):
    model = load_text(tmp_path, CELL, ("[[expected]]", containing("V_th")))
    with pytest.raises(TypeError, match="parameter 'b' of cell model 'mine' is -50. mV, but it needs the dimension of amp"):
        model.replace(**model.embedding(ns.load_cell("leaky")))
