"""The default application against the real local cloud, each in processes of their own."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from particle_tools.local import LocalCloud, SimulatedBoard, wait_for

_LISTEN = "0A"


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
        device = wait_for(lambda: (d := api.device(board.device_id))["functions"] and d, 20)
        assert device["functions"] == ["echo"]
        assert device["variables"] == {"temp": "double", "uptime": "int32"}
        assert device["platform_id"] == 3
        assert api.read(board.device_id, "temp") == 21.5
        assert 0 <= api.read(board.device_id, "uptime") < 60
        assert api.call(board.device_id, "echo", "grüße") == 5
        assert wait_for(lambda: "echo grüße" in board.output(), 10)
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


def _family(pid):
    # the process and its descendants
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").iterdir():
            found += [int(p) for p in (task / "children").read_text().split()]
    return found


def _sockets(pids):
    # (protocol, local address, state) of every internet socket of these processes
    inodes = set()
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(fd)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for protocol in ("tcp", "tcp6", "udp", "udp6", "raw", "raw6"):
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes:
                found.append((protocol, words[1], words[3]))
    return found


def test_nothing_listens(cloud, board):
    assert _online(cloud.api(), board)
    pids = _family(board.process.pid)
    assert len(pids) == 2
    for _ in range(10):
        sockets = _sockets(pids)
        assert not [s for s in sockets if s[2] == _LISTEN or s[0].startswith(("udp", "raw"))]
        time.sleep(0.05)
    # the check sees something: one connection, to the cloud
    assert [s[0] for s in sockets] == ["tcp"]


def test_install_the_library_from_the_cloud(cloud, bench):
    board = bench.board()
    sim = bench.start(board, None, "--pty")
    path = sim.wait_for("serial ").split()[1]
    mpremote = [sys.executable, "-m", "mpremote", "connect", path]
    url = cloud.url + "/mip/package.json"
    install = subprocess.run(
        [*mpremote, "mip", "install", url],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert install.returncode == 0, install.stdout + install.stderr
    program = "import particle; print(particle.__file__, particle.version)"
    out = subprocess.run(
        [*mpremote, "exec", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert out.stdout.startswith("/flash/lib/particle/__init__.mpy "), out.stdout + out.stderr
