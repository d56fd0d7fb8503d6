"""Receptors as files: their published time courses and magnesium block, in any cell, against closed forms and LSODA."""

from functools import partial

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import neurosim as ns
from neurosim.expressions import evaluate
from neurosim.models.parts import Names
from neurosim.units import Hz, farad, metre, mole, ms, mV, nS, pA, siemens, volt

NUMPY = partial(ns.Brian2, target="numpy")
ALL = ("ampa", "nmda", "gaba_a")
# Dayan & Abbott 2001, figure 5.15: slow time constants and rise times tau_1 tau_2/(tau_1 - tau_2), in ms
SLOW, RISE = {"ampa": 5.26, "nmda": 152.0, "gaba_a": 5.6}, {"nmda": 1.5, "gaba_a": 0.3}
FAST = {name: SLOW[name] * rise / (SLOW[name] + rise) for name, rise in RISE.items()}
TO_PEAK = {"ampa": 0.0, **{name: rise * np.log(SLOW[name] / FAST[name]) for name, rise in RISE.items()}}
PEAK = {name: np.exp(-TO_PEAK[name] / SLOW[name]) - np.exp(-TO_PEAK[name] / FAST[name]) for name in RISE}
REVERSAL = {"ampa": 0.0, "nmda": 0.0, "gaba_a": -80e-3}  # V
STATES = {"ampa": ["g_ampa"], "nmda": ["g_nmda_decay", "g_nmda_rise"], "gaba_a": ["g_gaba_a_decay", "g_gaba_a_rise"]}


def time_course(name, t):
    """The conductance at times in ms after a spike, as a share of its peak; a spike counts from the next time step on."""
    late = np.maximum(t := np.round(t, 9), 0)
    g = np.exp(-late / SLOW[name]) if name == "ampa" else (np.exp(-late / SLOW[name]) - np.exp(-late / FAST[name])) / PEAK[name]
    return np.where(t < 0, 0.0, g)


def block(v, magnesium=1.0):
    """The share of NMDA conductance that is free at a potential in mV and a concentration in mM (Jahr & Stevens 1990)."""
    return 1 / (1 + magnesium / 3.57 * np.exp(-0.062 * v))


def driven(models, events):
    """A circuit of one cell of each model, all reached from a source for each receptor, and its inputs.

    `models` maps names of populations to cell models; `events` maps receptors to weights in nS and times in ms.
    """
    cells = [ns.create(name, model, 1) for name, model in models.items()]
    sources = {name: ns.create(f"to_{name}", "spike_source", 1) for name in events}
    into = [
        ns.connect(sources[name], cell, "static", ns.AllToAll(), receptor=f"g_{name}", weight=PART.get(cell.name, 1) * weight * nS)
        for name, (weight, _) in events.items()
        for cell in cells
    ]
    inputs = [ns.SpikeTimes(f"to_{name}", 0, list(times) * ms) for name, (_, times) in events.items()]
    return ns.Circuit([*sources.values(), *cells], into), inputs


def traced(models, events, duration, dt, variables=("v",)):
    """Simulate some ms; returns traces of the one cell of each population as SI numbers, by population and variable."""
    circuit, inputs = driven(models, events)
    record = [ns.Trace(name, variable) for name in models for variable in variables]
    _, recording = ns.simulate(circuit, duration * ms, inputs=inputs, record=record, backend=NUMPY(dt=dt * ms), progress=False)
    return {name: {variable: recording[name].trace(variable).si[0] for variable in variables} for name in models}


# --- the catalogue ---------------------------------------------------------------------------------------------------


def test_the_catalogue_has_receptors():
    assert ns.receptors() == ("ampa", "gaba_a", "nmda")
    for name in ns.receptors():
        model = ns.load_cell("leaky").with_receptors(name)
        receptor = model.receptors[f"g_{name}"]
        assert receptor.additive and receptor.unitary is None and receptor.dimensions is siemens.dim
        assert receptor.sign == ("inhibitory" if name == "gaba_a" else "excitatory")
        assert len(model.references) > len(ns.load_cell("leaky").references)


CELLS = [name for name in ns.cells() if "I_e" in ns.load_cell(name).receptors]


def with_all(name):
    """A cell of the catalogue, and the same with all receptors."""
    bare = ns.load_cell(name)
    bare = bare.replace(method="rk4") if bare.method == "exact" else bare
    return bare, bare.with_receptors(*ALL)


def slope(model, state):
    """dv/dt of a cell whose state and currents are SI numbers."""
    derived = {name: line.expression for name, line in model.lines.items() if line.kind == "subexpression"}
    return evaluate(model.lines["v"].expression, Names({**model.si_namespace(), **state}, derived))


