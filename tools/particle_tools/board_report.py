"""What `doctor` finds out about a board itself: library, store, keys, networks, wear.

Over a serial port the board answers; of a simulated board that is off, its files do.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from particle_tools import __version__, dct
from particle_tools.errors import UserError

PORTS = {"udp": 5684, "tcp": 5683}  # where a board dials if it was told no port
ALGORITHMS = {"udp": "ec", "tcp": "rsa"}
_KINDS = {"session": 1, "wifi": 2, "cell": 3, "claim": 4, "usage": 5, "retained": 7}
_SSID = 1  # tag of the first field of a network (lib/particle/store/networks.py)
_NAMED = 3  # of the files that are not as they should be
_PROVISION = "particle-mp provision --port PORT"


@dataclass(frozen=True)
class Check:
    """One line of the report. ok None: could not be checked, or only worth knowing."""

    stage: str
    ok: bool | None
    text: str
    remedy: str = ""


@dataclass
class Board:
    """Whom a board dials, and with which keys; the file names are those of DESIGN 5."""

    device_id: str
    transport: str
    server: str
    port: int
    server_key: bytes | None
    public_key: bytes | None  # SubjectPublicKeyInfo DER


def of_port(port: str, write: bool = False) -> tuple[list[Check], Board | None]:
    """Ask the board on a serial port; write: also whether its store can be written."""
    from particle_tools.provisioning import library
    from particle_tools.provisioning.link import Board as Link
    from particle_tools.provisioning.link import BoardError, LibraryMissing

    checks: list[Check] = []
    with Link(port) as link:
        bare = link.run("bare", modules=library.needed())
        transport = library.transport_of(bare)
        try:
            library.check(bare, transport)
            look = link.run("look")
        except LibraryMissing as missing:
            text = library.explain(missing, transport, bare["net"])
            problem, _, remedy = text.partition(": ")
            remedy = f"{_PROVISION}: {remedy}"
            return [Check("library", False, problem, remedy)], None
        version = ".".join(map(str, look["micropython"]))
        text = f"{look['name'] or look['platform']}, MicroPython {version}, library "
        folder, files = link.run("installed")
        checks += _library(text + look["library"], dict(files), folder, port)
        checks += _store(look)
        if look["usable"] and write:
            try:
                writes = link.run("write_test")
                checks.append(Check("wear", True, f"the store took {writes} writes of a test"))
            except BoardError as error:
                remedy = "Its flash is worn out or full: use another block, or another board"
                checks.append(Check("wear", False, error.text, remedy))
        if not look["usable"]:
            return checks, None
        checks += _networks(len(look["networks"]), look["net"] == "wifi")
        keys = link.run("key_files")
    config = look["config"]
    for name, (_, problem) in keys.items():
        if problem:
            checks.append(Check("keys", False, f"{name}: {problem}", f"{_PROVISION} --new-key"))
    if not config.get("server") or not look["device_id"]:
        checks.append(Check("address", False, "the board was told no server", _PROVISION))
        return checks, None
    transport = str(config.get("transport") or transport)
    if transport not in PORTS or not isinstance(config.get("port", 1), int):
        text = "config.json has settings that cannot be used"
        return [*checks, Check("store", False, text, _PROVISION)], None
    public = {name: bytes.fromhex(found) for name, (found, _) in keys.items() if found}
    algorithm = ALGORITHMS[transport]
    return checks, Board(
        look["device_id"],
        transport,
        str(config["server"]),
        int(config.get("port") or PORTS[transport]),
        public.get(f"server.{algorithm}.der"),
        public.get(f"device.{algorithm}.der"),
    )


def _library(text: str, installed: dict[str, str], folder: str, port: str) -> list[Check]:
    # what is on the board, and whether it is what these tools have
    from particle_tools import packing

    if not installed:
        return [Check("library", True, f"{text}, frozen")]
    text += f", {len(installed)} files, hash {packing.library_hash(installed)}"
    known = packing.known_files()
    found = [Check("library", True, text)]
    other = [path for path, digits in installed.items() if known.get(path, digits) != digits]
    if other:
        differ = f"{len(other)} files are not those of these tools' {__version__}: {_some(other)}"
        remedy = "To have these: mpremote mip install --index CLOUD/mip particle"
        found.append(Check("library", None, differ, remedy))
    strange = [path for path in installed if path not in known]
    if strange:  # what another version had; an installation replaces, and removes nothing
        text = f"{len(strange)} files are no part of these tools' {__version__}: {_some(strange)}"
        paths = " ".join(shlex.quote(f":{folder}/{path}") for path in strange)
        remedy = f"Unless they are yours: mpremote connect {port} fs rm {paths}"
        if folder.startswith("/rom"):
            remedy = "Write the board's ROMFS again: particle-mp flash"
        found.append(Check("library", None, text, remedy))
    return found


def _some(paths: list[str]) -> str:
    return ", ".join(paths[:_NAMED]) + (" ..." if len(paths) > _NAMED else "")


def _store(look: dict[str, Any]) -> list[Check]:
    found = []
    for stage, text in look["problems"]:
        remedy = "It is replaced when it is set again"
        if not look["usable"]:
            remedy = "Format it as littlefs, or use a profile with STORE"
        elif "newer" in text:
            remedy = "Update the library on the board, or erase the file"
        found.append(Check(stage, False, text, remedy))
    if look["usable"] and not look["problems"]:
        room = "" if look["free"] is None else f", {look['free'] // 1024} KiB free"
        found.append(Check("store", True, f"{look['store']}, every file can be read{room}"))
    return found


def _networks(count: int, needs: bool) -> list[Check]:
    if count or not needs:
        return [Check("networks", True, f"{count} of 10 Wi-Fi networks are stored")]
    return [Check("networks", False, "no Wi-Fi network is stored", f"{_PROVISION} --wifi SSID")]


def of_folder(folder: Path) -> tuple[list[Check], Board]:
    """Read the flash of a simulated board. Raises UserError if it holds no settings."""
    from particle_tools.sim import image
    from particle_tools.sim.board_dir import BoardDir

    path = folder / "flash.img"
    if not path.is_file():
        raise UserError(
            f"{folder} holds no board: it is made by `particle-mp sim --data {folder}`"
        )
    fs = image.open_image(path)
    names = fs.listdir("/pt") if "pt" in fs.listdir("/") else []
    files = {name: image.read(path, f"/pt/{name}") or b"" for name in names if _is_file(fs, name)}
    board = _board(folder, files)
    problems = _damaged(files)
    checks = [Check("store", False, *problem) for problem in problems]
    if not problems:
        text = f"littlefs, {fs.used_block_count} of {image.BLOCKS} blocks used, "
        checks.append(Check("store", True, text + f"{len(files)} files are whole"))
        checks += _networks(_count(files.get("wifi", b"")), False)
    try:
        _, programs, erases = BoardDir(folder).flash_counts()
        text = f"{programs} programs and {erases} erases of the flash since power-on"
        checks.append(Check("wear", None, text))
    except OSError:
        pass  # it was never switched on
    return checks, board


def _is_file(fs: Any, name: str) -> bool:
    return fs.stat(f"/pt/{name}").type == 1


def _board(folder: Path, files: dict[str, bytes]) -> Board:
    try:
        config = json.loads(files.get("config.json", b""))
        transport = str(config.get("transport", "udp"))
        algorithm = ALGORITHMS[transport]
        server, device_id = str(config["server"]), str(config["device_id"])
        port = int(config.get("port") or PORTS[transport])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"pt/config.json on the flash of {folder} is missing or damaged: `particle-mp sim"
            f" --pty --data {folder}` and `particle-mp provision` with the port it names write it"
        ) from None
    public = _public(files.get(f"device.{algorithm}.der"))
    server_key = files.get(f"server.{algorithm}.der")
    return Board(device_id, transport, server, port, server_key, public)


def _public(private: bytes | None) -> bytes | None:
    from particle_tools.key_files import Key

    try:
        return Key.read(private or b"").spki
    except ValueError:
        return None


def _damaged(files: dict[str, bytes]) -> list[tuple[str, str]]:
    # -> text and remedy of each
    found = []
    for name, kind in _KINDS.items():
        data = files.get(name)
        if data is None:
            continue
        if data[:2] == b"PT" and len(data) > 3 and data[3] > 1:
            text = f"pt/{name} is of a newer version"
            found.append((text, "Update the library on the board, or erase the file"))
        elif data != dct.record(kind, data[6:-4]):
            found.append((f"pt/{name} is damaged", "It is replaced when it is set again"))
    return found


def _count(record: bytes) -> int:
    fields, at, count = record[6:-4], 0, 0
    while at + 1 < len(fields):
        count += fields[at] == _SSID
        at += 2 + fields[at + 1]
    return count
