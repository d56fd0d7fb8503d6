"""Parameters of which each cell has its own value: drawn from their own streams, kept as state is, and acting as one value for all would."""

import numpy as np
import pytest
from comparing import differences
from model_texts import CELL, load_text

import neurosim as ns
from neurosim.models.saving import save_model
from neurosim.units import Hz, cm, ms, msiemens, mV, nS, pA, pF, quantity, um
from neurosim.waveforms import ornstein_uhlenbeck

NUMPY = ns.Brian2(target="numpy")
LIBRARY = ns.Brian2(target="library", arithmetic="strict")
TOLERANCE = 1e-12  # 1e-9 mV: a constant is multiplied out before the loop over cells, so the last bits may differ
THRESHOLD = ns.Normal(-50 * mV, 2 * mV)


def cells(model="leaky_conductance", size=6, **others):
    return ns.create("exc", model, size, **others)


def own_of(population, name="V_th"):
    """The values of a parameter in SI units, cell by cell."""
    return population.cells[name].tolist()


def simulate(circuit, duration, *inputs, backend=NUMPY):
    after, recording = ns.simulate(circuit, duration, inputs=inputs, record=[ns.Trace("exc", "v")], backend=backend, progress=False)
    return after, recording["exc"]


def divide(circuit, mothers):
    return ns.apply(circuit, ns.Events.divide("exc", mothers, rng=np.random.default_rng(2)))


# --- values ----------------------------------------------------------------------------------------------------------


def test_values_are_given_one_by_one_as_one_or_drawn():
    own = {"V_th": [-50, -51, -52] * mV, "tau_ref": 4 * ms, "g_L": ns.Uniform(8 * nS, 12 * nS)}
    made = cells(size=3, spread=own)
    assert (made.V_th == [-50, -51, -52] * mV).all() and (made.tau_ref == 4 * ms).all()
    assert len(set(own_of(made, "g_L"))) == 3 and ((8 * nS <= made.g_L) & (made.g_L <= 12 * nS)).all()
    assert set(made.model.per_cell) == set(own) and not set(own) & set(made.model.parameters)
    assert made.model.variables.keys() - cells(size=3).model.variables.keys() == set(own)


def test_draws_have_their_distribution():
    drawn = np.asarray(cells(size=4000, spread={"V_th": THRESHOLD}).V_th)
    assert drawn.mean() == pytest.approx(-50e-3, abs=4 * 2e-3 / np.sqrt(4000))
    assert drawn.std(ddof=1) == pytest.approx(2e-3, rel=4 / np.sqrt(8000))


def test_a_seed_gives_its_values_and_nothing_else_moves_them():
    spread = {"V_th": THRESHOLD, "E_L": ns.Normal(-60 * mV, 2 * mV)}
    alone = own_of(cells(spread={"V_th": THRESHOLD}, seed=3))
    for others in (
        {"spread": spread},
        {"spread": dict(reversed(spread.items()))},
        {"spread": {"V_th": THRESHOLD}, "state": {"v": ns.Normal(-58 * mV, 1 * mV), "g_exc": ns.Exponential(1 * nS)}},
    ):
        assert own_of(cells(seed=3, **others)) == alone
    assert own_of(cells(spread={"V_th": THRESHOLD}, seed=4)) != alone
    assert own_of(ns.create("inh", "leaky_conductance", 6, spread={"V_th": THRESHOLD}, seed=3)) != alone
    both = cells(spread={"V_th": THRESHOLD, "V_reset": THRESHOLD}, seed=3)
    assert own_of(both) == alone != own_of(both, "V_reset")


def test_draws_of_state_are_not_moved_either():
    state = {"v": ns.Normal(-58 * mV, 1 * mV)}
    drawn = [
        own_of(cells(state=state, spread={"V_th": THRESHOLD}), "v"),
        own_of(cells(state=state), "v"),
        own_of(cells(state=state, seed=1), "v"),
    ]
    assert drawn[0] == drawn[1] != drawn[2]


