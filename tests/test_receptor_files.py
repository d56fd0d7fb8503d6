"""Receptor files of one's own: what they may hold, and which cells can take them."""

import numpy as np
import pytest

import neurosim as ns
from neurosim.units import nS

RECEPTOR = """
name = "mine"
summary = "A receptor for tests."
references = ["Nobody (2000)."]
current = "I_mine"
equations = '''
dg_mine/dt = -g_mine/tau_mine : siemens
dx_mine/dt = -x_mine/tau_mine : siemens
I_mine = (g_mine + x_mine)*open*(E_mine - v) : amp
open = 1/(1 + exp(-v/(10*mV))) : 1 (constant over dt)
'''
[initial]
g_mine = "0*siemens"
x_mine = "0*siemens"
[parameters]
tau_mine = { value = "5*ms", meaning = "decay time", source = "chosen" }
E_mine = { value = "0*mV", meaning = "reversal potential", source = "chosen" }
g_max = { value = "10*nS", meaning = "conductance when all channels are open", source = "chosen" }
[receptors]
g_mine = { effect = "g_mine_post += amount*(1 + 0*g_max/g_max); x_mine_post += 2*amount", meaning = "a conductance" }
"""


def written(folder, *changes):
    """Write the receptor with some pieces of it exchanged; returns its path."""
    text = RECEPTOR
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "mine.toml").write_text(text)
    return folder / "mine.toml"


ADDS = "x_mine_post += 2*amount"


@pytest.mark.parametrize("effect", [ADDS, "x_mine_post += amount*(1 - x_mine_post/g_max)", "x_mine_post += g_mine_post"])
def test_a_receptor_that_saturates_cannot_be_split(tmp_path, effect):
    model = ns.load_cell("leaky").with_receptors(written(tmp_path, (ADDS, effect)))
    cells = ns.create("cell", model, 2)
    circuit = ns.Circuit([cells], [ns.connect(cells, cells, "static", ns.AllToAll(), receptor="g_mine", weight=1 * nS)])
    division = ns.Events.divide("cell", [0], rng=np.random.default_rng(1))
    if effect == ADDS:
        assert len(ns.apply(circuit, division)["cell"]) == 3
    else:
        with pytest.raises(ValueError, match="cannot split .* the effect of receptor 'g_mine' is not additive in the weight"):
            ns.apply(circuit, division)


MISTAKES = {
    "a current that is none": (
        'current = "I_mine"',
        'current = "I_min"',
        "current is 'I_min', which the equations do not derive. .*'I_mine'",
    ),
    "a current in another unit": ('current = "I_mine"', 'current = "open"', "current open has the unit 1; it joins I_e, which is in amp"),
    "a wrong dimension": ("-x_mine/tau_mine", "-x_mine/E_mine", "equation of dx_mine/dt: .* has the unit .* but it must have"),
    "a parameter that nothing uses": ("1 + 0*g_max/g_max", "1", "parameter 'g_max' is never used"),
    "a state without a first value": ('x_mine = "0*siemens"\n', "", "lacks the state variable 'x_mine'"),
    "a flag of other equations": ("tau_mine : siemens", "tau_mine : siemens (constant over dt)", "flag 'constant over dt', which is not"),
    "a block that is not held": (": 1 (constant over dt)", ": 1", "needs each dx/dt to be linear in x, and dv/dt is not; it may hold"),
    "a missing key": ('current = "I_mine"\n', "", "lacks the key 'current'"),
    "a key of cells": ("[initial]", '[spike]\nrule = "crossing"\n[initial]', "unknown key 'spike'"),
    "an effect on another unit": (ADDS, "v_post += 2*amount", "effect: 'v_post' cannot be assigned"),
    "an effect on one variable twice": (ADDS, "g_mine_post += amount", "has 2 statements; write one that changes g_mine_post, and no more"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_in_a_file_are_named(tmp_path, mistake):
    assert set(ns.load_cell("leaky").with_receptors(written(tmp_path)).receptors) == {"I_e", "g_mine"}
    *change, message = MISTAKES[mistake]
    with pytest.raises(ValueError, match=f"(?s)mine.*{message}"):
        ns.load_cell("leaky").with_receptors(written(tmp_path, change))


def test_cells_that_cannot_take_a_receptor_say_why(tmp_path):
    leaky = ns.load_cell("leaky")
    with pytest.raises(ValueError, match="no model 'nmdar' among the catalogue's receptors. Did you mean 'nmda'"):
        leaky.with_receptors("nmdar")
    for twice in (lambda: leaky.with_receptors("ampa", "ampa"), lambda: leaky.with_receptors("ampa").with_receptors("ampa")):
        with pytest.raises(ValueError, match="cell model 'leaky' has a receptor 'g_ampa' already; leave receptor 'ampa' out"):
            twice()
    with pytest.raises(ValueError, match="'spike_source' is a source of spikes"):
        ns.load_cell("spike_source").with_receptors("ampa")
    names = [(old, f"{old}_2") for old in ("g_mine", "x_mine", "I_mine", "open")]
    taken, other = leaky.with_receptors(written(tmp_path)), written(tmp_path, *names, ("5*ms", "6*ms"))
    with pytest.raises(ValueError, match="'leaky' has another 'tau_mine' than receptor 'mine' needs"):
        taken.with_receptors(other)
    with pytest.raises(
        ValueError, match="'signal_leak' with ampa: method is 'exact', which needs .* to be linear: .*give \"rk2\" or \"rk4\""
    ):
        ns.load_cell("signal_leak").with_receptors("ampa")
    assert "g_ampa" in ns.load_cell("signal_leak").replace(method="rk4").with_receptors("ampa").receptors
    tables = leaky.specification()
    tables["equations"] = tables["equations"].replace(" + I_e", " + I_other")
    tables["receptors"] = {"I_other": tables["receptors"]["I_e"]}
    with pytest.raises(ValueError, match="'leaky' has no injected current I_e that receptor 'ampa' could join"):
        ns.CellModel.from_specification(tables).with_receptors("ampa")


def test_a_synapse_holds_no_terms(tmp_path):
    (tmp_path / "mine.toml").write_text(
        'name = "mine"\nsummary = "A synapse."\nreferences = ["Nobody (2000)."]\nequations = "x = 2 : 1 (constant over dt)"\non_pre = "deliver(x*weight)"'
    )
    with pytest.raises(ValueError, match="equation of 'x' has the flag 'constant over dt', which is not understood there"):
        ns.load_synapse(tmp_path / "mine.toml")
