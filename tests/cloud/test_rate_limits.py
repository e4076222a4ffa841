"""The limits of rest-api 14: off unless wanted, exact, with a Retry-After that is true."""

from __future__ import annotations

import http.client

import pytest

from cloud.running import OTHER, USER, Api, Running, provision_ec
from particle_tools.cloud.clock import Clock
from particle_tools.cloud.rate_limits import RateLimits
from particle_tools.cloud.settings import Rates, Settings
from particle_tools.local import wait_for

_UNAVAILABLE, _MAX_AGE = 0xA3, 14


@pytest.fixture
def strict(tmp_path):
    """Make a strict cloud with other limits, whose time stands still."""
    made = []

    def make(**rates):
        settings = Settings(data=tmp_path / "d", user=USER, rates=Rates(strict=True, **rates))
        made.append(Running(settings, held=True))
        made[-1].run(made[-1].services.accounts.create(*OTHER))
        return made[-1]

    yield make
    for running in made:
        running.stop()


def refused(api, method, path, seconds):
    status, body = api(method, path)
    assert status == 429, body
    assert body["error"] == "Too many requests" and body["ok"] is False
    wait = int(api.headers["Retry-After"])
    assert seconds - 1 < wait <= seconds + 1
    return wait


def test_off_by_default():
    assert Rates().strict is False and Settings(data="x").rates == Rates()


def test_all_requests_of_an_address(strict):
    cloud = strict(requests=2 + 1 + 8 + 1)  # two keys were asked for; the login
    api = Api(cloud.url).login()
    for _ in range(8):
        assert api("GET", "/v1/devices")[0] == 200
    assert api("GET", "/nowhere")[0] == 404  # counts, too
    assert api("OPTIONS", "/v1/devices")[0] == 204  # does not
    wait = refused(api, "GET", "/v1/devices", 300)
    cloud.pass_time(wait - 1, step=100)
    refused(api, "GET", "/v1/devices", 1)
    cloud.pass_time(1)
    assert api("GET", "/v1/devices")[0] == 200


def test_credentials(strict):
    cloud = strict(credentials=3)
    api = Api(cloud.url).login()
    for path in ("/v1/access_tokens/current", "/v1/access_tokens/current"):
        assert api("GET", path)[0] == 200
    refused(api, "POST", "/oauth/token", 300)
    refused(api, "GET", "/v1/access_tokens", 300)
    assert api("GET", "/v1/devices")[0] == 200
    cloud.pass_time(300, step=100)
    api.login()


def test_serial_numbers_of_an_account(strict):
    cloud = strict(serial_numbers=2)
    api, other = Api(cloud.url).login(), Api(cloud.url).login(OTHER)
    path = "/v1/serial_numbers/P001"
    for _ in range(2):
        assert api("GET", path)[0] != 429
    refused(api, "GET", path, 3600)
    refused(Api(cloud.url), "GET", f"{path}?access_token={api.token}", 3600)
    assert other("GET", path)[0] != 429


def stream(cloud, api):
    connection = http.client.HTTPConnection(*cloud.url[7:].split(":"), timeout=30)
    header = {"Authorization": f"Bearer {api.token}"}
    connection.request("GET", "/v1/devices/events/x", headers=header)
    return connection, connection.getresponse().status


def test_streams(strict):
    cloud = strict(streams=4, open_streams=2)
    api = Api(cloud.url).login()
    first, second, third = (stream(cloud, api) for _ in range(3))
    assert [first[1], second[1], third[1]] == [200, 200, 429]
    first[0].close()

    def closed():
        # the end of a reader is noticed when something is sent to it
        api("POST", "/v1/devices/events", {"name": "x", "data": ""})
        return len(cloud.services.streams) == 1

    assert wait_for(closed, 30)
    assert stream(cloud, api)[1] == 200
    refused(api, "GET", "/v1/events/x", 300)  # the fifth that was opened
    second[0].close()
    third[0].close()


def test_events_of_a_device(strict, ec_key):
    cloud = strict()
    api = Api(cloud.url).login()
    device_id = provision_ec(api, ec_key)
    with cloud.udp_device(ec_key, device_id) as device:
        device.connect()
        codes = [device.publish("x").code for _ in range(4)]
        answer = device.publish("x")
        assert codes == [0] * 4 and answer.code == _UNAVAILABLE
        assert int.from_bytes(answer.all(_MAX_AGE)[0], "big") == 1
        assert device.publish("spark/x").code == 0
        cloud.pass_time(1)
        assert [device.publish("x").code for _ in range(2)] == [0, _UNAVAILABLE]
        cloud.pass_time(4)
        codes = [device.publish("x").code for _ in range(5)]
        assert codes == [0] * 4 + [_UNAVAILABLE]
        usage = api("GET", f"/local/v1/usage/{device_id}")[1]
        assert usage["operations"] == 9  # what is refused costs nothing


def test_a_flood_of_names_costs_no_more_memory():
    limits = RateLimits(Rates(strict=True), Clock())
    for number in range(10_100):
        limits.request("GET", "/v1/devices", f"address {number}", None)
        limits.publish(f"device {number}")
    assert len(limits._windows) <= 10_000 and len(limits._buckets) <= 10_000
