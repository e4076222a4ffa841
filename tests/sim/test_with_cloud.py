"""The default application against the real local cloud, each in processes of their own."""

import contextlib
import json
import socket
import subprocess
import sys
import time

import pytest

from particle_tools.local import LocalCloud, SimulatedBoard, wait_for
from process_sockets import family, sockets


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    """Give a running cloud."""
    found = LocalCloud(tmp_path_factory.mktemp("cloud"))
    yield found
    found.stop()


@pytest.fixture
def board(cloud, tmp_path):
    """Give a board that runs the default application."""
    found = SimulatedBoard(tmp_path / "board", cloud)
    yield found
    found.stop()


def _online(api, board, value=True):
    return wait_for(lambda: api.device(board.device_id)["online"] is value, 40)


def test_default_application(cloud, board):
    api = cloud.api()
    events = api.events()
    try:
        assert _online(api, board)
        device = wait_for(lambda: (d := api.device(board.device_id))["functions"] and d, 30)
        assert device["functions"] == ["echo"]
        assert device["variables"] == {"temp": "double", "uptime": "int32"}
        assert device["platform_id"] == 3
        assert api.read(board.device_id, "temp") == 21.5
        assert api.read(board.device_id, "uptime") >= 0
        assert api.call(board.device_id, "echo", "grüße") == 5
        assert wait_for(lambda: "echo grüße" in board.output(), 30)
    finally:
        events.close()


def test_power_cut_and_next_boot(cloud, tmp_path):
    api = cloud.api()
    events = api.events()
    try:
        known = set()
        for _ in range(2):
            board = SimulatedBoard(tmp_path / "board", cloud)
            try:
                known.add(board.device_id)
                assert events.wait("sim/alive", 60)["coreid"] == board.device_id
                assert _online(api, board)
                board.kill()
            finally:
                board.stop()
        assert len(known) == 1
    finally:
        events.close()


def test_event_every_minute(cloud, tmp_path):
    # a busy host is slower than a board that is so much faster: it says nothing too early
    api = cloud.api()
    events = api.events()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "particle_tools", "sim", "--data", str(tmp_path / "board")),
            *("--cloud", cloud.url, "--user", cloud.user, "--time-scale", "15"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        beats = [int(events.wait("sim/alive", 90)["data"]) for _ in range(3)]
        assert all(b - a >= 59 for a, b in zip(beats, beats[1:], strict=False)), beats
    finally:
        process.terminate()
        process.wait(60)
        events.close()


def test_name_of_the_cloud_comes_from_the_simulated_dns(cloud, tmp_path):
    folder = tmp_path / "board"
    folder.mkdir()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.2)
        dns = f"127.0.0.1:{server.getsockname()[1]}"
        (folder / "radio.json").write_text(json.dumps({"dns": dns}))
        address = f"cloud.example:{cloud.ready['tcp_port']}"
        board = SimulatedBoard(folder, cloud, server=address)
        try:
            api = cloud.api()

            def online():
                with contextlib.suppress(TimeoutError):
                    # who waits too long for the answer asks again
                    query, asker = server.recvfrom(512)
                    assert query[12:] == b"\x05cloud\x07example\0\0\1\0\1"
                    # one answer of type A, 60 s: 127.0.0.1
                    head = query[:2] + bytes.fromhex("81800001000100000000")
                    record = bytes.fromhex("c00c000100010000003c00047f000001")
                    server.sendto(head + query[12:] + record, asker)
                return api.device(board.device_id)["online"]

            assert wait_for(online, 60)
        finally:
            board.stop()


def test_nothing_listens(cloud, board):
    assert _online(cloud.api(), board)
    pids = family(board.process.pid)
    assert len(pids) == 2
    for _ in range(10):
        found = sockets(pids)
        assert not [s for s in found if s.listens or s.protocol.startswith(("udp", "raw"))]
        time.sleep(0.05)
    # the check sees something: one connection, to the cloud
    assert [s.protocol for s in found] == ["tcp"]
