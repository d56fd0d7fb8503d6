"""Growth: how many synapses grow and between which cells, against closed forms and definitions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from life_data import circuit, recorded, rng
from scipy import stats

import neurosim as ns
from neurosim.lifecycle.vacancies import Places, absent_pairs
from neurosim.recording import PartRecording, Recording, SpikeTrains
from neurosim.units import Hz, ms, nS, second, um

NOTHING = np.empty(0, np.int64)
COUNTS = np.zeros(8, dtype=int)


def net(size, pairs=((0, 1),), positions=None, targets=None):
    """A projection with chosen pairs of cells, within one population or, with targets, to another."""
    exc = ns.create("exc", "leaky_conductance", size, positions=positions)
    post = exc if targets is None else ns.create("post", "leaky_conductance", targets)
    pairs = ns.Pairs(*np.array(pairs).T)
    loop = ns.connect(exc, post, "static", pairs, receptor="g_exc", weight=1 * nS).replace(name="loop")
    return ns.Circuit([exc] if targets is None else [exc, post], [loop])


def grown(now, growth, seed=0, recording=None, pruned=NOTHING):
    recording = recording or recorded(now, np.zeros(len(now["exc"]), dtype=int))
    pre, post = growth.pairs(now, recording, "loop", pruned, rng(seed))
    assert (np.diff(pre * 10_000 + post) >= 0).all()
    return pre, post


def joined(now):
    return np.stack([now["loop"].synapses["pre"], now["loop"].synapses["post"]])


# --- places drawn one after the other --------------------------------------------------------------------------------

WEIGHTS = np.array([0.1, 0.2, 0.4, 0.8, 1.0])
FREE = np.array([3, 17, 18, 40, 59])  # of 60 sources of each target


def likelihood(pre, post):
    return WEIGHTS[np.searchsorted(FREE, pre)]


def in_turn(weights):
    """Chance of each pair of places, drawn one after the other in proportion to their weights: closed form."""
    total = weights.sum()
    return np.array([one * other / total * (1 / (total - one) + 1 / (total - other)) for one, other in itertools.combinations(weights, 2)])


@pytest.mark.parametrize("way", ["tried", "all"])
@pytest.mark.parametrize("even", [True, False])
def test_places_are_drawn_one_after_the_other_in_proportion(way, even):
    """Two of five free places in each of 4000 groups, tried out or chosen from all: the chances of the ten outcomes."""
    groups, size = 4000, 60
    taken = np.setdiff1d(np.arange(groups * size), (np.arange(groups)[:, None] * size + FREE).ravel())
    places = Places(size, 1, size, taken, None if even else likelihood, 1.0)
    need = np.full(groups, 2)
    drawn = places.draw(need, rng(1)) if way == "tried" else places._of_all(need, NOTHING, rng(1))
    group, place = np.divmod(np.sort(drawn), size)
    assert (group == np.repeat(np.arange(groups), 2)).all() and np.isin(place, FREE).all()
    outcome = np.sort(np.searchsorted(FREE, place).reshape(-1, 2), axis=1)
    counts = np.array([np.count_nonzero((outcome == pair).all(axis=1)) for pair in itertools.combinations(range(5), 2)])
    assert counts.sum() == groups
    expected = {True: np.full(10, 0.1), False: in_turn(WEIGHTS)}
    assert stats.chisquare(counts, groups * expected[even]).pvalue > 1e-3
    assert stats.chisquare(counts, groups * expected[not even]).pvalue < 1e-6  # the control


def test_where_fewer_places_are_possible_all_of_them_come():
    places = Places(60, 1, 60, np.setdiff1d(np.arange(120), [*FREE, *(60 + FREE[:2])]), likelihood, 1.0)
    assert sorted(places.draw(np.array([7, 9]), rng())) == [*FREE, *(60 + FREE[:2])]
    none = Places(60, 1, 60, NOTHING, lambda pre, post: np.zeros(len(pre)), 1.0)
    assert not len(none.draw(np.array([3]), rng()))


# --- how many --------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 12), st.integers(1, 12), st.booleans(), st.integers(1, 3), st.floats(0, 1), st.booleans(), st.integers(0, 99))
def test_what_is_pruned_grows_again(sources, targets, same, contacts, density, by_target, seed):
    """As many of each target, or in all, as go, while places are vacant; never an autapse, never more contacts than may be."""
    targets = sources if same else targets
    draws = rng(seed).random((sources, targets, contacts)) < density
    if same:
        draws[np.arange(sources), np.arange(sources)] = False
    pre, post, _ = np.nonzero(draws)
    if not len(pre):
        return
    now = net(sources, np.stack([pre, post], axis=1), targets=None if same else targets)
    pre, post = joined(now)
    pruned = np.flatnonzero(rng(seed + 1).random(len(pre)) < 0.5)
    there = np.zeros((sources, targets), dtype=int)
    np.add.at(there, (pre, post), 1)
    vacant = contacts - there
    if same:
        np.fill_diagonal(vacant, 0)
    growth = ns.Growth(ns.InDegree() if by_target else ns.Total(), contacts=contacts)
    new = np.zeros_like(there)
    np.add.at(new, grown(now, growth, seed, pruned=pruned), 1)
    assert (new <= vacant).all()
    lost = np.bincount(post[pruned], minlength=targets)
    if by_target:
        assert (new.sum(axis=0) == np.minimum(lost, vacant.sum(axis=0))).all()
    else:
        assert new.sum() == min(len(pruned), vacant.sum())


@pytest.mark.parametrize("where", [None, ns.DistanceKernel("exponential", 100 * um), ns.Permitted(*np.indices((20, 20)).reshape(2, -1))])
def test_targets_are_brought_up_to_their_in_degree(where):
    now = net(20, np.argwhere(rng(3).random((20, 20)) * (1 - np.eye(20)) > 0.8), positions=rng(2).uniform(0, 100, (20, 2)) * um)
    degree = np.bincount(joined(now)[1], minlength=20)
    pruned = np.arange(5)
    left = degree - np.bincount(joined(now)[1][pruned], minlength=20)
    assert degree.max() > 4 > degree.min()
    assert (np.bincount(grown(now, ns.Growth(ns.InDegree(4), where), pruned=pruned)[1], minlength=20) == np.maximum(0, 4 - left)).all()
    assert len(grown(now, ns.Growth(ns.Total(100), where), pruned=pruned)[0]) == 100 - degree.sum() + 5
    assert not len(grown(now, ns.Growth(ns.Total(3), where), pruned=pruned)[0])


def test_a_given_number_is_drawn_evenly():
    now, hits = net(6, [(0, 1), (4, 2)]), np.zeros((6, 6))
    for seed in range(600):
        np.add.at(hits, grown(now, ns.Growth(ns.InDegree(2)), seed), 1)
    assert not hits[[0, 4], [1, 2]].any() and not np.diag(hits).any()
    for target in range(6):
        free = [row for row in range(6) if row != target and (row, target) not in ((0, 1), (4, 2))]
        assert stats.chisquare(hits[free, target]).pvalue > 1e-3


# --- contacts --------------------------------------------------------------------------------------------------------


def test_each_vacant_contact_grows_with_the_hazard():
    """A pair that has k of c contacts gains a binomial number of c - k, with chance 1 - exp(-h T)."""
    size, contacts, chance = 60, 4, 1 - np.exp(-3 * 0.1)
    pairs = [(0, post) for post in range(1, size)] * 2 + [(1, post) for post in range(2, size)] * 5
    now, new = net(size, pairs), np.zeros((size, size), dtype=int)
    np.add.at(new, grown(now, ns.Growth(3 * Hz, contacts=contacts)), 1)
    assert not new[1, 2:].any() and not np.diag(new).any()
    for rows, vacant in ((slice(0, 1), 2), (slice(2, None), 4)):
        found = new[rows][~np.eye(size, dtype=bool)[rows]]
        expected = stats.binom.pmf(np.arange(vacant + 1), vacant, chance)
        assert stats.chisquare(np.bincount(found, minlength=vacant + 1), found.size * expected).pvalue > 1e-3
    wrong = stats.binom.pmf(np.arange(5), 4, 1 - np.exp(-3 * 0.1 / 4))  # the control: one hazard for the whole pair
    assert stats.chisquare(np.bincount(found, minlength=5), found.size * wrong).pvalue < 1e-6


@pytest.mark.parametrize("total", [10, 30])
def test_contacts_are_drawn_evenly_whether_few_or_most_are_wanted(total, monkeypatch):
    hits = np.zeros((3, 4))
    for seed in range(1000):
        pre, post = absent_pairs((3, 4), np.array([0, 0, 2]), np.array([1, 1, 3]), False, None, rng(seed), total, contacts=3)
        assert len(pre) == total
        np.add.at(hits, (pre, post), 1)
    vacant = np.full((3, 4), 3)
    vacant[0, 1], vacant[2, 3] = 1, 2
    assert hits / 1000 == pytest.approx(vacant * total / vacant.sum(), abs=0.15)


def test_one_contact_is_what_a_plain_hazard_means():
    """Draw for draw, so that nobody's study changes."""
    now = circuit(30)
    recording = recorded(now, np.zeros(30, dtype=int))
    rules = [ns.Rewiring("loop", regrow=regrow, weight=1 * nS) for regrow in (2 * Hz, ns.Growth(2 * Hz), ns.Growth(2 * Hz, contacts=2))]
    one, other, two = (rule(now, recording, rng(4)).of("link", "loop") for rule in rules)
    assert len(one) > 50 and one.tobytes() == other.tobytes() and len(two) > len(one)


