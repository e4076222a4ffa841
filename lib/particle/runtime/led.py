"""The status LED (device-api 9): what the client is doing, as colours and patterns of Device OS.

It is served by whatever serves the client; public name `particle.led`.
"""

import sys
import time

from micropython import const

from ..errors import Error

_NOT_SUPPORTED = const(-120)  # Device OS
_STEP_MS = const(50)
_TICKS = const(0x3FFFFFFF)
_FADE = const(4000)  # periods, ms
_SLOW = const(500)
_BLINK = const(200)
_FAST = const(100)

_WHITE = const(0xFFFFFF)
_BLUE = const(0x0000FF)
_GREEN = const(0x00FF00)
_CYAN = const(0x00FFFF)
_MAGENTA = const(0xFF00FF)

# name -> colour, ms of a period: the longest fades in and out, the others blink
_SIGNALS = {
    "NETWORK_OFF": (_WHITE, _FADE),
    "NETWORK_ON": (_BLUE, _FADE),
    "NETWORK_CONNECTING": (_GREEN, _BLINK),
    "NETWORK_DHCP": (_GREEN, _FAST),
    "NETWORK_CONNECTED": (_GREEN, _FADE),
    "CLOUD_CONNECTING": (_CYAN, _BLINK),
    "CLOUD_HANDSHAKE": (_CYAN, _FAST),
    "CLOUD_CONNECTED": (_CYAN, _FADE),
    "SAFE_MODE": (_MAGENTA, _FADE),
    "LISTENING_MODE": (_BLUE, _SLOW),
    "FIRMWARE_UPDATE": (_MAGENTA, _FAST),
}
# of a link: off, starting, joining, asking for an address, ready, failed
_LINK = const(("OFF", "ON", "CONNECTING", "DHCP", "CONNECTED", "ON"))
_RAINBOW = const((0xEE82EE, 0x4B0082, 0x0000FF, 0x00FF00, 0xFFFF00, 0xFFA500, 0xFF0000))


def state(client, now):
    """Return the name of the signal that says what a client does."""
    conn = client._conn
    more = client.more
    if more.updating and more.updating.active():
        return "FIRMWARE_UPDATE"
    if conn and conn.stage() == "setup":
        return "LISTENING_MODE"
    if more.safe:
        return "SAFE_MODE"
    if conn and conn.ready:
        return "CLOUD_CONNECTED"
    link = client._link.step(now) if client._link else 0
    if link != 4 or not conn or conn.deadline() is None:
        return "NETWORK_" + _LINK[link]
    return "CLOUD_HANDSHAKE" if conn.stage() == "transport" else "CLOUD_CONNECTING"


def colour(name, ms):
    """Return (red, green, blue) of a signal `ms` after its beginning; None: the cloud's signal."""
    if name is None:
        rgb, level = _RAINBOW[ms // _FAST % 7], 255
    else:
        rgb, period = _SIGNALS[name]
        at = ms % period
        if period == _FADE:
            level = 510 * (at if at < period // 2 else period - at) // period
        else:
            level = 255 if at < period // 2 else 0
    return tuple([(rgb >> shift & 255) * level // 255 for shift in (16, 8, 0)])


def show(device, inverted=False):
    """Return the function (red, green, blue) that shows a colour on a device.

    device: such a function, a `neopixel.NeoPixel`, three `machine.PWM`, or a `machine.Pin`.
    """
    if hasattr(device, "write"):

        def put(*rgb):
            device[0] = rgb
            device.write()

        return put
    if isinstance(device, (tuple, list)):

        def put(*rgb):
            for i in range(3):
                device[i].duty_u16((255 - rgb[i] if inverted else rgb[i]) * 257)

        return put
    if hasattr(device, "value"):
        return lambda *rgb: device.value((max(rgb) > 127) != inverted)
    if not callable(device):
        raise ValueError("driver: function(r, g, b), NeoPixel, three PWMs or a Pin")
    return device


class Led:
    """The status LED of a client."""

    def __init__(self, client):
        self._client = client
        self._show = self._last = self._name = self._handler = None
        self._since = self._signal = 0

    def __repr__(self):
        return "<Led %s%s>" % (self.state, "" if self._show else ", no driver")

    @property
    def state(self):
        """Return the name of the signal that is shown, as in device-api 9, or "SIGNAL"."""
        client = self._client
        return "SIGNAL" if client.more.signal else state(client, time.ticks_ms() & _TICKS)

    def driver(self, device=None):
        """Show the status from now on; without `device` on the LED of the board's profile.

        device: function(red, green, blue), `neopixel.NeoPixel`, three `machine.PWM`, or a `Pin`.
        Raises ValueError, `Error(NOT_SUPPORTED)` when the profile has no LED.
        """
        inverted = False
        if device is None:
            found = getattr(self._client._board, "LED", None)
            if not found:
                raise Error(_NOT_SUPPORTED, "this board's profile has no LED: driver(device)")
            device, inverted = _device(*found)
        self._show = show(device, inverted)
        self._last = None
        self.on_signal(self._handler)  # from now on it is served

    def on_signal(self, handler):
        """Have `handler(on)` called when the cloud wants the board to be seen, or no more."""
        self._handler = handler
        self._client._jobs[self._step] = time.ticks_ms() & _TICKS

    def _step(self, t):
        client = self._client
        client._jobs[self._step] = (t + _STEP_MS) & _TICKS
        signal = client.more.signal
        if signal != self._signal:
            self._signal = signal
            if self._handler:
                try:
                    self._handler(signal)
                except Exception as e:
                    sys.print_exception(e)
        name = None if signal else state(client, t)
        if name != self._name:
            self._name = name
            self._since = t
        rgb = colour(name, (t - self._since) & _TICKS)
        if self._show and rgb != self._last:
            self._last = rgb
            self._show(*rgb)


def _device(kind, pins, inverted):
    # what the profile of a board says
    from machine import Pin

    if kind == "neopixel":
        from neopixel import NeoPixel

        return NeoPixel(Pin(pins[0]), 1), False
    if kind == "pwm3":
        from machine import PWM

        return [PWM(Pin(pin), freq=1000, duty_u16=0) for pin in pins], inverted
    return Pin(pins[0], Pin.OUT), inverted
