"""A store whose records are encrypted with a key of the board: credentials that a copy of the
flash does not give away. For boards with a key that the flash does not hold.
"""

from micropython import const

from ..crypto.ccm import Ccm
from ..errors import Error

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)

_MARK = const(255)  # in front of what is sealed; no record begins with it
_NONCE = const(12)
_TAG = const(8)


class Sealed:
    """Records of `store`, sealed with the AES key `key` (16 bytes); rng(n) gives random bytes.

    What was stored in clear before is read, and sealed when it is replaced. Whoever can write the
    flash can store something else in clear: it keeps secrets, it does not authenticate.
    """

    def __init__(self, store, key, rng):
        if len(key) != 16:
            raise ValueError("key: 16 bytes")
        self._store = store
        self._ccm = Ccm(key, False)
        self._rng = rng
        self.root = store.root
        self.remove = store.remove
        self.erase = store.erase
        self.wear = store.wear

    def __repr__(self):
        return "<Sealed>"

    def _seal(self, data):
        nonce = bytearray(self._rng(_NONCE))
        buf = bytearray(data) + bytes(_TAG)
        self._ccm.seal(nonce, bytearray((_MARK,)), 1, buf, 0, len(data))
        return bytes((_MARK,)) + nonce + buf

    def _open(self, data, name):
        if not data or data[0] != _MARK:
            return data
        buf = bytearray(data[1 + _NONCE :])
        n = len(buf) - _TAG
        nonce = bytearray(data[1 : 1 + _NONCE])
        if n < 0 or not self._ccm.open(nonce, bytearray((_MARK,)), 1, buf, 0, n):
            raise Error(_BAD_DATA, "%s is damaged or of another board" % name, "store")
        return bytes(buf[:n])

    def get(self, kind):
        """Return the payload stored under `kind` or None; raises as `container.unpack`."""
        return self._open(self._store.get(kind), "record %d" % kind)

    def put(self, kind, payload):
        """Replace what is stored under `kind`; raises as `container.Store.put`."""
        self._store.put(kind, self._seal(payload))

    def read(self, name):
        """Return the bytes of file `name`, None when there is none."""
        return self._open(self._store.read(name), name)

    def write(self, name, data):
        """Replace file `name` in one step."""
        self._store.write(name, self._seal(data))
