"""What a signed bundle of an application says about itself (ota-and-boot 4.5, 4.7).

A bundle is, one behind the other: a header of 24 bytes, the manifest, the signature over both,
and the contents of the files in the manifest's order. The manifest is text, one fact per line, so
that no board ever needs all of it in memory:

    format 1               first of all
    board UNIX_SIM         NAME of the board's profile
    platform 3
    product 3              the platform's number when it is no product
    version 7
    floor 5                once this runs, nothing below version 5 is taken any more
    abi 6                  of the .mpy files: low byte and, with native code, as sys._mpy has it
    client 65536           least particle.version_number
    delta_from SHA256      of the manifest that must be installed; only with `keep`
    asset SHA256 cat.txt   a file that is sent on its own; as many as there are
    file 1200 SHA256 lib/valve.mpy
    keep 90 SHA256 boot.json

A file is in the bundle, or kept as the installed application has it. Paths are in ascending order
of their bytes: none is there twice.
"""

import binascii
import struct

from micropython import const

from .module import Refused

_HEADER = const("<4sBBBB8sII")
_MAGIC = const(b"MPAB")
_FORMAT = const(1)
_DEFLATED = const(1)  # flag: the contents are one stream of raw deflate
_MANIFEST_BYTES = const(32768)
_CONTENT_BYTES = const(0x01000000)
_FILES = const(256)
_DEPTH = const(8)  # folders in folders
_PATH_BYTES = const(128)
_TOTAL = const(0x10000000)
_ASSETS = const(16)
_OURS = const(("manifest", "manifest.new", "content"))  # names at the top of a slot
_NUMBERS = const(("format", "platform", "product", "version", "floor", "abi", "client"))

# Kinds of signatures -> bytes: none, ECDSA on P-256 (r and s), RSA-2048 with PKCS#1 v1.5.
_SIGNATURES = const((0, 64, 256))

# Error numbers of Device OS (ota-and-boot 1.9)
_UNSUPPORTED = const(-1310)
_FAILED = const(-1320)
_DEPENDENCY = const(-1340)
_SIZE = const(-1351)
_PLATFORM = const(-1360)
_BAD = const(-1370)


class Header:
    """The first 24 bytes; window: bits of deflate, 0 = plain. Raises `Refused`."""

    def __init__(self, data):
        magic, form, flags, self.window, kind, self.key_id, self.manifest, self.content = (
            struct.unpack(_HEADER, data)
        )
        if magic != _MAGIC:
            raise Refused(_BAD, "no bundle of an application")
        if form != _FORMAT or flags & ~_DEFLATED or kind >= len(_SIGNATURES):
            raise Refused(_UNSUPPORTED, "a bundle of a newer format")
        if bool(flags) != bool(self.window) or self.window and not 8 <= self.window <= 15:
            raise Refused(_BAD, "a damaged header of the bundle")
        if not self.manifest or self.manifest > _MANIFEST_BYTES:
            raise Refused(
                _BAD, "a manifest of %d bytes, at most %d" % (self.manifest, _MANIFEST_BYTES)
            )
        if self.content > _CONTENT_BYTES:
            raise Refused(_SIZE, "a bundle of %d bytes" % self.content)
        self.kind = kind
        self.signature = _SIGNATURES[kind]


