"""A DNS client that never blocks: one name, its IPv4 addresses (RFC 1035, DESIGN decision 6).

`getaddrinfo` has no time-out on any port, so it serves only `localhost` and
`.local`, which a name server does not know.
"""

from micropython import const

from ..errors import NOT_FOUND, TIMEOUT, Error

_PORT = const(53)
_TRY_MS = const(1500)  # first wait for an answer, doubled with each try
_TRIES = const(3)
_MAX_ADDRESSES = const(8)
_MAX_NAMES = const(8)  # CNAMEs followed inside one answer
_A = const(1)
_CNAME = const(5)


def literal(host):
    """Return True when `host` is an address, not a name."""
    if ":" in host:
        return True
    parts = host.split(".")
    return len(parts) == 4 and all(p.isdigit() and len(p) < 4 and int(p) < 256 for p in parts)


def question(host):
    """Return the question section (A, IN) for `host`; raise `Error(NOT_FOUND)` if no such name."""
    out = b""
    for label in host.rstrip(".").split("."):
        raw = label.encode()
        if not 0 < len(raw) < 64:
            raise Error(NOT_FOUND, "%r is not a host name" % host, "DNS")
        out += bytes((len(raw),)) + raw
    if len(out) > 254:
        raise Error(NOT_FOUND, "%r is not a host name" % host, "DNS")
    return out + b"\x00\x00\x01\x00\x01"


def _name(buf, n, at):
    # -> (lower-case name, offset after it); a pointer may only lead backwards, so it ends
    name = b""
    end = 0
    limit = n
    while True:
        if at >= n:
            raise ValueError
        c = buf[at]
        if c == 0:
            return name, end or at + 1
        if c < 64:
            if at + 1 + c > n or len(name) > 255:
                raise ValueError
            name += bytes(buf[at : at + 1 + c]).lower()
            at += 1 + c
        else:
            if c < 192 or at + 2 > n:
                raise ValueError
            end = end or at + 2
            at = (c & 63) << 8 | buf[at + 1]
            if at >= limit:
                raise ValueError
            limit = at


def answer(buf, n, query):
    """Return what the `n` bytes in `buf` say to `query`: None = not its answer, [] = no such name.

    query: the 12-byte header and question as sent. Anything malformed counts as "not its answer".
    """
    q = len(query) - 12
    if n < len(query) or buf[0] != query[0] or buf[1] != query[1] or buf[2] & 0xFA != 0x80:
        return None
    if bytes(buf[4:6]) != b"\x00\x01" or bytes(buf[12 : 12 + q]).lower() != query[12:].lower():
        return None
    code = buf[3] & 15
    if code:
        return [] if code == 3 else None  # only NXDOMAIN is final, another server may do better
    try:
        wanted, at = _name(buf, n, 12)
        at += 4
        records = []
        for _ in range(min(buf[6] << 8 | buf[7], 64)):
            name, at = _name(buf, n, at)
            size = buf[at + 8] << 8 | buf[at + 9]
            if at + 10 + size > n:
                raise ValueError
            if buf[at] == 0 and buf[at + 3] == 1:  # class IN
                records.append((name, buf[at + 1], at + 10, size))
            at += 10 + size
        for _ in range(_MAX_NAMES):
            found = [
                ".".join(str(b) for b in buf[p : p + 4])
                for name, kind, p, size in records
                if kind == _A and size == 4 and name == wanted
            ]
            alias = [p for name, kind, p, _ in records if kind == _CNAME and name == wanted]
            if found or not alias:
                return found[:_MAX_ADDRESSES]
            wanted = _name(buf, n, alias[0])[0]
    except (ValueError, IndexError):
        pass
    return None


class Resolver:
    """Resolve `host` over `link`; call `step` until it answers. Bounded: about 10 s.

    servers: "address[:port]" strings. rng(n) -> n random bytes for the query id.
    """

    def __init__(self, link, host, servers, rng):
        self._link = link
        self._host = host
        self._servers = servers
        self._rng = rng
        self._sock = None
        self._try = 0
        self._due = None
        self._fixed = None
        if literal(host):
            self._fixed = [host]
        elif host == "localhost" or host.endswith(".local"):
            import socket

            self._fixed = []
            for info in socket.getaddrinfo(host, 0):
                raw = info[-1]
                if isinstance(raw, tuple):
                    self._fixed.append(raw[0])
                else:
                    # the unix port hands out a raw socket address
                    family, packed = socket.sockaddr(raw)[:2]
                    self._fixed.append(socket.inet_ntop(family, packed))
        else:
            self._question = question(host)
            self._buf = bytearray(512)

    def step(self, now, diff, add):
        """Return the list of addresses, or None: call again (not later than `deadline`).

        diff, add: `time.ticks_diff` and `ticks_add`. Raises `Error` with stage "DNS".
        """
        if self._fixed is not None:
            return self._fixed
        if self._sock is not None:
            found = self._read()
            if found is not None:
                self.close()
                if not found:
                    raise Error(NOT_FOUND, "%s: no such name" % self._host, "DNS")
                return found
        if self._sock is None or diff(now, self._due) >= 0:
            self.close()
            if self._try >= _TRIES * len(self._servers):
                raise Error(TIMEOUT, "no answer from %s" % ", ".join(self._servers), "DNS")
            self._ask()
            turn = self._try // len(self._servers)
            self._due = add(now, _TRY_MS << turn)
            self._try += 1
        return None

    def _read(self):
        try:
            n = self._sock.readinto(self._buf)
        except OSError:
            return None  # refused: the next try goes to the next server
        return answer(self._buf, n, self._query) if n else None

    def _ask(self):
        server = self._servers[self._try % len(self._servers)]
        port = _PORT
        if server.count(":") == 1:
            server, text = server.split(":")
            port = int(text)
        # id random, recursion desired, one question
        self._query = self._rng(2) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + self._question
        self._sock = self._link.open("udp")
        try:
            self._sock.connect(server, port)
            self._sock.write(self._query, len(self._query))
        except OSError:
            self.close()  # this server cannot be asked: on to the next try

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
