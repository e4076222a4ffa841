"""The protocol of TCP port 5609 (setup-protocols 2.2): one command per connection.

NAME LF LENGTH LF [header lines] LF BODY   ->   LF LF JSON, and the end of the connection
"""

from micropython import const

from .softap_server import Talk

_NAME = const(30)
_HEAD = const(1000)  # bytes of header lines
_DIGITS = const(9)
_LF = const(10)


def nothing():
    """Give an answer of no bytes."""
    yield from ()


class TcpTalk(Talk):
    """Understand the command of one visitor."""

    _name = _length = None
    _seen = 0  # bytes of header lines

    def feed(self, data, n):
        """Take the first `n` bytes of `data`."""
        at = 0
        while self._body is None and at < n and not self._whole:
            self._head(data[at])
            at += 1
        if self._body is not None:
            self._more(data, at, n)
            self._look()

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

    def answer(self):
        """Return the generator of the answer's pieces once the command is whole, else None."""
        if not self._whole:
            return None
        if self._body is None:
            return nothing()
        return self._commands.tcp(self._name, self._body) or nothing()
