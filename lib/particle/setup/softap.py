"""The door of setup by phone (setup-protocols 2): an open access point of our own and what
listens on its address, and only there, while listening mode lasts.
"""

from micropython import const

from .softap_commands import Commands
from .softap_http import HttpTalk, Site
from .softap_server import Server

_CHANNEL = const(11)
_HTTP = const(80)
_ADDRESS = ("192.168.0.1", "255.255.255.0", "192.168.0.1", "192.168.0.1")


class AccessPoint:
    """The radio as an open access point. network: MicroPython's module."""

    def __init__(self, network=None):
        if network is None:
            import network
        self._network = network
        self._wlan = network.WLAN(network.AP_IF)

    def start(self, ssid):
        """Switch it on; return its address. Raises OSError."""
        wlan = self._wlan
        cyw43 = self._network.STAT_GOT_IP == 3
        options = {"ssid": ssid, "channel": _CHANNEL, "security": 0}
        if cyw43:
            wlan.config(**options)  # is used when it is switched on; esp32 must be on before
        wlan.active(True)
        if not cyw43:
            wlan.config(**options)
            # CYW43's DHCP server would go on to give out the address that it was built with
            wlan.ifconfig(_ADDRESS)
        return wlan.ifconfig()[0]

    def stop(self):
        """Switch it off."""
        self._wlan.active(False)


def portal(ports, commands):
    """Return the function page(path, query) of the installed portal, None without one."""
    try:
        from .portal import page
    except ImportError as e:
        if "portal" not in str(e):
            raise
        return None
    return page(ports, commands)


class Door:
    """Setup by phone, for the time of one listening mode (mode.py)."""

    def __init__(self, ports, network=None):
        self._ports = ports
        self._network = network
        self._access_point = None
        self._servers = []

    def open(self, now):
        """Begin; raise OSError when the radio or its network refuses."""
        self._buf = bytearray(512)
        self._commands = commands = Commands(self._ports)
        self._access_point = ap = AccessPoint(self._network)
        address = ap.start("Photon-TEST")
        site = Site(commands, portal(self._ports, commands))
        self._servers.append(Server(address, _HTTP, lambda: HttpTalk(site)))

    def step(self, now):
        """Serve every visitor a little."""
        self._commands.now = now
        for server in self._servers:
            server.step(now, self._buf)

    def close(self):
        """End it all; may be called twice, and after an `open` that failed."""
        while self._servers:
            self._servers.pop().close()
        if self._access_point is not None:
            self._access_point.stop()
            self._access_point = None
