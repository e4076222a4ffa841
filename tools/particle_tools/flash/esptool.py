"""Runs esptool, the program, and turns what it says into progress or one line.

As a program of its own: its licence is another one, and what ends it does not end us.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from particle_tools import whole_file
from particle_tools.errors import UserError
from particle_tools.flash.partitions import Region
from particle_tools.progress import bar

_SILENT_S = 180.0  # erasing 16 MiB says nothing
_ENDING_S = 10.0
_ADDRESS = re.compile(r"Writing at (0x[0-9a-f]+).*?([\d.]+)%")
_FATAL = re.compile(r"(?:A fatal|A serial exception) error occurred: (.*)", re.DOTALL)
_ADVICE = ("For troubleshooting", "Hint:", "Note: This error originates")
_MANY_CAUSES = re.compile(r" This can have many causes.*")
_CHIP = re.compile(r"Connected to (\S+) on ")
_MAC = re.compile(r"^(?:BASE )?MAC:\s+([0-9a-f:]{17})$", re.MULTILINE)
_SIZE = re.compile(r"^Detected flash size: (\d+)(KB|MB)$", re.MULTILINE)
_UNITS = {"KB": 1 << 10, "MB": 1 << 20}
_MERGED = "merged.bin"  # no region is called so
_VERIFIED = "Verification successful"
# Nothing of the image is changed on the way: what is verified is what was given
_AS_IT_IS = [word for what in ("mode", "freq", "size") for word in (f"--flash-{what}", "keep")]
_INSTALL = "pip install esptool"


@dataclass(frozen=True)
class Found:
    """A chip that answers. name: as `ImageHeader` calls it; flash: bytes, None if unknown."""

    name: str
    mac: bytes
    flash: int | None


class _Failed(Exception):
    """esptool gave up; text: its reason, or its last line."""


class Esptool:
    """esptool for the chip `chip` at `port`; show: told what is being done.

    reset: False if the board is in its bootloader already. Every method raises UserError.
    """

    def __init__(
        self, port: str, chip: str, *, baud: int, reset: bool, show: Callable[[str], None]
    ) -> None:
        self._port = port
        self._chip = chip
        self._baud = str(baud)
        self._before = "default-reset" if reset else "no-reset"
        self._show = show

    def look_command(self) -> list[str]:
        """Return the command that asks the chip, as a person would type it."""
        return ["esptool", *self._options("auto", "no-reset"), "flash-id"]

    def look(self) -> Found:
        """Ask the chip what it is; its flash is not touched."""
        # any chip: what is there instead of the right one is to be named
        said = self._connect(["flash-id"], chip="auto")
        name, mac, size = _CHIP.search(said), _MAC.search(said), _SIZE.search(said)
        if not name or not mac:
            raise UserError(f"{self._port}: esptool does not know this chip")
        return Found(
            name=name[1].lower().replace("-", ""),
            mac=bytes.fromhex(mac[1].replace(":", "")),
            flash=int(size[1]) * _UNITS[size[2]] if size else None,
        )

    def read(self, offset: int, size: int) -> bytes:
        """Return what is in the flash."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "flash.bin")
            self._connect(["read-flash", hex(offset), hex(size), str(out)])
            return out.read_bytes()

    def write_command(self, regions: list[Region]) -> list[str]:
        """Return the command that writes, as a person would type it."""
        options = self._options(self._chip, "no-reset")
        return ["esptool", *options, "write-flash", *_AS_IT_IS, *_names(regions)]

    def write(self, regions: list[Region], repeat: str) -> None:
        """Write regions, each compared with its hash; repeat: what to do after a failure."""
        total = sum(len(region.data) for region in regions)

        def told(line: str) -> None:
            match = _ADDRESS.search(line)
            if match:
                done, what = _done(regions, int(match[1], 16))
                self._show(f"writing {what}: {bar(done, total)}")

        try:
            with _files(regions) as folder:
                self._run(["write-flash", *_AS_IT_IS, *_names(regions)], folder, told)
        except _Failed as failed:
            raise UserError(
                f"{self._port}: writing ended early, the board is not complete: {repeat}"
                f" (esptool: {failed})"
            ) from None

    def verify(self, regions: list[Region], repeat: str) -> None:
        """Have the chip read everything again and compare it; then start the board."""
        try:
            with _files(regions) as folder:
                said = self._run(
                    ["verify-flash", *_AS_IT_IS, *_names(regions)], folder, after="hard-reset"
                )
        except _Failed as failed:
            raise UserError(
                f"{self._port}: what was written does not read back: {repeat} (esptool: {failed})"
            ) from None
        if said.count(_VERIFIED) != len(regions):
            raise UserError(f"{self._port}: esptool has not compared everything: {repeat}")

    def verify_command(self, regions: list[Region]) -> list[str]:
        """Return the command that verifies, as a person would type it."""
        options = self._options(self._chip, "hard-reset")
        return ["esptool", *options, "verify-flash", *_AS_IT_IS, *_names(regions)]

    def merge_command(self, regions: list[Region], out: Path) -> list[str]:
        """Return the command that makes one image of all regions."""
        options = ["--chip", self._chip, "merge-bin", "-o", str(out)]
        return ["esptool", *options, *_AS_IT_IS, *_names(regions)]

    def merge(self, regions: list[Region], out: Path) -> None:
        """Make one image of all regions, to be written at address 0."""
        try:
            with _files(regions) as folder:
                made = Path(folder, _MERGED)
                _talk(_program(self.merge_command(regions, made)), folder)
                data = made.read_bytes()
        except _Failed as failed:
            raise UserError(f"{out}: esptool merge-bin: {failed}") from None
        whole_file.write(out, data)

    def _options(self, chip: str, after: str) -> list[str]:
        options = ["--chip", chip, "--port", self._port, "--baud", self._baud]
        return [*options, "--before", self._before, "--after", after]

    def _connect(self, command: list[str], chip: str | None = None) -> str:
        try:
            return self._run(command, chip=chip)
        except _Failed as failed:
            raise UserError(_explain(self._port, str(failed))) from None

    def _run(
        self,
        command: list[str],
        folder: str | None = None,
        told: Callable[[str], None] = lambda _: None,
        *,
        chip: str | None = None,
        after: str = "no-reset",
    ) -> str:
        options = self._options(chip or self._chip, after)
        return _talk(_program(["esptool", *options, *command]), folder, told)


