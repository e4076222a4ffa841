"""The P-256 keys of a board and of its cloud, read from plain DER files (DESIGN 5, store;
cloud-protocol 2.2; RFC 5480, RFC 5915). DER has one form for each value: what is read must be
what would be written.

The session sees `device_id`, `public`, `server` and the generator `sign` only, so a secure
element can stand in for this class (DESIGN decision 4).
"""

from micropython import const

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)

_CURVE = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"  # prime256v1


def ec_private(der):
    """Give (d, point) of a SEC1 private key on P-256 that holds its public key, 65 bytes.

    Padding of 00 or ff behind it is accepted. Raises ValueError. Neither d nor the point is
    checked: p256.public(d) must give the point.
    """
    d = der[7:39]
    head = b"\x30\x77\x02\x01\x01\x04\x20" + d + b"\xa0\x0a" + _CURVE + b"\xa1\x44\x03\x42\x00\x04"
    return int.from_bytes(d, "big"), _point(der, 121, head)


def ec_public(spki):
    """Give the point, 65 bytes, of a SubjectPublicKeyInfo on P-256.

    Padding of 00 or ff behind it is accepted. Raises ValueError. p256 checks the point.
    """
    return _point(spki, 91, ec_spki(b"\x04"))


def ec_spki(point):
    """Give the SubjectPublicKeyInfo (91 bytes) of a point of 65 bytes."""
    head = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"  # id-ecPublicKey
    return head + _CURVE + b"\x03\x42\x00" + point


# The point that a key of n bytes ends with.
def _point(der, n, head):
    if der[: n - 64] != head or len(der) < n or der[n:].strip(b"\x00\xff"):
        raise ValueError("no P-256 key as DER")
    return der[n - 65 : n]


def _load(store, name, stage, parse):
    data = store.read(name)
    try:
        if not data:
            raise ValueError("missing or empty")
        return parse(data)
    except ValueError as e:
        from ..errors import ConfigError

        raise ConfigError(_BAD_DATA, "%s: %s: provision the board" % (name, e), stage) from None


class EcKeys:
    """Hold the P-256 keys of the DTLS transport; `public` and `server` are 91 bytes of SPKI.

    device_id: 12 bytes. Raises `ConfigError` naming the file when one is missing or damaged.
    """

    def __init__(self, store, device_id):
        self.device_id = device_id
        self._store = store
        self._cloud()  # a connection begins with good ones
        self._pair()

    # They are read again by a handshake, which alone needs them: no memory is taken all the time.

    @property
    def server(self):
        """Return the cloud's public key."""
        return ec_spki(self._cloud())

    @property
    def public(self):
        """Return the public key of the board."""
        return ec_spki(self._pair()[1])

    def _cloud(self):
        return _load(self._store, "server.ec.der", "server key", ec_public)

    def _pair(self):
        return _load(self._store, "device.ec.der", "device key", ec_private)

    def sign(self, digest):
        """Yield once per slice, return (r, s) of the ECDSA signature of a SHA-256 digest."""
        from ..crypto.p256 import sign

        return sign(self._pair()[0], digest)
