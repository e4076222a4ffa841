"""Programs of the boards that meet other people's clouds and clients; how to switch them on."""

import os
import signal
import textwrap
import time
from pathlib import Path

from Crypto.PublicKey import RSA

from cloud.device import random_id
from sim.boards import Sim

LIMIT_S = 60

PROGRAM = '''
import time
import particle

waiting = []

def say(text):
    """Publish NAME=DATA; NAME+=DATA asks for an acknowledgement and tells what became of it."""
    name, _, data = text.partition("=")
    if name[-1] == "+":
        waiting.append((name[:-1], particle.publish(name[:-1], data, ack=True)))
    else:
        particle.publish(name, data)
    return len(data.encode())

def boom(text):
    raise ValueError(text)

def number(text):
    return int(text)

def leave(text):
    global leaving
    leaving = True
    return 0

def heard(name, data):
    print("heard", name, data)

def tell():
    for name, op in list(waiting):
        if op.done():
            waiting.remove((name, op))
            print("acknowledged" if op else "not acknowledged", name)
    return leaving

particle.function("say", say)
particle.function("boom", boom)
particle.function("number", number)
particle.function("leave", leave)
particle.variable("yes", True)
particle.variable("no", False)
particle.variable("int", -2147483648)
particle.variable("double", 21.5)
particle.variable("text", "gr\\u00fc\\u00dfe")
particle.variable("empty", "")
particle.variable("long", "0123456789abcdef" * 64)
particle.variable("year", lambda: time.localtime()[0])
particle.subscribe("down/", heard)
particle.subscribe("particle/device/", heard)
while True:
    leaving = False
    particle.connect()
    particle.wait_until(tell)
    particle.disconnect(graceful=True)
    print("left")
'''

FUNCTIONS = ["boom", "leave", "number", "say"]
# name -> type and value as a cloud tells them
VARIABLES = {
    "yes": ("bool", True),
    "no": ("bool", False),
    "int": ("int32", -2147483648),
    "double": ("double", 21.5),
    "text": ("string", "grüße"),
    "empty": ("string", ""),
    "long": ("string", "0123456789abcdef" * 64),
    "year": ("int32", time.gmtime()[0]),
}


class Switched:
    """A board with power; `cut` and `start` switch it. lines: its console since the last start."""

    def __init__(self, board, program):
        self.device_id = board.unique_id()
        self.path = board.path
        self._board = board
        self._script = board.path / "program.py"
        self._script.write_text(textwrap.dedent(program))
        self.start()

    def start(self):
        """Switch it on."""
        self._sim = Sim(self._board, "--script", self._script)

    def cut(self):
        """Take its power."""
        self._sim.process.kill()
        self._sim.process.wait()

    def freeze(self):
        """Stop it in the middle of whatever it does: its connections stay half open."""
        self._signal(signal.SIGSTOP)

    def thaw(self):
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        pid = self._sim.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            os.kill(each, number)

    def close(self):
        """End it politely."""
        self._sim.close()

    @property
    def lines(self):
        """What it has printed since the last start."""
        return self._sim.lines

    def runs(self):
        """Tell whether its program runs."""
        return self._sim.process.poll() is None

    def says(self, text):
        """Return the next line that contains `text`, waiting for it."""
        return self._sim.wait_for(text, LIMIT_S)


def eventually(condition, seconds=LIMIT_S):
    """Return the first true result of `condition()`; AssertionError after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


def register_offline(api):
    """Register a device that never connects; return its id."""
    device_id = random_id()
    pem = RSA.generate(1024).public_key().export_key("PEM").decode()
    values = {"publicKey": pem, "algorithm": "rsa"}
    assert api("POST", f"/v1/provisioning/{device_id}", values)[0] == 200
    return device_id


def calls_until(api, path, argument, condition):
    """Have a board publish until it was heard: a stream is open some time after its command."""

    def called():
        answer = api("POST", path, {"args": argument})
        time.sleep(0.5)  # a board publishes a few events in a second
        return answer[0] == 200 and condition()

    eventually(called)
