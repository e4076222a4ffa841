"""A TCP server for setup mode whose visitors cannot block each other (setup-protocols 2.2, 2.3),
and what its two ways to ask have in common.

It has few places. Who does not send his request, or does not read his answer, loses his place to
the next one; the one with most places first. Nobody keeps one longer than 10 s for his request
and 20 s for the answer.
"""

import select
import socket

from micropython import const

from ..errors import Error
from .mode import passed
from .softap_json import Ending

_NETWORK = const(-230)  # error number of Device OS (errors.py)
_IN_USE = const((98, 112))  # EADDRINUSE; 112 esp32
# "not now, try again": EAGAIN, EALREADY, EINPROGRESS; 118, 119 esp32
_BUSY = const((11, 114, 115, 118, 119))

_PLACES = const(4)
_BACKLOG = const(4)
_REQUEST_MS = const(10000)
_ANSWER_MS = const(20000)
_PROTECTED_MS = const(1000)  # even when others wait for a place
_GREEDY_MS = const(300)  # the same for whoever has several
_PIECES = const(8)  # of an answer, in one step
_READS = const(4)  # of a request, in one step
_UNREAD = const(32)  # buffers of what was sent in vain
_MOST = const(65536)  # bytes of a body that are listened to before it is refused
_PATIENCE_MS = const(500)
_TOO_LARGE = const(413)


def host(peer):
    """Return what tells a visitor's device from another's: the address of `accept`, no port."""
    return peer[0] if isinstance(peer, tuple) else bytes(peer[4:8])


class Bound:
    """A socket of `kind` at `address`:`port`; `_ready(0)` gives something when it has something.

    Raises OSError; `Error(NETWORK)` when another one is there.
    """

    def __init__(self, address, port, kind):
        self._s = s = socket.socket(socket.AF_INET, kind)
        try:
            where = socket.getaddrinfo(address, port)[0][-1]
            tcp = kind == socket.SOCK_STREAM
            if tcp:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(where)
            if tcp:
                s.listen(_BACKLOG)
            s.setblocking(False)
            self._poll = p = select.poll()
            p.register(s, select.POLLIN)
            self._ready = getattr(p, "ipoll", None) or p.poll
        except OSError as e:
            s.close()
            if e.args[0] not in _IN_USE:
                raise
            # getaddrinfo gives bytes on some ports
            at = where[1] if isinstance(where, tuple) else where[2] << 8 | where[3]
            text = "port %d is in use: end what listens there, or give it another port" % at
            raise Error(_NETWORK, text) from None

    def close(self):
        """Give it back; may be called twice."""
        if self._s is not None:
            self._s.close()
            self._s = self._poll = self._ready = None


class Talk:
    """The request of one visitor, a head and a body; commands: see `softap_commands.Commands`.

    A subclass reads the head: until then `_body` is None.
    """

    patience = None
    _body = None
    _length = 0
    _came = 0  # bytes of the body, also of one that is not kept
    _refused = 0  # status of HTTP
    _whole = False

    def __init__(self, commands):
        self._commands = commands
        self._line = bytearray()
        self._ending = Ending()

    def _more(self, data, at, n):
        self._came += n - at
        if not (self._refused or self._commands.keep(self._body, data, at, n)):
            self._refused = _TOO_LARGE
            self.close()

    def _look(self):
        if self._refused:
            # to end while he still sends would be a reset: a little is listened to
            self._whole = self._body is None or self._came >= min(self._length, _MOST)
            self.patience = _PATIENCE_MS
        elif self._body is not None and self._came >= self._length:
            # clients count the length in UTF-16 units: the rest is waited for (2.2, rule 7)
            self._whole = not self._length or self._ending.reached(self._body)
            self.patience = _PATIENCE_MS

    def enough(self):
        """Take what came for everything, after a silence."""
        self._whole = True

    def close(self):
        """Give the room of the body back."""
        self._commands.give_back(self._body)
        self._body = b""


class _Visit:
    def __init__(self, sock, who, talk, now):
        sock.setblocking(False)
        self.sock = sock
        self.who = who
        self.talk = talk
        self.began = self.waiting = self.heard = now
        self.answer = None  # a generator of pieces, once the request is whole
        self.left = b""  # what the peer has not taken yet
        self.works = False  # is calculating, does not wait for the peer
        # CPython has other names for the calls that MicroPython makes without allocation
        self.read = getattr(sock, "readinto", None) or sock.recv_into
        self.write = getattr(sock, "write", None) or sock.send


