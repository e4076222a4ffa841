"""Plans: warnings at 70, 90 and 100 %, grace, pause, the end of a month (rest-api 15.1)."""

from __future__ import annotations

import json
import signal
import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloud.device import ACK
from cloud.running import OTHER, Api, Restarted, provision, provision_ec
from cloud.test_process import LOGIN, Process
from particle_tools.cloud.plans import allowance
from particle_tools.cloud.settings import Plan
from particle_tools.cloud.usage import month
from particle_tools.local import wait_for

_MAX_AGE = 14
_UNAVAILABLE = 0xA3
_NOON = 1_768_478_400.0  # 2026-01-15T12:00:00Z
_MONTH_ENDS = 1_769_904_000.0  # 2026-02-01T00:00:00Z
_BORON = 13


class Place:
    """A cloud with a plan, whose time the test lets pass, in the middle of January."""

    def __init__(self, folder, **plan):
        self.folder = folder
        self.restarted = Restarted(folder, held=True, plan=Plan(**plan))
        self._begin()

    def _begin(self):
        self.cloud = self.restarted.cloud
        self.api = Api(self.cloud.url, self.restarted.api.token)
        self.owner = self.cloud.call(self.cloud.services.accounts.first).id
        self.told = []
        self.set_time(_NOON)
        self.cloud.call(self.cloud.services.bus.listen, self.owner, self._hear)

    def _hear(self, event):
        if event.name.startswith("particle/plan/"):
            assert event.core_id == "particle-internal"
            self.told.append((event.name.rpartition("/")[2], json.loads(event.data)))

    def set_time(self, unix):
        def jump():
            clock = self.cloud.services.clock
            clock._epoch += unix - clock.time()

        self.cloud.call(jump)

    def restart(self, **plan):
        self.restarted.start(plan=Plan(**plan))
        self._begin()

    def plan(self):
        return self.api("GET", "/local/v1/plan")[1]

    def what(self):
        """Return (what, percent) of all that was told, and forget it."""
        found = [(what, body.get("percent")) for what, body in self.told]
        self.told.clear()
        return found


@pytest.fixture
def place(tmp_path):
    made = []

    def make(**plan):
        made.append(Place(tmp_path / "d", **plan))
        return made[-1]

    yield make
    for one in made:
        one.restarted.cloud.stop()


@pytest.fixture
def device(place, ec_key):
    """A device on a free plan of ten operations with a minute of grace."""
    here = place(name="free", operations=10, grace_days=60 / 86400)
    device_id = provision_ec(here.api, ec_key)
    with here.cloud.udp_device(ec_key, device_id) as found:
        found.connect()
        found.describe(["f"], {"v": 2})
        found.subscribe("order")
        yield here, found


