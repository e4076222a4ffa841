"""Signed bundles of applications: made, signed, read (ota-and-boot 4.5, 4.7).

The form is described in lib/particle/wire/manifest.py.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from dataclasses import dataclass, replace

from particle_tools.errors import UserError
from particle_tools.images import modules, signing

HEADER = struct.Struct("<4sBBBB8sII")
_MAGIC, _FORMAT, _DEFLATED = b"MPAB", 1, 1
_SIGNATURES = (0, 64, 256)  # bytes, by kind

# What a board takes, with its names for it in wire/manifest.py
_FILES, _MANIFEST_BYTES, _CONTENT_BYTES = 256, 32768, 1 << 24
_DEPTH, _PATH_BYTES, _ASSETS = 8, 128, 16
_OURS = ("manifest", "manifest.new", "content")  # of files at the top of a slot
_STRANGE = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
WINDOWS = range(9, 13)  # bits of deflate: a board has at most 4 kB for it


@dataclass(frozen=True)
class Entry:
    """A file of an application. kept: it is taken from the one that is installed."""

    path: str
    size: int
    sha256: bytes
    kept: bool = False

    def line(self) -> str:
        """Return its line of the manifest."""
        return f"{'keep' if self.kept else 'file'} {self.size} {self.sha256.hex()} {self.path}\n"


@dataclass(frozen=True)
class Facts:
    """What a bundle says of itself.

    delta_from: SHA-256 of the manifest it builds on. assets: (SHA-256, name) of each.
    """

    board: str
    platform: int
    product: int
    version: int
    floor: int
    abi: int
    client: int
    delta_from: bytes | None = None
    assets: tuple[tuple[bytes, str], ...] = ()

    def text(self) -> str:
        """Return it as lines of the manifest."""
        lines = [f"format {_FORMAT}"]
        lines += [f"{key} {value}" for key, value in self.plain().items() if key != "assets"]
        lines += [f"asset {digest.hex()} {name}" for digest, name in self.assets]
        return "".join(f"{line}\n" for line in lines)

    def plain(self) -> dict[str, object]:
        """Return it as JSON has it; what there is not is left out."""
        found = {key: value for key, value in vars(self).items() if value}
        found |= {key: getattr(self, key) for key in ("floor", "platform", "product", "version")}
        if self.delta_from:
            found["delta_from"] = self.delta_from.hex()
        if self.assets:
            found["assets"] = {name: digest.hex() for digest, name in self.assets}
        order = list(vars(self))
        return {key: found[key] for key in order if key in found}


@dataclass(frozen=True)
class Bundle:
    """A bundle; key_id and signature are empty while it is not signed. content: as it is sent."""

    facts: Facts
    entries: tuple[Entry, ...]
    content: bytes
    window: int = 0
    kind: int = signing.UNSIGNED
    key_id: bytes = b""
    signature: bytes = b""

    @property
    def manifest(self) -> bytes:
        """Return the text that is signed."""
        return (self.facts.text() + "".join(each.line() for each in self.entries)).encode()

    @property
    def head(self) -> bytes:
        """Return everything before the signature."""
        flags = _DEFLATED if self.window else 0
        key_id = self.key_id or bytes(signing.ID_BYTES)
        numbers = (_FORMAT, flags, self.window, self.kind, key_id)
        return HEADER.pack(_MAGIC, *numbers, len(self.manifest), len(self.content)) + self.manifest

    def pack(self) -> bytes:
        """Return it as bytes."""
        return self.head + self.signature + self.content

    def signed(self, key: signing.Private) -> Bundle:
        """Return it with the signature of this key, in place of any other."""
        public = key.public_key()
        kind = signing.kind(public) or 0
        found = replace(self, kind=kind, key_id=signing.key_id(public), signature=b"")
        digest = hashlib.sha256(found.head).digest()
        return replace(found, signature=signing.sign(key, digest))

    def signed_by(self, key: signing.Public) -> bool:
        """Tell whether the signature is of this key."""
        digest = hashlib.sha256(self.head).digest()
        return self.key_id == signing.key_id(key) and signing.verify(key, self.signature, digest)


def assets(contents: dict[str, bytes]) -> tuple[tuple[bytes, str], ...]:
    """Return what a bundle says of its assets. Raises UserError for names no board takes."""
    for name in contents:
        _check_path(name)
    if len(contents) > _ASSETS:
        raise UserError(f"{len(contents)} assets, an application has at most {_ASSETS}")
    return tuple((hashlib.sha256(contents[name]).digest(), name) for name in sorted(contents))


def make(
    facts: Facts, files: dict[str, bytes], earlier: Bundle | None = None, window: int = 0
) -> Bundle:
    """Return a bundle of files, not signed.

    earlier: what is installed where it goes to; it brings only what is different then. window:
    bits of deflate, 0 = as it is. Raises UserError for files that no board takes.
    """
    old = {each.path: each.sha256 for each in earlier.entries} if earlier else {}
    entries = []
    content = b""
    for path in sorted(files, key=str.encode):
        _check_path(path)
        data = files[path]
        digest = hashlib.sha256(data).digest()
        kept = old.get(path) == digest
        entries.append(Entry(path, len(data), digest, kept))
        content += b"" if kept else data
    if earlier and any(each.kept for each in entries):
        facts = replace(facts, delta_from=hashlib.sha256(earlier.manifest).digest())
    if not content:
        window = 0
    found = Bundle(
        facts,
        tuple(entries),
        modules.deflate(content, window) if window else content,
        window,
    )
    if not entries or len(entries) > _FILES:
        raise UserError(f"{len(entries)} files; an application has 1 to {_FILES}")
    if len(found.manifest) > _MANIFEST_BYTES or len(found.content) > _CONTENT_BYTES:
        raise UserError("the names or the contents of the files are too long for any board")
    return found


def parse(data: bytes) -> Bundle:
    """Read a bundle; the signature is not looked at. Raises UserError."""
    try:
        magic, form, flags, window, kind, key_id, manifest, content = HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise ValueError("it begins differently")
        if form != _FORMAT or kind >= len(_SIGNATURES) or flags != (_DEFLATED if window else 0):
            raise ValueError("it is of a newer format")
        at = HEADER.size + manifest
        end = at + _SIGNATURES[kind]
        if len(data) != end + content:
            raise ValueError(f"it has {len(data)} of {end + content} bytes")
        text = data[HEADER.size : at].decode()
        facts, entries = _lines(text)
        found = Bundle(
            facts,
            entries,
            data[end:],
            window,
            kind,
            key_id if kind else b"",
            data[at:end],
        )
        if found.manifest.decode() != text:
            raise ValueError("its manifest is written differently")
        _check_content(found)
    except (ValueError, KeyError, TypeError, struct.error, zlib.error) as error:
        raise UserError(f"no bundle of an application: {error}") from None
    return found


def _lines(text: str) -> tuple[Facts, tuple[Entry, ...]]:
    numbers: dict[str, int | str | bytes] = {}
    listed: list[tuple[bytes, str]] = []
    entries = []
    for line in text.splitlines():
        key, _, rest = line.partition(" ")
        if key in ("file", "keep"):
            size, digest, path = rest.split(" ", 2)
            entries.append(Entry(path, int(size), bytes.fromhex(digest), key == "keep"))
        elif key == "asset":
            digest, name = rest.split(" ", 1)
            listed.append((bytes.fromhex(digest), name))
        elif key == "delta_from":
            numbers[key] = bytes.fromhex(rest)
        else:
            numbers[key] = rest if key == "board" else int(rest)
    if numbers.pop("format", None) != _FORMAT:
        raise ValueError("its manifest is of a newer format")
    return Facts(**numbers, assets=tuple(listed)), tuple(entries)  # type: ignore[arg-type]


def _check_content(bundle: Bundle) -> None:
    content = bundle.content
    new = [each for each in bundle.entries if not each.kept]
    total = sum(each.size for each in new)
    if bundle.window:
        opener = zlib.decompressobj(-bundle.window)
        content = opener.decompress(content, total + 1)
    if len(content) != total:
        raise ValueError("its contents do not fit its manifest")
    at = 0
    for each in new:
        if hashlib.sha256(content[at : at + each.size]).digest() != each.sha256:
            raise ValueError(f"{each.path} is damaged")
        at += each.size


def _check_path(path: str) -> None:
    parts = path.split("/")
    if (
        not 0 < len(path.encode()) <= _PATH_BYTES
        or len(parts) > _DEPTH
        or any(part in ("", ".", "..") for part in parts)
        or _STRANGE.search(path)
        or parts[0] in _OURS
    ):
        raise UserError(f"{path!r}: no board takes a file of this name")
