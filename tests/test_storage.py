"""Circuits, recordings and histories are kept without loss, and damage is found."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from comparing import differences, in_flight

import neurosim as ns
from neurosim.files import read_archive, write_archive
from neurosim.storage import read_recording, recording_archive
from neurosim.units import Hz, ms, mV, nS, pA

NUMPY = ns.Brian2(target="numpy")
INPUTS = [
    ns.PoissonInput("exc", "g_exc", rate=800 * Hz, weight=5 * nS),
    ns.NoiseCurrent("exc", "I_e", mean=50 * pA, sd=40 * pA, tau=3 * ms),
    ns.SpikeTimes("source", [0, 1, 0], [5, 20, 45] * ms),
]


def circuit():
    """Sources and two kinds of cells, all policies and wirings that differ in what has to be kept."""
    source = ns.create("source", "spike_source", 2)
    exc = ns.create(
        "exc",
        ns.load_cell("leaky_conductance").replace(tau_ref=3 * ms),
        8,
        sign="excitatory",
        state={"v": ns.Normal(-60 * mV, 3 * mV)},
        seed=1,
    )
    squid = ns.create("squid", "hodgkin_huxley", 2)
    stdp = ns.load_synapse("stdp_pair").replace(w_max=3 * nS, normalise="incoming", w_total=6 * nS)
    projections = [
        ns.connect(source, exc, stdp, ns.AllToAll(contacts=2), receptor="g_exc", weight=ns.Uniform(0 * nS, 3 * nS), delay=3 * ms).replace(
            newborn="copy"
        ),
        ns.connect(
            exc,
            exc,
            "static",
            ns.FixedProbability(0.4),
            receptor="g_exc",
            weight=ns.LogNormal(1 * nS, 0.5),
            delay=ns.Uniform(1 * ms, 1 * ms),
        ).replace(newborn="wire"),
        ns.connect(exc, squid, "static", ns.Pairs([0, 1], [1, 0]), receptor="g_exc", weight=[5, 7] * nS, delay=[2, 30] * ms),
    ]
    return ns.Circuit([source, exc, squid], projections, seed=11)


@pytest.fixture(scope="module")
def middle():
    """A circuit in the middle of its life: spikes in flight, cells refractory, some born, some dead."""
    now = ns.apply(circuit(), ns.Events.divide("exc", [2], rng=np.random.default_rng(1)) + ns.Events.kill("exc", [5]))
    now, _ = ns.simulate(now, 31 * ms, inputs=INPUTS, backend=NUMPY, progress=False)
    assert in_flight(now) > 5 and not now["exc"].cells["not_refractory"].all()
    assert any(column.startswith("noise:") for column in now["exc"].cells)
    return now


@pytest.fixture
def saved(middle, tmp_path):
    return ns.save_circuit(middle, tmp_path / "middle.npz")


def test_a_circuit_comes_back_bit_for_bit(middle, saved):
    again = ns.load_circuit(saved)
    assert differences(again, middle) == []
    assert [type(again[name].recipe.wiring).__name__ for name in again.projections] == ["AllToAll", "FixedProbability", "Pairs"]
    assert [again[name].newborn for name in again.projections] == ["copy", "wire", "split"]
    assert again["exc"].model.namespace()["tau_ref"] == 3 * ms and again["exc"].sign == "excitatory"
    assert again["exc"].parents.tolist() == middle["exc"].parents.tolist() and again.dt == 0.1 * ms
    assert differences(again.set("squid", v=0 * mV), middle) == ["squid.v"]  # the control


def test_a_circuit_that_never_ran_comes_back_too(tmp_path):
    assert differences(ns.load_circuit(ns.save_circuit(circuit(), tmp_path / "new")), circuit()) == []


def test_a_loaded_circuit_goes_on_as_it_would_have(middle, saved):
    expected, first = ns.simulate(middle, 40 * ms, inputs=INPUTS, backend=NUMPY, progress=False)
    after, second_run = ns.simulate(ns.load_circuit(saved), 40 * ms, inputs=INPUTS, backend=NUMPY, progress=False)
    assert differences(after, expected) == [] and len(first["exc"].spikes) > 10
    assert first["exc"].spikes.step.tolist() == second_run["exc"].spikes.step.tolist()
    fewer = ns.load_circuit(saved).set("source_to_exc", x=0.0)
    assert differences(ns.simulate(fewer, 40 * ms, inputs=INPUTS, backend=NUMPY, progress=False)[0], expected)  # the control


def test_a_loaded_circuit_is_edited_as_it_would_have_been(middle, saved):
    events = ns.Events.divide("exc", [0, 3, 8], rng=np.random.default_rng(3)) + ns.Events.divide("squid", [1], rng=np.random.default_rng(4))
    assert differences(ns.apply(ns.load_circuit(saved), events), ns.apply(middle, events)) == []


def test_paths(middle, tmp_path):
    assert ns.save_circuit(middle, tmp_path / "a" / "b" / "circuit") == tmp_path / "a" / "b" / "circuit.npz"
    assert differences(ns.load_circuit(tmp_path / "a" / "b" / "circuit"), middle) == []
    assert ns.save_circuit(circuit(), str(tmp_path / "a" / "b" / "circuit.npz")).exists()  # overwrites
    assert ns.load_circuit(tmp_path / "a" / "b" / "circuit").dt is None
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["circuit.npz"]  # nothing half-written is left
    with pytest.raises(FileNotFoundError, match="there is no file .*other.npz; give the path that the circuit was saved to"):
        ns.load_circuit(tmp_path / "other")


def test_a_save_that_breaks_off_leaves_the_old_file(saved, middle, monkeypatch, tmp_path):
    before = saved.read_bytes()

    def full(*arguments, **others):
        raise OSError(28, "No space left on device")

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, step, full)
            with pytest.raises(OSError, match=f"{saved} cannot be written .No space left on device.; make room") as caught:
                ns.save_circuit(circuit(), saved)
        assert caught.value.errno == 28
        assert saved.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == ["middle.npz"]
    ns.save_circuit(circuit(), saved)
    assert saved.read_bytes() != before  # the control


# --- damage ----------------------------------------------------------------------------------------------------------


def contents(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def test_a_changed_value_is_found(saved):
    """Also where the archive itself is whole."""
    for name in ("exc/cells/v.npy", "exc_to_exc/flight/step.npy", "source_to_exc/synapses/share.npy"):
        files = contents(saved)
        data = bytearray(files[name])
        data[-3] ^= 1
        rewrite(saved, {**files, name: bytes(data)})
        with pytest.raises(ValueError, match=f"is damaged: {name[:-4]} does not match its hash; use another copy"):
            ns.load_circuit(saved)
        rewrite(saved, files)
        ns.load_circuit(saved)  # the control


def test_a_missing_column_is_found(saved):
    files = contents(saved)
    del files["exc/cells/lastspike.npy"]
    rewrite(saved, files)
    with pytest.raises(ValueError, match="is damaged: exc/cells/lastspike does not match"):
        ns.load_circuit(saved)


def test_any_flipped_byte_of_the_file_is_found(saved, middle):
    """Or it changes nothing of the circuit (bytes of the archive that say when it was packed)."""
    whole = saved.read_bytes()
    found = 0
    for place in np.random.default_rng(0).integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 0x40
        saved.write_bytes(bytes(damaged))
        try:
            again = ns.load_circuit(saved)
        except ValueError as error:
            assert "damaged" in str(error)
            found += 1
        else:
            assert differences(again, middle) == []
    assert found > 40


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.999])
def test_a_truncated_file_is_found(saved, share):
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match="is damaged or no circuit of neurosim .*; give a file that neurosim saved"):
        ns.load_circuit(saved)


def test_files_of_another_kind_are_refused(saved, tmp_path):
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "numpy.npz", x=np.arange(3))
    for name in ("text", "numpy"):
        with pytest.raises(ValueError, match="is damaged or no circuit of neurosim"):
            ns.load_circuit(tmp_path / name)
    write_archive(tmp_path / "recipe", {"kind": "recipe"}, {})
    with pytest.raises(ValueError, match="holds a recipe in format 3, not a circuit in format 3"):
        ns.load_circuit(tmp_path / "recipe")
    files = contents(saved)
    about = json.loads(np.load(io.BytesIO(files["manifest.npy"])).tobytes())
    buffer = io.BytesIO()
    np.save(buffer, np.frombuffer(json.dumps({**about, "format": 99}).encode(), dtype=np.uint8))
    rewrite(saved, {**files, "manifest.npy": buffer.getvalue()})
    with pytest.raises(ValueError, match="holds a circuit in format 99, not a circuit in format 3"):
        ns.load_circuit(saved)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a file ran code')",))


def test_no_pickle_is_ever_read(saved, tmp_path):
    assert not any(b"O" in data[:128].split(b"descr")[-1][:12] for data in contents(saved).values())
    np.savez(tmp_path / "bomb.npz", manifest=np.array([Bomb()], dtype=object))
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Bomb()))
    for name in ("bomb", "plain"):
        with pytest.raises(ValueError, match="is damaged or no circuit"):
            ns.load_circuit(tmp_path / name)


# --- archives and recordings -----------------------------------------------------------------------------------------


def test_archives_keep_arrays_of_all_kinds(tmp_path):
    arrays = {
        "a/b": np.arange(6).reshape(2, 3),
        "empty": np.empty((0, 3)),
        "flags": np.array([True, False]),
        "text": np.array(["x", "yz"]),
        "nan": np.array([np.nan, -0.0, np.inf]),
    }
    path = write_archive(tmp_path / "it", {"kind": "thing", "note": "é"}, arrays)
    about, again = read_archive(path, "thing")
    assert about["note"] == "é"
    for name, values in arrays.items():
        assert again[name].dtype == values.dtype and again[name].shape == values.shape and again[name].tobytes() == values.tobytes()


def test_a_recording_comes_back(middle, tmp_path):
    record = [ns.Trace("exc", "v", cells=[0, 8]), ns.Trace("source_to_exc", "weight", every=1 * ms)]
    _, recording = ns.simulate(middle, 10 * ms, inputs=INPUTS, record=record, backend=NUMPY, progress=False)
    kept = recording.keeping({"exc", "source_to_exc", "squid"}, {"exc"})
    again = read_recording(write_archive(tmp_path / "r", *recording_archive(kept)))
    assert again.names == ["exc", "squid", "source_to_exc"] and repr(again["exc"].v) == repr(recording["exc"].v)
    assert (again.start, again.stop) == (recording.start, recording.stop)
    assert again["source_to_exc"].trace("weight").si.tobytes() == recording["source_to_exc"].trace("weight").si.tobytes()
    assert (again["source_to_exc"].weight == recording["source_to_exc"].weight).all()
    assert again["exc"].spikes.step.tolist() == recording["exc"].spikes.step.tolist() and not again["squid"].has_spikes
    assert again["squid"].counts.tolist() == recording["squid"].counts.tolist() and (again["exc"].rate() == recording["exc"].rate()).all()
