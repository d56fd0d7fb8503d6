"""Studies as scripts and as modules, for tests that run them or call their functions."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

STUDIES = Path(__file__).parent.parent / "studies"


def run(name, *options, folder, timeout=300):
    """Run a study as its user would, from another folder."""
    command = [sys.executable, str(STUDIES / f"{name}.py"), *options]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout)


def study_fixture(name):
    """A fixture that holds the module of one study while the tests of a file run."""

    @pytest.fixture(scope="module")
    def study():
        specification = importlib.util.spec_from_file_location(name, STUDIES / f"{name}.py")
        module = importlib.util.module_from_spec(specification)
        sys.modules[name] = module  # where dataclasses look for their module
        specification.loader.exec_module(module)
        yield module
        del sys.modules[name]

    return study
