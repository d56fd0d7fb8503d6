"""Run cells in NEURON or NEST, each in a process of its own: what they print, import and leave behind stays out of the tests.

A question and its answer are JSON. Times are in ms, voltages in mV, currents in nA; `every` is the interval of the answer, which is
one list of voltages for each cell, and what the simulator itself calls spikes. Of synapses the answer is their weights at the end.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


def needs(simulator):
    """Skip a test where the wheel of a simulator is missing, and only then."""
    missing = importlib.util.find_spec(simulator) is None
    return pytest.mark.skipif(missing, reason=f"{simulator} is not installed; pip install 'neurosim[peers]'")


def ask(simulator, **question):
    """Run one simulation in "neuron" or "nest"; returns voltages of shape (cells, samples) and the spike times of each cell."""
    answer = _answer(simulator, question)
    return np.array(answer["v"]), [np.array(times) for times in answer["spikes"]]


def ask_weights(**question):
    """Give trains of spikes to both sides of synapses in NEST; returns the weight of each synapse after the last of them."""
    return np.array(_answer("nest_synapses", question)["weights"])


def ask_voltage_rule(**question):
    """Give trains of spikes to both sides of voltage-dependent synapses in NEST; returns their weights and the voltages of the cells."""
    answer = _answer("nest_voltage_rule", question)
    return np.array(answer["weights"]), np.array(answer["v"])


def _answer(simulator, question):
    run = subprocess.run([sys.executable, Path(__file__), simulator], input=json.dumps(question), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def upward_crossings(v, every, level, first=0.0):
    """Return the times at which a sampled voltage rises through a level, interpolated; `first` is the time of the first sample."""
    at = np.flatnonzero((v[:-1] <= level) & (v[1:] > level))
    return first + (at + (level - v[at]) / (v[at + 1] - v[at])) * every


def _neuron(cell, currents, onset, celsius, v, every, duration, tolerance):
    """Sections of the mechanism hh, with the variable step method CVODE at an absolute tolerance; `cell` holds section variables."""
    from neuron import h

    h.load_file("stdrun.hoc")
    h.celsius = celsius
    kept, voltages = [], []
    for current in currents:
        section = h.Section()
        section.insert("hh")
        for name, value in cell.items():
            setattr(section, name, value)
        clamp = h.IClamp(section(0.5))
        clamp.delay, clamp.dur, clamp.amp = onset, 1e9, current
        voltages.append(h.Vector().record(section(0.5)._ref_v, every))
        kept += [section, clamp]
    h.usetable_hh = 0
    solver = h.CVode()
    solver.active(1)
    solver.atol(tolerance)
    h.finitialize(v)
    solver.solve(duration)
    return {"v": [list(one) for one in voltages], "spikes": []}


def _nest(model, cell, currents, every, duration):
    """Cells of one model, with a time step that is the interval of the answer; `cell` holds parameters and state."""
    import nest

    nest.resolution = every
    cells = nest.Create(model, len(currents), params=cell)
    cells.set(I_e=[1e3 * current for current in currents])
    meter = nest.Create("multimeter", params={"interval": every, "record_from": ["V_m"]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(meter, cells)
    nest.Connect(cells, recorder)
    nest.Simulate(duration)

    def split(events, column):
        """One list for each cell."""
        return [np.asarray(events[column])[np.asarray(events["senders"]) == one].tolist() for one in cells.tolist()]

    return {"v": split(meter.events, "V_m"), "spikes": split(recorder.events, "times")}


def _nest_synapses(synapse, cell, pre, post, every, column="weight"):
    """Pairs of parrots, joined by one synapse each, that repeat the given trains; `cell` holds the parameters of the targets.

    `column` is what of each synapse is told: its weight or another variable.
    """
    import nest

    nest.resolution = every
    synapses = []
    for trains in zip(pre, post, strict=True):
        source, target = nest.Create("parrot_neuron"), nest.Create("parrot_neuron", params=cell)
        for parrot, times in zip((source, target), trains, strict=True):
            generator = nest.Create("spike_generator", params={"spike_times": [round(t - 1, 6) for t in times]})
            nest.Connect(generator, parrot, syn_spec={"delay": 1.0})
        # a parrot repeats what comes to its receptor 0, so that these synapses deliver nothing
        nest.Connect(source, target, syn_spec={**synapse, "receptor_type": 1})
        synapses.append(nest.GetConnections(source, target))
    nest.Simulate(max(max(times) for times in pre) + 10)
    return {"weights": [one.get(column) for one in synapses]}


def _nest_voltage_rule(synapse, model, cell, pre, post, force, every, duration):
    """Cells of one model that jump by `force` (mV) at the times `post`, each with one synapse from a parrot that repeats a train."""
    import nest

    nest.resolution = every
    synapses, meters = [], []
    for before, after in zip(pre, post, strict=True):
        target, source = nest.Create(model, params=cell), nest.Create("parrot_neuron")
        driven = ((source, [round(t - 1, 6) for t in before], {"delay": 1.0}), (target, after, {"delay": every, "weight": force}))
        for driven_cell, times, spec in driven:
            nest.Connect(nest.Create("spike_generator", params={"spike_times": times}), driven_cell, syn_spec=spec)
        nest.Connect(source, target, syn_spec={**synapse, "delay": every})
        synapses.append(nest.GetConnections(source, target))
        meters.append(nest.Create("multimeter", params={"interval": every, "record_from": ["V_m"]}))
        nest.Connect(meters[-1], target)
    nest.Simulate(duration)
    return {"weights": [one.get("weight") for one in synapses], "v": [np.asarray(meter.events["V_m"]).tolist() for meter in meters]}


if __name__ == "__main__":
    runs = {"neuron": _neuron, "nest": _nest, "nest_synapses": _nest_synapses, "nest_voltage_rule": _nest_voltage_rule}
    print(json.dumps(runs[sys.argv[1]](**json.load(sys.stdin))))
