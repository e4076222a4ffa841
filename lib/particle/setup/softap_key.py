"""The RSA key of softAP (setup-protocols 2.5, 2.6, 9): phones encrypt passwords with it.

It is that of the cloud over TCP, `device.rsa.der`. A board that has none, because it uses UDP,
makes one while it listens.
"""

import binascii

from micropython import const

from ..crypto.der import rsa_private, rsa_spki
from ..crypto.rsa import decrypt, pair_test
from ..errors import Error

_FILE = const("device.rsa.der")
_BLOCK = const(128)
_BLOCKS = const(4)  # far more than the longest password needs
_FAILURES = const(20)  # after which nobody may guess any more


class SetupKey:
    """The key of a board; ports: of the listening mode (mode.py), of which these may be missing:

    "rsa" an object with `public` and `rsa_decrypt` that has the key elsewhere (DESIGN decision 4);
    "keygen" a function that gives a generator that makes `device.rsa.der`.
    """

    def __init__(self, ports):
        self._ports = ports
        self._rsa = ports.get("rsa")
        self.public = self._rsa and self._rsa.public  # SubjectPublicKeyInfo, None without a key
        self._private = self._making = None
        self._left = _FAILURES
        self._busy = False  # decrypting
        if self._rsa is None:
            self._load()
            if self.public is None and "keygen" in ports:
                try:
                    self._making = ports["keygen"]()
                except ImportError:
                    print("setup: no key, and none can be made: install the component keygen")

    def _load(self):
        try:
            data = self._ports["store"].read(_FILE)
            if data:
                key = rsa_private(data)
                if key[0] >> 1023 != 1 or not pair_test(key):
                    raise ValueError("damaged")
                self._private = key
                self.public = rsa_spki(key[0])
        except (Error, ValueError) as e:
            print("setup: %s: %s" % (_FILE, e))

    def making(self):
        """Tell whether it is being made."""
        return self._making is not None

    def step(self):
        """Go on making it for a slice; tell whether there are more."""
        if self._making is not None:
            try:
                next(self._making)
                return True
            except StopIteration:
                self._load()
            except (Error, ValueError) as e:
                print("setup: no key:", e)
            self._making = None
        return False

    def exhausted(self):
        """Tell whether so much could not be decrypted that setup is to end."""
        return self._left <= 0

    def failed(self):
        """Count something that could not be decrypted."""
        self._left -= 1

    def decrypt(self, digits):
        """Decrypt one to four blocks of hex digits; yields b"" per slice, returns the bytes.

        Whatever is wrong with them raises the same ValueError.
        """
        while self._busy:
            yield b""  # one after the other: each takes some kB of memory
        self._busy = True
        try:
            out = yield from self._decrypted(digits)
        finally:
            self._busy = False
        if out is None:
            self.failed()
            raise ValueError("not decrypted")
        return out

    def _decrypted(self, digits):
        out = b""
        rsa = self._rsa
        good = self.public is not None and not self.exhausted()
        try:
            data = binascii.unhexlify(digits)
            good = good and 0 < len(data) <= _BLOCK * _BLOCKS and not len(data) % _BLOCK
            for at in range(0, len(data), _BLOCK) if good else ():
                block = data[at : at + _BLOCK]
                steps = rsa.rsa_decrypt(block) if rsa else decrypt(self._private, block)
                while True:
                    try:
                        next(steps)
                    except StopIteration as end:
                        out += end.value
                        break
                    yield b""
        except ValueError:
            good = False
        return out if good else None
