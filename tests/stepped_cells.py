"""Cells made from their equations, stepped by the package and by hand: what tests of methods share."""

import numpy as np
from steps_by_hand import STEPS, Equations

import neurosim as ns
from neurosim.units import amp, quantity, second

DT = 1e-4
BACKEND = {"dt": quantity(DT, second.dim)}
NUMPY = ns.Brian2(target="numpy", **BACKEND)
CLOSE = 1e-12  # of the largest value of a variable
COUNT = 200
CELLS = 4
RNG = np.random.default_rng  # each test has its own

# --- cells and what is made of them ----------------------------------------------------------------------------------


def cell(equations, method, initial, spike=None, current=False, **parameters):
    """A cell model from its equations; parameters are numbers with units, as text, or plain ones."""
    told = {"meaning": "of a test", "source": "chosen"}
    values = {name: {"value": value, **told} for name, value in {"area": "100*um**2", **parameters}.items()}
    receptors = {"v": {"meaning": "jump"}} | ({"I_e": {"kind": "current", "meaning": "injected"}} if current else {})
    return ns.CellModel.from_specification(
        {
            "name": "tested", "summary": "A cell for tests.", "references": ["Nobody (2000)."], "method": method, "equations": equations,
            "spike": spike or {"rule": "crossing", "threshold": "v > 9*volt"}, "initial": initial, "parameters": values, "receptors": receptors,
        }
    )  # fmt: skip


def stepped(model, state, current=None, backend=NUMPY, spread=None, steps=COUNT):
    """Run cells from a state; return the population, each variable at every step (one column more than steps), and who spikes when."""
    cells = len(next(iter(state.values())))
    units = {name: line.dimensions for name, line in model.lines.items()}
    made = ns.create("cell", model, cells, spread=spread, state={name: quantity(values, units[name]) for name, values in state.items()})
    inputs = [] if current is None else [ns.StepCurrent("cell", "I_e", quantity(current, amp.dim))]
    record = [ns.Trace("cell", name) for name in state]
    after, recording = ns.simulate(ns.Circuit([made]), steps * backend.dt, inputs=inputs, record=record, backend=backend, progress=False)
    part = recording["cell"]
    values = {name: np.column_stack([part.trace(name).si, after["cell"].cells[name]]) for name in state}
    spiked = np.zeros((cells, steps), bool)
    spiked[part.spikes.id, part.spikes.step] = True
    return made, values, spiked


def ready(spiked, refractory):
    """Who is not refractory in each step: `refractory` time steps have gone by since the last spike."""
    since = np.full(len(spiked), 10**6)
    columns = []
    for spikes in spiked.T:
        since = since + 1
        columns.append(since >= refractory)
        since = np.where(spikes, 0, since)
    return np.column_stack(columns).astype(float)


def apart(found, expected):
    """The largest difference of any variable, relative to the largest value that it has."""
    return max(np.max(abs(found[name] - expected[name])) / np.max(abs(expected[name])) for name in expected)


def one_step(method, made, values, may_move=1.0, **given):
    """A step by hand from every state there was but the last."""
    return STEPS[method](Equations(made, **given), {name: one[:, :-1] for name, one in values.items()}, may_move, DT)


def after_one_step(values):
    return {name: one[:, 1:] for name, one in values.items()}


def all_steps(method, made, start, **given):
    """The last state of as many steps by hand as were taken, one after the other."""
    equations, state = Equations(made, **given), {name: one[:, None] for name, one in start.items()}
    for _ in range(COUNT):
        state = STEPS[method](equations, state, 1.0, DT)
    return {name: one[:, 0] for name, one in state.items()}


def each_close(there, expected):
    """Whether each variable of each cell is where it ought to be."""
    return all((abs(there[name] - one).max(axis=1) <= CLOSE * abs(one).max(axis=1)).all() for name, one in expected.items())
