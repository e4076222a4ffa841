"""The folder of a slot, and what is done to its files (ota-and-boot 4.1, 4.3)."""

import hashlib
import os

from micropython import const

from ..errors import UpdateError
from ..wire.module import Refused

# Error numbers of Device OS (ota-and-boot 1.9, errors.py)
_FLASH = const(-219)
_NO_MEMORY = const(-260)
_UNSUPPORTED = const(-1310)
_SIZE = const(-1351)

_PIECE = const(512)  # bytes read at once
_SLICE = const(8)  # pieces or lines of a manifest between two yields

_WINDOW = const(12)  # bits of deflate: 4 kB of memory
_EXISTS = const(17)  # errno
_NO_SPACE = const(28)


def guarded(call, *args):
    """Call something and give its result; whatever goes wrong is an `UpdateError`."""
    try:
        return call(*args)
    except Refused as e:
        raise UpdateError(e.code, e.args[0], "update") from None
    except OSError as e:
        raise unstored(e) from None
    except MemoryError:
        raise UpdateError(_NO_MEMORY, "no memory for the update", "update") from None


def unstored(e):
    """Give the `UpdateError` for an OSError that ended what was being stored, or is one."""
    if isinstance(e, UpdateError):
        return e
    full = e.args[0] == _NO_SPACE
    text = "cannot store the update: %s" % ("no room, remove files" if full else e)
    return UpdateError(_SIZE if full else _FLASH, text, "update")


def clear(path, but=()):
    """Empty a slot, its manifest first; yields after each file. The folder stays.

    but: paths of files that stay; then the manifest is one of them.
    """
    if not but:
        remove(path + "/manifest")
    try:
        names = os.listdir(path)
    except OSError:
        names = ()  # there is no slot yet
    for name in names:
        name = path + "/" + name
        if name not in but and not remove(name):
            yield from clear(name, but)
            if not os.listdir(name):
                os.rmdir(name)
        yield


def remove(path):
    """Remove a file; tell whether there was one."""
    try:
        os.remove(path)
    except OSError:
        return False
    return True


def content(path):
    """Return the bytes of a file, b"" without one."""
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def put(path, data, mode="wb"):
    """Write a file, or with "ab" to its end. Raises OSError."""
    with open(path, mode) as f:
        f.write(data)


def there(path):
    """Tell whether there is such a file or folder."""
    try:
        os.stat(path)
        return True
    except OSError:
        return False


def make_folder(path):
    """Make a folder that may be there already."""
    try:
        os.mkdir(path)
    except OSError as e:
        if e.args[0] != _EXISTS:
            raise


def check_window(bits):
    """Refuse what needs more memory to inflate than a board has; 0: nothing to inflate."""
    if bits > _WINDOW:
        raise Refused(_UNSUPPORTED, "a window of %d bits, at most %d" % (bits, _WINDOW))


def inflated(file, bits):
    """Give what reads raw deflate as `readinto` does: 0 at the end, and when it is damaged."""
    try:
        from deflate import RAW, DeflateIO
    except ImportError:
        raise Refused(_UNSUPPORTED, "this board cannot inflate") from None
    stream = DeflateIO(file, RAW, bits)

    def read(view):
        try:
            return stream.readinto(view)
        except (OSError, EOFError):
            return 0

    return read


def through(read, size, take):
    """Hand `size` bytes on, `read` in pieces; a generator, which returns how many are missing.

    take(view): gives None, or a generator of what has to be done before there are more. One yield
    per slice.
    """
    view = memoryview(bytearray(_PIECE))
    n = 0
    while size:
        got = read(view[: min(size, _PIECE)])
        if not got:
            break
        work = take(view[:got])
        if work:
            yield from work
        size -= got
        n += 1
        if not n % _SLICE:
            yield
    return size


def digest_of(open, name, size, at=0):
    """Give the SHA-256 of `size` bytes of the file `open(name)`; a generator, one yield per slice.

    None when the file is missing or shorter and, from its beginning, longer.
    """
    digest = hashlib.sha256()
    try:
        f = open(name)
    except OSError:
        return None
    with f:
        if at:
            f.seek(at)
        if (yield from through(f.readinto, size, digest.update)):
            return None
        if not at and f.readinto(bytearray(1)):
            return None
    yield
    return digest.digest()
