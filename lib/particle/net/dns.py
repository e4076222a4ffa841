"""A DNS client that never blocks: one name, its IPv4 addresses (RFC 1035, DESIGN decision 6).

`getaddrinfo` has no time-out on any port, so it is left (in `Sock.connect`) what a name
server does not know: `localhost` and `.local`.
"""

from micropython import const

from ..errors import Error

# Error numbers of Device OS (errors.py)
_NOT_FOUND = const(-170)
_TIMEOUT = const(-160)

_PORT = const(53)
_TRY_MS = const(1500)  # first wait for an answer, doubled with each try
_TRIES = const(3)
_MAX_ADDRESSES = const(8)


def literal(host):
    """Return True when `host` is an address, not a name."""
    return ":" in host or host.replace(".", "").isdigit()


def question(host):
    """Return the question section (A, IN) for `host`; raise `Error(NOT_FOUND)` if no such name."""
    out = b""
    for label in host.encode().split(b"."):
        if not 0 < len(label) < 64 or len(host) > 253:
            raise Error(_NOT_FOUND, host, "DNS")
        out += bytes((len(label),)) + label
    return out + b"\x00\x00\x01\x00\x01"


def answer(buf, n, query):
    """Return what the `n` bytes in `buf` say to `query`: None = not its answer, [] = no address.

    query: the 12-byte header and question as sent. Anything malformed counts as "not its answer".
    Every A record of the answer is taken: a server that lies about a name could as well put the
    name in front of it, and the cloud's key settles who is there.
    """
    end = len(query)
    if n < end or buf[2] & 0xFA != 0x80 or bytes(buf[:2]) != query[:2]:
        return None
    if bytes(buf[12:end]).lower() != query[12:].lower():
        return None
    code = buf[3] & 15
    if code:
        return [] if code == 3 else None  # only NXDOMAIN is final, another server may do better
    found = []
    try:
        at = end
        for _ in range(buf[6] << 8 | buf[7]):
            # a name ends with 0 or with a pointer of two bytes
            while 0 < buf[at] < 64:
                at += 1 + buf[at]
            at += 2 if buf[at] else 1
            size = buf[at + 8] << 8 | buf[at + 9]
            # type A, class IN
            if size == 4 and bytes(buf[at : at + 4]) == b"\x00\x01\x00\x01":
                found.append("%d.%d.%d.%d" % tuple(buf[at + 10 : at + 14]))
            at += 10 + size
            if at > n:
                return None
    except (IndexError, TypeError):
        return None
    return found[:_MAX_ADDRESSES]


class Resolver:
    """Resolve `host` over `link`; call `step` until it answers. Bounded: about 10 s.

    server: "address[:port]". rng(n) -> n random bytes for the query id.
    """

    def __init__(self, link, host, server, rng):
        self._link = link
        self._host = host
        self._server = server
        self._rng = rng
        self._sock = self._due = None
        self._try = 0

    def step(self, now, diff, add):
        """Return the list of addresses, or None: call again (not later than `deadline`).

        diff, add: `time.ticks_diff` and `ticks_add`. Raises `Error` with stage "DNS".
        """
        host = self._host
        if literal(host) or host == "localhost" or host.endswith(".local"):
            return [host]
        if self._sock and self._sock.pollable():
            try:
                n = self._sock.readinto(self._buf)
                found = answer(self._buf, n, self._query) if n else None
            except OSError:
                found = None  # refused: it may be up at the next try
            if found:
                return found
            if found is not None:
                raise Error(_NOT_FOUND, host, "DNS")
        if not self._sock or diff(now, self._due) >= 0:
            if self._try >= _TRIES:
                raise Error(_TIMEOUT, self._server, "DNS")
            self._ask()
            self._due = add(now, _TRY_MS << self._try)
            self._try += 1
        return None

    def _ask(self):
        self.close()
        server = self._server
        port = _PORT
        if server.count(":") == 1:
            server, port = server.split(":")
        # id random, recursion desired, one question
        self._query = self._rng(2) + b"\x01\0\0\x01\0\0\0\0\0\0" + question(self._host)
        self._buf = bytearray(512)
        self._sock = self._link.open("udp")
        try:
            self._sock.connect(server, int(port))
            self._sock.write(self._query, len(self._query))
        except OSError:
            pass  # counts as a try without an answer

    def deadline(self):
        """Return the ticks at which `step` has to be called, None for at once."""
        return self._due

    def pollable(self):
        """Return the object for `select.poll` while waiting for an answer, else None."""
        return self._sock.pollable() if self._sock else None

    def close(self):
        """Close the socket."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None
