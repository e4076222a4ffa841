"""DfuSe images for STM32, and dfu-util that writes them.

Format: ST's UM0391, with the suffix of USB DFU 1.1 (appendix B). Images that are packed for
MicroPython's mboot are encrypted: their elements are chunks that are signed one by one
(ports/stm32/mboot, "packed").
"""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import Any

from particle_tools.boards.catalogue import Board
from particle_tools.errors import UserError
from particle_tools.flash import firmware_file
from particle_tools.flash.steps import Step, Wishes

_PREFIX = struct.Struct("<5sBIB")  # signature, version, bytes, targets
_TARGET = struct.Struct("<6sBI255sII")  # signature, alternate, named, name, bytes, elements
_ELEMENT = struct.Struct("<II")  # address, bytes
_SUFFIX = struct.Struct("<HHHH3sBI")  # device, product, vendor, DFU, signature, bytes, CRC
_DFUSE = 0x011A

# of a packed image every element is a chunk: version, format, two zeros, address, bytes
_CHUNK = struct.Struct("<BBBBII")
_CHUNK_VERSION = 1
_WHOLE_SIGNATURE, _FIRMWARES = 1, (2, 3)  # formats; the latter plain and deflated
_SIGNATURE_BYTES = 64

_INTERNAL, _INTERNAL_END = 0x08000000, 0x10000000
_LOADER = "MBOOT"  # of the profile: mboot is where the internal flash begins
_LOADER_BYTES = 0x8000

_TOOL = "dfu-util"
_MISSING = "install it (apt install dfu-util, brew install dfu-util)"
_TOOL_S = 600  # 2 MB take one minute
_LIST_S = 30
_ANY = "usb"  # as --port: the only one there is
_DEVICE = re.compile(
    r'^Found DFU: \[([0-9a-f:]{9})\].*path="([^"]*)".*alt=(\d+), name="([^"]*)"'
    r'(?:, serial="([^"]*)")?',
    re.MULTILINE,
)
_SECTORS = re.compile(r"(\d+)\*(\d+)([ BKM])")
_UNITS = {" ": 1, "B": 1, "K": 1 << 10, "M": 1 << 20}


def parse(path: Path, data: bytes) -> list[tuple[int, bytes]]:
    """Return the content of an image: (address, bytes). Raises UserError."""
    try:
        return list(_elements(data))
    except (ValueError, struct.error) as error:
        raise UserError(
            f"{path}: no DfuSe image, or a damaged one ({error}): get it again"
        ) from None


def _elements(data: bytes):
    if len(data) < _PREFIX.size + _SUFFIX.size:
        raise ValueError("it is too short")
    body = data[: -_SUFFIX.size]
    *_, dfu, mark, size, crc = _SUFFIX.unpack_from(data, len(body))
    if mark != b"UFD" or size != _SUFFIX.size or dfu != _DFUSE:
        raise ValueError("no suffix of DfuSe at its end")
    if crc != ~zlib.crc32(data[:-4]) & 0xFFFFFFFF:
        raise ValueError("its CRC is wrong")
    mark, version, size, targets = _PREFIX.unpack_from(body)
    if mark != b"DfuSe" or version != 1 or size != len(body):
        raise ValueError("its prefix is wrong")
    at = _PREFIX.size
    for _ in range(targets):
        mark, _, _, _, _, elements = _TARGET.unpack_from(body, at)
        if mark != b"Target":
            raise ValueError("a target is wrong")
        at += _TARGET.size
        for _ in range(elements):
            address, size = _ELEMENT.unpack_from(body, at)
            at += _ELEMENT.size
            if at + size > len(body):
                raise ValueError("an element ends behind it")
            yield address, body[at : at + size]
            at += size
    if at != len(body):
        raise ValueError("there is more in it than its targets")


def packed(elements: list[tuple[int, bytes]]) -> bool:
    """Tell whether an image is one for an mboot that takes packed ones only."""
    return bool(elements) and all(
        len(data) > _CHUNK.size + _SIGNATURE_BYTES
        and _CHUNK.unpack_from(data)[:5] == (_CHUNK_VERSION, data[1], 0, 0, address)
        and data[1] in (_WHOLE_SIGNATURE, *_FIRMWARES)
        and _CHUNK.unpack_from(data)[5] == len(data) - _CHUNK.size - _SIGNATURE_BYTES
        for address, data in elements
    )


