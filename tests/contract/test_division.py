"""A division of connected spiking cells changes nobody else: same spikes, same weights, v within 1e-9 mV over 200 ms."""

from functools import cache

import numpy as np
import pytest
from circuits import EMPTY_FLIGHT, HH, LIBRARY, NUMPY, build, drive, each_cell_on, in_flight, on_targets, run, spikes, tampered

import neurosim as ns
from neurosim.units import Hz, ms, mV, nS

to_the_bit = each_cell_on("cython", "library")
PICOVOLT = 1e-12  # 1e-9 mV
V = [ns.Trace("exc", "v")]


def divide(circuit, mothers, share=(0.25, 0.75), jitter=0.0):
    return ns.apply(circuit, ns.Events.divide("exc", mothers, rng=np.random.default_rng(5), share=share, jitter=jitter))


class Moment:
    """A circuit in the middle of a spike, the cell that spikes and others it reaches, and how they go on undivided.

    A leaky cell is then refractory; of a Hodgkin-Huxley cell v is above threshold.
    """

    def __init__(self, cell, backend, shared=True, steps=500, **size):
        self.inputs, self.backend, self.futures = drive(cell, shared=shared), backend, {}
        circuit = build(cell, **size)
        _, recording = run(circuit, steps, self.inputs, backend)
        step, mother = max(spike for spike in spikes(recording) if spike[0] < steps - 30)
        self.circuit, _ = run(circuit, step + 2, self.inputs, backend)
        own, synapses = self.circuit["exc"].cells, self.circuit["plastic"].synapses
        assert not own["not_refractory"][mother]
        assert cell not in HH or own["v"][mother] > -20e-3
        self.mothers = [mother, *np.setdiff1d(synapses["post"][synapses["pre"] == mother], [mother])[:3].tolist()]

    def undivided(self, steps):
        if steps not in self.futures:
            self.futures[steps] = run(self.circuit, steps, self.inputs, self.backend, record=V)
        return self.futures[steps]


moment = cache(Moment)


def deviation(without, recording, cells):
    """The largest difference of v of some cells between two recordings, in volt."""
    one, other = without["exc"].trace("v"), recording["exc"].trace("v")
    return np.abs(one.si[np.searchsorted(one.ids, cells)] - other.si[np.searchsorted(other.ids, cells)]).max()


def check_invisible(at, mothers, steps, divided=None):
    """Run with and without the division and compare all cells but the daughters, who do as their mothers do."""
    middle = at.circuit
    divided = divided or divide(middle, mothers)
    after, without = at.undivided(steps)
    grown, recording = run(divided, steps, at.inputs, at.backend, record=V)
    daughters = divided["exc"].ids[len(middle["exc"]) :]
    expected = spikes(without)
    assert len(expected) > 30 and any(mothers[0] == spiking for _, spiking in expected)
    assert spikes(recording, but=daughters) == expected
    assert deviation(without, recording, middle["exc"].ids) <= PICOVOLT
    for mother, daughter in zip(mothers, daughters, strict=True):
        assert {step for step, who in spikes(recording) if who == daughter} == {step for step, who in expected if who == mother}
        v = recording["exc"].trace("v").si
        assert np.abs(v[mother] - v[daughter]).max() <= PICOVOLT
    old, new = after["plastic"].synapses, grown["plastic"].synapses
    same = grown["plastic"].rows(old["id"])
    assert (middle["plastic"].synapses["weight"] != old["weight"]).mean() > 0.5
    np.testing.assert_allclose(new["weight"][same], old["weight"], rtol=1e-12)
    copies = np.flatnonzero(~np.isin(new["id"], old["id"]))
    np.testing.assert_allclose(new["weight"][copies], new["weight"][grown["plastic"].rows(new["parent"][copies])], rtol=1e-12)


@to_the_bit
def test_in_the_middle_of_a_spike(cell, backend):
    at = moment(cell, backend)
    assert in_flight(at.circuit) > 5
    check_invisible(at, at.mothers[:1], 2000)


@to_the_bit
def test_of_connected_cells_at_once(cell, backend):
    at = moment(cell, backend)
    assert len(at.mothers) > 2
    check_invisible(at, at.mothers, 2000)


@to_the_bit
def test_of_every_cell_at_once(cell, backend):
    at = moment(cell, backend)
    check_invisible(at, at.circuit["exc"].ids.tolist(), 2000)


@pytest.mark.parametrize("cell", ["leaky_conductance", "traub_miles"])
def test_on_numpy(cell):
    at = Moment(cell, NUMPY, steps=300)
    check_invisible(at, at.mothers, 400)


