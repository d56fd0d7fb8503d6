"""Keep Brian2's debugging log out of pytest's memory; standing here, this file also lets all tests import their neighbours."""

import logging

import pytest
from library_builds import builds, cache  # noqa: F401

LONGEST = ("test_library_is_cython.py", "test_studies.py", "test_killed.py", "test_benchmarks.py", "test_memory.py")


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that no worker waits for another at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture(autouse=True, scope="session")
def quiet():
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)
