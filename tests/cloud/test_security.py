"""Who may do what: every route wants a token; pages of strangers, odd names, edits at once."""

import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloud.device import CON, random_id
from cloud.running import Api, provision, provision_ec
from particle_tools.cloud.rest import BASIC, OPEN, OWN_PAGES, all_routes

_PARTS = {"device": "a0" * 12, "prefix": "x", "token": "0" * 40}


def paths(*auths):
    """Return (method, concrete path) of the routes with these kinds of authentication."""
    found = []
    for route in all_routes():
        if route.auth in auths or not auths:
            path = re.sub(r"{(\w+)[^}]*}", lambda m: _PARTS.get(m[1], "1"), route.path)
            found.append((route.method, path))
    return found


def closed():
    return [pair for pair in paths() if pair not in paths(OPEN, OWN_PAGES)]


def test_every_route_that_is_not_open_wants_a_token(cloud, api, anonymous):
    user = cloud.call(cloud.services.accounts.find, "ann@example.com")
    expired = cloud.run(cloud.services.accounts.issue(user, "test", 0.0))
    refresh = cloud.run(cloud.services.accounts.issue(user, "test", 60.0))[1]
    revoked = Api(cloud.url).login()
    assert revoked("DELETE", "/v1/access_tokens/current")[0] == 200
    assert len(closed()) > 25
    for method, path in closed():
        status, body = anonymous(method, path)
        assert status == 400 and body["error"] == "invalid_request", (method, path)
        header = {"Authorization": f"Bearer {expired[0]}"}
        status, body = anonymous(method, path, headers=header)
        assert (status, body["error"]) == (401, "invalid_token"), (method, path)
        assert body["error_description"]
    for token in ("0" * 40, "null", *expired, refresh, revoked.token, "\xe9"):
        header = {"Authorization": f"Bearer {token}"}
        assert anonymous("GET", "/v1/devices", headers=header)[0] == 401, token
    assert anonymous("GET", "/v1/devices?access_token=x")[0] == 401
    assert anonymous("POST", "/v1/devices", {"access_token": "\ud800"})[0] == 401


def test_basic_takes_a_token_or_a_password_but_no_empty_one(anonymous):
    assert len(paths(BASIC)) < 3  # each costs three of the ten failures that block an address
    for method, path in paths(BASIC):
        for header in ("Basic Og==", "Basic", "Basic ===", "Digest x", "Bearer"):
            status, _ = anonymous(method, path, headers={"Authorization": header})
            assert status in (400, 401), (path, header)


def test_preflight_is_answered_everywhere(anonymous):
    headers = {"Origin": "http://page.example", "Access-Control-Request-Method": "PUT"}
    for path in {path for _, path in [*paths(), ("", "/v1/nothing"), ("", "/")]}:
        status, _ = anonymous("OPTIONS", path, headers=headers)
        found = anonymous.headers
        assert status == 204 and found["Access-Control-Allow-Origin"] == "*", path
        assert "PUT" in found["Access-Control-Allow-Methods"]
        assert "Authorization" in found["Access-Control-Allow-Headers"]


def test_errors_can_be_read_by_pages_and_no_cookie_is_ever_set(api, anonymous):
    for method, path in [*closed()[::5], ("GET", "/v1/nothing"), ("PATCH", "/v1/devices")]:
        assert anonymous(method, path)[0] >= 400
        assert anonymous.headers["Access-Control-Allow-Origin"] == "*", path
        # A browser sends nothing of its own accord, so a page can only do what it has a token
        # for, whatever name it has given to this address.
        assert "Access-Control-Allow-Credentials" not in anonymous.headers
        assert "Set-Cookie" not in anonymous.headers
    api("GET", "/v1/user")
    assert "Set-Cookie" not in api.headers


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://page.example", False),
        ("http://page.example:8080", False),  # also when it has named this address so
        ("https://localhost.page.example", False),
        ("null", False),
        ("http://[", False),
        ("http://localhost:3000", True),
        ("http://app.localhost", True),
        ("http://127.0.0.1:8080", True),
        ("http://[::1]", True),
        (None, True),
    ],
)
def test_pages_of_other_sites_make_no_accounts(anonymous, origin, allowed):
    body = {"username": f"{random_id()}@example.com", "password": "x"}
    headers = {"Origin": origin} if origin else {}
    status, answer = anonymous("POST", "/v1/users", body, headers=headers)
    assert (status == 200) is allowed, answer
    assert allowed or (status == 403 and "may not do this" in answer["error"])


def test_what_is_not_served_is_json(anonymous):
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "TRACE"):
        status, body = anonymous(method, "/v1/libraries/x")
        assert status == 404 and body["info"]
    status, body = anonymous("PATCH", "/v1/devices")
    assert status == 405 and body["ok"] is False
    assert set(anonymous.headers["Allow"].split(",")) >= {"GET", "POST"}


