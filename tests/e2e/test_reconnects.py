"""Thousands of reconnects leave the heap as it was (tests/reconnects.py under MicroPython)."""

import json

import pytest

import device_suite
from particle_tools import interpreter
from silicon import debian32

MANY = 10_000


def reconnect(argv, count, seconds):
    """Run the program; check what it tells."""
    done = device_suite.start(argv, "tests/reconnects.py", str(count), seconds=seconds)
    assert done.returncode == 0, done.stdout[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{count} reconnects: {found}")
    assert found["used"] == {"handshakes": 1, "resumes": count - 1, "opened": count}
    # the heap is looked at ten times; the first time some tables are still growing
    assert max(found["alloc"][1:]) <= found["alloc"][1], found


def test_two_thousand_reconnects():
    reconnect(interpreter.find(), 2000, 100)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_ten_thousand_reconnects():
    reconnect(interpreter.find(), MANY, 500)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_ten_thousand_reconnects_on_32_bit(need):
    argv = debian32.find()
    need("32-bit MicroPython (Debian i386)", argv, debian32.COMMAND)
    reconnect(argv, MANY, 500)
