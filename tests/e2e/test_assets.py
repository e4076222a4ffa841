"""Assets over the air: sent behind the application that needs them, and only what is missing."""

import pytest

from e2e.test_hand_off import LIMIT, ended, runs
from e2e.updates import GOOD, bundle, start
from particle_tools.images import bundles, files
from particle_tools.local import LocalCloud, wait_for

FASTER = "4"  # for both: the trial takes 5 s, and the cloud comes back 10 s after an update
CAT, DOG = b"cat\n" * 700, b"dog\n" * 3000
SOURCE = (
    """
import particle
def size(name):
    try:
        with open("/flash/pt/assets/" + name) as f:
            return len(f.read())
    except OSError:
        return -1
particle.function("size", size)
"""
    + GOOD
)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud whose time runs as fast as that of the boards."""
    options = ("--time-scale", FASTER)
    found = LocalCloud(tmp_path_factory.mktemp("cloud"), options=options)
    yield found
    found.stop()
    assert "Traceback" not in found.output(), found.output()


def image(version, **assets):
    """Return the file to flash: an application and the assets it needs."""
    contents = {name.replace("_", "."): data for name, data in assets.items()}
    made = bundle(version, SOURCE, assets=bundles.assets(contents))
    return files.pack(made, contents)


def first(desk, api, events, transport):
    """Return a board that runs an application with its assets."""
    board = start(desk, transport, FASTER)
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    api.flash(device, image(1, cat_txt=CAT, dog_txt=DOG))
    assert ended(events) == "success"
    runs(api, board, 1)
    assert api.call(device, "size", "cat.txt") == len(CAT)
    assert api.call(device, "size", "dog.txt") == len(DOG)
    return board


def test_assets_follow_their_application(desk, api, events):
    board = first(desk, api, events, "udp")
    assert not [line for line in board.lines() if "Traceback" in line]


@pytest.mark.soak
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_only_what_is_missing_is_sent(desk, api, events, transport):
    board = first(desk, api, events, transport)
    other = b"another cat"
    api.flash(board.device_id, image(2, cat_txt=other, dog_txt=DOG))
    assert ended(events) == "success"
    runs(api, board, 2)
    assert api.call(board.device_id, "size", "cat.txt") == len(other)
    assert api.call(board.device_id, "size", "dog.txt") == len(DOG)
    kept = [line for line in board.lines() if "/assets/" in line]
    assert [line.rpartition("/")[2] for line in kept] == ["cat.txt", "dog.txt", "cat.txt"]
