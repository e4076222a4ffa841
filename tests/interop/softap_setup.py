"""softap-setup, Particle's own client of softAP, in a process of its own."""

import json
import queue
import subprocess
import threading
from pathlib import Path

from interop import node

PACKAGES = node.Packages("softap-setup")

_DRIVER = Path(__file__).with_name("softap_driver.js")
_ANSWER_S = 30


class Refused(Exception):
    """A call whose callback got an error."""


class Clients:
    """Clients of that package; packages: the folder that holds them."""

    def __init__(self, packages):
        self._process = subprocess.Popen(
            [node.program(), "--no-deprecation", str(_DRIVER)],
            cwd=packages,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answers = {None: queue.Queue()}
        self._ids = 0
        threading.Thread(target=self._read, daemon=True).start()
        self._answers[None].get(timeout=_ANSWER_S)

    def _read(self):
        for line in self._process.stdout:
            answer = json.loads(line)
            self._answers[answer.pop("id", None)].put(answer)

    def call(self, client, options, method, *args):
        """Return the value of a call; raise Refused, and AssertionError if the library threw."""
        self._ids += 1
        answers = self._answers[self._ids] = queue.Queue()
        line = {"id": self._ids, "client": client, "options": options, "method": method}
        self._process.stdin.write(json.dumps(line | {"args": args}) + "\n")
        self._process.stdin.flush()
        answer = answers.get(timeout=_ANSWER_S)
        thrown = self._answers[None]
        assert thrown.empty(), thrown.get()
        if answer["error"] is not None:
            raise Refused(answer["error"])
        return answer.get("value")

    def close(self):
        """End it."""
        self._process.stdin.close()
        self._process.wait(10)
