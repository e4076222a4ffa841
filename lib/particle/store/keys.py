"""The keys of a board and of its cloud, read from plain DER files (DESIGN 5, store).

The session sees `device_id`, `public`, `server` and the two generators only, so
a secure element can stand in for this class (DESIGN decision 4).
"""

from micropython import const

from ..crypto import der, rsa
from ..errors import ConfigError

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)
_NOT_FOUND = const(-170)


def _file(store, name, stage, remedy):
    data = store.read(name)
    if not data:
        raise ConfigError(
            _NOT_FOUND,
            "%s is %s: %s" % (name, "missing" if data is None else "empty", remedy),
            stage,
        )
    return data


class RsaKeys:
    """Hold the RSA keys of the AES/TCP transport.

    device_id: 12 bytes. Raises `ConfigError` naming the file when one is missing,
    damaged or does not belong to the other half (cloud-protocol 1.1).
    """

    def __init__(self, store, device_id):
        self.device_id = device_id
        self.server = _file(
            store, "server.rsa.der", "server key", "provision the board or call particle.server()"
        )
        own = _file(store, "device.rsa.der", "device key", "provision the board")
        name = "server.rsa.der"
        stage = "server key"
        try:
            n, e = der.rsa_public(self.server)
            if n >> 2040 == 0 or n >> 2048:
                raise ValueError("not RSA-2048")
            name = "device.rsa.der"
            stage = "device key"
            self._private = der.rsa_private(own)
            if not rsa.pair_test(self._private):
                raise ValueError("its numbers do not fit together")
            if self._private[0] >> 1016 == 0 or self._private[0] >> 1024:
                raise ValueError("not RSA-1024")
        except ValueError as e:
            raise ConfigError(
                _BAD_DATA, "%s is damaged (%s): provision again" % (name, e), stage
            ) from None
        self.public = der.rsa_spki(self._private[0], self._private[1])

    def rsa_decrypt(self, block):
        """Yield once per slice, return the plaintext of one 128-byte block (ValueError if bad)."""
        return (yield from rsa.decrypt(self._private, block))
