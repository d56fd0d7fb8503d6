"""Damaged run folders: what is wrong is named, what is intact can be read, nothing is written over and no code is run."""

import io
import json
import pickle
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept_lives import GROWTH, Break, content, files, live, no_sync, resume, stop_after  # noqa: F401
from life_data import circuit

import neurosim as ns
from neurosim.lifecycle import folder as folders


@pytest.fixture(scope="module")
def broken_off(tmp_path_factory):
    """A folder with three of four epochs, all their circuits kept, and another such folder of another seed."""
    made = [tmp_path_factory.mktemp("damage") / name for name in ("mine", "other")]
    for folder, start in zip(made, (circuit(), circuit(seed=2)), strict=True):
        with pytest.raises(Break):
            live(ns.RunFolder(folder, every=1), start, progress=stop_after(3))
    return made


@pytest.fixture
def folder(broken_off, tmp_path):
    folders._circuit.cache_clear()
    return Path(shutil.copytree(broken_off[0], tmp_path / "life"))


def truncated(path, other):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path, other):
    path.write_bytes(b"")


def altered(path, other):
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0x10
    path.write_bytes(bytes(whole))


def swapped(path, other):
    """With the file of the epoch before."""
    before = path.with_name("000001.npz")
    whole = path.read_bytes()
    path.write_bytes(before.read_bytes())
    before.write_bytes(whole)


def of_another_run(path, other):
    path.write_bytes(other.read_bytes())


def missing(path, other):
    path.unlink()


def of_another_kind(path, other):
    elsewhere = "recordings" if path.parent.name == "circuits" else "circuits"
    path.write_bytes((path.parents[1] / elsewhere / "000002.npz").read_bytes())


DAMAGES = [truncated, emptied, altered, swapped, of_another_run, missing, of_another_kind]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_epoch(damage, folder, broken_off):
    whole = ns.load_history(folder)
    damage(folder / "epochs" / "000002.npz", broken_off[1] / "epochs" / "000002.npz")
    before, first = files(folder), 1 if damage is swapped else 2
    intact = rf"{folder}/epochs/00000{first}.npz.*; of the epochs of this run, epochs 0 to {first - 1} are intact: .*until={first - 1}"
    for read in (ns.load_history, lambda folder: resume(folder, every=1), lambda folder: ns.load_history(folder, until=first)):
        with pytest.raises(ValueError, match=intact):
            read(folder)
    part = ns.load_history(folder, until=first - 1)
    assert part.events.tobytes() == whole.events[whole.events["epoch"] < first].tobytes() and part.circuit.epoch == first - 1
    assert files(folder) == before


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", ["circuits", "recordings"])
def test_a_damaged_circuit_or_recording(place, damage, folder, broken_off):
    whole = content(ns.load_history(folder), circuits=False)
    damage(folder / place / "000002.npz", broken_off[1] / place / "000002.npz")
    before = files(folder)
    history = ns.load_history(folder)
    assert history.events.tobytes() == ns.load_history(broken_off[0]).events.tobytes()
    with pytest.raises(FileNotFoundError if damage is missing else ValueError, match=rf"{folder}/{place}/000002.npz"):
        history.kept[2] if place == "circuits" else history.recordings[1]()
    if place == "circuits":
        assert content(history, circuits=False) == whole and history.circuit.epoch == 3 and history.start.epoch == 0
        with pytest.raises(FileNotFoundError if damage is missing else ValueError, match="000002.npz"):
            ns.load_circuit(folder, 2)
    else:
        assert history.recordings[2]().start_step == 80 and history.kept[2].epoch == 2
    assert files(folder) == before


@pytest.mark.parametrize("place", ["circuits", "recordings"])
@pytest.mark.parametrize("damage", [altered, missing])
def test_what_a_resumed_life_needs(place, damage, folder):
    damage(folder / place / "000003.npz", None)
    before = files(folder, but=(".lock", "run.json"))
    with pytest.raises((FileNotFoundError, ValueError), match=rf"{folder}/{place}/000003.npz"):
        resume(folder, every=1)
    assert files(folder, but=(".lock", "run.json")) == before


def test_the_first_and_the_last_epoch(folder):
    (folder / "epochs" / "000003.npz").unlink()
    with pytest.raises(ValueError, match=r"000003.npz.* epochs 0 to 2 are intact"):
        ns.load_history(folder)
    (folder / "epochs" / "000000.npz").unlink()
    with pytest.raises(ValueError, match=r"there is no file .*000000.npz.*of the epochs of this run, none is intact"):
        ns.load_history(folder)


