"""`machine` of the simulated board (MicroPython docs, library machine; reset causes as on esp32).

Adds to the unix port's own module what a board has. `Timer` is left out: the
interpreter cannot be interrupted while it waits at its prompt.
"""

import binascii
import json
import os
import struct
import sys
import time

import _pin
import _sim
import umachine
from micropython import const

PinBase = umachine.PinBase
Signal = umachine.Signal
mem8 = umachine.mem8
mem16 = umachine.mem16
mem32 = umachine.mem32
if _sim.there("stm32.img"):
    import _stm32

    mem32 = _stm32.Registers()
time_pulse_us = umachine.time_pulse_us

Pin = _pin.Pin
disable_irq = _pin.disable_irq
enable_irq = _pin.enable_irq

SLEEP = 2
DEEPSLEEP = 4

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5

PIN_WAKE = 2
TIMER_WAKE = 4

_RTC_BYTES = const(2048)
_WDT_MAX_MS = const(0x7FFFFFFF)
_FREQUENCIES = (20000000, 40000000, 80000000, 160000000, 240000000)

_freq = 160000000
_uid = binascii.unhexlify(json.loads(_sim.read("board.json"))["unique_id"])


def unique_id():
    """Return the 12 bytes that this board was made with."""
    return _uid


def reset_cause():
    """Return why this boot happened, one of the `_RESET` constants."""
    return int(os.getenv("SIM_CAUSE"))


def wake_reason():
    """Return PIN_WAKE or TIMER_WAKE after a deep sleep, else 0."""
    return int(os.getenv("SIM_WAKE") or 0)


def reset():
    """Reset the board like its reset button; nothing after this call runs."""
    _sim.die(_sim.RESET)


def soft_reset():
    """Restart the interpreter; raises SystemExit, which runs `finally` blocks as on a board."""
    sys.exit()


def bootloader(timeout_ms=0):
    """Leave MicroPython for the bootloader; the supervisor boots the board again."""
    _sim.die(_sim.BOOTLOADER)


def deepsleep(time_ms=None):
    """Switch off for `time_ms` (without it for ever), then boot; armed wake pins end it too."""
    ms = "" if time_ms is None else str(int(time_ms))
    _sim.write("wake", ms)
    _sim.die(_sim.DEEPSLEEP, _pin.wakers(DEEPSLEEP))


def lightsleep(time_ms=None):
    """Sleep for `time_ms` (without it for ever) or until a pin interrupt; all state is kept."""
    _sim.wait_us(None if time_ms is None else time_ms * 1000, wake=True)


sleep = lightsleep


def idle():
    """Sleep for at most a millisecond."""
    _sim.wait_us(1000, wake=True)


def freq(hz=None):
    """Return the processor's frequency in Hz, or set it (ValueError for others than esp32 has)."""
    global _freq
    if hz is None:
        return _freq
    if hz not in _FREQUENCIES:
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _freq = hz
    return None


class RTC:
    """RTC(id=0): the clock and 2048 bytes of memory that survive all but a loss of power."""

    def __init__(self, id=0):
        if id != 0:
            raise ValueError("RTC(%s) doesn't exist" % id)

    def datetime(self, datetimetuple=None):
        """Return or set (year, month, day, weekday, hours, minutes, seconds, microseconds)."""
        if datetimetuple is None:
            us = time.time_ns() // 1000
            t = time.gmtime(us // 1000000)
            return t[:3] + (t[6],) + t[3:6] + (us % 1000000,)
        if len(datetimetuple) != 8:
            raise ValueError("requested length 8 but object has length %d" % len(datetimetuple))
        y, month, day, _, h, m, s, us = datetimetuple
        time._set_wall(time.mktime((y, month, day, h, m, s, 0, 0)) * 1000000 + us)
        return None

    def init(self, datetime):
        """Set the clock; the tuple is that of `datetime`, as on esp32."""
        self.datetime(datetime)

    def memory(self, data=None):
        """Return the stored bytes, or store up to 2048 (ValueError if longer)."""
        if data is None:
            return _sim.read("ram/rtc") or b""
        if len(data) > _RTC_BYTES:
            raise ValueError("buffer too long")
        _sim.write("ram/rtc", bytes(data))
        return None


class WDT:
    """WDT(id=0, timeout=5000): reset the board when not fed for `timeout` ms (docs, machine.WDT).

    The supervisor holds the clock: it bites in an endless loop too.
    Raises ValueError for an id or a timeout that does not exist.
    """

    _file = None

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT(%s) doesn't exist" % id)
        if not 1 <= timeout <= _WDT_MAX_MS:
            raise ValueError("WDT timeout out of range")
        if WDT._file is None:
            WDT._file = _sim.open_cell("ram/fed", 8)
            WDT._stamp = bytearray(8)
        self.feed()
        _sim.tell("wdt %d" % timeout)

    def feed(self):
        """Start the time-out anew; allocates nothing."""
        struct.pack_into("<q", WDT._stamp, 0, _sim.host_us())
        WDT._file.seek(0)
        WDT._file.write(WDT._stamp)
