"""The commands of softAP setup (setup-protocols 2.5): the same for TCP and HTTP.

A command is a generator of the pieces of its answer; b"" is a slice of calculation.
"""

import binascii

from micropython import const

from ..errors import Error
from .mode import passed
from .softap_json import members, quoted

_FRESH_MS = const(5000)  # a look around takes the radio away from its visitors for 2 to 3 s
_SSID = const(32)
_PUBLIC = const(294)  # bytes of the public key with its padding
_KEY_MS = const(12000)  # for one that is being made; then the client is to ask again
_CODE = const(63)
_BODY = const(14000)  # bytes: an enterprise network with its certificates
_ROOM = const(16000)  # bytes of all bodies together

# WICED's numbers (2.6) for security and cipher of Device OS
_KINDS = const((0, 1, 0x200000, 0x400000, 0x02200000, 0x02400000, 0x400000))
_CIPHERS = const((4, 4, 2, 6))
_UNKNOWN = const(-1)


def wiced(security, cipher):
    """Return the number of softAP for ids of Device OS; WPA3 is shown as WPA2."""
    if security >= len(_KINDS):
        return _UNKNOWN
    if security < 2:
        return _KINDS[security]
    bits = _CIPHERS[cipher & 3]
    return _KINDS[security] | (4 if security == 2 and bits == 6 else bits)


class Commands:
    """Run commands with the ports of a listening mode (mode.py); key: a `softap_key.SetupKey`.

    now: ticks that whoever steps the servers sets. connecting: connect-ap was asked for. tried:
    SSID -> whether its password was refused, of what was tried (portal.py) as it is stored now.
    """

    def __init__(self, ports, key):
        self.ports = ports
        self.key = key
        self.now = 0
        self.connecting = False
        self.tried = {}
        self._room = _ROOM
        self._heard = None  # access points
        self._when = 0
        self._all = {
            "version": self._version,
            "device-id": self._device_id,
            "scan-ap": self._scan,
            "configure-ap": self._configure,
            "connect-ap": self._connect,
            "public-key": self._public_key,
            "set": self._set,
        }

    # bodies

    def keep(self, body, data, start, end):
        """Append data[start:end] to `body`; return False when there is no room for it."""
        n = end - start
        if n > self._room or len(body) + n > _BODY:
            return False
        self._room -= n
        body += data[start:end]
        return True

    def give_back(self, body):
        """Note that a body is gone, or None."""
        if body:
            self._room += len(body)

    # commands

    def tcp(self, name, body):
        """Return the generator of the answer on TCP, None if there is no such command."""
        name = str(name, "ascii") if name and max(name) < 128 else ""
        if name in ("ant-internal", "ant-external"):
            return self._antenna(1 if name == "ant-internal" else 2)
        command = self._all.get(name)
        return command and _blank_lines_first(command(body))

    def http(self, name, body):
        """Return the generator of the answer on HTTP, None if there is no such command."""
        command = self._all.get(name)
        return command and command(body)

    def access_points(self):
        """Return what the radio hears, at most 5 s old; [] when it cannot tell."""
        if self._heard is None or passed(self.now, self._when) >= _FRESH_MS:
            try:
                self._heard = self.ports["wifi"].scan()
            except OSError as e:
                print("setup: no look around:", e)
                self._heard = []
            self._when = self.now
        return self._heard

    def _version(self, body):
        yield b'{"v":2}'

    def _device_id(self, body):
        client = self.ports["client"]
        try:
            claimed = client.claimed()
        except Error as e:
            print("setup: claim code:", e)  # damaged: another one can be set
            claimed = False
        yield ('{"id":"%s","c":"%d"}' % (client.device_id.upper(), claimed)).encode()

    def _scan(self, body):
        before = b'{"scans":['
        for a in self.access_points():
            ssid = bytes(a.ssid)[:_SSID]
            if ssid:
                text = ',"rssi":%d,"sec":%d,"ch":%d,"mdr":%d}' % (
                    a.rssi,
                    wiced(a.security, a.cipher),
                    a.channel,
                    a.max_data_rate,
                )
                yield before + b'{"ssid":' + quoted(ssid) + text.encode()
                before = b","
        yield b"]}" if before == b"," else before + b"]}"

    def _public_key(self, body):
        key = self.key
        since = self.now
        while key.making() and passed(self.now, since) < _KEY_MS:
            yield b""
        if key.public is None:
            yield b'{"r":1}'
            return
        padded = key.public + bytes(_PUBLIC - len(key.public))
        yield b'{"b":"' + binascii.hexlify(padded).upper() + b'","r":0}'

    def _set(self, body):
        try:
            given = members(body, ("k", "v"))
        except ValueError:
            return
        code = -1
        value = given.get("v", b"")[:_CODE]
        if given.get("k", b"")[:2] == b"cc" and value:
            try:
                self.ports["client"].claim(value)
                code = 0
            except (Error, ValueError) as e:
                print("setup: claim code:", e)
        yield b'{"r":%d}' % code

    def _configure(self, body):
        from .softap_configure import configure

        try:
            code = yield from configure(self, body)
        except ValueError:
            return  # no JSON of this command: no answer
        yield b'{"r":%d}' % code

    def _connect(self, body):
        self.connecting = True
        yield b'{"r":0}'

    def _antenna(self, which):
        try:
            self.ports["wifi"].select_antenna(which)
        except Error as e:
            print("setup:", e)
        yield from ()


def _blank_lines_first(pieces):
    before = b"\n\n"
    for piece in pieces:
        if piece and before:
            piece = before + piece
            before = b""
        yield piece
    if before:
        yield before
