"""The status LED: what is shown when, and on what."""

import sys

from fake_cloud import Board, connected, make, settle
from particle import Error
from particle.operation import now
from particle.runtime import vitals
from particle.runtime.led import colour, show, state
from particle.session.messaging import diff
from support import raises


class Link:
    """A link in a state."""

    now = 0
    kind = "wifi"
    asked = None  # the ticks of the last look

    def step(self, now):
        self.asked = now
        return self.now


class Updating:
    """An update."""

    def active(self):
        return True


def test_states():
    c, _ = make()
    link = c._link = Link()
    for link.now, name in enumerate("OFF ON CONNECTING DHCP CONNECTED ON".split()):
        assert state(c, 0) == "NETWORK_" + name
    c, link = make()
    link.answers = False
    c._open()
    seen = []
    settle(c, link, lambda: seen.append(state(c, 0)) or seen[-1] == "CLOUD_HANDSHAKE")
    assert "CLOUD_CONNECTING" in seen
    c, link = connected()
    assert c.led.state == "CLOUD_CONNECTED"
    c.more.safe = True
    assert c.led.state == "SAFE_MODE"
    c.more.updating = Updating()
    assert c.led.state == "FIRMWARE_UPDATE"
    c.more.updating = None
    c.more.safe = False
    c._conn.stage = lambda: "setup"
    assert c.led.state == "LISTENING_MODE"
    c.more.signal = True
    assert c.led.state == "SIGNAL"


def test_a_link_is_asked_with_the_time_of_now():
    """Any other is half of all ticks in the future for it: it would not look for days."""
    c, _ = make()
    c.connect(timeout=30, background=False)
    link = c._link = Link()
    c._conn.ready = False
    for look in (lambda: c.led.state, lambda: vitals.snapshot(c)):
        look()
        assert -60000 < diff(link.asked, now()) <= 0


def test_colours():
    # breathing cyan
    assert [colour("CLOUD_CONNECTED", ms) for ms in (0, 1000, 2000, 3000, 4000)] == [
        (0, 0, 0),
        (0, 127, 127),
        (0, 255, 255),
        (0, 127, 127),
        (0, 0, 0),
    ]
    # blinking blue
    assert [colour("LISTENING_MODE", ms) for ms in (0, 249, 250, 499, 500)] == [
        (0, 0, 255),
        (0, 0, 255),
        (0, 0, 0),
        (0, 0, 0),
        (0, 0, 255),
    ]
    assert colour(None, 0) == (0xEE, 0x82, 0xEE) == colour(None, 700)
    assert colour(None, 650) == (255, 0, 0)


class Pin:
    """`machine.Pin`."""

    OUT = 1
    last = None

    def __init__(self, number=2, mode=None):
        self.number = number

    def value(self, level):
        Pin.last = level


class Pwm:
    """`machine.PWM`."""

    def __init__(self, pin=None, freq=0, duty_u16=0):
        self.duty = duty_u16

    def duty_u16(self, duty):
        self.duty = duty


class Pixel(list):
    """`neopixel.NeoPixel`."""

    written = 0

    def write(self):
        self.written += 1


class Machine:
    """`machine` of a board."""

    Pin = Pin
    PWM = Pwm


def test_devices():
    show(Pin())(0, 200, 0)
    assert Pin.last == 1
    show(Pin(), True)(0, 200, 0)
    assert Pin.last == 0
    three = [Pwm(), Pwm(), Pwm()]
    show(three)(0, 255, 1)
    assert [p.duty for p in three] == [0, 65535, 257]
    show(three, True)(0, 255, 1)
    assert [p.duty for p in three] == [65535, 0, 254 * 257]
    pixel = Pixel([None])
    show(pixel)(1, 2, 3)
    assert pixel == [(1, 2, 3)] and pixel.written == 1
    raises(ValueError, show, 5)


def test_it_is_served():
    c, link = connected()
    shown = []
    signals = []
    c.led.driver(lambda *rgb: shown.append(rgb))
    c.led.on_signal(signals.append)
    settle(c, link, lambda: len(shown) > 2)
    assert all(red == 0 and green == blue for red, green, blue in shown)
    c.more.signal = True
    settle(c, link, lambda: shown[-1] == (0xEE, 0x82, 0xEE))
    c.more.signal = False
    settle(c, link, lambda: signals == [True, False])

    def fails(on):
        signals.append(on)
        raise ValueError("what a handler raises is printed")

    c.led.on_signal(fails)
    c.more.signal = True
    settle(c, link, lambda: signals == [True, False, True] and shown[-1] != shown[-2])
    assert c.connected()


def test_the_led_of_the_board():
    c, link = connected()
    assert raises(Error, c.led.driver).errno == -120
    before = sys.modules.get("machine")
    sys.modules["machine"] = Machine
    try:
        for Board.LED in (("pin", (2,), True), ("pwm3", (1, 2, 3), False)):
            Pin.last = None
            c.led.driver()
            settle(c, link, lambda: Board.LED[0] != "pin" or Pin.last == 1)
    finally:
        del Board.LED
        del sys.modules["machine"]
        if before:
            sys.modules["machine"] = before
