"""MicroPython's module `cryptolib` on pycryptodome, with MicroPython's own refusals.

As on every port: keys of 16 or 32 bytes, modes 1 (ECB) and 2 (CBC) only, data
in whole blocks, an optional output buffer, and one object either encrypts or
decrypts (seen with MicroPython 1.29-preview).
"""

from Crypto.Cipher import AES

_ECB = 1
_CBC = 2


class aes:  # noqa: N801 - MicroPython's name
    """AES in ECB or CBC mode: `aes(key, mode[, IV])`. Raises ValueError as MicroPython does."""

    def __init__(self, key, mode, iv=None):
        key = _bytes(key)
        if mode not in (_ECB, _CBC):
            raise ValueError("mode")
        if len(key) not in (16, 32):
            raise ValueError("key")
        if mode == _ECB:
            self._cipher = AES.new(key, AES.MODE_ECB)
        else:
            if iv is None or len(_bytes(iv)) != AES.block_size:
                raise ValueError("IV")
            self._cipher = AES.new(key, AES.MODE_CBC, _bytes(iv))
        self._direction = None

    def encrypt(self, data, out=None):
        """Encrypt whole blocks; return new bytes, or `out` after filling it."""
        return self._process("encrypt", data, out)

    def decrypt(self, data, out=None):
        """Decrypt whole blocks; return new bytes, or `out` after filling it."""
        return self._process("decrypt", data, out)

    def _process(self, direction, data, out):
        data = _bytes(data)
        if len(data) % AES.block_size:
            raise ValueError("blksize % 16")
        target = None
        if out is not None:
            target = memoryview(out)
            if target.readonly:
                raise TypeError("object with buffer protocol required")
            if len(target) < len(data):
                raise ValueError("output too small")
        if self._direction not in (None, direction):
            raise ValueError("can't encrypt & decrypt")
        self._direction = direction
        result = getattr(self._cipher, direction)(data)
        if target is None:
            return result
        target[: len(result)] = result
        return out


def _bytes(data):
    return data.encode() if isinstance(data, str) else bytes(data)
