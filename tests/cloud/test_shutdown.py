"""How a cloud ends: in order and in time, at once when it is told twice, with nothing lost."""

from __future__ import annotations

import http.client
import json
import signal
import sqlite3
from operator import attrgetter

import pytest

from cloud.running import USER, Running, provision_ec
from cloud.test_process import LOGIN, Process
from particle_tools.cloud.settings import Settings
from particle_tools.local import wait_for


def test_streams_end_in_order_and_counts_are_stored(tmp_path, ec_key):
    with Process(tmp_path / "d", "--user", LOGIN) as process:
        api = process.api.login()
        address = process.ready["http"][7:].split(":")
        stream = http.client.HTTPConnection(*address, timeout=30)
        header = {"Authorization": f"Bearer {api.token}"}
        stream.request("GET", "/v1/devices/events", headers=header)
        response = stream.getresponse()
        device_id = provision_ec(api, ec_key)
        with process.udp_device(ec_key, device_id) as device:
            device.connect()
            device.publish("tick", b"last words")
            code, out, err = process.end()
        assert (code, out, err) == (0, "", "")
        # the whole body, with its last chunk: http.client raises IncompleteRead otherwise
        assert b"last words" in response.read()
        stream.close()
    with Process(tmp_path / "d") as process:
        account = process.api.login()("GET", "/local/v1/usage")[1]["account"]
        assert account["operations"] == 1


@pytest.mark.parametrize("what", ["plans.tick", "updates.unreturned", "doors.udp.store.expire"])
def test_what_goes_on_for_ever_goes_on_after_a_failure(tmp_path, monkeypatch, caplog, what):
    running = Running(Settings(data=tmp_path / "d", user=USER), held=True)
    try:
        owner, _, name = what.rpartition(".")
        tried = []

        def fails(*_):
            tried.append(what)
            raise TypeError("a defect")

        with monkeypatch.context() as patch:
            patch.setattr(attrgetter(owner)(running.services), name, fails)
            for _ in range(3):
                running.pass_time(3700, 3700)
            assert len(tried) > 1 and "a defect" in caplog.text
    finally:
        running.stop()


def lock(folder):
    """Keep the database from being written, as another program may."""
    db = sqlite3.connect(folder / "cloud.db", isolation_level=None, timeout=30)
    db.execute("BEGIN IMMEDIATE")
    return db


def test_the_second_signal_ends_at_once(tmp_path, ec_key):
    with Process(tmp_path / "d", "--user", LOGIN) as process:
        device_id = provision_ec(process.api.login(), ec_key)
        with process.udp_device(ec_key, device_id) as device:
            device.connect()
            db = lock(tmp_path / "d")  # by itself it would wait for this, for seconds

            def ended():
                process.child.send_signal(signal.SIGTERM)
                return process.child.poll() is not None

            assert wait_for(ended, 30)
            db.close()
        assert process.child.returncode == 128 + signal.SIGTERM


def test_a_locked_database_does_not_keep_it_from_ending(tmp_path, ec_key):
    config = tmp_path / "cloud.toml"
    config.write_text("[limits]\nstop_s = 0.5\n")
    options = ("--user", LOGIN, "--config", str(config), "--log-format", "json")
    with Process(tmp_path / "d", *options) as process:
        device_id = provision_ec(process.api.login(), ec_key)
        with process.udp_device(ec_key, device_id) as device:
            device.connect()
            db = lock(tmp_path / "d")
            code, _, err = process.end()
            db.close()
    assert code == 0
    messages = [json.loads(line)["message"] for line in err.splitlines()]
    assert "not everything has ended within 0.5 s" in messages
    assert any(m.startswith("what is being written is lost") for m in messages), messages
    with Process(tmp_path / "d") as process:
        assert process.api.login()("GET", f"/v1/devices/{device_id}")[0] == 200
