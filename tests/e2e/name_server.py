"""A name server on loopback that is slow, silent or a liar, by the name it is asked for."""

import socket
import struct
import threading
import time

from e2e.relay import LIMIT

GOOD = "127.0.0.1"


def packed(name):
    """Return a name as labels."""
    labels = (bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    return b"".join(labels) + b"\0"


def record(address, kind=1, name=b"\xc0\x0c", class_=1, ttl=60):
    """Return a resource record; address: dotted, or the bytes of another type."""
    data = socket.inet_aton(address) if isinstance(address, str) else address
    return name + struct.pack(">HHIH", kind, class_, ttl, len(data)) + data


class Query:
    """One question of a board."""

    def __init__(self, data):
        self.data = data
        self.id = data[:2]
        self.question = data[12:]
        labels = []
        at = 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        self.name = ".".join(labels)

    def answer(self, *records, flags=0x8180, id_=None, question=None, count=None):
        """Return an answer with these records; the options make it wrong."""
        question = self.question if question is None else question
        count = len(records) if count is None else count
        head = (id_ or self.id) + struct.pack(">HHHHH", flags, 1, count, 0, 0)
        return head + question + b"".join(records)

    def other_id(self):
        """Return an id that is not the query's."""
        return bytes(b ^ 0xFF for b in self.id)


class NameServer:
    """Answers each name as `zone[name]` says: `reply(query)` gives datagrams, numbers are pauses.

    zone: name -> function(query) -> list of bytes and seconds. `asked` counts the questions.
    """

    def __init__(self, zone):
        self._zone = zone
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", 0))
        self._sock.settimeout(LIMIT)
        self.address = "127.0.0.1:%d" % self._sock.getsockname()[1]
        self.asked = []
        self._open = True
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while self._open:
            try:
                data, asker = self._sock.recvfrom(2048)
            except (TimeoutError, OSError):
                continue
            query = Query(data)
            self.asked.append(query)
            reply = self._zone.get(query.name)
            if reply:
                threading.Thread(target=self._reply, args=(reply(query), asker)).start()

    def _reply(self, parts, asker):
        for part in parts:
            if isinstance(part, bytes):
                self._sock.sendto(part, asker)
            else:
                time.sleep(part)

    def count(self, name):
        """Return how often a name was asked for."""
        return sum(query.name == name for query in self.asked)

    def close(self):
        """Answer no more."""
        self._open = False
        self._sock.close()
