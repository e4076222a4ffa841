"""The serial port of an emulated board as a socket for one mpremote after the other."""

import contextlib
import selectors
import socket
import threading

_LOOK_S = 0.2


class SerialSocket:
    """A thread between the emulator and one visitor at a time; a context manager.

    `serial` is what QEMU gets as -serial, `url` what mpremote connects to.
    """

    def __init__(self):
        self._board_side = socket.create_server(("127.0.0.1", 0))
        self._user_side = socket.create_server(("127.0.0.1", 0))
        self.serial = f"tcp:127.0.0.1:{self._board_side.getsockname()[1]},nodelay=on"
        self.url = f"socket://127.0.0.1:{self._user_side.getsockname()[1]}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._board_side.close()
        self._user_side.close()

    def _run(self):
        self._board_side.settimeout(_LOOK_S)
        board = None
        while board is None and not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                board, _ = self._board_side.accept()
        if board is None:
            return
        user = None
        with board, selectors.DefaultSelector() as ready:
            ready.register(board, selectors.EVENT_READ)
            ready.register(self._user_side, selectors.EVENT_READ)
            while not self._ended.is_set():
                for key, _ in ready.select(_LOOK_S):
                    if key.fileobj is self._user_side:
                        # the next visitor waits until this one has gone
                        user, _ = self._user_side.accept()
                        ready.unregister(self._user_side)
                        ready.register(user, selectors.EVENT_READ)
                        continue
                    data = self._read(key.fileobj)
                    if key.fileobj is board and not data:
                        return
                    if key.fileobj is user and not data:
                        ready.unregister(user)
                        user.close()
                        user = None
                        ready.register(self._user_side, selectors.EVENT_READ)
                    elif key.fileobj is user:
                        board.sendall(data)
                    elif user is not None:
                        with contextlib.suppress(OSError):
                            user.sendall(data)
        if user is not None:
            user.close()

    @staticmethod
    def _read(source):
        try:
            return source.recv(4096)
        except OSError:
            return b""