def test_first_values_follow_those_of_each_cell():
    own = [-60, -65, -70] * mV
    made = cells(size=3, spread={"E_L": own})
    assert (made.v == own).all()
    given = cells(size=3, spread={"E_L": own}, state={"v": -61 * mV})
    assert (given.v == -61 * mV).all() and (given.E_L == own).all()
    gates = cells("traub_miles", 2, spread={"V_T": [-63, -58] * mV})
    alone = [ns.load_cell("traub_miles").replace(V_T=V_T * mV).initial_values() for V_T in (-63, -58)]
    for name in ("m", "h", "n"):
        assert gates.cells[name].tolist() == pytest.approx([one[name] for one in alone], rel=1e-12)
    assert alone[0]["m"] != pytest.approx(alone[1]["m"], rel=0.01)  # the control


def test_a_cell_above_its_own_threshold_has_not_crossed_it(tmp_path):
    """A crossing threshold is one of each cell too."""
    crossing = load_text(
        tmp_path, CELL, ('rule = "refractory"', 'rule = "crossing"'), ('reset = "v = E_L; w += b"\n', ""), ('refractory = "tau_ref"\n', ""),
        (" (unless refractory)", ""), ('tau_ref = { value = "2*ms", meaning = "refractory time", source = "chosen" }\n', ""),
        ('b = { value = "-10*pA", meaning = "adaptation", source = "chosen" }\n', ""),
    )  # fmt: skip
    made = cells(crossing, 2, spread={"V_th": [-50, -75] * mV})
    assert made.cells["not_refractory"].tolist() == [True, False]


# --- each cell is as one alone ---------------------------------------------------------------------------------------

# Constants of the membrane, of synapses, of the threshold, of the reset and of refractoriness; and a current (mean, sd) that makes them spike.
OWN = {
    "leaky_conductance": (
        {
            "V_th": [-50, -52, -48] * mV,
            "E_L": [-60, -62, -57] * mV,
            "C_m": [200, 150, 260] * pF,
            "tau_ref": [5, 2, 8] * ms,
            "V_reset": [-60, -58, -64] * mV,
            "E_exc": [0, -5, 3] * mV,
            "tau_inh": [10, 5, 20] * ms,
        },
        (200 * pA, 200 * pA),
    ),
    "adex": (
        {
            "C_m": [281, 200, 150] * pF,
            "tau_w": [144, 30, 100] * ms,
            "b": [80.5, 20, 0] * pA,
            "Delta_T": [2, 1, 3] * mV,
            "V_reset": [-70.6, -60, -58] * mV,
            "tau_ref": [0, 2, 1.5] * ms,
        },
        (1200 * pA, 600 * pA),
    ),
    "traub_miles": (
        {
            "gbar_Na": [100, 80, 120] * msiemens / cm**2,
            "gbar_K": [30, 25, 40] * msiemens / cm**2,
            "V_T": [-63, -61, -64] * mV,
            "tau_exc": [5, 4, 6] * ms,
            "area": [20000, 15000, 25000] * um**2,
        },
        (600 * pA, 300 * pA),
    ),
}


def driven(cell, size, spread, backend, **replaced):
    """The spikes and v of cells under one noise current, with synapses of a source onto both conductances."""
    mean, sd = OWN[cell][1]
    exc = cells(ns.load_cell(cell).replace(**replaced), size, spread=spread)
    source = ns.create("source", "spike_source", 1)
    weights = {"g_exc": 20 * nS, "g_inh": 30 * nS}
    into = [
        ns.connect(source, exc, "static", ns.AllToAll(), receptor=receptor, weight=weight).replace(name=f"by_{receptor}")
        for receptor, weight in weights.items()
    ]
    noise = ornstein_uhlenbeck(mean, sd, tau=5 * ms, duration=50 * ms, dt=0.1 * ms, rng=1)
    given = ns.SpikeTimes("source", [0] * 4, [5, 20, 31, 32] * ms)
    _, recorded = simulate(ns.Circuit([source, exc], into), 50 * ms, given, ns.WaveformInput("exc", "I_e", noise), backend=backend)
    return [recorded.spikes.step[recorded.spikes.id == cell].tolist() for cell in range(size)], recorded.trace("v").si


def one_of(spread, k):
    return {name: values[k] for name, values in spread.items()}