def test_warnings_grace_and_pause(device):
    here, device = device
    for n in range(1, 11):
        assert device.publish("tick").code == 0
        expected = {7: [("warning", 70)], 9: [("warning", 90)], 10: [("warning", 100)]}
        if n == 10:
            assert here.told[0][1]["pauses_at"] == "2026-01-15T12:01:00.000Z"
        assert here.what() == expected.get(n, [])
    for _ in range(2):
        assert device.publish("tick").code == 0  # the grace period
    plan = here.plan()
    assert plan["resources"]["operations"] == {"used": 12, "limit": 10, "percent": 120}
    assert (plan["paused"], plan["resumes_at"]) == (False, None)
    assert plan["pauses_at"] == "2026-01-15T12:01:00.000Z"
    here.cloud.pass_time(61)
    assert here.what() == [("paused", None)]
    plan = here.plan()
    assert plan["paused"] is True and plan["resumes_at"] == "2026-02-01T00:00:00.000Z"

    answer = device.publish("tick")
    assert answer.code == _UNAVAILABLE
    wait = int.from_bytes(answer.all(_MAX_AGE)[0], "big")
    assert 0 <= wait - (_MONTH_ENDS - _NOON - 61) < 2
    for status, body in (
        here.api("POST", f"/v1/devices/{device.id}/f", {"arg": "x"}),
        here.api("GET", f"/v1/devices/{device.id}/v"),
    ):
        assert status == 403 and body["error"] == "plan_limit_reached"
        assert "next month" in body["error_description"]
    assert here.api("POST", "/v1/devices/events", {"name": "order", "data": "x"})[0] == 200
    device.ping()  # and no event came before its answer
    assert device.publish("spark/mine").code == 0  # costs nothing
    assert here.api("GET", "/v1/devices")[1][0]["online"] is True
    with here.cloud.udp_device(device.client.key, device.id) as again:
        again.connect()  # devices stay registered
        again.ping()
        assert here.plan()["resources"]["operations"]["used"] == 12

        here.set_time(_MONTH_ENDS)
        here.cloud.pass_time(2)
        assert here.what() == [("resumed", None)]
        assert again.publish("tick").code == 0
    plan = here.plan()
    assert plan["period"] == "2026-02" and plan["paused"] is False
    assert plan["resources"]["operations"]["used"] == 1
    january = here.api("GET", "/local/v1/usage?period=2026-01")[1]
    assert january["account"]["operations"] == 12
    assert january["devices"][device.id]["events_up"] == 13
    assert here.api("GET", "/local/v1/usage?period=2026-13")[0] == 400


def test_a_reset_ends_the_pause(device):
    here, device = device
    for _ in range(10):
        device.publish("tick")
    here.cloud.pass_time(61)
    here.what()
    assert here.api("POST", "/local/v1/usage/reset")[0] == 200
    assert here.what() == [("resumed", None)]
    assert device.publish("tick").code == 0
    for _ in range(6):
        device.publish("tick")
    assert here.what() == [("warning", 70)]


def test_calls_and_deliveries_use_the_plan_up(device):
    here, device = device
    with ThreadPoolExecutor(1) as pool:
        for _ in range(7):
            call = pool.submit(here.api, "POST", f"/v1/devices/{device.id}/f", {"arg": "x"})
            message = device.recv()
            device.answer(message, 0x44, b"\0\0\0\0")
            assert call.result()[0] == 200
    assert here.what() == [("warning", 70)]
    for _ in range(2):
        here.api("POST", "/v1/devices/events", {"name": "order", "data": "x"})
        device.acknowledge(device.recv())
    assert here.what() == [("warning", 90)]


def test_pause_and_warnings_outlive_a_restart(place, ec_key):
    plan = {"name": "free", "operations": 2, "grace_days": 0.0}
    here = place(**plan)
    device_id = provision_ec(here.api, ec_key)
    with here.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        assert [device.publish("tick").code for _ in range(3)] == [0, 0, _UNAVAILABLE]
    here.cloud.pass_time(1)
    assert here.what() == [("warning", 70), ("warning", 90), ("warning", 100), ("paused", None)]
    here.restart(**plan)
    assert here.plan()["paused"] is True
    here.cloud.pass_time(2)
    assert here.what() == []
    here.restart(name="growth", operations=2)
    here.cloud.pass_time(2)
    assert here.what() == [("resumed", None)]
    with here.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        assert device.publish("tick").code == 0
    assert here.plan()["pauses_at"] is None


def test_bytes_of_boards_with_a_modem_are_pooled(place, ec_key):
    here = place(name="free", cellular_bytes=2500)
    ids = [provision_ec(here.api, ec_key) for _ in range(2)]
    for device_id, platform in zip(ids, (_BORON, 3), strict=True):
        with here.cloud.udp_device(ec_key, device_id) as device:
            device.connect(platform=platform)
            device.publish("tick", b"x" * 500)
    here.cloud.pass_time(2)
    used = here.api("GET", f"/local/v1/usage/{ids[0]}")[1]["network_estimate"]
    assert here.plan()["resources"]["cellular_bytes"]["used"] == used
    percent = used * 100 // 2500
    assert here.what() == [("warning", level) for level in (70, 90, 100) if level <= percent] != []


