"""The functions of fast arithmetic, compiled with the flags of libraries, against longer numbers; and what they do where numbers end."""

import ctypes
import platform
from importlib import resources

import numpy as np
import pytest
from library_builds import needs_compiler

from neurosim.backends.compiler import library_compiler

LONG = np.longdouble
pytestmark = [
    needs_compiler,
    pytest.mark.skipif(np.finfo(LONG).eps > 1e-18, reason="has no numbers longer than double to compare with"),
]
NAMES = ("exp", "expm1", "exprel", "tanh")
# Functions over arrays, as loops over cells compute them, with the smallest numbers counted as zero or not; and a control.
CODE = """
#ifdef __SSE__
#include <xmmintrin.h>
#endif
static inline double naive(double x) { return (neurosim::fast_exp(x) - 1) / x; }
#define OVER(name, function)                                                                             \\
    extern "C" __attribute__((visibility("default"))) void name(const double* __restrict x, double* __restrict y, long size) { \\
        for (long k = 0; k < size; ++k) y[k] = function(x[k]);                                           \\
    }
OVER(exp_, neurosim::fast_exp)
OVER(expm1_, neurosim::fast_expm1)
OVER(exprel_, neurosim::fast_exprel)
OVER(tanh_, neurosim::fast_tanh)
OVER(naive_, naive)
#ifdef __SSE__
extern "C" __attribute__((visibility("default"))) unsigned control(unsigned to) {
    const unsigned before = _mm_getcsr();
    if (to) _mm_setcsr(to);
    return before;
}
#endif
"""


@pytest.fixture(scope="module")
def fast(tmp_path_factory):
    """The functions by name, each of an array."""
    folder = tmp_path_factory.mktemp("functions")
    header = resources.files("neurosim.backends.library").joinpath("functions.h").read_text(encoding="utf-8")
    (folder / "functions.cpp").write_text(f"#define NEUROSIM_FAST 1\n{header}{CODE}")
    library_compiler("fast").build(folder / "functions.cpp", folder / "functions.so")
    library = ctypes.CDLL(str(folder / "functions.so"))

    def of(name):
        def apply(x):
            x = np.ascontiguousarray(x, float)
            y = np.empty_like(x)
            getattr(library, f"{name}_")(*(ctypes.c_void_p(one.ctypes.data) for one in (x, y)), ctypes.c_long(x.size))
            return y

        return apply

    return {name: of(name) for name in (*NAMES, "naive")} | {"library": library}


def longer(name, x):
    """The function by numbers of at least 64 bits."""
    x = x.astype(LONG)
    if name == "exprel":
        return np.divide(np.expm1(x), x, out=np.ones_like(x), where=x != 0)
    return getattr(np, name)(x)


def errors(found, expected):
    """Relative errors in units of 2**-52, the distance from 1 to the next number; 0 where both are 0."""
    nothing = (found == 0) & (expected == 0)
    return np.where(nothing, 0, np.abs(found.astype(LONG) / np.where(nothing, 1, expected) - 1)) / np.finfo(float).eps


def points(name):
    """Dense near 0, spread over all that has an answer, and of every size."""
    rng = np.random.default_rng(1)
    end = 30.0 if name == "tanh" else 700.0
    sizes = 10 ** rng.uniform(-300, np.log10(end), 20_000) * rng.choice([-1, 1], 20_000)
    return np.concatenate([np.linspace(-end, end, 40_001), np.linspace(-2, 2, 40_001), rng.uniform(-40, 40, 40_000), sizes])


BAR = 2.0  # measured on x86-64 with fused multiply-add: 0.71 for exp, 1.21 for expm1, 1.42 for exprel and for tanh


@pytest.mark.parametrize("name", NAMES)
def test_they_are_right_to_the_last_bits(name, fast):
    x = points(name)
    assert (errors(fast[name](x), longer(name, x)) <= BAR).all()


