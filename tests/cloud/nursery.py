"""Cloud processes that start in a few milliseconds: forks of one that has imported everything.

What runs in them is the command `particle-mp cloud`; each has its own pid and dies by itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

_PROGRAM = """
import os, sys
from particle_tools import cli
from particle_tools.cloud import server  # imported once, not in every child

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        sys.stdin = open(os.devnull)
        print("pid", os.getpid(), flush=True)
        os._exit(cli.main(["cloud", *line.split("\\t")[:-1]]))
    os.waitpid(pid, 0)
    print("gone", flush=True)
"""


class Nursery:
    """One process at a time: `start`, `ready`, `kill`."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.pid = 0

    def start(self, *options: str) -> None:
        """Start a cloud; do not wait until it serves."""
        assert self._parent.stdin is not None
        self._parent.stdin.write(("\t".join([*options, "\n"])).encode())
        self._parent.stdin.flush()
        self.pid = int(self._line("pid "))

    def ready(self) -> dict:
        """Wait until the cloud serves and return its ready line."""
        return json.loads(self._line("ready "))

    def kill(self) -> None:
        """End the cloud with SIGKILL, wherever it is."""
        os.kill(self.pid, signal.SIGKILL)
        while self._read() != "gone":
            pass

    def close(self) -> None:
        """End everything. A cloud that still runs is killed."""
        assert self._parent.stdin is not None and self._parent.stdout is not None
        self._parent.stdin.close()
        if self.pid and self._parent.poll() is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._parent.wait(10)
        self._parent.stdout.close()

    def _line(self, start: str) -> str:
        line = self._read()
        assert line.startswith(start), line
        return line[len(start) :]

    def _read(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().decode().rstrip("\n")
