"""Boards that are left alone keep their connection (cloud-protocol 1.5, 3.7).

They have been alone since the first test began, so five minutes cost the suite little.
"""

import pytest

from interop import node, spark_server

pytestmark = pytest.mark.left_alone

_MINUTES_S = 300
_HOUR_S = 3600


@pytest.fixture
def with_spark(need, left_alone):
    """Give the two boards on spark-server."""
    need("@brewskey/spark-server (npm)", spark_server.PACKAGES.find(), node.COMMAND)
    return left_alone.with_spark


@pytest.mark.timeout(_MINUTES_S + 100)
def test_five_minutes_with_spark_server(with_spark):
    with_spark.hold(_MINUTES_S)


@pytest.mark.timeout(_MINUTES_S + 100)
def test_five_minutes_with_our_cloud(left_alone):
    left_alone.with_ours.hold(_MINUTES_S)


@pytest.mark.soak
@pytest.mark.timeout(_HOUR_S + 100)
def test_an_hour_with_spark_server(with_spark):
    with_spark.hold(_HOUR_S)


@pytest.mark.soak
@pytest.mark.timeout(_HOUR_S + 100)
def test_an_hour_with_our_cloud(left_alone):
    left_alone.with_ours.hold(_HOUR_S)
