"""Expressions against Python's own arithmetic, and everything that they must refuse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurosim.errors import Interrupted, NonFiniteStateError, UnsupportedModelError, near
from neurosim.expressions import evaluate, execute, names_in, parse_unit_text, statements
from neurosim.units import (
    DIMENSIONLESS,
    UNITS,
    DimensionMismatchError,
    Quantity,
    cm,
    get_dimensions,
    metre,
    ms,
    msiemens,
    mV,
    nS,
    pF,
    quantity,
    second,
    siemens,
    to_si,
    unit_name,
    volt,
)

NUMBERS = st.floats(-100, 100).map(lambda x: round(x, 3))


@st.composite
def texts(draw, depth=3):
    """Arithmetic over a and b that neither divides by zero nor overflows."""
    if depth == 0 or draw(st.booleans()):
        return draw(st.one_of(st.sampled_from(["a", "b"]), NUMBERS.map(lambda x: f"({x})")))
    left, right = draw(texts(depth=depth - 1)), draw(texts(depth=depth - 1))
    return draw(
        st.sampled_from(
            [f"({left} + {right})", f"({left} - {right})", f"{left}*{right}", f"-{left}", f"({left})**2", f"{left}/(1 + ({right})**2)"]
        )
    )


@given(texts(), NUMBERS, NUMBERS)
def test_arithmetic_is_pythons(text, a, b):
    expected = eval(text, {"__builtins__": {}}, {"a": a, "b": b})  # the oracle; the text is made here
    assert evaluate(text, {"a": a, "b": b}) == pytest.approx(expected, rel=1e-12, nan_ok=True)
    assert evaluate(text, {"a": np.full(3, a), "b": b}) == pytest.approx(np.full(3, expected), rel=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("exp(1)", math.e),
        ("log(exp(2))", 2),
        ("log10(1000)", 3),
        ("sqrt(9)", 3),
        ("abs(-2)", 2),
        ("floor(1.7)", 1),
        ("ceil(1.2)", 2),
        ("int(2.9)", 2),
        ("tanh(0)", 0),
        ("sin(0)", 0),
        ("cos(0)", 1),
        ("exprel(0)", 1),
        ("exprel(1)", math.e - 1),
        ("clip(5, 0, 3)", 3),
        ("clip(-5, 0, inf)", 0),
        ("cos(pi)", -1),
        ("1 < 2 < 3", True),
        ("1 < 2 < 2", False),
        ("not 1 < 2", False),
        ("1 > 2 or 2 > 1", True),
        ("1 > 2 and 2 > 1", False),
        ("2 != 2", False),
        ("+3", 3),
        ("-2**2", -4),
        ("int(3 > 2)", 1),
    ],
)
def test_functions_and_conditions(text, value):
    assert evaluate(text, {}) == pytest.approx(value)


def test_exprel_has_no_hole_at_zero():
    x = np.array([-1e-3, -1e-20, 0.0, 1e-20, 1e-3])
    assert evaluate("exprel(x)", {"x": x}) == pytest.approx(1 + x / 2, abs=1e-6)
    with np.errstate(invalid="ignore"):
        assert not np.isfinite(evaluate("(exp(x) - 1)/x", {"x": x})).all()


def test_quantities_keep_their_units():
    names = {"v": np.array([-80.0, -60.0]) * mV, "E_L": -70 * mV, "g": 2 * nS}
    assert evaluate("g*(v - E_L)", names) == pytest.approx([-2e-11, 2e-11])
    assert get_dimensions(evaluate("clip(v, E_L, inf*volt)", names)) is volt.dim
    assert np.asarray(evaluate("clip(v, E_L, inf*volt)", names)) == pytest.approx([-0.07, -0.06])
    assert list(evaluate("v > E_L and v < 0*mV", names)) == [False, True]


def test_units_are_si_numbers_among_plain_numbers():
    plain = evaluate("clip(v, -4*mV, inf*volt)", {"v": np.array([-1.0, 0.002])})
    assert not isinstance(plain, Quantity) and plain == pytest.approx([-0.004, 0.002])
    assert isinstance(evaluate("v - 4*mV", {"v": 1 * mV}), Quantity)


@pytest.mark.parametrize("text", ["v + 1", "v + g", "clip(v, 0*volt, 1*siemens)", "exp(v)", "log(v)", "v > g", "floor(v)"])
def test_units_that_do_not_fit_raise(text):
    with pytest.raises(DimensionMismatchError):
        evaluate(text, {"v": 1 * mV, "g": 1 * nS, **UNITS})


@pytest.mark.parametrize(
    "text",
    [
        "().__class__",
        "(lambda: 0)()",
        "[1, 2]",
        "a if a else a",
        "'a'",
        "a[0]",
        "f'{a}'",
        "a.b",
        "(a := 1)",
        "1 % 2",
        "1 // 2",
        "~1",
        "a @ a",
        "exp(*a)",
        "exp(x=1)",
        "{}",
        "1j",
        "None",
        "a is a",
        "1 in a",
        "",
        "1 +",
        "await a",
        "exp(1)(2)",
        "-" * 100_000 + "1",
    ],
)
def test_anything_but_arithmetic_is_refused(text):
    with pytest.raises(ValueError):
        evaluate(text, {"a": 1.0})


def test_names_of_python_are_unknown():
    for text in ("__import__('os')", "open(1)", "eval(1)"):
        with pytest.raises((NameError, ValueError), match="not a known function|not a number"):
            evaluate(text, {})
    with pytest.raises(NameError, match="'__builtins__' in '__builtins__' is not defined"):
        evaluate("__builtins__", {"a": 1})


def test_huge_powers_overflow_instead_of_hanging():
    with pytest.raises(OverflowError):
        evaluate("9**9**9**9", {})


def test_unknown_names_say_what_was_meant():
    with pytest.raises(NameError, match=r"'tau_n' in '1/tau_n' is not defined. Did you mean 'tau_m'\?"):
        evaluate("1/tau_n", {"tau_m": 1.0, "v": 2.0})
    with pytest.raises(NameError, match=r"'exprell' in 'exprell\(1\)' is not a known function. Did you mean 'exprel'\?"):
        evaluate("exprell(1)", {})
    with pytest.raises(ValueError, match=r"clip in 'clip\(1, 2\)' takes 3 argument\(s\), not 2"):
        evaluate("clip(1, 2)", {})


def test_blocks_run_in_order_and_tell_what_changed():
    names = {"v": np.array([1.0, 2.0]), "n": 0.0, "k": 2.0}
    changed = execute("v = 2*v; n += 1\n  n *= 3 - 1\nv -= n/k\nv /= 2", names)
    assert set(changed) == {"v", "n"} and changed["n"] == 2.0
    assert list(names["v"]) == [0.5, 1.5] and names["k"] == 2.0
    assert names["v"] is changed["v"]
    assert execute("", names) == {}


def test_update_is_of_the_whole_right_side():
    assert execute("x -= 1 - 3", {"x": 0.0}) == {"x": 2.0}
    assert execute("x /= 1 + 3", {"x": 8.0}) == {"x": 2.0}


@pytest.mark.parametrize(
    "block",
    ["import os", "x", "f(x)", "x = y = 1", "x[0] = 1", "x %= 2", "x **= 2", "for i in x: pass", "x.y = 1", "x =", "deliver()", "del x"],
)
def test_other_statements_are_refused(block):
    with pytest.raises(ValueError, match="not a (block of statements|statement)"):
        statements(block)


def test_execute_refuses_delivery_and_updates_of_nothing():
    with pytest.raises(ValueError, match="is not an assignment"):
        execute("deliver(1)", {})
    with pytest.raises(NameError, match="'x' in 'x .* is not defined"):
        execute("x += 1", {})


def test_statements_and_names():
    first, second_ = statements("deliver(w*x)\nw = clip(w, 0, inf)")
    assert (first.target, first.operator, first.expression) == ("deliver", "()", "w * x")
    assert (second_.target, second_.operator) == ("w", "=")
    assert names_in("exp(-v/tau)*g + inf - pi") == {"v", "tau", "g"}


def test_unit_text():
    assert parse_unit_text("0.05*msiemens/cm**2") == 0.05 * msiemens / cm**2
    assert parse_unit_text("200*pF") == 200 * pF
    assert parse_unit_text(0.5) == parse_unit_text("1/2") == 0.5 and isinstance(parse_unit_text("1/2"), float)
    with pytest.raises(NameError, match="Did you mean 'pF'"):
        parse_unit_text("200*pf")
    for wrong in (True, None, [1], "", "200 pF"):
        with pytest.raises(ValueError):
            parse_unit_text(wrong)


@pytest.mark.parametrize("unit", [volt, siemens / metre**2, volt / second, 1 / volt, volt**2, metre * second, siemens / second])
def test_unit_names_can_be_read_back(unit):
    dimensions = get_dimensions(unit)
    assert get_dimensions(parse_unit_text(f"2*{unit_name(dimensions)}")) is dimensions
    assert unit_name(DIMENSIONLESS) == "1"


def test_to_si():
    assert to_si(2 * mV, volt, "v") == 0.002 and isinstance(to_si(2 * mV, volt, "v"), float)
    assert list(to_si([1 * ms, 2 * ms], second, "t")) == [0.001, 0.002]
    assert to_si(3, 1, "n") == 3.0 and to_si(np.arange(2), 1, "n").dtype == np.float64
    assert get_dimensions(quantity([1.0], volt.dim)) is volt.dim


@pytest.mark.parametrize(
    ("value", "unit", "error", "message"),
    [
        (2 * mV, siemens, TypeError, "weight is 2. mV, but it needs the dimension of siemens; give a number times nS."),
        (2, siemens, TypeError, "weight is 2 without a unit, but it needs the dimension of siemens"),
        (2 * mV, 1, TypeError, "weight is 2. mV, but it needs no unit; give a plain number."),
        ("2", 1, ValueError, "is not a number"),
        ("two", siemens, ValueError, "weight is 'two', which is not a number; give a number times nS."),
        (None, volt, ValueError, "is not a number"),
        (float("nan") * mV, volt, ValueError, "NaN is not a value"),
        ([1 * mV, 2 * nS], volt, ValueError, "is not a number"),
    ],
)
def test_to_si_refuses(value, unit, error, message):
    with pytest.raises(error, match=message):
        to_si(value, unit, "weight")


def test_near():
    assert near("lekay", ["leaky", "hodgkin"]) == " Did you mean 'leaky'?"
    assert near("V", ["v", "w"]) == " Did you mean 'v'?"
    assert near("zzz", ["b", "a"]) == " Choose one of: a, b."
    assert near("zzz", []) == " There is nothing to choose from."


def test_errors_carry_what_was_simulated():
    for error in (NonFiniteStateError("x", "circuit", "recording"), Interrupted("x", "circuit", "recording")):
        assert (error.circuit, error.recording, str(error)) == ("circuit", "recording", "x")
    assert issubclass(NonFiniteStateError, FloatingPointError) and issubclass(UnsupportedModelError, NotImplementedError)
    assert issubclass(Interrupted, KeyboardInterrupt) and not issubclass(Interrupted, Exception)
