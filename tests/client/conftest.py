"""Waits of the client take no time: its cloud is in the same process and answers at once."""

import time

import pytest


@pytest.fixture(autouse=True)
def _skipped(monkeypatch):
    # as tests/shims/skipping does it on MicroPython: other time passes as ever
    passes = time.ticks_ms
    ahead = 0

    def ticks_ms():
        return time.ticks_add(passes(), ahead)

    def sleep_ms(ms):
        nonlocal ahead
        ahead = time.ticks_add(ahead, max(0, ms))

    monkeypatch.setattr(time, "ticks_ms", ticks_ms)
    monkeypatch.setattr(time, "sleep_ms", sleep_ms)
