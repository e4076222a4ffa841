"""Memory that survives a reset but not the loss of power: the session without wear of the flash.

The session is written to it before every record. The flash has a copy whose numbers lie up to
256 ahead, for the next power-on; it is written when they are used up or the session changes.
"""

import binascii
import struct

from micropython import const

from .container import pack

_SESSION = const(1)  # kind of container
_STEP = const(256)  # numbers reserved with one write to flash
_ROOM = const(300)  # without which a memory is not used

# of what session/resume stores: keys, numbers, the rest
_NUMBERS = const(56)
_REST = const(75)
# the numbers: next record, highest received (24-bit halves), next message ID; resumes in a row
_SENT = const("<IIIIHB")


class Memory:
    """Containers one behind the other in backup memory; kind: "rtc" or "mem", size: bytes.

    Memory with something else in it, or of a newer version, is not touched. Raises OSError or
    ImportError when the board has no such memory.
    """

    def __init__(self, kind, size):
        import machine

        try:
            if kind == "mem":
                self._cells = machine.mem_backup()
                size = min(size, len(self._cells))
            else:
                self._cells = None
                self._rtc = machine.RTC().memory
        except AttributeError:
            raise OSError(19) from None
        self.size = size

    def _parts(self):
        # kind -> payload; None when the memory is somebody else's. What "mem" has after power-on
        # is not defined, so there everything unknown is nothing.
        data = self._rtc() if self._cells is None else bytes(self._cells)
        found = {}
        at = 0
        while data[at : at + 2] == b"PT" and at + 10 <= len(data):
            kind, version, n = struct.unpack_from("<BBH", data, at + 2)
            end = at + 10 + n
            payload = data[at + 6 : end - 4]
            if data[at:end] != pack(kind, payload):
                return None if version > 1 else found  # of a newer version, or damaged
            found[kind] = payload
            at = end
        return found if at or self._cells is not None or not any(data) else None

    def get(self, kind):
        """Return what is kept under `kind`, None when there is nothing."""
        return (self._parts() or {}).get(kind)

    def put(self, kind, payload):
        """Keep `payload`, None = nothing; raise ValueError when there is no room for it."""
        parts = self._parts()
        if parts is None:
            raise ValueError("memory in use")
        parts[kind] = payload
        # the session, which changes all the time, is last: what is before it stays whole
        kinds = sorted(parts, reverse=True)
        data = b"".join([pack(k, parts[k]) for k in kinds if parts[k] is not None])
        if len(data) > self.size:
            raise ValueError("%d bytes do not fit %d" % (len(data), self.size))
        if self._cells is None:
            self._rtc(data)
        else:
            self._cells[: len(data)] = data
            if len(data) < len(self._cells):
                self._cells[len(data)] = 0


class Backup:
    """A store whose session is in `memory` too (`Store` for everything else)."""

    step = 1  # numbers that the session reserves

    def __init__(self, store, memory):
        self._store = store
        self._memory = memory
        self._flash = None  # the copy of the session on flash
        self.root = store.root
        self.read = store.read
        self.write = store.write
        self.remove = store.remove
        self.wear = store.wear

    def get(self, kind):
        """Return the payload stored under `kind` or None; raises as `unpack`."""
        data = self._store.get(kind)
        if kind != _SESSION:
            return data
        self._flash = data
        if data and len(data) >= _REST:
            kept = self._memory.get(kind)
            # made for another copy, it is old
            if kept and struct.unpack_from("<I", kept)[0] == binascii.crc32(data):
                return kept[4:]
        return data

    def put(self, kind, payload):
        """Replace what is stored under `kind`; raise `ConfigError` if a newer version wrote it."""
        if kind != _SESSION or len(payload) < _REST:
            self._store.put(kind, payload)
            return
        if not self._covered(payload):
            hi, lo, top, low, mid, _ = struct.unpack_from(_SENT, payload, _NUMBERS)
            lo += _STEP
            # the loss of power says nothing about the session: its resumes are not counted
            ahead = hi + (lo >> 24), lo & 0xFFFFFF, top, low, (mid + _STEP) & 0xFFFF, 0
            copy = bytearray(payload)
            struct.pack_into(_SENT, copy, _NUMBERS, *ahead)
            self._flash = None
            self._store.put(kind, copy)
            self._flash = bytes(copy)
        try:
            self._memory.put(kind, struct.pack("<I", binascii.crc32(self._flash)) + payload)
        except ValueError:
            pass  # taken by the application: the copy on flash lies ahead of all that was sent

    def _covered(self, payload):
        # the copy on flash is of the same session and ahead of everything sent
        copy = self._flash
        if not copy or copy[:_NUMBERS] != payload[:_NUMBERS] or copy[_REST:] != payload[_REST:]:
            return False
        a = struct.unpack_from(_SENT, payload, _NUMBERS)
        b = struct.unpack_from(_SENT, copy, _NUMBERS)
        return a[:2] <= b[:2] and (b[4] - a[4]) & 0xFFFF < 0x8000

    def erase(self, kind):
        """Forget what is stored under `kind`."""
        self._store.erase(kind)
        if kind == _SESSION:
            self._flash = None


def memory(board):
    """Return the backup `Memory` of the board profile, None without one that is free."""
    try:
        found = Memory(*board.BACKUP)
        found.put(0, None)
    except (AttributeError, ImportError, OSError, TypeError, ValueError):
        return None  # the board has none, or the application uses it
    return found if found.size >= _ROOM else None


def backup(store, board):
    """Return `store` with the backup memory of the board profile, or alone without one."""
    found = memory(board)
    return Backup(store, found) if found else store
