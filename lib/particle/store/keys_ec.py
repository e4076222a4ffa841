"""The P-256 keys of a board and of its cloud, read from plain DER files (DESIGN 5, store).

The session sees `device_id`, `public`, `server` and the generator `sign` only, so a secure
element can stand in for this class (DESIGN decision 4).
"""

from micropython import const

from ..crypto.ec_der import ec_private, ec_public, ec_spki
from ..errors import ConfigError

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)


def _load(store, name, stage, parse):
    data = store.read(name)
    try:
        if not data:
            raise ValueError("missing or empty")
        return parse(data)
    except ValueError as e:
        raise ConfigError(_BAD_DATA, "%s: %s: provision the board" % (name, e), stage) from None


class EcKeys:
    """Hold the P-256 keys of the DTLS transport; `public` and `server` are 91 bytes of SPKI.

    device_id: 12 bytes. Raises `ConfigError` naming the file when one is missing or damaged.
    """

    def __init__(self, store, device_id):
        self.device_id = device_id
        self.server = ec_spki(_load(store, "server.ec.der", "server key", ec_public))
        self._d, point = _load(store, "device.ec.der", "device key", ec_private)
        self.public = ec_spki(point)

    def sign(self, digest):
        """Yield once per slice, return (r, s) of the ECDSA signature of a SHA-256 digest."""
        from ..crypto.p256 import sign

        return sign(self._d, digest)
