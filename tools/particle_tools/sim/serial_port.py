"""The serial port of a simulated board: two pseudo-terminals and the bytes between them.

The interpreter runs on one, the other is offered to mpremote. In between the
pump does what a board's USB driver does: it turns Ctrl-C into an interrupt
while code runs, keeps what is typed until the prompt can take it, makes line
ends for terminals, and throws output away that nobody reads.
"""

import os
import selectors
import termios
import time

from particle_tools.sim.interpreter_process import Interpreter

_CTRL_A, _CTRL_C, _CTRL_D = b"\x01", b"\x03", b"\x04"
_ENDS = (b"\r", b"\n", _CTRL_A, _CTRL_D)  # of what a friendly prompt takes at a time
_RAW_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
_PROMPT = b"\n>>> "
_PROMPTS = (b">>> ", b"... ", b"=== ")
_CHUNK = 4096
_BACKLOG = 65536  # output bytes kept for a slow reader
_STALL = 0.5  # seconds without progress after which there is no reader (as MicroPython's USB CDC)
_GRACE = 0.5  # seconds in which interrupted code may come to its prompt
_LINE = 0.2  # seconds in which a prompt answers to the end of a line
_LOOK = 0.005  # seconds between two looks at the interpreter's state

# not 0, which is what the interpreter sets while it waits at its prompt
_RUNNING = termios.ECHOK


