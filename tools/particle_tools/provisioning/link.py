"""A board at the other end of a serial port, spoken to with mpremote's own transport."""

from __future__ import annotations

import contextlib
import io
import json
import re
import struct
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from mpremote.transport import TransportError, TransportExecError
from mpremote.transport_serial import SerialTransport
from serial import SerialException

from particle_tools import on_board
from particle_tools.errors import UserError

_MARK = b"@pt "
_READ_S = 8.0  # that one read may take: what else mpremote does has no end of its own
_SILENT_S = 60.0  # a program on the board says nothing: an inversion on a slow one is far below
_PROMPT_S = 6.0
_SPURIOUS = 3  # reads without data in a row
_PAUSE_S = 0.02
_ATTEMPTS = 3  # to get to the prompt: a board may just be starting
_MISSING = re.compile(r"no module named '?(particle[\w.]*)'?")


class BoardError(UserError):
    """What went wrong with one board; `stage` as in docs/provisioning.md."""

    def __init__(self, stage: str, text: str) -> None:
        super().__init__(f"{stage}: {text}")
        self.stage = stage
        self.text = text


class LibraryMissing(BoardError):
    """A part of the library is not on the board, or too old; `module` as in particle.MODULE."""

    def __init__(self, module: str, text: str) -> None:
        super().__init__("library", text)
        self.module = module


@contextlib.contextmanager
def quiet() -> Iterator[TextIO]:
    """Give the standard output, onto which mpremote must not write what it did not expect.

    For the whole process: around everything that threads do with boards.
    """
    out = sys.stdout
    with contextlib.redirect_stdout(io.StringIO()):
        yield out


