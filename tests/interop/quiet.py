"""Boards that are left alone with a cloud for minutes or hours."""

import threading
import time

from interop.boards import LIMIT_S, QUIET_PROGRAM, Switched, eventually

_TICK_S = 5
_SILENT_PROGRAM = "import particle\nparticle.run()\n"


class Quiet:
    """Two boards and a spark-server: one hears nothing, one hears an event every 5 s.

    The second is the harder: a board that pings only when it has heard nothing is cut off by
    this server after 31 s, because it counts what the board sends (cloud-protocol 1.5).
    """

    def __init__(self, server):
        self._server = server
        self._end = threading.Event()
        self._ticks = 0
        self._boards = [
            Switched(server.make_board(server.folder / name), program)
            for name, program in (("silent", _SILENT_PROGRAM), ("listener", QUIET_PROGRAM))
        ]
        for board in self._boards:
            server.wait_online(board.device_id)
        self._since = time.monotonic()
        self._thread = threading.Thread(target=self._tick, daemon=True)
        self._thread.start()

    def _tick(self):
        api = self._server.api()
        while not self._end.wait(_TICK_S):
            api.publish(f"tick/{self._ticks + 1}", "x")
            self._ticks += 1

    def hold(self, seconds):
        """Wait until they have been alone for `seconds`; check that each held one connection."""
        while time.monotonic() - self._since < seconds:
            self._check()
            time.sleep(1)
        self._end.set()
        self._thread.join(LIMIT_S)
        listener = self._boards[1]
        expected = [f"heard tick/{n + 1}" for n in range(self._ticks)]
        assert self._ticks > seconds / _TICK_S * 0.8
        eventually(lambda: [s for s in listener.lines if "tick/" in s] == expected, 10)
        self._check()

    def _check(self):
        assert self._server.complaints() == []
        for board in self._boards:
            assert board.runs()
            assert self._server.connections(board.device_id) == (1, 0)

    def close(self):
        """End the boards and the server."""
        self._end.set()
        for board in self._boards:
            board.close()
        self._server.stop()
