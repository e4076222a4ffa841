"""The keys of a board and of its cloud, read from plain DER files (DESIGN 5, store).

The session sees `device_id`, `public`, `server` and the two generators only, so
a secure element can stand in for this class (DESIGN decision 4).
"""

from micropython import const

from ..crypto.der import rsa_private, rsa_public, rsa_spki
from ..crypto.rsa import decrypt, pair_test
from ..errors import ConfigError

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)


def _load(store, name, stage, parse):
    # -> the file and what is in it
    data = store.read(name)
    try:
        if not data:
            raise ValueError("missing or empty")
        return data, parse(data)
    except ValueError as e:
        raise ConfigError(_BAD_DATA, "%s: %s: provision the board" % (name, e), stage) from None


def _server(data):
    n = rsa_public(data)[0]
    if n >> 2040 == 0 or n >> 2048:
        raise ValueError("not RSA-2048")


def _device(data):
    key = rsa_private(data)
    if key[0] >> 1023 != 1 or key[1] != 65537:
        raise ValueError("not RSA-1024")
    if not pair_test(key):
        raise ValueError("damaged")
    return key


class RsaKeys:
    """Hold the RSA keys of the AES/TCP transport.

    device_id: 12 bytes. Raises `ConfigError` naming the file when one is missing,
    damaged or does not belong to the other half (cloud-protocol 1.1).
    """

    def __init__(self, store, device_id):
        self.device_id = device_id
        self.server, _ = _load(store, "server.rsa.der", "server key", _server)
        _, self._private = _load(store, "device.rsa.der", "device key", _device)
        self.public = rsa_spki(self._private[0])

    def rsa_decrypt(self, block):
        """Yield once per slice, return the plaintext of one 128-byte block (ValueError if bad)."""
        return (yield from decrypt(self._private, block))
