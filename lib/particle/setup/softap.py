"""The door of setup by phone (setup-protocols 2): an open access point of our own and what
listens on its address, and only there, while listening mode lasts.
"""

import os
import time

from micropython import const

from ..errors import Error
from .mode import passed
from .softap_commands import Commands
from .softap_dns import Names
from .softap_http import HttpTalk, Site
from .softap_server import Server
from .softap_tcp import TcpTalk

_NOT_SUPPORTED = const(-120)  # error number of Device OS (errors.py)

_CHANNEL = const(11)
_TCP = const(5609)
_HTTP = const(80)
_DNS = const(53)
_CYW43_GOT_IP = const(3)
_BUFFER = const(512)
_CALCULATE_MS = const(4)  # in one step, or one slice
_FLUSH_MS = const(400)  # for an answer to leave before the access point goes
_LONGEST_MS = const(1500)  # for it to be taken

_ADDRESS = const(("192.168.0.1", "255.255.255.0", "192.168.0.1", "192.168.0.1"))
_SYMBOLS = const(b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ")
_FILE = const("apcode")
_PREFIX = const(25)  # bytes


def device_code(number):
    """Return the 6 characters that stand for a random u32 (2.1)."""
    return bytes([_SYMBOLS[number >> 5 * i & 31] for i in range(6)])


def ssid(store, prefix, rng=os.urandom):
    """Return the name of the access point: PREFIX-CODE. The code is made and stored once.

    Raises `Error(FILE)`.
    """
    code = store.read(_FILE)
    if code is None or len(code) not in (4, 6) or not all(c in _SYMBOLS for c in code):
        code = device_code(int.from_bytes(rng(4), "little"))
        store.write(_FILE, code)
    while len(prefix.encode()) > _PREFIX:
        prefix = prefix[:-1]
    return prefix + "-" + code.decode()


class Door:
    """Setup by phone, for the time of one listening mode (mode.py).

    ports: also "rsa" and "keygen" (softap_key.py). network: for tests.
    """

    def __init__(self, ports, network=None):
        self._ports = ports
        self._network = network
        self._wlan = None  # of the access point, while it is on
        self._servers = []
        self._asked = None  # ticks of when connect-ap was noticed

    def open(self, now):
        """Begin; raise OSError when the radio or its network refuses."""
        ports = self._ports
        try:
            from .softap_key import SetupKey
        except ImportError as e:
            text = "setup by phone needs the component core-tcp (%s)" % e
            raise Error(_NOT_SUPPORTED, text) from None
        self._buf = bytearray(_BUFFER)
        self._key = SetupKey(ports)
        self._commands = commands = Commands(ports, self._key)
        name = ssid(ports["store"], ports["client"].setup_prefix or "Photon")
        address = self._start(name)
        try:
            from .portal import page

            pages = page(ports, commands, address, name)
        except ImportError as e:
            if "portal" not in str(e):
                raise
            pages = None
        site = Site(commands, pages)
        servers = self._servers
        servers.append(Server(address, _TCP, lambda: TcpTalk(commands)))
        servers.append(Server(address, _HTTP, lambda: HttpTalk(site)))
        try:
            servers.append(Names(address, _DNS, address))
        except OSError as e:
            print("setup: no names, the page is found by its address only:", e)
        print("setup: join the network %s with a phone: http://%s/" % (name, address))

    def _start(self, name):
        # switches an open access point on -> its address
        network = self._network
        if network is None:
            import network
        self._wlan = wlan = network.WLAN(network.AP_IF)
        cyw43 = network.STAT_GOT_IP == _CYW43_GOT_IP
        # what its radio is told counts when it is switched on
        wlan.active(not cyw43)
        wlan.config(ssid=name, channel=_CHANNEL, security=0)
        wlan.active(True)
        if not cyw43:  # whose DHCP server would not follow another address
            wlan.ifconfig(_ADDRESS)
        return wlan.ifconfig()[0]

    def step(self, now):
        """Serve every visitor a little; return what the listening mode is to do (mode.py)."""
        self._commands.now = now
        began = time.ticks_ms()
        working = True
        while working:
            working = self._key.step()
            for server in self._servers:
                working = server.step(now, self._buf) or working
            if passed(time.ticks_ms(), began) >= _CALCULATE_MS:
                break
        if self._key.exhausted():
            print("setup: ended, too many passwords that cannot be decrypted")
            return "leave"
        if not self._commands.connecting:
            return None
        # the answer to connect-ap is on its way
        if self._asked is None:
            self._asked = now
        busy = self._servers[0].visits() or self._servers[1].visits()
        waited = passed(now, self._asked) >= (_LONGEST_MS if busy else _FLUSH_MS)
        return "connect" if waited else None

    def close(self):
        """End it all; may be called twice, and after an `open` that failed."""
        while self._servers:
            self._servers.pop().close()
        if self._wlan is not None:
            try:
                self._wlan.active(False)
            except OSError as e:
                print("setup: access point:", e)
            self._wlan = None
