"""An update that is unpacked into its place while it arrives, and goes on after a reset
(ota-and-boot 3.10, 4.7).

What comes before the contents of its files waits in `stage.head`; the contents are where they
belong. After a reset all of it is read through the same checks as if it came again. What is
compressed waits in a file until all of it is there (staging.py).
"""

import hashlib
import os
import struct

from micropython import const

from ..errors import UpdateError
from ..wire.module import Image, Refused
from .sink import Head
from .slots import check_window, guarded, inflated, remove, through
from .staging import Staging

# Error numbers of Device OS (errors.py)
_UNSUPPORTED = const(-1310)
_FAILED = const(-1320)
_INTEGRITY = const(-1330)
_RESUMED = const(-1331)
_INVALID_SIZE = const(-1351)
_INVALID_FORMAT = const(-1370)

_USER = const(5)  # function of a module
_FLAGS_AT = const(9)  # in its prefix
_COMPRESSED = const(2)
_LARGEST = const(0x01000000)  # bytes of a module that is inflated
_DEFAULT_WINDOW = const(15)
_RECORD = const("<4s32sI")  # in front of the head: magic, SHA-256 of the file, its size
_RECORD_BYTES = const(40)
_MAGIC = const(b"PTS2")


class Direct(Staging):
    """A target of signed bundles; image: as of `Staging`. platform_id, places: as
    of `Image`.

    about, keys: as of `Bundle`.
    A subclass has `_sink()`, which gives what is as `Folder` of sink.py; `_bundle(head, sink)`,
    which gives a `Bundle`; `_fresh()`, a generator that makes room where nothing is kept;
    `_installed(module, bundle)`, a generator, when everything is in its place; and `finish`.
    """

    functions = (_USER,)  # of the modules that are unpacked
    _stream = _refused = None
    _done = False

    def __init__(self, root, image, about, keys, platform_id, places):
        super().__init__(root, image)
        self._root = root
        self._head = root + "/stage.head"
        self._about = about
        self._keys = keys
        self._platform = platform_id, places

    def begin(self, size, sha, function):
        """As of `Staging`; raises for a file that was refused while it came, once."""
        same = sha and (self._sha, self.size) == (sha, size)
        if same and self._stream:
            yield from self._settle()
            self._note(size, sha, function)
            return self.stored
        if not (same and self._file):
            self._close()
            refused = self._refused
            self._refused = None
            if refused and refused[:2] == (sha, size):
                raise refused[2]
            self._done = False
            if sha and function in self.functions:
                return (yield from self._begin(size, sha, function))
            yield from self._fresh()
        return (yield from super().begin(size, sha, function))

    def _begin(self, size, sha, function):
        self.stored = self._crc = 0
        yield from self._replay(size, sha)
        if not self._stream:
            yield from self._resume(size, sha)
            if not self.stored:
                self.discard()
                self._space()
                yield from self._fresh()
                room = yield from self._sink().capacity()
                if room is not None and size > room:
                    raise UpdateError(_INVALID_SIZE, "no room for %d bytes" % size, "update")
        self._note(size, sha, function)
        if self.stored and not self._stream:
            self._make_ready()
        return self.stored

    def _replay(self, size, sha):
        # what an earlier transfer of the same file has left, if all of it is good
        stream = None
        try:
            with open(self._head, "rb") as f:
                record = f.read(_RECORD_BYTES)
                if record != struct.pack(_RECORD, _MAGIC, sha, size):
                    return
                stream = _Stream(self, size, record, os.stat(self._head)[6])
                yield from stream.through(f.readinto, size)
            bundle = stream.bundle
            while bundle and bundle.file:
                name, left = bundle.file
                there = stream.sink.there(name, left)
                if there:
                    with stream.sink.read(name) as f:
                        yield from stream.through(f.readinto, there)
                if there < left:
                    break
        except OSError:
            if stream:
                stream.close()
                if stream.sink:
                    stream.sink.forget()
            return
        self._stream = stream
        self.stored = stream.image.at

    def write(self, data):
        """Take the next bytes; return None or a generator, which ends before there are more.

        That raises `UpdateError`; raises OSError.
        """
        if self._file:
            return super().write(data)
        data = memoryview(data)
        try:
            if not self._stream:
                if len(data) <= _FLAGS_AT or data[_FLAGS_AT] & _COMPRESSED:
                    self._make_ready()
                    return super().write(data)
                record = struct.pack(_RECORD, _MAGIC, self._sha, self.size)
                self._stream = _Stream(self, self.size, record)
            self._stream.feed(data)
        except UpdateError as e:
            return self._refuse(e)
        self.stored += len(data)
        bundle = self._stream.bundle
        return self._settle() if bundle and bundle.busy() else None

    def _settle(self):
        try:
            yield from self._stream.settle()
        except UpdateError as e:
            yield from self._refuse(e)

    def _refuse(self, error):
        # told when it is begun again: while it comes there is no word for it
        self._refused = self._sha, self.size, error
        self.discard()
        yield from self._fresh()
        raise error

    def verify(self):
        """Check everything and put it in its place; a generator. Raises `UpdateError`, OSError."""
        if self._done:
            return
        stream = self._stream
        if not stream:
            yield from super().verify()
        try:
            if not stream:
                stream = yield from self._staged()
            elif self.stored != self.size or stream.digest.digest() != self._sha:
                code = _RESUMED if self.resumed else _INTEGRITY
                raise UpdateError(code, "the SHA-256 of the file is another", "update")
            if stream:
                yield from self._installed(*(yield from stream.complete()))
        except UpdateError:
            self.discard()  # the same bytes would be refused again
            yield from self._fresh()
            raise
        self._done = True

    def _staged(self):
        # what waited in a file goes the same way, inflated if it has to be; gives the `_Stream`
        stream = self._stream = _Stream(self, self.size, b"")
        stream.inflates = True
        with open(self._part, "rb") as f:
            yield from stream.through(f.readinto, self.size)
            packed = stream.image.modules[0].packed
            if packed:
                _, _, bits, original = packed
                if original > _LARGEST:
                    raise UpdateError(_INVALID_FORMAT, "inflates to %d bytes" % original, "update")
                guarded(check_window, bits or _DEFAULT_WINDOW)
                f.seek(stream.image.modules[0].payload_at)
                read = guarded(inflated, f, bits)
                stream = self._stream = _Stream(self, original, b"")
                if (yield from stream.through(read, original)):
                    raise UpdateError(_INVALID_FORMAT, "the image is cut off or damaged", "update")
                if read(bytearray(1)):
                    raise UpdateError(_INVALID_FORMAT, "inflates to more than it says", "update")
        return stream

    def discard(self):
        """Forget the file."""
        stream = self._stream
        super().discard()
        remove(self._head)
        if stream and stream.sink:
            stream.sink.forget()

    def _leave(self):
        # what is in its place stays
        self._close()
        self.discard()

    def _close(self):
        super()._close()
        stream = self._stream
        if stream:
            self._stream = None
            stream.close()


