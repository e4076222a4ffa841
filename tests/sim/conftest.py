"""A workbench per test."""

import pytest

from sim.boards import Bench


@pytest.fixture
def bench(tmp_path):
    """Give a place where boards are made and run."""
    place = Bench(tmp_path)
    yield place
    place.close()
