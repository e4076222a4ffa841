"""`particle-mp cloud` as a process: ready line, signals, kill -9, data folder, user errors."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest
from Crypto.PublicKey import RSA

from cloud.device import TestDevice
from cloud.running import OTHER, USER, Api, provision
from cloud.udp_device import UdpDevice

LOGIN = f"{USER[0]}:{USER[1]}"


class Process:
    """A cloud process; `ready` is its parsed ready line."""

    def __init__(self, data, *options):
        self.child = start(data, *options)
        line = self.child.stdout.readline().decode()
        assert line.startswith("ready "), line + self.child.stderr.read().decode()
        self.ready = json.loads(line[6:])
        self.api = Api(self.ready["http"])
        self.server_key = self.api("GET", "/local/v1/server-key?format=der")[1]
        self.server_spki = self.api("GET", "/local/v1/server-key?alg=ec&format=der")[1]

    def udp_device(self, key, device_id, **options):
        return UdpDevice(self.ready["udp_port"], self.server_spki, key, device_id, **options)

    def device(self, key, device_id, **hello):
        device = TestDevice(self.ready["tcp_port"], self.server_key, key, device_id)
        return device.connect(**hello)

    def end(self, number=signal.SIGTERM):
        self.child.send_signal(number)
        out, err = self.child.communicate(timeout=30)
        return self.child.returncode, out.decode(), err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.child.kill()
            self.child.communicate(timeout=10)


def start(data, *options):
    argv = [sys.executable, "-m", "particle_tools", "cloud", "--data", str(data)]
    argv += ["--tcp-port", "0", "--udp-port", "0", "--http-port", "0", *options]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def failure(data, *options):
    """Run a cloud that cannot start; return the one line it prints."""
    child = start(data, *options)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 1 and out == b"", (out, err)
    assert err.count(b"\n") == 1, err.decode()
    return err.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ready_line_and_graceful_end(tmp_path, number):
    with Process(tmp_path / "d", "--user", LOGIN, "--user", ":".join(OTHER)) as cloud:
        ready = cloud.ready
        assert cloud.api.login(OTHER).token
        assert ready["http"].startswith("http://127.0.0.1:") and ready["udp_port"] > 0
        assert ready["tcp_port"] > 0 and ready["user"] == USER[0]
        assert ready["data"] == str(tmp_path / "d")
        assert cloud.api("GET", "/local/v1/info")[1]["tcp_port"] == ready["tcp_port"]
        key = RSA.generate(1024)
        device = cloud.device(key, provision(cloud.api.login(), key))
        asked = cloud.device(key, provision(cloud.api, key), flags=0)  # never answers GET /d
        greeted = socket.create_connection(("127.0.0.1", ready["tcp_port"]))
        assert greeted.recv(40)  # in the middle of its handshake
        stream = socket.create_connection(("127.0.0.1", int(ready["http"].rpartition(":")[2])))
        header = f"Authorization: Bearer {cloud.api.token}"
        stream.sendall(f"GET /v1/devices/events HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        assert stream.recv(1000).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        code, out, err = cloud.end(number)
        assert (code, out, err) == (0, "", "")
        assert time.monotonic() - began < 20
        assert device.ended()
        device.close()
        asked.close()
        greeted.close()
        stream.close()


def test_end_while_connections_end(tmp_path):
    key = RSA.generate(1024)
    with Process(tmp_path / "d", "--user", LOGIN) as cloud:
        cloud.api.login()
        devices = [cloud.device(key, provision(cloud.api, key)) for _ in range(20)]
        for device in devices:
            device.close()
        assert cloud.end() == (0, "", "")


def test_kill_and_restart_keeps_everything_acknowledged(tmp_path):
    key = RSA.generate(1024)
    with Process(tmp_path / "d", "--user", LOGIN) as cloud:
        cloud.api.login()
        device_id = provision(cloud.api, key)
        with cloud.device(key, device_id) as device:
            device.describe(["f"], {"v": 2})
        ids = {device_id}
        # Killed in the middle of work: what was answered before must be there after.
        for _ in range(20):
            ids.add(provision(cloud.api, key))
        cloud.api("PUT", f"/v1/devices/{device_id}", {"name": "lamp"})
        server_key, token = cloud.server_key, cloud.api.token
        cloud.end(signal.SIGKILL)
    with Process(tmp_path / "d") as cloud:
        assert cloud.server_key == server_key
        assert cloud.ready["user"] == USER[0]
        cloud.api.token = token
        assert {d["id"] for d in cloud.api("GET", "/v1/devices")[1]} == ids
        body = cloud.api("GET", "/v1/devices/lamp")[1]
        assert body["id"] == device_id and body["functions"] == ["f"]
        assert body["last_handshake_at"]
        with cloud.device(key, device_id) as device:
            device.ping()
        cloud.api.login()


def test_kill_during_writes(tmp_path):
    key = RSA.generate(1024)
    for _ in range(2):
        acknowledged = []
        with Process(tmp_path / "d", "--user", LOGIN) as cloud:
            cloud.api.login()
            try:
                while len(acknowledged) < 1000:
                    acknowledged.append(provision(cloud.api, key))
                    if len(acknowledged) == 10:
                        os.kill(cloud.child.pid, signal.SIGKILL)
            except OSError:
                pass
            cloud.child.wait(10)
        with Process(tmp_path / "d") as cloud:
            known = {d["id"] for d in cloud.api.login()("GET", "/v1/devices")[1]}
            assert known >= set(acknowledged) and len(acknowledged) >= 10
            cloud.end()


def test_files_are_private(tmp_path):
    with Process(tmp_path / "d", "--user", LOGIN) as cloud:
        cloud.end()
    for name in ("server.rsa.pem", "server.ec.pem", "cloud.db", "lock"):
        assert stat.S_IMODE((tmp_path / "d" / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o700


def test_first_start_prints_how_to_log_in(tmp_path):
    with Process(tmp_path / "d") as cloud:
        user = cloud.ready["user"]
        code, _, err = cloud.end()
        assert code == 0 and user in err and "oauth/token" in err
        password = err.split("password ")[1].split()[0]
    with Process(tmp_path / "d") as cloud:
        cloud.api.login((user, password))
        assert cloud.end()[2] == ""


def test_user_option_sets_the_password(tmp_path):
    with Process(tmp_path / "d", "--user", LOGIN) as cloud:
        cloud.api.login()
    with Process(tmp_path / "d", "--user", f"{USER[0]}:other") as cloud:
        cloud.api.login((USER[0], "other"))


def test_data_folder_in_use(tmp_path):
    with Process(tmp_path / "d", "--user", LOGIN):
        assert "is in use by another cloud" in failure(tmp_path / "d")


def test_port_in_use(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = failure(tmp_path / "a", "--tcp-port", port)
        assert f"TCP port {port}" in line and "in use" in line
        line = failure(tmp_path / "b", "--http-port", port)
        assert f"HTTP port {port}" in line and "in use" in line
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        line = failure(tmp_path / "c", "--udp-port", port)
        assert f"UDP port {port}" in line and "in use" in line


def test_localhost_is_one_address(tmp_path):
    with Process(tmp_path / "d", "--user", LOGIN, "--host", "localhost") as cloud:
        assert cloud.ready["http"].startswith("http://127.0.0.1:")


def test_other_hosts_need_lan(tmp_path):
    for host in ("0.0.0.0", "192.0.2.7", "example.com"):
        assert "--lan" in failure(tmp_path / "d", "--host", host)
    assert not (tmp_path / "d").exists()


def test_unusable_data(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "cannot use the data folder" in failure(tmp_path / "file")
    bad = tmp_path / "key"
    bad.mkdir()
    (bad / "server.rsa.pem").write_text("not a key")
    assert "server.rsa.pem" in failure(bad)
    assert (bad / "server.rsa.pem").read_text() == "not a key"
    bad = tmp_path / "wrong"
    bad.mkdir()
    (bad / "server.rsa.pem").write_bytes(RSA.generate(1024).export_key("PEM"))
    assert "RSA-2048" in failure(bad)
    bad = tmp_path / "db"
    bad.mkdir()
    (bad / "cloud.db").write_bytes(b"garbage" * 1000)
    assert "cannot open the database" in failure(bad)


def test_newer_database_is_refused_and_kept(tmp_path):
    import sqlite3

    with Process(tmp_path / "d", "--user", LOGIN) as cloud:
        cloud.end()
    db = sqlite3.connect(tmp_path / "d" / "cloud.db")
    db.execute("PRAGMA user_version = 9999")
    db.close()
    assert "newer version" in failure(tmp_path / "d")


@pytest.mark.parametrize(
    "options",
    [
        ["--tcp-port", "x"],
        ["--http-port", "65536"],
        ["--udp-port", "-1"],
        ["--user", "nocolon"],
        ["--time-scale", "0"],
    ],
)
def test_bad_options(tmp_path, options):
    child = start(tmp_path / "d", *options)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 1 and options[0].encode() in err


def test_time_scale(tmp_path):
    key = RSA.generate(1024)
    with Process(tmp_path / "d", "--user", LOGIN, "--time-scale", "10") as cloud:
        device_id = provision(cloud.api.login(), key)
        began = time.monotonic()
        with cloud.device(key, device_id) as device:
            assert device.ended()  # 31 s of silence at 10 times the speed
            assert 2.5 < time.monotonic() - began < 20
        last = cloud.api("GET", "/local/v1/sessions")[1][0]["last_end"]
        assert last["reason"] == "no byte from the device for 31 s"


def test_lan_option(tmp_path):
    with Process(tmp_path / "d", "--user", LOGIN, "--lan") as cloud:
        assert cloud.ready["http"].startswith("http://127.0.0.1:")
        host = cloud.ready["host"]
        _, _, err = cloud.end()
        assert f"Devices dial {host} port {cloud.ready['udp_port']} (UDP)" in err
