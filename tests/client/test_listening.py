"""Listening mode of a client: what it interrupts, how it ends, and what goes on afterwards."""

import asyncio
import json
import sys
import time

from bundles import bundle, wrapped
from fake_cloud import ID, Board, CloudLink, Files, settle
from particle import Cloud, ConfigError, Error, operation
from particle.runtime.events import EVENTS, on
from particle.store.access import claim_code
from particle.store.container import Store
from particle.wire.module import Image, user_slots
from radio import HOME, SOURCE, Radio
from support import folder, raises

# what is the same on all radios is tried on one
PORTS = ("esp32", "rp2") if SOURCE else ()
GOOD = "correct horse"
BAD = "wrong horse"


class Door:
    """A door that does what the test has put into `plan`, one function a step."""

    def __init__(self, ports):
        self.ports = ports
        self.is_open = False
        World.last.doors.append(self)

    def open(self, now):
        self.is_open = True

    def step(self, now):
        plan = World.last.plan
        return plan.pop(0)(self) if plan else None

    def close(self):
        self.is_open = False


class World:
    """A client with a radio, a scripted cloud and one scripted door."""

    last = None

    def __init__(self, port="esp32", provisioned=True):
        World.last = self
        self.doors = []
        self.plan = []
        self.told = []
        self.radio = Radio(port, HOME)
        self.radio.clock.air.update({"join_ms": 1, "address_ms": 1, "scan_ms": 1})
        self.radio.clock.ticks_ms = time.ticks_ms
        self.radio.clock.ticks_diff = time.ticks_diff
        self.store = Store(folder("listening"))
        for name, data in Files().files.items() if provisioned else ():
            self.store.write(name, data)
        self.cloud = CloudLink()
        self.client = Cloud(board=Board, store=self.store, link=self.cloud)

    def __enter__(self):
        self._before = sys.modules.get("network")
        sys.modules["network"] = self.radio
        self.wifi = self.client.wifi
        self.wifi.link.open = self.cloud.open  # its sockets lead to the scripted cloud, too
        self.setup = self.client.setup
        self.setup.mode._classes = [Door]
        on(self.client, 0xFFFF, lambda event, value: self.told.append((event, value)))
        return self

    def __exit__(self, *_):
        del sys.modules["network"]
        if self._before:
            sys.modules["network"] = self._before

    def listen(self):
        """Enter listening mode, and serve the client until the door is open."""
        self.setup.start(wait=False)
        self.opened()

    def opened(self):
        """Serve the client until the door is open; the cloud closes when it was told goodbye."""

        def done():
            if [m for m in self.cloud.heard if m.path == "x"]:
                self.cloud.sock.closed = True
            return self.doors and self.doors[-1].is_open

        settle(self.client, self.cloud, done)

    def closed(self):
        """Tell whether nothing is left of listening mode."""
        return not self.setup.active() and not any(door.is_open for door in self.doors)


def provide(password):
    """Return a step of a door that stores the network and is done."""

    def step(door):
        door.ports["wifi"].set_credentials("Home", password)
        return "connect"

    return step


def test_it_leaves_the_cloud_and_comes_back():
    for port in PORTS[:1]:
        with World(port) as w:
            c = w.client
            assert c.connect(30, background=False)
            w.cloud.heard = []
            w.listen()
            # reason 4: listening (cloud-protocol 4.11)
            assert [m.payload for m in w.cloud.take("x")] == [b"\x01\x04"]
            assert not c.connected() and not w.cloud.is_up and w.setup.active()
            assert w.wifi.listening() and repr(w.setup) == "<Setup: listening>"
            assert raises(Error, w.wifi.connect).errno == -210
            opened = w.cloud.opened
            c.config(keep_alive=33)
            c.function("late", int)
            c.subscribe("late", print)
            repr(c), c.usage(), c.diagnose(), c.keep_alive()
            raises(Error, c.publish, "a")
            for _ in range(5):
                c.process()
            assert w.cloud.opened == opened
            w.setup.stop()
            assert w.closed() and w.cloud.is_up
            settle(c, w.cloud, c.connected)
            assert c.keep_alive() == 33
            names = [EVENTS[i] for i in range(16) for e, _ in w.told if e == 1 << i]
            assert names[0] == "WIFI_LISTEN_BEGIN" and names[-1] == "WIFI_LISTEN_END"


