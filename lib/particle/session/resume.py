"""A session that outlives its connection: it goes on without a handshake after a lost connection,
a reset or a power cut (cloud-protocol 2.4-2.6, DESIGN decisions 2 and 3).

Nothing is ever sent with a number that a restored session might use again: record numbers and
message IDs are reserved in steps, and the stored numbers are ahead of everything sent.
"""

import struct
from binascii import crc32

from micropython import const

from .dtls import Dtls  # not in reliable.py: imports in imports take a small board's stack
from .messaging import add
from .reliable import Reliable

# What is stored, at most 150 bytes: checksums of keys and of the configured address, key block,
# connection ID, next record number to be sent and highest number received (24-bit halves), next
# message ID, resumes
# since the last answer, wire profile, checksums of the descriptions and of the subscriptions,
# length of the address that follows
_FORMAT = "<II40s8sIIIIHBBIIIB"
_LENGTH = const(89)
_UNSAVED = const(0x3FFFFFF)  # records a session that is not stored may send
_STEP = const(256)  # numbers reserved with one write to flash
_TRIES = const(2)  # resumes without an answer before a handshake
_SHAKES = const(2)  # handshakes in one wire profile before the other is tried
_TRANSMISSIONS = const(3)  # of a message on a session that was just resumed
_PROBE_MS = const(200)  # after which a resumed session with nothing to say sends a ping
_KIND = const(1)  # of the container

# Error numbers of Device OS (errors.py)
_ABORTED = const(-150)
_NETWORK = const(-230)
_TIMEOUT = const(-160)
_END_OF_STREAM = const(-201)
_PROTOCOL = const(-240)
_ACK = const(2)

# states of conn.Conn
_DIAL = const(4)
_SHAKE = const(5)
_ON = const(7)


