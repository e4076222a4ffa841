"""The simulated board's `network` with air and clock in memory, for tests of Wi-Fi.

`SOURCE` is None where the board's modules cannot be read (emulated processors).
"""

import json
import sys

try:
    with open("boards/UNIX_SIM/modules/network.py") as _file:
        SOURCE = _file.read()
except OSError:
    SOURCE = None

HOME = {"ssid": "Home", "password": "correct horse", "rssi": -60, "channel": 6}


class Clock:
    """`time` and `_sim` of the module: `ms` goes on by sleeping only."""

    def __init__(self, air):
        self.ms = 1000
        self.air = air

    def ticks_ms(self):
        """Return the time in ms."""
        return self.ms

    def ticks_diff(self, a, b):
        """Return the time from b to a."""
        return a - b

    def sleep_ms(self, ms):
        """Let time pass."""
        self.ms += ms

    def read(self, name):
        """Return radio.json."""
        return json.dumps(self.air).encode()


class Radio:
    """A module `network`: `net`; `clock.air` is what is in radio.json."""

    def __init__(self, port, *networks):
        self.clock = Clock({"port": port, "networks": list(networks)})
        module = {"__name__": "network"}
        kept = [(name, sys.modules.get(name)) for name in ("_sim", "time")]
        for name, _ in kept:
            sys.modules[name] = self.clock
        try:
            exec(SOURCE, module)
        finally:
            for name, old in kept:
                del sys.modules[name]
                if old:
                    sys.modules[name] = old
        for name in module:
            if name[0] != "_":
                setattr(self, name, module[name])


class Known:
    """`Networks` as a link sees them."""

    def __init__(self, *networks, **options):
        self.networks = list(networks)
        self.options = options
        self.worked = []

    def __iter__(self):
        return iter(self.networks)

    def password(self, ssid):
        """Return the password of a network."""
        for n in self.networks:
            if n.ssid == ssid:
                return n.secret
        return None

    def option(self, name):
        """Return an option of the board."""
        return self.options.get(name)

    def used(self, ssid):
        """Take note of a success."""
        self.worked.append(ssid)


class Entry:
    """A known network."""

    def __init__(self, ssid, secret=None, **more):
        self.ssid = ssid
        self.secret = secret
        self.security = 3 if secret else 0
        self.hidden = False
        self.channel = self.eap = 0
        self.bssid = self.static = None
        for name in more:
            setattr(self, name, more[name])
