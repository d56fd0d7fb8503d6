"""Growth curves: their zeros and maxima, and what they come to over an epoch, against SciPy and against NEST."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import neurosim as ns
from neurosim.lifecycle.growth_curves import course, grown
from neurosim.units import Hz, mV, quantity, second

TAU, BETA = 10.0, 0.001  # s, and NEST's increment a spike
NU, ETA, EPS = 0.1, 2.0, 5.0  # 1/s, Hz, Hz
CURVES = {
    "linear": ns.LinearGrowth(NU * Hz, EPS * Hz),
    "gaussian": ns.GaussianGrowth(NU * Hz, EPS * Hz, ETA * Hz),
    "narrow": ns.GaussianGrowth(NU * Hz, EPS * Hz, 4.7 * Hz),
    "sigmoid": ns.SigmoidGrowth(NU * Hz, EPS * Hz, 0.3 * Hz),
    "retracting": ns.SigmoidGrowth(-NU * Hz, EPS * Hz, 2 * Hz),
}
FORMULAS = {
    "linear": lambda ca: NU * (1 - ca / EPS),
    "gaussian": lambda ca: NU * (2 * np.exp(-(((ca - (ETA + EPS) / 2) / ((EPS - ETA) / (2 * np.sqrt(np.log(2))))) ** 2)) - 1),
    "narrow": lambda ca: NU * (2 * np.exp(-(((ca - (4.7 + EPS) / 2) / ((EPS - 4.7) / (2 * np.sqrt(np.log(2))))) ** 2)) - 1),
    "sigmoid": lambda ca: NU * (2 / (1 + np.exp((ca - EPS) / 0.3)) - 1),
    "retracting": lambda ca: -NU * (2 / (1 + np.exp((ca - EPS) / 2)) - 1),
}


def gained(curve, calcium, times, duration, tau=TAU):
    """What one cell gains in an epoch."""
    return curve.gained(course(np.array([calcium]), np.zeros(len(times), dtype=np.int64), np.asarray(times), duration, tau)).sum()


def elements(curve, times, duration):
    """The elements that a cell without any and without calcium has after an epoch."""
    during = course(np.zeros(1), np.zeros(len(times), dtype=np.int64), times, duration, TAU)
    return grown(np.zeros(1), curve.gained(during), during)[0]


# --- the curves ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gaussian", "narrow"])
def test_a_gaussian_curve_is_zero_at_both_ends_and_fastest_midway(name):
    """Butz and van Ooyen 2013, equation 5; to 1e-9."""
    curve = CURVES[name]
    low, high = float(curve.minimum), float(curve.target)
    assert np.abs(curve(quantity(np.array([low, high]), Hz.dim))).max() < 1e-9 * NU * Hz
    assert curve((low + high) / 2 * Hz) == pytest.approx(NU, rel=1e-9)
    around = curve(quantity(np.linspace(low - 1, high + 1, 1001), Hz.dim))
    assert around.max() <= NU * Hz and around[0] < 0 * Hz > around[-1]
    # The control: the width as the comment in NEST's growth_curve.h prints it, without brackets, misses both zeros.
    width = (high - low) / 2 * np.sqrt(np.log(2))
    assert abs(2 * np.exp(-(((high - low) / 2 / width) ** 2)) - 1) > 0.1


@pytest.mark.parametrize("name", ["linear", "sigmoid"])
def test_other_curves_are_zero_at_the_target_and_fall(name):
    curve = CURVES[name]
    assert abs(curve(EPS * Hz)) < 1e-12 * Hz and curve(0 * Hz) == pytest.approx(NU, rel=1e-6)
    values = np.asarray(curve(quantity(np.linspace(0, 8, 101), Hz.dim)))
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_their_formulas(name):
    calcium = np.linspace(0, 12, 50)
    assert np.asarray(CURVES[name](quantity(calcium, Hz.dim))) == pytest.approx(FORMULAS[name](calcium), rel=1e-9, abs=1e-12)


def test_calcium_at_a_steady_rate_is_that_rate():
    """And NEST's, beta * tau times it: .05 at 5 Hz and .2 at 20 Hz."""
    for rate, nest in ((5.0, 0.05), (20.0, 0.2)):
        times = (np.arange(2000) + 0.5) / rate
        during = course(np.zeros(1), np.zeros(2000, dtype=np.int64), times, 2000 / rate, TAU)
        fractions = -np.expm1(-during.length[1:-1] / TAU) * TAU / during.length[1:-1]
        late = (during.calcium[1:-1] * fractions)[-100:].mean()  # the mean over each stretch
        assert late == pytest.approx(rate, rel=1e-4) and BETA * TAU * late == pytest.approx(nest, rel=1e-4)
        assert BETA * TAU * rate == pytest.approx(nest, rel=1e-9)


