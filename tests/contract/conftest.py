"""Let the contract's tests find the oracle, which stands beside this folder, and keep Brian2's debugging log out of pytest's memory."""

import logging
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))


@pytest.fixture(autouse=True, scope="session")
def quiet():
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)
