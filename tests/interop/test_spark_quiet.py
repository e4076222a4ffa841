"""Boards left alone with spark-server keep their connections (cloud-protocol 1.5, 3.7)."""

import pytest

from interop import node, spark_server

pytestmark = pytest.mark.left_alone


@pytest.fixture
def quiet(need, left_alone):
    """Give the boards that were left alone since the first test."""
    need("@brewskey/spark-server (npm)", spark_server.PACKAGES.find(), node.COMMAND)
    return left_alone


@pytest.mark.timeout(400)
def test_five_minutes(quiet):
    quiet.hold(300)


@pytest.mark.soak
@pytest.mark.timeout(3900)
def test_an_hour(quiet):
    quiet.hold(3600)
