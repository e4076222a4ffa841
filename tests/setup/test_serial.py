"""The serial console over a fake stream: the recorded dialogues, and what nobody should type."""

import json
from collections import namedtuple

from particle.errors import Error
from particle.setup.serial import Door, der
from support import raises, vectors

Heard = namedtuple("Heard", "ssid security cipher")
AIR = [
    Heard(b"other", 3, 1),
    Heard(b"HomeWiFi", 3, 3),
    Heard(b"Guest", 0, 0),
    Heard(b"Corporate", 5, 1),
    Heard(b"caf\xe9", 6, 1),
]
DONE = "Thanks! Wait while I save those credentials...\r\n\r\n"
AWESOME = "Awesome. Now we'll connect!"
DERP = "Derp. Sorry, we couldn't save the credentials.\r\n\r\n"
PEM = "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"


class Stream:
    """A UART: at most `room` bytes are taken at a time."""

    def __init__(self, room=1000):
        self.inbox = b""
        self.outbox = b""
        self.room = room

    def read(self, n):
        found, self.inbox = self.inbox[:n], self.inbox[n:]
        return found or None

    def write(self, data):
        self.outbox += data[: self.room]
        return min(len(data), self.room)


class Repl(Stream):
    """The REPL's stream."""

    interrupts = True
    closed = False

    def close(self):
        self.closed = True


class Eager(Stream):
    """Somebody who answers a prompt while its last byte is on its way."""

    answers = ()

    def write(self, data):
        n = super().write(data)
        if self.answers and self.outbox.endswith((b": ", b":\r\n")):
            self.inbox += self.answers[0]
            self.answers = self.answers[1:]
        return n


class Console:
    """A board with a console, and all that the console asks it for."""

    mac = b"\xa4\xcf\x12\x00\x11\x22"
    device_id = "e00fce68aabbccddeeff0011"
    platform_id = 12
    version = "6.2.0"
    is_claimed = False
    enterprise = False
    broken = None
    listed = ()
    mods = b"[]"

    def __init__(self, stream=None, **more):
        for name in more:
            setattr(self, name, more[name])
        self.stream = stream or Stream()
        self.stored = []
        self.code = None
        self.resets = []
        ports = {"wifi": self, "client": self, "power": self, "console": lambda: self.stream}
        self.door = Door(ports)
        self.door.open(0)
        self.now = 0x3FFFFF00
        self.said = None

    def step(self, count=60):
        """Let time pass until nothing happens any more."""
        for _ in range(count):
            self.now = (self.now + 10) & 0x3FFFFFFF
            self.said = self.door.step(self.now)
            if self.said:
                break

    def type(self, text):
        """Type and return what the console says."""
        self.stream.inbox += text.encode() if isinstance(text, str) else text
        self.step()
        out, self.stream.outbox = self.stream.outbox, b""
        return out

    # the ports

    def scan(self):
        if self.broken:
            raise OSError(5)
        return AIR

    def set_credentials(self, ssid, password=None, **more):
        if more["security"] and not more.get("eap") and len(password) < 5:
            raise ValueError("password: 8 to 63 bytes")
        self.stored.append((ssid, password, more))

    def properties(self):
        return self.listed

    def claimed(self):
        return self.is_claimed

    def claim(self, code):
        if self.broken:
            raise Error(-225, "cannot write", "store")
        self.code = code

    def modules(self):
        return self.mods

    def vitals(self):
        return {"sys:uptime": 5, "net:rssi": None}

    def safe_mode(self, listen):
        self.resets.append(listen)


GEN2 = {"platform_id": 6, "device_id": "320020001847333531323135"}
ARGON = [("ms", "ABCDEFGHIJKLMNO"), ("sn", "ARGHKB000ABC123")]
BORON = [
    ("ms", "ABCDEFGHIJKLMNO"),
    ("sn", "B40HAB000ABC123"),
    ("imei", "352753090111111"),
    ("iccid", "89314404000111111111"),
    ("cellfw", "L0.0.00.00.05.06,A.02.00"),
]
BOARDS = {
    "i on Gen 2": GEN2,
    "i on Gen 3 Wi-Fi": {"listed": ARGON},
    "i on Gen 3 cellular": {"listed": BORON},
    "w, PEAP (Photon), network not seen": {"enterprise": True},
}