# --- over an epoch ---------------------------------------------------------------------------------------------------


def by_solver(formula, calcium, times, duration):
    """Integrate calcium and elements together from spike to spike."""
    elements, edges = 0.0, [0.0, *times, duration]
    for begin, end in zip(edges, edges[1:], strict=False):
        if begin > 0:
            calcium += 1 / TAU
        if end > begin:
            done = solve_ivp(
                lambda _, y: [-y[0] / TAU, formula(y[0])], (begin, end), [calcium, elements], rtol=1e-11, atol=1e-13, max_step=0.5
            )
            calcium, elements = done.y[:, -1]
    return elements


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("rate", [0.1, 3])
def test_an_epoch_is_integrated_to_a_millionth(name, rate):
    """Against SciPy's solver along the same spikes, also where calcium runs through the whole of a narrow curve in a long silence."""
    rng = np.random.default_rng(3)
    duration = 12.0
    for calcium in (0.0, 4.9, 14.0):
        times = np.sort(rng.uniform(0, duration, rng.poisson(rate * duration)))
        error = gained(CURVES[name], calcium, times, duration) - by_solver(FORMULAS[name], calcium, times, duration)
        assert abs(error) < 1e-6 * NU * duration
    # The control: the curve at the mean calcium will not do.
    if name != "linear":
        mean = 14.0 * TAU / duration * -np.expm1(-duration / TAU)
        assert abs(FORMULAS[name](mean) * duration - gained(CURVES[name], 14.0, [], duration)) > 1e-3 * NU * duration


@given(seed=st.integers(0, 10_000), cut=st.floats(0.05, 0.95), name=st.sampled_from(sorted(CURVES)))
@settings(max_examples=40, deadline=None)
def test_where_an_epoch_ends_does_not_matter(seed, cut, name):
    rng = np.random.default_rng(seed)
    cells, duration, first = 4, 5.0, rng.uniform(0, 10, 4)
    times = np.sort(rng.uniform(0, duration, 30))
    spiking = rng.integers(0, cells, 30)
    whole = course(first, spiking, times, duration, TAU)
    early = times < cut * duration
    one = course(first, spiking[early], times[early], cut * duration, TAU)
    between = one.calcium[one.last] * np.exp(-one.length[one.last] / TAU)
    two = course(between, spiking[~early], times[~early] - cut * duration, (1 - cut) * duration, TAU)

    def after(during, elements):
        return grown(elements, CURVES[name].gained(during), during)

    assert after(two, after(one, np.full(cells, 9.0))) == pytest.approx(after(whole, np.full(cells, 9.0)), abs=2e-6 * NU * duration)


def test_elements_are_never_fewer_than_none():
    """As in NEST they are held at 0 at each spike: a plain loop over stretches says the same; a cut at the end alone would not."""
    rng = np.random.default_rng(5)
    cells, spiking = 20, rng.integers(0, 20, 400)
    during = course(rng.uniform(0, 9, cells), spiking, np.sort(rng.uniform(0, 20, 400)), 20.0, TAU)
    gains = CURVES["gaussian"].gained(during)
    first = rng.uniform(0, 0.2, cells)
    expected = first.copy()
    for cell in range(cells):
        for gain in gains[during.first[cell] : during.last[cell] + 1]:
            expected[cell] = max(expected[cell] + gain, 0.0)
    found = grown(first, gains, during)
    assert found == pytest.approx(expected, abs=1e-12) and (found >= 0).all()
    cut = np.maximum(first + np.add.reduceat(gains, during.first), 0)
    assert not np.allclose(found, cut)
    assert len(grown(np.zeros(0), np.zeros(0), course(np.zeros(0), np.zeros(0, dtype=np.int64), np.zeros(0), 1.0, TAU))) == 0


# --- NEST's own test -------------------------------------------------------------------------------------------------

NEST_CURVES = {"linear": {}, "gaussian": {"eta": 0.05}, "sigmoid": {"psi": 0.10}}
NEST_ELEMENTS = {name: {"growth_curve": name, "growth_rate": 1e-4, "eps": 0.10, "z": 0.0, **more} for name, more in NEST_CURVES.items()}
NEST_VALUES = {
    "linear": (1.0, 0.0837),
    "gaussian": (3.0, 0.1004),
    "sigmoid": (3.0, 0.0780),
}  # NEST's test_growth_curves.py: after so many s
NEST_BETA, NEST_TAU = 1e-4, 1e4
HZ = 1000 / (NEST_BETA * NEST_TAU)
OURS = {
    "linear": ns.LinearGrowth(0.1 * Hz, 0.10 * HZ * Hz),
    "gaussian": ns.GaussianGrowth(0.1 * Hz, 0.10 * HZ * Hz, 0.05 * HZ * Hz),
    "sigmoid": ns.SigmoidGrowth(0.1 * Hz, 0.10 * HZ * Hz, 0.10 * HZ * Hz),
}


