"""Simulated boards for the tests: made without a cloud, run as a user runs them."""

import subprocess
import sys
import textwrap
import threading
import time

from particle_tools import ROOT
from particle_tools.sim import image
from particle_tools.sim.board_dir import BoardDir

COMMAND = [sys.executable, "-m", "particle_tools", "sim"]
LIMIT = 60  # seconds; far more than anything here needs


class Sim:
    """A running `particle-mp sim`; collects what it prints."""

    def __init__(self, board, *arguments):
        self.process = subprocess.Popen(
            [*COMMAND, "--data", str(board.path), *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait_for(self, text, seconds=LIMIT):
        """Return the first line that contains `text`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for line in list(self.lines):
                if text in line:
                    return line
            if not self._thread.is_alive():
                break
            time.sleep(0.01)
        raise AssertionError(f"no {text!r} in {self.lines}")

    def wait(self):
        """Return the exit status."""
        status = self.process.wait(LIMIT)
        self._thread.join(LIMIT)
        return status

    def close(self):
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Bench:
    """Makes boards and programs in `folder` and ends what it started."""

    def __init__(self, folder):
        self._folder = folder
        self._running = []

    def board(self, files=None, name="board"):
        """Return a new board whose flash holds `files` (absolute name -> text)."""
        board = BoardDir(self._folder / name)
        board.path.mkdir(parents=True)
        board.unique_id()
        contents = {"/boot.py": ""} | (files or {})
        image.write(board.flash, {k: textwrap.dedent(v).encode() for k, v in contents.items()})
        return board

    def script(self, text):
        """Return the path of a file with this program."""
        path = self._folder / "program.py"
        path.write_text(textwrap.dedent(text))
        return path

    def start(self, board, program=None, *arguments):
        """Switch the board on; program: text that runs as main.py."""
        if program is not None:
            arguments = ("--script", self.script(program), *arguments)
        sim = Sim(board, *arguments)
        self._running.append(sim)
        return sim

    def run(self, board, program=None, *arguments):
        """Run the board to its end; return (status, lines)."""
        sim = self.start(board, program, *arguments)
        return sim.wait(), sim.lines

    def close(self):
        """End everything."""
        for sim in self._running:
            sim.close()