class Board:
    """The board on serial port `port`, at its raw prompt, freshly started without main.py.

    A context manager: the port is free again at the end. Raises BoardError.
    """

    def __init__(self, port: str) -> None:
        self.port = port
        self._running = False
        self._until = 0.0  # when the board is to have said something sensible
        self._transport: SerialTransport | None = None

    def __enter__(self) -> Board:
        try:
            self._transport = SerialTransport(self.port, timeout=_READ_S)
            self._transport.serial.read = self._bounded(self._transport.serial.read)
        except TransportError:
            text = f"{self.port} cannot be opened: is it there, and used by nobody else?"
            raise BoardError("port", text) from None
        except (OSError, ValueError, AttributeError) as error:
            raise BoardError("port", f"{self.port}: {error}") from None
        try:
            self._to_prompt()
        except BaseException:
            self._close()
            raise
        return self

    def _to_prompt(self) -> None:
        for attempt in range(_ATTEMPTS):
            self._allow(3 * _PROMPT_S)
            try:
                self._at().enter_raw_repl(timeout_overall=_PROMPT_S)
                return
            except TransportError:
                if attempt == _ATTEMPTS - 1:
                    text = f"no MicroPython prompt at {self.port}: is it the right port?"
                    raise BoardError("port", text) from None
            except OSError as error:
                raise BoardError("port", f"{self.port}: {error}") from None

    def _allow(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def _bounded(self, read: Callable[..., bytes]) -> Callable[..., bytes]:
        # mpremote's own limits do not hold while the board talks without end
        def again(size: int = 1) -> bytes:
            for _ in range(_SPURIOUS):
                if time.monotonic() > self._until:
                    raise TransportError("it does not stop talking")
                try:
                    return read(size)
                except SerialException as error:
                    # a terminal may be ready and have nothing, once: a busy host's
                    if "returned no data" not in str(error):
                        raise
                time.sleep(_PAUSE_S)
            return read(size)

        return again

    def __exit__(self, *_: object) -> None:
        self._close()

    def _at(self) -> SerialTransport:
        if self._transport is None:
            raise BoardError("port", f"{self.port} is closed")
        return self._transport

    def _close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is None:
            return
        # the board may be gone
        with contextlib.suppress(OSError, TransportError):
            if self._running:
                transport.serial.write(b"\x03")
            transport.exit_raw_repl()
        with contextlib.suppress(OSError):
            transport.close()

    def run(
        self, program: str, progress: Callable[[int], None] | None = None, **arguments: Any
    ) -> Any:
        """Return the result of a program of `on_board`; progress: is told percentages.

        Raises LibraryMissing, BoardError.
        """
        lines = _Lines(progress, lambda: self._allow(_SILENT_S))
        error = self._exec(on_board.program(program, **arguments), lines.feed)
        if lines.answer is None:
            # never its text: there may be a password in it
            found = error.strip().rpartition("\n")[2].partition(":")[0] or "no answer"
            raise BoardError("board", f"{program} ended with {found} on the board")
        kind, value = lines.answer
        if kind == "result":
            return value
        raise _failure(*value)

    def restart(self) -> None:
        """Start the board anew without main.py: what was imported is forgotten."""
        self._to_prompt()

    def reset(self) -> None:
        """Start the board anew, with its main.py."""
        with contextlib.suppress(OSError, TransportError):
            self._at().exec_raw_no_follow("import machine\nmachine.reset()")
            time.sleep(0.2)  # what was written is to leave the computer before the port is closed
        self._close()

    def write_file(self, path: str, data: bytes) -> bool:
        """Store a file on the board's file system in one step; False if it is there already."""
        with self._files():
            transport = self._at()
            part = path + ".new"
            there = transport.fs_exists(path)
            if there and bytes(transport.fs_readfile(path, chunk_size=1024)) == data:
                return False
            folder = ""
            for name in path.split("/")[1:-1]:
                folder += "/" + name
                if not transport.fs_exists(folder):
                    transport.fs_mkdir(folder)
            transport.fs_writefile(part, data, chunk_size=512)
            transport.exec(f"import os\nos.rename({part!r}, {path!r})")
        return True

    def library_folder(self) -> str:
        """Return where a library is installed: the first folder "lib" of sys.path, as for mip."""
        with self._files():
            paths = self._at().eval("__import__('sys').path")
        for path in paths:
            if path.endswith("/lib") and not path.startswith("/rom"):
                return path
        raise BoardError("library", "the board's sys.path has no folder lib")

    @contextlib.contextmanager
    def _files(self) -> Iterator[None]:
        self._allow(_SILENT_S)
        try:
            yield
        except TransportExecError as error:
            text = error.error_output.strip().rpartition("\n")[2]
            raise BoardError("file system", text) from None
        except (OSError, TransportError, struct.error) as error:
            raise self._lost(error) from None

    def _exec(self, source: str, consumer: Callable[[bytes], None]) -> str:
        # -> the traceback, if it ended with one
        try:
            self._running = True
            self._allow(_SILENT_S)
            self._at().exec_raw_no_follow(source)
            _, error = self._at().follow(_SILENT_S, consumer)
            self._running = False
        except (OSError, TransportError, struct.error) as error:
            raise self._lost(error) from None
        return error.decode(errors="replace")

    def _lost(self, error: Exception) -> BoardError:
        if isinstance(error, TransportError):
            # what it says of the board's answer, which is never a program of ours
            text = f"{self.port}: the board does not answer any more ({str(error)[:80]})"
            return BoardError("port", text)
        return BoardError("port", f"{self.port}: the connection is gone ({error})")


class _Lines:
    """Takes what the board prints, byte by byte; keeps the last answer."""

    def __init__(self, progress: Callable[[int], None] | None, heard: Callable[[], None]) -> None:
        self.answer: tuple[str, Any] | None = None
        self._progress = progress
        self._heard = heard  # that the program is at work
        self._line = bytearray()

    def feed(self, data: bytes) -> None:
        for byte in data.replace(b"\x04", b""):
            if byte != 10:
                self._line.append(byte)
                continue
            line, self._line = bytes(self._line), bytearray()
            at = line.find(_MARK)
            if at >= 0:
                self._take(line[at + len(_MARK) :])

    def _take(self, text: bytes) -> None:
        try:
            kind, value = json.loads(text)
        except ValueError:
            return
        self._heard()
        if kind != "progress":
            self.answer = kind, value
        elif self._progress:
            self._progress(value)


def _failure(kind: str, stage: str | None, text: str) -> BoardError:
    missing = _MISSING.search(text)
    if kind == "ImportError" and missing:
        module = missing[1].partition(".")[2].replace(".", "/")
        return LibraryMissing(module, f"{missing[1]} is not on the board")
    if kind in ("ImportError", "AttributeError", "TypeError", "NameError"):
        return LibraryMissing("", f"the library on the board is too old ({text})")
    if kind == "MemoryError":
        return BoardError("board", "its memory ran out: a board with less in boot.py has more")
    return BoardError(stage or "board", text)
