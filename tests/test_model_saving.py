"""Models written as files: read again they are equal; nothing is overwritten, and what cannot be written is told."""

import pytest

import neurosim as ns
from neurosim.units import mV, nS, pF


@pytest.mark.parametrize("kind", ["cells", "synapses"])
def test_every_model_of_the_catalogue_comes_back(kind, tmp_path):
    names, load = (ns.cells(), ns.load_cell) if kind == "cells" else (ns.synapses(), ns.load_synapse)
    assert len(names) > 2
    for name in names:
        model = load(name)
        ns.save_model(model, tmp_path / f"{name}.toml")
        again = load(tmp_path / f"{name}.toml")
        assert again == model and again.hash == model.hash


def test_what_was_replaced_comes_back_to_the_last_bit(tmp_path):
    model = ns.load_cell("leaky").replace(C_m=100 / 3 * pF, V_th=-0.1 / 3 * 1e3 * mV, name="mine")
    ns.save_model(model, str(tmp_path / "mine.toml"))
    again = ns.load_cell(tmp_path / "mine.toml")
    assert again == model != ns.load_cell("leaky")
    assert {name: one.value for name, one in again.parameters.items()} == {name: one.value for name, one in model.parameters.items()}
    assert again.expected == model.expected and again.references == model.references


def test_a_weight_that_is_not_given_yet_is_still_missing(tmp_path):
    before = ns.load_synapse("stdp_pair")
    model = before.replace(w_max=5 * nS)
    for number, one in enumerate((before, model)):
        ns.save_model(one, tmp_path / f"{number}.toml")
        assert ns.load_synapse(tmp_path / f"{number}.toml").missing() == one.missing()
    assert model.missing() != before.missing()


def test_no_file_is_overwritten(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("a file of the user's own")
    with pytest.raises(FileExistsError, match=f"{path} exists; give another path, or remove it first"):
        ns.save_model(ns.load_cell("leaky"), path)
    assert path.read_text() == "a file of the user's own" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["mine", "mine.txt", "mine.toml.gz"])
def test_another_ending_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path / name} is to hold a model; give a path that ends in .toml"):
        ns.save_model(ns.load_cell("leaky"), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_folder_is_made_and_one_that_cannot_be_is_told(tmp_path):
    ns.save_model(ns.load_cell("leaky"), tmp_path / "new" / "folder" / "mine.toml")
    assert ns.load_cell(tmp_path / "new" / "folder" / "mine.toml") == ns.load_cell("leaky")
    (tmp_path / "file").write_text("")
    inside = tmp_path / "file" / "mine.toml"
    with pytest.raises(OSError, match=rf"{inside} cannot be written \(.*\); choose a folder that you may write to"):
        ns.save_model(ns.load_cell("leaky"), inside)


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    """A folder that may be read only, also where the tests are run by one who may write everywhere."""

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("neurosim.files.os.replace", refuse)
    with pytest.raises(PermissionError, match=r"mine.toml cannot be written \(Permission denied\); choose a folder that you may write to"):
        ns.save_model(ns.load_cell("leaky"), tmp_path / "mine.toml")
    assert not list(tmp_path.iterdir())
