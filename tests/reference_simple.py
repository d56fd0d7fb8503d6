"""Published simplified cells for tests/test_reference.py: their numbers, and what our cells answer in their place."""

import numpy as np
from cells_run import stepped, with_method

import neurosim as ns
from neurosim.units import ms, mV, nS, pA, pF, quantity


def leaky_rates(drives, threshold, refractory, dt):
    """Rates in Hz over 10 s of leaky cells (tau 10 ms, reset to rest) for drives RI and a threshold in mV above rest."""
    model = ns.load_cell("leaky").replace(C_m=100 * pF, V_th=(threshold - 60) * mV, tau_ref=refractory * ms)
    times, _ = stepped(model, np.array(drives) * mV * model.namespace()["g_L"], 10_000 * ms, dt * ms, sweep=["V_th", "tau_ref"])
    return np.array([1e3 / np.diff(one).mean() if len(one) > 1 else 0.0 for one in times])


NAUD = {  # C_m, g_L, E_L, a, tau_w, b, V_reset, current; V_T is -50 mV, Delta_T 2 mV and V_peak 0 mV in all
    "tonic": (200, 10, -70, 2, 30, 0, -58, 500),
    "adapting": (200, 12, -70, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, 4, 150, 120, -50, 400),
    "regular bursting": (200, 10, -58, 2, 120, 100, -46, 210),
    "delayed accelerating": (200, 12, -70, -10, 300, 0, -58, 300),
    "delayed regular bursting": (100, 10, -65, -10, 90, 30, -47, 110),
    "transient": (100, 10, -65, 10, 90, 100, -47, 180),
    "irregular": (100, 12, -60, -11, 130, 30, -48, 160),
}
NAUD_UNITS = {"C_m": pF, "g_L": nS, "E_L": mV, "a": nS, "tau_w": ms, "b": pA, "V_reset": mV}
NAUD_SAME = {"V_T": -50 * mV, "Delta_T": 2 * mV, "V_peak": 0 * mV}


def adex_trains(dt, method, names=tuple(NAUD), target="library", **changes):
    """Spike times of some of Naud's cells under their steps of 600 ms, by name; `changes` are factors on parameters."""
    *columns, currents = zip(*(NAUD[name] for name in names), strict=True)
    spread = {key: np.array(column) * unit * changes.get(key, 1) for (key, unit), column in zip(NAUD_UNITS.items(), columns, strict=True)}
    model = with_method(ns.load_cell("adex").replace(**NAUD_SAME), method)
    circuit = ns.Circuit([ns.create("cell", model, len(names), spread=spread)])
    step, backend = ns.StepCurrent("cell", "I_e", np.array(currents) * pA), ns.Brian2(dt=dt, target=target)
    _, recording = ns.simulate(circuit, 600 * ms, inputs=[step], backend=backend, progress=False)
    return dict(zip(names, ns.measures.spike_trains(recording, "cell").values(), strict=True))


def adex_patterns(dt, method, target):
    """What each of Naud's cells is called."""
    trains = adex_trains(dt, method, target=target)
    return {name: ns.measures.firing_pattern(train, 0 * ms, 600 * ms).name for name, train in trains.items()}


QUADRATIC = {  # type: its set, v at first (mV), the current (pA) at times in ms, spike times
    "RS": ("RS", -63, lambda t: 14 * (t > 15), [18.25, 24, 54.25, 87.5, 120.75]),
    "IB": ("IB", -70, lambda t: 11 * (t > 15), [18.5, 21, 24.75, 58.25, 87.5, 117.25, 146.75]),
    "CH": (
        *("CH", -70, lambda t: 10 * (t > 15)),
        [18.75, 20.75, 22.5, 24.75, 27.25, 30.25, 34.25, 81.75, 84.25, 87, 90.5, 137.25, 139.75, 142.5, 146],
    ),
    "FS": (
        *("FS", -70, lambda t: 10 * (t > 15)),
        [18.75, 23.75, 31.25, 40.25, 48.75, 58, 67.25, 77, 86.25, 95.5, 105, 114, 123.25, 131.75, 141],
    ),
    "TC": ("TC", -63, lambda t: 1.5 * (t > 30), [39.25, 53.25, 82.75, 120.25]),
    "TC, rebound": ("TC", -87, lambda t: -25 * (t <= 45), [51, 55.75, 61.75, 68.75, 79.5]),
    "RZ": ("RZ", -70, lambda t: np.where((t > 60) & (t < 65), 10, np.where(t > 10, -0.5, -2)), [62.75, 67.25]),
    "LTS": (
        *("LTS", -63, lambda t: 10 * (t > 25)),
        [27.75, 31.25, 35.5, 41.25, 50, 63.5, 77.75, 92.75, 107.5, 122.25, 136.5, 151.5, 166.25, 180.5, 195.5, 210.5, 225.25, 240.25],
    ),
}
GRID = 0.25  # ms
LAST = {"RZ": 100, "LTS": 250}  # ms; 150 for the others


