"""Every call of a socket may fail at any time: the connection comes back and nothing is raised."""

import sys

from fake_cloud import CloudSock, make, settle

MODULES = [sys.modules["particle." + name] for name in ("client", "operation")]

# ECONNRESET, ENOTCONN, EPIPE, ENOMEM, EBADF, what lwIP says when it is aborted
NUMBERS = (104, 107, 32, 12, 9, 103)


class Failing(CloudSock):
    """A socket of which one call fails, the `at`-th call of `call`."""

    call = None
    at = 0
    number = 0
    count = 0

    def _one(self, name):
        if name != Failing.call:
            return
        Failing.count += 1
        if Failing.count == Failing.at:
            raise OSError(Failing.number)

    def connect(self, addr, port):
        self._one("connect")
        return super().connect(addr, port)

    def readinto(self, buf):
        self._one("readinto")
        return super().readinto(buf)

    def write(self, buf, n):
        self._one("write")
        return super().write(buf, n)


def life(call, at, number):
    """Connect, publish and be called while one call fails; return how often it was called."""
    Failing.call, Failing.at, Failing.number, Failing.count = call, at, number, 0
    c, link = make()
    calls = []
    c.function("led", lambda text: calls.append(text) or 1)

    def open_(kind):
        link.opened += 1
        link.sock = Failing(link)
        return link.sock

    link.open = open_
    assert c.connect(timeout=120, background=False)
    assert c.wait_until(c.connected, 60)  # it may have failed in the same moment
    p = c.publish("a", "1")
    c.wait_until(p.done, 60)
    # how it ended is known, and a new connection works
    assert p.done()
    assert c.wait_until(c.connected, 60)
    settle(c, link, lambda: not c._conn._queue)
    link.say(b"\x41\x02\x33\xb1f\x03led\x41x")
    if c.wait_until(lambda: calls, 0.2) is False:
        # what was on its way was lost with the connection
        assert c.wait_until(c.connected, 60)
        settle(c, link, lambda: not c._conn._queue)
        link.say(b"\x41\x02\x33\xb1f\x03led\x41x")
        settle(c, link, lambda: calls)
    c.disconnect()
    return Failing.count


def test_socket_errors_at_every_call():
    real = MODULES[0].now
    try:
        for module in MODULES:  # the pause before the next attempt is a second
            module.now = lambda: real() * 16 & 0x3FFFFFFF
        every_call()
    finally:
        for module in MODULES:
            module.now = real


def every_call():
    for call in ("connect", "readinto", "write"):
        count = life(call, 0, 0)
        assert count > 2
        steps = [1, 2, 3, count // 2, count - 1]
        for i, at in enumerate(steps):
            life(call, at, NUMBERS[i % len(NUMBERS)])
