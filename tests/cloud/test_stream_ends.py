"""An event stream ends with its token, at once. The time of the cloud stands still."""

import socket
from unittest import mock

import pytest

from cloud.device import random_id
from cloud.running import Api
from cloud.test_udp_session import wait_for
from particle_tools.cloud.events import Event

PASSWORD = "secret-ten"
END = b"0\r\n\r\n"  # the last chunk: a proper end, not an abort
LIFE_S = 100.0


class Stream:
    """One reader of the events `x`."""

    def __init__(self, cloud, token):
        address = cloud.url.removeprefix("http://").split(":")
        self.data = b""
        self.sock = socket.create_connection((address[0], int(address[1])), 30)
        self.sock.sendall(
            "GET /v1/devices/events/x HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        self.until(b":ok\n\n\r\n")

    def until(self, text):
        """Read to a text; all that came is in `data`."""
        while text not in self.data:
            chunk = self.sock.recv(4096)
            assert chunk, self.data
            self.data += chunk


@pytest.fixture
def open_stream(held):
    opened = []

    def start(token):
        opened.append(Stream(held, token))
        return opened[-1]

    yield start
    for stream in opened:
        stream.sock.close()
    wait_for(lambda: held.pass_time(10) or not held.services.accounts._watched)


@pytest.fixture
def user(held):
    """A new user, without tokens."""
    return held.run(held.services.accounts.create(f"{random_id()}@example.com", PASSWORD))


def issue(cloud, user):
    return cloud.run(cloud.services.accounts.issue(user, "test", LIFE_S))[0]


def publish(cloud, user, data):
    event = Event("x", data, "api", user.id, cloud.services.clock.time())
    cloud.call(cloud.services.bus.publish, event)


WAYS = {
    "token": lambda token: ("DELETE", f"/v1/access_tokens/{token}"),
    "current": lambda token: ("DELETE", "/v1/access_tokens/current"),
    "all": lambda token: ("DELETE", "/v1/access_tokens"),
    "password": lambda token: (
        "PUT",
        "/v1/user",
        {"current_password": PASSWORD, "password": PASSWORD + "x", "invalidate_tokens": True},
    ),
    "user": lambda token: ("DELETE", "/v1/user", {"password": PASSWORD}),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_comes_after_the_revoke(held, user, open_stream, way):
    token, other = issue(held, user), issue(held, user)
    streams = [open_stream(token), open_stream(token)]
    another = open_stream(other)
    publish(held, user, b"before")
    for stream in (*streams, another):
        stream.until(b"before")
    status, body = Api(held.url, token)(*WAYS[way](token))
    assert status == 200, body
    publish(held, user, b"after")
    if way in ("token", "current"):
        another.until(b"after")
    else:
        streams.append(another)
    for stream in streams:
        stream.until(END)
        assert b"after" not in stream.data


def test_nothing_comes_after_the_token_has_expired(held, user, open_stream):
    stream = open_stream(issue(held, user))
    held.pass_time(LIFE_S - 1)
    publish(held, user, b"before")
    stream.until(b"before")

    def late():  # before the stream's own timer
        held.loop.skip(1.5)
        event = Event("x", b"after", "api", user.id, held.services.clock.time())
        held.services.bus.publish(event)

    held.call(late)
    stream.until(END)
    assert b"after" not in stream.data


def test_what_is_queued_at_the_revoke_is_not_sent(held, user, open_stream):
    stream = open_stream(issue(held, user))
    (offer,) = held.services.bus._listeners[user.id]

    def at_once():
        held.services.bus.publish(Event("x", b"queued", "api", user.id, 0.0))
        offer.__self__.revoke()

    held.call(at_once)
    stream.until(END)
    assert b"queued" not in stream.data


def test_events_cost_no_look_up_of_the_token(held, user, open_stream):
    stream = open_stream(issue(held, user))
    with mock.patch.object(held.services.accounts, "check", side_effect=AssertionError):
        publish(held, user, b"one")
        stream.until(b"one")
        held.pass_time(30)
        publish(held, user, b"two")
        stream.until(b"two")
