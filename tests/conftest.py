"""Begin with the longest files, and keep Brian2's log out of pytest's memory; standing here, it also lets all tests import their neighbours."""

import logging

import pytest
from library_builds import builds, cache  # noqa: F401

LONGEST = (
    "test_library_is_cython.py",
    "test_splitting.py",
    "test_every_rule.py",
    "test_studies.py",
    "test_memory.py",
    "test_killed.py",
    "test_benchmarks.py",
    "test_report.py",
    "test_network_study.py",
    "test_readme.py",
    "test_backend_choice.py",
)


def pytest_configure(config):
    """Take files in our order: xdist's own, most tests first, would leave the few that take minutes to one worker at the end."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that no worker waits for another at the end."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(autouse=True, scope="session")
def quiet():
    logging.disable(logging.DEBUG)
    yield
    logging.disable(logging.NOTSET)
