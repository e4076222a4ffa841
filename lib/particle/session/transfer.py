"""What both kinds of update have in common: one file on its way into a target.

No clock and no file system: `target` stores the file (ota/staging.py), `host` decides and is told
(updating.py). What takes longer than a message is a generator, of which `tick` does a slice.
"""

from micropython import const

from ..errors import UpdateError
from ..wire import ota
from ..wire.messages import answer
from .messaging import add, diff

# CoAP (wire/coap.py)
_CON = const(0)
_ACK = const(2)
_RST = const(3)

# Error numbers of Device OS (errors.py)
_FLASH_IO = const(-219)
_NO_MEMORY = const(-260)
_OTA = const(-1390)

_SILENCE_MS = const(300000)  # without a chunk; then the update is over (cloud-protocol 5)
_AGAIN_MS = const(1000)
_LONGEST_MS = const(4000)
_LEAVE_MS = const(20)  # for the last message to leave before the connection is dropped

# what the host is told; the values of the system event firmware_update: begin 0, complete 1,
# progress 2
_FAILED = const(-1)

# states
_IDLE = const(0)
_STARTING = const(1)  # the target is made ready
_RECEIVING = const(2)
_FINISHING = const(3)  # the target looks at what it got
_ENDED = const(4)  # the cloud was told how it ended, but has not acknowledged it


class Transfer:
    """One file at a time; a subclass has `message` and `_timeout`.

    target: begin, write, verify, finish, discard, pause, and `stored` bytes; `write` may give a
    generator. host: refusal(size) -> None or (error number, text); told(step); answered(mid,
    function(now, ok)); complete().
    """

    _work = _then = _due = None
    _dropping = False
    _answer = _again = None  # the message that the cloud waits for, and when it goes once more

    def __init__(self, conn, target, host):
        self._conn = conn
        self._target = target
        self._host = host
        self._state = _IDLE

    def active(self):
        """Return True from the start of an update until its end."""
        return self._state != _IDLE

    def deadline(self, now):
        """Return the ticks at which `tick` has to be called, None if nothing is due."""
        if self._work:
            return now
        if self._due is None or self._again and diff(self._again, self._due) < 0:
            return self._again
        return self._due

    def tick(self, now):
        """Do a slice of what takes long, or what is due."""
        if self._again is not None and diff(now, self._again) >= 0:
            self._insist(now)
        if self._work:
            self._slice(now)
        elif self._due is not None and diff(now, self._due) >= 0:
            self._due = None
            if self._dropping:
                self._dropping = False
                self._conn._fail(now, "cloud", _OTA)
            else:
                self._timeout(now)

    def stop(self, discard=False):
        """End an update that did not come to its end; what is stored stays, or is discarded."""
        if self._state != _IDLE:
            self._over()
            if discard:
                self._target.discard()
            else:
                self._target.pause()
            self._host.told(_FAILED)

    def _over(self):
        self._state = _IDLE
        self._work = self._due = None
        self._dropping = False

    def _do(self, state, work, then):
        # then(now, value, error, text) when the generator `work` has ended
        self._state = state
        self._work = work
        self._then = then
        self._due = None

    def _slice(self, now):
        work = self._work
        value = None
        error = 0
        text = ""
        try:
            next(work)
            return
        except StopIteration as e:
            value = e.value
        except UpdateError as e:
            error = e.args[0]
            text = e.text
        except OSError as e:
            error = _FLASH_IO
            text = str(e)
        except MemoryError:
            error = _NO_MEMORY
            text = "no memory"
        if self._work is work:
            self._work = None
            self._then(now, value, error, text)

    def _silence(self, now):
        # waits for the next message of the cloud
        self._due = add(now, _SILENCE_MS)

    def _drop(self, now):
        # the update is over, and so is the connection; the next begins with the same session
        self.stop()
        self._dropping = True
        self._due = add(now, _LEAVE_MS)

    def _reset(self, m):
        # "nobody here wants this"
        self._conn.send(answer(self._conn._w, _RST, 0, m.mid))

    def _say(self, type, code, token, data=None):
        # a message of our own -> its ID
        conn = self._conn
        mid = conn.next()
        conn.send(answer(conn._w, type, code, mid, token, data))
        return mid

    def _fails(self, token, error, text, type=_CON, mid=None, code=0):
        # the same for an error; code: another than its own
        conn = self._conn
        if mid is None:
            mid = conn.next()
        conn.send(ota.failure(conn._w, type, mid, token, error, text, code))
        return mid

    def _await(self, now, mid):
        # nothing goes on before the cloud has this: it is repeated sooner than other messages
        self._answer = mid
        self._wait = _AGAIN_MS
        self._again = add(now, _AGAIN_MS)
        return mid

    def _insist(self, now):
        conn = self._conn
        entry = getattr(conn, "_open", {}).get(self._answer)  # TCP has none
        self._again = None
        if entry and self._wait <= _LONGEST_MS:
            self._wait *= 2
            self._again = add(now, self._wait)
            if entry[1] is not None:
                entry[1] = None  # as if it were due
                entry[2] -= 1  # and one more than it would have
                conn.repeats += 1
                conn._queue.append(entry[0])

    def _refuse(self, m, error, text):
        # a request that was not acknowledged yet
        if m.type == _CON:
            self._fails(m.token, error, text, _ACK, m.mid)

    def _acknowledge(self, m):
        if m.type == _CON:
            self._conn.acknowledge(m)