def test_recorded_dialogues():
    transcripts = vectors("setup-serial.json")["transcripts"]
    for t in transcripts:
        more = BOARDS.get(t["name"], {})
        if t["name"] == "s":
            more = {"mods": t["recv"][t["recv"].index("[") : -3].encode()}
        for room in (1000, 8):
            c = Console(Stream(room), **more)
            if room == 8:  # a slow UART says the same
                first = c.step
                c.step = lambda count=900, first=first: first(count)
            for step in t.get("steps", [t]):
                assert c.type(step["send"]) == step["recv"].encode(), (t["name"], step)
            last = t.get("steps", [t])[-1]["recv"]
            assert c.said == (
                "leave" if t["name"] == "x" else "connect" if AWESOME in last else None
            )
    assert len(transcripts) > 15


def test_what_is_stored():
    for typed, stored in (
        (
            ("HomeWiFi\n", "correct horse\n"),
            (b"HomeWiFi", b"correct horse", {"security": 3, "cipher": 3, "hidden": False}),
        ),
        (
            ("Attic\r", "2\r", "3\n", "hunter22\n"),
            (b"Attic", b"hunter22", {"security": 2, "cipher": 3, "hidden": True}),
        ),
        (("Guest\n", "1\n"), (b"Guest", None, {"security": 0, "cipher": 1, "hidden": False})),
        (
            (b"caf\xe9\n", b"caf\xe9caf\xe9\n"),
            (b"caf\xe9", b"caf\xe9caf\xe9", {"security": 6, "cipher": 1, "hidden": False}),
        ),
        (
            ("A" * 32 + "BC", "6\n", "x" * 64 + "\n"),
            (b"A" * 32, b"x" * 64, {"security": 6, "cipher": 0, "hidden": True}),
        ),
    ):
        c = Console()
        c.type("w")
        for line in typed:
            c.type(line)
        assert c.stored == [stored] and c.said == "connect"
        assert c.code is None


def test_editing():
    c = Console()
    c.type("w")
    assert c.type("\x08\x7fHonm\x08\x7fme") == b"Honm\x08\x7fme"
    assert c.type("WiFi\r") == b"WiFi\r\nPassword: "
    # a line end may be two characters; the second is no answer
    c = Console()
    c.type("w")
    assert c.type("HomeWiFi\r\n") == b"HomeWiFi\r\nPassword: "
    # the character behind a full line ends it, whatever it is
    c = Console()
    c.type("w")
    assert c.type("A" * 32 + "\x7f").startswith(b"A" * 32 + b"\r\nSecurity")
    assert c.type("3") == b"3" and c.type("x").startswith(b"\r\nSecurity Cipher")


def test_an_answer_that_comes_with_the_prompt():
    c = Console(Eager(), enterprise=True)
    c.stream.answers = [b"Corporate\n", b"0\n", b"me\n", b"secret12\n", b"\n", b"\n"]
    c.stream.inbox = b"w"
    c.step()
    assert c.said == "connect" and c.stored[0][:2] == (b"Corporate", b"secret12")


def test_asked_again():
    c = Console()
    c.type("w")
    assert c.type("\n") == b"\r\nSSID: "
    assert b"Security" in c.type("nowhere\n")
    for wrong in ("9\n", "\n", "4\n", "x\n", "\xff\n"):
        assert c.type(wrong).endswith(b"Security 0=unsecured, 1=WEP, 2=WPA, 3=WPA2: ")
    assert c.type("3\n").endswith(b"3=AES+TKIP: ")
    for wrong in ("0\n", "4\n", "\n"):
        assert c.type(wrong).endswith(b"3=AES+TKIP: ")
    assert c.type("1\n").endswith(b"Password: ")
    assert c.type("\n").endswith((DONE + DERP).encode()) and c.said is None
    # and it can be tried again
    assert c.type("w") == b"SSID: "


