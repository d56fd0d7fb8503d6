"""Linear equations stepped exactly: chains whatever their time constants, variables that act on each other, without a leak."""

from itertools import product

import numpy as np
import pytest
from library_builds import needs_compiler
from stepped_cells import (
    BACKEND,
    CELLS,
    CLOSE,
    RNG,
    after_one_step,
    apart,
    cell,
    each_close,
    one_step,
    ready,
    stepped,
)

import neurosim as ns
from neurosim.units import Hz, quantity, second, siemens

# --- linear equations ------------------------------------------------------------------------------------------------

CHAIN = """
dv/dt = (E_L - v + R*(y + I_e))/tau_m : volt
dy/dt = (x - y)/tau_1 : amp
dx/dt = -x/tau_2 : amp
"""
RATIOS = [1, 1 + 1e-9, 1 + 1e-6, 1 - 1e-6, 1 + 1e-3, 2, 1e3, 1e-3]  # of time constants to one of 2 ms
TAUS = ("tau_m", "tau_1", "tau_2")
SOME = [(0, 0, 0), (0, 0, 5), (0, 1, 0), (2, 3, 4), (6, 7, 0), (5, 0, 7)]  # triples of them


def chain(**changes):
    times = dict.fromkeys(TAUS, "2*ms") | changes
    return cell(CHAIN, "exact", {"v": "E_L", "y": "0*amp", "x": "0*amp"}, current=True, E_L="-70*mV", R="100*Mohm", **times)


def chain_start(cells):
    rng = RNG(4)
    current = rng.uniform(-1e-10, 1e-10, cells)
    return {"v": rng.uniform(-80e-3, -60e-3, cells), "y": rng.uniform(0, 1e-10, cells), "x": rng.uniform(0, 1e-9, cells)}, current


def exactly(model, state, current=None, steps=40, **others):
    """Step cells whose equations are linear; tell whether they are where the matrix exponential takes them, and a control where it fails."""
    made, values, spiked = stepped(model, state, current, steps=steps, **others)
    given, wrong = ({}, {}) if current is None else ({"I_e": current}, {"I_e": current * 1.001})
    there = after_one_step(values)
    assert not spiked.any() and not (wrong and each_close(there, one_step("exact", made, values, **wrong)))
    return each_close(there, one_step("exact", made, values, **given))


def test_exact_steps_of_chains_whatever_the_time_constants():
    """Each cell with its own: all equal, nearly so, and a thousand times as long or as short, in every order."""
    triples = 2e-3 * np.array(list(product(RATIOS, repeat=3)))
    spread = {name: quantity(column, second.dim) for name, column in zip(TAUS, triples.T, strict=True)}
    assert exactly(chain(), *chain_start(len(triples)), spread=spread)


@pytest.mark.parametrize("places", SOME)
def test_exact_steps_of_a_chain_with_the_same_time_constants_in_all_cells(places):
    changes = {name: f"{2 * RATIOS[place]!r}*ms" for name, place in zip(TAUS, places, strict=True)}
    assert exactly(chain(**changes), *chain_start(5))


@needs_compiler
def test_exact_steps_of_a_chain_whose_time_constants_are_swept():
    """One library for all of them."""
    backend = ns.Brian2(target="library", sweep=[f"cell.{name}" for name in TAUS], **BACKEND)
    for places in SOME:
        model = chain().replace(**{name: quantity(2e-3 * RATIOS[place], second.dim) for name, place in zip(TAUS, places, strict=True)})
        assert exactly(model, *chain_start(5), backend=backend)


RATES = np.array([0, 1e-300, -1e-12, 1e-6, 1, -30, 1e3, 1e5])  # Hz; one of 0 is no leak, a negative one grows


def test_exact_steps_without_a_leak():
    pairs = np.array(list(product(RATES, repeat=2)))
    model = cell(
        "dv/dt = -p*(v - E) + c*w : volt\ndw/dt = -q*w : 1",
        "exact",
        {"v": "0*mV", "w": "1"},
        E="5*mV",
        c="2*volt/second",
        p="1*Hz",
        q="1*Hz",
    )
    state = {"v": np.full(len(pairs), -3e-3), "w": np.linspace(1, 2, len(pairs))}
    spread = {name: quantity(column, Hz.dim) for name, column in zip("pq", pairs.T, strict=True)}
    assert exactly(model, state, spread=spread)
    literal = cell(
        "dv/dt = I_e/C_m + c*w : volt\ndw/dt = u : 1",
        "exact",
        {"v": "0*mV", "w": "1"},
        current=True,
        C_m="1*pF",
        c="2*volt/second",
        u="3*Hz",
    )
    assert exactly(literal, {name: one[:3] for name, one in state.items()}, np.array([1e-12, 2e-12, 0]))


