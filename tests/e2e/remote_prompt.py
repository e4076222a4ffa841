"""A person at the prompt of a board: unmodified `mpremote repl` in a terminal."""

import re
import sys

import pexpect

_PROMPT = r"\r\n(>>> |\.\.\. +)$"
_LIMIT_S = 30


class RemotePrompt:
    """The prompt of the board on a port; a context manager."""

    def __init__(self, port):
        words = ["-m", "mpremote", "connect", port, "resume", "repl"]
        self._child = pexpect.spawn(
            sys.executable, words, encoding="utf-8", timeout=_LIMIT_S, dimensions=(50, 1000)
        )
        self._child.delaybeforesend = None
        self._child.expect("to exit this shell")
        # only a moment later mpremote hands on what is typed
        for _ in range(_LIMIT_S):
            self._child.send("\r")
            if self._child.expect([_PROMPT, pexpect.TIMEOUT], timeout=1) == 0:
                break
        self._child.send('print("re" + "ady")\r')
        self._child.expect(r"\nready\r\n>>> $")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._child.close(force=True)

    def type(self, text):
        """Type text that ends with what is executed; return what appears until the next prompt."""
        self.begin(text)
        return self.end()

    def begin(self, text, until=None):
        """Type text and go on, when something that matches `until` has appeared."""
        self._child.send(text)
        if until:
            self._child.expect(until)

    def end(self):
        """Return what appears until the next prompt."""
        self._child.expect(_PROMPT)
        return self._child.before.replace("\r\n", "\n")

    def line(self, text):
        """Type one line, or the next of several; return what it printed, without the echo."""
        return self.type(text + "\r").partition("\n")[2]

    def lines(self, lines):
        """Type a statement of several lines, as a person does whom the prompt indents."""
        said = ""
        for text in lines:
            said = self.line(text.strip())
        while "..." in self._child.after:
            said = self.line("")
        return said

    def interrupted(self, verb):
        """Begin a verb, type Ctrl-C when "go" is printed, and return what then appears.

        The unix port hangs when Ctrl-C comes while it reads code: all of it has to be there.
        """
        self.begin(verb + "\r", until=r"\bgo\r?\n")
        said = self.type("\x03")
        assert "KeyboardInterrupt" in said, said
        assert self.line("6 * 7") == "42"
        return said


# what differs from time to time: durations, ids and hashes, numbers
_DIFFERS = re.compile(r"(\d+(?:\.\d+)? m?s\b|\b[0-9a-f]{16,24}\b|\d+)")
_KINDS = (r"\d+(?:\.\d+)? m?s", r"[0-9a-f]{16,24}", r"\d+")


def matches(said, expected):
    """Tell whether what was printed is what is written, but for what differs every time."""
    pattern = ""
    for i, part in enumerate(_DIFFERS.split(expected)):
        kind = next(kind for kind in (*_KINDS, "") if i % 2 == 0 or re.fullmatch(kind, part))
        pattern += kind if i % 2 else re.escape(part)
    return re.fullmatch(pattern, said)