@pytest.mark.parametrize("name", CELLS)
def test_in_every_cell_they_act_as_the_current_that_they_carry(name):
    bare, model = with_all(name)
    at = {**dict.fromkeys(bare.continuous, 0.0), **bare.initial_values()}
    g = {"g_ampa": 1e-9, "g_nmda_decay": 2e-9, "g_nmda_rise": 0.5e-9, "g_gaba_a_decay": 3e-9, "g_gaba_a_rise": 1e-9}
    v = at["v"]
    current = 1e-9 * -v + block(1e3 * v) * 1.5e-9 / PEAK["nmda"] * -v + 2e-9 / PEAK["gaba_a"] * (REVERSAL["gaba_a"] - v)
    assert slope(model, {**at, **g}) == pytest.approx(slope(bare, {**at, "I_e": current}), rel=1e-9)
    assert slope(model, {**at, **g}) != pytest.approx(slope(bare, {**at, "I_e": 0.99 * current}), rel=1e-6)
    silent = {**at, **dict.fromkeys(g, 0.0)}
    assert slope(model, silent) == slope(bare, at)


# --- time courses and the block --------------------------------------------------------------------------------------


def conductances(model, events, duration, dt):
    """What the equations derive from the state of a cell that spikes reach, in nS, by receptor."""
    variables = [one for name in events for one in STATES[name]]
    traces = traced({"cell": model}, events, duration, dt, variables)["cell"]
    return {name: np.asarray(model.evaluate(f"g_{name}", **{one: traces[one] * siemens for one in STATES[name]}) / nS) for name in events}


def test_one_spike_has_the_published_time_course():
    """Dayan & Abbott 2001, section 5.8: the peak is the weight, tau_rise log(tau_1/tau_2) after the spike."""
    model, dt, weights = ns.load_cell("leaky").with_receptors(*ALL), 0.05, dict(zip(ALL, (2.0, 3.0, 5.0), strict=True))
    found = conductances(model, {name: (weight, [1]) for name, weight in weights.items()}, 15, dt)
    t = dt * np.arange(round(15 / dt)) - 1 - dt
    for name, weight in weights.items():
        g = found[name]
        np.testing.assert_allclose(g, weight * time_course(name, t), rtol=1e-9, atol=1e-9)
        assert t[g.argmax()] == pytest.approx(TO_PEAK[name], abs=dt) and g.max() == pytest.approx(weight, rel=1e-3)


def test_control_a_time_constant_wrong_by_a_hundredth_has_another_course():
    model = ns.load_cell("leaky").with_receptors("nmda").replace(tau_rise_nmda=1.01 * FAST["nmda"] * ms)
    g = conductances(model, {"nmda": (3.0, [1])}, 10, 0.1)["nmda"]
    assert abs(g - 3 * time_course("nmda", 0.1 * np.arange(100) - 1.1)).max() > 3e-3 and g.max() == pytest.approx(3, rel=1e-3)


def test_spikes_add_up_and_the_time_step_does_not_matter():
    at = (1, 3.2, 3.6)
    for dt in (0.1, 0.2):
        model, t = ns.load_cell("leaky").with_receptors("gaba_a"), dt * np.arange(round(20 / dt))
        g = conductances(model, {"gaba_a": (1.0, at)}, 20, dt)["gaba_a"]
        np.testing.assert_allclose(g, sum(time_course("gaba_a", t - one - dt) for one in at), rtol=1e-9, atol=1e-9)


def free_share(magnesium_of_cells=1.0):
    """Potentials in mV and concentrations in mM, and the share of NMDA current that flows in a cell that each potential is clamped in."""
    v, magnesium = (axis.ravel() for axis in np.meshgrid(np.arange(-80.0, 41, 20) + 0.5, [0, 0.1, 1, 2]))  # 0 mV has no current
    model = ns.load_cell("leaky").with_receptors("nmda").replace(C_m=1e-3 * farad, g_L=1e-6 * nS, V_th=1 * volt)
    spread = {"Mg": magnesium_of_cells * magnesium * mole / metre**3}
    cells = ns.create("cell", model, len(v), state={"v": v * mV, "g_nmda_decay": PEAK["nmda"] * 1e-3 * siemens}, spread=spread)
    after, _ = ns.simulate(ns.Circuit([cells]), 1e-3 * ms, backend=NUMPY(dt=1e-3 * ms), progress=False)
    return v, magnesium, 1 - np.asarray(after["cell"].v / mV) / v  # dt g/C is 1e-6