# --- variables that act on each other --------------------------------------------------------------------------------

PAIR = """
dv/dt = (g_L*(E_L - v) - w + I_e)/C_m : volt (unless refractory)
dw/dt = (a*(v - E_L) - w)/tau_w : amp
"""
PAIR_VALUES = {
    "g_L": "10*nS", "E_L": "-70*mV", "C_m": "200*pF", "a": "4*nS", "tau_w": "100*ms", "V_th": "-50*mV", "b": "20*pA", "tau_ref": "3*ms",
}  # fmt: skip
ADAPTING = {"rule": "refractory", "threshold": "v > V_th", "reset": "v = E_L; w += b", "refractory": "tau_ref"}


def pair():
    return cell(PAIR, "exact", {"v": "E_L", "w": "0*amp"}, ADAPTING, current=True, **PAIR_VALUES)


def test_exact_steps_of_variables_that_act_on_each_other():
    """Adaptation that follows v: eigenvalues that are real and apart, one of them positive, complex, zero, the same, and without coupling."""
    a = np.array([1e-9, 4e-9, -5e-9, -30e-9, 1e-6, -10e-9, 8.1e-9, 0])
    rng = RNG(6)
    state = {"v": rng.uniform(-80e-3, -60e-3, len(a)), "w": rng.uniform(0, 1e-10, len(a))}
    assert exactly(pair(), state, rng.uniform(-1e-10, 1e-10, len(a)), spread={"a": quantity(a, siemens.dim)})


LONG = """
dv/dt = (E_L - v + R*(z + I_e))/tau_m : volt
dz/dt = (y - z)/tau_m : amp
dy/dt = (x - y)/tau_1 : amp
dx/dt = (drive - x)/tau_2 : amp
"""


def test_exact_steps_along_a_way_of_four_with_a_constant_at_its_end():
    rng, values = RNG(8), {"E_L": "-70*mV", "R": "100*Mohm", "drive": "100*pA", "tau_m": "10*ms", "tau_1": "2*ms", "tau_2": "2*ms"}
    model = cell(LONG, "exact", {"v": "E_L", **dict.fromkeys("zyx", "0*amp")}, current=True, **values)
    state = {"v": rng.uniform(-80e-3, -60e-3, CELLS)} | {name: rng.uniform(0, 1e-10, CELLS) for name in "zyx"}
    assert exactly(model, state, rng.uniform(-1e-10, 1e-10, CELLS))


def test_more_variables_than_are_solved_exactly_are_refused():
    rows = "\n".join(f"dx{k}/dt = (x{k + 1} - x{k})/tau_1 : amp" for k in range(8)) + "\ndx8/dt = (x0 - x8)/tau_1 : amp\n"
    initial = {"v": "E_L", **{f"x{k}": "0*amp" for k in range(9)}}
    model = cell(
        f"dv/dt = (E_L - v + R*(x0 + I_e))/tau_1 : volt\n{rows}", "exact", initial, current=True, E_L="-70*mV", R="100*Mohm", tau_1="2*ms"
    )
    with pytest.raises(
        ns.UnsupportedModelError, match="cell model 'tested': 10 variables act on 'v', too many to solve exactly; give rk4 as"
    ):
        stepped(model, {"v": np.full(1, -70e-3)})


def test_exact_steps_of_a_refractory_cell_that_adapts():
    """v holds still for 30 steps after a spike, and w goes on with the v that holds still."""
    rng = RNG(7)
    state, current = {"v": np.full(CELLS, -70e-3), "w": rng.uniform(0, 1e-10, CELLS)}, rng.uniform(6e-10, 9e-10, CELLS)
    made, values, spiked = stepped(pair(), state, current)
    may_move = ready(spiked, 30)
    expected = one_step("exact", made, values, may_move, I_e=current)
    assert spiked.sum() >= CELLS and (spiked == ((expected["v"] > -50e-3) & (may_move > 0))).all()
    always = one_step("exact", made, values, 1.0, I_e=current)  # the control
    there = after_one_step(values)
    assert apart({"w": there["w"] - 20e-12 * spiked}, {"w": expected["w"]}) <= CLOSE
    assert (
        apart({"v": there["v"][~spiked]}, {"v": expected["v"][~spiked]})
        <= CLOSE
        < apart({"v": there["v"][~spiked]}, {"v": always["v"][~spiked]})
    )