# --- where -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", ["gaussian", "exponential"])
def test_the_hazard_is_multiplied_by_the_kernel(kernel):
    """Cells on a line: a pair at distance d grows with chance 1 - exp(-h T k(d)); the grown are compared by distance."""
    size, scale = 200, 200.0
    positions = np.stack([np.arange(size) * 10.0, np.zeros(size)], axis=1) * um
    now = net(size, positions=positions)
    pre, post = grown(now, ns.Growth(20 * Hz, ns.DistanceKernel(kernel, scale * um, peak=0.5)))
    distance = 10.0 * np.arange(size)
    k = 0.5 * (np.exp(-(distance**2) / (2 * scale**2)) if kernel == "gaussian" else np.exp(-distance / scale))
    pairs = 2.0 * (size - np.arange(size))
    pairs[0], pairs[1] = 0, pairs[1] - 1  # no autapses, and one pair is joined
    found = np.bincount(np.abs(pre - post), minlength=size)

    def deviation(chance):
        spread = np.sqrt(pairs * chance * (1 - chance))
        bins = np.arange(1, 60).reshape(-1, 1)
        return (np.square(found[bins].sum(axis=1) - (pairs * chance)[bins].sum(axis=1)) / np.square(spread[bins]).sum(axis=1)).sum()

    limit = stats.chi2.isf(1e-3, 59)
    assert deviation(1 - np.exp(-2 * k)) < limit
    assert deviation(2 * k * np.exp(-0.5)) > limit and deviation(np.full(size, found.sum() / pairs.sum())) > limit  # the controls


