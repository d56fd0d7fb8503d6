"""The wheel holds the library and its model files, and nothing of the checkout is needed to use it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import neurosim as ns

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_one_package_with_its_catalogue(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == {"neurosim"}
    models = {path.relative_to(ROOT / "models").as_posix() for path in (ROOT / "models").rglob("*.toml")}
    assert {name.removeprefix("neurosim/catalogue/") for name in names if name.startswith("neurosim/catalogue/")} == models
    assert "neurosim/backends/philox.h" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_works_without_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = "import neurosim as ns; print(ns.__file__); print(*ns.cells(), *ns.receptors(), *ns.synapses()); print(len(ns.load_cell('traub_miles').parameters))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    file, names, parameters = done.stdout.splitlines()
    assert file.startswith(str(tmp_path))
    assert names.split() == [*ns.cells(), *ns.receptors(), *ns.synapses()]
    assert int(parameters) == len(ns.load_cell("traub_miles").parameters)


def test_importing_neurosim_imports_no_torch_and_starts_nothing(tmp_path):
    code = "import sys, threading; import neurosim; print('torch' in sys.modules, threading.active_count(), sys.excepthook is sys.__excepthook__)"
    environment = {**os.environ, "NEUROSIM_CACHE": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["False", "1", "True"], done.stderr
    assert not (tmp_path / "cache").exists()
