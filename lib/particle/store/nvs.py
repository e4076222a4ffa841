"""The files of the store in the ESP32's non-volatile storage, each in two slots by turns.

What NVS keeps of a key that is being written when the power fails is not promised (ota-and-boot
6.4), so the key with the old content is never touched. A slot: sequence u32le, CRC-32 u32le of
sequence and content, content. Its key is the name with "0" or "1" behind it.
"""

import struct
from binascii import crc32

from micropython import const

from ..errors import Error
from .container import Store

# Error numbers of Device OS (errors.py)
_PATH_TOO_LONG = const(-226)

_LONGEST = const(14)  # characters of a name: NVS has 15
_NOT_FOUND = const(0x1102)  # esp-idf, nvs.h
_INVALID_LENGTH = const(0x110C)
_SIZES = const((340, 1400, 4400, 12000))  # of buffers: NVS tells no lengths


class Nvs(Store):
    """A `Store` in a namespace of NVS; nvs: an `esp32.NVS`, or the namespace's name."""

    root = ""  # no file system

    def __init__(self, nvs="pt"):
        super().__init__(self.root)
        if isinstance(nvs, str):
            from esp32 import NVS

            nvs = NVS(nvs)
        self._nvs = nvs

    def _slot(self, key):
        # -> (sequence, content); (0, None) when there is none or it is not whole
        for size in _SIZES:
            buf = bytearray(size)
            try:
                n = self._nvs.get_blob(key, buf)
                break
            except OSError as e:
                code = abs(e.args[0])
                if code == _NOT_FOUND:
                    return 0, None
                if code != _INVALID_LENGTH or size == _SIZES[-1]:
                    raise
        if n < 8:
            return 0, None
        sequence, crc = struct.unpack_from("<II", buf)
        if crc32(buf[8:n], crc32(buf[:4])) != crc:
            return 0, None
        return sequence, bytes(buf[8:n])

    def _slots(self, name):
        # -> number of the slot that counts, its sequence and content
        if not 0 < len(name) <= _LONGEST:
            raise Error(_PATH_TOO_LONG, "NVS takes no name like %s" % name, "store")
        try:
            found, content = self._slot(name + "0")
            other, second = self._slot(name + "1")
        except OSError as e:
            self._failed("read", name, e, ())
        return (1, other, second) if other > found else (0, found, content)

    def read(self, name, n=-1):
        """Return the bytes of file `name`, None when there is none; raise `Error(FILE)`."""
        return self._slots(name)[2]

    def write(self, name, data):
        """Replace file `name` in one step; raise `Error(FILE)`, then the old one is intact."""
        number, sequence, old = self._slots(name)
        if old == data:
            return
        head = struct.pack("<I", sequence + 1)
        crc = struct.pack("<I", crc32(data, crc32(head)))
        self._writes += 1
        try:
            self._nvs.set_blob(name + str(1 - number), head + crc + data)
            self._nvs.commit()
        except OSError as e:
            self._failed("write", name, e, ())

    def remove(self, name):
        """Delete file `name`; nothing happens when there is none."""
        number = self._slots(name)[0]
        # the old content first: it must not come back
        for slot in (1 - number, number):
            try:
                self._nvs.erase_key(name + str(slot))
                self._nvs.commit()
                self._writes += 1
            except OSError as e:
                if abs(e.args[0]) != _NOT_FOUND:
                    self._failed("remove", name, e, ())
