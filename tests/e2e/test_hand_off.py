"""New applications over the air, from the upload to the version that is kept or given up
(ota-and-boot 4), in processes of their own.
"""

import pytest

from e2e.desk import store
from e2e.updates import GOOD, OTHER, image, start, tampered
from particle_tools.errors import UserError
from particle_tools.local import wait_for

LIMIT = 60
FASTER = 2  # the trial takes 5 s of the board's time
CRASHING = "import particle\nraise ValueError('on purpose')\n"
HUNGRY = "hoard = []\nwhile True:\n    hoard.append(bytearray(100000))\n"
HANGING = "import particle\nparticle.connect(60)\nparticle.process()\nwhile True:\n    pass\n"
LOST = """
import particle
nowhere = particle.Cloud(server="127.0.0.1", port=1)
nowhere.connect(0)
nowhere.run()
"""
SLEEPY = """
import machine, particle
particle.connect(60)
particle.publish("woke", "{version}", ack=True)
particle.disconnect()
machine.deepsleep(100)
"""
SICK = "import particle\ndef health():\n    return False\nparticle.connect(60)\nparticle.run()\n"


def ended(events):
    """Return how the next update ends for the cloud."""
    while True:
        data = events.wait("spark/flash/status", LIMIT)["data"]
        if data.strip() not in ("started", "queued"):
            return data.strip()


def runs(api, board, version):
    """Wait until the cloud can read from an application which one it is."""

    def found():
        try:
            return api.read(board.device_id, "version")
        except UserError:
            return None  # it is being reset, or describes itself just now

    assert wait_for(lambda: found() == version, LIMIT)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_applications_come_and_go(desk, api, events, transport):
    board = start(desk, transport)
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    api.flash(device, image(1, floor=1))
    assert ended(events) == "success"
    board.said("update: version 1 is kept")
    runs(api, board, 1)
    assert api.call(device, "square", "12") == 144
    # what must not be taken changes nothing
    for number, bad in enumerate(
        (
            tampered(2),
            image(2, key=OTHER),
            image(2, key=None),
            image(2, board="OTHER"),
            image(2, abi=5),
            image(2, client=0x7F000000),
            image(0),
        )
    ):
        api.flash(device, bad)
        assert ended(events) == "failed", number
    runs(api, board, 1)
    # what is right but not well is tried three times
    api.flash(device, image(2, CRASHING))
    board.said("ValueError: on purpose", LIMIT, 3)
    told = events.wait("spark/device/last_reset", LIMIT)["data"]
    while not told.startswith("update_rollback"):
        told = events.wait("spark/device/last_reset", LIMIT)["data"]
    assert told == "update_rollback, version 2: it was not well in three boots"
    # whether the cloud heard this first, or looked itself
    assert wait_for(lambda: last(api, device)["error"] == told, LIMIT), last(api, device)
    assert last(api, device)["state"] == "failed"
    runs(api, board, 1)
    api.flash(device, image(3))
    board.said("update: version 3 is kept")
    runs(api, board, 3)
    board.kill()
    # a power cut makes no difference
    board = desk.board(None, transport=None)
    runs(api, board, 3)


# a busy host has to say something before the watchdog, 8 s of the board's time, bites
@pytest.mark.parametrize(
    ("source", "scale"),
    [
        pytest.param(HUNGRY, 60, id="hungry", marks=pytest.mark.soak),
        pytest.param(HANGING, 8, id="hanging"),
        pytest.param(LOST, 60, id="lost", marks=pytest.mark.soak),
    ],
)
def test_bad_applications_are_given_up(desk, api, events, source, scale):
    board = start(desk, "udp", scale)
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    api.flash(device, image(2, source))
    told = events.wait("spark/device/last_reset", LIMIT)["data"]
    while not told.startswith("update_rollback"):
        told = events.wait("spark/device/last_reset", LIMIT)["data"]
    assert "not well in three boots" in told
    # what it was made with is there again, and what the cloud thought a success is none
    assert wait_for(lambda: api.device(device)["functions"] == ["echo"], LIMIT)
    assert wait_for(lambda: last(api, device)["error"] == told, LIMIT), last(api, device)
    assert last(api, device)["state"] == "failed"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_an_application_that_sleeps_most_of_the_time_is_kept(desk, api, events, transport):
    board = start(desk, transport, FASTER)
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    api.flash(device, image(2, SLEEPY))
    board.said("update: version 2 is kept")
    for _ in range(4):  # more than a trial has boots
        assert events.wait("woke", LIMIT)["data"] == "2"
    assert "rollback" not in board.output()


def last(api, device):
    """Return the last update of a device."""
    return api.get(f"/local/v1/devices/{device}/updates")[0]


def test_a_program_that_no_boot_stage_has_chosen_takes_no_update(desk, api, events):
    board = desk.board(GOOD.replace("{version}", "0"), transport="udp")
    runs(api, board, 0)
    api.flash(board.device_id, image(2, key=None))
    assert ended(events) == "failed"
    assert "-120" in last(api, board.device_id)["error"]
    runs(api, board, 0)


def test_a_board_without_an_application_takes_one_in_safe_mode(desk, api):
    board = start(desk, "udp", FASTER)
    device = board.device_id
    assert wait_for(lambda: api.device(device)["functions"], LIMIT)
    api.flash(device, image(1))
    board.said("update: version 1 is kept")
    board.kill()
    store(desk.folder / "board", "b/app.py", b"damaged")
    board = desk.board(None, transport=None, options=("--time-scale", str(FASTER)))
    board.said("boot: there is no application that can run")
    assert wait_for(lambda: api.device(device)["status"] == "safe_mode", LIMIT)
    api.flash(device, image(2))
    board.said("update: version 2 is kept")
    runs(api, board, 2)


@pytest.mark.soak
def test_an_application_that_is_not_well_has_its_time_three_times(desk, api, events):
    # slow enough for the watchdog, 400 ms of this host
    board = start(desk, "udp", scale=20)
    assert wait_for(lambda: api.device(board.device_id)["functions"], LIMIT)
    api.flash(board.device_id, image(2, SICK))
    board.said("update: not well after 600 s: reset", 180, 3)
    while not events.wait("spark/device/last_reset", LIMIT)["data"].startswith("update_rollback"):
        pass
    # it had been a success
    assert wait_for(lambda: last(api, board.device_id)["state"] == "failed", LIMIT)
