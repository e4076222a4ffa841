"""A board for tests of softAP: its ports, and sockets and radio in memory that a clock moves."""

from binascii import unhexlify

from particle.setup.softap_commands import Commands
from particle.setup.softap_key import SetupKey
from particle.store.networks import Networks
from support import vectors

VECTORS = vectors("setup-softap.json")
PRIVATE = unhexlify(VECTORS["test_key"]["private_key_der_pkcs1"])


class Heard:
    """An access point in a scan."""

    max_data_rate = 54000

    def __init__(self, ssid, rssi=-45, security=3, cipher=1, channel=6):
        self.ssid = ssid
        self.rssi = rssi
        self.security = security
        self.cipher = cipher
        self.channel = channel


HOME = Heard(b"HomeWiFi")
GUEST = Heard(b"Guest", -70, 0, 0, 11)


class Files:
    """A store in memory."""

    def __init__(self, **kept):
        self.kept = kept
        self.read = self.get = kept.get
        self.write = self.put = kept.__setitem__

    def remove(self, name):
        """Delete a file."""
        self.kept.pop(name, None)


class World:
    """The ports of a listening mode; it is its own `client` and `wifi`."""

    device_id = "3200200018473335313231ef"
    setup_prefix = None

    def __init__(self, *heard, private=PRIVATE):
        self.heard = list(heard)
        self.scans = 0
        self.codes = []
        self.log = []
        self.is_claimed = False
        self.antenna = None
        self.files = Files(**({"device.rsa.der": private} if private else {}))
        self.networks = Networks(self.files)
        self.ports = {"client": self, "wifi": self, "store": self.files, "mode": self}

    def commands(self, **more):
        """Return the commands of a listening mode."""
        self.ports.update(more)
        return Commands(self.ports, SetupKey(self.ports))

    def quiet(self, now):
        """Leave the cloud."""

    def gone(self, now):
        """Tell that it is left."""
        return True

    def ended(self, now, connect):
        """Note how listening ended."""
        self.log.append(connect)

    # wifi

    def scan(self):
        """Return what is heard."""
        self.scans += 1
        if self.heard == [None]:
            raise OSError(1)
        return self.heard

    def set_credentials(self, ssid, password=None, **options):
        """Store a network as `particle.wifi` does."""
        self.networks.add(ssid, password, **options)

    def select_antenna(self, which):
        """Note it."""
        self.antenna = which

    # client

    def claimed(self):
        """Tell whether it is claimed."""
        return self.is_claimed

    def claim(self, code):
        """Take a claim code."""
        if len(code) != 63:
            raise ValueError("claim code: 63 bytes")
        self.codes.append(bytes(code))


def said(answer):
    """Return all pieces of an answer as bytes."""
    return b"".join(list(answer))


def ask(kind, behind, request, pieces=None):
    """Send `request` to a talk kind(behind), in pieces of that size; return the answer.

    None: it waits for more.
    """
    talk = kind(behind)
    pieces = pieces or len(request) or 1
    for at in range(0, len(request), pieces):
        part = bytearray(request[at : at + pieces])
        talk.feed(part, len(part))
    answer = talk.answer()
    if answer is None and talk.patience:
        talk.enough()
        answer = talk.answer()
    out = None if answer is None else said(answer)
    talk.close()
    return out


def body_of(answer):
    """Return (head, body) of an HTTP answer, without chunks."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return head, rest
    out = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        n = int(str(size, "ascii"), 16)
        out += rest[:n]
        assert rest[n : n + 2] == b"\r\n"
        rest = rest[n + 2 :]
        if n == 0:
            assert rest == b""
            return head, out
