"""The serial console of listening mode: one letter per command (setup-protocols 6).

What a person or Particle's CLI types comes in, byte by byte; the dialogues are generators, which
yield None for the next byte, or a number of ms after which they go on, with everything sent.
"""

import json
from binascii import a2b_base64, hexlify

from micropython import const

from ..errors import Error

_CTRL_C = const(3)
_REMOVERS = const(b"\x08\x7f")  # backspace, delete
_ENDS = const(b"\r\n")
_CHUNK = const(64)  # bytes read and written at a time: 5 ms at 115200 baud
_LAST_MS = const(1000)  # for the last words to leave
_TICKS = const(0x3FFFFFFF)

# security and cipher of Device OS (device-api 6)
_OPEN = const(0)
_ENTERPRISE = const((4, 5))
_WPA3 = const(6)
_UNKNOWN = const(255)

_CODE = const(63)
_SSID = const(32)
_PASSWORD = const(64)
_CERTIFICATE = const(4095)
_PRIVATE_KEY = const(2047)

_SECURITY = const("Security 0=unsecured, 1=WEP, 2=WPA, 3=WPA2")
_MORE = const(", 4=WPA Enterprise, 5=WPA2 Enterprise: ")
_CIPHER = const("Security Cipher 1=AES, 2=TKIP, 3=AES+TKIP: ")
_EAP = const("EAP Type 0=PEAP/MSCHAPv2, 1=EAP-TLS: ")
_DONE = const("""Awesome. Now we'll connect!\r
\r
If you see a pulsing cyan light, your device \r
has connected to the Cloud and is ready to go!\r
\r
If your LED flashes red or you encounter any other problems,\r
visit https://www.particle.io/support to debug.\r
\r
    Particle <3 you!\r
\r
""")
_PROPERTIES = {
    "ms": "Device Secret",
    "sn": "Serial Number",
    "imei": "IMEI",
    "iccid": "ICCID",
    "cellfw": "Cell Radio Version",
}
_GEN2 = const((6, 8))  # platforms that answer `i` in their own way: Photon, P1


def der(pem):
    """Return what is in a text in PEM as DER, b"" for nothing; raise ValueError."""
    pem = pem.strip()
    if not pem:
        return b""
    first, _, rest = pem.partition(b"\n")
    body, last, _ = rest.rpartition(b"\n-----END ")
    if first[:11] != b"-----BEGIN " or not last:
        raise ValueError("no PEM")
    return a2b_base64(body)


class Prompt:
    """The stream of the REPL, taken from it until `close`: Ctrl-C is a byte meanwhile."""

    interrupts = True

    def __init__(self):
        import select
        import sys

        import micropython

        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)
        self._kbd_intr = micropython.kbd_intr
        self._kbd_intr(-1)

    def read(self, n):
        """Return a byte, None when there is none now, b"" when there will be none."""
        return self._in.read(1) if self._poll.poll(0) else None

    def write(self, data):
        """Write all of it."""
        self._out.write(data)
        if hasattr(self._out, "flush"):
            self._out.flush()
        return len(data)

    def close(self):
        """Give it back."""
        self._kbd_intr(_CTRL_C)


