"""`network` of the simulated board: Wi-Fi as MicroPython's documentation of `network.WLAN` says.

What is in the air is in DIR/radio.json, re-read on change:

    {"port": "esp32" or "rp2", "bands": [2, 5], "join_ms": 200, "address_ms": 100, "scan_ms": 300,
     "stations": ["020000000001"],
     "networks": [{"ssid": "Home" or "ssid_hex": "ff", "password": "..", "security": "wpa2",
                   "channel": 6, "rssi": -55, "bssid": "02aabbccddee", "hidden": false,
                   "dhcp": true, "ip": [address, mask, gateway, DNS], "ip6": ["2001:db8::5"]}]}

and "ap" (socket.py). security: open, wep, wpa, wpa2, wpa/wpa2, wpa2-enterprise, wpa3, wpa2/wpa3.
port: whose numbers and errors are used, from the next start on. Not imitated: traffic, which goes
through the host's own network, and the radio's sharing between both interfaces.
"""

import json
import time
from binascii import unhexlify

import _sim
from micropython import const

_FILE = "radio.json"
_NONE = ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")
_ADDRESS = ("192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1")
_AP_ADDRESS = ("192.168.4.1", "255.255.255.0", "192.168.4.1", "192.168.4.1")
_MAC = b"\x02\x00\x00\x53\x49\x4d"

# states of a station
_IDLE = const(0)
_JOINING = const(1)
_JOINED = const(2)  # without an address
_UP = const(3)
_FAILED = const(4)

_KINDS = "open wep wpa wpa2 wpa/wpa2 wpa2-enterprise wpa3 wpa2/wpa3".split()


class _Air:
    # radio.json
    def __init__(self):
        self._raw = None
        self._parsed = {}

    def look(self):
        raw = _sim.read(_FILE) or b"{}"
        if raw != self._raw:
            try:
                self._parsed = json.loads(raw)
            except ValueError:
                return self._parsed  # half written by hand
            self._raw = raw
        return self._parsed

    def networks(self):
        air = self.look()
        bands = air.get("bands", [2])
        found = []
        for n in air.get("networks", ()):
            if (5 if n.get("channel", 1) > 14 else 2) in bands:
                found.append(n)
        return found

    def ms(self, name, default):
        return self.look().get(name, default)


def _ssid(n):
    return unhexlify(n["ssid_hex"]) if "ssid_hex" in n else n.get("ssid", "").encode()


def _bssid(n):
    return unhexlify(n.get("bssid", "02aabbccddee"))


_air = _Air()
_ESP32 = _air.look().get("port", "esp32") == "esp32"

STA_IF = 0
AP_IF = 1
if _ESP32:
    STAT_IDLE = 1000
    STAT_CONNECTING = 1001
    STAT_GOT_IP = 1010
    STAT_NO_AP_FOUND = 201
    STAT_WRONG_PASSWORD = 202
    STAT_BEACON_TIMEOUT = 200
    STAT_ASSOC_FAIL = 203
    STAT_HANDSHAKE_TIMEOUT = 204
    _LOST = 200
    _NOT_ACTIVE = "Wifi Not Started"
else:
    STAT_IDLE = 0
    STAT_CONNECTING = 1
    STAT_WRONG_PASSWORD = -3
    STAT_NO_AP_FOUND = -2
    STAT_CONNECT_FAIL = -1
    STAT_GOT_IP = 3
    _NO_IP = 2
    _LOST = 0
    _NOT_ACTIVE = 1  # EPERM

_names = {"hostname": "mpy-" + ("esp32" if _ESP32 else "rp2"), "country": "XX"}


def hostname(name=None):
    """Return the name of this board for the network, or set it (at most 32 characters)."""
    return _name("hostname", name, 32)


def country(code=None):
    """Return the code of the country, or set it (two letters)."""
    if code is not None and len(code) != 2:
        raise ValueError
    return _name("country", code, 2)


def _name(what, value, most):
    if value is not None:
        if len(value) > most:
            raise ValueError
        _names[what] = value
    return _names[what]


