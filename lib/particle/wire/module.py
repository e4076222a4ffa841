"""Firmware modules, read and checked while their bytes arrive (ota-and-boot 1).

Nothing of the payload is kept: it goes on to a function as it comes. What stands behind it, the
suffix, is known at the end only; up to 1 kB of the file is held back for it.
"""

import binascii
import hashlib
import struct

from micropython import const

_PREFIX = const("<IIBBHHBBBBHBBH")  # 1.2
_PREFIX_BYTES = const(24)
_RECORD_BYTES = const(56)  # and the SHA-256
_VECTORS = const(512)  # a table of interrupt vectors in front of the prefix, 1.3
_SUFFIX_BYTES = const(36)  # from `reserved` to the size, 1.4
_CRC_BYTES = const(4)
_HASHED = const(38)  # the last bytes of a module that its SHA-256 does not cover
_MOST = const(1024)  # bytes of extensions, before and behind the payload
_MODULES = const(2)  # in one file, 1.8
_PACKED_BYTES = const(8)  # header of a compressed payload, 1.7
_FILE_BYTES = const(0x40000000)  # more than any board has, and a small integer

# Flags of a module, 1.2
_DROP_INFO = const(1)
_COMPRESSED = const(2)
_COMBINED = const(4)
_ENCRYPTED = const(8)
_EXTENDED = const(16)

# Functions, 1.2
_SYSTEM = const(4)
_USER = const(5)
_ASSET = const(9)

# Types of extensions, 1.5
_END = const(0)
_PRODUCT = const(1)
_HASH = const(16)
_NAME = const(17)
_ASSET_DEPENDENCY = const(18)

# What is checked, 1.9: bits of `checked` and `passed`
_INTEGRITY = const(0x02)
_DEPENDENCIES = const(0x04)
_RANGE = const(0x08)
_PLATFORM = const(0x10)

# Error numbers of Device OS, 1.9
_NOT_FOUND = const(-1300)
_UNSUPPORTED = const(-1310)
_INVALID_SIZE = const(-1351)
_INVALID_FORMAT = const(-1370)

# The first flag that was not passed makes the error
_ERRORS = const(
    (
        (_INTEGRITY, -1330, "the module is damaged"),
        (_DEPENDENCIES, -1340, "the module needs others that are not installed"),
        (_RANGE, -1350, "the module is for another address"),
        (_PLATFORM, -1360, "the module is for another platform"),
    )
)