def test_what_the_application_asks_for_meanwhile_is_done_afterwards():
    for port in PORTS[:1]:
        # a connection
        with World(port) as w:
            w.listen()
            e = raises(Error, lambda: w.client.connect(0.05, background=False))  # noqa: B023
            assert e.errno == -160 and w.setup.active() and w.cloud.opened == 0
            w.setup.stop()
            settle(w.client, w.cloud, w.client.connected)
        # none
        with World(port) as w:
            assert w.client.connect(30, background=False)
            w.listen()
            w.client.disconnect()
            w.setup.stop()
            opened = w.cloud.opened
            for _ in range(10):
                w.client.process()
            assert w.closed() and w.cloud.opened == opened and not w.client.connected()
            assert w.client.connect(30, background=False)


def test_a_board_without_anything():
    for port in PORTS:
        with World(port, False) as w:
            w.listen()
            w.plan.append(provide(GOOD))
            settle(w.client, w.cloud, lambda: not w.setup.active())  # noqa: B023
            assert w.closed()
            # no server: what it was given is there all the same
            settle(w.client, w.cloud, w.wifi.ready)
            e = raises(ConfigError, lambda: w.client.connect(1, background=False))  # noqa: B023
            assert "no server" in str(e)
            for name, data in Files().files.items():
                w.store.write(name, data)
            w.client.config(server="10.0.0.1", device_id=ID)
            assert w.client.connect(30, background=False) and w.client._link is w.wifi.link


def test_until_it_is_done():
    for port in PORTS[:1]:
        with World(port) as w:
            w.plan = [lambda door: None, lambda door: "leave"]
            w.wifi.listen()
            assert w.closed() and len(w.doors) == 1
            assert not w.client.connected()  # nobody wanted to be
            w.wifi.listen_timeout = 0.05
            w.wifi.listen()
            assert w.closed() and len(w.doors) == 2 and w.wifi.listen_timeout == 0.05
            w.wifi.listen(False)  # nothing happens
            raises(ValueError, lambda: setattr(w.wifi, "listen_timeout", -1))  # noqa: B023


def interrupt(door):
    raise KeyboardInterrupt


def test_ctrl_c():
    for port in PORTS:
        with World(port) as w:
            w.plan = [interrupt]
            raises(KeyboardInterrupt, w.wifi.listen)
            assert w.closed() and not w.client._busy
            w.plan = [interrupt]
            w.listen()
            raises(KeyboardInterrupt, w.client.run)
            assert w.closed()
            w.plan = [interrupt]
            raises(KeyboardInterrupt, w.wifi.connect)
            assert w.closed()
            assert w.client.connect(30, background=False)


class Interrupted:
    """`time` while somebody types Ctrl-C."""

    ticks_ms = time.ticks_ms

    @staticmethod
    def sleep_ms(ms):
        raise KeyboardInterrupt


def test_ctrl_c_while_it_waits():
    for port in PORTS[:1]:
        with World(port) as w:
            w.listen()
            operation.time = Interrupted
            try:
                raises(KeyboardInterrupt, w.client.run)
            finally:
                operation.time = time
            assert w.closed() and w.client.connect(30, background=False)
            # and while the cloud is told
            w.setup.start(wait=False)
            assert w.setup.active() and not w.doors[-1].is_open
            w.setup.mode.abort(0)
            assert w.closed() and w.client.connect(30, background=False)


def test_in_a_handler():
    for port in PORTS[:1]:
        with World(port) as w:
            c = w.client
            c.function("listen", lambda text: w.wifi.listen(text != "off"))  # noqa: B023
            assert c.connect(30, background=False)
            w.cloud.say(b"\x41\x02\x33\xb1f\x06listen\x40")
            w.opened()
            assert any(m.code == 0x44 for m in w.cloud.heard)  # the caller was answered first
            w.plan = [lambda door: w.wifi.listen(False)]  # noqa: B023
            settle(c, w.cloud, w.closed)


def test_in_a_task():
    for port in PORTS:
        with World(port) as w:

            async def main():
                w.plan = [provide(GOOD)]  # noqa: B023
                assert await w.wifi.connect(30)  # noqa: B023
                w.wifi.listen()  # noqa: B023  returns at once
                assert w.setup.active()  # noqa: B023
                w.wifi.listen(False)  # noqa: B023

            asyncio.run(main())
            assert w.closed()
            settle(w.client, w.cloud, w.wifi.ready)


