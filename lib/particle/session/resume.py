"""The connection over datagrams: messages are acknowledged, repeated and taken once
(cloud-protocol 3.3-3.7), and its session outlives it: it goes on without a handshake after a lost
connection, a reset or a power cut (cloud-protocol 2.4-2.6, DESIGN decisions 2 and 3).

Nothing is ever sent with a number that a restored session might use again: record numbers and
message IDs are reserved in steps, and the stored numbers are ahead of everything sent.
"""

import struct
from binascii import crc32

from micropython import const

from .conn import Conn
from .dtls import Dtls
from .messaging import add, diff

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
_ACK_TIMEOUT_MS = const(4000)
_TRANSMISSIONS = const(4)  # one less on a session that was just resumed
_PATIENCE = const(8)  # transmissions while other messages are answered
_SEEN = const(8)  # received CONs remembered, as long as the keys are the same
_OPEN = const(14)  # messages without an ACK when one more event is taken
_PROBE_MS = const(200)  # after which a resumed session with nothing to say sends a ping
_KIND = const(1)  # of the container

# Error numbers of Device OS (errors.py)
_ABORTED = const(-150)
_NETWORK = const(-230)
_TIMEOUT = const(-160)
_END_OF_STREAM = const(-201)
_PROTOCOL = const(-240)

# CoAP (wire/coap.py)
_CON = const(0)
_ACK = const(2)
_OCTETS = const(42)  # content format

# states of conn.Conn
_DIAL = const(4)
_SHAKE = const(5)
_ON = const(7)


def _sum(data):
    # 30 bits: more would be an object on a board, of 32 bytes
    return crc32(data) & 0x3FFFFFFF


