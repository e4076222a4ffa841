"""Bundles of applications for the device's tests, made as bytes; runs on both interpreters."""

import binascii
import hashlib
import os
import struct

from particle.crypto import p256, rsa
from particle.ota.bundle import Bundle
from particle.ota.sink import Folder, Head
from particle.store.keys_ec import ec_spki
from support import drive

ABOUT = {"board": "TEST", "platform": 12, "product": 12, "abi": 2822, "client": 65536}
FACTS = (
    ("format", 1),
    ("board", "TEST"),
    ("platform", 12),
    ("product", 12),
    ("version", 7),
    ("floor", 5),
    ("abi", 6),
    ("client", 65536),
)
FILES = {"lib/valve.mpy": b"valve" * 300, "main.mpy": b"main" * 40, "empty": b""}

# Private numbers of keys that mean nothing. The RSA key is (n, e, d).
SECRET = 0x1234567890ABCDEF1234567890ABCDEF1234567890ABCDEF1234567890ABCDE1
_KEYS = {}


def public(secret=SECRET):
    """Return the public key, DER."""
    if secret not in _KEYS:
        _KEYS[secret] = ec_spki(drive(p256.public(secret)))
    return _KEYS[secret]


def hexed(data):
    return binascii.hexlify(data).decode()


def lines(files=None, kept=None, **facts):
    """Return the text of a manifest; a fact that is None is left out."""
    files = FILES if files is None else files
    kept = kept or {}
    known = [key for key, _ in FACTS]
    text = ""
    for key, value in FACTS + tuple([each for each in facts.items() if each[0] not in known]):
        value = facts.get(key, value)
        if value is not None:
            text += "%s %s\n" % (key, value)
    for name in sorted(set(files) | set(kept)):
        data = files.get(name, kept.get(name))
        kind = "file" if name in files else "keep"
        text += "%s %d %s %s\n" % (kind, len(data), hexed(hashlib.sha256(data).digest()), name)
    return text.encode()


def bundle(
    text=None, content=None, secret=SECRET, window=0, files=None, kind=1, real=True, **facts
):
    """Return a bundle signed on P-256; kind 0: not signed; real False: with zeros, in no time."""
    text = lines(files, **facts) if text is None else text
    if content is None:
        files = FILES if files is None else files
        content = b"".join([files[name] for name in sorted(files)])
    key_id = hashlib.sha256(public(secret)).digest()[:8] if kind else bytes(8)
    head = struct.pack("<4sBBBB", b"MPAB", 1, 1 if window else 0, window, kind)
    head += key_id + struct.pack("<II", len(text), len(content)) + text
    return head + (signature(head, secret, kind) if real else bytes(64)) + content


def signature(head, secret, kind):
    """Return the signature of everything before it."""
    if not kind:
        return b""
    digest = hashlib.sha256(head).digest()
    if kind == 1:
        r, s = drive(p256.sign(secret, digest))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    n, d = secret
    head = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
    block = b"\x00\x01" + b"\xff" * 202 + b"\x00" + head + digest
    return drive(rsa.powmod(int.from_bytes(block, "big"), d, n)).to_bytes(256, "big")


def deflated(data):
    """Return raw deflate that stores without compressing."""
    out = b""
    while True:
        part = data[:60000]
        data = data[60000:]
        size = struct.pack("<HH", len(part), len(part) ^ 0xFFFF)
        out += (b"\x00" if data else b"\x01") + size + part
        if not data:
            return out


def wrapped(payload, platform=12, flags=0, kind=(5, 2, 0), version=6):
    """Return the module of an application around a payload; kind: function, index, processor."""
    function, index, mcu = kind
    size = 24 + len(payload) + 4 + 36
    head = struct.pack("<IIBBHH", 0xB4000, 0xB4000 + size, mcu, flags, version, platform)
    needs = (4, 1, 6200) if function == 5 else (0, 0, 0)
    head += struct.pack("<BBBBHBBH", function, index, *needs, 0, 0, 0)
    data = head + payload + struct.pack("<HHH", platform, 7, 0)
    data += hashlib.sha256(data).digest() + struct.pack("<H", 40)
    return data + struct.pack(">I", binascii.crc32(data) & 0xFFFFFFFF)


def packed(inner, size=None, bits=10):
    """Return a module with another inside that is deflated."""
    size = len(inner) if size is None else size
    return wrapped(struct.pack("<HBBI", 8, 0, bits, size) + deflated(inner), flags=2)


class Slot(Folder):
    """A folder that has a certain room, None: any."""

    room = None

    def begin(self, head, lines):
        """As of `Folder`."""
        yield from super().begin(head, lines)
        return self.room


def unpacking(path, about, keys, floor=0, room=None, active=None):
    """Return what unpacks a bundle into a folder; its head is kept beside it."""
    slot = Slot(path)
    slot.room = room
    return Bundle(Head(path + ".head"), slot, about, keys, floor, active)


def tree(path):
    """Return name -> content of all files below a folder; nothing of one that is not there."""
    try:
        os.stat(path)
    except OSError:
        return {}
    found = {}
    for name in sorted(os.listdir(path)):
        try:
            with open(path + "/" + name, "rb") as file:
                found[name] = file.read()
        except OSError:
            for below, data in tree(path + "/" + name).items():
                found[name + "/" + below] = data
    return found