def test_control_the_plain_quotient_is_wrong_near_0(fast):
    x = np.array([1e-20, 1e-8, 1e-3, 1.0])
    found = errors(fast["naive"](x), longer("exprel", x))
    assert (found[:3] > [1e15, 1e6, 10]).all() and found[3] <= 2 * BAR


INF, NAN = np.inf, np.nan
ENDS = [NAN, -INF, -1e300, -5e9, -1e4, -709.0, -0.0, 0.0, 710.0, 1e4, 5e9, 1e300, INF]  # and what there is at each
AT_ENDS = {
    "exp": [NAN, 0, 0, 0, 0, 0, 1, 1, INF, INF, INF, INF, INF],
    "expm1": [NAN, -1, -1, -1, -1, -1, 0, 0, INF, INF, INF, INF, INF],
    "exprel": [NAN, 0, 1e-300, 2e-10, 1e-4, 1 / 709, 1, 1, INF, INF, INF, INF, INF],
    "tanh": [NAN, -1, -1, -1, -1, -1, 0, 0, 1, 1, 1, 1, 1],
}


@pytest.mark.parametrize("name", NAMES)
def test_where_numbers_end(name, fast):
    found = fast[name](ENDS)
    np.testing.assert_allclose(found[:-1], AT_ENDS[name][:-1], rtol=1e-15, atol=0)
    assert found[-1] == AT_ENDS[name][-1] or (name == "exprel" and not np.isfinite(found[-1]))  # inf/inf, of a state that is none already


SMALL = np.array([5e-324, 1e-320, 1e-310, 2.3e-308, 1e-100, 1e-20])


def near_0(fast):
    """The functions of the smallest numbers and of their negatives."""
    return {name: np.stack([fast[name](SMALL), fast[name](-SMALL)]) for name in NAMES}


def test_of_the_smallest_numbers(fast):
    found = near_0(fast)
    assert (found["exp"] == 1).all() and (found["exprel"] == 1).all()
    for name in ("expm1", "tanh"):
        assert (found[name] == [SMALL, -SMALL]).all()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="sets a register of x86-64")
def test_of_the_smallest_numbers_while_these_count_as_zero(fast):
    """As libraries compute: 0/0 would be no number."""
    before = fast["library"].control(0)
    fast["library"].control(before | 0x8040)
    found = near_0(fast)
    fast["library"].control(before)
    assert (found["exp"] == 1).all() and (found["exprel"] == 1).all()
    normal = np.where(SMALL < 2.25e-308, 0, SMALL)
    for name in ("expm1", "tanh"):
        assert (found[name] == [normal, -normal]).all() and not (found[name][0] == SMALL).all()  # it did count


@pytest.mark.parametrize("name", NAMES)
def test_they_rise_where_one_polynomial_hands_over_to_the_next(name, fast):
    """At odd multiples of log(2)/2: exp never falls, the others by two last places at most, which one step along x of 1e-14 makes up for."""
    joints = (np.arange(-40, 40) + 0.5) * np.log(2) / (2 if name == "tanh" else 1)
    x = joints[:, None] + np.arange(-64, 65) * np.spacing(abs(joints))[:, None]
    y = fast[name](x)
    falls = np.diff(y, axis=1) / np.spacing(abs(y[:, 1:]))
    assert (falls >= (0 if name == "exp" else -2)).all() and (y[:, -1] >= y[:, 0]).all()
    assert (fast["naive"](x[39:41]) - fast["exprel"](x[39:41]) != 0).any()  # the control: another way to the same numbers differs


@pytest.mark.parametrize("name", NAMES)
def test_a_place_in_a_loop_moves_no_bit(name, fast):
    """Whole blocks are vectorised; the rest of a loop that is not takes the same steps."""
    x = np.random.default_rng(2).uniform(-5, 5, 67)
    together = fast[name](x)
    assert all((fast[name](x[:size]) == together[:size]).all() for size in range(1, 67))
    assert not (fast[name](x[1:]) == together[:-1]).any()  # the control
