"""What an epoch's record says of ledgers, of excitation and inhibition, and of synchrony."""

import numpy as np
from life_data import NUMPY, develop

import neurosim as ns
from neurosim.lifecycle.tallies import balance, ledgers
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import Hz, ms, mV, nS


def circuit():
    exc = ns.create("exc", "leaky_conductance", 4, sign="excitatory")
    inh = ns.create("inh", "leaky_conductance", 2, sign="inhibitory")
    drive = ns.connect(exc, inh, "static", ns.AllToAll(), receptor="g_exc", weight=ns.psp(0.5 * mV))
    brake = ns.connect(inh, exc, "static", ns.AllToAll(), receptor="g_inh", weight=ns.psp(2 * mV))
    return ns.Circuit([exc, inh], [drive, brake], seed=1)


def spiking(now, exc, inh, duration=0.1):
    """A recording in which cells spiked at these times (s), one list each."""
    parts = {}
    for name, times in (("exc", exc), ("inh", inh)):
        counts = np.array([len(one) for one in times])
        step = np.round(np.concatenate([np.zeros(0), *map(np.asarray, times)]) / 1e-4).astype(np.int64)
        ids = np.repeat(now[name].ids, counts)
        order = np.argsort(step, kind="stable")
        parts[name] = PartRecording(name, duration, now[name].ids, counts, SpikeTrains(ids[order], step[order], 1e-4))
    return Recording(parts, 0, round(duration / 1e-4), 1e-4)


def test_quartiles_mean_and_sd_are_those_of_numpy():
    values = np.random.default_rng(1).normal(3, 1, 4)
    now = circuit().with_ledgers({"exc": [ns.Ledger("level")]}).set("exc", level=values)
    (row,) = ledgers(now, "life", 3)
    assert (row["epoch"], row["name"], row["ledger"], row["phase"]) == (3, "exc", "level", "life")
    np.testing.assert_allclose([row["low"], row["median"], row["high"]], np.percentile(values, [25, 50, 75]), rtol=1e-12)
    np.testing.assert_allclose([row["mean"], row["sd"]], [values.mean(), values.std()], rtol=1e-12)
    empty = ns.apply(now, ns.Events.kill("exc", now["exc"].ids))
    assert np.isnan(ledgers(empty, "life", 3)["median"]).all()


def test_what_reaches_a_cell_counts_as_potentials_per_second():
    """Each spike of one of four cells is worth half a millivolt in each target: by hand, 10 spikes in 0.1 s are 0.05 V/s."""
    now = circuit()
    recording = spiking(now, [[0.01, 0.02, 0.03], [0.04], [0.05, 0.06, 0.07, 0.08], [0.081, 0.082]], [[0.05], [0.06, 0.07]])
    exc, inh = balance(now, "life", 1, recording)
    np.testing.assert_allclose([exc["exc"], exc["inh"]], [0, 3 * 2e-3 / 0.1], rtol=1e-12)
    np.testing.assert_allclose([inh["exc"], inh["inh"]], [10 * 0.5e-3 / 0.1, 0], rtol=1e-12)
    assert exc["cells"] == inh["cells"] == 2
    divided = ns.apply(now, ns.Events.divide("exc", [2], rng=np.random.default_rng(0)))
    twins = spiking(
        divided, [[0.01, 0.02, 0.03], [0.04], [0.05, 0.06, 0.07, 0.08], [0.081, 0.082], [0.05, 0.06, 0.07, 0.08]], [[0.05], [0.06, 0.07]]
    )
    np.testing.assert_allclose(balance(divided, "life", 1, twins)["exc"][1], 10 * 0.5e-3 / 0.1, rtol=1e-12)  # a division adds nothing


def test_the_ratio_is_of_cells_that_are_declared_excitatory_and_no_inputs():
    """Inputs are no cells, and where nothing is declared excitatory there is no ratio, not one of 0."""

    def ratio(sign, inputs):
        cells = [ns.create("exc", "leaky", 6, sign=sign), ns.create("inh", "leaky", 2, sign="inhibitory")]
        cells += [ns.create("fibres", "spike_source", 50, sign="excitatory")] if inputs else []
        history = develop(ns.Circuit(cells), ns.Phase("life", 1), inputs=[])
        return history.balance["cells"].tolist()

    assert ratio("excitatory", False) == ratio("excitatory", True) == [3, 3]
    assert np.isnan(ratio(None, True)).all()


def test_cells_that_fire_together_are_as_synchronous_as_there_are_of_them():
    """Variance over mean of the population's spikes in 5 ms: n cells that are one Poisson process have n, n independent ones 1."""
    draw, now = np.random.default_rng(2), ns.Circuit([ns.create("exc", "leaky_conductance", 8), ns.create("inh", "leaky_conductance", 1)])
    one = np.flatnonzero(draw.random(40_000) < 0.002) * 1e-4
    together = balance(now, "life", 1, spiking(now, [one] * 8, [[]], 4.0))["synchrony"]
    apart = balance(now, "life", 1, spiking(now, [np.flatnonzero(draw.random(40_000) < 0.002) * 1e-4 for _ in range(8)], [[]], 4.0))[
        "synchrony"
    ]
    assert abs(together[0] / 8 - 1) < 0.15 and abs(apart[0] - 1) < 0.15 and np.isnan(together[1])


def test_a_life_keeps_both_tables_and_a_folder_has_them(tmp_path):
    class Keep:
        """A book that counts epochs in each cell."""

        population = "exc"

        def ledgers(self, circuit):
            return {"exc": [ns.Ledger("epochs")]}

        def keep(self, circuit, recording):
            return {("exc", "epochs"): circuit["exc"].cells["epochs"] + 1, (None, "counted"): circuit.notes.get("counted", 0) + 1}

        @property
        def books(self):
            return (self,)

        def __call__(self, circuit, recording, rng):
            return ns.Events()

    life = ns.Lifecycle(2 * ms, [ns.Phase("life", 3, [Keep()])])
    history = ns.develop(circuit(), life, backend=NUMPY, progress=False, keep=tmp_path / "run")
    assert history.ledgers["mean"].tolist() == [0, 1, 2, 3] and history.circuit.notes == {"counted": 3}
    assert (history.circuit["exc"].epochs == 3).all() and len(history.balance) == 6
    again = ns.load_history(tmp_path / "run")
    assert again.ledgers.tobytes() == history.ledgers.tobytes() and again.balance.tobytes() == history.balance.tobytes()
    assert (tmp_path / "run" / "ledgers.csv").read_text().count("\n") == 5


def test_a_measure_sees_the_ledgers_that_rules_see():
    """And what judges by measures comes after them: a wave at the boundary at which the ledger first says so."""
    seen = []

    def measure(now, recording):
        seen.append(now["exc"].cells["calcium"].copy())
        return {"calcium": now["exc"].cells["calcium"].mean()}

    calcium = ns.CalciumBook("exc", 10 * ms)
    drive = [ns.PoissonInput("exc", "g_exc", rate=2000 * Hz, weight=5 * nS)]
    life = ns.Lifecycle(10 * ms, [ns.Phase("life", 4, [calcium])])
    history = ns.develop(circuit(), life, inputs=drive, backend=NUMPY, progress=False, measure=measure)
    means = history.ledgers[(history.ledgers["ledger"] == "calcium") & (history.ledgers["epoch"] > 0)]["mean"]
    assert history.activity["spikes"].sum() and means[0] > 0
    assert [one.mean() for one in seen] == means.tolist() == history.measures["calcium"].tolist()
