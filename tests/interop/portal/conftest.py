"""A cloud, a board that listens and a phone near it."""

import pytest

from interop.portal import listening, phone
from interop.portal.listening import Board
from particle_tools.local import LocalCloud


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud."""
    found = LocalCloud(tmp_path_factory.mktemp("cloud"))
    yield found
    found.stop()


@pytest.fixture(scope="module")
def places():
    """Give the ports of the boards, which are there one after the other."""
    return listening.places()


@pytest.fixture(scope="module")
def _phone(places, tmp_path_factory):
    found = phone.Phone(tmp_path_factory.mktemp("phone"), places["80"])
    yield found
    found.close()


@pytest.fixture
def hand(need, request):
    """Give a phone; the page must have been without faults."""
    need(phone.NAME, phone.available(), phone.COMMAND)
    found = request.getfixturevalue("_phone")
    yield found
    found.leave()
    assert found.complaints() == []


@pytest.fixture
def board(hand, cloud, places, tmp_path):
    """Give a new board that listens, near the phone."""
    found = Board(tmp_path, cloud, places)
    yield found
    found.stop()
