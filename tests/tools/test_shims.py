"""The CPython stand-ins behave as MicroPython's own modules: one program, two interpreters."""

import os
import subprocess
import sys

import pytest

from particle_tools import ROOT, interpreter

CRYPTOLIB = """
from cryptolib import aes

def show(label, function):
    try:
        print(label, bytes(function()))
    except Exception as error:
        print(label, type(error).__name__, error.args)

def both_ways(first, second):
    cipher = aes(b"k" * 16, 1)
    getattr(cipher, first)(b"x" * 16)
    return getattr(cipher, second)(b"x" * 16)

def in_place():
    data = bytearray(range(64))
    view = memoryview(data)[16:48]
    aes(b"k" * 16, 2, b"i" * 16).encrypt(view, view)
    return data

def chained():
    cipher = aes(b"k" * 32, 2, b"i" * 16)
    return cipher.encrypt(b"a" * 16) + cipher.encrypt(b"a" * 16)

show("24-byte key", lambda: aes(b"k" * 24, 1).encrypt(b"x" * 16))
show("no IV", lambda: aes(b"k" * 16, 2).encrypt(b"x" * 16))
show("short IV", lambda: aes(b"k" * 16, 2, b"i" * 8).encrypt(b"x" * 16))
show("CTR", lambda: aes(b"k" * 16, 6, b"i" * 16).encrypt(b"x" * 16))
show("ECB with IV", lambda: aes(b"k" * 16, 1, b"i" * 16).encrypt(b"x" * 16))
show("part of a block", lambda: aes(b"k" * 16, 1).encrypt(b"x" * 15))
show("nothing", lambda: aes(b"k" * 16, 1).encrypt(b""))
show("short output", lambda: aes(b"k" * 16, 1).encrypt(b"x" * 16, bytearray(15)))
show("long output", lambda: aes(b"k" * 16, 1).encrypt(b"x" * 16, bytearray(20)))
show("read-only output", lambda: aes(b"k" * 16, 1).encrypt(b"x" * 16, b"x" * 16))
show("decrypt after encrypt", lambda: both_ways("encrypt", "decrypt"))
show("encrypt after decrypt", lambda: both_ways("decrypt", "encrypt"))
show("in place", in_place)
show("chained", chained)
show("text", lambda: aes("k" * 16, 1).encrypt("x" * 16))
"""

TICKS = """
from micropython import const, schedule
import sys, time
_X = const(3)
start = time.ticks_ms()
time.sleep_ms(5)
print(_X, 4 <= time.ticks_diff(time.ticks_ms(), start) < 10000)
print(time.ticks_diff(time.ticks_add(start, -7), start))
print(time.ticks_diff(start, time.ticks_add(start, 1000)))
print(hasattr(sys, "print_exception"))
"""


def run(argv, program, **environment):
    """Return what a program prints."""
    done = subprocess.run(
        [*argv, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("program", [CRYPTOLIB, TICKS], ids=["cryptolib", "ticks"])
def test_same_output(program):
    shims = str(ROOT / "tests" / "shims" / "cpython")
    stand_in = run([sys.executable], program, PYTHONPATH=shims)
    assert stand_in == run(interpreter.find(), program, MICROPYPATH=".frozen")
    assert stand_in
