"""The desk of an end-to-end test: boards that run programs, and an eye on their sockets.

Cloud and boards are the commands a user types, in processes of their own. While a desk is open
its boards must never hold a socket that somebody could connect to (DESIGN decision 5), except
inside `may_listen`.
"""

import contextlib
import shutil
import textwrap
import threading
from dataclasses import dataclass

from particle_tools.local import SimulatedBoard, wait_for
from particle_tools.sim import image
from process_sockets import Watch, family

LIMIT = 40  # seconds; far more than anything here takes
_LOOK = 0.2  # seconds between two looks at the sockets

# Does what its function `do` is told, an expression at a time, outside the handler.
REMOTE = """
import particle
todo = []
heard = []
particle.function("do", lambda text: todo.append(text) or len(todo))

def event(*args, **options):
    # no faster than a device may publish
    particle.wait_until(particle.can_publish)
    return particle.publish(*args, **options)

{setup}
particle.connect(20)
print("connected")
while True:
    particle.wait_until(lambda: todo)
    text = todo.pop(0)
    try:
        print("did", text, "=", repr(eval(text)))
    except Exception as e:
        print("did", text, "! %s %s" % (type(e).__name__, e))
"""

# Connects again and again, at once, and tells what became of each attempt.
ATTEMPTS = """
import time
import particle

cloud = particle.cloud
particle.function("size", lambda text: len(text))
{setup}

def one(number):
    before = cloud.error
    start = time.ticks_ms()
    try:
        particle.connect(0)
    except particle.Error:
        pass
    failed = lambda: cloud.error is not None and cloud.error is not before
    particle.wait_until(lambda: failed() or particle.connected(), 90)
    if particle.connected():
        print("online", number)
        particle.wait_until(failed)
    e = cloud.error
    ms = time.ticks_diff(time.ticks_ms(), start)
    print("attempt", number, type(e).__name__, e.errno, ms, e.stage, "|", e)
    particle.disconnect()

for number in range({count}):
    one(number)
"""


@dataclass(frozen=True)
class Attempt:
    """How one attempt of an `ATTEMPTS` board ended; ms of board time."""

    kind: str
    errno: int
    ms: int
    stage: str
    text: str


class Board(SimulatedBoard):
    """A board of the desk."""

    def said(self, text, seconds=LIMIT, count=1):
        """Return the line of the console with the `count`-th `text`; fail after `seconds`."""

        def found():
            lines = [line for line in self.lines() if text in line]
            return len(lines) >= count and lines[count - 1]

        line = wait_for(lambda: found() or (not self.alive() and (found() or "?")), seconds)
        assert line and line != "?", f"no {text!r} on the console:\n{self.output()}"
        return line

    def did(self, api, expression, seconds=LIMIT):
        """Have a `REMOTE` board evaluate an expression; return what it printed as the result."""
        what = f"did {expression} "
        count = sum(line.startswith(what) for line in self.lines())
        assert api.call(self.device_id, "do", expression) > 0
        return self.said(what, seconds, count + 1).removeprefix(what)

    def attempts(self):
        """Return what an `ATTEMPTS` board has told so far."""
        found = []
        for line in self.lines():
            if line.startswith("attempt "):
                words, _, text = line.partition(" | ")
                _, number, kind, errno, ms, stage = words.split(" ", 5)
                assert int(number) == len(found)
                found.append(Attempt(kind, int(errno), int(ms), stage, text))
        return found

    def ended(self, seconds=LIMIT):
        """Wait for the end of the program and return its status."""
        return self.process.wait(seconds)


class Desk:
    """Switches boards of one cloud on, and off at the end."""

    def __init__(self, folder, cloud):
        self.folder = folder
        self._cloud = cloud
        self._boards = []
        self._listening = []
        self._allowed = False
        self._eye = Watch()
        self._closed = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def board(self, program="", name="board", **options):
        """Switch on the board in folder `name`; a new one is provisioned first.

        program: its main.py; None: it runs what it has.
        """
        path = None
        if program is not None:
            path = self.folder / f"{name}.py"
            path.write_text(textwrap.dedent(program))
        # what is stored decides about the transport; these tests are about TCP
        new = not (self.folder / name / "flash.img").exists()
        options = {"transport": "tcp" if new else None} | options
        board = Board(self.folder / name, self._cloud, script=path, **options)
        self._boards.append(board)
        return board

    def remote(self, setup="", name="board", **options):
        """Switch on a board that does what it is told (`Board.did`) and wait until it listens."""
        board = self.board(REMOTE.format(setup=textwrap.dedent(setup)), name, **options)
        board.said("connected")
        return board

    def attempts(self, count, setup="", name="board", **options):
        """Switch on a board that connects `count` times (`Board.attempts`)."""
        text = ATTEMPTS.format(setup=textwrap.dedent(setup), count=count)
        return self.board(text, name, **options)

    def made(self, name="board", **options):
        """Return the folder of a new board that is provisioned and off."""
        assert self.board("", name, **options).ended() == 0
        return self.folder / name

    def copy(self, name, new):
        """Return the folder of a second board with the flash and the id of the first."""
        shutil.copytree(self.folder / name, self.folder / new)
        return self.folder / new

    @contextlib.contextmanager
    def may_listen(self):
        """Let boards listen, for setup; give a function that tells the sockets that do.

        Fail when one still listens in the end.
        """
        self._allowed = True
        yield self._open
        assert wait_for(lambda: not self._open(), LIMIT), self._open()
        self._allowed = False

    def _open(self):
        pids = [pid for b in list(self._boards) if b.alive() for pid in family(b.process.pid)]
        return self._eye.listening(pids)

    def _watch(self):
        while not self._closed.wait(_LOOK):
            allowed = self._allowed  # before the look, which takes a while
            found = self._open()
            self._listening += [] if allowed else found

    def close(self):
        """Switch everything off; fail when a board ever listened."""
        self._closed.set()
        self._watcher.join()
        for board in self._boards:
            board.stop()
        assert not self._listening, self._listening


def stored(folder):
    """Return everything below /pt on the flash of a board that is off: name -> bytes."""
    fs = image.open_image(folder / "flash.img")
    return {name: fs.open(f"/pt/{name}", "rb").read() for name in fs.listdir("/pt")}


def store(folder, name, data):
    """Replace a file below /pt on the flash of a board that is off; None removes it."""
    if data is not None:
        image.write(folder / "flash.img", {f"/pt/{name}": data})
        return
    fs = image.open_image(folder / "flash.img")
    fs.remove(f"/pt/{name}")
    fs.unmount()
    (folder / "flash.img").write_bytes(fs.context.buffer)