def test_given_numbers_follow_the_kernel():
    """One target, one source to be drawn: the chance of each is in proportion to the kernel of its distance."""
    positions = np.stack([np.arange(12) * 50.0, np.zeros(12)], axis=1) * um
    now = net(12, positions=positions)
    kernel = ns.DistanceKernel("exponential", 100 * um)
    for growth in (
        ns.Growth(ns.InDegree(1), kernel),
        ns.Growth(ns.InDegree(1), [kernel, ns.Permitted(*np.indices((12, 12)).reshape(2, -1))]),
    ):
        sources = [grown(now, growth, seed) for seed in range(400)]
        pre, post = (np.concatenate(ends) for ends in zip(*sources, strict=True))
        assert not np.isin(1, post)  # it has its one
        k = np.exp(-0.5 * np.abs(np.arange(12) - 6))
        k[6] = 0
        assert stats.chisquare(np.delete(np.bincount(pre[post == 6], minlength=12), 6), np.delete(400 * k / k.sum(), 6)).pvalue > 1e-3


def spiking(now, trains, stop, names=("exc",)):
    """A recording of spikes: rows (cell, step), the same in each population."""
    cell, step = np.array(sorted(trains, key=lambda spike: spike[1])).T
    counts = np.bincount(cell, minlength=len(now["exc"]))
    part = PartRecording("exc", stop * 1e-4, now["exc"].ids, counts, SpikeTrains(now["exc"].ids[cell], step, 1e-4))
    return Recording({name: part for name in names}, 0, stop, 1e-4)