class Resuming(Conn):
    """The whole connection over UDP with a session that is stored (see `Conn`).

    saved(kind): gives what the last SAVE event gave, None, or raises OSError. The adapter answers
    every SAVE with the method `saved(ok)`, ok true or false.
    """

    CHANNEL = Dtls
    DEFAULTS = 5684, 25
    PONG_MS = 30000
    step = _STEP  # numbers reserved at once; 1 with memory that does not wear
    why = "none"  # no session to go on with: the reason of the next full handshake
    _shakes = 0  # full handshakes that failed in a row
    _keep = []  # events not acknowledged when the connection went; replaced, never changed
    _spare = None  # session and checksums that come back when the handshake gets no answer either
    _hello_id = None
    repeats = 0  # retransmissions

    def __init__(self, keys, saved, rng, hello, limits):
        Conn.__init__(self, keys, None, rng, hello, limits)
        self._type = _CON
        self._token = rng(1)[0]
        self._hello += (keys.device_id,)
        self._seen = []  # [ID, reply or None]
        self._tries = _TRANSMISSIONS
        self._session = None  # what `Dtls.restore` takes
        self._crcs = 0, 0, 0  # of what the cloud knows: system, application, subscriptions
        self._news = []  # IDs of descriptions and subscriptions not acknowledged yet
        self._floor = -1  # last message ID of earlier boots until this boot's session is heard
        self._resumes = 0  # without an answer
        self._reserved = 0  # message IDs left
        self.resumes = 0
        self._closed = False  # a session was resumed and nothing came yet
        self._stored = False  # the stored session is the one in use
        self._blocked = False  # until what is reserved is stored
        where = "%s:%d" % (self._host, self._port)
        self._marks = _sum(keys.server + keys.public), _sum(where.encode())
        self._channel.profile = int(limits.get("wire_profile") == "device-os")
        try:
            saved = saved(_KIND)
        except OSError:
            saved = b"?"  # damaged: a handshake makes a new one
        if saved:
            s = len(saved) >= _LENGTH and struct.unpack_from(_FORMAT, saved)
            if s and s[:2] != self._marks:
                self.why = "changed"
            elif not s or len(saved) != _LENGTH + s[14]:
                self.why = "damaged"
            else:
                self._session = s[2:8]
                self._mid = self._floor = s[8]
                self._resumes = s[9]
                self._channel.profile = s[10]
                self._crcs = s[11:14]
                self._addresses = [saved[_LENGTH:].decode()] if s[14] else []
                self._stored = True

    @staticmethod
    def system(platform_id):
        """Return the description of the system and its content format (4.2).

        Protobuf: one module, monolithic, with the level of Device OS that is spoken.
        """
        return b"\x0a\x05\x08\x03\x18\xb8\x30", _OCTETS

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
        Conn.opened(self, now, ok)

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
            Conn._opened(self, now)
            self._seen = []
            self._due = None  # the Hello is repeated as every CON, and given up like one
            self._hello_id = self._mid
            return
        self.resumes += 1
        self._sent = self._since = now
        # a ping is due soon, unless there is something to say
        self._heard = add(now, _PROBE_MS - self.keep_alive * 1000)
        self.reset(0, 0)
        self._closed = True
        self._tries = _TRANSMISSIONS - 1
        self._state = _ON
        self.ready = True
        self._save()
        self._again()
        self._announce()
        self._emit("READY")

    def _again(self):
        # what was not acknowledged goes first, under its old ID: the cloud may know it
        if self._keep:
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
        return _sum(system), _sum(application), _sum(repr(self._filters).encode())

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
        Conn._post(self, flags, body, ctype)
        self._news.append(self._mid)

    def _subscribe(self, prefix, flags):
        Conn._subscribe(self, prefix, flags)
        self._news.append(self._mid)

    # storing

    def _save(self):
        # Reserve another step of numbers; nothing leaves before they are stored. SAVE tells, too,
        # whether the session was just resumed and nobody has answered yet.
        self._reserved = step = max(self.step, len(self._queue))
        state = self._channel.state(step)
        address = self._addresses[0].encode() if self._addresses else b""
        fields = self._marks + state + ((self._mid + step) & 0xFFFF, self._resumes)
        fields += (self._channel.profile,) + self._crcs + (len(address),)
        self._blocked = True
        self._emit("SAVE", struct.pack(_FORMAT, *fields) + address, self._closed)

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
        return Conn.next(self)

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
        return Conn.transmit(self, now)

    # what comes and what is repeated

    def dispatch(self, now, m):
        """Act on a received message once, however often it comes.

        A resumed session takes nothing before a fresh ACK shows that the cloud goes on with it.
        """
        if m.type >= _ACK:
            entry = self._open.get(m.mid)
            if self._closed and not self._hears(m, entry):
                return
            if entry:
                del self._open[m.mid]
                if entry[1] is None and entry[0] in self._queue:
                    self._queue.remove(entry[0])  # it was just about to be repeated
                if m.mid == self._hello_id:
                    self._hello_id = None
                    if m.type > _ACK or m.code >= 0x80:
                        self._fail(now, "cloud", _PROTOCOL)  # refused
                        return
                    self._server_hello(now, m)
        elif self._closed:
            return  # it may be a record of an earlier boot
        elif m.type == _CON:
            # No time limit: who holds back a record for long must not have it acted upon twice.
            for s in self._seen:
                if s[0] == m.mid:
                    if s[1]:
                        self._queue.append(s[1])
                    return
            self._seen = self._seen[1 - _SEEN :] + [[m.mid, None]]
        Conn.dispatch(self, now, m)
        # one that is refused stays: then everything is announced again with the next connection
        if m.mid in self._news and m.type == _ACK and m.code < 0x80:
            self._news.remove(m.mid)
            if not self._news:
                self._crcs = self._sums()
                self._save()

    def _hears(self, m, entry):
        # whether an ACK or RST shows that the cloud goes on with the resumed session
        if not entry or not entry[2]:
            return False
        if self._floor >= 0 and (m.mid - self._floor - 1) & 0x8000:
            return False  # a persisted event keeps its ID: this may be of an earlier boot
        self._closed = False
        self._floor = -1
        self._tries = _TRANSMISSIONS
        self._resumes = 0
        self._channel.heard()
        self._save()
        return True

    def room(self):
        """Return how many events may still be sent; all without an ACK may have to go again."""
        return min(Conn.room(self), _OPEN - len(self._open))

    def take(self, now):
        """Return the next message, which is sent now; a CON will be repeated until its ACK."""
        message = Conn.take(self, now)
        entry = self._open.get(message[2] << 8 | message[3])
        if entry and entry[0] is message:
            # 4-6, 8-12, 16-24, 32-48 s; 4-6 s while nobody knows whether the session lives
            wait = _ACK_TIMEOUT_MS << (0 if self._closed else min(3, entry[2]))
            entry[1] = add(now, wait + (wait * self._rng(1)[0] >> 9))
            entry[2] += 1
        return message

    def waits(self):
        """Return the ticks at which the waits for ACKs end, in a list; None means nothing."""
        times = Conn.waits(self)
        for entry in self._open.values():
            times.append(entry[1])
        return times

    def expire(self, now):
        """Repeat what was not acknowledged; the fourth time ask whether anybody is there.

        Who answers but does not acknowledge a message after eight times does not want it: it is
        given up. Who does not answer is not there: the connection is given up.
        """
        Conn.expire(self, now)
        for mid, entry in list(self._open.items()):
            if entry[1] is not None and diff(now, entry[1]) >= 0:
                asks = self._state == _ON and self._pong is None
                alive = asks and not self._closed
                if entry[2] < (_PATIENCE if alive else self._tries):
                    entry[1] = None
                    self.repeats += 1
                    self._queue.append(entry[0])
                    if asks and entry[2] >= self._tries - 1:
                        self.ping(now)
                elif alive:
                    del self._open[mid]
                    if self._waiting.pop(mid, None) is not None:
                        self._emit("ACKED", mid, _TIMEOUT)
                else:
                    self._fail(now, "cloud", _TIMEOUT)
                    return

    def send(self, message):
        """Queue a message that is built; a CON is repeated until its ACK."""
        kind = message[0] >> 4 & 3
        if kind == _CON:
            self._open[message[2] << 8 | message[3]] = [message, None, 0]
        elif kind >= _ACK:
            for s in self._seen:
                if s[0] == message[2] << 8 | message[3]:
                    s[1] = message
        Conn.send(self, message)

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
        Conn.abandon(self)
        self._waiting = waiting
        if self._session and self._state >= _ON:
            self._session = self._channel.state(0)

    def reset(self, mid, token):
        """Forget what waits but the operations of events that are sent again.

        IDs and tokens go on, they start again only with the device (3.1).
        """
        waiting = self._waiting if self._keep else {}
        Conn.reset(self, self._mid, self._token)
        self._waiting = waiting
        self._open = {}  # ID -> [message, ticks of the next transmission or None, transmissions]

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
        Conn._fail(self, now, stage, code)
