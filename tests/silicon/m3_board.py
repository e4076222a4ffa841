"""A provisioned board: the emulated Cortex-M3, its flash in a file, its sockets by a bridge."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from particle_tools.firmware import qemu
from particle_tools.firmware.bridge import Bridge
from particle_tools.local import LocalCloud
from particle_tools.sim import first_start
from particle_tools.sim.board_dir import BoardDir
from silicon import cortex_m3

# The application's failure ends the board too, as a watchdog would.
_MAIN = """
import machine
import sys

try:
    import app
except BaseException as error:
    sys.print_exception(error)
machine.reset()
"""


class M3Board:
    """A board that is registered with `cloud` as `device_id` and boots again and again.

    Its flash comes from a simulated board's first start: both have the same chip. psram: the file
    that it is in.
    """

    def __init__(self, folder: Path, cloud: LocalCloud, device_id: str, transport: str = "tcp"):
        made = BoardDir(folder)
        lock = made.lock()
        first_start.make(made, device_id, transport, cloud=cloud.url, user=cloud.user, server=None)
        os.close(lock)
        self._flash = made.flash.read_bytes()
        self.psram = folder / "psram"
        qemu.prepare(self.psram, {}, 0, bytes(32))
        self.forget_session()
        main = folder / "main.py"
        main.write_text(_MAIN)
        self._main = cortex_m3.compiled(main)

    def forget_session(self) -> None:
        """Put the flash of the first start back."""
        with self.psram.open("r+b") as file:
            file.seek(qemu.FLASH_AT)
            file.write(self._flash)

    def run(
        self,
        application: Path,
        *,
        heap: int = 0,
        seconds: float = 30,
        files: Mapping[str, bytes] | None = None,
        elf: str | None = None,
    ) -> str:
        """Boot with `application`, wait for its end and return the console.

        files: what else is there, below /rom. elf: another image. Raises `qemu.Failed` when
        it does not end.
        """
        with Bridge() as bridge:
            return qemu.run(
                elf or cortex_m3.image().elf,
                {**(files or {}), **self._files(application)},
                heap=heap,
                memory=self.psram,
                uart=bridge.serial,
                seconds=seconds,
            )

    @contextlib.contextmanager
    def on(self, application: Path) -> Iterator[None]:
        """Boot with `application`; the power is cut at the end, without a word."""
        with Bridge() as bridge:
            qemu.prepare(self.psram, self._files(application), 0, os.urandom(32))
            elf = cortex_m3.image().elf
            process = subprocess.Popen(
                qemu.command(elf, self.psram, ["null", bridge.serial]), stdin=subprocess.DEVNULL
            )
            try:
                yield
            finally:
                process.kill()
                process.wait()

    def _files(self, application: Path) -> dict[str, bytes]:
        return {"main.mpy": self._main, "app.mpy": cortex_m3.compiled(application)}
