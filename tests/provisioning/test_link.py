"""A serial port where nobody answers, where somebody else talks, or that goes away."""

import os
import threading
import tty

import pytest

from particle_tools.provisioning import link
from particle_tools.provisioning.link import Board, BoardError


@pytest.fixture
def impatient(monkeypatch):
    """Have everything that ends by a time limit end soon."""
    monkeypatch.setattr(link, "_READ_S", 0.1)
    monkeypatch.setattr(link, "_PROMPT_S", 0.2)
    monkeypatch.setattr(link, "_SILENT_S", 0.2)
    monkeypatch.setattr(link, "_ATTEMPTS", 2)


@pytest.fixture
def terminal():
    """Give (the other side's file, path of a port)."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    yield ours, os.ttyname(theirs)
    os.close(theirs)
    os.close(ours)


def test_nobody_answers(impatient, terminal):
    with pytest.raises(BoardError, match="no MicroPython prompt") as caught, Board(terminal[1]):
        pass
    assert caught.value.stage == "port"


class Talker(threading.Thread):
    """Says something to a terminal for as long as anybody may listen."""

    def __init__(self, fd, text):
        super().__init__(daemon=True)
        os.set_blocking(fd, False)
        self._fd, self._text = fd, text
        self._over = threading.Event()

    def run(self):
        while not self._over.wait(0.001):
            try:
                os.write(self._fd, self._text)
                os.read(self._fd, 4096)
            except BlockingIOError:
                continue

    def end(self):
        """Stop."""
        self._over.set()
        self.join()


@pytest.mark.parametrize("text", [b"\x00\xff\x04>OK", b"x" * 4096 + b"\r\n", b"R\x01\x04\x04"])
def test_something_else_talks_without_end(impatient, terminal, text):
    talker = Talker(terminal[0], text)
    talker.start()
    try:
        with pytest.raises(BoardError, match="no MicroPython prompt"), Board(terminal[1]):
            pass
    finally:
        talker.end()


def test_no_terminal(tmp_path):
    (tmp_path / "file").write_text("")
    for port in (tmp_path / "none", tmp_path / "file", tmp_path):
        with pytest.raises(BoardError) as caught, Board(str(port)):
            pass
        assert caught.value.stage == "port"


def test_the_board_goes_away(blank):
    board = blank()
    with pytest.raises(BoardError) as caught, Board(board.port) as at:
        at.run("device_key", lambda _: board.sim.process.kill(), transport="tcp", make_it=True)
    assert caught.value.stage == "port"


def test_a_program_without_end(blank, monkeypatch):
    """It is interrupted, and the board can be used again."""
    board = blank()
    with Board(board.port) as at:
        with monkeypatch.context() as patched:
            patched.setattr(link, "_SILENT_S", 0.3)
            endless = "while True: print('x')"
            patched.setattr(link.on_board, "program", lambda _: endless)
            with pytest.raises(BoardError, match="does not answer any more"):
                at.run("look")
        at.restart()
        assert at.run("look")["usable"]


def test_what_a_program_raises_shows_no_argument(blank, monkeypatch):
    board = blank()
    with Board(board.port) as at:
        monkeypatch.setattr(link.on_board, "program", lambda _, **__: "x = 'Geheim77'; x.none()")
        with pytest.raises(BoardError, match="AttributeError") as caught:
            at.run("networks")
    assert "Geheim77" not in str(caught.value)