def test_connecting_without_a_network_asks_for_one():
    for port in PORTS:
        with World(port) as w:
            raises(ConfigError, w.wifi.connect, 30, False)
            w.plan = [lambda door: None, provide(GOOD)]
            assert w.wifi.connect(30) and w.wifi.ready() and w.closed()
            assert len(w.doors) == 1
        with World(port) as w:
            w.plan = [lambda door: "leave"]
            raises(ConfigError, w.wifi.connect, 30)
            e = raises(Error, w.wifi.connect, 0.05)
            assert e.errno == -160 and w.closed()


def test_a_wrong_password_leads_back():
    for port in PORTS:
        with World(port) as w:
            w.plan = [provide(BAD), provide(GOOD)]
            assert w.wifi.connect(30) and w.wifi.ready() and w.closed()
            assert len(w.doors) == 2
        # while something else serves the client
        with World(port) as w:
            w.plan = [provide(BAD)]
            w.listen()
            settle(w.client, w.cloud, lambda: len(w.doors) == 2)  # noqa: B023
            assert w.setup.active() and "wrong password" in str(w.setup.mode.join)
            w.setup.stop()
            assert w.closed()


def test_asked_for_by_the_boot_before():
    for port in PORTS[:1]:
        with World(port) as w:
            w.store.write("listen", b"1")
            w.client._open()
            w.opened()
            assert w.store.read("listen") is None
            w.setup.stop()
            settle(w.client, w.cloud, w.client.connected)


class Pin:
    """`machine.Pin`; `level` is that of all of them."""

    IN, PULL_UP, PULL_DOWN = 0, 1, 2
    level = 1

    def __init__(self, number, mode, pull):
        assert (number, mode, pull) == (5, self.IN, self.PULL_UP)

    def value(self):
        return Pin.level


class Machine:
    """`machine` of a board."""

    Pin = Pin


def test_the_button_enters_it():
    before = sys.modules.get("machine")
    sys.modules["machine"] = Machine
    try:
        for port in PORTS[:1]:
            with World(port) as w:
                assert raises(Error, w.setup.button).errno == -120
                w.setup.button(5)
                assert w.client.connect(30, background=False) and w.setup.pushed() == 0
                Pin.level = 0
                settle(w.client, w.cloud, w.setup.pushed)
                w.opened()
                Pin.level = 1
                settle(w.client, w.cloud, lambda: not w.setup.pushed())  # noqa: B023
                assert w.setup.active()
                w.setup.stop()
                settle(w.client, w.cloud, w.client.connected)
    finally:
        del sys.modules["machine"]
        if before:
            sys.modules["machine"] = before


def test_claim_codes():
    for port in PORTS[:1]:
        with World(port) as w:
            board = w.setup.mode.ports["client"]
            code = b"c" * 63
            raises(ValueError, board.claim, b"short")
            assert not board.claimed()
            board.claim(code)
            assert claim_code(w.store) == code.decode() and not board.claimed()
            w.client.connect(30, background=False)
            settle(w.client, w.cloud, lambda: w.cloud.heard)  # noqa: B023
            shown = [m for m in w.cloud.heard if m.name == "spark/device/claim/code"]
            assert shown[0].payload == code
            name = b"\xb1E\x05spark\x06device\x05claim\x04code"
            w.cloud.say(b"\x50\x02" + name)
            settle(w.client, w.cloud, board.claimed)
            assert claim_code(w.store) is None


def test_the_folder_does_not_hide_the_object():
    import particle
    import particle.listening  # noqa: F401

    particle.cloud = Cloud(board=Board, store=Files())
    try:
        assert particle.setup is particle.cloud.setup
        assert not particle.setup.active()
    finally:
        del particle.cloud


class Boot:
    """A boot stage that has chosen the application in a slot."""

    record = True
    slot = ".b"


def test_the_console_tells_of_the_application_that_runs():
    data = wrapped(bundle())
    image = Image(len(data), 12, user_slots(12))
    image.feed(data)
    for port in PORTS[:1]:
        with World(port) as w:
            board = w.setup.mode.ports["client"]
            assert board.modules() == b"[]"
            w.store.write("module.b", image.modules[0].record())
            assert board.modules() == b"[]"
            before = sys.modules.get("particle_boot")
            sys.modules["particle_boot"] = Boot
            try:
                kinds = [(m["f"], m["v"]) for m in json.loads(board.modules())]
                assert kinds == [("s", 6200), ("u", 6)]
                w.store.write("module.b", b"damaged")
                assert board.modules() == b"[]"
            finally:
                del sys.modules["particle_boot"]
                if before:
                    sys.modules["particle_boot"] = before