def test_magnesium_blocks_as_published():
    """Jahr & Stevens 1990: half is blocked where [Mg]/3.57 mM = exp(0.062 v/mV), which is at -20.5 mV with 1 mM."""
    v, magnesium, free = free_share()
    np.testing.assert_allclose(free / 1e-6, block(v, magnesium), rtol=1e-5)
    half = np.log(1 / 3.57) / 0.062
    assert half == pytest.approx(-20.5, abs=0.05)
    model = ns.load_cell("leaky").with_receptors("nmda")
    assert float(model.evaluate("B_nmda", v=half * mV)) == pytest.approx(0.5, rel=1e-12)
    assert float(model.evaluate("B_nmda", v=-80 * mV)) == pytest.approx(0.0244, abs=5e-5)


def test_control_a_concentration_wrong_by_a_hundredth_blocks_otherwise():
    v, magnesium, free = free_share(magnesium_of_cells=1.01)
    assert (abs(free / 1e-6 / block(v, magnesium) - 1) > 1e-5).tolist() == (magnesium > 0).tolist()


# --- against another integrator --------------------------------------------------------------------------------------

# weights in nS, of which the second cell gets a part so that neither spikes, and arrivals in ms
EVENTS = {"ampa": (1.0, [2, 28.4]), "nmda": (4.0, [2, 5.2, 10]), "gaba_a": (3.0, [20, 21.2])}
PART = {"leaky": 1.0, "traub_miles": 0.4}
DURATION, EVERY = 36, 0.4  # ms


def integrated(name):
    """v by LSODA at every sample: the catalogue's cell, with closed forms of the conductances as an injected current."""
    bare = ns.load_cell(name)
    order, constants = list(bare.initial), {**bare.si_namespace(), **dict.fromkeys(bare.continuous, 0.0)}
    derived = {one: line.expression for one, line in bare.lines.items() if line.kind == "subexpression"}

    def change(t, y, begun):
        """The derivatives at a time in ms, of the spikes that have arrived when a piece has `begun`."""
        names = Names({**constants, **dict(zip(order, y, strict=True)), "I_e": current(t, y[0], begun)}, derived)
        return [1e-3 * evaluate(bare.lines[one].expression, names) for one in order]

    def current(t, v, begun):
        total = 0.0
        for one, (weight, times) in EVENTS.items():
            g = 1e-9 * PART[name] * weight * sum(time_course(one, t - at) for at in times if at <= begun)
            total += g * (block(1e3 * v) if one == "nmda" else 1) * (REVERSAL[one] - v)
        return total

    edges = sorted({0.0, DURATION, *(at for _, times in EVENTS.values() for at in times)})
    y, samples = list(bare.initial_values().values()), []
    for start, stop in zip(edges, edges[1:]):
        at = EVERY * np.arange(np.ceil(start / EVERY - 1e-9), stop / EVERY - 1e-9)
        found = solve_ivp(change, (start, stop), y, "LSODA", [*at, stop], rtol=1e-7, atol=1e-10, args=(start,))
        samples, y = [*samples, *found.y[0, :-1]], found.y[:, -1]
    return np.array(samples)


@pytest.fixture(scope="module")
def errors():
    """The largest deviation from LSODA as a share of the deflection, by cell and time step, and that of extrapolated potentials."""
    own = {name: ns.load_cell(name).with_receptors(*ALL) for name in PART}
    models, exact, found = {**own, "leaky_rk2": own["leaky"].replace(method="rk2")}, {name: integrated(name) for name in PART}, {}
    for dt in (0.1, 0.05):
        events = {name: (weight, [at - dt for at in times]) for name, (weight, times) in EVENTS.items()}
        traces = traced(models, events, DURATION, dt)
        found[dt] = {name: traces[name]["v"][:: round(EVERY / dt)] for name in models}
    found["extrapolated"] = {name: 2 * found[0.05][name] - found[0.1][name] for name in models}

    def error(v, true):
        return abs(v - true).max() / abs(true - true[0]).max()

    return {name: {dt: error(v[name], exact[name.removesuffix("_rk2")]) for dt, v in found.items()} for name in models}


@pytest.mark.parametrize("name", PART)
def test_potentials_go_to_those_of_another_integrator_in_the_first_order(name, errors):
    """The method of these cells holds each variable, and the block, while it steps another."""
    error = errors[name]
    assert error["extrapolated"] < 1e-3 < error[0.05] < 0.01
    assert error[0.1] / error[0.05] == pytest.approx(2, rel=0.1)


def test_runge_kutta_steps_follow_the_block(errors):
    """Of second order: half the time step leaves a quarter of the error, where a block that is held leaves half of it, as above."""
    error = errors["leaky_rk2"]
    assert error[0.05] < 1e-4 and error[0.1] / error[0.05] > 3.5


# --- in circuits -----------------------------------------------------------------------------------------------------


