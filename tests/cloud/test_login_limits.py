"""Wrong passwords in a row block an address and a name, for a time (rest-api 14)."""

import base64
import threading

import pytest

from cloud.running import OTHER, USER, Api, Running
from particle_tools.cloud import accounts
from particle_tools.cloud.login_limits import _KEEP, LoginLimits
from particle_tools.cloud.settings import Limits, Settings


class Held:
    """A clock that a test moves."""

    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def limits():
    return LoginLimits(Held(), Limits())


def test_ten_in_a_row_block_a_name_from_everywhere(limits):
    clock = limits._clock
    for n in range(10):
        assert limits.begin("Ann", f"192.0.2.{n}") == 0
    assert limits.begin("aNN", "192.0.2.99") == 300
    assert limits.begin("bob", "192.0.2.99") == 0
    clock.now = 299.5
    assert limits.begin("ann", "192.0.2.98") == 0.5
    clock.now = 300
    for n in range(10):
        assert limits.begin("ann", f"192.0.2.{n + 50}") == 0
    assert limits.begin("ann", "192.0.2.97") == 300


def test_ten_in_a_row_block_an_address_for_every_name(limits):
    for n in range(10):
        assert limits.begin(f"user{n}", "192.0.2.1") == 0
    assert limits.begin("ann", "192.0.2.1") == 1800
    assert limits.begin("ann", "192.0.2.2") == 0


def test_a_right_password_begins_anew(limits):
    for _ in range(5):
        for _ in range(9):
            assert limits.begin("ann", "192.0.2.1") == 0
        limits.succeeded("ann", "192.0.2.1")
    assert limits.begin("ann", "192.0.2.1") == 0


def test_a_right_password_does_not_help_against_another_name(limits):
    # Someone with an account of his own tries another one's passwords by turns.
    for _ in range(10):
        assert limits.begin("ann", "192.0.2.1") == 0
        assert limits.begin("eve", "192.0.2.1") == 0
        limits.succeeded("eve", "192.0.2.1")
    assert limits.begin("ann", "192.0.2.1") > 0
    assert limits.begin("eve", "192.0.2.1") == 0


def test_memory_is_bounded(limits):
    for n in range(_KEEP + 1000):
        limits.begin(f"user{n}" * 100, f"2001:db8::{n:x}")
    assert len(limits._rows) == _KEEP


@pytest.fixture
def held(tmp_path, monkeypatch):
    # What is slow for whoever guesses is not what these tests are about.
    monkeypatch.setitem(accounts._SCRYPT, "n", 2)
    running = Running(Settings(data=tmp_path / "d", user=USER), held=True)
    running.run(running.services.accounts.create(*OTHER))
    yield running
    running.stop()


def grant(api, password, name=USER[0]):
    fields = {"grant_type": "password", "username": name, "password": password}
    return api("POST", "/oauth/token", fields, form=True)


def test_over_rest(held):
    api = Api(held.url)
    token = Api(held.url).login().token
    for _ in range(9):
        assert grant(api, "wrong")[0] == 400
    assert grant(api, USER[1])[0] == 200
    credentials = base64.b64encode(f"{USER[0]}:wrong".encode()).decode()
    for _ in range(5):
        assert grant(api, "wrong")[0] == 400
        basic = {"Authorization": f"Basic {credentials}"}
        assert api("GET", "/v1/access_tokens", headers=basic)[0] == 400
    for name, password in (USER, OTHER, ("nobody", "x")):
        status, body = grant(api, password, name)
        assert status == 429 and body["error"] == "Too many requests"
        assert body["error_description"] == "Too many failed logins: try again in 1800 s"
    assert api("GET", "/v1/access_tokens", headers=basic)[0] == 429
    # Tokens go on working, and the time passes.
    assert api("GET", "/v1/user", headers={"Authorization": f"Bearer {token}"})[0] == 200
    held.pass_time(1799, step=1799)
    assert grant(api, USER[1])[0] == 429
    held.pass_time(2)
    assert grant(api, USER[1])[0] == 200


def test_many_at_once_gain_nothing(held):
    outcomes = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(grant(Api(held.url), "wrong")[0]))
        for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [400] * 10 + [429] * 20