class Refused(ValueError):
    """An image that is not taken. code: number of Device OS."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def user_slots(platform_id):
    """Give the places of applications on this platform, as `Image` takes them (1.9).

    A platform that Particle has no table for takes both indexes and any address.
    """
    if 12 <= platform_id <= 26:
        return {(_USER, 2, 0): (0xB4000, 0xF4000), (_USER, 1, 0): (0xD4000, 0xF4000)}
    if platform_id in (28, 32, 35, 38):
        return {(_USER, 1, 0): (0x08480000, 0x08600000)}
    if platform_id in (6, 8, 10):
        return {(_USER, 1, 0): (0x080A0000, 0x080C0000)}
    return {(_USER, 1, 0): (0, 0xFFFFFFFF), (_USER, 2, 0): (0, 0xFFFFFFFF)}


class Module:
    """One module of a file; what stands in its suffix is None before its last byte came.

    dep1, dep2: (function, index, version). checked, passed: bits of the validity flags.
    packed: (header bytes, method, window bits, original size) of a compressed one. payload_at:
    where the payload, or what deflate made of it, begins in the module; payload_size: its bytes.
    """

    suffix_size = product_id = product_version = sha256 = crc32 = payload_size = packed = None
    sha256_ok = crc32_ok = False
    checked = passed = 0

    def __init__(self, offset, prefix):
        fields = struct.unpack(_PREFIX, prefix)
        self.prefix = prefix
        self.offset = offset
        self.start, self.end, self.mcu, self.flags = fields[:4]
        self.version, self.platform_id, self.function, self.index = fields[4:8]
        self.dep1 = fields[8:11]
        self.dep2 = fields[11:]
        self.size = self.end - self.start + _CRC_BYTES
        self.prefix_size = _PREFIX_BYTES
        self.prefix_extensions = []
        self.suffix_extensions = []

    def assets(self):
        """Give (SHA-256, name) of every asset that an application needs (1.6)."""
        return [
            (body[2:34], body[34:])
            for kind, body in self.prefix_extensions + self.suffix_extensions
            if kind == _ASSET_DEPENDENCY and body[:2] == b"\x00\x20" and len(body) > 34
        ]

    def record(self):
        """Give what has to be kept of a module to describe it when it is installed."""
        data = self.prefix + self.sha256
        for digest, name in self.assets():
            data += digest + bytes((len(name),)) + name
        return data

    def asset(self):
        """Give (SHA-256 of the content, name) of the module of an asset, None without them."""
        found = dict(self.suffix_extensions)
        digest = found.get(_HASH, b"")
        if len(digest) != 34 or digest[:2] != b"\x00\x20" or not found.get(_NAME):
            return None
        return digest[2:], found[_NAME]


def recorded(data):
    """Give the `Module` that a record was made of, as far as it goes. Raises ValueError."""
    at = _RECORD_BYTES
    if len(data) < at:
        raise ValueError("record")
    m = Module(0, data[:_PREFIX_BYTES])
    m.sha256 = data[_PREFIX_BYTES:at]
    while len(data) - at > 33:
        end = at + 33 + data[at + 32]
        body = b"\x00\x20" + data[at : at + 32] + data[at + 33 : end]
        m.suffix_extensions.append((_ASSET_DEPENDENCY, body))
        at = end
    if at != len(data):
        raise ValueError("record")
    m.checked = m.passed = _INTEGRITY | _DEPENDENCIES | _RANGE | _PLATFORM
    return m


class Image:
    """Read one file of `size` bytes; None for what is not to be checked.

    slots: (function, index, MCU) -> (first, last address). installed: (function, index) ->
    version. sink(view): takes the payload as it comes, without the header of a compressed one;
    the view lives until it returns. Raises `Refused`.
    """

    def __init__(self, size, platform_id=None, slots=None, installed=None, sink=None):
        if not 0 < size < _FILE_BYTES:
            raise Refused(_INVALID_SIZE, "a file of %d bytes" % size)
        self.size = size
        self.at = 0
        self.modules = []
        self.text = ""
        self._platform = platform_id
        self._slots = slots
        self._installed = installed
        self._sink = sink
        self._buffer = bytearray()  # None while the payload goes on
        self._steps = self._read()
        self._left = next(self._steps)

    def feed(self, data):
        """Take the next bytes of the file.

        Raises `Refused` as soon as they cannot belong to a module that this board could take;
        nothing may be fed after that.
        """
        data = memoryview(data)
        if len(data) > self.size - self.at:
            raise Refused(_INVALID_SIZE, "more than %d bytes" % self.size)
        at = 0
        while at < len(data):
            n = min(len(data) - at, self._left)
            piece = data[at : at + n]
            at += n
            self._left -= n
            self._count(piece)
            if self._buffer is not None:
                self._buffer += piece
            elif self._sink:
                self._sink(piece)
            while self._steps and not self._left:
                buffer = self._buffer
                self._buffer = bytearray()
                try:
                    self._left = self._steps.send(buffer)
                except StopIteration:
                    self._steps = None

    def ends(self, n):
        """Take note that the payload has `n` bytes: none of them has to be held back."""
        left = self._module.size - self._here()
        n += self._module.payload_at - self._here()
        self._left = max(self._left, min(n, left - _SUFFIX_BYTES - _CRC_BYTES))

    def error(self):
        """Give 0, or the number of the first check that failed, of those made so far (1.9).

        `text` says the same in words.
        """
        for module in self.modules:
            for flag, code, text in _ERRORS:
                if module.checked & ~module.passed & flag:
                    self.text = text
                    return code
        return 0

    def finish(self):
        """Give `error()` of the whole file; raises `Refused` when bytes of it are missing."""
        if self.at < self.size:
            raise Refused(_INVALID_SIZE, "%d of %d bytes came" % (self.at, self.size))
        return self.error()

    def _count(self, data):
        # a suffix is never shorter than what the checksums leave out
        n = len(data)
        at = self.at - self._base
        self.at += n
        m = self._module
        hashed = n if m is None else min(n, m.size - _HASHED - at)
        if hashed > 0:
            self._sha.update(data[:hashed])
        summed = n if m is None else min(n, m.size - _CRC_BYTES - at)
        if summed > 0:
            self._crc = binascii.crc32(data[:summed], self._crc)

    def _read(self):
        # yields how many bytes are to come before it goes on, and is given them; what comes while
        # there is no buffer goes on to the sink
        more = True
        while more:
            self._base = self.at
            self._module = None
            self._sha = hashlib.sha256()
            self._crc = 0
            head = yield 4
            # the first word is an initial stack pointer, or the start address (1.3)
            word = struct.unpack("<I", head)[0]
            offset = _VECTORS if word & 0x2FFC0000 == 0x20000000 else 0
            head += yield offset + _PREFIX_BYTES - 4
            m = self._module = Module(offset, bytes(head[offset:]))
            self._check(m)
            self.modules.append(m)
            kind = m.flags & _EXTENDED or _END
            while kind != _END:
                kind, n = struct.unpack("<HH", (yield 4))
                m.prefix_size += n
                room = m.size - m.offset - m.prefix_size - _SUFFIX_BYTES - _CRC_BYTES
                if n < 4 or room < 0 or m.prefix_size > _MOST:
                    raise Refused(_INVALID_FORMAT, "damaged extensions of the prefix")
                m.prefix_extensions.append((kind, bytes((yield n - 4))))
            if m.flags & _COMPRESSED:
                m.packed = struct.unpack("<HBBI", (yield self._fits(_PACKED_BYTES)))
                n, method, bits, original = m.packed
                if n < _PACKED_BYTES or method or bits and not 8 <= bits <= 15 or not original:
                    raise Refused(_INVALID_FORMAT, "a way of compressing that is not supported")
                yield self._fits(n - _PACKED_BYTES)
            m.payload_at = self._here()
            self._buffer = None
            yield max(0, m.size - _MOST - _SUFFIX_BYTES - _CRC_BYTES - m.payload_at)
            self._suffix(m, memoryview((yield m.size - self._here())))
            more = m.flags & _COMBINED

    def _check(self, m):
        # the documented order; the checksums come last (1.9)
        rest = self.size - self._base - m.size
        if not 0 < m.function <= _ASSET or m.size < self._here() + _SUFFIX_BYTES + _CRC_BYTES:
            raise Refused(_NOT_FOUND, "no firmware module")
        if rest < 0:
            raise Refused(_NOT_FOUND, "a module that is cut off")
        if bool(rest) != bool(m.flags & _COMBINED) or len(self.modules) == _MODULES:
            raise Refused(_NOT_FOUND, "the modules do not fill the file")
        packed = m.flags & _COMPRESSED
        if m.offset and m.flags & (_DROP_INFO | _COMPRESSED):
            raise Refused(_INVALID_FORMAT, "a table of vectors in front of a wrapped module")
        if m.flags & _ENCRYPTED or packed and m.function not in (_SYSTEM, _USER, _ASSET):
            raise Refused(_UNSUPPORTED, "a kind of module that is not supported")
        if m.function == _ASSET:
            return
        if self._slots is not None:
            first, last = self._slots.get((m.function, m.index, m.mcu), (1, 0))
            if not first <= m.end <= last:
                raise Refused(_NOT_FOUND, "no place for this module")
            m.checked |= _RANGE
            m.passed |= _RANGE
        if self._platform is not None:
            m.checked |= _PLATFORM
            if m.platform_id == self._platform:
                m.passed |= _PLATFORM
        if self._installed is not None:
            m.checked |= _DEPENDENCIES
            if m.function == _USER or self._served(m.dep1) and self._served(m.dep2):
                m.passed |= _DEPENDENCIES  # an application that lacks something says so later

    def _served(self, dependency):
        function, index, version = dependency
        return not function or self._installed.get((function, index), -1) >= version

    def _fits(self, n):
        if n > _MOST or self._here() + n + _SUFFIX_BYTES + _CRC_BYTES > self._module.size:
            raise Refused(_INVALID_FORMAT, "a damaged header of a compressed module")
        return n

    def _suffix(self, m, tail):
        end = len(tail) - _CRC_BYTES
        m.suffix_size = struct.unpack_from("<H", tail, end - 2)[0]
        m.crc32 = bytes(tail[end:])
        m.sha256 = bytes(tail[end - 34 : end - 2])
        m.sha256_ok = self._sha.digest() == m.sha256
        m.crc32_ok = struct.pack(">I", self._crc) == m.crc32
        m.checked |= _INTEGRITY
        if m.sha256_ok and m.crc32_ok:  # Device OS does not look at the first (0)
            m.passed |= _INTEGRITY
        at = end - m.suffix_size
        good = m.suffix_size >= _SUFFIX_BYTES and at >= 0
        good = good and self._extras(tail[at : end - _SUFFIX_BYTES])
        if good:
            m.payload_size = m.size - _CRC_BYTES - m.suffix_size - m.payload_at
            if self._sink and at:
                self._sink(tail[:at])
        elif m.passed & _INTEGRITY:
            raise Refused(_INVALID_FORMAT, "a damaged suffix")

    def _extras(self, data):
        # extensions, the numbers of the product, or both (1.4) -> whether they are whole
        m = self._module
        n = len(data)
        raw = 0 if n == 4 else -1
        at = 0
        while n > 4 and at + 4 <= n and raw < 0:
            kind, size = struct.unpack_from("<HH", data, at)
            if size < 4 or at + size > n or kind == _PRODUCT and size != 10:
                return False
            m.suffix_extensions.append((kind, bytes(data[at + 4 : at + size])))
            if kind == _PRODUCT:
                raw = at + 6
            at += size
            if kind == _END:
                raw = at
        if 0 <= raw <= n - 4:
            m.product_id, m.product_version = struct.unpack_from("<HH", data, raw)
        return True

    def _here(self):
        # bytes of this module that came
        return self.at - self._base