def network():
    """Driven leaky cells that excite leaky and Hodgkin-Huxley cells by AMPA and NMDA receptors, and inhibit them a little."""
    exc = ns.create("exc", "leaky", 3, state={"v": [-60, -57, -54] * mV})
    others = [ns.create(name, ns.load_cell(name).with_receptors(*ALL), 3) for name in PART]
    into = [
        ns.connect(exc, cells, "static", ns.AllToAll(), receptor=f"g_{name}", weight=weight * nS, delay=delay * ms).replace(
            name=f"{name}_of_{cells.name}"
        )
        for cells in others
        for name, weight, delay in (("ampa", 1.5, 1), ("nmda", 2, 1.5), ("gaba_a", 0.5, 3))
    ]
    return ns.Circuit([exc, *others], into)


def played(circuit, duration, backend):
    """Spikes and v of both kinds of cells under a current into those that drive them."""
    step = ns.StepCurrent("exc", "I_e", amplitude=400 * pA)
    record = [wish for name in PART for wish in (ns.Spikes(name), ns.Trace(name, "v"))]
    after, recording = ns.simulate(circuit, duration * ms, inputs=[step], record=record, backend=backend, progress=False)
    spikes = {name: list(zip(recording[name].spikes.id.tolist(), recording[name].spikes.step.tolist(), strict=True)) for name in PART}
    return after, spikes, {name: recording[name].trace("v").si for name in PART}


def test_a_division_before_receptors_changes_nothing_behind_them():
    """Conductances add up, so shares of 0.3 and 0.7 deliver what one synapse did; whole copies, the control, do not."""
    backend = NUMPY(dt=0.1 * ms)
    middle, _, _ = played(network(), 10, backend)
    _, spikes, v = played(middle, 30, backend)
    assert all(len(one) > 2 for one in spikes.values())
    for newborn in ("split", "copy"):
        before = middle.updated({name: projection.replace(newborn=newborn) for name, projection in middle.projections.items()})
        divided = ns.apply(before, ns.Events.divide("exc", [0, 2], rng=np.random.default_rng(1), share=0.3))
        assert len(divided["exc"]) == 5
        _, others, w = played(divided, 30, backend)
        same = spikes == others and all(abs(v[name] - w[name]).max() <= 1e-12 for name in PART)
        assert same == (newborn == "split")


@pytest.mark.parametrize("target", ["library", pytest.param("cython", marks=pytest.mark.slow)])
def test_every_target_spikes_alike(target):
    _, spikes, v = played(network(), 50, NUMPY(dt=0.1 * ms))
    _, others, w = played(network(), 50, ns.Brian2(dt=0.1 * ms, target=target))
    assert spikes == others and all(len(one) > 2 for one in spikes.values())
    assert all(abs(v[name] - w[name]).max() <= 1e-12 for name in PART)


def test_noise_reaches_both_exponentials():
    """The sum over a Poisson train of weight w, right after a step's arrivals, has the mean w r dt/(1 - exp(-dt/tau))."""
    model = ns.load_cell("leaky").with_receptors("gaba_a").replace(E_gaba_a=-60 * mV)
    noise = ns.PoissonInput("cell", "g_gaba_a", rate=2000 * Hz, weight=1 * nS)
    record = [ns.Trace("cell", name, every=1 * ms) for name in STATES["gaba_a"]]
    circuit = ns.Circuit([ns.create("cell", model, 200)], seed=1)
    _, recording = ns.simulate(circuit, 80 * ms, inputs=[noise], record=record, backend=NUMPY(dt=0.1 * ms), progress=False)
    slow, fast = (recording["cell"].trace(name).si[:, 50:].mean() for name in STATES["gaba_a"])
    for found, tau in ((slow, SLOW["gaba_a"]), (fast, FAST["gaba_a"])):
        assert found == pytest.approx(2000 * 1e-4 / (1 - np.exp(-0.1 / tau)) * 1e-9, rel=0.04)  # four standard errors and more


def test_models_with_receptors_are_saved_and_loaded(tmp_path):
    model = ns.load_cell("traub_miles").with_receptors(*ALL)
    ns.save_model(model, tmp_path / "mine.toml")
    again = ns.load_cell(tmp_path / "mine.toml")
    assert again == model and again.hash == model.hash and list(again.initial) == list(model.initial)
    assert ns.CellModel.from_specification(model.specification()) == model
    assert model.hash != ns.load_cell("traub_miles").hash != ns.load_cell("traub_miles").with_receptors("ampa").hash
    circuit = ns.Circuit([ns.create("cell", model, 2)])
    ns.save_circuit(circuit, tmp_path / "circuit")
    assert ns.load_circuit(tmp_path / "circuit")["cell"].model == model
