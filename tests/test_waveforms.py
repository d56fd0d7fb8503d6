"""Waveforms against closed forms, and files that cannot be read as such against what is said of them."""

import pickle

import numpy as np
import pytest
from scipy import stats

import neurosim as ns
from neurosim.units import amp, ms, mV, nA, nS, pA, second, siemens, us
from neurosim.waveforms import Waveform, ornstein_uhlenbeck, pulse_train, ramp, read_waveform, step

SURE = stats.norm.isf(1e-5)  # how many standard errors an estimate may be off: 2 of 100,000 right ones fail


def in_pA(waveform):
    return np.round(waveform.si / 1e-12, 9).tolist()


# --- values --------------------------------------------------------------------------------------------------------


def test_a_waveform_is_a_copy_with_rows():
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    waveform = Waveform(values * pA, 0.5 * ms)
    values[0, 0] = 9
    assert (len(waveform), waveform.samples, waveform.dimensions) == (2, 3, amp.dim)
    assert float(waveform.duration) == pytest.approx(1.5e-3, rel=1e-12)
    assert in_pA(waveform) == [[1, 2, 3], [4, 5, 6]]
    assert in_pA(waveform.rows(1)) == [[4, 5, 6]]
    assert in_pA(waveform.rows([1, 0, 1])) == [[4, 5, 6], [1, 2, 3], [4, 5, 6]]
    assert Waveform([1 * nS, 2 * nS], 1 * ms).si.tolist() == [[1e-9, 2e-9]]
    assert in_pA(pickle.loads(pickle.dumps(waveform))) == in_pA(waveform)
    with pytest.raises(ValueError, match="read-only"):
        waveform.values[0, 0] = 0 * amp


def test_waveforms_of_one_grid_add_up():
    one, other = Waveform([1, 2] * pA, 0.1 * ms), Waveform([[10, 20], [30, 40]] * pA, 100 * us)
    assert in_pA(one + other) == in_pA(other + one) == [[11, 22], [31, 42]]
    for wrong in (Waveform([1, 2] * nS, 0.1 * ms), 1 * pA):
        with pytest.raises(TypeError, match="cannot be added; add waveforms of current"):
            one + wrong
    for wrong in (Waveform([1, 2] * pA, 0.2 * ms), Waveform([1, 2, 3] * pA, 0.1 * ms)):
        with pytest.raises(ValueError, match="same dt, duration and rows"):
            one + wrong
    with pytest.raises(ValueError, match="same dt, duration and rows"):
        other + other.rows([0, 1, 0])


@pytest.mark.parametrize(
    "values, dt, error, message",
    [
        ([1, 2] * mV, 1 * ms, TypeError, "a waveform has the unit volt; give a current in amp or a conductance in siemens"),
        ([1.0, 2.0], 1 * ms, TypeError, "a waveform has no unit"),
        ([1 * pA, 2 * mV], 1 * ms, TypeError, "numbers times a unit"),
        ("12 pA", 1 * ms, TypeError, "numbers times a unit"),
        ([] * pA, 1 * ms, ValueError, r"shape \(0,\); give \(samples,\) or \(rows, samples\), at least one sample"),
        (1 * pA, 1 * ms, ValueError, r"shape \(\)"),
        (np.ones((1, 1, 1)) * pA, 1 * ms, ValueError, r"shape \(1, 1, 1\)"),
        ([[0, 0, np.nan], [0, np.nan, 0]] * pA, 0.5 * ms, ValueError, r"nan A at sample 1 \(0.5 ms\) of row 1; give finite values"),
        ([0, np.inf] * nS, 0.5 * ms, ValueError, r"inf.*S at sample 1 \(0.5 ms\) of row 0"),
        ([1, -5] * nS, 2 * ms, ValueError, r"-5. nS at sample 1 \(2 ms\) of row 0; a conductance is 0 or more; .* low=0\*nS"),
        ([1, 2] * pA, 0 * ms, ValueError, "dt of a waveform is 0. s; give a time above 0"),
        ([1, 2] * pA, -1 * ms, ValueError, "give a time above 0"),
        ([1, 2] * pA, [1, 2] * ms, ValueError, "give one finite value"),
        ([1, 2] * pA, 1 * mV, TypeError, "dt of a waveform is 1. mV, but it needs the dimension of second"),
        ([1, 2] * pA, 0.1, TypeError, "without a unit"),
    ],
)
def test_what_is_no_waveform_is_refused(values, dt, error, message):
    with pytest.raises(error, match=message):
        Waveform(values, dt)


