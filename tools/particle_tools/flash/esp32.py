"""An ESP32 through its serial bootloader: firmware, table of partitions, files."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from particle_tools.boards import esp32 as layout
from particle_tools.errors import UserError
from particle_tools.flash import compose, esp_image, firmware_file, partitions
from particle_tools.flash.esptool import Esptool, Found
from particle_tools.flash.partitions import Region
from particle_tools.flash.steps import Step, Wishes

LIBRARIES = ("littlefs", "romfs", "none")
_ID_BYTES = 12
_BAUD, _BAUD_NO_RESET = 460800, 115200
_SLOTS = "app-romfs"  # of the profile: the partition romfs is for applications


class Esp32:
    """The work on one board. What the host can find out is found out when it is made.

    Raises UserError.
    """

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._board = board = wishes.board
        self._table = layout.partitions(board)
        # what runs on a board that is not reset has kept the speed that it was first spoken to
        baud = wishes.baud or (_BAUD if wishes.reset else _BAUD_NO_RESET)
        self._tool = Esptool(
            wishes.where, board.chip, baud=baud, reset=wishes.reset, show=wishes.show
        )
        self._found: Found | None = None
        self._verified = False
        self._registered: dict[str, Any] = {}
        self._identity_files: dict[str, bytes] = {}
        self.version: str | None = None
        self._fixed: list[Region] = []
        application = b""
        if wishes.firmware:
            application = self._read_firmware(wishes.firmware)
        self._frozen = firmware_file.has_library(application)
        self._library, self._files = self._composed(application)
        self._regions = [*self._fixed, *self._file_regions()]
        self._regions.sort(key=lambda region: region.offset)

    def _read_firmware(self, path: Path) -> bytes:
        board = self._board
        at = layout.firmware_offset(board)
        image = esp_image.parse(path, firmware_file.read(board, path), board.chip, at)
        self.version = firmware_file.version(path, image.application)
        self._fixed = partitions.fixed(board, path, image, self._table, at)
        return image.application

    def _composed(self, application: bytes) -> tuple[str, dict[str, bytes]]:
        # where the library goes, and its files
        wishes, board = self._wishes, self._board
        frozen = self._frozen
        mounts = firmware_file.has_romfs(application)
        transport = wishes.identity.transport if wishes.identity else None
        names = compose.components(board, transport, wishes.extra)
        if frozen and wishes.extra:
            raise UserError(f"--with: the library is part of {wishes.firmware}: leave it out")
        room = partitions.romfs(self._table)
        spare = room and board.profile["OTA"] != _SLOTS
        usual = "romfs" if spare and mounts else "none" if wishes.keep_files else "littlefs"
        where = wishes.library or ("none" if frozen else usual)
        if where == "romfs" and not spare:
            reason = "keeps applications in it" if room else "has no partition romfs"
            raise UserError(f"--library romfs: {board.title} {reason}: leave it out")
        if where == "romfs" and application and not mounts:
            raise UserError(
                f"--library romfs: {wishes.firmware} is built without MICROPY_VFS_ROM, it would"
                " not find the library: leave it out"
            )
        if where == "littlefs" and wishes.keep_files:
            raise UserError("--keep-files leaves the file system as it is: --library none")
        if where == "none" and wishes.extra:
            raise UserError("--with: nothing of the library is written: leave it out")
        return where, {} if where == "none" else compose.library_files(board, names)

    def _file_regions(self) -> list[Region]:
        regions = []
        lib = {f"lib/{name}": data for name, data in self._files.items()}
        if self._library == "romfs":
            part = partitions.romfs(self._table)
            regions.append(Region(part.name, part.offset, compose.romfs(lib, part.size)))
            lib = {}
        files = {f"/{name}": data for name, data in lib.items()} | self._identity_files
        if files or self._wishes.identity or self._wishes.erase:
            part = self._files_partition()
            regions.append(Region(part.name, part.offset, compose.littlefs(files, part.size)))
        return regions

    def _files_partition(self):
        part = partitions.files(self._table)
        if part is None:
            raise UserError(f"{self._board.title}: its table of partitions has none for files")
        return part

    def steps(self) -> list[Step]:
        """Return what is to be done on and with the board, in order."""
        wishes = self._wishes
        size = layout.flash_bytes(self._board) >> 20
        steps = []
        if wishes.identity:
            steps.append(Step("cloud", "ask the cloud whom the board dials", self._ask_cloud))
        look = f"ask the chip: {self._board.chip} with {size} MB of flash, or nothing is written"
        steps.append(Step("chip", look, self._look, self._tool.look_command()))
        text = "replace a file system that is there" if wishes.erase else "look for files on it"
        steps.append(Step("files", text, self._look_for_files))
        if wishes.identity:
            text = "make its keys and configuration, for the id of this chip"
            steps.append(Step("identity", text, self._identify))
        missing = [] if wishes.firmware else ["--firmware FILE: bootloader, table, application"]
        text = "write " + ", ".join(missing + [_described(region) for region in self._regions])
        command = self._tool.write_command(self._regions)
        broken = f"the board is not complete: {self._repeat()}"
        steps.append(Step("write", text, self._write, command, broken))
        command = self._tool.verify_command(self._regions)
        text = "read everything again, compare it, start the board"
        unknown = f"nobody knows whether the board is complete: {self._repeat()}"
        steps.append(Step("verify", text, self._verify, command, unknown))
        if wishes.identity:
            text = "make it a device of the user"
            steps.append(Step("register", text, self._register, stopped=self._unregistered()))
        return steps

    def merge_steps(self, out: Path) -> list[Step]:
        """Return what is to be done for one image of everything."""
        parts = ", ".join(map(_described, self._regions))
        text = f"make {out} of {parts or '--firmware FILE'}"
        command = self._tool.merge_command(self._regions, out)
        return [Step("merge", text, lambda: self.merge(out), command)]

    def merge(self, out: Path) -> None:
        """Write one image of everything, for address 0. Raises UserError."""
        self._tool.merge(self._regions, out)

    def report(self) -> dict[str, Any]:
        """Return what was done, for JSON."""
        found: dict[str, Any] = {
            "firmware": self.version,
            "library": self._library,
            "installed": self._frozen or bool(self._files),
            "files": len(self._files) + len(self._identity_files),
            "regions": [
                {
                    "name": region.what,
                    "offset": region.offset,
                    "bytes": len(region.data),
                    "sha256": hashlib.sha256(region.data).hexdigest(),
                }
                for region in self._regions
            ],
        }
        if self._found:
            found |= {"chip": self._found.name, "mac": self._found.mac.hex()}
        found["verified"] = self._verified
        return found | self._registered

    def _ask_cloud(self) -> None:
        self._wishes.identity.prepare(self._board)

    def _look(self) -> None:
        found = self._tool.look()
        wishes, board = self._wishes, self._board
        if found.name != board.chip:
            raise UserError(
                f"{wishes.where}: the chip is {found.name}, {board.title} has {board.chip}:"
                " nothing was written; `particle-mp boards` lists what there is"
            )
        need = layout.flash_bytes(board)
        if found.flash is not None and found.flash < need:
            raise UserError(
                f"{wishes.where}: {found.flash >> 20} MB of flash, {board.title} has"
                f" {need >> 20} MB: nothing was written; `particle-mp boards` lists what there is"
            )
        self._found = found

    def _look_for_files(self) -> None:
        if self._wishes.erase:
            return
        old = partitions.parse(self._tool.read(partitions.TABLE_AT, partitions.TABLE_BYTES))
        if old is None:
            return  # without a table there was no MicroPython
        place = partitions.place(old)
        kept = not self._writes(partitions.files(self._table))
        if kept and place == partitions.place(self._table):
            return
        size = 2 * partitions.BLOCK
        if place + size > (self._found.flash or layout.flash_bytes(self._board)):
            return  # somebody else's table, up to the end
        if partitions.holds_files(self._tool.read(place, size)):
            other = "" if kept else ", --keep-files leaves them"
            raise UserError(
                f"{self._wishes.where}: there are files on the board, perhaps keys:"
                f" nothing was written; --erase gives them up{other}"
            )

    def _writes(self, part: Any) -> bool:
        return any(part and region.offset == part.offset for region in self._regions)

    def _identify(self) -> None:
        device_id = (self._found.mac + bytes(_ID_BYTES))[:_ID_BYTES].hex()
        self._identity_files = self._wishes.identity.files(self._board, device_id)
        self._regions = [*self._fixed, *self._file_regions()]
        self._regions.sort(key=lambda region: region.offset)
        self._registered = {"device_id": device_id}

    def _write(self) -> None:
        self._tool.write(self._regions, self._repeat())

    def _verify(self) -> None:
        self._wishes.show("verifying")
        self._tool.verify(self._regions, self._repeat())
        self._verified = True

    def _repeat(self) -> str:
        # what is there of a file system now would be taken for files
        more = "" if self._wishes.keep_files else " with --erase"
        return f"connect it again and repeat the command{more}"

    def _register(self) -> None:
        try:
            self._registered = self._wishes.identity.register(
                self._registered["device_id"], self._identity_files
            )
        except UserError as error:
            raise UserError(self._unregistered(f" ({error})")) from None

    def _unregistered(self, why: str = "") -> str:
        return (
            f"the board is complete, the cloud does not know it yet{why}:"
            f" particle-mp provision --port {self._wishes.where} goes on"
        )


def _described(region: Region) -> str:
    return f"{region.what} {hex(region.offset)} ({len(region.data)} bytes)"
