"""CoAP messages as bytes: parse by offset, write in place (cloud-protocol 3.1, RFC 7252)."""

from micropython import const

# Option numbers. Whoever needs a type, code or number has a private copy: it costs a board nothing
_URI_PATH = const(11)
_URI_QUERY = const(15)

_OPTIONS_MAX = const(24)
_PATH_1 = const(0xB1)  # a message's first option is Uri-Path, one byte long


def octets(text):
    """Give text as UTF-8, and bytes as they are."""
    return text.encode() if isinstance(text, str) else text


class Message:
    """Read one received CoAP message without copying it; one object serves a whole connection.

    After a successful parse(): type, code, mid, tkl, token (-1 unless it is one byte), at,
    token_at, payload_at, payload_n, path (the character that selects the handler, else 0).
    All positions are offsets in buf, which is kept by reference.
    """

    def __init__(self):
        self.buf = b""
        self.at = self.type = self.code = self.mid = self.tkl = self.token_at = 0
        self.token = -1
        self.payload_at = self.payload_n = self.path = 0
        self.opt_at = self.opt_n = 0
        self._number = self._first = self._end = 0

    def parse(self, buf, at, n):
        """Take apart the message buf[at:at+n]; False when it is not valid CoAP.

        Never raises and allocates nothing. After False the attributes mean nothing.
        """
        self.buf = buf
        self.at = at
        end = at + n
        if n < 4 or end > len(buf):
            return False
        p = buf[at]
        if p >> 6 != 1:
            return False
        self.type = p >> 4 & 3
        self.tkl = tkl = p & 15
        self.code = buf[at + 1]
        self.mid = buf[at + 2] << 8 | buf[at + 3]
        self.token_at = at + 4
        p = at + 4 + tkl
        if tkl > 8 or p > end or not self.code and n > 4:
            return False
        self.token = buf[at + 4] if tkl == 1 else -1
        self.path = buf[p + 1] if p + 1 < end and buf[p] == _PATH_1 else 0
        self.payload_at = self.payload_n = 0
        self._first = p
        self._end = end
        self._number = 0
        left = _OPTIONS_MAX
        while p < end:
            if buf[p] == 0xFF:
                self._end = p
                self.payload_at = p + 1
                self.payload_n = end - p - 1
                return self.payload_n > 0
            p = self._option(p)
            if not p or not left:
                return False
            left -= 1
        return True

    # The option header at p: updates _number, opt_at and opt_n; gives the position behind the
    # value, 0 when the option is malformed. Walking again is cheaper than a table of options.
    def _option(self, p):
        buf = self.buf
        end = self._end
        head = buf[p]
        p += 1
        n = 0
        for shift in range(4, -1, -4):
            n = head >> shift & 15
            if n > 12:
                more = n - 12
                if more > 2 or p + more > end:
                    return 0
                n = 13 + buf[p]
                if more == 2:
                    n = 269 + (buf[p] << 8 | buf[p + 1])
                p += more
            if shift:
                self._number += n
        self.opt_at = p
        self.opt_n = n
        p += n
        return 0 if p > end or self._number > 0xFFFF else p

    def find(self, number, nth=0):
        """Select the nth option of that number: opt_at and opt_n tell where its value is."""
        self._number = 0
        p = self._first
        while p < self._end:
            p = self._option(p)
            if self._number == number:
                if not nth:
                    return True
                nth -= 1
        return False

    def uint(self, number, default=0):
        """Give an unsigned option value of 0 to 4 bytes; default when absent or longer."""
        if not self.find(number) or self.opt_n > 4:
            return default
        value = 0
        for i in range(self.opt_at, self.opt_at + self.opt_n):
            value = value << 8 | self.buf[i]
        return value

    def name(self, skip=1):
        """Join the Uri-Path segments after the first skip with "/"; None when not UTF-8."""
        name = b""
        while self.find(_URI_PATH, skip):
            name += b"/" + self._value()
            skip += 1
        try:
            return str(name[1:], "utf-8")
        except UnicodeError:
            return None

    def query(self):
        """Give the first Uri-Query, b"" when there is none."""
        return self._value() if self.find(_URI_QUERY) else b""

    def _value(self):
        return bytes(self.buf[self.opt_at : self.opt_at + self.opt_n])


class Writer:
    """Write one CoAP message into buf; n is the number of bytes written so far.

    buf grows up to `size` bytes as messages do; without a size it stays as it is. Raises
    ValueError when that is too small or an option comes out of order.
    """

    def __init__(self, buf, size=0):
        self.buf = buf
        self.size = size or len(buf)
        self.n = self._last = 0

    def begin(self, type, code, mid, token=-1):
        """Start a message; token is -1 for none, 0 to 255 for one byte, or bytes (up to 8)."""
        if isinstance(token, int):
            token = b"" if token < 0 else bytes((token,))
        self.n = self._last = 0
        self._uint((0x40 | type << 4 | len(token)) << 8 | code, 2)
        self._uint(mid, 2)
        self._bytes(token)

    def option(self, number, value):
        """Append an option, bytes or text; None leaves it out. Numbers must not descend."""
        if value is not None:
            value = octets(value)
            self._head(number, len(value))
            self._bytes(value)

    def uint(self, number, value):
        """Append an option of 0, 1, 2 or 4 bytes, the shortest; None leaves it out."""
        if value is None:
            return
        if value >> 32:
            raise ValueError("uint")
        n = 0 if not value else 1 if value < 256 else 2 if value < 65536 else 4
        self._head(number, n)
        self._uint(value, n)

    def payload(self, data):
        """Append the payload, bytes or text; nothing at all when it is empty."""
        if data:
            self._uint(0xFF, 1)
            self._bytes(octets(data))

    def done(self):
        """Give a copy of the message."""
        return bytes(self.buf[: self.n])

    def _head(self, number, n):
        delta = number - self._last
        if delta < 0:
            raise ValueError("option order")
        self._last = number
        at = self._room(1)
        head = 0
        for x in (delta, n):
            if x > 268:
                self._uint(x - 269, 2)
                x = 14
            elif x > 12:
                self._uint(x - 13, 1)
                x = 13
            head = head << 4 | x
        self.buf[at] = head

    # n bytes, big-endian
    def _uint(self, value, n):
        self._bytes(value.to_bytes(n, "big"))

    def _bytes(self, data):
        at = self._room(len(data))
        self.buf[at : self.n] = data

    def _room(self, n):
        at = self.n
        n += at
        if n > len(self.buf):
            if n > self.size:
                raise ValueError("message too long")
            self.buf += bytes(n - len(self.buf))
        self.n = n
        return at