@pytest.mark.parametrize("damage", [truncated, emptied, altered, of_another_run, missing])
def test_a_damaged_run_json(damage, folder, broken_off):
    damage(folder / "run.json", broken_off[1] / "run.json")
    before = files(folder)
    named = "epochs/000000.npz is of another run" if damage is of_another_run else "run.json"
    for read in (ns.load_history, lambda folder: resume(folder, every=1)) if damage is not missing else (ns.load_history,):
        with pytest.raises(
            FileNotFoundError if damage is missing else ValueError,
            match=re.escape(f"{folder}/{named}") if read is ns.load_history else None,
        ):
            read(folder)
    assert files(folder) == before


@pytest.mark.parametrize("key", ["state", "seed", "sessions", "specification", "versions", "branch", "first"])
def test_a_run_json_that_was_edited(key, folder):
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(about))
    ns.load_history(folder)  # the control: the same content, written in another way
    (folder / "run.json").write_text(json.dumps(about | {key: None if about[key] else 1}))
    with pytest.raises(
        ValueError, match=re.escape(f"{folder}/run.json is damaged or was altered: it does not match its hash; use another copy")
    ):
        ns.load_history(folder)


# --- archives that were made to deceive ------------------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a file ran code')",))


def repacked(path, name, data):
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, old in {**members, name: data}.items():
            archive.writestr(one, old)


def array_file(values) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, values, allow_pickle=True)
    return buffer.getvalue()


HEADERS = {
    "a pickle": array_file(np.array([Bomb()], dtype=object)),
    "a bare pickle": pickle.dumps(Bomb()),
    "no array": b"text",
    "an open bracket": b"\x93NUMPY\x01\x00\x10\x00{'descr': (1,((\n",
    "a huge shape": b"\x93NUMPY\x01\x00\x46\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (%d,)}" % 10**12 + b" " * 2 + b"\n",
    "code": b"\x93NUMPY\x01\x00\x20\x00" + b"__import__('os')._exit(3)".ljust(31) + b"\n",
}


@pytest.mark.parametrize("what", HEADERS)
@pytest.mark.parametrize("member", ["census.npy", "manifest.npy", "extra.npy"])
def test_an_array_that_is_something_else(what, member, folder):
    repacked(folder / "epochs" / "000002.npz", member, HEADERS[what])
    with pytest.raises(ValueError, match=r"000002.npz is damaged or no epoch of neurosim .*epochs 0 to 1 are intact"):
        ns.load_history(folder)


def test_nothing_in_neurosim_can_read_a_pickle():
    sources = {path: path.read_text() for path in Path(ns.__file__).parent.rglob("*.py")}
    unsafe = re.compile(
        r"^\s*(import|from)\s+(pickle|marshal|shelve|dill|joblib|cloudpickle)\b|allow_pickle\s*=\s*True|read_pickle", re.MULTILINE
    )
    assert [str(path) for path, text in sources.items() if unsafe.search(text)] == [] and len(sources) > 30
    loads = [line for text in sources.values() for line in text.splitlines() if re.search(r"\bnp\.load\(|read_array\(", line)]
    assert loads and all("allow_pickle=False" in line for line in loads)
    assert unsafe.search("    import pickle\n") and unsafe.search("np.load(path, allow_pickle=True)")  # the control


# --- fuzz ------------------------------------------------------------------------------------------------------------

CUT, FLIP, DROP, REPEAT = "cut", "flip", "drop", "repeat"
harm = st.tuples(
    st.sampled_from([CUT, FLIP, FLIP, DROP, REPEAT]), st.floats(0, 1, exclude_max=True), st.integers(0, 255), st.integers(1, 40)
)


def harmed(whole: bytes, harms) -> bytes:
    for kind, share, bits, length in harms:
        place = int(share * len(whole))
        if kind == FLIP and whole:
            whole = whole[:place] + bytes([whole[place] ^ bits]) + whole[place + 1 :]
        elif kind == REPEAT:
            whole = whole[: place + length] + whole[place:]
        else:
            whole = whole[:place] + (b"" if kind == CUT else whole[place + length :])
    return whole


NAMES = ["run.json", *(f"epochs/00000{n}.npz" for n in range(4)), "circuits/000003.npz", "recordings/000002.npz"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(name=st.sampled_from(NAMES), harms=st.lists(harm, min_size=1, max_size=3))
def test_a_harmed_file_gives_the_same_or_an_error(name, harms, broken_off):
    folder = broken_off[0]
    path, whole = folder / name, (folder / name).read_bytes()
    wanted = _expected(folder)
    folders._circuit.cache_clear()
    try:
        path.write_bytes(harmed(whole, harms))
        history = ns.load_history(folder)
        found = content(history, circuits=False)
        history.circuit
    except (ValueError, FileNotFoundError, KeyError) as error:
        assert str(folder) in str(error) and path.read_bytes() != whole
    else:
        assert found == wanted
    finally:
        path.write_bytes(whole)


def _expected(folder, known={}):  # noqa: B006
    if folder not in known:
        known[folder] = content(ns.load_history(folder), circuits=False)
    return known[folder]