@to_the_bit
def test_with_thousands_of_spikes_in_flight(cell, backend):
    at = Moment(cell, backend, size=80, chance=1.0, strength=0.1)
    while in_flight(at.circuit) < 1000:
        at.circuit, _ = run(at.circuit, 10, at.inputs, at.backend)
    check_invisible(at, at.mothers, 1000)


@on_targets("cython", "library")
def test_of_daughters_and_granddaughters(backend):
    at = moment("leaky_conductance", backend)
    once = divide(at.circuit, at.mothers)
    twice = divide(once, once["exc"].ids[-4:])
    assert twice["exc"].cells["parent"][-4:].tolist() == once["exc"].ids[-4:].tolist()
    check_invisible(at, [*at.mothers, *at.mothers], 2000, divided=twice)


SPREAD = {
    "leaky_conductance": {
        "V_th": ns.Normal(-50 * mV, 1 * mV),
        "E_L": ns.Normal(-60 * mV, 1 * mV),
        "tau_ref": ns.Uniform(3 * ms, 7 * ms),
        "V_reset": ns.Uniform(-62 * mV, -58 * mV),
    },
    "traub_miles": {"V_T": ns.Normal(-63 * mV, 1 * mV), "tau_exc": ns.Uniform(4 * ms, 6 * ms)},
}


@pytest.mark.parametrize("cell", SPREAD)
def test_of_cells_with_values_of_their_own(cell):
    """A daughter has her mother's values; one with those of another cell, the control, does not do as her mother does."""
    at = Moment(cell, LIBRARY, spread=SPREAD[cell])
    mothers = at.circuit["exc"].ids.tolist()
    divided = divide(at.circuit, mothers)
    for name in SPREAD[cell]:
        values = divided["exc"].cells[name].tolist()
        assert values[len(mothers) :] == values[: len(mothers)] and len(set(values)) == len(mothers)
    check_invisible(at, mothers, 2000, divided)
    for name in SPREAD[cell]:
        values = divided["exc"].cells[name]
        swapped = np.r_[values[: len(mothers)], np.roll(values[: len(mothers)], 1)]
        with pytest.raises(AssertionError):
            check_invisible(at, mothers, 2000, tampered(divided, "exc", **{name: swapped}))


def without_flight(divided, first):
    """Take from the copies what they inherited in flight."""
    flight = divided["plastic"].flight
    kept = {key: values[flight["synapse"] < first] for key, values in flight.items()}
    return tampered(divided, "plastic", flight=ns.table.Table(kept))


def share_of_the_twins(divided, factor):
    share = divided["plastic"].synapses["share"]
    return tampered(divided, "plastic", share=np.where(share < 1, factor * share, share))


WRONG = {
    "copied, not split": lambda middle, mothers: divide(middle.updated({"plastic": middle["plastic"].replace(newborn="copy")}), mothers),
    "wrong shares": lambda middle, mothers: share_of_the_twins(divide(middle, mothers), 0.9),
    "nothing in flight": lambda middle, mothers: without_flight(divide(middle, mothers), middle["plastic"].next_id),
    "flight lost": lambda middle, mothers: tampered(divide(middle, mothers), "plastic", flight=EMPTY_FLIGHT),
    "daughter at rest": lambda middle, mothers: _at_rest(divide(middle, mothers), len(mothers)),
    "jitter": lambda middle, mothers: divide(middle, mothers, jitter=0.2),
}


def _at_rest(divided, count):
    v = divided["exc"].cells["v"].copy()
    v[-count:] = -64e-3
    return tampered(divided, "exc", v=v)


@pytest.mark.parametrize("wrong", WRONG)
@to_the_bit
def test_control_a_wrong_division_is_seen(cell, backend, wrong):
    at = moment(cell, backend)
    mothers = at.circuit["exc"].ids.tolist()
    with pytest.raises(AssertionError):
        check_invisible(at, mothers, 2000, divided=WRONG[wrong](at.circuit, mothers))


@to_the_bit
def test_control_own_noise_is_seen(cell, backend):
    at = Moment(cell, backend, shared=False)
    with pytest.raises(AssertionError):
        check_invisible(at, at.mothers, 2000)


@pytest.mark.parametrize("cell", ["leaky_conductance", "hodgkin_huxley"])
def test_twins_with_equal_inputs_separate_by_jitter_only(cell):
    at = moment(cell, LIBRARY)
    mother, daughter = at.mothers[0], len(at.circuit["exc"])

    def twins(**others):
        _, recording = run(divide(at.circuit, [mother], **others), 3000, at.inputs, at.backend, record=V)
        return recording["exc"].trace("v").si[[mother, daughter]]

    for share in (0.5, (0.1, 0.9)):
        one, other = twins(share=share)
        assert one.tobytes() == other.tobytes()
    one, other = twins(jitter=0.2)
    assert np.abs(one - other).max() > 1e-4


