"""An update by version 3 of the protocol: chunks in any order, acknowledged together
(cloud-protocol 5.2).

The target takes bytes in order only. Of what comes too early a few chunks are kept; for the rest
the acknowledgement shows the gap, and the cloud sends it again.
"""

from micropython import const

from ..wire import ota
from ..wire.messages import answer
from .messaging import add, diff
from .transfer import Transfer

# what the host is told, and states (transfer.py)
_BEGIN = const(0)
_PROGRESS = const(2)
_IDLE = const(0)
_STARTING = const(1)
_RECEIVING = const(2)
_FINISHING = const(3)
_ENDED = const(4)

# CoAP (wire/coap.py)
_CON = const(0)
_NON = const(1)
_RST = const(3)
_CHANGED = const(0x44)

# first path characters
_S = const(0x53)
_C = const(0x43)

# Error numbers of Device OS (errors.py)
_INVALID_STATE = const(-210)
_NO_MEMORY = const(-260)
_PROTOCOL = const(-240)

_EARLY = const(4)  # chunks kept that came before their turn
_WINDOW = const(131072)  # bytes that may be on their way (5.2.2)
_DELAY_MS = const(200)  # of an acknowledgement that can wait
_TOGETHER = const(2)  # chunks without an acknowledgement


class Update(Transfer):
    """The device's side of updates of version 3 (see `Transfer`)."""

    _ack_due = _counters = None

    def message(self, now, m):
        """Act on a start, chunk or finish."""
        if m.path == _C:
            self._chunk(now, m)
        elif m.path == _S:
            self._start(now, m)
        else:
            self._finish(now, m)

    def _over(self):
        super()._over()
        self._early = self._room = self._ack_due = None

    # start

    def _start(self, now, m):
        fields = ota.start(m)
        if m.token < 0 or not fields:
            self._refuse(m, _PROTOCOL, "no token, or options that are missing or wrong")
            return
        self.stop()
        self._acknowledge(m)
        self._token = m.token
        size, sha, self._size, function, discard = fields
        refused = self._host.refusal(size)
        if refused:
            self._failed(now, None, *refused)
            return
        if discard:
            self._target.discard()
        self._of = size
        self._do(_STARTING, self._target.begin(size, sha, function), self._started)

    def _failed(self, now, _, error, text):
        # a start that failed: the connection stays, nothing was begun
        self._over()
        self._fails(self._token, error, text)

    def _started(self, now, offset, error, text):
        if not error:
            try:
                self._room = bytearray(_EARLY * self._size)
            except MemoryError:
                self._target.pause()
                error = _NO_MEMORY
                text = "no memory for the chunks"
        if error:
            self._failed(now, None, error, text)
            return
        self._early = [0] * _EARLY  # index of the chunk in each place of the room
        left = self._of - offset
        self._count = (left + self._size - 1) // self._size
        self._last = left - (self._count - 1) * self._size
        self._have = self._highest = 0  # chunks stored, which are the first ones; highest seen
        self._open = 0  # chunks without an acknowledgement
        self._ack = self._counters = None
        self._chunks = self._doubles = self._unordered = self._acks = 0
        self._state = _RECEIVING
        conn = self._conn
        mid = self._await(now, conn.next())
        conn.send(ota.started(conn._w, mid, self._token, _WINDOW // self._size, offset))
        self._heard = now
        self._silence(now)
        self._host.told(_BEGIN)

    # chunks

    def _chunk(self, now, m):
        if self._state == _IDLE:
            self._reset(m)
            return
        if self._state != _RECEIVING:
            return  # one more copy of what arrived long ago
        if m.type == _CON:
            m.token = -1
            self._refuse(m, _PROTOCOL, "a chunk must not be confirmable")
            return
        index = ota.chunk_index(m)
        data = memoryview(m.buf)[m.payload_at : m.payload_at + m.payload_n]
        self._mid = m.mid
        try:
            if m.tkl or not 0 < index <= self._count or len(data) != self._length(index):
                raise OSError
            self._take(now, index, data)
        except OSError:
            if m.tkl:
                self._fails(m.token, _PROTOCOL, "a chunk with a token", _NON)
            else:
                self._reset(m)
            self._drop(now)

    def _length(self, index):
        return self._last if index == self._count else self._size

    def _take(self, now, index, data):
        ahead = index - self._have
        # with a gap every chunk is acknowledged, and the one that closes it
        at_once = self._have < self._highest
        if self._chunks and diff(now, self._heard) >= _DELAY_MS:
            at_once = True
        self._heard = now
        self._chunks += 1
        self._open += 1
        if ahead <= 0 or index in self._early:
            self._doubles += 1
            at_once = True
        elif ahead == 1 and not self._work:
            self._store(data)
            self._catch_up()
        elif ahead <= _WINDOW // self._size:
            self._unordered += 1
            self._keep(index, data)
        if ahead <= _WINDOW // self._size:
            self._highest = max(self._highest, index)
        self._silence(now)
        if self._work:
            return  # the cloud shall wait, and most of what comes is lost
        if (
            at_once
            or self._have < self._highest
            or self._open >= _TOGETHER
            or self._have == self._count
        ):
            self._send_ack(now)
        elif self._ack_due is None:
            self._ack_due = add(now, _DELAY_MS)

    def _store(self, data):
        work = self._target.write(data)
        self._have += 1
        if work:
            self._work = work
            self._then = self._settled

    def _settled(self, now, _, error, text):
        if error:
            # there is no word for it before the next start, where the target says it again
            self._conn.send(answer(self._conn._w, _RST, 0, self._mid))
            self._drop(now)
            return
        self._catch_up()
        if not self._work:
            self._send_ack(now)

    def _keep(self, index, data):
        if 0 in self._early:
            place = self._early.index(0)
            self._early[place] = index
            at = place * self._size
            self._room[at : at + len(data)] = data

    def _catch_up(self):
        # what came before its turn and can be stored now
        early = self._early
        while self._have + 1 in early and not self._work:
            place = early.index(self._have + 1)
            at = place * self._size
            self._store(memoryview(self._room)[at : at + self._length(self._have + 1)])
            early[place] = 0
        self._host.told(_PROGRESS)

    def _send_ack(self, now):
        conn = self._conn
        if self._ack in conn._queue:
            conn._queue.remove(self._ack)  # it was not sent yet, and this one says more
        later = 0
        for index in self._early:
            if index:
                later |= 1 << index - self._have - 1
        self._ack = ota.chunk_ack(conn._w, conn.next(), self._have, later)
        conn.send(self._ack)
        self._acks += 1
        self._open = 0
        self._ack_due = None

    # finish

    def _finish(self, now, m):
        if m.token < 0:
            self._refuse(m, _PROTOCOL, "no token")
            return
        self._acknowledge(m)
        self._token = m.token
        cancel, discard = ota.finish(m)
        state = self._state
        if state == _IDLE:
            self._fails(m.token, _INVALID_STATE, "no update is running")
        elif cancel:
            self.stop(discard)
            self._say(_CON, _CHANGED, m.token)
        elif state == _RECEIVING and self._have == self._count and not self._work:
            self._begun = now
            self._early = self._room = self._ack_due = None
            self._do(_FINISHING, self._target.verify(), self._verified)
        elif state == _ENDED and self._counters:
            self._succeeded(now)
        elif state != _FINISHING:
            self._give_up(now, _PROTOCOL, "not all chunks arrived")

    def _verified(self, now, _, error, text):
        if error:
            self._give_up(now, error, text)
            return
        self._counters = (
            '{"recv_chunks":%d,"dup_chunks":%d,"ooo_chunks":%d,"sent_acks":%d,"proc_time":%d}'
            % (self._chunks, self._doubles, self._unordered, self._acks, diff(now, self._begun))
        )
        self._succeeded(now)

    def _succeeded(self, now):
        self._state = _ENDED
        mid = self._await(now, self._say(_CON, _CHANGED, self._token, self._counters))
        self._host.answered(mid, self._acknowledged)

    def _acknowledged(self, now, ok):
        # nothing is applied before the cloud knows (5.2.4)
        if self._state == _ENDED and ok:
            self._over()
            self._host.complete()
        elif self._state == _ENDED:
            self.stop()

    def _give_up(self, now, error, text):
        self._state = _ENDED
        self._work = self._due = self._counters = None
        mid = self._await(now, self._fails(self._token, error, text))
        self._host.answered(mid, self._told)

    def _told(self, now, ok):
        if self._state == _ENDED:
            self._drop(now)

    # time

    def deadline(self, now):
        """Return the ticks at which `tick` has to be called, None if nothing is due."""
        first = super().deadline(now)
        due = self._ack_due
        if due is not None and (first is None or diff(due, first) < 0):
            return due
        return first

    def tick(self, now):
        """Do a slice of what takes long, or what is due."""
        if self._ack_due is not None and diff(now, self._ack_due) >= 0:
            self._send_ack(now)
        super().tick(now)

    def _timeout(self, now):
        self._drop(now)
