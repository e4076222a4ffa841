"""Safe mode end to end: asked for over REST or by the application, left by any reset."""

import pytest

from particle_tools.local import wait_for

# The application says when it runs, and asks for safe mode when it is told to.
PROGRAM = """
import machine
import time
import particle

def off():
    print("about to reset")
    while True:
        time.sleep(1)

def safe(text):
    if text == "stay":
        machine.reset = off
    particle.system.enter_safe_mode()
    return 7

print("application", particle.system.reset_reason)
particle.function("safe", safe)
particle.variable("one", 1)
particle.connect()
particle.publish("app/up", str(particle.system.reset_reason), ack=True)
particle.run()
"""

LIMIT = 40


def order(api, board, what):
    """Ask the cloud to have the board do something with its power."""
    return api.post(f"/local/v1/devices/{board.device_id}/reset", order=what)


def until(events, last):
    """Return (name, data) of the board's events up to one called `last`, without on and off."""
    found = []
    while True:
        name, event = events.next(LIMIT)
        if name != "spark/status":
            found.append((name, event["data"]))
        if name == last:
            return found


def in_safe_mode(api, events, board):
    """Check what a board in safe mode says, and what the cloud says of it."""
    names = [name for name, _ in until(events, "spark/device/last_reset")]
    assert "app/up" not in names and "spark/status/safe-mode" in names
    device = api.device(board.device_id)
    assert device["status"] == "safe_mode" and device["connected"]
    assert wait_for(lambda: api.device(board.device_id)["functions"] == [], LIMIT)
    assert api.device(board.device_id)["variables"] == {}


def in_application(api, events, board):
    """Check that the application runs, and that the cloud knows."""
    assert until(events, "app/up")[-1][0] == "app/up"
    assert wait_for(lambda: api.device(board.device_id)["functions"] == ["safe"], LIMIT)
    assert api.device(board.device_id)["status"] == "normal"
    assert api.read(board.device_id, "one") == 1


@pytest.fixture(params=["tcp", "udp"])
def board(request, desk, api, events):
    """Give a function that switches the board on, for the first time or again."""

    def on():
        made = (desk.folder / "board" / "flash.img").exists()
        return desk.board(PROGRAM, transport=None if made else request.param)

    return on


def test_asked_for_by_the_cloud_and_left_by_a_reset(board, api, events):
    one = board()
    in_application(api, events, one)
    assert order(api, one, "safe mode")["ok"]
    found = until(events, "spark/device/last_reset")
    assert found[-1] == ("spark/device/last_reset", "safe_mode")
    assert ("spark/device/safemode", None) in found
    assert [name for name, _ in found].count("spark/status/safe-mode") == 1
    assert api.device(one.device_id)["status"] == "safe_mode"
    # asked again, it begins again
    order(api, one, "safe mode")
    in_safe_mode(api, events, one)
    order(api, one, "reboot")
    in_application(api, events, one)
    lines = one.lines()
    starts = [line for line in lines if line.startswith(("application", "safe mode:"))]
    safe = "safe mode: the application is not run; a reset ends it"
    assert starts == ["application 40", safe, safe, "application 20"]


def test_power_cuts_between_request_and_reset_and_in_safe_mode(board, api, events):
    one = board()
    in_application(api, events, one)
    assert api.call(one.device_id, "safe", "stay") == 7
    one.said("about to reset")
    one.kill()
    two = board()
    in_safe_mode(api, events, two)
    two.kill()
    three = board()
    in_application(api, events, three)
    # as soon as it has begun
    assert api.call(three.device_id, "safe", "stay") == 7
    three.said("about to reset", count=2)
    three.kill()
    four = board()
    four.said("safe mode:", count=2)
    four.kill()
    in_application(api, events, board())


def test_nobody_is_asked_who_is_not_there(desk, api, events):
    one = desk.board(PROGRAM)
    in_application(api, events, one)
    for what in ("", "explode"):
        status, body = api._call(
            "POST", f"/local/v1/devices/{one.device_id}/reset", values={"order": what}
        )
        assert status == 400 and b"safe mode" in body
    one.kill()
    api.post(f"/local/v1/devices/{one.device_id}/offline")
    status, _ = api._call(
        "POST", f"/local/v1/devices/{one.device_id}/reset", values={"order": "reboot"}
    )
    assert status == 408