def test_own_noise_keeps_the_mean_but_not_the_variance_of_what_a_pair_delivers():
    """300 pairs with shares of one half, no coupling; spikes weighted by share, in windows of 50 ms. Independent twins have half the variance."""
    cell, size = "leaky_conductance", 300
    delivered = {}
    for shared in (True, False):
        inputs = drive(cell, shared=shared)
        circuit, _ = run(build(cell, size=size, chance=0.005, strength=1e-6), 1000, inputs, LIBRARY)
        circuit = divide(circuit, circuit["exc"].ids, share=0.5)
        circuit, _ = run(circuit, 500, inputs, LIBRARY)  # twins part
        _, recording = run(circuit, 10000, inputs, LIBRARY)
        train = recording["exc"].spikes
        counts = np.zeros((size, 20))
        np.add.at(counts, (train.id % size, (train.step - circuit.step) // 500), 0.5)
        delivered[shared] = counts
    together, apart = delivered[True], delivered[False]
    assert apart.mean() == pytest.approx(together.mean(), rel=0.03)
    ratio = apart.var(axis=1, ddof=1).mean() / together.var(axis=1, ddof=1).mean()
    assert 0.4 < ratio < 0.6


def saturating(folder):
    """A synapse that delivers no more than 1 nS, whatever its weight."""
    path = folder / "saturating.toml"
    path.write_text("""
name = "saturating"
summary = "Delivers its weight up to a limit."
references = ["Nobody (2000)."]
on_pre = "deliver(clip(weight, 0*siemens, limit))"

[parameters]
limit = { value = "1*nS", meaning = "largest delivery", source = "chosen for a test" }
""")
    return ns.load_synapse(str(path))


def test_split_raises_where_effects_do_not_add_up(tmp_path):
    clipped = build("leaky_adaptive_threshold", inhibition="direct_inhibition")
    with pytest.raises(ValueError, match="cannot split projection 'fixed'.*direct_inhibition.*not additive"):
        divide(clipped, [0])
    exc = ns.create("exc", "leaky_conductance", 4)
    limited = ns.connect(exc, exc, saturating(tmp_path), ns.AllToAll(), receptor="g_exc", weight=2 * nS)
    with pytest.raises(ValueError, match="'exc_to_exc'.*'saturating' does not deliver in proportion to the weight"):
        divide(ns.Circuit([exc], [limited]), [0])
    for newborn in ("copy", "wire"):
        assert len(divide(ns.Circuit([exc], [limited.replace(newborn=newborn)]), [0])["exc"]) == 5
        other = clipped["fixed"].replace(newborn="copy")
        assert len(divide(clipped.updated({"fixed": other}), [0])["exc"]) == 21


@pytest.mark.parametrize("newborn", ["split", "copy"])
def test_with_images_and_normalised_weights(newborn):
    """Sums of what is delivered count shares, so a division changes no normalisation; whole copies (the control) change all of them."""
    source, exc = ns.create("source", "spike_source", 6), ns.create("exc", "leaky_adaptive_threshold", 5)
    stdp = ns.load_synapse("stdp_pair").replace(w_max=20 * mV, A_plus=0.05, A_minus=0.02, w_total=12 * mV, normalise="incoming")
    weight = ns.Uniform(0 * mV, 4 * mV)
    given = ns.connect(source, exc, stdp, ns.AllToAll(), receptor="v", weight=weight, delay=2 * ms, seed=1)
    among = ns.connect(exc, exc, stdp, ns.AllToAll(autapses=True), receptor="v", weight=weight, delay=3 * ms, seed=1)
    rates = np.random.default_rng(1).uniform(50, 400, (6, 6)) * Hz
    inputs = [ns.Presentations("source", rates, duration=20 * ms)]
    circuit = ns.Circuit([source, exc], [given.replace(name="given"), among.replace(name="plastic", newborn=newborn)], seed=2)
    steady = {"exc.learning": 0.0}  # the threshold's own homeostasis counts the cells of the population
    middle, _ = run(circuit, 430, inputs, modulate=steady)
    after, without = run(middle, 700, inputs, modulate=steady, record=V)
    grown, recording = run(divide(middle, [0, 3]), 700, inputs, modulate=steady, record=V)
    assert len(spikes(without)) > 20
    alike = spikes(recording, but=[5, 6]) == spikes(without) and deviation(without, recording, range(5)) <= PICOVOLT
    old = grown["plastic"].rows(after["plastic"].ids)
    alike &= np.allclose(grown["plastic"].synapses["weight"][old], after["plastic"].synapses["weight"], rtol=1e-12)
    assert alike == (newborn == "split")
