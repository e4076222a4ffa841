"""A terminal at a serial path, for dialogues that are exact to the byte."""

import os
import termios
import tty

from pexpect import fdpexpect


class Terminal:
    """A terminal at a serial path. What is typed is bytes; `shows` waits for bytes."""

    def __init__(self, path):
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._fd, termios.TCSANOW)  # keeps what came before
        self.screen = fdpexpect.fdspawn(self._fd, timeout=40)

    def type(self, text):
        """Type at it."""
        self.screen.send(text)

    def shows(self, text):
        """Wait until it shows exactly this, and nothing else before it."""
        self.screen.expect_exact(text)
        assert self.screen.before == b"", self.screen.before

    def finds(self, pattern):
        """Wait for a pattern; return its groups."""
        self.screen.expect(pattern)
        return self.screen.match.groups()

    def answers(self, text, answer):
        """Type and wait for exactly this answer."""
        self.type(text)
        self.shows(answer)

    def listens(self):
        """Wait until the console answers; all doors were opened, and announced, before."""
        self.type(b"v")
        self.finds(rb"system firmware version: 0\.1\.0\n\r\n")

    def close(self):
        """Take it away."""
        os.close(self._fd)
