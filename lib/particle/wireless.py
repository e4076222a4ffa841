"""The object `particle.wifi` (device-api 6): what a board knows of networks, and joining them."""

import os
import sys
import time
from collections import namedtuple

from micropython import const

from .errors import ConfigError, Error
from .net.wifi import WifiLink
from .operation import end, in_task, now
from .session.messaging import diff
from .store.networks import Networks, addresses
from .store.place import refuse_fat

# Error numbers of Device OS (errors.py)
_NOT_SUPPORTED = const(-120)
_TIMEOUT = const(-160)
_NOT_FOUND = const(-170)
_INVALID_STATE = const(-210)
_NETWORK = const(-230)

_READY = const(4)  # states of a Link
_FAILED = const(5)
_OFF = const(0)
_VALIDATE_S = const(60)
_WEAKEST = const(-90)  # dBm that count as nothing
_BLINK_MS = const(20)
_NO_NETWORK = const(
    "no network is known: particle.wifi.set_credentials(ssid, password), or listen()"
)

AccessPoint = namedtuple(
    "AccessPoint", ("ssid", "bssid", "security", "cipher", "channel", "max_data_rate", "rssi")
)
Signal = namedtuple("Signal", ("strength", "strength_dbm", "quality", "snr"))


class _Memory:
    # a store for networks that are tried before they are stored
    def __init__(self):
        self._kept = {}
        self.get = self.read = self._kept.get
        self.put = self.write = self._kept.__setitem__

    def remove(self, name):
        self._kept.pop(name, None)