def test_the_hazard_is_multiplied_by_the_correlation():
    """max(0, r)**power, r Pearson's by its definition in NumPy; a last window that is not whole does not count."""
    now, windows = net(8), 30
    counts = rng(5).poisson(2.0, (8, windows)) + 4 * (rng(6).random(windows) < 0.3) * (np.arange(8) < 4)[:, None]
    counts[7] = 2  # no variance: no correlation
    spikes = [(cell, 200 * window + 3 * number) for cell in range(8) for window in range(windows) for number in range(counts[cell, window])]
    recording = spiking(now, [*spikes, *((7, 200 * windows + 20) for _ in range(9))], 200 * windows + 100)
    with np.errstate(invalid="ignore"):
        r = np.nan_to_num(np.corrcoef(counts))
    assert (r < -0.1).any() and (r[:4, :4] > 0.2).all()
    rows = np.indices((8, 8)).reshape(2, -1)
    for power in (1, 2.5):
        found = ns.Correlated(20 * ms, power).likelihood(now, recording, now["loop"])(*rows)
        assert found == pytest.approx(np.clip(r, 0, 1).ravel() ** power, abs=1e-6)
    hits = np.zeros((8, 8))
    for seed in range(300):
        np.add.at(hits, grown(now, ns.Growth(2 * Hz, ns.Correlated(20 * ms)), seed, recording), 1)
    chance = 1 - np.exp(-2 * 0.61 * np.clip(r, 0, 1))
    assert recording.duration == 0.61 * second
    off = ~np.eye(8, dtype=bool) & (np.arange(64).reshape(8, 8) != 1)
    assert hits[off] == pytest.approx(300 * chance[off], abs=4 * np.sqrt(300 * 0.25)) and not hits[off & (r <= 0)].any()
    assert hits[off & (r > 0.5)].min() > 2 * hits[off & (r < 0.1)].max()


def test_correlation_knows_no_distance():
    recording_of = lambda now: spiking(now, [(0, 5), (7, 8), (0, 405), (7, 410), (3, 210)], 600)  # noqa: E731
    near = net(8, positions=np.zeros((8, 2)) * um)
    far = net(8, positions=np.arange(16).reshape(8, 2) * 1e5 * um)
    growth = ns.Growth(ns.InDegree(1), ns.Correlated(20 * ms))
    pairs = [grown(now, growth, recording=recording_of(now)) for now in (near, far, net(8))]
    assert all((one == pairs[0][place]).all() for found in pairs for place, one in enumerate(found))
    assert set(zip(*map(np.ndarray.tolist, pairs[0]), strict=True)) == {(0, 7), (7, 0)}


def test_likelihoods_multiply():
    positions = np.stack([np.arange(8) * 100.0, np.zeros(8)], axis=1) * um
    now, kernel = net(8, positions=positions), ns.DistanceKernel("exponential", 100 * um)
    recording = spiking(now, [(cell, 5) for cell in range(8)] + [(cell, 210) for cell in (6, 7)], 400)
    hits = np.zeros((8, 8))
    for seed in range(400):
        growth = ns.Growth(20 * Hz, [kernel, ns.Correlated(20 * ms), ns.Permitted([0, 0, 0, 2], [1, 2, 6, 3])])
        np.add.at(hits, grown(now, growth, seed, recording), 1)
    assert set(zip(*np.nonzero(hits), strict=True)) == {(0, 2), (2, 3)}  # 0 to 1 is joined, 6 is not correlated
    expected = 400 * (1 - np.exp(-20 * 0.04 * np.exp([-2, -1])))
    assert [hits[0, 2], hits[2, 3]] == pytest.approx(expected, abs=4 * np.sqrt(400 * 0.25))


# --- permitted pairs -------------------------------------------------------------------------------------------------


def ancestors(population, cell):
    while cell >= 0:
        yield cell
        cell = population.parents[cell]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 999), st.booleans())
def test_daughters_inherit_their_mothers_permissions(seed, same):
    """Against the definition: a pair is permitted if some ancestors of both, themselves included, were named; mothers may be dead."""
    now, draws = net(6, [(0, 1)], targets=None if same else 5), rng(seed)
    target = "exc" if same else "post"
    pre, post = draws.integers(0, 6, 7), draws.integers(0, len(now[target]), 7)
    for _ in range(3):
        for name in {"exc", target}:
            mothers = draws.choice(now[name].ids, 2, replace=False)
            dead = draws.choice(now[name].ids, 1)
            now = ns.apply(now, ns.Events.divide(name, mothers, rng=draws))
            now = ns.apply(now, ns.Events.kill(name, dead))
    source, sink, named = now["exc"], now[target], set(zip(pre.tolist(), post.tolist(), strict=True))
    expected = {
        (row, column)
        for row, one in enumerate(source.ids)
        for column, other in enumerate(sink.ids)
        if any(pair in named for pair in itertools.product(ancestors(source, one), ancestors(sink, other)))
    }
    found = ns.Permitted(pre, post).rows(source, sink)
    assert (np.diff(found) > 0).all()
    assert set(zip(*map(np.ndarray.tolist, np.divmod(found, len(sink))), strict=True)) == expected