def test_growth_under_a_steady_drive_is_that_of_nest():
    """The rate of NEST's cells is what makes its linear value; at this rate the other two have to come out, to 5 %.

    A linear curve has at a steady rate R gained nu (T - R (T - tau (1 - exp(-T/tau))) / eps), rate and eps in Hz.
    """
    duration, value = NEST_VALUES["linear"]
    rate = 100.0 * (duration - value / 0.1) / (duration + TAU * np.expm1(-duration / TAU))
    assert 300 < rate < 370
    for name, (duration, value) in NEST_VALUES.items():
        assert elements(OURS[name], np.arange(1 / rate, duration, 1 / rate), duration) == pytest.approx(value, rel=0.05)
    # The control: elements below none, which would have to be made up for first.
    assert gained(OURS["gaussian"], 0.0, np.arange(1 / rate, 3.0, 1 / rate), 3.0) < 0
    # Another: an eighth of the drive misses both.
    for name in ("gaussian", "sigmoid"):
        duration, value = NEST_VALUES[name]
        assert elements(OURS[name], np.arange(8 / rate, duration, 8 / rate), duration) != pytest.approx(value, rel=0.05)


def test_growth_along_the_spikes_of_nest_is_that_of_nest():
    """To 5 % of what its test prints, and to 0.2 % of what it makes of the same spikes in the same run (its steps are of 0.1 ms)."""
    nest = pytest.importorskip("nest")
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.structural_plasticity_update_interval = 10_001.0
    cell = nest.Create("iaf_psc_alpha", params={"beta_Ca": NEST_BETA, "tau_Ca": NEST_TAU, "synaptic_elements": NEST_ELEMENTS})
    recorder, noise = nest.Create("spike_recorder"), nest.Create("poisson_generator", params={"rate": 800_000.0})
    nest.Connect(cell, recorder)
    nest.Connect(noise, cell)
    found, passed = {}, 0.0
    for duration in (1.0, 3.0):
        nest.Simulate(1000 * (duration - passed))
        passed = duration
        cell.Ca  # noqa: B018 - reading it brings the elements up to date
        found |= {(name, duration): values["z"] for name, values in cell.synaptic_elements.items()}
    times = np.asarray(recorder.events["times"]) / 1000
    for name, (duration, value) in NEST_VALUES.items():
        ours = elements(OURS[name], times[times < duration], duration)
        assert ours == pytest.approx(value, rel=0.05)
        assert ours == pytest.approx(found[name, duration], rel=2e-3)


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: ns.LinearGrowth(0.1 * second, 5 * Hz), TypeError, "rate of LinearGrowth"),
        (lambda: ns.LinearGrowth(0.1 * Hz, 0 * Hz), ValueError, "target of LinearGrowth is 0. Hz; give a rate above 0"),
        (
            lambda: ns.GaussianGrowth(0.1 * Hz, 5 * Hz, 5 * Hz),
            ValueError,
            "target of GaussianGrowth is 5. Hz; give a rate above the minimum",
        ),
        (lambda: ns.GaussianGrowth(0.1 * Hz, 5 * Hz, 0.05), TypeError, "minimum of GaussianGrowth is 0.05 without a unit"),
        (lambda: ns.SigmoidGrowth(0.1 * Hz, 5 * Hz, 0 * Hz), ValueError, "width of SigmoidGrowth is 0. Hz"),
        (lambda: ns.SigmoidGrowth(np.inf * Hz, 5 * Hz, 1 * Hz), ValueError, "rate of SigmoidGrowth is inf"),
        (lambda: ns.LinearGrowth([1, 2] * Hz, 5 * Hz), ValueError, "give one finite rate"),
        (lambda: CURVES["linear"](5 * mV), TypeError, "calcium of LinearGrowth"),
    ],
)
def test_bad_curves_are_refused(make, kind, words):
    with pytest.raises(kind, match=words):
        make()


def test_a_slower_curve_has_the_same_zeros():
    slow = CURVES["gaussian"].rescaled(2)
    assert slow == ns.GaussianGrowth(NU / 2 * Hz, EPS * Hz, ETA * Hz)
    assert gained(slow, 3.0, [1.0], 8.0) == pytest.approx(gained(CURVES["gaussian"], 3.0, [1.0], 8.0) / 2)
