"""The steps of the demo. Each does one thing and proves it from the cloud's side."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from particle_tools.demo.stage import APPLICATION, Stage, Told, check
from particle_tools.demo.updates import bad_update, update
from particle_tools.errors import UserError
from particle_tools.local import LocalCloud, SimulatedBoard, wait_for

_VARIABLES = {
    "door": "string",
    "greeting": "string",
    "moves": "int32",
    "boots": "int32",
    "temp": "double",
    "locked": "bool",
}


def local_cloud(stage: Stage) -> Told:
    """A local cloud serves devices and the REST API."""
    stage.cloud = LocalCloud(stage.folder)
    stage.running.append(stage.cloud)
    stage.api = stage.cloud.api()
    ready = stage.cloud.ready
    stage.events = stage.api.events()
    return Told(
        f"serves {ready['http']} and devices on UDP port {ready['udp_port']}"
        f" and TCP port {ready['tcp_port']}",
        {"http": ready["http"], "tcp_port": ready["tcp_port"], "udp_port": ready["udp_port"]},
    )


def packages(stage: Stage) -> Told:
    """The cloud offers the library for `mpremote mip install`."""
    base = stage.cloud.url + "/mip/core-udp/"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(base + "package.json", timeout=60) as answer:
        urls = json.load(answer)["urls"]
    total = 0
    for _, url in urls:
        with opener.open(base + url, timeout=15) as answer:
            total += len(answer.read())
    check(total > 0, "the package is empty")
    return Told(
        f"offers the library to mip: {len(urls)} .mpy files, {total} bytes",
        {"files": len(urls), "mpy_core_udp": total},
    )


def provisioning(stage: Stage) -> Told:
    """A new board gets keys, is registered and claimed, and comes online."""
    stage.boot()
    device = wait_for(lambda: described(stage), 30)
    check(device, "the board did not come online")
    check(device["variables"] == _VARIABLES, f"variables: {device['variables']}")
    check(device["functions"] == ["door"], f"functions: {device['functions']}")
    stage.events.wait("demo/tick")
    usage = stage.api.usage(stage.board.device_id)
    check(usage["handshakes"] == 1, f"handshakes: {usage['handshakes']}")
    cost = usage["network_estimate"]
    return Told(
        f"new board {device['id']}: keys made, registered, claimed, online by a handshake over"
        f" UDP ({cost} bytes on the network, first event included)",
        {"device_id": device["id"], "connect_network_bytes": cost, "handshakes": 1},
    )


def publish(stage: Stage) -> Told:
    """One event of the board arrives, and the cloud counts what it cost."""
    for _ in range(10):
        stage.events.wait("demo/tick")
        before = stage.api.usage(stage.board.device_id)
        event = stage.events.wait("demo/tick")
        after = stage.api.usage(stage.board.device_id)
        change = {key: after[key] - before[key] for key in before if isinstance(before[key], int)}
        if change["messages_up"] == change["messages_down"] == 1 == change["events_up"]:
            break
    else:
        raise UserError("no undisturbed publish to measure")
    check(event["coreid"] == stage.board.device_id, "the event came from another device")
    check(len(event["data"]) == 1, f"data {event['data']!r}")
    return Told(
        f"one acknowledged publish (9-character name, 1 byte of data):"
        f" {change['network_estimate']} bytes on the network",
        {
            "publish_network_bytes": change["network_estimate"],
            "publish_datagrams": change["datagrams_up"] + change["datagrams_down"],
        },
    )


def function(stage: Stage) -> Told:
    """A function is called, does its work and answers."""
    begin = time.monotonic()
    result = stage.api.call(stage.board.device_id, "door", "open")
    milliseconds = round((time.monotonic() - begin) * 1000)
    check(result == 1, f"result {result}")
    check(stage.api.read(stage.board.device_id, "door") == "open", "the door did not open")
    return Told(
        f'function door("open") returned {result} after {milliseconds} ms',
        {"function_ms": milliseconds},
    )


def variables(stage: Stage) -> Told:
    """Variables of all four types are read."""
    values = {name: stage.api.read(stage.board.device_id, name) for name in _VARIABLES}
    wanted = {"door": "open", "moves": 1, "boots": 1, "temp": 21.5, "locked": True}
    check({key: values[key] for key in wanted} == wanted, f"values {values}")
    return Told(f"variables of all four types: {json.dumps(wanted)}", {"variables": wanted})


def subscription(stage: Stage) -> Told:
    """An event published over REST reaches the board's handler."""
    begin = time.monotonic()
    stage.api.publish("greeting", "hello board")

    def arrived() -> bool:
        return stage.api.read(stage.board.device_id, "greeting") == "hello board"

    check(wait_for(arrived, 10), "the greeting did not arrive")
    milliseconds = round((time.monotonic() - begin) * 1000)
    return Told(
        f"an event from the cloud reached the board's handler within {milliseconds} ms",
        {"subscription_ms": milliseconds},
    )


def power_cut(stage: Stage) -> Told:
    """The power fails; the board comes back by itself and goes on with its session."""
    stage.board.kill()
    before = stage.api.usage(stage.board.device_id)
    begin = time.monotonic()
    stage.boot()

    def resumed() -> dict[str, Any] | None:
        usage = stage.api.usage(stage.board.device_id)
        return usage if usage["resumes"] == 1 else None

    after = wait_for(resumed, 30)
    check(after, "the board did not come back")
    check(after["handshakes"] == 1, f"handshakes: {after['handshakes']}")
    check(wait_for(lambda: described(stage), 15), "the board is not online")
    boots = stage.api.read(stage.board.device_id, "boots")
    check(boots == 2, f"boots {boots}")
    seconds = round(time.monotonic() - begin, 1)
    cost = after["network_estimate"] - before["network_estimate"]
    return Told(
        f"power cut, second boot: the session went on without a handshake, with an event in its"
        f" first record: {cost} bytes on the network; answering after {seconds} s",
        {"boots": boots, "back_s": seconds, "resume_publish_network_bytes": cost},
    )


def photon(stage: Stage) -> Told:
    """A second board, of the kind that speaks AES over TCP, shares the same account."""
    board = SimulatedBoard(stage.folder / "photon", stage.cloud, script=APPLICATION)
    stage.running.append(board)

    def heard() -> bool:
        return stage.events.wait("demo/tick")["coreid"] == board.device_id

    check(wait_for(heard, 30), "no event of the second board")
    usage = stage.api.usage(board.device_id)
    return Told(
        f"a board over TCP: handshake, description and first event in"
        f" {usage['segment_up'] + usage['segment_down']} bytes of stream",
        {"tcp_stream_bytes": usage["segment_up"] + usage["segment_down"]},
    )


STEPS: list[Callable[[Stage], Told]] = [
    local_cloud,
    packages,
    provisioning,
    publish,
    function,
    variables,
    subscription,
    power_cut,
    photon,
    update,
    bad_update,
]


def described(stage: Stage) -> dict[str, Any] | None:
    """Return the device when the cloud has it online and knows its functions."""
    check(stage.board.alive(), "the board stopped")
    device = stage.api.device(stage.board.device_id)
    return device if device["online"] and device["functions"] else None