@pytest.mark.parametrize(
    ("cell", "backend"),
    [("leaky_conductance", NUMPY), ("leaky_conductance", LIBRARY), ("adex", NUMPY), ("traub_miles", NUMPY)],
    ids=["leaky-numpy", "leaky-library", "adex-numpy", "traub-numpy"],
)
def test_each_cell_is_as_one_of_a_population_of_its_own(cell, backend):
    """To the bit where that population has the value of its one cell, and to rounding where it has it for all."""
    spread = OWN[cell][0]
    spikes, v = driven(cell, 3, spread, backend)
    assert sum(map(len, spikes)) > 5 and spikes[0] != spikes[1] != spikes[2]
    for k in range(3):
        (own,), alone = driven(cell, 1, one_of(spread, k), backend)
        assert own == spikes[k] and alone[0].tobytes() == v[k].tobytes()
    (own,), alone = driven(cell, 1, None, backend, **one_of(spread, 1))
    assert own == spikes[1] and abs(alone[0] - v[1]).max() <= TOLERANCE


@pytest.mark.parametrize("cell", ["leaky_conductance", "adex"])
def test_control_each_of_the_values_matters(cell):
    """Cell 0 has one set of values, and each of the others another one in one place."""
    spread = OWN[cell][0]
    values = {name: np.full(len(spread) + 1, float(given[1])) for name, given in spread.items()}
    for place, (name, given) in enumerate(spread.items(), 1):
        values[name][place] = float(given[2])
    _, v = driven(cell, len(spread) + 1, {name: quantity(values[name], given.dim) for name, given in spread.items()}, NUMPY)
    assert (abs(v[1:] - v[0]).max(axis=1) > 1e-5).all()


def test_refractory_times_are_those_of_each_cell():
    """Cells at a strong current: the interval is tau_ref + tau_m log(I / (I - I_rheobase)), tau_m = 20 ms, to a time step."""
    refractory = np.array([1, 2.5, 5, 8])
    circuit = ns.Circuit([cells(size=4, spread={"tau_ref": refractory * ms})])
    _, recorded = simulate(circuit, 60 * ms, ns.StepCurrent("exc", "I_e", 400 * pA))
    intervals = np.array([np.diff(recorded.spikes.step[recorded.spikes.id == cell]).mean() / 10 for cell in range(4)])
    assert abs(intervals - (refractory + 20 * np.log(40 / 30))).max() < 0.11
    assert abs(intervals - (refractory[::-1] + 20 * np.log(40 / 30))).min() > 1  # the control


@pytest.mark.parametrize("backend", [NUMPY, LIBRARY], ids=["numpy", "library"])
def test_what_a_receptor_does_takes_the_value_of_its_cell(backend):
    """Direct inhibition of 3 mV a spike lowers v to rest at most: of one spike in the second time step, and of nine Poisson spikes in each."""
    rest = np.array([-65e-3, -63e-3, -60.5e-3])
    exc = cells("leaky_adaptive_threshold", 3, spread={"E_L": quantity(rest, mV.dim)}, state={"v": -61 * mV})
    source = ns.create("source", "spike_source", 1)
    into = ns.connect(source, exc, "static", ns.AllToAll(), receptor="direct_inhibition", weight=3 * mV)
    once = ns.SpikeTimes("source", 0, 0.1 * ms)
    often = ns.PoissonInput("exc", "direct_inhibition", rate=9e4 * Hz, weight=3 * mV)
    for circuit, given, lowered in ((ns.Circuit([source, exc], [into]), once, 3e-3), (ns.Circuit([exc]), often, np.inf)):
        after, _ = simulate(circuit, 0.2 * ms, given, backend=backend)
        free = rest + (-61e-3 - rest) * np.exp(-0.2 / 50)
        expected = np.maximum(free - lowered, rest)
        np.testing.assert_allclose(after["exc"].cells["v"], expected, rtol=0, atol=1e-12)
        assert abs(after["exc"].cells["v"] - np.maximum(free - lowered, -65e-3)).max() > 1e-4  # the control: rest for all


# --- kept as state is ------------------------------------------------------------------------------------------------


def test_a_daughter_has_the_values_of_her_mother():
    grown = divide(divide(ns.Circuit([cells(size=3, spread={"V_th": THRESHOLD})]), [2, 0]), [3])
    V_th = own_of(grown["exc"])
    assert grown["exc"].cells["parent"].tolist() == [-1, -1, -1, 2, 0, 3]
    assert V_th[3:] == [V_th[2], V_th[0], V_th[2]] and len(set(V_th)) == 3


