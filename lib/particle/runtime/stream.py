"""Events as an asynchronous iterator (device-api 2.5)."""

from micropython import const

_SIZE = const(16)  # events that may wait to be taken


class Event:
    """A received event: `name`, `data` (None, text or bytes), `content_type` (CoAP number)."""

    def __init__(self, name, data, content_type):
        self.name = name
        self.data = data
        self.content_type = content_type

    def __repr__(self):
        return "<Event %s %r>" % (self.name, self.data)


class EventStream:
    """Iterate over the events whose name starts with `prefix`; `discards` counts what was lost.

    With an empty prefix over whatever is subscribed to otherwise. `close()` ends it, and
    `unsubscribe`.
    """

    def __init__(self, client, prefix):
        self._client = client
        self._entry = prefix, self._take, "b"  # among the client's handlers
        self._queue = []
        self.discards = 0
        if prefix:
            client.subscribe(prefix, self._take, binary=True)
        else:
            client._handlers.append(self._entry)

    def __repr__(self):
        said = self._entry[0], len(self._queue), self.discards
        return "<EventStream %s, %d waiting, %d discarded>" % said

    def _take(self, name, data):
        if len(self._queue) >= _SIZE:
            self._queue.pop(0)
            self.discards += 1
        self._queue.append(Event(name, data, self._client._ctype))

    def close(self):
        """Take no more events: the iteration ends behind those that wait."""
        if self._entry in self._client._handlers:
            self._client._handlers.remove(self._entry)

    def __aiter__(self):
        return self

    async def __anext__(self):
        client = self._client
        while not self._queue:
            if self._entry not in client._handlers:
                raise StopAsyncIteration
            client.process()
            await client._pause()
        return self._queue.pop(0)
