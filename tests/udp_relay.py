"""A hostile UDP network: loses, doubles, delays, reorders, breaks, replays, re-addresses.

Everything is drawn from one seed, so that a run can be repeated. It relays datagrams between one
board and the cloud; towards the cloud it is the board's address, which `rebind` changes.
"""

import heapq
import random
import select
import socket
import threading
import time
from dataclasses import dataclass


@dataclass
class Weather:
    """Probabilities per datagram, in both directions; delay in seconds, at the most."""

    loss: float = 0.0
    double: float = 0.0
    corrupt: float = 0.0
    truncate: float = 0.0
    delay: float = 0.0


class UdpRelay:
    """Passes datagrams to port `target`; `weather` and `dark` may be changed while it runs."""

    def __init__(self, target, seed=1, weather=None):
        self.weather = weather or Weather()
        self.dark = False  # nothing passes
        self.up = []  # what the board sent, in order
        self.down = []  # what the cloud sent
        self._target = ("127.0.0.1", target)
        self._random = random.Random(seed)
        self._front = self._socket()
        self._back = self._socket()
        self._board = None
        self._later = []  # heap of (time, order, socket, address, datagram)
        self._order = 0
        self._open = True
        self.port = self._front.getsockname()[1]
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _socket():
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        found.bind(("127.0.0.1", 0))
        return found

    def rebind(self):
        """Give the board another address, as a NAT does that has forgotten it."""
        old, self._back = self._back, self._socket()
        old.close()

    def replay(self, datagrams):
        """Send datagrams to the board that were sent to it before."""
        for datagram in datagrams:
            self._front.sendto(datagram, self._board)

    def bytes(self):
        """Return what passed, with 28 bytes of IPv4 and UDP headers for each datagram."""
        return sum(len(d) + 28 for d in self.up + self.down)

    def _run(self):
        while self._open:
            wait = 0.02
            if self._later:
                wait = max(0.0, min(wait, self._later[0][0] - time.monotonic()))
            try:
                ready, _, _ = select.select([self._front, self._back], [], [], wait)
            except (OSError, ValueError):
                continue  # rebound
            for sock in ready:
                try:
                    datagram, sender = sock.recvfrom(2048)
                except OSError:
                    continue  # the other side's port is closed
                if sock is self._front:
                    self._board = sender
                    self.up.append(datagram)
                else:
                    self.down.append(datagram)
                self._pass(sock is self._front, datagram)
            while self._later and self._later[0][0] <= time.monotonic():
                _, _, up, datagram = heapq.heappop(self._later)
                self._send(up, datagram)

    def _pass(self, up, datagram):
        draw = self._random.random
        weather = self.weather
        if self.dark or draw() < weather.loss:
            return
        if draw() < weather.corrupt:
            at = self._random.randrange(len(datagram))
            datagram = datagram[:at] + bytes([datagram[at] ^ 0x10]) + datagram[at + 1 :]
        if draw() < weather.truncate:
            datagram = datagram[: self._random.randrange(1, len(datagram) + 1)]
        for _ in range(2 if draw() < weather.double else 1):
            self._order += 1
            due = time.monotonic() + draw() * weather.delay
            heapq.heappush(self._later, (due, self._order, up, datagram))

    def _send(self, up, datagram):
        try:
            if up:
                self._back.sendto(datagram, self._target)
            elif self._board:
                self._front.sendto(datagram, self._board)
        except OSError:
            pass  # nobody there: the datagram is lost

    def close(self):
        """Stop, and close the sockets."""
        self._open = False
        self._thread.join(2)
        self._front.close()
        self._back.close()
