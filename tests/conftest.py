"""Keep Brian2's debugging log out of pytest's memory; standing here, this file also lets all tests import their neighbours."""

import logging

import pytest
from library_builds import builds, cache  # noqa: F401


@pytest.fixture(autouse=True, scope="session")
def quiet():
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)