def test_a_negative_current_is_a_waveform():
    assert in_pA(Waveform([-5] * pA, 1 * ms)) == [[-5]]


def test_a_row_that_is_not_there_is_refused():
    with pytest.raises(IndexError, match="row 2 is asked of a waveform of 2 rows; give numbers from 0 to 1"):
        Waveform([[1], [2]] * pA, 1 * ms).rows([0, 2])
    with pytest.raises(IndexError, match="row -1"):
        Waveform([1] * pA, 1 * ms).rows(-1)


# --- shapes --------------------------------------------------------------------------------------------------------


def test_steps_ramps_and_pulses_are_what_they_are_called():
    assert in_pA(step(3 * pA, 5 * ms, dt=1 * ms)) == [[3, 3, 3, 3, 3]]
    assert in_pA(step([3, -4] * pA, 5 * ms, start=1 * ms, stop=3 * ms, dt=1 * ms)) == [[0, 3, 3, 0, 0], [0, -4, -4, 0, 0]]
    assert ramp(0 * pA, 8 * pA, 4 * ms, dt=1 * ms).si[0] == pytest.approx([1e-12, 3e-12, 5e-12, 7e-12], rel=1e-12)
    train = pulse_train(2 * nS, width=1 * ms, period=3 * ms, duration=6 * ms, start=1 * ms, dt=0.5 * ms)
    assert np.round(train.si[0] / 1e-9, 9).tolist() == [0, 0, 2, 2, 0, 0, 0, 0, 2, 2, 0, 0]


def test_a_ramp_carries_the_charge_of_its_line():
    for dt in (0.1 * ms, 1 * ms, 10 * ms):
        line = ramp(-1 * nA, 3 * nA, 100 * ms, dt=dt)
        assert float(line.si.sum() * dt) == pytest.approx(1e-9 * 0.1, rel=1e-9)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: step(1 * mV, 1 * ms), TypeError, "amplitude of a waveform has the unit volt"),
        (lambda: step(1 * pA, 1 * ms, start=0.25 * ms), ValueError, "start of a step is .*; give a whole multiple of dt = 0.1 ms"),
        (lambda: step(1 * pA, 1 * ms, stop=2 * ms), ValueError, "to 2. ms does not fit into 1. ms; give start < stop <= duration"),
        (lambda: step(1 * pA, 1 * ms, start=1 * ms), ValueError, "give start < stop"),
        (lambda: step(-1 * nS, 1 * ms), ValueError, "conductance is 0 or more"),
        (lambda: step(1 * pA, 0 * ms), ValueError, "duration of a waveform is 0. s; give at least one sample, 100. us"),
        (lambda: step(1 * pA, 1.05 * ms), ValueError, "duration of a waveform is 1.05 ms; give a whole multiple of dt = 0.1 ms"),
        (lambda: ramp(1 * pA, 1 * nS, 1 * ms), TypeError, "last of a ramp is 1. nS"),
        (lambda: ramp([1, 2] * pA, 1 * pA, 1 * ms), ValueError, "first of a ramp is .*; give one finite value"),
        (lambda: pulse_train(1 * pA, 2 * ms, 1 * ms, 9 * ms), ValueError, "pulses of 2. ms each 1. ms cannot be made"),
        (lambda: pulse_train(1 * pA, 0 * ms, 1 * ms, 9 * ms), ValueError, "at least one sample"),
        (lambda: pulse_train(1 * pA, 1 * ms, 2 * ms, 9 * ms, start=9 * ms), ValueError, "give an earlier start"),
    ],
)
def test_shapes_that_cannot_be_made_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# --- noise ---------------------------------------------------------------------------------------------------------


