"""Helpers of the device unit tests; runs under CPython and MicroPython.

Start from the project's root: vectors are read from tests/vectors.
"""

import json
import os

#: Environment variable: a folder of this process alone, as tests run side by side.
OWN = "TESTS_OWN_FOLDER"


def vectors(name):
    """Return the parsed JSON of tests/vectors/NAME."""
    with open("tests/vectors/" + name) as file:
        return json.load(file)


def folder(name):
    """Return the path of a folder of this process alone in which nothing is."""
    # an emulated board has no environment, and is alone with its flash
    own = (os.getenv(OWN) if hasattr(os, "getenv") else None) or "build"
    path = own + "/" + name
    for each in (own, path):
        try:
            os.mkdir(each)
        except OSError:
            pass
    _empty(path)
    return path


def _empty(path):
    for name in os.listdir(path):
        name = path + "/" + name
        try:
            os.remove(name)
        except OSError:
            _empty(name)
            os.rmdir(name)


def raises(kind, function, *args):
    """Call `function(*args)`, which must raise `kind`, and return the exception."""
    try:
        function(*args)
    except kind as error:
        return error
    raise AssertionError("%s not raised" % kind.__name__)


def rng(seed=1):
    """Return a repeatable source of bytes `f(n) -> bytes` (xorshift32, not for keys)."""
    state = [(seed * 2654435761 + 1) & 0xFFFFFFFF or 1]

    def take(n):
        out = bytearray(n)
        x = state[0]
        for i in range(n):
            x ^= x << 13 & 0xFFFFFFFF
            x ^= x >> 17
            x ^= x << 5 & 0xFFFFFFFF
            out[i] = x >> 24
        state[0] = x
        return bytes(out)

    return take


def drive(steps):
    """Run a stepped calculation (a generator) to its end and return its value."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            return done.value


def session_lines():
    """Yield the parsed lines of the recorded session of a Device OS device over UDP."""
    with open("tests/vectors/deviceos-session-udp.jsonl") as file:
        for line in file:
            yield json.loads(line)


def slices(steps):
    """Run a stepped calculation and count its slices."""
    count = 1
    while True:
        try:
            next(steps)
            count += 1
        except StopIteration:
            return count


class FullFlash:
    """A `with` block in which the store finds no room to write a file."""

    def __enter__(self):
        from particle.store import container

        def write_nothing(path, mode):
            if "w" in mode:
                raise OSError(28)
            return open(path, mode)  # noqa: SIM115  whoever asked closes it

        container.open = write_nothing

    def __exit__(self, *error):
        from particle.store import container

        del container.open


def known(networks, ssid):
    """Return the `Network` of this name, None when it is not stored."""
    ssid = ssid.encode() if isinstance(ssid, str) else ssid
    for network in networks:
        if network.ssid == ssid:
            return network
    return None
