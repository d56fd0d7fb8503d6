"""Death by excess hits whichever type fires more, chance neither; the measures of what remains; the study of both halves."""

import json

import numpy as np
import pytest
from life_data import NUMPY, rng
from scipy import stats
from study_scripts import run as run_study
from study_scripts import study_fixture

import neurosim as ns
from neurosim import measures
from neurosim.recording import PartRecording, Recording
from neurosim.study import tabulate_spread
from neurosim.units import Hz, ms, nS, second

study = study_fixture("apoptosis_then_pruning")
CELLS, SIGNS = {"exc": 400, "inh": 100}, {"exc": "excitatory", "inh": "inhibitory"}


def both_types():
    return ns.Circuit([ns.create(name, "leaky_conductance", size, sign=SIGNS[name]) for name, size in CELLS.items()])


def counted(now, **counts):
    """A recording of one second in which cells of both types spiked so often."""
    parts = {name: PartRecording(name, 1.0, now[name].ids, np.asarray(counts[name])) for name in CELLS}
    return Recording(parts, 0, 10_000, 1e-4)


def spread(mean):
    """So many counts, in no order, as two types have whose means differ but whose ranges overlap."""
    return {name: rng(1).poisson(mean[name], size) for name, size in CELLS.items()}


def dead(rules, now, recording, seed=0):
    events = sum((rule(now, recording, rng(seed)) for rule in rules), ns.Events())
    return {name: events.of("death", name)["cell"] for name in CELLS}


# --- who dies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faster, slower", [("inh", "exc"), ("exc", "inh")])
def test_excess_takes_the_faster_type_and_idleness_the_slower(study, faster, slower):
    """The sign follows the rate, not the type: with the rates of both types exchanged, the other one dies."""
    now = both_types()
    counts = spread({faster: 36, slower: 10})
    rates = {"excess": ns.RateAbove(40 * Hz), "idle": ns.RateBelow(8 * Hz)}
    dies = {kind: dead([ns.Apoptosis(name, who) for name in CELLS], now, counted(now, **counts)) for kind, who in rates.items()}
    for name in CELLS:
        assert sorted(dies["excess"][name]) == np.flatnonzero(counts[name] > 40).tolist()
        assert sorted(dies["idle"][name]) == np.flatnonzero(counts[name] < 8).tolist()
    share = {kind: {name: len(ids) / CELLS[name] for name, ids in found.items()} for kind, found in dies.items()}
    assert share["excess"][faster] > 0.1 and share["excess"][slower] == 0
    assert share["idle"][slower] > 0.1 and share["idle"][faster] == 0


def test_deaths_by_chance_take_neither_type(study):
    """As many deaths in all at each boundary; shares of the types are those of all cells, as a chi-squared test has it over many draws."""
    now = both_types()
    hit = ns.Events.kill("exc", np.arange(4)) + ns.Events.kill("inh", np.arange(36))
    pooled = ns.Yoked(0, [hit], pooled=tuple(CELLS))
    found = [dead([pooled], now, None, seed) for seed in range(400)]
    assert {sum(map(len, one.values())) for one in found} == {40}
    inh = np.array([len(one["inh"]) for one in found])
    assert stats.ttest_1samp(inh, 40 * 0.2).pvalue > 0.01
    assert inh.var() == pytest.approx(40 * 0.2 * 0.8 * (500 - 40) / 499, rel=0.3)  # hypergeometric
    every = np.concatenate([one["exc"] for one in found] + [400 + one["inh"] for one in found])
    assert stats.chisquare(np.bincount(every, minlength=500)).pvalue > 0.01
    yoked = [dead([ns.Yoked(0, [hit])], now, None, seed) for seed in range(20)]  # the control: as many of each type
    assert {len(one["inh"]) for one in yoked} == {36} and {len(one["exc"]) for one in yoked} == {4}


def test_pooled_deaths_leave_protected_cells_and_take_no_more_than_there_are():
    now = both_types().protect("exc", np.arange(400)).protect("inh", np.arange(50))
    hit = ns.Events.kill("exc", np.arange(60))
    found = dead([ns.Yoked(0, [hit], pooled=tuple(CELLS))], now, None)
    assert len(found["exc"]) == 0 and sorted(found["inh"]) == list(range(50, 100))


def test_unknown_populations_are_not_pooled():
    life = ns.Lifecycle(1 * ms, [ns.Phase("window", 1, [ns.Apoptosis("exc", count=1)])])
    history = ns.develop(both_types(), life, backend=NUMPY, progress=False)
    for pooled in ("exc", ["exc", "glia"]):
        with pytest.raises(ValueError, match="ns.yoked is to pool the deaths of .* the circuit has the populations 'exc', 'inh'"):
            ns.yoked(life, history, pooled=pooled)
    assert ns.yoked(life, history, pooled=["exc", "inh"]).phases[0].rules[0].pooled == ("exc", "inh")


# --- what is measured -------------------------------------------------------------------------------------------------


def test_the_binomial_interval_is_exact():
    """None of n: 1 - (alpha/2)^(1/n), in closed form; 5 of 10: 0.1871 to 0.8129, as printed tables have it."""
    assert measures.binomial_interval(0, 10) == pytest.approx((0, 1 - 0.025**0.1))
    assert measures.binomial_interval(10, 10) == pytest.approx((0.025**0.1, 1))
    assert measures.binomial_interval(5, 10) == pytest.approx((0.1871, 0.8129), abs=5e-5)
    counts, exact = np.arange(21), np.array([measures.binomial_interval(count, 20) for count in range(21)])
    half = 1.96 * np.sqrt(counts / 20 * (1 - counts / 20) / 20)
    normal = np.stack([counts / 20 - half, counts / 20 + half], axis=1)  # the control: the normal approximation

    def missed(ends, share):
        """The chance that the true share lies below, or above, the interval."""
        chances = stats.binom.pmf(counts, 20, share)
        return max(chances[share < ends[:, 0]].sum(), chances[share > ends[:, 1]].sum())

    shares = np.linspace(0.01, 0.99, 33)
    assert max(missed(exact, share) for share in shares) <= 0.025 < 0.1 < max(missed(normal, share) for share in shares)


