"""Boards that are left alone with a cloud for minutes or hours."""

import contextlib
import json
import threading
import time

from interop.boards import LIMIT_S, Switched, eventually
from interop.spark_server import SparkServer
from particle_tools.local import LocalCloud, SimulatedBoard

_TICK_S = 5
_SILENT = "import particle\nparticle.run()\n"
_LISTENER = """
import particle

particle.subscribe("tick/", lambda name, data: print("heard", name))
particle.run()
"""
# tells at the end what it counted
_COUNTER = """
import json
import particle

asked = []
particle.function("count", asked.append)
particle.variable("one", 1)
particle.subscribe("tick/", lambda name, data: print("heard", name))
particle.connect()
particle.publish("here", "x")
particle.wait_until(lambda: asked)
particle.wait_until(lambda: False, 1)  # the answer goes out
particle.disconnect(graceful=True)
print("usage", json.dumps(particle.usage()))
"""


class _Ticker:
    """Publishes tick/1, tick/2 ... every 5 s."""

    def __init__(self, api):
        self.count = 0
        self._api = api
        self._end = threading.Event()
        self._since = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._end.wait(_TICK_S):
            self._api.publish(f"tick/{self.count + 1}", "x")
            self.count += 1

    def run(self, seconds, check):
        """Wait until it ran for `seconds`, calling `check` now and then; end it."""
        while time.monotonic() - self._since < seconds:
            check()
            time.sleep(1)
        self.end()
        assert self.count > seconds / _TICK_S * 0.8

    def end(self):
        """Publish no more."""
        self._end.set()
        self._thread.join(LIMIT_S)

    def heard(self, lines):
        """Wait until `lines()`, a board's console, shows each event once and in order."""
        expected = [f"heard tick/{n + 1}" for n in range(self.count)]
        eventually(lambda: [line for line in lines() if "tick/" in line] == expected, 10)


class WithSpark:
    """Two boards and a spark-server: one hears nothing, one hears an event every 5 s.

    The second is the harder: a board that pings only when it has heard nothing is cut off by
    this server after 31 s, because it counts what the board sends (cloud-protocol 1.5).
    """

    def __init__(self, packages, folder):
        self._server = server = SparkServer(packages, folder)
        self._boards = [
            Switched(server.make_board(folder / name), program)
            for name, program in (("silent", _SILENT), ("listener", _LISTENER))
        ]
        for board in self._boards:
            server.wait_online(board.device_id)
        self._ticker = _Ticker(server.api())

    def hold(self, seconds):
        """Wait until they have been alone for `seconds`; check that each held one connection."""
        self._ticker.run(seconds, self._check)
        self._ticker.heard(lambda: list(self._boards[1].lines))
        self._check()

    def _check(self):
        assert self._server.complaints() == []
        for board in self._boards:
            assert board.runs()
            assert self._server.connections(board.device_id) == (1, 0)

    def close(self):
        """End the boards and the server."""
        self._ticker.end()
        for board in self._boards:
            board.close()
        self._server.stop()


class WithOurs:
    """A board and our cloud; at the end they compare what they counted."""

    def __init__(self, folder):
        self._cloud = LocalCloud(folder)
        script = folder / "program.py"
        script.write_text(_COUNTER)
        self._board = SimulatedBoard(folder / "board", self._cloud, script=script, transport="tcp")
        self._api = self._cloud.api()
        eventually(lambda: self._api.device(self._board.device_id)["functions"])
        self._ticker = _Ticker(self._api)

    def hold(self, seconds):
        """Wait until it was alone for `seconds`; compare bytes, messages and operations."""
        board, api = self._board, self._api
        self._ticker.run(seconds, lambda: self._check(board))
        self._ticker.heard(lambda: board.lines())
        assert api.read(board.device_id, "one") == 1
        api.call(board.device_id, "count", "")
        said = eventually(lambda: [s for s in board.lines() if s[:6] == "usage "])
        eventually(lambda: not api.device(board.device_id)["online"])
        device, cloud = json.loads(said[0][6:]), api.usage(board.device_id)
        assert (device["handshakes"], cloud["handshakes"]) == (1, 1)
        assert device["bytes_tx"] == cloud["segment_up"]
        assert device["bytes_rx"] == cloud["segment_down"]
        assert device["pings"] == cloud["pings"]
        # one event up, one call, one value; the events that it heard
        assert device["ops"] == 3 + self._ticker.count
        assert cloud["events_down"] == self._ticker.count
        assert (cloud["calls"], cloud["reads"]) == (1, 1)

    def _check(self, board):
        assert board.alive(), board.output()
        assert self._api.usage(board.device_id)["handshakes"] == 1

    def close(self):
        """End board and cloud."""
        self._ticker.end()
        self._board.stop()
        self._cloud.stop()


class LeftAlone:
    """Both of them; packages: of spark-server, None when they were not fetched."""

    def __init__(self, packages, folder):
        with contextlib.ExitStack() as stack:
            self.with_ours = WithOurs(folder / "ours")
            stack.callback(self.with_ours.close)
            self.with_spark = None
            if packages:
                self.with_spark = WithSpark(packages, folder / "spark")
                stack.callback(self.with_spark.close)
            self.close = stack.pop_all().close
