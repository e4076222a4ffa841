"""Unpacks a signed bundle into its place while its bytes arrive (ota-and-boot 4.5).

What comes before the contents of the files, the head, is kept in a file. Nothing is done to the
place before the signature was found right, and nothing there counts before the end (ota/sink.py).
"""

import hashlib

from micropython import const

from ..errors import UpdateError
from ..wire.manifest import Header, Manifest
from ..wire.module import Refused
from .signed import find, verify
from .slots import check_window, digest_of, guarded, inflated, through

# of slots.py
_SLICE = const(8)

# of a bundle (wire/manifest.py)
_HEADER_BYTES = const(24)
_LINE_BYTES = const(256)

# Error numbers of Device OS (ota-and-boot 1.9, errors.py)
_INVALID_STATE = const(-210)
_FAILED = const(-1320)
_INTEGRITY = const(-1330)
_DEPENDENCY = const(-1340)
_SIZE = const(-1351)
_BAD = const(-1370)

_NO_SPACE = const(28)
_CONTENT = const("content")  # the deflated contents of all files


class Bundle:
    """Unpack one bundle; head: `Head` of ota/sink.py, sink: `Folder`, or what does as it does.

    about: "board", "platform", "product", "abi", "client" of this board. keys: public keys, DER.
    floor: the oldest version taken. active: folder of the application that runs. file: (name,
    bytes) of the one that comes. size: of the bundle, 0 before it is known. All methods raise
    `UpdateError`; `close` after that.
    """

    def __init__(self, head, sink, about, keys, floor=0, active=None):
        self.header = self.manifest = self.file = None
        self._head = self._file = head
        self._sink = sink
        self._about = about, floor, None
        self._keys = keys
        self._active = active
        self.size = 0
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._rest = b""
        self._left = _HEADER_BYTES  # bytes that `_job` waits for
        self._lines = None
        self._job = self._read()
        next(self._job)

    # The bytes of the bundle.

    def feed(self, data):
        """Take the next bytes, in order; those that come while `busy` are kept in memory."""
        guarded(self._feed, memoryview(data))

    def busy(self):
        """Tell whether `step` has something to do."""
        return self._job is not None and not self._left

    def step(self):
        """Do one slice of what takes long: the signature, or what `finish` has begun."""
        guarded(self._step)

    def finish(self):
        """Begin to check and complete the slot, which it is when nothing is `busy` any more."""
        if self.busy():
            raise UpdateError(_INVALID_STATE, "the bundle is still being checked", "update")
        if self._job:
            raise UpdateError(_SIZE, "the bundle is cut off", "update")
        self._job = self._complete()

    def close(self):
        """Close the files, also after an error."""
        for each in (self._job, self._lines, self._file):
            if each:
                each.close()
        self._job = self._lines = self._file = None

    def _feed(self, data):
        while data and not self.busy():
            if not self._job:
                raise Refused(_BAD, "bytes behind the end of the bundle")
            part = data[: self._left]
            self._take(part)
            self._left -= len(part)
            data = data[len(part) :]
            if not self._left:
                self._slice()
        self._rest += bytes(data)

    def _take(self, data):
        if self._file.write(data) != len(data):
            raise OSError(_NO_SPACE)
        if self._digest:
            self._digest.update(data)
        if self._buffer is not None:
            self._buffer += data

    def _slice(self):
        try:
            next(self._job)
        except StopIteration:
            self._job = None

    def _step(self):
        if self.busy():
            self._slice()
        rest = self._rest
        self._rest = b""
        self._feed(memoryview(rest))

    # What is read, one after the other.

    def _create(self, name, size):
        self._file = self._sink.open(name, size)
        self.file = name, size

    def _end_file(self):
        self._file.close()
        self._file = self.file = None

    def _read(self):
        # it yields while bytes are to come, and after every slice of what takes long
        h = yield from self._read_head()
        yield from self._prepare(h)
        if h.window:
            self._create(_CONTENT, h.content)
            self._left = h.content
            yield
            self._end_file()
        else:
            yield from self._files(_HEADER_BYTES + h.manifest)

    # what these need of memory, they need no longer than they take

    def _read_head(self):
        yield
        h = self.header = Header(self._buffer)
        if not h.kind:
            raise Refused(_FAILED, "the bundle is not signed: particle-mp firmware sign")
        key = find(self._keys, h.key_id)
        check_window(h.window)
        self.size = _HEADER_BYTES + h.manifest + h.signature + h.content
        self._buffer = None
        self._left = h.manifest
        yield
        signed = self._digest.digest()
        self._digest = None
        self._buffer = bytearray()
        self._left = h.signature
        yield
        self._end_file()
        signature = bytes(self._buffer)
        self._buffer = None
        if not (yield from verify(h.kind, key, signature, signed)):
            raise Refused(_FAILED, "the signature of the bundle is wrong")
        return h

    def _prepare(self, h):
        # the manifest is read, and there is room for what it lists
        m = Manifest()
        self._lines = self._each(m)
        for _ in self._lines:
            if not m.files % _SLICE:
                yield
        self._lines = None
        m.check(*self._about)
        if not h.window and h.content != m.content:
            raise Refused(_BAD, "the contents do not fit the manifest")
        wanted = m.facts.get("delta_from")
        if wanted and wanted != (yield from self._installed()):
            raise Refused(_DEPENDENCY, "a delta to another version: send the whole bundle")
        self._lines = self._each(Manifest())
        room = yield from self._sink.begin(self._head, self._lines)
        needed = m.total + (h.content if h.window else 0)
        if room is not None and needed > room:
            raise Refused(_SIZE, "files of %d bytes, room for %d" % (needed, room))
        self.manifest = m

    def _next_file(self, at, end):
        found = None
        n = 0
        with self._head.read() as f:
            f.seek(at, 1)
            while not found and at < end:
                line = f.readline(_LINE_BYTES)
                at += len(line)
                if line.startswith(b"file "):
                    found = Manifest().line(line)
                n += 1
                if not n % _SLICE:
                    yield
        return at, found

    def _files(self, end):
        at = _HEADER_BYTES
        while at < end:
            at, found = yield from self._next_file(at, end)
            if found:
                wanted = found[2]
                self._create(found[3], found[1])
                self._left = found[1]
                found = None
                self._digest = hashlib.sha256()
                yield
                self._end_file()
                if self._digest.digest() != wanted:
                    raise Refused(_INTEGRITY, "a file of the bundle is damaged")
                self._digest = None

    # What `finish` does.

    def _complete(self):
        if self.header.window:
            yield from self._inflate()
        if self.manifest.kept:
            yield from self._copy()
        self._lines = self._each(Manifest())
        for _, size, digest, name in self._lines:
            if (yield from digest_of(self._sink.read, name, size)) != digest:
                raise Refused(_INTEGRITY, "%s was not stored as it came" % name)
        self._sink.complete()

    def _copy(self):
        # what did not change comes from the application that is installed
        self._lines = self._each(Manifest())
        for kind, size, digest, name in self._lines:
            if kind == b"file":
                continue
            if (yield from digest_of(self._old, name, size)) != digest:
                raise Refused(_DEPENDENCY, "%s is not as installed: send the whole bundle" % name)
            self._create(name, size)
            with self._old(name) as f:
                yield from self._fill(f.readinto, size)

    def _inflate(self):
        self._lines = self._each(Manifest())
        with self._sink.read(_CONTENT) as f:
            read = inflated(f, self.header.window)
            for kind, size, _, name in self._lines:
                if kind == b"file":
                    self._create(name, size)
                    yield from self._fill(read, size)
            if read(bytearray(1)):
                raise Refused(_BAD, "the bundle inflates to more than its manifest says")
        self._sink.remove(_CONTENT)

    def _fill(self, read, size):
        # size bytes into the file that was created
        if (yield from through(read, size, self._take)):
            raise Refused(_BAD, "the contents of the bundle are damaged or cut off")
        self._end_file()
        yield

    def _each(self, listing):
        # (kind, size, SHA-256, name) of every file
        with self._head.read() as f:
            f.read(_HEADER_BYTES)
            left = self.header.manifest
            while left:
                line = f.readline(min(_LINE_BYTES, left))
                left -= len(line)
                entry = listing.line(line)
                if entry:
                    yield entry

    def _old(self, name):
        return open(self._active + "/" + name, "rb")

    def _installed(self):
        # -> SHA-256 of the manifest of the application that is installed, None without it
        try:
            with self._old("manifest") as f:
                size = Header(f.read(_HEADER_BYTES)).manifest
        except (OSError, TypeError, ValueError):
            return None
        return (yield from digest_of(self._old, "manifest", size, _HEADER_BYTES))
