"""REST: password grant, tokens, users (rest-api 2)."""

import base64

import pytest

from cloud.device import random_id
from cloud.running import USER, Api

PASSWORD_GRANT = {"grant_type": "password", "username": USER[0], "password": USER[1]}


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ({"client_id": "CLI2", "client_secret": "client_secret_here"}, "Bearer null"),
        ({"client_id": "particle-api", "client_secret": "particle-api"}, None),
        ({}, basic("particle", "particle")),
        ({}, None),
    ],
)
def test_password_grant(anonymous, fields, header):
    headers = {"Authorization": header} if header else {}
    status, body = anonymous(
        "POST", "/oauth/token", {**PASSWORD_GRANT, **fields}, form=True, headers=headers
    )
    assert status == 200
    assert body["token_type"] == "bearer" and body["expires_in"] == 7_776_000
    assert len(bytes.fromhex(body["access_token"])) == 20
    assert len(bytes.fromhex(body["refresh_token"])) == 20
    anonymous.token = body["access_token"]
    status, current = anonymous("GET", "/v1/access_tokens/current")
    expected = fields.get("client_id", "particle")
    assert (current["client"], current["client_id"]) == (expected, expected)
    assert current["expires_at"].endswith("Z")


def test_json_login_and_endless_token(anonymous):
    body = anonymous("POST", "/oauth/token", {**PASSWORD_GRANT, "expires_in": 0})[1]
    anonymous.token = body["access_token"]
    assert anonymous("GET", "/v1/access_tokens/current")[1]["expires_at"] is None


def test_refresh_token_works_once(anonymous):
    first = anonymous("POST", "/oauth/token", PASSWORD_GRANT, form=True)[1]
    grant = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert anonymous("POST", "/oauth/token", grant, form=True)[0] == 200
    assert anonymous("POST", "/oauth/token", grant, form=True)[0] == 400


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"password": "wrong"}, "invalid_grant"),
        ({"username": "nobody@example.com"}, "invalid_grant"),
        ({"username": "", "password": ""}, "invalid_grant"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
        ({"expires_in": "soon"}, "invalid_request"),
        ({"expires_in": "-1"}, "invalid_request"),
        ({"expires_in": "nan"}, "invalid_request"),
        ({"expires_in": "1e300"}, "invalid_request"),
        ({"expires_at": "2001-01-01"}, "invalid_request"),
    ],
)
def test_refused_grants(anonymous, change, error):
    fields = {k: v for k, v in {**PASSWORD_GRANT, **change}.items() if v is not None}
    status, body = anonymous("POST", "/oauth/token", fields, form=True)
    assert status == 400 and body["error"] == error and body["error_description"]


def test_wrong_password_text(anonymous):
    status, body = anonymous("POST", "/oauth/token", {**PASSWORD_GRANT, "password": "x"})
    assert (status, body) == (
        400,
        {"error": "invalid_grant", "error_description": "User credentials are invalid"},
    )


def test_expired_token(cloud, anonymous):
    user = cloud.call(cloud.services.accounts.find, USER[0])
    anonymous.token = cloud.run(cloud.services.accounts.issue(user, "test", 0.0))[0]
    assert anonymous("GET", "/v1/devices")[0] == 401


def test_tokens_that_have_expired_are_forgotten(cloud):
    """Whoever logs in with each call would fill the disk."""
    services = cloud.services
    user = cloud.run(services.accounts.create(f"{random_id()}@example.com", "x"))
    for _ in range(3):
        token = cloud.run(services.accounts.issue(user, "test", 0.0))[0]
    kept = cloud.run(services.accounts.issue(user, "test", None))[0]
    rows = cloud.call(services.db.all, "SELECT * FROM tokens WHERE user_id = ?", user.id)
    kinds = sorted(row["kind"] for row in rows)
    assert kinds == ["access", *["refresh"] * 4]  # those are good for two weeks
    assert cloud.call(services.accounts.check, token) is None
    assert cloud.call(services.accounts.check, kept).user == user


def test_tokens_are_stored_hashed(cloud, api):
    rows = cloud.call(cloud.services.db.all, "SELECT * FROM tokens")
    assert rows and all(api.token.encode() not in bytes(row["hash"]) for row in rows)
    assert all(len(row["hint"]) == 8 for row in rows)
    users = cloud.call(cloud.services.db.all, "SELECT * FROM users")
    assert all(USER[1].encode() not in bytes(row["password"]) for row in users)


def test_list_and_revoke_tokens(cloud, anonymous):
    user = (f"{random_id()}@example.com", "pw-three")
    cloud.run(cloud.services.accounts.create(*user))
    first, second = Api(cloud.url).login(user), Api(cloud.url).login(user)
    headers = {"Authorization": basic(*user)}
    listed = anonymous("GET", "/v1/access_tokens", headers=headers)[1]
    assert [t["token"][:8] for t in listed] == [first.token[:8], second.token[:8]]
    assert set(listed[0]) == {"token", "expires_at", "client"}
    headers = {"Authorization": basic(user[0], "wrong")}
    assert anonymous("GET", "/v1/access_tokens", headers=headers)[0] == 400
    assert anonymous("GET", "/v1/access_tokens", headers={"Authorization": "Basic ?"})[0] == 400
    # Revoking needs nothing but the token.
    assert anonymous("DELETE", f"/v1/access_tokens/{first.token}") == (200, {"ok": True})
    assert first("GET", "/v1/user")[0] == 401
    assert anonymous("DELETE", f"/v1/access_tokens/{first.token}")[0] == 401
    assert second("DELETE", "/v1/access_tokens/current") == (200, {"ok": True})
    assert second("GET", "/v1/user")[0] == 401
    third = Api(cloud.url).login(user)
    assert third("DELETE", "/v1/access_tokens") == (200, {"ok": True})
    assert third("GET", "/v1/user")[0] == 401


def test_user(api):
    status, body = api("GET", "/v1/user")
    assert status == 200 and body["username"] == USER[0]
    assert body["mfa"] == {"enabled": False} and body["subscription_ids"] == []


def test_where_a_token_may_be(cloud, api, anonymous):
    assert anonymous("GET", f"/v1/user?access_token={api.token}")[0] == 200
    publish = {"name": "x", "access_token": api.token}
    assert anonymous("POST", "/v1/devices/events", publish) == (200, {"ok": True})
    assert anonymous("POST", "/v1/devices/events", publish, form=True)[0] == 200


def test_no_token_and_bad_token(anonymous):
    status, body = anonymous("GET", "/v1/devices")
    assert status == 400 and body["error"] == "invalid_request" and body["error_description"]
    for header in ("Bearer null", "Bearer " + "0" * 40):
        assert anonymous("GET", "/v1/devices", headers={"Authorization": header}) == (
            401,
            {
                "error": "invalid_token",
                "error_description": "The access token provided is invalid.",
            },
        )