def noise(dt=2.5 * ms, rows=40_000, samples=4, rng=1, **others):
    return ornstein_uhlenbeck(100 * pA, 50 * pA, 5 * ms, samples * dt, dt, rng, rows=rows, **others)


def test_noise_has_its_mean_sd_and_correlation_from_the_first_sample_on():
    """With a step of tau/2 the exact correlation, exp(-1/2), is far from 1 - 1/2 of the Euler step."""
    rows = 40_000
    values = (noise(rows=rows).si / 1e-12 - 100) / 50
    for sample in range(4):
        assert abs(values[:, sample].mean()) < SURE / np.sqrt(rows)
        assert abs(values[:, sample].var(ddof=1) - 1) < SURE * np.sqrt(2 / rows)
    for lag in (1, 2, 3):
        found = np.arctanh(np.corrcoef(values[:, 0], values[:, lag])[0, 1])  # Fisher's z: normal with variance 1/(n - 3)
        assert abs(found - np.arctanh(np.exp(-lag / 2))) < SURE / np.sqrt(rows - 3)
        assert abs(found - np.arctanh(0.5**lag)) > SURE / np.sqrt(rows - 3)  # the control that must fail
    assert stats.kstest(values[:, 3], "norm").pvalue > 1e-4


def test_noise_that_starts_at_its_mean_is_told_apart():
    """The control: without what decays of its first sample the noise is the one that starts at its mean."""
    rows = 40_000
    values = (noise(rows=rows).si / 1e-12 - 100) / 50
    from_mean = values - np.exp(-np.arange(4) / 2) * values[:, :1]
    assert (np.abs(from_mean.var(axis=0, ddof=1)[:2] - 1) > SURE * np.sqrt(2 / rows)).all()


def test_noise_follows_its_recursion():
    values = (noise(dt=0.1 * ms, rows=2, samples=50).si[1] / 1e-12 - 100) / 50
    normal = np.random.Generator(np.random.Philox(key=ns.randomness.stream_key(1, "ornstein_uhlenbeck"))).standard_normal((2, 50))[1]
    x = [normal[0]]
    for n in normal[1:]:
        x.append(np.exp(-0.02) * x[-1] + np.sqrt(1 - np.exp(-0.04)) * n)
    assert values == pytest.approx(x, abs=1e-12)


def test_clipped_noise_has_the_mean_of_a_clipped_normal():
    """E max(0, X) = m Phi(m/s) + s phi(m/s) for a normal X."""
    clipped = ornstein_uhlenbeck(2 * nS, 3 * nS, 5 * ms, 1 * ms, 1 * ms, 4, low=0 * nS, rows=40_000)
    values = clipped.si[:, 0] / 1e-9
    expected = 2 * stats.norm.cdf(2 / 3) + 3 * stats.norm.pdf(2 / 3)
    assert values.min() == 0 and clipped.dimensions is siemens.dim
    assert abs(values.mean() - expected) < SURE * 3 / np.sqrt(40_000)
    assert abs(values.mean() - 2) > SURE * 3 / np.sqrt(40_000)