class WLAN:
    """WLAN(interface): one of the two Wi-Fi interfaces; the same object every time."""

    IF_STA = 0
    IF_AP = 1
    SEC_OPEN = 0
    if _ESP32:
        SEC_WEP = 1
        SEC_WPA = 2
        SEC_WPA2 = 3
        SEC_WPA_WPA2 = 4
        SEC_WPA2_ENT = 5
        SEC_WPA3 = 6
        SEC_WPA2_WPA3 = 7
    else:
        SEC_WPA_WPA2 = 0x00400006
        SEC_WPA3 = 0x01000004
        SEC_WPA2_WPA3 = 0x01400004
        PM_NONE = 0
        PM_PERFORMANCE = 0xA11142
        PM_POWERSAVE = 0xA11C82

    _made = {}

    def __new__(cls, interface=0):
        if interface not in (0, 1):
            raise ValueError("no such interface" if _ESP32 else None)
        if interface not in cls._made:
            cls._made[interface] = self = object.__new__(cls)
            self._start(interface)
        return cls._made[interface]

    def _start(self, interface):
        self._sta = interface == 0
        self._active = False
        self._state = _IDLE
        self._code = 0  # of the failure
        self._since = 0
        self._wanted = None  # ssid, key, bssid
        self._static = None
        self._config = {"ssid": b"" if self._sta else "MPY_SIM", "channel": 1, "hidden": False}
        self._config.update({"security": 0, "reconnects": -1, "txpower": 20.0, "pm": 1})

    def __repr__(self):
        return "<WLAN %s>" % ("STA" if self._sta else "AP")

    def active(self, is_active=None):
        """Tell whether the interface is on, or switch it."""
        if is_active is not None:
            if not is_active:
                self._state = _IDLE
                self._wanted = None
                self._code = 0
            self._active = bool(is_active)
        return self._active

    def _need(self):
        if not self._sta:
            raise OSError("STA required")
        if not self._active:
            raise OSError(_NOT_ACTIVE)

    def scan(self):
        """Look around: (ssid, bssid, channel, RSSI, security, hidden or how often heard)."""
        self._need()
        time.sleep_ms(_air.ms("scan_ms", 300))
        found = []
        for n in _air.networks():
            kind = _KINDS.index(n.get("security", "wpa2"))
            if _ESP32:
                last = False
            else:
                # bits: privacy, WPA, RSN
                kind = (0, 1, 3, 5, 7, 5, 5, 5)[kind]
                last = 1
            ssid = b"" if n.get("hidden") else _ssid(n)
            found.append((ssid, _bssid(n), n.get("channel", 1), n.get("rssi", -60), kind, last))
        return found

    def connect(self, ssid=None, key=None, *, bssid=None, security=None):
        """Begin to join a network; `status` tells how it goes."""
        self._need()
        self._look()
        if ssid is None:
            if self._wanted is None:
                raise OSError("Wifi Internal Error" if _ESP32 else 22)
            ssid, key, bssid = self._wanted
        elif isinstance(ssid, str):
            ssid = ssid.encode()
        if isinstance(key, str):
            key = key.encode()
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        if _ESP32 and self._state in (_JOINING, _JOINED):
            raise OSError("Wifi Internal State Error")
        self._wanted = bytes(ssid), bytes(key or b""), bssid
        self._go(_JOINING)
        if not _ESP32:
            self._code = 0  # there the last failure is shown until the next result

    def disconnect(self):
        """Leave the network and stop trying."""
        self._need()
        self._state = _IDLE

    def _go(self, state):
        self._state = state
        self._since = time.ticks_ms()

    def _found(self):
        # -> the strongest access point of the wanted network
        ssid, _, bssid = self._wanted
        best = None
        for n in _air.networks():
            fits = _ssid(n) == ssid and bssid in (None, _bssid(n))
            if fits and (best is None or n.get("rssi", -60) > best.get("rssi", -60)):
                best = n
        return best

    def _judge(self, n):
        # -> 0, or why the network does not let this board in
        if n is None:
            return STAT_NO_AP_FOUND
        kind = n.get("security", "wpa2")
        if kind == "wpa2-enterprise" or (kind == "open") != (not self._wanted[1]):
            return STAT_ASSOC_FAIL if _ESP32 else STAT_CONNECT_FAIL
        if kind != "open" and n.get("password", "").encode() != self._wanted[1]:
            return STAT_WRONG_PASSWORD
        return 0

    def _look(self):
        # what has happened since
        if self._state == _IDLE or not self._sta:
            return None
        n = self._found()
        waited = time.ticks_diff(time.ticks_ms(), self._since)
        if self._state == _FAILED:
            again = _ESP32 and self._config["reconnects"] and self._code != 0
            if again and waited >= 1000:
                self._go(_JOINING)
        elif self._state == _JOINING:
            if waited >= _air.ms("join_ms", 200):
                code = self._judge(n)
                self._code = code
                self._go(_FAILED if code else _JOINED)
        elif self._judge(n):
            self._code = _LOST
            self._go(_FAILED)
        elif self._state == _JOINED and waited >= _air.ms("address_ms", 100):
            self._address(n)
        return n

    def _address(self, n):
        if self._static or n.get("dhcp", True):
            self._go(_UP)

    def status(self, param=None):
        """Return the state of the station, or what `param` asks for: "rssi", "stations" (AP)."""
        n = self._look()
        if param == "rssi" and self._sta:
            if self._state not in (_JOINED, _UP):
                raise OSError("Wifi Not Connected" if _ESP32 else 1)
            return n.get("rssi", -60)
        if param == "stations" and not self._sta:
            return [(unhexlify(mac),) for mac in _air.look().get("stations", ())]
        if param is not None:
            raise ValueError("unknown status param")
        if not self._sta:
            return STAT_GOT_IP if self._active and not _ESP32 else None
        if self._state == _UP:
            return STAT_GOT_IP
        if self._code:
            return self._code
        if self._state == _JOINED and not _ESP32:
            return _NO_IP
        return STAT_IDLE if self._state in (_IDLE, _FAILED) else STAT_CONNECTING

    def isconnected(self):
        """Tell whether the station has an address, or whether the access point has a station."""
        if not self._sta:
            return self._active and bool(_air.look().get("stations"))
        self._look()
        return self._state == _UP

    def ifconfig(self, config=None):
        """Return (address, mask, gateway, DNS), or set them; "dhcp" sets them by DHCP."""
        if config is None:
            if not self._sta:
                return self._static or _AP_ADDRESS
            n = self._look()
            if self._state != _UP:
                return _NONE
            usual = _ADDRESS[:3] + (_air.look().get("dns", _ADDRESS[3]),)
            return self._static or tuple(n.get("ip", usual))
        if config == "dhcp":
            self._static = None
        elif len(config) != 4:
            raise ValueError("requested length 4 but object has length %d" % len(config))
        else:
            self._static = tuple(config)
        return None

    def ipconfig(self, param=None, **values):
        """Return an address parameter: addr4, gw4, addr6, dhcp4; or set dhcp4, addr4, gw4."""
        if values:
            if values.pop("dhcp4", False):
                self._static = None
            if "addr4" in values:
                now = self._static or _AP_ADDRESS
                self._static = tuple(values.pop("addr4")) + now[2:]
            if "gw4" in values:
                now = self._static or _AP_ADDRESS
                self._static = now[:2] + (values.pop("gw4"),) + now[3:]
            if values:
                raise ValueError("unexpected key")
            return None
        if param == "addr6":
            n = self._look()
            joined = self._state in (_JOINED, _UP)
            return [(a, 0x30, 0, 0) for a in n.get("ip6", ())] if joined else []
        if param == "dhcp4":
            return self._static is None
        if param in ("addr4", "gw4"):
            found = self.ifconfig()
            return found[:2] if param == "addr4" else found[2]
        raise ValueError("unexpected key")

    def config(self, *param, **values):
        """Return a parameter (mac, ssid, channel, hidden, security ...), or set some."""
        if param and values or len(param) > 1:
            raise TypeError("either pos or kw args are allowed")
        for old, name in (("essid", "ssid"), ("authmode", "security"), ("password", "key")):
            if old in values:
                values[name] = values.pop(old)
            param = tuple([name if p == old else p for p in param])
        for name in values:
            if name == "hostname":
                hostname(values[name])
            elif name == "key":
                self._key = values[name]
            elif name not in self._config or name == "reconnects" and not _ESP32:
                raise ValueError("unknown config param")
            else:
                self._config[name] = values[name]
        if not param:
            return None
        if param[0] == "mac":
            return _MAC if self._sta else _MAC[:5] + b"\x4e"
        if param[0] == "hostname":
            return hostname()
        n = self._look() if self._sta else None
        if n and self._state in (_JOINED, _UP) and param[0] in ("ssid", "channel"):
            return _ssid(n).decode() if param[0] == "ssid" else n.get("channel", 1)
        if param[0] not in self._config or param[0] == "reconnects" and not _ESP32:
            raise ValueError("unknown config param")
        return self._config[param[0]]
