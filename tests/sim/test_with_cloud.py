"""The default application against the real local cloud, each in processes of their own."""

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
        assert 0 <= api.read(board.device_id, "uptime") < 60
        assert api.call(board.device_id, "echo", "grüße") == 5
        assert wait_for(lambda: "echo grüße" in board.output(), 30)
    finally:
        events.close()


def test_power_cut_and_next_boot(cloud, board, tmp_path):
    api = cloud.api()
    assert _online(api, board)
    events = api.events()
    try:
        board.kill()
        again = SimulatedBoard(tmp_path / "board", cloud)
        try:
            assert again.device_id == board.device_id
            alive = events.wait("sim/alive", 40)
            assert alive["coreid"] == board.device_id
            assert alive["data"] == "0"
            assert _online(api, again)
        finally:
            again.stop()
    finally:
        events.close()


def test_event_every_minute(cloud, tmp_path):
    # an hour of board time in a minute is too fast for the cloud's answers; 30 times is not
    api = cloud.api()
    events = api.events()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "particle_tools", "sim", "--data", str(tmp_path / "board")),
            *("--cloud", cloud.url, "--user", cloud.user, "--time-scale", "30"),
        ],
        stdout=subprocess.DEVNULL,
    )
    try:
        beats = [int(events.wait("sim/alive", 40)["data"]) for _ in range(3)]
        assert all(59 <= b - a <= 90 for a, b in zip(beats, beats[1:], strict=False)), beats
    finally:
        process.terminate()
        process.wait(10)
        events.close()


def test_name_of_the_cloud_comes_from_the_simulated_dns(cloud, tmp_path):
    folder = tmp_path / "board"
    folder.mkdir()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(30)
        dns = f"127.0.0.1:{server.getsockname()[1]}"
        (folder / "radio.json").write_text(json.dumps({"dns": dns}))
        address = f"cloud.example:{cloud.ready['tcp_port']}"
        board = SimulatedBoard(folder, cloud, server=address)
        try:
            query, asker = server.recvfrom(512)
            assert query[12:] == b"\x05cloud\x07example\0\0\1\0\1"
            # one answer of type A, 60 s: 127.0.0.1
            head = query[:2] + bytes.fromhex("81800001000100000000")
            record = bytes.fromhex("c00c000100010000003c00047f000001")
            server.sendto(head + query[12:] + record, asker)
            assert _online(cloud.api(), board)
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
