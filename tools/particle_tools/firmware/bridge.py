"""Gives the emulated board sockets: frames on its second UART become traffic of the host.

The frames are described in boards/QEMU_M3/modules/socket.py. The board dials
what it likes, as a board on a network does; nothing listens but the port for
the emulator, on loopback.
"""

import contextlib
import selectors
import socket
import threading

_PIECE = 1024
_BUSY = (BlockingIOError, InterruptedError)


class Bridge:
    """A thread between the emulator and sockets; a context manager.

    `serial` is what QEMU gets as its second -serial. One emulator at a time; the next one may
    come when it has ended.
    """

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.serial = f"tcp:127.0.0.1:{self._listener.getsockname()[1]},nodelay=on"
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> "Bridge":
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)  # what an emulator that is gone said last is carried, too
        self._ended = True
        self._thread.join(5)

    def _run(self) -> None:
        while not self._ended:
            try:
                uart, _ = self._listener.accept()
            except OSError:
                return
            with uart:
                uart.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                Pipe(uart).serve(lambda: self._ended)


class Pipe:
    """The sockets of one run of a board."""

    def __init__(self, uart: socket.socket):
        self._uart = uart
        self._selector = selectors.DefaultSelector()
        self._selector.register(uart, selectors.EVENT_READ, 0)
        self._channels: dict[int, socket.socket] = {}
        self._received = b""

    def serve(self, ended) -> None:
        """Carry bytes until the emulator goes or `ended()` says so."""
        try:
            while not ended():
                # the board first: what it said last comes before it is noticed that it is gone
                for key, _ in sorted(self._selector.select(0.2), key=lambda one: one[0].data):
                    if key.data == 0:
                        data = self._uart.recv(65536)
                        if not data:
                            return
                        self._frames(data)
                    else:
                        self._from_network(key.data)
        except OSError:
            return
        finally:
            for channel in list(self._channels):
                self._forget(channel)
            self._selector.close()

    def _frames(self, data: bytes) -> None:
        self._received += data
        while len(self._received) >= 4:
            n = self._received[2] << 8 | self._received[3]
            if len(self._received) < 4 + n:
                return
            channel, kind = self._received[0], self._received[1:2]
            payload = self._received[4 : 4 + n]
            self._received = self._received[4 + n :]
            self._frame(channel, kind, payload)

    def _frame(self, channel: int, kind: bytes, payload: bytes) -> None:
        if kind in b"TU":
            self._open(channel, kind == b"T", payload.decode())
        elif kind == b"C":
            self._forget(channel)
        elif channel in self._channels:
            try:
                self._channels[channel].sendall(payload)
            except OSError:
                # nobody listens at the other end of a datagram socket: the next one may arrive
                if self._channels[channel].type == socket.SOCK_STREAM:
                    self._end(channel, b"C")

    def _open(self, channel: int, stream: bool, name: str) -> None:
        host, _, port = name.rpartition(":")
        self._forget(channel)
        try:
            family, kind, _, _, address = socket.getaddrinfo(
                host, int(port), type=socket.SOCK_STREAM if stream else socket.SOCK_DGRAM
            )[0]
            sock = socket.socket(family, kind)
            sock.settimeout(5)
            sock.connect(address)
        except OSError:
            self._say(channel, b"E")
            return
        self._channels[channel] = sock
        self._selector.register(sock, selectors.EVENT_READ, channel)
        self._say(channel, b"O")

    def _from_network(self, channel: int) -> None:
        sock = self._channels.get(channel)
        if sock is None:
            return
        stream = sock.type == socket.SOCK_STREAM
        try:
            data = sock.recv(_PIECE if stream else 65535)
        except _BUSY:
            return
        except OSError:
            if stream:
                self._end(channel, b"C")
            return
        if data or not stream:
            self._say(channel, b"D", data)
        else:
            self._end(channel, b"C")

    def _say(self, channel: int, kind: bytes, data: bytes = b"") -> None:
        self._uart.sendall(bytes([channel]) + kind + len(data).to_bytes(2, "big") + data)

    def _end(self, channel: int, kind: bytes) -> None:
        self._forget(channel)
        self._say(channel, kind)

    def _forget(self, channel: int) -> None:
        sock = self._channels.pop(channel, None)
        if sock is not None:
            self._selector.unregister(sock)
            sock.close()