def test_values_and_their_model_are_kept_without_loss(tmp_path):
    spread = {"V_th": THRESHOLD, "tau_ref": ns.Uniform(2 * ms, 5 * ms)}
    middle, _ = simulate(ns.Circuit([cells(spread=spread)]), 5 * ms, ns.StepCurrent("exc", "I_e", 300 * pA))
    again = ns.load_circuit(ns.save_circuit(middle, tmp_path / "circuit.npz"))
    assert differences(again, middle) == [] and again["exc"].model.per_cell.keys() == spread.keys()
    goes, on = (simulate(one, 10 * ms, ns.StepCurrent("exc", "I_e", 300 * pA))[0] for one in (middle, again))
    assert differences(goes, on) == []
    model = middle["exc"].model
    back = type(model).from_specification(model.specification())
    assert back == model and back.per_cell == model.per_cell and back.hash != ns.load_cell("leaky_conductance").hash
    save_model(model, tmp_path / "spread.toml")
    assert ns.load_cell(tmp_path / "spread.toml").per_cell.keys() == spread.keys()


def test_values_may_be_set_as_state_is():
    changed = cells(size=2, spread={"V_th": THRESHOLD}).set(V_th=[-40, -45] * mV)
    assert (changed.V_th == [-40, -45] * mV).all()
    with pytest.raises(KeyError, match="has no state variable 'V_reset'"):
        changed.set(V_reset=-60 * mV)


def test_a_description_tells_them():
    made = cells(size=2, spread={"V_th": [-50, -52] * mV, "tau_ref": 4 * ms})
    lines = ns.describe(made).splitlines()
    assert "  V_th: -52. mV to -50. mV" in lines and "  tau_ref: 4. ms" in lines
    assert not any("V_th" in line for line in ns.describe(cells()).splitlines())
    text = ns.describe(made.model)
    assert "  V_th = -50*mV, each cell its own: spike threshold [Brette et al. 2007, benchmark 1]" in text
    assert "each cell its own" not in ns.describe(ns.load_cell("leaky_conductance"))


def test_a_file_may_say_that_each_cell_has_its_own(tmp_path):
    threshold = 'V_th = { value = "-50*mV", meaning = "threshold", source = "chosen" }'
    told = load_text(tmp_path, CELL, (threshold, threshold.replace(" }", ", spread = true }")))
    assert list(told.per_cell) == ["V_th"] and "V_th" in told.variables
    assert (cells(told, 2).V_th == -50 * mV).all()
    assert (cells(told, 2, spread={"V_th": [-50, -40] * mV}).V_th == [-50, -40] * mV).all()
    assert load_text(tmp_path, CELL, (threshold, threshold.replace(" }", ", spread = false }"))).per_cell == {}
    for word in ('"yes"', "1"):
        with pytest.raises(ValueError, match=r"mine.toml: \[parameters\] V_th: spread is .*; give true where every cell has its own value"):
            load_text(tmp_path, CELL, (threshold, threshold.replace(" }", f", spread = {word} }}")))


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spread", "error", "words"),
    [
        ({"V_thr": -50 * mV}, ValueError, "'leaky_conductance' has no parameter 'V_thr' to spread. Did you mean 'V_th'"),
        ({"v": -50 * mV}, ValueError, "has no parameter 'v' to spread"),
        ({"V_th": 50 * ms}, TypeError, "V_th of population 'exc' is 50. ms, but it needs the dimension of volt"),
        ({"V_th": -50.0}, TypeError, "V_th of population 'exc' .* volt"),
        ({"V_th": ns.Normal(5 * ms, 1 * ms)}, TypeError, "V_th of population 'exc' .* needs the dimension of volt"),
        ({"V_th": [-50, -51] * mV}, ValueError, r"V_th of population 'exc' has the shape \(2,\), but it needs one value or \(6,\)"),
        ({"V_th": [-50, -51, -52, -53, -54, np.nan] * mV}, ValueError, "V_th of population 'exc' .* NaN is not a value"),
    ],
)
def test_what_cannot_be_spread_is_refused(spread, error, words):
    with pytest.raises(error, match=words):
        cells(spread=spread)


def test_a_value_is_given_once():
    with pytest.raises(ValueError, match="population 'exc' has 'V_th' in both spread and state; give it in spread alone"):
        cells(spread={"V_th": THRESHOLD}, state={"V_th": -50 * mV})


def test_sources_have_nothing_to_spread():
    with pytest.raises(ValueError, match="'spike_source' has no parameter 'V_th' to spread"):
        ns.create("source", "spike_source", 2, spread={"V_th": THRESHOLD})