def test_enterprise():
    blob = "QUJD" * 16
    c = Console(enterprise=True)
    c.type("w")
    assert c.type("Corporate\n").endswith(b"EAP Type 0=PEAP/MSCHAPv2, 1=EAP-TLS: ")
    assert c.type("1\n").endswith(b"Client certificate in PEM format:\r\n")
    out = c.type(PEM % blob)
    assert out == (PEM % blob).replace("\n", "\r\n").encode()
    assert c.type("\n") == b"\r\nPrivate key in PEM format:\r\n"
    assert c.type((PEM % "S0VZ") + "\n").endswith(b"Outer identity (optional): ")
    assert c.type("\n").endswith(b"Root CA in PEM format (optional):\r\n")
    assert AWESOME.encode() in c.type((PEM % blob + "\n").replace("\n", "\r"))
    ssid, password, more = c.stored[0]
    assert (ssid, password, more["security"], more["eap"]) == (b"Corporate", None, 5, "tls")
    assert more["client_cert"] == more["ca_cert"] == b"ABC" * 16 and more["private_key"] == b"KEY"
    assert "outer_identity" not in more and "identity" not in more
    # what is no certificate, or too long for one, is not stored
    for bad in ("no PEM\n\n", PEM % ("QUJD" * 1100) + "\n", "-----BEGIN A-----\n\n"):
        c = Console(enterprise=True)
        for line in ("w", "Corporate\n", "0\n", "me\n", "secret12\n", "\n"):
            c.type(line)
        c.stream.inbox = bad.encode()
        c.step(300)
        assert c.stream.outbox.endswith((DONE + DERP).encode())
        assert c.stored == [] and c.said is None
        c.stream.outbox = b""
        assert c.type("w") == b"SSID: "
    # a radio that cannot join such a network does not take it
    c = Console()
    c.type("w")
    assert c.type("Corporate\n") == ("Corporate\r\n" + DONE + DERP).encode()


def test_garbage():
    c = Console()
    letters = {ord(x) for x in "ximvsdcCfLw"}
    assert c.type(bytes([n for n in range(256) if n not in letters])) == b""
    assert c.type("i").startswith(b"Device ID")
    # lines of 4 kB: what waits behind a full line is thrown away, and it is ready again
    c.type("w")
    c.stream.inbox = b"A" * 4096
    c.step(200)
    assert c.stream.inbox == b"" and c.type("").endswith(b"3=WPA2: ")
    c.stream.inbox = b"\x00\xff" * 2048
    c.step(200)
    assert c.stream.inbox == b"" and c.type("").endswith(b"3=WPA2: ")
    assert c.type("0\n").endswith(b"3=AES+TKIP: ")
    assert AWESOME.encode() in c.type("1\n")


def test_a_step_is_short():
    c = Console()
    c.stream.inbox = b"i" * 4096
    c.door.step(0)
    assert len(c.stream.inbox) >= 4096 - 64 and len(c.stream.outbox) <= 128


def test_claim_codes():
    c = Console(broken=True)
    c.type("C")
    c.type("A" * 63 + "\n")
    assert c.type("c") == b"Device claimed: no\r\n"  # the console goes on
    c = Console(is_claimed=True)
    c.type("C")
    assert c.type("B" * 70) == b"B" * 63 + b"\r\nClaim code set to: " + b"B" * 63 + b"\r\n"
    assert c.code == b"B" * 63
    assert c.type("c") == b"Device claimed: yes\r\n"


def test_a_scan_that_fails():
    c = Console(broken=True)
    c.type("w")
    assert b"Security 0" in c.type("HomeWiFi\n")


def test_letters():
    c = Console(listed=BORON + [("hw", "7")])
    found = json.loads(c.type("s"))
    assert found["p"] == 12 and found["imei"] == "352753090111111" and "ms" not in found
    assert json.loads(c.type("d")) == {"sys:uptime": 5, "net:rssi": None}
    assert c.type("i").endswith(b"hw: 7\r\n")
    assert c.type("L") == b"" and c.resets == [True]
    # the answer to f takes a moment
    c.stream.inbox = b"f"
    c.step(8)
    assert c.stream.outbox.endswith(b"to abort)\r\n")
    c.step(8)
    assert c.stream.outbox.endswith(b"no longer supported\r\n")


def test_the_prompt():
    stream = Repl()
    c = Console(stream)
    c.type("w")
    stream.inbox = b"Home\x03"
    raises(KeyboardInterrupt, c.step)
    c.door.close()
    assert stream.closed
    # on a UART it is a byte like others
    c = Console()
    c.type("w")
    assert c.type("\x03") == b"\x03"
    c.door.close()

    class Ended(Repl):
        def read(self, n):
            self.reads = getattr(self, "reads", 0) + 1
            return b""

    c = Console(Ended())
    c.step()
    assert c.stream.reads == 1


def test_no_stream_yet():
    c = Console()
    stream, c.stream = c.stream, None
    c.step(3)
    c.stream = stream
    assert c.type("v").startswith(b"system firmware")
    c.door.close()


def test_pem():
    assert der(b"") == der(b"\r\n\r\n") == b""
    assert der((PEM % "QUJD").encode()) == b"ABC"
    for bad in (b"x", b"-----BEGIN A-----\n-----END A-----", b"-----BEGIN A-----\nQUJD\nQUJD"):
        raises(ValueError, der, bad)
