"""What a client has besides its core: the verbs that are seldom needed, and their state."""

import os

from micropython import const

from .errors import Error

_NOT_SUPPORTED = const(-120)


class More:
    """State of limiter, system and verbs of one client."""

    def __init__(self):
        self.recent = []  # ticks of the last attempts to publish
        self.window = self.sent = 0  # system events in this window of 65.536 s
        self.asked = {}  # what the cloud was asked for -> the waiting operation
        self.options = False, 30, False  # of disconnect
        self.vitals = None  # the job that sends them
        self.time_synced = 0, 0
        self.queue = None  # of persisted events, when there ever was one
        self.updates_enabled = True
        self.updates_forced = self.updates_pending = self.signal = False

    def look(self, client):
        """Take up the persisted events of earlier boots, before a connection is made."""
        try:
            if self.queue is None:
                os.stat(client._store.root + "/queue")
            client.queue.dialing(client._conn)
        except Error as e:
            print(e)
        except (AttributeError, OSError):
            pass  # there are none


def find(client, name):
    """Return what `client.NAME` is when the core does not have it. Raises AttributeError."""
    if name == "more":
        client.more = More()
        return client.more
    if name == "queue":
        return _queue(client)
    from .verbs import find as verb

    return verb(client, name)


def _queue(client):
    # what sends the persisted events
    if client.more.queue is None:
        try:
            from .persisted import Sender
        except ImportError:
            raise Error(_NOT_SUPPORTED, "persist: the component queue is not installed") from None
        client.more.queue = Sender(client)
    return client.more.queue