def _program(command: list[str]) -> list[str]:
    if importlib.util.find_spec(command[0]) is None:
        raise UserError(f"{command[0]} is missing: {_INSTALL}")
    return [sys.executable, "-m", *command]


def _talk(
    argv: list[str], folder: str | None = None, told: Callable[[str], None] = lambda _: None
) -> str:
    # the user's own settings for esptool would change what it does
    environment = {k: v for k, v in os.environ.items() if not k.startswith("ESPTOOL_")}
    environment |= {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "250", "PYTHONUNBUFFERED": "1"}
    with tempfile.TemporaryDirectory() as empty:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment | {"ESPTOOL_CFGFILE": os.devnull},
            cwd=folder or empty,
        )
        try:
            lines = _lines(process, told)
            status = process.wait(_ENDING_S)
        except subprocess.TimeoutExpired:
            raise _Failed("esptool does not end") from None
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    said = "\n".join(lines)
    if status:
        raise _Failed(_reason(said) or f"status {status}")
    return said


def _reason(said: str) -> str:
    text = "\n".join(line for line in said.splitlines() if not line.startswith(_ADVICE))
    # the sentence in brackets on the next line says why a port cannot be opened
    fatal = _FATAL.search(text)
    if fatal:
        text = fatal[1]
    else:
        text = text.strip().rpartition("\n")[2]
    return " ".join(_MANY_CAUSES.sub("", text).split())[:300]


def _lines(process: subprocess.Popen, told: Callable[[str], None]) -> list[str]:
    # a thread reads: a board that is gone may leave esptool waiting for ever
    arrived: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        try:
            for line in process.stdout:
                arrived.put(line.rstrip())
        finally:
            arrived.put(None)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    lines = []
    while True:
        try:
            line = arrived.get(timeout=_SILENT_S)
        except queue.Empty:
            process.kill()
            raise _Failed(f"nothing was heard for {_SILENT_S:.0f} s") from None
        if line is None:
            reader.join()
            return lines
        lines.append(line)
        told(line)


def _explain(port: str, text: str) -> str:
    if "exclusively lock" in text or "Errno 16" in text or "Access is denied" in text:
        return f"{port} is busy: close the program that uses it (mpremote, a terminal)"
    if "Errno 2]" in text or "FileNotFound" in text or "could not find" in text:
        return f"{port} is not there: connect the board; `mpremote devs` shows ports"
    if "Errno 13]" in text:
        return f"{port}: no permission: add yourself to the group that owns it (dialout, uucp)"
    if "Could not open" in text or "invalid URL" in text:
        what = "a folder" if Path(port).is_dir() else text.rpartition(": ")[2].rstrip(")")
        if what.startswith("("):  # an error's number, and its text
            what = what.partition(", ")[2].strip("'")
        return f"{port} is no serial port ({what}): `mpremote devs` shows ports"
    if "connect" in text or "No serial data" in text:
        return (
            f"{port}: no bootloader answers: hold BOOT, press RESET, let go, and repeat with"
            " --no-reset"
        )
    return f"{port}: {text}: connect the board again and repeat"


@contextlib.contextmanager
def _files(regions: list[Region]) -> Iterator[str]:
    # a folder with the regions, named as in the commands that are shown
    with tempfile.TemporaryDirectory() as folder:
        for region in regions:
            path = Path(folder, f"{region.what}.bin")
            path.touch(0o600)  # keys may be in it
            path.write_bytes(region.data)
        yield folder


def _names(regions: list[Region]) -> list[str]:
    return [word for r in regions for word in (hex(r.offset), f"{r.what}.bin")]


def _done(regions: list[Region], address: int) -> tuple[int, str]:
    # bytes before `address`, in the order of writing, and in which region it is
    done = 0
    for region in regions:
        if region.offset <= address <= region.offset + len(region.data):
            return done + address - region.offset, region.what
        done += len(region.data)
    return done, regions[-1].what