def test_a_deleted_account_leaves_nothing_to_the_next(place, ec_key):
    here = place(name="free", operations=3, grace_days=0.0)
    for _ in range(2):
        owner = here.cloud.run(here.cloud.services.accounts.create(*OTHER)).id
        api = Api(here.cloud.url).login(OTHER)
        device_id = provision_ec(api, ec_key)
        assert api("GET", "/local/v1/plan")[1]["resources"]["operations"]["used"] == 0
        with here.cloud.udp_device(ec_key, device_id) as device:
            device.connect()
            assert [device.publish("tick").code for _ in range(4)] == [0, 0, 0, _UNAVAILABLE]
        here.cloud.pass_time(2)
        assert api("DELETE", "/v1/user", {"password": OTHER[1]})[0] == 200
        here.cloud.pass_time(2)
    assert owner == 2  # the number of the first, used again


def test_off_limits_nothing(place, keys):
    here = place()
    device_id = provision(here.api, keys[0])
    with here.cloud.device(keys[0], device_id).connect() as device:
        for _ in range(3):
            device.publish("tick")
        device.ping()
    plan = here.plan()
    assert plan["plan"] == "off" and plan["paused"] is False
    assert plan["resources"]["operations"] == {"used": 3, "limit": None, "percent": None}


@pytest.mark.parametrize(
    ("plan", "allowed"),
    [
        (Plan("free"), (100, 100_000, 45_000_000)),
        (Plan("growth"), (100, 720_000, 540_000_000)),
        (Plan("growth", blocks=3), (300, 2_160_000, 1_620_000_000)),
        (Plan("free", blocks=3, operations=7), (100, 7, 45_000_000)),
    ],
)
def test_allowances(plan, allowed):
    assert tuple(vars(allowance(plan)).values()) == allowed
    assert allowance(Plan()) is None


def test_months():
    assert month(_NOON) == ("2026-01", 1_767_225_600.0, _MONTH_ENDS)
    assert month(_MONTH_ENDS - 0.001)[0] == "2026-01" and month(_MONTH_ENDS)[0] == "2026-02"
    assert month(1_767_225_599.9)[::2] == ("2025-12", 1_767_225_600.0)


def test_a_failing_database_loses_no_count(place, ec_key, monkeypatch):
    here = place()
    device_id = provision_ec(here.api, ec_key)
    with here.cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        device.publish("tick")
    usage = here.cloud.services.usage

    async def locked(job):
        raise sqlite3.OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(here.cloud.services.db, "write", locked)
        with pytest.raises(sqlite3.OperationalError):
            here.cloud.run(usage.flush())
    here.cloud.run(usage.flush())
    period = usage.period()
    stored = here.cloud.call(usage.earlier, device_id, period)
    assert (stored.ops_out, stored.handshakes) == (1, 1)
    assert here.cloud.call(usage.account_in, here.owner, period).operations == 1


def test_kill_keeps_what_was_written(tmp_path, ec_key):
    def stored():
        db = sqlite3.connect(tmp_path / "d" / "cloud.db")
        try:
            rows = db.execute("SELECT ops_out + ops_in FROM account_usage").fetchall()
        finally:
            db.close()
        return sum(row[0] for row in rows)

    for total in (5, 10):
        with Process(tmp_path / "d", "--user", LOGIN) as process:
            process.api.login()
            device_id = provision_ec(process.api, ec_key)
            with process.udp_device(ec_key, device_id) as device:
                device.connect()
                for _ in range(5):
                    assert device.publish("tick").type == ACK
            assert wait_for(lambda total=total: stored() == total, 30)
            process.end(signal.SIGKILL)
    with Process(tmp_path / "d") as process:
        process.api.login()
        account = process.api("GET", "/local/v1/usage")[1]["account"]
        assert account["operations"] == total