def test_only_permitted_pairs_grow():
    now = net(8, [(0, 1), (0, 1), (2, 3)])
    permitted = ns.Permitted([0, 0, 2, 4, 4], [1, 5, 3, 6, 4])
    pre, post = grown(now, ns.Growth(1e6 * Hz, permitted, contacts=3))
    assert list(zip(pre.tolist(), post.tolist(), strict=True)) == [(0, 1), *[(0, 5)] * 3, *[(2, 3)] * 2, *[(4, 6)] * 3]
    pre, post = grown(now, ns.Growth(ns.InDegree(2), permitted))
    assert list(zip(pre.tolist(), post.tolist(), strict=True)) == [(0, 5), (4, 6)]  # fewer: no more are permitted
    both = [permitted, ns.Permitted([4, 2], [6, 3])]
    assert [ends.tolist() for ends in grown(now, ns.Growth(ns.Total(100), both))] == [[4], [6]]


# --- mistakes --------------------------------------------------------------------------------------------------------

KERNEL = ns.DistanceKernel("gaussian", 100 * um)
MADE = [
    (lambda: ns.DistanceKernel("gaussian"), ValueError, "DistanceKernel has no scale"),
    (lambda: ns.Growth(-1 * Hz), ValueError, "amount of Growth is -1"),
    (lambda: ns.Growth(1 * ms), TypeError, "amount of Growth"),
    (lambda: ns.Growth(None), TypeError, "give a hazard"),
    (lambda: ns.Growth(1 * Hz, contacts=0), ValueError, "contacts of Growth is 0"),
    (lambda: ns.Growth(1 * Hz, contacts=1.5), ValueError, "contacts of Growth is 1.5"),
    (lambda: ns.Growth(1 * Hz, "near"), TypeError, "where of Growth holds 'near'"),
    (lambda: ns.Growth(1 * Hz, ns.DistanceKernel("gaussian", 9 * um, contacts=2)), ValueError, "contacts or autapses"),
    (lambda: ns.Growth(1 * Hz, ns.DistanceKernel("gaussian", 9 * um, autapses=True)), ValueError, "contacts or autapses"),
    (lambda: ns.InDegree(-1), ValueError, "n of InDegree is -1"),
    (lambda: ns.Total(2.5), ValueError, "n of Total is 2.5"),
    (lambda: ns.Correlated(0 * ms), ValueError, "window of Correlated"),
    (lambda: ns.Correlated(3 * Hz), TypeError, "window of Correlated"),
    (lambda: ns.Correlated(3 * ms, 0), ValueError, "power of Correlated is 0"),
    (lambda: ns.Permitted([0, 1], [1]), ValueError, "2 pre and 1 post"),
    (lambda: ns.Permitted([0.5], [1]), TypeError, "list of cell ids"),
    (lambda: ns.Rewiring("loop", regrow=ns.Growth(ns.InDegree()), weight=1 * nS), ValueError, "prunes nothing"),
    (lambda: ns.Rewiring("loop", regrow=ns.Growth(ns.InDegree(3))), ValueError, "no weight"),
]
CHECKED = [
    (ns.Growth(1 * Hz, KERNEL), ValueError, "positions.*'exc'"),
    (ns.Growth(ns.InDegree(8)), ValueError, "8 synapses .* each target of projection 'loop'.* places for 7"),
    (ns.Growth(ns.Total(60)), ValueError, "60 synapses .* places for 56"),
    (ns.Growth(1 * Hz, ns.Permitted([0, 8], [1, 2])), ValueError, "pre of Permitted holds the cell 8.* 0 to 7"),
    (ns.Growth(1 * Hz, [ns.Permitted([0], [-1])]), ValueError, "post of Permitted holds the cell -1"),
]


@pytest.mark.parametrize(("make", "error", "text"), MADE, ids=[text for *_, text in MADE])
def test_what_cannot_grow_is_refused_at_once(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(("growth", "error", "text"), CHECKED, ids=[text for *_, text in CHECKED])
def test_growth_that_does_not_fit_is_refused_before_anything_runs(growth, error, text):
    rule = ns.Rewiring("loop", regrow=growth, weight=1 * nS)
    with pytest.raises(error, match=text):
        rule.check(circuit())
    fitting = net(9, positions=np.zeros((9, 2)) * um)
    if "-1" not in text:
        rule.check(fitting)  # the control


def test_an_epoch_of_one_window_has_no_correlation():
    now = net(3)
    with pytest.raises(ValueError, match="window of Correlated is 40. ms, but the epoch lasts 60"):
        grown(now, ns.Growth(1 * Hz, ns.Correlated(40 * ms)), recording=spiking(now, [(0, 1)], 600))