@pytest.mark.parametrize(
    "name",
    [
        "%00",
        "%ff%fe",
        "..%2f..%2fetc",
        "%F0%9F%92%A1",
        "%E2%80%AE",
        "a" * 2000,
        "%25s",
        "'--",
        "+",
    ],
)
def test_odd_names_of_nothing(api, name):
    for method, path in (
        ("GET", f"/v1/devices/{name}"),
        ("DELETE", f"/v1/devices/{name}"),
        ("POST", f"/v1/devices/{name}/{name}"),
        ("GET", f"/v1/devices/{name}/events/{name}"),
        ("GET", f"/local/v1/usage/{name}"),
    ):
        status, body = api(method, path)
        assert status == 403 and body["error"] == "Permission Denied", path
    assert api("POST", f"/v1/provisioning/{name}", {"publicKey": "x"})[0] == 400
    assert api("DELETE", f"/v1/access_tokens/{name}")[0] == 401


@pytest.mark.parametrize("name", ["e\u0301te\u0301", "\U0001f4a1", "a/b", "100%", "'"])
def test_odd_names_of_devices(api, keys, name):
    from urllib.parse import quote

    device_id = provision(api, keys[0])
    assert api("PUT", f"/v1/devices/{device_id}", {"name": name})[0] == 200
    assert api("GET", f"/v1/devices/{quote(name, safe='')}")[1]["id"] == device_id
    assert api("DELETE", f"/v1/devices/{device_id}")[0] == 200


def test_edits_at_once(api, other_api, keys):
    ids = [provision(api, keys[0]) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        named = list(pool.map(lambda i: api("PUT", f"/v1/devices/{i}", {"name": "one"})[0], ids))
        assert sorted(named) == [200] + [403] * 5
        assert len([d for d in api("GET", "/v1/devices")[1] if d["name"] == "one"]) == 1
        gone = list(pool.map(lambda i: api("DELETE", f"/v1/devices/{ids[0]}")[0], range(6)))
        assert set(gone) <= {200, 403} and 200 in gone
        claims = list(
            pool.map(
                lambda a: (a.token, a("POST", "/v1/devices", {"id": ids[0]})[0]),
                [api, other_api] * 3,
            )
        )
    won = {token for token, status in claims if status == 200}
    assert len(won) == 1 and {status for _, status in claims} == {200, 403}
    for user in (api, other_api):
        status, _ = user("GET", f"/v1/devices/{ids[0]}")
        assert status == (200 if user.token in won else 403)
        user("DELETE", f"/v1/devices/{ids[0]}")


def test_events_stay_inside_the_account(cloud, api, other_api, keys, ec_key):
    """Of Ann's two devices on each transport one publishes and one hears; Bob's hear nothing."""
    connected = []

    def tcp(user):
        connected.append(cloud.device(keys[0], provision(user, keys[0])).connect())
        return connected[-1]

    def udp(user):
        connected.append(cloud.udp_device(ec_key, provision_ec(user, ec_key)).connect())
        return connected[-1]

    ann, bob = [make(api) for make in (tcp, udp) * 2], [make(other_api) for make in (tcp, udp)]
    speakers, hearers = ann[:2], ann[2:]
    for device in (*hearers, *bob):
        device.subscribe("secret")
    for speaker in speakers:
        speaker.publish("secret/1", b"of ann", CON) if speaker is ann[0] else speaker.publish(
            "secret/1", b"of ann"
        )
        for hearer in hearers:
            event = hearer.recv()
            assert event.path == ["E", "secret", "1"] and event.payload == b"of ann"
            if event.type == CON:
                hearer.acknowledge(event)
    api("POST", "/v1/devices/events", {"name": "secret", "data": "of ann", "private": False})
    other_api("POST", "/v1/devices/events", {"name": "secret", "data": "of bob"})
    for device in bob:
        assert device.recv().payload == b"of bob"  # and nothing before it
    for hearer in hearers:
        assert hearer.recv().payload == b"of ann"
    for device in connected:
        device.close()


def test_a_foreign_device_is_nobodys_business(api, other_api, keys):
    device_id = provision(api, keys[0])
    for method, path in paths():
        if f"/{_PARTS['device']}" not in path or "provisioning" in path:
            continue
        status, body = other_api(method, path.replace(_PARTS["device"], device_id), {"name": "x"})
        unknown = other_api(method, path.replace(_PARTS["device"], random_id()), {"name": "x"})
        expected = 404 if path.startswith("/v1/products/") else 403  # no such product
        assert (status, body) == unknown and status == expected, (method, path, status)


def test_only_loopback_hears(cloud):
    for port in (cloud.tcp_port, int(cloud.url.rpartition(":")[2])):
        with socket.socket() as probe:
            probe.settimeout(5)
            probe.connect(("127.0.0.1", port))
    hosts = cloud.cloud._runner.addresses
    assert [host for host, _ in hosts] == ["127.0.0.1"]