class SerialPort:
    """`path` is what to give to `mpremote connect`; `raw` says that the raw REPL is in use."""

    def __init__(self):
        self._user, self._user_tty = os.openpty()
        self._board, self._board_tty = os.openpty()
        for fd in (self._user, self._board):
            os.set_blocking(fd, False)
        self.path = os.ttyname(self._user_tty)
        self.raw = False
        self._child: Interpreter | None = None
        self._from_user = bytearray()
        self._to_user = bytearray()
        self._selector: selectors.BaseSelector | None = None
        self._watched: dict[int, int] = {}
        self._progress = 0.0
        self._stalled = False
        self._hold_until = 0.0
        self._line_until = 0.0
        self._enter_raw = False
        self._tail = b""
        _set_raw(self._user_tty)

    def board_tty(self) -> int:
        """Return the interpreter's side, in the state an interpreter expects."""
        _set_raw(self._board_tty)
        return self._board_tty

    def attach(self, child: Interpreter, selector: selectors.BaseSelector, raw: bool) -> None:
        """Serve a new interpreter; raw: go on in the raw REPL."""
        self._child = child
        self._selector = selector
        self._enter_raw = raw
        self._hold_until = self._line_until = 0.0
        self._watch(self._board, selectors.EVENT_READ)
        self._watch(self._user, selectors.EVENT_READ)

    def detach(self) -> None:
        """Pass on what the interpreter still said and let it go."""
        self._read_board()
        self._write_user()
        self._watch(self._board, 0)
        self._watch(self._user, 0)
        self._child = None

    def say(self, text: bytes) -> None:
        """Write to the user's side, as the board's firmware would."""
        self._to_user += text
        self._write_user()

    def discard(self) -> None:
        """Throw away what was typed while the board is off."""
        self._read_user()
        self._from_user.clear()

    def work(self) -> float | None:
        """Move bytes; return the seconds until it wants to be called without an event."""
        self._read_board()
        self._read_user()
        waiting = self._feed()
        self._write_user()
        # a full buffer in one direction makes the other side wait, and must not wake us
        events = selectors.EVENT_READ if len(self._from_user) < _BACKLOG else 0
        self._watch(self._user, events | (selectors.EVENT_WRITE if self._to_user else 0))
        self._watch(self._board, selectors.EVENT_READ if len(self._to_user) < _BACKLOG else 0)
        return _LOOK if waiting else _STALL if self._to_user else None

    def _watch(self, fd: int, events: int) -> None:
        old = self._watched.get(fd, 0)
        self._watched[fd] = events
        if old == events:
            return
        if not old:
            self._selector.register(fd, events)
        elif not events:
            self._selector.unregister(fd)
        else:
            self._selector.modify(fd, events)

    # from the user to the board

    def _read_user(self) -> None:
        while len(self._from_user) < _BACKLOG:
            try:
                data = os.read(self._user, _CHUNK)
            except BlockingIOError:
                return
            self._from_user += data

    def _feed(self) -> bool:
        # gives the interpreter what it can take now; True when something has to wait
        while self._from_user or self._enter_raw:
            if not self._child.up:
                return True
            if self._at_prompt():
                if self._enter_raw:
                    self._write_board(_CTRL_A)
                    self._enter_raw = False
                    return True
                if not self._feed_prompt():
                    return True
            elif not self._feed_program():
                return True
        return False

    def _feed_prompt(self) -> bool:
        self._hold_until = 0.0
        data = bytes(self._from_user[:_CHUNK])
        if not self.raw:
            # a line at a time: the interpreter drops what is typed ahead when it runs one
            if time.monotonic() < self._line_until and not self._tail.endswith(_PROMPTS):
                return False
            ends = [data.find(c) for c in _ENDS]
            data = data[: min((i for i in ends if i >= 0), default=len(data)) + 1]
            if data.endswith(_ENDS):
                self._line_until = time.monotonic() + _LINE
                self._tail = b""
        taken = self._write_board(data)
        del self._from_user[:taken]
        return self.raw and taken == len(data)

    def _feed_program(self) -> bool:
        if time.monotonic() < self._hold_until:
            return False
        at = self._from_user.find(_CTRL_C)
        if at >= 0 and self._child.interruptible():
            self._write_board(bytes(self._from_user[:at]))
            del self._from_user[:at]
            if self._child.interrupt():
                del self._from_user[:1]
                self._hold_until = time.monotonic() + _GRACE
            return False
        if self._enter_raw:
            return False
        taken = self._write_board(bytes(self._from_user))
        del self._from_user[:taken]
        return not self._from_user

    def _at_prompt(self) -> bool:
        # code that came through raw paste runs in the prompt's terminal mode
        return termios.tcgetattr(self._board)[3] == 0 and not self._child.interruptible()

    def _write_board(self, data: bytes) -> int:
        try:
            return os.write(self._board, data) if data else 0
        except BlockingIOError:
            return 0

    # from the board to the user

    def _read_board(self) -> None:
        while len(self._to_user) < _BACKLOG:
            try:
                data = os.read(self._board, _CHUNK)
            except BlockingIOError:
                return
            self._tail = (self._tail + data)[-len(_RAW_PROMPT) :]
            if self._tail.endswith(_RAW_PROMPT):
                self.raw = True
            elif self._tail.endswith(_PROMPT):
                self.raw = False
            if not self.raw and self._is_text():
                data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            self._to_user += data

    def _is_text(self) -> bool:
        # at a prompt, or from code that Ctrl-C would interrupt: `mpremote mount` switches that
        # off while it waits for an answer, code that ends only for a moment
        for _ in range(10):
            if self._child.poll() is not None or self._child.interruptible() or self._at_prompt():
                return True
            time.sleep(0.001)
        return False

    def _write_user(self) -> None:
        now = time.monotonic()
        while self._to_user:
            try:
                taken = os.write(self._user, bytes(self._to_user[:_CHUNK]))
            except BlockingIOError:
                if self._stalled or now - self._progress > _STALL:
                    self._stalled = True
                    self._to_user.clear()
                return
            del self._to_user[:taken]
            self._progress = now
            self._stalled = False
        self._progress = now


def _set_raw(fd: int) -> None:
    # no echo, no line editing, no signals, no translation in either direction
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = termios.tcgetattr(fd)
    cflag = cflag & ~(termios.CSIZE | termios.PARENB) | termios.CS8
    cc[termios.VMIN] = 1
    cc[termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, [0, 0, cflag, _RUNNING, ispeed, ospeed, cc])
