"""`select` of the unix port, with time-outs in board time and pin interrupts while it waits."""

import _sim
import uselect

POLLIN = uselect.POLLIN
POLLOUT = uselect.POLLOUT
POLLERR = uselect.POLLERR
POLLHUP = uselect.POLLHUP

_SLICE_MS = 10


class poll:
    """Wait for events of several streams (MicroPython docs, select.poll)."""

    def __init__(self):
        self._poll = p = uselect.poll()
        self.register = p.register
        self.unregister = p.unregister
        self.modify = p.modify

    def poll(self, timeout=-1):
        """Return a list of (object, event) after at most `timeout` milliseconds; -1: for ever."""
        return list(self.ipoll(timeout))

    def ipoll(self, timeout=-1, flags=0):
        """Return an iterator over (object, event); the tuple may be reused by the next item."""
        if timeout is None or timeout < 0:
            left = -1
        else:
            # rounded up: a caller that waits for a deadline must not spin in front of it
            left = -int(-timeout // _sim.scale)
        while _sim.watch is not None and left:
            step = _SLICE_MS if left < 0 else min(left, _SLICE_MS)
            found = self._poll.poll(step)
            _sim.watch()
            if found:
                return iter(found)
            if left > 0:
                left -= step
        return self._poll.ipoll(left, flags)