class Wifi:
    """The Wi-Fi of a client's board. Using it raises `Error(NOT_SUPPORTED)` when it has none."""

    setup = None  # what listens, once it was used

    def __init__(self, client):
        self._client = client

    # what is needed of the board, on first use
    def __getattr__(self, name):
        if name == "_network":
            try:
                import network

                network.WLAN  # noqa: B018
            except (AttributeError, ImportError):
                raise Error(_NOT_SUPPORTED, "this board has no Wi-Fi", "link") from None
            self._network = network
            return network
        if name == "link":
            self.link = WifiLink(self._networks, self._network)
            self._antenna()
            return self.link
        if name != "_networks":
            raise AttributeError(name)
        store = self._client._store
        refuse_fat(store.root)
        self._networks = Networks(store)
        return self._networks

    def __repr__(self):
        try:
            if self.error:
                raise self.error
        except Error as e:  # or this board has none
            return "<Wifi: %s>" % e.text
        if not self.ready():
            return "<Wifi: joining>" if self.connecting() else "<Wifi: off>"
        return "<Wifi %r %s %s dBm>" % (self.ssid, self.local_ip, self.rssi())

    @property
    def enterprise(self):
        """Tell whether this firmware can join enterprise networks."""
        return self.link.eap is not None

    @property
    def error(self):
        """Return the `Error` that says why there is no network, or nothing behind it, or None.

        A network whose name server does not answer has no Internet. One that answers names but
        not with the cloud's key lets nobody out: a captive portal or a firewall.
        """
        if self.link.step(now()) != _READY:
            return self.link.error
        failed = self._client.error
        server = self._client._values.get("server") or ""
        if failed is None or self._client.connected():
            return None
        if failed.stage == "DNS":
            text = "joined %r, but no Internet: its name server does not answer" % self.ssid
        elif failed.stage not in ("port", "transport", "server key"):
            return None
        elif ":" in server or not server.strip("0123456789."):
            text = "joined %r, but no way to %s: is there Internet?" % (self.ssid, server)
        else:
            text = "joined %r, which lets nobody out: a captive portal or firewall" % self.ssid
        return Error(_NETWORK, text, failed.stage)

    def ready(self):
        """Tell whether there is a network with an address."""
        return self.link.wlan.isconnected()

    isconnected = ready

    def connecting(self):
        """Tell whether a network is looked for."""
        return self.link.step(now()) not in (_OFF, _READY)

    # verbs

    def on(self):
        """Switch the radio on."""
        self.link.wlan.active(True)

    def off(self):
        """Disconnect from the cloud and the network and switch the radio off."""
        self.disconnect()

    def connect(self, timeout=None, listen=True):
        """Join one of the known networks, the strongest first, and stay with them.

        Outside a task wait (at most `timeout` s) for an address; inside one await the result.
        listen: enter listening mode when no network is known, or the one that it was given does
        not let the board in. Raises `ConfigError` when no network is known, `Error` of stage
        "link" that says why none could be joined after all were tried, `Error(TIMEOUT)`,
        `Error(INVALID_STATE)` while listening.
        """
        if self.listening():
            raise Error(_INVALID_STATE, "listening: particle.wifi.listen(False) ends it", "link")
        client = self._client
        limit = end(now(), timeout)
        self.link.step(now())  # raises when there is no radio
        if len(self._networks):
            self._begin()
            steps = self._steps(limit)
        else:
            setup = None
            try:
                setup = listen and client.setup
            except AttributeError:
                pass  # its component is not installed
            if not setup:
                raise ConfigError(_NOT_FOUND, _NO_NETWORK, "link")
            setup.start(wait=False)
            if not in_task():
                client._quiet()  # the prompt is not free: the serial console may have it
            steps = self._set_up(limit)
        return self._served(steps)

    def _served(self, steps):
        # what a generator returns in the end; inside a task something to await
        if in_task():
            return self._awaited(steps)
        try:
            while True:
                next(steps)
                self._client.process()
                time.sleep_ms(_BLINK_MS)
        except StopIteration as e:
            return e.value
        finally:
            steps.close()  # Ctrl-C: nothing goes on listening

    async def _awaited(self, steps):
        asyncio = sys.modules["asyncio"]
        try:
            while True:
                next(steps)
                self._client.process()
                await asyncio.sleep(_BLINK_MS / 1000)
        except StopIteration as e:
            return e.value
        finally:
            steps.close()

    def _begin(self):
        link = self.link
        self._client._link = link
        if link.step(now()) == _FAILED:
            link.down()  # try at once, not after the pause
        link.up()

    def _steps(self, limit):
        # one yield per look, until there is a network
        while not _settled(self.link, limit):
            yield
        return True

    def _set_up(self, limit):
        # the same, from listening mode on, which begins anew when a network refuses the board
        setup = self._client.setup
        try:
            while True:
                while setup.active():
                    if limit is not None and diff(now(), limit) >= 0:
                        raise Error(_TIMEOUT, "no network yet: nobody set the board up", "link")
                    yield
                if not len(self._networks):
                    raise ConfigError(_NOT_FOUND, _NO_NETWORK, "link")
                self._begin()
                while not setup.active():
                    if self.link.step(now()) != _FAILED and _settled(self.link, limit):
                        return True
                    if not setup.watching():
                        _settled(self.link, limit)  # raises what is wrong
                    yield
        finally:
            setup.stop()

    def listen(self, on=True):
        """Enter listening mode, in which the board is set up; with False leave it.

        Outside a task it lasts until that is done, `listen_timeout` is over or Ctrl-C was typed.
        """
        if on:
            self._client.setup.start()
        elif self.listening():
            self._client.setup.stop()

    def listening(self):
        """Tell whether the board is in listening mode."""
        return self.setup is not None and self.setup.active()

    @property
    def listen_timeout(self):
        """Return the seconds after which listening mode ends by itself, 0 = never."""
        return self._client.setup.mode.timeout

    @listen_timeout.setter
    def listen_timeout(self, seconds):
        end(0, seconds)
        self._client.setup.mode.timeout = seconds or 0

    def disconnect(self):
        """Disconnect from the cloud and leave the network."""
        if self._client._conn is not None:
            self._client.disconnect()
        self.link.down()

    def scan(self):
        """Look around for 2 to 3 s; return a list of `AccessPoint`, ids as in Device OS."""
        heard = self.link.scan()
        return [AccessPoint(a[0], a[1], a[4], a[5], a[2], 0, a[3]) for a in heard]

    def resolve(self, name):
        """Return the address of a host as text, "" when there is none."""
        import socket

        try:
            return socket.getaddrinfo(name, 0, socket.AF_INET)[0][-1][0]
        except OSError:
            return ""

    def ping(self, host, tries=1, timeout=4):
        """Return how many of `tries` questions a host answers, each within `timeout` s.

        Inside a task await it. Raises `Error(NOT_SUPPORTED)` on a port without raw sockets.
        """
        from .net.ping import ping

        timeout = end(0, timeout)
        address = self.resolve(host)
        tries = tries if address else 0
        return self._served(ping(address or "0.0.0.0", tries, timeout, now, os.urandom))

    # networks

    def set_credentials(self, ssid, password=None, *, validate=False, **more):
        """Store a network; of more than ten the one that was last in use longest ago goes.

        validate: join it first, which takes up to a minute, and store it only then. more:
        security, cipher, hidden, channel; eap, identity, outer_identity, client_cert, private_key,
        ca_cert of an enterprise network. Raises ValueError, `Error` of stage "link" or "store";
        then nothing is stored.
        """
        if validate:
            only = Networks(_Memory())
            only.add(ssid, password, **more)
            was_on = self.link.step(now()) != _OFF
            self.link.down()
            trial = WifiLink(only, self._network)
            trial.up()
            try:
                limit = end(now(), _VALIDATE_S)
                while not _settled(trial, limit):
                    time.sleep_ms(_BLINK_MS)
            finally:
                trial.down()
                if was_on:
                    self.link.up()
        self._networks.add(ssid, password, **more)

    def credentials(self):
        """Return the list of known networks, never with a password."""
        return list(self._networks)

    def has_credentials(self):
        """Tell whether a network is known."""
        return len(self._networks) > 0

    def clear_credentials(self, ssid=None):
        """Forget one network, or all."""
        if ssid is None:
            self._networks.clear()
        else:
            self._networks.remove(ssid)

    # addresses and names

    def ifconfig(self):
        """Return (address, mask, gateway, name server)."""
        return self.link.wlan.ifconfig()

    @property
    def local_ip(self):
        """Return the board's address, "0.0.0.0" without one."""
        return self.ifconfig()[0]

    def set_static_ip(self, ip, mask, gateway, dns):
        """Store an address for all networks that have none of their own, and use it.

        That is from the next joining on. Raises ValueError.
        """
        self._networks.option("static", addresses((ip, mask, gateway, dns)))
        self._networks.option("flags", None)

    def use_static_ip(self):
        """Use the address that is stored from the next joining on; `Error(NOT_FOUND)`: none is."""
        if not self._networks.option("static"):
            raise Error(_NOT_FOUND, "no address is stored: set_static_ip()", "store")
        self._networks.option("flags", None)

    def use_dynamic_ip(self):
        """Ask for an address by DHCP from the next joining on; what is stored stays."""
        self._networks.option("flags", b"\1")

    @property
    def ssid(self):
        """Return the name of the network that is joined, as bytes, or None."""
        trying = self.link.trying
        return trying.ssid if trying and self.ready() else None

    @property
    def bssid(self):
        """Return the address of the access point, 6 bytes, None if the port cannot tell."""
        try:
            return self.link.wlan.config("bssid") if self.ready() else None
        except (OSError, ValueError):
            return None

    @property
    def mac(self):
        """Return the address of the radio, 6 bytes."""
        return self.link.wlan.config("mac")

    def rssi(self):
        """Return the strength of the signal in dBm; 2 without a network, as Device OS does."""
        found = self.link.signal()
        return 2 if found is None else found

    def signal(self):
        """Return a `Signal`: strength in % and dBm; quality and snr are None: no port has them."""
        dbm = self.link.signal()
        if dbm is not None:
            dbm = min(max(dbm, _WEAKEST), 0)
        return Signal(0 if dbm is None else 100 - 100 * dbm // _WEAKEST, dbm, None, None)

    def hostname(self, name=None):
        """Return the name that the network sees, or store another one (at most 32 characters)."""
        if name is None:
            return self._network.hostname()
        self._networks.option("hostname", name)
        self._network.hostname(name)
        return name

    def country(self, code=None):
        """Return the code of the country whose rules hold, or set it (two letters)."""
        return self._network.country() if code is None else self._network.country(code)

    def select_antenna(self, which):
        """Use the antenna 1 (internal) or 2 (external), from now on.

        Raises `Error(NOT_SUPPORTED)` when the board has no choice (ANTENNA of its profile: pin,
        level for 1, level for 2), ValueError.
        """
        if not hasattr(self._client._board, "ANTENNA"):
            raise Error(_NOT_SUPPORTED, "this board has one antenna only")
        if which not in (1, 2):
            raise ValueError("antenna: 1 internal, 2 external")
        self._networks.option("antenna", bytes((which,)))
        self._antenna()

    def _antenna(self):
        # sets the pin to what is stored, or internal
        pin = getattr(self._client._board, "ANTENNA", None)
        if pin:
            from machine import Pin

            which = b"\1"
            try:
                which = self._networks.option("antenna") or which
            except Error as e:
                print(e)
            Pin(pin[0], Pin.OUT, value=pin[which[0]])


def _settled(link, limit):
    # -> whether it is ready; raises when all networks were tried, or it took too long
    state = link.step(now())
    if state == _FAILED:
        raise link.error
    if state != _READY and limit is not None and diff(now(), limit) >= 0:
        raise link.error or Error(_TIMEOUT, "no network yet", "link")
    return state == _READY