@pytest.mark.parametrize("given", [(-1, 10), (11, 10), (0, 0), (1, 10, 1.0), (1, 10, 0)])
def test_no_share_has_no_interval(given):
    with pytest.raises(ValueError, match="give a (count from 0|number between 0 and 1)"):
        measures.binomial_interval(*given)


def test_the_spread_over_seeds_is_tabulated_with_the_interval_of_the_mean():
    values = [31.0, 15.0, 55.0, 27.0, 22.0]
    lines = tabulate_spread("deaths", {"I": [{"lost": one} for one in values], "E": [{"lost": 2.0}]}, ["lost"]).splitlines()
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))  # an oracle of its own
    assert lines[1].split() == ["lost", "I", "30.000", f"{low:.3f}", "to", f"{high:.3f}", "15.000", "55.000", "5"]
    assert lines[2].split() == ["lost", "E", "2.000", "-", "to", "-", "2.000", "2.000", "1"]  # one seed has no interval


def test_reciprocity_of_known_graphs():
    """A ring has none, a complete graph 1, one of pairs (n - 1 times its share), a random one 1 on average."""
    ring = np.arange(10), (np.arange(10) + 1) % 10
    assert measures.reciprocity(*ring, 10) == 0
    every = np.array([(one, other) for one in range(6) for other in range(6)]).T  # cells with themselves are left out
    assert measures.reciprocity(*every, 6) == 1
    pairs = np.array([0, 1, 2, 3, 0]), np.array([1, 0, 3, 2, 1])  # one of them twice
    assert measures.reciprocity(*pairs, 4) == pytest.approx(1 / (4 / 12))
    pre, post = np.nonzero(rng().random((300, 300)) < 0.1)
    assert measures.reciprocity(pre, post, 300) == pytest.approx(1, abs=0.1)
    forward = pre < post
    assert measures.reciprocity(pre[forward], post[forward], 300) == 0
    assert np.isnan(measures.reciprocity([], [], 3))
    with pytest.raises(ValueError, match="rows from 0 to 9, but there are 9 cells"):
        measures.reciprocity(*ring, 9)


# --- the study --------------------------------------------------------------------------------------------------------


def test_the_random_stimulus_is_as_strong_but_has_no_order(study):
    ordered, random = (study.volleys(3 * second, 20.0, 0.25, rng=rng) for rng in (None, np.random.default_rng(0)))
    for shown in (ordered, random):
        assert np.bincount(shown.spikes).tolist() == [80] * 4
        times = np.asarray(shown.times)
        assert times.min() >= 3 and times.max() < 23
    lag = float(study.LAG)
    after = {}
    for name, shown in (("ordered", ordered), ("random", random)):
        times = [np.asarray(shown.times)[shown.spikes == group] for group in range(4)]
        after[name] = [np.isclose(times[one + 1][:, None] - times[one], lag).any(axis=1).mean() for one in range(3)]
    assert after["ordered"] == [1, 1, 1] and max(after["random"]) < 0.1


def test_forwardness_of_known_wirings(study):
    """1 where all weight goes on to the next group, -1 where it goes back, 0 where both are equal."""
    plan = study.PLANS["smoke"]
    now = study.network(plan, 0)
    loop = now["exc_to_exc"]
    group = {end: loop.synapses[end] // plan.group for end in ("pre", "post")}
    step = np.where(np.maximum(*group.values()) < study.GROUPS, group["post"] - group["pre"], 0)
    assert {-1, 0, 1} <= set(step.tolist())

    def forward(weights):
        return study.remains(now.set("exc_to_exc", weight=weights * nS), plan)["forward"]

    assert forward(np.where(step == 1, 0.5, 0.0)) == 1 and forward(np.where(step == -1, 0.5, 0.0)) == -1
    equal = np.where(step == 1, 0.5 / (step == 1).sum(), np.where(step == -1, 0.5 / (step == -1).sum(), 0.9))
    assert forward(equal) == pytest.approx(0, abs=1e-12)


def test_the_study_at_its_smallest_scale(study, tmp_path):
    done = run_study("apoptosis_then_pruning", "--scale", "smoke", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "results" / "apoptosis_then_pruning"
    found = json.loads((folder / "results.json").read_text())
    assert list(found["young"]) == list(study.DEATHS) and list(found["ends"]) == list(study.ENDS)
    for name in (*study.DEATHS, *study.ENDS):
        assert any(line.startswith(name) for line in done.stdout.splitlines())
    died = {death: [one[0][short] for short in "EI"] for death, one in found["young"].items()}
    assert died[study.OTHERS] == died[study.EXCESS] and sum(hit for _, hit in died[study.EXCESS]) > 0
    assert sum(hit for _, hit in died[study.EITHER]) == sum(hit for _, hit in died[study.EXCESS])
    assert died[study.NOBODY] == [[100, 0], [25, 0]]
    left = {name: one[0]["left (%)"] for name, one in found["ends"].items()}
    assert left[f"{study.EXCESS}, {study.ANY}"] == left[study.PUBLISHED] < 100 == left[f"{study.NOBODY}, {study.NOTHING}"]
    for figure in ("apoptosis_then_pruning", "without_end"):
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG") and (folder / f"{figure}.csv").is_file()
