"""A supply that cells share by what they do, and costs that would starve all of them at once."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from life_data import circuit, develop, recorded

import neurosim as ns
from neurosim.lifecycle.books import begun, kept
from neurosim.units import Hz, ms, mV, second

FREE = {"per_time": 0 * Hz, "per_spike": 0, "per_event": 0}
NOW = circuit(8)
ALONE = ns.Circuit([NOW["exc"]])


@given(st.lists(st.integers(0, 50), min_size=8, max_size=8), st.floats(0, 1), st.floats(0, 1e6))
def test_a_supply_is_shared_by_spikes(counts, even, total):
    """The part that is shared equally, and the rest by spikes: nothing of it where there are none."""
    shares = ns.Supply(total * Hz, even)(NOW, recorded(NOW, counts), "exc")
    spikes = np.array(counts)
    own = spikes / spikes.sum() if spikes.any() else np.zeros(8)
    np.testing.assert_allclose(shares, total * (even / 8 + (1 - even) * own), rtol=1e-12)
    assert shares.sum() == pytest.approx(total if spikes.any() else even * total, rel=1e-12)
    assert (shares <= float(ns.Supply(total * Hz).most) * (1 + 1e-12)).all()


def test_a_supply_by_another_trait_feeds_the_books():
    """By calcium, whose book comes with it: twice as much for twice the calcium."""
    calcium = ns.Calcium(1 * second)
    book = ns.Energy("exc", ns.Supply(30 * Hz, by=calcium), costs=FREE)
    assert book.books == (ns.CalciumBook("exc", 1 * second), book)
    now = begun(ALONE, [book]).set("exc", calcium=np.array([1, 2, 3, 4, 0, 0, 0, 0]) * Hz)
    (only,) = [one for one in book.books if isinstance(one, ns.Energy)]
    values = only.keep(now, recorded(now, np.zeros(8, int), duration=1.0))["exc", "energy"]
    assert values.tolist() == pytest.approx([3, 6, 9, 12, 0, 0, 0, 0])


def test_an_empty_population_has_no_shares():
    empty = ns.Circuit([ns.create("exc", "leaky", None)])
    assert ns.Supply(1 * Hz, 0.5)(empty, recorded(empty, []), "exc").shape == (0,)


MISTAKES = {
    "unit": (lambda: ns.Supply(1 * mV), TypeError, "total of Supply"),
    "negative": (lambda: ns.Supply(-1 * Hz), ValueError, r"total of Supply is -1\. Hz; give one rate of 0 or more"),
    "even": (lambda: ns.Supply(1 * Hz, 1.5), ValueError, r"even of Supply is 1\.5; give a number from 0 to 1"),
    "projection": (lambda: ns.Supply(1 * Hz).check(NOW, "loop"), ValueError, "Supply is a trait of cells, and 'loop' is no population"),
    "below 0": (
        lambda: ns.Supply(1 * Hz, by=ns.Value("v"))(NOW, recorded(NOW, np.zeros(8, int)), "exc"), ValueError,
        r"Value\(variable='v'\) of 'exc', by which Supply shares, is -0\.06; give a trait that is 0 or more",
    ),
}  # fmt: skip


@pytest.mark.parametrize("slip", MISTAKES)
def test_mistakes_are_named(slip):
    make, kind, message = MISTAKES[slip]
    with pytest.raises(kind, match=message):
        make()


# --- costs that empty every cell at once ---------------------------------------------------------------------------------


def life(book, *rules):
    return lambda: develop(circuit(8), ns.Phase("life", 2, [book, *rules]), epoch=1 * ms)


def costing(per_time, income=0 * Hz, **others):
    return ns.Energy("exc", income, costs=FREE | {"per_time": per_time}, **{"first": 10.0} | others)


HUNGRY = ns.Below(ns.Value("energy"), 0.0)
OLD = ns.Outlived(9)
STARVING = {
    "below": life(costing(2e4 * Hz), ns.Apoptosis("exc", HUNGRY)),
    "not above": life(costing(1e4 * Hz), ns.Apoptosis("exc", ~ns.Above(ns.Value("energy"), 0.0))),  # nothing is left
    "or old": life(costing(2e4 * Hz), ns.Apoptosis("exc", OLD | HUNGRY)),
    "income": life(costing(2e4 * Hz, 5e3 * Hz), ns.Apoptosis("exc", HUNGRY)),
    "a supply too small for one": life(costing(2e4 * Hz, ns.Supply(5e3 * Hz)), ns.Apoptosis("exc", HUNGRY)),
    "with a floor": life(costing(2e4 * Hz), ns.Apoptosis("exc", HUNGRY, floor=2)),
}
FED = {
    "enough": life(costing(5e3 * Hz), ns.Apoptosis("exc", HUNGRY)),
    "income": life(costing(2e4 * Hz, 1.5e4 * Hz), ns.Apoptosis("exc", HUNGRY)),
    "books alone": life(costing(2e4 * Hz)),
    "none die": life(costing(2e4 * Hz), ns.Apoptosis("exc", HUNGRY, count=1)),
    "some die": life(costing(2e4 * Hz), ns.Apoptosis("exc", HUNGRY, hazard=100 / second)),
    "both needed": life(costing(2e4 * Hz), ns.Apoptosis("exc", HUNGRY & OLD)),
    "a supply for one": life(costing(2e4 * Hz, ns.Supply(1.5e4 * Hz)), ns.Apoptosis("exc", HUNGRY, floor=1)),
}


@pytest.mark.parametrize("case", STARVING)
def test_a_life_in_which_all_cells_starve_at_once_is_refused(case):
    with pytest.raises(
        ValueError, match=r"all 8 cells of 'exc' would starve at the first boundary: they begin with 10 at most, and .* is left"
    ):
        STARVING[case]()


@pytest.mark.parametrize("case", FED)
def test_other_lives_begin(case):
    FED[case]()


@pytest.mark.parametrize(("level", "refused"), [(4.0, True), (5.0, False), (20.0, False)])
def test_a_division_that_uses_up_the_energy_at_which_cells_divide_is_refused(level, refused):
    rich = ns.Division("exc", ns.Above(ns.Value("energy"), level))
    lived = life(costing(1e3 * Hz, cost=5.0), rich)
    if not refused:
        lived()
        return
    with pytest.raises(
        ValueError,
        match=r"would divide above an energy of 4, but a division costs 5, which would leave nothing .* raise the threshold, or lower",
    ):
        lived()


def test_what_is_kept_goes_on_and_is_not_judged_by_what_founders_begin_with():
    """A circuit whose cells have much left may live where founders would starve."""
    book = costing(2e4 * Hz)
    rich = begun(ALONE, [book]).set("exc", energy=100.0)
    after, _ = kept(rich, recorded(rich, np.zeros(8, int), duration=1e-3), [book])
    assert after["exc"].cells["energy"].tolist() == pytest.approx([80] * 8)
    develop(rich, ns.Phase("life", 2, [book, ns.Apoptosis("exc", HUNGRY)]), epoch=1 * ms)