class Door:
    """The console, on the stream that ports["console"]() gives: None while there is none."""

    def __init__(self, ports):
        self._ports = ports
        self._wifi = ports["wifi"]
        self._client = ports["client"]
        self._stream = None
        self._ended = False  # the stream: nothing comes any more
        self._out = bytearray()
        self._drop = False  # what waits to be read is thrown away
        self._result = None
        self._until = None  # when the dialogue goes on, or the last words must have left
        self._talk = None  # the dialogue that is going on

    def open(self, now):
        """Do nothing: the stream is taken when it is free."""

    def close(self):
        """Give the stream back."""
        stream = self._stream
        self._stream = None
        if stream is not None and hasattr(stream, "interrupts"):
            stream.close()

    def step(self, now):
        """Move bytes; return "connect" or "leave" when that was asked for and the answer is out.

        Raises KeyboardInterrupt when Ctrl-C was typed where the REPL is.
        """
        if self._stream is None:
            self._stream = self._ports["console"]()
            if self._stream is None:
                return None
        self._write()
        for _ in range(_CHUNK):
            if self._drop:
                self._drop = self._next() is not None
        if self._drop:
            return None
        if self._until is not None:
            due = (now - self._until) & _TICKS < _TICKS >> 1
            if self._result:
                return self._result if due or not self._out else None
            if not due or self._out:
                return None
            self._until = None
            self._go_on(now, None)
        for _ in range(_CHUNK):
            if self._drop or self._until is not None:
                break
            byte = self._next()
            if byte is None:
                break
            if self._talk is None:
                self._talk = self._command(chr(byte))
                byte = None
            self._go_on(now, byte)
        self._write()
        return None

    def _next(self):
        # the next byte, None when there is none
        if self._ended:
            return None
        data = self._stream.read(1)
        console = hasattr(self._stream, "interrupts")
        if not data:
            self._ended = console and data is not None
            return None
        if console and data[0] == _CTRL_C:
            raise KeyboardInterrupt
        return data[0]

    def _go_on(self, now, byte):
        try:
            pause = self._talk.send(byte)
        except StopIteration:
            self._talk = None
            pause = _LAST_MS if self._result else None
        except (ImportError, OSError) as e:
            self._talk = None  # of the store, or a part is not installed: the console goes on
            print("setup:", e)
            return
        if pause is not None:
            self._until = (now + pause) & _TICKS

    def _write(self):
        if self._out:
            n = self._stream.write(bytes(self._out[:_CHUNK])) or 0
            self._out = self._out[n:]

    def _say(self, text):
        self._out += text.encode() if isinstance(text, str) else text

    # what is typed

    def _line(self, most):
        # one line; it ends, too, when there is no room for more
        line = bytearray()
        while True:
            byte = yield None
            if byte in _ENDS or len(line) == most:
                break
            if byte in _REMOVERS:
                if not line:
                    continue
                line = line[:-1]
            else:
                line.append(byte)
            self._out.append(byte)
        self._say("\r\n")
        return bytes(line)

    def _ask(self, prompt, most, only=None):
        # the answer; only: the characters that are one
        while True:
            self._say(prompt)
            line = yield from self._line(most)
            self._drop = True  # what waits was typed before the next question
            yield 0
            if only is None or line and line in only:
                return line

    def _text(self, prompt, most):
        # a text of several lines, DER if it was PEM; None when it is neither
        self._say(prompt)
        text = b""
        while True:
            line = yield from self._line(most)
            if not line:
                break
            if len(text) <= most:
                text += line + b"\r\n"
        self._drop = True
        yield 0
        try:
            return der(text) if len(text) - 2 <= most else None
        except ValueError:
            return None

    # what is answered

    def _command(self, letter):
        client = self._client
        if letter == "x":
            self._result = "leave"
        elif letter == "w":
            yield from self._network()
        elif letter == "i" and client.platform_id in _GEN2:
            self._say("Your device id is %s\r\n" % client.device_id)
        elif letter == "i":
            self._say("Device ID: %s\r\n" % client.device_id)
            for name, value in client.properties():
                self._say("%s: %s\r\n" % (_PROPERTIES.get(name, name), value))
        elif letter == "m":
            mac = hexlify(self._wifi.mac, ":").decode()
            self._say("Your device MAC address is\r\n%s\r\n" % mac)
        elif letter == "v":
            self._say("system firmware version: %s\n\r\n" % client.version)
        elif letter == "s":
            self._say('{"p":%d' % client.platform_id)
            for name, value in client.properties():
                if name not in ("ms", "sn"):  # the cloud's variant of the list
                    self._say(',"%s":"%s"' % (name, value))
            self._say(',"m":')
            self._say(client.modules())
            self._say("}\r\n")
        elif letter == "d":
            self._say(json.dumps(client.vitals()) + "\r\n")
        elif letter == "c":
            self._say("Device claimed: %s\r\n" % ("yes" if client.claimed() else "no"))
        elif letter == "C":
            code = yield from self._ask("Enter 63-digit claim code: ", _CODE)
            if len(code) == _CODE:
                client.claim(code)
                self._say(b"Claim code set to: %s\r\n" % code)
            else:
                self._say("Sorry, claim code is not 63 characters long. Claim code unchanged.\r\n")
        elif letter == "f":
            self._say("Waiting for the binary file to be sent ... (press 'a' to abort)\r\n")
            yield 100
            self._say("\x18\x18\x18\x18Serial/YModem flashing is no longer supported\r\n")
        elif letter == "L":
            self._ports["power"].safe_mode(True)

    def _network(self):
        ssid = b""
        while not ssid:
            ssid = yield from self._ask("SSID: ", _SSID)
        security, cipher = _UNKNOWN, 0
        try:
            for found in self._wifi.scan():
                if found.ssid == ssid and security == _UNKNOWN:
                    security, cipher = found.security, found.cipher
        except OSError as e:
            print("setup:", e)
        seen = security != _UNKNOWN
        enterprise = self._wifi.enterprise
        if not seen:
            prompt = _SECURITY + (_MORE if enterprise else ": ")
            choices = b"0123456" if enterprise else b"01236"
            security = int((yield from self._ask(prompt, 1, choices)))
        if not cipher and security != _WPA3:
            cipher = int((yield from self._ask(_CIPHER, 1, b"123")))
        password = None
        more = {}
        if security in _ENTERPRISE and not enterprise:
            more = None
        elif security in _ENTERPRISE:
            password, more = yield from self._eap()
        elif security != _OPEN:
            password = yield from self._ask("Password: ", _PASSWORD)
        self._say("Thanks! Wait while I save those credentials...\r\n\r\n")
        yield 0
        try:
            if more is None or security != _OPEN and not (password or more):
                raise ValueError("incomplete")
            self._wifi.set_credentials(
                ssid, password, security=security, cipher=cipher, hidden=not seen, **more
            )
        except (Error, ValueError):
            self._say("Derp. Sorry, we couldn't save the credentials.\r\n\r\n")
            return
        self._say(_DONE)
        self._result = "connect"

    def _eap(self):
        # -> password, the other fields; None for what cannot be stored
        kind = yield from self._ask(_EAP, 1, b"01")
        more = {"eap": "tls" if kind == b"1" else "peap"}
        password = None
        if kind == b"0":
            more["identity"] = yield from self._ask("Username: ", _PASSWORD)
            password = yield from self._ask("Password: ", _PASSWORD)
        else:
            prompt = "Client certificate in PEM format:\r\n"
            more["client_cert"] = yield from self._text(prompt, _CERTIFICATE)
            prompt = "Private key in PEM format:\r\n"
            more["private_key"] = yield from self._text(prompt, _PRIVATE_KEY)
        outer = yield from self._ask("Outer identity (optional): ", _PASSWORD)
        if outer:
            more["outer_identity"] = outer
        more["ca_cert"] = yield from self._text(
            "Root CA in PEM format (optional):\r\n", _CERTIFICATE
        )
        return password, None if None in more.values() else more