class Server(Bound):
    """Listen at `address`:`port`; talk() gives the object that understands one visitor.

    A talk has `feed(data, n)`, which takes the first n bytes that came; `answer()`, which gives
    None or, once the request is whole, a generator of the pieces of the answer (b"" for a slice
    of calculation); `patience`: ms of silence after which `enough()` is called, or None; and
    `close()`. Raises as `Bound`.
    """

    def __init__(self, address, port, talk):
        super().__init__(address, port, socket.SOCK_STREAM)
        self._talk = talk
        self._visits = []

    def step(self, now, buf):
        """Serve everybody a little; tell whether there is more to calculate.

        buf: room for what one of them sent. Never raises OSError.
        """
        worked = False
        for visit in list(self._visits):
            if visit.works and worked:
                continue  # one slice of calculation in a step
            try:
                gone = self._serve(visit, now, buf)
            except (MemoryError, OSError):
                gone = True
            worked = worked or visit.works
            if gone:
                self._end(visit, buf)
            elif visit.works:
                # the next slice is somebody else's
                self._visits.remove(visit)
                self._visits.append(visit)
        # last: after a scan somebody may seem to have been silent whose request is there
        for _ in self._ready(0):
            if len(self._visits) < _PLACES or self._make_room(now):
                try:
                    sock, peer = self._s.accept()
                except OSError:
                    continue  # he left already, or the port has no socket left for him
                self._visits.append(_Visit(sock, host(peer), self._talk(), now))
        return worked

    def visits(self):
        """Return how many visitors there are."""
        return len(self._visits)

    def close(self):
        """Send everybody away and listen no more; may be called twice."""
        for visit in self._visits:
            self._free(visit)
        self._visits = []
        super().close()

    def _make_room(self, now):
        worst = None
        for visit in self._visits:
            if visit.works:
                continue
            many = len([v for v in self._visits if v.who == visit.who])
            waited = passed(now, visit.waiting)
            late = waited >= (_GREEDY_MS if many > 1 else _PROTECTED_MS)
            if late and (worst is None or (many, waited) > worst[:2]):
                worst = many, waited, visit
        if worst is None:
            return False
        self._visits.remove(worst[2])
        self._free(worst[2])
        return True

    def _serve(self, visit, now, buf):
        # -> whether he is done
        if visit.answer is None:
            if not self._listen(visit, now, buf):
                return passed(now, visit.began) >= _REQUEST_MS
            visit.began = visit.waiting = now
        elif passed(now, visit.began) >= _ANSWER_MS:
            return True
        return self._say(visit, now)

    def _listen(self, visit, now, buf):
        talk = visit.talk
        for _ in range(_READS):
            n = _tried(visit.read, buf)
            if n:
                visit.heard = now
                talk.feed(buf, n)
            elif n == 0:
                raise OSError  # he closed before he had asked
            elif talk.patience is not None and passed(now, visit.heard) >= talk.patience:
                talk.enough()
            visit.answer = talk.answer()
            if visit.answer is not None:
                return True
            if n != len(buf):
                break
        return False

    def _say(self, visit, now):
        visit.works = False
        for _ in range(_PIECES):
            if not visit.left:
                try:
                    visit.left = next(visit.answer)
                except StopIteration:
                    return True
                if not visit.left:
                    visit.works = True
                    return False
            n = _tried(visit.write, visit.left)
            if n:
                visit.waiting = now
                visit.left = memoryview(visit.left)[n:]
            if visit.left:
                return False
        return False

    def _end(self, visit, buf):
        # what was sent and not read would turn the end of the answer into a reset
        self._visits.remove(visit)
        try:
            for _ in range(_UNREAD):
                if not visit.read(buf):
                    break
        except OSError:
            pass
        self._free(visit)

    def _free(self, visit):
        if visit.answer is not None:
            visit.answer.close()
        visit.talk.close()
        visit.sock.close()


def _tried(call, buffer):
    # bytes that were read or written, None when the peer has to be waited for
    try:
        return call(buffer)
    except OSError as e:
        if e.args[0] in _BUSY:
            return None
        raise