def quadratic(method="sequential_euler"):
    """Spike times in ms of each type: those of the cell's own rule, and the samples at which v, shown as 30 mV at a spike, has passed 0 mV."""
    model, times = with_method(ns.load_cell("izhikevich"), method), np.arange(0, 251, GRID)
    sets = [model.sets[name].values for name, *_ in QUADRATIC.values()]
    spread = {key: quantity([float(one[key]) for one in sets], model.parameters[key].dimensions) for key in sets[0]}
    v = np.array([first for _, first, *_ in QUADRATIC.values()]) * mV
    cells = ns.create("cell", model, len(sets), spread=spread, state={"v": v, "u": spread["b"] * v})
    current = ns.Waveform(np.array([at(times) for _, _, at, _ in QUADRATIC.values()]) * pA, GRID * ms)
    played, backend = ns.WaveformInput("cell", "I_e", current), ns.Brian2(dt=GRID * ms, target="numpy")
    _, recording = ns.simulate(
        ns.Circuit([cells]), len(times) * GRID * ms, inputs=[played], record=[ns.Trace("cell", "v")], backend=backend, progress=False
    )
    spikes, crossings = {}, {}
    for number, name in enumerate(QUADRATIC):
        own = recording["cell"].spikes.step[recording["cell"].spikes.id == number]
        shown = np.asarray(recording["cell"].v[number] / mV)[1:]  # a trace holds v before a step, the reference v after it
        shown[own[own < len(shown)]] = 30
        passed = np.flatnonzero((shown[:-1] <= 0) & (shown[1:] > 0)) + 1
        spikes[name], crossings[name] = (steps[steps * GRID <= LAST.get(name, 150)] * GRID for steps in (own, passed))
    return spikes, crossings


BETA = 0.9
RESETS = {  # snnTorch's reset, which acts a step late: our statement at the spike, and our refractory time in steps
    "subtract": ("v -= (V_th - E_L)/beta", 0),
    "zero": ("v = V_reset", 2),
    "none": ("v += 0*mV", 0),
}


CODED = RESETS | {"zero": ("v = V_reset", 0)}  # what snnTorch 1.0 does instead: it clears the potential, but keeps the input of that step


def snntorch_inputs():
    """1000 random inputs of 100 steps."""
    return np.random.default_rng(7).uniform(0, 0.4, (1000, 100))


def as_snntorch_documents(inputs, reset):
    """Spikes by snnTorch's documented recursion: mem' = beta mem + x, less the threshold of 1, or 0, one step after it was passed."""
    mem, spikes = np.zeros(len(inputs)), []
    for x in inputs.T:
        fired = mem > 1
        mem = BETA * mem + x
        if reset == "subtract":
            mem = mem - fired
        elif reset == "zero":
            mem = np.where(fired, 0, mem)
        spikes.append(mem > 1)
    return np.array(spikes).T


def as_leaky(inputs, reset, scale=1 - BETA, resets=RESETS):
    """Spikes of the catalogue's leaky cell: exact integration, with beta = exp(-dt/tau) and inputs that are held for a step."""
    statement, refractory = resets[reset]
    dt, tables = 1 * ms, ns.load_cell("leaky").specification()
    model = ns.CellModel.from_specification({**tables, "spike": {**tables["spike"], "reset": statement.replace("beta", repr(BETA))}})
    known = model.namespace()
    model = model.replace(C_m=-known["g_L"] * dt / np.log(BETA), tau_ref=refractory * dt)
    current = inputs / scale * (known["V_th"] - known["E_L"]) * known["g_L"]
    circuit = ns.Circuit([ns.create("cell", model, len(inputs))])
    played, backend = ns.WaveformInput("cell", "I_e", ns.Waveform(current, dt)), ns.Brian2(dt=dt, target="numpy")
    _, recording = ns.simulate(circuit, inputs.shape[1] * dt, inputs=[played], backend=backend, progress=False)
    spikes = np.zeros(inputs.shape, dtype=bool)
    spikes[recording["cell"].spikes.id, recording["cell"].spikes.step] = True
    return spikes