def places(elements: list[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """List what an image writes: (address, bytes); of packed chunks one byte, the rest is secret.

    The signature of all of a packed image is written nowhere.
    """
    if not packed(elements):
        return [(address, len(data)) for address, data in elements]
    return [(address, 1) for address, data in elements if data[1] in _FIRMWARES]


def _check_places(path: Path, elements: list[tuple[int, bytes]], board: Board) -> None:
    end, internal, loader = 0, False, _LOADER in board.profile
    for address, size in sorted(places(elements)):
        if address < end:
            raise UserError(f"{path}: two of its elements are for {address:#x}: get it again")
        if loader and _INTERNAL <= address < _INTERNAL + _LOADER_BYTES:
            raise UserError(
                f"{path}: it would replace the boot loader, which is at {_INTERNAL:#x}: take an"
                f" image of the firmware of {board.title} alone"
            )
        end = address + size
        internal = internal or _INTERNAL <= address < _INTERNAL_END
    if not internal:
        raise UserError(
            f"{path}: nothing in it is for the internal flash of {board.title}, from which it"
            " starts: take the complete image"
        )


def holds(memory: str, address: int, size: int) -> bool:
    """Tell whether a DFU device's memory, "@Name /0xADDR/N*SIZEg,..", has these bytes."""
    parts = memory.split("/")[1:]
    for start, sectors in zip(parts[::2], parts[1::2], strict=False):
        begin = int(start, 16)
        total = sum(int(n) * int(k) * _UNITS[unit] for n, k, unit in _SECTORS.findall(sectors))
        if begin <= address and address + size <= begin + total:
            return True
    return False


class Dfu:
    """The work on one board. Raises UserError."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._elements: list[tuple[int, bytes]] = []
        self._which = ["-a", "0"]
        self._verified = self._packed = self._frozen = False
        self.version: str | None = None
        if wishes.firmware:
            data = firmware_file.read(wishes.board, wishes.firmware)
            self._elements = parse(wishes.firmware, data)
            _check_places(wishes.firmware, self._elements, wishes.board)
            self._packed = packed(self._elements)
            if not self._packed:  # what is packed is encrypted: no version can be read
                image = b"".join(data for _, data in self._elements)
                self.version = firmware_file.version(wishes.firmware, image)
                self._frozen = firmware_file.has_library(image)

    def steps(self) -> list[Step]:
        """Return what is to be done on the board, in order."""
        file = self._wishes.file
        text = f"ask for a DFU device ({self._wishes.where}) with memory for the image"
        steps = [Step("chip", text, self._look, [_TOOL, "-l"])]
        parts = ", ".join(f"{a:#x} ({len(d)} bytes)" for a, d in self._elements)
        text = f"write {parts or file}"
        again = "connect the board as a DFU device and repeat the command"
        command = [_TOOL, *self._which, "-D", file]
        broken = f"the board is not complete: {again}"
        steps.append(Step("write", text, self._write, command, broken))
        if self._packed:  # mboot checks the signatures, and reads nothing back
            return steps
        text = "read everything again, compare it, start the board"
        unknown = f"nobody knows whether the board is complete: {again}"
        return [*steps, Step("verify", text, self._verify, stopped=unknown)]

    def report(self) -> dict[str, Any]:
        """Return what was done, for JSON."""
        total = sum(len(data) for _, data in self._elements)
        return {
            "firmware": self.version,
            "bytes": total,
            "packed": self._packed,
            "library": "none",
            "installed": self._frozen,
            "verified": self._verified,
        }

    def _look(self) -> None:
        said = self._tool(["-l"], "listing", _LIST_S)
        port = self._wishes.where
        found = [m for m in _DEVICE.findall(said) if m[2] == "0" and port in (_ANY, m[1], m[4])]
        if not found:
            raise UserError(
                f"{port}: no DFU device: hold USR (PYBD) or BOOT0 while you press RESET;"
                f" --port {_ANY}, or its path or serial number from {_TOOL} -l"
            )
        if len(found) > 1:
            paths = ", ".join(m[1] for m in found)
            raise UserError(f"{port}: more than one DFU device: --port one of {paths}")
        _, path, _, memory, _ = found[0]
        for address, size in places(self._elements):
            if not holds(memory, address, size):
                raise UserError(
                    f"{path}: {memory} has no room for {size} bytes at {address:#x}: it is no"
                    f" {self._wishes.board.title}, nothing was written"
                )
        self._which = ["-a", "0", "-p", path]

    def _write(self) -> None:
        self._wishes.show("writing firmware")
        self._tool([*self._which, "-D", str(self._wishes.firmware)], "writing")

    def _verify(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for i, (address, data) in enumerate(self._elements):
                self._wishes.show(f"verifying {address:#x}")
                out = Path(folder, f"{i}.bin")
                # the last one lets the board go
                leave = ":leave" if i == len(self._elements) - 1 else ""
                part = f"{address:#x}:{len(data)}{leave}"
                self._tool([*self._which, "-s", part, "-U", str(out)], "reading back")
                if out.read_bytes() != data:
                    raise UserError(
                        f"{address:#x} does not read back as written, the board is not complete:"
                        " repeat the command"
                    )
        self._verified = True

    def _tool(self, arguments: list[str], what: str, seconds: float = _TOOL_S) -> str:
        program = shutil.which(_TOOL)
        if program is None:
            raise UserError(f"{_TOOL} is missing: {_MISSING}")
        try:
            done = subprocess.run(
                [program, *arguments],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise UserError(f"{_TOOL}: {what} took more than {seconds} s: repeat it") from None
        if done.returncode:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            last = lines[-1] if lines else f"status {done.returncode}"
            raise UserError(
                f"{_TOOL}: {what} failed ({last}): connect the board as a DFU device and repeat"
            )
        return done.stdout
