"""Where the files of a bundle go: the folder of a slot, and files that go on after a reset
(ota-and-boot 3.10, 4.1).

Another place, a region of the flash or one file, is a class with the methods of `Folder`. The
files come one after the other, their bytes in order.
"""

import hashlib
import os

from micropython import const

from .slots import clear, make_folder, put, remove, through

# of slots.py
_PIECE = const(512)
_SLICE = const(8)

_STEPS = const(16)  # blocks between two flushes, at most
_NO_SPACE = const(28)  # errno
_FOLDER = const(0x4000)  # type of a file
_WHOLE = const(0x3FFFFFFF)  # more bytes than any file has
_NEW = "/manifest.new"
_DONE = "/manifest"


def edge(blocks, size):
    """Return how many bytes of a file fill `blocks` blocks of littlefs.

    Every block but the first begins with pointers to blocks before it.
    """
    n = blocks - 1
    ones = 0
    while n:
        ones += n & 1
        n >>= 1
    return blocks * size - 4 * (2 * (blocks - 1) - ones)


class Arriving:
    """What is written while it arrives; the first `there` bytes come again and are not written.

    A subclass has `_put(data)`, which writes the beginning of it and tells how many bytes.
    """

    def __init__(self, there):
        self._skip = self._at = there

    def write(self, data):
        """Take the next bytes; return how many. Raises OSError."""
        taken = len(data)
        n = min(taken, self._skip)
        self._skip -= n
        data = data[n:]
        while data:
            data = data[self._put(data) :]
        return taken

    def close(self):
        """Close it; what came is in the flash then."""


class Growing(Arriving):
    """A file that is written while it arrives.

    It is flushed when `step` blocks of the flash are full, and then more and more seldom: a reset
    costs half of what came, at most 64 KiB.
    """

    def __init__(self, path, there=0, step=1):
        super().__init__(there)
        self._file = open(path, "ab" if there else "wb")  # noqa: SIM115 - it stays open
        self._block = os.statvfs(path)[0]
        self.step = self._next = step
        while edge(self._next, self._block) <= there:
            self._next += 1

    def _put(self, data):
        left = edge(self._next, self._block) - self._at
        data = data[:left]
        n = len(data)
        if self._file.write(data) != n:
            raise OSError(_NO_SPACE)
        self._at += n
        if n == left:
            self._file.flush()
            self._next += self.step
            self.step = min(2 * self.step, _STEPS)
        return n

    def close(self):
        """Close it; what came is in the flash then."""
        f = self._file
        self._file = None  # it has a buffer
        if f:
            f.close()


class Head(Growing):
    """The file `path` in which a bundle keeps what comes before its contents.

    before: bytes in front of it.
    """

    def __init__(self, path, before=b"", there=0):
        super().__init__(path, there)
        self._path = path
        self._from = len(before)
        self.write(before)

    def read(self):
        """Open it for reading, where the bundle begins; it was closed before."""
        f = open(self._path, "rb")  # noqa: SIM115 - the caller closes it
        f.seek(self._from)
        return f

    def digest(self):
        """Give the SHA-256 of the bundle's part; a generator."""
        return (yield from _sum(self.read()))


class Reader:
    """A file of `size` bytes elsewhere, for reading; get(at, view): fills it from byte `at` on."""

    def __init__(self, size, get):
        self._at = 0
        self._size = size
        self._get = get

    def readinto(self, view):
        """Fill the view as far as there are bytes; return how many."""
        n = min(len(view), self._size - self._at)
        if n:
            self._get(self._at, view[:n])
            self._at += n
        return n

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Folder:
    """The folder `path`, which need not be there; reserve: blocks that are left to others.

    As long as the files come, `manifest.new` says of which bundle: there are no others. In the end
    it is replaced by the head, and gets the name that makes the folder an application.
    """

    def __init__(self, path, reserve=0):
        self.path = path
        self._reserve = reserve
        self._head = None
        self._step = 1  # of the file that comes next: to close one is to flush it

    def capacity(self):
        """Return the bytes there could be for files; a generator. None: that is not known yet."""
        found = os.statvfs(self.path.rpartition("/")[0])
        used = yield from _used(self.path)
        return found[0] * max(0, found[4] - self._reserve) + used

    def begin(self, head, lines):
        """Make ready for the files behind `head`, whose signature is right; a generator.

        lines: generator of (kind, size, SHA-256, name) of each. Returns the bytes there are for
        them, None when some of them are there already; then nothing else is left there.
        """
        self._head = head
        digest = yield from head.digest()
        wanted = digest, hashlib.sha256(digest).digest()
        for name in (_NEW, _DONE):
            try:
                f = open(self.path + name, "rb")  # noqa: SIM115 - only this may fail
            except OSError:
                continue
            if (yield from _sum(f)) in wanted:
                # somebody's app.py would be found before our app.mpy
                at = self.path + "/"
                but = [at + "manifest.new", at + "manifest", at + "content", at + "there"]
                for line in lines:
                    but.append(at + line[3])
                    yield
                yield from clear(self.path, but)
                return None
        yield from clear(self.path)
        make_folder(self.path)
        found = os.statvfs(self.path)
        put(self.path + _NEW, digest)
        return found[0] * max(0, found[4] - self._reserve)

    def there(self, name, size):
        """Return how many bytes are stored of a file that has `size`."""
        try:
            n = os.stat(self.path + "/" + name)[6]
        except OSError:
            return 0
        return n if n <= size else 0

    def open(self, name, size):
        """Open a file that comes, from its beginning, to `write` and `close`. Raises OSError."""
        at = name.find("/")
        while at >= 0:
            make_folder(self.path + "/" + name[:at])
            at = name.find("/", at + 1)
        there = self.there(name, size)
        step = self._step
        if there < size:
            self._step = min(2 * step, _STEPS)
        return Growing(self.path + "/" + name, there, step)

    def read(self, name):
        """Open a file that is stored: `readinto` and `close`, in a `with` too. Raises OSError."""
        return open(self.path + "/" + name, "rb")

    def remove(self, name):
        """Forget a file."""
        os.remove(self.path + "/" + name)

    def complete(self):
        """Make it count: every file is there and right."""
        with self._head.read() as source, open(self.path + _NEW, "wb") as f:
            data = True
            while data:
                data = source.read(_PIECE)
                if f.write(data) != len(data):
                    raise OSError(_NO_SPACE)
        os.rename(self.path + _NEW, self.path + _DONE)

    def forget(self):
        """Have the files count as those of no bundle, if they were begun; they may stay."""
        if self._head:
            remove(self.path + _NEW)
            remove(self.path + _DONE)


def _used(path):
    # bytes of all files in a folder
    total = 0
    try:
        names = os.listdir(path)
    except OSError:
        names = ()
    for n, name in enumerate(names):
        name = path + "/" + name
        found = os.stat(name)
        total += (yield from _used(name)) if found[0] & _FOLDER else found[6]
        if not n % _SLICE:
            yield
    return total


def _sum(f):
    # SHA-256 of a file from where it is; closes it
    digest = hashlib.sha256()
    with f:
        yield from through(f.readinto, _WHOLE, digest.update)
    return digest.digest()
