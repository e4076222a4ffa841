"""The HTTP server of softAP setup (setup-protocols 2.3): one request per connection.

Commands and pages are found by path; the method is not looked at. An answer has no length but
ends with the connection or is chunked, so that pages can be sent while they are read.
"""

from micropython import const

from .softap_server import Talk

_LINE = const(400)  # bytes of a line that are kept: a path with its query
_HEAD = const(6000)  # bytes of all header lines

_STATUS = {
    200: b"OK",
    301: b"Moved Permanently",
    302: b"Found",
    400: b"Bad Request",
    404: b"Not Found",
    413: b"Payload Too Large",
}
_CHUNKED = const(b"Transfer-Encoding: chunked")
_JSON = const(
    b"Content-Type: application/json\r\n"
    b"Cache-Control: no-store, no-cache, must-revalidate, post-check=0, pre-check=0\r\n"
    b"Pragma: no-cache\r\nAccess-Control-Allow-Origin: *\r\n"
)


def _head(status, length, lines):
    text = b"HTTP/1.1 %d %s\r\n%s\r\n%sConnection: close\r\n\r\n"
    return text % (status, _STATUS[status], length, lines)


def short(status, lines=b"", text=b""):
    """Yield a whole answer without chunks; lines: more header lines, with CRLF."""
    yield _head(status, b"Content-Length: %d" % len(text), lines) + text


class HttpTalk(Talk):
    """Understand the request of one visitor; site: see `Site`."""

    _path = None
    _seen = 0  # bytes of the head

    def __init__(self, site):
        super().__init__(site.commands)
        self._site = site

    def feed(self, data, n):
        """Take the first `n` bytes of `data`."""
        at = 0
        while self._body is None and at < n and not self._refused:
            end = data.find(b"\n", at, n)
            stop = n if end < 0 else end
            room = _LINE - len(self._line)
            self._line += data[at : min(stop, at + room)] if room > 0 else b""
            self._seen += stop - at
            at = stop + 1
            if self._seen > _HEAD:
                self._refused = 400
            elif end >= 0:
                self._header(bytes(self._line).rstrip(b"\r"))
                self._line = bytearray()
        if self._body is not None and at < n:
            self._more(data, at, n)
        self._look()

    def _header(self, line):
        if self._path is None:
            if not line:
                return  # RFC 9112, 2.2
            words = line.split(b" ")
            good = len(words) == 3 and words[1][:1] == b"/" and words[2][:5] == b"HTTP/"
            if good and len(line) < _LINE:
                self._path = words[1]
            else:
                self._refused = 400
        elif not line:
            self._body = bytearray()
        elif line[:15].lower() == b"content-length:":
            digits = line[15:].strip()
            if digits.isdigit() and len(digits) < 10:
                self._length = int(digits)
            else:
                self._refused = 400
        elif line[:18].lower() == b"transfer-encoding:":
            self._refused = 400  # no client of setup sends chunks

    def answer(self):
        """Return the generator of the answer's pieces once the request is whole, else None."""
        if not self._whole:
            return None
        if self._refused:
            return short(self._refused)
        return self._site.answer(self._path, self._body)


class Site:
    """What is behind the paths.

    commands: see softap_commands. page(path, query): None when there is no such page, else an
    iterator of bytes whose first piece is its header lines (b"Content-Type: ...", each with CRLF;
    b"Location: ..." in front: it is elsewhere) and whose others are the content; b"" = not ready
    yet.
    """

    def __init__(self, commands, page=None):
        self.commands = commands
        self._page = page

    def answer(self, target, body):
        """Return the generator of the answer to a request for `target`, a path with its query."""
        path, _, query = target.partition(b"?")
        try:
            path = str(path, "utf-8")
            query = str(query, "utf-8")
        except ValueError:
            return short(400)
        if path == "/":
            return short(301, b"Location: /index\r\n")
        if path == "/hello":
            return short(200, b"Content-Type: text/plain\r\n", b"Soft AP Setup\0")
        reply = self.commands.http(path[1:], body)
        if reply is not None:
            return self._said(_JSON, reply)
        pieces = self._page and self._page(path, query)
        if pieces is not None:
            return self._said(next(pieces), pieces)
        if path == "/index":
            return short(301, b"Location: /hello\r\n")
        return short(404)

    def _said(self, lines, pieces):
        # chunks and their end; b"" stays b"", a slice of calculation
        yield _head(302 if lines[:9] == b"Location:" else 200, _CHUNKED, lines)
        for piece in pieces:
            yield b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""
        yield b"0\r\n\r\n"