def test_noise_belongs_to_its_seed():
    few, many = noise(rows=2, samples=100), noise(rows=5, samples=100)
    assert np.array_equal(few.si, many.si[:2])
    assert not np.array_equal(few.si, noise(rows=2, samples=100, rng=2).si)
    generator = np.random.default_rng(3)
    first, second_draw = noise(rows=1, rng=generator), noise(rows=1, rng=generator)
    assert not np.array_equal(first.si, second_draw.si)
    assert np.array_equal(first.si, noise(rows=1, rng=np.random.default_rng(3)).si)


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"mean": 1 * mV}, TypeError, "mean of Ornstein-Uhlenbeck noise has the unit volt"),
        ({"sd": 1 * nS}, TypeError, "sd of Ornstein-Uhlenbeck noise is 1. nS, but it needs the dimension of amp"),
        ({"sd": -1 * pA}, ValueError, "give an sd of 0 or more"),
        ({"sd": [1, 2] * pA}, ValueError, "give one finite value"),
        ({"tau": 0 * ms}, ValueError, "a tau above 0"),
        ({"low": 0 * nS}, TypeError, "low of Ornstein-Uhlenbeck noise"),
        ({"rows": 0}, ValueError, "rows of Ornstein-Uhlenbeck noise is 0; give a whole number, at least 1"),
        ({"rng": None}, TypeError, "seed is None"),
        ({"duration": 0.15 * ms}, ValueError, "whole multiple of dt"),
        ({"mean": 1 * nS, "sd": 9 * nS, "duration": 100 * ms}, ValueError, r"low=0\*nS"),
    ],
)
def test_noise_that_cannot_be_made_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        ornstein_uhlenbeck(**{"mean": 1 * pA, "sd": 1 * pA, "tau": 5 * ms, "duration": 1 * ms, "dt": 0.1 * ms, "rng": 1, **changes})


# --- files ---------------------------------------------------------------------------------------------------------


def file_of(folder, text, name="trace.csv"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_csv_file_is_read_by_name_by_number_or_without_names(tmp_path):
    named = file_of(tmp_path, "\ufefft, current ,g\r\n0,1.5,7\r\n0.5,-2e1,8\r\n1.0,3,9\r\n\r\n")
    for chosen in ({"column": "current"}, {"column": 1}):
        read = read_waveform(named, pA, time="t", time_unit=ms, **chosen)
        assert in_pA(read) == [[1.5, -20, 3]] and float(read.dt) == pytest.approx(5e-4, rel=1e-12)
    assert read_waveform(named, nS, 0.2 * ms, column=2).si[0] == pytest.approx([7e-9, 8e-9, 9e-9], rel=1e-12)
    plain = file_of(tmp_path, "1\n2\n", "plain.csv")
    assert in_pA(read_waveform(plain, pA, 1 * ms)) == [[1, 2]]
    assert in_pA(read_waveform(file_of(tmp_path, "0,4\n1,5\n", "two.csv"), pA, time=0, time_unit=second)) == [[4, 5]]


def test_times_with_few_digits_give_the_interval(tmp_path):
    lines = [f"{k * 0.1:.3f},{k}" for k in range(2000)]
    assert float(read_waveform(file_of(tmp_path, "\n".join(lines)), pA, time=0, time_unit=ms).dt) == pytest.approx(1e-4, rel=1e-9)


def test_an_npy_file_is_read(tmp_path):
    np.save(tmp_path / "trace.npy", np.array([[1, 2], [3, 4]]))
    assert in_pA(read_waveform(tmp_path / "trace.npy", pA, 1 * ms)) == [[1, 2], [3, 4]]
    np.save(tmp_path / "flat.npy", np.array([1.0, 2.0], dtype=np.float32))
    assert in_pA(read_waveform(tmp_path / "flat.npy", pA, 1 * ms)) == [[1, 2]]


TIMED = {"time": "t", "time_unit": ms}
WRONG_CSV = [
    ("", {"dt": 1 * ms}, "holds no samples"),
    ("t,current\n", {"dt": 1 * ms, "column": 1}, "holds no samples"),
    ("t,current\n0,1\n1,nan\n", {"column": "current", **TIMED}, "line 3, column 'current': 'nan' is no finite number"),
    ("t,current\n0,1\n1,one\n", {"column": "current", **TIMED}, "line 3, column 'current': 'one' is no finite number"),
    ("t,current\n0,1\n\n1,\n", {"column": "current", **TIMED}, "line 4, column 'current': '' is no finite number"),
    ("t,current\n0,1\n1\n", {"column": "current", **TIMED}, "line 3 has 1 cells and not 2"),
    ("t,current\n0,1\n1,2\n3,3\n4,4\n", TIMED, "line 4: the time goes from 1 to 3, but mostly by 1;"),
    ("t,current\n0,1\n1,2\n1,3\n", TIMED, "line 3: the time goes from 0 to 1, but mostly by 0.5"),
    ("t,current\n2,1\n1,2\n0,3\n", TIMED, "line 3: the time goes from 2 to 1"),
    ("t,current\n0,1\n", TIMED, "one sample, which gives no time step; give dt"),
    ("t,current\n0,1\n1,2\n", {"column": "curent", **TIMED}, "no column 'curent'. Did you mean 'current'"),
    ("t,current\n0,1\n1,2\n", {"column": 2, **TIMED}, "no column 2; give a number from 0 to 1"),
    ("t,current\n0,1\n1,2\n", {"dt": 1 * ms}, r"has the columns t, current; name the one to read with column=\.\.\."),
    ("t\n0\n1\n", TIMED, "no column but that of the times"),
    ("a,a\n0,1\n", {"dt": 1 * ms, "column": "a"}, "2 columns 'a'; choose by number"),
    (b"\xff\xfe1", {"dt": 1 * ms}, "is no CSV file .*; save it as comma-separated text in UTF-8"),
]


@pytest.mark.parametrize("text, how, message", WRONG_CSV)
def test_a_csv_file_that_cannot_be_read_names_file_line_and_remedy(tmp_path, text, how, message):
    with pytest.raises(ValueError, match=message) as refused:
        read_waveform(file_of(tmp_path, text), pA, **how)
    assert "trace.csv" in str(refused.value)


def test_an_npy_file_that_cannot_be_read_names_itself(tmp_path):
    path = tmp_path / "trace.npy"
    wrong = {
        "NaN|nan at index": np.array([1.0, np.nan]),
        "complex128": np.array([1j]),
        r"shape \(0,\)": np.array([]),
        r"shape \(1, 1, 1\)": np.ones((1, 1, 1)),
        "damaged or no NPY file": np.array([object()]),
    }
    for message, values in wrong.items():
        np.save(path, values, allow_pickle=True)
        with pytest.raises(ValueError, match=f"trace.npy.*({message})"):
            read_waveform(path, pA, 1 * ms)
    path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="trace.npy is damaged"):
        read_waveform(path, pA, 1 * ms)
    np.save(path, np.ones(3))
    with pytest.raises(ValueError, match="no columns; give dt alone"):
        read_waveform(path, pA, 1 * ms, column=0)


