"""The protocol of TCP port 5609 (setup-protocols 2.2): one command per connection.

NAME LF LENGTH LF [header lines] LF BODY   ->   LF LF JSON, and the end of the connection
"""

from micropython import const

from .softap_json import Ending

_NAME = const(30)
_HEAD = const(1000)  # bytes of header lines
_DIGITS = const(9)
_MOST = const(65536)  # bytes of a body that are listened to before it is refused
_PATIENCE_MS = const(500)
_LF = const(10)


def nothing():
    """Give an answer of no bytes."""
    yield from ()


class TcpTalk:
    """Understand the command of one visitor; commands: see `softap_commands.Commands`."""

    def __init__(self, commands):
        self._commands = commands
        self._name = None
        self._line = bytearray()
        self._seen = 0
        self._length = None
        self._body = None  # while the head is read
        self._came = 0
        self._good = True
        self._whole = False
        self._ending = Ending()
        self.patience = None

    def feed(self, data, n):
        """Take the first `n` bytes of `data`."""
        at = 0
        while self._body is None and at < n and not self._whole:
            self._head(data[at])
            at += 1
        if self._body is None:
            return
        self._came += n - at
        if self._good:
            self._good = self._commands.keep(self._body, data, at, n)
            if not self._good:
                self.close()
        if not self._good:
            # to close while he still sends would be a reset: a little is listened to
            self._whole = self._came >= min(self._length, _MOST)
            self.patience = _PATIENCE_MS
        elif self._came >= self._length:
            # clients count the length in UTF-16 units: the rest is waited for (rule 7)
            self._whole = not self._length or self._ending.reached(self._body)
            self.patience = _PATIENCE_MS

    def _head(self, octet):
        line = self._line
        if self._name is None:
            if octet not in b"\n\0":
                line.append(octet)
            if octet in b"\n\0" or len(line) == _NAME:
                self._name = bytes(line)
                self._line = bytearray()
        elif self._length is None:
            if octet == _LF:
                self._length = int(bytes(line) or b"0")
                self._line = bytearray()
            elif 48 <= octet < 58 and len(line) < _DIGITS:
                line.append(octet)
            elif octet != 13:
                self._whole = True  # no number: nobody could tell where the command ends
        else:
            self._seen += 1
            if octet != _LF:
                self._line = b"x"
            elif self._line:
                self._line = b""
            else:
                self._body = bytearray()
            if self._seen > _HEAD:
                self._whole = True

    def enough(self):
        """Take what came for everything, after a silence."""
        self._whole = True

    def answer(self):
        """Return the generator of the answer's pieces once the command is whole, else None."""
        if not self._whole:
            return None
        if self._body is None:
            return nothing()
        return self._commands.tcp(self._name, self._body) or nothing()

    def close(self):
        """Give the room of the body back."""
        self._commands.give_back(self._body)
        self._body = b""
