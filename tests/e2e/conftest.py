"""Fixtures: a cloud per module, a desk of boards per test."""

import pytest

from e2e.desk import Desk
from particle_tools.local import LocalCloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud; whatever happens to it, it must not fail inside."""
    found = LocalCloud(tmp_path_factory.mktemp("cloud"))
    yield found
    found.stop()
    assert "Traceback" not in found.output(), found.output()


@pytest.fixture(scope="module")
def api(cloud):
    """Give REST as the user who owns the boards."""
    return cloud.api()


@pytest.fixture
def desk(tmp_path, cloud):
    """Give a desk with nothing on it."""
    found = Desk(tmp_path, cloud)
    yield found
    found.close()


@pytest.fixture
def events(api):
    """Give the stream of all events, open from before the test."""
    stream = api.events()
    yield stream
    stream.close()
