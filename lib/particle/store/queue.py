"""Events that wait on flash until the cloud has them (DESIGN decision 7).

One file below pt/queue per event, named by its number: a container around the message that is
sent. Numbers are reserved in steps, in the file `next`; none is ever given to two events.
"""

import os
import struct

from micropython import const

from ..errors import ConfigError, Error, QueueFull
from .container import Store, pack

# Error numbers of Device OS (errors.py)
_BAD_DATA = const(-280)
_FILE = const(-225)
_LIMIT_EXCEEDED = const(-200)

_KIND = const(6)  # of the container
_EVENTS = const(32)  # that may wait; the cloud remembers the last 512 numbers
_STEP = const(256)  # numbers reserved with one write
_NEXT = const("next")
_NO_FOLDER = const(20)  # ENOTDIR


def _name(number):
    return "%08x" % number


class Queue:
    """The events on flash below `root`, oldest first.

    rng(n): random bytes. items: [number, message ID] of each event; 0 stands for no ID yet.
    dropped: files that were damaged. A file of a newer version is left alone. Raises
    `Error(FILE)` when there is something else in the place of the folder.
    """

    def __init__(self, root, rng):
        self._store = Store(root + "/queue")
        self._rng = rng
        self._number = self._limit = 0
        self.items = []
        self.dropped = 0
        try:
            names = sorted(os.listdir(self._store.root))
        except OSError as e:
            if e.args[0] == _NO_FOLDER:
                raise Error(_FILE, "queue is no folder: remove it", "store") from None
            names = ()  # nothing was ever kept
        for name in names:
            if name.endswith(".new"):
                self._store.remove(name)  # power failed while it was written
            elif name != _NEXT:
                self._load(name)

    def _load(self, name):
        try:
            message = self._get(name)
            number = int(name, 16)
        except (Error, ValueError):
            return  # of a newer version, or no file of ours
        if message is None or len(message) < 4:
            self._store.remove(name)
            self.dropped += 1
        else:
            self.items.append([number, message[2] << 8 | message[3]])

    def _get(self, name):
        # what is in the container, None when it is damaged or not there
        data = self._store.read(name)
        if data is None:
            return None
        payload = data[6:-4]
        if data == pack(_KIND, payload):
            return payload
        if data[:2] == b"PT" and len(data) > 3 and data[3] > 1:
            raise ConfigError(_BAD_DATA, "queue/%s is of a newer version" % name, "store")
        return None

    def add(self, build):
        """Store an event and return its number; build(number): its message.

        Raises `QueueFull` and `Error(FILE)`; then nothing was stored.
        """
        if len(self.items) >= _EVENTS:
            raise QueueFull(_LIMIT_EXCEEDED, "%d events wait on flash" % _EVENTS)
        if self._number == self._limit:
            self._reserve()
        number = self._number
        message = build(number)
        self.put(number, message)
        self._number = number + 1
        self.items.append([number, message[2] << 8 | message[3]])
        return number

    def _reserve(self):
        first = self._limit
        if not first:  # the first event of this boot
            data = self._get(_NEXT)
            if data and len(data) == 4:
                first = struct.unpack("<I", data)[0]
            else:
                # the cloud may still know the numbers that were given before the file was lost
                first = struct.unpack("<I", self._rng(4))[0] >> 1 | 1
                if self.items:
                    first = self.items[-1][0] + 1
        self._store.write(_NEXT, pack(_KIND, struct.pack("<I", first + _STEP)))
        self._number = first
        self._limit = first + _STEP

    def get(self, number):
        """Return the message of event `number`, None when it is damaged; raise `Error(FILE)`."""
        return self._get(_name(number))

    def put(self, number, message):
        """Store the message of event `number`; raise `Error(FILE)`."""
        self._store.write(_name(number), pack(_KIND, message))
        for item in self.items:
            if item[0] == number:
                item[1] = message[2] << 8 | message[3]

    def remove(self, number):
        """Forget event `number`."""
        self.items = [item for item in self.items if item[0] != number]
        try:
            self._store.remove(_name(number))
        except Error:
            pass  # sent again after a reset; the cloud knows its number
