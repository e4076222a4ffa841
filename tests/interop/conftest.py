"""Peers of the interop tests; boards that are left alone while the other tests run."""

import itertools

import pytest

from interop import node, spark_server
from interop.boards import PROGRAM, Switched
from interop.left_alone import LeftAlone
from interop.spark_server import SparkServer

_SPARK = "@brewskey/spark-server (npm)"


def pytest_collection_modifyitems(items):
    """Put the tests that wait for a clock last: it runs since the first test began."""
    items.sort(key=lambda item: item.get_closest_marker("left_alone") is not None)


@pytest.fixture(scope="session", autouse=True)
def left_alone(request, tmp_path_factory):
    """Leave boards alone with clouds of their own, if a test will ask about them."""
    if not any(item.get_closest_marker("left_alone") for item in request.session.items):
        yield None
        return
    found = LeftAlone(spark_server.PACKAGES.find(), tmp_path_factory.mktemp("alone"))
    yield found
    found.close()


@pytest.fixture
def start():
    """Give a function that starts a program, which ends with the test."""
    started = []

    def begin(function, *arguments):
        started.append(function(*arguments))
        return started[-1]

    yield begin
    for program in started:
        program.stop()


@pytest.fixture(scope="session")
def _sparks(tmp_path_factory):
    # a spark-server for the tests that leave it running
    server = SparkServer(spark_server.PACKAGES.find(), tmp_path_factory.mktemp("spark"))
    yield server
    server.stop()


@pytest.fixture
def spark(need, request):
    """Give a spark-server; whatever the test did, it must not have found a wrong message ID."""
    need(_SPARK, spark_server.PACKAGES.find(), node.COMMAND)
    server = request.getfixturevalue("_sparks")
    if not server.running():  # a failed test left it so
        server.start()
    yield server
    assert server.complaints() == []


@pytest.fixture(scope="session")
def _board_on_spark(_sparks):
    board = Switched(_sparks.make_board(_sparks.folder / "board"), PROGRAM)
    yield board
    board.close()


@pytest.fixture
def board(spark, request):
    """Give a board that is connected to `spark` and runs PROGRAM."""
    found = request.getfixturevalue("_board_on_spark")
    assert found.runs(), found.lines
    spark.wait_online(found.device_id)
    return found


@pytest.fixture
def new_board(spark):
    """Give a function that makes and switches on another board of `spark`."""
    made = []

    def make(program=PROGRAM, **values):
        folder = spark.folder / f"board-{next(_NUMBERS)}"
        made.append(Switched(spark.make_board(folder, **values), program))
        return made[-1]

    yield make
    for found in made:
        found.close()


_NUMBERS = itertools.count()
