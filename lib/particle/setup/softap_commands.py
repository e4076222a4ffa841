"""The commands of softAP setup (setup-protocols 2.5): the same for TCP and HTTP.

A command is a generator of the pieces of its answer; b"" is a slice of calculation.
"""

from micropython import const

_FRESH_MS = const(5000)  # a look around takes the radio away from its visitors for 2 to 3 s
_TICKS = const(0x3FFFFFFF)
_SSID = const(32)

# WICED's numbers (2.6) for security and cipher of Device OS
_KINDS = (0, 1, 0x200000, 0x400000, 0x02200000, 0x02400000, 0x400000)
_CIPHERS = (4, 4, 2, 6)
_UNKNOWN = const(-1)


def wiced(security, cipher):
    """Return the number of softAP for ids of Device OS; WPA3 is shown as WPA2."""
    if security >= len(_KINDS):
        return _UNKNOWN
    if security < 2:
        return _KINDS[security]
    bits = _CIPHERS[cipher & 3]
    return _KINDS[security] | (4 if security == 2 and bits == 6 else bits)


def quoted(octets):
    """Return bytes as a JSON string with its quotes; what is no UTF-8 stays as it is."""
    out = bytearray(b'"')
    for octet in octets:
        if octet < 32:
            out += b"\\u%04x" % octet
        elif octet in b'"\\':
            out += bytes((92, octet))
        else:
            out.append(octet)
    return bytes(out + b'"')


class Commands:
    """Run commands with the ports of a listening mode (mode.py)."""

    def __init__(self, ports):
        self._ports = ports
        self._heard = None  # access points
        self._when = 0
        self.now = 0  # ticks; the door sets it
        self.connecting = False  # connect-ap was asked for
        self._tcp = {
            "version": self._version,
            "device-id": self._device_id,
            "scan-ap": self._scan,
        }
        self._http = dict(self._tcp)

    def complete(self, body):
        """Tell whether `body` is a whole JSON object."""
        return bytes(body).rstrip()[-1:] == b"}"

    def tcp(self, name, body):
        """Return the generator of the answer to a command, None if there is no such command."""
        command = self._tcp.get(name)
        return command and command(body)

    def http(self, name, body):
        """Do the same for what HTTP has."""
        command = self._http.get(name)
        return command and command(body)

    def access_points(self):
        """Return what the radio hears, at most 5 s old; [] when it cannot tell."""
        if self._heard is None or (self.now - self._when) & _TICKS >= _FRESH_MS:
            try:
                self._heard = self._ports["wifi"].scan()
            except OSError as e:
                print("setup: no look around:", e)
                self._heard = []
            self._when = self.now
        return self._heard

    def _version(self, body):
        yield b'{"v":2}'

    def _device_id(self, body):
        client = self._ports["client"]
        text = '{"id":"%s","c":"%d"}' % (client.device_id.upper(), 1 if client.claimed() else 0)
        yield text.encode()

    def _scan(self, body):
        comma = b'{"scans":['
        for a in self.access_points():
            ssid = bytes(a.ssid)[:_SSID]
            if ssid:
                text = ',"rssi":%d,"sec":%d,"ch":%d,"mdr":%d}' % (
                    a.rssi,
                    wiced(a.security, a.cipher),
                    a.channel,
                    a.max_data_rate,
                )
                yield comma + b'{"ssid":' + quoted(ssid) + text.encode()
                comma = b","
        yield (b"]}" if comma == b"," else comma + b"]}")
