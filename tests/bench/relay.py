"""A TCP relay on loopback that notes who sent how much when."""

import socket
import threading
import time


class CountingRelay:
    """Passes connections to port `target`; `port` is where to connect, `log` what was seen.

    Each entry of the log is (seconds, "up" or "down", bytes); up is from the board.
    """

    def __init__(self, target: int):
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.log: list[tuple[float, str, int]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                board, _ = self._listener.accept()
            except OSError:
                return
            cloud = socket.create_connection(("127.0.0.1", self._target))
            for source, sink, way in ((board, cloud, "up"), (cloud, board, "down")):
                sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._pump, args=(source, sink, way), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        try:
            while data := source.recv(65536):
                self.log.append((time.monotonic(), way, len(data)))
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()

    def runs(self) -> list[tuple[str, int]]:
        """Return what was sent, with neighbours of one direction added up."""
        joined: list[tuple[str, int]] = []
        for _, way, count in list(self.log):
            if joined and joined[-1][0] == way:
                joined[-1] = (way, joined[-1][1] + count)
            else:
                joined.append((way, count))
        return joined

    def total(self, start: int = 0) -> int:
        """Return the bytes of both directions from entry `start` on."""
        return sum(count for _, _, count in self.log[start:])

    def wait_quiet(self, seconds: float, start: int = 0, limit: float = 30) -> int:
        """Wait until something passed after entry `start` and then nothing for `seconds`.

        Return the number of entries then. Raises TimeoutError after `limit` seconds.
        """
        end = time.monotonic() + limit
        while time.monotonic() < end:
            if len(self.log) > start and time.monotonic() - self.log[-1][0] > seconds:
                return len(self.log)
            time.sleep(0.02)
        raise TimeoutError("the connection never falls silent, or nothing passes")

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()