def test_files_need_units_a_grid_and_a_known_kind(tmp_path):
    path = file_of(tmp_path, "0,1\n1,2\n")
    for how in ({}, {"dt": 1 * ms, "time": 0, "time_unit": ms}, {"time": 0}, {"dt": 1 * ms, "time_unit": ms}):
        with pytest.raises(ValueError, match="grid of .*trace.csv is not clear; give either dt"):
            read_waveform(path, pA, column=1, **how)
    with pytest.raises(TypeError, match="unit of .*trace.csv has the unit volt"):
        read_waveform(path, mV, 1 * ms, column=1)
    with pytest.raises(TypeError, match="unit of .*trace.csv has no unit"):
        read_waveform(path, 1, 1 * ms, column=1)
    with pytest.raises(TypeError, match="time_unit of .*trace.csv"):
        read_waveform(path, pA, column=1, time=0, time_unit=mV)
    with pytest.raises(FileNotFoundError, match="there is no file .*missing.csv"):
        read_waveform(tmp_path / "missing.csv", pA, 1 * ms)
    with pytest.raises(ValueError, match="trace.txt ends in '.txt'; give a .csv or .npy file"):
        read_waveform(file_of(tmp_path, "1\n", "trace.txt"), pA, 1 * ms)
    with pytest.raises(ValueError, match=r"-1. nS at sample 0 .* conductance is 0 or more"):
        read_waveform(file_of(tmp_path, "-1\n", "g.csv"), nS, 1 * ms)