class Manifest:
    """Take the lines one by one and hold those that are no files.

    files, kept: how many; total: bytes of all together; assets: (SHA-256, name). Raises `Refused`.
    """

    def __init__(self):
        self.facts = {}
        self.files = self.kept = self.total = self.content = 0
        self.assets = []
        self._last = b""

    def line(self, line):
        """Take one line with its end; give (kind, size, SHA-256, path) of a file, else None."""
        if line[-1:] != b"\n":
            raise Refused(_BAD, "a line of the manifest is cut off or too long")
        kind, _, rest = line[:-1].partition(b" ")
        if kind not in (b"file", b"keep"):
            self._fact(kind, rest)
            return None
        size, digest, path = (rest.split(b" ", 2) + [b"", b""])[:3]
        size = _number(size)
        name = checked_path(path)
        if path <= self._last:
            raise Refused(_BAD, "a file that is there twice or out of order: %s" % name)
        self._last = path
        self.files += 1
        self.total += size
        if kind == b"file":
            self.content += size
        else:
            self.kept += 1
        if self.files > _FILES:
            raise Refused(_BAD, "more than %d files" % _FILES)
        if self.total > _TOTAL:
            raise Refused(_SIZE, "files of %d bytes" % self.total)
        return kind, size, _digest(digest), name

    def _fact(self, key, value):
        if self.files:
            raise Refused(_BAD, "the manifest goes on behind its files")
        first = not self.facts
        if key == b"asset":
            digest, _, name = value.partition(b" ")
            self.assets.append((_digest(digest), name))
            if len(self.assets) > _ASSETS or b"/" in name or not checked_path(name):
                raise Refused(_BAD, "more than %d assets, or one in a folder" % _ASSETS)
        for name in _NUMBERS + ("board", "delta_from"):
            if key != name.encode():
                continue  # what this version does not know means nothing to it
            if name in self.facts:
                raise Refused(_BAD, "the manifest says %s twice" % name)
            if name in _NUMBERS:
                value = _number(value)
            elif name == "delta_from":
                value = _digest(value)
            self.facts[name] = value
        if first and "format" not in self.facts:
            raise Refused(_BAD, "no manifest")
        if self.facts["format"] != _FORMAT:
            raise Refused(_UNSUPPORTED, "a bundle of a newer format")

    def check(self, about, floor, room):
        """Refuse what is not for this board (4.5).

        about: what the board is: "board", "platform", "product", "abi" (None: any), "client".
        floor: the oldest version it takes. room: bytes for the files, None = any.
        """
        facts = self.facts
        for key in _NUMBERS + ("board",):
            if key not in facts:
                raise Refused(_BAD, "the manifest does not say %s" % key)
        if facts["board"] != about["board"].encode():
            raise Refused(
                _PLATFORM, "the bundle is for %r, not %s" % (facts["board"], about["board"])
            )
        for key in ("platform", "product"):
            if facts[key] != about[key]:
                raise Refused(
                    _PLATFORM, "the bundle is for %s %d, not %d" % (key, facts[key], about[key])
                )
        abi = facts["abi"]
        mine = about["abi"]
        # native code is for one processor, other code for one version of the byte code
        if mine is not None and ((abi ^ mine) & 255 or abi >> 8 and (abi ^ mine) & 0xFFFF):
            raise Refused(_PLATFORM, "the bundle is for mpy ABI %d, not %d" % (abi, mine))
        if facts["client"] > about["client"]:
            raise Refused(_DEPENDENCY, "the bundle needs client %d" % facts["client"])
        if facts["version"] < floor:
            raise Refused(
                _FAILED, "version %d is below the security floor %d" % (facts["version"], floor)
            )
        if facts["floor"] > facts["version"]:
            raise Refused(_BAD, "the security floor is above the version")
        if not self.files or (self.kept > 0) != ("delta_from" in facts):
            raise Refused(_BAD, "the manifest lists no files, or none to build on")
        if room is not None and self.total > room:
            raise Refused(_SIZE, "files of %d bytes, room for %d" % (self.total, room))


def checked_path(path):
    """Give the path of a file as text; raises `Refused` for what leaves its folder, or is none."""
    parts = path.split(b"/")
    good = 0 < len(path) <= _PATH_BYTES and len(parts) <= _DEPTH
    for part in parts:
        good = good and part not in (b"", b".", b"..")
    for octet in path:
        good = good and 32 <= octet != 127 and octet not in b'\\:*?"<>|'
    try:
        name = str(path, "utf-8")
    except ValueError:
        good = False
    if not good or name in _OURS:
        raise Refused(_BAD, "a path that leaves the slot or is none: %r" % path)
    return name


def _number(text):
    # int() would take signs, blanks and more
    n = 0
    for octet in text:
        if not 48 <= octet <= 57 or n > _TOTAL:
            raise Refused(_BAD, "no number: %r" % bytes(text))
        n = n * 10 + octet - 48
    if not text:
        raise Refused(_BAD, "a number is missing")
    return n


def _digest(text):
    try:
        digest = binascii.unhexlify(text)
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise Refused(_BAD, "no SHA-256: %r" % bytes(text))
    return digest