class _Stream:
    # the way of the bytes: the module, in it the bundle, in that the files
    inflates = False  # a module that is compressed is looked at, and goes nowhere

    def __init__(self, target, size, record, there=0):
        platform, places = target._platform
        self._target = target
        self._record = record
        self._there = there
        self.bundle = self.sink = None
        self.digest = hashlib.sha256()
        self.image = guarded(Image, size, platform, places, {}, self._payload)

    def feed(self, data):
        self.digest.update(data)
        guarded(self.image.feed, data)
        code = self.image.error()
        if code:
            raise UpdateError(code, self.image.text, "update")

    def _payload(self, view):
        if not self.bundle:
            m = self.image.modules[0]
            if m.function not in self._target.functions or m.offset:
                raise Refused(_UNSUPPORTED, "no module that this board unpacks")
            if m.packed and self.inflates:
                return
            if m.packed:
                raise Refused(_INVALID_FORMAT, "a compressed module in one")
            before = self._record + m.prefix
            for kind, body in m.prefix_extensions:
                before += struct.pack("<HH", kind, len(body) + 4) + body
            self.sink = self._target._sink()
            head = Head(self._target._head, before, self._there)
            self.bundle = self._target._bundle(head, self.sink)
        self.bundle.feed(view)
        if self.bundle.size:
            self.image.ends(self.bundle.size)

    def settle(self):
        # has the bundle do what it has to do before more may come
        bundle = self.bundle
        while bundle and bundle.busy():
            bundle.step()
            yield

    def through(self, read, size):
        # at most `size` bytes of what was stored
        def take(view):
            self.feed(view)
            return self.settle()

        return through(read, size, take)

    def complete(self):
        # checks and completes what is unpacked, when all of it came -> module, bundle
        bundle = self.bundle
        module = self.image.modules[0]
        if not bundle:
            raise UpdateError(_INVALID_FORMAT, "a module with nothing in it", "update")
        try:
            if bundle.manifest and sorted(module.assets()) != sorted(bundle.manifest.assets):
                raise UpdateError(_FAILED, "the assets are not those that were signed", "update")
            bundle.finish()
            yield from self.settle()
        finally:
            bundle.close()
        return module, bundle

    def close(self):
        if self.bundle:
            self.bundle.close()