class Resuming(Reliable):
    """The whole connection over UDP with a session that is stored (see `Conn`).

    saved(kind): gives what the last SAVE event gave, None, or raises OSError. The adapter answers
    every SAVE with the method `saved(ok)`, ok true or false.
    """

    CHANNEL = Dtls
    step = _STEP  # numbers reserved at once; 1 with memory that does not wear
    why = "none"  # no session to go on with: the reason of the next full handshake
    _shakes = 0  # full handshakes that failed in a row
    _crcs = 0, 0, 0  # of what the cloud knows: system, application, subscriptions
    _news = ()  # IDs of descriptions and subscriptions not acknowledged yet
    _blocked = False  # until what is reserved is stored
    _stored = False  # the stored session is the one in use
    _resumes = 0  # without an answer
    _reserved = 0  # message IDs left
    resumes = 0
    _keep = []  # events not acknowledged when the connection went; replaced, never changed
    _session = None  # what `Dtls.restore` takes
    _spare = None  # session and checksums that come back when the handshake gets no answer either
    _floor = -1  # last message ID of earlier boots until this boot's session is heard

    def __init__(self, keys, saved, rng, hello, limits):
        Reliable.__init__(self, keys, None, rng, hello, limits)
        where = "%s:%d" % (self._host, self._port)
        self._marks = crc32(keys.server + keys.public), crc32(where.encode())
        self._channel.profile = int(limits.get("wire_profile") == "device-os")
        try:
            saved = saved(_KIND)
        except OSError:
            saved = b"?"  # damaged: a handshake makes a new one
        if saved:
            self.why = "damaged"
        if saved and len(saved) >= _LENGTH:
            s = struct.unpack_from(_FORMAT, saved)
            if s[:2] != self._marks:
                self.why = "changed"
            elif len(saved) == _LENGTH + s[14]:
                self._session = s[2:8]
                self._mid = self._floor = s[8]
                self._resumes = s[9]
                self._channel.profile = s[10]
                self._crcs = s[11:14]
                self._addresses = [saved[_LENGTH:].decode()] if s[14] else []
                self._stored = True

    # resume instead of handshake

    def opened(self, now, ok):
        """Take the answer to DIAL: go on with the session if there is one, else shake hands."""
        if ok and self._state == _DIAL and self._session:
            if self._resumes < _TRIES:
                self._resumes += 1
                self._state = _SHAKE
                self._due = None
                self._channel.restore(now, *self._session)
                self._drain(now)
                return
            spare = self._session, self._crcs
            self.forget("unanswered")
            self._spare = spare
        if ok and self._state == _DIAL:
            self._shakes += 1
            if self._shakes > _SHAKES:
                # a server, or something before it, may take the other form only
                self._shakes = 1
                self._channel.profile ^= 1
        Reliable.opened(self, now, ok)

    def forget(self, why="cleared"):
        """Give up the session: the next connection begins with a handshake."""
        self.why = why
        self._session = self._spare = None
        self._stored = False
        self._resumes = 0
        self._crcs = 0, 0, 0

    def _opened(self, now):
        self._news = []
        if not self._session:
            Reliable._opened(self, now)
            return
        self.resumes += 1
        self._sent = self._since = now
        # a ping is due soon, unless there is something to say
        self._heard = add(now, _PROBE_MS - self.keep_alive * 1000)
        self.reset(0, 0)
        self._closed = True
        self._tries = _TRANSMISSIONS
        self._state = _ON
        self.ready = True
        self._save()
        self._again()
        self._announce()
        self._emit("READY")

    def _again(self):
        # what was not acknowledged goes first, under its old ID: the cloud may know it
        for message in self._keep:
            self.send(message)
        self._keep = []

    def announce(self, now):
        """Queue what follows the Hello of a new session, and store the session."""
        self._crcs = 0, 0, 0
        self.time(now)
        self._announce()
        self._again()
        self._session = self._channel.state(0)
        self._spare = None
        self._resumes = self._shakes = 0
        self._save()

    def _sums(self):
        bodies = self._bodies
        system, _ = bodies.get(1, (b"", 0))
        application, _ = bodies.get(2, (b"", 0))
        return crc32(system), crc32(application), crc32(repr(self._filters).encode())

    def _announce(self):
        # what the cloud does not know yet; it keeps the rest with the session
        sums = self._sums()
        for k in sorted(self._bodies):
            if sums[k - 1] != self._crcs[k - 1]:
                self._post(k, *self._bodies[k])
        if sums[2] != self._crcs[2]:
            for prefix, flags in self._filters:
                self._subscribe(prefix, flags)

    def _post(self, flags, body, ctype):
        Reliable._post(self, flags, body, ctype)
        self._news.append(self._mid)

    def _subscribe(self, prefix, flags):
        Reliable._subscribe(self, prefix, flags)
        self._news.append(self._mid)

    # storing

    def _save(self):
        # reserve another step of numbers; nothing leaves before they are stored
        self._reserved = step = max(self.step, len(self._queue))
        state = self._channel.state(step)
        address = self._addresses[0].encode() if self._addresses else b""
        fields = self._marks + state + ((self._mid + step) & 0xFFFF, self._resumes)
        fields += (self._channel.profile,) + self._crcs + (len(address),)
        self._blocked = True
        self._emit("SAVE", struct.pack(_FORMAT, *fields) + address)

    def saved(self, ok):
        """Take note that the last SAVE was stored, or could not be."""
        self._blocked = False
        if ok:
            self._channel.left = self._reserved
            self._stored = True
        elif self._stored:
            # what is stored would use the numbers of this session again: it must not go on
            self.forget("store")
            self._fail(self._now, "store", _ABORTED)
        else:
            self._channel.left = _UNSAVED  # a session that is not stored needs no reserve

    def next(self):
        """Take the next message ID."""
        self._reserved -= 1
        return Reliable.next(self)

    def transmit(self, now):
        """Return how many bytes of `out` are one datagram, 0 = none; repeat until 0."""
        self._now = now
        short = self._channel.left <= 0 or self._reserved <= 0
        if short and not self._blocked and self._stored and self._session and self.ready:
            self._save()
        if self._blocked:
            return 0
        if self._closed and self._queue:
            self._heard = now
        return Reliable.transmit(self, now)

    # the first answer

    def dispatch(self, now, m):
        """Act on a received message; on a resumed session first on nothing but a fresh ACK."""
        if self._closed:
            entry = self._open.get(m.mid)
            if m.type < _ACK or not entry or not entry[2]:
                return  # it may be a record of an earlier boot
            if self._floor >= 0 and (m.mid - self._floor - 1) & 0x8000:
                return  # so may this: a persisted event keeps its ID
            self._closed = False
            self._floor = -1
            self._tries = _TRANSMISSIONS + 1
            self._resumes = 0
            self._channel.heard()
            self._save()
        Reliable.dispatch(self, now, m)
        # one that is refused stays: then everything is announced again with the next connection
        if m.mid in self._news and m.type == _ACK and m.code < 0x80:
            self._news.remove(m.mid)
            if not self._news:
                self._crcs = self._sums()
                self._save()

    def abandon(self):
        """Forget what waits, except events that were not acknowledged."""
        start = self._mid + 1
        waiting = {}
        for mid in sorted(self._open, key=lambda mid: (mid - start) & 0xFFFF):
            message = self._open[mid][0]
            if message[4:6] == b"\xb1E":
                self._keep = self._keep + [message]
                if mid in self._waiting:
                    waiting[mid] = self._waiting.pop(mid)
        Reliable.abandon(self)
        self._waiting = waiting
        if self._session and self._state >= _ON:
            self._session = self._channel.state(0)

    def reset(self, mid, token):
        """Forget what waits but the operations of events that are sent again."""
        waiting = self._waiting if self._keep else {}
        Reliable.reset(self, mid, token)
        self._waiting = waiting

    def _fail(self, now, stage, code):
        if code in (_END_OF_STREAM, _PROTOCOL):
            self.forget("ended")  # by the cloud, or nobody can go on with it
        elif self._state < _ON:
            if self._spare and code in (_TIMEOUT, _NETWORK):
                # there is no way to the cloud: the session is not to blame
                self._session, self._crcs = self._spare
                self._spare = None
                self._stored = True
                self._resumes = _TRIES - 1
        elif self._closed and code == _NETWORK:
            self._resumes -= 1  # it was not asked
        Reliable._fail(self, now, stage, code)
