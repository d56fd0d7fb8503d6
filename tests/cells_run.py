"""Run single cells for the tests of cell models: a current for each of as many cells, and what they answer."""

import numpy as np

import neurosim as ns
from neurosim.units import ms, mV, nA


def with_method(model, method):
    """The same cell under another integration method."""
    return ns.CellModel.from_specification({**model.specification(), "method": method})


def clamped(model, v):
    """The state of a cell held at a potential for long: v, and each gate x that has an x_inf at its steady state."""
    gates = [name for name in model.variables if f"{name}_inf" in model.subexpressions]
    return {"v": v, **{name: model.evaluate(f"{name}_inf", v=v) for name in gates}}


def stepped(model, currents, duration, dt, *, onset=0 * ms, stop=None, state=None, sweep=()):
    """Inject one current into each cell from `onset` to `stop`; returns their spike times in ms and their v in mV at every step.

    `state` replaces initial values; `sweep` names parameters that other runs change, so that these share a compiled library.
    """
    circuit = ns.Circuit([ns.create("cell", model, len(currents))]).set("cell", **state or {})
    _, recording = ns.simulate(
        circuit,
        duration,
        inputs=[ns.StepCurrent("cell", "I_e", np.asarray(currents / nA) * nA, start=onset, stop=stop)],
        record=[ns.Trace("cell", "v")],
        backend=ns.Brian2(dt=dt, target="library", sweep=[f"cell.{name}" for name in sweep]),
        progress=False,
    )
    spikes = recording["cell"].spikes
    times = [np.asarray(spikes.t / ms)[spikes.id == k] for k in range(len(currents))]
    return times, np.asarray(recording["cell"].v / mV)
