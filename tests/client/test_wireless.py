"""`particle.wifi`: networks that are known and joined, on a radio of both kinds of port."""

import asyncio
import sys
import time

from particle.errors import ConfigError, Error
from particle.store.container import Store
from particle.store.networks import Networks
from particle.wireless import Wifi
from radio import HOME, SOURCE, Radio
from support import folder, raises

PORTS = ("esp32", "rp2") if SOURCE else ()
GOOD = "correct horse"


class Board:
    """A profile with two antennas."""

    NET = "wifi"


class Client:
    """What `particle.wifi` sees of a client."""

    error = _conn = _link = None
    on = False

    def __init__(self, store):
        self._store = store
        self._board = Board()
        self._values = {"server": "device.example"}

    @property
    def setup(self):
        raise AttributeError("not installed")

    def process(self):
        return 0

    def connected(self):
        return self.on

    def disconnect(self):
        self._conn = None


class World:
    """A board whose `network` is a radio with these networks in the air; time is real."""

    def __init__(self, port, *networks):
        self.radio = Radio(port, *networks)
        self.radio.clock.air.update({"join_ms": 1, "address_ms": 1, "scan_ms": 1})
        self.radio.clock.ticks_ms = time.ticks_ms
        self.radio.clock.ticks_diff = time.ticks_diff
        self.client = Client(Store(folder("wireless")))

    def __enter__(self):
        self._before = sys.modules.get("network")
        sys.modules["network"] = self.radio
        self.wifi = Wifi(self.client)
        return self

    def __exit__(self, *_):
        del sys.modules["network"]
        if self._before:
            sys.modules["network"] = self._before


def test_join():
    for port in PORTS:
        with World(port, HOME, dict(HOME, ssid="near", rssi=-40)) as w:
            wifi = w.wifi
            e = raises(ConfigError, wifi.connect)
            assert "set_credentials" in str(e) and not wifi.has_credentials()
            wifi.set_credentials("Home", GOOD)
            wifi.set_credentials("near", GOOD, security=3)
            wifi.set_credentials("gone", GOOD)
            assert not wifi.ready() and not wifi.connecting() and wifi.ssid is None
            assert wifi.connect(30) is True and wifi.ready() and wifi.isconnected()
            assert w.client._link is wifi.link and wifi.error is None
            assert wifi.ssid == b"near" and wifi.local_ip == "192.168.4.2"
            assert wifi.rssi() == -40 and wifi.signal()[:2] == (56, -40)
            assert len(wifi.mac) == 6 and wifi.bssid in (None, b"\x02\xaa\xbb\xcc\xdd\xee")
            assert [n.ssid for n in wifi.credentials()] == [b"near", b"gone", b"Home"]
            assert repr(wifi) == "<Wifi b'near' 192.168.4.2 -40 dBm>"
            wifi.disconnect()
            assert not wifi.ready() and repr(wifi) == "<Wifi: off>"
            assert wifi.rssi() == 2 and wifi.signal().strength == 0


def test_why_not():
    for port in PORTS:
        with World(port, HOME) as w:
            w.wifi.set_credentials("Home", "Geheim77")
            e = raises(Error, w.wifi.connect, 30)
            assert e.errno == -130 and e.stage == "link" and "wrong password" in str(e)
            assert "Geheim77" not in str(e) + repr(w.wifi)
            assert "wrong password" in repr(w.wifi)
            w.wifi.set_credentials("Home", GOOD)
            assert w.wifi.connect(30)
            # what is behind the network is known from the connection to the cloud
            for stage, word in (
                ("DNS", "no Internet"),
                ("port", "captive portal"),
                ("server key", "captive portal"),
            ):
                w.client.error = Error(-160, "failed", stage)
                e = w.wifi.error
                assert e.stage == stage and word in str(e) and word in repr(w.wifi)
            w.client._values["server"] = "192.0.2.1"
            assert "192.0.2.1" in str(w.wifi.error)
            w.client.error = Error(-160, "failed", "device key")
            assert w.wifi.error is None
            w.client.on = True
            assert w.wifi.error is None


def test_in_a_task():
    for port in PORTS:
        with World(port, HOME) as w:
            w.wifi.set_credentials("Home", GOOD)

            async def main():
                return await w.wifi.connect(30)  # noqa: B023

            assert asyncio.run(main()) is True and w.wifi.ready()


