"""A TCP relay on loopback that breaks each connection at the byte it is told to."""

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass

LIMIT = 30  # seconds


@dataclass(frozen=True)
class Break:
    """Where a connection ends: after `after` bytes of one direction ("up": from the board).

    how: "fin" or "rst" closes both sides, "stall" lets nothing pass any more.
    """

    way: str
    after: int
    how: str = "fin"


class BreakingRelay:
    """Passes connections to port `target`; the n-th ends as `breaks[n]` says, later ones last."""

    def __init__(self, target, breaks=()):
        self.target = target
        self._breaks = list(breaks)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.passed = []  # bytes of each connection, {"up": n, "down": n}
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                board, _ = self._listener.accept()
            except OSError:
                return
            end = self._breaks[len(self.passed)] if len(self.passed) < len(self._breaks) else None
            _Connection(board, self, end).start()

    def close(self):
        """Accept no more."""
        # close alone would let the thread that waits take one more
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


class _Connection:
    def __init__(self, board, relay, end):
        self._end = end
        self._lock = threading.Lock()
        self._count = {"up": 0, "down": 0}
        relay.passed.append(self._count)
        cloud = socket.create_connection(("127.0.0.1", relay.target), timeout=LIMIT)
        board.settimeout(LIMIT)
        for sock in (board, cloud):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socks = {"up": (board, cloud), "down": (cloud, board)}

    def start(self):
        if self._end and self._end.after == 0:
            self._break()
            if self._end.how != "stall":
                return
        for way in self._socks:
            threading.Thread(target=self._pump, args=(way,), daemon=True).start()

    def _pump(self, way):
        source, sink = self._socks[way]
        end = self._end
        try:
            while data := source.recv(65536):
                with self._lock:
                    if end and end.way == way:
                        data = data[: end.after - self._count[way]]
                    if end and end.how == "stall" and self._count[end.way] >= end.after:
                        continue
                    sink.sendall(data)
                    self._count[way] += len(data)
                    if end and end.way == way and self._count[way] >= end.after:
                        self._break()
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            self._close()
        if end and end.how == "stall":
            self._close()

    def _break(self):
        if self._end.how == "stall":
            return
        if self._end.how == "rst":
            for sock in self._socks["up"]:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._close()

    def _close(self):
        for sock in self._socks["up"]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
