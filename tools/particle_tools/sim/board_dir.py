"""The directory of one simulated board: what is in it, and that only one simulation uses it.

flash.img    the flash chip; it exists when the first start is complete
rom.img      more of the flash, where a board has it: two regions for a ROMFS
esp32.img    what an ESP32 has below its file system
stm32.img    the flash of an STM32, behind mboot
board.json   what the silicon knows: the unique id
ram/         what a loss of power forgets: RTC, clock, watchdog stamp, flash counters
radio.json   what the world does to the board: {"pins": {"0": 0}, "dns": "ip:port"}
pins.json    what the board does to its pins
wake         milliseconds of the last deep sleep, empty for "for ever"
"""

import fcntl
import json
import os
import shutil
import struct
import time
from pathlib import Path

from particle_tools import whole_file
from particle_tools.errors import UserError

ROM_BYTES = 2 * 0x20000  # both regions of boards/UNIX_SIM/modules/particle_board.py
_ID_BYTES = 12
_DYING = 30.0  # seconds; a write to a busy disk cannot be killed


def _alive(holder: bytes) -> bool:
    try:
        os.kill(int(holder), 0)
    except (ValueError, OverflowError, ProcessLookupError):
        return False
    except PermissionError:
        pass
    return True


class BoardDir:
    """Paths and facts of the board in `path`."""

    def __init__(self, path: Path):
        self.path = path.absolute()
        self.flash = self.path / "flash.img"
        self.rom = self.path / "rom.img"
        self.ram = self.path / "ram"
        self._facts = self.path / "board.json"

    def lock(self, patience: float = 2.0) -> int:
        """Take the directory for this process and return the file descriptor that holds it.

        The interpreter inherits it, so that a board that is still dying keeps
        the next one waiting, up to `_DYING` s. patience: seconds for one that
        is not. Raises UserError when it stays taken.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise UserError(f"{self.path}: {error.strerror}") from None
        start = time.monotonic()
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                os.pwrite(fd, b"%-20d" % os.getpid(), 0)
                return fd
            except BlockingIOError:
                alive = _alive(os.pread(fd, 20, 0))
                if time.monotonic() - start > (patience if alive else _DYING):
                    os.close(fd)
                    raise UserError(
                        f"{self.path} is in use by another simulated board: end that one first"
                    ) from None
                time.sleep(0.02)

    def unique_id(self, wanted: str | None = None) -> str:
        """Return the id of the silicon as 24 hex digits; it is fixed once there is a flash.

        Raises UserError when `wanted` is not an id or not that of this board.
        """
        if wanted is not None:
            wanted = wanted.lower()
            if len(wanted) != 2 * _ID_BYTES or not set(wanted) <= set("0123456789abcdef"):
                raise UserError(f"--device-id {wanted}: 24 hex digits are needed")
        if not self.flash.exists() and (wanted or not self._facts.exists()):
            made = wanted or os.urandom(_ID_BYTES).hex()
            facts = json.dumps({"v": 1, "unique_id": made}) + "\n"
            whole_file.write(self._facts, facts.encode())
        try:
            found = json.loads(self._facts.read_text())["unique_id"]
            if len(bytes.fromhex(found)) != _ID_BYTES:
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError):
            raise UserError(
                f"{self._facts} is damaged: remove the folder to start a new board"
            ) from None
        if wanted and wanted != found:
            raise UserError(f"{self.path} holds the board {found}, not {wanted}")
        return found

    def power_on(self) -> None:
        """Forget what a board forgets without power."""
        shutil.rmtree(self.ram, ignore_errors=True)
        self.ram.mkdir()

    def flash_counts(self) -> tuple[int, int, int]:
        """Return (operations, programs, erases) of the flash since power-on."""
        data = (self.ram / "flash").read_bytes()
        return struct.unpack("<QQQ", data)