def test_validated_networks():
    for port in PORTS:
        with World(port, HOME) as w:
            e = raises(Error, lambda: w.wifi.set_credentials("Home", "wrong one", validate=True))  # noqa: B023
            assert "wrong password" in str(e) and not w.wifi.has_credentials()
            w.wifi.set_credentials("Home", GOOD, validate=True)
            assert w.wifi.has_credentials() and w.wifi.connect(30)


def test_settings():
    for port in PORTS:
        with World(port, HOME) as w:
            wifi = w.wifi
            wifi.set_static_ip("10.0.0.9", "255.255.255.0", "10.0.0.1", "9.9.9.9")
            wifi.set_credentials("Home", GOOD)
            wifi.connect(30)
            assert wifi.ifconfig() == ("10.0.0.9", "255.255.255.0", "10.0.0.1", "9.9.9.9")
            for use, address in (
                (wifi.use_dynamic_ip, "192.168.4.2"),
                (wifi.use_static_ip, "10.0.0.9"),
                (wifi.use_dynamic_ip, "192.168.4.2"),
            ):
                use()
                wifi.disconnect()
                wifi.connect(30)
                assert wifi.local_ip == address
            raises(ValueError, wifi.set_static_ip, "10.0.0", "", "", "")
            assert wifi.ping("") == 0
            with_ticks_that_wrap(wifi)
            assert wifi.hostname("pump-7") == "pump-7" == wifi.hostname()
            assert Networks(w.client._store).option("hostname") == b"pump-7"
            raises(ValueError, wifi.hostname, "x" * 33)
            assert wifi.country("CH") == "CH" == wifi.country()
            assert raises(Error, wifi.select_antenna, 1).errno == -120
            found = wifi.scan()
            assert found[0].ssid == b"Home" and (found[0].security, found[0].cipher) == (3, 1)
            wifi.clear_credentials("Home")
            assert not wifi.has_credentials()
            raises(ConfigError, wifi.connect)


def with_ticks_that_wrap(wifi):
    """Ping with a time-out that ticks cannot count: it would never be over."""
    module = sys.modules["particle.net.ping"]
    real = module.ping
    waits = []

    def ping(address, tries, timeout_ms, *_):
        waits.append(timeout_ms)
        yield

    module.ping = ping
    try:
        wifi.ping("", 1, 2000000)
        wifi.ping("", 1, 1.5)
    finally:
        module.ping = real
    assert waits[0] < 0x20000000 and waits[1] == 1500


class Pin:
    """`machine.Pin`; `levels` has what the pins were set to."""

    OUT = 1
    levels = {}

    def __init__(self, number, mode, value):
        assert mode == self.OUT
        self.levels[number] = value


class Machine:
    """`machine` of a board."""

    Pin = Pin


def test_antenna():
    before = sys.modules.get("machine")
    sys.modules["machine"] = Machine
    Board.ANTENNA = (14, 0, 1)
    try:
        for port in PORTS:
            with World(port, HOME) as w:
                raises(ValueError, w.wifi.select_antenna, 3)
                assert not w.wifi.ready()
                assert Pin.levels == {14: 0}  # internal, as long as nothing was chosen
                w.wifi.select_antenna(2)
                assert Pin.levels == {14: 1}
                w.wifi.clear_credentials()
                # the next boot
                Pin.levels.clear()
                wifi = Wifi(w.client)
                assert not wifi.ready() and Pin.levels == {14: 1}
                wifi.select_antenna(1)
                w.client._store.put(2, b"\x01\x09x")  # damaged
                wifi = Wifi(w.client)
                assert not wifi.ready() and Pin.levels == {14: 0}
                Pin.levels.clear()
    finally:
        del Board.ANTENNA
        del sys.modules["machine"]
        if before:
            sys.modules["machine"] = before


def test_no_static_address():
    for port in PORTS:
        with World(port, HOME) as w:
            assert raises(Error, w.wifi.use_static_ip).errno == -170


def test_a_board_without_wifi():
    before = sys.modules.get("network")
    sys.modules["network"] = sys
    try:
        wifi = Wifi(Client(Store(folder("none"))))
        for verb in (wifi.connect, wifi.on, wifi.scan, wifi.ready):
            assert raises(Error, verb).errno == -120
    finally:
        del sys.modules["network"]
        if before:
            sys.modules["network"] = before
